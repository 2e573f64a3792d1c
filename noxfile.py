"""Tasks: `uv run nox` runs all of them, `uv run nox -s tests` one."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False  # an interpreter that is not there is skipped, and nox says so
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "lowest", "wheels", "alone", "docs"]

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
EXTRAS = ",".join(PROJECT["project"]["optional-dependencies"])
ENVIRONMENT = {"UV_PYTHON_DOWNLOADS": "never"}
os.environ.update(ENVIRONMENT)


def sources(*paths: str) -> list[str]:
    """Give the arguments that install local packages in editable mode."""
    return [argument for path in paths for argument in ("-e", path)]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run every test on each supported Python that is there."""
    session.install(*sources(f".[{EXTRAS}]", *(f"plugins/{name}" for name in PLUGINS)), "--group", "test")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run every test on the lowest versions that the packages allow."""
    packages = sources(f".[{EXTRAS}]", *(f"plugins/{name}" for name in PLUGINS))
    session.install("--resolution", "lowest-direct", *packages, "--group", "test")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def wheels(session: nox.Session) -> None:
    """Build every distribution and test the wheels, away from the sources."""
    wheels = Path(session.create_tmp()) / "wheels"
    for package in (".", *(f"plugins/{name}" for name in PLUGINS)):
        session.run(
            "uv", "build", "--wheel", "--quiet", "--no-sources", "--out-dir", str(wheels), package, external=True
        )
    built = [str(wheel) for wheel in sorted(wheels.glob("*.whl"))]
    core = next(wheel for wheel in built if Path(wheel).name.startswith("llm_tco-"))
    session.install("--reinstall", *built, f"{core}[{EXTRAS}]", "--group", "test")
    session.run("pytest", "tests", *session.posargs)


@nox.session(python=PYTHONS[0])
@nox.parametrize("plugin", PLUGINS)
def alone(session: nox.Session, plugin: str) -> None:
    """Build a plugin's wheel and test it with the core's wheel, and with no other plugin."""
    wheels = Path(session.create_tmp()) / "wheels"
    for package in (".", f"plugins/{plugin}"):
        session.run(
            "uv", "build", "--wheel", "--quiet", "--no-sources", "--out-dir", str(wheels), package, external=True
        )
    core, own = (
        next(str(wheel) for wheel in wheels.glob(f"{name.replace('-', '_')}-*.whl")) for name in ("llm-tco", plugin)
    )
    session.install("--reinstall", own, f"{core}[{EXTRAS}]", "--group", "test")
    session.run("pytest", f"plugins/{plugin}/tests", *session.posargs)


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Check types strictly."""
    session.install(*sources(f".[{EXTRAS}]", *(f"plugins/{name}" for name in PLUGINS)), "--group", "lint")
    session.run("mypy")


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.install(*sources(f".[{EXTRAS}]", *(f"plugins/{name}" for name in PLUGINS)), "--group", "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session(python=PYTHONS[0])
def benchmarks(session: nox.Session) -> None:
    """Print how fast it is, as ratios."""
    session.install(f".[{EXTRAS}]", *(f"plugins/{name}" for name in PLUGINS))
    for script in sorted(ROOT.glob("benchmarks/*.py")):
        session.run("python", str(script), *session.posargs)
