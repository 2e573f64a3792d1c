"""Reference servers, models, electricity tariffs and throughputs for llm_tco."""

from __future__ import annotations

from llm_tco.catalog.hardware import Server
from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.reading import read_records
from llm_tco.catalog.tariffs import ServicePrice, Tariff

__all__ = [
    "llm_tco_models",
    "llm_tco_servers",
    "llm_tco_service_prices",
    "llm_tco_tariffs",
    "llm_tco_throughputs",
]


@hookimpl
def llm_tco_servers() -> tuple[Server, ...]:
    """Return the servers whose price two Chinese articles state."""
    return read_records(__name__, "data/servers.toml", Server, table="servers")


@hookimpl
def llm_tco_models() -> tuple[Model, ...]:
    """Return the models that the throughputs name."""
    return read_records(__name__, "data/models.toml", Model, table="models")


@hookimpl
def llm_tco_tariffs() -> tuple[Tariff, ...]:
    """Return electricity prices: the articles' and averages of four US states."""
    return read_records(__name__, "data/tariffs.toml", Tariff, table="tariffs")


@hookimpl
def llm_tco_service_prices() -> tuple[ServicePrice, ...]:
    """Return what one article states of hosting and of work."""
    return read_records(__name__, "data/services.toml", ServicePrice, table="services")


@hookimpl
def llm_tco_throughputs() -> tuple[Throughput, ...]:
    """Return measured throughputs, and the one that an article claims."""
    return read_records(__name__, "data/throughputs.toml", Throughput, table="throughputs")
