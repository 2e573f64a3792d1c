"""Choosing: the cheapest model, format, engine and machine that meet quality, memory and latency.

Every combination is a candidate. All candidates and all tasks are sized in one broadcast; a
candidate that falls short is refused with the first reason, in the order of `REASONS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.models import Throughput
from llm_tco.errors import InvalidValueError, LlmTcoError, NotInForceError, suggest
from llm_tco.money import ExchangeRates, Quote
from llm_tco.serving.candidates import Candidate, MonthlyPrice, Task, price_of
from llm_tco.serving.efficiency import efficiency_of
from llm_tco.serving.estimate import Group, Rates, kv_precision_of
from llm_tco.serving.operating import measured_at, throughput_at
from llm_tco.serving.quality import Grades
from llm_tco.serving.quantisation import quantisation_of
from llm_tco.serving.roofline import Columns, peak_of
from llm_tco.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

REASONS: Final = (
    "quantisation", "quality unknown", "quality", "figure", "context", "memory", "latency", "at hand", "unpriced",
)  # fmt: skip
"""Why a candidate is refused, in the order in which it is looked at."""

_ROUNDING: Final = 1e-12
_GB: Final = 1e9


@attrs.frozen(kw_only=True)
class Offer:
    """A candidate that meets a task, and what it takes.

    Attributes:
        candidate: The combination.
        cost_per_month: Cost of the servers, in the currency of the choice.
        servers: Whole servers, or rented cards.
        servers_at_low: The same where the rates are at the low end of their range.
        replicas: Whole replicas.
        utilisation: Mean share of the servers' capacity that is busy.
        batch: Requests that a replica serves at once.
        generated_per_s: Generated tokens of a replica at these lengths. [1/s]
        ttft_s: Time to the first token of a prompt that waits for nobody, estimated. [s]
        tpot_s: Time of a further token, estimated. [s]
        memory_left_bytes: What the weights leave of the memory of a replica. [B]
        score: What the model reaches after what the format costs; None where parameters were asked for.
        basis: `"measured"`, `"corrected"` (an estimate that measurements correct) or `"estimate"`.
    """

    candidate: Candidate
    cost_per_month: float
    servers: int
    servers_at_low: int
    replicas: int
    utilisation: float
    batch: int
    generated_per_s: float
    ttft_s: float
    tpot_s: float
    memory_left_bytes: float
    score: float | None
    basis: str


@attrs.frozen(kw_only=True)
class Refusal:
    """A candidate that falls short, and why.

    Attributes:
        candidate: The combination.
        kind: One of `REASONS`.
        reason: What is missing, and by how much.
    """

    candidate: Candidate
    kind: str
    reason: str


@attrs.frozen(kw_only=True)
class Choice:
    """What was found for a task.

    Attributes:
        task: The task.
        currency: Currency of all costs.
        offers: What meets it, the cheapest first. At equal cost the less busy one comes first, then
            the names decide.
        refused: What does not, in the order of the candidates.
    """

    task: Task
    currency: str
    offers: tuple[Offer, ...]
    refused: tuple[Refusal, ...]

    @property
    def best(self) -> Offer | None:
        """The cheapest, or None where nothing meets the task."""
        return self.offers[0] if self.offers else None

    @property
    def reasons(self) -> dict[str, int]:
        """How many candidates were refused for each kind of reason, in the order of `REASONS`."""
        counts = Counter(refusal.kind for refusal in self.refused)
        return {kind: counts[kind] for kind in REASONS if counts[kind]}


def choose(
    tasks: Sequence[Task],
    candidates: Sequence[Candidate],
    *,
    currency: str,
    fx: Mapping[str, Quote] | None = None,
    on: date,
    catalog: Catalog | None = None,
) -> tuple[Choice, ...]:
    """Find what meets each task, the cheapest first, and say why the rest does not.

    Each task is served by servers of its own. Rates are estimates (`llm_tco.serving.estimate`);
    where the catalog holds measurements near the operating point, these count.

    Args:
        tasks: The tasks.
        candidates: The combinations, such as those of `candidates_of`.
        currency: Currency of all costs.
        fx: What one unit of each other currency is worth in it.
        on: The day whose rental prices and scores are meant.
        catalog: Measured throughputs, what formats cost in quality, and scores beside those of the models'
            own records; none of them without it.

    Returns:
        A choice for each task, in their order.

    Raises:
        MissingRateError: A price is in a currency without a rate.
        ConflictingRecordsError: Plugins of equal authority disagree on a score or a loss.
    """
    given = Catalog() if catalog is None else catalog
    grades = Grades(given, on)
    if not tasks or not candidates:
        raise InvalidValueError("candidates" if tasks else "tasks", "must hold at least one")
    lacking = _lacking(candidates)
    usable = [place for place, why in enumerate(lacking) if why is None]
    sized = _Sized.of(tasks, [candidates[place] for place in usable], given.all(Throughput)) if usable else None
    prices = _prices(candidates, ExchangeRates(currency, fx or {}), on)
    column = {place: index for index, place in enumerate(usable)}
    choices = []
    for row, task in enumerate(tasks):
        found = [
            _verdict(task, candidate, grades, lacking[place], sized, (row, column.get(place, -1)), prices[place])
            for place, candidate in enumerate(candidates)
        ]
        offers = [one for one in found if isinstance(one, Offer)]
        offers.sort(key=lambda offer: (offer.cost_per_month, offer.utilisation, offer.candidate.words))
        refused = tuple(one for one in found if isinstance(one, Refusal))
        choices.append(Choice(task=task, currency=currency, offers=tuple(offers), refused=refused))
    return tuple(choices)


def _lacking(candidates: Sequence[Candidate]) -> list[str | None]:
    """Say of each candidate which figure an estimate of it lacks, each card and model looked at once."""
    cards: dict[tuple[int, str, str], str | None] = {}
    models: dict[tuple[int, str, str], str | None] = {}
    found = []
    for one in candidates:
        gpu, form = one.hardware.gpu, quantisation_of(one.quantisation)
        card, model = (id(gpu), form.compute, one.engine), (id(one.model), form.name, one.engine)
        if card not in cards:
            cards[card] = _problem(lambda: _card_figures(gpu, form.compute, one.engine))  # noqa: B023 - called at once
        if cards[card] is None and model not in models:
            precision = kv_precision_of(one.engine, form)
            models[model] = _problem(lambda: Columns.of([gpu], [one.model], [form], [precision]))  # noqa: B023 - called at once
        found.append(cards[card] or models.get(model))
    return found


def _card_figures(gpu: Gpu, compute: str, engine: str) -> None:
    """Ask for every figure of a card that an estimate needs; attention multiplies in 16 bits whatever the format."""
    efficiency_of(engine, gpu)
    for units in (compute, "bf16"):
        peak_of(gpu, units)


def _problem(ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except LlmTcoError as error:
        return str(error)
    return None


def _prices(candidates: Sequence[Candidate], fx: ExchangeRates, on: date) -> list[MonthlyPrice]:
    """Price each piece of hardware once, and give the price of each candidate's."""
    known: dict[int, MonthlyPrice] = {}
    for one in candidates:
        if id(one.hardware) not in known:
            known[id(one.hardware)] = price_of(one.hardware, fx, on)
    return [known[id(one.hardware)] for one in candidates]


