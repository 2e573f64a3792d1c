"""How long requests wait for a free slot, and how many replicas keep that short.

A replica serves a number of requests at once: its slots. All slots of a fleet are the
servers of one queue, so that a request waits only while none is free. The load is the mean
number of busy slots, in Erlangs.

Sources: A. K. Erlang, Solution of some problems in the theory of probabilities of
significance in automatic telephone exchanges, 1917 (M/M/c); D. L. Jagerman, Some properties
of the Erlang loss function, Bell System Technical Journal 53, 1974 (its integral); A. O. Allen,
Probability, Statistics, and Queueing Theory, 2nd edition, 1990 (the Allen–Cunneen approximation).
"""

from __future__ import annotations

import functools
from typing import Final

import attrs
import numpy as np

from llm_tco._fields import MAX_WHOLE, FloatArray, Number, column, number
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import over_time

_MANY: Final = 64
"""Slots from which an empty M/M/c queue is as likely as an empty M/M/∞ one, to 1e-13."""
_NODES: Final = 64
"""Nodes of the Gauss–Legendre rule: with them Erlang's formula is right to 1e-11 from one slot to a billion."""
_NEGLIGIBLE: Final = 36.0
"""An integrand below exp(−36) of its peak adds nothing to a float."""
_FULL: Final = 33.0
"""Logarithm of busy over free slots from which on a fleet counts as full."""
_EMPTY: Final = -600.0
"""The same logarithm below which nothing is searched for: one busy slot in 1e260."""
_CLOSE: Final = 1e-7
"""A step of Newton's method that is as short leaves an error of about its square."""
_ROUNDS: Final = 60
"""Steps after which a search ends: halvings alone would have reached the last digit."""
_DIGITS: Final = 9


@attrs.frozen(kw_only=True)
class WaitTarget:
    """How long a request may wait for a free slot in the busiest hour.

    Attributes:
        max_wait_s: Longest wait: on average, or of the requests up to the percentile. [s]
        percentile: Share of the requests that wait no longer, above 0 and below 1; without
            it the mean counts.
        arrival_cv: Coefficient of variation of the times between arrivals; 1 is a Poisson
            stream.
        service_cv: Coefficient of variation of the times that requests take; 1 is an
            exponential distribution, more is a longer tail.
    """

    max_wait_s: Number = number(ge=0)
    percentile: Number | None = number(gt=0, default=None, optional=True)
    arrival_cv: Number = number(ge=0, default=1.0)
    service_cv: Number = number(ge=0, default=1.0)

    def __attrs_post_init__(self) -> None:
        if self.percentile is not None and np.any(np.greater_equal(self.percentile, 1.0)):
            raise InvalidValueError("percentile", f"must be below 1, such as 0.95, got {self.percentile}")
        if self.percentile is None and np.any(np.less_equal(self.max_wait_s, 0.0)):
            raise InvalidValueError("max_wait_s", "must be more than 0 for a mean; a percentile may be without wait")

    @property
    def variability(self) -> FloatArray:
        """(arrival_cv² + service_cv²) / 2, shape `(..., 1)`: 1 for M/M/c."""
        return (column(self.arrival_cv) ** 2 + column(self.service_cv) ** 2) / 2.0

    def excess(self, slots: FloatArray, load: FloatArray, service_s: FloatArray) -> Excess:
        """Say how far a wait is above the target.

        Args:
            slots: Slots c.
            load: Busy slots a on average, above 0 and below the slots. [Erlang]
            service_s: Time for which a request keeps a slot. [s]
        """
        free, limit, scale = slots - load, column(self.max_wait_s), service_s * self.variability
        waiting = _waiting(slots, load)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.percentile is None:
                over, relief = np.log(scale / limit) - np.log(free), 1.0 / free
            else:
                relief = np.where(scale > 0, limit / scale, 0.0)
                over = np.where(scale > 0, -relief * free - np.log1p(-column(self.percentile)), -np.inf)
        return Excess(value=waiting.value + over, by_load=waiting.by_load + relief, by_slots=waiting.by_slots - relief)

    def free_slots(self, slots: FloatArray, service_s: FloatArray) -> FloatArray:
        """Guess how many slots must be free on average, as the start of a search.

        If everybody waited, the decay of the waits alone would say it; where few wait, it is
        some multiple of the square root of the slots (S. Halfin, W. Whitt, Heavy-traffic
        limits for queues with many exponential servers, Operations Research 29, 1981).
        """
        longer = np.asarray(1.0 if self.percentile is None else -np.log1p(-column(self.percentile)))
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            decay = longer * service_s * self.variability / column(self.max_wait_s)
        return np.asarray(np.fmin(decay, np.sqrt(2.0 * longer * slots)))


