"""Ways to route queries between models, and what they give: policies, points, savings and hulls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import numpy as np

from llm_tco._fields import FloatArray, check_bounds, number, plain, text, to_number
from llm_tco.errors import InfeasibleError, InvalidValueError

_SHARES_TOLERANCE: Final = 1e-9

_MET: Final = 1e-12
"""Relative error up to which a target is met: means over many queries are rounded."""


@attrs.frozen
class Always:
    """Send every query to one model."""

    model: str = text()


@attrs.frozen
class Oracle:
    """Send each query to the cheapest of the models that answer it best.

    Where answers are right or wrong, that is the cheapest model that is right, and the
    cheapest of all where none is. Of equally dear ones it is the one named first. No
    router can know this beforehand: it is a bound.
    """


@attrs.frozen(kw_only=True)
class Threshold:
    """Send queries with a score of at least `at` to the strong model, the others to the weak one."""

    weak: str = text()
    strong: str = text()
    at: float = number()


def _pairs(parts: Mapping[Policy, float] | Iterable[tuple[Policy, float]]) -> tuple[tuple[Policy, float], ...]:
    return tuple(parts.items()) if isinstance(parts, Mapping) else tuple(parts)


@attrs.frozen
class Mix:
    """Draw a policy for each query, regardless of the query.

    Attributes:
        parts: Policies with the share of the queries that each gets; the shares sum to 1.
    """

    parts: tuple[tuple[Policy, float], ...] = attrs.field(converter=_pairs)

    def __attrs_post_init__(self) -> None:
        for _, share in self.parts:
            check_bounds(to_number(share, "shares"), "shares", ge=0, le=1)
        total = math.fsum(share for _, share in self.parts)
        if abs(total - 1) > _SHARES_TOLERANCE:
            raise InvalidValueError("shares", f"must sum to 1, got {plain(total)}")


Policy = Always | Oracle | Threshold | Mix


@attrs.frozen(kw_only=True)
class RoutingPoint:
    """What a policy gives on a table of outcomes.

    Attributes:
        policy: What decides.
        quality: Mean quality of the answers; the share of right ones.
        cost_per_request: Mean cost of a request. [currency]
        shares: Share of the calls that each model gets; they sum to 1.
        under_served: Share of the queries that went to a model that errs although another
            is right; with scores, to a model that is not the best for them.
        currency: Currency of the cost.
    """

    policy: Policy
    quality: float
    cost_per_request: float
    shares: Mapping[str, float] = attrs.field(hash=False)
    under_served: float
    currency: str

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values, for JSON."""
        values = attrs.asdict(self, filter=lambda attribute, _: attribute.name not in ("policy", "shares"))
        return {"policy": describe(self.policy), **values, "shares": dict(self.shares)}


def describe(policy: Policy) -> str:
    """Name a policy in a few words."""
    if isinstance(policy, Always):
        return f"always {policy.model}"
    if isinstance(policy, Oracle):
        return "oracle"
    if isinstance(policy, Threshold):
        return f"{policy.strong} from a score of {policy.at:.6g} on, else {policy.weak}"
    return ", ".join(f"{share:.4g} × ({describe(part)})" for part, share in policy.parts)


@attrs.frozen(kw_only=True)
class Saving:
    """What one policy saves against another, with what it changes in quality.

    Attributes:
        baseline: Name of what it is measured against.
        point: What the policy gives.
        against: What the baseline gives.
    """

    baseline: str
    point: RoutingPoint
    against: RoutingPoint

    @property
    def per_request(self) -> float:
        """Cost that a request saves, in the currency of the points; negative where it costs more."""
        return self.against.cost_per_request - self.point.cost_per_request

    @property
    def share(self) -> float | None:
        """Saved share of the baseline's cost; None where the baseline costs nothing, or next to it."""
        share = self.per_request / self.against.cost_per_request if self.against.cost_per_request else -math.inf
        return share if math.isfinite(share) else None

    @property
    def quality_difference(self) -> float:
        """Quality of the policy less that of the baseline."""
        return self.point.quality - self.against.quality

    def fewer_calls(self, model: str) -> float | None:
        """Give the saved share of the calls of one model; None where the baseline makes none.

        Calls are not cost: the calls of the other models are not counted.
        """
        calls = self.against.shares[model]
        return 1.0 - self.point.shares[model] / calls if calls else None


