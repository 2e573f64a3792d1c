"""Looking records up: by words, date and authority; and loading plugins that may be broken."""

from __future__ import annotations

import types
from datetime import date
from decimal import Decimal

import attrs
import pytest

from llm_tco.catalog.catalog import Catalog, PluginReport
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.plugins import collect, load_catalog
from llm_tco.catalog.prices import Rate, TokenPrice
from llm_tco.catalog.records import Origin, Period
from llm_tco.catalog.tariffs import Tariff
from llm_tco.errors import ConflictingRecordsError, InvalidValueError, NotInForceError, UnknownRecordError
from llm_tco.testing.strategies import SOURCE

GPU = Gpu(
    key="rtx-4090", name="GeForce RTX 4090", vendor="NVIDIA", memory_bytes=24 * 2**30,
    memory_bandwidth_bytes_per_s=1.008e12, tdp_w=450, aliases=("RTX 4090",), source=SOURCE,
)  # fmt: skip


def price(amount, start=None, end=None, **changes):
    """Make a price that holds for a period."""
    return attrs.evolve(
        TokenPrice(
            provider="openai", model="o3", currency="USD", source=SOURCE, aliases=("o3-2025-04-16",),
            input=Rate(base=Decimal(amount)), period=Period(start=start, end=end),
        ),
        **changes,
    )  # fmt: skip


def by(plugin, record):
    """Say which plugin brought a record."""
    return attrs.evolve(record, origin=Origin(plugin=plugin, version="1"))


CHANGE = date(2025, 6, 10)
HISTORY = (price("10", end=CHANGE), price("2", start=CHANGE))


@pytest.mark.parametrize(("on", "amount"), [(date(2025, 6, 9), "10"), (CHANGE, "2"), (date(2030, 1, 1), "2")])
def test_a_price_is_that_of_the_day(on, amount):
    """Law 53: a change on a day holds from that day on and never before."""
    assert Catalog(HISTORY).price("openai", "o3", on=on).input.base == Decimal(amount)


def test_a_price_outside_every_period_is_an_error_with_the_periods():
    """A date before the sheet begins has no price."""
    catalog = Catalog([by("p", price("2", start=CHANGE))])

    with pytest.raises(NotInForceError) as error:
        catalog.price("openai", "o3", on=date(2024, 5, 1))

    assert "no price 'openai/o3/standard' in force on 2024-05-01: known periods are 2025-06-10 to …" in str(error.value)


def test_a_price_needs_its_date():
    """Now is never a default."""
    with pytest.raises(TypeError, match="on"):
        Catalog(HISTORY).price("openai", "o3")


@pytest.mark.parametrize("words", ["rtx-4090", "RTX 4090", "rtx 4090", "RTX_4090"])
def test_people_may_write_a_key_as_they_like(words):
    """Case, spaces and other names find the record."""
    assert Catalog([GPU]).gpu(words) is GPU


def test_people_may_ask_by_the_full_name():
    """What a list shows as the name of a record finds it, in any spelling."""
    other = attrs.evolve(GPU, key="mine", name="RTX 4090", aliases=(), authority="measured")

    assert Catalog([GPU]).gpu("geforce rtx 4090 ") is GPU
    assert Catalog([GPU, other]).gpu("rtx 4090") is GPU  # the name of another is free text, and goes last
    with pytest.raises(ConflictingRecordsError, match="is another name of several: mine, rtx-4090"):
        Catalog([GPU, attrs.evolve(other, name=GPU.name, authority=GPU.authority)]).gpu(GPU.name)


def test_a_plugin_is_known_by_each_of_its_names():
    """By its distribution's or its entry point's, to ask for its records and to prefer them."""
    rows = [by(f"llm-tco-{name}", attrs.evolve(GPU, tdp_w=watts)) for name, watts in (("one", 400), ("two", 500))]
    reports = [PluginReport(name=n, distribution=f"llm-tco-{n}", version="1", status="ok") for n in ("one", "two")]
    catalog = Catalog(rows, plugins=reports)

    for name in ("two", "llm-tco-two", "LLM_TCO.two"):
        assert catalog.gpu("rtx-4090", plugin=name).tdp_w == 500
        assert Catalog(rows, plugins=reports, prefer=[name]).gpu("rtx-4090").tdp_w == 500
    assert Catalog(rows, plugins=reports, prefer="two").gpu("rtx-4090").tdp_w == 500


