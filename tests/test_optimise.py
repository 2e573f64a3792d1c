"""The cheapest mix: equal to brute force, below every mix that anyone can name, and honest about its limits."""

from __future__ import annotations

import builtins
import itertools
from datetime import date

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_tco.analysis.compare import compare
from llm_tco.analysis.mixes import answers_of
from llm_tco.analysis.optimise import cheapest_mix, cheapest_mix_of
from llm_tco.analysis.pieces import ShareCurve
from llm_tco.analysis.terms import Terms
from llm_tco.components.agreement import VolumeDiscount
from llm_tco.components.amounts import Monthly
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Escalated, Stack
from llm_tco.components.cache import SemanticCache
from llm_tco.components.capital import Purchase
from llm_tco.components.power import Power
from llm_tco.components.rental import Rental
from llm_tco.components.router import Route, Router
from llm_tco.components.spill import SpillOver
from llm_tco.demand import Workload
from llm_tco.errors import InfeasibleError, InvalidValueError, MismatchError
from llm_tco.financing import FinancialTerms, Tax
from llm_tco.money import ExchangeRates
from llm_tco.testing import mixes
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

GAP = 1e-3
TIMELINE = Timeline(date(2026, 12, 1), 12)
TEAM = Workload(requests_per_month=30_000, input_tokens=500, output_tokens=300)
RATIO = st.floats(0.0, 1.0)


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
        bought = Purchase(box, life_years=1 / 2 if kind == 1 else 3, salvage=f"{price / 10:.0f} CNY" if kind == 1 else None)
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
                first = (right - quality[free[1]] * left) / (quality[free[0]] - quality[free[1]])
                point = np.zeros((len(names), 1))
                point[fixed, 0], point[free[0]], point[free[1]] = chosen, first, left - first
                found.append(point)
    return np.concatenate(found, axis=-1)


@pytest.mark.parametrize("number", range(50))
def test_the_cheapest_mix_is_that_of_brute_force(number):
    """In fifty small cases no corner of any mix of any routes costs less, and the bound is no higher."""
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


def targets():
    """Draw what routes lead to: costs with and without fleets, caches and routers."""
    return st.one_of(own.fleet_components(), own.simple_components(), mixes.routers(), mixes.caches())


@given(st.lists(targets(), min_size=2, max_size=3), st.lists(RATIO, min_size=2, max_size=2), st.sampled_from([0.0, 0.1]))
@settings(max_examples=25)
def test_no_mix_costs_less_than_the_bound(drawn, cuts, rate):
    """Whatever the routes are, no shares that carry the load undercut a bound that is said to be proven."""
    routes = {f"r{place}": Route(target) for place, target in enumerate([*drawn, by_request("0.7", "cloud")])}
    demand = TEAM.on(TIMELINE)
    mix = cheapest_mix(routes, demand, terms(rate))
    ends = [0.0, *sorted([*cuts, 1.0][: len(routes) - 1]), 1.0]
    shares = dict(zip(routes, np.diff(ends), strict=False))

    cost, feasible = evaluate(routes, demand, terms(rate), **shares)

    scale = 1e-9 * (1 + abs(mix.cost) + abs(cost))
    assert mix.option.feasible
    assert mix.lower_bound <= mix.cost
    assert mix.gap <= GAP or mix.unproven
    if feasible and not mix.unproven:
        assert mix.lower_bound <= cost + scale
    for name, alone in mix.alone.items():
        whole, able = evaluate(routes, demand, terms(rate), **{name: 1.0})
        assert (alone is not None) == able
        assert alone is None or (np.isclose(alone, whole, rtol=1e-9, atol=scale) and mix.cost <= alone + scale)
