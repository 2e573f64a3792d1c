"""Prices as vendors charge: how they are stated, read, looked up and billed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pytest

from llm_tco import Timeline, Workload, load_catalog
from llm_tco.analysis.compare import compare
from llm_tco.analysis.crossings import cheaper_one
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.prices import Rate, Tier, TokenPrice, Usage, Window
from llm_tco.catalog.reading import read_toml, records_of
from llm_tco.catalog.records import Origin, Period
from llm_tco.components.agreement import Commitment, DiscountStep, VolumeDiscount
from llm_tco.components.amounts import Monthly
from llm_tco.components.api import ApiUsage
from llm_tco.components.kinds import llm_tco_components
from llm_tco.demand import Lengths
from llm_tco.errors import (
    ConflictingRecordsError,
    CurrencyError,
    InvalidValueError,
    NotInForceError,
    ProblemsError,
    UnknownRecordError,
    UnpricedError,
)
from llm_tco.scenario import read_scenario
from llm_tco.schema import scenario_schema
from llm_tco.testing.strategies import SOURCE

BEGIN = """
[sources.page]
title = "Prices"
checked = 2026-11-23

[[prices]]
provider = "acme"
model = "one"
currency = "USD"
source = "page"
"""


def read(text):
    """Read one price from TOML."""
    (price,) = records_of(read_toml(BEGIN + text), TokenPrice, table="prices", title="acme.toml")
    return price


def stated(**changes):
    """Make a price."""
    base = TokenPrice(provider="acme", model="one", currency="USD", source=SOURCE, input="1", output="4")
    return attrs.evolve(base, **changes)


WINDOWED = """
timezone = "Asia/Shanghai"
input = "0.27"
cached_input = "0.07"
cache_write = { "5m" = "0.3", "1h" = { base = "0.5" } }
output = { base = "1.10", tiers = [{ above_tokens = 200_000, price = "2.20" }], graduated = false }

[[prices.windows]]
days = ["sat"]
start = "00:30"
end = "08:30"
input = "0.135"

