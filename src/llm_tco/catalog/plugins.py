"""Loading plugins, each on its own, so that a broken one harms no other and is never silent."""

from __future__ import annotations

import functools
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import importlib_metadata
import pluggy

from llm_tco.catalog import hookspecs
from llm_tco.catalog.catalog import Catalog, PluginReport, plain_name
from llm_tco.catalog.checks import Problem, check_periods, check_record, name_of
from llm_tco.catalog.guards import misfit, shown
from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.hookspecs import PROJECT
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.needs import MemoryClaim, ModelScore, QuantisationLoss, TaskNeed
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.records import Origin, Record
from llm_tco.catalog.tariffs import ServicePrice, Tariff
from llm_tco.errors import InvalidValueError, suggest

DISABLED_VARIABLE: Final = "LLM_TCO_DISABLED_PLUGINS"
"""Environment variable: names of plugins to leave out, separated by commas."""

HOOKS: Final[Mapping[str, type[Record]]] = {
    "llm_tco_gpus": Gpu,
    "llm_tco_servers": Server,
    "llm_tco_models": Model,
    "llm_tco_price_sheets": TokenPrice,
    "llm_tco_tariffs": Tariff,
    "llm_tco_service_prices": ServicePrice,
    "llm_tco_throughputs": Throughput,
    "llm_tco_model_scores": ModelScore,
    "llm_tco_quantisation_losses": QuantisationLoss,
    "llm_tco_task_needs": TaskNeed,
    "llm_tco_memory_claims": MemoryClaim,
}
COMPONENTS: Final = "llm_tco_components"
"""The hook that returns component classes in the place of records."""

MAX_RECORDS: Final = 1_000_000
"""Most records that a hook may return: a generator that never ends would take the program with it."""

_MARK: Final = f"{PROJECT}_impl"
"""What `hookimpl` leaves on a function."""

_OWN_TYPES: Final = "Return the library's own types, each field as it says."

_UNKNOWN: Final = "unknown"
"""Stands for the name of a distribution whose metadata state none."""


@attrs.define
class Loaded:
    """What one plugin brought.

    Attributes:
        report: How its loading went.
        records: Its usable records.
        refused: Its records that failed a check and were left out.
        components: Its component classes.
        problems: What is wrong with it.
    """

    report: PluginReport
    records: list[Record] = attrs.field(factory=list)
    refused: list[Record] = attrs.field(factory=list)
    components: list[type] = attrs.field(factory=list)
    problems: list[Problem] = attrs.field(factory=list)

    def add(self, where: str, what: str, mend: str) -> None:
        """Note a problem of the loading itself."""
        self.problems.append(Problem(check="loads", where=where, what=what, mend=mend))

    def done(self, hooks: Sequence[str] = ()) -> Loaded:
        """Write the report."""
        counts = Counter(record.kind for record in self.records)
        if self.components:
            counts["component"] = len(self.components)
        self.report = attrs.evolve(
            self.report,
            status="broken" if self.problems else "ok",
            problems=tuple(str(problem) for problem in self.problems),
            hooks=tuple(hooks),
            records=tuple(sorted(counts.items())),
        )
        return self


def load_catalog(
    *,
    disable: Iterable[str] = (),
    prefer: Sequence[str] = (),
    extra: Iterable[Record] = (),
    strict: bool = False,
) -> Catalog:
    """Load every installed plugin and index what they bring.

    Args:
        disable: Names of plugins to leave out, beside those that the environment variable
            `LLM_TCO_DISABLED_PLUGINS` names.
        prefer: Names of plugins whose records win over others of equal authority.
        extra: Records to add.
        strict: Whether to raise where a plugin is broken, instead of reporting it.

    Returns:
        A catalog; its `plugins` say how the loading went.

    Raises:
        InvalidValueError: A name in `disable` is that of no plugin. In the environment variable,
            which may be set for several environments, such a name has no effect.
        ImportError: With `strict`, where a plugin is broken.
    """
    disable = (disable,) if isinstance(disable, str) else tuple(disable)
    named = os.environ.get(DISABLED_VARIABLE, "").split(",")
    loaded = load_all(frozenset(plain_name(name) for name in (*disable, *named) if name.strip()))
    known = {plain_name(name): name for one in loaded for name in (one.report.name, one.report.distribution)}
    for name in disable:
        if plain_name(name) not in known:
            near = suggest(name, sorted(set(known.values())))
            raise InvalidValueError("disable", f"must name installed plugins, got {name!r}{near}")
    broken = [str(one.report) for one in loaded if one.report.status == "broken"]
    if strict and broken:
        raise ImportError("; ".join(broken))
    return Catalog(
        (*(record for one in loaded for record in one.records), *extra),
        components=[kind for one in loaded for kind in one.components],
        plugins=[one.report for one in loaded],
        prefer=prefer,
    )


