"""The cheapest mix: equal to brute force, below every mix that anyone can name, and honest about its limits."""

from __future__ import annotations

import itertools
import sys
from datetime import date
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.analysis.compare import compare
from llm_tco.analysis.mixes import answers_of
from llm_tco.analysis.optimise import cheapest_mix, cheapest_mix_of
from llm_tco.analysis.pieces import Setting, ShareCurve
from llm_tco.analysis.terms import Terms
from llm_tco.components.agreement import VolumeDiscount
from llm_tco.components.amounts import Monthly
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Escalated, Stack
from llm_tco.components.cache import SemanticCache
from llm_tco.components.capital import Purchase
from llm_tco.components.labour import Labour
from llm_tco.components.power import Power
from llm_tco.components.rental import Rental
from llm_tco.components.router import Route, Router
from llm_tco.components.spill import SpillOver
from llm_tco.demand import Workload
from llm_tco.errors import InfeasibleError, InvalidValueError, MismatchError
from llm_tco.financing import FinancialTerms, Tax
from llm_tco.money import ExchangeRates
from llm_tco.scenario import load_scenario
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

GAP = 1e-3
EXAMPLES = Path(__file__).parent.parent / "examples"
TIMELINE = Timeline(date(2026, 12, 1), 12)
TEAM = Workload(requests_per_month=30_000, input_tokens=500, output_tokens=300)
RATIO = st.floats(0.0, 1.0)
SHARES = st.integers(0, 10**6).map(lambda parts: parts / 10**6)
EVENINGS = tuple(6.0 if 18 <= hour % 24 < 22 else 1.0 for hour in range(168))


def terms(discount_rate=0.08, **more):
    """Make terms in yuan."""
    return Terms(rates=ExchangeRates(base="CNY", rates={}), discount_rate=discount_rate, **more)


def by_request(amount, name="api"):
    """Make an API that charges a fee for each request and nothing for tokens."""
    price = own.TokenPrice(
        provider="p", model=name, currency="CNY", input=0, output=0, per_request=amount, source=own.SOURCE
    )
    return ApiUsage(price, name=name)


def fleet(key="box", price="36000 CNY", capacity=10_000.0, **changes):
    """Make a fleet whose servers each carry so many requests a month."""
    server = own.Server(
        key=key, name=key, idle_w=100, peak_w=500, source=own.SOURCE,
        parts=(own.Part(name="all", price=own.Money.parse(price)),),
    )  # fmt: skip
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=capacity / 2_628_000, source=own.SOURCE)
    return own.Fleet(**{"server": server, "throughput": rate, **changes})


def local(key="box", price="36000 CNY", capacity=10_000.0, *, salvage=None, **changes):
    """Make the purchase and power of such a fleet."""
    box = fleet(key, price, capacity, **changes)
    return Purchase(box, life_years=3, salvage=salvage) + Power(box, price_per_kwh="1 CNY", pue=1.3)


@attrs.frozen(kw_only=True)
class Case:
    """A small case, and what brute force needs to know of it."""

    routes: dict
    capacities: dict
    workload: Workload
    timeline: Timeline
    rate: float
    hit_rate: float | None
    min_quality: float | None

    def wrap(self, router):
        """Put the cache in front, where there is one."""
        return router if self.hit_rate is None else SemanticCache(router, hit_rate=self.hit_rate, setup="900 CNY")

    def breakpoints(self, name):
        """Give the shares at which the servers of a route are just full in some month."""
        if name not in self.capacities:
            return np.zeros(0)
        demand = self.workload.on(self.timeline)
        missed = 1.0 if self.hit_rate is None else 1.0 - self.hit_rate
        peak = demand.requests[1:] * missed * float(demand.load.peak[0])
        full = np.arange(1, 200)[:, None] * self.capacities[name] / peak
        return np.unique(full[full <= 1.0])


