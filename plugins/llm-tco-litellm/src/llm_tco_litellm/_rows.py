"""How an entry of a price map becomes rows of a price sheet."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from llm_tco.catalog.bounds import bound_of
from llm_tco.catalog.checks import FIRST_DAY, folded
from llm_tco.catalog.prices import STANDARD, Rate, Tier, TokenPrice
from llm_tco.catalog.rates import DEFAULT_TTL, EXACT
from llm_tco.catalog.records import Source
from llm_tco.errors import ProblemsError
from llm_tco_litellm._places import DAY_VARIABLE, PriceMap

MODES: Final = frozenset({"chat", "completion", "responses", "embedding"})
"""The modes that are billed by the token; entries of others are left out."""

NO_DAY: Final = FIRST_DAY
"""In the place of the day, which the map does not state: so early that every row counts as stale."""

LIST_URL: Final = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"
"""Where the map is published."""

KINDS: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "output_cost_per_reasoning_token": "reasoning",
}
"""The map's names of prices per token, and the fields of a `TokenPrice`."""

FIELD: Final = re.compile(
    rf"(?P<base>{'|'.join(KINDS)})(?:_above_(?P<hours>\d+)hr)?(?:_above_(?P<thousands>\d+)k_tokens)?(?:_(?P<variant>[a-z]+))?"
)
"""How the name of a price says what it is for: `cache_creation_input_token_cost_above_1hr_above_200k_tokens_batches`."""

VARIANTS: Final = {None: STANDARD, "batches": "batch"}
"""Names of variants that the map writes in another way."""

OLD_NAMES: Final = {"input_cost_per_token_cache_hit": "cache_read_input_token_cost"}
"""Names that a price had before."""

_BOUND: Final = bound_of(TokenPrice.kind, "input.base")
PLAUSIBLE: Final = (_BOUND.low, _BOUND.high) if _BOUND else (0.0, float("inf"))
"""Least and greatest plausible price. [USD/Mtok]"""

FEE: Final = "input_cost_per_request"
TIERS: Final = "tiered_pricing"
_CHARGE: Final = re.compile("cost|pricing|multiplier")
_PER_MTOK: Final = 6
"""Decimal places between a price per token and one per million tokens."""

Rates = dict[tuple[str, str], dict[int, Decimal]]
"""Prices per million tokens by field, time-to-live, and the number of input tokens above which they hold."""


@attrs.frozen
class Entry:
    """What the map states of a model.

    Attributes:
        rates: Its prices, by variant.
        fee: Fee per request. [USD]
        zeros: Fields that are 0, which is no price.
        odd: Fields whose price is not plausible.
        others: Fields with charges that no row can hold.
    """

    rates: dict[str, Rates]
    fee: Decimal
    zeros: tuple[str, ...]
    odd: tuple[str, ...]
    others: tuple[str, ...]


def sheet(found: PriceMap) -> tuple[TokenPrice, ...]:
    """Give every row of a map.

    Raises:
        ProblemsError: One report with everything that is wrong with the map.
    """
    entries = {
        key: entry for key, entry in _read(found).items() if isinstance(entry, Mapping) and entry.get("mode") in MODES
    }
    problems: list[str] = []
    read = {key: _entry(key, stated, problems) for key, stated in entries.items()}
    problems += [
        f"{key}.litellm_provider: must be the name of a provider, got {stated.get('litellm_provider')!r}"
        for key, stated in entries.items()
        if not _is_name(stated.get("litellm_provider"))
    ]
    if problems:
        raise ProblemsError(found.title, problems)
    sources = {key: _source(stated, found) for key, stated in entries.items()}
    return tuple(
        row
        for key, (provider, model) in names_of(entries, read).items()
        for row in _rows(provider, model, read[key], sources[key])
    )


