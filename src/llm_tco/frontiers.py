"""The file of a frontier: a table of outcomes, its columns, prices, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs

from llm_tco._fields import number, text, whole
from llm_tco.analysis.frontier import BASELINES, Frontier
from llm_tco.analysis.resampling import Intervals, bootstrap
from llm_tco.analysis.routing import RoutingPoint, check_target
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.plugins import load_catalog
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.reading import record_converter
from llm_tco.catalog.records import Source
from llm_tco.errors import CurrencyError, InvalidValueError, LlmTcoError, ProblemsError, suggest
from llm_tco.money import Money, check_currency, money
from llm_tco.references import PriceRef
from llm_tco.scenario import check_command, read_document
from llm_tco.structure import Problems, build, check_table, problem, settable, structure
from llm_tco.usage.outcomes import FlatPrice, ModelColumns, Price, outcomes_of
from llm_tco.usage.tables import read_table

_COLUMNS: Final = ("quality", "cost", "input_tokens", "output_tokens", "input_characters", "output_characters")


def _check_baselines(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    for name in value:
        if name not in BASELINES:
            raise InvalidValueError(
                attribute.name, f"must be among {', '.join(BASELINES)}, got {name!r}{suggest(name, BASELINES)}"
            )


@attrs.frozen(kw_only=True)
class StatedFrontier:
    """The table `[frontier]` of a file.

    Attributes:
        outcomes: The CSV file with one row per query, relative to the file.
        models: For each model, where the table holds what is known of it.
        score: Column with the score of a router; without one there are no thresholds.
        currency: Currency of columns of costs; that of prices is known.
        weak: Weak model, if another one than the cheapest on the mean; the target is then met
            by thresholds with this weak model only.
        strong: Strong model, if another one than the best of the others; likewise.
        quality: Quality to reach at the least cost.
        cost_per_request: Budget to keep at the best quality, instead.
        baselines: What the saving is stated against; each of `BASELINES` unless said otherwise.
        draws: Resamples of the intervals.
        seed: Their seed.
        level: Their confidence, 0 to 1.
    """

    IN_WORDS: ClassVar[str] = "the table [frontier]"

    outcomes: str = text()
    models: Mapping[str, ModelColumns]
    score: str | None = None
    currency: str | None = attrs.field(default=None)
    weak: str = ""
    strong: str = ""
    quality: float | None = number(ge=0, le=1, default=None, optional=True)
    cost_per_request: Money | None = money(default=None, optional=True)
    baselines: tuple[str, ...] = attrs.field(default=BASELINES, validator=_check_baselines)
    draws: int = whole(ge=1, default=1_000)
    seed: int = whole(ge=0, default=0)
    level: float = number(gt=0, le=1, default=0.95)

    def __attrs_post_init__(self) -> None:
        if self.currency is not None:
            check_currency(self.currency, "currency")
        if self.quality is not None and self.cost_per_request is not None:
            raise InvalidValueError("quality", "must stand alone, without cost_per_request: one of them is the target")
        for name in ("weak", "strong"):
            model = getattr(self, name)
            if model and model not in self.models:
                raise InvalidValueError(name, f"must be one of the models, got {model!r}{suggest(model, self.models)}")

    @property
    def columns(self) -> dict[str, str]:
        """The columns that it names, by their path in the file."""
        named = {
            f"frontier.models.{model}.{field}": getattr(where, field)
            for model, where in self.models.items()
            for field in _COLUMNS
        }
        return {path: name for path, name in {**named, "frontier.score": self.score}.items() if name is not None}


@attrs.frozen(kw_only=True)
class FrontierFile:
    """What a file with a table `[frontier]` states.

    Attributes:
        title: What it is about.
        description: Anything a reader should know.
        prices: Prices by name, for the models to refer to.
        frontier: The table and what is asked of it.
    """

    IN_WORDS: ClassVar[str] = "a file with a table [frontier]"

    title: str = text(default="frontier")
    description: str = ""
    prices: Mapping[str, Price] = attrs.field(factory=dict)
    frontier: StatedFrontier


@attrs.frozen(kw_only=True, eq=False)
class FrontierQuestion:
    """A frontier, and what is asked of it.

    Attributes:
        title: What it is about.
        frontier: The frontier.
        stated: What the file states.
    """

    title: str
    frontier: Frontier
    stated: StatedFrontier

    @property
    def budget(self) -> float | None:
        """The budget for a request in the currency of the costs; None where none is stated."""
        amount = self.stated.cost_per_request
        return None if amount is None else float(amount.value)

    @property
    def has_target(self) -> bool:
        """Whether a quality or a budget is asked for."""
        return self.stated.quality is not None or self.budget is not None

    def chosen(self) -> RoutingPoint:
        """Find the best threshold for the target; without a score, the best mix of models.

        All pairs of models are looked at, those with the weak or the strong model that is stated.

        Raises:
            InfeasibleError: Nothing meets the target.
            InvalidValueError: No target is stated.
        """
        check_target(self.stated.quality, self.budget)
        quality, budget = self.stated.quality, self.budget
        if self.frontier.score is not None:
            pair = {"weak": self.stated.weak or None, "strong": self.stated.strong or None}
            return self.frontier.best_of_all(quality=quality, cost_per_request=budget, **pair)
        return self.frontier.of(self.frontier.hull.policy_at(quality=quality, cost_per_request=budget))

    def intervals(self, point: RoutingPoint) -> dict[str, Intervals]:
        """Hold a point against each baseline, with bootstrap intervals."""
        stated = self.stated
        return {
            name: bootstrap(
                self.frontier, point, baseline=name, level=stated.level, draws=stated.draws, seed=stated.seed
            )
            for name in stated.baselines
        }


def load_frontier(path: str | Path, *, catalog: Catalog | None = None) -> FrontierQuestion:
    """Read a file with a table `[frontier]`, and the table of outcomes that it names.

    Args:
        path: The file, TOML.
        catalog: Where prices are looked up; without one, every installed plugin.

    Raises:
        ProblemsError: One report with every problem of the file and its path.
    """
    file = Path(path)
    return read_frontier(read_document(file), title=file.name, folder=file.parent, catalog=catalog)


def read_frontier(
    document: Mapping[str, Any], *, title: str, folder: Path, catalog: Catalog | None = None
) -> FrontierQuestion:
    """Read plain data; see `load_frontier`.

    Args:
        document: The tables of the file.
        title: What a report of problems calls it.
        folder: Where the table of outcomes is looked for.
        catalog: Where prices are looked up.
    """
    check_command(document, "frontier", title)
    rest = dict(document)
    sources = rest.pop("sources", {})
    converter = record_converter(sources)
    prices = rest.get("prices", {})
    plain = converter.get_structure_hook(TokenPrice)

    def price(value: Any, _: Any) -> Price:
        if isinstance(value, str):
            if not isinstance(prices, Mapping) or value not in prices:
                raise problem(f"is the name of nothing in the table [prices], got {value!r}{suggest(value, prices)}")
            return price(prices[value], Price)
        check_table(value, " or the name of one in [prices]")
        if value.keys() & attrs.fields_dict(FlatPrice).keys() - settable(TokenPrice).keys():
            return build(converter, value, FlatPrice)
        if value.keys() & settable(TokenPrice).keys() - attrs.fields_dict(PriceRef).keys():
            record: TokenPrice = plain({"authority": "user", **value}, TokenPrice)
            return record
        try:
            found = build(converter, value, PriceRef).find(load_catalog() if catalog is None else catalog, TokenPrice)
        except LlmTcoError as error:
            raise problem(str(error)) from None
        if isinstance(found, tuple):
            raise Problems([("path", "must be left out: a table of outcomes has no days. Give on, a day")])
        return found

    converter.register_structure_hook_func(lambda kind: kind is Price, price)
    structure(sources, dict[str, Source], title=f"{title}, table sources", converter=converter)
    stated = structure(rest, FrontierFile, title=title, converter=converter)
    return FrontierQuestion(
        title=stated.title, frontier=_frontier(stated.frontier, title, folder), stated=stated.frontier
    )


def _frontier(stated: StatedFrontier, title: str, folder: Path) -> Frontier:
    try:
        table = read_table(folder / stated.outcomes)
    except ProblemsError as error:
        raise ProblemsError(title, [f"frontier.outcomes: {error.title}: {line}" for line in error.problems]) from None
    absent = [
        f"{path}: is no column of {stated.outcomes}, got {name!r}{suggest(name, table)}"
        for path, name in stated.columns.items()
        if name not in table
    ]
    if absent:
        raise ProblemsError(title, absent)
    scores = () if stated.score is None else (stated.score,)
    try:
        found = outcomes_of(table, stated.models, scores=scores, currency=stated.currency, title=stated.outcomes)
        budget = stated.cost_per_request
        if budget is not None and budget.currency != found.currency:
            raise CurrencyError(f"cost_per_request: is in {budget.currency}, but the costs are in {found.currency}")
        return Frontier(found, score=stated.score, weak=stated.weak, strong=stated.strong)
    except ProblemsError as error:
        raise ProblemsError(title, [f"frontier.outcomes: {line}" for line in error.problems]) from None
    except LlmTcoError as error:
        raise ProblemsError(title, [f"frontier: {error}"]) from None
