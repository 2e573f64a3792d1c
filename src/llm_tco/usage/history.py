"""The history of a router: where requests went, what they cost, and what that saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco._fields import FloatArray
from llm_tco.errors import CurrencyError, InvalidValueError, suggest
from llm_tco.money import Money, check_currency, to_money
from llm_tco.usage.tables import Table, read_table, take_columns, to_moments, to_numbers

CostPerRequest = Callable[[str, FloatArray, FloatArray], npt.ArrayLike]
"""Prices requests as if a tier had answered them: tier, input tokens and output tokens of
shape `(n,)`, to the cost of each, shape `(n,)` or one number. [currency]"""

BASELINES: Final = ("dearest", "cheapest", "random")
"""Baselines beside the names of the tiers."""


@attrs.frozen(kw_only=True)
class GroupCost:
    """What the records of one tier, model or task cost.

    Attributes:
        name: Tier, model or task.
        count: Records, each an attempt to answer.
        share: Share of all records.
        escalated: Records that are a further attempt at a request.
        cost: Their cost. [currency]
        cost_share: Share of the whole cost; None where that is 0.
    """

    name: str
    count: int
    share: float
    escalated: int
    cost: float
    cost_share: float | None

    @property
    def cost_per_record(self) -> float | None:
        """Mean cost of a record in the history's currency; None where there is none."""
        return self.cost / self.count if self.count else None

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values, for JSON."""
        return {**attrs.asdict(self), "cost_per_record": self.cost_per_record}


@attrs.frozen(kw_only=True)
class HistorySaving:
    """What the router saved against another way to answer the same requests.

    Attributes:
        baseline: The baseline, as it was asked for.
        tier: Tier that the baseline sends all requests to; None for random routing.
        basis: `"repriced"`: each request is priced by its own tokens as if that tier had
            answered it. `"mean"`: each is taken to cost what that tier's own requests cost
            on the mean, which is off where the router sends long requests elsewhere.
        cost: What the router cost. [currency]
        baseline_cost: What the baseline would have cost. [currency]
    """

    baseline: str
    tier: str | None
    basis: str
    cost: float
    baseline_cost: float

    @property
    def saving(self) -> float:
        """Cost that was saved, in the history's currency; negative where the router cost more."""
        return self.baseline_cost - self.cost

    @property
    def saving_share(self) -> float | None:
        """Saved share of the baseline's cost; None where the baseline costs nothing."""
        return self.saving / self.baseline_cost if self.baseline_cost else None

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values, for JSON."""
        return {**attrs.asdict(self), "saving": self.saving, "saving_share": self.saving_share}


@attrs.frozen(kw_only=True)
class HistoryReport:
    """What a routing history comes to.

    Attributes:
        currency: Currency of all costs.
        records: Records, each an attempt to answer.
        requests: Requests: the records that are not a further attempt.
        cost: Cost of all records. [currency]
        tiers: Figures of each tier.
        models: Figures of each model, if the history names them.
        tasks: Figures of each task, if the history names them.
        savings: Saving against each baseline that can be computed.
        first: Time of the first record, if the history has times.
        last: Time of the last record, likewise.
    """

    currency: str
    records: int
    requests: int
    cost: float
    tiers: tuple[GroupCost, ...]
    models: tuple[GroupCost, ...]
    tasks: tuple[GroupCost, ...]
    savings: tuple[HistorySaving, ...]
    first: datetime | None
    last: datetime | None

    @property
    def cost_per_request(self) -> float:
        """Mean cost of a request, all its attempts included, in the history's currency."""
        return self.cost / self.requests

    @property
    def escalated_share(self) -> float:
        """Further attempts per request."""
        return (self.records - self.requests) / self.requests

    def tier(self, name: str) -> GroupCost:
        """Give the figures of a tier.

        Raises:
            InvalidValueError: There is no such tier.
        """
        found = {group.name: group for group in self.tiers}
        if name not in found:
            raise InvalidValueError("tier", f"must be one of the history, got {name!r}{suggest(name, found)}")
        return found[name]

    def saving_against(self, baseline: str) -> HistorySaving:
        """Give the saving against a baseline: a tier, `"dearest"`, `"cheapest"` or `"random"`.

        Raises:
            InvalidValueError: The baseline is unknown, or cannot be computed from what is known.
        """
        found = {saving.baseline: saving for saving in self.savings}
        if baseline in found:
            return found[baseline]
        known = [group.name for group in self.tiers]
        if baseline in BASELINES or baseline in known:
            raise InvalidValueError(
                "baseline",
                f"must be computable, got {baseline!r}: what its tiers would cost for these requests is not known. "
                "Give cost_per_request to the report.",
            )
        raise InvalidValueError(
            "baseline", f"must be a tier or a baseline, got {baseline!r}{suggest(baseline, [*known, *BASELINES])}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Give the report as plain values, for JSON."""
        groups = {name: [group.as_dict() for group in getattr(self, name)] for name in ("tiers", "models", "tasks")}
        return {
            "currency": self.currency,
            "records": self.records,
            "requests": self.requests,
            "escalated_share": self.escalated_share,
            "cost": self.cost,
            "cost_per_request": self.cost_per_request,
            **groups,
            "savings": [saving.as_dict() for saving in self.savings],
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
        }


def _numbers(value: npt.ArrayLike | None, attribute: attrs.Attribute[Any]) -> FloatArray | None:
    if value is None:
        return None
    array = np.array(value, dtype=np.float64, order="C")
    if not np.isfinite(array).all() or (array < 0).any():
        row = int(np.argmax(~np.isfinite(array) | (array < 0)))
        raise InvalidValueError(
            attribute.name, f"must hold finite numbers of at least 0, got {array.flat[row]:g} in record {row + 1}"
        )
    array.setflags(write=False)
    return array


def _labels(value: Iterable[str] | None, attribute: attrs.Attribute[Any]) -> npt.NDArray[np.str_] | None:
    if value is None:
        return None
    if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.all():
        return value.copy()
    labels = list(value)
    other = sorted(kind.__name__ for kind in set(map(type, labels)) if not issubclass(kind, str))
    if other or "" in labels:
        raise InvalidValueError(
            attribute.name, f"must hold a text for each record, got a {other[0] if other else 'text without letters'}"
        )
    return np.array(labels, dtype=np.str_)


def _times(value: npt.ArrayLike | Sequence[datetime] | None) -> Sequence[datetime] | None:
    if value is None:
        return None
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        return list(value.astype("datetime64[us]").tolist())
    return list(value)  # type: ignore[arg-type]  # what is no sequence of times is refused with the others


def _flags(value: npt.ArrayLike | None) -> npt.NDArray[np.bool_] | None:
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise InvalidValueError("escalated", "must hold true or false for each record")
    return array.astype(np.bool_)


def _column(convert: Callable[[Any, attrs.Attribute[Any]], Any], default: Any = None) -> Any:
    return attrs.field(default=default, converter=attrs.Converter(convert, takes_field=True))


@attrs.frozen(kw_only=True, eq=False)
class RoutingHistory:
    """Records of a router, one for each attempt to answer a request, as columns of shape `(n,)`.

    Attributes:
        tiers: Tier, or route, that each record went to.
        costs: What each cost, if it is known. [currency]
        input_tokens: Prompt tokens of each, if known.
        output_tokens: Generated tokens of each, if known.
        models: Model that answered, if known.
        tasks: Kind of task, if known.
        times: When each came, if known: all with a zone or all without.
        escalated: True where a record is a further attempt at a request that an earlier
            record could not answer. Both are paid. Without it each record is a request.
    """

    tiers: npt.NDArray[np.str_] = _column(_labels, attrs.NOTHING)
    costs: FloatArray | None = _column(_numbers)
    input_tokens: FloatArray | None = _column(_numbers)
    output_tokens: FloatArray | None = _column(_numbers)
    models: npt.NDArray[np.str_] | None = _column(_labels)
    tasks: npt.NDArray[np.str_] | None = _column(_labels)
    times: Sequence[datetime] | None = attrs.field(default=None, converter=_times)
    escalated: npt.NDArray[np.bool_] | None = attrs.field(default=None, converter=_flags)

    def __attrs_post_init__(self) -> None:
        if self.tiers is None or self.tiers.ndim != 1 or self.tiers.size == 0:
            raise InvalidValueError("tiers", "must name the tier of at least one record, got an empty history")
        for field in attrs.fields(RoutingHistory):
            values = getattr(self, field.name)
            if values is not None and np.shape(values) != self.tiers.shape:
                raise InvalidValueError(
                    field.name, f"must have a value for each of {len(self)} records, got shape {np.shape(values)}"
                )
        if self.escalated is not None and self.escalated.all():
            raise InvalidValueError("escalated", "must be false for at least one record: every request begins with one")

    def __len__(self) -> int:
        return len(self.tiers)

    def report(
        self,
        *,
        currency: str | None = None,
        cost_per_request: CostPerRequest | Mapping[str, Money | str] | None = None,
        tiers: Iterable[str] = (),
    ) -> HistoryReport:
        """Count and add up, and compare with other ways to answer the same requests.

        Against a baseline each request is answered once, with the tokens of its first
        attempt. Random routing sends each request to each tier with that tier's share of
        the records. No figure depends on the order of the records.

        Args:
            currency: Currency of the costs; not needed where `cost_per_request` names it.
            cost_per_request: What a request costs at a tier: a function of tier, input
                tokens and output tokens, or an amount for each tier. It prices the records
                where the history holds no costs, and the baselines.
            tiers: Further tiers, to list and to compare with although no record went there.

        Raises:
            InvalidValueError: Neither the history nor the call says what a request costs,
                a tier has no price, or the currency is missing.
            CurrencyError: The amounts are in several currencies.
        """
        amounts = cost_per_request if isinstance(cost_per_request, Mapping) else {}
        known = {*np.unique(self.tiers).tolist(), *tiers, *amounts}
        if not known.isdisjoint(BASELINES):
            name = min(known.intersection(BASELINES))
            raise InvalidValueError("tiers", f"must not be named like a baseline, got {name!r}. Rename that tier.")
        unit, price = _pricing(cost_per_request, currency)
        costs = self._costs(price)
        escalated = np.zeros(len(self), dtype=np.bool_) if self.escalated is None else self.escalated
        total = math.fsum(costs)
        by_tier = _groups(self.tiers, costs, escalated, total, known)
        first, last = self._span()
        return HistoryReport(
            currency=unit,
            records=len(self),
            requests=int((~escalated).sum()),
            cost=total,
            tiers=by_tier,
            models=_groups(self.models, costs, escalated, total),
            tasks=_groups(self.tasks, costs, escalated, total),
            savings=_savings(
                total,
                by_tier,
                self._always(by_tier, ~escalated, price),
                "mean" if price is None else "repriced",
            ),
            first=first,
            last=last,
        )

    def _costs(self, price: CostPerRequest | None) -> FloatArray:
        """Give the cost of each record: as it was logged, else by the price of its tier."""
        if self.costs is not None:
            return self.costs
        if price is None:
            raise InvalidValueError("costs", "must be in the history, or else give cost_per_request to the report")
        costs = np.zeros(len(self))
        for tier in np.unique(self.tiers).tolist():
            costs[self.tiers == tier] = self._priced(price, tier, self.tiers == tier)
        return costs

    def _priced(self, price: CostPerRequest, tier: str, rows: npt.NDArray[np.bool_]) -> FloatArray:
        """Price some of the records as if a tier had answered them, shape `(rows,)`."""
        tokens = []
        for values, name in ((self.input_tokens, "input_tokens"), (self.output_tokens, "output_tokens")):
            if values is None and not isinstance(price, _Amounts):
                raise InvalidValueError(name, "must be in the history to price requests by a function of their tokens")
            tokens.append(np.zeros(int(rows.sum())) if values is None else values[rows])
        cost = np.asarray(price(tier, *tokens), dtype=np.float64)
        if cost.shape not in ((), (int(rows.sum()),)) or not np.isfinite(cost).all() or (cost < 0).any():
            raise InvalidValueError(
                f"cost_per_request of {tier}", f"must give one finite cost of at least 0 per request, got {cost!r}"
            )
        return np.broadcast_to(cost, (int(rows.sum()),))

    def _always(
        self, tiers: Sequence[GroupCost], begun: npt.NDArray[np.bool_], price: CostPerRequest | None
    ) -> dict[str, float]:
        """Give what all requests would cost at each tier, but for tiers of which nothing is known."""
        if price is not None:
            return {tier.name: math.fsum(self._priced(price, tier.name, begun)) for tier in tiers}
        requests = int(begun.sum())
        return {tier.name: tier.cost / tier.count * requests for tier in tiers if tier.count}

    def _span(self) -> tuple[datetime | None, datetime | None]:
        if self.times is None:
            return None, None
        try:
            return min(self.times), max(self.times)
        except TypeError:
            raise InvalidValueError("times", "must be datetimes, all with a zone or all without") from None


@attrs.frozen
class _Amounts:
    """A price per request for each tier, whatever its tokens."""

    amounts: Mapping[str, float]

    def __call__(self, tier: str, input_tokens: FloatArray, output_tokens: FloatArray) -> float:
        if tier not in self.amounts:
            raise InvalidValueError(
                "cost_per_request", f"must have an amount for tier {tier!r}{suggest(tier, self.amounts)}"
            )
        return self.amounts[tier]


def _pricing(
    price: CostPerRequest | Mapping[str, Money | str] | None, currency: str | None
) -> tuple[str, CostPerRequest | None]:
    """Give the currency and the function that prices requests at a tier."""
    if isinstance(price, Mapping):
        amounts = {tier: to_money(amount, f"cost_per_request.{tier}") for tier, amount in price.items()}
        units = sorted({*(amount.currency for amount in amounts.values()), *([currency] if currency else [])})
        if len(units) > 1:
            raise CurrencyError(f"the costs are in {' and '.join(units)}. State all of them in one currency.")
        currency = units[0] if units else None
        price = _Amounts({tier: float(amount.value) for tier, amount in amounts.items()})
    if currency is None:
        raise InvalidValueError("currency", "must be given: the costs are plain numbers")
    return check_currency(currency), price


def _groups(
    labels: npt.NDArray[np.str_] | None,
    costs: FloatArray,
    escalated: npt.NDArray[np.bool_],
    total: float,
    listed: Iterable[str] = (),
) -> tuple[GroupCost, ...]:
    """Count and add up the records of each label, in the order of their names."""
    if labels is None:
        return ()
    found, which = np.unique(labels, return_inverse=True)
    counts = np.bincount(which, minlength=found.size)
    further = np.bincount(which[escalated], minlength=found.size)
    parts = np.split(costs[np.argsort(which, kind="stable")], np.cumsum(counts)[:-1])
    figures = {
        name: (int(count), int(more), math.fsum(part))
        for name, count, more, part in zip(found.tolist(), counts, further, parts, strict=True)
    }
    return tuple(
        GroupCost(
            name=name,
            count=count,
            share=count / len(labels),
            escalated=more,
            cost=cost,
            cost_share=cost / total if total else None,
        )
        for name, (count, more, cost) in sorted({**dict.fromkeys(listed, (0, 0, 0.0)), **figures}.items())
    )


def _savings(
    cost: float, tiers: Sequence[GroupCost], always: Mapping[str, float], basis: str
) -> tuple[HistorySaving, ...]:
    """Compare the cost with each tier alone, the dearest, the cheapest, and random routing."""
    ranked = sorted(always, key=lambda tier: (always[tier], tier))
    named: dict[str, str | None] = {**{tier: tier for tier in always}, "dearest": ranked[-1], "cheapest": ranked[0]}
    costs = {name: always[tier] for name, tier in named.items() if tier is not None}
    if basis == "repriced":
        # With the mean of each tier's own requests, random routing would cost what the router costs, by construction.
        named["random"] = None
        costs["random"] = math.fsum(tier.share * always[tier.name] for tier in tiers)
    return tuple(
        HistorySaving(baseline=name, tier=tier, basis=basis, cost=cost, baseline_cost=costs[name])
        for name, tier in named.items()
    )


def history_of(
    table: Table,
    *,
    tiers: str,
    costs: str | None = None,
    input_tokens: str | None = None,
    output_tokens: str | None = None,
    models: str | None = None,
    tasks: str | None = None,
    times: str | None = None,
    escalated: str | None = None,
    title: str = "table",
) -> RoutingHistory:
    """Read a routing history off a table with one row per record.

    Args:
        table: Columns by name: a mapping of arrays, a structured array or a data frame.
        tiers: Name of the column of tiers; the further arguments name the other columns of
            a `RoutingHistory`. Times are datetimes or texts in ISO 8601.
        title: What the table is called in an error.

    Raises:
        ProblemsError: Columns are missing, or hold what is no number or no time.
        InvalidValueError: A number is out of bounds.

    >>> history = history_of({"tier": ["local", "cloud", "local"], "paid": [1, 10, 1]}, tiers="tier", costs="paid")
    >>> history.report(currency="CNY").saving_against("cloud").saving
    18.0
    """
    numbers = {"costs": costs, "input_tokens": input_tokens, "output_tokens": output_tokens, "escalated": escalated}
    texts = {"tiers": tiers, "models": models, "tasks": tasks, "times": times}
    named = {field: column for field, column in {**texts, **numbers}.items() if column is not None}
    found = take_columns(table, named.values(), title=title)
    columns: dict[str, Any] = {field: found[column] for field, column in named.items()}
    for field in numbers.keys() & columns.keys():
        columns[field] = to_numbers(columns[field], named[field], title=title)
    if "times" in columns:
        held = columns["times"]
        moments = isinstance(held, np.ndarray) and held.dtype.kind == "M"
        columns["times"] = held if moments else to_moments(list(held), named["times"], title=title)
    return RoutingHistory(**columns)


def read_history(path: str | Path, **columns: str) -> RoutingHistory:
    """Read a routing history off a CSV file with a header and one row per record.

    Args:
        path: The file.
        columns: Names of its columns, as in `history_of`.
    """
    return history_of(read_table(path), **columns, title=str(path))
