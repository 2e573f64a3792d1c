"""What `llm-tco cache` and `llm-tco route` say, and that it is what the analysis found."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llm_tco import (
    ApiUsage,
    Labour,
    Power,
    Purchase,
    Route,
    Router,
    SemanticCache,
    Stack,
    Timeline,
    Workload,
    compare,
    load_scenario,
)
from llm_tco.analysis.caches import cache_case
from llm_tco.analysis.mixes import answers_of, at_quality, router_savings
from llm_tco.analysis.nested import (
    PlacedCache,
    cache_cases,
    caches_in,
    demand_at,
    parts_of,
    replaced,
    router_views,
    routers_in,
    with_servers,
)
from llm_tco.analysis.resampling import bootstrap
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.records import Source
from llm_tco.cli import main
from llm_tco.components.prompt_cache import PromptCache
from llm_tco.errors import InvalidValueError, ProblemsError
from llm_tco.frontiers import StatedFrontier, load_frontier, read_frontier
from llm_tco.structure import settable
from llm_tco.testing import strategies as own
from llm_tco.testing.mixes import caches, routers, share_routers
from llm_tco.usage.history import read_history
from llm_tco.usage.outcomes import FlatPrice, ModelColumns
from llm_tco.usage.similar import exact_hits, lru_curve, near_hits

EXAMPLES = Path(__file__).parents[1] / "examples"
LOSES, FRONTIER = EXAMPLES / "cache-that-loses.toml", EXAMPLES / "frontier" / "three-models.toml"
SOURCE = Source(title="made for a test", checked=date(2026, 11, 1))
YEAR = Timeline(date(2026, 12, 1), 12)
TEAM = Workload(requests_per_month=50_000, input_tokens=500, output_tokens=300)


def run(*arguments):
    """Run a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def document(*arguments):
    """Run a command that prints JSON."""
    return json.loads(run(*arguments, "--json").output)


def by_request(fee, name="api"):
    """Make an API with a price for a request."""
    price = TokenPrice(
        provider="any", model=name, currency="CNY", input=0, output=0, per_request=str(fee), source=SOURCE
    )
    return ApiUsage(price, name=name)


def comparison_of(options, workload=TEAM, timeline=YEAR):
    """Compare options in yuan."""
    return compare(options, workload, timeline, currency="CNY", discount_rate=0.08)


def tco(component, workload=TEAM, timeline=YEAR):
    """Give the total cost of one component."""
    return comparison_of({"it": component}, workload, timeline)["it"].tco


def compared(option, workload, timeline):
    """Compare an option with nothing; drawn parts that do not fit together are left out."""
    try:
        return comparison_of({"it": option}, workload, timeline)
    except InvalidValueError:
        assume(False)


# -- within options --------------------------------------------------------------------------------------------------


@given(share_routers(caches()) | routers(caches()) | caches(routers()))
def test_a_part_replaced_by_itself_changes_nothing(whole):
    """What does not hold the part stays the same object."""
    elsewhere = Labour("nobody", hours_per_month=1, rate_per_hour="1 CNY")

    for part in parts_of(whole).values():
        assert replaced(whole, part, part) is whole
    assert replaced(whole, elsewhere, whole) is whole


@given(share_routers(), own.workloads(), own.timelines(24))
def test_a_copy_in_the_place_of_a_part_costs_the_same(whole, workload, timeline):
    """Only what holds the part is made anew."""
    part = whole.routes["one"].target
    changed = replaced(whole, part, attrs.evolve(part))

    assert changed is not whole
    assert changed.routes["other"] is whole.routes["other"]
    assert tco(changed, workload, timeline) == tco(whole, workload, timeline)


def test_an_object_that_stands_in_two_places_stays_one_object():
    """So that one fleet behind two routes is bought once."""
    shared = SemanticCache(by_request(1), hit_rate=0.5)
    whole = Router({"a": Route(shared, share=0.5), "b": Route(shared, share=0.5)})

    changed = replaced(whole, shared, shared.inner)
    within = replaced(whole, shared.inner, by_request(2))

    assert changed.routes["a"].target is changed.routes["b"].target is shared.inner
    assert within.routes["a"].target is within.routes["b"].target
    assert list(caches_in(whole)) == ["router.a.cache"]


@given(caches(), own.workloads(), own.timelines(24))
@settings(max_examples=30)
def test_the_case_of_an_option_that_is_a_cache_is_its_cache_case(cache, workload, timeline):
    """To look for caches within an option adds nothing where the option is one."""
    if not hasattr(cache, "hit_rate"):
        cache = SemanticCache(cache, hit_rate=0.5, latency_s=0.1)
    cache = attrs.evolve(cache, name="a cache of its own")
    comparison = comparison_of({"with": cache, "without": cache.inner}, workload, timeline)
    expected = cache_case(comparison, "with", instead_of="without")

    found = cache_cases(comparison, "with")[0]

    assert found.path == "a cache of its own"
    for name in ("saving", "saving_share", "npv", "own_cost", "roi", "payback_months", "break_even_hit_rates"):
        assert getattr(found.case, name) == getattr(expected, name)


