"""Where converted files are kept, by what is in them."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
from pathlib import Path

from ragembed.embed.words.formats.disk import sweep_killed
from ragembed.errors import EmbeddingError, StoreError

_FORMAT = 1
"""Changes with what is made of a file, so that what an older version made is not taken."""


def cache_root() -> Path:
    """Where converted files are kept."""
    own, general = os.environ.get("RAGEMBED_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own).expanduser() / "words"
    try:
        base = Path(general).expanduser() if general else Path.home() / ".cache"
    except RuntimeError as error:
        raise StoreError(f"there is no folder for a cache ({error})", "set RAGEMBED_CACHE") from error
    return base / "ragembed" / "words"


def cache_folder(path: Path, limit: int | None) -> Path:
    """The folder for this very content of the file; its name begins alike for every content."""
    try:
        path = path.resolve()
        state: list[str | int] = [_FORMAT]
        for file in (path, *side_files(path)):
            info = file.stat()
            state += [file.name, info.st_size, info.st_mtime_ns, info.st_ctime_ns]
    except OSError as error:
        raise EmbeddingError(f"{path} cannot be read ({error.strerror})", "check the path") from error
    return cache_root() / f"{_hash([str(path), limit])}-{_hash(state)}"


def side_files(path: Path) -> list[Path]:
    """The files of arrays that gensim may have put beside `path`."""
    return sorted(
        found
        for ending in ("npy", "npz")
        for found in path.parent.glob(f"{glob.escape(path.name)}.*.{ending}")
    )


def sweep(folder: Path) -> None:
    """Remove what was made of earlier contents of the same file, and conversions that were killed."""
    root, same = folder.parent, folder.name.partition("-")[0]
    for other in root.glob(f"{glob.escape(same)}-*"):
        if other != folder and not other.name.endswith(".tmp"):
            shutil.rmtree(other, ignore_errors=True)
    sweep_killed(root, "*.tmp")


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode("utf-8", "surrogateescape")).hexdigest()[:16]
