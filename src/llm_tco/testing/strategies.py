"""Hypothesis strategies for the types of llm_tco. Everything that they draw is valid."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import strategies as st

from llm_tco._fields import FloatArray
from llm_tco.catalog.hardware import Part, Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.prices import Rate, Tier, TokenPrice, Window
from llm_tco.catalog.records import Source
from llm_tco.catalog.tariffs import Band, Tariff
from llm_tco.catalog.weeks import DAYS
from llm_tco.components.amounts import Monthly, OneOff, Periodic
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Component
from llm_tco.components.benefit import Benefit, HoursSaved, ProductivityGain
from llm_tco.components.capital import Purchase
from llm_tco.components.facility import Hosting, Network, Storage
from llm_tco.components.financed import Financed, Leased
from llm_tco.components.labour import Crew, Labour, Project, Task
from llm_tco.components.power import Power
from llm_tco.components.rental import Rental, Subscription
from llm_tco.components.risk import CapitalCharge, ExpansionDelay, ExpectedLoss, Waiting
from llm_tco.components.tax import ValueAddedTax
from llm_tco.demand import Demand, Lengths, Workload
from llm_tco.financing import Lease, Loan, Tax
from llm_tco.ledger import Ledger
from llm_tco.lines import Line, Recognition
from llm_tco.money import Money
from llm_tco.serving.energy import PowerCap, Site
from llm_tco.serving.fleet import Fleet
from llm_tco.serving.queueing import WaitTarget
from llm_tco.serving.reliability import Reliability
from llm_tco.timeline import Timeline
from llm_tco.units import HOURS_PER_WEEK

SOURCE = Source(title="drawn by a strategy", checked=date(2026, 1, 1))
"""Source of every record that is drawn."""
TIMEZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Asia/Kolkata")
"""Clocks that differ by whole hours and by half ones, with and without summer time."""


def amounts(min_value: float = 0.0, max_value: float = 1e6) -> st.SearchStrategy[float]:
    """Draw numbers of a sensible size: multiples of a millionth."""
    return st.floats(min_value, max_value, allow_nan=False).map(lambda value: round(value, 6) + 0.0)


def rates(min_value: float = -0.5, max_value: float = 2.0) -> st.SearchStrategy[float]:
    """Draw rates of return or of growth, as ratios."""
    return st.floats(min_value, max_value, allow_nan=False)


def cashflows(min_size: int = 1, max_size: int = 40) -> st.SearchStrategy[FloatArray]:
    """Draw streams of flows of either sign, shape `(n,)`."""
    return st.lists(amounts(-1e6, 1e6), min_size=min_size, max_size=max_size).map(np.array)


@st.composite
def investments(draw: st.DrawFn, max_size: int = 40) -> FloatArray:
    """Draw conventional streams: an outlay, then flows that come in."""
    outlay = draw(amounts(1.0, 1e6))
    inflows = draw(st.lists(amounts(1e-2, 1e6), min_size=1, max_size=max_size))
    return np.array([-outlay, *inflows])


@st.composite
def assets(draw: st.DrawFn) -> tuple[float, float, int]:
    """Draw what is written off: a cost, a salvage value of at most that, and a life in periods."""
    cost = draw(amounts(1.0, 1e6))
    return cost, cost * draw(st.floats(0.0, 1.0)), draw(st.integers(1, 40))


def money(currency: str = "CNY", max_value: float = 1e6) -> st.SearchStrategy[Money]:
    """Draw amounts of money of at least 0."""
    return amounts(0.0, max_value).map(lambda value: Money(value, currency))


def timelines(max_months: int = 60) -> st.SearchStrategy[Timeline]:
    """Draw timelines."""
    starts = st.dates(date(2020, 1, 1), date(2035, 12, 31))
    return st.builds(Timeline, start=starts, months=st.integers(1, max_months))


@st.composite
def lengths(draw: st.DrawFn) -> Lengths:
    """Draw distributions of request lengths."""
    kinds = draw(st.integers(1, 4))
    tokens = st.lists(st.integers(0, 20_000), min_size=kinds, max_size=kinds)
    weights = draw(st.lists(st.integers(1, 10), min_size=kinds, max_size=kinds))
    return Lengths.of_table(list(zip(draw(tokens), draw(tokens), weights, strict=True)))


@st.composite
def workloads(draw: st.DrawFn, max_requests: int = 1_000_000) -> Workload:
    """Draw workloads with any load shape."""
    shape: dict[str, object] = draw(
        st.one_of(
            st.just({}),
            st.fixed_dictionaries({"peak_to_mean": st.floats(1.0, 20.0)}),
            st.fixed_dictionaries({"hourly_load": hourly_loads(), "timezone": st.none() | st.sampled_from(TIMEZONES)}),
        )
    )
    return Workload(
        requests_per_month=draw(st.integers(1, max_requests)),
        lengths=draw(lengths()),
        growth_per_year=draw(st.floats(-0.5, 1.0)),
        cacheable_share=draw(st.floats(0.0, 1.0)),
        **shape,  # type: ignore[arg-type]  # one of the two ways to give a load shape
    )


@st.composite
def demands(draw: st.DrawFn, max_months: int = 40) -> Demand:
    """Draw workloads that are laid on a timeline."""
    workload: Workload = draw(workloads())
    return workload.on(draw(timelines(max_months)))


@st.composite
def hourly_loads(draw: st.DrawFn) -> tuple[float, ...]:
    """Draw the 168 hours of a week, a day's shape repeated with weekends of their own."""
    day = draw(st.lists(st.integers(0, 20), min_size=24, max_size=24).filter(any))
    weekend = draw(st.floats(0.0, 1.0))
    week = [float(hour) for hour in day] * 5 + [hour * weekend for hour in day] * 2
    return tuple(week[:HOURS_PER_WEEK])


