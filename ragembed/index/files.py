"""Durable writes: a file is there whole or not at all, and stays after a power cut."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragembed.errors import CorruptError, StoreError

SEGMENTS = "segments"
"""Folder of an index: vectors and postings."""
EMBEDDERS = "embedders"
"""Folder of an index: what fitted embedders have learnt."""


_MEND = "run: ragembed verify INDEX"
_AGAIN = "check its disk and permissions, and run the same again: the index is as it was at its last commit"


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
    """A file to write piece by piece, as `replacing` does it.

    Raises `StoreError` where the disk does not take it.
    """
    with unwritable(path), replacing(path) as file:
        yield HashedFile(file)


@contextlib.contextmanager
def replacing(path: Path, mark: str = "") -> Iterator[BinaryIO]:
    """A file to write under a temporary name; at the end fsync, rename, fsync of the folder.

    Give a `mark` of its own to each of several writers that no lock keeps apart.
    """
    temporary = path.with_name(f"{path.name}{mark}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # what fails here failed before, and the next writer sweeps
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def unwritable(path: Path, remedy: str = _AGAIN) -> Iterator[None]:
    """Turn what the system says about writing at `path`, by default part of an index, into a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror or error})", remedy) from error


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
    """Raise `CorruptError` where `path` is not there, goes while it is being read, or cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise CorruptError(f"{path.name} is missing from the index", _MEND) from None
    except OSError as error:
        raise CorruptError(f"{path.name} cannot be read ({error.strerror or error})", _MEND) from error


def check_file(path: Path, size: int, sha256: str) -> None:
    """Raise `CorruptError` unless `path` is a file of that size and that content."""
    with missing_is_corrupt(path):
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode):  # to open a pipe would wait for ever
            raise CorruptError(f"{path.name} is no regular file", _MEND)
        if info.st_size != size:
            raise CorruptError(f"{path.name} has {info.st_size} bytes, {size} were written", _MEND)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise CorruptError(f"{path.name} is damaged: its checksum differs", _MEND)


def folder_size(folder: Path) -> int:
    """Bytes of all files in and below `folder`; those that go meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            info = path.stat()
            total += info.st_size if stat.S_ISREG(info.st_mode) else 0
    return total
