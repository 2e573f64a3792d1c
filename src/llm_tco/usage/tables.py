"""Columns of tables: read from files, taken by name, and turned into numbers and times."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.errors import InvalidValueError, ProblemsError, suggest

T = TypeVar("T")

_NAMED: Final = 10
"""Problems of one column that a report names one by one."""
_WORDS: Final = {"true": "1", "false": "0"}


class Table(Protocol):
    """Columns by name: a mapping, a structured array or a data frame of any library."""

    def __getitem__(self, column: str, /) -> object: ...


def names_of(table: Table) -> list[str]:
    """List the columns of a table.

    Raises:
        InvalidValueError: The object does not say which columns it has.
    """
    if isinstance(table, Mapping):
        return [str(name) for name in table]
    if isinstance(table, np.ndarray) and table.dtype.names:
        return list(table.dtype.names)
    for attribute in ("column_names", "columns"):
        names = getattr(table, attribute, None)
        if isinstance(names, Iterable):
            return [str(name) for name in names if isinstance(name, str)]
    raise InvalidValueError(
        "table", f"must be a mapping, a structured array or a data frame, got a {type(table).__name__}"
    )


def take_columns(table: Table, names: Iterable[str], *, title: str = "table") -> dict[str, object]:
    """Take columns out of a table, as they are.

    Args:
        table: The table.
        names: Names of the columns.
        title: What the table is called in an error.

    Raises:
        ProblemsError: One report with the columns that the table does not have.
    """
    wanted, known = list(dict.fromkeys(names)), names_of(table)
    absent = [name for name in wanted if name not in known]
    if absent:
        raise ProblemsError(title, [f"has no column {name!r}{suggest(name, known)}" for name in absent])
    return {name: table[name] for name in wanted}


def read_table(path: str | Path) -> dict[str, list[str]]:
    """Read a CSV file with a header as columns of text; blank lines are no rows.

    Raises:
        ProblemsError: The file cannot be read, the header is missing or names a column twice,
            or rows have another number of fields than the header.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            header, *rows = [fields for fields in csv.reader(file) if fields] or [[]]
    except OSError as error:
        raise ProblemsError(str(path), [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ProblemsError(str(path), ["is no text in UTF-8"]) from None
    except csv.Error as error:
        raise ProblemsError(str(path), [f"is no CSV: {error}"]) from None
    if not header:
        raise ProblemsError(str(path), ["has no header"])
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ProblemsError(str(path), [f"has several columns {name!r}" for name in twice])
    if set(map(len, rows)) - {len(header)}:
        ragged = [(row, len(fields)) for row, fields in enumerate(rows, start=1) if len(fields) != len(header)]
        problems = [f"row {row}: must have {len(header)} fields, got {fields}" for row, fields in ragged]
        raise ProblemsError(str(path), _shortened(problems))
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    return {name: list(column) for name, column in zip(header, columns, strict=True)}


def to_numbers(values: object, column: str, *, title: str = "table") -> FloatArray:
    """Convert a column to numbers: numbers, texts that hold them, or true and false.

    Raises:
        ProblemsError: One report with the rows that hold no number.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise ProblemsError(title, [f"column {column!r}: must hold one value per row, got shape {array.shape}"])
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind in "mMc":  # numpy would make numbers of these
        raise ProblemsError(title, [f"column {column!r}: must hold numbers, got {array.dtype}"])
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        cells = [_WORDS.get(str(cell).strip().lower(), cell) for cell in array.tolist()]
    return np.array(_all_read(cells, _float, column, "a number", title=title), dtype=np.float64)


def _all_read(
    cells: Sequence[object], read: Callable[[Any], T | None], column: str, what: str, *, title: str
) -> list[T]:
    """Read every cell of a column, or name the rows whose cell is not what it must be."""
    found = [read(cell) for cell in cells]
    problems = [
        f"column {column!r}, row {row}: must be {what}, got {cell!r}"
        for row, (cell, value) in enumerate(zip(cells, found, strict=True), start=1)
        if value is None
    ]
    if problems:
        raise ProblemsError(title, _shortened(problems))
    return [value for value in found if value is not None]


def _float(cell: Any) -> float | None:
    if isinstance(cell, np.datetime64):  # the number of one is a count of whatever it is measured in
        return None
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def _shortened(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _NAMED
    return [*problems[:_NAMED], *([f"and {more} more like these"] if more > 0 else [])]


def to_moments(cells: Iterable[object], column: str, *, title: str = "table") -> list[datetime]:
    """Convert a column to datetimes: it holds them, or texts in ISO 8601.

    Raises:
        ProblemsError: One report with the rows that hold no time; or times with a zone
            stand beside times without one.
    """
    moments = _all_read(list(cells), _moment, column, "a time in ISO 8601 such as 2026-11-01T08:30", title=title)
    if len({moment.utcoffset() is None for moment in moments}) > 1:
        raise ProblemsError(title, [f"column {column!r}: has times with a zone and times without one"])
    return moments


def _moment(cell: object) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    try:
        return datetime.fromisoformat(str(cell).strip())
    except ValueError:
        return None


def to_seconds(cells: Sequence[object], column: str, *, title: str = "table") -> FloatArray:
    """Convert a column of times to seconds: numbers are seconds, everything else is ISO 8601.

    Returns:
        Seconds, from the first row on where they are days and times, shape `(n,)`. [s]

    Raises:
        ProblemsError: As in `to_moments`.
    """
    seconds = [_float(cell) for cell in cells]
    if None not in seconds:
        return np.array(seconds, dtype=np.float64)
    moments = to_moments(cells, column, title=title)
    return np.array([(moment - moments[0]).total_seconds() for moment in moments])
