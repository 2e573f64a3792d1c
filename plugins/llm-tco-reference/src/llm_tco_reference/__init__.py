"""Reference servers, models, electricity tariffs, throughputs and tables for choosing, for llm_tco."""

from __future__ import annotations

from llm_tco.catalog.hardware import Server
from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.needs import MemoryClaim, ModelScore, QuantisationLoss, TaskNeed
from llm_tco.catalog.reading import read_records
from llm_tco.catalog.tariffs import ServicePrice, Tariff

__all__ = [
    "llm_tco_memory_claims",
    "llm_tco_model_scores",
    "llm_tco_models",
    "llm_tco_quantisation_losses",
    "llm_tco_servers",
    "llm_tco_service_prices",
    "llm_tco_tariffs",
    "llm_tco_task_needs",
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


@hookimpl
def llm_tco_model_scores() -> tuple[ModelScore, ...]:
    """Return the grades that one article gives to models."""
    return read_records(__name__, "data/choosing.toml", ModelScore, table="scores")


@hookimpl
def llm_tco_quantisation_losses() -> tuple[QuantisationLoss, ...]:
    """Return what formats cost in quality, as published evaluations and one article have it."""
    return read_records(__name__, "data/choosing.toml", QuantisationLoss, table="losses")


@hookimpl
def llm_tco_task_needs() -> tuple[TaskNeed, ...]:
    """Return what the articles' tasks ask of a model."""
    return read_records(__name__, "data/choosing.toml", TaskNeed, table="needs")


@hookimpl
def llm_tco_memory_claims() -> tuple[MemoryClaim, ...]:
    """Return the memory that one article asks for."""
    return read_records(__name__, "data/choosing.toml", MemoryClaim, table="memory")
