"""Commands about capacity: size and choose."""

from __future__ import annotations

from pathlib import Path

import click

from llm_tco.commands import EXIT_NO, compared, json_option, print_json, print_tables


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.option("--unlocked", is_flag=True, help="Leave the lock beside FILE aside.")
def size(file: Path, *, as_json: bool, unlocked: bool) -> None:
    """Say what the fleets of a scenario FILE need.

    Replicas, servers, memory, latency, power, and the volumes at which the next server is needed.
    Exit status 3 where something does not fit or is unserved.
    """
    from llm_tco.analysis.sizing import fleet_sizes
    from llm_tco.catalog.plugins import load_catalog
    from llm_tco.report.sizing import render_sizes, size_document
    from llm_tco.scenario import load_scenario

    scenario = load_scenario(file, locked=not unlocked)
    sizes = fleet_sizes(compared(file, scenario), load_catalog())
    if as_json:
        print_json(size_document(scenario.title, sizes))
    else:
        print_tables(render_sizes(scenario.title, sizes))
    if not all(one.carries for one in sizes):
        raise SystemExit(EXIT_NO)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def choose(file: Path, *, as_json: bool) -> None:
    """Find the cheapest model, format, engine and machine for each task of FILE.

    And why the others are refused. Exit status 3 where nothing meets a task.
    """
    from llm_tco.choices import load_choice
    from llm_tco.report.sizing import choice_document, render_choices

    question = load_choice(file)
    choices = question.choose()
    if as_json:
        print_json(choice_document(question.title, choices))
    else:
        print_tables(render_choices(question.title, choices))
    if any(choice.best is None for choice in choices):
        raise SystemExit(EXIT_NO)


COMMANDS = (size, choose)
"""The commands of this module."""
