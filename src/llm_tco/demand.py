"""What users ask for: a workload as a person states it, and the demand on a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, column, number, plain, to_number
from llm_tco.catalog.weeks import time_zone
from llm_tco.errors import InvalidValueError, MismatchError
from llm_tco.lengths import SHARES_TOLERANCE, Lengths, to_lengths
from llm_tco.loadshape import FLAT, HourOfWeek, Load, LoadShape, Peak, same_shape
from llm_tco.timeline import Timeline
from llm_tco.units import MONTHS_PER_YEAR

__all__ = ["Demand", "Lengths", "Stream", "Workload", "WorkloadPart", "check_shares"]


def _by_month(value: object, attribute: attrs.Attribute[Any]) -> FloatArray:
    """Take one number for all months, or an array whose last axis is the month."""
    return column(value) if isinstance(value, (int, float)) else np.asarray(value, dtype=np.float64)


@attrs.frozen(eq=False)
class Stream:
    """Requests of one kind.

    Attributes:
        requests: Requests in each month, shape `(..., T + 1)`; 0 at index 0.
        lengths: How long they are.
        tags: Words that say where they come from.
        cacheable_share: Share of them that a semantic cache may answer: one number, or an
            array of shape `(..., 1)` or `(..., T + 1)`.
        required_quality: Share of right answers that they need, where it is stated.
    """

    requests: FloatArray
    lengths: Lengths
    tags: frozenset[str] = frozenset()
    cacheable_share: FloatArray = attrs.field(
        default=1.0,
        converter=attrs.Converter(_by_month, takes_field=True),  # type: ignore[misc]  # attrs infers no type from a bound converter
    )
    required_quality: Number | None = None

    def only(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Stream | None:
        """Give its requests of some kinds; None where there are none.

        Args:
            chosen: Which kinds of request, shape `(K,)`.
        """
        if chosen.all():
            return self
        weight, lengths = self.lengths.where(chosen)
        return None if lengths is None else attrs.evolve(self, requests=self.requests * weight, lengths=lengths)

    def same_as(self, other: Stream) -> bool:
        """Say whether two streams hold the same requests."""
        return self is other or (
            self.tags == other.tags
            and np.array_equal(self.requests, other.requests)
            and np.array_equal(self.cacheable_share, other.cacheable_share)
            and self.lengths.same_as(other.lengths)
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
                some = stream.only(chosen)
                if some is not None:
                    part.append(some)
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

    def cached(self, hit_share: FloatArray) -> Demand:
        """Take away the requests that a cache answers.

        Args:
            hit_share: Share of the cacheable requests that it answers, 0 to 1, shape
                `(..., 1)` or `(..., T + 1)`.
        """

        def missed(stream: Stream) -> Stream:
            answered = stream.cacheable_share * hit_share
            rest = 1.0 - answered
            left = stream.cacheable_share - answered
            cacheable = np.divide(left, rest, out=np.zeros_like(rest), where=rest > 0)
            return attrs.evolve(stream, requests=stream.requests * rest, cacheable_share=cacheable)

        return self._each(missed)

    def hits(self, hit_share: FloatArray) -> Demand:
        """Keep the requests that a cache answers; with `cached`, they are the whole demand.

        Args:
            hit_share: As in `cached`.
        """
        return self._each(
            lambda stream: attrs.evolve(stream, requests=stream.requests * (stream.cacheable_share * hit_share))
        )

    def window(self, first: int, months: int | None = None) -> Demand:
        """Give the demand of the months that follow the first `first` ones."""

        def make() -> Demand:
            timeline = self.timeline.window(first, months)
            index = slice(first, first + timeline.size)

            def cut(stream: Stream) -> Stream:
                requests = np.array(stream.requests[..., index])
                requests[..., 0] = 0.0
                cacheable = stream.cacheable_share
                some = cacheable if cacheable.shape[-1] == 1 else cacheable[..., index]
                return attrs.evolve(stream, requests=requests, cacheable_share=some)

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
        if not np.equal(lower.load.high, upper.load.low).all():
            continue
        whole = Load(lower.load.shape, lower.load.low, upper.load.high)
        expected = whole.volume * (lower.requests * upper.load.volume)
        volumes = (lower.requests + upper.requests) * lower.load.volume * upper.load.volume
        if same_shape(lower.load.shape, upper.load.shape) and np.allclose(volumes, expected, rtol=1e-9, atol=0.0):
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
    if np.max(np.abs(total - 1.0)) > SHARES_TOLERANCE:
        worst = np.ravel(total)[np.argmax(np.abs(np.ravel(total) - 1.0))]
        raise InvalidValueError(field, f"must sum to 1, got {plain(worst)}")


def _check_lengths(holder: Workload | WorkloadPart, *, stated: bool = True) -> None:
    """Refuse lengths that are stated twice or, unless parts state them, not at all."""
    means = (holder.input_tokens, holder.output_tokens)
    if holder.lengths is not None:
        if any(value is not None for value in means):
            raise InvalidValueError("lengths", "must stand alone, without input_tokens and output_tokens")
        return
    for name, value in zip(("input_tokens", "output_tokens"), means, strict=True):
        if value is None and stated:
            raise InvalidValueError(name, "is missing; give the mean of both kinds of token, or lengths")


def _lengths_of(holder: Workload | WorkloadPart) -> Lengths:
    if holder.lengths is not None:
        return holder.lengths
    assert holder.input_tokens is not None and holder.output_tokens is not None  # noqa: PT018 - checked at the door
    return attrs.evolve(Lengths.fixed(holder.input_tokens, holder.output_tokens), only_means=True)


def _to_tags(value: Sequence[str], attribute: attrs.Attribute[Any]) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(tag, str) and tag.strip() for tag in value):
        raise InvalidValueError(attribute.name, f"must list words such as 'critical', got {value!r}")
    return tuple(value)


@attrs.frozen(kw_only=True, eq=False)
class WorkloadPart:
    """Some of the requests of a workload, such as those of one task.

    Attributes:
        share: Share of the workload's requests.
        input_tokens: Mean prompt tokens of a request.
        output_tokens: Mean generated tokens of a request.
        lengths: Distribution of lengths instead.
        tags: Words by which a router tells them apart, beside the name of the part.
        cacheable_share: Share of them that a semantic cache may answer.
        required_quality: Share of right answers that they need, where it is stated.
    """

    share: Number = number(ge=0, le=1)
    input_tokens: Number | None = number(ge=0, default=None, optional=True)
    output_tokens: Number | None = number(ge=0, default=None, optional=True)
    lengths: Lengths | None = attrs.field(default=None, converter=to_lengths)
    tags: tuple[str, ...] = attrs.field(
        default=(),
        converter=attrs.Converter(_to_tags, takes_field=True),  # type: ignore[misc]  # attrs infers no type from a bound converter
    )
    cacheable_share: Number = number(ge=0, le=1, default=1.0)
    required_quality: Number | None = number(ge=0, le=1, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        _check_lengths(self)


def _check_parts(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(part, WorkloadPart) for part in value.values()):
        raise InvalidValueError(attribute.name, f"must map names to parts of the workload, got {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class Workload:
    """What users ask for, as a person states it.

    Give either the mean tokens of a request or a distribution of lengths, or parts that
    each state their own; and either a peak or the 168 hours of a week; without one of these
    two the load is flat.

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
        timezone: IANA name of the time zone of these hours; it matters where a price or a
            tariff has hours of its own.
        required_quality: Share of right answers that the requests need, where it is stated.
        parts: Kinds of request that differ in more than their lengths, such as tasks, by
            name; their shares sum to 1.
    """

    requests_per_month: Number = number(ge=0)
    input_tokens: Number | None = number(ge=0, default=None, optional=True)
    output_tokens: Number | None = number(ge=0, default=None, optional=True)
    lengths: Lengths | None = attrs.field(default=None, converter=to_lengths)
    growth_per_year: Number = number(gt=-1, default=0.0, percent_from=5.0)
    cacheable_share: Number = number(ge=0, le=1, default=1.0)
    peak_to_mean: Number | None = number(ge=1, default=None, optional=True)
    hourly_load: tuple[float, ...] | None = None
    timezone: str | None = time_zone(default=None)
    required_quality: Number | None = number(ge=0, le=1, default=None, optional=True)
    parts: Mapping[str, WorkloadPart] = attrs.field(factory=dict, validator=_check_parts)

    def __attrs_post_init__(self) -> None:
        _check_lengths(self, stated=not self.parts)
        if self.parts:
            check_shares({name: part.share for name, part in self.parts.items()}, "parts")
            self._check_parts_stand_alone()
        if self.hourly_load is not None and self.peak_to_mean is not None:
            raise InvalidValueError("hourly_load", "must stand alone, without peak_to_mean")
        if self.hourly_load is None and self.timezone is not None:
            raise InvalidValueError("timezone", "is that of hourly_load, which is not given")
        self.load_shape  # noqa: B018 - refuses a bad one here, at the door

    def _check_parts_stand_alone(self) -> None:
        for name in ("input_tokens", "output_tokens", "lengths", "required_quality"):
            if getattr(self, name) is not None:
                raise InvalidValueError(name, "is stated by each of the parts; leave it out here")
        if np.any(np.not_equal(self.cacheable_share, 1.0)):
            raise InvalidValueError("cacheable_share", "is stated by each of the parts; leave it out here")

    @property
    def load_shape(self) -> LoadShape:
        """The load curve."""
        if self.hourly_load is not None:
            try:
                return HourOfWeek(self.hourly_load, self.timezone)
            except InvalidValueError as error:
                raise InvalidValueError("hourly_load", error.problem) from None
        return FLAT if self.peak_to_mean is None else Peak(self.peak_to_mean)

    def on(self, timeline: Timeline) -> Demand:
        """Lay the workload on a timeline."""
        years = (timeline.index - 1.0) / MONTHS_PER_YEAR
        growth = np.power(1.0 + column(self.growth_per_year), years)
        with np.errstate(over="ignore"):  # what is too large is refused where it is read
            requests = column(self.requests_per_month) * np.where(timeline.index > 0, growth, 0.0)
            streams = tuple(self._streams(requests))
        return Demand(timeline, streams, Load(self.load_shape))

    def _streams(self, requests: FloatArray) -> Iterator[Stream]:
        if not self.parts:
            yield Stream(
                requests=requests,
                lengths=_lengths_of(self),
                cacheable_share=column(self.cacheable_share),
                required_quality=self.required_quality,
            )
        for name, part in self.parts.items():
            yield Stream(
                requests=requests * column(part.share),
                lengths=_lengths_of(part),
                tags=frozenset({name, *part.tags}),
                cacheable_share=column(part.cacheable_share),
                required_quality=part.required_quality,
            )
