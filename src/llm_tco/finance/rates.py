"""Rates: effective and nominal, real and with inflation, and growth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import FloatArray, check_rate, figure, real_array, whole_array
from llm_tco.units import MONTHS_PER_YEAR


def effect(nominal_rate: npt.ArrayLike, periods_per_year: npt.ArrayLike = MONTHS_PER_YEAR) -> float | FloatArray:
    """Convert a nominal annual rate, compounded so often a year, to the effective annual one.

    Excel's EFFECT cuts a fractional number of periods and refuses rates of 0 or less; here a
    fraction is refused and any rate above −100 % a period is taken.

    Args:
        nominal_rate: Nominal annual rate, as a ratio, shape `(...)`. [1/year]
        periods_per_year: Compounding periods in a year, whole, shape `(...)`.

    Returns:
        `(1 + r/n) ** n - 1`, a float or an array of shape `(...)`. [1/year]

    Raises:
        InvalidValueError: A rate of −100 % a period or less, or not a whole number of periods.
        OverflowedError: The rate left the range of finite numbers.

    >>> round(effect(0.6, 2), 6)
    0.69
    """
    periods = whole_array(periods_per_year, "periods_per_year")
    per_period = check_rate(real_array(nominal_rate, "nominal_rate") / periods, "nominal_rate")
    with np.errstate(over="ignore"):
        return figure(np.expm1(np.log1p(per_period) * periods), "effective rate")


def nominal(effective_rate: npt.ArrayLike, periods_per_year: npt.ArrayLike = MONTHS_PER_YEAR) -> float | FloatArray:
    """Convert an effective annual rate to the nominal one, compounded so often a year.

    Args:
        effective_rate: Effective annual rate, as a ratio, shape `(...)`. [1/year]
        periods_per_year: Compounding periods in a year, whole, shape `(...)`.

    Returns:
        `n × ((1 + r) ** (1/n) - 1)`, a float or an array of shape `(...)`. [1/year]

    Raises:
        InvalidValueError: A rate of −100 % or less, or not a whole number of periods.

    >>> round(nominal(0.69, 2), 6)
    0.6
    """
    periods = whole_array(periods_per_year, "periods_per_year")
    return figure(np.expm1(np.log1p(check_rate(effective_rate, "effective_rate")) / periods) * periods, "nominal rate")


def real_rate(rate: npt.ArrayLike, inflation: npt.ArrayLike) -> float | FloatArray:
    """Take inflation out of a rate (I. Fisher, The Theory of Interest, 1930).

    Args:
        rate: Rate in money of the day, shape `(...)`. [1/period]
        inflation: Rise of prices, shape `(...)`. [1/period]

    Returns:
        `(1 + rate) / (1 + inflation) - 1`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less.
        OverflowedError: The rate left the range of finite numbers.

    >>> round(real_rate(0.0815, 0.03), 6)
    0.05
    """
    top, prices = check_rate(rate), check_rate(inflation, "inflation")
    with np.errstate(over="ignore"):
        return figure((top - prices) / (1 + prices), "real rate")


def inflated_rate(real_rate: npt.ArrayLike, inflation: npt.ArrayLike) -> float | FloatArray:
    """Put inflation into a real rate (I. Fisher, The Theory of Interest, 1930).

    Args:
        real_rate: Rate in constant money, shape `(...)`. [1/period]
        inflation: Rise of prices, shape `(...)`. [1/period]

    Returns:
        `(1 + real_rate) × (1 + inflation) - 1`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less.
        OverflowedError: The rate left the range of finite numbers.

    >>> round(inflated_rate(0.05, 0.03), 6)
    0.0815
    """
    real, prices = check_rate(real_rate, "real_rate"), check_rate(inflation, "inflation")
    with np.errstate(over="ignore"):
        return figure(real + prices + real * prices, "rate")


def rri(nper: npt.ArrayLike, pv: npt.ArrayLike, fv: npt.ArrayLike) -> float | FloatArray:
    """Give the rate at which a value grows from one amount to another.

    Args:
        nper: Periods, above 0, shape `(...)`.
        pv: Value at the start, not 0, shape `(...)`. [currency]
        fv: Value at the end, of the same sign, shape `(...)`. [currency]

    Returns:
        `(fv / pv) ** (1 / nper) - 1`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: No period, or amounts of which one is 0 or that differ in sign.
        OverflowedError: The rate left the range of finite numbers.

    >>> round(rri(2, 100.0, 121.0), 6)
    0.1
    """
    periods = real_array(nper, "nper")
    if (periods <= 0).any():
        raise InvalidValueError("nper", f"must be above 0, got {periods.min():g}")
    with np.errstate(over="ignore"):
        return figure(np.expm1(_log_growth(pv, fv) / periods), "rate")


def pduration(rate: npt.ArrayLike, pv: npt.ArrayLike, fv: npt.ArrayLike) -> float | FloatArray:
    """Give the periods in which a value grows from one amount to another.

    Excel's PDURATION refuses rates below 0; here a falling value takes a negative rate.

    Args:
        rate: Rate per period, above −100 % and not 0, shape `(...)`.
        pv: Value at the start, not 0, shape `(...)`. [currency]
        fv: Value at the end, of the same sign, shape `(...)`. [currency]

    Returns:
        `ln(fv / pv) / ln(1 + rate)`, a float or an array of shape `(...)`. [periods]

    Raises:
        InvalidValueError: A rate of 0, of −100 % or less; see `rri` for the amounts.

    >>> round(pduration(0.1, 100.0, 121.0), 6)
    2.0
    """
    growth = np.log1p(check_rate(rate))
    if (growth == 0).any():
        raise InvalidValueError("rate", "must not be 0: nothing grows at that rate")
    with np.errstate(over="ignore"):
        return figure(_log_growth(pv, fv) / growth, "duration")


def _log_growth(pv: npt.ArrayLike, fv: npt.ArrayLike) -> FloatArray:
    start, end = real_array(pv, "pv"), real_array(fv, "fv")
    if (start == 0).any():
        raise InvalidValueError("pv", "must not be 0")
    if (np.sign(start) != np.sign(end)).any():
        raise InvalidValueError("fv", "must not be 0 and be of the sign of pv")
    return np.asarray(np.log(np.abs(end)) - np.log(np.abs(start)))


def fvschedule(principal: npt.ArrayLike, rates: npt.ArrayLike) -> float | FloatArray:
    """Give what an amount grows to at rates that differ from period to period.

    Rates of −100 % and less are taken, as in Excel.

    Args:
        principal: Amount at the start, shape `(...)`. [currency]
        rates: Rate of each period, shape `(..., n)`; none leaves the amount as it is.

    Returns:
        `principal × Π (1 + rate)`, a float or an array of shape `(...)`. [currency]

    Raises:
        InvalidValueError: A value is not finite, or `rates` has no axis of time.
        OverflowedError: The value left the range of finite numbers.

    >>> round(fvschedule(100.0, [0.1, 0.2]), 6)
    132.0
    """
    each = real_array(rates, "rates")
    if each.ndim == 0:
        raise InvalidValueError("rates", "must be an array whose last axis is time")
    with np.errstate(over="ignore", invalid="ignore"):
        return figure(real_array(principal, "principal") * np.prod(1 + each, axis=-1), "future value")
