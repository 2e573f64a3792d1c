"""What an API provider bills."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, ClassVar, Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, column, is_a, number, text
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.rates import DEFAULT_TTL
from llm_tco.catalog.weeks import DAYS, MINUTES_PER_HOUR, IntArray, Moments, local_minutes, names_of
from llm_tco.components.base import Composable
from llm_tco.demand import Demand, Lengths, Stream
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import over_time
from llm_tco.ledger import Ledger, State
from llm_tco.loadshape import HourOfWeek, Peak
from llm_tco.timeline import Timeline

Prices = TokenPrice | tuple[TokenPrice, ...]
"""One price for all months, or a path of rows whose periods follow one another."""


Tokens = tuple[FloatArray, FloatArray, FloatArray, Mapping[str, FloatArray], FloatArray]
"""The tokens of each kind of request, as `TokenPrice.per_request_cost` takes them."""

Mask = npt.NDArray[np.bool_]

_ROUNDING: Final = 1e-12
_WHOSE_CLOCK: Final = (
    "the hours of the load are read by the clock of {}; state the workload's timezone, the same one if that is meant"
)
_MEAN_OF_HITS: Final = (
    "cached_share is the mean of what a cache reads, and {} has a least charge or graduated tiers, for which hits and "
    "misses are priced one by one: state a prompt_cache in front of it instead"
)
_REASONING_UNKNOWN: Final = (
    "{} bills reasoning tokens apart, and how many of the output tokens are reasoning is not known: all are priced as "
    "output. State reasoning_share"
)
_LENGTHS_UNKNOWN: Final = (
    "{} has other prices above {:,} input tokens, and of the requests only the mean length is known: each is taken to "
    "have it. State the workload's lengths"
)
_NEAR_A_THRESHOLD: Final = 0.1
"""From which part of a threshold on a mean may stand for requests beyond it that matter."""
_NOT_IN_FORCE: Final = (
    "{} holds {}, which no day of the months from {} on is in, and prices them all the same: state the price that "
    "holds then, or a path of rows"
)
_HOURS_UNKNOWN: Final = (
    "{} has other prices at some hours, and the hours of the load are not known: each hour of the week counts "
    "alike. State the workload's hourly_load"
)


def _to_prices(value: object) -> object:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _check_prices(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, tuple):
        return is_a(TokenPrice)(_, attribute, value)  # type: ignore[no-any-return]  # a validator
    if not value:
        raise InvalidValueError(attribute.name, "must hold at least one row")
    for row in value:
        is_a(TokenPrice)(_, attribute, row)
    if len({row.currency for row in value}) > 1:
        raise InvalidValueError(
            attribute.name, f"must be in one currency, got {', '.join(sorted({row.currency for row in value}))}"
        )
    rows = sorted(value, key=_start)
    for one, other in itertools.pairwise(rows):
        if one.period.end is None or one.period.end > _start(other):
            raise InvalidValueError(
                attribute.name, f"must hold rows whose periods do not overlap, got {one.period} and {other.period}"
            )
    return None


def _bends(row: TokenPrice) -> bool:
    """Say whether what a request costs is no straight line in the tokens that are read from a cache."""
    graduated = any(rate is not None and rate.graduated and rate.tiers for rate in (row.input, row.cached_input))
    return row.minimum_per_request > 0 or graduated


def _start(row: TokenPrice) -> date:
    return row.period.start or date.min


@attrs.frozen(eq=False)
class ApiUsage(Composable):
    """The bill for every request of a demand, each priced by its own length.

    Of a price with windows, each hour of the week counts by its share of the load. Of a
    load without hours, every hour counts alike, and the ledger says that this is an estimate.

    Attributes:
        price: What the provider charges: one price, which then holds in every month whatever
            its period, or a path of rows, each month by the one in force on its first day.
        cached_share: Share of the input tokens that the provider reads from its prompt cache.
        cache_write_share: Share of the input tokens that are written to it.
        cache_write_ttl: For how long they are kept there, such as `"5m"`; it may be left out
            where the price states one rate of cache writes.
        reasoning_share: Share of the output tokens that are reasoning, which matters where a
            price bills these apart.
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "api"

    price: Prices = attrs.field(converter=_to_prices, validator=_check_prices)
    cached_share: Number = number(ge=0, le=1, default=0.0)
    cache_write_share: Number = number(ge=0, le=1, default=0.0, kw_only=True)
    cache_write_ttl: str | None = attrs.field(default=None, kw_only=True)
    reasoning_share: Number | None = number(ge=0, le=1, default=None, optional=True, kw_only=True)
    name: str = text(default="api")

    def __attrs_post_init__(self) -> None:
        if np.any(np.asarray(self.cached_share) + np.asarray(self.cache_write_share) > 1.0 + _ROUNDING):
            raise InvalidValueError("cache_write_share", "must, with cached_share, be at most 1")
        if np.any(self.cache_write_share) and self.cache_write_ttl is None:
            for row in self.rows:
                if len(row.cache_write) > 1 and DEFAULT_TTL not in row.cache_write:
                    own = ", ".join(row.cache_write)
                    raise InvalidValueError(
                        "cache_write_ttl", f"is missing: {row.title} has prices of cache writes for {own}. State one"
                    )

    @property
    def rows(self) -> tuple[TokenPrice, ...]:
        """The rows of the price."""
        return self.price if isinstance(self.price, tuple) else (self.price,)

    def cost(self, demand: Demand) -> Ledger:
        """Price the requests of each month."""
        timeline = demand.timeline
        bill, unpriced = np.zeros(timeline.size), np.ones(timeline.size, dtype=bool)
        notes: set[tuple[str, str]] = set()
        used: list[TokenPrice] = []
        for row, months in _in_force(self.price, timeline):
            used.append(row)
            unpriced &= ~months
            hours = Hours.of(row, demand)
            notes.update(_left_open(self, row, demand, hours))
            for stream in demand.streams:
                tokens = self._tokens(row, stream.lengths)
                bill = bill + np.where(months, hours.bill(stream, tokens), 0.0)
                if np.any(self.cached_share) and any(_bends(flat) for flat in row.flats):
                    notes.add(("estimate", _MEAN_OF_HITS.format(row.title)))
                for kind in hours.unpriced(stream, tokens, months):
                    notes.add(("unpriced", f"{row.title} states no price for {kind} tokens; add a row that does"))
        without = np.flatnonzero(np.any(np.atleast_2d((demand.requests > 0) & unpriced), axis=0))
        if len(without):
            first = timeline.month_start(int(without[0]))
            note = f"no price of {self.rows[0].title} is in force on {first}; add the row that holds then"
            notes.add(("unpriced", note))
        return Ledger(
            timeline=timeline,
            lines=(self.line("api", self.rows[0].currency, bill),),
            states=frozenset(State(kind=kind, path=(self.name,), note=note) for kind, note in notes),
            records=tuple(used),
            served=np.ones(timeline.size),
            # More requests may come at cheaper hours where the load is a slice of a curve.
            rising=not (any(row.windows for row in used) and _sliced(demand)),
        )

    def _tokens(self, row: TokenPrice, lengths: Lengths) -> Tokens:
        inputs, own = lengths.input_tokens, np.any(self.cached_share) or np.any(self.cache_write_share)
        cached, written, ttl = (
            lengths.cached_tokens,
            lengths.written_tokens,
            lengths.written_ttl or self.cache_write_ttl,
        )
        if own and (np.any(cached) or np.any(written)):
            raise InvalidValueError(
                "cached_share", "must be left out behind a prompt cache, which says itself what is read and written"
            )
        if own:
            cached, written = column(self.cached_share) * inputs, column(self.cache_write_share) * inputs
        writes: Mapping[str, FloatArray] = {}
        if np.any(written):
            writes = row.writes(written) if ttl is None else {ttl: written}
        share = 0.0 if self.reasoning_share is None else self.reasoning_share
        return inputs, lengths.output_tokens, cached, writes, column(share) * lengths.output_tokens


