"""Locks keep last year's figures, and a difference says where a new figure comes from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.rates import Rate
from llm_tco.catalog.records import Origin, Period
from llm_tco.catalog.tariffs import Tariff
from llm_tco.components.kinds import llm_tco_components
from llm_tco.difference import CAUSES, difference
from llm_tco.errors import CurrencyError, InvalidValueError, ProblemsError
from llm_tco.lock import Lookup, content_hash, lock_path, read_lock, stale, write_lock
from llm_tco.references import KeyRef
from llm_tco.scenario import load_scenario, lookups_of
from llm_tco.testing import strategies as own

FILE = """
currency = "CNY"
start = 2026-12-01
months = 12
fx.USD = 7.2

[workload]
requests_per_month = 1_000_000
input_tokens = 1000
output_tokens = 0

[prices.mini]
provider = "acme"
model = "mini"
on = 2026-11-01

[options.cloud]
costs = [{ kind = "api", price = "mini" }, { kind = "monthly", name = "desk", amount = "100 CNY" }]
"""


def catalog(price="1.00", **changes):
    """Make a catalog with one price per million input tokens."""
    row = TokenPrice(
        provider="acme", model="mini", currency="USD", input=Rate(base=Decimal(price)), source=own.SOURCE,
        authority="vendor", origin=Origin(plugin="llm-tco-acme", version="1.0"), **changes,
    )  # fmt: skip
    return Catalog((row,), components=llm_tco_components())


@pytest.fixture
def file(tmp_path):
    """Write the scenario."""
    path = tmp_path / "it.toml"
    path.write_text(FILE, "utf-8")
    return path


def tco(path, records):
    """Give the total cost of the option."""
    return load_scenario(path, catalog=records).compare()["cloud"].tco


def lock(path, records):
    """Write the lock of a file."""
    lock_path(path).write_text(write_lock(lookups_of(path, catalog=records), name=path.name), "utf-8")


def test_an_upgrade_of_a_plugin_changes_no_locked_report(file):
    """A price that is corrected later leaves a locked scenario as it was, and changes an unlocked one."""
    before = tco(file, catalog("1.00"))
    assert np.isclose(before, 12 * (1_000 * 7.2 + 100))
    assert tco(file, catalog("2.00")) > before

    lock(file, catalog("1.00"))

    assert tco(file, catalog("2.00")) == before
    assert tco(file, Catalog((), components=llm_tco_components())) == before
    assert load_scenario(file, catalog=catalog("2.00"), locked=False).compare()["cloud"].tco > before


def test_a_lock_keeps_where_each_record_comes_from(file):
    """Origin, source and figures come back as they were, and so does the hash."""
    lock(file, catalog())
    ((asked, (record,)),) = read_lock(lock_path(file)).items()
    (stated,) = catalog().records

    assert str(asked) == "price model = mini, on = 2026-11-01, provider = acme, variant = standard"
    assert record == stated
    assert record.origin == stated.origin
    assert content_hash(record) == content_hash(stated)


def test_a_lock_keeps_second_sources(file):
    """Where two plugins state the same, the record that comes back still names both sources."""
    second = attrs.evolve(own.SOURCE, title="another page", url=None, note='says "the same"')
    (row,) = catalog().records
    other = attrs.evolve(row, source=second, origin=Origin(plugin="llm-tco-other", version="2.0"))
    both = Catalog((row, other), components=llm_tco_components())
    lock(file, both)

    ((_, (record,)),) = read_lock(lock_path(file)).items()

    assert record.also == (second,)
    assert load_scenario(file, catalog=catalog()).compare()["cloud"].ledger.records[0].also == (second,)


def test_a_later_library_that_knows_more_fields_gives_the_same_hash():
    """A field at its default is no part of it, so that locks outlive an upgrade of the library."""
    (row,) = catalog().records

    @attrs.frozen(kw_only=True)
    class Later(TokenPrice):
        per_image: Decimal = Decimal(0)

    later = Later(**{name: getattr(row, name) for name in attrs.fields_dict(TokenPrice)})

    assert content_hash(later) == content_hash(row)
    assert content_hash(attrs.evolve(later, per_image=Decimal(1))) != content_hash(row)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("on = 2026-11-01", "", "prices.mini.on: is missing; give the day whose price is meant, or path = true"),
        ("on = 2026-11-01", "on = 2026-11-01\npath = true", "on: means one day and path = true all rows"),
        (
            'provider = "acme"',
            'provder = "acme"',
            "provder: is not a field of a price that the catalog is asked for; did",
        ),
    ],
)
def test_a_wrong_reference_is_told_in_the_words_of_the_file(file, old, new, said):
    """No name of a class stands in the report."""
    file.write_text(FILE.replace(old, new), "utf-8")

    with pytest.raises(ProblemsError, match=said):
        load_scenario(file, catalog=catalog())


def test_the_hash_is_of_what_a_record_states():
    """Another figure has another hash, another origin has not."""
    (one,), (other,) = catalog("1.00").records, catalog("1.01").records

    assert content_hash(one) != content_hash(other)
    assert content_hash(one) == content_hash(attrs.evolve(one, origin=Origin(plugin="elsewhere")))


def test_a_lock_that_was_edited_is_refused(file):
    """A figure that was changed by hand no longer has its hash."""
    lock(file, catalog())
    path = lock_path(file)
    path.write_text(path.read_text("utf-8").replace('"1.00"', '"0.50"'), "utf-8")

    with pytest.raises(ProblemsError, match=r"lookups\[0\]: no record has the hash sha256:\w+: the lock was edited"):
        load_scenario(file, catalog=catalog())


def test_a_lock_that_is_too_old_is_named(file):
    """A scenario that asks for more than its lock holds says so, with what to do."""
    lock(file, catalog())
    file.write_text(FILE.replace("on = 2026-11-01", "on = 2026-11-02"), "utf-8")

    with pytest.raises(ProblemsError, match="prices.mini: is not in the lock.*on = 2026-11-02.*llm-tco lock"):
        load_scenario(file, catalog=catalog())


@pytest.mark.parametrize("text", ["", "format = 3", "nonsense", "format = 2\n[[lookups]]\nkind = 3"])
def test_what_is_no_lock_is_refused(file, text):
    """A damaged lock is a report, and no traceback."""
    lock_path(file).write_text(text, "utf-8")

    with pytest.raises(ProblemsError):
        load_scenario(file, catalog=catalog())


def write(folder, name, text):
    """Write another scenario."""
    path = folder / f"{name}.toml"
    path.write_text(text, "utf-8")
    return path


def change(file, text, records=None):
    """Split the difference between the scenario and another text."""
    return difference(file, write(file.parent, "after", text), catalog=records or catalog()).options["cloud"]["tco"]


@pytest.mark.parametrize(
    ("old", "new", "cause", "amount"),
    [
        ("requests_per_month = 1_000_000", "requests_per_month = 2_000_000", "volume", 12 * 7_200),
        ("fx.USD = 7.2", "fx.USD = 7.0", "exchange rate", -12 * 200),
        ('amount = "100 CNY"', 'amount = "150 CNY"', "price", 600),
        ("months = 12", "months = 6", "assumptions", -6 * 7_300),
    ],
)
def test_one_cause_explains_all_of_its_change(file, old, new, cause, amount):
    """Where only one thing changed, it explains the whole difference."""
    found = change(file, FILE.replace(old, new))

    assert np.isclose(found.causes[cause], amount)
    assert all(found.causes[other] == 0 for other in CAUSES if other != cause)


def test_the_name_of_an_option_is_no_cause(file):
    """An option that somebody calls "price" holds assumptions like any other."""
    text = FILE.replace("[options.cloud]", "[options.price]")
    before = write(file.parent, "before", text)
    after = write(file.parent, "after", text.replace('amount = "100 CNY"', 'amount = "100 CNY", growth_per_year = 1.0'))

    (found,) = difference(before, after, catalog=catalog()).options.values()

    assert found["tco"].causes["assumptions"] == pytest.approx(found["tco"].after - found["tco"].before)
    assert found["tco"].causes["price"] == 0


def test_price_and_volume_share_what_they_make_together(file):
    """Twice the volume at twice the price: each explains its own and half of what both make."""
    rows = [*catalog("1.00", period=Period(end=date(2026, 11, 15))).records]
    rows += catalog("2.00", period=Period(start=date(2026, 11, 15))).records
    text = FILE.replace("on = 2026-11-01", "on = 2026-11-20").replace("1_000_000", "2_000_000")
    found = change(file, text, Catalog(rows, components=llm_tco_components()))

    assert np.isclose(found.causes["price"], 12 * 7_200 * 1.5)
    assert np.isclose(found.causes["volume"], 12 * 7_200 * 1.5)


def test_a_lock_on_one_side_is_its_prices(file):
    """The same file, locked then and unlocked now: the difference is price alone."""
    lock(file, catalog("1.00"))
    found = difference(file, write(file.parent, "now", FILE), catalog=catalog("2.00")).options["cloud"]["tco"]

    assert np.isclose(found.causes["price"], 12 * 7_200)
    assert np.isclose(found.after - found.before, 12 * 7_200)


TEXTS = st.tuples(
    st.integers(1, 3_000_000), st.floats(0.1, 10.0), st.integers(0, 500), st.integers(1, 36), st.floats(0, 0.2)
).map(
    lambda drawn: (
        FILE.replace("1_000_000", str(drawn[0]))
        .replace("fx.USD = 7.2", f"fx.USD = {drawn[1]}\ndiscount_rate = {drawn[4]}")
        .replace("100 CNY", f"{drawn[2]} CNY")
        .replace("months = 12", f"months = {drawn[3]}")
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS)
def test_the_causes_sum_to_the_difference(tmp_path, one, other):
    """Whatever changed, nothing is left over; and the way back is the way there, negated."""
    files = [write(tmp_path, name, text) for name, text in (("one", one), ("other", other))]
    there, back = (difference(*pair, catalog=catalog()).options["cloud"] for pair in (files, files[::-1]))
    for figure in ("tco", "npv_cost"):
        scale = there[figure].before + there[figure].after
        assert abs(sum(there[figure].causes.values()) - (there[figure].after - there[figure].before)) <= 1e-9 * scale
        assert all(abs(there[figure].causes[c] + back[figure].causes[c]) <= 1e-9 * scale for c in CAUSES)


def test_what_cannot_stand_between_is_left_out(file):
    """A new currency needs its rate: orders in which one comes without the other are not evaluated."""
    text = FILE.replace("fx.USD = 7.2", "fx.USD = 7.2\nfx.EUR = 8.0").replace("100 CNY", "100 EUR")
    found = difference(file, write(file.parent, "after", text), catalog=catalog())

    assert found.orders == (12, 24)
    assert np.isclose(found.options["cloud"]["tco"].causes["price"], 12 * 700)


def test_options_of_one_side_are_named(file):
    """An option that only one of the two has is listed, and not split."""
    text = FILE + '[options.other]\ncosts = [{ kind = "monthly", name = "desk", amount = "1 CNY" }]\n'
    found = difference(file, write(file.parent, "after", text), catalog=catalog())

    assert (found.only_before, found.only_after) == ((), ("other",))
    assert set(found.options) == {"cloud"}


def test_two_currencies_have_no_difference(file):
    """Yuan and dollars are not subtracted."""
    with pytest.raises(CurrencyError, match="results in CNY and in USD"):
        change(file, FILE.replace('currency = "CNY"', 'currency = "USD"').replace("fx.USD = 7.2", "fx.CNY = 0.139"))


def test_stale_records_are_the_oldest_first():
    """A record whose source was checked long ago is listed; one that was checked lately is not."""
    checked = [date(2026, 1, 1), date(2026, 11, 1), date(2025, 6, 1)]
    rows = [attrs.evolve(catalog().records[0], model=str(day), source=attrs.evolve(own.SOURCE, checked=day))
            for day in checked]  # fmt: skip

    found = stale(rows, older_than_days=90, today=date(2026, 11, 23))

    assert [record.model for record in found] == ["2025-06-01", "2026-01-01"]


def test_words_that_are_not_stated_are_left_out_of_a_lookup():
    """The same question has the same words, stated or not."""
    assert Lookup.of("price", {"model": "m", "plugin": None, "path": False}) == Lookup.of("price", {"model": "m"})


def test_a_lock_lies_beside_its_file():
    """The name says to which file it belongs."""
    assert lock_path(Path("a/b.toml")) == Path("a/b.lock")


def test_a_tariff_is_asked_for_by_a_day():
    """Where neither the reference nor the scenario's start says one, the report names the field of the file."""
    with pytest.raises(InvalidValueError, match="on: is missing; give the day whose tariff is meant"):
        KeyRef(key="night").find(catalog(), Tariff)


def test_a_lock_of_an_earlier_format_is_written_anew(file):
    """Its hashes were made otherwise, so that it was not edited by hand."""
    lock(file, catalog())
    path = lock_path(file)
    path.write_text(path.read_text("utf-8").replace("format = 2", "format = 1"), "utf-8")

    with pytest.raises(ProblemsError, match="is no lock of format 2; write it anew with llm-tco lock"):
        load_scenario(file, catalog=catalog())
