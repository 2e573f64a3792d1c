"""Where the money for assets comes from, and what the tax office takes: what terms do to a ledger.

A loan and a lease change how the lines that buy assets are paid; a tax adds lines that are
read from how all of them are recognised.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, is_a, number, whole
from llm_tco.errors import InvalidValueError
from llm_tco.finance.annuity import pmt
from llm_tco.finance.depreciation import sln_schedule, syd_schedule, vdb_schedule
from llm_tco.finance.discounting import monthly_rate, over_time
from llm_tco.finance.loans import loan_schedule
from llm_tco.finance.macrs import macrs_schedule
from llm_tco.ledger import Ledger
from llm_tco.lines import AT_ONCE, NEVER, Line, Recognition, total
from llm_tco.units import MONTHS_PER_YEAR


def _after(purchases: FloatArray, kernel: FloatArray) -> FloatArray:
    """Give what follows purchases: the kernel's shares of each, so many months after it."""
    return Recognition(weights=kernel).spread(purchases)


def _rate(effective: Number | None, apr: Number | None) -> FloatArray:
    """Give the monthly rate of an effective annual rate, or of a nominal one."""
    return monthly_rate(effective) if effective is not None else np.asarray(apr) / MONTHS_PER_YEAR


def _check_rates(effective: Number | None, apr: Number | None) -> None:
    if (effective is None) == (apr is None):
        raise InvalidValueError(
            "rate_per_year", "must be given, or apr, the nominal rate compounded monthly, instead; and not both"
        )


def _kept(line: Line) -> Line:
    """Mark what a sale brings as one's own."""
    return attrs.evolve(line, capital="own_sale") if line.capital == "sale" else line


@attrs.frozen(kw_only=True, eq=False)
class Loan:
    """A loan for each purchase of assets, repaid in equal payments at the end of each month.

    What is outstanding at the horizon is repaid there, on a line of its own. Interest is an
    expense; the loan, its repayment and what is outstanding are none. Sunk purchases are
    paid for already and stay as they are.

    Attributes:
        rate_per_year: Effective annual rate. [1/year]
        apr: Nominal annual rate, compounded monthly, instead. [1/year]
        months: Payments of a loan.
        share: Share of the price that is borrowed, 0 to 1.
    """

    rate_per_year: Number | None = number(gt=-1, default=None, optional=True, percent_from=1.0)
    apr: Number | None = number(gt=-12, default=None, optional=True, percent_from=1.0)
    months: int = whole(ge=1)
    share: Number = number(ge=0, le=1, default=1.0)

    def __attrs_post_init__(self) -> None:
        _check_rates(self.rate_per_year, self.apr)

    def applied(self, ledger: Ledger) -> Ledger:
        """Borrow for the assets of a ledger."""
        borrows = any(line.leasable for line in ledger.lines)
        lines = [new for line in ledger.lines for new in (self._borrowed(line) if line.leasable else [_kept(line)])]
        return _refinanced(ledger, lines, changed=borrows)

    def _borrowed(self, line: Line) -> Iterator[Line]:
        schedule = loan_schedule(_rate(self.rate_per_year, self.apr), self.months, 1.0)
        before = np.zeros((*schedule.interest.shape[:-1], 1))
        share = np.asarray(self.share)[..., None]
        borrowed = line.amounts * share
        repaid = _after(borrowed, np.concatenate([before, -schedule.principal], axis=-1))
        interest = _after(borrowed, np.concatenate([before, -schedule.interest], axis=-1))
        yield attrs.evolve(line, capital="financed")
        yield line.beside("loan", "loan", -borrowed, recognition=NEVER)
        yield line.beside("interest", "interest", interest, nature="running")
        yield line.beside("repayment", "loan", repaid, recognition=NEVER, nature="running")
        balance = np.concatenate([before + 1.0, schedule.balance], axis=-1)
        yield line.beside("outstanding", "loan", _owed(borrowed, balance), recognition=NEVER)


