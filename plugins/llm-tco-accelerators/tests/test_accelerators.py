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
from llm_tco.catalog.catalog import Catalog

GPUS = llm_tco_accelerators.llm_tco_gpus()
GIB = 2**30
SAME_RATE = {"gaudi3", "tpu-v6e"}
"""Accelerators whose FP8 is no faster than BF16."""
INT8_RATES = {"b300-sxm": 0.07, "gb300": 0.066, "mi210": 1.0, "mi250x": 1.0, "tpu-v4": 1.0}
"""INT8 over BF16 where the ratio is unusual: INT8 given up, or as fast as BF16."""

each_gpu = pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.key)


def test_table_holds_the_usual_accelerators():
    """The accelerators that other plugins refer to, and those of published measurements, are there."""
    keys = {gpu.key for gpu in GPUS}

    assert {
        "a100-80gb-pcie",
        "a100-80gb-sxm",
        "a40",
        "b200-sxm",
        "gaudi3",
        "gb200",
        "h100-80gb-pcie",
        "h100-80gb-sxm",
        "h200-141gb-sxm",
        "l40s",
        "m2-ultra-76-core",
        "mi300x",
        "rtx-3070",
        "rtx-3080-10gb",
        "rtx-3080-ti",
        "rtx-3090",
        "rtx-4000-ada",
        "rtx-4070-ti",
        "rtx-4080",
        "rtx-4090",
        "rtx-5000-ada",
        "rtx-6000-ada",
        "rtx-a6000",
        "rtx-pro-6000-server",
        "tpu-v5e",
    } <= keys
    assert len(keys) >= 40


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("3090 24GB", "rtx-3090"),
        ("4090 24GB", "rtx-4090"),
        ("A100 PCIe 80GB", "a100-80gb-pcie"),
        ("A100 SXM 80GB", "a100-80gb-sxm"),
        ("H100 PCIe 80GB", "h100-80gb-pcie"),
        ("M2 Ultra 76-Core GPU 192GB", "m2-ultra-76-core"),
        ("RTX 6000 Ada 48GB", "rtx-6000-ada"),
        ("RTX A6000 48GB", "rtx-a6000"),
        ("RTX-6000-Pro-BSE", "rtx-pro-6000-server"),
    ],
)
def test_spellings_of_published_measurements_are_found(words, key):
    """A name as tables of measurements write it leads to its accelerator."""
    assert key == Catalog(GPUS).gpu(words).key


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

    assert set() == names & {
        "3080",
        "a100",
        "a100 80gb",
        "a800",
        "gh200",
        "h100",
        "h100 80gb",
        "h200",
        "h800",
        "mi300",
        "rtx 3080",
        "rtx pro 6000",
        "v100",
    }


@each_gpu
def test_every_figure_has_an_address_and_a_date(gpu):
    """A reader can follow every figure and every price to where it stands."""
    for source in (gpu.source, *gpu.field_sources.values(), *(price.source for price in gpu.prices)):
        assert source.url is not None
        assert source.url.startswith("https://")
        assert source.note
        assert date(2026, 11, 23) <= source.checked
    assert gpu.authority in {"vendor", "aggregator"}


@each_gpu
def test_field_sources_name_stated_fields(gpu):
    """A source of a single field belongs to a figure that is there."""
    assert all(getattr(gpu, field) is not None for field in gpu.field_sources)


@each_gpu
def test_approximate_records_say_why(gpu):
    """A record that is marked as approximate explains itself."""
    assert gpu.note is not None or not gpu.approximate


@each_gpu
def test_prices_are_dated_and_not_in_the_future(gpu):
    """A price was published before somebody read it, and not before the accelerator was there."""
    for price in gpu.prices:
        assert price.on <= price.source.checked
        assert gpu.released is None or gpu.released.year <= price.on.year


@each_gpu
def test_prices_are_plausible(gpu):
    """A card costs hundreds to tens of thousands, its hour cents to tens: none is off by a factor of 100."""
    for price in gpu.prices:
        low, high = (0.05, 20.0) if price.per == "card hour" else (200.0, 200_000.0)

        assert low <= price.price.value <= high


