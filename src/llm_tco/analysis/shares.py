"""The cheapest shares of some routes, and a lower bound, by a mixed-integer linear program.

The program picks one piece of each route's curve, and a share within it, so that all requests
are carried; its optimum is a lower bound of every mix. Pieces on which the bound and the cost
differ are cut where the program would use them, until the best mix that was evaluated is close
enough to the bound.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.analysis.pieces import MAX_POINTS, NARROW, Pieces, Reading, ShareCurve
from llm_tco.components.answers import ANSWER_SECONDS, RIGHT_ANSWERS
from llm_tco.errors import InfeasibleError, missing_extra

ROUNDS: Final = 400
"""Times at which pieces are cut at most."""
_SOLVER: Final = 1e-6
"""Relative error of the solver, which is taken off its bound."""
_ROUNDING: Final = 1e-9
"""Relative error up to which figures are equal."""
_TIE: Final = 1e-12
"""Relative difference up to which two mixes cost the same."""
_POLISHED: Final = 20
"""Times at which pieces around the best mix are cut."""
_INFEASIBLE: Final = 2
"""The solver's number for a program without a solution."""
_CORNERS: Final = 5
"""Routes in use up to which all corners of their pieces are tried."""


def scipy_or_fail() -> Any:
    """Import the solver."""
    try:
        import scipy.optimize  # type: ignore[import-untyped]  # scipy ships no types
        import scipy.sparse  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the cheapest mix is found by a solver of scipy: {missing_extra('optimise')}",
            name=error.name,
        ) from None
    return scipy


@attrs.frozen(kw_only=True)
class Limits:
    """What a mix must keep, as sums over the horizon; None where nothing is asked.

    Attributes:
        right: Right answers at least.
        seconds: Answer-seconds at most.
    """

    right: float | None = None
    seconds: float | None = None

    @property
    def rows(self) -> list[tuple[str, float, float]]:
        """Unit, least and greatest amount of each."""
        found = []
        if self.right is not None:
            found.append((RIGHT_ANSWERS, self.right, np.inf))
        if self.seconds is not None:
            found.append((ANSWER_SECONDS, -np.inf, self.seconds))
        return found

    @property
    def tighter(self) -> Limits:
        """Limits so much closer that what keeps them up to the solver's tolerance keeps these."""
        return Limits(
            right=None if self.right is None else self.right * (1.0 + _SOLVER),
            seconds=None if self.seconds is None else self.seconds * (1.0 - _SOLVER),
        )

    def kept(self, unit: str, amount: FloatArray) -> np.ndarray:
        """Say whether amounts of a unit are within the limit, up to rounding errors."""
        least, most = next((low, high) for name, low, high in self.rows if name == unit)
        slack = _ROUNDING * np.abs(least if np.isfinite(least) else most)
        return np.asarray((amount >= least - slack) & (amount <= most + slack))


@attrs.frozen(eq=False)
class Use:
    """A route in use: which curve, from which piece, and its share."""

    curve: int
    low: float
    high: float
    share: float
    exact: bool


