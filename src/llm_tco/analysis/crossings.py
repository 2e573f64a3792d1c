"""Where one option becomes cheaper than another, along months or volumes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import attrs
import numpy as np

from llm_tco._fields import FloatArray

Standing = Literal["never", "always", "once", "several", "tie", "infeasible"]

_TIE = 1e-12
"""Difference, relative to the costs, below which two of them are equal: rounding errors."""


@attrs.frozen(kw_only=True)
class Interval:
    """A range in which one option stays the cheaper one.

    Attributes:
        start: First month or volume.
        end: Last one, included; None where the search ended there.
        cheaper: The cheaper of the options that carry the load; None in a tie, or where
            neither carries it.
        carried_by: The options of the pair that carry the load.
    """

    start: int
    end: int | None
    cheaper: str | None
    carried_by: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Crossings:
    """Every change of the cheaper option of a pair (a, b).

    Attributes:
        state: `"never"`: a is nowhere cheaper; `"always"`: everywhere; `"once"`: the
            cheaper option changes one time; `"several"`: it changes more often; `"tie"`:
            they cost the same; `"infeasible"`: nowhere do both carry the load. Changes
            that come from one of them no longer carrying the load don't count.
        intervals: All ranges, in rising order, without gaps.
        first: Start of the range after the first change.
        within: Ranges, each with its ends, inside which there may be more changes than are
            given: too many steps, or a cost that is curved.
    """

    state: Standing
    intervals: tuple[Interval, ...]
    first: int | None = None
    within: tuple[tuple[int, int], ...] = ()


def cheaper_one(one: FloatArray, other: FloatArray) -> FloatArray:
    """Say which of two costs is less: −1 for the first, 1 for the second, 0 where they are equal."""
    difference = one - other
    tie = np.abs(difference) <= _TIE * (np.abs(one) + np.abs(other))
    return np.where(tie, 0.0, np.sign(difference))


def crossings(
    names: tuple[str, str],
    points: Sequence[int],
    costs: tuple[FloatArray, FloatArray],
    feasible: tuple[np.ndarray, np.ndarray],
    *,
    open_end: bool,
    within: tuple[tuple[int, int], ...] = (),
) -> Crossings:
    """Turn costs at rising points into ranges; between two points nothing else changes.

    Args:
        names: The pair.
        points: Months or volumes, rising.
        costs: Cost of each option at each point.
        feasible: Whether each option carries the load at each point.
        open_end: Whether the last range goes on.
        within: Ranges that could not be resolved.
    """
    sign = cheaper_one(*costs)
    only_one = feasible[0] != feasible[1]
    winner = np.where(only_one, np.where(feasible[0], -1.0, 1.0), np.where(feasible[0], sign, 0.0))
    label = np.stack([winner, feasible[0], feasible[1]])
    starts = np.concatenate([[0], np.flatnonzero((label[:, 1:] != label[:, :-1]).any(axis=0)) + 1])
    ends: list[int | None] = [points[start] - 1 for start in starts[1:]]
    intervals = [
        Interval(
            start=points[start],
            end=end,
            cheaper={-1.0: names[0], 1.0: names[1]}.get(float(winner[start])),
            carried_by=tuple(name for name, able in zip(names, feasible, strict=True) if able[start]),
        )
        for start, end in zip(starts, [*ends, None if open_end else points[-1]], strict=True)
    ]
    return Crossings(
        state=_standing(names[0], intervals), intervals=tuple(intervals), first=_first(intervals), within=within
    )


def _contested(intervals: Sequence[Interval]) -> list[Interval]:
    return [one for one in intervals if len(one.carried_by) == 2]


def _changes(intervals: Sequence[Interval]) -> list[Interval]:
    """Give the ranges that begin with a change between options that both carry the load."""
    decided = [one for one in _contested(intervals) if one.cheaper is not None]
    return [after for before, after in itertools.pairwise(decided) if before.cheaper != after.cheaper]


def _standing(a: str, intervals: Sequence[Interval]) -> Standing:
    contested = _contested(intervals)
    if not contested:
        return "infeasible"
    changes = _changes(intervals)
    if changes:
        return "once" if len(changes) == 1 else "several"
    winners = {one.cheaper for one in contested} - {None}
    if not winners:
        return "tie"
    return "always" if winners == {a} else "never"


def _first(intervals: Sequence[Interval]) -> int | None:
    changes = _changes(intervals)
    return changes[0].start if changes else None
