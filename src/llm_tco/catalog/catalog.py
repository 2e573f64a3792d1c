"""Looking records up: by their words and by date, with authority and without guessing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TypeVar

import attrs

from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.prices import STANDARD, TokenPrice
from llm_tco.catalog.records import AUTHORITIES, Record
from llm_tco.catalog.tariffs import ServicePrice, Tariff
from llm_tco.errors import ConflictingRecordsError, NotInForceError, UnknownRecordError, suggest

R = TypeVar("R", bound=Record)


@attrs.frozen(kw_only=True)
class PluginReport:
    """How the loading of one plugin went.

    Attributes:
        name: Name of its entry point.
        distribution: Distribution that brings it.
        version: Version of the distribution.
        status: `"ok"`, `"broken"` or `"disabled"`.
        problems: What is wrong with it.
        hooks: The hooks that it implements.
        records: How many records of each kind it brought.
    """

    name: str
    distribution: str
    version: str
    status: str
    problems: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    records: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        reasons = f": {'; '.join(self.problems)}" if self.problems else ""
        return f"{self.distribution} {self.version} is {self.status}{reasons}"


_BRINGS = {
    "gpu": "llm-tco-accelerators",
    "server": "llm-tco-reference",
    "model": "llm-tco-reference",
    "price": "llm-tco-genai-prices",
    "tariff": "llm-tco-reference",
    "service_price": "llm-tco-reference",
    "throughput": "llm-tco-reference",
}
"""The plugins of this project that bring each kind of record."""


def _rank(record: Record) -> tuple[bool, int]:
    return record.approximate, AUTHORITIES.index(record.authority)


def _same_figures(one: Record, other: Record) -> bool:
    """Say whether two records state the same, wherever they state it."""
    return attrs.evolve(one, source=other.source, note=other.note, authority=other.authority) == other


class Catalog:
    """The records of plugins and files, and what may be asked of them.

    A record of higher authority wins over others with the same words and period. Records of
    equal authority that differ are a conflict, which is raised when they are asked for.
    """

    def __init__(
        self,
        records: Iterable[Record] = (),
        *,
        components: Sequence[type] = (),
        plugins: Sequence[PluginReport] = (),
        prefer: Sequence[str] = (),
    ) -> None:
        """Index records.

        Args:
            records: The records.
            components: Component kinds that plugins brought.
            plugins: How the loading of each plugin went.
            prefer: Names of plugins whose records win over others of equal authority, the
                most preferred first.
        """
        self.records = tuple(records)
        self.components = tuple(components)
        self.plugins = tuple(plugins)
        self.prefer = tuple(prefer)
        self._index: dict[str, dict[tuple[str, ...], list[Record]]] = defaultdict(lambda: defaultdict(list))
        for record in self.records:
            self._index[record.kind][record.identity].append(record)
        self._aliases: dict[str, dict[tuple[str, ...], set[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(set))
        for record in self.records:
            for words in _other_words(record):
                if words not in self._index[record.kind]:
                    self._aliases[record.kind][words].add(record.identity)

    def with_records(self, records: Iterable[Record]) -> Catalog:
        """Give a catalog that holds more records."""
        return Catalog((*self.records, *records), components=self.components, plugins=self.plugins, prefer=self.prefer)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of component, sorted."""
        return tuple(sorted({kind.kind for kind in self.components}))  # type: ignore[attr-defined]  # the loader checks

    def component(self, kind: str) -> type:
        """Look a component class up by its kind.

        Raises:
            UnknownRecordError: No plugin brings it.
            ConflictingRecordsError: Several plugins bring one.
        """
        found = list(dict.fromkeys(one for one in self.components if one.kind == kind))  # type: ignore[attr-defined]  # as above
        if not found:
            raise UnknownRecordError(f"must be one of {', '.join(self.kinds)}, got {kind!r}{suggest(kind, self.kinds)}")
        if len(found) > 1:
            places = " and ".join(f"{one.__module__}.{one.__qualname__}" for one in found)
            raise ConflictingRecordsError(f"{kind!r} is brought by several plugins: {places}. Disable one of them.")
        return found[0]

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """List the records of a kind."""
        return tuple(record for record in self.records if isinstance(record, kind))

    def gpu(self, key: str, *, on: date | None = None, plugin: str | None = None) -> Gpu:
        """Look an accelerator up by its key or another name.

        Args:
            key: The key, or another name.
            on: Only a record that holds on this day; without it, any.
            plugin: Only the records of this plugin.

        Raises:
            UnknownRecordError: No plugin brings it.
            NotInForceError: None of the records holds on that day.
            ConflictingRecordsError: Plugins of equal authority disagree.
        """
        return self._find(Gpu, (key,), on=on, plugin=plugin)

    def server(self, key: str, *, on: date | None = None, plugin: str | None = None) -> Server:
        """Look a server up; see `gpu`."""
        return self._find(Server, (key,), on=on, plugin=plugin)

    def model(self, key: str, *, on: date | None = None, plugin: str | None = None) -> Model:
        """Look a model up; see `gpu`."""
        return self._find(Model, (key,), on=on, plugin=plugin)

    def tariff(self, key: str, *, on: date, plugin: str | None = None) -> Tariff:
        """Look a price of electricity up; see `price`."""
        return self._find(Tariff, (key,), on=on, plugin=plugin)

    def service_price(self, key: str, *, on: date, plugin: str | None = None) -> ServicePrice:
        """Look up what a service or an hour of work costs; see `price`."""
        return self._find(ServicePrice, (key,), on=on, plugin=plugin)

    def price(
        self,
        provider: str,
        model: str,
        *,
        on: date,
        variant: str = STANDARD,
        region: str = "",
        plugin: str | None = None,
    ) -> TokenPrice:
        """Look up what an API charges on a day.

        Args:
            provider: Who sells it.
            model: Name of the model there, or an alias.
            on: The day.
            variant: Such as `"batch"`.
            region: Where the price differs by it.
            plugin: Only the records of this plugin.

        Raises:
            UnknownRecordError: No plugin brings such a price.
            NotInForceError: None of the prices holds on that day.
            ConflictingRecordsError: Plugins of equal authority disagree.
        """
        return self._find(TokenPrice, (provider, model, variant, region), on=on, plugin=plugin)

    def throughput(
        self, gpu: str, model: str, quantisation: str, *, engine: str = "", gpus: int = 1, plugin: str | None = None
    ) -> Throughput:
        """Look a measured throughput up; without an engine, the only one or that of the highest authority.

        Raises:
            UnknownRecordError: Nothing was measured for this combination.
            ConflictingRecordsError: Several engines, or plugins of equal authority, are there.
        """
        words = (gpu, model, quantisation, engine, str(gpus))
        if engine or words in self._index[Throughput.kind]:
            return self._find(Throughput, words, plugin=plugin)
        fitting = [
            record
            for record in self.all(Throughput)
            if (record.gpu, record.model, record.quantisation, record.gpus) == (gpu, model, quantisation, gpus)
            and _from(record, plugin)
        ]
        return (
            self._choose(fitting, f"throughput {gpu}/{model}/{quantisation}")
            if fitting
            else self._find(Throughput, words, plugin=plugin)
        )

    def _find(self, kind: type[R], words: tuple[str, ...], *, on: date | None = None, plugin: str | None = None) -> R:
        found = [record for record in self._lookup(kind, words) if _from(record, plugin)]
        asked = "/".join(word for word in words if word)
        if not found:
            raise UnknownRecordError(self._unknown(kind, words, asked, plugin))
        if on is not None:
            in_force = [record for record in found if record.period.covers(on)]
            if not in_force:
                raise NotInForceError(_not_in_force(kind, asked, found, on))
            found = in_force
        return self._choose(found, f"{kind.kind} {asked}")

    def _lookup(self, kind: type[R], words: tuple[str, ...]) -> list[R]:
        index, aliases = self._index[kind.kind], self._aliases[kind.kind]
        meant: set[tuple[str, ...]] = set()
        for spelling in (words, _folded(words)):
            if spelling in index:
                return list(index[spelling])  # type: ignore[arg-type]  # the index of a kind holds that kind
            meant = meant or aliases.get(spelling, set())
        if len(meant) > 1:
            names = ", ".join(sorted("/".join(word for word in one if word) for one in meant))
            raise ConflictingRecordsError(
                f"{'/'.join(words)} is another name of several: {names}. Ask for one of them."
            )
        return [record for identity in meant for record in index[identity]]  # type: ignore[misc]  # as above

    def _choose(self, found: Sequence[R], asked: str) -> R:
        best = min(_rank(record) for record in found)
        leading = [record for record in found if _rank(record) == best]
        for plugin in self.prefer:
            preferred = [record for record in leading if _from(record, plugin)]
            if preferred:
                leading = preferred
                break
        first, *rest = leading
        different = [record for record in rest if not _same_figures(record, first)]
        if different:
            values = "\n".join(
                f"  {record.origin or 'unknown origin'}: {record.title}, {record.source}" for record in leading
            )
            raise ConflictingRecordsError(
                f"{len(leading)} records of equal authority state {asked} differently:\n{values}\n"
                "Name one by plugin=, rank plugins by prefer=, or disable one."
            )
        return first

    def _unknown(self, kind: type[Record], words: tuple[str, ...], asked: str, plugin: str | None) -> str:
        known = {"/".join(word for word in identity if word): None for identity in self._index[kind.kind]}
        where = f" from the plugin {plugin!r}" if plugin else ""
        if not known:
            hint = (
                f"; no plugin brings any. Install one, such as {_BRINGS[kind.kind]}, or state the {kind.kind} yourself"
            )
        else:
            hint = suggest(asked, known) or suggest(words[1] if len(words) > 1 else asked, _by_word(known))
        broken = [str(report) for report in self.plugins if report.status != "ok"]
        ailing = f". Not everything was loaded: {'; '.join(broken)}" if broken else ""
        return f"no {kind.kind} {asked!r}{where}{hint}{ailing}"


def _by_word(known: Iterable[str]) -> list[str]:
    return sorted({part for title in known for part in title.split("/")[1:2]})


def _from(record: Record, plugin: str | None) -> bool:
    return plugin is None or (record.origin is not None and record.origin.plugin == plugin)


def _folded(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.casefold().replace(" ", "-").replace("_", "-") for word in words)


def _other_words(record: Record) -> list[tuple[str, ...]]:
    """Give the other words under which a record may be asked for."""
    identity = record.identity
    place = 1 if isinstance(record, TokenPrice) else 0
    names = [*getattr(record, "aliases", ()), identity[place]]
    words = [(*identity[:place], name, *identity[place + 1 :]) for name in names]
    return [*words, *(_folded(one) for one in words)]


def _not_in_force(kind: type[Record], asked: str, found: Sequence[Record], on: date) -> str:
    periods = "; ".join(
        f"{record.period} in {record.origin or record.source.title}" for record in sorted(found, key=_start_of)
    )
    return f"no {kind.kind} {asked!r} in force on {on}: known periods are {periods}. Pass another on=, or add a row."


def _start_of(record: Record) -> date:
    return record.period.start or date.min
