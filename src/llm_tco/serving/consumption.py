"""The energy that a fleet draws under a demand, and the highest power of each month."""

from __future__ import annotations

import functools

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column
from llm_tco.finance.discounting import over_time
from llm_tco.serving.energy import PowerStates
from llm_tco.serving.fleet import FleetPlan
from llm_tco.units import SECONDS_PER_HOUR, WATTS_PER_KILOWATT


@attrs.frozen(eq=False)
class Consumption:
    """What a fleet draws in each month, with the overhead of the facility.

    Attributes:
        plan: What the fleet does.
        states: What one of its servers draws.
        pue: Energy of the facility over energy of its computers.
    """

    plan: FleetPlan
    states: PowerStates
    pue: Number

    @property
    def kwh(self) -> FloatArray:
        """Energy of each month in kWh, shape `(..., T + 1)`."""
        plan = self.plan
        hours = column(plan.fleet.hours_per_month)
        if not self.states.linear:
            mean_kw = over_time(self.kw_by_level, plan.demand.load.shape.shares)
            return np.asarray(mean_kw * hours)
        idle, peak = column(self.states.idle_w), column(self.states.peak_w)
        idle_wh = idle * plan.active * hours
        busy_wh = (peak - idle) * plan.busy_server_hours
        return np.asarray((idle_wh + busy_wh) / WATTS_PER_KILOWATT * column(self.pue))

    @property
    def peak_kw(self) -> FloatArray:
        """Highest power of each month in kW, as a mean over its hour, shape `(..., T + 1)`."""
        if not self.states.linear:
            return np.asarray(self.kw_by_level.max(axis=-1))
        plan, idle, peak = self.plan, column(self.states.idle_w), column(self.states.peak_w)
        watts = idle * plan.active + (peak - idle) * plan.peak_busy_servers
        return np.asarray(watts / WATTS_PER_KILOWATT * column(self.pue))

    def kwh_in(self, bands: FloatArray) -> list[FloatArray]:
        """Split the energy of each month by the bands of a tariff.

        Args:
            bands: Share of each hour of the week that lies in each, shape `(B, T + 1, 168)`.

        Returns:
            Energy in each of the B bands, shape `(..., T + 1)`; they sum to that of the
            month. Where nobody knows which hour has which load, the energy is spread evenly
            over the week. [kWh]
        """
        per_hour = bands / bands.shape[-1]
        if not self.plan.demand.load.shape.timed or self.plan.demand.load.shape.levels.shape[-1] != bands.shape[-1]:
            evenly = per_hour.sum(axis=-1)
            return [self.kwh * share for share in evenly]
        hours = column(self.plan.fleet.hours_per_month)
        return [over_time(self.kw_by_level, share) * hours for share in per_hour]

    @functools.cached_property
    def kw_by_level(self) -> FloatArray:
        """Power at each level of the load shape in kW, shape `(..., T + 1, H)`."""
        plan, states = self.plan, self.states
        carrying = plan.carrying[..., None]
        busy = plan.busy_by_level
        used = np.divide(busy, carrying, out=np.zeros(busy.shape), where=carrying > 0)
        # A replica that spans servers keeps all of them running for each of its requests.
        replicas = max(plan.fleet.replicas_per_server, 1.0)
        seconds = plan.request_s[..., None]
        requests = np.divide(used * replicas * SECONDS_PER_HOUR, seconds, out=np.zeros(used.shape), where=seconds > 0)
        watts = carrying * states.watts(used, requests) + self._standing_by[..., None]
        return np.asarray(watts / WATTS_PER_KILOWATT * column(self.pue)[..., None])

    @property
    def _standing_by(self) -> FloatArray:
        """Watts of the servers that stand by: a hot standby never sleeps, the others do."""
        plan, states = self.plan, self.states
        beside = plan.active - plan.carrying
        hot = np.minimum(beside, float(plan.fleet.standby))
        cold_w = states.idle_w if states.sleep_w is None else states.sleep_w
        return np.asarray(hot * column(states.idle_w) + (beside - hot) * column(cold_w))