def test_what_is_near_to_nothing_gets_the_next_step():
    """Where no name is near, the text says what lists them."""
    with pytest.raises(UnknownRecordError, match="no gpu 'zzz'; llm-tco gpus lists those that are there"):
        Catalog([attrs.evolve(GPU, key=f"card-{place}") for place in range(20)]).gpu("zzz")


def test_an_alias_finds_a_price():
    """A dated model name leads to its model."""
    assert Catalog(HISTORY).price("openai", "o3-2025-04-16", on=CHANGE).model == "o3"


def test_an_unknown_key_names_its_neighbours_and_broken_plugins():
    """The error says what is near, and what could not be loaded."""
    broken = PluginReport(name="x", distribution="llm-tco-x", version="1", status="broken", problems=("no luck",))

    with pytest.raises(UnknownRecordError) as error:
        Catalog([GPU], plugins=[broken]).gpu("rtx-4091")

    assert "did you mean 'rtx-4090'?" in str(error.value)
    assert "llm-tco-x 1 is broken: no luck" in str(error.value)


def test_a_misspelt_variant_is_an_error():
    """It never falls back to the standard price."""
    with pytest.raises(UnknownRecordError, match="openai/o3/bach"):
        Catalog(HISTORY).price("openai", "o3", on=CHANGE, variant="bach")


def test_a_higher_authority_wins():
    """A vendor's own sheet stands beside a general list and supersedes it."""
    general, vendor = by("general", price("3")), by("vendor", price("2", authority="vendor"))

    for order in ((general, vendor), (vendor, general)):
        assert Catalog(order).price("openai", "o3", on=CHANGE) is vendor
        assert Catalog(order).superseded(vendor) == (general,)
        assert Catalog(order).superseded(general) == ()


def test_another_name_of_a_better_record_wins():
    """A general list may call a model by what is another name at the vendor: the vendor's row answers."""
    vendor = by("vendor", price("2", authority="vendor", model="o3", aliases=("o3-latest",)))
    general = by("general", price("3", model="o3-latest"))

    for order in ((general, vendor), (vendor, general)):
        catalog = Catalog(order)
        assert catalog.price("openai", "o3-latest", on=CHANGE) is vendor
        assert catalog.price("openai", "o3-latest", on=CHANGE, plugin="general") is general


def test_an_exact_name_goes_before_another_name_of_equal_rank():
    """Between equals, what is called so is meant."""
    one, other = price("2", model="o3", aliases=("o3-mini",)), price("3", model="o3-mini")

    assert Catalog((one, other)).price("openai", "o3-mini", on=CHANGE) is other


def test_an_approximate_record_ranks_last():
    """Even a vendor's."""
    rough = price("3", authority="vendor", approximate=True)

    assert Catalog([rough, price("2")]).price("openai", "o3", on=CHANGE).input.base == 2


def test_equal_records_of_two_plugins_agree():
    """Two lists that say the same are no conflict."""
    pair = [by("a", price("2")), by("b", attrs.evolve(price("2"), source=attrs.evolve(SOURCE, title="elsewhere")))]

    for order in (pair, pair[::-1]):
        catalog = Catalog(order)
        found = catalog.price("openai", "o3", on=CHANGE)
        assert {found.source.title, *(source.title for source in found.also)} == {SOURCE.title, "elsewhere"}
        assert found is catalog.price("openai", "o3", on=CHANGE)
        assert found.input.base == 2


def test_different_records_of_equal_authority_are_a_conflict_when_asked_for():
    """Never the last one, never the first: both are named, and the ways out."""
    pair = [by("a", price("2")), by("b", price("3"))]

    with pytest.raises(ConflictingRecordsError) as error:
        Catalog(pair).price("openai", "o3", on=CHANGE)

    text = str(error.value)
    assert "a 1:" in text
    assert "b 1:" in text
    assert "plugin=" in text
    assert "prefer=" in text
    assert Catalog(pair).price("openai", "o3", on=CHANGE, plugin="b").input.base == 3
    assert Catalog(pair, prefer=["b"]).price("openai", "o3", on=CHANGE).input.base == 3


