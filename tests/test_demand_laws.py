"""Demands: splits that sum to the whole, and slices of a load curve (law 66b)."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.demand import Lengths, Workload
from llm_tco.errors import InvalidValueError, MismatchError
from llm_tco.loadshape import HourOfWeek, Load, Peak
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline, add_months

TIMELINE = Timeline(date(2026, 1, 31), 14)


@given(own.workloads(), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_the_parts_of_a_split_sum_to_the_whole(workload, weights):
    """No request and no token is lost in a split by share."""
    demand = workload.on(TIMELINE)
    shares = {str(place): weight / sum(weights) for place, weight in enumerate(weights)}

    parts = demand.split(shares)

    assert np.allclose(sum(part.requests for part in parts.values()), demand.requests, rtol=1e-12)
    assert np.allclose(sum(part.tokens for part in parts.values()), demand.tokens, rtol=1e-12)


@given(own.workloads(), st.integers(0, 20_000))
def test_a_split_by_length_keeps_every_request_and_token(workload, limit):
    """Short and long requests are all of them."""
    demand = workload.on(TIMELINE)

    short, long = demand.split_by_length(limit)

    assert np.allclose((short + long).requests, demand.requests, rtol=1e-12)
    assert np.allclose((short + long).input_tokens, demand.input_tokens, rtol=1e-9)
    assert all(np.all(stream.lengths.input_tokens <= limit) for stream in short.streams)


@given(own.workloads(), st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_slices_of_a_load_curve_sum_to_the_whole(workload, first, second):
    """Law 66b: cut anywhere, and cut again, the slices sum to the demand and join to its curve."""
    demand = workload.on(TIMELINE)

    below, above = demand.cut(np.full(TIMELINE.size, first))
    middle, top = above.cut(np.full(TIMELINE.size, second))

    summed = below.requests + middle.requests + top.requests
    assert np.allclose(summed, demand.requests, rtol=1e-9, atol=1e-9 * demand.requests.max())
    assert (below.requests >= 0).all()
    assert (top.requests >= -1e-9 * demand.requests.max()).all()


@given(own.hourly_loads(), st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_slices_equal_the_sum_over_168_hours(loads, low, high):
    """Law 66b: what a slice carries is what an explicit sum over the hours of the week gives."""
    shape = HourOfWeek(loads)
    hours = np.asarray(shape.loads)
    low, high = min(low, high), max(low, high)
    whole = Load(shape)

    below, rest = whole.cut(np.array([low]))
    middle = np.clip(hours, low, high) - low

    assert np.isclose(below.volume[0], np.minimum(hours, low).mean(), atol=1e-12)
    assert np.isclose((shape.below(np.array([high])) - shape.below(np.array([low])))[0], middle.mean(), atol=1e-12)
    assert np.isclose(below.volume[0] + rest.volume[0], 1.0, atol=1e-12)


@given(own.hourly_loads(), st.floats(0.01, 5.0))
def test_a_peak_alone_leaves_most_above_any_level(loads, level):
    """Of all loads with one mean and one peak, the on-and-off one leaves most above a level."""
    shape = HourOfWeek(loads)
    peak = Peak(float(shape.peak[0]))

    assert peak.below(np.array([level]))[0] <= shape.below(np.array([level]))[0] + 1e-12


@given(st.floats(1.0, 50.0), st.floats(0.0, 60.0))
def test_a_slice_knows_its_own_peak(peak, level):
    """The slice below a level peaks at that level; the one above peaks at the rest."""
    below, above = Load(Peak(peak)).cut(np.array([level]))

    assert np.isclose((below.peak * below.volume)[0], min(level, peak), rtol=1e-9) or below.volume[0] == 0
    assert np.isclose((above.peak * above.volume)[0], max(peak - level, 0), atol=1e-9) or above.volume[0] == 0


def test_growth_compounds_month_by_month_and_starts_in_month_1():
    """20 % a year doubles nothing in month 1 and gives 20 % more in month 13."""
    demand = Workload(requests_per_month=100, input_tokens=1, output_tokens=1, growth_per_year=0.2).on(TIMELINE)

    assert demand.requests[0] == 0
    assert demand.requests[1] == 100
    assert np.isclose(demand.requests[13], 120)


def test_draws_stand_in_front_of_the_months():
    """Draws of the volume and of the lengths give one row each."""
    draws = np.array([100.0, 200.0, 300.0])

    demand = Workload(requests_per_month=draws, input_tokens=draws, output_tokens=1).on(TIMELINE)

    assert demand.requests.shape == (3, 15)
    assert demand.input_tokens[:, 1].tolist() == [10_000.0, 40_000.0, 90_000.0]


@given(own.workloads(), st.lists(st.floats(0.0, 5.0), min_size=1, max_size=4))
def test_slices_of_many_draws_join_to_the_whole(workload, levels):
    """What was cut at another level in each draw adds up to the whole load curve in each of them."""
    demand = workload.on(TIMELINE)

    below, above = demand.cut(np.array(levels)[:, None])
    joined = below + above

    assert np.allclose(joined.requests, demand.requests, rtol=1e-9, atol=1e-9 * demand.requests.max())
    assert np.allclose(joined.load.peak, demand.load.peak)


def test_demands_of_different_load_curves_do_not_add():
    """The peak of a sum is unknown where the curves differ."""
    flat = Workload(requests_per_month=1, input_tokens=1, output_tokens=1).on(TIMELINE)
    peaky = Workload(requests_per_month=1, input_tokens=1, output_tokens=1, peak_to_mean=2).on(TIMELINE)

    with pytest.raises(MismatchError, match="different load curves"):
        flat + peaky


def test_demands_of_different_months_do_not_add():
    """A demand of 14 months and one of 13 have no sum."""
    demand = Workload(requests_per_month=1, input_tokens=1, output_tokens=1).on(TIMELINE)

    with pytest.raises(MismatchError, match="different timelines"):
        demand + demand.window(1)


def test_a_window_is_the_demand_of_its_months():
    """What is delayed sees the months that remain."""
    demand = Workload(requests_per_month=100, input_tokens=1, output_tokens=1, growth_per_year=0.2).on(TIMELINE)

    window = demand.window(12)

    assert window.timeline == Timeline(date(2027, 1, 31), 2)
    assert np.allclose(window.requests, [0, 120, 120 * 1.2 ** (1 / 12)])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"requests_per_month": -1}, "requests_per_month: must be at least 0, got -1"),
        ({"requests_per_month": float("nan")}, "requests_per_month: must be finite, got nan"),
        ({"requests_per_month": "20k"}, "requests_per_month: must be a number, got '20k'"),
        ({"requests_per_month": True}, "requests_per_month: must be a number, got True"),
        ({"requests_per_month": 10**400}, "requests_per_month: is too large for a float"),
        ({"output_tokens": None}, "output_tokens: is missing"),
        ({"peak_to_mean": 0.5}, "peak_to_mean: must be at least 1, got 0.5"),
        ({"hourly_load": (1.0,) * 24}, "hourly_load: must hold 168 numbers"),
        ({"hourly_load": (0.0,) * 168}, "at least one above 0"),
        ({"hourly_load": (1.0,) * 168, "peak_to_mean": 2}, "must stand alone"),
        ({"timezone": "Asia/Shanghai"}, "timezone: is that of hourly_load, which is not given"),
        (
            {"hourly_load": (1.0,) * 168, "timezone": "Asia/Shangai"},
            "timezone: must be the name of a time zone such as",
        ),
        ({"lengths": [[1, 1, 1]]}, "lengths: must stand alone"),
        ({"cacheable_share": 1.2}, "cacheable_share: must be at most 1, got 1.2"),
        ({"growth_per_year": -1}, "growth_per_year: must be more than -1, got -1"),
    ],
)
def test_a_wrong_workload_is_refused(changes, problem):
    """Each wrong value is refused at the door, by name."""
    right = {"requests_per_month": 1, "input_tokens": 1, "output_tokens": 1}

    with pytest.raises(InvalidValueError) as error:
        Workload(**{**right, **changes})

    assert problem in str(error.value)


@pytest.mark.parametrize("rows", [[], [[1, 2]], [[1, 2, -1]], [[1, 2, 0]]])
def test_wrong_lengths_are_refused(rows):
    """A distribution needs rows of three numbers, none negative, and some weight."""
    with pytest.raises(InvalidValueError, match="lengths: must hold rows"):
        Lengths.of_table(rows)


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 12, 1), 1, date(2028, 1, 1)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 5, 15), -5, date(2025, 12, 15)),
    ],
)
def test_months_are_added_to_the_last_day_of_shorter_ones(start, months, expected):
    """The 31st of January plus a month is the end of February."""
    assert expected == add_months(start, months)


@given(st.dates(date(2024, 1, 1), date(2028, 12, 31)), st.integers(2, 40), st.data())
def test_a_window_has_the_days_of_its_months(start, months, data):
    """What begins later begins its months on the same days, also where a short month cut the first of them."""
    timeline = Timeline(start, months)
    first = data.draw(st.integers(0, months - 1))
    again = data.draw(st.integers(0, months - first - 1))

    window = timeline.window(first)

    assert window.days == timeline.days[first:]
    assert window.window(again) == timeline.window(first + again)
    assert [window.month_start(month) for month in (1, window.months)] == [
        timeline.month_start(first + month) for month in (1, window.months)
    ]


@pytest.mark.parametrize(("start", "wanted"), [((2026, 3, 31), 31), ((2026, 2, 27), 31), ((2026, 4, 30), 32)])
def test_months_begin_on_a_day_that_was_cut_short(start, wanted):
    """A day that the month of the start has, or that no month has, is refused."""
    with pytest.raises(InvalidValueError, match="begins_on: must be a later day, up to 31"):
        Timeline(date(*start), 3, begins_on=wanted)


@pytest.mark.parametrize("months", [0, -1, 1.5, True])
def test_a_timeline_needs_whole_months(months):
    """No months, or parts of one, are no timeline."""
    with pytest.raises(InvalidValueError, match="months: must be"):
        Timeline(date(2026, 1, 1), months)


def test_a_timeline_needs_a_date():
    """A text is no date."""
    with pytest.raises(InvalidValueError, match="start: must be a datetime.date such as"):
        Timeline("2026-01-01", 12)
