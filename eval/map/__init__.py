"""A map of words or passages in two dimensions, as one page that is looked at in a browser; see docs/neighbors.md."""

from __future__ import annotations

from pathlib import Path

from ragembed.errors import StoreError
from ragembed.eval.map.drawing import Drawing
from ragembed.eval.map.page import render_map
from ragembed.lines import write_lines

__all__ = ["write_map"]


_START = b"<!doctype html>"


def write_map(path: Path, drawing: Drawing) -> None:
    """Write the page to `path`, whole or not at all. It needs no other file and no network.

    An earlier page is replaced; raises `StoreError` for a file that is none.
    """
    if path.exists() and not (path.is_file() and _is_page(path)):  # reading a pipe would wait forever
        raise StoreError(f"{path} exists and is no map", "name another file")
    write_lines(path, [render_map(drawing)])


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_START)) == _START
