"""Routers, frontiers and histories as plain data, and as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
from rich.console import Group, RenderableType
from rich.text import Text

from llm_tco._fields import Number
from llm_tco.analysis.compare import Comparison, Option
from llm_tco.analysis.mixes import RouterSaving, answers_of, at_quality, route_shares, router_savings
from llm_tco.analysis.optimise import Mix
from llm_tco.analysis.resampling import Intervals
from llm_tco.analysis.routing import RoutingPoint
from llm_tco.components.base import Component
from llm_tco.errors import InfeasibleError
from llm_tco.frontiers import FrontierQuestion
from llm_tco.report.charts import scale_of
from llm_tco.report.document import FORMAT
from llm_tco.report.grid import decimals, figure, grid, money, points, span
from llm_tco.report.tables import UNKNOWN, percent
from llm_tco.usage.history import GroupCost, HistoryReport

EQUAL: Final = "random at equal quality"
"""Name of the baseline that reaches the quality of a router by two of its routes at random."""

_CORNERS: Final = 12
"""Corners of the hull that a terminal shows; JSON holds all of them."""

_BASES: Final = {
    "repriced": "Each request is priced as if that tier had answered it.",
    "mean": "Each request is taken to cost what that tier's own cost on the mean, long or short.",
}
"""How a history prices the baselines, in words."""


def router_figures(comparison: Comparison, path: str, *, option: str) -> dict[str, Any]:
    """Lay a router out as plain data: its routes, what it costs and gives, and what it saves.

    Args:
        comparison: A comparison that holds the router under its path; see `llm_tco.analysis.nested`.
        path: Its path.
        option: The option in which it stands.
    """
    router: Any = comparison[path].component
    requests = float(comparison[path].demand.requests.sum())
    answers = answers_of(comparison[path])
    given = {field.name: getattr(answers, field.name) for field in attrs.fields(type(answers))}
    shares: Mapping[str, Number | None] = dict.fromkeys(router.routes)
    savings: Mapping[str, RouterSaving] = {}
    if requests > 0:
        shares = route_shares(comparison, path)
        savings = router_savings(comparison, path, also=_at_equal_quality(comparison, path, answers.quality))
    else:  # of no request there is no share and no quality, only a cost
        given = {**dict.fromkeys(given), "cost": answers.cost}
    stated = ("quality", "quality_of_all", "latency_s", "max_requests_per_s")
    return {
        "option": option,
        "path": path,
        "kind": getattr(router, "kind", type(router).__name__),
        "requests": requests,
        "feasible": comparison[path].feasible,
        "routes": [
            {"name": name, "share": _plain(shares[name]), **{field: _plain(getattr(route, field)) for field in stated}}
            for name, route in router.routes.items()
        ],
        **{name: _plain(value) for name, value in given.items()},
        "savings": [_saving(saving) for saving in savings.values()],
        "notes": [f"rule {note.rule} {note.note}" for note in getattr(router, "notes", ())],
    }


def _at_equal_quality(comparison: Comparison, path: str, quality: Number | None) -> dict[str, Component]:
    """Make the baseline of equal quality, where the best and the worst route state theirs and it lies between."""
    routes: Any = comparison[path].component.routes  # type: ignore[attr-defined]  # a router
    stated = {name: float(route.quality_of_all) for name, route in routes.items() if route.quality_of_all is not None}
    if quality is None or len(stated) < len(routes) or not min(stated.values()) <= quality <= max(stated.values()):
        return {}
    weak, strong = min(stated, key=lambda name: stated[name]), max(stated, key=lambda name: stated[name])
    if stated[weak] == stated[strong]:
        return {}
    return {EQUAL: at_quality(comparison, path, float(quality), weak=weak, strong=strong)}


def _saving(saving: RouterSaving) -> dict[str, Any]:
    return {
        "baseline": saving.baseline,
        **{name: _plain(getattr(saving, name)) for name in ("saving", "saving_share", "quality_difference")},
        "comparable": saving.comparable,
    }


def _plain(value: Number | None) -> float | None:
    return None if value is None else float(value)


def router_document(title: str, comparison: Comparison, routers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Lay the routers of a scenario out as plain data."""
    about = {"currency": comparison.terms.currency, "months": comparison.timeline.months}
    return {"format": FORMAT, "title": title, **about, "routers": list(routers)}


def render_routers(document: dict[str, Any]) -> RenderableType:
    """Lay routers out for a terminal."""
    routers, currency = document["routers"], document["currency"]
    about = f"{document['title']}: routers on the requests that reach them, {currency} over {document['months']} months"
    notes = [Text(f"{_label(router)}: {note}") for router in routers for note in router["notes"]]
    tables = (_totals(routers, currency), Text(""), _routes(routers), Text(""), _savings(routers))
    return Group(Text(about, style="bold"), Text(""), *tables, *notes)


