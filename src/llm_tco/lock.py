"""Locks: the records that a scenario looked up, written beside it, so that its figures stay.

A lock is a TOML file. `[[lookups]]` says what was asked for, and which record answered, by
the hash of its content; the records stand below, in the form in which plugins state them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import attrs

from llm_tco.catalog.hardware import Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.reading import read_toml, records_of
from llm_tco.catalog.records import SET_BY_LIBRARY, Origin, Record, Source
from llm_tco.catalog.tariffs import Tariff
from llm_tco.catalog.writing import toml_value, write_records
from llm_tco.errors import LlmTcoError, ProblemsError
from llm_tco.structure import new_converter, structure

LOCKABLE: Final[Mapping[str, type[Record]]] = {kind.kind: kind for kind in (Server, Tariff, Throughput, TokenPrice)}
"""The kinds of record that a scenario can look up."""

SUFFIX: Final = ".lock"
FORMAT: Final = 2
_HEADER: Final = """\
# The records that the scenario looked up, as they were then. llm-tco compare uses them in the
# place of what the plugins say today. Write it anew with: llm-tco lock {name}
"""


@attrs.frozen(kw_only=True)
class Lookup:
    """Something that a scenario asked a catalog for.

    Attributes:
        kind: Kind of record, such as `"price"`.
        words: What it was asked by.
    """

    kind: str
    words: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, kind: str, words: Mapping[str, Any]) -> Lookup:
        """Make it from the words of a reference; those that are not stated are left out."""
        stated = {name: str(value) for name, value in words.items() if value is not None and value is not False}
        return cls(kind=kind, words=tuple(sorted(stated.items())))

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(f'{name} = {value}' for name, value in self.words)}"


Lookups = Mapping[Lookup, tuple[Record, ...]]
"""What was asked for, with the records that answered: one, or the rows of a price path."""


@attrs.frozen(kw_only=True)
class _Answer:
    hash: str
    plugin: str
    version: str = ""
    also: tuple[Source, ...] = ()


@attrs.frozen(kw_only=True)
class _Row:
    kind: str
    words: Mapping[str, str]
    answers: tuple[_Answer, ...]


def lock_path(file: Path) -> Path:
    """Give the place of the lock of a scenario file: beside it, with the suffix `.lock`."""
    return file.with_suffix(SUFFIX)


def content_hash(record: Record) -> str:
    """Give a hash of what a record states, whoever brought it and when.

    Fields at their defaults are left out of it, so that a later version of the library, which
    knows more fields, gives the same hash.

    Raises:
        InvalidValueError: A figure is an array of draws.
    """
    write_records([record], table="record")  # refuses arrays, which do not compare with defaults
    stated = new_converter().copy(omit_if_default=True).unstructure(record)
    own = {name: item for name, item in stated.items() if name not in SET_BY_LIBRARY}
    text = json.dumps(own, sort_keys=True, default=str)  # days are written as they are in ISO 8601
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def write_lock(lookups: Lookups, *, name: str) -> str:
    """Write the text of a lock.

    Args:
        lookups: What was asked for, and the record that answered.
        name: Name of the scenario file.
    """
    records = {content_hash(record): record for found in lookups.values() for record in found}
    rows = [_HEADER.format(name=name) + f"format = {FORMAT}\n"]
    for lookup in sorted(lookups, key=str):
        words = toml_value(dict(lookup.words), "words")
        answers = "".join(f"  {_answer(record)},\n" for record in lookups[lookup])
        rows.append(
            f"[[lookups]]\nkind = {toml_value(lookup.kind, 'kind')}\nwords = {words}\nanswers = [\n{answers}]\n"
        )
    for kind in LOCKABLE:
        rows += [write_records([records[key]], table=kind) for key in sorted(records) if records[key].kind == kind]
    return "\n".join(rows)


def _answer(record: Record) -> str:
    origin = record.origin or Origin(plugin="unknown")
    stated = {"hash": content_hash(record), "plugin": origin.plugin, "version": origin.version}
    also = {"also": new_converter().unstructure(record.also)} if record.also else {}
    return toml_value(stated | also, "answers")


def read_lock(file: Path) -> dict[Lookup, tuple[Record, ...]]:
    """Read a lock.

    Raises:
        ProblemsError: The file is none, or a record is not what its hash says.
    """
    try:
        document = read_toml(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, LlmTcoError) as error:
        raise ProblemsError(str(file), [f"cannot be read: {error}"]) from None
    if document.get("format") != FORMAT:
        raise ProblemsError(str(file), [f"is no lock of format {FORMAT}; write it anew with llm-tco lock"])
    rows = structure(document.get("lookups", []), tuple[_Row, ...], title=str(file), converter=new_converter())
    records = {
        content_hash(record): record
        for kind, made in LOCKABLE.items()
        for record in records_of(document, made, table=kind, title=str(file))
    }
    missing = [
        f"lookups[{place}]: no record has the hash {answer.hash}: the lock was edited by hand. Write it anew with "
        "llm-tco lock"
        for place, row in enumerate(rows)
        for answer in row.answers
        if answer.hash not in records
    ]
    if missing:
        raise ProblemsError(str(file), missing)

    def found(answer: _Answer) -> Record:
        origin = Origin(plugin=answer.plugin, version=answer.version)
        return attrs.evolve(records[answer.hash], origin=origin, also=answer.also)

    return {Lookup.of(row.kind, row.words): tuple(map(found, row.answers)) for row in rows}


def stale(records: Iterable[Record], *, older_than_days: int, today: date) -> list[Record]:
    """Give the records whose source was checked longer ago than some days, the oldest first."""
    found = {id(record): record for record in records if (today - record.source.checked).days > older_than_days}
    return sorted(found.values(), key=lambda record: (record.source.checked, record.kind, record.title))