def _left_open(api: ApiUsage, row: TokenPrice, demand: Demand, hours: Hours) -> Iterator[tuple[str, str]]:
    """Say what a price asks and nobody has said."""
    if not hours.known:
        yield "estimate", _HOURS_UNKNOWN.format(row.title)
    elif row.windows and isinstance(demand.load.shape, HourOfWeek) and demand.load.shape.timezone is None:
        yield "caution", _WHOSE_CLOCK.format(row.timezone)
    for threshold in _near_thresholds(row, demand):
        yield "estimate", _LENGTHS_UNKNOWN.format(row.title, threshold)
    start, end = demand.timeline.start, demand.timeline.days[-1]
    if api.price is row and (_start(row) >= end or (row.period.end or date.max) <= start):
        yield "caution", _NOT_IN_FORCE.format(row.title, row.period, start)
    if api.reasoning_share is None and any(flat.reasoning not in (None, flat.output) for flat in row.flats):
        yield "estimate", _REASONING_UNKNOWN.format(row.title)


def _near_thresholds(row: TokenPrice, demand: Demand) -> list[int]:
    """Give the lowest threshold that requests may pass of which only the mean length is known; there may be none."""
    means = [float(np.max(stream.lengths.input_tokens)) for stream in demand.streams if stream.lengths.only_means]
    rates = [rate for flat in row.flats for rate in (flat.input, flat.cached_input, flat.output, flat.reasoning)]
    rates += [rate for flat in row.flats for rate in flat.cache_write.values()]
    thresholds = {tier.above_tokens for rate in rates if rate is not None for tier in rate.tiers} - {0}
    return sorted(n for n in thresholds if any(mean >= n * _NEAR_A_THRESHOLD for mean in means))[:1]


