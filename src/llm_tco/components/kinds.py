"""The core's own component kinds, handed over by the same hook as anybody's."""

from __future__ import annotations

from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.components.amounts import Benefit, Monthly, OneOff
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Delayed, Escalated, Limited, Scaled, Stack
from llm_tco.components.cache import SemanticCache
from llm_tco.components.capital import Purchase
from llm_tco.components.labour import Labour
from llm_tco.components.power import Power
from llm_tco.components.router import Router


@hookimpl
def llm_tco_components() -> tuple[type, ...]:
    """Hand over the kinds that come with the library."""
    return (
        ApiUsage,
        Benefit,
        Delayed,
        Escalated,
        Labour,
        Limited,
        Monthly,
        OneOff,
        Power,
        Purchase,
        Router,
        Scaled,
        SemanticCache,
        Stack,
    )
