"""The picture of a frontier: it shows what the analysis found, the same for the same table."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.analysis.frontier import Frontier, frontier_rows
from llm_tco.cli import main
from llm_tco.errors import InvalidValueError
from llm_tco.frontiers import load_frontier
from llm_tco.report.charts import SUFFIXES, frontier_chart, rendered, scale_of, write_chart
from llm_tco.usage.outcomes import Outcomes

FRONTIER = Path(__file__).parents[1] / "examples" / "frontier" / "three-models.toml"
NAMES = ("small", "medium", "a-model-with-a-long-name", "large")


@st.composite
def frontiers(draw):
    """Draw frontiers of any size, with a score and without one, many of them with ties."""
    count, rows = draw(st.integers(2, 4)), draw(st.integers(1, 30))
    grades = draw(st.sampled_from([st.sampled_from([0.0, 1.0]), st.floats(0, 1)]))
    costs = st.one_of(st.sampled_from([0.0, 1e-5, 3.0]), st.floats(0, 1e3))
    outcomes = Outcomes(
        models=NAMES[:count],
        quality=draw(st.lists(st.lists(grades, min_size=count, max_size=count), min_size=rows, max_size=rows)),
        cost=draw(st.lists(st.lists(costs, min_size=count, max_size=count), min_size=rows, max_size=rows)),
        currency="USD",
        scores={"score": draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=rows, max_size=rows))},
    )
    return Frontier(outcomes, score=draw(st.sampled_from([None, "score"])))


@given(frontiers())
def test_the_marks_are_those_of_the_frontier(frontier):
    """Every point of the analysis, at one scale of cost; only a hull that is the random line is left out."""
    rows, chart = frontier_rows(frontier), frontier_chart(frontier)
    marks = chart["datasets"]["frontier"]
    factor, _ = scale_of(max(row["cost_per_request"] for row in rows))
    drawn = {row["series"] for row in marks}
    kept = [row for row in rows if row["series"] in drawn]

    assert {row["series"] for row in rows} - drawn <= {"hull"}
    assert [row["quality"] for row in marks] == [row["quality"] for row in kept]
    assert [row["cost"] for row in marks] == [row["cost_per_request"] * factor for row in kept]
    assert {*frontier.outcomes.models, "oracle"} <= {label["text"] for label in chart["datasets"]["labels"]}


@given(frontiers(), st.randoms(use_true_random=False))
def test_the_picture_does_not_depend_on_the_order_of_queries(frontier, random):
    """The same table gives the same bytes."""
    rows = list(range(len(frontier.outcomes)))
    random.shuffle(rows)
    shuffled = Frontier(frontier.outcomes.take(rows), score=frontier.score, weak=frontier.weak, strong=frontier.strong)

    assert rendered(frontier_chart(frontier), ".json") == rendered(frontier_chart(shuffled), ".json")


@given(frontiers())
def test_every_mark_lies_within_the_axes(frontier):
    """Nothing is cut off, and the domains are intervals of finite numbers."""
    chart = frontier_chart(frontier)
    marks = chart["datasets"]["frontier"]

    for field, axis in (("cost", "x"), ("quality", "y")):
        low, high = chart["layer"][0]["encoding"][axis]["scale"]["domain"]
        assert np.isfinite([low, high]).all()
        assert low < high
        assert all(low <= mark[field] <= high for mark in marks)


@pytest.mark.parametrize(
    ("cost", "said"), [(2.0, (1, "a request")), (0.003, (1_000, "1,000 requests")), (0.0, (1_000_000, "a million requests"))]
)  # fmt: skip
def test_costs_are_stated_for_so_many_requests_that_they_can_be_read(cost, said):
    """No axis counts in hundred-thousandths."""
    assert scale_of(cost) == said


def test_labels_of_the_example_stand_apart():
    """No label covers another one, and all stand within the picture."""
    chart = frontier_chart(load_frontier(FRONTIER).frontier)
    labels = chart["datasets"]["labels"]
    boxes = [(one["x"], one["y"] - 8, one["x"] + 6.7 * len(one["text"]), one["y"] + 8) for one in labels]

    assert [label["text"] for label in labels] == [
        "small", "medium", "large", "oracle", "at random", "by the score", "best mixes of all",
    ]  # fmt: skip
    for place, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert top >= 0
        assert right <= chart["width"] + 40
        assert bottom <= chart["height"]
        for other in boxes[:place]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_the_data_is_in_the_picture():
    """A specification names no file and no address to load data from."""
    chart = json.loads(rendered(frontier_chart(load_frontier(FRONTIER).frontier), ".json"))

    assert chart["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
    assert "url" not in json.dumps({key: value for key, value in chart.items() if key != "$schema"})
    assert {layer["data"]["name"] for layer in chart["layer"]} == set(chart["datasets"])


def test_every_form_is_written_from_the_command_line(tmp_path):
    """The end of the name says which; the same file twice has the same bytes."""
    beginnings = {".json": b"{", ".svg": b"<svg", ".png": b"\x89PNG", ".html": b"<!DOCTYPE html>"}
    for suffix in SUFFIXES:
        paths = [tmp_path / f"{name}{suffix}" for name in ("one", "other")]
        for path in paths:
            result = CliRunner().invoke(main, ["route", str(FRONTIER), "--chart", str(path)])
            assert result.exit_code == 0

        one, other = (path.read_bytes() for path in paths)

        assert one == other
        assert one.startswith(beginnings[suffix])
        assert f"Wrote {paths[1]}." in result.output


def test_no_more_than_all_answers_are_right():
    """Room for labels above 100 % has no figure on the axis."""
    outcomes = Outcomes(models=["a", "b"], quality=[[1, 1]] * 9 + [[0, 1]], cost=[[1, 2]] * 10, currency="USD")

    picture = rendered(frontier_chart(Frontier(outcomes)), ".svg").decode()

    assert max(map(int, re.findall(r">(\d+)%<", picture))) == 100


def test_the_picture_names_its_axes_and_units():
    """What is plotted, per how many requests, in which currency."""
    picture = rendered(frontier_chart(load_frontier(FRONTIER).frontier, title="A title"), ".svg").decode()

    for text in ("A title", "Cost of 1,000 requests [USD]", "Quality: share of right answers", "oracle", "240 queries"):
        assert text in picture


def test_without_the_extra_a_picture_says_what_to_install(monkeypatch, tmp_path):
    """And a specification needs nothing."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)

    result = CliRunner().invoke(main, ["route", str(FRONTIER), "--chart", str(tmp_path / "a.svg")])

    assert result.exit_code == 1
    assert "python -m pip install '.[charts]'" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "a.svg").exists()
    assert CliRunner().invoke(main, ["route", str(FRONTIER), "--chart", str(tmp_path / "a.json")]).exit_code == 0


def test_a_picture_of_no_known_form_is_refused(tmp_path):
    """Before anything is written."""
    with pytest.raises(InvalidValueError, match=r"must be a file that ends in .json, .svg, .png, .html, got '.pdf'"):
        write_chart({}, tmp_path / "a.pdf")


def test_a_picture_that_cannot_be_written_is_status_2(tmp_path):
    """The folder is not there."""
    result = CliRunner().invoke(main, ["route", str(FRONTIER), "--chart", str(tmp_path / "nowhere" / "a.json")])

    assert result.exit_code == 2
    assert "cannot be written" in result.output
