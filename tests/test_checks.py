"""What records must pass: slips of units are caught, whatever is merely unusual is not."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources

import attrs
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from llm_tco.catalog.bounds import BOUNDS, DRIFT, UNITS_PER_USD, Bound, bound_of
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.checks import FIRST_DAY, check_record, check_records, leaves
from llm_tco.catalog.hardware import Gpu, GpuPrice, Part, Server
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.prices import Rate, Tier, TokenPrice
from llm_tco.catalog.reading import read_toml
from llm_tco.catalog.records import Period, Source
from llm_tco.catalog.tariffs import Band, ServicePrice, Tariff
from llm_tco.components.kinds import llm_tco_components
from llm_tco.money import Money
from llm_tco.scenario import read_scenario
from llm_tco.testing import records as own

DAY = date(2026, 11, 23)
SOURCE = Source(title="A page", url="https://example.org/page", checked=DAY)
B200 = Gpu(
    key="b200-sxm", name="NVIDIA B200", vendor="NVIDIA", memory_bytes=180e9, memory_bandwidth_bytes_per_s=7.7e12,
    tdp_w=1_000, idle_w=140, bf16_flops_per_s=2.25e15, fp8_flops_per_s=4.5e15, source=SOURCE,
)  # fmt: skip
SERVER = Server(key="s", name="S", parts=(Part(name="all", price="25900 CNY"),), idle_w=105, peak_w=600, source=SOURCE)
MODEL = Model(key="m", name="M", parameters=7.6e9, source=SOURCE)
PRICE = TokenPrice(
    provider="p", model="m", currency="USD", input=Rate(base=Decimal(1)), output=Rate(base=Decimal(4)), source=SOURCE
)
TARIFF = Tariff(key="t", name="T", price_per_kwh="0.6 CNY", source=SOURCE)
SERVICE = ServicePrice(key="h", name="H", per="hour", low="300 CNY", high="400 CNY", source=SOURCE)
SPEED = Throughput(gpu="g", model="m", quantisation="fp16", output_tokens_per_s=100.0, source=SOURCE)
GOOD = (B200, SERVER, MODEL, PRICE, TARIFF, SERVICE, SPEED)


def rental(amount):
    """Make the rental price of a card."""
    return (GpuPrice(basis="rental", price=amount, per="card hour", on=DAY, source=SOURCE),)


def rate(amount):
    """Make a rate."""
    return Rate(base=Decimal(amount))


@pytest.mark.parametrize("record", GOOD, ids=lambda record: record.kind)
def test_a_good_record_passes(record):
    """Nothing is found where nothing is wrong."""
    assert check_records([record], today=DAY) == []


SLIPS = [
    (attrs.evolve(B200, prices=rental("0.01 USD")), "prices[0].price", "0.01 USD is outside 0.02 to 100 USD/h"),
    (attrs.evolve(B200, prices=rental("0.01 EUR")), "prices[0].price", "0.01 EUR"),
    (attrs.evolve(B200, prices=rental("300 USD")), "prices[0].price", "300 USD"),
    (attrs.evolve(B200, memory_bytes=180), "memory_bytes", "180 is outside 1e+09 to 1e+12 B"),
    (attrs.evolve(B200, memory_bandwidth_bytes_per_s=7.7), "memory_bandwidth_bytes_per_s", "7.7"),
    (attrs.evolve(B200, tdp_w=10_000), "tdp_w", "10000 is outside 1 to 3000 W"),
    (attrs.evolve(B200, bf16_flops_per_s=2_250), "bf16_flops_per_s", "2250"),
    (attrs.evolve(SERVER, parts=(Part(name="gold", price="9e9 CNY"),)), "parts[0].price", "CNY"),
    (attrs.evolve(SERVER, peak_w=1e6), "peak_w", "1e+06"),
    (attrs.evolve(MODEL, parameters=7.6), "parameters", "7.6 is outside"),
    (attrs.evolve(PRICE, input=rate("0.000001")), "input.base", "0.000001 USD is outside 0 or 1e-05 to 5000 USD/Mtok"),
    (attrs.evolve(PRICE, output=rate("15000")), "output.base", "15000 USD"),
    (
        attrs.evolve(PRICE, input=Rate(base=Decimal(1), tiers=(Tier(above_tokens=9, price=Decimal("1e5")),))),
        "input.tiers[0].price",
        "1E+5 USD",
    ),
    (attrs.evolve(PRICE, per_request=Decimal(500)), "per_request", "500 USD"),
    (attrs.evolve(PRICE, currency="CNY", output=rate(60_000)), "output.base", "60000 CNY"),
    (attrs.evolve(TARIFF, price_per_kwh=Money.parse("600 CNY")), "price_per_kwh", "600 CNY"),
    (attrs.evolve(TARIFF, carbon_kg_per_kwh=580.0), "carbon_kg_per_kwh", "580 is outside 0 to 3 kg/kWh"),
    (
        attrs.evolve(
            TARIFF,
            timezone="UTC",
            carbon_kg_per_kwh=0.5,
            bands=(Band(name="night", price_per_kwh="0.3 CNY", end="07:00", carbon_kg_per_kwh=400.0),),
        ),
        "bands[0].carbon_kg_per_kwh",
        "400 is outside 0 to 3 kg/kWh",
    ),
    (attrs.evolve(SERVICE, per="GPU hour", low=Money.parse("0.01 USD"), high=Money.parse("1 USD")), "low", "0.01 USD"),
    (attrs.evolve(SPEED, output_tokens_per_s=1e12), "output_tokens_per_s", "1e+12"),
    (attrs.evolve(SPEED, output_tokens_per_s=np.array([10.0, 1e12])), "output_tokens_per_s", "outside"),
]


@pytest.mark.parametrize(("record", "path", "text"), SLIPS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_slip_of_units_is_found_with_its_value_and_bound(record, path, text):
    """The problem names the record, the field, the value and the range."""
    (problem,) = check_record(record)

    assert problem.check == "bounds"
    assert problem.where == f"{record.kind} {record.title}, {path}"
    assert text in problem.what


@pytest.mark.parametrize(
    "record",
    [
        attrs.evolve(PRICE, input=rate("0")),
        attrs.evolve(PRICE, output=rate("600")),
        attrs.evolve(PRICE, currency="KRW", output=rate("400000")),
        attrs.evolve(TARIFF, price_per_kwh=Money.parse("-0.05 EUR")),
        attrs.evolve(B200, prices=rental("0.15 CNY")),
        attrs.evolve(PRICE, currency="XAU", output=rate("1e9")),
    ],
)
def test_what_is_merely_unusual_passes(record):
    """Free tokens, the dearest model, negative power prices, and currencies whose worth is not known here."""
    assert check_record(record) == []


@given(record=own.records())
def test_every_number_of_a_record_has_a_bound(record):
    """No field is forgotten: whatever a record states is held against a range."""
    for path, value, per in leaves(record):
        field = re.sub(r"\[\d+\]", "", path)

        assert isinstance(value, Source) or bound_of(record.kind, field, per) is not None


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: f"{bound.kind}-{bound.field}")
def test_bounds_are_ranges_with_a_reason(bound):
    """A bound can be explained, and leaves room on both sides."""
    assert bound.low < bound.high
    assert len(bound.reason.split()) > 1
    for currency in UNITS_PER_USD:
        low, high = bound.within(currency)

        assert low < high


@given(st.sampled_from(sorted(UNITS_PER_USD)), st.floats(0.7, 1.4), st.floats(1e-4, 4e3))
def test_a_bound_holds_in_every_currency(currency, drift, dollars):
    """What passes in dollars passes in another currency, at any rate within the drift of the known one."""
    amount = dollars * UNITS_PER_USD[currency] * drift
    low, high = bound_of("price", "input.base").within(currency)

    assert drift < DRIFT
    assert low <= amount <= high


def test_a_bound_without_money_is_the_same_in_every_currency():
    """Watts are watts."""
    bound = Bound("gpu", "x", 1, 2, "W", "a test")

    assert bound.within("JPY") == bound.within("XAU") == (1, 2)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"source": None}, "is no Source: None"),
        ({"source": attrs.evolve(SOURCE, url="http://example.org")}, "is no https address: 'http://example.org'"),
        ({"source": attrs.evolve(SOURCE, url="javascript:alert(1)")}, "is no https address"),
        ({"source": attrs.evolve(SOURCE, checked=FIRST_DAY - timedelta(days=1))}, "can have been read: 2014-12-31"),
        ({"authority": "user"}, "states the authority 'user', which would outrank every vendor"),
    ],
)
@pytest.mark.parametrize("record", GOOD, ids=lambda record: record.kind)
def test_a_record_without_a_true_source_is_found(record, changes, text):
    """Each kind of record says where it stands, and none passes for the user's own."""
    (problem,) = check_record(attrs.evolve(record, **changes))

    assert problem.check == "sources"
    assert text in problem.what


