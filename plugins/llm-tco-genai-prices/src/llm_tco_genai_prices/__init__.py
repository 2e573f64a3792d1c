"""API prices out of the price list of genai-prices."""

from __future__ import annotations

from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.prices import TokenPrice

__all__ = ["llm_tco_price_sheets"]


@hookimpl
def llm_tco_price_sheets() -> tuple[TokenPrice, ...]:
    """Return the rows of the snapshot in the installed genai-prices, past ones included."""
    # Imported here because genai-prices brings pydantic and an HTTP client along, which
    # take longer to import than all of llm_tco.
    from importlib.metadata import version

    from genai_prices.data_snapshot import get_snapshot

    from llm_tco_genai_prices._rows import sheet

    return sheet(get_snapshot(), version("genai-prices"))