@st.composite
def servers(draw: st.DrawFn, currency: str = "CNY") -> Server:
    """Draw servers with a price and watts."""
    idle = draw(st.floats(0.0, 500.0))
    return Server(
        key="server",
        name="Server",
        gpu="gpu",
        gpus=draw(st.integers(1, 8)),
        idle_w=idle,
        peak_w=idle + draw(st.floats(1.0, 5_000.0)),
        parts=(Part(name="all of it", price=Money(Decimal(draw(st.integers(1, 1_000_000))), currency)),),
        source=SOURCE,
        authority="user",
    )


@st.composite
def throughputs(draw: st.DrawFn) -> Throughput:
    """Draw throughputs."""
    return Throughput(
        gpu="gpu",
        model="model",
        quantisation="fp16",
        gpus=draw(st.integers(1, 8)),
        output_tokens_per_s=draw(st.floats(1.0, 10_000.0)),
        input_tokens_per_s=draw(st.none() | st.floats(10.0, 100_000.0)),
        requests_per_s=draw(st.none() | st.floats(0.1, 100.0)),
        source=SOURCE,
        authority="user",
    )


@st.composite
def fleets(draw: st.DrawFn, *, fixed: bool | None = None, currency: str = "CNY", full: bool = False) -> Fleet:
    """Draw fleets.

    Args:
        draw: Given by hypothesis.
        fixed: Whether their number of servers is fixed; None for either.
        currency: Currency of the servers.
        full: Whether some of them have slots, a wait, servers that stand by, failures, a
            site and a power cap as well.
    """
    spares = draw(st.integers(0, 2))
    has_count = draw(st.booleans()) if fixed is None else fixed
    more: dict[str, Any] = {}
    if full and draw(st.booleans()):
        more = draw(_fleet_extras())
        spares = max(spares - more["standby"], 0)
    spared = spares + more.get("standby", 0)
    return Fleet(
        server=draw(servers(currency)),
        throughput=draw(throughputs()),
        count=spared + draw(st.integers(1, 5)) if has_count else None,
        spares=spares,
        planning_utilisation=draw(st.floats(0.1, 1.0)),
        **more,
    )


def _fleet_extras() -> st.SearchStrategy[dict[str, Any]]:
    wait = st.builds(
        WaitTarget,
        max_wait_s=st.floats(0.1, 60.0),
        percentile=st.sampled_from([None, 0.5, 0.95]),
        service_cv=st.floats(0.0, 3.0),
    )
    reliability = st.builds(
        Reliability,
        failures_per_year=st.floats(0.0, 5.0),
        repair_hours=st.floats(0.0, 500.0),
        switch_over_s=st.floats(0.0, 600.0),
        model_load_s=st.floats(0.0, 600.0),
        availability=st.sampled_from([None, 0.9, 0.999]),
    )
    return st.fixed_dictionaries(
        {
            "slots": st.integers(1, 40),
            "wait": st.none() | wait,
            "standby": st.integers(0, 1),
            "reliability": st.none() | reliability,
            "site": st.none() | st.builds(Site, servers_per_rack=st.integers(1, 8), power_budget_w=amounts(1, 1e5)),
            "power_cap": st.none()
            | st.builds(PowerCap, share_of_power=st.just(1.0), share_of_speed=st.floats(0.5, 1.0)),
        }
    )


