"""Records and differences as rows, for a terminal and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.checks import Problem
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.models import Model
from llm_tco.catalog.prices import STANDARD, TokenPrice
from llm_tco.catalog.rates import Rate
from llm_tco.catalog.records import Record
from llm_tco.difference import CAUSES, Difference
from llm_tco.errors import MissingRateError, suggest
from llm_tco.money import ExchangeRates
from llm_tco.report.grid import grid, money
from llm_tco.report.tables import BETWEEN, UNKNOWN, blank

GIB = 2**30


@attrs.frozen(kw_only=True)
class Listing:
    """Rows with equal keys.

    Attributes:
        title: What they are.
        rows: Plain data, one dictionary a row.
        columns: The keys that a terminal shows, with their headings.
        known: Names to suggest from where there is no row.
        elsewhere: What is known of the query though there is no row.
        spare: Keys that a narrow terminal leaves out, the first to go first.
    """

    title: str
    rows: list[dict[str, Any]]
    columns: Mapping[str, str]
    known: tuple[str, ...] = ()
    elsewhere: str = ""
    spare: tuple[str, ...] = ()

    def nothing(self, query: str) -> str:
        """Say that a query finds no row, and what is nearest."""
        return self.elsewhere or f"nothing is called {query!r}{suggest(query, self.known)}"

    def table(self) -> RenderableType:
        """Lay the rows out for a terminal."""
        return _Fitting(self)


@attrs.frozen
class _Fitting:
    """A listing that leaves out what a narrow terminal has no room for, and says so."""

    listing: Listing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows, columns = self.listing.rows, dict(self.listing.columns)
        texts = {key: [_shown(row[key]) for row in rows] for key in columns}
        widths = {key: max(map(cell_len, (heading, *texts[key]))) for key, heading in columns.items()}
        left_out = []
        for key in self.listing.spare:
            if sum(widths.values()) + BETWEEN * (len(widths) - 1) <= options.max_width:
                break
            left_out.append(columns.pop(key))
            del widths[key]
        figures = {key for key in columns for row in rows if isinstance(row[key], (int, float, Decimal))}
        words = {place for place, key in enumerate(columns) if key not in figures}
        table = blank(self.listing.title, columns.values(), words)
        for row in zip(*(texts[key] for key in columns), strict=True):
            table.add_row(*map(Text, row))
        yield table
        if left_out:
            yield Text(f"Left out for want of room: {', '.join(left_out)}. A wider terminal or --json has them.")


def _shown(value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _matches(record: Record, query: str) -> bool:
    words = query.casefold().replace("_", "-").split()
    names = " ".join([record.title, *getattr(record, "aliases", ()), getattr(record, "name", "")]).casefold()
    return all(word in names.replace("_", "-") for word in words)


def _origin(record: Record) -> str:
    return "" if record.origin is None else record.origin.plugin


def price_listing(
    catalog: Catalog, query: str, *, on: date, currency: str | None = None, fx: Mapping[str, float] | None = None
) -> Listing:
    """List the prices in force on a day; amounts per million tokens of short requests.

    Args:
        catalog: Where they are.
        query: Words that the provider's and the model's names hold.
        on: The day.
        currency: Currency to convert amounts into; each in its own without it.
        fx: What one unit of each other currency is worth in it.

    Raises:
        MissingRateError: A price is in a currency without a rate.
    """
    every = catalog.all(TokenPrice)
    rows = []
    named = [price for price in every if _matches(price, query)]
    found = [price for price in named if price.period.covers(on)]
    without = {price.currency for price in found} - {currency, *(fx or {})} if currency is not None else set()
    if without:
        rates = " ".join(f"--fx {code}=…" for code in sorted(without))
        raise MissingRateError(
            f"no exchange rate from {', '.join(sorted(without))} to {currency}: say what one unit is worth in "
            f"{currency}, by {rates}"
        )
    beaten = {id(other) for price in found for other in catalog.superseded(price)}
    for price in sorted(found, key=lambda row: (row.identity, row.authority)):
        factor = 1.0
        if currency is not None:
            factor = float(ExchangeRates(currency, fx or {}).factors(price.currency, currency)[0])
        rows.append(
            {
                "price": "/".join(word for word in price.identity if word not in ("", STANDARD)),
                "provider": price.provider,
                "model": price.model,
                "variant": price.variant,
                "region": price.region,
                "currency": currency or price.currency,
                **{kind: _amount(getattr(price, kind), factor) for kind in ("input", "cached_input", "output")},
                "terms": ", ".join((*_terms(price), *(["superseded"] if id(price) in beaten else []))),
                "from": None if price.period.start is None else price.period.start.isoformat(),
                "to": None if price.period.end is None else price.period.end.isoformat(),
                "authority": price.authority,
                "approximate": price.approximate,
                "superseded": id(price) in beaten,
                "plugin": _origin(price),
                "checked": price.source.checked.isoformat(),
            }
        )
    columns = {
        "price": "price", "input": "input", "cached_input": "cached", "output": "output", "currency": "",
        "terms": "and", "from": "from", "plugin": "plugin",
    }  # fmt: skip
    known = tuple(sorted({name for price in every for name in (price.provider, price.model)}))
    periods = sorted({str(price.period) for price in named})
    return Listing(
        title=f"API prices on {on}, per million tokens",
        rows=rows,
        columns=columns,
        known=known,
        elsewhere=f"no price called {query!r} is in force on {on}; known periods are {'; '.join(periods)}"
        if named
        else "",
        spare=("from", "plugin", "cached_input"),
    )


def _terms(price: TokenPrice) -> Iterator[str]:
    """Name what a base rate does not say."""
    if any(rate and rate.tiers for rate in (price.input, price.cached_input, price.output)):
        yield "long requests"
    if price.windows:
        yield "hours"
    if price.per_request or price.minimum_per_request:
        yield "fees"
    if price.approximate:
        yield "approximate"


def _amount(rate: Rate | None, factor: float) -> float | None:
    return None if rate is None else float(rate.base) * factor


def gpu_listing(catalog: Catalog, query: str, *, on: date) -> Listing:
    """List accelerators, with the latest price of each basis at a day."""
    every = catalog.all(Gpu)
    rows = [
        {
            "key": gpu.key,
            "name": gpu.name,
            "vendor": gpu.vendor,
            "memory_gib": gpu.memory_bytes / GIB,
            "bandwidth_gb_per_s": gpu.memory_bandwidth_bytes_per_s / 1e9,
            "tdp_w": gpu.tdp_w,
            "idle_w": gpu.idle_w,
            **{name: _tera(getattr(gpu, f"{name}_flops_per_s")) for name in ("bf16", "fp8", "fp4")},
            "int8": _tera(gpu.int8_ops_per_s),
            **{basis: _latest(gpu, basis, on) for basis in ("list", "street", "rental")},
            "authority": gpu.authority,
            "plugin": _origin(gpu),
        }
        for gpu in sorted(every, key=lambda gpu: (gpu.vendor, gpu.key))
        if _matches(gpu, query)
    ]
    columns = {
        "key": "key", "vendor": "vendor", "memory_gib": "GiB", "bandwidth_gb_per_s": "GB/s", "tdp_w": "TDP W",
        "bf16": "BF16", "fp8": "FP8", "fp4": "FP4", "int8": "INT8", "list": "list", "rental": "rental/h",
    }  # fmt: skip
    title = "Accelerators (dense Tera-operations a second)"
    spare = ("int8", "fp4", "list", "vendor", "fp8", "rental")
    return Listing(title=title, rows=rows, columns=columns, known=tuple(gpu.key for gpu in every), spare=spare)


def _tera(rate: float | None) -> float | None:
    return None if rate is None else rate / 1e12


def _latest(gpu: Gpu, basis: str, on: date) -> str | None:
    stated = [price for price in gpu.prices if price.basis == basis and price.on <= on]
    return str(max(stated, key=lambda price: price.on).price) if stated else None


def model_listing(catalog: Catalog, query: str) -> Listing:
    """List models."""
    every = catalog.all(Model)
    rows = [
        {
            "key": model.key,
            "name": model.name,
            "parameters_b": model.parameters / 1e9,
            "active_parameters_b": None if model.active_parameters is None else model.active_parameters / 1e9,
            "context_tokens": model.context_tokens,
            "license": model.license,
            "plugin": _origin(model),
        }
        for model in sorted(every, key=lambda model: model.key)
        if _matches(model, query)
    ]
    columns = {
        "key": "key", "name": "name", "parameters_b": "parameters, 1e9", "active_parameters_b": "active, 1e9",
        "context_tokens": "context", "license": "licence", "plugin": "plugin",
    }  # fmt: skip
    known, spare = tuple(model.key for model in every), ("plugin", "name", "license")
    return Listing(title="Models", rows=rows, columns=columns, known=known, spare=spare)


def problem_listing(problems: Iterable[Problem]) -> Listing:
    """List the problems of a plugin."""
    rows = [attrs.asdict(problem) for problem in problems]
    columns = {name: name for name in attrs.fields_dict(Problem)}
    return Listing(title="Problems", rows=rows, columns=columns)


def stale_listing(records: Sequence[Record], *, today: date) -> Listing:
    """List records by the age of their sources."""
    rows = [
        {
            "record": record.title,
            "kind": record.kind,
            "checked": record.source.checked.isoformat(),
            "days": (today - record.source.checked).days,
            "plugin": _origin(record),
            "source": record.source.title,
        }
        for record in records
    ]
    columns = {name: name for name in ("record", "kind", "checked", "days", "plugin", "source")}
    return Listing(title="Records to check again", rows=rows, columns=columns, spare=("source", "plugin", "kind"))


def render_difference(found: Difference, before: str, after: str) -> RenderableType:
    """Lay a difference out: for each option what each cause explains."""
    names = {"tco": "total", "npv_cost": "present value"}
    rows = [
        (
            option,
            names[figure],
            money(change.before),
            *(money(change.causes[cause], sign=True) for cause in CAUSES),
            money(change.after),
        )
        for option, figures in found.options.items()
        for figure, change in figures.items()
    ]
    title = f"From {before} to {after}, in {found.currency}"
    table = grid(title, ("option", "figure", "before", *CAUSES, "after"), rows, words=(0, 1))
    notes = [Text(f"Only in {file}: {', '.join(names_)}.") for file, names_ in
             ((before, found.only_before), (after, found.only_after)) if names_]  # fmt: skip
    done, every = found.orders
    if done < every:
        notes.append(Text(f"Of {every} orders of the causes {done} make sense; the others were left out."))
    return Group(table, *notes)
