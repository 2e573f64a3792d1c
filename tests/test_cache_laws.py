"""The laws of caches (54 to 58), and what a cache saves."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco.analysis.caches import cache_case
from llm_tco.analysis.compare import compare
from llm_tco.components.amounts import Monthly, OneOff
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Stack
from llm_tco.components.cache import SemanticCache, hit_share_of_ttl, warmth
from llm_tco.components.capital import Purchase
from llm_tco.components.prompt_cache import (
    PromptCache,
    break_even_hit_rate,
    break_even_uses,
    hit_rate_of_uses,
    prefill_hours_saved,
    uses_of_hit_rate,
)
from llm_tco.components.router import Route, Router
from llm_tco.demand import Lengths, Stream, Workload
from llm_tco.errors import InfeasibleError, InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.testing import laws, mixes
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline
from llm_tco.usage.similar import HitCounts

TIMELINE = Timeline(date(2026, 12, 1), 36)
TEAM = Workload(requests_per_month=50_000, input_tokens=500, output_tokens=300)
CASES = json.loads((Path(__file__).parent / "reference" / "cache_cases.json").read_text("utf-8"))
RATIO = st.floats(0.0, 1.0)


def by_request(amount="0.15", currency="CNY", **changes):
    """Make an API that charges a fee for each request and nothing for tokens."""
    price = own.TokenPrice(
        provider="p", model="m", currency=currency, input=0, output=0, per_request=amount, source=own.SOURCE
    )
    return ApiUsage(attrs.evolve(price, **changes))


def box(**changes):
    """Make a fleet whose servers each carry 10,000 requests a month."""
    server = own.Server(
        key="box", name="Box", idle_w=100, peak_w=500, source=own.SOURCE,
        parts=(own.Part(name="all", price=own.Money.parse("36000 CNY")),),
    )  # fmt: skip
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=10_000 / 2_628_000, source=own.SOURCE)
    return own.Fleet(**{"server": server, "throughput": rate, **changes})


def cny(component, demand):
    """Give the amounts of a component by month."""
    return component.cost(demand).amounts("CNY")


@given(mixes.caches(), laws.demands())
def test_caches_keep_the_laws_of_components(cache, demand):
    """What stands in front of a component is a component."""
    laws.component(cache, demand)


@given(own.fleet_components(), st.data(), laws.demands())
def test_caches_in_front_of_fleets_keep_them_too(inner, data, demand):
    """Whole servers behind a cache are no special case."""
    laws.component(data.draw(mixes.caches(st.just(inner))), demand)


@given(own.components(), laws.demands(), own.money(), own.money(max_value=10), st.sampled_from(["hit_rate", "ttl_h"]))
def test_a_cache_that_never_hits_costs_what_it_costs_itself(inner, demand, upkeep, fee, zero):
    """Laws 54 and 57: hit rate 0, or a time-to-live of 0, is the baseline and the cache's own cost."""
    cache = SemanticCache(inner, **{"hit_rate": 0.7, zero: 0.0}, upkeep_per_month=upkeep, fee_per_lookup=fee)

    ledger = cache.cost(demand)

    base = cny(inner, demand)
    expected = base + np.where(demand.timeline.index > 0, upkeep.value, 0.0) + demand.requests * fee.value
    assert np.allclose(ledger.amounts("CNY"), expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected).max()))


@given(own.token_prices("CNY"), own.workloads(), st.lists(RATIO, min_size=2, max_size=5), RATIO)
def test_the_saving_grows_with_the_hit_rate(price, workload, rates, precision):
    """Law 55: in front of what is linear in demand, a higher hit rate never saves less."""
    demand = workload.on(TIMELINE)

    costs = [
        SemanticCache(ApiUsage(price), hit_rate=rate, precision=precision).cost(demand).amounts("CNY").sum()
        for rate in sorted(rates)
    ]

    assert (np.diff(costs) <= 1e-9 * (1 + costs[0])).all()


@given(own.fleets(fixed=False), own.workloads(), RATIO, RATIO)
def test_a_cache_never_buys_servers(fleet, workload, rate, other):
    """Law 55 on whole servers: a higher hit rate needs as many of them or fewer."""
    demand = workload.on(TIMELINE)
    low, high = sorted((rate, other))
    few, many = (cny(SemanticCache(Purchase(fleet, life_years=3), hit_rate=one), demand) for one in (high, low))

    assert few.sum() <= many.sum() * (1 + 1e-12)


