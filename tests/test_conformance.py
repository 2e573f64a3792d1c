"""The kit for authors: it finds what is wrong with a plugin, names it, and lets pass what is right."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import pytest

from llm_tco.catalog.conformance import CHECKS
from llm_tco.testing import PluginConformance, check_plugin

TODAY = date(2026, 11, 23)
HEAD = """
from datetime import date
from decimal import Decimal
from llm_tco import hookimpl
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.prices import Rate, TokenPrice
from llm_tco.catalog.records import Period, Source

SOURCE = Source(title="Price list", url="https://example.org/prices", checked=date(2026, 11, 23))

def gpu(key, **changes):
    figures = dict(name=key, vendor="V", memory_bytes=24e9, memory_bandwidth_bytes_per_s=1e12, tdp_w=450, source=SOURCE)
    return Gpu(key=key, **{**figures, **changes})

def price(model="m", amount="1", **changes):
    figures = dict(provider="acme", currency="USD", input=Rate(base=Decimal(amount)), source=SOURCE)
    return TokenPrice(model=model, **{**figures, **changes})
"""


class TestCore(PluginConformance):
    """The core's own kinds of component come in through the same hook as anyone's, and pass the same checks."""

    plugin = "core"
    today = TODAY


def gpus(expression):
    """Write a plugin that returns accelerators."""
    return f"@hookimpl\ndef llm_tco_gpus():\n    return {expression}\n"


def prices(expression):
    """Write a plugin that returns prices."""
    return f"@hookimpl\ndef llm_tco_price_sheets():\n    return {expression}\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Give a function that installs a distribution for one test."""
    before = set(sys.modules)

    def put(name, code, **files):
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(HEAD + textwrap.dedent(code), "utf-8")
        for other, text in files.items():
            (tmp_path / f"{other}.py").write_text(text, "utf-8")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        entry = name.removeprefix("llm-tco-").partition("--")[0]
        (info / "entry_points.txt").write_text(f"[llm_tco]\n{entry} = {module}\n", "utf-8")
        return entry

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("llm_tco.catalog.conformance.FIRST_PARTY", set())  # the others have no part here
    yield put
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_good_plugin_passes(install):
    """A plugin that follows the documentation has no problem, under the name of its entry point or distribution."""
    name = install("llm-tco-acme", gpus("[gpu('a'), gpu('b')]") + prices("(price(name) for name in 'xyz')"))

    assert check_plugin(name, today=TODAY) == check_plugin("llm-tco-acme") == []


FAULTS = {
    "loads": (gpus("[gpu('a'), 3]"), "llm_tco_gpus returned 3, which is no Gpu"),
    "records": (gpus("[]"), "llm-tco-acme brings nothing"),
    "import": ("import pandas\n" + gpus("[gpu('a')]"), "imports pandas when it is imported itself"),
    "offline": (
        "import socket\n@hookimpl\ndef llm_tco_gpus():\n    try:\n        socket.create_connection(('localhost', 1))\n"
        "    except OSError:\n        pass\n    return [gpu('a')]\n",
        "reaches beyond its own files: socket.getaddrinfo",
    ),
    "repeatable": ("import itertools\nCOUNT = itertools.count(5)\n" + gpus("[gpu('a', tdp_w=next(COUNT))]"), "again"),
    "sources": (
        gpus("[gpu('a', source=Source(title='T', checked=date(2026, 11, 24), url='https://x.org'))]"),
        "future",
    ),
    "bounds": (gpus("[gpu('a', tdp_w=10_000)]"), "gpu a, tdp_w is not plausible: 10000 is outside 1 to 3000 W"),
    "keys": (gpus("[gpu('a'), gpu('a')]"), "gpu a is stated twice"),
    "periods": (
        prices("[price(period=Period(start=date(2026, 1, day), end=date(2026, 2, day))) for day in (1, 9)]"),
        "price acme/m/standard is stated for 2026-01-01 to 2026-02-01 and for 2026-01-09 to 2026-02-09, which overlap",
    ),
    "names": (gpus("[gpu('a', aliases=('x',)), gpu('b', aliases=('X',))]"), "gpu x is another name of several records"),
    "specs": (gpus("[gpu('a', idle_w=451)]"), "gpu a, idle_w is above tdp_w: 451 and 450"),
    "toml": (
        "import numpy as np\nfrom llm_tco.catalog.hardware import Server\n@hookimpl\ndef llm_tco_servers():\n"
        "    return [Server(key='a', name='A', peak_w=np.array([5.0, 6.0]), source=SOURCE)]\n",
        "server cannot be written and read: peak_w",
    ),
}


@pytest.mark.parametrize("check", FAULTS)
def test_each_check_finds_its_fault_and_nothing_else(install, check):
    """A problem says which check found it, where and what; no other check is set off."""
    code, text = FAULTS[check]
    files = {"pandas": ""} if check == "import" else {}  # a stand-in is as heavy by its name

    problems = check_plugin(install("llm-tco-acme", code, **files), today=TODAY)

    assert {problem.check for problem in problems} == {check}
    assert text in str(problems[0])


def test_every_check_has_a_fault_that_it_finds():
    """No check is there for show: those that need two plugins have tests of their own."""
    assert {*FAULTS, "found", "conflicts"} == set(CHECKS)


def test_every_check_is_documented_with_what_it_demands():
    """An author finds each name that a failure may show."""
    page = Path(__file__).parents[1].joinpath("docs", "howto", "test-a-plugin.md").read_text("utf-8")

    assert re.findall(r"^\| `(\w+)` \|", page, re.M) == list(CHECKS)


