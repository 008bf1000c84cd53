"""What passes between the walk over a folder and the readers of its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ragembed.types import Document


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read. `id` is its path, with ``/``, below the common parent of the paths that were asked for."""

    path: Path
    id: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be read, and why; `where` is a source's id, with ``:LINE`` for a row."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What to read, and how. Sizes in bytes."""

    include: tuple[str, ...] = ()
    """gitignore-style patterns; where any is given, only files that match one are read."""
    exclude: tuple[str, ...] = ()
    """gitignore-style patterns of what to leave out; ``!`` takes back."""
    max_bytes: int = 100_000_000
    """Largest file that is read."""
    max_expanded: int = 1_000_000_000
    """Most that a compressed file (DOCX, EPUB ...) may unpack to."""
    encoding: str | None = None
    """Encoding of text files; None: detect."""
    text_fields: tuple[str, ...] = ()
    """Fields of a row that make its text; empty: ``text``, ``contents``, ``content``, ``page_content``, ``body``,
    else all strings."""
    title_field: str | None = None
    """Field of a row that holds its title; None: ``title`` where there is one."""
    id_field: str | None = None
    """Field of a row that holds its id; None: ``_id`` or ``id`` where there is one, else the line number."""


Reader = Callable[[Source, bytes, ReadOptions], Iterator[Document | Failure]]
"""A reader takes a source and its bytes and gives its documents. It raises `ReadError` when all of it is broken."""
