"""Accelerators with the prices that were published for them."""

from __future__ import annotations

from datetime import date, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.catalog.hardware import Gpu, GpuPrice
from llm_tco.catalog.reading import records_of
from llm_tco.errors import InvalidValueError, NotInForceError, ProblemsError
from llm_tco.testing import strategies as own

DAYS = st.dates(date(2020, 1, 1), date(2027, 12, 31))
BASES = ("list", "street", "rental")


def gpu(**fields):
    """Make an accelerator with the fewest figures, and some more."""
    return Gpu(
        key="g", name="G", vendor="V", memory_bytes=2**34, memory_bandwidth_bytes_per_s=1e12, tdp_w=300,
        source=own.SOURCE, **fields,
    )  # fmt: skip


def price(basis: str, amount: float, on: date) -> GpuPrice:
    """Make a price of a card, or of its hour where it is rented."""
    per = "card hour" if basis == "rental" else "card"
    return GpuPrice(basis=basis, price=f"{amount:.2f} USD", per=per, on=on, source=own.SOURCE)


@st.composite
def histories(draw):
    """Draw prices of any basis, at most one of a basis on a day."""
    days = draw(st.lists(st.tuples(st.sampled_from(BASES), DAYS), unique=True, max_size=12))
    return tuple(price(basis, draw(st.floats(0.01, 1e5)), on) for basis, on in days)


@given(histories(), st.sampled_from(BASES), DAYS)
def test_price_is_the_latest_that_was_published(prices, basis, day):
    """A price is of its basis and published by then, and none of the others is later."""
    known = [one for one in prices if one.basis == basis and one.on <= day]

    if not known:
        with pytest.raises(NotInForceError, match=f"no {basis} price of g by {day}"):
            gpu(prices=prices).price(basis, on=day)
    else:
        found = gpu(prices=prices).price(basis, on=day)

        assert found in known
        assert all(one.on <= found.on for one in known)


@given(histories(), st.sampled_from(BASES), DAYS, st.integers(1, 1_000))
def test_a_later_price_changes_no_earlier_answer(prices, basis, day, wait):
    """What was asked of a day stays the answer when a price of a later day comes in."""
    later = price(basis, 1.0, day + timedelta(days=wait))
    if (basis, later.on) in {(one.basis, one.on) for one in prices} or not any(
        one.basis == basis and one.on <= day for one in prices
    ):
        return

    before = gpu(prices=prices).price(basis, on=day)

    assert before == gpu(prices=(*prices, later)).price(basis, on=day)


@given(histories().filter(len), st.randoms())
def test_order_of_prices_is_irrelevant(prices, random):
    """Prices may stand in any order in a file."""
    shuffled = list(prices)
    random.shuffle(shuffled)
    last = max(one.on for one in prices)

    for basis in {one.basis for one in prices}:
        assert gpu(prices=prices).price(basis, on=last) == gpu(prices=tuple(shuffled)).price(basis, on=last)


@pytest.mark.parametrize(("basis", "per"), [("list", "card hour"), ("street", "card hour"), ("rental", "card")])
def test_a_card_is_bought_and_its_hour_is_rented(basis, per):
    """A basis and what it buys agree."""
    with pytest.raises(InvalidValueError, match=r"per: must be 'card"):
        GpuPrice(basis=basis, price="1 USD", per=per, on=date(2026, 1, 1), source=own.SOURCE)


def test_two_prices_of_a_basis_on_one_day_are_refused():
    """Which of the two holds cannot be guessed."""
    twice = (price("list", 1, date(2026, 1, 1)), price("list", 2, date(2026, 1, 1)))

    with pytest.raises(InvalidValueError, match="prices: must hold one list price on a day"):
        gpu(prices=twice)


@pytest.mark.parametrize(
    "field",
    ["fp4_flops_per_s", "int8_ops_per_s", "fp32_flops_per_s", "interconnect_bytes_per_s"],
)
def test_figures_are_positive_or_unknown(field):
    """A figure that is not stated is None, and zero is refused."""
    assert getattr(gpu(), field) is None

    with pytest.raises(InvalidValueError, match=field):
        gpu(**{field: 0})


@pytest.mark.parametrize("field", ["released", "on"])
def test_days_are_dates(field):
    """A day as text is refused."""
    record = gpu() if field == "released" else price("list", 1, date(2026, 1, 1))

    with pytest.raises(InvalidValueError, match=field):
        attrs.evolve(record, **{field: "2026-01-01"})


def test_prices_are_read_from_plain_data():
    """A file states prices beside the figures, and names their sources once."""
    document = {
        "sources": {"s": {"title": "T", "checked": date(2026, 1, 1)}},
        "gpus": [
            {
                "key": "g", "name": "G", "vendor": "V", "source": "s",
                "memory_bytes": 1, "memory_bandwidth_bytes_per_s": 1, "tdp_w": 1, "released": date(2025, 1, 1),
                "prices": [{"basis": "rental", "price": "2.5 USD", "per": "card hour", "on": date(2025, 2, 1), "source": "s"}],
            }
        ],
    }  # fmt: skip

    (read,) = records_of(document, Gpu, table="gpus", title="t")

    assert read.released == date(2025, 1, 1)
    assert "2.5 USD" == str(read.price("rental", on=date(2025, 2, 1)).price)


def test_a_misspelt_basis_is_reported_with_its_path():
    """The report of a file names the place and the words that are allowed."""
    document = {
        "gpus": [
            {
                "key": "g", "name": "G", "vendor": "V", "source": {"title": "T", "checked": date(2026, 1, 1)},
                "memory_bytes": 1, "memory_bandwidth_bytes_per_s": 1, "tdp_w": 1,
                "prices": [
                    {"basis": "msrp", "price": "1 USD", "per": "card", "on": date(2025, 2, 1),
                     "source": {"title": "T", "checked": date(2026, 1, 1)}},
                ],
            }
        ],
    }  # fmt: skip

    with pytest.raises(ProblemsError, match=r"prices\[0\]\.basis: must be one of 'list', 'street', 'rental'"):
        records_of(document, Gpu, table="gpus", title="t")
