"""The plugins of this project together: no conflict is open, and known bills come out."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from llm_tco import load_catalog
from llm_tco.catalog.rates import Usage
from llm_tco.errors import ConflictingRecordsError

MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
NEEDED = {"llm-tco-cn", "llm-tco-genai-prices"}


@pytest.fixture(scope="module")
def catalog():
    """Load what is installed."""
    return load_catalog()


@pytest.fixture(scope="module")
def together(catalog):
    """Have the price lists that the bills below come from."""
    missing = NEEDED - {report.distribution for report in catalog.plugins}
    if missing:
        pytest.skip(f"not installed: {', '.join(sorted(missing))}")
    return catalog


def test_no_conflict_is_open(catalog):
    """Whatever record is asked for on the first day of its period, one answer is given."""
    open_ones = []
    for record in catalog.records:
        words = {"on": record.period.start or record.source.checked}
        try:
            if record.kind == "price":
                catalog.price(record.provider, record.model, variant=record.variant, region=record.region, **words)
            elif record.kind == "throughput":
                catalog.throughput(
                    record.gpu, record.model, record.quantisation, engine=record.engine, gpus=record.gpus
                )
            elif not hasattr(catalog, record.kind):
                catalog.record(type(record), *record.identity, **words)
            else:
                getattr(catalog, record.kind)(record.key, **words)
        except ConflictingRecordsError as error:
            open_ones.append(f"{record.title}: {error}")

    assert open_ones == []


@pytest.mark.parametrize(
    ("words", "moment", "bill"),
    [
        (("openai", "o3"), datetime(2025, 6, 1, 12, tzinfo=UTC), 50.0),
        (("openai", "o3"), datetime(2025, 7, 1, 12, tzinfo=UTC), 10.0),
        (("deepseek", "deepseek-v4-pro"), datetime(2026, 8, 1, 2, tzinfo=UTC), 1.305),
        (("deepseek", "deepseek-v4-pro"), datetime(2026, 11, 20, 2, tzinfo=UTC), 5.28),
        (("deepseek", "deepseek-v4-pro"), datetime(2026, 11, 21, 2, tzinfo=UTC), 2.64),
    ],
)
def test_a_million_tokens_in_and_out(together, words, moment, bill):
    """What was billed on a day is billed for that day: cut prices, and cheap hours at the weekend."""
    price = together.price(*words, on=moment.date())

    assert price.cost(MILLION, at=moment) == pytest.approx(bill, rel=1e-12)
    assert together.price(*words, on=moment).cost(MILLION, at=moment) == pytest.approx(bill, rel=1e-12)


def test_a_token_beyond_the_tier(together):
    """Gemini 2.5 Pro doubles its price of the whole request above 200,000 input tokens, exactly."""
    price = together.price("google", "gemini-2.5-pro", on=date(2026, 11, 1))
    at, above = (Usage(input_tokens=tokens, output_tokens=1_000) for tokens in (200_000, 200_001))

    assert str(price.cost(at, exact=True).normalize()) == "0.26"
    assert str(price.cost(above, exact=True).normalize()) == "0.5150025"


def test_a_vendor_wins_beside_a_general_list(together):
    """The vendor's own sheet answers, and the approximate row of the general list does not."""
    price = together.price("deepseek", "deepseek-v4-pro", on=date(2026, 11, 21))

    assert price.origin.plugin == "llm-tco-cn"
    assert together.price("deepseek", "deepseek-v4-pro", on=date(2026, 11, 21), plugin="llm-tco-genai-prices")
