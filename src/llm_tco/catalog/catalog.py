"""Looking records up: by their words and by date, with authority and without guessing."""

from __future__ import annotations

import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

import attrs

from llm_tco.catalog.checks import differences, folded, other_words, overlap, rank
from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.messages import conflict, hint_of, not_in_force, place
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.prices import STANDARD, TokenPrice
from llm_tco.catalog.records import Period, Record
from llm_tco.catalog.tariffs import ServicePrice, Tariff
from llm_tco.errors import (
    ConflictingRecordsError,
    InvalidValueError,
    NotInForceError,
    UnknownRecordError,
    ended,
    suggest,
)

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
                most preferred first; those of their entry points or distributions.
        """
        self.records = tuple(records)
        self.components = tuple(components)
        self.plugins = tuple(plugins)
        self.prefer = (prefer,) if isinstance(prefer, str) else tuple(prefer)
        self._merges: dict[tuple[int, ...], Record] = {}
        self._index: dict[str, dict[tuple[str, ...], list[Record]]] = defaultdict(lambda: defaultdict(list))
        for record in self.records:
            self._index[record.kind][record.identity].append(record)
        self._aliases: dict[str, dict[tuple[str, ...], set[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(set))
        for record in self.records:
            for words in other_words(record):
                if words != record.identity:
                    self._aliases[record.kind][words].add(record.identity)
        self._names: dict[str, dict[tuple[str, ...], set[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(set))
        for record in self.records:
            name: str = getattr(record, "name", "")
            if name and len(record.identity) == 1:
                self._names[record.kind][folded((name,))].add(record.identity)

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
        return self._find(Tariff, (key,), on=day_of(on), plugin=plugin)

    def service_price(self, key: str, *, on: date, plugin: str | None = None) -> ServicePrice:
        """Look up what a service or an hour of work costs; see `price`."""
        return self._find(ServicePrice, (key,), on=day_of(on), plugin=plugin)

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
            plugin: Only the records of this plugin: name of its entry point or distribution.

        Raises:
            InvalidValueError: The day is none.
            UnknownRecordError: No plugin brings such a price, or there are several regions.
            NotInForceError: None of the prices holds on that day.
            ConflictingRecordsError: Plugins of equal authority disagree.
        """
        if not isinstance(on, datetime):  # which is a day where the vendor is
            on = day_of(on)
        plugin = self._distribution(plugin)
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
        plugin = self._distribution(plugin)
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
            chosen = self._choose(held, f"price {rows[0].title}" + (f" on {day}" if bounds else ""))
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
        offers = self._offers(provider, model, plugin)
        variants = tuple(sorted({identity[2] for identity in offers}))
        regions = tuple(sorted(identity[3] for identity in offers if identity[2] == variant))
        if len({identity[:2] for identity in offers}) == 1:
            provider, model, *_ = offers[0]
            words = (provider, model, variant, region or "")
        if variants and variant not in variants:
            near = suggest(variant, variants, limit=1) if len(variants) > 1 else ""
            raise UnknownRecordError(
                f"no price '{provider}/{model}/{variant}'; its variants are {', '.join(variants)}{near}"
            )
        if region and regions and not {region, *folded((region,))} & {*regions, *folded(regions)}:
            own = ", ".join(filter(None, regions))
            there = f"its regions are {own}" if own else "it does not differ by region"
            plain = ". Leave region out for the price that names none" if "" in regions else ""
            raise UnknownRecordError(
                f"no price '{provider}/{model}' ({variant}) in the region {region!r}; {there}{plain}."
            )
        if region is not None or not regions or "" in regions:
            return words
        if len(regions) > 1:
            raise UnknownRecordError(
                f"the price '{provider}/{model}' ({variant}) differs by region: {', '.join(regions)}. "
                "Name one by region=."
            )
        return (*words[:3], regions[0])

    def _offers(self, provider: str, model: str, plugin: str | None) -> list[tuple[str, ...]]:
        """Give the prices of a model under any spelling of its name: one that a single row states is the model's."""
        for table, spelling in itertools.product(self._models, ((provider, model), folded((provider, model)))):
            found = self._brought(table.get(spelling, ()), plugin)
            models = {identity[:2] for identity in found}
            if found:
                return self._brought(self._models[0][models.pop()], plugin) if len(models) == 1 else found
        return []

    def _brought(self, identities: Iterable[tuple[str, ...]], plugin: str | None) -> list[tuple[str, ...]]:
        rows = self._index[TokenPrice.kind]
        return [identity for identity in identities if any(_from(record, plugin) for record in rows[identity])]

    @functools.cached_property
    def _models(self) -> tuple[Mapping[tuple[str, ...], Iterable[tuple[str, ...]]], ...]:
        """The prices of each model, by its own name, and by its other names."""
        own: dict[tuple[str, ...], dict[tuple[str, ...], None]] = defaultdict(dict)
        others: dict[tuple[str, ...], dict[tuple[str, ...], None]] = defaultdict(dict)
        for identity in self._index[TokenPrice.kind]:
            own[identity[:2]][identity] = None
        for words, identities in self._aliases[TokenPrice.kind].items():
            others[words[:2]].update(dict.fromkeys(sorted(identities)))
        return own, others

    def throughput(
        self, gpu: str, model: str, quantisation: str, *, engine: str = "", gpus: int = 1, plugin: str | None = None
    ) -> Throughput:
        """Look a measured throughput up; without an engine, the only one or that of the highest authority.

        Raises:
            UnknownRecordError: Nothing was measured for this combination.
            ConflictingRecordsError: Several engines, or plugins of equal authority, are there.
        """
        plugin = self._distribution(plugin)
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
        if on is not None and not (kind is TokenPrice and isinstance(on, datetime)):
            day_of(on)
        plugin = self._distribution(plugin)
        found = self._lookup(kind, words, on=on, plugin=plugin)
        asked = asked or "/".join(word for word in words if word)
        if not found:
            raise UnknownRecordError(self._unknown(kind, words, asked, plugin))
        if on is not None:
            in_force = [record for record in found if _holds(record, on)]
            if not in_force:
                raise NotInForceError(not_in_force(kind, asked, found, on))
            found = in_force
        return self._choose(found, f"{kind.kind} {asked}")

    @functools.cached_property
    def _named(self) -> Mapping[str, str]:
        """What brings records, by each of its names."""
        origins = {record.origin.plugin for record in self.records if record.origin is not None}
        known = {plain_name(report.name): report.distribution for report in self.plugins}
        return known | {plain_name(name): name for name in (*origins, *(one.distribution for one in self.plugins))}

    def _distribution(self, plugin: str | None) -> str | None:
        """Give the distribution of a plugin by any of its names."""
        if plugin is None:
            return None
        if plain_name(plugin) not in self._named:
            installed = sorted(set(self._named.values()))
            raise UnknownRecordError(
                f"no plugin is called {plugin!r}; there are {', '.join(installed) or 'none'}. Name one of them, or install it"
            )
        return self._named[plain_name(plugin)]

    def _lookup(
        self, kind: type[R], words: tuple[str, ...], *, on: date | None = None, plugin: str | None = None
    ) -> list[R]:
        """Give the records that words name: as they are, or as another name of a record of higher authority.

        A name in full, which is free text, finds a record where neither a key nor another name does.
        """
        index, aliases, named = self._index[kind.kind], self._aliases[kind.kind], self._names[kind.kind]
        for spelling, others in ((words, aliases), (folded(words), aliases), (folded(words), named)):
            meant = {spelling, *others.get(spelling, ())} if spelling in index else others.get(spelling, set())
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
            own = self._named.get(plain_name(plugin), plugin)
            preferred = [record for record in leading if _from(record, own)]
            if preferred:
                leading = preferred
                break
        if len(leading) > 1:
            leading.sort(key=place)  # so that neither the answer nor the error depends on who came first
            different = differences(leading)
            if different:
                raise ConflictingRecordsError(conflict(asked, leading, different))
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
        hint = hint_of(kind, words, asked, known)
        broken = [str(report) for report in self.plugins if report.status != "ok"]
        text = f"no {kind.kind} {asked!r}{where}{hint}"
        return f"{ended(text)} Not everything was loaded: {'; '.join(broken)}" if broken else text


def plain_name(name: str) -> str:
    """Write a name as names of distributions are compared: `Llm_TCO.x` is `llm-tco-x`."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def day_of(on: object) -> date:
    """Take the day of a look-up.

    Raises:
        InvalidValueError: It is none.
    """
    if type(on) is not date:
        raise InvalidValueError("on", f"must be a day such as date(2026, 12, 1), got {on!r}")
    return on


def _holds(record: Record, on: date) -> bool:
    return record.holds_on(on) if isinstance(record, TokenPrice) else record.period.covers(on)


def _same_row(one: TokenPrice, other: TokenPrice) -> bool:
    return attrs.evolve(one, period=other.period) == other and one.origin == other.origin


def _from(record: Record, plugin: str | None) -> bool:
    return plugin is None or (record.origin is not None and record.origin.plugin == plugin)
