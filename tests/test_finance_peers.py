"""Agreement with pyxirr and numpy-financial, with their known errors left out and named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco import finance
from llm_tco.testing import strategies as own

pyxirr = pytest.importorskip("pyxirr", reason="pyxirr is the oracle of these tests")
npf = pytest.importorskip("numpy_financial", reason="numpy-financial is the oracle of these tests")

rates = st.one_of(st.floats(0.001, 0.5), st.floats(-0.3, -0.001), st.just(0.0))
sizes = st.integers(1, 60)
amounts = own.amounts(-1e5, 1e5)
whens = st.sampled_from(["begin", "end"])
quiet = np.errstate(all="ignore")
"""numpy-financial divides by 0 on its way to a right answer."""

counts = {"act/365F": "act/365F", "act/360": "act/360", "act/365.25": "act/365.25", "30E/360": "30E/360"}


@given(own.cashflows(), rates)
def test_present_values_agree(flows, rate):
    """numpy-financial counts from 0 as we do, Excel's NPV from 1."""
    atol = 1e-9 * (1 + np.abs(flows).sum() * (1 + abs(rate)) ** flows.size)

    assert np.isclose(finance.npv(rate, flows), npf.npv(rate, flows), rtol=1e-9, atol=atol)
    assert np.isclose(finance.npv(rate, flows), pyxirr.npv(rate, flows), rtol=1e-9, atol=atol)
    assert np.isclose(finance.npv_excel(rate, flows), pyxirr.npv(rate, flows, start_from_zero=False), atol=atol)


# Rates beyond 1,000 % or below −90 % are not drawn: the tolerances of both peers are absolute.
usual_investments = st.builds(
    lambda inflows, share: np.array([-share * sum(inflows), *inflows]),
    st.lists(st.floats(1.0, 100.0), min_size=2, max_size=12),
    st.floats(0.3, 1.5),
)


@given(usual_investments)
def test_internal_rates_agree(flows):
    """Where rates are usual, pyxirr finds the same."""
    rate = finance.irr(flows)

    assert np.isclose(rate, pyxirr.irr(flows), rtol=1e-6, atol=1e-8)


@given(usual_investments)
def test_internal_rates_agree_with_numpy_financial(flows):
    """It picks among the roots of the polynomial, here there is one; its Newton may give up with NaN."""
    rate, other = finance.irr(flows), npf.irr(flows)
    assume(not np.isnan(other))

    assert np.isclose(rate, other, rtol=1e-6, atol=1e-8)


def test_magnitude_leaves_the_rate():
    """The tolerances of pyxirr are absolute, so that it may give None at × 1e12 and its guess at × 1e-15; ours are not."""
    flows = np.array([-100.0, 60.0, 60.0])

    assert np.isclose(finance.irr(flows * 1e9), finance.irr(flows), rtol=1e-14)
    assert np.isclose(finance.irr(flows * 1e-15), finance.irr(flows), rtol=1e-14)


