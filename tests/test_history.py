"""The report of a routing history."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.errors import CurrencyError, InvalidValueError, ProblemsError
from llm_tco.usage.history import RoutingHistory, history_of, read_history
from llm_tco.usage.outcomes import FlatPrice

TIERS = ("cloud", "complex", "simple", "standard")
AMOUNTS = {"simple": "0.001 CNY", "standard": "0.005 CNY", "complex": "0.02 CNY", "cloud": "0.5 CNY"}


def by_tokens(tier, input_tokens, output_tokens):
    """Price a request by its tokens, each tier ten times the one before."""
    return 10.0 ** TIERS.index(tier) * (input_tokens + 3 * output_tokens) / 1e6


@st.composite
def histories(draw):
    """Draw records with costs, tokens and second attempts."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(TIERS), st.floats(0, 100), st.integers(0, 5_000), st.booleans()),
            min_size=1,
            max_size=40,
        )
    )
    tiers, costs, tokens, escalated = zip(*rows, ("simple", 1.0, 10, False), strict=True)
    return RoutingHistory(
        tiers=tiers, costs=costs, input_tokens=tokens, output_tokens=tokens[::-1], escalated=escalated
    )


@given(histories())
def test_the_tiers_add_up_to_the_whole(history):
    """Counts, shares and cost, whoever is asked."""
    report = history.report(currency="CNY")

    assert sum(tier.count for tier in report.tiers) == report.records == len(history)
    assert np.isclose(sum(tier.share for tier in report.tiers), 1)
    assert np.isclose(sum(tier.cost for tier in report.tiers), report.cost)
    assert sum(tier.escalated for tier in report.tiers) == report.records - report.requests
    assert np.isclose(report.cost_per_request * report.requests, report.cost)


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_is_irrelevant(history, random):
    """Bit for bit."""
    order = random.sample(range(len(history)), len(history))
    fields = {name: getattr(history, name)[order] for name in ("tiers", "costs", "input_tokens", "output_tokens")}
    shuffled = attrs.evolve(history, **fields, escalated=history.escalated[order])

    for price in (None, by_tokens):
        first, second = (each.report(currency="CNY", cost_per_request=price) for each in (history, shuffled))
        assert first == second


@given(histories())
def test_the_baselines_are_ordered(history):
    """The dearest tier costs the most, the cheapest the least, and random routing lies between."""
    report = history.report(currency="CNY", cost_per_request=by_tokens, tiers=TIERS)
    costs = {saving.baseline: saving.baseline_cost for saving in report.savings}

    assert set(costs) == {*TIERS, "dearest", "cheapest", "random"}
    assert costs["cheapest"] == min(costs[tier] for tier in TIERS)
    assert costs["dearest"] == max(costs[tier] for tier in TIERS)
    assert costs["cheapest"] * (1 - 1e-12) <= costs["random"] <= costs["dearest"] * (1 + 1e-12)


@given(histories())
def test_a_saving_is_signed(history):
    """It is what the baseline costs more; a router that costs more has a negative one."""
    report = history.report(currency="CNY", cost_per_request=by_tokens)

    for saving in report.savings:
        assert saving.saving == saving.baseline_cost - report.cost
        assert saving.saving_share is None or saving.saving_share <= 1
        assert (saving.saving_share is None) == (saving.baseline_cost == 0)


@given(histories())
def test_one_tier_saves_nothing_against_itself(history):
    """Where every request went there, once, and is priced alike."""
    alone = RoutingHistory(
        tiers=["simple"] * len(history), input_tokens=history.input_tokens, output_tokens=history.output_tokens
    )

    report = alone.report(currency="CNY", cost_per_request=by_tokens)

    assert {saving.saving for saving in report.savings} == {0.0}


def test_the_report_of_a_tiered_router_comes_out():
    """Counts and cost per tier, total, mean, and the saving against all-standard and all-cloud, worked by hand."""
    tiers = ["simple"] * 500 + ["standard"] * 300 + ["complex"] * 150 + ["cloud"] * 50

    report = RoutingHistory(tiers=tiers).report(cost_per_request=AMOUNTS)

    assert (report.currency, report.requests, report.records) == ("CNY", 1_000, 1_000)
    assert [(tier.name, tier.count) for tier in report.tiers] == [
        ("cloud", 50), ("complex", 150), ("simple", 500), ("standard", 300),
    ]  # fmt: skip
    assert [tier.cost for tier in report.tiers] == pytest.approx([25.0, 3.0, 0.5, 1.5])
    assert (report.cost, report.cost_per_request) == pytest.approx((30.0, 0.03))
    standard, cloud = report.saving_against("standard"), report.saving_against("cloud")
    assert (standard.saving, standard.saving_share) == pytest.approx((-25.0, -5.0))
    assert (cloud.saving, cloud.saving_share) == pytest.approx((470.0, 0.94))
    assert report.saving_against("dearest").tier == "cloud"
    assert report.saving_against("cheapest").tier == "simple"
    # Amounts that do not depend on the request: random routing at the same shares costs the same.
    assert report.saving_against("random").saving == pytest.approx(0.0, abs=1e-12)


