"""A kit for testing code that builds on llm_tco: checks of plugins, laws, and strategies for its types.

It needs hypothesis and pytest, which the extra `testing` brings. Each name is
imported when it is first used, so that strategies need no pytest and `check_plugin` needs neither.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llm_tco.catalog.conformance import check_plugin
    from llm_tco.testing.conformance import PluginConformance

__all__ = ["PluginConformance", "check_plugin"]

_HOMES = {"PluginConformance": "llm_tco.testing.conformance", "check_plugin": "llm_tco.catalog.conformance"}


def __getattr__(name: str) -> object:
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
