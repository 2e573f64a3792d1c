"""The percentages of the Modified Accelerated Cost Recovery System of the United States.

Source: Internal Revenue Service, Publication 946, How To Depreciate Property, Appendix A,
tables A-1 (half-year convention) and A-2 to A-5 (mid-quarter convention, placed in service in
the first to the fourth quarter), https://www.irs.gov/publications/p946. Property of 3, 5, 7
and 10 years declines by 200 %, of 15 and 20 years by 150 %, both with a switch to the
straight line. Each row sums to 100.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from llm_tco.errors import InvalidValueError, suggest
from llm_tco.finance.discounting import FloatArray, real_array, whole_number

# fmt: off
HALF_YEAR: Final[dict[int, tuple[float, ...]]] = {
    3: (33.33, 44.45, 14.81, 7.41),
    5: (20.00, 32.00, 19.20, 11.52, 11.52, 5.76),
    7: (14.29, 24.49, 17.49, 12.49, 8.93, 8.92, 8.93, 4.46),
    10: (10.00, 18.00, 14.40, 11.52, 9.22, 7.37, 6.55, 6.55, 6.56, 6.55, 3.28),
    15: (5.00, 9.50, 8.55, 7.70, 6.93, 6.23, 5.90, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 2.95),
    20: (3.750, 7.219, 6.677, 6.177, 5.713, 5.285, 4.888, 4.522, 4.462, 4.461, 4.462,
         4.461, 4.462, 4.461, 4.462, 4.461, 4.462, 4.461, 4.462, 4.461, 2.231),
}
"""Table A-1, by recovery period in years. [percent of the basis]"""

MID_QUARTER: Final[dict[int, dict[int, tuple[float, ...]]]] = {
    1: {
        3: (58.33, 27.78, 12.35, 1.54),
        5: (35.00, 26.00, 15.60, 11.01, 11.01, 1.38),
        7: (25.00, 21.43, 15.31, 10.93, 8.75, 8.74, 8.75, 1.09),
        10: (17.50, 16.50, 13.20, 10.56, 8.45, 6.76, 6.55, 6.55, 6.56, 6.55, 0.82),
        15: (8.75, 9.13, 8.21, 7.39, 6.65, 5.99, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 5.90, 0.74),
        20: (6.563, 7.000, 6.482, 5.996, 5.546, 5.130, 4.746, 4.459, 4.459, 4.459, 4.459,
             4.460, 4.459, 4.460, 4.459, 4.460, 4.459, 4.460, 4.459, 4.460, 0.565),
    },
    2: {
        3: (41.67, 38.89, 14.14, 5.30),
        5: (25.00, 30.00, 18.00, 11.37, 11.37, 4.26),
        7: (17.85, 23.47, 16.76, 11.97, 8.87, 8.87, 8.87, 3.34),
        10: (12.50, 17.50, 14.00, 11.20, 8.96, 7.17, 6.55, 6.55, 6.56, 6.55, 2.46),
        15: (6.25, 9.38, 8.44, 7.59, 6.83, 6.15, 5.91, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 2.21),
        20: (4.688, 7.148, 6.612, 6.116, 5.658, 5.233, 4.841, 4.478, 4.463, 4.463, 4.463,
             4.463, 4.463, 4.463, 4.462, 4.463, 4.462, 4.463, 4.462, 4.463, 1.673),
    },
    3: {
        3: (25.00, 50.00, 16.67, 8.33),
        5: (15.00, 34.00, 20.40, 12.24, 11.30, 7.06),
        7: (10.71, 25.51, 18.22, 13.02, 9.30, 8.85, 8.86, 5.53),
        10: (7.50, 18.50, 14.80, 11.84, 9.47, 7.58, 6.55, 6.55, 6.56, 6.55, 4.10),
        15: (3.75, 9.63, 8.66, 7.80, 7.02, 6.31, 5.90, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 3.69),
        20: (2.813, 7.289, 6.742, 6.237, 5.769, 5.336, 4.936, 4.566, 4.460, 4.460, 4.460,
             4.460, 4.461, 4.460, 4.461, 4.460, 4.461, 4.460, 4.461, 4.460, 2.788),
    },
    4: {
        3: (8.33, 61.11, 20.37, 10.19),
        5: (5.00, 38.00, 22.80, 13.68, 10.94, 9.58),
        7: (3.57, 27.55, 19.68, 14.06, 10.04, 8.73, 8.73, 7.64),
        10: (2.50, 19.50, 15.60, 12.48, 9.98, 7.99, 6.55, 6.55, 6.56, 6.55, 5.74),
        15: (1.25, 9.88, 8.89, 8.00, 7.20, 6.48, 5.90, 5.90, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 5.90, 5.17),
        20: (0.938, 7.430, 6.872, 6.357, 5.880, 5.439, 5.031, 4.654, 4.458, 4.458, 4.458,
             4.458, 4.458, 4.458, 4.458, 4.458, 4.458, 4.459, 4.458, 4.459, 3.901),
    },
}
"""Tables A-2 to A-5, by quarter placed in service and recovery period in years. [percent of the basis]"""
# fmt: on


def macrs_schedule(cost: npt.ArrayLike, recovery_years: int, quarter: int | None = None) -> FloatArray:
    """Give the tax depreciation of every year under the general system of MACRS.

    It takes no salvage: the basis is written off to 0.

    Args:
        cost: Basis, shape `(...)`. [currency]
        recovery_years: Recovery period: 3, 5, 7, 10, 15 or 20. Computers have 5.
        quarter: Quarter in which the asset is placed in service, 1 to 4, for the mid-quarter
            convention; the half-year convention where not given.

    Returns:
        Depreciation of each tax year, shape `(..., recovery_years + 1)`. [currency]

    Raises:
        InvalidValueError: A cost below 0, or a period or quarter that no table has.

    >>> macrs_schedule(100.0, 5).round(2).tolist()
    [20.0, 32.0, 19.2, 11.52, 11.52, 5.76]
    """
    season = None if quarter is None else whole_number(quarter, "quarter")
    if season is not None and season not in MID_QUARTER:
        raise InvalidValueError("quarter", f"must be 1, 2, 3 or 4, got {quarter!r}")
    table = HALF_YEAR if season is None else MID_QUARTER[season]
    years = whole_number(recovery_years, "recovery_years")
    if years not in table:
        known = suggest(str(years), map(str, table))
        raise InvalidValueError("recovery_years", f"no table for {years} years{known}")
    basis = real_array(cost, "cost")
    if (basis < 0).any():
        raise InvalidValueError("cost", f"must be at least 0, got {basis.min():g}")
    return np.asarray(basis[..., None] * (np.array(table[years]) / 100.0))
