"""The cost–quality frontier of routers: its laws, its worked cases, its errors."""

from __future__ import annotations

import contextlib
import json
from datetime import date
from fractions import Fraction
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco.analysis.frontier import BASELINES, Frontier, frontier_rows
from llm_tco.analysis.hulls import running_sums, upper_hull
from llm_tco.analysis.resampling import bootstrap
from llm_tco.analysis.routing import Always, Mix, Oracle, Threshold, describe
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.rates import Rate, Window
from llm_tco.catalog.records import Source
from llm_tco.errors import CurrencyError, InfeasibleError, InvalidValueError, OverflowedError, ProblemsError
from llm_tco.usage.outcomes import FlatPrice, ModelColumns, Outcomes, outcomes_of, read_outcomes
from llm_tco.usage.tables import read_table

HERE = Path(__file__).parent
CASES = {case["id"]: case for case in json.loads((HERE / "reference" / "routing_cases.json").read_text("utf-8"))}
GSM8K = HERE.parent.parent / "shared" / "data" / "routellm_gsm8k_outcomes.csv"
NAMES = tuple("abcdefg")


@st.composite
def tables(draw, least=2, graded=None, most=30):
    """Draw outcomes with a score, many of them with ties in everything."""
    count, rows = draw(st.integers(least, 5)), draw(st.integers(1, most))
    graded = draw(st.booleans()) if graded is None else graded
    grades = st.floats(0, 1).map(lambda value: round(value, 3)) if graded else st.sampled_from([0.0, 1.0])
    costs = st.one_of(st.sampled_from([0.0, 1.0, 3.0]), st.floats(0, 1e3))
    scores = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-1e6, 1e6))
    return Outcomes(
        models=NAMES[:count],
        quality=draw(st.lists(st.lists(grades, min_size=count, max_size=count), min_size=rows, max_size=rows)),
        cost=draw(st.lists(st.lists(costs, min_size=count, max_size=count), min_size=rows, max_size=rows)),
        currency="USD",
        scores={"score": draw(st.lists(scores, min_size=rows, max_size=rows))},
    )


def bits(frontier):
    """List every figure of a frontier, the hull's and the curve's too."""
    curve = frontier.curve()
    arrays = [curve.thresholds, curve.strong_share, curve.quality, curve.cost_per_request, curve.under_served]
    points = [frontier.oracle, frontier.random(0.3), *map(frontier.always, frontier.outcomes.models)]
    return [point.as_dict() for point in [*points, *frontier.hull.points]], [array.tolist() for array in arrays]


@given(tables())
def test_no_model_and_no_threshold_is_better_than_the_oracle(outcomes):
    """Knowing all answers beforehand cannot hurt."""
    frontier = Frontier(outcomes, score="score")

    assert all(frontier.oracle.quality >= frontier.always(model).quality for model in outcomes.models)
    assert np.all(frontier.oracle.quality >= frontier.curve().quality - 1e-12)
    assert frontier.oracle.under_served == 0


@given(tables())
def test_the_oracle_takes_the_cheapest_of_the_best(outcomes):
    """It costs what a search through each query says."""
    best = outcomes.quality == outcomes.quality.max(axis=1, keepdims=True)
    cheapest = [row[good].min() for row, good in zip(outcomes.cost, best, strict=True)]

    oracle = Frontier(outcomes).oracle

    assert np.isclose(oracle.cost_per_request, np.mean(cheapest), rtol=1e-12)
    assert np.isclose(oracle.quality, outcomes.quality.max(axis=1).mean(), rtol=1e-12)


@given(tables())
def test_the_ends_of_the_curve_are_the_two_models(outcomes):
    """Above all scores every query is weak, at the lowest every one is strong; to the last bit."""
    frontier = Frontier(outcomes, score="score")
    curve = frontier.curve()

    for place, model in ((0, frontier.weak), (-1, frontier.strong)):
        point = frontier.always(model)
        assert (curve.quality[place], curve.cost_per_request[place]) == (point.quality, point.cost_per_request)
        assert (curve.under_served[place], curve.strong_share[place]) == (point.under_served, float(place == -1))


@given(tables(), st.data())
def test_each_threshold_is_what_routing_by_it_gives(outcomes, data):
    """The running sums agree with routing every query anew."""
    frontier = Frontier(outcomes, score="score")
    curve = frontier.curve()
    place = data.draw(st.integers(0, curve.thresholds.size - 1))
    strong = outcomes.scores["score"] >= curve.thresholds[place]
    taken = np.where(strong, outcomes.place(frontier.strong), outcomes.place(frontier.weak))
    rows = np.arange(len(outcomes))

    assert np.isclose(curve.quality[place], outcomes.quality[rows, taken].mean(), rtol=1e-12, atol=1e-15)
    assert np.isclose(curve.cost_per_request[place], outcomes.cost[rows, taken].mean(), rtol=1e-9, atol=1e-12)
    assert np.isclose(curve.strong_share[place], strong.mean())
    shortfall = outcomes.quality[rows, taken] < outcomes.quality.max(axis=1)
    assert np.isclose(curve.under_served[place], shortfall.mean())
    at = frontier.of(Threshold(weak=frontier.weak, strong=frontier.strong, at=curve.thresholds[place]))
    assert (at.quality, at.cost_per_request) == (curve.quality[place], curve.cost_per_request[place])


