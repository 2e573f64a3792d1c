"""Money, exchange rates (law 79) and the conversion at the door (laws 80 and 81)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco._fields import to_number
from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.prices import TokenPrice
from llm_tco.catalog.reading import record_converter
from llm_tco.errors import CurrencyError, InvalidValueError, MissingRateError
from llm_tco.money import ExchangeRates, Money
from llm_tco.structure import structure
from llm_tco.testing import strategies as own

positive = st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("400 CNY", "400", "CNY"),
        ("0.15 USD", "0.15", "USD"),
        ("  13_000CNY ", "13000", "CNY"),
        ("-2.5 EUR", "-2.5", "EUR"),
        ("1e3 JPY", "1E+3", "JPY"),
    ],
)
def test_amounts_are_read_exactly(text, amount, currency):
    """A text keeps its decimals."""
    money = Money.parse(text)

    assert (money.amount, money.currency) == (Decimal(amount), currency)


@pytest.mark.parametrize("text", ["400", "CNY", "400 yuan", "400 cny", "4,000 CNY", "¥400", "nan USD", "1..2 USD", ""])
def test_what_is_no_amount_is_refused(text):
    """The error says how an amount is written."""
    with pytest.raises(InvalidValueError, match="must be an amount and a currency such as '400 CNY'"):
        Money.parse(text)


@given(st.decimals(-1_000_000, 1_000_000, places=6), st.sampled_from(["CNY", "USD"]))
def test_writing_and_reading_money_is_the_identity(amount, currency):
    """Law 80 for money."""
    money = Money(amount, currency)

    assert Money.parse(str(money)) == money


def test_currencies_do_not_mix():
    """Adding yuan to dollars is an error that names both."""
    with pytest.raises(CurrencyError, match="cannot add 1 USD to 1 CNY"):
        Money.parse("1 CNY") + Money.parse("1 USD")


@given(positive, positive)
def test_rates_are_consistent(usd, eur):
    """Law 79: to oneself is 1, there and back is 1, and the way over a third is the direct one."""
    rates = ExchangeRates("CNY", {"USD": usd, "EUR": eur})

    assert rates.factors("USD", "USD") == 1
    assert np.isclose(rates.factors("USD", "EUR") * rates.factors("EUR", "USD"), 1)
    assert np.isclose(rates.factors("USD", "CNY") * rates.factors("CNY", "EUR"), rates.factors("USD", "EUR"))


def test_a_missing_rate_names_the_pair_and_the_way_out():
    """What to add is part of the error."""
    with pytest.raises(MissingRateError) as error:
        ExchangeRates("CNY", {"USD": 7.2}).factors("EUR", "CNY")

    assert str(error.value) == (
        "no exchange rate from EUR to CNY: EUR is not among the rates given (CNY, USD). "
        "Add EUR to fx: what 1 EUR is worth in CNY."
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, "1", np.array(["a"]), np.array([]), 1j])
def test_what_is_no_finite_number_stays_outside(value):
    """Law 81: NaN, infinities, booleans and texts are refused at the door."""
    with pytest.raises(InvalidValueError, match="^x: "):
        to_number(value, "x")


@pytest.mark.parametrize(
    "value", [0, -0.0, Decimal("0.1"), np.float32(1), np.int64(3), np.array([1, 2]), np.array(1.0)]
)
def test_numbers_of_every_kind_come_in(value):
    """Law 81: as float64, and never as a negative zero."""
    number = to_number(value, "x")

    assert np.asarray(number).dtype == np.float64
    assert not np.signbit(np.asarray(number)).any()


RECORDS = st.one_of(
    own.servers(),
    own.throughputs(),
    own.token_prices(),
    st.just(
        Gpu(
            key="g",
            name="G",
            vendor="V",
            memory_bytes=1,
            memory_bandwidth_bytes_per_s=1,
            tdp_w=1,
            field_sources={"tdp_w": own.SOURCE},
            source=own.SOURCE,
        )
    ),
)


@given(RECORDS)
def test_structure_after_unstructure_is_the_identity(record):
    """Law 80: a record survives its way through plain data."""
    converter = record_converter()

    plain = converter.unstructure(attrs.evolve(record, note="a note"))
    again = structure(plain, type(record), title="record", converter=converter)

    assert again == attrs.evolve(record, note="a note")


@pytest.mark.parametrize("kind", [Gpu, Server, Throughput, TokenPrice])
def test_unknown_keys_are_refused(kind):
    """Law 80: a misspelt field is never dropped."""
    from llm_tco.errors import ProblemsError

    with pytest.raises(ProblemsError, match=f"sauce: is not a field of {kind.__name__}; did you mean 'source'"):
        structure({"sauce": 1}, kind, title="record", converter=record_converter())


def test_dates_with_a_time_are_no_dates():
    """A TOML date-time is not taken for a day."""
    from datetime import datetime

    from llm_tco.catalog.records import Source
    from llm_tco.errors import ProblemsError

    assert structure({"title": "t", "checked": date(2026, 1, 1)}, Source, title="s").checked == date(2026, 1, 1)
    with pytest.raises(ProblemsError, match="checked: must be a date"):
        structure({"title": "t", "checked": datetime(2026, 1, 1)}, Source, title="s")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("5 usd", "5 USD"), ("USD 5", "5 USD"), ("1,234,567.5 USD", "1234567.5 USD"), ("usd 1,000", "1000 USD")],
)
def test_what_a_person_meant_is_suggested(text, meant):
    """Small letters, the currency first and commas between thousands are refused with the amount as it is written."""
    with pytest.raises(InvalidValueError, match=f"; did you mean '{meant}'"):
        Money.parse(text)


@pytest.mark.parametrize("text", ["1,5 USD", "12,34 USD", "nothing", "5 USDT"])
def test_what_may_mean_several_amounts_is_not_guessed(text):
    """A comma may be a decimal point: then nothing is suggested."""
    with pytest.raises(InvalidValueError, match=r"got '[^']*'$"):
        Money.parse(text)
