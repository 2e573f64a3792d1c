"""The laws of routers (59 to 63), their policies, and what they give for their cost."""

from __future__ import annotations

from datetime import date

import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco.analysis.compare import compare
from llm_tco.analysis.frontier import Frontier
from llm_tco.analysis.mixes import RANDOM, answers_of, at_quality, baselines, route_shares, router_savings
from llm_tco.components.amounts import Monthly
from llm_tco.components.answers import Quality
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Stack
from llm_tco.components.cache import SemanticCache
from llm_tco.components.capital import Purchase
from llm_tco.components.policies import (
    Attempt,
    Cascade,
    Rule,
    RuleRouter,
    ThresholdRouter,
    check_rules,
    score_quantiles,
)
from llm_tco.components.power import Power
from llm_tco.components.router import Route, Router
from llm_tco.components.spill import SpillOver
from llm_tco.demand import Workload, WorkloadPart
from llm_tco.errors import InvalidValueError
from llm_tco.loadshape import HourOfWeek
from llm_tco.testing import laws, mixes
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline
from llm_tco.usage.outcomes import Outcomes

TIMELINE = Timeline(date(2026, 12, 1), 24)
TEAM = Workload(requests_per_month=20_000, input_tokens=500, output_tokens=300)
RATIO = st.floats(0.0, 1.0)


def by_request(amount, name="api"):
    """Make an API that charges a fee for each request and nothing for tokens."""
    price = own.TokenPrice(
        provider="p", model=name, currency="CNY", input=0, output=0, per_request=amount, source=own.SOURCE
    )
    return ApiUsage(price, name=name)


def box(price="36000 CNY", **changes):
    """Make a fleet whose servers each carry 10,000 requests a month."""
    server = own.Server(
        key="box", name="Box", idle_w=100, peak_w=500, source=own.SOURCE,
        parts=(own.Part(name="all", price=own.Money.parse(price)),),
    )  # fmt: skip
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=10_000 / 2_628_000, source=own.SOURCE)
    return own.Fleet(**{"server": server, "throughput": rate, **changes})


def cny(component, demand):
    """Give the amounts of a component by month."""
    return component.cost(demand).amounts("CNY")


def close(one, other):
    """Say whether two arrays are equal within rounding errors."""
    return np.allclose(one, other, rtol=1e-9, atol=1e-9 * (1 + np.abs(other).max()))


@given(mixes.routers(), laws.demands())
def test_routers_keep_the_laws_of_components(router, demand):
    """A router of any policy is a component."""
    laws.component(router, demand)


@given(own.fleet_components(), own.simple_components(), st.data(), laws.demands())
def test_routers_in_front_of_fleets_keep_them_too(inner, other, data, demand):
    """Whole servers behind any policy are no special case."""
    one_of = st.sampled_from([inner, Stack((other,), name=other.name)])
    laws.component(data.draw(mixes.routers(one_of)), demand)


@given(mixes.routers() | mixes.share_routers(), own.workloads())
def test_a_router_loses_and_invents_no_token(router, workload):
    """Law 59: the parts of a split sum to the whole, and so do their shares."""
    demand = workload.on(TIMELINE)

    parts = router.parts(demand).values()

    for name in ("requests", "input_tokens", "output_tokens"):
        whole = getattr(demand, name)
        assert np.allclose(sum(getattr(part, name) for part in parts), whole, rtol=1e-9, atol=1e-9 * whole.max())


@given(own.components(), own.simple_components(), own.workloads(), own.money())
def test_one_route_with_everything_is_that_route_alone(inner, other, workload, fee):
    """Law 60, for every policy: all requests on one route cost that route and the router's own fee."""
    demand = workload.on(TIMELINE)
    base, fees = cny(inner, demand), demand.requests * fee.value
    idle = cny(other, demand.scaled(0.0))
    every = {
        "share": Router({"a": Route(inner, share=1.0), "b": Route(other, share=0.0)}, fee_per_request=fee),
        "rules": RuleRouter({"a": Route(inner), "b": Route(other)}, rules=(Rule(route="b", tasks=("none",)),), default="a", fee_per_request=fee),
        "threshold": ThresholdRouter(weak=Route(inner), strong=Route(other), threshold=2, scores=((0, 0), (1, 1)), fee_per_request=fee),
        "cascade": Cascade((Attempt(name="a", target=inner, escalated_share=0), Attempt(name="b", target=other)), fee_per_judgement=fee),
    }  # fmt: skip

    for router in every.values():
        assert close(cny(router, demand), base + fees + idle)


@given(own.token_prices("CNY"), own.token_prices("CNY"), own.workloads(), RATIO, RATIO)
def test_linear_routes_make_a_linear_mix_between_them(one, other, workload, share, weight):
    """Law 61: cost is linear in the shares, and lies between the routes."""
    demand = workload.on(TIMELINE)
    a, b = ApiUsage(one), ApiUsage(other)

    def mixed(part):
        return cny(Router({"a": Route(a, share=part), "b": Route(b, share=1 - part)}), demand)

    ends = cny(b, demand), cny(a, demand)

    assert close(mixed(share), ends[0] * (1 - share) + ends[1] * share)
    assert close(mixed(share * weight), mixed(0.0) * (1 - weight) + mixed(share) * weight)


