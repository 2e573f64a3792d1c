"""Lines of ledgers: amounts over time, and when they become an expense.

A line holds its cash flow and the rule by which it is recognised; the accrual basis is
read from the two. Cost is positive, a credit is negative.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import attrs
import numpy as np

from llm_tco._fields import FloatArray, choice
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import over_time, summed
from llm_tco.money import is_currency

Basis = Literal["cash", "accrual"]

NATURES: Final = ("one_time", "running", "hidden", "benefit")
"""Whether a line is paid once, goes on, is on no invoice, or comes in."""

CAPITAL: Final = ("none", "asset", "financed", "sale", "own_sale")
"""Whether a line has to do with no asset, buys one, buys one with borrowed money, sells one,
or sells one that is owned whatever a lease in the terms says."""

_ROUNDING: Final = 1e-12
"""What rounding may leave of a sum of amounts that cancel, relative to the sum of their sizes."""


def cancelled(value: FloatArray, gross: FloatArray) -> FloatArray:
    """Give 0 in the place of what rounding leaves of amounts that cancel.

    Args:
        value: Their sum, shape `(...)`.
        gross: The sum of their absolute values, shape `(...)`.

    Returns:
        The sum, or 0 where it is no more than the last digits of its parts.
    """
    return np.where(np.abs(value) <= _ROUNDING * gross, 0.0, value)


@attrs.frozen(eq=False, kw_only=True)
class Recognition:
    """When a cash amount becomes an expense.

    Attributes:
        weights: The share that is recognised so many months after the cash, shape
            `(..., n)`. What they leave of 1 is never recognised (as with a loan's
            principal).
        residual: Whether an asset that outlives the horizon is credited with its book value
            there. One that is credited with what it would bring has a line for it.
        closed: Whether what is unrecognised at the horizon is expensed there.
    """

    weights: FloatArray
    residual: str = choice("none", "book", default="none")
    closed: bool = False

    @property
    def months(self) -> int:
        """Months until the last share is recognised: the life of an asset."""
        return int(self.weights.shape[-1]) - 1

    def spread(self, amounts: FloatArray) -> FloatArray:
        """Give the recognised amounts of each month.

        Args:
            amounts: Cash, shape `(..., T + 1)`.

        Returns:
            Expense, of the same shape.
        """
        if self is AT_ONCE:
            return amounts
        size = amounts.shape[-1]
        lag = np.arange(size)[:, None] - np.arange(size)
        inside = (lag >= 0) & (lag < self.weights.shape[-1])
        kernel = np.where(inside, self.weights[..., np.where(inside, lag, 0)], 0.0)
        expense = over_time(amounts[..., None, :], kernel)
        if self.closed:
            expense[..., -1] += summed(amounts) - summed(expense)
        return expense

    def left(self, amounts: FloatArray) -> FloatArray:
        """Give what is unrecognised at the horizon, the book value of assets, shape `(...)`."""
        return cancelled(summed(amounts) - summed(self.spread(amounts)), summed(np.abs(amounts)))

    def left_by_age(self, amounts: FloatArray) -> FloatArray:
        """Give the same by the age of the assets at the horizon in months, shape `(..., T + 1)`."""
        size = amounts.shape[-1]
        recognised = np.cumsum(self.weights, axis=-1)[..., np.minimum(np.arange(size), self.months)]
        return amounts[..., ::-1] * cancelled(1.0 - recognised, np.ones(1))


AT_ONCE: Final = Recognition(weights=np.ones(1))
NEVER: Final = Recognition(weights=np.zeros(1))


@attrs.frozen(eq=False, kw_only=True)
class Line:
    """One row of a ledger.

    Attributes:
        path: Names from the outermost combinator to the item.
        category: What kind of cost it is, such as `"hardware"`.
        unit: A currency, or the name of a quantity such as `"kWh"`.
        amounts: Cash or quantity, shape `(..., T + 1)`; cost is positive.
        recognition: When it becomes an expense.
        sunk: Whether it is spent whatever is decided.
        nature: One of `NATURES`: paid once, running, hidden (real, but on no invoice), or a
            benefit, which the total cost of ownership leaves out.
        replaces: The category of another option's cost that a benefit stands for.
        capital: One of `CAPITAL`: loans, leases and taxes treat what buys or sells an asset apart.
        ages: Of what assets bring: how much of it those of each age in months bring, in any
            unit, shape `(..., n)`; None where their ages are not known.
    """

    path: tuple[str, ...]
    category: str
    unit: str
    amounts: FloatArray
    recognition: Recognition = AT_ONCE
    sunk: bool = False
    nature: str = choice(*NATURES, default="running")
    replaces: str | None = None
    capital: str = choice(*CAPITAL, default="none")
    ages: FloatArray | None = None

    @property
    def name(self) -> str:
        """The path as one word."""
        return ".".join(self.path)

    @property
    def benefit(self) -> bool:
        """Whether it is a benefit."""
        return self.nature == "benefit"

    @property
    def leasable(self) -> bool:
        """Whether it buys assets with one's own money, and not long ago: a loan or a lease may pay instead."""
        return self.is_money and self.capital == "asset" and not self.sunk

    @property
    def is_sale(self) -> bool:
        """Whether it is what an asset brings, or is worth at the horizon."""
        return self.capital in ("sale", "own_sale")

    @property
    def is_money(self) -> bool:
        """Whether the unit is a currency."""
        return is_currency(self.unit)

    def under(self, path: tuple[str, ...]) -> Line:
        """Put names in front of the path."""
        return self._with((*path, *self.path), self.unit, self.amounts)

    def with_amounts(self, amounts: FloatArray, unit: str | None = None) -> Line:
        """Give the line with other amounts, and perhaps in another unit."""
        return self._with(self.path, self.unit if unit is None else unit, amounts)

    def _with(self, path: tuple[str, ...], unit: str, amounts: FloatArray) -> Line:
        return Line(
            path=path,
            category=self.category,
            unit=unit,
            amounts=amounts,
            recognition=self.recognition,
            sunk=self.sunk,
            nature=self.nature,
            replaces=self.replaces,
            capital=self.capital,
            ages=self.ages,
        )

    def beside(
        self,
        item: str,
        category: str,
        amounts: FloatArray,
        *,
        recognition: Recognition = AT_ONCE,
        nature: str | None = None,
        capital: str = "none",
        ages: FloatArray | None = None,
    ) -> Line:
        """Make a line that follows from this one: an item below its path, in its unit.

        Args:
            item: Last step of its path.
            category: What kind of cost it is.
            amounts: Shape `(..., T + 1)`; cost is positive.
            recognition: When its cash becomes an expense.
            nature: One of `NATURES`; that of this line where nothing is said.
            capital: One of `CAPITAL`.
            ages: Of what assets bring: how much of it those of each age in months bring.
        """
        return Line(
            path=(*self.path, item),
            category=category,
            unit=self.unit,
            amounts=amounts,
            recognition=recognition,
            nature=self.nature if nature is None else nature,
            capital=capital,
            ages=ages,
        )

    def brought_by(self, months: int) -> FloatArray:
        """Give the share of each amount that assets bring which were bought so long before the horizon.

        Args:
            months: Months at least between their purchase and the horizon.

        Returns:
            Shares, shape `(..., T + 1)`; 1 where nothing is known of their ages.
        """
        size = self.amounts.shape[-1]
        if self.ages is None:
            return np.ones(size)
        older = np.cumsum(self.ages[..., ::-1], axis=-1)[..., ::-1]
        older = np.concatenate([older, np.zeros((*older.shape[:-1], 1))], axis=-1)
        # What is sold some months before the horizon was bought that much longer ago than its age.
        least = np.clip(months - np.arange(size)[::-1], 0, older.shape[-1] - 1)
        every = older[..., :1]
        return np.divide(older[..., least], every, out=np.zeros((*older.shape[:-1], size)), where=every != 0)

    def limited(self, inside: np.ndarray) -> Line:
        """Keep the months inside a span; what is owned at its end leaves with it, uncredited."""
        kept = self.with_amounts(np.where(inside, self.amounts, 0.0))
        if inside[-1] or (self.recognition.residual == "none" and not self.recognition.closed):
            return kept
        return attrs.evolve(kept, recognition=attrs.evolve(self.recognition, residual="none", closed=False))

    def read(self, basis: Basis) -> FloatArray:
        """Give the amounts by cash or by accrual, shape `(..., T + 1)`."""
        return self.amounts if basis == "cash" else self.recognition.spread(self.amounts)


def total(amounts: Iterable[tuple[tuple[str, ...], FloatArray]], size: int) -> FloatArray:
    """Add named amounts, the same to the last bit whatever their order.

    They are added in the order of their names; those of one name month by month, from the
    lowest to the highest.

    Args:
        amounts: Names and arrays of shape `(..., size)`.
        size: Entries over time.

    Returns:
        Their sum, shape `(..., size)`.
    """
    named: dict[tuple[str, ...], list[FloatArray]] = {}
    for name, array in amounts:
        named.setdefault(name, []).append(array)
    value = np.zeros(size)
    for name in sorted(named):
        group = named[name]
        rows = group if len(group) == 1 else np.sort(np.stack(np.broadcast_arrays(*group)), axis=0)
        for row in rows:
            value = value + row
    return value


def check_category(value: str) -> str:
    """Refuse a category that is not a lower-case word.

    Raises:
        InvalidValueError: See above.
    """
    if isinstance(value, str) and value.replace("_", "").replace("-", "").isalnum() and value == value.lower():
        return value
    raise InvalidValueError("category", f"must be a lower-case word such as 'network', got {value!r}")
