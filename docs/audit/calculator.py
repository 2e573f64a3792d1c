"""The calculator: three years, its details, and what it says of each measure."""

from __future__ import annotations

from audit.reading import (
    Row,
    break_even_months,
    capacity,
    catalog,
    even,
    figures,
    known,
    list_price,
    parts,
    result,
)
from llm_tco import (
    Labour,
)
from llm_tco.analysis.compare import Option
from llm_tco.finance import payback


def three_years() -> list[Row]:
    """Audit section 10.5.1."""
    sizes = [result(name) for name in ("small", "medium", "enterprise")]
    local, whole, cloud = ([size[name] for size in sizes] for name in ("local", "complete", "cloud"))
    small = sizes[0]
    tokens = small["cloud"].demand.tokens.sum() / 1e6
    api, running = small["cloud"].categories()["api"], small["cloud"].natures()["running"]
    volumes = [even("enterprise", name).by_volume for name in ("local", "complete")]
    section = "Total cost over three years (10.5.1)"
    return [
        Row(
            section=section,
            key="local-total",
            item="Own hardware, for 20,000, 100,000 and 500,000 requests a month",
            seed="108,000; 156,000; 320,000",
            own=figures(
                "{0:,.0f} by its code for each of the three; {3:,.0f} without the double count",
                *(_double(one) for one in local),
                small["local"].tco,
            ),
            library=figures("{:,.0f}; {:,.0f}; {:,.0f}", *(one.tco for one in whole)),
            why="The code adds the purchase and its depreciation, and nothing in it depends on the load. The table "
            "does not come from the code. Everything counted: hosting, person-days of deployment, the bill of "
            "materials, and power that follows the load.",
        ),
        Row(
            section=section,
            key="cloud-total",
            item="API (gpt-4o-mini), for the same",
            seed="58,000; 290,000; 1,450,000",
            own=figures("{:,.0f}; {:,.0f}; {:,.0f}", *(one.natures()["running"] for one in cloud)),
            library=figures("{:,.0f}; {:,.0f}; {:,.0f}", *(one.tco for one in cloud)),
            why="The table does not come from the code. The code computes 20,000 of integration and never adds them.",
        ),
        Row(
            section=section,
            key="break-even-month",
            item="Month in which own hardware becomes cheaper",
            seed="month 14 for 100,000 requests, month 5 for 500,000",
            own=figures(break_even_months("local")),
            library=figures(break_even_months("complete")),
            why="Own hardware costs more every month than the API: break-even is an output of the inputs.",
        ),
        Row(
            section=section,
            key="break-even-volume",
            item="Requests a month from which on own hardware is cheaper",
            seed="30,000; beyond, own hardware costs almost nothing more",
            own=figures(
                "{0:,.0f}, on several machines: one carries {1:,.0f}",
                known(volumes[0].first),
                capacity("enterprise", "local"),
            ),
            library=figures(
                "{0:,.0f} for the first time; one machine carries {1:,.0f}",
                known(volumes[1].first),
                capacity("enterprise", "complete"),
            ),
            why="Not a constant. A machine carries only so much, and each further one is bought and powered; staff and "
            "hosting are held at what the document states for one, which favours own hardware.",
        ),
        Row(
            section=section,
            key="power-lookup",
            item="Power of an RTX 4090 machine",
            seed="450 W in its list",
            own=figures("200 W: {0:,.0f} CNY a month", small["local"].categories()["power"] / 36),
            library=figures(
                "105 W to 600 W by load: {0:,.2f} CNY a month", small["complete"].categories()["power"] / 36
            ),
            why="The code looks for the first word of the name, `RTX`, finds nothing, and silently takes 200 W and 40 GB.",
        ),
        Row(
            section=section,
            key="hosting",
            item="Hosting that the scenario states, 800 CNY a month",
            seed="not in its total",
            own=figures("{0:,.0f}", small["complete"].categories()["facility"]),
            library=figures("{0:,.0f}", small["complete"].categories()["facility"]),
            why="The code ignores the `operational_costs` of a scenario and skips hybrid ones; here both count.",
        ),
        Row(
            section=section,
            key="cloud-per-mtok",
            item="API, a million tokens, for 20,000 requests a month",
            seed="API bill over tokens",
            own=figures("{0:,.3f}; {1:,.2f} with the overhead that its total includes", api / tokens, running / tokens),
            library=figures("{0:,.2f}", known(small["cloud"].cost_per_mtok)),
            why="Its cost of a million tokens leaves out what its total includes.",
        ),
    ]


def _double(option: Option) -> float:
    return float(option.tco + option.depreciation)