@given(own.components(), own.components(), own.workloads(), RATIO)
def test_a_mix_is_never_below_the_ledgers_of_its_routes(one, other, workload, share):
    """Law 61: what is routed costs what the routes cost for their parts, whatever they are."""
    demand = workload.on(TIMELINE)
    router = Router({"a": Route(one, share=share), "b": Route(other, share=1 - share)})
    parts = router.parts(demand)

    assert close(cny(router, demand), cny(one, parts["a"]) + cny(other, parts["b"]))


def test_a_mix_may_cost_more_than_every_route_alone():
    """One box carries it all for 36,000, an API for 12,000; half and half pays for the box and half the API."""
    local, cloud = Purchase(box(), life_years=3), by_request("0.05")
    small = attrs.evolve(TEAM, requests_per_month=10_000).on(TIMELINE)

    mix = cny(Router({"local": Route(local, share=0.5), "cloud": Route(cloud, share=0.5)}), small).sum()

    assert np.isclose(cny(local, small).sum(), 36_000)
    assert np.isclose(cny(cloud, small).sum(), 12_000)
    assert np.isclose(mix, 36_000 + 6_000)


@given(
    st.lists(st.integers(0, 10_000), min_size=2, max_size=5), own.workloads(), st.lists(RATIO, min_size=5, max_size=5)
)
def test_a_route_that_is_cheaper_for_all_takes_everything(prices, workload, weights):
    """Law 62: among linear routes no mix costs less than the cheapest of them alone."""
    assume(sum(weights[: len(prices)]) > 0)
    demand = workload.on(TIMELINE)
    apis = [by_request(str(price / 100)) for price in prices]
    shares = np.array(weights[: len(prices)]) / sum(weights[: len(prices)])

    mix = cny(
        Router({str(n): Route(api, share=s) for n, (api, s) in enumerate(zip(apis, shares, strict=True))}), demand
    )

    alone = [cny(api, demand).sum() for api in apis]
    assert mix.sum() >= min(alone) * (1 - 1e-9)


@given(own.components(), own.components(), own.workloads(), RATIO, own.money(max_value=10))
def test_an_escalated_request_pays_both_attempts(weak, strong, workload, share, fee):
    """Law 63: everything is asked at the first step, and the escalated share at the second as well."""
    demand = workload.on(TIMELINE)
    attempts = (Attempt(name="weak", target=weak, escalated_share=share), Attempt(name="strong", target=strong))

    cost = cny(Cascade(attempts, fee_per_judgement=fee), demand)

    expected = cny(weak, demand) + cny(strong, demand.scaled(share)) + demand.requests * fee.value
    assert close(cost, expected)


def test_a_cascade_of_three_steps_multiplies_what_is_left():
    """30 % of 40 % reach the last step; the judge is paid at the first two."""
    cascade = Cascade(
        (
            Attempt(name="a", target=by_request("0.01", "a"), escalated_share=0.4, quality=0.9, latency_s=1),
            Attempt(name="b", target=by_request("0.1", "b"), escalated_share=0.3, quality=0.8, latency_s=2),
            Attempt(name="c", target=by_request("1", "c"), quality=0.7, latency_s=4),
        ),
        fee_per_judgement="0.001 CNY",
    )

    ledger = cascade.cost(TEAM.on(TIMELINE))

    assert np.isclose(ledger.amounts("CNY")[1], 20_000 * (0.01 + 0.4 * 0.1 + 0.12 * 1 + 0.001 * 1.4))
    assert np.isclose(ledger.amounts("right answers")[1], 20_000 * (0.6 * 0.9 + 0.28 * 0.8 + 0.12 * 0.7))
    assert np.isclose(ledger.amounts("answer-seconds")[1], 20_000 * (1 + 0.4 * 2 + 0.12 * 4))


@given(own.fleets(fixed=True), own.hourly_loads(), st.integers(1, 1_000_000), own.money(max_value=10))
def test_a_spill_over_equals_the_sum_over_168_hours(fleet, loads, requests, fee):
    """Laws 59 and 66b: hour by hour the fleet carries up to its capacity, and the API is asked the rest."""
    workload = Workload(requests_per_month=requests, input_tokens=900, output_tokens=300, hourly_load=loads)
    demand = workload.on(Timeline(date(2026, 1, 1), 1))
    power = Power(fleet, price_per_kwh="1 CNY", pue=1.0)
    router = SpillOver(fleet=fleet, local=Route(power), overflow=Route(by_request(str(fee.amount))))

    ledger = router.cost(demand)

    seconds = float(fleet.throughput.busy_seconds(np.array([900.0]), np.array([300.0]))[0])
    per_server = fleet.replicas_per_server
    room = np.floor((fleet.count - fleet.spares) * per_server * (1 + 1e-12)) * fleet.planning_utilisation
    idle, peak = power.watts
    kwh = spilt = 0.0
    for load in HourOfWeek(loads).loads:
        offered = requests / 730 * load * seconds / 3600
        carried = min(offered, room)
        kwh += (fleet.count * idle + (peak - idle) * carried / per_server) / 1000 * 730 / 168
        spilt += (offered - carried) * 3600 / seconds * 730 / 168
    assert np.isclose(ledger.amounts("kWh")[1], kwh, rtol=1e-9)
    assert np.isclose(
        ledger.amounts("CNY")[1], kwh + spilt * fee.value, rtol=1e-6, atol=1e-6 * requests * (1e-3 + fee.value)
    )
    assert not ledger.unserved.any()