@attrs.frozen(kw_only=True, eq=False)
class ThresholdCurve:
    """Every threshold on a score, from no call of the strong model to all of them.

    The first threshold lies above every score, each further one is a score of the table.
    All arrays have the shape `(distinct scores + 1,)`.

    Attributes:
        weak: Model of the queries below the threshold.
        strong: Model of the queries at or above it.
        thresholds: The thresholds, falling.
        strong_share: Share of the queries that go to the strong model.
        quality: Mean quality at each.
        cost_per_request: Mean cost of a request at each. [currency]
        under_served: Share of the queries under-served at each, as in `RoutingPoint`.
    """

    weak: str
    strong: str
    thresholds: FloatArray
    strong_share: FloatArray
    quality: FloatArray
    cost_per_request: FloatArray
    under_served: FloatArray


@attrs.frozen(eq=False)
class Hull:
    """The best that mixes of some policies give: quality as a concave function of cost.

    Attributes:
        points: Its corners, from the cheapest policy to the best one; cost and quality both
            rise. Between two corners lie their mixes.
    """

    points: tuple[RoutingPoint, ...]

    @property
    def cost_per_request(self) -> FloatArray:
        """Cost of a request at each corner in its currency, rising, shape `(corners,)`."""
        return np.array([point.cost_per_request for point in self.points])

    @property
    def quality(self) -> FloatArray:
        """Quality of each corner, rising, shape `(corners,)`."""
        return np.array([point.quality for point in self.points])

    def quality_at(self, cost_per_request: float) -> float:
        """Give the best quality that a budget buys.

        Raises:
            InfeasibleError: The budget is below the cheapest policy.
        """
        first = self.points[0]
        if not meets(cost_per_request, first.cost_per_request):
            raise InfeasibleError(
                f"no policy costs {cost_per_request:g} {first.currency} per request or less: the cheapest, "
                f"{describe(first.policy)}, costs {first.cost_per_request:g}. Raise the budget or add a cheaper model."
            )
        return self._along(cost_per_request, self.cost_per_request, self.quality)

    def cost_at(self, quality: float) -> float:
        """Give the least cost of a request at which a quality is reached, in the points' currency.

        Raises:
            InfeasibleError: The quality is above the best policy.
        """
        last = self.points[-1]
        if not meets(last.quality, quality):
            raise InfeasibleError(
                f"no policy reaches a quality of {quality:g}: the best, {describe(last.policy)}, has "
                f"{last.quality:g}. Lower the target or add a better model."
            )
        return self._along(quality, self.quality, self.cost_per_request)

    def policy_at(self, *, quality: float | None = None, cost_per_request: float | None = None) -> Policy:
        """Give the cheapest policy of a quality, or the best one within a budget.

        Raises:
            InfeasibleError: No policy reaches it.
            InvalidValueError: Neither or both were given.
        """
        check_target(quality, cost_per_request)
        if quality is not None:
            self.cost_at(quality)
            place, grid = quality, self.quality
        else:
            self.quality_at(float(cost_per_request or 0.0))
            place, grid = float(cost_per_request or 0.0), self.cost_per_request
        below, share = _located(place, grid)
        if share == 0:
            return self.points[below].policy
        return Mix(((self.points[below].policy, 1.0 - share), (self.points[below + 1].policy, share)))

    @staticmethod
    def _along(place: float, grid: FloatArray, values: FloatArray) -> float:
        below, share = _located(place, grid)
        return float(values[below] if share == 0 else values[below] * (1.0 - share) + values[below + 1] * share)


def _located(place: float, grid: FloatArray) -> tuple[int, float]:
    """Give the corner at or before a place, and the share of the way from there to the next one."""
    below = max(int(np.searchsorted(grid, place, side="right")) - 1, 0)
    if below == len(grid) - 1 or place <= grid[below]:
        return below, 0.0
    return below, float((place - grid[below]) / (grid[below + 1] - grid[below]))


def meets(amount: FloatArray | float, least: FloatArray | float) -> Any:
    """Say whether amounts of at least 0 reach others, but for rounding errors."""
    return np.asarray(amount) >= np.asarray(least) * (1.0 - _MET)


def check_target(quality: float | None, cost_per_request: float | None) -> None:
    """Refuse a target that is neither a quality nor a budget, or both.

    Raises:
        InvalidValueError: See above.
    """
    if (quality is None) == (cost_per_request is None):
        raise InvalidValueError("quality", "must be given, or else cost_per_request, and not both")
    if quality is not None:
        check_bounds(to_number(quality, "quality"), "quality", ge=0, le=1)
    else:
        check_bounds(to_number(cost_per_request, "cost_per_request"), "cost_per_request", ge=0)