[[prices.windows]]
days = ["sun"]
start = "23:00"
end = "01:00"
output = "0.55"
"""


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ((2026, 11, 21, 0, 29), "1.37"),  # Saturday
        ((2026, 11, 21, 0, 30), "1.235"),
        ((2026, 11, 21, 8, 29), "1.235"),
        ((2026, 11, 21, 8, 30), "1.37"),
        ((2026, 11, 22, 23, 0), "0.82"),  # Sunday
        ((2026, 11, 23, 0, 59), "0.82"),
        ((2026, 11, 23, 1, 0), "1.37"),
        ((2026, 11, 24, 0, 30), "1.37"),
    ],
)
def test_a_window_holds_by_the_vendors_clock_and_may_run_past_midnight(local, expected):
    """It begins on its minute and ends before the last one; what it does not name keeps the other price."""
    price = read(WINDOWED)
    moment = datetime(*local, tzinfo=ZoneInfo("Asia/Shanghai"))

    cost = price.cost(Usage(1_000_000, 0), moment, exact=True) + price.cost(Usage(0, 1_000_000), moment, exact=True)

    assert Decimal(expected) == cost
    assert cost == price.cost(Usage(1_000_000, 0), moment.astimezone(UTC), exact=True) + price.cost(
        Usage(0, 1_000_000), moment.astimezone(UTC), exact=True
    )


def test_a_window_follows_summer_time():
    """Nine in the morning in New York is another hour in UTC in summer and in winter."""
    price = stated(timezone="America/New_York", windows=[Window(start="09:00", end="10:00", input="2")])
    moments = np.array(
        ["2026-01-15T14:30", "2026-01-15T13:30", "2026-07-15T13:30", "2026-07-15T14:30"], "datetime64[m]"
    )

    costs = price.cost(Usage(1_000_000, 0), moments)

    assert costs.tolist() == [2.0, 1.0, 2.0, 1.0]
    assert costs.tolist() == [price.cost(Usage(1_000_000, 0), moment) for moment in moments]


def test_vectorised_clocks_are_those_of_the_time_zone():
    """Every hour of ten years, in zones that change their clocks and in one that moved its own."""
    hours = np.arange("2010-01-01", "2020-01-01", dtype="datetime64[h]")[::7]
    price = stated(windows=[Window(start="03:00", end="04:30", input="2")])

    for timezone in ("Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kolkata"):
        local = attrs.evolve(price, timezone=timezone)
        one_by_one = [local.cost(Usage(1_000_000, 0), hour) for hour in hours]
        assert local.cost(Usage(1_000_000, 0), hours).tolist() == one_by_one


def test_deepseek_at_the_weekend_by_the_vendors_own_windows():
    """02:00 UTC on a Saturday is off the peak of workdays, whatever a general list says."""
    text = """
    authority = "vendor"
    timezone = "Asia/Shanghai"
    input = "0.66"
    output = "1.98"
    [[prices.windows]]
    days = ["mon", "tue", "wed", "thu", "fri"]
    start = "09:00"
    end = "12:00"
    input = "1.32"
    output = "3.96"
    """
    vendor = attrs.evolve(read(text), provider="deepseek", model="deepseek-v4-pro", origin=Origin(plugin="vendor"))
    saturday = datetime(2026, 11, 21, 2, tzinfo=UTC)

    general = [row for row in load_catalog().all(TokenPrice) if row.origin.plugin == "llm-tco-genai-prices"]
    price = Catalog([*general, vendor]).price("deepseek", "deepseek-v4-pro", on=saturday)

    assert price.cost(Usage(1_000_000, 1_000_000), saturday, exact=True) == Decimal("2.64")
    assert price.cost(Usage(1_000_000, 1_000_000), saturday - timedelta(days=1), exact=True) == Decimal("5.28")


def test_the_general_list_keeps_its_history_and_its_tiers():
    """The price cut of o3, and a token above the threshold of Gemini 2.5 Pro."""
    catalog = load_catalog()
    million = Usage(1_000_000, 1_000_000)
    days = (date(2025, 6, 1), date(2025, 7, 1))

    o3 = [catalog.price("openai", "o3", on=day, plugin="llm-tco-genai-prices").cost(million) for day in days]
    gemini = catalog.price("google", "gemini-2.5-pro", on=date(2026, 11, 1), plugin="llm-tco-genai-prices")

    assert o3 == [50.0, 10.0]
    assert gemini.cost(Usage(200_000, 1_000), exact=True) == Decimal("0.260")
    assert gemini.cost(Usage(200_001, 1_000), exact=True) == Decimal("0.5150025")


def test_a_price_with_windows_needs_the_moment():
    """It never takes the price of some hour for granted."""
    with pytest.raises(
        InvalidValueError, match=r"at: is missing: acme/one/standard has other prices sat 00:30 to 08:30"
    ):
        read(WINDOWED).cost(Usage(1, 1))


@pytest.mark.parametrize(
    ("ask", "error", "expected"),
    [
        (lambda p: p.cost(Usage(1, 1), datetime(2026, 1, 1)), InvalidValueError, "at: must say its time zone, got 2026-01-01T00:00:00"),
        (lambda p: p.cost(Usage(1, 1), "2026-01-01"), InvalidValueError, "at: must be a datetime with its time zone"),
        (lambda p: p.cost(Usage(1, 1), np.array(["NaT"], "datetime64[s]")), InvalidValueError, "at: must hold moments, got NaT"),
        (lambda p: p.cost(Usage(np.array([1, 2]), 1), np.array(["2026-01-01"], "datetime64[s]")), InvalidValueError, "one moment for each request"),
        (lambda p: p.cost(Usage(np.array([1, 2]), 1), exact=True), InvalidValueError, "exact: is for one request"),
        (lambda p: p.cost(Usage(10, 1, 3)), UnpricedError, "acme/one/standard states no price for cached input tokens, of which there are 3"),
        (lambda p: p.cost(Usage(10, 1, 0, 3)), UnpricedError, "no price for cache write tokens, of which there are 3"),
        (lambda p: p.cost(Usage(np.array([10, 10]), 1, np.array([0, 3]))), UnpricedError, "no price for cached input tokens, of which there are 3"),
        (lambda p: attrs.evolve(p, output=None).cost(Usage(10, 1), exact=True), UnpricedError, "no price for output tokens"),
        (lambda p: attrs.evolve(p, cache_write={"5m": "1", "1h": "2"}).cost(Usage(9, 1, 0, 3)), InvalidValueError, "cache_write_tokens: must be given by time-to-live: acme/one/standard states rates for 1h, 5m"),
        (lambda p: attrs.evolve(p, cache_write={"5m": "1"}).cost(Usage(9, 1, 0, {"1h": 3})), UnpricedError, r"cache write \(1h\) tokens, of which there are 3. It states cache writes for 5m"),
        (lambda p: attrs.evolve(p, period=Period(end=date(2026, 1, 1))).at(datetime(2026, 1, 1, tzinfo=UTC)), NotInForceError, "holds from … to 2026-01-01"),
    ],
)  # fmt: skip
def test_what_cannot_be_priced_is_an_error_that_says_why(ask, error, expected):
    """Unknown is never zero, and a moment is never guessed."""
    with pytest.raises(error, match=expected):
        ask(stated())


def test_free_is_not_unpriced():
    """A rate of 0 prices any number of tokens; tokens without a rate cost nothing only where there are none."""
    price = stated(input="0", output=None)

    assert price.cost(Usage(1_000_000, 0)) == 0.0
    with pytest.raises(UnpricedError):
        price.cost(Usage(0, 1))


def test_reasoning_is_output_where_it_is_not_billed_apart():
    """And where it is, it is billed once."""
    usage = Usage(0, 1_000_000, reasoning_tokens=250_000)

    assert stated().cost(usage) == 4.0
    assert stated(reasoning="8").cost(usage) == 5.0


def test_a_least_charge_counts_the_fee():
    """A request costs its tokens and its fee, and no less than the least charge."""
    price = stated(per_request="0.01", minimum_per_request="0.02")

    assert price.cost(Usage(1_000, 0, requests=3), exact=True) == Decimal("0.06")
    assert price.cost(Usage(100_000, 0), exact=True) == Decimal("0.11")


def test_cache_writes_are_billed_by_how_long_they_live():
    """A number alone has the default, or the only time-to-live."""
    price = stated(cached_input="0.1", cache_write={"5m": "1.25", "1h": "2"})

    assert price.cost(Usage(1_000_000, 0, 500_000, {"5m": 300_000, "1h": 200_000}), exact=True) == Decimal("0.825")
    assert stated(cache_write="1.25").cost(Usage(1_000_000, 0, 0, 1_000_000)) == 1.25
    assert stated(cache_write={"5m": "1.25"}).cost(Usage(1_000_000, 0, 0, 1_000_000)) == 1.25


def test_graduated_tiers_price_each_part():
    """Cached tokens stand first, so that they fill the lower tiers."""
    rate = Rate(base="1", tiers=[Tier(above_tokens=100, price="2")], graduated=True)
    price = stated(input=rate, cached_input="0.5")

    assert price.cost(Usage(150, 0), exact=True) * 1_000_000 == 200
    assert price.cost(Usage(150, 0, 80), exact=True) * 1_000_000 == 40 + 20 + 100


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"timezone": "Asia/Shangai"}, "timezone: must be the name of a time zone such as 'Asia/Shanghai', got 'Asia/Shangai'; did you mean 'Asia/Shanghai'"),
        ({"timezone": "../etc/passwd"}, "timezone: must be the name of a time zone"),
        ({"input": 0.15}, "input: must be a finite decimal number, got 0.15"),
        ({"input": "-1"}, "input: must be at least 0, got -1"),
        ({"cache_write": {"5m": "x"}}, "cache_write.5m: must be a decimal number, got 'x'"),
        ({"output": Rate(base="1", tiers=[Tier(above_tokens=1, price="2")], graduated=True)}, "output: must not be graduated"),
        ({"windows": [Window(start="22:00", end="06:00"), Window(days=["tue"], start="05:00", end="07:00")]}, "windows: must not overlap, but every day 22:00 to 06:00 and tue 05:00 to 07:00 both hold on tue 05:00"),
        ({"windows": ["night"]}, "windows: must be a Window, got 'night'"),
    ],
)  # fmt: skip
def test_a_price_that_cannot_be_is_refused(change, expected):
    """At the door, with the field and what was given."""
    with pytest.raises(InvalidValueError, match=expected.replace(".", r"\.")):
        stated(**change)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"start": "8:30", "end": "09:00"}, "start: must be a time of day such as '08:30', got '8:30'"),
        ({"start": "24:00", "end": "09:00"}, "start: must be a time of day"),
        ({"start": "08:00", "end": "25:00"}, "end: must be a time of day"),
        ({"start": "08:00", "end": "09:00", "days": ["saturday"]}, "days: must be days among mon, tue, wed, thu, fri, sat, sun, holiday, got 'saturday'"),
        ({"start": "08:00", "end": "09:00", "days": []}, "days: must list days of the week"),
        ({"start": "08:00", "end": "09:00", "days": ["mon", "mon"]}, "days: must name each day once"),
    ],
)  # fmt: skip
def test_a_window_that_cannot_be_is_refused(fields, expected):
    """At the door, with the field and what was given."""
    with pytest.raises(InvalidValueError, match=expected):
        Window(**fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((10, 1, 11), "cached_tokens: must, with cache_write_tokens, be part of the input_tokens, got 11 of 10"),
        ((10, 1, 5, {"5m": 6}), "cached_tokens: must, with cache_write_tokens, be part of the input_tokens, got 11 of 10"),
        ((10, 1, 0, 0, 2), "reasoning_tokens: must be part of the output_tokens, got 2 of 1"),
        ((-1, 0), "input_tokens: must be a whole number from 0"),
        ((1.5, 0), "input_tokens: must be a whole number from 0"),
        ((True, 0), "input_tokens: must be a whole number"),
        (("1", 0), "input_tokens: must be a whole number"),
        ((float("nan"), 0), "input_tokens: must be a whole number"),
        ((np.array([1.0, np.nan]), 0), "input_tokens: must hold whole numbers from 0"),
        ((np.array([1.5]), 0), "input_tokens: must hold whole numbers"),
        ((np.array([[1]]), 0), "input_tokens: must be an array of numbers of shape"),
        ((np.array([1, 2]), np.array([1])), "input_tokens: must be as long as the other arrays, got input_tokens 2, output_tokens 1"),
        ((np.array([5, 2]), 1, np.array([1, 3])), "got 3 of 2"),
    ],
)  # fmt: skip
def test_usage_that_cannot_be_is_refused(fields, expected):
    """Cached and written tokens are part of the input, reasoning of the output, and all are counts."""
    with pytest.raises(InvalidValueError, match=expected):
        Usage(*fields)


def test_usage_takes_a_copy():
    """What is done to the arrays afterwards changes no bill."""
    tokens = np.array([1_000_000.0])
    usage = Usage(tokens, 0)
    tokens[0] = 5.0

    assert stated().cost(usage).tolist() == [1.0]


def test_a_negotiated_price_says_so_and_beats_the_list():
    """Every amount falls exactly; a catalog that holds both gives the negotiated one."""
    listed = attrs.evolve(
        read(WINDOWED), approximate=True, note="list", origin=Origin(plugin="acme"), per_request="0.01"
    )

    price = listed.discounted("0.15")

    assert (price.input.base, price.windows[0].input.base) == (Decimal("0.2295"), Decimal("0.11475"))
    assert price.output.tiers[0].price == Decimal("1.87")
    assert price.cache_write["1h"].base == Decimal("0.425")
    assert price.per_request == Decimal("0.0085")
    assert (price.approximate, price.note) == (True, "list. negotiated: 15 % off the list price")
    assert price.origin == listed.origin
    assert Catalog([listed, price]).price("acme", "one", on=date(2026, 1, 1)) is price
    assert listed.discounted(0.15) == price
    with pytest.raises(InvalidValueError, match="share: must be at most 1, got 1.5"):
        listed.discounted("1.5")


def test_a_discount_is_exact_whatever_the_programs_decimal_context():
    """A fee falls by as many digits as it takes, as rates do."""
    price = stated(per_request="0.123456789012345678901234567", input="0.123456789012345678901234567")

    with localcontext(prec=5):
        cheaper = price.discounted("0.1499999")

    with localcontext(prec=60):
        expected = Decimal("0.123456789012345678901234567") * Decimal("0.8500001")
    assert (cheaper.per_request, cheaper.input.base) == (expected, expected)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"region": "mars"}, r"'acme/one' \(standard\) in the region 'mars'; its regions are eu, us."),
        (
            {"region": "mars", "variant": "batch"},
            "in the region 'mars'; it does not differ by region. Leave region out",
        ),
        (
            {"region": "eu", "plugin": "llm-tco-nobody"},
            r"no plugin is called 'llm-tco-nobody'; there are llm-tco-acme\. Name",
        ),
    ],
)
def test_a_wrong_word_of_a_look_up_is_named(words, said):
    """The text says which word it is and which there are."""
    rows = [stated(region="eu"), stated(region="us"), stated(variant="batch")]
    catalog = Catalog(attrs.evolve(row, origin=Origin(plugin="llm-tco-acme", version="1")) for row in rows)

    with pytest.raises(UnknownRecordError, match=said):
        catalog.price("acme", "one", on=date(2026, 1, 1), **words)


@pytest.mark.parametrize("on", ["2026-01-01", None, 2026])
def test_a_price_is_asked_for_by_a_day(on):
    """Neither a text nor nothing is one, even where one price holds for all time."""
    with pytest.raises(InvalidValueError, match=r"on: must be a day such as date\(2026, 12, 1\), got"):
        Catalog([stated()]).price("acme", "one", on=on)


@pytest.mark.parametrize("day", [datetime(2026, 1, 1), "2026-01-01"])
def test_a_period_is_of_days(day):
    """A moment does not compare with days, and is refused where it is stated."""
    with pytest.raises(InvalidValueError, match="start: must be a day"):
        Period(start=day)


PEAK = Window(days=("mon", "tue", "wed", "thu", "fri"), start="09:00", end="12:00", input="2")


def test_a_listed_holiday_is_no_weekday():
    """Thursday 2026-10-01 is off-peak all day, and the Thursday after it is not; a price of every day holds on both."""
    price = stated(windows=[PEAK], holidays=[date(2026, 10, 1)], timezone="Asia/Shanghai")
    always = attrs.evolve(price, windows=[attrs.evolve(PEAK, days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"))])
    ten = datetime(2026, 10, 1, 2, tzinfo=UTC)  # 10:00 in Shanghai
    usage = Usage(1_000_000, 0)

    assert [price.cost(usage, ten + timedelta(days=days)) for days in (-1, 0, 1, 2, 7)] == [2, 1, 2, 1, 2]
    assert always.cost(usage, ten) == 2
    assert price.at(ten).holidays == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"holidays": ["2026-10-01"]}, "holidays: must list days such as 2026-10-01, got"),
        ({"holidays": date(2026, 10, 1)}, "holidays: must list days such as 2026-10-01, got"),
        (
            {"windows": [attrs.evolve(PEAK, days=("wed",), start="22:00", end="06:00"),
                         Window(days=("holiday",), start="00:00", end="24:00", input="3")]},
            "wed 22:00 to 06:00 and holiday 00:00 to 24:00 both hold on holiday 00:00 after a wed",
        ),
        (
            {"windows": [attrs.evolve(PEAK, days=("sat", "holiday"))], "holidays": []},
            "holidays: is missing: sat, holiday 09:00 to 12:00 names them. List the days",
        ),
    ],
)  # fmt: skip
def test_holidays_that_cannot_be_are_refused(changes, said):
    """They are days, and on them windows do not overlap either."""
    with pytest.raises(InvalidValueError, match=said):
        stated(**{"windows": [PEAK], "holidays": [date(2026, 10, 1)], **changes})


def test_reasoning_tokens_that_are_billed_apart_are_a_share_of_the_output():
    """Their share moves from one rate to the other, and where nobody states it the figure is an estimate."""
    price = stated(output="8", reasoning="3")
    demand = Workload(requests_per_month=1_000_000, input_tokens=0, output_tokens=100).on(Timeline(date(2026, 1, 1), 1))

    unknown, quarter = (ApiUsage(price, reasoning_share=share).cost(demand) for share in (None, 0.25))

    assert (unknown.amounts("USD")[1], quarter.amounts("USD")[1]) == (800.0, 675.0)
    assert ["estimate" in state.kind and "State reasoning_share" in state.note for state in unknown.states] == [True]
    assert not quarter.states
    assert not ApiUsage(stated()).cost(demand).states
    with pytest.raises(InvalidValueError, match="reasoning_share: must be at most 1"):
        ApiUsage(price, reasoning_share=1.5)


def test_a_region_is_asked_for_only_where_prices_differ_by_it():
    """One that names none goes first, the only one next, and of several none is picked."""
    rows = {region: stated(region=region, input=str(place)) for place, region in enumerate(["", "eu", "us"])}
    on = date(2026, 1, 1)

    assert Catalog(rows.values()).price("acme", "one", on=on) is rows[""]
    assert Catalog([rows["eu"]]).price("acme", "one", on=on) is rows["eu"]
    assert Catalog(rows.values()).price("acme", "one", on=on, region="us") is rows["us"]
    assert Catalog([attrs.evolve(rows["eu"], aliases=("uno",))]).price("acme", "UNO", on=on).region == "eu"
    with pytest.raises(
        UnknownRecordError, match=r"'acme/one' \(standard\) differs by region: eu, us. Name one by region="
    ):
        Catalog([rows["eu"], rows["us"]]).price("acme", "one", on=on)


def test_another_name_of_a_model_is_that_of_all_its_prices():
    """One row states it, and the variants and regions of the model are found by it as well, however it is written."""
    rows = [stated(aliases=("Uno",)), stated(variant="batch", region="EU", input="0.5")]
    on = date(2026, 1, 1)

    for name in ("Uno", "uno", "ONE", "one"):
        assert Catalog(rows).price("acme", name, on=on) is rows[0]
        assert Catalog(rows).price("acme", name, on=on, variant="batch") is rows[1]
        assert Catalog(rows).price("acme", name, on=on, variant="batch", region="eu") is rows[1]
    assert Catalog([stated(region="EU", aliases=("uno",))]).price("acme", "uno", on=on).region == "EU"


def test_a_misspelt_variant_names_those_there_are():
    """It never falls back to the standard price."""
    catalog = Catalog([stated(), stated(variant="batch"), stated(variant="flex")])

    with pytest.raises(UnknownRecordError) as error:
        catalog.price("acme", "one", on=date(2026, 1, 1), variant="bach")

    assert "no price 'acme/one/bach'; its variants are batch, flex, standard; did you mean 'batch'?" in str(error.value)


def test_a_moment_is_a_day_where_the_vendor_is():
    """A price that begins on the first in Shanghai is in force there while it is still the day before in London."""
    price = stated(timezone="Asia/Shanghai", period=Period(start=date(2026, 1, 1)))
    catalog = Catalog([price])

    assert catalog.price("acme", "one", on=datetime(2025, 12, 31, 17, tzinfo=UTC)) is price
    with pytest.raises(NotInForceError):
        catalog.price("acme", "one", on=datetime(2025, 12, 31, 15, tzinfo=UTC))
    with pytest.raises(InvalidValueError, match="on: must say its time zone"):
        catalog.price("acme", "one", on=datetime(2025, 12, 31, 15))


def test_a_path_holds_the_winning_row_of_each_time():
    """The vendor's rows where there are some, cut out of the general list's."""
    general = stated(input="9", period=Period(start=date(2025, 1, 1)))
    vendor = stated(
        input="5",
        authority="vendor",
        period=Period(start=date(2026, 1, 1), end=date(2026, 7, 1)),
        timezone="Asia/Tokyo",
    )

    path = Catalog([vendor, general]).prices("acme", "one")

    assert [(str(row.period), str(row.input.base)) for row in path] == [
        ("2025-01-01 to 2026-01-01", "9"),
        ("2026-01-01 to 2026-07-01", "5"),
        ("2026-07-01 to …", "9"),
    ]
    with pytest.raises(ConflictingRecordsError):
        Catalog([general, attrs.evolve(general, input="8")]).prices("acme", "one")
    with pytest.raises(UnknownRecordError):
        Catalog([general]).prices("acme", "two")


TEAM = Workload(requests_per_month=1_000_000, input_tokens=1, output_tokens=0)


def test_a_path_of_prices_follows_the_months():
    """Each month has the price of its first day, and a month without a price is unknown, not free."""
    path = (
        stated(input="1", period=Period(start=date(2026, 1, 1), end=date(2026, 3, 1))),
        stated(input="3", period=Period(start=date(2026, 3, 1), end=date(2026, 5, 1))),
    )

    ledger = ApiUsage(path).cost(TEAM.on(Timeline(date(2026, 1, 15), 5)))

    assert ledger.amounts("USD").tolist() == [0, 1, 1, 3, 3, 0]
    (state,) = ledger.states
    assert (state.kind, state.note) == (
        "unpriced",
        "no price of acme/one/standard is in force on 2026-05-15; add the row that holds then",
    )
    assert ledger.records == path


def test_rows_that_overlap_are_no_path():
    """At no time may two prices hold."""
    with pytest.raises(InvalidValueError, match="price: must hold rows whose periods do not overlap"):
        ApiUsage([stated(), stated(period=Period(start=date(2026, 1, 1)))])
    with pytest.raises(InvalidValueError, match="price: must be in one currency, got CNY, USD"):
        ApiUsage([stated(currency="CNY"), stated()])


def test_a_peak_without_hours_is_an_estimate_where_hours_matter():
    """Half of the day at twice the price: all hours alike, and said so; a flat load is certain."""
    price = stated(windows=[Window(start="00:00", end="12:00", input="2")])
    timeline = Timeline(date(2026, 1, 1), 1)

    peak = ApiUsage(price).cost(attrs.evolve(TEAM, peak_to_mean=4).on(timeline))
    flat = ApiUsage(price).cost(TEAM.on(timeline))

    assert peak.amounts("USD")[1] == flat.amounts("USD")[1] == 1.5
    assert [state.kind for state in peak.states] == ["estimate"]
    assert not flat.states


def test_whose_clock_the_hours_of_a_load_are_read_by_is_said():
    """Without a timezone of the workload a caution names the clock; with it there is none, and without windows none is needed."""
    price = stated(windows=[Window(start="00:00", end="12:00", input="2")])
    hourly = attrs.evolve(TEAM, hourly_load=(1.0, 2.0) * 84)
    demand, told = (
        attrs.evolve(hourly, timezone=timezone).on(Timeline(date(2026, 1, 1), 1)) for timezone in (None, "UTC")
    )

    (caution,) = ApiUsage(price).cost(demand).states

    assert caution.kind == "caution"
    assert "by the clock of UTC; state the workload's timezone" in caution.note
    assert not ApiUsage(price).cost(told).states
    assert not ApiUsage(stated()).cost(demand).states


def test_the_mean_of_hits_and_misses_is_an_estimate_where_a_price_bends():
    """A least charge holds for each request: pricing the mean of what is read says that it does."""
    timeline = Timeline(date(2026, 1, 1), 1)
    bent, straight = (
        ApiUsage(stated(cached_input="0.1", minimum_per_request=least), cached_share=0.5).cost(TEAM.on(timeline))
        for least in ("0.001", "0")
    )

    assert [state.kind for state in bent.states] == ["estimate"]
    assert not straight.states


def test_a_time_to_live_is_stated_where_prices_differ_by_it():
    """A component asks for it by the name of its own field, when it is made."""
    price = stated(cache_write={"5m": "1.25", "1h": "2"})

    with pytest.raises(
        InvalidValueError, match="cache_write_ttl: is missing: .* has prices of cache writes for 1h, 5m"
    ):
        ApiUsage(price, cache_write_share=0.5)
    assert ApiUsage(price, cache_write_share=0.5, cache_write_ttl="1h").cache_write_ttl == "1h"
    assert ApiUsage(stated(cache_write="2"), cache_write_share=0.5).cache_write_ttl is None


def test_caching_is_a_share_of_the_input():
    """A part is read, a part is written, and the rest is plain."""
    price = stated(cached_input="0.1", cache_write={"5m": "1.25", "1h": "2"})
    api = ApiUsage(price, cached_share=0.5, cache_write_share=0.2, cache_write_ttl="1h")

    bill = api.cost(TEAM.on(Timeline(date(2026, 1, 1), 1))).amounts("USD")[1]

    assert bill == pytest.approx(0.5 * 0.1 + 0.2 * 2 + 0.3 * 1)
    with pytest.raises(InvalidValueError, match="cache_write_share: must, with cached_share, be at most 1"):
        ApiUsage(price, cached_share=0.5, cache_write_share=0.6, cache_write_ttl="1h")


def test_a_commitment_in_another_currency_is_refused():
    """Nothing is converted in silence."""
    committed = Commitment(ApiUsage(stated()), per_month="100 CNY")

    with pytest.raises(CurrencyError, match="the commitment is in CNY, and what stands under it costs USD"):
        committed.cost(TEAM.on(Timeline(date(2026, 1, 1), 1)))


def test_break_even_with_agreements_is_exact():
    """Every crossing that trying all volumes finds, for a commitment and a discount on the whole month."""
    price = stated(input="1000000", output="0")
    one = Workload(requests_per_month=1, input_tokens=1, output_tokens=0, growth_per_year=0.3)
    discount = VolumeDiscount(ApiUsage(price), steps=[DiscountStep("120 USD", 0.2), DiscountStep("300 USD", 0.4)])
    options = {
        "committed": Commitment(discount, per_year="1500 USD"),
        "monthly": Commitment(ApiUsage(price, name="other"), per_month="90 USD"),
        "licence": Monthly("licence", amount="140 USD"),
    }
    timeline = Timeline(date(2026, 1, 1), 14)
    result = compare(options, one, timeline, currency="USD", volumes=(1, 400))
    volumes = np.arange(1.0, 401.0)
    many = attrs.evolve(one, requests_per_month=volumes).on(timeline)
    costs = {
        name: np.broadcast_to(part.cost(many).amounts("USD"), (400, 15)).sum(axis=1) for name, part in options.items()
    }

    for a, b in result.pairs:
        found = result.break_even(a, b).by_volume
        cheaper = cheaper_one(costs[a], costs[b])
        changes = volumes[1:][cheaper[1:] != cheaper[:-1]].tolist()

        assert changes == [interval.start for interval in found.intervals[1:]], (a, b)
        assert found.within == ()


SCENARIO = """
currency = "CNY"
start = 2026-12-01
months = 24
fx = { USD = 7.2 }
workload = { requests_per_month = 20_000, lengths = [[500, 300, 0.9], [250_000, 900, 0.1]], peak_to_mean = 4 }

