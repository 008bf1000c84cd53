"""Our own folder of word vectors: arrays that are mapped into memory, so that gigabytes open at once.

words.json     what is in it: shapes, checksums, how it was made; written last, so without it there is nothing
vectors.npy    float32 (n, dimension)
words.npy      all words in UTF-8, one after the other;   offsets.npy  where each begins
hashes.npy     sorted hashes of the words;                order.npy    the row of each hash
counts.npy     how often each word stood in the training corpus, if known
ngrams.npy     fastText's vectors of n-grams, if any;     buckets.npy  which buckets they are, if not all
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.formats.checks import check
from ragembed.embed.words.formats.disk import only_writer, sweep_killed, sync, writing
from ragembed.embed.words.formats.npy import Array, array_digest, map_npy, npy_digest, write_npy
from ragembed.embed.words.index import WordIndex, Words
from ragembed.embed.words.subwords import Subwords
from ragembed.errors import EmbeddingError, StoreError
from ragembed.index.files import sync_folder

STATE = "words.json"
TRAINING = "training"
"""Folder in that of a trained model: the state of its training."""
_KIND = "ragembed word vectors"
_VERSION = 1
_AGAIN = "make the word vectors again"
_DTYPES = {
    "vectors": np.float32,
    "words": np.uint8,
    "offsets": np.int64,
    "hashes": np.uint64,
    "order": None,
    "counts": np.int64,
    "ngrams": np.float32,
    "buckets": np.int64,
}
FILES = frozenset((STATE, *(f"{name}.npy" for name in _DTYPES)))
"""All that such a folder may hold."""
TEMPORARY = ".*.tmp"
"""What is being written in it, or was when the writer was killed."""
_DECIDING = ("vectors", "words", "offsets", "counts", "ngrams", "buckets")
"""Arrays that decide vectors; the others follow from them."""
_TRIES = 3
"""How often a folder is opened that another process is just writing anew."""


@dataclass(frozen=True)
class Parts:
    """What a folder holds."""

    index: WordIndex
    vectors: Dense
    counts: NDArray[np.int64] | None
    subwords: Subwords | None
    info: dict[str, Any]
    arrays_digest: str
    """Over the arrays that decide vectors."""


def is_folder_of_words(path: Path) -> bool:
    """Whether `path` is a folder that holds, or should hold, word vectors of ours."""
    return (path / STATE).is_file()


def write_folder(
    folder: Path,
    index: WordIndex,
    vectors: Dense,
    *,
    counts: NDArray[np.int64] | None,
    subwords: Subwords | None,
    info: Mapping[str, Any],
) -> None:
    """Write everything to `folder`, made if absent, beside whatever else lies in it.

    Everything is written to a folder inside it first; then files of an earlier writing give way, and the state comes
    last, so that the folder holds the old vectors, or the new ones, or for a moment none: never a mixture, since one
    writer at a time moves files. Raises `StoreError` where the disk does not take it, and leaves nothing behind;
    `LockedError` where another writer is just there.
    """
    if (folder / TRAINING).is_dir():
        raise StoreError(
            f"{folder} holds a trained model, with what a later training needs", "name another folder"
        )
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    temporary = folder / f".{secrets.token_hex(4)}.tmp"
    killed = folder.is_dir() and any(folder.glob(TEMPORARY))
    try:
        with writing(folder):
            temporary.mkdir(parents=True)
        sweep_killed(folder, TEMPORARY)
        fill_folder(temporary, index, vectors, counts=counts, subwords=subwords, info=info)
        with writing(folder), only_writer(folder):
            if not killed and not (folder / STATE).exists():
                _refuse_strangers(folder)
            (folder / STATE).unlink(missing_ok=True)
            for name in (*sorted(FILES - {STATE}), STATE):
                if (temporary / name).exists():
                    (temporary / name).replace(folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)
            temporary.rmdir()
            sync_folder(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # somebody else put something there
                parent.rmdir()
        raise


def _refuse_strangers(folder: Path) -> None:
    """Raise `StoreError` where `folder`, which holds no word vectors, has a file of one of their names."""
    for name in sorted(FILES):
        if (folder / name).exists():
            raise StoreError(f"{folder} holds a {name} that is not of ragembed", "name another folder")


def fill_folder(
    folder: Path,
    index: WordIndex,
    vectors: Dense,
    *,
    counts: NDArray[np.int64] | None,
    subwords: Subwords | None,
    info: Mapping[str, Any],
    there: Container[str] = (),
) -> None:
    """Write everything to the empty `folder`; the arrays named in `there` lie in it already."""
    arrays: dict[str, Array] = {"vectors": vectors, "words": index.words.blob, "offsets": index.words.offsets}
    arrays |= {"hashes": index.hashes, "order": index.order}
    if counts is not None:
        arrays["counts"] = counts
    if subwords is not None:
        arrays["ngrams"] = subwords.vectors_of_ngrams
        if subwords.used is not None:
            arrays["buckets"] = subwords.used
    arrays = {name: as_kept(name, array) for name, array in arrays.items()}
    digests = {
        name: npy_digest(folder / f"{name}.npy") if name in there else array_digest(array)
        for name, array in arrays.items()
    }
    state = state_of(arrays, digests, subwords, info)
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        if name not in there:
            write_npy(path, array)
            continue
        with writing(path), path.open("rb") as file:
            os.fsync(file.fileno())
    write_state(folder / STATE, state)
    with writing(folder):
        sync_folder(folder)


def state_of(
    arrays: Mapping[str, Array],
    digests: Mapping[str, str],
    subwords: Subwords | None,
    info: Mapping[str, Any],
) -> bytes:
    """What `STATE` says of `arrays`."""
    grams = [subwords.minn, subwords.maxn, subwords.buckets] if subwords else None
    state = {
        "kind": _KIND,
        "version": _VERSION,
        "arrays": {
            name: {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": digests[name]}
            for name, array in arrays.items()
        },
        "ngrams": grams,
        "arrays_digest": arrays_digest(arrays, grams, digests),
        "info": dict(info),
    }
    try:
        return json.dumps(state, indent=1).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise EmbeddingError(
            f"what is known of the word vectors cannot be kept as JSON ({error})", "give plain values in info"
        ) from error


def arrays_digest(
    arrays: Mapping[str, Array], grams: list[int] | None, digests: Mapping[str, str] | None = None
) -> str:
    """sha256 over the arrays that decide vectors, and the settings of n-grams."""
    found = [
        [
            name,
            list(arrays[name].shape),
            digests[name] if digests else array_digest(as_kept(name, arrays[name])),
        ]
        for name in _DECIDING
        if name in arrays
    ]
    return hashlib.sha256(json.dumps([found, grams]).encode()).hexdigest()


def as_kept(name: str, array: Array) -> Array:
    """`array` in the type in which a folder keeps it."""
    dtype = _DTYPES[name] or array.dtype
    return array if array.dtype == dtype else array.astype(dtype)


def open_folder(folder: Path) -> Parts:
    """Map what `write_folder` wrote. Anything else is an `EmbeddingError`."""
    for _ in range(_TRIES):
        state = _read_state(folder)
        try:
            parts = _map(folder, state)
        except EmbeddingError:
            if _read_state(folder) == state:
                raise
        else:
            if _read_state(folder) == state:  # else another process wrote the folder anew while it was mapped
                return parts
    raise EmbeddingError(f"{folder} is written anew again and again", "wait until that is done")


def verify_folder(folder: Path) -> None:
    """Read all arrays in `folder`; `EmbeddingError` where one is not, to the last bit, what was written.

    `open_folder` does without: it maps gigabytes in milliseconds, and checks sizes and what lookups rely on.
    """
    open_folder(folder)
    for name, entry in json.loads(_read_state(folder))["arrays"].items():
        path = folder / f"{name}.npy"
        found, written = array_digest(map_npy(path)), str(entry["sha256"])
        if found != written:
            raise EmbeddingError(
                f"{path} was changed after it was written (sha256 then | now: {written[:12]} | {found[:12]})",
                "bring it back from a copy, or make the word vectors again",
            )


def _map(folder: Path, text: bytes) -> Parts:
    try:
        state = json.loads(text)
        if state["kind"] != _KIND:
            raise ValueError("it is no state of word vectors")
        if state["version"] != _VERSION:
            raise EmbeddingError(
                f"{folder} holds word vectors of version {state['version']}, this ragembed reads version {_VERSION}",
                _AGAIN,
            )
        arrays = {str(name): _array(folder, str(name), entry) for name, entry in state["arrays"].items()}
        words = Words(arrays["words"], arrays["offsets"])
        index = WordIndex(words, arrays["hashes"], arrays["order"])
        digests = {str(name): entry["sha256"] for name, entry in state["arrays"].items()}
        if state["arrays_digest"] != arrays_digest(arrays, state["ngrams"], digests):
            raise ValueError("its sha256 do not fit one another")
        subwords = None
        if state["ngrams"] is not None:
            minn, maxn, buckets = map(int, state["ngrams"])
            subwords = Subwords(minn, maxn, buckets, arrays["ngrams"], arrays.get("buckets"))
        parts = Parts(
            index,
            arrays["vectors"],
            arrays.get("counts"),
            subwords,
            dict(state["info"]),
            str(state["arrays_digest"]),
        )
        check(parts)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise EmbeddingError(f"{folder / STATE} is damaged ({error})", _AGAIN) from error
    return parts


def _read_state(folder: Path) -> bytes:
    try:
        return (folder / STATE).read_bytes()
    except OSError as error:
        raise EmbeddingError(
            f"{folder} holds no word vectors ({STATE}: {error.strerror})",
            "name a folder that was written by ragembed train or ragembed words, or a file of word vectors",
        ) from error


def _array(folder: Path, name: str, entry: Mapping[str, Any]) -> Array:
    path = folder / f"{name}.npy"
    if name not in _DTYPES:
        raise ValueError(f"there is no array {name!r}")
    array = map_npy(path)
    if list(array.shape) != entry["shape"] or str(array.dtype) != entry["dtype"]:
        raise EmbeddingError(
            f"{path} holds {array.dtype} {array.shape}, {entry['dtype']} {tuple(entry['shape'])} was written",
            _AGAIN,
        )
    if array.dtype != (_DTYPES[name] or array.dtype) or array.dtype.kind not in "iuf":
        raise EmbeddingError(f"{path} holds numbers of type {array.dtype}", _AGAIN)
    return array


def write_state(path: Path, state: bytes) -> None:
    """Write `state` to `path` and bring it to the disk."""
    with writing(path), path.open("wb") as file:
        file.write(state)
        sync(file)
