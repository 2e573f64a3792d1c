"""The cheapest mix of routes: shares and fleet sizes, with a lower bound that proves it.

Each route's cost is a curve in pieces over its share of the requests. A mixed-integer linear
program picks one piece of each route, and shares within, so that all requests are carried;
its optimum is a lower bound of every mix. Pieces on which the bound and the cost differ are
cut where the program would use them, until the best mix that was evaluated is close enough.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.analysis.compare import Comparison, Option
from llm_tco.analysis.mixes import Answers, answers_of
from llm_tco.analysis.pieces import (
    MAX_POINTS,
    NARROW,
    SECONDS,
    Pieces,
    Setting,
    ShareCurve,
    Wrap,
    check_fleets_apart,
)
from llm_tco.analysis.terms import Terms
from llm_tco.components.answers import RIGHT_ANSWERS
from llm_tco.components.base import Component
from llm_tco.components.router import Route, Router
from llm_tco.demand import Demand
from llm_tco.errors import InfeasibleError, InvalidValueError, MismatchError
from llm_tco.finance.discounting import summed
from llm_tco.money import Money
from llm_tco.serving.fleet import Fleet

ROUNDS: Final = 400
"""Times at which pieces are cut at most."""
_SOLVER: Final = 1e-6
"""Relative error of the solver, which is taken off its bound."""
_ROUNDING: Final = 1e-9
"""Relative error up to which figures are equal."""
_POLISHED: Final = 20
"""Times at which pieces around the best mix are cut."""
_INFEASIBLE: Final = 2
"""The solver's number for a program without a solution."""
_CORNERS: Final = 5
"""Routes in use up to which all corners of their pieces are tried."""

Alternatives = Route | Sequence[Route]
"""A route, or several of which one is used: the same servers in other numbers, for one."""


@attrs.frozen(kw_only=True, eq=False)
class Mix:
    """The cheapest mix that was found, and what proves it.

    Attributes:
        shares: Share of the router's requests by route, without routes that are left out.
        chosen: Which of its alternatives each of these routes uses, from 0 on.
        option: The mix as an option, evaluated.
        cost: Present value of its costs.
        lower_bound: No mix costs less.
        servers: Servers that are installed in the end, by the name of the fleet.
        alone: Present value of each route that answers everything, at its cheapest
            alternative; None where it does not carry the load or meet the limits.
        binding: The limits that the mix only just meets: `"quality"`, `"latency"`.
        unproven: Routes whose part of the bound is an estimate: their cost may fall as
            the share rises, and is curved or has too many steps.
    """

    shares: Mapping[str, float]
    chosen: Mapping[str, int]
    option: Option
    cost: float
    lower_bound: float
    servers: Mapping[str, float]
    alone: Mapping[str, float | None]
    binding: tuple[str, ...]
    unproven: tuple[str, ...]

    @property
    def gap(self) -> float:
        """How much of its cost the mix may be above the cheapest one, 0 to 1."""
        return 0.0 if self.cost <= self.lower_bound else (self.cost - self.lower_bound) / self.cost

    @property
    def answers(self) -> Answers:
        """Quality and latency of the mix."""
        return answers_of(self.option)


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
            found.append((SECONDS, -np.inf, self.seconds))
        return found

    def kept(self, unit: str, amount: FloatArray) -> np.ndarray:
        """Say whether amounts of a unit are within the limit, up to rounding errors."""
        least, most = next((low, high) for name, low, high in self.rows if name == unit)
        slack = _ROUNDING * np.abs(least if np.isfinite(least) else most)
        return np.asarray((amount >= least - slack) & (amount <= most + slack))