@attrs.frozen(kw_only=True, eq=False)
class Excess:
    """The logarithm of a figure of a queue over its limit, and its derivatives.

    Attributes:
        value: The logarithm; not above 0 where the limit is kept.
        by_load: Its derivative with respect to the load.
        by_slots: Its derivative with respect to the slots.
    """

    value: FloatArray
    by_load: FloatArray
    by_slots: FloatArray


@functools.cache
def _rule() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def _unblocked(slots: FloatArray, load: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give log(1/B) of the blocking probability B of an M/M/c/c queue, and its derivative by the slots.

    1/B = a·∫ exp((c + 1)·w − a·(e^w − 1)) dw over w ≥ 0, which is the integral of Fortet
    (Jagerman, 1974, theorem 3) with t = e^w − 1. Its integrand has one peak, at e^w = (c + 1)/a. A rule of fixed nodes sums it
    about the peak, as far as it counts, so that a million slots take no longer than one. The
    derivative is the mean of w under the integrand.

    Args:
        slots: Slots c.
        load: Busy slots a on average, above 0 and below the slots. [Erlang]
    """
    power = slots + 1.0
    above, small = power - load, _NEGLIGIBLE / power
    with np.errstate(over="ignore"):
        peak = np.log1p(above / load)
    left = small / 2.0 + np.sqrt(small * (small / 4.0 + 2.0))  # as e^−x − 1 + x is at least x²/(2 + x)
    right = np.sqrt(2.0 * small)  # as e^x − 1 − x is at least x²/2
    for _ in range(3):
        right = right - (np.expm1(right) - right - small) / np.expm1(right)
    low = -np.minimum(peak, left)
    half = (right - low) / 2.0
    nodes, weights = _rule()
    place = (low + half)[..., None] + half[..., None] * nodes
    heights = np.exp((place - np.expm1(place)) * power[..., None])
    total = over_time(heights, weights)
    log_height = power * peak - above + np.log(load)
    return log_height + np.log(half * total), peak + over_time(heights * place, weights) / total


def _waiting(slots: FloatArray, load: FloatArray) -> Excess:
    """Give the logarithm of the probability C that a request must wait.

    C follows from the blocking probability as in `erlang_c`: 1/C = ρ + (1 − ρ)/B, in which
    nothing cancels.

    Args:
        slots: Slots c.
        load: Busy slots a on average, above 0 and below the slots. [Erlang]
    """
    slots, load = np.broadcast_arrays(slots, load)
    unblocked, by_slots = _unblocked(slots, load)
    blocked, used, free = np.exp(-unblocked), load / slots, (slots - load) / slots
    with np.errstate(over="ignore"):
        by_load = 1.0 - slots / load - blocked
    whole = used * blocked + free
    return Excess(
        value=-(unblocked + np.log(whole)),
        by_load=((1.0 - blocked) / slots - free * by_load) / whole,
        by_slots=-(used * (1.0 - blocked) / slots + free * by_slots) / whole,
    )


def erlang_c(slots: FloatArray, load: FloatArray) -> FloatArray:
    """Give the probability that a request must wait in an M/M/c queue.

    C = c·B / (c − a·(1 − B)) with the probability B that all slots are busy where nobody waits.

    Args:
        slots: Slots c, whole numbers of at least 1.
        load: Busy slots a on average, of a shape that broadcasts. [Erlang]

    Returns:
        The probability, 0 to 1; 1 where the load is not below the slots.
    """
    slots, load = np.broadcast_arrays(np.asarray(slots, float), np.asarray(load, float))
    within = (load > 0) & (load < slots)
    waiting = _waiting(np.where(within, slots, 1.0), np.where(within, load, 0.5)).value
    return np.where(within, np.minimum(np.exp(waiting), 1.0), (load > 0).astype(np.float64))


def mean_wait_s(
    slots: FloatArray, load: FloatArray, service_s: FloatArray, *, arrival_cv: float = 1.0, service_cv: float = 1.0
) -> FloatArray:
    """Give the mean wait for a free slot.

    It is exact for M/M/c and the Allen–Cunneen approximation otherwise:
    W = C(c, a) · S / (c − a) · (arrival_cv² + service_cv²) / 2.

    Args:
        slots: Slots c, whole numbers of at least 1.
        load: Busy slots a on average. [Erlang]
        service_s: Time for which a request keeps a slot. [s]
        arrival_cv: Coefficient of variation of the times between arrivals.
        service_cv: Coefficient of variation of the times that requests take.

    Returns:
        The mean over all requests, also those that do not wait; infinite where the load is
        not below the slots. [s]
    """
    slots, load, service_s = (np.asarray(value, float) for value in (slots, load, service_s))
    free = slots - load
    per_wait = np.divide(
        service_s, free, out=np.full(np.broadcast_shapes(service_s.shape, free.shape), np.inf), where=free > 0
    )
    return np.asarray(erlang_c(slots, load) * per_wait * (arrival_cv**2 + service_cv**2) / 2.0)


def wait_percentile_s(
    percentile: float,
    slots: FloatArray,
    load: FloatArray,
    service_s: FloatArray,
    *,
    arrival_cv: float = 1.0,
    service_cv: float = 1.0,
) -> FloatArray:
    """Give the wait that a share of the requests does not exceed.

    Those that wait do so for an exponentially distributed time: exact for M/M/c with service
    in order of arrival, and otherwise an approximation with the mean of `mean_wait_s`.

    Args:
        percentile: The share, above 0 and below 1.
        slots: As in `mean_wait_s`.
        load: As there. [Erlang]
        service_s: As there. [s]
        arrival_cv: As there.
        service_cv: As there.

    Returns:
        The wait; 0 where so many do not wait at all. [s]
    """
    waiting = erlang_c(slots, load)
    mean = mean_wait_s(slots, load, service_s, arrival_cv=arrival_cv, service_cv=service_cv)
    with np.errstate(divide="ignore", invalid="ignore"):
        longer = np.log(waiting / (1.0 - percentile)) * mean / waiting
    return np.where(waiting > 1.0 - percentile, longer, 0.0)


def idle_probability(slots: int, utilisation: FloatArray) -> FloatArray:
    """Give the probability that none of the slots of an M/M/c queue is busy.

    For one slot that is 1 − utilisation. 1/P = Σ_{k<c} a^k/k! + a^c / (c!·(1 − ρ)), summed
    from the inside; for many slots it is exp(−a).

    Args:
        slots: Slots c.
        utilisation: Share ρ of them that is busy on average, 0 to 1.

    Returns:
        The probability, of the shape of the utilisation.
    """
    ratio = np.minimum(np.asarray(utilisation, float), 1.0)
    load = ratio * slots
    if slots > _MANY:
        return np.where(ratio < 1.0, np.exp(-load), 0.0)
    with np.errstate(divide="ignore"):
        inner = 1.0 / (1.0 - ratio)
    for count in range(slots, 0, -1):
        inner *= load / count
        inner += 1.0
    return np.asarray(1.0 / inner)


def replicas_for(
    target: WaitTarget, busy: FloatArray, slots: int, service_s: FloatArray, least: FloatArray
) -> FloatArray:
    """Find the fewest whole replicas that keep a wait.

    Args:
        target: The wait.
        busy: Busy replicas in the busiest hour, shape `(..., T + 1)`.
        slots: Requests that a replica serves at once.
        service_s: Time for which a request keeps a slot, of the same shape. [s]
        least: Replicas that are needed anyhow, of the same shape.

    Returns:
        Whole numbers, of the same shape; the least ones where nothing is busy.
    """
    load = np.asarray(busy * slots, float)
    asked = (load > 0) & (load < MAX_WHOLE)  # without load, or beyond what can be counted, any number does
    load, service_s = np.where(asked, load, 0.5), np.where(asked, service_s, 0.0)
    low = np.where(asked, np.maximum(np.floor(busy), least - 1.0), 0.0)  # too few, or fewer than are needed anyhow
    guess = np.ceil((load + target.free_slots(load, service_s)) / slots)
    trial = np.where(asked, np.maximum(guess, low + 1.0), 1.0)
    low, high = np.broadcast_to(low, trial.shape), np.full(trial.shape, np.inf)
    while (apart := high - low > 1.0).any():
        excess = target.excess(np.maximum(trial * slots, np.nextafter(load, np.inf)), load, service_s)
        kept = excess.value <= 0
        low, high = np.where(apart & ~kept, trial, low), np.where(apart & kept, trial, high)
        with np.errstate(invalid="ignore"):
            newton = np.ceil(trial - excess.value / (excess.by_slots * slots))
        halved = np.where(np.isfinite(high), np.floor((low + high) / 2.0), 2.0 * trial)
        inside = (newton >= low) & (newton <= high) & np.isfinite(newton)
        trial = np.clip(np.where(inside, newton, halved), low + 1.0, np.maximum(high - 1.0, low + 1.0))
    return np.where(asked, high, least)


def load_for(target: WaitTarget, replicas: FloatArray, slots: int, service_s: FloatArray) -> FloatArray:
    """Find how many replicas may be busy on average so that a wait is kept.

    Args:
        target: The wait.
        replicas: Whole replicas, shape `(..., T + 1)`.
        slots: Requests that a replica serves at once.
        service_s: Time for which a request keeps a slot, shape `(..., T + 1)`. [s]

    Returns:
        Busy replicas, of the shape of both; below the number of replicas.
    """
    # Months of one mix of requests differ by rounding only; each distinct case is solved once.
    pair = np.broadcast_arrays(np.asarray(replicas, float), np.round(service_s, _DIGITS))
    varied = max(np.ndim(value) for value in (target.max_wait_s, target.percentile or 0.0, target.variability[..., 0]))
    cases, place = (
        (np.stack(pair), None) if varied else np.unique(np.reshape(pair, (2, -1)), axis=1, return_inverse=True)
    )
    count, service = cases[0] * slots, cases[1]
    some = np.where(count > 0, count, 1.0)
    busy = _full_to(target, some, service) * count / slots
    return busy if place is None else np.reshape(busy[np.ravel(place)], pair[0].shape)


def _full_to(target: WaitTarget, count: FloatArray, service_s: FloatArray) -> FloatArray:
    """Find the share of the slots that may be busy on average so that a wait is kept.

    Newton's method in the logarithm of busy over free slots, in which a wait is nearly
    straight; a step that leaves what is left of the interval is replaced by its middle.
    """
    free = np.clip(target.free_slots(count, service_s), count * np.exp(-_FULL), 0.9 * count)
    trial = np.log((count - free) / free)
    low, high = np.full(trial.shape, -np.inf), np.full(trial.shape, np.inf)
    done = np.zeros(trial.shape, dtype=bool)
    for _ in range(_ROUNDS):
        used, unused = 1.0 / (1.0 + np.exp(-trial)), 1.0 / (1.0 + np.exp(trial))
        excess = target.excess(count, count * used, service_s)
        kept = excess.value <= 0
        low, high = np.where(kept, np.maximum(low, trial), low), np.where(kept, high, np.minimum(high, trial))
        with np.errstate(invalid="ignore"):
            step = excess.value / (excess.by_load * count * used * unused)
            middle = np.where(np.isfinite(low), np.where(np.isfinite(high), (low + high) / 2.0, low + 2.0), high - 2.0)
        newton, close = np.clip(trial - step, _EMPTY, _FULL), np.abs(step) <= _CLOSE
        following = np.where(close | ((newton > low) & (newton < high)), newton, np.clip(middle, _EMPTY, _FULL))
        done |= low >= _FULL
        trial = np.where(done, trial, following)
        done |= close
        if done.all():
            break
    return 1.0 / (1.0 + np.exp(-trial))
