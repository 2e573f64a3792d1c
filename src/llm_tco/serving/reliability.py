"""What fails, how long that lasts, and how many spare servers it takes.

Servers fail one by one at a constant rate and are repaired one by one, each for itself, so
that each is up with probability MTBF / (MTBF + MTTR) whatever the others do (steady-state
availability, IEC 60050-192:2015, 192-08-05).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, number
from llm_tco.errors import InvalidValueError
from llm_tco.units import HOURS_PER_YEAR, SECONDS_PER_HOUR

BoolArray = npt.NDArray[np.bool_]
_DAYS_PER_YEAR = HOURS_PER_YEAR / 24.0
_MINUTES_PER_HOUR = 60.0
_BLOCK: Final = 64
_NEGLIGIBLE: Final = -42.0
"""Logarithm of a probability that a sum of them, near 1, no longer holds."""


@attrs.frozen(kw_only=True)
class Reliability:
    """How often a server of a fleet fails, and what happens then.

    Attributes:
        failures_per_year: Failures of one server a year. [1/year]
        repair_hours: Time until a failed server is back. [h]
        switch_over_s: Time until the load has moved to a server that stands by, where there
            is one. [s]
        model_load_s: Time until a server has loaded its model: after a repair, and before a
            spare server takes over; a hot standby has it loaded. [s]
        availability: Share of the time for which enough servers are to be up, below 1: a
            fleet that is sized gets the spares for it.
    """

    failures_per_year: Number = number(ge=0)
    repair_hours: Number = number(ge=0)
    switch_over_s: Number | None = number(ge=0, default=None, optional=True)
    model_load_s: Number | None = number(ge=0, default=None, optional=True)
    availability: Number | None = number(gt=0, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if self.availability is None:
            return
        if np.any(np.greater_equal(self.availability, 1.0)):
            raise InvalidValueError("availability", f"must be below 1, such as 0.999, got {self.availability}")
        if np.any(np.less(self.of_one, 0.5)):
            raise InvalidValueError(
                "repair_hours",
                "keeps a server down for more than half of its time; no number of spares is sized for that",
            )

    @property
    def hours_down(self) -> Number:
        """Hours for which a failure takes its server away, loading of the model included."""
        return self.repair_hours + (0.0 if self.model_load_s is None else self.model_load_s / SECONDS_PER_HOUR)

    @property
    def of_one(self) -> Number:
        """Availability of one server, 0 to 1."""
        return server_availability(self.failures_per_year, self.hours_down)

    def take_over_s(self, spares: int, standby: int) -> Number:
        """Give the seconds until a server that stands by carries the load of one that has failed.

        Raises:
            InvalidValueError: A time that it consists of is not stated.
        """
        if not spares + standby:
            return 0.0
        needed = {"switch_over_s": self.switch_over_s}
        if not standby:
            needed["model_load_s"] = self.model_load_s
        for name, value in needed.items():
            if value is None:
                raise InvalidValueError(name, "is missing; without it nobody knows how long a take-over lasts")
        return sum(value for value in needed.values() if value is not None)


def annual_rate(events: float, units: float, days: float) -> float:
    """Give the events of one unit a year that a period of observation amounts to.

    Args:
        events: Events that were counted.
        units: How many were watched.
        days: For how long. [d]

    Returns:
        Events per unit and year. [1/year]
    """
    for name, value in (("units", units), ("days", days)):
        if not value > 0:
            raise InvalidValueError(name, f"must be more than 0, got {value}")
    return events / units * _DAYS_PER_YEAR / days


def hours_between_failures(failures_per_year: float, units: float) -> float:
    """Give the mean time between failures among so many units; in hours, infinite without failures."""
    events = failures_per_year * units
    return HOURS_PER_YEAR / events if events else float("inf")


def server_availability(failures_per_year: Number, hours_down: Number) -> Number:
    """Give the share of the time for which one server is up: MTBF / (MTBF + MTTR)."""
    return 1.0 / (1.0 + failures_per_year * hours_down / HOURS_PER_YEAR)


def enough_probability(needed: FloatArray, spares: FloatArray, of_one: FloatArray) -> FloatArray:
    """Give the probability that at least `needed` of `needed + spares` servers are up.

    It is the binomial sum, written as the chance that at most `spares` servers are down
    before `needed` are found up: Σ_{j ≤ s} C(n + j − 1, j) · A^n · (1 − A)^j.

    Args:
        needed: Servers n that carry the load, whole numbers.
        spares: Servers s beside them, whole numbers.
        of_one: Availability A of one.

    Returns:
        The probability, of the shape to which the three broadcast.
    """
    needed, spares, of_one = np.broadcast_arrays(*(np.asarray(value, float) for value in (needed, spares, of_one)))
    enough = np.ones(needed.shape)
    for first, sums, _ in _probabilities(needed, of_one):
        place = np.clip(spares - first, 0.0, _BLOCK - 1.0).astype(int)[..., None]
        enough = np.where(spares >= first, np.take_along_axis(sums, place, axis=-1)[..., 0], enough)
        if first + _BLOCK > np.max(spares, initial=0.0):
            break
    return np.minimum(enough, 1.0)


def _probabilities(needed: FloatArray, of_one: FloatArray) -> Iterator[tuple[int, FloatArray, BoolArray]]:
    """Give the probabilities that enough servers are up with 0, 1, 2, … spare ones, by blocks.

    In logarithms, because A^n leaves the range of floats for thousands of servers.

    Yields:
        The first number of spares of the block; the probabilities, the last axis being the
        spares; and where one spare more adds nothing to them.
    """
    with np.errstate(divide="ignore"):
        down = np.log(1.0 - of_one)[..., None]
    term, total, first = (needed * np.log(of_one))[..., None], np.zeros((*needed.shape, 1)), 0
    while True:
        count = first + np.arange(float(_BLOCK))
        growth = np.log(np.maximum(needed[..., None] + count - 1.0, 1.0) / np.maximum(count, 1.0)) + down
        growth[..., :1] = growth[..., :1] if first else 0.0
        terms = term + np.cumsum(growth, axis=-1)
        sums = total + np.cumsum(np.exp(terms), axis=-1)
        yield first, sums, (terms < _NEGLIGIBLE) & (growth < 0)
        term, total, first = terms[..., -1:], sums[..., -1:], first + _BLOCK


def spares_for(needed: FloatArray, of_one: FloatArray, availability: FloatArray) -> FloatArray:
    """Find the fewest spare servers with which enough are up for a share of the time.

    Args:
        needed: Servers that carry the load, whole numbers; none needs no spare.
        of_one: Availability of one server, at least 0.5.
        availability: Share of the time for which enough must be up, below 1.

    Returns:
        Whole numbers, of the shape to which the three broadcast.
    """
    needed, of_one, wanted = np.broadcast_arrays(
        *(np.asarray(value, float) for value in (needed, of_one, availability))
    )
    found = np.where(needed > 0, np.inf, 0.0)
    for first, sums, spent in _probabilities(needed, of_one):
        reached = (sums >= wanted[..., None] * (1.0 - 1e-15)) | spent
        found = np.where(np.isinf(found) & reached.any(axis=-1), first + reached.argmax(axis=-1), found)
        if not np.isinf(found).any():
            break
    return found


def outage_minutes(
    carrying: FloatArray, failures_per_year: Number, take_over_s: Number, enough: FloatArray
) -> FloatArray:
    """Give the expected minutes a year in which a fleet carries less than it should.

    Each failure of a server that carries load costs the time of the take-over, and for the
    share of the time in which too few servers are up, all of it counts. Where both fall
    together they are counted twice, so that it is a little too much rather than too little.

    Args:
        carrying: Servers that carry load.
        failures_per_year: Failures of one a year. [1/year]
        take_over_s: Time until another one carries the load. [s]
        enough: Probability that enough servers are up.

    Returns:
        Minutes a year. [min/year]
    """
    taking_over = carrying * failures_per_year * take_over_s / SECONDS_PER_HOUR
    short = np.where(carrying > 0, 1.0 - enough, 0.0) * HOURS_PER_YEAR
    return np.asarray((taking_over + short) * _MINUTES_PER_HOUR)
