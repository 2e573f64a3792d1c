"""The range in which each figure of a record is plausible, with the reason of each.

Bounds are wide. They catch slips of units and of decimal points (a bandwidth in gigabytes, a
price per token in the place of one per million), not figures that are merely surprising.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

import attrs


@attrs.frozen(eq=False)
class Bound:
    """The range in which a figure is plausible.

    Attributes:
        kind: Kind of record.
        field: Path of the field without positions; `*` stands for any text.
        low: Least plausible value.
        high: Greatest one.
        unit: Unit of both; where it begins with `USD` they are laid on the figure's currency.
        reason: Why nothing lies outside.
        zero: Whether 0 is plausible as well.
        per: For a price that says what it is for: a pattern of that.
    """

    kind: str
    field: str
    low: float
    high: float
    unit: str
    reason: str
    zero: bool = attrs.field(default=False, kw_only=True)
    per: str = attrs.field(default="", kw_only=True)

    @property
    def money(self) -> bool:
        """Whether the bounds are amounts of money."""
        return self.unit.startswith("USD")

    @functools.cache  # noqa: B019 - bounds are a table that lives as long as the process
    def within(self, currency: str) -> tuple[float, float] | None:
        """Give both bounds in a currency, or None where its worth is not known here."""
        if not self.money or currency == "USD":
            return self.low, self.high
        if currency not in UNITS_PER_USD:
            return None
        low, high = self.low * UNITS_PER_USD[currency], self.high * UNITS_PER_USD[currency]
        return low * DRIFT if low < 0 else low / DRIFT, high * DRIFT

    def text(self, currency: str = "") -> str:
        """Write the range as a person would."""
        low, high = self.within(currency) or (self.low, self.high)
        unit = self.unit.replace("USD", currency) if currency else self.unit
        nothing = "0 or " if self.zero and low > 0 else ""
        return f"{nothing}{low:.6g} to {high:.6g} {unit}".strip()


_CARD_HOUR: Final = "an hour of the oldest card costs cents, and no hour of one card 100 USD"
_WATTS: Final = "no card draws 3 kW"
_RACK: Final = "no rack draws 500 kW"
_COUNTED: Final = "parameters are counted one by one, not in billions"
_SCORE: Final = "scores are shares, percents or Elo points"

BOUNDS: Final = (
    Bound("gpu", "tdp_w", 1, 3e3, "W", "the smallest stick draws 1 W, and " + _WATTS),
    Bound("gpu", "*_w", 0, 3e3, "W", _WATTS),
    Bound("gpu", "memory_bytes", 1e9, 1e12, "B", "a model needs 1 GB, and no card holds 1 TB"),
    Bound("gpu", "memory_bandwidth*", 1e10, 3e13, "B/s", "one channel of DDR4 gives 10 GB/s, no stack of HBM 30 TB/s"),
    Bound("gpu", "*bytes_per_s", 1e8, 1e14, "B/s", "links lie between one lane and a rack's switch"),
    Bound("gpu", "*ops_per_s", 1e10, 1e18, "1/s", "less lacks the factor of 1e12, more is a whole rack's"),
    Bound("gpu", "*price*", 0.02, 100, "USD/h", _CARD_HOUR, per="hour"),
    Bound("gpu", "*price*", 10, 1e6, "USD", "no card is given away or costs a million"),
    Bound("gpu", "*", 0, 1e12, "", "counts of units and links, and sizes of caches"),
    Bound("server", "gpus", 1, 1024, "", "a server is a machine or a rack"),
    Bound("server", "peak_w", 1, 5e5, "W", _RACK),
    Bound("server", "*_w", 0, 5e5, "W", _RACK),
    Bound("server", "parts.quantity", 1, 1e5, "", "parts of one server"),
    Bound("server", "*per_hour*", 0.01, 1e4, "USD/h", "a rack of 72 cards stays below"),
    Bound("server", "*price*", 0, 2e7, "USD", "a rack of 72 cards costs a few million dollars"),
    Bound("server", "*", 0, 1e6, "", "rack units, ports and years"),
    Bound("model", "*parameters", 1e5, 1e14, "", _COUNTED),
    Bound("model", "*score*", -1e4, 1e4, "", _SCORE),
    Bound("model", "*quality*", -1e4, 1e4, "", _SCORE),
    Bound("model", "*", 0, 1e9, "", "layers, heads, widths and contexts are counted one by one"),
    Bound("throughput", "gpus", 1, 1024, "", "one replica"),
    Bound("throughput", "*tokens_per_s", 1e-3, 1e8, "1/s", "slower than a token in 15 minutes, or faster than a rack"),
    Bound("throughput", "*requests_per_s", 1e-6, 1e6, "1/s", "slower than one in 11 days, or faster than a rack"),
    Bound("throughput", "*", 0, 1e9, "", "lengths, streams and times of one measurement"),
    Bound("model_score", "*", 0, 1e4, "", _SCORE),
    Bound(
        "quantisation_loss", "loss", -0.5, 1, "", "a ratio, not percent, and no format makes a model half as good again"
    ),
    Bound("task_need", "minimum_score", 0, 1e4, "", _SCORE),
    Bound("task_need", "least_parameters", 1e5, 1e14, "", _COUNTED),
    Bound("memory_claim", "gpus", 1, 1024, "", "one replica"),
    Bound("memory_claim", "memory_bytes", 1e7, 1e15, "B", "less is stated in gigabytes, and no rack has more"),
    Bound("price", "*tokens*", 0, 1e15, "tokens", "what the largest customer uses in a month"),
    Bound("price", "*per_request", 1e-8, 100, "USD", "no answer costs 100 USD before its tokens", zero=True),
    Bound("price", "*commit*", 0, 1e10, "USD", "no contract on tokens is larger"),
    Bound("price", "*share*", -1, 1, "", "a ratio, not percent"),
    Bound("price", "*discount*", -1, 1, "", "a ratio, not percent"),
    Bound("price", "*", 1e-5, 5e3, "USD/Mtok", "less is a price per token, more one per billion tokens", zero=True),
    Bound("tariff", "*carbon*", 0, 3, "kg/kWh", "lignite emits a little more than 1 kg"),
    Bound("tariff", "*per_kwh*", -1, 10, "USD/kWh", "exchanges pay at times; more is a price per MWh"),
    Bound("tariff", "*demand*", 0, 1e3, "USD/kW", "a charge by the kilowatt"),
    Bound("tariff", "*price*", -1, 10, "USD/kWh", "exchanges pay at times; more is a price per MWh"),
    Bound("tariff", "*", -1, 1e4, "", "hours, days, months and ratios"),
    Bound(
        "service_price", "*", 0.02, 100, "USD", _CARD_HOUR, per="(gpu|card|accelerator).*hour|hour.*(gpu|card|accel)"
    ),
    Bound("service_price", "*", 0, 1e8, "USD", "services are bought by the piece"),
)
"""What is plausible; of the bounds of a kind the first whose field and purpose fit counts."""

UNITS_PER_USD: Final[Mapping[str, float]] = {
    "AUD": 1.51, "BRL": 4.99, "CAD": 1.35, "CHF": 0.898, "CNY": 7.08, "DKK": 6.89, "EUR": 0.924, "GBP": 0.804,
    "HKD": 7.83, "INR": 82.6, "JPY": 140.5, "KRW": 1307.0, "MXN": 17.7, "MYR": 4.56, "NOK": 10.6, "NZD": 1.63,
    "SEK": 10.6, "SGD": 1.34, "THB": 34.8, "TWD": 31.2, "ZAR": 18.5,
}  # fmt: skip
"""What one US dollar was worth in the mean of 2023: to lay a range on a currency, never to convert a figure.

Source: Board of Governors of the Federal Reserve System, "Foreign Exchange Rates, G.5A
Annual", release of 2024-02-01, https://federalreserve.gov/releases/g5a/20240201.
"""

DRIFT: Final = 1.5
"""Factor by which ranges in other currencies are wider at both ends, as exchange rates move."""


@functools.cache
def bounds_of(kind: str, path: str) -> tuple[Bound, ...]:
    """List the bounds of a field; the first whose purpose fits counts."""
    return tuple(bound for bound in BOUNDS if bound.kind == kind and fnmatchcase(path, bound.field))


@functools.cache
def bound_of(kind: str, path: str, per: str = "") -> Bound | None:
    """Give the bound of a field, or None for a kind without bounds.

    Args:
        kind: Kind of record.
        path: Path of the field, positions such as `[0]` left out.
        per: What the price is for, where its holder says it.
    """
    fitting = bounds_of(kind, path)
    return next((bound for bound in fitting if re.search(bound.per, per, re.IGNORECASE)), None)
