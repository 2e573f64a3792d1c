"""Looking records up: by their words and by date, with authority and without guessing."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TypeVar

import attrs

from llm_tco.catalog.checks import differences, folded, other_words, overlap, rank, shown
from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.prices import STANDARD, TokenPrice
from llm_tco.catalog.records import Period, Record
from llm_tco.catalog.tariffs import ServicePrice, Tariff
from llm_tco.errors import ConflictingRecordsError, NotInForceError, UnknownRecordError, ended, suggest

R = TypeVar("R", bound=Record)


_FEW = 3
"""Problems of one plugin that its text shows; the report holds all of them."""


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
        reasons = f": {'; '.join(self.problems[:_FEW])}" if self.problems else ""
        more = f"; and {len(self.problems) - _FEW} more" if len(self.problems) > _FEW else ""
        return f"{self.distribution} {self.version} is {self.status}{reasons}{more}"


_BRINGS = {
    "gpu": "llm-tco-accelerators",
    "server": "llm-tco-reference",
    "model": "llm-tco-reference",
    "price": "llm-tco-genai-prices",
    "tariff": "llm-tco-reference",
    "service_price": "llm-tco-reference",
    "throughput": "llm-tco-reference",
    "model_score": "llm-tco-reference",
    "quantisation_loss": "llm-tco-reference",
    "task_need": "llm-tco-reference",
    "memory_claim": "llm-tco-reference",
}
"""The plugins of this project that bring each kind of record."""


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
        self._merges: dict[tuple[int, ...], Record] = {}
        self._index: dict[str, dict[tuple[str, ...], list[Record]]] = defaultdict(lambda: defaultdict(list))
        for record in self.records:
            self._index[record.kind][record.identity].append(record)
        self._aliases: dict[str, dict[tuple[str, ...], set[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(set))
        for record in self.records:
            for words in other_words(record):
                if words != record.identity:
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
            places = " and ".join(sorted(f"{one.__module__}.{one.__qualname__}" for one in found))
            raise ConflictingRecordsError(f"{kind!r} is brought by several plugins: {places}. Disable one of them.")
        return found[0]

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """List the records of a kind."""
        return tuple(record for record in self.records if isinstance(record, kind))

    def record(self, kind: type[R], *words: str, on: date | None = None, plugin: str | None = None) -> R:
        """Look a record of any kind up by all the words of its identity, or another name, in any spelling.

        Args:
            kind: Kind of record, such as `TaskNeed`.
            words: The words, in the order of `identity`; empty where the record leaves one open.
            on: Only a record that holds on this day; without it, any.
            plugin: Only the records of this plugin.

        Raises:
            UnknownRecordError: No plugin brings it.
            NotInForceError: None of the records holds on that day.
            ConflictingRecordsError: Plugins of equal authority disagree.
        """
        return self._find(kind, folded(words), on=on, plugin=plugin, asked="/".join(filter(None, words)))

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
        region: str | None = None,
        plugin: str | None = None,
    ) -> TokenPrice:
        """Look up what an API charges on a day.

        Args:
            provider: Who sells it.
            model: Name of the model there, or an alias.
            on: The day, or a moment with its time zone, which is a day in the vendor's.
            variant: Such as `"batch"`.
            region: Where the price differs by it; without one, the price that names none,
                or the only region that there is.
            plugin: Only the records of this plugin.

        Raises:
            UnknownRecordError: No plugin brings such a price, or there are several regions.
            NotInForceError: None of the prices holds on that day.
            ConflictingRecordsError: Plugins of equal authority disagree.
        """
        words = self._price_words(provider, model, variant, region, plugin)
        return self._find(TokenPrice, words, on=on, plugin=plugin)

    def prices(
        self,
        provider: str,
        model: str,
        *,
        variant: str = STANDARD,
        region: str | None = None,
        plugin: str | None = None,
    ) -> tuple[TokenPrice, ...]:
        """Look up what an API charged, charges and is known to charge: a path of prices.

        Args:
            provider: Who sells it.
            model: Name of the model there, or an alias.
            variant: Such as `"batch"`.
            region: See `price`.
            plugin: Only the records of this plugin.

        Returns:
            The rows in the order of their periods, which do not overlap: at each time the
            one that `price` gives, its period cut to where it does so.

        Raises:
            UnknownRecordError: No plugin brings such a price, or there are several regions.
            ConflictingRecordsError: Plugins of equal authority disagree.
        """
        words = self._price_words(provider, model, variant, region, plugin)
        rows = self._lookup(TokenPrice, words, plugin=plugin)
        if not rows:
            raise UnknownRecordError(self._unknown(TokenPrice, words, "/".join(filter(None, words)), plugin))
        bounds = {bound for row in rows for bound in (row.period.start, row.period.end) if bound is not None}
        edges = [None, *sorted(bounds), None]
        path: list[TokenPrice] = []
        for start, end in itertools.pairwise(edges):
            day = start or (end - timedelta(days=1) if end else date.min)
            held = [row for row in rows if row.period.covers(day)]
            if not held:
                continue
            chosen = self._choose(held, f"price {rows[0].title} on {day}")
            last = path[-1] if path else None
            if last is not None and last.period.end == start and _same_row(last, chosen):
                path[-1] = attrs.evolve(last, period=Period(start=last.period.start, end=end))
            else:
                path.append(attrs.evolve(chosen, period=Period(start=start, end=end)))
        return tuple(path)

    def _price_words(
        self, provider: str, model: str, variant: str, region: str | None, plugin: str | None
    ) -> tuple[str, ...]:
        """Complete the words of a price by its region, and refuse a variant that is not there."""
        index = self._index[TokenPrice.kind]
        words = (provider, model, variant, region or "")
        if words in index and plugin is None:
            return words
        variants, regions = self._offers(provider, model, variant, plugin)
        if variants and variant not in variants:
            raise UnknownRecordError(
                f"no price '{provider}/{model}/{variant}'; its variants are {', '.join(variants)}"
                f"{suggest(variant, variants, limit=1)}"
            )
        if region is not None or not regions or "" in regions:
            return words
        if len(regions) > 1:
            raise UnknownRecordError(
                f"the price '{provider}/{model}' ({variant}) differs by region: {', '.join(regions)}. "
                "Name one by region=."
            )
        return (*words[:3], regions[0])

    def _offers(
        self, provider: str, model: str, variant: str, plugin: str | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Give the variants of a model, and the regions of one of them, under any spelling of its name."""
        index, aliases = self._index[TokenPrice.kind], self._aliases[TokenPrice.kind]
        for table, spelling in itertools.product(
            ({words: {words} for words in index}, aliases), ((provider, model), folded((provider, model)))
        ):
            found = {
                words: None
                for words, identities in table.items()
                if words[:2] == spelling
                and any(_from(record, plugin) for identity in identities for record in index[identity])
            }
            if found:
                variants = tuple(sorted({words[2] for words in found}))
                return variants, tuple(sorted(words[3] for words in found if words[2] == variant))
        return (), ()

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

    def _find(
        self,
        kind: type[R],
        words: tuple[str, ...],
        *,
        on: date | None = None,
        plugin: str | None = None,
        asked: str = "",
    ) -> R:
        found = self._lookup(kind, words, on=on, plugin=plugin)
        asked = asked or "/".join(word for word in words if word)
        if not found:
            raise UnknownRecordError(self._unknown(kind, words, asked, plugin))
        if on is not None:
            in_force = [record for record in found if _holds(record, on)]
            if not in_force:
                raise NotInForceError(_not_in_force(kind, asked, found, on))
            found = in_force
        return self._choose(found, f"{kind.kind} {asked}")

    def _lookup(
        self, kind: type[R], words: tuple[str, ...], *, on: date | None = None, plugin: str | None = None
    ) -> list[R]:
        """Give the records that words name: as they are, or as another name of a record of higher authority."""
        index, aliases = self._index[kind.kind], self._aliases[kind.kind]
        for spelling in (words, folded(words)):
            meant = {spelling, *aliases.get(spelling, ())} if spelling in index else aliases.get(spelling, set())
            every = {identity: [one for one in index[identity] if _from(one, plugin)] for identity in meant}
            every = {identity: records for identity, records in every.items() if records}
            held = {name: rows for name, rows in every.items() if on is None or any(_holds(row, on) for row in rows)}
            found = held or every
            best = min((rank(record) for records in found.values() for record in records), default=None)
            leading = {name: rows for name, rows in found.items() if any(rank(row) == best for row in rows)}
            if spelling in leading:
                leading = {spelling: leading[spelling]}
            if len(leading) > 1:
                names = ", ".join(sorted("/".join(word for word in one if word) for one in leading))
                raise ConflictingRecordsError(
                    f"{'/'.join(words)} is another name of several: {names}. Ask for one of them."
                )
            if leading:
                return list(*leading.values())
        return []

    def _choose(self, found: Sequence[R], asked: str) -> R:
        best = min(rank(record) for record in found)
        leading = [record for record in found if rank(record) == best]
        for plugin in self.prefer:
            preferred = [record for record in leading if _from(record, plugin)]
            if preferred:
                leading = preferred
                break
        if len(leading) > 1:
            leading.sort(key=_place)  # so that neither the answer nor the error depends on who came first
            different = differences(leading)
            if different:
                raise ConflictingRecordsError(_conflict(asked, leading, different))
        return self._merged(leading)

    def _merged(self, equal: Sequence[R]) -> R:
        """Give one record for several equal ones, the same whenever it is asked for; it keeps all sources."""
        first, *rest = equal
        also = tuple(dict.fromkeys(record.source for record in rest if record.source != first.source))
        if not also:
            return first
        key = tuple(id(record) for record in equal)
        if key not in self._merges:
            self._merges[key] = attrs.evolve(first, also=also)
        return self._merges[key]  # type: ignore[return-value]  # made of the same records

    def superseded(self, record: Record) -> tuple[Record, ...]:
        """Give the records of lower authority that a record wins over: the same words, and days in common."""
        same = self._index[record.kind][record.identity]
        return tuple(one for one in same if rank(one) > rank(record) and overlap(one, record))

    def _unknown(self, kind: type[Record], words: tuple[str, ...], asked: str, plugin: str | None) -> str:
        known = sorted({"/".join(word for word in identity if word) for identity in self._index[kind.kind]})
        where = f" from the plugin {plugin!r}" if plugin else ""
        if not known:
            hint = (
                f"; no plugin brings any. Install one, such as {_BRINGS[kind.kind]}, or state the {kind.kind} yourself"
            )
        elif kind is TokenPrice and words[0] not in {identity[0] for identity in self._index[kind.kind]}:
            hint = (
                f"{ended(suggest(asked, known))} No plugin brings prices of {words[0]!r}: install one that does, by convention "
                f"llm-tco-{words[0]}, or state the price yourself"
            )
        else:
            hint = suggest(asked, known) or suggest(words[1] if len(words) > 1 else asked, _by_word(known))
        broken = [str(report) for report in self.plugins if report.status != "ok"]
        text = f"no {kind.kind} {asked!r}{where}{hint}"
        return f"{ended(text)} Not everything was loaded: {'; '.join(broken)}" if broken else text


