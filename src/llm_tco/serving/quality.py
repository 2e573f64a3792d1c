"""How good a model is in a format: its score in a benchmark, and what the format costs of it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final, TypeVar

import attrs

from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.checks import folded, rank
from llm_tco.catalog.models import Model
from llm_tco.catalog.needs import ModelScore, QuantisationLoss
from llm_tco.catalog.records import Record
from llm_tco.errors import NotInForceError
from llm_tco.serving.quantisation import quantisation_of

R = TypeVar("R", bound=Record)
_Rows = Mapping[tuple[str, ...], Sequence[R]]

_PLAIN_BITS: Final = 16
"""Models are published and graded in 16 bits: a format as wide costs nothing."""


@attrs.frozen(eq=False)
class Grades:
    """What is known of the quality of models and formats on a day.

    Attributes:
        catalog: Scores and losses, beside the scores of the models' own records.
        on: The day on which they must hold.
    """

    catalog: Catalog
    on: date
    _scores: _Rows[ModelScore] = attrs.field(
        init=False, default=attrs.Factory(lambda self: _by_words(self.catalog.all(ModelScore)), takes_self=True)
    )
    _losses: _Rows[QuantisationLoss] = attrs.field(
        init=False, default=attrs.Factory(lambda self: _by_words(self.catalog.all(QuantisationLoss)), takes_self=True)
    )

    def score(self, model: Model, benchmark: str) -> float | None:
        """Give what a model reached in a benchmark, or None where nobody states it.

        What the model's own record states counts, unless a score of higher authority than that record
        holds on the day.

        Raises:
            NotInForceError: It is stated, but not for the day.
            ConflictingRecordsError: Plugins of equal authority disagree.
        """
        words = (model.key, benchmark)
        rows = self._scores.get(folded(words), [])
        for stated in model.quality:
            if folded((stated.benchmark,)) == folded((benchmark,)):
                better = any(rank(row) < rank(model) for row in rows if row.period.covers(self.on))
                return self.catalog.record(ModelScore, *words, on=self.on).score if better else stated.score
        return self.catalog.record(ModelScore, *words, on=self.on).score if rows else None

    def loss(self, model: Model, quantisation: str, benchmark: str) -> float | None:
        """Give the share of a score that a format costs, or None where nobody states it for the day.

        A record of this model and benchmark comes first, then one of the model, of the benchmark, and
        of the format alone. A format of 16 bits or more costs nothing.

        Raises:
            ConflictingRecordsError: Plugins of equal authority disagree.
        """
        form = quantisation_of(quantisation)
        if form.bits_per_weight >= _PLAIN_BITS:
            return 0.0
        for words in itertools.product((form.name,), (model.key, ""), (benchmark, "")):
            if folded(words) in self._losses:
                with contextlib.suppress(NotInForceError):  # a more general record may hold
                    return self.catalog.record(QuantisationLoss, *words, on=self.on).loss
        return None

    def benchmarks(self, model: Model) -> tuple[str, ...]:
        """List the benchmarks in which a score of a model is known."""
        own = [score.benchmark for score in model.quality]
        (key,) = folded((model.key,))
        others = [rows[0].benchmark for words, rows in self._scores.items() if words[0] == key]
        return tuple(dict.fromkeys([*own, *others]))


def _by_words(records: Iterable[R]) -> _Rows[R]:
    """Group records by the words of their identities, however they are spelled."""
    rows: dict[tuple[str, ...], list[R]] = {}
    for record in records:
        rows.setdefault(folded(record.identity), []).append(record)
    return rows
