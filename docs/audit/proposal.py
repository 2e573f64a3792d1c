"""The returns, and the budget proposal."""

from __future__ import annotations

from audit.reading import (
    Row,
    against_nothing,
    figures,
    first_year,
    known,
    result,
)
from llm_tco.finance import irr


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
