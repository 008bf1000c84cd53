"""Lines, streamed, are those of the file as a whole."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import ReadError
from ragembed.read import line_blocks
from ragembed.read.encoding import decode
from ragembed.read.line_blocks import blocks_of_file, blocks_of_stream, survey


def from_file(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    found = survey(path)
    lines = [line for block in blocks_of_file(path, found) for line in block]
    assert not found.streams or found.lines == len(lines)
    return lines


def from_stream(data: bytes) -> list[str]:
    return [line for block in blocks_of_stream(io.BytesIO(data), "stdin") for line in block]


CASES = {
    b"": [],
    b"a": ["a"],
    b"a\nb\n": ["a", "b"],
    b"a\r\nb\x0cc\r\n\n d": ["a", "b\x0cc", "", " d"],
    "c\u2028d\u0085e\n".encode(): ["c\u2028d\u0085e"],
    b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n": ["a", "\ufeffb"],
    b"a\0b\nc\n": ["a\ufffdb", "c"],
    b"a\rb\rc": ["a", "b", "c"],
    "Straße\nGrüße aus Köln\n".encode("latin-1"): ["Straße", "Grüße aus Köln"],
    "é\nб\n".encode("utf-16"): ["é", "б"],
}


@pytest.mark.parametrize("data", CASES)
def test_lines(data: bytes, tmp_path: Path) -> None:
    assert from_file(tmp_path / "lines", data) == CASES[data]
    assert from_stream(data) == CASES[data]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines") / "lines"


@given(st.lists(st.text("aé東🦊\r\t \x0c\u2028", max_size=6)))
def test_any_text_streams_as_it_is_read_at_once(path: Path, lines: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:  # so that blocks and the first look end within the text
        patch.setattr(line_blocks, "LINES", 3)
        patch.setattr(line_blocks, "_BYTES", 9)
        patch.setattr(line_blocks, "_SAMPLE", 5)
        data = "".join(line + "\n" for line in ["first\n", *lines]).encode()
        whole = [line.removesuffix("\r") for line in decode(data).text.removesuffix("\n").split("\n")]
        assert from_file(path, data) == whole
        patch.setattr(line_blocks, "_SAMPLE", 7)  # the first line end is within it
        assert from_stream(data) == whole


def test_another_encoding_far_into_a_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(line_blocks, "_SAMPLE", 8)
    data = b"one\ntwo\nthree\nK\xf6ln\n"
    with pytest.raises(ReadError, match="stdin line 4 is not UTF-8, as those before it are; convert it"):
        from_stream(data)
    assert from_file(tmp_path / "lines", data)[3] == "Köln"  # a file can be looked at twice


def test_little_memory_for_many_lines() -> None:
    class Endless(io.RawIOBase):
        left = 300

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
            self.left -= 1
            data = (b"a line of text\n" * (len(buffer) // 15)) if self.left > 0 else b""
            buffer[: len(data)] = data
            return len(data)

    def count(blocks: Iterator[list[str]]) -> int:
        return sum(map(len, blocks))

    tracemalloc.start()
    lines = count(blocks_of_stream(io.BufferedReader(Endless(), 1 << 16), "stdin"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines > 1_000_000
    assert peak < 12 << 20  # the text has 19 MB
