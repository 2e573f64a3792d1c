"""The door: field definitions that convert and check what users hand in.

A number is a float, or an array of draws whose axes stand in front of the month.
Every definition refuses NaN, infinities, booleans and text, and names the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError

FloatArray = npt.NDArray[np.float64]
MAX_WHOLE = 2**53
"""The largest number up to which every whole one is a float."""

_PERCENT: Final = "percent_from"
"""Key of a field's metadata."""
_PLAIN: Final = frozenset({type(None), bool, int, float, str, Decimal, np.ndarray})
"""Types that hold no fields."""

Number = float | FloatArray
"""A number, or an array of draws of it."""


def to_number(value: object, field: str) -> Number:
    """Convert to float64 and refuse what is not a finite real number.

    Args:
        value: A real number, or an array of them.
        field: Name of the field, for the error.

    Returns:
        A float, or a read-only C-contiguous float64 array.

    Raises:
        InvalidValueError: The value is not a finite number.
    """
    if isinstance(value, (int, float, Decimal, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise InvalidValueError(
                field, f"is too large for a float, got a number of {len(str(value))} digits"
            ) from None
        if not np.isfinite(number):
            raise InvalidValueError(field, f"must be finite, got {value}")
        return number + 0.0
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        array = np.array(value, dtype=np.float64, order="C")
        if array.ndim == 0:
            return to_number(float(array), field)
        if array.size == 0:
            raise InvalidValueError(field, "is an array without draws")
        if not np.isfinite(array).all():
            raise InvalidValueError(field, "must be finite, got NaN or infinity among its draws")
        array += 0.0
        array.setflags(write=False)
        return array
    raise InvalidValueError(field, f"must be a number, got {value!r}")


def check_bounds(
    value: Number | Decimal, field: str, *, ge: float | None = None, gt: float | None = None, le: float | None = None
) -> None:
    """Refuse a number outside its bounds.

    Raises:
        InvalidValueError: The value, or one of its draws, is out of bounds.
    """
    low, high = (np.min(value), np.max(value)) if isinstance(value, np.ndarray) else (value, value)
    if ge is not None and low < ge:
        raise InvalidValueError(field, f"must be at least {ge:g}, got {plain(low)}")
    if gt is not None and low <= gt:
        raise InvalidValueError(field, f"must be more than {gt:g}, got {plain(low)}")
    if le is not None and high > le:
        hint = f"; {plain(high)} % is written as {float(high) / 100:.12g}" if le == 1 and high <= 100 else ""
        raise InvalidValueError(field, f"must be at most {le:g}, got {plain(high)}{hint}")


def plain(value: object) -> str:
    """Write a number as a person would, and in full."""
    return str(float(value)).removesuffix(".0") if isinstance(value, (float, np.floating)) else str(value)


def number(
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    default: Any = attrs.NOTHING,
    optional: bool = False,
    kw_only: bool | None = None,
    percent_from: float | None = None,
) -> Any:
    """Define a field for a number or an array of draws, within bounds.

    Args:
        ge: Least value.
        gt: Value that must be exceeded.
        le: Greatest value.
        default: Default value; without one the field is required.
        optional: Whether None may stand for "not stated".
        kw_only: As in `attrs.field`.
        percent_from: For a ratio that may be any size: from where on it is likely that percents
            were written; see `large_rates`.
    """

    def convert(value: object, attribute: attrs.Attribute[Any]) -> Any:
        if optional and value is None:
            return None
        return to_number(value, attribute.name)

    def validate(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None:
            check_bounds(value, attribute.name, ge=ge, gt=gt, le=le)

    return attrs.field(
        default=default,
        converter=attrs.Converter(convert, takes_field=True),
        validator=validate,
        kw_only=kw_only,
        metadata={} if percent_from is None else {_PERCENT: percent_from},
    )


def large_rates(holder: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Find rates that are so large that percents may have been written: 8 for 8 %.

    Args:
        holder: A record, and whatever records it holds.
        path: Where it stands; what has a name begins a path of its own.

    Yields:
        The path to each such rate, and the rate; of draws, the lowest.
    """
    if isinstance(holder, Mapping):
        for name, part in holder.items():
            yield from large_rates(part, (*path, str(name)))
    elif isinstance(holder, (tuple, list)):
        for part in holder:
            yield from large_rates(part, path)
    elif attrs.has(kind := type(holder)):
        name = getattr(holder, "name", None)
        path = (name,) if isinstance(name, str) else path
        for field in attrs.fields(kind):
            value = getattr(holder, field.name)
            bound = field.metadata.get(_PERCENT)
            if bound is None:
                if type(value) not in _PLAIN:
                    yield from large_rates(value, (*path, field.name))
            elif value is not None and np.min(value) >= bound:
                yield (*path, field.name), float(np.min(value))


def whole(
    *, ge: int | None = None, default: Any = attrs.NOTHING, optional: bool = False, kw_only: bool | None = None
) -> Any:
    """Define a field for a whole number of at least `ge`."""

    def convert(value: object, attribute: attrs.Attribute[Any]) -> Any:
        if optional and value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, np.integer, np.floating)):
            raise InvalidValueError(attribute.name, f"must be a whole number, got {value!r}")
        if value != value or value in (float("inf"), float("-inf")) or value != int(value):
            raise InvalidValueError(attribute.name, f"must be a whole number, got {value}")
        if abs(int(value)) > MAX_WHOLE:
            raise InvalidValueError(
                attribute.name, f"must be at most {MAX_WHOLE}, got a number of {len(str(value))} digits"
            )
        return int(value)

    def validate(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and ge is not None and value < ge:
            raise InvalidValueError(attribute.name, f"must be at least {ge}, got {value}")

    return attrs.field(
        default=default,
        converter=attrs.Converter(convert, takes_field=True),
        validator=validate,
        kw_only=kw_only,
    )


def text(*, default: Any = attrs.NOTHING) -> Any:
    """Define a field for a text that says something."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not isinstance(value, str) or not value.strip():
            raise InvalidValueError(attribute.name, f"must be a text, got {value!r}")

    return attrs.field(default=default, validator=validate)


def choice(*allowed: str, default: Any = attrs.NOTHING) -> Any:
    """Define a field for one of a few words."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in allowed:
            words = ", ".join(repr(word) for word in allowed)
            raise InvalidValueError(attribute.name, f"must be one of {words}, got {value!r}")

    return attrs.field(default=default, validator=validate)


def is_a(*kinds: type, optional: bool = False) -> Any:
    """Make a validator that refuses objects of other types."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, kinds) and not (optional and value is None):
            names = " or a ".join(kind.__name__ for kind in kinds)
            raise InvalidValueError(attribute.name, f"must be a {names}, got {value!r}")

    return validate


def column(value: Number) -> FloatArray:
    """Append the axis of months, so that draws broadcast against them.

    Args:
        value: A number or draws of shape `(...)`.

    Returns:
        An array of shape `(..., 1)`.
    """
    return np.asarray(value, dtype=np.float64)[..., None]
