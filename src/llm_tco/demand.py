"""What users ask for: a workload as a person states it, and the demand on a timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, number, plain, to_number
from llm_tco.errors import InvalidValueError, MismatchError
from llm_tco.finance.discounting import over_time
from llm_tco.loadshape import FLAT, HourOfWeek, Load, LoadShape, Peak
from llm_tco.timeline import Timeline
from llm_tco.units import MONTHS_PER_YEAR

_SHARES_TOLERANCE = 1e-9


def _atoms(value: object, attribute: attrs.Attribute[Any]) -> FloatArray:
    array = np.atleast_1d(np.array(value, dtype=np.float64))
    if not np.isfinite(array).all() or (array < 0).any():
        raise InvalidValueError(attribute.name, "must hold finite numbers of at least 0")
    array.setflags(write=False)
    return array


def _atoms_field() -> Any:
    return attrs.field(converter=attrs.Converter(_atoms, takes_field=True))


@attrs.frozen(eq=False)
class Lengths:
    """A distribution of request lengths: K kinds of request, each with its weight.

    Attributes:
        input_tokens: Prompt tokens of each kind, shape `(..., K)`.
        output_tokens: Generated tokens of each kind, shape `(..., K)`.
        weights: Share of the requests that are of each kind, shape `(K,)`; they sum to 1.
    """

    input_tokens: FloatArray = _atoms_field()
    output_tokens: FloatArray = _atoms_field()
    weights: FloatArray = _atoms_field()

    def __attrs_post_init__(self) -> None:
        kinds = self.weights.shape
        if len(kinds) != 1 or self.input_tokens.shape[-1:] != kinds or self.output_tokens.shape[-1:] != kinds:
            raise InvalidValueError("weights", "must hold one number for each kind of request")
        if abs(self.weights.sum() - 1.0) > _SHARES_TOLERANCE:
            raise InvalidValueError("weights", f"must sum to 1, got {self.weights.sum():g}")

    @classmethod
    def fixed(cls, input_tokens: Number, output_tokens: Number) -> Lengths:
        """Give every request the same length."""
        return cls(column(input_tokens), column(output_tokens), np.ones(1))

    @classmethod
    def of_table(cls, rows: Sequence[Sequence[float]]) -> Lengths:
        """Read rows of input tokens, output tokens and a weight; the weights are scaled to sum to 1."""
        table = np.array(rows, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != 3 or not (table >= 0).all() or table[:, 2].sum() <= 0:
            raise InvalidValueError("lengths", "must hold rows of [input tokens, output tokens, weight], none negative")
        return cls(table[:, 0], table[:, 1], table[:, 2] / table[:, 2].sum())

    def mean(self, values: FloatArray) -> FloatArray:
        """Average a figure over the kinds of request.

        Args:
            values: The figure of each kind, shape `(..., K)`.

        Returns:
            The mean, with an axis for the months: shape `(..., 1)`.
        """
        values = np.broadcast_to(values, np.broadcast_shapes(values.shape, self.weights.shape))
        return over_time(values, self.weights)[..., None]

    def where(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[float, Lengths | None]:
        """Give the weight of some kinds, and their distribution where there are any."""
        weight = float(self.weights[chosen].sum())
        if weight == 0.0:
            return 0.0, None
        return weight, Lengths(
            self.input_tokens[..., chosen], self.output_tokens[..., chosen], self.weights[chosen] / weight
        )


@attrs.frozen(eq=False)
class Stream:
    """Requests of one kind.

    Attributes:
        requests: Requests in each month, shape `(..., T + 1)`; 0 at index 0.
        lengths: How long they are.
        tags: Words that say where they come from.
        cacheable_share: Share of them that a semantic cache may answer.
    """

    requests: FloatArray
    lengths: Lengths
    tags: frozenset[str] = frozenset()
    cacheable_share: Number = 1.0

    def same_as(self, other: Stream) -> bool:
        """Say whether two streams hold the same requests."""
        return self is other or (
            self.tags == other.tags
            and np.array_equal(self.requests, other.requests)
            and np.array_equal(self.cacheable_share, other.cacheable_share)
            and all(
                np.array_equal(getattr(self.lengths, name), getattr(other.lengths, name))
                for name in ("input_tokens", "output_tokens", "weights")
            )
        )


@attrs.frozen(eq=False)
class Demand:
    """A workload on a timeline: streams of requests and the load curve that they follow.

    Attributes:
        timeline: The months.
        streams: The requests.
        load: The slice of a load curve that they follow.
    """

    timeline: Timeline
    streams: tuple[Stream, ...]
    load: Load = attrs.field(factory=Load)
    _memory: dict[object, Any] = attrs.field(factory=dict, init=False, repr=False)

    def remember(self, key: object, make: Any) -> Any:
        """Return what was made under a key, and make it at the first time of asking."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    def _sum(self, name: str | None) -> FloatArray:
        total = np.zeros(self.timeline.size)
        for stream in self.streams:
            per_request = 1.0 if name is None else stream.lengths.mean(getattr(stream.lengths, name))
            total = total + stream.requests * per_request
        total.setflags(write=False)
        return total

    @property
    def requests(self) -> FloatArray:
        """Requests in each month, shape `(..., T + 1)`."""
        return self.remember("requests", lambda: self._sum(None))  # type: ignore[no-any-return]  # memory is untyped

    @property
    def input_tokens(self) -> FloatArray:
        """Prompt tokens in each month, shape `(..., T + 1)`."""
        return self._sum("input_tokens")

    @property
    def output_tokens(self) -> FloatArray:
        """Generated tokens in each month, shape `(..., T + 1)`."""
        return self._sum("output_tokens")

    @property
    def tokens(self) -> FloatArray:
        """Prompt and generated tokens in each month, shape `(..., T + 1)`."""
        return self.input_tokens + self.output_tokens

    def _each(self, change: Any) -> Demand:
        return attrs.evolve(self, streams=tuple(change(stream) for stream in self.streams))

    def scaled(self, factor: Number) -> Demand:
        """Multiply the number of requests.

        Args:
            factor: A number of at least 0, or draws of it.
        """
        return self._each(lambda stream: attrs.evolve(stream, requests=stream.requests * column(factor)))

    def split(self, shares: Mapping[str, Number]) -> dict[str, Demand]:
        """Split by shares that sum to 1; each part is tagged with its name.

        Raises:
            InvalidValueError: The shares are negative or do not sum to 1.
        """
        check_shares(shares)
        return {name: self.scaled(share).tagged(name) for name, share in shares.items()}

    def tagged(self, tag: str) -> Demand:
        """Add a tag to every stream."""
        return self._each(lambda stream: attrs.evolve(stream, tags=stream.tags | {tag}))

    def where(self, tag: str) -> Demand:
        """Keep the streams that carry a tag."""
        return attrs.evolve(self, streams=tuple(stream for stream in self.streams if tag in stream.tags))

    def split_by_length(self, input_tokens: float) -> tuple[Demand, Demand]:
        """Split into requests of at most so many input tokens, and longer ones."""
        parts: list[list[Stream]] = [[], []]
        for stream in self.streams:
            if stream.lengths.input_tokens.ndim > 1:
                raise InvalidValueError("input_tokens", "holds draws, by which requests cannot be told apart")
            short = stream.lengths.input_tokens <= input_tokens
            for part, chosen in zip(parts, (short, ~short), strict=True):
                weight, lengths = stream.lengths.where(chosen)
                if lengths is not None:
                    part.append(attrs.evolve(stream, requests=stream.requests * weight, lengths=lengths))
        short_part, long_part = (attrs.evolve(self, streams=tuple(part)) for part in parts)
        return short_part, long_part

    def cut(self, level: FloatArray) -> tuple[Demand, Demand]:
        """Cut the load curve at a level, into what lies below and what lies above.

        Args:
            level: Multiples of the demand's own mean load, shape `(..., T + 1)`.
        """
        below, above = self.load.cut(level)
        share = self.load.carried(level)
        return self._slice(below, share), self._slice(above, 1.0 - share)

    def _slice(self, load: Load, share: FloatArray) -> Demand:
        part = self._each(lambda stream: attrs.evolve(stream, requests=stream.requests * share))
        return attrs.evolve(part, load=load)

    def cached(self, hit_share: Number) -> Demand:
        """Take away the requests that a cache answers.

        Args:
            hit_share: Share of the cacheable requests that it answers, 0 to 1.
        """

        def missed(stream: Stream) -> Stream:
            answered = np.asarray(stream.cacheable_share) * hit_share
            rest = np.asarray(1.0 - answered)
            left = np.asarray(stream.cacheable_share - answered)
            cacheable = np.divide(left, rest, out=np.zeros_like(rest), where=rest > 0)
            return attrs.evolve(
                stream,
                requests=stream.requests * column(rest),
                cacheable_share=float(cacheable) if cacheable.ndim == 0 else cacheable,
            )

        return self._each(missed)

    def window(self, first: int, months: int | None = None) -> Demand:
        """Give the demand of the months that follow the first `first` ones."""

        def make() -> Demand:
            timeline = self.timeline.window(first, months)
            index = slice(first, first + timeline.size)

            def cut(stream: Stream) -> Stream:
                requests = np.array(stream.requests[..., index])
                requests[..., 0] = 0.0
                return attrs.evolve(stream, requests=requests)

            return Demand(timeline, tuple(cut(stream) for stream in self.streams), self.load.window(index))

        return self.remember(("window", first, months), make)  # type: ignore[no-any-return]  # memory is untyped

    def same_as(self, other: Demand) -> bool:
        """Say whether two demands hold the same requests at the same times."""
        return self is other or (
            self.timeline == other.timeline
            and len(self.streams) == len(other.streams)
            and self.load.same_as(other.load)
            and all(mine.same_as(theirs) for mine, theirs in zip(self.streams, other.streams, strict=True))
        )

    def __add__(self, other: Demand) -> Demand:
        """Add the requests of two demands that follow one load curve.

        Raises:
            MismatchError: They differ in their months, or in their load curves.
        """
        if not isinstance(other, Demand):
            return NotImplemented
        if self.timeline != other.timeline:
            raise MismatchError(f"demands on different timelines don't add: {self.timeline} and {other.timeline}")
        load = self.load if self.load.same_as(other.load) else _joined(self, other)
        return Demand(self.timeline, self.streams + other.streams, load)


