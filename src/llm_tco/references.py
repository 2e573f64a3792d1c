"""How a scenario refers to records: words that the catalog is asked by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Final

import attrs

from llm_tco._fields import text
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.hardware import Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.prices import STANDARD, TokenPrice
from llm_tco.catalog.records import Record
from llm_tco.catalog.tariffs import Tariff
from llm_tco.errors import InvalidValueError

RECORD_TABLES: Final[Mapping[str, type[Record]]] = {
    "servers": Server,
    "throughputs": Throughput,
    "prices": TokenPrice,
    "tariffs": Tariff,
}
"""Tables of a scenario that hold records, or say where the catalog has them."""


@attrs.frozen(kw_only=True)
class PriceRef:
    """Words that name a price of the catalog.

    Attributes:
        IN_WORDS: What a report of problems calls it, and so below.
        ONE_OF: Fields of which one must be stated.
        provider: Who sells it.
        model: Name of the model there.
        on: The day whose price is meant.
        path: Whether the rows of all days are meant, instead of one day's.
        variant: Such as `"batch"`.
        region: Where the price differs by it; without one, the price that names none, or
            the only region that there is.
        plugin: Only the records of this plugin.
    """

    IN_WORDS: ClassVar[str] = "a price that the catalog is asked for"
    ONE_OF: ClassVar[frozenset[str]] = frozenset({"on", "path"})

    provider: str = text()
    model: str = text()
    on: date | None = None
    path: bool = False
    variant: str = STANDARD
    region: str | None = None
    plugin: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.on is None and not self.path:
            raise InvalidValueError("on", "is missing; give the day whose price is meant, or path = true for all rows")
        if self.on is not None and self.path:
            raise InvalidValueError("on", "means one day and path = true all rows; leave one of the two out")

    def find(self, catalog: Catalog, _: type[Record]) -> TokenPrice | tuple[TokenPrice, ...]:
        """Look it up."""
        words = attrs.asdict(self)
        if words.pop("path"):
            del words["on"]
            return catalog.prices(**words)
        return catalog.price(**words)


@attrs.frozen(kw_only=True)
class ThroughputRef:
    """Words that name a throughput of the catalog; see `Catalog.throughput`."""

    IN_WORDS: ClassVar[str] = "a throughput that the catalog is asked for"

    gpu: str = text()
    model: str = text()
    quantisation: str = text()
    engine: str = ""
    gpus: int = 1
    plugin: str | None = None

    def find(self, catalog: Catalog, _: type[Record]) -> Throughput:
        """Look it up."""
        return catalog.throughput(**attrs.asdict(self))


@attrs.frozen(kw_only=True)
class KeyRef:
    """The key of a record of the catalog.

    Attributes:
        key: The key, or another name.
        on: The day on which it must hold; without it, the scenario's start.
        plugin: Only the records of this plugin.
    """

    IN_WORDS: ClassVar[str] = "a record that the catalog is asked for by its key"

    key: str = text()
    on: date | None = None
    plugin: str | None = None

    def find(self, catalog: Catalog, kind: type[Record]) -> Record:
        """Look it up."""
        if self.on is None and kind is Tariff:
            raise InvalidValueError("on", "is missing; give the day whose tariff is meant, or a start of the scenario")
        record: Record = getattr(catalog, kind.kind)(self.key, on=self.on, plugin=self.plugin)
        return record


def reference_of(kind: type[Record]) -> type[PriceRef | ThroughputRef | KeyRef]:
    """Give the words by which records of a kind are asked for."""
    return {TokenPrice: PriceRef, Throughput: ThroughputRef}.get(kind, KeyRef)


def is_look_up(table: str, row: Mapping[str, object]) -> bool:
    """Say whether a row of a table of records asks the catalog for one, with all that this needs."""
    reference = reference_of(RECORD_TABLES[table])
    fields = attrs.fields_dict(reference)
    needed = {name for name, field in fields.items() if field.default is attrs.NOTHING}
    one_of: frozenset[str] = getattr(reference, "ONE_OF", frozenset())
    return needed <= row.keys() <= fields.keys() and not (one_of and one_of.isdisjoint(row))
