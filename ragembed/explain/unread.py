"""Why the index lacks what a file holds: it was not read, gives nothing, was deleted, or has changed since.

The catalog records which files were read, not which were left out or failed, nor by which patterns; so the file is
looked at as a sync would look at it, and read again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragembed.explain.reread import Reread, changed, is_file, options_of, reread
from ragembed.explain.result import Stage
from ragembed.explain.target import Target, roots
from ragembed.index.catalog import CATALOG_NAME, Catalog
from ragembed.index.records import FileRecord
from ragembed.read.names import is_binary_name, on_disk
from ragembed.read.walk import TOOL_FOLDERS
from ragembed.types import Document


@dataclass(frozen=True, slots=True)
class Cause:
    """A stage with its reason and evidence."""

    stage: Stage
    reason: str
    message: str
    remedy: str
    evidence: dict[str, Any] = field(default_factory=dict)
    documents: tuple[Document, ...] = ()
    """What the file gives today, to tell where it would stand."""


def cause_of_absence(target: Target, catalog: Catalog, files: Mapping[str, FileRecord]) -> Cause:
    """Why the index holds nothing of `target`, which has a path."""
    path = target.path or ""
    name = target.only or (target.record.id if target.record else path)
    if not is_file(path) and target.record is None:
        return Cause(
            "not_read",
            "not_regular",
            f"{path!r} is no regular file",
            "copy what it gives to a file",
            {"file": path},
        )
    if not is_file(path):
        return Cause(
            "deleted",
            "file_gone",
            f"the index has no document of {path!r}, and the file is gone",
            "restore the file and index it again",
            {"file": path},
        )
    sample = target.record or next(iter(files.values()), None)
    identifier = target.record.id if target.record else _own_id(path, files)
    found = _meant(target, reread(path, identifier, options_of(sample)))
    named = f"name the file itself: ragembed index {path} -o {catalog.path.parent}"
    if target.record is None:
        return _never_read(path, found, named, catalog, files)
    evidence = {"file": path}
    again = f"run: ragembed index {_root(path, files)} -o {catalog.path.parent}"
    if target.record.size < 0:
        return Cause(
            "not_read",
            "unfinished",
            f"the last run did not finish {path!r}: it was stopped, could not embed a document, or met an id that"
            " is taken",
            f"{again} and see what it reports",
            evidence,
            found.documents,
        )
    if changed(target.record):
        return Cause(
            "stale", "changed", f"{path!r} has changed since it was read", again, evidence, found.documents
        )
    if found.documents:
        return Cause(
            "deleted",
            "deleted",
            f"{name!r} was deleted from the index, and stays so until its file changes",
            f"change {path!r} and index it again, or index into a new folder",
            evidence,
            found.documents,
        )
    return _nothing(path, found)


def _never_read(
    path: str, found: Reread, named: str, catalog: Catalog, files: Mapping[str, FileRecord]
) -> Cause:
    """Why a file that is there was never read."""
    root = _root(path, files)
    reason, message, remedy = _left_out(path, root, named) if root else (
        "outside",
        f"{path!r} lies below no folder that was indexed",
        f"run: ragembed index {path} -o {catalog.path.parent}",
    )  # fmt: skip
    limit = options_of(None).max_bytes
    size = Path(on_disk(path)).stat().st_size
    if not reason and size > limit:
        reason = "too_large"
        message = f"{path!r} has {size:,} bytes, a file that is read at most {limit:,}"
        remedy = "raise --max-file-mb, or split it"
    if not reason and not found.documents:
        return _nothing(path, found)
    if not reason:
        reason, message, remedy = _seen_or_new(path, root, catalog)
    return Cause("not_read", reason, message, remedy, {"file": path}, found.documents)


def _seen_or_new(path: str, root: str, catalog: Catalog) -> tuple[str, str, str]:
    """A file that nothing speaks against: it came after the last run, or that run was told to leave it out."""
    place = Path(on_disk(path))
    written = max(
        log.stat().st_mtime_ns
        for log in (catalog.path, catalog.path.with_name(f"{CATALOG_NAME}-wal"))
        if log.exists()
    )
    again = f"run: ragembed index {root} -o {catalog.path.parent}"
    if place.stat().st_ctime_ns > written:
        return "new", f"{path!r} is newer than the index", again
    return (
        "excluded",
        f"{path!r} was there when the index was last written, but was not read: most likely a pattern"
        " (--include, --exclude) or a limit left it out",
        f"{again}, without the pattern",
    )


def _left_out(path: str, root: str, named: str) -> tuple[str, str, str]:
    """Why a walk from `root` would pass over `path`; empty words where it would not."""
    below = Path(path).relative_to(root).parts
    place = Path(root)
    for number, part in enumerate(below):
        place /= part
        if part.startswith("."):
            return "hidden", f"{path!r} is hidden by the dot before {part!r}", named
        if number + 1 < len(below) and part in TOOL_FOLDERS:
            return "tool_folder", f"{part!r} is a folder that tools fill", f"{named}, or --exclude '!{part}'"
        if number + 1 < len(below) and (place / CATALOG_NAME).is_file():
            return "index_folder", f"{str(place)!r} is an index itself", "move the file elsewhere"
    if below and is_binary_name(path):
        return "binary", f"{path!r} is binary by its name", "convert it to text first"
    real = os.path.realpath(on_disk(path))
    if os.path.commonpath([real, os.path.realpath(root)]) != os.path.realpath(root):
        return (
            "link_outside",
            f"{path!r} is a link that leads out of {root!r}",
            f"name where it leads: {real}",
        )
    return "", "", ""


def _nothing(path: str, found: Reread) -> Cause:
    """A file that reading gives no document of."""
    evidence = {"file": path, "failures": list(found.failures)}
    if found.failures:
        fault, _, remedy = found.failures[0].partition("; ")
        return Cause("failed_to_parse", "error", f"{path!r} cannot be read: {fault}", remedy, evidence)
    if found.skipped == "binary":
        message = f"{path!r} is binary and of no known format"
        return Cause("not_read", "binary", message, "convert it to text first", evidence)
    if found.skipped.startswith("unknown format"):
        message = f"no reader knows the format of {path!r}"
        return Cause(
            "not_read",
            "unknown_format",
            message,
            "convert it to one that is read (docs/reading.md)",
            evidence,
        )
    remedy = "put text into it, or leave it out"
    return Cause("failed_to_parse", "empty", f"{path!r} holds no text", remedy, evidence)


def _meant(target: Target, found: Reread) -> Reread:
    """Of what a file gives, that which is expected."""
    if target.only is None:
        return found
    mine = tuple(document for document in found.documents if document.id == target.only)
    return Reread(mine, found.failures, found.skipped)


def _root(path: str, files: Mapping[str, FileRecord]) -> str:
    """The longest of the folders and files named to the index that `path` lies at or below; empty for none."""
    inside = [root for root in roots(files) if path == root or path.startswith(f"{root}/")]
    return max(inside, key=len, default="")


def _own_id(path: str, files: Mapping[str, FileRecord]) -> str:
    """The id that a sync would give the file."""
    root = _root(path, files)
    return path[len(roots(files)[root]) + 1 :] if root else path.rpartition("/")[2]