@given(tables(), st.floats(0, 1))
def test_a_random_mix_lies_on_the_segment(outcomes, share):
    """Between the two models, at its share."""
    frontier = Frontier(outcomes)
    weak, strong, mix = frontier.always(frontier.weak), frontier.always(frontier.strong), frontier.random(share)

    cost, quality = frontier.random_line(share)

    assert np.isclose(mix.cost_per_request, cost, rtol=1e-12)
    assert np.isclose(mix.quality, quality, rtol=1e-12)
    assert np.isclose(cost, weak.cost_per_request + share * (strong.cost_per_request - weak.cost_per_request))
    assert np.isclose(quality, weak.quality + share * (strong.quality - weak.quality))
    assert mix.shares[frontier.strong] == share


@given(tables())
def test_the_hull_is_concave_and_rises(outcomes):
    """The first money buys the most."""
    hull = Frontier(outcomes, score="score").hull
    cost, quality = hull.cost_per_request, hull.quality

    assert np.all(np.diff(cost) > 0)
    assert np.all(np.diff(quality) > 0)
    width, height = np.ptp(cost), np.ptp(quality)
    rise, run = np.diff(quality) / (height or 1.0), np.diff(cost) / (width or 1.0)
    assert np.all(rise[1:] * run[:-1] <= rise[:-1] * run[1:] + 1e-12)


@given(tables())
def test_nothing_lies_above_the_hull(outcomes):
    """No model, no threshold of any pair, no random mix; the oracle may."""
    frontier = Frontier(outcomes, score="score")
    points = [(frontier.always(model).cost_per_request, frontier.always(model).quality) for model in outcomes.models]
    for weak in outcomes.models:
        for strong in outcomes.models:
            if frontier.always(weak).cost_per_request < frontier.always(strong).cost_per_request:
                curve = frontier.curve(weak=weak, strong=strong)
                points += list(zip(curve.cost_per_request, curve.quality, strict=True))
    points += list(zip(*frontier.random_line(np.linspace(0, 1, 5)), strict=True))
    least = frontier.hull.points[0].cost_per_request
    largest = max(cost for cost, _ in points)

    # A cost below the cheapest corner differs from it by rounding only, as does what it buys.
    slack = 1e-12 * largest
    assert all(cost >= least - slack for cost, _ in points)
    assert all(quality <= frontier.hull.quality_at(max(cost + slack, least)) + 1e-12 for cost, quality in points)


@given(tables(least=3))
def test_one_more_model_never_lowers_the_hull(outcomes):
    """It need not be used."""
    fewer = attrs.evolve(
        outcomes, models=outcomes.models[:-1], quality=outcomes.quality[:, :-1], cost=outcomes.cost[:, :-1]
    )
    before, after = Frontier(fewer, score="score").hull, Frontier(outcomes, score="score").hull

    for point in before.points:
        budget = max(point.cost_per_request, after.points[0].cost_per_request) * (1 + 1e-12)
        assert after.quality_at(budget) >= point.quality - 1e-12


@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_the_queries_is_irrelevant(outcomes, random):
    """Bit for bit, in the curve, the hull and the intervals."""
    order = list(range(len(outcomes)))
    random.shuffle(order)
    frontier, other = (Frontier(table, score="score") for table in (outcomes, outcomes.take(order)))

    assert bits(frontier) == bits(other)
    first, second = (
        bootstrap(each, Oracle(), baseline="strong", draws=7, seed=3).as_dict() for each in (frontier, other)
    )
    assert first == second


@given(tables(), st.floats(0, 1))
def test_shares_sum_to_one_and_under_served_is_a_share(outcomes, share):
    """Whatever the policy."""
    frontier = Frontier(outcomes, score="score")
    points = [frontier.oracle, frontier.random(share), *frontier.hull.points]

    assert all(np.isclose(sum(point.shares.values()), 1.0, rtol=1e-12) for point in points)
    assert all(0 <= point.under_served <= 1 for point in points)


@given(tables(graded=False))
def test_right_or_wrong_under_served_is_the_distance_to_the_oracle(outcomes):
    """Each query under-served is one right answer less."""
    frontier = Frontier(outcomes, score="score")
    curve = frontier.curve()

    assert np.allclose(curve.under_served, frontier.oracle.quality - curve.quality, atol=1e-12)


