"""How many bits a weight takes in each format, and which units compute with it.

The bits of the GGUF kinds are what whole files take, scales and tables included: llama.cpp
mixes kinds within a file, so `Q4_K_M` takes 4.89 bits and not 4. They were measured on
Llama 3.1 8B and move by a few percent with the shares of a model's tensors. The other formats
leave the embedding and output tables at 16 bits, which is counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from llm_tco._fields import choice, number, text
from llm_tco.errors import UnknownRecordError, ended, suggest

COMPUTE = ("bf16", "fp8", "fp4", "int8")
"""Units that multiply: the name of the field of a `Gpu` without `_flops_per_s`."""


@attrs.frozen(kw_only=True)
class Quantisation:
    """A format of weights.

    Attributes:
        name: Name of the format.
        bits_per_weight: Bits of a weight, scales and zero points included. [bit]
        table_bits: Bits of a weight of the embedding and output tables, where they are kept
            in another format; None where `bits_per_weight` covers them. [bit]
        compute: The units that multiply with it, one of `COMPUTE`. A format that is expanded
            to 16 bits before it is multiplied computes in `"bf16"`.
        source: Where the bits stand, or how they follow from the layout.
    """

    name: str = text()
    bits_per_weight: float = number(gt=0, le=64)
    table_bits: float | None = number(gt=0, le=64, default=None, optional=True)
    compute: str = choice(*COMPUTE, default="bf16")
    source: str = text()


_LLAMA_CPP = "llama.cpp, tools/quantize/README.md at commit 311c2c9, table of Llama 3.1 8B, bits/weight"
_OLD_LLAMA_CPP = "llama.cpp, examples/quantize/README.md, table of Llama 2 7B, bits per weight"
_SIZES = "llama-quantize, list of types: file of Llama 3 8B in GiB over 8.03 billion weights"
_PLAIN = "the width of the format"
_GROUPS = "4 bits, and a 16-bit scale and a 4-bit zero point for each group of 128 weights (AWQ, arXiv 2306.00978)"

_GGUF: Mapping[str, tuple[float, str]] = {
    "iq2_xs": (2.5882, _LLAMA_CPP),
    "iq3_m": (3.7628, _LLAMA_CPP),
    "iq4_xs": (4.4597, _LLAMA_CPP),
    "q2_k": (3.1593, _LLAMA_CPP),
    "q3_k_s": (3.6429, _LLAMA_CPP),
    "q3_k_m": (3.91, _OLD_LLAMA_CPP),
    "q3_k_l": (4.2979, _LLAMA_CPP),
    "q4_0": (4.64, _SIZES),
    "q4_1": (5.11, _SIZES),
    "q4_k_s": (4.6672, _LLAMA_CPP),
    "q4_k_m": (4.8944, _LLAMA_CPP),
    "q5_0": (5.57, _SIZES),
    "q5_1": (6.04, _SIZES),
    "q5_k_s": (5.5704, _LLAMA_CPP),
    "q5_k_m": (5.7036, _LLAMA_CPP),
    "q6_k": (6.5633, _LLAMA_CPP),
    "q8_0": (8.5008, _LLAMA_CPP),
}
_OTHERS = (
    Quantisation(name="f32", bits_per_weight=32.0, source=_PLAIN),
    Quantisation(name="f16", bits_per_weight=16.0, source=_PLAIN),
    Quantisation(name="bf16", bits_per_weight=16.0, source=_PLAIN),
    Quantisation(name="fp8", bits_per_weight=8.0, table_bits=16.0, compute="fp8", source=_PLAIN),
    Quantisation(name="int8", bits_per_weight=8.0, table_bits=16.0, compute="int8", source=_PLAIN),
    Quantisation(name="int4", bits_per_weight=4 + 20 / 128, table_bits=16.0, source=_GROUPS),
    Quantisation(
        name="mxfp4",
        bits_per_weight=4.25,
        table_bits=16.0,
        compute="fp4",
        source="4 bits and an 8-bit scale for each 32 weights (OCP Microscaling formats, version 1.0)",
    ),
    Quantisation(
        name="nvfp4",
        bits_per_weight=4.5,
        table_bits=16.0,
        compute="fp4",
        source="4 bits and an 8-bit scale for each 16 weights (NVIDIA, Introducing NVFP4, 2025)",
    ),
)

QUANTISATIONS: Final[Mapping[str, Quantisation]] = {
    **{name: Quantisation(name=name, bits_per_weight=bits, source=source) for name, (bits, source) in _GGUF.items()},
    **{one.name: one for one in _OTHERS},
}
"""The formats by name."""

_ALIASES: Final = {"fp16": "f16", "fp32": "f32", "awq": "int4", "gptq": "int4", "w4a16": "int4", "fp4": "nvfp4"}


def quantisation_of(name: str | Quantisation) -> Quantisation:
    """Look a format up by its name, in any case, or pass an own one through.

    Raises:
        UnknownRecordError: The name is not known.
    """
    if isinstance(name, Quantisation):
        return name
    key = name.casefold().replace("-", "_")
    key = _ALIASES.get(key, key)
    if key not in QUANTISATIONS:
        raise UnknownRecordError(
            ended(f"no quantisation {name!r}{suggest(name, [*QUANTISATIONS, *_ALIASES])}")
            + " Name one of them, or pass a Quantisation with its bits per weight."
        )
    return QUANTISATIONS[key]
