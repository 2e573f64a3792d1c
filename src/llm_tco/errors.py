"""The errors that llm_tco raises, each a leaf on a natural builtin."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class LlmTcoError(Exception):
    """Be the common ancestor of everything that this library raises on purpose."""


class InvalidValueError(LlmTcoError, ValueError):
    """A value that its field cannot hold.

    Attributes:
        field: Name of the field.
        problem: What is wrong, with the value that was given.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class CurrencyError(LlmTcoError, ValueError):
    """Amounts of different currencies were combined without an exchange rate."""


class MissingRateError(LlmTcoError, LookupError):
    """No exchange rate leads from one currency to another."""


class MismatchError(LlmTcoError, ValueError):
    """Two demands or ledgers do not describe the same months or the same load."""


class SharedFleetError(LlmTcoError, ValueError):
    """One fleet was given two different demands."""


class OverflowedError(LlmTcoError, OverflowError):
    """A figure left the range of finite numbers."""


class UnknownRecordError(LlmTcoError, LookupError):
    """No plugin brings the record that was asked for."""


class NotInForceError(LlmTcoError, LookupError):
    """The record exists, but not for the date that was asked for."""


class UnpricedError(LlmTcoError, LookupError):
    """Tokens are used of a kind that the price states no rate for."""


class ConflictingRecordsError(LlmTcoError, LookupError):
    """Plugins of equal authority disagree about a record."""


class InfeasibleError(LlmTcoError, ValueError):
    """A figure was asked for that no feasible option can give."""


class DoubleCountError(LlmTcoError, ValueError):
    """One amount would be counted twice."""


class ProblemsError(LlmTcoError, ValueError):
    """A document with one or more problems, all of them in one report.

    Attributes:
        problems: One line per problem, each starting with the path to its place.
        title: What was read.
    """

    def __init__(self, title: str, problems: Sequence[str]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__(f"{title}: {len(problems)} {noun}\n{lines}")
        self.title = title
        self.problems = tuple(problems)


def suggest(given: str, known: Iterable[str], *, limit: int = 3) -> str:
    """Name the known words nearest to a given one, as the end of an error text.

    Returns:
        `"; did you mean 'a' or 'b'?"`. Where nothing is near, the known words if they are
        few, else an empty string.
    """
    words = list(known)
    near = difflib.get_close_matches(given, words, n=limit, cutoff=0.6)
    core = _letters(given)
    near += [word for word in words if core and core in _letters(word) and word not in near]
    if near:
        return f"; did you mean {' or '.join(repr(word) for word in near[:limit])}?"
    return f"; known: {', '.join(words)}" if 0 < len(words) <= _FEW else ""


def ended(text: str) -> str:
    """End a text as a sentence: with a full stop, unless a question mark ends it already."""
    return text if text.endswith("?") else f"{text}."


def missing_extra(extra: str) -> str:
    """Say which extra of this library is missing, and how to install it, as the end of an error text."""
    return (
        f"the extra '{extra}' of llm-tco is missing. In a clone of its repository: python -m pip install '.[{extra}]'"
    )


_FEW = 8
"""Known words that an error text can list in full."""


def _letters(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
