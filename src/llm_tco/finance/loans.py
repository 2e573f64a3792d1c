"""Loans: the interest and the principal in each payment.

Signs are Excel's: a loan that you take is positive, what you pay for it is negative. The
principal in the payments grows by the rate from payment to payment, so that sums of it are
geometric (S. G. Kellison, The Theory of Interest, 3rd edition 2009, section 5.3).
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError
from llm_tco.finance.annuity import When, decay_factors, level_payment, periods_array, whole_shift
from llm_tco.finance.discounting import FloatArray, check_rate, figure, real_array, whole_array, whole_number


def ppmt(
    rate: npt.ArrayLike,
    per: npt.ArrayLike,
    nper: npt.ArrayLike,
    pv: npt.ArrayLike,
    fv: npt.ArrayLike = 0.0,
    when: When = "end",
) -> float | FloatArray:
    """Give the principal in one payment of a loan.

    With payments at the beginning the first one is all principal, as in Excel; pyxirr 0.10
    takes interest out of it. A period outside the loan is an error, where numpy-financial
    gives NaN.

    Args:
        rate: Effective rate per period, shape `(...)`.
        per: Which payment, 1 to `nper`, shape `(...)`.
        nper: Payments, whole, shape `(...)`.
        pv: Amount at the start, a loan is positive, shape `(...)`. [currency]
        fv: Amount at the end, shape `(...)`. [currency]
        when: Whether payments fall at the beginning or end of a period.

    Returns:
        `-(pv + fv) × (1 + r) ** (per - 1) × r / ((1 + r) ** n - 1)` for payments at the end;
        principal grows by the rate from payment to payment. A float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or a payment that is not one of the loan's.
        OverflowedError: The value left the range of finite numbers.

    >>> round(ppmt(0.1, 1, 2, 100.0), 6)
    -47.619048
    """
    return figure(_split(rate, per, nper, pv, fv, when)[1], "principal")


def ipmt(
    rate: npt.ArrayLike,
    per: npt.ArrayLike,
    nper: npt.ArrayLike,
    pv: npt.ArrayLike,
    fv: npt.ArrayLike = 0.0,
    when: When = "end",
) -> float | FloatArray:
    """Give the interest in one payment of a loan.

    Args:
        rate: Effective rate per period, shape `(...)`.
        per: Which payment, 1 to `nper`, shape `(...)`.
        nper: Payments, whole, shape `(...)`.
        pv: Amount at the start, a loan is positive, shape `(...)`. [currency]
        fv: Amount at the end, shape `(...)`. [currency]
        when: Whether payments fall at the beginning or end of a period.

    Returns:
        Rate times the balance before the payment, negative for a loan; 0 for the first
        payment at the beginning. A float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or a payment that is not one of the loan's.
        OverflowedError: The value left the range of finite numbers.

    >>> round(ipmt(0.1, 1, 2, 100.0), 6)
    -10.0
    """
    return figure(_split(rate, per, nper, pv, fv, when)[0], "interest")


def cumprinc(
    rate: npt.ArrayLike,
    nper: npt.ArrayLike,
    pv: npt.ArrayLike,
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    when: When = "end",
) -> float | FloatArray:
    """Give the principal in a run of payments of a loan that ends at 0.

    Excel refuses rates of 0 and less; here they work. pyxirr 0.10 is wrong for payments at
    the beginning, see `ppmt`.

    Args:
        rate: Effective rate per period, shape `(...)`.
        nper: Payments, whole, shape `(...)`.
        pv: The loan, shape `(...)`. [currency]
        start: First payment of the run, from 1, shape `(...)`.
        end: Last payment of the run, at most `nper`, shape `(...)`.
        when: Whether payments fall at the beginning or end of a period.

    Returns:
        The sum of `ppmt` in closed form, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or payments that are not the loan's.
        OverflowedError: The value left the range of finite numbers.

    >>> round(cumprinc(0.1, 2, 100.0, 1, 2), 6)
    -100.0
    """
    return figure(_run(rate, nper, pv, start, end, when)[1], "principal")


def cumipmt(
    rate: npt.ArrayLike,
    nper: npt.ArrayLike,
    pv: npt.ArrayLike,
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    when: When = "end",
) -> float | FloatArray:
    """Give the interest in a run of payments of a loan that ends at 0.

    Args:
        rate: Effective rate per period, shape `(...)`.
        nper: Payments, whole, shape `(...)`.
        pv: The loan, shape `(...)`. [currency]
        start: First payment of the run, from 1, shape `(...)`.
        end: Last payment of the run, at most `nper`, shape `(...)`.
        when: Whether payments fall at the beginning or end of a period.

    Returns:
        The sum of `ipmt`, payments less principal, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or payments that are not the loan's.
        OverflowedError: The value left the range of finite numbers.

    >>> round(cumipmt(0.1, 2, 100.0, 1, 2), 6)
    -15.238095
    """
    return figure(_run(rate, nper, pv, start, end, when)[0], "interest")


def ispmt(rate: npt.ArrayLike, per: npt.ArrayLike, nper: npt.ArrayLike, pv: npt.ArrayLike) -> float | FloatArray:
    """Give the interest of one period of a loan with equal principal.

    Periods count from 0, as in Excel, unlike those of `ipmt`.

    Args:
        rate: Effective rate per period, shape `(...)`.
        per: Which period, from 0 to `nper`, shape `(...)`.
        nper: Periods, above 0, shape `(...)`.
        pv: The loan, shape `(...)`. [currency]

    Returns:
        `-pv × rate × (1 - per / nper)`, a float or an array of shape `(...)`. [currency]

    Raises:
        InvalidValueError: A rate of −100 % or less, or a period outside the loan.
        OverflowedError: The value left the range of finite numbers.

    >>> ispmt(0.1, 1, 4, 4000.0)
    -300.0
    """
    r, n, k = check_rate(rate), periods_array(nper, above=True), real_array(per, "per")
    if (k < 0).any() or (k > n).any():
        raise InvalidValueError(
            "per", f"must be from 0 to nper ({n.min():g}), got {k.max() if k.min() >= 0 else k.min():g}"
        )
    with np.errstate(all="ignore"):
        return figure(-real_array(pv, "pv") * r * (1 - k / n), "interest")


@attrs.frozen(kw_only=True, eq=False)
class LoanSchedule:
    """What a loan costs, payment by payment. Signs are Excel's: what is paid is negative.

    Attributes:
        payment: Interest and principal together, shape `(..., nper)`. [currency]
        interest: Shape `(..., nper)`. [currency]
        principal: Shape `(..., nper)`. [currency]
        balance: What is owed after each payment, shape `(..., nper)`. [currency]
    """

    payment: FloatArray
    interest: FloatArray
    principal: FloatArray
    balance: FloatArray


def loan_schedule(
    rate: npt.ArrayLike, nper: int, pv: npt.ArrayLike, fv: npt.ArrayLike = 0.0, when: When = "end"
) -> LoanSchedule:
    """Give every payment of a loan.

    Args:
        rate: Effective rate per period, shape `(...)`.
        nper: Payments, a single whole number.
        pv: The loan, shape `(...)`. [currency]
        fv: What is left to pay at the end, negative, shape `(...)`. [currency]
        when: Whether payments fall at the beginning or end of a period.

    Returns:
        Payments, interest, principal and balances; the last balance is `-fv`, or with payments
        at the beginning what becomes of `-fv` a period earlier, `-fv / (1 + rate)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or no payment.
        OverflowedError: A value left the range of finite numbers.

    >>> loan_schedule(0.1, 2, 100.0).balance.round(6).tolist()
    [52.380952, 0.0]
    """
    n = whole_number(nper, "nper")
    r, first, last = (
        np.asarray(part)[..., None] for part in (check_rate(rate), real_array(pv, "pv"), real_array(fv, "fv"))
    )
    interest, principal = _split(r, np.arange(1, n + 1), n, first, last, when)
    with np.errstate(all="ignore"):
        balance = first + np.cumsum(principal, axis=-1)
        if whole_shift(when) == 0:
            balance[..., -1] = -last[..., 0]
        parts = np.broadcast_arrays(interest + principal, interest, principal, balance)
    paid, interest, principal, balance = (np.asarray(figure(part, "loan schedule")) for part in parts)
    return LoanSchedule(payment=paid, interest=interest, principal=principal, balance=balance)


def _split(
    rate: npt.ArrayLike, per: npt.ArrayLike, nper: npt.ArrayLike, pv: npt.ArrayLike, fv: npt.ArrayLike, when: str
) -> tuple[FloatArray, FloatArray]:
    """Give interest and principal of one payment."""
    r, k, n = check_rate(rate), whole_array(per, "per"), whole_array(nper, "nper").astype(np.float64)
    if (k > n).any():
        raise InvalidValueError("per", f"must be at most nper ({n.min():g}), got {k.max()}")
    first, last = real_array(pv, "pv"), real_array(fv, "fv")
    begin = whole_shift(when)
    with np.errstate(all="ignore"):
        s = np.log1p(r)
        payment = level_payment(r, n, first, last, "end")
        exponent = np.where(r < 0, k - 1, k - 1 - n) * s
        principal = -(first + last) * np.exp(exponent) / decay_factors(r, n)[1]
        left = -(n - k + 1) * s
        ahead = payment * -np.expm1(left) + last * r * np.exp(left)
        behind = -(first * r * np.exp((k - 1) * s) + payment * np.expm1((k - 1) * s))
        interest = np.where(r < 0, behind, ahead)
        if begin:
            interest = np.where(k == 1, 0.0, interest / (1 + r))
            principal = np.where(k == 1, payment, principal) / (1 + r)
    return interest, principal


def _run(
    rate: npt.ArrayLike, nper: npt.ArrayLike, pv: npt.ArrayLike, start: npt.ArrayLike, end: npt.ArrayLike, when: str
) -> tuple[FloatArray, FloatArray]:
    """Give interest and principal of a run of payments."""
    r, n, loan = check_rate(rate), whole_array(nper, "nper").astype(np.float64), real_array(pv, "pv")
    a, b = whole_array(start, "start"), whole_array(end, "end")
    if (a > b).any():
        raise InvalidValueError("start", f"must be at most end ({b.min()}), got {a.max()}")
    if (b > n).any():
        raise InvalidValueError("end", f"must be at most nper ({n.min():g}), got {b.max()}")
    begin = int(whole_shift(when))
    with np.errstate(all="ignore"):
        s = np.log1p(r)
        payment = level_payment(r, n, loan, np.zeros(()), when)
        # The payments at the beginning, but for the first, repay what those at the end do one period before.
        before, until = np.maximum(a - 1 - begin, 0), b - begin
        exponent = np.where(r < 0, before, until - n) * s
        share = np.where(r == 0, (until - before) / n, np.exp(exponent) * np.expm1(-(until - before) * np.abs(s)))
        share = np.where(r == 0, share, share / np.expm1(-n * np.abs(s)))
        principal = -loan * share + np.where((a == 1) & (begin == 1), payment, 0.0)
        interest = np.where(r == 0, 0.0, (b - a + 1) * payment - principal)
    return interest, principal
