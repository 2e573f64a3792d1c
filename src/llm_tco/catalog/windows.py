"""Windows of the week: days, and a time from which to a time until which they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import attrs

from llm_tco.catalog.weeks import DAYS, MINUTES_PER_DAY, MINUTES_PER_HOUR, MINUTES_PER_WEEK
from llm_tco.errors import InvalidValueError

_CLOCK: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d\Z")


HOLIDAY: Final = "holiday"
"""The name of a day that stands in a list of holidays, in the place of its weekday's."""


def _to_days(value: object, attribute: attrs.Attribute[Any], known: Sequence[str] = DAYS) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise InvalidValueError(attribute.name, f"must list days of the week such as 'mon', got {value!r}")
    for day in value:
        if day not in known:
            raise InvalidValueError(attribute.name, f"must be days among {', '.join(known)}, got {day!r}")
    if len(set(value)) < len(value):
        raise InvalidValueError(attribute.name, f"must name each day once, got {list(value)}")
    return tuple(value)


def _check_clock(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    midnight = attribute.name == "end" and value == "24:00"
    if not midnight and not (isinstance(value, str) and _CLOCK.match(value)):
        raise InvalidValueError(attribute.name, f"must be a time of day such as '08:30', got {value!r}")


def week_days() -> Any:
    """Define a field for days of the week; all of them unless said otherwise."""
    return attrs.field(default=DAYS, converter=attrs.Converter(_to_days, takes_field=True))


def days_or_holidays() -> Any:
    """Define a field for days of the week and holidays; all of them unless said otherwise."""

    def convert(value: object, attribute: attrs.Attribute[Any]) -> tuple[str, ...]:
        return _to_days(value, attribute, (*DAYS, HOLIDAY))

    return attrs.field(default=DAYS, converter=attrs.Converter(convert, takes_field=True))


def holidays() -> Any:
    """Define a field for days that are named by no weekday; none unless said otherwise."""

    def convert(value: object, attribute: attrs.Attribute[Any]) -> tuple[date, ...]:
        if not isinstance(value, (list, tuple)) or any(type(day) is not date for day in value):
            raise InvalidValueError(attribute.name, f"must list days such as 2026-10-01, got {value!r}")
        return tuple(sorted(set(value)))

    return attrs.field(default=(), converter=attrs.Converter(convert, takes_field=True))


def clock(*, default: Any = attrs.NOTHING) -> Any:
    """Define a field for a time of day, `"HH:MM"`; one that is named `end` may be `"24:00"`."""
    return attrs.field(default=default, validator=_check_clock)


def _minutes(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * MINUTES_PER_HOUR + int(minutes)


def clock_of(minute: int) -> str:
    """Write a minute of the day as `"HH:MM"`."""
    return f"{minute // MINUTES_PER_HOUR:02d}:{minute % MINUTES_PER_HOUR:02d}"


def minutes_of(start: str, end: str) -> tuple[int, int]:
    """Give the minutes of the day from which on and until which a window holds; the second may lie past midnight."""
    first, last = _minutes(start), _minutes(end)
    return first, last if last > first else last + MINUTES_PER_DAY


def spans(days: Sequence[str], start: str, end: str) -> list[tuple[int, int]]:
    """List the spans of a window as minutes of the week, each `[from, to)` within the week.

    Args:
        days: Days on which it begins; holidays have no place in the week.
        start: Time of day from which on it holds.
        end: Time of day until which it holds; where that is not after the start, it runs
            past midnight into the next day.
    """
    first, last = minutes_of(start, end)
    found = []
    for day in days:
        if day == HOLIDAY:
            continue
        low = DAYS.index(day) * MINUTES_PER_DAY + first
        high = low + last - first
        found.append((low, min(high, MINUTES_PER_WEEK)))
        if high > MINUTES_PER_WEEK:
            found.append((0, high - MINUTES_PER_WEEK))
    return found
