"""What a catalog says where it has no answer: why, what is near, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from llm_tco.catalog.checks import shown
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.records import Record
from llm_tco.errors import ended, suggest

_BRINGS = {
    "gpu": "llm-tco-accelerators",
    "server": "llm-tco-reference",
    "model": "llm-tco-reference",
    "price": "llm-tco-genai-prices",
    "tariff": "llm-tco-reference",
    "service_price": "llm-tco-reference",
    "throughput": "llm-tco-reference",
    "model_score": "llm-tco-reference",
    "quantisation_loss": "llm-tco-reference",
    "task_need": "llm-tco-reference",
    "memory_claim": "llm-tco-reference",
}
"""The plugins of this project that bring each kind of record."""


_LISTED = 8
"""Records of a word that a text names."""

_LISTED_BY = {"gpu": "llm-tco gpus", "model": "llm-tco models", "price": "llm-tco prices"}
"""The command that lists the records of a kind."""


def hint_of(kind: type[Record], words: tuple[str, ...], asked: str, known: Sequence[str]) -> str:
    """Name what is near to words that no record has, or the next step.

    Args:
        kind: Kind of record.
        words: The words, in the order of its identity.
        asked: They in one text.
        known: Those that are there, each in one text.
    """
    if not known:
        return f"; no plugin brings any. Install one, such as {_BRINGS[kind.kind]}, or state the {kind.kind} yourself"
    near = suggest(asked, known)
    if kind is TokenPrice and words[0] and words[0] not in {one.split("/")[0] for one in known}:
        return (
            f"{ended(near)} No plugin brings prices of {words[0]!r}: install one that does, by convention "
            f"llm-tco-{words[0]}, or state the price yourself"
        )
    listed = _LISTED_BY.get(kind.kind, f"Catalog.all({kind.__name__})")
    word = words[1] if len(words) > 1 else asked
    having = [one for one in known if word in one.split("/")[1:2]]
    if having and not near:
        more = f" and {len(having) - _LISTED} more" if len(having) > _LISTED else ""
        return f"; of {word!r} there are {', '.join(map(repr, having[:_LISTED]))}{more}"
    by_word = suggest(word, _by_word(known))
    return near or by_word or f"; {listed} lists those that are there"


def _by_word(known: Iterable[str]) -> list[str]:
    return sorted({part for title in known for part in title.split("/")[1:2]})


def place(record: Record) -> tuple[str, str, str]:
    """Order records of equal words: by who brings them, where they stand, and when they hold."""
    return str(record.origin or ""), str(record.source), str(record.period)


def conflict(asked: str, leading: Sequence[Record], different: Sequence[str]) -> str:
    """Name who states what, and the ways out."""
    lines = "\n".join(
        f"  {record.origin or 'unknown origin'}: "
        f"{', '.join(f'{name} {shown(getattr(record, name))}' for name in different)}, from {record.source}"
        for record in leading
    )
    by_engine = 'Name one by engine = "…". Of one engine: name' if "engine" in different else "Name"
    return (
        f"{len(leading)} records of equal authority state {asked} differently:\n{lines}\n"
        f"{by_engine} one by plugin=, rank plugins by prefer=, or disable one."
    )


def not_in_force(kind: type[Record], asked: str, found: Sequence[Record], on: date) -> str:
    """Say that none of the records of some words holds on a day, and when they do."""
    periods = "; ".join(
        f"{record.period} in {record.origin or record.source.title}"
        for record in sorted(found, key=lambda one: (_start_of(one), place(one)))
    )
    return f"no {kind.kind} {asked!r} in force on {on}: known periods are {periods}. Pass another on=, or add a row."


def _start_of(record: Record) -> date:
    return record.period.start or date.min
