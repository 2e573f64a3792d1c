"""Spill-over: own servers carry what they can, and the rest goes elsewhere."""

from __future__ import annotations

from typing import ClassVar, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, is_a, text
from llm_tco.components.base import Component, Composable
from llm_tco.components.router import FITS, Route, hand_out, limit_level, with_fee
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet

_ROUNDING: Final = 1e-9
"""Share of the requests that a slice cut at the capacity may leave over by rounding errors."""


@attrs.frozen(eq=False, kw_only=True)
class SpillOver(Composable):
    """A router that fills one route first: what lies above its capacity goes to another.

    In every hour a fleet of a fixed number of servers, or of limited power, carries the load up to its capacity.
    Over a month that is the slice of the load-duration curve below a level, so that cost,
    energy and requests equal the sum over the hours. A route that is no fleet, such as one to
    a provider with a rate limit, states its `max_requests_per_s`. Where the overflow is a
    spill-over as well, servers of several types are filled in their order.

    Attributes:
        fleet: The fleet, with a count or another limit; without one, `local` states its limit.
        local: The route that is filled: costs that read the fleet, where there is one.
        overflow: The route of the rest.
        fee_per_request: What the routing of a request costs. [currency]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "spill_over"

    fleet: Fleet | None = attrs.field(default=None, validator=is_a(Fleet, optional=True))
    local: Route = attrs.field(validator=is_a(Route))
    overflow: Route = attrs.field(validator=is_a(Route))
    fee_per_request: Money | None = money(default=None, optional=True)
    name: str = text(default="spill-over")

    def __attrs_post_init__(self) -> None:
        if self.fleet is None and self.local.max_requests_per_s is None:
            raise InvalidValueError(
                "fleet", "must be given, or local.max_requests_per_s: without a capacity nothing spills over"
            )
        if self.fleet is not None and not self.fleet.limited:
            raise InvalidValueError(
                "fleet",
                f"must have a limit: {self.fleet.name!r} grows with its load, so that nothing spills over. "
                "State its count",
            )
        if self.overflow.target is self.local.target:
            raise InvalidValueError(
                "overflow",
                f"leads to {self.local.target.name!r}, as local does: what is above its capacity would come back "
                "to it. Name another component, or leave the spill-over out",
            )
        for name, route in self.routes.items():
            if route.share is not None:
                raise InvalidValueError(f"{name}.share", "follows from the capacity; leave it out")

    @property
    def routes(self) -> dict[str, Route]:
        """Both routes by name."""
        return {"local": self.local, "overflow": self.overflow}

    def level(self, demand: Demand) -> FloatArray:
        """Give the capacity as a multiple of the demand's mean load, shape `(..., T + 1)`.

        Where the capacity is above the peak it is a level beyond the peak.
        """
        limit = limit_level(self.local, demand)
        if self.fleet is None:
            return limit
        plan = self.fleet.size(demand.tagged("local"))
        offered, room = np.broadcast_arrays(plan.offered, plan.room * (1.0 + FITS))
        level = np.divide(room, offered, out=np.full(offered.shape, np.inf), where=offered > 0)
        return np.asarray(np.minimum(level, limit))

    def parts(self, demand: Demand) -> dict[str, Demand]:
        """Say which requests take each route."""
        return self._cut(demand, self.level(demand))

    def _cut(self, demand: Demand, level: FloatArray) -> dict[str, Demand]:
        below, above = demand.cut(level)
        return {"local": below.tagged("local"), "overflow": above.tagged("overflow")}

    def cost(self, demand: Demand) -> Ledger:
        """Cut the load curve at the capacity, ask both routes, and add the router's own cost."""
        level = self.level(demand)
        parts = self._cut(demand, level)
        answered = hand_out(self, self.routes, parts).under(self.name)
        if self.fleet is not None:
            _check_reads(self.local.target, self.fleet, answered, parts["local"])
        unserved = np.where(answered.unserved > _ROUNDING * demand.requests, answered.unserved, 0.0)
        steps = {**answered.steps, (self, "level"): demand.load.segment(level)}
        answered = attrs.evolve(answered, unserved=unserved, steps=steps)
        return with_fee(answered, self, self.fee_per_request, demand)


def _check_reads(local: Component, fleet: Fleet, answered: Ledger, below: Demand) -> None:
    """Refuse a local route that does not read the fleet; that the overflow reads it is not enough."""
    load = answered.loads.get(fleet)
    if load is not None and load.demand is below:
        return
    loads = local.cost(below).loads
    if fleet not in loads:
        reads = "another fleet than" if loads else "no fleet, and so not"
        raise InvalidValueError(
            "local",
            f"reads {reads} {fleet.name!r}, whose capacity decides. Name costs of that fleet there; for a route "
            "that is no fleet, leave fleet out and state local.max_requests_per_s",
        )
