"""Hit rates that are read off a log."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.errors import InvalidValueError
from llm_tco.usage.similar import exact_hits, lru_curve, near_hits

PROMPTS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=80)
GAPS = st.lists(st.integers(0, 5), min_size=80, max_size=80)


def simulated(prompts, times, ttl, *, entries=10**9, renewed):
    """Run a cache request by request."""
    cache, hits = OrderedDict(), []
    for prompt, time in zip(prompts, times, strict=False):
        hit = prompt in cache and time - cache[prompt] <= ttl
        hits.append(hit)
        if not hit or renewed:
            cache[prompt] = time
        cache.move_to_end(prompt)
        if len(cache) > entries:
            cache.popitem(last=False)
    return hits


@given(PROMPTS, GAPS, st.integers(1, 40), st.booleans())
def test_exact_hits_are_those_of_a_cache_that_runs(prompts, gaps, ttl, renewed):
    """With and without renewal, and without end."""
    times = np.cumsum(gaps)[: len(prompts)]

    hits = exact_hits(prompts, seconds=times, ttl_s=ttl, renewed=renewed)

    assert hits.hit.tolist() == simulated(prompts, times, ttl, renewed=renewed)
    assert exact_hits(prompts).hit.tolist() == simulated(prompts, times, np.inf, renewed=True)
    assert hits.hit_rate == np.mean(hits.hit)
    assert hits.entries == len(prompts) - sum(hits.hit)


@given(PROMPTS, st.booleans())
def test_a_time_to_live_of_0_is_no_cache(prompts, renewed):
    """Law 57: nothing hits, even where all requests come at one moment."""
    at_once = np.zeros(len(prompts))

    assert exact_hits(prompts, seconds=at_once, ttl_s=0, renewed=renewed).hit_rate == 0
    assert lru_curve(prompts, seconds=at_once, ttl_s=0).hit_rate(100) == 0


@given(PROMPTS, GAPS, st.integers(1, 10), st.integers(1, 40))
def test_the_curve_is_that_of_a_cache_of_every_size(prompts, gaps, entries, ttl):
    """Exact at each size, with and without a time-to-live."""
    times = np.cumsum(gaps)[: len(prompts)]

    curve, short = lru_curve(prompts), lru_curve(prompts, seconds=times, ttl_s=ttl)

    assert curve.hits(entries).hit.tolist() == simulated(prompts, times, np.inf, entries=entries, renewed=True)
    assert short.hits(entries).hit.tolist() == simulated(prompts, times, ttl, entries=entries, renewed=True)
    assert curve.hit_rate(entries) == curve.hits(entries).hit_rate


@given(PROMPTS)
def test_a_larger_cache_never_hits_less_and_an_endless_one_is_exact(prompts):
    """The curve rises from 0 to the share of prompts that repeat."""
    curve = lru_curve(prompts)
    rates = curve.hit_rate(np.arange(10))

    assert rates[0] == 0
    assert (np.diff(rates) >= 0).all()
    assert rates[-1] == exact_hits(prompts).hit_rate


@given(st.lists(st.text(max_size=30), min_size=1, max_size=30), st.integers(0, 3))
def test_what_repeats_to_the_letter_is_near(prompts, seed):
    """Exact hits are near hits at any threshold, case and spaces aside, and the seed does not matter to them."""
    exact = exact_hits(prompts).hit

    for threshold in (0.5, 1.0):
        near = near_hits(prompts, threshold=threshold, seed=seed).hit
        assert (near | ~exact).all()
        assert np.array_equal(near, near_hits(prompts, threshold=threshold, seed=seed).hit)


def sets_of(prompts, size=5):
    """Give the runs of characters of each prompt."""
    return [{text[place : place + size] for place in range(max(len(text) - size + 1, 1))} for text in prompts]


def test_near_hits_are_those_of_comparing_all_with_all():
    """300 prompts of a few templates: what bands find is what brute force finds, but for one in a hundred."""
    rng = np.random.default_rng(3)
    words = ["price", "server", "model", "token", "cache", "router", "batch", "month", "energy", "cost"]
    prompts = [
        "what is the " + " ".join(rng.choice(words, 6)) + " of one " + rng.choice(words) + " in the data centre"
        for _ in range(300)
    ]
    entries, expected = [], []
    for shingles in sets_of(prompts):
        near = any(len(shingles & entry) >= 0.6 * len(shingles | entry) for entry in entries)
        expected.append(near)
        if not near:
            entries.append(shingles)

    found = near_hits(prompts, threshold=0.6).hit

    assert 30 < sum(expected) < 270
    assert (found == np.array(expected)).mean() > 0.99


def test_prompts_that_differ_in_a_word_are_near_and_others_are_not():
    """A rephrased question is not: shingles compare letters, not meanings."""
    prompts = [
        "How do I reset the password of my account on the web site?",
        "how do I reset the password of my  account on the website?",
        "I forgot my login. What now?",
        "How do I reset the password of my account on the web site?",
    ]

    assert near_hits(prompts, threshold=0.8).hit.tolist() == [False, True, False, True]
    assert near_hits(prompts, threshold=0.99).hit.tolist() == [False, False, False, True]


def test_chinese_prompts_are_near_by_short_shingles():
    """One word in eleven characters: of the runs of five most differ, of the runs of two most are the same."""
    prompts = ["请问如何重置我的密码？", "请问怎样重置我的密码？", "请问如何重置我的密码?", "请问营业时间是几点？"]

    assert near_hits(prompts, threshold=0.5).hit.tolist() == [False, False, True, False]
    assert near_hits(prompts, threshold=0.5, shingle=2).hit.tolist() == [False, True, True, False]


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30))
def test_width_and_case_make_no_difference(prompt):
    """What an input method writes in full width is the same prompt."""
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in prompt)

    assert near_hits([prompt, wide, prompt.upper()], threshold=1.0).hit.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: exact_hits([]), "prompts: must hold at least one prompt"),
        (lambda: exact_hits("abc"), "prompts: must hold at least one prompt"),
        (lambda: exact_hits(["a"], ttl_s=1), "seconds: is missing: a time-to-live needs"),
        (lambda: exact_hits(["a", "b"], seconds=[1.0, 0.0], ttl_s=1), "seconds: must hold 2 times in rising order"),
        (lambda: exact_hits(["a"], seconds=[1.0], ttl_s=-1), "ttl_s: must be at least 0"),
        (lambda: lru_curve(["a"]).hit_rate(1.5), "entries: must be whole numbers"),
        (lambda: near_hits(["a"], threshold=0), "threshold: must be above 0"),
        (lambda: near_hits(["a"], shingle=0), "shingle: must be at least 1"),
    ],
)
def test_a_wrong_log_is_refused_by_name(make, problem):
    """Each wrong value is refused where it is given."""
    with pytest.raises(InvalidValueError) as error:
        make()

    assert str(error.value).startswith(problem)
