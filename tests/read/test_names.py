from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ragembed.read.names import BINARY_SUFFIXES, is_binary_name, suffix


@given(
    st.lists(st.sampled_from([".", "/", "zip", "PNG", "md", "1", "23", "", "a", "é"]), max_size=8).map(
        "".join
    )
)
@example("logs.zip.1")
@example("zip")
@example(".zip")
@example("a/b.zip/c")
def test_a_name_is_binary_where_its_suffix_is(name: str) -> None:
    assert is_binary_name(name) == (suffix(name) in BINARY_SUFFIXES)


def test_examples() -> None:
    assert is_binary_name("docs/film.MP4")
    assert is_binary_name("backup.zip.2")
    assert not is_binary_name("zip")
    assert not is_binary_name("a.zip/readme.md")