@given(
    st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.sampled_from(["asked_again", "accepted"]), st.floats(0.01, 10)
)
def test_a_cache_within_a_router_saves_what_the_whole_option_saves(share, hit_rate, precision, wrong_hit, fee):
    """Its saving is the difference of two total costs, and its hits are those of the requests that reach it."""
    cached = SemanticCache(
        by_request(fee, "dear"), hit_rate=hit_rate, precision=precision, wrong_hit=wrong_hit, upkeep_per_month="7 CNY"
    )
    routed = Router({"a": Route(cached, share=share), "b": Route(by_request(0.1, "cheap"), share=1 - share)})
    whole = routed + Labour("ops", hours_per_month=3, rate_per_hour="100 CNY")
    without = Router({"a": Route(cached.inner, share=share), "b": Route(by_request(0.1, "cheap"), share=1 - share)})

    (found,) = cache_cases(comparison_of({"it": whole}), "it")
    reach = 600_000 * share

    assert found.path == "router.a.cache"
    assert np.isclose(found.case.saving, tco(without) - tco(routed), rtol=1e-9, atol=1e-6)
    assert np.isclose(found.case.own_cost, 12 * 7)
    assert np.isclose(found.asked, reach)
    assert np.isclose(found.hits, reach * hit_rate)
    assert np.isclose(found.wrong_hits, reach * hit_rate * (1 - precision), atol=1e-6)


@given(routers(caches()) | caches(routers()) | share_routers(caches()), own.workloads(), own.timelines(24))
@settings(max_examples=30)
def test_each_cache_saves_what_its_option_costs_less(whole, workload, timeline):
    """Before routers and behind them: the saving is the total cost without the cache less that with it."""
    comparison = compared(whole, workload, timeline)
    found = cache_cases(comparison, "it")
    caches = list(caches_in(whole).values())

    assert len(found) == len(caches)
    for case, cache in zip(found, caches, strict=True):
        without = comparison_of({"it": replaced(whole, cache, cache.inner)}, workload, timeline)["it"]
        scale = abs(without.tco) + abs(comparison["it"].tco)
        assert np.isclose(case.case.saving, without.tco - comparison["it"].tco, rtol=1e-9, atol=1e-9 * scale)
        assert case.case.comparable == (without.feasible and comparison["it"].feasible)


@given(routers(caches()) | caches(routers()), own.workloads(), own.timelines(24))
@settings(max_examples=30)
def test_the_shares_of_every_router_sum_to_one(whole, workload, timeline):
    """Whatever reaches it takes one of its routes."""
    comparison = compared(whole, workload, timeline)

    for path, view in router_views(comparison, "it"):
        requests = view[path].demand.requests.sum()
        parts = view[path].component.parts(view[path].demand)

        assert np.isclose(sum(part.requests.sum() for part in parts.values()), requests)


def test_a_cache_behind_a_cache_is_judged_with_the_other_in_place():
    """The outer one answers half; what is left for the inner one is half as much."""
    inner = SemanticCache(by_request(1), hit_rate=0.2, upkeep_per_month="10 CNY")
    outer = SemanticCache(inner, hit_rate=0.5, upkeep_per_month="100 CNY")

    first, second = cache_cases(comparison_of({"both": outer}), "both")

    assert (first.path, second.path) == ("cache", "cache.cache")
    assert np.isclose(first.case.saving, 12 * (50_000 * 0.8 * 0.5 - 100))
    assert np.isclose(second.case.saving, 12 * (25_000 * 0.2 - 10))
    assert np.isclose(first.case.own_cost, 1_200)
    assert np.isclose(second.case.own_cost, 120)


def test_a_placed_cache_can_be_varied_by_its_hit_rate():
    """Several hit rates at once give what each gives alone."""
    cached = SemanticCache(by_request(1), hit_rate=0.3)
    whole = Stack((cached,))
    demand = TEAM.on(YEAR)
    rates = np.array([0.0, 0.4, 1.0])

    def cost(rate):
        return PlacedCache(whole=whole, cache=cached, hit_rate=rate).cost(demand).amounts("CNY").sum(axis=-1)

    assert np.allclose(cost(rates), [cost(rate) for rate in rates])


@given(caches(share_routers()), own.workloads(), own.timelines(24))
def test_the_demand_at_the_whole_is_the_users(whole, workload, timeline):
    """And that behind a semantic cache that never errs is what it misses."""
    demand = compared(whole, workload, timeline)["it"].demand
    cached = SemanticCache(by_request(1), hit_rate=0.25)

    assert demand_at(whole, whole, demand) is demand
    assert np.allclose(
        demand_at(cached, cached.inner, demand).requests,
        demand.requests - demand.hits(cached.hit_rates(demand)).requests,
    )


def test_a_part_that_is_not_asked_has_no_demand():
    """A component that does not stand there is asked nothing."""
    with pytest.raises(InvalidValueError, match="'b' is never asked"):
        demand_at(by_request(1, "a"), by_request(1, "b"), TEAM.on(YEAR))


def test_the_router_behind_a_cache_is_seen_on_the_requests_that_reach_it():
    """Three quarters of them, and its figures are those of the router alone."""
    routed = Router({"a": Route(by_request(1, "a"), share=0.5), "b": Route(by_request(3, "b"), share=0.5)})
    whole = SemanticCache(routed, hit_rate=0.25) + Labour("ops", hours_per_month=3, rate_per_hour="100 CNY")

    ((path, view),) = router_views(comparison_of({"it": whole}), "it")

    assert path == "cache.router"
    assert np.isclose(view[path].tco, 12 * 50_000 * 0.75 * 2)
    assert np.isclose(router_savings(view, path)["always b"].saving, 12 * 50_000 * 0.75 * 1)
    assert set(routers_in(whole)) == {"cache.router"}