@given(tables(), st.floats(0, 1))
def test_the_best_threshold_is_the_cheapest_that_suffices(outcomes, target):
    """Equal to a search through the whole curve."""
    frontier = Frontier(outcomes, score="score")
    curve = frontier.curve()
    enough = curve.quality >= target
    assume(enough.any())

    best = frontier.best_threshold(quality=target)

    assert best.quality >= target * (1 - 1e-12)
    assert best.cost_per_request <= curve.cost_per_request[enough].min()


@given(tables(), st.floats(0, 1))
def test_the_best_threshold_of_a_budget_keeps_to_it(outcomes, part):
    """Equal to a search through the whole curve."""
    frontier = Frontier(outcomes, score="score")
    curve = frontier.curve()
    budget = curve.cost_per_request.min() + part * np.ptp(curve.cost_per_request)

    best = frontier.best_threshold(cost_per_request=budget)

    assert best.cost_per_request <= budget * (1 + 1e-12)
    assert best.quality >= curve.quality[curve.cost_per_request <= budget].max()


@given(tables(), st.data())
def test_a_threshold_costs_what_a_sum_without_rounding_says(outcomes, data):
    """Its cost, added up exactly and rounded once, is a budget that it keeps; its quality, a target that it meets."""
    frontier = Frontier(outcomes, score="score")
    at = data.draw(st.sampled_from(frontier.curve().thresholds.tolist()))
    places = [outcomes.place(frontier.strong if score >= at else frontier.weak) for score in outcomes.scores["score"]]
    quality, cost = (
        float(sum(Fraction(row[place]) for row, place in zip(table, places, strict=True)) / len(outcomes))
        for table in (outcomes.quality, outcomes.cost)
    )

    point = frontier.of(Threshold(weak=frontier.weak, strong=frontier.strong, at=at))

    assert point.cost_per_request == pytest.approx(cost, rel=1e-14, abs=1e-28 * (1 + outcomes.cost.max()))
    assert frontier.best_threshold(cost_per_request=cost).quality >= quality * (1 - 1e-12)
    assert frontier.best_threshold(quality=quality).cost_per_request <= cost * (1 + 1e-12)
    assert frontier.hull.cost_at(quality) <= frontier.hull.cost_per_request[-1]
    assert frontier.hull.quality_at(cost) >= frontier.hull.quality[0]


def test_cheap_queries_keep_their_cost_beside_dear_ones():
    """A threshold that saves one query of a million spares all of it: what is left is the cheap ones alone."""
    outcomes = Outcomes(
        models=["weak", "strong"], quality=[[0, 1], [0, 1], [0, 1]], currency="USD",
        cost=[[1e-9, 2e-9], [3e-9, 4e-9], [1e6, 5e-9]], scores={"s": [1.0, 2.0, 3.0]},
    )  # fmt: skip
    frontier = Frontier(outcomes, score="s", weak="weak", strong="strong")

    point = frontier.of(Threshold(weak="weak", strong="strong", at=3.0))

    assert point.cost_per_request == pytest.approx(3e-9, rel=1e-12)


@given(tables(), st.floats(0, 1))
def test_the_policy_of_the_hull_gives_what_the_hull_says(outcomes, part):
    """For a quality and for a budget; round trip."""
    hull = (frontier := Frontier(outcomes, score="score")).hull
    target = hull.quality[0] + part * np.ptp(hull.quality)
    budget = hull.cost_per_request[0] + part * np.ptp(hull.cost_per_request)

    by_quality = frontier.of(hull.policy_at(quality=min(target, hull.quality[-1])))
    by_budget = frontier.of(hull.policy_at(cost_per_request=budget))

    assert np.isclose(by_quality.cost_per_request, hull.cost_at(min(target, hull.quality[-1])), atol=1e-9)
    assert np.isclose(by_quality.quality, target, atol=1e-9)
    assert np.isclose(by_budget.quality, hull.quality_at(budget), atol=1e-9)
    assert np.isclose(by_budget.cost_per_request, budget, atol=1e-9) or budget >= hull.cost_per_request[-1]


@given(tables(), st.floats(0, 1))
def test_cost_at_equal_quality_is_ordered(outcomes, target):
    """The hull is never dearer than a threshold, a random mix or one model that also reach the quality."""
    costs = Frontier(outcomes, score="score").cost_at_equal_quality(target)
    others = [costs[name] for name in ("strong", "weak", "random", "threshold") if costs[name] is not None]

    assert set(costs) == {"strong", "weak", "random", "threshold", "hull", "oracle"}
    assert not others or costs["hull"] <= min(others) * (1 + 1e-9) + 1e-9


@given(tables(), st.sampled_from(BASELINES))
def test_a_saving_is_the_difference_and_has_its_sign(outcomes, baseline):
    """What a policy saves against a baseline, the baseline loses against the policy."""
    frontier = Frontier(outcomes, score="score")
    point = frontier.hull.points[-1]

    saving = frontier.saving(point, baseline)
    back = frontier.saving(saving.against, point)

    assert saving.per_request == -back.per_request
    assert saving.quality_difference == -back.quality_difference
    assert frontier.saving(point, point.policy).per_request == 0


