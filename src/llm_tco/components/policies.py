"""Routers that decide by rules or by a score, and cascades that ask again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import Number, choice, is_a, number, text
from llm_tco.components.base import Component, Composable
from llm_tco.components.router import Route, check_routes, hand_out, taken_by, with_fee
from llm_tco.demand import Demand, Stream
from llm_tco.errors import InvalidValueError, suggest
from llm_tco.finance.discounting import real_array
from llm_tco.ledger import Ledger
from llm_tco.money import Money, money

Mask = npt.NDArray[np.bool_]


def _words(value: object, attribute: attrs.Attribute[Any]) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) and word.strip() for word in value):
        raise InvalidValueError(attribute.name, f"must list words, got {value!r}")
    return tuple(value)


def words() -> Any:
    """Define a field for a list of words."""
    return attrs.field(
        default=(),
        converter=attrs.Converter(_words, takes_field=True),
    )


@attrs.frozen(kw_only=True)
class Rule:
    """A rule of a router: requests that meet all that it states take its route.

    Attributes:
        route: The route.
        tasks: Tags of which a request must carry one, such as the names of a workload's parts.
        urgencies: Tags of which it must carry one as well, such as `"critical"`.
        above_tokens: Tokens that it must exceed.
        up_to_tokens: Tokens that it must not exceed.
    """

    route: str = text()
    tasks: tuple[str, ...] = words()
    urgencies: tuple[str, ...] = words()
    above_tokens: float | None = number(ge=0, default=None, optional=True)
    up_to_tokens: float | None = number(ge=0, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if self.low >= self.high:
            raise InvalidValueError(
                "up_to_tokens", f"must be more than above_tokens ({self.low:g}), got {self.high:g}: no request fits"
            )

    @property
    def low(self) -> float:
        """Tokens that a request must exceed."""
        return -1.0 if self.above_tokens is None else self.above_tokens

    @property
    def high(self) -> float:
        """Tokens that it must not exceed."""
        return np.inf if self.up_to_tokens is None else self.up_to_tokens

    def suits(self, tags: frozenset[str]) -> bool:
        """Say whether a stream carries the tags that it asks for."""
        return all(not wanted or tags.intersection(wanted) for wanted in (self.tasks, self.urgencies))


@attrs.frozen(kw_only=True)
class RuleNote:
    """Something that a reader of rules should know.

    Attributes:
        rule: Place of the rule, from 1 on.
        kind: `"unreachable"`: earlier rules take all that it could; `"shadowed"`: earlier
            rules send a part of it elsewhere; `"redundant"`: without it everything would
            take the same way.
        by: Places of the earlier rules that take from it.
        note: It in words.
    """

    rule: int
    kind: str = choice("unreachable", "shadowed", "redundant")
    by: tuple[int, ...]
    note: str


def check_rules(rules: Sequence[Rule], default: str) -> tuple[RuleNote, ...]:
    """Find rules that contradict earlier ones or say nothing: every case, by exhaustion.

    A request is taken to carry at most one of the tasks and one of the urgencies that the
    rules name. Then all requests fall into finitely many cells (a task or none of them, an
    urgency or none of them, a range of tokens between two thresholds) in each of which each
    rule holds wholly or not at all.

    Args:
        rules: The rules in their order.
        default: The route of what no rule takes.

    Returns:
        Notes in the order of the rules.
    """
    tasks = [*dict.fromkeys(task for rule in rules for task in rule.tasks), ""]
    urgencies = [*dict.fromkeys(urgency for rule in rules for urgency in rule.urgencies), ""]
    edges = sorted({-1.0, np.inf, *(rule.low for rule in rules), *(rule.high for rule in rules)})
    cells = list(itertools.product(tasks, urgencies, edges[1:]))
    holds = np.array([[_in_cell(rule, *cell) for cell in cells] for rule in rules], dtype=bool)
    holds = holds.reshape(len(rules), len(cells))
    first = np.where(holds.any(axis=0), holds.argmax(axis=0), len(rules)) if len(rules) else np.zeros(0)
    routes = [*(rule.route for rule in rules), default]
    return tuple(note for place in range(len(rules)) if (note := _note(place, rules, routes, holds, first)) is not None)


def _in_cell(rule: Rule, task: str, urgency: str, upper: float) -> bool:
    return rule.suits(frozenset({task, urgency})) and rule.low < upper <= rule.high


def _note(place: int, rules: Sequence[Rule], routes: Sequence[str], holds: Mask, first: Any) -> RuleNote | None:
    wins = holds[place] & (first == place)
    lost = holds[place] & (first < place)
    by = tuple(int(other) + 1 for other in np.unique(first[lost]))
    earlier = ", ".join(map(str, by))
    if not wins.any():
        note = f"is never reached: what it asks for is taken by rule {earlier}"
        return RuleNote(rule=place + 1, kind="unreachable", by=by, note=note)
    later = holds[place + 1 :]
    after = np.where(later.any(axis=0), later.argmax(axis=0) + place + 1, len(rules)) if len(later) else None
    fallback = np.full(wins.shape, len(rules)) if after is None else after
    if all(routes[other] == routes[place] for other in np.unique(fallback[wins])):
        note = f"changes nothing: without it, its requests take the route {routes[place]!r} as well"
        return RuleNote(rule=place + 1, kind="redundant", by=by, note=note)
    elsewhere = tuple(other for other in by if routes[other - 1] != routes[place])
    if elsewhere:
        named = ", ".join(f"{other} to {routes[other - 1]!r}" for other in elsewhere)
        note = f"is taken in part by earlier rules: {named}"
        return RuleNote(rule=place + 1, kind="shadowed", by=elsewhere, note=note)
    return None


def _to_rules(value: Sequence[Rule]) -> tuple[Rule, ...]:
    return tuple(value)


@attrs.frozen(eq=False)
class RuleRouter(Composable):
    """A router by rules of task, urgency and tokens. The first rule that fits decides.

    Attributes:
        routes: The routes by name, without shares. Requests carry the name as a tag.
        rules: The rules in their order.
        default: The route of what no rule takes.
        counted: Which tokens of a request its rules count: `"input"`, `"output"`, or `"total"`.
        fee_per_request: What the routing of a request costs. [currency]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "rule_router"

    routes: Mapping[str, Route] = attrs.field(validator=check_routes)
    rules: tuple[Rule, ...] = attrs.field(
        converter=_to_rules, validator=attrs.validators.deep_iterable(is_a(Rule)), kw_only=True
    )
    default: str = attrs.field(kw_only=True)
    counted: str = choice("input", "output", "total", default="total")
    fee_per_request: Money | None = money(default=None, optional=True)
    name: str = text(default="rule router")

    def __attrs_post_init__(self) -> None:
        named = [(f"rules[{place}].route", rule.route) for place, rule in enumerate(self.rules)]
        for field, route in (*named, ("default", self.default)):
            if route not in self.routes:
                raise InvalidValueError(field, f"is the name of no route, got {route!r}{suggest(route, self.routes)}")
        for name, way in self.routes.items():
            if name != self.default and all(rule.route != name for rule in self.rules):
                raise InvalidValueError(f"routes.{name}", "is led to by no rule, and is not the default")
            if way.share is not None:
                raise InvalidValueError(f"routes.{name}.share", "is decided by the rules; leave it out")

    @property
    def notes(self) -> tuple[RuleNote, ...]:
        """Rules that cannot be reached, contradict earlier ones or change nothing; see `check_rules`."""
        return check_rules(self.rules, self.default)

    def parts(self, demand: Demand) -> dict[str, Demand]:
        """Say which requests take each route."""
        taken: dict[str, list[Stream]] = {name: [] for name in self.routes}
        for stream in demand.streams:
            for route, chosen in self._decide(stream):
                some = stream.only(chosen) if chosen.any() else None
                if some is not None:
                    taken[route].append(some)
        return {name: attrs.evolve(demand, streams=tuple(streams)).tagged(name) for name, streams in taken.items()}

    def _decide(self, stream: Stream) -> Iterator[tuple[str, Mask]]:
        lengths = stream.lengths
        counts = {"input": lengths.input_tokens, "output": lengths.output_tokens}
        tokens = sum(counts.values()) if self.counted == "total" else counts[self.counted]
        if np.ndim(tokens) > 1:
            raise InvalidValueError("input_tokens", "holds draws, by which requests cannot be told apart")
        left: Mask = np.ones(lengths.weights.shape, dtype=bool)
        for rule in self.rules:
            if rule.suits(stream.tags):
                fits = left & (tokens > rule.low) & (tokens <= rule.high)
                left = left & ~fits
                yield rule.route, fits
        yield self.default, left

    def cost(self, demand: Demand) -> Ledger:
        """Split the demand, ask each component once, and add the router's own cost."""
        answered = hand_out(self, self.routes, self.parts(demand)).under(self.name)
        return with_fee(answered, self, self.fee_per_request, demand)