# -- llm-tco cache ---------------------------------------------------------------------------------------------------


def test_caches_that_lose_are_shown_with_their_sign():
    """One of three saves; a prefix breaks even at 21.7 %, as (1.25 − 1) / (1.25 − 0.1) says."""
    found = {row["option"]: row for row in document("cache", LOSES)["caches"]}

    assert found["semantic"]["saving"] == pytest.approx(-7_481, abs=1)
    assert found["semantic"]["own_cost"] == 8_400
    assert found["semantic"]["break_even_hit_rates"] == []
    assert found["semantic"]["wrong_hits"] == pytest.approx(600_000 * 0.35 * 0.05)
    assert found["prompt-rarely"]["saving"] == pytest.approx(-12 * 14.58)
    assert found["prompt-often"]["saving"] == pytest.approx(12 * 47.52)
    assert found["prompt-often"]["break_even_hit_rates"] == pytest.approx([0.25 / 1.15], abs=1e-3)
    assert found["prompt-often"]["asked"] is None


def test_a_cache_that_saves_at_any_hit_rate_is_told_from_one_that_never_does(tmp_path):
    """Where writes are cheaper than input there is no break-even either, and a miss saves as well."""
    file = tmp_path / "cheap-writes.toml"
    text = LOSES.read_text("utf-8")
    assert '"5m" = "0.25"' in text
    file.write_text(text.replace('"5m" = "0.25"', '"5m" = "0.10"'), "utf-8")

    lines = {line.split(":")[0]: line for line in run("cache", file).output.splitlines() if "│" in line}

    assert "saves at any" in lines["prompt-rarely"]
    assert "saves at any" in lines["prompt-often"]
    assert "no hit rate" in run("cache", file, "--option", "semantic").output


def test_the_cache_of_the_documents():
    """1,925 a month, a return of 275 %, break-even at 9.3 %."""
    (row,) = document("cache", EXAMPLES / "seeds" / "cache.toml", "--option", "cached")["caches"]

    assert row["saving"] == pytest.approx(12 * 1_925)
    assert row["roi"] == pytest.approx(2.75)
    assert row["break_even_hit_rates"] == pytest.approx([700 / (50_000 * 0.15)])


def test_the_answers_with_a_cache_and_without_it_are_shown(tmp_path):
    """Accepted wrong hits lower the share of right answers."""
    file = tmp_path / "answers.toml"
    file.write_text(
        (EXAMPLES / "seeds" / "cache.toml").read_text("utf-8")
        + """
[options.known]
kind = "quality"
quality = 0.9
inner = "plain"

[options.careless]
kind = "semantic_cache"
hit_rate = 0.5
precision = 0.8
wrong_hit = "accepted"
inner = "known"
""",
        "utf-8",
    )

    (row,) = document("cache", file, "--option", "careless")["caches"]

    assert row["without"]["quality"] == pytest.approx(0.9)
    assert row["with"]["quality"] == pytest.approx(0.9 - 0.5 * 0.2 * 0.9)
    assert "right answers" in run("cache", file).output


def test_a_cache_whose_option_leaves_requests_unserved_is_not_compared(tmp_path):
    """The figures are there, with a word of warning."""
    file = tmp_path / "short.toml"
    text = (EXAMPLES / "three-ways.toml").read_text("utf-8")
    assert "requests_per_month = 20_000" in text
    file.write_text(
        text.replace("requests_per_month = 20_000", "requests_per_month = 5_000_000").replace(
            "[fleets.box]", "[fleets.box]\ncount = 1"
        ),
        "utf-8",
    )

    result = run("cache", file)

    assert "do not compare" in " ".join(result.output.split())


LOG = """when,question
2026-11-01T08:00:00,reset my password
2026-11-01T08:01:00,opening hours
2026-11-01T09:00:00,Reset my  password
2026-11-01T12:00:00,opening hours
2026-11-02T08:00:00,reset my password!
"""
PROMPTS = [line.split(",")[1] for line in LOG.splitlines()[1:]]


@pytest.fixture
def log(tmp_path):
    """Write a small log."""
    path = tmp_path / "log.csv"
    path.write_text(LOG, "utf-8")
    return path


def test_the_hit_rates_of_a_log_are_those_of_the_library(log):
    """To the letter, by entries, and nearly alike."""
    found = document("cache", "--log", log, "--column", "question", "--entries", 1, "--entries", 2, "--near", 0.8)
    curve = lru_curve(PROMPTS)

    assert found["requests"] == 5
    assert found["different_prompts"] == 4
    assert found["exact"] == exact_hits(PROMPTS).hit_rate == 0.2
    assert [row["hit_rate"] for row in found["lru"]] == curve.hit_rate([1, 2]).tolist()
    assert found["near"] == {"threshold": 0.8, "shingle": 5, "hit_rate": near_hits(PROMPTS, threshold=0.8).hit_rate}