@given(st.integers(1, 4), st.integers(1, 4), own.workloads())
def test_servers_of_several_types_are_filled_in_their_order(few, more, workload):
    """A chain of two fleets carries what one fleet of both would, and only the rest spills over."""
    demand = workload.on(TIMELINE)

    def spill(fleet, overflow):
        return SpillOver(fleet=fleet, local=Route(Purchase(fleet, life_years=3)), overflow=Route(overflow))

    cloud = by_request("1")
    one, other, both = box(count=few, name="one"), box(count=more, name="other"), box(count=few + more)
    chain = spill(one, spill(other, cloud)).cost(demand)
    whole = spill(both, cloud).cost(demand)

    assert np.allclose(chain.amounts("CNY"), whole.amounts("CNY"), rtol=1e-6, atol=1e-6 * demand.requests.max())
    assert not chain.unserved.any()


@given(own.fleets(full=True), own.workloads(max_requests=10_000_000))
def test_spill_over_never_exceeds_the_capacity(fleet, workload):
    """Law 59: what stays is what the fleet carries, by its count, its power or its wait; nothing is unserved."""
    assume(fleet.limited)
    demand = workload.on(TIMELINE)
    power = Power(fleet, price_per_kwh="1 CNY", pue=1)
    router = SpillOver(fleet=fleet, local=Route(power), overflow=Route(by_request("1")))

    stays = router.parts(demand)["local"].requests

    assert np.allclose(
        stays, demand.requests - fleet.size(demand).unserved, rtol=1e-9, atol=1e-9 * demand.requests.max()
    )
    assert not router.cost(demand).unserved.any()


def test_a_spill_over_knows_what_it_needs():
    """A fleet that grows with its load, another fleet than the costs read, and a share are refused."""
    local, cloud = Route(Purchase(box(count=1), life_years=3)), Route(by_request("1"))

    with pytest.raises(InvalidValueError, match="must have a limit"):
        SpillOver(fleet=box(), local=local, overflow=cloud)
    with pytest.raises(InvalidValueError, match="reads another fleet"):
        SpillOver(fleet=box(count=1), local=local, overflow=cloud).cost(TEAM.on(TIMELINE))
    with pytest.raises(InvalidValueError, match="overflow.share: follows"):
        SpillOver(fleet=box(count=1), local=local, overflow=Route(by_request("1"), share=0.5))


def test_a_spill_over_caps_nothing_that_runs_elsewhere():
    """An API in front of the fleet, or one component both ways, is refused with the next step."""
    fleet = box(count=1)
    local, cloud = Route(Purchase(fleet, life_years=3)), Route(by_request("1"))
    demand = TEAM.on(TIMELINE)

    for overflow in (local, Route(by_request("2", "other"))):
        with pytest.raises(
            InvalidValueError, match=r"local: reads no fleet, and so not 'box'.*local.max_requests_per_s"
        ):
            SpillOver(fleet=fleet, local=cloud, overflow=overflow).cost(demand)
    with pytest.raises(InvalidValueError, match="overflow: leads to 'purchase', as local does"):
        SpillOver(fleet=fleet, local=local, overflow=Route(local.target, quality=0.9))


@given(own.workloads(), RATIO)
def test_a_spill_over_may_hold_its_fleet_behind_a_cache(workload, hit_rate):
    """The fleet sees what the cache leaves, and is still the one whose capacity decides."""
    cached = SemanticCache(Purchase(box(count=1), life_years=3), hit_rate=hit_rate)
    fleet = cached.inner.fleet

    ledger = SpillOver(fleet=fleet, local=Route(cached), overflow=Route(by_request("1"))).cost(workload.on(TIMELINE))

    assert set(ledger.loads) == {fleet}


@given(own.hourly_loads(), st.integers(1, 10**7), st.floats(0.0, 10.0))
def test_a_rate_limit_is_kept_in_each_hour(loads, requests, limit):
    """What a provider takes, what spills over, and what a route alone leaves unserved are sums over 168 hours."""
    workload = Workload(requests_per_month=requests, input_tokens=1, output_tokens=1, hourly_load=tuple(loads))
    demand = workload.on(Timeline(date(2026, 12, 1), 2))
    rates = [requests / (730 * 3600) * load / (sum(loads) / 168) for load in loads]
    above = sum(max(rate - limit, 0.0) for rate in rates) * 3600 * 730 / 168
    limited = Route(by_request("1", "limited"), max_requests_per_s=limit)

    alone = RuleRouter({"limited": limited}, rules=(), default="limited").cost(demand)
    spilt = SpillOver(local=limited, overflow=Route(by_request("3", "other"))).cost(demand)

    tolerance = {"rtol": 1e-9, "atol": 1e-7 * requests}
    assert np.allclose(alone.unserved[..., 1:], above, **tolerance)
    assert np.allclose(alone.amounts("CNY")[..., 1:], requests - above, **tolerance)
    assert not spilt.unserved.any()
    assert np.allclose(spilt.amounts("CNY")[..., 1:], requests - above + 3 * above, **tolerance)


