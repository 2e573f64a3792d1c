"""Tables of outcomes: for each query, how good each model's answer was and what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, number, text
from llm_tco.errors import CurrencyError, InvalidValueError, suggest
from llm_tco.money import Money, check_currency, money
from llm_tco.units import TOKENS_PER_MTOK
from llm_tco.usage.tables import Table, read_table, take_columns, to_numbers

_LARGEST: Final = 1e150
"""Cost of a request up to which every sum and product is a float."""


class Price(Protocol):
    """What prices requests by their tokens, such as a `TokenPrice` or a `FlatPrice`."""

    @property
    def currency(self) -> str:
        """Currency of the costs that it gives."""

    def per_request_cost(self, input_tokens: FloatArray, output_tokens: FloatArray, /) -> FloatArray:
        """Price requests of shape `(n,)`, each by its own lengths."""

    def unpriced(self, input_tokens: FloatArray, output_tokens: FloatArray, /) -> list[str]:
        """Name the kinds of token that occur and have no rate."""


@attrs.frozen
class FlatPrice:
    """A price by the token, for instance what a million tokens cost on own hardware.

    Attributes:
        input_per_mtok: Price of a million input tokens.
        output_per_mtok: Price of a million output tokens.
        per_request: What a request costs beside its tokens.
    """

    input_per_mtok: Money = money()
    output_per_mtok: Money = money()
    per_request: Money | None = money(default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        for name in ("input_per_mtok", "output_per_mtok", "per_request"):
            amount = getattr(self, name)
            if amount is not None and amount.currency != self.currency:
                raise CurrencyError(f"{name}: is in {amount.currency}, but input_per_mtok is in {self.currency}")
            if amount is not None and np.ndim(amount.value):
                raise InvalidValueError(name, "must be one amount, got draws")

    @property
    def currency(self) -> str:
        """Currency of all its amounts."""
        return self.input_per_mtok.currency

    def per_request_cost(self, input_tokens: FloatArray, output_tokens: FloatArray) -> FloatArray:
        """Price requests, each by its own lengths, in the currency of the price.

        Args:
            input_tokens: Prompt tokens of each request, shape `(n,)`.
            output_tokens: Generated tokens of each request, shape `(n,)`.

        Returns:
            Cost of each request, shape `(n,)`. [currency]
        """
        tokens = self.input_per_mtok.value * input_tokens + self.output_per_mtok.value * output_tokens
        fee = 0.0 if self.per_request is None else self.per_request.value
        return np.asarray(tokens / TOKENS_PER_MTOK + fee, dtype=np.float64)

    def unpriced(self, input_tokens: FloatArray, output_tokens: FloatArray) -> list[str]:
        """Name the kinds of token that have no rate: none, for both rates are stated."""
        return []


@attrs.frozen(kw_only=True)
class ModelColumns:
    """Where a table holds what is known of one model.

    Its cost is either a column of its own, or follows from a price and lengths. Lengths
    are columns of tokens; or of characters, together with a ratio.

    Attributes:
        quality: Column of right (1) or wrong (0), or of a score from 0 to 1.
        cost: Column of the cost of each request. [currency]
        price: What prices its tokens. A table has no times, so a price that changes with the
            hour of the week must be given for one moment.
        input_tokens: Column of prompt tokens.
        output_tokens: Column of generated tokens.
        input_characters: Column of the prompt's characters.
        output_characters: Column of the answer's characters.
        characters_per_token: Characters that make one token of this model. It depends on
            the tokeniser and on the language, so there is no default.
    """

    quality: str = text()
    cost: str | None = None
    price: Price | None = None
    input_tokens: str | None = None
    output_tokens: str | None = None
    input_characters: str | None = None
    output_characters: str | None = None
    characters_per_token: float | None = number(gt=0, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if (self.cost is None) == (self.price is None):
            raise InvalidValueError("cost", "must be a column of costs, or else price must be given, and not both")
        for side in ("input", "output"):
            tokens, characters = getattr(self, f"{side}_tokens"), getattr(self, f"{side}_characters")
            if self.price is not None and (tokens is None) == (characters is None):
                raise InvalidValueError(
                    f"{side}_tokens", f"must name a column, or else {side}_characters must, and not both"
                )
            if characters is not None and self.characters_per_token is None:
                raise InvalidValueError(
                    "characters_per_token",
                    f"must be given, because {side}_characters holds characters: how many make a token "
                    "depends on the tokeniser and the language. Count it on a sample of your text.",
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are read."""
        lengths = (self.input_tokens, self.input_characters, self.output_tokens, self.output_characters)
        priced = lengths if self.price is not None else (self.cost,)
        return (self.quality, *(name for name in priced if name is not None))

    def tokens(self, columns: Mapping[str, FloatArray], side: str) -> FloatArray:
        """Give the tokens of each request on the side `"input"` or `"output"`, shape `(n,)`."""
        tokens = getattr(self, f"{side}_tokens")
        if tokens is not None:
            return columns[tokens]
        return columns[getattr(self, f"{side}_characters")] / float(self.characters_per_token or np.nan)


