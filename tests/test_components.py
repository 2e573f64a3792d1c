"""Each component on its own: its arithmetic, its laws and what it refuses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.catalog.hardware import Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.prices import Rate, Tier, TokenPrice, Usage
from llm_tco.catalog.records import Period
from llm_tco.catalog.tariffs import Tariff
from llm_tco.components.agreement import Discounted
from llm_tco.components.amounts import Monthly, OneOff, Periodic
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Delayed, Escalated, Limited, Scaled, Stack
from llm_tco.components.benefit import Benefit
from llm_tco.components.cache import SemanticCache
from llm_tco.components.capital import Purchase
from llm_tco.components.labour import Labour
from llm_tco.components.power import Power
from llm_tco.components.router import Route, Router
from llm_tco.demand import Workload
from llm_tco.errors import InvalidValueError
from llm_tco.money import Money
from llm_tco.serving.fleet import Fleet
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

TIMELINE = Timeline(date(2026, 12, 1), 36)
TEAM = Workload(requests_per_month=20_000, input_tokens=500, output_tokens=300)
SERVER = Server(
    key="box", name="Box", gpu="gpu", idle_w=105, peak_w=600, source=own.SOURCE,
    parts=(own.Part(name="all", price=Money.parse("26_000 CNY")),),
)  # fmt: skip
RATE = Throughput(gpu="gpu", model="m", quantisation="q", output_tokens_per_s=120, source=own.SOURCE)
BOX = Fleet(server=SERVER, throughput=RATE)
PRICE = TokenPrice(
    provider="p", model="m", currency="USD", source=own.SOURCE,
    input=Rate(base=Decimal("0.15")), output=Rate(base=Decimal("0.60")),
)  # fmt: skip


def cost(component, workload=TEAM, timeline=TIMELINE):
    """Give the ledger of a component."""
    return component.cost(workload.on(timeline))


@pytest.mark.parametrize(
    ("life", "months", "purchases"),
    [(3, 36, 1), (3, 37, 2), (1, 36, 3), (2.5, 36, 2), (5, 36, 1), (1 / 12, 5, 5)],
)
def test_purchases_over_a_horizon_are_its_length_over_the_life_rounded_up(life, months, purchases):
    """Law 37: none is replaced where it lives as long as the horizon."""
    ledger = cost(Purchase(BOX, life_years=life), timeline=Timeline(date(2026, 1, 1), months))

    assert ledger.amounts("CNY").sum() == 26_000 * purchases


@given(st.integers(1, 72), st.floats(0.0, 1.0), st.integers(1, 72))
def test_the_residual_lies_between_salvage_and_cost(life, share, months):
    """Law 37: what is credited at the horizon is at least the salvage of what is there, at most its cost."""
    salvage = Money(26_000 * share, "CNY")
    timeline = Timeline(date(2026, 1, 1), months)
    credits = {}
    for residual in ("book", "salvage"):
        purchase = Purchase(BOX, life_years=life / 12, salvage=salvage, residual=residual)
        ledger = cost(purchase, timeline=timeline).settled()
        credits[residual] = -ledger.where(lambda line: line.category == "residual").amounts("CNY").sum()

    in_life = 0 if months % life == 0 else 1
    assert np.isclose(credits["salvage"], in_life * salvage.value, atol=1e-6)
    assert credits["salvage"] - 1e-6 <= credits["book"] <= in_life * 26_000 + 1e-6


def test_depreciation_is_straight_line_and_historical():
    """36 equal parts; under escalation the schedule follows what was paid."""
    purchase = Purchase(BOX, life_years=3, salvage="2000 CNY")

    plain = cost(purchase).amounts("CNY", basis="accrual")
    risen = cost(Escalated(purchase, 0.1)).amounts("CNY", basis="accrual")

    assert np.allclose(plain[1:36], 24_000 / 36)
    assert np.allclose(risen[1:36], 24_000 / 36)
    assert np.isclose(plain.sum(), 24_000)


@pytest.mark.parametrize(
    ("component", "problem"),
    [
        (OneOff("m", amount="5 CNY", month=37), "month: must be within the 36 months, got 37"),
        (Periodic("m", amount="5 CNY", every_months=3, first=37), "first: must be within the 36 months, got 37"),
        (
            Limited(Monthly("m", amount="5 CNY"), first=37),
            "first: must be within the 36 months of the timeline, got 37",
        ),
        (Delayed(Monthly("m", amount="5 CNY"), months=36), "months: must be below the 36 months of the timeline"),
    ],
)
def test_what_would_fall_after_the_horizon_is_refused(component, problem):
    """An amount with a month of its own is never lost silently."""
    with pytest.raises(InvalidValueError) as error:
        cost(component)

    assert str(error.value).startswith(problem)


def test_salvage_is_credited_when_a_life_ends():
    """After 36 months a server is sold for its salvage value."""
    ledger = cost(Purchase(BOX, life_years=3, salvage="2000 CNY"))

    assert ledger.amounts("CNY")[36] == -2_000


@given(st.floats(-0.3, 0.5), st.integers(1, 60), st.integers(0, 2), st.sampled_from(["month", "year"]))
def test_salvage_at_the_horizon_is_what_a_sale_would_bring_there(growth, months, owned, every):
    """Both follow the prices of their own month: a life that ends at the horizon and one that ends after it agree."""
    timeline = Timeline(date(2026, 12, 1), months)
    credits = []
    for life in (months, months + 1):
        things = Purchase(
            quantity=3, price="1000 CNY", salvage="400 CNY", life_years=life / 12, residual="salvage", owned=owned
        )
        ledger = cost(Escalated(things, growth, every=every), timeline=timeline).settled()
        credits.append(-ledger.where(lambda line: line.is_sale).amounts("CNY"))
        assert np.isclose(ledger.book_value("CNY")[-1], 0.0)
    years = months / 12 if every == "month" else (months - 1) // 12

    np.testing.assert_allclose(credits[0], credits[1])
    assert np.isclose(credits[0][-1], 3 * 400 * (1 + growth) ** years)


@given(st.floats(-0.3, 0.5), st.integers(13, 40))
def test_a_book_value_is_what_was_paid(growth, months):
    """It is historical cost, so that it rises until the purchase and not until the horizon."""
    timeline = Timeline(date(2026, 12, 1), months)
    things = Purchase(quantity=1, price="1200 CNY", life_years=1, residual="book")
    ledger = cost(Escalated(things, growth), timeline=timeline).settled()
    last = (months - 1) // 12 * 12

    credit = -ledger.where(lambda line: line.category == "residual").amounts("CNY")[-1]

    assert np.isclose(credit, 1200 * (1 + growth) ** (last / 12) * (12 - (months - last)) / 12, atol=1e-9)


def test_a_discount_leaves_what_is_kept_its_worth():
    """40 % off the price takes nothing off what the thing would bring, and 40 % off what it stands at in the books."""
    things = Purchase(quantity=1, price="1000 CNY", salvage="400 CNY", life_years=3, residual="salvage")
    kept = {
        residual: cost(
            Discounted(attrs.evolve(things, residual=residual), 0.4), timeline=Timeline(date(2026, 1, 1), 12)
        )
        .settled()
        .where(lambda line: line.category == "residual")
        .amounts("CNY")[-1]
        for residual in ("salvage", "book")
    }

    assert kept["salvage"] == -400
    assert np.isclose(kept["book"], -0.6 * 800)


def test_what_is_owned_at_the_end_of_a_span_leaves_with_it():
    """Nothing is credited, and nothing of it is written off after the span at the horizon."""
    for residual in ("book", "salvage"):
        things = Purchase(quantity=1, price="1200 CNY", salvage="0 CNY", life_years=3, residual=residual)
        ledger = cost(Limited(things, first=0, last=6), timeline=Timeline(date(2026, 1, 1), 12)).settled()

        assert ledger.amounts("CNY").sum() == 1200
        assert np.isclose(ledger.amounts("CNY", basis="accrual").sum(), 400)


def test_a_component_that_begins_on_the_31st_begins_its_months_there():
    """A price that changes on 30 March holds from the month on that begins on the 31st, delayed or not."""
    rows = tuple(
        attrs.evolve(
            PRICE, input=Rate(base=Decimal(rate)), output=Rate(base=Decimal(rate)), period=Period(start=first, end=last)
        )
        for rate, first, last in (("1", None, date(2026, 3, 30)), ("2", date(2026, 3, 30), None))
    )
    timeline = Timeline(date(2026, 1, 31), 6)
    now = cost(ApiUsage(rows), timeline=timeline).amounts("USD")
    later = cost(Delayed(ApiUsage(rows), months=1), timeline=timeline).amounts("USD")

    np.testing.assert_array_equal(now[2:], later[2:])
    assert (now[3:] == 2 * now[2]).all()


def test_what_is_owned_is_sunk_and_its_replacement_is_not():
    """The marginal lens leaves out what was paid whatever is decided."""
    ledger = cost(Purchase(BOX, life_years=1.5, owned=1))

    sunk = ledger.where(lambda line: line.sunk).amounts("CNY")
    rest = ledger.where(lambda line: not line.sunk).amounts("CNY")

    assert np.flatnonzero(sunk).tolist() == [0]
    assert np.flatnonzero(rest).tolist() == [18]


def test_things_without_a_fleet_are_bought_by_quantity():
    """Two switches at 3,000 each."""
    ledger = cost(Purchase(price="3000 CNY", quantity=2, life_years=5, category="network"))

    assert ledger.amounts("CNY")[0] == 6_000
    assert ledger.lines[0].category == "network"


def test_a_growing_fleet_is_bought_a_month_ahead():
    """A server that month 2 needs is paid at the end of month 1."""
    demand = Workload(requests_per_month=1_051_200, input_tokens=0, output_tokens=300, growth_per_year=0.1)

    bought = cost(Purchase(BOX, life_years=3), demand, Timeline(date(2026, 1, 1), 3)).amounts("CNY")

    assert bought.tolist() == [26_000.0, 26_000.0, 0.0, 0.0]


def test_power_of_the_seed_at_30_percent():
    """253.5 W for a year are 2,220.66 kWh, and 3,330.99 with a PUE of 1.5."""
    busy = Workload(requests_per_month=0.3 * 730 * 3600 * 120 / 300, input_tokens=500, output_tokens=300)

    kwh = cost(Power(BOX, price_per_kwh="1.0 CNY", pue=1.5), busy, Timeline(date(2026, 1, 1), 12)).amounts("kWh").sum()

    assert np.isclose(kwh, (105 + 495 * 0.3) * 8760 / 1000 * 1.5, rtol=1e-12)


def test_a_tariff_is_a_record_of_the_result():
    """The price of electricity can come with its source."""
    tariff = Tariff(key="t", name="T", price_per_kwh="0.5 CNY", source=own.SOURCE)
    ledger = cost(Power(BOX, tariff=tariff, pue=1.0))

    assert np.allclose(ledger.amounts("CNY"), 0.5 * ledger.amounts("kWh"))
    assert tariff in ledger.records


def test_an_api_bill_is_plain_arithmetic():
    """20,000 × (500 × 0.15 + 300 × 0.60) / 1e6 dollars a month."""
    bill = cost(ApiUsage(PRICE)).amounts("USD")

    assert np.allclose(bill[1:], 20_000 * (500 * 0.15 + 300 * 0.60) / 1e6)
    assert bill[0] == 0


@given(own.token_prices(), own.lengths(), st.floats(0, 1))
def test_cached_tokens_move_from_one_price_to_another(price, lengths, share):
    """Law 50: a cached token is billed once, at the cached rate."""
    cached = share * lengths.input_tokens

    total = price.per_request_cost(lengths.input_tokens, lengths.output_tokens, cached)

    parts = {"input": lengths.input_tokens - cached, "cached_input": cached, "output": lengths.output_tokens}
    amounts = [getattr(price, kind).amount(tokens, 0.0, lengths.input_tokens) for kind, tokens in parts.items()]
    expected = np.maximum(float(price.per_request) + sum(amounts) / 1e6, float(price.minimum_per_request))
    assert np.allclose(total, expected, rtol=1e-12)


@given(own.token_prices(), st.integers(0, 30_000), st.integers(0, 30_000), st.integers(0, 1000))
def test_a_bill_grows_with_its_tokens(price, short, more, output):
    """Law 46: no token lowers the bill, where longer requests are no cheaper by the token."""
    one, other = (price.cost(Usage(n, output)) for n in (short, short + more))

    assert other >= one - 1e-12
    assert price.cost(Usage(short, output + 1)) >= one - 1e-12


def test_no_requests_cost_nothing():
    """Law 45: an API that nobody asks sends no bill."""
    assert not cost(ApiUsage(PRICE), attrs.evolve(TEAM, requests_per_month=0)).amounts("USD").any()


def test_a_request_moves_to_its_tier_as_a_whole():
    """Law 49: at a cliff one long request costs more than two of half its length."""
    price = attrs.evolve(PRICE, input=Rate(base=Decimal(1), tiers=(Tier(above_tokens=200_000, price=Decimal(2)),)))
    at, above = (price.cost(Usage(tokens, 0)) for tokens in (200_000, 200_001))

    assert np.isclose(at, 0.2)
    assert np.isclose(above, 0.400002)


def test_a_kind_of_token_without_a_price_is_a_state_not_a_zero():
    """Unknown is never zero."""
    ledger = cost(ApiUsage(attrs.evolve(PRICE, output=None)))

    (state,) = ledger.states
    assert state.kind == "unpriced"
    assert "states no price for output tokens" in state.note
    assert ledger.unpriced


def test_a_free_price_is_known():
    """A rate of 0 is free, which is not unpriced."""
    free = attrs.evolve(PRICE, input=Rate(base=Decimal(0)), output=Rate(base=Decimal(0)))

    assert not cost(ApiUsage(free)).unpriced


@given(own.components(), own.workloads())
def test_a_cache_that_never_hits_costs_its_upkeep(component, workload):
    """Law 54: with a hit rate of 0 there is the baseline, and what the cache itself costs."""
    demand = workload.on(TIMELINE)

    cached = SemanticCache(component, hit_rate=0.0, upkeep_per_month="700 CNY").cost(demand).amounts("CNY")

    base = component.cost(demand).amounts("CNY")
    assert np.allclose(cached - base, np.r_[0.0, np.full(36, 700.0)], atol=1e-9 * (1 + np.abs(base).max()))


@given(own.token_prices("CNY"), own.workloads(), st.floats(0, 1), st.floats(0, 1))
def test_wrong_hits_are_asked_again(price, workload, hit_rate, precision):
    """Law 58: an API behind a cache bills the misses and the wrong hits."""
    demand = workload.on(TIMELINE)
    api = ApiUsage(price)

    behind = SemanticCache(api, hit_rate=hit_rate, precision=precision).cost(demand).amounts("CNY")

    asked = 1 - workload.cacheable_share * hit_rate * precision
    bill = api.cost(demand).amounts("CNY")
    assert np.allclose(behind, bill * asked, rtol=1e-9, atol=1e-9 * (1 + bill.max()))


def test_a_second_cache_sees_what_the_first_could_not_answer():
    """What is not cacheable stays so: behind a perfect cache a second one finds nothing."""
    workload = attrs.evolve(TEAM, cacheable_share=0.4)
    once = SemanticCache(ApiUsage(PRICE), hit_rate=1.0)

    twice = cost(SemanticCache(once, hit_rate=1.0), workload).amounts("USD")

    assert np.allclose(twice, cost(once, workload).amounts("USD"))


@given(own.workloads(), st.lists(st.integers(1, 9), min_size=2, max_size=3), st.data())
def test_routes_linear_in_demand_cost_their_weighted_mean(workload, weights, data):
    """Law 61: between APIs, cost is linear in the shares and lies between the cheapest and the dearest."""
    demand = workload.on(TIMELINE)
    apis = [ApiUsage(data.draw(own.token_prices("CNY")), name=f"api {place}") for place in range(len(weights))]
    shares = np.array(weights) / sum(weights)

    mixed = Router({api.name: Route(api, share=share) for api, share in zip(apis, shares, strict=True)}).cost(demand)

    bills = np.array([api.cost(demand).amounts("CNY") for api in apis])
    assert np.allclose(mixed.amounts("CNY"), shares @ bills, rtol=1e-9, atol=1e-9)
    assert (mixed.amounts("CNY") >= bills.min(axis=0) * (1 - 1e-9) - 1e-9).all()
    assert (mixed.amounts("CNY") <= bills.max(axis=0) * (1 + 1e-9) + 1e-9).all()


def test_a_mix_with_whole_servers_may_cost_more_than_each_route():
    """Law 61, the other half: two fleets where one would do."""
    other = attrs.evolve(BOX, name="other")
    routes = [Purchase(fleet, life_years=3) for fleet in (BOX, other)]

    mixed = cost(Router({"a": Route(routes[0], share=0.5), "b": Route(routes[1], share=0.5)}))

    assert mixed.amounts("CNY").sum() == 52_000
    assert all(cost(route).amounts("CNY").sum() == 26_000 for route in routes)


def test_a_router_charges_for_each_request():
    """Its own cost comes on top of its routes'."""
    ledger = cost(Router({"all": Route(ApiUsage(PRICE), share=1)}, fee_per_request="0.001 USD"))

    assert np.allclose(ledger.where(lambda line: line.category == "router").amounts("USD")[1:], 20.0)


