"""Where a price map lies, and on which day it was read."""

from __future__ import annotations

import importlib.util
import os
from datetime import date
from pathlib import Path
from typing import Any, Final

import attrs
import importlib_metadata

from llm_tco.errors import InvalidValueError

FILE_VARIABLE: Final = "LLM_TCO_LITELLM_PRICES"
"""Environment variable: absolute path of a price map, which goes before that of an installed litellm."""

DAY_VARIABLE: Final = "LLM_TCO_LITELLM_CHECKED"
"""Environment variable: the day, such as 2026-11-23, on which somebody got the map."""

NAMES: Final = ("model_prices_and_context_window_backup.json", "model_prices_and_context_window.json")
"""Names of the map inside of litellm."""


@attrs.frozen(kw_only=True)
class PriceMap:
    """A price map that has been read.

    Attributes:
        title: What it is, for people.
        text: What it holds.
        checked: The day on which somebody got it, where the user says so.
    """

    title: str
    text: str
    checked: date | None = None


def find_map() -> PriceMap | None:
    """Read the map that the user names, or that of the installed litellm, which is not imported.

    Returns:
        The map, or None where there is neither.

    Raises:
        InvalidValueError: A variable names no file or no day, or the installed litellm has no map.
    """
    named = os.environ.get(FILE_VARIABLE, "").strip()
    if named:
        path = _named(named)
        return PriceMap(title=f"LiteLLM price map {path.name}", text=path.read_text("utf-8"), checked=_day())
    try:
        distribution = importlib_metadata.distribution("litellm")
    except importlib_metadata.PackageNotFoundError:
        return None
    path = _installed(distribution)
    title = f"LiteLLM price map in litellm {distribution.version}"
    return PriceMap(title=title, text=path.read_text("utf-8"), checked=_day())


def _named(named: str) -> Path:
    path = Path(named).expanduser()
    if not path.is_absolute():
        mend = "Give an absolute path, which means the same file wherever the program is started"
        raise InvalidValueError(FILE_VARIABLE, f"is relative, got {named!r}. {mend}")
    if not path.is_file():
        raise InvalidValueError(FILE_VARIABLE, f"names no file: {path}. Correct the path, or unset the variable")
    return path


def _installed(distribution: Any) -> Path:
    folders = [Path(str(distribution.locate_file("litellm")))]
    candidates = [folder / name for folder in folders for name in NAMES]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:  # installed in editable mode: its files lie elsewhere
        spec = importlib.util.find_spec("litellm")
        candidates = [
            Path(folder) / name for folder in (spec and spec.submodule_search_locations) or () for name in NAMES
        ]
        found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InvalidValueError(
            FILE_VARIABLE,
            f"is not set, and the installed litellm {distribution.version} has no {NAMES[0]}. Name a price map of yours",
        )
    return found


def _day() -> date | None:
    stated = os.environ.get(DAY_VARIABLE, "").strip()
    try:
        return date.fromisoformat(stated) if stated else None
    except ValueError:
        raise InvalidValueError(DAY_VARIABLE, f"must be a day such as 2026-11-23, got {stated!r}") from None
