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


def add_months(day: date, months: int) -> date:
    """Move a date by whole months, to the last day of a shorter month where need be."""
    index = day.year * MONTHS_PER_YEAR + day.month - 1 + months
    year, month = divmod(index, MONTHS_PER_YEAR)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@functools.lru_cache(maxsize=256)
def _arange(size: int) -> FloatArray:
    array = np.arange(size, dtype=np.float64)
    array.setflags(write=False)
    return array


@functools.lru_cache(maxsize=256)
def _days(timeline: Timeline) -> tuple[date, ...]:
    return tuple(add_months(timeline.start, month) for month in range(timeline.size))


def _check_start(_: object, attribute: attrs.Attribute[date], value: object) -> None:
    if type(value) is not date:
        raise InvalidValueError(attribute.name, f"must be a datetime.date such as date(2026, 12, 1), got {value!r}")


@attrs.frozen
class Timeline:
    """A start date and a number of months.

    Attributes:
        start: Day of purchase, which is also the first day of month 1.
        months: Number of months T, at least 1. Arrays over time have T + 1 entries.
    """

    start: date = attrs.field(validator=_check_start)
    months: int = whole(ge=1)

    def __attrs_post_init__(self) -> None:
        if self.months > MAX_MONTHS:
            raise InvalidValueError("months", f"must be at most {MAX_MONTHS}, got {self.months}")
        if self.start.year + self.months // MONTHS_PER_YEAR + 1 > date.max.year:
            raise InvalidValueError(
                "start", f"must leave room for {self.months} months in the calendar, got {self.start}"
            )

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
        return add_months(self.start, max(month - 1, 0))

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
        return Timeline(add_months(self.start, first), length)
