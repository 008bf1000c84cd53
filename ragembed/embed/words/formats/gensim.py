"""What gensim saves (KeyedVectors and the models that hold them), read without unpickling it; and gensim's objects.

gensim keeps a pickle and, for large arrays, a ``.npy`` file beside it (``.npz`` where the name ends in ``.gz``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.formats.collect import Collector, Found
from ragembed.embed.words.formats.fasttext import compose, ngram_table
from ragembed.embed.words.formats.inert import REMEDY, Name, Record, read_inert
from ragembed.embed.words.formats.npy import Array, Store, map_npy
from ragembed.embed.words.formats.pickled_arrays import pickled_array, unzipped_array
from ragembed.embed.words.formats.source import Source
from ragembed.embed.words.subwords import LONGEST_NGRAM, MOST_BUCKETS, Subwords
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError

_UNIT = "word"
_BLOCK = 1 << 22
"""Numbers taken at once."""
_LARGEST_COUNT = 1 << 62
_FLOATS = ("f2", "f4", "f8")
_INTEGERS = ("i4", "i8", "u4", "u8")


def looks_pickled(source: Source) -> bool:
    """Whether the file begins as pickles of version 2 and later do."""
    start = source.peek(2)
    return start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5")


def read_gensim(source: Source, store: Store, limit: int | None = None) -> Found:
    """The words of saved KeyedVectors, or of a model that holds them, their counts and n-grams."""
    kept = _Kept.of(source.path, read_inert(source))
    words = kept.words()
    grams = "vectors_ngrams" in kept
    vectors = kept.array("vectors_vocab" if grams else "vectors" if "vectors" in kept else "syn0", _FLOATS)
    if vectors.ndim != 2 or len(vectors) != len(words):
        raise kept.refused(f"it has {len(words)} words and vectors of shape {vectors.shape}")
    collector = Collector(source.path, store, vectors.shape[1], limit)
    at_once = max(1, _BLOCK // vectors.shape[1])
    for start in range(0, len(words), at_once):
        some = words[start : start + at_once]
        collector.count(len(some))
        block = _float32(vectors[start : start + at_once])
        encoded = [word.encode("utf-8", "surrogatepass") for word in some]
        collector.add(encoded, block, range(start + 1, start + len(some) + 1), _UNIT)
        if collector.full:
            break
    found = collector.finish({"format": "gensim KeyedVectors"}, _UNIT)
    counts = kept.counts(words)
    if counts is not None:
        found.counts = counts[found.numbers - 1]
    if grams:
        found.info["method"] = "fasttext"
        found.subwords = _subwords(kept, store, found.vectors.shape[1])
        if found.subwords is not None:
            compose(source.path, found, found.subwords)
    return found


def from_gensim(vectors: Any) -> WordVectors:
    """gensim's KeyedVectors in memory, or a model that holds them, as `WordVectors` (not copied)."""
    vectors = getattr(vectors, "wv", vectors)
    words = list(vectors.index_to_key)
    counts = vectors.expandos.get("count")
    subwords = None
    if getattr(vectors, "vectors_ngrams", None) is not None:
        if not vectors.compatible_hash:
            raise EmbeddingError(
                "the model was trained by a gensim whose n-grams nobody else reads",
                "train it again with gensim 4",
            )
        table = np.asarray(vectors.vectors_ngrams, np.float32)
        subwords = Subwords(vectors.min_n, vectors.max_n, vectors.bucket, table) if vectors.bucket else None
    return WordVectors(
        words,
        np.asarray(vectors.vectors[: len(words)], np.float32),
        counts=None if counts is None else np.asarray(counts[: len(words)], np.int64),
        subwords=subwords,
        info={"format": "gensim KeyedVectors"},
    )


