"""Time value of money: rates, discount factors, net present value.

The last axis of every array is time; leading axes are independent streams and broadcast.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError, OverflowedError
from llm_tco.units import MONTHS_PER_YEAR

FloatArray = npt.NDArray[np.float64]
Timing = Literal["begin", "mid", "end"]

_SHIFT: Final = {"end": 0.0, "mid": 0.5, "begin": 1.0}


def real_array(value: npt.ArrayLike, name: str) -> FloatArray:
    """Convert to a C-contiguous float64 array and refuse NaN and infinities.

    Raises:
        InvalidValueError: A value is not a finite number.
    """
    array = np.asarray(value, dtype=np.float64, order="C")
    if not np.isfinite(array).all():
        raise InvalidValueError(name, "must be finite, got NaN or infinity")
    return array


def check_rate(rate: npt.ArrayLike, name: str = "rate") -> FloatArray:
    """Convert a rate of return and refuse −100 % and less.

    Raises:
        InvalidValueError: A rate is not a finite number above −1.
    """
    array = real_array(rate, name)
    if (array <= -1).any():
        raise InvalidValueError(name, f"must be more than -1 (−100 %), got {array.min():g}")
    return array


def monthly_rate(annual_rate: npt.ArrayLike) -> FloatArray:
    """Convert an effective annual rate to the effective monthly one.

    Args:
        annual_rate: Effective annual rate, as a ratio. [1/year]

    Returns:
        `(1 + r) ** (1/12) - 1`, of the same shape. [1/month]
    """
    return np.asarray(np.expm1(np.log1p(check_rate(annual_rate, "annual_rate")) / MONTHS_PER_YEAR))


def annual_rate(monthly_rate: npt.ArrayLike) -> FloatArray:
    """Convert an effective monthly rate to the effective annual one.

    Args:
        monthly_rate: Effective monthly rate, as a ratio. [1/month]

    Returns:
        `(1 + r) ** 12 - 1`, of the same shape. [1/year]
    """
    return np.asarray(np.expm1(np.log1p(check_rate(monthly_rate, "monthly_rate")) * MONTHS_PER_YEAR))


def from_nominal(nominal_rate: npt.ArrayLike, periods_per_year: int = MONTHS_PER_YEAR) -> FloatArray:
    """Convert a nominal annual rate, compounded so often a year, to the effective annual one.

    Args:
        nominal_rate: Nominal annual rate, as a ratio. [1/year]
        periods_per_year: Compounding periods in a year.

    Returns:
        `(1 + r/n) ** n - 1`, of the same shape. [1/year]
    """
    if periods_per_year < 1:
        raise InvalidValueError("periods_per_year", f"must be at least 1, got {periods_per_year}")
    per_period = check_rate(real_array(nominal_rate, "nominal_rate") / periods_per_year, "nominal_rate")
    return np.asarray(np.expm1(np.log1p(per_period) * periods_per_year))


def discount_factors(rate: npt.ArrayLike, size: int, timing: Timing = "end") -> FloatArray:
    """Give the present value of one unit at each of the times 0 to `size - 1`.

    Args:
        rate: Effective rate per period, shape `(...)`.
        size: Number of times.
        timing: Where in its period a flow falls; `begin` moves every flow one period
            earlier, `mid` half a period.

    Returns:
        `(1 + rate) ** -(t - shift)`, shape `(..., size)`.
    """
    if timing not in _SHIFT:
        raise InvalidValueError("timing", f"must be one of 'begin', 'mid', 'end', got {timing!r}")
    exponent = _SHIFT[timing] - np.arange(size, dtype=np.float64)
    return np.asarray(np.exp(np.log1p(check_rate(rate))[..., None] * exponent))


def npv(rate: npt.ArrayLike, cashflows: npt.ArrayLike, timing: Timing = "end") -> float | FloatArray:
    """Give the net present value of a stream whose first flow is at time 0.

    Args:
        rate: Effective rate per period, shape `(...)`.
        cashflows: Flows, shape `(..., n)`; inflows are positive.
        timing: See `discount_factors`.

    Returns:
        A float for one stream and one rate, else an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or a value that is not finite.
        OverflowedError: The value left the range of finite numbers.

    >>> round(npv(0.1, [-100.0, 60.0, 60.0]), 6)
    4.132231
    """
    flows = real_array(cashflows, "cashflows")
    if flows.ndim == 0 or flows.shape[-1] == 0:
        raise InvalidValueError("cashflows", "must hold at least one flow")
    with np.errstate(over="ignore", invalid="ignore"):
        value = over_time(flows, discount_factors(rate, flows.shape[-1], timing))
    if not np.isfinite(value).all():
        raise OverflowedError("the net present value is too large for a float; state the flows in larger units")
    return as_float(value)


def over_time(flows: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum flows times weights over the last axis, row by row the same to the last bit."""
    return np.asarray(np.vecdot(np.ascontiguousarray(flows), np.ascontiguousarray(weights))) + 0.0


def summed(flows: FloatArray) -> FloatArray:
    """Sum flows over the last axis, row by row the same to the last bit."""
    return over_time(flows, np.ones(flows.shape[-1]))


def as_float(value: FloatArray) -> float | FloatArray:
    """Give a float for a single value, the array itself for many."""
    return float(value) if np.ndim(value) == 0 else value
