"""Where a sum of flows, discounted at an unknown rate, changes its sign.

With x = ln(1 + r) the present value of a stream is Σ c·exp(−t·x). Results are such x.
Rows of a batch and single streams go through the same arithmetic in the same order, so
that they agree to the last bit: sums by `vecdot` over equal lengths, powers by doubling.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llm_tco.finance.discounting import FloatArray

IntArray = npt.NDArray[np.intp]
Choice = Callable[[Sequence[float]], float]

NONE, ONE, MORE = 0, 1, 2
"""How many changes of sign a stream has."""

_ROWS = 1024
"""Rows of a block: what they need fits a core's cache."""

_HIGH = 710.0
"""ln of the largest float: no rate lies above."""

_LOW = -600.0
"""Least t·x at which weights of the quick method stay far from overflow."""

_SMALL = 1e-290
"""Least first flow, in units of the largest, that the quick method sums at full precision."""

_MARGIN = 1.0 + 1e-9
"""Keeps a bracket's edges off a zero that rounding would put there."""

_BY_HAND = 8
"""Powers that are cheaper one by one than as arrays."""

_EPS = float(np.finfo(np.float64).eps)

_STEPS, _PATIENCE, _NEWTON_STEPS = 100, 20, 200


class _Spans(NamedTuple):
    """Where the flows of each row begin, change their sign and end."""

    changes: IntArray
    first: IntArray
    turn: IntArray
    last: IntArray


def roots(flows: FloatArray, times: FloatArray | None = None) -> list[float]:
    """Find every x at which one stream's value changes its sign, in rising order.

    Args:
        flows: Finite flows, shape `(n,)`.
        times: Their rising times, at least 1 apart, shape `(n,)`; 0, 1, 2, … where not given.
    """
    places = np.flatnonzero(flows)
    if places.size < 2:
        return []
    negative = np.signbit(flows[places])
    turns = np.flatnonzero(negative[1:] != negative[:-1])
    if turns.size == 0:
        return []
    if turns.size == 1:
        first, turn, last = places[0], places[turns[0] + 1], places[-1] + 1
        at = np.arange(last - first, dtype=np.float64) if times is None else times[first:last] - times[first]
        x = _quick(np.abs(flows[first:last]), at, int(turn - first), uniform=times is None)
        if x is not None:
            return [x]
    at = places.astype(np.float64) if times is None else times[places]
    return _zeros(at - at[0], _logs(flows[places]), np.where(negative, -1.0, 1.0))


def solve(rows: FloatArray, choose: Choice, times: FloatArray | None = None) -> FloatArray:
    """Find one x for each of many streams.

    Args:
        rows: Finite flows, shape `(rows, n)`.
        choose: Which of no or several roots of a stream to take.
        times: See `roots`.

    Returns:
        Values of x, shape `(rows,)`.
    """
    spans = _spans(rows)
    x = np.full(rows.shape[0], choose([]))
    for where, first, turn, last in _groups(spans):
        at = np.arange(last - first, dtype=np.float64) if times is None else times[first:last] - times[first]
        for begin in range(0, where.size, _ROWS):
            block = where[begin : begin + _ROWS]
            together = block[-1] - block[0] == block.size - 1
            part = rows[block[0] : block[-1] + 1, first:last] if together else rows[block, first:last]
            x[block] = _quick_block(np.abs(part), at, turn - first, uniform=times is None)
    rest = np.flatnonzero((spans.changes == MORE) | ((spans.changes == ONE) & np.isnan(x)))
    x[rest] = [choose(roots(row, times)) for row in rows[rest]]
    return x


def _logs(flows: FloatArray) -> FloatArray:
    """Give ln of sizes relative to the largest; powers of two fall out, so scale leaves the bits."""
    digits, exponents = np.frexp(np.abs(flows))
    return np.asarray(np.log(digits) + (exponents - exponents.max()) * math.log(2.0))


def _spans(rows: FloatArray) -> _Spans:
    """Say how often each row changes its sign, and where its flows begin and end."""
    count, size = rows.shape
    found = np.zeros((4, count), dtype=np.intp)
    for begin in range(0, count, _ROWS):
        block = rows[begin : begin + _ROWS]
        index = np.arange(block.shape[0])
        gain, loss = block > 0, block < 0
        first_gain, first_loss = gain.argmax(axis=-1), loss.argmax(axis=-1)
        last_gain = size - 1 - gain[:, ::-1].argmax(axis=-1)
        last_loss = size - 1 - loss[:, ::-1].argmax(axis=-1)
        both = gain[index, first_gain] & loss[index, first_loss]
        apart = (last_gain < first_loss) | (last_loss < first_gain)
        found[:, begin : begin + _ROWS] = (
            np.where(both, np.where(apart, ONE, MORE), NONE),
            np.minimum(first_gain, first_loss),
            np.maximum(first_gain, first_loss),
            np.maximum(last_gain, last_loss) + 1,
        )
    return _Spans(*found)


