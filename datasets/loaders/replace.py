"""Putting a new collection in the place of an old one, and of nothing else."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ragembed.errors import DatasetError, StoreError
from ragembed.exchange.staging import staged
from ragembed.index.files import sync_folder


def require_apart(source: Path, target: Path) -> None:
    """Raise `DatasetError` where `source` is `target` or lies in it, and would go with what `target` holds."""
    if not target.exists():
        return
    place = Path(os.path.realpath(source))
    if any(other.exists() and other.samefile(target) for other in (place, *place.parents)):
        raise DatasetError(
            f"{source} is read, and is not replaced by what is made of it", "name another folder to write to"
        )


def require_replaceable(folder: Path, parts: re.Pattern[str]) -> None:
    """Raise `DatasetError` for the first file or folder below `folder` whose path in it is none of `parts`."""
    stranger = _stranger(folder, parts)
    if stranger is not None:
        raise DatasetError(
            f"{folder} holds {stranger!r}, which is no part of a collection, and is not replaced",
            "name another folder",
        )


@contextlib.contextmanager
def replacing(target: Path, parts: re.Pattern[str]) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of `target` at the end, a folder that holds `parts` only.

    Whatever is raised inside, `target` stays as it was. It does too where the new folder cannot take its place:
    then the old one is put back. A kill (or a power cut) while the new one is filled leaves `target` as it was, with
    a part of the new one beside it (``.NAME.….tmp``). Between the two renames at the end it leaves **no** `target`,
    and beside it both, whole: ``.NAME.….old`` and ``.NAME.….new``; rename one. After them it leaves the new one, and
    of the old one what was not yet removed.

    Raises `DatasetError` for what is no part of a collection, also for what was put there meanwhile, and
    `StoreError` where the system refuses.
    """
    require_replaceable(target, parts)
    new, old = (
        target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.{end}") for end in ("new", "old")
    )
    with staged(new) as temporary:
        yield temporary
        require_replaceable(target, parts)
    _swap(target, new, old)
    try:
        with contextlib.suppress(PermissionError):  # a folder may let us make names that it does not list
            sync_folder(target.parent)
        shutil.rmtree(old)
    except OSError as error:
        raise StoreError(
            f"{target} is replaced, but the old one cannot be removed ({error.strerror or error})",
            f"remove {old}",
        ) from error


def _swap(target: Path, new: Path, old: Path) -> None:
    """Rename `target` to `old` and `new` to `target`, or leave `target` as it was and remove `new`."""
    try:
        target.rename(old)
        new.rename(target)
    except BaseException as error:
        if old.exists() and new.exists():
            with contextlib.suppress(OSError):  # somebody may have put something there meanwhile
                old.rename(target)
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, OSError):
            left = f"the old one is {old}" if old.exists() else "the old one is there as it was"
            raise StoreError(
                f"{target} was not replaced ({error.strerror or error})",
                f"check its permissions and what else writes there; {left}",
            ) from error
        raise


def _stranger(folder: Path, parts: re.Pattern[str]) -> str | None:
    def fail(error: OSError) -> None:
        raise StoreError(
            f"{error.filename} cannot be looked at ({error.strerror})", "check its permissions"
        ) from error

    for place, folders, files in os.walk(folder, onerror=fail):
        for name in sorted([*folders, *files]):
            path = (Path(place) / name).relative_to(folder).as_posix()
            if not parts.fullmatch(path):
                return path
    return None