@functools.cache
def load_all(disabled: frozenset[str] = frozenset()) -> tuple[Loaded, ...]:
    """Load the plugins once a process: hooks are pure.

    Args:
        disabled: Names to leave out, in small letters and with hyphens.
    """
    points, unreadable = entry_points()
    return (*(load(point, disabled) for point in points), *unreadable)


def entry_points() -> tuple[list[importlib_metadata.EntryPoint], list[Loaded]]:
    """List the entry points of plugins in a fixed order, and the distributions whose list cannot be read."""
    try:
        return sorted(importlib_metadata.entry_points(group=PROJECT), key=_order), []
    except Exception:  # noqa: BLE001 - one damaged file anywhere: it is found, reported and passed over
        return _entry_points_one_by_one()


def _entry_points_one_by_one() -> tuple[list[importlib_metadata.EntryPoint], list[Loaded]]:
    points: dict[tuple[str, str, str], importlib_metadata.EntryPoint] = {}
    unreadable: list[Loaded] = []
    seen: set[str] = set()
    for found in importlib_metadata.distributions():
        name = _name(found)
        if name != _UNKNOWN and plain_name(name) in seen:
            continue  # further down the path, and hidden by the first of its name
        seen.add(plain_name(name))
        try:
            points |= {_order(point): point for point in found.entry_points.select(group=PROJECT)}
        except Exception as error:  # noqa: BLE001 - whatever the damage is
            one = Loaded(PluginReport(name=name, distribution=name, version="", status="broken"))
            one.add("entry_points.txt", f"cannot be read: {_text(error)}", "Install the distribution anew.")
            unreadable.append(one.done())
    return [points[key] for key in sorted(points)], unreadable


def _order(point: importlib_metadata.EntryPoint) -> tuple[str, str, str]:
    return (distribution_of(point)[0], point.name, point.value)


def distribution_of(point: importlib_metadata.EntryPoint) -> tuple[str, str]:
    """Give the name and the version of the distribution that an entry point belongs to."""
    if point.dist is None:
        return _UNKNOWN, ""
    try:
        version = point.dist.version
    except Exception:  # noqa: BLE001 - metadata may be damaged in any way
        version = ""
    return _name(point.dist), version if isinstance(version, str) else ""


def _name(distribution: Any) -> str:
    try:
        name = distribution.name
    except Exception:  # noqa: BLE001 - as above
        return _UNKNOWN
    return name if isinstance(name, str) and name else _UNKNOWN


def is_called(point: importlib_metadata.EntryPoint, names: Iterable[str]) -> bool:
    """Say whether one of some names is that of an entry point or of its distribution."""
    return not {plain_name(point.name), plain_name(distribution_of(point)[0])}.isdisjoint(map(plain_name, names))


def load(point: importlib_metadata.EntryPoint, disabled: Iterable[str] = ()) -> Loaded:
    """Import one plugin and collect what it brings; whatever happens is in its report."""
    distribution, version = distribution_of(point)
    report = PluginReport(name=point.name, distribution=distribution, version=version, status="ok")
    if is_called(point, disabled):
        return Loaded(attrs.evolve(report, status="disabled"))
    try:
        plugin = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a plugin raises is reported, panics of extensions too
        broken = Loaded(report)
        mend = f"Reinstall it or ask its author; until then, disable it: {DISABLED_VARIABLE}={point.name}."
        broken.add(f"the entry point {point.name!r}", f"cannot be imported: {_text(error)}", mend)
        return broken.done()
    return collect(plugin, report)


