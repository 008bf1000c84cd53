"""What is put above a chunk when it is embedded: title and headings, as the chunker's `prefix` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.chunk import CHUNKERS
from ragembed.errors import SpecError

TEXT = "Cats\nThey purr a lot today. They sleep by day. Sounds\nMost of them purr at night."
PAGE = Document("page", TEXT, {"title": "Cats", "headings": [[0, 1, "Cats"], [47, 2, "Sounds"]]})
SIZED = ["fixed", "sentence", "recursive", "code", "markdown"]


def contexts(spec: str, document: Document = PAGE) -> list[str | None]:
    return [chunk.metadata.get("context") for chunk in CHUNKERS.create(spec).chunk(document)]


@pytest.mark.parametrize("name", SIZED)
def test_prefixes(name: str) -> None:
    def spec(prefix: str) -> str:
        return f"{name}(tokens=6, overlap=0, tokenizer=words, prefix={prefix})"

    assert set(contexts(spec("none"))) == {None}
    title = contexts(spec("title"))
    assert title[0] is None  # it begins with its title
    assert set(title[1:]) == {"Cats"}
    assert set(contexts(spec("headings"))) == set(contexts(spec("both"))) == {"Cats", "Cats > Sounds"}
    named = Document("page", TEXT, {**PAGE.metadata, "title": "Pets"})
    assert set(contexts(spec("both"), named)) == {"Pets > Cats", "Pets > Cats > Sounds"}
    assert set(contexts(spec("title"), Document("a", TEXT))) == {None}
    assert set(contexts(spec("title"), Document("a", TEXT, {"title": 7}))) == {None}


def test_the_text_stays(tmp_path: Path) -> None:
    plain = CHUNKERS.create("recursive(tokens=6, overlap=0)").chunk(PAGE)
    under = CHUNKERS.create("recursive(tokens=6, overlap=0, prefix=both)").chunk(PAGE)
    assert [(a.text, a.start, a.end) for a in plain] == [(b.text, b.start, b.end) for b in under]


def test_it_is_found_by_its_title(tmp_path: Path) -> None:
    document = Document("page", TEXT, {"title": "Felines"})
    found = {}
    for prefix in ("none", "title"):
        with Pipeline.create(
            tmp_path / prefix, "bm25", f"fixed(tokens=6, overlap=0, prefix={prefix})"
        ) as pipeline:
            pipeline.add([document])
            found[prefix] = len(pipeline.search("felines"))
            # another title is another text to embed, where it is embedded
            chunks = pipeline.upsert([Document("page", TEXT, {"title": "Cats"})]).chunks
            assert (chunks > 0) == (prefix == "title")
    assert found["none"] == 0 < found["title"]


def test_defaults_and_errors() -> None:
    assert str(CHUNKERS.create("markdown(prefix=headings)").spec) == "markdown"
    assert str(CHUNKERS.create("recursive(prefix=none)").spec) == "recursive"
    with pytest.raises(SpecError, match="recursive has prefix=path; valid are: none, title, headings, both"):
        CHUNKERS.create("recursive(prefix=path)")
