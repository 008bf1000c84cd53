"""Durable writes: a file is there whole or not at all, and stays after a power cut."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragembed.errors import CorruptError


class HashedFile:
    """A file that is written from its start to its end, and what was written so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Append `data`; returns how many bytes that were."""
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def sha256(self) -> str:
        """Of all that was written, in hexadecimal."""
        return self._hash.hexdigest()


@contextlib.contextmanager
def durable_file(path: Path) -> Iterator[HashedFile]:
    """A file to write piece by piece under a temporary name; at the end fsync, rename, fsync of the folder."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            yield HashedFile(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_durably(path: Path, data: bytes) -> str:
    """Make `data` the content of `path`, as `durable_file` does; returns the sha256."""
    with durable_file(path) as file:
        file.write(data)
    return file.sha256


def sync_folder(folder: Path) -> None:
    """Make names made or removed in `folder` durable, where the system lets a folder be synced."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make all files in and below `folder`, written by others, durable."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder.parent)


@contextlib.contextmanager
def missing_is_corrupt(path: Path) -> Iterator[None]:
    """Raise `CorruptError` where `path` is not there, or goes while it is being read."""
    try:
        yield
    except FileNotFoundError:
        raise CorruptError(f"{path.name} is missing from the index", "run: ragembed verify INDEX") from None


def check_file(path: Path, size: int, sha256: str) -> None:
    """Raise `CorruptError` unless `path` has that size and that content."""
    with missing_is_corrupt(path):
        found = path.stat().st_size
        if found != size:
            raise CorruptError(
                f"{path.name} has {found} bytes, {size} were written", "run: ragembed verify INDEX"
            )
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise CorruptError(f"{path.name} is damaged: its checksum differs", "run: ragembed verify INDEX")


def folder_size(folder: Path) -> int:
    """Bytes of all files in and below `folder`; those that go meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            info = path.stat()
            total += info.st_size if stat.S_ISREG(info.st_mode) else 0
    return total
