"""What users may rely on in the Chinese tariffs."""

from __future__ import annotations

import itertools
from datetime import date

import llm_tco_cn
import pluggy
import pytest

from llm_tco.catalog import hookspecs

TARIFFS = llm_tco_cn.llm_tco_tariffs()

each_tariff = pytest.mark.parametrize("tariff", TARIFFS, ids=lambda tariff: tariff.key)


def minutes(clock):
    """Turn a time of day into minutes."""
    hours, rest = clock.split(":")
    return int(hours) * 60 + int(rest)


def hours_of(tariff, name):
    """Count the hours of a day that a band holds."""
    return sum((minutes(band.end) - minutes(band.start)) % 1440 for band in tariff.bands if band.name == name) / 60


@each_tariff
def test_every_tariff_has_an_address_and_a_day(tariff):
    """A reader can follow every tariff to a page, and learns whether it was read there."""
    assert tariff.source.url.startswith("https://")
    assert tariff.source.note
    assert tariff.source.checked >= date(2026, 11, 23)
    assert tariff.timezone == "Asia/Shanghai"


@each_tariff
def test_bands_are_ordered_and_apart(tariff):
    """Valley is cheaper than the flat hours, peak dearer, critical dearest, and no two bands hold at one minute."""
    dearness = {"valley": -1, "peak": 1, "critical": 2}
    prices = sorted(
        [(0, tariff.price_per_kwh.value), *((dearness[b.name], b.price_per_kwh.value) for b in tariff.bands)]
    )
    taken = sorted(
        minute % 1440
        for band in tariff.bands
        for minute in range(minutes(band.start), minutes(band.start) + (minutes(band.end) - minutes(band.start)) % 1440)
    )

    assert all((one[0] < other[0]) == (one[1] < other[1]) for one, other in itertools.pairwise(prices))
    assert len(set(taken)) == len(taken)
    assert {band.price_per_kwh.currency for band in tariff.bands} == {"CNY"}


def test_guangdong_bands_follow_the_published_ratios():
    """In Guangdong's table of 2021 a peak hour costs 1.7 and a valley hour 0.38 of a flat one, as its rule says."""
    tariff = next(tariff for tariff in TARIFFS if tariff.key == "cn-guangdong-five-cities-lt1kv-2021-10")
    ratio = {band.name: band.price_per_kwh.value / tariff.price_per_kwh.value for band in tariff.bands}

    assert ratio == pytest.approx({"valley": 0.38, "peak": 1.7}, abs=1e-3)


@each_tariff
def test_the_valley_has_eight_hours(tariff):
    """A day has eight hours at the lowest price, and never more hours in bands than there are."""
    assert hours_of(tariff, "valley") == 8
    assert sum(hours_of(tariff, name) for name in ("valley", "peak", "critical")) < 24


def test_the_tariff_of_the_literature_is_literal():
    """Flat, valley and peak are 0.80, 0.43 and 1.17 CNY/kWh; peak has eight hours, and it is a claim."""
    tariff = next(tariff for tariff in TARIFFS if tariff.key == "cn-three-band-literature")

    assert str(tariff.price_per_kwh) == "0.80 CNY"
    assert {(band.name, str(band.price_per_kwh), band.start, band.end) for band in tariff.bands} == {
        ("valley", "0.43 CNY", "23:00", "07:00"),
        ("peak", "1.17 CNY", "08:30", "11:30"),
        ("peak", "1.17 CNY", "16:00", "21:00"),
    }
    assert hours_of(tariff, "peak") == 8
    assert tariff.authority == "claim"


def test_monthly_tables_hold_in_their_months_alone():
    """A grid's table of one month is in force in that month and no other."""
    monthly = [tariff for tariff in TARIFFS if tariff.key.endswith(("2026-07", "2026-10"))]

    assert len(monthly) == 3
    for tariff in monthly:
        assert tariff.period.start.isoformat().startswith(tariff.key[-7:])
        assert (tariff.period.end - tariff.period.start).days == 31


def test_hook_is_repeatable():
    """The hook returns the same tariffs each time."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(llm_tco_cn)

    assert manager.hook.llm_tco_tariffs() == [TARIFFS]
