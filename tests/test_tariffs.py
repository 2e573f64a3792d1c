"""Tariffs: bands by hour and season, refused where they overlap or nobody could tell what they mean."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.reading import read_toml, records_of
from llm_tco.catalog.tariffs import Band, Tariff
from llm_tco.components.kinds import llm_tco_components
from llm_tco.errors import InvalidValueError
from llm_tco.scenario import read_scenario
from llm_tco.schema import scenario_schema
from llm_tco.testing import records
from llm_tco.testing.strategies import SOURCE
from llm_tco.timeline import Timeline

TEXT = """
[sources.grid]
title = "A grid's table"
checked = 2026-11-23

[[tariffs]]
key = "city"
name = "A city"
price_per_kwh = "0.80 CNY"
timezone = "Asia/Shanghai"
demand_charge_per_kw_month = "40 CNY"
source = "grid"

[[tariffs.bands]]
name = "valley"
price_per_kwh = "0.43 CNY"
start = "23:00"
end = "07:00"

[[tariffs.bands]]
name = "critical"
price_per_kwh = "1.40 CNY"
start = "11:00"
end = "12:00"
days = ["mon", "tue", "wed", "thu", "fri"]
months = [7, 8, 9]
"""


def band(**changes):
    """Make a band of the night."""
    return Band(**{"name": "valley", "price_per_kwh": "0.43 CNY", "start": "23:00", "end": "07:00", **changes})


def tariff(*bands, **changes):
    """Make a tariff with bands."""
    fields = {"key": "t", "name": "T", "price_per_kwh": "0.80 CNY", "timezone": "Asia/Shanghai", "source": SOURCE}
    return Tariff(**{**fields, "bands": bands, **changes})


def hours_of_july(one, zone=None):
    """Give the hours of a week of July that each band holds."""
    return one.by_month(Timeline(date(2026, 7, 1), 1), zone)[:, 1].sum(axis=-1)


@given(records.tariffs(), st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.sampled_from([None, "UTC", "Asia/Kolkata"]))
def test_each_hour_lies_in_its_bands_wholly(one, start, zone):
    """In every month the shares of an hour of the week sum to 1, by any clock."""
    shares = one.by_month(Timeline(start, 14), zone)

    assert shares.shape == (1 + len(one.bands), 15, 168)
    assert (shares >= 0).all()
    assert np.allclose(shares.sum(axis=0), 1.0)


@given(records.tariffs(), st.dates(date(2000, 1, 1), date(2040, 1, 1)))
def test_a_band_holds_in_its_months_only(one, start):
    """A band of some months has no hour in the others, and the same hours in each of its own."""
    timeline = Timeline(start, 12)
    shares = one.by_month(timeline)

    for each, hours in zip(one.bands, shares[1:], strict=True):
        inside = np.array([timeline.month_start(month).month in each.months for month in range(timeline.size)])
        assert (hours[~inside] == 0).all()
        assert (hours[inside] == hours[inside][:1]).all()


def test_a_tariff_is_read_from_a_file():
    """A provider of data states bands as tables; what is left out is every day, every month, all day."""
    document = read_toml(TEXT)
    (one,) = records_of(document, Tariff, table="tariffs", title="city.toml")
    valley, critical = one.bands

    assert str(one.demand_charge_per_kw_month) == "40 CNY"
    assert len(valley.days) == 7
    assert len(valley.months) == 12
    assert critical.months == (7, 8, 9)
    assert [str(price) for price in one.prices] == ["0.80 CNY", "0.43 CNY", "1.40 CNY"]
    assert one.carbon is None


def test_a_night_runs_past_midnight_and_past_sunday():
    """From eleven to seven are eight hours of every day; a band that begins on Sunday ends on Monday."""
    sunday = tariff(band(days=("sun",))).hours(np.array([1]), np.array([0]))[1, 0]

    assert hours_of_july(tariff(band())).tolist() == [112, 56]
    assert np.flatnonzero(sunday).tolist() == [0, 1, 2, 3, 4, 5, 6, 167]


def test_half_hours_count_by_half():
    """A band from half past eight has half of that hour."""
    shares = tariff(band(start="08:30", end="11:30", days=("mon",))).hours(np.array([1]), np.array([0]))[1, 0]

    assert shares[8:12].tolist() == [0.5, 1, 1, 0.5]
    assert shares.sum() == 3


def test_a_season_without_hours_holds_all_day():
    """A band that names months alone holds for the whole of them."""
    assert hours_of_july(tariff(band(start="00:00", end="24:00", months=(7,)))).tolist() == [0, 168]
    assert hours_of_july(tariff(Band(name="summer", price_per_kwh="1 CNY", months=[6]))).tolist() == [168, 0]


def test_a_clock_that_is_half_an_hour_off_shifts_the_hours_by_half():
    """An hour of Kolkata's clock lies half in the band that begins on the hour in Shanghai."""
    shares = tariff(band(start="12:00", end="13:00")).by_month(Timeline(date(2026, 7, 1), 1), "Asia/Kolkata")

    assert shares[1, 1, :24].nonzero()[0].tolist() == [9, 10]
    assert shares[1, 1, 9:11].tolist() == [0.5, 0.5]


