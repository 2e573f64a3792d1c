"""Prices of APIs: what a provider charges by the token, and for long requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, text, whole
from llm_tco.catalog.records import Record
from llm_tco.errors import InvalidValueError
from llm_tco.money import check_currency
from llm_tco.units import TOKENS_PER_MTOK

STANDARD: Final = "standard"
"""The variant of a price that applies where none is named."""


@attrs.frozen(kw_only=True)
class Tier:
    """A price that applies to requests above a number of input tokens.

    Attributes:
        above_tokens: Input tokens (cached ones included) that a request must exceed.
        price: Price per million tokens of the whole request from there on.
    """

    above_tokens: int = whole(ge=0)
    price: Decimal


@attrs.frozen(kw_only=True)
class Rate:
    """A price per million tokens, possibly higher for long requests.

    Attributes:
        base: Price per million tokens. [currency/Mtok]
        tiers: Prices of longer requests, in rising order. The whole request moves to
            the tier that it reaches.
    """

    base: Decimal
    tiers: tuple[Tier, ...] = ()

    def __attrs_post_init__(self) -> None:
        for name, price in (("base", self.base), *(("tiers", tier.price) for tier in self.tiers)):
            if not isinstance(price, Decimal) or not price.is_finite():
                raise InvalidValueError(name, f"must be a finite decimal number, got {price!r}")
            if price < 0:
                raise InvalidValueError(name, f"must be at least 0, got {price}")
        thresholds = [tier.above_tokens for tier in self.tiers]
        if thresholds != sorted(set(thresholds)):
            raise InvalidValueError("tiers", f"must rise, got thresholds {thresholds}")

    def at(self, input_tokens: FloatArray) -> FloatArray:
        """Give the price per token of requests with so many input tokens.

        Args:
            input_tokens: All input tokens of a request, shape `(..., K)`.

        Returns:
            Price per token, shape `(..., K)`. [currency]
        """
        price = np.full(np.shape(input_tokens), float(self.base))
        for tier in self.tiers:
            price = np.where(input_tokens > tier.above_tokens, float(tier.price), price)
        return price / TOKENS_PER_MTOK


@attrs.frozen(kw_only=True)
class TokenPrice(Record):
    """What an API charges for a model.

    A kind of token without a rate is not priced: unknown, which is not the same as
    free, a rate of 0.

    Attributes:
        provider: Who sells it.
        model: Name of the model there.
        currency: Currency of all its amounts.
        input: Rate of input tokens that no cache answers.
        output: Rate of output tokens.
        cached_input: Rate of input tokens read from the provider's prompt cache. They are
            part of the input tokens and are not billed as such again.
        cache_write: Rate of input tokens written to the provider's prompt cache.
        per_request: Fee per request. [currency]
        variant: `"standard"`, `"batch"`, `"flex"`, `"priority"`, …
        region: Region, where the price differs by it.
        aliases: Other names of the model.
    """

    kind: ClassVar[str] = "price"

    provider: str = text()
    model: str = text()
    currency: str = attrs.field(validator=lambda _, attribute, value: check_currency(value, attribute.name) and None)
    input: Rate | None = None
    output: Rate | None = None
    cached_input: Rate | None = None
    cache_write: Rate | None = None
    per_request: Decimal = attrs.field(default=Decimal(0))
    variant: str = text(default=STANDARD)
    region: str = ""
    aliases: tuple[str, ...] = ()

    @per_request.validator
    def _check_fee(self, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
            raise InvalidValueError(attribute.name, f"must be a decimal number of at least 0, got {value!r}")

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.provider, self.model, self.variant, self.region)

    def unpriced(self, input_tokens: FloatArray, output_tokens: FloatArray, cached_tokens: FloatArray) -> list[str]:
        """Name the kinds of token that occur and have no rate."""
        kinds = (
            ("input", self.input, input_tokens - cached_tokens),
            ("cached input", self.cached_input, cached_tokens),
            ("output", self.output, output_tokens),
        )
        return [name for name, rate, tokens in kinds if rate is None and np.any(tokens > 0)]

    def cost(
        self, input_tokens: FloatArray, output_tokens: FloatArray, cached_tokens: FloatArray | float = 0.0
    ) -> FloatArray:
        """Price requests, each by its own lengths.

        A kind of token that has no rate adds nothing here: ask `unpriced` first.

        Args:
            input_tokens: All input tokens of a request, shape `(..., K)`.
            output_tokens: Output tokens of a request, shape `(..., K)`.
            cached_tokens: Input tokens read from the prompt cache, part of the input
                tokens, shape `(..., K)`.

        Returns:
            Cost of each request, shape `(..., K)`. [currency]
        """
        kinds = (
            (self.input, input_tokens - cached_tokens),
            (self.cached_input, cached_tokens),
            (self.output, output_tokens),
        )
        cost = np.full(np.broadcast_shapes(np.shape(input_tokens), np.shape(output_tokens)), float(self.per_request))
        for rate, tokens in kinds:
            if rate is not None:
                cost = cost + rate.at(input_tokens) * tokens
        return cost
