"""Plugins that are broken in every way, as installed distributions: no other is harmed, and the culprit is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

HEAD = """
from datetime import date
from decimal import Decimal
from llm_tco import hookimpl
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.prices import Rate, TokenPrice
from llm_tco.catalog.records import Source

SOURCE = Source(title="Price list", url="https://example.org/prices", checked=date(2026, 11, 23))

def gpu(key, **changes):
    figures = dict(name=key, vendor="V", memory_bytes=24e9, memory_bandwidth_bytes_per_s=1e12, tdp_w=450, source=SOURCE)
    return Gpu(key=key, **{**figures, **changes})

def price(model, amount="1", **changes):
    figures = dict(provider="acme", currency="USD", input=Rate(base=Decimal(amount)), source=SOURCE)
    return TokenPrice(model=model, **{**figures, **changes})
"""
GOOD = """
@hookimpl
def llm_tco_gpus():
    return [gpu("good-1"), gpu("good-2")]

@hookimpl
def llm_tco_price_sheets():
    return [price("good")]
"""
GOOD_RECORDS = ["gpu good-1", "gpu good-2", "price acme/good/standard"]
OFFLINE = {"LLM_TCO_DISABLED_PLUGINS": "genai-prices, accelerators, reference, cn, litellm, example"}
"""The plugins of this project bring thousands of records that have no part here."""

REPORT = """
import importlib, json
from llm_tco import load_catalog
from llm_tco.catalog.plugins import load_all
for site in SITES:
    sys.path.insert(0, site)
    importlib.invalidate_caches()
    load_all.cache_clear()
    catalog = load_catalog()
    print(json.dumps({
        "plugins": {
            f"{one.distribution}:{one.name}": [one.status, one.problems, dict(one.records)] for one in catalog.plugins
        },
        "records": sorted(f"{one.kind} {one.title}" for one in catalog.records),
    }))
    sys.path.remove(site)
"""


def install(site, name, code, *, entry=None, head=HEAD, metadata=None, points=None):
    """Install a distribution of one module, as an installer would: the module and its metadata."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(head + textwrap.dedent(code), "utf-8")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(points or f"[llm_tco]\n{entry or name} = {module}\n", "utf-8")
    (info / "RECORD").write_text(f"{module}.py,,\n", "utf-8")


@pytest.fixture
def site(tmp_path):
    """Make a folder of installed packages with a good plugin in it."""
    install(tmp_path, "acme-good", GOOD)
    return tmp_path


def run(*sites, code):
    """Run code in a new interpreter, which has the first folder among its packages if there is only one."""
    names = [str(site) for site in sites]
    start = f"import sys; SITES = {names!r}; sys.path[:0] = SITES if len(SITES) == 1 else []\n"
    done = subprocess.run(
        [sys.executable, "-c", start + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **OFFLINE},
    )

    assert done.returncode == 0, done.stderr
    return done.stdout


def reports(*sites):
    """Load the plugins of each folder in a new interpreter, one folder after the other, and tell how it went."""
    return [json.loads(line) for line in run(*sites, code=REPORT).splitlines()]


def report(site):
    """Load every plugin of a folder in a new interpreter, and tell how it went."""
    (found,) = reports(site)
    return found


