"""How a price of genai-prices becomes rows of a price sheet."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

import attrs
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ConditionalPrice,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from llm_tco.catalog.prices import STANDARD, Rate, Tier, TokenPrice, Window
from llm_tco.catalog.rates import DEFAULT_TTL
from llm_tco.catalog.records import Period, Source

T = TypeVar("T")

Prices = dict[str, Decimal | TieredPrices]
"""Prices by the names that genai-prices gives to units."""

Condition = tuple[tuple[str, str], ...]
"""What a request must state to get a variant: pairs in the order of their keys."""

KINDS: Final = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
}
"""The kinds of token that a `TokenPrice` has a rate of, and their units."""

WRITES: Final = {DEFAULT_TTL: "cache_write_mtok", "5m": "cache_write_5m_mtok", "1h": "cache_write_1h_mtok"}
"""The times-to-live of cache writes, and their units."""

UNITS: Final = (*KINDS.values(), *WRITES.values())
"""The units that a `TokenPrice` has rates of."""

VERIFIED: Final = re.compile(r"(?:verified|checked|reviewed|retrieved)(?: on)? (\d{4}-\d\d-\d\d)", re.IGNORECASE)
"""How a comment says on which day a price was verified."""

NO_DAY: Final = date(1970, 1, 1)
"""In the place of the day where a list states none at all: plainly one on which nobody looked."""

MINUTES_PER_DAY: Final = 24 * 60

FEE: Final = "requests_kcount"
"""The unit of a fee per thousand requests."""


@attrs.frozen
class Offer:
    """What holds in a period.

    Attributes:
        prices: Prices by unit.
        windows: Times of day at which genai-prices has another price.
        overrides: Prices that hold at these times as well.
    """

    prices: Prices
    windows: tuple[ConditionalPrice | PriceVariant, ...]
    overrides: Prices = attrs.field(factory=dict)


def sheet(snapshot: DataSnapshot, version: str) -> tuple[TokenPrice, ...]:
    """Give every row of a snapshot.

    Args:
        snapshot: The prices.
        version: Version of genai-prices that they come from.
    """
    newest = snapshot_date(snapshot)
    title = f"genai-prices {version}, updated online" if snapshot.from_auto_update else f"genai-prices {version}"
    return tuple(row for provider in snapshot.providers for row in provider_rows(provider, title, newest))


def snapshot_date(snapshot: DataSnapshot) -> date:
    """Give the newest day on which any price of a snapshot was verified.

    The package states no day of its own: its `timestamp` is the moment at which it was
    loaded, and its metadata have none. Many of its comments say when a price was verified,
    so that the snapshot is no older than the newest of these days.
    """
    if snapshot.from_auto_update:
        return snapshot.timestamp.date()
    comments = (model.price_comments for provider in snapshot.providers for model in provider.models)
    return max((day for comment in comments for day in verified_days(comment)), default=NO_DAY)


def verified_days(comment: str | None) -> list[date]:
    """Find the days on which a comment says that a price was verified."""
    return [date.fromisoformat(day) for day in VERIFIED.findall(comment or "")]


def provider_rows(provider: Provider, title: str, newest: date) -> Iterator[TokenPrice]:
    """Give the rows of one provider."""
    aliases = aliases_of(provider)
    for model in provider.models:
        days = verified_days(model.price_comments)
        source = Source(
            title=f"{provider.name} prices in {title}",
            url=next(iter(provider.pricing_urls or ()), None),
            checked=max(days, default=newest),
            note=None if days else "the row states no day: the newest on which any row was verified",
        )
        for variant, period, offer in model_offers(model):
            yield TokenPrice(
                provider=provider.id,
                model=model.id,
                variant=variant,
                period=period,
                aliases=aliases[model.id],
                currency="USD",
                source=source,
                authority="aggregator",
                approximate=bool(offer.windows),
                note=note_of(offer),
                windows=tuple(windows_of(offer)),
                **amounts_of(offer.prices),
            )


def model_offers(model: ModelInfo) -> Iterator[tuple[str, Period, Offer]]:
    """Give the variants of a model with what holds in each of their periods."""
    rows = conditional_prices(model)
    variants = model.price_variants or []
    windowed = tuple(variant for variant in variants if has_window(variant))
    starts = [start_of(row) for row in rows if not has_window(row)] or [None]

    def standard(day: date | None) -> Offer:
        # The last active row wins, so that only windows after the row in force matter.
        last = max((index for index, row in enumerate(rows) if active(row, day)), default=-1)
        windows = tuple(row for row in rows[last + 1 :] if has_window(row))
        return Offer(stated(rows[last].prices) if last >= 0 else {}, windows + windowed)

    for period, offer in timeline(starts, standard):
        yield STANDARD, period, offer

    for condition, name in variant_names(variants).items():

        def special(day: date | None, condition: Condition = condition) -> Offer | None:
            offered = [variant for variant in variants if active(variant, day) and fits(variant, condition)]
            if not any(condition_of(variant) == condition for variant in offered):
                return None
            offer = standard(day)
            # For each unit the first variant that states a price wins, then the standard price.
            overrides: Prices = {}
            for variant in offered:
                overrides = stated(variant.prices) | overrides
            return attrs.evolve(offer, prices=offer.prices | overrides, overrides=overrides)

        own = [start_of(variant) for variant in variants if not has_window(variant) and fits(variant, condition)]
        first = min(map(as_day, starts))
        days = [day for day in {*starts, *own} if as_day(day) >= first]
        if any((held := special(day)) and held.prices != standard(day).prices for day in days):
            for period, held in timeline(days, special):
                yield name, period, held


def timeline(starts: Iterable[date | None], on: Callable[[date | None], T | None]) -> Iterator[tuple[Period, T]]:
    """Cut time at some days and give what holds between them, equal neighbours as one."""
    changes: list[tuple[date | None, T | None]] = []
    for day in sorted(set(starts), key=as_day):
        value = on(day)
        if not changes or changes[-1][1] != value:
            changes.append((day, value))
    ends = [day for day, _ in changes[1:]] + [None]
    for (start, value), end in zip(changes, ends, strict=True):
        if value is not None:
            yield Period(start=start, end=end), value


def conditional_prices(model: ModelInfo) -> list[ConditionalPrice]:
    """Give the prices of a model as a list, whichever way it states them."""
    return [ConditionalPrice(prices=model.prices)] if isinstance(model.prices, ModelPrice) else model.prices


def has_window(row: ConditionalPrice | PriceVariant) -> bool:
    """Say whether a row holds at some time of the day only."""
    return isinstance(row.constraint, TimeOfDateConstraint)


def start_of(row: ConditionalPrice | PriceVariant) -> date | None:
    """Give the first day of a row, or None where it states none."""
    return row.constraint.start_date if isinstance(row.constraint, StartDateConstraint) else None


def as_day(start: date | None) -> date:
    """Give a start that can be compared: an open one lies before all others."""
    return start or date.min


def active(row: ConditionalPrice | PriceVariant, day: date | None) -> bool:
    """Say whether a row holds on a whole day."""
    return not has_window(row) and as_day(start_of(row)) <= as_day(day)


def condition_of(variant: PriceVariant) -> Condition:
    """Give the condition of a variant in a form that can be compared."""
    return tuple(sorted(variant.when.items()))


def fits(variant: PriceVariant, condition: Condition) -> bool:
    """Say whether a request that states a condition gets the prices of a variant."""
    return set(condition_of(variant)) <= set(condition)


def variant_names(variants: Iterable[PriceVariant]) -> dict[Condition, str]:
    """Name each condition by its values, or with its keys where these alone could be misread."""
    conditions = dict.fromkeys(condition_of(variant) for variant in variants)
    short = {condition: "+".join(value for _, value in condition) for condition in conditions}
    count = Counter([STANDARD, "", *short.values()])
    return {
        condition: name if count[name] == 1 else "+".join(f"{key}={value}" for key, value in condition)
        for condition, name in short.items()
    }


def stated(prices: ModelPrice) -> Prices:
    """Give the prices that are there, by unit."""
    return {unit: price for unit, price in vars(prices).items() if price is not None and not unit.startswith("_")}


def rate(price: Decimal | TieredPrices | None) -> Rate | None:
    """Give a price per million tokens as a rate.

    genai-prices moves the whole request to a tier when its input tokens, cached ones
    included, are strictly more than the tier's start: just as `Tier` does.
    """
    if isinstance(price, TieredPrices):
        # Of tiers with the same start the last one wins.
        prices = {tier.start: tier.price for tier in price.tiers}
        tiers = tuple(Tier(above_tokens=start, price=prices[start]) for start in sorted(prices))
        return Rate(base=price.base, tiers=tiers)
    return None if price is None else Rate(base=price)


def fee_of(prices: Prices) -> Decimal:
    """Give the fee per request."""
    fee = prices.get(FEE)
    return fee.scaleb(-3) if isinstance(fee, Decimal) else Decimal(0)


def amounts_of(prices: Prices) -> dict[str, Any]:
    """Give the amounts of a row, or of a window, by the names of its fields."""
    return {
        **{kind: rate(prices.get(unit)) for kind, unit in KINDS.items()},
        "cache_write": {ttl: rate(prices[unit]) for ttl, unit in WRITES.items() if unit in prices},
        "per_request": fee_of(prices),
    }


def expressible(row: ConditionalPrice | PriceVariant, offer: Offer) -> bool:
    """Say whether a price by the time of day can be a window of a row.

    A window keeps the row's price of what it does not state, while in genai-prices a unit
    that a row leaves out has no price there. A variant of its own has no row to stand in.
    """
    if isinstance(row, PriceVariant) or not isinstance(row.constraint, TimeOfDateConstraint):
        return False
    clocks = (row.constraint.start_time, row.constraint.end_time)
    whole_minutes = all(moment.second == moment.microsecond == 0 for moment in clocks)
    return whole_minutes and {*UNITS} & (offer.prices.keys() - stated(row.prices).keys()) <= offer.overrides.keys()


def windows_of(offer: Offer) -> Iterator[Window]:
    """Give the prices by the time of day as windows; of those that overlap the last one wins."""
    if not offer.windows:
        return
    owner: list[int | None] = [None] * MINUTES_PER_DAY
    for place, row in enumerate(offer.windows):
        if expressible(row, offer):
            for minute in minutes_of(row):
                owner[minute] = place
    edges = [minute for minute in range(MINUTES_PER_DAY) if minute == 0 or owner[minute] != owner[minute - 1]]
    for begin, end in itertools.pairwise([*edges, MINUTES_PER_DAY]):
        place = owner[begin]
        if place is not None:
            amounts = amounts_of(stated(offer.windows[place].prices) | offer.overrides)
            yield Window(start=of_day(begin), end=of_day(end), **amounts)


def minutes_of(row: ConditionalPrice | PriceVariant) -> Iterator[int]:
    """Give the minutes of the day, in UTC, at which a row holds."""
    if not isinstance(row.constraint, TimeOfDateConstraint):
        raise TypeError(f"{row!r} holds at all times of the day")
    begin, end = utc_minute(row.constraint.start_time), utc_minute(row.constraint.end_time)
    for minute in range(begin, end if begin <= end else end + MINUTES_PER_DAY):
        yield minute % MINUTES_PER_DAY


def utc_minute(moment: time) -> int:
    """Give the minute of the day in UTC; a time without a zone is one in UTC there."""
    ahead = moment.utcoffset() or timedelta(0)
    return (moment.hour * 60 + moment.minute - int(ahead.total_seconds()) // 60) % MINUTES_PER_DAY


def of_day(minute: int) -> str:
    """Write a minute of the day."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def note_of(offer: Offer) -> str | None:
    """Say what a row leaves out, or only guesses."""
    notes = []
    kept = [row for row in offer.windows if expressible(row, offer)]
    left = [row for row in offer.windows if row not in kept]
    if kept:
        notes.append("the list has the same hours on every day, and in the past: " + "; ".join(map(window_text, kept)))
    if left:
        notes.append("leaves out other prices each day from " + "; from ".join(map(window_text, left)))
    # A fee that depends on the length of the request has no field in a row.
    taken = {*UNITS, FEE} if isinstance(offer.prices.get(FEE), Decimal) else {*UNITS}
    others = sorted(offer.prices.keys() - taken)
    if others:
        notes.append("also charges for: " + ", ".join(others))
    return ". ".join(notes) or None