@given(own.token_prices("CNY"), own.workloads(), RATIO, RATIO, own.money(max_value=10))
def test_wrong_hits_are_asked_again_or_accepted_at_a_loss(price, workload, rate, precision, loss):
    """Law 58: a wrong hit costs a request behind the cache; one that is accepted, its stated loss."""
    demand = workload.on(TIMELINE)
    inner = ApiUsage(price)
    base = cny(inner, demand)
    hits = workload.cacheable_share * rate
    wrong = hits * (1 - precision)

    again = cny(SemanticCache(inner, hit_rate=rate, precision=precision), demand)
    accepted = SemanticCache(inner, hit_rate=rate, precision=precision, wrong_hit="accepted", loss_per_wrong_hit=loss)

    tolerance = {"rtol": 1e-9, "atol": 1e-9 * (1 + base.max())}
    assert np.allclose(again, base * (1 - hits + wrong), **tolerance)
    expected = base * (1 - hits) + demand.requests * wrong * loss.value
    assert np.allclose(cny(accepted, demand), expected, rtol=1e-9, atol=1e-9 * (1 + expected.max()))


@given(own.workloads(), RATIO, st.floats(0.0, 1e4), st.floats(0.01, 1e4), st.booleans())
def test_a_time_to_live_lowers_the_hit_rate(workload, rate, ttl, reuse, renewed):
    """A longer time-to-live never hits less, an endless one is none, and a renewed entry lives longer."""
    demand = workload.on(TIMELINE)

    def hits(**changes):
        return SemanticCache(by_request(), hit_rate=rate, **changes).hit_rates(demand)[..., 1]

    some = hits(ttl_h=ttl, reuse_h=reuse, renewed=renewed)

    assert 0 <= some <= hits(ttl_h=ttl * 2, reuse_h=reuse, renewed=renewed) + 1e-12 <= rate + 1e-11
    assert hits(ttl_h=ttl, reuse_h=reuse) <= hits(ttl_h=ttl, reuse_h=reuse, renewed=True) + 1e-12
    assert np.isclose(hits(ttl_h=1e15, reuse_h=reuse), rate)


def test_the_share_in_time_is_that_of_a_simulation():
    """Repetitions at random: what a walk over 200,000 of them counts is what the formula says."""
    gaps = np.random.default_rng(1).exponential(2.0, 200_000)
    times = np.cumsum(gaps)
    fixed, last = 0, -np.inf
    for time in times.tolist():
        if time - last <= 3.0:
            fixed += 1
        else:
            last = time

    assert np.isclose(fixed / times.size, hit_share_of_ttl(3.0, 2.0), atol=0.005)
    assert np.isclose((gaps <= 3.0).mean(), hit_share_of_ttl(3.0, 2.0, renewed=True), atol=0.005)


@given(own.workloads(), st.floats(0.1, 60.0))
def test_a_cache_warms_up_evenly_over_months(workload, months):
    """Over the whole warm-up it answers half of what a warm cache would, and all of it from then on."""
    demand = attrs.evolve(workload, growth_per_year=0.0).on(Timeline(date(2026, 1, 1), 60))

    warm = warmth(demand, months=months)[1:]

    assert (np.diff(warm) >= -1e-12).all()
    assert np.isclose(warm.sum(), 60 - months / 2)
    assert np.allclose(warm[int(np.ceil(months)) :], 1.0)


@given(own.workloads(), st.floats(1.0, 1e7))
def test_a_cache_warms_up_with_the_requests_that_it_sees(workload, needed):
    """Twice the requests warm it in half the time, and what it has answered is what its warmth says."""
    demand = attrs.evolve(workload, cacheable_share=1.0).on(TIMELINE)

    warm = warmth(demand, requests=needed)

    seen = np.cumsum(demand.requests)
    whole = seen >= needed
    answered = np.cumsum(warm * demand.requests)
    expected = np.where(whole, seen - needed / 2, seen**2 / (2 * needed))
    assert np.allclose(answered, expected, rtol=1e-9)
    assert np.allclose(warmth(demand.scaled(2.0), requests=2 * needed), warm, rtol=1e-12)


