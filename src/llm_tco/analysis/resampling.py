"""How far the figures of a policy may be off, because the queries are a sample."""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, check_bounds, to_number
from llm_tco.analysis.frontier import Frontier
from llm_tco.analysis.routing import Policy, RoutingPoint, Saving
from llm_tco.errors import InvalidValueError

_CELLS: Final = 2**21
"""Draws × queries that are held at once."""


@attrs.frozen
class Interval:
    """Bounds between which a figure lies with a stated confidence.

    Attributes:
        low: Lower bound.
        high: Upper bound.
    """

    low: float
    high: float


@attrs.frozen(kw_only=True)
class Intervals:
    """Bootstrap intervals of a policy and of its saving.

    Attributes:
        saving: The figures of the whole table.
        level: Confidence of each interval, 0 to 1.
        draws: Resamples.
        seed: Seed of the resamples.
        quality: Interval of the quality.
        cost_per_request: Interval of the cost of a request. [currency]
        saving_per_request: Interval of what a request saves. [currency]
        saving_share: Interval of the saved share of the baseline's cost; None where the
            baseline costs nothing, or next to it, in a resample.
        quality_difference: Interval of the quality less that of the baseline.
    """

    saving: Saving
    level: float
    draws: int
    seed: int
    quality: Interval
    cost_per_request: Interval
    saving_per_request: Interval
    saving_share: Interval | None
    quality_difference: Interval

    def as_dict(self) -> dict[str, Any]:
        """Give the intervals as plain values, for JSON."""
        return attrs.asdict(self, filter=lambda attribute, _: attribute.name != "saving")


def bootstrap(
    frontier: Frontier,
    of: RoutingPoint | Policy,
    *,
    baseline: str | RoutingPoint | Policy,
    level: float = 0.95,
    draws: int = 1_000,
    seed: int = 0,
) -> Intervals:
    """Draw the queries again with replacement, and give percentile intervals.

    Policy and baseline see the same resamples and stay as they are: a threshold is not
    chosen anew. The same seed gives the same bits, in whatever order the queries stand
    (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

    Args:
        frontier: The table and its policies.
        of: The policy, or its point.
        baseline: As in `Frontier.saving`.
        level: Confidence of each interval, 0 to 1.
        draws: Resamples.
        seed: Seed of the resamples.

    Raises:
        InvalidValueError: The level is outside 0 to 1, or there are no draws.
    """
    check_bounds(to_number(level, "level"), "level", gt=0, le=1)
    for name, value, least in (("draws", draws, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidValueError(name, f"must be a whole number of at least {least}, got {value!r}")
    saving = frontier.saving(of, baseline)
    columns = np.concatenate([frontier.per_query(point.policy) for point in (saving.point, saving.against)])
    quality, cost, base_quality, base_cost = _means(columns[:, np.lexsort(columns)], draws, seed)
    with np.errstate(all="ignore"):
        share = (base_cost - cost) / base_cost

    def interval(figures: FloatArray) -> Interval:
        return Interval(*np.quantile(figures, [(1 - level) / 2, (1 + level) / 2]).tolist())

    return Intervals(
        saving=saving,
        level=level,
        draws=draws,
        seed=seed,
        quality=interval(quality),
        cost_per_request=interval(cost),
        saving_per_request=interval(base_cost - cost),
        saving_share=interval(share) if np.isfinite(share).all() else None,
        quality_difference=interval(quality - base_quality),
    )


def _means(columns: FloatArray, draws: int, seed: int) -> FloatArray:
    """Give the means of each resample, shape `(columns, draws)`."""
    queries = columns.shape[1]
    # The block follows from the table alone, so that the bits follow from the seed alone.
    block = max(1, _CELLS // queries)
    means = [
        _block(columns, min(block, draws - start), np.random.SeedSequence(seed, spawn_key=(start // block,)))
        for start in range(0, draws, block)
    ]
    return np.concatenate(means, axis=1)


def _block(columns: FloatArray, draws: int, seed: np.random.SeedSequence) -> FloatArray:
    queries = columns.shape[1]
    picked = np.random.default_rng(seed).integers(0, queries, (draws, queries))
    picked += np.arange(draws)[:, None] * queries
    counts = np.bincount(picked.ravel(), minlength=draws * queries).reshape(draws, queries)
    return np.asarray(np.einsum("dq,cq->cd", counts.astype(np.float64), columns) / queries)
