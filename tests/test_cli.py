"""The command line as a person meets it: output, exit status, and no traceback."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from rich.console import Console

from llm_tco.cli import main
from llm_tco.report.tables import render

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(*arguments):
    """Run a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def plain(value):
    """Turn dates into texts, as a JSON document holds them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def test_compare_prints_every_table():
    """Options, categories, each pair and the sources."""
    result = run("compare", EXAMPLES / "three-ways.toml")

    assert result.exit_code == 0
    for text in (
        "What each option costs",
        "Total by category",
        "Each pair",
        "Where the figures come from",
        "318,410",
        "break-even requests a month",
        "Cheapest by present value among those that carry the load: cloud",
        "genai-prices",
    ):
        assert text in result.output


def test_the_json_document_has_every_promised_key():
    """A program may rely on the form."""
    result = json.loads(run("compare", EXAMPLES / "three-ways.toml", "--json").output)

    assert {"best", "currency", "months", "options", "pairs", "sources", "format"} <= result.keys()
    for option in result["options"].values():
        assert {
            "tco", "upfront", "monthly", "npv_cost", "cost_per_request", "cost_per_mtok", "feasible", "categories",
        } <= option.keys()  # fmt: skip
        assert len(option["cash"]) == 37
    for pair in result["pairs"]:
        assert {"a", "b", "break_even_month", "break_even_requests_per_month", "investment"} <= pair.keys()
        assert {"state", "month", "intervals"} <= pair["break_even_month"].keys()
        assert {"state", "intervals"} <= pair["break_even_requests_per_month"].keys()
        assert {"npv", "irr", "payback_months"} <= pair["investment"].keys()


def test_init_writes_a_scenario_that_runs(tmp_path):
    """The first two commands of a new user."""
    file = tmp_path / "scenario.toml"

    assert run("init", file).exit_code == 0
    assert run("compare", file).exit_code == 0
    again = run("init", file)
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert run("init", file, "--force").exit_code == 0


def test_a_wrong_file_gives_a_report_and_status_2(tmp_path):
    """Every problem with its path, and no traceback."""
    file = tmp_path / "scenario.toml"
    run("init", file)
    text = file.read_text("utf-8").replace("pue = 1.5", "pue = 0.9").replace("months = 36", "months = 0")
    file.write_text(text, "utf-8")

    result = run("compare", file)

    assert result.exit_code == 2
    assert result.output.splitlines() == [
        "scenario.toml: 2 problems",
        "  options.local.costs[1].pue: must be at least 1, got 0.9",
        "  months: must be at least 1, got 0",
    ]


@pytest.mark.parametrize(
    ("replace", "by", "problem"),
    [
        ("USD = 7.2", "EUR = 7.8", "no exchange rate from USD to CNY"),
        ('amount = "3_000 CNY"', 'amount = "9e400 CNY"', "options.cloud.costs[1].amount: is too large for a float"),
    ],
)
def test_what_is_found_only_in_the_comparison_has_status_2_too(tmp_path, replace, by, problem):
    """A missing exchange rate or an overflow is the scenario's problem."""
    file = tmp_path / "scenario.toml"
    run("init", file)
    file.write_text(file.read_text("utf-8").replace(replace, by), "utf-8")

    result = run("compare", file)

    assert result.exit_code == 2
    assert problem in result.output
    assert "in the option 'cloud'" in result.output or "scenario.toml" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("replace", "by", "problem"),
    [
        ("requests_per_month = 20_000", f"requests_per_month = {10**400}", "is too large for a float"),
        ("requests_per_month = 20_000", "requests_per_month = 1e308", "is not a finite number"),
        ("spares = 0", f"spares = {10**30}", "fleets.box.spares: must be at most"),
        ("months = 36", f"months = {'9' * 5_000}", "is no TOML"),
        ("months = 36", "months = 1_000_000_000", "months: must be at most 1200"),
        ("life_years = 3", "life_years = 1e9", "life_years: must be at most 100"),
        ("start = 2026-12-01", "start = 9999-06-01", "start: must leave room for 36 months"),
        ("months = 36", f"months = 36\nx = {'[' * 3_000}{']' * 3_000}", "nested too deeply"),
        ('amount = "3_000 CNY"', 'amount = "1e308 CNY"', "is not a finite number"),
        ("discount_rate = 0.08", "discount_rate = -0.9999999999999999", ""),
        ("[options.cloud]", '[options."x[/y]"]', ""),
        ('title = "Own', 'title = "[/bold] Own', ""),
        ("[sources.guide]", "[sources.other]\nfoo = 1\n[sources.guide]", "sources.other.foo: is not a field of Source"),
        ("[servers.workstation]", '[servers.workstation]\norigin = { plugin = "me" }', "servers.workstation.origin"),
        ("input_tokens = 500 ", 'lengths = [[true, "300", 1]] # ', "lengths: must be a number, got True"),
        ('price = "13_000 CNY"', 'price = "9e999999 CNY", quantity = 100', "is too large for a float"),
    ],
)
def test_no_file_makes_a_traceback(tmp_path, replace, by, problem):
    """Whatever stands in a file, there is an answer or a report."""
    file = tmp_path / "scenario.toml"
    run("init", file)
    text = file.read_text("utf-8")
    assert replace in text
    file.write_text(text.replace(replace, by).replace('"cloud"', '"x[/y]"' if "x[" in by else '"cloud"'), "utf-8")

    result = run("compare", file)

    assert result.exit_code == (2 if problem else 0), result.output
    assert problem in result.output
    assert isinstance(result.exception, (SystemExit, type(None)))