@attrs.define(eq=False)
class ShareSearch:
    """Curves, the best mix among those that were evaluated, and the bound of all mixes.

    Attributes:
        curves: One for each route, or for each of its alternatives.
        limits: What a mix must keep.
        best: Share by place of the curve; empty where no mix was found.
        cost: Present value of the costs of the best mix.
        bound: No mix costs less.
    """

    curves: Sequence[ShareCurve]
    limits: Limits
    best: dict[int, float] = attrs.field(init=False, factory=dict)
    cost: float = attrs.field(init=False, default=np.inf)
    bound: float = attrs.field(init=False, default=-np.inf)

    def __attrs_post_init__(self) -> None:
        for number in range(len(self.curves)):
            self._try({number: np.ones(1)})

    @property
    def _base(self) -> Reading:
        return self.curves[0].base

    def run(self, gap: float) -> None:
        """Cut pieces where the solver would use them until the gap is closed.

        Raises:
            InfeasibleError: No mix carries the load and keeps the limits.
        """
        for _ in range(ROUNDS):
            self.bound, uses = self._solve(self.limits)
            self._corners(uses)
            if self.best and self.cost - self.bound <= gap * abs(self.cost):
                break
            if not self._refine(uses):
                self._keep_limits()
                break
        self._polish()
        if not self.best:
            raise InfeasibleError(f"no mix was found that {self._asked}, and none was proven not to exist")

    @property
    def _asked(self) -> str:
        words = {RIGHT_ANSWERS: "reaches the quality", ANSWER_SECONDS: "keeps to the mean latency"}
        asked = " and ".join(words[unit] for unit, _, _ in self.limits.rows)
        return f"carries the whole load and {asked} that is asked for" if asked else "carries the whole load"

    def _polish(self) -> None:
        """Move the best mix to the ends of the pieces that it lies in, such as servers that are just full."""
        for _ in range(_POLISHED):
            uses = []
            for number, share in self.best.items():
                pieces = self.curves[number].pieces()
                place = int(np.searchsorted(pieces.low, share, side="right")) - 1
                low, high = float(pieces.low[place]), float(pieces.high[place])
                uses.append(Use(number, low, high, share, bool(pieces.exact[place])))
            before = self.cost
            self._corners(uses)
            if not self._refine(uses) and self.cost == before:
                return

    def _keep_limits(self) -> None:
        """Evaluate what the solver gives where limits are a hair closer, as it keeps them up to a tolerance only."""
        try:
            _, uses = self._solve(self.limits.tighter)
        except InfeasibleError:  # no mix keeps closer ones
            return
        self._corners(uses)

    def _refine(self, uses: Sequence[Use]) -> bool:
        """Cut the pieces in use on which the bound is not the cost; say whether there was one."""
        cut = False
        for use in uses:
            curve = self.curves[use.curve]
            wide = use.high - use.low > NARROW
            if wide and not use.exact and curve.shares.size < MAX_POINTS:
                curve.refine(np.array([use.low]), np.array([use.high]))
                cut = True
        return cut

    def _corners(self, uses: Sequence[Use]) -> None:
        """Evaluate the mixes at the corners of the pieces in use, one route taking what the others leave."""
        kinds = [np.unique([use.low, use.share, use.high] if len(uses) <= _CORNERS else [use.share]) for use in uses]
        for rest in range(len(uses)):
            others = [kind for place, kind in enumerate(kinds) if place != rest]
            mixes = np.array(list(itertools.product(*others)), dtype=np.float64)
            left = 1.0 - mixes.sum(axis=-1)
            left = np.where(np.abs(left) <= NARROW, 0.0, left)
            columns = list(np.insert(mixes, rest, left, axis=-1)[(left >= 0) & (left <= 1)].T)
            self._try({one.curve: column for one, column in zip(uses, columns, strict=True)})

    def _try(self, mixes: Mapping[int, FloatArray]) -> None:
        """Evaluate mixes of some curves, shares of shape `(mixes,)` each, and keep the cheapest that is allowed."""
        places = {number: self.curves[number].at(shares) for number, shares in mixes.items()}

        def total(base: float, values: Mapping[int, FloatArray]) -> FloatArray:
            # A route without requests is left out.
            used = (np.where(mixes[number] > 0, values[number][place], 0.0) for number, place in places.items())
            return base + sum(used, np.zeros(()))

        costs = total(float(self._base.cost), {number: self.curves[number].costs for number in places})
        allowed = np.logical_and.reduce([self.curves[number].able[place] for number, place in places.items()])
        for unit, _, _ in self.limits.rows:
            amounts = {number: self.curves[number].amounts[unit] for number in places}
            allowed &= self.limits.kept(unit, total(float(self._base.quantities[unit]), amounts))
        costs = np.where(allowed, costs, np.inf)
        # What is cheaper by rounding errors only is no reason to leave a simpler mix.
        if costs.size and costs.min() < self.cost - (_TIE * abs(self.cost) if self.best else 0.0):
            chosen = int(costs.argmin())
            self.cost = float(costs[chosen])
            self.best = {number: float(shares[chosen]) for number, shares in mixes.items() if shares[chosen] > 0}

    def _solve(self, limits: Limits) -> tuple[float, list[Use]]:
        """Give the lower bound that the pieces prove, and what the solver uses of them."""
        base = float(self._base.cost)
        pieces = self._cheap_enough([curve.pieces() for curve in self.curves])
        known = abs(self.cost) if np.isfinite(self.cost) else max(float(np.abs(one.cost).max(initial=0.0)) for one in pieces)  # fmt: skip
        scale = max(known, _ROUNDING)
        sums = {unit: float(amount) for unit, amount in self._base.quantities.items()}
        result = _solved(pieces, [curve.name for curve in self.curves], limits, scale, sums)
        if result.status == _INFEASIBLE:
            self._refuse(limits)
        if result.x is None:
            raise InfeasibleError(f"the solver found no mix: {result.message}")
        bound = base + (result.mip_dual_bound - _SOLVER) * scale
        if not any(np.any(one.cost < 0) for one in pieces):
            bound = max(bound, base)
        picked = np.round(result.x[: result.x.size // 2]).astype(bool)
        inside = result.x[result.x.size // 2 :]
        owner = np.repeat(np.arange(len(pieces)), [one.low.size for one in pieces])
        low, high = (np.concatenate([getattr(one, end) for one in pieces]) for end in ("low", "high"))
        exact = np.concatenate([one.exact for one in pieces])
        share = np.clip(low + inside, low, high)
        uses = [
            Use(int(owner[one]), low[one], high[one], share[one], bool(exact[one])) for one in np.flatnonzero(picked)
        ]
        return bound, uses

    def _cheap_enough(self, pieces: list[Pieces]) -> list[Pieces]:
        """Leave out pieces that alone cost more than the best mix, where the others cost at least nothing."""
        if any(np.any(one.cost < 0) for one in pieces):
            return pieces
        most = (self.cost - float(self._base.cost)) * (1.0 + _SOLVER)
        return [one.where(one.cost <= most) for one in pieces]

    def _refuse(self, limits: Limits) -> None:
        if limits.rows:
            self._solve(Limits())  # says so where the load itself is too much
        raise InfeasibleError(
            f"no mix {self._asked}. Add a route that does, or ask for less"
            if limits.rows
            else "no mix carries the whole load at known prices. Add a route that grows with its load, or more servers"
        )

    def total(self, unit: str | None, mix: Mapping[int, float]) -> float:
        """Add up what the routes of a mix cost by themselves, or one of their quantities."""
        base = self._base.cost if unit is None else self._base.quantities[unit]
        found = float(base)
        for number, share in mix.items():
            curve = self.curves[number]
            place = int(curve.at(np.array([share]))[0])
            found += float((curve.costs if unit is None else curve.amounts[unit])[place])
        return found

    def alone(self, name: str) -> float | None:
        """Give the cost of a route that answers everything; None where it cannot, or must not."""
        found = []
        for number, curve in enumerate(self.curves):
            kept = (self.limits.kept(unit, np.asarray(self.total(unit, {number: 1.0}))) for unit, _, _ in self.limits.rows)  # fmt: skip
            if curve.name == name and curve.able[int(curve.at(np.ones(1))[0])] and all(kept):
                found.append(self.total(None, {number: 1.0}))
        return min(found, default=None)


def _solved(
    pieces: Sequence[Pieces], group: Sequence[str], limits: Limits, scale: float, base: Mapping[str, float]
) -> Any:
    """Pick at most one piece of each route, and a share within it.

    Variables are, for each piece, whether it is picked, and the share above its lower end.
    """
    scipy = scipy_or_fail()
    low, high, cost, slope = (
        np.concatenate([getattr(one, name) for one in pieces]) for name in ("low", "high", "cost", "slope")
    )
    count = low.size
    if not count:
        return scipy.optimize.OptimizeResult(x=None, status=_INFEASIBLE)
    owner = np.repeat(np.arange(len(pieces)), [one.low.size for one in pieces])
    names = list(dict.fromkeys(group))
    of_group = np.array([names.index(name) for name in group])[owner]
    index = np.arange(count)
    one_piece = scipy.sparse.csr_array((np.ones(count), (of_group, index)), shape=(len(names), 2 * count))
    within = scipy.sparse.csr_array(
        (np.concatenate([low - high, np.ones(count)]), (np.tile(index, 2), np.arange(2 * count))),
        shape=(count, 2 * count),
    )
    all_requests = scipy.sparse.csr_array(np.concatenate([low, np.ones(count)])[None, :])
    rows, least, most = [one_piece, within, all_requests], [], []
    least += [np.zeros(len(names)), np.full(count, -np.inf), np.ones(1)]
    most += [np.ones(len(names)), np.zeros(count), np.ones(1)]
    for unit, floor, ceiling in limits.rows:
        amount, rate = (np.concatenate([one.amounts[unit][part] for one in pieces]) for part in (0, 1))
        size = max(abs(floor if np.isfinite(floor) else ceiling), _ROUNDING)
        rows.append(scipy.sparse.csr_array(np.concatenate([amount, rate])[None, :] / size))
        least.append(np.array([(floor - base[unit]) / size]))
        most.append(np.array([(ceiling - base[unit]) / size]))
    return scipy.optimize.milp(
        np.concatenate([cost, slope]) / scale,
        constraints=scipy.optimize.LinearConstraint(
            scipy.sparse.vstack(rows), np.concatenate(least), np.concatenate(most)
        ),
        integrality=np.concatenate([np.ones(count), np.zeros(count)]),
        bounds=scipy.optimize.Bounds(0.0, np.concatenate([np.ones(count), high - low])),
        options={"mip_rel_gap": _SOLVER},
    )