def _holds(record: Record, on: date) -> bool:
    return record.holds_on(on) if isinstance(record, TokenPrice) else record.period.covers(on)


def _same_row(one: TokenPrice, other: TokenPrice) -> bool:
    return attrs.evolve(one, period=other.period) == other and one.origin == other.origin


def _by_word(known: Iterable[str]) -> list[str]:
    return sorted({part for title in known for part in title.split("/")[1:2]})


def _from(record: Record, plugin: str | None) -> bool:
    return plugin is None or (record.origin is not None and record.origin.plugin == plugin)


def _place(record: Record) -> tuple[str, str, str]:
    return str(record.origin or ""), str(record.source), str(record.period)


def _conflict(asked: str, leading: Sequence[Record], different: Sequence[str]) -> str:
    """Name who states what, and the ways out."""
    lines = "\n".join(
        f"  {record.origin or 'unknown origin'}: "
        f"{', '.join(f'{name} {shown(getattr(record, name))}' for name in different)}, from {record.source}"
        for record in leading
    )
    return (
        f"{len(leading)} records of equal authority state {asked} differently:\n{lines}\n"
        "Name one by plugin=, rank plugins by prefer=, or disable one."
    )


def _not_in_force(kind: type[Record], asked: str, found: Sequence[Record], on: date) -> str:
    periods = "; ".join(
        f"{record.period} in {record.origin or record.source.title}"
        for record in sorted(found, key=lambda one: (_start_of(one), _place(one)))
    )
    return f"no {kind.kind} {asked!r} in force on {on}: known periods are {periods}. Pass another on=, or add a row."


def _start_of(record: Record) -> date:
    return record.period.start or date.min