def test_a_tier_without_records_is_listed_and_compared_with():
    """No request went to the cloud, and the saving against it is what matters."""
    report = RoutingHistory(tiers=["simple", "standard"]).report(cost_per_request=AMOUNTS)

    cloud = report.tier("cloud")
    assert (cloud.count, cloud.share, cloud.cost, cloud.cost_per_record) == (0, 0.0, 0.0, None)
    assert report.saving_against("cloud").saving == pytest.approx(1.0 - 0.006)


def test_a_router_that_sends_long_requests_to_the_dear_tier_loses_to_the_mean():
    """Priced by their own tokens, the same requests at random would have been cheaper."""
    history = RoutingHistory(tiers=["simple", "standard"], input_tokens=[0, 1_000_000], output_tokens=[0, 0])

    report = history.report(currency="USD", cost_per_request=by_tokens)

    assert report.cost == 1_000
    assert report.saving_against("random").baseline_cost == 0.5 * 1_000 + 0.5 * 100
    assert {saving.basis for saving in report.savings} == {"repriced"}


def test_logged_costs_alone_are_compared_by_their_means():
    """The result says so, and random routing is not answered from them."""
    history = RoutingHistory(tiers=["a", "a", "b", "b"], costs=[1, 3, 10, 20])

    report = history.report(currency="USD", tiers=["c"])

    assert (report.saving_against("b").baseline_cost, report.saving_against("b").basis) == (60.0, "mean")
    assert report.saving_against("dearest").saving == 60 - 34
    for baseline in ("random", "c"):
        with pytest.raises(InvalidValueError, match="must be computable.*Give cost_per_request"):
            report.saving_against(baseline)


def test_an_escalated_request_pays_both_attempts():
    """Two records, one request; a baseline answers it once."""
    history = RoutingHistory(tiers=["simple", "cloud", "simple"], escalated=[False, True, False])

    report = history.report(cost_per_request=AMOUNTS)

    assert (report.requests, report.records, report.escalated_share) == (2, 3, 0.5)
    assert report.cost == pytest.approx(0.502)
    assert report.saving_against("cloud").baseline_cost == 1.0
    assert report.tier("cloud").escalated == 1


def test_costs_that_were_logged_stand():
    """A price is for the baselines then."""
    report = RoutingHistory(tiers=["simple"], costs=[7.0]).report(cost_per_request=AMOUNTS)

    assert (report.cost, report.saving_against("simple").saving) == (7.0, 0.001 - 7.0)


def test_a_price_object_per_tier_prices_a_history():
    """Whatever prices tokens can be asked through a small function."""
    prices = {"local": FlatPrice("1 USD", "1 USD"), "cloud": FlatPrice("10 USD", "30 USD")}
    history = RoutingHistory(tiers=["local", "cloud"], input_tokens=[1e6, 1e6], output_tokens=[1e6, 1e6])

    report = history.report(
        currency="USD", cost_per_request=lambda tier, given, made: prices[tier].per_request_cost(given, made)
    )

    assert report.cost == 42
    assert report.saving_against("cloud").saving == 38


def test_models_tasks_and_times_are_reported_where_they_are_known():
    """And the report is plain values in JSON."""
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in (2, 1, 3)]
    history = RoutingHistory(
        tiers=["a", "b", "a"], costs=[1, 2, 3], models=["m", "n", "m"], tasks=["t", "t", "u"], times=times
    )

    report = history.report(currency="USD")

    assert [(model.name, model.cost, model.cost_share) for model in report.models] == [("m", 4, 4 / 6), ("n", 2, 2 / 6)]
    assert [(task.name, task.count) for task in report.tasks] == [("t", 2), ("u", 1)]
    assert (report.first, report.last) == (times[1], times[2])
    values = report.as_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["savings"][0]["saving"] == report.savings[0].saving
    assert values["tiers"][0]["cost_per_record"] == 2


