"""A folder that is there whole or not at all: filled under a temporary name beside its own, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ragembed.errors import StoreError
from ragembed.index.files import sync_folder, sync_tree


@contextlib.contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `target` at the end; whatever is raised inside, nothing of it stays.

    `target` must be absent or an empty folder. Raises `StoreError` where it is not, and for what the system says
    against any of the files, such as that the disk is full.
    """
    target = Path(os.path.realpath(target))
    _require_free(target)
    missing = [folder for folder in target.parents if not folder.exists()]
    temporary = target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        sync_tree(temporary)
        temporary.rename(target)
        with contextlib.suppress(PermissionError):  # a folder may let us make names that it does not list
            sync_folder(target.parent)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError):  # somebody may have put something there meanwhile
            for folder in missing:
                folder.rmdir()
        if isinstance(error, OSError):
            where = f"{error.filename}: " if error.filename else ""
            raise StoreError(
                f"{target} was not made ({where}{error.strerror or error})",
                "check the disk, its free space and the permissions; nothing is left of the attempt",
            ) from error
        raise


def _require_free(target: Path) -> None:
    try:
        free = not any(target.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            f"{target} cannot be used ({error.strerror})", "name a new or empty folder"
        ) from error
    if not free:
        raise StoreError(f"{target} exists and is not empty", "name a new or empty folder")
