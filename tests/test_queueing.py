"""Queues: exact where theory is exact, and no more replicas than a wait needs."""

from __future__ import annotations

import math
import statistics

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.errors import InvalidValueError
from llm_tco.serving.queueing import (
    WaitTarget,
    erlang_c,
    idle_probability,
    load_for,
    mean_wait_s,
    replicas_for,
    wait_percentile_s,
)

TARGETS = st.builds(
    WaitTarget,
    max_wait_s=st.floats(0.01, 100.0),
    percentile=st.none() | st.floats(0.05, 0.999),
    arrival_cv=st.floats(0.0, 2.0),
    service_cv=st.floats(0.0, 4.0),
)


def by_definition(slots, load):
    """Give the probability of waiting and of an empty queue from the sums of the textbook."""
    term, below = 1.0, 0.0
    for count in range(slots):
        below += term
        term *= load / (count + 1)
    queued = term / (1 - load / slots)
    return queued / (below + queued), 1 / (below + queued)


def by_recursion(slots, load):
    """Give the probability of waiting for 1, 2, … slots by Erlang's recursion, one slot after the other."""
    unblocked, found = 1.0, []
    for count in range(1, slots + 1):
        unblocked = 1.0 + unblocked * count / load
        found.append(1.0 if load >= count else 1.0 / (load / count + (1.0 - load / count) * unblocked))
    return found


def keeps(target, waiting, slots, load, service_s):
    """Say in plain words whether a probability of waiting keeps a target."""
    if slots <= load:
        return False
    mean_if_waiting = service_s / (slots - load) * (target.arrival_cv**2 + target.service_cv**2) / 2
    if target.percentile is None:
        return waiting * mean_if_waiting <= target.max_wait_s
    longer = math.exp(-target.max_wait_s / mean_if_waiting) if mean_if_waiting else 0.0
    return waiting * longer <= 1 - target.percentile


def wait_of(target, slots, load, service_s):
    """Give the wait that a target is about."""
    spread = {"arrival_cv": target.arrival_cv, "service_cv": target.service_cv}
    if target.percentile is None:
        return float(mean_wait_s(slots, load, service_s, **spread))
    return float(wait_percentile_s(target.percentile, slots, load, service_s, **spread))


@given(st.integers(1, 150), st.floats(0.0, 0.999))
def test_the_probability_of_waiting_is_erlangs(slots, used):
    """The recursion equals the sums of the definition, and so does the empty queue."""
    waiting, empty = by_definition(slots, slots * used)

    assert np.isclose(erlang_c(slots, slots * used), waiting, rtol=1e-9, atol=1e-300)
    assert np.isclose(idle_probability(slots, used), empty, rtol=1e-9, atol=1e-12)


@given(st.integers(1, 20_000), st.floats(0.0, 6.0), st.booleans())
def test_thousands_of_slots_wait_as_the_recursion_says(slots, away, near):
    """Near its capacity as well as far from it, a large queue is right to twelve digits."""
    load = slots - min(away * math.sqrt(slots), slots * 0.999) if near else slots * min(away / 6.0, 0.9999) + 1e-3

    assert np.isclose(erlang_c(slots, load), by_recursion(slots, load)[-1], rtol=1e-11, atol=1e-300)


@given(st.floats(0.01, 5.0))
def test_a_billion_slots_wait_as_in_the_limit(beta):
    """With β·√c slots free, C tends to 1 / (1 + √(2π)·β·Φ(β)·exp(β²/2)) (Halfin and Whitt, 1981)."""
    slots = 1e9
    limit = 1 / (1 + math.sqrt(2 * math.pi) * beta * statistics.NormalDist().cdf(beta) * math.exp(beta**2 / 2))

    assert np.isclose(erlang_c(slots, slots - beta * math.sqrt(slots)), limit, rtol=2e-3)


@given(TARGETS, st.floats(0.001, 150.0), st.integers(1, 40), st.floats(0.01, 1_000.0))
def test_replicas_are_those_of_a_search_one_by_one(target, busy, slots, service_s):
    """Trying one replica after the other finds the same number."""
    load = busy * slots
    (found,) = replicas_for(target, np.array([busy]), slots, np.array([service_s]), np.ceil(np.array([busy])))
    waits = by_recursion(int(found + 1) * slots, load)

    kept = [
        keeps(target, waits[count * slots - 1], count * slots, load, service_s) for count in range(1, int(found) + 2)
    ]

    # At the very border of a wait the last digit decides, and either answer is right.
    border = attrs.evolve(target, max_wait_s=target.max_wait_s * (1 + 1e-9))
    assert kept[int(found) - 1] or keeps(border, waits[int(found) * slots - 1], found * slots, load, service_s)
    assert not any(kept[: int(found) - 1])