@attrs.frozen(eq=False)
class _Sized:
    """What candidates deliver for tasks; all arrays have the shape `(tasks, candidates)`."""

    most: Rates
    alone: Rates
    at: Rates
    batch: FloatArray
    short_bytes: FloatArray
    generated_per_s: FloatArray
    low_ratio: FloatArray
    basis: Mapping[tuple[int, int], str]
    replicas: FloatArray
    busy: FloatArray
    low_replicas: FloatArray

    @classmethod
    def of(cls, tasks: Sequence[Task], candidates: Sequence[Candidate], records: tuple[Throughput, ...]) -> _Sized:
        """Size all candidates for all tasks."""
        group = Group.of(
            [one.hardware.gpu for one in candidates],
            [one.model for one in candidates],
            [one.quantisation for one in candidates],
            engine=[one.engine for one in candidates],
            gpus=[one.gpus for one in candidates],
        )

        def column(name: str, missing: float = np.inf) -> FloatArray:
            values = [getattr(task, name) for task in tasks]
            return np.array([missing if value is None else value for value in values], float)[:, None]

        prompt, answer = column("input_tokens"), column("output_tokens")
        ttft, tpot = column("ttft_s"), column("tpot_s")
        most = group.rates(prompt, answer)
        batch = most.batch
        if np.isfinite(np.minimum(ttft, tpot)).any():
            batch = group.largest_batch(prompt, answer, ttft_s=ttft, tpot_s=tpot)
        at = group.rates(prompt, answer, np.maximum(batch, 1.0))
        rate, low = at.generated_per_s.copy(), at.low_ratio.copy()
        basis = {}
        limited = np.isfinite(np.minimum(ttft, tpot))[:, 0]
        for place, measured in _measured(candidates, records):
            for row, task in enumerate(tasks):
                if batch[row, place] >= 1:
                    found = _throughput(candidates[place], task, measured, batch[row, place] if limited[row] else None)
                    rate[row, place] = found.generated_per_s(task.input_tokens, task.output_tokens)
                    low[row, place] = found.low_ratio
                    corrected = "corrected" if "corrected" in found.conditions else "estimate"
                    basis[row, place] = corrected if found.estimate else "measured"
        busy_s = column("requests_per_month") * answer / np.where(rate > 0, rate, 1.0)
        busy = busy_s / (HOURS_PER_MONTH * SECONDS_PER_HOUR)
        peak = busy * column("peak_to_mean") / column("planning_utilisation")
        return cls(
            most=most,
            alone=group.rates(prompt, answer, 1.0),
            at=at,
            batch=batch,
            short_bytes=group.columns.cache_bytes(prompt + answer) - most.room_bytes,
            generated_per_s=rate,
            low_ratio=low,
            basis=basis,
            replicas=np.ceil(peak * (1 - _ROUNDING)),
            busy=busy,
            low_replicas=np.ceil(peak / low * (1 - _ROUNDING)),
        )


