"""Routers: several components that each carry a share of the requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from llm_tco._fields import Number, is_a, number, text
from llm_tco.components.base import Component, Composable
from llm_tco.demand import Demand, check_shares
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.money import Money, money


@attrs.frozen(eq=False)
class Route:
    """A way that requests may take.

    Attributes:
        target: What answers them.
        share: Share of the router's requests that go there, 0 to 1.
    """

    target: Component = attrs.field(validator=is_a(Component))
    share: Number = number(ge=0, le=1, kw_only=True)


def _check_routes(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, Route]) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(route, Route) for route in value.values()):
        raise InvalidValueError(attribute.name, f"must map names to routes, got {value!r}")
    check_shares({name: route.share for name, route in value.items()}, attribute.name)


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

    def cost(self, demand: Demand) -> Ledger:
        """Split the demand, ask each component once, and add the router's own cost."""
        parts = demand.split({name: route.share for name, route in self.routes.items()})
        together: dict[int, tuple[Component, str, Demand]] = {}
        for name in sorted(self.routes):
            target = self.routes[name].target
            if id(target) in together:
                _, names, asked = together[id(target)]
                together[id(target)] = (target, f"{names}+{name}", asked + parts[name])
            else:
                together[id(target)] = (target, name, parts[name])
        answered = Ledger.combine(
            (target.cost(asked).asked(asked).under(names) for target, names, asked in together.values()),
            same_requests=False,
        )
        if self.fee_per_request is None:
            return answered
        fees = self.line("router", self.fee_per_request.currency, demand.requests * self.fee_per_request.column)
        return Ledger.combine([answered, Ledger(timeline=demand.timeline, lines=(fees,), rising=True)])
