"""What does it really cost to serve an LLM: on own GPUs, on rented ones, through an API, or by a mix?

Importing this package loads nothing but itself: each name is imported when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's constant, whose import would cost more than all of this module
if TYPE_CHECKING:
    from llm_tco.analysis.compare import Comparison, compare
    from llm_tco.catalog.catalog import Catalog
    from llm_tco.catalog.hookspecs import hookimpl
    from llm_tco.catalog.plugins import load_catalog
    from llm_tco.catalog.rates import Usage
    from llm_tco.components.amounts import Monthly, OneOff
    from llm_tco.components.api import ApiUsage
    from llm_tco.components.base import Component, Composable, Delayed, Escalated, Limited, Scaled, Stack
    from llm_tco.components.benefit import Benefit
    from llm_tco.components.cache import SemanticCache
    from llm_tco.components.capital import Purchase
    from llm_tco.components.labour import Labour
    from llm_tco.components.power import Power
    from llm_tco.components.router import Route, Router
    from llm_tco.demand import Demand, Lengths, Workload
    from llm_tco.errors import LlmTcoError
    from llm_tco.financing import FinancialTerms
    from llm_tco.ledger import Ledger
    from llm_tco.lines import Line
    from llm_tco.money import Money
    from llm_tco.scenario import Scenario, load_scenario
    from llm_tco.serving.fleet import Fleet
    from llm_tco.timeline import Timeline

_HOMES = {
    "ApiUsage": "components.api",
    "Benefit": "components.benefit",
    "Catalog": "catalog.catalog",
    "Comparison": "analysis.compare",
    "Component": "components.base",
    "Composable": "components.base",
    "Delayed": "components.base",
    "Demand": "demand",
    "Escalated": "components.base",
    "FinancialTerms": "financing",
    "Fleet": "serving.fleet",
    "Labour": "components.labour",
    "Ledger": "ledger",
    "Lengths": "demand",
    "Limited": "components.base",
    "Line": "lines",
    "LlmTcoError": "errors",
    "Money": "money",
    "Monthly": "components.amounts",
    "OneOff": "components.amounts",
    "Power": "components.power",
    "Purchase": "components.capital",
    "Route": "components.router",
    "Router": "components.router",
    "Scaled": "components.base",
    "Scenario": "scenario",
    "SemanticCache": "components.cache",
    "Stack": "components.base",
    "Timeline": "timeline",
    "Usage": "catalog.rates",
    "Workload": "demand",
    "compare": "analysis.compare",
    "hookimpl": "catalog.hookspecs",
    "load_catalog": "catalog.plugins",
    "load_scenario": "scenario",
}

__all__ = [
    "ApiUsage",
    "Benefit",
    "Catalog",
    "Comparison",
    "Component",
    "Composable",
    "Delayed",
    "Demand",
    "Escalated",
    "FinancialTerms",
    "Fleet",
    "Labour",
    "Ledger",
    "Lengths",
    "Limited",
    "Line",
    "LlmTcoError",
    "Money",
    "Monthly",
    "OneOff",
    "Power",
    "Purchase",
    "Route",
    "Router",
    "Scaled",
    "Scenario",
    "SemanticCache",
    "Stack",
    "Timeline",
    "Usage",
    "Workload",
    "compare",
    "hookimpl",
    "load_catalog",
    "load_scenario",
]


def __getattr__(name: str) -> object:
    import importlib

    if name == "__version__":
        return importlib.import_module("importlib_metadata").version("llm-tco")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