def _totals(routers: Sequence[Mapping[str, Any]], currency: str) -> RenderableType:
    heads = ("router", "requests", "cost", "right answers", f"{currency} for one", "under-served", "latency s", "")
    rows = [
        (
            _label(router),
            money(router["requests"]),
            money(router["cost"]),
            percent(router["quality"]),
            money(router["cost_per_right_answer"]),
            percent(router["under_served"]),
            figure(router["latency_s"]),
            "" if router["feasible"] else "leaves requests unserved",
        )
        for router in routers
    ]
    return grid("Routers", heads, rows, words=(0, 7))


def _routes(routers: Sequence[Mapping[str, Any]]) -> RenderableType:
    heads = ("router", "route", "share", "right answers", "if it got all", "latency s", "at most a second")
    rows = [
        (
            _label(router) if place == 0 else "",
            str(route["name"]),
            percent(route["share"]),
            percent(route["quality"]),
            percent(route["quality_of_all"]),
            figure(route["latency_s"]),
            money(route["max_requests_per_s"]),
        )
        for router in routers
        for place, route in enumerate(router["routes"])
    ]
    return grid("Routes", heads, rows, words=(0, 1))


def _savings(routers: Sequence[Mapping[str, Any]]) -> RenderableType:
    heads = ("router", "against", "saves", "of its cost", "right answers, points", "")
    rows = [
        (
            _label(router) if place == 0 else "",
            str(saving["baseline"]),
            money(saving["saving"], sign=True),
            percent(saving["saving_share"], sign=True),
            points(saving["quality_difference"]),
            "" if saving["comparable"] else "requests are unserved",
        )
        for router in routers
        for place, saving in enumerate(router["savings"])
    ]
    return grid("What routing saves, and changes", heads, rows, words=(0, 1, 5))


def _label(router: Mapping[str, Any]) -> str:
    return (
        str(router["option"]) if router["path"] in ("", router["option"]) else f"{router['option']}: {router['path']}"
    )


def mix_figures(option: Option, found: Mix | str) -> dict[str, Any]:
    """Lay the cheapest mix of a router's routes out as plain data.

    Args:
        option: The option that holds the router, as it is stated.
        found: The mix, or why there is none.
    """
    stated = {"option": option.name, "stated_cost": float(option.npv_cost), "stated_feasible": option.feasible}
    if isinstance(found, str):
        return {**stated, "problem": found}
    answers = found.answers
    return {
        **stated,
        "problem": None,
        "routes": [
            {"name": name, "share": float(found.shares.get(name, 0.0)), "alone": alone}
            for name, alone in found.alone.items()
        ],
        **{name: getattr(found, name) for name in ("cost", "lower_bound", "gap")},
        "servers": dict(found.servers),
        "quality": _plain(answers.quality),
        "latency_s": _plain(answers.latency_s),
        "binding": list(found.binding),
        "unproven": list(found.unproven),
    }


