"""What a choice of a model needs to know beside the catalog: tasks, grades, and what formats cost in quality.

A package may bring such tables in a file `data/choosing.toml`; `llm-tco-reference` brings those of
the articles that it cites. A file of one's own may hold them as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from typing import ClassVar, Final

import attrs

from llm_tco._fields import number, text, whole
from llm_tco.catalog.checks import folded
from llm_tco.catalog.models import Model
from llm_tco.catalog.reading import read_toml, record_converter
from llm_tco.catalog.records import AUTHORITIES, Record
from llm_tco.errors import InvalidValueError, ProblemsError, UnknownRecordError, suggest
from llm_tco.serving.quantisation import quantisation_of
from llm_tco.structure import structure

FILE: Final = "data/choosing.toml"
"""Where a package keeps its tables."""

_PLAIN_BITS: Final = 16
"""Models are published and graded in 16 bits: a format as wide costs nothing."""
_PACKAGE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")


@attrs.frozen(kw_only=True)
class ModelScore(Record):
    """What a model reached in a benchmark, where somebody else than its own record states it.

    Attributes:
        model: Key of the model.
        benchmark: Name of the benchmark.
        score: The score, at most `best`.
        best: The highest score that can be reached.
    """

    kind: ClassVar[str] = "model_score"

    model: str = text()
    benchmark: str = text()
    score: float = number(ge=0)
    best: float = number(gt=0, default=1.0)

    def __attrs_post_init__(self) -> None:
        if self.score > self.best:
            raise InvalidValueError("score", f"must be at most {self.best:g}, the best there is, got {self.score:g}")

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.model, self.benchmark)


@attrs.frozen(kw_only=True)
class QuantisationLoss(Record):
    """What a format of weights costs in quality.

    Attributes:
        quantisation: Name of the format.
        loss: Share of the score in 16 bits that is lost; negative where it was measured to rise.
        benchmark: Benchmark for which it holds; every one where none is named.
        model: Key of the model for which it holds; every one where none is named.
    """

    kind: ClassVar[str] = "quantisation_loss"

    quantisation: str = text()
    loss: float = number(ge=-1, le=1)
    benchmark: str = ""
    model: str = ""

    def __attrs_post_init__(self) -> None:
        quantisation_of(self.quantisation)

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.quantisation, self.model, self.benchmark)


@attrs.frozen(kw_only=True)
class TaskNeed(Record):
    """What a kind of task asks of a model.

    Attributes:
        key: Name of the task.
        benchmark: Benchmark in which a score is asked for.
        minimum_score: The least score, in the unit of the benchmark.
        least_parameters: The least parameters, where no score is known.
        quantisations: The only formats that are allowed; any where none is named.
        aliases: Other names of the task.
    """

    kind: ClassVar[str] = "task_need"

    key: str = text()
    benchmark: str | None = None
    minimum_score: float | None = number(ge=0, default=None, optional=True)
    least_parameters: float | None = number(gt=0, default=None, optional=True)
    quantisations: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        check_quality(self.benchmark, self.minimum_score, self.least_parameters)
        for name in self.quantisations:
            quantisation_of(name)

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)


@attrs.frozen(kw_only=True)
class MemoryClaim(Record):
    """The memory that somebody says a model needs.

    Attributes:
        model: Key of the model.
        memory_bytes: Memory of all GPUs together. [B]
        gpus: GPUs that hold it.
        use: What it is said to be good for, the key of a task.
    """

    kind: ClassVar[str] = "memory_claim"

    model: str = text()
    memory_bytes: float = number(gt=0)
    gpus: int = whole(ge=1, default=1)
    use: str = text()

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.model,)


def check_quality(benchmark: str | None, minimum_score: float | None, least_parameters: float | None) -> None:
    """Refuse a requirement that names half of a score, or nothing.

    Raises:
        InvalidValueError: See above.
    """
    if (benchmark is None) != (minimum_score is None):
        raise InvalidValueError("minimum_score", "and benchmark are stated together or not at all")
    if benchmark is None and least_parameters is None:
        raise InvalidValueError("minimum_score", "is missing; state benchmark and minimum_score, or least_parameters")


@attrs.frozen(kw_only=True)
class Tables:
    """Tables by which models are chosen.

    Attributes:
        needs: What tasks ask for.
        scores: Scores of models beside those of the catalog.
        losses: What formats cost in quality.
        memory: Memory that models are said to need.
    """

    needs: tuple[TaskNeed, ...] = ()
    scores: tuple[ModelScore, ...] = ()
    losses: tuple[QuantisationLoss, ...] = ()
    memory: tuple[MemoryClaim, ...] = ()

    def __add__(self, other: Tables) -> Tables:
        """Put the rows of both together."""
        if not isinstance(other, Tables):
            return NotImplemented
        return Tables(
            needs=self.needs + other.needs,
            scores=self.scores + other.scores,
            losses=self.losses + other.losses,
            memory=self.memory + other.memory,
        )

    def need(self, name: str) -> TaskNeed:
        """Look up what a task asks for, by its key or another name.

        Raises:
            UnknownRecordError: No table names the task.
        """
        for row in self.needs:
            if folded((name,)) in {folded((one,)) for one in (row.key, *row.aliases)}:
                return row
        known = [row.key for row in self.needs]
        raise UnknownRecordError(
            f"no table names the task {name!r}{suggest(name, known)}. State benchmark and minimum_score, or "
            "least_parameters, or name a package that brings it in tables."
        )

    def score(self, model: Model, benchmark: str) -> float | None:
        """Give what a model reached in a benchmark, or None where nobody states it.

        The model's own record comes first, then the most trusted row, then the lowest score.
        """
        for stated in model.quality:
            if stated.benchmark.casefold() == benchmark.casefold():
                return stated.score
        rows = [
            (AUTHORITIES.index(row.authority), row.score)
            for row in self.scores
            if row.model == model.key and row.benchmark.casefold() == benchmark.casefold()
        ]
        return min(rows)[1] if rows else None

    def loss(self, model: Model, quantisation: str, benchmark: str) -> float | None:
        """Give the share of a score that a format costs, or None where nobody states it.

        The row that says most of model and benchmark comes first, then the most trusted, then
        the greatest loss. A format of 16 bits or more costs nothing.
        """
        form = quantisation_of(quantisation)
        if form.bits_per_weight >= _PLAIN_BITS:
            return 0.0
        rows = [
            (not row.model, not row.benchmark, AUTHORITIES.index(row.authority), -row.loss)
            for row in self.losses
            if quantisation_of(row.quantisation).name == form.name
            and row.model in ("", model.key)
            and row.benchmark.casefold() in ("", benchmark.casefold())
        ]
        return -min(rows)[-1] if rows else None

    def benchmarks(self, model: Model) -> tuple[str, ...]:
        """List the benchmarks in which a score of a model is known."""
        own = [score.benchmark for score in model.quality]
        return tuple(dict.fromkeys([*own, *(row.benchmark for row in self.scores if row.model == model.key)]))


def tables_of(packages: Iterable[str]) -> Tables:
    """Read the tables that installed packages bring in `data/choosing.toml`.

    Args:
        packages: Names by which they are imported, such as `"llm_tco_reference"`.

    Raises:
        UnknownRecordError: A package is not installed, or brings no tables.
        ProblemsError: One report with every problem of a file.
    """
    found = Tables()
    for package in packages:
        found = found + read_tables(_text_of(package), title=f"{package}/{FILE}")
    return found


def _text_of(package: str) -> str:
    mend = "Name an installed package that does, such as 'llm_tco_reference', or state the tables yourself."
    if not _PACKAGE.match(package):
        raise UnknownRecordError(f"{package!r} is the name of no package. {mend}")
    try:
        return resources.files(package).joinpath(FILE).read_text(encoding="utf-8")
    except (ImportError, OSError):
        raise UnknownRecordError(f"the package {package!r} brings no {FILE}. {mend}") from None


def read_tables(text: str, *, title: str) -> Tables:
    """Read tables from TOML; `[sources.KEY]` names a source once, and a row refers to it by its key.

    Raises:
        ProblemsError: One report with every problem and its path.
    """
    document = read_toml(text)
    converter = record_converter(document.pop("sources", {}))
    unknown = [f"{key}: is no table here{suggest(key, _TABLES)}" for key in document if key not in _TABLES]
    if unknown:
        raise ProblemsError(title, unknown)
    return structure(document, Tables, title=title, converter=converter)


_TABLES: Final = tuple(field.name for field in attrs.fields(Tables))
