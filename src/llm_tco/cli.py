"""The command line: its entry, and what all commands share."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

try:
    import click
except ModuleNotFoundError:  # pragma: no cover - exercised by a test in an environment without click
    from llm_tco.errors import missing_extra

    sys.stderr.write(f"The command line needs click and rich: {missing_extra('cli')}\n")
    raise SystemExit(1) from None

from llm_tco.commands import EXIT_INTERNAL, EXIT_WRONG_INPUT, catalogs, routing, scenarios, sizing


class _Group(click.Group):
    """Turns what users can mend into a report without a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.filename is not None:  # no output, but a file that somebody forgot to speak of
                raise
            _leave_output()
            click.echo(f"the output cannot be written: {error.strerror}", err=True)
            sys.exit(EXIT_INTERNAL)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ValueError, LookupError, ArithmeticError) as error:
            from llm_tco.errors import LlmTcoError

            if not isinstance(error, LlmTcoError):
                raise
            click.echo("\n".join([str(error), *getattr(error, "__notes__", ())]), err=True)
            ctx.exit(EXIT_WRONG_INPUT)


def _leave_output() -> None:
    """Send what is left in the buffer nowhere, so that the end of the program does not try again."""
    with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-tco", prog_name="llm-tco")
def main() -> None:
    """Say what it costs to serve an LLM, and which way is cheapest.

    Exit status: 0 success, 1 internal error, 2 wrong command line or scenario,
    3 the command worked and the answer is no: no option carries the load, a plugin
    has problems, a record is stale, nothing meets a task.
    """


for module in (scenarios, sizing, routing, catalogs):
    for command in module.COMMANDS:
        main.add_command(command)