def test_draws_of_every_number_of_a_cache_are_rows():
    """Hit rate, precision, time-to-live and warm-up broadcast: a row is the run of its draw."""
    rng = np.random.default_rng(2)
    draws = {
        "hit_rate": rng.uniform(0, 1, 5), "precision": rng.uniform(0, 1, 5), "ttl_h": rng.uniform(0, 9, 5),
        "reuse_h": rng.uniform(1, 9, 5), "warm_up_months": rng.uniform(0, 30, 5),
    }  # fmt: skip
    demand = attrs.evolve(TEAM, cacheable_share=0.8, growth_per_year=0.3).on(TIMELINE)

    many = cny(SemanticCache(SemanticCache(by_request(), hit_rate=0.2), **draws), demand)

    for place in range(5):
        single = SemanticCache(
            SemanticCache(by_request(), hit_rate=0.2), **{name: float(values[place]) for name, values in draws.items()}
        )
        assert np.allclose(many[place], cny(single, demand), rtol=1e-12)


@given(st.floats(1e-6, 1e3), st.floats(0.0, 0.99), st.floats(1e-3, 5.0))
def test_break_even_of_a_prompt_cache_makes_a_round_trip(price, read, premium):
    """Law 56: at the break-even rate the saving is 0, below it a loss, and uses and rates are one thing."""
    read_price, write_price = price * read, price * (1 + premium)
    rate = break_even_hit_rate(price, read_price, write_price)
    uses = break_even_uses(price, read_price, write_price)

    def saving(hit_rate):
        return price - (hit_rate * read_price + (1 - hit_rate) * write_price)

    assert np.isclose(saving(rate), 0.0, atol=1e-9 * write_price)
    assert saving(rate * 0.99) < 0 < saving(min(rate * 1.01 + 1e-9, 1.0)) or rate > 0.99
    assert np.isclose(uses * price, write_price + (uses - 1) * read_price)
    assert np.isclose(hit_rate_of_uses(uses), rate)
    assert np.isclose(uses_of_hit_rate(hit_rate_of_uses(uses)), uses)


def test_a_write_premium_of_a_quarter_pays_from_the_second_use_on():
    """Reads at a tenth and writes at 1.25 or twice the input price: 21.7 % and 52.6 %, 1.28 and 2.11 uses."""
    assert np.round(break_even_hit_rate(1.0, 0.1, np.array([1.25, 2.0])), 4).tolist() == [0.2174, 0.5263]
    assert np.round(break_even_uses(1.0, 0.1, np.array([1.25, 2.0])), 2).tolist() == [1.28, 2.11]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: hit_share_of_ttl(1.0, 0.0), "reuse: must be above 0, got 0"),
        (lambda: hit_share_of_ttl(-1.0, 1.0), "ttl: must be a number of at least 0, got -1"),
        (lambda: hit_share_of_ttl([1.0, np.inf], 1.0), "ttl: must be a number of at least 0"),
        (lambda: uses_of_hit_rate([0.5, 1.0]), "hit_rate: must be below 1, got 1"),
        (lambda: hit_rate_of_uses(0), "uses: must be above 0, got 0"),
        (lambda: PromptCache(Stack(), hit_rate=0.5), "prefix_share: must be given, or prefix_tokens instead"),
        (lambda: PromptCache(Stack(), hit_rate=0.5, prefix_share=0.1, prefix_tokens=9), "must stand alone, without pre"),
    ],
)  # fmt: skip
def test_what_no_cache_can_have_is_refused_by_name(ask, said):
    """No division by zero: the figure that is out of bounds is named."""
    with pytest.raises(InvalidValueError) as error:
        ask()

    assert said in str(error.value)


@given(st.floats(0, 1e308), st.floats(1e-308, 1e300), st.booleans())
def test_a_share_in_time_is_a_share(ttl, reuse, renewed):
    """Whatever the two times are, and 0 without a time-to-live."""
    share = float(hit_share_of_ttl(ttl, reuse, renewed=renewed))

    assert 0.0 <= share <= 1.0
    assert float(hit_share_of_ttl(0.0, reuse, renewed=renewed)) == 0.0


@pytest.mark.parametrize(("prices", "field"), [((1, 1, 1.25), "read_price"), ((1, 0.1, 0.1), "write_price")])
def test_a_prompt_cache_without_a_break_even_is_refused(prices, field):
    """Where hits save nothing, or every hit rate pays, there is no point between."""
    with pytest.raises(InvalidValueError, match=field):
        break_even_hit_rate(*prices)


