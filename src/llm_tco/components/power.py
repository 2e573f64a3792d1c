"""Electricity."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, is_a, number, text
from llm_tco.catalog.tariffs import Tariff
from llm_tco.components.base import Composable, monthly
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger, State
from llm_tco.loadshape import HourOfWeek
from llm_tco.money import Money, money
from llm_tco.serving.consumption import Consumption
from llm_tco.serving.energy import PowerStates
from llm_tco.serving.fleet import Fleet
from llm_tco.units import HOURS_PER_MONTH


@attrs.frozen(eq=False)
class Power(Composable):
    """The electricity that a fleet draws, from idle to peak, with the facility's overhead.

    Servers that are switched on draw their idle power while nothing runs. While something
    runs they draw from their loaded power, at the lightest load, to their peak power, on a
    straight line over the share of their capacity that is busy. Where no loaded power is
    stated, that line runs from idle to peak, and the mean load gives the energy exactly:
    energy of a month in kWh = (idle_w · server-hours + (peak_w − idle_w) · busy
    server-hours) / 1000 · PUE, with power usage effectiveness as in ISO/IEC 30134-2:2016.
    Otherwise the energy is summed over the levels of the load, the 168 hours of the week
    where they are known.

    Attributes:
        fleet: The fleet.
        price_per_kwh: Price of energy; negative prices occur. [currency/kWh]
        tariff: A record with the price, or with prices by hour and season, instead.
        pue: Energy of the facility over energy of its computers, at least 1.
        idle_w: Power of an idle server; without it, the server's. [W]
        loaded_w: Power of a server at the lightest load; without it, the server's, or else
            the line runs from idle to peak. [W]
        peak_w: Power of a fully loaded server; without it, the server's. [W]
        tdp_w: Board power limit of one accelerator, from which the peak is taken instead:
            accelerators × tdp_w × wall_factor. [W]
        wall_factor: Power of the whole server at the wall over that of its accelerators.
        sleep_w: Power of a server that is asleep; without it, none sleeps. [W]
        sleep_after_minutes: Time without a request after which a server sleeps. [min]
        carbon_kg_per_kwh: Carbon intensity; without it, the tariff's. [kg CO2/kWh]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "power"

    fleet: Fleet = attrs.field(validator=is_a(Fleet))
    price_per_kwh: Money | None = money(ge=None, default=None, optional=True, kw_only=True)
    tariff: Tariff | None = attrs.field(default=None, kw_only=True)
    pue: Number = number(ge=1, kw_only=True, percent_from=10.0)
    idle_w: Number | None = number(ge=0, default=None, optional=True)
    peak_w: Number | None = number(gt=0, default=None, optional=True)
    loaded_w: Number | None = number(ge=0, default=None, optional=True, kw_only=True)
    tdp_w: Number | None = number(gt=0, default=None, optional=True, kw_only=True)
    wall_factor: Number | None = number(ge=1, default=None, optional=True, kw_only=True)
    sleep_w: Number | None = number(ge=0, default=None, optional=True, kw_only=True)
    sleep_after_minutes: Number | None = number(ge=0, default=None, optional=True, kw_only=True)
    carbon_kg_per_kwh: Number | None = number(ge=0, default=None, optional=True, kw_only=True)
    name: str = text(default="power")

    def __attrs_post_init__(self) -> None:
        check_stated(self)
        check_order(self.states)

    @property
    def watts(self) -> tuple[Number, Number]:
        """Power of one server in watts, idle and at full load, under the fleet's power cap."""
        return self.states.idle_w, self.states.peak_w

    @property
    def states(self) -> PowerStates:
        """What one server draws in its states, under the fleet's power cap."""
        return states_of(self)

    def cost(self, demand: Demand) -> Ledger:
        """Give the energy of each month and its price, and its carbon where that is known."""
        plan = self.fleet.size(demand)
        use = Consumption(plan, self.states, self.pue)
        tariff = self.tariff
        parts = [use.kwh]
        if tariff is not None and tariff.bands:
            parts = use.kwh_in(tariff.by_month(demand.timeline, demand.load.shape.timezone))
        charge = None if tariff is None else tariff.demand_charge_per_kw_month
        prices, carbon = prices_of(self), carbon_of(self)
        currency = prices[0].currency
        lines = [
            self.line("power", currency, monthly(blended(parts, [one.column for one in prices]), demand)),
            self.line("power", "kWh", monthly(blended(parts, [np.ones(1)] * len(parts)), demand), item="energy"),
        ]
        if charge is not None:
            lines.append(
                self.line("power", currency, monthly(use.peak_kw * charge.column, demand), item="demand charge")
            )
        if carbon is not None:
            kg = monthly(blended(parts, [column(one) for one in carbon]), demand)
            lines.append(self.line("carbon", "kg CO2", kg, item="carbon"))
        ledger = plan.ledger(
            *lines,
            records=() if tariff is None else (tariff,),
            rising=all(bool(np.all(np.greater_equal(one.value, 0))) for one in prices),
            smooth=use.states.smooth,
        )
        return attrs.evolve(ledger, states=ledger.states | assumptions(self, demand))


