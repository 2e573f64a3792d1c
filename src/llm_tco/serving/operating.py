"""A measurement where one fits, an estimate where none does.

A measured throughput holds for the lengths and the concurrency at which it was measured. Asked for another
point, the nearest measurements correct the estimate: what they deliver over what is estimated for them
is carried to the point that is asked for. At a measured point the measurement itself is returned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.models import Model, Throughput
from llm_tco.errors import InvalidValueError
from llm_tco.serving.estimate import estimate_throughput
from llm_tco.serving.quantisation import Quantisation, quantisation_of

REACH: Final = 4.0
"""A measurement at lengths that differ by more than this factor says nothing about the point that is asked for."""

_Point = tuple[float, float]


def _name(quantisation: str) -> str:
    try:
        return quantisation_of(quantisation).name
    except LookupError:
        return quantisation


def measured_at(
    records: Iterable[Throughput], gpu: str, model: str, quantisation: str, *, engine: str = "", gpus: int = 1
) -> tuple[Throughput, ...]:
    """List the measurements of a combination that state their operating point.

    Args:
        records: Records, such as `catalog.all(Throughput)`.
        gpu: Key of the GPU.
        model: Key of the model.
        quantisation: Format of the weights.
        engine: Only of engines whose name begins so.
        gpus: GPUs of a replica.

    Returns:
        Measurements with the lengths of their requests; estimates and claims are left out.
    """
    return tuple(
        record
        for record in records
        if (record.gpu, record.model, record.gpus) == (gpu, model, gpus)
        and _name(record.quantisation) == _name(quantisation)
        and record.engine.casefold().startswith(engine.casefold())
        and not record.estimate
        and record.authority != "claim"
        and record.input_length is not None
        and record.output_length is not None
    )


def between(points: FloatArray, rates: FloatArray, asked: float) -> float:
    """Interpolate a rate between operating points, monotonically, on logarithmic axes.

    Args:
        points: Where it was measured, such as requests at once; positive and rising.
        rates: What was measured there; positive.
        asked: Where it is asked for; outside the points, the nearest end holds.

    Returns:
        A rate between those of the two neighbours.
    """
    return float(np.exp(np.interp(np.log(asked), np.log(points), np.log(rates))))


def _measured_rates(records: Iterable[Throughput], concurrency: float | None) -> dict[_Point, float]:
    """Give the generated tokens a second at each pair of lengths, at the concurrency that is asked for."""
    groups: dict[_Point, dict[float, float]] = defaultdict(dict)
    for record in records:
        assert record.input_length is not None
        assert record.output_length is not None
        point = (float(record.input_length), float(record.output_length))
        at_once = np.inf if record.concurrency is None else float(record.concurrency)
        groups[point][at_once] = float(record.generated_per_s(*point))
    found = {}
    for point, rates in groups.items():
        if concurrency is None:
            found[point] = rates[max(rates)]
            continue
        known = sorted(at_once for at_once in rates if np.isfinite(at_once))
        if known and known[0] <= concurrency <= known[-1]:
            found[point] = between(np.array(known), np.array([rates[one] for one in known]), concurrency)
    return found


def _corrections(
    rates: Mapping[_Point, float], estimated: Callable[[float, float], Throughput], asked: _Point, reach: float
) -> Iterator[tuple[float, float]]:
    """Give the weight and the logarithm of measured over estimated of each measurement within reach.

    Args:
        rates: Generated tokens a second, as measured, by the lengths of the requests.
        estimated: Gives the estimate for lengths.
        asked: The lengths that are asked for.
        reach: Factor of length up to which a measurement counts.
    """
    for (prompt, answer), rate in rates.items():
        away = max(abs(np.log((prompt + 1) / (asked[0] + 1))), abs(np.log(answer / asked[1])))
        if away <= np.log(reach):
            # A hundredth keeps the weight finite where the lengths are those that are asked for.
            yield (
                float(1 / (away + 0.01) ** 2),
                float(np.log(rate / float(estimated(prompt, answer).generated_per_s(prompt, answer)))),
            )


def throughput_at(
    records: Iterable[Throughput],
    gpu: Gpu,
    model: Model,
    quantisation: str | Quantisation,
    *,
    engine: str,
    gpus: int = 1,
    input_tokens: float,
    output_tokens: float,
    concurrency: float | None = None,
    reach: float = REACH,
) -> Throughput:
    """Give the throughput at an operating point: measured, corrected by measurements, or estimated.

    Args:
        records: Records among which to look, such as `catalog.all(Throughput)`.
        gpu: The GPU.
        model: The model.
        quantisation: Format of its weights.
        engine: An engine's name; measurements of another engine do not count.
        gpus: GPUs of a replica.
        input_tokens: Prompt tokens of a request. [tokens]
        output_tokens: Generated tokens of a request. [tokens]
        concurrency: Requests at once; without it saturated.
        reach: Factor of length up to which a measurement counts.

    Returns:
        The measurement where it was made at this very point; else an estimate, which near measurements
        correct and which then says so in its conditions.

    Raises:
        InfeasibleError: Nothing was measured, and the model does not fit.
        UnknownFigureError: Nothing was measured, and a record leaves out what an estimate needs.
    """
    if reach < 1:
        raise InvalidValueError("reach", f"must be at least 1, got {reach:g}")
    form = quantisation_of(quantisation)
    known = measured_at(records, gpu.key, model.key, form.name, engine=engine, gpus=gpus)
    for record in known:
        lengths = (record.input_length, record.output_length) == (input_tokens, output_tokens)
        if lengths and record.concurrency == concurrency:
            return record

    def estimated(prompt: float, answer: float) -> Throughput:
        return estimate_throughput(
            gpu,
            model,
            form,
            engine=engine,
            gpus=gpus,
            input_tokens=prompt,
            output_tokens=answer,
            concurrency=concurrency,
        )

    asked = estimated(input_tokens, output_tokens)
    corrections = list(
        _corrections(_measured_rates(known, concurrency), estimated, (input_tokens, output_tokens), reach)
    )
    if not corrections:
        return asked
    factor = float(np.exp(np.average([one for _, one in corrections], weights=[weight for weight, _ in corrections])))
    assert asked.input_tokens_per_s is not None
    assert asked.output_tokens_per_s is not None
    return attrs.evolve(
        asked,
        input_tokens_per_s=asked.input_tokens_per_s * factor,
        output_tokens_per_s=asked.output_tokens_per_s * factor,
        conditions=f"{asked.conditions}, corrected by {len(corrections)} measurements",
    )