@attrs.frozen(eq=False)
class Seen:
    """A component that costs nothing and keeps the demand that it was asked to carry."""

    name: str = "seen"
    demands: list = attrs.field(factory=list)

    def cost(self, demand):
        """Keep it."""
        self.demands.append(demand)
        return Ledger(timeline=demand.timeline)


@given(own.workloads(), RATIO, RATIO, st.floats(0, 20_000))
def test_a_prompt_cache_says_what_is_read_and_written(workload, share, rate, least):
    """Requests and tokens stay; a prefix is read by hits and written by misses, and a short one by neither."""
    demand, seen = workload.on(TIMELINE), Seen()

    PromptCache(seen, prefix_share=share, hit_rate=rate, min_prefix_tokens=least, ttl="5m").cost(demand)

    (found,) = seen.demands
    prefix = np.where(share * demand.streams[0].lengths.input_tokens >= least, 1, 0) * share
    prefix = prefix * demand.streams[0].lengths.input_tokens
    assert np.allclose(found.requests, demand.requests, rtol=1e-12)
    assert np.allclose(found.tokens, demand.tokens, rtol=1e-12)
    for stream in found.streams:
        hit = np.allclose(stream.lengths.cached_tokens, prefix) and stream.lengths.written_ttl is None
        kinds = (stream.lengths.cached_tokens, stream.lengths.written_tokens)
        assert np.allclose(stream.requests, demand.requests * (rate if hit else 1 - rate), rtol=1e-9)
        assert all(
            np.allclose(one, other) for one, other in zip(kinds, (prefix, 0) if hit else (0, prefix), strict=True)
        )
        assert hit or stream.lengths.written_ttl == "5m"
    PromptCache(seen, prefix_share=share, hit_rate=rate, writes_billed_apart=False).cost(demand)
    assert not any(stream.lengths.written_tokens.any() for stream in seen.demands[1].streams)


def test_a_prefix_in_tokens_is_at_most_the_prompt():
    """A system prompt of 1,200 tokens in prompts of 1,000 and 4,000."""
    demand = Workload(requests_per_month=10, lengths=[[1_000, 1, 1], [4_000, 1, 1]]).on(TIMELINE)

    hits, misses = PromptCache(Stack(), prefix_tokens=1_200, hit_rate=0.5).applied(demand).streams

    assert hits.lengths.cached_tokens.tolist() == misses.lengths.written_tokens.tolist() == [1_000, 1_200]


LONGER = own.Tier(above_tokens=300, price="4")
BENT = {
    "least charge": {"minimum_per_request": "0.0004"},
    "graduated": {"input": own.Rate(base="1", tiers=[LONGER], graduated=True)},
    "cliff": {"input": own.Rate(base="1", tiers=[LONGER])},
}


@pytest.mark.parametrize("bent", BENT)
@given(own.workloads(), RATIO, RATIO)
def test_hits_and_misses_are_priced_one_by_one(bent, workload, share, rate):
    """The bill is that of the requests that all hit and that of those that all miss, however a price bends."""
    demand = workload.on(TIMELINE)
    api = ApiUsage(attrs.evolve(prompt_price(), **BENT[bent]))

    some, all_hit, all_miss = (
        PromptCache(api, prefix_share=share, hit_rate=one, ttl="5m").cost(demand) for one in (rate, 1.0, 0.0)
    )

    expected = rate * all_hit.amounts("CNY") + (1 - rate) * all_miss.amounts("CNY")
    assert np.allclose(some.amounts("CNY"), expected, rtol=1e-9, atol=1e-9 * (1 + expected.max()))
    assert not some.states


def test_a_least_charge_holds_for_the_hit_alone():
    """500 tokens: a miss costs 625 millionths, a hit 50, lifted to a least charge of 300; 400 of 1,000 hit."""
    api = ApiUsage(attrs.evolve(prompt_price(), minimum_per_request="0.0003"))
    demand = attrs.evolve(TEAM, requests_per_month=1_000).on(TIMELINE)

    bill = cny(PromptCache(api, prefix_share=1.0, hit_rate=0.4), demand)

    assert np.isclose(bill[1], 600 * 0.000625 + 400 * 0.0003)


