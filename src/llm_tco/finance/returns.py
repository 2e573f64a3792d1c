"""What an investment returns: internal rate, payback, return on investment.

A cash flow is positive when it comes in. The last axis is time.
"""

from __future__ import annotations

from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import FloatArray, as_float, discount_factors, npv, real_array

_NEWTON_STEPS = 200


@attrs.frozen(kw_only=True)
class Irr:
    """The internal rates of return of one stream.

    Attributes:
        status: `"unique"`, `"none"` or `"several"`.
        rates: Every rate above −100 % at which the net present value changes its sign,
            in rising order, per period.
    """

    status: Literal["unique", "none", "several"]
    rates: tuple[float, ...]

    @property
    def rate(self) -> float:
        """The rate where it is unique, else NaN."""
        return self.rates[0] if self.status == "unique" else float("nan")


def irr_report(cashflows: npt.ArrayLike) -> Irr:
    """Find every internal rate of return of one stream and say how many there are.

    With x = ln(1 + r) the net present value is a sum of exponentials whose number of
    zeros is at most the number of sign changes of its coefficients. Multiplied by
    exp(τx), with τ between two flows of different sign, and differentiated, it loses
    one sign change; between two zeros of that derivative it is monotone and has at most
    one zero. Repeated, this isolates every zero (Descartes' rule of signs as proved by
    Rolle's theorem; G. Pólya and G. Szegő, Problems and Theorems in Analysis II, part V,
    chapter 1).

    Args:
        cashflows: Flows of one stream, shape `(n,)`.

    Raises:
        InvalidValueError: A flow is not finite, or the array is not one stream.

    >>> [round(rate, 9) for rate in irr_report([-100.0, 230.0, -132.0]).rates]
    [0.1, 0.2]
    """
    flows = real_array(cashflows, "cashflows")
    if flows.ndim != 1:
        raise InvalidValueError("cashflows", f"must be one stream, got an array of shape {flows.shape}")
    times = np.flatnonzero(flows).astype(np.float64)
    if times.size == 0:
        return Irr(status="none", rates=())
    coefficients = flows[times.astype(np.intp)]
    coefficients = coefficients / np.abs(coefficients).max()
    rates = tuple(float(np.expm1(root)) for root in _zeros(times - times[0], coefficients))
    return Irr(status=("none", "unique")[len(rates)] if len(rates) < 2 else "several", rates=rates)


