"""What plugins bring: records, each with its source, its authority and its period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, number, text, whole
from llm_tco.errors import InvalidValueError
from llm_tco.money import Money, money

AUTHORITIES: Final = ("user", "vendor", "measured", "aggregator", "claim")
"""Who states a record, the most trusted first."""


@attrs.frozen(kw_only=True)
class Source:
    """Where a figure stands.

    Attributes:
        title: Document, page or table.
        checked: Day on which somebody read it there.
        url: Address, where there is one.
        note: Where on the page, or how the figure follows from it.
    """

    title: str = text()
    checked: date
    url: str | None = None
    note: str | None = None

    def __str__(self) -> str:
        place = f", {self.url}" if self.url else ""
        return f"{self.title}{place} (checked {self.checked.isoformat()})"


@attrs.frozen(kw_only=True)
class Period:
    """When a record holds: from its start on, up to but not including its end.

    Attributes:
        start: First day, or None for "as long as is known".
        end: First day on which it no longer holds, or None for "until further notice".
    """

    start: date | None = None
    end: date | None = None

    def __attrs_post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise InvalidValueError("end", f"must be after the start {self.start}, got {self.end}")

    def covers(self, day: date) -> bool:
        """Say whether the period holds on a day."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)

    def __str__(self) -> str:
        return f"{self.start or '…'} to {self.end or '…'}"


@attrs.frozen(kw_only=True)
class Origin:
    """Which plugin brought a record.

    Attributes:
        plugin: Name of the distribution, or of the file that holds the record.
        version: Its version; empty for a file.
    """

    plugin: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.plugin} {self.version}".strip()


@attrs.frozen(kw_only=True)
class Record:
    """What every record holds.

    Attributes:
        source: Where its figures stand.
        authority: Who states them, one of `AUTHORITIES`.
        approximate: Whether the record is known to simplify; it then ranks last.
        period: When it holds.
        note: What a reader should know.
        origin: Which plugin brought it; set by the loader.
    """

    kind: ClassVar[str] = ""

    source: Source
    authority: str = choice(*AUTHORITIES, default="aggregator")
    approximate: bool = False
    period: Period = attrs.field(factory=Period)
    note: str | None = None
    origin: Origin | None = attrs.field(default=None, eq=False)

    @property
    def identity(self) -> tuple[str, ...]:
        """What the record is about: the words under which it is looked up."""
        raise TypeError(f"{type(self).__name__} is no record that can be looked up")

    @property
    def title(self) -> str:
        """The record's identity as one word, for people."""
        return "/".join(word for word in self.identity if word)


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


@attrs.frozen(kw_only=True)
class Model(Record):
    """A language model.

    Attributes:
        key: Short name.
        name: Name in full.
        parameters: Number of parameters.
        active_parameters: Parameters used for one token, where they are fewer.
        license: Licence of the weights.
        aliases: Other names that people use.
    """

    kind: ClassVar[str] = "model"

    key: str = text()
    name: str = text()
    parameters: float = number(gt=0)
    active_parameters: float | None = number(gt=0, default=None, optional=True)
    license: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)


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


@attrs.frozen(kw_only=True)
class Throughput(Record):
    """What one replica of a model delivers when it is kept busy.

    A request keeps a replica busy for the sum of the stated terms: input tokens over
    the input rate, output tokens over the output rate, all tokens over the total rate,
    one over the request rate. A rate that is not stated adds no term, so that a rate of
    output tokens that was measured with its prefill stands alone.

    Attributes:
        gpu: Key of the accelerator.
        model: Key of the model.
        quantisation: Quantisation of the weights, such as `"q4_k_m"`.
        engine: Inference engine and version.
        gpus: Accelerators of one replica.
        output_tokens_per_s: Rate of generated tokens. [1/s]
        input_tokens_per_s: Rate of prompt tokens, where prefill was measured apart. [1/s]
        total_tokens_per_s: Rate of prompt and generated tokens together. [1/s]
        requests_per_s: Rate of whole requests. [1/s]
        conditions: Prompt and output length, concurrency and what else was set.
        estimate: Whether the figure was calculated rather than measured.
    """

    kind: ClassVar[str] = "throughput"

    gpu: str = text()
    model: str = text()
    quantisation: str = text()
    engine: str = ""
    gpus: int = whole(ge=1, default=1)
    output_tokens_per_s: Number | None = number(gt=0, default=None, optional=True)
    input_tokens_per_s: Number | None = number(gt=0, default=None, optional=True)
    total_tokens_per_s: Number | None = number(gt=0, default=None, optional=True)
    requests_per_s: Number | None = number(gt=0, default=None, optional=True)
    conditions: str = ""
    estimate: bool = False

    def __attrs_post_init__(self) -> None:
        stated = [self.output_tokens_per_s, self.input_tokens_per_s, self.total_tokens_per_s, self.requests_per_s]
        if all(rate is None for rate in stated):
            raise InvalidValueError(
                "throughput",
                "states no rate; give output_tokens_per_s, total_tokens_per_s or requests_per_s",
            )

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.gpu, self.model, self.quantisation, self.engine, str(self.gpus))

    def busy_seconds(self, input_tokens: FloatArray, output_tokens: FloatArray) -> FloatArray:
        """Give the time for which a request keeps one replica busy.

        Args:
            input_tokens: Prompt tokens of a request, shape `(..., K)`.
            output_tokens: Generated tokens of a request, shape `(..., K)`.

        Returns:
            Seconds, shape `(..., K)`. [s]
        """
        terms = (
            (input_tokens, self.input_tokens_per_s),
            (output_tokens, self.output_tokens_per_s),
            (input_tokens + output_tokens, self.total_tokens_per_s),
            (np.ones_like(input_tokens), self.requests_per_s),
        )
        seconds = np.zeros(1)
        for amount, rate in terms:
            if rate is not None:
                seconds = seconds + amount / np.asarray(rate)[..., None]
        return seconds
