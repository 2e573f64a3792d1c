"""Sums that do not depend on the order of their terms, and the upper hull of points."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray
from llm_tco.errors import OverflowedError

IntArray = npt.NDArray[np.int64]

_BITS: Final = 62
"""Bits of a sum of whole numbers that cannot overflow."""
_COLLINEAR: Final = 4 * float(np.finfo(np.float64).eps)
"""Height over a line, in a unit square, below which a point lies on it."""


def running_sums(values: FloatArray, ends: IntArray) -> FloatArray:
    """Sum the first rows of a table; see `sums_around`, of which these are the first."""
    return sums_around(values, ends)[0]


def sums_around(values: FloatArray, cuts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Sum the rows of a table before a cut, and those after it, to the same bits in whatever order they stand.

    Every number is cut into two whole multiples of powers of two. Whole numbers add and
    subtract exactly, so no order matters, and what lies after a cut keeps its digits beside
    something large before it. What is below 2**-100 of the largest sum is cut off.

    Args:
        values: Numbers of at least 0, shape `(n, k)`.
        cuts: Rows before each cut, each from 0 to n, shape `(m,)`.

    Returns:
        Sums before and after each cut, each of shape `(m, k)`.

    Raises:
        OverflowedError: A sum is no finite number.
    """
    rows, largest = values.shape[0], float(values.max())
    if largest == 0:
        return np.zeros((cuts.size, values.shape[1])), np.zeros((cuts.size, values.shape[1]))
    bits = _BITS - rows.bit_length()
    exponent = bits - int(np.frexp(largest)[1])
    scaled = np.ldexp(values, exponent)
    coarse = np.floor(scaled)
    fine = np.floor(np.ldexp(scaled - coarse, bits))
    high, low = (_sums(part.astype(np.int64), cuts) for part in (coarse, fine))

    def added(side: int) -> FloatArray:
        carried = high[side] + (low[side] >> bits)
        rest = np.ldexp((low[side] & ((1 << bits) - 1)).astype(np.float64), -bits)
        with np.errstate(over="ignore"):
            sums = np.ldexp(carried + rest, -exponent)
        if not np.isfinite(sums).all():
            raise OverflowedError(f"the sum of {rows} numbers of up to {largest:g} is too large for a float")
        return np.asarray(sums)

    return added(0), added(1)


def _sums(part: IntArray, cuts: IntArray) -> tuple[IntArray, IntArray]:
    """Sum whole numbers before and after each cut."""
    if cuts.size == 1 and cuts[0] == part.shape[0]:
        total = part.sum(axis=0, keepdims=True)
        return total, np.zeros_like(total)
    sums = np.concatenate([np.zeros((1, part.shape[1]), dtype=np.int64), part.cumsum(axis=0)])
    return sums[cuts], sums[-1] - sums[cuts]


def upper_hull(cost: npt.ArrayLike, quality: npt.ArrayLike) -> IntArray:
    """Find the points that no mix of others beats: from the cheapest to the best.

    The search divides at the point highest above the line between two corners and forgets
    what lies below (Barber, Dobkin & Huhdanpaa, "The Quickhull algorithm for convex hulls",
    ACM Transactions on Mathematical Software 22(4), 1996, https://doi.org/10.1145/235815.235821).

    Args:
        cost: Costs, shape `(n,)`.
        quality: Qualities, shape `(n,)`.

    Returns:
        Places of the corners; cost and quality both rise.
    """
    x, y = (_unit(np.ascontiguousarray(values, dtype=np.float64)) for values in (cost, quality))
    first = _first(x, -y)
    last = _first(-y, x)
    if x[last] <= x[first] or y[last] <= y[first]:
        return np.array([first])
    corners, open_spans = [first, last], [(first, last, np.arange(x.size))]
    while open_spans:
        left, right, inside = open_spans.pop()
        width, height = x[right] - x[left], y[right] - y[left]
        above = width * (y[inside] - y[left]) - height * (x[inside] - x[left])
        kept = inside[above > _COLLINEAR]
        if kept.size:
            top = int(inside[above.argmax()])
            corners.append(top)
            open_spans += [(left, top, kept[x[kept] < x[top]]), (top, right, kept[x[kept] > x[top]])]
    return _concave(np.array(sorted(corners, key=lambda place: x[place])), x, y)


def _unit(values: FloatArray) -> FloatArray:
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low)) if high > low else np.zeros_like(values)


def _first(main: FloatArray, tie: FloatArray) -> int:
    """Give the place of the least value; of several, the one least in `tie`."""
    ties = np.flatnonzero(main == main.min())
    return int(ties[tie[ties].argmin()])


def _concave(corners: IntArray, x: FloatArray, y: FloatArray) -> IntArray:
    """Leave out corners that rounding put on the line of their neighbours, or below."""
    kept: list[int] = []
    for place in corners.tolist():
        while len(kept) > 1 and _turns_up(kept[-2], kept[-1], place, x, y):
            kept.pop()
        kept.append(place)
    return np.array(kept)


def _turns_up(left: int, middle: int, right: int, x: FloatArray, y: FloatArray) -> bool:
    rise, run = y[middle] - y[left], x[middle] - x[left]
    return bool(rise * (x[right] - x[left]) <= (y[right] - y[left]) * run)
