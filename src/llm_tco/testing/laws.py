"""The laws as checks that anybody's code can be put through.

    from llm_tco.testing import laws

    def test_my_component():
        laws.component(MyComponent(...))

A check draws what it needs, unless it is given. One that fails raises `AssertionError` with
the law that is broken, and hypothesis shows the smallest case that it found.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_tco._fields import FloatArray
from llm_tco.components.base import Component, Escalated, Scaled, Stack
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lines import check_category
from llm_tco.testing.strategies import amounts, assets, cashflows, demands, investments, rates

__all__ = ["cash_flow", "component", "demands", "depreciation", "loan", "monthly_rate", "rate_of_return"]


def _for_all(check: Callable[..., None], *drawn: st.SearchStrategy[Any]) -> None:
    """Run a check on everything that strategies draw."""

    @settings(deadline=None, report_multiple_bugs=False)
    @given(st.tuples(*drawn))
    def run(values: tuple[Any, ...]) -> None:
        check(*values)

    run()


def component(subject: Component, demand: Demand | None = None) -> None:
    """Put a component through the laws of the algebra.

    Its ledger holds finite amounts, one for each time, is the same when it is asked again,
    changes nothing that it was given, adds in any order and scales; nothing is recognised
    twice, and an asset whole; benefits are credits; no more is left unserved than was asked
    for; it is affine in the volume between equal steps, and rises where it says so; and a
    batch of volumes gives what each gives alone.

    Args:
        subject: The component.
        demand: A demand with one stream and without draws, as `demands` draws them; without
            it, many are drawn.

    Raises:
        AssertionError: A law is broken; the message says which.
    """
    if demand is None:
        _for_all(functools.partial(component, subject), demands())
        return
    before = [stream.requests.copy() for stream in demand.streams]
    ledger = subject.cost(demand)
    for check in (_shapes, _natures, _service, _repeatable, _additive, _scaling, _accrual):
        check(subject, demand, ledger)
    _law(
        all(np.array_equal(one, stream.requests) for one, stream in zip(before, demand.streams, strict=True)),
        "a component leaves its demand as it was",
    )
    _in_batches(subject, demand)


_ROUNDING = 1e-9
"""What sums may differ by, as a share of their parts."""


def _law(holds: bool, law: str) -> None:
    if not holds:
        raise AssertionError(f"broken law: {law}")


def _equal(found: float, expected: float, slack: float, law: str) -> None:
    if not abs(found - expected) <= slack:
        raise AssertionError(f"broken law: {law}: expected {expected:.12g}, got {found:.12g}")


def _close(one: FloatArray, other: FloatArray, scale: FloatArray) -> bool:
    return bool(np.all(np.abs(one - other) <= _ROUNDING * np.abs(scale) + _ROUNDING))


def _units(ledger: Ledger) -> list[tuple[str, FloatArray]]:
    by_unit = (ledger.where(lambda line, unit=unit: line.unit == unit) for unit in ledger.units)  # type: ignore[misc]
    return [(part.lines[0].unit, part.amounts(part.lines[0].unit)) for part in by_unit]


def _shapes(subject: Component, demand: Demand, ledger: Ledger) -> None:
    size = demand.timeline.size
    _law(ledger.timeline == demand.timeline, "a ledger has the demand's timeline")
    for line in ledger.lines:
        _law(line.amounts.shape[-1:] == (size,), f"{line.name} holds one amount for each time")
        _law(bool(np.isfinite(line.amounts).all()), f"{line.name} is finite")
        _law(line.path[0] == subject.name, f"{line.name} begins with the component's name")


def _repeatable(subject: Component, demand: Demand, ledger: Ledger) -> None:
    again = subject.cost(demand)
    same = [np.array_equal(one[1], other[1]) for one, other in zip(_units(ledger), _units(again), strict=True)]
    _law(all(same), "asked twice, a component answers the same")


def _additive(subject: Component, demand: Demand, ledger: Ledger) -> None:
    pair = Stack((subject, subject)).cost(demand)
    for (_, once), (_, twice) in zip(_units(ledger), _units(pair), strict=True):
        _law(_close(twice, 2 * once, once), "a stack of two costs twice as much")


def _scaling(subject: Component, demand: Demand, ledger: Ledger) -> None:
    tenfold = Scaled(subject, 10.0).cost(demand)
    for (_, once), (_, many) in zip(_units(ledger), _units(tenfold), strict=True):
        _law(_close(many, 10 * once, 10 * once), "ten times a component costs ten times as much")


def _accrual(subject: Component, demand: Demand, _: Ledger) -> None:
    risen = Escalated(subject, 0.07, every="year").cost(demand)
    for unit, cash in _units(risen):
        part = risen.where(lambda line, unit=unit: line.unit == unit)  # type: ignore[misc]
        difference = cash.sum() - part.amounts(unit, basis="accrual").sum()
        book = part.book_value(unit)[..., -1]
        _law(_close(difference, book, np.abs(cash).sum()), "cash and accrual differ by the book value")


def _natures(_: Component, __: Demand, ledger: Ledger) -> None:
    for line in ledger.lines:
        try:
            check_category(line.category)
        except InvalidValueError as error:
            raise AssertionError(f"broken law: {line.name} has a category that is a word; {error.problem}") from None
        shares = line.recognition.weights
        whole = np.sum(shares, axis=-1)
        _law(bool((shares >= 0).all()), f"{line.name} is recognised in parts of at least 0")
        _law(bool((whole <= 1 + _ROUNDING).all()), f"{line.name} is recognised once, and no part of it twice")
        if line.capital in ("asset", "financed"):
            _law(bool((whole >= 1 - _ROUNDING).all()), f"{line.name} is an asset, which is written off whole")
        if line.benefit:
            _law(bool((line.amounts <= 0).all()), f"{line.name} is a benefit, which is a credit")


def _service(_: Component, demand: Demand, ledger: Ledger) -> None:
    left, asked = ledger.unserved, demand.requests
    _law(left.shape[-1:] == (demand.timeline.size,), "unserved holds one number of requests for each time")
    _law(
        bool(((left >= 0) & (left <= asked + _ROUNDING * (1 + asked))).all()), "unserved is 0 up to what was asked for"
    )
    if ledger.served is not None:
        served = np.asarray(ledger.served)
        _law(served.shape[-1:] == (demand.timeline.size,), "served holds one share for each time")
        _law(bool(((served >= 0) & (served <= 1)).all()), "served is a share, 0 to 1")


def _rising(batch: Ledger) -> None:
    """Hold a batch of rising volumes to what it says of its present value."""
    currencies = {line.unit for line in batch.lines if line.is_money}
    if not batch.rising or len(currencies) != 1:
        return
    costs = np.broadcast_to(batch.amounts(currencies.pop(), benefits=False), (3, batch.timeline.size))
    for rate in (0.0, 0.01, 1.0):
        values = costs * (1.0 + rate) ** -batch.timeline.index
        slack = _ROUNDING * np.abs(values).sum(axis=-1)[1:] + _ROUNDING
        falls = np.diff(values.sum(axis=-1)) < -slack
        _law(not falls.any(), "a ledger that says so rises: its present value never falls as the volume rises")


def _in_batches(subject: Component, demand: Demand) -> None:
    """Ask for three volumes at once, the middle one between the others."""
    weights = np.array([1.0, 1.25, 2.0])
    (stream,) = demand.streams
    many = attrs.evolve(demand, streams=(attrs.evolve(stream, requests=stream.requests * weights[:, None]),))
    batch = subject.cost(many)
    steps = [np.broadcast_to(step, (3, demand.timeline.size)) for step in batch.steps.values()]
    even = all(np.array_equal(step[0], step[2]) for step in steps)
    _rising(batch)
    alone = [
        subject.cost(attrs.evolve(demand, streams=(attrs.evolve(stream, requests=stream.requests * weight),)))
        for weight in weights
    ]
    for place, (unit, sums) in enumerate(_units(batch)):
        rows = np.broadcast_to(sums, (3, demand.timeline.size))
        for row, ledger in enumerate(alone):
            single = dict(_units(ledger))[unit]
            _law(np.array_equal(rows[row], single), f"a row of a batch is the scalar run, in {unit} (unit {place})")
        if even and not batch.smooth:
            middle = rows[0] * 0.75 + rows[2] * 0.25
            _law(_close(rows[1], middle, np.abs(rows).max(axis=0)), "cost is affine in the volume between equal steps")


def cash_flow(
    npv: Callable[[float, FloatArray], float], flows: FloatArray | None = None, rate: float | None = None
) -> None:
    """Put a function for the net present value through laws 1, 2, 8 and 9.

    Args:
        npv: Takes a rate per period and flows whose first is at time 0.
        flows: Any stream; without it, many are drawn.
        rate: Any rate above −1; likewise.

    Raises:
        AssertionError: A law is broken; the message says which.
    """
    if flows is None or rate is None:
        drawn_flows = cashflows() if flows is None else st.just(flows)
        _for_all(functools.partial(cash_flow, npv), drawn_flows, rates(-0.5, 1.0) if rate is None else st.just(rate))
        return
    given = flows.copy()
    value, other = float(npv(rate, flows)), float(npv(rate, flows[::-1]))
    _law(np.array_equal(flows, given), "a function leaves its flows as they were")
    # Of both orders, so that the scale of one that forgets flows is not 0.
    scale = float(np.abs(flows).sum()) * max(1.0, (1.0 + rate) ** (1.0 - flows.size))
    slack = _ROUNDING * scale + 1e-12

    _equal(npv(0.0, flows), float(flows.sum()), slack, "at rate 0 the value is the sum")
    _equal(npv(rate, flows[:1]), float(flows[0]), slack, "the first flow is worth itself")
    _equal(npv(rate, 3.0 * flows), 3.0 * value, slack, "three times the flows are worth three times as much")
    _equal(npv(rate, flows + flows[::-1]), value + other, slack, "two streams together are worth what each is worth")
    later = npv(rate, np.r_[0.0, flows]) * (1 + rate)
    _equal(later, value, slack, "a period later, a stream is worth 1 / (1 + rate) as much")
    _equal(npv(rate, np.r_[flows, 0.0]), value, slack, "a trailing zero is neutral")


def rate_of_return(irr: Callable[[FloatArray], float], flows: FloatArray | None = None) -> None:
    """Put a function for the internal rate of return through laws 19, 21 and 22.

    Args:
        irr: Takes flows whose first is at time 0; gives the effective rate per period.
        flows: A stream with one change of sign, as `investments` draws them; without it,
            many are drawn.

    Raises:
        AssertionError: A law is broken; the message says which.
    """
    if flows is None:
        _for_all(functools.partial(rate_of_return, irr), investments())
        return
    rate = float(irr(flows))
    _law(bool(np.isfinite(rate)), f"a stream with one change of sign has a rate of return, which is not {rate}")
    _law(rate > -1, "a rate of return lies above -100 %")
    values = flows * (1 + rate) ** -np.arange(flows.size, dtype=np.float64)
    slack = _ROUNDING * float(np.abs(values) @ (4 + np.arange(flows.size))) / min(1.0, 1 + rate)
    _equal(float(values.sum()), 0.0, slack, f"at the rate of return, {rate:.12g}, the flows are worth nothing")

    slack = _ROUNDING * (1 + abs(rate))
    _equal(irr(flows * 1e9), rate, slack, "a billion times the flows have the same rate")
    _equal(irr(flows * 1e-9), rate, slack, "a billionth of the flows has the same rate")
    _equal(irr(-flows), rate, slack, "what is lent and what is borrowed have the same rate")
    _equal(irr(np.r_[0.0, flows, 0.0]), rate, slack, "leading and trailing zeros are neutral")


def depreciation(
    schedule: Callable[[float, float, int], FloatArray],
    cost: float | None = None,
    salvage: float | None = None,
    periods: int | None = None,
) -> None:
    """Put a depreciation schedule through law 31.

    Args:
        schedule: Takes cost, salvage and a number of periods.
        cost: Historical cost; unless all three are given, many assets are drawn.
        salvage: Value at the end of life, at most the cost.
        periods: Life in periods.

    Raises:
        AssertionError: A law is broken; the message says which.
    """
    if cost is None or salvage is None or periods is None:
        _for_all(lambda asset: depreciation(schedule, *asset), assets())
        return
    parts = np.asarray(schedule(cost, salvage, periods))
    slack = _ROUNDING * (1.0 + cost)
    _law(parts.shape == (periods,), "a schedule holds one part for each period")
    _law(bool(np.isfinite(parts).all()), "every part is a number")
    _law(bool((parts >= -slack).all()), "no part is negative")
    _equal(float(parts.sum()), cost - salvage, slack, "a schedule sums to cost less salvage")
    _law(bool((cost - np.cumsum(parts) >= salvage - slack).all()), "book value never falls below salvage")


def loan(
    schedule: Callable[[float, int, float], tuple[FloatArray, FloatArray]],
    rate: float | None = None,
    periods: int | None = None,
    amount: float | None = None,
) -> None:
    """Put the schedule of a loan with level payments through law 36.

    Args:
        schedule: Takes a rate per period, a number of payments and an amount; gives the
            interest and the principal in each payment, both positive.
        rate: Effective rate per period, also 0; unless all three are given, many loans are drawn.
        periods: Number of payments.
        amount: What is lent.

    Raises:
        AssertionError: A law is broken; the message says which.
    """
    if rate is None or periods is None or amount is None:
        # Rates next to 0 and far above those of loans are left out: textbook formulas lose their digits there.
        some = st.just(0.0) | st.floats(-0.05, -0.001) | st.floats(0.001, 0.1)
        _for_all(lambda *drawn: loan(schedule, *drawn), some, st.integers(1, 60), amounts(1.0, 1e6))
        return
    interest, principal = (np.asarray(part) for part in schedule(rate, periods, amount))
    slack = _ROUNDING * amount * (1.0 + abs(rate)) * periods
    _law(
        interest.shape == principal.shape == (periods,), "a loan holds one interest and one principal for each payment"
    )
    _equal(float(principal.sum()), amount, slack, "principal sums to the loan")
    before = amount - np.r_[0.0, np.cumsum(principal)[:-1]]
    worst = int(np.argmax(np.abs(interest - rate * before)))
    law = f"interest is the rate times what is owed before the payment, here number {worst + 1}"
    _equal(float(interest[worst]), float(rate * before[worst]), slack, law)
    paid = interest + principal
    _equal(float(np.ptp(paid)), 0.0, slack, "payments are level: the largest less the smallest")


def monthly_rate(convert: Callable[[float], float], annual_rate: float | None = None) -> None:
    """Put a function that turns an effective annual rate into the monthly one through law 14.

    Args:
        convert: Takes the annual rate, gives the monthly one.
        annual_rate: Any rate above −1; without it, many are drawn.

    Raises:
        AssertionError: A law is broken; the message says which.
    """
    if annual_rate is None:
        _for_all(functools.partial(monthly_rate, convert), rates(-0.9, 10.0))
        return
    year = (1.0 + float(convert(annual_rate))) ** 12 - 1.0
    _equal(year, annual_rate, _ROUNDING * (1.0 + abs(annual_rate)), "twelve months at the monthly rate make the year")