def collect(plugin: object, report: PluginReport) -> Loaded:
    """Register one plugin by itself, call each of its hooks by itself, and check what they return."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    loaded = Loaded(report)
    try:
        manager.register(plugin, name=report.name)
        _check_names(plugin, manager, loaded)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - see above
        loaded.add("a hook", f"does not fit: {_text(error)}", "Hooks take no arguments.")
    origin = Origin(plugin=report.distribution, version=report.version)
    hooks = [name for name in (*HOOKS, COMPONENTS) if getattr(manager.hook, name).get_hookimpls()]
    for name in hooks:
        try:
            items = [item for result in getattr(manager.hook, name)() for item in _items(result)]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - see above
            mend = "A hook takes nothing and returns a list of records."
            loaded.add(name, f"failed: {_text(error)}", mend)
            continue
        for item in items:
            _take(loaded, name, item, origin)
    loaded.problems += check_periods(loaded.records)
    return loaded.done(hooks)


def _check_names(plugin: object, manager: pluggy.PluginManager, loaded: Loaded) -> None:
    """Find hooks that pluggy would pass over in silence: misspelt ones, and those without their mark."""
    known = (*HOOKS, COMPONENTS)
    for name, hook in sorted(vars(manager.hook).items()):
        if isinstance(hook, pluggy.HookCaller) and not hook.has_spec():
            loaded.add(name, f"is the name of no hook{suggest(name, known)}", "Rename the function.")
    for name in known:
        function = getattr(plugin, name, None)
        if callable(function) and not hasattr(function, _MARK):
            loaded.add(name, "has no mark and is never called", "Put @hookimpl of llm_tco above it.")


def _items(result: Any) -> list[Any]:
    """List what one hook returned."""
    if isinstance(result, (str, bytes, Mapping, Record)):
        raise TypeError(f"it returned a {type(result).__name__}, not a list of records: {shown(result)}")
    items = list(itertools.islice(result, MAX_RECORDS + 1))
    if len(items) > MAX_RECORDS:
        raise OverflowError(f"it returned more than {MAX_RECORDS:,} records")
    return items


def _take(loaded: Loaded, hook: str, item: Any, origin: Origin) -> None:
    """Keep what a hook returned, or say what is wrong with it."""
    if hook == COMPONENTS:
        if not (isinstance(item, type) and isinstance(getattr(item, "kind", None), str)):
            what, mend = "no component class with a kind", "Return classes with a class variable kind, a text."
        elif not attrs.has(item) or not callable(getattr(item, "cost", None)) or issubclass(item, Record):
            what, mend = "no attrs class with a method cost(demand)", "See the page on writing a component."
        else:
            loaded.components.append(item)
            return
        loaded.add(hook, f"returned {shown(item)}, which is {what}", mend)
    elif type(item) is not HOOKS[hook]:  # a type of its own could answer otherwise later, and no lock would hold it
        wanted = HOOKS[hook].__name__
        loaded.add(hook, f"returned {shown(item)}, which is no {wanted}", f"Return records of the type {wanted}.")
    else:
        _check(loaded, hook, item, origin)


def _check(loaded: Loaded, hook: str, item: Record, origin: Origin) -> None:
    """Keep a record that passes, and leave one out that does not."""
    try:
        record = attrs.evolve(item, origin=origin)
        wrong = misfit(record)
        found = [] if wrong else check_record(record)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a type of its own may do anything
        loaded.add(hook, f"returned a record that cannot be read: {_text(error)}", _OWN_TYPES)
        return
    if wrong:
        loaded.add(hook, f"returned {_title(record)}, which is left out: its {wrong}", _OWN_TYPES)
        return
    (loaded.refused if found else loaded.records).append(record)
    loaded.problems += [attrs.evolve(one, mend=f"{name_of(record)} is left out. {one.mend}") for one in found]


def _title(record: Record) -> str:
    """Name a record whose words may be anything."""
    try:
        return name_of(record)
    except Exception:  # noqa: BLE001 - a field holds something else than its type says
        return f"a {type(record).__name__}"


def _text(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    except Exception:  # noqa: BLE001 - as above
        return type(error).__name__
