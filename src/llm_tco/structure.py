"""Between plain data and records: strict, and with every problem in one report.

cattrs finds the hook of each type; the hooks here collect problems with their paths
instead of stopping at the first, and coerce nothing: 1.9 is no integer, "x" is no
boolean, a date with a time is no date.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any, TypeVar

import attrs
import cattrs
import numpy as np

from llm_tco._fields import Number
from llm_tco.errors import InvalidValueError, LlmTcoError, ProblemsError, suggest
from llm_tco.money import Money, to_money

T = TypeVar("T")


class Problems(Exception):  # noqa: N818 - it carries problems upwards, and never leaves this layer
    """Problems found below one place, each a path and a text."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        super().__init__(found)
        self.found = found

    def below(self, step: str) -> list[tuple[str, str]]:
        """Put a step in front of every path."""
        return [(join(step, path), text) for path, text in self.found]

    def lines(self) -> list[str]:
        """One line per problem."""
        return [f"{path}: {text}" if path else text for path, text in self.found if text]


def join(step: str, path: str) -> str:
    """Join a step and the path below it: `a` and `b` to `a.b`, `a` and `[0]` to `a[0]`."""
    return step if not path else step + path if path.startswith("[") else f"{step}.{path}"


def problem(text: str) -> Problems:
    """Make a problem of the place itself."""
    return Problems([("", text)])


def reported() -> Problems:
    """Make a problem that stands elsewhere in the report already."""
    return problem("")


def said(value: object) -> str:
    """Write a value as it stands in a file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal | date | time):
        return str(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(said, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {said(item)}' for key, item in value.items())}}}"
    return repr(value)


def _of_type(name: str, *accepted: type) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if type(value) in accepted:
            return value
        raise problem(f"must be {name}, got {said(value)}")

    return structure


def _date(value: Any, _: Any) -> date:
    if type(value) is date:
        return value
    quotes = " without quotes" if isinstance(value, str) else ""
    raise problem(f"must be a date{quotes} such as 2026-12-01, got {said(value)}")


def _decimal(value: Any, _: Any) -> Decimal:
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        number = Decimal(value)
    elif isinstance(value, str):
        try:
            number = Decimal(value)
        except ArithmeticError:
            raise problem(f"must be a decimal number, got {value!r}") from None
    else:
        raise problem(f'must be a decimal number, written as a string such as "0.15", got {said(value)}')
    if not number.is_finite():
        raise problem(f"must be finite, got {value}")
    return number


def _number(value: Any, _: Any) -> Number:
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise problem(f"is too large for a float, got a number of {len(str(value))} digits") from None
    if isinstance(value, np.ndarray):
        return value
    raise problem(f"must be a number, got {said(value)}")


def _money(value: Any, _: Any) -> Money:
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        raise problem(f"must be an amount with its currency such as '400 CNY', got {value}")
    try:
        return to_money(value)
    except InvalidValueError as error:
        raise problem(error.problem) from None


def new_converter() -> cattrs.Converter:
    """Make a converter with the strict hooks of this module."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _of_type("a text", str))
    converter.register_structure_hook(bool, _of_type("true or false", bool))
    converter.register_structure_hook(int, _of_type("a whole number", int))
    converter.register_structure_hook(date, _date)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(Money, _money)
    converter.register_structure_hook_func(lambda kind: kind == Number, _number)
    converter.register_structure_hook_factory(_is_optional, lambda kind: _structure_optional(converter, kind))
    converter.register_structure_hook_factory(_is_sequence, lambda kind: _structure_sequence(converter, kind))
    converter.register_structure_hook_factory(_is_mapping, lambda kind: _structure_mapping(converter, kind))
    converter.register_structure_hook_factory(attrs.has, lambda kind: _structure_class(converter, kind))
    converter.register_structure_hook(Money, _money)
    converter.register_unstructure_hook(Money, str)
    converter.register_unstructure_hook(Decimal, str)
    return converter


def _is_optional(kind: Any) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType) and type(None) in typing.get_args(kind)


def _is_sequence(kind: Any) -> bool:
    return typing.get_origin(kind) in (tuple, list)


def _is_mapping(kind: Any) -> bool:
    return typing.get_origin(kind) in (dict, Mapping)


