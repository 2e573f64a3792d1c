"""The laws of electricity (38 to 41): states of a server, tariffs by hour and season, caps and carbon."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.catalog.tariffs import Band, Tariff
from llm_tco.components.power import Power
from llm_tco.demand import Workload
from llm_tco.errors import InvalidValueError
from llm_tco.loadshape import HourOfWeek
from llm_tco.serving.energy import PowerCap, PowerStates
from llm_tco.testing import laws
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

CASES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parent / "reference" / "published_hardware_cases.json").read_text("utf-8"))
}
WEEKS = own.hourly_loads().map(lambda loads: tuple(round(load, 6) for load in loads)).filter(any)
"""Weeks whose hours have a load that can be told from none."""
MONTH = Timeline(date(2026, 1, 1), 1)
SECONDS = 730 * 3600
"""Seconds of a month."""


def make_fleet(watts=(100, 500), gpus=1, **changes):
    """Make servers that each carry one request a second."""
    idle, peak = watts
    server = own.Server(key="box", name="Box", gpu="gpu", gpus=gpus, idle_w=idle, peak_w=peak, source=own.SOURCE)
    rate = own.Throughput(gpu="gpu", model="m", quantisation="q", gpus=gpus, requests_per_s=1, source=own.SOURCE)
    return own.Fleet(**{"server": server, "throughput": rate, **changes})


def at(requests, timeline=MONTH, **changes):
    """Make the demand of so many requests a month."""
    return Workload(**{"requests_per_month": requests, "input_tokens": 1, "output_tokens": 1, **changes}).on(timeline)


def kwh_of(power, demand):
    """Give the energy of month 1."""
    return float(power.cost(demand).amounts("kWh")[..., 1])


def flat(fleet, **changes):
    """Make electricity at one price without overhead."""
    return Power(fleet, **{"price_per_kwh": "1 CNY", "pue": 1, **changes})


def three_bands(**changes):
    """Make the tariff of the published case."""
    peak = {"name": "peak", "price_per_kwh": "1.17 CNY"}
    bands = (
        Band(name="valley", price_per_kwh="0.43 CNY", start="23:00", end="07:00"),
        Band(**peak, start="08:30", end="11:30"),
        Band(**peak, start="16:00", end="21:00"),
    )
    fields = {"key": "t", "name": "T", "price_per_kwh": "0.80 CNY", "timezone": "Asia/Shanghai", "bands": bands}
    return Tariff(**{**fields, "source": own.SOURCE, **changes})


def empty_queue(slots, used):
    """Give the probability of an empty M/M/c queue from its definition."""
    if used >= 1:
        return 0.0
    load = slots * used
    terms = sum(load**k / math.factorial(k) for k in range(slots))
    return 1 / (terms + load**slots / math.factorial(slots) / (1 - used))


@given(
    WEEKS,
    st.integers(1, 5),
    st.floats(0.01, 3.0),
    st.floats(0.0, 1.0),
    st.sampled_from([None, 1, 2, 7, 30]),
    st.sampled_from([None, (20.0, 10.0), (0.0, 0.0)]),
)
def test_energy_is_the_sum_over_the_hours(loads, count, volume, lift, slots, sleep):
    """Law 66b: with any states of a server, energy over the curve equals a loop over 168 hours."""
    idle, peak = 100.0, 500.0
    loaded = idle + lift * (peak - idle)
    asleep = {} if sleep is None else {"sleep_w": sleep[0], "sleep_after_minutes": sleep[1]}
    power = flat(make_fleet(count=count, slots=slots), loaded_w=loaded, **asleep)

    expected = 0.0
    for load in HourOfWeek(loads).loads:
        used = min(volume * load, count) / count
        still = float(used <= 0) if slots is None else empty_queue(slots, used)
        watts = idle * still + loaded * (1 - still) + (peak - loaded) * used
        if sleep is not None:
            watts -= (idle - sleep[0]) * still * math.exp(-used * 60 * sleep[1])
        expected += count * watts / 1000 * 730 / 168

    assert np.isclose(kwh_of(power, at(volume * SECONDS, hourly_load=loads)), expected, rtol=1e-9)


@given(WEEKS, st.integers(1, 4), st.floats(0.01, 3.0), st.booleans(), st.integers(1, 12))
def test_money_is_the_sum_over_the_minutes(loads, count, volume, curved, month):
    """Law 41: with bands by hour and season, money equals a loop over the minutes of the week."""
    winter = Band(name="winter", price_per_kwh="2 CNY", start="21:15", end="22:00", months=(12, 1, 2))
    tariff = three_bands(bands=(*three_bands().bands, winter))
    power = Power(make_fleet(count=count), tariff=tariff, pue=1.3, loaded_w=300 if curved else None)
    demand = at(volume * SECONDS, Timeline(date(2026, month, 1), 1), hourly_load=loads)

    expected = 0.0
    for hour, load in enumerate(HourOfWeek(loads).loads):
        used = min(volume * load, count)
        watts = 300 * count + 200 * used if curved and used else 100 * count + (0 if curved else 400 * used)
        for minute in range(hour % 24 * 60, hour % 24 * 60 + 60):
            price = 0.8
            price = 0.43 if minute >= 23 * 60 or minute < 7 * 60 else price
            price = 1.17 if 510 <= minute < 690 or 960 <= minute < 1260 else price
            price = 2.0 if 1275 <= minute < 1320 and month in (12, 1, 2) else price
            expected += 1.3 * watts / 1000 * 730 / 168 / 60 * price

    assert np.isclose(power.cost(demand).amounts("CNY")[1], expected, rtol=1e-9)


@given(own.fleets(full=True), own.workloads(), st.data())
def test_a_blended_price_lies_between_those_of_its_bands(fleet, workload, data):
    """Law 41: no hour costs less than the cheapest band, or more than the dearest."""
    tariff = attrs.evolve(data.draw(own.tariffs()), demand_charge_per_kw_month=None)
    ledger = Power(fleet, tariff=tariff, pue=1.2).cost(workload.on(Timeline(date(2026, 12, 1), 14)))
    kwh, paid = ledger.amounts("kWh"), ledger.amounts("CNY")
    prices = [price.value for price in tariff.prices]

    assert (paid >= kwh * min(prices) - 1e-9 * (1 + kwh)).all()
    assert (paid <= kwh * max(prices) * (1 + 1e-9) + 1e-9).all()


@given(own.fleets(full=True), own.workloads(), st.data(), st.floats(1.0, 3.0), st.floats(0.1, 10.0))
def test_overhead_prices_watts_and_carbon_multiply(fleet, workload, data, pue, factor):
    """Laws 38, 39 and 41: PUE multiplies everything once, watts scale the energy, prices the money, intensities CO2."""
    demand = workload.on(Timeline(date(2026, 12, 1), 3))
    power = attrs.evolve(data.draw(own.powers(fleet)), pue=1.0)
    base, dear = power.cost(demand), attrs.evolve(power, pue=pue).cost(demand)

    for unit in base.units:
        assert np.allclose(dear.amounts(unit), base.amounts(unit) * pue, rtol=1e-9)

    scaled = {
        name: getattr(power, name) * factor for name in ("loaded_w", "sleep_w") if getattr(power, name) is not None
    }
    server = fleet.server
    hot = attrs.evolve(power, idle_w=server.idle_w * factor, peak_w=server.peak_w * factor * (1 + 1e-12), **scaled)
    assert np.allclose(hot.cost(demand).amounts("kWh"), base.amounts("kWh") * factor, rtol=1e-9)

    plain = attrs.evolve(power, tariff=None, price_per_kwh="1 CNY", carbon_kg_per_kwh=0.5)
    clean = attrs.evolve(plain, carbon_kg_per_kwh=0.5 * factor, price_per_kwh=own.Money(factor, "CNY"))
    assert np.allclose(clean.cost(demand).amounts("kg CO2"), plain.cost(demand).amounts("kg CO2") * factor, rtol=1e-9)
    assert np.allclose(clean.cost(demand).amounts("CNY"), plain.cost(demand).amounts("CNY") * factor, rtol=1e-9)


@given(own.workloads(), st.integers(1, 5), st.sampled_from([None, 1, 8]), st.booleans(), st.floats(1.0, 5.0))
def test_more_load_draws_more_between_rest_and_peak(workload, count, slots, sleeps, factor):
    """Law 40: power rises with the load, and lies between that of a resting server and the peak."""
    asleep = {"sleep_w": 10, "sleep_after_minutes": 15} if sleeps else {}
    power = flat(make_fleet(count=count, slots=slots), loaded_w=350, **asleep)
    demand = workload.on(Timeline(date(2026, 12, 1), 30))
    low, high = (power.cost(one).amounts("kWh")[1:] for one in (demand, demand.scaled(factor)))
    hours = count * 730 / 1000

    assert (high >= low * (1 - 1e-9)).all()
    assert (low >= (10 if sleeps else 100) * hours * (1 - 1e-9)).all()
    assert (high <= 500 * hours * (1 + 1e-9)).all()


@given(own.fleets(), own.workloads())
def test_without_a_loaded_power_the_line_runs_from_idle_to_peak(fleet, workload):
    """Law 40: the default is the straight line, and so is a server that serves one request at a time."""
    single = {name: attrs.evolve(getattr(fleet, name), gpus=1) for name in ("server", "throughput")}
    one = attrs.evolve(fleet, slots=1, **single)
    demand = workload.on(Timeline(date(2026, 12, 1), 5))
    idle, peak = fleet.server.idle_w, fleet.server.peak_w

    for power in (flat(fleet), flat(one, loaded_w=(idle + peak) / 2)):
        ledger, plan = power.cost(demand), power.fleet.size(demand)
        straight = (idle * plan.active * 730 + (peak - idle) * plan.busy_server_hours) / 1000

        assert np.allclose(ledger.amounts("kWh"), straight, rtol=1e-12)
        assert not ledger.smooth


@given(st.data(), own.fleets(full=True), laws.demands())
def test_electricity_keeps_the_laws_of_components(data, fleet, demand):
    """Law 66c: between equal steps cost is affine in the volume, or the ledger says that it is smooth."""
    laws.component(data.draw(own.powers(fleet)), demand)


@given(WEEKS, st.floats(0.1, 2.0))
def test_draws_give_what_each_gives_alone(loads, volume):
    """Law 73: a row of a batch of watts, prices and overheads is the scalar run."""
    watts, prices, pues = np.array([310.0, 400.0]), np.array([0.5, 0.9]), np.array([1.1, 1.6])
    night = Band(name="night", price_per_kwh=own.Money(prices / 2, "CNY"), start="22:00", end="06:00")
    fleet, demand = make_fleet(count=2, slots=8), at(volume * SECONDS, hourly_load=loads)

    def cost(loaded, price, pue, band):
        tariff = three_bands(price_per_kwh=own.Money(price, "CNY"), bands=(band,), carbon_kg_per_kwh=0.5)
        return Power(fleet, tariff=tariff, pue=pue, loaded_w=loaded, sleep_w=5, sleep_after_minutes=10).cost(demand)

    batch = cost(watts, prices, pues, night)
    for row in (0, 1):
        band = attrs.evolve(night, price_per_kwh=own.Money(prices[row] / 2, "CNY"))
        alone = cost(watts[row], prices[row], pues[row], band)
        for unit in alone.units:
            assert np.array_equal(batch.amounts(unit)[row], alone.amounts(unit))


@given(own.workloads(), st.floats(0.0, 5.0))
def test_the_slices_of_a_cut_have_the_loads_of_the_whole(workload, level):
    """Law 66b: in every hour what lies below a level and what lies above are the whole load."""
    demand = workload.on(MONTH)
    parts = demand.cut(np.full(MONTH.size, level))
    shares = demand.load.shape.shares

    hourly = [part.requests[..., None] * part.load.levels for part in parts]
    assert np.allclose(sum(hourly), demand.requests[..., None] * demand.load.levels, rtol=1e-9)
    for part, loads in zip(parts, hourly, strict=True):
        assert np.allclose((loads * shares).sum(axis=-1), part.requests, rtol=1e-9)
        assert np.allclose(
            part.load.levels.max(axis=-1)[..., 1:] * part.requests[1:], (part.load.peak * part.requests)[1:]
        )


def test_a_charge_for_the_highest_power_counts_the_busiest_hour():
    """Law 39: two servers at 4 requests in the busiest hour draw their peak, overhead included."""
    week = [0.0] * 167 + [1.0]
    tariff = three_bands(demand_charge_per_kw_month="40 CNY", bands=())
    demand = at(2 * SECONDS / 168, hourly_load=week)

    for loaded in (None, 300):
        ledger = Power(make_fleet(count=2), tariff=tariff, pue=1.5, loaded_w=loaded).cost(demand)
        charge = ledger.where(lambda line: line.name == "power.demand charge").amounts("CNY")

        assert np.allclose(charge, [0, 2 * 0.5 * 1.5 * 40])


def test_a_tariff_with_carbon_gives_kilograms():
    """Law 41: each band has its own intensity, and the tariff's where it states none."""
    valley = attrs.evolve(three_bands().bands[0], carbon_kg_per_kwh=0.3)
    tariff = three_bands(carbon_kg_per_kwh=0.6, bands=(valley,))
    ledger = Power(make_fleet(count=1), tariff=tariff, pue=1).cost(at(0))

    assert np.isclose(ledger.amounts("kg CO2")[1], 73 * (8 * 0.3 + 16 * 0.6) / 24)


