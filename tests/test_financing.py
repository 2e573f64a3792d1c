"""What pays for assets, what the tax office takes, and real or nominal: terms applied to ledgers."""

from __future__ import annotations

from datetime import date

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco import Benefit, Escalated, Monthly, Purchase, Timeline, Workload, compare
from llm_tco.analysis.terms import Terms
from llm_tco.catalog.catalog import Catalog
from llm_tco.components.financed import Financed, Leased
from llm_tco.components.kinds import llm_tco_components
from llm_tco.components.tax import ValueAddedTax
from llm_tco.errors import InvalidValueError, MissingRateError, ProblemsError
from llm_tco.finance import (
    depreciation_tax_shield,
    effect,
    irr,
    loan_schedule,
    macrs_schedule,
    monthly_rate,
    npv,
    pmt,
    sln_schedule,
    syd_schedule,
    vdb_schedule,
)
from llm_tco.financing import FinancialTerms, Lease, Loan, Tax
from llm_tco.ledger import Ledger
from llm_tco.lines import cancelled
from llm_tco.money import ExchangeRates
from llm_tco.report.document import document
from llm_tco.scenario import read_scenario
from llm_tco.testing import laws
from llm_tco.testing import strategies as own

TIMELINE = Timeline(date(2026, 12, 1), 36)
TEAM = Workload(requests_per_month=20_000, input_tokens=500, output_tokens=300)
CARD = Purchase(life_years=3, price="36000 CNY", quantity=1)


def bought(component, **terms):
    """Compare one option and give it."""
    finance = FinancialTerms(**{key: terms.pop(key) for key in list(terms) if key in attrs.fields_dict(FinancialTerms)})
    timeline = terms.pop("timeline", TIMELINE)
    return compare({"it": component}, TEAM, timeline, currency="CNY", finance=finance, **terms)["it"]


def lines(option, last):
    """Give the amounts of the lines whose path ends in a word."""
    return sum(line.amounts for line in option.ledger.lines if line.path[-1] == last)


def test_a_loan_spreads_the_price_over_its_payments():
    """36,000 at 12 % nominal over 36 months: nothing up front, and the payment of an annuity each month."""
    option = bought(CARD, loan=Loan(apr=0.12, months=36))
    payment = -pmt(0.01, 36, 36_000)

    assert option.upfront == 0
    np.testing.assert_allclose(option.cash[1:], payment)
    np.testing.assert_allclose(lines(option, "interest")[1:], -loan_schedule(0.01, 36, 36_000).interest)
    assert np.isclose(option.net, 36 * payment)


def test_what_is_outstanding_at_the_horizon_is_a_line_of_its_own():
    """A loan over 60 months leaves the balance after 36 to be paid at the end of month 36."""
    option = bought(CARD, loan=Loan(apr=0.12, months=60, share=0.5))
    balance = loan_schedule(0.01, 60, 18_000).balance[35]

    assert option.upfront == 18_000
    np.testing.assert_allclose(lines(option, "outstanding"), np.r_[np.zeros(36), balance])
    assert not option.ledger.by(lambda line: line.category)["loan"].amounts("CNY", basis="accrual").any()


@given(own.loans(), own.fleet_components(), laws.demands())
def test_a_loan_at_the_discount_rate_is_neutral(loan, component, demand):
    """A loan at the discount rate does not change the present value, whatever it pays for and wherever it ends."""
    rates = ExchangeRates("CNY")
    plain = Terms(rates=rates, discount_rate=loan.rate_per_year)
    borrowed = Terms(rates=rates, discount_rate=loan.rate_per_year, finance=FinancialTerms(loan=loan))
    values = [terms.present_value(terms.read(terms.ledger(component, demand))) for terms in (plain, borrowed)]
    scale = np.abs(plain.read(plain.ledger(component, demand))).sum() / min(1.0, 1 + loan.rate_per_year) ** 4

    assert np.isclose(*values, rtol=0, atol=1e-9 * scale + 1e-9)


@given(own.loans(), own.fleet_components(), laws.demands())
def test_principal_sums_to_the_loans(loan, component, demand):
    """Law 36: what is repaid and what is outstanding sum to what was borrowed, over every purchase."""
    ledger = loan.applied(component.cost(demand).settled())
    borrowed = [line.amounts for line in ledger.lines if line.category == "loan"]
    slack = 1e-9 * sum(np.abs(amounts).sum() for amounts in borrowed) + np.finfo(float).tiny

    assert abs(sum(amounts.sum() for amounts in borrowed)) <= slack
    assert ledger.where(lambda line: line.category == "loan").book_value("CNY")[-1] <= slack