def _in_force(price: Prices, timeline: Timeline) -> Iterator[tuple[TokenPrice, Mask]]:
    """Give the rows that hold in some month, each with whether it does, shape `(T + 1,)`."""
    if isinstance(price, TokenPrice):
        yield price, np.ones(timeline.size, dtype=bool)
        return
    days = _first_days(timeline)
    for row in price:
        start, end = row.period.start or date.min, row.period.end or date.max
        months = (days >= np.datetime64(start)) & (days < np.datetime64(end))
        if months.any():
            yield row, months


@attrs.frozen(eq=False)
class Hours:
    """How a load is spread over the hours of a price.

    Attributes:
        flats: The price outside its windows, and that of each window.
        shares: The share of the load that each of them has in each month, shape
            `(..., T + 1)` or one that broadcasts to it.
        known: Whether the hours of the load are known, or none is needed.
    """

    flats: tuple[TokenPrice, ...]
    shares: tuple[FloatArray, ...]
    known: bool

    def bill(self, stream: Stream, tokens: Tokens) -> FloatArray:
        """Price the requests of a stream in each month, shape `(..., T + 1)`."""
        bill: FloatArray = np.zeros(1)
        for flat, share in zip(self.flats, self.shares, strict=True):
            bill = bill + stream.requests * (stream.lengths.mean(flat.per_request_cost(*tokens)) * share)
        return bill

    def unpriced(self, stream: Stream, tokens: Tokens, months: Mask) -> set[str]:
        """Name the kinds of token that occur in some months and have no rate there."""
        occurs = stream.lengths.weights > 0
        inputs, outputs, cached, written, reasoning = tokens
        writes: dict[str, FloatArray | float] = {ttl: length * occurs for ttl, length in written.items()}
        return {
            kind
            for flat, share in zip(self.flats, self.shares, strict=True)
            if np.any((stream.requests > 0) & months & (share > 0))
            for kind in flat.unpriced(inputs * occurs, outputs * occurs, cached * occurs, writes, reasoning * occurs)
        }

    @classmethod
    def of(cls, row: TokenPrice, demand: Demand) -> Hours:
        """Spread the load of a demand over a price."""
        if not row.windows:
            return cls((row,), (np.ones(1),), True)
        shape = demand.load.shape
        places = range(len(row.flats))
        if isinstance(shape, HourOfWeek):
            parts = _hourly_parts(demand)
            clocks = _hours_of(row, demand, shape.timezone or row.timezone)
            return cls(row.flats, tuple(over_time(parts, clocks[place]) for place in places), True)
        counts = _hours_of(row, demand, row.timezone).mean(axis=-1)
        flat = isinstance(shape, Peak) and bool(np.all(shape.peak == 1.0))
        return cls(row.flats, tuple(counts), flat)


