"""The laws of annual equivalents, depreciation, tax and debt (30 to 37), on arrays."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco import finance
from llm_tco.errors import InvalidValueError, OverflowedError
from llm_tco.finance.macrs import HALF_YEAR, MID_QUARTER
from llm_tco.testing import strategies as own

MODULES = [f"llm_tco.finance.{module.name}" for module in pkgutil.iter_modules(finance.__path__)]
ROWS = [(years, None, row) for years, row in HALF_YEAR.items()]
ROWS += [(years, quarter, row) for quarter, table in MID_QUARTER.items() for years, row in table.items()]
FULL = {
    "sln": finance.sln_schedule,
    "syd": finance.syd_schedule,
    "vdb": finance.vdb_schedule,
}
"""The methods that write an asset off to its salvage."""


@st.composite
def assets(draw):
    """Draw a cost, a salvage and a life in periods."""
    cost = draw(own.amounts(0, 1e9))
    return cost, cost * draw(st.floats(0, 1)), draw(st.integers(1, 120))


@st.composite
def loans(draw):
    """Draw a rate per period, a number of payments and a loan."""
    rate = draw(st.one_of(st.just(0.0), st.floats(-0.05, 0.5), st.floats(0, 1e-9)))
    return rate, draw(st.integers(1, 120)), draw(own.amounts(1, 1e7))


whens = st.sampled_from(["begin", "end"])


@given(own.cashflows(2, 20), own.rates(-0.2, 1.0), st.integers(2, 5))
def test_the_annual_equivalent_times_the_factor_is_the_present_value(flows, rate, times):
    """Law 30: EAC × annuity factor = NPV, and a chain of replacements leaves it."""
    life = flows.size - 1
    chain = np.zeros(times * life + 1)
    for begin in range(0, times * life, life):
        chain[begin : begin + flows.size] += flows
    annual = finance.equivalent_annual_cost(rate, flows)
    scale = finance.npv(rate, np.abs(flows))
    close = {"rtol": 1e-9, "atol": 1e-9 * scale}

    assert np.isclose(annual * finance.annuity_factor(rate, life), finance.npv(rate, flows), **close)
    assert np.isclose(finance.equivalent_annual_cost(rate, chain), annual, **close)


@given(own.cashflows(1, 20), own.rates(-0.2, 1.0), st.floats(0.1, 10))
def test_a_levelised_cost_covers_the_costs(costs, rate, output):
    """Sold at it, the output is worth what it costs."""
    units = np.full(costs.size, output)
    price = finance.levelised_cost(rate, costs, units)

    assert np.isclose(finance.npv(rate, price * units - costs), 0, atol=1e-9 * finance.npv(rate, np.abs(costs)) + 1e-9)


@pytest.mark.parametrize("method", FULL)
@given(asset=assets())
def test_a_schedule_sums_to_cost_less_salvage(method, asset):
    """Law 31: no part is negative, and the book value falls to the salvage and never below."""
    cost, salvage, life = asset
    schedule = FULL[method](cost, salvage, life)
    books = finance.book_value(cost, schedule)

    assert schedule.shape == (life,)
    assert (schedule >= 0).all()
    assert np.isclose(schedule.sum(), cost - salvage, rtol=1e-12, atol=1e-12 * cost)
    assert (np.diff(books) <= 0).all()
    assert (books >= salvage - 1e-12 * cost).all()


@pytest.mark.parametrize("method", ["syd", "ddb", "db", "vdb"])
@given(asset=assets(), factor=st.floats(0.5, 5), month=st.integers(1, 12))
def test_a_schedule_holds_what_the_function_gives_for_each_period(method, asset, factor, month):
    """One period and all of them are one rule; nothing goes below the salvage."""
    cost, salvage, life = asset
    k = np.arange(1, life + 1)
    if method == "vdb":
        schedule = finance.vdb_schedule(cost, salvage, life, factor)
        single = finance.vdb(cost, salvage, life, k - 1, k, factor)
    else:
        extra = {"syd": (), "ddb": (factor,), "db": (month,)}[method]
        schedule = getattr(finance, f"{method}_schedule")(cost, salvage, life, *extra)
        single = getattr(finance, method)(cost, salvage, life, k, *extra)

    assert (schedule >= 0).all()
    assert np.array_equal(schedule[:life], single)
    assert method == "db" or schedule.sum() <= (cost - salvage) * (1 + 1e-12) + 1e-12 * cost


@given(assets(), st.floats(0.5, 5), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_depreciation_between_two_times_adds_up(asset, factor, shares):
    """A span is the sum of its parts, also within periods."""
    cost, salvage, life = asset
    begin, end = sorted(life * share for share in shares)
    parts = [finance.vdb(cost, salvage, life, *span, factor) for span in ((0, begin), (begin, end), (end, life))]

    assert np.isclose(sum(parts), cost - salvage, rtol=1e-9, atol=1e-9 * cost)
    assert min(parts) >= -1e-9 * cost


@given(assets(), st.floats(0.01, 1))
def test_an_unrounded_declining_balance_ends_at_the_salvage(asset, share):
    """Full years at the exact rate lead from cost to salvage."""
    cost, _, life = asset
    schedule = finance.db_schedule(cost, cost * share, life, rounded_rate=False)

    assert np.isclose(schedule.sum(), cost * (1 - share), rtol=1e-9, atol=1e-9 * cost)


@pytest.mark.parametrize("method", FULL)
@given(asset=assets(), savings=own.amounts(0, 1e6), rate=own.rates(0, 1))
def test_the_value_before_tax_does_not_depend_on_the_method(method, asset, savings, rate):
    """Law 32: at a tax of 0 the shield is 0, whatever the schedule."""
    cost, salvage, life = asset
    schedule = FULL[method](cost, salvage, life)
    untaxed = finance.after_tax_cost(np.full(life, -savings), 0.0, schedule)

    assert finance.npv(rate, untaxed) == finance.npv(rate, np.full(life, -savings))
    assert finance.depreciation_tax_shield(rate, schedule, 0.0) == 0


@given(assets(), own.rates(0, 1), st.floats(0, 1))
def test_the_tax_shield_is_worth_more_when_it_comes_sooner(asset, rate, tax):
    """Law 33: SYD and DDB with a switch are worth at least the straight line; half a period earlier even more."""
    shields = {name: finance.depreciation_tax_shield(rate, method(*asset), tax) for name, method in FULL.items()}
    middle = finance.depreciation_tax_shield(rate, finance.sln_schedule(*asset), tax, timing="mid")

    assert shields["syd"] >= shields["sln"] * (1 - 1e-12)
    assert shields["vdb"] >= shields["sln"] * (1 - 1e-12)
    assert middle >= shields["sln"] * (1 - 1e-12)


@pytest.mark.parametrize(("years", "quarter", "row"), ROWS)
def test_each_row_of_macrs_sums_to_1(years, quarter, row):
    """Law 34: hundredths of a percent (thousandths for 20 years) sum exactly."""
    schedule = finance.macrs_schedule(1.0, years, quarter)

    assert sum(round(part * 1_000) for part in row) == 100_000
    assert len(row) == years + 1
    assert np.isclose(schedule.sum(), 1.0, rtol=1e-12)


@pytest.mark.parametrize(("years", "quarter", "row"), ROWS)
def test_each_row_of_macrs_follows_from_the_rule(years, quarter, row):
    """Declining by 200 or 150 %, a first year of a part, with a switch: within the rounding of the tables."""
    part = 0.5 if quarter is None else (4.5 - quarter) / 4
    rate, book, left, rule = (2.0 if years <= 10 else 1.5) / years, 1.0, float(years), []
    for share in [part] + [1.0] * (years - 1) + [1 - part]:
        rule.append(min(max(book * rate * (share if not rule else 1.0), book / left * share), book))
        book, left = book - rule[-1], left - share

    assert np.abs(np.array(row) / 100 - rule).max() <= 0.000151


@given(own.amounts(0, 1e9), st.floats(0, 1))
def test_a_sale_at_book_value_gives_no_gain(book, tax):
    """Law 35: no gain, no tax; a loss saves what a gain costs."""
    assert finance.sale_tax(book, book, tax) == 0
    assert finance.sale_tax(book, 0, tax) == -finance.sale_tax(0, book, tax)


@given(loans(), whens)
def test_a_loan_is_repaid(loan, when):
    """Law 36: principal sums to the loan, the balance ends at 0, interest + principal = payment."""
    rate, size, amount = loan
    plan = finance.loan_schedule(rate, size, amount, when=when)
    payment = finance.pmt(rate, size, amount, when=when)
    scale = {"rtol": 1e-9, "atol": 1e-9 * max(amount, -payment)}

    assert np.isclose(plan.principal.sum(), -amount, **scale)
    assert np.isclose(plan.balance[-1], 0, **scale)
    assert np.allclose(plan.payment, payment, **scale)
    assert np.allclose(plan.balance, amount + np.cumsum(plan.principal), **scale)
    assert rate != 0 or not plan.interest.any()
    assert when == "end" or plan.interest[0] == 0


@given(loans(), whens, st.data())
def test_a_run_of_payments_is_the_sum_of_each(loan, when, data):
    """The closed forms of cumulated interest and principal agree with payments one by one."""
    rate, size, amount = loan
    begin = data.draw(st.integers(1, size))
    end = data.draw(st.integers(begin, size))
    k = np.arange(begin, end + 1)
    atol = 1e-9 * (amount + np.abs(finance.pmt(rate, size, amount, when=when)) * size)

    principal = finance.cumprinc(rate, size, amount, begin, end, when)
    interest = finance.cumipmt(rate, size, amount, begin, end, when)

    assert np.isclose(principal, np.sum(finance.ppmt(rate, k, size, amount, when=when)), rtol=1e-9, atol=atol)
    assert np.isclose(interest, np.sum(finance.ipmt(rate, k, size, amount, when=when)), rtol=1e-9, atol=atol)


@given(loans(), own.amounts(-1e6, 1e6), st.sampled_from(["begin", "mid", "end"]))
def test_each_term_of_a_loan_gives_the_others(loan, balloon, when):
    """Payment, present and future value, and number of payments solve one equation."""
    rate, size, amount = loan
    payment = finance.pmt(rate, size, amount, balloon, when)
    atol = 1e-9 * (amount + abs(balloon) + abs(payment) * finance.annuity_factor(rate, size, when))
    later = atol * max(1, 1 + rate) ** size

    assert np.isclose(finance.pv(rate, size, payment, balloon, when), amount, rtol=1e-9, atol=atol)
    assert np.isclose(finance.fv(rate, size, payment, amount, when), balloon, rtol=1e-9, atol=later)


@given(st.floats(0.0, 0.3), st.integers(1, 120), own.amounts(1, 1e7), whens)
def test_the_rate_and_the_number_of_payments_of_a_loan_are_found_again(rate, size, amount, when):
    """The rate is the internal rate of the payments; their number is that of the balance reaching 0."""
    assume(when == "end" or size > 1)
    assume(rate * size < 15)
    payment = finance.pmt(rate, size, amount, when=when)

    assert np.isclose(finance.rate(size, payment, amount, when=when), rate, rtol=1e-7, atol=1e-11)
    assert np.isclose(finance.nper(rate, payment, amount, when=when), size, rtol=1e-6)


@pytest.mark.parametrize("when", ["begin", "mid", "end"])
@pytest.mark.parametrize(("rate", "size"), [(-0.5, 60), (-0.5, 360), (-0.1, 360), (0.5, 40), (5.0, 12)])
def test_the_number_of_payments_is_found_at_any_rate(rate, size, when):
    """The payments of a loan lead to their number, also where the last ones repay next to nothing of it."""
    payment = finance.pmt(rate, size, 1_000.0, when=when)

    assert np.isclose(finance.nper(rate, payment, 1_000.0, when=when), size, rtol=1e-4)


@given(st.floats(1, 600), st.floats(1, 600), own.amounts(0, 1e6), st.floats(0, 1))
def test_assets_are_replaced_until_the_horizon(horizon, life, cost, share):
    """Law 37: ⌈H/L⌉ purchases, one where L ≥ H, and a residual value between salvage and cost."""
    bought = finance.purchases(horizon, life)
    left = finance.residual_value(cost, cost * share, life, horizon)

    assert bought == np.ceil(horizon / life)
    assert bought == 1 or life < horizon
    assert cost * share <= left <= cost


@given(st.lists(own.amounts(0, 1e6), min_size=1, max_size=24), own.rates(-0.3, 1), own.amounts(0, 1e6))
def test_leasing_wins_by_what_it_costs_less(lease, rate, price):
    """A lease that is paid like the purchase has no advantage; free of charge it wins by the price."""
    buying = np.r_[price, np.zeros(len(lease))]

    assert finance.net_advantage_of_leasing(rate, lease, lease) == 0
    assert np.isclose(finance.net_advantage_of_leasing(rate, buying, [0.0]), price)
    assert finance.net_advantage_of_leasing(rate, buying, lease) <= price


def test_every_function_reads_many_assets_and_loans_at_once():
    """Leading axes broadcast, schedules add one for time."""
    costs, rates = np.array([[100.0], [200.0]]), np.array([0.01, 0.02, 0.03])

    assert finance.vdb(costs, 0, [3, 4, 5], 0, 1).shape == (2, 3)
    assert finance.vdb_schedule(costs, 0, 4, factor=[1.5, 2.0, 3.0]).shape == (2, 3, 4)
    assert finance.db_schedule(costs, 10, 4, month=3).shape == (2, 1, 5)
    assert finance.macrs_schedule(costs, 5).shape == (2, 1, 6)
    assert finance.book_value(costs, finance.sln_schedule(costs, 0, 4)).shape == (2, 1, 5)
    assert finance.loan_schedule(rates, 12, costs).balance.shape == (2, 3, 12)
    assert finance.rate([12, 24, 36], -10.0, costs).shape == (2, 3)
    assert finance.cumipmt(rates, 12, costs, 1, 12).shape == (2, 3)
    assert finance.depreciation_tax_shield(rates, finance.syd_schedule(100, 0, 4), 0.3).shape == (3,)
    assert isinstance(finance.pmt(0.1, 2, 100), float)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: finance.sln(1, 2, 3), "salvage: must be at most the cost"),
        (lambda: finance.sln(1, -1, 3), "salvage: must be at least 0, got -1"),
        (lambda: finance.sln(1, 0, 0), "life: must be above 0"),
        (lambda: finance.sln_schedule(1, 0, 0), "life: must be a whole number of at least 1, got 0"),
        (lambda: finance.syd(1, 0, 3, 4), "period: must be at most the life (3), got 4"),
        (lambda: finance.db(1, 0, 3, 1, month=13), "month: must be at most 12"),
        (lambda: finance.ddb(1, 0, 3, 1, factor=0), "factor: must be above 0"),
        (lambda: finance.vdb(1, 0, 3, 2, 1), "start: must be at least 0 and at most end"),
        (lambda: finance.vdb(1, 0, 3, 2, 4), "end: must be at most life (3), got 4"),
        (lambda: finance.book_value(1, 1), "schedule: must be an array"),
        (lambda: finance.macrs_schedule(1, 6), "recovery_years: no table for 6 years; known: 3, 5, 7, 10, 15, 20"),
        (lambda: finance.macrs_schedule(1, 5, quarter=5), "quarter: must be 1, 2, 3 or 4, got 5"),
        (lambda: finance.macrs_schedule(-1, 5), "cost: must be at least 0"),
        (lambda: finance.pmt(0.1, 0, 1), "nper: must be above 0"),
        (lambda: finance.pv(0.1, -1, 1), "nper: must be at least 0"),
        (lambda: finance.pv(0.1, 1, 1, when="late"), "when: must be one of 'begin', 'mid', 'end', got 'late'"),
        (lambda: finance.ipmt(0.1, 1, 2, 1, when="mid"), "when: must be 'begin' or 'end', got 'mid'"),
        (lambda: finance.ipmt(0.1, 3, 2, 1), "per: must be at most nper (2), got 3"),
        (lambda: finance.cumipmt(0.1, 2, 1, 2, 1), "start: must be at most end (1), got 2"),
        (lambda: finance.cumipmt(0.1, 2, 1, 1, 3), "end: must be at most nper (2), got 3"),
        (lambda: finance.ispmt(0.1, -1, 4, 100), "per: must be from 0 to nper (4), got -1"),
        (lambda: finance.ispmt(0.1, 5, 4, 100), "per: must be from 0 to nper (4), got 5"),
        (lambda: finance.loan_schedule(0.1, [2, 3], 100), "nper: must be a single whole number"),
        (lambda: finance.sln_schedule(1, 0, [2, 3]), "life: must be a single whole number"),
        (lambda: finance.macrs_schedule(1, [5, 7]), "recovery_years: must be a single whole number"),
        (lambda: finance.macrs_schedule(1, "5"), "recovery_years: must be numbers, got '5'"),
        (lambda: finance.macrs_schedule(1, 5, quarter=True), "quarter: must be numbers, got True"),
        (lambda: finance.levelised_cost(0.1, [1, 1, 1], [1, 1]), "output: must have as many times as costs (3), got 2"),
        (lambda: finance.nper(0.1, -1, 100), "pmt: never takes the balance"),
        (lambda: finance.rate(2.5, -1, 1), "nper: must be a whole number of at least 1, got 2.5"),
        (lambda: finance.equivalent_annual_cost(0.1, [1]), "cashflows: must cover at least one period"),
        (lambda: finance.levelised_cost(0.1, [1], [0]), "output: must be at least 0 and not 0 at all times"),
        (lambda: finance.sale_tax(1, 1, 2), "tax_rate: must be from 0 to 1"),
        (lambda: finance.purchases(-1, 1), "horizon: must be at least 0"),
        (lambda: finance.purchases(1, 0), "life: must be above 0"),
        (lambda: finance.residual_value(1, 2, 3, 4), "salvage: must be at most the cost"),
    ],
)
def test_what_has_no_answer_is_refused(call, problem):
    """Each error names the argument."""
    with pytest.raises(InvalidValueError) as error:
        call()

    assert str(error.value).startswith(problem)


def test_a_value_beyond_floats_is_an_error():
    """An infinity is never a figure."""
    with pytest.raises(OverflowedError, match="the future value is too large for a float"):
        finance.fv(1.0, 2_000, -1.0)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_docstrings_are_right(module):
    """What the reference shows is what the function gives."""
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_the_public_names_are_sorted():
    """The list is complete and can be searched by eye."""
    assert list(finance.__all__) == sorted(finance.__all__)
    assert all(callable(getattr(finance, name)) for name in finance.__all__)


def test_every_public_name_is_in_the_reference():
    """What can be imported can be looked up."""
    page = Path(__file__).parent.parent / "docs" / "reference" / "api" / "finance.rst"
    documented = re.findall(r"^\.\. auto\w+:: (\w+)", page.read_text("utf-8"), re.M)

    assert sorted(documented) == sorted(finance.__all__)


def test_a_fraction_of_a_period_is_depreciated_as_in_the_manual_of_excel():
    """VDB(2400, 300, 10, 0, 0.875, 1.5) is 315.00, Microsoft's own example."""
    assert np.isclose(finance.vdb(2_400, 300, 10, 0, 0.875, 1.5), 315.0)


