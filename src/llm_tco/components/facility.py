"""Where servers stand and what connects them: hosting, network, storage."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, is_a, number, text, whole
from llm_tco.components.base import Composable, monthly
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lines import Line
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet

KB_PER_GB = 1e6
"""Kilobytes in a gigabyte, both decimal as on a carrier's invoice."""


@attrs.frozen(eq=False)
class Hosting(Composable):
    """Rack space of the servers that are owned, and the services that come with it.

    Attributes:
        fleet: The fleet that is housed.
        rack_units: Height of one server. [U]
        price_per_rack_unit: Rent of one rack unit. [currency/U/month]
        managed_service: Inspection and emergency response. [currency/month]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "hosting"

    fleet: Fleet = attrs.field(validator=is_a(Fleet))
    rack_units: Number = number(gt=0, kw_only=True)
    price_per_rack_unit: Money = money(kw_only=True)
    managed_service: Money | None = money(default=None, optional=True)
    name: str = text(default="hosting")

    def cost(self, demand: Demand) -> Ledger:
        """Rent the space of each month."""
        plan = self.fleet.size(demand)
        price = self.price_per_rack_unit
        rent = plan.installed * column(self.rack_units) * price.column
        lines = [self.line("facility", price.currency, monthly(rent, demand), item="space")]
        if self.managed_service is not None:
            service = monthly(self.managed_service.column, demand)
            lines.append(self.line("facility", self.managed_service.currency, service, item="service"))
        return plan.ledger(*lines, rising=True)


@attrs.frozen(eq=False)
class Network(Composable):
    """A connection: a base fee, the volume above what it includes, bandwidth and addresses.

    Cost of a month = base + max(volume − included, 0) × price per GB + Mbps × price per Mbps
    + addresses × price per address, with the volume of the requests. Egress is a network
    with a price per GB alone.

    Attributes:
        name: What it is.
        base_per_month: Base fee. [currency/month]
        kb_per_request: Volume of a request and its answer. [kB]
        included_gb: Volume that the base fee includes. [GB/month]
        price_per_gb: Price of the volume above it. [currency/GB]
        mbps: Bandwidth that is paid for. [Mbit/s]
        price_per_mbps: Price of bandwidth. [currency/(Mbit/s)/month]
        ip_addresses: Addresses that are paid for.
        price_per_ip_address: Price of one. [currency/month]
    """

    kind: ClassVar[str] = "network"

    name: str = text(default="network")
    base_per_month: Money | None = money(default=None, optional=True)
    kb_per_request: Number = number(ge=0, default=0.0)
    included_gb: Number = number(ge=0, default=0.0)
    price_per_gb: Money | None = money(default=None, optional=True)
    mbps: Number = number(ge=0, default=0.0)
    price_per_mbps: Money | None = money(default=None, optional=True)
    ip_addresses: int = whole(ge=0, default=0)
    price_per_ip_address: Money | None = money(default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        pairs = (
            ("price_per_gb", "kb_per_request"),
            ("price_per_mbps", "mbps"),
            ("price_per_ip_address", "ip_addresses"),
        )
        for price, amount in pairs:
            if (getattr(self, price) is None) != (not np.any(getattr(self, amount))):
                raise InvalidValueError(price, f"and {amount} must be given together")
        if np.any(self.included_gb) and self.price_per_gb is None:
            raise InvalidValueError("included_gb", "means nothing without price_per_gb")

    def cost(self, demand: Demand) -> Ledger:
        """Pay for each part that is stated."""
        volume_gb = demand.requests * column(self.kb_per_request) / KB_PER_GB
        excess_gb = np.maximum(volume_gb - column(self.included_gb), 0.0)
        parts: tuple[tuple[str, Money | None, FloatArray], ...] = (
            ("base", self.base_per_month, np.ones(1)),
            ("volume", self.price_per_gb, excess_gb),
            ("bandwidth", self.price_per_mbps, column(self.mbps)),
            ("addresses", self.price_per_ip_address, column(self.ip_addresses)),
        )
        lines: list[Line] = [
            self.line("network", price.currency, monthly(amount * price.column, demand), item=item)
            for item, price, amount in parts
            if price is not None
        ]
        steps: dict[Hashable, FloatArray] = {}
        if self.price_per_gb is not None:
            steps[self, "above the allowance"] = (excess_gb > 0).astype(np.float64)
        return Ledger(timeline=demand.timeline, lines=tuple(lines), steps=steps, rising=True)


@attrs.frozen(eq=False)
class Storage(Composable):
    """Space that is kept month after month, such as a backup of the models.

    Attributes:
        name: What is kept.
        gb: Its size. [GB]
        price_per_gb: Price of space. [currency/GB/month]
    """

    kind: ClassVar[str] = "storage"

    name: str = text(default="storage")
    gb: Number = number(ge=0, kw_only=True)
    price_per_gb: Money = money(kw_only=True)

    def cost(self, demand: Demand) -> Ledger:
        """Pay for the space of each month."""
        price = monthly(column(self.gb) * self.price_per_gb.column, demand)
        return Ledger(
            timeline=demand.timeline, lines=(self.line("storage", self.price_per_gb.currency, price),), rising=True
        )
