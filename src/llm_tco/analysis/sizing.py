"""What the fleets of each option need: replicas, servers, memory, latency, power, and the next step.

Everything is read from the plans that the costs of the options were computed from. Nothing is
sized a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray
from llm_tco.analysis.compare import Comparison, Option
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.models import Throughput
from llm_tco.components.base import Component
from llm_tco.components.power import Power, states_of
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError, LlmTcoError
from llm_tco.money import Money
from llm_tco.serving.consumption import Consumption
from llm_tco.serving.estimate import Group
from llm_tco.serving.fleet import BoolArray, Fleet, FleetPlan
from llm_tco.serving.memory import fit
from llm_tco.serving.quantisation import quantisation_of

STEPS: Final = 3
"""Next steps of a fleet that are looked for."""
_LARGEST: Final = 2.0**40
"""Requests a month up to which they are looked for."""
_GB: Final = 1e9
_ROUNDING: Final = 1e-9
"""Share of the requests of a month that a fleet may leave over by rounding errors, as a router that fills it."""


@attrs.frozen(kw_only=True)
class ReplicaState:
    """How one model stands on the GPUs of a replica, at the mean lengths of its requests.

    Attributes:
        tag: The route whose requests it serves; empty where the fleet serves one model.
        model: Key of the model.
        quantisation: Format of its weights.
        gpu: Key of the GPU.
        gpus: GPUs of a replica.
        engine: Inference engine.
        state: `"fits"`, `"does not fit"` or `"unknown"`.
        note: Why, or what is left open; empty where nothing is.
        estimate: Whether the throughput that the fleet counts with is an estimate.
        weights_bytes: Memory of the weights. [B]
        cache_bytes: Memory of the cache of the requests at once; of one where no engine is named. [B]
        left_bytes: What weights, cache and the engine's own needs leave of the memory. [B]
        batch: Requests that a replica serves at once.
        ttft_s: Time to the first token of a prompt that waits for nobody, estimated. [s]
        tpot_s: Time of a further token, estimated. [s]
    """

    tag: str
    model: str
    quantisation: str
    gpu: str
    gpus: int
    engine: str
    state: str
    note: str = ""
    estimate: bool = False
    weights_bytes: float | None = None
    cache_bytes: float | None = None
    left_bytes: float | None = None
    batch: int | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None


@attrs.frozen(kw_only=True)
class Step:
    """A volume at which a fleet changes.

    Attributes:
        requests_per_month: The least requests a month of the users, in their busiest month, at which it does.
        servers: Servers that it takes; None where the fleet is full instead, and more goes elsewhere or unserved.
    """

    requests_per_month: int
    servers: int | None


@attrs.frozen(kw_only=True, eq=False)
class FleetSize:
    """What a fleet does in an option.

    Attributes:
        option: Name of the option.
        fleet: Name of the fleet.
        server: Key of the server.
        requests: Requests of each month that reach the fleet, shape `(T,)`.
        replicas: Replicas that the peak of each month needs, shape `(T,)`.
        servers: Servers that are switched on, shape `(T,)`.
        utilisation: Mean share of their capacity that is busy, shape `(T,)`.
        peak_utilisation: The same in the busiest hour, shape `(T,)`.
        unserved: Requests that nobody carries, shape `(T,)`.
        kwh: Energy at the servers, without the overhead of the facility, shape `(T,)`; None where the
            server states no watts. [kWh]
        peak_kw: Highest power at the servers in any month; None as above. [kW]
        power_note: Why there is no power; empty where there is.
        models: How each model stands on a replica.
        steps: The next volumes at which a server more is needed, or the fleet is full.
        notes: Limits that were met, and what of the load is not counted.
    """

    option: str
    fleet: str
    server: str
    requests: FloatArray
    replicas: FloatArray
    servers: FloatArray
    utilisation: FloatArray
    peak_utilisation: FloatArray
    unserved: FloatArray
    kwh: FloatArray | None
    peak_kw: float | None
    power_note: str
    models: tuple[ReplicaState, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]

    @property
    def unserved_share(self) -> float:
        """Share of the requests of all months that nobody carries."""
        total = float(self.requests.sum())
        return float(self.unserved.sum()) / total if total else 0.0

    @property
    def carries(self) -> bool:
        """Whether every model fits and every request is served."""
        return not self.unserved.any() and all(model.state != "does not fit" for model in self.models)


def fleet_sizes(comparison: Comparison, catalog: Catalog) -> tuple[FleetSize, ...]:
    """Read what the fleets of each option need.

    Args:
        comparison: The options, evaluated.
        catalog: Where GPUs and models are looked up.

    Raises:
        InvalidValueError: The workload holds draws.
    """
    found = []
    for name in comparison:
        option = comparison[name]
        ledger = option.ledger
        fleets = [(fleet, load) for fleet, load in ledger.loads.items() if isinstance(fleet, Fleet)]
        for fleet, load in sorted(fleets, key=lambda pair: pair[0].name):
            of_option = np.broadcast_to(ledger.unserved, (*ledger.unserved.shape[:-1], ledger.timeline.size))
            short = of_option[..., load.offset : load.offset + load.demand.timeline.size]
            found.append(_size(option, fleet.size(load.demand), short, catalog))
    return tuple(found)


def _left_over(plan: FleetPlan) -> FloatArray:
    """Give the requests that a plan leaves unserved, without rounding errors, shape `(..., T + 1)`."""
    return np.where(plan.unserved > _ROUNDING * plan.demand.requests, plan.unserved, 0.0)


def _needed(plan: FleetPlan, unserved: FloatArray) -> FloatArray:
    """Give the replicas that the peak needs: where all is served, no more than there are."""
    fleet = plan.fleet
    there = plan.carrying * fleet.replicas_per_server
    whole = there if fleet.fractional else np.floor(there * (1.0 + _ROUNDING))
    return np.where((unserved <= 0) & fleet.limited, np.minimum(plan.replicas, whole), plan.replicas)


def _size(option: Option, plan: FleetPlan, short: FloatArray, catalog: Catalog) -> FleetSize:
    """Read the size of a fleet from its plan.

    Args:
        option: The option.
        plan: The plan.
        short: Requests that the whole option leaves unserved in the months of the plan.
        catalog: Where GPUs and models are looked up.
    """
    size = plan.demand.timeline.size

    def months(amounts: FloatArray) -> FloatArray:
        if np.ndim(amounts) > 1:
            raise InvalidValueError("workload", "holds draws; a sizing is read from one workload without them")
        return np.broadcast_to(amounts, size)[1:].astype(float)

    fleet = plan.fleet
    # What the option as a whole does not leave unserved, none of its fleets does.
    unserved = np.minimum(_left_over(plan), short)
    kwh, peak_kw, why = None, None, ""
    try:
        # No money is read: the price is there because an energy bill has one.
        states = states_of(Power(fleet, price_per_kwh=Money(0.0, "USD"), pue=1.0))
        use = Consumption(plan, states, 1.0)
        kwh, peak_kw = months(use.kwh), float(np.max(use.peak_kw[..., 1:]))
    except InvalidValueError as error:
        why = str(error)
    return FleetSize(
        option=option.name,
        fleet=fleet.name,
        server=fleet.server.key,
        requests=months(plan.demand.requests),
        replicas=months(_needed(plan, unserved)),
        servers=months(plan.active),
        utilisation=months(plan.utilisation),
        peak_utilisation=months(plan.peak_utilisation),
        unserved=months(unserved),
        kwh=kwh,
        peak_kw=peak_kw,
        power_note=why,
        models=tuple(_models(fleet, plan.demand, catalog)),
        steps=next_steps(fleet, option.demand, behind=None if plan.demand.same_as(option.demand) else option.component),
        notes=tuple(state.note for state in (*plan.limits, *plan.cautions)),
    )


def _models(fleet: Fleet, demand: Demand, catalog: Catalog) -> Iterator[ReplicaState]:
    if isinstance(fleet.throughput, Throughput):
        yield replica_state(fleet.throughput, demand, catalog, slots=fleet.slots)
        return
    for tag, throughput in fleet.throughput.items():
        yield replica_state(throughput, demand.where(tag), catalog, slots=fleet.slots, tag=tag)


def replica_state(
    throughput: Throughput, demand: Demand, catalog: Catalog, *, slots: int | None = None, tag: str = ""
) -> ReplicaState:
    """Say how a model stands on the GPUs of a replica, at the mean lengths of its requests.

    Args:
        throughput: What the fleet counts with.
        demand: The requests.
        catalog: Where the GPU and the model are looked up.
        slots: Requests that a replica serves at once; without it those of the record, else as many as
            memory and engine allow.
        tag: The route whose requests they are.

    Returns:
        The state; `"unknown"` with the reason where a record or a figure is missing.
    """
    words: dict[str, Any] = {
        "tag": tag,
        "model": throughput.model,
        "quantisation": throughput.quantisation,
        "gpu": throughput.gpu,
        "gpus": throughput.gpus,
        "engine": throughput.engine,
        "estimate": throughput.estimate,
    }
    requests = float(np.sum(demand.requests))
    if requests <= 0:
        return ReplicaState(**words, state="unknown", note="it gets no requests")
    prompt = float(np.sum(demand.input_tokens)) / requests
    answer = max(float(np.sum(demand.output_tokens)) / requests, 1.0)
    if not throughput.engine:
        return _by_memory(words, throughput, catalog, prompt + answer)
    try:
        group = Group.of(
            catalog.gpu(throughput.gpu),
            catalog.model(throughput.model),
            quantisation_of(throughput.quantisation),
            engine=throughput.engine,
            gpus=throughput.gpus,
        )
        at_once = slots if slots is not None else throughput.concurrency
        found = group.rates(prompt, answer, None if at_once is None else np.asarray(at_once, float))
    except LlmTcoError as error:
        return ReplicaState(**words, state="unknown", note=str(error))
    weights, sequence = (
        float(group.columns.weights[0]),
        float(group.columns.cache_bytes(np.asarray(prompt + answer))[0]),
    )
    room, batch = float(found.room_bytes[0]), float(found.batch[0])
    state, note = "fits", ""
    if found.too_long.any():
        state = "does not fit"
        note = f"a request of {prompt + answer:,.0f} tokens is longer than the {group.columns.context[0]:,.0f} it takes"
    elif batch < 1:
        state, note = "does not fit", f"{(sequence - room) / _GB:.1f} GB are missing for one request"
    elif at_once is not None and batch < float(np.max(at_once)):
        state, note = "does not fit", f"{batch:,.0f} of the {float(np.max(at_once)):,.0f} requests at once fit"
    served = batch >= 1
    return ReplicaState(
        **words,
        state=state,
        note=note,
        weights_bytes=weights,
        cache_bytes=batch * sequence,
        left_bytes=room - batch * sequence,
        batch=int(batch),
        ttft_s=float(found.ttft_s[0]) if served else None,
        tpot_s=float(found.tpot_s[0]) if served else None,
    )


def _by_memory(words: dict[str, Any], throughput: Throughput, catalog: Catalog, length: float) -> ReplicaState:
    """Say whether one request fits, where no engine is named on which more would depend."""
    try:
        gpu, model = catalog.gpu(throughput.gpu), catalog.model(throughput.model)
        found = fit(model, throughput.quantisation, gpu, gpus=throughput.gpus, context_tokens=length)
    except LlmTcoError as error:
        return ReplicaState(**words, state="unknown", note=str(error))
    return ReplicaState(
        **words,
        state="fits" if found.fits else "does not fit",
        note="no latency: the throughput names no engine" if found.fits else str(found),
        weights_bytes=float(found.weights_bytes),
        cache_bytes=float(found.sequence_bytes),
        left_bytes=float(found.room_bytes - found.sequence_bytes),
    )


def next_steps(
    fleet: Fleet, demand: Demand, *, behind: Component | None = None, count: int = STEPS
) -> tuple[Step, ...]:
    """Find the next volumes at which a fleet needs a server more, or at which a limited one is full.

    The whole demand is scaled; a volume is that of its busiest month, in whole requests.

    Args:
        fleet: The fleet.
        demand: What the users ask for.
        behind: What hands the fleet its part of that, such as a router or a cache; without
            it the fleet carries all.
        count: Steps to look for.

    Returns:
        Steps with rising volumes; none where there are no requests, or none is found below 2^40.
    """
    now = float(np.max(demand.requests))
    if now <= 0:
        return ()

    def at(requests: FloatArray) -> FleetPlan:
        scaled = demand.scaled(requests / now)
        return fleet.size(scaled if behind is None else behind.cost(scaled).loads[fleet].demand)

    if fleet.limited:
        reached = _least(lambda requests: _full(at(requests)), now, np.ones(1))
        return tuple(Step(requests_per_month=int(one), servers=None) for one in reached if np.isfinite(one))
    wanted = float(np.max(at(np.full(1, now)).active[..., 1:])) + np.arange(1.0, count + 1.0)
    reached = _least(
        lambda requests: np.asarray(at(requests).active[..., 1:].max(axis=-1) >= wanted), now, np.ones(count)
    )
    return tuple(
        Step(requests_per_month=int(one), servers=int(np.ceil(servers)))
        for one, servers in zip(reached, wanted, strict=True)
        if np.isfinite(one)
    )


def _full(plan: FleetPlan) -> BoolArray:
    """Say whether a limited fleet leaves something over: unserved, or to what stands behind it."""
    load = plan.demand.load
    filled = plan.offered * load.peak >= plan.room * (1.0 - _ROUNDING)
    handed_on = (load.high < load.shape.peak) & filled & (plan.offered > 0)
    return np.asarray(((plan.unserved > 0) | handed_on)[..., 1:].any(axis=-1))


def _least(holds: Callable[[FloatArray], BoolArray], start: float, shape: FloatArray) -> FloatArray:
    """Give the least whole number of requests at which something holds from there on, infinite where none is found."""
    low, high = np.zeros_like(shape), np.maximum(np.ceil(start), 1.0) * shape
    found = holds(high)
    while not found.all() and high.max() < _LARGEST:
        low, high = np.where(found, low, high), np.where(found, high, high * 2.0)
        found = holds(high)
    while (high - low > 1.0).any():
        middle = np.floor((low + high) / 2.0)
        there = holds(np.maximum(middle, 1.0))
        low, high = np.where(there, low, np.maximum(middle, low)), np.where(there, middle, high)
    return np.where(found, high, np.inf)
