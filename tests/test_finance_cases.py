"""210 published figures: from manuals, textbooks and the test suites of other libraries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from llm_tco import finance

CASES = json.loads((Path(__file__).parent / "reference" / "finance_cases.json").read_text("utf-8"))
SEVERAL = {"irr-017", "irr-019", "irr-025", "irr-032", "irr-034"}
"""Streams with several rates, of which the source states one."""

QUARTERS = {"HY": None, "MQ1": 1, "MQ2": 2, "MQ3": 3, "MQ4": 4}
SCHEDULES = {
    "straight_line": finance.sln_schedule,
    "syd": finance.syd_schedule,
    "ddb": finance.ddb_schedule,
}


def db_schedule(periods, **inputs):
    """Cut a schedule to the years that the source prints."""
    return finance.db_schedule(**inputs)[:periods]


def book_value(method, period, **inputs):
    """Take one book value from a schedule."""
    return finance.book_value(inputs["cost"], SCHEDULES[method](**inputs))[period]


def macrs_schedule(recovery_period, convention_code, **_):
    """Name the table by its quarter; the factor follows from the recovery period."""
    return finance.macrs_schedule(1.0, recovery_period, QUARTERS[convention_code])


TRANSLATED = {"db_schedule": db_schedule, "book_value": book_value, "macrs_schedule": macrs_schedule}


def answer(case):
    """Call the function that a case names as it stands."""
    function = TRANSLATED.get(case["function"]) or getattr(finance, case["function"])
    return function(**case["inputs"])


def solved(cases):
    """Leave out the cases with no answer and those with several."""
    return [case for case in cases if case["expected"] is not None and case["id"] not in SEVERAL]


@pytest.mark.parametrize("case", solved(CASES), ids=lambda case: case["id"])
def test_a_published_figure_is_met(case):
    """The result is within the tolerance that the source allows."""
    found = answer(case)

    assert np.shape(found) == np.shape(case["expected"])
    assert np.all(np.abs(np.asarray(found) - case["expected"]) <= case["tolerance"])


@pytest.mark.parametrize("case", [case for case in CASES if case["expected"] is None], ids=lambda case: case["id"])
def test_a_stream_without_a_rate_says_so(case):
    """None is an answer, with a status."""
    flows = case["inputs"]["cashflows"]

    assert finance.irr_report(flows).status == "none"
    assert np.isnan(answer(case))
    assert finance.irr_all(flows).size == 0


@pytest.mark.parametrize("case", [case for case in CASES if case["id"] in SEVERAL], ids=lambda case: case["id"])
def test_a_stream_with_several_rates_gives_the_published_one_among_them(case):
    """Several is a status, and the published rate is the one nearest to itself."""
    flows, expected = case["inputs"]["cashflows"], case["expected"]

    assert finance.irr_report(flows).status == "several"
    assert np.isnan(answer(case))
    assert np.abs(finance.irr_all(flows) - expected).min() <= case["tolerance"]
    assert abs(finance.irr(flows, guess=expected) - expected) <= case["tolerance"]


def test_every_case_is_read():
    """No case is dropped on the way."""
    assert len(CASES) == 210
    assert len({case["id"] for case in CASES}) == 210
    assert {case["id"] for case in CASES} >= SEVERAL