def irr(cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the internal rate of return per period.

    Args:
        cashflows: Flows, shape `(..., n)`; the first is at time 0.

    Returns:
        A float, or an array of shape `(...)`. NaN where there is no rate, or more than
        one: `irr_report` says which.

    Raises:
        InvalidValueError: A flow is not finite.

    >>> round(irr([-100.0, 60.0, 60.0]), 9)
    0.130662386
    """
    flows = real_array(cashflows, "cashflows")
    rows = flows.reshape(-1, flows.shape[-1])
    rates = np.array([irr_report(row).rate for row in rows])
    return as_float(rates.reshape(flows.shape[:-1]))


def _zeros(times: FloatArray, coefficients: FloatArray) -> list[float]:
    """Find the x at which Σ c·exp(−t·x) changes its sign, in rising order."""
    changes = np.flatnonzero(np.signbit(coefficients[1:]) != np.signbit(coefficients[:-1]))
    if changes.size == 0:
        return []
    magnitude = np.abs(coefficients)
    low = -float(np.log1p(magnitude.max() / magnitude[-1]))
    high = float(np.log1p(magnitude.max() / magnitude[0]))
    if changes.size == 1:
        return [_solve(times, coefficients, low, high)]
    pivot = (times[changes[0]] + times[changes[0] + 1]) / 2
    turning = [point for point in _zeros(times, coefficients * (pivot - times)) if low < point < high]
    edges = [low, *turning, high]
    signs = [_sign(times, coefficients, edge) for edge in edges]
    return [
        _solve(times, coefficients, left, right)
        for left, right, before, after in zip(edges, edges[1:], signs, signs[1:], strict=False)
        if before * after < 0
    ]


def _terms(times: FloatArray, coefficients: FloatArray, x: float) -> FloatArray:
    """Give the terms at x, scaled by a positive factor so that none overflows."""
    reference = times[0] if x >= 0 else times[-1]
    return np.asarray(coefficients * np.exp(-(times - reference) * x))


def _sign(times: FloatArray, coefficients: FloatArray, x: float) -> float:
    return float(np.sign(_terms(times, coefficients, x).sum()))


def _solve(times: FloatArray, coefficients: FloatArray, low: float, high: float) -> float:
    """Find the only zero between two points of different sign.

    Newton's method on ln(Σ positive terms) − ln(Σ negative terms), which is nearly
    linear, with bisection where a step leaves the bracket.
    """
    positive = coefficients > 0
    at_low = _sign(times, coefficients, low)
    x = 0.0 if low < 0.0 < high else (low + high) / 2
    for _ in range(_NEWTON_STEPS):
        terms = np.abs(_terms(times, coefficients, x))
        gain, loss = terms[positive], terms[~positive]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.log(gain.sum()) - np.log(loss.sum())
            slope = (loss @ times[~positive]) / loss.sum() - (gain @ times[positive]) / gain.sum()
            step = x - value / slope
        if value == 0:
            return x
        if np.sign(value) == at_low:
            low = x
        else:
            high = x
        previous = x
        x = float(step) if low < step < high else (low + high) / 2
        if x in (previous, low, high) or abs(x - previous) <= 1e-16 * max(1.0, abs(x)):
            break
    return x


def payback(cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the time after which the cumulative flow has first reached zero.

    Within a period the flow is taken as even.

    Args:
        cashflows: Flows, shape `(..., n)`; the first is at time 0.

    Returns:
        Periods, a float or an array of shape `(...)`; NaN where it is never reached.

    >>> payback([-100.0, 40.0, 40.0, 40.0])
    2.5
    """
    flows = real_array(cashflows, "cashflows")
    cumulative = np.cumsum(flows, axis=-1)
    reached = cumulative >= 0
    first = np.argmax(reached, axis=-1)[..., None]
    after = np.take_along_axis(cumulative, first, axis=-1)
    flow = np.take_along_axis(flows, first, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        time = np.where(first == 0, 0.0, first - after / flow)
    return as_float(np.where(reached.any(axis=-1), time[..., 0], np.nan))


def discounted_payback(rate: npt.ArrayLike, cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the time after which the cumulative discounted flow has first reached zero.

    Args:
        rate: Effective rate per period, shape `(...)`.
        cashflows: Flows, shape `(..., n)`; the first is at time 0.

    Returns:
        Periods, a float or an array of shape `(...)`; NaN where it is never reached.
    """
    flows = real_array(cashflows, "cashflows")
    return payback(flows * discount_factors(rate, flows.shape[-1]))


def roi(cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the return on investment: the sum of all flows over the first outlay.

    Args:
        cashflows: Flows, shape `(..., n)`; the first is the outlay, negative.

    Returns:
        A ratio, a float or an array of shape `(...)`; NaN where nothing is laid out.
    """
    flows = real_array(cashflows, "cashflows")
    return _per_outlay(flows, np.asarray(npv(0.0, flows)))


def profitability_index(rate: npt.ArrayLike, cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the present value of what follows per unit of the first outlay.

    It is above 1 exactly where the net present value is above 0.

    Args:
        rate: Effective rate per period, shape `(...)`.
        cashflows: Flows, shape `(..., n)`; the first is the outlay, negative.

    Returns:
        A ratio, a float or an array of shape `(...)`; NaN where nothing is laid out.
    """
    flows = real_array(cashflows, "cashflows")
    return as_float(np.asarray(_per_outlay(flows, np.asarray(npv(rate, flows)))) + 1.0)


def _per_outlay(flows: FloatArray, value: FloatArray) -> float | FloatArray:
    outlay = -flows[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return as_float(np.where(outlay > 0, value / outlay, np.nan))
