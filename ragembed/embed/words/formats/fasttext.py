"""fastText's ``.bin``: the settings, the words with their counts, and the rows of words and of n-grams.

The vector of a word is the mean of its own row and those of its n-grams.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.embed.base import Dense
from ragembed.embed.words.formats.collect import LONGEST_WORD, Collector, Found
from ragembed.embed.words.formats.npy import Store
from ragembed.embed.words.formats.source import BLOCK, Source
from ragembed.embed.words.subwords import LONGEST_NGRAM, Subwords
from ragembed.errors import EmbeddingError

MAGIC = struct.pack("<i", 793712314)
VERSIONS = (11, 12)
SETTINGS = (
    "dimension", "window", "epochs", "min_count", "negative", "word_ngrams", "loss", "model", "buckets", "minn",
    "maxn", "lr_update_rate",
)  # fmt: skip
"""The numbers at the start, after magic and version; a float64 threshold for subsampling follows."""
MODELS = {1: "cbow", 2: "skipgram", 3: "supervised"}
LOSSES = {1: "hierarchical softmax", 2: "negative sampling", 3: "softmax", 4: "one against all"}
_SUPERVISED = 3
_UNIT = "word"
_READ = 1 << 20
_COMPOSED = 20_000
"""Words whose vectors are made at once."""
_ENTRY = 10
"""Bytes that a word takes at least: its end, its count, its kind."""
_COUNT = struct.Struct("<qb")


@dataclass(frozen=True)
class _Dictionary:
    words: list[bytes]
    counts: list[int]


def read_fasttext(source: Source, store: Store, limit: int | None = None) -> Found:
    """The words of a model, or the first `limit`, their counts, and the vectors of n-grams."""
    settings = _read_settings(source)
    dictionary = _read_dictionary(source)
    if source.exactly(1, "a mark")[0]:
        raise _quantised(source)
    rows, dimension = struct.unpack("<qq", source.exactly(16, "the shape of the vectors"))
    n, buckets = len(dictionary.words), settings["buckets"]
    if (rows, dimension) != (n + buckets, settings["dimension"]):
        raise source.cut_off(
            f"{n} words and {buckets} buckets of {settings['dimension']} numbers, "
            f"but a table of {rows} x {dimension}"
        )
    collector = Collector(source.path, store, dimension, limit)
    source.expect(rows * dimension * 4, f"{rows} vectors of {dimension} numbers")
    start = 0
    for block in _vectors(source, n, dimension):
        stop = start + len(block)
        collector.count(len(block))
        collector.add(dictionary.words[start:stop], block, range(start + 1, stop + 1), _UNIT)
        start = stop
    found = collector.finish(_info(settings), _UNIT)
    found.counts = np.array(dictionary.counts, np.int64)[found.numbers - 1]
    if buckets and 1 <= settings["minn"] <= settings["maxn"]:
        table = ngram_table(source.path, store, _vectors(source, buckets, dimension))
        found.subwords = Subwords(settings["minn"], settings["maxn"], buckets, table)
        compose(source.path, found, found.subwords)
    return found


def _read_settings(source: Source) -> dict[str, int]:
    _, version = struct.unpack("<ii", source.exactly(8, "magic and version"))
    if version not in VERSIONS:
        raise EmbeddingError(
            f"{source.path} is a fastText file of version {version}; {VERSIONS[0]} and {VERSIONS[1]} are read",
            "write it again with a later fastText",
        )
    raw = source.exactly(4 * len(SETTINGS) + 8, "the settings")
    numbers = struct.unpack(f"<{len(SETTINGS)}i", raw[:-8])
    settings: dict[str, int] = dict(zip(SETTINGS, numbers, strict=True))
    if settings["buckets"] < 0:
        raise source.cut_off(f"{settings['buckets']} buckets of n-grams")
    if settings["maxn"] > LONGEST_NGRAM:
        raise source.cut_off(f"n-grams of up to {settings['maxn']} characters")
    if version == VERSIONS[0] and settings["model"] == _SUPERVISED:
        settings["maxn"] = 0  # such models took no n-grams of characters, whatever they say
    return settings


def _read_dictionary(source: Source) -> _Dictionary:
    size, words, _ = struct.unpack("<iii", source.exactly(12, "the numbers of words"))
    _, pruned = struct.unpack("<qq", source.exactly(16, "the number of tokens"))
    if pruned > 0:
        raise _quantised(source)
    if size < words or words < 0:
        raise source.cut_off(f"{words} words among {size}")
    source.expect(size * _ENTRY, f"{size} words")
    found = _Dictionary([], [])
    data, at = b"", 0
    for number in range(size):
        end = data.find(b"\0", at)
        while end < 0 or end + _ENTRY > len(data):
            more = source.read(_READ)
            if not more or (end < 0 and len(data) - at > LONGEST_WORD):
                raise source.cut_off(f"word {number + 1} of {size} does not end")
            data, at = data[at:] + more, 0
            end = data.find(b"\0")
        count, kind = _COUNT.unpack_from(data, end + 1)
        if (kind != 0) != (number >= words):
            raise source.cut_off(f"entry {number + 1} of {size} is of kind {kind}, {words} are words")
        if kind == 0:
            found.words.append(data[at:end])
            found.counts.append(count)
        at = end + _ENTRY
    source.unread(data[at:])
    return found


def _vectors(source: Source, rows: int, dimension: int) -> Iterator[Dense]:
    """The next `rows` vectors, some at a time."""
    at_once = max(1, BLOCK // (4 * dimension))
    for start in range(0, rows, at_once):
        count = min(at_once, rows - start)
        data = source.exactly(4 * dimension * count, f"{count} vectors of {dimension} numbers")
        yield np.frombuffer(data, "<f4").reshape(count, dimension).astype(np.float32, copy=False)


def ngram_table(path: Path, store: Store, blocks: Iterable[Dense]) -> Dense:
    """The vectors of all n-grams, put into `store`. All must be finite: unknown words have those that no word has."""
    matrix = store.matrix("ngrams")
    for block in blocks:
        if not np.isfinite(block).all():
            raise _not_finite(path)
        matrix.append(block)
    return matrix.array()


def compose(path: Path, found: Found, subwords: Subwords) -> None:
    """Make the vectors of `found`, which are rows of words, the means over them and the rows of their n-grams."""
    words = found.index.words
    for start in range(0, len(words), _COMPOSED):
        rows = found.vectors[start : start + _COMPOSED]
        sums, counts = subwords.sums(words[start : start + _COMPOSED])
        rows += sums
        rows /= (counts + 1).astype(np.float32)[:, np.newaxis]
        if not np.isfinite(rows).all():
            raise _not_finite(path)


def _not_finite(path: Path) -> EmbeddingError:
    return EmbeddingError(f"{path}: a vector of an n-gram holds NaN or infinity", "train it again")


def _info(settings: dict[str, int]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: settings[name] for name in SETTINGS if name not in ("model", "loss")}
    kept |= {
        "model": MODELS.get(settings["model"], "unknown"),
        "loss": LOSSES.get(settings["loss"], "unknown"),
    }
    return {"format": "fastText bin", "method": "fasttext", "settings": kept}


def _quantised(source: Source) -> EmbeddingError:
    return EmbeddingError(
        f"{source.path} is a quantised fastText model, whose vectors are only near to what was trained",
        "load the .bin file that it was made from, or a .vec file",
    )
