"""Prompt caches: prefixes that repeat are read instead of being computed again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, is_a, number, plain, text
from llm_tco.catalog.models import Throughput
from llm_tco.components.base import Component, Composable, monthly
from llm_tco.demand import Demand, Stream
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lengths import Lengths
from llm_tco.money import Money, money
from llm_tco.units import SECONDS_PER_HOUR


def break_even_hit_rate(input_price: Number, read_price: Number, write_price: Number) -> FloatArray:
    """Give the hit rate from which on a prompt cache pays.

    With a hit rate h a token of the prefix costs h × read + (1 − h) × write, which equals
    the price of input at h = (write − input) / (write − read).

    Args:
        input_price: Price of a prompt token that is not cached, shape `(...)`.
        read_price: Price of one that is read, below that of input.
        write_price: Price of one that is written.

    Returns:
        The rate, shape `(...)`; 0 or less where it pays with any hit rate.

    Raises:
        InvalidValueError: Reading costs no less than input, so that it never pays by hits.

    >>> round(float(break_even_hit_rate(1.0, 0.1, 1.25)), 4)
    0.2174
    """
    fresh, read, write = (np.asarray(price, dtype=np.float64) for price in (input_price, read_price, write_price))
    if np.any(read >= fresh):
        raise InvalidValueError("read_price", "must be below the price of input; else hits save nothing")
    if np.any(write <= read):
        raise InvalidValueError("write_price", "must be above the price of reading; else every hit rate pays")
    return np.asarray((write - fresh) / (write - read))


def break_even_uses(input_price: Number, read_price: Number, write_price: Number) -> FloatArray:
    """Give how often a prefix must be used, its write included, until the cache pays.

    n uses of which one writes cost write + (n − 1) × read, which equals n × input at
    n = (write − read) / (input − read); the arguments are those of `break_even_hit_rate`.

    >>> round(float(break_even_uses(1.0, 0.1, 1.25)), 4)
    1.2778
    """
    return uses_of_hit_rate(break_even_hit_rate(input_price, read_price, write_price))


def uses_of_hit_rate(hit_rate: Number) -> FloatArray:
    """Give the uses of a prefix for each time that it is written: 1 / (1 − hit rate).

    Raises:
        InvalidValueError: The hit rate is not below 1: what is never written is never read.
    """
    rate = np.asarray(hit_rate, dtype=np.float64)
    if not np.all(rate < 1):
        raise InvalidValueError("hit_rate", f"must be below 1, got {plain(np.max(rate))}")
    return np.asarray(1.0 / (1.0 - rate))


def hit_rate_of_uses(uses: Number) -> FloatArray:
    """Give the hit rate of a prefix that is used so often for each time that it is written: 1 − 1 / uses.

    Raises:
        InvalidValueError: The uses are not above 0.
    """
    times = np.asarray(uses, dtype=np.float64)
    if not np.all(times > 0):
        raise InvalidValueError("uses", f"must be above 0, got {plain(np.min(times))}")
    return np.asarray(1.0 - 1.0 / times)


def prefill_hours_saved(throughput: Throughput, demand: Demand) -> FloatArray:
    """Give the hours for which a replica is not busy because prefixes are read instead of computed.

    Args:
        throughput: What a replica delivers; a rate of whole requests or of output alone saves nothing.
        demand: A demand behind a prompt cache.

    Returns:
        Hours in each month, shape `(..., T + 1)`. [h]
    """
    saved = np.zeros(demand.timeline.size)
    for stream in demand.streams:
        lengths = stream.lengths
        whole = throughput.busy_seconds(lengths.input_tokens, lengths.output_tokens)
        rest = throughput.busy_seconds(lengths.input_tokens - lengths.cached_tokens, lengths.output_tokens)
        saved = saved + stream.requests * lengths.mean(whole - rest) / SECONDS_PER_HOUR
    return saved


@attrs.frozen(eq=False)
class PromptCache(Composable):
    """A cache of prompt prefixes in front of any component, which then sees how many tokens it need not compute.

    The prefix of a request is a share of its prompt, or so many tokens of it. It is found,
    and read, with the hit rate; else it is computed and written. A prefix that is too short
    is neither. An API bills each request by its own prices; own servers save the time of prefill.

    Attributes:
        inner: What answers. It still sees every request.
        prefix_share: Share of a prompt that repeats, 0 to 1.
        prefix_tokens: Tokens of a prompt that repeat, such as a system prompt, instead. [tokens]
        hit_rate: Share of the requests whose prefix is found.
        min_prefix_tokens: Shortest prefix that is cached. [tokens]
        ttl: Word of the price for how long a prefix is kept, such as `"5m"`.
        writes_billed_apart: Whether a write has a price of its own; else what is written is
            plain input, as with providers that cache by themselves.
        upkeep_per_month: Storage. [currency/month]
        name: First step of the paths of its own lines.
    """

    kind: ClassVar[str] = "prompt_cache"

    inner: Component = attrs.field(validator=is_a(Component))
    prefix_share: Number | None = number(ge=0, le=1, default=None, optional=True, kw_only=True)
    prefix_tokens: Number | None = number(ge=0, default=None, optional=True, kw_only=True)
    hit_rate: Number = number(ge=0, le=1, kw_only=True)
    min_prefix_tokens: Number = number(ge=0, default=0.0)
    ttl: str | None = None
    writes_billed_apart: bool = True
    upkeep_per_month: Money | None = money(default=None, optional=True)
    name: str = text(default="prompt cache")

    def __attrs_post_init__(self) -> None:
        if self.prefix_share is None and self.prefix_tokens is None:
            raise InvalidValueError("prefix_share", "must be given, or prefix_tokens instead")
        if self.prefix_share is not None and self.prefix_tokens is not None:
            raise InvalidValueError("prefix_share", "must stand alone, without prefix_tokens")

    def applied(self, demand: Demand) -> Demand:
        """Say of each request how many tokens are read or written.

        Requests whose prefix is found and those whose prefix is not become streams of their
        own: a least charge, or a tier, looks at one request and not at the mean of both.
        """
        return attrs.evolve(demand, streams=tuple(part for stream in demand.streams for part in self._parts(stream)))

    def _parts(self, stream: Stream) -> Iterator[Stream]:
        lengths = stream.lengths
        if np.any(lengths.cached_tokens) or np.any(lengths.written_tokens):
            raise InvalidValueError("inner", "stands behind another prompt cache, and a prompt has one prefix")
        prefix, hit_rate = self._prefix(lengths), column(self.hit_rate)
        hits = stream.requests * hit_rate
        if np.any(hit_rate > 0):
            read = attrs.evolve(lengths, cached_tokens=prefix)
            yield attrs.evolve(stream, requests=hits, lengths=read)
        if np.any(hit_rate < 1):
            written = prefix if self.writes_billed_apart else np.zeros_like(prefix)
            missed = attrs.evolve(lengths, written_tokens=written, written_ttl=self.ttl)
            yield attrs.evolve(stream, requests=stream.requests - hits, lengths=missed)

    def _prefix(self, lengths: Lengths) -> FloatArray:
        """Give the tokens of each kind of request that are cached, shape `(..., K)`."""
        if self.prefix_share is not None:
            prefix = column(self.prefix_share) * lengths.input_tokens
        else:
            assert self.prefix_tokens is not None  # one of the two is given
            prefix = np.minimum(column(self.prefix_tokens), lengths.input_tokens)
        return np.where(prefix >= column(self.min_prefix_tokens), prefix, 0.0)

    def cost(self, demand: Demand) -> Ledger:
        """Hand every request on with its prefix, and add the cache's own cost."""
        seen = self.applied(demand)
        ledger = self.inner.cost(seen).asked(seen)
        if self.upkeep_per_month is None:
            return ledger
        upkeep = monthly(self.upkeep_per_month.column, demand)
        own = self.line("cache", self.upkeep_per_month.currency, upkeep, item="upkeep")
        return Ledger.combine([ledger, Ledger(timeline=demand.timeline, lines=(own,), rising=True)])
