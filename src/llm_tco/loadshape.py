"""How unevenly requests arrive, and how much of them lies below a level.

A level is a multiple of the mean. Everything that a fleet needs of a load curve is the
share of its volume below a level, so that full servers carry one slice of it and leave
the slice above.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, number, to_number
from llm_tco.errors import InvalidValueError
from llm_tco.units import HOURS_PER_WEEK


class LoadShape(Protocol):
    """A load curve, scaled to a mean of 1."""

    @property
    def peak(self) -> FloatArray:
        """The highest level, shape `(..., 1)`."""
        ...

    def below(self, level: FloatArray) -> FloatArray:
        """Give the share of the volume that lies below a level.

        Args:
            level: Multiples of the mean, shape `(..., T + 1)`; infinity is allowed.

        Returns:
            The mean of min(load, level), of the same shape.
        """
        ...

    def segment(self, level: FloatArray) -> FloatArray:
        """Number the straight pieces of `below`: equal numbers lie on one piece."""
        ...

    @property
    def levels(self) -> FloatArray:
        """The loads that occur, shape `(..., 1, H)`; where `timed`, those of the 168 hours in order."""
        ...

    @property
    def shares(self) -> FloatArray:
        """The share of the time for which each of them lasts, shape `(..., 1, H)`; they sum to 1."""
        ...

    @property
    def timed(self) -> bool:
        """Whether it is known which hour of the week has which load."""
        ...

    @property
    def timezone(self) -> str | None:
        """The time zone of these hours; None where nobody said it, or where all hours are alike."""
        ...


@attrs.frozen
class Peak:
    """A load of which only the peak is known.

    All of it is taken to come at the peak rate, for 1/peak of the time. Of all loads with
    this mean and this peak, that one leaves most above any level, so that a fleet is
    never said to carry what it may not.

    Attributes:
        peak_to_mean: Highest load over mean load, at least 1.
    """

    peak_to_mean: Number = number(ge=1)

    @property
    def peak(self) -> FloatArray:
        """The highest level, shape `(..., 1)`."""
        return column(self.peak_to_mean)

    def below(self, level: FloatArray) -> FloatArray:
        """Give the share of the volume that lies below a level."""
        return np.asarray(np.minimum(level, self.peak) / self.peak)

    def segment(self, level: FloatArray) -> FloatArray:
        """Number the straight pieces of `below`: 0 below the peak, 1 from there on."""
        return np.asarray(level >= self.peak, dtype=np.float64)

    @property
    def levels(self) -> FloatArray:
        """Nothing, and the peak, shape `(..., 1, 2)`."""
        return np.stack([np.zeros_like(self.peak), self.peak], axis=-1)

    @property
    def shares(self) -> FloatArray:
        """The time without load and the time at the peak, shape `(..., 1, 2)`."""
        return np.stack([1.0 - 1.0 / self.peak, 1.0 / self.peak], axis=-1)

    @property
    def timed(self) -> bool:
        """Whether all hours are alike; else nobody knows when the peak is."""
        return bool(np.all(self.peak == 1.0))

    @property
    def timezone(self) -> None:
        """None: no hour is told from another."""
        return


FLAT = Peak(1.0)
"""A load without variation."""


def _scaled_hours(value: object, attribute: attrs.Attribute[Any]) -> tuple[float, ...]:
    if not isinstance(value, (Sequence, np.ndarray)) or len(value) != HOURS_PER_WEEK:
        raise InvalidValueError(attribute.name, f"must hold {HOURS_PER_WEEK} numbers, one for each hour of the week")
    hours = np.array([to_number(load, f"{attribute.name}[{hour}]") for hour, load in enumerate(value)])
    if (hours < 0).any() or hours.sum() == 0:
        raise InvalidValueError(attribute.name, "must hold no negative number and at least one above 0")
    return tuple(float(load) for load in hours / hours.mean())


@attrs.frozen
class HourOfWeek:
    """A load that repeats every week.

    Attributes:
        loads: The load of each hour of the week, from Monday 0:00 on, in any unit; it is
            scaled to a mean of 1.
        timezone: IANA name of the time zone by whose clock they are told, where it is stated.
    """

    loads: tuple[float, ...] = attrs.field(
        converter=attrs.Converter(_scaled_hours, takes_field=True)  # type: ignore[misc]  # attrs infers no type from a bound converter
    )
    timezone: str | None = None
    _levels: FloatArray = attrs.field(init=False, repr=False, eq=False)
    _volumes: FloatArray = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        hours = np.asarray(self.loads)
        levels = np.concatenate([[0.0], np.unique(hours)])
        object.__setattr__(self, "_levels", levels)
        object.__setattr__(self, "_volumes", np.minimum(hours, levels[:, None]).mean(axis=1))

    @property
    def peak(self) -> FloatArray:
        """The highest level, shape `(1,)`."""
        return self._levels[-1:]

    def below(self, level: FloatArray) -> FloatArray:
        """Give the share of the volume that lies below a level."""
        return np.asarray(np.interp(level, self._levels, self._volumes))

    def segment(self, level: FloatArray) -> FloatArray:
        """Number the straight pieces of `below`: one between each two hourly loads."""
        return np.searchsorted(self._levels, level, side="right").astype(np.float64)

    @property
    def levels(self) -> FloatArray:
        """The load of each hour of the week from Monday 0:00 on, shape `(1, 168)`."""
        return np.asarray(self.loads)[None, :]

    @property
    def shares(self) -> FloatArray:
        """One part in 168 each, shape `(1, 168)`."""
        return np.full((1, HOURS_PER_WEEK), 1.0 / HOURS_PER_WEEK)

    @property
    def timed(self) -> bool:
        """Whether it is known which hour of the week has which load: it is."""
        return True


@attrs.frozen(eq=False)
class Load:
    """A slice of a load curve: what lies between two levels of it.

    Attributes:
        shape: The whole curve.
        low: Lower level of the slice, shape `(..., T + 1)` or one that broadcasts to it.
        high: Upper level of the slice, likewise; infinity for the top.
    """

    shape: LoadShape = FLAT
    low: FloatArray = attrs.field(factory=lambda: np.zeros(1))
    high: FloatArray = attrs.field(factory=lambda: np.full(1, np.inf))

    @property
    def volume(self) -> FloatArray:
        """The share of the whole curve's volume that the slice holds."""
        return np.asarray(self.shape.below(self.high) - self.shape.below(self.low))

    @property
    def peak(self) -> FloatArray:
        """The highest load of the slice over its own mean; 1 for an empty slice."""
        height = np.maximum(np.minimum(self.high, self.shape.peak) - self.low, 0.0)
        return _ratio(height, self.volume, empty=1.0)

    @property
    def levels(self) -> FloatArray:
        """The loads that occur in the slice, as multiples of its own mean.

        Returns:
            Shape `(..., T + 1, H)` or one that broadcasts to it; 0 for an empty slice. For
            how much of the time each lasts stands in `shape.shares`, and `shape.timed` says
            whether they are the hours of a week in order.
        """
        low, high = self.low[..., None], self.high[..., None]
        inside = np.maximum(np.minimum(self.shape.levels, high) - low, 0.0)
        return _ratio(inside, self.volume[..., None], empty=0.0)

    def _level(self, level: FloatArray) -> FloatArray:
        """Turn a multiple of the slice's own mean into a level of the whole curve."""
        volume = self.volume
        with np.errstate(invalid="ignore"):
            return np.minimum(self.low + np.where(volume > 0, level * volume, 0.0), self.high)

    def carried(self, level: FloatArray) -> FloatArray:
        """Give the share of the slice that lies below a level of it.

        Args:
            level: Multiples of the slice's own mean, shape `(..., T + 1)`.

        Returns:
            Shares from 0 to 1, of the same shape; 1 for an empty slice.
        """
        below = self.shape.below(self._level(level)) - self.shape.below(self.low)
        return np.clip(_ratio(below, self.volume, empty=1.0), 0.0, 1.0)

    def segment(self, level: FloatArray) -> FloatArray:
        """Number the straight pieces of `carried`."""
        return self.shape.segment(self._level(level))

    def cut(self, level: FloatArray) -> tuple[Load, Load]:
        """Cut the slice at a multiple of its own mean, into what lies below and above."""
        at = self._level(level)
        return Load(self.shape, self.low, at), Load(self.shape, at, self.high)

    def window(self, index: slice) -> Load:
        """Give the load of some of the months."""
        return Load(self.shape, _months(self.low, index), _months(self.high, index))

    def same_as(self, other: Load) -> bool:
        """Say whether two loads are the same slice of equal curves."""
        return self is other or (
            same_shape(self.shape, other.shape)
            and np.array_equal(self.low, other.low)
            and np.array_equal(self.high, other.high)
        )


def same_shape(one: LoadShape, other: LoadShape) -> bool:
    """Say whether two curves are equal, draws included."""
    if one is other:
        return True
    if isinstance(one, Peak) and isinstance(other, Peak):
        return np.array_equal(one.peak, other.peak)
    return one == other


def _months(levels: FloatArray, index: slice) -> FloatArray:
    return levels if levels.shape[-1] == 1 else levels[..., index]


def _ratio(part: FloatArray, whole: FloatArray, *, empty: float) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), empty)
