"""A comparison as tables for a terminal, read from its plain document."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

UNKNOWN = "–"
"""What stands where a figure is not known, or has no meaning."""
BETWEEN: Final = 3
"""Letters between two columns of a table."""
_LEAST_OF_WORDS: Final = 16
"""Letters to which a column of words may shrink, though it has longer ones, such as addresses."""

_NATURES = {
    "one_time": "paid once",
    "running": "running",
    "hidden": "hidden",
    "benefit": "benefits",
}
_STATES = {
    "never": "never: {b} is cheaper throughout",
    "always": "always: {a} is cheaper throughout",
    "tie": "tie: both cost the same",
    "infeasible": "no answer: nowhere do both carry the load",
}


def render(document: dict[str, Any]) -> RenderableType:
    """Lay a document out: the options, the categories, each pair, the sources."""
    parts: list[RenderableType] = [Text(document["title"], style="bold"), Text(_terms(document))]
    if document["fx"]:
        parts.append(Text(f"exchange rates: {_rates(document)}"))
    parts.append(Text())
    parts += [_options(document), Text()]
    parts += [Text(line) for line in _verdict(document)]
    parts += [Text(), _categories(document), Text()]
    if document["pairs"]:
        parts += [_pairs(document), Text()]
    parts.append(_sources(document))
    return Group(*parts)


def amount(value: float | None) -> str:
    """Write an amount for people: thousands apart, small ones to four digits."""
    if value is None:
        return "none"
    if abs(value) >= 1e15:
        return f"{value:.4g}"
    if abs(value) >= 1_000 or value == 0:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:,.2f}"
    return f"{value:.4g}"


def percent(value: float | None, *, sign: bool = False, digits: int = 1) -> str:
    """Write a ratio in percent."""
    return UNKNOWN if value is None else f"{value * 100:{'+' if sign else ''},.{digits}f} %"


def _terms(document: dict[str, Any]) -> str:
    sunk = ", without sunk costs" if document["lens"] == "marginal" else ""
    return (
        f"{document['months']} months from {document['start']}, amounts in {document['currency']}, "
        f"discounted at {percent(document['discount_rate'])} a year{sunk}{_finance(document['finance'])}"
    )


def _rates(document: dict[str, Any]) -> str:
    """Say what one unit of each other currency is worth, and from which day on."""
    own = document["currency"]

    def worth(rate: Any) -> str:
        return "drawn" if isinstance(rate, list) else f"{rate:,.6g} {own}"

    return "; ".join(
        f"1 {code} = " + ", ".join(f"{worth(rate)} from {day} on" for day, rate in quote.items())
        if isinstance(quote, dict)
        else f"1 {code} = {worth(quote)}"
        for code, quote in document["fx"].items()
    )


def _finance(finance: dict[str, Any]) -> str:
    """Say under which financial terms the figures hold, where there are any."""
    words = []
    if finance["price_basis"] == "real":
        words.append(f"in prices of the start, inflation {percent(finance['inflation_rate'])}")
    words += [
        f"assets on a {means} over {finance[means]['months']} months at {_interest(finance[means])}"
        for means in ("loan", "lease")
        if means in finance
    ]
    if "tax" in finance:
        method = finance["tax"]["depreciation"].replace("_", " ")
        words.append(f"after tax at {percent(finance['tax']['rate'])}, depreciation {method}")
    return "".join(f"; {word}" for word in words)


def _interest(means: dict[str, Any]) -> str:
    """Say at which rate a loan or a lease is, and which share of the price is borrowed."""
    stated = means["rate_per_year"] if "rate_per_year" in means else means["apr"]
    basis = "effective" if "rate_per_year" in means else "nominal, compounded monthly"
    share = f", {percent(means['share'])} of the price" if "share" in means else ""
    return f"{'drawn rates' if isinstance(stated, list) else percent(stated)} a year ({basis}){share}"


class _Fitting(Table):
    """A table that breaks its lines between words where it is too wide, and within a figure only as the last resort."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        natural, least = [], []
        for column in self.columns:
            texts = [str(text) for text in (column.header, *column.cells)]
            word = max((cell_len(word) for text in texts for word in text.split()), default=1)
            natural.append(max(map(cell_len, texts)))
            least.append(word if column.justify == "right" else min(word, _LEAST_OF_WORDS))
        room = options.max_width - BETWEEN * (len(self.columns) - 1)
        if sum(natural) > room >= sum(least):
            for column, width in zip(self.columns, _shrunk(natural, least, room), strict=True):
                column.width = width
        yield from super().__rich_console__(console, options)


