"""Ledgers: what components return, and what every figure is read from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, column
from llm_tco.demand import Demand, check_shares
from llm_tco.errors import CurrencyError, MismatchError, OverflowedError, SharedFleetError
from llm_tco.finance.discounting import summed
from llm_tco.lines import Basis, Line, total
from llm_tco.money import ExchangeRates, is_currency
from llm_tco.timeline import Timeline

if TYPE_CHECKING:
    from llm_tco.catalog.records import Record


@attrs.frozen(kw_only=True)
class State:
    """Something that a reader of a ledger's figures must know.

    Attributes:
        kind: `"unpriced"`: part of the cost is unknown, so that the option cannot win;
            `"estimate"`: a figure was calculated where a measurement is missing;
            `"caution"`: the figures invite a mistake.
        path: Where.
        note: What, and what to do about it.
    """

    kind: str = choice("unpriced", "estimate", "caution")
    path: tuple[str, ...]
    note: str


@attrs.frozen(eq=False, kw_only=True)
class FleetLoad:
    """The demand that a fleet was sized for.

    Attributes:
        demand: The demand.
        offset: Months by which it was delayed.
    """

    demand: Demand
    offset: int = 0

    def same_as(self, other: FleetLoad) -> bool:
        """Say whether both are one load."""
        return self.offset == other.offset and self.demand.same_as(other.demand)


@attrs.frozen(eq=False, kw_only=True)
class Ledger:
    """Lines, and what travels up with them.

    Attributes:
        timeline: The months.
        lines: The rows.
        unserved: Requests that nobody carries in each month, shape `(..., T + 1)`.
        loads: The demand that each fleet was given.
        steps: Counts and flags between whose changes cost is affine in the volume.
        states: What a reader must know.
        records: The records whose figures were used.
        smooth: Whether cost is curved between steps.
        served: Whether anybody answers in each month, shape `(..., T + 1)`; None where
            nothing here answers requests.
        rising: Whether it is certain that the present value, at any discount rate of at
            least 0, never falls as the volume rises.
    """

    timeline: Timeline
    lines: tuple[Line, ...] = ()
    unserved: FloatArray = attrs.field(
        default=attrs.Factory(lambda self: np.zeros(self.timeline.size), takes_self=True)
    )
    loads: Mapping[Hashable, FleetLoad] = attrs.field(factory=dict)
    steps: Mapping[Hashable, FloatArray] = attrs.field(factory=dict)
    states: frozenset[State] = frozenset()
    records: tuple[Record, ...] = ()
    smooth: bool = False
    served: FloatArray | None = None
    rising: bool = False

    @classmethod
    def combine(cls, ledgers: Iterable[Ledger], *, same_requests: bool = True) -> Ledger:
        """Add ledgers.

        Args:
            ledgers: At least one.
            same_requests: Whether all stand for the same requests, as in a stack, where
                a request that one part leaves unserved is unserved; else, as behind a
                router, each stands for requests of its own and the unserved ones add.

        Raises:
            MismatchError: The timelines differ.
            SharedFleetError: One fleet was given different demands.
        """
        first, *rest = ledgers
        unserved, loads = first.unserved, dict(first.loads)
        for ledger in rest:
            if ledger.timeline != first.timeline:
                raise MismatchError(f"ledgers of different months don't add: {first.timeline} and {ledger.timeline}")
            join = np.maximum if same_requests else np.add
            unserved = join(unserved, ledger.unserved)
            for fleet, load in ledger.loads.items():
                other = loads.setdefault(fleet, load)
                if other is not load and not (same_requests and other.same_as(load)):
                    raise SharedFleetError(
                        f"the fleet {getattr(fleet, 'name', fleet)!r} was given two different demands. Behind a "
                        "router, send both routes of that one router to one component, which then carries their "
                        "sum; or give each route a fleet of its own."
                    )
        every = (first, *rest)
        return cls(
            timeline=first.timeline,
            lines=tuple(line for ledger in every for line in ledger.lines),
            unserved=unserved,
            loads=loads,
            steps=_all_steps(every),
            states=frozenset[State]().union(*(ledger.states for ledger in every)),
            records=unique(record for ledger in every for record in ledger.records),
            smooth=any(ledger.smooth for ledger in every),
            served=_anybody(ledger.served for ledger in every),
            rising=all(ledger.rising or not ledger.lines for ledger in every),
        )

    def __add__(self, other: Ledger) -> Ledger:
        if not isinstance(other, Ledger):
            return NotImplemented
        return Ledger.combine((self, other))

    def _each(self, change: Callable[[Line], Line]) -> Ledger:
        return attrs.evolve(self, lines=tuple(change(line) for line in self.lines))

    def under(self, *path: str) -> Ledger:
        """Put names in front of every path."""
        return attrs.evolve(
            self,
            lines=tuple(line.under(path) for line in self.lines),
            states=frozenset(attrs.evolve(state, path=path + state.path) for state in self.states),
        )

    def scaled(self, factor: Number) -> Ledger:
        """Multiply every amount, of money and of quantities."""
        return self._each(lambda line: line.with_amounts(line.amounts * column(factor)))

    def __neg__(self) -> Ledger:
        return self.scaled(-1.0)

    def escalated(self, factors: FloatArray) -> Ledger:
        """Multiply the money of each month; quantities stay.

        Args:
            factors: Shape `(..., T + 1)`.
        """
        escalated = self._each(lambda line: line.with_amounts(line.amounts * factors) if line.is_money else line)
        # With more volume a purchase comes earlier, which is dearer only where prices do not rise.
        return attrs.evolve(escalated, rising=self.rising and bool(np.all(np.diff(factors) <= 0)))

    def limited(self, first: int, last: int) -> Ledger:
        """Keep what falls between two times, both included."""
        inside = (self.timeline.index >= first) & (self.timeline.index <= last)
        return attrs.evolve(
            self._each(lambda line: line.limited(inside)),
            unserved=np.where(inside, self.unserved, 0.0),
            served=None if self.served is None else np.where(inside, self.served, 0.0),
            rising=self.rising and first == 0,  # else a payment that comes earlier may fall before the span
        )

    def delayed(self, timeline: Timeline, months: int) -> Ledger:
        """Lay the ledger on a longer timeline, so many months later."""

        def pad(array: FloatArray) -> FloatArray:
            after = timeline.size - months - array.shape[-1]
            return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(months, after)])

        return attrs.evolve(
            self._each(lambda line: line.with_amounts(pad(line.amounts))),
            timeline=timeline,
            unserved=pad(self.unserved),
            served=None if self.served is None else pad(np.where(self.timeline.index > 0, self.served, 0.0)),
            loads={fleet: attrs.evolve(load, offset=load.offset + months) for fleet, load in self.loads.items()},
            steps={
                key: pad(np.broadcast_to(step, (*step.shape[:-1], self.timeline.size)))
                for key, step in self.steps.items()
            },
        )

    def shared(self, shares: Mapping[str, Number]) -> dict[str, Ledger]:
        """Allocate the ledger to teams; the parts sum to the whole.

        Raises:
            InvalidValueError: The shares are negative or do not sum to 1.
        """
        check_shares(shares)
        return {team: self.scaled(share) for team, share in shares.items()}

    def converted(self, rates: ExchangeRates) -> Ledger:
        """Convert money into the base currency of the rates; quantities stay.

        Raises:
            MissingRateError: A line's currency has no rate.
        """
        foreign = {line.unit for line in self.lines if line.is_money} - {rates.base}
        if not foreign:
            return self
        factors = {unit: rates.factors(unit, rates.base, self.timeline.days) for unit in foreign}

        def convert(line: Line) -> Line:
            if line.unit not in factors:
                return line
            return line.with_amounts(line.amounts * factors[line.unit], rates.base)

        # As with escalation: a purchase that comes earlier is dearer only where the currency does not rise.
        falling = all(bool(np.all(np.diff(factor) <= 0)) for factor in factors.values())
        return attrs.evolve(self._each(convert), rising=self.rising and falling)

    def settled(self) -> Ledger:
        """Credit assets with their book value at the horizon where their rule says so, as lines of their own."""
        if all(line.recognition.residual == "none" for line in self.lines):
            return self
        lines: list[Line] = []
        for line in self.lines:
            if line.recognition.residual == "none" or line.recognition.closed:
                lines.append(line)
                continue
            worth = line.recognition.left(line.amounts)
            at_horizon = self.timeline.index == self.timeline.months
            credit = np.where(at_horizon, -worth[..., None], 0.0)
            lines += [
                attrs.evolve(line, recognition=attrs.evolve(line.recognition, closed=True)),
                # What it would bring is no longer lost, whoever paid for it, so that it is never sunk.
                line.beside(
                    "residual",
                    "residual",
                    credit,
                    capital="sale" if line.leasable else "own_sale",
                    ages=line.recognition.left_by_age(line.amounts),
                ),
            ]
        return attrs.evolve(self, lines=tuple(lines))

    def asked(self, demand: Demand) -> Ledger:
        """Count the requests of months in which nobody answers as unserved.

        It is for whoever hands a demand to a ledger's components and knows that no other
        component answers it.

        Args:
            demand: The demand that they were asked to carry.
        """
        if self.served is None or (self.served[..., 1:] >= 1.0).all():
            return self
        idle = demand.requests * (1.0 - self.served)
        return attrs.evolve(self, unserved=np.maximum(self.unserved, idle), served=None)

    def where(self, keep: Callable[[Line], bool]) -> Ledger:
        """Keep some lines."""
        return attrs.evolve(self, lines=tuple(line for line in self.lines if keep(line)))

    def by(self, key: Callable[[Line], str]) -> dict[str, Ledger]:
        """Group the lines, in the order in which the groups first occur."""
        groups = dict.fromkeys(key(line) for line in self.lines)
        return {group: self.where(lambda line, group=group: key(line) == group) for group in groups}  # type: ignore[misc]

    def amounts(self, unit: str, *, basis: Basis = "cash", benefits: bool = True) -> FloatArray:
        """Add the lines of one unit.

        Args:
            unit: A currency or a quantity.
            basis: `"cash"` or `"accrual"`.
            benefits: Whether benefits count.

        Returns:
            Sum by month, shape `(..., T + 1)`.

        Raises:
            CurrencyError: A currency was asked for and lines of others are there.
            OverflowedError: A sum left the range of finite numbers.
        """
        if is_currency(unit):
            others = sorted({line.unit for line in self.lines if line.is_money and line.unit != unit})
            if others:
                raise CurrencyError(f"amounts in {', '.join(others)} and {unit} don't add; convert the ledger first")
        with np.errstate(over="ignore", invalid="ignore"):
            value = total(
                (
                    (line.path, line.read(basis))
                    for line in self.lines
                    if line.unit == unit and (benefits or not line.benefit)
                ),
                self.timeline.size,
            )
        if not np.isfinite(value).all():
            raise OverflowedError(f"a sum in {unit} is too large for a float; state the amounts in larger units")
        return value

    def gross(self, unit: str) -> FloatArray:
        """Add the sizes of all amounts of one unit, whatever their signs, shape `(...)`.

        It is what a sum of them is held against before it is said to be more than rounding.
        """
        sizes = ((line.path, np.abs(line.amounts)) for line in self.lines if line.unit == unit)
        return summed(total(sizes, self.timeline.size))

    def book_value(self, unit: str) -> FloatArray:
        """Give what was paid and not yet recognised after each month, shape `(..., T + 1)`."""
        return np.cumsum(self.amounts(unit) - self.amounts(unit, basis="accrual"), axis=-1)

    @property
    def units(self) -> tuple[str, ...]:
        """The units of the lines, sorted."""
        return tuple(sorted({line.unit for line in self.lines}))

    @property
    def unpriced(self) -> bool:
        """Whether part of the cost is unknown."""
        return any(state.kind == "unpriced" for state in self.states)


def _all_steps(ledgers: Iterable[Ledger]) -> dict[Hashable, FloatArray]:
    """Gather steps; those that different components state under one name are all kept."""
    steps: dict[Hashable, FloatArray] = {}
    for ledger in ledgers:
        for name, step in ledger.steps.items():
            key = name
            while steps.get(key, step) is not step:
                key = (key, "and")
            steps[key] = step
    return steps


def _anybody(served: Iterable[FloatArray | None]) -> FloatArray | None:
    """Say in which months at least one answers; None where nobody is there to answer."""
    given = [one for one in served if one is not None]
    return functools.reduce(np.maximum, given) if given else None


def unique(records: Iterable[Record]) -> tuple[Record, ...]:
    """Keep each record once."""
    return tuple({id(record): record for record in records}.values())
