"""Agreements with a vendor: what is committed, and what is taken off the list price."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, check_bounds, column, is_a, number, to_number, whole
from llm_tco.components.base import Component, Composable
from llm_tco.demand import Demand
from llm_tco.errors import CurrencyError, InvalidValueError
from llm_tco.finance.discounting import summed
from llm_tco.ledger import Ledger
from llm_tco.lines import Line
from llm_tco.money import Money, money, to_money
from llm_tco.timeline import Timeline
from llm_tco.units import MONTHS_PER_YEAR

Above = Money | Number
"""A bound of a discount: money a month, or tokens a month."""

_DISCOUNT: Final = "discount"
_KEEPS: Final = "keeps the months rising"
"""First word of the steps of an agreement under which no month's cost falls as the volume rises."""


def _is_cost(line: Line) -> bool:
    """Say whether an agreement is about a line: what an asset brings when it is sold is no price of a vendor."""
    return line.is_money and not line.benefit and not line.is_sale


def _spending(ledger: Ledger, currency: str, what: str) -> FloatArray:
    """Add the costs of each month, all of them in the currency of an agreement, shape `(..., T + 1)`.

    Raises:
        CurrencyError: One is in another currency.
    """
    costs = ledger.where(_is_cost)
    others = sorted({line.unit for line in costs.lines} - {currency})
    if others:
        raise CurrencyError(
            f"the {what} is in {currency}, and what stands under it costs {', '.join(others)}. "
            "State the agreement in that currency, or put only those costs under it that it covers."
        )
    return costs.amounts(currency)


def _months_rise(ledger: Ledger) -> bool:
    """Say whether it is certain that no month's cost falls as the volume rises.

    A ledger without steps is affine in the volume, month by month, and costs are never
    below 0 however high the volume is, so that none falls. An agreement says by its step
    whether it keeps that.
    """
    agreed = all(isinstance(key, tuple) and key[0] == _KEEPS for key in ledger.steps)
    costs = all(line.category == _DISCOUNT or np.all(line.amounts >= 0) for line in ledger.lines if line.is_money)
    return ledger.rising and agreed and costs and not ledger.smooth


