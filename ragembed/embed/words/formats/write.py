"""Word vectors written in the formats that other programs read. A name that ends in ``.gz`` is packed.

A file appears whole or not at all. What a format cannot hold (a word with a space in word2vec's binary) is left out and
counted.
"""

from __future__ import annotations

import contextlib
import gzip
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.formats.collect import LONGEST_WORD
from ragembed.embed.words.formats.disk import sync, writing
from ragembed.embed.words.formats.rows import ends_in_number
from ragembed.embed.words.formats.text import BYTE_ORDER_MARK
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError

_ROWS = 4096
"""Words written at once."""
_PACKED = 5
"""Level of gzip: half the time of the highest, for 1 % more."""
_BLANK = b" \t\r"

Holds = Callable[[bytes], bool]


@dataclass(frozen=True)
class Written:
    """What was written to a file."""

    path: Path
    words: int
    left_out: int
    """Words that the format cannot hold."""
    with_spaces: int
    """Words with spaces, which this toolkit reads and many other programs do not."""


def write_word2vec_text(vectors: WordVectors, path: str | Path) -> Written:
    """A first line ``words dimensions``, then a word and its numbers a line, as word2vec and gensim write."""
    return _write_text(vectors, Path(path), header=True)


def write_fasttext_vec(vectors: WordVectors, path: str | Path) -> Written:
    """fastText's ``.vec``, which is word2vec's text. N-grams are not in it."""
    return _write_text(vectors, Path(path), header=True)


def write_glove_text(vectors: WordVectors, path: str | Path) -> Written:
    """A word and its numbers a line, as GloVe writes."""
    return _write_text(vectors, Path(path), header=False)


def write_word2vec_binary(vectors: WordVectors, path: str | Path) -> Written:
    """A first line ``words dimensions``, then each word, a space and its float32 numbers."""
    path = Path(path)
    rows = rows_to_write(vectors, path, lambda word: b" " not in word and b"\n" not in word)
    with new_file(path) as file:
        file.write(f"{len(rows)} {vectors.dimension}\n".encode())
        for words, block in some_rows(vectors, rows):
            numbers = block.astype("<f4", copy=False)
            pairs = zip(words, numbers, strict=True)
            file.write(b"".join(part for word, row in pairs for part in (word, b" ", row.data)))
    return Written(path, len(rows), len(vectors) - len(rows), 0)


def rows_to_write(vectors: WordVectors, path: Path, holds: Holds) -> NDArray[np.int64]:
    """The rows whose word every format, and this one, can hold."""
    if not len(vectors):
        raise EmbeddingError(f"there are no words to write to {path}", "give word vectors with words")
    good = np.fromiter(
        (0 < len(word) <= LONGEST_WORD and _is_text(word) and holds(word) for word in encoded(vectors)),
        np.bool_,
        len(vectors),
    )
    if not good.any():
        raise EmbeddingError(
            f"{path.name}: its format can hold none of the {len(vectors)} words", "write a folder"
        )
    return np.flatnonzero(good)


def encoded(vectors: WordVectors) -> Iterator[bytes]:
    """All words in UTF-8."""
    return (word.encode("utf-8", "surrogatepass") for word in vectors.words)


def some_rows(
    vectors: WordVectors, rows: NDArray[np.int64]
) -> Iterator[tuple[list[bytes], NDArray[np.float32]]]:
    """Words and vectors of `rows`, some at a time."""
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        yield (
            [vectors.words[int(row)].encode() for row in some],
            np.asarray(vectors.vectors[some], np.float32),
        )


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes its name when it is whole; a device is written as it is."""
    direct = path.exists() and not path.is_file()
    temporary = path if direct else path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with writing(path):
            with temporary.open("wb") as raw:
                if path.name.lower().endswith(".gz"):
                    with gzip.GzipFile("", "wb", _PACKED, raw, mtime=0) as packed:
                        yield cast("IO[bytes]", packed)
                else:
                    yield raw
                if not direct:
                    sync(raw)
            if not direct:
                temporary.replace(path)
    finally:
        if not direct:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _write_text(vectors: WordVectors, path: Path, *, header: bool) -> Written:
    rows = rows_to_write(vectors, path, _is_word_of_a_line)
    spaces = 0
    with new_file(path) as file:
        if header:
            file.write(f"{len(rows)} {vectors.dimension}\n".encode())
        elif vectors.words[int(rows[0])].startswith(BYTE_ORDER_MARK.decode()):
            file.write(BYTE_ORDER_MARK)  # or the word's own would be taken for the file's
        for words, block in some_rows(vectors, rows):
            numbers = block.astype("S16").tolist()  # the shortest that reads back as the same float32
            file.write(
                b"".join(
                    b"%b %b\n" % (word, b" ".join(row)) for word, row in zip(words, numbers, strict=True)
                )
            )
            spaces += sum(b" " in word or b"\t" in word for word in words)
    return Written(path, len(rows), len(vectors) - len(rows), spaces)


def _is_word_of_a_line(word: bytes) -> bool:
    return word == word.strip(_BLANK) and not (b"\n" in word or b"\r" in word or ends_in_number(word))


def _is_text(word: bytes) -> bool:
    """Whether `word` is UTF-8, which half a surrogate pair is not."""
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True