def test_short_shingles_find_chinese_prompts_alike(tmp_path):
    """The flag reaches the comparison, and the result says by what was compared."""
    path = tmp_path / "log.csv"
    path.write_text("问题\n请问如何重置我的密码？\n请问怎样重置我的密码？\n", "utf-8")
    arguments = ["cache", "--log", path, "--column", "问题", "--near", 0.5]

    assert document(*arguments)["near"] == {"threshold": 0.5, "shingle": 5, "hit_rate": 0.0}
    assert document(*arguments, "--shingle", 2)["near"] == {"threshold": 0.5, "shingle": 2, "hit_rate": 0.5}
    assert "by runs of 2 characters" in run(*arguments, "--shingle", 2).output


@pytest.mark.parametrize(("hours", "rate"), [(3, 0.0), (4, 0.2)])
def test_entries_of_a_log_expire(log, hours, rate):
    """Opening hours are asked again after 3 h 59 min."""
    arguments = ["cache", "--log", log, "--column", "question", "--time-column", "when", "--ttl-h", hours]

    assert document(*arguments)["exact"] == rate
    assert f"for {hours} h after their last use" in run(*arguments).output


def test_times_of_a_log_may_be_seconds(tmp_path):
    """Numbers are seconds."""
    path = tmp_path / "log.csv"
    path.write_text("at,prompt\n0,a\n3600,a\n10800.5,a\n", "utf-8")

    found = document("cache", "--log", path, "--column", "prompt", "--time-column", "at", "--ttl-h", 1.5)

    assert found["exact"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cache"], "give a FILE, or --log, and not both"),
        (["cache", LOSES, "--log", "x.csv"], "give a FILE, or --log, and not both"),
        (["cache", LOSES, "--near", "0.9"], "--near has no meaning without --log"),
        (["cache", "--log", "LOG", "--column", "question", "--option", "a"], "--option has no meaning with --log"),
        (["cache", "--log", "LOG"], "--log needs --column"),
        (["cache", "--log", "LOG", "--column", "qestion"], "has no column 'qestion'; did you mean 'question'?"),
        (["cache", "--log", "LOG", "--column", "question", "--ttl-h", "1"], "--ttl-h and --time-column need each other"),
        (["cache", "--log", "LOG", "--column", "question", "--shingle", "2"], "--shingle needs --near"),
        (["cache", LOSES, "--shingle", "2"], "--shingle has no meaning without --log"),
        (["cache", "--log", "LOG", "--column", "question", "--ttl-h", "1", "--time-column", "question"],
         "column 'question', row 1: must be a time in ISO 8601"),
        (["cache", "--log", "nowhere.csv", "--column", "question"], "cannot be read: No such file"),
        (["cache", LOSES, "--option", "semantc"], "did you mean 'semantic'?"),
        (["cache", LOSES, "--option", "plain"], "the option 'plain' holds no cache"),
        (["cache", EXAMPLES / "router-rules.toml"], "no option holds a cache"),
        (["cache", "nowhere.toml"], "nowhere.toml: 1 problem"),
        (["route"], "give a FILE, or --history, and not both"),
        (["route", LOSES], "no option holds a router"),
        (["route", LOSES, "--option", "plain"], "the option 'plain' holds no router"),
        (["route", LOSES, "--chart", "x.svg"], "--chart draws the table [frontier]"),
        (["route", LOSES, "--currency", "CNY"], "--currency has no meaning without --history"),
        (["route", FRONTIER, "--option", "small"], "--option has no meaning for a file with a table [frontier]"),
        (["route", FRONTIER, "--chart", "x.gif"], "ends in .json, .svg, .png, .html, got '.gif'"),
        (["route", "--history", "LOG"], "say which column holds the tiers"),
        (["route", "--history", "LOG", "--column", "tier=question"], "did you mean 'tiers'"),
        (["route", "--history", "LOG", "--column", "tiers"], "must be a name and a value such as FIELD=COLUMN"),
        (["route", "--history", "LOG", "--column", "tiers=quest"], "has no column 'quest'; did you mean 'question'?"),
        (["route", "--history", "LOG", "--column", "tiers=question", "--cost", "local=1 CNY"], "must have an amount for"),
        (["route", "nowhere.toml"], "nowhere.toml: 1 problem"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_answered_with_what_to_do(log, arguments, said):
    """One report, exit status 2, no traceback."""
    result = run(*(log if argument == "LOG" else argument for argument in arguments))

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output


# -- llm-tco route ---------------------------------------------------------------------------------------------------


def test_the_routers_of_a_scenario_are_those_of_the_analysis():
    """Shares, cost, quality and savings of each, by the functions of the library."""
    comparison = load_scenario(EXAMPLES / "router-rules.toml").compare()
    found = document("route", EXAMPLES / "router-rules.toml")

    assert [router["option"] for router in found["routers"]] == ["stated", "coded"]
    for router in found["routers"]:
        answers = answers_of(comparison[router["option"]])
        assert (router["cost"], router["quality"], router["under_served"]) == (
            answers.cost, answers.quality, answers.under_served,
        )  # fmt: skip
        savings = router_savings(comparison, router["option"])
        assert {row["baseline"]: row["saving"] for row in router["savings"]} == {
            name: saving.saving for name, saving in savings.items()
        }
        assert sum(route["share"] for route in router["routes"]) == pytest.approx(1)
    assert found["routers"][0]["notes"][0].startswith("rule 3 is taken in part")


MIXED = """
title = "A router with qualities"
currency = "CNY"
start = 2026-12-01
months = 12
workload = { requests_per_month = 50_000, input_tokens = 500, output_tokens = 300 }

[sources.made-up]
title = "made up for a test"
checked = 2026-11-23

[prices]
weak = { provider = "any", model = "weak", currency = "CNY", input = "0", output = "0", per_request = "0.1", source = "made-up" }
strong = { provider = "any", model = "strong", currency = "CNY", input = "0", output = "0", per_request = "1", source = "made-up" }

[options.routed]
kind = "router"
fee_per_request = "0.01 CNY"
routes.weak = { target = { kind = "api", price = "weak" }, share = 0.7, quality = 0.70, quality_of_all = 0.64, latency_s = 1 }
routes.strong = { target = { kind = "api", price = "strong" }, share = 0.3, quality = 0.90, quality_of_all = 0.86, latency_s = 3 }
"""


def test_a_router_is_held_against_each_baseline_and_equal_quality(tmp_path):
    """Where routes state what they would reach with every request, so is a random mix of equal quality."""
    file = tmp_path / "routed.toml"
    file.write_text(MIXED, "utf-8")
    comparison = load_scenario(file).compare()

    (router,) = document("route", file)["routers"]
    savings = {row["baseline"]: row for row in router["savings"]}
    equal = at_quality(comparison, "routed", 0.76, weak="weak", strong="strong")

    assert set(savings) == {"always weak", "always strong", "random at the same share", "random at equal quality"}
    assert router["quality"] == pytest.approx(0.76)
    assert router["latency_s"] == pytest.approx(1.6)
    assert savings["random at equal quality"]["quality_difference"] == pytest.approx(0, abs=1e-12)
    assert savings["random at equal quality"]["saving"] == pytest.approx(tco(equal) - router["cost"])
    assert savings["always weak"]["saving"] == pytest.approx(600_000 * (0.1 - 0.38))
    text = run("route", file).output
    assert "+12.0" in text
    assert "-280.0 %" in text


def test_what_nobody_states_has_no_column():
    """Prices by the request have no latency, so that none is shown."""
    text = run("route", EXAMPLES / "seeds" / "router.toml").output

    assert "latency" not in text
    assert "right answers" not in text
    assert "+563,520" in text


@pytest.mark.parametrize(
    "command",
    [
        ["cache", LOSES],
        ["cache", EXAMPLES / "seeds" / "cache.toml"],
        ["route", EXAMPLES / "router-rules.toml"],
        ["route", EXAMPLES / "three-ways.toml"],
        ["route", FRONTIER],
    ],
    ids=str,
)
def test_tables_fit_a_page(command):
    """Into a file, a table is no wider than 120 columns."""
    result = run(*command)

    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 120


# -- the table [frontier] --------------------------------------------------------------------------------------------


def test_the_frontier_of_the_example_is_that_of_the_library():
    """Bounds, hull, the chosen threshold, and savings with their intervals."""
    question = load_frontier(FRONTIER)
    frontier = question.frontier
    best = frontier.best_of_all(quality=0.8)
    found = document("route", FRONTIER)

    assert (found["weak"], found["strong"], found["queries"]) == ("small", "large", 240)
    assert [row["cost_per_request"] for row in found["hull"]] == frontier.hull.cost_per_request.tolist()
    assert found["chosen"]["policy"] == best.as_dict()["policy"]
    assert found["cost_at_equal_quality"] == frontier.cost_at_equal_quality(0.8)
    assert [row["baseline"] for row in found["savings"]] == ["strong", "weak", "random", "oracle"]
    for row in found["savings"]:
        expected = bootstrap(frontier, best, baseline=row["baseline"], draws=1_000, seed=1)
        assert row["saving_per_request"] == expected.saving.per_request
        assert row["intervals"] == json.loads(json.dumps(expected.as_dict()))


def test_the_bounds_of_the_example_by_hand():
    """The means of the table, with nothing but its rows and the prices of the file."""
    with (EXAMPLES / "frontier" / "outcomes.csv").open(newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    prices = {"small": (0.1, 0.4), "medium": (0.5, 2.0), "large": (2.5, 10.0)}

    def cost(row, model):
        return (row["prompt_tokens"] * prices[model][0] + row[f"{model}_tokens"] * prices[model][1]) / 1e6

    ways = {way["way"]: way for way in document("route", FRONTIER)["ways"]}
    best = [min(prices, key=lambda model: (-row[f"{model}_right"], cost(row, model))) for row in rows]

    for model in prices:
        assert ways[f"always {model}"]["quality"] == pytest.approx(sum(row[f"{model}_right"] for row in rows) / 240)
        assert ways[f"always {model}"]["cost_per_request"] == pytest.approx(sum(cost(row, model) for row in rows) / 240)
    assert ways["oracle"]["cost_per_request"] == pytest.approx(sum(map(cost, rows, best)) / 240)
    assert ways["oracle"]["shares"] == {model: best.count(model) / 240 for model in prices}


def frontier_document(**changes):
    """Make the document of a frontier over the table of the example."""
    models = {
        name: {
            "quality": f"{name}_right",
            "input_tokens": "prompt_tokens",
            "output_tokens": f"{name}_tokens",
            "price": {"input_per_mtok": f"{price} USD", "output_per_mtok": f"{4 * price} USD"},
        }
        for name, price in {"small": 1, "large": 25}.items()
    }
    return {"frontier": {"outcomes": "outcomes.csv", "models": models, **changes}}


def read(document, **more):
    """Read a document beside the examples."""
    return read_frontier({**document, **more}, title="frontier.toml", folder=EXAMPLES / "frontier")


def test_without_a_score_the_best_mix_of_models_is_chosen():
    """A point on the hull, for a quality or for a budget."""
    for target in ({"quality": 0.7}, {"cost_per_request": "0.01 USD"}):
        question = read(frontier_document(**target))
        point = question.chosen()

        assert question.frontier.score is None
        if "quality" in target:
            assert point.quality == pytest.approx(0.7)
        else:
            assert point.cost_per_request == pytest.approx(0.01)
        assert set(point.shares) == {"small", "large"}


@given(st.floats(0, 1))
@settings(max_examples=25)
def test_a_quality_is_reached_or_refused(quality):
    """What is chosen meets the target; what cannot be met is status 3, with the reason."""
    question = read(frontier_document(score="difficulty", quality=quality, draws=2))
    best = question.frontier.curve().quality.max()

    if quality <= best:
        assert question.chosen().quality >= quality
    else:
        with pytest.raises(ValueError, match="no threshold between small and large meets"):
            question.chosen()


def test_a_target_that_nothing_meets_is_status_3(tmp_path):
    """The frontier is printed all the same, and why nothing is chosen."""
    (tmp_path / "outcomes.csv").write_bytes((EXAMPLES / "frontier" / "outcomes.csv").read_bytes())
    file = tmp_path / "frontier.toml"
    file.write_text(FRONTIER.read_text("utf-8").replace("quality = 0.80", "quality = 0.99"), "utf-8")

    result = run("route", file)

    assert result.exit_code == 3
    assert "no threshold between two of the models meets a quality of 0.99" in " ".join(result.output.split())
    assert document("route", file)["chosen"] is None


def test_without_a_target_there_is_the_frontier_alone(tmp_path):
    """A curve is an answer, too."""
    (tmp_path / "outcomes.csv").write_bytes((EXAMPLES / "frontier" / "outcomes.csv").read_bytes())
    file = tmp_path / "frontier.toml"
    file.write_text(FRONTIER.read_text("utf-8").replace("quality = 0.80", ""), "utf-8")

    found = document("route", file)

    assert found["chosen"] is None
    assert found["problem"] is None
    assert "saves" not in run("route", file).output


def test_a_price_may_be_flat_stated_or_looked_up():
    """By name in the file, in place, or by the words of a scenario."""
    stated = {
        "provider": "any", "model": "m", "currency": "USD", "input": "1", "output": "4",
        "source": {"title": "made up", "checked": date(2026, 11, 1)},
    }  # fmt: skip
    looked_up = {"provider": "openai", "model": "gpt-4o-mini", "on": date(2026, 11, 1)}
    base = frontier_document()
    kinds = []
    for price in ("mine", stated, looked_up, {"input_per_mtok": "1 USD", "output_per_mtok": "4 USD"}):
        changed = json.loads(json.dumps(base))
        changed["frontier"]["models"]["small"]["price"] = price
        question = read(changed, prices={"mine": stated})
        kinds.append(type(question.stated.models["small"].price))

    assert kinds == [TokenPrice, TokenPrice, TokenPrice, FlatPrice]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (
            {"qality": 0.8, "draws": 0, "baselines": ["stong"]},
            ["frontier.qality: is not a field of the table [frontier]; did you mean 'quality'?",
             "frontier.baselines: must be among strong, weak, random, oracle, got 'stong'; did you mean 'strong'?",
             "frontier.draws: must be at least 1, got 0"],
        ),
        ({"score": "dificulty"}, ["frontier.score: is no column of outcomes.csv, got 'dificulty'; did you mean 'difficulty'?"]),
        ({"outcomes": "nowhere.csv"}, ["frontier.outcomes: "]),
        ({"weak": "smal"}, ["frontier.weak: must be one of the models, got 'smal'; did you mean 'small'?"]),
        ({"quality": 0.8, "cost_per_request": "1 USD"}, ["frontier.quality: must stand alone"]),
        ({"cost_per_request": "1 CNY"}, ["frontier: cost_per_request: is in CNY, but the costs are in USD"]),
        ({"score": "small_right", "weak": "large", "strong": "large"}, ["frontier: strong: must be another model"]),
    ],
)  # fmt: skip
def test_every_problem_of_a_frontier_comes_with_its_path(change, problems):
    """One report, with the nearest right word."""
    with pytest.raises(ProblemsError) as caught:
        read(frontier_document(**change))

    assert len(caught.value.problems) == len(problems)
    for found, expected in zip(caught.value.problems, problems, strict=True):
        assert found.startswith(expected)


def test_columns_and_prices_of_models_are_checked_together():
    """Every column that the table does not have, and every name of a price that is nowhere."""
    wrong = frontier_document()
    wrong["frontier"]["models"]["small"] |= {"quality": "smal_right", "output_tokens": "tokens_small"}
    named = frontier_document()
    named["frontier"]["models"]["large"]["price"] = "lrge"

    with pytest.raises(ProblemsError) as columns:
        read(wrong)
    with pytest.raises(ProblemsError) as prices:
        read(named, prices={"large": {"input_per_mtok": "1 USD", "output_per_mtok": "1 USD"}})

    assert [line.split(":")[0] for line in columns.value.problems] == [
        "frontier.models.small.quality", "frontier.models.small.output_tokens",
    ]  # fmt: skip
    assert prices.value.problems == (
        "frontier.models.large.price: is the name of nothing in the table [prices], got 'lrge'; did you mean 'large'?",
    )


@pytest.mark.parametrize("kind", [StatedFrontier, ModelColumns, FlatPrice])
def test_every_key_of_a_frontier_is_documented(kind):
    """Who writes a file finds each key on the page."""
    page = (EXAMPLES.parent / "docs" / "explanation" / "frontier.md").read_text("utf-8")

    assert all(f"`{name}`" in page for name in settable(kind))


# -- a history -------------------------------------------------------------------------------------------------------

HISTORY = """tier,paid,when,again
local,0.001,2026-11-01T08:00:00,0
cloud,0.5,2026-11-01T08:00:10,1
local,0.001,2026-11-01T09:00:00,0
mid,0.02,2026-11-02T09:00:00,0
"""
COLUMNS = {"tiers": "tier", "costs": "paid", "times": "when", "escalated": "again"}


def test_a_history_is_reported_by_tier_and_baseline(tmp_path):
    """Counts, costs and savings are those of the library."""
    path = tmp_path / "history.csv"
    path.write_text(HISTORY, "utf-8")
    flags = [word for field, column in COLUMNS.items() for word in ("--column", f"{field}={column}")]
    report = read_history(path, **COLUMNS).report(currency="CNY")

    found = document("route", "--history", path, *flags, "--currency", "CNY")
    text = run("route", "--history", path, *flags, "--currency", "CNY").output

    assert (found["records"], found["requests"], found["cost"]) == (4, 3, report.cost)
    assert {tier["name"]: tier["cost"] for tier in found["tiers"]} == {tier.name: tier.cost for tier in report.tiers}
    assert [row["saving"] for row in found["savings"]] == [saving.saving for saving in report.savings]
    assert "all at cloud (dearest)" in text
    assert "what that tier's own cost on the mean" in text
    assert max(map(len, text.splitlines())) <= 85


def test_columns_with_the_names_of_fields_need_no_naming(tmp_path):
    """And amounts by tier price what holds no costs."""
    path = tmp_path / "history.csv"
    path.write_text("tiers\nlocal\nlocal\ncloud\n", "utf-8")

    found = document("route", "--history", path, "--cost", "local=0.001 CNY", "--cost", "cloud=0.5 CNY")

    assert found["columns"] == {"tiers": "tiers"}
    assert found["cost"] == pytest.approx(0.502)
    assert found["currency"] == "CNY"
    assert found["savings"][0]["basis"] == "repriced"


def test_a_prompt_cache_is_found_as_well():
    """Everything with a hit rate and something behind it is a cache."""
    cached = PromptCache(by_request(1), prefix_share=0.5, hit_rate=0.5)

    assert caches_in(Stack((cached,))) == {"prompt cache": cached}


# -- the cheapest mix ------------------------------------------------------------------------------------------------


def test_the_cheapest_mix_of_a_router_meets_the_quality(tmp_path):
    """Half of the requests at each route: 0.7 and 0.9 make 0.8."""
    file = tmp_path / "routed.toml"
    file.write_text(MIXED, "utf-8")

    (mix,) = document("route", file, "--optimise", "--quality", 0.8, "--mean-latency-s", 2.5)["mixes"]
    text = run("route", file, "--optimise", "--quality", 0.8).output

    assert {route["name"]: route["share"] for route in mix["routes"]} == pytest.approx({"weak": 0.5, "strong": 0.5})
    assert mix["cost"] == pytest.approx(600_000 * (0.5 * 1.1 + 0.01))
    assert mix["binding"] == ["quality"]
    assert mix["gap"] <= 1e-3
    assert max(map(len, text.splitlines())) <= 120


def test_a_mix_that_cannot_be_is_status_3(tmp_path):
    """No mix is better than its best route."""
    file = tmp_path / "routed.toml"
    file.write_text(MIXED, "utf-8")

    result = run("route", file, "--optimise", "--quality", 0.95)

    assert result.exit_code == 3
    assert "reaches the quality that is asked for" in " ".join(result.output.split())


def test_the_number_of_servers_is_chosen_from_a_range():
    """Two servers carry the day: the same as by trying each number, without a router and within one."""
    file = EXAMPLES / "cheapest-mix.toml"
    comparison = load_scenario(file).compare()
    peak = comparison["peak"].component
    demand, terms = comparison["peak"].demand, comparison.terms
    tried = [
        float(terms.present_value(terms.costs(terms.ledger(component, demand))))
        for component in with_servers(peak, {"three": range(1, 9), "unknown": range(1, 3)})
    ]

    mixes = {mix["option"]: mix for mix in document("route", file, "--optimise", "--servers", "three=1..8")["mixes"]}

    assert len(tried) == 8
    assert set(mixes) == {"shares", "peak"}
    assert mixes["peak"]["servers"] == {"three": 1.0 + int(np.argmin(tried))} == {"three": 2.0}
    assert mixes["peak"]["cost"] == pytest.approx(min(tried))
    assert mixes["peak"]["lower_bound"] <= min(tried)
    fixed = document("route", file, "--optimise", "--option", "shares", "--servers", "sized=4")["mixes"][0]
    assert fixed["routes"][0]["alone"] is None


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_a_component_is_made_for_each_combination_of_servers(ones, others):
    """Each fleet is replaced wherever it is read, and one fleet remains one fleet."""
    peak = load_scenario(EXAMPLES / "cheapest-mix.toml").compare()["peak"].component
    one, other = (attrs.evolve(peak.fleet, name=name) for name in ("one", "other"))
    power = Power(one, price_per_kwh="1 CNY", pue=1.2)
    whole = Stack((Purchase(one, life_years=3), Purchase(other, life_years=3, name="other"), power))

    made = with_servers(whole, {"one": ones, "other": others})

    assert [tuple(part.fleet.count for part in stack.parts) for stack in made] == [
        (count, more, count) for count in ones for more in others
    ]
    assert all(stack.parts[0].fleet is stack.parts[2].fleet for stack in made)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--servers", "three=1..8"], "--servers has no meaning without --optimise"),
        (["--optimise", "--servers", "thre=1..8"], "no route to choose from reads that fleet; did you mean 'three'?"),
        (["--optimise", "--servers", "three=8..1"], "must be a range of numbers from 1 on such as three=1..8"),
        (["--optimise", "--servers", "three=0..2"], "must be a range of numbers from 1 on"),
        (["--optimise", "--servers", "three=a..2"], "must be a range of numbers from 1 on"),
        (["--optimise", "--servers", "three"], "must be a name and a value such as FLEET=LOW..HIGH"),
        (["--optimise", "--servers", "three=1..2", "--option", "cloud"], "the option 'cloud' does not hold a router"),
    ],
)
def test_a_wrong_range_of_servers_is_refused(flags, said):
    """Each says what is wrong, and what would be right."""
    result = run("route", EXAMPLES / "cheapest-mix.toml", *flags)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_limits_of_a_mix_need_the_optimiser():
    """A quality that nothing is held to would be passed over in silence."""
    result = run("route", EXAMPLES / "seeds" / "router.toml", "--quality", 0)

    assert result.exit_code == 2
    assert "--quality has no meaning without --optimise" in result.output