def test_a_plugin_that_is_not_there_is_named_with_its_neighbours(install):
    """A slip in the name of the entry point is the commonest fault of all."""
    install("llm-tco-acme", gpus("[gpu('a')]"))

    (problem,) = check_plugin("acne")

    assert problem.check == "found"
    assert "the plugin 'acne' is not installed under this name; did you mean 'acme'" in str(problem)


def test_an_entry_point_name_that_two_distributions_share_is_a_problem(install):
    """Whoever disables one would disable both."""
    install("llm-tco-acme", gpus("[gpu('a')]"))
    install("llm-tco-acme--two", gpus("[gpu('b')]"))

    (problem,) = check_plugin("acme")

    assert problem.check == "found"
    assert "llm-tco-acme (acme = llm_tco_acme), llm-tco-acme--two (acme = llm_tco_acme__two)" in problem.what


@pytest.mark.parametrize(("authority", "count"), [("vendor", 1), ("measured", 0)])
def test_a_contradiction_of_a_first_party_plugin_is_found(install, monkeypatch, authority, count):
    """With equal authority it is a conflict; with another one of the two simply wins."""
    install("llm-tco-first", gpus("[gpu('a', authority='vendor'), gpu('b', authority='vendor')]"))
    monkeypatch.setattr("llm_tco.catalog.conformance.FIRST_PARTY", {"llm-tco-first"})
    name = install("llm-tco-acme", gpus(f"[gpu('a', tdp_w=500, authority={authority!r}), gpu('b', name='B')]"))

    problems = check_plugin(name)

    assert [problem.check for problem in problems] == ["conflicts"] * count
    if count:
        assert "gpu a, tdp_w is 500 here and 450 in llm-tco-first 1.0, with equal authority (vendor)" in str(
            problems[0]
        )


def test_a_plugin_that_ends_the_interpreter_does_not_end_the_check(install):
    """It is watched in a process of its own first."""
    (problem,) = check_plugin(install("llm-tco-acme", "import os\nos._exit(0)\n"))

    assert problem.check == "loads"
    assert "ended the interpreter with the status 0" in problem.what


def test_a_hook_that_depends_on_the_order_of_a_set_is_not_repeatable(install):
    """Another process may order it otherwise."""
    name = install("llm-tco-acme", gpus("[gpu(key) for key in {'a', 'b', 'c', 'd', 'e', 'f', 'g'}]"))

    # One order of 5,040 is that of this process; the hash seed of the other process is fixed.
    assert {problem.check for problem in check_plugin(name)} == {"repeatable"}


def test_a_hook_that_reads_a_file_of_the_current_folder_is_not_repeatable(install, tmp_path, monkeypatch):
    """Users run from other folders than its author."""
    (tmp_path / "watts.txt").write_text("450")
    monkeypatch.chdir(tmp_path)
    name = install(
        "llm-tco-acme", "import pathlib\n" + gpus("[gpu('a', tdp_w=float(pathlib.Path('watts.txt').read_text()))]")
    )

    assert "repeatable" in {problem.check for problem in check_plugin(name)}


def ended(case, check):
    """Run one test of a conformance class, and tell how it ends."""
    try:
        case().test_conforms(check)
    except pytest.xfail.Exception as error:
        return "failed as expected", str(error)
    except (AssertionError, pytest.fail.Exception) as error:
        return "failed", str(error)
    return "passed", ""


def conformance(name, **attributes):
    """Make the class that an author writes."""
    return type("TestMine", (PluginConformance,), {"plugin": name, **attributes})


def test_an_authors_class_fails_where_the_plugin_does(install):
    """Each check is a test of its own, whose message names what is wrong."""
    case = conformance(install("llm-tco-acme-a", gpus("[gpu('a', tdp_w=10_000)]")))

    outcome, text = ended(case, "bounds")

    assert outcome == "failed"
    assert "each figure lies in the range in which it is plausible, but\n  gpu a, tdp_w is not plausible" in text
    assert ended(case, "keys") == ("passed", "")


def test_an_expected_failure_has_a_reason_and_is_strict(install):
    """It is an expected failure while it lasts, and a failure when it is mended."""
    name = install("llm-tco-acme-b", gpus("[gpu('a', tdp_w=10_000)]"))
    case = conformance(name, expected_failures={"bounds": "a wafer is one card", "keys": "no reason left"})

    assert ended(case, "bounds")[0] == "failed as expected"
    assert "a wafer is one card" in ended(case, "bounds")[1]
    assert ended(case, "keys") == (
        "failed",
        "keys is expected to fail (no reason left), but passes: take it out of expected_failures",
    )


@pytest.mark.parametrize(("exceptions", "text"), [({"bound": "why"}, "names no check: bound"), ({"keys": " "}, "keys")])
def test_an_exception_without_a_check_or_a_reason_is_a_failure(exceptions, text):
    """The list is read by people."""
    with pytest.raises(AssertionError, match=re.escape(text)):
        conformance("any", expected_failures=exceptions)().test_expected_failures_name_checks_and_reasons()


def test_the_checks_need_neither_pytest_nor_hypothesis():
    """A command line may offer them where no test library is installed."""
    code = "from llm_tco.testing import check_plugin; import sys; print({'pytest', 'hypothesis'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_the_kit_has_no_other_names():
    """A misspelt name is an attribute error that says so."""
    import llm_tco.testing

    with pytest.raises(AttributeError, match="no attribute 'PluginConformence'"):
        llm_tco.testing.PluginConformence  # noqa: B018 - the access is what is tested
