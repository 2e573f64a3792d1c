"""What a group of GPUs delivers, estimated from data sheets, with a band that says how well.

An estimate is a `Throughput` that is marked as one. It keeps prompts and generated tokens apart, so
that a workload with 73 prompt tokens for each generated one and a workload with as many of
both come out of the same record. A measurement is better where there is one: see
`llm_tco.serving.operating`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, check_bounds
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.records import Source
from llm_tco.errors import InfeasibleError, InvalidValueError
from llm_tco.serving.efficiency import Efficiency, efficiency_of, engine_class_of
from llm_tco.serving.memory import sequences_in
from llm_tco.serving.quantisation import Quantisation, quantisation_of
from llm_tco.serving.roofline import Columns, Shares, Times, times

T = TypeVar("T")
PARALLEL: Final = ("faster", "tensor", "pipeline")
_HALVINGS: Final = 24
"""Bisections of a batch: more than any batch has binary digits."""


def kv_precision_of(engine: str, quantisation: str | Quantisation) -> str:
    """Give the precision in which an engine keeps its cache unless it is told otherwise.

    It is 16 bits, but for TensorRT-LLM with the FP8 and FP4 checkpoints that NVIDIA publishes,
    which carry scales for a cache in FP8.
    """
    narrow = quantisation_of(quantisation).compute in ("fp8", "fp4")
    name = engine.casefold().replace(" ", "-")
    return "fp8" if narrow and name.startswith(("tensorrt-llm", "trt-llm", "trtllm")) else "f16"


@attrs.frozen(kw_only=True, eq=False)
class Rates:
    """What groups of GPUs deliver at an operating point, in the broadcast shape of the question.

    Attributes:
        fits: Whether the model takes a sequence of that length, and has room for one.
        too_long: Whether the sequence is longer than the model's context.
        room_bytes: What the weights leave; negative where they alone are too large. [B]
        batch: Sequences served at once: as many as asked for, or as memory and engine allow; 0 where none fits.
        input_tokens_per_s: Prompt tokens of a group that only reads prompts. [1/s]
        output_tokens_per_s: Generated tokens of a group that only generates. [1/s]
        generated_per_s: Generated tokens of a group that does both in the proportion of the lengths. [1/s]
        ttft_s: Time to the first token of a prompt that waits for nobody. [s]
        tpot_s: Time of a further token for its user, prompts of others in between included. [s]
        low_ratio: Lower end of the band of all rates, as a multiple; times move the other way.
        high_ratio: Upper end of the band.
        seconds: Times by term, for an explanation of the estimate.
    """

    fits: npt.NDArray[np.bool_]
    too_long: npt.NDArray[np.bool_]
    room_bytes: FloatArray
    batch: FloatArray
    input_tokens_per_s: FloatArray
    output_tokens_per_s: FloatArray
    generated_per_s: FloatArray
    ttft_s: FloatArray
    tpot_s: FloatArray
    low_ratio: FloatArray
    high_ratio: FloatArray
    seconds: Times


def _listed(value: T | Sequence[T], size: int) -> list[T]:
    """Give one object for each candidate."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value] * size
    if len(value) != size:
        raise InvalidValueError("candidates", f"must be equally many, got {len(value)} and {size}")
    return list(value)


