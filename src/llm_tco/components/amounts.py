"""Amounts that are simply stated: one-off, monthly, and benefits."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, column, number, text, whole
from llm_tco.components.base import Composable, monthly, on_anniversaries
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger, check_category
from llm_tco.money import Money, money


def _category(default: str) -> Any:
    return attrs.field(default=default, converter=check_category)


@attrs.frozen(eq=False)
class OneOff(Composable):
    """An amount that is paid once.

    Attributes:
        name: What it is for.
        amount: How much.
        month: When; 0 is the day of purchase.
        category: What kind of cost it is, such as `"deployment"` or `"training"`.
        sunk: Whether it is spent whatever is decided.
    """

    kind: ClassVar[str] = "one_off"

    name: str = text()
    amount: Money = money(kw_only=True)
    month: int = whole(ge=0, default=0)
    category: str = _category("other")
    sunk: bool = False

    def cost(self, demand: Demand) -> Ledger:
        """Pay it."""
        timeline = demand.timeline
        if self.month > timeline.months:
            raise InvalidValueError("month", f"must be within the {timeline.months} months, got {self.month}")
        amounts = np.where(timeline.index == self.month, self.amount.column, 0.0)
        line = self.line(self.category, self.amount.currency, amounts, sunk=self.sunk)
        return Ledger(timeline=timeline, lines=(line,))


@attrs.frozen(eq=False)
class Monthly(Composable):
    """An amount that is paid every month.

    Attributes:
        name: What it is for.
        amount: How much a month. [currency/month]
        growth_per_year: Growth on each anniversary of the start, as a ratio. [1/year]
        category: What kind of cost it is, such as `"network"` or `"software"`.
    """

    kind: ClassVar[str] = "monthly"

    name: str = text()
    amount: Money = money(kw_only=True)
    growth_per_year: Number = number(gt=-1, default=0.0)
    category: str = _category("other")

    def cost(self, demand: Demand) -> Ledger:
        """Pay it every month."""
        amounts = monthly(self.amount.column * on_anniversaries(self.growth_per_year, demand), demand)
        return Ledger(timeline=demand.timeline, lines=(self.line(self.category, self.amount.currency, amounts),))


@attrs.frozen(eq=False)
class Benefit(Composable):
    """Money that comes in, or is no longer spent, weighted once by how sure it is.

    The total cost of ownership leaves it out; the net cost and the return on an investment
    count it.

    Attributes:
        name: Where it comes from.
        per_month: The whole benefit of a month. [currency/month]
        confidence: How sure it is, 0 to 1; the benefit is multiplied by it.
        growth_per_year: Growth on each anniversary of the start, as a ratio. [1/year]
        category: What kind of benefit it is.
    """

    kind: ClassVar[str] = "benefit"

    name: str = text()
    per_month: Money = money(kw_only=True)
    confidence: Number = number(ge=0, le=1, default=1.0)
    growth_per_year: Number = number(gt=-1, default=0.0)
    category: str = _category("benefit")

    def cost(self, demand: Demand) -> Ledger:
        """Credit it every month."""
        weighted = self.per_month.column * column(self.confidence) * on_anniversaries(self.growth_per_year, demand)
        line = self.line(self.category, self.per_month.currency, -monthly(weighted, demand), benefit=True)
        return Ledger(timeline=demand.timeline, lines=(line,))