def test_a_carbon_intensity_falls_back_to_that_of_the_tariff():
    """A band that states none emits what the rest does."""
    one = tariff(band(), band(start="12:00", end="13:00", carbon_kg_per_kwh=0.2), carbon_kg_per_kwh=0.6)

    assert one.carbon == (0.6, 0.6, 0.2)


@pytest.mark.parametrize(
    ("bands", "changes", "problem"),
    [
        ([band()], {"timezone": None}, "timezone: is missing; bands hold by the clock of a place"),
        ([band()], {"timezone": "Mars"}, "timezone: must be the name of a time zone"),
        (
            [band(), band(name="peak", start="06:30", end="08:00")],
            {},
            "bands[1]: must not overlap, but valley from 23:00 to 07:00 and peak from 06:30 to 08:00 both hold on mon "
            "06:30 in month 1",
        ),
        ([band(price_per_kwh="1 USD")], {}, "bands[0].price_per_kwh: must be in CNY as the price is, got 1 USD"),
        ([], {"demand_charge_per_kw_month": "9 USD"}, "demand_charge_per_kw_month: must be in CNY as the price is"),
        ([], {"demand_charge_per_kw_month": "-9 CNY"}, "demand_charge_per_kw_month: must be at least 0, got -9"),
        ([band(carbon_kg_per_kwh=0.5)], {}, "carbon_kg_per_kwh: is missing; a band states it"),
    ],
)
def test_a_wrong_tariff_is_refused(bands, changes, problem):
    """Each wrong value is refused by name."""
    with pytest.raises(InvalidValueError) as error:
        tariff(*bands, **changes)

    assert str(error.value).startswith(problem)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"months": []}, "months: must list months of the calendar from 1 to 12, got []"),
        ({"months": [0]}, "months: must list months of the calendar from 1 to 12, got [0]"),
        ({"months": [True]}, "months: must list months of the calendar from 1 to 12, got [True]"),
        ({"months": [7, 7]}, "months: must name each month once, got [7, 7]"),
        ({"months": 7}, "months: must list months of the calendar from 1 to 12, got 7"),
        ({"days": ["monday"]}, "days: must be days among mon, tue"),
        ({"start": "24:00"}, "start: must be a time of day such as '08:30', got '24:00'"),
        ({"end": "7"}, "end: must be a time of day such as '08:30', got '7'"),
        ({"name": " "}, "name: must be a text, got ' '"),
    ],
)
def test_a_wrong_band_is_refused(changes, problem):
    """Each wrong value is refused by name."""
    with pytest.raises(InvalidValueError) as error:
        band(**changes)

    assert str(error.value).startswith(problem)


def test_bands_of_different_months_may_share_hours():
    """A summer price and a winter price of the same hours do not overlap."""
    one = tariff(band(months=(1, 2)), band(months=(7, 8), price_per_kwh="0.30 CNY"))

    assert hours_of_july(one).tolist() == [112, 0, 56]


def test_a_scenario_states_tariffs_sites_and_waits():
    """Everything of a fleet and of its electricity can stand in a file."""
    text = """
    currency = "CNY"
    start = 2026-12-01
    months = 12
    workload = { requests_per_month = 100_000, input_tokens = 500, output_tokens = 300 }

    [fleets.box]
    server = "node"
    throughput = "measured"
    slots = 16
    wait = { max_wait_s = 1, percentile = 0.95, service_cv = 1.5 }
    standby = 1
    reliability = { failures_per_year = 0.5, repair_hours = 48, switch_over_s = 30, availability = 0.99 }
    site = { servers_per_rack = 4, power_budget_w = 4_000 }
    power_cap = { share_of_power = 0.8, share_of_speed = 0.95 }

    [servers.node]
    gpu = "card"
    idle_w = 100
    loaded_w = 200
    peak_w = 400
    source = { title = "x", checked = 2026-01-01 }

    [throughputs.measured]
    gpu = "card"
    model = "m"
    quantisation = "q"
    output_tokens_per_s = 100
    source = { title = "x", checked = 2026-01-01 }

    [tariffs.city]
    price_per_kwh = "0.80 CNY"
    timezone = "Asia/Shanghai"
    source = { title = "x", checked = 2026-01-01 }
    bands = [{ name = "valley", price_per_kwh = "0.43 CNY", start = "23:00", end = "07:00", months = [1, 2] }]

    [options.local]
    costs = [
      { kind = "power", fleet = "box", tariff = "city", pue = 1.3, sleep_w = 20, sleep_after_minutes = 30 },
      { kind = "purchase", fleet = "box", price = "1 CNY", life_years = 3, lead_months = 2 },
    ]
    """
    scenario = read_scenario(read_toml(text), title="x.toml", catalog=Catalog((), components=llm_tco_components()))
    power = scenario.options["local"].parts[0]
    properties = scenario_schema(Catalog((), components=llm_tco_components()))["$defs"]

    assert power.tariff.bands[0].months == (1, 2)
    assert power.fleet.wait.percentile == 0.95
    assert power.fleet.site.servers_per_rack == 4
    assert power.states.loaded_w == 200
    assert {"Band", "PowerCap", "Reliability", "Site", "WaitTarget"} <= properties.keys()
    assert properties["Band"]["properties"]["months"] == {
        "type": "array",
        "items": {"type": "integer"},
        "description": "Months of the calendar in which it holds, 1 to 12; all unless said otherwise.",
    }
