"""People."""

from __future__ import annotations

from typing import ClassVar

import attrs

from llm_tco._fields import Number, column, number, text
from llm_tco.components.base import Composable, monthly, on_anniversaries
from llm_tco.demand import Demand
from llm_tco.ledger import Ledger
from llm_tco.money import Money, money


@attrs.frozen(eq=False)
class Labour(Composable):
    """The hours that a role spends every month.

    Cost of a month = hours × rate × (1 + burden) × (1 + raise) ** anniversaries passed.

    Attributes:
        name: The role.
        hours_per_month: Hours that it takes. [h/month]
        rate_per_hour: Pay for an hour. [currency/h]
        burden: What the employer adds to the pay, as a ratio of it.
        raise_per_year: Raise on each anniversary of the start, as a ratio. [1/year]
    """

    kind: ClassVar[str] = "labour"

    name: str = text()
    hours_per_month: Number = number(ge=0, kw_only=True)
    rate_per_hour: Money = money(kw_only=True)
    burden: Number = number(ge=0, default=0.0)
    raise_per_year: Number = number(gt=-1, default=0.0)

    def cost(self, demand: Demand) -> Ledger:
        """Pay for the hours of each month."""
        rate = self.rate_per_hour.column * (1.0 + column(self.burden))
        pay = column(self.hours_per_month) * rate * on_anniversaries(self.raise_per_year, demand)
        line = self.line("labour", self.rate_per_hour.currency, monthly(pay, demand))
        return Ledger(timeline=demand.timeline, lines=(line,))