def _hourly_parts(demand: Demand) -> FloatArray:
    """Give the share of a demand's load that comes in each hour of the week, shape `(..., T + 1, 168)`."""
    low, high = demand.load.low[..., None], demand.load.high[..., None]
    hours = np.clip(np.asarray(demand.load.shape.loads), low, high) - low  # type: ignore[attr-defined]  # an HourOfWeek
    size = (*hours.shape[:-2], demand.timeline.size, hours.shape[-1])
    hours = np.broadcast_to(hours, size)
    total = hours.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(hours, total, out=np.full(size, 1.0 / hours.shape[-1]), where=total > 0))


def _hours_of(row: TokenPrice, demand: Demand, timezone: str) -> FloatArray:
    """Say which part of each hour of a load each price has, shape `(prices, T + 1, 168)`.

    The clocks of the two time zones are compared on the first day of each month.
    """
    timeline = demand.timeline
    noons: Moments = np.asarray(_first_days(timeline).astype("datetime64[h]") + np.timedelta64(12, "h"))
    ahead = local_minutes(noons, row.timezone) - local_minutes(noons, timezone)
    parts = np.zeros((len(row.flats), timeline.size, row.schedule.size // MINUTES_PER_HOUR))
    for minutes in np.unique(ahead):
        by_hour = np.roll(row.schedule, -minutes).reshape(-1, MINUTES_PER_HOUR)
        for place in range(len(row.flats)):
            parts[place, ahead == minutes] = (by_hour == place).mean(axis=-1)
    _add_holidays(parts, row, timeline, ahead)
    return parts


def _add_holidays(parts: FloatArray, row: TokenPrice, timeline: Timeline, ahead: IntArray) -> None:
    """Give the weekdays of each month that are holidays, or follow one, their hours instead of a weekday's.

    Of the four or five Fridays of a month, one that is a holiday has its share.
    """
    months = np.array(timeline.days, dtype="datetime64[D]").astype(np.int64)
    holidays = np.array(row.holidays, dtype="datetime64[D]").astype(np.int64)
    days = np.unique(np.concatenate([holidays, holidays + 1]))
    days = days[(days >= months[0]) & (days < months[-1])]
    befores, names = names_of(days, row.holidays)
    _, weekdays = names_of(days, ())
    for day, before, name, weekday in zip(days, befores, names, weekdays, strict=True):
        month = int(np.searchsorted(months, day, side="right"))
        alike = np.arange(day - (day - months[month - 1]) // 7 * 7, months[month], 7).size
        usual = row.by_day[(weekday - 1) % len(DAYS), weekday]
        for place in range(len(parts)):
            week = np.zeros((len(DAYS), usual.size))
            week[weekday] = (row.by_day[before, name] == place).astype(float) - (usual == place)
            hours = np.roll(week.ravel(), -ahead[month]).reshape(-1, MINUTES_PER_HOUR).mean(axis=-1)
            parts[place, month] += hours / alike


def _first_days(timeline: Timeline) -> Moments:
    """Give the first day of each month, and the day of purchase before them, shape `(T + 1,)`."""
    return np.array([timeline.start, *timeline.days[:-1]], dtype="datetime64[D]")


def _sliced(demand: Demand) -> bool:
    load = demand.load
    return isinstance(load.shape, HourOfWeek) and not (np.all(load.low == 0) and np.all(np.isinf(load.high)))