@given(tables(most=8), st.integers(0, 2**31))
def test_the_same_seed_gives_the_same_bits(outcomes, seed):
    """And no interval leaves the range of the queries."""
    frontier = Frontier(outcomes)
    policy = Mix({Always(frontier.weak): 0.5, Always(frontier.strong): 0.5})

    first, again = (bootstrap(frontier, policy, baseline="weak", draws=20, seed=seed) for _ in range(2))

    assert first == again
    for interval, values in zip((first.quality, first.cost_per_request), frontier.per_query(policy), strict=True):
        assert interval.low <= interval.high
        assert values.min() - 1e-9 <= interval.low
        assert interval.high <= values.max() + 1e-9


def test_an_interval_covers_as_often_as_it_says():
    """Of 200 tables from one source, about 90 % of the 90 % intervals hold the true quality and saving."""
    rng = np.random.default_rng(5)
    hits = np.zeros(2)
    for _ in range(200):
        right = rng.uniform(size=(150, 2)) < [0.6, 0.8]
        cost = rng.exponential([1.0, 4.0], (150, 2))
        frontier = Frontier(Outcomes(models=("w", "s"), quality=right, cost=cost, currency="USD"))
        found = bootstrap(frontier, Always("w"), baseline="strong", level=0.9, draws=300)
        share = found.saving_share
        hits += [found.quality.low <= 0.6 <= found.quality.high, share.low <= 0.75 <= share.high]

    assert np.all(np.abs(hits / 200 - 0.9) < 0.06)


def test_equal_queries_leave_nothing_to_chance():
    """Intervals of a table without variance are points."""
    outcomes = Outcomes(models=("w", "s"), quality=[[0, 1]] * 9, cost=[[0.1, 0.3]] * 9, currency="USD")

    found = bootstrap(Frontier(outcomes), Always("w"), baseline="strong", draws=30)

    assert np.allclose(attrs.astuple(found.cost_per_request), 0.1, rtol=1e-12)
    assert np.allclose(attrs.astuple(found.saving_share), 2 / 3, rtol=1e-12)


def test_a_baseline_that_costs_nothing_has_no_saving_share():
    """A share of nothing is unknown, not zero."""
    outcomes = Outcomes(models=("w", "s"), quality=[[0, 1]], cost=[[0.0, 1.0]], currency="USD")
    frontier = Frontier(outcomes)

    assert frontier.saving(Always("s"), "weak").share is None
    assert frontier.saving(Always("s"), "weak").fewer_calls("s") is None
    assert bootstrap(frontier, Always("s"), baseline="weak", draws=3).saving_share is None


@given(
    st.lists(st.lists(st.floats(0, 1e9), min_size=2, max_size=2), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_running_sums_do_not_depend_on_order_and_lose_nothing(rows, random):
    """They agree with exact summation."""
    values = np.array(rows)
    shuffled = values[random.sample(range(len(rows)), len(rows))]
    end = np.array([len(rows)])

    total = running_sums(values, end)

    assert total.tobytes() == running_sums(shuffled, end).tobytes()
    assert total.tobytes() == running_sums(values, np.arange(1, len(rows) + 1))[-1:].tobytes()
    assert np.allclose(total, values.sum(axis=0), rtol=1e-14)


def test_a_sum_that_is_no_float_is_an_error():
    """Infinity is no answer, and no score leaves no room above it."""
    with pytest.raises(OverflowedError, match="the sum of 2 numbers of up to 1e.308"):
        running_sums(np.full((2, 1), 1e308), np.array([2]))
    scores = {"s": [np.finfo(float).max]}
    outcomes = Outcomes(models=("a", "b"), quality=[[0, 1]], cost=[[1, 2]], currency="USD", scores=scores)
    with pytest.raises(InvalidValueError, match="scores.s: must leave room for a threshold above"):
        Frontier(outcomes, score="s").curve()


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=40))
def test_the_hull_of_points_is_that_of_a_search(points):
    """A point is a corner where no mix of two others is as good: equal to brute force on a grid."""
    cost, quality = np.array(points, dtype=float).T

    corners = upper_hull(cost, quality)

    found = {(cost[place], quality[place]) for place in corners}
    grid = set(zip(cost.tolist(), quality.tolist(), strict=True))
    assert found == {point for point in grid if not beaten(point, grid - {point})}


def beaten(point, others):
    """Say whether another point, or a mix of two, is as good and no dearer."""
    x, y = point
    if any(a <= x and b >= y for a, b in others):
        return True
    return any(a < x < c and (b * (c - x) + d * (x - a)) >= y * (c - a) for a, b in others for c, d in others if a < c)


def test_a_dominated_strong_model_is_never_used():
    """Dearer and worse: the hull is the weak model alone, and routing to it saves nothing."""
    outcomes = Outcomes(models=("w", "s"), quality=[[1, 0], [1, 1]], cost=[[1, 5], [1, 5]], currency="USD")
    frontier = Frontier(outcomes)

    assert [point.policy for point in frontier.hull.points] == [Always("w")]
    assert frontier.cost_at_equal_quality(0.9)["random"] == 1
    assert frontier.saving(frontier.random(0.5), "weak").share == -2.0