def _measured(
    candidates: Sequence[Candidate], records: tuple[Throughput, ...]
) -> Iterator[tuple[int, tuple[Throughput, ...]]]:
    """Give the candidates of which there are measurements, with these."""
    known: dict[tuple[str, str, int], list[Throughput]] = {}
    for record in records:
        known.setdefault((record.gpu, record.model, record.gpus), []).append(record)
    for place, one in enumerate(candidates):
        near = known.get((one.hardware.gpu.key, one.model.key, one.gpus))
        if near:
            words = (one.hardware.gpu.key, one.model.key, one.quantisation)
            found = measured_at(near, *words, engine=one.engine, gpus=one.gpus)
            if found:
                yield place, found


def _throughput(one: Candidate, task: Task, measured: tuple[Throughput, ...], batch: float | None) -> Throughput:
    return throughput_at(
        measured,
        one.hardware.gpu,
        one.model,
        one.quantisation,
        engine=one.engine,
        gpus=one.gpus,
        input_tokens=task.input_tokens,
        output_tokens=task.output_tokens,
        concurrency=batch,
    )


def _verdict(
    task: Task,
    candidate: Candidate,
    grades: Grades,
    lacking: str | None,
    sized: _Sized | None,
    at: tuple[int, int],
    price: MonthlyPrice,
) -> Offer | Refusal:
    """Hold a candidate to everything that a task asks for, in the order of `REASONS`."""
    kind, reason, score = _quality(task, candidate, grades)
    if kind:
        return Refusal(candidate=candidate, kind=kind, reason=reason)
    if lacking is not None or sized is None:
        return Refusal(candidate=candidate, kind="figure", reason=lacking or "nothing could be estimated")
    kind, reason = _fit(task, candidate, sized, at)
    if kind:
        return Refusal(candidate=candidate, kind=kind, reason=reason)
    offer = _offer(candidate, sized, at, price, score)
    most = candidate.hardware.at_hand
    if most is not None and offer.servers > most:
        reason = f"{offer.servers:,} servers are needed, and {most:,} are at hand"
        return Refusal(candidate=candidate, kind="at hand", reason=reason)
    if price.problem is not None:
        return Refusal(candidate=candidate, kind="unpriced", reason=price.problem)
    return offer


