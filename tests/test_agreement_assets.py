"""Agreements over what is bought, owned, hidden or sold: a discount is recognised as what it discounts."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from llm_tco import Monthly, Purchase, Timeline, Workload, compare
from llm_tco.components.agreement import Commitment, Discounted, VolumeDiscount
from llm_tco.financing import FinancialTerms, Lease, Loan, Tax

TEAM = Workload(requests_per_month=1_000, input_tokens=1, output_tokens=1)


def cards(**changes):
    """Buy ten cards."""
    return Purchase(**{"quantity": 10, "price": "1200 CNY", "life_years": 3, **changes})


def option(component, months=12, lens="full", **finance):
    """Compare one option."""
    timeline = Timeline(date(2026, 12, 1), months)
    terms = FinancialTerms(**finance)
    return compare({"it": component}, TEAM, timeline, currency="CNY", lens=lens, finance=terms)["it"]


def both(component):
    """Take 40 % off, once outright and once by a step that every purchase reaches."""
    steps = [{"above": "1 CNY", "discount": 0.4}]
    return Discounted(component, share=0.4), VolumeDiscount(component, steps=steps)


@pytest.mark.parametrize(
    ("changes", "terms"),
    [
        ({"residual": "book"}, {}),
        ({}, {"tax": Tax(rate=0.25)}),
        ({}, {"loan": Loan(rate_per_year=0.1, months=12)}),
        ({"life_years": 1}, {"lease": Lease(rate_per_year=0.0, months=12)}),
        ({"owned": 10}, {"lens": "marginal"}),
        ({"life_years": 1, "salvage": "300 CNY"}, {"months": 13}),
    ],
)
def test_a_step_that_is_always_reached_is_a_discount(changes, terms):
    """Every figure is that of the plain discount: cash, expenses, upfront and present value."""
    first, second = (option(one, **terms) for one in both(cards(**changes)))

    np.testing.assert_allclose(first.cash, second.cash, atol=1e-9)
    np.testing.assert_allclose(first.accrual, second.accrual, atol=1e-9)


def test_the_discount_of_a_hidden_cost_is_hidden():
    """It bears no tax, as the cost saves none."""
    hidden = Monthly("debt", amount="100 CNY", hidden=True)
    found = option(both(hidden)[1], months=1, tax=Tax(rate=0.4))

    assert found.tco == 60
    assert found.natures() == {"hidden": 60}


def test_what_is_sold_is_no_price_of_a_vendor():
    """40 % off the price does not cut what the card brings, and a sale fills no commitment."""
    card = Purchase(quantity=1, price="1200 CNY", life_years=1, salvage="300 CNY")

    assert option(Discounted(card, share=0.4), months=13).cash[12] == 720 - 300
    committed = Commitment(card + Monthly("m", amount="100 CNY"), per_month="100 CNY")
    assert option(committed).cash[-1] == 100 - 300
