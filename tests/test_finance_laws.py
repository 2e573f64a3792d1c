"""The laws of present values and of rates of return (1, 2, 12 to 14, 16, 19 to 29), on arrays."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco import finance
from llm_tco.errors import InvalidValueError, MismatchError, OverflowedError
from llm_tco.testing import strategies as own

DAYS = ["2026-01-01", "2026-07-01", "2027-01-01"]


def residual_is_small(flows, rate):
    """Say whether a rate is a zero of the net present value, within rounding errors."""
    values = np.abs(flows) * (1 + rate) ** -np.arange(flows.size)
    slope = np.arange(flows.size) * values / min(1, 1 + rate)
    return abs(finance.npv(rate, flows)) <= 1e-13 * (4 * values.sum() + slope.sum())


@given(own.cashflows(), own.cashflows(40, 40), own.rates(), st.floats(-10, 10))
def test_present_values_add_up(flows, other, rate, factor):
    """Laws 1, 2, 6 and 17: linear in the flows, and the plain sum at a rate of 0."""
    other = other[: flows.size]
    expected = factor * finance.npv(rate, flows) - finance.npv(rate, other)
    scale = np.abs(finance.npv(rate, np.abs(flows) * abs(factor) + np.abs(other)))

    assert np.isclose(finance.npv(rate, factor * flows - other), expected, rtol=0, atol=1e-12 * scale)
    assert np.isclose(finance.npv(0.0, flows), flows.sum(), rtol=0, atol=1e-12 * np.abs(flows).sum())


@given(own.cashflows(), own.rates())
def test_timing_shifts_a_present_value(flows, rate):
    """Laws 8, 9 and 12: the beginning is a period, the middle half a period earlier; so are zeros and Excel's NPV later."""
    value = finance.npv(rate, flows)
    close = {"rtol": 1e-12, "atol": 1e-12 * finance.npv(rate, np.abs(flows))}

    assert np.isclose(finance.npv(rate, flows, timing="begin"), value * (1 + rate), **close)
    assert np.isclose(finance.npv(rate, flows, timing="mid"), value * (1 + rate) ** 0.5, **close)
    assert np.isclose(finance.npv_excel(rate, flows) * (1 + rate), value, **close)
    assert np.isclose(finance.npv(rate, np.r_[0, 0, flows, 0]) * (1 + rate) ** 2, value, **close)
    assert np.isclose(finance.nfv(rate, flows) * (1 + rate) ** (1.0 - flows.size), value, **close)


@given(own.cashflows(), own.rates(-0.4, 1.0), st.floats(-0.3, 0.5))
def test_inflation_cancels_out(flows, rate, inflation):
    """Law 13: what escalates by g and is discounted at the inflated rate is worth its real value."""
    grown = flows * (1 + inflation) ** np.arange(flows.size)
    inflated = finance.inflated_rate(rate, inflation)
    atol = 1e-11 * finance.npv(rate, np.abs(flows))

    assert np.isclose(finance.npv(inflated, grown), finance.npv(rate, flows), rtol=1e-11, atol=atol)
    assert np.isclose(finance.real_rate(inflated, inflation), rate, rtol=1e-12, atol=1e-15)


@given(own.rates(1e-9, 5.0), st.integers(1, 366))
def test_a_nominal_rate_is_at_most_the_effective_one(rate, periods):
    """Law 14: compounding adds; effect and nominal undo each other, as months and years do."""
    nominal = finance.nominal(rate, periods)

    assert nominal <= rate * (1 + 1e-12)
    assert np.isclose(finance.effect(nominal, periods), rate, rtol=1e-12)
    assert np.isclose(finance.annual_rate(finance.monthly_rate(rate)), rate, rtol=1e-12)
    assert np.isclose(finance.nominal(rate, 12) / 12, finance.monthly_rate(rate), rtol=1e-12)


