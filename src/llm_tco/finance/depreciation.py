"""How the cost of an asset is spread over its life.

Functions named as in Excel give one period; `..._schedule` gives every period. Cost and
salvage are historical. Periods count from 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import FloatArray, figure, real_array, whole_array, whole_number

MONTHS_IN_FULL = 12


def sln(cost: npt.ArrayLike, salvage: npt.ArrayLike, life: npt.ArrayLike) -> float | FloatArray:
    """Give the straight-line depreciation of a period.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life, above 0, shape `(...)`. [periods]

    Returns:
        `(cost - salvage) / life`, a float or an array of shape `(...)`. [currency]

    Raises:
        InvalidValueError: Salvage above cost or below 0, or no life. Excel's SLN takes a salvage above the cost.

    >>> sln(30_000.0, 7_500.0, 10)
    2250.0
    """
    value, rest, periods = _asset(cost, salvage, life)
    return figure((value - rest) / periods, "depreciation")


def sln_schedule(cost: npt.ArrayLike, salvage: npt.ArrayLike, life: int) -> FloatArray:
    """Give the straight-line depreciation of every period.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life, a single whole number. [periods]

    Returns:
        `(cost - salvage) / life` in each period, shape `(..., life)`. [currency]

    Raises:
        InvalidValueError: Salvage above cost or below 0, or no period.
    """
    size = _size(life)
    return np.repeat(np.asarray(sln(cost, salvage, size))[..., None], size, axis=-1)


def syd(cost: npt.ArrayLike, salvage: npt.ArrayLike, life: npt.ArrayLike, period: npt.ArrayLike) -> float | FloatArray:
    """Give the sum-of-years'-digits depreciation of a period.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life, above 0, shape `(...)`. [periods]
        period: Which period, whole, from 1, shape `(...)`.

    Returns:
        `(cost - salvage) × (life - period + 1) × 2 / (life × (life + 1))`, a float or an
        array of shape `(...)`. [currency]

    Raises:
        InvalidValueError: Salvage above cost or below 0, or a period outside the life.

    >>> round(syd(30_000.0, 7_500.0, 10, 1), 6)
    4090.909091
    """
    value, rest, periods = _asset(cost, salvage, life)
    k = _within(period, periods)
    return figure((value - rest) * (periods - k + 1) * 2 / (periods * (periods + 1)), "depreciation")


def syd_schedule(cost: npt.ArrayLike, salvage: npt.ArrayLike, life: int) -> FloatArray:
    """Give the sum-of-years'-digits depreciation of every period.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life, a single whole number. [periods]

    Returns:
        See `syd`, shape `(..., life)`. [currency]

    Raises:
        InvalidValueError: Salvage above cost or below 0, or no period.
    """
    size = _size(life)
    value, rest = (np.asarray(part)[..., None] for part in _asset(cost, salvage, size)[:2])
    return np.asarray(syd(value, rest, size, np.arange(1, size + 1)))


def db(
    cost: npt.ArrayLike,
    salvage: npt.ArrayLike,
    life: npt.ArrayLike,
    period: npt.ArrayLike,
    month: npt.ArrayLike = MONTHS_IN_FULL,
    *,
    rounded_rate: bool = True,
) -> float | FloatArray:
    """Give the fixed-declining-balance depreciation of a period.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life in years, whole, shape `(...)`.
        period: Which year, from 1; `life + 1` where the first year is not full, shape `(...)`.
        month: Months in the first year, 1 to 12, shape `(...)`.
        rounded_rate: Round the rate to three decimals, as Excel's DB does. Without, full years
            lead to the salvage exactly.

    Returns:
        With the rate `1 - (salvage / cost) ** (1 / life)`: the rate times the book value, in
        the first and the last year for its months only. A float or an array of shape `(...)`.

    Raises:
        InvalidValueError: Salvage above cost or below 0, a year outside the life or not a month.

    >>> round(db(1_000_000.0, 100_000.0, 6, 1, month=7), 2)
    186083.33
    """
    value, rest, periods = _asset(cost, salvage, whole_array(life, "life"))
    months = whole_array(month, "month")
    if (months > MONTHS_IN_FULL).any():
        raise InvalidValueError("month", f"must be at most 12, got {months.max()}")
    k = _within(period, periods + (months < MONTHS_IN_FULL))
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = -np.expm1(np.log(np.where(value > 0, rest / value, 1.0)) / periods)
    if rounded_rate:
        rate = np.round(rate, 3)
    after_first = value * (1 - rate * months / MONTHS_IN_FULL)
    share = np.where(k > periods, (MONTHS_IN_FULL - months) / MONTHS_IN_FULL, 1.0)
    later = after_first * _left(rate, np.maximum(k - 2, 0)) * rate * share
    return figure(np.where(k == 1, value * rate * months / MONTHS_IN_FULL, later), "depreciation")


def db_schedule(
    cost: npt.ArrayLike,
    salvage: npt.ArrayLike,
    life: int,
    month: int = MONTHS_IN_FULL,
    *,
    rounded_rate: bool = True,
) -> FloatArray:
    """Give the fixed-declining-balance depreciation of every year.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life in years, a single whole number.
        month: Months in the first year, 1 to 12.
        rounded_rate: See `db`.

    Returns:
        Shape `(..., life)`, or `(..., life + 1)` where the first year is not full. [currency]

    Raises:
        InvalidValueError: Salvage above cost or below 0, no year or not a month.
    """
    size = _size(life)
    value, rest = (np.asarray(part)[..., None] for part in _asset(cost, salvage, size)[:2])
    k = np.arange(1, size + 1 + (month < MONTHS_IN_FULL))
    return np.asarray(db(value, rest, size, k, month, rounded_rate=rounded_rate))


def ddb(
    cost: npt.ArrayLike,
    salvage: npt.ArrayLike,
    life: npt.ArrayLike,
    period: npt.ArrayLike,
    factor: npt.ArrayLike = 2.0,
) -> float | FloatArray:
    """Give the double-declining-balance depreciation of a period, down to the salvage.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life, above 0, shape `(...)`. [periods]
        period: Which period, whole, from 1, shape `(...)`.
        factor: How many times faster than the straight line, above 0, shape `(...)`.

    Returns:
        `min(book × factor / life, book - salvage)`, a float or an array of shape `(...)`. It
        need not reach the salvage; `vdb` does. [currency]

    Raises:
        InvalidValueError: Salvage above cost or below 0, a period outside the life or no factor.

    >>> ddb(2_400.0, 300.0, 10, 1)
    480.0
    """
    value, rest, periods = _asset(cost, salvage, life)
    k = _within(period, periods)
    rate = _declining(factor, periods)
    book = np.maximum(value * _left(rate, k - 1), rest)
    return figure(np.minimum(book * rate, book - rest), "depreciation")


def ddb_schedule(cost: npt.ArrayLike, salvage: npt.ArrayLike, life: int, factor: npt.ArrayLike = 2.0) -> FloatArray:
    """Give the double-declining-balance depreciation of every period.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life, a single whole number. [periods]
        factor: How many times faster than the straight line, above 0, shape `(...)`.

    Returns:
        See `ddb`, shape `(..., life)`. [currency]

    Raises:
        InvalidValueError: Salvage above cost or below 0, no period or no factor.
    """
    size = _size(life)
    value, rest = (np.asarray(part)[..., None] for part in _asset(cost, salvage, size)[:2])
    return np.asarray(ddb(value, rest, size, np.arange(1, size + 1), real_array(factor, "factor")[..., None]))


def vdb(
    cost: npt.ArrayLike,
    salvage: npt.ArrayLike,
    life: npt.ArrayLike,
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    factor: npt.ArrayLike = 2.0,
    no_switch: bool = False,
) -> float | FloatArray:
    """Give the declining-balance depreciation between two times, with a switch to the straight line.

    It switches in the first period in which what is left, spread evenly, gives as much. Within
    a period the book value falls evenly, as in Excel's example from time 0 to 0.875; for a start
    within a period Excel's figures may differ.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life, above 0, shape `(...)`. [periods]
        start: Time from which on, at least 0, shape `(...)`. [periods]
        end: Time up to which, at most `life`, shape `(...)`. [periods]
        factor: How many times faster than the straight line, above 0, shape `(...)`.
        no_switch: Stay on the declining balance.

    Returns:
        Book value at the start less that at the end, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: Salvage above cost or below 0, times outside the life or no factor.

    >>> round(vdb(10_000.0, 0.0, 5, 4, 5), 6)
    1080.0
    """
    value, rest, periods = _asset(cost, salvage, life)
    begin, until = real_array(start, "start"), real_array(end, "end")
    if (begin < 0).any() or (begin > until).any():
        raise InvalidValueError("start", "must be at least 0 and at most end")
    if (until > periods).any():
        raise InvalidValueError("end", f"must be at most life ({periods.min():g}), got {until.max():g}")
    asset = np.broadcast_arrays(value, rest, periods, _declining(factor, periods), begin, until)
    turn = np.inf if no_switch else _switch(*asset[:4])
    before, after = (_book(*asset[:4], turn=turn, time=time) for time in asset[4:])
    return figure(np.maximum(before - after, 0.0), "depreciation")


def vdb_schedule(
    cost: npt.ArrayLike,
    salvage: npt.ArrayLike,
    life: int,
    factor: npt.ArrayLike = 2.0,
    no_switch: bool = False,
) -> FloatArray:
    """Give the declining-balance depreciation of every period, with a switch to the straight line.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        life: Life, a single whole number. [periods]
        factor: How many times faster than the straight line, above 0, shape `(...)`.
        no_switch: Stay on the declining balance.

    Returns:
        See `vdb`, shape `(..., life)`. [currency]

    Raises:
        InvalidValueError: Salvage above cost or below 0, no period or no factor.
    """
    size = _size(life)
    value, rest = (np.asarray(part)[..., None] for part in _asset(cost, salvage, size)[:2])
    rate = _declining(real_array(factor, "factor")[..., None], np.array(float(size)))
    value, rest, periods, rate = np.broadcast_arrays(value, rest, np.array(float(size)), rate)
    turn = np.inf if no_switch else _switch(value, rest, periods, rate)
    books = _book(value, rest, periods, rate, turn=turn, time=np.arange(size + 1, dtype=np.float64))
    return np.asarray(figure(np.maximum(books[..., :-1] - books[..., 1:], 0.0), "depreciation"))


def book_value(cost: npt.ArrayLike, schedule: npt.ArrayLike) -> FloatArray:
    """Give what an asset is worth in the books at every time.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        schedule: Depreciation of each period, shape `(..., n)`. [currency]

    Returns:
        Cost less what has been depreciated, at the times 0 to n, shape `(..., n + 1)`. [currency]

    Raises:
        InvalidValueError: A value is not finite, or `schedule` has no axis of time.

    >>> book_value(1_000.0, syd_schedule(1_000.0, 100.0, 5)).tolist()
    [1000.0, 700.0, 460.0, 280.0, 160.0, 100.0]
    """
    value, parts = real_array(cost, "cost"), real_array(schedule, "schedule")
    if parts.ndim == 0:
        raise InvalidValueError("schedule", "must be an array whose last axis is time")
    begin = np.broadcast_to(value[..., None], (*np.broadcast_shapes(value.shape, parts.shape[:-1]), 1))
    later = begin - np.cumsum(parts, axis=-1)
    return np.concatenate([begin, later], axis=-1) + 0.0


def _asset(
    cost: npt.ArrayLike, salvage: npt.ArrayLike, life: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    value, rest, periods = real_array(cost, "cost"), real_array(salvage, "salvage"), real_array(life, "life")
    if (rest < 0).any():
        raise InvalidValueError("salvage", f"must be at least 0, got {rest.min():g}")
    if (rest > value).any():
        raise InvalidValueError("salvage", "must be at most the cost")
    if (periods <= 0).any():
        raise InvalidValueError("life", f"must be above 0, got {periods.min():g}")
    return value, rest, periods


def _size(life: int) -> int:
    return whole_number(life, "life")


def _within(period: npt.ArrayLike, periods: FloatArray) -> FloatArray:
    k = whole_array(period, "period")
    if (k > np.ceil(periods)).any():
        raise InvalidValueError("period", f"must be at most the life ({periods.min():g}), got {k.max()}")
    return k.astype(np.float64)


def _declining(factor: npt.ArrayLike, periods: FloatArray) -> FloatArray:
    times = real_array(factor, "factor")
    if (times <= 0).any():
        raise InvalidValueError("factor", f"must be above 0, got {times.min():g}")
    return np.minimum(times / periods, 1.0)


def _left(rate: FloatArray, periods: FloatArray) -> FloatArray:
    """Give `(1 - rate) ** periods`; the operator squares single values, and arrays get other bits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(periods == 0, 1.0, np.exp(periods * np.log1p(-rate)))