def _matrix(value: npt.ArrayLike, attribute: attrs.Attribute[Any]) -> FloatArray:
    array = np.array(value, dtype=np.float64, order="C")
    if array.ndim != 2:
        raise InvalidValueError(attribute.name, f"must have the shape (queries, models), got {array.shape}")
    array.setflags(write=False)
    return array


def _names(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


def _score_columns(value: Mapping[str, npt.ArrayLike]) -> dict[str, FloatArray]:
    scores = {name: np.array(score, dtype=np.float64) + 0.0 for name, score in value.items()}
    for score in scores.values():
        score.setflags(write=False)
    return scores


@attrs.frozen(kw_only=True, eq=False)
class Outcomes:
    """What each of several models would give and cost on each of many queries.

    Attributes:
        models: Names of the models, at least two.
        quality: Right (1) or wrong (0), or a score between, shape `(queries, models)`.
        cost: Cost of each request, shape `(queries, models)`. [currency]
        currency: Currency of the costs.
        scores: Scores of routers by name, each of shape `(queries,)`: the higher, the more
            a query needs a strong model.
    """

    models: tuple[str, ...] = attrs.field(converter=_names)
    quality: FloatArray = attrs.field(
        converter=attrs.Converter(_matrix, takes_field=True)  # type: ignore[misc]  # attrs infers no type from a bound converter
    )
    cost: FloatArray = attrs.field(
        converter=attrs.Converter(_matrix, takes_field=True)  # type: ignore[misc]  # attrs infers no type from a bound converter
    )
    currency: str = attrs.field(validator=lambda _, attribute, value: check_currency(value, attribute.name) and None)
    scores: Mapping[str, FloatArray] = attrs.field(factory=dict, converter=_score_columns)

    def __attrs_post_init__(self) -> None:
        queries, count = self.quality.shape
        if len(self.models) < 2:
            raise InvalidValueError("models", f"must be at least two to route between, got {len(self.models)}")
        if len(set(self.models)) < len(self.models):
            raise InvalidValueError("models", f"must have different names, got {', '.join(self.models)}")
        if queries == 0:
            raise InvalidValueError("quality", "must hold at least one query, got an empty table")
        if count != len(self.models):
            raise InvalidValueError("quality", f"must have a column for each of {len(self.models)} models, got {count}")
        if self.cost.shape != self.quality.shape:
            raise InvalidValueError(
                "cost", f"must have the shape of quality {self.quality.shape}, got {self.cost.shape}"
            )
        for name, table, most in (("quality", self.quality, 1.0), ("cost", self.cost, _LARGEST)):
            for place, model in enumerate(self.models):
                _check(table[:, place], f"{name} of {model}", least=0.0, most=most)
        for name, score in self.scores.items():
            if score.shape != (queries,):
                raise InvalidValueError(f"scores.{name}", f"must hold {queries} numbers, got shape {score.shape}")
            _check(score, f"scores.{name}")

    def __len__(self) -> int:
        return len(self.quality)

    def place(self, model: str) -> int:
        """Give the column of a model.

        Raises:
            InvalidValueError: There is no model of that name.
        """
        if model not in self.models:
            raise InvalidValueError("model", f"must be one of the table, got {model!r}{suggest(model, self.models)}")
        return self.models.index(model)

    def take(self, rows: npt.ArrayLike) -> Outcomes:
        """Keep some of the queries, for instance to pick a threshold on one half and judge it on the other.

        Args:
            rows: Numbers of the rows from 0 on, or a mask of shape `(queries,)`.
        """
        kept = np.asarray(rows)
        if kept.dtype != np.bool_:
            kept = kept.astype(np.int64)
        scores = {name: score[kept] for name, score in self.scores.items()}
        return attrs.evolve(self, quality=self.quality[kept], cost=self.cost[kept], scores=scores)


def _check(values: FloatArray, field: str, *, least: float | None = None, most: float | None = None) -> None:
    """Refuse a column with a number that is not finite or out of bounds, and name its row."""
    wrong = ~np.isfinite(values)
    if least is not None:
        wrong |= values < least
    if most is not None:
        wrong |= values > most
    if wrong.any():
        row = int(np.argmax(wrong))
        bounds = "" if least is None else f" of at least {least:g}" if most is None else f" from {least:g} to {most:g}"
        raise InvalidValueError(
            field, f"must hold finite numbers{bounds}, got {values[row]:g} in row {row + 1} ({wrong.sum()} such rows)"
        )


def outcomes_of(
    table: Table,
    models: Mapping[str, ModelColumns],
    *,
    scores: Iterable[str] = (),
    currency: str | None = None,
    title: str = "table",
) -> Outcomes:
    """Read the outcomes of several models off a table with one row per query.

    Args:
        table: Columns by name: a mapping of arrays, a structured array or a data frame.
        models: For each model, the columns that hold what is known of it.
        scores: Names of columns with the score of a router.
        currency: Currency of the columns of costs; that of prices is known.
        title: What the table is called in an error.

    Raises:
        ProblemsError: Columns are missing or hold what is no number.
        InvalidValueError: A number is out of bounds, or the currency is missing.
        CurrencyError: The costs are in several currencies.

    >>> table = {"small": [1, 0], "big": [1, 1], "paid_small": [1, 1], "paid_big": [9, 9]}
    >>> outcomes = outcomes_of(table, currency="USD", models={
    ...     "small": ModelColumns(quality="small", cost="paid_small"),
    ...     "big": ModelColumns(quality="big", cost="paid_big"),
    ... })
    >>> outcomes.quality.tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    scores = list(scores)
    if not models:
        raise InvalidValueError("models", "must be at least two to route between, got 0")
    found = take_columns(table, [*(name for where in models.values() for name in where.names), *scores], title=title)
    columns = {name: to_numbers(values, name, title=title) for name, values in found.items()}
    sizes = {name: values.size for name, values in columns.items()}
    if len(set(sizes.values())) > 1:
        raise InvalidValueError(title, f"must have columns of one length, got {sizes}")
    unit = _currency(models, currency)
    return Outcomes(
        models=tuple(models),
        quality=np.stack([columns[where.quality] for where in models.values()], axis=1),
        cost=np.stack([_cost(model, where, columns) for model, where in models.items()], axis=1),
        currency=unit,
        scores={name: columns[name] for name in scores},
    )


def _currency(models: Mapping[str, ModelColumns], currency: str | None) -> str:
    """Give the one currency of all costs, or refuse."""
    units = {model: where.price.currency if where.price else currency for model, where in models.items()}
    unknown = [model for model, unit in units.items() if unit is None]
    if unknown:
        raise InvalidValueError("currency", f"must be given, because the cost of {unknown[0]} is a column of amounts")
    different = sorted({unit for unit in [*units.values(), currency] if unit is not None})
    if len(different) > 1:
        raise CurrencyError(f"the costs are in {' and '.join(different)}. State all of them in one currency.")
    return different[0]


def _cost(model: str, where: ModelColumns, columns: Mapping[str, FloatArray]) -> FloatArray:
    """Price the requests of one model, in the currency of the table, shape `(n,)`."""
    if where.price is None:
        return columns[str(where.cost)]
    sides = ("input", "output")
    tokens = [where.tokens(columns, side) for side in sides]
    for side, values in zip(sides, tokens, strict=True):
        _check(values, f"{side} tokens of {model}", least=0.0)
    unpriced = where.price.unpriced(*tokens)
    if unpriced:
        raise InvalidValueError(
            f"price of {model}",
            f"must have a rate for {' and '.join(unpriced)} tokens, which occur in the table. Unknown is not free: "
            "add the rate, or state 0.",
        )
    if getattr(where.price, "windows", ()):
        raise InvalidValueError(
            f"price of {model}", "must hold at all hours, got one with weekly windows. Pass its `at(moment)`."
        )
    return np.asarray(where.price.per_request_cost(*tokens), dtype=np.float64)


def read_outcomes(
    path: str | Path,
    models: Mapping[str, ModelColumns],
    *,
    scores: Iterable[str] = (),
    currency: str | None = None,
) -> Outcomes:
    """Read the outcomes of several models off a CSV file with a header and one row per query.

    Arguments and errors are those of `outcomes_of` and `read_table`.
    """
    return outcomes_of(read_table(path), models, scores=scores, currency=currency, title=str(path))