def _bands(currency: str) -> st.SearchStrategy[tuple[Band, ...]]:
    night = st.builds(
        Band, name=st.just("night"), price_per_kwh=money(currency, 5.0), start=st.just("22:30"), end=st.just("07:00")
    )
    summer = st.builds(
        Band,
        name=st.just("summer"),
        price_per_kwh=money(currency, 5.0),
        start=st.just("10:00"),
        end=st.sampled_from(["11:15", "18:00"]),
        days=st.sampled_from([("mon", "tue", "wed", "thu", "fri"), ("sun",)]),
        months=st.sampled_from([(6, 7, 8), (1,)]),
        carbon_kg_per_kwh=st.none() | st.floats(0.0, 1.0),
    )
    return st.sampled_from([(night,), (summer,), (night, summer)]).flatmap(lambda chosen: st.tuples(*chosen))


def tariffs(currency: str = "CNY") -> st.SearchStrategy[Tariff]:
    """Draw tariffs with bands, carbon, and some with a charge for the highest power."""
    return st.builds(
        Tariff,
        key=st.just("tariff"),
        name=st.just("Tariff"),
        price_per_kwh=money(currency, 5.0),
        timezone=st.sampled_from(["Asia/Shanghai", "America/New_York"]),
        bands=st.just(()) | _bands(currency),
        demand_charge_per_kw_month=st.none() | money(currency, 50.0),
        carbon_kg_per_kwh=st.floats(0.0, 1.0),
        source=st.just(SOURCE),
    )


@st.composite
def powers(draw: st.DrawFn, fleet: Fleet, currency: str = "CNY") -> Power:
    """Draw the electricity of a fleet: by one price or a tariff, on a line from idle or from a loaded power, asleep."""
    more: dict[str, Any] = {}
    if draw(st.booleans()):
        more["tariff"] = draw(tariffs(currency))
    else:
        more["price_per_kwh"] = draw(money(currency, 10.0))
    idle, peak = fleet.server.idle_w, fleet.server.peak_w
    if idle is not None and peak is not None and draw(st.booleans()):
        more["loaded_w"] = float(idle + (peak - idle) * draw(st.floats(0.0, 1.0)))
    if idle is not None and draw(st.booleans()):
        more["sleep_w"], more["sleep_after_minutes"] = idle * draw(st.floats(0.0, 1.0)), draw(st.floats(0.0, 120.0))
    return Power(fleet, pue=draw(st.floats(1.0, 3.0)), **more)


@st.composite
def token_prices(
    draw: st.DrawFn, currency: str = "USD", *, windows: bool = False, graduated: bool = False
) -> TokenPrice:
    """Draw token prices, some with dearer tiers for longer requests.

    Args:
        draw: Given by hypothesis.
        currency: Currency of the amounts.
        windows: Whether some have other prices at some hours of the week.
        graduated: Whether some tiers of input tokens are graduated.
    """
    cents = st.integers(0, 10_000).map(lambda value: Decimal(value) / 100)
    thresholds = draw(st.lists(st.integers(1, 20_000), max_size=2, unique=True).map(sorted))

    def rate(of_input: bool = True) -> Rate:
        base = price = draw(cents)
        tiers = []
        for above in thresholds:
            price += draw(cents)
            tiers.append(Tier(above_tokens=above, price=price))
        parts = graduated and of_input and draw(st.booleans())
        return Rate(base=base, tiers=tuple(tiers), graduated=parts)

    def window() -> Window:
        return Window(
            start=f"{draw(st.integers(0, 11)):02d}:{draw(st.integers(0, 59)):02d}",
            end=f"{draw(st.integers(12, 23)):02d}:{draw(st.integers(0, 59)):02d}",
            days=tuple(draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True))),
            input=draw(st.none() | st.just(rate())),
            output=draw(st.none() | st.just(rate(of_input=False))),
        )

    return TokenPrice(
        provider="provider",
        model="model",
        currency=currency,
        input=rate(),
        output=rate(of_input=False),
        cached_input=rate(),
        cache_write={"5m": rate(), "1h": rate()} if draw(st.booleans()) else {"default": rate()},
        reasoning=draw(st.none() | st.just(rate(of_input=False))),
        per_request=draw(cents),
        minimum_per_request=draw(cents) / 100,
        timezone=draw(st.sampled_from(TIMEZONES)),
        windows=(window(),) if windows and draw(st.booleans()) else (),
        source=SOURCE,
        authority="user",
    )


