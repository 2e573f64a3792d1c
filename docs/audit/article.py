"""The article on local deployment, and the claims of both documents."""

from __future__ import annotations

import attrs
import numpy as np

from audit.reading import (
    Row,
    catalog,
    figures,
    fleet,
    known,
    result,
    scenario,
)
from llm_tco import (
    Money,
    Power,
    Timeline,
    compare,
)
from llm_tco.components.risk import Waiting


def article() -> list[Row]:
    """Audit the article on local deployment."""
    mixes = [monthly_bill(output_tokens) for output_tokens in (0.0, 500.0, 1_000.0)]
    consumer, team = result("consumer-box")["box"], result("developers")
    before, after = (team[name].cost_per_year for name in ("cloud", "local"))
    share = known(team.saving("local", instead_of="cloud")[1])
    idle = idle_mode()
    kwh = consumer.quantities()["kWh"] / 3
    section = "Article on local deployment"
    model = catalog().model("llama-3-8b")
    sizes = [model.parameters * bits / 8 / 1e9 for bits in (32, 16, 4)]
    calls = [2_700 / seconds_of(milliseconds) for milliseconds in (300, 150)]
    return [
        Row(
            section=section,
            key="gpt4",
            item="500,000 tokens a day at 10 and 30 USD per million, a month",
            seed="more than 3,000",
            own=figures("{0:,.0f} all input; {1:,.0f} even mix; {2:,.0f} all output", *mixes),
            library=figures("{0:,.0f} (even mix)", mixes[1]),
            why="Only the extreme mix reaches it (30 days, 7.2 CNY a dollar).",
        ),
        Row(
            section=section,
            key="consumer-box",
            item="Consumer machine, a year",
            seed="about 4,200",
            own=figures(
                "{0:,.0f} + {1:,.0f} kWh, which leaves {2:.2f} CNY for a kWh",
                consumer.depreciation / 3,
                kwh,
                (4_200 - consumer.depreciation / 3) / kwh,
            ),
            library=figures("{0:,.0f} at 0.60 CNY a kWh", consumer.cost_per_year),
            why="The document states no price of electricity; 0.60 is an assumption, and the other document takes 1.0.",
        ),
        Row(
            section=section,
            key="developers",
            item="30 developers, a year",
            seed="378,000 → 128,000, 66 % less",
            own=figures("{0:,.0f} → {1:,.0f}, {2:.1%} less", before, after, share),
            library=figures(
                "{0:,.0f}, {1:.1%} less",
                team["complete"].cost_per_year,
                known(team.saving("complete", instead_of="cloud")[1]),
            ),
            why="They agree. Nobody deploys or runs the machines there; everything counted has the labour of the "
            "other document.",
        ),
        Row(
            section=section,
            key="idle-mode",
            item="Low-power mode, 6.8 → 3.2 kWh a day",
            seed="6.8 → 3.2 kWh",
            own=figures("{0:.1%}; {1:,.0f} kWh a year", idle[1] / idle[0] - 1, idle[0] - idle[1]),
            library=figures("{0:,.0f} CNY a year at 0.60 CNY a kWh", (idle[0] - idle[1]) * 0.60),
            why="They agree.",
        ),
        Row(
            section=section,
            key="waiting",
            item="Waiting for answers of 150 to 300 ms, 45 minutes a day",
            seed="45 minutes",
            own=figures("{0:,.0f} to {1:,.0f} calls a day that block", *calls),
            library=figures("{0:.0f} minute for 200 calls of 300 ms", 200 * seconds_of(300) / 60),
            why="The minutes and the milliseconds fit together only if each developer is blocked that often.",
        ),
        Row(
            section=section,
            key="model-size",
            item="Size of an 8B model",
            seed="32 GB → 8 GB by 4 bits",
            own=figures("{0:.0f} GB with 32 bits, {1:.0f} GB with 16, {2:.0f} GB with 4", *sizes),
            library=figures(
                "{0:.0f} GB with 4 bits, somewhat more with the scales that belong to them, plus the KV cache", sizes[2]
            ),
            why="32 GB are single precision; 8 GB are what 8 bits take.",
        ),
    ]