def cheapest_mix(
    routes: Mapping[str, Alternatives],
    demand: Demand,
    terms: Terms,
    *,
    wrap: Wrap | None = None,
    fee_per_request: Money | None = None,
    min_quality: float | None = None,
    max_latency_s: float | None = None,
    max_mean_latency_s: float | None = None,
    gap: float = 1e-3,
    name: str = "router",
) -> Mix:
    """Find the cheapest router by share over some routes, any of which may be left out.

    Args:
        routes: The routes by name; what they state as share is not read. A sequence holds
            alternatives of which at most one is used, such as a fleet of one server, of two, …
        demand: The users' demand.
        terms: The terms.
        wrap: Makes an option of the router, such as a cache in front of it; the router
            itself without one. It must add costs of its own or change each line by itself.
        fee_per_request: What the routing of a request costs. [currency]
        min_quality: Least share of right answers among the users' requests, 0 to 1.
        max_latency_s: Routes that state more are left out. [s]
        max_mean_latency_s: Greatest mean time until an answer over the users' requests. [s]
        gap: Share of the cost by which the mix may be above the lower bound.
        name: Name of the router.

    Raises:
        InfeasibleError: No mix carries the load and keeps the limits.
        InvalidValueError: There are draws, two routes lead to one component or fleet, or one
            does not state the quality or latency that is asked for.
        MismatchError: The costs of the routes do not add up to the cost of the mix.
        ModuleNotFoundError: The solver is not installed.
    """
    _scipy()  # says at once what is missing
    if not gap > 0:
        raise InvalidValueError("gap", f"must be more than 0, got {gap}")
    units = {RIGHT_ANSWERS: min_quality, SECONDS: max_mean_latency_s}
    setting = Setting(
        demand=demand,
        terms=terms,
        wrap=wrap or _unchanged,
        fee_per_request=fee_per_request,
        units=frozenset(unit for unit, limit in units.items() if limit is not None),
        name=name,
    )
    if np.ndim(terms.discount_rate) or demand.requests.ndim > 1:
        raise InvalidValueError("demand", "holds draws, and the cheapest mix is that of one case. State plain numbers")
    requests = float(summed(demand.requests))
    limits = Limits(
        right=None if min_quality is None else min_quality * requests,
        seconds=None if max_mean_latency_s is None else max_mean_latency_s * requests,
    )
    search = _Search(_allowed(routes, max_latency_s), setting, limits)
    search.run(gap)
    return search.mix(list(routes))


def cheapest_mix_of(
    comparison: Comparison,
    option: str,
    *,
    alternatives: Mapping[str, Sequence[Route]] | None = None,
    min_quality: float | None = None,
    max_latency_s: float | None = None,
    max_mean_latency_s: float | None = None,
    gap: float = 1e-3,
) -> Mix:
    """Find the cheapest shares for the one router by share that an option holds; see `cheapest_mix`.

    What stands around the router, such as a cache, stays as it is.

    Args:
        comparison: A comparison.
        option: Name of an option that holds one router.
        alternatives: Routes in the place of the router's, or beside them, by name.
        min_quality: As in `cheapest_mix`.
        max_latency_s: Likewise. [s]
        max_mean_latency_s: Likewise. [s]
        gap: Likewise.
    """
    stated = comparison[option]
    found = list(_routers(stated.component, ()))
    if len(found) != 1:
        raise InvalidValueError(
            "option", f"must hold one router by share, but {option!r} holds {len(found)}. Use cheapest_mix with a wrap"
        )
    path, router = found[0]
    return cheapest_mix(
        {**router.routes, **(alternatives or {})},
        stated.demand,
        comparison.terms,
        wrap=lambda other: _put(stated.component, path, other),
        fee_per_request=router.fee_per_request,
        min_quality=min_quality,
        max_latency_s=max_latency_s,
        max_mean_latency_s=max_mean_latency_s,
        gap=gap,
        name=router.name,
    )


def _unchanged(router: Component) -> Component:
    return router


def _scipy() -> Any:
    """Import the solver."""
    try:
        import scipy.optimize  # type: ignore[import-untyped]  # scipy ships no types
        import scipy.sparse  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the cheapest mix is found by a solver of scipy, which is not installed: pip install llm-tco[optimise]",
            name=error.name,
        ) from None
    return scipy


