"""One writer at a time. The lock belongs to the process: the system frees it when the process dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ragembed.errors import LockedError, StoreError
from ragembed.index.files import unwritable

LOCK_NAME = "write.lock"


@contextlib.contextmanager
def write_lock(folder: Path, name: str = LOCK_NAME) -> Iterator[None]:
    """Hold the write lock of the index at `folder`; raises `LockedError` where another writer holds it."""
    try:
        opened = (folder / name).open("a+", encoding="ascii")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written ({error.strerror})", "check its permissions") from error
    with opened as file:
        if not _try_lock(file.fileno()):
            file.seek(0)
            holder = file.read(20).strip() or "unknown"
            if holder == str(os.getpid()):
                raise LockedError(
                    f"{folder} is being written by this process already",
                    "wait for its other thread, or do not write from within an iterator of documents",
                )
            raise LockedError(
                f"{folder} is being written by process {holder}",
                "wait until it is done, or stop that process",
            )
        try:
            with unwritable(folder):
                file.truncate(0)
                file.write(f"{os.getpid()}\n")
                file.flush()
            yield
        finally:
            with contextlib.suppress(OSError):  # the number is for people only
                file.truncate(0)
            _unlock(file.fileno())


if os.name == "posix":
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)

else:  # pragma: no cover
    import msvcrt

    def _try_lock(handle: int) -> bool:
        os.lseek(handle, 1 << 30, os.SEEK_SET)  # a byte past the text, so that others can read who holds it
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, 1 << 30, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
