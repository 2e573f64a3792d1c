"""The laws of break-even (67 to 70): every crossing, exact, checked against brute force."""

from __future__ import annotations

from datetime import date

import attrs
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_tco.analysis.compare import compare
from llm_tco.components.amounts import Monthly, OneOff
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Composable, Delayed, Escalated, Limited, Scaled
from llm_tco.components.capital import Purchase
from llm_tco.components.power import Power
from llm_tco.components.rental import Rental
from llm_tco.components.router import Route, Router
from llm_tco.demand import Workload
from llm_tco.financing import FinancialTerms, Lease, Loan, Tax
from llm_tco.ledger import Ledger
from llm_tco.money import Money
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

TIMELINE = Timeline(date(2026, 12, 1), 4)


def request_price(amount):
    """Make an API that bills each request at one price."""
    return ApiUsage(
        own.TokenPrice(
            provider="p",
            model="m",
            currency="CNY",
            input=own.Rate(base=own.Decimal(0)),
            output=own.Rate(base=own.Decimal(0)),
            per_request=own.Decimal(str(amount)),
            source=own.SOURCE,
        )
    )


def box(requests_per_server, price="1000 CNY", **changes):
    """Make a fleet whose servers each carry so many requests a month."""
    server = own.Server(
        key="box", name="Box", idle_w=100, peak_w=500, source=own.SOURCE,
        parts=(own.Part(name="all", price=Money.parse(price)),),
    )  # fmt: skip
    rate = own.Throughput(
        gpu="g", model="m", quantisation="q", requests_per_s=requests_per_server / 2_628_000, source=own.SOURCE
    )
    return own.Fleet(server=server, throughput=rate, **changes)


def run(options, high, workload=None, timeline=TIMELINE, **terms):
    """Compare options of which break-even is sought from 1 to a highest volume."""
    workload = workload or Workload(requests_per_month=10, input_tokens=1, output_tokens=1)
    return compare(options, workload, timeline, currency="CNY", volumes=(1, high), **terms)


def brute_force(result, high):
    """Say who is cheaper at every single volume, by evaluating each on its own."""
    winners = []
    for volume in range(1, high + 1):
        workload = attrs.evolve(result.workload, requests_per_month=volume)
        options = {name: option.component for name, option in result.options.items()}
        stated = result.terms
        terms = {"discount_rate": stated.discount_rate, "lens": stated.lens, "finance": stated.finance}
        one = compare(options, workload, result.timeline, currency="CNY", **terms)
        (a, first), (b, second) = one.options.items()
        able = tuple(option.name for option in (first, second) if option.feasible)
        cheaper = able[0] if len(able) == 1 else None
        if len(able) == 2 and abs(first.npv_cost - second.npv_cost) > 1e-12 * (first.npv_cost + second.npv_cost):
            cheaper = a if first.npv_cost < second.npv_cost else b
        winners.append((cheaper, able))
    return winners


def expand(crossings, high):
    """Lay intervals out volume by volume."""
    winners = []
    for one in crossings.intervals:
        winners += [(one.cheaper, one.carried_by)] * ((one.end or high) - one.start + 1)
    return winners


@given(
    st.integers(3, 40),
    st.integers(1, 60),
    st.integers(1, 30),
    st.integers(0, 2),
    st.floats(0.0, 0.3),
    st.floats(0.0, 2.0),
    st.none() | st.integers(3, 5),
)
def test_every_crossing_of_step_and_saw_curves_equals_brute_force(size, price, fee, spares, rate, growth, count):
    """Laws 67 and 68: on whole servers, all crossings are found and the first whole request is exact."""
    fleet = box(size, f"{price} CNY", spares=spares, count=count)
    workload = Workload(requests_per_month=10, input_tokens=1, output_tokens=1, growth_per_year=growth)
    local = Purchase(fleet, life_years=1) + Power(fleet, price_per_kwh="0.001 CNY", pue=1.1)
    result = run({"local": local, "cloud": request_price(fee / 10)}, 120, workload, discount_rate=rate)

    found = result.break_even("local", "cloud").by_volume

    assert found.within == ()
    assert expand(found, 120) == brute_force(result, 120)


