"""The terms under which options are compared."""

from __future__ import annotations

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, is_a, number
from llm_tco.components.base import Component
from llm_tco.demand import Demand
from llm_tco.errors import MismatchError, OverflowedError
from llm_tco.finance.discounting import discount_factors, monthly_rate, over_time
from llm_tco.finance.rates import inflated_rate
from llm_tco.financing import FinancialTerms
from llm_tco.ledger import Ledger
from llm_tco.lines import Basis
from llm_tco.money import ExchangeRates


def finite(figures: FloatArray, name: str) -> FloatArray:
    """Refuse figures that left the range of finite numbers.

    Raises:
        OverflowedError: See above.
    """
    if not np.isfinite(figures).all():
        raise OverflowedError(f"{name} is not a finite number; state the amounts in larger units")
    return figures


@attrs.frozen(kw_only=True, eq=False)
class Terms:
    """The terms under which options are compared.

    Attributes:
        rates: Exchange rates; their base is the currency of every result.
        discount_rate: Effective annual rate. [1/year]
        lens: `"full"` counts every cost, `"marginal"` leaves sunk ones out of every option.
        finance: Loan, lease, tax, and real or nominal; figures are nominal and before tax
            where nothing is said.
    """

    rates: ExchangeRates
    discount_rate: Number = number(gt=-1, default=0.0, percent_from=1.0)
    lens: str = choice("full", "marginal", default="full")
    finance: FinancialTerms = attrs.field(factory=FinancialTerms, validator=is_a(FinancialTerms))

    @property
    def currency(self) -> str:
        """The currency of every result."""
        return self.rates.base

    @property
    def rate_per_month(self) -> FloatArray:
        """Effective monthly discount rate, shape `(...)`; per month."""
        return monthly_rate(self.discount_rate)

    @property
    def nominal_rate(self) -> Number:
        """Effective annual rate at which nominal amounts are discounted: inflation goes on top of a real rate."""
        inflation = self.finance.inflation_rate
        return self.discount_rate if inflation is None else inflated_rate(self.discount_rate, inflation)

    def present_value(self, amounts: FloatArray) -> FloatArray:
        """Discount amounts of shape `(..., T + 1)` to the day of purchase, shape `(...)`.

        Raises:
            OverflowedError: The value left the range of finite numbers.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return finite(
                over_time(amounts, discount_factors(self.rate_per_month, amounts.shape[-1])), "a present value"
            )

    def ledger(self, component: Component, demand: Demand) -> Ledger:
        """Ask a component; settle its ledger, finance it, convert it and take the tax.

        Raises:
            MismatchError: A cost is no ledger, or a line does not hold one amount for each time.
            OverflowedError: A line holds an amount that is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            asked = component.cost(demand)
            if not isinstance(asked, Ledger):
                raise MismatchError(f"the cost of {component.name!r} must be a Ledger, got {asked!r}")
            settled = asked.asked(demand).settled()
            ledger = self.finance.taxed(self.finance.paid(settled).converted(self.rates))
        for line in ledger.lines:
            if line.amounts.shape[-1:] != (demand.timeline.size,):
                raise MismatchError(
                    f"{line.name}: must hold {demand.timeline.size} amounts, one for the day of purchase and one for "
                    f"each month, got an array of shape {line.amounts.shape}"
                )
            finite(line.amounts, line.name)
        return ledger.where(lambda line: not line.sunk) if self.lens == "marginal" else ledger

    def read(self, ledger: Ledger, *, basis: Basis = "cash", benefits: bool = True) -> FloatArray:
        """Read the money of a ledger, in prices of the day of purchase on the real basis.

        Args:
            ledger: The ledger.
            basis: `"cash"` or `"accrual"`.
            benefits: Whether benefits count.

        Returns:
            Sum by month, shape `(..., T + 1)`.
        """
        return self.finance.in_prices_of_day_0(ledger.amounts(self.currency, basis=basis, benefits=benefits))

    def costs(self, ledger: Ledger) -> FloatArray:
        """Read the cash of all costs, without benefits, shape `(..., T + 1)`."""
        return self.read(ledger, benefits=False)