def _structure_optional(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    rest = [part for part in typing.get_args(kind) if part is not type(None)]
    inner: Any = rest[0]
    for part in rest[1:]:
        inner = inner | part

    def structure(value: Any, _: Any) -> Any:
        return None if value is None else converter.structure(value, inner)

    return structure


def _structure_sequence(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    container = typing.get_origin(kind)
    inner = typing.get_args(kind)[0]

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise problem(f"must be a list, got {said(value)}")
        items, found = [], []
        for position, item in enumerate(value):
            try:
                items.append(converter.structure(item, inner))
            except Problems as problems:
                found += problems.below(f"[{position}]")
        if found:
            raise Problems(found)
        return container(items)

    return structure


def _structure_mapping(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    inner = typing.get_args(kind)[1]

    def structure(value: Any, _: Any) -> dict[str, Any]:
        check_table(value)
        items, found = {}, []
        for key, item in value.items():
            try:
                items[key] = converter.structure(item, inner)
            except Problems as problems:
                found += problems.below(key)
        if found:
            raise Problems(found)
        return items

    return structure


def check_table(value: object, or_else: str = "") -> None:
    """Refuse what is not a table of named values, and say what else it could have been."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise problem(f"must be a table{or_else}, got {said(value)}")


def _structure_class(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        return value if isinstance(value, kind) else build(converter, value, kind)

    return structure


def settable(kind: type) -> dict[str, attrs.Attribute[Any]]:
    """Give the fields of a class that a document may set, by name."""
    fields = attrs.fields_dict(attrs.resolve_types(kind))
    return {name: field for name, field in fields.items() if field.init and not name.startswith("_")}


def build(
    converter: cattrs.Converter, value: Any, kind: type[T], *, extra: frozenset[str] = frozenset(), words: str = ""
) -> T:
    """Build an attrs object from a table and report every problem of it.

    Args:
        converter: The converter that structures the fields.
        value: The table.
        kind: The class.
        extra: Keys of the table that are not fields and were dealt with elsewhere.
        words: What a report of problems calls the class, if not by its name.

    Raises:
        Problems: What is wrong, with the path below this place.
    """
    check_table(value)
    fields = settable(kind)
    words = words or getattr(kind, "IN_WORDS", kind.__name__)
    found = [
        (key, f"is not a field of {words}{suggest(key, fields)}")
        for key in value
        if key not in fields and key not in extra
    ]
    given: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in value:
            if field.default is attrs.NOTHING:
                found.append((name, "is missing"))
            continue
        given_as = value[name]
        try:
            target: Any = field.type
            item = given_as = converter.structure(value[name], target)
            _check(field, item)
            given[name] = item
        except Problems as problems:
            found += problems.below(name)
        except InvalidValueError as error:
            place = error.field if error.field.startswith(f"{name}.") else name
            found.append((place, _as_written(error.problem, given_as)))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            found.append((name, str(error)))
    if found:
        raise Problems(found)
    try:
        return kind(**given)
    except InvalidValueError as error:
        raise Problems([(error.field, error.problem)]) from None
    except (LlmTcoError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise problem(str(error) or type(error).__name__) from None


def _as_written(text: str, value: object) -> str:
    """Take what only Python writes so out of the text of a problem."""
    return text.replace(repr(value), said(value)) if isinstance(value, (tuple, date, time)) else text


def _check(field: attrs.Attribute[Any], item: Any) -> None:
    """Run a field's converter and validator on their own, so that each field is heard."""
    convert: Any = field.converter
    if isinstance(convert, attrs.Converter):
        if convert.takes_self:  # type: ignore[attr-defined]  # the stub leaves it out
            return  # it needs the whole object, which will be heard when it is built
        arguments = (field,) if convert.takes_field else ()  # type: ignore[attr-defined]  # as above
        item = convert.converter(item, *arguments)  # type: ignore[attr-defined]  # as above
    elif convert is not None:
        item = convert(item)
    if field.validator is not None:
        field.validator(None, field, item)


def structure(value: object, kind: type[T], *, title: str, converter: cattrs.Converter | None = None) -> T:
    """Structure plain data into a type.

    Raises:
        ProblemsError: One report with every problem and its path.
    """
    try:
        return (converter or new_converter()).structure(value, kind)
    except Problems as problems:
        raise ProblemsError(title, problems.lines()) from None
