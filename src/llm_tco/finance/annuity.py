"""Level payments and the time value of money.

Signs are Excel's: what you receive is positive, what you pay is negative, and

    pv·(1 + r)^n + pmt·due·((1 + r)^n − 1)/r + fv = 0

with due = (1 + r)^shift and shift 1 for payments at the beginning of a period, ½ in its
middle, 0 at its end. All formulas here are this one, solved for one of its terms (S. G.
Kellison, The Theory of Interest, 3rd edition 2009, chapters 3 and 5). They are written with
`expm1` and `log1p`, so that a rate of 0 is their limit and small rates lose no digit.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import FloatArray, Timing, check_rate, figure, real_array, shift_of, whole_array
from llm_tco.finance.returns import irr

When = Literal["begin", "end"]

_ROWS = 4096
"""Streams that are held in memory at once."""


def annuity_factor(rate: npt.ArrayLike, nper: npt.ArrayLike, when: Timing = "end") -> float | FloatArray:
    """Give the present value of 1 paid in every period.

    Args:
        rate: Effective rate per period, shape `(...)`.
        nper: Periods, at least 0, shape `(...)`.
        when: Whether payments fall at the beginning, middle or end of a period.

    Returns:
        `(1 - (1 + r) ** -n) / r × (1 + r) ** shift`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or fewer than 0 periods.
        OverflowedError: The value left the range of finite numbers.

    >>> round(annuity_factor(0.1, 2), 6)
    1.735537
    """
    r, n = check_rate(rate), periods_array(nper)
    with np.errstate(all="ignore"):
        return figure(_present_factor(r, n) * _due(r, when), "annuity factor")


def pv(
    rate: npt.ArrayLike, nper: npt.ArrayLike, pmt: npt.ArrayLike, fv: npt.ArrayLike = 0.0, when: Timing = "end"
) -> float | FloatArray:
    """Give the present value of level payments and a last one.

    Args:
        rate: Effective rate per period, shape `(...)`.
        nper: Periods, at least 0, shape `(...)`.
        pmt: Payment of each period, shape `(...)`. [currency]
        fv: Further payment at the end, shape `(...)`. [currency]
        when: Whether payments fall at the beginning, middle or end of a period.

    Returns:
        `-(fv × (1 + r) ** -n + pmt × annuity factor)`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or fewer than 0 periods.
        OverflowedError: The value left the range of finite numbers.

    >>> round(pv(0.1, 2, -60.0), 6)
    104.132231
    """
    r, n = check_rate(rate), periods_array(nper)
    payment, last = real_array(pmt, "pmt"), real_array(fv, "fv")
    with np.errstate(all="ignore"):
        value = -(last * np.exp(-n * np.log1p(r)) + payment * _due(r, when) * _present_factor(r, n))
        return figure(value, "present value")


def fv(
    rate: npt.ArrayLike, nper: npt.ArrayLike, pmt: npt.ArrayLike, pv: npt.ArrayLike = 0.0, when: Timing = "end"
) -> float | FloatArray:
    """Give the future value of an amount and of level payments.

    Args:
        rate: Effective rate per period, shape `(...)`.
        nper: Periods, at least 0, shape `(...)`.
        pmt: Payment of each period, shape `(...)`. [currency]
        pv: Amount at the start, shape `(...)`. [currency]
        when: Whether payments fall at the beginning, middle or end of a period.

    Returns:
        `-(pv × (1 + r) ** n + pmt × due × ((1 + r) ** n - 1) / r)`, a float or an array of
        shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or fewer than 0 periods.
        OverflowedError: The value left the range of finite numbers.

    >>> round(fv(0.1, 2, -60.0), 6)
    126.0
    """
    r, n = check_rate(rate), periods_array(nper)
    payment, first = real_array(pmt, "pmt"), real_array(pv, "pv")
    with np.errstate(all="ignore"):
        growth = n * np.log1p(r)
        factor = np.where(r == 0, n, np.expm1(growth) / r)
        return figure(-(first * np.exp(growth) + payment * _due(r, when) * factor), "future value")


def pmt(
    rate: npt.ArrayLike, nper: npt.ArrayLike, pv: npt.ArrayLike, fv: npt.ArrayLike = 0.0, when: Timing = "end"
) -> float | FloatArray:
    """Give the level payment of a loan or a savings plan.

    Args:
        rate: Effective rate per period, shape `(...)`.
        nper: Periods, above 0, shape `(...)`.
        pv: Amount at the start, a loan is positive, shape `(...)`. [currency]
        fv: Amount at the end, shape `(...)`. [currency]
        when: Whether payments fall at the beginning, middle or end of a period.

    Returns:
        A float or an array of shape `(...)`, negative for a loan. [currency]

    Raises:
        InvalidValueError: A rate of −100 % or less, or no period.
        OverflowedError: The value left the range of finite numbers.

    >>> round(pmt(0.1, 2, 100.0), 6)
    -57.619048
    """
    r, n = check_rate(rate), periods_array(nper, above=True)
    with np.errstate(all="ignore"):
        return figure(level_payment(r, n, real_array(pv, "pv"), real_array(fv, "fv"), when), "payment")


def nper(
    rate: npt.ArrayLike, pmt: npt.ArrayLike, pv: npt.ArrayLike, fv: npt.ArrayLike = 0.0, when: Timing = "end"
) -> float | FloatArray:
    """Give the number of payments that takes a balance from `pv` to `fv`.

    numpy-financial 1.0 has a sign error at a rate of 0 with an `fv`. A balance that is never
    reached is an error, as it is `#NUM!` in Excel; numpy-financial gives NaN or infinity.

    Args:
        rate: Effective rate per period, shape `(...)`.
        pmt: Payment of each period, shape `(...)`. [currency]
        pv: Amount at the start, shape `(...)`. [currency]
        fv: Amount at the end, shape `(...)`. [currency]
        when: Whether payments fall at the beginning, middle or end of a period.

    Returns:
        `ln((pmt·due − fv·r) / (pmt·due + pv·r)) / ln(1 + r)`, a float or an array of shape
        `(...)`; it need not be whole, and is negative where the balance was passed before.

    Raises:
        InvalidValueError: A rate of −100 % or less, or a balance that is never reached.

    >>> round(nper(0.1, -60.0, 104.13223140495868), 6)
    2.0
    """
    r, payment = check_rate(rate), real_array(pmt, "pmt")
    first, last = real_array(pv, "pv"), real_array(fv, "fv")
    with np.errstate(all="ignore"):
        paid = payment * _due(r, when)
        ratio = (first + last) * r / (paid + first * r)
        # Of two forms of ln((paid − fv·r) / (paid + pv·r)), each loses its digits where the other has them.
        growth = np.where(np.abs(ratio) < 0.5, np.log1p(-ratio), np.log((paid - last * r) / (paid + first * r)))
        value = np.where(r == 0, -(first + last) / payment, growth / np.log1p(r))
    if not np.isfinite(value).all():
        raise InvalidValueError("pmt", "never takes the balance from pv to fv at this rate; pay more or lower the rate")
    return figure(value, "number of payments")


def rate(
    nper: npt.ArrayLike,
    pmt: npt.ArrayLike,
    pv: npt.ArrayLike,
    fv: npt.ArrayLike = 0.0,
    when: When = "end",
    guess: float | None = None,
) -> float | FloatArray:
    """Give the rate per period of a loan or a savings plan: the internal rate of its flows.

    Excel and numpy-financial iterate from a guess and may miss the rate or find another one;
    they also take a fraction of a period.

    Args:
        nper: Payments, whole, shape `(...)`.
        pmt: Payment of each period, shape `(...)`. [currency]
        pv: Amount at the start, shape `(...)`. [currency]
        fv: Amount at the end, shape `(...)`. [currency]
        when: Whether payments fall at the beginning or end of a period.
        guess: Take the rate nearest to this one where there are several.

    Returns:
        A float or an array of shape `(...)`; NaN where there is no rate, or more than one and
        no guess.

    Raises:
        InvalidValueError: Not a whole number of periods, or an amount that is not finite.
        OverflowedError: A rate left the range of finite numbers.

    >>> round(rate(2, -60.0, 104.13223140495868), 6)
    0.1
    """
    given = (whole_array(nper, "nper"), real_array(pmt, "pmt"), real_array(pv, "pv"), real_array(fv, "fv"))
    sizes, payment, first, last = np.broadcast_arrays(*given)
    begin = 1 - int(whole_shift(when))
    found = np.empty(sizes.size)
    for size in np.unique(sizes):
        where = np.flatnonzero(sizes.ravel() == size)
        for place in range(0, where.size, _ROWS):
            rows = where[place : place + _ROWS]
            flows = np.zeros((rows.size, int(size) + 1))
            flows[:, 0] = first.ravel()[rows]
            flows[:, begin : begin + int(size)] += payment.ravel()[rows, None]
            flows[:, -1] += last.ravel()[rows]
            found[rows] = irr(flows, guess=guess)
    return float(found[0]) if sizes.ndim == 0 else found.reshape(sizes.shape)


def periods_array(nper: npt.ArrayLike, *, above: bool = False) -> FloatArray:
    """Convert numbers of periods and refuse those below 0, or at 0 where one is needed."""
    n = real_array(nper, "nper")
    if (n <= 0 if above else n < 0).any():
        raise InvalidValueError("nper", f"must be {'above' if above else 'at least'} 0, got {n.min():g}")
    return n


def whole_shift(when: str) -> float:
    """Give 1 for payments at the beginning of a period and 0 at its end; refuse the middle."""
    if when not in ("begin", "end"):
        raise InvalidValueError("when", f"must be 'begin' or 'end', got {when!r}")
    return shift_of(when, "when")


def _due(r: FloatArray, when: str) -> FloatArray:
    return np.asarray((1.0 + r) ** shift_of(when, "when"))


def _present_factor(r: FloatArray, n: FloatArray) -> FloatArray:
    return np.where(r == 0, n, -np.expm1(-n * np.log1p(r)) / r)


def decay_factors(r: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give exp(−n·|s|) and (1 − exp(−n·|s|))/|r| with s = ln(1 + r): neither overflows."""
    exponent = -n * np.abs(np.log1p(r))
    return np.exp(exponent), np.where(r == 0, n, -np.expm1(exponent) / np.abs(r))


def level_payment(r: FloatArray, n: FloatArray, first: FloatArray, last: FloatArray, when: str) -> FloatArray:
    """Solve the equation above for the payment; arguments have been checked."""
    decay, factor = decay_factors(r, n)
    owed = np.where(r < 0, first * decay + last, first + last * decay)
    return np.asarray(-owed / (factor * _due(r, when)))
