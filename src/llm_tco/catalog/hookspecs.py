"""What a plugin may implement. Hooks take nothing, return data, and are repeatable offline."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.needs import MemoryClaim, ModelScore, QuantisationLoss, TaskNeed
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.tariffs import ServicePrice, Tariff

PROJECT = "llm_tco"
"""Name of the markers and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Decorator for the functions of a plugin."""


@hookspec
def llm_tco_gpus() -> Iterable[Gpu]:
    """Return accelerators."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_servers() -> Iterable[Server]:
    """Return servers with their bill of materials."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_models() -> Iterable[Model]:
    """Return language models."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_price_sheets() -> Iterable[TokenPrice]:
    """Return the rows of API price sheets, past ones included."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_tariffs() -> Iterable[Tariff]:
    """Return prices of electricity."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_service_prices() -> Iterable[ServicePrice]:
    """Return prices of services and of work: hosting offers, labour rates."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_throughputs() -> Iterable[Throughput]:
    """Return measured throughputs."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_model_scores() -> Iterable[ModelScore]:
    """Return what models reached in benchmarks, beside the scores of their own records."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_quantisation_losses() -> Iterable[QuantisationLoss]:
    """Return what formats of weights cost in quality."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_task_needs() -> Iterable[TaskNeed]:
    """Return what kinds of task ask of a model."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_memory_claims() -> Iterable[MemoryClaim]:
    """Return the memory that models are said to need."""
    raise AssertionError("a specification is never called")


@hookspec
def llm_tco_components() -> Iterable[type]:
    """Return component classes; each names itself in a class variable `kind`."""
    raise AssertionError("a specification is never called")
