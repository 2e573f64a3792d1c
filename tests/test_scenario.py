"""Scenario files: what they may say, and the one report of everything that is wrong."""

from __future__ import annotations

import copy
import tomllib
from datetime import date, time
from decimal import Decimal
from importlib import resources

import attrs
import numpy as np
import pytest

from llm_tco import Composable, Ledger, Money, load_catalog, load_scenario
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.records import Origin, Source
from llm_tco.components.kinds import llm_tco_components
from llm_tco.errors import LlmTcoError, ProblemsError, ended
from llm_tco.money import money
from llm_tco.scenario import read_scenario

STARTER = tomllib.loads(resources.files("llm_tco").joinpath("starter.toml").read_text("utf-8"), parse_float=Decimal)
CORE = Catalog(components=llm_tco_components())


def read(change=None, catalog=CORE):
    """Read the starter scenario, changed, without any plugin."""
    document = copy.deepcopy(STARTER)
    if change:
        change(document)
    return read_scenario(document, title="mine.toml", catalog=catalog)


def problems(change):
    """Give the problems of a changed starter scenario."""
    with pytest.raises(ProblemsError) as error:
        read(change)
    return list(error.value.problems)


def test_the_starter_runs_on_the_core_alone():
    """A scenario may hold its own prices and hardware, with their source."""
    result = read().compare()

    assert result.best == "cloud"
    assert np.isclose(result["cloud"].tco, 36 * (36.72 + 3_000))
    assert {str(record.origin) for record in result.records} == {"mine.toml"}
    assert {record.authority for record in result.records} == {"user"}


def test_one_name_is_one_object():
    """The fleet that purchase and power name is one fleet, and an option that a route names is that option."""
    scenario = read()
    purchase, power = scenario.options["local"].parts[:2]

    assert purchase.fleet is power.fleet
    assert scenario.options["mixed"].inner.routes["easy"].target is scenario.options["local"]