def one_case(number):
    """Draw a small case by its number."""
    rng = np.random.default_rng(number)
    count = int(rng.integers(2, 4))
    requests = int(rng.integers(15_000, 40_000))
    months = int(rng.integers(3, 10))
    routes, capacities = {}, {}
    qualities = np.round(rng.uniform(0.4, 1.0, count), 3)
    for place in range(count):
        name, quality = f"r{place}", float(qualities[place])
        if place == count - 1 or rng.random() < 0.2:
            routes[name] = Route(by_request(f"{rng.uniform(0.25, 0.6):.3f}", name), quality=quality)
            continue
        capacity = float(rng.integers(requests // 4, requests))
        price = rng.uniform(0.1, 0.4) * capacity * months
        kind = rng.integers(0, 5)
        box = fleet(name, f"{price:.0f} CNY", capacity, spares=int(rng.integers(0, 2)))
        if kind == 0:
            box = attrs.evolve(box, count=2, spares=0)
        power = Power(box, price_per_kwh="1 CNY", pue=1.3)
        bought = Purchase(
            box, life_years=1 / 2 if kind == 1 else 3, salvage=f"{price / 10:.0f} CNY" if kind == 1 else None
        )
        if kind == 2:
            power = Escalated(power, 0.2)
        target = bought + power
        if kind == 3:
            target = Rental(box, price_per_hour=f"{price / months / 500:.3f} CNY", reserved=1, reserved_price_per_hour=f"{price / months / 900:.3f} CNY") + power  # fmt: skip
        if rng.random() < 0.3:
            target = target + Monthly("upkeep", amount=f"{rng.uniform(100, 2_000):.0f} CNY")
        routes[name] = Route(target, quality=quality)
        capacities[name] = capacity
    peaked = {} if rng.random() < 0.7 else {"peak_to_mean": 1.5}
    growth = 0.0 if rng.random() < 0.5 else 0.3
    workload = Workload(requests_per_month=requests, input_tokens=500, output_tokens=300, growth_per_year=growth, **peaked)  # fmt: skip
    return Case(
        routes=routes,
        capacities=capacities,
        workload=workload,
        timeline=Timeline(date(2026, 12, 1), months),
        rate=float(rng.choice([0.0, 0.08])),
        hit_rate=None if rng.random() < 0.6 else 0.25,
        min_quality=None if rng.random() < 0.4 else float(rng.uniform(qualities.min(), qualities.max())),
    )


def evaluated(case, names, shares):
    """Give the cost of mixes of some routes, infinite where one is not allowed; shares of shape `(routes, mixes)`."""
    shares = np.asarray(shares)
    shares = shares[:, (shares >= 0).all(axis=0)]
    if not shares.size:
        return np.inf
    demand = case.workload.on(case.timeline)
    routes = {name: attrs.evolve(case.routes[name], share=share) for name, share in zip(names, shares, strict=True)}
    ledger = terms(case.rate).ledger(case.wrap(Router(routes)), demand)
    costs = np.broadcast_to(terms(case.rate).present_value(ledger.amounts("CNY")), shares.shape[1])
    allowed = np.broadcast_to(ledger.unserved, (shares.shape[1], case.timeline.size)).max(axis=-1) <= 0
    if case.min_quality is not None:
        quality = ledger.amounts("right answers").sum(axis=-1) / demand.requests.sum()
        allowed = allowed & (quality >= case.min_quality * (1 - 1e-9))
    return np.where(allowed, costs, np.inf).min()


def vertices(case, names):
    """List the mixes of some routes that can be the cheapest: at breakpoints, and where the quality is just met.

    Between breakpoints every cost is a straight line, and a cheapest point of lines lies at a corner.
    """
    ends = {name: case.breakpoints(name) for name in names}
    if len(names) == 1:
        return np.ones((1, 1))
    found = []
    for fixed in itertools.combinations(range(len(names)), len(names) - 1):
        (rest,) = set(range(len(names))) - set(fixed)
        grid = np.array(list(itertools.product(*(ends[names[place]] for place in fixed)))).reshape(-1, len(fixed))
        found.append(np.insert(grid, rest, 1.0 - grid.sum(axis=-1), axis=-1).T)
    if case.min_quality is not None and len(names) > 1:
        quality = np.array([case.routes[name].quality for name in names])
        for free in itertools.combinations(range(len(names)), 2):
            fixed = [place for place in range(len(names)) if place not in free]
            for chosen in itertools.product(*(ends[names[place]] for place in fixed)):
                left = 1.0 - sum(chosen)
                right = case.min_quality - float(quality[fixed] @ np.array(chosen)) if fixed else case.min_quality
                if quality[free[0]] == quality[free[1]]:
                    continue
                first = (right - quality[free[1]] * left) / (quality[free[0]] - quality[free[1]])
                point = np.zeros((len(names), 1))
                point[fixed, 0], point[free[0]], point[free[1]] = chosen, first, left - first
                found.append(point)
    return np.concatenate(found, axis=-1)


@pytest.mark.parametrize("number", [*range(50), 1013, 1766])  # the last two leave a narrow window only
def test_the_cheapest_mix_is_that_of_brute_force(number):
    """In these small cases no corner of any mix of any routes costs less, and the bound is no higher."""
    case = one_case(number)
    every = [names for size in (1, 2, 3) for names in itertools.combinations(case.routes, size)]
    cheapest = min(evaluated(case, names, vertices(case, names)) for names in every)
    grid = np.linspace(0.0, 1.0, 101)
    between = min(evaluated(case, pair, [grid, 1.0 - grid]) for pair in itertools.combinations(case.routes, 2))

    asked = {"wrap": case.wrap, "min_quality": case.min_quality, "gap": GAP}
    demand = case.workload.on(case.timeline)
    if not np.isfinite(cheapest):
        assert not np.isfinite(between)
        with pytest.raises(InfeasibleError):
            cheapest_mix(case.routes, demand, terms(case.rate), **asked)
        return
    mix = cheapest_mix(case.routes, demand, terms(case.rate), **asked)

    assert mix.option.feasible
    assert mix.unproven == ()
    assert mix.gap <= GAP
    assert mix.lower_bound <= cheapest * (1 + 1e-9)
    assert mix.lower_bound <= between * (1 + 1e-9)
    assert cheapest * (1 - 1e-9) <= mix.cost <= cheapest * (1 + GAP)
    assert np.isclose(sum(mix.shares.values()), 1.0, rtol=0, atol=1e-9)


def evaluate(routes, demand, given, wrap=lambda router: router, **shares):
    """Evaluate a mix by shares of some of the routes."""
    router = Router({name: attrs.evolve(routes[name], share=share) for name, share in shares.items()})
    ledger = given.ledger(wrap(router), demand)
    return float(given.present_value(given.costs(ledger))), not ledger.unpriced and not np.any(ledger.unserved > 0)


@st.composite
def targets(draw):
    """Draw what routes lead to: the costs of a fleet, or others, beside a price for each request."""
    price = by_request(f"{draw(st.floats(0.001, 1.0)):.4f}")
    return Stack((price, draw(own.fleet_components() | own.simple_components())))


@st.composite
def cases(draw):
    """Draw routes of which the dearest is the best, and a quality that may need it."""
    drawn = draw(st.lists(st.tuples(targets(), st.floats(0.0, 0.9)), min_size=1, max_size=2))
    routes = {f"r{place}": Route(target, quality=quality) for place, (target, quality) in enumerate(drawn)}
    routes["cloud"] = Route(by_request("1.5", "cloud"), quality=1.0)
    return routes, draw(st.none() | st.floats(0.05, 0.99))


@given(cases(), st.lists(RATIO, min_size=2, max_size=2), st.sampled_from([0.0, 0.1]))
def test_no_mix_costs_less_than_the_bound(case, cuts, rate):
    """Whatever the routes are, no shares that carry the load undercut a bound that is said to be proven."""
    routes, min_quality = case
    demand = TEAM.on(TIMELINE)
    mix = cheapest_mix(routes, demand, terms(rate), min_quality=min_quality)
    ends = np.sort([0.0, *cuts[: len(routes) - 1], 1.0])
    shares = dict(zip(routes, np.diff(ends), strict=True))
    good_enough = sum(routes[name].quality * share for name, share in shares.items()) >= (min_quality or 0.0)

    cost, feasible = evaluate(routes, demand, terms(rate), **shares)

    rounding = 1e-9 * (1 + abs(mix.cost) + abs(cost))
    assert mix.option.feasible
    assert min_quality is None or mix.answers.quality >= min_quality * (1 - 1e-9)
    assert mix.lower_bound <= mix.cost + rounding
    assert mix.gap <= GAP or mix.unproven
    if feasible and good_enough and not mix.unproven:
        assert mix.lower_bound <= cost + rounding


@given(targets())
def test_a_route_alone_costs_what_its_target_costs(target):
    """All requests on one route are that route's target, whatever the optimum is."""
    routes = {"one": Route(target), "cloud": Route(by_request("1.5", "cloud"))}
    demand = TEAM.on(TIMELINE)
    mix = cheapest_mix(routes, demand, terms())
    whole, able = evaluate(routes, demand, terms(), one=1.0)

    assert (mix.alone["one"] is not None) == able
    assert mix.alone["one"] is None or np.isclose(mix.alone["one"], whole, rtol=1e-9, atol=1e-6)
    assert all(alone is None or mix.cost <= alone + 1e-9 * (1 + abs(alone)) for alone in mix.alone.values())


def solved(routes, workload=TEAM, timeline=TIMELINE, given=None, **asked):
    """Find the cheapest mix of a workload."""
    return cheapest_mix(routes, workload.on(timeline), given or terms(), **asked)


def spilling(count=2):
    """Make a full fleet of fixed size whose overflow is answered better."""
    box = fleet("box", count=count)
    bought = Purchase(box, life_years=3) + Power(box, price_per_kwh="1 CNY", pue=1.3)
    overflow = Route(by_request("0.5", "peak"), quality=0.95)
    return Route(SpillOver(fleet=box, local=Route(bought, quality=0.6), overflow=overflow))


@given(st.integers(0, 10_000), st.lists(SHARES, min_size=1, max_size=30), st.integers(0, 3))
def test_pieces_bound_the_cost_and_the_right_answers_of_every_share(number, shares, cuts):
    """However finely a curve is cut: never above its cost, never below its right answers, and exact where it says so."""
    case = one_case(number)
    routes = {**case.routes, "spilling": spilling(1 + number % 4)}
    workload = attrs.evolve(case.workload, hourly_load=EVENINGS, peak_to_mean=None)
    setting = Setting(
        demand=workload.on(case.timeline),
        terms=terms(case.rate),
        wrap=case.wrap,
        fee_per_request=None,
        units=frozenset({"right answers"}),
    )
    for name, route in routes.items():
        curve = ShareCurve(name, route, setting, setting.read(None, 1.0))
        for _ in range(cuts):
            pieces = curve.pieces()
            wide = ~pieces.exact & (pieces.high - pieces.low > 1e-12)
            curve.refine(pieces.low[wide][:20], pieces.high[wide][:20])
        pieces = curve.pieces()
        found = setting.read(route, np.array(shares), name)
        costs = found.cost - curve.base.cost
        right = found.quantities["right answers"] - curve.base.quantities["right answers"]
        for share, cost, amount in zip(np.array(shares)[found.able], costs[found.able], right[found.able], strict=True):
            place = np.flatnonzero((pieces.low <= share) & (share <= pieces.high))
            above = share - pieces.low[place]
            bound = pieces.cost[place] + pieces.slope[place] * above
            most = pieces.amounts["right answers"][0][place] + pieces.amounts["right answers"][1][place] * above
            rounding = 1e-9 * (1 + np.abs(curve.costs).max())

            assert place.size
            assert bound.min() <= cost + rounding
            assert most.max() >= amount * (1 - 1e-9)
            if pieces.exact[place].all():
                assert np.allclose(bound, cost, rtol=1e-9, atol=rounding)
                assert np.allclose(most, amount, rtol=1e-8)


@given(st.integers(0, 10_000))
def test_one_more_route_never_costs_more(number):
    """A route may be left out, so that it can only help."""
    case = one_case(number)
    fewer = {name: route for name, route in case.routes.items() if name != "r0"}
    asked = {"wrap": case.wrap, "min_quality": case.min_quality}
    try:
        before = solved(fewer, case.workload, case.timeline, **asked)
    except InfeasibleError:
        return
    after = solved(case.routes, case.workload, case.timeline, **asked)

    assert after.lower_bound <= before.cost
    assert after.cost <= before.cost * (1 + GAP)


@given(targets(), st.floats(1.0, 1e4), st.floats(0.0, 0.5))
def test_a_dominating_route_takes_everything(target, more, worse):
    """Who is cheaper at every share, and no worse, answers all requests."""
    better = Route(by_request("0.0010", "better"), quality=0.9)
    dearer = Stack((by_request("0.0010", "dearer"), target, Monthly("more", amount=f"{more} CNY")))
    mix = solved({"better": better, "dearer": Route(dearer, quality=0.9 - worse)}, min_quality=0.4)

    assert mix.shares == {"better": 1.0}
    assert np.isclose(mix.cost, mix.alone["better"], rtol=1e-12)
    assert mix.binding == ()


def test_a_mix_of_whole_servers_may_cost_more_than_each_of_its_routes():
    """Ten thousand requests fill one server; split between two kinds, they need one of each."""
    routes = {"one": Route(local("one", "36000 CNY")), "other": Route(local("other", "37000 CNY"))}
    workload = attrs.evolve(TEAM, requests_per_month=10_000)
    split, feasible = evaluate(routes, workload.on(TIMELINE), terms(), one=0.5, other=0.5)

    mix = solved(routes, workload)

    assert feasible
    assert split > max(mix.alone.values())
    assert mix.shares == {"one": 1.0}
    assert mix.servers == {"one": 1.0}


def test_the_best_mix_fills_whole_servers_and_sends_the_rest_to_the_cloud():
    """Of 21,500 requests two full servers carry 20,000, and a third one would not pay for 1,500."""
    routes = {"local": Route(local()), "cloud": Route(by_request("0.5"))}
    mix = solved(routes, attrs.evolve(TEAM, requests_per_month=21_500), Timeline(date(2026, 12, 1), 36))

    assert mix.servers == {"box": 2.0}
    assert np.isclose(mix.shares["local"], 20_000 / 21_500, rtol=1e-9)
    assert mix.cost < min(mix.alone.values())


def hybrid(servers):
    """Make a route on which a fixed fleet answers what it can, and the cloud takes the peak."""
    box = fleet("box", count=servers)
    bought = Purchase(box, life_years=3) + Power(box, price_per_kwh="1 CNY", pue=1.3)
    return Route(
        SpillOver(fleet=box, local=Route(bought), overflow=Route(by_request("0.5", "peak")), name=f"{servers}")
    )


def test_the_number_of_servers_below_a_peak_is_the_cheapest_one():
    """The best of fixed fleets whose peak spills over is that of trying each, and beats a fleet for the peak."""
    timeline = Timeline(date(2026, 12, 1), 36)
    workload = attrs.evolve(TEAM, requests_per_month=40_000, hourly_load=EVENINGS)
    routes = {"hybrid": [hybrid(count) for count in range(1, 9)], "cloud": Route(by_request("0.5")), "local": Route(local("sized"))}  # fmt: skip
    tried = [evaluate({"one": hybrid(count)}, workload.on(timeline), terms(), one=1.0)[0] for count in range(1, 9)]

    mix = solved(routes, workload, timeline)

    assert np.isclose(mix.cost, min(tried), rtol=GAP)
    assert mix.lower_bound <= min(tried) * (1 + 1e-12)
    assert mix.shares["hybrid"] > 0.99
    assert mix.servers["box"] == np.argmin(tried) + 1 == mix.chosen["hybrid"] + 1
    assert np.isclose(mix.alone["hybrid"], min(tried), rtol=1e-12)
    assert mix.cost < min(mix.alone["cloud"], mix.alone["local"])


def test_a_quality_is_met_with_as_little_of_the_dear_route_as_possible():
    """Two linear routes mix in the closed form: (0.8 − 0.6) / (0.9 − 0.6) of the requests take the better one."""
    routes = {
        "weak": Route(by_request("0.1", "weak"), quality=0.6, latency_s=1.0),
        "strong": Route(by_request("0.4", "strong"), quality=0.9, latency_s=4.0),
    }
    mix = solved(routes, min_quality=0.8)

    assert np.isclose(mix.shares["strong"], 2 / 3, rtol=1e-6)
    assert np.isclose(mix.answers.quality, 0.8, rtol=1e-6)
    assert mix.binding == ("quality",)
    assert mix.alone["weak"] is None
    with pytest.raises(InfeasibleError, match="reaches the quality"):
        solved(routes, min_quality=0.95)
    with pytest.raises(InfeasibleError, match="reaches the quality and keeps to the mean latency"):
        solved(routes, min_quality=0.8, max_mean_latency_s=2.0)
    assert solved(routes, min_quality=0.8, max_mean_latency_s=3.5).binding == ("quality",)


@pytest.mark.parametrize("min_quality", [0.66, 0.75, 0.8, 0.85])
def test_a_quality_that_changes_with_the_share_is_met(min_quality):
    """The more requests come to a full fleet, the more of them have the quality of the overflow."""
    routes = {"hybrid": spilling(), "cloud": Route(by_request("0.62"), quality=0.9)}
    timeline = Timeline(date(2026, 12, 1), 36)
    workload = attrs.evolve(TEAM, requests_per_month=40_000, hourly_load=EVENINGS)
    demand = workload.on(timeline)
    share = np.linspace(0.0, 1.0, 2_001)
    hybrid_and_cloud = {"hybrid": attrs.evolve(routes["hybrid"], share=share), "cloud": attrs.evolve(routes["cloud"], share=1 - share)}  # fmt: skip
    ledger = terms().ledger(Router(hybrid_and_cloud), demand)
    quality = ledger.amounts("right answers").sum(axis=-1) / demand.requests.sum()
    cheapest = terms().present_value(ledger.amounts("CNY"))[quality >= min_quality].min()

    mix = solved(routes, workload, timeline, min_quality=min_quality)

    assert mix.answers.quality >= min_quality * (1 - 1e-9)
    assert mix.lower_bound <= cheapest * (1 + 1e-12)
    assert mix.cost <= cheapest * (1 + GAP)


def test_a_mean_latency_counts_what_a_cache_answers():
    """A cache that answers half of the requests at once halves the time, so that the slow route may take all."""
    slow, fast = Route(by_request("0.1", "slow"), latency_s=4.0), Route(by_request("0.4", "fast"), latency_s=1.0)
    routes = {"slow": slow, "fast": fast}
    cached = solved(
        routes, max_mean_latency_s=2.5, wrap=lambda router: SemanticCache(router, hit_rate=0.5, latency_s=0.0)
    )
    bare = solved(routes, max_mean_latency_s=2.5)

    assert cached.shares == {"slow": 1.0}
    assert np.isclose(bare.shares["slow"], 0.5, rtol=1e-6)
    assert bare.binding == ("latency",)
    assert np.isclose(answers_of(bare.option).latency_s, 2.5, rtol=1e-6)


@given(st.floats(0.1, 0.9), st.floats(1.0, 5.0))
def test_a_route_with_a_rate_limit_gets_what_it_can_take(part, peak):
    """The cheaper of two providers takes its limit at the peak, and not one request more."""
    busy = attrs.evolve(TEAM, peak_to_mean=peak)
    limit = part * peak * busy.requests_per_month / (730 * 3600)
    routes = {
        "cheap": Route(by_request("1", "cheap"), max_requests_per_s=limit),
        "dear": Route(by_request("3", "dear")),
    }

    mix = solved(routes, workload=busy, given=terms(0.0))

    assert mix.shares["cheap"] == pytest.approx(part, abs=2e-3)
    assert mix.option.feasible
    assert mix.alone["cheap"] is None
    assert mix.gap <= 1e-3


def test_routes_that_are_too_slow_are_left_out():
    """A greatest latency is that of every route, not of their mean."""
    routes = {"slow": Route(by_request("0.1"), latency_s=4.0), "fast": Route(by_request("0.4"), latency_s=1.0)}

    assert solved(routes, max_latency_s=3.0).shares == {"fast": 1.0}
    assert solved(routes, max_latency_s=4.0).shares == {"slow": 1.0}
    with pytest.raises(InfeasibleError, match="no route answers within 0.5 s"):
        solved(routes, max_latency_s=0.5)
    with pytest.raises(InvalidValueError, match=r"routes\.any\.latency_s: is missing"):
        solved({"any": Route(by_request("0.1"))}, max_latency_s=3.0)


def test_an_option_is_optimised_as_it_stands():
    """The router inside a cache inside a stack is found, and everything around it stays."""
    routes = {"local": Route(local(), share=0.1), "cloud": Route(by_request("0.5"), share=0.9)}
    router = Router(routes, fee_per_request="0.01 CNY")
    option = SemanticCache(router, hit_rate=0.25, upkeep_per_month="100 CNY") + Monthly("people", amount="1000 CNY")
    team = attrs.evolve(TEAM, requests_per_month=32_000)
    comparison = compare({"mixed": option}, team, TIMELINE, currency="CNY", discount_rate=0.08)

    mix = cheapest_mix_of(comparison, "mixed")
    both = {"mixed": option, "best": mix.option.component}
    again = compare(both, team, TIMELINE, currency="CNY", discount_rate=0.08)

    assert np.isclose(again["best"].npv_cost, mix.cost, rtol=1e-12)
    assert mix.cost <= again["mixed"].npv_cost
    assert mix.lower_bound <= again["mixed"].npv_cost
    assert {line.name for line in mix.option.ledger.lines} >= {"people", "cache.upkeep"}
    more = cheapest_mix_of(comparison, "mixed", alternatives={"cloud": [Route(by_request("0.001"))]})
    assert more.shares == {"cloud": 1.0}


def test_an_option_needs_one_router():
    """What holds none, or two, is no question that has one answer."""
    router = Router({"cloud": Route(by_request("0.5"), share=1.0)})
    two = Stack((router, attrs.evolve(router, name="second")))
    comparison = compare({"none": by_request("0.5"), "two": two}, TEAM, TIMELINE, currency="CNY")

    with pytest.raises(InvalidValueError, match="'none' holds 0"):
        cheapest_mix_of(comparison, "none")
    with pytest.raises(InvalidValueError, match="'two' holds 2"):
        cheapest_mix_of(comparison, "two")


def test_taxes_and_financing_are_part_of_the_optimum():
    """After tax the bound still lies below every mix: what an expense saves adds up over the routes."""
    routes = {"local": Route(local()), "cloud": Route(by_request("0.5"))}
    after_tax = terms(finance=FinancialTerms(tax=Tax(rate=0.25, depreciation="straight_line", life_years=3)))
    timeline = Timeline(date(2026, 12, 1), 36)
    mix = solved(routes, timeline=timeline, given=after_tax)
    costs = [evaluate(routes, TEAM.on(timeline), after_tax, local=share, cloud=1 - share)[0] for share in np.linspace(0, 1, 61)]  # fmt: skip

    assert mix.lower_bound <= min(costs) * (1 + 1e-12)
    assert mix.cost <= min(costs) * (1 + GAP)
    assert mix.unproven == ()


def test_what_depends_on_all_routes_together_is_refused():
    """A discount on the whole bill makes no route's cost its own."""
    routes = {"one": Route(by_request("0.5", "one")), "other": Route(by_request("0.6", "other"))}
    steps = ({"above": "12000 CNY", "discount": 0.2},)

    with pytest.raises(MismatchError, match="depends on all of them together"):
        solved(routes, wrap=lambda router: VolumeDiscount(router, steps=steps))


def test_a_limit_that_the_solver_keeps_up_to_its_tolerance_only_is_reached():
    """The cheapest mix has just the quality that is asked for, and the solver's own falls short by a hair."""
    pay = Labour("labour", hours_per_month=13, rate_per_hour="69 CNY")
    routes = {
        "one": Route(Stack((by_request("0.7500"), Monthly("monthly", amount="0 CNY"))), quality=0.375),
        "other": Route(Stack((by_request("0.6406"), pay)), quality=0.328125),
        "cloud": Route(by_request("1.5", "cloud"), quality=1.0),
    }
    mix = solved(routes, min_quality=0.625)

    assert mix.gap <= GAP
    assert mix.shares == pytest.approx({"one": 0.6, "cloud": 0.4}, rel=1e-5)


def test_a_curve_is_named_and_its_bound_is_an_estimate():
    """Where nothing proves what lies between two shares, the result says of which route."""
    box = fleet("box", slots=8)
    curved = Purchase(box, life_years=3) + Power(box, price_per_kwh="1 CNY", pue=1.3, loaded_w=300)
    routes = {"curved": Route(curved), "cloud": Route(by_request("0.5"))}
    timeline = Timeline(date(2026, 12, 1), 36)
    mix = solved(routes, timeline=timeline)
    costs = [evaluate(routes, TEAM.on(timeline), terms(), curved=share, cloud=1 - share)[0] for share in np.linspace(0, 1, 61)]  # fmt: skip

    assert mix.unproven == ("curved",)
    assert mix.cost <= min(costs) * (1 + GAP)


def test_too_much_for_every_route_is_said():
    """Two small fleets of fixed size carry a part only."""
    routes = {"one": Route(local("one", count=1)), "other": Route(local("other", count=1))}

    with pytest.raises(InfeasibleError, match="no mix carries the whole load"):
        solved(routes)
    assert solved(routes, attrs.evolve(TEAM, requests_per_month=19_000)).servers == {"one": 1.0, "other": 1.0}


def test_an_unknown_price_is_left_out():
    """A route whose price is not known cannot be the cheapest, nor a part of it."""
    unknown = ApiUsage(attrs.evolve(by_request("0.1").price, output=None))

    assert solved({"unknown": Route(unknown), "known": Route(by_request("0.5"))}).shares == {"known": 1.0}


def test_what_has_no_cheapest_mix_is_refused():
    """Draws, shared components and fleets, and unknown qualities are named."""
    box = fleet()
    one, other = Route(Purchase(box, life_years=3)), Route(Power(box, price_per_kwh="1 CNY", pue=1.3))
    drawn = attrs.evolve(TEAM, requests_per_month=np.array([1e4, 2e4]))
    api = by_request("0.1")
    fee = by_request("0.2", "fee")

    with pytest.raises(InvalidValueError, match="shares the fleet 'box' with the route 'one'"):
        solved({"one": one, "other": other})
    with pytest.raises(InvalidValueError, match="leads to the same component as the route 'one'"):
        solved({"one": Route(api), "other": Route(api)})
    with pytest.raises(InvalidValueError, match="demand: holds draws"):
        solved({"fee": Route(fee)}, drawn)
    with pytest.raises(InvalidValueError, match="demand: holds draws"):
        solved({"fee": Route(fee)}, given=terms(np.array([0.1, 0.2])))
    with pytest.raises(InvalidValueError, match=r"routes\.many: holds draws"):
        solved({"many": Route(Monthly("many", amount=own.Money(np.array([1.0, 2.0]), "CNY")))})
    with pytest.raises(InvalidValueError, match=r"routes\.unknown\.quality: is missing"):
        solved({"unknown": Route(fee)}, min_quality=0.5)
    with pytest.raises(InvalidValueError, match=r"routes\.empty: must be a route, or several in a list"):
        solved({"empty": []})
    with pytest.raises(InvalidValueError, match="gap: must be more than 0"):
        solved({"fee": Route(fee)}, gap=0.0)


def test_the_missing_solver_is_named(monkeypatch):
    """Without scipy the error says what to install."""
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install '\.\[optimise\]'"):
        solved({"cloud": Route(by_request("0.5"))})


def test_no_requests_cost_what_is_fixed():
    """A workload that has no requests has a cheapest mix as well."""
    routes = {"local": Route(local() + Monthly("people", amount="100 CNY")), "cloud": Route(by_request("0.5"))}
    mix = solved(routes, attrs.evolve(TEAM, requests_per_month=0))

    assert mix.cost == mix.lower_bound == 0.0
    assert mix.gap == 0.0
    assert mix.shares == {"cloud": 1.0}


@pytest.mark.parametrize("servers", [1, 2, 3, 4])
def test_the_example_by_hand(servers):
    """Servers for the day and a cloud for the evening, hour by hour with literals."""
    comparison = load_scenario(EXAMPLES / "cheapest-mix.toml").compare()
    peak = comparison["peak"].component
    box = attrs.evolve(peak.fleet, count=servers)
    bought = Stack(attrs.evolve(cost, fleet=box) for cost in peak.local.target.parts)
    route = Route(attrs.evolve(peak, fleet=box, local=Route(bought)))
    level = np.array(([1.0] * 18 + [6.0] * 4 + [1.0] * 2) * 7)
    an_hour = level / level.mean() * 300_000 / 730
    carried = np.minimum(an_hour, servers * 80_000 / 730).mean() * 730
    kwh = (150 * 730 * servers + (700 - 150) * carried / 80_000 * 730) / 1000 * 1.4
    monthly = (300_000 - carried) * (600 * 60 + 200 * 120) / 1e6 + kwh * 0.8
    by_hand = servers * 90_000 + monthly * sum(1.08 ** (-month / 12) for month in range(1, 37))

    mix = cheapest_mix_of(comparison, "shares", alternatives={"peak": [route]})

    assert np.isclose(mix.alone["peak"], by_hand, rtol=1e-9)
    assert mix.lower_bound <= by_hand
    assert mix.alone["cloud"] < mix.alone["local"]
