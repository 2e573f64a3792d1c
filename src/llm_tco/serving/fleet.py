"""Servers that carry a demand: whole replicas, whole servers, spare ones."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import ClassVar

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, column, is_a, number, plain, whole
from llm_tco.catalog.hardware import Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.records import Record
from llm_tco.demand import Demand, Stream
from llm_tco.errors import InvalidValueError, UnknownRecordError
from llm_tco.ledger import FleetLoad, Ledger, State
from llm_tco.lengths import Lengths
from llm_tco.lines import Line
from llm_tco.serving.energy import PowerCap, Site
from llm_tco.serving.queueing import WaitTarget, load_for, mean_wait_s, replicas_for
from llm_tco.serving.reliability import Reliability, enough_probability, outage_minutes, spares_for
from llm_tco.units import HOURS_PER_MONTH, MONTHS_PER_YEAR, SECONDS_PER_HOUR

BoolArray = npt.NDArray[np.bool_]
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
        active: Servers switched on in each month, those that stand by included.
        carrying: Those of them that carry load.
        busy_hours: Hours for which replicas are busy in each month. [h]
        busy_server_hours: The same counted in servers. [h]
        capacity_hours: Hours for which the replicas that are switched on, without those
            that stand by, could be busy in each month. [h]
        offered: Replicas that the whole demand would keep busy on average.
        room: Replicas that may be busy at once; infinite where the fleet is sized.
        request_s: Time for which a request keeps a replica busy on average. [s]
        unserved: Requests that the fleet cannot carry in each month.
        overloaded: The straight piece of the load curve on which a limited fleet's capacity
            lies; it does not change where cost is affine in the volume.
        limits: What a reader must know of limits that were met.
        cautions: What a reader must know of the load that the throughput does not count.
    """

    fleet: Fleet
    demand: Demand
    replicas: FloatArray
    installed: FloatArray
    active: FloatArray
    carrying: FloatArray
    busy_hours: FloatArray
    busy_server_hours: FloatArray
    capacity_hours: FloatArray
    offered: FloatArray
    room: FloatArray
    request_s: FloatArray
    unserved: FloatArray
    overloaded: FloatArray
    limits: tuple[State, ...] = ()
    cautions: tuple[State, ...] = ()

    @property
    def utilisation(self) -> FloatArray:
        """Mean share of the capacity that is busy, 0 to 1; 0 where nothing is switched on."""
        capacity = self.capacity_hours
        return np.divide(self.busy_hours, capacity, out=np.zeros(self.busy_hours.shape), where=capacity > 0)

    @property
    def peak_utilisation(self) -> FloatArray:
        """Share of the capacity that is busy in the busiest hour, 0 to 1; 0 where nothing is switched on."""
        capacity = self.carrying * self.fleet.replicas_per_server
        busy = np.broadcast_to(self._peak_busy, np.broadcast_shapes(self._peak_busy.shape, capacity.shape))
        return np.divide(busy, capacity, out=np.zeros(busy.shape), where=capacity > 0)

    @property
    def _peak_busy(self) -> FloatArray:
        return np.minimum(self.offered * self.demand.load.peak, self.room)

    @property
    def peak_busy_servers(self) -> FloatArray:
        """Servers' worth of replicas that are busy in the busiest hour of each month."""
        return self._peak_busy / self.fleet.replicas_per_server

    @property
    def busy_by_level(self) -> FloatArray:
        """Servers' worth of busy replicas at each level of the load shape, shape `(..., T + 1, H)`."""
        offered = self.offered[..., None] * self.demand.load.levels
        return np.minimum(offered, self.room[..., None]) / self.fleet.replicas_per_server

    @property
    def peak_wait_s(self) -> FloatArray:
        """Mean wait in seconds for a free slot in the busiest hour of each month; infinite where it is overloaded.

        Raises:
            InvalidValueError: The fleet does not say how many requests a replica serves at once.
        """
        fleet = self.fleet
        slots = np.floor(self.carrying * fleet.replicas_per_server * (1.0 + _ROUNDING)) * fleet.slots_or_fail
        load = self.offered * self.demand.load.peak * fleet.slots_or_fail
        target = fleet.wait or WaitTarget(max_wait_s=1.0)
        mean = mean_wait_s(np.maximum(slots, 1.0), load, self.request_s * fleet.slots_or_fail)
        wait = np.where(slots > load, mean, np.inf) * target.variability
        return np.where(load > 0, wait, 0.0)

    @property
    def racks(self) -> FloatArray:
        """Racks that the installed servers fill.

        Raises:
            InvalidValueError: The fleet does not say how many servers a rack holds.
        """
        site = self.fleet.site
        if site is None or site.servers_per_rack is None:
            raise InvalidValueError("servers_per_rack", f"is missing in the site of the fleet {self.fleet.name!r}")
        return np.ceil(self.installed / site.servers_per_rack * (1.0 - _ROUNDING))

    @property
    def failures(self) -> FloatArray:
        """Failures of active servers that are expected in each month."""
        return self.active * column(self.fleet.reliability_or_fail.failures_per_year) / MONTHS_PER_YEAR

    @property
    def availability(self) -> FloatArray:
        """Share of the time for which as many servers are up as carry load."""
        one = column(self.fleet.reliability_or_fail.of_one)
        return enough_probability(self.carrying, self.active - self.carrying, one)

    @property
    def outage_minutes_per_year(self) -> FloatArray:
        """Expected minutes a year in which the fleet carries less than it should, at the rate of each month."""
        fleet, reliability = self.fleet, self.fleet.reliability_or_fail
        standing_by = int(np.max(self.active - self.carrying, initial=0.0))
        take_over = reliability.take_over_s(standing_by - fleet.standby, fleet.standby)
        rate, seconds = column(reliability.failures_per_year), column(take_over)
        helped = np.where(self.active > self.carrying, seconds, 0.0)
        return outage_minutes(self.carrying, rate, helped, self.availability)

    def ledger(
        self, *lines: Line, records: tuple[Record, ...] = (), rising: bool = False, smooth: bool = False
    ) -> Ledger:
        """Make a ledger of lines that were read from this plan.

        Args:
            lines: The lines.
            records: Records that were used beside those of the fleet.
            rising: Whether their present value never falls as the volume rises.
            smooth: Whether they are curved in the volume between steps.
        """
        fleet = self.fleet
        steps: dict[Hashable, FloatArray] = {(fleet, "installed"): self.installed, (fleet, "active"): self.active}
        if fleet.limited:
            steps[fleet, "overloaded"] = self.overloaded
            steps[fleet, "carrying"] = self.carrying
        return Ledger(
            timeline=self.demand.timeline,
            lines=lines,
            unserved=self.unserved,
            loads={fleet: FleetLoad(demand=self.demand)},
            steps=steps,
            states=frozenset([*fleet.states(), *self.limits, *self.cautions]),
            records=(*fleet.records, *records),
            served=np.ones(self.demand.timeline.size),
            rising=rising,
            smooth=smooth,
        )


