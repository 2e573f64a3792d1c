"""Break-even volumes: every one, exact on whole servers.

Cost is affine in the volume wherever the steps of a ledger do not change and it is not
curved, and many ledgers are certain that it never falls as the volume rises. So the search
of a pair cuts the range of volumes until each piece is affine, or holds no crossing because
at its upper end one option still costs less than the other at its lower end. Then it solves
each affine piece and checks the whole requests beside the solution by evaluation. A curved
cost that may fall is read from a grid, and the result says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.analysis.crossings import Crossings, cheaper_one, crossings
from llm_tco.analysis.terms import Terms
from llm_tco.components.base import Component
from llm_tco.demand import Demand, Workload
from llm_tco.ledger import Ledger
from llm_tco.timeline import Timeline

PARTS: Final = 24
"""Parts into which a piece with a step in it is cut."""
MAX_POINTS: Final = 5_000
"""Volumes that are evaluated for a pair at most; what is left is reported as a range."""
BLOCK: Final = 128
"""Volumes that are evaluated at once: with the hours of the week and three years of months, 6 MB an array."""
GRID_PARTS: Final = 64
"""Parts into which the range is cut where a cost is curved and may fall."""


_CLEARLY: Final = 1.0 - 1e-9
"""Share of a cost below which another one is less beyond rounding errors."""


@attrs.frozen
class _Point:
    """What is known of an option at one volume: its cost, whether it carries the load, and its steps."""

    cost: float
    able: bool
    steps: bytes


@attrs.define(eq=False)
class _Curve:
    """An option over the volumes.

    Attributes:
        component: The option.
        terms: The terms.
        known: What was evaluated, by volume.
        curved: Whether cost is curved between steps.
        rising: Whether it is certain that cost never falls as the volume rises.
    """

    component: Component
    terms: Terms
    known: dict[int, _Point] = attrs.field(factory=dict, init=False)
    curved: bool = attrs.field(default=False, init=False)
    rising: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rising = bool(np.all(np.greater_equal(self.terms.nominal_rate, 0)))

    def evaluate(self, volumes: list[int], demand: Demand) -> None:
        """Evaluate it at some volumes, along a leading axis."""
        ledger = self.terms.ledger(self.component, demand)
        shape = (len(volumes), demand.timeline.size)
        flows = np.broadcast_to(self.terms.costs(ledger), shape)
        costs = np.broadcast_to(self.terms.present_value(flows), len(volumes))
        short = np.broadcast_to(ledger.unserved, shape).max(axis=-1)
        able = (short <= 0) & (not ledger.unpriced)
        steps = _steps(ledger, shape)
        self.curved |= ledger.smooth
        self.rising &= ledger.rising
        for place, volume in enumerate(volumes):
            self.known[volume] = _Point(float(costs[place]), bool(able[place]), steps[place].tobytes())


@attrs.define(eq=False)
class _PairSearch:
    """The search for what changes between two options; other options have no part in it.

    Attributes:
        one: The first option.
        other: The second option.
        low: Lowest volume.
        high: Highest one.
        points: Volumes that were asked for.
        open: Pieces that were left, as no more volumes may be evaluated.
        grid: Volumes from which a curved cost that may fall is read.
    """

    one: _Curve
    other: _Curve
    low: int
    high: int
    points: set[int] = attrs.field(factory=set, init=False)
    open: list[tuple[int, int]] = attrs.field(factory=list, init=False)
    grid: list[int] = attrs.field(factory=list, init=False)

    @property
    def _rising(self) -> bool:
        return self.one.rising and self.other.rising

    @property
    def _curved(self) -> bool:
        return self.one.curved or self.other.curved

    def run(self) -> Iterator[set[int]]:
        """Yield the volumes that must be evaluated before it goes on."""
        yield self._ask([self.low, self.high])
        if self._curved and not self._rising:
            self.grid = _cut(self.low, self.high, GRID_PARTS)
            yield self._ask(self.grid)
        yield from self._refine()
        yield from self._solve()

    def _ask(self, volumes: Iterable[int]) -> set[int]:
        asked = set(volumes)
        self.points |= asked
        return asked

    def _refine(self) -> Iterator[set[int]]:
        """Cut the range until each piece is affine, or holds no crossing.

        Where there are more pieces than volumes may be evaluated, the broadest go first.
        """
        pieces = list(itertools.pairwise(sorted(self.points)))
        while True:
            uneven = [
                piece
                for piece in pieces
                if piece[1] - piece[0] > 1 and not (self._affine(*piece) or self.decided(*piece))
            ]
            room = max(MAX_POINTS - len(self.points), 0) // (PARTS - 1)
            uneven.sort(key=_breadth, reverse=True)
            self.open += uneven[room:]
            if not uneven[:room]:
                return
            cuts = [_cut(low, high, PARTS) for low, high in uneven[:room]]
            yield self._ask(volume for cut in cuts for volume in cut)
            pieces = [piece for cut in cuts for piece in itertools.pairwise(cut)]

    def _affine(self, low: int, high: int) -> bool:
        """Say whether costs are taken to be affine between two volumes; those of a grid are."""
        curved = self._curved and self._rising
        return not curved and all(curve.known[low].steps == curve.known[high].steps for curve in (self.one, self.other))

    def decided(self, low: int, high: int) -> bool:
        """Say whether the options surely keep their places between two volumes.

        They do where both carry the load at both ends and one costs less at the upper end
        than the other at the lower one, or where the same one of them, or neither, carries it.
        """
        (one, one_end), (other, other_end) = ((curve.known[low], curve.known[high]) for curve in (self.one, self.other))
        if not self._rising or one.able != one_end.able or other.able != other_end.able:
            return False
        apart = one_end.cost < other.cost * _CLEARLY or other_end.cost < one.cost * _CLEARLY
        return apart or not (one.able and other.able)

    def costs(self, volumes: Iterable[int]) -> tuple[FloatArray, FloatArray]:
        """Give the costs of both options at some volumes."""
        one, other = (np.array([curve.known[volume].cost for volume in volumes]) for curve in (self.one, self.other))
        return one, other

    def _solve(self) -> Iterator[set[int]]:
        """Ask for the whole requests beside each solution on each affine piece.

        The middle of the piece comes along, so that rounding errors delay the end and never prevent it.
        """
        while True:
            points = sorted(self.points)
            volumes = np.array(points, dtype=np.float64)
            one, other = self.costs(points)
            difference, sign = one - other, cheaper_one(one, other)
            change = np.flatnonzero((sign[1:] != sign[:-1]) & (np.diff(volumes) > 1))
            low, high = volumes[change], volumes[change + 1]
            step = difference[change] - difference[change + 1]
            share = np.divide(difference[change], step, out=np.full(step.shape, 0.5), where=step != 0)
            solution = np.clip(np.floor(low + share * (high - low)), low, high - 1)
            middle = np.floor((low + high) / 2)
            beside = {int(volume) for volume in np.concatenate([solution, solution + 1, middle])}
            if beside <= self.points:
                return
            yield self._ask(beside)

    def found(self, names: tuple[str, str], *, reverse: bool = False) -> Crossings:
        """Give every change of the cheaper option, the second one named first where it is reversed."""
        points = sorted(self.points)
        cost, cost_of_other = self.costs(points)
        able, other_able = (
            np.array([curve.known[volume].able for volume in points]) for curve in (self.one, self.other)
        )
        costs, feasible = (cost, cost_of_other), (able, other_able)
        if reverse:
            costs, feasible = costs[::-1], feasible[::-1]
        unsure = [*self.open, *itertools.pairwise(self.grid)]
        return crossings(names, points, costs, feasible, open_end=True, within=_joined(unsure))


@attrs.define(eq=False)
class VolumeSearch:
    """Costs of several options over a range of volumes.

    The searches of all pairs go on together, so that each option is evaluated once a round.

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
    _pairs: dict[tuple[str, str], _PairSearch] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        curves = {name: _Curve(component, self.terms) for name, component in self.options.items()}
        self._pairs = {
            (a, b): _PairSearch(curves[a], curves[b], self.low, self.high) for a, b in itertools.combinations(curves, 2)
        }
        running = [(search, search.run()) for search in self._pairs.values()]
        while running:
            asked: dict[int, set[int]] = {}
            still = []
            for search, steps in running:
                volumes = next(steps, None)
                if volumes is not None:
                    still.append((search, steps))
                    for curve in (search.one, search.other):
                        asked.setdefault(id(curve), set()).update(volumes - curve.known.keys())
            self._evaluate([(curve, sorted(asked.get(id(curve), ()))) for curve in curves.values()])
            running = still

    def _evaluate(self, asked: Iterable[tuple[_Curve, list[int]]]) -> None:
        demands: dict[tuple[int, ...], Demand] = {}
        for curve, volumes in asked:
            for first in range(0, len(volumes), BLOCK):
                block = tuple(volumes[first : first + BLOCK])
                if block not in demands:
                    workload = attrs.evolve(self.workload, requests_per_month=np.array(block, dtype=np.float64))
                    demands[block] = workload.on(self.timeline)
                curve.evaluate(list(block), demands[block])

    def pair(self, a: str, b: str) -> Crossings:
        """Give every change of the cheaper of two options over the volumes."""
        if (a, b) in self._pairs:
            return self._pairs[a, b].found((a, b))
        return self._pairs[b, a].found((a, b), reverse=True)


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


def _steps(ledger: Ledger, shape: tuple[int, int]) -> FloatArray:
    """Gather the steps of a ledger, one row for each volume."""
    rows = [np.broadcast_to(step, shape) for step in ledger.steps.values()]
    return np.concatenate([np.zeros((shape[0], 1)), *rows], axis=-1) + 0.0