def test_names_are_shown_as_they_are(tmp_path):
    """Brackets and colons in a name are no markup."""
    file = tmp_path / "scenario.toml"
    run("init", file)
    file.write_text(
        file.read_text("utf-8")
        .replace("[options.cloud]", '[options."a [new] :smile:"]')
        .replace('"cloud"', '"a [new] :smile:"')
    )

    assert "a [new] :smile:" in run("compare", file).output


def test_a_missing_file_has_status_2():
    """The report says that it cannot be read."""
    result = run("compare", "nothing.toml")

    assert result.exit_code == 2
    assert "cannot be read: No such file or directory" in result.output


def test_an_overloaded_fixed_fleet_is_shown_and_status_3_says_that_nothing_is_feasible(tmp_path):
    """The table says how much is short and when; there is no winner."""
    file = tmp_path / "scenario.toml"
    run("init", file)
    text = file.read_text("utf-8").replace("spares = 0", "count = 1").replace("20_000", "400_000")
    text = text[: text.index("[options.cloud]")]
    file.write_text(text, "utf-8")

    result = run("compare", file)

    assert result.exit_code == 3
    assert "no: 49.9 % short, months 1–36" in result.output
    assert "No option carries the whole load" in result.output


def test_the_schema_accepts_the_examples_and_refuses_mistakes():
    """An editor completes and checks scenario files by it."""
    schema = json.loads(run("schema").output)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    for file in EXAMPLES.glob("*.toml"):
        document = plain(tomllib.loads(file.read_text("utf-8")))
        assert not list(validator.iter_errors(document)), file
        document["workload"]["requests"] = 3
        assert list(validator.iter_errors(document)), file


def test_the_schema_takes_a_list_of_costs_in_the_place_of_a_component():
    """As the reader of a file does."""
    validator = jsonschema.Draft202012Validator(json.loads(run("schema").output))
    document = plain(tomllib.loads((EXAMPLES / "three-ways.toml").read_text("utf-8")))
    target = document["options"]["mixed"]["inner"]["routes"]["easy"]

    target["target"] = document["options"]["local"]["costs"]
    assert not list(validator.iter_errors(document))
    target["target"] = []
    assert list(validator.iter_errors(document))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_narrow_terminal_breaks_lines_between_words(width):
    """Each figure stands in one line."""
    options = json.loads(run("compare", EXAMPLES / "three-ways.toml", "--json").output)
    shown = Console(width=width, file=io.StringIO())
    shown.print(render(options))
    lines = shown.file.getvalue().splitlines()

    assert max(map(cell_len, lines)) <= width
    for figure in ("318,410", "286,261", "0.001836", "558.35", "308,686"):
        assert any(figure in line for line in lines)


UNKNOWN = """
title = "Unknown and assumed"
currency = "CNY"
start = 2026-12-01
months = 12
workload = { requests_per_month = 1000, input_tokens = 100, output_tokens = 10 }

[prices.half]
provider = "a"
model = "b"
currency = "CNY"
input = "0.0000025"
source = { title = "a page", checked = 2026-01-01 }

[options]
idle.costs = [{ kind = "monthly", name = "rent", amount = "1 CNY" }]
half.costs = [{ kind = "api", price = "half" }]
"""


def test_what_is_not_known_is_no_zero_and_what_nobody_answers_is_assumed(tmp_path):
    """Costs of which a part is unknown are a lower bound, and no case for investing is made of them."""
    file = tmp_path / "unknown.toml"
    file.write_text(UNKNOWN, "utf-8")
    result = json.loads(run("compare", file, "--json").output)
    half, idle = result["options"]["half"], result["options"]["idle"]
    (pair,) = result["pairs"]
    text = run("compare", file).output

    assert (half["priced"], half["answered"], half["feasible"]) == (False, True, False)
    assert (idle["priced"], idle["answered"], idle["feasible"]) == (True, False, True)
    assert pair["investment"]["refused"] == "not all prices of half are known"
    assert re.search(r"half .*≥ 3e-06 .*not priced", text)
    assert re.search(r"idle .*12\.00 .*assumed", text)


def test_a_slip_of_units_in_an_own_price_is_said(tmp_path):
    """A price per token in the place of one per million tokens is far outside of what anybody asks."""
    file = tmp_path / "slip.toml"
    file.write_text(UNKNOWN, "utf-8")
    states = json.loads(run("compare", file, "--json").output)["options"]["half"]["states"]

    assert [state["path"] for state in states if state["state"] == "caution"] == ["price a/b/standard, input.base"]
    assert "less is a price per token" in next(state["note"] for state in states if state["state"] == "caution")


