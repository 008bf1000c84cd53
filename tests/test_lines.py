"""Strict reading and atomic writing of text files."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import DatasetError
from ragembed.lines import fields, read_lines, write_lines


def test_lines_are_numbered_and_lose_their_ends_and_the_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\ntwo\xe2\x80\xa8still two\nend")
    assert list(read_lines(path)) == [(1, "one"), (2, ""), (3, "two\u2028still two"), (4, "end")]


def test_gzip_is_recognised_by_content_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert [line for _, line in read_lines(path)] == ["one", "two"]


def test_bytes_that_are_no_utf8_are_reported_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"plain\ncaf\xe9\n")
    with pytest.raises(
        DatasetError, match=r"latin1.txt line 2: byte 0xe9 at position 4 is not UTF-8; .*iconv"
    ):
        list(read_lines(path))


def test_damaged_gzip_and_absent_files_are_errors_of_one_line(tmp_path: Path) -> None:
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"line\n" * 1000)[:-12])
    with pytest.raises(DatasetError, match="gzip data are damaged"):
        list(read_lines(cut))
    with pytest.raises(DatasetError, match=r"absent.txt cannot be read"):
        list(read_lines(tmp_path / "absent.txt"))
    with pytest.raises(DatasetError, match="cannot be read"):
        list(read_lines(tmp_path))


def test_fields_end_at_ascii_white_space_only() -> None:
    assert fields(" \t") == []
    assert fields(" q1\tQ0  d\u00a01 \x1f2 ") == ["q1", "Q0", "d\u00a01", "\x1f2"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("old\n")

    def lines() -> Iterator[str]:
        yield "new"
        raise DatasetError("broken in the middle")

    with pytest.raises(DatasetError, match="broken in the middle"):
        write_lines(path, lines())
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_follows_links_and_says_when_the_folder_is_absent(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old\n")
    link = tmp_path / "link.txt"
    link.symlink_to("real.txt")
    write_lines(link, ["new"])
    assert link.is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new\n"
    write_lines(Path("/dev/null"), ["gone"])
    with pytest.raises(DatasetError, match="cannot be written"):
        write_lines(tmp_path / "absent" / "a.txt", ["x"])


def test_half_a_character_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot be written: 'id \\ud83d' holds half a character"):
        write_lines(tmp_path / "a.txt", ["id \ud83d"])
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1)))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    write_lines(path, lines)
    expected = [lines[0].removeprefix("\ufeff"), *lines[1:]] if lines else []
    assert [line for _, line in read_lines(path)] == expected