def _switch(value: FloatArray, rest: FloatArray, periods: FloatArray, rate: FloatArray) -> FloatArray:
    """Give the whole period after which the straight line takes over."""
    k = np.arange(np.ceil(periods.max(initial=1.0)), dtype=np.float64)
    value, rest, periods, rate = (part[..., None] for part in (value, rest, periods, rate))
    book = np.maximum(value * _left(rate, k), rest)
    with np.errstate(divide="ignore", invalid="ignore"):
        even = np.where(k < periods, (book - rest) / (periods - k), np.inf)
    return np.asarray(np.argmax(even >= np.minimum(book * rate, book - rest), axis=-1), dtype=np.float64)


def _book(
    value: FloatArray,
    rest: FloatArray,
    periods: FloatArray,
    rate: FloatArray,
    *,
    turn: FloatArray | float,
    time: FloatArray,
) -> FloatArray:
    """Give the book value at a time; between whole periods it falls evenly."""
    before = np.floor(time)
    falling = np.minimum(before, turn)
    book = np.maximum(value * _left(rate, falling), rest)
    after = np.maximum(value * _left(rate, falling + 1), rest)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(time >= periods, 0.0, (periods - time) / (periods - turn))
    even = rest + (book - rest) * left
    return np.where(time > turn, even, book - (book - after) * (time - before))