@given(own.hourly_loads(), st.integers(1, 10**7), RATIO, st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_a_cascade_escalates_what_was_answered(loads, requests, share, first, second):
    """What lies above the limit of a step has no answer that is judged or asked again: hour by hour over 168 hours."""
    workload = Workload(requests_per_month=requests, input_tokens=1, output_tokens=1, hourly_load=tuple(loads))
    demand = workload.on(Timeline(date(2026, 12, 1), 2))
    rates = [requests / (730 * 3600) * load / (sum(loads) / 168) for load in loads]
    hour = 3600 * 730 / 168
    tried = sum(min(rate, first) for rate in rates) * hour
    again = sum(min(min(rate, first) * share, second) for rate in rates) * hour
    cascade = Cascade(
        (
            Attempt(name="one", target=by_request("1", "one"), escalated_share=share, max_requests_per_s=first),
            Attempt(name="two", target=by_request("7", "two"), max_requests_per_s=second),
        ),
        fee_per_judgement="0.5 CNY",
    )

    ledger, parts = cascade.cost(demand), cascade.parts(demand)

    tolerance = {"rtol": 1e-9, "atol": 1e-6 * requests}
    assert np.allclose(ledger.amounts("CNY")[..., 1:], 1.5 * tried + 7 * again, **tolerance)
    assert np.allclose(ledger.unserved[..., 1:], requests - tried + tried * share - again, **tolerance)
    assert np.allclose(parts["two"].requests[..., 1:], tried * share, **tolerance)
    assert np.allclose(sum(part.requests for part in parts.values()), demand.requests, **tolerance)


def test_a_cascade_behind_a_rate_limit_of_its_first_step():
    """Of a million requests at four times the mean, 197,100 are answered at 0.3 a second, and half of those asked again."""
    load = Workload(requests_per_month=1e6, input_tokens=1, output_tokens=1, peak_to_mean=4)
    cascade = Cascade(
        (
            Attempt(name="f", target=by_request("0", "f"), escalated_share=0.5, max_requests_per_s=0.3),
            Attempt(name="l", target=by_request("1", "l")),
        )
    )

    ledger = cascade.cost(load.on(TIMELINE))

    assert np.isclose(ledger.unserved[1], 802_900)
    assert np.isclose(ledger.amounts("CNY")[1], 98_550)


def test_one_route_in_two_routers_has_a_limit_in_each():
    """Each router meets the limit at its own volume, and says so."""
    limited = Route(by_request("1", "limited"), max_requests_per_s=1)
    one, other = (
        ThresholdRouter(
            weak=limited, strong=Route(by_request("2", "strong")), threshold=threshold, scores=((0, 0), (1, 1)),
            name=f"at {threshold}",
        )
        for threshold in (0.25, 0.75)
    )  # fmt: skip
    demand = Workload(requests_per_month=5e6, input_tokens=1, output_tokens=1, peak_to_mean=3).on(TIMELINE)

    steps, others = one.cost(demand).steps, other.cost(demand).steps

    assert len(steps) == len(others) == 1
    assert not steps.keys() & others.keys()
    assert Stack((one, other)).cost(demand).steps.keys() == steps.keys() | others.keys()


@given(mixes.share_routers(), own.workloads(), st.floats(1.0, 10.0))
def test_a_limit_above_the_peak_changes_nothing(router, workload, room):
    """To the last bit, whatever stands behind it."""
    demand = workload.on(TIMELINE)
    most = float(np.max(demand.requests * demand.load.peak)) / (730 * 3600) * room
    routes = {name: attrs.evolve(route, max_requests_per_s=most) for name, route in router.routes.items()}

    limited, free = (one.cost(demand) for one in (Router(routes), router))

    assert np.array_equal(limited.amounts("CNY"), free.amounts("CNY"))
    assert np.array_equal(limited.unserved, free.unserved)


def test_a_router_that_exceeds_a_rate_limit_cannot_win():
    """5 requests a second at the peak, of which 2 are allowed: 40 % of the load; with a spill-over all of it."""
    peak = Workload(requests_per_month=2_628_000, input_tokens=1, output_tokens=1, peak_to_mean=5)
    limited = Route(by_request("1", "limited"), max_requests_per_s=2)
    options = {
        "limited": Router({"all": attrs.evolve(limited, share=1.0)}),
        "spilt": SpillOver(local=limited, overflow=Route(by_request("3", "other"))),
        "dear": by_request("2.9"),
    }

    result = compare(options, peak, TIMELINE, currency="CNY")

    assert result.best == "spilt"
    assert np.isclose(result["limited"].ledger.unserved[1], 0.6 * 2_628_000)
    assert np.isclose(result["spilt"].tco, 24 * 2_628_000 * (0.4 * 1 + 0.6 * 3))


@given(st.floats(0.01, 0.99), st.integers(1, 10**6), st.integers(1, 10**6))
def test_what_random_routing_costs_as_well_is_no_saving(share, cheap, dear):
    """A router of linear routes saves exactly nothing against the same shares at random."""
    limit = share * TEAM.requests_per_month / (730 * 3600)
    one, other = by_request(f"{cheap}e-6", "one"), by_request(f"{dear}e-6", "other")
    routed = SpillOver(local=Route(one, max_requests_per_s=limit), overflow=Route(other))

    savings = router_savings(compare({"it": routed}, TEAM, TIMELINE, currency="CNY"), "it")

    assert savings[RANDOM].saving == 0.0


def test_the_limit_of_a_component_behind_two_routes_is_refused():
    """It would be the limit of both; without a fleet and without a limit nothing spills over."""
    api = by_request("1")
    both = {"a": Route(api, share=0.5, max_requests_per_s=1), "b": Route(api, share=0.5)}

    with pytest.raises(InvalidValueError, match=r"a.max_requests_per_s: is the limit of a component to which another"):
        Router(both).cost(TEAM.on(TIMELINE))
    with pytest.raises(InvalidValueError, match=r"fleet: must be given, or local.max_requests_per_s"):
        SpillOver(local=Route(api), overflow=Route(by_request("2")))


def test_break_even_finds_the_volume_from_which_a_spill_over_pays():
    """A box for 100 a month carries up to 10,000 requests of 0.02: above 5,000 it is worth its money."""
    fleet = box(price="2400 CNY", count=1)
    cloud = by_request("0.02")
    mix = SpillOver(fleet=fleet, local=Route(Purchase(fleet, life_years=2)), overflow=Route(cloud))
    result = compare({"cloud": cloud, "mix": mix}, TEAM, TIMELINE, currency="CNY", volumes=(1, 100_000))

    assert result.break_even("cloud", "mix").requests_per_month == 5_001


TASKS = {
    "classify": WorkloadPart(share=0.4, input_tokens=150, output_tokens=20),
    "chat": WorkloadPart(share=0.3, lengths=[[300, 200, 3], [1_500, 300, 1]]),
    "analysis": WorkloadPart(share=0.2, input_tokens=1_500, output_tokens=500),
    "incident": WorkloadPart(share=0.1, input_tokens=2_500, output_tokens=500, tags=("critical",)),
}
MIXED = Workload(requests_per_month=10_000, parts=TASKS)
ROUTES = {
    name: Route(by_request(str(price), name)) for name, price in (("simple", 1), ("standard", 10), ("cloud", 100))
}
RULES = (
    Rule(route="cloud", urgencies=("critical",), above_tokens=2_000),
    Rule(route="simple", tasks=("classify",), up_to_tokens=256),
    Rule(route="standard", up_to_tokens=1_024),
)


def test_rules_go_by_task_tokens_and_urgency():
    """The first that fits decides: 40 % simple, 22.5 % standard, and the rest falls to the default."""
    router = RuleRouter(ROUTES, rules=RULES, default="cloud")

    parts = router.parts(MIXED.on(TIMELINE))

    assert {name: round(part.requests[1], 6) for name, part in parts.items()} == {
        "simple": 4_000, "standard": 2_250, "cloud": 3_750,
    }  # fmt: skip
    assert np.isclose(cny(router, MIXED.on(TIMELINE))[1], 4_000 * 1 + 2_250 * 10 + 3_750 * 100)


@pytest.mark.parametrize(("counted", "simple"), [("input", 4_000), ("output", 4_000), ("total", 4_000)])
def test_rules_say_which_tokens_they_count(counted, simple):
    """Input, output or both: an answer of 300 tokens is short by its prompt and long by itself."""
    router = RuleRouter(
        ROUTES, rules=(RULES[1], Rule(route="standard", up_to_tokens=300)), default="cloud", counted=counted
    )

    parts = router.parts(MIXED.on(TIMELINE))

    standard = {"input": 2_250, "output": 3_000, "total": 0}[counted]
    assert round(parts["simple"].requests[1], 6) == simple
    assert round(parts["standard"].requests[1], 6) == standard


@st.composite
def rule_sets(draw):
    """Draw rules over few words and thresholds, so that they meet."""

    def one():
        low = draw(st.none() | st.integers(0, 3))
        high = draw(st.none() | st.integers((low or 0) + 1, 5))
        words = st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True)
        urgent = draw(st.lists(st.sampled_from(["now"]), max_size=1))
        return Rule(
            route=draw(st.sampled_from(["a", "b"])),
            tasks=draw(words),
            urgencies=urgent,
            above_tokens=low,
            up_to_tokens=high,
        )

    return tuple(one() for _ in range(draw(st.integers(0, 4))))