@given(TARGETS, st.integers(1, 60), st.integers(1, 40), st.floats(0.01, 1_000.0))
def test_the_load_of_a_wait_is_that_of_halving(target, replicas, slots, service_s):
    """Halving the interval with Erlang's recursion finds the same load."""
    count, low, high = replicas * slots, 0.0, float(replicas * slots)
    (busy,) = load_for(target, np.array([float(replicas)]), slots, np.array([service_s]))
    for _ in range(36):
        middle = (low + high) / 2
        kept = keeps(target, by_recursion(count, middle)[-1], count, middle, round(service_s, 9))
        low, high = (middle, high) if kept else (low, middle)

    assert np.isclose(busy * slots, low, rtol=1e-9, atol=1e-8 * count)


@given(st.integers(1, 2_000), st.lists(st.floats(0.0, 1.2), min_size=2, max_size=5).map(sorted))
def test_more_load_waits_more_and_idles_less(slots, used):
    """Probabilities stay in their range and move one way."""
    ratio = np.array(used)
    waiting, still = erlang_c(slots, slots * ratio), idle_probability(slots, ratio)

    assert (np.diff(waiting) >= -1e-12).all()
    assert (np.diff(still) <= 1e-12).all()
    assert ((waiting >= 0) & (waiting <= 1) & (still >= 0) & (still <= 1)).all()
    assert (waiting[ratio >= 1] == 1).all()
    assert (still <= np.maximum(1 - ratio, 0) + 1e-12).all()


@given(st.floats(0.01, 0.99), st.floats(0.1, 100.0), st.floats(0.0, 3.0))
def test_one_slot_waits_as_pollaczek_and_khinchine_say(used, service_s, service_cv):
    """With Poisson arrivals and one slot the mean wait is exact for any distribution of service."""
    expected = used / (1 - used) * service_s * (1 + service_cv**2) / 2

    assert np.isclose(mean_wait_s(1, used, service_s, service_cv=service_cv), expected)


@given(st.floats(0.01, 0.99), st.floats(0.1, 10.0), st.floats(0.01, 0.999))
def test_the_percentile_of_one_slot_is_exact(used, service_s, percentile):
    """In an M/M/1 queue P(wait > t) = u·exp(−(1 − u)·t/S)."""
    wait = float(wait_percentile_s(percentile, 1, used, service_s))
    longer = used * math.exp(-(1 - used) * wait / service_s)

    assert np.isclose(longer, 1 - percentile) or (wait == 0 and used <= 1 - percentile + 1e-12)


@given(TARGETS, st.lists(st.integers(0, 3_000), min_size=2, max_size=4), st.integers(1, 300))
def test_rooms_of_a_batch_are_the_scalar_runs(target, replicas, slots):
    """Law 73: what stands beside a fleet does not change the load that it may carry, to the last bit."""
    owned, service = np.array(replicas, float), np.full(len(replicas), 2.0)
    batch = load_for(target, owned, slots, service)

    for row, count in enumerate(owned):
        assert batch[row] == load_for(target, np.array([count]), slots, service[:1])[0]


def test_textbook_figures():
    """Ten slots at a load of eight: 40.9 % wait, as tables of Erlang's C formula have it."""
    assert np.isclose(erlang_c(10, 8), 0.4092, atol=5e-5)
    assert np.isclose(erlang_c(2, 1), 1 / 3)
    assert mean_wait_s(2, 2, 1) == np.inf


def test_a_simulated_queue_waits_as_long():
    """Two hundred thousand requests through four slots wait within 5 % of the formula."""
    random = np.random.default_rng(7)
    arrivals = np.cumsum(random.exponential(1 / 3.2, 200_000))
    free_at, waits = [0.0] * 4, []
    for moment, service in zip(arrivals, random.exponential(1.0, arrivals.size), strict=True):
        begin = max(moment, min(free_at))
        free_at[free_at.index(min(free_at))] = begin + service
        waits.append(begin - moment)

    assert np.isclose(np.mean(waits), mean_wait_s(4, 3.2, 1.0), rtol=0.05)
    assert np.isclose(np.quantile(waits, 0.95), wait_percentile_s(0.95, 4, 3.2, 1.0), rtol=0.05)


