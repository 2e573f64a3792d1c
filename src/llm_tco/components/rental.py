"""What is rented: GPU servers by the hour, seats by the month or year."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, choice, column, is_a, number, text, whole
from llm_tco.components.amounts import category
from llm_tco.components.base import Composable, monthly
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lines import AT_ONCE, Recognition
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet
from llm_tco.units import HOURS_PER_MONTH, MONTHS_PER_YEAR


@attrs.frozen(eq=False)
class Rental(Composable):
    """The servers of a fleet, rented by the hour: on demand, reserved, or spot.

    Reserved servers are paid for all hours of their term, used or not. What a month needs
    beyond them is paid on demand, for the hours that the fleet is on. Where interruptions
    undo a share of the work, as on spot capacity, the servers on demand run longer by
    1 / (1 − share). A term that outlasts the horizon is paid there.

    Attributes:
        fleet: The fleet.
        price_per_hour: Price of one server on demand. [currency/h]
        reserved: Servers that are reserved.
        reserved_price_per_hour: Price of one that is reserved. [currency/h]
        term_months: Length of a reservation, which is renewed as long as the horizon goes on. [month]
        rework_share: Share of the work on demand that interruptions undo, 0 up to but not including 1.
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "rental"

    fleet: Fleet = attrs.field(validator=is_a(Fleet))
    price_per_hour: Money = money(kw_only=True)
    reserved: int = whole(ge=0, default=0)
    reserved_price_per_hour: Money | None = money(default=None, optional=True)
    term_months: int = whole(ge=1, default=1)
    rework_share: Number = number(ge=0, le=0.99, default=0.0)
    name: str = text(default="rental")

    def __attrs_post_init__(self) -> None:
        if (self.reserved > 0) != (self.reserved_price_per_hour is not None):
            raise InvalidValueError("reserved_price_per_hour", "and reserved must be given together")

    def cost(self, demand: Demand) -> Ledger:
        """Pay for reserved servers in every month, and for the others as they are needed."""
        plan = self.fleet.size(demand)
        timeline = demand.timeline
        hours = column(self.fleet.hours_per_month) / (1.0 - column(self.rework_share))
        needed = np.maximum(plan.active - self.reserved, 0.0)
        on_demand = monthly(needed * hours * self.price_per_hour.column, demand)
        lines = [self.line("rental", self.price_per_hour.currency, on_demand, item="on demand")]
        if self.reserved_price_per_hour is not None:
            a_month = self.reserved * HOURS_PER_MONTH * self.reserved_price_per_hour.column
            beyond = -timeline.months % self.term_months
            months = np.where(timeline.index == timeline.months, 1.0 + beyond, 1.0)
            currency = self.reserved_price_per_hour.currency
            lines.append(self.line("rental", currency, monthly(a_month * months, demand), item="reserved"))
        return plan.ledger(*lines, rising=True)


@attrs.frozen(eq=False)
class Subscription(Composable):
    """Seats of a service, paid by the month or a year in advance.

    A year in advance is an expense of its twelve months.

    Attributes:
        name: The service.
        seats: How many.
        price_per_seat: Price of a seat for a month, or for a year. [currency]
        per: `"month"` or `"year"`.
        category: What kind of cost it is.
    """

    kind: ClassVar[str] = "subscription"

    name: str = text()
    seats: int = whole(ge=0)
    price_per_seat: Money = money(kw_only=True)
    per: str = choice("month", "year", default="month")
    category: str = category("software")

    def cost(self, demand: Demand) -> Ledger:
        """Pay for the seats."""
        timeline = demand.timeline
        bill = self.seats * self.price_per_seat.column
        recognition = AT_ONCE
        if self.per == "month":
            amounts = monthly(bill, demand)
        else:
            due = (timeline.index % MONTHS_PER_YEAR == 0) & (timeline.index < timeline.months)
            amounts = np.where(due, bill, 0.0)
            recognition = Recognition(weights=np.r_[0.0, np.full(MONTHS_PER_YEAR, 1.0 / MONTHS_PER_YEAR)])
        seats = monthly(np.full(1, float(self.seats)), demand)
        return Ledger(
            timeline=timeline,
            lines=(
                self.line(self.category, self.price_per_seat.currency, amounts, recognition=recognition),
                self.line(self.category, "seat-months", seats, item="seats"),
            ),
            rising=True,
        )
