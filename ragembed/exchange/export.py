"""An index -> a folder of plain files."""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ragembed.errors import StoreError
from ragembed.exchange.content import content_of
from ragembed.exchange.manifest import Manifest
from ragembed.exchange.staging import staged
from ragembed.index.files import folder_size
from ragembed.index.store import Store

Progress = Callable[[int, int, str], None]
"""Called with chunks done, chunks in all, and what is being worked on."""

FORMATS = {"jsonl": "ragembed.exchange.jsonl", "parquet": "ragembed.exchange.parquet"}
"""Forms that an export can have, each with the module whose `write` makes it and whose `VECTORS` says where vectors
are."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What `export_index` wrote, and where."""

    folder: str
    format: str
    documents: int
    chunks: int
    vectors: dict[str, str]
    """Specs of the dense embedders by the name of their file, or of their column of ``chunks.parquet``."""
    bytes: int
    seconds: float


def export_index(
    index: str | Path, folder: str | Path, format: str = "jsonl", progress: Progress | None = None
) -> Exported:
    """Write one committed state of an index into `folder`, which must be absent or empty, whole or not at all.

    Takes the same memory whatever the size of the index, and disturbs neither readers nor a writer. docs/exchange.md
    describes the files.
    """
    started = time.perf_counter()
    if format not in FORMATS:
        raise StoreError(f"unknown format of an export {format!r}", f"valid are: {', '.join(FORMATS)}")
    form = importlib.import_module(FORMATS[format])
    index, folder = Path(index), Path(folder)
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(index)):
        raise StoreError(f"{folder} lies in the index itself", "name a folder outside of it")
    with contextlib.closing(Store(index)) as store, content_of(store) as content:
        with staged(folder) as temporary:
            total = content.counts["chunks"]
            tell = progress or (lambda done, total, what: None)
            tell(0, total, "")
            files = form.write(content, temporary, lambda done: tell(done, total, ""))
            Manifest(format, content.counts, content.config, content.created, files).write(temporary)
        return Exported(
            str(folder),
            format,
            content.counts["documents"],
            content.counts["chunks"],
            {form.VECTORS.format(column.number): column.spec for column in content.columns},
            folder_size(folder),
            round(time.perf_counter() - started, 3),
        )
