"""Write the audit of the two source documents: what they print beside what the library computes.

Every figure that is not a quotation is computed here, from the files in `examples/seeds`
and from the catalog. Sphinx runs it before it reads the pages; by hand it is
`python -m audit` in the folder `docs`.
"""

from __future__ import annotations

from pathlib import Path

from audit.article import article, claims
from audit.calculator import details, measures, three_years
from audit.proposal import budget, returns
from audit.reading import COST, DOCS, LOCAL, Row

PAGE = DOCS / "explanation" / "audit.md"

INTRODUCTION = f"""# The audit of two documents

This library began with two Chinese documents that add up what it costs to run language models: {COST}, and an \
article on local deployment of code assistants, cited by its first heading, {LOCAL}. Neither has an address. \
Whatever they calculate, the library calculates. Not everything that they print follows from their own inputs, \
so this page shows, for each figure,

* what the document prints,
* what its own inputs give when each is counted as the document says, and
* what the library says with everything counted that the documents state somewhere.

The last two are computed when this page is built, from the scenario files in `examples/seeds`. \
To see one in full, run `llm-tco compare examples/seeds/small.toml`. Amounts are in yuan (CNY).
"""


def rows() -> list[Row]:
    """Audit every figure of the two documents."""
    return [*three_years(), *details(), *measures(), *returns(), *budget(), *article(), *claims()]


def page(found: list[Row]) -> str:
    """Lay the rows out as a page, a table for each section."""
    lines = [INTRODUCTION]
    for section in dict.fromkeys(row.section for row in found):
        lines += [f"## {section}", ""]
        lines += [
            "| item | the document prints | its own inputs give | everything counted | why |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {row.item} | {row.seed} | {row.own} | {row.library} | {row.why} |"
            for row in found
            if row.section == section
        ]
        lines.append("")
    return "\n".join(lines)


def main(target: Path = PAGE) -> None:
    """Write the page, where it has changed."""
    text = page(rows())
    if not target.exists() or target.read_text("utf-8") != text:
        target.write_text(text, "utf-8")
