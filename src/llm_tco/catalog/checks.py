"""What records must pass: figures within reason, a source, and no two rows for one thing at once.

The loader runs the checks of single records on whatever a plugin returns, and leaves out
those that fail. A person's own scenario file is not held against the bounds: there the types
alone decide, because whoever writes it may know of a price that nobody else gets.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import attrs
import numpy as np

from llm_tco.catalog.bounds import Bound, bound_of
from llm_tco.catalog.records import AUTHORITIES, SET_BY_LIBRARY, Record, Source
from llm_tco.money import Money

FIRST_DAY: Final = date(2015, 1, 1)
"""No source was read before this day: what it would tell of was not on sale."""

USER: Final = "user"
"""The authority that only a person's own file has."""

RISING: Final = ("fp32_flops_per_s", "bf16_flops_per_s", "fp8_flops_per_s", "fp4_flops_per_s")
"""Dense throughputs of a card, none below the one before it."""

AT_MOST: Final = (
    ("gpu", "idle_w", "tdp_w"),
    ("server", "idle_w", "peak_w"),
    ("model", "active_parameters", "parameters"),
    ("service_price", "low", "high"),
    *(("gpu", less, more) for place, less in enumerate(RISING) for more in RISING[place + 1 :]),
)
"""Kind of record, and two of its fields: where both are stated the first is at most the second."""

_POSITION: Final = re.compile(r"\[\d+\]")
_NO_FIGURES: Final = SET_BY_LIBRARY | {"source", "authority", "approximate", "period", "note"}
_NO_FIGURE: Final = frozenset({str, bool, bytes, date, type(None)})
_LEAF: Final = (float, int, Decimal, Money, Source, np.ndarray, np.number)
_Leaves = list[tuple[str, Any, str]]


@attrs.frozen(kw_only=True)
class Problem:
    """Something that a check found.

    Attributes:
        check: Name of the check.
        where: The plugin, hook, record or field.
        what: What is wrong there, with what was given.
        mend: What its author can do.
    """

    check: str
    where: str
    what: str
    mend: str

    def __str__(self) -> str:
        stop = "" if self.what.endswith(("?", ".")) else "."
        return f"{self.where} {self.what}{stop} {self.mend}"


def check_record(record: Record) -> list[Problem]:
    """Find what makes a single record unusable: the loader leaves it out.

    Its figures are within `BOUNDS`, it has a source that was read since `FIRST_DAY` and
    whose address, where it has one, is an https one, and it does not claim the authority
    of the user.
    """
    below = leaves(record)
    found = [*_source_problems(record, below), *_bound_problems(record, below)]
    if record.authority == USER:
        found.append(
            Problem(
                check="sources",
                where=name_of(record),
                what="states the authority 'user', which would outrank every vendor",
                mend=f"Only a person's own file has it; state one of {', '.join(AUTHORITIES[1:])}.",
            )
        )
    return found


def check_records(records: Iterable[Record], *, today: date | None = None) -> list[Problem]:
    """Find everything that is wrong with the records of one plugin or file.

    Args:
        records: The records.
        today: Day after which no source can have been read; without it, that is not checked.
    """
    records = tuple(records)
    found = [problem for record in records for problem in check_record(record)]
    found += [problem for record in records for problem in (*_reading_problems(record, today), *_spec_problems(record))]
    return [*found, *check_periods(records), *_alias_problems(records)]


def name_of(record: Record) -> str:
    """Name a record in a report, such as `gpu rtx-4090`."""
    return f"{record.kind} {record.title}"


# --- sources ---------------------------------------------------------------------------


def _source_problems(record: Record, below: _Leaves) -> Iterator[Problem]:
    for field, source in _sources(record, below):
        if not isinstance(source, Source):
            where = f"{name_of(record)}, {field}"
            yield Problem(check="sources", where=where, what=f"is no Source: {source!r}", mend="Say where it stands.")
            continue
        if source.url is not None and not str(source.url).startswith("https://"):
            where, what = f"{name_of(record)}, {field}.url", f"is no https address: {source.url!r}"
            mend = "Give an address that begins with https://, or leave it out and say in the note where it stands."
            yield Problem(check="sources", where=where, what=what, mend=mend)
        if type(source.checked) is not date or source.checked < FIRST_DAY:
            where = f"{name_of(record)}, {field}.checked"
            what = f"is no day on which the source can have been read: {source.checked}"
            mend = f"Give the day on which somebody read it there, {FIRST_DAY} or later."
            yield Problem(check="sources", where=where, what=what, mend=mend)


