from __future__ import annotations

from ragembed.chunk import CHUNKERS
from ragembed.types import Document


def test_one_chunk_without_white_space_at_its_ends() -> None:
    (chunk,) = CHUNKERS.create("whole").chunk(Document("d", " \n one\n\ntwo \t"))
    assert (chunk.text, chunk.start, chunk.end) == ("one\n\ntwo", 3, 11)
    assert list(CHUNKERS.create("whole").chunk(Document("d", " \n "))) == []
