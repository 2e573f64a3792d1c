"""The documentation says what the code does: snippets run, printed output is real, no name is missing."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import llm_tco
from llm_tco.catalog import hookspecs
from llm_tco.cli import main
from llm_tco.components.kinds import llm_tco_components
from llm_tco.structure import settable

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("plugins/*/README.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]
SNIPPET = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```)?", re.S | re.M)
OUTPUT = re.compile(r"<!-- output(?:\((?P<file>\w+)\))?:(?P<what>.*?)-->\n```text\n(?P<text>.*?)```", re.S)
TUTORIAL = ROOT / "docs" / "tutorial" / "first-comparison.md"


def name_of(page):
    """Name a page for the report of tests."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if SNIPPET.search(page.read_text("utf-8"))], ids=name_of)
def test_the_snippets_of_a_page_run_and_print_what_it_says(page, monkeypatch, capsys):
    """A reader may copy them from top to bottom."""
    monkeypatch.chdir(ROOT)
    namespace = {"__name__": "page"}
    for found in SNIPPET.finditer(page.read_text("utf-8")):
        exec(compile(found["code"], f"<{page.name}>", "exec", dont_inherit=True), namespace)  # no file has this name
        printed = capsys.readouterr().out

        assert printed == (found["output"] or "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make the files of the tutorial: the starter and the changes that the pages describe."""
    folder = tmp_path_factory.mktemp("tutorial")
    CliRunner().invoke(main, ["init", str(folder / "scenario.toml")])
    for block in re.findall(r'```toml\n(extends = "scenario.toml".*?)```', TUTORIAL.read_text("utf-8"), re.S):
        name = "dearer" if "dearer" in block else "fixed" if "count = 1" in block else "mistakes"
        (folder / f"{name}.toml").write_text(block, "utf-8")
    return folder


def excerpt(lines, span):
    """Cut the lines from the one that begins with a text to the next that begins with another."""
    first, _, last = (word.strip() for word in span.partition(".."))
    begin = next(place for place, line in enumerate(lines) if line.startswith(first))
    ends = [place for place, line in enumerate(lines) if place > begin and last and line.startswith(last)]
    return lines[begin : ends[0] if ends else len(lines)]


@pytest.mark.parametrize("page", [page for page in PAGES if OUTPUT.search(page.read_text("utf-8"))], ids=name_of)
def test_the_output_that_a_page_shows_is_what_the_command_prints(page, folder, monkeypatch):
    """No table in the documentation is older than the code."""
    for found in OUTPUT.finditer(page.read_text("utf-8")):
        monkeypatch.chdir(folder if found["file"] else ROOT)
        arguments = ["compare", f"{found['file']}.toml"] if found["file"] else found["what"].split()[1:]
        lines = [line.rstrip() for line in CliRunner().invoke(main, arguments).output.splitlines()]
        if found["file"] and found["what"].strip():
            lines = excerpt(lines, found["what"])

        assert undated("\n".join(lines)) == undated(found["text"])


def undated(text):
    """Leave out the version and the day of the price list, which change without us."""
    return re.sub(r"\d+\.\d+\.\d+,|checked \d{4}-\d\d-\d\d", "…", text).rstrip()


def test_every_public_name_is_in_the_reference():
    """What can be imported can be looked up."""
    page = (ROOT / "docs" / "reference" / "api" / "llm_tco.rst").read_text("utf-8")
    documented = re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)", page, re.M)

    assert sorted(documented) == sorted(llm_tco.__all__)


@pytest.mark.parametrize("name", sorted(name for name in vars(hookspecs) if name.startswith("llm_tco_")))
def test_every_hook_is_documented_with_its_signature(name):
    """A plugin's author finds each hook, what it takes and what it returns."""
    page = (ROOT / "docs" / "howto" / "write-a-price-plugin.md").read_text("utf-8")
    returns = inspect.signature(getattr(hookspecs, name)).return_annotation

    assert f"{name}() -> {returns}" in page


@pytest.mark.parametrize("kind", llm_tco_components(), ids=lambda kind: kind.kind)
def test_every_field_of_every_kind_is_in_the_reference(kind):
    """A scenario's author finds each key."""
    page = (ROOT / "docs" / "reference" / "scenario-file.md").read_text("utf-8")

    assert f"`{kind.kind}`" in page
    assert all(f"`{field}`" in page or f"`{field}." in page for field in settable(kind))
