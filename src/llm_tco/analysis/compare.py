"""Comparing options: every figure is read from their ledgers, by one code path."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import numpy as np

from llm_tco._fields import MAX_WHOLE, FloatArray, Number
from llm_tco.analysis.breakeven import VolumeSearch
from llm_tco.analysis.crossings import Crossings, crossings
from llm_tco.analysis.doubts import doubts_of, slips_of
from llm_tco.analysis.terms import Terms, finite
from llm_tco.catalog.records import Record
from llm_tco.components.base import Component
from llm_tco.demand import Demand, Workload, check_shares
from llm_tco.errors import DoubleCountError, InfeasibleError, InvalidValueError, LlmTcoError, suggest
from llm_tco.finance.discounting import annual_rate, as_float, npv, summed
from llm_tco.finance.returns import Irr, discounted_payback, irr_report, payback, profitability_index, roi
from llm_tco.financing import FinancialTerms
from llm_tco.ledger import Ledger
from llm_tco.lines import NATURES, Basis, cancelled
from llm_tco.money import ExchangeRates, Quote
from llm_tco.timeline import Timeline
from llm_tco.units import MONTHS_PER_YEAR, TOKENS_PER_MTOK

SEARCH_FACTOR: Final = 100
"""How far above the stated volume break-even volumes are sought, unless said otherwise."""


@attrs.frozen(kw_only=True, slots=False, eq=False)
class Option:
    """What one way to serve the demand costs. With draws, figures are arrays of shape `(...)`.

    Attributes:
        name: What it is called.
        component: The component.
        demand: The users' demand.
        terms: The terms.
        ledger: Its ledger, settled at the horizon and in the currency of the terms.
    """

    name: str
    component: Component
    demand: Demand
    terms: Terms
    ledger: Ledger

    @functools.cached_property
    def cash(self) -> FloatArray:
        """Costs in cash, without benefits: index 0 is the day of purchase. Shape `(..., T + 1)`."""
        return self.terms.costs(self.ledger)

    @functools.cached_property
    def net_cash(self) -> FloatArray:
        """Costs less benefits in cash, shape `(..., T + 1)`."""
        return self.terms.read(self.ledger)

    @functools.cached_property
    def accrual(self) -> FloatArray:
        """Expenses less benefits as recognised, shape `(..., T + 1)`."""
        return self.terms.read(self.ledger, basis="accrual")

    @property
    def upfront(self) -> Number:
        """What is paid on the day of purchase."""
        return _figure(self.cash[..., 0])

    @property
    def monthly(self) -> Number:
        """Mean cost of a month after the day of purchase: upfront + monthly × months = tco."""
        return _figure(summed(self.cash[..., 1:]) / self.demand.timeline.months)

    @property
    def tco(self) -> Number:
        """Total cost of ownership over the horizon: the sum of all costs, without benefits."""
        return _figure(summed(self.cash))

    @property
    def net(self) -> Number:
        """Total cost of ownership less benefits."""
        return _figure(summed(self.net_cash))

    @property
    def npv_cost(self) -> Number:
        """Present value of all costs, without benefits."""
        return _figure(self.terms.present_value(self.cash))

    @property
    def cost_per_request(self) -> Number | None:
        """Levelised cost of a request: present value of the costs over that of the requests."""
        return self._levelised(self.demand.requests)

    @property
    def cost_per_mtok(self) -> Number | None:
        """Levelised cost of a million tokens, prompt and generated ones together."""
        return self._levelised(self.demand.tokens / TOKENS_PER_MTOK)

    def _levelised(self, quantity: FloatArray) -> Number | None:
        """Divide by the users' demand; None where there is none, NaN in draws where there is none."""
        divisor = self.terms.present_value(quantity)
        cost = np.asarray(self.npv_cost)
        if divisor.ndim == cost.ndim == 0:
            return _figure(cost / divisor) if divisor > 0 else None
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.where(divisor > 0, cost / divisor, np.nan)

    @property
    def unserved(self) -> FloatArray:
        """Requests that nobody carries in each month, shape `(..., T + 1)`."""
        return self.ledger.unserved

    @property
    def feasible(self) -> bool:
        """Whether it carries the whole load, at known prices, in every draw."""
        return not self.ledger.unpriced and not bool(np.any(self.unserved > 0))

    @property
    def priced(self) -> bool:
        """Whether all prices are known; where not, its costs are the known part, and more in truth."""
        return not self.ledger.unpriced

    @property
    def answered(self) -> bool:
        """Whether any part of it answers requests; where none does, that they are carried is taken for granted."""
        return self.ledger.served is not None or bool(self.ledger.loads) or bool(np.any(self.unserved > 0))

    @property
    def has_draws(self) -> bool:
        """Whether its figures are arrays."""
        return np.ndim(self.npv_cost) > 0

    @property
    def carried_until(self) -> np.ndarray:
        """Whether the load was carried in every month up to each, shape `(T + 1,)`; day 0 stands with month 1."""
        short = np.cumsum(np.broadcast_to(self.unserved, self.demand.timeline.size))
        short[0] = short[1]
        return (short <= 0) & (not self.ledger.unpriced)

    def categories(self) -> dict[str, Number]:
        """Give the cost of each category, without benefits; they sum to the tco."""
        costs = self.ledger.where(lambda line: line.is_money and not line.benefit)
        groups = costs.by(lambda line: line.category)
        return {name: self._sum(group) for name, group in groups.items()}

    def natures(self) -> dict[str, Number]:
        """Give what is paid once, what goes on, what is hidden and what comes in; they sum to the net."""
        groups = self.ledger.where(lambda line: line.is_money).by(lambda line: line.nature)
        return {nature: self._sum(groups[nature]) for nature in NATURES if nature in groups}

    def _sum(self, lines: Ledger) -> Number:
        """Add up some lines; what cancels but for rounding is 0."""
        return _figure(cancelled(summed(self.terms.read(lines)), lines.gross(self.terms.currency)))

    def years(self, basis: Basis = "cash") -> FloatArray:
        """Give the costs, without benefits, of the day of purchase and of each year.

        Args:
            basis: `"cash"`, or `"accrual"` for expenses.

        Returns:
            Shape `(..., 1 + years)`; the last year may be cut short.
        """
        return by_year(self.terms.read(self.ledger, basis=basis, benefits=False))

    @property
    def depreciation(self) -> Number:
        """What is recognised of assets over the horizon: the expense of lines that are not expensed at once."""
        assets = self.ledger.where(lambda line: line.capital in ("asset", "financed"))
        return _figure(summed(self.terms.read(assets, basis="accrual")))

    @property
    def cost_per_year(self) -> Number:
        """Annualised cost: the expenses of the horizon, depreciation included, over its years."""
        expenses = summed(self.years("accrual"))
        return _figure(expenses * MONTHS_PER_YEAR / self.demand.timeline.months)

    def shared(self, shares: Mapping[str, Number]) -> dict[str, Number]:
        """Allocate the total cost of ownership to teams, by shares that sum to 1."""
        check_shares(shares)
        return {team: _figure(np.asarray(self.tco * share)) for team, share in shares.items()}

    def quantities(self) -> dict[str, Number]:
        """Give the total of each quantity, such as kWh."""
        units = [unit for unit in self.ledger.units if unit != self.terms.currency]
        return {unit: _figure(summed(self.ledger.amounts(unit))) for unit in units}


