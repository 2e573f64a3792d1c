"""How fast requests are priced, as ratios measured in one run.

    python benchmarks/prices.py

The other side is the per-request function of genai-prices, which the plugin
llm-tco-genai-prices reads its data from; both price the same model at the same moment.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price

from llm_tco import load_catalog
from llm_tco.catalog.prices import Usage

AT = datetime(2026, 11, 21, 2, tzinfo=UTC)
PLUGIN = "llm-tco-genai-prices"
MODELS = (("openai", "gpt-4o-mini"), ("google", "gemini-2.5-pro"), ("deepseek", "deepseek-v4-pro"))
REQUESTS = 1_000_000


def calls(*functions: tuple[Callable[[], object], int], runs: int = 15) -> list[float]:
    """Give the time of one call of each function, the least of several runs in turn. [s]

    They take turns, so that a load of the machine falls on all of them, and the least is
    what the machine takes when nothing else runs.
    """
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(runs):
        for place, (function, count) in enumerate(functions):
            begin = time.perf_counter()
            for _ in range(count):
                function()
            times[place].append((time.perf_counter() - begin) / count)
    return [min(one) for one in times]


HOOK = """
import time
import llm_tco.catalog.prices
begin = time.perf_counter()
import llm_tco_genai_prices
rows = llm_tco_genai_prices.llm_tco_price_sheets()
print(time.perf_counter() - begin, len(rows))
"""


def hook(runs: int = 7) -> tuple[float, int]:
    """Give the median time of the plugin's hook in a process of its own, and how many rows it gives. [s, 1]

    The first run compiles modules that the installer did not, and is left out.
    """
    times = []
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(runs + 1):
            done = subprocess.run(
                [sys.executable, "-c", HOOK], env=environment, check=True, capture_output=True, text=True
            )
            seconds, rows = done.stdout.split()
            times.append(float(seconds))
    return statistics.median(times[1:]), int(rows)


def main() -> None:
    """Measure and print."""
    seconds, rows = hook()
    print(f"the plugin's hook, in a new process {seconds:8.2f} s for {rows:,} rows")
    begin = time.perf_counter()
    catalog = load_catalog()
    print(f"loading every plugin                {time.perf_counter() - begin:8.2f} s")
    rng = np.random.default_rng(1)
    inputs = rng.integers(1, 300_000, REQUESTS)
    outputs, cached = rng.integers(1, 8_000, REQUESTS), inputs // 3
    moments = np.datetime64("2026-11-01T00:00", "s") + rng.integers(0, 20 * 86_400, REQUESTS)
    for provider, model in MODELS:
        price = catalog.price(provider, model, on=AT, plugin=PLUGIN)
        theirs = TheirUsage(input_tokens=12_000, cache_read_tokens=300, output_tokens=700)
        ours = Usage(12_000, 700, 300)
        at = AT if price.windows else None
        other = calc_price(theirs, model, provider_id=provider, genai_request_timestamp=AT).total_price
        assert price.cost(ours, AT, exact=True) == other, "the two disagree"

        usage = Usage(inputs, outputs, cached)
        reference, one, whole, ready, many, apart = calls(
            (
                lambda model=model, provider=provider, theirs=theirs: calc_price(theirs, model, provider_id=provider),
                100,
            ),
            (lambda price=price, ours=ours, at=at: price.cost(ours, at), 2_000),
            (lambda price=price, at=at: price.cost(Usage(12_000, 700, 300), at), 2_000),
            (lambda price=price, at=at, usage=usage: price.cost(usage, at), 1),
            (lambda price=price, at=at: price.cost(Usage(inputs, outputs, cached), at), 1),
            (lambda price=price: price.cost(Usage(inputs, outputs, cached), moments), 1),
        )
        print(f"{provider}/{model}")
        print(f"  genai-prices, one request         {reference * 1e6:8.1f} µs")
        print(f"  one request                       {reference / one:8.0f} × its rate, {one * 1e6:.2f} µs")
        print(f"  … with its usage made             {reference / whole:8.0f} × its rate, {whole * 1e6:.2f} µs")
        for text, seconds in (
            ("a million requests at once  ", ready),
            ("… with their usage made     ", many),
            ("… each at its own moment    ", apart),
        ):
            rate = reference * REQUESTS / seconds
            print(f"  {text}      {rate:8.0f} × its rate, {seconds * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