def window_text(row: ConditionalPrice | PriceVariant) -> str:
    """Describe a price that holds at some time of the day only."""
    if not isinstance(row.constraint, TimeOfDateConstraint):
        raise TypeError(f"{row!r} holds at all times of the day")
    prices = stated(row.prices)
    amounts = f"input {amount_text(prices.get('input_mtok'))}, output {amount_text(prices.get('output_mtok'))}"
    variant = f" ({'+'.join(row.when.values())})" if isinstance(row, PriceVariant) else ""
    return f"{clock(row.constraint.start_time)} to {clock(row.constraint.end_time)}{variant}: {amounts} USD/Mtok"


def amount_text(price: Decimal | TieredPrices | None) -> str:
    """Write a price for people."""
    if isinstance(price, TieredPrices):
        return f"{price.base} (higher for long requests)"
    return "not stated" if price is None else str(price)


def clock(moment: time) -> str:
    """Write a time of day for people; without a zone it is UTC there."""
    return f"{moment:%H:%M} {moment.tzname() or 'UTC'}"


def aliases_of(provider: Provider) -> Mapping[str, tuple[str, ...]]:
    """Give the other names of each model that belong to no other model of the provider.

    genai-prices compares names without regard to case, so that two names that differ in
    case only are the same here.
    """
    names = {model.id: tuple(dict.fromkeys(literals(model.match))) for model in provider.models}
    users = Counter(
        name for key, stated_names in names.items() for name in {word.casefold() for word in (key, *stated_names)}
    )
    return {
        key: tuple(name for name in stated_names if name != key and users[name.casefold()] == 1)
        for key, stated_names in names.items()
    }


def literals(match: MatchLogic) -> Iterator[str]:
    """Give the names that a match clause states in full."""
    if isinstance(match, ClauseEquals):
        yield match.equals
    elif isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from literals(clause)