def _joined(one: Demand, other: Demand) -> Load:
    """Join two adjacent slices of one curve into the slice that spans both."""
    for lower, upper in ((one, other), (other, one)):
        size = lower.timeline.size
        if not np.array_equal(np.broadcast_to(lower.load.high, size), np.broadcast_to(upper.load.low, size)):
            continue
        whole = Load(lower.load.shape, lower.load.low, upper.load.high)
        expected = whole.volume * (lower.requests * upper.load.volume)
        volumes = (lower.requests + upper.requests) * lower.load.volume * upper.load.volume
        if lower.load.shape == upper.load.shape and np.allclose(volumes, expected, rtol=1e-9, atol=0.0):
            return whole
    raise MismatchError(
        "demands that follow different load curves don't add. State one load shape for both, "
        "or serve each by a component of its own."
    )


def check_shares(shares: Mapping[str, Number], field: str = "shares") -> None:
    """Refuse shares that are negative or do not sum to 1.

    Raises:
        InvalidValueError: See above.
    """
    if not shares:
        raise InvalidValueError(field, "must name at least one part")
    total = np.zeros(())
    for name, share in shares.items():
        value = to_number(share, f"{field}.{name}")
        if np.min(value) < 0:
            raise InvalidValueError(f"{field}.{name}", f"must be at least 0, got {plain(np.min(value))}")
        total = total + value
    if np.max(np.abs(total - 1.0)) > _SHARES_TOLERANCE:
        worst = np.ravel(total)[np.argmax(np.abs(np.ravel(total) - 1.0))]
        raise InvalidValueError(field, f"must sum to 1, got {plain(worst)}")


