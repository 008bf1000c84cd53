from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragembed.errors import CorruptError, EmbeddingError
from ragembed.index.dense import (
    DenseIndex,
    DenseSegment,
    flat_index,
    merge_flat,
    read_flat,
    vectors_of,
    write_flat,
)

Vectors = NDArray[np.float32]


def save(vectors: Vectors, path: Path) -> None:
    with path.open("wb") as file:
        write_flat(flat_index(vectors), file.write)


def index_of(parts: list[Vectors], dead: list[int], folder: Path, first_row: int = 1) -> DenseIndex:
    """An index whose segments have been through their files; `dead` are rows."""
    segments = []
    for number, vectors in enumerate(parts):
        path = folder / f"{number}.faiss"
        save(vectors, path)
        gone = np.array(
            [row - first_row for row in dead if first_row <= row < first_row + len(vectors)], np.int64
        )
        segments.append(DenseSegment(read_flat(path, len(vectors), vectors.shape[1]), first_row, gone))
        first_row += len(vectors)
    return DenseIndex(segments, parts[0].shape[1] if parts else 3)


def plain(vectors: Vectors, dead: list[int], query: Vectors, k: int) -> list[tuple[int, float]]:
    """The same by sorting all products; rows count from 1."""
    scored = [(row, float(v @ query)) for row, v in enumerate(vectors, 1) if row not in dead]
    return sorted(scored, key=lambda hit: (-hit[1], hit[0]))[:k]


small = st.integers(-3, 3).map(float)


@given(
    parts=st.lists(
        st.lists(st.lists(small, min_size=2, max_size=2), min_size=1, max_size=5), min_size=1, max_size=3
    ),
    dead=st.lists(st.integers(1, 15), max_size=6),
    queries=st.lists(st.lists(small, min_size=2, max_size=2).filter(any), max_size=3),
    k=st.integers(1, 20),
)
def test_it_finds_what_sorting_all_products_finds(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[list[list[float]]],
    dead: list[int],
    queries: list[list[float]],
    k: int,
) -> None:
    arrays = [np.array(part, np.float32) for part in parts]
    index = index_of(arrays, dead, tmp_path_factory.getbasetemp())
    asked = np.array(queries, np.float32).reshape(-1, 2)
    found = [
        [*zip(rows.tolist(), scores.tolist(), strict=True)] for rows, scores in index.search_many(asked, k)
    ]
    assert found == [plain(np.concatenate(arrays), dead, query, k) for query in asked]


@pytest.mark.parametrize("k", [1, 5, 99, 100, 150, 299, 300, 1000])
@pytest.mark.parametrize("queries", [1, 30])
def test_equal_scores_come_by_row(tmp_path: Path, k: int, queries: int) -> None:
    random = np.random.default_rng(0)
    vector = random.normal(size=(1, 24)).astype(np.float32)
    index = index_of([np.repeat(vector, 100, axis=0), np.repeat(vector, 200, axis=0)], [3, 150], tmp_path)
    asked = np.repeat(random.normal(size=(1, 24)).astype(np.float32), queries, axis=0)
    alive = [row for row in range(1, 301) if row not in (3, 150)]
    for rows, _ in index.search_many(asked, k):
        assert rows.tolist() == alive[:k]


def test_many_vectors_against_numpy(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(2_000, 16)).astype(np.float32)
    dead = random.choice(np.arange(1, 2_001), 500, replace=False).tolist()
    index = index_of([vectors[:700], vectors[700:]], dead, tmp_path)
    queries = random.normal(size=(25, 16)).astype(np.float32)
    for query, (rows, scores) in zip(queries, index.search_many(queries, 150), strict=True):
        expected = plain(vectors, dead, query, 150)
        assert rows.tolist() == [row for row, _ in expected]
        np.testing.assert_allclose(scores, [score for _, score in expected], rtol=1e-5)


def test_nothing_to_find(tmp_path: Path) -> None:
    vectors = np.eye(3, dtype=np.float32)
    assert index_of([vectors], [1, 2, 3], tmp_path).search_many(vectors[:1], 5)[0][0].tolist() == []
    assert [rows.tolist() for rows, _ in DenseIndex([], 3).search_many(vectors[:2], 5)] == [[], []]
    assert index_of([vectors], [], tmp_path).search_many(vectors[:0], 5) == []
    zeros = np.zeros((1, 3), np.float32)  # a query of unknown words is near to nothing
    assert index_of([vectors], [], tmp_path).search_many(zeros, 5)[0][0].tolist() == []


def test_a_query_of_another_dimension(tmp_path: Path) -> None:
    index = index_of([np.eye(3, dtype=np.float32)], [], tmp_path)
    with pytest.raises(
        EmbeddingError, match="the index has 3 dimensions, the query has 4; query with the embedder"
    ):
        index.search_many(np.zeros((1, 4), np.float32), 1)


def test_vectors_come_back_as_they_went_in(tmp_path: Path) -> None:
    vectors = np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32)
    save(vectors, tmp_path / "a")
    assert np.array_equal(vectors_of(read_flat(tmp_path / "a", 5, 4)), vectors)


def test_merged_vectors_are_those_of_the_parts_in_order() -> None:
    vectors = np.arange(24, dtype=np.float32).reshape(8, 3)
    parts = [flat_index(part) for part in (vectors[:5], vectors[5:6], vectors[6:])]
    merged = merge_flat(iter(parts), 8, 3)
    assert np.array_equal(vectors_of(merged), vectors)
    assert [part.ntotal for part in parts] == [0, 0, 0]


def test_an_error_while_writing_is_the_one_that_is_raised() -> None:
    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_flat(flat_index(np.eye(3, dtype=np.float32)), full)


def test_a_file_that_is_no_index_is_corrupt(tmp_path: Path) -> None:
    for content in (b"", b"no index", b"IxFI\x03\0\0\0"):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(CorruptError, match="a is no FAISS index"):
            read_flat(tmp_path / "a", 1, 3)


def test_a_file_of_other_numbers_or_kind_is_corrupt(tmp_path: Path) -> None:
    import faiss

    path = tmp_path / "a.faiss"
    save(np.eye(3, dtype=np.float32), path)
    with pytest.raises(CorruptError, match="holds 3 vectors of 3 dimensions, the catalog says 4 of 3"):
        read_flat(path, 4, 3)
    with pytest.raises(CorruptError, match="the catalog says 3 of 2"):
        read_flat(path, 3, 2)
    for other in (faiss.IndexHNSWFlat(3, 8), faiss.IndexFlatL2(3)):
        faiss.write_index(other, str(path))
        with pytest.raises(CorruptError, match="not a flat index"):
            read_flat(path, 0, 3)