@attrs.frozen(eq=False)
class Commitment(Composable):
    """A component whose costs are at least what was committed, by the month or by the year.

    The costs of the months count, those of the day of purchase do not. A shortfall is paid
    at the end of its month, or at the anniversary. A year that the horizon or the term cuts
    short counts by its months.

    Attributes:
        inner: The component.
        per_month: What is committed for each month. [currency/month]
        per_year: What is committed for each year, instead. [currency/year]
        term_months: For how many months; without it, until the horizon. [month]
    """

    kind: ClassVar[str] = "commitment"

    inner: Component = attrs.field(validator=is_a(Component))
    per_month: Money | None = money(default=None, optional=True, kw_only=True)
    per_year: Money | None = money(default=None, optional=True, kw_only=True)
    term_months: int | None = whole(ge=1, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if (self.per_month is None) == (self.per_year is None):
            raise InvalidValueError("per_month", "or per_year must be given, one of the two")

    @property
    def name(self) -> str:
        """The name of what is committed to."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Add what is missing to the commitment, as a line of its own."""
        ledger, timeline = self.inner.cost(demand), demand.timeline
        committed = self.per_year if self.per_month is None else self.per_month
        assert committed is not None
        spent = _spending(ledger, committed.currency, "commitment")
        term = timeline.months if self.term_months is None else min(self.term_months, timeline.months)
        every = MONTHS_PER_YEAR if self.per_month is None else 1
        shortfall = _shortfall(spent, committed.column, timeline, term, every)
        line = self.line("commitment", committed.currency, shortfall, item="shortfall")
        certain = _months_rise(ledger)
        # Within a year, a cost that rises comes before the true-up that falls by it.
        flag = (_KEEPS if certain and every == 1 else "", self)
        return attrs.evolve(
            ledger,
            lines=(*ledger.lines, line),
            steps={**ledger.steps, flag: (shortfall > 0).astype(np.float64)},
            rising=certain,
        )


def _shortfall(spent: FloatArray, committed: FloatArray, timeline: Timeline, term: int, every: int) -> FloatArray:
    """Give what is missing to a commitment when it is due, shape `(..., T + 1)`.

    Args:
        spent: Costs of each month, shape `(..., T + 1)`.
        committed: What is committed for each span, shape `(..., 1)`.
        timeline: The months.
        term: Months for which it holds.
        every: Months of a span.
    """
    spans = -(-term // every)
    due = np.minimum(np.arange(1, spans + 1) * every, term)
    length = np.diff(due, prepend=0)
    padded = np.zeros((*spent.shape[:-1], spans * every))
    padded[..., :term] = spent[..., 1 : term + 1]
    by_span = summed(padded.reshape(*spent.shape[:-1], spans, every))
    missing = np.maximum(committed * (length / every) - by_span, 0.0)
    shortfall = np.zeros((*missing.shape[:-1], timeline.size))
    shortfall[..., due] = missing
    return shortfall


def _to_above(value: object, attribute: attrs.Attribute[Any]) -> Above:
    above = to_money(value, attribute.name) if isinstance(value, (str, Money)) else to_number(value, attribute.name)
    check_bounds(above.value if isinstance(above, Money) else above, attribute.name, ge=0)
    return above


@attrs.frozen(eq=False)
class DiscountStep:
    """A discount that holds above a volume.

    Attributes:
        above: What must be exceeded in a month: money before the discount, or tokens, both
            kinds together.
        discount: Share that is taken off, 0 to 1.
    """

    above: Above = attrs.field(converter=attrs.Converter(_to_above, takes_field=True))  # type: ignore[misc]  # attrs infers no type from a bound converter
    discount: Number = number(ge=0, le=1)


def _to_steps(value: Iterable[DiscountStep]) -> tuple[DiscountStep, ...]:
    return tuple(DiscountStep(**step) if isinstance(step, Mapping) else step for step in value)


def _check_steps(_: object, attribute: attrs.Attribute[Any], steps: tuple[DiscountStep, ...]) -> None:
    if not steps or not all(isinstance(step, DiscountStep) for step in steps):
        raise InvalidValueError(attribute.name, "must hold at least one step with above and discount")
    units = {step.above.currency if isinstance(step.above, Money) else "tokens" for step in steps}
    if len(units) > 1:
        raise InvalidValueError(attribute.name, f"must be bounds of one unit, got {' and '.join(sorted(units))}")
    bounds = [_bound(step) for step in steps]
    if not all(np.all(one < other) for one, other in itertools.pairwise(bounds)):
        raise InvalidValueError(attribute.name, f"must rise, got bounds {', '.join(str(step.above) for step in steps)}")


def _bound(step: DiscountStep) -> Number:
    return step.above.value if isinstance(step.above, Money) else step.above


@attrs.frozen(eq=False)
class VolumeDiscount(Composable):
    """A component of whose costs a share is taken off that rises with the volume of a month.

    The discount of each line is a line of its own, recognised as that line is. Quantities,
    benefits, and what assets bring when they are sold bear none.

    Attributes:
        inner: The component.
        steps: The discounts, by rising bounds; below the first there is none.
        graduated: Whether each step's discount holds for the part above its bound only;
            else the whole month has the discount of the step that it reaches.
    """

    kind: ClassVar[str] = "volume_discount"

    inner: Component = attrs.field(validator=is_a(Component))
    steps: tuple[DiscountStep, ...] = attrs.field(converter=_to_steps, validator=_check_steps, kw_only=True)
    graduated: bool = attrs.field(default=False, kw_only=True)

    @property
    def name(self) -> str:
        """The name of what is discounted."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Take the discount off the costs of each month."""
        ledger, first = self.inner.cost(demand), self.steps[0].above
        by_money = isinstance(first, Money)
        volume = _spending(ledger, first.currency, "volume discount") if isinstance(first, Money) else demand.tokens
        reached = [volume > column(_bound(step)) for step in self.steps]
        share = self._share(volume, reached)
        lines = [
            attrs.evolve(line, path=(*line.path, "discount"), category=_DISCOUNT, amounts=line.amounts * -share)
            for line in ledger.lines
            if _is_cost(line)
        ]
        keeps = self.graduated and by_money and _months_rise(ledger)
        tier = np.asarray(np.sum(np.broadcast_arrays(*reached), axis=0, dtype=np.float64))
        return attrs.evolve(
            ledger,
            lines=(*ledger.lines, *lines),
            steps={**ledger.steps, (_KEEPS if keeps else "", self): tier},
            # What is fixed is discounted by the mean of the tokens, which is a curve.
            smooth=ledger.smooth or (self.graduated and not by_money),
            rising=keeps,
        )

    def _share(self, volume: FloatArray, reached: list[np.ndarray]) -> FloatArray:
        """Give the share that is taken off each month, shape `(..., T + 1)`."""
        share: FloatArray = np.zeros(1)
        if not self.graduated:
            for step, above in zip(self.steps, reached, strict=True):
                share = np.where(above, column(step.discount), share)
            return share
        before: FloatArray = np.zeros(1)
        for step in self.steps:
            beyond = np.maximum(volume - column(_bound(step)), 0.0)
            share = share + beyond * (column(step.discount) - before)
            before = column(step.discount)
        return np.divide(share, volume, out=np.zeros(np.broadcast_shapes(share.shape, volume.shape)), where=volume > 0)


@attrs.frozen(eq=False)
class Discounted(Composable):
    """A component of whose costs a share is taken off.

    Quantities, benefits, and what assets bring when they are sold stay.

    Attributes:
        inner: The component.
        share: Share that is taken off, 0 to 1.
    """

    kind: ClassVar[str] = "discounted"

    inner: Component = attrs.field(validator=is_a(Component))
    share: Number = number(ge=0, le=1)

    @property
    def name(self) -> str:
        """The name of what is discounted."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Multiply the costs of the inner ledger by what is left of them."""
        ledger, left = self.inner.cost(demand), 1.0 - column(self.share)
        lines = [line.with_amounts(line.amounts * left) if _is_cost(line) else line for line in ledger.lines]
        benefits = any(line.benefit for line in ledger.lines)
        return attrs.evolve(ledger, lines=tuple(lines), rising=ledger.rising and not benefits)