def routes_of(rules, default):
    """Say for every kind of request which rule decides and where it goes, by trying them all."""
    found = {}
    for task in ("x", "y", ""):
        for urgency in ("now", ""):
            for tokens in np.arange(0, 7) - 0.5:
                fits = [
                    n
                    for n, rule in enumerate(rules)
                    if rule.suits(frozenset({task, urgency})) and rule.low < tokens <= rule.high
                ]
                found[task, urgency, tokens] = (
                    fits[0] if fits else None,
                    rules[fits[0]].route if fits else default,
                    fits,
                )
    return found


@given(rule_sets())
def test_what_is_said_of_rules_is_what_trying_every_request_finds(rules):
    """Unreachable, redundant and shadowed rules are named, and no other."""
    notes = {note.rule - 1: note for note in check_rules(rules, "a")}
    tried = routes_of(rules, "a")

    for place in range(len(rules)):
        decides = any(first == place for first, _, _ in tried.values())
        without = routes_of(rules[:place] + rules[place + 1 :], "a")
        redundant = all(without[key][1] == route for key, (_, route, _) in tried.items())
        elsewhere = any(
            place in fits and first != place and rules[first].route != rules[place].route
            for first, _, fits in tried.values()
        )
        expected = "unreachable" if not decides else "redundant" if redundant else "shadowed" if elsewhere else None

        assert (notes[place].kind if place in notes else None) == expected