def test_a_router_without_requests_is_a_row_without_shares(tmp_path):
    """The overflow of a fleet that is never full has a cost, 0 requests and no shares; the other routers stay."""
    text = (Path(__file__).parent / "reference" / "filled-twice.toml").read_text("utf-8")
    file = tmp_path / "idle.toml"
    file.write_text(text.replace("LOAD", str([1.0] * 168)).replace("6_000_000", "1_000"), "utf-8")
    first, second = document("route", file)["routers"]

    assert [first["requests"] > 0, second["requests"]] == [True, 0]
    assert [route["share"] for route in first["routes"]] == [1, 0]
    assert [route["share"] for route in second["routes"]] == [None, None]
    assert second["cost"] > 0
    assert second["savings"] == []
    assert "mixed: spill-over.rest" in run("route", file).output


def test_documents_of_caches_and_routers_have_a_version(tmp_path):
    """A program sees by `format` whether it can read them."""
    log = tmp_path / "log.csv"
    log.write_text("prompt\na\na\nb\n", "utf-8")

    assert document("cache", LOSES)["format"] == 1
    assert document("cache", "--log", log, "--column", "prompt")["format"] == 1
    assert document("route", EXAMPLES / "router-rules.toml")["format"] == 1
    assert document("route", FRONTIER)["format"] == 1