@given(
    st.integers(2, 12),
    st.integers(100, 3_000),
    st.integers(1, 60),
    st.sampled_from([{}, {"tax": Tax(rate=0.4)}, {"tax": Tax(rate=0.9, depreciation="at_once")}]),
    st.sampled_from([{}, {"loan": Loan(apr=0.02, months=36)}, {"lease": Lease(apr=0.5, months=60)}]),
    st.sampled_from([{}, *({"price_basis": "real", "inflation_rate": rate} for rate in (0.3, -0.9))]),
    st.floats(0.0, 0.5),
)
def test_crossings_equal_brute_force_under_any_terms(size, price, fee, tax, means, basis, rate):
    """Loans, leases, taxes and inflation move crossings, and none is lost."""
    salvage = None if price % 2 else f"{price / 4} CNY"
    local = Purchase(box(size, f"{price} CNY"), life_years=1, salvage=salvage)
    workload = Workload(requests_per_month=10, input_tokens=1, output_tokens=1, growth_per_year=0.9)
    finance = FinancialTerms(**tax, **means, **basis)
    result = run(
        {"a": local, "b": request_price(fee)}, 60, workload, Timeline(date(2026, 12, 1), 15),
        discount_rate=rate, finance=finance,
    )  # fmt: skip

    assert expand(result.break_even("a", "b").by_volume, 60) == brute_force(result, 60)


@given(st.integers(3, 40), st.integers(1, 60), st.integers(1, 30), st.floats(0.1, 0.9))
def test_a_saw_between_a_mix_and_its_parts_equals_brute_force(size, price, fee, share):
    """Law 68: a router's own steps are found as well."""
    fleet = box(size, f"{price} CNY")
    cloud, local = request_price(fee / 10), Purchase(fleet, life_years=1)
    mixed = Router({"a": Route(local, share=share), "b": Route(cloud, share=1 - share)})
    result = run({"mixed": mixed, "local": local}, 100)

    assert expand(result.break_even("mixed", "local").by_volume, 100) == brute_force(result, 100)


@given(st.integers(1, 10_000_000), st.integers(1, 1_000_000))
@example(255, 255)
def test_it_equals_the_closed_form_where_both_costs_are_affine(fixed, micros):
    """Law 70: a fixed cost against a price per request."""
    price = own.Decimal(micros) / 1_000_000
    result = run({"own": Monthly("rent", amount=Money(own.Decimal(fixed), "CNY")), "api": request_price(price)}, 10**9)

    found = result.break_even("own", "api")

    exact = own.Decimal(fixed) / price
    if exact > 10**9 - 1:
        assert found.by_volume.state == "never"
    elif exact < 1:
        assert found.by_volume.state == "always"
    else:
        first = next(one for one in found.by_volume.intervals if one.cheaper == "own")
        assert first.start == int(exact) + 1
        assert found.by_volume.state in ("once", "always")


def test_published_break_even_of_a_fixed_monthly_cost():
    """700 USD a month against 5 USD for a million tokens: 140 million tokens a month."""
    price = attrs.evolve(request_price(0).price, per_request=own.Decimal("5"))
    workload = Workload(requests_per_month=1, input_tokens=1_000_000, output_tokens=0)

    result = run({"own": Monthly("rent", amount="700 CNY"), "api": ApiUsage(price)}, 10_000, workload)

    assert result.break_even("own", "api").requests_per_month == 141
    assert [(one.start, one.cheaper) for one in result.break_even("own", "api").by_volume.intervals] == [
        (1, "api"),
        (140, None),
        (141, "own"),
    ]


def test_never_always_tie_and_infeasible_are_states():
    """Law 69: there is always an answer."""
    cheap, dear = Monthly("a", amount="1 CNY"), Monthly("b", amount="2 CNY")
    small = Purchase(box(1, count=1), life_years=1)
    result = run({"cheap": cheap, "dear": dear, "same": cheap, "small": small}, 50)

    states = {pair: result.break_even(*pair).by_volume.state for pair in result.pairs}

    assert states["cheap", "dear"] == "always"
    assert result.break_even("dear", "cheap").by_volume.state == "never"
    assert states["cheap", "same"] == "tie"
    assert result.break_even("dear", "cheap").requests_per_month is None
    assert run({"a": small, "b": small}, 50).break_even("a", "b").by_month.state == "infeasible"


