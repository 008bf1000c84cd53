"""A map of words or passages in two dimensions, as one page that is looked at in a browser; see docs/neighbors.md."""

from __future__ import annotations

from pathlib import Path

from ragembed.eval.map.drawing import Drawing
from ragembed.eval.map.page import render_map
from ragembed.lines import write_lines

__all__ = ["write_map"]


def write_map(path: Path, drawing: Drawing) -> None:
    """Write the page to `path`, whole or not at all. It needs no other file and no network."""
    write_lines(path, [render_map(drawing)])