def test_weak_and_strong_are_named_or_found():
    """The weak model is the cheapest, the strong one the best of the others; both can be stated."""
    outcomes = Outcomes(
        models=("mid", "small", "big"), quality=[[1, 0, 1], [0, 0, 1]], cost=[[3, 1, 9]] * 2, currency="USD"
    )

    assert (Frontier(outcomes).weak, Frontier(outcomes).strong) == ("small", "big")
    assert (Frontier(outcomes, strong="small").weak, Frontier(outcomes, weak="big").strong) == ("mid", "mid")
    with pytest.raises(InvalidValueError, match="strong: must be another model"):
        Frontier(outcomes, weak="mid", strong="mid")
    with pytest.raises(InvalidValueError, match="did you mean 'small'"):
        Frontier(outcomes, weak="smal")


def gsm8k(counts):
    """Make the table of who is right from its four counts, at one price per token."""
    both, strong, weak, none = (counts[name] for name in ("both_right", "strong_only", "weak_only", "none_right"))
    right = np.repeat([[1, 1], [0, 1], [1, 0], [0, 0]], [both, strong, weak, none], axis=0)
    return Outcomes(models=("weak", "strong"), quality=right, cost=np.ones(right.shape) * [1, 100], currency="USD")


def gsm8k_figures(frontier):
    """Compute the figures of the published table."""
    return {
        "weak_quality": frontier.always("weak").quality,
        "strong_quality": frontier.always("strong").quality,
        "oracle_quality": frontier.oracle.quality,
        "oracle_strong_share": frontier.oracle.shares["strong"],
        "random50_quality": frontier.random(0.5).quality,
        "strong_under_served": frontier.always("strong").under_served,
    }


