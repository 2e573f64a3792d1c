"""How often requests repeat: hit rates of caches, read off a log of prompts."""

from __future__ import annotations

import bisect
import unicodedata
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, whole
from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import real_array

IntArray = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

SHINGLE: Final = 5
"""Characters of the runs by which prompts are compared, unless said otherwise: about a word of English."""

_NEVER: Final = -1


@attrs.frozen(eq=False, kw_only=True)
class Hits:
    """Which requests of a log a cache would answer.

    Attributes:
        hit: Whether each request is one, in the order of the log, shape `(n,)`.
    """

    hit: npt.NDArray[np.bool_]

    @property
    def entries(self) -> int:
        """Entries that are written: one for each miss."""
        return int(self.hit.size - self.hit.sum())

    @property
    def hit_rate(self) -> float:
        """Share of the requests that are hits."""
        return float(self.hit.mean())


@attrs.frozen(kw_only=True)
class HitCounts:
    """What a test of a semantic cache counted.

    Attributes:
        right: Hits with the right answer.
        wrong: Hits with a wrong one.
        missed: Requests that it did not answer.
    """

    right: int = whole(ge=0)
    wrong: int = whole(ge=0)
    missed: int = whole(ge=0)

    def __attrs_post_init__(self) -> None:
        if self.right + self.wrong == 0:
            raise InvalidValueError("right", "and wrong are both 0: without a hit there is no precision")

    @property
    def requests(self) -> int:
        """All requests of the test."""
        return self.right + self.wrong + self.missed

    @property
    def hit_rate(self) -> float:
        """Share of the requests that it answered."""
        return (self.right + self.wrong) / self.requests

    @property
    def precision(self) -> float:
        """Share of its answers that were right."""
        return self.right / (self.right + self.wrong)

    @property
    def wrong_answer_share(self) -> float:
        """Share of the requests that got a wrong answer, where nobody asks again."""
        return self.wrong / self.requests


def _ids(prompts: Sequence[str]) -> IntArray:
    """Number prompts; equal ones have equal numbers."""
    if isinstance(prompts, str) or not len(prompts):
        raise InvalidValueError("prompts", "must hold at least one prompt")
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(prompt, len(numbers)) for prompt in prompts], dtype=np.int64)


def _times(seconds: npt.ArrayLike | None, size: int, ttl_s: float | None) -> FloatArray:
    """Take the times of a log, which must not go backwards."""
    if ttl_s is not None and not ttl_s >= 0:
        raise InvalidValueError("ttl_s", f"must be at least 0, got {ttl_s}")
    if seconds is None:
        if ttl_s is not None:
            raise InvalidValueError("seconds", "is missing: a time-to-live needs the time of each request")
        return np.zeros(size)
    times = real_array(seconds, "seconds")
    if times.shape != (size,) or (np.diff(times) < 0).any():
        raise InvalidValueError("seconds", f"must hold {size} times in rising order, one for each prompt")
    return times


