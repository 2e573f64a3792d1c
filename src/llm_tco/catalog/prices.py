"""Prices of APIs: what a provider charges by the token, by the hour of the week and for long requests."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import Any, ClassVar, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, is_a, text
from llm_tco.catalog.rates import (
    DEFAULT_TTL,
    EXACT,
    Rate,
    Tier,
    Usage,
    Window,
    by_day,
    check_windows,
    decimal,
    rate,
    rates_by_ttl,
    to_decimal,
    week_of,
)
from llm_tco.catalog.records import Record
from llm_tco.catalog.weeks import (
    EPOCH_ORDINAL,
    MINUTES_PER_DAY,
    MINUTES_PER_HOUR,
    IntArray,
    Moments,
    aware,
    days,
    local_minutes,
    minute_of_week,
    names_of,
    time_zone,
    weekly,
    zone_of,
)
from llm_tco.catalog.windows import holidays
from llm_tco.errors import InvalidValueError, NotInForceError, UnpricedError
from llm_tco.money import check_currency
from llm_tco.units import TOKENS_PER_MTOK

__all__ = ["STANDARD", "Rate", "Tier", "TokenPrice", "Usage", "Window"]

STANDARD: Final = "standard"
"""The variant of a price that applies where none is named."""

BLOCK: Final = 32_768
"""Requests that are priced at a time."""

_OF_OUTPUT: Final = ("output", "reasoning")
_AMOUNTS: Final = ("input", "cached_input", "output", "reasoning", "per_request", "minimum_per_request")


def _to_windows(windows: Iterable[Window]) -> tuple[Window, ...]:
    return tuple(windows)


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
        cache_write: Rates of input tokens written to the provider's prompt cache, by
            time-to-live such as `"5m"`; a rate alone is that of the time-to-live
            `"default"`, which is meant where none is named. They too are part of the
            input tokens.
        reasoning: Rate of reasoning tokens where they are billed apart; without one they
            are output tokens.
        per_request: Fee per request. [currency]
        minimum_per_request: Least charge of a request, its fee included. [currency]
        timezone: IANA name of the time zone of its period and windows.
        windows: Hours of the week with prices of their own; they may not overlap.
        holidays: Days that its windows know as `holiday`, whatever their weekday.
        variant: `"standard"`, `"batch"`, `"flex"`, `"priority"`, …
        region: Region, where the price differs by it.
        aliases: Other names of the model.
    """

    kind: ClassVar[str] = "price"

    provider: str = text()
    model: str = text()
    currency: str = attrs.field(validator=lambda _, attribute, value: check_currency(value, attribute.name) and None)
    input: Rate | None = rate()
    output: Rate | None = rate()
    cached_input: Rate | None = rate()
    cache_write: Mapping[str, Rate] = rates_by_ttl()
    reasoning: Rate | None = rate()
    per_request: Decimal = decimal(default=Decimal(0))
    minimum_per_request: Decimal = decimal(default=Decimal(0))
    timezone: str = time_zone(default="UTC")
    windows: tuple[Window, ...] = attrs.field(
        default=(),
        converter=_to_windows,
        validator=attrs.validators.deep_iterable(is_a(Window)),
    )
    holidays: tuple[date, ...] = holidays()
    variant: str = text(default=STANDARD)
    region: str = ""
    aliases: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        for holder, place in ((self, ""), *((window, f"windows[{n}].") for n, window in enumerate(self.windows))):
            for name in _OF_OUTPUT:
                stated: Rate | None = getattr(holder, name)
                if stated is not None and stated.graduated:
                    raise InvalidValueError(
                        f"{place}{name}",
                        "must not be graduated: thresholds count input tokens, so that no part of the output stands "
                        "above one. Leave graduated out; the whole output then has the price of its tier",
                    )
        if self.windows:
            check_windows(self.windows, self.holidays)

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.provider, self.model, self.variant, self.region)

    def cost(
        self, usage: Usage, at: datetime | np.datetime64 | Moments | None = None, exact: bool = False
    ) -> float | Decimal | FloatArray:
        """Price requests.

        Args:
            usage: What they use.
            at: When: a moment with its time zone, or moments in UTC as a datetime64 array
                of shape `(N,)`. A price with windows needs it; it is checked against the
                period where it is given.
            exact: Whether the answer is a `Decimal`, without any rounding; for one request
                or several alike, not for arrays.

        Returns:
            The cost: a float, or an array of shape `(N,)` where the usage or the moments
            are arrays. [currency]

        Raises:
            InvalidValueError: The moment is missing, or says no time zone.
            NotInForceError: The price does not hold then.
            UnpricedError: A kind of token is used that has no rate.
        """
        if isinstance(at, np.datetime64) and not np.isnat(at):
            at = at.astype("datetime64[us]").item().replace(tzinfo=UTC)
        if at is None or isinstance(at, datetime):
            flat = self if at is None and not self.windows else self.at(at)
            if usage.shape:
                return flat._many(usage, exact)
            return flat._exactly(usage) if exact else flat._one(usage)
        places = self._places(at)
        if exact:
            raise InvalidValueError("exact", "is for one moment, got an array of them")
        if usage.shape and usage.shape != places.shape:
            raise InvalidValueError(
                "at", f"must hold one moment for each request, got {places.shape} for {usage.shape} requests"
            )
        return self._many_at(usage, places)

    def at(self, moment: datetime | None) -> TokenPrice:
        """Give the price in force at a moment, without windows.

        Args:
            moment: A moment with its time zone.

        Raises:
            InvalidValueError: The moment is missing, or says no time zone.
            NotInForceError: The price does not hold then.
        """
        if moment is None:
            hours = "; ".join(map(str, self.windows))
            raise InvalidValueError(
                "at", f"is missing: {self.title} has other prices {hours} ({self.timezone}). Say when the request comes"
            )
        try:
            local = aware(moment).astimezone(zone_of(self.timezone))
        except OverflowError:
            raise InvalidValueError("at", f"lies outside the calendar in {self.timezone}, got {moment}") from None
        start, end = self.period.start, self.period.end
        if (start is not None or end is not None) and not self.period.covers(local.date()):
            raise self._not_in_force(local.isoformat())
        if self.windows and self.holidays and local.toordinal() in self._unusual:
            return self.flats[self._unusual[local.toordinal()][local.hour * MINUTES_PER_HOUR + local.minute]]
        return self._by_minute[minute_of_week(local)] if self.windows else self

    def holds_on(self, on: date) -> bool:
        """Say whether it holds on a day, or at a moment, which is a day in its own time zone.

        Raises:
            InvalidValueError: The moment does not say its time zone.
        """
        if isinstance(on, datetime):
            on = aware(on, "on").astimezone(zone_of(self.timezone)).date()
        return self.period.covers(on)

    def _not_in_force(self, moment: str) -> NotInForceError:
        return NotInForceError(
            f"{self.title} holds from {self.period} ({self.timezone}), which {moment} is not in. "
            "Ask the catalog for the price of that day."
        )

    @functools.cached_property
    def schedule(self) -> IntArray:
        """For each minute of a week without holidays, from Monday 00:00 in its time zone, the place in `flats`."""
        return week_of(self.by_day)

    @functools.cached_property
    def by_day(self) -> IntArray:
        """The place in `flats` by the names of a day and of the one before it; see `llm_tco.catalog.rates.by_day`."""
        return by_day(self.windows)

    @functools.cached_property
    def _unusual(self) -> dict[int, list[int]]:
        days = sorted({day.toordinal() + after for day in self.holidays for after in (0, 1)})
        before, here = names_of(np.array(days) - EPOCH_ORDINAL, self.holidays)
        return dict(zip(days, self.by_day[before, here].tolist(), strict=True))

    @functools.cached_property
    def _by_minute(self) -> list[TokenPrice]:
        return [self.flats[place] for place in self.schedule]

    @functools.cached_property
    def flats(self) -> tuple[TokenPrice, ...]:
        """The price outside its windows, and that of each window, all without windows."""
        base = attrs.evolve(self, windows=(), holidays=())
        found = [base]
        for window in self.windows:
            stated = {name: getattr(window, name) for name in _AMOUNTS if getattr(window, name) is not None}
            found.append(attrs.evolve(base, **stated, cache_write={**self.cache_write, **window.cache_write}))
        return tuple(found)

    def discounted(self, share: Decimal | str | int | float) -> TokenPrice:
        """Take a negotiated discount off every amount, windows and tiers included.

        The result is the user's own statement, so that a catalog prefers it to the list
        price; it keeps source and origin of the list, and says that it was negotiated.

        Args:
            share: The discount as a share of the price, such as `"0.15"`; exact.

        Raises:
            InvalidValueError: The share is not between 0 and 1.
        """
        taken = to_decimal(repr(share) if isinstance(share, float) else share, "share")
        if taken > 1:
            raise InvalidValueError("share", f"must be at most 1, got {taken}")
        with localcontext(EXACT):
            left = 1 - taken
            note = f"negotiated: {(100 * taken).normalize():f} % off the list price"
        return attrs.evolve(
            self,
            **_scaled(self, left),
            windows=tuple(attrs.evolve(window, **_scaled(window, left)) for window in self.windows),
            note=f"{self.note}. {note}" if self.note else note,
            authority="user",
        )

    def writes(self, tokens: Any) -> Mapping[str, Any]:
        """Give tokens that are written to the cache by their time-to-live.

        Args:
            tokens: They as a mapping by time-to-live, or a number, which has the
                time-to-live `"default"`, or the only one that the price states.

        Raises:
            InvalidValueError: It is a number and the price states several, none of them `"default"`.
        """
        if isinstance(tokens, Mapping):
            return tokens
        if not np.any(tokens):
            return {}
        if DEFAULT_TTL not in self.cache_write and len(self.cache_write) > 1:
            raise InvalidValueError(
                "cache_write_tokens",
                f"must be given by time-to-live: {self.title} states rates for {', '.join(self.cache_write)}. "
                f"Give a mapping such as {{{next(iter(self.cache_write))!r}: {np.max(tokens):g}}}",
            )
        ttl = DEFAULT_TTL if DEFAULT_TTL in self.cache_write else next(iter(self.cache_write), DEFAULT_TTL)
        return {ttl: tokens}

    def unpriced(
        self,
        input_tokens: FloatArray,
        output_tokens: FloatArray,
        cached_tokens: FloatArray | float = 0.0,
        written: Mapping[str, FloatArray | float] | None = None,
        reasoning_tokens: FloatArray | float = 0.0,
    ) -> list[str]:
        """Name the kinds of token that occur and have no rate; the arguments are those of `per_request_cost`."""
        kinds = self._kinds(input_tokens, output_tokens, cached_tokens, written or {}, reasoning_tokens)
        return [name for name, per_mtok, tokens, _ in kinds if per_mtok is None and np.any(tokens > 0)]

    def per_request_cost(
        self,
        input_tokens: FloatArray,
        output_tokens: FloatArray,
        cached_tokens: FloatArray | float = 0.0,
        written: Mapping[str, FloatArray | float] | None = None,
        reasoning_tokens: FloatArray | float = 0.0,
    ) -> FloatArray:
        """Price requests outside windows, each by its own lengths, which need not be whole.

        A kind of token that has no rate adds nothing here: ask `unpriced` first.

        Args:
            input_tokens: All input tokens of a request, shape `(..., K)`.
            output_tokens: All output tokens of a request, shape `(..., K)`.
            cached_tokens: Input tokens read from the prompt cache, shape `(..., K)`.
            written: Input tokens written to it by time-to-live, shape `(..., K)` each.
            reasoning_tokens: Output tokens that are reasoning, shape `(..., K)`.

        Returns:
            Cost of each request, shape `(..., K)`. [currency]
        """
        amount: FloatArray = np.zeros(())
        kinds = self._kinds(input_tokens, output_tokens, cached_tokens, written or {}, reasoning_tokens)
        for _, per_mtok, tokens, first in kinds:
            if per_mtok is not None:
                amount = amount + per_mtok.amount(tokens, first, input_tokens)
        fee, least = self._fees
        cost = amount / TOKENS_PER_MTOK
        cost = cost + fee if fee else cost
        return np.maximum(cost, least) if least else cost

    def _kinds(
        self, input_tokens: Any, output_tokens: Any, cached: Any, written: Mapping[str, Any], reasoning: Any
    ) -> list[_Part]:
        """Take the tokens of requests apart, in the order in which they stand: read, written, plain, output."""
        found: list[_Part] = []
        first = cached
        if _some(cached):
            found.append(("cached input", self.cached_input, cached, 0))
        for ttl in sorted(written):
            name = "cache write" if ttl == DEFAULT_TTL else f"cache write ({ttl})"
            found.append((name, self.cache_write.get(ttl), written[ttl], first))
            first = first + written[ttl]
        found.append(("input", self.input, input_tokens - first, first))
        apart = self.reasoning is not None and _some(reasoning)
        found.append(("output", self.output, output_tokens - reasoning if apart else output_tokens, 0))
        if apart:
            found.append(("reasoning", self.reasoning, reasoning, 0))
        return found

    def _one(self, usage: Usage) -> float:
        """Price one request, or several alike, as `_many` would to the last bit."""
        input_tokens: Any = usage.input_tokens  # no array, and so below
        requests: Any = usage.requests
        table = self._table
        if table and not usage.cache_write_tokens and not usage.reasoning_tokens:
            row = table[0]
            for dearer in table:
                if input_tokens > dearer[0]:
                    row = dearer
            cached: Any = usage.cached_tokens
            amount = row[1] * cached + row[2] * (input_tokens - cached) + row[3] * usage.output_tokens
            cost = amount / TOKENS_PER_MTOK + row[4]
            if cost >= row[5]:  # a kind without a rate makes it NaN, which is no number to compare
                return cost * requests  # type: ignore[no-any-return]  # a float
        amount = 0.0
        for name, per_mtok, tokens, first in self._kinds_of(usage):
            if tokens:
                if per_mtok is None:
                    raise self._unpriced(name, tokens)
                amount += per_mtok.amount_of(tokens, first, input_tokens)
        fee, least = self._fees
        cost = amount / TOKENS_PER_MTOK + fee
        return float(max(cost, least) * requests)

    @functools.cached_property
    def _table(self) -> list[tuple[float, float, float, float, float, float]]:
        """Rows of what most requests cost, by the input tokens that they exceed; none where a tier is graduated.

        A row holds the threshold, the rates of cached input, input and output, the fee and
        the least charge; a rate that is not stated is NaN.
        """
        rates = (self.cached_input, self.input, self.output)
        stated = [rate for rate in rates if rate is not None]
        if any(rate.graduated for rate in stated):
            return []
        thresholds = sorted({tier.above_tokens for rate in stated for tier in rate.tiers})
        rows: list[tuple[float, float, float, float, float, float]] = []
        for threshold in (-1, *thresholds):
            cached, plain, output = (
                math.nan if one is None else one.amount_of(1, 0, threshold + 1)
                for one in (self.cached_input, self.input, self.output)
            )
            rows.append((threshold, cached, plain, output, *self._fees))
        return rows

    def _exactly(self, usage: Usage) -> Decimal:
        """Price one request, or several alike, without rounding."""
        input_tokens: Any = usage.input_tokens  # no array, and so below
        requests: Any = usage.requests
        with localcontext(EXACT):
            amount = Decimal(0)
            for name, per_mtok, tokens, first in self._kinds_of(usage):
                if tokens:
                    if per_mtok is None:
                        raise self._unpriced(name, tokens)
                    amount += per_mtok.exact_amount_of(tokens, first, input_tokens)
            cost = amount / TOKENS_PER_MTOK + self.per_request
            return Decimal(max(cost, self.minimum_per_request) * requests)

    @functools.cached_property
    def _fees(self) -> tuple[float, float]:
        return float(self.per_request), float(self.minimum_per_request)

    def _kinds_of(self, usage: Usage) -> list[_Part]:
        written = usage.cache_write_tokens
        return self._kinds(
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            self.writes(written) if written else {},
            usage.reasoning_tokens,
        )

    def _many(self, usage: Usage, exact: bool = False) -> FloatArray:
        """Price arrays of requests at one moment."""
        if exact:
            raise InvalidValueError("exact", "is for one request or several alike, got arrays")
        written = self.writes(usage.cache_write_tokens)
        tokens = (usage.input_tokens, usage.output_tokens, usage.cached_tokens, written, usage.reasoning_tokens)
        return self._in_blocks((*tokens, usage.requests), usage.shape[0])

    def _in_blocks(self, fields: tuple[Any, ...], size: int) -> FloatArray:
        """Price requests block by block, so that what is computed stays in the processor's cache."""
        cost = np.empty(size)
        for begin in range(0, size, BLOCK):
            block = slice(begin, begin + BLOCK)
            *tokens, requests = (_chosen(field, block) for field in fields)
            for name, per_mtok, amount, _ in self._kinds(*tokens):
                if per_mtok is None and np.any(amount):
                    raise self._unpriced(name, np.max(amount))
            cost[block] = self.per_request_cost(*tokens) * requests
        return cost

    def _many_at(self, usage: Usage, places: IntArray) -> FloatArray:
        """Price requests, each at its own moment, by the places in `flats` of their prices."""
        written = self.writes(usage.cache_write_tokens)
        tokens = (usage.input_tokens, usage.output_tokens, usage.cached_tokens, written, usage.reasoning_tokens)
        cost = np.empty(places.shape)
        for place, flat in enumerate(self.flats):
            here = np.flatnonzero(places == place)
            if len(here):
                fields = tuple(_chosen(field, here) for field in (*tokens, usage.requests))
                cost[here] = flat._in_blocks(fields, len(here))
        return cost

    def _places(self, at: object) -> IntArray:
        """Find the places in `flats` of the prices of moments in UTC."""
        moments = np.asarray(at)
        if moments.dtype.kind != "M" or moments.ndim > 1:
            raise InvalidValueError(
                "at", f"must be a datetime with its time zone, or a datetime64 array of UTC of shape (N,), got {at!r}"
            )
        minutes = local_minutes(np.atleast_1d(moments), self.timezone)
        for outside, bound in ((np.less, self.period.start), (np.greater_equal, self.period.end)):
            wrong: Any = () if bound is None else np.flatnonzero(outside(days(minutes), np.datetime64(bound)))
            if len(wrong):
                raise self._not_in_force(f"{np.atleast_1d(moments)[wrong[0]]} UTC")
        if self.windows and self.holidays:
            before, day = names_of(minutes // MINUTES_PER_DAY, self.holidays)
            return np.asarray(self.by_day[before, day, minutes % MINUTES_PER_DAY])
        return self.schedule[weekly(minutes)] if self.windows else np.zeros(minutes.shape, dtype=np.int64)

    def _unpriced(self, kind: str, tokens: object) -> UnpricedError:
        instead = ""
        if kind.startswith("cache write") and self.cache_write:
            instead = f" It states cache writes for {', '.join(self.cache_write)}."
        return UnpricedError(
            f"{self.title} states no price for {kind} tokens, of which there are {tokens:g}.{instead} "
            "Add the rate to the record, or count them among tokens that have one."
        )


_Part = tuple[str, Rate | None, Any, Any]
"""Tokens of one kind: its name, its rate, how many, and how many input tokens stand before them."""


def _some(tokens: Any) -> bool:
    return tokens != 0 if type(tokens) is int else bool(np.any(tokens))


def _scaled(holder: TokenPrice | Window, factor: Decimal) -> dict[str, Any]:
    """Multiply every amount that a price or a window states."""
    stated = {name: getattr(holder, name) for name in _AMOUNTS}
    with localcontext(EXACT):
        result: dict[str, Any] = {
            name: value.scaled(factor) if isinstance(value, Rate) else value if value is None else value * factor
            for name, value in stated.items()
        }
    result["cache_write"] = {ttl: one.scaled(factor) for ttl, one in holder.cache_write.items()}
    return result


def _chosen(value: Any, here: np.ndarray | slice) -> Any:
    if isinstance(value, Mapping):
        return {name: _chosen(one, here) for name, one in value.items()}
    return value[here] if isinstance(value, np.ndarray) else value
