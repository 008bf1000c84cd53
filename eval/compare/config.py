"""All that decides the numbers of a comparison, as ``config.json`` holds it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ragembed import __version__
from ragembed.embed import EMBEDDERS
from ragembed.errors import DatasetError
from ragembed.eval.answers import Collection
from ragembed.eval.compare.settings import Entry, Settings, distinct_names
from ragembed.eval.systems import AnySystem, RunFile, system_from_json
from ragembed.spec import parse_all

FORMAT = 1
"""The version of ``config.json``."""
_PACKAGES = (
    "numpy",
    "scipy",
    "faiss-cpu",
    "PyStemmer",
    "torch",
    "sentence-transformers",
    "transformers",
    "numba",
)

Load = Callable[[str, str, bool], Collection]
"""Opens a collection by its source and split; the third says whether unknown ids are allowed."""


def configuration(
    entries: Sequence[Entry], systems: Sequence[AnySystem], settings: Settings
) -> dict[str, Any]:
    """The configuration as plain JSON values."""
    return {
        "format": FORMAT,
        "datasets": [
            {
                "name": name,
                "source": entry.source,
                "split": entry.collection.split,
                "allow_unknown": entry.allow_unknown,
                "sha256": fingerprint(entry.collection),
            }
            for name, entry in zip(distinct_names(entries), entries, strict=True)
        ],
        "systems": [
            {**system.to_json(), "identity": _identity(system, distinct_names(entries))} for system in systems
        ],
        "settings": settings.to_json(),
        "versions": versions(),
    }


def opened(config: dict[str, Any], where: Path, load: Load) -> tuple[list[Entry], list[AnySystem], Settings]:
    """What a configuration says, opened again; raises `DatasetError` where it is damaged."""
    try:
        wanted = config["datasets"]
        texts = [(each["source"], each["split"], each["sha256"]) for each in wanted]
        if not all(isinstance(text, str) for each in texts for text in each):
            raise TypeError("a collection has no source, split and sha256")
        entries = [
            Entry(load(source, split, bool(each["allow_unknown"])), source, bool(each["allow_unknown"]))
            for each, (source, split, _) in zip(wanted, texts, strict=True)
        ]
        systems = [system_from_json(each) for each in config["systems"]]
        settings = Settings.make(**config["settings"])
        dict(config["versions"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{where} is damaged ({error})", "make the comparison again") from error
    return entries, systems, settings


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is otherwise than it was, of two configurations of the same collections and systems."""
    told = [
        f"{one['source']} is not what it was: other documents, queries or judgements"
        for one, other in zip(before["datasets"], now["datasets"], strict=True)
        if one["sha256"] != other["sha256"]
    ]
    told += [
        f"{other.get('name') or other['embedder']} is not what it was: other files"
        for one, other in zip(before["systems"], now["systems"], strict=True)
        if one.get("identity") != other["identity"]
    ]
    versions_then = before["versions"]
    differ = {name: new for name, new in now["versions"].items() if versions_then.get(name) != new}
    if differ:
        both = ", ".join(f"{name} {versions_then.get(name, 'none')} | {new}" for name, new in differ.items())
        told.append(f"other versions than then (then | now): {both}")
    return told


def fingerprint(collection: Collection) -> str:
    """sha256 of a collection's documents with their metadata, and of its queries, judgements and spans."""
    digest = hashlib.sha256()
    for document in collection.documents:
        values = [document.id, document.text, dict(document.metadata)]
        digest.update(json.dumps(values, sort_keys=True, default=str).encode("ascii"))
    for part in (collection.queries, collection.qrels, collection.spans):
        digest.update(json.dumps(list(part.items())).encode("ascii"))
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    found = {"ragembed": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _identity(system: AnySystem, names: Sequence[str]) -> list[Any]:
    """What the specs of a system do not tell: the files of its models, or of its runs."""
    if isinstance(system, RunFile):
        return [_file_digest(system.file_for(name)) for name in names]
    parts = (EMBEDDERS.create(part) for part in parse_all(system.embedder))
    return [part.recorded_identity() if part.costly else None for part in parts]


def _file_digest(path: Path) -> str | None:
    """sha256 of a file; None where it cannot be read, which the job will tell."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
