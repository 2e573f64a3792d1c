"""The file of `llm-tco choose`: tasks, models, engines and hardware, by the names that the catalog has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import attrs

from llm_tco._fields import number, text, whole
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.checks import USER, check_periods
from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.models import Model
from llm_tco.catalog.needs import ModelScore, QuantisationLoss, TaskNeed
from llm_tco.catalog.plugins import load_catalog
from llm_tco.catalog.reading import record_converter
from llm_tco.catalog.records import SET_BY_LIBRARY, Origin, Record
from llm_tco.errors import InvalidValueError, LlmTcoError, ProblemsError
from llm_tco.money import Money, check_currency, money
from llm_tco.scenario import check_command, read_document
from llm_tco.serving.candidates import Candidate, Hardware, Task, candidates_of
from llm_tco.serving.efficiency import engine_class_of
from llm_tco.serving.quantisation import quantisation_of
from llm_tco.serving.selection import Choice, choose
from llm_tco.structure import join, structure

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class StatedHardware:
    """Hardware as a file states it; see `Hardware`.

    Attributes:
        gpu: Key of the accelerator; that of the server where there is one.
        server: Key of the server, where it is bought or owned.
        gpus: GPUs of a replica that are tried; 1, 2, 4, ... up to those of a server, or to 8.
        gpus_per_server: GPUs that are rented together.
        price_per_gpu_hour: Rent of a card for an hour, in the place of the catalog's.
        life_years: Years over which the server's price is spread. [year]
        owned: Whether the servers are there already.
        price_per_kwh: Price of electricity.
        pue: Energy of the facility over energy of its computers.
        at_hand: Servers that there are at most.
    """

    IN_WORDS: ClassVar[str] = "hardware"

    gpu: str | None = None
    server: str | None = None
    gpus: tuple[int, ...] = ()
    gpus_per_server: int | None = whole(ge=1, default=None, optional=True)
    price_per_gpu_hour: Money | None = money(default=None, optional=True)
    life_years: float | None = number(gt=0, default=None, optional=True)
    owned: bool = False
    price_per_kwh: Money | None = money(default=None, optional=True)
    pue: float | None = number(ge=1, default=None, optional=True)
    at_hand: int | None = whole(ge=1, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if self.gpu is None and self.server is None:
            raise InvalidValueError("gpu", "is missing; name an accelerator to rent, or a server to buy")

    def found(self, name: str, catalog: Catalog, on: date) -> Hardware:
        """Look its records up."""
        server: Server | None = None if self.server is None else catalog.server(self.server, on=on)
        gpu: Gpu = catalog.gpu(self.gpu or (server.gpu if server is not None and server.gpu else name))
        own = 1 if server is None else server.gpus
        together = self.gpus_per_server or own
        most = 8 if server is None else own
        tried = tuple(2**power for power in range(most.bit_length()) if 2**power <= most)
        same = {field: getattr(self, field) for field in _SAME}
        return Hardware(
            name=name,
            gpu=gpu,
            server=server,
            gpus=self.gpus or tuple(sorted({*tried, own})),
            gpus_per_server=together,
            **same,
        )


_SAME = ("price_per_gpu_hour", "life_years", "owned", "price_per_kwh", "pue", "at_hand")


@attrs.frozen(kw_only=True)
class StatedTask:
    """A task as a file states it; see `Task`. What it leaves out comes from what is known of its kind.

    Attributes:
        need: Name of a kind of task, such as `"code generation"`.
        requests_per_month: Requests. [1/month]
        input_tokens: Prompt tokens of a request. [tokens]
        output_tokens: Generated tokens of a request. [tokens]
        peak_to_mean: Highest over mean load.
        planning_utilisation: Share of a replica's capacity that the peak may use.
        benchmark: Benchmark in which a score is asked for.
        minimum_score: The least score.
        least_parameters: The least parameters.
        quantisations: The only formats that are allowed.
        ttft_s: Longest time to the first token. [s]
        tpot_s: Longest mean time of a further token. [s]
        ignore_quantisation_loss: Whether a format whose loss nobody states counts as one without.
    """

    IN_WORDS: ClassVar[str] = "a task"

    need: str | None = None
    requests_per_month: float = number(gt=0)
    input_tokens: float = number(ge=0)
    output_tokens: float = number(ge=1)
    peak_to_mean: float = number(ge=1, default=1.0)
    planning_utilisation: float = number(gt=0, le=1, default=1.0)
    benchmark: str | None = None
    minimum_score: float | None = number(ge=0, default=None, optional=True)
    least_parameters: float | None = number(gt=0, default=None, optional=True)
    quantisations: tuple[str, ...] = ()
    ttft_s: float | None = number(gt=0, default=None, optional=True)
    tpot_s: float | None = number(gt=0, default=None, optional=True)
    ignore_quantisation_loss: bool | None = None

    def found(self, name: str, catalog: Catalog, on: date, *, ignore_loss: bool) -> Task:
        """Complete it by what is known of its kind."""
        stated = {key: value for key, value in attrs.asdict(self).items() if value not in (None, ())}
        need = stated.pop("need", None)
        if need is not None:
            row = catalog.record(TaskNeed, str(need), on=on)
            own = {"benchmark", "minimum_score", "least_parameters"} & stated.keys()
            if not own:
                known = {key: getattr(row, key) for key in ("benchmark", "minimum_score", "least_parameters")}
                stated |= {key: value for key, value in known.items() if value is not None}
            stated.setdefault("quantisations", row.quantisations)
        for form in self.quantisations:
            quantisation_of(form)
        return Task(**{"name": name, "ignore_quantisation_loss": ignore_loss, **stated})


@attrs.frozen(kw_only=True, eq=False)
class ChoiceFile:
    """What a file of `llm-tco choose` states.

    Attributes:
        title: What it is about.
        on: The day whose prices are meant.
        currency: Currency of all costs.
        fx: What one unit of each other currency is worth in it.
        hardware: Where models may run, by name.
        tasks: The tasks, by name.
        engines: The formats that each engine runs, by its name.
        models: Keys of the models; every one of the catalog where none is named.
        needs: Kinds of task of one's own. Rows of the file win over those of plugins.
        scores: Scores of one's own.
        losses: What formats cost in quality, of one's own.
        ignore_quantisation_loss: Whether a format whose loss nobody states counts as one without.
    """

    IN_WORDS: ClassVar[str] = "a file for llm-tco choose"

    title: str = text(default="choice")
    on: date
    currency: str = attrs.field(validator=lambda _, attribute, value: check_currency(value, attribute.name) and None)
    fx: Mapping[str, float] = attrs.field(factory=dict)
    hardware: Mapping[str, StatedHardware]
    tasks: Mapping[str, StatedTask]
    engines: Mapping[str, tuple[str, ...]]
    models: tuple[str, ...] = ()
    needs: tuple[TaskNeed, ...] = ()
    scores: tuple[ModelScore, ...] = ()
    losses: tuple[QuantisationLoss, ...] = ()
    ignore_quantisation_loss: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("hardware", "tasks", "engines"):
            if not getattr(self, name):
                raise InvalidValueError(name, "must hold at least one")

    @property
    def rows(self) -> tuple[Record, ...]:
        """The records that the file states."""
        return (*self.needs, *self.scores, *self.losses)


@attrs.frozen(kw_only=True, eq=False)
class Question:
    """A file whose names are looked up: what `llm_tco.serving.selection.choose` needs.

    Attributes:
        title: What it is about.
        tasks: The tasks.
        candidates: The combinations.
        currency: Currency of all costs.
        fx: What one unit of each other currency is worth in it.
        on: The day whose prices are meant.
        catalog: Scores, losses and measurements: the rows of the file, and what plugins bring.
    """

    title: str
    tasks: tuple[Task, ...]
    candidates: tuple[Candidate, ...]
    currency: str
    fx: Mapping[str, float]
    on: date
    catalog: Catalog

    def choose(self) -> tuple[Choice, ...]:
        """Find what meets each task; see `llm_tco.serving.selection.choose`."""
        return choose(
            self.tasks,
            self.candidates,
            currency=self.currency,
            fx=self.fx,
            on=self.on,
            catalog=self.catalog,
        )


def load_choice(path: str | Path, *, catalog: Catalog | None = None) -> Question:
    """Read a file of `llm-tco choose`, and look up what it names.

    Args:
        path: The file, TOML.
        catalog: Where records are looked up; without one, every installed plugin.

    Raises:
        ProblemsError: One report with every problem of the file and its path.
    """
    file = Path(path)
    return read_choice(read_document(file), title=file.name, catalog=catalog)


def read_choice(document: Mapping[str, Any], *, title: str, catalog: Catalog | None = None) -> Question:
    """Read plain data; see `load_choice`."""
    check_command(document, "tasks", title)
    rest = dict(document)
    converter = record_converter(rest.pop("sources", {}))
    problems: list[str] = []
    for name in ("needs", "scores", "losses"):
        if isinstance(rest.get(name), list):
            problems += _set_by_library(name, rest[name], title)
            rest[name] = [{"authority": USER, **row} if isinstance(row, dict) else row for row in rest[name]]
    stated = structure(rest, ChoiceFile, title=title, converter=converter)
    problems += [str(problem) for problem in check_periods(stated.rows)]
    records = load_catalog() if catalog is None else catalog
    if stated.rows:
        records = records.with_records(attrs.evolve(row, origin=Origin(plugin=title)) for row in stated.rows)

    def look(path: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except InvalidValueError as error:
            problems.append(f"{join(path, error.field)}: {error.problem}")
            return None
        except LlmTcoError as error:
            problems.append(f"{path}: {error}")
            return None

    ignore = stated.ignore_quantisation_loss
    hardware = [
        look(f"hardware.{name}", lambda: row.found(name, records, stated.on))  # noqa: B023 - called at once
        for name, row in stated.hardware.items()
    ]
    tasks = [
        look(f"tasks.{name}", lambda: task.found(name, records, stated.on, ignore_loss=ignore))  # noqa: B023 - called at once
        for name, task in stated.tasks.items()
    ]
    keys = stated.models or tuple(sorted({model.key for model in records.all(Model)}))
    models = [look(f"models[{place}]", lambda: records.model(key)) for place, key in enumerate(keys)]  # noqa: B023 - called at once
    for engine, forms in stated.engines.items():
        look(f"engines.{engine}", lambda: [engine_class_of(engine), *map(quantisation_of, forms)])  # noqa: B023 - called at once
    if problems:
        raise ProblemsError(title, problems)
    return Question(
        title=stated.title,
        tasks=tuple(task for task in tasks if task is not None),
        candidates=candidates_of(
            [one for one in hardware if one is not None], [one for one in models if one is not None], stated.engines
        ),
        currency=stated.currency,
        fx=stated.fx,
        on=stated.on,
        catalog=records,
    )


def _set_by_library(name: str, rows: list[Any], title: str) -> list[str]:
    """Name the fields of a file's own rows that no file states."""
    return [
        f"{name}[{place}].{field}: is not a field that a file can set: the origin is {title} itself"
        for place, row in enumerate(rows)
        if isinstance(row, dict)
        for field in sorted(SET_BY_LIBRARY & row.keys())
    ]
