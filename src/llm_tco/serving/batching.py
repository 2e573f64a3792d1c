"""Batches: which form from arrivals, how long they make requests wait, and what batching gains.

A batch opens with its first request. It is sent when it is full, or when its window has
passed. Engines that batch continuously need none of this: what they deliver with many
requests at once is an operating point of the fleet, that is, a throughput record.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, column
from llm_tco.catalog.models import Throughput
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import over_time, real_array

_TERMS = 30
"""Terms of the Poisson distribution that are summed at least; beyond them nothing is left where the mean is at most 1."""


@attrs.frozen(eq=False, kw_only=True)
class Batches:
    """The batches that form.

    Attributes:
        shares: Share of the batches that hold 1, 2, … requests, shape `(..., largest)`.
        mean_wait_s: Mean time for which a request waits for its batch to be sent, shape `(...)`. [s]
        requests_per_s: Rate of the requests, shape `(...)`. [1/s]
    """

    shares: FloatArray
    mean_wait_s: FloatArray
    requests_per_s: FloatArray

    @property
    def mean_size(self) -> FloatArray:
        """Mean requests of a batch, shape `(...)`."""
        return over_time(self.shares, np.arange(1.0, self.shares.shape[-1] + 1))

    @property
    def batches_per_s(self) -> FloatArray:
        """Rate of the batches, shape `(...)`. [1/s]."""
        return np.asarray(self.requests_per_s / self.mean_size)

    def per_request(self, of_batch: npt.ArrayLike) -> FloatArray:
        """Give what a request costs, or takes, where a batch is paid for as a whole.

        Args:
            of_batch: Cost, or busy seconds, of a batch of 1, 2, … requests, shape
                `(..., largest)`; a fixed part and a part per request, or what was measured.

        Returns:
            Mean per request, shape `(...)`.
        """
        cost = real_array(of_batch, "of_batch")
        if cost.shape[-1:] != self.shares.shape[-1:]:
            raise InvalidValueError(
                "of_batch", f"must hold one number for each size from 1 to {self.shares.shape[-1]}, got {cost.shape}"
            )
        return np.asarray(over_time(self.shares, cost) / self.mean_size)


def _check(window_s: Number, largest: int) -> None:
    if not np.all(np.isfinite(window_s)) or np.any(np.less(window_s, 0)):
        raise InvalidValueError("window_s", f"must be a number of at least 0, got {window_s}")
    if isinstance(largest, bool) or not isinstance(largest, int) or largest < 1:
        raise InvalidValueError("largest", f"must be a whole number of at least 1, got {largest!r}")


def batches_of_trace(seconds: npt.ArrayLike, *, window_s: float, largest: int) -> Batches:
    """Form batches from the requests of a log, exactly.

    A request that comes at the very end of a window is still in.

    Args:
        seconds: When each request came, in any order, shape `(n,)`. [s]
        window_s: For how long a batch waits for more. [s]
        largest: Requests at which it is sent at once.

    Raises:
        InvalidValueError: There is no request, or the window is no number of at least 0.

    >>> batches = batches_of_trace([0.0, 0.1, 0.2, 2.0], window_s=0.5, largest=8)
    >>> batches.shares.tolist()
    [0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    _check(window_s, largest)
    times = np.sort(real_array(seconds, "seconds"))
    if times.ndim != 1 or times.size < 1:
        raise InvalidValueError("seconds", "must hold at least one request, shape (n,)")
    first = _openings(times, window_s, largest)
    sizes = np.diff(np.append(first, times.size))
    sent = np.where(sizes == largest, times[first + sizes - 1], times[first] + window_s)
    waits = np.repeat(sent, sizes) - times
    span = float(times[-1] - times[0])
    return Batches(
        shares=np.bincount(sizes, minlength=largest + 1)[1:] / sizes.size,
        mean_wait_s=np.asarray(waits.mean()),
        requests_per_s=np.asarray(times.size / span if span > 0 else np.inf),
    )


def _openings(times: FloatArray, window_s: float, largest: int) -> npt.NDArray[np.int64]:
    """Give the places of the requests that open a batch."""
    in_window = np.searchsorted(times, times + window_s, side="right")
    following = np.minimum(in_window, np.arange(times.size) + largest).tolist()
    found, place = [], 0
    # Where a batch opens depends on where the one before it ended: a walk over batches.
    while place < times.size:
        found.append(place)
        place = following[place]
    return np.array(found, dtype=np.int64)


def batches_of_poisson(requests_per_s: Number, *, window_s: Number, largest: int) -> Batches:
    """Form batches from requests that come at random (a Poisson process), in closed form.

    With N the further arrivals in a window, which is Poisson with mean μ = rate × window, a
    batch holds min(largest, 1 + N). It grows by its j-th further request only if that comes
    within the window, and all that it holds then wait 1 / rate for it on average, so that

        mean size = 1 + Σ P(N ≥ j),   mean wait = Σ j · P(N ≥ j) / (rate × mean size)

    over j = 1 … largest − 1 (the renewal–reward theorem, for instance S. M. Ross,
    "Introduction to Probability Models", on renewal reward processes).

    Args:
        requests_per_s: Rate of the requests, above 0, shape `(...)`. [1/s]
        window_s: For how long a batch waits for more, shape `(...)`. [s]
        largest: Requests at which it is sent at once.

    Raises:
        InvalidValueError: The rate is not above 0, or the window is no number of at least 0.

    >>> batches = batches_of_poisson(4.0, window_s=0.5, largest=8)
    >>> round(float(batches.mean_size), 3), round(float(batches.mean_wait_s), 3)
    (2.999, 0.333)
    """
    _check(window_s, largest)
    rate, window = np.broadcast_arrays(np.asarray(requests_per_s, float), np.asarray(window_s, float))
    if not np.all(np.isfinite(rate)) or np.any(rate <= 0):
        raise InvalidValueError("requests_per_s", f"must be a number above 0, got {requests_per_s}")
    terms = max(largest, _TERMS)
    count = np.arange(terms, dtype=np.float64)
    factorials = np.array([math.lgamma(k + 1.0) for k in range(terms)])
    mean = column(rate * window)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.where((mean == 0) & (count == 0), 0.0, count * np.log(mean))
    exactly = np.exp(exponent - mean - factorials)
    # P(N >= 1), P(N >= 2), … summed from the far end, where 1 - P(N < j) would lose the digits of a rare event.
    rest = np.where(mean > 1.0, np.clip(1.0 - exactly.sum(axis=-1, keepdims=True), 0.0, 1.0), 0.0)
    tail = np.cumsum(np.concatenate([rest, exactly[..., ::-1]], axis=-1), axis=-1)[..., ::-1]
    at_least = np.clip(tail[..., 1:largest], 0.0, 1.0)
    size = 1.0 + at_least.sum(axis=-1)
    beyond = np.concatenate([np.ones((*at_least.shape[:-1], 1)), at_least, np.zeros((*at_least.shape[:-1], 1))], -1)
    waited = (at_least * count[1:largest]).sum(axis=-1)
    return Batches(
        shares=-np.diff(beyond, axis=-1), mean_wait_s=np.asarray(waited / (rate * size)), requests_per_s=rate
    )


def with_gain(throughput: Throughput, gain: Number) -> Throughput:
    """Give a throughput that batching raises by a stated ratio, such as 3.0 for +300 %.

    The result is an estimate, and says where it comes from: measure the batched engine,
    and state that throughput, where you can.

    Args:
        throughput: What a replica delivers without batching.
        gain: By how much it rises, as a ratio; negative where batching slows it down.
    """
    if not np.all(np.isfinite(gain)) or np.any(np.less_equal(gain, -1.0)):
        raise InvalidValueError("gain", f"must be a number above -1, got {gain}")
    rates = ("output_tokens_per_s", "input_tokens_per_s", "total_tokens_per_s", "requests_per_s")
    stated = {name: getattr(throughput, name) for name in rates}
    raised = {name: rate * (1.0 + np.asarray(gain)) for name, rate in stated.items() if rate is not None}
    raised = {name: float(rate) if np.ndim(rate) == 0 else rate for name, rate in raised.items()}
    lowest, highest = np.min(gain), np.max(gain)
    span = f"{lowest:+.0%}" if lowest == highest else f"{lowest:+.0%} to {highest:+.0%}"
    note = f"batching was taken to change it by {span}"
    return attrs.evolve(
        throughput, **raised, estimate=True, note=f"{throughput.note}. {note}" if throughput.note else note
    )


def gain_between(single: Throughput, batched: Throughput, *, input_tokens: Number, output_tokens: Number) -> FloatArray:
    """Read the gain of batching off two operating points, for requests of one length.

    Args:
        single: What a replica delivers without batching.
        batched: What it delivers with it.
        input_tokens: Prompt tokens of a request, shape `(...)`. [tokens]
        output_tokens: Generated tokens of a request, shape `(...)`. [tokens]

    Returns:
        The ratio by which the throughput rises, shape `(...)`; negative where it falls.
    """
    prompt, answer = np.broadcast_arrays(np.asarray(input_tokens, float), np.asarray(output_tokens, float))
    alone, together = (one.busy_seconds(prompt[..., None], answer[..., None])[..., 0] for one in (single, batched))
    if np.any(together <= 0):
        raise InvalidValueError("input_tokens", "and output_tokens leave a replica idle; give a length above 0")
    return np.asarray(alone / together - 1.0)
