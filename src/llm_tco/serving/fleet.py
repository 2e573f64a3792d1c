"""Servers that carry a demand: whole replicas, whole servers, spare ones."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, is_a, number, whole
from llm_tco.catalog.hardware import Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.records import Record
from llm_tco.demand import Demand, Stream
from llm_tco.errors import InvalidValueError, UnknownRecordError
from llm_tco.ledger import FleetLoad, Ledger, Line, State
from llm_tco.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

_ROUNDING = 1e-12
"""Share of a replica by which a load may exceed a whole number and still fit: rounding errors."""


@attrs.frozen(eq=False, kw_only=True)
class FleetPlan:
    """What a fleet does under one demand. All arrays have the shape `(..., T + 1)`.

    Attributes:
        fleet: The fleet.
        demand: The demand.
        replicas: Replicas that the peak of each month needs.
        installed: Servers owned; it never falls. At index 0, those of month 1.
        active: Servers switched on in each month, spares included.
        busy_hours: Hours for which replicas are busy in each month. [h]
        busy_server_hours: The same counted in servers. [h]
        capacity_hours: Hours for which the replicas that are switched on, without the
            spares, could be busy in each month. [h]
        unserved: Requests that the fleet cannot carry in each month.
        overloaded: The straight piece of the load curve on which a fixed fleet's capacity
            lies; it does not change where cost is affine in the volume.
    """

    fleet: Fleet
    demand: Demand
    replicas: FloatArray
    installed: FloatArray
    active: FloatArray
    busy_hours: FloatArray
    busy_server_hours: FloatArray
    capacity_hours: FloatArray
    unserved: FloatArray
    overloaded: FloatArray

    @property
    def utilisation(self) -> FloatArray:
        """Mean share of the capacity that is busy, 0 to 1; 0 where nothing is switched on."""
        capacity = self.capacity_hours
        return np.divide(self.busy_hours, capacity, out=np.zeros(self.busy_hours.shape), where=capacity > 0)

    def ledger(self, *lines: Line, records: tuple[Record, ...] = (), rising: bool = False) -> Ledger:
        """Make a ledger of lines that were read from this plan.

        Args:
            lines: The lines.
            records: Records that were used beside those of the fleet.
            rising: Whether their present value never falls as the volume rises.
        """
        fleet = self.fleet
        steps: dict[Hashable, FloatArray] = {(fleet, "installed"): self.installed, (fleet, "active"): self.active}
        if fleet.count is not None:
            steps[fleet, "overloaded"] = self.overloaded
        return Ledger(
            timeline=self.demand.timeline,
            lines=lines,
            unserved=self.unserved,
            loads={fleet: FleetLoad(demand=self.demand)},
            steps=steps,
            states=frozenset(fleet.states()),
            records=(*fleet.records, *records),
            served=np.ones(self.demand.timeline.size),
            rising=rising,
        )


def _throughputs(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


@attrs.frozen(eq=False, kw_only=True)
class Fleet:
    """Servers of one kind that carry one demand together.

    Without a count it is sized: so many whole replicas that the peak of each month keeps
    them busy up to the planned utilisation, on whole servers, plus the spares. With a
    count it is what it is, and says what it cannot carry.

    Attributes:
        server: The machine.
        throughput: What one replica delivers; or one for each tag of the demand, such as
            the routes of a router, where the fleet serves several models.
        name: What people call it; the server's key without one.
        count: Number of servers, spares included, where it is fixed.
        planning_utilisation: Share of a replica's capacity that the peak may use.
        spares: Servers that stand by for one that fails and carry no load.
        hours_per_month: Hours for which it runs and the demand comes in. [h/month]
        fractional: Whether replicas and servers may be parts of whole ones.
    """

    kind: ClassVar[str] = "fleet"

    server: Server = attrs.field(validator=is_a(Server))
    throughput: Throughput | Mapping[str, Throughput] = attrs.field(
        converter=_throughputs, validator=is_a(Throughput, Mapping)
    )
    name: str = attrs.field(default=attrs.Factory(lambda self: self.server.key, takes_self=True))
    count: int | None = whole(ge=1, default=None, optional=True)
    planning_utilisation: Number = number(gt=0, le=1, default=1.0)
    spares: int = whole(ge=0, default=0)
    hours_per_month: Number = number(gt=0, le=744, default=HOURS_PER_MONTH)
    fractional: bool = False

    def __attrs_post_init__(self) -> None:
        for throughput in self._throughputs:
            if self.server.gpu is not None and throughput.gpu != self.server.gpu:
                raise InvalidValueError(
                    "throughput",
                    f"was measured on {throughput.gpu!r}, but the server {self.server.key!r} holds {self.server.gpu!r}",
                )
        if len({throughput.gpus for throughput in self._throughputs}) > 1:
            raise InvalidValueError("throughput", "must use equally many GPUs a replica for every model")
        if self.count is not None and self.spares >= self.count:
            raise InvalidValueError("spares", f"must be fewer than the count of {self.count}, got {self.spares}")

    @property
    def _throughputs(self) -> tuple[Throughput, ...]:
        return tuple(self.throughput.values()) if isinstance(self.throughput, Mapping) else (self.throughput,)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records whose figures it uses."""
        return (self.server, *self._throughputs)

    def states(self) -> list[State]:
        """Say which of its figures are estimates."""
        return [
            State(kind="estimate", path=(self.name,), note=f"the throughput {throughput.title} is an estimate")
            for throughput in self._throughputs
            if throughput.estimate
        ]

    @property
    def replicas_per_server(self) -> float:
        """Replicas that one server holds; below 1 where a replica spans servers."""
        per_replica, per_server = self._throughputs[0].gpus, self.server.gpus
        if self.fractional:
            return per_server / per_replica
        return float(per_server // per_replica) if per_replica <= per_server else 1.0 / -(-per_replica // per_server)

    def _throughput_for(self, stream: Stream) -> Throughput:
        if not isinstance(self.throughput, Mapping):
            return self.throughput
        found = [name for name in self.throughput if name in stream.tags]
        if len(found) != 1:
            tags = ", ".join(sorted(stream.tags)) or "none"
            raise UnknownRecordError(
                f"the fleet {self.name!r} has throughputs for {', '.join(self.throughput)}, and exactly one must match "
                f"the tags of a stream (here: {tags}). Name them after the routes that lead to it."
            )
        return self.throughput[found[0]]

    def size(self, demand: Demand) -> FleetPlan:
        """Say how many servers a demand needs, and what they do. Remembered per demand."""
        return demand.remember(self, lambda: self._size(demand))  # type: ignore[no-any-return]  # memory is untyped

    def _whole(self, amount: FloatArray) -> FloatArray:
        return amount if self.fractional else np.ceil(amount * (1.0 - _ROUNDING))

    def _size(self, demand: Demand) -> FleetPlan:
        work = np.zeros(demand.timeline.size)
        for stream in demand.streams:
            lengths = stream.lengths
            seconds = self._throughput_for(stream).busy_seconds(lengths.input_tokens, lengths.output_tokens)
            work = work + stream.requests * lengths.mean(seconds) / SECONDS_PER_HOUR
        hours, planned = (np.asarray(value)[..., None] for value in (self.hours_per_month, self.planning_utilisation))
        mean = work / hours
        replicas = self._whole(mean * demand.load.peak / planned)
        per_server = self.replicas_per_server
        needed = self._whole(replicas / per_server) + self.spares
        if self.count is None:
            active, carried, overloaded = needed, np.ones(1), np.zeros(1)
        else:
            active = np.full(needed.shape, float(self.count))
            owned = (self.count - self.spares) * per_server
            room = (owned if self.fractional else np.floor(owned * (1.0 + _ROUNDING))) * planned
            level = np.where(mean > 0, room * (1.0 + _ROUNDING) / np.where(mean > 0, mean, 1.0), np.inf)
            carried, overloaded = demand.load.carried(level), demand.load.segment(level)
        active = np.where(demand.timeline.index > 0, active, 0.0)
        start = active[..., 1:2]
        installed = np.maximum.accumulate(np.concatenate([start, active[..., 1:]], axis=-1), axis=-1)
        busy = work * carried
        return FleetPlan(
            fleet=self,
            demand=demand,
            replicas=np.where(demand.timeline.index > 0, replicas, 0.0),
            installed=installed,
            active=active,
            busy_hours=busy,
            busy_server_hours=busy / per_server,
            capacity_hours=(active - np.where(active > 0, self.spares, 0)) * per_server * hours,
            unserved=demand.requests * (1.0 - carried),
            overloaded=overloaded,
        )
