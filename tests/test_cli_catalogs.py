"""What the command line says of plugins and their records, of locks and of differences."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from llm_tco.catalog.catalog import Catalog, PluginReport
from llm_tco.catalog.plugins import load_catalog
from llm_tco.cli import main
from llm_tco.commands import catalogs
from llm_tco.report.listing import gpu_listing

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def same_day(monkeypatch):
    """Let it be the same day always."""
    monkeypatch.setattr(catalogs, "_today", lambda: date(2026, 11, 23))


def run(*arguments):
    """Run a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def rows(*arguments):
    """Run a command that prints JSON."""
    return json.loads(run(*arguments, "--json").output)


def test_prices_of_a_day_are_those_in_force():
    """o3 cost five times as much before its price was cut; both rows are there, each on its day."""
    found = [
        [(row["input"], row["output"]) for row in rows("prices", "openai o3", "--on", day)
         if (row["provider"], row["model"], row["variant"]) == ("openai", "o3", "standard")]
        for day in ("2025-06-01", "2025-07-01")
    ]  # fmt: skip

    assert found == [[(10.0, 40.0)], [(2.0, 8.0)]]


def test_prices_are_shown_in_another_currency():
    """With a rate, every amount is converted; without one, the missing rate is named."""
    (row,) = [row for row in rows("prices", "gpt-4o-mini", "--currency", "CNY", "--fx", "USD=7.2", "--on", "2025-01-01")
              if (row["provider"], row["model"], row["variant"]) == ("openai", "gpt-4o-mini", "standard")]  # fmt: skip
    assert (row["currency"], row["input"]) == ("CNY", pytest.approx(1.08))

    result = run("prices", "gpt-4o-mini", "--currency", "CNY")

    assert result.exit_code == 2
    assert "no exchange rate from USD to CNY" in result.output
    assert "--fx USD=…" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prices", "gptt-4"], "nothing is called 'gptt-4'; did you mean"),
        (["gpus", "rtx-409O"], "nothing is called 'rtx-409O'; did you mean 'rtx-4090'"),
        (["models", "llamma-3-8b"], "nothing is called 'llamma-3-8b'; did you mean 'llama-3-8b'"),
        (["prices", "mini", "--fx", "USD=7"], "--fx has no meaning without --currency"),
        (["prices", "mini", "--currency", "CNY", "--fx", "USD:7"], "such as USD=7.2, got 'USD:7'"),
        (["prices", "mini", "--on", "yesterday"], "does not match the format"),
        (
            ["prices", "mini", "--currency", "cny"],
            "must be a currency code of three capital letters such as CNY, got 'c",
        ),
        (
            ["prices", "example", "--on", "2025-01-01"],
            "no price called 'example' is in force on 2025-01-01; known peri",
        ),
        (["stale", "--older-than", "a month"], "must be a number of days such as 90d"),
        (["stale", "--plugin", "llm-tco-referense"], "no plugin is called 'llm-tco-referense'; installed are llm-tco"),
        (["check", "refrence"], "no plugin is called 'refrence'; installed are"),
        (["lock", "nowhere.toml"], "nowhere.toml: 1 problem"),
        (["diff", "nowhere.toml", "nowhere.toml"], "nowhere.toml: 1 problem"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(arguments, said):
    """One report, exit status 2, no traceback."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_accelerators_are_listed_by_name():
    """Figures carry their units in their names; what is not known is null, and never 0."""
    (card,) = rows("gpus", "rtx-4090")

    assert card["tdp_w"] == 450
    assert card["memory_gib"] == 24
    assert card["fp4"] is None


def test_a_query_may_be_several_words():
    """Nobody needs to quote them."""
    assert rows("gpus", "rtx", "4090") == rows("gpus", "rtx 4090")
    assert rows("prices", "gpt", "4o", "mini") == rows("prices", "gpt 4o mini")


def test_a_price_that_another_supersedes_says_so():
    """The general list's row of DeepSeek is there, and the vendor's goes before it."""
    both = [row for row in rows("prices", "deepseek/deepseek-v4-pro", "--on", "2026-11-01") if not row["region"]]
    both = {row["plugin"]: row["superseded"] for row in both if row["price"] == "deepseek/deepseek-v4-pro"}

    assert both == {"llm-tco-cn": False, "llm-tco-genai-prices": True}


def test_a_narrow_terminal_leaves_columns_out_and_says_which():
    """In 80 columns a key stands in one line."""
    console = Console(width=80, record=True, file=io.StringIO())

    console.print(gpu_listing(load_catalog(), "h100", on=date(2026, 11, 23)).table())

    text = console.export_text()
    assert "h100-80gb-pcie │" in text
    assert "Left out for want of room: INT8, FP4, list. A wider terminal or --json has them." in text


def test_models_are_listed_by_name():
    """A query may hold several words in any order."""
    assert [row["key"] for row in rows("models", "8b llama-3")][:1] == ["llama-3-8b"]
    assert len(rows("models")) > 10


@pytest.mark.parametrize("command", [["prices", "gpt-4o-mini"], ["gpus"], ["models"], ["stale", "--older-than", "0d"]])
def test_tables_fit_a_page(command):
    """Into a file, a table is no wider than 120 columns."""
    assert max(map(len, run(*command).output.splitlines())) <= 120


def test_plugins_are_a_document_as_well():
    """A program reads names, versions, hooks, records and problems."""
    reports = {report["distribution"]: report for report in rows("plugins")}

    assert reports["llm-tco-accelerators"]["status"] == "ok"
    assert reports["llm-tco-accelerators"]["records"]["gpu"] >= 30
    assert reports["llm-tco-accelerators"]["hooks"] == ["llm_tco_gpus"]


def test_a_sound_plugin_passes_the_check():
    """Nothing to say, exit status 0; an unknown one is a problem, exit status 3."""
    assert run("check", "accelerators").output == "accelerators: no problem found.\n"

    result = run("check", "acelerators")

    assert result.exit_code == 2
    assert "did you mean 'accelerators'" in result.output


def test_stale_records_are_listed_with_their_age():
    """The oldest first; exit status 3 where there are any, and 0 where there are none."""
    found = rows("stale", "--older-than", "0d", "--plugin", "llm-tco-genai-prices")
    ages = [row["days"] for row in found]

    assert ages == sorted(ages, reverse=True)
    assert run("stale", "--older-than", "0d").exit_code == 3
    fresh = run("stale", "--older-than", "99999")
    assert fresh.exit_code == 0
    assert "were checked in the last 99999 days" in fresh.output


def copy(folder, name="three-ways.toml"):
    """Copy an example, to write a lock beside it."""
    path = folder / name
    path.write_text((EXAMPLES / name).read_text("utf-8"), "utf-8")
    return path


def test_lock_writes_a_file_that_compare_uses(tmp_path):
    """The comparison is the same, and its sources name the plugins as before."""
    file = copy(tmp_path)
    before = json.loads(run("compare", file, "--json").output)

    said = run("lock", file).output

    assert "three-ways.lock: 3 look-ups, answered by 3 records." in said.replace("\n", "")
    assert json.loads(run("compare", file, "--json").output) == before
    lock = tmp_path / "three-ways.lock"
    lock.write_text(lock.read_text("utf-8").replace('"0.15"', '"0.30"'), "utf-8")
    assert "edited by hand" in run("compare", file).output
    assert json.loads(run("compare", file, "--json", "--unlocked").output) == before


def test_diff_says_what_explains_a_difference(tmp_path):
    """Twice the requests: volume explains what the API bill gained."""
    before = copy(tmp_path)
    after = tmp_path / "after.toml"
    after.write_text(before.read_text("utf-8").replace("20_000", "40_000"), "utf-8")

    found = json.loads(run("diff", before, after, "--json").output)["options"]["cloud"]["tco"]
    table = run("diff", before, after).output

    assert found["causes"]["volume"] == pytest.approx(found["after"] - found["before"])
    assert found["after"] == pytest.approx(2 * found["before"])
    for heading in ("price", "volume", "exchange rate", "assumptions", "cloud", "present value"):
        assert heading in table


def test_a_plugin_is_found_by_either_of_its_names():
    """Stale and check take the name of an entry point and that of its distribution."""
    short, long = (
        rows("stale", "--older-than", "0d", "--plugin", name) for name in ("genai-prices", "llm-tco-genai-prices")
    )

    assert short == long != []


def test_a_difference_has_a_version():
    """A program sees by `format` whether it can read it."""
    assert rows("diff", EXAMPLES / "three-ways.toml", EXAMPLES / "three-ways.toml")["format"] == 1


def test_a_plugin_with_many_problems_does_not_flood_the_list(monkeypatch):
    """The first are shown, and how many more there are, and where."""
    problems = tuple(f"record {place} is wrong" for place in range(1_000))
    report = PluginReport(name="bad", distribution="llm-tco-bad", version="1", status="broken", problems=problems)
    monkeypatch.setattr("llm_tco.catalog.plugins.load_catalog", lambda: Catalog(plugins=[report]))

    lines = run("plugins").output.splitlines()

    assert len(lines) == 22
    assert lines[-1] == "  and 980 more: llm-tco check bad lists them, and so does --json"
    assert len(rows("plugins")[0]["problems"]) == 1_000