def mix_document(
    title: str, currency: str, limits: Mapping[str, Any], mixes: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Lay the cheapest mixes of a scenario out as plain data."""
    return {"format": FORMAT, "title": title, "currency": currency, "limits": dict(limits), "mixes": list(mixes)}


def render_mixes(document: dict[str, Any]) -> RenderableType:
    """Lay the cheapest mixes out for a terminal."""
    found = [mix for mix in document["mixes"] if mix["problem"] is None]
    about = f"{document['title']}: the cheapest mix of the routes, present values in {document['currency']}"
    parts: list[RenderableType] = [Text(about, style="bold")]
    if found:
        heads = ("option", "costs", "proven", "as stated", "right answers", "latency s", "servers", "bound by")
        rows = [
            (
                str(mix["option"]),
                money(mix["cost"]),
                f"to {mix['gap'] * 100:.2g} %",
                money(mix["stated_cost"]) if mix["stated_feasible"] else "unserved",
                percent(mix["quality"]),
                figure(mix["latency_s"]),
                ", ".join(f"{count:,.6g} × {fleet}" for fleet, count in mix["servers"].items()),
                ", ".join(mix["binding"]),
            )
            for mix in found
        ]
        parts += [Text(""), grid("Mixes", heads, rows, words=(0, 6, 7))]
        routes = [
            (
                str(mix["option"]) if place == 0 else "",
                str(route["name"]),
                percent(route["share"]),
                "does not do" if route["alone"] is None else money(route["alone"]),
            )
            for mix in found
            for place, route in enumerate(mix["routes"])
        ]
        parts += [Text(""), grid("Routes", ("option", "route", "share", "alone"), routes, words=(0, 1))]
    parts += [Text(f"{mix['option']}: {mix['problem']}") for mix in document["mixes"] if mix["problem"] is not None]
    parts += [
        Text(f"{mix['option']}: the bound is an estimate for {', '.join(mix['unproven'])}.")
        for mix in found
        if mix["unproven"]
    ]
    return Group(*parts)


def frontier_document(question: FrontierQuestion) -> dict[str, Any]:
    """Lay a frontier out as plain data: each way, the hull, the chosen point and what it saves.

    Where nothing meets the target, `chosen` is None and `problem` says why.
    """
    frontier = question.frontier
    half = frontier.random(0.5)
    ways = {f"always {model}": frontier.always(model) for model in frontier.outcomes.models}
    ways |= {"half each at random": half, "oracle": frontier.oracle}
    chosen, problem = None, None
    if question.has_target:
        try:
            chosen = question.chosen()
        except InfeasibleError as error:
            problem = str(error)
    quality = question.stated.quality
    return {
        "format": FORMAT,
        "title": question.title,
        "queries": len(frontier.outcomes),
        "currency": frontier.outcomes.currency,
        "weak": frontier.weak,
        "strong": frontier.strong,
        "score": frontier.score,
        "ways": [{"way": name, **_point(point)} for name, point in ways.items()],
        "hull": [_point(point) for point in frontier.hull.points],
        "target": {"quality": quality, "cost_per_request": question.budget},
        "chosen": None if chosen is None else _point(chosen),
        "problem": problem,
        "savings": [] if chosen is None else [_intervals(*one) for one in question.intervals(chosen).items()],
        "cost_at_equal_quality": None if quality is None else frontier.cost_at_equal_quality(quality),
    }


def _point(point: RoutingPoint) -> dict[str, Any]:
    return {name: value for name, value in point.as_dict().items() if name != "currency"}


def _intervals(baseline: str, found: Intervals) -> dict[str, Any]:
    saving = found.saving
    figures = {
        "saving_per_request": saving.per_request,
        "saving_share": saving.share,
        "quality_difference": saving.quality_difference,
    }
    return {"baseline": baseline, **figures, "intervals": found.as_dict()}


def render_frontier(document: dict[str, Any]) -> RenderableType:
    """Lay a frontier out for a terminal."""
    ways, hull = document["ways"], document["hull"]
    factor, unit = scale_of(max(way["cost_per_request"] for way in ways))
    digits = decimals(point["cost_per_request"] * factor for point in (*ways, *hull))
    cost = f"{document['currency']} for {unit}"

    def row(name: str, point: Mapping[str, Any]) -> tuple[str, ...]:
        calls = ", ".join(f"{model} {share:.0%}" for model, share in point["shares"].items() if share > 0)
        figures = percent(point["quality"]), percent(point["under_served"])
        return name, figure(point["cost_per_request"] * factor, digits), *figures, calls

    shown = hull if len(hull) <= _CORNERS else [*hull[: _CORNERS - 1], hull[-1]]
    more = "" if len(shown) == len(hull) else f" ({len(shown)} of {len(hull)} corners)"
    heads = ("way", cost, "quality", "under-served", "calls")
    parts: list[RenderableType] = [
        Text(f"{document['title']}: {document['queries']:,} queries", style="bold"),
        Text(""),
        grid("Bounds", heads, [row(way["way"], way) for way in ways], words=(0, 4)),
        Text(""),
        grid(f"The hull{more}", heads, [row(str(point["policy"]), point) for point in shown], words=(0, 4)),
    ]
    if document["problem"] is not None:
        parts += [Text(""), Text(document["problem"])]
    if document["chosen"] is not None:
        parts += [Text(""), *_chosen(document, factor, unit, digits)]
    return Group(*parts)


def _chosen(document: Mapping[str, Any], factor: int, unit: str, digits: int) -> Iterable[RenderableType]:
    """Lay out the point that meets the target, and what it saves."""
    chosen, target, currency = document["chosen"], document["target"], document["currency"]
    asked = (
        f"a quality of {percent(target['quality'])} at the least cost"
        if target["quality"] is not None
        else f"the best quality for {figure(target['cost_per_request'] * factor, digits)} {currency} for {unit}"
    )
    price = f"{figure(chosen['cost_per_request'] * factor, digits)} {currency} for {unit}"
    yield Text(f"For {asked}: {chosen['policy']}", style="bold")
    yield Text(f"{price}, quality {percent(chosen['quality'])}, under-served {percent(chosen['under_served'])}")
    savings = document["savings"]
    if savings:
        level = f"{savings[0]['intervals']['level'] * 100:g} % of draws"
        heads = ("against", f"saves {currency}", "of its cost", level, "quality, points", level)
        title = f"What it saves for {unit}, and changes"
        yield from (Text(""), grid(title, heads, [_against(saving, factor, digits) for saving in savings]))
    equal = document["cost_at_equal_quality"]
    if equal is not None:
        between = f"{document['weak']} and {document['strong']}"
        names = {"random": f"{between} at random", "threshold": f"threshold between {between}"}
        rows = [
            (names.get(way, way), "not reached" if cost is None else figure(cost * factor, digits))
            for way, cost in equal.items()
        ]
        title = f"A quality of {percent(target['quality'])} costs"
        yield from (Text(""), grid(title, ("way", f"{currency} for {unit}"), rows, words=(0,)))
    if document["score"] is not None:
        yield Text("")
        yield Text("The threshold was chosen on the queries that judge it: expect a little less on new ones.")


def _against(saving: Mapping[str, Any], factor: int, digits: int) -> tuple[str, ...]:
    share, quality = saving["intervals"]["saving_share"], saving["intervals"]["quality_difference"]
    return (
        saving["baseline"],
        f"{saving['saving_per_request'] * factor:+,.{digits}f}",
        percent(saving["saving_share"], sign=True),
        UNKNOWN if share is None else span(share["low"], share["high"], " %"),
        points(saving["quality_difference"]),
        span(quality["low"], quality["high"]),
    )


def history_document(name: str, report: HistoryReport, columns: Mapping[str, str]) -> dict[str, Any]:
    """Lay the report of a history out as plain data."""
    return {
        "format": FORMAT,
        "history": name,
        "columns": dict(columns),
        "currency": report.currency,
        "records": report.records,
        "requests": report.requests,
        "cost": report.cost,
        "cost_per_request": report.cost_per_request,
        "escalated_share": report.escalated_share,
        "first": None if report.first is None else report.first.isoformat(),
        "last": None if report.last is None else report.last.isoformat(),
        **{name: [group.as_dict() for group in _groups(report, name)] for name in ("tiers", "models", "tasks")},
        "savings": [saving.as_dict() for saving in report.savings],
    }


def _groups(report: HistoryReport, name: str) -> tuple[GroupCost, ...]:
    groups: tuple[GroupCost, ...] = getattr(report, name)
    return groups


def render_history(document: dict[str, Any]) -> RenderableType:
    """Lay the report of a history out for a terminal."""
    currency = document["currency"]
    days = "" if document["first"] is None else f", {document['first'][:10]} to {document['last'][:10]}"
    counts = f"{document['records']:,} records of {document['requests']:,} requests"
    each = f"{money(document['cost_per_request'])} {currency} a request, attempts of escalated ones included."
    parts: list[RenderableType] = [
        Text(f"{document['history']}: {counts}{days}, {money(document['cost'])} {currency}", style="bold"),
        Text(each),
    ]
    for name in ("tiers", "models", "tasks"):
        if document[name]:
            parts += [Text(""), _by(name.removesuffix("s"), document[name], currency)]
    return Group(*parts, Text(""), _saved(document["savings"], currency))


def _by(name: str, groups: Sequence[Mapping[str, Any]], currency: str) -> RenderableType:
    heads = (name, "records", "share", "escalated", currency, "of the cost", "a record")
    rows = [
        (
            str(group["name"]),
            f"{group['count']:,}",
            percent(group["share"]),
            f"{group['escalated']:,}",
            money(group["cost"]),
            percent(group["cost_share"]),
            money(group["cost_per_record"]),
        )
        for group in groups
    ]
    return grid(f"By {name}", heads, rows)


def _saved(savings: Sequence[Mapping[str, Any]], currency: str) -> RenderableType:
    """Lay savings out; the dearest and the cheapest tier are marked where they stand."""
    extremes = {
        saving["tier"]: f" ({saving['baseline']})"
        for saving in savings
        if saving["tier"] not in (None, saving["baseline"])
    }
    rows = [
        (
            "at random, with these shares" if tier is None else f"all at {tier}{extremes.get(tier, '')}",
            money(saving["baseline_cost"]),
            money(saving["saving"], sign=True),
            percent(saving["saving_share"], sign=True),
        )
        for saving in savings
        if (tier := saving["tier"]) in (None, saving["baseline"])
    ]
    heads = ("the same requests", f"would cost {currency}", "saved", "of it")
    table = grid("What routing saved", heads, rows)
    return Group(table, *(Text(_BASES[basis]) for basis in dict.fromkeys(saving["basis"] for saving in savings)))
