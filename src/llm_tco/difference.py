"""What changed between two scenarios, in money: price, volume, exchange rate and assumptions.

Scenarios between the two are evaluated, in which some causes are as before and others as
after. What a cause explains is what its change adds, on average over every order in which
the causes could have changed (L. S. Shapley, A Value for n-Person Games, 1953). So the parts
sum to the whole, and no order is favoured.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.plugins import load_catalog
from llm_tco.errors import CurrencyError, InfeasibleError, InvalidValueError, LlmTcoError
from llm_tco.lock import Lookups, lock_path, read_lock
from llm_tco.money import Money
from llm_tco.scenario import Scenario, lookups_of, read_document, read_scenario

CAUSES: Final = ("price", "volume", "exchange rate", "assumptions")
"""What a difference is split into."""

_PLACES: Final[Mapping[str, str]] = {
    "fx": "exchange rate",
    "prices": "price",
    "servers": "price",
    "sources": "price",
    "tariffs": "price",
    "workload": "volume",
}
_PRICED: Final = frozenset({"price", "server", "tariff"})
"""Fields that hold a record of prices, and kinds of these records."""

_FIGURES: Final = ("tco", "npv_cost")


@attrs.frozen(kw_only=True)
class Change:
    """How one figure of an option changed.

    Attributes:
        before: In the first scenario. [currency]
        after: In the second one. [currency]
        causes: What each cause explains; they sum to the difference. [currency]
    """

    before: float
    after: float
    causes: Mapping[str, float]


@attrs.frozen(kw_only=True)
class Difference:
    """What changed between two scenarios.

    Attributes:
        currency: Currency of every amount.
        options: For each option of both, how its figures `tco` and `npv_cost` changed.
        only_before: Options of the first scenario alone.
        only_after: Options of the second one alone.
        orders: How many of the possible orders of the causes could be evaluated, and how
            many there are: a scenario between the two may make no sense.
    """

    currency: str
    options: Mapping[str, Mapping[str, Change]]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    orders: tuple[int, int]


@attrs.frozen(kw_only=True, eq=False)
class _Side:
    document: dict[str, Any]
    lookups: Lookups
    scenario: Scenario


def difference(before: str | Path, after: str | Path, *, catalog: Catalog | None = None) -> Difference:
    """Split the difference between the results of two scenario files.

    The causes are *price* (records of prices, servers and tariffs, what names or states
    them, and every amount of money), *volume* (the workload), *exchange rate*, and
    *assumptions* (everything else, measured throughputs included).
    Each file's lock is used where it has one.

    Args:
        before: The first file.
        after: The second one.
        catalog: Where records are looked up; without one, every installed plugin.

    Raises:
        ProblemsError: One of the files cannot be read.
        CurrencyError: The results are in different currencies.
        InfeasibleError: No order of the causes can be evaluated.
    """
    every = load_catalog() if catalog is None else catalog
    sides = tuple(_side(Path(file), every) for file in (before, after))
    first, last = (side.scenario for side in sides)
    if first.currency != last.currency:
        raise CurrencyError(
            f"results in {first.currency} and in {last.currency} have no difference; give both one currency"
        )
    return _Split(sides[0], sides[1], every).read()


def _side(file: Path, catalog: Catalog) -> _Side:
    beside = lock_path(file)
    lookups = read_lock(beside) if beside.is_file() else lookups_of(file, catalog=catalog)
    document = read_document(file)
    return _Side(
        document=document,
        lookups=lookups,
        scenario=read_scenario(document, title=file.name, catalog=catalog, lock=lookups),
    )


class _Split:
    """Evaluates what lies between two scenarios, each mixture once."""

    def __init__(self, before: _Side, after: _Side, catalog: Catalog) -> None:
        self.before, self.after, self.catalog = before, after, catalog
        self.known: dict[frozenset[str], dict[str, dict[str, float]] | None] = {}

    def read(self) -> Difference:
        first, last = self.figures(frozenset()), self.figures(frozenset(CAUSES))
        if first is None or last is None:  # pragma: no cover - both were read before
            raise InfeasibleError("one of the two scenarios cannot be evaluated")
        orders = [order for order in itertools.permutations(CAUSES) if self._valid(order)]
        both = [name for name in first if name in last]
        if not orders:
            raise InfeasibleError(
                "no scenario between the two makes sense, so the difference cannot be split: "
                + "; ".join(f"{name} {last[name]['tco'] - first[name]['tco']:+,.2f}" for name in both)
            )
        return Difference(
            currency=self.before.scenario.currency,
            options={name: {figure: self._change(name, figure, orders) for figure in _FIGURES} for name in both},
            only_before=tuple(name for name in first if name not in last),
            only_after=tuple(name for name in last if name not in first),
            orders=(len(orders), len(list(itertools.permutations(CAUSES)))),
        )

    def figures(self, changed: frozenset[str]) -> dict[str, dict[str, float]] | None:
        """Give the figures of each option where some causes are as after; None where that makes no sense."""
        if changed not in self.known:
            try:
                self.known[changed] = self._evaluated(changed)
            except LlmTcoError:
                if changed in (frozenset(), frozenset(CAUSES)):
                    raise
                self.known[changed] = None
        return self.known[changed]

    def _evaluated(self, changed: frozenset[str]) -> dict[str, dict[str, float]]:
        lookups = {**self.after.lookups, **self.before.lookups}
        lookups |= {
            asked: answers
            for asked, answers in self.after.lookups.items()
            if ("price" if asked.kind in _PRICED else "assumptions") in changed
        }
        document = _mixed(self.before.document, self.after.document, (), changed)
        comparison = read_scenario(document, title="between the two", catalog=self.catalog, lock=lookups).compare()
        return {
            name: {figure: float(getattr(option, figure)) for figure in _FIGURES}
            for name, option in comparison.options.items()
        }

    def _valid(self, order: tuple[str, ...]) -> bool:
        return all(self.figures(frozenset(order[:place])) is not None for place in range(len(order) + 1))

    def _change(self, option: str, figure: str, orders: list[tuple[str, ...]]) -> Change:
        causes = dict.fromkeys(CAUSES, 0.0)
        for order in orders:
            for place, cause in enumerate(order):
                steps = (self._figure(order[:place], option, figure), self._figure(order[: place + 1], option, figure))
                causes[cause] += (steps[1] - steps[0]) / len(orders)
        return Change(
            before=self._figure((), option, figure), after=self._figure(CAUSES, option, figure), causes=causes
        )

    def _figure(self, changed: tuple[str, ...], option: str, figure: str) -> float:
        found = self.figures(frozenset(changed))
        return 0.0 if found is None else found.get(option, {}).get(figure, 0.0)


def _mixed(before: Any, after: Any, path: tuple[str, ...], changed: frozenset[str]) -> Any:
    """Mix two documents: what has a changed cause is as after, the rest as before."""
    if isinstance(before, dict) and isinstance(after, dict) and before.get("kind") == after.get("kind"):
        mixed = {}
        for key in {**before, **after}:
            place = (*path, key)
            if key in before and key in after:
                mixed[key] = _mixed(before[key], after[key], place, changed)
            elif (key in after) == (_cause(place, (before | after)[key]) in changed):
                mixed[key] = (before | after)[key]
        return mixed
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [_mixed(one, other, (*path, str(place)), changed)
                for place, (one, other) in enumerate(zip(before, after, strict=True))]  # fmt: skip
    return after if _cause(path, after) in changed else before


def _cause(path: tuple[str, ...], value: object) -> str:
    if path[:1] and path[0] in _PLACES:
        return _PLACES[path[0]]
    if not _PRICED.isdisjoint(path[2:]):  # before them stand a table and a name that somebody chose
        return "price"
    try:
        Money.parse(value)  # type: ignore[arg-type]  # anything but a text is refused
    except InvalidValueError:
        return "assumptions"
    return "price"
