"""The cheapest mix of routes: shares and fleet sizes, with a lower bound that proves it.

Each route's cost is a curve in pieces over its share of the requests. A mixed-integer linear
program picks one piece of each route, and shares within, so that all requests are carried;
its optimum is a lower bound of every mix. Pieces on which the bound and the cost differ are
cut where the program would use them, until the best mix that was evaluated is close enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np

from llm_tco.analysis.compare import Comparison, Option
from llm_tco.analysis.mixes import Answers, answers_of
from llm_tco.analysis.pieces import Setting, ShareCurve, Wrap, check_fleets_apart
from llm_tco.analysis.shares import Limits, ShareSearch, scipy_or_fail
from llm_tco.analysis.terms import Terms
from llm_tco.components.answers import ANSWER_SECONDS, RIGHT_ANSWERS
from llm_tco.components.base import Component
from llm_tco.components.router import Route, Router
from llm_tco.demand import Demand
from llm_tco.errors import InfeasibleError, InvalidValueError, MismatchError
from llm_tco.finance.discounting import summed
from llm_tco.money import Money
from llm_tco.serving.fleet import Fleet

_ROUNDING: Final = 1e-9
"""Relative error up to which figures are equal."""
_JUST: Final = 1e-6
"""Relative distance from a limit up to which it binds."""

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
        """How much of its cost the mix may be above the cheapest one; infinite where it costs nothing and might earn."""
        above = max(self.cost - self.lower_bound, 0.0)
        return above / abs(self.cost) if self.cost else float(np.inf if above else 0.0)

    @property
    def answers(self) -> Answers:
        """Quality and latency of the mix."""
        return answers_of(self.option)


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
    scipy_or_fail()  # says at once what is missing
    if not gap > 0:
        raise InvalidValueError("gap", f"must be more than 0, got {gap}")
    units = {RIGHT_ANSWERS: min_quality, ANSWER_SECONDS: max_mean_latency_s}
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
    base = setting.read(None, 1.0)
    curves = [
        ShareCurve(name, route, setting, base, place)
        for name, alternatives in _allowed(routes, max_latency_s).items()
        for place, route in alternatives
    ]
    check_fleets_apart(curves)
    search = ShareSearch(curves, limits)
    first = {curve.name: number for number, curve in reversed(list(enumerate(curves)))}
    even = {number: 1.0 / len(first) for number in first.values()}  # that it may leave requests unserved does no harm
    _check_sums(search, setting, even, _option(search, setting, even))
    search.run(gap)
    return _mix(search, setting, list(routes))


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


def _mix(search: ShareSearch, setting: Setting, names: Sequence[str]) -> Mix:
    """Evaluate the best mix as a whole, and describe it."""
    curves, best = search.curves, search.best
    option = _option(search, setting, best)
    _check_sums(search, setting, best, option)
    cost = float(np.asarray(option.npv_cost))
    binding = []
    for word, unit, limit in (
        ("quality", RIGHT_ANSWERS, search.limits.right),
        ("latency", ANSWER_SECONDS, search.limits.seconds),
    ):
        if limit is not None and np.isclose(search.total(unit, best), limit, rtol=_JUST, atol=0.0):
            binding.append(word)
    return Mix(
        shares={curves[number].name: share for number, share in best.items()},
        chosen={curves[number].name: curves[number].place for number in best},
        option=option,
        cost=cost,
        lower_bound=search.bound,
        servers=_servers(option),
        alone={name: search.alone(name) for name in names},
        binding=tuple(binding),
        unproven=tuple(dict.fromkeys(curve.name for curve in curves if not curve.sure)),
    )


def _option(search: ShareSearch, setting: Setting, mix: Mapping[int, float]) -> Option:
    """Evaluate a mix as a whole."""
    uses = {search.curves[number]: share for number, share in mix.items()}
    routes = {curve.name: attrs.evolve(curve.route, share=share) for curve, share in uses.items()}
    component = setting.wrap(Router(routes, fee_per_request=setting.fee_per_request, name=setting.name))
    ledger = setting.terms.ledger(component, setting.demand)
    return Option(name="cheapest mix", component=component, demand=setting.demand, terms=setting.terms, ledger=ledger)


def _check_sums(search: ShareSearch, setting: Setting, mix: Mapping[int, float], option: Option) -> None:
    """Refuse a mix whose sums are not those of its routes, as nothing would be proven."""
    whole: dict[str | None, float] = {None: float(np.asarray(option.npv_cost))}
    whole.update({unit: float(summed(option.ledger.amounts(unit))) for unit in setting.units})
    for unit, amount in whole.items():
        parts = search.total(unit, mix)
        if not np.isclose(amount, parts, rtol=_ROUNDING, atol=_ROUNDING):
            shares = ", ".join(f"{search.curves[number].name} {share:.3g}" for number, share in mix.items())
            raise MismatchError(
                f"the mix {shares} has a sum of {amount:g} ({unit or setting.terms.currency}), and its routes by "
                f"themselves one of {parts:g}. What stands in front of the router depends on all of them together, so "
                "that no bound can be proven. Compare a few mixes with it instead"
            )


def _servers(option: Option) -> dict[str, float]:
    """Give the servers that are installed in the end, by the name of the fleet."""
    found: dict[str, float] = {}
    for fleet, load in option.ledger.loads.items():
        if isinstance(fleet, Fleet):
            found[fleet.name] = found.get(fleet.name, 0.0) + float(fleet.size(load.demand).installed.max())
    return found
