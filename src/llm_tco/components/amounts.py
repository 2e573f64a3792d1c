"""Amounts that are simply stated: once, every month, every so many months."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, number, text, whole
from llm_tco.components.base import Composable, monthly, on_anniversaries
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lines import check_category
from llm_tco.money import Money, money
from llm_tco.timeline import Timeline


def category(default: str) -> Any:
    """Define a field for the category of a component's lines."""
    return attrs.field(default=default, converter=check_category, kw_only=True)


def check_month(month: int, timeline: Timeline, field: str = "month") -> None:
    """Refuse a month beyond the horizon, whose payment would be lost silently.

    Raises:
        InvalidValueError: See above.
    """
    if month > timeline.months:
        raise InvalidValueError(field, f"must be within the {timeline.months} months, got {month}")


@attrs.frozen(eq=False)
class OneOff(Composable):
    """An amount that is paid once.

    Attributes:
        name: What it is for.
        amount: How much.
        month: When; 0 is the day of purchase.
        category: What kind of cost it is, such as `"deployment"` or `"training"`.
        sunk: Whether it is spent whatever is decided.
        hidden: Whether it is a real cost that is on no invoice.
    """

    kind: ClassVar[str] = "one_off"

    name: str = text()
    amount: Money = money(kw_only=True)
    month: int = whole(ge=0, default=0)
    category: str = category("other")
    sunk: bool = False
    hidden: bool = False

    def cost(self, demand: Demand) -> Ledger:
        """Pay it."""
        check_month(self.month, demand.timeline)
        amounts = np.where(demand.timeline.index == self.month, self.amount.column, 0.0)
        nature = "hidden" if self.hidden else "one_time"
        line = self.line(self.category, self.amount.currency, amounts, sunk=self.sunk, nature=nature)
        return Ledger(timeline=demand.timeline, lines=(line,), rising=True)


@attrs.frozen(eq=False)
class Monthly(Composable):
    """An amount that is paid every month.

    Attributes:
        name: What it is for.
        amount: How much a month. [currency/month]
        growth_per_year: Growth on each anniversary of the start, as a ratio. [1/year]
        category: What kind of cost it is, such as `"network"` or `"software"`.
        hidden: Whether it is a real cost that is on no invoice, such as technical debt.
    """

    kind: ClassVar[str] = "monthly"

    name: str = text()
    amount: Money = money(kw_only=True)
    growth_per_year: Number = number(gt=-1, default=0.0, percent_from=1.0)
    category: str = category("other")
    hidden: bool = False

    def cost(self, demand: Demand) -> Ledger:
        """Pay it every month."""
        amounts = monthly(self.amount.column * on_anniversaries(self.growth_per_year, demand), demand)
        nature = "hidden" if self.hidden else "running"
        line = self.line(self.category, self.amount.currency, amounts, nature=nature)
        return Ledger(timeline=demand.timeline, lines=(line,), rising=True)


@attrs.frozen(eq=False)
class Periodic(Composable):
    """An amount that is paid every so many months, such as a quarterly audit.

    Attributes:
        name: What it is for.
        amount: How much each time.
        every_months: Months from one payment to the next. [month]
        first: Month of the first payment; 0 is the day of purchase.
        growth_per_year: Growth on each anniversary of the start, as a ratio. [1/year]
        category: What kind of cost it is.
    """

    kind: ClassVar[str] = "periodic"

    name: str = text()
    amount: Money = money(kw_only=True)
    every_months: int = whole(ge=1, kw_only=True)
    first: int | None = whole(ge=0, default=None, optional=True)
    growth_per_year: Number = number(gt=-1, default=0.0, percent_from=1.0)
    category: str = category("other")

    def cost(self, demand: Demand) -> Ledger:
        """Pay it when it is due."""
        index = demand.timeline.index
        if self.first is not None:
            check_month(self.first, demand.timeline, "first")
        first = self.every_months if self.first is None else self.first
        due = (index >= first) & ((index - first) % self.every_months == 0)
        amounts = np.where(due, self.amount.column * on_anniversaries(self.growth_per_year, demand), 0.0)
        line = self.line(self.category, self.amount.currency, amounts)
        return Ledger(timeline=demand.timeline, lines=(line,), rising=True)
