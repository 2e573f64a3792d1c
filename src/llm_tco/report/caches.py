"""What caches save, and what a log of prompts says, as plain data and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from rich.console import Group, RenderableType
from rich.text import Text

from llm_tco.analysis.nested import PlacedCase
from llm_tco.report.document import FORMAT
from llm_tco.report.grid import figure, grid, money
from llm_tco.report.tables import UNKNOWN, percent

_ANSWERS = ("quality", "cost_per_right_answer", "under_served", "latency_s")


def cache_document(title: str, currency: str, months: int, cases: Sequence[PlacedCase]) -> dict[str, Any]:
    """Lay the cases of caches out as plain data."""
    found = [_case(case) for case in cases]
    return {"format": FORMAT, "title": title, "currency": currency, "months": months, "caches": found}


def _case(case: PlacedCase) -> dict[str, Any]:
    figures = attrs.asdict(case.case)
    del figures["option"], figures["instead_of"]
    figures["break_even_hit_rates"] = list(figures["break_even_hit_rates"])
    return {
        **{name: getattr(case, name) for name in ("option", "path", "kind", "hit_rate")},
        **figures,
        **{name: getattr(case, name) for name in ("asked", "hits", "wrong_hits", "wrong_hit")},
        "with": {name: _plain(getattr(case.answers, name)) for name in _ANSWERS},
        "without": {name: _plain(getattr(case.answers_without, name)) for name in _ANSWERS},
    }


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)


def render_caches(document: dict[str, Any]) -> RenderableType:
    """Lay the cases of caches out for a terminal."""
    cases, currency = document["caches"], document["currency"]
    about = (
        f"{document['title']}: each cache against its option without it, {currency} over {document['months']} months"
    )
    parts: list[RenderableType] = [Text(about, style="bold"), Text(""), _savings(cases)]
    counted = [case for case in cases if case["asked"] is not None]
    if counted:
        parts += [Text(""), _hits(counted)]
    known = [case for case in cases if any(value is not None for value in case["without"].values())]
    if known:
        parts += [Text(""), _answers(known, currency)]
    parts += [
        Text(f"{_label(case)}: with it or without it a part of the load is unserved, so that the two do not compare.")
        for case in cases
        if not case["comparable"]
    ]
    return Group(*parts)


def _savings(cases: Sequence[dict[str, Any]]) -> RenderableType:
    heads = ("cache", "hit rate", "saves", "of the cost", "own cost", "ROI", "payback", "breaks even at")
    rows = [
        (
            _label(case),
            percent(case["hit_rate"]),
            money(case["saving"], sign=True),
            percent(case["saving_share"], sign=True),
            money(case["own_cost"]),
            percent(case["roi"], sign=True),
            UNKNOWN if case["payback_months"] is None else f"{case['payback_months']:,.1f} months",
            _breaks_even(case),
        )
        for case in cases
    ]
    return grid("What each cache saves", heads, rows)


def _breaks_even(case: dict[str, Any]) -> str:
    """Name the hit rates at which a cache begins or ceases to save; where there is none, it always or never does."""
    rates = ", ".join(percent(rate) for rate in case["break_even_hit_rates"])
    return rates or ("saves at any" if case["saving"] > 0 else "no hit rate")


def _hits(cases: Sequence[dict[str, Any]]) -> RenderableType:
    heads = ("cache", "requests", "hits", "wrong", "of all", "a wrong hit is")
    rows = [
        (
            _label(case),
            money(case["asked"]),
            money(case["hits"]),
            money(case["wrong_hits"]),
            percent(case["wrong_hits"] / case["asked"], digits=2) if case["asked"] else UNKNOWN,
            str(case["wrong_hit"]).replace("_", " "),
        )
        for case in cases
    ]
    return grid("Answers of semantic caches", heads, rows, words=(0, 5))


def _label(case: dict[str, Any]) -> str:
    return case["option"] if case["path"] in ("", case["option"]) else f"{case['option']}: {case['path']}"


def _answers(cases: Sequence[dict[str, Any]], currency: str) -> RenderableType:
    heads = ("cache", "", "right answers", f"{currency} for one", "under-served", "latency s")
    rows = [
        (
            _label(case) if which == "with" else "",
            which,
            percent(case[which]["quality"], digits=2),
            money(case[which]["cost_per_right_answer"]),
            percent(case[which]["under_served"], digits=2),
            figure(case[which]["latency_s"]),
        )
        for case in cases
        for which in ("with", "without")
    ]
    return grid("Answers of the whole option, with the cache and without it", heads, rows, words=(0, 1))


def log_document(
    name: str,
    *,
    prompts: int,
    different: int,
    exact: float,
    sizes: dict[int, float],
    near: dict[str, float] | None,
    ttl_h: float | None = None,
) -> dict[str, Any]:
    """Lay the hit rates of a log out as plain data.

    Args:
        name: The log.
        prompts: Requests in it.
        different: Different prompts among them.
        exact: Hit rate of a cache of prompts to the letter that never is full.
        sizes: Hit rate by the entries that a cache holds.
        near: Threshold, characters of a shingle and hit rate of prompts that are nearly alike.
        ttl_h: Hours for which an entry to the letter lives after its last use; None for ever. [h]
    """
    lru = [{"entries": entries, "hit_rate": rate} for entries, rate in sizes.items()]
    counts = {"requests": prompts, "different_prompts": different}
    return {"format": FORMAT, "log": name, **counts, "ttl_h": ttl_h, "exact": exact, "lru": lru, "near": near}


def render_log(document: dict[str, Any]) -> RenderableType:
    """Lay the hit rates of a log out for a terminal."""
    lives = "" if document["ttl_h"] is None else f", for {document['ttl_h']:g} h after their last use"
    rows = [(f"to the letter, never full{lives}", percent(document["exact"], digits=2))]
    rows += [
        (f"to the letter, the {row['entries']:,} used last{lives}", percent(row["hit_rate"], digits=2))
        for row in document["lru"]
    ]
    if document["near"] is not None:
        near = document["near"]
        runs = f"runs of {near['shingle']:g} characters"
        rows.append((f"alike from {near['threshold']:g} on by {runs}, never full", percent(near["hit_rate"], digits=2)))
    different = f"{document['different_prompts']:,} of them different"
    title = f"{document['log']}: {document['requests']:,} requests, {different}"
    # The title stands above the table, as that of a narrow table is broken within a sentence.
    return Group(Text(title, style="bold"), Text(""), grid("", ("a cache that finds prompts", "hit rate"), rows))