@given(own.investments(), own.rates(-0.5, 2.0), st.floats(0.001, 0.5))
def test_the_value_of_an_investment_falls_with_the_rate_and_is_convex(flows, rate, step):
    """Law 16: dearer money makes later inflows worth less, ever more slowly."""
    low, middle, high = finance.npv([rate, rate + step, rate + 2 * step], flows)
    noise = 1e-12 * finance.npv(rate, np.abs(flows))

    assert low >= middle - noise
    assert middle >= high - noise
    assert low + high >= 2 * middle - 4 * noise


@given(st.floats(1e-6, 1e6), own.rates(-0.9, 5.0), st.integers(1, 60))
def test_growth_is_undone(amount, rate, periods):
    """What grows at a rate, over periods or by a schedule, gives rate and periods back."""
    assume(abs(rate) > 1e-6)
    grown = finance.fvschedule(amount, np.full(periods, rate))

    assert np.isclose(1 + finance.rri(periods, amount, grown), 1 + rate, rtol=1e-12)
    assert np.isclose(finance.pduration(rate, amount, grown), periods, rtol=1e-8)


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


@given(st.integers(2, 8), st.integers(1, 24), st.randoms(use_true_random=False))
def test_a_row_of_a_batch_is_its_scalar_run(rows, size, random):
    """Law 73: to the last bit, whatever else is in the batch, of any sign, size and shape."""
    pick = [0.0, 1.0, -1.0, 1e-7, 1e9, -3e4, 1e-140, -1e140]
    flows = np.array([[random.choice(pick) * (1 + random.random()) for _ in range(size)] for _ in range(rows)])
    flows[0] = np.abs(flows[0]) * np.r_[-1, np.ones(size - 1)]

    batch, alone = finance.irr(flows, guess=0.1), [finance.irr(row, guess=0.1) for row in flows]

    assert np.array_equal(batch, alone, equal_nan=True)
    assert np.array_equal(finance.npv(0.1, flows), [finance.npv(0.1, row) for row in flows])
    assert np.array_equal(finance.irr(flows), [finance.irr_report(row).rate for row in flows], equal_nan=True)


def test_a_large_batch_is_its_scalar_runs():
    """Law 73: blocks, and streams that turn at different times, change no bit."""
    rng = np.random.default_rng(2)
    flows = rng.uniform(0.01, 5.0, (2_500, 37)) * 10.0 ** rng.integers(-3, 4, (2_500, 37))
    flows[np.arange(37) < rng.choice([1, 1, 1, 2, 5, 30], 2_500)[:, None]] *= -20
    flows *= rng.choice([-1, 1], (2_500, 1))
    flows[rng.random(2_500) < 0.1, -4:] = 0

    batch = finance.irr(flows)

    assert np.isfinite(batch).all()
    assert np.array_equal(batch, [finance.irr(row) for row in flows])


@given(own.cashflows(2, 12), own.rates(-0.9, 3.0))
def test_a_guess_chooses_the_nearest_rate(flows, guess):
    """It changes nothing else: no rate stays none, one stays the one."""
    rates = finance.irr_all(flows)
    chosen = finance.irr(flows, guess=guess)

    assert np.isnan(chosen) == (rates.size == 0)
    assert rates.size == 0 or abs(chosen - guess) == np.abs(rates - guess).min()
    assert finance.irr_report(flows).rates == tuple(rates)


def test_all_rates_of_many_streams_are_padded():
    """Rows with fewer rates end in NaN."""
    table = finance.irr_all([[-100, 230, -132], [-100, 110, 0], [1, 1, 1]])

    assert table.shape == (3, 2)
    assert np.isnan(table).sum(axis=-1).tolist() == [0, 1, 2]
    assert np.allclose(table[0], [0.1, 0.2])


@given(own.investments(), st.floats(0.001, 0.5))
def test_the_modified_rate_at_the_internal_rate_is_the_internal_rate(flows, more):
    """Law 26: MIRR(IRR, IRR) = IRR, and it rises with the rate of reinvestment."""
    rate = finance.irr(flows)
    assume(1e-6 < 1 + rate < 1e6)
    modified = finance.mirr(flows, rate, rate)

    assert np.isclose(1 + modified, 1 + rate, rtol=1e-10)
    assert finance.mirr(flows, rate, rate + more) >= modified * (1 - 1e-12) - 1e-12


