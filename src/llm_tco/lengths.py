"""How long requests are: a distribution of prompt and generated tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import over_time

SHARES_TOLERANCE: Final = 1e-9
"""By how much shares may miss a sum of 1: rounding errors."""


def _atoms(value: object, attribute: attrs.Attribute[Any]) -> FloatArray:
    array = np.atleast_1d(np.array(value, dtype=np.float64))
    if not np.isfinite(array).all() or (array < 0).any():
        raise InvalidValueError(attribute.name, "must hold finite numbers of at least 0")
    array.setflags(write=False)
    return array


def _atoms_field() -> Any:
    return attrs.field(converter=attrs.Converter(_atoms, takes_field=True))


def _no_atoms_field() -> Any:
    none = attrs.Factory(lambda self: np.zeros(self.weights.shape), takes_self=True)
    return attrs.field(default=none, converter=attrs.Converter(_atoms, takes_field=True))


@attrs.frozen(eq=False)
class Lengths:
    """A distribution of request lengths: K kinds of request, each with its weight.

    Attributes:
        input_tokens: Prompt tokens of each kind, shape `(..., K)`.
        output_tokens: Generated tokens of each kind, shape `(..., K)`.
        weights: Share of the requests that are of each kind, shape `(K,)`; they sum to 1.
        cached_tokens: Prompt tokens of each kind that are read from a prompt cache; part of
            the prompt tokens, shape `(..., K)`.
        written_tokens: Prompt tokens of each kind that are written to one, likewise.
        written_ttl: For how long they are kept there, such as `"5m"`, where it is stated.
        only_means: Whether the lengths are means in the place of a distribution that nobody stated.
    """

    input_tokens: FloatArray = _atoms_field()
    output_tokens: FloatArray = _atoms_field()
    weights: FloatArray = _atoms_field()
    cached_tokens: FloatArray = _no_atoms_field()
    written_tokens: FloatArray = _no_atoms_field()
    written_ttl: str | None = None
    only_means: bool = False

    def __attrs_post_init__(self) -> None:
        kinds = self.weights.shape
        parts = (self.input_tokens, self.output_tokens, self.cached_tokens, self.written_tokens)
        if len(kinds) != 1 or any(part.shape[-1:] != kinds for part in parts):
            raise InvalidValueError("weights", "must hold one number for each kind of request")
        if abs(self.weights.sum() - 1.0) > SHARES_TOLERANCE:
            raise InvalidValueError("weights", f"must sum to 1, got {self.weights.sum():g}")
        if np.any(self.cached_tokens + self.written_tokens > self.input_tokens * (1.0 + SHARES_TOLERANCE)):
            raise InvalidValueError("cached_tokens", "must, with written_tokens, be part of the input tokens")

    @classmethod
    def fixed(cls, input_tokens: Number, output_tokens: Number) -> Lengths:
        """Give every request the same length."""
        return cls(column(input_tokens), column(output_tokens), np.ones(1))

    @classmethod
    def of_table(cls, rows: Sequence[Sequence[float]]) -> Lengths:
        """Read rows of input tokens, output tokens and a weight; the weights are scaled to sum to 1."""
        table = np.array(rows, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != 3 or not (table >= 0).all() or table[:, 2].sum() <= 0:
            raise InvalidValueError("lengths", "must hold rows of [input tokens, output tokens, weight], none negative")
        return cls(table[:, 0], table[:, 1], table[:, 2] / table[:, 2].sum())

    def mean(self, values: FloatArray) -> FloatArray:
        """Average a figure over the kinds of request.

        Args:
            values: The figure of each kind, shape `(..., K)`.

        Returns:
            The mean, with an axis for the months: shape `(..., 1)`.
        """
        values = np.broadcast_to(values, np.broadcast_shapes(values.shape, self.weights.shape))
        return over_time(values, self.weights)[..., None]

    def where(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[float, Lengths | None]:
        """Give the weight of some kinds, and their distribution where there are any."""
        weight = float(self.weights[chosen].sum())
        if weight == 0.0:
            return 0.0, None
        return weight, Lengths(
            self.input_tokens[..., chosen],
            self.output_tokens[..., chosen],
            self.weights[chosen] / weight,
            self.cached_tokens[..., chosen],
            self.written_tokens[..., chosen],
            self.written_ttl,
            self.only_means,
        )

    def same_as(self, other: Lengths) -> bool:
        """Say whether two distributions are equal, draws included."""
        return self is other or (
            self.written_ttl == other.written_ttl
            and all(
                np.array_equal(getattr(self, name), getattr(other, name))
                for name in ("input_tokens", "output_tokens", "weights", "cached_tokens", "written_tokens")
            )
        )


def to_lengths(value: Lengths | Sequence[Sequence[float]] | None) -> Lengths | None:
    """Take lengths, or read them from rows of a table."""
    return Lengths.of_table(value) if isinstance(value, (list, tuple)) else value  # type: ignore[return-value]  # checked