def test_two_prompt_caches_in_a_row_are_refused():
    """A prompt has one prefix."""
    inner = PromptCache(Stack(), prefix_share=0.5, hit_rate=0.5)

    with pytest.raises(InvalidValueError, match="behind another prompt cache"):
        PromptCache(inner, prefix_share=0.5, hit_rate=0.5).cost(TEAM.on(TIMELINE))


def test_prefill_that_is_read_keeps_no_replica_busy():
    """50,000 requests of 400 prefix tokens, read by 60 %, at 1,000 tokens a second: 3.33 hours a month."""
    rate = own.Throughput(
        gpu="g", model="m", quantisation="q", input_tokens_per_s=1_000, output_tokens_per_s=50, source=own.SOURCE
    )
    demand = PromptCache(Stack(), prefix_tokens=400, hit_rate=0.6).applied(TEAM.on(TIMELINE))

    assert np.isclose(prefill_hours_saved(rate, demand)[1], 50_000 * 400 * 0.6 / 1_000 / 3_600)
    assert prefill_hours_saved(rate, TEAM.on(TIMELINE))[1] == 0


def test_cached_tokens_are_part_of_the_prompt():
    """Lengths whose parts exceed the whole are refused, and a stream knows its parts when it is split."""
    with pytest.raises(InvalidValueError, match="cached_tokens"):
        Lengths([100], [1], [1.0], [80], [40])
    lengths = Lengths([100, 900], [1, 2], [0.5, 0.5], [10, 90], [0, 5], "5m")
    stream = Stream(requests=np.array([0.0, 8.0]), lengths=lengths)

    assert stream.only(np.array([False, True])).lengths.cached_tokens.tolist() == [90]
    assert not stream.same_as(attrs.evolve(stream, lengths=attrs.evolve(lengths, written_ttl="1h")))


