"""Prices of electricity, of services and of work."""

from __future__ import annotations

import functools
from typing import Any, ClassVar, Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, Number, number, text
from llm_tco.catalog.records import Record
from llm_tco.catalog.weeks import (
    DAYS,
    MINUTES_PER_DAY,
    MINUTES_PER_HOUR,
    MINUTES_PER_WEEK,
    IntArray,
    Moments,
    local_minutes,
    time_zone,
)
from llm_tco.catalog.windows import clock, clock_of, spans, week_days
from llm_tco.errors import InvalidValueError
from llm_tco.money import Money, money
from llm_tco.timeline import Timeline
from llm_tco.units import HOURS_PER_WEEK

BoolArray = npt.NDArray[np.bool_]
CALENDAR: Final = tuple(range(1, 13))
"""The months of the calendar."""
_MID_MONTH: Final = np.timedelta64(14 * 24 + 12, "h")


def _to_months(value: object, attribute: attrs.Attribute[Any]) -> tuple[int, ...]:
    given = value if isinstance(value, (list, tuple)) else None
    if not given or any(type(month) is not int or month not in CALENDAR for month in given):
        raise InvalidValueError(attribute.name, f"must list months of the calendar from 1 to 12, got {value!r}")
    if len(set(given)) < len(given):
        raise InvalidValueError(attribute.name, f"must name each month once, got {list(given)}")
    return tuple(given)


@attrs.frozen(kw_only=True)
class Band:
    """Hours of the week, in some months of the year, with a price of electricity of their own.

    Attributes:
        name: What the tariff calls it, such as `"valley"`; several bands may share a name.
        price_per_kwh: Price of energy in it. [currency/kWh]
        days: Days on which it begins, of `mon` to `sun`; all unless said otherwise.
        start: Time of day from which on it holds, `"HH:MM"`, by the clock of the tariff.
        end: Time of day until which it holds; where that is not after the start, it runs
            past midnight into the next day.
        months: Months of the calendar in which it holds, 1 to 12; all unless said otherwise.
        carbon_kg_per_kwh: Carbon intensity in it, where it differs from that of the
            tariff. [kg CO2/kWh]
    """

    name: str = text()
    price_per_kwh: Money = money(ge=None)
    days: tuple[str, ...] = week_days()
    start: str = clock(default="00:00")
    end: str = clock(default="24:00")
    months: tuple[int, ...] = attrs.field(
        default=CALENDAR,
        converter=attrs.Converter(_to_months, takes_field=True),  # type: ignore[misc]  # attrs infers no type from a bound converter
    )
    carbon_kg_per_kwh: Number | None = number(ge=0, default=None, optional=True)

    def __str__(self) -> str:
        return f"{self.name} from {self.start} to {self.end}"


