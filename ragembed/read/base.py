"""What passes between the walk over a folder and the readers of its files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ragembed.errors import ReadError

if TYPE_CHECKING:
    from ragembed.types import Document


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read. `id` is its path, with ``/``, below the common parent of the paths asked for."""

    file: str
    """Its absolute path; a string, as a walk over many files would spend most of its time on making `Path`s."""
    id: str
    size: int
    mtime_ns: int
    named: bool = False
    """Whether the user named this very file: it is then read or reported, never silently left out."""

    @property
    def path(self) -> Path:
        """`file` as a `Path`."""
        return Path(self.file)


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be read, and why; `where` is a source's id, with ``:LINE`` for a row."""

    where: str
    reason: str
    file: str = field(default="", compare=False)
    """Absolute path of the file or folder that could not be looked at; empty for what was wrong in a file."""


@dataclass(slots=True)
class Report:
    """What was left out without being an error: how many files or folders (or empty rows), by reason."""

    skipped: Counter[str] = field(default_factory=Counter)

    def skip(self, reason: str) -> None:
        """Count one more."""
        self.skipped[reason] += 1


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
    """Fields of a row that make its text; empty: the first of ``text``, ``contents``, ``content``,
    ``page_content`` and ``body``, else all strings."""
    title_field: str | None = None
    """Field of a row that holds its title; None: ``title`` where there is one."""
    id_field: str | None = None
    """Field of a row that holds its id; None: ``_id`` or ``id`` where there is one, else the line number."""

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_expanded"):
            if getattr(self, name) < 1:
                raise ReadError(f"{name} is {getattr(self, name)}", "give a size of at least 1 byte")
        if self.encoding is not None:
            _check_encoding(self.encoding)


_CHOOSING = ("include", "exclude", "max_bytes", "max_expanded")
"""Options that choose files and change nothing in what is read of them."""


def options_key(options: ReadOptions) -> str:
    """Those of `options` that decide what a file that can be read gives."""
    return json.dumps({name: value for name, value in asdict(options).items() if name not in _CHOOSING})


def _check_encoding(name: str) -> None:
    try:
        b"a".decode(name, errors="replace")
    except (LookupError, ValueError) as error:
        raise ReadError(
            f"unknown encoding {name!r}", "use one of Python's names, such as utf-8, cp1252 or shift_jis"
        ) from error


Reader = Callable[[Source, bytes, ReadOptions], "Iterator[Document | Failure]"]
"""Takes a source and its bytes and gives its documents; raises `ReadError` when all of it is broken."""
