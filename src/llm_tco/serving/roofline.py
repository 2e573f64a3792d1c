"""The time of a decoding step and of a prompt, as a sum of terms that data sheets bound.

A step of a batch reads the weights once and the cache of every sequence, multiplies for every
token, launches the kernels of every layer and, on several GPUs, exchanges activations twice
a layer. The terms add: a batching engine runs prompts, attention and matrix products one after the
other, and measurements are matched better by the sum than by the largest term. (Williams,
Waterman, Patterson, Roofline, 2009; Pope et al., Efficiently Scaling Transformer Inference, 2022.)

All terms broadcast: candidates are the first axis, and numbers may have axes before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.models import Model
from llm_tco.serving.efficiency import Efficiency
from llm_tco.serving.memory import kv_bytes_per_token, stated, table_parameters, weights_bytes
from llm_tco.serving.quantisation import Quantisation

TERMS: Final = (
    "weights",
    "kv",
    "compute",
    "attention",
    "layers",
    "routing",
    "sequences",
    "latency",
    "link",
)
"""What a step spends its time on."""

_FALLBACKS: Final = {
    "fp4": ("fp4_flops_per_s", "fp8_flops_per_s", "bf16_flops_per_s", "fp32_flops_per_s"),
    "fp8": ("fp8_flops_per_s", "bf16_flops_per_s", "fp32_flops_per_s"),
    "int8": ("int8_ops_per_s", "bf16_flops_per_s", "fp32_flops_per_s"),
    "bf16": ("bf16_flops_per_s", "fp32_flops_per_s"),
}
"""A card without the units of a format unpacks it for the next ones."""


def peak_of(gpu: Gpu, compute: str) -> tuple[float, str]:
    """Give the peak of the units with which a card multiplies a format, and their field.

    Raises:
        UnknownFigureError: The card states no peak at all.
    """
    for field in _FALLBACKS[compute]:
        value = getattr(gpu, field, None)
        if value is not None:
            return float(value), field
    return stated(gpu, "bf16_flops_per_s")[0], "bf16_flops_per_s"


PCIE_4_BYTES_PER_S: Final = 64e9
"""PCIe 4.0 x16, both directions together. [B/s]"""
PCIE_5_BYTES_PER_S: Final = 128e9
"""PCIe 5.0 x16, both directions together, of the generation of cards that has FP4 units. [B/s]"""


def link_of(gpu: Gpu) -> tuple[float, bool]:
    """Give the bandwidth between GPUs, both directions together, and whether it is PCIe.

    A card that states no link, or one that joins pairs only by a bridge that may not be there, is taken to
    exchange over its slot. [B/s].
    """
    name = (gpu.interconnect or "").casefold()
    if gpu.interconnect_bytes_per_s is None or "two cards" in name:
        return (PCIE_4_BYTES_PER_S if gpu.fp4_flops_per_s is None else PCIE_5_BYTES_PER_S), True
    return gpu.interconnect_bytes_per_s, "pcie" in name


def _card_columns(gpu: Gpu, compute: str) -> tuple[float, ...]:
    peak, field = peak_of(gpu, compute)
    link, pcie = link_of(gpu)
    return (
        gpu.memory_bytes,
        gpu.memory_bandwidth_bytes_per_s,
        peak,
        peak_of(gpu, "bf16")[0],
        float(field == "fp4_flops_per_s"),
        link / 2,
        float(pcie),
    )


def _model_columns(model: Model, form: Quantisation, kv_precision: str) -> tuple[float, ...]:
    layers, width, heads, head_dim = stated(model, "layers", "hidden_size", "attention_heads", "head_dim")
    whole = weights_bytes(model, form)
    tables = table_parameters(model)
    # A step looks single rows of the embedding table up; where the output layer is the same table, it is read.
    looked_up = 0.0 if model.tied_embeddings else tables / 2 * (form.table_bits or form.bits_per_weight) / 8
    active = model.active_parameters or model.parameters
    experts, used = (1.0, 1.0) if model.active_parameters is None else stated(model, "experts", "experts_per_token")
    routed = (model.parameters - active) / (1 - used / experts) if experts > used else 0.0
    latent = model.kv_elements_per_token is not None
    everywhere = kv_bytes_per_token(model, kv_precision)
    full = everywhere if latent else kv_bytes_per_token(model, kv_precision, sliding=False)
    return (
        whole,
        whole - looked_up - routed * form.bits_per_weight / 8,
        routed * form.bits_per_weight / 8,
        active,
        layers,
        width,
        heads * head_dim,
        everywhere - full,
        full,
        float(model.sliding_window_tokens or 0),
        float(model.sliding_layers or 0),
        1.0 if latent else float(model.kv_heads or 1),
        experts,
        used,
        float(form.compute == "bf16" and form.bits_per_weight < 16),
        np.inf if model.context_tokens is None else float(model.context_tokens),
    )


@attrs.frozen(eq=False)
class Columns:
    """What the terms need of candidates, one number for each, shape `(N,)` or `()`."""

    memory: FloatArray
    bandwidth: FloatArray
    peak: FloatArray
    peak_bf16: FloatArray
    fp4: FloatArray
    link: FloatArray
    pcie: FloatArray
    weights: FloatArray
    dense: FloatArray
    routed: FloatArray
    active: FloatArray
    layers: FloatArray
    width: FloatArray
    attention_width: FloatArray
    kv_window: FloatArray
    kv_full: FloatArray
    window: FloatArray
    sliding_layers: FloatArray
    kv_heads: FloatArray
    experts: FloatArray
    experts_per_token: FloatArray
    packed: FloatArray
    context: FloatArray

    @classmethod
    def of(
        cls,
        gpus: Sequence[Gpu],
        models: Sequence[Model],
        forms: Sequence[Quantisation],
        kv_precisions: Sequence[str],
    ) -> Columns:
        """Read the columns off records of equal number; what recurs is read once."""
        cards: dict[tuple[int, str], tuple[float, ...]] = {}
        sizes: dict[tuple[int, str, str], tuple[float, ...]] = {}
        rows = []
        for gpu, model, form, precision in zip(gpus, models, forms, kv_precisions, strict=True):
            card, size = (id(gpu), form.compute), (id(model), form.name, precision)
            if card not in cards:
                cards[card] = _card_columns(gpu, form.compute)
            if size not in sizes:
                sizes[size] = _model_columns(model, form, precision)
            rows.append(cards[card] + sizes[size])
        return cls(*np.array(rows, float).T)

    @property
    def moe(self) -> npt.NDArray[np.bool_]:
        """Whether a model is a mixture of experts."""
        return np.asarray(self.experts > self.experts_per_token)

    def cache_bytes(self, tokens: FloatArray) -> FloatArray:
        """Give the cache of a sequence; layers with a window stop growing at it. [B]."""
        return np.asarray(tokens * self.kv_full + np.minimum(tokens, self.window) * self.kv_window)

    def attention_flops(self, tokens: FloatArray) -> FloatArray:
        """Give the products of causal attention over a prompt. [FLOP]."""
        seen = tokens**2 / 2
        window = np.minimum(tokens, self.window)
        windowed = window * tokens - window**2 / 2
        pairs = (self.layers - self.sliding_layers) * seen + self.sliding_layers * windowed
        return np.asarray(4.0 * self.attention_width * pairs)


@attrs.frozen(eq=False)
class Shares:
    """The constants of the candidates' classes, shape `(N,)`."""

    values: dict[str, FloatArray]

    @classmethod
    def of(cls, efficiencies: Sequence[Efficiency]) -> Shares:
        """Read the constants off, column by column."""
        names = [field.name for field in attrs.fields(Efficiency) if field.name != "parallel"]
        values = {name: np.array([getattr(one, name) for one in efficiencies]) for name in names}
        values["in_turn"] = np.array([float(one.parallel == "layers") for one in efficiencies])
        return cls(values)

    def __getitem__(self, name: str) -> FloatArray:
        return self.values[name]


