"""Caches and routers within options: each is found where it stands, and looked at on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, is_a
from llm_tco.analysis.caches import CacheCase, cache_case
from llm_tco.analysis.compare import Comparison, Option
from llm_tco.analysis.mixes import Answers, answers_of
from llm_tco.components.base import Component, Composable, Stack
from llm_tco.components.cache import SemanticCache
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import summed
from llm_tco.ledger import Ledger
from llm_tco.serving.fleet import Fleet

WITH: Final = "with the cache"
WITHOUT: Final = "without the cache"

_OWN: Final = "<this cache>"
"""Name of a cache while it is looked at, so that no other line begins with it."""
_ASKED, _HITS, _WRONG = "requests asked", "hits", "wrong hits"


def parts_of(component: Component) -> dict[str, Component]:
    """Find every component within one, itself included.

    Returns:
        Components by path: the names on the way to each, joined by dots. An object that
        stands in several places is listed at the first.
    """
    found: dict[str, Component] = {}
    for path, value in _walk(component, (), set()):
        if isinstance(value, Component):
            found.setdefault(".".join(path), value)
    return found


def _walk(value: object, path: tuple[str, ...], seen: set[int]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Visit every record within a value once, with the names on the way to it."""
    if id(value) in seen:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(item, (*path, str(key)), seen)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _walk(item, path, seen)
    elif attrs.has(type(value)):
        seen.add(id(value))
        if isinstance(value, Component) and not isinstance(value, Stack):
            path = (*path, value.name)
        yield path, value
        for name in _fields(value):
            yield from _walk(getattr(value, name), path, seen)


def fleets_in(component: Component) -> dict[str, Fleet]:
    """Find every fleet that a component reads, by name; of several of one name the first."""
    found: dict[str, Fleet] = {}
    for _, value in _walk(component, (), set()):
        if isinstance(value, Fleet):
            found.setdefault(value.name, value)
    return found


def with_servers(component: Component, counts: Mapping[str, Sequence[int]]) -> list[Component]:
    """Make a component anew for each number of servers of its fleets: what an optimiser chooses from.

    Args:
        component: The component.
        counts: Numbers of servers by the name of a fleet; names that it does not read are left aside.

    Returns:
        One component for each combination, in the order of the numbers.
    """
    made = [component]
    for name, fleet in fleets_in(component).items():
        if name in counts:
            sizes = [attrs.evolve(fleet, count=count) for count in counts[name]]
            made = [replaced(one, fleet, size) for one in made for size in sizes]
    return made


def caches_in(component: Component) -> dict[str, Component]:
    """Find every cache within a component, by path: what has a hit rate, a name and something behind it."""
    return {path: part for path, part in parts_of(component).items() if _is_cache(part)}


def _is_cache(part: Component) -> bool:
    return {"hit_rate", "inner", "name"} <= _fields(part).keys() and isinstance(getattr(part, "inner", None), Component)


def _fields(value: object) -> dict[str, attrs.Attribute[Any]]:
    kind: Any = type(value)
    return attrs.fields_dict(kind) if attrs.has(kind) else {}


def routers_in(component: Component) -> dict[str, Component]:
    """Find every router within a component, by path: what has routes and says which requests take each."""
    return {
        path: part for path, part in parts_of(component).items() if hasattr(part, "routes") and hasattr(part, "parts")
    }


def replaced(whole: Component, part: object, by: object) -> Component:
    """Put another component, or fleet, in the place of a part, wherever that object stands.

    What does not hold the part stays the same object, and what holds it becomes one new
    object wherever it stands, so that one fleet remains one fleet.
    """
    made: dict[int, Any] = {id(part): by}

    def new(value: Any) -> Any:
        if id(value) not in made:
            made[id(value)] = _rebuilt(value, new)
        return made[id(value)]

    changed: Component = new(whole)
    return changed


def _rebuilt(value: Any, new: Callable[[Any], Any]) -> Any:
    if isinstance(value, Mapping):
        items = {key: new(item) for key, item in value.items()}
        return value if all(items[key] is item for key, item in value.items()) else items
    if isinstance(value, (tuple, list)):
        parts = [new(item) for item in value]
        return value if all(one is other for one, other in zip(parts, value, strict=True)) else type(value)(parts)
    if not attrs.has(type(value)):
        return value
    fields = [field for field in attrs.fields(type(value)) if field.init]
    pairs = {field.alias or field.name: getattr(value, field.name) for field in fields}
    changes = {name: new(item) for name, item in pairs.items() if new(item) is not item}
    return attrs.evolve(value, **changes) if changes else value


@attrs.frozen(eq=False, kw_only=True)
class PlacedCache(Composable):
    """An option seen as one of the caches within it, so that this one's hit rate can be varied.

    Attributes:
        whole: The option.
        cache: The cache in it.
        hit_rate: Hit rate of the cache.
    """

    whole: Component = attrs.field(validator=is_a(Component))
    cache: Component = attrs.field(validator=is_a(Component))
    hit_rate: Number

    @property
    def name(self) -> str:
        """First step of the paths of the cache's own lines."""
        return _OWN

    def cost(self, demand: Demand) -> Ledger:
        """Say what the option costs; the cache's own lines come to the top."""
        cache: Any = self.cache
        ledger = replaced(self.whole, self.cache, attrs.evolve(cache, hit_rate=self.hit_rate, name=_OWN)).cost(demand)
        lines = [
            attrs.evolve(line, path=line.path[line.path.index(_OWN) :]) if _OWN in line.path else line
            for line in ledger.lines
        ]
        return attrs.evolve(ledger, lines=tuple(lines))