def test_a_note_says_which_rule_takes_what():
    """A reader sees the rule, and those before it."""
    rules = (Rule(route="a", up_to_tokens=1_024), Rule(route="b", tasks=("x",), up_to_tokens=256))

    (note,) = check_rules(rules, "b")

    assert (note.rule, note.kind, note.by) == (2, "unreachable", (1,))
    assert note.note == "is never reached: what it asks for is taken by rule 1"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Rule(route="a", above_tokens=9, up_to_tokens=9), "up_to_tokens: must be more than above_tokens"),
        (lambda: Rule(route="a", tasks="x"), "tasks: must list words"),
        (lambda: RuleRouter(ROUTES, rules=RULES, default="clod"), "default: is the name of no route, got 'clod'; did you mean 'cloud'"),
        (lambda: RuleRouter(ROUTES, rules=RULES[:1], default="cloud"), "routes.simple: is led to by no rule"),
        (lambda: RuleRouter({"a": Route(Stack(), share=1)}, rules=(), default="a"), "routes.a.share: is decided by the rules"),
        (lambda: Router({"a": Route(Stack())}), "routes.a.share: is missing"),
        (lambda: ThresholdRouter(weak=Route(Stack()), strong=Route(Stack()), threshold=1, scores=((0, 0), (1, 0.9))), "scores: must rise"),
        (lambda: Cascade(()), "attempts: must hold at least one"),
        (lambda: Cascade((Attempt(name="a", target=Stack(), escalated_share=0.1),)), "attempts[0].escalated_share: of the last"),
        (lambda: Quality(Stack()), "quality: must be given"),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_refused_by_name(make, problem):
    """Each wrong value is refused where it is stated."""
    with pytest.raises(InvalidValueError) as error:
        make()

    assert str(error.value).startswith(problem)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=300), st.integers(0, 20))
def test_quantiles_of_scores_give_the_share_above_any_of_them(scores, place):
    """With as many rows as scores, the share of any threshold is that of the scores themselves, between them as well."""
    rounded = np.round(scores, 1)
    rows = score_quantiles(rounded, parts=len(scores))
    at = float(rounded[place % len(rounded)])

    for threshold in (at, at + 0.03, at - 0.03, -6.0, 6.0):
        router = ThresholdRouter(weak=Route(Stack()), strong=Route(Stack()), threshold=threshold, scores=rows)
        assert np.isclose(router.strong_share, (rounded >= threshold).mean(), atol=1e-12)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=40), st.data())
def test_the_threshold_of_a_frontier_is_that_of_a_router(scores, data):
    """Both send a score of exactly the threshold to the strong model, so that one can be read off the other."""
    rows = len(scores)
    outcomes = Outcomes(
        models=["weak", "strong"], quality=[[0, 1]] * rows, cost=[[1, 9]] * rows, currency="CNY", scores={"s": scores}
    )
    frontier = Frontier(outcomes, score="s")
    point = frontier.best_threshold(quality=data.draw(st.floats(0, 1)))

    router = ThresholdRouter(
        weak=Route(by_request("1", "weak")), strong=Route(by_request("9", "strong")),
        threshold=point.policy.at, scores=score_quantiles(scores),
    )  # fmt: skip

    assert np.isclose(router.strong_share, point.shares["strong"], atol=1e-12)
    assert np.isclose(cny(router, TEAM.on(TIMELINE))[1], 20_000 * point.cost_per_request)


@given(st.floats(0, 1), st.floats(-1, 2))
def test_at_the_lowest_score_every_request_is_strong(share, lowest):
    """A first row with a share of its own says how many have that very score, and none has less."""
    rows = ((lowest, share), (lowest + 1.0, 1.0))
    routers = [
        ThresholdRouter(weak=Route(Stack()), strong=Route(Stack()), threshold=threshold, scores=rows)
        for threshold in (lowest - 1.0, lowest, lowest + 1e-6, lowest + 2.0)
    ]

    assert [router.strong_share for router in routers] == [1, 1, pytest.approx(1 - share, abs=1e-5), 0]


def test_a_threshold_may_be_drawn():
    """Several thresholds are rows of one evaluation, and a higher one sends fewer to the strong route."""
    router = ThresholdRouter(
        weak=Route(by_request("1", "weak")), strong=Route(by_request("10", "strong")),
        threshold=np.array([0.0, 0.25, 0.5, 1.0]), scores=((0.0, 0.0), (0.5, 0.8), (1.0, 1.0)),
    )  # fmt: skip

    costs = cny(router, TEAM.on(TIMELINE))[:, 1] / 20_000

    assert np.allclose(costs, [10, 10 - 9 * 0.4, 10 - 9 * 0.8, 1])


def qualities(**changes):
    """Make a router between a weak and a strong model, as in the routing literature."""
    weak = Route(by_request("0.1", "small"), share=0.7, quality=0.70, quality_of_all=0.64, latency_s=1.0)
    strong = Route(by_request("1", "big"), share=0.3, quality=0.90, quality_of_all=0.86, latency_s=4.0)
    return Router({"weak": weak, "strong": strong}, **{"fee_per_request": "0.01 CNY", **changes})


