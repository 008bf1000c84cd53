"""The cache in which Hugging Face's library keeps what it downloaded, read without that library."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_PLACES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
"""Environment variables that name the cache, the older one last."""


def cached_snapshot(name: str, cache: str | None = None) -> Path | None:
    """The folder of the model `name` (ORGANISATION/NAME) in `cache`, by default where the library has it; or None.

    ``models--ORGANISATION--NAME/refs/main`` holds the number of the revision, ``snapshots/NUMBER`` its files.
    """
    if not _NAME.fullmatch(name):
        return None
    model = (Path(cache) if cache else _default()) / f"models--{name.replace('/', '--')}"
    try:
        revision = (model / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    if not re.fullmatch(r"\w+", revision):
        return None
    folder = model / "snapshots" / revision
    return folder if folder.is_dir() else None


def _default() -> Path:
    given = next((found for key in _PLACES if (found := os.environ.get(key))), None)
    if given is not None:
        return Path(given).expanduser()
    above = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HF_HOME") or Path(above) / "huggingface").expanduser() / "hub"