def put(path, value):
    """Make a change that sets the value at a path."""

    def change(document):
        *way, last = path
        for step in way:
            document = document[step]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("options", "local", "costs", 1, "pue"), 0.9, "options.local.costs[1].pue: must be at least 1, got 0.9"),
        (("options", "local", "costs", 1, "pue"), float("nan"), "options.local.costs[1].pue: must be finite, got nan"),
        (("options", "local", "costs", 1, "pue"), "1.5", "options.local.costs[1].pue: must be a number, got '1.5'"),
        (("options", "local", "costs", 1, "price_per_kwh"), "1.0", "options.local.costs[1].price_per_kwh: must be an amount"),
        (("options", "local", "costs", 0, "salvage"), "30000 CNY", "options.local.costs[0].salvage: must be at most the price"),
        (("options", "local", "costs", 0, "fleet"), "bax", "is the name of no fleet in the table [fleets], got 'bax'; did you mean 'box'?"),
        (("options", "local", "costs", 0, "kind"), "purchas", "got 'purchas'; did you mean 'purchase'?"),
        (("options", "local", "costs", 0, "lief"), 3, 'options.local.costs[0].lief: is not a field of kind = "purchase"'),
        (("options", "local", "costs"), [], "options.local.costs: must hold at least one cost"),
        (("options", "local", "costs"), 3, "options.local.costs: must be a list, got 3"),
        (("options", "mixed", "inner", "routes", "easy", "share"), Decimal("0.7"), "options.mixed.inner.routes: must sum to 1"),
        (("options", "mixed", "inner", "routes", "easy", "target"), "locl", "is the name of no option and of no component, got 'locl'; did you mean 'local'?"),
        (("options", "mixed", "hit_rate"), 2, "options.mixed.hit_rate: must be at most 1, got 2"),
        (("options",), {}, "options: must hold at least one option"),
        (("months",), 0, "months: must be at least 1, got 0"),
        (("months",), Decimal("36.5"), "months: must be a whole number, got 36.5"),
        (("months",), 1.5, "months: must be a whole number, got 1.5"),
        (("months",), True, "months: must be a whole number, got true"),
        (("start",), "2026-12-01", "start: must be a date without quotes such as 2026-12-01, got '2026-12-01'"),
        (("currency",), "yuan", "currency: must be a currency code"),
        (("fx", "USD"), -1, "fx.USD: must be more than 0, got -1"),
        (("workload", "requests_per_month"), -5, "workload.requests_per_month: must be at least 0, got -5"),
        (("workload", "request_per_month"), 5, "workload.request_per_month: is not a field of Workload; did you mean 'requests_per_month'?"),
        (("workload", "lengths"), [[1, 2]], "workload.lengths: must hold rows"),
        (("prices", "mini", "input"), "-0.15", "prices.mini.input: must be at least 0, got -0.15"),
        (("prices", "mini", "source"), "gide", "prices.mini.source: is the name of no source in the table [sources], got 'gide'; did you mean 'guide'?"),
        (("prices", "mini"), {"provider": "openai", "model": "x", "on": date(2026, 1, 1)}, "prices.mini: no price 'openai/x/standard'"),
        (("servers", "workstation", "idle_w"), 700, "servers.workstation.idle_w: must be at most peak_w (600), got 700"),
        (("throughputs", "qwen", "output_tokens_per_s"), 0, "throughputs.qwen.output_tokens_per_s: must be more than 0, got 0"),
        (("throughputs", "qwen", "gpu"), "h100", "fleets.box.throughput: was measured on 'h100'"),
        (("fleets", "box", "server"), "nothing", "fleets.box.server: no server 'nothing'"),
        (("fleets", "box", "throughput"), "qwan", "fleets.box.throughput: is the name of nothing in the table [throughputs], got 'qwan'; did you mean 'qwen'?"),
        (("fleets", "box", "count"), 0, "fleets.box.count: must be at least 1, got 0"),
        (("titel",), "x", "titel: is not a field of Scenario; did you mean 'title'?"),
        (("volumes",), [5, 1], "volumes: must be a lowest and a higher number of requests"),
        (("lens",), "narrow", "lens: must be one of 'full', 'marginal', got 'narrow'"),
        (("discount_rate",), -1, "discount_rate: must be more than -1, got -1"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_reported_with_its_path(path, value, expected):
    """One right input for each wrong one: the report says where, what and what was given."""
    found = problems(put(path, value))

    assert any(expected in line for line in found), found
    assert len(found) == 1, found


def test_every_problem_is_in_one_report():
    """Nobody has to run the file once for each mistake."""

    def spoil(document):
        document["months"] = 0
        document["fx"]["USD"] = "seven"
        document["options"]["local"]["costs"][1]["pue"] = 0.9
        document["options"]["local"]["costs"][2]["hours_per_month"] = -1
        document["workload"]["input_tokens"] = -1
        document["fleets"]["box"]["spares"] = -1
        del document["prices"]["mini"]["currency"]

    assert sorted(line.split(":")[0] for line in problems(spoil)) == [
        "fleets.box.spares",
        "fx.USD",
        "months",
        "options.local.costs[1].pue",
        "options.local.costs[2].hours_per_month",
        "prices.mini.currency",
        "workload.input_tokens",
    ]


def test_an_unused_table_is_checked_too():
    """A mistake in a fleet that no option names is still a mistake."""

    def add(document):
        document["fleets"]["other"] = {"server": "workstation", "throughput": "qwen", "spares": -1}

    assert problems(add) == ["fleets.other.spares: must be at least 0, got -1"]


def test_names_within_an_option_are_unique():
    """Two costs of one name would be one line to a reader."""

    def double(document):
        document["options"]["cloud"]["costs"].append({"kind": "monthly", "name": "overhead", "amount": "1 CNY"})

    assert problems(double) == ["options.cloud.costs[2].name: 'overhead' is taken; give this cost another name"]


def test_options_that_refer_to_each_other_are_an_error():
    """A circle has no cost."""

    def circle(document):
        document["options"]["local"]["costs"].append("mixed")

    (line,) = problems(circle)
    assert "refers to itself: options.local → options.mixed → options.local" in line


def test_a_list_of_costs_may_stand_where_a_component_does():
    """What a route leads to may be written in its place, and its problems have their paths."""
    named = read().compare()["mixed"]
    costs = copy.deepcopy(STARTER["options"]["local"]["costs"])

    def in_place(target):
        return put(("options", "mixed", "inner", "routes", "easy", "target"), target)

    assert read(in_place(costs)).compare()["mixed"].tco == named.tco
    assert "options.mixed.inner.routes.easy.target: must hold at least one cost" in problems(in_place([]))
    (taken,) = problems(in_place([costs[0], costs[0]]))
    assert taken.startswith("options.mixed.inner.routes.easy.target[1].name: 'purchase' is taken")


def test_a_file_may_extend_another(tmp_path):
    """Tables are merged, everything else is replaced."""
    (tmp_path / "base.toml").write_text(resources.files("llm_tco").joinpath("starter.toml").read_text("utf-8"), "utf-8")
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\nmonths = 12\n[workload]\nrequests_per_month = 7\n')

    scenario = load_scenario(tmp_path / "mine.toml", catalog=CORE)

    assert scenario.months == 12
    assert scenario.workload.requests_per_month == 7
    assert scenario.workload.input_tokens == 500


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('extends = "mine.toml"', "leads back to this file"),
        ('extends = "nothing.toml"', "cannot be read"),
        ("extends = 3", "must be the name of a file"),
        ("months = = 3", "is no TOML"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, text, problem):
    """A circle, a missing file, a wrong value and a typing error each have a sentence."""
    (tmp_path / "mine.toml").write_text(text)

    with pytest.raises(ProblemsError, match=problem):
        load_scenario(tmp_path / "mine.toml", catalog=CORE)


def test_components_that_are_no_options_stand_in_a_table_of_their_own():
    """What two routes share need not be an option: a fleet for several models cannot be compared alone."""

    def share(document):
        fast = document["throughputs"]["qwen"]
        slow = {**fast, "model": "big", "output_tokens_per_s": 30}
        document["throughputs"]["big"] = slow
        document["fleets"]["box"]["throughput"] = {"easy": "qwen", "hard": "big"}
        document["components"] = {"both": document["options"].pop("local")}
        for route in document["options"]["mixed"]["inner"]["routes"].values():
            route["target"] = "both"

    result = read(share).compare()

    assert set(result) == {"cloud", "mixed"}
    assert result["mixed"].feasible


def test_an_option_is_replaced_as_a_whole_where_a_file_extends_another(tmp_path):
    """Another kind of component is no change of the one that stood there."""
    (tmp_path / "base.toml").write_text(resources.files("llm_tco").joinpath("starter.toml").read_text("utf-8"), "utf-8")
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\n[options.mixed]\ncosts = ["local", "cloud"]\n')

    scenario = load_scenario(tmp_path / "mine.toml", catalog=CORE)

    assert [part.name for part in scenario.options["mixed"].parts] == ["local", "cloud"]


def test_records_come_from_the_catalog_by_their_words():
    """A price, a server, a tariff and a throughput are named, not copied."""

    def name(document):
        document["prices"]["mini"] = {"provider": "openai", "model": "gpt-4o-mini", "on": date(2026, 11, 1)}
        document["fleets"]["box"]["server"] = "rtx-4090-workstation"
        document["fleets"]["box"]["throughput"] = {
            "gpu": "rtx-4090", "model": "qwen2.5-7b", "quantisation": "q4_k_m",
        }  # fmt: skip
        power = document["options"]["local"]["costs"][1]
        del power["price_per_kwh"]
        power["tariff"] = "seed-cny-1.0"

    origins = {str(record.origin) for record in read(name, load_catalog()).compare().records}

    assert origins == {"llm-tco-genai-prices 0.1.0", "llm-tco-reference 0.1.0"}


# A cost kind of a third party: from here …


@attrs.frozen(eq=False)
class Moderation(Composable):
    """A moderation service that is paid by the thousand requests, with a base fee.

    Attributes:
        fee_per_month: Base fee. [currency/month]
        price_per_1000: Price of a thousand requests. [currency]
        name: First step of the paths of its lines.
    """

    kind = "moderation"

    fee_per_month: Money = money(kw_only=True)
    price_per_1000: Money = money(kw_only=True)
    name: str = "moderation"

    def cost(self, demand):
        """Charge the base fee in every month, and the requests."""
        fees = np.where(demand.timeline.index > 0, self.fee_per_month.column, 0.0)
        uses = demand.requests / 1000 * self.price_per_1000.column
        lines = (
            self.line("moderation", self.fee_per_month.currency, fees, item="fee"),
            self.line("moderation", self.price_per_1000.currency, uses, item="requests"),
        )
        return Ledger(timeline=demand.timeline, lines=lines)


# … to here: 30 lines. The hook that hands it over returns [Moderation].


def test_a_new_kind_of_cost_takes_a_class_and_a_hook():
    """It stands in a file, in a stack and in a comparison like any other, and its mistakes are reported alike."""
    catalog = Catalog(components=[*llm_tco_components(), Moderation])

    def add(document):
        document["options"]["cloud"]["costs"].append(
            {"kind": "moderation", "fee_per_month": "100 CNY", "price_per_1000": "2 CNY"}
        )

    result = read(add, catalog).compare()

    assert np.isclose(result["cloud"].categories()["moderation"], 36 * (100 + 40))

    def spoil(document):
        add(document)
        document["options"]["cloud"]["costs"][-1]["price_per_1000"] = "-2 CNY"

    with pytest.raises(ProblemsError, match=r"costs\[2\].price_per_1000: must be at least 0, got -2"):
        read(spoil, catalog)


def test_a_misspelt_base_is_reported_by_the_file_that_names_it(tmp_path):
    """The report is titled by the extending file and names the file that is nearest."""
    (tmp_path / "base.toml").write_text("", "utf-8")
    (tmp_path / "mine.toml").write_text('extends = "bsae.toml"', "utf-8")

    with pytest.raises(ProblemsError) as error:
        load_scenario(tmp_path / "mine.toml", catalog=CORE)

    assert error.value.title == str(tmp_path / "mine.toml")
    (line,) = error.value.problems
    assert line == "extends: cannot be read: there is no file 'bsae.toml' beside it; did you mean 'base.toml'?"


def test_a_byte_order_mark_is_passed_over(tmp_path):
    """A file that an editor saved as UTF-8 with a byte order mark reads like any other."""
    text = resources.files("llm_tco").joinpath("starter.toml").read_text("utf-8")
    (tmp_path / "marked.toml").write_text(text, "utf-8-sig")

    assert load_scenario(tmp_path / "marked.toml", catalog=CORE).months == 36


def test_a_question_mark_needs_no_full_stop():
    """An error text that suggests a name goes on with a sentence of its own."""
    with pytest.raises(LlmTcoError) as error:
        CORE.price("acme", "any", on=date(2026, 1, 1))

    assert "?. " not in str(error.value)
    assert (ended("did you mean 'a'?"), ended("no price")) == ("did you mean 'a'?", "no price.")


def starter_in(folder, name="base.toml"):
    """Write the starter scenario into a folder."""
    text = resources.files("llm_tco").joinpath("starter.toml").read_text("utf-8")
    (folder / name).write_text(text, "utf-8")


LISTED = TokenPrice(
    provider="acme", model="one", currency="USD", input="1", cached_input="1", output="4",
    source=Source(title="list", checked=date(2026, 11, 23)), origin=Origin(plugin="acme-prices"),
)  # fmt: skip


def test_a_look_up_replaces_a_stated_row_as_a_whole(tmp_path):
    """Where a file extends another, its row is what the catalog says, and no mixture with the other's."""
    starter_in(tmp_path)
    (tmp_path / "mine.toml").write_text(
        'extends = "base.toml"\n[prices.mini]\nprovider = "acme"\nmodel = "one"\non = 2026-11-23\n', "utf-8"
    )

    result = load_scenario(tmp_path / "mine.toml", catalog=CORE.with_records([LISTED])).compare()

    assert [record for record in result["cloud"].ledger.records if isinstance(record, TokenPrice)] == [LISTED]


@pytest.mark.parametrize("row", ['provider = "acme"', 'provider = "acme"\nmodel = "one"', 'output = "9"'])
def test_a_row_that_is_no_look_up_in_itself_changes_the_other(tmp_path, row):
    """A name or an amount alone is a change of what stands there."""
    starter_in(tmp_path)
    (tmp_path / "mine.toml").write_text(f'extends = "base.toml"\n[prices.mini]\n{row}\n', "utf-8")

    result = load_scenario(tmp_path / "mine.toml", catalog=CORE).compare()

    (price,) = (record for record in result["cloud"].ledger.records if isinstance(record, TokenPrice))
    assert float(price.input.base) == float(STARTER["prices"]["mini"]["input"])
    assert (price.provider == "acme") == ("acme" in row)


def test_a_record_comes_from_the_file_in_which_it_stands(tmp_path):
    """Of a row that two files state, the extending one is named; of a chain, the one nearest to the reader."""
    starter_in(tmp_path, "first.toml")
    (tmp_path / "second.toml").write_text('extends = "first.toml"\n[servers.workstation]\nidle_w = 90\n', "utf-8")
    (tmp_path / "third.toml").write_text('extends = "second.toml"\n[prices.mini]\noutput = "9"\n', "utf-8")

    result = load_scenario(tmp_path / "third.toml", catalog=CORE).compare()

    found = {record.kind: str(record.origin) for record in result.records}
    assert found == {"throughput": "first.toml", "server": "second.toml", "price": "third.toml"}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("options", "local", "costs", 0), {"fleet": "box"}, "options.local.costs[0].kind: is missing; one of api, "),
        (("options", "local", "costs", 0), 3, "options.local.costs[0]: must be a table with a kind, the name of an option or a component, or a list of costs, got 3"),
        (("fleets", "box", "server"), 3, "fleets.box.server: must be a table or the key of a record, got 3"),
        (("fleets", "box", "throughput"), 3, "fleets.box.throughput: must be a table or the name of one in [throughputs], got 3"),
        (("options", "cloud"), {"kind": "api", "price": 3}, "options.cloud.price: must be a table, the name of one in [prices], or a list of both, got 3"),
        (("prices", "mini"), 3, "prices.mini: must be a table, got 3"),
        (("prices", "mini", "windows"), [{"start": time(22), "input": "1"}], "prices.mini.windows[0].start: must be a text, got 22:00:00"),
        (("prices", "mini", "windows"), [{"start": "22:00", "days": [], "input": "1"}], "prices.mini.windows[0].days: must list days of the week such as 'mon', got []"),
    ],
)  # fmt: skip
def test_a_report_speaks_the_language_of_the_file(path, value, expected):
    """It says what may stand there, and no word of Python."""
    found = problems(put(path, value))

    assert any(line.startswith(expected) for line in found), found
    assert not any("datetime" in line or "'None'" in line or ",)" in line for line in found)
