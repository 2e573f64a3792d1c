"""What users may rely on in the Chinese price lists."""

from __future__ import annotations

import itertools
import tomllib
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import llm_tco_cn
import pluggy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.catalog import hookspecs
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.rates import Usage
from llm_tco.catalog.records import Origin, Period, Source
from llm_tco.errors import NotInForceError

PRICES = llm_tco_cn.llm_tco_price_sheets()
BEIJING = ZoneInfo("Asia/Shanghai")
MILLION_EACH = Usage(input_tokens=1_000_000, output_tokens=1_000_000)

each_price = pytest.mark.parametrize(
    "row", PRICES, ids=lambda row: f"{row.provider}-{row.model}-{row.region or 'usd'}-{row.variant}-{row.period.start}"
)


def rows_of(provider, model, region="", variant="standard"):
    """Give the rows of a model in the order of their periods."""
    found = [row for row in PRICES if row.identity == (provider, model, variant, region)]
    return sorted(found, key=lambda row: row.period.start or date.min)


def cost(provider, model, moment, region=""):
    """Price a million tokens each way at a moment, as the catalog would."""
    row = Catalog(PRICES).price(provider, model, on=moment, region=region)
    return row.cost(MILLION_EACH, at=moment, exact=True)


@each_price
def test_every_price_has_an_address_and_a_day(row):
    """A reader can follow every price to a page, learns where on it, and whether it was read there."""
    assert row.source.url is not None
    assert row.source.url.startswith("https://")
    assert row.source.note
    assert row.source.checked >= date(2026, 11, 23)
    assert row.authority in ("vendor", "aggregator")


@each_price
def test_every_price_is_complete(row):
    """Input and output are priced, by the vendor's clock, and the list for China alone is in CNY."""
    assert row.input is not None
    assert row.output is not None
    assert row.timezone == "Asia/Shanghai"
    assert (row.currency == "CNY") == (row.region == "cn")


@each_price
def test_reads_of_a_cache_are_cheaper(row):
    """In these lists a token that a cache answers costs less than one that it does not, at every hour."""
    for flat in row.flats:
        if flat.cached_input is not None:
            assert flat.cached_input.base < flat.input.base
            tiers = zip(flat.cached_input.tiers, flat.input.tiers, strict=False)
            assert all(cached.price < plain.price for cached, plain in tiers)


def test_periods_of_one_price_do_not_overlap():
    """On each day at most one row of a model, variant and region holds: a change closes a row and opens the next."""
    rows = defaultdict(list)
    for row in PRICES:
        rows[row.identity].append(row.period)
    for periods in rows.values():
        periods.sort(key=lambda period: period.start or date.min)

        assert all(one.end is not None and one.end <= other.start for one, other in itertools.pairwise(periods))


def test_vendors_and_rows_are_as_many_as_promised():
    """At least five vendors, thirty rows, both currencies and three dated changes are there."""
    by_identity = defaultdict(list)
    for row in PRICES:
        by_identity[row.identity].append(row)
    changes = [
        (one.model, other.period.start)
        for rows in by_identity.values()
        for one, other in itertools.pairwise(sorted(rows, key=lambda row: row.period.start or date.min))
        if one.period.end == other.period.start
    ]

    assert len({row.provider for row in PRICES}) >= 5
    assert len(PRICES) >= 30
    assert {"CNY", "USD"} == {row.currency for row in PRICES}
    assert len(changes) >= 3


