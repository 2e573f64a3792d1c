"""Workloads read off request logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llm_tco.demand import Lengths, Workload
from llm_tco.errors import InvalidValueError, ProblemsError
from llm_tco.finance.discounting import FloatArray, real_array
from llm_tco.units import HOURS_PER_MONTH, SECONDS_PER_HOUR
from llm_tco.usage.tables import read_table, take_columns, to_numbers, to_seconds


def workload_of(
    seconds: npt.ArrayLike,
    input_tokens: npt.ArrayLike,
    output_tokens: npt.ArrayLike,
    *,
    window_s: float = 60.0,
    kinds: int = 16,
    **changes: Any,
) -> Workload:
    """Describe requests as a workload.

    The log is taken to be typical: its rate goes on for a month. Requests are sorted by
    their prompt and cut into equally many kinds, each of which has the mean lengths of its
    requests, so that the mean of both kinds of token is that of the log.

    Args:
        seconds: When each request came, in any order, shape `(n,)`. [s]
        input_tokens: Prompt tokens of each, shape `(n,)`.
        output_tokens: Generated tokens of each, shape `(n,)`.
        window_s: Length of the windows whose busiest gives the peak. [s]
        kinds: Kinds of request in the distribution of lengths.
        changes: Further fields of the workload, or others in their place.

    Raises:
        InvalidValueError: Fewer than two requests, or no time between them.

    >>> workload = workload_of([0, 60, 61, 120], [10, 20, 30, 40], [1, 1, 1, 1], kinds=2)
    >>> workload.lengths.input_tokens.tolist()
    [15.0, 35.0]
    """
    times = real_array(seconds, "seconds")
    tokens = np.stack([real_array(input_tokens, "input_tokens"), real_array(output_tokens, "output_tokens")])
    if times.ndim != 1 or times.size < 2 or tokens.shape[1:] != times.shape:
        raise InvalidValueError("seconds", "must hold at least two requests, and one number of each for every request")
    span = float(np.ptp(times))
    if span <= 0:
        raise InvalidValueError("seconds", "must lie apart; all requests came at one moment")
    rate_per_s = (times.size - 1) / span
    order = np.lexsort((tokens[1], tokens[0]))
    groups = np.array_split(order, min(kinds, times.size))
    rows = [[*tokens[:, group].mean(axis=1), group.size] for group in groups]
    fields: dict[str, Any] = {
        "requests_per_month": rate_per_s * HOURS_PER_MONTH * SECONDS_PER_HOUR,
        "lengths": Lengths.of_table(rows),
        "peak_to_mean": peak_to_mean(times, window_s),
    }
    return Workload(**{**fields, **changes})


def peak_to_mean(seconds: FloatArray, window_s: float) -> float:
    """Give the requests of the busiest window over those of a mean one.

    Windows follow each other from the first request on; only whole ones count.

    Args:
        seconds: When each request came, shape `(n,)`. [s]
        window_s: Length of a window. [s]

    Raises:
        InvalidValueError: The log does not fill one window.
    """
    since = seconds - seconds.min()
    whole = int(since.max() // window_s)
    if whole < 1:
        raise InvalidValueError("window_s", f"must fit into the {since.max():g} s of the log, got {window_s:g}")
    counts = np.bincount((since // window_s).astype(np.int64))[:whole]
    return float(counts.max() / counts.mean())


def read_log(
    path: str | Path, *, time: str, input_tokens: str, output_tokens: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Read times and tokens from a CSV file with a header.

    Args:
        path: The file.
        time: Name of the column of times: seconds, or days and times in ISO 8601, all with a zone or all without.
        input_tokens: Name of the column of prompt tokens.
        output_tokens: Name of the column of generated tokens.

    Returns:
        Seconds, since the first row where times are in ISO 8601, prompt tokens and generated tokens, each of shape `(n,)`.

    Raises:
        ProblemsError: One report with the rows that cannot be read.
    """
    title, names = str(path), (time, input_tokens, output_tokens)
    table = read_table(path)
    take_columns(table, names, title=title)  # refuses those that are missing
    found: list[FloatArray] = []
    problems: list[str] = []
    for name, read in zip(names, (to_seconds, to_numbers, to_numbers), strict=True):
        try:
            found.append(read(table[name], name, title=title))
        except ProblemsError as error:
            problems += error.problems
    if problems:
        raise ProblemsError(title, problems)
    seconds, prompts, answers = found
    return seconds, prompts, answers