def test_sources_of_fields_and_of_prices_are_checked_as_well():
    """A source may stand anywhere below a record."""
    bad = attrs.evolve(SOURCE, url="ftp://example.org")
    offer = attrs.evolve(rental("3 USD")[0], source=bad)

    problems = check_record(attrs.evolve(B200, field_sources={"tdp_w": bad}, prices=(offer,)))

    assert {problem.where for problem in problems} == {
        "gpu b200-sxm, field_sources.tdp_w.url",
        "gpu b200-sxm, prices[0].source.url",
    }


def test_a_source_from_the_future_is_found_where_the_day_is_given():
    """Without a day nothing is compared, as nothing here reads the clock."""
    (problem,) = check_records([B200], today=DAY - timedelta(days=1))

    assert "lies in the future: 2026-11-23 is after 2026-11-22" in problem.what
    assert check_records([B200]) == check_records([B200], today=DAY) == []


def test_only_a_claim_with_a_note_may_lack_an_address():
    """A reader can follow every record, or learns why not."""
    bare = attrs.evolve(B200, source=attrs.evolve(SOURCE, url=None))
    claim = attrs.evolve(bare, authority="claim", source=attrs.evolve(bare.source, note="an article in print"))

    assert [problem.where for problem in check_records([bare])] == ["gpu b200-sxm, source.url"]
    assert check_record(bare) == check_records([claim]) == []