def test_quality_latency_and_cost_of_a_right_answer_are_readings():
    """0.76 of the answers are right after 1.9 s; each costs 0.38 / 0.76."""
    result = compare({"routed": qualities()}, TEAM, TIMELINE, currency="CNY", discount_rate=0.08)

    answers = answers_of(result["routed"])

    assert np.isclose(answers.quality, 0.7 * 0.70 + 0.3 * 0.90)
    assert np.isclose(answers.latency_s, 0.7 * 1 + 0.3 * 4)
    assert np.isclose(answers.cost_per_right_answer, (0.7 * 0.1 + 0.3 * 1 + 0.01) / 0.76)
    assert np.isclose(answers.right_answers, 24 * 20_000 * 0.76)
    assert answers.under_served is None


def test_a_saving_names_its_baseline():
    """Against the strong model 62 %, against the weak one a loss; a random router is no worse in cost but in quality."""
    result = compare({"routed": qualities()}, TEAM, TIMELINE, currency="CNY")

    savings = router_savings(result, "routed")

    assert set(savings) == {"always weak", "always strong", RANDOM}
    assert np.isclose(savings["always strong"].saving_share, 1 - 0.38)
    assert np.isclose(savings["always strong"].quality_difference, 0.76 - 0.86)
    assert savings["always weak"].saving < 0
    assert np.isclose(savings[RANDOM].saving, -24 * 20_000 * 0.01)
    assert np.isclose(savings[RANDOM].quality_difference, 0.76 - (0.7 * 0.64 + 0.3 * 0.86))


def test_cost_at_equal_quality_is_that_of_a_random_mix():
    """0.76 takes 54.5 % strong calls at random, where the router needs 30 %."""
    result = compare({"routed": qualities()}, TEAM, TIMELINE, currency="CNY")
    mix = at_quality(result, "routed", answers_of(result["routed"]).quality, weak="weak", strong="strong")

    saving = router_savings(result, "routed", also={"equal quality": mix})["equal quality"]

    share = (0.76 - 0.64) / (0.86 - 0.64)
    assert np.isclose(mix.routes["strong"].share, share)
    assert np.isclose(saving.saving, 24 * 20_000 * (0.1 * (1 - share) + share - 0.38))
    assert np.isclose(saving.quality_difference, 0.0, atol=1e-12)
    with pytest.raises(InvalidValueError, match="must lie from 0.64"):
        at_quality(result, "routed", 0.9, weak="weak", strong="strong")


def test_requests_below_the_quality_that_they_need_are_counted():
    """Analysis needs 0.8, and rules send it by its length to a model of 0.7."""
    needs = {**TASKS, "analysis": attrs.evolve(TASKS["analysis"], required_quality=0.8)}
    routes = {
        name: attrs.evolve(route, quality=q) for (name, route), q in zip(ROUTES.items(), (0.6, 0.7, 0.9), strict=True)
    }
    short, enough = (
        RuleRouter(routes, rules=(RULES[1], Rule(route="standard", up_to_tokens=limit)), default="cloud")
        for limit in (4_000, 1_024)
    )
    workload = attrs.evolve(MIXED, parts=needs)
    result = compare({"short": short, "enough": enough}, workload, TIMELINE, currency="CNY")

    assert np.isclose(answers_of(result["short"]).under_served, 0.2)
    assert answers_of(result["enough"]).under_served == 0.0


@given(RATIO, RATIO, st.floats(0.01, 0.99))
def test_quality_travels_through_nested_routers_and_outer_statements_replace_inner_ones(one, other, share):
    """What a route states of itself stands; where it states nothing, its target speaks."""
    inner = Router(
        {
            "a": Route(by_request("1"), share=share, quality=one),
            "b": Route(by_request("2"), share=1 - share, quality=other),
        }
    )
    demand = TEAM.on(TIMELINE)

    def right(router):
        return router.cost(demand).amounts("right answers")[1] / 20_000

    assert np.isclose(
        right(Router({"x": Route(inner, share=0.5), "y": Route(inner, share=0.5)})), share * one + (1 - share) * other
    )
    assert np.isclose(right(Router({"x": Route(inner, share=1.0, quality=0.5)})), 0.5)
    assert np.isclose(right(SemanticCache(Quality(by_request("1"), quality=one), hit_rate=0.4)), one)


def test_a_quality_that_is_known_of_one_route_only_is_refused():
    """Unknown is not zero: the right answers of a part say nothing of all."""
    router = Router({"a": Route(by_request("1"), share=0.5, quality=0.9), "b": Route(by_request("2"), share=0.5)})
    same = by_request("1")
    shared = Router({"a": Route(same, share=0.5, quality=0.9), "b": Route(same, share=0.5)})

    with pytest.raises(InvalidValueError, match="routes.b.quality: is missing"):
        router.cost(TEAM.on(TIMELINE))
    with pytest.raises(InvalidValueError, match="b.quality: is missing"):
        shared.cost(TEAM.on(TIMELINE))


def test_unserved_requests_have_no_right_answers():
    """A box that carries half of the load gives half of the answers."""
    ledger = Router({"a": Route(Purchase(box(count=1), life_years=3), share=1.0, quality=0.8)}).cost(TEAM.on(TIMELINE))

    assert np.isclose(ledger.amounts("right answers")[1], 10_000 * 0.8)
    assert np.isclose(ledger.unserved[1], 10_000)


