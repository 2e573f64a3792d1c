"""Hidden costs: real, but on no invoice. Each is stated by its own assumptions."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, is_a, number, text
from llm_tco.components.amounts import category
from llm_tco.components.base import Component, Composable, monthly
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import monthly_rate
from llm_tco.ledger import Ledger, State
from llm_tco.lines import Line
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet
from llm_tco.units import MONTHS_PER_YEAR, SECONDS_PER_HOUR

MINUTES_PER_HOUR = 60.0


@attrs.frozen(eq=False)
class Waiting(Composable):
    """The time for which people wait for answers, at what their hours cost.

    Either people × minutes a day × days, or the requests of the demand × the seconds for
    which one of them blocks somebody.

    Attributes:
        name: Who waits.
        rate_per_hour: What an hour of them costs. [currency/h]
        people: How many wait.
        minutes_per_day: For how long each waits on a working day. [min/d]
        days_per_month: Working days. [d/month]
        seconds_per_request: For how long a request blocks somebody, instead. [s]
    """

    kind: ClassVar[str] = "waiting"

    name: str = text(default="waiting")
    rate_per_hour: Money = money(kw_only=True)
    people: Number | None = number(ge=0, default=None, optional=True)
    minutes_per_day: Number | None = number(ge=0, default=None, optional=True)
    days_per_month: Number | None = number(ge=0, le=31, default=None, optional=True)
    seconds_per_request: Number | None = number(ge=0, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        by_day = [self.people, self.minutes_per_day, self.days_per_month]
        given = [value is not None for value in by_day]
        if any(given) == (self.seconds_per_request is not None) or (any(given) and not all(given)):
            raise InvalidValueError(
                "people", "must be given with minutes_per_day and days_per_month, or seconds_per_request instead"
            )

    def hours(self, demand: Demand) -> FloatArray:
        """Give the hours of waiting in each month, shape `(..., T + 1)`; in hours."""
        if self.seconds_per_request is not None:
            return demand.requests * column(self.seconds_per_request) / SECONDS_PER_HOUR
        people, minutes, days = (
            column(value or 0.0) for value in (self.people, self.minutes_per_day, self.days_per_month)
        )
        return monthly(people * minutes * days / MINUTES_PER_HOUR, demand)

    def cost(self, demand: Demand) -> Ledger:
        """Count the hours of each month and what they cost."""
        hours = self.hours(demand)
        currency = self.rate_per_hour.currency
        lines = (
            self.line("waiting", currency, hours * self.rate_per_hour.column, nature="hidden"),
            self.line("waiting", "h", hours, item="hours", nature="hidden"),
        )
        return Ledger(timeline=demand.timeline, lines=lines, rising=True)


@attrs.frozen(eq=False)
class ExpectedLoss(Composable):
    """A loss that may occur, at its expected value: an outage, a leak, a fine.

    Cost of a month = events a year / 12 × loss of one, which is the stated loss, or the
    hours to repair × the loss of an hour. For something that happens once or not at all,
    the events a year are its probability in a year.

    Attributes:
        name: What may happen.
        events_per_year: How often it is expected. [1/year]
        loss_per_event: What it costs each time. [currency]
        hours_per_event: How long it lasts, instead. [h]
        loss_per_hour: What each hour of it costs. [currency/h]
        category: What kind of cost it is.
    """

    kind: ClassVar[str] = "expected_loss"

    name: str = text()
    events_per_year: Number = number(ge=0, kw_only=True)
    loss_per_event: Money | None = money(default=None, optional=True)
    hours_per_event: Number | None = number(ge=0, default=None, optional=True)
    loss_per_hour: Money | None = money(default=None, optional=True)
    category: str = category("risk")

    def __attrs_post_init__(self) -> None:
        by_hour = [self.hours_per_event is not None, self.loss_per_hour is not None]
        if any(by_hour) == (self.loss_per_event is not None) or (any(by_hour) and not all(by_hour)):
            raise InvalidValueError("loss_per_event", "must be given, or hours_per_event with loss_per_hour instead")

    def cost(self, demand: Demand) -> Ledger:
        """Spread the expected loss over the months."""
        loss, hours = self.loss_per_event, 1.0
        if loss is None:
            assert self.loss_per_hour is not None and self.hours_per_event is not None  # noqa: PT018 - see post-init
            loss, hours = self.loss_per_hour, self.hours_per_event  # type: ignore[assignment]  # a number either way
        expected = column(self.events_per_year) / MONTHS_PER_YEAR * column(hours) * loss.column
        line = self.line(self.category, loss.currency, monthly(expected, demand), nature="hidden")
        return Ledger(timeline=demand.timeline, lines=(line,), rising=True)


@attrs.frozen(eq=False)
class ExpansionDelay(Composable):
    """What is lost while a server that is needed has not come yet.

    Each server that is added after the start is late by the lead time, and each month of
    that costs a stated loss.

    Attributes:
        fleet: The fleet that grows.
        months: How late an added server is. [month]
        loss_per_month: What its absence costs. [currency/month]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "expansion_delay"

    fleet: Fleet = attrs.field(validator=is_a(Fleet))
    months: Number = number(ge=0, kw_only=True)
    loss_per_month: Money = money(kw_only=True)
    name: str = text(default="expansion delay")

    def cost(self, demand: Demand) -> Ledger:
        """Count the servers that each month adds."""
        plan = self.fleet.size(demand)
        added = np.diff(plan.installed, axis=-1, prepend=plan.installed[..., :1])
        lost = added * column(self.months) * self.loss_per_month.column
        return plan.ledger(self.line("risk", self.loss_per_month.currency, lost, nature="hidden"))


@attrs.frozen(eq=False)
class CapitalCharge(Composable):
    """A component with the opportunity cost of the capital that it ties up.

    Charge of a month = book value at its beginning × monthly rate. A discount rate above 0
    counts the cost of capital as well: use one of the two.

    Attributes:
        inner: What ties the capital up.
        rate_per_year: What the capital would earn elsewhere, effective. [1/year]
    """

    kind: ClassVar[str] = "capital_charge"

    inner: Component = attrs.field(validator=is_a(Component))
    rate_per_year: Number = number(gt=-1, kw_only=True, percent_from=1.0)

    @property
    def name(self) -> str:
        """The name of what ties the capital up."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Charge interest on what is not written off yet."""
        ledger = self.inner.cost(demand)
        lines: list[Line] = []
        for unit in {line.unit for line in ledger.lines if line.is_money}:
            book = ledger.where(lambda line, unit=unit: line.unit == unit).book_value(unit)  # type: ignore[misc]
            before = np.concatenate([np.zeros((*book.shape[:-1], 1)), book[..., :-1]], axis=-1)
            charge = monthly(before * monthly_rate(self.rate_per_year)[..., None], demand)
            lines.append(self.line("capital", unit, charge, item="capital charge", nature="hidden"))
        note = "charges interest on capital, which a discount rate above 0 counts again; use one of the two"
        caution = State(kind="caution", path=(self.name, "capital charge"), note=note)
        charges = Ledger(timeline=demand.timeline, lines=tuple(lines), states=frozenset({caution}))
        return Ledger.combine([ledger, charges])
