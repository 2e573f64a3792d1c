"""Prices, an accelerator and a cost of Example Inference, for llm_tco."""

from typing import ClassVar

import attrs

from llm_tco import Composable, Demand, Ledger, Money, hookimpl
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.reading import read_records
from llm_tco.components.base import monthly
from llm_tco.money import money


@hookimpl
def llm_tco_price_sheets() -> tuple[TokenPrice, ...]:
    """Return the price sheet."""
    return read_records(__name__, "data/prices.toml", TokenPrice, table="prices")


@hookimpl
def llm_tco_gpus() -> tuple[Gpu, ...]:
    """Return the accelerator."""
    return read_records(__name__, "data/gpus.toml", Gpu, table="gpus")


@attrs.frozen(eq=False)
class Gateway(Composable):
    """What the gateway of Example Inference costs beside the tokens.

    Attributes:
        fee_per_month: Fee for having it. [currency/month]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "example_gateway"

    fee_per_month: Money = money(kw_only=True)
    name: str = "gateway"

    def cost(self, demand: Demand) -> Ledger:
        """Pay the fee in every month."""
        line = self.line("api", self.fee_per_month.currency, monthly(self.fee_per_month.column, demand))
        return Ledger(timeline=demand.timeline, lines=(line,), rising=True)


@hookimpl
def llm_tco_components() -> tuple[type, ...]:
    """Return the component."""
    return (Gateway,)
