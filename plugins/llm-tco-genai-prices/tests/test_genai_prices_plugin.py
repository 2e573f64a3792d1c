"""What users may rely on in the prices that come from genai-prices."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import llm_tco_genai_prices
import pluggy
import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)
from genai_prices.types import Tier as TheirTier

from llm_tco.catalog import hookspecs
from llm_tco.catalog.prices import Usage as TokenUsage
from llm_tco.catalog.records import Period

ROWS = llm_tco_genai_prices.llm_tco_price_sheets()
BY_IDENTITY = defaultdict(list)
for _row in ROWS:
    BY_IDENTITY[_row.identity].append(_row)


def in_force(provider, model, day, variant="standard"):
    """Give the only row in force, or None."""
    rows = [row for row in BY_IDENTITY[provider, model, variant, ""] if row.period.covers(day)]
    assert len(rows) <= 1
    return rows[0] if rows else None


def cost(row, input_tokens, output_tokens, cached_tokens=0):
    """Price one request."""
    return row.cost(TokenUsage(int(input_tokens), int(output_tokens), int(cached_tokens)))


def rows_of(*models):
    """Give the rows of made-up models of one provider."""
    from llm_tco_genai_prices._rows import sheet

    provider = Provider(id="acme", name="Acme", api_pattern="acme", models=list(models))
    return sheet(DataSnapshot(providers=[provider], from_auto_update=False), "0")


def model_of(prices, variants=None, key="m", match=None):
    """Give a made-up model."""
    return ModelInfo(id=key, match=match or ClauseEquals(key), prices=prices, price_variants=variants)


def usd(amount):
    """Give a price that has input and output at one rate."""
    return ModelPrice(input_mtok=Decimal(amount), output_mtok=Decimal(amount))


def test_import_is_light():
    """Importing the plugin loads neither genai-prices nor what it depends on."""
    code = "import sys, llm_tco_genai_prices; print(*sorted({name.partition('.')[0] for name in sys.modules}))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "llm_tco_genai_prices" in loaded
    assert set() == {"genai_prices", "httpx", "httpx2", "pydantic", "pydantic_core"} & set(loaded)


def test_hook_matches_its_specification():
    """The plugin manager accepts the plugin and calls its hook."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)

    manager.register(llm_tco_genai_prices)
    manager.check_pending()

    assert manager.hook.llm_tco_price_sheets() == [ROWS]


