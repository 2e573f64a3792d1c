"""What a model takes of a GPU's memory, and how many sequences and GPUs follow from it.

Weights are counted whole: a mixture of experts keeps all its experts in memory. The cache of
keys and values grows with each token of each sequence. What is left after the weights and
the engine's own needs is what sequences share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.models import Model
from llm_tco.errors import InvalidValueError, LlmTcoError, suggest
from llm_tco.serving.quantisation import Quantisation, quantisation_of

KV_BYTES: Final = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "q8_0": 8.5 / 8, "q4_0": 4.5 / 8}
"""Bytes of one cached number by precision; the GGUF kinds with their scales. [B]"""

MEMORY_SHARE: Final = 0.95
"""Share of a GPU's nominal memory that an engine may fill.

vLLM takes 0.92 of the memory that the driver reports (0.90 before 2026), TensorRT-LLM 0.90 to
0.95 of what is free after the weights, and a driver reports 99 % of the nominal memory.
"""

RESERVE_BYTES: Final = 1.0e9
"""What runtime, graphs and activations of one engine keep on each GPU beside the cache. [B]

vLLM's own profile of an 8B model names 0.8 GiB (activations 0.2, compiled code and graphs 0.4,
other 0.25); chunked prefill keeps activations from growing with the prompt.
"""


class UnknownFigureError(LlmTcoError, LookupError):
    """A record leaves out a figure that is needed."""


def stated(record: Model | Gpu, *fields: str) -> tuple[float, ...]:
    """Give fields of a record that may be left out, and refuse a record that does.

    Raises:
        UnknownFigureError: It names every missing field.
    """
    missing = [field for field in fields if getattr(record, field) is None]
    if missing:
        raise UnknownFigureError(
            f"the {record.kind} {record.key!r} does not state {', '.join(missing)}. "
            f"Take it from its documents: attrs.evolve({record.kind}, {missing[0]}=...)."
        )
    return tuple(float(getattr(record, field)) for field in fields)


def table_parameters(model: Model) -> float:
    """Give the parameters of the embedding and output tables.

    Raises:
        UnknownFigureError: The model states no vocabulary, width or whether the two are one.
    """
    vocabulary, width, tied = stated(model, "vocabulary", "hidden_size", "tied_embeddings")
    return vocabulary * width * (2 - tied)


def weights_bytes(model: Model, quantisation: str | Quantisation) -> float:
    """Give the memory of a model's weights.

    Args:
        model: The model; all parameters count, those of resting experts too.
        quantisation: Format of the weights.

    Returns:
        Bytes of all weights together. [B]

    Raises:
        UnknownFigureError: The format keeps its tables in 16 bits and the model does not state
            how large they are.
    """
    form = quantisation_of(quantisation)
    if form.table_bits is None:
        return model.parameters * form.bits_per_weight / 8
    tables = table_parameters(model)
    return ((model.parameters - tables) * form.bits_per_weight + tables * form.table_bits) / 8


def _kv_width(precision: str) -> float:
    if precision.casefold() not in KV_BYTES:
        raise InvalidValueError("kv_precision", f"is not known, got {precision!r}{suggest(precision, KV_BYTES)}")
    return KV_BYTES[precision.casefold()]


def kv_bytes_per_token(model: Model, kv_precision: str = "f16", *, sliding: bool = True) -> float:
    """Give the memory of the cached keys and values of one token.

    It is 2 × layers × kv_heads × head_dim numbers, or what the model states itself (a latent
    cache). Pope et al., Efficiently Scaling Transformer Inference, 2022, arXiv 2211.05102.

    Args:
        model: The model.
        kv_precision: Precision of the cache, one of `KV_BYTES`.
        sliding: Whether layers with a sliding window count; they keep a token only while it
            is in the window.

    Returns:
        Bytes of one token over all layers. [B]

    Raises:
        UnknownFigureError: The model states too little about its attention.
    """
    width = _kv_width(kv_precision)
    if model.kv_elements_per_token is not None:
        return model.kv_elements_per_token * width
    layers, kv_heads, head_dim = stated(model, "layers", "kv_heads", "head_dim")
    layers -= 0 if sliding else model.sliding_layers or 0
    return 2.0 * layers * kv_heads * head_dim * width


def kv_bytes(model: Model, tokens: Number, kv_precision: str = "f16") -> FloatArray:
    """Give the memory of the cache of one sequence.

    Args:
        model: The model.
        tokens: Tokens in the sequence, any shape. [tokens]
        kv_precision: Precision of the cache.

    Returns:
        Bytes, in the shape of `tokens`; layers with a sliding window stop growing at it. [B]
    """
    length = np.asarray(tokens, float)
    everywhere = kv_bytes_per_token(model, kv_precision)
    if model.sliding_window_tokens is None or model.kv_elements_per_token is not None:
        return np.asarray(length * everywhere)
    whole = kv_bytes_per_token(model, kv_precision, sliding=False)
    return np.asarray(length * whole + np.minimum(length, model.sliding_window_tokens) * (everywhere - whole))


@attrs.frozen(kw_only=True, eq=False)
class Fit:
    """What a model leaves of the memory of a group of GPUs, and for how many sequences.

    Attributes:
        weights_bytes: All weights. [B]
        sequence_bytes: Cache of one sequence of the full length. [B]
        usable_bytes: What the engine may fill, on all GPUs together. [B]
        reserve_bytes: What it keeps for itself, on all GPUs together. [B]
        room_bytes: What is left for the cache; negative where the weights alone are too large. [B]
        sequences: Whole sequences of the full length that fit at once; 0 where none does.
    """

    weights_bytes: FloatArray
    sequence_bytes: FloatArray
    usable_bytes: FloatArray
    reserve_bytes: FloatArray
    room_bytes: FloatArray
    sequences: FloatArray

    @property
    def fits(self) -> npt.NDArray[np.bool_]:
        """Whether at least one sequence fits."""
        return np.asarray(self.sequences >= 1)

    @property
    def short_bytes(self) -> FloatArray:
        """What is missing for one sequence; 0 where it fits. [B]."""
        return np.asarray(np.where(self.fits, 0.0, np.maximum(self.sequence_bytes - self.room_bytes, 0.0)))

    def __str__(self) -> str:
        if self.sequences.ndim:
            return f"{int(self.fits.sum())} of {self.sequences.size} combinations fit"
        if self.fits:
            return (
                f"fits, with {float(self.sequences):,.0f} sequences of {float(self.sequence_bytes) / 1e9:.2f} GB each"
            )
        return f"does not fit: {float(self.short_bytes) / 1e9:.1f} GB are missing"


def sequences_in(room: FloatArray, sequence: FloatArray) -> FloatArray:
    """Count the whole sequences that fit into what is left, at least none."""
    return np.asarray(np.maximum(np.floor(room / sequence * (1 + 1e-12)), 0.0))


def fit(
    model: Model,
    quantisation: str | Quantisation,
    gpu: Gpu | Sequence[Gpu],
    *,
    gpus: Number = 1,
    context_tokens: Number,
    kv_precision: str = "f16",
    memory_share: Number = MEMORY_SHARE,
    reserve_bytes: Number = RESERVE_BYTES,
) -> Fit:
    """Say whether a model fits, and how many sequences do.

    Weights and cache are shared by all GPUs of the group alike, as tensor, pipeline and layer
    parallelism do.

    Args:
        model: The model.
        quantisation: Format of its weights.
        gpu: The GPU, or candidates, shape `(N,)`.
        gpus: GPUs that share the model, any shape that broadcasts.
        context_tokens: Prompt and answer of one sequence together. [tokens]
        kv_precision: Precision of the cache.
        memory_share: Share of the nominal memory that the engine may fill.
        reserve_bytes: What the engine keeps for itself on each GPU. [B]

    Returns:
        The state, with arrays in the broadcast shape of the arguments.

    Raises:
        UnknownFigureError: The model states too little about itself.
        InvalidValueError: The context is longer than the model allows.
    """
    longest = float(np.max(context_tokens))
    if model.context_tokens is not None and longest > model.context_tokens:
        raise InvalidValueError(
            "context_tokens", f"must be at most the {model.context_tokens} of {model.key}, got {longest:g}"
        )
    cards = gpu if isinstance(gpu, Sequence) else [gpu]
    memory = np.array([card.memory_bytes for card in cards])
    memory = memory if isinstance(gpu, Sequence) else memory[0]
    count = np.asarray(gpus, float)
    usable, reserve, weights, sequence = np.broadcast_arrays(
        memory * count * memory_share,
        count * reserve_bytes,
        weights_bytes(model, quantisation),
        kv_bytes(model, context_tokens, kv_precision),
    )
    room = usable - reserve - weights
    return Fit(
        weights_bytes=weights,
        sequence_bytes=sequence,
        usable_bytes=usable,
        reserve_bytes=reserve,
        room_bytes=np.asarray(room),
        sequences=sequences_in(room, sequence),
    )


def gpus_needed(
    model: Model,
    quantisation: str | Quantisation,
    gpu: Gpu,
    *,
    context_tokens: Number,
    sequences: Number = 1,
    power_of_two: bool = False,
    kv_precision: str = "f16",
    memory_share: float = MEMORY_SHARE,
    reserve_bytes: float = RESERVE_BYTES,
) -> FloatArray:
    """Give the fewest whole GPUs on which the weights and so many sequences fit.

    Args:
        model: The model.
        quantisation: Format of its weights.
        gpu: The GPU.
        context_tokens: Prompt and answer of one sequence together. [tokens]
        sequences: Sequences at once.
        power_of_two: Whether the number must be 1, 2, 4, 8, ..., as tensor parallelism mostly does.
        kv_precision: Precision of the cache.
        memory_share: Share of the nominal memory that the engine may fill.
        reserve_bytes: What the engine keeps for itself on each GPU. [B]

    Returns:
        GPUs, in the broadcast shape of context and sequences.
    """
    room = gpu.memory_bytes * memory_share - reserve_bytes
    if room <= 0:
        raise InvalidValueError("reserve_bytes", f"must be less than the memory of {gpu.key}, got {reserve_bytes:g}")
    wanted = weights_bytes(model, quantisation) + np.asarray(sequences, float) * kv_bytes(
        model, context_tokens, kv_precision
    )
    count = np.maximum(np.ceil(wanted / room * (1 - 1e-12)), 1.0)
    return np.asarray(2.0 ** np.ceil(np.log2(count)) if power_of_two else count)
