from __future__ import annotations

import pytest

from ragembed.chunk import CHUNKERS
from ragembed.types import Document


def test_metadata_says_where_a_chunk_is() -> None:
    text = "Intro.\n\n# A\n\nUnder A.\n\n## B\n\nUnder B.\n\n# C\n\nUnder C."
    headings = [(text.index("# A"), 1, "A"), (text.index("## B"), 2, "B"), (text.index("# C"), 1, "C")]
    metadata = {"first_line": 11, "pages": [0, text.index("Under B")], "headings": headings}
    chunks = list(CHUNKERS.create("recursive(tokens=5, overlap=0)").chunk(Document("d", text, metadata)))
    found = {chunk.text.split("\n")[-1]: chunk.metadata for chunk in chunks}
    assert found["Intro."] == {"line": 11, "page": 1}
    assert found["Under A."] == {"line": 13, "page": 1, "heading": "A"}
    assert found["Under B."]["heading"] == "A > B"
    assert found["Under C."] == {"line": 21, "page": 2, "heading": "C"}
    assert [chunk.id for chunk in chunks] == [f"d::{number}" for number in range(len(chunks))]


def test_nothing_is_told_where_nothing_is_known() -> None:
    (chunk,) = CHUNKERS.create("recursive").chunk(Document("d", "# A\n\ntext"))
    assert chunk.metadata == {}


def test_levels_may_be_skipped() -> None:
    headings = [(0, 3, "deep"), (1, 2, "up"), (2, 4, "down")]
    (chunk,) = CHUNKERS.create("whole").chunk(Document("d", "  abc", {"headings": headings}))
    assert chunk.metadata == {"heading": "up > down"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"pages": 12},
        {"pages": ["a"]},
        {"first_line": "Once upon a time"},
        {"first_line": True},
        {"headings": "Introduction"},
        {"headings": [["x", 1, "t"]]},
        {"headings": [[0, 1]]},
    ],
)
@pytest.mark.parametrize("name", sorted(CHUNKERS.entries))
def test_metadata_of_another_meaning_is_left_alone(name: str, metadata: dict[str, object]) -> None:
    document = Document("d", "Some text.", metadata)
    (chunk,) = CHUNKERS.create(name).chunk(document)
    assert (chunk.text, dict(chunk.metadata)) == ("Some text.", {})
