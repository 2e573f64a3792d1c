"""Finance on arrays, with no LLM in it: the last axis is time, leading axes broadcast."""

from llm_tco.finance.depreciation import straight_line
from llm_tco.finance.discounting import annual_rate, discount_factors, from_nominal, monthly_rate, npv
from llm_tco.finance.returns import (
    Irr,
    discounted_payback,
    irr,
    irr_report,
    payback,
    profitability_index,
    roi,
)

__all__ = [
    "Irr",
    "annual_rate",
    "discount_factors",
    "discounted_payback",
    "from_nominal",
    "irr",
    "irr_report",
    "monthly_rate",
    "npv",
    "payback",
    "profitability_index",
    "roi",
    "straight_line",
]