@given(st.lists(st.tuples(assets(), loans(), st.floats(0.5, 5)), min_size=2, max_size=6))
def test_a_row_of_many_is_its_scalar_run(rows):
    """Law 73: to the last bit, for assets and for loans."""
    cost, salvage, life = (np.array(part) for part in zip(*(asset for asset, _, _ in rows), strict=True))
    rate, size, amount = (np.array(part) for part in zip(*(loan for _, loan, _ in rows), strict=True))
    factor = np.array([factor for _, _, factor in rows])
    k, last = np.minimum(life, 3), np.minimum(size, 4)
    calls = [
        (finance.sln, cost, salvage, life),
        (finance.syd, cost, salvage, life, k),
        (finance.db, cost, salvage, life, k),
        (finance.ddb, cost, salvage, life, k, factor),
        (finance.vdb, cost, salvage, life, k * 0.3, k * 0.7, factor),
        (finance.pmt, rate, size, amount),
        (finance.ipmt, rate, last, size, amount),
        (finance.ppmt, rate, last, size, amount),
        (finance.cumipmt, rate, size, amount, 1, last),
        (finance.rate, size, -amount / size * 1.5, amount),
    ]

    for function, *arguments in calls:
        table = np.broadcast_arrays(*arguments)
        assert np.array_equal(
            function(*arguments), [function(*row) for row in zip(*table, strict=True)], equal_nan=True
        )
