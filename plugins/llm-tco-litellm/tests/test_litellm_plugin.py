"""What users may rely on in the prices that come from a LiteLLM price map."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from fractions import Fraction

import llm_tco_litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_tco_litellm._places import PriceMap
from llm_tco_litellm._rows import LIST_URL, NO_DAY, per_mtok, sheet

from llm_tco import Catalog
from llm_tco.catalog.checks import check_records, rank
from llm_tco.catalog.prices import TokenPrice, Usage
from llm_tco.catalog.records import AUTHORITIES, Source
from llm_tco.errors import InvalidValueError, ProblemsError, UnpricedError
from llm_tco.testing import PluginConformance

MAP = """{
  "sample_spec": {"mode": "one of: chat, embedding", "litellm_provider": "one of many", "input_cost_per_token": 0.0},
  "hal/long": {
    "litellm_provider": "hal", "mode": "chat", "source": "https://hal.test/prices",
    "input_cost_per_token": 1.25e-06, "input_cost_per_token_above_200k_tokens": 2.5e-06,
    "output_cost_per_token": 1e-05, "output_cost_per_token_above_200k_tokens": 1.5e-05,
    "cache_read_input_token_cost": 1.25e-07, "output_cost_per_reasoning_token": 3.5e-06,
    "output_cost_per_reasoning_token_above_200k_tokens": 4e-06,
    "input_cost_per_token_batches": 6e-07, "input_cost_per_token_above_200k_tokens_batches": 1.2e-06,
    "output_cost_per_token_batches": 5e-06
  },
  "cached": {
    "litellm_provider": "hal", "mode": "responses", "source": "the vendor's page",
    "input_cost_per_token": 3e-06, "output_cost_per_token": 0.000015, "input_cost_per_request": 0.005,
    "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
    "cache_read_input_token_cost": 3e-07, "input_cost_per_token_flex": 1.5e-06,
    "output_cost_per_token_priority": 3e-05, "input_cost_per_token_priority": 6e-06,
    "search_context_cost_per_query": {"search_context_size_low": 0.01}, "input_cost_per_audio_token": 0
  },
  "hal/free": {"litellm_provider": "hal", "mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0},
  "vectors": {"litellm_provider": "hal-embedding-models", "mode": "embedding", "input_cost_per_token": 2e-08,
    "output_cost_per_token": 0.0},
  "hal/silent": {"litellm_provider": "hal", "mode": "completion"},
  "hal/painter": {"litellm_provider": "hal", "mode": "image_generation", "output_cost_per_image": 0.04},
  "hal/ranges": {"litellm_provider": "hal", "mode": "chat", "tiered_pricing": [
    {"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 4e-06,
     "cache_read_input_token_cost": 1e-07},
    {"range": [32000.0, 128000.0], "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06}]},
  "hal/typo": {"litellm_provider": "hal", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 0.5}
}"""
FOUND = PriceMap(title="LiteLLM price map map.json", text=MAP)
ROWS = {(row.model, row.variant): row for row in sheet(FOUND)}
VARIABLES = ("LLM_TCO_LITELLM_PRICES", "LLM_TCO_LITELLM_CHECKED")


def rows_of(**entries):
    """Give the rows of entries by key; each is one of a chat model of hal unless it says otherwise."""
    stated = {key: {"litellm_provider": "hal", "mode": "chat", **entry} for key, entry in entries.items()}
    return sheet(PriceMap(title="map", text=json.dumps(stated)))


def prices(rate):
    """Give the prices of a rate by the number of tokens above which they hold."""
    return {0: str(rate.base), **{tier.above_tokens: str(tier.price) for tier in rate.tiers}}


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    """Leave the variables of whoever runs the tests out."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def named(tmp_path, monkeypatch):
    """Name a map in the environment."""
    path = tmp_path / "map.json"
    path.write_text(MAP, "utf-8")
    monkeypatch.setenv("LLM_TCO_LITELLM_PRICES", str(path))
    return path


class TestLitellm(PluginConformance):
    """What every plugin of llm_tco must pass, with a map of the user."""

    plugin = "litellm"

    @pytest.fixture(autouse=True)
    def map(self, named):
        """Name the map."""


# --- prices ----------------------------------------------------------------------------


@given(st.decimals(0, 1000, allow_nan=False, allow_infinity=False))
def test_prices_are_turned_into_millions_exactly(price):
    """A price per million tokens is a million times that per token, to the last digit, and reads as one."""
    assert Fraction(price) * 10**6 == Fraction(per_mtok(price))
    assert "E+" not in str(per_mtok(price))


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_request_costs_its_tokens_times_the_maps_prices(input_nano, output_nano, input_tokens, output_tokens):
    """What a request costs is what the map's numbers say, without rounding."""
    per_input, per_output = Decimal(input_nano) / 10**12, Decimal(output_nano) / 10**12
    text = f'{{"m": {{"mode": "chat", "litellm_provider": "hal", "input_cost_per_token": {per_input}, '
    text += f'"output_cost_per_token": {per_output}}}}}'
    (row,) = sheet(PriceMap(title="map", text=text))
    expected = per_input * input_tokens + per_output * output_tokens

    if row.input is not None and row.output is not None:  # not so small that the library refuses it
        assert row.cost(Usage(input_tokens, output_tokens), exact=True) == expected
    assert (row.input is None) == (per_input * 10**6 < Decimal("1e-5"))


def test_tiers_are_cliffs_above_the_threshold():
    """One token above 200,000 moves the whole request, cached tokens counted."""
    row = ROWS["long", "standard"]

    assert {0: "1.25", 200_000: "2.5"} == prices(row.input)
    assert {0: "10", 200_000: "15"} == prices(row.output)
    assert {0: "3.5", 200_000: "4"} == prices(row.reasoning)
    assert Decimal("0.25") == row.cost(Usage(200_000, 0), exact=True)
    assert Decimal("0.5000025") == row.cost(Usage(200_001, 0), exact=True)


def test_a_rate_without_the_price_of_long_requests_is_left_out():
    """What a long request pays is not known, and is not guessed from that of a short one."""
    assert ROWS["long", "standard"].cached_input is None
    assert "not priced at every length: cached_input" in ROWS["long", "standard"].note
    assert ({0: "0.6", 200_000: "1.2"}, None) == (
        prices(ROWS["long", "batch"].input),
        ROWS["long", "batch"].output,
    )


def test_cache_writes_stand_by_their_time_to_live():
    """Writes that live an hour have their own price."""
    row = ROWS["cached", "standard"]

    assert {"default": {0: "3.75"}, "1h": {0: "6"}} == {ttl: prices(rate) for ttl, rate in row.cache_write.items()}
    assert Decimal("0.3") == row.cached_input.base


def test_a_fee_per_request_is_kept():
    """A request without tokens costs the fee."""
    assert Decimal("0.005") == ROWS["cached", "standard"].cost(Usage(0, 0), exact=True)


def test_a_variant_has_what_is_stated_for_it_alone():
    """A flex price of input says nothing of the output."""
    flex, priority = ROWS["cached", "flex"], ROWS["cached", "priority"]

    assert (Decimal("1.5"), None, {}) == (flex.input.base, flex.output, flex.cache_write)
    assert (Decimal(6), Decimal(30), None) == (priority.input.base, priority.output.base, priority.cached_input)


@pytest.mark.parametrize(("model", "kind"), [("free", "input"), ("free", "output"), ("vectors", "output")])
def test_zero_is_not_priced(model, kind):
    """A 0, which may be free or unknown, never makes a request cheap."""
    row = ROWS[model, "standard"]

    assert getattr(row, kind) is None
    assert f"leaves out what is 0, free or not known: {'input' if model == 'free' else 'output'}_cost" in row.note
    with pytest.raises(UnpricedError, match=f"no price for {kind} tokens"):
        row.cost(Usage(10 if kind == "input" else 0, 10))


def test_what_is_missing_is_not_priced():
    """A model without prices is known and has none."""
    row = ROWS["silent", "standard"]

    assert (row.input, row.output, row.note) == (None, None, None)


def test_what_is_not_plausible_is_left_out_and_named():
    """A slip of a decimal point in the map makes nobody's bill."""
    row = ROWS["typo", "standard"]

    assert (Decimal(1), None) == (row.input.base, row.output)
    assert "not plausible: output_cost_per_token = 0.5" in row.note


def test_a_table_of_ranges_is_tiers():
    """Prices by the length of the input are cliffs, and a price that a range lacks is left out."""
    row = ROWS["ranges", "standard"]

    assert ({0: "1", 32_000: "2"}, {0: "4", 32_000: "8"}) == (prices(row.input), prices(row.output))
    assert row.cached_input is None


def test_other_charges_are_named():
    """What no row can hold stands in the note; what is 0 does not."""
    assert ROWS["cached", "standard"].note == "also charges for: search_context_cost_per_query"


def test_other_modes_are_left_out():
    """What is not billed by the token, and the map's description of itself, give no row."""
    assert {"long", "cached", "free", "vectors", "silent", "ranges", "typo"} == {model for model, _ in ROWS}


# --- names, sources, rank --------------------------------------------------------------


def test_providers_and_models_have_their_own_names():
    """The provider is in front of no model, and a group of models is no provider."""
    assert {"hal"} == {row.provider for row in ROWS.values()}


def test_keys_that_mean_the_same_are_one_row_or_keep_their_whole_name():
    """Nothing is stated twice, and nothing that differs is dropped."""
    price = {"input_cost_per_token": 1e-6}
    same = rows_of(**{"m": price, "hal/m": price, "hal/M": price})
    differing = rows_of(**{"m": price, "hal/m": {"input_cost_per_token": 2e-6}})

    assert ["m"] == [row.model for row in same]
    assert {"m": 1, "hal/m": 2} == {row.model: row.input.base for row in differing}


def test_every_row_passes_the_checks_of_the_kit():
    """Nothing is stated twice, nothing lacks its address, nothing is implausible."""
    assert [] == check_records(ROWS.values())


def test_a_source_has_the_address_of_the_entry_or_of_the_map():
    """A reader can follow the price to where LiteLLM found it."""
    assert ("https://hal.test/prices", LIST_URL) == (
        ROWS["long", "standard"].source.url,
        ROWS["cached", "standard"].source.url,
    )


@pytest.mark.parametrize("authority", [one for one in AUTHORITIES if one != "claim"])
@pytest.mark.parametrize("approximate", [False, True])
def test_any_other_row_wins(authority, approximate):
    """These prices fill gaps, and go before nobody's, not before an approximate row of another list."""
    ours = ROWS["cached", "standard"]
    other = TokenPrice(
        provider="hal", model="cached", currency="USD", input="9", authority=authority, approximate=approximate,
        source=Source(title="Another list", url="https://list.test", checked=date(2026, 11, 23)),
    )  # fmt: skip

    assert rank(other) < rank(ours)
    assert Catalog([ours, other]).price("hal", "cached", on=date(2026, 11, 23)) is other


# --- where the map is ------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a litellm that must not be imported, as an installer would."""
    package = tmp_path / "site" / "litellm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('litellm was imported')\n", "utf-8")
    (package / "model_prices_and_context_window_backup.json").write_text(MAP, "utf-8")
    info = package.parent / "litellm-9.8.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 9.8.7\n", "utf-8")
    monkeypatch.syspath_prepend(str(package.parent))
    return package


def test_an_installed_litellm_is_read_and_not_imported(installed):
    """Its map is a file; its code stays out of the process."""
    rows = llm_tco_litellm.llm_tco_price_sheets()

    assert len(rows) == len(ROWS)
    assert {"LiteLLM price map in litellm 9.8.7"} == {row.source.title for row in rows}
    assert "litellm" not in sys.modules


def test_an_installed_litellm_without_a_map_is_reported(installed):
    """It is not passed over in silence."""
    (installed / "model_prices_and_context_window_backup.json").unlink()

    with pytest.raises(InvalidValueError, match=r"the installed litellm 9\.8\.7 has no model_prices"):
        llm_tco_litellm.llm_tco_price_sheets()


def test_the_users_file_goes_before_the_installed_one(installed, named):
    """Whoever names a file gets that one."""
    titles = {row.source.title for row in llm_tco_litellm.llm_tco_price_sheets()}

    assert titles == {"LiteLLM price map map.json"}


def test_the_day_is_the_users_or_none(named, monkeypatch):
    """The plugin invents no day: without one every row is stale, and says why."""
    (undated, *_) = llm_tco_litellm.llm_tco_price_sheets()
    monkeypatch.setenv("LLM_TCO_LITELLM_CHECKED", "2026-11-20")
    (dated, *_) = llm_tco_litellm.llm_tco_price_sheets()

    assert (NO_DAY, date(2026, 11, 20)) == (undated.source.checked, dated.source.checked)
    assert "states no day" in undated.source.note
    assert "states no day" not in dated.source.note


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LLM_TCO_LITELLM_PRICES", "map.json", "LLM_TCO_LITELLM_PRICES: is relative, got 'map.json'"),
        ("LLM_TCO_LITELLM_PRICES", "/no/such/map.json", "LLM_TCO_LITELLM_PRICES: names no file"),
        ("LLM_TCO_LITELLM_CHECKED", "last week", "LLM_TCO_LITELLM_CHECKED: must be a day such as 2026-11-23"),
    ],
)
def test_a_variable_that_means_nothing_is_an_error(named, monkeypatch, name, value, message):
    """A file that is not there is not the same as no file."""
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidValueError, match=message):
        llm_tco_litellm.llm_tco_price_sheets()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must map names of models to their prices, got a list"),
        ("{", "is not a JSON document"),
        ('{"m": {"mode": "chat", "litellm_provider": "p", "input_cost_per_token": NaN}}', "NaN is no number"),
        ('{"m": {"mode": "chat", "litellm_provider": "p", "input_cost_per_token": "1"}}', "must be a number, got '1'"),
        ('{"m": {"mode": "chat", "litellm_provider": "p", "input_cost_per_token": -1}}', "must be at least 0, got -1"),
        ('{"m": {"mode": "chat"}}', "m.litellm_provider: must be the name of a provider, got None"),
        (
            '{"m": {"mode": "chat", "litellm_provider": "p", "tiered_pricing": [{"range": ["a", 1]}]}}',
            r"m.tiered_pricing\[0\].range\[0\]: must be a number, got 'a'",
        ),
    ],
)
def test_a_damaged_map_is_one_report(text, message):
    """Whoever edits a map learns where it is wrong."""
    with pytest.raises(ProblemsError, match=message):
        sheet(PriceMap(title="map.json", text=text))


def test_without_any_map_the_plugin_brings_nothing_and_is_well():
    """A user who has neither is told of no fault, and litellm is not looked for beyond the packages."""
    code = """
import importlib_metadata
real = importlib_metadata.distribution
def distribution(name):
    if name == "litellm":
        raise importlib_metadata.PackageNotFoundError(name)
    return real(name)
importlib_metadata.distribution = distribution
from llm_tco import load_catalog
print([(one.status, one.records) for one in load_catalog().plugins if one.name == "litellm"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[('ok', ())]"
