"""Records into TOML: what `reading` reads comes out equal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import Any, Final

from llm_tco.catalog.records import SET_BY_LIBRARY, Record
from llm_tco.errors import InvalidValueError
from llm_tco.structure import new_converter

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


def write_records(records: Iterable[Record], *, table: str) -> str:
    """Write records as an array of tables.

    What is not stated is left out, and so is the origin, which the loader sets.

    Args:
        records: The records.
        table: Name of the array of tables.

    Returns:
        TOML that `llm_tco.catalog.reading.records_of` reads into equal records.

    Raises:
        InvalidValueError: A figure is an array of draws, which a file cannot hold.
    """
    converter = new_converter()
    rows = []
    for record in records:
        plain = converter.unstructure(record)
        lines = [f"{_key(name)} = {toml_value(item, name)}" for name, item in plain.items() if _stated(name, item)]
        rows.append("\n".join([f"[[{_key(table)}]]", *lines, ""]))
    return "\n".join(rows)


def _stated(name: str, item: object) -> bool:
    return item is not None and name not in SET_BY_LIBRARY


def _key(name: str) -> str:
    return name if _BARE.match(name) else _text(name)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(value: Any, path: str) -> str:
    """Write a value as TOML, in one line; what is None in a table is left out.

    Raises:
        InvalidValueError: It has no form there.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = (
            f"{_key(key)} = {toml_value(item, f'{path}.{key}')}" for key, item in value.items() if item is not None
        )
        return f"{{ {', '.join(inner)} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml_value(item, path) for item in value)}]"
    raise InvalidValueError(path, f"cannot be written to a file: {type(value).__name__}")