class _Kept:
    """The state of saved KeyedVectors."""

    def __init__(self, path: Path, state: dict[Any, Any], side: str) -> None:
        self.path = path
        self._state = state
        self._side = side
        """What the names of files beside it begin with."""

    @classmethod
    def of(cls, path: Path, pickled: Any) -> _Kept:
        if not (isinstance(pickled, Record) and isinstance(pickled.what, Name)):
            raise EmbeddingError(f"{path} is a pickle of something other than gensim's word vectors", REMEDY)
        if not pickled.what.path.startswith("gensim.models."):
            raise EmbeddingError(
                f"{path} is a pickle of {pickled.what.path:.100}, no gensim word vectors", REMEDY
            )
        state, side = _state(pickled), path.name
        if isinstance(state.get("wv"), Record):
            state, side = _state(state["wv"]), f"{side}.wv"
        return cls(path, state, side)

    def __contains__(self, name: str) -> bool:
        return name in self._state or name in self._listed()

    def refused(self, why: str) -> EmbeddingError:
        """The error for a file that cannot be taken."""
        return EmbeddingError(f"{self.path}: {why}", REMEDY)

    def words(self) -> list[str]:
        """All words in the order of their vectors."""
        for name in ("index_to_key", "index2word", "index2entity"):
            words = self._state.get(name)
            if isinstance(words, list):
                if not all(isinstance(word, str) for word in words):
                    raise self.refused("some of its keys are no words")
                return words
        raise self.refused("it holds no list of words")

    def counts(self, words: Sequence[str]) -> NDArray[np.int64] | None:
        """How often each of `words` stood in the training corpus, where that is kept."""
        expandos, vocabulary = self._state.get("expandos"), self._state.get("vocab")
        if isinstance(expandos, dict) and "count" in expandos:
            counts = self._inline(expandos["count"], _INTEGERS)
            return counts.astype(np.int64) if counts.shape == (len(words),) else None
        if isinstance(vocabulary, dict):
            found = [
                _state(entry).get("count")
                for entry in map(vocabulary.get, words)
                if isinstance(entry, Record)
            ]
            known = all(isinstance(count, int) and abs(count) <= _LARGEST_COUNT for count in found)
            if known and len(found) == len(words):
                return np.array(found, np.int64)
        return None

    def number(self, name: str, most: int) -> int:
        """A whole number from 0 to `most`."""
        value = self._state.get(name)
        if not isinstance(value, int) or not 0 <= value <= most:  # not shown: its text may never end
            raise self.refused(f"its {name} is no number from 0 to {most}")
        return value

    def flag(self, name: str) -> bool:
        """Whether `name` is set."""
        return self._state.get(name) is True

    def array(self, name: str, dtypes: Sequence[str]) -> Array:
        """The array `name`, in the pickle or beside it."""
        if name not in self._listed():
            return self._inline(self._state.get(name), dtypes)
        beside = self.path.with_name(f"{self._side}.{name}.npy")
        zipped = beside.with_suffix(".npz")
        array = (
            unzipped_array(zipped) if zipped.is_file() and not beside.is_file() else map_npy(beside, REMEDY)
        )
        if array.dtype.str[1:] not in dtypes:
            raise self.refused(f"{beside.name} holds numbers of type {array.dtype}")
        return array

    def _inline(self, value: Any, dtypes: Sequence[str]) -> Array:
        try:
            return pickled_array(value, dtypes)
        except ValueError as error:
            raise self.refused(f"an array in it cannot be read ({error})") from error

    def _listed(self) -> list[Any]:
        listed = self._state.get("__numpys")
        return listed if isinstance(listed, list) else []


def _state(record: Record) -> dict[Any, Any]:
    """What an object would be filled with."""
    return {key: value for state in record.state if isinstance(state, dict) for key, value in state.items()}


def _float32(block: Array) -> Dense:
    with np.errstate(over="ignore"):  # infinity, which is told as such
        return np.asarray(block, np.float32)


def _subwords(kept: _Kept, store: Store, dimension: int) -> Subwords | None:
    """The n-grams; None for a model without buckets."""
    if not kept.flag("compatible_hash"):
        raise kept.refused("it was trained by a gensim whose n-grams nobody else reads")
    buckets = kept.number("bucket", MOST_BUCKETS)
    if not buckets:
        return None
    table = kept.array("vectors_ngrams", _FLOATS)
    minn, maxn = (kept.number(name, LONGEST_NGRAM) for name in ("min_n", "max_n"))
    if table.shape != (buckets, dimension):
        raise kept.refused(
            f"it has {buckets} buckets of n-grams, vectors of {dimension} numbers, and n-grams of shape {table.shape}"
        )
    at_once = max(1, _BLOCK // dimension)
    blocks = (_float32(table[start : start + at_once]) for start in range(0, buckets, at_once))
    return Subwords(minn, maxn, buckets, ngram_table(kept.path, store, blocks))
