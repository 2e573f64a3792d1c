"""How fast llm_tco is, as ratios measured in one run.

    python benchmarks/speed.py

Imports and commands are compared with a bare interpreter, comparisons with the same
arithmetic written by hand in NumPy. Absolute times differ between machines; ratios hold.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal

import numpy as np

from llm_tco import (
    ApiUsage,
    Fleet,
    Labour,
    Money,
    Power,
    Purchase,
    Route,
    Router,
    SemanticCache,
    Timeline,
    Workload,
    compare,
)
from llm_tco.catalog.hardware import Part, Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.prices import Rate, TokenPrice
from llm_tco.catalog.records import Source

SOURCE = Source(title="benchmark", checked=date(2026, 11, 1))
MONTHS = 36


def process(*arguments: str, runs: int = 15) -> float:
    """Give the median time of a whole process. [s]"""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def call(function, runs: int = 30) -> float:
    """Give the median time of a call. [s]"""
    function()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def options(pue=1.5, price_per_kwh="1.0 CNY", hit_rate=0.35):
    """Make the three options of the first page."""
    server = Server(
        key="box", name="Box", gpu="rtx-4090", idle_w=105, peak_w=600, source=SOURCE,
        parts=(Part(name="all", price=Money.parse("25900 CNY")),),
    )  # fmt: skip
    rate = Throughput(gpu="rtx-4090", model="m", quantisation="q", output_tokens_per_s=120, source=SOURCE)
    price = TokenPrice(
        provider="openai", model="gpt-4o-mini", currency="USD", source=SOURCE,
        input=Rate(base=Decimal("0.15")), output=Rate(base=Decimal("0.60")),
    )  # fmt: skip
    box = Fleet(server=server, throughput=rate)
    local = (
        Purchase(box, life_years=3)
        + Power(box, price_per_kwh=price_per_kwh, pue=pue)
        + Labour("ops", hours_per_month=20, rate_per_hour="400 CNY")
    )
    cloud = ApiUsage(price)
    routes = {"easy": Route(local, share=0.8), "hard": Route(cloud, share=0.2)}
    mixed = SemanticCache(Router(routes), hit_rate=hit_rate, upkeep_per_month="700 CNY")
    return {"local": local, "cloud": cloud, "mixed": mixed}


def run(chosen, workload):
    """Compare on the terms of the first page."""
    timeline = Timeline(start=date(2026, 12, 1), months=MONTHS)
    return compare(chosen, workload, timeline, currency="CNY", fx={"USD": 7.2}, discount_rate=0.08)


def everything(chosen, workload):
    """Compare, with all pairs' break-even and returns."""
    result = run(chosen, workload)
    for a, b in result.pairs:
        result.break_even(a, b)
        dearer, cheaper = result.dearer_upfront(a, b)
        result.investment(dearer, instead_of=cheaper)
    return [option.npv_cost for option in result.options.values()]


def by_hand(requests, pue, kwh_price, hit_rate):
    """Write the three present values of the first page out in NumPy; arguments are numbers or draws."""
    requests, pue, kwh_price, hit_rate = (np.asarray(x, float)[..., None] for x in (requests, pue, kwh_price, hit_rate))
    factors = 1.08 ** (-np.arange(1, MONTHS + 1) / 12)
    values = []
    for share in (1.0, 0.0, 0.8):
        left = requests * (1 - hit_rate) if share == 0.8 else requests
        local = left * share
        hours = local * 300 / 120 / 3600
        servers = np.ceil(hours / 730 * 4.2)
        power = (servers * 105 * 730 + 495 * hours) / 1000 * pue * kwh_price
        api = left * (1 - share) * (500 * 0.15 + 300 * 0.60) / 1e6 * 7.2
        labour = 8000.0 if share else 0.0
        cache = 700.0 if share == 0.8 else 0.0
        flows = np.broadcast_to(power + api + labour + cache, (*left.shape[:-1], MONTHS))
        values.append(servers[..., 0] * 25_900 + np.vecdot(flows, factors))
    return values


def main() -> None:
    """Measure and print."""
    bare = process("-c", "pass")
    package = process("-c", "import llm_tco")
    help_text = process("-c", "from llm_tco.cli import main; main(['--help'])")
    print(f"bare interpreter                    {bare * 1e3:8.1f} ms")
    print(f"import llm_tco                      {package / bare:8.2f} × bare, {(package - bare) * 1e3:.1f} ms over it")
    print(f"llm-tco --help                      {help_text / bare:8.2f} × bare, {help_text * 1e3:.0f} ms in all")

    team = Workload(requests_per_month=20_000, input_tokens=500, output_tokens=300, peak_to_mean=4.2)
    chosen = options()
    hand = call(lambda: by_hand(20_000, 1.5, 1.0, 0.35))
    plain = call(lambda: [option.npv_cost for option in run(chosen, team).options.values()])
    full = call(lambda: everything(chosen, team))
    print(f"compare, three present values       {plain / hand:8.1f} × by hand, {plain * 1e3:.2f} ms")
    print(f"… with all break-evens and returns  {full / hand:8.1f} × by hand, {full * 1e3:.2f} ms")

    rng = np.random.default_rng(1)
    n = 512
    requests, pue, kwh, hits = (
        rng.uniform(1e4, 1e6, n),
        rng.uniform(1, 2, n),
        rng.uniform(0.3, 1.5, n),
        rng.uniform(0, 0.9, n),
    )
    drawn = options(pue=pue, price_per_kwh=Money(kwh, "CNY"), hit_rate=hits)
    busy = Workload(requests_per_month=requests, input_tokens=500, output_tokens=300, peak_to_mean=4.2)
    expected = by_hand(requests, pue, kwh, hits)
    found = [option.npv_cost for option in run(drawn, busy).options.values()]
    assert all(np.allclose(one, other) for one, other in zip(expected, found, strict=True)), "the two disagree"
    hand = call(lambda: by_hand(requests, pue, kwh, hits))
    batch = call(lambda: [option.npv_cost for option in run(drawn, busy).options.values()])
    print(f"512 draws in one evaluation         {batch / hand:8.1f} × by hand, {batch / n * 1e6:.1f} µs a draw")


if __name__ == "__main__":
    main()
