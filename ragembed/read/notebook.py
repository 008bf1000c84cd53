"""Jupyter notebooks: Markdown cells as they are, code and the beginning of its output as fenced blocks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ragembed.errors import ReadError
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Composer, first_title
from ragembed.read.encoding import decode
from ragembed.read.markdown import clean
from ragembed.types import Document

_MOST_OUTPUT = 2000
"""Characters of one cell's output that are kept: enough for a table's head, not for a training log."""


def read_notebook(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document."""
    decoded = decode(data, options.encoding)
    notebook = json.loads(decoded.text)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict):  # before version 4, cells lay in worksheets
        cells = [cell for sheet in notebook.get("worksheets", []) for cell in sheet.get("cells", [])]
    if not isinstance(cells, list):
        raise ReadError("notebook has no list of cells", "open it in Jupyter and save it again")
    language = _language(notebook)
    composer = Composer()
    for cell in cells:
        kind, text = cell.get("cell_type"), _joined(cell.get("source", cell.get("input", "")))
        if kind == "heading":
            text = f"{'#' * int(cell.get('level', 1))} {text}"
        if kind in ("markdown", "heading") and text.strip():
            _markdown(composer, text)
        elif kind == "code" and text.strip():
            composer.add(_fenced(text, language))
        elif text.strip():
            composer.add(text.strip())
        output = "\n".join(filter(None, map(_output, cell.get("outputs", ())))).strip()
        if output:
            kept = output if len(output) <= _MOST_OUTPUT else output[:_MOST_OUTPUT].rstrip() + "\n..."
            composer.add(_fenced(kept, "text"))
    yield composer.document(
        source,
        "notebook",
        title=first_title(composer.headings, composer.text),
        kernel=language,
        **decoded.metadata,
    )


def _markdown(composer: Composer, text: str) -> None:
    cleaned, headings = clean(text)
    shift = len(cleaned) - len(cleaned.lstrip())
    body = cleaned.strip()
    if body:
        start = composer.add(body)
        composer.headings.extend([start + max(0, at - shift), level, title] for at, level, title in headings)


def _output(output: dict[str, Any]) -> str:
    """The text of one output; pictures, HTML and tracebacks have none."""
    if output.get("output_type") in ("error", "pyerr"):
        return f"{output.get('ename', '')}: {output.get('evalue', '')}"
    bundle = output.get("data", output)
    return _joined(output.get("text") or bundle.get("text/plain", ""))


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _fenced(text: str, language: str) -> str:
    text = text.strip("\n")
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata", {})
    name = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
    return name if isinstance(name, str) else "python"
