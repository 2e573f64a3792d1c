"""Tables of figures for a terminal: what they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import floor, log10

from rich.table import Table
from rich.text import Text

from llm_tco.report.tables import UNKNOWN, amount, blank


def grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, words: Iterable[int] = (0,)) -> Table:
    """Lay rows of texts out.

    Args:
        title: What they are.
        columns: The headings.
        rows: The texts, one for each column.
        words: Places of the columns that hold words; the others hold figures, which end at the right.

    Columns of which nothing is known in any row are left out.
    """
    rows = [tuple(row) for row in rows]
    kept = [place for place in range(len(columns)) if any(row[place] not in ("", UNKNOWN) for row in rows)]
    left = set(words)
    table = blank(title, (columns[place] for place in kept), {at for at, place in enumerate(kept) if place in left})
    for row in rows:
        table.add_row(*(Text(row[place]) for place in kept))
    return table


def money(value: float | None, *, sign: bool = False) -> str:
    """Write an amount, with a sign where it is a difference."""
    if value is None:
        return UNKNOWN
    return f"{'+' if sign and value > 0 else ''}{amount(value)}"


def points(difference: float | None) -> str:
    """Write a difference of two shares in percentage points."""
    return UNKNOWN if difference is None else f"{round(difference * 100, 1) + 0.0:+,.1f}"


def span(low: float, high: float, unit: str = "") -> str:
    """Write an interval of ratios in hundredths."""
    return f"{points(low)} to {points(high)}{unit}"


def figure(value: float | None, digits: int = 2) -> str:
    """Write a figure with so many decimals."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def decimals(values: Iterable[float]) -> int:
    """Say how many decimals a column needs: four digits of the largest amount, two of the smallest."""
    sizes = [abs(value) for value in values if value]
    if not sizes:
        return 0
    return min(max(3 - floor(log10(max(sizes))), 1 - floor(log10(min(sizes))), 0), 9)
