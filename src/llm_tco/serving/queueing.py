"""How long requests wait for a free slot, and how many replicas keep that short.

A replica serves a number of requests at once: its slots. All slots of a fleet are the
servers of one queue, so that a request waits only while none is free. The load is the mean
number of busy slots, in Erlangs.

Sources: A. K. Erlang, Solution of some problems in the theory of probabilities of
significance in automatic telephone exchanges, 1917 (M/M/c); H. Sakasegawa, An approximation
formula L_q ≃ α·ρ^β/(1 − ρ), Annals of the Institute of Statistical Mathematics 29, 1977;
A. O. Allen, Probability, Statistics, and Queueing Theory, 2nd edition, 1990 (the
Allen–Cunneen approximation).
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, column, number
from llm_tco.errors import InvalidValueError

BoolArray = npt.NDArray[np.bool_]
EXACT_SLOTS: Final = 4_096
"""Slots up to which the probability of waiting is Erlang's; beyond, Sakasegawa's."""
_MANY: Final = 64
"""Slots from which an empty M/M/c queue is as likely as an empty M/M/∞ one, to 1e-13."""
_HALVINGS: Final = 48
_TINY: Final = 1e-300
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

    It is exact up to `EXACT_SLOTS` slots: B(k) = a·B(k−1) / (k + a·B(k−1)) from B(0) = 1 on,
    and C = c·B / (c − a·(1 − B)). Beyond, it is Sakasegawa's ρ^(√(2(c+1)) − 1).

    Args:
        slots: Slots c, whole numbers of at least 1.
        load: Busy slots a on average, of a shape that broadcasts. [Erlang]

    Returns:
        The probability, 0 to 1; 1 where the load is not below the slots.
    """
    slots, load = np.broadcast_arrays(np.asarray(slots, float), np.asarray(load, float))
    exact = slots <= EXACT_SLOTS
    blocked = np.ones(slots.shape)
    for count in range(1, int(np.max(slots, initial=0.0, where=exact)) + 1):
        part = load * blocked
        blocked = np.where(count <= slots, part / (count + part), blocked)
    queued = slots * blocked / np.maximum(slots - load * (1.0 - blocked), _TINY)
    ratio = np.minimum(load / slots, 1.0)
    waiting = np.where(exact, queued, ratio ** (np.sqrt(2.0 * (slots + 1.0)) - 1.0))
    return np.where(load < slots, waiting, 1.0)


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


def sakasegawa_wait_s(slots: FloatArray, load: FloatArray, service_s: FloatArray) -> FloatArray:
    """Give Sakasegawa's closed form of the mean wait in an M/M/c queue; see `mean_wait_s`.

    W = S · ρ^(√(2(c+1)) − 1) / (c · (1 − ρ)). It is exact for one slot.
    """
    slots, ratio = np.asarray(slots, float), np.asarray(load, float) / slots
    with np.errstate(divide="ignore"):
        wait = service_s * ratio ** (np.sqrt(2.0 * (slots + 1.0)) - 1.0) / (slots * (1.0 - np.minimum(ratio, 1.0)))
    return np.where(ratio < 1.0, wait, np.inf)


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
    if (load > EXACT_SLOTS).any():
        many = _many_replicas_for(target, load, slots, service_s, least)
        found = np.where(load > EXACT_SLOTS, many, np.where(load > 0, np.nan, least))
    else:
        found = np.where(load > 0, np.nan, least)
    blocked, count = np.ones(load.shape), 0
    while np.isnan(found).any():
        count += 1
        part = load * blocked
        blocked = part / (count + part)
        if count % slots:
            continue
        waiting = count * blocked / np.maximum(count - load * (1.0 - blocked), _TINY)
        kept = target.met(waiting, np.asarray(float(count)), load, service_s) & (count >= least * slots)
        found = np.where(np.isnan(found) & kept, count / slots, found)
    return found


def _many_replicas_for(
    target: WaitTarget, load: FloatArray, slots: int, service_s: FloatArray, least: FloatArray
) -> FloatArray:
    """Do the same by halving with Sakasegawa's closed form, for what is too large to count up."""
    low = np.maximum(np.floor(load / slots), least - 1.0)  # too few
    high = np.maximum(np.ceil(2.0 * load / slots), least) + 1.0
    for _ in range(_HALVINGS):
        enough = _closed(target, high * slots, load, service_s)
        if enough.all():
            break
        high = np.where(enough, high, 2.0 * high)
    while (high - low > 1.0).any():
        middle = np.floor((low + high) / 2.0)
        enough = _closed(target, middle * slots, load, service_s)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _closed(target: WaitTarget, slots: FloatArray, load: FloatArray, service_s: FloatArray) -> BoolArray:
    ratio = np.minimum(load / np.maximum(slots, 1.0), 1.0)
    return target.met(ratio ** (np.sqrt(2.0 * (slots + 1.0)) - 1.0), slots, load, service_s)


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
