"""How much of its data sheet a GPU delivers: a few constants for each class of engine and hardware.

Every constant is a share of a peak, or a time that no data sheet names. They are fitted to
public measurements by `docs/estimate_errors.py`, which prints them beside these, and no constant
belongs to one card, model or row. A band runs from about the 5th to the 95th percentile of
measured over estimated rates where the card or the engine was left out of the fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from llm_tco._fields import choice, number
from llm_tco.catalog.hardware import Gpu
from llm_tco.errors import UnknownRecordError, ended, suggest

ENGINE_CLASSES: Final = ("single_stream", "batched")
HARDWARE_CLASSES: Final = ("hbm", "gddr", "unified")


@attrs.frozen(kw_only=True)
class Efficiency:
    """What a class of engine gets out of a class of hardware.

    Attributes:
        weights_share: Share of the peak memory bandwidth while 16-bit and tensor-core formats are read.
        packed_share: The same for formats that are unpacked before they are multiplied.
        kv_share: The same for the cache of keys and values.
        compute_share: Share of the peak of the units that multiply, and of the BF16 peak in attention.
        fp4_share: Share of the peak of FP4 units.
        moe_ratio: Factor on the share of compute in a mixture of experts.
        layer_s: Launches and small kernels of a layer in a step. [s]
        moe_layer_s: Routing of a mixture of experts, in addition. [s]
        sequence_s: Scheduling and sampling of a sequence in a step. [s]
        reduce_s: Latency of one exchange between GPUs. [s]
        link_share: Share of one direction of a link between GPUs.
        pcie_share: The same where the link is PCIe.
        bubble: Loss of a pipeline, for each stage after the first.
        memory_share: Share of the nominal memory that the engine may fill.
        reserve_bytes: What the engine keeps for itself on each GPU. [B]
        sequences: Sequences that it serves at once, where memory allows more.
        low_ratio: Lower end of the band, as a multiple of the estimate.
        high_ratio: Upper end of the band.
        parallel: How it uses several GPUs: `"tensor or pipeline"`, whichever is faster, or
            `"layers"`, one after the other.
    """

    weights_share: float = number(gt=0, le=1)
    packed_share: float = number(gt=0, le=1)
    kv_share: float = number(gt=0, le=1)
    compute_share: float = number(gt=0, le=1)
    fp4_share: float = number(gt=0, le=1)
    moe_ratio: float = number(gt=0, le=1)
    layer_s: float = number(ge=0)
    moe_layer_s: float = number(ge=0)
    sequence_s: float = number(ge=0)
    reduce_s: float = number(ge=0)
    link_share: float = number(gt=0, le=1)
    pcie_share: float = number(gt=0, le=1)
    bubble: float = number(ge=0)
    memory_share: float = number(gt=0, le=1)
    reserve_bytes: float = number(ge=0)
    sequences: float = number(ge=1)
    low_ratio: float = number(gt=0, le=1)
    high_ratio: float = number(ge=1)
    parallel: str = choice("tensor or pipeline", "layers")


_ONE = Efficiency(
    weights_share=0.90, packed_share=0.93, kv_share=0.54, compute_share=0.85, fp4_share=0.85, moe_ratio=0.66,
    layer_s=8.4e-5, moe_layer_s=3.6e-5, sequence_s=0.0, reduce_s=0.0, link_share=1.0, pcie_share=1.0, bubble=0.0,
    memory_share=0.95, reserve_bytes=1.0e9, sequences=1.0, low_ratio=0.72, high_ratio=1.5, parallel="layers",
)  # fmt: skip
_MANY = Efficiency(
    weights_share=0.95, packed_share=0.95, kv_share=0.95, compute_share=0.63, fp4_share=0.41, moe_ratio=0.315,
    layer_s=1.02e-4, moe_layer_s=1.57e-4, sequence_s=7.1e-6, reduce_s=2.1e-5, link_share=0.60, pcie_share=0.42,
    bubble=0.046, memory_share=0.95, reserve_bytes=1.0e9, sequences=1024.0, low_ratio=0.68, high_ratio=1.6,
    parallel="tensor or pipeline",
)  # fmt: skip
_MAC_SHARE = 0.75
"""Share of a Mac's memory that its GPU may use by default: 70 % of 32 GB, about 78 % of more (Apple, Tech Talk 10580)."""