def test_combinations_need_no_special_code():
    """A cache before a router, a router over caches, and a router in a router."""
    api, other = ApiUsage(PRICE), ApiUsage(PRICE, name="other")
    inner = Router({"x": Route(api, share=0.5), "y": Route(other, share=0.5)})
    cached = SemanticCache(other, hit_rate=0.5)
    bill = cost(api).amounts("USD")

    assert np.allclose(cost(SemanticCache(inner, hit_rate=0.5)).amounts("USD"), bill / 2)
    assert np.allclose(
        cost(Router({"in": Route(inner, share=0.5), "cached": Route(cached, share=0.5)})).amounts("USD"), bill * 0.75
    )


def test_paths_name_the_way_to_a_line():
    """Combinators put their names in front."""
    ledger = cost(Router({"easy": Route(ApiUsage(PRICE) + Monthly("rent", amount="1 USD"), share=1)}))

    assert [line.name for line in ledger.lines] == ["easy.api", "easy.rent"]


def test_a_stack_is_flat():
    """a + b + c is one stack of three."""
    stack = ApiUsage(PRICE) + Monthly("a", amount="1 USD") + Monthly("b", amount="1 USD")

    assert isinstance(stack, Stack)
    assert len(stack.parts) == 3


def test_a_component_times_a_number_is_scaled():
    """Two of the same cost twice."""
    assert np.allclose(cost(2 * ApiUsage(PRICE)).amounts("USD"), 2 * cost(ApiUsage(PRICE)).amounts("USD"))