def states_of(power: Power) -> PowerStates:
    """Give what one server draws in its states, under the fleet's power cap.

    Raises:
        InvalidValueError: Nobody states its idle or its peak power.
    """
    fleet = power.fleet
    server, cap = fleet.server, fleet.power_cap
    idle = server.idle_w if power.idle_w is None else power.idle_w
    peak = server.peak_w if power.peak_w is None else power.peak_w
    loaded = server.loaded_w if power.loaded_w is None else power.loaded_w
    if power.tdp_w is not None and power.wall_factor is not None:
        peak = server.gpus * power.tdp_w * power.wall_factor
    if idle is None or peak is None:
        name = "idle_w" if idle is None else "peak_w"
        raise InvalidValueError(name, f"is missing; the server {server.key!r} does not state it either")
    if cap is not None:
        peak = peak * cap.share_of_power
        loaded = None if loaded is None else np.minimum(loaded, peak)
    slots = fleet.slots
    return PowerStates(
        idle_w=idle,
        loaded_w=loaded,
        peak_w=peak,
        sleep_w=power.sleep_w,
        sleep_after_minutes=power.sleep_after_minutes,
        slots=None if slots is None else max(round(slots * fleet.replicas_per_server), slots),
    )


def prices_of(power: Power) -> tuple[Money, ...]:
    """Give the prices of a kilowatt-hour: outside every band of the tariff, and in each."""
    if power.tariff is not None:
        return power.tariff.prices
    assert power.price_per_kwh is not None  # one of the two is given
    return (power.price_per_kwh,)


def carbon_of(power: Power) -> tuple[Number, ...] | None:
    """Give the kg CO2 of a kilowatt-hour in the same order; None where they are not stated."""
    if power.carbon_kg_per_kwh is not None:
        return tuple(power.carbon_kg_per_kwh for _ in prices_of(power))
    return None if power.tariff is None else power.tariff.carbon


def blended(parts: list[FloatArray], factors: list[FloatArray]) -> FloatArray:
    """Add the energy in the bands of a tariff, each times a factor of its own.

    Args:
        parts: Energy in each band, shape `(..., T + 1)`. [kWh]
        factors: A price or a carbon intensity of each, shape `(..., 1)`.

    Returns:
        Their sum, shape `(..., T + 1)`.
    """
    first, *rest = (part * factor for part, factor in zip(parts, factors, strict=True))
    for amount in rest:
        first = first + amount
    return first


def check_stated(power: Power) -> None:
    """Refuse figures that lack their partner, or that stand twice.

    Raises:
        InvalidValueError: See above.
    """
    if (power.price_per_kwh is None) == (power.tariff is None):
        raise InvalidValueError("price_per_kwh", "must be given, or a tariff instead")
    for one, other in (("tdp_w", "wall_factor"), ("sleep_w", "sleep_after_minutes")):
        if (getattr(power, one) is None) != (getattr(power, other) is None):
            raise InvalidValueError(one, f"and {other} are stated together or not at all")
    if power.tdp_w is not None and power.peak_w is not None:
        raise InvalidValueError("peak_w", "must stand alone, without tdp_w and wall_factor, which give it as well")
    if power.carbon_kg_per_kwh is not None and power.tariff is not None and power.tariff.carbon is not None:
        raise InvalidValueError("carbon_kg_per_kwh", f"is stated by the tariff {power.tariff.key!r} already")


def check_order(states: PowerStates) -> None:
    """Refuse an idle server that draws more than a busy one, and the like.

    Raises:
        InvalidValueError: See above.
    """
    idle, loaded, peak, sleep = states.idle_w, states.loaded_w, states.peak_w, states.sleep_w
    if np.any(np.greater(idle, peak)):
        raise InvalidValueError("idle_w", f"must be at most the peak of {peak} W, got {idle}")
    if loaded is not None and (np.any(np.less(loaded, idle)) or np.any(np.greater(loaded, peak))):
        raise InvalidValueError("loaded_w", f"must lie from idle, {idle} W, to the peak, {peak} W, got {loaded}")
    if sleep is not None and np.any(np.greater(sleep, idle)):
        raise InvalidValueError("sleep_w", f"must be at most the idle power of {idle} W, got {sleep}")


def assumptions(power: Power, demand: Demand) -> frozenset[State]:
    """Say what was taken for granted where the demand or the fleet do not say it."""
    notes = []
    shape = demand.load.shape
    if power.tariff is not None and power.tariff.bands:
        if not shape.timed:
            notes.append(
                "the load has no hours, so its energy is spread evenly over the bands of the tariff; give hourly_load"
            )
        elif np.any(np.not_equal(power.fleet.hours_per_month, HOURS_PER_MONTH)):
            notes.append("which hours the servers are off is not known, so every band loses the same share of them")
    if power.states.loaded_w is not None and power.fleet.slots is None:
        notes.append("something is taken to run throughout every hour with any load; give the fleet's slots")
    states = {State(kind="estimate", path=(power.name,), note=note) for note in notes}
    banded = power.tariff is not None and power.tariff.bands
    if power.tariff is not None and banded and isinstance(shape, HourOfWeek) and shape.timezone is None:
        note = (
            f"the hours of the load are read by the clock of {power.tariff.timezone}; state the workload's timezone, the "
            "same one if that is meant"
        )
        states.add(State(kind="caution", path=(power.name,), note=note))
    return frozenset(states)