def test_the_hours_of_the_load_may_be_told_by_another_clock():
    """Eleven at night in Tokyo is ten in Shanghai, where the cheap hours have not begun."""
    week = [float(hour % 24 == 23) for hour in range(168)]
    power = Power(make_fleet((0, 500), count=1), tariff=three_bands(), pue=1)

    def per_kwh(timezone):
        ledger = power.cost(at(SECONDS / 48, hourly_load=week, timezone=timezone))
        return float(ledger.amounts("CNY")[1] / ledger.amounts("kWh")[1])

    assert np.isclose(per_kwh(None), 0.43)
    assert np.isclose(per_kwh("Asia/Shanghai"), 0.43)
    assert np.isclose(per_kwh("Asia/Tokyo"), 0.80)
    assert np.isclose(per_kwh("Asia/Kolkata"), 0.43)


def test_clocks_that_change_follow_the_month():
    """New York is five hours behind UTC in January and four in July."""
    week = [float(hour % 24 == 12) for hour in range(168)]
    noon = Band(name="noon", price_per_kwh="9 USD", start="07:00", end="08:00")
    tariff = three_bands(price_per_kwh="1 USD", timezone="America/New_York", bands=(noon,))
    power = Power(make_fleet((0, 500), count=1), tariff=tariff, pue=1)
    ledger = power.cost(at(SECONDS / 48, Timeline(date(2026, 1, 1), 12), hourly_load=week, timezone="UTC"))

    price = ledger.amounts("USD")[1:] / ledger.amounts("kWh")[1:]
    assert np.allclose(price[[0, 1, 10, 11]], 9)
    assert np.allclose(price[3:9], 1)


