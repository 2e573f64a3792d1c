"""Flows on calendar dates: day counts, their present value and their rate of return."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError, OverflowedError
from llm_tco.finance._roots import roots, solve
from llm_tco.finance.discounting import FloatArray, IntArray, check_rate, figure, over_time, stream_array
from llm_tco.finance.returns import nearest

Dates = Sequence[date] | Sequence[str] | npt.NDArray[np.datetime64]
DayCount = Literal["act/365F", "act/360", "act/365.25", "30/360", "30E/360"]

_BASIS: Final = {"act/365F": 365.0, "act/360": 360.0, "act/365.25": 365.25, "30/360": 360.0, "30E/360": 360.0}


def year_fractions(dates: Dates, day_count: DayCount = "act/365F") -> FloatArray:
    """Count the years from the earliest of some dates to each of them.

    "act/365F" is what Excel's XIRR and XNPV use. "30/360" is the bond basis and "30E/360" the
    Eurobond basis (ISDA Definitions 2006, section 4.16 f and g; no rule for the end of February).

    Args:
        dates: Dates or ISO strings in any order, shape `(n,)`.
        day_count: How days are counted, and how many make a year.

    Returns:
        Years, shape `(n,)`.

    Raises:
        InvalidValueError: No date, not a date, or an unknown day count.

    >>> year_fractions(["2026-01-01", "2027-01-01"]).tolist()
    [0.0, 1.0]
    """
    days, basis = _days(dates, day_count)
    return days / basis


def xnpv(
    rate: npt.ArrayLike, cashflows: npt.ArrayLike, dates: Dates, day_count: DayCount = "act/365F"
) -> float | FloatArray:
    """Give the net present value of flows on dates, at the earliest of them.

    Excel discounts to the first date given and refuses earlier ones, and refuses negative
    rates; here the order of dates is irrelevant.

    Args:
        rate: Effective annual rate, shape `(...)`. [1/year]
        cashflows: Flows, shape `(..., n)`; inflows are positive.
        dates: Their dates, shared by all streams, shape `(n,)`.
        day_count: See `year_fractions`.

    Returns:
        `Σ flow × (1 + rate) ** -years`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, a value that is not finite, or as many
            dates as flows are not given.
        OverflowedError: The value left the range of finite numbers.

    >>> round(xnpv(0.1, [-100.0, 132.0], ["2026-01-01", "2027-01-01"]), 6)
    20.0
    """
    flows, days, basis = _dated(cashflows, dates, day_count)
    with np.errstate(over="ignore", invalid="ignore"):
        weights = np.exp(np.log1p(check_rate(rate))[..., None] * -(days / basis))
        return figure(over_time(flows, weights), "net present value")


def xirr(
    cashflows: npt.ArrayLike, dates: Dates, day_count: DayCount = "act/365F", guess: float | None = None
) -> float | FloatArray:
    """Give the effective annual rate of return of flows on dates.

    Excel's XIRR is good to 1e-8 only and gives the root that it reaches from its guess; pyxirr
    gives one root of several. Here NaN stands for none and for several, unless `guess`
    says which one is meant. Flows of one day are added up.

    Args:
        cashflows: Flows, shape `(..., n)`; inflows are positive.
        dates: Their dates in any order, shared by all streams, shape `(n,)`.
        day_count: See `year_fractions`.
        guess: Take the rate nearest to this one where there are several.

    Returns:
        A float or an array of shape `(...)`. [1/year]

    Raises:
        InvalidValueError: A value is not finite, or as many dates as flows are not given.
        OverflowedError: The rate left the range of finite numbers.

    >>> round(xirr([-100.0, 121.0], ["2026-01-01", "2028-01-01"]), 6)
    0.1
    """
    flows, days, basis = _dated(cashflows, dates, day_count)
    times, place = np.unique(days, return_inverse=True)
    if times.size < days.size:
        order = np.argsort(place, kind="stable")
        begins = np.searchsorted(place[order], np.arange(times.size))
        flows = np.add.reduceat(flows[..., order], begins, axis=-1)
    else:
        flows = flows[..., np.argsort(place)]
    flows = np.ascontiguousarray(flows)
    choose = nearest(guess, basis)
    if flows.ndim == 1:
        x = np.asarray(choose(roots(flows, times)))
    else:
        x = solve(flows.reshape(-1, times.size), choose, times).reshape(flows.shape[:-1])
    with np.errstate(over="ignore"):
        rates = np.expm1(x * basis)
    if np.isinf(rates).any():
        raise OverflowedError("a rate of return is too large for a float; state it per day with irr")
    return float(rates) + 0.0 if rates.ndim == 0 else rates + 0.0


def _dated(cashflows: npt.ArrayLike, dates: Dates, day_count: str) -> tuple[FloatArray, FloatArray, float]:
    flows = stream_array(cashflows)
    days, basis = _days(dates, day_count)
    if days.size != flows.shape[-1]:
        raise InvalidValueError("dates", f"must be as many as flows ({flows.shape[-1]}), got {days.size}")
    return flows, days, basis


def _days(dates: Dates, day_count: str) -> tuple[FloatArray, float]:
    """Count days from the earliest date, and say how many make a year."""
    if day_count not in _BASIS:
        known = ", ".join(map(repr, _BASIS))
        raise InvalidValueError("day_count", f"must be one of {known}, got {day_count!r}")
    when = _calendar(dates)
    if when.ndim != 1 or when.size == 0:
        raise InvalidValueError("dates", f"must be one row of dates, got an array of shape {when.shape}")
    if np.isnat(when).any():
        raise InvalidValueError("dates", "must be dates, got NaT at place " + str(int(np.argmax(np.isnat(when)))))
    if day_count.startswith("30"):
        days = _thirties(when, european=day_count == "30E/360")
    else:
        days = (when - when.min()).astype(np.int64)
    return days.astype(np.float64), _BASIS[day_count]


def _calendar(dates: Dates) -> npt.NDArray[np.datetime64]:
    """Convert dates; a time of day is cut off, in the time zone in which it is stated."""
    try:
        array = np.asarray(dates)
    except ValueError:
        raise InvalidValueError("dates", "must be one row of dates, got rows of several lengths") from None
    if array.dtype.kind == "U":
        array = array.astype(object)
    if array.dtype.kind == "O":
        array = np.array([_day(one) for one in array.flat], dtype="datetime64[D]").reshape(array.shape)
    if array.dtype.kind != "M":
        given = repr(array.flat[0].item()) if array.size else "nothing"
        raise InvalidValueError("dates", f"must be dates or ISO strings such as '2026-12-01', got {given}")
    return array.astype("datetime64[D]")


def _day(value: object) -> date | np.datetime64:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, (date, np.datetime64)):
        return value
    try:
        return datetime.fromisoformat(value).date()  # type: ignore[arg-type]  # what is no text has no date either
    except (TypeError, ValueError):
        raise InvalidValueError("dates", f"must be dates or ISO strings such as '2026-12-01', got {value!r}") from None


def _thirties(when: npt.NDArray[np.datetime64], *, european: bool) -> IntArray:
    """Count days in months of 30 days."""
    months = when.astype("datetime64[M]")
    month = months.astype(np.int64)
    day = (when - months).astype(np.int64) + 1
    first = int(np.argmin(when))
    start = min(int(day[first]), 30)
    capped = np.minimum(day, 30) if european or start == 30 else day
    capped[first] = start
    return np.asarray((month - month[first]) * 30 + capped - start)
