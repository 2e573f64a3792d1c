"""What users may rely on in the table of accelerators."""

from __future__ import annotations

import math
import tomllib
from datetime import date
from pathlib import Path

import llm_tco_accelerators
import pluggy
import pytest

from llm_tco.catalog import hookspecs

GPUS = llm_tco_accelerators.llm_tco_gpus()
GIB = 2**30

each_gpu = pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.key)


def test_table_holds_the_usual_accelerators():
    """The accelerators that other plugins refer to are there."""
    keys = {gpu.key for gpu in GPUS}

    assert {
        "a100-80gb-pcie",
        "a100-80gb-sxm",
        "b200-sxm",
        "h100-80gb-pcie",
        "h100-80gb-sxm",
        "h200-141gb-sxm",
        "l40s",
        "mi300x",
        "rtx-3090",
        "rtx-4090",
    } == keys


def test_names_are_unique():
    """A key or an alias names one accelerator, whatever its capitals."""
    owners: dict[str, set[str]] = {}
    for gpu in GPUS:
        for name in (gpu.key, *gpu.aliases):
            owners.setdefault(name.casefold(), set()).add(gpu.key)

    assert [name for name, keys in owners.items() if len(keys) > 1] == []


def test_family_names_are_no_aliases():
    """A name that several products share finds none of them."""
    names = {name.casefold() for gpu in GPUS for name in (gpu.key, *gpu.aliases)}

    assert set() == names & {"a100", "h100", "h200", "a100 80gb", "h100 80gb", "mi300"}


@each_gpu
def test_every_figure_has_an_address_and_a_date(gpu):
    """A reader can follow every figure to a vendor's document."""
    for source in (gpu.source, *gpu.field_sources.values()):
        assert source.url is not None
        assert source.url.startswith("https://")
        assert source.note
        assert date(2026, 11, 23) <= source.checked
    assert gpu.authority == "vendor"


@each_gpu
def test_field_sources_name_stated_fields(gpu):
    """A source of a single field belongs to a figure that is there."""
    assert all(getattr(gpu, field) is not None for field in gpu.field_sources)


@each_gpu
def test_memory_is_whole_gibibytes(gpu):
    """Memory is the nominal size in GiB, between a consumer card's and today's largest."""
    assert 24 * GIB <= gpu.memory_bytes <= 192 * GIB
    assert gpu.memory_bytes % GIB == 0


@each_gpu
def test_memory_agrees_with_the_name(gpu):
    """A size in the key or an alias is the size of the record."""
    sizes = {
        int(word.removesuffix("gb"))
        for name in (gpu.key, gpu.name, *gpu.aliases)
        for word in name.casefold().replace("-", " ").split()
        if word.endswith("gb")
    }

    assert sizes <= {gpu.memory_bytes / GIB}


@each_gpu
def test_bandwidth_and_power_are_plausible(gpu):
    """Bandwidth is in bytes and power in watts: no figure is off by a factor of 8 or 1,000."""
    assert 0.5e12 <= gpu.memory_bandwidth_bytes_per_s <= 8e12
    assert 300 <= gpu.tdp_w <= 1000


@each_gpu
def test_tensor_figures_are_dense(gpu):
    """Dense FP8 is twice dense BF16; a sparse figure in either place would make it 1 or 4."""
    assert gpu.bf16_flops_per_s is not None
    assert 70e12 <= gpu.bf16_flops_per_s <= 2.5e15
    if gpu.fp8_flops_per_s is not None:
        assert gpu.bf16_flops_per_s < gpu.fp8_flops_per_s
        assert math.isclose(2.0, gpu.fp8_flops_per_s / gpu.bf16_flops_per_s, rel_tol=0.02)


@each_gpu
def test_ampere_has_no_fp8(gpu):
    """Exactly the Ampere cards are without FP8."""
    ampere = gpu.key == "rtx-3090" or gpu.key.startswith("a100")

    assert ampere == (gpu.fp8_flops_per_s is None)


@each_gpu
def test_balance_is_plausible(gpu):
    """Dense BF16 operations per byte lie where real accelerators have them."""
    balance = gpu.bf16_flops_per_s / gpu.memory_bandwidth_bytes_per_s

    assert 50 <= balance <= 450


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("b200-sxm", {"memory_bytes": 90 * GIB}),
        ("h100-80gb-sxm", {"bf16_flops_per_s": 268e12}),
        ("mi300x", {"memory_bandwidth_bytes_per_s": 10.3e12}),
    ],
)
def test_known_wrong_figures_stay_out(key, wrong):
    """Figures of a public table that are known to be wrong are not here."""
    gpu = next(gpu for gpu in GPUS if gpu.key == key)

    assert all(not math.isclose(getattr(gpu, field), value, rel_tol=0.1) for field, value in wrong.items())


def test_hooks_are_repeatable():
    """The hook returns the same records each time."""
    assert llm_tco_accelerators.llm_tco_gpus() == GPUS


def test_hooks_are_known():
    """The plugin implements hooks that exist, and they return its records."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(llm_tco_accelerators)

    manager.check_pending()

    assert manager.hook.llm_tco_gpus() == [GPUS]


def test_entry_point_names_the_plugin():
    """The distribution declares its module in the group that the core reads."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {"accelerators": llm_tco_accelerators.__name__} == project["entry-points"]["llm_tco"]
