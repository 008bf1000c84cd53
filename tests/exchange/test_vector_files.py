"""Files of vectors, written in blocks; and what stands under their names when that fails."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragembed.errors import SpecError, StoreError
from ragembed.exchange.vector_files import vector_file

BLOCKS = [np.arange(n * 3, dtype=np.float32).reshape(n, 3) + n for n in (2, 1, 1000)]


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int8, np.uint8])
def test_what_is_written_is_read(kind: type, tmp_path: Path) -> None:
    blocks: list[NDArray[np.generic]] = [(block % 100).astype(kind) for block in BLOCKS]
    whole = np.concatenate(blocks)
    with vector_file(tmp_path / "v.npy", {}) as rows:
        for block in blocks:
            rows.add(block)
    found = np.load(tmp_path / "v.npy", allow_pickle=False)
    np.testing.assert_array_equal(found, whole)
    assert found.dtype == whole.dtype
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    with vector_file(tmp_path / "v.parquet", {"ragembed.embedder": "minilm"}) as rows:
        for block in blocks:
            rows.add(block)
    table = parquet.read_table(tmp_path / "v.parquet")
    assert table.schema.metadata == {b"ragembed.embedder": b"minilm"}
    assert table["row"].to_pylist() == list(range(len(whole)))
    flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    np.testing.assert_array_equal(flat.reshape(-1, 3), whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.npy", "v.parquet"]


@pytest.mark.parametrize("name", ["v.npy", "v.parquet"])
def test_a_failure_leaves_the_file_as_it_was(name: str, tmp_path: Path) -> None:
    if name == "v.parquet":
        pytest.importorskip("pyarrow", reason="needs the extra parquet")
    (tmp_path / name).write_bytes(b"before")

    def stopped() -> None:
        with vector_file(tmp_path / name, {}) as rows:
            rows.add(BLOCKS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"before")]


def test_rows_are_written_as_they_come(tmp_path: Path) -> None:
    with vector_file(tmp_path / "v.npy", {}) as rows:
        for _ in range(3):
            rows.add(np.ones((100_000, 3), np.float32))
            assert not (tmp_path / "v.npy").exists()
        [temporary] = tmp_path.glob("v.npy.*.tmp")
        assert temporary.stat().st_size > 2 * 1_200_000
    assert np.load(tmp_path / "v.npy").shape == (300_000, 3)


@pytest.mark.parametrize("name", ["v.npy", "v.parquet"])
def test_a_full_disk(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "v.parquet":
        pytest.importorskip("pyarrow", reason="needs the extra parquet")
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which takes nothing")
    real = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, *how, **more: (
            real(Path("/dev/full"), *how, **more) if path.suffix == ".tmp" else real(path, *how, **more)
        ),
    )
    with (
        pytest.raises(StoreError, match=rf"{name} cannot be written \(.*No space left.*\); it is as it was"),
        vector_file(tmp_path / name, {}) as rows,
    ):
        rows.add(np.ones((100_000, 3), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_blocks_may_be_empty(tmp_path: Path) -> None:
    with vector_file(tmp_path / "v.npy", {}) as rows:
        for block in (BLOCKS[0][:0], BLOCKS[0], BLOCKS[0][:0]):
            rows.add(block)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy", allow_pickle=False), BLOCKS[0])


def test_names(tmp_path: Path) -> None:
    with (
        pytest.raises(SpecError, match=r"name a \.npy or \.parquet file"),
        vector_file(tmp_path / "v.txt", {}),
    ):
        pass
    with pytest.raises(StoreError, match="cannot be written"), vector_file(tmp_path / "no/v.npy", {}):
        pass


def test_two_write_the_same_file_and_the_last_one_has_it(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    with vector_file(path, {}) as first:
        first.add(BLOCKS[2])
        with vector_file(path, {}) as second:
            second.add(BLOCKS[0])
        np.testing.assert_array_equal(np.load(path), BLOCKS[0])
        first.add(BLOCKS[1])
    np.testing.assert_array_equal(np.load(path), np.concatenate([BLOCKS[2], BLOCKS[1]]))
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_file_keeps_its_place(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "v.npy").symlink_to("pipe")
    (tmp_path / "folder.npy").mkdir()
    for name in ("v.npy", "folder.npy"):
        with (
            pytest.raises(StoreError, match=f"{name} is there and is no file"),
            vector_file(tmp_path / name, {}),
        ):
            pass
    assert (tmp_path / "pipe").is_fifo()
