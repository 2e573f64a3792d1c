"""Accelerators, and the machines that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, number, text, whole
from llm_tco.catalog.records import Record, Source
from llm_tco.errors import InvalidValueError
from llm_tco.money import Money, money


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
    aliases: tuple[str, ...] = ()
    field_sources: Mapping[str, Source] = attrs.field(factory=dict)

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)


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
