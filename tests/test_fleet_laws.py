"""The laws of fleets, power and labour (38 to 44, 64 to 66c)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco.components.amounts import Monthly
from llm_tco.components.capital import Purchase
from llm_tco.components.labour import Labour
from llm_tco.components.power import Power
from llm_tco.components.router import Route, Router
from llm_tco.components.spill import SpillOver
from llm_tco.demand import Workload
from llm_tco.errors import InvalidValueError, SharedFleetError, UnknownRecordError
from llm_tco.loadshape import HourOfWeek
from llm_tco.serving.energy import PowerCap, Site
from llm_tco.serving.queueing import WaitTarget
from llm_tco.serving.reliability import Reliability
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

TIMELINE = Timeline(date(2026, 12, 1), 30)
CASES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parent / "reference" / "published_hardware_cases.json").read_text("utf-8"))
}


def whole(array):
    """Say whether an array holds whole numbers."""
    return np.array_equal(array, np.round(array))


@given(own.fleets(), own.workloads())
def test_replicas_and_servers_are_whole_and_installed_never_falls(fleet, workload):
    """Laws 64 and 66c: counts are whole, and what is owned stays."""
    plan = fleet.size(workload.on(TIMELINE))

    assert whole(plan.replicas)
    assert whole(plan.installed)
    assert whole(plan.active)
    assert (np.diff(plan.installed) >= 0).all()
    assert (plan.active <= plan.installed).all()


@given(own.fleets(fixed=False), own.workloads(max_requests=10_000_000))
def test_a_fleet_sized_by_itself_never_falls_short(fleet, workload):
    """Law 64: its replicas carry the peak at the planned utilisation, and none is too many."""
    demand = workload.on(TIMELINE)
    plan = fleet.size(demand)
    peak = plan.busy_hours / fleet.hours_per_month * demand.load.peak / fleet.planning_utilisation

    assert not plan.unserved.any()
    assert (plan.replicas >= peak * (1 - 1e-11))[1:].all()
    assert (plan.replicas < peak + 1)[1:].all()


@given(own.fleets(fixed=False), own.workloads(), st.floats(1.0, 10.0))
def test_a_fleet_grows_with_its_demand(fleet, workload, factor):
    """Law 64: more requests never need fewer servers."""
    demand = workload.on(TIMELINE)

    assert (fleet.size(demand.scaled(factor)).installed >= fleet.size(demand).installed).all()


@given(own.fleets(), own.workloads())
def test_utilisation_is_a_share_and_busy_hours_serve_the_tokens(fleet, workload):
    """Law 65: a replica is busy from 0 to all of its time, and its busy time carries the demand."""
    demand = workload.on(TIMELINE)
    plan = fleet.size(demand)
    lengths = demand.streams[0].lengths
    seconds = lengths.mean(fleet.throughput.busy_seconds(lengths.input_tokens, lengths.output_tokens))

    assert (plan.utilisation >= 0).all()
    assert (plan.utilisation <= 1 + 1e-9).all()
    served = demand.requests - plan.unserved
    assert np.allclose(plan.busy_hours * 3600, served * seconds, rtol=1e-9, atol=1e-9)


@given(own.fleets(fixed=False), own.workloads(), st.integers(0, 3))
def test_spares_cost_their_number_and_carry_nothing(fleet, workload, spares):
    """Law 66: k spares are k more servers, with the same busy hours and the same utilisation."""
    demand = workload.on(TIMELINE)
    bare, spared = (attrs.evolve(fleet, spares=count).size(demand) for count in (0, spares))

    assert np.array_equal(spared.installed, bare.installed + spares)
    assert np.array_equal(spared.busy_hours, bare.busy_hours)
    assert np.allclose(spared.utilisation, bare.utilisation)


@given(own.fleets(), own.workloads(), st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_one_fleet_behind_many_routes_costs_what_one_route_costs(fleet, workload, weights):
    """Law 66a: a router asks a component once, with the sum of its routes."""
    demand = workload.on(TIMELINE)
    local = Purchase(fleet, life_years=3) + Power(fleet, price_per_kwh="1 CNY", pue=1.2)
    shares = np.array(weights) / sum(weights)

    many = Router({str(place): Route(local, share=share) for place, share in enumerate(shares)}).cost(demand)
    one = Router({"all": Route(local, share=1.0)}).cost(demand)
    alone = local.cost(demand)

    assert np.allclose(many.amounts("CNY"), alone.amounts("CNY"), rtol=1e-9)
    assert np.array_equal(one.amounts("CNY"), alone.amounts("CNY"))
    assert np.allclose(many.unserved, alone.unserved, rtol=1e-6, atol=1e-6)


@given(own.fleets(), own.workloads(), st.floats(0.1, 0.9))
def test_one_fleet_with_different_demands_is_an_error(fleet, workload, share):
    """Law 66a: a fleet that two components share behind a router cannot be added up."""
    assume(workload.requests_per_month > 0)
    demand = workload.on(TIMELINE)
    router = Router(
        {
            "a": Route(Purchase(fleet, life_years=3), share=share),
            "b": Route(Power(fleet, price_per_kwh="1 CNY", pue=1.2), share=1 - share),
        }
    )

    with pytest.raises(SharedFleetError, match="'server' was given two different demands"):
        router.cost(demand)


@given(own.fleets(), own.workloads(), st.integers(1, 1_000_000), st.integers(1, 1_000_000), st.floats(0.0, 1.0))
def test_between_equal_steps_cost_is_affine_in_the_volume(fleet, workload, one, other, weight):
    """Law 66c: where no count and no flag changes, cost is a straight line."""
    low, high = sorted((one, other))
    middle = low + weight * (high - low)
    volumes = np.array([low, middle, high], dtype=float)
    demand = attrs.evolve(workload, requests_per_month=volumes).on(TIMELINE)
    component = Purchase(fleet, life_years=2) + Power(fleet, price_per_kwh="1 CNY", pue=1.2)

    ledger = component.cost(demand)

    same = all(
        np.array_equal(np.broadcast_to(s, (3, 31))[0], np.broadcast_to(s, (3, 31))[2]) for s in ledger.steps.values()
    )
    assume(same)
    cost = np.broadcast_to(ledger.amounts("CNY"), (3, TIMELINE.size))
    short = np.broadcast_to(ledger.unserved, (3, TIMELINE.size))
    for values in (cost, short):
        expected = values[0] + weight * (values[2] - values[0])
        assert np.allclose(values[1], expected, rtol=1e-7, atol=1e-6 * (1 + np.abs(values).max()))


@given(own.fleets(fixed=True), own.hourly_loads(), st.integers(1, 1_000_000))
def test_energy_and_what_is_left_equal_the_hourly_sum(fleet, loads, requests):
    """Law 66b: energy and unserved requests are those of an explicit loop over 168 hours."""
    workload = Workload(requests_per_month=requests, input_tokens=900, output_tokens=300, hourly_load=loads)
    timeline = Timeline(date(2026, 1, 1), 1)
    demand = workload.on(timeline)
    power = Power(fleet, price_per_kwh="1 CNY", pue=1.0)

    ledger = power.cost(demand)

    seconds = float(fleet.throughput.busy_seconds(np.array([900.0]), np.array([300.0]))[0])
    per_server = fleet.replicas_per_server
    replicas = np.floor((fleet.count - fleet.spares) * per_server * (1 + 1e-12))
    room = replicas * fleet.planning_utilisation
    idle, peak = power.watts
    kwh = left = 0.0
    for load in HourOfWeek(loads).loads:
        offered = requests / 730 * load * seconds / 3600
        carried = min(offered, room)
        kwh += (fleet.count * idle + (peak - idle) * carried / per_server) / 1000 * 730 / 168
        left += (offered - carried) * 3600 / seconds * 730 / 168
    assert np.isclose(ledger.amounts("kWh")[1], kwh, rtol=1e-9)
    assert np.isclose(ledger.unserved[1], left, rtol=1e-6, atol=1e-6 * requests)


@given(
    st.lists(own.fleets(fixed=True), min_size=2, max_size=3),
    own.hourly_loads(),
    st.integers(1, 3_000_000),
    st.floats(-0.5, 2.0),
    st.booleans(),
)
def test_fleets_of_several_types_equal_the_sum_over_the_hours(fleets, loads, requests, growth, cloud):
    """Law 66b: filled in their order, each type is busy, draws power and leaves over what an hourly loop says."""
    fleets = [attrs.evolve(fleet, name=f"type {place}") for place, fleet in enumerate(fleets)]
    timeline = Timeline(date(2026, 1, 1), 3)
    demand = Workload(
        requests_per_month=requests, input_tokens=900, output_tokens=300, hourly_load=loads, growth_per_year=growth
    ).on(timeline)
    powers = [Power(fleet, name=fleet.name, price_per_kwh="1 CNY", pue=1.0) for fleet in fleets]
    chain = Monthly("api", amount="1 CNY") if cloud else powers[-1]
    for fleet, power in zip(fleets[::-1][not cloud :], powers[::-1][not cloud :], strict=True):
        chain = SpillOver(fleet=fleet, local=Route(power), overflow=Route(chain))

    ledger = chain.cost(demand)

    for month in (1, 2, 3):
        kwh, left, busy_hours = 0.0, 0.0, [0.0] * len(fleets)
        for load in HourOfWeek(loads).loads:
            rest = requests * (1 + growth) ** ((month - 1) / 12) / 730 * load / 3600
            for place, (fleet, power) in enumerate(zip(fleets, powers, strict=True)):
                seconds = float(fleet.throughput.busy_seconds(np.array([900.0]), np.array([300.0]))[0])
                per_server, (idle, peak) = fleet.replicas_per_server, power.watts
                owned = np.floor((fleet.count - fleet.spares) * per_server * (1 + 1e-12))
                busy = min(rest * seconds, owned * fleet.planning_utilisation)
                rest -= busy / seconds
                busy_hours[place] += busy * 730 / 168
                kwh += (fleet.count * idle + (peak - idle) * busy / per_server) / 1000 * 730 / 168
            left += max(rest, 0.0) * 3600 * 730 / 168
        assert np.isclose(ledger.amounts("kWh")[month], kwh, rtol=1e-9)
        for fleet, hours in zip(fleets, busy_hours, strict=True):
            plan = fleet.size(ledger.loads[fleet].demand)
            assert np.isclose(plan.busy_hours[month], hours, rtol=1e-6, atol=1e-6 * sum(busy_hours))
            assert np.isclose(plan.utilisation[month] * plan.capacity_hours[month], plan.busy_hours[month])
        unserved = np.broadcast_to(ledger.unserved, timeline.size)[month]
        assert np.isclose(unserved, 0.0 if cloud else left, rtol=1e-6, atol=2e-6 * demand.requests.max())


@given(own.fleets(), own.workloads(), st.floats(1.0, 3.0), st.floats(0.01, 5.0))
def test_power_is_proportional_to_pue_and_price(fleet, workload, pue, price):
    """Laws 38 and 39: the overhead multiplies the energy once, and the price the money."""
    demand = workload.on(TIMELINE)
    bare = Power(fleet, price_per_kwh="1 CNY", pue=1).cost(demand)

    dear = Power(fleet, price_per_kwh=f"{price:.6f} CNY", pue=pue).cost(demand)

    assert np.allclose(dear.amounts("kWh"), bare.amounts("kWh") * pue, rtol=1e-12)
    assert np.allclose(dear.amounts("CNY"), bare.amounts("kWh") * pue * round(price, 6), rtol=1e-9)


@given(own.fleets(), own.workloads())
def test_energy_lies_between_idle_and_peak(fleet, workload):
    """Law 40: servers that are switched on draw at least their idle and at most their peak power."""
    demand = workload.on(TIMELINE)
    power = Power(fleet, price_per_kwh="1 CNY", pue=1)
    kwh = power.cost(demand).amounts("kWh")
    idle, peak = (watts * fleet.size(demand).active * 730 / 1000 for watts in power.watts)

    assert (kwh >= idle * (1 - 1e-12)).all()
    assert (kwh <= peak * (1 + 1e-9) + 1e-12)[1:].all()


@given(own.amounts(0, 500), own.money(max_value=1000), st.floats(0, 1), st.floats(0.0, 10.0), own.rates(-0.2, 0.5))
def test_labour_is_linear_and_rises_on_anniversaries_only(hours, rate, burden, factor, rise):
    """Laws 42 and 44: hours and rate multiply, the burden once, and a year has one pay."""
    demand = Workload(requests_per_month=1, input_tokens=1, output_tokens=1).on(TIMELINE)

    def pay(count):
        role = Labour("ops", hours_per_month=count, rate_per_hour=rate, burden=burden, raise_per_year=rise)
        return role.cost(demand).amounts("CNY")

    base = pay(hours)

    assert np.allclose(pay(hours * factor), base * factor, rtol=1e-12)
    assert np.isclose(base[1], hours * rate.value * (1 + burden), rtol=1e-12)
    assert len(set(base[1:13])) == 1
    assert np.allclose(base[13:25], base[1] * (1 + rise), rtol=1e-12)


def make_fleet(**changes):
    """Make a fleet of one-GPU servers that each carry 10 output tokens a second."""
    server = own.Server(
        key="box", name="Box", gpu="gpu", idle_w=100, peak_w=500, source=own.SOURCE,
        parts=(own.Part(name="all", price=own.Money.parse("1000 CNY")),),
    )  # fmt: skip
    rate = own.Throughput(gpu="gpu", model="m", quantisation="q", output_tokens_per_s=10, source=own.SOURCE)
    return own.Fleet(**{"server": server, "throughput": rate, **changes})


def workload(requests, **changes):
    """Make a workload of so many requests that each keep a replica busy for one second."""
    return Workload(**{"requests_per_month": requests, "input_tokens": 0, "output_tokens": 10, **changes})


def test_an_overloaded_fixed_fleet_says_when_and_how_much():
    """One server carries 2,628,000 seconds a month; what is above is unserved."""
    demand = workload(2_628_000 * 0.9, growth_per_year=0.44).on(Timeline(date(2026, 1, 1), 14))

    plan = make_fleet(count=1).size(demand)

    assert np.flatnonzero(plan.unserved).tolist() == [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert np.isclose(plan.unserved[13], 2_628_000 * (0.9 * 1.44 - 1))


def test_a_load_that_fits_exactly_needs_no_second_server():
    """Rounding errors buy no hardware."""
    for servers in (1, 3, 7):
        plan = make_fleet().size(workload(2_628_000 * servers).on(Timeline(date(2026, 1, 1), 1)))

        assert plan.installed.tolist() == [servers, servers]
        assert not make_fleet(count=servers).size(plan.demand).unserved.any()


def test_a_replica_may_span_servers():
    """A model on 16 GPUs takes two servers of eight."""
    server = attrs.evolve(make_fleet().server, gpus=8)
    rate = attrs.evolve(make_fleet().throughput, gpus=16)

    plan = make_fleet(server=server, throughput=rate).size(workload(2_628_001).on(Timeline(date(2026, 1, 1), 1)))

    assert plan.installed.tolist() == [4, 4]


def test_a_fleet_that_serves_several_models_is_sized_on_their_sum():
    """Two routes to one component, each with a throughput of its own, share its servers."""
    slow = attrs.evolve(make_fleet().throughput, model="big", output_tokens_per_s=5)
    fleet = make_fleet(throughput={"easy": make_fleet().throughput, "hard": slow})
    local = Purchase(fleet, life_years=3)
    demand = workload(2_628_000).on(Timeline(date(2026, 1, 1), 1))

    ledger = Router({"easy": Route(local, share=0.5), "hard": Route(local, share=0.5)}).cost(demand)

    assert ledger.amounts("CNY").tolist() == [2_000.0, 0.0]


def test_a_stream_without_a_throughput_is_an_error():
    """A fleet with a throughput for each route cannot guess one for a demand without routes."""
    fleet = make_fleet(throughput={"easy": make_fleet().throughput})

    with pytest.raises(UnknownRecordError, match="throughputs for easy"):
        fleet.size(workload(1).on(TIMELINE))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"count": 0}, "count: must be at least 1, got 0"),
        ({"count": 1.5}, "count: must be a whole number, got 1.5"),
        ({"count": 2, "spares": 2}, "spares: must be fewer than the count of 2, got 2"),
        ({"planning_utilisation": 0}, "planning_utilisation: must be more than 0, got 0"),
        ({"planning_utilisation": 110}, "planning_utilisation: must be at most 1, got 110"),
        ({"hours_per_month": 800}, "hours_per_month: must be at most 744, got 800"),
    ],
)
def test_a_wrong_fleet_is_refused(changes, problem):
    """Each wrong value is refused by name."""
    with pytest.raises(InvalidValueError) as error:
        make_fleet(**changes)

    assert problem == str(error.value)


def test_a_throughput_of_another_gpu_is_refused():
    """What was measured on one card says nothing of another."""
    other = attrs.evolve(make_fleet().throughput, gpu="h100")

    with pytest.raises(InvalidValueError, match="was measured on 'h100', but the server 'box' holds 'gpu'"):
        make_fleet(throughput=other)


@given(own.fleets(full=True), own.workloads(), st.floats(1.0, 10.0))
def test_a_fleet_with_every_field_keeps_the_laws(fleet, workload, factor):
    """Laws 64 to 66c: with waits, failures, sites and caps, counts are whole, and what is left over is said."""
    demand = workload.on(TIMELINE)
    plan, more = fleet.size(demand), fleet.size(demand.scaled(factor))

    for counts in (plan.replicas, plan.installed, plan.active, plan.carrying):
        assert whole(counts)
    assert (np.diff(plan.installed) >= 0).all()
    assert (more.installed >= plan.installed).all()
    assert (more.unserved >= plan.unserved * (1 - 1e-9)).all()
    assert (plan.carrying <= plan.active).all()
    assert (plan.utilisation <= 1 + 1e-9).all()
    assert (plan.peak_utilisation <= 1 + 1e-9).all()
    assert (plan.utilisation <= plan.peak_utilisation + 1e-9).all()
    assert fleet.limited or not plan.unserved.any()
    levels, shares = plan.busy_by_level, demand.load.shape.shares
    assert np.allclose((levels * shares).sum(axis=-1) * fleet.hours_per_month, plan.busy_server_hours, atol=1e-9)


@given(own.fleets(full=True), own.workloads())
def test_nobody_waits_longer_than_the_fleet_was_sized_for(fleet, workload):
    """Law 64: in the busiest hour the mean wait is within the target, at any spread of arrivals and answers."""
    wait = WaitTarget(max_wait_s=2.0, service_cv=1.5)
    plan = attrs.evolve(fleet, wait=wait, slots=4, count=None, site=None).size(workload.on(TIMELINE))

    assert (plan.peak_wait_s <= 2.0 * (1 + 1e-9)).all()
    assert not plan.unserved.any()


@given(own.fleets(fixed=True), own.workloads(), st.integers(1, 16))
def test_a_fixed_fleet_turns_away_what_would_wait_too_long(fleet, workload, slots):
    """Law 64: with a wait a fixed fleet carries at most what it carries without."""
    demand = workload.on(TIMELINE)
    patient = attrs.evolve(fleet, slots=slots).size(demand)
    strict = attrs.evolve(fleet, slots=slots, wait=WaitTarget(max_wait_s=0.5, percentile=0.95)).size(demand)

    assert (strict.unserved >= patient.unserved * (1 - 1e-9)).all()
    assert (strict.peak_utilisation < 1).all()
    assert np.array_equal(strict.installed, patient.installed)


def test_a_wait_takes_more_replicas_than_the_load():
    """One request a second takes one slot; that nine in ten wait no longer than a tenth of a second takes three."""
    plain, prompt = (
        make_fleet(slots=1, wait=wait).size(workload(2_628_000).on(Timeline(date(2026, 1, 1), 1)))
        for wait in (None, WaitTarget(max_wait_s=0.1, percentile=0.9))
    )

    assert plain.replicas[1] == 1
    assert prompt.replicas[1] == 3
    assert plain.peak_wait_s.tolist() == [0, np.inf]
    assert np.isclose(prompt.peak_wait_s[1], 1 / 22)  # C(3, 1) = 1/11, over two free slots


def test_spares_are_sized_for_an_availability():
    """Ten servers that are each up for 99 % of the time need two spares for 99.9 %: binomial sums 0.9948 and 0.9998."""
    down = Reliability(failures_per_year=1, repair_hours=8_760 / 99, availability=0.999, switch_over_s=60)
    plan = make_fleet(reliability=down, standby=1).size(workload(26_280_000).on(Timeline(date(2026, 1, 1), 1)))

    assert plan.active.tolist() == [0, 12]
    assert plan.carrying.tolist() == [0, 10]
    assert np.isclose(plan.failures[1], 1)
    assert np.isclose(plan.availability[1], 0.9998, atol=5e-5)
    assert np.isclose(plan.outage_minutes_per_year[1], 10 + (1 - plan.availability[1]) * 525_600)


def test_a_fleet_without_spares_is_out_while_one_is_repaired():
    """One server that fails once a year for a day, and loads its model in an hour, is out for 25 hours."""
    down = Reliability(failures_per_year=1, repair_hours=24, model_load_s=3_600)
    plan = make_fleet(reliability=down).size(workload(1).on(Timeline(date(2026, 1, 1), 1)))

    assert np.isclose(plan.outage_minutes_per_year[1], 25 * 60, rtol=0.01)


def test_what_the_power_of_a_site_does_not_feed_is_unserved_and_said():
    """A budget of 1.6 kW feeds three servers of 500 W; the fourth month needs four."""
    fleet = make_fleet(site=Site(power_budget_w=1_600, servers_per_rack=2))
    demand = workload(2_628_000 * 2.8, growth_per_year=0.44).on(Timeline(date(2026, 1, 1), 4))
    plan = fleet.size(demand)
    ledger = Power(fleet, price_per_kwh="1 CNY", pue=1.5).cost(demand)
    capped = attrs.evolve(fleet, power_cap=PowerCap(share_of_power=0.8, share_of_speed=1.0)).size(demand)

    assert plan.installed.tolist() == [3, 3, 3, 3, 3]
    assert plan.racks.tolist() == [2, 2, 2, 2, 2]
    assert np.flatnonzero(plan.unserved).tolist() == [4]
    assert np.isclose(plan.unserved[4], 2_628_000 * (2.8 * 1.44**0.25 - 3))
    assert [state.kind for state in ledger.states] == ["caution"]
    assert "the power budget feeds 3 servers, and the load needs 4" in next(iter(ledger.states)).note
    assert capped.active[4] == 4
    assert not capped.unserved.any()
    assert not capped.limits


@given(own.fleets(), own.workloads(), st.integers(1, 40), st.booleans())
def test_a_lead_time_brings_purchases_forward(fleet, workload, lead, owned):
    """Law 37: servers are bought that many months earlier, none is bought twice, and none comes late."""
    demand = workload.on(TIMELINE)
    usual, early = (
        Purchase(fleet, life_years=10, lead_months=months, owned=int(owned)).cost(demand).amounts("CNY")
        for months in (1, lead)
    )

    assert (np.cumsum(early) >= np.cumsum(usual) * (1 - 1e-12)).all()
    assert np.isclose(early.sum(), usual.sum())
    kept = max(TIMELINE.months - lead, 0)
    assert np.allclose(early[1 : 1 + kept], usual[lead : lead + kept])


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("pan_capacity")])
def test_published_capacities_of_a_month_come_out(name):
    """A server that runs for 176 hours a month carries the tokens of the published table."""
    case = CASES[name]
    rate = attrs.evolve(make_fleet().throughput, output_tokens_per_s=case["inputs"]["tokens_per_s"])
    fleet = make_fleet(throughput=rate, count=1, hours_per_month=case["inputs"]["hours_per_month"])
    demand = workload(1e9).on(Timeline(date(2026, 1, 1), 1))
    served = (demand.requests - fleet.size(demand).unserved)[1] * 10 / 1e6

    assert abs(served - case["expected"]["tokens_millions_per_month"]) <= case["tolerance"]["abs"]


def test_the_published_sizing_comes_out():
    """120,000 requests a day, a fifth of them in one hour, at 2.5 a second and two cards an instance."""
    case = CASES["nvidia_sizing"]
    inputs, expected = case["inputs"], case["expected"]
    server = attrs.evolve(make_fleet().server, gpus=inputs["gpus_per_server"])
    rate = attrs.evolve(
        make_fleet().throughput,
        gpus=inputs["gpus_per_instance"],
        output_tokens_per_s=None,
        requests_per_s=inputs["rps_per_instance"],
    )
    load = workload(inputs["requests_per_day"] * 365 / 12, peak_to_mean=inputs["peak_hour_share"] * 24)
    plan = make_fleet(server=server, throughput=rate).size(load.on(Timeline(date(2026, 1, 1), 1)))
    peak_rps = float((plan.offered * plan.demand.load.peak)[1]) * inputs["rps_per_instance"]

    assert abs(peak_rps - expected["peak_rps"]) <= case["tolerance"]["abs"]
    assert plan.replicas[1] == expected["instances"]
    assert plan.replicas[1] * inputs["gpus_per_instance"] == expected["gpus"]
    assert plan.installed[1] == expected["servers"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"wait": WaitTarget(max_wait_s=1)}, "slots: is missing in the fleet 'box': a wait depends on"),
        ({"wait": WaitTarget(max_wait_s=1), "slots": 1, "fractional": True}, "wait: needs whole replicas"),
        ({"count": 2, "spares": 1, "standby": 1}, "standby: must be fewer than the count of 2, got 1"),
        ({"slots": 0}, "slots: must be at least 1, got 0"),
        ({"standby": -1}, "standby: must be at least 0, got -1"),
        ({"reliability": 0.99}, "reliability: must be a Reliability, got 0.99"),
    ],
)
def test_wrong_plans_for_waits_and_failures_are_refused(changes, problem):
    """Each wrong value is refused by name."""
    with pytest.raises(InvalidValueError) as error:
        make_fleet(**changes)

    assert str(error.value).startswith(problem)


def test_a_power_budget_needs_the_watts_of_a_server():
    """Nobody knows how many servers of unknown power a site feeds, or what an empty site holds."""
    with pytest.raises(InvalidValueError, match=r"site\.power_budget_w: needs the peak_w of the server 'box'"):
        make_fleet(server=attrs.evolve(make_fleet().server, peak_w=None), site=Site(power_budget_w=1_000))
    with pytest.raises(InvalidValueError, match="servers_per_rack: and power_budget_w are both missing"):
        Site()


def cautions(rate, **load):
    """Give what a fleet says of a load that its throughput does not count."""
    fleet = make_fleet()
    fleet = attrs.evolve(fleet, throughput=attrs.evolve(fleet.throughput, **rate))
    costs = Purchase(fleet, life_years=3) + Power(fleet, price_per_kwh="1 CNY", pue=1)
    states = costs.cost(Workload(requests_per_month=1_000, **load).on(TIMELINE)).states
    return [state for state in states if "prompt" in state.note]


MEASURED = {"input_length": 500, "output_length": 2_000}


def test_prompts_longer_than_those_of_the_measurement_are_not_free_without_a_word():
    """16,000 prompt tokens on a record of 500: one caution for the fleet, which says what to state."""
    (caution,) = cautions(MEASURED, input_tokens=16_000, output_tokens=2_000)

    assert caution.kind == "caution"
    assert caution.path == ("box",)
    assert "was measured at 500 prompt tokens for 2,000 generated" in caution.note
    assert "State its input_tokens_per_s" in caution.note


@given(own.workloads(), st.floats(0.0, 5_000.0), st.floats(1.0, 5_000.0))
def test_a_caution_comes_with_prompts_more_than_a_tenth_longer(workload, prompt, answer):
    """Of all requests together, for each generated token."""
    demand = workload.on(TIMELINE)
    fleet = make_fleet(throughput=attrs.evolve(make_fleet().throughput, input_length=prompt, output_length=answer))
    asked, allowed = demand.input_tokens.sum() * answer, 1.1 * prompt * demand.output_tokens.sum()
    assume(asked == 0 or abs(asked - allowed) > 1e-9 * asked)

    assert bool(fleet.size(demand).cautions) == (asked > allowed)


@pytest.mark.parametrize(
    ("rate", "prompt", "answer", "said"),
    [
        (MEASURED, 550, 2_000, False),
        (MEASURED, 551, 2_000, True),
        (MEASURED | {"input_tokens_per_s": 5_000}, 16_000, 2_000, False),
        (MEASURED | {"total_tokens_per_s": 5_000}, 16_000, 2_000, False),
        ({"input_length": 0, "output_length": 1_024}, 1, 1_000, True),
        ({"input_length": 500}, 900, 1_000, False),
        ({}, 600, 300, False),
        ({}, 601, 300, True),
        ({"output_tokens_per_s": None, "requests_per_s": 5}, 9_000, 300, False),
        ({"output_tokens_per_s": None, "requests_per_s": 5, "input_length": 500}, 550, 10, False),
        ({"output_tokens_per_s": None, "requests_per_s": 5, "input_length": 500}, 551, 900, True),
    ],
)
def test_prompts_are_doubted_where_no_rate_counts_them(rate, prompt, answer, said):
    """A rate of prompts or of all tokens counts them; else the lengths of the measurement decide, or the answers."""
    assert bool(cautions(rate, input_tokens=prompt, output_tokens=answer)) == said


def test_only_the_model_with_long_prompts_is_doubted():
    """Of a fleet with two models each is held against the requests that it serves."""
    short = attrs.evolve(make_fleet().throughput, **MEASURED)
    long = attrs.evolve(short, model="long", input_length=8_000)
    fleet = make_fleet(throughput={"a": short, "b": long})
    both = Route(Purchase(fleet, life_years=3), share=0.5)

    states = Router({"a": both, "b": both}).cost(workload(1_000, input_tokens=40).on(TIMELINE)).states

    assert [state.note.split()[2] for state in states] == [short.title]


@pytest.mark.parametrize("name", ["peak_wait_s", "racks", "failures", "availability", "outage_minutes_per_year"])
def test_what_a_fleet_does_not_state_is_not_made_up(name):
    """A figure that needs slots, a site or failures asks for them."""
    plan = make_fleet().size(workload(1).on(TIMELINE))

    with pytest.raises(InvalidValueError, match="is missing in the (site of the )?fleet 'box'"):
        getattr(plan, name)