def _reading_problems(record: Record, today: date | None) -> Iterator[Problem]:
    """Find what a reader misses of the sources, and days that have not come yet."""
    for field, source in _sources(record, leaves(record)):
        if not isinstance(source, Source):
            continue
        where = f"{name_of(record)}, {field}"
        if today is not None and type(source.checked) is date and source.checked > today:
            mend = "Give the day on which somebody read it there."
            what = f"lies in the future: {source.checked} is after {today}"
            yield Problem(check="sources", where=f"{where}.checked", what=what, mend=mend)
        if source.url is None and not (record.authority == "claim" and source.note):
            mend = "Add its https address; what has none is a 'claim', and a note says why there is no address."
            yield Problem(check="sources", where=f"{where}.url", what="is missing", mend=mend)


def _sources(record: Record, below: _Leaves) -> Iterator[tuple[str, object]]:
    yield "source", record.source
    yield from ((path, value) for path, value, _ in below if type(value) is Source)


# --- bounds ----------------------------------------------------------------------------


def _bound_problems(record: Record, below: _Leaves) -> Iterator[Problem]:
    own = getattr(record, "currency", "")
    for path, value, per in below:
        if type(value) is Source:
            continue
        bound = bound_of(record.kind, _POSITION.sub("", path) if "[" in path else path, per)
        if bound is None:
            continue
        currency, amount = (value.currency, value.value) if type(value) is Money else (own, value)
        if not _plausible(amount, bound, currency):
            currency = currency if bound.money else ""
            unit = f" {currency}" if currency else ""
            yield Problem(
                check="bounds",
                where=f"{name_of(record)}, {path}",
                what=f"is not plausible: {_shown(amount)}{unit} is outside {bound.text(currency)} ({bound.reason})",
                mend="Look for a slip of units or of the decimal point.",
            )


def _plausible(amount: Any, bound: Bound, currency: str) -> bool:
    limits = bound.within(currency)
    if limits is None:
        return True
    if isinstance(amount, np.ndarray):
        return bool(np.all(((amount >= limits[0]) & (amount <= limits[1])) | (bound.zero & (amount == 0))))
    number = float(amount)  # a Decimal compares with a float ten times more slowly
    return limits[0] <= number <= limits[1] or (bound.zero and number == 0)


def leaves(record: Record) -> _Leaves:
    """List the numbers, amounts and sources below a record.

    Returns:
        The path of each, such as `input.tiers[0].price`, the value, and what it is paid
        for where its holder says so in a field `per`.
    """
    found: _Leaves = []
    per = getattr(record, "per", "")
    for name in _fields(type(record)):
        if name not in _NO_FIGURES:
            _add_leaves(getattr(record, name), name, per, found)
    return found


def _add_leaves(value: Any, path: str, per: str, found: _Leaves) -> None:
    kind = type(value)
    if kind in _NO_FIGURE:
        return
    if isinstance(value, _LEAF):
        found.append((path, value, per))
    elif isinstance(value, (tuple, list)):
        for position, item in enumerate(value):
            _add_leaves(item, f"{path}[{position}]", per, found)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _add_leaves(item, f"{path}.{key}", per, found)
    else:
        names = _fields(kind)
        per = value.per if "per" in names else per
        for name in names:
            _add_leaves(getattr(value, name), f"{path}.{name}", per, found)


_known: dict[type, tuple[str, ...]] = {}


def _fields(kind: type) -> tuple[str, ...]:
    if kind not in _known:
        _known[kind] = tuple(field.name for field in attrs.fields(kind)) if attrs.has(kind) else ()
    return _known[kind]


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)


# --- specifications --------------------------------------------------------------------


def _spec_problems(record: Record) -> Iterator[Problem]:
    for kind, less, more in AT_MOST:
        if record.kind != kind:
            continue
        low, high = (_number(getattr(record, name, None)) for name in (less, more))
        if low is not None and high is not None and np.any(np.greater(low, high)):
            yield Problem(
                check="specs",
                where=f"{name_of(record)}, {less}",
                what=f"is above {more}: {_shown(low)} and {_shown(high)}",
                mend="One of the two stands in the wrong field, or in other units (dense, not sparse).",
            )


