"""What the audit reads: the scenario files in `examples/seeds`, and the catalog."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco import (
    Catalog,
    Comparison,
    Component,
    Fleet,
    Purchase,
    Scenario,
    Stack,
    Timeline,
    load_catalog,
    load_scenario,
)
from llm_tco.analysis.compare import BreakEven, Investment
from llm_tco.finance import roi

DOCS = Path(__file__).parent.parent
SEEDS = DOCS.parent / "examples" / "seeds"

Number = float | npt.NDArray[np.float64]

COST = "`成本分析与优化`, section 10.5"
LOCAL = "`一、云端LLM服务的隐性成本陷阱`"


@attrs.frozen
class Figures:
    """Numbers and the sentence that shows them.

    Attributes:
        text: The sentence, with a replacement field for each number.
        values: The numbers.
    """

    text: str
    values: tuple[float, ...]

    def __str__(self) -> str:
        return re.sub(r"(?<=\d)%", " %", self.text.format(*self.values))


@attrs.frozen(kw_only=True)
class Row:
    """One figure of a document, audited.

    Attributes:
        section: Heading under which it stands.
        key: Short name, for tests.
        item: What the figure is about.
        seed: What the document prints.
        own: What its own inputs give.
        library: What the library says with everything counted.
        why: Why they differ, or that they agree.
    """

    section: str
    key: str
    item: str
    seed: str
    own: Figures
    library: Figures
    why: str


def figures(text: str, *values: Number) -> Figures:
    """Bind numbers to the sentence that shows them."""
    return Figures(text, tuple(float(value) for value in values))


@functools.cache
def catalog() -> Catalog:
    """Load every installed plugin once."""
    return load_catalog()


@functools.cache
def scenario(name: str) -> Scenario:
    """Read one of the scenario files."""
    return load_scenario(SEEDS / f"{name}.toml", catalog=catalog())


@functools.cache
def result(name: str) -> Comparison:
    """Run one of the scenario files."""
    return scenario(name).compare()


def against_nothing(name: str, option: str) -> Investment:
    """Give the case of an option against changing nothing."""
    return result(name).investment(option, instead_of="nothing")


def first_year(case: Investment) -> float:
    """Give the return on investment after one year."""
    return float(roi(case.flows[:13]))


def known(value: Number | None) -> float:
    """Refuse a figure that is not there."""
    if value is None:
        raise ValueError("the library gives no such figure")
    return float(value)


def parts(name: str, option: str) -> tuple[Component, ...]:
    """Give the costs of an option, as objects."""
    stack = scenario(name).options[option]
    if not isinstance(stack, Stack):
        raise TypeError(f"{name}.{option} is no list of costs")
    return stack.parts


def fleet(name: str, option: str) -> Fleet:
    """Give the fleet that an option buys."""
    for part in parts(name, option):
        if isinstance(part, Purchase) and part.fleet is not None:
            return part.fleet
    raise TypeError(f"{name}.{option} buys no fleet")


def list_price(server: str) -> float:
    """Sum a server's bill of materials."""
    price = catalog().server(server).price
    if price is None:
        raise ValueError(f"{server} has no price")
    return float(price.value)


def even(name: str, option: str) -> BreakEven:
    """Give when own hardware overtakes the API."""
    return result(name).break_even(option, "cloud")


def break_even_months(option: str) -> str:
    """Say in which month own hardware overtakes the API, for the two larger teams."""
    months = [even(name, option).month for name in ("medium", "enterprise")]
    return "; ".join("never" if month is None else f"month {month}" for month in months)


def capacity(name: str, option: str) -> float:
    """Give the requests a month that one server of an option can carry."""
    timeline = Timeline(start=scenario(name).start, months=1)
    plan = fleet(name, option).size(scenario(name).workload.on(timeline))
    return float(plan.demand.requests[1] * plan.capacity_hours[1] / plan.busy_hours[1] / plan.active[1])
