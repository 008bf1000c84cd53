"""Which format a file is in, by what it begins with."""

from __future__ import annotations

from collections.abc import Callable

from ragembed.embed.words.formats.binary import looks_binary, read_binary
from ragembed.embed.words.formats.collect import Found
from ragembed.embed.words.formats.fasttext import MAGIC, read_fasttext
from ragembed.embed.words.formats.gensim import looks_pickled, read_gensim
from ragembed.embed.words.formats.npy import Store
from ragembed.embed.words.formats.source import LONGEST_LINE, Source
from ragembed.embed.words.formats.text import dimension_of, header_of, read_text
from ragembed.errors import EmbeddingError

Read = Callable[[Source, Store, int | None], Found]

READ = "word2vec and GloVe text, fastText .vec and .bin, word2vec binary, gensim KeyedVectors, and all of them as .gz"
_KNOWN = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive",
    b"\x89PNG": "a picture",
    b"\x93NUMPY": "a bare array without words",
    b"\x89HDF": "an HDF5 file",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}

_READERS: tuple[tuple[Callable[[Source], bool], Read], ...] = (
    (lambda source: source.peek(len(MAGIC)) == MAGIC, read_fasttext),
    (looks_pickled, read_gensim),
    (looks_binary, read_binary),
    (lambda source: header_of(source) is not None or dimension_of(source) is not None, read_text),
)


def reader_of(source: Source) -> Read:
    """What reads `source`; `EmbeddingError` where nothing does."""
    start = source.peek(8)
    if not start.strip():
        raise EmbeddingError(f"{source.path} is empty", "name a file of word vectors")
    for magic, kind in _KNOWN.items():
        if start.startswith(magic):
            raise EmbeddingError(
                f"{source.path} is {kind}, no file of word vectors", f"these are read: {READ}"
            )
    for looks_like, read in _READERS:
        if looks_like(source):
            return read
    long = len(source.peek(LONGEST_LINE)) >= LONGEST_LINE and b"\n" not in source.peek(LONGEST_LINE)
    why = f" (its first line is longer than {LONGEST_LINE >> 20} MB)" if long else ""
    raise EmbeddingError(f"{source.path} is no file of word vectors{why}", f"these are read: {READ}")
