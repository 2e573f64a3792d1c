"""Accelerators, and the machines that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, choice, is_a, number, text, whole
from llm_tco.catalog.records import Record, Source
from llm_tco.errors import InvalidValueError, NotInForceError
from llm_tco.money import Money, money


@attrs.frozen(kw_only=True)
class GpuPrice:
    """What an accelerator cost on a day.

    Attributes:
        basis: `"list"` (the vendor asks it), `"street"` (it was paid) or `"rental"`.
        price: The amount.
        per: What it buys: a `"card"`, or a `"card hour"` of rental.
        on: Day for which it was published; the first of the month or of the year where
            the source names no day.
        source: Where it stands.
        note: What a reader should know, such as the kind of contract.
    """

    basis: str = choice("list", "street", "rental")
    price: Money = money(gt=0)
    per: str = choice("card", "card hour")
    on: date = attrs.field(validator=is_a(date))
    source: Source
    note: str | None = None

    def __attrs_post_init__(self) -> None:
        bought = "card hour" if self.basis == "rental" else "card"
        if self.per != bought:
            raise InvalidValueError("per", f"must be {bought!r} where the basis is {self.basis!r}, got {self.per!r}")


@attrs.frozen(kw_only=True)
class Gpu(Record):
    """An accelerator.

    Attributes:
        key: Short name, such as `"rtx-4090"`.
        name: Name in full.
        vendor: Maker.
        memory_bytes: Memory on the card. [B]
        memory_bandwidth_bytes_per_s: Peak memory bandwidth. [B/s]
        tdp_w: Board power limit. [W]
        idle_w: Power when idle, where it was measured. [W]
        bf16_flops_per_s: Peak dense BF16 (or FP16) tensor throughput. [FLOP/s]
        fp8_flops_per_s: Peak dense FP8 tensor throughput, where the card has it. [FLOP/s]
        fp4_flops_per_s: Peak dense FP4 tensor throughput, where the card has it. [FLOP/s]
        int8_ops_per_s: Peak dense INT8 tensor throughput. [OP/s]
        fp32_flops_per_s: Peak FP32 throughput outside matrix units, stated where no
            tensor figure is known. [FLOP/s]
        interconnect: Link between cards, such as `"NVLink 4"`.
        interconnect_bytes_per_s: Bandwidth of that link per card, the sum of both
            directions as vendors print it. [B/s]
        released: Day on which it was announced or first sold, as its source has it.
        prices: What it cost, with dates; at most one of a basis on a day.
        aliases: Other names that people use.
        field_sources: Sources of single fields that stand elsewhere than `source`.
    """

    kind: ClassVar[str] = "gpu"

    key: str = text()
    name: str = text()
    vendor: str = text()
    memory_bytes: float = number(gt=0)
    memory_bandwidth_bytes_per_s: float = number(gt=0)
    tdp_w: float = number(gt=0)
    idle_w: float | None = number(ge=0, default=None, optional=True)
    bf16_flops_per_s: float | None = number(gt=0, default=None, optional=True)
    fp8_flops_per_s: float | None = number(gt=0, default=None, optional=True)
    fp4_flops_per_s: float | None = number(gt=0, default=None, optional=True)
    int8_ops_per_s: float | None = number(gt=0, default=None, optional=True)
    fp32_flops_per_s: float | None = number(gt=0, default=None, optional=True)
    interconnect: str | None = None
    interconnect_bytes_per_s: float | None = number(gt=0, default=None, optional=True)
    released: date | None = attrs.field(default=None, validator=is_a(date, optional=True))
    prices: tuple[GpuPrice, ...] = ()
    aliases: tuple[str, ...] = ()
    field_sources: Mapping[str, Source] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        days = [(price.basis, price.on) for price in self.prices]
        for basis, day in days:
            if days.count((basis, day)) > 1:
                raise InvalidValueError("prices", f"must hold one {basis} price on a day, got several on {day}")

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)

    def price(self, basis: str, *, on: date) -> GpuPrice:
        """Give the latest price of a basis that had been published on a day.

        Args:
            basis: `"list"`, `"street"` or `"rental"`.
            on: The day.

        Raises:
            NotInForceError: None had been published by then.
        """
        prices = sorted((price for price in self.prices if price.basis == basis), key=lambda price: price.on)
        known = [price for price in prices if price.on <= on]
        if not known:
            known_from = f"the first is of {prices[0].on}" if prices else "none is recorded"
            raise NotInForceError(
                f"no {basis} price of {self.key} by {on}: {known_from}. Pass a later on=, or state the price yourself."
            )
        return known[-1]


@attrs.frozen(kw_only=True)
class Part:
    """An item of a bill of materials.

    Attributes:
        name: What it is.
        price: Price of one.
        quantity: How many are in one server.
    """

    name: str = text()
    price: Money = money()
    quantity: int = whole(ge=1, default=1)


@attrs.frozen(kw_only=True)
class Server(Record):
    """A machine that can be bought: its bill of materials and its power at the wall.

    Attributes:
        key: Short name.
        name: Name in full.
        gpu: Key of the accelerator in it.
        gpus: How many accelerators it holds.
        idle_w: Power of the whole machine when idle. [W]
        peak_w: Power of the whole machine at full load. [W]
        loaded_w: Power of the whole machine at the lightest load, where it was measured. [W]
        parts: Bill of materials; all prices in one currency.
        aliases: Other names that people use.
    """

    kind: ClassVar[str] = "server"

    key: str = text()
    name: str = text()
    gpu: str | None = None
    gpus: int = whole(ge=1, default=1)
    idle_w: Number | None = number(ge=0, default=None, optional=True)
    peak_w: Number | None = number(gt=0, default=None, optional=True)
    loaded_w: Number | None = number(ge=0, default=None, optional=True)
    parts: tuple[Part, ...] = ()
    aliases: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.idle_w is not None and self.peak_w is not None and np.any(np.greater(self.idle_w, self.peak_w)):
            raise InvalidValueError("idle_w", f"must be at most peak_w ({self.peak_w:g}), got {self.idle_w:g}")
        if len({part.price.currency for part in self.parts}) > 1:
            raise InvalidValueError("parts", "must all be priced in one currency")

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)

    @property
    def price(self) -> Money | None:
        """Price of one server: the sum of its parts, or None where no part is stated."""
        if not self.parts:
            return None
        first, *rest = (part.price * part.quantity for part in self.parts)
        for amount in rest:
            first = first + amount
        return first
