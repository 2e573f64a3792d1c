"""A comparison as a plain document: what `--json` prints, and what every other report reads.

The document's form is described in the documentation under "The JSON document".
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np

from llm_tco._fields import Number
from llm_tco.analysis.compare import Comparison, Investment, Option
from llm_tco.analysis.crossings import Crossings
from llm_tco.catalog.records import Record
from llm_tco.errors import DoubleCountError, InvalidValueError
from llm_tco.finance.returns import Irr
from llm_tco.financing import FinancialTerms
from llm_tco.lock import content_hash
from llm_tco.money import DatedRates, ExchangeRates

FORMAT: Final = 1
"""Version of the document's form."""


def document(comparison: Comparison, *, title: str) -> dict[str, Any]:
    """Give a comparison as plain data.

    Args:
        comparison: The comparison.
        title: What it is about.

    Returns:
        Dictionaries, lists, numbers, texts, booleans and None.
    """
    terms, timeline = comparison.terms, comparison.timeline
    return {
        "format": FORMAT,
        "title": title,
        "best": comparison.best,
        "ranking": list(comparison.ranking),
        "saving": _saving(comparison),
        "currency": terms.currency,
        "fx": _fx(terms.rates),
        "start": timeline.start.isoformat(),
        "months": timeline.months,
        "discount_rate": _plain(terms.discount_rate),
        "lens": terms.lens,
        "finance": _finance(terms.finance),
        "options": {name: _option(option) for name, option in comparison.options.items()},
        "pairs": [_pair(comparison, a, b) for a, b in comparison.pairs],
        "sources": [_record(record) for record in comparison.records],
    }


def _fx(rates: ExchangeRates) -> dict[str, Any]:
    """Give what one unit of each other currency is worth: a number, or numbers by the day from which on they hold."""

    def quote(rate: Any) -> Any:
        if not isinstance(rate, DatedRates):
            return _plain(rate)
        return {day.isoformat(): _plain(value) for day, value in zip(rate.days, rate.values, strict=True)}

    return {code: quote(rate) for code, rate in rates.rates.items() if code != rates.base}


def _finance(finance: FinancialTerms) -> dict[str, Any]:
    """Give the financial terms that are stated."""
    stated: dict[str, Any] = {"price_basis": finance.price_basis}
    if finance.inflation_rate is not None:
        stated["inflation_rate"] = _plain(finance.inflation_rate)
    for name, means in (("loan", finance.loan), ("lease", finance.lease), ("tax", finance.tax)):
        if means is not None:
            fields = attrs.asdict(means)
            stated[name] = {key: _plain(value) for key, value in fields.items() if value is not None}
    return stated


def _saving(comparison: Comparison) -> dict[str, Any] | None:
    """Give what the best option saves against the runner-up; None where there is no runner-up."""
    best, other = comparison.best, comparison.runner_up
    if best is None or other is None:
        return None
    money, share = comparison.saving(best, instead_of=other)
    return {"option": best, "instead_of": other, "amount": _plain(money), "share": _plain(share)}


def _plain(value: Number | None) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _option(option: Option) -> dict[str, Any]:
    short = np.broadcast_to(option.unserved, option.cash.shape)
    months = np.flatnonzero(short.reshape(-1, short.shape[-1]).max(axis=0) > 0)
    return {
        "feasible": option.feasible,
        "priced": option.priced,
        "answered": option.answered,
        "upfront": _plain(option.upfront),
        "monthly": _plain(option.monthly),
        "tco": _plain(option.tco),
        "net": _plain(option.net),
        "npv_cost": _plain(option.npv_cost),
        "cost_per_request": _plain(option.cost_per_request),
        "cost_per_mtok": _plain(option.cost_per_mtok),
        "categories": {name: _plain(value) for name, value in option.categories().items()},
        "natures": {name: _plain(value) for name, value in option.natures().items()},
        "years": {basis: option.years(basis).tolist() for basis in ("cash", "accrual")},
        "cost_per_year": _plain(option.cost_per_year),
        "depreciation": _plain(option.depreciation),
        "quantities": {name: _plain(value) for name, value in option.quantities().items()},
        "cash": option.cash.tolist(),
        "unserved": {
            "months": months.tolist(),
            "requests": _plain(short.sum(axis=-1) + 0.0),
            "share": _plain(_share(short.sum(axis=-1), option.demand.requests.sum(axis=-1))),
        },
        "states": [
            {"state": state.kind, "path": ".".join(state.path), "note": state.note}
            for state in sorted(option.ledger.states, key=lambda state: (state.kind, state.path, state.note))
        ],
    }


def _share(part: Any, whole: Any) -> Any:
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)


def _pair(comparison: Comparison, a: str, b: str) -> dict[str, Any]:
    if comparison[a].has_draws or comparison[b].has_draws:
        return {"a": a, "b": b}
    even = comparison.break_even(a, b)
    dearer, cheaper = comparison.dearer_upfront(a, b)
    return {
        "a": a,
        "b": b,
        "break_even_month": {
            **_crossings(even.by_month),
            "month": even.month,
            "exact_month": even.exact_month,
        },
        "break_even_requests_per_month": {
            **_crossings(even.by_volume),
            "requests_per_month": even.requests_per_month,
            "searched": list(even.searched),
            "within": [list(piece) for piece in even.by_volume.within],
        },
        "investment": _case(comparison, dearer, cheaper),
    }


def _case(comparison: Comparison, option: str, other: str) -> dict[str, Any]:
    unknown = [name for name in (option, other) if not comparison[name].priced]
    if unknown:
        refused = f"not all prices of {' and '.join(unknown)} are known"
        return {"option": option, "instead_of": other, "refused": refused}
    try:
        return _investment(comparison.investment(option, instead_of=other))
    except DoubleCountError as error:
        return {"option": option, "instead_of": other, "refused": str(error)}


def _crossings(found: Crossings) -> dict[str, Any]:
    return {
        "state": found.state,
        "intervals": [
            {"from": one.start, "to": one.end, "cheaper": one.cheaper, "carried_by": list(one.carried_by)}
            for one in found.intervals
        ],
    }


def _investment(case: Investment) -> dict[str, Any]:
    return {**attrs.asdict(case, recurse=False), "flows": list(case.flows), "irr": _irr(case.irr)}


def _irr(irr: Irr) -> dict[str, Any]:
    return {
        "state": irr.status,
        "rate": irr.rates[0] if irr.status == "unique" else None,
        "rates": list(irr.rates),
    }


def _hash(record: Record) -> str | None:
    """Give the hash of a record's content; None where it holds draws, which no file can state."""
    try:
        return content_hash(record)
    except InvalidValueError:
        return None


def _record(record: Record) -> dict[str, Any]:
    source = record.source
    return {
        "kind": record.kind,
        "record": record.title,
        "origin": None if record.origin is None else str(record.origin),
        "hash": _hash(record),
        "authority": record.authority,
        "approximate": record.approximate,
        "period": {
            "from": record.period.start.isoformat() if record.period.start else None,
            "to": record.period.end.isoformat() if record.period.end else None,
        },
        "source": {
            "title": source.title,
            "url": source.url,
            "checked": source.checked.isoformat(),
            "note": source.note,
        },
        "also": [str(other) for other in record.also],
        "note": record.note,
    }