@given(own.leases(), laws.demands(), st.integers(1, 60))
def test_a_lease_at_the_discount_rate_costs_the_price(lease, demand, years):
    """A lease whose asset passes at its end is worth the price at the lessor's own rate."""
    lease = attrs.evolve(lease, cancellable=False)
    card = Purchase(life_years=years, price="1000 CNY", quantity=3, residual="none")
    terms = Terms(rates=ExchangeRates("CNY"), discount_rate=lease.rate_per_year)
    values = [terms.present_value(terms.read(terms.ledger(part, demand))) for part in (card, Leased(card, lease=lease))]

    np.testing.assert_allclose(*values, rtol=1e-9)


def test_a_lease_in_advance():
    """The payment of a lease is the annuity due of the price; the asset goes back, with its salvage."""
    card = attrs.evolve(CARD, salvage="6000 CNY")
    option = bought(card, lease=Lease(apr=0.12, months=36))
    payment = -pmt(0.01, 36, 36_000, 0, "begin")

    np.testing.assert_allclose(option.cash, np.r_[np.full(36, payment), 0.0])
    assert option.upfront == payment
    assert not option.depreciation


def test_a_lease_with_a_buyout_keeps_the_asset():
    """The buy-out is paid at the end, and what the asset is sold for stays with whoever bought it."""
    card = attrs.evolve(CARD, salvage="6000 CNY")
    option = bought(card, lease=Lease(apr=0.12, months=24, buyout_share=0.25, when="end"))

    assert lines(option, "buyout")[24] == 9_000
    assert lines(option, "salvage")[36] == -6_000
    np.testing.assert_allclose(lines(option, "lease")[1:25], -pmt(0.01, 24, 36_000, -9_000))


def test_a_lease_that_ends_before_the_asset_needs_a_buyout():
    """An asset that goes back while the fleet still counts on it is refused."""
    with pytest.raises(InvalidValueError, match=r"lease.months: must be at least the life of purchase, 36 months"):
        bought(CARD, lease=Lease(apr=0.12, months=24))


def test_what_is_owed_on_a_lease_beyond_the_horizon():
    """After 12 of 36 payments at the end of the month, the balance of the annuity is owed; a cancellable lease owes nothing."""
    lease = Lease(apr=0.12, months=36, when="end")
    year = Timeline(date(2026, 12, 1), 12)

    owed = lines(bought(CARD, lease=lease, timeline=year), "outstanding")

    np.testing.assert_allclose(owed[-1], loan_schedule(0.01, 36, 36_000).balance[11])
    left = bought(CARD, lease=attrs.evolve(lease, cancellable=True), timeline=year)
    assert {line.path[-1] for line in left.ledger.lines} == {"lease"}


def test_a_lease_without_interest_costs_the_price_after_tax_as_well():
    """What is owed at the horizon is an expense, as the payments it stands for: at 0 % leasing is buying."""
    for months in (12, 24, 36):
        timeline = Timeline(date(2026, 12, 1), months)
        card = attrs.evolve(CARD, residual="book")
        lease = Lease(rate_per_year=0.0, months=36, buyout_share=0.0)
        options = [bought(card, tax=Tax(rate=0.25), timeline=timeline, **means) for means in ({}, {"lease": lease})]

        assert np.isclose(options[0].tco, options[1].tco)


def test_a_cancelled_lease_pays_for_no_month_after_the_horizon():
    """In advance or in arrears, twelve months of use are twelve payments."""
    year = Timeline(date(2026, 12, 1), 12)
    for when in ("begin", "end"):
        lease = Lease(rate_per_year=0.0, months=36, when=when, cancellable=True)
        assert np.isclose(bought(CARD, lease=lease, timeline=year).tco, 12_000)


