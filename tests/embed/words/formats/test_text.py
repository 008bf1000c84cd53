"""Text files of word vectors: word2vec's, fastText's, GloVe's, and what is wrong with them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import WordVectors, open_word_vectors
from ragembed.embed.words.formats import collect, rows_compiled, source, text
from ragembed.errors import EmbeddingError

ROWS = b"the 0.5 1\nof -2 3e-2\nnew york 4 5\n"
EXPECTED = np.array([[0.5, 1], [-2, 0.03], [4, 5]], np.float32)


def many(rows: int, dimension: int = 2) -> list[bytes]:
    return [
        b"w%d " % row + b" ".join(b"%d.5" % (row + column) for column in range(dimension))
        for row in range(rows)
    ]


def joined(lines: list[bytes], header: bytes = b"") -> bytes:
    return b"\n".join([header, *lines] if header else lines) + b"\n"


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b"3 2\n" + ROWS, "word2vec text"),
        (ROWS, "GloVe text"),
        ((b"3 2\n" + ROWS).replace(b"\n", b"\r\n"), "word2vec text"),
        (ROWS.replace(b"\n", b"\r\n"), "GloVe text"),
        (b"\xef\xbb\xbf3 2\n" + ROWS, "word2vec text"),
        (b"\xef\xbb\xbf" + ROWS, "GloVe text"),
        ((b"3 2\n" + ROWS).replace(b"\n", b" \n"), "word2vec text"),  # as word2vec itself ends its lines
        (b"3 2\n" + ROWS[:-1], "word2vec text"),
        (b"3 2\n" + ROWS.replace(b" ", b"\t").replace(b"new\tyork", b"new york"), "word2vec text"),
        (gzip.compress(b"3 2\n" + ROWS), "word2vec text"),
        (gzip.compress(ROWS), "GloVe text"),
    ],
)
def test_every_kind(opened: Any, data: bytes, format: str) -> None:
    vectors = opened(data)
    assert list(vectors.words) == ["the", "of", "new york"]
    assert (vectors.vectors == EXPECTED).all()
    assert (vectors.info["format"], vectors.info["warnings"]) == (format, {})
    assert (vectors.counts, vectors.subwords) == (None, None)


def test_fasttext_is_told_by_its_name(tmp_path: Path) -> None:
    for name, data in (("a.vec", b"3 2\n" + ROWS), ("a.vec.gz", gzip.compress(b"3 2\n" + ROWS))):
        (tmp_path / name).write_bytes(data)
        assert open_word_vectors(tmp_path / name).info["format"] == "fastText text"


def test_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"3 2\n" + ROWS)
    for limit, words in ((1, ["the"]), (2, ["the", "of"]), (3, ["the", "of", "new york"]), (99, None)):
        found = open_word_vectors(tmp_path / "a", limit=limit)
        assert list(found.words) == (words or ["the", "of", "new york"])
        assert found.info["warnings"] == {}
    with pytest.raises(EmbeddingError, match="limit is 0"):
        open_word_vectors(tmp_path / "a", limit=0)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"", "blank_lines"),
        (b"short 1", "wrong_columns"),
        (b"long 1 2 3", "wrong_columns"),
        (b"word 1 x", "wrong_columns"),
        (b" 1 2", "wrong_columns"),
        (b"caf\xe9 1 2", "not_utf8"),
        (b"odd nan 2", "not_finite"),
        (b"odd 1 -inf", "not_finite"),
        (b"odd 1 1e39", "not_finite"),  # infinite in float32
        (b"w1 9 9", "duplicates"),
        (b"x" * 10_001 + b" 1 2", "long_words"),
    ],
)
@pytest.mark.parametrize("header", [b"", b"200 2"])
def test_a_few_odd_lines_are_counted(opened: Any, line: bytes, kind: str, header: bytes) -> None:
    lines = many(199)
    vectors = opened(joined([*lines[:50], line, *lines[50:]], header))
    assert vectors.info["warnings"] == {kind: 1} | ({"fewer_than_header": 1} if header and not line else {})
    assert list(vectors.words) == [f"w{row}" for row in range(199)]
    assert vectors.vectors[1].tolist() == [1.5, 2.5]  # of equal words the first
    assert vectors.vectors[-1].tolist() == [198.5, 199.5]


@pytest.mark.parametrize("header", [b"", b"198 2"])
def test_many_odd_lines_are_an_error(opened: Any, header: bytes) -> None:
    lines = many(195)
    odd = [b"one 1", b"two 1 2 3", b"three 1 2 x"]
    number = 100 + bool(header)
    with pytest.raises(
        EmbeddingError,
        match=rf"3 of 198 lines are no word with 2 .*; the first: line {number}: 1 number where 2",
    ):
        opened(joined([*lines[:99], *odd, *lines[99:]], header))


def test_mixed_dimensions(opened: Any) -> None:
    with pytest.raises(EmbeddingError, match=r"50 of 150 lines .* line 101: 3 numbers where 2 belong"):
        opened(joined([*many(100), *many(50, 3)]))


@pytest.mark.parametrize(
    ("promised", "warnings"),
    [
        (200, {}),
        (201, {"fewer_than_header": 1}),
        (1, {"more_than_header": 199}),
        (199, {"more_than_header": 1}),
    ],
)
def test_a_header_that_is_a_little_wrong(opened: Any, promised: int, warnings: dict[str, int]) -> None:
    vectors = opened(joined(many(200), b"%d 2" % promised))
    assert (len(vectors), vectors.info["warnings"]) == (200, warnings)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (joined(many(200), b"300 2"), "promises 300 words, 200 lines follow"),
        (joined(many(200), b"1000000000000 2"), "promises 1000000000000 words, 200 lines follow"),
        (joined(many(200), b"200 3"), "200 of 200|no word vectors: line 2: 2 numbers where 3 belong"),
        (joined(many(200), b"200 0"), "says that its vectors have 0 numbers"),
        (joined(many(200), b"200 999999999"), "says that its vectors have 999999999 numbers"),
        (b"5 3\n", "holds no word vectors"),
        (b"", "is empty"),
        (b"\n\n \n", "is empty"),
        (b"hello\n", "no file of word vectors"),
        (b"The quick brown fox\njumps over\n\nthe lazy dog\n", "no file of word vectors"),
        (
            b"5 2\nThe quick brown fox\njumps over\n\nthe lazy dog\n",
            "no word vectors: line 2: 0 numbers where 2",
        ),
        (b"a,1,2\nb,3,4\n", "no file of word vectors"),
        (b'{"a": [1, 2]}\n', "no file of word vectors"),
        (b"caf\xe9 1 2\n\xe9t\xe9 3 4\n", "no word vectors: line 1: .* is not UTF-8"),
        (b"a nan nan\n", "line 1 holds NaN or infinity"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_an_error(opened: Any, data: bytes, fault: str, packed: bool) -> None:
    with pytest.raises(EmbeddingError, match=fault) as caught:
        opened(gzip.compress(data) if packed else data)
    assert "vectors" in str(caught.value)  # the file's name
    assert "\n" not in str(caught.value)


def test_a_line_without_end(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "LONGEST_LINE", 1 << 12)
    monkeypatch.setattr(source, "BLOCK", 1 << 10)
    long = b"x" * (1 << 14)
    with pytest.raises(EmbeddingError, match="line 3 is longer"):
        opened(b"9 2\nthe 0.5 1\n" + long)
    with pytest.raises(EmbeddingError, match=r"line 1 is longer|no file of word vectors"):
        opened(long)


@pytest.mark.parametrize("cut", [5, -9, -20])
def test_damaged_gzip(opened: Any, cut: int) -> None:
    with pytest.raises(EmbeddingError, match="gzip data are damaged or cut off"):
        opened(gzip.compress(joined(many(200)))[:cut])


def test_both_parsers_and_any_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not rows_compiled.available():
        pytest.skip("needs the extra fast")
    lines = many(300, 7)
    lines[7:7] = [b"new york " + lines[7].partition(b" ")[2], b"w3 1 2 3 4 5 6 7", b"bad 1 2"]
    (tmp_path / "a").write_bytes(joined(lines, b"303 7"))
    plain = open_word_vectors(tmp_path / "a", limit=1000)
    monkeypatch.setattr(text, "_COMPILE_FROM", 1)
    monkeypatch.setattr(source, "BLOCK", 100)
    compiled = open_word_vectors(tmp_path / "a", limit=1001)
    assert list(plain.words) == list(compiled.words)
    assert plain.digest == compiled.digest
    assert plain.info == compiled.info
    assert plain.info["warnings"] == {"wrong_columns": 1, "duplicates": 1}


def test_what_is_in_memory_is_bounded_by_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed file is parsed as it is unpacked: no block holds more than a few of `BLOCK`."""
    monkeypatch.setattr(source, "BLOCK", 1000)
    seen: list[int] = []
    parse = text.parse_block

    def watched(block: bytes, dimension: int) -> object:
        seen.append(len(block))
        return parse(block, dimension)

    monkeypatch.setattr(text, "parse_block", watched)
    (tmp_path / "a.gz").write_bytes(gzip.compress(joined(many(5000))))
    found: WordVectors = open_word_vectors(tmp_path / "a.gz")
    assert len(found) == 5000
    assert len(seen) > 50
    assert max(seen) < 2000


def test_a_file_without_hope_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_MANY", 20)
    monkeypatch.setattr(source, "BLOCK", 100)
    read: list[int] = []
    (tmp_path / "a").write_bytes(b"9999 3\n" + joined([b"some words of prose"] * 20_000))
    with pytest.raises(EmbeddingError, match="line 2: 0 numbers where 3 belong"):
        open_word_vectors(tmp_path / "a", progress=lambda done, total, what: read.append(done))
    assert max(read) < 100_000


@pytest.mark.parametrize("header", [b"", b"9999999 1\n"])
def test_a_packed_file_that_unpacks_to_more_than_word_vectors(opened: Any, header: bytes) -> None:
    packed = gzip.compress(header + b"word 0.5\n" * 2_000_000)
    with pytest.raises(EmbeddingError, match=rf"has {len(packed)} bytes and unpacks to more than 16777216"):
        opened(packed)


def test_packed_word_vectors_of_zeros_are_read(opened: Any) -> None:
    found = opened(gzip.compress(b"".join(b"w%d" % row + b" 0" * 300 + b"\n" for row in range(1000))))
    assert len(found) == 1000