def test_rental_history_of_the_h100_is_there():
    """The rent of an H100 fell for two years, and rose again in 2026."""
    gpu = next(gpu for gpu in GPUS if gpu.key == "h100-80gb-sxm")
    days = [date(2023, 6, 1), date(2024, 11, 1), date(2025, 11, 1), date(2026, 6, 1)]

    amounts = [gpu.price("rental", on=day).price.value for day in days]

    assert sorted(amounts[:3], reverse=True) == amounts[:3]
    assert amounts[2] < amounts[3]


@each_gpu
def test_memory_is_whole_gibibytes(gpu):
    """Memory is the nominal size in GiB, between a small consumer card's and today's largest."""
    assert 8 * GIB <= gpu.memory_bytes <= 288 * GIB
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
    assert 0.06e12 <= gpu.memory_bandwidth_bytes_per_s <= 8e12
    assert 30 <= gpu.tdp_w <= 1400
    if gpu.idle_w is not None:
        assert gpu.idle_w < gpu.tdp_w / 2
    if gpu.interconnect_bytes_per_s is not None:
        assert gpu.interconnect is not None
        assert 16e9 <= gpu.interconnect_bytes_per_s <= 2e12


@each_gpu
def test_reading_the_memory_takes_a_moment(gpu):
    """The whole memory is read within 10 ms to 300 ms: a cache's bandwidth, or bits for bytes, falls out."""
    assert 0.01 <= gpu.memory_bytes / gpu.memory_bandwidth_bytes_per_s <= 0.3


@each_gpu
def test_a_throughput_is_stated(gpu):
    """Every accelerator has a matrix throughput, or FP32 where none was found."""
    matrix = [gpu.bf16_flops_per_s, gpu.fp8_flops_per_s, gpu.int8_ops_per_s]

    assert any(matrix) != (gpu.fp32_flops_per_s is not None)


@each_gpu
def test_tensor_figures_are_dense(gpu):
    """Narrower types are 2 or 4 times as fast, or no faster; a sparse figure in one place falls out."""
    if gpu.bf16_flops_per_s is None:
        return
    assert 40e12 <= gpu.bf16_flops_per_s <= 2.6e15
    if gpu.fp8_flops_per_s is not None:
        times = 1.0 if gpu.key in SAME_RATE else 2.0

        assert math.isclose(times, gpu.fp8_flops_per_s / gpu.bf16_flops_per_s, rel_tol=0.03)
    if gpu.fp4_flops_per_s is not None:
        assert 3.9 <= gpu.fp4_flops_per_s / gpu.bf16_flops_per_s <= 8.1


@each_gpu
def test_int8_keeps_to_its_rates(gpu):
    """INT8 is twice as fast as BF16; four times on GeForce, where FP32 accumulation halves BF16; with named exceptions."""
    if gpu.bf16_flops_per_s is None or gpu.int8_ops_per_s is None:
        return
    usual = 4.0 if gpu.key.startswith("rtx-4") else 2.0

    times = INT8_RATES.get(gpu.key, usual)

    assert math.isclose(times, gpu.int8_ops_per_s / gpu.bf16_flops_per_s, rel_tol=0.02)


@each_gpu
def test_old_architectures_have_no_fp8(gpu):
    """No card of an architecture without FP8 units has a figure for it."""
    old = gpu.key.startswith(("a10", "a40", "a80", "mi2", "rtx-3", "rtx-a", "t4", "tpu-v4", "tpu-v5", "v100"))

    assert not old or gpu.fp8_flops_per_s is None


@each_gpu
def test_balance_is_plausible(gpu):
    """Dense BF16 operations per byte lie where real accelerators have them."""
    if gpu.bf16_flops_per_s is None:
        return
    balance = gpu.bf16_flops_per_s / gpu.memory_bandwidth_bytes_per_s

    assert 30 <= balance <= 600


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


@each_gpu
def test_readme_lists_the_accelerator(gpu):
    """The table of the README shows each accelerator with its memory."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")

    assert f"| `{gpu.key}` | {gpu.name} | {gpu.memory_bytes / GIB:g} |" in readme


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
