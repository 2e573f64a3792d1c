"""How fast the frontier of routers is, and how it compares with a loop over thresholds.

    python benchmarks/frontier.py

Absolute times differ between machines; ratios hold.
"""

from __future__ import annotations

import time

import numpy as np

from llm_tco.analysis.frontier import Frontier
from llm_tco.analysis.resampling import bootstrap
from llm_tco.usage.outcomes import Outcomes

QUERIES, MODELS, LOOPED, DRAWS = 100_000, 10, 100, 200


def best(function, runs: int = 5) -> float:
    """Give the least time of a call: what is above it is the machine's noise. [s]"""
    function()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def table(levels: int | None = None) -> Outcomes:
    """Draw queries of different difficulty, models of different skill, and an informed score."""
    rng = np.random.default_rng(7)
    difficulty = rng.uniform(0.0, 1.0, QUERIES)
    skill = np.linspace(0.45, 0.95, MODELS)
    right = rng.uniform(size=(QUERIES, MODELS)) < np.clip(skill + 0.4 * (0.5 - difficulty)[:, None], 0.02, 0.98)
    tokens = rng.lognormal(6.0, 0.8, (QUERIES, MODELS))
    score = difficulty + rng.normal(0.0, 0.2, QUERIES)
    score = score if levels is None else np.round(score * levels) / levels
    return Outcomes(
        models=tuple(f"model-{place}" for place in range(MODELS)),
        quality=right.astype(float),
        cost=tokens * np.geomspace(1e-7, 2e-5, MODELS),
        currency="USD",
        scores={"score": score},
    )


def whole(outcomes: Outcomes) -> Frontier:
    """Compute the threshold curve, the hull over all models and pairs, and the oracle."""
    frontier = Frontier(outcomes, score="score")
    frontier.curve()
    frontier.hull  # noqa: B018 - it is computed when asked for
    frontier.oracle  # noqa: B018
    return frontier


def looped(outcomes: Outcomes, thresholds: np.ndarray) -> list[np.ndarray]:
    """Route all queries anew at each threshold."""
    score = outcomes.scores["score"]
    weak, strong = (np.stack([table[:, place] for table in (outcomes.quality, outcomes.cost)]) for place in (0, -1))
    return [np.where(score >= threshold, strong, weak).mean(axis=1) for threshold in thresholds]


def main() -> None:
    """Time the parts and print them."""
    for name, levels in (("all scores different", None), ("scores of 20 levels", 20)):
        outcomes = table(levels)
        frontier = whole(outcomes)
        seconds = best(lambda outcomes=outcomes: whole(outcomes))
        corners, distinct = len(frontier.hull.points), len(frontier.curve().thresholds)
        print(f"{QUERIES:,} queries × {MODELS} models, {name}: {seconds * 1e3:.0f} ms for curve, hull and oracle")
        print(
            f"  {distinct:,} thresholds for each of {MODELS * (MODELS - 1) // 2} pairs, {corners} corners of the hull"
        )
    outcomes = table()
    frontier = whole(outcomes)
    curve = best(lambda: Frontier(outcomes, score="score").curve())
    thresholds = frontier.curve(weak="model-0", strong="model-9").thresholds
    naive = best(lambda: looped(outcomes, thresholds[:LOOPED]), runs=2) * thresholds.size / LOOPED
    print(f"threshold curve of one pair: {curve * 1e3:.0f} ms")
    print(f"  {naive / curve:,.0f} × faster than routing anew at each threshold ({LOOPED} timed, extrapolated)")
    point = frontier.oracle
    seconds = best(lambda: bootstrap(frontier, point, baseline="strong", draws=DRAWS), runs=2)
    print(f"bootstrap of a policy and its baseline, {DRAWS} draws: {seconds * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
