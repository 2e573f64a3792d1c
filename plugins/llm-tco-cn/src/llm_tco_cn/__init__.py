"""Price lists of Chinese vendors of language models, and Chinese time-of-use tariffs, for llm_tco."""

from __future__ import annotations

from typing import Final

from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.reading import read_records
from llm_tco.catalog.tariffs import Tariff

__all__ = ["llm_tco_price_sheets", "llm_tco_tariffs"]

_VENDORS: Final = (
    "alibaba",
    "baidu",
    "deepseek",
    "lingyiwanwu",
    "minimax",
    "moonshot",
    "stepfun",
    "tencent",
    "volcengine",
    "zhipu",
)
"""Vendors by the name of the file that holds their prices."""


@hookimpl
def llm_tco_price_sheets() -> tuple[TokenPrice, ...]:
    """Return what Chinese vendors charge and charged, in CNY and USD."""
    return tuple(
        row for vendor in _VENDORS for row in read_records(__name__, f"data/{vendor}.toml", TokenPrice, table="prices")
    )


@hookimpl
def llm_tco_tariffs() -> tuple[Tariff, ...]:
    """Return Chinese prices of electricity by the hour of the day."""
    return read_records(__name__, "data/tariffs.toml", Tariff, table="tariffs")
