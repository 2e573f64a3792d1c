"""Language models, and how fast they were seen to run."""

from __future__ import annotations

from typing import ClassVar, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, number, text, whole
from llm_tco.catalog.records import Record, Source
from llm_tco.errors import InvalidValueError


@attrs.frozen(kw_only=True)
class QualityScore:
    """What a model reached in a benchmark.

    Attributes:
        benchmark: Name of the benchmark, with its number of examples where the source gives it.
        score: The score; a share of right answers from 0 to 1 unless `best` says otherwise.
        best: The highest score that can be reached, such as 10.
        source: Where it stands.
    """

    benchmark: str = text()
    score: float = number(ge=0)
    best: float = number(gt=0, default=1.0)
    source: Source

    def __attrs_post_init__(self) -> None:
        if self.score > self.best:
            raise InvalidValueError("score", f"must be at most {self.best:g}, the best there is, got {self.score:g}")


@attrs.frozen(kw_only=True)
class Model(Record):
    """A language model.

    What is not stated is None, and whoever needs it says so: nothing is filled in.

    Attributes:
        key: Short name.
        name: Name in full.
        parameters: Number of parameters.
        active_parameters: Parameters used for one token, where they are fewer.
        layers: Transformer layers.
        hidden_size: Width of the residual stream.
        attention_heads: Query heads of a layer.
        kv_heads: Key and value heads of a layer.
        head_dim: Width of a head.
        vocabulary: Rows of the embedding table.
        tied_embeddings: Whether the output layer shares the embedding table.
        context_tokens: Longest context. [tokens]
        experts: Experts of a layer among which a token is routed, in a mixture of experts.
        experts_per_token: Routed experts that a token uses.
        kv_elements_per_token: Cached numbers of a token over all layers, where they are not
            2 × layers × kv_heads × head_dim (a latent cache).
        sliding_window_tokens: Window of the layers that see only the last tokens. [tokens]
        sliding_layers: How many layers have that window.
        quality: Benchmark scores.
        license: Licence of the weights.
        aliases: Other names that people use.
    """

    kind: ClassVar[str] = "model"

    key: str = text()
    name: str = text()
    parameters: float = number(gt=0)
    active_parameters: float | None = number(gt=0, default=None, optional=True)
    layers: int | None = whole(ge=1, default=None, optional=True)
    hidden_size: int | None = whole(ge=1, default=None, optional=True)
    attention_heads: int | None = whole(ge=1, default=None, optional=True)
    kv_heads: int | None = whole(ge=1, default=None, optional=True)
    head_dim: int | None = whole(ge=1, default=None, optional=True)
    vocabulary: int | None = whole(ge=1, default=None, optional=True)
    tied_embeddings: bool | None = None
    context_tokens: int | None = whole(ge=1, default=None, optional=True)
    experts: int | None = whole(ge=2, default=None, optional=True)
    experts_per_token: int | None = whole(ge=1, default=None, optional=True)
    kv_elements_per_token: float | None = number(gt=0, default=None, optional=True)
    sliding_window_tokens: int | None = whole(ge=1, default=None, optional=True)
    sliding_layers: int | None = whole(ge=1, default=None, optional=True)
    quality: tuple[QualityScore, ...] = ()
    license: str | None = None
    aliases: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.active_parameters is not None and self.active_parameters > self.parameters:
            raise InvalidValueError(
                "active_parameters", f"must be at most the parameters, got {self.active_parameters:g}"
            )
        for one, other in (("experts", "experts_per_token"), ("sliding_window_tokens", "sliding_layers")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise InvalidValueError(one, f"and {other} are stated together or not at all")
        if self.experts is not None and self.experts_per_token is not None and self.experts_per_token > self.experts:
            raise InvalidValueError("experts_per_token", f"must be at most the experts, got {self.experts_per_token}")
        if self.layers is not None and self.sliding_layers is not None and self.sliding_layers > self.layers:
            raise InvalidValueError("sliding_layers", f"must be at most the layers, got {self.sliding_layers}")

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)


LONGER_PROMPTS: Final = 1.1
"""Prompt tokens of a load over those of a measurement above which the difference is said."""
LONG_PROMPTS: Final = 2.0
"""Prompt tokens for each generated one above which a measurement without lengths is doubted: reading is much faster."""