@given(own.token_prices("CNY"), own.workloads(), RATIO, RATIO)
def test_caches_compose_with_routers_without_special_code(price, workload, rate, share):
    """A cache before a router, before each route, or before each leaf of nested routers costs the same."""
    demand = attrs.evolve(workload, cacheable_share=1.0).on(TIMELINE)
    api = ApiUsage(price)

    def split(one, other):
        return Router({"a": Route(one, share=share), "b": Route(other, share=1 - share)})

    def cached(inner):
        return SemanticCache(inner, hit_rate=rate)

    outside = cny(cached(split(api, split(api, api))), demand)
    inside = cny(split(cached(api), split(cached(api), cached(api))), demand)
    assert np.allclose(outside, inside, rtol=1e-9, atol=1e-9 * (1 + outside.max()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_published_counts_of_a_semantic_cache(case):
    """GPTCache's own test of 999 pairs: hit rate, precision and share of wrong answers."""
    inputs, expected = case["inputs"], case["expected"]
    counts = HitCounts(right=inputs["positive"], wrong=inputs["negative"], missed=inputs["miss"])

    cache = SemanticCache(
        by_request(), hit_rate=counts.hit_rate, precision=counts.precision, wrong_hit="accepted",
        loss_per_wrong_hit="1 CNY",
    )  # fmt: skip
    lines = cache.cost(TEAM.on(TIMELINE)).by(lambda line: line.name)

    for name, value in expected.items():
        assert abs(getattr(counts, name) - value) <= case["tolerance"]["abs"]
    assert np.isclose(lines["cache.wrong hits"].amounts("CNY")[1], 50_000 * counts.wrong_answer_share)
    assert np.isclose(lines["api"].amounts("CNY")[1], 50_000 * 0.15 * inputs["miss"] / 999)


def test_counts_without_a_hit_have_no_precision():
    """Unknown is not 0 and not 1."""
    with pytest.raises(InvalidValueError, match="without a hit"):
        HitCounts(right=0, wrong=0, missed=10)


def seeds(**changes):
    """Compare the cache of the seeds with its baseline: 35 % of 50,000 requests at 0.15, and 700 a month."""
    cache = SemanticCache(by_request(), **{"hit_rate": 0.35, "upkeep_per_month": "700 CNY", **changes})
    return compare({"plain": by_request(), "cached": cache}, TEAM, TIMELINE, currency="CNY", discount_rate=0.08)


def test_the_cache_of_the_seeds():
    """1,925 a month, 275 % and 10.9 days of saving, where the seeds print 2,012.5, 287 % and 10.5."""
    case = cache_case(seeds(), "cached", instead_of="plain")

    assert np.isclose(case.saving / 36, 1_925)
    assert np.isclose(case.roi, 2.75)
    assert round(case.months_of_saving * 30, 1) == 10.9
    assert np.isclose(case.break_even_hit_rate, 700 / 7_500, atol=1e-12)
    assert case.payback_months is None
    assert case.comparable


def test_a_cache_may_lose_and_says_so():
    """In front of an API at 0.001 a request the same cache costs 700 a month and saves 17.50."""
    cheap = by_request("0.001")
    result = compare(
        {"plain": cheap, "cached": SemanticCache(cheap, hit_rate=0.35, upkeep_per_month="700 CNY")},
        TEAM, TIMELINE, currency="CNY",
    )  # fmt: skip

    case = cache_case(result, "cached", instead_of="plain")

    assert np.isclose(case.saving, 36 * (0.35 * 50 - 700))
    assert case.roi < -0.97
    assert case.months_of_saving is None
    assert case.break_even_hit_rates == ()


def test_what_is_laid_out_for_a_cache_comes_back():
    """6,000 on the day of purchase, 1,925 a month: after 3.1 months."""
    case = cache_case(seeds(setup="6000 CNY"), "cached", instead_of="plain")

    assert np.isclose(case.own_cost, 6_000 + 36 * 700)
    assert np.isclose(case.payback_months, 6_000 / 1_925)
    assert np.isclose(case.npv, -6_000 + 1_925 * sum(1.08 ** (-month / 12) for month in range(1, 37)))


def test_a_cache_in_front_of_whole_servers_pays_by_steps():
    """50,000 requests on boxes of 10,000: a saving of 36,000 begins where the last box falls away."""
    local = Purchase(box(), life_years=3)
    cached = SemanticCache(local, hit_rate=0.3, upkeep_per_month="500 CNY")
    result = compare({"plain": local, "cached": cached}, TEAM, TIMELINE, currency="CNY")

    case = cache_case(result, "cached", instead_of="plain")

    assert np.isclose(case.saving, 36_000 - 36 * 500)
    assert np.allclose(case.break_even_hit_rates, [0.2], atol=1e-9)


def test_a_case_is_asked_of_a_cache_and_of_one_scenario():
    """What is no cache, and what holds draws, is refused with a way out."""
    with pytest.raises(InvalidValueError, match="'plain' is no cache"):
        cache_case(seeds(), "plain", instead_of="cached")
    with pytest.raises(InfeasibleError, match="draw by draw"):
        cache_case(seeds(hit_rate=np.array([0.1, 0.2])), "cached", instead_of="plain")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"hit_rate": 1.2}, "hit_rate: must be at most 1, got 1.2"),
        ({"ttl_h": 1.0}, "reuse_h: is missing"),
        ({"reuse_h": 1.0}, "ttl_h: is missing"),
        ({"warm_up_months": 1, "warm_up_requests": 1}, "warm_up_months: must stand alone"),
        ({"wrong_hit": "kept"}, "wrong_hit: must be one of 'asked_again', 'accepted', got 'kept'"),
    ],
)
def test_a_wrong_cache_is_refused(changes, problem):
    """Each wrong value is refused by name."""
    with pytest.raises(InvalidValueError) as error:
        SemanticCache(by_request(), **{"hit_rate": 0.5, **changes})

    assert str(error.value).startswith(problem)


def test_what_a_cache_costs_itself_has_names():
    """Setup, upkeep, look-ups and wrong hits are lines of their own; the loss is hidden, the setup paid once."""
    cache = SemanticCache(
        Monthly("flat", amount="10 CNY") + OneOff("start", amount="1 CNY"), hit_rate=0.5, precision=0.9,
        wrong_hit="accepted", loss_per_wrong_hit="1 CNY", upkeep_per_month="7 CNY", fee_per_lookup="0.01 CNY",
        setup="100 CNY",
    )  # fmt: skip

    found = {line.name: (line.nature, line.amounts[:2].tolist()) for line in cache.cost(TEAM.on(TIMELINE)).lines}

    assert found["cache.setup"] == ("one_time", [100, 0])
    assert found["cache.upkeep"] == ("running", [0, 7])
    assert found["cache.lookups"] == ("running", [0, 500])
    assert found["cache.wrong hits"][0] == "hidden"
    assert np.isclose(found["cache.wrong hits"][1][1], 2_500)