@pytest.mark.parametrize(("residual", "salvage", "credit"), [("book", None, 50.0), ("salvage", "10 CNY", 10.0)])
def test_a_cancelled_lease_credits_what_was_bought_out(residual, salvage, credit):
    """Before the buy-out the asset goes back to the lessor; from its day on, it is one's own."""
    card = Purchase(quantity=1, price="100 CNY", life_years=2, residual=residual, salvage=salvage)
    lease = Lease(rate_per_year=0.05, months=12, buyout_share=0.1, cancellable=True, when="end")
    options = [
        bought(component, timeline=Timeline(date(2026, 12, 1), months), **terms)
        for months in (6, 11, 12)
        for component, terms in ((card, {"lease": lease}), (Leased(card, lease=lease), {}))
    ]
    credits = [-one.ledger.where(lambda line: line.is_sale).amounts("CNY").sum() for one in options]

    np.testing.assert_allclose(credits, [0.0, 0.0, 0.0, 0.0, credit, credit], atol=0)


@given(
    own.fleets(),
    laws.demands(),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["none", "book", "salvage"]),
    st.floats(-0.3, 0.5),
    st.booleans(),
)
def test_only_what_is_bought_out_is_credited(fleet, demand, months, life, residual, growth, cancellable):
    """Of fleets that grow and are replaced, at rising prices: recomputed purchase by purchase, by its age."""
    things = Purchase(fleet, life_years=life / 12, price="1200 CNY", residual=residual, salvage="300 CNY")
    lease = Lease(rate_per_year=0.07, months=months, buyout_share=0.1, cancellable=cancellable)
    counts = Purchase(fleet, life_years=life / 12, price="1 CNY").cost(demand).amounts("CNY")
    last = demand.timeline.months
    expected = np.zeros(last + 1)
    for month, count in enumerate(counts):
        if cancellable and last - month < months:
            continue
        rise = [(1 + growth) ** (when / 12) for when in range(last + 1)]
        if month + life <= last:
            expected[month + life] += 300 * count * rise[month + life]
        elif residual == "salvage":
            expected[last] += 300 * count * rise[last]
        elif residual == "book":
            expected[last] += (1200 - 900 * (last - month) / life) * count * rise[month]

    ledger = Leased(Escalated(things, growth), lease=lease).cost(demand)
    credited = -ledger.where(lambda line: line.is_sale).amounts("CNY")

    np.testing.assert_allclose(credited, expected, rtol=1e-9, atol=1e-9 * counts.sum())


@given(own.loans(), own.fleets(), laws.demands(), st.integers(1, 40))
def test_what_is_outstanding_is_the_balance_of_each_loan(loan, fleet, demand, life):
    """Each purchase owes the balance of its age, and one that is repaid owes nothing, to the last bit."""
    ledger = loan.applied(Purchase(fleet, life_years=life / 12, price="1000 CNY").cost(demand))
    amounts = {line.path[-1]: line.amounts for line in ledger.lines}
    taken, owed = -amounts["loan"], amounts["outstanding"]
    balance = [1.0, *loan_schedule(float(monthly_rate(loan.rate_per_year)), loan.months, 1.0).balance]
    ages = np.arange(demand.timeline.size)[::-1]
    by_hand = sum(amount * balance[age] for amount, age in zip(taken, ages, strict=True) if age <= loan.months)

    assert not owed[:-1].any()
    assert np.isclose(owed[-1], by_hand, rtol=1e-12)
    assert owed[-1] == 0 or taken[ages < loan.months].any()


@given(own.loans().filter(lambda loan: loan.months <= 24), own.money(), st.integers(24, 60))
def test_amounts_that_cancel_sum_to_nothing(loan, price, months):
    """A loan that is repaid costs its interest: the sum of its principal is 0 and no last digit."""
    demand = TEAM.on(Timeline(date(2026, 12, 1), months))
    ledger = loan.applied(Purchase(quantity=1, price=price, life_years=5).cost(demand))
    principal = ledger.where(lambda line: line.category == "loan")

    assert cancelled(principal.amounts("CNY").sum(), principal.gross("CNY")) == 0
    assert np.isclose(principal.gross("CNY"), 2 * float(price.value) * loan.share)