EFFICIENCIES: Final[Mapping[tuple[str, str], Efficiency]] = {
    ("single_stream", "gddr"): _ONE,
    ("single_stream", "hbm"): attrs.evolve(_ONE, weights_share=0.53, packed_share=0.56, kv_share=0.38, low_ratio=0.65),
    ("single_stream", "unified"): attrs.evolve(
        _ONE, weights_share=0.81, packed_share=0.67, kv_share=0.24, compute_share=0.67, fp4_share=0.67,
        memory_share=_MAC_SHARE, low_ratio=0.65,
    ),
    ("batched", "hbm"): _MANY,
    ("batched", "gddr"): attrs.evolve(_MANY, compute_share=0.80, fp4_share=0.80),
}  # fmt: skip
"""The constants by class of engine and of hardware."""

_ENGINES: Final = {
    **dict.fromkeys(
        ("llama.cpp", "llama-cpp", "ik-llama", "llamafile", "ollama", "lm-studio", "exllama", "mlx", "mlc"),
        "single_stream",
    ),
    **dict.fromkeys(
        ("vllm", "sglang", "tensorrt-llm", "trt-llm", "trtllm", "tgi", "text-generation-inference", "lmdeploy", "nim"),
        "batched",
    ),
}
"""What the name of an engine begins with, in small letters and with hyphens."""
_GRAPHICS: Final = re.compile(r"\b(rtx|gtx|geforce|radeon|arc|quadro)\b", re.IGNORECASE)
_HBM_BYTES_PER_S: Final = 0.88e12
"""No card with GDDR and without a graphics brand in its name is this fast, no HBM card in use is slower."""


def engine_class_of(engine: str) -> str:
    """Give the class of an engine: a class, or an engine's name and version.

    Raises:
        UnknownRecordError: The engine is not known.
    """
    if engine in ENGINE_CLASSES:
        return engine
    word = engine.casefold().replace(" ", "-").replace("_", "-")
    for name, kind in _ENGINES.items():
        if word.startswith(name):
            return kind
    raise UnknownRecordError(
        ended(f"no class of engine {engine!r}{suggest(engine, [*ENGINE_CLASSES, *_ENGINES])}")
        + f" Say whether it serves one request at a time or batches them: {' or '.join(ENGINE_CLASSES)}."
    )


def hardware_class_of(gpu: Gpu) -> str:
    """Give the class of a GPU by its memory: stacked (HBM), graphics memory, or shared with the processor.

    Read off maker, name and bandwidth, since a record states no kind of memory.
    """
    if gpu.vendor.casefold() == "apple":
        return "unified"
    graphics = _GRAPHICS.search(f"{gpu.name} {gpu.key.replace('-', ' ')}") is not None
    return "hbm" if gpu.memory_bandwidth_bytes_per_s >= _HBM_BYTES_PER_S and not graphics else "gddr"


def efficiency_of(engine_class: str, gpu: Gpu) -> Efficiency:
    """Look the constants of a class up.

    Raises:
        UnknownRecordError: Nothing was fitted for that engine on that hardware.
    """
    key = (engine_class_of(engine_class), hardware_class_of(gpu))
    if key not in EFFICIENCIES:
        known = ", ".join(" on ".join(one) for one in EFFICIENCIES)
        raise UnknownRecordError(
            f"no measurements of the class {' on '.join(key)} ({gpu.key}): known are {known}. Pass efficiency=."
        )
    return EFFICIENCIES[key]
