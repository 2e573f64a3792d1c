"""How long requests wait for a free slot, and how many replicas keep that short.

A replica serves a number of requests at once: its slots. All slots of a fleet are the
servers of one queue, so that a request waits only while none is free. The load is the mean
number of busy slots, in Erlangs.

Sources: A. K. Erlang, Solution of some problems in the theory of probabilities of
significance in automatic telephone exchanges, 1917 (M/M/c); A. O. Allen, Probability,
Statistics, and Queueing Theory, 2nd edition, 1990 (the Allen–Cunneen approximation).
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, column, number
from llm_tco.errors import InvalidValueError

BoolArray = npt.NDArray[np.bool_]
_MANY: Final = 64
"""Slots from which an empty M/M/c queue is as likely as an empty M/M/∞ one, to 1e-13."""
_HALVINGS: Final = 48
_TERMS: Final = 64
_NEGLIGIBLE: Final = 1e-20
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

    def met(self, waiting: FloatArray, slots: FloatArray, load: FloatArray, service_s: FloatArray) -> BoolArray:
        """Say where a probability of waiting keeps the target; see `mean_wait_s` for the arguments."""
        limit, scale = column(self.max_wait_s), service_s * self.variability
        free = slots - load
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.percentile is None:
                kept = waiting * scale <= limit * free
            else:
                decay = np.where(scale > 0, np.exp(-limit * free / np.where(scale > 0, scale, 1.0)), 0.0)
                kept = waiting * decay <= 1.0 - column(self.percentile)
        return np.asarray(kept & (free > 0))


def erlang_c(slots: FloatArray, load: FloatArray) -> FloatArray:
    """Give the probability that a request must wait in an M/M/c queue.

    C = c·B / (c − a·(1 − B)) with the blocking probability 1/B = Σ_j c·(c − 1)···(c − j + 1) / a^j,
    a sum of some multiples of √c terms, which is exact for any number of slots.

    Args:
        slots: Slots c, whole numbers of at least 1.
        load: Busy slots a on average, of a shape that broadcasts. [Erlang]

    Returns:
        The probability, 0 to 1; 1 where the load is not below the slots.
    """
    slots, load = np.broadcast_arrays(np.asarray(slots, float), np.asarray(load, float))
    within = (load > 0) & (load < slots)
    count, busy = np.where(within, slots, 1.0)[..., None], np.where(within, load, 0.5)[..., None]
    total, term, first = np.ones(count.shape), np.ones(count.shape), 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        # A term that overflows stands for a probability of 0, so that its sum is done as well.
        while ((term > total * _NEGLIGIBLE) & np.isfinite(total)).any():
            left = count - first - np.arange(_TERMS)
            terms = np.where(left > 0, term * np.cumprod(np.maximum(left, 0.0) / busy, axis=-1), 0.0)
            total, term, first = total + terms.sum(axis=-1, keepdims=True), terms[..., -1:], first + _TERMS
    blocked = 1.0 / total[..., 0]
    waiting = slots * blocked / np.where(within, slots - load * (1.0 - blocked), 1.0)
    return np.where(within, waiting, (load > 0).astype(np.float64))


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
        inner = np.where(ratio < 1.0, 1.0 / np.where(ratio < 1.0, 1.0 - ratio, 1.0), np.inf)
    for count in range(slots, 0, -1):
        inner = 1.0 + np.where(load > 0, load / count * inner, 0.0)
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
    low = np.maximum(np.floor(busy), least - 1.0)  # too few, or fewer than are needed anyhow
    high, step = low + 1.0, 1.0
    while not (kept := _kept(target, high, slots, load, service_s)).all():
        low, step = np.where(kept, low, high), 2.0 * step
        high = np.where(kept, high, high + step)
    while (apart := high - low > 1.0).any():
        middle = np.where(apart, np.floor((low + high) / 2.0), high)
        kept = _kept(target, middle, slots, load, service_s)
        low, high = np.where(apart & ~kept, middle, low), np.where(apart & kept, middle, high)
    return np.where(load > 0, high, least)


def _kept(target: WaitTarget, replicas: FloatArray, slots: int, load: FloatArray, service_s: FloatArray) -> BoolArray:
    """Say where so many replicas keep a wait; without load, or beyond what can be counted, any do."""
    count = np.maximum(replicas * slots, 1.0)
    return target.met(erlang_c(count, load), count, load, service_s) | (load <= 0) | ~np.isfinite(load)


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
    count = cases[0] * slots
    low, high = np.zeros(count.shape), count
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        kept = target.met(erlang_c(np.maximum(count, 1.0), middle), count, middle, cases[1])
        low, high = np.where(kept, middle, low), np.where(kept, high, middle)
    busy = low / slots
    return busy if place is None else np.reshape(busy[np.ravel(place)], pair[0].shape)
