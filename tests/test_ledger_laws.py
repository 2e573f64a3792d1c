"""The laws of ledgers and cash flows (1 to 18)."""

from __future__ import annotations

from datetime import date

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.components.amounts import Monthly
from llm_tco.components.base import Delayed, Escalated, Limited, Scaled, Stack
from llm_tco.errors import CurrencyError, InvalidValueError, MismatchError
from llm_tco.finance import annual_rate, discount_factors, effect, irr_report, monthly_rate, npv, payback, roi
from llm_tco.ledger import Ledger
from llm_tco.lines import NEVER, Line, Recognition
from llm_tco.money import ExchangeRates, Money
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

TIMELINE = Timeline(date(2026, 12, 1), 24)
rates = own.rates(-0.3, 1.0)


def close(one, other, scale):
    """Say whether two figures are equal within rounding errors of the amounts behind them."""
    return bool(np.all(np.abs(np.asarray(one) - np.asarray(other)) <= 1e-12 * np.asarray(scale) + 1e-9))


def size_of(rate, flows):
    """Give the sum of the absolute present values."""
    return npv(rate, np.abs(flows))


@given(own.cashflows())
def test_npv_at_rate_0_is_the_sum(flows):
    """Law 1: without discounting, a present value is a sum."""
    assert close(npv(0.0, flows), flows.sum(), np.abs(flows).sum())


@given(st.data(), rates, st.floats(-100, 100), st.floats(-100, 100))
def test_npv_is_linear(data, rate, a, b):
    """Law 2: the value of a weighted sum is the weighted sum of the values."""
    one = data.draw(own.cashflows(5, 5))
    other = data.draw(own.cashflows(5, 5))

    expected = a * npv(rate, one) + b * npv(rate, other)

    assert close(npv(rate, a * one + b * other), expected, 200 * (size_of(rate, one) + size_of(rate, other)))


@given(st.lists(own.components(), min_size=1, max_size=5), own.workloads())
def test_a_stack_costs_the_sum_of_its_parts(parts, workload):
    """Law 3: a stack's ledger is the sum of its parts' ledgers."""
    demand = workload.on(TIMELINE)

    ledger = Stack(parts).cost(demand)

    expected = sum((part.cost(demand).amounts("CNY") for part in parts), np.zeros(TIMELINE.size))
    scale = sum((np.abs(part.cost(demand).amounts("CNY")) for part in parts), np.zeros(TIMELINE.size))
    assert close(ledger.amounts("CNY"), expected, scale)


@given(st.lists(own.components(), min_size=2, max_size=6), own.workloads(), st.randoms())
def test_the_order_of_components_is_irrelevant_to_the_last_bit(parts, workload, random):
    """Law 4: shuffled components, of equal names too, give the same bits."""
    demand = workload.on(TIMELINE)
    shuffled = random.sample(parts, len(parts))

    one, other = (Stack(order).cost(demand).settled() for order in (parts, shuffled))

    assert one.amounts("CNY").tobytes() == other.amounts("CNY").tobytes()
    assert one.amounts("CNY", basis="accrual").tobytes() == other.amounts("CNY", basis="accrual").tobytes()
    assert one.unserved.tobytes() == other.unserved.tobytes()


@given(own.ledgers(TIMELINE))
def test_an_empty_component_is_neutral(ledger):
    """Law 5: adding nothing changes nothing."""
    assert np.array_equal((ledger + Ledger(timeline=TIMELINE)).amounts("CNY"), ledger.amounts("CNY"))


@given(own.ledgers(TIMELINE))
def test_negation_negates(ledger):
    """Law 6: a ledger and its negation sum to nothing."""
    assert np.array_equal((ledger + -ledger).amounts("CNY"), np.zeros(TIMELINE.size)) or close(
        (ledger + -ledger).amounts("CNY"), 0.0, sum(np.abs(line.amounts) for line in ledger.lines)
    )


@given(own.ledgers(TIMELINE), own.ledgers(TIMELINE), own.ledgers(TIMELINE))
def test_grouping_is_associative(a, b, c):
    """Law 7: brackets change nothing, to the last bit."""
    assert np.array_equal(((a + b) + c).amounts("CNY"), (a + (b + c)).amounts("CNY"))


