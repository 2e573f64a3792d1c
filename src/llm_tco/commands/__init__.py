"""The commands, by what they are about. Every command imports what it needs when it runs.

Exit status: 0 for success; 1 for an error inside llm-tco or a plugin; 2 for a wrong command
line or a wrong scenario, with a report; 3 where the command worked and the answer is no.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from llm_tco.analysis.compare import Comparison
    from llm_tco.scenario import Scenario

EXIT_INTERNAL: Final = 1
EXIT_WRONG_INPUT: Final = 2
EXIT_NO: Final = 3
"""No option carries the load at known prices, a plugin has problems, a record is stale."""


def compared(file: Path, scenario: Scenario) -> Comparison:
    """Compare the options of a scenario; what comes up names the file, and the option where it did.

    Raises:
        ProblemsError: The options cannot be compared.
    """
    from llm_tco.errors import LlmTcoError, ProblemsError

    try:
        return scenario.compare()
    except LlmTcoError as error:
        where = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
        raise ProblemsError(file.name, [f"{where}{error}"]) from error


def print_json(document: object) -> None:
    """Print a document as JSON: bytes, as JSON is UTF-8 whatever the terminal's encoding."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode())


def print_tables(renderable: object) -> None:
    """Print tables as wide as the terminal, or 120 columns wide into a file."""
    import io
    import sys

    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without these letters shows question marks
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False, soft_wrap=False).print(renderable)


def write_file(path: object, text: str) -> None:
    """Write a file in UTF-8, or say why not."""
    try:
        Path(str(path)).write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from None


json_option = click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of tables.")
"""The flag that asks for JSON."""
