"""What an API provider bills."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, column, is_a, number, text
from llm_tco.catalog.prices import TokenPrice
from llm_tco.components.base import Composable
from llm_tco.demand import Demand
from llm_tco.ledger import Ledger, State


@attrs.frozen(eq=False)
class ApiUsage(Composable):
    """The bill for every request of a demand, each priced by its own length.

    Attributes:
        price: What the provider charges, the same in every month.
        cached_share: Share of the input tokens that the provider reads from its prompt cache.
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "api"

    price: TokenPrice = attrs.field(validator=is_a(TokenPrice))
    cached_share: Number = number(ge=0, le=1, default=0.0)
    name: str = text(default="api")

    def cost(self, demand: Demand) -> Ledger:
        """Price the requests of each month."""
        bill, missing = np.zeros(demand.timeline.size), set()
        for stream in demand.streams:
            lengths = stream.lengths
            cached = column(self.cached_share) * lengths.input_tokens
            if np.any(stream.requests > 0):
                occurs = lengths.weights > 0
                missing.update(
                    self.price.unpriced(lengths.input_tokens * occurs, lengths.output_tokens * occurs, cached * occurs)
                )
            per_request = self.price.cost(lengths.input_tokens, lengths.output_tokens, cached)
            bill = bill + stream.requests * lengths.mean(per_request)
        states = frozenset(
            State(
                kind="unpriced",
                path=(self.name,),
                note=f"{self.price.title} states no price for {kind} tokens; add a row that does",
            )
            for kind in sorted(missing)
        )
        line = self.line("api", self.price.currency, bill)
        return Ledger(
            timeline=demand.timeline,
            lines=(line,),
            states=states,
            records=(self.price,),
            served=np.ones(demand.timeline.size),
            rising=True,
        )
