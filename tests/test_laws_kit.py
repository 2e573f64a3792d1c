"""The kit for other people's code: it catches what is wrong, and lets pass what is right."""

from __future__ import annotations

from datetime import date

import attrs
import numpy as np
import pytest
from hypothesis import given

from llm_tco import finance
from llm_tco.components.amounts import Monthly, OneOff
from llm_tco.components.base import Composable, Stack
from llm_tco.components.capital import Purchase
from llm_tco.components.labour import Labour
from llm_tco.components.power import Power
from llm_tco.demand import Workload
from llm_tco.ledger import Ledger
from llm_tco.lines import AT_ONCE, NEVER, Recognition
from llm_tco.testing import laws
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

DEMAND = Workload(requests_per_month=20_000, input_tokens=500, output_tokens=300, growth_per_year=0.5).on(
    Timeline(date(2026, 12, 1), 18)
)
FLOWS = np.array([-100.0, 30.0, 40.0, 50.0, 60.0])


def by_month(amount):
    """Lay an amount on every month."""
    return lambda demand, calls: np.where(demand.timeline.index > 0, amount, 0.0)


@attrs.frozen(eq=False)
class Planted(Composable):
    """A component that does what a function says."""

    amounts: object
    category: str = "other"
    nature: str = "running"
    name: str = "planted"
    calls: list = attrs.field(factory=list)
    recognition: Recognition = AT_ONCE
    capital: str = "none"
    ledger: object = attrs.field(default=lambda demand: {})

    def cost(self, demand):
        """Return one line."""
        self.calls.append(demand)
        amounts = self.amounts(demand, len(self.calls))
        line = self.line(
            self.category,
            "CNY",
            amounts,
            nature=self.nature,
            recognition=self.recognition,
            capital=self.capital,
        )
        return Ledger(timeline=demand.timeline, lines=(line,), **self.ledger(demand))


def at_first(amount):
    """Lay an amount on the day of purchase."""
    return lambda demand, calls: np.where(demand.timeline.index == 0, amount, 0.0)


def parts(*weights):
    """Make an asset that is written off in these parts."""
    return Planted(at_first(100.0), recognition=Recognition(weights=np.array(weights)), capital="asset")


def greedy(demand, calls):
    """Take away half of the demand."""
    demand.streams[0].requests[...] *= 0.5
    return demand.requests * 0.0