def _throughputs(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


@attrs.frozen(eq=False, kw_only=True)
class Fleet:
    """Servers of one kind that carry one demand together.

    Without a count it is sized: so many whole replicas that the peak of each month keeps
    them busy up to the planned utilisation, on whole servers, plus the spares. With a
    count, or where the power of its site ends, it is what it is, and says what it cannot carry.

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
        slots: Requests that a replica serves at once.
        wait: How long requests may wait in the busiest hour; more replicas keep it.
        standby: Servers beside the spares that stand by with their model loaded.
        reliability: How often servers fail, and how many spares that takes.
        site: What a rack holds, and how much power there is.
        power_cap: A limit on the power of its servers, which costs speed.
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
    slots: int | None = whole(ge=1, default=None, optional=True)
    wait: WaitTarget | None = attrs.field(default=None, validator=is_a(WaitTarget, optional=True))
    standby: int = whole(ge=0, default=0)
    reliability: Reliability | None = attrs.field(default=None, validator=is_a(Reliability, optional=True))
    site: Site | None = attrs.field(default=None, validator=is_a(Site, optional=True))
    power_cap: PowerCap | None = attrs.field(default=None, validator=is_a(PowerCap, optional=True))

    def __attrs_post_init__(self) -> None:
        for throughput in self._throughputs:
            if self.server.gpu is not None and throughput.gpu != self.server.gpu:
                raise InvalidValueError(
                    "throughput",
                    f"was measured on {throughput.gpu!r}, but the server {self.server.key!r} holds {self.server.gpu!r}",
                )
        if len({throughput.gpus for throughput in self._throughputs}) > 1:
            raise InvalidValueError("throughput", "must use equally many GPUs a replica for every model")
        if self.count is not None and self.spares + self.standby >= self.count:
            name = "spares" if self.spares >= self.count else "standby"
            raise InvalidValueError(name, f"must be fewer than the count of {self.count}, got {getattr(self, name)}")
        if self.wait is not None:
            self.slots_or_fail  # noqa: B018 - refuses a wait without slots here, at the door
            if self.fractional:
                raise InvalidValueError("wait", "needs whole replicas, which fractional = true gives up")
        if self.site is not None and self.site.power_budget_w is not None and self.server.peak_w is None:
            raise InvalidValueError("site.power_budget_w", f"needs the peak_w of the server {self.server.key!r}")

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
    def slots_or_fail(self) -> int:
        """Requests that a replica serves at once.

        Raises:
            InvalidValueError: They are not stated.
        """
        if self.slots is None:
            raise InvalidValueError(
                "slots",
                f"is missing in the fleet {self.name!r}: a wait depends on the requests that a replica serves at once",
            )
        return self.slots

    @property
    def reliability_or_fail(self) -> Reliability:
        """How often its servers fail.

        Raises:
            InvalidValueError: It is not stated.
        """
        if self.reliability is None:
            raise InvalidValueError("reliability", f"is missing in the fleet {self.name!r}: state failures and repair")
        return self.reliability

    @property
    def limited(self) -> bool:
        """Whether something other than the demand limits the number of its servers."""
        return self.count is not None or self._most is not None

    @property
    def _most(self) -> FloatArray | None:
        """Servers that the power of the site feeds, shape `(..., 1)`; None without a limit."""
        if self.site is None or self.site.power_budget_w is None or self.server.peak_w is None:
            return None
        share = 1.0 if self.power_cap is None else self.power_cap.share_of_power
        servers = np.asarray(self.site.power_budget_w / (self.server.peak_w * share))[..., None]
        return servers if self.fractional else np.floor(servers * (1.0 + _ROUNDING))

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

    def _work(self, demand: Demand) -> FloatArray:
        """Give the hours for which the whole demand would keep replicas busy in each month."""
        work = np.zeros(demand.timeline.size)
        for stream in demand.streams:
            lengths = stream.lengths
            seconds = self._throughput_for(stream).busy_seconds(_fresh(lengths), lengths.output_tokens)
            work = work + stream.requests * lengths.mean(seconds) / SECONDS_PER_HOUR
        return work if self.power_cap is None else work / column(self.power_cap.share_of_speed)

    def _cautions(self, demand: Demand) -> tuple[State, ...]:
        """Say of which throughputs no rate counts the prompts of their requests."""
        doubtful = (throughput for throughput in self._throughputs if not throughput.counts_prompts)
        notes = (throughput.uncounted_prompts(*self._tokens(throughput, demand)) for throughput in doubtful)
        return tuple(State(kind="caution", path=(self.name,), note=note) for note in notes if note is not None)

    def _tokens(self, throughput: Throughput, demand: Demand) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give the prompt tokens that are read, the generated ones and the requests that a throughput serves."""
        read, generated, requests = (np.zeros(demand.timeline.size) for _ in range(3))
        for stream in demand.streams:
            if self._throughput_for(stream) is throughput:
                lengths = stream.lengths
                read = read + stream.requests * lengths.mean(_fresh(lengths))
                generated = generated + stream.requests * lengths.mean(lengths.output_tokens)
                requests = requests + stream.requests
        return read, generated, requests

    def _size(self, demand: Demand) -> FleetPlan:
        in_month = demand.timeline.index > 0
        work = self._work(demand)
        hours, planned = (np.asarray(value)[..., None] for value in (self.hours_per_month, self.planning_utilisation))
        mean = work / hours
        request_s = _per_request(work * SECONDS_PER_HOUR, demand.requests)
        peak = mean * demand.load.peak
        replicas = self._whole(peak / planned)
        if self.wait is not None and self.slots is not None:
            replicas = replicas_for(self.wait, peak, self.slots, request_s * self.slots, replicas)
        per_server = self.replicas_per_server
        active, carrying, short, limits = self._servers(self._whole(replicas / per_server))
        if self.limited:
            room = np.where(short, self._room(carrying * per_server, planned, request_s), np.inf)
            with np.errstate(over="ignore"):  # next to no load lies below any level
                level = np.where(mean > 0, room * (1.0 + _ROUNDING) / np.where(mean > 0, mean, 1.0), np.inf)
            carried, overloaded = demand.load.carried(level), demand.load.segment(level)
        else:
            room, carried, overloaded = np.full(1, np.inf), np.ones(1), np.zeros(1)
        active, carrying = np.where(in_month, active, 0.0), np.where(in_month, carrying, 0.0)
        start = active[..., 1:2]
        installed = np.maximum.accumulate(np.concatenate([start, active[..., 1:]], axis=-1), axis=-1)
        busy = work * carried
        return FleetPlan(
            fleet=self,
            demand=demand,
            replicas=np.where(in_month, replicas, 0.0),
            installed=installed,
            active=active,
            carrying=carrying,
            busy_hours=busy,
            busy_server_hours=busy / per_server,
            capacity_hours=carrying * per_server * hours,
            offered=mean,
            room=room,
            request_s=request_s,
            unserved=demand.requests * (1.0 - carried),
            overloaded=overloaded,
            limits=limits,
            cautions=self._cautions(demand),
        )

    def _servers(self, carrying: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray, tuple[State, ...]]:
        """Give the servers that are on, those that carry load, where they are limited, and what limits them.

        Args:
            carrying: Servers that the peak needs, shape `(..., T + 1)`.
        """
        beside: FloatArray = np.asarray(float(self.spares + self.standby))
        if self.count is None and self.reliability is not None and self.reliability.availability is not None:
            wanted = spares_for(
                np.ceil(carrying), column(self.reliability.of_one), column(self.reliability.availability)
            )
            beside = np.maximum(beside, wanted)
        active = carrying + beside if self.count is None else np.full(carrying.shape, float(self.count))
        most = self._most
        if most is None:
            return active, active - beside, np.full(active.shape, self.count is not None), ()
        fed = np.minimum(active, most)
        limits: tuple[State, ...] = ()
        if (fed < active)[..., 1:].any():
            note = (
                f"the power budget feeds {plain(np.min(most))} servers, and the load needs "
                f"{plain(np.max(active[..., 1:]))}; what is above is unserved. State a larger power_budget_w, a "
                "power_cap, or send the rest elsewhere."
            )
            limits = (State(kind="caution", path=(self.name,), note=note),)
        return fed, np.maximum(fed - beside, 0.0), (fed < active) | (self.count is not None), limits

    def _room(self, owned: FloatArray, planned: FloatArray, request_s: FloatArray) -> FloatArray:
        """Give the replicas that may be busy at once, shape `(..., T + 1)`, of those that the fleet has."""
        whole_ones = owned if self.fractional else np.floor(owned * (1.0 + _ROUNDING))
        room = whole_ones * planned
        if self.wait is None or self.slots is None:
            return np.asarray(room)
        return np.minimum(room, load_for(self.wait, whole_ones, self.slots, request_s * self.slots))


def _fresh(lengths: Lengths) -> FloatArray:
    """Give the prompt tokens that are read: a prefix that is cached keeps nobody busy."""
    return lengths.input_tokens - lengths.cached_tokens


def _per_request(seconds: FloatArray, requests: FloatArray) -> FloatArray:
    """Divide busy seconds by requests; 0 where there are none."""
    seconds, requests = np.broadcast_arrays(seconds, requests)
    return np.divide(seconds, requests, out=np.zeros(seconds.shape), where=requests > 0)