def _allowed(routes: Mapping[str, Alternatives], max_latency_s: float | None) -> dict[str, list[tuple[int, Route]]]:
    """Give the alternatives of each route that are fast enough, with their places."""
    targets: dict[int, str] = {}
    allowed = {}
    for name, given in routes.items():
        every = [given] if isinstance(given, Route) else list(given)
        if not every or not all(isinstance(route, Route) for route in every):
            raise InvalidValueError(f"routes.{name}", f"must be a route, or several in a list, got {given!r}")
        for route in every:
            if targets.setdefault(id(route.target), name) != name:
                raise InvalidValueError(
                    f"routes.{name}",
                    f"leads to the same component as the route {targets[id(route.target)]!r}, so that neither has a "
                    "cost of its own. Make one route of both",
                )
            if max_latency_s is not None and route.latency_s is None:
                raise InvalidValueError(f"routes.{name}.latency_s", "is missing; max_latency_s needs it of every route")
        fast = [
            (place, route)
            for place, route in enumerate(every)
            if max_latency_s is None or np.all(np.less_equal(route.latency_s, max_latency_s))  # type: ignore[arg-type]  # stated
        ]
        if fast:
            allowed[name] = fast
    if not allowed:
        raise InfeasibleError(f"no route answers within {max_latency_s} s. Raise max_latency_s, or add a faster route")
    return allowed


def _routers(component: object, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], Router]]:
    """Find the outermost routers by share in a component, with the fields and places that lead there."""
    if isinstance(component, Router):
        return [(path, component)]
    if isinstance(component, tuple):
        return [found for place, part in enumerate(component) for found in _routers(part, (*path, place))]
    if not isinstance(component, Component) or not attrs.has(type(component)):
        return []
    kind: Any = type(component)
    fields = [field.name for field in attrs.fields(kind) if field.init]
    return [found for name in fields for found in _routers(getattr(component, name), (*path, name))]


def _put(component: Any, path: tuple[str | int, ...], other: Component) -> Any:
    """Put something in the place of what a path leads to."""
    if not path:
        return other
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        return tuple(_put(part, rest, other) if place == step else part for place, part in enumerate(component))
    return attrs.evolve(component, **{step: _put(getattr(component, step), rest, other)})


@attrs.frozen(eq=False)
class _Use:
    """A route in use: which curve, from which piece, and its share."""

    curve: int
    low: float
    high: float
    share: float
    exact: bool


