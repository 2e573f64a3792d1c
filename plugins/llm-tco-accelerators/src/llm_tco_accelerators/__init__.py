"""Accelerators for llm_tco, each figure with its source."""

from __future__ import annotations

from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.reading import read_records

__all__ = ["llm_tco_gpus"]

VENDORS = ("amazon", "amd", "apple", "google", "huawei", "intel", "nvidia")


@hookimpl
def llm_tco_gpus() -> tuple[Gpu, ...]:
    """Return the accelerators of every vendor."""
    return tuple(gpu for vendor in VENDORS for gpu in read_records(__name__, f"data/{vendor}.toml", Gpu, table="gpus"))
