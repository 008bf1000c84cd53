from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import pytest

from ragembed.errors import LimitError, ReadError
from ragembed.read.base import ReadOptions
from ragembed.read.container import MAX_MEMBERS, MAX_XML, open_container, read_member

MakeZip = Callable[[dict[str, str | bytes]], bytes]


def test_a_sound_container_opens(make_zip: MakeZip) -> None:
    with open_container(make_zip({"a": "words"}), "docx", ReadOptions()) as archive:
        assert read_member(archive, "a", "docx") == b"words"
        with pytest.raises(ReadError, match="DOCX lacks its part b"):
            read_member(archive, "b", "docx")


def test_declared_sizes_over_the_limit(make_zip: MakeZip) -> None:
    data = make_zip({"a": b"\0" * 600_000, "b": b"\0" * 600_000})
    with pytest.raises(LimitError, match=r"unpacks to 1,200,000 or more, the limit is 1,000,000; raise"):
        open_container(data, "docx", ReadOptions(max_expanded=1_000_000))


def test_a_bomb_below_the_limit_but_beyond_any_document(make_zip: MakeZip) -> None:
    data = make_zip({"a": b"\0" * 60_000_000})
    with pytest.raises(LimitError, match=r"times its size, the limit is 250 times; it looks like a zip bomb"):
        open_container(data, "docx", ReadOptions())


def test_lying_sizes_are_found_by_counting(make_zip: MakeZip) -> None:
    true = make_zip({"a": b"\0" * 3_000_000})
    said = struct.pack("<L", 10)
    data = true.replace(struct.pack("<L", 3_000_000), said)
    assert zipfile.ZipFile(io.BytesIO(data)).infolist()[0].file_size == 10
    with pytest.raises(ReadError, match="part a is damaged"):
        open_container(data, "docx", ReadOptions(max_expanded=1_000_000))


def test_overlapping_members(make_zip: MakeZip) -> None:
    """One compressed stream under many names, as in the bombs that need no nesting."""
    one = make_zip({"a": bytes(range(256)) * 40})
    start = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    entry, count = one[start:end], 30
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, start, 0)
    data = one[:start] + entry * count + tail
    with pytest.raises(LimitError, match="overlap"):
        open_container(data, "docx", ReadOptions())


def test_too_many_members() -> None:
    data = b"PK\x03\x04" + b"PK\x01\x02" * (MAX_MEMBERS + 1)
    with pytest.raises(LimitError, match="holds 50,001 files, more than 50,000"):
        open_container(data, "docx", ReadOptions())


def test_encrypted_and_odd_containers(make_zip: MakeZip) -> None:
    data = bytearray(make_zip({"a": "words"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    with pytest.raises(ReadError, match="container is encrypted; save it without a password"):
        open_container(bytes(data), "docx", ReadOptions())
    with pytest.raises(ReadError, match="old or encrypted Office file"):
        open_container(b"\xd0\xcf\x11\xe0" + b"x" * 99, "docx", ReadOptions())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", "words")
    with pytest.raises(ReadError, match="zip method 14"):
        open_container(buffer.getvalue(), "docx", ReadOptions())


def test_a_tree_that_would_fill_the_memory_is_refused(make_zip: MakeZip) -> None:
    data = make_zip({"word/document.xml": b"<w:p/>" * (MAX_XML // 6 + 1)})
    with pytest.raises(LimitError, match=f"the limit is {MAX_XML:,}"):
        open_container(data, "docx", ReadOptions())
    open_container(data, "xlsx", ReadOptions()).close()  # is read row by row
