"""Accelerators for llm_tco, from the vendors' own documents."""

from __future__ import annotations

from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.reading import read_records

__all__ = ["llm_tco_gpus"]

FILES = ("data/amd.toml", "data/nvidia.toml")


@hookimpl
def llm_tco_gpus() -> tuple[Gpu, ...]:
    """Return the accelerators of every vendor."""
    return tuple(gpu for name in FILES for gpu in read_records(__name__, name, Gpu, table="gpus"))