def test_the_modified_rate_needs_both_signs():
    """It is not a number where nothing goes out, nothing comes in, or no time passes."""
    assert np.isnan(finance.mirr([[1.0, 2.0], [-1.0, -2.0]], 0.1, 0.1)).all()
    assert np.isnan(finance.mirr([-1.0], 0.1, 0.1))


@given(own.investments(12), st.integers(1, 400), st.randoms(use_true_random=False))
def test_the_rate_on_equal_dates_is_the_annualised_one(flows, days, random):
    """Law 27: XIRR on equal spacing is the IRR per year, and the order of dates is irrelevant."""
    dates = np.datetime64("2026-12-01") + days * np.arange(flows.size)
    expected = np.log1p(finance.irr(flows)) * 365 / days
    assume(-15 < expected < 15)
    order = random.sample(range(flows.size), flows.size)

    rate = finance.xirr(flows, dates)

    assert np.isclose(np.log1p(rate), expected, rtol=1e-9, atol=1e-12)
    assert finance.xirr(flows[order], dates[order]) == rate
    assert abs(finance.xnpv(rate, flows, dates)) <= 1e-9 * finance.xnpv(rate, np.abs(flows), dates)


def test_flows_of_one_day_are_one_flow():
    """Dates may repeat; the earliest is time 0."""
    days = [*DAYS, DAYS[0]]

    assert finance.xirr([-60, 10, 110, -40], days) == finance.xirr([-100, 10, 110], DAYS)
    assert np.isclose(finance.xnpv(0.1, [-60, 10, 110, -40], days), finance.xnpv(0.1, [-100, 10, 110], DAYS))
    assert finance.xirr([[-100, 10, 110], [-100, 20, 110]], DAYS).shape == (2,)
    assert np.isnan(finance.xirr([-100, 230, -132], ["2026-01-01", "2027-01-01", "2028-01-01"]))
    assert np.isclose(finance.xirr([-100, 230, -132], ["2026-01-01", "2027-01-01", "2028-01-01"], guess=0.3), 0.2)


@given(own.investments(), own.rates(-0.3, 1.0))
def test_the_profitability_index_is_above_1_where_the_value_is_positive(flows, rate):
    """Law 28: PI > 1 exactly where NPV > 0; ROI = 0 exactly where the sum is."""
    value = finance.npv(rate, flows)
    assume(abs(value) > 1e-9 * np.abs(flows).sum())

    assert (finance.profitability_index(rate, flows) > 1) == (value > 0)
    assert np.isclose(finance.roi(flows) * -flows[0], flows.sum(), atol=1e-9 * np.abs(flows).sum())