def published(inputs):
    """Compute what a published claim about shares and prices comes to."""
    if "both_right" in inputs:
        return gsm8k_figures(Frontier(gsm8k(inputs)))
    prices = [f"{inputs.get(f'{name}_usd_per_mtok', 1)} USD" for name in ("weak", "strong")]
    outcomes = outcomes_of(
        {"weak": [0], "strong": [1], "input": [400_000], "output": [600_000]},
        {
            name: ModelColumns(
                quality=name, input_tokens="input", output_tokens="output", price=FlatPrice(price, price)
            )
            for name, price in zip(("weak", "strong"), prices, strict=True)
        },
    )
    frontier = Frontier(outcomes, weak="weak", strong="strong")
    point = frontier.random(inputs["strong_share"])
    saving = frontier.saving(point, frontier.random(inputs.get("reference_strong_share", 1.0)))
    return {
        "usd_per_mtok": point.cost_per_request,
        "saving_share": saving.share,
        "fewer_strong_calls": saving.fewer_calls("strong"),
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_published_figure_comes_out(case):
    """Savings of calls and of dollars are told apart."""
    found = published(case["inputs"])

    assert {name: found[name] for name in case["expected"]} == pytest.approx(case["expected"], abs=case["tolerance"])


@pytest.mark.skipif(not GSM8K.exists(), reason="the outcomes of GSM8K are not beside this checkout")
def test_the_published_table_itself_gives_the_figures():
    """Read off the file, with tokens from characters by a stated ratio."""
    columns = {
        name: ModelColumns(
            quality=f"{name}_correct",
            input_characters="prompt_chars",
            output_characters=f"{name}_response_chars",
            characters_per_token=4.0,
            price=FlatPrice(price, price),
        )
        for name, price in (("weak", "0.24 USD"), ("strong", "24.7 USD"))
    }
    case = CASES["routellm_data_gsm8k"]

    frontier = Frontier(read_outcomes(GSM8K, columns))

    assert len(frontier.outcomes) == 1_319
    assert gsm8k_figures(frontier) == pytest.approx(case["expected"], abs=case["tolerance"])
    assert frontier.saving(frontier.oracle, "strong").quality_difference > 0


def test_a_price_of_the_catalog_prices_a_table():
    """Each request by its own lengths."""
    source = Source(title="test", checked=date(2026, 1, 1))
    price = TokenPrice(
        provider="p", model="m", currency="USD", input=Rate(base="1"), output=Rate(base="10"), source=source
    )
    columns = ModelColumns(quality="right", input_tokens="in", output_tokens="out", price=price)
    other = ModelColumns(
        quality="right", input_tokens="in", output_tokens="out", price=FlatPrice("1 USD", "1 USD", "2 USD")
    )
    table = {"right": [True, False], "in": [1_000_000, 500_000], "out": [100_000, 0]}

    outcomes = outcomes_of(table, {"a": columns, "b": other})

    assert np.allclose(outcomes.cost, [[2.0, 3.1], [0.5, 2.5]])
    hourly = attrs.evolve(
        columns,
        price=attrs.evolve(
            price, windows=(Window(start="22:00", end="06:00", input=Rate(base="0.5")),), timezone="UTC"
        ),
    )
    with pytest.raises(InvalidValueError, match="price of a: must hold at all hours"):
        outcomes_of(table, {"a": hourly, "b": other})
    unpriced = attrs.evolve(columns, price=attrs.evolve(price, output=None))
    with pytest.raises(InvalidValueError, match="price of a: must have a rate for output tokens"):
        outcomes_of(table, {"a": unpriced, "b": other})


def test_a_structured_array_is_a_table_too():
    """As is anything with columns that can be asked for by name."""
    array = np.array([(1, 2.0, 0, 1.0, 0.5)], dtype=[("a", "i4"), ("ca", "f4"), ("b", "i4"), ("cb", "f4"), ("s", "f8")])

    class Frame:
        columns = array.dtype.names

        def __getitem__(self, name):
            return array[name]

    models = {"a": ModelColumns(quality="a", cost="ca"), "b": ModelColumns(quality="b", cost="cb")}
    for table in (array, Frame()):
        outcomes = outcomes_of(table, models, scores=["s"], currency="CNY")
        assert (outcomes.cost.tolist(), outcomes.scores["s"].tolist()) == ([[2.0, 1.0]], [0.5])


def test_a_csv_file_is_read_by_its_column_names(tmp_path):
    """Numbers, and right or wrong in words."""
    file = tmp_path / "outcomes.csv"
    file.write_text("a,ca,b,cb,s\nTrue,1,false,2,0.5\nfalse,1,TRUE,2,0.25\n", "utf-8")
    models = {"a": ModelColumns(quality="a", cost="ca"), "b": ModelColumns(quality="b", cost="cb")}

    outcomes = read_outcomes(file, models, scores=["s"], currency="CNY")

    assert outcomes.quality.tolist() == [[1, 0], [0, 1]]
    assert outcomes.scores["s"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no header"),
        ("a,a\n1,2\n", "has several columns 'a'"),
        ("a,b\n1,2\n1\n", "row 2: must have 2 fields, got 1"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text, problem):
    """With the row that is wrong."""
    file = tmp_path / "t.csv"
    file.write_text(text, "utf-8")

    with pytest.raises(ProblemsError, match=problem):
        read_table(file)


TWO = {"a": ModelColumns(quality="a", cost="ca"), "b": ModelColumns(quality="b", cost="cb")}
TABLE = {"a": [1, 0], "b": [1, 1], "ca": [1, 1], "cb": [2, 2], "s": [0.1, 0.2]}


@pytest.mark.parametrize(
    ("changes", "arguments", "error", "text"),
    [
        ({}, {"scores": ["z"], "currency": "USD"}, ProblemsError, "has no column 'z'; known: a, b, ca, cb, s"),
        ({"a": [1, float("nan")]}, {"currency": "USD"}, InvalidValueError, "quality of a: .* got nan in row 2"),
        ({"a": [1, 1.5]}, {"currency": "USD"}, InvalidValueError, "from 0 to 1, got 1.5 in row 2"),
        ({"cb": [-1, 1]}, {"currency": "USD"}, InvalidValueError, "cost of b: .* from 0 to 1e.150, got -1 in row 1"),
        ({"cb": [1]}, {"currency": "USD"}, InvalidValueError, "columns of one length"),
        ({"cb": ["1", "x"]}, {"currency": "USD"}, ProblemsError, "'cb', row 2: must be a number, got 'x'"),
        ({"cb": ["1", None]}, {"currency": "USD"}, InvalidValueError, "cost of b: .* got nan in row 2"),
        ({"cb": [[1], [2]]}, {"currency": "USD"}, ProblemsError, "'cb': must hold one value per row"),
        ({name: [] for name in TABLE}, {"currency": "USD"}, InvalidValueError, "at least one query, got an empty"),
        ({"s": [1, np.inf]}, {"currency": "USD", "scores": ["s"]}, InvalidValueError, "scores.s: .* got inf in row 2"),
        ({}, {}, InvalidValueError, "currency: must be given"),
        ({}, {"currency": "dollar"}, InvalidValueError, "currency: must be a currency code"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(changes, arguments, error, text):
    """With what is wrong, and where."""
    with pytest.raises(error, match=text):
        outcomes_of({**TABLE, **changes}, TWO, **arguments)


def test_one_model_is_nothing_to_route_between():
    """Nor is none, nor one twice."""
    for models in ({}, {"a": TWO["a"]}):
        with pytest.raises(InvalidValueError, match="models: must be at least two to route between"):
            outcomes_of(TABLE, models, currency="USD")
    with pytest.raises(InvalidValueError, match="models: must have different names"):
        Outcomes(models=("a", "a"), quality=[[1, 1]], cost=[[1, 1]], currency="USD")
    with pytest.raises(InvalidValueError, match="table: must be a mapping"):
        outcomes_of([1, 2], TWO, currency="USD")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"quality": [1, 1]}, "quality: must have the shape"),
        ({"quality": [[1, 1, 1]]}, "quality: must have a column for each of 2 models, got 3"),
        ({"cost": [[1, 1], [1, 1]]}, "cost: must have the shape of quality"),
        ({"scores": {"s": [1, 2]}}, "scores.s: must hold 1 numbers"),
        ({"cost": [[1, 1e160]]}, "cost of b: must hold finite numbers from 0 to 1e.150, got 1e.160 in row 1"),
    ],
)
def test_arrays_that_are_no_table_are_refused(changes, text):
    """Nothing is broadcast by accident, and no sum of costs leaves the floats."""
    with pytest.raises(InvalidValueError, match=text):
        Outcomes(**{"models": ("a", "b"), "quality": [[1, 1]], "cost": [[1, 1]], "currency": "USD", **changes})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "cost: must be a column of costs, or else price"),
        ({"cost": "c", "price": FlatPrice("1 USD", "1 USD")}, "cost: must be .* and not both"),
        ({"price": FlatPrice("1 USD", "1 USD"), "input_tokens": "i"}, "output_tokens: must name a column"),
        (
            {"price": FlatPrice("1 USD", "1 USD"), "input_characters": "i", "output_tokens": "o"},
            "characters_per_token: must be given, because input_characters",
        ),
    ],
)
def test_a_model_says_how_its_requests_are_priced(fields, text):
    """Tokens are never guessed from characters."""
    with pytest.raises(InvalidValueError, match=text):
        ModelColumns(quality="q", **fields)


