"""The manifest of an export: which index it is of, and which files it has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ragembed import __version__
from ragembed.config import EmbedderRecord, PipelineConfig, record_fits
from ragembed.errors import CorruptError, NotAnIndexError, ReadError, VersionError
from ragembed.exchange.records import REMEDY, is_sha256, parse_object, shown
from ragembed.index.files import EMBEDDERS
from ragembed.index.records import is_plain_name

FORMAT = "ragembed-export"
VERSION = 1
MANIFEST = "manifest.json"
DOCUMENTS = "documents.jsonl"
CHUNKS = "chunks.jsonl"
FILES = "files.jsonl"
VECTORS = "vectors-{}.npy"
"""With the number of the embedder."""
_COUNTED = ("files", "documents", "chunks")
_LATEST = 1e12
"""Seconds since 1970 that no index is made after."""
_LARGEST = 64 << 20
"""Bytes of a manifest; its largest part are the probes of embedders, below 1 MB each."""


@dataclass(frozen=True, slots=True)
class FileNote:
    """Size and sha256 of one file of an export."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` says."""

    data: str
    """``jsonl`` or ``parquet``."""
    counts: Mapping[str, int]
    """Of ``files``, ``documents`` and ``chunks``."""
    config: PipelineConfig
    created: float | None
    """When the index was made, in seconds since 1970."""
    files: Mapping[str, FileNote]
    """By name relative to the export; all but the manifest itself."""

    def write(self, folder: Path) -> None:
        """Write it into the export."""
        values = {
            "format": FORMAT,
            "version": VERSION,
            "ragembed": __version__,
            "data": self.data,
            "counts": dict(self.counts),
            "created": self.created,
            "config": self.config.to_json(),
            "files": {name: asdict(note) for name, note in self.files.items()},
        }
        text = json.dumps(values, ensure_ascii=False, indent=1) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export that can be imported, in itself checked."""
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise NotAnIndexError(
            f"{folder} is no export: it has no {MANIFEST}" if folder.exists() else f"there is no {folder}",
            f"make one with: ragembed export INDEX -o {folder}",
        ) from None
    except OSError as error:
        raise ReadError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error
    if len(raw) > _LARGEST:
        raise ReadError(f"{path} has more than {_LARGEST:,} bytes", REMEDY)
    values = parse_object(raw, str(path))
    _check_version(path, values)
    counts = _counts(path, values)
    config = _config(path, values.get("config"), counts)
    created = values.get("created")
    if not (created is None or (type(created) in (int, float) and abs(created) < _LATEST)):
        raise _wrong(path, "created", created, "seconds since 1970")
    return Manifest("jsonl", counts, config, created, _files(path, values.get("files"), config))


def check_files(manifest: Manifest, folder: Path) -> None:
    """Raise `CorruptError` unless every file is there with the size and sha256 that the manifest says."""
    for name, note in manifest.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise CorruptError(f"{path} is missing from the export, or no plain file", REMEDY)
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest() if size == note.bytes else ""
        except OSError as error:
            raise ReadError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error
        if size != note.bytes:
            raise CorruptError(f"{path} has {size} bytes, the manifest says {note.bytes}", REMEDY)
        if digest != note.sha256:
            raise CorruptError(
                f"{path} is damaged: its sha256 is {digest[:12]}, the manifest says {note.sha256[:12]}",
                REMEDY,
            )


def _check_version(path: Path, values: Mapping[str, Any]) -> None:
    if values.get("format") != FORMAT:
        raise NotAnIndexError(
            f"{path} says it is of format {shown(values.get('format'))}, not {FORMAT!r}",
            "name a folder that ragembed export made",
        )
    version = values.get("version")
    if type(version) is not int or version != VERSION:
        raise VersionError(
            f"{path} has export version {shown(version)}, this ragembed reads version {VERSION}",
            "upgrade ragembed",
        )
    if values.get("data") != "jsonl":
        raise ReadError(
            f"{path} is of an export as {shown(values.get('data'))}, which is for other programs to read",
            "import one made with: ragembed export INDEX --format jsonl",
        )


def _counts(path: Path, values: Mapping[str, Any]) -> dict[str, int]:
    counts = values.get("counts")
    if not isinstance(counts, dict) or not all(
        type(counts.get(name)) is int and 0 <= counts[name] < 1 << 62 for name in _COUNTED
    ):
        raise _wrong(path, "counts", counts, f"numbers of {', '.join(_COUNTED)}")
    return {name: counts[name] for name in _COUNTED}


def _config(path: Path, values: Any, counts: Mapping[str, int]) -> PipelineConfig:
    """The configuration, every type in it checked: opening an index trusts them."""
    if not isinstance(values, dict) or not isinstance(values.get("embedders"), list):
        raise _wrong(path, "config", values, "an object with a list of embedders")
    for name in ("embedder", "chunker", "index_type"):
        if not isinstance(values.get(name), str):
            raise _wrong(path, name, values.get(name), "a spec")
    for name in ("settled_chunker", "chunker_probe"):
        if not isinstance(values.get(name), str | None):
            raise _wrong(path, name, values.get(name), "a string or null")
    for number, record in enumerate(values["embedders"]):
        if not record_fits(record):
            raise _wrong(path, f"embedder {number}", record, "spec, kind, dimension, folder and identity")
    config = PipelineConfig.from_json(values)
    if config.embedders and len(config.embedders) != len(config.parts):
        raise _wrong(
            path, "embedders", f"{len(config.embedders)} records", f"one for each part of {config.embedder}"
        )
    if counts["chunks"] and not config.embedders:
        raise _wrong(path, "embedders", "empty", f"who embedded {counts['chunks']} chunks")
    return config


def _files(path: Path, values: Any, config: PipelineConfig) -> dict[str, FileNote]:
    """The files, which are all that must be there and nothing that leads out of the folder."""
    if not isinstance(values, dict):
        raise _wrong(path, "files", values, "an object")
    wanted = {DOCUMENTS, CHUNKS, FILES} | {
        VECTORS.format(number) for number, record in enumerate(config.embedders) if record.kind == "dense"
    }
    files = {}
    for name, note in values.items():
        if name not in wanted and not _is_learnt(name, config.embedders):
            raise _wrong(path, "files", name, "only names of an export's own files")
        if (
            not isinstance(note, dict)
            or type(note.get("bytes")) is not int
            or not is_sha256(note.get("sha256"))
        ):
            raise _wrong(path, f"files {name}", note, "bytes and sha256")
        files[name] = FileNote(note["bytes"], note["sha256"])
    for name in sorted(wanted - files.keys()):
        raise ReadError(f"{path}: files lacks {name}", REMEDY)
    for record in config.embedders:
        if record.folder is not None and not any(_is_learnt(name, [record]) for name in files):
            raise ReadError(f"{path}: files lacks what {record.spec} has learnt, in {record.folder}", REMEDY)
    return files


def _is_learnt(name: str, embedders: Sequence[EmbedderRecord]) -> bool:
    """Whether `name` is that of a file that one of the embedders has learnt."""
    top, *rest = name.split("/")
    folders = {record.folder for record in embedders}
    return (
        top == EMBEDDERS
        and len(rest) > 1
        and f"{top}/{rest[0]}" in folders
        and all(is_plain_name(part) for part in rest)
    )


def _wrong(path: Path, what: str, found: object, wanted: str) -> ReadError:
    return ReadError(f"{path}: {what} is {shown(found)}, not {wanted}", REMEDY)
