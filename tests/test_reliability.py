"""Failures, repair and spare servers: the binomial sums, and the published rates."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.errors import InvalidValueError
from llm_tco.serving.reliability import (
    Reliability,
    annual_rate,
    enough_probability,
    hours_between_failures,
    outage_minutes,
    server_availability,
    spares_for,
)

CASES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parent / "reference" / "published_hardware_cases.json").read_text("utf-8"))
}


def by_counting(needed, spares, of_one):
    """Add the probabilities of every number of servers that are up."""
    owned = needed + spares
    return sum(math.comb(owned, up) * of_one**up * (1 - of_one) ** (owned - up) for up in range(needed, owned + 1))


@given(st.integers(0, 60), st.integers(0, 12), st.floats(0.01, 1.0))
def test_enough_are_up_as_the_binomial_sum_says(needed, spares, of_one):
    """The chance that so many are up is that of counting every case."""
    assert np.isclose(enough_probability(needed, spares, of_one), by_counting(needed, spares, of_one), atol=1e-12)


@given(st.integers(0, 300), st.floats(0.5, 1.0), st.floats(0.01, 0.99999))
def test_no_spare_is_missing_and_none_is_too_many(needed, of_one, wanted):
    """The spares reach the availability, and one fewer would not."""
    spares = float(spares_for(needed, of_one, wanted))

    assert spares == round(spares)
    assert enough_probability(needed, spares, of_one) >= wanted - 1e-9
    if spares:
        assert enough_probability(needed, spares - 1, of_one) < wanted + 1e-9


@given(st.lists(st.integers(0, 50), min_size=2, max_size=4), st.floats(0.8, 0.9999), st.floats(0.5, 0.9999))
def test_rows_of_a_batch_are_the_scalar_runs(needed, of_one, wanted):
    """Law 73: each fleet gets its own spares, whatever stands beside it."""
    batch = spares_for(np.array(needed), of_one, wanted)

    assert batch.tolist() == [float(spares_for(one, of_one, wanted)) for one in needed]


@given(st.floats(0.0, 20.0), st.floats(0.0, 1e4), st.floats(1.0, 5.0))
def test_more_failures_and_longer_repair_make_less_available(rate, hours, factor):
    """A server is up all of the time or less, and less where it fails more or longer."""
    one = server_availability(rate, hours)

    assert 0 < one <= 1
    assert server_availability(rate * factor, hours) <= one
    assert server_availability(rate, hours * factor) <= one


def test_a_thousand_servers_leave_no_float_behind():
    """Where A^n underflows, the spares are found all the same."""
    spares = spares_for(np.array([20_000.0]), np.array([0.95]), np.array([0.99]))

    assert 1_053 < spares[0] < 1_200
    assert 0.99 <= enough_probability(20_000, spares, 0.95)[0] < 0.9905


def test_an_availability_beyond_the_digits_of_a_float_ends():
    """Where rounding errors keep a sum below what is asked for, the spares that add nothing are the last."""
    spares = spares_for(np.array([50_000.0]), np.array([0.9]), np.array([0.9999999999999998]))

    assert 5_556 < spares[0] < 7_000
    assert np.isclose(enough_probability(50_000, spares, 0.9), 1.0, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "events"), [("meta_gpu_hbm_annual_failure_rate", 220), ("meta_faulty_gpu_annual_rate", 148)]
)
def test_published_rates_of_failure_come_out(name, events):
    """Interruptions of 16,384 cards in 54 days amount to 9.1 % and 6.1 % of the cards a year."""
    case = CASES[name]
    rate = annual_rate(events, case["inputs"]["gpus"], case["inputs"]["days"])

    assert abs(rate - case["expected"]["annual_rate"]) <= case["tolerance"]["abs"]


def test_the_published_time_between_interruptions_comes_out():
    """419 interruptions in 54 days are one in 3.1 hours."""
    case = CASES["meta_interruption_interval"]
    hours = hours_between_failures(annual_rate(case["inputs"]["interruptions"], 1, case["inputs"]["days"]), 1)

    assert abs(hours - case["expected"]["hours_between"]) <= case["tolerance"]["abs"]
    assert hours_between_failures(0, 5) == math.inf


def test_an_outage_is_the_take_over_and_the_time_without_enough():
    """Ten servers with half a failure a year and a minute to switch over are short for five minutes, and 0.1 %."""
    minutes = outage_minutes(np.array([10.0, 0.0]), 0.5, 60.0, np.array([0.999, 0.2]))

    assert np.allclose(minutes, [5 + 0.001 * 525_600, 0])


def test_a_take_over_needs_the_model_unless_it_is_loaded():
    """A hot standby switches over; a spare loads the model first; without either there is none."""
    known = Reliability(failures_per_year=1, repair_hours=24, switch_over_s=30, model_load_s=90)

    assert [known.take_over_s(*by) for by in itertools.product((0, 1), repeat=2)] == [0.0, 30, 120, 30]
    assert known.hours_down == 24 + 0.025
    with pytest.raises(InvalidValueError, match="model_load_s: is missing"):
        Reliability(failures_per_year=1, repair_hours=24, switch_over_s=30).take_over_s(1, 0)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"failures_per_year": -1}, "failures_per_year: must be at least 0, got -1"),
        ({"availability": 1}, "availability: must be below 1, such as 0.999, got 1.0"),
        ({"availability": 0.9, "repair_hours": 9_000}, "repair_hours: keeps a server down for more than half"),
    ],
)
def test_wrong_figures_are_refused(changes, problem):
    """Each wrong value is refused by name."""
    with pytest.raises(InvalidValueError) as error:
        Reliability(**{"failures_per_year": 1, "repair_hours": 24, **changes})

    assert str(error.value).startswith(problem)


@pytest.mark.parametrize("changes", [{"units": 0}, {"days": 0}])
def test_a_rate_needs_something_that_was_watched(changes):
    """Nothing that was watched gives no rate."""
    with pytest.raises(InvalidValueError, match=f"{next(iter(changes))}: must be more than 0, got 0"):
        annual_rate(**{"events": 1, "units": 1, "days": 1, **changes})
