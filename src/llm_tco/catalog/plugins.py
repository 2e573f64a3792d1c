"""Loading plugins, each on its own, so that a broken one harms no other and is never silent."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import importlib_metadata
import pluggy

from llm_tco.catalog import hookspecs
from llm_tco.catalog.catalog import Catalog, PluginReport
from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.hookspecs import PROJECT
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.records import Origin, Record
from llm_tco.catalog.tariffs import ServicePrice, Tariff

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
}
_COMPONENTS = "llm_tco_components"


@attrs.define
class _Loaded:
    report: PluginReport
    records: list[Record] = attrs.field(factory=list)
    components: list[type] = attrs.field(factory=list)


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
        ImportError: With `strict`, where a plugin is broken.
    """
    named = os.environ.get(DISABLED_VARIABLE, "").split(",")
    disabled = frozenset(name.strip() for name in (*disable, *named) if name.strip())
    loaded = _load_all(disabled)
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
def _load_all(disabled: frozenset[str]) -> tuple[_Loaded, ...]:
    """Load the plugins once a process: hooks are pure."""
    points = importlib_metadata.entry_points(group=PROJECT)
    return tuple(_load(point, disabled) for point in sorted(points, key=_order))


def _order(point: importlib_metadata.EntryPoint) -> tuple[str, str, str]:
    return (_distribution(point)[0], point.name, point.value)


def _distribution(point: importlib_metadata.EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist is not None else ("unknown", "")


def _load(point: importlib_metadata.EntryPoint, disabled: frozenset[str]) -> _Loaded:
    distribution, version = _distribution(point)
    report = PluginReport(name=point.name, distribution=distribution, version=version, status="ok")
    if disabled & {point.name, distribution}:
        return _Loaded(attrs.evolve(report, status="disabled"))
    try:
        plugin = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises is reported
        return _Loaded(attrs.evolve(report, status="broken", problems=(f"cannot be imported: {_text(error)}",)))
    return collect(plugin, report)


def collect(plugin: object, report: PluginReport) -> _Loaded:
    """Register one plugin by itself, call each of its hooks by itself, and check what they return."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    loaded = _Loaded(report)
    problems: list[str] = []
    hooks: list[str] = []
    try:
        manager.register(plugin, name=report.name)
        manager.check_pending()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
        problems.append(f"has a hook that does not fit: {_text(error)}")
    origin = Origin(plugin=report.distribution, version=report.version)
    for name in (*HOOKS, _COMPONENTS):
        hook = getattr(manager.hook, name)
        if not hook.get_hookimpls():
            continue
        hooks.append(name)
        try:
            items = [item for result in hook() for item in result]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
            problems.append(f"{name} failed: {_text(error)}")
            continue
        for item in items:
            problem = _take(loaded, name, item, origin)
            if problem:
                problems.append(f"{name} returned {problem}")
    counts = Counter(record.kind for record in loaded.records)
    if loaded.components:
        counts["component"] = len(loaded.components)
    loaded.report = attrs.evolve(
        report,
        status="broken" if problems else "ok",
        problems=tuple(problems),
        hooks=tuple(hooks),
        records=tuple(sorted(counts.items())),
    )
    return loaded


def _take(loaded: _Loaded, hook: str, item: Any, origin: Origin) -> str:
    """Keep what a hook returned, or say what is wrong with it."""
    if hook == _COMPONENTS:
        if not (isinstance(item, type) and isinstance(getattr(item, "kind", None), str)):
            return f"{item!r}, which is no component class with a kind"
        if not attrs.has(item) or not callable(getattr(item, "cost", None)):
            return f"{item.__name__}, which is no attrs class with a method cost(demand)"
        loaded.components.append(item)
        return ""
    if not isinstance(item, HOOKS[hook]):
        return f"{item!r}, which is no {HOOKS[hook].__name__}"
    loaded.records.append(attrs.evolve(item, origin=origin))
    return ""


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