def test_a_delay_beyond_the_horizon_is_refused():
    """What would never begin is a slip, as a payment after the horizon is; it costs nothing and carries nothing."""
    with pytest.raises(InvalidValueError, match="months: must be below the 36 months of the timeline, got 36: rent"):
        cost(Delayed(Monthly("rent", amount="1 CNY"), 36))


def test_a_delayed_fleet_serves_the_later_months():
    """Bought in month 12, sized for the months that follow."""
    local = Purchase(BOX, life_years=3) + Power(BOX, price_per_kwh="1 CNY", pue=1)

    ledger = cost(Delayed(local, 12))

    assert np.flatnonzero(ledger.amounts("CNY")).tolist() == [12, *range(13, 37)]
    assert ledger.amounts("kWh").shape == (37,)


def test_a_benefit_is_weighted_once_by_its_confidence():
    """12,000 a month at 85 % are 10,200."""
    ledger = cost(Benefit("hours saved", per_month="12000 CNY", confidence=0.85))

    assert ledger.lines[0].benefit
    assert np.allclose(ledger.amounts("CNY")[1:], -10_200)


def test_a_monthly_amount_grows_on_anniversaries():
    """113,040 a year grow by 5 % to 118,692 and 124,626.60."""
    amounts = cost(Monthly("opex", amount="9420 CNY", growth_per_year=0.05)).amounts("CNY")

    assert np.allclose(amounts[1:].reshape(3, 12).sum(axis=1), [113_040, 118_692, 124_626.6])


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Power(BOX, price_per_kwh="1 CNY", pue=0.9), "pue: must be at least 1, got 0.9"),
        (lambda: Power(BOX, pue=1), "price_per_kwh: must be given, or a tariff instead"),
        (lambda: Power(BOX, price_per_kwh=1.0, pue=1), "price_per_kwh: must be an amount with its currency"),
        (lambda: Power(BOX, price_per_kwh="1 CNY", pue=1, idle_w=700), "idle_w: must be at most the peak of 600.0 W"),
        (
            lambda: Power(attrs.evolve(BOX, server=attrs.evolve(SERVER, idle_w=None)), price_per_kwh="1 CNY", pue=1),
            "idle_w: is missing",
        ),
        (lambda: Purchase(BOX, life_years=3, salvage="30000 CNY"), "salvage: must be at most the price of 26000 CNY"),
        (lambda: Purchase(BOX, life_years=3, salvage="1 USD"), "salvage: must be in the currency of the price"),
        (lambda: Purchase(BOX, life_years=0.04), "life_years: must be a whole number of months"),
        (lambda: Purchase(BOX, life_years=3, quantity=2), "quantity: must be given where there is no fleet"),
        (lambda: Purchase(life_years=3), "quantity: must be given where there is no fleet"),
        (lambda: Purchase(quantity=1, life_years=3), "price: is missing"),
        (lambda: Purchase(BOX, life_years=3, price="-1 CNY"), "price: must be at least 0, got -1"),
        (lambda: Purchase(BOX, life_years=3, residual="some"), "residual: must be one of 'none', 'book', 'salvage'"),
        (lambda: Labour("ops", hours_per_month=float("inf"), rate_per_hour="1 CNY"), "hours_per_month: must be finite"),
        (lambda: Labour(" ", hours_per_month=1, rate_per_hour="1 CNY"), "name: must be a text"),
        (lambda: Monthly("x", amount="1 CNY", category="Net work"), "category: must be a lower-case word"),
        (lambda: Monthly("x", amount="12 yuan"), "amount: must be an amount and a currency such as '400 CNY'"),
        (lambda: Benefit("x", per_month="1 CNY", confidence=1.1), "confidence: must be at most 1, got 1.1"),
        (lambda: SemanticCache(ApiUsage(PRICE), hit_rate=1.1), "hit_rate: must be at most 1, got 1.1"),
        (lambda: Router({"a": Route(ApiUsage(PRICE), share=0.5)}), "routes: must sum to 1, got 0.5"),
        (lambda: Router({}), "routes: must name at least one part"),
        (lambda: Scaled(ApiUsage(PRICE), -1), "factor: must be at least 0, got -1"),
        (lambda: Limited(ApiUsage(PRICE), first=3, last=2), "last: must not be before first (3), got 2"),
        (lambda: Rate(base=Decimal("-0.1")), "base: must be at least 0, got -0.1"),
        (lambda: Rate(base=Decimal("NaN")), "base: must be a finite decimal number"),
        (lambda: Period(start=date(2026, 1, 1), end=date(2026, 1, 1)), "end: must be after the start"),
        (lambda: Money(np.array([1.0, np.nan]), "CNY"), "amount: must be finite"),
        (lambda: Money(1.0, "yuan"), "currency: must be a currency code"),
    ],
)
def test_a_wrong_value_is_refused_by_name(make, problem):
    """Each error says which field, what is wrong, and what was given."""
    with pytest.raises(InvalidValueError) as error:
        make()

    assert str(error.value).startswith(problem)


def test_a_one_off_must_fall_into_the_months():
    """What is paid in month 40 of 36 is not lost silently."""
    with pytest.raises(InvalidValueError, match="must be within the 36 months, got 40"):
        cost(OneOff("later", amount="1 CNY", month=40))


@given(own.components(), own.workloads())
def test_components_change_nothing_that_they_are_given(component, workload):
    """Law 82: asking twice gives the same, and the demand stays as it was."""
    demand = workload.on(TIMELINE)
    before = demand.requests.copy()

    first, second = component.cost(demand), component.cost(demand)

    assert np.array_equal(before, demand.requests)
    assert np.array_equal(first.amounts("CNY"), second.amounts("CNY"))


@given(own.components(), own.workloads())
def test_components_give_finite_amounts(component, workload):
    """Law 81: finite input gives neither NaN nor infinity nor a negative zero in a total."""
    ledger = component.cost(workload.on(TIMELINE)).settled()

    total = ledger.amounts("CNY")

    assert np.isfinite(total).all()
    assert not np.signbit(total[total == 0]).any()
