"""Workloads read off request logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.errors import InvalidValueError, ProblemsError
from llm_tco.scenario import load_scenario
from llm_tco.usage.history import read_history
from llm_tco.usage.outcomes import read_outcomes
from llm_tco.usage.tables import to_numbers, to_seconds
from llm_tco.usage.traces import peak_to_mean, read_log, workload_of

requests = st.lists(
    st.tuples(st.floats(0, 10_000), st.integers(0, 50_000), st.integers(0, 5_000)), min_size=2, max_size=200
)


@given(requests, st.integers(1, 20))
def test_the_means_of_a_log_are_kept(rows, kinds):
    """However few kinds are formed, no token is lost."""
    times, prompts, answers = map(np.array, zip(*rows, [20_000.0, 5, 5], strict=True))

    workload = workload_of(times, prompts, answers, kinds=kinds)

    lengths = workload.lengths
    assert np.isclose(lengths.weights @ lengths.input_tokens, prompts.mean())
    assert np.isclose(lengths.weights @ lengths.output_tokens, answers.mean())
    assert workload.peak_to_mean >= 1


def test_the_rate_of_a_log_goes_on_for_a_month():
    """61 requests in 60 minutes, one a minute, are 43,800 a month."""
    workload = workload_of(np.arange(61) * 60.0, np.ones(61), np.ones(61))

    assert np.isclose(workload.requests_per_month, 730 * 60)
    assert workload.peak_to_mean == 1


def test_the_peak_is_that_of_the_busiest_whole_window():
    """3 requests in one minute and 1 in another: 1.5 times the mean; what is cut short does not count."""
    seconds = np.array([0.0, 10, 20, 70, 121, 122, 123, 124, 125])

    assert peak_to_mean(seconds, 60) == 1.5


def test_other_fields_of_the_workload_may_be_given():
    """Growth is no property of a log."""
    assert workload_of([0, 60], [1, 1], [1, 1], growth_per_year=0.5).growth_per_year == 0.5


@pytest.mark.parametrize("seconds", [[0], [5, 5], [[0, 1]]])
def test_a_log_needs_two_requests_apart(seconds):
    """A rate needs time."""
    ones = np.ones(np.size(seconds))

    with pytest.raises(InvalidValueError, match="seconds: must"):
        workload_of(seconds, ones, ones)


def test_a_log_needs_a_whole_window():
    """The peak of a minute cannot be read off ten seconds."""
    with pytest.raises(InvalidValueError, match="window_s: must fit into the 10 s"):
        workload_of([0, 10], [1, 1], [1, 1])


def test_times_of_a_log_may_be_seconds_and_a_mark_of_its_encoding_is_no_letter(tmp_path):
    """A spreadsheet writes a byte order mark before the first heading."""
    file = tmp_path / "log.csv"
    file.write_text("t,in,out\n5,10,1\n7.5,20,2\n", "utf-8-sig")

    seconds, prompts, _ = read_log(file, time="t", input_tokens="in", output_tokens="out")

    assert (seconds.tolist(), prompts.tolist()) == ([5, 7.5], [10, 20])


def test_a_csv_file_is_read_by_its_column_names(tmp_path):
    """Times become seconds since the first row."""
    file = tmp_path / "log.csv"
    file.write_text("t,in,out\n2026-01-01 00:00:00.5,10,1\n2026-01-01 00:01:00.5,20,2\n")

    seconds, prompts, answers = read_log(file, time="t", input_tokens="in", output_tokens="out")

    assert (seconds.tolist(), prompts.tolist(), answers.tolist()) == ([0, 60], [10, 20], [1, 2])


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("t,in\n", ["has no column 'out'"]),
        (
            "t,in,out\nyesterday,1,1\n2026-01-01,x,1\n",
            [
                "column 't', row 1: must be a time in ISO 8601 such as 2026-11-01T08:30, got 'yesterday'",
                "column 'in', row 2: must be a number, got 'x'",
            ],
        ),
        (
            "t,in,out\n2026-01-01,1,1\n2026-01-01T00:00+00:00,1,1\n",
            ["column 't': has times with a zone and times without one"],
        ),
        ("t,in,out\n2026-01-01,1\n", ["row 1: must have 3 fields, got 2"]),
    ],
)
def test_rows_that_cannot_be_read_are_all_reported(tmp_path, text, problems):
    """No row is dropped silently."""
    file = tmp_path / "log.csv"
    file.write_text(text)

    with pytest.raises(ProblemsError) as error:
        read_log(file, time="t", input_tokens="in", output_tokens="out")

    assert len(error.value.problems) == len(problems)
    assert all(expected in found for expected, found in zip(problems, error.value.problems, strict=True))


ROOT = Path(__file__).parent.parent
TRACE = ROOT.parent / "shared" / "data" / "azure_llm_inference_2023_code.csv"


@pytest.mark.skipif(not TRACE.exists(), reason="the Azure trace is not beside this checkout")
def test_the_example_is_what_the_trace_gives():
    """Read off the log itself, the workload of the example comes out."""
    log = read_log(TRACE, time="TIMESTAMP", input_tokens="ContextTokens", output_tokens="GeneratedTokens")
    example = load_scenario(ROOT / "examples" / "request-log.toml").workload

    workload = workload_of(*log, kinds=16, window_s=60)

    assert round(workload.requests_per_month) == example.requests_per_month
    assert round(workload.peak_to_mean, 2) == example.peak_to_mean
    for name in ("input_tokens", "output_tokens", "weights"):
        assert np.allclose(getattr(workload.lengths, name), getattr(example.lengths, name), atol=0.051)
    assert round(workload_of(*log, window_s=600).peak_to_mean, 2) == 1.32


def test_blank_lines_of_a_log_are_no_requests(tmp_path):
    """An editor or a script leaves them, at the end above all, and they say nothing."""
    file = tmp_path / "log.csv"
    file.write_text("\nt,in,out\n2026-01-01T00:00,1,2\n\n2026-01-01T00:01,3,4\n\n", encoding="utf-8")

    seconds, prompts, answers = read_log(file, time="t", input_tokens="in", output_tokens="out")

    assert (seconds.tolist(), prompts.tolist(), answers.tolist()) == ([0, 60], [1, 3], [2, 4])


@pytest.mark.parametrize("unit", ["D", "s", "us", "ns"])
def test_times_of_an_array_are_seconds_in_any_unit(unit):
    """A column of numpy's times is counted in seconds, whatever it is kept in, and is no column of numbers."""
    days = np.array(["2026-01-01", "2026-01-03"], f"M8[{unit}]")

    assert to_seconds(days, "t").tolist() == [0, 172_800]
    with pytest.raises(ProblemsError, match="column 't': must hold numbers, got datetime64"):
        to_numbers(days, "t")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"t,in,out\n1,\xff,3\n", "is no text in UTF-8"), (None, "cannot be read: No such file or directory")],
)
def test_a_file_that_is_no_table_is_one_report(tmp_path, content, problem):
    """Logs, histories and outcomes all say what is wrong with their file, and which file it is."""
    file = tmp_path / "log.csv"
    if content is not None:
        file.write_bytes(content)

    for read in (
        lambda: read_log(file, time="t", input_tokens="in", output_tokens="out"),
        lambda: read_history(file, tiers="t"),
        lambda: read_outcomes(file, {}),
    ):
        with pytest.raises(ProblemsError) as error:
            read()
        assert (error.value.title, error.value.problems) == (str(file), (problem,))
