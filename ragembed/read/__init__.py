"""Files -> Document: a walk over folders, and one reader per format.

`walk` and `scan` find files, `read` reads one, `read_files` does both. What reads is loaded on first use: a sync that
finds nothing changed opens no file, and should not wait for what would.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ragembed.read.base import Failure, ReadOptions, Report, Source
from ragembed.read.walk import Found, scan, walk

if TYPE_CHECKING:
    from ragembed.read.files import READERS, read, read_files

__all__ = [
    "READERS",
    "Failure",
    "Found",
    "ReadOptions",
    "Report",
    "Source",
    "read",
    "read_files",
    "scan",
    "walk",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ragembed.read' has no attribute {name!r}")
    return getattr(importlib.import_module("ragembed.read.files"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
