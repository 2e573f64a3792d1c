"""What an investment returns: internal rates, payback, return on investment.

A cash flow is positive when it comes in. The last axis is time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError, OverflowedError
from llm_tco.finance._roots import Choice, roots, solve
from llm_tco.finance.discounting import (
    FloatArray,
    as_float,
    check_rate,
    discount_factors,
    npv,
    over_time,
    stream_array,
)

_LARGEST = 709.78
"""ln of the largest rate that a float holds."""


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
    zeros is at most the number of sign changes of its coefficients. One sign change has
    one zero, that of ln PV(inflows) − ln PV(outflows), which falls strictly. With more,
    the sum is multiplied by exp(τx), with τ between two flows of different sign, and
    differentiated: it loses one sign change, and between two zeros of that derivative it
    is monotone and has at most one zero. Repeated, this isolates every zero (Descartes'
    rule of signs as proved by Rolle's theorem; G. Pólya and G. Szegő, Problems and
    Theorems in Analysis II, part V, chapter 1).

    Args:
        cashflows: Flows of one stream, shape `(n,)`.

    Raises:
        InvalidValueError: A flow is not finite, or the array is not one stream.
        OverflowedError: A rate left the range of finite numbers.

    >>> [round(rate, 9) for rate in irr_report([-100.0, 230.0, -132.0]).rates]
    [0.1, 0.2]
    """
    flows = stream_array(cashflows)
    if flows.ndim != 1:
        raise InvalidValueError("cashflows", f"must be one stream, got an array of shape {flows.shape}")
    rates = tuple(_rate(x) for x in roots(flows))
    return Irr(status=("none", "unique")[len(rates)] if len(rates) < 2 else "several", rates=rates)


def irr(cashflows: npt.ArrayLike, guess: float | None = None) -> float | FloatArray:
    """Give the internal rate of return per period.

    Excel, numpy-financial and pyxirr return one root of several, each by a rule of its own;
    here it is NaN unless `guess` says which one is meant. Rates depend neither on the size of
    the flows nor on zeros before and after them.

    Streams with one sign change are solved together, about a million streams of 60 flows a
    second and core; others one by one.

    Args:
        cashflows: Flows, shape `(..., n)`; the first is at time 0.
        guess: Take the rate nearest to this one where there are several.

    Returns:
        A float, or an array of shape `(...)`. NaN where there is no rate, or more than
        one and no guess: `irr_report` says which, `irr_all` gives them all.

    Raises:
        InvalidValueError: A flow is not finite, or the guess no single rate above −100 %.
        OverflowedError: A rate left the range of finite numbers.

    >>> round(irr([-100.0, 60.0, 60.0]), 9)
    0.130662386
    >>> irr([-100.0, 230.0, -132.0])
    nan
    >>> round(irr([-100.0, 230.0, -132.0], guess=0.25), 9)
    0.2
    """
    flows = stream_array(cashflows)
    choose = nearest(guess)
    if flows.ndim == 1:
        return _rate(choose(roots(flows)))
    return _rates(solve(flows.reshape(-1, flows.shape[-1]), choose)).reshape(flows.shape[:-1])


def irr_all(cashflows: npt.ArrayLike) -> FloatArray:
    """Give every internal rate of return above −100 %, in rising order.

    Args:
        cashflows: Flows, shape `(..., n)`; the first is at time 0.

    Returns:
        Shape `(..., k)` with k the most rates that a stream has; rows with fewer end in NaN.

    Raises:
        InvalidValueError: A flow is not finite.
        OverflowedError: A rate left the range of finite numbers.

    >>> irr_all([-100.0, 230.0, -132.0]).round(9).tolist()
    [0.1, 0.2]
    """
    flows = stream_array(cashflows)
    found = [roots(row) for row in flows.reshape(-1, flows.shape[-1])]
    most = max(map(len, found), default=0)
    table = np.array([row + [np.nan] * (most - len(row)) for row in found]).reshape(*flows.shape[:-1], most)
    return _rates(table)


def nearest(guess: float | None, periods: float = 1.0) -> Choice:
    """Make a choice among roots x: the only one, or the one whose rate is nearest to a guess."""
    if guess is None:
        return lambda found: found[0] if len(found) == 1 else np.nan
    rate = check_rate(guess, "guess")
    if rate.ndim:
        raise InvalidValueError("guess", f"must be a single rate, got an array of shape {rate.shape}")
    wanted = float(rate)

    def choose(found: Sequence[float]) -> float:
        return min(found, key=lambda x: abs(np.expm1(min(x * periods, 700.0)) - wanted), default=np.nan)

    return choose


