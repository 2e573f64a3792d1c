"""Spill-over: own servers carry what they can, and the rest goes elsewhere."""

from __future__ import annotations

from typing import ClassVar, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, is_a, text
from llm_tco.components.base import Composable
from llm_tco.components.router import Route, hand_out, with_fee
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet

_FITS: Final = 1e-12
"""Share by which a load may exceed the capacity and still fit: rounding errors must not ask for a server more."""

_ROUNDING: Final = 1e-9
"""Share of the requests that a slice cut at the capacity may leave over by rounding errors."""


@attrs.frozen(eq=False, kw_only=True)
class SpillOver(Composable):
    """A router that fills a fleet first: what lies above its capacity goes to another route.

    In every hour a fleet of a fixed number of servers, or of limited power, carries the load up to its capacity.
    Over a month that is the slice of the load-duration curve below a level, so that cost,
    energy and requests equal the sum over the hours. Where the overflow is a spill-over as
    well, servers of several types are filled in their order.

    Attributes:
        fleet: The fleet, with a count or another limit.
        local: The route that it answers: costs that read the fleet.
        overflow: The route of the rest.
        fee_per_request: What the routing of a request costs. [currency]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "spill_over"

    fleet: Fleet = attrs.field(validator=is_a(Fleet))
    local: Route = attrs.field(validator=is_a(Route))
    overflow: Route = attrs.field(validator=is_a(Route))
    fee_per_request: Money | None = money(default=None, optional=True)
    name: str = text(default="spill-over")

    def __attrs_post_init__(self) -> None:
        if not self.fleet.limited:
            raise InvalidValueError(
                "fleet",
                f"must have a limit: {self.fleet.name!r} grows with its load, so that nothing spills over. "
                "State its count",
            )
        for name, route in self.routes.items():
            if route.share is not None:
                raise InvalidValueError(f"{name}.share", "follows from the capacity; leave it out")

    @property
    def routes(self) -> dict[str, Route]:
        """Both routes by name."""
        return {"local": self.local, "overflow": self.overflow}

    def level(self, demand: Demand) -> FloatArray:
        """Give the capacity of the fleet as a multiple of the demand's mean load, shape `(..., T + 1)`.

        Where the capacity is above the peak it is a level beyond the peak.
        """
        plan = self.fleet.size(demand.tagged("local"))
        offered, room = np.broadcast_arrays(plan.offered, plan.room * (1.0 + _FITS))
        level = np.divide(room, offered, out=np.full(offered.shape, np.inf), where=offered > 0)
        return np.asarray(np.minimum(level, 2.0 * demand.load.peak))

    def parts(self, demand: Demand) -> dict[str, Demand]:
        """Say which requests take each route."""
        return self._cut(demand, self.level(demand))

    def _cut(self, demand: Demand, level: FloatArray) -> dict[str, Demand]:
        below, above = demand.cut(level)
        return {"local": below.tagged("local"), "overflow": above.tagged("overflow")}

    def cost(self, demand: Demand) -> Ledger:
        """Cut the load curve at the fleet's capacity, ask both routes, and add the router's own cost."""
        level = self.level(demand)
        answered = hand_out(self.routes, self._cut(demand, level)).under(self.name)
        if self.fleet not in answered.loads:
            raise InvalidValueError(
                "local", f"reads another fleet than {self.fleet.name!r}, whose capacity decides. Name one fleet in both"
            )
        unserved = np.where(answered.unserved > _ROUNDING * demand.requests, answered.unserved, 0.0)
        steps = {**answered.steps, (self, "level"): demand.load.segment(level)}
        answered = attrs.evolve(answered, unserved=unserved, steps=steps)
        return with_fee(answered, self, self.fee_per_request, demand)
