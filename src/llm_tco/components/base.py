"""The algebra: what a component is, and how components combine.

A component is a function from demand to a ledger. Everything here takes components and
is one, so that a combination can stand wherever a single cost can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Protocol, runtime_checkable

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, column, is_a, number, text, whole
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lines import AT_ONCE, Line, Recognition
from llm_tco.units import MONTHS_PER_YEAR


@runtime_checkable
class Component(Protocol):
    """Anything that has a name and turns a demand into a ledger."""

    @property
    def name(self) -> str:
        """The first step of the paths of its lines."""
        ...

    def cost(self, demand: Demand) -> Ledger:
        """Say what it costs to carry a demand."""
        ...


class Composable:
    """Gives a component the operators of the algebra."""

    __slots__ = ()
    __array_ufunc__ = None  # an array leaves multiplication to this class

    def __add__(self: Component, other: Component) -> Stack:
        if not isinstance(other, Component):
            return NotImplemented
        return Stack((*_parts(self), *_parts(other)))

    def __mul__(self: Component, factor: Number) -> Scaled:
        return Scaled(self, factor)

    __rmul__ = __mul__

    def line(
        self: Component,
        category: str,
        unit: str,
        amounts: FloatArray,
        *,
        item: str | None = None,
        recognition: Recognition = AT_ONCE,
        sunk: bool = False,
        nature: str = "running",
        replaces: str | None = None,
        capital: str = "none",
    ) -> Line:
        """Make a line of this component.

        Args:
            category: What kind of cost it is.
            unit: A currency or a quantity.
            amounts: Shape `(..., T + 1)`; cost is positive.
            item: Name of the line where the component has several.
            recognition: When cash becomes an expense; at once where nothing is said.
            sunk: Whether it is spent whatever is decided.
            nature: `"one_time"`, `"running"`, `"hidden"` or `"benefit"`.
            replaces: The category of another option's cost that a benefit stands for.
            capital: `"asset"` where the line buys one, `"sale"` where it sells one.
        """
        path = (self.name,) if item is None else (self.name, item)
        return Line(
            path=path,
            category=category,
            unit=unit,
            amounts=amounts,
            recognition=recognition,
            sunk=sunk,
            nature=nature,
            replaces=replaces,
            capital=capital,
        )


def _parts(component: Component) -> Iterator[Component]:
    if isinstance(component, Stack):
        yield from component.parts
    else:
        yield component


_is_component = is_a(Component)


def _to_parts(parts: Iterable[Component]) -> tuple[Component, ...]:
    return tuple(parts)


@attrs.frozen(eq=False)
class Stack(Composable):
    """Several components that stand for the same requests; what `a + b` gives.

    Attributes:
        parts: The components; none of them is a cost of nothing.
        name: What people call it.
    """

    kind: ClassVar[str] = "stack"

    parts: tuple[Component, ...] = attrs.field(
        default=(),
        converter=_to_parts,
        validator=lambda _, field, value: [_is_component(_, field, one) for one in value],
    )
    name: str = text(default="stack")

    def cost(self, demand: Demand) -> Ledger:
        """Add the ledgers of the parts."""
        return Ledger.combine([Ledger(timeline=demand.timeline), *(part.cost(demand) for part in self.parts)])


@attrs.frozen(eq=False)
class Scaled(Composable):
    """A component whose amounts are multiplied: a share of it, or several of it.

    Attributes:
        inner: The component.
        factor: What its amounts are multiplied by, at least 0.
    """

    kind: ClassVar[str] = "scaled"

    inner: Component = attrs.field(validator=is_a(Component))
    factor: Number = number(ge=0)

    @property
    def name(self) -> str:
        """The name of what is scaled."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Multiply the inner ledger's amounts."""
        return self.inner.cost(demand).scaled(self.factor)


@attrs.frozen(eq=False)
class Delayed(Composable):
    """A component that begins later: what it would cost on day 0 falls that many months on.

    It sees the demand of the months that remain, and none before.

    Attributes:
        inner: The component.
        months: Months until it begins.
    """

    kind: ClassVar[str] = "delayed"

    inner: Component = attrs.field(validator=is_a(Component))
    months: int = whole(ge=0)

    @property
    def name(self) -> str:
        """The name of what is delayed."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Evaluate the inner component on the remaining months and lay it there.

        Raises:
            InvalidValueError: It would begin at the horizon or later.
        """
        if self.months >= demand.timeline.months:
            raise InvalidValueError(
                "months",
                f"must be below the {demand.timeline.months} months of the timeline, got {self.months}: {self.name} "
                "would never begin. Leave it out, or lengthen the timeline",
            )
        return self.inner.cost(demand.window(self.months)).delayed(demand.timeline, self.months)


@attrs.frozen(eq=False)
class Limited(Composable):
    """A component of which only what falls into a span of time counts.

    Attributes:
        inner: The component.
        first: First month that counts; 0 is the day of purchase.
        last: Last month that counts; None for the end of the timeline.
    """

    kind: ClassVar[str] = "limited"

    inner: Component = attrs.field(validator=is_a(Component))
    first: int = whole(ge=0, default=0)
    last: int | None = whole(ge=0, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if self.last is not None and self.last < self.first:
            raise InvalidValueError("last", f"must not be before first ({self.first}), got {self.last}")

    @property
    def name(self) -> str:
        """The name of what is limited."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Drop what falls outside the span.

        Raises:
            InvalidValueError: The span begins after the horizon.
        """
        if self.first > demand.timeline.months:
            raise InvalidValueError(
                "first",
                f"must be within the {demand.timeline.months} months of the timeline, got {self.first}: nothing of "
                f"{self.name} would count. Leave it out, or lengthen the timeline",
            )
        last = demand.timeline.months if self.last is None else self.last
        return self.inner.cost(demand).limited(self.first, last)


@attrs.frozen(eq=False)
class Escalated(Composable):
    """A component whose money rises, or falls, at a rate; its quantities stay.

    Put it inside of `Financed` and `Leased`: the payments of a loan do not rise with prices.
    What a sale brings rises until the sale, and salvage that is credited at the horizon
    until the horizon. A book value rises until the purchase: it is what was paid.

    Attributes:
        inner: The component.
        rate_per_year: Effective rate, as a ratio; negative where prices fall. [1/year]
        every: `"month"`, at the equivalent monthly rate, or `"year"`, on anniversaries.
    """

    kind: ClassVar[str] = "escalated"

    inner: Component = attrs.field(validator=is_a(Component))
    rate_per_year: Number = number(gt=-1, percent_from=1.0)
    every: str = choice("month", "year", default="month")

    @property
    def name(self) -> str:
        """The name of what is escalated."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Multiply the inner ledger's money by the growth until each month."""
        timeline = demand.timeline
        years = timeline.index / MONTHS_PER_YEAR if self.every == "month" else timeline.whole_years
        return self.inner.cost(demand).escalated(np.power(1.0 + column(self.rate_per_year), years))


def monthly(amount: FloatArray, demand: Demand) -> FloatArray:
    """Lay an amount on every month, and nothing on the day of purchase.

    Args:
        amount: Shape `(..., 1)` or `(..., T + 1)`.

    Returns:
        Shape `(..., T + 1)`.
    """
    return np.where(demand.timeline.index > 0, amount, 0.0)


def on_anniversaries(rate_per_year: Number, demand: Demand) -> FloatArray:
    """Give the growth factor of each month for a rate that applies once a year, shape `(..., T + 1)`."""
    return np.asarray(np.power(1.0 + column(rate_per_year), demand.timeline.whole_years))