def _to_lengths(value: Lengths | Sequence[Sequence[float]] | None) -> Lengths | None:
    return Lengths.of_table(value) if isinstance(value, (list, tuple)) else value  # type: ignore[return-value]  # checked


@attrs.frozen(kw_only=True, eq=False)
class Workload:
    """What users ask for, as a person states it.

    Give either the mean tokens of a request or a distribution of lengths, and either a
    peak or the 168 hours of a week; without one of these two the load is flat.

    Attributes:
        requests_per_month: Requests in month 1. [1/month]
        input_tokens: Mean prompt tokens of a request.
        output_tokens: Mean generated tokens of a request.
        lengths: Distribution of lengths instead: a `Lengths`, or rows of input tokens,
            output tokens and a weight.
        growth_per_year: Growth of the requests, as a ratio; month by month at the
            equivalent monthly rate. [1/year]
        cacheable_share: Share of the requests that a semantic cache may answer.
        peak_to_mean: Highest over mean load.
        hourly_load: The load of each hour of the week from Monday 0:00 on, in any unit.
    """

    requests_per_month: Number = number(ge=0)
    input_tokens: Number | None = number(ge=0, default=None, optional=True)
    output_tokens: Number | None = number(ge=0, default=None, optional=True)
    lengths: Lengths | None = attrs.field(default=None, converter=_to_lengths)
    growth_per_year: Number = number(gt=-1, default=0.0)
    cacheable_share: Number = number(ge=0, le=1, default=1.0)
    peak_to_mean: Number | None = number(ge=1, default=None, optional=True)
    hourly_load: tuple[float, ...] | None = None

    def __attrs_post_init__(self) -> None:
        means = (self.input_tokens, self.output_tokens)
        if self.lengths is None:
            for name, value in zip(("input_tokens", "output_tokens"), means, strict=True):
                if value is None:
                    raise InvalidValueError(name, "is missing; give the mean of both kinds of token, or lengths")
        elif any(value is not None for value in means):
            raise InvalidValueError("lengths", "must stand alone, without input_tokens and output_tokens")
        if self.hourly_load is not None and self.peak_to_mean is not None:
            raise InvalidValueError("hourly_load", "must stand alone, without peak_to_mean")
        self.load_shape  # noqa: B018 - refuses a bad one here, at the door

    @property
    def load_shape(self) -> LoadShape:
        """The load curve."""
        if self.hourly_load is not None:
            try:
                return HourOfWeek(self.hourly_load)
            except InvalidValueError as error:
                raise InvalidValueError("hourly_load", error.problem) from None
        return FLAT if self.peak_to_mean is None else Peak(self.peak_to_mean)

    def on(self, timeline: Timeline) -> Demand:
        """Lay the workload on a timeline."""
        lengths = self.lengths
        if lengths is None:
            assert self.input_tokens is not None and self.output_tokens is not None  # noqa: PT018 - see post-init
            lengths = Lengths.fixed(self.input_tokens, self.output_tokens)
        years = (timeline.index - 1.0) / MONTHS_PER_YEAR
        growth = np.power(1.0 + column(self.growth_per_year), years)
        with np.errstate(over="ignore"):  # what is too large is refused where it is read
            requests = column(self.requests_per_month) * np.where(timeline.index > 0, growth, 0.0)
        stream = Stream(requests=requests, lengths=lengths, cacheable_share=self.cacheable_share)
        return Demand(timeline, (stream,), Load(self.load_shape))