def test_currencies_never_mix():
    """Neither in a price nor between models."""
    with pytest.raises(CurrencyError, match="output_per_mtok: is in CNY"):
        FlatPrice("1 USD", "1 CNY")
    priced = {"quality": "a", "input_tokens": "s", "output_tokens": "s"}
    models = {unit: ModelColumns(**priced, price=FlatPrice(f"1 {unit}", f"1 {unit}")) for unit in ("CNY", "USD")}
    with pytest.raises(CurrencyError, match="the costs are in CNY and USD"):
        outcomes_of(TABLE, models)


def test_without_a_score_there_is_no_threshold():
    """The random line, the oracle and the hull are there all the same, and the error says so."""
    frontier = Frontier(outcomes_of(TABLE, TWO, currency="USD"))

    assert (frontier.oracle.quality, len(frontier.hull.points)) == (1.0, 2)
    assert "threshold" not in frontier.cost_at_equal_quality(0.9)
    for ask in (
        frontier.curve,
        lambda: frontier.best_threshold(quality=0.9),
        lambda: frontier.of(Threshold(weak="a", strong="b", at=0.1)),
        lambda: frontier.per_query(Threshold(weak="a", strong="b", at=0.1)),
    ):
        with pytest.raises(InvalidValueError, match="random line, the oracle and the hull only"):
            ask()
    with pytest.raises(InvalidValueError, match="read without scores"):
        Frontier(frontier.outcomes, score="s")


@pytest.fixture
def frontier():
    """Make a small frontier with a score."""
    return Frontier(outcomes_of(TABLE, TWO, currency="USD", scores=["s"]), score="s")


@pytest.mark.parametrize(
    ("ask", "error", "text"),
    [
        (lambda f: f.best_threshold(), InvalidValueError, "quality: must be given, or else cost_per_request"),
        (lambda f: f.best_threshold(quality=1, cost_per_request=1), InvalidValueError, "not both"),
        (lambda f: f.best_threshold(quality=1.1), InvalidValueError, "quality: must be at most 1"),
        (lambda f: f.best_threshold(cost_per_request=0.5), InfeasibleError, "the cheapest threshold costs 1 USD"),
        (lambda f: f.hull.quality_at(0.5), InfeasibleError, "the cheapest, always a, costs 1"),
        (lambda f: f.hull.policy_at(cost_per_request=0), InfeasibleError, "Raise the budget"),
        (Frontier, InvalidValueError, "outcomes: must be a Outcomes"),
        (lambda f: f.random([0.1, 0.2]), InvalidValueError, "shares: must be one share, .* see random_line"),
        (lambda f: f.random(1.1), InvalidValueError, "shares: must be at most 1"),
        (lambda f: f.random({"a": 0.5, "b": 0.4}), InvalidValueError, "shares: must sum to 1, got 0.9"),
        (lambda f: f.random({"a": 1.5, "b": -0.5}), InvalidValueError, "shares: must be at most 1"),
        (lambda f: f.random_line([0.5, 2]), InvalidValueError, "shares: must be at most 1"),
        (lambda f: f.random({"a": 0.5, "x": 0.5}), InvalidValueError, "model: must be one of the table, got 'x'"),
        (lambda f: f.saving(Oracle(), "stron"), InvalidValueError, "did you mean 'strong'"),
        (lambda f: f.curve(weak="a", strong="a"), InvalidValueError, "strong: must be another model"),
        (lambda f: attrs.evolve(f, score="t"), InvalidValueError, "got 't'; known: s"),
        (lambda f: bootstrap(f, Oracle(), baseline="weak", level=2), InvalidValueError, "level: must be at most 1"),
        (lambda f: bootstrap(f, Oracle(), baseline="weak", draws=0), InvalidValueError, "draws: must be a whole"),
        (lambda f: bootstrap(f, Oracle(), baseline="weak", seed=-1), InvalidValueError, "seed: must be a whole"),
    ],
)
def test_what_cannot_be_answered_is_refused(frontier, ask, error, text):
    """With the nearest thing that can."""
    with pytest.raises(error, match=text):
        ask(frontier)