def details() -> list[Row]:
    """Audit section 10.5.2."""
    year = result("power")
    plain, facility = (year[name].quantities()["kWh"] for name in ("computers", "facility"))
    keys = ("rtx-4090-workstation", "a100-server", "dual-h100-server")
    prices = [list_price(key) for key in keys]
    low, high = (result("ops")[name].monthly for name in ("low", "high"))
    audit_hours = 8 / 3
    hours = sum(part.hours_per_month for part in parts("ops", "low") if isinstance(part, Labour)) + audit_hours
    workstation, a100 = prices[0] / 36, prices[1] / 36
    small = result("small")["local"]
    section = "Single costs (10.5.2)"
    return [
        Row(
            section=section,
            key="hardware-lists",
            item="Sums of the three bills of materials",
            seed="25,900; 132,000; 609,500",
            own=figures("{:,.0f}; {:,.0f}; {:,.0f}", *prices),
            library=figures("{:,.0f}; {:,.0f}; {:,.0f}", *prices),
            why="They agree.",
        ),
        Row(
            section=section,
            key="deployment",
            item="Deployment, 15 person-days",
            seed="22,500",
            own=figures("{0:,.0f}", result("budget")["flat"].categories()["deployment"]),
            library=figures("{0:,.0f}", result("budget")["flat"].categories()["deployment"]),
            why="They agree. The total of 10.5.1 takes 10 % of the hardware instead, 2,500.",
        ),
        Row(
            section=section,
            key="power",
            item="Electricity of an RTX 4090 at 30 % for a year",
            seed="1,472 kWh; 2,208 kWh with a PUE of 1.5; 2,208 CNY",
            own=figures("{0:,.0f} kWh; {1:,.0f} kWh; {2:,.0f} CNY", plain, facility, year["facility"].tco),
            library=figures("{0:,.1f} W on average: {1:,.0f} kWh", plain / 8.760, facility),
            why="The printed output is not that of the function above it.",
        ),
        Row(
            section=section,
            key="power-share",
            item="That electricity as a share of the hardware's price",
            seed="3.4 % (output), 8.8 % (text)",
            own=figures("{0:.1%}", year["facility"].tco / prices[0]),
            library=figures(
                "{0:.1%} a year, {1:.1%} over three years",
                year["facility"].tco / prices[0],
                3 * year["facility"].tco / prices[0],
            ),
            why="Its function divides by TDP × 50 instead of the price.",
        ),
        Row(
            section=section,
            key="ops",
            item="Labour of operations a month",
            seed="13,000 to 21,000; about 40 h",
            own=figures("{0:,.0f} to {1:,.0f}; {2:.1f} h", low, high, hours),
            library=figures("{0:,.0f} to {1:,.0f} a year", 12 * low, 12 * high),
            why="The sum of its table is not that of the table's rows.",
        ),
        Row(
            section=section,
            key="labour-share",
            item="Labour against depreciation of the hardware",
            seed="30 % to 60 % of it",
            own=figures(
                "{0:.0f} to {1:.0f} times it (RTX 4090), {2:.1f} to {3:.1f} times (A100)",
                13_000 / workstation,
                21_000 / workstation,
                13_000 / a100,
                21_000 / a100,
            ),
            library=figures(
                "{0:.1f} to {1:.1f} times by the rows (RTX 4090), {2:.1f} times in the total of 10.5.1",
                low / workstation,
                high / workstation,
                small.categories()["labour"] / small.depreciation,
            ),
            why="The rule contradicts the document's own two tables.",
        ),
    ]


def measures() -> list[Row]:
    """Audit section 10.5.3."""
    cache, router = result("cache"), result("router")
    saved = known(cache.saving("cached", instead_of="plain")[0]) / 12
    cheap = cache.saving("mini-cached", instead_of="mini")[0] / 12
    upkeep = known(cache["cached"].categories()["cache"]) / 12
    days = payback([-upkeep, *[saved / 30] * 30])
    one, many = (
        catalog().throughput("h100-80gb-pcie", "llama-3-8b", "f16").output_tokens_per_s,
        catalog()
        .throughput("h100-80gb-sxm", "llama-3.1-8b", "fp8", engine="tensorrt-llm 1.0, 1000 in / 1000 out")
        .output_tokens_per_s,
    )
    section = "Measures (10.5.3)"
    return [
        Row(
            section=section,
            key="cache",
            item="Semantic cache: 35 % of 50,000 requests at 0.15 CNY",
            seed="2,012.5 a month; 287 %; 10.5 days",
            own=figures("{0:,.1f} a month; {1:.0%}; {2:.1f} days", saved, saved / upkeep, days),
            library=figures(
                "{0:,.1f} a month; {1:,.1f} at the price of gpt-4o-mini, {2:.0f} times lower",
                saved,
                cheap,
                known(cache["plain"].cost_per_request) / known(cache["mini"].cost_per_request),
            ),
            why="The printed output is not that of the function. At the price of the API in 10.5.1 the "
            "cache costs more than it saves.",
        ),
        Row(
            section=section,
            key="router",
            item="Router over four tiers, a request",
            seed="none: its code stops",
            own=figures("a `KeyError` on each local tier"),
            library=figures(
                "{0:.4f} with shares of 40, 40, 15 and 5 % (assumed), against {1:.3f} for the standard tier alone",
                known(router["routed"].cost_per_request),
                known(router["standard"].cost_per_request),
            ),
            why="Tiers hold `local_cost_per_request`, the code reads `cost_per_request`. It ignores the kind of task "
            "above 256 tokens.",
        ),
        Row(
            section=section,
            key="batching",
            item="Batch processor",
            seed="reduces the cost of a request; no figure",
            own=figures("nothing: it posts requests one by one"),
            library=figures(
                "8B model on an H100: {0:,.0f} tokens/s for one user (F16), {1:,.0f} saturated (FP8)",
                known(one),
                known(many),
            ),
            why="Batching is done by the engine, and its gain is a measurement: compare two throughput records.",
        ),
    ]