def test_a_small_amount_is_no_rounding():
    """A cent beside a thousand million is kept, and nothing among nothing is 0."""
    values, sizes = np.array([0.01, 1e-5, -1e-5, 0.0]), np.array([1e9, 1e9, 1e9, 0.0])

    assert cancelled(values, sizes).tolist() == [0.01, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("own", ["financed", "leased"])
def test_a_lease_of_all_leaves_what_is_paid_for_otherwise(own):
    """An asset that its own loan or lease pays for keeps what it brings, whatever the terms say of the others."""
    card = attrs.evolve(CARD, salvage="6000 CNY")
    means = {
        "financed": Financed(card, loan=Loan(rate_per_year=0.0, months=12)),
        "leased": Leased(card, lease=Lease(rate_per_year=0.0, months=36, buyout_share=0.0)),
    }[own]
    lease = Lease(rate_per_year=0.0, months=36)

    assert np.isclose(bought(means, lease=lease).tco, bought(means).tco)


def test_the_residual_of_a_financed_asset_stays():
    """A lease in the terms takes no credit from what it does not lease."""
    financed = Financed(attrs.evolve(CARD, residual="book"), loan=Loan(rate_per_year=0.0, months=12))
    year = Timeline(date(2026, 12, 1), 12)

    assert bought(financed, lease=Lease(rate_per_year=0.0, months=36), timeline=year).tco == 12_000


def test_sunk_purchases_are_neither_borrowed_for_nor_leased():
    """What is owned is paid for already; its replacement is not."""
    server = own.Server(key="box", name="Box", parts=(own.Part(name="all", price="36000 CNY"),), source=own.SOURCE)
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=1.0, source=own.SOURCE)
    fleet = own.Fleet(server=server, throughput=rate)
    option = bought(Purchase(fleet, life_years=2, owned=1), loan=Loan(apr=0.0, months=24), timeline=TIMELINE)

    assert option.upfront == 36_000
    assert lines(option, "loan").tolist() == [-36_000 if month == 24 else 0 for month in range(37)]


def test_one_component_alone_is_financed():
    """A loan of one component leaves the others as they are, and terms that borrow for all leave it as it is."""
    other = attrs.evolve(CARD, name="other")
    option = bought(Financed(CARD, loan=Loan(apr=0.0, months=36)) + other, loan=Loan(apr=0.0, months=12))

    np.testing.assert_allclose(option.cash, np.r_[0.0, np.full(12, 4_000.0), np.full(24, 1_000.0)])


def test_tax_takes_its_share_of_costs():
    """An expense of a month costs what the tax leaves of it; the saving is a line of its own."""
    option = bought(Monthly("rent", amount="1000 CNY"), tax=Tax(rate=0.25))

    np.testing.assert_allclose(option.cash[1:], 750)
    assert option.categories() == {"other": 36_000, "tax": -9_000}


def test_tax_is_borne_by_benefits():
    """A benefit counts after tax, and its tax is no cost of ownership."""
    option = bought(Benefit("time", per_month="1000 CNY", replaces="labour"), tax=Tax(rate=0.25))

    assert option.tco == 0
    assert np.isclose(option.net, -27_000)


def test_hidden_costs_save_no_tax():
    """What is on no invoice cannot be deducted."""
    assert bought(Monthly("debt", amount="1000 CNY", hidden=True), tax=Tax(rate=0.25)).tco == 36_000


SCHEDULES = {
    "straight_line": (5, sln_schedule(60_000, 0, 5)),
    "sum_of_years_digits": (5, syd_schedule(60_000, 0, 5)),
    "declining_balance": (5, vdb_schedule(60_000, 0, 5)),
    "macrs": (5, macrs_schedule(60_000, 5)),
}


@pytest.mark.parametrize("method", SCHEDULES)
def test_depreciation_for_tax_follows_its_method(method):
    """Each year saves the rate times the method's share, in equal months, whatever the books say."""
    years, schedule = SCHEDULES[method]
    card = Purchase(life_years=10, price="60000 CNY", quantity=1)
    option = bought(
        card, tax=Tax(rate=0.3, depreciation=method, life_years=years), timeline=Timeline(date(2026, 12, 1), 84)
    )
    saved = -lines(option, "saved")

    np.testing.assert_allclose(saved[1:].reshape(7, 12).sum(axis=-1)[: len(schedule)], 0.3 * schedule)
    np.testing.assert_allclose(saved[1:13], saved[1])
    np.testing.assert_allclose(option.accrual[1:].sum() - saved[1:].sum() * -1, 42_000)


def test_the_tax_shield_is_that_of_the_financial_function():
    """The present value of what depreciation saves is `depreciation_tax_shield` of the monthly schedule."""
    option = bought(CARD, tax=Tax(rate=0.25), discount_rate=0.08)
    shield = depreciation_tax_shield(float(monthly_rate(0.08)), np.full(36, 1_000.0), 0.25)

    assert np.isclose(option.npv_cost, 36_000 - shield)