def test_what_is_not_known_of_the_hours_is_said():
    """A peak without hours is spread evenly over the bands, and the ledger says that it is an estimate."""
    power = Power(make_fleet(count=1), tariff=three_bands(), pue=1)
    known, unknown = (power.cost(at(SECONDS / 2, **shape)) for shape in ({}, {"peak_to_mean": 2}))
    office = Power(make_fleet(count=1, hours_per_month=200), tariff=three_bands(), pue=1).cost(at(1))
    loaded = flat(make_fleet(count=1), loaded_w=300).cost(at(1))

    assert not known.states
    assert [state.kind for state in unknown.states] == ["estimate"]
    assert "give hourly_load" in next(iter(unknown.states)).note
    assert "which hours the servers are off" in next(iter(office.states)).note
    assert "give the fleet's slots" in next(iter(loaded.states)).note
    assert np.isclose(unknown.amounts("CNY")[1], unknown.amounts("kWh")[1] * 0.8)


def test_a_power_cap_costs_speed_and_saves_watts():
    """Servers at 80 % of the power and 90 % of the speed are busy longer and draw less."""
    fleet = make_fleet(count=1, power_cap=PowerCap(share_of_power=0.8, share_of_speed=0.9))
    plan = fleet.size(at(SECONDS * 0.45))

    assert np.isclose(plan.utilisation[1], 0.5)
    assert flat(fleet).watts == (100, 400)
    assert np.isclose(kwh_of(flat(fleet), plan.demand), 0.25 * 730)
    assert flat(fleet, loaded_w=450).states.loaded_w == 400


