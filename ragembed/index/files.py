"""Durable writes: a file is there whole or not at all, and stays after a power cut."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ragembed.errors import CorruptError


def write_durably(path: Path, data: bytes) -> str:
    """Write `data` under a temporary name, fsync, rename, fsync the folder; returns the sha256."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return hashlib.sha256(data).hexdigest()


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


def check_file(path: Path, size: int, sha256: str) -> None:
    """Raise `CorruptError` unless `path` has that size and that content."""
    try:
        found = path.stat().st_size
        if found != size:
            raise CorruptError(
                f"{path.name} has {found} bytes, {size} were written", "run: ragembed verify INDEX"
            )
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise CorruptError(f"{path.name} is missing from the index", "run: ragembed verify INDEX") from None
    if digest != sha256:
        raise CorruptError(f"{path.name} is damaged: its checksum differs", "run: ragembed verify INDEX")