@pytest.mark.parametrize(
    ("moment", "usd"),
    [
        (datetime(2026, 8, 1, 2, tzinfo=UTC), "1.305"),  # a Saturday of the flat rate
        (datetime(2026, 8, 22, 2, tzinfo=UTC), "5.28"),  # the one Saturday of peak hours
        (datetime(2026, 8, 23, 2, tzinfo=UTC), "2.64"),  # the first Sunday without them
        (datetime(2026, 9, 25, 2, tzinfo=UTC), "2.64"),  # a Friday, and mid-autumn
        (datetime(2026, 10, 7, 2, tzinfo=UTC), "2.64"),  # the last day of the national holidays, a Wednesday
        (datetime(2026, 10, 8, 2, tzinfo=UTC), "5.28"),  # the day after it
        (datetime(2026, 10, 10, 2, tzinfo=UTC), "2.64"),  # a Saturday on which people work for it
        (datetime(2026, 11, 20, 2, tzinfo=UTC), "5.28"),  # a Friday, 10:00 in Beijing
        (datetime(2026, 11, 20, 5, tzinfo=UTC), "2.64"),  # that Friday, 13:00 in Beijing
        (datetime(2026, 11, 21, 2, tzinfo=UTC), "2.64"),  # a Saturday
    ],
)
def test_deepseek_v4_pro_costs_what_the_calendar_says(moment, usd):
    """Peak hours are those of Beijing, on working weekdays since 2026-08-23, and no hour had them before 2026-08-17."""
    assert cost("deepseek", "deepseek-v4-pro", moment) == Decimal(usd)


def test_deepseek_nights_of_2025_were_cheaper():
    """From 00:30 to 08:30 in Beijing V3 cost half and R1 a quarter, until the discount ended."""
    night = datetime(2025, 9, 5, 3, tzinfo=BEIJING)
    day, after = night.replace(hour=12), night + timedelta(days=1)

    assert cost("deepseek", "deepseek-chat", night) * 2 == cost("deepseek", "deepseek-chat", day)
    assert cost("deepseek", "deepseek-reasoner", night, "cn") * 4 == cost("deepseek", "deepseek-reasoner", day, "cn")
    assert cost("deepseek", "deepseek-chat", after) == Decimal("2.24")


@given(
    st.datetimes(datetime(2026, 8, 17), datetime(2030, 1, 1), timezones=st.just(BEIJING)),
    st.sampled_from(["deepseek-v4-pro", "deepseek-v4-flash"]),
    st.sampled_from(["", "cn"]),
)
def test_deepseek_off_peak_is_half_of_peak(moment, model, region):
    """At every moment since 2026-08-17 the price is that of peak hours or exactly half of it, by one rule."""
    busy = 9 <= moment.hour < 12 or 14 <= moment.hour < 18
    weekday = moment.weekday() < 5 or moment.date() < date(2026, 8, 23)
    row = next(row for row in rows_of("deepseek", model, region) if row.holds_on(moment))
    low = row.flats[0].cost(MILLION_EACH, at=moment, exact=True)

    assert row.cost(MILLION_EACH, at=moment, exact=True) == (2 * low if busy and weekday else low)


@pytest.mark.parametrize(
    ("provider", "model", "region", "on", "figures"),
    [
        ("zhipuai", "GLM-5.3-Flash", "cn", date(2026, 9, 9), ("0.4", "0.115", "1.4")),
        ("zhipuai", "GLM-5.3-Flash", "cn", date(2026, 9, 10), ("0.8", "0.23", "2.8")),
        ("zai", "GLM-5.3-Flash", "", date(2026, 9, 10), ("0.15", "0.03", "0.5")),
        ("moonshotai", "kimi-k3", "cn", date(2026, 11, 1), ("20", "2", "100")),
        ("moonshotai", "kimi-k3", "", date(2026, 11, 1), ("3", "0.3", "15")),
        ("minimax", "minimax-m3", "cn", date(2026, 11, 1), ("2.1", "0.42", "8.4")),
        ("alibaba", "qwen3.8-flash", "cn", date(2026, 8, 26), ("1", None, "3")),
        ("alibaba", "qwen3.8-flash", "cn", date(2026, 8, 27), ("0.8", None, "2.7")),
        ("baidu", "ernie-4.5-turbo-128k", "cn", date(2026, 11, 1), ("0.8", "0.2", "3.2")),
        ("volcengine", "doubao-seed-2.0-pro", "cn", date(2026, 11, 1), ("3.2", "0.64", "16")),
        ("tencent", "hunyuan-turbos", "cn", date(2026, 11, 1), ("0.8", None, "2")),
    ],
)
def test_published_prices_are_literal(provider, model, region, on, figures):
    """Prices are those of the published lists, to the digit, and change on the day on which they did."""
    row = Catalog(PRICES).price(provider, model, on=on, region=region)
    rates = (row.input, row.cached_input, row.output)

    assert tuple(None if rate is None else str(rate.base) for rate in rates) == figures