@given(own.investments(20), rates, rates)
def test_modified_rates_agree(flows, finance_rate, reinvest_rate):
    """Both peers use Excel's definition."""
    rate = finance.mirr(flows, finance_rate, reinvest_rate)

    assert np.isclose(rate, npf.mirr(flows, finance_rate, reinvest_rate), rtol=1e-8, atol=1e-9)
    assert np.isclose(rate, pyxirr.mirr(flows, finance_rate, reinvest_rate), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("count", counts)
@given(
    outlay=own.amounts(10, 1e4),
    inflows=st.lists(own.amounts(10, 1e4), min_size=1, max_size=9),
    days=st.lists(st.integers(90, 4_000), min_size=9, max_size=9, unique=True),
    rate=rates,
)
def test_flows_on_dates_agree(count, outlay, inflows, days, rate):
    """The day counts are those of the same name; rates out of reach of absolute tolerances are left out."""
    flows = np.array([-outlay, *inflows])
    dates = np.datetime64("2020-01-31") + np.r_[0, np.sort(days[: len(inflows)])]
    value = finance.xnpv(rate, flows, dates, count)
    found, other = finance.xirr(flows, dates, count), pyxirr.xirr(dates.tolist(), flows, day_count=counts[count])

    assert np.isclose(value, pyxirr.xnpv(rate, dates.tolist(), flows, day_count=counts[count]), rtol=1e-9, atol=1e-4)
    assert other is None or not -0.9 < found < 10 or np.isclose(found, other, rtol=1e-6, atol=1e-7)


@given(
    st.lists(st.dates(np.datetime64("2000-01-01").item(), np.datetime64("2040-12-31").item()), min_size=2, max_size=9)
)
def test_years_agree(dates):
    """Both count from the earliest date."""
    first = min(dates)
    names = {**counts, "30/360": "30/360 ISDA"}

    for ours, theirs in names.items():
        expected = [pyxirr.year_fraction(first, other, theirs) for other in dates]
        assert np.allclose(finance.year_fractions(dates, ours), expected, rtol=1e-12)


@quiet
@given(rates, sizes, amounts, amounts, whens)
def test_level_payments_agree(rate, size, first, last, when):
    """pv, fv and pmt with either timing and sign."""
    scale = 1e-9 * (1 + abs(first) + abs(last)) * (1 + abs(rate)) ** size * size / 0.7**size
    close = {"rtol": 1e-7, "atol": min(scale, 1e3)}

    assert np.isclose(finance.pmt(rate, size, first, last, when), npf.pmt(rate, size, first, last, when), **close)
    assert np.isclose(finance.pv(rate, size, first, last, when), npf.pv(rate, size, first, last, when), **close)
    assert np.isclose(finance.fv(rate, size, first, last, when), npf.fv(rate, size, first, last, when), **close)
    assert np.isclose(
        finance.fv(rate, size, first, last, when),
        pyxirr.fv(rate, size, first, last, pmt_at_beginning=when == "begin"),
        **close,
    )


@quiet
@given(rates, sizes, amounts, whens, st.data())
def test_interest_and_principal_agree(rate, size, loan, when, data):
    """pyxirr 0.10 errs in principal paid at the beginning, so there only numpy-financial is asked."""
    k = data.draw(st.integers(1, size))
    close = {"rtol": 1e-6, "atol": 1e-6 * (1 + abs(loan))}
    interest, principal = finance.ipmt(rate, k, size, loan, when=when), finance.ppmt(rate, k, size, loan, when=when)

    assert np.isclose(interest, npf.ipmt(rate, k, size, loan, when=when), **close)
    assert np.isclose(principal, npf.ppmt(rate, k, size, loan, when=when), **close)
    assert np.isclose(interest, pyxirr.ipmt(rate, k, size, loan, pmt_at_beginning=when == "begin"), **close)
    assert when == "begin" or np.isclose(principal, pyxirr.ppmt(rate, k, size, loan), **close)


@given(st.floats(0.001, 0.3), st.floats(0.1, 0.9), own.amounts(1, 1e5), whens)
def test_numbers_of_payments_agree(rate, share, loan, when):
    """numpy-financial 1.0 has a sign error at a rate of 0, so that is left to the published cases."""
    payment = -loan * rate / share

    assert np.isclose(finance.nper(rate, payment, loan, when=when), npf.nper(rate, payment, loan, when=when), rtol=1e-8)


@given(st.floats(0.001, 0.3), st.integers(2, 60), own.amounts(1, 1e5), whens)
def test_rates_of_loans_agree(rate, size, loan, when):
    """numpy-financial may find −100 % or NaN from its own guess, so it is started at the answer; it stops at 1e-6."""
    payment = finance.pmt(rate, size, loan, when=when)
    other = npf.rate(size, payment, loan, 0.0, when=when, guess=rate)

    assert np.isclose(finance.rate(size, payment, loan, when=when), other, rtol=1e-4, atol=1e-5)
