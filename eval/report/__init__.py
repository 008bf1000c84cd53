"""What a comparison found, for people: one HTML file, one Markdown file.

`write_report` takes the dictionary that is stored as ``report.json``; docs/report.md says what the page shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ragembed.errors import DatasetError
from ragembed.eval.report.html import render_html
from ragembed.eval.report.markdown import render_markdown
from ragembed.lines import write_lines

__all__ = ["FORMAT", "write_report"]

FORMAT = 1
"""The version of report.json that is rendered here."""


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write `report` as ``report.html`` and ``report.md`` into `folder`, each whole or not at all.

    The page needs no other file and no network. `DatasetError` if `report` is of another format.
    """
    if report.get("format") != FORMAT:
        raise DatasetError(
            f"the report has format {report.get('format')!r}, this version of ragembed renders {FORMAT}",
            "run the comparison again, or use the version of ragembed that made it",
        )
    write_lines(folder / "report.html", [render_html(report)])
    write_lines(folder / "report.md", [render_markdown(report)])