def test_the_power_of_accelerators_becomes_that_of_the_wall():
    """Eight cards of 700 W with an all-in factor of 1.9 make a server of 10.6 kW."""
    server = attrs.evolve(make_fleet(gpus=8).server, peak_w=None)
    power = flat(make_fleet(gpus=8, server=server), tdp_w=700, wall_factor=1.9)

    assert power.watts == (100, 8 * 700 * 1.9)


def test_hot_standby_stays_awake_and_spares_sleep():
    """A server that must take over in seconds draws its idle power; a cold spare sleeps."""
    asleep = {"sleep_w": 10, "sleep_after_minutes": 5}

    assert np.isclose(kwh_of(flat(make_fleet(spares=2), **asleep), at(SECONDS)), (500 + 20) * 0.73)
    assert np.isclose(kwh_of(flat(make_fleet(standby=2), **asleep), at(SECONDS)), (500 + 200) * 0.73)


def test_a_server_that_nobody_asks_sleeps():
    """Without requests all servers draw the power of sleep, whatever the minutes."""
    power = flat(make_fleet(count=3), sleep_w=10, sleep_after_minutes=60)

    assert np.isclose(kwh_of(power, at(0)), 3 * 10 * 0.73)


def test_a_loaded_power_of_the_server_is_used():
    """A record that states a measured line needs no further figure."""
    fleet = make_fleet(count=1)
    measured = attrs.evolve(fleet, server=attrs.evolve(fleet.server, loaded_w=300))

    assert np.isclose(kwh_of(flat(measured), at(SECONDS * 0.5)), 0.4 * 730)
    assert np.isclose(kwh_of(flat(fleet), at(SECONDS * 0.5)), 0.3 * 730)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"loaded_w": 90}, "loaded_w: must lie from idle, 100.0 W, to the peak, 500.0 W, got 90.0"),
        ({"loaded_w": 501}, "loaded_w: must lie from idle, 100.0 W, to the peak, 500.0 W, got 501.0"),
        ({"sleep_w": 5}, "sleep_w: and sleep_after_minutes are stated together or not at all"),
        ({"sleep_w": 101, "sleep_after_minutes": 1}, "sleep_w: must be at most the idle power of 100.0 W, got 101.0"),
        ({"tdp_w": 700}, "tdp_w: and wall_factor are stated together or not at all"),
        ({"tdp_w": 700, "wall_factor": 0.9}, "wall_factor: must be at least 1, got 0.9"),
        ({"tdp_w": 700, "wall_factor": 1.9, "peak_w": 1}, "peak_w: must stand alone, without tdp_w and wall_factor"),
        ({"carbon_kg_per_kwh": -1}, "carbon_kg_per_kwh: must be at least 0, got -1"),
    ],
)
def test_wrong_electricity_is_refused(changes, problem):
    """Each wrong value is refused by name."""
    with pytest.raises(InvalidValueError) as error:
        flat(make_fleet(), **changes)

    assert str(error.value).startswith(problem)


