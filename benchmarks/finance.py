"""How fast llm_tco.finance is, as ratios measured in one run.

    python benchmarks/finance.py

It needs pyxirr and numpy-financial. They take one stream at a time, so a sample of the streams
is timed and extrapolated. Absolute times differ between machines; ratios hold.
"""

from __future__ import annotations

import time

import numpy as np
import numpy_financial
import pyxirr

from llm_tco import finance

STREAMS, MONTHS, VALUED = 100_000, 60, 1_000_000
SAMPLES = {"pyxirr": 10_000, "numpy-financial": 300}


def best(function, runs: int = 7) -> float:
    """Give the least time of a call: what is above it is the machine's noise. [s]"""
    function()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def investments(streams: int) -> np.ndarray:
    """Draw an outlay and what it saves in each month."""
    rng = np.random.default_rng(60)
    flows = rng.uniform(0.0, 5.0, (streams, MONTHS))
    flows[:, 0] = -100.0
    return flows


def many() -> None:
    """Compare the rates of many streams."""
    flows = investments(STREAMS)
    ours = best(lambda: finance.irr(flows))
    print(f"irr of {STREAMS:,} × {MONTHS}: {ours * 1e3:.0f} ms, {STREAMS / ours / 1e6:.2f} million a second")
    peers = {"pyxirr": pyxirr.irr, "numpy-financial": numpy_financial.irr}
    for name, size in SAMPLES.items():
        rows, peer = flows[:size], peers[name]
        theirs = best(lambda peer=peer, rows=rows: [peer(row) for row in rows], runs=3) * STREAMS / size
        agree = np.allclose(finance.irr(rows), [peer(row) for row in rows], rtol=0, atol=1e-7)
        print(f"  {theirs / ours:8.1f} × faster than a loop of {name} ({size:,} streams, extrapolated; agree: {agree})")


def one() -> None:
    """Compare the rate of one stream."""
    flows = investments(1)[0]
    ours = best(lambda: [finance.irr(flows) for _ in range(1_000)], runs=20)
    theirs = best(lambda: [pyxirr.irr(flows) for _ in range(1_000)], runs=20)
    print(f"irr of one stream of {MONTHS}: {ours * 1e3:.0f} µs\n  {ours / theirs:8.1f} × the time of pyxirr")


def several() -> None:
    """Time streams whose rates have to be told apart."""
    flows = np.append(investments(200), np.full((200, 1), -60.0), axis=-1)
    ours = best(lambda: finance.irr(flows))
    print(f"irr of streams with two sign changes: {ours / 200 * 1e6:.0f} µs each, all rates found")


def values() -> None:
    """Compare present values with the forms of NumPy that give each row the bits of its scalar run."""
    flows = np.random.default_rng(1).uniform(-1.0, 5.0, (VALUED, MONTHS))
    factors = 1.01 ** -np.arange(MONTHS)
    forms = {
        "vecdot": lambda: np.vecdot(flows, factors),
        "einsum": lambda: np.einsum("ij,j->i", flows, factors),
    }
    fastest = min(best(form) for form in forms.values())
    ours = best(lambda: finance.npv(0.01, flows))
    print(f"npv of {VALUED:,} × {MONTHS}: {ours * 1e3:.0f} ms")
    print(f"  {ours / fastest:8.2f} × the fastest of {', '.join(forms)}")
    print(f"  {ours / best(lambda: flows @ factors):8.2f} × flows @ factors, whose rows differ from scalar runs")


if __name__ == "__main__":
    many()
    one()
    several()
    values()
