"""How the cost of an asset is spread over its life."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError
from llm_tco.finance.discounting import FloatArray, real_array


def straight_line(cost: npt.ArrayLike, salvage: npt.ArrayLike, periods: int) -> FloatArray:
    """Give the straight-line depreciation of every period.

    Args:
        cost: Historical cost, shape `(...)`. [currency]
        salvage: Value at the end of life, shape `(...)`. [currency]
        periods: Life in periods.

    Returns:
        `(cost - salvage) / periods` in each period, shape `(..., periods)`. [currency]

    Raises:
        InvalidValueError: Salvage above cost, or no period.
    """
    if periods < 1:
        raise InvalidValueError("periods", f"must be at least 1, got {periods}")
    base = real_array(cost, "cost") - real_array(salvage, "salvage")
    if (base < 0).any():
        raise InvalidValueError("salvage", "must be at most the cost")
    return np.repeat(base[..., None] / periods, periods, axis=-1)
