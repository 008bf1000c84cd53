"""fastText's ``.bin`` written, for fastText itself and for gensim: words, counts and n-grams, ready to use.

What only training needs, the output weights, are zeros.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ragembed.embed.base import Dense
from ragembed.embed.words.formats.fasttext import LOSSES, MAGIC, MODELS, SETTINGS, VERSIONS
from ragembed.embed.words.formats.write import Written, encoded, new_file, rows_to_write
from ragembed.embed.words.subwords import Subwords, ngram_buckets
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError

_ROWS = 4096
_DEFAULTS = {"window": 5, "epochs": 5, "negative": 5, "word_ngrams": 1, "lr_update_rate": 100}
_LARGEST = (1 << 31) - 1
"""Settings are int32 in the file."""
_SUBSAMPLING = 1e-4


def write_fasttext_bin(vectors: WordVectors, path: str | Path) -> Written:
    """A model whose words have the vectors of `vectors`, and unknown words the means of their n-grams.

    Where only used buckets are kept, the others are zeros: vectors of unknown words get shorter, not other directions.
    """
    path, subwords = Path(path), vectors.subwords
    if subwords is None:
        raise EmbeddingError(
            "these word vectors have no n-grams, which a fastText .bin is made of",
            "write fastText text (.vec) or word2vec binary instead",
        )
    rows = rows_to_write(vectors, path, lambda word: b"\0" not in word)
    dimension = vectors.dimension
    counts = np.arange(len(vectors), 0, -1) if vectors.counts is None else np.maximum(vectors.counts, 1)
    kept = set(rows.tolist())
    with new_file(path) as file:
        file.write(MAGIC + struct.pack("<i", VERSIONS[-1]) + _settings(vectors, subwords))
        file.write(struct.pack("<iiiqq", len(rows), len(rows), 0, int(counts[rows].sum()), -1))
        for row, (word, count) in enumerate(zip(encoded(vectors), counts.tolist(), strict=True)):
            if row in kept:
                file.write(word + struct.pack("<bqb", 0, count, 0))
        file.write(struct.pack("<?qq", False, len(rows) + subwords.buckets, dimension))
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            words = [vectors.words[int(row)] for row in some]
            sums, _ = subwords.sums(words)
            _, grams = ngram_buckets(words, subwords.minn, subwords.maxn, subwords.buckets)
            own = vectors.vectors[some] * (grams + 1).astype(np.float32)[:, np.newaxis] - sums
            file.write(own.astype("<f4", copy=False).tobytes())
        for block in _buckets(subwords):
            file.write(block.astype("<f4", copy=False).tobytes())
        _write_zeros(file, len(rows), dimension)
    return Written(path, len(rows), len(vectors) - len(rows), 0)


def _settings(vectors: WordVectors, subwords: Subwords) -> bytes:
    known = vectors.info.get("settings")
    settings = {**_DEFAULTS, **(known if isinstance(known, dict) else {})}
    skipgram = settings.get("skipgram")
    trained = settings.get("model") if skipgram is None else MODELS[2 if skipgram else 1]
    loss = LOSSES[1] if settings.get("hierarchical_softmax") else settings.get("loss")
    known_numbers = {name: settings[name] for name in _DEFAULTS if isinstance(settings[name], int)}
    values = {name: min(max(number, 0), _LARGEST) for name, number in known_numbers.items()} | {
        "dimension": vectors.dimension,
        "min_count": 1,  # gensim drops words with fewer, and would then have rows too many
        "loss": _number(LOSSES, loss, 2),
        "model": _number(MODELS, trained, 2),
        "buckets": subwords.buckets,
        "minn": subwords.minn,
        "maxn": subwords.maxn,
    }
    return struct.pack(
        f"<{len(SETTINGS)}id", *({**_DEFAULTS, **values}[name] for name in SETTINGS), _SUBSAMPLING
    )


def _number(names: dict[int, str], name: object, default: int) -> int:
    return next((number for number, known in names.items() if known == name), default)


def _buckets(subwords: Subwords) -> Iterator[Dense]:
    """The rows of all buckets, zeros for those that are not kept, some at a time."""
    table, used = subwords.vectors_of_ngrams, subwords.used
    for start in range(0, subwords.buckets, _ROWS):
        stop = min(start + _ROWS, subwords.buckets)
        if used is None:
            yield table[start:stop]
            continue
        block = np.zeros((stop - start, table.shape[1]), np.float32)
        first, last = np.searchsorted(used, (start, stop))
        block[used[first:last] - start] = table[first:last]
        yield block


def _write_zeros(file: IO[bytes], rows: int, dimension: int) -> None:
    file.write(struct.pack("<?qq", False, rows, dimension))
    zeros = bytes(4 * dimension * _ROWS)
    for start in range(0, rows, _ROWS):
        file.write(zeros[: 4 * dimension * min(_ROWS, rows - start)])
