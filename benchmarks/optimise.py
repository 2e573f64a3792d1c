"""How fast the cheapest mix is found, and how close its bound is.

    python benchmarks/optimise.py

Four routes over 36 months: three kinds of server and an API, with growth, so that servers are
added in many months. Absolute times differ between machines.
"""

from __future__ import annotations

import time
from datetime import date

import numpy as np

from llm_tco import Power, Purchase, Route, Router, SemanticCache, Timeline, Workload
from llm_tco.analysis.optimise import cheapest_mix
from llm_tco.analysis.terms import Terms
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Escalated
from llm_tco.money import ExchangeRates
from llm_tco.testing import strategies as own

MONTHS, GRID = 36, 40
TERMS = Terms(rates=ExchangeRates(base="CNY", rates={}), discount_rate=0.08)


def api(fee: str, name: str) -> ApiUsage:
    """Make an API that charges a fee for each request."""
    price = own.TokenPrice(
        provider="example", model=name, currency="CNY", input=0, output=0, per_request=fee, source=own.SOURCE
    )
    return ApiUsage(price, name=name)


def local(key: str, price: str, capacity: float, *, salvage: str | None = None, escalated: bool = False):
    """Make servers that each carry so many requests a month, and their power."""
    part = own.Part(name="all", price=own.Money.parse(price))
    server = own.Server(key=key, name=key, idle_w=150, peak_w=700, source=own.SOURCE, parts=(part,))
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=capacity / 2_628_000, source=own.SOURCE)
    fleet = own.Fleet(server=server, throughput=rate)
    power = Power(fleet, price_per_kwh="0.8 CNY", pue=1.4)
    bought = Purchase(fleet, life_years=3, salvage=salvage)
    return bought + (Escalated(power, 0.03) if escalated else power)


def routes(*, salvage: bool = False, escalated: bool = False) -> dict[str, Route]:
    """Make four routes."""
    more = {"salvage": "1000 CNY" if salvage else None, "escalated": escalated}
    return {
        "small": Route(local("small", "36000 CNY", 10_000, **more), quality=0.6),
        "middle": Route(local("middle", "80000 CNY", 25_000, **more), quality=0.7),
        "large": Route(local("large", "150000 CNY", 50_000, **more), quality=0.75),
        "cloud": Route(api("0.15", "cloud"), quality=0.9),
    }


def grid(demand) -> float:
    """Give the time that the same mixes take on a grid of shares, evaluated in one go. [s]"""
    ends = np.linspace(0.0, 1.0, GRID + 1)
    parts = np.array([one for one in np.array(np.meshgrid(ends, ends, ends)).reshape(3, -1).T if one.sum() <= 1.0])
    shares = [*parts.T, 1.0 - parts.sum(axis=1)]
    begin = time.perf_counter()
    mixed = {
        name: Route(route.target, share=np.maximum(share, 0.0))
        for (name, route), share in zip(routes().items(), shares, strict=True)
    }
    ledger = TERMS.ledger(Router(mixed), demand)
    least = TERMS.present_value(TERMS.costs(ledger)).min()
    print(f"  grid of {len(parts):,} mixes: {time.perf_counter() - begin:.2f} s, cheapest {least:,.0f} CNY, no bound")


def main() -> None:
    """Measure and print."""
    cheapest_mix({"cloud": Route(api("0.15", "cloud"))}, Workload(requests_per_month=1, input_tokens=1, output_tokens=1).on(Timeline(date(2026, 12, 1), 1)), TERMS)  # fmt: skip
    cached = {"wrap": lambda router: SemanticCache(router, hit_rate=0.3, upkeep_per_month="700 CNY")}
    cases = {
        "cost alone": (routes(), {}),
        "quality of at least 0.8": (routes(), {"min_quality": 0.8}),
        "the same behind a cache": (routes(), {"min_quality": 0.8, **cached}),
        "gap of 0.001 %": (routes(), {"gap": 1e-5}),
        "electricity dearer by the year": (routes(escalated=True), {}),
        "servers that are sold at the end": (routes(salvage=True), {}),
    }
    for requests in (200_000, 2_000_000):
        workload = Workload(requests_per_month=requests, input_tokens=500, output_tokens=300, growth_per_year=0.3)
        demand = workload.on(Timeline(date(2026, 12, 1), MONTHS))
        print(f"{requests:,} requests a month, growing, {MONTHS} months, 4 routes")
        for name, (ways, asked) in cases.items():
            begin = time.perf_counter()
            mix = cheapest_mix(ways, demand, TERMS, **asked)
            took = time.perf_counter() - begin
            unproven = f", estimated for {', '.join(mix.unproven)}" if mix.unproven else ""
            print(f"  {name:34}{took:6.2f} s  {mix.cost:12,.0f} CNY, gap {mix.gap:.4%}{unproven}")
        if requests == 200_000:
            grid(demand)


if __name__ == "__main__":
    main()
