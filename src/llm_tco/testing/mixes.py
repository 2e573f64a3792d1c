"""Hypothesis strategies for caches and routers. Everything that they draw is valid."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import strategies as st

from llm_tco.components.answers import Quality
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Component
from llm_tco.components.batching import Deferral
from llm_tco.components.cache import SemanticCache
from llm_tco.components.policies import Attempt, Cascade, Rule, RuleRouter, ThresholdRouter
from llm_tco.components.power import Power
from llm_tco.components.prompt_cache import PromptCache
from llm_tco.components.router import Route, Router
from llm_tco.components.spill import SpillOver
from llm_tco.testing.strategies import fleets, money, simple_components

_ratio = st.floats(0.0, 1.0)


def _stated(quality: bool) -> dict[str, st.SearchStrategy[Any]]:
    return {"quality": _ratio, "latency_s": st.floats(0.0, 60.0)} if quality else {}


def routes(
    target: st.SearchStrategy[Component], *, quality: bool = False, shares: st.SearchStrategy[float] | None = None
) -> st.SearchStrategy[Route]:
    """Draw routes.

    Args:
        target: Draws what answers.
        quality: Whether they state quality and latency.
        shares: Draws their shares, where they have one.
    """
    share = {} if shares is None else {"share": shares}
    return st.builds(Route, target, **share, **_stated(quality))


@st.composite
def routers(draw: st.DrawFn, inner: st.SearchStrategy[Component] | None = None, currency: str = "CNY") -> Component:
    """Draw routers of every policy.

    Args:
        draw: Given by hypothesis.
        inner: Draws what answers; single costs without a fleet unless it is given.
        currency: Currency of the amounts.
    """
    target = simple_components(currency) if inner is None else inner
    quality = draw(st.booleans())
    fee = draw(st.none() | money(currency, 10.0))
    one, other = (draw(routes(target, quality=quality)) for _ in range(2))
    kind = draw(st.sampled_from(["rule_router", "threshold_router", "cascade", "spill_over", "rate_limit"]))
    if kind == "rule_router":
        tokens = draw(st.floats(0.0, 30_000.0))
        rules = (Rule(route="easy", up_to_tokens=tokens + 1.0), Rule(route="hard", tasks=("analysis",)))
        counted = draw(st.sampled_from(["input", "output", "total"]))
        return RuleRouter(
            {"easy": one, "hard": other}, rules=rules, default="hard", counted=counted, fee_per_request=fee
        )
    if kind == "threshold_router":
        scores = ((0.0, draw(_ratio)), (1.0, 1.0))
        threshold = draw(st.floats(-0.5, 1.5))
        return ThresholdRouter(weak=one, strong=other, threshold=threshold, scores=scores, fee_per_request=fee)
    if kind == "cascade":
        stated = {"quality": 0.5, "latency_s": 1.0} if quality else {}
        first = Attempt(name="first", target=one.target, escalated_share=draw(_ratio), **stated)
        return Cascade((first, Attempt(name="last", target=other.target, **stated)), fee_per_judgement=fee)
    if kind == "rate_limit" and one.target is not other.target:
        limited = attrs.evolve(one, max_requests_per_s=draw(st.floats(0.0, 10.0)))
        return SpillOver(local=limited, overflow=other, fee_per_request=fee)
    fleet = draw(fleets(fixed=True, currency=currency))
    power = Power(fleet, price_per_kwh=draw(money(currency, 10.0)), pue=1.5)
    stated = {"quality": 0.5, "latency_s": 1.0} if quality else {}
    return SpillOver(fleet=fleet, local=Route(power, **stated), overflow=other, fee_per_request=fee)


@st.composite
def caches(draw: st.DrawFn, inner: st.SearchStrategy[Component] | None = None, currency: str = "CNY") -> Component:
    """Draw what stands in front of one component: semantic and prompt caches, deferral, stated quality.

    A cache has the name of what stands behind it, so that all of its lines begin with it.

    Args:
        draw: Given by hypothesis.
        inner: Draws what stands behind it; single costs without a fleet unless it is given.
        currency: Currency of the amounts.
    """
    behind = draw(simple_components(currency) if inner is None else inner)
    amount = st.none() | money(currency, 1e4)
    upkeep = draw(amount)
    kind = draw(st.sampled_from(["semantic_cache", "prompt_cache", "deferral", "quality"]))
    if kind == "deferral":
        return Deferral(behind, share=draw(_ratio))
    if kind == "quality":
        return Quality(behind, quality=draw(_ratio), latency_s=draw(st.none() | st.floats(0.0, 60.0)))
    if kind == "prompt_cache":
        prefix: dict[str, Any] = draw(
            st.fixed_dictionaries({"prefix_share": _ratio})
            | st.fixed_dictionaries({"prefix_tokens": st.floats(0.0, 30_000.0)})
        )
        least = draw(st.floats(0.0, 5_000.0))
        # An API may state several times-to-live of cache writes, and then needs the word of one.
        ttl = None
        if isinstance(behind, ApiUsage):
            ttl = next(iter(behind.rows[0].cache_write))
            behind = attrs.evolve(behind, cached_share=0.0)  # the cache in front says what is read
        return PromptCache(
            behind,
            **prefix,
            hit_rate=draw(_ratio),
            min_prefix_tokens=least,
            ttl=None if ttl == "default" else ttl,
            upkeep_per_month=upkeep,
            name=behind.name,
        )
    lifetime = {"ttl_h": draw(st.floats(0.0, 100.0)), "reuse_h": draw(st.floats(0.1, 100.0))}
    warm_up = st.sampled_from([{}, {"warm_up_months": 2.5}, {"warm_up_requests": 10_000.0}])
    return SemanticCache(
        behind,
        hit_rate=draw(_ratio),
        precision=draw(_ratio),
        wrong_hit=draw(st.sampled_from(["asked_again", "accepted"])),
        loss_per_wrong_hit=draw(amount),
        upkeep_per_month=upkeep,
        fee_per_lookup=draw(st.none() | money(currency, 10.0)),
        setup=draw(amount),
        **(lifetime if draw(st.booleans()) else {}),
        renewed=draw(st.booleans()),
        **draw(warm_up),
        name=behind.name,
    )


def share_routers(
    inner: st.SearchStrategy[Component] | None = None, currency: str = "CNY"
) -> st.SearchStrategy[Router]:
    """Draw routers by share, with two routes."""
    target = simple_components(currency) if inner is None else inner
    return st.tuples(target, target, _ratio).map(
        lambda drawn: Router({"one": Route(drawn[0], share=drawn[2]), "other": Route(drawn[1], share=1.0 - drawn[2])})
    )
