"""What a price is made of: tiers, rates, weekly windows; and the usage that it is asked for."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Any, Final, TypeVar

import attrs
import numpy as np

from llm_tco._fields import MAX_WHOLE, FloatArray, whole
from llm_tco.catalog.weeks import DAYS, MINUTES_PER_DAY, IntArray
from llm_tco.catalog.windows import HOLIDAY, clock, clock_of, days_or_holidays, minutes_of, spans
from llm_tco.errors import InvalidValueError

N = TypeVar("N", float, Decimal)
Brackets = list[tuple[N, float, float]]
"""Prices, each with the numbers of input tokens between which it holds."""

EXACT: Final = Context(prec=400, traps=[Inexact, InvalidOperation])
"""Decimal arithmetic that never rounds: what has no end is an error."""

DEFAULT_TTL: Final = "default"
"""The time-to-live of cache writes where a price states one rate for all."""


def to_decimal(value: object, field: str) -> Decimal:
    """Take an exact amount of at least 0: a decimal number, a whole one, or a text that reads as one.

    Raises:
        InvalidValueError: The value is none of these, or below 0.
    """
    try:
        amount = Decimal(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else value
    except InvalidOperation:
        raise InvalidValueError(field, f"must be a decimal number, got {value!r}") from None
    if not isinstance(amount, Decimal) or not amount.is_finite():
        raise InvalidValueError(field, f"must be a finite decimal number, got {value!r}")
    if amount < 0:
        raise InvalidValueError(field, f"must be at least 0, got {amount}")
    return amount


def decimal(*, default: Any = attrs.NOTHING) -> Any:
    """Define a field for an exact amount of at least 0; None where that is the default."""

    def convert(value: object, attribute: attrs.Attribute[Any]) -> Decimal | None:
        return None if value is None and default is None else to_decimal(value, attribute.name)

    return attrs.field(default=default, converter=attrs.Converter(convert, takes_field=True))


@attrs.frozen(kw_only=True)
class Tier:
    """A price that applies above a number of input tokens.

    Attributes:
        above_tokens: Input tokens of a request, cached ones included, that must be exceeded.
        price: Price per million tokens from there on. [currency/Mtok]
    """

    above_tokens: int = whole(ge=0)
    price: Decimal = decimal()


def _to_tiers(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    return tuple(tiers)


@attrs.frozen(kw_only=True)
class Rate:
    """A price per million tokens, possibly another for long requests.

    Attributes:
        base: Price per million tokens. [currency/Mtok]
        tiers: Prices of longer requests, in rising order of their thresholds.
        graduated: Whether each part of a request has the price of its own tier; else the
            whole request moves to the tier that it reaches (a cliff).
    """

    base: Decimal = decimal()
    tiers: tuple[Tier, ...] = attrs.field(default=(), converter=_to_tiers)
    graduated: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))

    def __attrs_post_init__(self) -> None:
        thresholds = [tier.above_tokens for tier in self.tiers]
        if thresholds != sorted(set(thresholds)):
            raise InvalidValueError("tiers", f"must rise, got thresholds {thresholds}")

    def scaled(self, factor: Decimal) -> Rate:
        """Multiply every price, exactly."""
        with localcontext(EXACT):
            tiers = tuple(attrs.evolve(tier, price=tier.price * factor) for tier in self.tiers)
            return attrs.evolve(self, base=self.base * factor, tiers=tiers)

    def amount(self, tokens: FloatArray, first: FloatArray | float, input_tokens: FloatArray) -> FloatArray:
        """Price tokens of requests.

        Args:
            tokens: Tokens that this rate is for, shape `(..., K)`.
            first: How many of the request's input tokens stand before them, shape
                `(..., K)`; it matters where the tiers are graduated.
            input_tokens: All input tokens of a request, shape `(..., K)`.

        Returns:
            Tokens times price per million tokens, shape `(..., K)`. [currency × 1e-6]
        """
        base = float(self.base)
        if not self.tiers:
            return np.asarray(base * tokens)
        if not self.graduated:
            price = np.asarray(base)
            for tier in self.tiers:
                price = np.where(input_tokens > tier.above_tokens, float(tier.price), price)
            return np.asarray(price * tokens)
        amount: FloatArray = np.zeros(())
        last = first + tokens
        for price_, low, high in self._float_brackets:
            amount = amount + price_ * (np.clip(last, low, high) - np.clip(first, low, high))
        return amount

    def amount_of(self, tokens: int, first: int, input_tokens: int) -> float:
        """Price tokens of one request: what `amount` does, without arrays."""
        brackets = self._float_brackets
        if not self.tiers:
            return brackets[0][0] * tokens
        return _amount(brackets, self.graduated, tokens, first, input_tokens)

    def exact_amount_of(self, tokens: int, first: int, input_tokens: int) -> Decimal:
        """Price tokens of one request in the decimal context that is set."""
        return _amount(self._brackets(Decimal), self.graduated, tokens, first, input_tokens)

    def _brackets(self, kind: Callable[[Decimal], N]) -> Brackets[N]:
        """List the prices, each with the numbers of input tokens between which it holds."""
        edges: list[float] = [0, *(tier.above_tokens for tier in self.tiers), np.inf]
        prices = [kind(price) for price in (self.base, *(tier.price for tier in self.tiers))]
        return list(zip(prices, edges[:-1], edges[1:], strict=True))

    @functools.cached_property
    def _float_brackets(self) -> Brackets[float]:
        return self._brackets(float)


def _amount(brackets: Brackets[N], graduated: bool, tokens: int, first: int, input_tokens: int) -> N:
    if not graduated:
        price = brackets[0][0]
        for dearer, low, _ in brackets[1:]:
            if input_tokens > low:
                price = dearer
        return price * tokens
    total, last = brackets[0][0] * 0, first + tokens
    for price, low, high in brackets:
        part = min(max(last, low), high) - min(max(first, low), high)
        total += price * int(part)
    return total


def to_rate(value: object, field: str) -> Rate:
    """Take a rate: one as it is, an exact amount as the price of every token.

    Raises:
        InvalidValueError: The value is neither.
    """
    return value if isinstance(value, Rate) else Rate(base=to_decimal(value, field))


def rate() -> Any:
    """Define a field for a rate, or None for "not stated"."""

    def convert(value: object, attribute: attrs.Attribute[Any]) -> Rate | None:
        return None if value is None else to_rate(value, attribute.name)

    return attrs.field(default=None, converter=attrs.Converter(convert, takes_field=True))


def rates_by_ttl() -> Any:
    """Define a field for rates by time-to-live; one rate alone is that of the time-to-live `"default"`."""

    def convert(value: object, attribute: attrs.Attribute[Any]) -> dict[str, Rate]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            return {DEFAULT_TTL: to_rate(value, attribute.name)}
        for ttl in value:
            if not isinstance(ttl, str) or not ttl.strip():
                raise InvalidValueError(attribute.name, f"must map times-to-live such as '5m' to rates, got {ttl!r}")
        return {ttl: to_rate(value[ttl], f"{attribute.name}.{ttl}") for ttl in sorted(value)}

    return attrs.field(
        factory=dict,
        hash=False,  # a mapping has none; records that differ in it alone share a hash and are unequal
        converter=attrs.Converter(convert, takes_field=True),
    )


@attrs.frozen(kw_only=True)
class Window:
    """Hours of the week with prices of their own, by the clock of the vendor.

    What it does not state keeps the price of the other hours.

    Attributes:
        days: Days on which it begins, of `mon` to `sun` and `holiday`; all unless said
            otherwise. A day among the price's `holidays` is a `holiday` and no weekday.
        start: Time of day from which on it holds, `"HH:MM"`.
        end: Time of day until which it holds, `"HH:MM"`; where that is not after the
            start, it runs past midnight into the next day.
        input: Rate of input tokens that no cache answers.
        cached_input: Rate of input tokens read from the provider's prompt cache.
        cache_write: Rates of input tokens written to it, by time-to-live.
        output: Rate of output tokens.
        reasoning: Rate of reasoning tokens.
        per_request: Fee per request. [currency]
        minimum_per_request: Least charge of a request. [currency]
    """

    days: tuple[str, ...] = days_or_holidays()
    start: str = clock()
    end: str = clock()
    input: Rate | None = rate()
    cached_input: Rate | None = rate()
    cache_write: Mapping[str, Rate] = rates_by_ttl()
    output: Rate | None = rate()
    reasoning: Rate | None = rate()
    per_request: Decimal | None = decimal(default=None)
    minimum_per_request: Decimal | None = decimal(default=None)

    def spans(self) -> list[tuple[int, int]]:
        """List its spans as minutes of the week, each `[from, to)` within the week."""
        return spans(self.days, self.start, self.end)

    @property
    def every_day(self) -> bool:
        """Whether it begins on every day, which holidays are as well."""
        return set(DAYS) <= set(self.days)

    def __str__(self) -> str:
        days = "every day" if self.every_day else ", ".join(self.days)
        return f"{days} {self.start} to {self.end}"


def check_windows(windows: tuple[Window, ...], holidays: tuple[date, ...]) -> None:
    """Refuse windows that overlap, and windows of holidays that nobody lists.

    Raises:
        InvalidValueError: Two windows hold at one minute, or one holds twice, or holidays are missing.
    """
    every = sorted((low, high, place) for place, window in enumerate(windows) for low, high in window.spans())
    for (_, end, one), (start, _, other) in itertools.pairwise(every):
        if start < end:
            day, minute = divmod(start, MINUTES_PER_DAY)
            pair = f"{windows[min(one, other)]!s} and {windows[max(one, other)]!s}"
            raise InvalidValueError(
                "windows", f"must not overlap, but {pair} both hold on {DAYS[day]} {clock_of(minute)}"
            )
    if holidays:
        by_day(windows)  # refuses windows that overlap on a holiday
    elif of_holidays := next((window for window in windows if HOLIDAY in window.days), None):
        raise InvalidValueError(
            "holidays", f"is missing: {of_holidays!s} names them. List the days, or leave {HOLIDAY!r} out of its days"
        )


_NAMES: Final = (*DAYS, HOLIDAY)
_FOLLOWS: Final = np.array(
    [[HOLIDAY in (one, other) or DAYS.index(other) == (DAYS.index(one) + 1) % len(DAYS) for other in _NAMES]
     for one in _NAMES]
)  # fmt: skip
"""Whether a day of a name may follow one of another."""


def by_day(windows: tuple[Window, ...]) -> IntArray:
    """Say which window holds at each minute of a day, by the names of the day and of the one before it.

    Returns:
        0 outside every window, else its place from 1 on, shape `(8, 8, 1440)`: the name of
        the day before, that of the day (`mon` to `sun`, then `holiday`), and the minute.
        Days that cannot follow one another have 0.

    Raises:
        InvalidValueError: Two windows hold at one minute.
    """
    which = np.zeros((len(_NAMES), len(_NAMES), MINUTES_PER_DAY), dtype=np.int64)
    for place, window in enumerate(windows, start=1):
        first, last = minutes_of(window.start, window.end)
        begins = np.array([name in window.days or window.every_day for name in _NAMES])
        holds = np.zeros(which.shape, dtype=np.bool_)
        holds[:, begins, first:last] = True
        holds[begins, :, : max(last - MINUTES_PER_DAY, 0)] = True
        holds &= _FOLLOWS[..., None]
        twice = np.argwhere(holds & (which > 0))
        if len(twice):
            before, day, minute = twice[0]
            pair = f"{windows[which[before, day, minute] - 1]!s} and {window!s}"
            when = f"{_NAMES[day]} {clock_of(int(minute))} after a {_NAMES[before]}"
            raise InvalidValueError("windows", f"must not overlap, but {pair} both hold on {when}")
        which[holds] = place
    which.setflags(write=False)
    return which


def week_of(table: IntArray) -> IntArray:
    """Take a week without holidays, from Monday 00:00 on, out of what `by_day` gives; shape `(10080,)`."""
    week = np.arange(len(DAYS))
    which: IntArray = table[(week - 1) % len(DAYS), week].ravel()
    which.setflags(write=False)
    return which


Count = int | FloatArray
"""A whole number, or an array of them of shape `(N,)`."""


def _count(value: object, field: str) -> Count:
    """Take a whole number of at least 0, or an array of them."""
    if isinstance(value, np.ndarray) and value.ndim:
        if value.ndim > 1 or value.dtype.kind not in "iuf":
            raise InvalidValueError(
                field, f"must be an array of numbers of shape (N,), got {value.dtype} of {value.shape}"
            )
        if value.size and (not value.min() >= 0 or not value.max() <= MAX_WHOLE):  # NaN is neither
            raise InvalidValueError(field, f"must hold whole numbers from 0 to {MAX_WHOLE}")
        array = np.array(value, dtype=np.float64)
        if value.dtype.kind == "f" and (array != np.floor(array)).any():
            raise InvalidValueError(field, "must hold whole numbers")
        array.setflags(write=False)
        return array
    number = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or number != number:
        raise InvalidValueError(field, f"must be a whole number or an array of them, got {value!r}")
    if not 0 <= number <= MAX_WHOLE or number != int(number):
        raise InvalidValueError(field, f"must be a whole number from 0 to {MAX_WHOLE}, got {number}")
    return int(number)


@attrs.frozen(eq=False)
class Usage:
    """What requests use: each field is of one request, a whole number or an array of shape `(N,)`.

    Attributes:
        input_tokens: All input tokens of a request.
        output_tokens: All output tokens of a request.
        cached_tokens: Input tokens that are read from the provider's prompt cache, part of
            the input tokens.
        cache_write_tokens: Input tokens that are written to it, part of the input tokens;
            by time-to-live where the price differs by it.
        reasoning_tokens: Output tokens that are reasoning, part of the output tokens.
        requests: How many requests are alike.
        shape: Shape of the arrays among them: `(N,)`, or `()` where there is none.
    """

    input_tokens: Count
    output_tokens: Count
    cached_tokens: Count = 0
    cache_write_tokens: Count | Mapping[str, Count] = 0
    reasoning_tokens: Count = 0
    requests: Count = 1
    shape: tuple[int, ...] = attrs.field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        if (  # the common case, one request, is through here in a microsecond
            type(self.input_tokens) is type(self.output_tokens) is type(self.cached_tokens) is int
            and type(self.cache_write_tokens) is type(self.reasoning_tokens) is type(self.requests) is int
            and 0 <= self.cached_tokens
            and 0 <= self.cache_write_tokens <= self.input_tokens - self.cached_tokens
            and 0 <= self.reasoning_tokens <= self.output_tokens <= MAX_WHOLE
            and 0 <= self.requests <= MAX_WHOLE
            and self.input_tokens <= MAX_WHOLE
        ):
            return
        values: dict[str, Any] = {
            name: _count(getattr(self, name), name)
            for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "requests")
        }
        written = self.cache_write_tokens
        if isinstance(written, Mapping):
            parts = {str(ttl): _count(written[ttl], f"cache_write_tokens.{ttl}") for ttl in sorted(written)}
            values["cache_write_tokens"] = parts
        else:
            values["cache_write_tokens"] = _count(written, "cache_write_tokens")
            parts = {DEFAULT_TTL: values["cache_write_tokens"]}
        values["shape"] = _one_shape({**values, **{f"cache_write_tokens.{ttl}": part for ttl, part in parts.items()}})
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check_parts(sum(parts.values()))

    def _check_parts(self, written: Count) -> None:
        wholes = (("input_tokens", self.input_tokens), ("output_tokens", self.output_tokens))
        named = ("cached_tokens", "must, with cache_write_tokens,"), ("reasoning_tokens", "must")
        parts = self.cached_tokens + written if np.any(written) else self.cached_tokens, self.reasoning_tokens
        for (name, whole_), (field, must), part in zip(wholes, named, parts, strict=True):
            if isinstance(part, int) and part == 0:
                continue
            beyond = part > whole_
            if np.any(beyond):
                place = int(np.argmax(beyond))
                most, least = (int(np.broadcast_to(one, np.shape(beyond)).flat[place]) for one in (part, whole_))
                raise InvalidValueError(field, f"{must} be part of the {name}, got {most} of {least}")


def _one_shape(values: Mapping[str, Any]) -> tuple[int, ...]:
    shapes = {name: value.shape for name, value in values.items() if isinstance(value, np.ndarray)}
    if len(set(shapes.values())) > 1:
        stated = ", ".join(f"{name} {shape[0]}" for name, shape in shapes.items())
        raise InvalidValueError("input_tokens", f"must be as long as the other arrays, got {stated}")
    return next(iter(shapes.values()), ())