def test_a_throughput_without_an_engine_is_the_one_there_is():
    """Two engines that differ are a conflict, one is an answer."""
    one = Throughput(gpu="g", model="m", quantisation="q", engine="x", output_tokens_per_s=10, source=SOURCE)
    other = attrs.evolve(one, engine="y", output_tokens_per_s=20)

    assert Catalog([one]).throughput("g", "m", "q") is one
    assert Catalog([one, other]).throughput("g", "m", "q", engine="y") is other
    with pytest.raises(ConflictingRecordsError, match="state throughput g/m/q differently"):
        Catalog([one, other]).throughput("g", "m", "q")
    with pytest.raises(UnknownRecordError, match="throughput"):
        Catalog([one]).throughput("g", "m", "fp16")


def plugin(**hooks):
    """Make a plugin module with hooks."""
    module = types.ModuleType("some_plugin")
    for name, function in hooks.items():
        function.__name__ = name
        setattr(module, name, hookimpl(function))
    return module


REPORT = PluginReport(name="some", distribution="llm-tco-some", version="1.2", status="ok")


def raise_error():
    """Fail as a plugin might."""
    raise RuntimeError("no such file")


def test_a_plugin_is_asked_for_its_records():
    """Each record carries its origin."""
    loaded = collect(plugin(llm_tco_gpus=lambda: [GPU]), REPORT)

    assert loaded.report.status == "ok"
    assert loaded.report.hooks == ("llm_tco_gpus",)
    assert loaded.report.records == (("gpu", 1),)
    assert loaded.records[0].origin == Origin(plugin="llm-tco-some", version="1.2")


@pytest.mark.parametrize(
    ("hooks", "problem"),
    [
        ({"llm_tco_price_sheets": raise_error}, "llm_tco_price_sheets failed: RuntimeError: no such file"),
        ({"llm_tco_price_sheets": lambda: 3}, "llm_tco_price_sheets failed: TypeError"),
        ({"llm_tco_price_sheets": lambda: [GPU]}, "which is no TokenPrice"),
        (
            {"llm_tco_prices": lambda: [GPU]},
            "llm_tco_prices is the name of no hook; did you mean 'llm_tco_price_sheets'",
        ),
        ({"llm_tco_components": lambda: [int]}, "which is no component class with a kind"),
    ],
)
def test_a_broken_hook_is_reported_and_the_others_count(hooks, problem):
    """What fails is named; the records of the plugin's other hooks stay usable."""
    loaded = collect(plugin(llm_tco_gpus=lambda: [GPU], **hooks), REPORT)

    assert loaded.report.status == "broken"
    assert problem in loaded.report.problems[0]
    assert [record.kind for record in loaded.records] == ["gpu"]


@pytest.mark.parametrize("nothing", [list, lambda: None])
def test_a_plugin_that_returns_nothing_changes_nothing(nothing):
    """Law 83: an empty list is an answer, and so is none."""
    loaded = collect(plugin(llm_tco_gpus=lambda: nothing()), REPORT)

    assert loaded.report.status == "ok"
    assert loaded.records == []


BROKEN_PLUGIN = {
    "broken_import": "raise RuntimeError('half installed')\n",
    "good_prices": (
        "from llm_tco import hookimpl\n"
        "from llm_tco.testing.strategies import SOURCE\n"
        "from llm_tco.catalog.hardware import Gpu\n"
        "@hookimpl\n"
        "def llm_tco_gpus():\n"
        "    return [Gpu(key='tiny-1', name='Tiny 1', vendor='Tiny', memory_bytes=2e9, tdp_w=5,\n"
        "                memory_bandwidth_bytes_per_s=2e10, source=SOURCE)]\n"
    ),
}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a good and a broken distribution for one test."""
    from llm_tco.catalog import plugins

    for name, code in BROKEN_PLUGIN.items():
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[llm_tco]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.load_all.cache_clear()
    yield
    plugins.load_all.cache_clear()


@pytest.mark.usefixtures("installed")
def test_a_broken_plugin_harms_no_other_and_is_never_silent():
    """A plugin that cannot be imported is in the report; everybody else's records are there."""
    catalog = load_catalog()

    status = {report.distribution: report for report in catalog.plugins}
    assert status["broken-import"].status == "broken"
    assert "cannot be imported: RuntimeError: half installed" in status["broken-import"].problems[0]
    assert status["good-prices"].status == "ok"
    assert catalog.gpu("tiny-1").name == "Tiny 1"
    with pytest.raises(ImportError, match="half installed"):
        load_catalog(strict=True)


