"""What every record holds: its source, its authority, its period and its origin."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar, Final

import attrs

from llm_tco._fields import choice, text
from llm_tco.errors import InvalidValueError

SET_BY_LIBRARY: Final = frozenset({"origin", "also"})
"""Fields of a record that no plugin and no file states."""

AUTHORITIES: Final = ("user", "vendor", "measured", "aggregator", "claim")
"""Who states a record, the most trusted first."""


@attrs.frozen(kw_only=True)
class Source:
    """Where a figure stands.

    Attributes:
        title: Document, page or table.
        checked: Day on which somebody read it there.
        url: Address, where there is one.
        note: Where on the page, or how the figure follows from it.
    """

    title: str = text()
    checked: date
    url: str | None = None
    note: str | None = None

    def __str__(self) -> str:
        place = f", {self.url}" if self.url else ""
        return f"{self.title}{place} (checked {self.checked.isoformat()})"


def _check_day(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and type(value) is not date:  # a moment does not compare with days
        raise InvalidValueError(attribute.name, f"must be a day such as date(2026, 12, 1), got {value!r}")


def _day() -> Any:
    """Define a field for a day, or None for one that is not known."""
    return attrs.field(default=None, validator=_check_day)


@attrs.frozen(kw_only=True)
class Period:
    """When a record holds: from its start on, up to but not including its end.

    Attributes:
        start: First day, or None for "as long as is known".
        end: First day on which it no longer holds, or None for "until further notice".
    """

    start: date | None = _day()
    end: date | None = _day()

    def __attrs_post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise InvalidValueError("end", f"must be after the start {self.start}, got {self.end}")

    def covers(self, day: date) -> bool:
        """Say whether the period holds on a day."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)

    def __str__(self) -> str:
        return f"{self.start or '…'} to {self.end or '…'}"


@attrs.frozen(kw_only=True)
class Origin:
    """Which plugin brought a record.

    Attributes:
        plugin: Name of the distribution, or of the file that holds the record.
        version: Its version; empty for a file.
    """

    plugin: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.plugin} {self.version}".strip()


@attrs.frozen(kw_only=True)
class Record:
    """What every record holds.

    Attributes:
        source: Where its figures stand.
        authority: Who states them, one of `AUTHORITIES`.
        approximate: Whether the record is known to simplify; it then ranks last.
        period: When it holds.
        note: What a reader should know.
        origin: Which plugin brought it; set by the loader.
        also: Sources of equal records that others bring; set by the catalog.
    """

    kind: ClassVar[str] = ""

    source: Source
    authority: str = choice(*AUTHORITIES, default="aggregator")
    approximate: bool = False
    period: Period = attrs.field(factory=Period)
    note: str | None = None
    origin: Origin | None = attrs.field(default=None, eq=False)
    also: tuple[Source, ...] = attrs.field(default=(), eq=False)

    @property
    def identity(self) -> tuple[str, ...]:
        """What the record is about: the words under which it is looked up."""
        raise TypeError(f"{type(self).__name__} is no record that can be looked up")

    @property
    def title(self) -> str:
        """The record's identity as one word, for people."""
        return "/".join(word for word in self.identity if word)