def by_year(amounts: FloatArray) -> FloatArray:
    """Sum months into years: index 0 is the day of purchase, then each year of twelve months.

    Args:
        amounts: Shape `(..., T + 1)`.

    Returns:
        Shape `(..., 1 + ceil(T / 12))`.
    """
    months = amounts.shape[-1] - 1
    years = [amounts[..., first : first + MONTHS_PER_YEAR] for first in range(1, months + 1, MONTHS_PER_YEAR)]
    return np.stack([amounts[..., 0] + 0.0, *(summed(year) for year in years)], axis=-1)


def _figure(value: FloatArray) -> Number:
    """Give a figure as a float, or as an array where there are draws.

    Raises:
        OverflowedError: It is not finite.
    """
    return as_float(finite(np.asarray(value), "a figure"))


@attrs.frozen(kw_only=True)
class BreakEven:
    """When, and from which volume on, the cheaper option of a pair changes.

    Attributes:
        by_month: By cumulative cash, undiscounted, month by month; 0 is the day of purchase.
        by_volume: By present value over the horizon, as requests in month 1.
        exact_month: The first change by month, as if the cash of a month came evenly.
        searched: The range of volumes that was searched.
    """

    by_month: Crossings
    by_volume: Crossings
    exact_month: float | None
    searched: tuple[int, int]

    @property
    def month(self) -> int | None:
        """First month at whose end the option that was dearer at first is cheaper."""
        return self.by_month.first

    @property
    def requests_per_month(self) -> int | None:
        """First whole number of requests from which on the cheaper option is another."""
        return self.by_volume.first