def test_a_crossing_where_one_is_overloaded_does_not_count():
    """Beyond what a fixed server carries the other one is alone, which is no break-even."""
    local = Purchase(box(100, "50 CNY", count=1), life_years=1)
    result = run({"local": local, "cloud": request_price(1)}, 1_000)

    found = result.break_even("local", "cloud").by_volume

    assert [(one.start, one.end, one.cheaper, one.carried_by) for one in found.intervals] == [
        (1, 12, "cloud", ("local", "cloud")),
        (13, 100, "local", ("local", "cloud")),
        (101, None, "cloud", ("cloud",)),
    ]
    assert found.state == "once"
    assert found.first == 13


def test_the_month_is_the_first_at_whose_end_the_dearer_one_is_cheaper():
    """1,000 against 300 a month: after 3.33 months, so at the end of month 4."""
    options = {"buy": OneOff("box", amount="1000 CNY"), "rent": Monthly("rent", amount="300 CNY")}
    even = run(options, 10, timeline=Timeline(date(2026, 1, 1), 6)).break_even("buy", "rent")

    assert even.month == 4
    assert np.isclose(even.exact_month, 10 / 3)
    assert [(one.start, one.end, one.cheaper) for one in even.by_month.intervals] == [(0, 3, "rent"), (4, 6, "buy")]


def test_several_months_are_all_given():
    """A second purchase may undo a first break-even."""
    buy = OneOff("first", amount="200 CNY") + OneOff("second", amount="400 CNY", month=4)
    rent = Monthly("rent", amount="100 CNY")
    even = run({"buy": buy, "rent": rent}, 10, timeline=Timeline(date(2026, 1, 1), 8)).break_even("buy", "rent")

    assert even.by_month.state == "several"
    assert [(one.start, one.cheaper) for one in even.by_month.intervals] == [
        (0, "rent"), (2, None), (3, "buy"), (4, "rent"), (6, None), (7, "buy"),
    ]  # fmt: skip


@attrs.frozen(eq=False)
class Curved(Composable):
    """A cost that is the square of the volume, and says so."""

    name: str = "curved"

    def cost(self, demand):
        """Square the requests."""
        line = self.line("other", "CNY", demand.requests**2 / 100)
        return Ledger(timeline=demand.timeline, lines=(line,), smooth=True)


def test_a_curved_cost_is_answered_to_within():
    """A cost that is not affine between steps is subdivided, and the crossing is bracketed."""
    result = run({"curved": Curved(), "api": request_price(3.333)}, 1_000)

    found = result.break_even("curved", "api").by_volume

    assert found.state == "once"
    assert found.first == 334
    assert found.within == ((1, 1_000),)


@given(
    st.integers(3, 40),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 120.0),
    st.integers(1, 4),
    st.floats(0.5, 5.0),
    st.floats(0.0, 2.0),
)
def test_the_curved_power_of_servers_that_sleep_is_searched_to_the_request(
    size, sleep, loaded, minutes, slots, price, growth
):
    """It is curved and never falls, so that every crossing is found, and none is left in a range."""
    fleet = box(size, slots=slots)
    power = Power(
        fleet, price_per_kwh=Money(price, "CNY"), pue=1.3, sleep_w=100 * sleep, sleep_after_minutes=minutes,
        loaded_w=100 + 400 * loaded,
    )  # fmt: skip
    workload = Workload(requests_per_month=10, input_tokens=1, output_tokens=1, growth_per_year=growth)
    result = run({"local": power, "cloud": request_price(15 * price)}, 25, workload)

    found = result.break_even("local", "cloud").by_volume

    assert result["local"].ledger.smooth
    assert found.within == ()
    assert expand(found, 25) == brute_force(result, 25)


@given(own.components(), own.components(), own.components())
def test_other_options_change_nothing_for_a_pair(one, other, third):
    """What a pair's answer needs is evaluated for this pair alone, however many options there are."""
    among = run({"a": one, "b": other, "c": third}, 100_000)
    alone = run({"a": one, "b": other}, 100_000)

    assert among.break_even("a", "b").by_volume == alone.break_even("a", "b").by_volume


