"""What a router costs and what it gives: quality beside cost, and savings against named baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number
from llm_tco.analysis.compare import Comparison, Option
from llm_tco.components.answers import ANSWER_SECONDS, RIGHT_ANSWERS, UNDER_SERVED
from llm_tco.components.base import Component
from llm_tco.components.router import Route, Router
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError, suggest
from llm_tco.finance.discounting import as_float, summed

_EQUAL = 1e-12
"""Share of a cost by which another one may differ and be the same: rounding errors are no saving."""

RANDOM = "random at the same share"
"""Name of the baseline that sends as many requests to each route, whichever they are."""


class Way(Protocol):
    """A route of a router."""

    @property
    def target(self) -> Component:
        """What answers."""
        ...

    @property
    def quality_of_all(self) -> Number | None:
        """Share of right answers if every request were sent there."""
        ...

    @property
    def latency_s(self) -> Number | None:
        """Mean time until an answer. [s]."""
        ...

    @property
    def max_requests_per_s(self) -> Number | None:
        """Requests a second that it takes at most. [1/s]."""
        ...


class Routing(Protocol):
    """A router of any policy."""

    @property
    def routes(self) -> Mapping[str, Way]:
        """Its routes by name."""
        ...

    def parts(self, demand: Demand) -> dict[str, Demand]:
        """Say which requests each route answers."""
        ...


@attrs.frozen(kw_only=True, eq=False)
class Answers:
    """What an option gives for its cost. With draws, figures are arrays of shape `(...)`.

    Attributes:
        cost: Total cost of ownership.
        quality: Share of right answers among the requests; None where it is unknown.
        right_answers: Right answers over the horizon; likewise.
        cost_per_right_answer: Levelised: present value of the costs over that of the right
            answers; None as well where there are none.
        under_served: Share of the requests whose route has less quality than they need;
            None where no need or no quality is stated.
        latency_s: Mean time until an answer; None where it is unknown. [s]
    """

    cost: Number
    quality: Number | None
    right_answers: Number | None
    cost_per_right_answer: Number | None
    under_served: Number | None
    latency_s: Number | None


def answers_of(option: Option) -> Answers:
    """Read quality, latency and the cost of a right answer from the ledger of an option."""
    demand = option.demand
    requests = summed(demand.requests)

    def share(unit: str) -> Number | None:
        if unit not in option.ledger.units:
            return None
        total, asked = np.broadcast_arrays(summed(option.ledger.amounts(unit)), requests)
        return as_float(np.divide(total, asked, out=np.zeros(asked.shape), where=asked > 0))

    right: FloatArray | None = option.ledger.amounts(RIGHT_ANSWERS) if RIGHT_ANSWERS in option.ledger.units else None
    per_right = None
    if right is not None:
        present = option.terms.present_value(right)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            cost = np.asarray(option.npv_cost) / present
        # Of hardly any right answer there is no cost: the quotient leaves the range of numbers.
        per_right = as_float(cost) if np.isfinite(cost).all() and np.all(present > 0) else None
    return Answers(
        cost=option.tco,
        quality=share(RIGHT_ANSWERS),
        right_answers=None if right is None else as_float(summed(right)),
        cost_per_right_answer=per_right,
        under_served=share(UNDER_SERVED),
        latency_s=share(ANSWER_SECONDS),
    )


def route_shares(comparison: Comparison, option: str) -> dict[str, Number]:
    """Give the share of the requests over the horizon that each route of a router answers."""
    demand = comparison[option].demand
    requests = summed(demand.requests)
    parts = _routing(comparison[option].component, option).parts(demand)
    if np.any(requests <= 0):
        raise InvalidValueError("requests_per_month", "must be above 0; without requests no route has a share")
    return {name: as_float(np.asarray(summed(part.requests) / requests)) for name, part in parts.items()}


def baselines(comparison: Comparison, option: str) -> dict[str, Component]:
    """Make what a router is held against: each route alone, and all of them at random.

    `"always NAME"` sends every request to one route. `"random at the same share"` sends as
    many to each as the router does over the horizon, whichever they are. Neither pays for
    the router. Their quality is the `quality_of_all` of the routes, where it is stated.

    Args:
        comparison: A comparison.
        option: Name of an option that is a router.
    """
    routes = _routing(comparison[option].component, option).routes
    found: dict[str, Component] = {
        f"always {name}": Router({name: _alone(route, 1.0)}, name=f"always {name}") for name, route in routes.items()
    }
    shares = route_shares(comparison, option)
    found[RANDOM] = Router({name: _alone(route, shares[name]) for name, route in routes.items()}, name="random")
    return found


def at_quality(comparison: Comparison, option: str, quality: float, *, weak: str, strong: str) -> Component:
    """Make the random mix of two routes of a router that reaches a quality: the cost at equal quality.

    Args:
        comparison: A comparison.
        option: Name of an option that is a router.
        quality: Share of right answers.
        weak: Name of the route with the lower quality.
        strong: Name of the one with the higher.

    Raises:
        InvalidValueError: A route does not state its `quality_of_all`, or the quality lies outside of the two.
    """
    routes = _routing(comparison[option].component, option).routes
    ends = [_quality_of(routes, name) for name in (weak, strong)]
    if not ends[0] <= quality <= ends[1] or ends[0] == ends[1]:
        raise InvalidValueError(
            "quality", f"must lie from {ends[0]:g} ({weak}) to {ends[1]:g} ({strong}), got {quality:g}"
        )
    share = (quality - ends[0]) / (ends[1] - ends[0])
    mix = {weak: _alone(routes[weak], 1.0 - share), strong: _alone(routes[strong], share)}
    return Router(mix, name="equal quality")


def _quality_of(routes: Mapping[str, Way], name: str) -> float:
    if name not in routes:
        raise InvalidValueError("route", f"must be one of {', '.join(routes)}, got {name!r}{suggest(name, routes)}")
    quality = routes[name].quality_of_all
    if quality is None or np.ndim(quality):
        raise InvalidValueError(f"routes.{name}.quality_of_all", "must be stated, as one number")
    return float(quality)


def _alone(route: Way, share: Number) -> Route:
    return Route(
        route.target,
        share=share,
        quality=route.quality_of_all,
        latency_s=route.latency_s,
        max_requests_per_s=route.max_requests_per_s,
    )


def _routing(component: object, option: str) -> Routing:
    if not hasattr(component, "routes") or not hasattr(component, "parts"):
        raise InvalidValueError("option", f"{option!r} is no router. Name an option whose kind is one")
    return component  # looked at above


@attrs.frozen(kw_only=True, eq=False)
class RouterSaving:
    """What a router saves against a named baseline. Negative savings are losses.

    Attributes:
        baseline: Name of the baseline.
        saving: Money over the horizon.
        saving_share: The same as a share of the baseline's cost; None where that is 0.
        quality_difference: Quality of the router less that of the baseline; None where one is unknown.
        comparable: Whether both carry the whole load.
    """

    baseline: str
    saving: Number
    saving_share: Number | None
    quality_difference: Number | None
    comparable: bool


def router_savings(
    comparison: Comparison, option: str, *, also: Mapping[str, Component] | None = None
) -> dict[str, RouterSaving]:
    """Hold a router against each of its baselines, by name.

    Args:
        comparison: A comparison.
        option: Name of an option that is a router.
        also: More baselines by name, such as that of `at_quality`.
    """
    routed = comparison[option]
    own = answers_of(routed)
    found = {}
    for name, component in {**baselines(comparison, option), **(also or {})}.items():
        ledger = comparison.terms.ledger(component, routed.demand)
        other = Option(name=name, component=component, demand=routed.demand, terms=comparison.terms, ledger=ledger)
        quality = answers_of(other).quality
        saving = np.asarray(other.tco) - np.asarray(routed.tco)
        saving = np.where(np.abs(saving) <= _EQUAL * np.abs(other.tco), 0.0, saving)
        unknown = own.quality is None or quality is None
        found[name] = RouterSaving(
            baseline=name,
            saving=as_float(saving),
            saving_share=None if np.any(np.equal(other.tco, 0)) else as_float(saving / np.asarray(other.tco)),
            quality_difference=None if unknown else as_float(np.subtract(own.quality, quality)),  # type: ignore[arg-type]  # both are known
            comparable=routed.feasible and other.feasible,
        )
    return found
