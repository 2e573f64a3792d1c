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
from llm_tco.demand import Demand, Workload
from llm_tco.ledger import Ledger
from llm_tco.testing.strategies import assets, cashflows, investments, rates, timelines, workloads
from llm_tco.timeline import Timeline


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    """Draw demands for `component`."""
    workload: Workload = draw(workloads())
    timeline: Timeline = draw(timelines(max_months=40))
    return workload.on(timeline)


def _for_all(check: Callable[..., None], *drawn: st.SearchStrategy[Any]) -> None:
    """Run a check on everything that strategies draw."""

    @settings(deadline=None)
    @given(st.tuples(*drawn))
    def run(values: tuple[Any, ...]) -> None:
        check(*values)

    run()


def component(subject: Component, demand: Demand | None = None) -> None:
    """Put a component through the laws of the algebra.

    Its ledger holds finite amounts, one for each time, is the same when it is asked again,
    changes nothing that it was given, adds in any order and scales; cash and accrual differ
    by the book value; costs (but for credits and benefits) are not negative; it is affine
    in the volume between equal steps; and a batch of volumes gives what each gives alone.

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
    for check in (_shapes, _repeatable, _additive, _scaling, _accrual, _natures):
        check(subject, demand, ledger)
    _law(
        all(np.array_equal(one, stream.requests) for one, stream in zip(before, demand.streams, strict=True)),
        "a component leaves its demand as it was",
    )
    _in_batches(subject, demand)


def _law(holds: bool, law: str) -> None:
    if not holds:
        raise AssertionError(f"broken law: {law}")


def _close(one: FloatArray, other: FloatArray, scale: FloatArray) -> bool:
    return bool(np.all(np.abs(one - other) <= 1e-9 * np.abs(scale) + 1e-9))


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
        if line.benefit:
            _law(bool((line.amounts <= 0).all()), f"{line.name} is a benefit, which is a credit")


def _in_batches(subject: Component, demand: Demand) -> None:
    """Ask for three volumes at once, the middle one between the others."""
    weights = np.array([1.0, 1.25, 2.0])
    (stream,) = demand.streams
    many = attrs.evolve(demand, streams=(attrs.evolve(stream, requests=stream.requests * weights[:, None]),))
    batch = subject.cost(many)
    steps = [np.broadcast_to(step, (3, demand.timeline.size)) for step in batch.steps.values()]
    even = all(np.array_equal(step[0], step[2]) for step in steps)
    alone = [
        subject.cost(attrs.evolve(demand, streams=(attrs.evolve(stream, requests=stream.requests * weight),)))
        for weight in weights
    ]
    for place, (unit, amounts) in enumerate(_units(batch)):
        rows = np.broadcast_to(amounts, (3, demand.timeline.size))
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
    scale = float(npv(rate, np.abs(flows))) + float(np.abs(flows).sum())

    def close(one: float, other: float) -> bool:
        return abs(one - other) <= 1e-9 * scale + 1e-12

    _law(close(npv(0.0, flows), float(flows.sum())), "at rate 0 the value is the sum")
    _law(close(npv(rate, flows[:1]), float(flows[0])), "the first flow is worth itself")
    _law(close(npv(rate, 3.0 * flows), 3.0 * npv(rate, flows)), "three times the flows are worth three times as much")
    _law(
        close(npv(rate, np.r_[0.0, flows]) * (1 + rate), npv(rate, flows)),
        "a period later, a stream is worth 1 / (1 + rate) as much",
    )
    _law(close(npv(rate, np.r_[flows, 0.0]), npv(rate, flows)), "a trailing zero is neutral")


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
    _law(rate > -1, "a rate of return lies above -100 %")
    values = flows * (1 + rate) ** -np.arange(flows.size, dtype=np.float64)
    slack = 1e-9 * float(np.abs(values) @ (4 + np.arange(flows.size))) / min(1.0, 1 + rate)
    _law(abs(float(values.sum())) <= slack, "at the rate of return the flows are worth nothing")

    def same(others: FloatArray) -> bool:
        return abs(float(irr(others)) - rate) <= 1e-9 * (1 + abs(rate))

    _law(same(flows * 1e9), "a billion times the flows have the same rate")
    _law(same(-flows), "what is lent and what is borrowed have the same rate")
    _law(same(np.r_[0.0, flows, 0.0]), "leading and trailing zeros are neutral")


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
    slack = 1e-9 * (1.0 + cost)
    _law(parts.shape == (periods,), "a schedule holds one part for each period")
    _law(bool((parts >= -slack).all()), "no part is negative")
    _law(abs(parts.sum() - (cost - salvage)) <= slack, "a schedule sums to cost less salvage")
    _law(bool((cost - np.cumsum(parts) >= salvage - slack).all()), "book value never falls below salvage")