def test_the_title_of_a_log_stands_on_one_line(tmp_path):
    """A narrow table does not break the sentence above it."""
    log = tmp_path / "log.csv"
    log.write_text("prompt\na\na\nb\n", "utf-8")

    assert "log.csv: 3 requests, 2 of them different\n" in run("cache", "--log", log, "--column", "prompt").output


def test_a_budget_buys_the_best_threshold_between_any_two_models(tmp_path):
    """No row of the hull that is a model or a threshold within the budget is better than the chosen one."""
    (tmp_path / "outcomes.csv").write_bytes((EXAMPLES / "frontier" / "outcomes.csv").read_bytes())
    file = tmp_path / "frontier.toml"
    text = FRONTIER.read_text("utf-8")
    file.write_text(text.replace("quality = 0.80", 'cost_per_request = "0.0015 USD"'), "utf-8")

    found = document("route", file)

    within = [row["quality"] for row in found["hull"] if row["cost_per_request"] <= 0.0015]
    assert found["chosen"]["cost_per_request"] <= 0.0015
    assert found["chosen"]["quality"] >= max(within)
    file.write_text(text.replace("quality = 0.80", 'quality = 0.80\nweak = "small"\nstrong = "large"'), "utf-8")
    own = document("route", file)
    assert own["chosen"]["cost_per_request"] == own["cost_at_equal_quality"]["threshold"]
    assert "threshold between small and large" in run("route", file).output