@attrs.frozen(eq=False)
class Group:
    """Candidates for a group of GPUs that serves one replica of a model, ready to be asked."""

    columns: Columns
    shares: Shares
    gpus: FloatArray
    gpu: tuple[Gpu, ...]
    model: tuple[Model, ...]
    forms: tuple[Quantisation, ...]
    parallel: str = "faster"

    @classmethod
    def of(
        cls,
        gpu: Gpu | Sequence[Gpu],
        model: Model | Sequence[Model],
        quantisation: str | Quantisation | Sequence[str | Quantisation],
        *,
        engine: str | Sequence[str],
        gpus: int | Sequence[int] = 1,
        kv_precision: str | None = None,
        parallel: str = "faster",
        efficiency: Efficiency | None = None,
    ) -> Group:
        """Read candidates; whatever is a sequence has one entry for each of them.

        Args:
            gpu: The GPU.
            model: The model.
            quantisation: Format of its weights.
            engine: An engine's name and version, or its class: `"single_stream"` or `"batched"`.
            gpus: GPUs of a group.
            kv_precision: Precision of the cache; without it the engine's own, see `kv_precision_of`.
            parallel: How several GPUs share the model: `"tensor"`, `"pipeline"`, or the one of the two
                that generates faster, whose first token may come later.
            efficiency: Own constants in the place of those of the class.

        Raises:
            UnknownFigureError: A record leaves a needed figure out.
            UnknownRecordError: A name is not known.
        """
        given = (gpu, model, quantisation, engine, gpus)
        sizes = [len(value) for value in given if isinstance(value, Sequence) and not isinstance(value, str)]
        size = sizes[0] if sizes else 1
        cards, models, counts = _listed(gpu, size), _listed(model, size), _listed(gpus, size)
        names: list[str | Quantisation] = _listed(quantisation, size)
        engines: list[str] = _listed(engine, size)
        forms = [quantisation_of(name) for name in names]
        chosen = [efficiency or efficiency_of(one, card) for one, card in zip(engines, cards, strict=True)]
        precisions = [kv_precision or kv_precision_of(one, form) for one, form in zip(engines, forms, strict=True)]
        check_bounds(float(min(counts)), "gpus", ge=1)
        if parallel not in PARALLEL:
            raise InvalidValueError("parallel", f"must be one of {', '.join(PARALLEL)}, got {parallel!r}")
        return cls(
            columns=Columns.of(cards, models, forms, precisions),
            shares=Shares.of(chosen),
            gpus=np.array(counts, float),
            gpu=tuple(cards),
            model=tuple(models),
            forms=tuple(forms),
            parallel=parallel,
        )

    def limits(self, tokens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give what the weights leave of the memory, and the sequences of a length that fit. [B]."""
        c, own = self.columns, self.shares
        usable = self.gpus * (c.memory * own["memory_share"] - own["reserve_bytes"])
        room = np.broadcast_to(usable - c.weights, np.broadcast_shapes(tokens.shape, c.weights.shape))
        ranks = np.where(c.moe, self.gpus, 1.0)
        return np.asarray(room), np.asarray(
            np.minimum(sequences_in(room, c.cache_bytes(tokens)), own["sequences"] * ranks)
        )

    def busy(self, batch: FloatArray, input_tokens: FloatArray, output_tokens: FloatArray) -> Times:
        """Give the times, with the faster of tensor and pipeline parallelism where none is named."""

        def arranged(pipeline: bool) -> Times:
            return times(
                self.columns,
                self.shares,
                gpus=self.gpus,
                batch=batch,
                input_tokens=input_tokens,
                context_tokens=input_tokens + output_tokens / 2,
                pipeline=pipeline,
            )

        if self.parallel != "faster" or np.all(self.gpus == 1):
            return arranged(self.parallel == "pipeline")
        tensor, pipe = arranged(False), arranged(True)
        quicker = pipe.per_token(batch, output_tokens).sum(-1) < tensor.per_token(batch, output_tokens).sum(-1)
        return Times(
            np.where(quicker[..., None], pipe.step, tensor.step),
            np.where(quicker[..., None], pipe.prompt, tensor.prompt),
            np.where(quicker, pipe.stages, tensor.stages),
        )

    def rates(self, input_tokens: Number, output_tokens: Number, concurrency: Number | None = None) -> Rates:
        """Give what the candidates deliver.

        Args:
            input_tokens: Prompt tokens of a request, any shape that broadcasts with `(N,)`. [tokens]
            output_tokens: Generated tokens of a request, at least 1. [tokens]
            concurrency: Requests at once; without it as many as memory and engine allow, which saturates.

        Returns:
            Rates in the broadcast shape of the arguments and the candidates.
        """
        prompt, answer = (np.asarray(value, float) for value in (input_tokens, output_tokens))
        check_bounds(prompt, "input_tokens", ge=0)
        check_bounds(answer, "output_tokens", ge=1)
        room, allowed = self.limits(prompt + answer)
        if concurrency is not None:
            check_bounds(np.asarray(concurrency, float), "concurrency", ge=1)
            allowed = np.minimum(allowed, concurrency)
        prompt, answer, allowed = np.broadcast_arrays(prompt, answer, allowed)
        too_long = prompt + answer > self.columns.context
        fits, batch = (allowed >= 1) & ~too_long, np.maximum(allowed, 1.0)
        busy = self.busy(batch, prompt, answer)
        step, reading = busy.step.sum(-1), busy.prompt.sum(-1)
        # A prompt of no tokens has no rate of its own: its rate is that of one token.
        unit = self.busy(batch, np.ones_like(prompt), answer).prompt.sum(-1)
        share = step / batch + reading / answer
        return Rates(
            fits=fits,
            too_long=np.asarray(too_long),
            room_bytes=np.broadcast_to(room, fits.shape),
            batch=np.asarray(np.where(fits, batch, 0.0)),
            input_tokens_per_s=np.where(prompt > 0, prompt, 1.0) / np.where(prompt > 0, reading, unit) * fits,
            output_tokens_per_s=batch / step * fits,
            generated_per_s=fits / share,
            ttft_s=reading * busy.stages + step,
            tpot_s=share * batch,
            low_ratio=np.broadcast_to(self.shares["low_ratio"], fits.shape),
            high_ratio=np.broadcast_to(self.shares["high_ratio"], fits.shape),
            seconds=busy,
        )

    def largest_batch(
        self,
        input_tokens: Number,
        output_tokens: Number,
        *,
        tpot_s: Number = np.inf,
        ttft_s: Number = np.inf,
    ) -> FloatArray:
        """Give the most requests at once that keep a latency target.

        Args:
            input_tokens: Prompt tokens of a request. [tokens]
            output_tokens: Generated tokens of a request. [tokens]
            tpot_s: Longest time of a token, on average. [s]
            ttft_s: Longest time to the first token of a prompt that waits for nobody. [s]

        Returns:
            Requests; 0 where no batch keeps the target, or where the model does not fit.
        """
        most = self.rates(input_tokens, output_tokens).batch
        low, high = np.zeros_like(most), most.copy()
        for _ in range(_HALVINGS):
            middle = np.ceil((low + high) / 2)
            at = self.rates(input_tokens, output_tokens, np.maximum(middle, 1.0))
            kept = (at.tpot_s <= tpot_s) & (at.ttft_s <= ttft_s) & (middle <= most) & (middle >= 1)
            low, high = np.where(kept, middle, low), np.where(kept, high, np.maximum(middle - 1, low))
        return low


def rates(
    gpu: Gpu | Sequence[Gpu],
    model: Model | Sequence[Model],
    quantisation: str | Quantisation | Sequence[str | Quantisation],
    *,
    engine: str | Sequence[str],
    gpus: int | Sequence[int] = 1,
    input_tokens: Number,
    output_tokens: Number,
    concurrency: Number | None = None,
    kv_precision: str | None = None,
    parallel: str = "faster",
    efficiency: Efficiency | None = None,
) -> Rates:
    """Estimate what candidates deliver; see `Group.of` and `Group.rates` for the arguments.

    A thousand candidates are one call: give sequences of equal length.
    """
    group = Group.of(
        gpu,
        model,
        quantisation,
        engine=engine,
        gpus=gpus,
        kv_precision=kv_precision,
        parallel=parallel,
        efficiency=efficiency,
    )
    return group.rates(input_tokens, output_tokens, concurrency)


def estimate_throughput(
    gpu: Gpu,
    model: Model,
    quantisation: str | Quantisation,
    *,
    engine: str,
    gpus: int = 1,
    input_tokens: float,
    output_tokens: float,
    concurrency: float | None = None,
    kv_precision: str | None = None,
    parallel: str = "faster",
    efficiency: Efficiency | None = None,
) -> Throughput:
    """Estimate the throughput of one replica, for a `Fleet`.

    Args:
        gpu: The GPU.
        model: The model.
        quantisation: Format of its weights.
        engine: An engine's name and version, or its class: `"single_stream"` or `"batched"`.
        gpus: GPUs of a replica.
        input_tokens: Prompt tokens of a typical request. [tokens]
        output_tokens: Generated tokens of a typical request. [tokens]
        concurrency: Requests at once; without it as many as memory and engine allow.
        kv_precision: Precision of the cache; without it the engine's own.
        parallel: How several GPUs share the model, see `Group.of`.
        efficiency: Own constants in the place of those of the class.

    Returns:
        A record that is marked as an estimate, with rates of prompt and generated tokens and a band.

    Raises:
        InfeasibleError: The model does not fit; the text says by how much.
        UnknownFigureError: A record leaves a needed figure out.
    """
    group = Group.of(
        gpu,
        model,
        quantisation,
        engine=engine,
        gpus=gpus,
        kv_precision=kv_precision,
        parallel=parallel,
        efficiency=efficiency,
    )
    found = group.rates(input_tokens, output_tokens, concurrency)
    _refuse_unfit(group, found, float(input_tokens) + float(output_tokens))
    (batch,), (rate_in,), (rate_out,) = found.batch, found.input_tokens_per_s, found.output_tokens_per_s
    return Throughput(
        gpu=gpu.key,
        model=model.key,
        quantisation=group.forms[0].name,
        engine=engine,
        gpus=gpus,
        input_tokens_per_s=float(rate_in),
        output_tokens_per_s=float(rate_out),
        input_length=float(input_tokens),
        output_length=float(output_tokens),
        concurrency=float(batch),
        conditions=f"{input_tokens:g} in / {output_tokens:g} out, {batch:g} at once, {engine_class_of(engine)}",
        estimate=True,
        approximate=True,
        low_ratio=float(found.low_ratio[0]),
        high_ratio=float(found.high_ratio[0]),
        source=Source(
            title=f"estimate of llm_tco from {gpu.source.title} and {model.source.title}",
            checked=max(gpu.source.checked, model.source.checked),
            note="A sum of terms from the data sheet and constants of the class; see the documentation of estimates.",
        ),
    )


def _refuse_unfit(group: Group, found: Rates, length: float) -> None:
    """Refuse a single candidate that does not take one request of a length.

    Raises:
        InfeasibleError: See above.
    """
    gpu, model, form = group.gpu[0], group.model[0], group.forms[0]
    if found.too_long.any():
        raise InfeasibleError(
            f"{model.key} takes at most {model.context_tokens} tokens, and a request has {length:g}. "
            "Shorten the requests, or take a model with a longer context."
        )
    if not found.fits.all():
        missing = float((group.columns.cache_bytes(np.asarray(length)) - found.room_bytes).max()) / 1e9
        raise InfeasibleError(
            f"{model.key} in {form.name} with one request of {length:g} tokens does not fit on "
            f"{group.gpus[0]:g} × {gpu.key}: {missing:.1f} GB are missing. Take more GPUs or fewer bits."
        )


@attrs.frozen(kw_only=True)
class Latency:
    """What a user sees at an operating point.

    Attributes:
        ttft_s: Time to the first token of a prompt that waits for nobody. [s]
        tpot_s: Time of each further token. [s]
        concurrency: Requests at once.
        low_ratio: Lower end of the band of rates: times may be longer by its inverse.
        high_ratio: Upper end of the band.
    """

    ttft_s: float
    tpot_s: float
    concurrency: float
    low_ratio: float
    high_ratio: float


def latency(
    gpu: Gpu,
    model: Model,
    quantisation: str | Quantisation,
    *,
    engine: str,
    gpus: int = 1,
    input_tokens: float,
    output_tokens: float,
    concurrency: float,
    kv_precision: str | None = None,
    parallel: str = "faster",
    efficiency: Efficiency | None = None,
) -> Latency:
    """Estimate the latency at an operating point; see `estimate_throughput` for the arguments.

    Raises:
        InfeasibleError: So many requests do not fit at once.
    """
    group = Group.of(
        gpu,
        model,
        quantisation,
        engine=engine,
        gpus=gpus,
        kv_precision=kv_precision,
        parallel=parallel,
        efficiency=efficiency,
    )
    found = group.rates(input_tokens, output_tokens, concurrency)
    if found.batch[0] < concurrency:
        raise InfeasibleError(
            f"{concurrency:g} requests at once do not fit on {gpus} × {gpu.key}: at most {found.batch[0]:g} do. "
            "Lower the concurrency, or take more GPUs."
        )
    return Latency(
        ttft_s=float(found.ttft_s[0]),
        tpot_s=float(found.tpot_s[0]),
        concurrency=float(concurrency),
        low_ratio=float(found.low_ratio[0]),
        high_ratio=float(found.high_ratio[0]),
    )