def monthly_bill(output_tokens: float) -> float:
    """Give the monthly API bill for requests of 1,000 tokens, so many of them generated."""
    stated = scenario("gpt4")
    workload = attrs.evolve(stated.workload, input_tokens=1_000.0 - output_tokens, output_tokens=output_tokens)
    bill = attrs.evolve(stated, workload=workload).compare()["api"]
    return float(bill.monthly)


def idle_mode() -> list[float]:
    """Give the energy of a year at 6.8 and at 3.2 kWh a day."""
    box, stated = fleet("consumer-box", "box"), scenario("consumer-box")
    watts = [kwh_per_day * 1_000 / 24 for kwh_per_day in (6.8, 3.2)]
    options = {
        f"{each:.0f} W": Power(box, price_per_kwh=Money.parse("0.60 CNY"), pue=1, idle_w=each, peak_w=each)
        for each in watts
    }
    found = compare(options, stated.workload, Timeline(start=stated.start, months=12), currency="CNY")
    return [float(found[name].quantities()["kWh"]) for name in found]


def seconds_of(milliseconds: float) -> float:
    """Give the seconds for which one call of so many milliseconds blocks somebody."""
    stated = scenario("gpt4")
    demand = stated.workload.on(Timeline(start=stated.start, months=1))
    waiting = Waiting(rate_per_hour=Money.parse("500 CNY"), seconds_per_request=milliseconds / 1_000)
    return float(np.ravel(waiting.hours(demand))[1] / demand.requests[1] * 3_600)


def claims() -> list[Row]:
    """Set the library's figures beside claims that state no inputs."""
    team, box = result("hidden"), result("enterprise-box")
    hidden = [known(team.hidden_share(name, instead_of="nothing")) for name in ("cloud", "cloud-200-calls")]
    saved = [known(box.saving(name, instead_of="cloud")[1]) for name in ("box", "complete")]
    fast, exact = (
        known(catalog().throughput("rtx-4090", "llama-3-8b", name).output_tokens_per_s) for name in ("q4_k_m", "f16")
    )
    other = known(catalog().throughput("rtx-3090", "llama-3-8b", "q4_k_m").output_tokens_per_s)
    large = known(catalog().throughput("a100-80gb-pcie", "llama-3-70b", "q4_k_m").output_tokens_per_s)
    section, none = "Claims without inputs", figures("no inputs are stated")
    return [
        Row(
            section=section,
            key="hidden-share",
            item="Hidden share of a rise of 27 % in IT spending",
            seed="63 %",
            own=none,
            library=figures("{0:.0%} for 45 minutes of waiting a day, {1:.0%} for 200 calls of 300 ms", *hidden),
            why="Decided by the minutes: 30 seats, an API bill and an audit as the article prices them; 22 days and "
            "500 CNY an hour are assumed (`hidden.toml`). Nothing is known of the 27 %.",
        ),
        Row(
            section=section,
            key="enterprise-saving",
            item="Machine for 150,000 instead of the cloud, 20 developers, three years",
            seed="62 % cheaper",
            own=none,
            library=figures("{0:.0%} without labour, {1:.0%} with it", *saved),
            why="Against seats at 12,000 a year, with full power all the time (`enterprise-box.toml`).",
        ),
        Row(
            section=section,
            key="enterprise-capacity",
            item="A 40B model for 20 developers on one A100",
            seed="supported",
            own=none,
            library=figures("{0:.1f} tokens/s for one user of a 70B model (Q4_K_M)", large),
            why="Measured with llama.cpp. No figure for a 40B model is in the catalog; say how many generate at once.",
        ),
        Row(
            section=section,
            key="rtx-4090-speed",
            item="RTX 4090, 8B model",
            seed="15 tokens/s",
            own=none,
            library=figures("{0:.1f} tokens/s (Q4_K_M), {1:.1f} (F16)", fast, exact),
            why="Measured with llama.cpp, one user. The other document claims 120 for a 7B model.",
        ),
        Row(
            section=section,
            key="rtx-4070-ti-speed",
            item="RTX 4070 Ti, 7B model",
            seed="8 tokens/s",
            own=none,
            library=figures("no measurement of this card; an RTX 3090 gives {0:.1f} tokens/s (8B, Q4_K_M)", other),
            why="The catalog answers with what was measured and does not guess.",
        ),
    ]