@given(own.taxes(), own.fleet_components(), laws.demands())
def test_over_a_whole_life_every_method_saves_the_same(tax, component, demand):
    """Laws 31 and 32: methods move what is saved, and change neither its sum nor anything before tax."""
    ledger = component.cost(demand).settled()
    plain = FinancialTerms(tax=attrs.evolve(tax, depreciation="at_once", life_years=None))
    assets = [line for line in ledger.lines if line.capital in ("asset", "financed")]
    closed = attrs.evolve(
        ledger,
        lines=tuple(
            attrs.evolve(line, recognition=attrs.evolve(line.recognition, closed=True)) if line in assets else line
            for line in ledger.lines
        ),
    )
    sums = [terms.taxed(closed).amounts("CNY").sum() for terms in (FinancialTerms(tax=tax), plain)]
    before = [terms.taxed(closed).where(lambda line: line.category != "tax").amounts("CNY") for terms in (plain,)]
    scale = np.abs(ledger.amounts("CNY")).sum() + sum(np.abs(line.amounts).sum() for line in assets)

    assert np.isclose(*sums, rtol=0, atol=1e-9 * scale + 1e-9)
    np.testing.assert_array_equal(before[0], ledger.amounts("CNY"))


def test_an_asset_sold_at_its_book_value_bears_no_tax():
    """Law 35: straight-line to salvage, sold for salvage: the tax saved is that on cost less salvage."""
    card = attrs.evolve(CARD, salvage="6000 CNY")

    assert np.isclose(lines(bought(card, tax=Tax(rate=0.25)), "saved").sum(), -0.25 * 30_000)


def test_what_macrs_wrote_off_too_much_is_taxed_at_the_sale():
    """An asset written off to 0 and sold for 6,000 has saved the tax on cost less salvage, over all."""
    card = attrs.evolve(CARD, salvage="6000 CNY")
    option = bought(card, tax=Tax(rate=0.25, depreciation="macrs", life_years=5))

    assert np.isclose(lines(option, "saved").sum(), -0.25 * 30_000)


def test_interest_saves_tax_and_repayment_does_not():
    """Borrowing at the after-tax discount rate costs what paying cash costs, as finance teaches."""
    loan = Loan(apr=0.12, months=36)
    after_tax = effect(0.12 * 0.75, 12)
    cash, borrowed = (
        bought(CARD, tax=Tax(rate=0.25), discount_rate=after_tax, **means) for means in ({}, {"loan": loan})
    )

    assert np.isclose(cash.npv_cost, borrowed.npv_cost)


def test_real_figures_are_in_prices_of_the_start():
    """A price that rises with inflation is constant in real terms; a flat one falls."""
    flat = Monthly("rent", amount="1000 CNY")
    terms = {"price_basis": "real", "inflation_rate": 0.03, "discount_rate": 0.05}

    np.testing.assert_allclose(bought(Escalated(flat, 0.03), **terms).cash[1:], 1_000)
    np.testing.assert_allclose(bought(flat, **terms).cash[12], 1_000 / 1.03)


@given(own.components(), laws.demands(), st.floats(-0.05, 0.3), st.floats(0, 0.2))
def test_real_and_nominal_present_values_agree(component, demand, rate, inflation):
    """Law 13: real amounts at a real rate are worth what nominal ones are at the nominal rate."""
    rates = ExchangeRates("CNY")
    real = Terms(rates=rates, discount_rate=rate, finance=FinancialTerms(price_basis="real", inflation_rate=inflation))
    nominal = Terms(rates=rates, discount_rate=(1 + rate) * (1 + inflation) - 1)
    ledger = nominal.ledger(component, demand)
    values = [terms.present_value(terms.read(ledger)) for terms in (real, nominal)]

    assert np.isclose(*values, rtol=1e-9, atol=1e-9)


def test_exchange_rates_by_day():
    """Each month is converted at the rate that holds at its end, and the day of purchase at its own."""
    dollars = Monthly("rent", amount="100 USD")
    option = bought(dollars, fx={"USD": {"2026-01-01": 7.0, "2027-02-01": 7.5}})

    assert option.cash[:4].tolist() == [0.0, 700.0, 750.0, 750.0]