@given(TARGETS, st.floats(0.0, 40.0), st.integers(1, 20), st.floats(0.1, 100.0), st.integers(0, 5))
def test_no_replica_is_missing_and_none_is_too_many(target, busy, slots, service_s, more):
    """The replicas keep the wait, and one fewer would not or would carry less than the load."""
    least = np.ceil(np.array([busy])) + more
    (found,) = replicas_for(target, np.array([busy]), slots, np.array([service_s]), least)

    assert found == round(found)
    assert found >= least[0]
    if busy > 0:
        limit = target.max_wait_s * (1 + 1e-6) + 1e-9
        assert wait_of(target, found * slots, busy * slots, service_s) <= limit
        if found > max(least[0], 1):
            fewer = (found - 1) * slots
            assert fewer <= busy * slots or wait_of(target, fewer, busy * slots, service_s) >= limit * (1 - 1e-5) - 2e-9


@given(TARGETS, st.integers(1, 12), st.integers(1, 20), st.floats(0.1, 100.0))
def test_the_load_that_a_wait_allows_is_the_highest(target, replicas, slots, service_s):
    """At that load the wait is kept, and a little above it is not."""
    (busy,) = load_for(target, np.array([float(replicas)]), slots, np.array([service_s]))
    count = replicas * slots

    assert 0 <= busy < replicas
    service_s = round(service_s, 9)
    if busy > 1e-6:
        assert wait_of(target, count, busy * slots, service_s) <= target.max_wait_s * (1 + 1e-6) + 1e-9
    above = min(busy * 1.001 + 1e-6, replicas)
    assert above * slots >= count or wait_of(target, count, above * slots, service_s) >= target.max_wait_s * (1 - 1e-6)


@given(TARGETS, st.lists(st.floats(0.0, 30.0), min_size=2, max_size=4), st.integers(1, 9))
def test_rows_of_a_batch_are_the_scalar_runs(target, loads, slots):
    """Law 73: what stands beside a load does not change its replicas."""
    busy, service = np.array(loads)[:, None], np.full((len(loads), 1), 2.0)
    batch = replicas_for(target, busy, slots, service, np.ceil(busy))

    for row, one in enumerate(busy):
        assert batch[row] == replicas_for(target, one, slots, service[row], np.ceil(one))


def test_millions_of_slots_are_counted_as_well():
    """Large fleets need few replicas above their load, and keep the wait."""
    target = WaitTarget(max_wait_s=0.5, percentile=0.99)
    busy = np.array([0.0, 2_000.0, 200_000.0])
    found = replicas_for(target, busy, 16, np.full(3, 30.0), np.ceil(busy))

    assert found[0] == 0
    assert (found[1:] >= busy[1:]).all()
    assert (found[1:] <= busy[1:] * 1.02).all()
    assert (wait_percentile_s(0.99, found[1:] * 16, busy[1:] * 16, 30.0) <= 0.5).all()


def test_draws_of_a_target_have_rows_of_their_own():
    """A target with draws gives replicas for each."""
    target = WaitTarget(max_wait_s=np.array([0.1, 10.0]))
    busy, service = np.array([0.0, 3.0]), np.array([0.0, 4.0])
    found = replicas_for(target, busy, 4, service, np.ceil(busy))
    room = load_for(target, np.full(2, 5.0), 4, service)

    for row, most in enumerate((0.1, 10.0)):
        alone = attrs.evolve(target, max_wait_s=most)
        assert np.array_equal(found[row], replicas_for(alone, busy, 4, service, np.ceil(busy)))
        assert np.allclose(room[row], load_for(alone, np.full(2, 5.0), 4, service))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"max_wait_s": -1}, "max_wait_s: must be at least 0, got -1"),
        ({"max_wait_s": 0}, "max_wait_s: must be more than 0 for a mean; a percentile may be without wait"),
        ({"percentile": 1}, "percentile: must be below 1, such as 0.95, got 1.0"),
        ({"percentile": 0}, "percentile: must be more than 0, got 0"),
        ({"service_cv": -0.1}, "service_cv: must be at least 0, got -0.1"),
    ],
)
def test_a_wrong_target_is_refused(changes, problem):
    """Each wrong value is refused by name."""
    with pytest.raises(InvalidValueError) as error:
        WaitTarget(**{"max_wait_s": 1, **changes})

    assert str(error.value) == problem


def test_nobody_waits_where_a_share_is_served_at_once():
    """A percentile may ask for no wait at all."""
    target = WaitTarget(max_wait_s=0, percentile=0.9)
    (found,) = replicas_for(target, np.array([8.0]), 1, np.array([1.0]), np.array([8.0]))

    assert erlang_c(found, 8) <= 0.1 < erlang_c(found - 1, 8)
