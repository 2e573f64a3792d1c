"""API prices out of a LiteLLM price map, without importing litellm."""

from __future__ import annotations

from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.prices import TokenPrice

__all__ = ["llm_tco_price_sheets"]


@hookimpl
def llm_tco_price_sheets() -> tuple[TokenPrice, ...]:
    """Return the token prices of the map that the user names, or of the installed litellm; nothing without either."""
    from llm_tco_litellm._places import find_map
    from llm_tco_litellm._rows import sheet

    found = find_map()
    return () if found is None else sheet(found)
