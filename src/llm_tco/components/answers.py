"""Right answers: what routes say of their quality and latency, as lines of quantities.

A quantity travels up in a ledger like money does, so that the cost of a right answer is a
reading like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final, Protocol

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, is_a, number
from llm_tco.components.base import Component, Composable
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lines import Line

RIGHT_ANSWERS: Final = "right answers"
"""Unit of the answers that are right."""

UNDER_SERVED: Final = "under-served requests"
"""Unit of the requests whose route has less quality than they need."""

ANSWER_SECONDS: Final = "answer-seconds"
"""Unit of the time that requests wait for their answers."""

CATEGORY: Final = "answers"


class Stated(Protocol):
    """What may state a quality and a latency."""

    @property
    def quality(self) -> Number | None:
        """Share of right answers."""
        ...

    @property
    def latency_s(self) -> Number | None:
        """Mean time until an answer, in seconds."""
        ...


def holds(ledger: Ledger, unit: str) -> bool:
    """Say whether a ledger has lines of a unit."""
    return any(line.unit == unit for line in ledger.lines)


def one_for_all(ways: Sequence[tuple[str, Stated]], field: str) -> bool:
    """Say whether all ways to one component state something, or none of them.

    Raises:
        InvalidValueError: Some do and some do not.
    """
    stated = [getattr(way, field) is not None for _, way in ways]
    if any(stated) and not all(stated):
        name = ways[stated.index(False)][0]
        raise InvalidValueError(f"{name}.{field}", "is missing; state it for every route or for none")
    return all(stated)


def stated(ledger: Ledger, asked: Demand, ways: Sequence[tuple[str, Stated, Demand, Number]]) -> Ledger:
    """Add what the ways to a component say of its answers, in the place of what it says itself.

    Args:
        ledger: What the component costs.
        asked: The demand that it was asked to carry: the sum of those of the ways.
        ways: Name, statement, demand of each way, and the share of its answers that is
            kept: the others are asked again elsewhere.
    """
    unserved, requests = np.broadcast_arrays(ledger.unserved, asked.requests)
    idle = np.divide(unserved, requests, out=np.zeros(requests.shape), where=requests > 0)
    named = [(name, way) for name, way, _, _ in ways]

    def total(each: Callable[[Stated, Demand, Number], FloatArray]) -> FloatArray:
        amount: FloatArray = np.zeros(asked.timeline.size)
        for _, way, part, kept in ways:
            amount = amount + each(way, part, kept)
        return amount

    def answered(part: Demand) -> FloatArray:
        # Unserved requests follow the mix of the ways: their share is the same in each.
        return np.asarray(part.requests - part.requests * idle)

    if one_for_all(named, "quality"):
        right = total(lambda way, part, kept: answered(part) * (column(kept) * _known(way.quality)))
        ledger = _replaced(ledger, RIGHT_ANSWERS, right)
        if any(stream.required_quality is not None for stream in asked.streams):
            short = total(lambda way, part, kept: _short(way, part) * (1.0 - idle) * column(kept))
            ledger = _replaced(ledger, UNDER_SERVED, short)
    if one_for_all(named, "latency_s"):
        seconds = total(lambda way, part, _: answered(part) * _known(way.latency_s))
        ledger = _replaced(ledger, ANSWER_SECONDS, seconds)
    return ledger


def _known(value: Number | None) -> FloatArray:
    assert value is not None  # every way states it, as one_for_all has found
    return column(value)


def _short(way: Stated, part: Demand) -> FloatArray:
    """Count the requests that need more quality than a way has."""
    count = np.zeros(part.timeline.size)
    for stream in part.streams:
        if stream.required_quality is not None:
            below = np.less(way.quality, stream.required_quality)  # type: ignore[arg-type]  # stated
            count = count + stream.requests * column(np.asarray(below, dtype=np.float64))
    return count


def _replaced(ledger: Ledger, unit: str, amounts: FloatArray) -> Ledger:
    others = tuple(line for line in ledger.lines if line.unit != unit)
    return attrs.evolve(ledger, lines=(*others, Line(path=(unit,), category=CATEGORY, unit=unit, amounts=amounts)))


def check_known(ledgers: Iterable[tuple[str, Ledger]]) -> None:
    """Refuse to add right answers, or latencies, that are known of some of the requests only.

    Raises:
        InvalidValueError: A route states none, and its component neither.
    """
    every = list(ledgers)
    for unit, field in ((RIGHT_ANSWERS, "quality"), (ANSWER_SECONDS, "latency_s")):
        known = [holds(ledger, unit) for _, ledger in every]
        if any(known) and not all(known):
            name = every[known.index(False)][0]
            raise InvalidValueError(
                f"routes.{name}.{field}",
                f"is missing: other routes state theirs, and the {unit} of a part of the requests say nothing of all. "
                "State it for every route or for none",
            )


@attrs.frozen(eq=False)
class Quality(Composable):
    """A component with what is known of its answers, so that it can be compared by right answers.

    Attributes:
        inner: What answers.
        quality: Share of its answers that are right, 0 to 1.
        latency_s: Mean time until an answer. [s]
    """

    kind: ClassVar[str] = "quality"

    inner: Component = attrs.field(validator=is_a(Component))
    quality: Number | None = number(ge=0, le=1, default=None, optional=True, kw_only=True)
    latency_s: Number | None = number(ge=0, default=None, optional=True, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.quality is None and self.latency_s is None:
            raise InvalidValueError("quality", "must be given, or latency_s, or both")

    @property
    def name(self) -> str:
        """The name of what answers."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Add the quantities to the inner ledger."""
        ledger = self.inner.cost(demand)
        known = stated(ledger.asked(demand), demand, [(self.name, self, demand, 1.0)])
        lines = tuple(line.under((self.name,)) if line not in ledger.lines else line for line in known.lines)
        return attrs.evolve(ledger, lines=lines)