def test_a_history_is_read_by_its_column_names(tmp_path):
    """From a CSV file and from columns alike."""
    file = tmp_path / "history.csv"
    file.write_text("when,route,paid,again\n2026-01-02,a,1,false\n2026-01-01T10:00,b,2,true\n", "utf-8")

    history = read_history(file, tiers="route", costs="paid", times="when", escalated="again")

    report = history.report(currency="USD")
    assert (report.requests, report.cost, report.first) == (1, 3, datetime(2026, 1, 1, 10))
    moments = np.array(["2026-01-02", "2026-01-01"], dtype="datetime64[D]")
    columns = {"route": ["a", "b"], "paid": [1, 2], "when": moments, "again": [0, 1]}
    same = history_of(columns, tiers="route", costs="paid", times="when", escalated="again").report(currency="USD")
    assert (same.cost, same.last) == (3, datetime(2026, 1, 2))
    assert history_of({"route": ["a"], "when": [report.first]}, tiers="route", times="when").times == [report.first]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tiers": []}, "tiers: must name the tier of at least one record"),
        ({"tiers": ["a", None]}, "tiers: must hold a text for each record, got a NoneType"),
        ({"tiers": ["a", ""]}, "tiers: must hold a text for each record, got a text without letters"),
        ({"tiers": ["a"], "costs": [1, 2]}, "costs: must have a value for each of 1 records"),
        (
            {"tiers": ["a"], "costs": [float("nan")]},
            "costs: must hold finite numbers of at least 0, got nan in record 1",
        ),
        ({"tiers": ["a", "a"], "input_tokens": [1, -1]}, "input_tokens: .* got -1 in record 2"),
        ({"tiers": ["a"], "escalated": [2]}, "escalated: must hold true or false"),
        ({"tiers": ["a"], "escalated": ["no"]}, "escalated: must hold true or false"),
        ({"tiers": ["a"], "escalated": [True]}, "escalated: must be false for at least one record"),
    ],
)
def test_a_history_with_holes_is_refused(fields, text):
    """With the record that is wrong."""
    with pytest.raises(InvalidValueError, match=text):
        RoutingHistory(**fields)


ONE = RoutingHistory(tiers=["a"], input_tokens=[5])


@pytest.mark.parametrize(
    ("history", "arguments", "error", "text"),
    [
        (ONE, {"currency": "USD"}, InvalidValueError, "costs: must be in the history, or else give cost_per_request"),
        (ONE, {"cost_per_request": by_tokens}, InvalidValueError, "currency: must be given"),
        (ONE, {"currency": "USD", "cost_per_request": by_tokens}, InvalidValueError, "output_tokens: must be in"),
        (ONE, {"cost_per_request": {"b": "1 USD"}}, InvalidValueError, "must have an amount for tier 'a'; known: b"),
        (ONE, {"cost_per_request": {"a": "1 USD", "b": "1 CNY"}}, CurrencyError, "the costs are in CNY and USD"),
        (ONE, {"cost_per_request": {"a": "1 USD"}, "currency": "CNY"}, CurrencyError, "the costs are in CNY and USD"),
        (ONE, {"cost_per_request": {"a": 1}}, InvalidValueError, "cost_per_request.a: must be an amount"),
        (ONE, {"cost_per_request": {"a": "-1 USD"}}, InvalidValueError, "cost_per_request of a: must give one finite"),
        (ONE, {"cost_per_request": AMOUNTS | {"a": "1 CNY"}, "tiers": ["random"]}, InvalidValueError, "named like a"),
    ],
)
def test_a_history_that_cannot_be_priced_is_refused(history, arguments, error, text):
    """Unknown is never zero."""
    with pytest.raises(error, match=text):
        history.report(**arguments)


def test_a_price_must_answer_for_each_request():
    """One cost, or one for all; no NaN."""
    history = RoutingHistory(tiers=["a", "a"], input_tokens=[1, 2], output_tokens=[1, 2])

    for price in (lambda *_: [1.0, 2.0, 3.0], lambda *_: float("nan")):
        with pytest.raises(InvalidValueError, match="cost_per_request of a: must give one finite cost"):
            history.report(currency="USD", cost_per_request=price)


def test_unknown_names_suggest_the_nearest():
    """In a report, and in a table."""
    report = RoutingHistory(tiers=["standard"], costs=[1]).report(currency="USD")

    with pytest.raises(InvalidValueError, match="did you mean 'standard'"):
        report.saving_against("standart")
    with pytest.raises(InvalidValueError, match="tier: must be one of the history, got 'x'"):
        report.tier("x")
    with pytest.raises(ProblemsError, match="has no column 'teir'; did you mean 'tier'"):
        history_of({"tier": ["a"]}, tiers="teir")
    with pytest.raises(ProblemsError, match="column 'when', row 1: must be a time in ISO 8601"):
        history_of({"tier": ["a"], "when": ["noon"]}, tiers="tier", times="when")


def test_times_with_and_without_a_zone_do_not_mix():
    """Which came first is unknown."""
    times = [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)]
    history = RoutingHistory(tiers=["a", "a"], costs=[1, 1], times=times)

    with pytest.raises(InvalidValueError, match="times: must be datetimes, all with a zone or all without"):
        history.report(currency="USD")


def test_a_saving_against_nothing_has_no_share():
    """Free baselines leave the share unknown."""
    report = RoutingHistory(tiers=["a"], costs=[0.0]).report(currency="USD")

    assert report.saving_against("a").saving_share is None
    assert report.tier("a").cost_share is None