def _quality(task: Task, candidate: Candidate, grades: Grades) -> tuple[str, str, float | None]:
    """Hold a candidate to the formats and the quality that a task asks for."""
    model, form = candidate.model, candidate.quantisation
    allowed = [quantisation_of(name).name for name in task.quantisations]
    if allowed and form not in allowed:
        return "quantisation", f"{form} is not among the formats of the task: {', '.join(allowed)}", None
    if task.least_parameters is not None and model.parameters < task.least_parameters:
        least = f"{task.least_parameters / 1e9:g} billion"
        return "quality", f"{model.parameters / 1e9:g} billion parameters; at least {least} are asked for", None
    if task.benchmark is None or task.minimum_score is None:
        return "", "", None
    try:
        score = grades.score(model, task.benchmark)
    except NotInForceError as error:
        return "quality unknown", str(error), None
    if score is None:
        known = grades.benchmarks(model)
        near = f"{suggest(task.benchmark, known)}" if known else "; none is stated at all"
        return "quality unknown", f"nobody states the {task.benchmark!r} of {model.key}{near}", None
    loss = grades.loss(model, form, task.benchmark)
    if loss is None and not task.ignore_quantisation_loss:
        text_ = f"nobody states what {form} costs {model.key} in {task.benchmark!r}; state a loss, or ignore it"
        return "quality unknown", f"{text_} by ignore_quantisation_loss = true", None
    left = score * (1.0 - (loss or 0.0))
    if left < task.minimum_score:
        after = f" after {loss:.2%} for {form}" if loss else ""
        return "quality", f"{task.benchmark} {left:.4g}{after}; at least {task.minimum_score:g} is asked for", None
    return "", "", left


def _fit(task: Task, candidate: Candidate, sized: _Sized, at: tuple[int, int]) -> tuple[str, str]:
    """Hold a candidate to its context, its memory and the latency that a task asks for."""
    length = task.input_tokens + task.output_tokens
    if sized.most.too_long[at]:
        return "context", f"{candidate.model.key} takes {candidate.model.context_tokens:,} tokens, not {length:,.0f}"
    if not sized.most.fits[at]:
        short = sized.short_bytes[at] / _GB
        return "memory", f"does not fit on {candidate.gpus} × {candidate.hardware.gpu.key}: {short:.1f} GB are missing"
    if sized.batch[at] < 1:
        asked = [
            f"{name} {found:.3g} s, and {limit:g} s is asked for"
            for name, found, limit in (
                ("TTFT", sized.alone.ttft_s[at], task.ttft_s),
                ("TPOT", sized.alone.tpot_s[at], task.tpot_s),
            )
            if limit is not None and found > limit
        ]
        return "latency", f"no batch meets it: one request alone has {' and '.join(asked)}"
    return "", ""


def _offer(candidate: Candidate, sized: _Sized, at: tuple[int, int], price: MonthlyPrice, score: float | None) -> Offer:
    per_server = candidate.hardware.replicas_per_server(candidate.gpus)
    servers, low = (
        int(np.ceil(max(float(count[at]), 1.0) / per_server * (1 - _ROUNDING)))
        for count in (sized.replicas, sized.low_replicas)
    )
    busy = float(sized.busy[at]) / per_server
    return Offer(
        candidate=candidate,
        cost_per_month=servers * price.fixed + busy * price.busy,
        servers=servers,
        servers_at_low=low,
        replicas=max(int(sized.replicas[at]), 1),
        utilisation=busy / servers,
        batch=int(sized.batch[at]),
        generated_per_s=float(sized.generated_per_s[at]),
        ttft_s=float(sized.at.ttft_s[at]),
        tpot_s=float(sized.at.tpot_s[at]),
        memory_left_bytes=float(sized.most.room_bytes[at]),
        score=score,
        basis=sized.basis.get(at, "estimate"),
    )