def _network(currency: str) -> st.SearchStrategy[Component]:
    return st.builds(
        Network,
        base_per_month=money(currency),
        kb_per_request=st.floats(1.0, 1e4),
        included_gb=st.floats(0.0, 1e3),
        price_per_gb=money(currency, 10.0),
    )


def _project(currency: str) -> st.SearchStrategy[Component]:
    task = st.builds(Task, name=st.sampled_from(["a", "b"]), days=st.floats(0, 50), rate_per_day=money(currency))
    tasks = st.lists(task, min_size=1, max_size=2, unique_by=lambda one: one.name).map(tuple)
    return st.builds(Project, st.just("project"), tasks=tasks)


def simple_components(currency: str = "CNY") -> st.SearchStrategy[Component]:
    """Draw components that need no fleet."""
    ratio = st.floats(0.0, 1.0)
    amount, growth = money(currency), rates(-0.2, 0.5)
    return st.one_of(
        st.builds(Monthly, st.just("monthly"), amount=amount, growth_per_year=growth, hidden=st.booleans()),
        st.builds(OneOff, st.just("once"), amount=amount, month=st.integers(0, 1), hidden=st.booleans()),
        st.builds(Periodic, st.just("audit"), amount=amount, every_months=st.integers(1, 30), growth_per_year=growth),
        st.builds(Benefit, st.just("benefit"), per_month=amount, confidence=ratio),
        st.builds(
            HoursSaved, st.just("saved"), hours_per_month=amounts(0, 500), rate_per_hour=amount, confidence=ratio
        ),
        st.builds(
            ProductivityGain,
            st.just("metric"),
            before=st.floats(0.1, 1.0),
            after=st.floats(1.0, 2.0),
            base_per_month=amount,
            realised_share=ratio,
        ),
        st.builds(
            Labour,
            st.just("labour"),
            hours_per_month=amounts(0.0, 500.0),
            rate_per_hour=money(currency, 1_000.0),
            raise_per_year=growth,
        ),
        st.builds(ApiUsage, token_prices(currency, windows=True, graduated=True), cached_share=ratio),
        st.builds(Storage, gb=amounts(0, 1e4), price_per_gb=money(currency, 10.0)),
        st.builds(
            Subscription,
            st.just("seats"),
            seats=st.integers(0, 500),
            price_per_seat=money(currency, 5_000.0),
            per=st.sampled_from(["month", "year"]),
        ),
        st.builds(
            Waiting,
            rate_per_hour=money(currency, 1_000.0),
            people=amounts(0, 100),
            minutes_per_day=amounts(0, 60),
            days_per_month=amounts(0, 31),
        ),
        st.builds(Waiting, rate_per_hour=money(currency, 1_000.0), seconds_per_request=amounts(0, 60)),
        st.builds(ExpectedLoss, st.just("leak"), events_per_year=amounts(0, 5), loss_per_event=amount),
        st.builds(
            ExpectedLoss,
            st.just("outage"),
            events_per_year=amounts(0, 5),
            hours_per_event=amounts(0, 50),
            loss_per_hour=amount,
        ),
        _network(currency),
        _project(currency),
    )


def loans() -> st.SearchStrategy[Loan]:
    """Draw loans."""
    return st.builds(Loan, rate_per_year=st.floats(-0.05, 0.5), months=st.integers(1, 60), share=amounts(0.0, 1.0))


def leases() -> st.SearchStrategy[Lease]:
    """Draw leases at whose end the asset is bought, so that they fit a life of any length."""
    return st.builds(
        Lease,
        rate_per_year=st.floats(-0.05, 0.5),
        months=st.integers(1, 60),
        buyout_share=amounts(0.0, 1.0),
        when=st.sampled_from(["begin", "end"]),
        cancellable=st.booleans(),
    )


