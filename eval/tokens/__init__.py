"""Which words of a passage answered, as one page that is looked at in a browser; see docs/explain.md."""

from __future__ import annotations

from pathlib import Path

from ragembed.errors import StoreError
from ragembed.eval.tokens.page import render_tokens
from ragembed.explain.tokens import Compared
from ragembed.lines import write_lines

__all__ = ["write_tokens"]

_START = b"<!doctype html>"


def write_tokens(path: Path, compared: Compared, title: str = "") -> None:
    """Write the page to `path`, whole or not at all; `title` says where the passage stands. It needs no other file.

    An earlier page is replaced; raises `StoreError` for a file that is none.
    """
    if path.exists() and not (path.is_file() and _is_page(path)):  # reading a pipe would wait forever
        raise StoreError(f"{path} exists and is no page", "name another file")
    write_lines(path, [render_tokens(compared, title)])


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_START)) == _START
