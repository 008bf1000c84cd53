"""Counting is held against a dictionary and two loops."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train.glove import cooccurrence
from ragembed.embed.words.train.glove.cooccurrence import Counting, Numbering, count_blocks
from ragembed.embed.words.train.glove.reference import reference_cooccurrences

pytest.importorskip("numba", reason="needs the extra words")

TEXTS = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=12).map(" ".join), min_size=1, max_size=6)


def read(texts: Sequence[str], folder: Path, min_count: int = 1) -> TokenCorpus:
    return TokenCorpus.read(texts, folder, tokenizer("whitespace"), min_count=min_count)


def counted(
    corpus: TokenCorpus, counting: Counting, folder: Path, blocks: int = 1
) -> dict[tuple[int, int], float]:
    """x by word and context word, through numbers that are dealt to `blocks` blocks."""
    word = np.arange(len(corpus.words))
    length = -(-len(word) // blocks)
    numbers = (word % blocks * length + word // blocks).astype(np.uint32)
    word_of = {int(number): int(row) for row, number in enumerate(numbers)}
    found: dict[tuple[int, int], float] = {}
    shares: list[float] = []
    numbering = Numbering(numbers, blocks, length)
    for block, rows in enumerate(count_blocks(corpus, counting, numbering, folder, shares.append)):
        for row in range(length):
            for at in range(rows.ends[row], rows.ends[row + 1]):
                pair = word_of[block * length + row], word_of[int(rows.columns[at])]
                assert pair not in found
                found[pair] = float(rows.values[at])
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    return found


def expected(corpus: TokenCorpus, counting: Counting) -> dict[tuple[int, int], float]:
    rows = {word: row for row, word in enumerate(corpus.words)}
    return reference_cooccurrences(
        ([rows[word] for word in text] for text in corpus),
        window=counting.window,
        symmetric=counting.symmetric,
        distance_weighting=counting.distance_weighting,
    )


def test_distances_and_boundaries(tmp_path: Path) -> None:
    """a b c with a window of 2: c is 1/2 of a pair with a; no pair reaches into the next text."""
    corpus = read(["a b c", "", "a", "b a"], tmp_path)
    assert corpus.words == ["a", "b", "c"]
    found = counted(corpus, Counting(window=2), tmp_path)
    half = {(0, 1): 1 + 1, (1, 2): 1, (0, 2): 0.5}
    assert found == pytest.approx({**half, **{(j, i): x for (i, j), x in half.items()}})
    assert counted(corpus, Counting(window=2, symmetric=False), tmp_path) == pytest.approx(
        {(1, 0): 1, (2, 1): 1, (2, 0): 0.5, (0, 1): 1}
    )
    assert counted(corpus, Counting(window=2, distance_weighting=False), tmp_path)[0, 2] == 1


def test_a_word_beside_itself_counts_from_both_sides(tmp_path: Path) -> None:
    corpus = read(["a a b"], tmp_path)
    assert counted(corpus, Counting(window=1), tmp_path)[0, 0] == 2


def test_rare_words_are_stepped_over(tmp_path: Path) -> None:
    """The window closes over x, which stands only once: a and b are neighbours."""
    corpus = read(["a x b", "a b"], tmp_path, min_count=2)
    assert counted(corpus, Counting(window=1), tmp_path) == {(0, 1): 2, (1, 0): 2}


@settings(max_examples=40)
@given(
    TEXTS.filter(lambda texts: len(set(" ".join(texts).split())) > 1),
    st.integers(1, 15),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
)
def test_equals_the_reference(
    texts: list[str], window: int, symmetric: bool, distance_weighting: bool, blocks: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        corpus = read(texts, Path(folder))
        counting = Counting(window, symmetric, distance_weighting)
        assert counted(corpus, counting, Path(folder), blocks) == pytest.approx(expected(corpus, counting))


@settings(max_examples=40)
@given(
    TEXTS.filter(lambda texts: len(set(" ".join(texts).split())) > 1), st.integers(1, 15), st.integers(1, 9)
)
def test_slices_add_up(texts: list[str], window: int, room: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(cooccurrence, "_LEAST_TOKENS", room)
        corpus = read(texts, Path(folder))
        counting = Counting(window, memory=1, workers=2)
        assert counted(corpus, counting, Path(folder), 2) == pytest.approx(expected(corpus, counting))
        assert not list(Path(folder).glob("slice*"))


def test_little_memory_gives_the_same_matrix(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    words = [f"w{int(n)}" for n in random.zipf(1.3, 30_000) if n < 1000]
    corpus = read([" ".join(words[at : at + 50]) for at in range(0, len(words), 50)], tmp_path)
    plenty, little = (
        counted(corpus, Counting(5, memory=memory, workers=2), tmp_path, 4) for memory in (10**9, 1)
    )
    assert list(plenty.items()) != []
    assert plenty.keys() == little.keys()
    assert np.allclose([plenty[pair] for pair in plenty], [little[pair] for pair in plenty], rtol=1e-12)


def test_a_slice_has_no_more_positions_than_32_bits_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each token may have a boundary beside it, and a window of neighbours on both sides; then positions end."""
    most = cooccurrence._MOST_TOKENS
    assert 2 * (most + 2 * 1_000_000) + 2 < 1 << 32
    monkeypatch.setattr(cooccurrence, "_MOST_TOKENS", 3)
    corpus = read(["a b c", "b a b", "c"], tmp_path)
    parts = []
    monkeypatch.setattr(cooccurrence._Spilled, "remove", lambda part: parts.append(part))
    counting = Counting(2, memory=1 << 60)
    assert counted(corpus, counting, tmp_path) == pytest.approx(expected(corpus, counting))
    assert len(parts) == 3
