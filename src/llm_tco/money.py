"""Amounts with their currency, and the exchange rates between currencies."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, check_bounds, column, to_number
from llm_tco.errors import CurrencyError, InvalidValueError, MissingRateError

_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_THOUSANDS = re.compile(r"\b\d{1,3}(?:,\d{3})+\b")
_AMOUNT = re.compile(r"\s*(?P<amount>[+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?P<currency>[A-Z]{3})\s*\Z")


def _meant(text: object) -> str:
    """Guess the amount that a person meant: small letters, the currency first, commas between thousands."""
    if not isinstance(text, str):
        return ""
    plain = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text.upper())
    for candidate in (plain, " ".join(reversed(plain.split()))):
        found = _AMOUNT.match(candidate)
        if found is not None:
            return f"; did you mean '{found['amount']} {found['currency']}'?"
    return ""


def is_currency(unit: str) -> bool:
    """Say whether a unit is a currency: three capital letters, as in ISO 4217."""
    return _CURRENCY.match(unit) is not None


def check_currency(code: object, field: str = "currency") -> str:
    """Return a currency code, or refuse what is none.

    Raises:
        InvalidValueError: The code is not three capital letters.
    """
    if isinstance(code, str) and is_currency(code):
        return code
    raise InvalidValueError(field, f"must be a currency code of three capital letters such as 'USD', got {code!r}")


def _amount(value: object, attribute: attrs.Attribute[Any]) -> Number | Decimal:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InvalidValueError(attribute.name, f"must be finite, got {value}")
        if not np.isfinite(float(value)):
            raise InvalidValueError(attribute.name, f"is too large for a float, got {value}")
        return value
    return to_number(value, attribute.name)


@attrs.frozen(eq=False)
class Money:
    """An amount in one currency.

    Attributes:
        amount: The amount: exact (`Decimal`) where it was read from text, a float,
            or an array of draws.
        currency: ISO 4217 code.
    """

    amount: Number | Decimal = attrs.field(
        converter=attrs.Converter(_amount, takes_field=True)  # type: ignore[misc]  # attrs infers no type from a bound converter
    )
    currency: str = attrs.field(validator=lambda _, attribute, value: check_currency(value, attribute.name) and None)

    @classmethod
    def parse(cls, text: str) -> Money:
        """Read an amount such as `"400 CNY"`, exactly.

        Raises:
            InvalidValueError: The text is not an amount followed by a currency.

        >>> Money.parse("0.15 USD")
        Money('0.15 USD')
        """
        found = _AMOUNT.match(text) if isinstance(text, str) else None
        if found is None:
            raise InvalidValueError(
                "money", f"must be an amount and a currency such as '400 CNY', got {text!r}{_meant(text)}"
            )
        try:
            return cls(Decimal(found["amount"].replace("_", "")), found["currency"])
        except InvalidOperation:  # pragma: no cover - the pattern admits only what Decimal reads
            raise InvalidValueError("money", f"holds an amount that cannot be read, got {text!r}") from None

    __array_ufunc__ = None  # an array leaves multiplication to this class

    @property
    def value(self) -> Number:
        """The amount as a float, or as an array of draws."""
        return float(self.amount) + 0.0 if isinstance(self.amount, Decimal) else self.amount  # no negative zero

    @property
    def column(self) -> FloatArray:
        """The amount as an array of shape `(..., 1)`, to broadcast against months."""
        return column(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.currency == other.currency and bool(np.all(np.equal(self.value, other.value)))

    def __hash__(self) -> int:
        return hash((self.currency, float(np.sum(self.value))))

    def __repr__(self) -> str:
        return f"Money({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        if other.currency != self.currency:
            raise CurrencyError(
                f"cannot add {other} to {self}: the currencies differ. Convert one of them, or state it in the other."
            )
        if isinstance(self.amount, Decimal) and isinstance(other.amount, Decimal):
            return Money(self.amount + other.amount, self.currency)
        return Money(np.asarray(self.value + other.value), self.currency)

    def __mul__(self, factor: int | float | Decimal) -> Money:
        if isinstance(self.amount, Decimal) and isinstance(factor, (int, Decimal)):
            return Money(self.amount * factor, self.currency)
        return Money(np.asarray(self.value * float(factor)), self.currency)

    __rmul__ = __mul__


def to_money(value: object, field: str = "money") -> Money:
    """Take an amount at the door: a `Money` as it is, a text such as `"400 CNY"` read.

    Raises:
        InvalidValueError: The value is neither.
    """
    if isinstance(value, Money):
        return value
    if isinstance(value, str):
        try:
            return Money.parse(value)
        except InvalidValueError as error:
            raise InvalidValueError(field, error.problem) from None
    raise InvalidValueError(field, f"must be an amount with its currency such as '400 CNY', got {value!r}")


def money(
    *,
    ge: float | None = 0.0,
    gt: float | None = None,
    default: Any = attrs.NOTHING,
    optional: bool = False,
    kw_only: bool | None = None,
) -> Any:
    """Define a field for an amount of money, at least 0 unless said otherwise."""

    def convert(value: object, attribute: attrs.Attribute[Any]) -> Any:
        if optional and value is None:
            return None
        return to_money(value, attribute.name)

    def validate(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None:
            check_bounds(value.value, attribute.name, ge=ge, gt=gt)

    return attrs.field(
        default=default,
        converter=attrs.Converter(convert, takes_field=True),
        validator=validate,
        kw_only=kw_only,
    )


@attrs.frozen(eq=False)
class DatedRates:
    """An exchange rate that changes on certain days; each holds until the next.

    Attributes:
        days: The days, in rising order.
        values: The rate from each day on. Draws are allowed.
    """

    days: tuple[date, ...]
    values: tuple[Number, ...]

    def on(self, days: Sequence[date], pair: str) -> FloatArray:
        """Give the rate that holds on each of some days, in rising order.

        Returns:
            Shape `(..., len(days))`.

        Raises:
            MissingRateError: A day lies before the first rate.
        """
        if days and days[0] < self.days[0]:
            raise MissingRateError(
                f"no exchange rate {pair} on {days[0]}: the first one given holds from {self.days[0]} on. Add an "
                "earlier one to fx."
            )
        known = np.stack(np.broadcast_arrays(*self.values), axis=-1)
        return np.asarray(known[..., [bisect_right(self.days, day) - 1 for day in days]])


Quote = Number | Mapping[str, Number]
"""An exchange rate: one for all time, or one from each of some days on (`"2026-12-01"`)."""


def _quote(value: object, field: str) -> Number | DatedRates:
    if isinstance(value, DatedRates):
        return value
    if not isinstance(value, Mapping):
        rate = to_number(value, field)
        check_bounds(rate, field, gt=0)
        return rate
    if not value:
        raise InvalidValueError(field, "must hold at least one day with its rate")
    dated: dict[date, Number] = {}
    for day, rate in value.items():
        place = f"{field}.{day}"
        try:
            when = day if type(day) is date else date.fromisoformat(day)
        except (TypeError, ValueError):
            raise InvalidValueError(place, f"must be a day such as 2026-12-01, got {day!r}") from None
        dated[when] = to_number(rate, place)
        check_bounds(dated[when], place, gt=0)
    days = tuple(sorted(dated))
    return DatedRates(days, tuple(dated[day] for day in days))


def _rates(value: object, attribute: attrs.Attribute[Any]) -> dict[str, Number | DatedRates]:
    if not isinstance(value, Mapping):
        raise InvalidValueError(attribute.name, f"must map currencies to rates, got {value!r}")
    for code in value:
        check_currency(code, attribute.name)
    return {code: _quote(rate, f"{attribute.name}.{code}") for code, rate in value.items()}


def exchange_rates() -> Any:
    """Define a field that maps currencies to positive rates, for all time or by day; empty unless said otherwise."""
    return attrs.field(
        factory=dict,
        converter=attrs.Converter(_rates, takes_field=True),
    )


@attrs.frozen(eq=False)
class ExchangeRates:
    """Exchange rates into one base currency.

    Attributes:
        base: The currency that every rate leads to.
        rates: What one unit of each currency is worth in the base: with base CNY,
            `{"USD": 7.2}` says that one dollar is 7.2 yuan, and `{"USD": {"2026-12-01": 7.2,
            "2027-12-01": 7.0}}` that it is so from these days on. Draws are allowed.
    """

    base: str = attrs.field(validator=lambda _, attribute, value: check_currency(value, attribute.name) and None)
    rates: Mapping[str, Quote | DatedRates] = exchange_rates()

    def __attrs_post_init__(self) -> None:
        own = self.rates.get(self.base, 1.0)
        if isinstance(own, DatedRates) or np.any(np.not_equal(cast("Number", own), 1.0)):
            raise InvalidValueError(f"rates.{self.base}", f"is the base and must be 1, got {own}")

    def factors(self, source: str, target: str, days: Sequence[date] = ()) -> FloatArray:
        """Give the amount of `target` that one unit of `source` is worth.

        Args:
            source: The currency that is converted.
            target: The currency that is wanted.
            days: The day of each time, in rising order, where rates differ by day.

        Returns:
            Shape `(..., 1)` for rates that hold for all time, else `(..., len(days))`.

        Raises:
            MissingRateError: One of the two has no rate, or none on one of the days.
        """
        if source == target:
            return np.ones(1)
        for code in (source, target):
            if code != self.base and code not in self.rates:
                known = ", ".join(sorted({self.base, *self.rates}))
                raise MissingRateError(
                    f"no exchange rate from {source} to {target}: {code} is not among the rates given ({known}). "
                    f"Add {code} to fx: what 1 {code} is worth in {self.base}."
                )
        if target == self.base:
            return self._into_base(source, days)
        return self._into_base(source, days) / self._into_base(target, days)

    def _into_base(self, code: str, days: Sequence[date]) -> FloatArray:
        rate = self.rates.get(code, 1.0)
        if isinstance(rate, DatedRates):
            return rate.on(days, f"from {code} to {self.base}")
        return column(cast("Number", rate))  # the field has made dated rates of every mapping
