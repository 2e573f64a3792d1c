"""Figures that are taken as they stand, though somebody may have meant others."""

from __future__ import annotations

from collections.abc import Iterable

from llm_tco._fields import large_rates
from llm_tco.catalog.checks import USER, check_record
from llm_tco.catalog.records import Record
from llm_tco.ledger import State


def doubts_of(holder: object, *path: str) -> frozenset[State]:
    """Warn of rates that may have been written as percents; they are taken as they stand."""
    return frozenset(
        State(
            kind="caution",
            path=place,
            note=f"is {rate:g}, which is {rate * 100:g} %; where {rate:g} % is meant, write {rate / 100:g}",
        )
        for place, rate in large_rates(holder, path)
    )


def slips_of(records: Iterable[Record]) -> frozenset[State]:
    """Warn of implausible figures in records that no loader has held against the bounds."""
    return frozenset(
        State(kind="caution", path=(problem.where,), note=f"{problem.what}. {problem.mend}")
        for record in records
        if record.origin is None or record.authority == USER
        for problem in check_record(record)
        if problem.check == "bounds"
    )
