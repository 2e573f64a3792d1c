"""Caches that answer requests in the place of a component."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, column, is_a, number, plain, text
from llm_tco.components.answers import ANSWER_SECONDS, CATEGORY, RIGHT_ANSWERS, UNDER_SERVED, holds
from llm_tco.components.base import Component, Composable, monthly
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.lines import Line
from llm_tco.money import Money, money


def hit_share_of_ttl(ttl: Number, reuse: Number, *, renewed: bool = False) -> FloatArray:
    """Give the share of repeated requests that come before their entry expires.

    Repetitions of one request come at random (Poisson), `reuse` apart on average. An entry
    that expires so long after it was written serves ttl / (ttl + reuse) of them: in each
    cycle one is a miss, and ttl / reuse are hits. Where every use renews it,
    1 − exp(−ttl / reuse) of them come in time: those gaps are shorter than it lives.
    (Both follow from renewal theory; compare N. Choungmo Fofack, P. Nain, G. Neglia,
    D. Towsley, "Performance evaluation of hierarchical TTL-based cache networks",
    Computer Networks 65, 2014.)

    Args:
        ttl: Time-to-live, shape `(...)`.
        reuse: Mean time between two repetitions, above 0, in the same unit, shape `(...)`.
        renewed: Whether a use renews an entry.

    Returns:
        Shares from 0 to 1, shape `(...)`; 0 where the time-to-live is 0.

    Raises:
        InvalidValueError: The time-to-live is below 0, or the time between repetitions is not above 0.

    >>> float(hit_share_of_ttl(3.0, 1.0))
    0.75
    """
    lives, apart = np.asarray(ttl, dtype=np.float64), np.asarray(reuse, dtype=np.float64)
    known = np.isfinite(lives) & (lives >= 0)
    if not known.all():
        raise InvalidValueError("ttl", f"must be a number of at least 0, got {plain(lives[~known].flat[0])}")
    if not np.all(apart > 0):
        raise InvalidValueError("reuse", f"must be above 0, got {plain(np.min(apart))}")
    if not renewed:
        return np.asarray(lives / (lives + apart))
    with np.errstate(over="ignore"):  # what lives for ever, as seen from the next use, is always there
        return np.asarray(-np.expm1(-lives / apart))


def warmth(demand: Demand, *, months: Number = 0.0, requests: Number = 0.0) -> FloatArray:
    """Say how warm a cache is in each month on average, from 0 to 1.

    What it answers of what it could rises evenly with time, or with the cacheable requests
    that it has seen, until it is warm. The mean over a month is the difference of
    ∫ min(x / w, 1) dx at its ends over that of x, where w is the length of the warm-up.

    Args:
        demand: The demand.
        months: Length of the warm-up, shape `(...)`. [month]
        requests: Its length in cacheable requests instead, shape `(...)`.

    Returns:
        Shape `(..., T + 1)`; 1 at index 0, where nothing is asked.
    """
    if np.any(requests):
        each = (stream.requests * stream.cacheable_share for stream in demand.streams)
        seen, needed = np.cumsum(sum(each, np.zeros(demand.timeline.size)), axis=-1), column(requests)
    else:
        seen, needed = demand.timeline.index.astype(np.float64), column(months)
    inside = np.minimum(seen, needed)
    rise = np.divide(
        inside**2, 2.0 * needed, out=np.zeros(inside.shape), where=np.broadcast_to(needed > 0, inside.shape)
    )
    new, warm = (np.diff(values, axis=-1) for values in (seen, rise + seen - inside))
    shape = np.broadcast_shapes(new.shape, warm.shape)
    share = np.divide(warm, new, out=np.ones(shape), where=np.broadcast_to(new > 0, shape))
    return np.concatenate([np.ones((*shape[:-1], 1)), share], axis=-1)


@attrs.frozen(eq=False)
class SemanticCache(Composable):
    """A cache that answers requests like earlier ones, in front of any component.

    What stands behind it sees the requests that were not answered:
    requests × (1 − cacheable share × hit rate × precision), or, where wrong answers are
    accepted, requests × (1 − cacheable share × hit rate).

    The hit rate of a month is the stated one × the share that comes within the time-to-live
    × how warm the cache is: that rises evenly from 0 to 1 over the months, or the requests,
    of the warm-up, and the month has its mean.

    Attributes:
        inner: What answers the rest.
        hit_rate: Share of the cacheable requests that the warm cache answers, 0 to 1, where
            nothing expires.
        precision: Share of its answers that are right.
        wrong_hit: What follows a wrong one: `"asked_again"` behind it, or `"accepted"`.
        loss_per_wrong_hit: What a wrong one costs in addition, off the invoice. [currency]
        upkeep_per_month: Storage and infrastructure. [currency/month]
        fee_per_lookup: Embedding and search, for every request. [currency]
        setup: What it costs to build, on the day of purchase. [currency]
        ttl_h: Time-to-live of an entry; without one, nothing expires. 0 is no cache. [h]
        reuse_h: Mean time until a request is repeated, where there is a time-to-live. [h]
        renewed: Whether a use renews an entry.
        warm_up_months: Months until the cache is warm. [month]
        warm_up_requests: Cacheable requests until it is warm, instead.
        latency_s: Mean time until it answers, or finds that it cannot. [s]
        name: First step of the paths of its own lines.
    """

    kind: ClassVar[str] = "semantic_cache"

    inner: Component = attrs.field(validator=is_a(Component))
    hit_rate: Number = number(ge=0, le=1, kw_only=True)
    precision: Number = number(ge=0, le=1, default=1.0)
    wrong_hit: str = choice("asked_again", "accepted", default="asked_again")
    loss_per_wrong_hit: Money | None = money(default=None, optional=True)
    upkeep_per_month: Money | None = money(default=None, optional=True)
    fee_per_lookup: Money | None = money(default=None, optional=True)
    setup: Money | None = money(default=None, optional=True)
    ttl_h: Number | None = number(ge=0, default=None, optional=True)
    reuse_h: Number | None = number(gt=0, default=None, optional=True)
    renewed: bool = False
    warm_up_months: Number = number(ge=0, default=0.0)
    warm_up_requests: Number = number(ge=0, default=0.0)
    latency_s: Number | None = number(ge=0, default=None, optional=True)
    name: str = text(default="cache")

    def __attrs_post_init__(self) -> None:
        if self.ttl_h is not None and self.reuse_h is None and np.any(self.ttl_h):
            raise InvalidValueError("reuse_h", "is missing; with a time-to-live, state after how long requests repeat")
        if self.reuse_h is not None and self.ttl_h is None:
            raise InvalidValueError("ttl_h", "is missing; reuse_h says how many entries it outlives")
        if np.any(self.warm_up_months) and np.any(self.warm_up_requests):
            raise InvalidValueError("warm_up_months", "must stand alone, without warm_up_requests")

    def hit_rates(self, demand: Demand) -> FloatArray:
        """Give the share of the cacheable requests that it answers in each month, shape `(..., T + 1)`."""
        alive = np.ones(1)
        if self.ttl_h is not None:
            reuse = 1.0 if self.reuse_h is None else self.reuse_h
            alive = hit_share_of_ttl(self.ttl_h, reuse, renewed=self.renewed)[..., None]
        warm = warmth(demand, months=self.warm_up_months, requests=self.warm_up_requests)
        return monthly(column(self.hit_rate) * alive * warm, demand)

    def cost(self, demand: Demand) -> Ledger:
        """Hand the rest of the demand on, and add the cache's own cost."""
        hits = self.hit_rates(demand)
        right = hits * column(self.precision)
        rest = demand.cached(hits if self.wrong_hit == "accepted" else right)
        ledger = self.inner.cost(rest).asked(rest)
        parts = [
            ledger,
            Ledger(timeline=demand.timeline, lines=tuple(_own_lines(self, demand, hits - right)), rising=True),
        ]
        if holds(ledger, RIGHT_ANSWERS) or holds(ledger, ANSWER_SECONDS):
            parts.append(self._answers(demand, demand.hits(right), ledger))
        combined = Ledger.combine(parts)
        curved = bool(np.any(self.warm_up_requests))
        return attrs.evolve(combined, smooth=combined.smooth or curved, rising=combined.rising and not curved)

    def _answers(self, demand: Demand, hits: Demand, ledger: Ledger) -> Ledger:
        """Count what hits repeat: the answers that the component would give to the same requests."""
        again = self.inner.cost(hits)
        lines = [
            self.line(CATEGORY, unit, again.amounts(unit), item=unit)
            for unit in (RIGHT_ANSWERS, UNDER_SERVED)
            if holds(ledger, unit)
        ]
        if holds(ledger, ANSWER_SECONDS):
            if self.latency_s is None:
                raise InvalidValueError("latency_s", "is missing: what stands behind the cache states its own")
            seconds = demand.requests * column(self.latency_s)
            lines.append(self.line(CATEGORY, ANSWER_SECONDS, seconds, item=ANSWER_SECONDS))
        return Ledger(timeline=demand.timeline, lines=tuple(lines), steps=again.steps, smooth=again.smooth, rising=True)


def _own_lines(cache: SemanticCache, demand: Demand, wrong: FloatArray) -> Iterator[Line]:
    """Write what a cache costs itself, with the share of cacheable requests that it answers wrongly."""
    if cache.setup is not None:
        built = np.where(demand.timeline.index == 0, cache.setup.column, 0.0)
        yield cache.line("cache", cache.setup.currency, built, item="setup", nature="one_time")
    if cache.upkeep_per_month is not None:
        upkeep = monthly(cache.upkeep_per_month.column, demand)
        yield cache.line("cache", cache.upkeep_per_month.currency, upkeep, item="upkeep")
    if cache.fee_per_lookup is not None:
        fees = demand.requests * cache.fee_per_lookup.column
        yield cache.line("cache", cache.fee_per_lookup.currency, fees, item="lookups")
    if cache.loss_per_wrong_hit is not None:
        loss = demand.hits(wrong).requests * cache.loss_per_wrong_hit.column
        yield cache.line("cache", cache.loss_per_wrong_hit.currency, loss, item="wrong hits", nature="hidden")
