"""word2vec's binary file, also where its first line lies."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import open_word_vectors
from ragembed.embed.words.formats import binary
from ragembed.errors import EmbeddingError

WORDS = ["the", "of", "naïve", "日本"]
TABLE = np.array([[0.5, 1], [-2, 0.03], [1e-9, 5], [7, -7]], np.float32)


def packed(words: list[bytes], table: Any, header: bytes | None = None, end: bytes = b"") -> bytes:
    start = header or b"%d %d" % table.shape
    return (
        start
        + b"\n"
        + b"".join(word + b" " + row.tobytes() + end for word, row in zip(words, table, strict=True))
    )


def plain(header: bytes | None = None, end: bytes = b"") -> bytes:
    return packed([word.encode() for word in WORDS], TABLE, header, end)


@pytest.mark.parametrize("end", [b"", b"\n"])  # gensim's and word2vec's
@pytest.mark.parametrize("packer", [bytes, gzip.compress])
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_it_is_read(
    opened: Any, monkeypatch: pytest.MonkeyPatch, end: bytes, packer: Any, block: int
) -> None:
    monkeypatch.setattr(binary, "_BLOCK", block)
    vectors = opened(packer(plain(end=end)))
    assert list(vectors.words) == WORDS
    assert (vectors.vectors == TABLE).all()
    assert (vectors.info["format"], vectors.info["warnings"]) == ("word2vec binary", {})


def test_gensims_own(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(2)
    keyed.add_vectors(WORDS, TABLE)
    for name in ("a.bin", "a.bin.gz"):
        keyed.save_word2vec_format(str(tmp_path / name), binary=True)
        found = open_word_vectors(tmp_path / name)
        assert list(found.words) == WORDS
        assert (found.vectors == TABLE).all()


def test_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(plain())
    assert list(open_word_vectors(tmp_path / "a", limit=3).words) == WORDS[:3]
    (tmp_path / "a").write_bytes(plain()[:-3])  # what is wanted is whole
    assert list(open_word_vectors(tmp_path / "a", limit=3).words) == WORDS[:3]


@pytest.mark.parametrize("packer", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "data",
    [
        plain(b"1000000000000 2"),
        plain(b"4 60000"),
        plain(b"5 2"),
        plain()[:-1],
        plain()[:-9],
        plain(b"2000000000 50000"),
    ],
)
def test_a_first_line_that_lies(opened: Any, data: bytes, packer: Any) -> None:
    tracemalloc.start()
    with pytest.raises(EmbeddingError, match="cut off or damaged"):
        opened(packer(data))
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_numbers_that_look_like_text(opened: Any) -> None:
    found = opened(packed([b"a", b"b"], np.frombuffer(b"wordsome", "<f4").reshape(2, 1)))
    assert list(found.words) == ["a", "b"]


def test_a_number_that_holds_a_line_end(opened: Any) -> None:
    table = np.array([[1.040547e06]], np.float32)
    assert table.tobytes().startswith(b"0\n")  # so that the word's line reads `0 0`
    assert opened(packed([b"0"], table)).vectors.tolist() == table.tolist()
    assert opened(b"1 1\n0 8.25\n").vectors.tolist() == [[8.25]]  # text, though it would fit as well


def test_more_than_the_first_line_promises(opened: Any) -> None:
    found = opened(plain(b"3 2", end=b"\n"))
    assert list(found.words) == WORDS[:3]
    assert found.info["warnings"] == {"bytes_beyond_header": len("日本".encode()) + 1 + 8 + 1}


def test_a_word_that_does_not_end(opened: Any) -> None:
    data = packed([b"a", b"b" * 20_000], np.zeros((2, 2), np.float32))
    with pytest.raises(EmbeddingError, match="word 2 does not end within 10000 bytes"):
        opened(data)


@pytest.mark.parametrize(
    ("word", "value", "kind"),
    [
        (b"\xe9t\xe9", 1, "not_utf8"),
        (b"w1", 1, "duplicates"),
        (b"x", np.nan, "not_finite"),
        (b"", 1, "no_word"),
    ],
)
def test_odd_words_are_counted(opened: Any, word: bytes, value: float, kind: str) -> None:
    words = [b"w%d" % row for row in range(200)]
    words[150] = word
    table = np.repeat(np.arange(200, dtype=np.float32), 2).reshape(200, 2)
    table[150] = value
    found = opened(packed(words, table))
    assert found.info["warnings"] == {kind: 1}
    assert list(found.words) == [f"w{row}" for row in range(200) if row != 150]
    assert found.word_vectors(["w151", "w1"])[1].tolist() == [[151, 151], [1, 1]]


def test_many_odd_words_are_an_error(opened: Any) -> None:
    words = [b"w%d" % row for row in range(100)]
    words[3:6] = [b"\xe9", b"\xe8", b"\xea"]
    with pytest.raises(EmbeddingError, match=r"3 of 100 words are no word .*: word 4: .* is not UTF-8"):
        opened(packed(words, np.zeros((100, 2), np.float32)))


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7 4 2\n",
        b"PK\x03\x04zip",
        b"\x93NUMPY\x01\0",
        b"\0" * 999,
        bytes(range(256)) * 9,
        b"4 2\n\xff\xfe\xfd",
    ],
)
def test_what_is_none(opened: Any, data: bytes) -> None:
    with pytest.raises(EmbeddingError):
        opened(data)


def test_random_bytes(opened: Any) -> None:
    random = np.random.default_rng(0)
    for size in (1, 10, 1000, 100_000):
        with pytest.raises(EmbeddingError):
            opened(random.bytes(size))
