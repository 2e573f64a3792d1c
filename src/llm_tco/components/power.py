"""Electricity."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, column, is_a, number, text
from llm_tco.catalog.tariffs import Tariff
from llm_tco.components.base import Composable, monthly
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet
from llm_tco.units import WATTS_PER_KILOWATT


@attrs.frozen(eq=False)
class Power(Composable):
    """The electricity that a fleet draws, between idle and peak, with the facility's overhead.

    Servers that are switched on draw their idle power all the time, and the difference to
    their peak power while they are busy, in proportion to the share of their capacity that
    is busy. On such a line the mean load gives the energy exactly, whatever the load curve.

    Energy of a month in kWh = (idle_w · server-hours + (peak_w − idle_w) · busy
    server-hours) / 1000 · PUE, with power usage effectiveness as in ISO/IEC 30134-2:2016.

    Attributes:
        fleet: The fleet.
        price_per_kwh: Price of energy; negative prices occur. [currency/kWh]
        tariff: A record with that price, instead.
        pue: Energy of the facility over energy of its computers, at least 1.
        idle_w: Power of an idle server; without it, the server's. [W]
        peak_w: Power of a fully loaded server; without it, the server's. [W]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "power"

    fleet: Fleet = attrs.field(validator=is_a(Fleet))
    price_per_kwh: Money | None = money(ge=None, default=None, optional=True, kw_only=True)
    tariff: Tariff | None = attrs.field(default=None, kw_only=True)
    pue: Number = number(ge=1, kw_only=True)
    idle_w: Number | None = number(ge=0, default=None, optional=True)
    peak_w: Number | None = number(gt=0, default=None, optional=True)
    name: str = text(default="power")

    def __attrs_post_init__(self) -> None:
        if (self.price_per_kwh is None) == (self.tariff is None):
            raise InvalidValueError("price_per_kwh", "must be given, or a tariff instead")
        idle, peak = self.watts
        if np.any(np.greater(idle, peak)):
            raise InvalidValueError("idle_w", f"must be at most the peak of {peak} W, got {idle}")

    @property
    def watts(self) -> tuple[Number, Number]:
        """Power of one server in watts, idle and at full load."""
        server = self.fleet.server
        idle = server.idle_w if self.idle_w is None else self.idle_w
        peak = server.peak_w if self.peak_w is None else self.peak_w
        for name, value in (("idle_w", idle), ("peak_w", peak)):
            if value is None:
                raise InvalidValueError(name, f"is missing; the server {server.key!r} does not state it either")
        return idle, peak  # type: ignore[return-value]  # neither is None

    @property
    def price(self) -> Money:
        """Price of a kilowatt-hour."""
        stated = self.price_per_kwh if self.tariff is None else self.tariff.price_per_kwh
        assert stated is not None  # one of the two is given
        return stated

    def cost(self, demand: Demand) -> Ledger:
        """Give the energy of each month and its price."""
        plan = self.fleet.size(demand)
        idle, peak = (column(watts) for watts in self.watts)
        idle_wh = idle * plan.active * column(self.fleet.hours_per_month)
        busy_wh = (peak - idle) * plan.busy_server_hours
        kwh = monthly((idle_wh + busy_wh) / WATTS_PER_KILOWATT * column(self.pue), demand)
        lines = (
            self.line("power", self.price.currency, kwh * self.price.column),
            self.line("power", "kWh", kwh, item="energy"),
        )
        records = () if self.tariff is None else (self.tariff,)
        return plan.ledger(*lines, records=records, rising=bool(np.all(np.greater_equal(self.price.value, 0))))