def test_a_quality_that_no_policy_reaches_is_infeasible():
    """The error names the best there is."""
    outcomes = Outcomes(
        models=("a", "b"), quality=[[0, 1], [0, 0]], cost=[[1, 2]] * 2, currency="USD", scores={"s": [1, 0]}
    )
    frontier = Frontier(outcomes, score="s")

    with pytest.raises(InfeasibleError, match="the best threshold has a quality of 0.5"):
        frontier.best_threshold(quality=0.9)
    with pytest.raises(InfeasibleError, match="the best, b from a score of 1 on, else a, has 0.5"):
        frontier.hull.cost_at(0.9)
    assert frontier.cost_at_equal_quality(0.9)["oracle"] is None


def test_a_threshold_is_judged_on_other_queries_than_it_was_chosen_on(frontier):
    """Half of a table is a table."""
    half = frontier.outcomes.take([True, False])

    assert (len(half), half.scores["s"].tolist()) == (1, [0.1])


def test_the_rows_of_a_picture_follow_its_lines(frontier):
    """Each series rises in cost, ends included, and is as long as was asked for."""
    rows = frontier_rows(frontier, most=2)
    series = {name: [row for row in rows if row["series"] == name] for name in dict.fromkeys(r["series"] for r in rows)}

    assert {name: len(found) for name, found in series.items()} == {
        "model": 2, "random": 2, "hull": 2, "oracle": 1, "threshold": 2,
    }  # fmt: skip
    assert [row["strong_share"] for row in series["threshold"]] == [0.0, 1.0]
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert json.loads(json.dumps(rows)) == rows


def test_a_policy_can_be_read(frontier):
    """In words, and as plain values."""
    mix = Mix({Always("a"): 0.25, Threshold(weak="a", strong="b", at=0.15): 0.75})
    point = frontier.of(mix)

    assert describe(mix) == "0.25 × (always a), 0.75 × (b from a score of 0.15 on, else a)"
    assert point.as_dict()["shares"] == {"a": 0.625, "b": 0.375}
    assert np.allclose(frontier.per_query(mix).mean(axis=1), [point.quality, point.cost_per_request])


@given(tables(), st.floats(0, 1))
def test_the_best_of_all_pairs_is_no_dearer_than_any_pair(outcomes, target):
    """Its target is met, by a pair of the table, at the least cost among all of them."""
    frontier = Frontier(outcomes, score="score")
    found = []
    for weak, strong in frontier._pairs:
        names = {"weak": outcomes.models[weak], "strong": outcomes.models[strong]}
        with contextlib.suppress(InfeasibleError):
            found.append(frontier.best_threshold(quality=target, **names).cost_per_request)
    if not found:
        with pytest.raises(InfeasibleError, match="no threshold between"):
            frontier.best_of_all(quality=target)
        return

    best = frontier.best_of_all(quality=target)

    assert best.quality >= target * (1 - 1e-12)
    assert best.cost_per_request == min(found)
    budget = frontier.best_of_all(cost_per_request=best.cost_per_request)
    assert budget.quality >= best.quality
    assert budget.cost_per_request <= best.cost_per_request * (1 + 1e-12)


def test_the_best_of_all_keeps_to_a_model_that_is_named():
    """A pair that is named is the only one looked at; one model of it leaves the other open."""
    outcomes = Outcomes(
        models=("small", "medium", "large"),
        currency="USD",
        scores={"score": [0.1, 0.5, 0.9]},
        quality=[[1, 1, 1], [0, 1, 1], [0, 0, 1]],
        cost=[[1, 2, 9], [1, 2, 9], [1, 2, 9]],
    )
    frontier = Frontier(outcomes, score="score")

    best = frontier.best_of_all(quality=1)

    assert (best.policy.weak, best.policy.strong, best.cost_per_request) == ("medium", "large", 13 / 3)
    assert frontier.best_of_all(quality=1, strong="large").policy == best.policy
    own = frontier.best_of_all(quality=1, weak="small", strong="large")
    assert own.policy == frontier.best_threshold(quality=1).policy
    assert frontier.best_of_all(quality=0.6, weak="small").policy.strong == "medium"