def _shrunk(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Take from the widest columns, down to the least width of each, what there is no room for."""
    widths = list(natural)
    while sum(widths) > room:
        widest = max((place for place in range(len(widths)) if widths[place] > least[place]), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def blank(title: str, columns: Iterable[str], words: Container[int]) -> Table:
    """Make a table without rows.

    Args:
        title: What they will be.
        columns: The headings.
        words: Places of the columns that hold words; the others hold figures, which end at the right.
    """
    table = _Fitting(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if place in words else "right", overflow="fold")
    return table


def _table(title: str, *columns: str, first: int = 1) -> Table:
    return blank(title, columns, range(first))


def _row(table: Table, *cells: str | Text) -> None:
    """Add a row of texts that stand as they are: brackets in a name are no markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def _options(document: dict[str, Any]) -> Table:
    table = _table(
        "What each option costs",
        "option",
        "up front",
        "a month",
        "total",
        "present value",
        "per request",
        "per M tokens",
        "carries the load",
    )
    for name, option in document["options"].items():
        _row(
            table,
            Text(name, style="bold" if name == document["best"] else ""),
            *(
                amount(option[key]) if option["priced"] else f"≥ {amount(option[key])}"
                for key in ("upfront", "monthly", "tco", "npv_cost", "cost_per_request", "cost_per_mtok")
            ),
            _carries(option),
        )
    return table


def _carries(option: dict[str, Any]) -> str:
    short = option["unserved"]
    if short["months"]:
        return f"no: {percent(short['share'])} short, months {_ranges(short['months'])}"
    if not option["priced"]:
        return "not priced"
    return "yes" if option["answered"] else "assumed"


def _ranges(months: list[int]) -> str:
    """Write months as ranges: 1–3, 7."""
    runs: list[list[int]] = []
    for month in months:
        if runs and runs[-1][1] == month - 1:
            runs[-1][1] = month
        else:
            runs.append([month, month])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)


def _verdict(document: dict[str, Any]) -> Iterator[str]:
    best = document["best"]
    if best is None:
        yield "No option carries the whole load at known prices."
    else:
        ahead = ", ".join(document["ranking"])
        yield f"Cheapest by present value among those that carry the load: {best}" + (
            f" (in order: {ahead})." if len(document["ranking"]) > 1 else "."
        )
    saving = document["saving"]
    if saving is not None:
        dearer = saving["amount"] < 0  # cheaper by present value, as it pays later
        share = "" if saving["share"] is None else f", {percent(abs(saving['share']))} of its total"
        money = f"{amount(abs(saving['amount']))} {document['currency']}"
        yield f"Against the runner-up {saving['instead_of']} it {'costs in sum' if dearer else 'saves'} {money}" + (
            f" more{share}, but later." if dearer else f"{share}."
        )
    yield from _states(document["options"])
    for name, option in document["options"].items():
        if option["net"] != option["tco"]:
            yield f"{name}: {amount(option['net'])} net of its benefits."
    for source in document["sources"]:
        if source["approximate"]:
            yield f"approximate: {source['kind']} {source['record']}: {source['note'] or 'its source simplifies'}"


def _states(options: dict[str, Any]) -> Iterator[str]:
    """Say what is uncertain: once what holds for every option, and then what holds for one."""
    first, *others = (option["states"] for option in options.values())
    common = [state for state in first if others and all(state in states for states in others)]
    for state in common:
        yield f"{state['state']}: {state['path']}: {state['note']}"
    for name, option in options.items():
        for state in option["states"]:
            if state not in common:
                yield f"{state['state']}: {name}.{state['path']}: {state['note']}"


def _categories(document: dict[str, Any]) -> Table:
    options = document["options"]
    table = _table("Total by category", "category", *options)
    for key, labels in (("categories", {}), ("natures", _NATURES), ("quantities", {})):
        for name in dict.fromkeys(name for option in options.values() for name in option[key]):
            values = (option[key].get(name) for option in options.values())
            label = Text(labels.get(name, name), style="" if key == "categories" else "italic")
            _row(table, label, *("–" if value is None else amount(value) for value in values))
        table.add_section()
    return table


