"""Units, named once: how long a month is, and how many tokens a price is for."""

from __future__ import annotations

from typing import Final

MONTHS_PER_YEAR: Final = 12
HOURS_PER_YEAR: Final = 8_760.0
"""Hours in a year of 365 days. [h]"""
HOURS_PER_MONTH: Final = HOURS_PER_YEAR / MONTHS_PER_YEAR
"""Hours in a month, one twelfth of a year: 730. [h]"""
HOURS_PER_WEEK: Final = 168
SECONDS_PER_HOUR: Final = 3_600.0
WATTS_PER_KILOWATT: Final = 1_000.0
TOKENS_PER_MTOK: Final = 1_000_000
"""Tokens that a price per million tokens is for."""