def test_carbon_that_a_tariff_states_is_not_stated_again():
    """One intensity has one place."""
    with pytest.raises(InvalidValueError, match="carbon_kg_per_kwh: is stated by the tariff 't' already"):
        Power(make_fleet(), tariff=three_bands(carbon_kg_per_kwh=0.5), pue=1, carbon_kg_per_kwh=0.5)


def close(case, name, value):
    """Say whether a figure is the published one within its tolerance."""
    expected, tolerance = case["expected"][name], case["tolerance"]
    return abs(value - expected) <= tolerance.get("abs", 0) + tolerance.get("rel", 0) * abs(expected)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("mlenergy_llama")])
def test_joules_per_token_of_a_busy_card_are_those_measured(name):
    """A card that draws the measured watts at the measured rate needs the published energy for a token."""
    case = CASES[name]
    watts, rate = case["inputs"]["watts"], case["inputs"]["tokens_per_s"]
    throughput = attrs.evolve(make_fleet().throughput, requests_per_s=None, output_tokens_per_s=rate)
    fleet = make_fleet((70, watts), throughput=throughput, count=1)
    demand = at(rate * SECONDS / 100, output_tokens=100)

    joules = kwh_of(flat(fleet), demand) * 3.6e6 / float(demand.output_tokens[1])

    assert not fleet.size(demand).unserved.any()
    assert close(case, "joules_per_token", joules)


