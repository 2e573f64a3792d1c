"""Figures for choosing among projects: annual equivalents, leases, taxes, replacement.

Costs are positive here unless a function says otherwise. The last axis is time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError
from llm_tco.finance.annuity import annuity_factor
from llm_tco.finance.discounting import (
    FloatArray,
    Timing,
    discount_factors,
    figure,
    npv,
    over_time,
    real_array,
    stream_array,
)


def equivalent_annual_cost(rate: npt.ArrayLike, cashflows: npt.ArrayLike) -> float | FloatArray:
    """Give the level amount per period that is worth as much as a stream.

    Streams of different length can be compared by it, where each can be repeated (R. Brealey,
    S. Myers and F. Allen, Principles of Corporate Finance, chapter 6).

    Args:
        rate: Effective rate per period, shape `(...)`.
        cashflows: Costs or flows of a life of n periods, the first at time 0, shape `(..., n + 1)`.

    Returns:
        `npv / annuity factor of n periods`, of the sign of the flows, a float or an array of
        shape `(...)`. [currency/period]

    Raises:
        InvalidValueError: A rate of −100 % or less, or no period.
        OverflowedError: The value left the range of finite numbers.

    >>> round(equivalent_annual_cost(0.06, [15.0, 5.0, 5.0, 5.0]), 2)
    10.61
    """
    flows = stream_array(cashflows)
    if flows.shape[-1] == 1:
        raise InvalidValueError("cashflows", "must cover at least one period: a flow at time 0 and one at time 1")
    factor = np.asarray(annuity_factor(rate, flows.shape[-1] - 1))
    return figure(np.asarray(npv(rate, flows)) / factor, "equivalent annual cost")


def levelised_cost(rate: npt.ArrayLike, costs: npt.ArrayLike, output: npt.ArrayLike) -> float | FloatArray:
    """Give the constant price per unit of output that covers all costs.

    Present value of costs over present value of output (W. Short, D. Packey and T. Holt, A
    Manual for the Economic Evaluation of Energy Efficiency and Renewable Energy Technologies,
    NREL 1995, section on levelized cost, https://www.nrel.gov/docs/legosti/old/5173.pdf).

    Args:
        rate: Effective rate per period, shape `(...)`.
        costs: Costs, the first at time 0, shape `(..., n)`. [currency]
        output: Output of the same times, at least 0 and not all 0, shape `(..., n)`. [unit]

    Returns:
        A float or an array of shape `(...)`. [currency/unit]

    Raises:
        InvalidValueError: A rate of −100 % or less, no output, or output of other times than the costs.
        OverflowedError: The value left the range of finite numbers.

    >>> round(levelised_cost(0.1, [100.0, 10.0], [0.0, 200.0]), 6)
    0.6
    """
    units, spent = stream_array(output, "output"), stream_array(costs, "costs")
    if units.shape[-1] != spent.shape[-1]:
        raise InvalidValueError(
            "output", f"must have as many times as costs ({spent.shape[-1]}), got {units.shape[-1]}"
        )
    if (units < 0).any() or not (units > 0).any(axis=-1).all():
        raise InvalidValueError("output", "must be at least 0 and not 0 at all times")
    with np.errstate(divide="ignore", invalid="ignore"):
        return figure(np.asarray(npv(rate, spent)) / np.asarray(npv(rate, units)), "levelised cost")


def net_advantage_of_leasing(rate: npt.ArrayLike, buying: npt.ArrayLike, leasing: npt.ArrayLike) -> float | FloatArray:
    """Give by how much leasing is cheaper than buying, at present value.

    Both streams are what is paid, after tax where tax matters, see `after_tax_cost`; the rate
    is then that of borrowing after tax (S. Myers, D. Dill and A. Bautista, Valuation of
    Financial Lease Contracts, Journal of Finance 31, 1976).

    Args:
        rate: Effective rate per period, shape `(...)`.
        buying: Costs of buying, salvage negative, the first at time 0, shape `(..., n)`. [currency]
        leasing: Costs of leasing, shape `(..., m)`. [currency]

    Returns:
        Above 0 where leasing is cheaper, a float or an array of shape `(...)`. [currency]

    Raises:
        InvalidValueError: A rate of −100 % or less, or a value that is not finite.
        OverflowedError: The value left the range of finite numbers.

    >>> round(net_advantage_of_leasing(0.1, [100.0, 0.0, 0.0], [50.0, 50.0, 0.0]), 6)
    4.545455
    """
    bought = npv(rate, stream_array(buying, "buying"))
    return figure(np.asarray(bought) - np.asarray(npv(rate, stream_array(leasing, "leasing"))), "advantage of leasing")


def after_tax_cost(costs: npt.ArrayLike, tax_rate: npt.ArrayLike, depreciation: npt.ArrayLike = 0.0) -> FloatArray:
    """Take the tax that they save off costs.

    Args:
        costs: Costs that can be deducted at once, shape `(..., n)`. [currency]
        tax_rate: Marginal rate of tax, from 0 to 1, shape `(...)`.
        depreciation: Depreciation at the same times, shape `(..., n)`. [currency]

    Returns:
        `costs × (1 - tax_rate) - depreciation × tax_rate`, shape `(..., n)`. [currency]

    Raises:
        InvalidValueError: A rate of tax outside 0 to 1, or a value that is not finite.
    """
    tax = _tax(tax_rate)[..., None]
    return np.asarray(stream_array(costs, "costs") * (1 - tax) - real_array(depreciation, "depreciation") * tax) + 0.0


def depreciation_tax_shield(
    rate: npt.ArrayLike, depreciation: npt.ArrayLike, tax_rate: npt.ArrayLike, timing: Timing = "end"
) -> float | FloatArray:
    """Give the present value of the tax that depreciation saves.

    Args:
        rate: Effective rate per period, shape `(...)`.
        depreciation: Depreciation of each period from the first on, shape `(..., n)`. [currency]
        tax_rate: Marginal rate of tax, from 0 to 1, shape `(...)`.
        timing: Where in its period the tax is saved.

    Returns:
        `Σ tax_rate × depreciation × (1 + rate) ** -k`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A rate of −100 % or less, or a rate of tax outside 0 to 1.
        OverflowedError: The value left the range of finite numbers.

    >>> round(depreciation_tax_shield(0.1, [50.0, 50.0], 0.25), 6)
    21.694215
    """
    parts = stream_array(depreciation, "depreciation")
    with np.errstate(over="ignore", invalid="ignore"):
        value = over_time(parts, discount_factors(rate, parts.shape[-1] + 1, timing)[..., 1:])
        return figure(value * _tax(tax_rate), "tax shield")


def sale_tax(proceeds: npt.ArrayLike, book_value: npt.ArrayLike, tax_rate: npt.ArrayLike) -> float | FloatArray:
    """Give the tax on selling an asset above or below its book value.

    Args:
        proceeds: What it is sold for, shape `(...)`. [currency]
        book_value: What it is worth in the books, shape `(...)`. [currency]
        tax_rate: Marginal rate of tax, from 0 to 1, shape `(...)`.

    Returns:
        `(proceeds - book_value) × tax_rate`, negative for a loss, a float or an array of shape
        `(...)`. [currency]

    Raises:
        InvalidValueError: A rate of tax outside 0 to 1, or a value that is not finite.

    >>> sale_tax(120.0, 100.0, 0.25)
    5.0
    """
    gain = real_array(proceeds, "proceeds") - real_array(book_value, "book_value")
    return figure(gain * _tax(tax_rate), "tax on a sale")


def purchases(horizon: npt.ArrayLike, life: npt.ArrayLike) -> float | FloatArray:
    """Give how often an asset is bought so that one is in use over a whole horizon.

    Args:
        horizon: Periods, at least 0, shape `(...)`.
        life: Periods that one lasts, above 0, shape `(...)`.

    Returns:
        `⌈horizon / life⌉`, a float or an array of shape `(...)`.

    Raises:
        InvalidValueError: A horizon below 0 or no life.

    >>> purchases(60, 36)
    2.0
    """
    return figure(np.ceil(_lives(horizon, life)), "number of purchases")


def residual_value(
    cost: npt.ArrayLike, salvage: npt.ArrayLike, life: npt.ArrayLike, horizon: npt.ArrayLike
) -> float | FloatArray:
    """Give what the last asset bought is worth at the horizon, on the straight line.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of its life, shape `(...)`. [currency]
        life: Periods that one lasts, above 0, shape `(...)`.
        horizon: Periods, at least 0, shape `(...)`.

    Returns:
        Between salvage and cost, a float or an array of shape `(...)`. [currency]

    Raises:
        InvalidValueError: A horizon below 0, no life, or salvage above the cost.

    >>> round(residual_value(1_000.0, 100.0, 36, 60), 6)
    400.0
    """
    value, rest = real_array(cost, "cost"), real_array(salvage, "salvage")
    if (rest > value).any():
        raise InvalidValueError("salvage", "must be at most the cost")
    lives = _lives(horizon, life)
    unused = np.ceil(lives) - lives
    left = rest + (value - rest) * unused
    return figure(np.where(lives == 0, value, np.clip(left, rest, value)), "residual value")


def _lives(horizon: npt.ArrayLike, life: npt.ArrayLike) -> FloatArray:
    periods, each = real_array(horizon, "horizon"), real_array(life, "life")
    if (periods < 0).any():
        raise InvalidValueError("horizon", f"must be at least 0, got {periods.min():g}")
    if (each <= 0).any():
        raise InvalidValueError("life", f"must be above 0, got {each.min():g}")
    return np.asarray(periods / each)


def _tax(tax_rate: npt.ArrayLike) -> FloatArray:
    tax = real_array(tax_rate, "tax_rate")
    if (tax < 0).any() or (tax > 1).any():
        raise InvalidValueError("tax_rate", "must be from 0 to 1")
    return tax
