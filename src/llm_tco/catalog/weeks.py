"""Weeks on the wall: time zones, and which minute of the week a moment is there."""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError, suggest

IntArray = npt.NDArray[np.int64]
Moments = npt.NDArray[np.datetime64]
"""Moments in UTC, shape `(N,)`, of any resolution."""

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week, as a price names them."""
MINUTES_PER_HOUR: Final = 60
MINUTES_PER_DAY: Final = 24 * MINUTES_PER_HOUR
MINUTES_PER_WEEK: Final = 7 * MINUTES_PER_DAY
_SECONDS_PER_MINUTE: Final = 60
_EPOCH: Final = date(1970, 1, 1)
EPOCH_ORDINAL: Final = _EPOCH.toordinal()


@functools.lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """Give a time zone by its IANA name.

    Raises:
        InvalidValueError: There is no such time zone.
    """
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        near = suggest(name, sorted(zoneinfo.available_timezones()))
        raise InvalidValueError(
            "timezone", f"must be the name of a time zone such as 'Asia/Shanghai', got {name!r}{near}"
        ) from None


def time_zone(*, default: Any = attrs.NOTHING) -> Any:
    """Define a field for the IANA name of a time zone."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is None and default is None:
            return
        if not isinstance(value, str):
            raise InvalidValueError(
                attribute.name, f"must be the name of a time zone such as 'Asia/Shanghai', got {value!r}"
            )
        try:
            zone_of(value)
        except InvalidValueError as error:
            raise InvalidValueError(attribute.name, error.problem) from None

    return attrs.field(default=default, validator=validate)


def aware(moment: object, field: str = "at") -> datetime:
    """Return a moment that says its time zone, or refuse what is none.

    Raises:
        InvalidValueError: The value is no moment, or does not say its time zone.
    """
    if not isinstance(moment, datetime):
        raise InvalidValueError(field, f"must be a moment, a datetime with its time zone, got {moment!r}")
    if moment.tzinfo is not UTC and moment.utcoffset() is None:
        raise InvalidValueError(
            field, f"must say its time zone, got {moment.isoformat()}; add one, such as tzinfo=datetime.UTC"
        )
    return moment


def minute_of_week(local: datetime) -> int:
    """Count the minutes from Monday 00:00 on the wall."""
    return local.weekday() * MINUTES_PER_DAY + local.hour * MINUTES_PER_HOUR + local.minute


def local_minutes(moments: Moments, timezone: str) -> IntArray:
    """Count the minutes from 1970-01-01 00:00 on the wall of a time zone.

    Args:
        moments: Moments in UTC, shape `(N,)`.
        timezone: IANA name.

    Returns:
        Whole minutes, shape `(N,)`.

    Raises:
        InvalidValueError: A moment is not a time, or lies outside the calendar.
    """
    if np.isnat(moments).any():
        raise InvalidValueError("at", "must hold moments, got NaT among them")
    seconds = moments.astype("datetime64[s]").astype(np.int64)
    if seconds.size == 0:
        return seconds
    if timezone == "UTC":
        return np.asarray(seconds // _SECONDS_PER_MINUTE)
    first, last = (int(moments_year) + _EPOCH.year for moments_year in _years(moments))
    if not date.min.year < first <= last < date.max.year:
        raise InvalidValueError("at", f"must lie in the years 2 to 9998, got {first} to {last}")
    tables = [_offsets(timezone, year) for year in range(first, last + 1)]
    changes = np.concatenate([table[0] for table in tables])
    offsets = np.concatenate([table[1] for table in tables])
    return np.asarray((seconds + offsets[np.searchsorted(changes, seconds, side="right") - 1]) // _SECONDS_PER_MINUTE)


def _years(moments: Moments) -> tuple[np.int64, np.int64]:
    years = np.array([moments.min(), moments.max()]).astype("datetime64[Y]").astype(np.int64)
    return years[0], years[1]


def weekly(minutes: IntArray) -> IntArray:
    """Turn minutes from 1970-01-01 on into minutes of the week."""
    return np.asarray((minutes + _EPOCH.weekday() * MINUTES_PER_DAY) % MINUTES_PER_WEEK)


def days(minutes: IntArray) -> Moments:
    """Turn minutes from 1970-01-01 on into days."""
    return np.asarray((minutes // MINUTES_PER_DAY).astype("datetime64[D]"))


def names_of(day: IntArray, holidays: Sequence[date]) -> tuple[IntArray, IntArray]:
    """Name days and those before them: 0 to 6 for Monday to Sunday, 7 for a holiday.

    Args:
        day: Days since 1970-01-01, shape `(N,)`.
        holidays: Those that are holidays.

    Returns:
        The names of the days before, then those of the days, shape `(N,)` each.
    """
    named = np.array(holidays, dtype="datetime64[D]").astype(np.int64)
    before, here = (
        np.where(np.isin(one, named), len(DAYS), (one + _EPOCH.weekday()) % len(DAYS)) for one in (day - 1, day)
    )
    return before, here


@functools.lru_cache(maxsize=1024)
def _offsets(timezone: str, year: int) -> tuple[IntArray, IntArray]:
    """Find when the clocks of a time zone change in a year, and by how many seconds they are ahead of UTC then."""
    zone, one = zone_of(timezone), timedelta(seconds=1)
    moment, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    changes, offsets = [moment], [_offset(moment, zone)]
    while moment < end:
        after = moment + timedelta(days=1)
        if _offset(after, zone) != offsets[-1]:
            low, high = moment, after
            while high - low > one:
                middle = low + (high - low) // 2
                low, high = (middle, high) if _offset(middle, zone) == offsets[-1] else (low, middle)
            changes.append(high.replace(microsecond=0))
            offsets.append(_offset(after, zone))
        moment = after
    return np.array([int(change.timestamp()) for change in changes]), np.array(offsets)


def _offset(moment: datetime, zone: tzinfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
