"""Records out of TOML: what plugins that keep their data in files call."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs

from llm_tco.catalog.rates import DEFAULT_TTL, Rate
from llm_tco.catalog.records import Record, Source
from llm_tco.errors import ProblemsError, suggest
from llm_tco.structure import Problems, build, new_converter, problem, structure

R = TypeVar("R", bound=Record)

_BYTE_ORDER_MARK = "\ufeff"
"""What some editors put in front of a text in UTF-8."""


def record_converter(sources: object = None) -> cattrs.Converter:
    """Make a converter for records: a rate may be a plain number, a source a name.

    Args:
        sources: Sources by name, as plain data.
    """
    converter = new_converter()
    named: Mapping[str, Any] = sources if isinstance(sources, Mapping) else {}

    def rate(value: Any, _: Any) -> Rate:
        if isinstance(value, dict):
            return build(converter, value, Rate)
        try:
            return build(converter, {"base": value}, Rate)
        except Problems as problems:
            raise Problems([("", text) for _, text in problems.found]) from None

    def rates(value: Any, kind: Any) -> Mapping[str, Rate]:
        if isinstance(value, dict) and not value.keys() & attrs.fields_dict(Rate).keys():
            return by_ttl(value, kind)  # type: ignore[no-any-return]  # what the converter's own hook makes
        return {DEFAULT_TTL: value if isinstance(value, Rate) else rate(value, Rate)}

    def source(value: Any, _: Any) -> Source:
        if isinstance(value, Source):
            return value
        if isinstance(value, str):
            if value not in named:
                raise problem(f"is the name of no source in the table [sources], got {value!r}{suggest(value, named)}")
            value = named[value]
        return build(converter, value, Source)

    converter.register_structure_hook(Rate, rate)
    by_ttl = converter.get_structure_hook(Mapping[str, Rate])
    converter.register_structure_hook_func(lambda kind: kind == Mapping[str, Rate], rates)
    converter.register_structure_hook(Source, source)
    return converter


def read_toml(text: str) -> dict[str, object]:
    """Parse TOML and keep its numbers exact.

    Raises:
        ProblemsError: The text is no TOML.
    """
    try:
        return tomllib.loads(text.removeprefix(_BYTE_ORDER_MARK), parse_float=Decimal)
    except RecursionError:
        raise ProblemsError("not a TOML document", ["is nested too deeply"]) from None
    except ValueError as error:  # of the decoder, and of numbers with thousands of digits
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
        document.get(table, []),
        tuple[kind, ...],  # type: ignore[valid-type]  # a type built at run time
        title=f"{title}, table {table}",
        converter=record_converter(document.get("sources")),
    )
