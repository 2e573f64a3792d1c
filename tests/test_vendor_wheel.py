"""A plugin that is written from the tutorial alone works once its wheel is installed; and what our own folders hold."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "howto" / "write-a-price-plugin.md").read_text("utf-8")
FILE = re.compile(r"^`(?P<path>[\w./-]+)`:\n\n```\w+\n(?P<text>.*?)^```", re.S | re.M)
CONSOLE = re.compile(r"^```console\n(?P<lines>.*?)^```", re.S | re.M)
EXAMPLE = ROOT / "plugins" / "llm-tco-example"
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
SCENARIO = "chat.toml"


def page_files():
    """Give the files that the page tells an author to write."""
    return {found["path"]: found["text"] for found in FILE.finditer(PAGE)}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Write the page's files into an empty folder."""
    folder = tmp_path_factory.mktemp("author")
    for path, text in page_files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    (folder / "src" / "llm_tco_acme" / "py.typed").touch()
    return folder


def zip_wheel(project, folder):
    """Build a wheel with the standard library: the modules, and the metadata that pyproject.toml states."""
    settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    name, version = settings["name"].replace("-", "_"), settings["version"]
    source = project / "src"
    files = {str(path.relative_to(source)): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    groups = settings["entry-points"].items()
    points = "\n".join(f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in one.items()) for group, one in groups)
    needs = "".join(f"Requires-Dist: {need}\n" for need in settings["dependencies"])
    info = f"{name}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {settings['name']}\nVersion: {version}\n"
    files[f"{info}/METADATA"] = f"{head}Requires-Python: {settings['requires-python']}\n{needs}".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = points.encode()
    sums = {path: base64.urlsafe_b64encode(hashlib.sha256(data).digest()) for path, data in files.items()}
    lines = [f"{path},sha256={sums[path].rstrip(b'=').decode()},{len(data)}\n" for path, data in files.items()]
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


