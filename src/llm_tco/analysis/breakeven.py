"""Break-even volumes: every one, exact on whole servers.

Cost is affine in the volume wherever the steps of a ledger do not change and it is not
curved, and many ledgers are certain that it never falls as the volume rises. So the search
cuts the range of volumes, for all options in one evaluation a round, until each piece is
affine, or holds no crossing because at its upper end one option still costs less than the
other at its lower end. Then it solves each pair on each piece and checks the whole requests beside
the solution by evaluation. A curved cost that may fall is read from a grid, and the result says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.analysis.crossings import Crossings, cheaper_one, crossings
from llm_tco.analysis.terms import Terms
from llm_tco.components.base import Component
from llm_tco.demand import Workload
from llm_tco.ledger import Ledger
from llm_tco.timeline import Timeline

PARTS: Final = 24
"""Parts into which a piece with a step in it is cut."""
MAX_POINTS: Final = 5_000
"""Volumes that are evaluated at most; what is left is reported as a range."""
BLOCK: Final = 64
"""Volumes that are evaluated at once: with the hours of the week and the months they fit the cache."""
SMOOTH_PARTS: Final = 64
"""Parts into which the range is cut where a cost is curved and may fall."""


_CLEARLY: Final = 1.0 - 1e-9
"""Share of a cost below which another one is less beyond rounding errors."""


@attrs.frozen(eq=False)
class _Point:
    """What is known at one volume: the cost of each option, whether it carries the load, and the steps."""

    costs: FloatArray
    feasible: np.ndarray
    steps: bytes


@attrs.define(eq=False)
class VolumeSearch:
    """Costs of several options over a range of volumes.

    Attributes:
        options: The options by name.
        workload: The workload; its requests per month are varied.
        timeline: The months.
        terms: The terms.
        low: Lowest number of requests in month 1.
        high: Highest one.
    """

    options: Mapping[str, Component]
    workload: Workload
    timeline: Timeline
    terms: Terms
    low: int
    high: int
    _known: dict[int, _Point] = attrs.field(factory=dict, init=False)
    _open: list[tuple[int, int]] = attrs.field(factory=list, init=False)
    _smooth: bool = attrs.field(default=False, init=False)
    _rising: bool = attrs.field(default=False, init=False)
    _grid: list[int] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._rising = bool(np.all(np.greater_equal(self.terms.nominal_rate, 0)))
        self._evaluate([self.low, self.high])
        if self._smooth and not self._rising:
            self._grid = _cut(self.low, self.high, SMOOTH_PARTS)
            self._evaluate(self._grid)
        self._refine()
        self._solve()

    def _evaluate(self, volumes: Sequence[int]) -> None:
        """Evaluate all options at new volumes, along a leading axis."""
        every = sorted(set(volumes) - self._known.keys())
        for first in range(0, len(every), BLOCK):
            self._evaluate_block(every[first : first + BLOCK])

    def _evaluate_block(self, new: list[int]) -> None:
        workload = attrs.evolve(self.workload, requests_per_month=np.array(new, dtype=np.float64))
        demand = workload.on(self.timeline)
        ledgers = [self.terms.ledger(component, demand) for component in self.options.values()]
        shape = (len(new), self.timeline.size)
        costs, feasible = [], []
        for ledger in ledgers:
            flows = np.broadcast_to(self.terms.costs(ledger), shape)
            costs.append(np.broadcast_to(self.terms.present_value(flows), len(new)))
            short = np.broadcast_to(ledger.unserved, shape).max(axis=-1)
            feasible.append((short <= 0) & (not ledger.unpriced))
        self._smooth |= any(ledger.smooth for ledger in ledgers)
        self._rising &= all(ledger.rising for ledger in ledgers)
        steps = _steps(ledgers, shape)
        for place, volume in enumerate(new):
            self._known[volume] = _Point(
                np.array([cost[place] for cost in costs]),
                np.array([able[place] for able in feasible]),
                steps[place].tobytes(),
            )

    def _refine(self) -> None:
        """Cut the range until each piece is affine, or holds no crossing.

        Where there are more pieces than volumes may be evaluated, the broadest go first.
        """
        pieces = list(itertools.pairwise(sorted(self._known)))
        pairs = list(itertools.combinations(range(len(self.options)), 2))
        while True:
            uneven = [
                (low, high)
                for low, high in pieces
                if high - low > 1
                and not self._affine(low, high)
                and not all(self._decided(low, high, *pair) for pair in pairs)
            ]
            room = max(MAX_POINTS - len(self._known), 0) // (PARTS - 1)
            uneven.sort(key=_breadth, reverse=True)
            self._open += uneven[room:]
            if not uneven[:room]:
                return
            cuts = [_cut(low, high, PARTS) for low, high in uneven[:room]]
            self._evaluate([volume for cut in cuts for volume in cut])
            pieces = [piece for cut in cuts for piece in itertools.pairwise(cut)]

    def _affine(self, low: int, high: int) -> bool:
        """Say whether costs are taken to be affine between two volumes; those of a grid are."""
        curved = self._smooth and self._rising
        return not curved and self._known[low].steps == self._known[high].steps

    def _decided(self, low: int, high: int, a: int, b: int) -> bool:
        """Say whether two options surely keep their places between two volumes.

        They do where both carry the load at both ends and one costs less at the upper end
        than the other at the lower one, or where the same one of them, or neither, carries it.
        """
        begin, end = self._known[low], self._known[high]
        if not self._rising or begin.feasible[a] != end.feasible[a] or begin.feasible[b] != end.feasible[b]:
            return False
        apart = end.costs[a] < begin.costs[b] * _CLEARLY or end.costs[b] < begin.costs[a] * _CLEARLY
        return bool(apart or not (begin.feasible[a] and begin.feasible[b]))

    def _solve(self) -> None:
        """Evaluate the whole requests beside each solution of each pair on each affine piece.

        The middle of the piece comes along, so that rounding errors delay the end and never prevent it.
        """
        while True:
            volumes = np.array(sorted(self._known), dtype=np.float64)
            costs = np.array([self._known[int(volume)].costs for volume in volumes])
            beside: set[int] = set()
            for a, b in itertools.combinations(range(len(self.options)), 2):
                difference = costs[:, a] - costs[:, b]
                sign = cheaper_one(costs[:, a], costs[:, b])
                change = np.flatnonzero((sign[1:] != sign[:-1]) & (np.diff(volumes) > 1))
                low, high = volumes[change], volumes[change + 1]
                step = difference[change] - difference[change + 1]
                share = np.divide(difference[change], step, out=np.full(step.shape, 0.5), where=step != 0)
                solution = np.clip(np.floor(low + share * (high - low)), low, high - 1)
                middle = np.floor((low + high) / 2)
                beside.update(int(volume) for volume in np.concatenate([solution, solution + 1, middle]))
            if beside <= self._known.keys():
                return
            self._evaluate(sorted(beside))

    def pair(self, a: str, b: str) -> Crossings:
        """Give every change of the cheaper of two options over the volumes."""
        names = list(self.options)
        points = sorted(self._known)
        first, second = names.index(a), names.index(b)
        costs = np.array([self._known[volume].costs for volume in points])
        feasible = np.array([self._known[volume].feasible for volume in points])
        unsure = [piece for piece in self._open if not self._decided(*piece, first, second)]
        curved = list(itertools.pairwise(self._grid))
        return crossings(
            (a, b),
            points,
            (costs[:, first], costs[:, second]),
            (feasible[:, first], feasible[:, second]),
            open_end=True,
            within=_joined([*unsure, *curved]),
        )


def _breadth(piece: tuple[int, int]) -> float:
    """Say how broad a range of volumes is: the ratio of its ends."""
    low, high = piece
    return (high + 1) / (low + 1)


def _joined(ranges: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join ranges that touch."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def _cut(low: int, high: int, parts: int) -> list[int]:
    """Cut a range of whole numbers into so many parts of nearly equal size, where it is wide enough."""
    parts = min(parts, high - low)
    return [low + (high - low) * part // parts for part in range(parts + 1)]


def _steps(ledgers: Sequence[Ledger], shape: tuple[int, int]) -> FloatArray:
    """Gather the steps of all ledgers, one row for each volume."""
    rows = [np.broadcast_to(step, shape) for ledger in ledgers for step in ledger.steps.values()]
    return np.concatenate([np.zeros((shape[0], 1)), *rows], axis=-1) + 0.0