@attrs.frozen(eq=False)
class Times:
    """Seconds for which a group of GPUs is occupied, by term; the last axis holds `TERMS`.

    Attributes:
        step: A step in which every sequence of the batch advances by a token. [s]
        prompt: One prompt among many. [s]
        stages: Prompts that are under way at once: a lone one takes so many times as long.
    """

    step: FloatArray
    prompt: FloatArray
    stages: FloatArray

    def per_token(self, batch: FloatArray, output_tokens: FloatArray) -> FloatArray:
        """Give the time of a generated token with its share of the prompt, by term. [s]."""
        return np.asarray(self.step / batch[..., None] + self.prompt / output_tokens[..., None])


def times(
    columns: Columns,
    shares: Shares,
    *,
    gpus: FloatArray,
    batch: FloatArray,
    input_tokens: FloatArray,
    context_tokens: FloatArray,
    pipeline: bool,
) -> Times:
    """Give the times of a step and of a prompt.

    Args:
        columns: The candidates.
        shares: The constants of their classes.
        gpus: GPUs of a group.
        batch: Sequences of the batch, at least 1.
        input_tokens: Prompt tokens. [tokens]
        context_tokens: Tokens in a sequence while it is generated, on average. [tokens]
        pipeline: Whether the GPUs form a pipeline instead of sharing every layer.

    Returns:
        Terms in the broadcast shape of the arguments, followed by the axis of terms. A mixture of
        experts on several GPUs keeps whole sequences on each of them (attention data parallelism).
    """
    c, in_turn = columns, shares["in_turn"] > 0
    split = np.where(in_turn, 1.0, gpus)
    stages = split if pipeline else np.ones_like(split)
    parts = np.ones_like(split) if pipeline else split
    sequences = np.maximum(batch / stages, 1.0)
    whole_sequences = c.moe & (parts > 1)

    untouched = (1.0 - c.experts_per_token / c.experts) ** sequences
    read = c.dense + c.routed * (1.0 - untouched)
    weights_share = np.where(c.packed > 0, shares["packed_share"], shares["weights_share"])
    compute_share = np.where(c.fp4 > 0, shares["fp4_share"], shares["compute_share"])
    compute_share = compute_share * np.where(c.moe, shares["moe_ratio"], 1.0)
    token_compute = 2.0 * c.active / (split * c.peak * compute_share)
    cache_split = np.where(whole_sequences | (stages > 1), split, np.minimum(split, c.kv_heads))
    cache = c.cache_bytes(context_tokens) / (cache_split * c.bandwidth * shares["kv_share"])
    attention = c.attention_flops(input_tokens) / (split * c.peak_bf16 * shares["compute_share"])
    exchanges = np.where(parts > 1, 2.0 * c.layers, 0.0)
    link_share = np.where(c.pcie > 0, shares["pcie_share"], shares["link_share"])
    volume = np.where(whole_sequences, 0.5, 1.0) * 4.0 * c.width * (1.0 - 1.0 / parts)
    token_link = exchanges * volume / (c.link * link_share)

    loss = 1.0 + shares["bubble"] * (stages - 1.0)
    step = _terms(
        read / (split * c.bandwidth * weights_share),
        sequences * cache,
        sequences * token_compute,
        0.0,
        c.layers / stages * shares["layer_s"],
        np.where(c.moe, c.layers / stages * shares["moe_layer_s"], 0.0),
        sequences / np.where(whole_sequences, parts, 1.0) * shares["sequence_s"],
        exchanges * shares["reduce_s"],
        sequences * token_link,
    )
    prompt = _terms(0.0, 0.0, input_tokens * token_compute, attention, 0.0, 0.0, 0.0, 0.0, input_tokens * token_link)
    return Times(step * (stages * loss)[..., None], prompt * loss[..., None], stages)


def _terms(*terms: FloatArray | float) -> FloatArray:
    return np.stack(np.broadcast_arrays(*terms), axis=-1)
