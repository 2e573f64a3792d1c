"""Caches that stand in front of a component."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, is_a, number, text
from llm_tco.components.base import Component, Composable, monthly
from llm_tco.demand import Demand
from llm_tco.ledger import Ledger, Line
from llm_tco.money import Money, money


@attrs.frozen(eq=False)
class SemanticCache(Composable):
    """A cache that answers requests like earlier ones, in front of any component.

    What stands behind it sees the requests that were not answered well:
    requests × (1 − cacheable share × hit rate × precision).

    Attributes:
        inner: What answers the rest.
        hit_rate: Share of the cacheable requests that the cache answers, 0 to 1.
        precision: Share of its answers that are right; a wrong one is asked again behind it.
        upkeep_per_month: Storage and infrastructure. [currency/month]
        fee_per_lookup: Embedding and search, for every request. [currency]
        name: First step of the paths of its own lines.
    """

    kind: ClassVar[str] = "semantic_cache"

    inner: Component = attrs.field(validator=is_a(Component))
    hit_rate: Number = number(ge=0, le=1, kw_only=True)
    precision: Number = number(ge=0, le=1, default=1.0)
    upkeep_per_month: Money | None = money(default=None, optional=True)
    fee_per_lookup: Money | None = money(default=None, optional=True)
    name: str = text(default="cache")

    def cost(self, demand: Demand) -> Ledger:
        """Hand the rest of the demand on, and add the cache's own cost."""
        right = np.asarray(self.hit_rate) * self.precision
        rest = demand.cached(float(right) if right.ndim == 0 else right)
        ledger = self.inner.cost(rest).asked(rest)
        lines: list[Line] = []
        if self.upkeep_per_month is not None:
            upkeep = monthly(self.upkeep_per_month.column, demand)
            lines.append(self.line("cache", self.upkeep_per_month.currency, upkeep, item="upkeep"))
        if self.fee_per_lookup is not None:
            fees = demand.requests * self.fee_per_lookup.column
            lines.append(self.line("cache", self.fee_per_lookup.currency, fees, item="lookups"))
        return Ledger.combine([ledger, Ledger(timeline=demand.timeline, lines=tuple(lines), rising=True)])