def test_written_off_at_the_rate_of_the_purchase():
    """What was bought in another currency is expensed at the rate of the day on which it was bought."""
    card = attrs.evolve(CARD, price="3600 USD")
    option = bought(card, fx={"USD": {"2026-01-01": 7.0, "2027-02-01": 7.5}})

    np.testing.assert_allclose(option.accrual, np.r_[0.0, np.full(36, 700.0)])


def test_a_day_before_the_first_rate_has_none():
    """No rate is carried back in time."""
    with pytest.raises(MissingRateError, match="no exchange rate from USD to CNY on 2026-12-01: the first one given"):
        bought(Monthly("rent", amount="100 USD"), fx={"USD": {"2027-01-01": 7.0}})


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"price_basis": "real"}, 'prices that rise are written as kind = "escalated"'),
        ({"inflation_rate": 0.02}, "inflation_rate: must be given where price_basis is"),
        ({"loan": Loan(apr=0.1, months=1), "lease": Lease(apr=0.1, months=1)}, "lease: cannot stand beside a loan"),
    ],
)
def test_terms_that_contradict_each_other(terms, problem):
    """Each contradiction is refused and named."""
    with pytest.raises(InvalidValueError, match=problem):
        FinancialTerms(**terms)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Loan(months=12), "rate_per_year: must be given, or apr"),
        (lambda: Loan(months=12, apr=0.1, rate_per_year=0.1), "rate_per_year: must be given, or apr"),
        (lambda: Loan(months=0, apr=0.1), "months: must be at least 1"),
        (lambda: Tax(rate=25), "rate: must be at most 1"),
        (lambda: Tax(rate=0.25, depreciation="macrs"), "life_years: must be given for macrs"),
        (lambda: Tax(rate=0.25, depreciation="macrs", life_years=4), "life_years: no table for 4 years"),
        (lambda: Tax(rate=0.25, life_years=4), "life_years: has no meaning where depreciation is 'book'"),
    ],
)
def test_a_wrong_value_is_named(make, problem):
    """One wrong input for each right one."""
    with pytest.raises(InvalidValueError, match=problem):
        make()


CATALOG = Catalog((), components=llm_tco_components())
BUY = {"kind": "purchase", "price": "5000 USD", "quantity": 1, "life_years": 3}
FILE = {
    "currency": "CNY",
    "start": date(2026, 12, 1),
    "months": 36,
    "fx": {"USD": {"2026-01-01": 7.0, "2027-02-01": 7.5}},
    "workload": {"requests_per_month": 1000, "input_tokens": 1, "output_tokens": 1},
    "finance": {
        "price_basis": "real",
        "inflation_rate": 0.02,
        "loan": {"apr": 0.06, "months": 24, "share": 0.8},
        "tax": {"rate": 0.25, "depreciation": "macrs", "life_years": 5},
    },
    "options": {"buy": {"costs": [BUY]}},
}


def test_a_file_states_the_terms():
    """Every financial term is a field of the scenario, and stands in the JSON document."""
    comparison = read_scenario(FILE, title="it", catalog=CATALOG).compare()

    stated = document(comparison, title="it")["finance"]
    assert stated["loan"] == {"apr": 0.06, "months": 24, "share": 0.8}
    assert stated["tax"] == {"rate": 0.25, "depreciation": "macrs", "life_years": 5}
    assert {"loan", "interest", "tax"} <= comparison["buy"].categories().keys()


def test_a_file_with_wrong_terms_is_told_all():
    """Every problem of the terms comes with its path, in one report."""
    wrong = {**FILE, "finance": {"inflation_rate": 0.02, "loan": {"apr": "six", "months": 24}, "tax": {"rate": 25}}}

    with pytest.raises(ProblemsError) as caught:
        read_scenario({**wrong, "fx": {"USD": {"soon": 7.0}}}, title="it", catalog=CATALOG)

    assert [line.partition(":")[0] for line in caught.value.problems] == [
        "fx.USD.soon", "finance.loan.apr", "finance.tax.rate",
    ]  # fmt: skip