@attrs.define(eq=False)
class _Search:
    """Curves, the best mix among evaluated ones, and the bound."""

    allowed: Mapping[str, list[tuple[int, Route]]]
    setting: Setting
    limits: Limits
    curves: list[ShareCurve] = attrs.field(init=False, factory=list)
    group: list[str] = attrs.field(init=False, factory=list)
    place: list[int] = attrs.field(init=False, factory=list)
    best: dict[int, float] = attrs.field(init=False, factory=dict)
    cost: float = attrs.field(init=False, default=np.inf)
    bound: float = attrs.field(init=False, default=-np.inf)
    base: Any = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.base = self.setting.read(None, 1.0)
        for name, routes in self.allowed.items():
            for place, route in routes:
                self.curves.append(ShareCurve(name, route, self.setting, self.base))
                self.group.append(name)
                self.place.append(place)
        check_fleets_apart(self.curves)
        self._check_sum()
        for number in range(len(self.curves)):
            self._try({number: np.ones(1)})

    def run(self, gap: float) -> None:
        """Cut pieces where the solver would use them until the gap is closed."""
        for _ in range(ROUNDS):
            bound, uses = self._solve(self.limits)
            self.bound = max(self.bound, bound)
            self._corners(uses)
            if self.cost - self.bound <= gap * abs(self.cost):
                break
            if not self._refine(uses):
                break
        self._polish()
        if not self.best:
            raise InfeasibleError(f"no mix was found that {self._asked}, and none was proven not to exist")

    @property
    def _asked(self) -> str:
        words = {RIGHT_ANSWERS: "reaches the quality", SECONDS: "answers as fast as"}
        asked = [words[unit] for unit, _, _ in self.limits.rows]
        return (
            f"carries the whole load and {' and '.join(asked)} that is asked for" if asked else "carries the whole load"
        )

    def _polish(self) -> None:
        """Move the best mix to the ends of the pieces that it lies in, such as servers that are just full."""
        for _ in range(_POLISHED):
            uses = []
            for number, share in self.best.items():
                pieces = self.curves[number].pieces()
                place = int(np.searchsorted(pieces.low, share, side="right")) - 1
                low, high = float(pieces.low[place]), float(pieces.high[place])
                uses.append(_Use(number, low, high, share, bool(pieces.exact[place])))
            if not self._refine(uses):
                return
            self._corners(uses)

    def _refine(self, uses: Sequence[_Use]) -> bool:
        """Cut the pieces in use on which the bound is not the cost; say whether there was one."""
        cut = False
        for use in uses:
            curve = self.curves[use.curve]
            wide = use.high - use.low > NARROW
            if wide and not use.exact and curve.shares.size < MAX_POINTS:
                curve.refine(np.array([use.low]), np.array([use.high]))
                cut = True
        return cut

    def _corners(self, uses: Sequence[_Use]) -> None:
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

        costs = total(float(self.base.cost), {number: self.curves[number].costs for number in places})
        allowed = np.logical_and.reduce([self.curves[number].able[place] for number, place in places.items()])
        for unit, _, _ in self.limits.rows:
            amounts = {number: self.curves[number].amounts[unit] for number in places}
            allowed &= self.limits.kept(unit, total(float(self.base.quantities[unit]), amounts))
        costs = np.where(allowed, costs, np.inf)
        if costs.size and costs.min() < self.cost:
            chosen = int(costs.argmin())
            self.cost = float(costs[chosen])
            self.best = {number: float(shares[chosen]) for number, shares in mixes.items() if shares[chosen] > 0}

    def _solve(self, limits: Limits) -> tuple[float, list[_Use]]:
        """Give the lower bound that the pieces prove, and what the solver uses of them."""
        base = float(self.base.cost)
        pieces = self._cheap_enough([curve.pieces() for curve in self.curves])
        known = abs(self.cost) if np.isfinite(self.cost) else max(float(np.abs(one.cost).max(initial=0.0)) for one in pieces)  # fmt: skip
        scale = max(known, _ROUNDING)
        sums = {unit: float(amount) for unit, amount in self.base.quantities.items()}
        result = _solved(pieces, self.group, limits, scale, sums)
        if result.status == _INFEASIBLE:
            self._refuse(limits)
        if result.x is None:
            raise InfeasibleError(f"the solver found no mix: {result.message}")
        bound = base + (result.mip_dual_bound - _SOLVER) * scale
        picked = np.round(result.x[: result.x.size // 2]).astype(bool)
        inside = result.x[result.x.size // 2 :]
        owner = np.repeat(np.arange(len(pieces)), [one.low.size for one in pieces])
        low, high = (np.concatenate([getattr(one, end) for one in pieces]) for end in ("low", "high"))
        exact = np.concatenate([one.exact for one in pieces])
        share = np.clip(low + inside, low, high)
        uses = [
            _Use(int(owner[one]), low[one], high[one], share[one], bool(exact[one])) for one in np.flatnonzero(picked)
        ]
        return bound, uses

    def _cheap_enough(self, pieces: list[Pieces]) -> list[Pieces]:
        """Leave out pieces that alone cost more than the best mix, where the others cost at least nothing."""
        if any(np.any(one.cost < 0) for one in pieces):
            return pieces
        most = (self.cost - float(self.base.cost)) * (1.0 + _SOLVER)
        return [one.where(one.cost <= most) for one in pieces]

    def _refuse(self, limits: Limits) -> None:
        if limits.rows:
            self._solve(Limits())  # says so where the load itself is too much
        raise InfeasibleError(
            f"no mix {self._asked}. Add a route that does, or ask for less"
            if limits.rows
            else "no mix carries the whole load at known prices. Add a route that grows with its load, or more servers"
        )

    def mix(self, names: Sequence[str]) -> Mix:
        """Evaluate the best mix as a whole, and describe it."""
        option = self._option(self.best)
        cost = float(np.asarray(option.npv_cost))
        right, seconds = (option.ledger.amounts(unit) if unit in self.setting.units else None for unit in (RIGHT_ANSWERS, SECONDS))  # fmt: skip
        binding = []
        for word, amounts, limit in (("quality", right, self.limits.right), ("latency", seconds, self.limits.seconds)):
            if amounts is not None and limit is not None and np.isclose(summed(amounts), limit, rtol=1e-6, atol=0.0):
                binding.append(word)
        return Mix(
            shares={self.group[number]: share for number, share in self.best.items()},
            chosen={self.group[number]: self.place[number] for number in self.best},
            option=option,
            cost=cost,
            lower_bound=min(self.bound, cost),
            servers=_servers(option),
            alone={name: self._alone(name) for name in names},
            binding=tuple(binding),
            unproven=tuple(dict.fromkeys(curve.name for curve in self.curves if not curve.sure)),
        )

    def _option(self, uses: Mapping[int, float]) -> Option:
        """Evaluate a mix as a whole: the shares by number of the curve."""
        setting = self.setting
        routes = {self.group[number]: attrs.evolve(self.curves[number].route, share=uses[number]) for number in uses}
        component = setting.wrap(Router(routes, fee_per_request=setting.fee_per_request, name=setting.name))
        ledger = setting.terms.ledger(component, setting.demand)
        return Option(
            name="cheapest mix", component=component, demand=setting.demand, terms=setting.terms, ledger=ledger
        )

    def _check_sum(self) -> None:
        """Refuse costs that are no sum over the routes, as nothing would be proven.

        The mix of all routes in equal shares shows it; that it may leave requests unserved does no harm.
        """
        first = [number for number, place in enumerate(self.place) if place == min(self._places(self.group[number]))]
        even = {number: 1.0 / len(first) for number in first}
        option = self._option(even)
        parts = [(self.curves[number], self.curves[number].at(np.array([share]))[0]) for number, share in even.items()]
        whole = {"cost": float(np.asarray(option.npv_cost))}
        summed_up = {"cost": float(self.base.cost) + sum(float(curve.costs[place]) for curve, place in parts)}
        for unit, _, _ in self.limits.rows:
            whole[unit] = float(summed(option.ledger.amounts(unit)))
            own = float(self.base.quantities[unit])
            summed_up[unit] = own + sum(float(curve.amounts[unit][place]) for curve, place in parts)
        for what, amount in whole.items():
            if not np.isclose(amount, summed_up[what], rtol=_ROUNDING, atol=_ROUNDING):
                raise MismatchError(
                    f"in equal shares the mix has a sum of {amount:g} ({what}), and its routes by themselves one of "
                    f"{summed_up[what]:g}. What stands in front of the router, or a tax, depends on all of them "
                    "together, so that no bound can be proven. Compare a few mixes with it instead"
                )

    def _places(self, name: str) -> list[int]:
        return [place for group, place in zip(self.group, self.place, strict=True) if group == name]

    def _alone(self, name: str) -> float | None:
        """Give the cost of a route that answers everything."""
        found = []
        for number, curve in enumerate(self.curves):
            place = int(curve.at(np.ones(1))[0])
            sums = {
                unit: float(self.base.quantities[unit]) + curve.amounts[unit][place] for unit, _, _ in self.limits.rows
            }
            kept = all(self.limits.kept(unit, amount) for unit, amount in sums.items())
            if self.group[number] == name and curve.able[place] and kept:
                found.append(float(self.base.cost) + float(curve.costs[place]))
        return min(found, default=None)


def _servers(option: Option) -> dict[str, float]:
    """Give the servers that are installed in the end, by the name of the fleet."""
    found: dict[str, float] = {}
    for fleet, load in option.ledger.loads.items():
        if isinstance(fleet, Fleet):
            found[fleet.name] = found.get(fleet.name, 0.0) + float(fleet.size(load.demand).installed.max())
    return found


def _solved(
    pieces: Sequence[Pieces], group: Sequence[str], limits: Limits, scale: float, base: Mapping[str, float]
) -> Any:
    """Pick at most one piece of each route, and a share within it.

    Variables are, for each piece, whether it is picked, and the share above its lower end.
    """
    scipy = _scipy()
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
