"""The commands, by what they are about. Every command imports what it needs when it runs.

Exit status: 0 for success; 1 for an error inside llm-tco or a plugin; 2 for a wrong command
line or a wrong scenario, with a report; 3 where the command worked and the answer is no.
"""

from __future__ import annotations

import json
from typing import Final

import click

EXIT_WRONG_INPUT: Final = 2
EXIT_NO: Final = 3
"""No option carries the load at known prices, a plugin has problems, a record is stale."""


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
    from pathlib import Path

    try:
        Path(str(path)).write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from None


json_option = click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of tables.")
"""The flag that asks for JSON."""