@given(own.cashflows(), rates, st.integers(0, 24))
def test_leading_zeros_discount(flows, rate, k):
    """Law 8: k months later is worth (1 + r) ** -k."""
    late = npv(rate, np.r_[np.zeros(k), flows])

    assert close(late, npv(rate, flows) * (1 + rate) ** -k, 100 * size_of(rate, flows) * (1 + rate) ** -k)


@given(own.money(), st.integers(0, 23))
def test_a_delay_moves_the_ledger(amount, k):
    """Law 8 for components: what is delayed by k months costs the same, k months later."""
    cost = Monthly("rent", amount=amount)
    demand = own_demand()
    shorter = cost.cost(demand.window(k)).amounts("CNY")

    assert np.array_equal(Delayed(cost, k).cost(demand).amounts("CNY"), np.r_[np.zeros(k), shorter])


@given(own.cashflows(), rates, st.integers(0, 24))
def test_trailing_zeros_are_neutral(flows, rate, k):
    """Law 9: months without flows change nothing."""
    assert close(npv(rate, np.r_[flows, np.zeros(k)]), npv(rate, flows), size_of(rate, flows))


@given(own.cashflows(3, 30), rates, st.data())
def test_a_horizon_can_be_split(flows, rate, data):
    """Law 10: the value of the whole is that of its two spans."""
    k = data.draw(st.integers(1, len(flows) - 1))

    expected = npv(rate, flows[:k]) + npv(rate, flows[k:]) * (1 + rate) ** -k

    assert close(npv(rate, flows), expected, 100 * size_of(rate, flows))


@given(own.components(), own.workloads(), st.integers(0, 23))
def test_spans_of_a_component_sum_to_it(component, workload, k):
    """Law 10 for components: two adjacent spans sum to the whole."""
    demand = workload.on(TIMELINE)

    spans = Limited(component, first=0, last=k).cost(demand) + Limited(component, first=k + 1).cost(demand)

    assert np.array_equal(spans.amounts("CNY"), component.cost(demand).amounts("CNY"))
    assert np.array_equal(spans.unserved, component.cost(demand).unserved)


@given(own.investments(), st.floats(1e-6, 1e6), rates)
def test_scaling_scales_values_and_leaves_rates(flows, factor, rate):
    """Law 11: k times the flows are worth k times as much and return the same."""
    assert close(npv(rate, factor * flows), factor * npv(rate, flows), factor * size_of(rate, flows))
    assert np.allclose(irr_report(factor * flows).rates, irr_report(flows).rates, rtol=1e-9, atol=1e-12)
    assert np.isclose(payback(factor * flows), payback(flows), rtol=1e-9, equal_nan=True)
    assert np.isclose(roi(factor * flows), roi(flows), rtol=1e-9, atol=1e-9)


@given(own.components(), own.workloads(), st.floats(0.0, 100.0))
def test_a_scaled_component_costs_that_many_times_as_much(component, workload, factor):
    """Law 11 for components: the amounts are multiplied, nothing else changes."""
    demand = workload.on(TIMELINE)
    ledger = component.cost(demand)

    scaled = Scaled(component, factor).cost(demand)

    assert close(scaled.amounts("CNY"), factor * ledger.amounts("CNY"), factor * np.abs(ledger.amounts("CNY")))
    assert np.array_equal(scaled.unserved, ledger.unserved)


@given(own.cashflows(), rates)
def test_timing_shifts_by_whole_and_half_months(flows, rate):
    """Law 12: begin = end × (1 + r); mid = end × √(1 + r)."""
    end = npv(rate, flows)

    assert close(npv(rate, flows, timing="begin"), end * (1 + rate), 10 * size_of(rate, flows))
    assert close(npv(rate, flows, timing="mid"), end * np.sqrt(1 + rate), 10 * size_of(rate, flows))


@given(own.money(), st.floats(-0.2, 0.5), st.floats(-0.2, 0.5))
def test_escalation_cancels_against_discounting(amount, growth, rate):
    """Law 13: rising by g and discounted at (1 + r)(1 + g) − 1 is the real value at r."""
    cost = Monthly("rent", amount=amount)
    nominal = Escalated(cost, growth).cost(own_demand()).amounts("CNY")
    real = cost.cost(own_demand()).amounts("CNY")

    value = npv(monthly_rate((1 + rate) * (1 + growth) - 1), nominal)

    assert close(value, npv(monthly_rate(rate), real), 10 * size_of(monthly_rate(rate), real))


