"""What goes through a model together."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.encoder import packing
from ragembed.encoder.packing import batches


@dataclass(frozen=True)
class Text:
    ids: range


@pytest.mark.parametrize(
    ("lengths", "most", "expected"),
    [
        ([], None, []),
        ([4, 3, 3, 1], None, [[4, 3, 3], [1]]),
        ([3, 25, 3], None, [[3], [25], [3]]),
        ([1, 1, 1], 2, [[1, 1], [1]]),
        ([25, 1], 1, [[25], [1]]),
    ],
)
def test_batches_of_ten_tokens(
    lengths: list[int], most: int | None, expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "TOKENS_AT_ONCE", 10)
    found = batches([Text(range(length)) for length in lengths], most)
    assert [[len(text.ids) for text in batch] for batch in found] == expected


@given(st.lists(st.integers(0, 5000)), st.one_of(st.none(), st.integers(1, 5)))
def test_all_in_order_and_no_batch_too_large(lengths: list[int], most: int | None) -> None:
    texts = [Text(range(length)) for length in lengths]
    found = list(batches(iter(texts), most))
    assert [text for batch in found for text in batch] == texts
    for batch in found:
        assert len(batch) == 1 or sum(len(text.ids) for text in batch) <= packing.TOKENS_AT_ONCE
        assert most is None or len(batch) <= most
