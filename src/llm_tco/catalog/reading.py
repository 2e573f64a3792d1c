"""Records out of TOML: what plugins that keep their data in files call."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import cattrs

from llm_tco.catalog.records import Rate, Record
from llm_tco.errors import ProblemsError
from llm_tco.structure import build, new_converter, structure

R = TypeVar("R", bound=Record)


def record_converter() -> cattrs.Converter:
    """Make a converter for records: a rate may be written as a plain number."""
    converter = new_converter()

    def rate(value: Any, _: Any) -> Rate:
        if isinstance(value, dict):
            return build(converter, value, Rate)
        return build(converter, {"base": value}, Rate)

    converter.register_structure_hook(Rate, rate)
    return converter


def read_toml(text: str) -> dict[str, object]:
    """Parse TOML and keep its numbers exact.

    Raises:
        ProblemsError: The text is no TOML.
    """
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ProblemsError("not a TOML document", [str(error)]) from None


def read_records(package: str, name: str, kind: type[R], *, table: str) -> tuple[R, ...]:
    """Read the records of one table of a TOML file that lies in a package.

    A table `[sources.KEY]` of the file names a source once; a record refers to it by
    `source = "KEY"`.

    Args:
        package: Import name of the package that holds the file.
        name: Name of the file, or a path below the package.
        kind: Type of the records.
        table: Name of the array of tables that holds them.

    Raises:
        ProblemsError: One report with every problem of the file and its path.
    """
    document = read_toml(resources.files(package).joinpath(*Path(name).parts).read_text(encoding="utf-8"))
    return records_of(document, kind, table=table, title=f"{package}/{name}")


def records_of(document: dict[str, object], kind: type[R], *, table: str, title: str) -> tuple[R, ...]:
    """Structure the records of one table of a document; see `read_records`."""
    return structure(
        with_sources(document.get(table, []), document.get("sources", {})),
        tuple[kind, ...],  # type: ignore[valid-type]  # a type built at run time
        title=f"{title}, table {table}",
        converter=record_converter(),
    )


def with_sources(value: object, sources: object) -> object:
    """Put named sources in the place of their names, wherever a key `source` holds one."""
    if isinstance(value, list):
        return [with_sources(item, sources) for item in value]
    if not isinstance(value, dict):
        return value
    filled = {key: with_sources(item, sources) for key, item in value.items()}
    for key, item in filled.items():
        if key == "source" and isinstance(item, str) and isinstance(sources, dict) and item in sources:
            filled[key] = sources[item]
        elif key == "field_sources" and isinstance(item, dict) and isinstance(sources, dict):
            filled[key] = {
                field: sources.get(name, name) if isinstance(name, str) else name for field, name in item.items()
            }
    return filled