def _read(found: PriceMap) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number")

    try:
        document = json.loads(found.text, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ProblemsError(found.title, [f"is not a JSON document: {error}"]) from None
    if not isinstance(document, dict):
        raise ProblemsError(found.title, [f"must map names of models to their prices, got a {type(document).__name__}"])
    return document


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


# --- names -----------------------------------------------------------------------------


def names_of(entries: Mapping[str, Mapping[str, Any]], read: Mapping[str, Entry]) -> dict[str, tuple[str, str]]:
    """Give the provider and the model that each key means.

    The provider is `litellm_provider` without the group that may follow it
    (`vertex_ai-language-models`), the model is the key without the provider in front. Of keys
    that mean the same, one is kept where they say the same; where they differ, all but the
    shortest keep their whole key as the name of the model.
    """
    known = {entry["litellm_provider"] for entry in entries.values()}
    meant: dict[str, tuple[str, str]] = {}
    keys: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, entry in entries.items():
        head, dash, _ = entry["litellm_provider"].partition("-")
        provider = head if dash and head in known else entry["litellm_provider"]
        prefix, slash, rest = key.partition("/")
        own = bool(slash and rest) and prefix.replace("-", "_") == provider.replace("-", "_")
        meant[key] = provider, rest if own else key
        keys[folded(meant[key])].append(key)
    names = {}
    for group in keys.values():
        first, *others = sorted(group, key=lambda key: (len(key), key))
        names[first] = meant[first]
        names |= {key: (meant[key][0], key) for key in others if read[key] != read[first]}
    return names


# --- prices ----------------------------------------------------------------------------


def _entry(key: str, stated: Mapping[str, Any], problems: list[str]) -> Entry:
    rates: dict[str, Rates] = defaultdict(lambda: defaultdict(dict))
    zeros, odd, others, fee = [], [], [], Decimal(0)
    for name, value in sorted(stated.items()):
        place = _place(OLD_NAMES.get(name, name))
        if value is None or (name in OLD_NAMES and OLD_NAMES[name] in stated):
            continue
        if place is None and name != FEE:
            if _CHARGE.search(name) and not _is_tiers(name, value) and value not in (0, "", {}, []):
                others.append(name)
            continue
        amount = _amount(f"{key}.{name}", value, problems)
        if place is None:
            fee = amount
        elif amount == 0:
            zeros.append(name)
        elif not is_plausible(per_mtok(amount)):
            odd.append(f"{name} = {amount}")
        else:
            variant, field, threshold = place
            rates[variant][field][threshold] = per_mtok(amount)
    if _is_tiers(TIERS, stated.get(TIERS)):
        rates[STANDARD] |= _tiers(key, stated[TIERS], problems)
    return Entry({variant: dict(one) for variant, one in rates.items()}, fee, tuple(zeros), tuple(odd), tuple(others))


def _place(name: str) -> tuple[str, tuple[str, str], int] | None:
    """Say which variant, field and threshold the name of a price means, or None where it means none of ours."""
    match = FIELD.fullmatch(name)
    if match is None:
        return None
    kind = KINDS[match["base"]]
    if match["hours"] and kind != "cache_write":
        return None
    ttl = f"{match['hours']}h" if match["hours"] else DEFAULT_TTL
    variant = VARIANTS.get(match["variant"], match["variant"])
    return variant, (kind, ttl), 1000 * int(match["thousands"] or 0)


def _amount(place: str, value: object, problems: list[str]) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        problems.append(f"{place}: must be a number, got {value!r}")
    elif value < 0:
        problems.append(f"{place}: must be at least 0, got {value}")
    else:
        return Decimal(value)
    return Decimal(0)


def per_mtok(amount: Decimal) -> Decimal:
    """Turn a price per token into one per million tokens, without rounding."""
    return Decimal(f"{amount.scaleb(_PER_MTOK, EXACT):f}")  # written out, so that 2E+1 reads as 20


def is_plausible(price: Decimal) -> bool:
    """Say whether a price per million tokens is within the bounds of the library, which refuses others."""
    low, high = PLAUSIBLE
    return low <= price <= high


def _is_tiers(name: str, value: object) -> bool:
    """Say whether prices stand in a table by the length of the input."""
    if name != TIERS or not isinstance(value, list) or not value:
        return False
    return all(isinstance(tier, Mapping) and "range" in tier for tier in value)


def _tiers(key: str, tiers: Iterable[Mapping[str, Any]], problems: list[str]) -> Rates:
    """Read a table of prices by the length of the input: the whole request has those of its row."""
    rates: Rates = defaultdict(dict)
    for number, tier in enumerate(tiers):
        place = f"{key}.{TIERS}[{number}]"
        span = tier["range"]
        low = _amount(f"{place}.range[0]", span[0] if isinstance(span, list) and span else span, problems)
        for name, kind in KINDS.items():
            if name in tier:
                amount = _amount(f"{place}.{name}", tier[name], problems)
                if amount and is_plausible(per_mtok(amount)):
                    rates[kind, DEFAULT_TTL][int(low)] = per_mtok(amount)
    return rates


# --- rows ------------------------------------------------------------------------------


def _rows(provider: str, model: str, entry: Entry, source: Source) -> Iterator[TokenPrice]:
    """Give the rows of a model: its standard prices, and those of each variant that has any.

    A rate whose price is not stated above each threshold at which others change is left out:
    what a long request pays is not known then. The thresholds of the standard prices count
    for the variants as well.
    """
    standard = entry.rates.get(STANDARD, {})
    for variant in sorted({STANDARD, *entry.rates}, key=lambda name: (name != STANDARD, name)):
        stated = entry.rates.get(variant, {})
        thresholds = {0} | {low for rates in (standard, stated) for prices in rates.values() for low in prices}
        whole: dict[tuple[str, str], Any] = {
            field: _rate(prices) for field, prices in stated.items() if prices.keys() >= thresholds
        }
        if variant != STANDARD and not whole:
            continue
        yield TokenPrice(
            provider=provider,
            model=model,
            variant=variant,
            currency="USD",
            cache_write={ttl: rate for (kind, ttl), rate in whole.items() if kind == "cache_write"},
            per_request=entry.fee,
            source=source,
            authority="claim",
            approximate=True,
            note=_note(entry, variant, sorted(stated.keys() - whole.keys())),
            **{kind: rate for (kind, _), rate in whole.items() if kind != "cache_write"},
        )


def _rate(prices: Mapping[int, Decimal]) -> Rate:
    tiers = tuple(Tier(above_tokens=low, price=prices[low]) for low in sorted(prices) if low)
    return Rate(base=prices[0], tiers=tiers)


def _note(entry: Entry, variant: str, left: Iterable[tuple[str, str]]) -> str | None:
    """Say what a row leaves out."""
    notes = []
    names = [kind if ttl == DEFAULT_TTL else f"{kind} ({ttl})" for kind, ttl in left]
    if names:
        notes.append(f"leaves out what is not priced at every length: {', '.join(names)}")
    if variant == STANDARD and entry.zeros:
        notes.append(f"leaves out what is 0, free or not known: {', '.join(entry.zeros)}")
    if entry.odd:
        notes.append(f"leaves out what is not plausible: {', '.join(entry.odd)}")
    if entry.others:
        notes.append(f"also charges for: {', '.join(entry.others)}")
    return ". ".join(notes) or None


def _source(stated: Mapping[str, Any], found: PriceMap) -> Source:
    page = stated.get("source")
    ours = isinstance(page, str) and page.startswith("https://") and not re.search(r"\s", page)
    day = "" if found.checked else f"; it states no day, and {DAY_VARIABLE} is not set"
    return Source(
        title=found.title,
        url=page if ours else LIST_URL,
        checked=found.checked or NO_DAY,
        note=f"the map has one price for all days{day}",
    )
