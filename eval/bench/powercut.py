"""A power cut at every moment of every kind of write: what was not synced may be lost, in any combination.

A trace of all file operations of a step is replayed up to each moment. Of what the step then had not synced, the disk
that is found afterwards has nothing; or all names, but no content; or, drawn at random, some writes and not others,
and names up to some moment. A name is safe when its folder was synced, content when its file was (POSIX promises no
more; Pillai et al. 2014, "All file systems are not created equal"). What must hold afterwards is as in `faults`.
"""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ragembed.eval.bench.faultfs import KINDS, MARK

IMAGES = ("nothing", "names", "random")
"""What of the unsynced survives a cut."""
DONE = "done"
"""The mark in a trace after which the step has said that it is done."""
_HEAD = struct.Struct("=5q")
_REBUILT = "-shm"
"""Files that SQLite makes anew when it finds that nobody has the catalog open."""


@dataclass(frozen=True, slots=True)
class Record:
    """One operation of a trace; paths begin with ``/`` and are relative to the traced folder."""

    kind: str
    path: str
    target: str
    at: int
    """Where a write begins, the length to cut to, or the number of the file that is made or synced."""
    data: bytes


def read_trace(path: Path) -> list[Record]:
    """The operations in order; marks are of the kind ``mark``."""
    data = path.read_bytes()
    records: list[Record] = []
    position = 0
    while position < len(data):
        kind, first, second, at, size = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        parts = []
        for length in (first, second, size):
            parts.append(data[position : position + length])
            position += length
        name = "mark" if kind == MARK else KINDS[kind]
        records.append(Record(name, parts[0].decode(), parts[1].decode(), at, parts[2]))
    return with_unseen_renames(records)


def with_unseen_renames(trace: Sequence[Record]) -> list[Record]:
    """`trace` with the renames that went past the C library, as those of safetensors do.

    A file that is synced under another name than the one it was made under got that name after it was last written.
    """
    told = list(trace)
    names: dict[int, str] = {}
    for record in trace:
        if record.kind == "create":
            names[record.at] = record.path
        elif record.kind == "rename":
            names = {number: record.target if name == record.path else name for number, name in names.items()}
        elif record.kind == "fsync" and names.get(record.at, record.path) != record.path:
            name, names[record.at] = names[record.at], record.path
            last = max(number for number, one in enumerate(told) if one.path == name)
            told.insert(last + 1, Record("rename", name, record.path, 0, b""))
    return told


@dataclass(slots=True, eq=False)
class _File:
    """Content as it is synced, and the writes since: where and what; None at a length to which it was cut."""

    synced: bytes = b""
    writes: list[tuple[int, bytes | None]] = field(default_factory=list)

    def content(self, landed: Sequence[bool] | None = None) -> bytes:
        """With those of the writes that landed, or all."""
        data = bytearray(self.synced)
        for number, (at, piece) in enumerate(self.writes):
            if landed is not None and not landed[number]:
                continue
            if piece is None:
                data = data[:at].ljust(at, b"\0")
                continue
            data = data.ljust(at, b"\0")
            data[at : at + len(piece)] = piece
        return bytes(data)


_Change = tuple[str, str, str, _File]
"""A change of names not yet synced: what, the name, the new name, the file."""


class Disk:
    """A folder as the system shows it and as the disk surely holds it."""

    def __init__(self, folder: Path) -> None:
        """What lies in `folder` is all synced."""
        self.folders = {f"/{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_dir()} | {""}
        files = (path for path in folder.rglob("*") if path.is_file())
        self.synced = {f"/{path.relative_to(folder)}": _File(path.read_bytes()) for path in files}
        self.shown = dict(self.synced)
        self.changes: list[_Change] = []

    def apply(self, record: Record) -> None:
        """Go on by one operation."""
        file = self.shown.get(record.path)
        if record.kind == "mkdir":
            self.folders.add(record.path)
        elif record.kind == "create":
            self._change(("create", record.path, "", _File()))
        elif record.kind == "mark":
            return
        elif record.kind == "fsync" and file is None:
            self._sync_names(record.path)
        elif file is None:
            return  # written after it was unlinked
        elif record.kind == "fsync":
            file.synced, file.writes = file.content(), []
        elif record.kind in ("write", "truncate"):
            file.writes.append((record.at, record.data if record.kind == "write" else None))
        elif record.kind in ("rename", "unlink"):
            self._change((record.kind, record.path, record.target, file))

    def _change(self, change: _Change) -> None:
        _rename(self.shown, change)
        self.changes.append(change)

    def _sync_names(self, folder: str) -> None:
        rest: list[_Change] = []
        for change in self.changes:
            if _parent(change[1]) == folder:
                _rename(self.synced, change)
            else:
                rest.append(change)
        self.changes = rest

    def image(self, survives: str, chance: random.Random) -> dict[str, bytes]:
        """Content of every file after a cut now."""
        count = {"nothing": 0, "names": len(self.changes), "random": chance.randint(0, len(self.changes))}[
            survives
        ]
        names = dict(self.synced)
        for change in self.changes[:count]:
            _rename(names, change)
        image = {}
        for path, file in names.items():
            landed = [survives == "random" and chance.random() < 0.5 for _ in file.writes]
            if not path.endswith(_REBUILT):
                image[path] = file.content(landed)
        return image

    def write(self, image: dict[str, bytes], folder: Path) -> None:
        """Make `folder` hold the files of `image` and nothing else."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in sorted(self.folders):
            (folder / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name, data in image.items():
            (folder / name.lstrip("/")).write_bytes(data)


def _parent(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "/" else parent


def _rename(names: dict[str, _File], change: _Change) -> None:
    what, path, target, file = change
    if what == "create":
        names[path] = file
    elif names.get(path) is file:
        del names[path]
        if what == "rename":
            names[target] = file


@dataclass(frozen=True, slots=True)
class Cut:
    """A disk after a power cut: before which operation, what survived, whether the step was done by then."""

    number: int
    at: Record | None
    survives: str
    done: bool
    image: dict[str, bytes]


def cuts(disk: Disk, trace: Sequence[Record], every: int, seed: int = 0) -> Iterator[Cut]:
    """The cuts at every `every`-th moment of `trace`, and at its end; `disk` goes through it meanwhile."""
    chance = random.Random(seed)
    done = False
    for number, record in enumerate([*trace, None]):
        if number % every == 0 or record is None:
            for survives in IMAGES:
                yield Cut(number, record, survives, done, disk.image(survives, chance))
        if record is not None:
            done = done or (record.kind, record.path) == ("mark", DONE)
            disk.apply(record)
