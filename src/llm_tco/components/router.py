"""Routers: several components that each carry a share of the requests."""

from __future__ import annotations

import functools
import operator
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, Final, Protocol

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, is_a, number, text
from llm_tco.components import answers
from llm_tco.components.base import Component, Composable
from llm_tco.demand import Demand, check_shares
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.money import Money, money
from llm_tco.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

FITS: Final = 1e-12
"""Share by which a load may exceed a capacity and still fit: rounding errors must not leave requests over."""


class Way(answers.Stated, Protocol):
    """A way that requests may take: to a target, and what is stated of its answers."""

    @property
    def target(self) -> Component:
        """What answers them."""
        ...

    @property
    def max_requests_per_s(self) -> Number | None:
        """Requests a second that it takes at most. [1/s]."""
        ...


@attrs.frozen(eq=False)
class Route:
    """A way that requests may take.

    Attributes:
        target: What answers them.
        share: Share of the router's requests that go there, 0 to 1, where the router goes by shares.
        quality: Share of right answers among the requests that are sent there, 0 to 1. It
            stands in the place of what the target says of itself.
        quality_of_all: The same if every request were sent there, for baselines.
        latency_s: Mean time until an answer. [s]
        max_requests_per_s: Requests a second that it takes at most, such as the rate limit of
            a provider; what lies above is unserved, or spills over. Servers have their own limit. [1/s]
    """

    target: Component = attrs.field(validator=is_a(Component))
    share: Number | None = number(ge=0, le=1, default=None, optional=True, kw_only=True)
    quality: Number | None = number(ge=0, le=1, default=None, optional=True, kw_only=True)
    quality_of_all: Number | None = number(ge=0, le=1, default=None, optional=True, kw_only=True)
    latency_s: Number | None = number(ge=0, default=None, optional=True, kw_only=True)
    max_requests_per_s: Number | None = number(ge=0, default=None, optional=True, kw_only=True)


def limit_level(way: Way, demand: Demand) -> FloatArray:
    """Give the most that a way takes, as a multiple of the mean load of a demand, shape `(..., T + 1)`.

    Without a limit, or where it is above the peak, that is a level beyond the peak.
    """
    beyond = 2.0 * demand.load.peak
    if way.max_requests_per_s is None:
        return beyond
    per_month = column(way.max_requests_per_s) * (HOURS_PER_MONTH * SECONDS_PER_HOUR * (1.0 + FITS))
    most, asked = np.broadcast_arrays(per_month, demand.requests)
    with np.errstate(over="ignore"):  # next to no load lies below any level
        level = np.divide(most, asked, out=np.full(asked.shape, np.inf), where=asked > 0)
    return np.asarray(np.minimum(level, beyond))


def taken_by(way: Way, demand: Demand) -> tuple[Demand, FloatArray]:
    """Give what a way takes of a demand, and how many requests of each month lie above its limit."""
    if way.max_requests_per_s is None:
        return demand, np.zeros(demand.timeline.size)
    below, above = demand.cut(limit_level(way, demand))
    if np.any(above.requests > 0):
        return below, above.requests
    return demand, above.requests  # it stays the whole of its load curve


def _within_limits(
    router: Hashable, ways: Mapping[str, Way], parts: Mapping[str, Demand]
) -> tuple[dict[str, Demand], Ledger]:
    """Cut off what lies above the limits of some ways; the ledger holds it as unserved."""
    taken, timeline = dict(parts), next(iter(parts.values())).timeline
    unserved: FloatArray = np.zeros(timeline.size)
    steps: dict[Hashable, FloatArray] = {}
    for name, way in ways.items():
        if way.max_requests_per_s is None:
            continue
        if any(other.target is way.target for other in ways.values() if other is not way):
            raise InvalidValueError(
                f"{name}.max_requests_per_s",
                "is the limit of a component to which another route leads as well. Make one route of both",
            )
        steps[router, name, "limit"] = parts[name].load.segment(limit_level(way, parts[name]))
        taken[name], above = taken_by(way, parts[name])
        unserved = unserved + above
    return taken, Ledger(timeline=timeline, unserved=unserved, steps=steps)


def hand_out(
    router: Hashable,
    ways: Mapping[str, Way],
    parts: Mapping[str, Demand],
    kept: Mapping[str, Number] | None = None,
) -> Ledger:
    """Ask each target once, with the sum of the demands that lead to it, and add the ledgers.

    Args:
        router: Whose ways they are; with a way's name it tells its limit from those of other routers.
        ways: The ways by name.
        parts: The demand of each.
        kept: The share of the answers of each way that is kept; all where nothing is said.
    """
    parts, over = _within_limits(router, ways, parts)
    together: dict[int, list[str]] = {}
    for name in sorted(ways):
        together.setdefault(id(ways[name].target), []).append(name)
    ledgers = []
    for names in together.values():
        asked = functools.reduce(operator.add, (parts[name] for name in names))
        ledger = ways[names[0]].target.cost(asked).asked(asked)
        stated = [(name, ways[name], parts[name], 1.0 if kept is None else kept[name]) for name in names]
        ledgers.append(("+".join(names), answers.stated(ledger, asked, stated)))
    answers.check_known(ledgers)
    return Ledger.combine((*(ledger.under(names) for names, ledger in ledgers), over), same_requests=False)


def with_fee(ledger: Ledger, router: Composable, fee: Money | None, demand: Demand) -> Ledger:
    """Add what a router charges for every request of a demand."""
    if fee is None:
        return ledger
    line = router.line("router", fee.currency, demand.requests * fee.column)  # type: ignore[misc]  # a router is a component
    return Ledger.combine([ledger, Ledger(timeline=demand.timeline, lines=(line,), rising=True)])


def _check_routes(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, Route]) -> None:
    check_routes(_, attribute, value)
    for name, route in value.items():
        if route.share is None:
            raise InvalidValueError(f"{attribute.name}.{name}.share", "is missing; the shares of all routes sum to 1")
    check_shares(shares_of(value), attribute.name)


def check_routes(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, Route]) -> None:
    """Refuse what does not map names to routes."""
    if not isinstance(value, Mapping) or not all(isinstance(route, Route) for route in value.values()):
        raise InvalidValueError(attribute.name, f"must map names to routes, got {value!r}")
    if not value:
        raise InvalidValueError(attribute.name, "must name at least one part")


def shares_of(routes: Mapping[str, Route]) -> dict[str, Number]:
    """Give the stated shares."""
    return {name: route.share for name, route in routes.items() if route.share is not None}


@attrs.frozen(eq=False)
class Router(Composable):
    """A router that splits requests by share.

    Routes to the same component are summed first and that component is asked once, so
    that its fleet is bought once.

    Attributes:
        routes: The routes by name; their shares sum to 1. Requests carry the name as a tag.
        fee_per_request: What the routing of a request costs. [currency]
        name: First step of the paths of its own lines.
    """

    kind: ClassVar[str] = "router"

    routes: Mapping[str, Route] = attrs.field(validator=_check_routes)
    fee_per_request: Money | None = money(default=None, optional=True)
    name: str = text(default="router")

    def parts(self, demand: Demand) -> dict[str, Demand]:
        """Say which requests take each route."""
        return demand.split(shares_of(self.routes))

    def cost(self, demand: Demand) -> Ledger:
        """Split the demand, ask each component once, and add the router's own cost."""
        return with_fee(hand_out(self, self.routes, self.parts(demand)), self, self.fee_per_request, demand)