@attrs.frozen(kw_only=True, eq=False)
class Lease:
    """A lease in the place of each purchase of assets, in equal payments a month.

    The payment is the annuity of the price less the present value of the buy-out. Payments
    and the buy-out are expenses at once, and so is what is owed beyond the horizon: its
    present value at the lease's own rate, on a line of its own. Without a buy-out the asset goes
    back: whatever it would be sold for is the lessor's.

    Attributes:
        rate_per_year: Effective annual rate that the lessor charges. [1/year]
        apr: Nominal annual rate, compounded monthly, instead. [1/year]
        months: Payments of a lease; without a buy-out, at least the life of the asset.
        buyout_share: Share of the price for which the asset is bought at the end; 0 where it
            passes for nothing; without it, it goes back.
        when: Whether payments fall at the beginning (`"begin"`) or end (`"end"`) of a month.
        cancellable: Whether nothing more is owed at the horizon; assets whose buy-out is not
            paid by then go back.
    """

    rate_per_year: Number | None = number(gt=-1, default=None, optional=True, percent_from=1.0)
    apr: Number | None = number(gt=-12, default=None, optional=True, percent_from=1.0)
    months: int = whole(ge=1)
    buyout_share: Number | None = number(ge=0, le=1, default=None, optional=True)
    when: str = choice("begin", "end", default="begin")
    cancellable: bool = False

    def __attrs_post_init__(self) -> None:
        _check_rates(self.rate_per_year, self.apr)

    def applied(self, ledger: Ledger) -> Ledger:
        """Lease the assets of a ledger.

        Raises:
            InvalidValueError: An asset goes back before the end of its life.
        """
        lines: list[Line] = []
        for line in ledger.lines:
            if line.leasable:
                lines += self._leased(line)
            elif line.capital != "sale":
                lines.append(line)
            elif self.buyout_share is not None:
                lines.append(_kept(self._bought_out(line)))
        return _refinanced(ledger, lines, changed=any(line.leasable for line in ledger.lines))

    def _bought_out(self, sale: Line) -> Line:
        """Keep what assets bring that are bought at the end; of a cancelled lease, only those that were."""
        # What is owed on the others, the buy-out with it, stands on a line of its own.
        return sale.with_amounts(sale.amounts * sale.brought_by(self.months)) if self.cancellable else sale

    def _leased(self, line: Line) -> Iterator[Line]:
        if self.buyout_share is None and self.months < line.recognition.months:
            raise InvalidValueError(
                "lease.months",
                f"must be at least the life of {line.name}, {line.recognition.months} months, where no buyout_share "
                f"is stated, got {self.months}: the asset would go back before its end",
            )
        payments, buyout, owed = self._kernels()
        paid = _after(line.amounts, payments)
        if self.cancellable and self.when == "begin":
            paid[..., -1] = 0.0  # the payment for the month after the horizon
        yield line.beside("lease", "lease", paid, nature="running")
        if self.buyout_share is not None:
            yield line.beside("buyout", "lease", _after(line.amounts, buyout))
        if not self.cancellable:
            yield line.beside("outstanding", "lease", _owed(line.amounts, owed))

    def _kernels(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give, per unit of the price and by age in months, the payments, the buy-out and what is owed after both."""
        rate = _rate(self.rate_per_year, self.apr)[..., None]
        worth = np.asarray(0.0 if self.buyout_share is None else self.buyout_share)[..., None]
        age = np.arange(self.months + 1)
        paid = -np.asarray(pmt(rate, self.months, 1.0, -worth, "begin" if self.when == "begin" else "end"))
        due = (age < self.months) if self.when == "begin" else (age > 0)
        payments, buyout = np.where(due, paid, 0.0), np.where(age == self.months, worth, 0.0)
        discounted = (payments + buyout) * (1.0 + rate) ** -age
        later = np.cumsum(discounted[..., ::-1], axis=-1)[..., ::-1] - discounted
        return payments, buyout, later * (1.0 + rate) ** age


def _owed(amounts: FloatArray, balance: FloatArray) -> FloatArray:
    """Lay what is owed at the horizon on it, of shape `(..., T + 1)`.

    Args:
        amounts: What was borrowed or leased at each time, shape `(..., T + 1)`.
        balance: What is owed of a unit of it by its age in months, nothing beyond the last;
            shape `(..., n)`.
    """
    size = amounts.shape[-1]
    ages = np.arange(size)[::-1]
    left = np.where(ages < balance.shape[-1], balance[..., np.minimum(ages, balance.shape[-1] - 1)], 0.0)
    return np.where(ages == 0, over_time(amounts, left)[..., None], 0.0)


def _refinanced(ledger: Ledger, lines: list[Line], *, changed: bool) -> Ledger:
    # Paid later, a purchase that comes earlier may cost less today.
    return attrs.evolve(ledger, lines=tuple(lines), rising=ledger.rising and not changed)


CATEGORIES: Final = ("loan", "interest", "lease", "tax")
"""The categories of what loans, leases and taxes add: all else is what things cost, however they are paid for."""

METHODS: Final = ("book", "at_once", "straight_line", "sum_of_years_digits", "declining_balance", "macrs")
"""How assets are written off for the tax office."""


@attrs.frozen(kw_only=True, eq=False)
class Tax:
    """A tax on profits, so that every expense saves some of it.

    Costs save, and benefits bear, the rate times what is recognised of them in each month.
    Hidden costs are on no invoice and save nothing; loans and repayments are no expenses. The
    company is taken to have profits enough. Assets are written off down to 0 by the method,
    year by year from the purchase on, each year's share in equal months; what is left when
    they are sold, or credited at the horizon, is written off there.

    Attributes:
        rate: Marginal rate of tax, 0 to 1.
        depreciation: `"book"`, as the asset itself is written off; `"at_once"`;
            `"straight_line"`, `"sum_of_years_digits"`, or double `"declining_balance"` with
            the switch to the straight line, over `life_years`; or `"macrs"` with the
            half-year convention (IRS Publication 946) and a recovery period of `life_years`.
        life_years: Years over which the tax office lets an asset be written off; without
            it, the asset's own life.
    """

    rate: Number = number(ge=0, le=1)
    depreciation: str = choice(*METHODS, default="book")
    life_years: int | None = whole(ge=1, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if self.life_years is not None and self.depreciation in ("book", "at_once"):
            raise InvalidValueError("life_years", f"has no meaning where depreciation is {self.depreciation!r}")
        if self.depreciation == "macrs" and self.life_years is None:
            raise InvalidValueError("life_years", "must be given for macrs: 3, 5, 7, 10, 15 or 20")
        if self.life_years is not None:
            try:
                self._shares(self.life_years)
            except InvalidValueError as error:
                raise InvalidValueError("life_years", error.problem) from None

    def applied(self, ledger: Ledger) -> Ledger:
        """Add the tax that costs save and benefits bear."""
        groups: dict[tuple[bool, bool, str], list[tuple[tuple[str, ...], FloatArray]]] = {}
        rate = np.asarray(self.rate)[..., None]
        for line in ledger.lines:
            if line.is_money and line.nature != "hidden":
                expense = self._recognition(line).spread(line.amounts)
                groups.setdefault((line.benefit, line.sunk, line.unit), []).append((line.path, expense * -rate))
        lines = tuple(
            Line(
                path=("tax", _ITEMS[benefit, sunk]),
                category="tax",
                unit=unit,
                amounts=total(amounts, ledger.timeline.size),
                sunk=sunk,
                nature="benefit" if benefit else "running",
            )
            for (benefit, sunk, unit), amounts in groups.items()
        )
        # What an asset saves falls with the months that are left, and may outweigh that it comes earlier.
        assets = any(line.capital in ("asset", "financed") for line in ledger.lines)
        return attrs.evolve(ledger, lines=ledger.lines + lines, rising=ledger.rising and not assets)

    def _recognition(self, line: Line) -> Recognition:
        if line.capital not in ("asset", "financed") or self.depreciation == "book":
            return line.recognition
        if self.depreciation == "at_once":
            return AT_ONCE
        life = line.recognition.months
        years = self.life_years
        if years is None:
            if life % MONTHS_PER_YEAR:
                raise InvalidValueError(
                    "tax.life_years",
                    f"must be given: the life of {line.name}, {life} months, is no whole number of years",
                )
            years = life // MONTHS_PER_YEAR
        months = np.concatenate([[0.0], np.repeat(self._shares(years) / MONTHS_PER_YEAR, MONTHS_PER_YEAR)])
        kept = months[: life + 1].copy()
        kept[-1] += months[life + 1 :].sum()
        return attrs.evolve(line.recognition, weights=kept)

    def _shares(self, years: int) -> FloatArray:
        """Give the share of the cost that each year writes off."""
        if self.depreciation == "macrs":
            return macrs_schedule(1.0, years)
        if self.depreciation == "sum_of_years_digits":
            return syd_schedule(1.0, 0.0, years)
        if self.depreciation == "declining_balance":
            return vdb_schedule(1.0, 0.0, years)
        return sln_schedule(1.0, 0.0, years)


_ITEMS: Final = {
    (False, False): "saved",
    (False, True): "saved by sunk costs",
    (True, False): "on benefits",
    (True, True): "on sunk benefits",
}


@attrs.frozen(kw_only=True, eq=False)
class FinancialTerms:
    """How options are paid for and taxed, and whether figures are real or nominal.

    Attributes:
        price_basis: `"nominal"`: amounts and the discount rate as they stand; `"real"`: every
            amount in prices of the day of purchase, and a real discount rate.
        inflation_rate: General inflation, for the real basis. [1/year]
        loan: A loan for every purchase of assets.
        lease: A lease in the place of every purchase of assets.
        tax: A tax on profits: figures are then after tax, and so is the discount rate.
    """

    price_basis: str = choice("nominal", "real", default="nominal")
    inflation_rate: Number | None = number(gt=-1, default=None, optional=True, percent_from=1.0)
    loan: Loan | None = attrs.field(default=None, validator=is_a(Loan, optional=True))
    lease: Lease | None = attrs.field(default=None, validator=is_a(Lease, optional=True))
    tax: Tax | None = attrs.field(default=None, validator=is_a(Tax, optional=True))

    def __attrs_post_init__(self) -> None:
        if (self.price_basis == "real") != (self.inflation_rate is not None):
            raise InvalidValueError(
                "inflation_rate",
                'must be given where price_basis is "real", and only there; prices that rise are written as '
                'kind = "escalated"',
            )
        if self.loan is not None and self.lease is not None:
            raise InvalidValueError("lease", "cannot stand beside a loan: an asset is borrowed for or leased")

    def paid(self, ledger: Ledger) -> Ledger:
        """Borrow for, or lease, what a settled ledger buys."""
        for means in (self.loan, self.lease):
            ledger = ledger if means is None else means.applied(ledger)
        return ledger

    def taxed(self, ledger: Ledger) -> Ledger:
        """Add the tax to a ledger."""
        return ledger if self.tax is None else self.tax.applied(ledger)

    def in_prices_of_day_0(self, amounts: FloatArray) -> FloatArray:
        """Give amounts of shape `(..., T + 1)` in prices of the day of purchase, on the real basis.

        Each is divided by `(1 + inflation) ** (t / 12)` (I. Fisher, The Theory of Interest, 1930).
        """
        if self.inflation_rate is None:
            return amounts
        years = np.arange(amounts.shape[-1]) / MONTHS_PER_YEAR
        return np.asarray(amounts * np.power(1.0 + np.asarray(self.inflation_rate)[..., None], -years))
