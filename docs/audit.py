"""Write the audit of the two source documents: what they print beside what the library computes.

Every figure that is not a quotation is computed here, from the files in `examples/seeds`
and from the catalog. Sphinx runs it before it reads the pages; by hand it is
`python docs/audit.py`.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco import (
    Catalog,
    Comparison,
    Component,
    Fleet,
    Labour,
    Money,
    Power,
    Purchase,
    Scenario,
    Stack,
    Timeline,
    compare,
    load_catalog,
    load_scenario,
)
from llm_tco.analysis.compare import BreakEven, Investment, Option
from llm_tco.components.risk import Waiting
from llm_tco.finance import irr, payback, roi

DOCS = Path(__file__).parent
SEEDS = DOCS.parent / "examples" / "seeds"
PAGE = DOCS / "explanation" / "audit.md"

Number = float | npt.NDArray[np.float64]

COST = "`成本分析与优化`, section 10.5"
LOCAL = "`一、云端LLM服务的隐性成本陷阱`"

INTRODUCTION = f"""# The audit of two documents

This library began with two Chinese documents that add up what it costs to run language models: {COST}, and an \
article on local deployment of code assistants, cited by its first heading, {LOCAL}. Neither has an address. \
Whatever they calculate, the library calculates. Not everything that they print follows from their own inputs, \
so this page shows, for each figure,

* what the document prints,
* what its own inputs give when each is counted as the document says, and
* what the library says with everything counted that the documents state somewhere.

The last two are computed when this page is built, from the scenario files in `examples/seeds`. \
To see one in full, run `llm-tco compare examples/seeds/small.toml`. Amounts are in yuan (CNY).
"""


@attrs.frozen
class Figures:
    """Numbers and the sentence that shows them.

    Attributes:
        text: The sentence, with a replacement field for each number.
        values: The numbers.
    """

    text: str
    values: tuple[float, ...]

    def __str__(self) -> str:
        return re.sub(r"(?<=\d)%", " %", self.text.format(*self.values))


@attrs.frozen(kw_only=True)
class Row:
    """One figure of a document, audited.

    Attributes:
        section: Heading under which it stands.
        key: Short name, for tests.
        item: What the figure is about.
        seed: What the document prints.
        own: What its own inputs give.
        library: What the library says with everything counted.
        why: Why they differ, or that they agree.
    """

    section: str
    key: str
    item: str
    seed: str
    own: Figures
    library: Figures
    why: str


def figures(text: str, *values: Number) -> Figures:
    """Bind numbers to the sentence that shows them."""
    return Figures(text, tuple(float(value) for value in values))


@functools.cache
def catalog() -> Catalog:
    """Load every installed plugin once."""
    return load_catalog()


@functools.cache
def scenario(name: str) -> Scenario:
    """Read one of the scenario files."""
    return load_scenario(SEEDS / f"{name}.toml", catalog=catalog())


@functools.cache
def result(name: str) -> Comparison:
    """Run one of the scenario files."""
    return scenario(name).compare()


def against_nothing(name: str, option: str) -> Investment:
    """Give the case of an option against changing nothing."""
    return result(name).investment(option, instead_of="nothing")


def first_year(case: Investment) -> float:
    """Give the return on investment after one year."""
    return float(roi(case.flows[:13]))


def known(value: Number | None) -> float:
    """Refuse a figure that is not there."""
    if value is None:
        raise ValueError("the library gives no such figure")
    return float(value)


def parts(name: str, option: str) -> tuple[Component, ...]:
    """Give the costs of an option, as objects."""
    stack = scenario(name).options[option]
    if not isinstance(stack, Stack):
        raise TypeError(f"{name}.{option} is no list of costs")
    return stack.parts


def fleet(name: str, option: str) -> Fleet:
    """Give the fleet that an option buys."""
    for part in parts(name, option):
        if isinstance(part, Purchase) and part.fleet is not None:
            return part.fleet
    raise TypeError(f"{name}.{option} buys no fleet")


def list_price(server: str) -> float:
    """Sum a server's bill of materials."""
    price = catalog().server(server).price
    if price is None:
        raise ValueError(f"{server} has no price")
    return float(price.value)


def even(name: str, option: str) -> BreakEven:
    """Give when own hardware overtakes the API."""
    return result(name).break_even(option, "cloud")


def break_even_months(option: str) -> str:
    """Say in which month own hardware overtakes the API, for the two larger teams."""
    months = [even(name, option).month for name in ("medium", "enterprise")]
    return "; ".join("never" if month is None else f"month {month}" for month in months)


def capacity(name: str, option: str) -> float:
    """Give the requests a month that one server of an option can carry."""
    timeline = Timeline(start=scenario(name).start, months=1)
    plan = fleet(name, option).size(scenario(name).workload.on(timeline))
    return float(plan.demand.requests[1] * plan.capacity_hours[1] / plan.busy_hours[1] / plan.active[1])


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