@given(rates)
def test_monthly_rates_compound_to_annual_ones(rate):
    """Law 14: (1 + r_month) ** 12 = 1 + r_year, and a twelfth of a nominal rate is never less."""
    assert np.isclose((1 + monthly_rate(rate)) ** 12, 1 + rate, rtol=1e-13)
    assert np.isclose(annual_rate(monthly_rate(rate)), rate, rtol=1e-12, atol=1e-14)
    assert rate / 12 >= monthly_rate(rate) - 1e-15
    assert np.isclose(effect(rate), (1 + rate / 12) ** 12 - 1, rtol=1e-12, atol=1e-14)


@given(own.cashflows(13, 13).map(np.abs), own.rates(0.0, 2.0))
def test_a_payment_at_the_end_of_the_year_is_worth_less(flows, rate):
    """Law 15: months sum to years, and paying twelve months at the end of the year costs no more."""
    months = np.r_[0.0, flows[1:]]
    year = np.zeros(13)
    year[12] = months.sum()

    assert npv(rate, year) <= npv(rate, months) + 1e-9 * months.sum()


@given(own.investments(), own.rates(-0.3, 0.9), st.floats(0.01, 0.5))
def test_npv_of_a_conventional_flow_falls_and_is_convex(flows, rate, step):
    """Law 16: the dearer money is, the less an investment is worth, by less and less."""
    low, middle, high = (npv(rate + k * step, flows) for k in range(3))
    slack = 1e-9 * size_of(rate, flows)

    assert low >= middle - slack
    assert middle >= high - slack
    assert low + high >= 2 * middle - slack


@given(own.ledgers(TIMELINE), own.ledgers(TIMELINE), rates)
def test_the_value_of_a_difference_is_the_difference_of_the_values(a, b, rate):
    """Law 17: NPV(A − B) = NPV(A) − NPV(B)."""
    scale = sum((size_of(rate, line.amounts) for line in (*a.lines, *b.lines)), 0.0)

    value = npv(rate, (a + -b).amounts("CNY"))

    assert close(value, npv(rate, a.amounts("CNY")) - npv(rate, b.amounts("CNY")), 10 * scale)


@given(own.components(), own.workloads(), st.floats(0.1, 10.0), st.floats(-0.2, 0.3), st.sampled_from(["cash", "long"]))
def test_cash_and_accrual_differ_by_the_book_value(component, workload, factor, growth, horizon):
    """Law 18: over the whole life both sum to the same; at a horizon they differ by the book value.

    It holds under scaling and escalation.
    """
    timeline = TIMELINE if horizon == "cash" else Timeline(date(2026, 12, 1), 24 + 72)
    changed = Escalated(Scaled(component, factor), growth)
    demand = workload.on(timeline)

    ledger = changed.cost(demand)
    bought = Limited(changed, first=0, last=24).cost(demand)

    cash, accrual = ledger.amounts("CNY"), ledger.amounts("CNY", basis="accrual")
    scale = np.abs(cash).sum()
    assert close(cash.sum() - accrual.sum(), ledger.book_value("CNY")[-1], 10 * scale)
    if horizon == "long":
        purchases = bought.where(lambda line: line.path[-1] == "purchase")
        difference = purchases.amounts("CNY").sum() - purchases.amounts("CNY", basis="accrual").sum()
        assert close(difference, 0.0, 10 * scale)


@given(own.components(), own.workloads())
def test_what_is_settled_at_the_horizon_leaves_no_book_value(component, workload):
    """Law 18 at the horizon: once assets are credited there, cash and accrual sum to the same."""
    ledger = component.cost(workload.on(TIMELINE))
    kept = ledger.where(lambda line: line.recognition.residual != "none" or line.recognition.closed)
    assets = kept.settled()

    cash = assets.amounts("CNY")

    assert close(assets.amounts("CNY", basis="accrual").sum(), cash.sum(), 100 * np.abs(cash).sum())


