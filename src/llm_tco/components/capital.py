"""Hardware that is bought, replaced and written off."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, is_a, number, text, whole
from llm_tco.components.base import Composable
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.finance import sln_schedule
from llm_tco.ledger import Ledger, Line, Recognition, check_category
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet
from llm_tco.units import MONTHS_PER_YEAR


@attrs.frozen(eq=False)
class Purchase(Composable):
    """Buy the servers of a fleet, or a number of other things, and replace them at the end of their life.

    Servers are bought a month ahead of the one that needs them, those of month 1 on the
    day of purchase. Each is replaced by its like when its life ends within the horizon,
    and sold for its salvage value. Its cost less salvage is recognised in equal parts
    over the months of its life (straight-line depreciation of the historical cost).

    Attributes:
        fleet: The fleet whose servers are bought.
        life_years: Useful life; a whole number of months. [year]
        price: Price of one; without it, the sum of the server's bill of materials.
        quantity: How many are bought where there is no fleet.
        salvage: What one is worth at the end of its life.
        residual: What those that outlive the horizon are credited with there: `"none"`,
            their `"book"` value, or their `"salvage"` value.
        owned: How many are there already: their cost is sunk.
        category: Category of the lines.
        name: First step of their paths.
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

    def __attrs_post_init__(self) -> None:
        if (self.fleet is None) == (self.quantity is None):
            raise InvalidValueError("quantity", "must be given where there is no fleet, and only there")
        months = np.asarray(self.life_years) * MONTHS_PER_YEAR
        if months.ndim or abs(months - np.round(months)) > 1e-9 or np.round(months) < 1:
            raise InvalidValueError("life_years", f"must be a whole number of months, got {self.life_years} years")
        price = self.unit_price
        if self.salvage is not None:
            if self.salvage.currency != price.currency:
                raise InvalidValueError(
                    "salvage", f"must be in the currency of the price, {price.currency}, got {self.salvage}"
                )
            if np.any(np.greater(self.salvage.value, price.value)):
                raise InvalidValueError("salvage", f"must be at most the price of {price}, got {self.salvage}")

    @property
    def unit_price(self) -> Money:
        """Price of one."""
        price = self.price
        if price is None and self.fleet is not None:
            price = self.fleet.server.price
        if price is None:
            raise InvalidValueError("price", "is missing; no bill of materials states it either")
        return price

    @property
    def life_months(self) -> int:
        """Useful life, in months."""
        return round(float(self.life_years) * MONTHS_PER_YEAR)

    @property
    def recognition(self) -> Recognition:
        """Straight-line depreciation down to salvage; the rest when it is sold."""
        price = np.asarray(self.unit_price.value)
        salvage = np.asarray(0.0 if self.salvage is None else self.salvage.value)
        price, salvage = np.broadcast_arrays(price, salvage)
        share = np.divide(salvage, price, out=np.zeros(price.shape), where=price > 0)
        months = sln_schedule(np.ones(share.shape), share, self.life_months)
        weights = np.concatenate([np.zeros((*share.shape, 1)), months], axis=-1)
        weights[..., -1] += share
        return Recognition(weights=weights, salvage_share=share, residual=self.residual)

    def _added(self, installed: FloatArray) -> FloatArray:
        """Give how many enter at each time, shape `(..., T + 1)`: a month ahead of the one that needs them."""
        added = np.zeros(installed.shape)
        added[..., 0] = installed[..., 0]
        added[..., :-1] += np.diff(installed, axis=-1)
        return added

    def _with_replacements(self, added: FloatArray) -> FloatArray:
        """Give how many are bought at each time, shape `(..., T + 1)`: each again at the end of its life."""
        bought = added.copy()
        for age in range(self.life_months, added.shape[-1], self.life_months):
            bought[..., age:] += added[..., :-age]
        bought[..., -1] = 0.0
        return bought

    def _sold(self, bought: FloatArray) -> FloatArray:
        """Give how many reach the end of their life at each time, shape `(..., T + 1)`."""
        sold = np.zeros(bought.shape)
        if self.life_months < bought.shape[-1]:
            sold[..., self.life_months :] = bought[..., : -self.life_months]
        return sold

    def cost(self, demand: Demand) -> Ledger:
        """Buy, replace and sell."""
        if self.fleet is None:
            plan = None
            installed = np.full(demand.timeline.size, float(self.quantity or 0))
        else:
            plan = self.fleet.size(demand)
            installed = plan.installed
        owned = np.minimum(installed, self.owned)
        lines = self._lines(self._added(installed - owned), None, sunk=False)
        if self.owned:
            lines += self._lines(self._added(owned), "owned", sunk=True)
        if plan is None:
            return Ledger(timeline=demand.timeline, lines=tuple(lines), rising=True)
        # With more volume a purchase comes earlier, and with it a sale may fall inside the horizon.
        return plan.ledger(*lines, rising=self.salvage is None)

    def _lines(self, added: FloatArray, item: str | None, *, sunk: bool) -> list[Line]:
        """Write what is bought and sold; of what is owned, only the first purchase is sunk."""
        bought = self._with_replacements(added)
        rows = [(item, bought, False)]
        if sunk:
            rows = [(item, added, True), ("replacements", bought - added, False)]
        price, recognition = self.unit_price, self.recognition
        lines = [
            self.line(
                self.category,
                price.currency,
                count * price.column,
                item=name,
                recognition=recognition,
                sunk=gone,
                nature="one_time",
            )
            for name, count, gone in rows
        ]
        if self.salvage is not None:
            credit = -self._sold(bought) * self.salvage.column
            name = "salvage" if item is None else f"salvage of {item}"
            lines.append(self.line(self.category, price.currency, credit, item=name, nature="one_time"))
        return lines
