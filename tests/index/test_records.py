from __future__ import annotations

import pytest

from ragembed.index.records import SegmentRecord, is_plain_name
from ragembed.index.runs import contiguous


def test_the_first_row() -> None:
    assert SegmentRecord("x", 0, "flat", 3, contiguous(7, 3), 9, "").first_row == 7


@pytest.mark.parametrize("name", ["000000000001-0-ab12cd34.faiss", "a", "a.b-c_d"])
def test_names_of_files(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".a", "-a", "../a", "a/b", "/a", "a\\b", "a\0", "a\n", "a b", "é", "a:b", 5, None, b"a"],
)
def test_names_that_could_lead_elsewhere(name: object) -> None:
    assert not is_plain_name(name)
