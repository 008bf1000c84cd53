"""The quick answer to a sync for which there is nothing to do.

Most runs of a sync find nothing new. To know that takes the catalog's list of files and a walk over the sources, but
neither numpy nor an embedder, whose loading would take far longer than both. Whatever is not surely unchanged is left
to `ragembed.pipeline.Pipeline.index`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ragembed.errors import RagembedError
from ragembed.index.catalog import Catalog
from ragembed.index.files import EMBEDDERS, SEGMENTS
from ragembed.read.base import Failure, ReadOptions, Report, options_key
from ragembed.read.names import printable
from ragembed.read.walk import StrPath, scan
from ragembed.sync_report import SyncReport


def unchanged(
    index: StrPath,
    paths: Sequence[StrPath],
    options: ReadOptions | None = None,
    *,
    embedder: str | None = None,
    chunker: str | None = None,
    index_type: str | None = None,
) -> SyncReport | None:
    """The report of a sync of `index` with `paths` where everything is as it was, else None.

    A report means that `Pipeline.index` would read, write, delete and complain about nothing, and give the same one.
    None says nothing: there may be a change, an error, or only a spec that is written in another way than the index
    writes it. Takes no lock, as it does not write, and does not look whether the embedders could be loaded. Segments
    that a run killed after its last commit had not merged yet wait for the next run that has something to do.
    """
    started = time.perf_counter()
    options = options or ReadOptions()
    try:
        catalog = Catalog(Path(index), migrating=False)
        try:
            catalog.db.execute("BEGIN")  # all that follows sees one state, whoever commits meanwhile
            config = catalog.setting("config")
            asked = {"embedder": embedder, "chunker": chunker, "index_type": index_type}
            if not _made_by(config, asked) or _has_orphans(catalog, config):
                return None
            report = _compare(catalog, paths, options)
        finally:
            catalog.close()
    except (
        RagembedError,
        OSError,
        sqlite3.Error,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        RecursionError,
    ):
        return None  # the ordinary way meets it too, and says what it is
    if report is not None:
        report.seconds = time.perf_counter() - started
    return report


def _made_by(config: Mapping[str, Any], asked: Mapping[str, str | None]) -> bool:
    """Whether the index is settled, and the specs asked for, where given, are word for word its own."""
    settled = {
        "embedder": "+".join(record["spec"] for record in config["embedders"]),
        "chunker": config["settled_chunker"],
    }
    return bool(config["embedders"]) and all(
        spec in (None, config[what], settled.get(what)) for what, spec in asked.items()
    )


def _has_orphans(catalog: Catalog, config: Mapping[str, Any]) -> bool:
    """Whether a crash left files that a writer would sweep away, or files are missing."""
    folder = catalog.path.parent
    learnt = {os.path.basename(record["folder"]) for record in config["embedders"] if record["folder"]}  # noqa: PTH119
    segments = {record.name for record in catalog.segments()}
    return _names(folder / SEGMENTS) != segments or _names(folder / EMBEDDERS) != learnt


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _compare(catalog: Catalog, paths: Sequence[StrPath], options: ReadOptions) -> SyncReport | None:
    """The report of a sync, or None at the first file that is not as the catalog has it."""
    left = set(catalog.db.execute("SELECT path, size, mtime_ns, options FROM files"))
    reading = options_key(options)
    passed_over = Report()
    files = 0
    for item in scan(paths, options, passed_over):
        if isinstance(item, Failure):
            return None
        # KeyError: new or changed; or met twice, as names can differ in bytes alone that are no text
        left.remove((printable(item.file), item.size, item.mtime_ns, reading))
        files += 1
    documents = _documents(catalog)
    if left:
        gone_or_elsewhere = [path for path, *_ in left]
        if any(_below(path, paths) for path in gone_or_elsewhere):
            return None
        counts = catalog.documents_by_file()
        documents -= sum(counts.get(path, 0) for path in gone_or_elsewhere)
    return SyncReport(unchanged=documents, skipped=passed_over.skipped, files=files) if files else None


def _documents(catalog: Catalog) -> int:
    """How many documents were read from files."""
    query = "SELECT count(*) FROM documents WHERE file IN (SELECT path FROM files)"
    return int(catalog.db.execute(query).fetchone()[0])


def _below(path: str, roots: Sequence[StrPath]) -> bool:
    """Whether `path` is one of `roots` or lies below it."""
    tops = [os.path.abspath(root).rstrip(os.sep) for root in roots]  # noqa: PTH100 - Path.absolute keeps ".."
    return any(f"{path}{os.sep}".startswith((f"{top}{os.sep}", f"{printable(top)}{os.sep}")) for top in tops)
