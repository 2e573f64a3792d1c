"""Discount factors and the net value of a stream.

The last axis of every array is time; leading axes are independent streams and broadcast.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from decimal import Decimal
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError, MismatchError, OverflowedError
from llm_tco.units import MONTHS_PER_YEAR

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Timing = Literal["begin", "mid", "end"]

_SHIFT: Final = {"end": 0.0, "mid": 0.5, "begin": 1.0}
_WHOLE: Final = 2.0**53
_TINY_RATE: Final = 1e-300


def real_array(value: npt.ArrayLike, name: str) -> FloatArray:
    """Convert to a C-contiguous float64 array and refuse NaN and infinities.

    Raises:
        InvalidValueError: A value is not a finite number.
    """
    array = _floats(value, name)
    if not np.isfinite(array).all():
        raise InvalidValueError(name, "must be finite, got NaN or infinity")
    return array


def _floats(value: npt.ArrayLike, name: str) -> FloatArray:
    """Convert numbers; texts, dates, booleans, complex and masked ones are none."""
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidValueError(name, "must hold a number at every place, got a masked array; fill it first")
    try:
        array = np.asarray(value)
    except ValueError:
        raise InvalidValueError(name, "must be rows of one length, got rows that differ") from None
    if array.dtype.kind == "O":
        strange = [one for one in array.flat if not _is_number(one)]
        if strange:
            raise InvalidValueError(name, f"must be numbers, got {strange[0]!r}")
    elif array.dtype.kind not in "iuf":
        given = repr(array.flat[0].item()) if array.size else f"an array of {array.dtype}"
        raise InvalidValueError(name, f"must be numbers, got {given}")
    try:
        return np.asarray(array, dtype=np.float64, order="C")
    except OverflowError:
        raise InvalidValueError(name, "must be numbers that a float holds, got a larger one") from None


def _is_number(value: object) -> bool:
    return isinstance(value, (numbers.Real, Decimal)) and not isinstance(value, (bool, np.bool_))


def check_rate(rate: npt.ArrayLike, name: str = "rate") -> FloatArray:
    """Convert a rate of return and refuse −100 % and less.

    Rates whose quotients would lose their digits, below 1e-300, are read as 0.

    Raises:
        InvalidValueError: A rate is not a finite number above −1.
    """
    array = real_array(rate, name)
    if (array <= -1).any():
        raise InvalidValueError(name, f"must be more than -1 (−100 %), got {array.min():g}")
    return np.where(np.abs(array) < _TINY_RATE, 0.0, array)


def whole_array(value: npt.ArrayLike, name: str, least: int = 1) -> IntArray:
    """Convert to an array of whole numbers and refuse fractions and what is too small.

    Raises:
        InvalidValueError: A value is not a whole number of at least `least`.
    """
    array = real_array(value, name)
    if (array != np.floor(array)).any() or (array < least).any() or (array > _WHOLE).any():
        raise InvalidValueError(name, f"must be a whole number of at least {least}, got {_sample(array, least)}")
    return array.astype(np.int64)


def whole_number(value: npt.ArrayLike, name: str, least: int = 1) -> int:
    """Convert to a single whole number.

    Raises:
        InvalidValueError: It is none, or there are several.
    """
    array = whole_array(value, name, least)
    if array.ndim:
        raise InvalidValueError(name, f"must be a single whole number, got an array of shape {array.shape}")
    return int(array)


def _sample(array: FloatArray, least: int) -> str:
    """Name one value that is no whole number of at least a bound."""
    wrong = array[(array != np.floor(array)) | (array < least) | (array > _WHOLE)]
    return f"{wrong.flat[0]:g}"


def stream_array(cashflows: npt.ArrayLike, name: str = "cashflows") -> FloatArray:
    """Convert flows, whose last axis is time, and refuse none at all.

    Raises:
        InvalidValueError: A flow is not finite, or there is no flow.
    """
    return _with_time(real_array(cashflows, name), name)


def _with_time(flows: FloatArray, name: str) -> FloatArray:
    if flows.ndim == 0 or flows.shape[-1] == 0:
        raise InvalidValueError(name, "must hold at least one flow")
    return flows


def shift_of(timing: str, name: str = "timing") -> float:
    """Give by how many periods a timing moves a flow towards the start.

    Raises:
        InvalidValueError: The timing is none of "begin", "mid" and "end".
    """
    if not isinstance(timing, str) or timing not in _SHIFT:
        raise InvalidValueError(name, f"must be one of 'begin', 'mid', 'end', got {timing!r}")
    return _SHIFT[timing]


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


def discount_factors(rate: npt.ArrayLike, size: int, timing: Timing = "end") -> FloatArray:
    """Give the present value of one unit at each of the times 0 to `size - 1`.

    Args:
        rate: Effective rate per period, shape `(...)`.
        size: Number of times.
        timing: Where in its period a flow falls; `begin` moves every flow one period
            earlier, `mid` half a period.

    Returns:
        `(1 + rate) ** -(t - shift)`, shape `(..., size)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or not a whole number of times.
        OverflowedError: A factor left the range of finite numbers.
    """
    return np.asarray(figure(_factors(rate, whole_number(size, "size", 0), timing), "discount factor"))


def _factors(rate: npt.ArrayLike, size: int, timing: Timing = "end") -> FloatArray:
    return _weights(rate, shift_of(timing) - np.arange(size, dtype=np.float64))


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
    return _valued(cashflows, lambda size: _factors(rate, size, timing))


def npv_excel(rate: npt.ArrayLike, cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the net present value of a stream whose first flow is at time 1, as Excel's NPV does.

    Microsoft's own advice is to add a flow at time 0 outside the function; `npv` holds it
    inside. Blank cells and text, which Excel skips, are refused here.

    Args:
        rate: Effective rate per period, shape `(...)`.
        cashflows: Flows, shape `(..., n)`; inflows are positive.

    Returns:
        A float for one stream and one rate, else an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or a value that is not finite.
        OverflowedError: The value left the range of finite numbers.

    >>> round(npv_excel(0.1, [-100.0, 60.0, 60.0]), 6)
    3.756574
    """
    return _valued(cashflows, lambda size: _weights(rate, -1.0 - np.arange(size, dtype=np.float64)))


def nfv(rate: npt.ArrayLike, cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the net future value of a stream, at the time of its last flow.

    Trailing zeros count: they move the last flow.

    Args:
        rate: Effective rate per period, shape `(...)`.
        cashflows: Flows, shape `(..., n)`; inflows are positive.

    Returns:
        `Σ flow × (1 + rate) ** (n - 1 - t)`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or a value that is not finite.
        OverflowedError: The value left the range of finite numbers.

    >>> round(nfv(0.1, [-100.0, 60.0, 60.0]), 6)
    5.0
    """
    return _valued(cashflows, lambda size: _weights(rate, np.arange(size, dtype=np.float64)[::-1]))


def _weights(rate: npt.ArrayLike, exponents: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(np.log1p(check_rate(rate))[..., None] * exponents))


def _valued(cashflows: npt.ArrayLike, weights_of: Callable[[int], FloatArray]) -> float | FloatArray:
    """Sum flows times weights.

    A NaN or an infinity among the flows makes the sum one, so only then are the flows
    searched: a pass over them would take as long as the sum itself.
    """
    flows = _with_time(_floats(cashflows, "cashflows"), "cashflows")
    with np.errstate(over="ignore", invalid="ignore"):
        value = over_time(flows, weights_of(flows.shape[-1]))
    if not np.isfinite(value).all():
        real_array(flows, "cashflows")
        raise OverflowedError("the net present value is too large for a float; state the flows in larger units")
    return as_float(value)


def over_time(flows: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum flows times weights over the last axis, row by row the same to the last bit."""
    try:
        value = np.vecdot(np.ascontiguousarray(flows), np.ascontiguousarray(weights))
    except ValueError:
        shapes = f"{np.shape(flows)[:-1]} and {np.shape(weights)[:-1]}"
        raise MismatchError(f"leading axes {shapes} don't broadcast: they must be equal, or 1") from None
    return np.asarray(value) + 0.0


def summed(flows: FloatArray) -> FloatArray:
    """Sum flows over the last axis, row by row the same to the last bit."""
    return over_time(flows, np.ones(flows.shape[-1]))


def as_float(value: FloatArray) -> float | FloatArray:
    """Give a float for a single value, the array itself for many."""
    return float(value) if np.ndim(value) == 0 else value


def figure(value: npt.ArrayLike, name: str) -> float | FloatArray:
    """Give a result, a float or an array, without negative zeros.

    Raises:
        OverflowedError: It left the range of finite numbers.
    """
    array = np.asarray(value) + 0.0
    if not np.isfinite(array).all():
        raise OverflowedError(f"the {name} is too large for a float; state the amounts in larger units")
    return as_float(array)