def test_tax_on_the_assets_of_another_option_leaves_a_pair_exact(monkeypatch):
    """Two bills in steps, of which nothing is an asset, are resolved to the request beside one that buys."""
    monkeypatch.setattr("llm_tco.analysis.breakeven.MAX_POINTS", 300)
    rented = Rental(box(1_000), price_per_hour="1 CNY")
    options = {"rented": rented, "cloud": request_price(1), "bought": Purchase(box(10), life_years=1)}
    result = run(options, 10**6, finance=FinancialTerms(tax=Tax(rate=0.25)))

    assert result.break_even("rented", "cloud").by_volume.within == ()
    assert result.break_even("bought", "cloud").by_volume.within


@given(own.components(), st.floats(1.5, 10.0))
def test_a_pair_and_its_reverse_have_the_same_intervals(component, factor):
    """Which option is named first changes the word for the state and nothing else."""
    result = run({"a": component, "b": Scaled(component, factor)}, 200)

    one, other = result.break_even("a", "b").by_volume, result.break_even("b", "a").by_volume

    assert [(i.start, i.end, i.cheaper) for i in one.intervals] == [
        (i.start, i.end, i.cheaper) for i in other.intervals
    ]


def test_too_many_steps_are_reported_as_ranges(monkeypatch):
    """What could not be resolved is named, never guessed."""
    monkeypatch.setattr("llm_tco.analysis.breakeven.MAX_POINTS", 50)
    result = run({"local": Purchase(box(3), life_years=1), "cloud": request_price(100)}, 10_000)

    assert result.break_even("local", "cloud").by_volume.within


@pytest.mark.parametrize("most", [30, 200, 1_000])
def test_no_more_volumes_are_evaluated_than_allowed(monkeypatch, most):
    """However many steps there are, the search ends, and what it leaves open is named."""
    monkeypatch.setattr("llm_tco.analysis.breakeven.MAX_POINTS", most)
    workload = Workload(requests_per_month=10, input_tokens=1, output_tokens=1)
    demands = []

    @attrs.frozen(eq=False)
    class Counted(Composable):
        """A cost in steps that counts how often it is asked."""

        name: str = "counted"

        def cost(self, demand):
            """Pay for each third request."""
            demands.extend(np.atleast_1d(demand.requests[..., 1]))
            steps = np.floor(demand.requests / 3)
            line = self.line("other", "CNY", steps * 300)
            return Ledger(timeline=demand.timeline, lines=(line,), steps={("counted",): steps}, rising=True)

    result = run({"steps": Counted(), "cloud": request_price(100.0001)}, 10**6, workload)
    demands.clear()

    found = result.break_even("steps", "cloud").by_volume

    assert found.state == "always"  # so that no volumes beside a crossing come on top
    assert len(set(demands)) <= most
    assert found.within


@pytest.mark.parametrize("volume", [1, 7, 99])
def test_the_cost_at_a_volume_does_not_depend_on_the_others(volume):
    """A volume among many is the volume alone, bit for bit."""
    local = Purchase(box(10), life_years=1) + Power(box(10), price_per_kwh="0.7 CNY", pue=1.3)
    workload = Workload(requests_per_month=float(volume), input_tokens=1, output_tokens=1, growth_per_year=0.3)
    many = attrs.evolve(workload, requests_per_month=np.array([3.0, float(volume), 50.0]))

    alone = compare({"l": local}, workload, TIMELINE, currency="CNY", discount_rate=0.07)["l"].npv_cost
    among = compare({"l": local}, many, TIMELINE, currency="CNY", discount_rate=0.07)["l"].npv_cost

    assert among[1] == alone


@st.composite
def changed(draw):
    """Draw components behind combinators that move their payments."""
    component = draw(own.components())
    change = draw(st.sampled_from(["none", "escalated", "limited", "delayed", "scaled"]))
    if change == "escalated":
        return Escalated(component, draw(own.rates(-0.5, 2.0)), every=draw(st.sampled_from(["month", "year"])))
    if change == "limited":
        return Limited(component, first=draw(st.integers(0, 6)), last=draw(st.none() | st.integers(6, 30)))
    if change == "delayed":
        return Delayed(component, draw(st.integers(0, 20)))
    return Scaled(component, 2.0) if change == "scaled" else component