def test_the_power_of_a_lightly_loaded_card_is_near_the_measured_one():
    """On the published line 0.578 + 0.280 u a light load draws 426 W of the measured 486 W; a line from idle 139 W."""
    case = CASES["mlenergy_power_curve_h100_8b_low_load"]
    used = case["inputs"]["tokens_per_s"] / case["inputs"]["max_tokens_per_s"]
    tdp = case["inputs"]["tdp_w"]
    line = {"idle_w": case["inputs"]["idle_w"], "loaded_w": 0.578 * tdp, "peak_w": (0.578 + 0.280) * tdp}

    watts = kwh_of(flat(make_fleet(count=1), **line), at(used * SECONDS)) / 730 * 1000
    states = PowerStates(**line, slots=512).watts(np.full((1, 1), used), np.ones((1, 1)))

    assert close(case, "watts", watts)
    assert np.isclose(states[0, 0], watts)
    assert not close(case, "watts", 70 + (tdp - 70) * used)


def test_published_sums_of_money_come_out():
    """A node of eight cards costs what its guide says in an hour, and what its inputs give in a year."""
    guide, node = CASES["power_formula_8xH100"], CASES["annual_power_cost_8xH100_node"]
    inputs = guide["inputs"]
    peak = (inputs["n_gpus"] * inputs["tdp_kw"] + inputs["server_overhead_kw"]) * 1000
    hour = Power(make_fleet((0, peak), count=1), price_per_kwh="0.1 USD", pue=inputs["pue"])
    year = Power(make_fleet((0, node["inputs"]["it_kw"] * 1000), count=1), price_per_kwh="0.12 USD", pue=1.54)
    full = at(SECONDS, Timeline(date(2026, 1, 1), 12))

    assert close(guide, "usd_per_h", hour.cost(full).amounts("USD")[1] / 730)
    assert close(node, "usd_per_year", year.cost(full).amounts("USD").sum())


def test_a_constant_load_pays_the_mean_of_the_published_three_bands():
    """Eight hours of each band at 0.43, 0.80 and 1.17 CNY make 0.80 CNY; office hours pay more."""
    case = CASES["tou_china_three_band"]
    office = [float(9 <= hour % 24 < 18 and hour < 120) for hour in range(168)]
    power = Power(make_fleet((0, 500), count=4), tariff=three_bands(), pue=1.2)
    steady, busy = (power.cost(at(SECONDS, **shape)) for shape in ({}, {"hourly_load": office}))

    assert close(case, "mean_cny_per_kwh", steady.amounts("CNY")[1] / steady.amounts("kWh")[1])
    assert busy.amounts("CNY")[1] / busy.amounts("kWh")[1] > 0.95
