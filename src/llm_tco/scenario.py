"""Scenarios: a workload, a timeline, named options and the terms, in a file or as an object.

In a file, fleets, prices and records stand in tables and are referred to by name, so that
one name is one object: a fleet that two costs name is bought once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import cattrs

from llm_tco._fields import MAX_WHOLE, Number, choice, number, text, to_number, whole
from llm_tco.analysis.compare import Comparison, compare
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.hardware import Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.plugins import load_catalog
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.reading import read_toml, record_converter
from llm_tco.catalog.records import SET_BY_LIBRARY, Origin, Record, Source
from llm_tco.catalog.tariffs import Tariff
from llm_tco.components.agreement import Above
from llm_tco.components.base import Component, Stack
from llm_tco.demand import Lengths, Workload
from llm_tco.errors import InvalidValueError, LlmTcoError, ProblemsError, suggest
from llm_tco.financing import FinancialTerms
from llm_tco.lock import Lookup, Lookups, lock_path, read_lock
from llm_tco.money import Quote, check_currency, exchange_rates
from llm_tco.references import RECORD_TABLES, KeyRef, PriceRef, ThroughputRef, is_look_up, reference_of
from llm_tco.serving.fleet import Fleet
from llm_tco.structure import Problems, build, check_table, problem, reported, said, settable
from llm_tco.texts import Proposal
from llm_tco.timeline import Timeline

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False)
class Scenario:
    """Everything that a comparison needs.

    Attributes:
        title: What it is about.
        currency: Currency of every result.
        start: Day of purchase.
        months: Number of months.
        workload: What users ask for.
        options: The ways to serve it, by name.
        fx: What one unit of each other currency is worth in the currency of the results: a
            number, or numbers by the day from which on they hold.
        discount_rate: Effective annual rate. [1/year]
        lens: `"full"`, or `"marginal"` to leave sunk costs out.
        volumes: Lowest and highest requests a month among which break-even is sought.
        description: Anything a reader should know.
        finance: Loan, lease, tax, and real or nominal.
        proposal: The texts of a budget proposal.
    """

    title: str = text(default="scenario")
    currency: str = attrs.field(validator=lambda _, attribute, value: check_currency(value, attribute.name) and None)
    start: date
    months: int = whole(ge=1)
    workload: Workload
    options: Mapping[str, Component]
    fx: Mapping[str, Quote] = exchange_rates()
    discount_rate: Number = number(gt=-1, default=0.0)
    lens: str = choice("full", "marginal", default="full")
    volumes: tuple[int, ...] | None = None
    description: str = ""
    finance: FinancialTerms = attrs.field(factory=FinancialTerms)
    proposal: Proposal | None = None

    def __attrs_post_init__(self) -> None:
        if not self.options:
            raise InvalidValueError("options", "must hold at least one option")
        volumes = self.volumes
        if volumes is not None and (len(volumes) != 2 or not 0 < volumes[0] < volumes[1] <= MAX_WHOLE):
            raise InvalidValueError("volumes", f"must be a lowest and a higher number of requests, got {list(volumes)}")

    def compare(self) -> Comparison:
        """Compare its options; see `llm_tco.compare`."""
        volumes = None if self.volumes is None else (self.volumes[0], self.volumes[1])
        return compare(
            self.options,
            self.workload,
            Timeline(self.start, self.months),
            currency=self.currency,
            fx=self.fx,
            discount_rate=self.discount_rate,
            lens=self.lens,
            volumes=volumes,
            finance=self.finance,
        )


def load_scenario(path: str | Path, *, catalog: Catalog | None = None, locked: bool = True) -> Scenario:
    """Read a scenario from a TOML file.

    Args:
        path: The file. It may extend another by `extends = "other.toml"`: tables are
            merged, everything else replaces what stands there, and so does a row that looks
            a record up.
        catalog: Where records are looked up; without one, every installed plugin.
        locked: Whether records come from the lock beside the file, where there is one; see
            `llm_tco.lock`.

    Raises:
        ProblemsError: One report with every problem of the file and its path.
    """
    file = Path(path)
    document = read_document(file)
    beside = lock_path(file)
    lock = read_lock(beside) if locked and beside.is_file() else None
    return _Reader(document, file.name, catalog, lock).whole()


def read_document(file: Path) -> dict[str, Any]:
    """Read a file, and what it extends, as plain data.

    Raises:
        ProblemsError: It cannot be read.
    """
    return _read(file, ())


def lookups_of(file: Path, *, catalog: Catalog | None = None) -> dict[Lookup, tuple[Record, ...]]:
    """Give every record that a scenario looks up in a catalog, by what it asks for.

    Raises:
        ProblemsError: One report with every problem of the file and its path.
    """
    reader = _Reader(read_document(file), file.name, catalog, None)
    reader.whole()
    return reader.lookups


def read_scenario(
    document: Mapping[str, Any],
    *,
    title: str,
    catalog: Catalog | None = None,
    lock: Lookups | None = None,
) -> Scenario:
    """Read a scenario from plain data; see `load_scenario`.

    Args:
        document: The tables of the file.
        title: What the report of problems calls it, and the origin of its records.
        catalog: Where records are looked up.
        lock: Records in the place of what the catalog says.

    Raises:
        ProblemsError: One report with every problem and its path.
    """
    return _Reader(dict(document), title, catalog, lock).whole()


_COMMANDS: Final[Mapping[str, str]] = {"options": "compare", "tasks": "choose", "frontier": "route"}
"""The command that a file is for, by the table that only such a file holds."""


def check_command(document: Mapping[str, Any], table: str, title: str) -> None:
    """Refuse the file of another command in one line.

    Args:
        document: The tables of the file.
        table: The table that the file should hold.
        title: What a report of problems calls the file.

    Raises:
        ProblemsError: It holds the table of another command, and not this one.
    """
    other = next((one for one in _COMMANDS if one in document), table)
    if table not in document and other != table:
        text = f"is a file for llm-tco {_COMMANDS[other]}: it holds a table [{other}], and none called [{table}]"
        raise ProblemsError(title, [text])


def _read(file: Path, below: tuple[Path, ...]) -> dict[str, Any]:
    """Read a file and what it extends."""
    try:
        if file.resolve() in below:
            raise ProblemsError(str(file), ["extends: leads back to this file"])
        document: dict[str, Any] = read_toml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProblemsError(str(file), [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ProblemsError(str(file), ["is no text in UTF-8"]) from None
    except ProblemsError as error:
        if error.title == str(file):
            raise
        raise ProblemsError(str(file), [f"is no TOML: {line}" for line in error.problems]) from None
    except (RuntimeError, ValueError) as error:  # a loop of links, a zero byte in the name
        raise ProblemsError(str(file), [f"cannot be read: {error}"]) from None
    base = document.pop("extends", None)
    if base is None:
        return document
    if not isinstance(base, str):
        raise ProblemsError(str(file), [f"extends: must be the name of a file, got {said(base)}"])
    if not (file.parent / base).exists():
        near = suggest(base, sorted(other.name for other in file.parent.glob("*.toml") if other.name != file.name))
        raise ProblemsError(str(file), [f"extends: cannot be read: there is no file {base!r} beside it{near}"])
    other = file.parent / base
    return _merged(_standing_in(_read(other, (*below, file.resolve())), other.name), document, ())


class _Table(dict[str, Any]):
    """A table of a file that another one extends, with the name of the file in which it stands."""

    file: str


def _standing_in(value: Any, file: str) -> Any:
    """Mark every table that is not marked yet."""
    if isinstance(value, list):
        return [_standing_in(item, file) for item in value]
    if not isinstance(value, dict) or isinstance(value, _Table):
        return value
    table = _Table({key: _standing_in(item, file) for key, item in value.items()})
    table.file = file
    return table


def _merged(base: dict[str, Any], over: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    """Merge two tables that stand at one place of a document."""
    if place[:1] in (("options",), ("components",)) and len(place) > 1 and over.keys() & {"kind", "costs"}:
        return over  # another option or component, not a change of this one
    if len(place) == 2 and place[0] in RECORD_TABLES and is_look_up(place[0], over):
        return over  # likewise
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            result[key] = _merged(below, value, (*place, key))
        else:
            result[key] = value
    return result


_MADE_OF: Final[Mapping[str, Any]] = {"fleets": Fleet, "components": Component}
"""What tables hold that hold no records."""

_OR_A_NAME: Final[Mapping[type, str]] = {
    TokenPrice: ", the name of one in [prices], or a list of both",
    Throughput: " or the name of one in [throughputs]",
}
"""What may stand in the place of the table of a record, if not a key."""

_STAND_IN: Final = {"unreadable": Stack()}
"""Options in the place of those that could not be read, so that the rest is checked as well."""


class _Reader:
    """Reads one document. Every name is one object, made when it is first used."""

    def __init__(
        self,
        document: dict[str, Any],
        title: str,
        catalog: Catalog | None,
        lock: Lookups | None,
    ) -> None:
        self.sources = document.pop("sources", {})
        self.document = document
        self.title = title
        self.catalog = load_catalog() if catalog is None else catalog
        self.lock = lock
        self.lookups: dict[Lookup, tuple[Record, ...]] = {}
        self.made: dict[tuple[str, str], object] = {}
        self.under_way: list[str] = []
        self.found: list[tuple[str, str]] = []
        self.converter = self._converter()

    def _converter(self) -> cattrs.Converter:
        converter = record_converter(self.sources)
        plain = {kind: converter.get_structure_hook(kind) for kind in RECORD_TABLES.values()}
        hooks: dict[Any, Callable[[Any, Any], Any]] = {
            Component: lambda value, _: self._component(value),
            Fleet: lambda value, _: self._fleet(value),
            Server: lambda value, _: self._record("servers", value, plain[Server]),
            Throughput: lambda value, _: self._record("throughputs", value, plain[Throughput]),
            TokenPrice: lambda value, _: self._record("prices", value, plain[TokenPrice]),
            TokenPrice | tuple[TokenPrice, ...]: lambda value, _: self._prices(value),
            Tariff: lambda value, _: self._record("tariffs", value, plain[Tariff]),
            Throughput | Mapping[str, Throughput]: lambda value, _: self._throughputs(value),
            Lengths: lambda value, _: _lengths(value),
            Above: lambda value, _: value,  # money or a number, and so here
            Quote: lambda value, _: value,  # a number or a table of days: the field itself looks
        }
        for target, hook in hooks.items():
            converter.register_structure_hook_func(lambda kind, target=target: kind == target, hook)  # type: ignore[misc]
        return converter

    def whole(self) -> Scenario:
        """Read the document; refuse one of another command, and one that is nested too deeply."""
        check_command(self.document, "options", self.title)
        try:
            return self.read()
        except RecursionError:
            raise ProblemsError(self.title, ["is nested too deeply"]) from None

    def read(self) -> Scenario:
        """Read everything, the tables that nothing refers to as well."""
        scenario: Scenario | None = None
        tables = frozenset({*RECORD_TABLES, "fleets", "components"})
        self._collect("sources", lambda: self.converter.structure(self.sources, dict[str, Source]))
        for name in sorted(tables & self.document.keys()):
            self._collect(name, functools.partial(self._whole_table, name))
        rest = {key: value for key, value in self.document.items() if key not in tables}
        if "options" in rest:
            options = self._collect("options", lambda: self._options(rest["options"]))
            rest["options"] = _STAND_IN if options is None else options
        try:
            scenario = build(self.converter, rest, Scenario)
        except Problems as problems:
            self.found += problems.found
        lines = list(dict.fromkeys(Problems(self.found).lines()))
        if lines or scenario is None:
            raise ProblemsError(self.title, lines)
        return scenario

    def _collect(self, path: str, make: Callable[[], T]) -> T | None:
        """Make something and keep its problems for the report."""
        try:
            return make()
        except Problems as problems:
            self.found += problems.below(path)
            return None

    def _whole_table(self, name: str) -> None:
        table = self.document[name]
        check_table(table)
        for key in table:
            try:
                self.converter.structure(key, _MADE_OF.get(name) or RECORD_TABLES[name])
            except Problems:
                continue  # named() has kept them

    def _table(self, name: str) -> Mapping[str, Any]:
        """Give a table of the document; what is none is reported where it stands."""
        table = self.document.get(name, {})
        return table if isinstance(table, Mapping) else {}

    def _named(self, table: str, name: str, make: Callable[[Any], T]) -> T:
        """Give the object of a name, made once; its problems are reported once, at its own place."""
        place = (table, name)
        label = f"{table}.{name}"
        if label in self.under_way:
            raise problem(f"refers to itself: {' → '.join([*self.under_way, label])}")
        if place not in self.made:
            self.under_way.append(label)
            self.made[place] = self._collect(label, lambda: make(self.document[table][name]))
            self.under_way.pop()
        made = self.made[place]
        if made is None:
            raise reported()
        return made  # type: ignore[return-value]  # what make() returned

    def _options(self, table: Any) -> dict[str, Component]:
        check_table(table)
        options = {}
        for name in table:
            try:
                options[name] = self._named("options", name, functools.partial(self._option, name))
            except Problems:
                continue  # named() has kept them
        if len(options) < len(table):
            raise reported()
        return options

    def _option(self, name: str, value: Any) -> Component:
        check_table(value)
        if "kind" in value:
            return self._component(value)
        found = [
            (key, "is not a field of an option, which holds costs, or a kind and its fields")
            for key in value
            if key != "costs"
        ]
        try:
            parts = self._parts(value.get("costs", []))
        except Problems as problems:
            raise Problems(found + problems.below("costs")) from None
        if found:
            raise Problems(found)
        return Stack(parts, name=name)

    def _parts(self, value: Any) -> tuple[Component, ...]:
        parts = self.converter.structure(value, tuple[Component, ...])
        found = [] if parts else [("", "must hold at least one cost")]
        seen: set[str] = set()
        for position, part in enumerate(parts):
            if part.name in seen:
                found.append((f"[{position}].name", f"{part.name!r} is taken; give this cost another name"))
            seen.add(part.name)
        if found:
            raise Problems(found)
        return parts

    def _component(self, value: Any) -> Component:
        if isinstance(value, str):
            for table in ("options", "components"):
                if value in self._table(table):
                    return self._named(table, value, functools.partial(self._option, value))
            names = [*self._table("options"), *self._table("components")]
            raise problem(f"is the name of no option and of no component, got {value!r}{suggest(value, names)}")
        if _is_made(value, Component):
            made: Component = value
            return made
        if isinstance(value, list):
            return Stack(self._parts(value))
        check_table(value, " with a kind, the name of an option or a component, or a list of costs")
        if "kind" not in value:
            raise Problems([("kind", f"is missing; one of {', '.join(self.catalog.kinds)}")])
        kind = value["kind"]
        try:
            made_of: Any = self.catalog.component(kind if isinstance(kind, str) else said(kind))
        except LlmTcoError as error:
            raise Problems([("kind", str(error))]) from None
        component: Component = build(
            self.converter, value, made_of, extra=frozenset({"kind"}), words=f'kind = "{kind}"'
        )
        if isinstance(component, Stack) and not component.parts:
            raise Problems([("parts", "must hold at least one cost")])
        return component

    def _fleet(self, value: Any) -> Fleet:
        if _is_made(value, Fleet):
            return value  # type: ignore[no-any-return]  # a fleet
        if not isinstance(value, str):
            raise problem(f"must be the name of a fleet in the table [fleets], got {said(value)}")
        fleets = self._table("fleets")
        if value not in fleets:
            raise problem(f"is the name of no fleet in the table [fleets], got {value!r}{suggest(value, fleets)}")

        def make(table: Any) -> Fleet:
            check_table(table)
            return build(self.converter, {"name": value, **table}, Fleet)

        return self._named("fleets", value, make)

    def _record(self, table: str, value: Any, plain: Callable[[Any, Any], Any]) -> Any:
        """Give a record: by its name in the file, by its key or words in the catalog, or as it stands."""
        kind = RECORD_TABLES[table]
        if _is_made(value, kind):
            return value
        if isinstance(value, str):
            own = self._table(table)
            if value in own:
                return self._named(table, value, lambda row: self._stated(kind, value, row, plain))
            if kind in (TokenPrice, Throughput):
                raise problem(f"is the name of nothing in the table [{table}], got {value!r}{suggest(value, own)}")
            return self._look_up(lambda: KeyRef(key=value), kind)
        return self._stated(kind, None, value, plain)

    def _stated(self, kind: type[Record], name: str | None, row: Any, plain: Callable[[Any, Any], Any]) -> Any:
        reference: Any = reference_of(kind)
        check_table(row, "" if name else _OR_A_NAME.get(kind, " or the key of a record"))
        if not row.keys() & (settable(kind).keys() - attrs.fields_dict(reference).keys()):
            return self._look_up(lambda: build(self.converter, row, reference), kind)
        if SET_BY_LIBRARY & row.keys():
            raise Problems(
                [(field, f"is not a field that a file can set: the origin is {self.title} itself")
                 for field in sorted(SET_BY_LIBRARY & row.keys())]
            )  # fmt: skip
        named = {"key": name, "name": name} if name and "key" in attrs.fields_dict(kind) else {}
        record = plain({"authority": "user", **named, **row}, kind)
        return attrs.evolve(record, origin=Origin(plugin=getattr(row, "file", self.title)))

    def _look_up(self, reference: Callable[[], Any], kind: type[Record]) -> Any:
        words = reference()
        if isinstance(words, KeyRef) and words.on is None and type(self.document.get("start")) is date:
            words = attrs.evolve(words, on=self.document["start"])
        asked = Lookup.of(kind.kind, attrs.asdict(words))
        many = isinstance(words, PriceRef) and words.path
        if self.lock is None:
            try:
                found = words.find(self.catalog, kind)
            except LlmTcoError as error:
                raise problem(str(error)) from None
            self.lookups[asked] = found if many else (found,)
        elif asked in self.lock:
            self.lookups[asked] = self.lock[asked]
        else:
            raise problem(f"is not in the lock, which was written before: {asked}. Write it anew with llm-tco lock")
        return self.lookups[asked] if many else self.lookups[asked][0]

    def _prices(self, value: Any) -> Any:
        kind: Any = tuple[TokenPrice, ...] if isinstance(value, (list, tuple)) else TokenPrice
        return self.converter.structure(value, kind)

    def _throughputs(self, value: Any) -> Any:
        words = attrs.fields_dict(Throughput).keys() | attrs.fields_dict(ThroughputRef).keys()
        if isinstance(value, Mapping) and value and not value.keys() & words:
            return self.converter.structure(value, dict[str, Throughput])
        return self.converter.structure(value, Throughput)


def _is_made(value: Any, kind: type) -> bool:
    return not isinstance(value, (str, Mapping, list, tuple)) and isinstance(value, kind)


def _lengths(value: Any) -> Lengths:
    if not isinstance(value, (list, tuple)):
        raise problem(f"must be a list of rows [input tokens, output tokens, weight], got {said(value)}")
    if not all(isinstance(row, (list, tuple)) for row in value):
        raise problem("must hold rows of [input tokens, output tokens, weight]")
    try:
        return Lengths.of_table([[float(to_number(number, "lengths")) for number in row] for row in value])
    except InvalidValueError as error:
        raise problem(error.problem) from None
    except ValueError:
        raise problem("must hold rows of [input tokens, output tokens, weight]") from None