[sources.page]
title = "Prices"
checked = 2026-11-23

[prices.night]
provider = "acme"
model = "one"
currency = "USD"
source = "page"
timezone = "Asia/Shanghai"
input = { base = "0.27", tiers = [{ above_tokens = 200_000, price = "0.54" }], graduated = true }
cached_input = "0.07"
cache_write = { "5m" = "0.3" }
output = "1.10"
windows = [{ days = ["sat", "sun"], start = "00:30", end = "08:30", input = "0.135" }]

[prices.next]
provider = "acme"
model = "one"
currency = "USD"
source = "page"
input = "0.2"
output = "1"
period = { start = 2027-06-01 }

[prices.now]
provider = "acme"
model = "one"
currency = "USD"
source = "page"
input = "0.3"
output = "1.5"
period = { end = 2027-06-01 }

[prices.listed]
provider = "acme"
model = "list"
path = true

[options.committed]
kind = "commitment"
per_year = "20000 USD"
term_months = 12

[options.committed.inner]
kind = "volume_discount"
graduated = true
steps = [{ above = "1000 USD", discount = 0.1 }, { above = "5000 USD", discount = 0.2 }]
inner = { kind = "api", price = "night", cached_share = 0.3, cache_write_share = 0.1, cache_write_ttl = "5m" }

