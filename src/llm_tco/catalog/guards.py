"""Whether records hold what their fields say, where no field looks for itself.

Fields with a converter or a validator refuse wrong values when a record is made. The others
are texts, days, switches and lists of them, and a plugin may put anything there: one such
record would bring down the index of all of them.
"""

from __future__ import annotations

import functools
import reprlib
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

import attrs

_Test = Callable[[object], bool]
_NAMES: Final = {str: "a text", bool: "true or false", date: "a day", type(None): "None"}


def misfit(record: object) -> str | None:
    """Say which field of a record, the first, holds something else than its type says, or None.

    >>> from llm_tco.catalog.records import Period
    >>> misfit(Period(start=None)) is None
    True
    """
    kind: Any = type(record)  # any class can be looked up, which its metaclass does not say
    for name, hint, fits in _guards(kind):
        value = getattr(record, name)
        if not fits(value):
            below = misfit(value) if attrs.has(type(value)) else None
            return f"{name}.{below}" if below else f"{name} must be {_said(hint)}, got {shown(value)}"
    return None


def shown(value: object) -> str:
    """Show an object in a few words, whatever its class makes of that."""
    try:
        return reprlib.repr(value)
    except Exception:  # noqa: BLE001 - a class of a plugin may do anything
        return f"a {type(value).__name__}"


@functools.cache
def _guards(kind: type) -> tuple[tuple[str, Any, _Test], ...]:
    """List the fields that nothing has looked at, each with its type and a test of it."""
    fields = attrs.fields(attrs.resolve_types(kind))
    return tuple(
        (field.name, field.type, _test(field.type))
        for field in fields
        if field.init and field.converter is None and field.validator is None
    )


@functools.cache
def _test(hint: Any) -> _Test:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        tests = [_test(part) for part in parts]
        return lambda value: any(test(value) for test in tests)
    if origin is tuple:
        inner = _test(parts[0])
        return lambda value: isinstance(value, (tuple, list)) and all(map(inner, value))
    if origin is not None and issubclass(origin, Mapping):
        key, item = map(_test, parts)
        return lambda value: isinstance(value, Mapping) and all(key(k) and item(v) for k, v in value.items())
    if attrs.has(hint):
        return lambda value: type(value) is hint and misfit(value) is None
    if hint is date:
        return lambda value: type(value) is date  # a moment is none: it does not compare with days
    return lambda value: isinstance(value, hint)


def _said(hint: Any) -> str:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_said, parts))
    if origin is tuple:
        return f"a list of {_said(parts[0]).removeprefix('a ')}s"
    if origin is not None:
        return f"a mapping of texts to {_said(parts[1]).removeprefix('a ')}s"
    return _NAMES.get(hint) or f"a {hint.__name__}"
