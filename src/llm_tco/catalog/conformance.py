"""What a good plugin does: checks that an author runs before anybody installs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from llm_tco.catalog import plugins
from llm_tco.catalog.checks import Problem, check_records, differences, name_of, overlap, rank, shown
from llm_tco.catalog.hookspecs import PROJECT
from llm_tco.catalog.plugins import Loaded
from llm_tco.catalog.probe import fingerprints
from llm_tco.catalog.reading import read_toml, records_of
from llm_tco.catalog.records import Record
from llm_tco.catalog.writing import write_records
from llm_tco.errors import LlmTcoError, suggest

CHECKS: Final[Mapping[str, str]] = {
    "found": "an entry point of this name is installed, and only one",
    "loads": "it is imported, and each hook has a name that is known, answers, and returns what it should",
    "records": "it brings at least one record or component",
    "import": "importing it loads no heavy library",
    "offline": "importing it and calling its hooks reaches no network and starts no program",
    "repeatable": "its hooks return the same each time, in another process and from another folder",
    "sources": "each record says where it stands, at an https address, read on a day that has come",
    "bounds": "each figure lies in the range in which it is plausible",
    "keys": "no key is stated twice for the same period",
    "periods": "the periods of a key do not overlap",
    "names": "no alias means two records",
    "specs": "what is ordered by nature is ordered: idle and board power, throughput by precision",
    "toml": "its records survive the way into TOML and back",
    "conflicts": "it contradicts no plugin of this project with equal authority",
}
"""The checks of `check_plugin`, and what each demands."""

FIRST_PARTY: Final = frozenset(
    {
        "llm-tco",
        "llm-tco-accelerators",
        "llm-tco-cn",
        "llm-tco-genai-prices",
        "llm-tco-litellm",
        "llm-tco-reference",
    }
)
"""The distributions of this project whose records no other may contradict."""

HEAVY: Final = frozenset(
    {
        "IPython", "aiohttp", "anthropic", "boto3", "botocore", "dask", "duckdb", "google", "grpc", "httpx", "jax",
        "litellm", "matplotlib", "openai", "openpyxl", "pandas", "plotly", "polars", "pyarrow", "pydantic",
        "pydantic_core", "requests", "scipy", "sklearn", "sqlalchemy", "tensorflow", "torch", "transformers",
        "urllib3",
    }
)  # fmt: skip
"""Libraries that a hook may import when it is called, but a plugin may not import when it is."""

MOST_MODULES: Final = 100
"""Modules outside the standard library and the plugin that its import may load."""

MOST_SECONDS: Final = 300.0
"""Time that a plugin may take to be loaded and to answer twice. [s]"""

_START: Final = (
    "import json, sys; path, order = json.load(sys.stdin); sys.path[:] = path; "
    "from llm_tco.catalog.probe import main; main(json.dumps(order))"
)


def check_plugin(name: str, *, today: date | None = None) -> list[Problem]:
    """Check an installed plugin as its author should.

    Args:
        name: Name of its entry point, or of its distribution.
        today: Day after which no source can have been read; without it, that is not checked.

    Returns:
        What is wrong, each with the name of its check in `CHECKS`; nothing where all is well.
    """
    points, unreadable = plugins.entry_points()
    fitting = [point for point in points if plugins.is_called(point, [name])]
    found = [problem for one in unreadable for problem in one.problems]
    if len(fitting) != 1:
        found.append(_not_one(name, points, fitting))
    for point in fitting:
        distribution, _ = plugins.distribution_of(point)
        answer = _watch(distribution, point)  # before it is loaded here, as it may end the interpreter
        if isinstance(answer, Problem):
            found.append(answer)
            continue
        loaded = plugins.load(point)
        records = (*loaded.records, *loaded.refused)
        found += [problem for problem in loaded.problems if problem.check == "loads"]
        if not records and not loaded.components:
            mend = "A plugin brings at least one record or component; look at what its hooks return."
            found.append(Problem(check="records", where=distribution, what="brings nothing", mend=mend))
        found += _weight(distribution, point, answer["modules"])
        found += _habits(distribution, answer, fingerprints(loaded))
        found += check_records(records, today=today)
        found += _round_trips(records)
        others = [one for one in points if plugins.distribution_of(one)[0] in FIRST_PARTY - {distribution}]
        found += _conflicts(loaded, [plugins.load(one) for one in others])
    return found


def _not_one(name: str, points: Iterable[Any], fitting: list[Any]) -> Problem:
    if not fitting:
        known = sorted({word for point in points for word in (point.name, plugins.distribution_of(point)[0])})
        return Problem(
            check="found",
            where=f"the plugin {name!r}",
            what=f"is not installed under this name{suggest(name, known)}",
            mend=f"Install it, and name it in its pyproject.toml under [project.entry-points.{PROJECT}].",
        )
    places = ", ".join(f"{plugins.distribution_of(point)[0]} ({point.name} = {point.value})" for point in fitting)
    return Problem(
        check="found",
        where=f"the plugin {name!r}",
        what=f"is not the only one of this name: {places}",
        mend="Give each entry point a name of its own.",
    )


def _watch(distribution: str, point: Any) -> dict[str, Any] | Problem:
    """Load the plugin in an interpreter of its own, whose network is shut."""
    order = json.dumps([[os.path.abspath(path) for path in sys.path], [distribution, point.name, point.value]])
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-B", "-c", _START],
                input=order,
                capture_output=True,
                text=True,
                check=False,
                cwd=folder,
                timeout=MOST_SECONDS,
                env={**os.environ, "PYTHONHASHSEED": "20", "PYTHONIOENCODING": "utf-8"},
            )
        except subprocess.TimeoutExpired:
            what = f"did not answer within {MOST_SECONDS:g} s"
            return Problem(check="loads", where=distribution, what=what, mend="A hook returns, and soon.")
    if done.returncode or not done.stdout:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        what = f"ended the interpreter with the status {done.returncode}: {last}"
        return Problem(check="loads", where=distribution, what=what, mend="A plugin raises, and never exits.")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _habits(distribution: str, answer: Mapping[str, Any], here: Mapping[str, str]) -> Iterator[Problem]:
    if answer["reached"]:
        what = f"reaches beyond its own files: {', '.join(answer['reached'])}"
        mend = "Ship the data with the plugin; a tool of its own may refresh them."
        yield Problem(check="offline", where=distribution, what=what, mend=mend)
    first, second = answer["rounds"]
    for kind in sorted({*first, *second, *here}):
        if not first.get(kind) == second.get(kind) == here.get(kind):
            what = "returns something else when it is asked again, in another process or from another folder"
            mend = "Read neither the clock nor the environment, and files by their place in the package; sort sets."
            yield Problem(check="repeatable", where=f"{distribution}, {kind}", what=what, mend=mend)


def _weight(distribution: str, point: Any, modules: Iterable[str]) -> Iterator[Problem]:
    own = {"llm_tco", point.value.partition(":")[0].partition(".")[0], *sys.stdlib_module_names}
    foreign = [name for name in modules if name.partition(".")[0] not in own]
    heavy = sorted({name.partition(".")[0] for name in foreign} & HEAVY)
    mend = "Import inside the hook what only the hook needs."
    if heavy:
        what = f"imports {', '.join(heavy)} when it is imported itself"
        yield Problem(check="import", where=distribution, what=what, mend=mend)
    elif len(foreign) > MOST_MODULES:
        what = f"imports {len(foreign)} modules of others when it is imported itself, more than {MOST_MODULES}"
        yield Problem(check="import", where=distribution, what=what, mend=mend)


def _round_trips(records: Iterable[Record]) -> Iterator[Problem]:
    kinds: dict[type[Record], list[Record]] = defaultdict(list)
    for record in records:
        kinds[type(record)].append(record)
    for kind, rows in kinds.items():
        try:
            text = write_records(rows, table="records")
            back = records_of(read_toml(text), kind, table="records", title=kind.kind)
        except (LlmTcoError, TypeError, ValueError) as error:
            mend = "Records hold plain numbers, texts and days."
            yield Problem(check="toml", where=kind.kind, what=f"cannot be written and read: {error}", mend=mend)
            continue
        for row, other in zip(rows, back, strict=True):
            if row != other:
                mend = "A field holds something else than its type says."
                yield Problem(check="toml", where=name_of(row), what="comes back from TOML changed", mend=mend)


def _conflicts(loaded: Loaded, others: Iterable[Loaded]) -> Iterator[Problem]:
    rows: dict[tuple[str, tuple[str, ...]], list[Record]] = defaultdict(list)
    for one in others:
        for record in one.records:
            rows[record.kind, record.identity].append(record)
    mend = "Take the row out, or correct one of the two and tell the other's authors."
    for record in loaded.records:
        for other in rows.get((record.kind, record.identity), ()):
            if rank(record) != rank(other) or not overlap(record, other):
                continue
            for field in differences([record, other]):
                own, theirs = shown(getattr(record, field)), shown(getattr(other, field))
                what = f"is {own} here and {theirs} in {other.origin}, with equal authority ({record.authority})"
                yield Problem(check="conflicts", where=f"{name_of(record)}, {field}", what=what, mend=mend)
    kinds = {kind.kind: one for one in others for kind in one.components}  # type: ignore[attr-defined]  # the loader checks
    for component in loaded.components:
        taken = kinds.get(component.kind)  # type: ignore[attr-defined]  # as above
        if taken is not None and component not in taken.components:
            what = f"is brought by {taken.report.distribution} as well"
            where = f"component {component.kind}"  # type: ignore[attr-defined]  # as above
            yield Problem(check="conflicts", where=where, what=what, mend="Choose another kind.")