def test_baselines_of_every_policy_have_the_same_names():
    """Always one route, and random at the same share, whatever decides."""
    cascade = Cascade(
        (
            Attempt(name="weak", target=by_request("1"), escalated_share=0.3),
            Attempt(name="strong", target=by_request("9")),
        )
    )
    rules = RuleRouter(ROUTES, rules=RULES, default="cloud")
    result = compare(
        {"cascade": cascade, "rules": rules, "flat": Monthly("x", amount="1 CNY")}, MIXED, TIMELINE, currency="CNY"
    )

    assert set(baselines(result, "cascade")) == {"always weak", "always strong", RANDOM}
    assert {name: round(share, 9) for name, share in route_shares(result, "cascade").items()} == {
        "weak": 0.7,
        "strong": 0.3,
    }
    assert {name: round(share, 9) for name, share in route_shares(result, "rules").items()} == {
        "simple": 0.4,
        "standard": 0.225,
        "cloud": 0.375,
    }
    assert router_savings(result, "rules")["always cloud"].saving > 0
    with pytest.raises(InvalidValueError, match="'flat' is no router"):
        baselines(result, "flat")


def test_a_workload_of_parts_is_the_sum_of_its_tasks():
    """Requests and tokens add up, each part carries its name and tags, and what is stated twice is refused."""
    demand = MIXED.on(TIMELINE)

    assert np.isclose(demand.requests[1], 10_000)
    assert np.isclose(demand.input_tokens[1], 10_000 * (0.4 * 150 + 0.3 * 600 + 0.2 * 1_500 + 0.1 * 2_500))
    assert demand.where("critical").requests[1] == demand.where("incident").requests[1] == 1_000
    with pytest.raises(InvalidValueError, match="parts: must sum to 1"):
        Workload(requests_per_month=1, parts={"a": attrs.evolve(TASKS["chat"], share=0.5)})
    with pytest.raises(InvalidValueError, match="input_tokens: is stated by each"):
        attrs.evolve(MIXED, input_tokens=1, output_tokens=1)
    with pytest.raises(InvalidValueError, match="output_tokens: is missing"):
        WorkloadPart(share=1, input_tokens=5)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=300), st.integers(1, 20))
def test_few_rows_of_scores_miss_a_share_by_at_most_one_row(scores, parts):
    """With fewer rows than scores, a share is right at the rows and lies between its neighbours elsewhere."""
    rows = score_quantiles(scores, parts=parts)

    assert len(rows) <= 2 * parts + 1
    assert rows[-1][1] == 1.0
    for score, share in rows:
        assert np.isclose(share, (np.array(scores) <= score).mean())


@given(
    mixes.routers() | mixes.caches() | mixes.share_routers(),
    own.workloads(),
    st.lists(st.integers(1, 10**7), min_size=2, max_size=6),
    own.rates(0.0, 0.5),
)
def test_what_is_said_to_rise_with_the_volume_rises(component, workload, volumes, rate):
    """Break-even leaves out what cannot cross: a present value that is said to rise never falls."""
    demand = attrs.evolve(workload, requests_per_month=np.array(sorted(volumes), dtype=float)).on(TIMELINE)

    ledger = component.cost(demand)

    assume(ledger.rising)
    cost = np.broadcast_to(ledger.amounts("CNY"), (len(volumes), TIMELINE.size))
    present = cost @ (1 + rate) ** (-np.arange(TIMELINE.size) / 12)
    assert (np.diff(present) >= -1e-9 * (1 + np.abs(present).max())).all()


@given(own.fleet_components(), st.data(), own.workloads(), st.lists(st.integers(1, 10**6), min_size=2, max_size=6))
def test_so_it_does_in_front_of_fleets(inner, data, workload, volumes):
    """Whole servers behind caches and routers are bought earlier, never later, as the volume rises."""
    component = data.draw(mixes.routers(st.just(inner)) | mixes.caches(st.just(inner)))
    demand = attrs.evolve(workload, requests_per_month=np.array(sorted(volumes), dtype=float)).on(TIMELINE)

    ledger = component.cost(demand)

    assume(ledger.rising)
    cost = np.broadcast_to(ledger.amounts("CNY"), (len(volumes), TIMELINE.size)).sum(axis=-1)
    assert (np.diff(cost) >= -1e-9 * (1 + np.abs(cost).max())).all()


def test_an_answer_from_the_cache_is_as_under_served_as_the_one_that_it_repeats():
    """Half of the requests are hits, and all of them need more than the model has."""
    needs = attrs.evolve(TEAM, required_quality=0.9)
    cached = SemanticCache(Quality(by_request("1"), quality=0.8), hit_rate=0.5)

    result = compare({"cached": cached}, needs, TIMELINE, currency="CNY")

    assert np.isclose(answers_of(result["cached"]).under_served, 1.0)
    assert np.isclose(answers_of(result["cached"]).quality, 0.8)


def test_a_workload_takes_parts_only():
    """What is no part is refused at the door."""
    with pytest.raises(InvalidValueError, match="parts: must map names to parts"):
        Workload(requests_per_month=1, parts={"a": {"share": 1.0}})
    with pytest.raises(InvalidValueError, match="tags: must list words"):
        WorkloadPart(share=1, input_tokens=1, output_tokens=1, tags="critical")
