from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragembed.errors import CorruptError, StoreError
from ragembed.index.flat import Flat, flat_index, read_flat, write_flat, write_merged_flat

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]


def content(vectors: Vectors) -> bytes:
    pieces: list[bytes] = []
    write_flat(flat_index(vectors), pieces.append)
    return b"".join(pieces)


def saved(vectors: Vectors, path: Path) -> Path:
    path.write_bytes(content(vectors))
    return path


def random_vectors(rows: int, dimension: int) -> Vectors:
    return np.random.default_rng(rows).normal(size=(rows, dimension)).astype(np.float32)


@pytest.mark.parametrize(("rows", "dimension"), [(1, 1), (7, 5), (3_000, 384)])
def test_the_bytes_are_those_that_faiss_writes(rows: int, dimension: int, tmp_path: Path) -> None:
    import faiss

    vectors = random_vectors(rows, dimension)
    theirs = faiss.IndexFlatIP(dimension)
    theirs.add(vectors)
    assert content(vectors) == faiss.serialize_index(theirs).tobytes()
    read = faiss.read_index(str(saved(vectors, tmp_path / "a.faiss")))
    assert np.array_equal(read.reconstruct_n(0, rows), vectors)


def test_vectors_come_back_as_they_went_in(tmp_path: Path) -> None:
    vectors = random_vectors(3_000, 384)  # more than one piece
    flat = read_flat(saved(vectors, tmp_path / "a"), 3_000, 384)
    assert (len(flat), flat.dimension) == (3_000, 384)
    assert np.array_equal(flat.take(slice(None)), vectors)
    assert np.array_equal(flat.take(np.array([2_999, 0])), vectors[[2_999, 0]])
    assert flat.largest_norm == pytest.approx(np.linalg.norm(vectors, axis=1).max(), rel=1e-6)


@given(rows=st.integers(1, 9), most=st.integers(1, 10), positions=st.lists(st.integers(0, 8)))
def test_blocks_are_all_that_was_asked_for_in_order(rows: int, most: int, positions: list[int]) -> None:
    vectors = random_vectors(rows, 3)
    some = np.array([at for at in positions if at < rows], np.int64)
    for chosen, expected in ((None, vectors), (some, vectors[some])):
        blocks = [(start, block.copy()) for start, block in flat_index(vectors).blocks(chosen, most)]
        assert [start for start, _ in blocks] == list(range(0, len(expected), most))
        assert np.array_equal(np.concatenate([np.zeros((0, 3)), *(block for _, block in blocks)]), expected)


@given(parts=st.lists(st.lists(st.booleans(), max_size=6), max_size=4), all_of=st.integers(0, 3))
def test_a_merged_file_is_that_of_the_vectors_kept(parts: list[list[bool]], all_of: int) -> None:
    keep: list[Rows | None] = [np.flatnonzero(mask) for mask in parts]
    vectors = [random_vectors(len(mask) + 1, 3)[: len(mask)] for mask in parts]
    kept = [part[np.array(mask, bool)] for part, mask in zip(vectors, parts, strict=True)]
    if all_of < len(parts):
        keep[all_of], kept[all_of] = None, vectors[all_of]
    together = np.concatenate([np.zeros((0, 3), np.float32), *kept])
    pieces: list[bytes] = []
    sides = zip(map(flat_index, vectors), keep, strict=True)
    write_merged_flat(sides, len(together), 3, pieces.append)
    assert b"".join(pieces) == content(together)


def test_merging_holds_one_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragembed.index.flat._PIECE", 8 * 12)
    flat = flat_index(random_vectors(100, 3))
    pieces: list[bytes] = []
    write_merged_flat(((flat, np.arange(100)) for _ in range(3)), 300, 3, pieces.append)
    assert max(map(len, pieces[1:])) == 8 * 12
    assert len(b"".join(pieces)) == 45 + 300 * 12


def test_a_merge_that_cannot_be() -> None:
    flat = flat_index(random_vectors(4, 3))
    with pytest.raises(StoreError, match="4 vectors were merged where 5 are expected"):
        write_merged_flat([(flat, None)], 5, 3, lambda data: None)
    with pytest.raises(StoreError, match="vectors of 3 dimensions cannot be merged with those of 2"):
        write_merged_flat([(flat, None)], 4, 2, lambda data: None)


def test_an_error_while_writing_is_the_one_that_is_raised() -> None:
    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_flat(flat_index(random_vectors(3, 3)), full)


def test_a_file_that_is_no_index_is_corrupt(tmp_path: Path) -> None:
    for data in (b"", b"no index", b"IxFI\x03\0\0\0", b"no index" * 100):
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(CorruptError, match="a is no flat FAISS index"):
            read_flat(tmp_path / "a", 1, 3)


def test_a_file_of_other_numbers_or_kind_is_corrupt(tmp_path: Path) -> None:
    import faiss

    path = saved(np.eye(3, dtype=np.float32), tmp_path / "a.faiss")
    with pytest.raises(CorruptError, match="holds 3 vectors of 3 dimensions, the catalog says 4 of 3"):
        read_flat(path, 4, 3)
    with pytest.raises(CorruptError, match="the catalog says 3 of 2"):
        read_flat(path, 3, 2)
    for other in (faiss.IndexHNSWFlat(3, 8), faiss.IndexFlatL2(3)):
        faiss.write_index(other, str(path))
        with pytest.raises(CorruptError, match="no flat FAISS index"):
            read_flat(path, 0, 3)


@pytest.mark.parametrize("metric", [1, 22, -1])
def test_another_metric_is_refused(tmp_path: Path, metric: int) -> None:
    data = bytearray(content(np.eye(3, dtype=np.float32)))
    data[33:37] = metric.to_bytes(4, "little", signed=True)
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(CorruptError, match=f"a measures by metric {metric}, not by inner product"):
        read_flat(tmp_path / "a", 3, 3)


def test_a_file_too_short_or_too_long_is_corrupt(tmp_path: Path) -> None:
    data = content(np.eye(3, dtype=np.float32))
    count = (10**9).to_bytes(8, "little")
    for wrong in (data[:-1], data + b"\0", data[:45], data[:37] + count + data[45:]):
        (tmp_path / "a").write_bytes(wrong)
        with pytest.raises(
            CorruptError, match=f"a has {len(wrong)} bytes.*3 vectors of 3 dimensions take 81"
        ):
            read_flat(tmp_path / "a", 3, 3)


def test_a_mapped_file_outlives_its_name(tmp_path: Path) -> None:
    vectors = random_vectors(5, 4)
    path = saved(vectors, tmp_path / "a")
    flat: Flat = read_flat(path, 5, 4)
    path.unlink()  # as a writer does that merges it away while a reader searches
    assert np.array_equal(flat.take(slice(None)), vectors)