def test_what_is_uncertain_of_every_option_is_said_once(tmp_path):
    """A rate of the whole scenario is no matter of one option."""
    file = tmp_path / "percent.toml"
    file.write_text((EXAMPLES / "three-ways.toml").read_text("utf-8").replace("0.08", "8", 1), "utf-8")

    output = run("compare", file).output

    assert output.count("discount_rate: is 8, which is 800 %; where 8 % is meant, write 0.08") == 1
    assert "caution: discount_rate: is 8" in output


def test_the_schema_describes_its_fields():
    """A field's description is the docstring's."""
    schema = json.loads(run("schema").output)

    assert schema["$defs"]["kind-power"]["properties"]["pue"]["description"].startswith("Energy of the facility")
    assert all(
        "description" in field
        for name, kind in schema["$defs"].items()
        if name.startswith("kind-")
        for key, field in kind["properties"].items()
        if key != "kind" and "$ref" not in field
    )


def test_plugins_are_listed():
    """Name, version, state and what each brings."""
    result = run("plugins")

    assert result.exit_code == 0
    assert re.search(r"^llm-tco 0.1.0: ok, \d+ components\n  hooks: llm_tco_components$", result.output, re.M)
    assert "llm-tco-reference 0.1.0: ok" in result.output


@pytest.mark.parametrize("command", [[], *([name] for name in sorted(main.commands))])
def test_every_command_explains_itself(command):
    """Help is one flag away."""
    result = run(*command, "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.output


EQUAL_IN_PART = """
currency = "USD"
start = 2027-01-01
months = 12
volumes = [1, 1_000_000]
workload = { requests_per_month = 1_000, input_tokens = 500, output_tokens = 300 }

[prices.list]
provider = "any"
model = "any"
currency = "USD"
input = "1"
output = "1"
per_request = "0.0002"
source = { title = "made for a test", checked = 2026-11-23 }

[options]
list = { kind = "api", price = "list" }
commit = { kind = "commitment", per_month = "10 USD", inner = { kind = "api", price = "list" } }
"""


def test_a_tie_over_a_part_of_the_range_is_told_apart(tmp_path):
    """Where two options cost the same from a volume on, neither is cheaper throughout."""
    file = tmp_path / "equal.toml"
    file.write_text(EQUAL_IN_PART, "utf-8")
    output = run("compare", file).output

    assert "1 to 9,999: list; 10,000 on: equal" in output
    assert "cheaper throughout" not in output


def test_exchange_rates_stand_in_the_header_and_in_the_document(tmp_path):
    """A reader sees which rates were used, and from which day on each held."""
    file = tmp_path / "rates.toml"
    file.write_text(EQUAL_IN_PART + "[fx]\nEUR = 1.1\nCNY = { 2027-01-01 = 0.14, 2027-07-01 = 0.135 }\n", "utf-8")

    assert "exchange rates: 1 EUR = 1.1 USD; 1 CNY = 0.14 USD from 2027-01-01 on, 0.135 USD from 2027-07-01 on" in (
        run("compare", file).output
    )
    assert json.loads(run("compare", file, "--json").output)["fx"] == {
        "EUR": 1.1,
        "CNY": {"2027-01-01": 0.14, "2027-07-01": 0.135},
    }


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["schema"], ["compare", EXAMPLES / "three-ways.toml"]])
def test_an_output_that_cannot_be_written_is_one_line(arguments):
    """A full disk behind a redirection is no bug, and shows no traceback, not even at the end of the program."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from llm_tco.cli import main; main()", *map(str, arguments)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["the output cannot be written: No space left on device"]


@pytest.mark.parametrize("command", ["compare", "lock", "report", "size", "cache", "route"])
def test_a_folder_is_no_scenario(command, tmp_path, monkeypatch):
    """The folder that one is in has no name to put a suffix to."""
    monkeypatch.chdir(tmp_path)

    result = run(command, ".")

    assert result.exit_code == 2
    assert result.output == ".: 1 problem\n  cannot be read: Is a directory\n"


@pytest.mark.parametrize("command", ["compare", "report", "size", "cache", "route"])
def test_what_comes_up_while_comparing_names_the_file_and_the_option(command, tmp_path):
    """A month beyond the horizon is seen by the cost only."""
    file = tmp_path / "mine.toml"
    run("init", file)
    late = '{ kind = "one_off", name = "fee", amount = "1 CNY", month = 99 }'
    file.write_text(file.read_text("utf-8") + f"\n[options.late]\ncosts = [{late}]\n", "utf-8")

    result = run(command, file)

    assert result.exit_code == 2
    assert result.output.splitlines()[0] == "mine.toml: 1 problem"
    assert result.output.splitlines()[1] == "  in the option 'late': month: must be within the 36 months, got 99"
