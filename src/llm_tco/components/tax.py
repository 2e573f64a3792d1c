"""Value-added tax."""

from __future__ import annotations

from typing import ClassVar

import attrs

from llm_tco._fields import Number, column, is_a, number
from llm_tco.components.base import Component, Composable
from llm_tco.demand import Demand
from llm_tco.ledger import Ledger
from llm_tco.lines import Line


@attrs.frozen(eq=False)
class ValueAddedTax(Composable):
    """A component whose prices bear value-added tax, included in them or on top.

    Each line of money is split into its net amount and the tax that cannot be recovered:
    net = price / (1 + rate) where the tax is included, else the price itself; tax =
    net × rate × (1 − recoverable share). A benefit bears none.

    Attributes:
        inner: The component.
        rate: Rate of the tax, 0 to 1.
        included: Whether the stated prices include it.
        recoverable_share: Share that the tax office gives back, 0 to 1.
    """

    kind: ClassVar[str] = "value_added_tax"

    inner: Component = attrs.field(validator=is_a(Component))
    rate: Number = number(ge=0, le=1, kw_only=True)
    included: bool = attrs.field(kw_only=True)
    recoverable_share: Number = number(ge=0, le=1, kw_only=True)

    @property
    def name(self) -> str:
        """The name of what bears the tax."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Take the tax out of each line, and add what cannot be recovered."""
        ledger = self.inner.cost(demand)
        rate, kept = column(self.rate), 1.0 - column(self.recoverable_share)
        lines: list[Line] = []
        for line in ledger.lines:
            if not line.is_money or line.benefit:
                lines.append(line)
                continue
            net = line.amounts / (1.0 + rate) if self.included else line.amounts
            tax = attrs.evolve(line, path=(*line.path, "vat"), category="vat", amounts=net * rate * kept)
            lines += [line.with_amounts(net), tax]
        return attrs.evolve(ledger, lines=tuple(lines))