@attrs.frozen(kw_only=True)
class Investment:
    """The case of choosing one option instead of another: benefits and saved costs come in.

    Attributes:
        option: What is chosen.
        instead_of: What is given up.
        flows: Net cash of each month; index 0 is the day of purchase.
        npv: Net present value.
        irr: Internal rates of return, effective annual.
        payback_months: Months until the cumulative flow reaches 0; None for never, and where
            nothing is laid out.
        discounted_payback_months: The same with discounted flows.
        roi: Sum of all flows over the outlay; None where nothing is laid out up front.
        profitability_index: Present value of what follows per unit of the outlay; likewise.
    """

    option: str
    instead_of: str
    flows: tuple[float, ...]
    npv: float
    irr: Irr
    payback_months: float | None
    discounted_payback_months: float | None
    roi: float | None
    profitability_index: float | None


@attrs.frozen(kw_only=True, slots=False, eq=False)
class Comparison:
    """Several options for one workload.

    Attributes:
        options: The options by name.
        workload: What users ask for.
        timeline: The months.
        terms: The terms.
        volumes: Lowest and highest requests a month among which break-even is sought.
    """

    options: Mapping[str, Option]
    workload: Workload
    timeline: Timeline
    terms: Terms
    volumes: tuple[int, int]

    def __getitem__(self, name: str) -> Option:
        try:
            return self.options[name]
        except KeyError:
            raise InvalidValueError(
                "option", f"must be one of {', '.join(self.options)}, got {name!r}{suggest(name, self.options)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.options)

    @property
    def ranking(self) -> tuple[str, ...]:
        """The options that carry the load, the cheapest by present value first."""
        able = [option for option in self.options.values() if option.feasible]
        return tuple(option.name for option in sorted(able, key=lambda option: float(np.mean(option.npv_cost))))

    @property
    def best(self) -> str | None:
        """The cheapest option that carries the load, by present value; None where none does."""
        return self.ranking[0] if self.ranking else None

    @property
    def runner_up(self) -> str | None:
        """The second cheapest option that carries the load; None where there is none."""
        return self.ranking[1] if len(self.ranking) > 1 else None

    def saving(self, option: str, *, instead_of: str) -> tuple[Number, Number | None]:
        """Say what an option saves of another's total cost, as money and as a share of it.

        Returns:
            The money, and the ratio; None for the ratio where the other costs nothing.
        """
        other = self[instead_of].tco
        money = _figure(np.asarray(other - self[option].tco))
        return money, None if np.any(np.equal(other, 0)) else _figure(np.asarray(money / other))

    def hidden_share(self, option: str, *, instead_of: str) -> Number | None:
        """Say which share of an option's extra cost over another is hidden; None where it costs no more."""
        extra = self[option].tco - self[instead_of].tco
        if np.any(np.less_equal(extra, 0)):
            return None
        hidden = self[option].natures().get("hidden", 0.0) - self[instead_of].natures().get("hidden", 0.0)
        return _figure(np.asarray(hidden / extra))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every pair of options."""
        return tuple(itertools.combinations(self.options, 2))

    @property
    def records(self) -> tuple[Record, ...]:
        """The records whose figures were used."""
        found = {id(record): record for option in self.options.values() for record in option.ledger.records}
        return tuple(found.values())

    @functools.cached_property
    def _volume_search(self) -> VolumeSearch:
        components = {name: option.component for name, option in self.options.items() if not option.has_draws}
        low, high = self.volumes
        return VolumeSearch(components, self.workload, self.timeline, self.terms, low, high)

    def break_even(self, a: str, b: str) -> BreakEven:
        """Say when, and from which volume on, one of two options overtakes the other.

        Raises:
            InfeasibleError: The options hold draws, so that there is no single answer.
        """
        one, other = self[a], self[b]
        if one.has_draws or other.has_draws:
            raise InfeasibleError("break-even is read from one scenario, not from draws; ask for it draw by draw")
        cumulative = (np.cumsum(one.cash), np.cumsum(other.cash))
        carried = (one.carried_until, other.carried_until)
        by_month = crossings((a, b), range(self.timeline.size), cumulative, carried, open_end=False)
        exact = None
        if by_month.first is not None:
            before, after = (cumulative[0] - cumulative[1])[by_month.first - 1 : by_month.first + 1]
            exact = float(by_month.first - 1 + before / (before - after))
        return BreakEven(
            by_month=by_month,
            by_volume=self._volume_search.pair(a, b),
            exact_month=exact,
            searched=self.volumes,
        )

    def dearer_upfront(self, a: str, b: str) -> tuple[str, str]:
        """Order a pair: the option dearer on the day of purchase first."""
        return (a, b) if np.mean(self[a].upfront) >= np.mean(self[b].upfront) else (b, a)

    def _refuse_double_count(self, option: str, other: str) -> None:
        spent = {line.category for line in self[other].ledger.lines if line.is_money and np.any(line.amounts != 0)}
        for line in self[option].ledger.lines:
            if line.benefit and line.replaces in spent:
                raise DoubleCountError(
                    f"{option}.{line.name} is a benefit that stands for {line.replaces!r} cost, which {other!r} holds "
                    f"itself: the comparison of the two counts it already. Leave the benefit out, or compare {option!r} "
                    "with an option without that cost."
                )

    def investment(self, option: str, *, instead_of: str) -> Investment:
        """Give the case of choosing one option instead of another.

        Its flows are the other's net cost less the option's.

        Raises:
            InfeasibleError: The options hold draws.
            DoubleCountError: A benefit stands for a cost that the other option holds itself.
        """
        self._refuse_double_count(option, instead_of)
        self._refuse_double_count(instead_of, option)
        flows = self[instead_of].net_cash - self[option].net_cash
        if self[option].has_draws or self[instead_of].has_draws:
            raise InfeasibleError("an investment case is read from one scenario, not from draws; ask draw by draw")
        flows = flows + 0.0
        rate = self.terms.rate_per_month
        monthly = irr_report(flows)
        laid_out = bool(flows[0] < 0)
        return Investment(
            option=option,
            instead_of=instead_of,
            flows=tuple(float(flow) for flow in flows),
            npv=float(npv(rate, flows)),
            irr=attrs.evolve(monthly, rates=tuple(float(_figure(annual_rate(root))) for root in monthly.rates)),
            payback_months=_known(payback(flows)) if laid_out else None,
            discounted_payback_months=_known(discounted_payback(rate, flows)) if laid_out else None,
            roi=_known(roi(flows)),
            profitability_index=_known(profitability_index(rate, flows)),
        )


def _known(value: float | FloatArray) -> float | None:
    return None if np.isnan(value) else float(value)


def compare(
    options: Mapping[str, Component],
    workload: Workload,
    timeline: Timeline,
    *,
    currency: str,
    fx: Mapping[str, Quote] | None = None,
    discount_rate: Number = 0.0,
    lens: str = "full",
    volumes: tuple[int, int] | None = None,
    finance: FinancialTerms | None = None,
) -> Comparison:
    """Say what each option costs, which is cheapest, and from when on.

    Args:
        options: The options by name.
        workload: What users ask for.
        timeline: The months.
        currency: Currency of every result.
        fx: What one unit of each other currency is worth in it: a number, or numbers by the day
            from which on they hold.
        discount_rate: Effective annual rate. [1/year]
        lens: `"full"`, or `"marginal"` to leave sunk costs out.
        volumes: Lowest and highest requests a month among which break-even is sought;
            without it, from 1 to a hundred times the workload's.
        finance: Loan, lease, tax, and real or nominal; nominal and before tax without it.

    Raises:
        MissingRateError: An amount is in a currency without a rate.
        SharedFleetError: One fleet was given two different demands within an option.
        OverflowedError: A figure left the range of finite numbers.
    """
    _check_kinds(options, workload, timeline)
    terms = Terms(
        rates=ExchangeRates(currency, fx or {}),
        discount_rate=discount_rate,
        lens=lens,
        finance=finance or FinancialTerms(),
    )
    demand = workload.on(timeline)
    most = float(np.max(workload.requests_per_month))
    ceiling = int(max(min(most, MAX_WHOLE / SEARCH_FACTOR) * SEARCH_FACTOR, 1_000.0))
    if volumes is not None and not 0 < volumes[0] < volumes[1] <= MAX_WHOLE:
        raise InvalidValueError("volumes", f"must be a lowest and a higher number of requests, got {volumes}")
    found, common = {}, doubts_of(terms) | doubts_of(workload, "workload")
    for name, component in options.items():
        try:
            ledger = terms.ledger(component, demand)
            if doubts := common | doubts_of(component) | slips_of(ledger.records):
                ledger = attrs.evolve(ledger, states=ledger.states | doubts)
            found[name] = Option(name=name, component=component, demand=demand, terms=terms, ledger=ledger)
            found[name].cash  # noqa: B018 - refuses an overflow here, not at a later reading
        except LlmTcoError as error:
            error.add_note(f"in the option {name!r}")
            raise
    return Comparison(options=found, workload=workload, timeline=timeline, terms=terms, volumes=volumes or (1, ceiling))


def _check_kinds(options: object, workload: object, timeline: object) -> None:
    """Refuse what is of another kind, and say which was meant."""
    if not isinstance(options, Mapping) or not options:
        raise InvalidValueError("options", f"must hold at least one option by its name, got {options!r}")
    for name, component in options.items():
        if not isinstance(component, Component):
            raise InvalidValueError(f"options.{name}", f"must be a component, got {component!r}")
    for field, value, kind in (("workload", workload, Workload), ("timeline", timeline, Timeline)):
        if not isinstance(value, kind):
            raise InvalidValueError(field, f"must be a {kind.__name__}, got {value!r}")