def previous(ids: IntArray) -> IntArray:
    """Give the place of the last equal request before each, or −1, shape `(n,)`."""
    order = np.argsort(ids, kind="stable")
    before = np.full(ids.size, _NEVER, dtype=np.int64)
    same = ids[order[1:]] == ids[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    return before


def exact_hits(
    prompts: Sequence[str], *, seconds: npt.ArrayLike | None = None, ttl_s: float | None = None, renewed: bool = False
) -> Hits:
    """Say which requests repeat an earlier prompt to the letter, in a cache that never is full.

    Args:
        prompts: The prompts in the order in which they came.
        seconds: When each came, rising, shape `(n,)`; needed with a time-to-live. [s]
        ttl_s: For how long an entry lives after it was written; without one, for ever. [s]
        renewed: Whether a use lets it live that long again.

    Raises:
        InvalidValueError: There is no prompt, or the times do not fit.
    """
    ids = _ids(prompts)
    times = _times(seconds, ids.size, ttl_s)
    before = previous(ids)
    if ttl_s is None:
        return Hits(hit=before >= 0)
    if ttl_s == 0:
        return Hits(hit=np.zeros(ids.size, dtype=bool))  # no cache, even for requests of one moment
    if renewed:
        return Hits(hit=(before >= 0) & (times - times[before] <= ttl_s))
    return Hits(hit=~_written(ids, times, ttl_s))


def _written(ids: IntArray, times: FloatArray, ttl_s: float) -> npt.NDArray[np.bool_]:
    """Say which requests write an entry that expires so long after it was written."""
    order = np.argsort(ids, kind="stable")
    at = times[order].tolist()
    ends = np.append(np.flatnonzero(np.diff(ids[order])) + 1, ids.size).tolist()
    writes, place = [], 0
    # When an entry is written again depends on when it was written before: a walk over the misses.
    for end in ends:
        while place < end:
            writes.append(place)
            place = bisect.bisect_right(at, at[place] + ttl_s, place, end)
    written = np.zeros(ids.size, dtype=bool)
    written[order[writes]] = True
    return written


@attrs.frozen(eq=False, kw_only=True)
class LruCurve:
    """The hit rate of caches of every size that evict what was used longest ago.

    Attributes:
        distances: For each request the number of other prompts since it was last asked, or
            −1 for what is new or has expired, shape `(n,)`.
    """

    distances: IntArray

    def hit_rate(self, entries: npt.ArrayLike) -> FloatArray:
        """Give the hit rate of caches that hold so many entries, in the shape of the argument."""
        sizes = np.asarray(entries)
        if sizes.dtype.kind not in "iu" or np.any(sizes < 0):
            raise InvalidValueError("entries", f"must be whole numbers of at least 0, got {entries!r}")
        known = np.sort(self.distances[self.distances >= 0])
        return np.asarray(np.searchsorted(known, sizes, side="left") / self.distances.size)

    def hits(self, entries: int) -> Hits:
        """Say which requests a cache of one size answers."""
        return Hits(hit=(self.distances >= 0) & (self.distances < entries))


def lru_curve(prompts: Sequence[str], *, seconds: npt.ArrayLike | None = None, ttl_s: float | None = None) -> LruCurve:
    """Read the exact hit rate of a least-recently-used cache of every size off a log.

    A cache of c entries holds a prompt as long as fewer than c others have come since (the
    stack distance of R. L. Mattson, J. Gecsei, D. R. Slutz, I. L. Traiger, "Evaluation
    techniques for storage hierarchies", IBM Systems Journal 9 (2), 1970). Since the last
    time that request i was asked, at p, the others among the requests between are those
    that were not asked between p and themselves; they are counted for all requests at once.

    Args:
        prompts: The prompts in the order in which they came.
        seconds: When each came, rising, shape `(n,)`; needed with a time-to-live. [s]
        ttl_s: For how long an entry lives after its last use. [s]
    """
    ids = _ids(prompts)
    times = _times(seconds, ids.size, ttl_s)
    before = previous(ids)
    place = np.arange(ids.size)
    distances = np.where(before >= 0, place - before - 1 - _greater_before(before + 1), _NEVER)
    if ttl_s is not None:
        distances = np.where((times - times[before] <= ttl_s) & (ttl_s > 0), distances, _NEVER)
    return LruCurve(distances=distances)


def _greater_before(values: IntArray) -> IntArray:
    """Count for each value how many before it are greater, shape `(n,)`.

    Bit by bit from the highest on: among values that agree in all higher bits, and stand in
    their old order, each with a 0 has as many greater ones before it as there are 1s.
    """
    count = np.zeros(values.size, dtype=np.int64)
    order = np.arange(values.size)
    for bit in range(int(values.max(initial=0)).bit_length() - 1, -1, -1):
        group, ones = values[order] >> (bit + 1), (values[order] >> bit) & 1
        begins = np.concatenate([[True], group[1:] != group[:-1]])
        start = np.maximum.accumulate(np.where(begins, np.arange(values.size), 0))
        seen = np.cumsum(ones) - ones  # 1s before each place
        inside = seen - seen[start]
        count[order] += np.where(ones == 0, inside, 0)
        order = order[np.argsort(values[order] >> bit, kind="stable")]
    return count


def near_hits(prompts: Sequence[str], *, threshold: float = 0.8, shingle: int = SHINGLE, seed: int = 0) -> Hits:
    """Say which requests are nearly a prompt that a cache holds.

    Two prompts are alike as their sets of shingles are, the runs of so many characters, by
    case-folded text with single spaces, in which a full-width letter or mark is the plain one
    (Jaccard similarity, A. Z. Broder, "On the resemblance and containment of documents",
    1997). Each is compared with the entries
    that agree with it in a band of its MinHash signature, which misses less than one in a
    hundred of those that are just alike enough; the similarity itself is then exact. What
    hits is not written, so that every entry is a miss.

    Args:
        prompts: The prompts in the order in which they came.
        threshold: Least similarity of a hit, above 0, at most 1.
        shingle: Characters of a shingle. In Chinese, where one is a word or half of one, state 2:
            a change within five characters changes five shingles of a short question.
        seed: Seed of the hash functions.

    Raises:
        InvalidValueError: There is no prompt, or a setting is out of bounds.
    """
    if not 0 < threshold <= 1:
        raise InvalidValueError("threshold", f"must be above 0 and at most 1, got {threshold}")
    if shingle < 1:
        raise InvalidValueError("shingle", f"must be at least 1, got {shingle}")
    texts = [_folded(prompt) for prompt in prompts]
    plain = _ids(texts)
    first = np.unique(plain, return_index=True)[1]
    sets = [_shingles(texts[place], shingle) for place in first.tolist()]
    stored = _stored(sets, threshold, _bands(sets, threshold, seed))
    # What repeats to the letter is a hit even where its first occurrence was one, and wrote nothing.
    return Hits(hit=~(stored[plain] & (first[plain] == np.arange(plain.size))))


def _folded(prompt: str) -> str:
    """Write a prompt so that width, case and spaces make no difference."""
    return " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())


def _shingles(text: str, size: int) -> Words:
    """Hash the runs of characters of a text, each once, sorted."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64) + np.uint64(1)
    if codes.size < size:
        codes = np.concatenate([codes, np.zeros(size - codes.size, dtype=np.uint64)])
    powers = np.array([pow(0x9E3779B97F4A7C15, place, 2**64) for place in range(size)], dtype=np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(codes, size)
    return np.unique(_mixed((runs * powers).sum(axis=-1, dtype=np.uint64)))


def _mixed(words: Words) -> Words:
    """Spread the bits of words over all of their bits."""
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
        words = (words ^ (words >> np.uint64(shift))) * np.uint64(factor)
    return words ^ (words >> np.uint64(33))


_HASHES: Final = 128
_FOUND: Final = 0.99
"""Least probability that two prompts at the threshold meet in a band."""


def _bands(sets: Sequence[Words], threshold: float, seed: int) -> list[list[bytes]]:
    """Cut the MinHash signature of each set into bands, as wide as the threshold allows."""
    rng = np.random.default_rng(seed)
    salts = rng.integers(0, 2**64, size=_HASHES, dtype=np.uint64)
    widths = [width for width in (64, 32, 16, 8, 4, 2, 1) if 1 - (1 - threshold**width) ** (_HASHES // width) >= _FOUND]
    width = widths[0] if widths else 1
    found = []
    for words in sets:
        signature = _mixed(words[:, None] ^ salts).min(axis=0)
        found.append([signature[place : place + width].tobytes() for place in range(0, _HASHES, width)])
    return found


def _stored(sets: Sequence[Words], threshold: float, bands: Sequence[Sequence[bytes]]) -> npt.NDArray[np.bool_]:
    """Say which prompts are written: those like no entry that was written before them."""
    entries: dict[tuple[int, bytes], list[int]] = {}
    stored = np.ones(len(sets), dtype=bool)
    # Whether a prompt is written depends on those that were: a walk over the different prompts.
    for place, words in enumerate(sets):
        near = {other for band in enumerate(bands[place]) for other in entries.get(band, ())}
        if any(_similarity(words, sets[other]) >= threshold for other in near):
            stored[place] = False
            continue
        for band in enumerate(bands[place]):
            entries.setdefault(band, []).append(place)
    return stored


def _similarity(one: Words, other: Words) -> float:
    """Give the Jaccard similarity of two sorted sets."""
    common = np.intersect1d(one, other, assume_unique=True).size
    return common / (one.size + other.size - common)