def test_long_requests_cost_what_the_table_says():
    """The whole request moves to the tier of its input tokens: 128,000 are in the second, one more in the third."""
    (row,) = rows_of("volcengine", "doubao-seed-2.0-pro", "cn")
    prices = [
        row.cost(Usage(input_tokens=tokens, output_tokens=0), exact=True) / tokens * 1_000_000
        for tokens in (32_000, 32_001, 128_000, 128_001)
    ]

    assert prices == [Decimal("3.2"), Decimal("4.8"), Decimal("4.8"), Decimal("9.6")]


def test_cache_writes_of_kimi_k3_are_priced_by_time_to_live():
    """Writes have a rate for five minutes and one for an hour since 2026-10-15, and none before."""
    before, after = rows_of("moonshotai", "kimi-k3")

    assert not before.cache_write
    assert {ttl: str(rate.base) for ttl, rate in after.cache_write.items()} == {"5m": "3", "1h": "6"}


def test_days_without_a_source_have_no_price():
    """A model has no price on a day before the first one that a source covers."""
    with pytest.raises(NotInForceError):
        Catalog(PRICES).price("deepseek", "deepseek-v4-pro", on=date(2026, 4, 25))


def test_the_vendors_sheet_wins_beside_a_general_list():
    """A row of an aggregator under the same names is superseded for as long as the vendor's rows hold."""
    general = TokenPrice(
        provider="deepseek",
        model="deepseek-v4-pro",
        currency="USD",
        input="9",
        output="9",
        authority="aggregator",
        period=Period(start=date(2026, 1, 1)),
        source=Source(title="a general list", checked=date(2026, 11, 23)),
        origin=Origin(plugin="general"),
    )
    catalog = Catalog([general, *PRICES])

    assert str(catalog.price("deepseek", "deepseek-v4-pro", on=date(2026, 11, 21)).input.base) == "0.66"
    assert str(catalog.price("deepseek", "deepseek-v4-pro", on=date(2026, 2, 1)).input.base) == "9"


def test_prices_that_simplify_say_so():
    """Exactly the rows whose price also depends on lengths that have no field, or are not known, are approximate."""
    approximate = [row for row in PRICES if row.approximate]

    assert {"GLM-4.7", "doubao-seed-1.8", "doubao-seed-2.1-pro"} == {row.model for row in approximate}
    assert all("by the length of the" in row.note for row in approximate)


def test_hooks_are_known_and_repeatable():
    """The plugin implements hooks that exist, and they return the same records each time."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(llm_tco_cn)

    manager.check_pending()

    assert manager.hook.llm_tco_price_sheets() == [PRICES]


def test_every_file_of_prices_is_read():
    """Each vendor's file is part of the sheet: none is forgotten."""
    folder = Path(llm_tco_cn.__file__).with_name("data")
    documents = [tomllib.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.toml")]

    assert sum(len(document.get("prices", ())) for document in documents) == len(PRICES)


def test_every_source_is_used():
    """No file names a source that none of its records refers to."""
    for path in Path(llm_tco_cn.__file__).with_name("data").glob("*.toml"):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        records = [*document.get("prices", ()), *document.get("tariffs", ())]

        assert set(document["sources"]) == {record["source"] for record in records}, path.name


def test_entry_point_names_the_plugin():
    """The distribution declares its module in the group that the core reads."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {"cn": llm_tco_cn.__name__} == project["entry-points"]["llm_tco"]