@attrs.frozen(kw_only=True)
class Tariff(Record):
    """A price of electricity: one for all hours, or others in bands of the week and the year.

    Attributes:
        key: Short name.
        name: Name in full.
        price_per_kwh: Price of energy outside every band. [currency/kWh]
        timezone: Time zone by whose clock the bands hold, such as `"Asia/Shanghai"`.
        bands: Hours with prices of their own; no two of them hold at one minute.
        demand_charge_per_kw_month: Charge for the highest power of a month.
            [currency/kW/month]
        carbon_kg_per_kwh: Carbon intensity, where it is stated. [kg CO2/kWh]
        aliases: Other names that people use.
    """

    kind: ClassVar[str] = "tariff"

    key: str = text()
    name: str = text()
    price_per_kwh: Money = money(ge=None)
    timezone: str | None = time_zone(default=None)
    bands: tuple[Band, ...] = ()
    demand_charge_per_kw_month: Money | None = money(default=None, optional=True)
    carbon_kg_per_kwh: Number | None = number(ge=0, default=None, optional=True)
    aliases: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.bands and self.timezone is None:
            raise InvalidValueError(
                "timezone", "is missing; bands hold by the clock of a place, such as 'Asia/Shanghai'"
            )
        charge = self.demand_charge_per_kw_month
        for place, amount in [
            *((f"bands[{place}].price_per_kwh", band.price_per_kwh) for place, band in enumerate(self.bands)),
            *([] if charge is None else [("demand_charge_per_kw_month", charge)]),
        ]:
            if amount.currency != self.price_per_kwh.currency:
                raise InvalidValueError(
                    place, f"must be in {self.price_per_kwh.currency} as the price is, got {amount}"
                )
        if self.carbon_kg_per_kwh is None and any(band.carbon_kg_per_kwh is not None for band in self.bands):
            raise InvalidValueError("carbon_kg_per_kwh", "is missing; a band states it, and nobody knows it outside")
        self._check_apart()

    def _check_apart(self) -> None:
        inside = _minutes_inside(self._windows)
        for place, band in enumerate(self.bands):
            for other, before in enumerate(self.bands[:place]):
                months = sorted(set(band.months) & set(before.months))
                both = inside[place] & inside[other]
                if months and both.any():
                    day, minute = divmod(int(np.argmax(both)), MINUTES_PER_DAY)
                    raise InvalidValueError(
                        f"bands[{place}]",
                        f"must not overlap, but {before} and {band} both hold on {DAYS[day]} {clock_of(minute)} in "
                        f"month {months[0]}",
                    )

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)

    @property
    def prices(self) -> tuple[Money, ...]:
        """Its prices of a kilowatt-hour: that outside every band, then those of the bands."""
        return (self.price_per_kwh, *(band.price_per_kwh for band in self.bands))

    @property
    def carbon(self) -> tuple[Number, ...] | None:
        """Its kg CO2 of a kilowatt-hour in the order of `prices`; None where they are not stated."""
        if self.carbon_kg_per_kwh is None:
            return None
        stated = (band.carbon_kg_per_kwh for band in self.bands)
        return (self.carbon_kg_per_kwh, *(self.carbon_kg_per_kwh if one is None else one for one in stated))

    @property
    def _windows(self) -> tuple[tuple[tuple[str, ...], str, str], ...]:
        return tuple((band.days, band.start, band.end) for band in self.bands)

    def by_month(self, timeline: Timeline, load_timezone: str | None = None) -> FloatArray:
        """Give the share of each hour of the week that lies in each band, month by month.

        A month has the bands of the calendar month in which it begins, and the clocks of the
        middle of that one: clocks that change within a month change with the next.

        Args:
            timeline: The months.
            load_timezone: The clock whose hours are meant; without it, the tariff's.

        Returns:
            Shares as `hours` gives them, shape `(1 + bands, T + 1, 168)`.
        """
        january = np.datetime64(timeline.start.year, "Y").astype("datetime64[M]")
        since = timeline.start.month - 1 + np.maximum(timeline.index.astype(np.int64) - 1, 0)
        ahead: IntArray = np.zeros(since.size, dtype=np.int64)
        if load_timezone is not None and self.timezone is not None:
            middle: Moments = (january + since).astype("datetime64[h]") + _MID_MONTH
            ahead = np.subtract(local_minutes(middle, self.timezone), local_minutes(middle, load_timezone))
        return self.hours(since % len(CALENDAR) + 1, ahead)

    def hours(self, calendar_months: IntArray, ahead_minutes: IntArray) -> FloatArray:
        """Give the share of each hour of the week that lies in each band.

        Args:
            calendar_months: Month of the calendar of each month, 1 to 12, shape `(M,)`.
            ahead_minutes: By how many minutes the tariff's clock is ahead of the one whose
                hours are meant, shape `(M,)`.

        Returns:
            Shares from 0 to 1, shape `(1 + bands, M, 168)`: first outside every band, then
            in each; they sum to 1 over the first axis. The hours are those of the other
            clock, from Monday 0:00 on.
        """
        inside = np.zeros((len(self.bands), calendar_months.size, HOURS_PER_WEEK))
        for ahead in np.unique(ahead_minutes):
            inside[:, ahead_minutes == ahead] = _hours_inside(self._windows, int(ahead))[:, None]
        for place, band in enumerate(self.bands):
            inside[place] *= np.isin(calendar_months, band.months)[:, None]
        return np.concatenate([1.0 - inside.sum(axis=0, keepdims=True), inside])


def _minutes_inside(windows: tuple[tuple[tuple[str, ...], str, str], ...]) -> BoolArray:
    """Say which minutes of the week lie in each of some windows, shape `(windows, 10080)`."""
    inside = np.zeros((len(windows), MINUTES_PER_WEEK), dtype=np.bool_)
    for row, window in zip(inside, windows, strict=True):
        for low, high in spans(*window):
            row[low:high] = True
    return inside


@functools.lru_cache(maxsize=256)
def _hours_inside(windows: tuple[tuple[tuple[str, ...], str, str], ...], ahead: int) -> FloatArray:
    """Give the share of each hour of another clock's week that lies in each window, shape `(windows, 168)`."""
    minutes = np.roll(_minutes_inside(windows), -ahead, axis=-1)
    return np.asarray(minutes.reshape(len(windows), HOURS_PER_WEEK, MINUTES_PER_HOUR).mean(axis=-1))


@attrs.frozen(kw_only=True)
class ServicePrice(Record):
    """What a service or an hour of work costs on the market: a hosting offer, a labour rate.

    Attributes:
        key: Short name.
        name: Name in full.
        per: What the price is for, such as `"rack unit and month"` or `"hour"`.
        low: Lowest price that the source states.
        high: Highest one; equal to the lowest where it states a single price.
        aliases: Other names that people use.
    """

    kind: ClassVar[str] = "service_price"

    key: str = text()
    name: str = text()
    per: str = text()
    low: Money = money()
    high: Money = money()
    aliases: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.low.currency != self.high.currency:
            raise InvalidValueError("high", f"must be in {self.low.currency} as the lowest price is, got {self.high}")
        if np.any(np.greater(self.low.value, self.high.value)):
            raise InvalidValueError("high", f"must be at least the lowest price of {self.low}, got {self.high}")

    @property
    def identity(self) -> tuple[str, ...]:
        """The words under which it is looked up."""
        return (self.key,)