def _number(value: Any) -> Any:
    return value.value if isinstance(value, Money) else value


# --- keys, periods, names --------------------------------------------------------------


def rank(record: Record) -> tuple[bool, int]:
    """Rank a record among those of the same words: the least wins."""
    return record.approximate, AUTHORITIES.index(record.authority)


def scope(record: Record) -> tuple[object, ...]:
    """Say what a record is about, and its rank: all but the period."""
    return (record.kind, record.identity, rank(record))


def overlap(one: Record, other: Record) -> bool:
    """Say whether the periods of two records share a day."""
    return _first(one) < _last(other) and _first(other) < _last(one)


def check_periods(records: Sequence[Record]) -> list[Problem]:
    """Find records of one plugin that state the same thing, with equal authority, for the same days."""
    rows: dict[tuple[object, ...], list[Record]] = defaultdict(list)
    for record in records:
        rows[scope(record)].append(record)
    found = []
    for group in rows.values():
        if len(group) == 1:
            continue
        longest, *rest = sorted(group, key=_first)
        for record in rest:
            if overlap(longest, record):
                found.append(_twice(longest, record))
            longest = max(longest, record, key=_last)
    return found


def _twice(one: Record, other: Record) -> Problem:
    if one.period == other.period:
        what = f"is stated twice for {one.period}"
        return Problem(check="keys", where=name_of(one), what=what, mend="Keep one row of the two.")
    return Problem(
        check="periods",
        where=name_of(one),
        what=f"is stated for {one.period} and for {other.period}, which overlap",
        mend="Close the older row on the first day of the newer one: an end is the first day that no longer counts.",
    )


def _first(record: Record) -> date:
    return record.period.start or date.min


def _last(record: Record) -> date:
    return record.period.end or date.max


def _alias_problems(records: Sequence[Record]) -> Iterator[Problem]:
    owners: dict[tuple[str, tuple[str, ...]], set[tuple[str, ...]]] = defaultdict(set)
    known = {(record.kind, record.identity) for record in records}
    for record in records:
        for words in other_words(record):
            owners[record.kind, words].add(record.identity)
    for (kind, words), identities in owners.items():
        if len(identities) > 1 and (kind, words) not in known:
            names = ", ".join(sorted("/".join(word for word in one if word) for one in identities))
            yield Problem(
                check="names",
                where=f"{kind} {'/'.join(word for word in words if word)}",
                what=f"is another name of several records: {names}",
                mend="Leave the alias to one of them.",
            )


def folded(words: tuple[str, ...]) -> tuple[str, ...]:
    """Write words as people's spellings are compared: case, spaces and underscores make no difference."""
    return tuple(word.strip().casefold().replace(" ", "-").replace("_", "-") for word in words)


def other_words(record: Record) -> list[tuple[str, ...]]:
    """Give the other words under which a record may be asked for."""
    identity = record.identity
    place = 1 if record.kind == "price" else 0
    names = [*getattr(record, "aliases", ()), identity[place]]
    words = [(*identity[:place], name, *identity[place + 1 :]) for name in names]
    return [*words, *(folded(one) for one in words)]


# --- two records of the same words -----------------------------------------------------

NO_FIGURES: Final = SET_BY_LIBRARY | {"source", "field_sources", "note", "authority", "name", "aliases", "period"}
"""Fields in which two records may differ and still state the same."""


def differences(records: Sequence[Record]) -> tuple[str, ...]:
    """Name the fields of records in which they state different figures."""
    first, *rest = records
    names = [name for name in _fields(type(first)) if name not in NO_FIGURES]
    return tuple(name for name in names if any(not _same(getattr(first, name), getattr(one, name)) for one in rest))


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other))  # type: ignore[arg-type]  # a number is an array of no dimensions
    return one == other


def shown(value: object) -> str:
    """Write what a field holds in a few words."""
    if isinstance(value, (Decimal, Money)):
        return str(value)
    if attrs.has(type(value)):
        stated = {name: getattr(value, name) for name in _fields(type(value))}
        parts = [
            f"{name} {shown(item)}" for name, item in stated.items() if item not in (None, ()) and item is not False
        ]
        return parts[0].removeprefix("base ") if len(parts) == 1 else f"({', '.join(parts)})"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(shown(item) for item in value)}]"
    return "not stated" if value is None else _shown(value)