@given(RATIO, RATIO)
def test_a_cache_repeats_the_quality_of_what_filled_it(rate, precision):
    """Asked again, wrong hits lose nothing; accepted, they do. A cache is never better than its source."""
    assume(rate > 0)
    routed = Router({"all": Route(by_request(), share=1.0, quality=0.64, latency_s=2.0)})
    demand = TEAM.on(TIMELINE)

    def right(wrong_hit):
        cache = SemanticCache(routed, hit_rate=rate, precision=precision, wrong_hit=wrong_hit, latency_s=0.1)
        ledger = cache.cost(demand)
        return ledger.amounts("right answers")[1] / 50_000, ledger.amounts("answer-seconds")[1] / 50_000

    assert np.isclose(right("asked_again")[0], 0.64)
    assert np.isclose(right("accepted")[0], 0.64 * (1 - rate * (1 - precision)))
    assert np.isclose(right("accepted")[1], 0.1 + 2.0 * (1 - rate))


def prompt_price(write="1.25"):
    """Make a price of 1 for input, a tenth for reads and five quarters for writes."""
    return own.TokenPrice(
        provider="p", model="m", currency="CNY", input=1, output=0, cached_input="0.1", cache_write={"5m": write},
        source=own.SOURCE,
    )  # fmt: skip


@given(RATIO, st.floats(0.0, 1.0), st.sampled_from(["1.25", "2.0"]))
def test_a_prompt_cache_before_an_api_pays_from_its_break_even_rate_on(share, rate, write):
    """Law 56, read from ledgers: the saving is prefix × (hit rate × (write − read) − (write − input))."""
    api = ApiUsage(prompt_price(write))
    demand = TEAM.on(TIMELINE)
    break_even = float(break_even_hit_rate(1.0, 0.1, float(write)))

    cost = cny(PromptCache(api, prefix_share=share, hit_rate=rate, ttl="5m"), demand)
    at_break_even = cny(PromptCache(api, prefix_share=share, hit_rate=break_even, ttl="5m"), demand)

    base = cny(api, demand)
    saving = base * share * (rate * (float(write) - 0.1) - (float(write) - 1.0))
    assert np.allclose(base - cost, saving, atol=1e-9)
    assert np.allclose(at_break_even, base)


def test_the_case_for_a_prompt_cache_finds_its_break_even_rate():
    """The same reading as for a semantic cache: 21.7 % of the requests."""
    api = ApiUsage(prompt_price())
    cache = PromptCache(api, prefix_tokens=400, hit_rate=0.1, ttl="5m")
    result = compare({"plain": api, "cached": cache}, TEAM, TIMELINE, currency="CNY")

    case = cache_case(result, "cached", instead_of="plain")

    assert case.saving < 0
    assert np.isclose(case.break_even_hit_rate, 0.25 / 1.15)
    assert case.roi is None


def test_a_write_whose_price_is_unknown_leaves_an_option_unpriced():
    """Unknown is not free; a provider that bills no write apart is said to."""
    price = attrs.evolve(prompt_price(), cache_write={})

    cached = PromptCache(ApiUsage(price), prefix_share=0.5, hit_rate=0.5)
    plain_writes = attrs.evolve(cached, writes_billed_apart=False)

    assert cached.cost(TEAM.on(TIMELINE)).unpriced
    ledger = plain_writes.cost(TEAM.on(TIMELINE))
    assert not ledger.unpriced
    assert np.isclose(ledger.amounts("CNY")[1], 50_000 * 500 * (0.75 + 0.25 * 0.1) / 1e6)


@given(own.fleets(), own.workloads(), RATIO, RATIO)
def test_own_servers_save_the_time_of_prefill(fleet, workload, share, rate):
    """Busy hours fall by what need not be computed, and by nothing else."""
    demand = workload.on(TIMELINE)
    cached = PromptCache(Purchase(fleet, life_years=3), prefix_share=share, hit_rate=rate).applied(demand)
    unlimited = attrs.evolve(fleet, count=None)

    before, after = (unlimited.size(one).busy_hours for one in (demand, cached))

    saved = prefill_hours_saved(fleet.throughput, cached)
    assert np.allclose(before - after, saved, rtol=1e-6, atol=1e-9 * (1 + before.max()))