FAULTS = {
    "import error": ("import a_module_that_is_not_there", "cannot be imported: ModuleNotFoundError"),
    "import that exits": ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
    "import with a syntax error": ("def broken(:", "cannot be imported: SyntaxError"),
    "import whose error cannot be shown": (
        """
        class Odd(Exception):
            def __str__(self):
                raise ValueError
        raise Odd
        """,
        "cannot be imported: Odd",
    ),
    "hook raising": (
        """
        @hookimpl
        def llm_tco_gpus():
            raise RuntimeError("no such file")
        """,
        "llm_tco_gpus failed: RuntimeError: no such file",
    ),
    "generator raising halfway": (
        """
        @hookimpl
        def llm_tco_gpus():
            yield gpu("half")
            raise RuntimeError("no more")
        """,
        "llm_tco_gpus failed: RuntimeError: no more",
    ),
    "hook with arguments": (
        """
        @hookimpl
        def llm_tco_gpus(catalog):
            return [gpu("never")]
        """,
        "a hook does not fit: PluginValidationError",
    ),
    "a number in the place of a list": (
        "@hookimpl\ndef llm_tco_gpus():\n    return 3\n",
        "llm_tco_gpus failed: TypeError: 'int' object is not iterable",
    ),
    "one record in the place of a list": (
        "@hookimpl\ndef llm_tco_gpus():\n    return gpu('alone')\n",
        "llm_tco_gpus failed: TypeError: it returned a Gpu, not a list of records",
    ),
    "a text in the place of a list": (
        "@hookimpl\ndef llm_tco_gpus():\n    return 'rtx-4090'\n",
        "llm_tco_gpus failed: TypeError: it returned a str, not a list of records: 'rtx-4090'",
    ),
    "records of another kind": (
        "@hookimpl\ndef llm_tco_price_sheets():\n    return [gpu('stray')]\n",
        "which is no TokenPrice",
    ),
    "records that cannot be shown": (
        """
        class Odd:
            def __repr__(self):
                raise ValueError
        @hookimpl
        def llm_tco_gpus():
            return [Odd()]
        """,
        "which is no Gpu",
    ),
    "a list without an end": (
        """
        import itertools
        from llm_tco.catalog import plugins
        plugins.MAX_RECORDS = 1_000
        @hookimpl
        def llm_tco_gpus():
            return itertools.repeat(gpu("again"))
        """,
        "llm_tco_gpus failed: OverflowError: it returned more than 1,000 records",
    ),
    "a component that is none": (
        "@hookimpl\ndef llm_tco_components():\n    return [int]\n",
        "which is no component class with a kind",
    ),
    "misspelt hook": (
        "@hookimpl\ndef llm_tco_price_sheet():\n    return [price('lost')]\n",
        "llm_tco_price_sheet is the name of no hook; did you mean 'llm_tco_price_sheets'",
    ),
    "hook without its mark": (
        "def llm_tco_gpus():\n    return [gpu('lost')]\n",
        "llm_tco_gpus has no mark and is never called",
    ),
    "record out of bounds": (
        "@hookimpl\ndef llm_tco_gpus():\n    return [gpu('b200', tdp_w=10_000)]\n",
        "gpu b200, tdp_w is not plausible: 10000 is outside 1 to 3000 W",
    ),
    "record that poses as the user's": (
        "@hookimpl\ndef llm_tco_gpus():\n    return [gpu('mine', authority='user')]\n",
        "gpu mine states the authority 'user'",
    ),
    "record without a source": (
        "@hookimpl\ndef llm_tco_gpus():\n    return [gpu('b200', source=None)]\n",
        "returned gpu b200, which is left out: its source must be a Source, got None",
    ),
    "import that panics": ("class Panic(BaseException): pass\nraise Panic('at the disco')", "Panic: at the disco"),
    "hook that panics": (
        """
        class Panic(BaseException): pass
        @hookimpl
        def llm_tco_gpus():
            raise Panic
        """,
        "llm_tco_gpus failed: Panic",
    ),
    "record of a type of its own": (
        """
        class Odd(TokenPrice):
            @property
            def identity(self):
                raise SystemExit(3)
        @hookimpl
        def llm_tco_price_sheets():
            return [Odd(model="m", provider="acme", currency="USD", source=SOURCE)]
        """,
        "which is no TokenPrice",
    ),
    "text that is none": (
        "@hookimpl\ndef llm_tco_price_sheets():\n    return [price('m', region=5)]\n",
        "llm_tco_price_sheets returned a TokenPrice, which is left out: its region must be a text, got 5",
    ),
    "letters in the place of names": (
        "@hookimpl\ndef llm_tco_gpus():\n    return [gpu('b200', aliases='B200')]\n",
        "returned gpu b200, which is left out: its aliases must be a list of texts, got 'B200'",
    ),
    "names that are no texts": (
        "@hookimpl\ndef llm_tco_gpus():\n    return [gpu('b200', aliases=(200,))]\n",
        "its aliases must be a list of texts, got (200,)",
    ),
    "moment in the place of a day": (
        """
        import datetime
        @hookimpl
        def llm_tco_gpus():
            checked = datetime.datetime(2026, 11, 23)
            return [gpu('b200', source=Source(title="page", checked=checked))]
        """,
        "its source.checked must be a day, got datetime.date",
    ),
    "sources that are none": (
        "@hookimpl\ndef llm_tco_gpus():\n    return [gpu('b200', field_sources={'tdp_w': 'page'})]\n",
        "its field_sources must be a mapping of texts to Sources, got",
    ),
    "record in the place of a component": (
        "@hookimpl\ndef llm_tco_components():\n    return [TokenPrice]\n",
        "which is no attrs class with a method cost(demand)",
    ),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Install the good plugin with each of the faulty ones in a folder of their own, and load each folder."""
    sites = []
    for number, (code, _) in enumerate(FAULTS.values()):
        sites.append(tmp_path_factory.mktemp("site"))
        install(sites[-1], "acme-good", GOOD)
        install(sites[-1], f"acme-bad-{number}", code)
    return dict(zip(FAULTS, reports(*sites), strict=True))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_plugin_harms_no_other_and_is_named(loaded, fault):
    """Everybody else's records are there, the culprit is `broken` and says why, and brings nothing unchecked."""
    found, (_, problem) = loaded[fault], FAULTS[fault]
    name = f"acme-bad-{list(FAULTS).index(fault)}"

    status, problems, _ = found["plugins"][f"{name}:{name}"]
    assert status == "broken"
    assert any(problem in text for text in problems), problems
    assert found["plugins"]["acme-good:acme-good"] == ["ok", [], {"gpu": 2, "price": 1}]
    assert found["plugins"]["llm-tco:core"][0] == "ok"
    assert found["records"] == GOOD_RECORDS


NOTHING = ["return None", "return []", "return ()", "yield from ()", "return (one for one in ())", "return {}.values()"]


def test_a_hook_that_returns_nothing_changes_nothing(site, tmp_path_factory):
    """Law 83: nothing is an answer, in whatever form."""
    sites = [site]
    for number, body in enumerate(NOTHING):
        sites.append(tmp_path_factory.mktemp("empty"))
        install(sites[-1], "acme-good", GOOD)
        install(sites[-1], f"acme-empty-{number}", f"@hookimpl\ndef llm_tco_gpus():\n    {body}\n")

    before, *after = reports(*sites)

    for number, found in enumerate(after):
        assert found["plugins"].pop(f"acme-empty-{number}:acme-empty-{number}") == ["ok", [], {}]
        assert found == before


def test_a_generator_of_records_is_as_good_as_a_list(site):
    """A hook may yield its records."""
    install(site, "acme-lazy", "@hookimpl\ndef llm_tco_gpus():\n    yield gpu('lazy-1')\n    yield gpu('lazy-2')\n")

    assert report(site)["records"] == sorted([*GOOD_RECORDS, "gpu lazy-1", "gpu lazy-2"])


def test_the_other_records_of_a_plugin_stay_usable(site):
    """One implausible record is left out, and only that one."""
    code = "@hookimpl\ndef llm_tco_gpus():\n    return [gpu('fine'), gpu('slip', memory_bytes=24)]\n"
    install(site, "acme-slip", code + "@hookimpl\ndef llm_tco_price_sheets():\n    return [price('kept')]\n")

    found = report(site)

    status, (problem,), counts = found["plugins"]["acme-slip:acme-slip"]
    assert (status, counts) == ("broken", {"gpu": 1, "price": 1})
    assert "gpu slip, memory_bytes is not plausible: 24 is outside 1e+09 to 1e+12 B" in problem
    assert "gpu slip is left out" in problem
    assert found["records"] == sorted([*GOOD_RECORDS, "gpu fine", "price acme/kept/standard"])


def test_two_distributions_with_one_entry_point_name_are_both_loaded(site):
    """None of the two is dropped in silence; each is told from the other by its distribution."""
    for name in ("acme-one", "acme-two"):
        install(site, name, f"@hookimpl\ndef llm_tco_gpus():\n    return [gpu('{name}')]\n", entry="acme")

    found = report(site)

    assert found["plugins"]["acme-one:acme"] == found["plugins"]["acme-two:acme"] == ["ok", [], {"gpu": 1}]
    assert found["records"] == sorted([*GOOD_RECORDS, "gpu acme-one", "gpu acme-two"])


def test_a_contradiction_is_raised_only_when_its_key_is_asked_for(site):
    """Both values are named, and the three ways out, each of which works; whoever asks for others hears nothing."""
    for name, watts in (("acme-one", 400), ("acme-two", 500)):
        install(
            site, name, f"@hookimpl\ndef llm_tco_gpus():\n    return [gpu('shared', tdp_w={watts}), gpu('{name}')]\n"
        )

    out = run(
        site,
        code="""
        from llm_tco import load_catalog
        catalog = load_catalog()
        print(catalog.gpu("good-1").tdp_w, catalog.gpu("acme-one").key, {one.status for one in catalog.plugins})
        try:
            catalog.gpu("shared")
        except LookupError as error:
            print(error)
        print(catalog.gpu("shared", plugin="acme-two").tdp_w)
        print(load_catalog(prefer=["acme-one"]).gpu("shared").tdp_w)
        print(load_catalog(disable=["Acme_One"]).gpu("shared").tdp_w)
        """,
    )

    first, *error, by_plugin, by_preference, by_disabling = out.splitlines()
    assert first.startswith("450.0 acme-one")
    assert "broken" not in first
    assert error == [
        "2 records of equal authority state gpu shared differently:",
        "  acme-one 1.0: tdp_w 400, from Price list, https://example.org/prices (checked 2026-11-23)",
        "  acme-two 1.0: tdp_w 500, from Price list, https://example.org/prices (checked 2026-11-23)",
        "Name one by plugin=, rank plugins by prefer=, or disable one.",
    ]
    assert (by_plugin, by_preference, by_disabling) == ("500.0", "400.0", "500.0")


def test_damaged_metadata_of_one_distribution_harm_no_other(site):
    """A list of entry points that cannot be read is reported; so is a plugin without a name, which is loaded."""
    install(site, "acme-torn", "", points="[llm_tco]\nthis line is no entry point\n")
    install(site, "acme-nameless", "@hookimpl\ndef llm_tco_gpus():\n    return [gpu('nameless')]\n", metadata="\n")

    found = report(site)

    status, (problem,), _ = found["plugins"]["acme-torn:acme-torn"]
    assert status == "broken"
    assert problem.startswith("entry_points.txt cannot be read")
    assert found["plugins"]["acme-good:acme-good"][0] == "ok"
    assert found["records"] == sorted([*GOOD_RECORDS, "gpu nameless"])


def test_all_faults_at_once(site):
    """However many are broken, the good one works, and each culprit has its own report."""
    for number, (code, _) in enumerate(FAULTS.values()):
        if "MAX_RECORDS" not in code:
            install(site, f"acme-bad-{number}", code)

    found = report(site)

    broken = [name for name, (status, _, _) in found["plugins"].items() if status == "broken"]
    assert len(broken) == len(FAULTS) - 1
    assert found["records"] == GOOD_RECORDS


MANY = """
@hookimpl
def llm_tco_price_sheets():
    return [price(f"model-{number}", number % 50 + 1, aliases=(f"alias-{number}",)) for number in range(COUNT)]
"""
COUNTED = """
from datetime import date
from llm_tco.catalog import plugins
from llm_tco.catalog.catalog import Catalog
calls = 0
def count(frame, event, argument):
    global calls
    calls += 1
points, _ = plugins.entry_points()
(point,) = [one for one in points if one.name == "acme-many"]
sys.settrace(count)
found = plugins.load(point)
catalog = Catalog(found.records)
catalog.price("acme", "alias-1", on=date(2026, 1, 1))
sys.settrace(None)
print(len(catalog.records), calls)
"""


def test_ten_thousand_records_cost_ten_times_a_thousand(tmp_path):
    """The work of loading, checking, indexing and asking grows with the number of records, not with its square."""
    calls = []
    for count in (1_000, 10_000):
        site = tmp_path / str(count)
        site.mkdir()
        install(site, "acme-many", MANY.replace("COUNT", str(count)))
        records, work = map(int, run(site, code=COUNTED).split())
        calls.append(work)

        assert records == count

    assert calls[1] < 11 * calls[0]