def taxes() -> st.SearchStrategy[Tax]:
    """Draw taxes, with every method of depreciation."""
    rate = st.floats(0.0, 1.0)
    years = st.integers(1, 10)
    methods = st.sampled_from(["straight_line", "sum_of_years_digits", "declining_balance"])
    return st.one_of(
        st.builds(Tax, rate=rate, depreciation=st.sampled_from(["book", "at_once"])),
        st.builds(Tax, rate=rate, depreciation=methods, life_years=years),
        st.builds(Tax, rate=rate, depreciation=st.just("macrs"), life_years=st.sampled_from([3, 5, 7, 10, 15, 20])),
    )


@st.composite
def fleet_components(draw: st.DrawFn, currency: str = "CNY", *, fixed: bool | None = None) -> Component:
    """Draw components that read a fleet."""
    fleet = draw(fleets(currency=currency, fixed=fixed, full=True))
    price = fleet.server.price
    salvage = None if price is None else Money(float(price.value) * draw(st.floats(0.0, 1.0)), currency)
    worth, residual = draw(
        st.tuples(st.sampled_from([None, salvage]), st.sampled_from(["none", "book", "salvage"])).filter(
            lambda drawn: drawn != (None, "salvage")
        )
    )
    purchase = st.builds(
        Purchase,
        st.just(fleet),
        life_years=st.integers(1, 72).map(lambda months: months / 12),
        salvage=st.just(worth),
        residual=st.just(residual),
        owned=st.integers(0, 2),
        lead_months=st.integers(1, 4),
    )
    component: Component = draw(
        st.one_of(
            purchase,
            st.builds(CapitalCharge, purchase, rate_per_year=st.floats(0.0, 0.3)),
            st.builds(Financed, purchase, loan=loans()),
            st.builds(Leased, purchase, lease=leases()),
            st.builds(
                ValueAddedTax,
                purchase,
                rate=st.floats(0, 0.3),
                included=st.booleans(),
                recoverable_share=st.floats(0, 1),
            ),
            powers(fleet, currency),
            st.builds(
                Hosting, st.just(fleet), rack_units=st.floats(1.0, 8.0), price_per_rack_unit=money(currency, 2_000.0)
            ),
            st.builds(
                Crew,
                st.just("crew"),
                fleet=st.just(fleet),
                servers_per_person=st.floats(0.5, 20.0),
                cost_per_month=money(currency, 1e5),
                raise_per_year=rates(-0.1, 0.2),
            ),
            st.builds(
                Rental,
                st.just(fleet),
                price_per_hour=money(currency, 100.0),
                reserved=st.integers(1, 3),
                reserved_price_per_hour=money(currency, 100.0),
                term_months=st.integers(1, 36),
                rework_share=st.floats(0.0, 0.5),
            ),
            st.builds(ExpansionDelay, st.just(fleet), months=st.floats(0, 6), loss_per_month=money(currency, 1e5)),
        )
    )
    return component


def components(currency: str = "CNY") -> st.SearchStrategy[Component]:
    """Draw single components of every kind, whose amounts are in one currency."""
    return st.one_of(simple_components(currency), fleet_components(currency))


@st.composite
def lines(draw: st.DrawFn, timeline: Timeline, unit: str = "CNY") -> Line:
    """Draw lines on a timeline, some of them written off over months."""
    size = timeline.size
    months = draw(st.integers(1, 24))
    spread = Recognition(weights=np.r_[0.0, np.full(months, 1.0 / months)])
    at_once = Recognition(weights=np.ones(1))
    return Line(
        path=(draw(st.sampled_from(["a", "b"])),),
        category=draw(st.sampled_from(["hardware", "power"])),
        unit=unit,
        amounts=np.array(draw(st.lists(amounts(-1e6, 1e6), min_size=size, max_size=size))),
        recognition=draw(st.sampled_from([spread, at_once])),
    )


@st.composite
def ledgers(draw: st.DrawFn, timeline: Timeline, unit: str = "CNY") -> Ledger:
    """Draw ledgers on a timeline, lines of equal names included."""
    return Ledger(timeline=timeline, lines=tuple(draw(st.lists(lines(timeline, unit), max_size=5))))
