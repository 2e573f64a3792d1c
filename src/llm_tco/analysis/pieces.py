"""What a route costs as a function of its share of the requests: a curve in pieces.

Where the steps of a ledger are equal at both ends of a range of shares, the cost is affine
in between. Elsewhere many ledgers are certain that it never falls as the volume rises, so
that the cost at the lower end is a bound for the whole range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final, TypeVar

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, text
from llm_tco.analysis.terms import Terms
from llm_tco.components.answers import CATEGORY, RIGHT_ANSWERS
from llm_tco.components.base import Component, Composable
from llm_tco.components.router import Route, hand_out, with_fee
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import summed
from llm_tco.ledger import Ledger
from llm_tco.lines import Line
from llm_tco.money import Money

BoolArray = npt.NDArray[np.bool_]
_Scalar = TypeVar("_Scalar", bound=np.generic)
Wrap = Callable[[Component], Component]
"""Puts what stands in front of a router there, such as a cache."""

PARTS: Final = 24
"""Parts into which the shares from 0 to 1 are cut at first."""
CUTS: Final = 8
"""Parts into which a piece is cut."""
NARROW: Final = 1e-12
"""Share below which a piece is cut no further: less than one request in a million million."""
MAX_POINTS: Final = 150_000
"""Shares of one route at which its cost is evaluated at most."""
_AFFINE: Final = 1e-9
"""Relative error up to which points lie on one line."""


@attrs.frozen(eq=False)
class PartOfRouter(Composable):
    """A router of which one route gets its share and nobody is asked for the rest.

    Attributes:
        route: The route; None for a router without one.
        share: Its share of the requests, shape `()` or `(P,)`.
        units: Quantities of answers that are known of all routes.
        fee_per_request: What the routing of a request costs. [currency]
        tag: Name of the route.
        name: First step of the paths of the router's own lines.
    """

    route: Route | None
    share: Number
    units: frozenset[str]
    fee_per_request: Money | None
    tag: str = "nothing"
    name: str = text(default="router")

    def cost(self, demand: Demand) -> Ledger:
        """Ask the route for its share."""
        if self.route is None:
            none = np.zeros(demand.timeline.size)
            lines = tuple(Line(path=(unit,), category=CATEGORY, unit=unit, amounts=none) for unit in sorted(self.units))
            ledger = Ledger(timeline=demand.timeline, lines=lines, served=none + 1.0, rising=True)
        else:
            part = demand.scaled(self.share).tagged(self.tag)
            ledger = hand_out(self, {self.tag: self.route}, {self.tag: part})
        return with_fee(ledger, self, self.fee_per_request, demand)


@attrs.frozen(kw_only=True, eq=False)
class Setting:
    """What all routes of a mix have in common.

    Attributes:
        demand: The users' demand.
        terms: The terms.
        wrap: Puts what stands in front of the router there.
        fee_per_request: What the routing of a request costs. [currency]
        units: Quantities of answers that are asked for: each route must state them.
        name: Name of the router.
    """

    demand: Demand
    terms: Terms
    wrap: Wrap
    fee_per_request: Money | None
    units: frozenset[str]
    name: str = "router"

    def read(self, route: Route | None, share: Number, tag: str = "nothing") -> Reading:
        """Evaluate a router of which one route gets a share, along a leading axis of shares."""
        known = self.units if route is None else frozenset[str]()
        router = PartOfRouter(route, share, known, self.fee_per_request, tag, self.name)
        ledger = self.terms.ledger(self.wrap(router), self.demand)
        missing = sorted(self.units - set(ledger.units))
        if missing:
            field = "quality" if missing[0] == RIGHT_ANSWERS else "latency_s"
            raise InvalidValueError(
                f"routes.{tag}.{field}", "is missing; what is asked of the mix needs it of every route"
            )
        cost = self.terms.present_value(self.terms.costs(ledger))
        quantities = {unit: summed(ledger.amounts(unit)) for unit in sorted(self.units)}
        if any(np.ndim(one) > np.ndim(share) for one in (cost, ledger.unserved[..., 0], *quantities.values())):
            raise InvalidValueError(
                f"routes.{tag}", "holds draws, and the cheapest mix is that of one case. State plain numbers"
            )
        able = (np.max(ledger.unserved, axis=-1) <= 0) & (not ledger.unpriced)
        size = np.shape(share)
        return Reading(
            ledger,
            np.broadcast_to(cost, size),
            np.broadcast_to(able, size),
            {unit: np.broadcast_to(amount, size) for unit, amount in quantities.items()},
        )


@attrs.frozen(eq=False)
class Reading:
    """What is read of a ledger at some shares, shape `()` or `(P,)`.

    Attributes:
        ledger: The ledger.
        cost: Present value of the costs.
        able: Whether all requests are carried, at known prices.
        quantities: Sums of quantities over the months, by unit.
    """

    ledger: Ledger
    cost: FloatArray
    able: BoolArray
    quantities: Mapping[str, FloatArray]


@attrs.frozen(eq=False)
class Pieces:
    """Ranges of shares of one route, arrays of shape `(pieces,)`.

    At the share `low + w` the cost is at least `cost + slope × w`, the right answers are at
    most, and the answer-seconds at least, `amount + rate × w`; exactly so where `exact`.

    Attributes:
        low: Lower end.
        high: Upper end.
        cost: See above.
        slope: See above.
        amounts: Amount and rate of each quantity by its unit.
        exact: See above.
    """

    low: FloatArray
    high: FloatArray
    cost: FloatArray
    slope: FloatArray
    amounts: Mapping[str, tuple[FloatArray, FloatArray]]
    exact: BoolArray

    def where(self, keep: BoolArray) -> Pieces:
        """Keep some pieces."""
        amounts = {unit: (amount[keep], rate[keep]) for unit, (amount, rate) in self.amounts.items()}
        low, high, cost, slope = (one[keep] for one in (self.low, self.high, self.cost, self.slope))
        return Pieces(low, high, cost, slope, amounts, self.exact[keep])


@attrs.define(eq=False)
class ShareCurve:
    """The cost of a route at some shares, and what follows for those in between.

    Attributes:
        name: Name of the route.
        route: The route.
        setting: What it has in common with the others.
        base: A router without routes: what it costs itself is no cost of the route.
        place: Which alternative of its name the route is.
        shares: The shares that were evaluated, rising.
        costs: Present value of the costs at each.
        able: Whether all requests are carried there.
        amounts: Sum of each quantity there, by its unit.
        rising: Whether it is certain that costs never fall as the share rises.
        smooth: Whether costs are curved between steps.
    """

    name: str
    route: Route
    setting: Setting
    base: Reading
    place: int = 0
    shares: FloatArray = attrs.field(init=False, factory=lambda: np.zeros(0))
    costs: FloatArray = attrs.field(init=False, factory=lambda: np.zeros(0))
    able: BoolArray = attrs.field(init=False, factory=lambda: np.zeros(0, dtype=bool))
    amounts: dict[str, FloatArray] = attrs.field(init=False, factory=dict)
    rising: bool = attrs.field(init=False, default=True)
    smooth: bool = attrs.field(init=False, default=False)
    _steps: npt.NDArray[np.int64] = attrs.field(init=False, factory=lambda: np.zeros(0, dtype=np.int64))
    _seen: dict[bytes, int] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        terms = self.setting.terms
        rates = (terms.discount_rate, terms.finance.inflation_rate or 0.0)
        self.rising = all(bool(np.all(np.greater_equal(rate, 0))) for rate in rates)
        self.setting.read(self.route, 1.0, self.name)  # refuses draws, of which a batch could not be told apart
        self.evaluate(np.arange(PARTS + 1) / PARTS)
        if not self.rising and not self.smooth:
            self._resolve()

    @property
    def sure(self) -> bool:
        """Whether the bounds of all pieces are proven."""
        return self.rising or not (self.smooth or bool(np.any(self._loose)))

    @property
    def _differ(self) -> BoolArray:
        return np.asarray((np.diff(self._steps) != 0) | (self.able[1:] != self.able[:-1]))

    @property
    def _loose(self) -> BoolArray:
        """Where steps differ across a range that is not narrow, and that some mix may use."""
        used = self.able[1:] | self.able[:-1]
        return self._differ & used & (np.diff(self.shares) > NARROW)

    def at(self, shares: FloatArray) -> npt.NDArray[np.intp]:
        """Give the places of some shares, which are evaluated where they are new."""
        self.evaluate(shares)
        return np.searchsorted(self.shares, shares)

    def evaluate(self, shares: Iterable[float]) -> None:
        """Evaluate new shares in one go."""
        new = np.setdiff1d(np.asarray(shares, dtype=np.float64), self.shares)
        if not new.size:
            return
        found = self.setting.read(self.route, new, self.name)
        size = (new.size, self.setting.demand.timeline.size)
        rows = [np.broadcast_to(step, size) for step in found.ledger.steps.values()]
        steps = np.concatenate([np.zeros((new.size, 1)), *rows], axis=-1) + 0.0
        numbers = [
            self._seen.setdefault(blake2b(step.tobytes(), digest_size=16).digest(), len(self._seen)) for step in steps
        ]
        order = np.argsort(np.concatenate([self.shares, new]), kind="stable")

        self.shares = np.concatenate([self.shares, new])[order]
        self.costs = _joined(self.costs, found.cost - self.base.cost, order)
        self.able = _joined(self.able, found.able, order)
        self._steps = _joined(self._steps, np.array(numbers), order)
        for unit, amount in found.quantities.items():
            old = self.amounts.get(unit, np.zeros(0))
            self.amounts[unit] = _joined(old, amount - self.base.quantities[unit], order)
        self.smooth |= found.ledger.smooth
        # Of a curve the lower end is a bound too, but one so loose that no gap would close.
        self.rising &= found.ledger.rising and not self.smooth

    def _resolve(self) -> None:
        """Cut until steps differ only within narrow pieces, as no other bound holds there."""
        if self._jumps() * CUTS * np.log(1.0 / NARROW) / np.log(CUTS) > MAX_POINTS:
            return
        while True:
            wide = np.flatnonzero(self._loose)
            if not wide.size or self.shares.size + wide.size * CUTS > MAX_POINTS:
                return
            self.refine(self.shares[wide], self.shares[wide + 1])

    def _jumps(self) -> float:
        """Estimate at how many shares steps change: where they are counts, each changes by one at a time."""
        steps = self.setting.read(self.route, np.array([0.0, 1.0]), self.name).ledger.steps.values()
        size = (2, self.setting.demand.timeline.size)
        return max((float(np.abs(np.diff(np.broadcast_to(step, size), axis=0)).sum()) for step in steps), default=0.0)

    def refine(self, low: FloatArray, high: FloatArray) -> None:
        """Cut pieces into equal parts."""
        parts = np.arange(1, CUTS) / CUTS
        self.evaluate(np.unique((low[:, None] + (high - low)[:, None] * parts).ravel()))

    def pieces(self) -> Pieces:
        """Give the pieces that the evaluated shares make.

        Neighbours on one line are joined. A range at both of whose ends requests stay
        unserved, or unpriced, is left out.
        """
        one_line = ~self._differ & self.able[:-1] & (not self.smooth)
        inner = np.flatnonzero(one_line[1:] & one_line[:-1]) + 1
        straight = self._straight(inner)
        if not straight.all():  # it does not say that it is curved, and is
            self.smooth = True
            return self.pieces()
        ends = np.setdiff1d(np.arange(self.shares.size), inner)
        low, high = ends[:-1], ends[1:]
        exact = one_line[low]
        width = self.shares[high] - self.shares[low]
        rise = (self.costs[high] - self.costs[low]) / width
        bound = self.costs[low] if self.rising else np.minimum(self.costs[low], self.costs[high])
        amounts = {}
        for unit, values in self.amounts.items():
            rate = (values[high] - values[low]) / width
            best = np.maximum if unit == RIGHT_ANSWERS else np.minimum
            each = self._per_share(values)
            if each is not None:
                amounts[unit] = (each * self.shares[low], np.full(low.size, each))
            else:
                bent = best(values[low], values[high])
                amounts[unit] = (np.where(exact, values[low], bent), np.where(exact, rate, 0.0))
        found = Pieces(
            self.shares[low],
            self.shares[high],
            np.where(exact, self.costs[low], bound),
            np.where(exact, rise, 0.0),
            amounts,
            exact,
        )
        return found.where(self.able[low] | self.able[high])

    def _straight(self, inner: npt.NDArray[np.intp]) -> BoolArray:
        """Say which places lie on the line between their neighbours."""
        left, right = self.shares[inner] - self.shares[inner - 1], self.shares[inner + 1] - self.shares[inner]
        chord = (self.costs[inner - 1] * right + self.costs[inner + 1] * left) / (left + right)
        return np.asarray(np.abs(self.costs[inner] - chord) <= _AFFINE * np.abs(self.costs).max(initial=0.0))

    def _per_share(self, values: FloatArray) -> float | None:
        """Give what a quantity is per share where it is the share times a number; None where it is not."""
        able = self.able & (self.shares > 0)
        ratio = values[able] / self.shares[able]
        same = ratio.size and np.ptp(ratio) <= _AFFINE * np.abs(ratio).max()
        return float(ratio.mean()) if same else None


def _joined(old: npt.NDArray[_Scalar], more: npt.NDArray[_Scalar], order: npt.NDArray[np.intp]) -> npt.NDArray[_Scalar]:
    """Put the values of new shares among those of the old ones."""
    every: npt.NDArray[_Scalar] = np.concatenate([old, more])
    return every[order]


def check_fleets_apart(curves: Iterable[ShareCurve]) -> None:
    """Refuse routes that lead to one fleet by different components.

    Raises:
        InvalidValueError: See above.
    """
    owners: dict[object, str] = {}
    for curve in curves:
        for fleet in curve.setting.read(curve.route, 1.0, curve.name).ledger.loads:
            if owners.setdefault(fleet, curve.name) != curve.name:
                raise InvalidValueError(
                    f"routes.{curve.name}",
                    f"shares the fleet {getattr(fleet, 'name', fleet)!r} with the route {owners[fleet]!r}, so that "
                    "neither has a cost of its own. Make one route of both, or give each a fleet of its own",
                )
