"""What a cache saves, and from which hit rate on: read from the ledgers with it and without it."""

from __future__ import annotations

from typing import Final, Protocol

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number
from llm_tco.analysis.compare import Comparison
from llm_tco.demand import Demand
from llm_tco.errors import InfeasibleError, InvalidValueError
from llm_tco.finance.discounting import summed
from llm_tco.ledger import Ledger

GRID: Final = 512
"""Parts into which the hit rates from 0 to 1 are cut at first: two crossings within one may go unseen."""

HALVINGS: Final = 42
"""How often a part with a crossing is halved: to 1 / 512 / 2^42 of a hit rate."""


class Cache(Protocol):
    """A component in front of another, with a hit rate."""

    @property
    def name(self) -> str:
        """First step of the paths of its own lines."""
        ...

    @property
    def hit_rate(self) -> Number:
        """Share of the requests that it answers, or whose prefix it holds."""
        ...

    def cost(self, demand: Demand) -> Ledger:
        """Say what it costs, with what stands behind it."""
        ...


@attrs.frozen(kw_only=True)
class CacheCase:
    """The case for a cache. A negative saving is a loss.

    Attributes:
        option: The option with the cache.
        instead_of: The option without it.
        saving: What it saves of the total cost, its own cost counted.
        saving_share: The same as a share of the total cost without it; None where that is 0.
        npv: Present value of what it saves.
        own_cost: What it costs itself: setup, upkeep, look-ups, and losses by wrong hits.
        roi: Saving over its own cost; None where it costs nothing.
        payback_months: Months until what was laid out for it up front has come back; None for
            never, and where nothing was.
        months_of_saving: Its own cost of a mean month over the saving of a mean month: the
            "payback" of a cache that is only paid by the month. None where it saves nothing.
        break_even_hit_rates: Hit rates at which the saving changes its sign, rising; between
            whole servers there may be several.
        comparable: Whether both options carry the whole load.
    """

    option: str
    instead_of: str
    saving: float
    saving_share: float | None
    npv: float
    own_cost: float
    roi: float | None
    payback_months: float | None
    months_of_saving: float | None
    break_even_hit_rates: tuple[float, ...]
    comparable: bool

    @property
    def break_even_hit_rate(self) -> float | None:
        """The lowest hit rate at which the saving changes its sign; None where there is none."""
        return self.break_even_hit_rates[0] if self.break_even_hit_rates else None


def cache_case(comparison: Comparison, option: str, *, instead_of: str) -> CacheCase:
    """Say what a cache saves, and from which hit rate on it does.

    Args:
        comparison: A comparison of at least the two options.
        option: Name of the option that is a cache, such as a `SemanticCache` or a `PromptCache`.
        instead_of: Name of the option without it.

    Raises:
        InvalidValueError: The option is no cache.
        InfeasibleError: The options hold draws.
    """
    with_it, without = comparison[option], comparison[instead_of]
    cache = _cache(with_it.component, option)
    if with_it.has_draws or without.has_draws:
        raise InfeasibleError("a case is read from one scenario, not from draws; ask for it draw by draw")
    saving, share = comparison.saving(option, instead_of=instead_of)
    own = with_it.ledger.where(lambda line: line.path[0] == cache.name and line.category == "cache")
    own_cost = float(summed(comparison.terms.read(own, benefits=False)))
    case = comparison.investment(option, instead_of=instead_of)
    return CacheCase(
        option=option,
        instead_of=instead_of,
        saving=float(saving),
        saving_share=None if share is None else float(share),
        npv=case.npv,
        own_cost=own_cost,
        roi=float(saving) / own_cost if own_cost else None,
        payback_months=case.payback_months,
        months_of_saving=own_cost / float(saving) if saving > 0 else None,
        break_even_hit_rates=break_even_hit_rates(comparison, option, instead_of=instead_of),
        comparable=with_it.feasible and without.feasible,
    )


def break_even_hit_rates(comparison: Comparison, option: str, *, instead_of: str) -> tuple[float, ...]:
    """Give the hit rates at which a cache begins, or ceases, to save.

    Many hit rates are evaluated at once along a leading axis; a part at whose ends the saving
    has different signs is halved. The arguments are those of `cache_case`.
    """
    cache = _cache(comparison[option].component, option)
    demand, terms = comparison[option].demand, comparison.terms
    without = float(np.asarray(comparison[instead_of].tco))

    def saves(rates: FloatArray) -> np.ndarray:
        several: Cache = attrs.evolve(cache, hit_rate=rates)  # type: ignore[misc]  # an attrs class
        costs = summed(np.broadcast_to(terms.costs(terms.ledger(several, demand)), (rates.size, demand.timeline.size)))
        return np.asarray(without - costs > 0)

    grid = np.linspace(0.0, 1.0, GRID + 1)
    sign = saves(grid)
    change = np.flatnonzero(sign[1:] != sign[:-1])
    if not change.size:
        return ()
    low, high, before = grid[change], grid[change + 1], sign[change]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        same = saves(middle) == before
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return tuple(float(rate) for rate in (low + high) / 2)


def _cache(component: object, option: str) -> Cache:
    if not hasattr(component, "hit_rate") or not attrs.has(type(component)):
        raise InvalidValueError(
            "option", f"{option!r} is no cache: it has no hit_rate. Name an option whose kind is one"
        )
    return component  # type: ignore[return-value]  # looked at
