"""Word vectors from any file: converted once to a folder of ours in a cache, and mapped into memory from then on."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from pathlib import Path

from ragembed.embed.words.formats.cache import cache_folder, sweep
from ragembed.embed.words.formats.collect import Found
from ragembed.embed.words.formats.disk import writing
from ragembed.embed.words.formats.folder import fill_folder, is_folder_of_words
from ragembed.embed.words.formats.npy import FolderStore, MemoryStore, Store
from ragembed.embed.words.formats.source import Progress, Source
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, StoreError

NOT_KEPT = "not_kept"
"""Warning: what the file was converted to could not be kept, so that it is converted whenever it is opened."""


def open_word_vectors(
    path: str | Path, *, limit: int | None = None, progress: Progress | None = None
) -> WordVectors:
    """Word vectors from a folder of ours, or from a file in any format that `ragembed.embed.words.formats` reads.

    A file is converted when it is opened for the first time, and again when it has changed; `limit` takes only its
    first words, which mostly are the most frequent. `progress` hears how many of its bytes are read. What was odd in
    it is counted in ``info["warnings"]``. Raises `EmbeddingError` where it holds no word vectors.
    """
    path = Path(path).expanduser()
    if limit is not None and limit < 1:
        raise EmbeddingError(f"limit is {limit}", "give 1 or more")
    if path.is_dir():
        return _opened_folder(path, limit)
    try:
        folder = cache_folder(path, limit)
        with contextlib.suppress(EmbeddingError):
            return WordVectors.open(folder)
        return _converted(path, folder, limit, progress)
    except StoreError:  # the cache cannot be written
        found = _read(path, MemoryStore(), limit, progress)
        found.info["warnings"][NOT_KEPT] = 1
        return _in_memory(found)


def _opened_folder(path: Path, limit: int | None) -> WordVectors:
    if not is_folder_of_words(path):
        raise EmbeddingError(
            f"{path} is a folder without word vectors",
            "name a folder written by ragembed train or ragembed words, or a file of word vectors",
        )
    opened = WordVectors.open(path)
    return opened if limit is None else opened.first(limit)


def _read(path: Path, store: Store, limit: int | None, progress: Progress | None) -> Found:
    from ragembed.embed.words.formats.sniff import reader_of

    with Source(path, progress) as source:
        found = reader_of(source)(source, store, limit)
    found.info["source"] = {"name": path.name, "bytes": path.stat().st_size}
    return found


def _in_memory(found: Found) -> WordVectors:
    return WordVectors(
        found.index.words, found.vectors, counts=found.counts, subwords=found.subwords, info=found.info
    )


def _converted(path: Path, folder: Path, limit: int | None, progress: Progress | None) -> WordVectors:
    """What is in the file, through a new folder in the cache that appears whole or not at all."""
    temporary = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        with writing(temporary):
            temporary.mkdir(parents=True)
        with FolderStore(temporary) as store:
            found = _read(path, store, limit, progress)
        fill_folder(
            temporary,
            found.index,
            found.vectors,
            counts=found.counts,
            subwords=found.subwords,
            info=found.info,
            there=("vectors", "ngrams"),
        )
        sweep(folder)
        with writing(folder):
            return _moved(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _moved(temporary: Path, folder: Path) -> WordVectors:
    """Put the folder in its place; where another process was first, with a whole one, take that."""
    try:
        temporary.rename(folder)
    except OSError:
        with contextlib.suppress(EmbeddingError):
            return WordVectors.open(folder)
        shutil.rmtree(folder, ignore_errors=True)  # it is damaged
        temporary.rename(folder)
    return WordVectors.open(folder)
