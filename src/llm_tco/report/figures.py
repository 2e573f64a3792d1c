"""The figures of a budget proposal, read from the ledgers; how they are shown is not known here."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.analysis.compare import Comparison, Investment, Option, by_year
from llm_tco.analysis.terms import Terms
from llm_tco.catalog.hardware import Server
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.records import Record
from llm_tco.catalog.tariffs import Tariff
from llm_tco.errors import InfeasibleError, InvalidValueError
from llm_tco.financing import CATEGORIES, FinancialTerms
from llm_tco.ledger import Ledger, State, unique
from llm_tco.lines import NATURES, Line
from llm_tco.money import DatedRates, ExchangeRates
from llm_tco.units import MONTHS_PER_YEAR

COSTS: Final = (*(nature for nature in NATURES if nature != "benefit"), "financing")
"""The parts of the total cost of ownership: its natures before financing and tax, and these."""


@attrs.frozen(kw_only=True)
class Series:
    """An amount over time.

    Attributes:
        upfront: What falls on the day of purchase.
        years: What falls into each year after it.
        months: Months in each year: twelve, and perhaps fewer in the last.
    """

    upfront: float
    years: tuple[float, ...]
    months: tuple[int, ...]

    @classmethod
    def of(cls, amounts: FloatArray) -> Series:
        """Sum the amounts of months, shape `(T + 1,)`."""
        upfront, *years = (float(value) + 0.0 for value in by_year(amounts))
        length = amounts.shape[-1] - 1
        months = tuple(min(MONTHS_PER_YEAR, length - first) for first in range(0, length, MONTHS_PER_YEAR))
        return cls(upfront=upfront, years=tuple(years), months=months)

    @property
    def later(self) -> float:
        """What falls after the day of purchase."""
        return sum(self.years)

    @property
    def total(self) -> float:
        """The whole amount."""
        return self.upfront + self.later

    @property
    def monthly(self) -> float:
        """Mean of a month of the first year."""
        return self.years[0] / self.months[0]

    @property
    def growth(self) -> tuple[float | None, ...]:
        """Growth of each whole year over the one before, as a ratio; None where there is none to say."""
        pairs = zip(self.years, self.years[1:], self.months[1:], strict=False)
        grown = (
            now / before - 1.0 if before > 0 and length == self.months[0] else None for before, now, length in pairs
        )
        return (None, *grown)


@attrs.frozen(kw_only=True)
class BudgetLine:
    """One line of the budget.

    Attributes:
        path: Names from the outermost component to the item.
        category: What kind of cost it is.
        replaces: The category of cost that a benefit stands for.
        amount: The cost, or the benefit weighted by its confidence; both are positive.
    """

    path: tuple[str, ...]
    category: str
    replaces: str | None
    amount: Series


@attrs.frozen(kw_only=True)
class Price:
    """A price that a record states.

    Attributes:
        what: `"input"`, `"output"`, `"cached_input"`, `"cache_write"`, `"per_request"`,
            `"per_kwh"` or `"server"`; tokens are priced per million.
        amount: The price, exact where the record is.
        currency: Its currency.
        above_tokens: Input tokens above which it holds.
    """

    what: str
    amount: Decimal | float
    currency: str
    above_tokens: int = 0


@attrs.frozen(kw_only=True)
class Evidence:
    """A record whose figures were used.

    Attributes:
        record: The record, with its source.
        prices: The prices that it states.
    """

    record: Record
    prices: tuple[Price, ...]


@attrs.frozen(kw_only=True)
class YearEnd:
    """How the investment stands at the end of a year.

    Attributes:
        month: The month that ends then.
        net: Net flow of the year.
        cumulative: All flows up to then, the outlay included.
        roi: The same over the outlay; None where nothing is laid out.
    """

    month: int
    net: float
    cumulative: float
    roi: float | None


@attrs.frozen(kw_only=True)
class Recommendation:
    """What is recommended, and under which condition.

    Attributes:
        state: `"recommended"`, `"not_recommended"`, `"unstated"` (no threshold is given),
            `"undefined"` (nothing is laid out, so that there is no return to hold it to) or
            `"unfit"` (the option does not carry the load at known prices).
        roi_above: The threshold, as a ratio of the outlay.
        roi: The return over the horizon, as a ratio of the outlay.
        benefits_needed: Share of the benefits at which the threshold is just met, all else
            as it is; None where there are no benefits to vary.
    """

    state: str
    roi_above: float | None
    roi: float | None
    benefits_needed: float | None


@attrs.frozen(kw_only=True)
class Case:
    """The case of choosing the option instead of another.

    Attributes:
        investment: Its net present value, rates of return and payback.
        outlay: What is laid out on the day of purchase, net.
        years: How it stands at the end of each year.
        saved: Costs of the other option that are no longer paid.
        forgone: Benefits of the other option that no longer come in.
        api: The API bill of the other option and what remains of it, where both have one.
        other_feasible: Whether the other option carries the whole load at known prices.
        recommendation: What is recommended.
    """

    investment: Investment
    outlay: float
    years: tuple[YearEnd, ...]
    saved: Series
    forgone: Series
    api: tuple[Series, Series] | None
    other_feasible: bool
    recommendation: Recommendation


@attrs.frozen(kw_only=True)
class Figures:
    """Every figure of a proposal.

    Attributes:
        currency: Currency of every amount.
        start: Day of purchase.
        months: Length of the horizon.
        discount_rate: Effective annual rate. [1/year]
        lens: `"full"`, or `"marginal"` where sunk costs are left out.
        fx: What one unit of each other currency is worth in that of the amounts: rates, each with the day
            from which on it holds; None for all time.
        finance: Loan, lease, tax, and real or nominal.
        option: What is proposed.
        feasible: Whether it carries the whole load at known prices.
        lines: Its costs, by the parts of `COSTS`.
        costs: Sums of its costs, by part.
        cost: All of its costs.
        npv_cost: Their present value.
        benefits: Its benefits.
        benefit: All of its benefits.
        case: The case against another option; None where there is none.
        states: What a reader must know.
        evidence: The records whose figures were used.
    """

    currency: str
    start: date
    months: int
    discount_rate: float
    lens: str
    fx: Mapping[str, tuple[tuple[date | None, float], ...]]
    finance: FinancialTerms
    option: str
    feasible: bool
    lines: Mapping[str, tuple[BudgetLine, ...]]
    costs: Mapping[str, Series]
    cost: Series
    npv_cost: float
    benefits: tuple[BudgetLine, ...]
    benefit: Series
    case: Case | None
    states: tuple[State, ...]
    evidence: tuple[Evidence, ...]


def pair(comparison: Comparison, option: str | None = None, instead_of: str | None = None) -> tuple[str, str | None]:
    """Say which option is proposed instead of which.

    Of two options, the one that is dearer on the day of purchase is proposed unless
    something else is said; of more, both must be named; a single one stands for itself.

    Raises:
        InvalidValueError: A name is missing, unknown, or given twice.
    """
    names = list(comparison)
    for name in (option, instead_of):
        if name is not None:
            comparison[name]
    if option is not None and option == instead_of:
        raise InvalidValueError("instead_of", f"must be another option than the one that is proposed, got {option!r}")
    if len(names) == 1:
        return names[0], None
    if len(names) == 2:
        dearer, cheaper = comparison.dearer_upfront(*names)
        chosen = option or next(name for name in (dearer, cheaper) if name != instead_of)
        return chosen, next(name for name in names if name != chosen)
    if option is None or instead_of is None:
        missing = "option" if option is None else "instead_of"
        raise InvalidValueError(
            missing, f"must be named where there are more than two options; there are {', '.join(names)}"
        )
    return option, instead_of


def figures(
    comparison: Comparison, option: str, instead_of: str | None = None, *, roi_above: float | None = None
) -> Figures:
    """Read the figures of a proposal from the ledgers of a comparison.

    Args:
        comparison: The comparison.
        option: What is proposed.
        instead_of: What it takes the place of; without it there are costs and benefits,
            but no return.
        roi_above: The return over the horizon, as a ratio of the outlay, above which the
            option is recommended; without it nothing is recommended.

    Raises:
        InvalidValueError: There is no option of that name.
        InfeasibleError: The options hold draws.
        DoubleCountError: A benefit stands for a cost that the other option holds itself.
    """
    chosen, terms = comparison[option], comparison.terms
    others = [] if instead_of is None else [comparison[instead_of]]
    if any(one.has_draws for one in (chosen, *others)):
        raise InfeasibleError("a proposal is written from one scenario, not from draws; ask draw by draw")
    ledger = chosen.ledger.where(lambda line: line.is_money)
    parts = ledger.by(_part)
    benefits = ledger.where(lambda line: line.benefit)
    records = unique(record for one in (chosen, *others) for record in one.ledger.records)
    return Figures(
        currency=terms.currency,
        start=comparison.timeline.start,
        months=comparison.timeline.months,
        discount_rate=float(terms.discount_rate),
        lens=terms.lens,
        fx=_fx(terms.rates),
        finance=terms.finance,
        option=option,
        feasible=chosen.feasible,
        lines={name: _lines(parts[name], terms) for name in COSTS if name in parts},
        costs={name: Series.of(terms.read(parts[name])) for name in COSTS if name in parts},
        cost=Series.of(chosen.cash),
        npv_cost=float(chosen.npv_cost),
        benefits=_lines(benefits, terms, sign=-1.0),
        benefit=_benefits(chosen),
        case=None if instead_of is None else _case(comparison, option, instead_of, roi_above),
        states=tuple(sorted(chosen.ledger.states, key=lambda state: (state.kind, state.path, state.note))),
        evidence=tuple(Evidence(record=record, prices=_prices(record)) for record in records),
    )


def _fx(rates: ExchangeRates) -> dict[str, tuple[tuple[date | None, float], ...]]:
    found: dict[str, tuple[tuple[date | None, float], ...]] = {}
    for code, rate in rates.rates.items():
        stated: list[tuple[date | None, object]] = [(None, rate)]
        if isinstance(rate, DatedRates):
            stated = list(zip(rate.days, rate.values, strict=True))
        if any(np.ndim(value) for _, value in stated):  # type: ignore[arg-type]  # a number or draws
            raise InfeasibleError(f"a proposal is written from one scenario: the exchange rate of {code} holds draws")
        if code != rates.base:
            found[code] = tuple((day, float(value)) for day, value in stated)  # type: ignore[arg-type]  # a number
    return found


def _part(line: Line) -> str:
    """Say to which part of a budget a line belongs: one of `COSTS`, or the benefits."""
    return "financing" if line.category in CATEGORIES and not line.benefit else line.nature


def _lines(ledger: Ledger, terms: Terms, sign: float = 1.0) -> tuple[BudgetLine, ...]:
    return tuple(
        BudgetLine(
            path=line.path,
            category=line.category,
            replaces=line.replaces,
            amount=Series.of(
                np.broadcast_to(sign * terms.finance.in_prices_of_day_0(line.amounts), ledger.timeline.size)
            ),
        )
        for line in ledger.lines
    )


def _benefits(option: Option) -> Series:
    return Series.of(option.cash - option.net_cash)


def _case(comparison: Comparison, option: str, instead_of: str, roi_above: float | None) -> Case:
    investment = comparison.investment(option, instead_of=instead_of)
    flows, other = Series.of(np.array(investment.flows)), comparison[instead_of]
    laid_out = flows.upfront < 0
    ends = itertools.accumulate(flows.months)
    sums = list(itertools.accumulate(flows.years, initial=flows.upfront))[1:]
    years = tuple(
        YearEnd(month=month, net=net, cumulative=total, roi=total / -flows.upfront if laid_out else None)
        for month, net, total in zip(ends, flows.years, sums, strict=True)
    )
    bills = [_of_category(one, "api") for one in (other, comparison[option])]
    return Case(
        investment=investment,
        outlay=-flows.upfront + 0.0,
        years=years,
        saved=Series.of(other.cash),
        forgone=_benefits(other),
        api=(Series.of(bills[0]), Series.of(bills[1])) if all(np.any(bill != 0) for bill in bills) else None,
        other_feasible=other.feasible,
        recommendation=_recommendation(comparison[option], investment, roi_above),
    )


def _of_category(option: Option, category: str) -> FloatArray:
    costs = option.ledger.where(lambda line: line.category == category and not line.benefit)
    return option.terms.read(costs)


def _recommendation(option: Option, investment: Investment, roi_above: float | None) -> Recommendation:
    roi, benefit = investment.roi, _benefits(option)
    needed = None
    if roi is not None and roi_above is not None and benefit.later > 0 and benefit.upfront == 0:
        outlay = -investment.flows[0]
        needed = max(0.0, 1.0 - (roi - roi_above) * outlay / benefit.later)
    if not option.feasible:
        state = "unfit"
    elif roi_above is None:
        state = "unstated"
    elif roi is None:
        state = "undefined"
    else:
        state = "recommended" if roi > roi_above else "not_recommended"
    return Recommendation(state=state, roi_above=roi_above, roi=roi, benefits_needed=needed)


def _prices(record: Record) -> tuple[Price, ...]:
    if isinstance(record, TokenPrice):
        found = []
        rates = [(what, getattr(record, what)) for what in ("input", "output", "cached_input")]
        rates += [("cache_write", rate) for rate in record.cache_write.values()]
        for what, rate in rates:
            if rate is not None:
                steps = [(0, rate.base), *((tier.above_tokens, tier.price) for tier in rate.tiers)]
                found += [Price(what=what, amount=p, currency=record.currency, above_tokens=n) for n, p in steps]
        if record.per_request:
            found.append(Price(what="per_request", amount=record.per_request, currency=record.currency))
        return tuple(found)
    money = record.price_per_kwh if isinstance(record, Tariff) else record.price if isinstance(record, Server) else None
    if money is None or isinstance(money.amount, np.ndarray):
        return ()
    what = "per_kwh" if isinstance(record, Tariff) else "server"
    return (Price(what=what, amount=money.amount, currency=money.currency),)