def _pairs(document: dict[str, Any]) -> Table:
    table = _table("Each pair", "pair", "", "", first=3)
    for place, pair in enumerate(document["pairs"]):
        if place:
            table.add_section()
        rows = list(_pair(pair, document["currency"]))
        short = [name for name in (pair["a"], pair["b"]) if not document["options"][name]["feasible"]]
        if short:
            rows.append(("", f"not like for like: {' and '.join(short)} cannot serve the whole load at known prices"))
        for line, (label, value) in enumerate(rows):
            _row(table, f"{pair['a']} / {pair['b']}" if line == 0 else "", label, value)
    return table


def _pair(pair: dict[str, Any], currency: str) -> Iterator[tuple[str, str]]:
    if "investment" not in pair:
        yield "", "holds draws: no single answer"
        return
    month = pair["break_even_month"]
    exact = f" (after {month['exact_month']:.1f} months)" if month["exact_month"] is not None else ""
    yield "break-even month", _found(pair, month, "month") + exact
    volume = pair["break_even_requests_per_month"]
    low, high = volume["searched"]
    yield "break-even requests a month", f"{_found(pair, volume, '')} (searched {low:,} to {high:,})"
    within = volume["within"]
    if within:
        count = "a range" if len(within) == 1 else f"{len(within)} ranges"
        yield "", f"there may be more in {count} between {within[0][0]:,} and {within[-1][1]:,}"
    case = pair["investment"]
    text = f"refused: {case['refused']}" if "refused" in case else _investment(case, currency)
    yield f"{case['option']} instead of {case['instead_of']}", text


def _found(pair: dict[str, Any], found: dict[str, Any], unit: str) -> str:
    plain = _STATES.get(found["state"])
    shared = any(one["carried_by"] and one["cheaper"] is None for one in found["intervals"])
    if plain is not None and (found["state"] == "tie" or not shared):  # else one is not cheaper throughout
        whole = all(len(one["carried_by"]) == 2 for one in found["intervals"])
        only = "" if whole or found["state"] == "infeasible" else " where both carry the load"
        return plain.format(**pair) + only
    parts = []
    for one in found["intervals"]:
        end = "on" if one["to"] is None else "" if one["to"] == one["from"] else f"to {one['to']:,}"
        sole = "" if len(one["carried_by"]) == 2 else " alone carries it" if one["carried_by"] else ""
        who = one["cheaper"] or ("equal" if one["carried_by"] else "neither carries it")
        span = " ".join(word for word in (unit, f"{one['from']:,}", end) if word)
        parts.append(f"{span}: {who}{sole}")
    return "; ".join(parts)


def _investment(case: dict[str, Any], currency: str) -> str:
    irr = case["irr"]
    if irr["state"] == "unique":
        rate = f"IRR {percent(irr['rate'])} a year"
    elif irr["state"] == "several":
        rate = f"several IRRs: {', '.join(percent(one) for one in irr['rates'])}"
    else:
        rate = "no IRR"
    payback = case["payback_months"]
    back = "never paid back" if payback is None else f"paid back after {payback:.1f} months"
    if case["flows"][0] >= 0:
        back = "nothing more is laid out up front"
    roi = "" if case["roi"] is None else f", ROI {percent(case['roi'])}"
    return f"NPV {amount(case['npv'])} {currency}, {rate}, {back}{roi}"


def _sources(document: dict[str, Any]) -> Table:
    table = _table("Where the figures come from", "record", "from", "source", first=3)
    for source in document["sources"]:
        page = source["source"]
        stated = f"{page['title']}, {page['url']}" if page["url"] else page["title"]
        rank = f"{source['authority']}, approximate" if source["approximate"] else source["authority"]
        _row(
            table,
            f"{source['kind']} {source['record']}",
            f"{source['origin'] or 'the caller'} ({rank})",
            f"{stated} (checked {page['checked']})",
        )
    if not document["sources"]:
        _row(table, "every amount", "the scenario itself", "")
    return table
