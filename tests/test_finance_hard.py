"""Streams that break other solvers, against 50 digits of mpmath."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco import finance

mpmath = pytest.importorskip("mpmath", reason="mpmath is the oracle of these tests")

SAVINGS = [3.0] * 59
HARD = {
    "nearly all is lost": [-1e9, 1.0],
    "nearly all is lost, slowly": [-1e6, *[1e-9] * 40],
    "a thousand percent": [-1.0, 11.5, 0.1],
    "a hundred million percent": [-1e-6, *[1.0] * 60],
    "rates of 0": [-60.0, *[1.0] * 60],
    "nearly 0": [-60.0, *[1.0] * 59, 1.0 + 1e-9],
    "the return comes at the very end": [-1.0, *[0.0] * 358, 1e-3],
    "a long loan": [2e5, *[-1100.0] * 360],
    "outlays over years": [*[-10.0] * 24, *[15.0] * 36],
    "tiny first outlay": [-1e-12, -100.0, *SAVINGS],
    "all sizes": [-1e-3, -1e5, 1e-6, 1e2, 1e7, 1e-9],
    "a clean-up at the end": [-100.0, *SAVINGS, -40.0],
    "a clean-up that nearly eats it all": [-100.0, *SAVINGS, -70.0],
    "three changes of sign": [-100.0, 330.0, -362.0, 132.1],
    "a thousand periods": [-100.0, *[0.2] * 1000],
    "a first flow beyond quick sums": [-1e-295, -1.0, *SAVINGS],
    "a root below the quick range": [-1e200, *[1e-90] * 60],
    "a root far above": [-1e-200, *[1e20] * 60],
}


def value(flows, s):
    """Give the value at ln(1 + r) = s in 50 digits."""
    return mpmath.fsum(mpmath.mpf(float(flow)) * mpmath.exp(-t * s) for t, flow in enumerate(flows) if flow)


def error_of(flows, rate):
    """Say by how much, relative to 1 + r, a rate differs from the nearest root."""
    with mpmath.workdps(50):
        s = mpmath.log1p(mpmath.mpf(float(rate)))
        root = mpmath.findroot(
            lambda x: value(flows, x), (s - mpmath.mpf("1e-13"), s + mpmath.mpf("1e-13")), tol=1e-60, verify=False
        )
        return abs(float(mpmath.expm1(root - s)))


def changes_beside(flows, rate):
    """Say whether the value changes its sign within a relative 1e-12 of 1 + r."""
    with mpmath.workdps(50):
        s, width = mpmath.log1p(mpmath.mpf(float(rate))), mpmath.mpf("1e-12")
        return value(flows, s - width) * value(flows, s + width) < 0


@pytest.mark.parametrize("name", HARD)
def test_every_rate_of_a_hard_stream_is_right(name):
    """To 1e-12 in 1 + r, and with a change of sign beside it."""
    flows = HARD[name]
    rates = [rate for rate in finance.irr_all(flows) if rate > -0.999]

    assert finance.irr_all(flows).size
    assert all(changes_beside(flows, rate) for rate in rates)
    assert all(error_of(flows, rate) < 1e-12 for rate in rates)


def test_a_rate_nearer_to_a_total_loss_than_floats_resolve_is_a_total_loss():
    """The status is still that there is one rate."""
    report = finance.irr_report([-1e200, 1e-90])

    assert report.status == "unique"
    assert report.rate == -1.0


def test_a_rate_near_a_total_loss_keeps_its_digits():
    """1 + r is known to the last digits that a float near −1 has."""
    flows = HARD["a root below the quick range"]
    with mpmath.workdps(50):
        later = mpmath.findroot(lambda s: mpmath.log(value([0, *flows[1:]], s)) - mpmath.log(1e200), -11.1)
        root = float(mpmath.expm1(later))

    assert abs(finance.irr(flows) - root) < 1.2e-16
    assert np.isclose(1 + finance.irr(HARD["nearly all is lost"]), 1e-9, rtol=0, atol=1.2e-16)


@pytest.mark.parametrize("name", HARD)
def test_a_hard_stream_in_a_batch_is_its_scalar_run(name):
    """Also where the quick method hands over to the careful one."""
    flows = np.array(HARD[name])
    batch = np.array([flows, -flows, flows * 2.0**40])

    assert np.array_equal(finance.irr(batch), [finance.irr(flows)] * 3, equal_nan=True)


amounts = st.builds(lambda digits, power: digits * 10.0**power, st.floats(1, 10), st.integers(-9, 9))


@given(st.lists(amounts, min_size=1, max_size=6), st.lists(amounts, min_size=1, max_size=40))
def test_any_stream_that_turns_once_is_solved_to_the_last_digits(outlays, inflows):
    """Whatever the sizes, within 1e-12 of 1 + r."""
    flows = np.array([*(-amount for amount in outlays), *inflows])
    rate = finance.irr(flows)
    assume(1 + rate > 1e-3)

    assert changes_beside(flows, rate)


@given(st.lists(st.integers(-20, 20), min_size=3, max_size=9))
def test_no_rate_is_left_out(flows):
    """As many rates come out as the polynomial has roots of odd order."""
    flows = np.array(flows, dtype=float)
    kept = np.trim_zeros(flows)
    assume(kept.size > 1)
    roots = np.roots(kept[::-1])
    real = np.sort(1 / roots[(abs(roots.imag) < 1e-9) & (roots.real > 1e-9)].real)
    assume(all(abs(roots.imag[abs(roots.imag) > 1e-9]) > 1e-3))
    assume((np.diff(real) > 1e-2 * real[1:]).all() if real.size else True)

    assert np.allclose(1 + finance.irr_all(flows), real, rtol=1e-6)