def _rate(x: float) -> float:
    """Turn ln(1 + r) into r; `numpy` does it, so that a batch has the same bits."""
    if x > _LARGEST:
        raise OverflowedError("a rate of return is too large for a float; look for flows that should not be so small")
    return float(np.expm1(x)) + 0.0


def _rates(x: FloatArray) -> FloatArray:
    """Do what `_rate` does for many."""
    if (x > _LARGEST).any():
        _rate(np.inf)
    return np.asarray(np.expm1(x)) + 0.0


def mirr(cashflows: npt.ArrayLike, finance_rate: npt.ArrayLike, reinvest_rate: npt.ArrayLike) -> float | FloatArray:
    """Give the modified internal rate of return per period.

    Outflows are financed at one rate, inflows reinvested at another to the last period
    (S. Y. Lin, The Modified Internal Rate of Return and Investment Criterion, The
    Engineering Economist 21, 1976). The number of periods is that of the array: zeros at
    its ends count, as in Excel.

    Args:
        cashflows: Flows, shape `(..., n)`; the first is at time 0.
        finance_rate: Rate paid on outflows, shape `(...)`. [1/period]
        reinvest_rate: Rate earned on inflows, shape `(...)`. [1/period]

    Returns:
        `(FV(inflows) / -PV(outflows)) ** (1 / (n - 1)) - 1`, a float or an array of shape
        `(...)`; NaN where nothing goes out, nothing comes in or there is one period only.

    Raises:
        InvalidValueError: A rate of −100 % or less, or a value that is not finite.
        OverflowedError: A value left the range of finite numbers.

    >>> round(mirr([-100.0, 50.0, -60.0, 70.0], 0.1, 0.12), 9)
    -0.039093666
    """
    flows = stream_array(cashflows)
    size = flows.shape[-1]
    growth = np.log1p(check_rate(reinvest_rate, "reinvest_rate"))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gained = over_time(np.maximum(flows, 0.0), discount_factors(reinvest_rate, size))
        spent = over_time(np.maximum(-flows, 0.0), discount_factors(check_rate(finance_rate, "finance_rate"), size))
        ratio = np.where((gained > 0) & (spent > 0) & (size > 1), gained / spent, np.nan)
        rates = np.expm1(np.log(ratio) / max(size - 1, 1) + growth)
    if np.isinf(gained).any() or np.isinf(spent).any() or np.isinf(rates).any():
        raise OverflowedError("the modified rate is too large for a float; state the flows in larger units")
    return as_float(rates)


def payback(cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the time after which the cumulative flow has first reached zero.

    Within a period the flow is taken as even. Zeros before the first flow pay nothing back.

    Args:
        cashflows: Flows, shape `(..., n)`; the first is at time 0.

    Returns:
        Periods from time 0, a float or an array of shape `(...)`; NaN where it is never
        reached, 0 where there is nothing to pay back.

    Raises:
        InvalidValueError: A flow is not finite, or there is no flow.

    >>> payback([-100.0, 40.0, 40.0, 40.0])
    2.5
    """
    flows = stream_array(cashflows)
    cumulative = np.cumsum(flows, axis=-1)
    begun = np.logical_or.accumulate(flows != 0, axis=-1)
    reached = (cumulative >= 0) & (begun | ~begun[..., -1:])
    first = np.argmax(reached, axis=-1)[..., None]
    after = np.take_along_axis(cumulative, first, axis=-1)
    flow = np.take_along_axis(flows, first, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        time = np.where((first == 0) | (flow == after), first, first - after / flow)
    return as_float(np.where(reached.any(axis=-1), time[..., 0], np.nan))


def discounted_payback(rate: npt.ArrayLike, cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the time after which the cumulative discounted flow has first reached zero.

    Args:
        rate: Effective rate per period, shape `(...)`.
        cashflows: Flows, shape `(..., n)`; the first is at time 0.

    Returns:
        Periods, a float or an array of shape `(...)`; NaN where it is never reached.
    """
    flows = stream_array(cashflows)
    return payback(flows * discount_factors(rate, flows.shape[-1]))


def roi(cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the return on investment: the sum of all flows over the first outlay.

    Args:
        cashflows: Flows, shape `(..., n)`; the first is the outlay, negative.

    Returns:
        A ratio, a float or an array of shape `(...)`; NaN where nothing is laid out.
    """
    flows = stream_array(cashflows)
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
    flows = stream_array(cashflows)
    return as_float(np.asarray(_per_outlay(flows, np.asarray(npv(rate, flows)))) + 1.0)


def _per_outlay(flows: FloatArray, value: FloatArray) -> float | FloatArray:
    outlay = -flows[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return as_float(np.where(outlay > 0, value / outlay, np.nan))
