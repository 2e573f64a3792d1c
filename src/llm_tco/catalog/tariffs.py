"""Prices of electricity, of services and of work."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, number, text
from llm_tco.catalog.records import Record
from llm_tco.errors import InvalidValueError
from llm_tco.money import Money, money


@attrs.frozen(kw_only=True)
class Tariff(Record):
    """A price of electricity.

    Attributes:
        key: Short name.
        name: Name in full.
        price_per_kwh: Price of energy. [currency/kWh]
        carbon_kg_per_kwh: Carbon intensity, where it is stated. [kg CO2/kWh]
        aliases: Other names that people use.
    """

    kind: ClassVar[str] = "tariff"

    key: str = text()
    name: str = text()
    price_per_kwh: Money = money(ge=None)
    carbon_kg_per_kwh: Number | None = number(ge=0, default=None, optional=True)
    aliases: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)


@attrs.frozen(kw_only=True)
class ServicePrice(Record):
    """What a service or an hour of work costs on the market: a hosting offer, a labour rate.

    Attributes:
        key: Short name.
        name: Name in full.
        per: What the price is for, such as `"rack unit and month"` or `"hour"`.
        low: Lowest price that the source states.
        high: Highest one; equal to the lowest where it states a single price.
        aliases: Other names that people use.
    """

    kind: ClassVar[str] = "service_price"

    key: str = text()
    name: str = text()
    per: str = text()
    low: Money = money()
    high: Money = money()
    aliases: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.low.currency != self.high.currency:
            raise InvalidValueError("high", f"must be in {self.low.currency} as the lowest price is, got {self.high}")
        if np.any(np.greater(self.low.value, self.high.value)):
            raise InvalidValueError("high", f"must be at least the lowest price of {self.low}, got {self.high}")

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)
