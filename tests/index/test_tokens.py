"""Files of token vectors, and exact search in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from ragembed.embed.token_vectors import Half, TokenVectors
from ragembed.errors import CorruptError, EmbeddingError, StoreError
from ragembed.index import multi
from ragembed.index.multi import MultiIndex, MultiSegment
from ragembed.index.selection import Selection
from ragembed.index.tokens import Tokens, joined, read_tokens, write_tokens
from ragembed.retrieve.maxsim import exact

DIMENSION = 4
CODEC = Half(DIMENSION)
NOTHING = np.zeros(0, np.int64)


def made(seed: int, sizes: list[int]) -> tuple[Tokens, TokenVectors]:
    """What is stored, and the vectors that it stands for."""
    draw = np.random.default_rng(seed)
    # small whole numbers: many equal scores, and nothing is lost in float16
    parts = [draw.integers(-2, 3, (n, DIMENSION)).astype(np.float32) for n in sizes]
    vectors = TokenVectors.of(parts, DIMENSION)
    return Tokens(vectors.starts, CODEC.encode(vectors.vectors)), vectors


def written(path: Path, parts: list[tuple[Tokens, np.ndarray | None]]) -> Path:
    with path.open("wb") as file:
        write_tokens(parts, file.write)
    return path


def test_a_file_is_read_back_by_us_and_by_safetensors(tmp_path: Path) -> None:
    tokens, _ = made(0, [2, 0, 3])
    path = written(tmp_path / "one", [(tokens, None)])
    back = read_tokens(path, 3)
    np.testing.assert_array_equal(back.starts, tokens.starts)
    np.testing.assert_array_equal(back.codes, tokens.codes)
    other = load_file(path)
    assert other["starts"].tolist() == [0, 2, 2, 5]
    np.testing.assert_array_equal(other["codes"], tokens.codes)


def test_a_file_of_texts_without_any_token(tmp_path: Path) -> None:
    tokens, _ = made(0, [0, 0])
    assert read_tokens(written(tmp_path / "one", [(tokens, None)]), 2).codes.shape == (0, CODEC.width)


@given(st.data())
def test_merged_files_hold_what_was_kept(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("merged")
    parts, expected = [], []
    for number in range(data.draw(st.integers(1, 3))):
        sizes = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
        tokens, vectors = made(number, sizes)
        keep = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes))))
        parts.append((tokens, keep))
        expected += [vectors[i] for i in keep.tolist()]
    back = read_tokens(written(folder / "merged", parts), len(expected))
    for one, wanted in zip(range(len(back)), expected, strict=True):
        codes = back.codes[back.starts[one] : back.starts[one + 1]]
        np.testing.assert_array_equal(CODEC.decode(codes), wanted)


def test_damage_is_told(tmp_path: Path) -> None:
    tokens, _ = made(0, [2, 3])
    path = written(tmp_path / "one", [(tokens, None)])
    with pytest.raises(CorruptError, match="holds 2 texts, the catalog says 7"):
        read_tokens(path, 7)
    with pytest.raises(CorruptError, match="do not follow one another"):
        read_tokens(_with_starts(tmp_path / "bad", tokens), 2)
    narrow = Tokens(tokens.starts, tokens.codes[:, :2])
    with pytest.raises(StoreError, match="2, 8 bytes cannot be merged"):
        written(tmp_path / "three", [(tokens, None), (narrow, None)])


def _with_starts(path: Path, tokens: Tokens) -> Path:
    from safetensors.numpy import save_file

    save_file({"starts": np.array([0, 9, 5]), "codes": tokens.codes}, path)
    return path


def test_joined_in_memory() -> None:
    (one, _), (other, _) = made(0, [1, 2]), made(1, [0, 3])
    both = joined([one, other])
    assert both.starts.tolist() == [0, 1, 3, 3, 6]
    np.testing.assert_array_equal(both.take(np.array([3, 0])).codes, both.codes[[3, 4, 5, 0]])


@given(st.integers(0, 500), st.integers(1, 12), st.booleans(), st.integers(1, 9))
def test_the_best_are_those_of_a_search_by_hand(seed: int, k: int, filtered: bool, block: int) -> None:
    """Over segments with deleted texts, texts without tokens, equal scores and any size of block."""
    draw = np.random.default_rng(seed)
    segments, scores = [], {}
    [query] = made(seed + 1, [int(draw.integers(1, 4))])[1]
    for number in range(2):
        count = int(draw.integers(1, 7))
        tokens, vectors = made(seed + 7 * number, draw.integers(0, 4, count).tolist())
        rows = np.arange(count) * 2 + 100 * number
        dead = np.flatnonzero(draw.random(count) < 0.3)
        segments.append(MultiSegment(tokens, rows, dead))
        for place, row in enumerate(rows.tolist()):
            if place not in dead and len(vectors[place]):
                scores[row] = exact(query, vectors[place])
    index = MultiIndex(segments, CODEC, DIMENSION)
    everything = dict(zip(*(part.tolist() for part in index.scores(query)), strict=True))
    assert everything == pytest.approx(scores)
    selection = None
    if filtered:
        live = sorted(row for s in segments for row in np.delete(s.rows, s.dead).tolist())
        chosen = np.array([row for row in live if row % 4 == 0], np.int64)
        selection = Selection(chosen)
        scores = {row: score for row, score in scores.items() if row in chosen}
    before, multi._BYTES = multi._BYTES, 4 * DIMENSION * block
    try:
        [(rows, found)] = index.search_many([query], k, selection)
        twice = index.search_many([query, query], k, selection)
    finally:
        multi._BYTES = before
    wanted = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
    assert list(zip(rows.tolist(), found.tolist(), strict=True)) == wanted
    for again in twice:
        np.testing.assert_array_equal(again[0], rows)


def test_a_query_without_tokens_finds_nothing() -> None:
    tokens, _ = made(0, [2])
    index = MultiIndex([MultiSegment(tokens, np.array([5]), NOTHING)], CODEC, DIMENSION)
    assert [len(rows) for rows, _ in index.search_many([np.zeros((0, DIMENSION), np.float32)], 3)] == [0]
    assert len(index.scores(np.zeros((0, DIMENSION), np.float32))[0]) == 0
    assert index.search_many([], 3) == []


def test_tokens_of_rows_in_their_order() -> None:
    tokens, vectors = made(0, [2, 1, 3])
    index = MultiIndex([MultiSegment(tokens, np.array([5, 8, 9]), NOTHING)], CODEC, DIMENSION)
    found = index.tokens_of([9, 5])
    np.testing.assert_array_equal(found[0], vectors[2])
    np.testing.assert_array_equal(found[1], vectors[0])
    with pytest.raises(CorruptError, match="1 chunks have no token vectors, the first in row 7"):
        index.tokens_of([5, 7])


def test_what_does_not_fit_is_refused() -> None:
    tokens, _ = made(0, [2])
    with pytest.raises(CorruptError, match="token vectors of 8 bytes, the embedder makes 6"):
        MultiIndex([MultiSegment(tokens, np.array([5]), NOTHING)], Half(3), 3)
    index = MultiIndex([MultiSegment(tokens, np.array([5]), NOTHING)], CODEC, DIMENSION)
    with pytest.raises(EmbeddingError, match="4 dimensions"):
        index.search_many([np.ones((1, 3), np.float32)], 1)
    with pytest.raises(EmbeddingError, match="NaN or infinity"):
        index.search_many([np.full((1, DIMENSION), np.nan, np.float32)], 1)