@attrs.frozen(kw_only=True)
class Throughput(Record):
    """What one replica of a model delivers when it is kept busy.

    A request keeps a replica busy for the sum of the stated terms: input tokens over
    the input rate, output tokens over the output rate, all tokens over the total rate,
    one over the request rate. A rate that is not stated adds no term, so that a rate of
    output tokens that was measured with its prefill stands alone. Prompts longer than those of
    the measurement are then not counted: `uncounted_prompts` says so.

    Attributes:
        gpu: Key of the accelerator.
        model: Key of the model.
        quantisation: Quantisation of the weights, such as `"q4_k_m"`.
        engine: Inference engine and version.
        gpus: Accelerators of one replica.
        output_tokens_per_s: Rate of generated tokens. [1/s]
        input_tokens_per_s: Rate of prompt tokens, where prefill was measured apart. [1/s]
        total_tokens_per_s: Rate of prompt and generated tokens together. [1/s]
        requests_per_s: Rate of whole requests. [1/s]
        conditions: Prompt and output length, concurrency and what else was set.
        input_length: Prompt tokens of a request at that operating point. [tokens]
        output_length: Generated tokens of a request there. [tokens]
        concurrency: Requests served at once there.
        estimate: Whether the figure was calculated rather than measured.
        low_ratio: The lowest likely rates, as a multiple of the stated ones.
        high_ratio: The highest likely rates, as a multiple of the stated ones.
    """

    kind: ClassVar[str] = "throughput"

    gpu: str = text()
    model: str = text()
    quantisation: str = text()
    engine: str = ""
    gpus: int = whole(ge=1, default=1)
    output_tokens_per_s: Number | None = number(gt=0, default=None, optional=True)
    input_tokens_per_s: Number | None = number(gt=0, default=None, optional=True)
    total_tokens_per_s: Number | None = number(gt=0, default=None, optional=True)
    requests_per_s: Number | None = number(gt=0, default=None, optional=True)
    conditions: str = ""
    input_length: Number | None = number(ge=0, default=None, optional=True)
    output_length: Number | None = number(gt=0, default=None, optional=True)
    concurrency: Number | None = number(ge=1, default=None, optional=True)
    estimate: bool = False
    low_ratio: Number = number(gt=0, le=1, default=1.0)
    high_ratio: Number = number(ge=1, default=1.0)

    def __attrs_post_init__(self) -> None:
        stated = [self.output_tokens_per_s, self.input_tokens_per_s, self.total_tokens_per_s, self.requests_per_s]
        if all(rate is None for rate in stated):
            raise InvalidValueError(
                "throughput",
                "states no rate; give output_tokens_per_s, total_tokens_per_s or requests_per_s",
            )

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.gpu, self.model, self.quantisation, self.engine, str(self.gpus))

    @property
    def low(self) -> Throughput:
        """The same replica at the lowest rates of the range."""
        return self._scaled(self.low_ratio)

    @property
    def high(self) -> Throughput:
        """The same replica at the highest rates of the range."""
        return self._scaled(self.high_ratio)

    def _scaled(self, ratio: Number) -> Throughput:
        names = ("output_tokens_per_s", "input_tokens_per_s", "total_tokens_per_s", "requests_per_s")
        rates = {name: getattr(self, name) for name in names}
        scaled = {name: rate * ratio for name, rate in rates.items() if rate is not None}
        return attrs.evolve(self, **scaled, low_ratio=1.0, high_ratio=1.0)

    def generated_per_s(self, input_tokens: Number, output_tokens: Number) -> FloatArray:
        """Give the generated tokens a second of a busy replica whose requests are of one length.

        This is what saturation benchmarks report: prefill takes its time from generation.

        Args:
            input_tokens: Prompt tokens of a request. [tokens]
            output_tokens: Generated tokens of a request. [tokens]

        Returns:
            Tokens a second, in the shape of the arguments. [1/s]
        """
        prompt, answer = np.broadcast_arrays(np.asarray(input_tokens, float), np.asarray(output_tokens, float))
        seconds = self.busy_seconds(prompt[..., None], answer[..., None])[..., 0]
        return np.asarray(answer / seconds)

    @property
    def counts_prompts(self) -> bool:
        """Whether a rate of its own counts prompt tokens."""
        return self.input_tokens_per_s is not None or self.total_tokens_per_s is not None

    def uncounted_prompts(
        self, input_tokens: FloatArray, output_tokens: FloatArray, requests: FloatArray
    ) -> str | None:
        """Say what reading the prompts of a load takes that no rate counts; None where nothing is to be said.

        A rate of generated tokens, or of requests, holds the reading of the prompts with which it
        was measured. Longer ones would be free. Where the record does not say how long they were,
        this is said of loads with more prompt tokens than generated ones only.

        Args:
            input_tokens: Prompt tokens that are read in each month.
            output_tokens: Generated tokens in each month.
            requests: Requests in each month.
        """
        if self.counts_prompts:
            return None
        if self.output_tokens_per_s is None:
            return self._longer(input_tokens, requests, None)
        if self.input_length is not None and self.output_length is not None:
            return self._longer(input_tokens, output_tokens, self.output_length)
        if not (input_tokens > LONG_PROMPTS * output_tokens).any():
            return None
        return (
            f"the throughput {self.title} has no rate of prompt tokens, so that reading these prompts, more than twice as "
            "long as their answers, takes no time. State its input_tokens_per_s, or the input_length and output_length of its measurement."
        )

    def _longer(self, input_tokens: FloatArray, amount: FloatArray, measured: Number | None) -> str | None:
        """Say that there are more prompt tokens for each of an amount than were measured for so much of it."""
        if self.input_length is None:
            return None
        most = column(self.input_length) / column(1.0 if measured is None else measured)
        if not (input_tokens > LONGER_PROMPTS * most * amount).any():
            return None
        each = "a request" if measured is None else f"for {np.mean(measured):,.6g} generated"
        return (
            f"the throughput {self.title} was measured at {np.mean(self.input_length):,.6g} prompt tokens {each}; what "
            "longer prompts take is not counted. State its input_tokens_per_s, or take one that was measured with "
            "prompts like these."
        )

    def busy_seconds(self, input_tokens: FloatArray, output_tokens: FloatArray) -> FloatArray:
        """Give the time for which a request keeps one replica busy.

        Args:
            input_tokens: Prompt tokens of a request, shape `(..., K)`.
            output_tokens: Generated tokens of a request, shape `(..., K)`.

        Returns:
            Seconds, shape `(..., K)`. [s]
        """
        terms = (
            (input_tokens, self.input_tokens_per_s),
            (output_tokens, self.output_tokens_per_s),
            (input_tokens + output_tokens, self.total_tokens_per_s),
            (np.ones_like(input_tokens), self.requests_per_s),
        )
        seconds = np.zeros(1)
        for amount, rate in terms:
            if rate is not None:
                seconds = seconds + amount / np.asarray(rate)[..., None]
        return seconds
