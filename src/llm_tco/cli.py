"""The command line. Every command imports what it needs when it runs.

Exit status: 0 for success; 1 for an error inside llm-tco or a plugin; 2 for a wrong command
line or a wrong scenario, with a report; 3 where the comparison stands but no option carries
the load at known prices.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

try:
    import click
except ModuleNotFoundError:  # pragma: no cover - exercised by a test in an environment without click
    sys.stderr.write("The command line needs two more packages: python -m pip install 'llm-tco[cli]'\n")
    raise SystemExit(1) from None

EXIT_WRONG_INPUT = 2
EXIT_NOTHING_FEASIBLE = 3


class _Group(click.Group):
    """Turns what users can mend into a report without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ValueError, LookupError, ArithmeticError) as error:
            from llm_tco.errors import LlmTcoError

            if not isinstance(error, LlmTcoError):
                raise
            click.echo("\n".join([str(error), *getattr(error, "__notes__", ())]), err=True)
            ctx.exit(EXIT_WRONG_INPUT)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-tco", prog_name="llm-tco")
def main() -> None:
    """Say what it costs to serve an LLM, and which way is cheapest.

    Exit status: 0 success, 1 internal error, 2 wrong command line or scenario,
    3 no option carries the load.
    """


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of tables.")
def compare(file: Path, *, as_json: bool) -> None:
    """Compare the options of a scenario FILE."""
    from llm_tco.report.document import document
    from llm_tco.scenario import load_scenario

    scenario = load_scenario(file)
    comparison = scenario.compare()
    result = document(comparison, title=scenario.title)
    if as_json:
        import json

        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        click.echo(text.encode())  # bytes, as JSON is UTF-8 whatever the terminal's encoding
    else:
        _print(result)
    if comparison.best is None:
        raise SystemExit(EXIT_NOTHING_FEASIBLE)


def _print(result: dict[str, object]) -> None:
    from rich.console import Console

    from llm_tco.report.tables import render

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without these letters shows question marks
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False, soft_wrap=False).print(render(result))


@main.command()
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
    comparison = scenario.compare()
    chosen, other = pair(comparison, option or texts.option, instead_of or texts.instead_of)
    found = figures(comparison, chosen, other, roi_above=texts.recommend_if_roi_above)
    about = {"title": scenario.title, "description": scenario.description}
    try:
        text = render(found, **about, texts=texts, lang=lang, template=template)
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from None
    try:
        if output is None:
            click.echo(text.encode(), nl=False)  # bytes, as the languages go beyond some terminals' encodings
        else:
            output.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written: {error.strerror}") from None
    if comparison.best is None:
        raise SystemExit(EXIT_NOTHING_FEASIBLE)


@main.command()
@click.argument("file", type=click.Path(path_type=Path), default="scenario.toml")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init(file: Path, *, force: bool) -> None:
    """Write a commented starter scenario to FILE (scenario.toml)."""
    from importlib import resources

    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; name another file, or replace it with --force")
    try:
        file.write_text(resources.files("llm_tco").joinpath("starter.toml").read_text("utf-8"), "utf-8")
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror}") from None
    click.echo(f"Wrote {file}. Change it to your case, then run: llm-tco compare {file}")


@main.command()
def schema() -> None:
    """Print a JSON Schema of scenario files, for editors."""
    import json

    from llm_tco.catalog.plugins import load_catalog
    from llm_tco.schema import scenario_schema

    click.echo(json.dumps(scenario_schema(load_catalog()), indent=2, ensure_ascii=False))


@main.command()
def plugins() -> None:
    """List the installed plugins and how their loading went."""
    from llm_tco.catalog.plugins import load_catalog

    for report in load_catalog().plugins:
        counts = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in report.records)
        click.echo(f"{report.distribution} {report.version}: {report.status}" + (f", {counts}" if counts else ""))
        for problem in report.problems:
            click.echo(f"  {problem}")
