"""Writing: what the disk says against it, what must reach it, and what writers that were killed have left."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragembed.errors import LockedError, StoreError
from ragembed.index.lock import write_lock

_LOCK = ".lock.tmp"
"""Is there while files are moved."""
_STALE = 24 * 3600
"""Seconds after which what was never finished is swept away."""


def sync(file: BinaryIO) -> None:
    """Bring what was written to `file` to the disk."""
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about writing at `path` into a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error})",
            "check the disk, its room and your permissions",
        ) from error


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, whose file is gone afterwards; `LockedError` where another writer holds it."""
    lock = folder / _LOCK
    with write_lock(folder, _LOCK):
        # whoever opened it just before another writer removed it holds what nobody else sees
        if not lock.exists() or lock.read_text(encoding="ascii").strip() != str(os.getpid()):
            raise LockedError(f"{folder} is being written by another process", "wait until it is done")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows keeps it as long as it is open
                lock.unlink()


def sweep_killed(folder: Path, pattern: str) -> None:
    """Remove folders in `folder` that writers which were killed have left there."""
    for other in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - other.stat().st_mtime > _STALE:
                shutil.rmtree(other, ignore_errors=True)