def dated(start, end=None, **changes):
    """Make a price that holds for a period of days of 2026."""
    days = [None if day is None else date(2026, 1, 1) + timedelta(days=day) for day in (start, end)]
    return attrs.evolve(PRICE, period=Period(start=days[0], end=days[1]), **changes)


@pytest.mark.parametrize(
    ("rows", "checks"),
    [
        ((dated(None, 5), dated(5, 9), dated(9)), []),
        ((dated(0, 6), dated(5)), ["periods"]),
        ((dated(0), dated(5, 9), dated(20)), ["periods", "periods"]),
        ((dated(0, 5), dated(0, 5)), ["keys"]),
        ((dated(0), dated(5, authority="vendor")), []),
        ((dated(0), dated(5, variant="batch")), []),
        ((dated(0), dated(5, approximate=True)), []),
    ],
)
def test_the_periods_of_one_key_are_disjoint(rows, checks):
    """A change closes a row and opens one; another rank or variant is another row."""
    for order in (rows, rows[::-1]):
        assert [problem.check for problem in check_records(order)] == checks


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=6, unique=True))
def test_overlaps_are_those_that_a_comparison_of_all_pairs_finds(spans):
    """One pass over the sorted rows finds an overlap exactly where there is one."""
    rows = [dated(start, start + length) for start, length in spans]
    pairs = any(
        one.period.start < other.period.end and other.period.start < one.period.end
        for place, one in enumerate(rows)
        for other in rows[:place]
    )

    assert bool(check_records(rows)) == pairs


def test_an_alias_of_two_records_is_found_but_a_key_wins_over_it():
    """Who asks for it would get neither."""
    one, other = attrs.evolve(B200, key="a", aliases=("X 1",)), attrs.evolve(B200, key="b", aliases=("x_1",))

    (problem,) = check_records([one, other])

    assert problem.check == "names"
    assert problem.what == "is another name of several records: a, b"
    assert check_records([one, other, attrs.evolve(B200, key="x-1")]) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"idle_w": 1_200.0}, "idle_w"),
        ({"bf16_flops_per_s": 9e15}, "bf16_flops_per_s"),
        ({"fp32_flops_per_s": 5e15, "bf16_flops_per_s": None}, "fp32_flops_per_s"),
    ],
)
def test_specifications_rise_where_they_must(changes, field):
    """A card that idles above its limit, or is slower at less precision, has two fields mixed up."""
    problems = check_records([attrs.evolve(B200, **changes)])

    assert {(problem.check, problem.where) for problem in problems} == {("specs", f"gpu b200-sxm, {field}")}


def test_a_persons_own_file_is_not_held_against_the_ranges():
    """Whoever writes a scenario may know of a price that nobody else gets; the types alone decide there."""
    text = resources.files("llm_tco").joinpath("starter.toml").read_text("utf-8")
    document = read_toml(text.replace('input = "0.15"', 'input = "60_000"'))

    result = read_scenario(document, title="mine.toml", catalog=Catalog(components=llm_tco_components())).compare()

    (mine,) = [record for record in result.records if record.kind == "price"]
    assert mine.input.base == 60_000
    assert [problem.check for problem in check_record(mine)] == ["bounds", "sources"]


def test_problems_are_sentences():
    """A person can act on each."""
    (problem,) = check_record(attrs.evolve(B200, memory_bytes=180))

    assert str(problem) == (
        "gpu b200-sxm, memory_bytes is not plausible: 180 is outside 1e+09 to 1e+12 B (a model needs 1 GB, and no "
        "card holds 1 TB). Look for a slip of units or of the decimal point."
    )