def _groups(spans: _Spans) -> list[tuple[IntArray, int, int, int]]:
    """Put the rows with one change of sign together where they begin, turn and end alike."""
    where = np.flatnonzero(spans.changes == ONE)
    if where.size == 0:
        return []
    size = int(spans.last.max()) + 1
    key = (spans.first[where] * size + spans.turn[where]) * size + spans.last[where]
    if (key == key[0]).all():
        groups = [where]
    else:
        order = np.argsort(key, kind="stable")
        groups = np.split(where[order], np.flatnonzero(np.diff(key[order])) + 1)
    return [(one, int(spans.first[one[0]]), int(spans.turn[one[0]]), int(spans.last[one[0]])) for one in groups]


def _powers(base: float | FloatArray, size: int) -> FloatArray:
    """Give the powers 0 to `size - 1` along a last axis; two factors each, so few roundings."""
    values = np.empty((*np.shape(base), size))
    done, power = 1, base[..., None] if isinstance(base, np.ndarray) else base
    if isinstance(base, float) and size >= _BY_HAND:  # the same products, without the cost of small arrays
        square, cube = base * base, base * (base * base)
        fourth = square * square
        values[:_BY_HAND] = (1.0, base, square, cube, fourth, base * fourth, square * fourth, cube * fourth)
        done, power = _BY_HAND, fourth * fourth
    else:
        values[..., 0] = 1.0
    while done < size:
        more = min(done, size - done)
        np.multiply(values[..., :more], power, out=values[..., done : done + more])
        done += more
        if done < size:
            power = power * power
    return values


def _quick(size: FloatArray, times: FloatArray, turn: int, *, uniform: bool) -> float | None:
    """Solve for one stream that turns once, with Halley's method on ln PV(later) − ln PV(earlier).

    The logarithm of the ratio falls strictly, is free of scale and nearly linear. Halley's
    step triples the correct digits (E. Halley 1694; J. F. Traub, Iterative Methods for the
    Solution of Equations, 1964, section 5.2). Steps that leave the bracket are bisected.

    Returns:
        x, or None for a stream so extreme that the sums need care.
    """
    size = size * math.ldexp(1.0, -max(math.frexp(float(size.max()))[1], -1000))
    if size[0] < _SMALL:
        return None
    moments = np.empty((3, size.size))
    moments[0] = size
    np.multiply(size, times, out=moments[1])
    np.multiply(moments[1], times, out=moments[2])
    late, early = moments[:, turn:], moments[:, :turn]
    span = float(times[-1])
    x, low, high = 0.0, _LOW / span, _HIGH
    weights = np.ones(size.size)
    q0, mean_q, spread_q = float(size[0]), 0.0, 0.0
    for step in range(_STEPS):
        if step:
            weights = _powers(float(np.exp(-x)), size.size) if uniform else np.exp(-x * times)
        p0, p1, p2 = np.vecdot(late, weights[turn:]).tolist()
        if turn > 1:
            q0, q1, q2 = np.vecdot(early, weights[:turn]).tolist()
            mean_q = q1 / q0
            spread_q = q2 / q0 - mean_q * mean_q
        ratio = p0 / q0
        new = math.nan
        if ratio > 0:
            mean_p = p1 / p0
            slope = mean_q - mean_p
            bend = (p2 / p0 - mean_p * mean_p) - spread_q
            newton = float(np.log(ratio)) / slope
            new = x - newton / max(1.0 - newton * bend / (2.0 * slope), 0.5)
            move = abs(new - x)
            curve = span * span / (8.0 * slope)
            if move * move * move * (curve * curve - span * span * span / (30.0 * slope)) <= 1e-17:
                return new if new > 0.99 * _LOW / span else None
        if ratio > 1:
            low = x
        else:
            high = x
        x = new if low < new < high and step < _PATIENCE else (low + high) / 2.0
    return None


