"""What routers can give: cost against quality, from tables of per-query outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from itertools import combinations
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray, check_bounds, is_a, to_number
from llm_tco.analysis.hulls import IntArray, running_sums, sums_around, upper_hull
from llm_tco.analysis.routing import (
    Always,
    Hull,
    Mix,
    Oracle,
    Policy,
    RoutingPoint,
    Saving,
    Threshold,
    ThresholdCurve,
    check_target,
    describe,
    meets,
)
from llm_tco.errors import InfeasibleError, InvalidValueError, suggest
from llm_tco.usage.outcomes import Outcomes

BASELINES: Final = ("strong", "weak", "random", "oracle")
"""What a saving can be stated against by name."""
_BOUNDS: Final = np.array([1.0, np.inf, 1.0])


@attrs.frozen(kw_only=True, eq=False)
class _Ranked:
    """Sums over the queries on both sides of each distinct score.

    Attributes:
        thresholds: As in `ThresholdCurve`, shape `(m + 1,)`.
        calls: Queries at or above each threshold, shape `(m + 1,)`.
        above: Sums of quality, cost and shortfall over them, shape `(3, models, m + 1)`.
        below: The same over the others. They are added up by themselves: a total less what
            lies above would lose the digits of cheap queries beside dear ones.
    """

    thresholds: FloatArray
    calls: IntArray
    above: FloatArray
    below: FloatArray


@attrs.frozen(eq=False)
class Frontier:
    """The cost–quality frontier of routers between the models of a table of outcomes.

    No figure depends on the order of the queries, in any bit.

    Attributes:
        outcomes: The table.
        score: Name of the router's score, if the table has one. Without a score there are
            single models, random mixes, the oracle and the hull, but no thresholds.
        weak: Name of the weak model: the cheapest on the mean unless said otherwise.
        strong: Name of the strong model: the best on the mean of the others unless said
            otherwise. It may be dearer and worse; then nothing is gained by routing to it.

    >>> outcomes = Outcomes(
    ...     models=("small", "big"), currency="USD", scores={"difficulty": [0.1, 0.9]},
    ...     quality=[[1, 1], [0, 1]], cost=[[1, 9], [1, 9]],
    ... )
    >>> frontier = Frontier(outcomes, score="difficulty")
    >>> best = frontier.best_threshold(quality=1.0)
    >>> best.cost_per_request, frontier.saving(best, "strong").per_request
    (5.0, 4.0)
    """

    outcomes: Outcomes = attrs.field(validator=is_a(Outcomes))
    score: str | None = attrs.field(default=None, kw_only=True)
    weak: str = attrs.field(default="", kw_only=True)
    strong: str = attrs.field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        known = self.outcomes.scores
        if self.score is not None and self.score not in known:
            hint = suggest(self.score, known) if known else ". The table was read without scores: name them there"
            raise InvalidValueError("score", f"must be one of the table, got {self.score!r}{hint}")
        quality, cost = self._totals[0], self._totals[1]
        models = range(len(self.outcomes.models))
        given = {name: self.outcomes.place(getattr(self, name)) for name in ("weak", "strong") if getattr(self, name)}
        weak = given.get("weak")
        if weak is None:
            rest = [place for place in models if place != given.get("strong")]
            weak = min(rest, key=lambda place: (cost[place], -quality[place]))
        strong = given.get("strong")
        if strong is None:
            rest = [place for place in models if place != weak]
            strong = min(rest, key=lambda place: (-quality[place], cost[place]))
        if weak == strong:
            raise InvalidValueError("strong", f"must be another model than the weak one, got {self.strong!r} for both")
        object.__setattr__(self, "weak", self.outcomes.models[weak])
        object.__setattr__(self, "strong", self.outcomes.models[strong])

    @cached_property
    def _shortfall(self) -> FloatArray:
        """1 where a model is not among the best for a query, else 0, shape `(queries, models)`."""
        quality = self.outcomes.quality
        return np.asarray(quality < quality.max(axis=1, keepdims=True), dtype=np.float64)

    @cached_property
    def _tables(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return (self.outcomes.quality, self.outcomes.cost, self._shortfall)

    @cached_property
    def _totals(self) -> FloatArray:
        """Sums of quality, cost and shortfall by model, shape `(3, models)`."""
        end = np.array([len(self.outcomes)])
        return np.stack([running_sums(table, end)[0] for table in self._tables])

    @cached_property
    def _chosen(self) -> IntArray:
        """The model that the oracle takes for each query, shape `(queries,)`."""
        return np.asarray(np.where(self._shortfall == 0, self.outcomes.cost, np.inf).argmin(axis=1))

    @cached_property
    def _ranked(self) -> _Ranked:
        score = self._scores()
        order = np.argsort(-score)
        ranked = score[order]
        cuts = np.concatenate([np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, [ranked.size]])
        with np.errstate(over="ignore"):
            above = np.nextafter(ranked[0], np.inf)
        if not np.isfinite(above):
            raise InvalidValueError(f"scores.{self.score}", f"must leave room for a threshold above {ranked[0]:g}")
        calls = np.concatenate([[0], cuts])
        sums = [sums_around(table[order], calls) for table in self._tables]
        return _Ranked(
            thresholds=np.concatenate([[above], ranked[cuts - 1]]),
            calls=calls,
            above=np.stack([one.T for one, _ in sums]),
            below=np.stack([other.T for _, other in sums]),
        )

    def _scores(self) -> FloatArray:
        if self.score is None:
            known = ", ".join(repr(name) for name in self.outcomes.scores) or "none"
            raise InvalidValueError(
                "score",
                f"must be named to set a threshold; the table has {known}. Without a score there are the random "
                "line, the oracle and the hull only.",
            )
        return self.outcomes.scores[self.score]

    def _pair(self, weak: str | None, strong: str | None) -> tuple[int, int]:
        pair = (self.outcomes.place(weak or self.weak), self.outcomes.place(strong or self.strong))
        if pair[0] == pair[1]:
            raise InvalidValueError("strong", f"must be another model than the weak one, got {strong!r} for both")
        return pair

    def _curve(self, pair: tuple[int, int], place: int | slice = slice(None)) -> FloatArray:
        """Give quality, cost and shortfall at thresholds of a pair of models, shape `(3, ...)`."""
        weak, strong = pair
        above, below = self._ranked.above[:, strong, place], self._ranked.below[:, weak, place]
        curve = (above + below) / len(self.outcomes)
        # Two sums that are rounded may miss a bound by the last bit.
        return np.asarray(np.clip(curve, 0.0, _BOUNDS.reshape(3, *[1] * (curve.ndim - 1))))

    def of(self, policy: Policy) -> RoutingPoint:
        """Say what a policy gives on the table.

        Raises:
            InvalidValueError: The policy names an unknown model, or needs a score.
        """
        models, queries = self.outcomes.models, len(self.outcomes)
        if isinstance(policy, Always):
            place = self.outcomes.place(policy.model)
            figures, calls = self._totals[:, place] / queries, np.eye(len(models))[place]
        elif isinstance(policy, Oracle):
            taken = [np.take_along_axis(table, self._chosen[:, None], axis=1) for table in self._tables]
            figures = np.array([running_sums(column, np.array([queries]))[0, 0] for column in taken]) / queries
            calls = np.bincount(self._chosen, minlength=len(models)) / queries
        elif isinstance(policy, Threshold):
            pair, ranked = self._pair(policy.weak, policy.strong), self._ranked
            cut = int(np.searchsorted(-ranked.thresholds[1:], -policy.at, side="right"))
            figures, calls = self._curve(pair, cut), np.zeros(len(models))
            calls[list(pair)] = 1.0 - ranked.calls[cut] / queries, ranked.calls[cut] / queries
        else:
            points = [(self.of(part), share) for part, share in policy.parts]
            figures = np.array(
                [
                    math.fsum(getattr(point, name) * share for point, share in points)
                    for name in ("quality", "cost_per_request", "under_served")
                ]
            )
            calls = np.array([math.fsum(point.shares[model] * share for point, share in points) for model in models])
        return RoutingPoint(
            policy=policy,
            quality=float(figures[0]),
            cost_per_request=float(figures[1]),
            under_served=float(figures[2]),
            shares=dict(zip(models, calls.tolist(), strict=True)),
            currency=self.outcomes.currency,
        )

    def always(self, model: str) -> RoutingPoint:
        """Say what one model gives."""
        return self.of(Always(model))

    @property
    def oracle(self) -> RoutingPoint:
        """What a router gives that knows all answers beforehand."""
        return self.of(Oracle())

    def random(self, shares: float | Mapping[str, float]) -> RoutingPoint:
        """Say what routing at random gives.

        Args:
            shares: Share of the strong model, the weak one gets the rest; or the share of
                each model by name.

        Raises:
            InvalidValueError: A share is outside 0 to 1, they do not sum to 1, or a model is unknown.
        """
        if not isinstance(shares, Mapping):
            if np.ndim(shares):
                raise InvalidValueError(
                    "shares", "must be one share, or map models to shares; see random_line for many"
                )
            check_bounds(to_number(shares, "shares"), "shares", ge=0, le=1)
            shares = {self.weak: 1.0 - shares, self.strong: shares}
        return self.of(Mix((Always(model), share) for model, share in shares.items()))

    def random_line(self, shares: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Give cost and quality of random routing at each share of the strong model.

        Args:
            shares: Shares of the strong model, shape `(...)`.

        Returns:
            Cost of a request [currency] and quality, each of shape `(...)`.
        """
        array = to_number(np.asarray(shares, dtype=np.float64), "shares")
        check_bounds(array, "shares", ge=0, le=1)
        weak, strong = self.always(self.weak), self.always(self.strong)
        cost = weak.cost_per_request * (1.0 - array) + strong.cost_per_request * array
        return np.asarray(cost), np.asarray(weak.quality * (1.0 - array) + strong.quality * array)

    def curve(self, *, weak: str | None = None, strong: str | None = None) -> ThresholdCurve:
        """Give every threshold between two models.

        Raises:
            InvalidValueError: No score was named, or a model is unknown.
        """
        ranked, pair = self._ranked, self._pair(weak, strong)
        quality, cost, under_served = self._curve(pair)
        return ThresholdCurve(
            weak=self.outcomes.models[pair[0]],
            strong=self.outcomes.models[pair[1]],
            thresholds=ranked.thresholds,
            strong_share=ranked.calls / len(self.outcomes),
            quality=quality,
            cost_per_request=cost,
            under_served=under_served,
        )

    def best_threshold(
        self,
        *,
        quality: float | None = None,
        cost_per_request: float | None = None,
        weak: str | None = None,
        strong: str | None = None,
    ) -> RoutingPoint:
        """Find the cheapest threshold of a quality, or the best one within a budget.

        A threshold that is chosen and judged on the same queries looks better than it is:
        choose it on one part of the table and judge it on another (`Outcomes.take`).

        Args:
            quality: Quality to reach.
            cost_per_request: Budget instead. [currency]
            weak: Weak model, if another one than that of the frontier.
            strong: Strong model, likewise.

        Raises:
            InfeasibleError: No threshold reaches it.
            InvalidValueError: No score was named, or neither or both targets were given.
        """
        return self._best(quality, cost_per_request, [self._pair(weak, strong)])

    def best_of_all(
        self,
        *,
        quality: float | None = None,
        cost_per_request: float | None = None,
        weak: str | None = None,
        strong: str | None = None,
    ) -> RoutingPoint:
        """Find the best threshold for a target among all pairs of models; see `best_threshold`.

        Args:
            quality: Quality to reach.
            cost_per_request: Budget instead. [currency]
            weak: Only pairs with this weak model.
            strong: Only pairs with this strong model.

        Raises:
            InfeasibleError: No threshold reaches it.
            InvalidValueError: No score was named, or neither or both targets were given.
        """
        own = self._pair(weak, strong)
        stated = {place: own[place] for place, name in enumerate((weak, strong)) if name is not None}
        pairs = [pair for pair in self._pairs if all(pair[place] == model for place, model in stated.items())]
        return self._best(quality, cost_per_request, [own, *(pair for pair in pairs if pair != own)])

    def _best(
        self, quality: float | None, cost_per_request: float | None, pairs: list[tuple[int, int]]
    ) -> RoutingPoint:
        """Find the best threshold for a target between the models of some pairs; of equal ones, the first."""
        check_target(quality, cost_per_request)
        ranked, curves = self._ranked, np.stack([self._curve(pair)[:2] for pair in pairs], axis=1)
        qualities, costs = curves.reshape(2, -1)
        if quality is not None:
            within, best = meets(qualities, quality), f"the best threshold has a quality of {qualities.max():g}"
            keys = (-qualities, costs)
        else:
            within = meets(float(cost_per_request or 0.0), costs)
            best = f"the cheapest threshold costs {costs.min():g} {self.outcomes.currency} per request"
            keys = (costs, -qualities)
        models = self.outcomes.models
        if not within.any():
            target = f"a quality of {quality:g}" if quality is not None else f"a budget of {cost_per_request:g}"
            between = f"{models[pairs[0][0]]} and {models[pairs[0][1]]}" if len(pairs) == 1 else "two of the models"
            raise InfeasibleError(
                f"no threshold between {between} meets {target}: {best}. "
                "Change the target, or look at the hull, which mixes all models."
            )
        found = np.flatnonzero(within)
        pair, cut = divmod(int(found[np.lexsort((keys[0][found], keys[1][found]))[0]]), ranked.thresholds.size)
        weak, strong = (models[place] for place in pairs[pair])
        return self.of(Threshold(weak=weak, strong=strong, at=float(ranked.thresholds[cut])))

    @cached_property
    def _pairs(self) -> list[tuple[int, int]]:
        """The pairs of a weak and a strong model between which thresholds are looked at."""
        cost, quality = self._totals[1], self._totals[0]
        by_cost = sorted(range(cost.size), key=lambda place: (cost[place], quality[place]))
        pairs = list(combinations(by_cost, 2))
        pairs += [(b, a) for a, b in pairs if cost[a] == cost[b]]  # none of the two is dearer
        return list(dict.fromkeys([*pairs, self._pair(None, None)]))

    @cached_property
    def hull(self) -> Hull:
        """The best of all single models, of all thresholds between two of them, and of mixes of these.

        In each pair the model that costs more on the mean is the strong one; at equal cost
        both are in turn, and the frontier's own pair is there as it was named. Without a score
        there are the single models and their mixes only.
        """
        models = self.outcomes.models
        policies: list[Policy] = [Always(model) for model in models]
        figures = [self._totals[:2] / len(self.outcomes)]
        for pair in self._pairs if self.score is not None else ():
            curve = self._curve(pair)[:2]
            corners = upper_hull(curve[1], curve[0])
            weak, strong = (models[place] for place in pair)
            # Both ends are the models themselves, which are there already.
            corners = corners[(corners > 0) & (corners < curve.shape[1] - 1)]
            thresholds = self._ranked.thresholds[corners].tolist()
            policies += [Threshold(weak=weak, strong=strong, at=threshold) for threshold in thresholds]
            figures.append(curve[:, corners])
        quality, cost = np.concatenate(figures, axis=1)
        return Hull(tuple(self.of(policies[place]) for place in upper_hull(cost, quality)))

    def line(self) -> Hull:
        """Give the best of the weak and the strong model and their random mixes."""
        points = [self.always(self.weak), self.always(self.strong)]
        return Hull(
            tuple(
                points[place] for place in upper_hull([p.cost_per_request for p in points], [p.quality for p in points])
            )
        )

    def cost_at_equal_quality(self, quality: float) -> dict[str, float | None]:
        """Give the least cost at which each way of routing reaches a quality.

        Returns:
            Cost per request by way, in the currency of the outcomes. Ways are `"strong"`,
            `"weak"`, `"random"` (the two at random), `"threshold"` (one threshold between the two; only with a score),
            `"hull"` and `"oracle"`. None where the way does not reach it.
        """
        check_target(quality, None)
        oracle = self.oracle
        ways = {name: Hull((self.always(getattr(self, name)),)) for name in ("strong", "weak")}
        ways |= {"random": self.line(), "hull": self.hull, "oracle": Hull((oracle,))}
        costs: dict[str, float | None] = {
            name: way.cost_at(quality) if meets(way.points[-1].quality, quality) else None for name, way in ways.items()
        }
        if self.score is not None:
            reached = meets(self.curve().quality.max(), quality)
            costs["threshold"] = self.best_threshold(quality=quality).cost_per_request if reached else None
        return costs

    def saving(self, of: RoutingPoint | Policy, baseline: str | RoutingPoint | Policy) -> Saving:
        """Compare a policy with a baseline.

        Args:
            of: The policy, or its point.
            baseline: `"strong"` or `"weak"` (all queries there), `"random"` (each model at
                random at the same shares as the policy), `"oracle"`; or a policy.

        Raises:
            InvalidValueError: The baseline is none of these.
        """
        point = of if isinstance(of, RoutingPoint) else self.of(of)
        if isinstance(baseline, RoutingPoint):
            return Saving(baseline=describe(baseline.policy), point=point, against=baseline)
        policy = self._baseline(point, baseline)
        name = baseline if isinstance(baseline, str) else describe(baseline)
        return Saving(baseline=name, point=point, against=self.of(policy))

    def _baseline(self, point: RoutingPoint, baseline: str | Policy) -> Policy:
        if not isinstance(baseline, str):
            return baseline
        if baseline not in BASELINES:
            hint = suggest(baseline, BASELINES)
            raise InvalidValueError("baseline", f"must be a policy or the name of one, got {baseline!r}{hint}")
        if baseline == "random":
            return Mix((Always(model), share) for model, share in point.shares.items())
        return Oracle() if baseline == "oracle" else Always(self.weak if baseline == "weak" else self.strong)

    def per_query(self, policy: Policy) -> FloatArray:
        """Give the quality and the cost of each query under a policy, shape `(2, queries)`.

        Where a policy draws models at random, these are the means over its draws.
        """
        tables = np.stack(self._tables[:2])
        if isinstance(policy, Always):
            return np.asarray(tables[..., self.outcomes.place(policy.model)])
        if isinstance(policy, Oracle):
            return np.asarray(np.take_along_axis(tables, self._chosen[None, :, None], axis=2)[..., 0])
        if isinstance(policy, Threshold):
            weak, strong = self._pair(policy.weak, policy.strong)
            return np.where(self._scores() >= policy.at, tables[..., strong], tables[..., weak])
        return np.asarray(sum(share * self.per_query(part) for part, share in policy.parts))