@given(
    changed(),
    own.workloads(),
    st.lists(st.integers(1, 10**6), min_size=2, max_size=8),
    st.floats(0.0, 0.5),
    st.sampled_from(["full", "marginal"]),
    st.sampled_from([{}, {"tax": Tax(rate=0.4)}, {"loan": Loan(apr=0.3, months=12)}]),
)
def test_cost_never_falls_as_the_volume_rises_where_a_ledger_is_sure_of_it(
    component, workload, volumes, rate, lens, finance
):
    """The search leaves a piece out only where this law proves that it holds no crossing."""
    timeline = Timeline(date(2026, 12, 1), 30)
    workload = attrs.evolve(workload, requests_per_month=np.array(sorted(volumes), dtype=float))
    finance = FinancialTerms(**finance)
    terms = {"discount_rate": rate, "lens": lens, "finance": finance}
    option = compare({"o": component}, workload, timeline, currency="CNY", **terms)["o"]

    costs = np.broadcast_to(option.npv_cost, len(volumes))
    short = np.broadcast_to(option.unserved, (len(volumes), timeline.size))

    assert not option.ledger.rising or (np.diff(costs) >= -1e-9 * np.abs(costs[1:]) - 1e-9).all()
    assert (np.diff(short, axis=0) >= -1e-6 * (1 + short[1:])).all()


@pytest.mark.parametrize(
    ("component", "rising"),
    [
        (Purchase(box(10), life_years=1), True),
        (Purchase(box(10), life_years=1, residual="book", owned=2), True),
        (Purchase(box(10), life_years=1, salvage="1 CNY"), False),
        (Escalated(Purchase(box(10), life_years=1), -0.1), True),
        (Escalated(Purchase(box(10), life_years=1), 0.1), False),
        (Limited(Purchase(box(10), life_years=1), last=3), True),
        (Limited(Purchase(box(10), life_years=1), first=1), False),
        (Power(box(10), price_per_kwh="1 CNY", pue=1), True),
        (Power(box(10), price_per_kwh="-1 CNY", pue=1), False),
    ],
)
def test_a_ledger_says_whether_its_cost_surely_rises(component, rising):
    """Salvage, rising prices, a late span and a negative price let a bigger fleet cost less."""
    demand = Workload(requests_per_month=10, input_tokens=1, output_tokens=1).on(TIMELINE)

    assert component.cost(demand).rising == rising


@given(
    st.integers(20, 60),
    st.sampled_from(["salvage", "escalated", "sunk"]),
    st.floats(0.5, 2.0),
    st.integers(50, 3_000),
)
def test_a_cost_that_falls_with_the_volume_is_searched_all_through(size, how, growth, flat):
    """Salvage inside the horizon, rising prices and sunk servers: every crossing is found."""
    fleet = box(size)
    workload = Workload(requests_per_month=10, input_tokens=1, output_tokens=1, growth_per_year=growth)
    own_servers = {
        "salvage": Purchase(fleet, life_years=1, salvage="900 CNY"),
        "escalated": Escalated(Purchase(fleet, life_years=5), 3.0),
        "sunk": Purchase(fleet, life_years=0.5, owned=2),
    }[how]
    options = {"own": own_servers, "flat": OneOff("flat", amount=Money(float(flat), "CNY"))}
    lens = "marginal" if how == "sunk" else "full"
    result = run(options, 150, workload, Timeline(date(2026, 12, 1), 13), lens=lens)

    found = result.break_even("own", "flat").by_volume

    assert found.within == ()
    assert expand(found, 150) == brute_force(result, 150)


def test_a_large_fleet_is_searched_quickly_where_nothing_is_near():
    """Thousands of steps far from the other option are left out, and the answer stands."""
    local = Purchase(box(1_000, "100 CNY"), life_years=1)
    result = run({"local": local, "cloud": request_price(1)}, 10**8)

    found = result.break_even("local", "cloud").by_volume

    assert found.within == ()
    assert found.state == "once"
    assert found.first == 26


def test_where_an_option_stops_carrying_the_load_is_reported_as_a_range_too(monkeypatch):
    """Costs far apart decide nothing while it is unknown up to which volume both carry the load."""
    monkeypatch.setattr("llm_tco.analysis.breakeven.MAX_POINTS", 10)
    small = Purchase(box(1_000, "1 CNY", count=1), life_years=1)
    result = run({"small": small, "cloud": Monthly("flat", amount="1_000_000 CNY")}, 1_000_000)

    found = result.break_even("small", "cloud").by_volume

    end = found.intervals[0].end
    assert end == 1_000 or any(low <= end <= high for low, high in found.within)