def _quick_block(size: FloatArray, times: FloatArray, turn: int, *, uniform: bool) -> FloatArray:
    """Do what `_quick` does for many streams that turn at one place; NaN stands for None."""
    exponent = np.maximum(np.frexp(size.max(axis=-1))[1], -1000)
    size = size * np.ldexp(1.0, -exponent)[:, None]
    found = np.full(size.shape[0], np.nan)
    index = np.flatnonzero(size[:, 0] >= _SMALL)
    if index.size < size.shape[0]:
        size = size[index]
    moments = [size, size * times]
    moments.append(moments[1] * times)
    span = float(times[-1])
    x, low, high = np.zeros(index.size), np.full(index.size, _LOW / span), np.full(index.size, _HIGH)
    weights = np.ones(times.size)
    q0: FloatArray = moments[0][:, 0]
    mean_q: float | FloatArray = 0.0
    spread_q: float | FloatArray = 0.0
    with np.errstate(all="ignore"):
        for step in range(_STEPS):
            if index.size == 0:
                break
            if step:
                weights = _powers(np.exp(-x), times.size) if uniform else np.exp(-x[:, None] * times)
            p0, p1, p2 = (np.vecdot(part[:, turn:], weights[..., turn:]) for part in moments)
            if turn > 1:
                q0, q1, q2 = (np.vecdot(part[:, :turn], weights[..., :turn]) for part in moments)
                mean_q = q1 / q0
                spread_q = q2 / q0 - mean_q * mean_q
            ratio = p0 / q0
            mean_p = p1 / p0
            slope = mean_q - mean_p
            bend = (p2 / p0 - mean_p * mean_p) - spread_q
            newton = np.log(ratio) / slope
            new = x - newton / np.maximum(1.0 - newton * bend / (2.0 * slope), 0.5)
            move = np.abs(new - x)
            curve = span * span / (8.0 * slope)
            done = move * move * move * (curve * curve - span * span * span / (30.0 * slope)) <= 1e-17
            rising = ratio > 1
            low, high = np.where(rising, x, low), np.where(rising, high, x)
            inside = (low < new) & (new < high) & (step < _PATIENCE)
            if done.any():
                found[index[done]] = np.where(new > 0.99 * _LOW / span, new, np.nan)[done]
                left = ~done
                index, moments, q0 = index[left], [part[left] for part in moments], q0[left]
                x = np.where(inside, new, (low + high) / 2.0)[left]
                low, high = low[left], high[left]
            else:
                x = np.where(inside, new, (low + high) / 2.0)
    return found


def _zeros(times: FloatArray, logs: FloatArray, signs: FloatArray) -> list[float]:
    """Find the x at which Σ sign·exp(log − t·x) changes its sign, in rising order."""
    turns = np.flatnonzero(signs[1:] != signs[:-1])
    if turns.size == 0:
        return []
    low = -_MARGIN * float(np.logaddexp(0.0, logs.max() - logs[-1]))
    high = _MARGIN * float(np.logaddexp(0.0, logs.max() - logs[0]))
    if turns.size == 1:
        return [_solve(times, logs, signs, low, high)]
    pivot = (times[turns[0]] + times[turns[0] + 1]) / 2
    slope = pivot - times
    turning = _zeros(times, logs + np.log(np.abs(slope)), signs * np.sign(slope))
    edges = [low, *(point for point in turning if low < point < high), high]
    sides = [(edge, _side(times, logs, signs, edge)) for edge in edges]
    clear = [(edge, side) for edge, side in sides if side]  # the others only touch 0
    return [
        _solve(times, logs, signs, left, right)
        for (left, before), (right, after) in itertools.pairwise(clear)
        if before * after < 0
    ]


def _terms(times: FloatArray, logs: FloatArray, x: float) -> FloatArray:
    """Give the terms at x as shares of the largest, so that none overflows."""
    exponents = logs - times * x
    return np.asarray(np.exp(exponents - exponents.max()))


def _side(times: FloatArray, logs: FloatArray, signs: FloatArray, x: float) -> float:
    """Give the sign of the sum at x, and 0 where it is no more than the rounding of its terms."""
    terms = _terms(times, logs, x)
    value = float((terms * signs).sum())
    noise = 2.0 * _EPS * float((terms * (2.0 + np.abs(logs) + np.abs(times * x))).sum())
    return float(np.sign(value)) if abs(value) > noise else 0.0


def _solve(times: FloatArray, logs: FloatArray, signs: FloatArray, low: float, high: float) -> float:
    """Find the only change of sign between two points, by Newton's method with bisection."""
    gains = signs > 0
    before = _side(times, logs, signs, low)
    x = 0.0 if low < 0.0 < high else (low + high) / 2
    for _ in range(_NEWTON_STEPS):
        terms = _terms(times, logs, x)
        gain, loss = terms[gains], terms[~gains]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.log(gain.sum()) - np.log(loss.sum())
            slope = (loss @ times[~gains]) / loss.sum() - (gain @ times[gains]) / gain.sum()
            step = x - value / slope
        if value == 0:
            return x
        if np.sign(value) == before:
            low = x
        else:
            high = x
        previous = x
        x = float(step) if low < step < high else (low + high) / 2
        if x in (previous, low, high) or abs(x - previous) <= 1e-16 * max(1.0, abs(x)):
            break
    return x