def test_what_is_never_recognised_stays_on_the_books():
    """Loan principal is cash and never an expense."""
    line = Line(path=("loan",), category="finance", unit="CNY", amounts=np.r_[-100.0, 50.0, 50.0], recognition=NEVER)
    ledger = Ledger(timeline=Timeline(date(2026, 1, 1), 2), lines=(line,))

    assert ledger.amounts("CNY", basis="accrual").tolist() == [0.0, 0.0, 0.0]
    assert ledger.book_value("CNY").tolist() == [-100.0, -50.0, 0.0]


def test_recognition_follows_its_weights():
    """An amount of month 1 that is written off over two months is an expense of months 2 and 3."""
    recognition = Recognition(weights=np.array([0.0, 0.5, 0.5]))

    assert recognition.spread(np.array([0.0, 10.0, 0.0, 0.0])).tolist() == [0.0, 0.0, 5.0, 5.0]


@given(own.ledgers(TIMELINE), st.lists(st.integers(1, 10), min_size=1, max_size=4))
def test_the_shares_of_teams_sum_to_the_ledger(ledger, weights):
    """What is shared between teams is neither lost nor counted twice."""
    shares = {f"team {place}": weight / sum(weights) for place, weight in enumerate(weights)}

    parts = ledger.shared(shares)

    whole = ledger.amounts("CNY")
    summed = sum(part.amounts("CNY") for part in parts.values())
    assert close(summed, whole, 10 * sum((np.abs(line.amounts) for line in ledger.lines), np.zeros(TIMELINE.size)))


def test_shares_that_do_not_sum_to_1_are_refused():
    """A third of a cost cannot disappear."""
    with pytest.raises(InvalidValueError, match="must sum to 1, got 0.9"):
        Ledger(timeline=TIMELINE).shared({"a": 0.5, "b": 0.4})


@given(own.ledgers(TIMELINE, "USD"), own.ledgers(TIMELINE, "EUR"), st.floats(0.01, 100), st.floats(0.01, 100))
def test_conversion_is_linear_and_commutes_with_value(dollars, euros, usd, eur):
    """A constant rate may be applied before or after discounting, line by line or in total."""
    rates_into = ExchangeRates("CNY", {"USD": usd, "EUR": eur})

    converted = (dollars + euros).converted(rates_into)

    expected = usd * npv(0.01, dollars.amounts("USD")) + eur * npv(0.01, euros.amounts("EUR"))
    scale = sum((size_of(0.01, line.amounts) for line in converted.lines), 0.0)
    assert close(npv(0.01, converted.amounts("CNY")), expected, 10 * scale)


def test_currencies_never_add_silently():
    """A total over two currencies is refused."""
    lines = [Line(path=(unit,), category="api", unit=unit, amounts=np.zeros(TIMELINE.size)) for unit in ("USD", "CNY")]

    with pytest.raises(CurrencyError, match="USD and CNY don't add"):
        Ledger(timeline=TIMELINE, lines=tuple(lines)).amounts("CNY")


def test_quantities_are_not_money():
    """Escalation and exchange rates leave kilowatt-hours alone."""
    line = Line(path=("p",), category="power", unit="kWh", amounts=np.ones(TIMELINE.size))
    ledger = Ledger(timeline=TIMELINE, lines=(line,))

    changed = ledger.escalated(np.full(TIMELINE.size, 2.0)).converted(ExchangeRates("CNY", {}))

    assert np.array_equal(changed.amounts("kWh"), line.amounts)
    assert np.array_equal(changed.amounts("CNY"), np.zeros(TIMELINE.size))


def test_ledgers_of_different_months_do_not_add():
    """A ledger of 24 months and one of 12 have no sum."""
    with pytest.raises(MismatchError, match="different months"):
        Ledger(timeline=TIMELINE) + Ledger(timeline=attrs.evolve(TIMELINE, months=12))


def test_discount_factors_refuse_a_rate_of_minus_100_percent():
    """Nothing can be discounted at −100 %."""
    with pytest.raises(InvalidValueError, match="more than -1"):
        discount_factors(-1.0, 3)


def own_demand():
    """Give any demand on the timeline."""
    from llm_tco.demand import Workload

    return Workload(requests_per_month=1_000, input_tokens=1, output_tokens=1).on(TIMELINE)


def test_money_of_one_currency_adds_exactly():
    """A bill of materials sums in decimals."""
    assert str(Money.parse("0.1 USD") + Money.parse("0.2 USD")) == "0.3 USD"