@pytest.mark.usefixtures("installed")
def test_plugins_are_disabled_by_argument_and_by_the_environment(monkeypatch):
    """What is disabled brings nothing and says so."""
    assert not any(gpu.key == "tiny-1" for gpu in load_catalog(disable=["good-prices"]).all(Gpu))

    monkeypatch.setenv("LLM_TCO_DISABLED_PLUGINS", "good_prices, other")
    catalog = load_catalog()

    assert {report.distribution: report.status for report in catalog.plugins}["good-prices"] == "disabled"
    with pytest.raises(UnknownRecordError, match="good-prices 1.0 is disabled"):
        catalog.gpu("tiny-1")


def test_the_order_of_records_changes_nothing():
    """Law 83: what is found does not depend on who came first."""
    records = [by("a", price("2")), by("b", price("1", authority="vendor")), by("c", price("9", authority="claim"))]

    found = {Catalog(order).price("openai", "o3", on=CHANGE).origin for order in (records, records[::-1])}

    assert len(found) == 1


def test_two_plugins_with_one_kind_of_component_are_a_conflict_when_it_is_used():
    """Neither the first nor the last one wins."""

    @attrs.frozen
    class One:
        kind = "same"

    @attrs.frozen
    class Other:
        kind = "same"

    catalog = Catalog(components=[One, Other])

    with pytest.raises(ConflictingRecordsError, match="'same' is brought by several plugins: .*One and .*Other"):
        catalog.component("same")
    assert Catalog(components=[One, One]).component("same") is One
    with pytest.raises(UnknownRecordError, match="must be one of same, got 'sane'; did you mean 'same'"):
        catalog.component("sane")


def test_a_tariff_is_that_of_the_day():
    """A price of electricity that no longer holds is not used."""
    old = Tariff(key="k", name="K", price_per_kwh="1 CNY", source=SOURCE, period=Period(end=date(2024, 1, 1)))
    catalog = Catalog([old])

    assert catalog.tariff("k", on=date(2023, 12, 31)) is old
    with pytest.raises(NotInForceError, match="no tariff 'k' in force on 2026-01-01"):
        catalog.tariff("k", on=date(2026, 1, 1))


def leave():
    """Try to end the program, as no plugin should."""
    raise SystemExit(3)


def test_a_plugin_cannot_end_the_program():
    """It is broken, and reported."""
    (problem,) = collect(plugin(llm_tco_gpus=leave), REPORT).report.problems

    assert problem.startswith("llm_tco_gpus failed: SystemExit: 3")


def test_a_class_without_fields_or_cost_is_no_component():
    """It would harm whoever uses it."""
    broken = type("Broken", (), {"kind": "broken"})

    (problem,) = collect(plugin(llm_tco_components=lambda: [broken]), REPORT).report.problems

    assert "Broken'>, which is no attrs class with a method cost(demand)" in problem


def test_a_name_of_no_plugin_disables_nothing_and_says_so(monkeypatch):
    """A misspelt argument is an error with the nearest name; a variable may be meant for another environment."""
    with pytest.raises(
        InvalidValueError, match="disable: must name installed plugins, got 'lm-tco'; did you mean 'llm-tco'"
    ):
        load_catalog(disable=["lm-tco"])
    monkeypatch.setenv("LLM_TCO_DISABLED_PLUGINS", "lm-tco")
    assert load_catalog().plugins


def measured(model="qwen", engine="vllm", speed=1_000.0):
    """Make a throughput."""
    return Throughput(
        gpu="rtx", model=model, quantisation="fp8", engine=engine, output_tokens_per_s=speed, source=SOURCE
    )


def test_throughputs_that_differ_by_engine_ask_for_it_first():
    """A plugin's name would not tell them apart."""
    records = Catalog([measured(engine="vllm"), measured(engine="sglang", speed=900.0)])

    with pytest.raises(ConflictingRecordsError, match='Name one by engine = "…". Of one engine: name one by plugin='):
        records.throughput("rtx", "qwen", "fp8")
    assert records.throughput("rtx", "qwen", "fp8", engine="sglang").engine == "sglang"


def test_a_throughput_that_is_unknown_names_those_of_its_model():
    """The model was written right: it is the card and the format that were not measured."""
    records = Catalog([measured(model="qwen2.5-7b"), *(measured(model=f"other-{one}") for one in range(9))])

    with pytest.raises(UnknownRecordError, match="; of 'qwen2.5-7b' there are 'rtx/qwen2.5-7b/fp8/vllm/1'$"):
        records.throughput("a-very-different-card-80gb", "qwen2.5-7b", "q4_k_m")
