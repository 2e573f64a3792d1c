"""Hardware that is bought, replaced and written off."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, is_a, number, text, whole
from llm_tco.components.base import Composable
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.finance import sln_schedule
from llm_tco.finance.discounting import summed
from llm_tco.ledger import Ledger
from llm_tco.lines import Line, Recognition, check_category
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet
from llm_tco.units import MONTHS_PER_YEAR


def entering(installed: FloatArray, lead_months: int = 1) -> FloatArray:
    """Give how many enter at each time: some months ahead of the one that needs them.

    Args:
        installed: Servers that are owned in each month, shape `(..., T + 1)`; it never falls.
        lead_months: How many months ahead they enter, at least 1. What would enter before the
            day of purchase enters on it.

    Returns:
        Additions, of the same shape; those of month 1 enter on the day of purchase.
    """
    added = np.zeros(installed.shape)
    early = min(lead_months, installed.shape[-1] - 1)
    added[..., 0] = installed[..., early]
    added[..., 1 : installed.shape[-1] - early] = np.diff(installed, axis=-1)[..., early:]
    return added


def with_replacements(added: FloatArray, life_months: int) -> FloatArray:
    """Give how many are bought at each time: each again at the end of its life, but not at the horizon."""
    bought = added.copy()
    for age in range(life_months, added.shape[-1], life_months):
        bought[..., age:] += added[..., :-age]
    bought[..., -1] = 0.0
    return bought


def leaving(bought: FloatArray, life_months: int) -> FloatArray:
    """Give how many reach the end of their life at each time, of the same shape."""
    sold = np.zeros(bought.shape)
    if life_months < bought.shape[-1]:
        sold[..., life_months:] = bought[..., :-life_months]
    return sold


def unsold(bought: FloatArray, life_months: int) -> FloatArray:
    """Give how many are in life at the horizon, laid on it, of the same shape."""
    kept = np.zeros(bought.shape)
    kept[..., -1] = summed(bought[..., -life_months:])
    return kept


def written_off(price: Money, salvage: Money | None, life_months: int, residual: str) -> Recognition:
    """Recognise cost less salvage in equal parts over a life, and the rest when the asset is sold.

    What would be sold at the horizon is written off there.
    """
    cost, worth = np.broadcast_arrays(price.value, 0.0 if salvage is None else salvage.value)
    share = np.divide(worth, cost, out=np.zeros(cost.shape), where=cost > 0)
    months = sln_schedule(np.ones(share.shape), share, life_months)
    weights = np.concatenate([np.zeros((*share.shape, 1)), months], axis=-1)
    weights[..., -1] += share
    by_book = "book" if residual == "book" else "none"
    return Recognition(weights=weights, residual=by_book, closed=residual == "salvage")


def check_salvage(price: Money, salvage: Money | None) -> None:
    """Refuse a salvage value in another currency or above the price.

    Raises:
        InvalidValueError: See above.
    """
    if salvage is None:
        return
    if salvage.currency != price.currency:
        raise InvalidValueError("salvage", f"must be in the currency of the price, {price.currency}, got {salvage}")
    if np.any(np.greater(salvage.value, price.value)):
        raise InvalidValueError("salvage", f"must be at most the price of {price}, got {salvage}")


def life_in_months(life_years: Number) -> int:
    """Give a life in months, and refuse parts of one.

    Raises:
        InvalidValueError: See above.
    """
    months = np.asarray(life_years) * MONTHS_PER_YEAR
    if months.ndim or abs(months - np.round(months)) > 1e-9 or np.round(months) < 1:
        raise InvalidValueError("life_years", f"must be a whole number of months, got {life_years} years")
    return round(float(months))


@attrs.frozen(eq=False)
class Purchase(Composable):
    """Buy the servers of a fleet, or a number of other things, and replace them at the end of their life.

    Servers are bought a month ahead of the one that needs them, or earlier where they take
    longer to come, replaced by their like and sold for their salvage value. Cost less salvage is an expense of the months of their life
    in equal parts (straight-line depreciation of the historical cost).

    Attributes:
        fleet: The fleet whose servers are bought.
        life_years: Useful life; a whole number of months. [year]
        price: Price of one; without it, the sum of the server's bill of materials.
        quantity: How many are bought where there is no fleet.
        salvage: What one is worth at the end of its life.
        residual: What those that outlive the horizon are credited with there: `"none"`,
            their `"book"` value, or their `"salvage"` value as if they were sold there.
        owned: How many are there already: their cost is sunk.
        category: Category of the lines.
        name: First step of their paths.
        lead_months: How many months before the one that needs it a server is bought.
    """

    kind: ClassVar[str] = "purchase"

    fleet: Fleet | None = attrs.field(default=None, validator=is_a(Fleet, optional=True))
    life_years: Number = number(gt=0, le=100, kw_only=True)
    price: Money | None = money(default=None, optional=True, kw_only=True)
    quantity: int | None = whole(ge=1, default=None, optional=True)
    salvage: Money | None = money(default=None, optional=True, kw_only=True)
    residual: str = choice("none", "book", "salvage", default="none")
    owned: int = whole(ge=0, default=0)
    category: str = attrs.field(default="hardware", converter=check_category)
    name: str = text(default="purchase")
    lead_months: int = whole(ge=1, default=1)

    def __attrs_post_init__(self) -> None:
        if (self.fleet is None) == (self.quantity is None):
            raise InvalidValueError("quantity", "must be given where there is no fleet, and only there")
        life_in_months(self.life_years)
        check_salvage(self.unit_price, self.salvage)
        if self.residual == "salvage" and self.salvage is None:
            raise InvalidValueError("salvage", 'is missing; residual = "salvage" credits it at the horizon')

    @property
    def unit_price(self) -> Money:
        """Price of one."""
        price = self.fleet.server.price if self.price is None and self.fleet is not None else self.price
        if price is None:
            raise InvalidValueError("price", "is missing; no bill of materials states it either")
        return price

    @functools.cached_property
    def recognition(self) -> Recognition:
        """Straight-line depreciation down to salvage."""
        return written_off(self.unit_price, self.salvage, life_in_months(self.life_years), self.residual)

    def cost(self, demand: Demand) -> Ledger:
        """Buy, replace and sell."""
        plan = None if self.fleet is None else self.fleet.size(demand)
        installed = np.full(demand.timeline.size, float(self.quantity or 0)) if plan is None else plan.installed
        owned = np.minimum(installed, self.owned)
        lead = self.lead_months
        lines = [*self._bought(entering(installed - owned, lead)), *self._owned(entering(owned, lead))]
        # With more volume a purchase comes earlier, and with it a sale may fall inside the horizon.
        if plan is None:
            return Ledger(timeline=demand.timeline, lines=tuple(lines), rising=True)
        return plan.ledger(*lines, rising=self.salvage is None or not np.any(self.salvage.value))

    def _bought(self, added: FloatArray) -> Iterator[Line]:
        yield from self._asset(with_replacements(added, life_in_months(self.life_years)), None, "salvage")

    def _owned(self, added: FloatArray) -> Iterator[Line]:
        """Write what is owned: the first purchase is sunk, whenever it is first needed; the rest is not."""
        if self.owned:
            bought = with_replacements(added, life_in_months(self.life_years))
            yield from self._asset(added, "owned", "salvage of owned", sunk=True)
            yield from self._asset(bought - added, "replacements", "salvage of replacements")

    def _asset(self, bought: FloatArray, item: str | None, sale: str, *, sunk: bool = False) -> Iterator[Line]:
        """Write what is bought, what it brings at the end of its life, and what it would bring at the horizon."""
        price = self.unit_price
        asset = self.line(
            self.category, price.currency, bought * price.column, item=item, recognition=self.recognition, sunk=sunk,
            nature="one_time", capital="asset",
        )  # fmt: skip
        yield asset
        if self.salvage is None:
            return
        life, worth, capital = life_in_months(self.life_years), self.salvage.column, "own_sale" if sunk else "sale"
        sold, kept = -leaving(bought, life) * worth, bought[..., : -life - 1 : -1]
        line = self.line(self.category, price.currency, sold, item=sale, nature="one_time", capital=capital)
        yield attrs.evolve(line, ages=np.eye(life + 1)[life])
        if self.residual == "salvage":
            yield asset.beside("residual", "residual", -unsold(bought, life) * worth, capital=capital, ages=kept)
