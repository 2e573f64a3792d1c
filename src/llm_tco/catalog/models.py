"""Language models, and how fast they were seen to run."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, number, text, whole
from llm_tco.catalog.records import Record
from llm_tco.errors import InvalidValueError


@attrs.frozen(kw_only=True)
class Model(Record):
    """A language model.

    Attributes:
        key: Short name.
        name: Name in full.
        parameters: Number of parameters.
        active_parameters: Parameters used for one token, where they are fewer.
        license: Licence of the weights.
        aliases: Other names that people use.
    """

    kind: ClassVar[str] = "model"

    key: str = text()
    name: str = text()
    parameters: float = number(gt=0)
    active_parameters: float | None = number(gt=0, default=None, optional=True)
    license: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)


@attrs.frozen(kw_only=True)
class Throughput(Record):
    """What one replica of a model delivers when it is kept busy.

    A request keeps a replica busy for the sum of the stated terms: input tokens over
    the input rate, output tokens over the output rate, all tokens over the total rate,
    one over the request rate. A rate that is not stated adds no term, so that a rate of
    output tokens that was measured with its prefill stands alone.

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
        estimate: Whether the figure was calculated rather than measured.
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
    estimate: bool = False

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
