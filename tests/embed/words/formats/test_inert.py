"""Pickles as data: plain values come out as they went in, and no bytes do harm."""

from __future__ import annotations

import contextlib
import gzip
import pickle
import tracemalloc
from collections import OrderedDict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.words.formats import inert as module
from ragembed.embed.words.formats.inert import Name, Record, read_inert
from ragembed.embed.words.formats.source import Source
from ragembed.errors import EmbeddingError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


def read(data: bytes) -> Any:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.pkl"
        path.write_bytes(data)
        with Source(path) as source:
            return read_inert(source)


@given(value=PLAIN, protocol=st.integers(3, 5))
def test_plain_values(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(6))
def test_shared_values_and_older_protocols(protocol: int) -> None:
    shared = ["a", 1.5, -(2**70), None, True, {"k": "é"}]
    found = read(pickle.dumps([shared, shared, (shared, 1, 2, 3)], protocol))
    assert found == [shared, shared, (shared, 1, 2, 3)]
    assert found[0] is found[1] is found[2][0]


@pytest.mark.parametrize("protocol", range(6))
def test_objects_become_records(protocol: int) -> None:
    found = read(pickle.dumps(OrderedDict(a=1), protocol))
    assert isinstance(found, Record)
    assert found.what == Name("collections.OrderedDict")
    assert read(pickle.dumps(OrderedDict, protocol)) == Name("collections.OrderedDict")


@given(data=st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(EmbeddingError):
        read(b"\x80\x04" + data)


@given(cut=st.integers(0, 200), at=st.integers(0, 200), byte=st.integers(0, 255))
def test_damaged_pickles(cut: int, at: int, byte: int) -> None:
    whole = bytearray(pickle.dumps({"a": [OrderedDict(x=(1, "y")), b"z" * 9, 2.5]}, 4))
    whole[at % len(whole)] = byte
    with contextlib.suppress(EmbeddingError):
        read(bytes(whole[: cut or None]))


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little") + b"short",  # bytes of a terabyte
        b"\x80\x04\x8d" + (1 << 62).to_bytes(8, "little"),
        b"\x80\x04\x8b" + (1 << 30).to_bytes(4, "little"),
        b"\x80\x04X" + b"\xff" * 4,
        b"\x80\x04" + b"I" + b"9" * 20_000 + b"\n.",  # a number of 20,000 digits
        b"\x80\x04" + b"]" * 20_000 + b"a" * 19_999 + b".",  # lists in lists
        b"\x80\x04" + b"(" * 9_000,
        b"\x80\x05\x97.",  # a buffer from elsewhere
        b"\x80\x04\x82\x01.",  # a registered class
        b"\x80\x04K\x01Q.",  # an object that another program knows
        b"\x80\x04.",
        b"\x80\x04R.",
        b"\x80\x04N}b.",
        b"\x80\x04h\x05.",
    ],
)
def test_hostile_pickles(data: bytes) -> None:
    tracemalloc.start()
    with contextlib.suppress(EmbeddingError):
        read(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


def pairs_of_pairs(depth: int) -> bytes:
    """Instructions for a pair that holds a pair twice, and so on: small, and 2 ** `depth` pieces when written out."""
    pairs = b"".join(b"h%c" % at + b"h%c" % at + b"\x86\x94" for at in range(depth))
    return b"(]\x94" + pairs + b"1" + b"h%c" % depth


def test_nested_values_are_never_written_out() -> None:
    value = pairs_of_pairs(60)
    with pytest.raises(EmbeddingError, match="names a class by what is no text"):
        read(b"\x80\x04" + value + b"h\x3c\x93.")
    made = read(b"\x80\x04" + value + b"h\x3cR.")
    assert isinstance(made, Record)
    assert len(repr(made)) < 200


@pytest.mark.parametrize("length", [1 << 30, 1 << 40])
def test_a_packed_pickle_whose_length_lies(length: int) -> None:
    """Few bytes that unpack to very many; what they say they hold is not fetched to see."""
    data = gzip.compress(b"\x80\x04\x8e" + length.to_bytes(8, "little") + bytes(1 << 27))
    tracemalloc.start()
    with pytest.raises(EmbeddingError, match="bytes follow, and at most"):
        read(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


def test_a_packed_pickle_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "most_unpacked", lambda packed: 1 << 16)
    data = gzip.compress(b"\x80\x04" + b"N0" * (1 << 20) + b"N.")
    with pytest.raises(EmbeddingError, match="no pickle that can be read"):
        read(data)
