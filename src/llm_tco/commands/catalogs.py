"""Commands about what plugins bring: plugins, prices, gpus, models, check, stale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from llm_tco.commands import EXIT_NO, json_option, print_json, print_tables

if TYPE_CHECKING:
    from llm_tco.catalog.catalog import Catalog
    from llm_tco.report.listing import Listing

_DAY = click.DateTime(["%Y-%m-%d"])
_FEW = 20
"""Problems of one plugin that a listing of all plugins shows."""


def _today() -> date:
    """Give today's date. Only the command line looks at the clock."""
    return datetime.now(UTC).date()


def _show(listing: Listing, *, as_json: bool) -> None:
    if as_json:
        print_json(listing.rows)
    else:
        print_tables(listing.table())


def _found(listing: Listing, query: str, *, as_json: bool) -> None:
    if not listing.rows:
        raise click.UsageError(listing.nothing(query))
    _show(listing, as_json=as_json)


@click.command()
@json_option
def plugins(*, as_json: bool) -> None:
    """List the installed plugins and how their loading went."""
    import attrs

    from llm_tco.catalog.plugins import load_catalog

    reports = load_catalog().plugins
    if as_json:
        print_json([{**attrs.asdict(report), "records": dict(report.records)} for report in reports])
        return
    for report in reports:
        counts = ", ".join(f"{count} {_counted(kind, count)}" for kind, count in report.records)
        click.echo(f"{report.distribution} {report.version}: {report.status}" + (f", {counts}" if counts else ""))
        if report.hooks:
            click.echo(f"  hooks: {', '.join(report.hooks)}")
        for problem in report.problems[:_FEW]:
            click.echo(f"  {problem}")
        if len(report.problems) > _FEW:
            more = len(report.problems) - _FEW
            click.echo(f"  and {more:,} more: llm-tco check {report.name} lists them, and so does --json")


def _counted(kind: str, count: int) -> str:
    """Write the name of a kind in the number that fits a count."""
    return kind if count == 1 else f"{kind}{'es' if kind.endswith('s') else 's'}"


def _currency(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is not None and not re.fullmatch(r"[A-Z]{3}", given):
        raise click.BadParameter(f"must be a currency code of three capital letters such as CNY, got {given!r}")
    return given


def _rates(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    rates = {}
    for text in given:
        match = re.fullmatch(r"([A-Z]{3})=(\d+(?:\.\d+)?)", text)
        if match is None:
            raise click.BadParameter(
                f"must be a currency and what one unit of it is worth, such as USD=7.2, got {text!r}"
            )
        rates[match[1]] = float(match[2])
    return rates


@click.command()
@click.argument("words", metavar="QUERY", nargs=-1, required=True)
@click.option("--on", type=_DAY, help="The day whose prices are meant; today without it.")
@click.option("--currency", callback=_currency, help="Show amounts in this currency; needs --fx for the others.")
@click.option("--fx", multiple=True, callback=_rates, help="What one unit is worth in --currency, such as USD=7.2.")
@json_option
def prices(
    words: tuple[str, ...], *, on: datetime | None, currency: str | None, fx: Mapping[str, float], as_json: bool
) -> None:
    """List the API prices whose provider or model is called like QUERY."""
    from llm_tco.report.listing import price_listing

    if fx and currency is None:
        raise click.UsageError("--fx has no meaning without --currency")
    query, day = " ".join(words), _today() if on is None else on.date()
    _found(price_listing(_catalog(), query, on=day, currency=currency, fx=fx), query, as_json=as_json)


@click.command()
@click.argument("words", metavar="[QUERY]", nargs=-1)
@json_option
def gpus(words: tuple[str, ...], *, as_json: bool) -> None:
    """List the accelerators that are called like QUERY; all without it."""
    from llm_tco.report.listing import gpu_listing

    query = " ".join(words)
    _found(gpu_listing(_catalog(), query, on=_today()), query, as_json=as_json)


@click.command()
@click.argument("words", metavar="[QUERY]", nargs=-1)
@json_option
def models(words: tuple[str, ...], *, as_json: bool) -> None:
    """List the models that are called like QUERY; all without it."""
    from llm_tco.report.listing import model_listing

    query = " ".join(words)
    _found(model_listing(_catalog(), query), query, as_json=as_json)


def _catalog() -> Catalog:
    from llm_tco.catalog.plugins import load_catalog

    return load_catalog()


def _distributions(plugin: str) -> set[str]:
    """Give the distributions of a plugin: by the name of its entry point, or by their own."""
    from llm_tco.catalog.plugins import distribution_of, entry_points, is_called
    from llm_tco.errors import suggest

    points, _ = entry_points()
    found = {distribution_of(point)[0] for point in points if is_called(point, [plugin])}
    if not found:
        own = sorted({distribution_of(point)[0] for point in points})
        near = suggest(plugin, [*own, *sorted({point.name for point in points})])
        raise click.UsageError(f"no plugin is called {plugin!r}; installed are {', '.join(own)}{near}")
    return found


@click.command()
@click.argument("plugin")
@json_option
def check(plugin: str, *, as_json: bool) -> None:
    """Hold an installed PLUGIN to what the library demands of one.

    Exit status 3 where it has problems, 2 where there is none of this name.
    """
    from llm_tco.catalog.conformance import check_plugin
    from llm_tco.catalog.plugins import entry_points
    from llm_tco.report.listing import problem_listing

    if not entry_points()[1]:  # what cannot be read may be the plugin, and is reported below
        _distributions(plugin)
    problems = check_plugin(plugin, today=_today())
    if as_json or problems:
        _show(problem_listing(problems), as_json=as_json)
    if problems:
        raise SystemExit(EXIT_NO)
    if not as_json:
        click.echo(f"{plugin}: no problem found.")


def _days(_: click.Context, __: click.Parameter, given: str) -> int:
    match = re.fullmatch(r"(\d{1,6})d?", given)
    if match is None:
        raise click.BadParameter(f"must be a number of days such as 90d, got {given!r}")
    return int(match[1])


@click.command()
@click.option(
    "--older-than", default="90d", callback=_days, show_default=True, help="Days since the source was checked."
)
@click.option("--plugin", help="Only the records of this plugin: name of its distribution or entry point.")
@json_option
def stale(*, older_than: int, plugin: str | None, as_json: bool) -> None:
    """List the records whose source was checked long ago, the oldest first.

    Exit status 3 where there are any.
    """
    from llm_tco.lock import stale as stale_ones
    from llm_tco.report.listing import stale_listing

    catalog = _catalog()
    wanted = None if plugin is None else _distributions(plugin)
    records = [one for one in catalog.records if wanted is None or (one.origin and one.origin.plugin in wanted)]
    found = stale_ones(records, older_than_days=older_than, today=_today())
    if found or as_json:
        _show(stale_listing(found, today=_today()), as_json=as_json)
    if found:
        raise SystemExit(EXIT_NO)
    if not as_json:
        click.echo(f"All {len(records)} records were checked in the last {older_than} days.")


COMMANDS = (plugins, prices, gpus, models, check, stale)
