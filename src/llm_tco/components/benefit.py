"""Benefits: money that comes in or is no longer spent, each weighted once by how sure it is.

The total cost of ownership leaves benefits out; the net cost and the return on an
investment count them.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, column, number, text
from llm_tco.components.base import Component, Composable, monthly, on_anniversaries
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lines import Line, check_category
from llm_tco.money import Money, money


def _replaces(value: str | None) -> str | None:
    return None if value is None else check_category(value)


class _Gain(Component, Protocol):
    """A benefit: what every one of them has."""

    @property
    def confidence(self) -> Number: ...

    @property
    def growth_per_year(self) -> Number: ...


def _credit(gain: _Gain, demand: Demand, currency: str, value: FloatArray, replaces: str | None = None) -> Ledger:
    """Credit a value of shape `(..., 1)` in every month, weighted and grown."""
    weighted = value * column(gain.confidence) * on_anniversaries(gain.growth_per_year, demand)
    line = Line(
        path=(gain.name,),
        category="benefit",
        unit=currency,
        amounts=-monthly(weighted, demand),
        nature="benefit",
        replaces=replaces,
    )
    return Ledger(timeline=demand.timeline, lines=(line,), rising=True)


@attrs.frozen(eq=False)
class Benefit(Composable):
    """A stated amount a month: revenue, spending that is replaced, a risk that is avoided.

    Attributes:
        name: Where it comes from.
        per_month: The whole benefit of a month. [currency/month]
        confidence: How sure it is, 0 to 1; the benefit is multiplied by it.
        growth_per_year: Growth on each anniversary of the start, as a ratio. [1/year]
        replaces: The category of cost that is no longer spent, such as `"api"`. Against an
            option that holds this cost the benefit would count twice, and is refused.
    """

    kind: ClassVar[str] = "benefit"

    name: str = text()
    per_month: Money = money(kw_only=True)
    confidence: Number = number(ge=0, le=1, default=1.0)
    growth_per_year: Number = number(gt=-1, default=0.0, percent_from=1.0)
    replaces: str | None = attrs.field(default=None, converter=_replaces)

    def cost(self, demand: Demand) -> Ledger:
        """Credit it every month."""
        return _credit(self, demand, self.per_month.currency, self.per_month.column, self.replaces)


@attrs.frozen(eq=False)
class HoursSaved(Composable):
    """Working hours that are saved, at what an hour costs.

    Attributes:
        name: Who saves them, or where.
        hours_per_month: Hours saved by all of them together. [h/month]
        rate_per_hour: What an hour costs. [currency/h]
        confidence: How sure it is, 0 to 1.
        growth_per_year: Growth on each anniversary of the start, as a ratio. [1/year]
    """

    kind: ClassVar[str] = "hours_saved"

    name: str = text()
    hours_per_month: Number = number(ge=0, kw_only=True)
    rate_per_hour: Money = money(kw_only=True)
    confidence: Number = number(ge=0, le=1, default=1.0)
    growth_per_year: Number = number(gt=-1, default=0.0, percent_from=1.0)

    def cost(self, demand: Demand) -> Ledger:
        """Credit the hours of each month."""
        value = column(self.hours_per_month) * self.rate_per_hour.column
        return _credit(self, demand, self.rate_per_hour.currency, value)


@attrs.frozen(eq=False)
class ProductivityGain(Composable):
    """A metric that gets better, turned into money by two stated assumptions.

    Value of a month = base × realised share × abs(after − before) / before: of what the work
    costs in a month, the part by which the metric improves, as far as it turns into money.

    Attributes:
        name: The metric.
        before: Its value before, such as 5.2 days or 0.89.
        after: Its value after.
        base_per_month: What the work that it measures costs in a month. [currency/month]
        realised_share: Share of the improvement that turns into money, 0 to 1.
        better: Whether `"lower"` or `"higher"` values are better.
        confidence: How sure it is, 0 to 1.
        growth_per_year: Growth on each anniversary of the start, as a ratio. [1/year]
    """

    kind: ClassVar[str] = "productivity_gain"

    name: str = text()
    before: Number = number(gt=0, kw_only=True)
    after: Number = number(ge=0, kw_only=True)
    base_per_month: Money = money(kw_only=True)
    realised_share: Number = number(ge=0, le=1, kw_only=True)
    better: str = choice("lower", "higher", default="higher")
    confidence: Number = number(ge=0, le=1, default=1.0)
    growth_per_year: Number = number(gt=-1, default=0.0, percent_from=1.0)

    def __attrs_post_init__(self) -> None:
        worse = np.greater if self.better == "lower" else np.less
        if np.any(worse(self.after, self.before)):
            raise InvalidValueError("after", f"must be no worse than before ({self.before}), got {self.after}")

    @property
    def improvement(self) -> FloatArray:
        """Relative improvement of the metric, shape `(..., 1)`."""
        return np.abs(column(self.after) - column(self.before)) / column(self.before)

    def cost(self, demand: Demand) -> Ledger:
        """Credit the realised part of the improvement every month."""
        value = self.base_per_month.column * self.improvement * column(self.realised_share)
        return _credit(self, demand, self.base_per_month.currency, value)
