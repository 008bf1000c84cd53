"""What the catalog says about one segment and one file."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A segment file: the vectors of `rows` chunks, made by the embedder of that number.

    `runs` says which rows of the catalog they are, as `ragembed.index.runs` encodes it.
    """

    name: str
    embedder: int
    kind: str
    rows: int
    runs: bytes
    bytes: int
    sha256: str

    @property
    def first_row(self) -> int:
        """The lowest of its rows."""
        return int.from_bytes(self.runs[:8], "little", signed=True)

    @property
    def accelerates(self) -> bool:
        """Whether it is an approximate structure over rows that other segments hold."""
        return self.kind == "ann"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was when it was last read, and the options it was read with.

    `path` is absolute, `id` is its documents' prefix.
    """

    path: str
    id: str
    size: int
    mtime_ns: int
    hash: str
    options: str


def is_plain_name(name: object) -> bool:
    """Whether `name` names a file in the folder that it is joined to, and nothing outside of it."""
    return isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name, re.ASCII) is not None