@given(own.investments(), own.rates(0.0, 1.0), st.floats(1.0, 10.0))
def test_payback_is_later_with_discounting_and_with_a_dearer_outlay(flows, rate, factor):
    """Law 29: discounted is never earlier, finite exactly where the cumulative flow reaches 0, sooner with more savings."""
    simple, discounted = finance.payback(flows), finance.discounted_payback(rate, flows)
    dearer = flows * np.r_[factor, np.ones(flows.size - 1)]

    richer = flows * np.r_[1, np.full(flows.size - 1, factor)]

    assert np.isnan(simple) == bool((np.cumsum(flows) < 0).all())
    assert np.isnan(simple) or finance.payback(richer) <= simple + 1e-9
    assert np.isnan(discounted) or discounted >= simple - 1e-9
    assert np.isnan(finance.payback(dearer)) or finance.payback(dearer) >= simple - 1e-9


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
        (lambda: finance.irr([]), "cashflows: must hold at least one flow"),
        (lambda: finance.irr([-1, 2], guess=np.nan), "guess: must be finite"),
        (lambda: finance.irr([[-1, np.inf]]), "cashflows: must be finite"),
        (lambda: finance.nfv(0.1, 5), "cashflows: must hold at least one flow"),
        (lambda: finance.mirr([-1, 2], -1, 0), "finance_rate: must be more than -1"),
        (lambda: finance.mirr([-1, 2], 0, -1), "reinvest_rate: must be more than -1"),
        (lambda: finance.effect(0.1, 0), "periods_per_year: must be a whole number of at least 1, got 0"),
        (lambda: finance.effect(0.1, 2.5), "periods_per_year: must be a whole number of at least 1, got 2.5"),
        (lambda: finance.nominal(-1), "effective_rate: must be more than -1"),
        (lambda: finance.real_rate(0.1, -1), "inflation: must be more than -1"),
        (lambda: finance.rri(0, 1, 2), "nper: must be above 0"),
        (lambda: finance.rri(1, 0, 2), "pv: must not be 0"),
        (lambda: finance.rri(1, 1, -2), "fv: must not be 0 and be of the sign of pv"),
        (lambda: finance.pduration(0, 1, 2), "rate: must not be 0"),
        (lambda: finance.fvschedule(1, 0.1), "rates: must be an array"),
        (lambda: finance.xirr([-1, 2], ["2026-01-01"]), "dates: must be as many as flows (2), got 1"),
        (lambda: finance.xirr([-1, 2], ["2026-01-01", "soon"]), "dates: must be dates or ISO strings"),
        (lambda: finance.xirr([-1, 2], ["2026-01-01", "NaT"]), "dates: must be dates or ISO strings"),
        (
            lambda: finance.xirr([-1, 2], np.array(["2026-01-01", "NaT"], "M8[D]")),
            "dates: must be dates, got NaT at place 1",
        ),
        (
            lambda: finance.xirr([-1, 2], [["2026-01-01"], ["2026-02-01", "2026-03-01"]]),
            "dates: must be one row of dates",
        ),
        (lambda: finance.npv(0.1, [10**400, 1]), "cashflows: must be numbers that a float holds"),
        (lambda: finance.xirr([-1, 2], ["2026-01-01", None]), "dates: must be dates or ISO strings"),
        (lambda: finance.xirr([-1, 2], ["2026-01-01", "today"]), "dates: must be dates or ISO strings"),
        (lambda: finance.xirr([-1, 2], [46023, 46388]), "dates: must be dates or ISO strings"),
        (lambda: finance.irr([-100.0, None, 120.0]), "cashflows: must be numbers, got None"),
        (lambda: finance.irr(["-100", "120"]), "cashflows: must be numbers, got '-100'"),
        (lambda: finance.npv(0.1, [True, False]), "cashflows: must be numbers, got True"),
        (lambda: finance.npv("0.1", [1, 2]), "rate: must be numbers, got '0.1'"),
        (lambda: finance.npv(0.1, np.array(["2026-01-01"], "M8[D]")), "cashflows: must be numbers, got "),
        (lambda: finance.npv(0.1, np.ma.array([1.0, 2.0], mask=[0, 1])), "cashflows: must hold a number at every"),
        (lambda: finance.npv(0.1, [[1, 2], [3]]), "cashflows: must be rows of one length"),
        (lambda: finance.npv(0.1, [1], timing=[1]), "timing: must be one of"),
        (lambda: finance.irr([-1, 2], guess=[0.1, 0.2]), "guess: must be a single rate"),
        (lambda: finance.irr([-1, 2], guess=-1), "guess: must be more than -1"),
        (lambda: finance.payback([]), "cashflows: must hold at least one flow"),
        (lambda: finance.discounted_payback(0.1, 5), "cashflows: must hold at least one flow"),
        (lambda: finance.discount_factors(0.1, 2.5), "size: must be a whole number of at least 0, got 2.5"),
        (lambda: finance.xnpv(-1, [-1, 2], DAYS[:2]), "rate: must be more than -1"),
        (lambda: finance.year_fractions(DAYS, "act/366"), "day_count: must be one of 'act/365F', "),
        (lambda: finance.monthly_rate(-2), "annual_rate: must be more than -1"),
    ],
)
def test_what_has_no_answer_is_refused(call, problem):
    """Each error names the argument."""
    with pytest.raises(InvalidValueError) as error:
        call()

    assert str(error.value).startswith(problem)