@attrs.frozen(eq=False)
class _Counts(Composable):
    """Counts beside a semantic cache: requests that reach it, hits, wrong ones."""

    kind: ClassVar[str] = "counts"

    cache: SemanticCache

    @property
    def name(self) -> str:
        return "counts"

    def cost(self, demand: Demand) -> Ledger:
        hits = self.cache.hit_rates(demand)
        wrong = hits - hits * np.asarray(self.cache.precision)
        counts = {_ASKED: demand, _HITS: demand.hits(hits), _WRONG: demand.hits(wrong)}
        lines = [self.line("requests", unit, part.requests, item=unit) for unit, part in counts.items()]
        return Ledger(timeline=demand.timeline, lines=tuple(lines), rising=True)


@attrs.frozen(kw_only=True)
class PlacedCase:
    """The case for one cache of an option.

    Attributes:
        option: The option.
        path: Names on the way to the cache.
        kind: What kind of component it is.
        hit_rate: Its hit rate, as stated.
        case: What it saves, against the same option without it.
        answers: Quality and latency of the option with it.
        answers_without: The same without it.
        asked: Requests that reach a semantic cache over the horizon; None for another cache.
        hits: Those that it answers.
        wrong_hits: Those that it answers wrongly.
        wrong_hit: What follows a wrong hit: `"asked_again"` or `"accepted"`.
    """

    option: str
    path: str
    kind: str
    hit_rate: float
    case: CacheCase
    answers: Answers
    answers_without: Answers
    asked: float | None
    hits: float | None
    wrong_hits: float | None
    wrong_hit: str | None


def cache_cases(comparison: Comparison, option: str) -> tuple[PlacedCase, ...]:
    """Hold an option against itself without one of its caches, for each of them.

    Raises:
        InfeasibleError: The option holds draws.
    """
    chosen = comparison[option]
    return tuple(_placed_case(comparison, chosen, path, cache) for path, cache in caches_in(chosen.component).items())


def _placed_case(comparison: Comparison, option: Option, path: str, cache: Any) -> PlacedCase:
    ways: dict[str, Component] = {
        WITH: PlacedCache(whole=option.component, cache=cache, hit_rate=cache.hit_rate),
        WITHOUT: replaced(option.component, cache, cache.inner),
    }
    pair = attrs.evolve(comparison, options={name: _option(option, name, way) for name, way in ways.items()})
    case = cache_case(pair, WITH, instead_of=WITHOUT)
    counts = _counted(option, cache)
    return PlacedCase(
        option=option.name,
        path=path,
        kind=getattr(cache, "kind", type(cache).__name__),
        hit_rate=float(cache.hit_rate),
        case=case,
        answers=answers_of(pair[WITH]),
        answers_without=answers_of(pair[WITHOUT]),
        asked=counts.get(_ASKED),
        hits=counts.get(_HITS),
        wrong_hits=counts.get(_WRONG),
        wrong_hit=cache.wrong_hit if counts else None,
    )


def _option(of: Option, name: str, component: Component, demand: Demand | None = None) -> Option:
    asked = of.demand if demand is None else demand
    return Option(
        name=name, component=component, demand=asked, terms=of.terms, ledger=of.terms.ledger(component, asked)
    )


def _counted(option: Option, cache: Component) -> dict[str, float]:
    """Count what reaches a semantic cache, by lines of quantities that travel up with its ledger."""
    if not isinstance(cache, SemanticCache):
        return {}
    ledger = replaced(option.component, cache, Stack((cache, _Counts(cache)))).cost(option.demand)
    return {unit: _total(ledger.amounts(unit)) for unit in (_ASKED, _HITS, _WRONG)}


def _total(amounts: FloatArray) -> float:
    return float(summed(amounts))


@attrs.frozen(eq=False)
class _Probe(Composable):
    """Remembers the demands that a component is asked to carry."""

    inner: Component
    seen: list[Demand]

    @property
    def name(self) -> str:
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        self.seen.append(demand)
        return self.inner.cost(demand)


def demand_at(whole: Component, part: Component, demand: Demand) -> Demand:
    """Say which demand reaches a part of a component.

    Where a part is asked several times, such as behind a cache that repeats its answers,
    the first demand is the one that it is paid for.

    Raises:
        InvalidValueError: The part is asked nothing.
    """
    seen: list[Demand] = []
    replaced(whole, part, _Probe(part, seen)).cost(demand)
    if not seen:
        raise InvalidValueError("part", f"{part.name!r} is never asked")
    return seen[0]


def router_views(comparison: Comparison, option: str) -> Iterator[tuple[str, Comparison]]:
    """Look at each router of an option on the requests that reach it.

    Yields:
        The path of a router within the option, and a comparison that holds that router
        alone under that path, for the functions of `llm_tco.analysis.mixes`.
    """
    chosen = comparison[option]
    for path, router in routers_in(chosen.component).items():
        seen = demand_at(chosen.component, router, chosen.demand)
        yield path, attrs.evolve(comparison, options={path: _option(chosen, path, router, seen)})
