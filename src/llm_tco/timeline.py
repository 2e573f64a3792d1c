"""Months: index 0 is the day of purchase, 1 to T are the months."""

from __future__ import annotations

import calendar
import functools
from datetime import date

import attrs
import numpy as np

from llm_tco._fields import FloatArray, whole
from llm_tco.errors import InvalidValueError
from llm_tco.units import MONTHS_PER_YEAR

MAX_MONTHS = 1_200
"""Months of the longest timeline: a hundred years."""

_LONGEST = 31
"""Days of the longest month."""


def add_months(day: date, months: int, begins_on: int | None = None) -> date:
    """Move a date by whole months, to the last day of a shorter month where need be.

    Args:
        day: The date.
        months: By how many.
        begins_on: Day of the month that is wanted; that of the date where nothing is said.
    """
    index = day.year * MONTHS_PER_YEAR + day.month - 1 + months
    year, month = divmod(index, MONTHS_PER_YEAR)
    return date(year, month + 1, min(begins_on or day.day, calendar.monthrange(year, month + 1)[1]))


@functools.lru_cache(maxsize=256)
def _arange(size: int) -> FloatArray:
    array = np.arange(size, dtype=np.float64)
    array.setflags(write=False)
    return array


@functools.lru_cache(maxsize=256)
def _days(timeline: Timeline) -> tuple[date, ...]:
    return tuple(timeline.month_start(month + 1) for month in range(timeline.size))


def _check_start(_: object, attribute: attrs.Attribute[date], value: object) -> None:
    if type(value) is not date:
        raise InvalidValueError(attribute.name, f"must be a datetime.date such as date(2026, 12, 1), got {value!r}")


@attrs.frozen
class Timeline:
    """A start date and a number of months.

    Attributes:
        start: Day of purchase, which is also the first day of month 1.
        months: Number of months T, at least 1. Arrays over time have T + 1 entries.
        begins_on: Day of the month on which months begin, where a shorter month cut that of
            the start: what begins on 31 January goes on on 28 February and 31 March.
    """

    start: date = attrs.field(validator=_check_start)
    months: int = whole(ge=1)
    begins_on: int | None = whole(ge=29, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if self.months > MAX_MONTHS:
            raise InvalidValueError("months", f"must be at most {MAX_MONTHS}, got {self.months}")
        wanted = self.begins_on
        if wanted is not None and not (self.start.day < wanted <= _LONGEST and self._cut_short):
            raise InvalidValueError(
                "begins_on",
                f"must be a later day, up to 31, that the month of {self.start} does not have, got {wanted}",
            )
        if self.start.year + self.months // MONTHS_PER_YEAR + 1 > date.max.year:
            raise InvalidValueError(
                "start", f"must leave room for {self.months} months in the calendar, got {self.start}"
            )

    @property
    def _cut_short(self) -> bool:
        return self.start.day == calendar.monthrange(self.start.year, self.start.month)[1]

    @property
    def size(self) -> int:
        """Number of entries of an array over time: T + 1."""
        return self.months + 1

    @property
    def index(self) -> FloatArray:
        """The time of each entry, counted in months from the purchase: 0 to T."""
        return _arange(self.size)

    @property
    def whole_years(self) -> FloatArray:
        """The anniversaries that have passed when a month begins: 0 in months 0 to 12, 1 in 13 to 24."""
        return np.floor(np.maximum(self.index - 1, 0) / MONTHS_PER_YEAR)

    @property
    def days(self) -> tuple[date, ...]:
        """The calendar day of each time: that of purchase, and the end of each month after it."""
        return _days(self)

    def month_start(self, month: int) -> date:
        """Give the first day of a month (1 to T), or of the purchase (0)."""
        return add_months(self.start, max(month - 1, 0), self.begins_on)

    def window(self, first: int, months: int | None = None) -> Timeline:
        """Give the timeline that begins `first` months later.

        Args:
            first: Months to leave out at the beginning.
            months: Length of the window; without one it reaches to the end.

        Raises:
            InvalidValueError: The window is empty or reaches beyond the timeline.
        """
        length = self.months - first if months is None else months
        if first < 0 or length < 1 or first + length > self.months:
            raise InvalidValueError(
                "window", f"must lie within the {self.months} months, got {first} to {first + length}"
            )
        wanted = self.begins_on or self.start.day
        start = add_months(self.start, first, wanted)
        return Timeline(start, length, None if start.day == wanted else wanted)