WRONG = {
    "changes its demand": (Planted(greedy), "leaves its demand as it was"),
    "answers anew each time": (Planted(lambda demand, calls: demand.requests * 0 + calls), "answers the same"),
    "forgets the day of purchase": (
        Planted(lambda demand, calls: np.ones(demand.timeline.months)),
        "one amount for each",
    ),
    "gives NaN": (Planted(lambda demand, calls: demand.requests * np.nan), "is finite"),
    "pays for a benefit": (Planted(by_month(5.0), nature="benefit"), "a benefit, which is a credit"),
    "has steps that it hides": (
        Planted(lambda demand, calls: np.ceil(demand.requests / 21_000)),
        "affine in the volume",
    ),
    "is curved and does not say so": (Planted(lambda demand, calls: demand.requests**2), "affine in the volume"),
    "writes off more than was paid": (parts(0.0, 0.6, 0.6), "recognised once, and no part of it twice"),
    "writes off less than was paid": (parts(0.0, 0.4, 0.4), "an asset, which is written off whole"),
    "writes an asset up": (parts(1.5, -0.5), "recognised in parts of at least 0"),
    "leaves less than nothing unserved": (
        Planted(by_month(1.0), ledger=lambda demand: {"unserved": -demand.requests}),
        "unserved is 0 up to what was asked for",
    ),
    "leaves more unserved than was asked for": (
        Planted(by_month(1.0), ledger=lambda demand: {"unserved": 2.0 * demand.requests + 1.0}),
        "unserved is 0 up to what was asked for",
    ),
    "forgets the day of purchase in what is unserved": (
        Planted(by_month(1.0), ledger=lambda demand: {"unserved": demand.requests[..., 1:]}),
        "unserved holds one number of requests for each time",
    ),
    "serves twice": (
        Planted(by_month(1.0), ledger=lambda demand: {"served": np.full(demand.timeline.size, 2.0)}),
        "served is a share, 0 to 1",
    ),
    "says that it rises and falls": (
        Planted(lambda demand, calls: 1e9 - demand.requests, ledger=lambda demand: {"rising": True}),
        "a ledger that says so rises",
    ),
    "has a category of two words": (Planted(by_month(1.0), category="Two words"), "has a category that is a word"),
    "mixes the draws": (
        Planted(lambda demand, calls: demand.requests - demand.requests.mean(axis=0) * (demand.requests.ndim > 1)),
        "a row of a batch is the scalar run",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_component_is_caught(name):
    """Each planted mistake breaks the law that it should."""
    component, law = WRONG[name]

    with pytest.raises(AssertionError, match=f"broken law: .*{law}"):
        laws.component(component, fresh())


@pytest.mark.parametrize("name", sorted(WRONG.keys() - {"has steps that it hides", "mixes the draws"}))
def test_the_kit_finds_demands_for_itself(name):
    """What is wrong on most demands is caught without one; steps and draws need the right volumes."""
    with pytest.raises(AssertionError, match="broken law: "):
        laws.component(WRONG[name][0])


def fresh():
    """Give a demand of its own, which a planted component may spoil."""
    demand = DEMAND.window(0)
    (stream,) = demand.streams
    return attrs.evolve(demand, streams=(attrs.evolve(stream, requests=stream.requests.copy()),))


def box():
    """Make a fleet."""
    server = own.Server(
        key="box", name="Box", idle_w=100, peak_w=500, source=own.SOURCE,
        parts=(own.Part(name="all", price=own.Money.parse("36000 CNY")),),
    )  # fmt: skip
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=0.01, source=own.SOURCE)
    return own.Fleet(server=server, throughput=rate)


RIGHT = [
    Planted(by_month(5.0)),
    Planted(by_month(-5.0), nature="benefit"),
    parts(0.0, 0.5, 0.3, 0.2),
    Planted(at_first(100.0), recognition=NEVER),
    Planted(lambda demand, calls: 2.0 * demand.requests, ledger=lambda demand: {"rising": True}),
    Planted(by_month(0.0), ledger=lambda demand: {"unserved": demand.requests}),
    Planted(lambda demand, calls: demand.requests**2, ledger=lambda demand: {"smooth": True}),
    Monthly("rent", amount="5 CNY"),
    OneOff("setup", amount="5 CNY", month=1),
    Labour("ops", hours_per_month=20, rate_per_hour="400 CNY", raise_per_year=0.03),
    Purchase(box(), life_years=1, salvage="500 CNY", residual="book"),
    Power(box(), price_per_kwh="1 CNY", pue=1.5),
]


@pytest.mark.parametrize("component", RIGHT, ids=lambda component: component.name)
def test_a_right_component_passes(component):
    """No law is too strict."""
    laws.component(component, fresh())
    laws.component(component)


def test_what_the_kit_calls_a_stack_is_one():
    """The kit needs nothing of a component but its name and its cost."""
    laws.component(Planted(by_month(1.0)), fresh())
    assert len(Stack((Planted(by_month(1.0)),)).parts) == 1


def periods(size):
    """Count periods from 0."""
    return np.arange(size, dtype=float)


WRONG_VALUES = {
    "off by one": lambda rate, flows: float((flows * (1 + rate) ** -(periods(flows.size) + 1)).sum()),
    "a nominal rate taken as effective": lambda rate, flows: float((flows * np.exp(-rate * periods(flows.size))).sum()),
    "loses the last flow": lambda rate, flows: finance.npv(rate, np.r_[flows[:-1], 0.0]),
    "adds a constant": lambda rate, flows: finance.npv(rate, flows) + 1.0,
    "mid of the period": lambda rate, flows: finance.npv(rate, flows, timing="mid"),
    "compounds monthly": lambda rate, flows: finance.npv(finance.effect(rate, 12), flows),
    "simple interest": lambda rate, flows: float((flows / (1 + rate * periods(flows.size))).sum()),
    "rounds to cents": lambda rate, flows: round(finance.npv(rate, flows * 0.333), 2) / 0.333,
    "borrows at another rate": lambda rate, flows: (
        finance.npv(rate, np.maximum(flows, 0)) + finance.npv(1.1 * rate, np.minimum(flows, 0))
    ),
    "does not add up": lambda rate, flows: finance.npv(rate, flows) + rate * (np.ptp(flows) if flows[0] < 0 else 0.0),
    "spoils its flows": lambda rate, flows: [finance.npv(rate, flows), flows.fill(0.0)][0],
}


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_a_wrong_net_present_value_is_caught(name):
    """An off-by-one, a wrong rate, a lost flow and a constant each break a law."""
    with pytest.raises(AssertionError, match="broken law"):
        laws.cash_flow(WRONG_VALUES[name], FLOWS.copy(), 0.1)


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_the_kit_finds_flows_for_itself(name):
    """Three lines are enough: what a check is not given, it draws."""
    with pytest.raises(AssertionError, match="broken law"):
        laws.cash_flow(WRONG_VALUES[name])


@pytest.mark.parametrize(
    "npv",
    [finance.npv, lambda rate, flows: float(sum(flow / (1 + rate) ** t for t, flow in enumerate(flows)))],
)
def test_a_right_net_present_value_passes(npv):
    """The library's own and one in plain Python."""
    laws.cash_flow(npv, FLOWS, 0.1)
    laws.cash_flow(npv)


WRONG_RATES = {
    "nominal and not effective": lambda flows: 12 * finance.irr(flows),
    "moves with the magnitude": lambda flows: finance.irr(flows) if np.abs(flows).max() < 1e8 else 0.1,
    "counts leading zeros": lambda flows: 0.0 if flows[0] == 0 else finance.irr(flows),
    "gives up with NaN": lambda flows: float("nan"),
    "rounds to a basis point": lambda flows: round(finance.irr(flows), 4),
    "does not see what is small": lambda flows: finance.irr(flows) if np.abs(flows).max() > 1e-6 else 0.1,
    "borrowers pay less": lambda flows: finance.irr(flows) * (0.9 if flows[0] > 0 else 1.0),
}


@pytest.mark.parametrize("name", WRONG_RATES)
def test_a_wrong_rate_of_return_is_caught(name):
    """A nominal rate, an absolute tolerance, and a rate that depends on zeros or signs each break a law."""
    with pytest.raises(AssertionError, match="broken law"):
        laws.rate_of_return(WRONG_RATES[name], FLOWS)
    with pytest.raises(AssertionError, match="broken law"):
        laws.rate_of_return(WRONG_RATES[name])


def test_a_rate_of_return_that_knows_no_losses_is_caught():
    """The kit draws investments that lose money as well."""
    with pytest.raises(AssertionError, match="at the rate of return, 0, the flows are worth nothing"):
        laws.rate_of_return(lambda flows: max(0.0, finance.irr(flows)))


def test_a_right_rate_of_return_passes():
    """The library's own, on the stream at hand and on all that the kit draws."""
    laws.rate_of_return(finance.irr, FLOWS)
    laws.rate_of_return(finance.irr)


WRONG_SCHEDULES = {
    "forgets salvage": lambda cost, salvage, periods: np.full(periods, cost / periods),
    "one period too many": lambda cost, salvage, periods: np.full(periods + 1, (cost - salvage) / (periods + 1)),
    "all at once and a little more": lambda cost, salvage, periods: np.r_[cost - salvage + 1.0, np.zeros(periods - 1)],
    "is no number": lambda cost, salvage, periods: np.full(periods, np.nan),
    "never arrives": lambda cost, salvage, periods: 0.9 * finance.sln_schedule(cost, salvage, periods),
    "goes below zero": lambda cost, salvage, periods: np.r_[
        2 * (cost - salvage), np.zeros(max(periods - 2, 0)), salvage - cost
    ],
}


@pytest.mark.parametrize("name", WRONG_SCHEDULES)
def test_a_wrong_depreciation_is_caught(name):
    """A schedule that forgets salvage, or spreads it wrongly, breaks a law."""
    with pytest.raises(AssertionError, match="broken law"):
        laws.depreciation(WRONG_SCHEDULES[name], 1_000.0, 100.0, 5)
    with pytest.raises(AssertionError, match="broken law"):
        laws.depreciation(WRONG_SCHEDULES[name])


@pytest.mark.parametrize(
    "schedule",
    [
        finance.sln_schedule,
        lambda cost, salvage, periods: (cost - salvage) * np.arange(periods, 0, -1) / (periods * (periods + 1) / 2),
    ],
)
def test_a_right_depreciation_passes(schedule):
    """Straight-line and sum of the years' digits."""
    laws.depreciation(schedule, 1_000.0, 100.0, 5)
    laws.depreciation(schedule)


def annuity(rate, periods, amount):
    """Write a loan payment by payment, in plain Python."""
    payment = amount * rate / (1 - (1 + rate) ** -periods) if rate else amount / periods
    interest, owed = [], amount
    for _ in range(periods):
        interest.append(owed * rate)
        owed -= payment - interest[-1]
    return np.array(interest), payment - np.array(interest)


def ours(rate, periods, amount):
    """Give the library's own schedule with the signs of the kit."""
    schedule = finance.loan_schedule(rate, periods, amount)
    return -schedule.interest, -schedule.principal


WRONG_LOANS = {
    "takes interest on the whole loan": lambda rate, periods, amount: (
        np.full(periods, rate * amount), np.full(periods, amount / periods),
    ),
    "is repaid in equal parts": lambda rate, periods, amount: (
        rate * amount * (1 - np.arange(periods) / periods), np.full(periods, amount / periods),
    ),
    "takes a yearly rate for a monthly one": lambda rate, periods, amount: annuity(rate / 12, periods, amount),
    "leaves the last payment out": lambda rate, periods, amount: tuple(p[:-1] for p in annuity(rate, periods, amount)),
    "mistakes interest for principal": lambda rate, periods, amount: annuity(rate, periods, amount)[::-1],
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_LOANS)
def test_a_wrong_loan_is_caught(name):
    """Simple interest, equal principal, a nominal rate, a lost payment and a mix-up each break a law."""
    with pytest.raises(AssertionError, match="broken law"):
        laws.loan(WRONG_LOANS[name], 0.01, 24, 1_000.0)
    with pytest.raises(AssertionError, match="broken law"):
        laws.loan(WRONG_LOANS[name])


@pytest.mark.parametrize("schedule", [annuity, ours])
def test_a_right_loan_passes(schedule):
    """The library's own, and one payment by payment; at a rate of 0 and below it as well."""
    laws.loan(schedule, 0.0, 24, 1_000.0)
    laws.loan(schedule)


def test_a_nominal_rate_is_no_monthly_rate():
    """A twelfth of the effective rate is too much."""
    with pytest.raises(AssertionError, match="twelve months at the monthly rate make the year"):
        laws.monthly_rate(lambda rate: rate / 12)

    laws.monthly_rate(finance.monthly_rate)
    laws.monthly_rate(lambda rate: (1 + rate) ** (1 / 12) - 1, 0.08)


def test_a_broken_law_says_what_was_expected_and_found():
    """The message is one line, with the law and both figures."""
    with pytest.raises(AssertionError) as caught:
        laws.cash_flow(lambda rate, flows: finance.npv_excel(rate, flows), np.array([-100.0, 60.0]), 0.25)

    assert str(caught.value) == "broken law: the first flow is worth itself: expected -100, got -80"


@given(own.demands())
def test_demands_are_drawn_with_the_other_types(demand):
    """The strategies hold what the laws draw."""
    assert demand.requests.shape == (demand.timeline.size,)
    assert laws.demands is own.demands