def returns() -> list[Row]:
    """Audit section 10.5.4."""
    case, cautious = against_nothing("roi", "platform"), against_nothing("roi", "at-60-percent")
    gross = -result("roi")["platform"].natures()["benefit"] / 36
    section = "Return on investment (10.5.4)"
    return [
        Row(
            section=section,
            key="roi-net",
            item="Net benefit a month",
            seed="33,700",
            own=figures("{0:,.0f} gross; {1:,.0f} net", gross, case.flows[1]),
            library=figures("{0:,.0f}", case.flows[1]),
            why="The document shows a gross benefit as the net one, and not its own either.",
        ),
        Row(
            section=section,
            key="roi-payback",
            item="Payback",
            seed="2.4 months",
            own=figures("{0:.2f} months", known(case.payback_months)),
            library=figures(
                "{0:.2f} months; {1:.2f} discounted", known(case.payback_months), known(case.discounted_payback_months)
            ),
            why="As above.",
        ),
        Row(
            section=section,
            key="roi",
            item="Return after one and three years",
            seed="1,422 % after three",
            own=figures("{0:.0%}; {1:,.0%}", first_year(case), known(case.roi)),
            library=figures("{0:.0%}; {1:,.0%}", first_year(case), known(case.roi)),
            why="As above.",
        ),
        Row(
            section=section,
            key="roi-npv",
            item="Net present value at 8 % nominal",
            seed="not printed",
            own=figures("{0:,.0f}", case.npv),
            library=figures("{0:,.0f}", case.npv),
            why="The library takes effective rates: 8 % nominal are 8.30 % effective.",
        ),
        Row(
            section=section,
            key="roi-irr",
            item="Internal rate of return a year",
            seed="not printed",
            own=figures("{0:.0%} nominal", 12 * float(irr(case.flows))),
            library=figures("{0:,.0%} effective", case.irr.rate),
            why="The code gives twelve times the monthly rate and searches up to 1,000 % only.",
        ),
        Row(
            section=section,
            key="roi-cautious",
            item="Return after three years at 60 % of the benefits",
            seed="above 400 %",
            own=figures("{0:.0%}", known(cautious.roi)),
            library=figures(
                "{0:.0%}; payback after {1:.1f} months", known(cautious.roi), known(cautious.payback_months)
            ),
            why="True, and stated too low.",
        ),
        Row(
            section=section,
            key="roi-per-yuan",
            item="What a yuan gives back in three years",
            seed="15 and more",
            own=figures("{0:.1f} net", known(case.roi)),
            library=figures("{0:.1f} net; {1:.1f} with the yuan itself", known(case.roi), known(case.roi) + 1),
            why="As above.",
        ),
    ]


def budget() -> list[Row]:
    """Audit section 10.5.5."""
    flat, growing, whole = (against_nothing("budget", name) for name in ("flat", "growing", "complete"))
    growth = result("budget")["growing"]
    section = "Budget proposal (10.5.5)"
    return [
        Row(
            section=section,
            key="budget-total",
            item="Cost over three years, growing by 5 % a year",
            seed="60,500 up front; 416,859",
            own=figures("{0:,.0f} up front; {1:,.0f}", growth.upfront, growth.tco),
            library=figures("{0:,.0f}", result("budget")["complete"].tco),
            why="They agree. Everything counted: 3,331 kWh of electricity a year.",
        ),
        Row(
            section=section,
            key="budget-years",
            item="Cost of each year",
            seed="113,040; 118,692; 124,627",
            own=figures("{:,.0f}; {:,.0f}; {:,.0f}", *growth.years()[1:]),
            library=figures("{:,.0f}; {:,.0f}; {:,.0f}", *result("budget")["complete"].years()[1:]),
            why="They agree, as above.",
        ),
        Row(
            section=section,
            key="budget-payback",
            item="Payback",
            seed="2.6 months",
            own=figures("{0:.2f} months", known(flat.payback_months)),
            library=figures("{0:.2f} months", known(whole.payback_months)),
            why="They agree. Everything counted: 90 % of the API bill, its own goal, and the electricity.",
        ),
        Row(
            section=section,
            key="budget-roi",
            item="Return after one and three years",
            seed="356 %; 1,180 %",
            own=figures(
                "{0:.0%}; {1:,.0%} with flat costs, {2:,.0%} with its growth",
                first_year(flat),
                known(flat.roi),
                known(growing.roi),
            ),
            library=figures("{0:.0%}; {1:,.0%}", first_year(whole), known(whole.roi)),
            why="The returns leave out the growth that the document's cost table applies, and count the whole API bill "
            "as replaced. The benefits are weighted already, so no confidence applies again.",
        ),
        Row(
            section=section,
            key="budget-npv",
            item="Net present value at 8 % nominal",
            seed="512,000",
            own=figures("{0:,.0f} with flat costs, {1:,.0f} with its growth", flat.npv, growing.npv),
            library=figures("{0:,.0f}", whole.npv),
            why="As above.",
        ),
    ]


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


def rows() -> list[Row]:
    """Audit every figure of the two documents."""
    return [*three_years(), *details(), *measures(), *returns(), *budget(), *article(), *claims()]


def page(found: list[Row]) -> str:
    """Lay the rows out as a page, a table for each section."""
    lines = [INTRODUCTION]
    for section in dict.fromkeys(row.section for row in found):
        lines += [f"## {section}", ""]
        lines += [
            "| item | the document prints | its own inputs give | everything counted | why |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {row.item} | {row.seed} | {row.own} | {row.library} | {row.why} |"
            for row in found
            if row.section == section
        ]
        lines.append("")
    return "\n".join(lines)


def main(target: Path = PAGE) -> None:
    """Write the page, where it has changed."""
    text = page(rows())
    if not target.exists() or target.read_text("utf-8") != text:
        target.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
