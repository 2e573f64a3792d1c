"""Commands about a scenario: compare, report, init, schema, lock, diff."""

from __future__ import annotations

from pathlib import Path

import click

from llm_tco.commands import EXIT_NO, compared, json_option, print_json, print_tables, write_file


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.option("--unlocked", is_flag=True, help="Leave the lock beside FILE aside.")
def compare(file: Path, *, as_json: bool, unlocked: bool) -> None:
    """Compare the options of a scenario FILE.

    Where a lock lies beside FILE, its records are used.
    """
    from llm_tco.report.document import document
    from llm_tco.scenario import load_scenario

    scenario = load_scenario(file, locked=not unlocked)
    comparison = compared(file, scenario)
    result = document(comparison, title=scenario.title)
    if as_json:
        print_json(result)
    else:
        from llm_tco.report.tables import render

        print_tables(render(result))
    if comparison.best is None:
        raise SystemExit(EXIT_NO)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of printing.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language; the scenario's own without it.")
@click.option("--template", type=click.Path(path_type=Path), help="A Jinja template instead of the library's own.")
@click.option("--option", help="The option that is proposed.")
@click.option("--instead-of", help="The option that it takes the place of.")
def report(
    file: Path,
    *,
    output: Path | None,
    lang: str | None,
    template: Path | None,
    option: str | None,
    instead_of: str | None,
) -> None:
    """Write a budget proposal from a scenario FILE, in Markdown."""
    from llm_tco.report.figures import figures, pair
    from llm_tco.report.proposal import render
    from llm_tco.scenario import load_scenario
    from llm_tco.texts import Proposal

    scenario = load_scenario(file)
    texts = scenario.proposal or Proposal()
    comparison = compared(file, scenario)
    chosen, other = pair(comparison, option or texts.option, instead_of or texts.instead_of)
    found = figures(comparison, chosen, other, roi_above=texts.recommend_if_roi_above)
    about = {"title": scenario.title, "description": scenario.description}
    try:
        text = render(found, **about, texts=texts, lang=lang, template=template)
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from None
    if output is None:
        click.echo(text.encode(), nl=False)  # bytes, as the languages go beyond some terminals' encodings
    else:
        write_file(output, text)
    if comparison.best is None:
        raise SystemExit(EXIT_NO)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default="scenario.toml")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init(file: Path, *, force: bool) -> None:
    """Write a commented starter scenario to FILE (scenario.toml)."""
    from importlib import resources

    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; name another file, or replace it with --force")
    write_file(file, resources.files("llm_tco").joinpath("starter.toml").read_text("utf-8"))
    click.echo(f"Wrote {file}. Change it to your case, then run: llm-tco compare {file}")


@click.command()
def schema() -> None:
    """Print a JSON Schema of scenario files, for editors."""
    from llm_tco.catalog.plugins import load_catalog
    from llm_tco.schema import scenario_schema

    print_json(scenario_schema(load_catalog()))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def lock(file: Path) -> None:
    """Write the records that a scenario FILE looks up beside it, with their hashes.

    compare then uses them, so that an upgrade of a plugin changes no report.
    """
    from llm_tco.lock import lock_path, write_lock
    from llm_tco.scenario import lookups_of

    lookups = lookups_of(file)
    beside = lock_path(file)
    if beside == file:
        raise click.UsageError(f"{file} has the suffix of a lock; give the scenario another one, such as .toml")
    write_file(beside, write_lock(lookups, name=file.name))
    count = len({id(record) for found in lookups.values() for record in found})
    asked, answered = (
        f"{number} {word}{'s' * (number != 1)}" for number, word in ((len(lookups), "look-up"), (count, "record"))
    )
    click.echo(f"Wrote {beside}: {asked}, answered by {answered}.")


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@json_option
def diff(before: Path, after: Path, *, as_json: bool) -> None:
    """Split the difference between the results of two scenario files.

    Into price, volume, exchange rate and assumptions. Each file's lock is used.
    """
    import attrs

    from llm_tco.difference import difference

    found = difference(before, after)
    if as_json:
        from llm_tco.report.document import FORMAT

        print_json({"format": FORMAT, **attrs.asdict(found)})
    else:
        from llm_tco.report.listing import render_difference

        print_tables(render_difference(found, str(before), str(after)))


COMMANDS = (compare, report, init, schema, lock, diff)
