"""What a choice of a model needs to know: what tasks ask for, scores, what formats cost in quality, memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import attrs

from llm_tco._fields import number, text, whole
from llm_tco.catalog.records import Record
from llm_tco.errors import InvalidValueError
from llm_tco.serving.quantisation import quantisation_of


def _format(value: object) -> str:
    """Give the name of a format, whatever it was called by, so that two names of one are one record."""
    if not isinstance(value, str):
        raise InvalidValueError("quantisation", f"must be a text, got {value!r}")
    return quantisation_of(value).name


def _formats(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(_format, values))


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
        quantisation: Name of the format; another name of it is replaced by its own.
        loss: Share of the score in 16 bits that is lost; negative where it was measured to rise.
        benchmark: Benchmark for which it holds; every one where none is named.
        model: Key of the model for which it holds; every one where none is named.
    """

    kind: ClassVar[str] = "quantisation_loss"

    quantisation: str = attrs.field(converter=_format)
    loss: float = number(ge=-1, le=1)
    benchmark: str = ""
    model: str = ""

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
        quantisations: The only formats that are allowed, by their own names; any where none is named.
        aliases: Other names of the task.
    """

    kind: ClassVar[str] = "task_need"

    key: str = text()
    benchmark: str | None = None
    minimum_score: float | None = number(ge=0, default=None, optional=True)
    least_parameters: float | None = number(gt=0, default=None, optional=True)
    quantisations: tuple[str, ...] = attrs.field(default=(), converter=_formats)
    aliases: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        check_quality(self.benchmark, self.minimum_score, self.least_parameters)

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
        return (self.model, self.use)


def check_quality(benchmark: str | None, minimum_score: float | None, least_parameters: float | None) -> None:
    """Refuse a requirement that names half of a score, or nothing.

    Raises:
        InvalidValueError: See above.
    """
    if (benchmark is None) != (minimum_score is None):
        raise InvalidValueError("minimum_score", "and benchmark are stated together or not at all")
    if benchmark is None and least_parameters is None:
        raise InvalidValueError("minimum_score", "is missing; state benchmark and minimum_score, or least_parameters")
