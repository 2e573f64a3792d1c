"""Batches that form, what batching gains, and work that can wait."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.components.base import Stack
from llm_tco.components.batching import Deferral, deferred
from llm_tco.components.capital import Purchase
from llm_tco.components.router import Route
from llm_tco.components.spill import SpillOver
from llm_tco.demand import Workload
from llm_tco.errors import InvalidValueError
from llm_tco.loadshape import FLAT, HourOfWeek, Peak
from llm_tco.serving.batching import batches_of_poisson, batches_of_trace, gain_between, with_gain
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

TIMELINE = Timeline(date(2026, 12, 1), 12)


def one_by_one(times, window, largest):
    """Form batches as a server would, request by request: sizes and waits."""
    batches, open_until = [], -np.inf
    for time in sorted(times):
        if not batches or time > open_until or len(batches[-1]) == largest:
            batches.append([])
            open_until = time + window
        batches[-1].append(time)
    sizes = [len(batch) for batch in batches]
    waits = [(batch[-1] if len(batch) == largest else batch[0] + window) - time for batch in batches for time in batch]
    return sizes, waits


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.integers(0, 50), st.integers(1, 9))
def test_batches_of_a_trace_are_those_of_a_server(times, window, largest):
    """Equal to forming them request by request, ties and window ends included."""
    batches = batches_of_trace(times, window_s=window, largest=largest)

    sizes, waits = one_by_one(times, window, largest)
    assert np.allclose(batches.shares * len(sizes), np.bincount(sizes, minlength=largest + 1)[1:])
    assert np.isclose(batches.mean_size, len(times) / len(sizes))
    assert np.isclose(batches.mean_wait_s, np.mean(waits))


@pytest.mark.parametrize(
    ("rate", "window", "largest"), [(4, 0.5, 8), (40, 0.5, 8), (1, 0.5, 8), (10, 1, 64), (3, 2, 2)]
)
def test_the_closed_form_is_what_a_long_trace_gives(rate, window, largest):
    """300,000 requests at random: sizes, waiting and rate of the batches agree."""
    times = np.cumsum(np.random.default_rng(7).exponential(1 / rate, 300_000))

    seen = batches_of_trace(times, window_s=window, largest=largest)
    told = batches_of_poisson(rate, window_s=window, largest=largest)

    assert np.allclose(seen.shares, told.shares, atol=0.005)
    assert np.isclose(seen.mean_size, told.mean_size, rtol=0.005)
    assert np.isclose(seen.mean_wait_s, told.mean_wait_s, rtol=0.01)
    assert np.isclose(seen.batches_per_s, told.batches_per_s, rtol=0.01)


@given(st.floats(1e-3, 1e3), st.floats(0.0, 10.0), st.integers(1, 200))
def test_the_closed_form_keeps_its_bounds(rate, window, largest):
    """Shares are a distribution, a batch holds 1 to the largest, and nobody waits longer than the window."""
    batches = batches_of_poisson(rate, window_s=window, largest=largest)

    assert np.isclose(batches.shares.sum(), 1.0)
    assert (batches.shares >= 0).all()
    assert 1 - 1e-9 <= batches.mean_size <= min(largest, 1 + rate * window) * (1 + 1e-9)
    assert 0 <= batches.mean_wait_s <= window * (1 + 1e-9)


def test_the_window_and_batch_of_the_seeds():
    """500 ms and 8: at one request a second nothing batches, at 4 three do, at 40 it is full at once."""
    batches = batches_of_poisson(np.array([0.1, 1.0, 4.0, 40.0]), window_s=0.5, largest=8)

    assert np.allclose(batches.mean_size, [1.05, 1.5, 3.0, 8.0], atol=0.002)
    assert np.allclose(batches.mean_wait_s, [0.488, 0.417, 0.3325, 0.0875], atol=0.001)


def test_a_request_pays_its_part_of_a_batch():
    """A batch costs 0.7 and 0.1 a request: 0.8 alone, 0.1875 in a full one, and between by what forms."""
    cost = 0.7 + 0.1 * np.arange(1, 9)

    alone, some, full = batches_of_poisson(np.array([1e-9, 4.0, 1e6]), window_s=0.5, largest=8).per_request(cost)
    trace = batches_of_trace([0.0, 0.1, 0.2, 2.0], window_s=0.5, largest=8)

    assert np.isclose(alone, 0.8)
    assert np.isclose(some, 0.1 + 0.7 / 2.99861, rtol=1e-5)
    assert np.isclose(full, 0.1875)
    assert np.isclose(trace.per_request(cost), (0.8 + 1.0) / 4)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: batches_of_trace([], window_s=1, largest=2), "seconds"),
        (lambda: batches_of_trace([1.0], window_s=-1, largest=2), "window_s"),
        (lambda: batches_of_trace([1.0], window_s=1, largest=0), "largest"),
        (lambda: batches_of_poisson(0, window_s=1, largest=2), "requests_per_s"),
        (lambda: batches_of_poisson(1, window_s=1, largest=2).per_request([1.0]), "of_batch"),
    ],
)
def test_wrong_arrivals_are_refused_by_name(make, field):
    """Each wrong value is refused where it is given."""
    with pytest.raises(InvalidValueError, match=f"^{field}: must"):
        make()


@given(own.throughputs(), st.floats(-0.9, 10.0))
def test_a_gain_that_is_stated_is_read_off_again(throughput, gain):
    """+300 % is four times the throughput: the gain between both operating points is the stated one."""
    batched = with_gain(throughput, gain)

    assert np.isclose(gain_between(throughput, batched, input_tokens=700, output_tokens=300), gain)
    assert batched.estimate
    assert "batching was taken to change it" in batched.note


def test_a_gain_of_300_percent_needs_a_quarter_of_the_hours():
    """The seeds' figure, as an input of the fleet's throughput."""
    rate = own.Throughput(gpu="gpu", model="m", quantisation="q", output_tokens_per_s=100, source=own.SOURCE)
    server = own.Server(key="box", name="Box", gpu="gpu", idle_w=1, peak_w=2, source=own.SOURCE)
    demand = Workload(requests_per_month=50_000, input_tokens=0, output_tokens=300).on(TIMELINE)

    hours = [own.Fleet(server=server, throughput=one).size(demand).busy_hours[1] for one in (rate, with_gain(rate, 3))]

    assert np.isclose(hours[0], 4 * hours[1])
    with pytest.raises(InvalidValueError, match="gain: must be a number above -1"):
        with_gain(rate, -1)


@given(own.hourly_loads(), st.floats(0.0, 1.0), st.sampled_from(["week", "day"]))
def test_what_waits_is_not_lost_and_lowers_the_peak_as_far_as_it_can(loads, share, within):
    """The mean stays, no hour rises above what its valley needs, and no flatter load is possible."""
    before = HourOfWeek(loads)

    after = deferred(before, share, within=within)

    hours, old = np.array(after.loads), np.array(before.loads)
    blocks = (7, 24) if within == "day" else (1, 168)
    kept, new = (old * (1 - share)).reshape(blocks), hours.reshape(blocks)
    assert np.allclose(new.sum(axis=1), old.reshape(blocks).sum(axis=1))
    assert (new >= kept - 1e-9).all()
    least = np.maximum(kept.max(axis=1), old.reshape(blocks).mean(axis=1))
    assert np.allclose(new.max(axis=1), least)


@given(own.fleets(fixed=False), own.workloads(), st.floats(0.0, 1.0))
def test_a_fleet_needs_no_more_servers_when_work_waits(fleet, workload, share):
    """A deferral never needs more servers and conserves the requests."""
    demand = workload.on(TIMELINE)
    local = Purchase(fleet, life_years=3)

    waiting = Deferral(local, share=share).cost(demand)

    (load,) = waiting.loads.values()
    assert np.array_equal(load.demand.requests, demand.requests)
    assert waiting.amounts("CNY").sum() <= local.cost(demand).amounts("CNY").sum() * (1 + 1e-9)


@given(st.floats(1.0, 50.0), st.floats(0.0, 1.0))
def test_of_a_load_with_only_a_peak_the_idle_time_is_filled(peak, share):
    """What cannot wait keeps its peak; all of it waiting is a flat load."""
    after = deferred(Peak(peak), share)

    assert np.isclose(after.peak, max(peak * (1 - share), 1.0))
    assert deferred(Peak(peak), 1.0).peak == FLAT.peak


def test_a_night_of_batch_work_saves_a_server():
    """Ten busy hours a day need three boxes; with 40 % of the work in the night, two."""
    day = [0.0] * 8 + [1.0] * 10 + [0.0] * 6
    workload = Workload(requests_per_month=10_000, input_tokens=0, output_tokens=1, hourly_load=tuple(day * 7))
    server = own.Server(
        key="box", name="Box", idle_w=100, peak_w=500, source=own.SOURCE,
        parts=(own.Part(name="all", price=own.Money.parse("1000 CNY")),),
    )  # fmt: skip
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=10_000 / 2_628_000, source=own.SOURCE)
    local = Purchase(own.Fleet(server=server, throughput=rate), life_years=3)

    def bought(component):
        return component.cost(workload.on(TIMELINE)).amounts("CNY")[0] / 1_000

    assert bought(local) == 3
    assert bought(Deferral(local, share=0.4, within="day")) == 2
    assert bought(Deferral(local, share=0.9)) == 1


@given(own.fleets(fixed=True), own.hourly_loads(), st.floats(0.0, 1.0))
def test_idle_servers_carry_what_waits(fleet, loads, share):
    """A fleet of a fixed number leaves no more unserved, and a spill-over behind it spills no more."""
    workload = Workload(requests_per_month=500_000, input_tokens=900, output_tokens=300, hourly_load=loads)
    demand = workload.on(TIMELINE)
    local = Purchase(fleet, life_years=3)

    before, after = (one.cost(demand).unserved for one in (local, Deferral(local, share=share)))

    assert (after <= before * (1 + 1e-9) + 1e-6).all()


def test_a_deferral_says_what_it_cannot_do():
    """Draws of the share with known hours, days without hours, and a slice of a curve are refused."""
    week = HourOfWeek(tuple(range(168)))
    with pytest.raises(InvalidValueError, match="share: must be one number"):
        deferred(week, np.array([0.1, 0.2]))
    with pytest.raises(InvalidValueError, match="within: must be 'week'"):
        deferred(Peak(2.0), 0.5, within="day")
    assert np.allclose(deferred(Peak(4.0), np.array([0.0, 0.5])).peak.ravel(), [4, 2])
    server = own.Server(key="box", name="Box", idle_w=1, peak_w=2, source=own.SOURCE)
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=0.001, source=own.SOURCE)
    fleet = own.Fleet(server=server, throughput=rate, count=1)
    waiting = SpillOver(
        fleet=fleet,
        local=Route(Purchase(fleet, life_years=1, price="1 CNY")),
        overflow=Route(Deferral(Stack(), share=0.5)),
    )
    with pytest.raises(InvalidValueError, match="only a slice of the load curve"):
        waiting.cost(Workload(requests_per_month=9_000, input_tokens=1, output_tokens=1, peak_to_mean=3).on(TIMELINE))
