"""Commands about caches and routers: cache and route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from llm_tco.commands import EXIT_NO, compared, json_option, print_json, print_tables

if TYPE_CHECKING:
    from llm_tco.analysis.compare import Comparison, Option
    from llm_tco.analysis.optimise import Mix
    from llm_tco.components.router import Route

_FILE: Final = click.Path(path_type=Path)
_HISTORY: Final = (
    "tiers", "costs", "input_tokens", "output_tokens", "models", "tasks", "times", "escalated",
)  # fmt: skip


@click.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--option", help="Only the caches of this option.")
@click.option("--unlocked", is_flag=True, help="Leave the lock beside FILE aside.")
@click.option("--log", type=_FILE, help="A CSV file with one row per request, in the place of FILE.")
@click.option("--column", help="Column of the log that holds the prompts.")
@click.option("--time-column", help="Column that holds their times: seconds, or days and times in ISO 8601.")
@click.option("--ttl-h", type=click.FloatRange(min=0), help="Hours for which an entry lives after its last use.")
@click.option(
    "--entries", type=click.IntRange(min=1), multiple=True, help="Entries that a cache holds; may be repeated."
)
@click.option("--near", type=click.FloatRange(0, 1, min_open=True), help="Similarity from which on prompts are alike.")
@click.option("--shingle", type=click.IntRange(min=1), metavar="COUNT",
              help="Characters of the runs that --near compares: 5 unless stated; 2 suits Chinese.")  # fmt: skip
@json_option
def cache(
    file: Path | None,
    *,
    option: str | None,
    unlocked: bool,
    log: Path | None,
    column: str | None,
    time_column: str | None,
    ttl_h: float | None,
    entries: tuple[int, ...],
    near: float | None,
    shingle: int | None,
    as_json: bool,
) -> None:
    """Say what the caches of a scenario FILE save, and from which hit rate on.

    Each cache is held against the same option without it. With --log, the hit rates that a
    log of prompts shows instead. Exit status 3 where no option carries the load.
    """
    for_log = {"--column": column, "--time-column": time_column, "--ttl-h": ttl_h, "--entries": entries}
    for_log |= {"--near": near, "--shingle": shingle}
    for_file = {"--option": option, "--unlocked": unlocked}
    _one_of(file, log, "--log", for_file=for_file, for_other=for_log)
    if log is not None:
        if column is None:
            raise click.UsageError("--log needs --column, the name of the column that holds the prompts")
        if (ttl_h is None) != (time_column is None):
            raise click.UsageError("--ttl-h and --time-column need each other")
        if shingle is not None and near is None:
            raise click.UsageError("--shingle needs --near, the similarity from which on prompts are alike")
        _log(log, column, time_column, ttl_h, entries, near, shingle, as_json=as_json)
    elif file is not None:
        _caches(file, option, unlocked=unlocked, as_json=as_json)


def _one_of(
    file: Path | None,
    other: Path | None,
    flag: str,
    *,
    for_file: Mapping[str, object],
    for_other: Mapping[str, object],
) -> None:
    """Refuse neither and both, and what has no meaning with the one that is given."""
    if (file is None) == (other is None):
        raise click.UsageError(f"give a FILE, or {flag}, and not both")
    if other is None:
        _refuse(for_other, f"without {flag}")
    else:
        _refuse(for_file, f"with {flag}")


def _refuse(flags: Mapping[str, object], where: str) -> None:
    """Refuse flags that are given and have no meaning here."""
    for name, value in flags.items():
        if value is not None and value is not False and value not in ((), {}):  # 0 is given as well
            raise click.UsageError(f"{name} has no meaning {where}")


def _caches(file: Path, option: str | None, *, unlocked: bool, as_json: bool) -> None:
    from llm_tco.analysis.nested import cache_cases
    from llm_tco.report.caches import cache_document, render_caches
    from llm_tco.scenario import load_scenario

    scenario = load_scenario(file, locked=not unlocked)
    comparison = compared(file, scenario)
    cases = [case for name in _named(comparison, option) for case in cache_cases(comparison, name)]
    if not cases:
        where = "no option" if option is None else f"the option {option!r}"
        found = "holds no cache" if option is not None else "holds a cache"
        raise click.UsageError(f"{file}: {where} {found}, such as one of the kind semantic_cache or prompt_cache")
    document = cache_document(scenario.title, comparison.terms.currency, comparison.timeline.months, cases)
    if as_json:
        print_json(document)
    else:
        print_tables(render_caches(document))
    if comparison.best is None:
        raise SystemExit(EXIT_NO)


def _named(comparison: Comparison, option: str | None) -> list[str]:
    return list(comparison) if option is None else [comparison[option].name]


def _log(
    log: Path,
    column: str,
    time_column: str | None,
    ttl_h: float | None,
    entries: Sequence[int],
    near: float | None,
    shingle: int | None,
    *,
    as_json: bool,
) -> None:
    from llm_tco.report.caches import log_document, render_log
    from llm_tco.units import SECONDS_PER_HOUR
    from llm_tco.usage.similar import SHINGLE, exact_hits, lru_curve, near_hits
    from llm_tco.usage.tables import read_table, take_columns, to_seconds

    names = [column, *([] if time_column is None else [time_column])]
    columns: Mapping[str, list[str]] = take_columns(read_table(log), names, title=str(log))  # type: ignore[assignment]  # columns of text
    prompts = columns[column]
    seconds = None if time_column is None else to_seconds(columns[time_column], time_column, title=str(log))
    ttl_s = None if ttl_h is None else ttl_h * SECONDS_PER_HOUR
    exact = exact_hits(prompts, seconds=seconds, ttl_s=ttl_s, renewed=ttl_s is not None).hit_rate
    sizes = list(dict.fromkeys(entries))
    rates = lru_curve(prompts, seconds=seconds, ttl_s=ttl_s).hit_rate(sizes).tolist() if sizes else []
    alike = None
    if near is not None:
        size = SHINGLE if shingle is None else shingle
        rate = near_hits(prompts, threshold=near, shingle=size).hit_rate
        alike = {"threshold": near, "shingle": size, "hit_rate": rate}
    document = log_document(
        log.name,
        prompts=len(prompts),
        different=len(set(prompts)),
        exact=exact,
        sizes=dict(zip(sizes, rates, strict=True)),
        near=alike,
        ttl_h=ttl_h,
    )
    if as_json:
        print_json(document)
    else:
        print_tables(render_log(document))


def _pairs(_: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise click.BadParameter(f"must be a name and a value such as {parameter.metavar}, got {text!r}")
        found[name.strip()] = value.strip()
    return found


def _ranges(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, range]:
    found = {}
    for name, text in _pairs(context, parameter, given).items():
        low, dots, high = text.partition("..")
        if not (low.isdecimal() and (high if dots else low).isdecimal()) or not 1 <= int(low) <= int(high or low):
            raise click.BadParameter(f"must be a range of numbers from 1 on such as {name}=1..8, got {text!r}")
        found[name] = range(int(low), int(high or low) + 1)
    return found


@click.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--option", help="Only the routers of this option.")
@click.option("--unlocked", is_flag=True, help="Leave the lock beside FILE aside.")
@click.option("--optimise", is_flag=True, help="Find the cheapest shares of each router by share in FILE.")
@click.option("--quality", type=click.FloatRange(0, 1), help="Least share of right answers of the cheapest mix.")
@click.option("--latency-s", type=click.FloatRange(min=0), help="Longest latency of a route in the cheapest mix.")
@click.option("--mean-latency-s", type=click.FloatRange(min=0), help="Longest mean latency of the cheapest mix.")
@click.option("--servers", multiple=True, callback=_ranges, metavar="FLEET=LOW..HIGH",
              help="Numbers of servers of a fleet from which --optimise chooses; may be repeated.")  # fmt: skip
@click.option("--chart", type=_FILE, help="Draw the frontier of FILE to this .svg, .png, .html or .json file.")
@click.option("--history", type=_FILE, help="A CSV file with one row per record, in the place of FILE.")
@click.option("--column", multiple=True, callback=_pairs, metavar="FIELD=COLUMN",
              help=f"Which column of the history holds what: {', '.join(_HISTORY)}.")  # fmt: skip
@click.option("--currency", help="Currency of the costs of the history.")
@click.option("--cost", "costs", multiple=True, callback=_pairs, metavar="TIER=AMOUNT",
              help="What a request costs at a tier, such as local='0.001 CNY'.")  # fmt: skip
@json_option
def route(
    file: Path | None,
    *,
    option: str | None,
    unlocked: bool,
    optimise: bool,
    quality: float | None,
    latency_s: float | None,
    mean_latency_s: float | None,
    servers: dict[str, range],
    chart: Path | None,
    history: Path | None,
    column: dict[str, str],
    currency: str | None,
    costs: dict[str, str],
    as_json: bool,
) -> None:
    """Say what the routers of a scenario FILE cost, give and save.

    With --optimise, their cheapest shares, and with --servers the number of servers as well.
    Where FILE holds a table [frontier], say what a table of outcomes allows: models,
    thresholds, the oracle, savings with intervals. With --history, what a router has cost.
    Exit status 3 where no option carries the load, or nothing meets the target.
    """
    limits: dict[str, object] = {
        "--quality": quality, "--latency-s": latency_s, "--mean-latency-s": mean_latency_s, "--servers": servers,
    }  # fmt: skip
    of_scenario = {"--option": option, "--unlocked": unlocked, "--optimise": optimise, **limits}
    for_history = {"--column": column, "--currency": currency, "--cost": costs}
    _one_of(file, history, "--history", for_file={**of_scenario, "--chart": chart}, for_other=for_history)
    if history is not None:
        _history(history, column, currency, costs, as_json=as_json)
    elif file is not None:
        from llm_tco.scenario import read_document

        if "frontier" in read_document(file):
            _refuse(of_scenario, "for a file with a table [frontier]")
            _frontier(file, chart, as_json=as_json)
        elif chart is not None:
            raise click.UsageError(f"--chart draws the table [frontier], and {file} holds none")
        elif optimise:
            asked = {"min_quality": quality, "max_latency_s": latency_s, "max_mean_latency_s": mean_latency_s}
            _optimise(file, option, asked, servers, unlocked=unlocked, as_json=as_json)
        else:
            _refuse(limits, "without --optimise")
            _routers(file, option, unlocked=unlocked, as_json=as_json)


def _optimise(
    file: Path,
    option: str | None,
    limits: Mapping[str, float | None],
    servers: Mapping[str, range],
    *,
    unlocked: bool,
    as_json: bool,
) -> None:
    from llm_tco.analysis.nested import fleets_in
    from llm_tco.errors import InfeasibleError, suggest
    from llm_tco.report.routing import mix_document, mix_figures, render_mixes
    from llm_tco.scenario import load_scenario

    scenario = load_scenario(file, locked=not unlocked)
    comparison = compared(file, scenario)
    ways = {name: found for name in _named(comparison, option) if (found := _alternatives(comparison[name], servers))}
    if not ways:
        where = "no option holds" if option is None else f"the option {option!r} does not hold"
        raise click.UsageError(f"{file}: {where} a router by share, of the kind router, whose shares could be changed")
    read = {fleet for _, fleets in ways.values() for fleet in fleets}
    for fleet in servers:
        if fleet not in read:
            known = {name for one in _named(comparison, option) for name in fleets_in(comparison[one].component)}
            raise click.UsageError(
                f"--servers {fleet}=…: no route to choose from reads that fleet{suggest(fleet, known)}"
            )
    mixes = []
    for name, (routes, _) in ways.items():
        try:
            mixes.append(mix_figures(comparison[name], _cheapest(comparison, name, routes, limits)))
        except InfeasibleError as error:
            mixes.append(mix_figures(comparison[name], str(error)))
        except ModuleNotFoundError as error:
            raise click.ClickException(str(error)) from None
    document = mix_document(scenario.title, comparison.terms.currency, limits, mixes)
    if as_json:
        print_json(document)
    else:
        print_tables(render_mixes(document))
    if any(mix["problem"] is not None for mix in mixes):
        raise SystemExit(EXIT_NO)


def _alternatives(option: Option, servers: Mapping[str, range]) -> tuple[dict[str, list[Route]], set[str]] | None:
    """Give the routes of an option's router by share with each number of servers, and the fleets that they read.

    An option without such a router is one route, if it reads a fleet whose servers are to be chosen.
    """
    import attrs

    from llm_tco.analysis.nested import fleets_in, routers_in, with_servers
    from llm_tco.components.router import Route, Router

    routers = [router for router in routers_in(option.component).values() if isinstance(router, Router)]
    routes = dict(routers[0].routes) if routers else {option.name: Route(option.component)}
    fleets = {fleet for route in routes.values() for fleet in fleets_in(route.target)}
    if not routers and fleets.isdisjoint(servers):
        return None
    made = {
        name: [attrs.evolve(route, target=target) for target in with_servers(route.target, servers)]
        for name, route in routes.items()
    }
    return made, fleets


def _cheapest(
    comparison: Comparison, name: str, routes: Mapping[str, Sequence[Route]], limits: Mapping[str, float | None]
) -> Mix:
    from llm_tco.analysis.nested import routers_in
    from llm_tco.analysis.optimise import cheapest_mix, cheapest_mix_of
    from llm_tco.components.router import Router

    option = comparison[name]
    quality, latency_s, mean_latency_s = (
        limits[limit] for limit in ("min_quality", "max_latency_s", "max_mean_latency_s")
    )
    if any(isinstance(router, Router) for router in routers_in(option.component).values()):
        return cheapest_mix_of(
            comparison,
            name,
            alternatives=routes,
            min_quality=quality,
            max_latency_s=latency_s,
            max_mean_latency_s=mean_latency_s,
        )
    return cheapest_mix(
        routes,
        option.demand,
        comparison.terms,
        min_quality=quality,
        max_latency_s=latency_s,
        max_mean_latency_s=mean_latency_s,
    )


def _routers(file: Path, option: str | None, *, unlocked: bool, as_json: bool) -> None:
    from llm_tco.analysis.nested import router_views
    from llm_tco.report.routing import render_routers, router_document, router_figures
    from llm_tco.scenario import load_scenario

    scenario = load_scenario(file, locked=not unlocked)
    comparison = compared(file, scenario)
    routers = [
        router_figures(view, path, option=name)
        for name in _named(comparison, option)
        for path, view in router_views(comparison, name)
    ]
    if not routers:
        where = "no option holds a router" if option is None else f"the option {option!r} holds no router"
        raise click.UsageError(f"{file}: {where}, such as one of the kind router, and there is no table [frontier]")
    document = router_document(scenario.title, comparison, routers)
    if as_json:
        print_json(document)
    else:
        print_tables(render_routers(document))
    if comparison.best is None:
        raise SystemExit(EXIT_NO)


def _frontier(file: Path, chart: Path | None, *, as_json: bool) -> None:
    from llm_tco.frontiers import load_frontier
    from llm_tco.report.charts import frontier_chart, write_chart
    from llm_tco.report.routing import frontier_document, render_frontier

    question = load_frontier(file)
    if chart is not None:
        try:
            write_chart(frontier_chart(question.frontier, title=question.title), chart)
        except ModuleNotFoundError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.UsageError(f"{chart} cannot be written: {error.strerror}") from None
    document = frontier_document(question)
    if as_json:
        print_json(document)
    else:
        print_tables(render_frontier(document))
        if chart is not None:
            click.echo(f"Wrote {chart}.")
    if document["problem"] is not None:
        raise SystemExit(EXIT_NO)


def _history(
    path: Path, columns: Mapping[str, str], currency: str | None, costs: Mapping[str, str], *, as_json: bool
) -> None:
    from llm_tco.errors import suggest
    from llm_tco.report.routing import history_document, render_history
    from llm_tco.usage.history import history_of
    from llm_tco.usage.tables import read_table

    for name in columns:
        if name not in _HISTORY:
            raise click.UsageError(f"--column {name}=…: is no field of a history{suggest(name, _HISTORY)}")
    table = read_table(path)
    # Columns that are called like a field are that field, unless another one is named for it.
    read: dict[str, str] = {**{name: name for name in _HISTORY if name in table}, **columns}
    if "tiers" not in read:
        raise click.UsageError(f"{path}: say which column holds the tiers: --column tiers=…{suggest('tier', table)}")
    history = history_of(table, **read, title=str(path))
    document = history_document(path.name, history.report(currency=currency, cost_per_request=costs or None), read)
    if as_json:
        print_json(document)
    else:
        print_tables(render_history(document))


COMMANDS = (cache, route)
"""The commands of this module."""
