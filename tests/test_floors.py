"""The house plan: each floor imports only floors below it, and libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import llm_tco

PACKAGE = Path(llm_tco.__file__).parent
FLOORS = [
    {"errors", "units"},
    {"_fields"},
    {
        "finance",
        "finance._roots",
        "finance.annuity",
        "finance.dated",
        "finance.depreciation",
        "finance.discounting",
        "finance.loans",
        "finance.macrs",
        "finance.projects",
        "finance.rates",
        "finance.returns",
    },
    {"money", "timeline"},
    {"lengths", "loadshape", "structure"},
    {"catalog.records", "catalog.weeks"},
    {"catalog.windows"},
    {"catalog.bounds", "catalog.guards", "catalog.rates"},
    {"catalog.checks", "catalog.hardware", "catalog.models", "catalog.prices", "catalog.tariffs"},
    {"catalog.messages", "serving.quantisation"},
    {"catalog.needs", "serving.batching", "serving.efficiency", "serving.memory"},
    {"serving.roofline"},
    {"serving.estimate"},
    {"serving.operating"},
    {"catalog.catalog", "catalog.hookspecs", "catalog.reading", "catalog.writing"},
    {"serving.candidates", "serving.quality"},
    {"serving.selection"},
    {"catalog.plugins", "lock", "references", "texts"},
    {"catalog.probe", "demand", "lines"},
    {"catalog.conformance", "ledger"},
    {"financing"},
    {"serving.queueing", "serving.reliability"},
    {"serving.energy"},
    {"serving.fleet"},
    {"serving.consumption"},
    {"components.base"},
    {"components.amounts", "components.answers"},
    {
        "components.agreement",
        "components.api",
        "components.batching",
        "components.benefit",
        "components.cache",
        "components.capital",
        "components.facility",
        "components.financed",
        "components.labour",
        "components.power",
        "components.prompt_cache",
        "components.rental",
        "components.risk",
        "components.router",
        "components.tax",
    },
    {"components.policies", "components.spill", "usage.tables"},
    {"components.kinds", "usage.outcomes", "usage.similar", "usage.traces"},
    {"usage.history"},
    {"analysis.crossings", "analysis.doubts", "analysis.hulls", "analysis.routing", "analysis.terms"},
    {"analysis.breakeven", "analysis.frontier", "analysis.pieces"},
    {"analysis.resampling", "analysis.shares"},
    {"analysis.compare"},
    {"analysis.caches", "analysis.mixes", "analysis.sizing"},
    {"analysis.nested", "analysis.optimise"},
    {"scenario", "report.document", "report.figures", "testing.conformance", "testing.records", "testing.strategies"},
    {
        "choices",
        "difference",
        "frontiers",
        "report.charts",
        "report.proposal",
        "report.tables",
        "schema",
        "testing.laws",
        "testing.mixes",
    },
    {"report.grid"},
    {"report.listing"},
    {"report.caches", "report.routing", "report.sizing"},
    {"commands"},
    {"commands.catalogs", "commands.routing", "commands.scenarios", "commands.sizing"},
    {"cli"},
]
EMPTY = {"__init__", "analysis", "catalog", "components", "report", "serving", "testing", "usage"}
LIBRARIES = {
    "cattrs": {"structure", "catalog.reading", "scenario"},
    "pluggy": {"catalog.hookspecs", "catalog.plugins"},
    "importlib_metadata": {"catalog.plugins"},
    "hypothesis": {"testing.mixes", "testing.strategies", "testing.laws", "testing.records"},
    "pytest": {"testing.conformance"},
    "rich": {
        "commands",
        "report.caches",
        "report.grid",
        "report.listing",
        "report.routing",
        "report.sizing",
        "report.tables",
    },
    "click": {"cli", "commands", "commands.catalogs", "commands.routing", "commands.scenarios", "commands.sizing"},
    "jinja2": {"report.proposal"},
    "babel": {"report.proposal"},
    "scipy": {"analysis.shares"},
    "vl_convert": {"report.charts"},
}


def modules():
    """List the modules of the package with their parsed code."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree):
    """List what a module imports, but for type checking."""
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_of(name):
    """Give the floor on which a module stands."""
    return next(level for level, floor in enumerate(FLOORS) if name in floor)


@pytest.mark.parametrize(("name", "tree"), [(name, tree) for name, tree in modules() if name not in EMPTY])
def test_each_floor_imports_only_floors_below_it(name, tree):
    """No module looks up, or sideways outside its own package."""
    known = set().union(*FLOORS)
    for imported in imports(tree):
        below = imported.removeprefix("llm_tco.")
        if imported.startswith("llm_tco.") and below in known and below != name:
            same_package = name.split(".")[0] == below.split(".")[0] == "finance"
            assert same_package or floor_of(below) < floor_of(name), f"{name} imports {below}"


@pytest.mark.parametrize(("name", "tree"), list(modules()))
def test_libraries_are_imported_where_they_belong(name, tree):
    """cattrs at the edges, pluggy with the plugins, terminals on the command line."""
    for imported in imports(tree):
        library = imported.split(".")[0]
        assert name in LIBRARIES.get(library, {name}), f"{name} imports {library}"


def loaded_by(code):
    """Run code in a new interpreter and list the modules that it has loaded."""
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(out.stdout.split("\n")[-2].split())


def test_importing_the_package_loads_nothing_heavy():
    """The first import costs a few milliseconds."""
    heavy = {"numpy", "attr", "attrs", "cattrs", "pluggy", "importlib_metadata", "click", "rich"}

    assert not loaded_by("import llm_tco") & heavy


def test_importing_the_package_loads_no_plugin():
    """Plugins are loaded when a catalog is asked for."""
    loaded = loaded_by("import llm_tco; llm_tco.compare")

    assert not {name for name in loaded if name.startswith("llm_tco_") or name == "genai_prices"}


def test_help_needs_neither_numpy_nor_cattrs():
    """The command line answers before it has loaded the engine."""
    code = "from click.testing import CliRunner\nfrom llm_tco.cli import main\nCliRunner().invoke(main, ['--help'])"

    assert not loaded_by(code) & {"numpy", "attrs", "cattrs", "rich"}


def test_all_is_sorted_and_complete():
    """Every public name resolves, and the list can be read at a glance."""
    assert list(llm_tco.__all__) == sorted(llm_tco.__all__)
    assert all(getattr(llm_tco, name) is not None for name in llm_tco.__all__)
    assert set(llm_tco.__all__) == set(llm_tco._HOMES)
    assert len(llm_tco.__all__) <= 35


def test_an_unknown_name_is_an_attribute_error():
    """The lazy door is shut to what is not there."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        llm_tco.nothing  # noqa: B018 - the access is what is tested


def test_the_version_is_that_of_the_distribution():
    """One place holds the version."""
    assert llm_tco.__version__ == "0.1.0"


def test_modules_are_of_a_readable_size():
    """A module has one reason to change, and fits a reader's head."""
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 520, path.name


def test_no_component_is_longer_than_a_screen():
    """A kind of cost can be read at a glance: its docstring and fields, and its arithmetic."""
    for path in (PACKAGE / "components").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                body = node.end_lineno - node.lineno - len((ast.get_docstring(node) or "").splitlines())
                assert body <= 80, f"{path.name}: {node.name}"