@given(own.loans(), own.taxes(), own.fleet_components(), laws.demands())
def test_terms_commute_with_addition(loan, tax, component, demand):
    """What is done to a sum is the sum of what is done to its parts."""
    terms = FinancialTerms(loan=loan, tax=tax)
    once = terms.taxed(terms.paid(component.cost(demand).settled()))
    other = Monthly("rent", amount="70 CNY").cost(demand)
    both = terms.taxed(terms.paid(Ledger.combine([component.cost(demand).settled(), other])))
    alone = terms.taxed(terms.paid(other))
    sums = once.amounts("CNY") + alone.amounts("CNY")
    scale = sum(np.abs(line.amounts).sum() for line in both.lines if line.unit == "CNY")

    np.testing.assert_allclose(both.amounts("CNY"), sums, rtol=0, atol=1e-9 * scale + 1e-9)


def test_the_rate_of_a_loan_is_its_internal_rate_of_return():
    """The flows of a loan have the rate at which it was taken."""
    ledger = Loan(rate_per_year=0.08, months=36).applied(CARD.cost(TEAM.on(TIMELINE)))
    flows = -ledger.where(lambda line: line.category in ("loan", "interest")).amounts("CNY")

    assert np.isclose(irr(flows), monthly_rate(0.08))
    assert abs(npv(float(monthly_rate(0.08)), flows)) < 1e-8


@pytest.mark.parametrize("rate", [8, 1.0, 3.5])
def test_a_rate_that_may_be_a_percent_is_taken_and_said(rate):
    """800 % a year may be meant, where prices rise so fast, and so it is a caution and no error."""
    costs = [
        {"kind": "monthly", "name": "rent", "amount": "5 CNY", "growth_per_year": rate},
        {"kind": "financed", "loan": {"apr": rate, "months": 12}, "inner": {**BUY, "name": "cards"}},
    ]
    document = {
        **FILE,
        "discount_rate": rate,
        "finance": {"price_basis": "real", "inflation_rate": rate},
        "workload": {**FILE["workload"], "growth_per_year": 4.0},  # what many services see
        "options": {"a": {"costs": costs}, "b": {"costs": costs[:1]}},
    }
    plain = {**document, "discount_rate": 0.99}
    comparison = read_scenario(document, title="it", catalog=CATALOG).compare()
    notes = {name: {".".join(state.path): state.note for state in comparison[name].ledger.states} for name in "ab"}

    stated = {"discount_rate", "finance.inflation_rate", "rent.growth_per_year"}
    assert set(notes["b"]) == stated
    assert set(notes["a"]) == {*stated, "cards.loan.apr"}
    assert set(notes["a"].values()) == {
        f"is {rate:g}, which is {rate * 100:g} %; where {rate:g} % is meant, write {rate / 100:g}"
    }
    assert comparison["a"].feasible
    assert comparison["a"].npv_cost < read_scenario(plain, title="it", catalog=CATALOG).compare()["a"].npv_cost


def test_a_usual_rate_is_no_doubt():
    """Nothing is said of rates below 100 %."""
    comparison = read_scenario(FILE, title="it", catalog=CATALOG).compare()

    assert not any(option.ledger.states for option in comparison.options.values())


def test_a_percent_in_the_place_of_a_share_is_told_how_it_is_written():
    """An error of a ratio that is at most 1 says what 25 % is."""
    with pytest.raises(InvalidValueError, match="rate: must be at most 1, got 25; 25 % is written as 0.25"):
        Tax(rate=25)
    with pytest.raises(InvalidValueError, match="rate: must be at most 1, got 13; 13 % is written as 0.13"):
        ValueAddedTax(CARD, rate=13, included=False, recoverable_share=0.0)
    with pytest.raises(InvalidValueError, match="share: must be at most 1, got 250$"):
        Loan(apr=0.06, months=12, share=250)


def test_the_growth_of_a_workload_is_doubted_later():
    """Requests may well triple in a year; a hundredfold is told as what 100 % would be."""
    document = {**FILE, "workload": {**FILE["workload"], "growth_per_year": 100}}

    (state,) = read_scenario(document, title="it", catalog=CATALOG).compare()["buy"].ledger.states

    assert state.path == ("workload", "growth_per_year")
    assert state.note == "is 100, which is 10000 %; where 100 % is meant, write 1"


def test_a_recovery_period_without_a_table_is_a_wrong_life():
    """The error names the field that was written."""
    with pytest.raises(InvalidValueError, match="life_years: no table for 4 years; known: 3, 5, 7, 10, 15, 20"):
        Tax(rate=0.25, depreciation="macrs", life_years=4)
