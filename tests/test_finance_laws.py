"""The laws of rates of return and of depreciation (19 to 31), on arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco import finance
from llm_tco.errors import InvalidValueError, OverflowedError
from llm_tco.testing import strategies as own


def residual_is_small(flows, rate):
    """Say whether a rate is a zero of the net present value, within rounding errors."""
    values = np.abs(flows) * (1 + rate) ** -np.arange(flows.size)
    slope = np.arange(flows.size) * values / min(1, 1 + rate)
    return abs(finance.npv(rate, flows)) <= 1e-13 * (4 * values.sum() + slope.sum())


@given(own.investments())
def test_the_net_present_value_at_the_internal_rate_is_zero(flows):
    """Laws 19 and 20: one sign change has one root, and the value vanishes there."""
    report = finance.irr_report(flows)

    assert report.status == "unique"
    assert residual_is_small(flows, report.rate)


@given(own.cashflows(2, 12))
def test_every_reported_root_is_a_change_of_sign(flows):
    """Law 20: beside each rate the value has different signs."""
    rates = finance.irr_report(flows).rates

    assert list(rates) == sorted(rates)
    for rate in rates:
        assume(1e-6 < 1 + rate < 1e6)
        assert residual_is_small(flows, rate)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=4, unique=True))
def test_all_of_several_roots_are_found(percents):
    """Law 25: a stream made of known rates gives all of them back."""
    rates = sorted(percent / 100 for percent in percents)
    flows = np.array([-1.0])
    for rate in rates:
        flows = np.convolve(flows, [1.0, -(1 + rate)])

    report = finance.irr_report(flows)

    assert report.status == ("unique" if len(rates) == 1 else "several")
    assert np.allclose(report.rates, rates, rtol=0, atol=1e-6)


@given(own.investments(), st.integers(-15, 15), st.sampled_from([1, -1]))
def test_magnitude_and_sign_leave_the_roots(flows, power, sign):
    """Law 21: at any size, and seen from the other side, the rates are the same."""
    rate = finance.irr(flows)

    assert np.isclose(finance.irr(sign * flows * 10.0**power), rate, rtol=1e-9, atol=1e-12)


@given(own.investments(), st.integers(0, 30), st.integers(0, 30))
def test_leading_and_trailing_zeros_leave_the_roots(flows, before, after):
    """Law 22: months without flows change no rate."""
    padded = np.r_[np.zeros(before), flows, np.zeros(after)]

    assert finance.irr(padded) == finance.irr(flows)


@given(own.investments(), own.rates(-0.5, 1.0))
def test_the_rate_is_above_the_hurdle_where_the_value_is_positive(flows, rate):
    """Law 23: IRR > r exactly where NPV(r) > 0."""
    irr = finance.irr(flows)
    assume(abs(irr - rate) > 1e-9 * (1 + abs(irr)))

    assert (irr > rate) == (finance.npv(rate, flows) > 0)


@given(own.investments(), st.floats(-0.2, 0.5))
def test_inflation_shifts_the_rate(flows, inflation):
    """Law 24: flows that grow by g return (1 + r)(1 + g) − 1."""
    grown = flows * (1 + inflation) ** np.arange(flows.size)

    assert np.isclose(1 + finance.irr(grown), (1 + finance.irr(flows)) * (1 + inflation), rtol=1e-9)


@pytest.mark.parametrize("flows", [[1, 2, 3], [-1, -2], [0, 0, 0], [5]])
def test_flows_of_one_sign_have_no_rate(flows):
    """Law 25: none is an answer, and its rate is not a number."""
    report = finance.irr_report(flows)

    assert report.status == "none"
    assert np.isnan(report.rate)
    assert np.isnan(finance.irr(flows))


@given(own.investments(), own.rates(-0.3, 1.0))
def test_the_profitability_index_is_above_1_where_the_value_is_positive(flows, rate):
    """Law 28: PI > 1 exactly where NPV > 0; ROI = 0 exactly where the sum is."""
    value = finance.npv(rate, flows)
    assume(abs(value) > 1e-9 * np.abs(flows).sum())

    assert (finance.profitability_index(rate, flows) > 1) == (value > 0)
    assert np.isclose(finance.roi(flows) * -flows[0], flows.sum(), atol=1e-9 * np.abs(flows).sum())


@given(own.investments(), own.rates(0.0, 1.0), st.floats(1.0, 10.0))
def test_payback_is_later_with_discounting_and_with_a_dearer_outlay(flows, rate, factor):
    """Law 29: discounted is never earlier, and finite exactly where the cumulative flow reaches 0."""
    simple, discounted = finance.payback(flows), finance.discounted_payback(rate, flows)
    dearer = flows * np.r_[factor, np.ones(flows.size - 1)]

    assert np.isnan(simple) == bool((np.cumsum(flows) < 0).all())
    assert np.isnan(discounted) or discounted >= simple - 1e-9
    assert np.isnan(finance.payback(dearer)) or finance.payback(dearer) >= simple - 1e-9


@given(own.amounts(0, 1e9), st.floats(0, 1), st.integers(1, 120))
def test_straight_line_sums_to_cost_less_salvage(cost, share, periods):
    """Law 31: no part is negative, and the book value falls to salvage and never below."""
    schedule = finance.straight_line(cost, cost * share, periods)

    assert schedule.shape == (periods,)
    assert (schedule >= 0).all()
    assert np.isclose(schedule.sum(), cost * (1 - share), rtol=1e-12, atol=1e-6)
    assert (cost - np.cumsum(schedule) >= cost * share - 1e-9 * (1 + cost)).all()


def test_many_streams_are_read_at_once():
    """Leading axes are independent streams."""
    flows = np.array([[[-100.0, 60, 60], [-100, 10, 10]], [[-100, 230, -132], [1, 1, 1]]])

    assert finance.irr(flows).shape == (2, 2)
    assert np.isnan(finance.irr(flows)).tolist() == [[False, False], [True, True]]
    assert finance.npv([0.1, 0.2], flows).shape == (2, 2)
    assert np.allclose(finance.payback(flows[0, 0]), 1 + 40 / 60)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: finance.npv(0.1, []), "cashflows: must hold at least one flow"),
        (lambda: finance.npv(0.1, [1, np.nan]), "cashflows: must be finite"),
        (lambda: finance.npv(np.inf, [1]), "rate: must be finite"),
        (lambda: finance.npv(-1, [1]), "rate: must be more than -1"),
        (lambda: finance.npv(0.1, [1], timing="late"), "timing: must be one of"),
        (lambda: finance.irr_report([[1, 2]]), "cashflows: must be one stream"),
        (lambda: finance.straight_line(1, 2, 3), "salvage: must be at most the cost"),
        (lambda: finance.straight_line(1, 0, 0), "periods: must be at least 1"),
        (lambda: finance.from_nominal(0.1, 0), "periods_per_year: must be at least 1"),
        (lambda: finance.monthly_rate(-2), "annual_rate: must be more than -1"),
    ],
)
def test_what_has_no_answer_is_refused(call, problem):
    """Each error names the argument."""
    with pytest.raises(InvalidValueError) as error:
        call()

    assert str(error.value).startswith(problem)


def test_a_value_beyond_floats_is_an_error():
    """An infinity is never a figure."""
    with pytest.raises(OverflowedError, match="too large for a float"):
        finance.npv(-0.999999, np.full(100, 1e300))


@pytest.mark.parametrize(
    ("flows", "expected"),
    [
        ([-1, 1e-12], -0.999999999999),
        ([-1e-9, 1e9], 1e18 - 1),
        ([-1e300, 1e300, 1e300], 0.6180339887498949),
        ([-1e-300, 1e-300, 1e-300], 0.6180339887498949),
    ],
)
def test_extreme_rates_are_found(flows, expected):
    """Near −100 %, above any percent, and at either end of the floats."""
    assert np.isclose(1 + finance.irr(flows), 1 + expected, rtol=1e-12)