def test_every_model_is_present():
    """Each model of the snapshot has at least one standard row."""
    theirs = {(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models}
    count = sum(len(provider.models) for provider in get_snapshot().providers)

    assert theirs == {(row.provider, row.model) for row in ROWS if row.variant == "standard"}
    assert count == len(theirs)


def test_periods_do_not_overlap():
    """On no day are two rows of one identity in force."""
    for identity, rows in BY_IDENTITY.items():
        rows = sorted(rows, key=lambda row: row.period.start or date.min)
        for earlier, later in itertools.pairwise(rows):
            assert earlier.period.end is not None, identity
            assert later.period.start is not None, identity
            assert earlier.period.end <= later.period.start, identity


def test_rows_name_their_source():
    """Each row is an aggregator's, in USD, and says which version of genai-prices it is from."""
    assert {"aggregator"} == {row.authority for row in ROWS}
    assert {"USD"} == {row.currency for row in ROWS}
    assert all(" prices in genai-prices " in row.source.title for row in ROWS)
    assert "https://www.anthropic.com/pricing#api" in {row.source.url for row in ROWS}


def test_a_row_says_on_which_day_it_was_checked():
    """A day that the list states is the row's; a row without one says that it has none of its own."""
    days = {row.model: row.source for row in ROWS if row.provider == "openai"}

    assert days["gpt-4o-mini"].checked == date(2026, 10, 14)
    assert days["gpt-4o-mini"].note is None
    assert all(row.source.checked <= max(row.source.checked for row in ROWS if not row.source.note) for row in ROWS)
    assert any(row.source.note for row in ROWS)


@pytest.mark.parametrize(("day", "expected"), [(date(2025, 6, 1), 50.0), (date(2025, 7, 1), 10.0)])
def test_price_change_of_o3(day, expected):
    """A million tokens in and out cost 50 USD before the price cut of o3, and 10 after it."""
    assert expected == pytest.approx(cost(in_force("openai", "o3", day), 1e6, 1e6))


@pytest.mark.parametrize(("input_tokens", "expected"), [(200_000, 0.260), (200_001, 0.5150025)])
def test_context_tier_of_gemini(input_tokens, expected):
    """One token above the threshold moves the whole request to the higher tier."""
    row = in_force("google", "gemini-2.5-pro", date(2026, 6, 1))

    assert expected == pytest.approx(cost(row, input_tokens, 1000), rel=1e-12)


def test_rates_are_exact():
    """Rates are the decimal numbers of the list."""
    row = in_force("openai", "gpt-4o-mini", date(2026, 6, 1))

    assert (Decimal("0.15"), Decimal("0.60")) == (row.input.base, row.output.base)


def cases():
    """Give models with a day, a condition and lengths: all that have a history, and some others."""
    plain, dated = [], []
    for provider in get_snapshot().providers:
        for model in provider.models:
            constraints = [row.constraint for row in model.prices] if isinstance(model.prices, list) else []
            variants = model.price_variants or []
            constraints += [variant.constraint for variant in variants]
            starts = [one.start_date for one in constraints if isinstance(one, StartDateConstraint)]
            days = {start - timedelta(days=days) for start in starts for days in (0, 1)} | {date(2026, 6, 1)}
            contexts = [{}, *(variant.when for variant in variants)]
            target = dated if len(days) > 1 or len(contexts) > 1 else plain
            target += [(provider, model, day, context) for day in sorted(days) for context in contexts]
    return dated + random.Random(0).sample(plain, 300)


def usages(row):
    """Give both libraries' words for requests that use every kind of token that a row prices."""
    rates = [rate for rate in (row.input, row.cached_input, *row.cache_write.values(), row.output) if rate is not None]
    thresholds = {tier.above_tokens + more for rate in rates for tier in rate.tiers for more in (0, 1)}
    for size in {1000, *thresholds}:
        input_tokens = size if row.input else 0
        output_tokens = 700 if row.output else 0
        cached = input_tokens // 3 if row.cached_input else 0
        written = {ttl: input_tokens // (4 + place) for place, ttl in enumerate(row.cache_write)}
        thoughts = 200 if row.reasoning else 0
        theirs = Usage(
            input_tokens=input_tokens,
            cache_read_tokens=cached,
            cache_write_tokens=sum(written.values()),
            output_tokens=output_tokens,
            **({"cache_write_1h_tokens": written["1h"]} if "1h" in written else {}),
            **({"output_reasoning_tokens": thoughts} if thoughts else {}),
        )
        yield theirs, TokenUsage(input_tokens, output_tokens, cached, written, thoughts)


def test_costs_equal_those_of_genai_prices():
    """Each row costs what genai-prices calculates, at both sides of every price change and tier."""
    compared = 0
    for provider, model, day, context in cases():
        standard = in_force(provider.id, model.id, day)
        row = in_force(provider.id, model.id, day, "+".join(context[key] for key in sorted(context))) or standard
        at = datetime.combine(day, time(12), UTC)
        for theirs, ours in usages(row):
            expected = model.calc_price(theirs, provider, genai_request_timestamp=at, price_context=context).total_price

            assert expected == row.cost(ours, at, exact=True), (row.title, day, context)
            compared += 1

    assert compared > 1000


def test_windows_cost_what_genai_prices_says_at_every_hour():
    """At each half hour of a day, a row with windows has the price of the list."""
    compared = 0
    for provider, model, day, _ in cases():
        row = in_force(provider.id, model.id, day)
        if not row.windows:
            continue
        for half_hour in range(48):
            at = datetime.combine(day, time(half_hour // 2, half_hour % 2 * 30), UTC)
            for theirs, ours in usages(row):
                expected = model.calc_price(theirs, provider, genai_request_timestamp=at).total_price

                assert expected == row.cost(ours, at, exact=True), (row.title, at)
                compared += 1

    assert compared > 100


def test_cache_writes_are_kept_by_time_to_live():
    """A price of writes that live an hour stands beside the other one."""
    row = in_force("anthropic", "claude-sonnet-4-5", date(2026, 6, 1))

    assert {"default": Decimal("3.75"), "1h": Decimal("6")} == {ttl: rate.base for ttl, rate in row.cache_write.items()}


def test_time_windows_are_named():
    """A model with prices by the time of day is approximate and its note names hours and rates."""
    windowed = {
        (provider.id, model.id)
        for provider in get_snapshot().providers
        for model in provider.models
        if isinstance(model.prices, list) and isinstance(model.prices[-1].constraint, TimeOfDateConstraint)
    }

    approximate = [row for row in ROWS if row.approximate]

    assert windowed <= {(row.provider, row.model) for row in approximate}
    assert all(" UTC: input " in row.note for row in approximate)


def test_window_counts_until_a_later_row_replaces_it():
    """Only rows before the one that ends a price by the time of day are approximate."""
    window = TimeOfDateConstraint(start_time=time(0, 30, tzinfo=UTC), end_time=time(16, 30))
    prices = [
        ConditionalPrice(prices=usd(1)),
        ConditionalPrice(window, prices=usd("2.5")),
        ConditionalPrice(StartDateConstraint(date(2026, 1, 1)), prices=usd(3)),
    ]

    first, second = rows_of(model_of(prices))

    note = (
        "the list has the same hours on every day, and in the past: "
        "00:30 UTC to 16:30 UTC: input 2.5, output 2.5 USD/Mtok"
    )
    assert (1, True, note) == (first.input.base, first.approximate, first.note)
    assert [("00:30", "16:30", Decimal("2.5"))] == [(one.start, one.end, one.input.base) for one in first.windows]
    assert (second.input.base, second.approximate, second.note) == (3, False, None)


def test_of_windows_that_overlap_the_last_one_wins():
    """As in the list, so that the windows of a row never overlap; and one may run past midnight."""
    late = TimeOfDateConstraint(start_time=time(22), end_time=time(6))
    early = TimeOfDateConstraint(start_time=time(5), end_time=time(7))
    prices = [
        ConditionalPrice(prices=usd(1)),
        ConditionalPrice(late, prices=usd(2)),
        ConditionalPrice(early, prices=usd(3)),
    ]

    (row,) = rows_of(model_of(prices))

    assert [("00:00", "05:00", 2), ("05:00", "07:00", 3), ("22:00", "24:00", 2)] == [
        (window.start, window.end, window.input.base) for window in row.windows
    ]


def test_a_window_that_leaves_a_price_out_is_only_named():
    """There it has no price, while a window keeps the price of the other hours."""
    window = TimeOfDateConstraint(start_time=time(0), end_time=time(12))
    prices = [ConditionalPrice(prices=usd(1)), ConditionalPrice(window, prices=ModelPrice(input_mtok=Decimal(2)))]

    (row,) = rows_of(model_of(prices))

    assert row.windows == ()
    assert "leaves out other prices each day from 00:00 UTC to 12:00 UTC: input 2, output not stated" in row.note


def test_model_with_windows_only_is_unpriced_at_other_hours():
    """A model whose prices all depend on the time of day has a row without rates of its own."""
    window = TimeOfDateConstraint(start_time=time(0), end_time=time(12))

    (row,) = rows_of(model_of([ConditionalPrice(window, prices=usd(1))]))

    assert (row.input, row.output, row.approximate) == (None, None, True)
    assert row.windows[0].input.base == 1
    assert "00:00 UTC to 12:00 UTC" in row.note


def test_last_active_row_wins():
    """Rows out of order take effect as genai-prices takes them: the last active one wins."""
    prices = [
        ConditionalPrice(prices=usd(1)),
        ConditionalPrice(StartDateConstraint(date(2026, 6, 1)), prices=usd(2)),
        ConditionalPrice(StartDateConstraint(date(2026, 3, 1)), prices=usd(3)),
    ]

    rows = rows_of(model_of(prices))

    assert [
        (1, Period(end=date(2026, 3, 1))),
        (3, Period(start=date(2026, 3, 1))),
    ] == [(row.input.base, row.period) for row in rows]


def test_no_price_before_the_first_start():
    """Before the first start date there is no price, rather than the first one."""
    (row,) = rows_of(model_of([ConditionalPrice(StartDateConstraint(date(2026, 6, 1)), prices=usd(2))]))

    assert Period(start=date(2026, 6, 1)) == row.period


def test_variant_falls_back_to_the_standard_price_of_its_time():
    """Units that a variant doesn't state keep the standard price in force, from the variant's start on."""
    prices = [
        ConditionalPrice(prices=usd(8)),
        ConditionalPrice(StartDateConstraint(date(2026, 6, 1)), prices=usd(6)),
    ]
    batch = PriceVariant(
        {"processing": "batch"}, ModelPrice(input_mtok=Decimal(4)), StartDateConstraint(date(2026, 3, 1))
    )

    rows = [row for row in rows_of(model_of(prices, [batch])) if row.variant != "standard"]

    assert [
        ("batch", 4, 8, Period(start=date(2026, 3, 1), end=date(2026, 6, 1))),
        ("batch", 4, 6, Period(start=date(2026, 6, 1))),
    ] == [(row.variant, row.input.base, row.output.base, row.period) for row in rows]


def test_variants_are_named_by_their_values():
    """Several keys are joined in their order, and keys are named where values alone could be misread."""
    variants = [
        PriceVariant({"tier": "flex", "processing": "batch"}, usd(1)),
        PriceVariant({"tier": "fast"}, usd(2)),
        PriceVariant({"speed": "fast"}, usd(3)),
        PriceVariant({"tier": "standard"}, usd(4)),
    ]

    names = [row.variant for row in rows_of(model_of(usd(5), variants))]

    assert names == ["standard", "batch+flex", "tier=fast", "speed=fast", "tier=standard"]


def test_variants_that_repeat_the_standard_price_are_left_out():
    """A variant without prices, or with the standard ones, adds no row."""
    variants = [PriceVariant({"tier": "default"}, ModelPrice()), PriceVariant({"tier": "same"}, usd(5))]

    assert [row.variant for row in rows_of(model_of(usd(5), variants))] == ["standard"]


def test_units_that_have_no_field_are_named():
    """Charges that are no tokens of ours stand in the note."""
    prices = ModelPrice(input_mtok=Decimal(1), web_searches_kcount=Decimal(10), input_audio_mtok=Decimal(3))

    (row,) = rows_of(model_of(prices))

    assert row.note == "also charges for: input_audio_mtok, web_searches_kcount"


def test_free_is_not_unpriced():
    """A rate of 0 stays 0, and a rate that isn't stated stays None."""
    (row,) = rows_of(model_of(ModelPrice(input_mtok=Decimal(0))))

    assert row.input.base == 0
    assert row.output is None


def test_fee_is_per_request():
    """A fee per thousand requests becomes a fee per request, exactly."""
    (row,) = rows_of(model_of(ModelPrice(requests_kcount=Decimal("12.5"))))

    assert Decimal("0.0125") == row.per_request
    assert row.note is None


def test_tiered_fee_is_named():
    """A fee that depends on the length of the request is named in the note."""
    fee = TieredPrices(base=Decimal(1), tiers=[TheirTier(start=10, price=Decimal(2))])

    (row,) = rows_of(model_of(ModelPrice(requests_kcount=fee)))

    assert row.per_request == 0
    assert row.note == "also charges for: requests_kcount"


def test_aliases_are_names_of_one_model():
    """Names in full are aliases unless they are the model's own or belong to another model as well."""
    first = ClauseOr([ClauseEquals("a"), ClauseOr([ClauseEquals("a-1"), ClauseEquals("b")]), ClauseStartsWith("x")])
    second = ClauseOr([ClauseEquals("B-1"), ClauseEquals("shared")])
    third = ClauseOr([ClauseEquals("c-1"), ClauseEquals("Shared")])

    rows = rows_of(
        model_of(usd(1), key="a", match=first),
        model_of(usd(1), key="b", match=second),
        model_of(usd(1), key="c", match=third),
    )

    assert [row.aliases for row in rows] == [("a-1",), ("B-1",), ("c-1",)]