def _to_quantiles(value: object, attribute: attrs.Attribute[Any]) -> tuple[tuple[float, float], ...]:
    table = np.array(value, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2 or len(table) < 2 or not np.isfinite(table).all():
        raise InvalidValueError(attribute.name, "must hold rows of [score, share of the requests with at most that]")
    scores, shares = table.T
    if np.any(np.diff(scores) <= 0) or np.any(np.diff(shares) < 0) or shares[0] < 0 or shares[-1] != 1:
        raise InvalidValueError(attribute.name, "must rise in both columns, the shares from 0 or more to 1")
    return tuple((float(score), float(share)) for score, share in table)


def score_quantiles(scores: npt.ArrayLike, *, parts: int = 100) -> tuple[tuple[float, float], ...]:
    """Describe scores by rows of a score and the share of them that is at most that.

    A score that is kept has two rows, just below it and at it, so that the requests that
    have it are a step of the curve and not a slope.

    Args:
        scores: The scores of requests, shape `(n,)`.
        parts: Different scores that are kept at most; with as many or fewer, every share is exact.
    """
    levels, counts = np.unique(real_array(scores, "scores"), return_counts=True)
    if not levels.size:
        raise InvalidValueError("scores", "must hold at least one score")
    seen = np.cumsum(counts)
    shares, before = seen / seen[-1], (seen - counts) / seen[-1]
    kept = np.arange(levels.size)
    if levels.size > parts:
        kept = np.unique(np.searchsorted(shares, np.arange(1, parts + 1) / parts - 1e-12))
    both = np.union1d(kept, 0)  # below the lowest score there is none, even if it is not kept
    rows = dict(zip(np.nextafter(levels[both], -np.inf).tolist(), before[both].tolist(), strict=True))
    rows.update(zip(levels[kept].tolist(), shares[kept].tolist(), strict=True))
    return tuple(sorted(rows.items()))


@attrs.frozen(eq=False, kw_only=True)
class ThresholdRouter(Composable):
    """A router by a score: requests whose score is at least a threshold go to the strong route.

    Their share is read off the distribution of scores, on straight lines between its rows; see
    `score_quantiles`. Where that share is known, a `Router` says the same.

    Attributes:
        weak: The route of scores below the threshold.
        strong: The route of the others.
        threshold: The threshold.
        scores: Rows of a score and the share of the requests that have at most that score; none
            has less than the first.
        fee_per_request: What the scoring of a request costs. [currency]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "threshold_router"

    weak: Route = attrs.field(validator=is_a(Route))
    strong: Route = attrs.field(validator=is_a(Route))
    threshold: Number = number()
    scores: tuple[tuple[float, float], ...] = attrs.field(
        converter=attrs.Converter(_to_quantiles, takes_field=True)  # type: ignore[misc]  # attrs infers no type from a bound converter
    )
    fee_per_request: Money | None = money(default=None, optional=True)
    name: str = text(default="threshold router")

    def __attrs_post_init__(self) -> None:
        for name, route in self.routes.items():
            if route.share is not None:
                raise InvalidValueError(f"{name}.share", "is decided by the threshold; leave it out")

    @property
    def routes(self) -> dict[str, Route]:
        """Both routes by name."""
        return {"weak": self.weak, "strong": self.strong}

    @property
    def strong_share(self) -> Number:
        """Share of the requests whose score is at least the threshold."""
        scores, shares = np.array(self.scores).T
        threshold = np.asarray(self.threshold, dtype=np.float64)
        below = np.nextafter(threshold, -np.inf)
        # A row just below the threshold says that some requests have this very score, and so does the first row.
        under = np.interp(np.where(np.isin(below, scores), below, threshold), scores, shares)
        share = 1.0 - np.where(threshold > scores[0], under, 0.0)
        return float(share) if np.ndim(share) == 0 else share

    def parts(self, demand: Demand) -> dict[str, Demand]:
        """Say which requests take each route."""
        return demand.split({"weak": 1.0 - self.strong_share, "strong": self.strong_share})

    def cost(self, demand: Demand) -> Ledger:
        """Split the demand, ask each component once, and add the router's own cost."""
        answered = hand_out(self, self.routes, self.parts(demand)).under(self.name)
        return with_fee(answered, self, self.fee_per_request, demand)


@attrs.frozen(eq=False, kw_only=True)
class Attempt:
    """A step of a cascade.

    Attributes:
        name: What it is called. Requests carry it as a tag.
        target: What is asked.
        escalated_share: Share of its answers that are not kept: they are asked again at the next step.
            What lies above its `max_requests_per_s` has no answer and is not asked again; what
            its target itself leaves unserved, such as a fleet with a count, is escalated like the rest.
        quality: Share of right answers among those that are kept, 0 to 1.
        quality_of_all: The same if every request were asked there and every answer kept, for baselines.
        latency_s: Mean time until an answer. [s]
        max_requests_per_s: Requests a second that it takes at most; what lies above is unserved. [1/s]
    """

    name: str = text()
    target: Component = attrs.field(validator=is_a(Component))
    escalated_share: Number | None = number(ge=0, le=1, default=None, optional=True)
    quality: Number | None = number(ge=0, le=1, default=None, optional=True)
    quality_of_all: Number | None = number(ge=0, le=1, default=None, optional=True)
    latency_s: Number | None = number(ge=0, default=None, optional=True)
    max_requests_per_s: Number | None = number(ge=0, default=None, optional=True)


def _to_attempts(value: Sequence[Attempt]) -> tuple[Attempt, ...]:
    return tuple(value)


@attrs.frozen(eq=False)
class Cascade(Composable):
    """Components that are asked one after the other, until an answer is kept. Every attempt is paid.

    Attributes:
        attempts: The steps in their order; each but the last says which share it escalates.
        fee_per_judgement: What it costs to decide whether an answer is kept. [currency]
        name: First step of the paths of its lines.
    """

    kind: ClassVar[str] = "cascade"

    attempts: tuple[Attempt, ...] = attrs.field(
        converter=_to_attempts, validator=attrs.validators.deep_iterable(is_a(Attempt))
    )
    fee_per_judgement: Money | None = money(default=None, optional=True, kw_only=True)
    name: str = text(default="cascade")

    def __attrs_post_init__(self) -> None:
        if len({attempt.name for attempt in self.attempts}) < len(self.attempts) or not self.attempts:
            raise InvalidValueError("attempts", "must hold at least one attempt, each with a name of its own")
        for place, attempt in enumerate(self.attempts):
            last = place == len(self.attempts) - 1
            if last != (attempt.escalated_share is None):
                problem = "of the last attempt leads nowhere; leave it out" if last else "is missing"
                raise InvalidValueError(f"attempts[{place}].escalated_share", problem)

    @property
    def routes(self) -> dict[str, Attempt]:
        """The steps by name."""
        return {attempt.name: attempt for attempt in self.attempts}

    def asked(self, demand: Demand) -> dict[str, Demand]:
        """Say which requests each step is asked."""
        left, found = demand, {}
        for attempt in self.attempts:
            found[attempt.name] = left.tagged(attempt.name)
            answered, _ = taken_by(attempt, left)
            left = answered.scaled(0.0 if attempt.escalated_share is None else attempt.escalated_share)
        return found

    def parts(self, demand: Demand) -> dict[str, Demand]:
        """Say which requests end at each step: those that it answers for good, and those above its limit."""
        steps = list(self.asked(demand).items())
        ended = {name: _less(part, later) for (name, part), (_, later) in itertools.pairwise(steps)}
        return {**ended, steps[-1][0]: steps[-1][1]}

    @property
    def _kept(self) -> dict[str, Number]:
        return {
            attempt.name: 1.0 if attempt.escalated_share is None else 1.0 - attempt.escalated_share
            for attempt in self.attempts
        }

    def cost(self, demand: Demand) -> Ledger:
        """Ask each step with what the steps before it have escalated."""
        asked = self.asked(demand)
        answered = hand_out(self, self.routes, asked, self._kept).under(self.name)
        # A request that two steps leave unserved is one request.
        answered = attrs.evolve(answered, unserved=np.minimum(answered.unserved, demand.requests))
        for attempt in self.attempts[:-1]:
            judged, _ = taken_by(attempt, asked[attempt.name])
            answered = with_fee(answered, self, self.fee_per_judgement, judged)
        return answered


def _less(demand: Demand, later: Demand) -> Demand:
    """Take away the requests of another demand with as many streams."""
    pairs = zip(demand.streams, later.streams, strict=True)
    return attrs.evolve(
        demand, streams=tuple(attrs.evolve(one, requests=one.requests - other.requests) for one, other in pairs)
    )