def test_numbers_of_every_type_are_read():
    """Whole numbers, exact decimals and fractions are numbers, of any width."""
    flows = [-100, 50, 75]

    for kind in (np.int8, np.uint8, np.float32, np.longdouble):
        assert finance.npv(0.25, np.abs(flows).astype(kind)) == 188.0
    for kind in (Decimal, Fraction):
        assert finance.irr([kind(flow) for flow in flows]) == finance.irr(flows)


def test_leading_axes_that_do_not_broadcast_are_named():
    """The error gives both shapes."""
    with pytest.raises(MismatchError, match=r"leading axes \(3,\) and \(2,\)"):
        finance.npv([0.1, 0.2], [[-1, 2], [3, 4], [5, 6]])


def test_dates_are_read_of_every_type():
    """Dates, moments with or without a time zone, texts and arrays of any unit; a time of day counts for nothing."""
    first, last = date(2026, 1, 1), date(2027, 1, 1)
    night = timezone(timedelta(hours=8))
    rows = [
        [first, last],
        [datetime(2026, 1, 1, 18), datetime(2027, 1, 1, 6)],
        [datetime(2026, 1, 1, tzinfo=night), datetime(2027, 1, 1, 23, tzinfo=night)],
        ["2026-01-01", "2027-01-01T12:00:00"],
        [first, "2027-01-01"],
        [np.datetime64("2026-01-01"), last],
        np.array(["2026-01-01", "2027-01-01"], "M8[ns]"),
    ]

    for row in rows:
        assert finance.year_fractions(row).tolist() == [0.0, 1.0]


TOUCHES = [[-100.0, 220.0, -121.0], [-1.0, 4.0, -6.0, 4.0, -1.0], [-4.0, 4.0, -1.0]]
"""Streams whose value is 0 at one rate and negative beside it."""


@pytest.mark.parametrize("flows", TOUCHES)
@given(st.one_of(st.sampled_from([10.0**k for k in range(-15, 16)]), st.floats(1e-15, 1e15)))
def test_a_rate_at_which_the_value_only_touches_zero_is_none(flows, size):
    """Law 20 at any magnitude: a reported rate is a change of sign, and rounding makes none."""
    assert finance.irr_report(np.array(flows) * size).status == "none"


def test_two_rates_that_lie_close_are_told_apart():
    """What is more than rounding counts: a hundred-millionth more in the middle, and there are two."""
    for size in (1e-15, 1.0, 10.0, 1e15):
        rates = finance.irr_all(np.array([-100.0, 220.0 + 2e-8, -121.0]) * size)

        assert rates.size == 2
        assert np.abs(rates - 0.1).max() < 3e-5


@given(st.integers(1, 5), own.cashflows())
def test_zeros_before_the_first_flow_delay_the_payback(zeros, flows):
    """A stream that begins later is paid back as much later."""
    assume(flows[0] != 0)
    late, early = finance.payback(np.r_[np.zeros(zeros), flows]), finance.payback(flows)

    assert np.isnan(late) if np.isnan(early) else np.isclose(late, early + zeros)


def test_nothing_is_paid_back_at_once():
    """Where there is no flow there is nothing to pay back."""
    assert finance.payback([0.0, 0.0]) == 0


def test_a_value_beyond_floats_is_an_error():
    """An infinity is never a figure."""
    with pytest.raises(OverflowedError, match="too large for a float"):
        finance.npv(-0.999999, np.full(100, 1e300))
    with pytest.raises(OverflowedError, match="the discount factor is too large for a float"):
        finance.discount_factors(-0.999999, 100)


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
