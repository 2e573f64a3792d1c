"""What servers draw: idle, at the lightest load, at the highest, asleep; capped, and in one place."""

from __future__ import annotations

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, number, whole
from llm_tco.errors import InvalidValueError
from llm_tco.serving.queueing import idle_probability

_MINUTES_PER_HOUR = 60.0


@attrs.frozen(kw_only=True)
class PowerCap:
    """A limit on the power of a server, and the speed that is left under it.

    Attributes:
        share_of_power: Peak power of the whole server under the cap, over that without.
        share_of_speed: Throughput under the cap, over that without.
    """

    share_of_power: Number = number(gt=0, le=1)
    share_of_speed: Number = number(gt=0, le=1)


@attrs.frozen(kw_only=True)
class Site:
    """What the place of a fleet holds.

    Attributes:
        servers_per_rack: Servers that fit into a rack.
        power_budget_w: Power that the servers of the fleet may draw together at their
            peak, without the overhead of the facility. [W]
    """

    servers_per_rack: int | None = whole(ge=1, default=None, optional=True)
    power_budget_w: Number | None = number(gt=0, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if self.servers_per_rack is None and self.power_budget_w is None:
            raise InvalidValueError(
                "servers_per_rack", "and power_budget_w are both missing; give one of them, or both"
            )


@attrs.frozen(kw_only=True, eq=False)
class PowerStates:
    """What one server draws in its states.

    With nothing running it draws its idle power. While something runs it draws from
    `loaded_w`, at the lightest load, to `peak_w`, on a straight line over the share of its
    capacity that is used. For how much of an hour something runs follows from the slots:
    requests come in as a Poisson stream within the hour, spread evenly over the servers.

    Attributes:
        idle_w: Power with nothing running. [W]
        loaded_w: Power at the lightest load; without it the line runs from idle to peak. [W]
        peak_w: Power at full load. [W]
        sleep_w: Power of a server that is asleep. [W]
        sleep_after_minutes: Time without a request after which it falls asleep. [min]
        slots: Requests that a server serves at once. Where they are not stated, something
            runs throughout every hour that has any load.
    """

    idle_w: Number
    loaded_w: Number | None = None
    peak_w: Number
    sleep_w: Number | None = None
    sleep_after_minutes: Number | None = None
    slots: int | None = None

    @property
    def linear(self) -> bool:
        """Whether the mean load alone gives the energy: on a straight line from idle to peak."""
        return self.sleep_w is None and (self.loaded_w is None or self.slots == 1)

    @property
    def smooth(self) -> bool:
        """Whether power is curved in the load."""
        return self.sleep_w is not None or (self.loaded_w is not None and (self.slots or 1) > 1)

    def watts(self, utilisation: FloatArray, requests_per_hour: FloatArray) -> FloatArray:
        """Give the mean power of a server that carries load.

        Args:
            utilisation: Share of its capacity that is used, shape `(..., T + 1, H)`.
            requests_per_hour: Requests that it gets, of the same shape. [1/h]

        Returns:
            Watts, of the same shape. [W]
        """
        idle, peak = _months_and_hours(self.idle_w), _months_and_hours(self.peak_w)
        loaded = idle if self.loaded_w is None else _months_and_hours(self.loaded_w)
        still = self._still(utilisation)
        watts = idle * still + loaded * (1.0 - still - utilisation) + peak * utilisation
        if self.sleep_w is None or self.sleep_after_minutes is None:
            return np.asarray(watts)
        minutes = _months_and_hours(self.sleep_after_minutes)
        asleep = still * np.exp(-requests_per_hour / _MINUTES_PER_HOUR * minutes)
        return np.asarray(watts - (idle - _months_and_hours(self.sleep_w)) * asleep)

    def _still(self, utilisation: FloatArray) -> FloatArray:
        """Give the share of the time in which nothing runs."""
        if self.loaded_w is None and self.slots is None:
            return 1.0 - utilisation
        if self.slots is None:
            return np.asarray(utilisation <= 0, dtype=np.float64)
        return idle_probability(self.slots, utilisation)


def _months_and_hours(value: Number) -> FloatArray:
    return np.asarray(value, dtype=np.float64)[..., None, None]