[options.path]
kind = "discounted"
share = 0.05
inner = { kind = "api", price = ["now", "next"] }

[options.by_tokens]
kind = "volume_discount"
steps = [{ above = 100_000_000, discount = 0.1 }]
inner = { kind = "api", price = "listed" }
"""
CATALOG = Catalog([stated(model="list")], components=llm_tco_components())


def scenario(text=SCENARIO):
    """Read a scenario."""
    return read_scenario(read_toml(text), title="mine.toml", catalog=CATALOG)


def test_a_file_states_windows_tiers_paths_and_agreements():
    """Inline and by reference; it compares, and says what is estimated."""
    result = scenario().compare()

    assert result.best == "path"
    tokens = 20_000 * (0.9 * 500 + 0.1 * 250_000), 20_000 * (0.9 * 300 + 0.1 * 900)
    months = [(0.3, 1.5)] * 6 + [(0.2, 1.0)] * 18
    expected = sum(tokens[0] * one + tokens[1] * other for one, other in months) / 1e6 * 7.2 * 0.95
    assert result["path"].tco == pytest.approx(expected)
    assert {state.kind for state in result["committed"].ledger.states} == {"estimate"}
    assert {record.title for record in result.records} == {"acme/one/standard", "acme/list/standard"}


def test_the_problems_of_a_price_are_reported_together():
    """Each with its path."""
    text = SCENARIO.replace('"Asia/Shanghai"', '"Asia/Shangai"').replace('"00:30"', '"0:30"')
    text = text.replace('"5m" = "0.3"', '"5m" = "-0.3"').replace("above = 100_000_000", "above = -1")
    text = text.replace("path = true\n", "").replace("above_tokens = 200_000", "above_token = 200_000")

    with pytest.raises(ProblemsError) as error:
        scenario(text)

    for expected in (
        "prices.night.timezone: must be the name of a time zone",
        "prices.night.windows[0].start: must be a time of day",
        "prices.night.cache_write.5m: must be at least 0, got -0.3",
        "prices.night.input.tiers[0].above_token: is not a field of Tier; did you mean 'above_tokens'?",
        "prices.listed.on: is missing; give the day whose price is meant, or path = true for all rows",
        "options.by_tokens.steps[0].above: must be at least 0, got -1",
    ):
        assert any(line.startswith(expected) for line in error.value.problems), (expected, error.value.problems)


def test_the_schema_knows_windows_and_agreements():
    """An editor completes their keys."""
    definitions = scenario_schema(CATALOG)["$defs"]

    assert {"windows", "timezone", "reasoning"} <= definitions["TokenPrice"]["properties"].keys()
    assert {"start", "end", "days", "cache_write"} <= definitions["Window"]["properties"].keys()
    assert {"above", "discount"} == definitions["DiscountStep"]["properties"].keys()
    assert "graduated" in definitions["Rate"]["properties"]


def test_what_a_prompt_cache_reads_and_writes_is_billed_as_such():
    """The demand says how many tokens of a request come from a cache; both are part of its input."""
    price = stated(cached_input="0.1", cache_write={"5m": "1.25", "1h": "2"})
    lengths = attrs.evolve(
        Lengths.fixed(1_000_000, 0), cached_tokens=[500_000], written_tokens=[200_000], written_ttl="5m"
    )
    demand = Workload(requests_per_month=1, lengths=lengths).on(Timeline(date(2026, 1, 1), 1))

    assert ApiUsage(price).cost(demand).amounts("USD")[1] == pytest.approx(0.05 + 0.25 + 0.3)
    assert ApiUsage(stated(cached_input="0.1")).cost(demand).unpriced
    with pytest.raises(InvalidValueError, match="cached_share: must be left out behind a prompt cache"):
        ApiUsage(price, cached_share=0.5).cost(demand)


TIERED = {"input": Rate(base="1.25", tiers=[Tier(above_tokens=200_000, price="2.50")])}


def states_of(price, workload, start=date(2026, 1, 1)):
    """Give kinds and notes of the states of a bill of two months."""
    timeline = Timeline(start, 2)
    return [(state.kind, state.note) for state in ApiUsage(price).cost(workload.on(timeline)).states]


@pytest.mark.parametrize(("mean", "said"), [(190_000, True), (20_000, True), (19_999, False), (100, False)])
def test_a_mean_near_a_threshold_is_an_estimate(mean, said):
    """A mean length says nothing of the requests beyond a tier; where some may lie there, the ledger says so."""
    found = states_of(stated(**TIERED), Workload(requests_per_month=10, input_tokens=mean, output_tokens=9))

    assert [kind for kind, _ in found] == ["estimate"] * said
    assert all(
        "other prices above 200,000 input tokens" in note and "State the workload's lengths" in note
        for _, note in found
    )


def test_stated_lengths_are_no_estimate():
    """A distribution is known, however short, and so are the parts that it is split into; a flat price needs none."""
    one, two = (
        Workload(requests_per_month=10, lengths=rows) for rows in ([[190_000, 9, 1]], [[190_000, 9, 1], [100, 9, 1]])
    )
    price, timeline = stated(**TIERED), Timeline(date(2026, 1, 1), 2)

    assert not states_of(price, one)
    for part in two.on(timeline).split_by_length(1_000):
        assert not ApiUsage(price).cost(part).states
    assert not states_of(stated(), Workload(requests_per_month=10, input_tokens=190_000, output_tokens=9))


def test_parts_of_a_mean_stay_an_estimate():
    """Scaling and filtering by length make no distribution of a mean; a tier of a window counts as well."""
    workload = Workload(requests_per_month=10, input_tokens=190_000, output_tokens=9)
    window = Window(start="00:00", end="12:00", **TIERED)
    timeline = Timeline(date(2026, 1, 1), 2)
    _, long = workload.on(timeline).scaled(0.5).split_by_length(1_000)

    assert {state.kind for state in ApiUsage(stated(**TIERED)).cost(long).states} == {"estimate"}
    assert [kind for kind, _ in states_of(stated(windows=[window]), workload)] == ["estimate"]


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (None, date(2026, 1, 15), True),
        (None, date(2026, 1, 16), False),
        (date(2026, 3, 15), None, True),
        (date(2026, 3, 14), None, False),
        (date(2025, 1, 1), date(2025, 6, 1), True),
        (None, None, False),
    ],
)
def test_a_price_of_other_months_is_named(start, end, said):
    """One price holds in every month whatever its period, and says so where no month has a day of it."""
    price = stated(period=Period(start=start, end=end))
    months = Timeline(date(2026, 1, 15), 2)

    found = states_of(price, TEAM, months.start)

    assert [kind for kind, _ in found] == ["caution"] * said
    assert all(str(price.period) in note and "2026-01-15" in note for _, note in found)
    assert ApiUsage(price).cost(TEAM.on(months)).amounts("USD").tolist() == [0, 1, 1]


def test_a_path_of_one_row_says_no_more_than_that_months_have_no_price():
    """A path knows what its periods mean."""
    found = states_of((stated(period=Period(end=date(2025, 1, 1))),), TEAM)

    assert [kind for kind, _ in found] == ["unpriced"]