def frontier_rows(frontier: Frontier, *, most: int = 400) -> list[dict[str, Any]]:
    """Give what a picture of the frontier shows: one row per mark, ready for a chart.

    Args:
        frontier: The frontier.
        most: Points of the threshold curve that are kept: equally many thresholds apart,
            both ends among them. A picture needs no more.

    Returns:
        Rows with `series` (`"model"`, `"random"`, `"threshold"`, `"hull"`, `"oracle"`),
        `name`, `cost_per_request` [currency], `quality`, `strong_share` and `currency`; in
        each series they follow its line. The share is None where more than two models may
        be asked.
    """
    points = [("model", frontier.always(model)) for model in frontier.outcomes.models]
    points += [("random", frontier.random(share)) for share in (0.0, 1.0)]
    points += [("hull", point) for point in frontier.hull.points]
    points.append(("oracle", frontier.oracle))
    two = len(frontier.outcomes.models) == 2
    rows = [
        {
            "series": series,
            "name": describe(point.policy),
            "cost_per_request": point.cost_per_request,
            "quality": point.quality,
            "strong_share": point.shares[frontier.strong] if two or series == "random" else None,
            "currency": point.currency,
        }
        for series, point in points
    ]
    if frontier.score is None:
        return rows
    curve = frontier.curve()
    kept = np.unique(np.linspace(0, curve.quality.size - 1, max(2, most)).round().astype(np.int64))
    columns = (curve.thresholds, curve.cost_per_request, curve.quality, curve.strong_share)
    for threshold, cost, quality, share in zip(*(column[kept].tolist() for column in columns), strict=True):
        name = describe(Threshold(weak=curve.weak, strong=curve.strong, at=threshold))
        figures = {"cost_per_request": cost, "quality": quality, "strong_share": share}
        rows.append({"series": "threshold", "name": name, **figures, "currency": frontier.outcomes.currency})
    return rows
