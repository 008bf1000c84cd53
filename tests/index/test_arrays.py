from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import CorruptError
from ragembed.index.arrays import Array, encode_arrays, map_arrays
from ragembed.index.postings import Postings, postings_of_terms

ARRAYS: dict[str, Array] = {
    "a": np.arange(5, dtype=np.int64),
    "b": np.array([[1.5, 2.5], [3.5, 4.5]], np.float32),
    "c": np.zeros(0, np.uint8),
    "d": np.array([1, 2, 3], np.uint16),
}


def test_what_is_encoded_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(encode_arrays(ARRAYS))
    found = map_arrays(path)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        assert not found[name].flags.writeable


def test_the_format_is_that_of_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    path = tmp_path / "x.safetensors"
    path.write_bytes(encode_arrays(ARRAYS))
    assert {name: array.tolist() for name, array in load_file(path).items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }


@pytest.fixture(scope="module")
def segment() -> bytes:
    return encode_arrays(postings_of_terms([["a", "b", "b"], ["b", "é"], []]).to_arrays())


def test_every_truncation_is_corrupt(tmp_path: Path, segment: bytes) -> None:
    path = tmp_path / "x"
    for length in range(len(segment)):
        path.write_bytes(segment[:length])
        with pytest.raises(CorruptError, match=r"^x is (empty|damaged)"):
            map_arrays(path)


def test_a_flipped_bit_is_corrupt_or_gives_sound_arrays(tmp_path: Path, segment: bytes) -> None:
    path = tmp_path / "x"
    for at in range(len(segment)):
        damaged = bytearray(segment)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        try:
            postings = Postings.from_arrays(map_arrays(path))
        except CorruptError:
            continue
        for number in range(postings.vocabulary_size):
            documents, counts = postings.posting_list(number)
            assert len(documents) == len(counts)
            assert all(0 <= document < postings.size for document in documents.tolist())


def header(**entry: Any) -> bytes:
    return json.dumps({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4], **entry}}).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"{}}",
        b"[]",
        b"5",
        b'{"a": 5}',
        b'{"a": {}}',
        b'{"a": []}',
        b"\xff\xfe",
        b"[" * 100_000,
        header(dtype="F64"),
        header(dtype=5),
        header(shape=[5]),
        header(shape=[-1], data_offsets=[4, 3]),
        header(shape=[2**70]),
        header(shape=[2**32, 2**32], data_offsets=[0, 0]),
        header(shape=[-2, -2]),
        header(shape=["4"]),
        header(shape=None),
        header(data_offsets=[0]),
        header(data_offsets=[-4, 0]),
        header(data_offsets=[1, 5]),
        header(data_offsets=[0, 2**70], shape=[2**70]),
        header(data_offsets=[0.0, 4.0]),
    ],
)
def test_a_header_that_lies_is_corrupt(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"abcd")
    with pytest.raises(CorruptError, match="x is damaged"):
        map_arrays(path)


@given(st.binary(max_size=60))
def test_any_bytes_are_corrupt_or_arrays(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-bytes"
    path.write_bytes(data)
    with contextlib.suppress(CorruptError):
        assert all(array.size <= len(data) for array in map_arrays(path).values())