def uv_wheel(project, folder):
    """Build a wheel with the backend that the page names, which uv has in itself."""
    command = ["uv", "build", "--offline", "--no-config", "--wheel", "--quiet", "--out-dir", str(folder), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def site(project, tmp_path_factory):
    """Build the wheel and unpack it into a folder of packages, as an installer does with a wheel of pure Python."""
    return unpacked(zip_wheel(project, tmp_path_factory.mktemp("dist")), tmp_path_factory.mktemp("site"))


def unpacked(wheel, folder):
    """Unpack a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def modules_of(site):
    """Give what a folder of packages holds beside metadata, and the entry points."""
    files = {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    points = [data for path, data in files.items() if path.name == "entry_points.txt"]
    return {path: data for path, data in files.items() if "dist-info" not in path.parts[0]}, points


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_the_backend_of_the_page_builds_the_same(project, site, tmp_path):
    """The modules, the data and the entry point of the page's own backend are those that are tested here."""
    (tmp_path / "site").mkdir()
    modules, points = modules_of(unpacked(uv_wheel(project, tmp_path), tmp_path / "site"))
    ours, our_points = modules_of(site)

    assert modules == ours
    assert [data.split() for data in points] == [data.split() for data in our_points]


def llm_tco(*arguments, folder, site=None):
    """Run the command line in a new interpreter, with or without the folder of packages."""
    path = os.pathsep.join(part for part in (str(site or ""), os.environ.get("PYTHONPATH", "")) if part)
    return subprocess.run(
        [sys.executable, "-c", "from llm_tco.cli import main; main(prog_name='llm-tco')", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
    )


def lines_of(text):
    """Give the lines of an output without the spaces at their ends."""
    return [line.rstrip() for line in text.splitlines()]


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory):
    """Write the page's scenario as it stands, and with the model that the page names instead."""
    folder = tmp_path_factory.mktemp("user")
    text = page_files()[SCENARIO]
    block = re.compile(r"\[prices\.chat\]\n(?:\w+ = .+\n)+")
    before, after = block.findall(PAGE)
    (folder / "before.toml").write_text(text, "utf-8")
    (folder / SCENARIO).write_text(text.replace(before, after), "utf-8")
    changed = [(one, other) for one, other in zip(before.splitlines(), after.splitlines(), strict=True) if one != other]

    assert [one.split(" = ")[0] for one, _ in changed] == ["provider", "model"]
    return folder


def test_before_it_is_installed_the_error_names_the_model_and_the_nearest(scenarios):
    """Whoever names a model whose plugin is missing is told so, and gets no figure."""
    done = llm_tco("compare", SCENARIO, folder=scenarios)

    assert (done.returncode, done.stdout) == (2, "")
    assert "prices.chat: no price 'acme/acme-large/standard'" in done.stderr
    assert "did you mean" in done.stderr
    assert "No plugin brings prices of 'acme': install one that does, by convention llm-tco-acme" in done.stderr


def test_once_it_is_installed_the_model_alone_changes_the_result(scenarios, site):
    """The same scenario has another cost, from the new plugin's sheet."""
    before, after = (llm_tco("compare", name, folder=scenarios, site=site) for name in ("before.toml", SCENARIO))

    assert (before.returncode, after.returncode) == (0, 0), before.stderr + after.stderr
    assert before.stdout != after.stdout
    assert "llm-tco-acme" not in before.stdout
    assert "llm-tco-acme 2026.11.23 (vendor)" in after.stdout


def test_its_component_is_a_cost_like_any_other(scenarios, site):
    """The line of the page adds the gateway's fee of twelve months to the bill."""
    (costs,) = re.findall(r"`(costs = .*acme_gateway.*)`", PAGE)
    plain = (scenarios / SCENARIO).read_text("utf-8")
    (scenarios / "gateway.toml").write_text(re.sub(r"costs = .*", costs, plain), "utf-8")
    totals = []
    for name in (SCENARIO, "gateway.toml"):
        done = llm_tco("compare", name, "--json", folder=scenarios, site=site)
        assert done.returncode == 0, done.stderr
        (option,) = json.loads(done.stdout)["options"].values()
        totals.append(option["tco"])

    assert totals[1] - totals[0] == pytest.approx(12 * 50)


def commands():
    """Give the commands of llm-tco that the page shows, each with what it prints there."""
    found = []
    for block in CONSOLE.finditer(PAGE):
        for part in re.split(r"^\$ ", block["lines"], flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            if command.startswith("llm-tco "):
                found.append((command, output))
    return found


@pytest.mark.parametrize(("command", "output"), commands(), ids=lambda value: value.split("\n")[0])
def test_the_page_shows_what_the_commands_print(command, output, scenarios, site):
    """An author who follows the page sees its lines, and "…" stands wherever the page leaves some out."""
    done = llm_tco(*command.split()[1:], folder=scenarios, site=site)
    parts = [re.escape(part.strip("\n")) for part in "\n".join([*lines_of(output), ""]).split("…\n")]
    shown = re.compile(r"(?:.*\n)*?".join(f"(?:{part}\n+)?" if not part else f"{part}\n+" for part in parts))

    assert done.returncode == 0, done.stderr
    assert output
    assert shown.fullmatch("\n".join(lines_of(done.stdout)) + "\n")


def test_the_plugin_passes_its_own_tests(project, site):
    """The test file of the page passes, the conformance test in it."""
    path = os.pathsep.join(part for part in (str(site), os.environ.get("PYTHONPATH", "")) if part)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        capture_output=True,
        text=True,
        check=False,
        cwd=project,
        env={**os.environ, "PYTHONPATH": path},
    )

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def acme(text):
    """Put the vendor of the page in the place of the example's, as the page's last command does."""
    return text.replace("example", "acme").replace("Example", "Acme")


def test_the_template_is_the_tutorial_under_another_name():
    """What the page explains line by line is what lies in the repository, once renamed."""
    template = {
        acme(str(path.relative_to(EXAMPLE))): acme(path.read_text("utf-8"))
        for path in EXAMPLE.rglob("*")
        if path.suffix in {".py", ".toml"}
    }
    shown = {path: text for path, text in page_files().items() if path != SCENARIO}
    whole, part = (tomllib.loads(files.pop("pyproject.toml")) for files in (template, shown))

    assert shown == template
    assert part["project"].items() <= whole["project"].items()
    assert part["build-system"] == whole["build-system"]


def test_nothing_depends_on_the_example():
    """Made-up prices come to nobody who did not ask for them."""
    for path in (ROOT, *PLUGINS):
        project = tomllib.loads((path / "pyproject.toml").read_text("utf-8"))["project"]
        extras = project.get("optional-dependencies", {}).values()
        needs = [*project.get("dependencies", ()), *(need for extra in extras for need in extra)]

        assert not [need for need in needs if need.startswith("llm-tco-example")]


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_folder_is_a_whole_distribution(folder):
    """Each can be built, read, licensed, typed and tested alone."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    module = project["name"].replace("-", "_")
    tests = [path.read_text("utf-8") for path in folder.glob("tests/test_*.py")]
    bases = {
        getattr(base, "id", None)
        for text in tests
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }

    assert project["name"] == folder.name
    assert module in project["entry-points"]["llm_tco"].values()
    assert project["dependencies"][0].startswith("llm-tco>=")
    assert project["license"]
    for name in ("README.md", "CHANGELOG.md", "LICENSE", f"src/{module}/__init__.py", f"src/{module}/py.typed"):
        assert (folder / name).is_file(), name
    assert folder.name in (folder / "README.md").read_text("utf-8")
    assert f"## [{project['version']}]" in (folder / "CHANGELOG.md").read_text("utf-8")
    assert "PluginConformance" in bases
