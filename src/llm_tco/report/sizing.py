"""Sizings and choices as plain data, and as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from llm_tco._fields import FloatArray
from llm_tco.analysis.sizing import FleetSize, ReplicaState
from llm_tco.report.document import FORMAT
from llm_tco.report.listing import Listing
from llm_tco.serving.candidates import Candidate
from llm_tco.serving.selection import Choice, Offer

_GB: Final = 1e9
_WIDE: Final = 110
"""Letters of a line in which every column of figures has room."""
_SHOWN: Final = 3
"""Offers and reasons of a task that a terminal shows; JSON holds all of them."""


def size_document(title: str, sizes: Sequence[FleetSize]) -> dict[str, Any]:
    """Lay sizings out as plain data: every month of every fleet."""
    carries = all(size.carries for size in sizes)
    return {"format": FORMAT, "title": title, "carries": carries, "fleets": [_fleet(size) for size in sizes]}


def _fleet(size: FleetSize) -> dict[str, Any]:
    return {
        "option": size.option,
        "fleet": size.fleet,
        "server": size.server,
        "carries": size.carries,
        "requests": _numbers(size.requests),
        "replicas": _numbers(size.replicas),
        "servers": {**_ends(size.servers), "by_month": _numbers(size.servers)},
        "utilisation": {**_ends(size.utilisation), "by_month": _numbers(size.utilisation)},
        "peak_utilisation": float(size.peak_utilisation.max()),
        "unserved_share": size.unserved_share,
        "unserved": _numbers(size.unserved),
        "kwh": None if size.kwh is None else _numbers(size.kwh),
        "peak_kw": size.peak_kw,
        "power_note": size.power_note,
        "models": [_model(model) for model in size.models],
        "next_steps": [{"requests_per_month": step.requests_per_month, "servers": step.servers} for step in size.steps],
        "notes": list(size.notes),
    }


def _model(model: ReplicaState) -> dict[str, Any]:
    names = (
        "tag", "model", "quantisation", "gpu", "gpus", "engine", "state", "note", "estimate", "weights_bytes",
        "cache_bytes", "left_bytes", "batch", "ttft_s", "tpot_s",
    )  # fmt: skip
    return {name: getattr(model, name) for name in names}


def _numbers(amounts: FloatArray) -> list[float]:
    return [float(one) for one in amounts]


def _ends(amounts: FloatArray) -> dict[str, float]:
    return {"first": float(amounts[0]), "last": float(amounts[-1]), "peak": float(amounts.max())}


def render_sizes(title: str, sizes: Sequence[FleetSize]) -> RenderableType:
    """Lay sizings out for a terminal."""
    rows = [
        {
            "fleet": f"{size.option}: {size.fleet}",
            "replicas": _span(size.replicas),
            "servers": _span(size.servers),
            "busy": f"{float(np.mean(size.utilisation)):.1%}, peak {float(size.peak_utilisation.max()):.1%}",
            "kwh": None if size.kwh is None else f"{float(size.kwh.mean()):,.0f}",
            "peak_kw": None if size.peak_kw is None else f"{size.peak_kw:,.2f}",
            "unserved": f"{size.unserved_share:.2%}" if size.unserved.any() else "none",
        }
        for size in sizes
    ]
    headings = {
        "fleet": "fleet", "replicas": "replicas needed", "servers": "servers", "busy": "busy", "kwh": "kWh a month",
        "peak_kw": "peak kW", "unserved": "unserved",
    }  # fmt: skip
    models = [
        {
            "fleet": _of(size, model),
            "model": f"{model.model} {model.quantisation} on {model.gpus} × {model.gpu}",
            "rate": "estimated" if model.estimate else "measured or stated",
            "state": model.state,
            "memory": None if model.weights_bytes is None else f"{(model.weights_bytes + (model.cache_bytes or 0)) / _GB:,.1f}",
            "left": None if model.left_bytes is None else f"{model.left_bytes / _GB:,.1f}",
            "batch": model.batch,
            "ttft": None if model.ttft_s is None else f"{model.ttft_s:.2f}",
            "tpot": None if model.tpot_s is None else f"{model.tpot_s * 1e3:,.0f}",
        }
        for size in sizes
        for model in size.models
    ]  # fmt: skip
    columns = {
        "fleet": "fleet", "model": "model", "rate": "throughput", "memory": "GB", "left": "GB left",
        "batch": "at once", "ttft": "TTFT s", "tpot": "TPOT ms", "state": "state",
    }  # fmt: skip
    if not sizes:
        return Text("No option has a fleet: nothing to size.")
    fleets = Listing(
        title=f"{title}: what the fleets need", rows=rows, columns=headings, spare=("peak_kw", "replicas", "kwh")
    )
    replicas = Listing(title="On one replica, at mean lengths (times are estimates)", rows=models, columns=columns)
    return Group(
        fleets.table(),
        *map(Text, _remarks(sizes)),
        Text(""),
        _Wrapped(replicas, ("rate", "left", "ttft")),
        *map(Text, _notes(sizes)),
    )


@attrs.frozen
class _Wrapped:
    """A table whose long words wrap, and that leaves columns out only where its figures would wrap as well."""

    listing: Listing
    spare: tuple[str, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield attrs.evolve(self.listing, spare=self.spare if options.max_width < _WIDE else ()).table()


def _remarks(sizes: Sequence[FleetSize]) -> Iterator[str]:
    """Say when each fleet changes next, and what a reader must know of it."""
    for size in sizes:
        name = f"{size.option}: {size.fleet}"
        grown = [f"{step.requests_per_month:,} ({step.servers})" for step in size.steps if step.servers is not None]
        if grown:
            yield f"{name}: the next server at {', '.join(grown)} requests a month"
        yield from (
            f"{name}: full from {step.requests_per_month:,} requests a month on"
            for step in size.steps
            if step.servers is None
        )
        yield from (f"{name}: {note}" for note in size.notes)
        if size.power_note:
            yield f"{name}: no power: {size.power_note}"


def _notes(sizes: Sequence[FleetSize]) -> Iterator[str]:
    """Say why a replica stands as it does."""
    for size in sizes:
        for model in size.models:
            if model.note:
                yield f"{_of(size, model)}: {model.state}; {model.note}"


def _of(size: FleetSize, model: ReplicaState) -> str:
    return f"{size.option}: {size.fleet}" + (f" ({model.tag})" if model.tag else "")


def _span(amounts: FloatArray) -> str:
    first, last, peak = (f"{one:,.6g}" for one in _ends(amounts).values())
    if first == last == peak:
        return first
    return f"{first} to {last}" + ("" if peak in (first, last) else f", peak {peak}")


def choice_document(title: str, choices: Sequence[Choice]) -> dict[str, Any]:
    """Lay choices out as plain data: every offer and every refusal of every task."""
    return {
        "format": FORMAT,
        "title": title,
        "tasks": [
            {
                "task": choice.task.name,
                "currency": choice.currency,
                "best": None if choice.best is None else _words(choice.best.candidate),
                "offers": [_offer(offer) for offer in choice.offers],
                "reasons": choice.reasons,
                "refused": [
                    {**_words(refusal.candidate), "kind": refusal.kind, "reason": refusal.reason}
                    for refusal in choice.refused
                ],
            }
            for choice in choices
        ],
        "notes": choice_notes(choices),
    }


def _words(candidate: Candidate) -> dict[str, Any]:
    return {
        "model": candidate.model.key,
        "quantisation": candidate.quantisation,
        "engine": candidate.engine,
        "hardware": candidate.hardware.name,
        "gpu": candidate.hardware.gpu.key,
        "gpus": candidate.gpus,
    }


def _offer(offer: Offer) -> dict[str, Any]:
    names = (
        "cost_per_month", "servers", "servers_at_low", "replicas", "utilisation", "batch", "generated_per_s",
        "ttft_s", "tpot_s", "memory_left_bytes", "score", "basis",
    )  # fmt: skip
    return {**_words(offer.candidate), **{name: getattr(offer, name) for name in names}}


def choice_notes(choices: Sequence[Choice]) -> list[str]:
    """Say what the cheapest of each task cost together, and of which machine they take more than there are."""
    best = [choice.best for choice in choices if choice.best is not None]
    notes = []
    if len(best) == len(choices) > 1:
        together = f"{sum(offer.cost_per_month for offer in best):,.0f} {choices[0].currency}"
        notes.append(
            f"Each task has machines of its own; the cheapest of each cost {together} a month together. Tasks that "
            "could share machines are not put together."
        )
    taken, machines = Counter[str](), {offer.candidate.hardware.name: offer.candidate.hardware for offer in best}
    for offer in best:
        taken[offer.candidate.hardware.name] += offer.servers
    notes += [
        f"The cheapest of each take {taken[name]} servers of {name!r} together, more than the {machine.at_hand} at hand."
        for name, machine in machines.items()
        if machine.at_hand is not None and taken[name] > machine.at_hand
    ]
    return notes


def render_choices(title: str, choices: Sequence[Choice]) -> RenderableType:
    """Lay choices out for a terminal: the cheapest of each task, and why the rest was refused."""
    offers = [_row(choice, offer) for choice in choices for offer in choice.offers[:_SHOWN]]
    offers += [
        {**dict.fromkeys(_OFFERS), "task": choice.task.name, "model": "none"} for choice in choices if not choice.offers
    ]
    reasons = []
    for choice in choices:
        for kind, count in list(choice.reasons.items()):
            example = next(refusal for refusal in choice.refused if refusal.kind == kind)
            said = f"{example.candidate}: {example.reason}"
            reasons.append({"task": choice.task.name, "reason": kind, "refused": count, "such as": said})
    currency = choices[0].currency if choices else ""
    tables: list[RenderableType] = [
        _Wrapped(
            Listing(title=f"{title}: the cheapest first, {currency} a month", rows=offers, columns=_OFFERS),
            ("basis", "ttft", "batch"),
        )
    ]
    tables += map(Text, choice_notes(choices))
    if reasons:
        heads = {"task": "task", "reason": "reason", "refused": "refused", "such as": "such as"}
        tables += [Text(""), Listing(title="Refused", rows=reasons, columns=heads).table()]
    return Group(*tables)


_OFFERS: Final = {
    "task": "task", "model": "model", "where": "on", "cost": "a month", "servers": "servers",
    "busy": "busy", "batch": "at once", "ttft": "TTFT s", "tpot": "TPOT ms", "basis": "rates",
}  # fmt: skip


def _row(choice: Choice, offer: Offer) -> dict[str, Any]:
    one = offer.candidate
    more = f" ({offer.servers_at_low})" if offer.servers_at_low != offer.servers else ""
    return {
        "task": choice.task.name,
        "model": f"{one.model.key} {one.quantisation}",
        "where": f"{one.hardware.name}: {one.engine} on {one.gpus} × {one.hardware.gpu.key}",
        "cost": f"{offer.cost_per_month:,.0f}",
        "servers": f"{offer.servers}{more}",
        "busy": f"{offer.utilisation:.1%}",
        "batch": offer.batch,
        "ttft": f"{offer.ttft_s:.2f}",
        "tpot": f"{offer.tpot_s * 1e3:,.0f}",
        "basis": offer.basis,
    }
