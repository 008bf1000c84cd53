"""Documents put together from chunks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.chunk import CHUNKERS
from ragembed.datasets.make.source import joined, read_source
from ragembed.errors import DatasetError, ReadError
from ragembed.pipeline import Pipeline
from ragembed.types import Document

TEXTS = st.text(alphabet="abc .\n\té。", min_size=1, max_size=400).filter(lambda text: text.strip())


@given(TEXTS, st.sampled_from(["recursive", "fixed", "sentence"]), st.sampled_from([0, 3]))
def test_chunks_give_back_their_document(text: str, chunker: str, overlap: int) -> None:
    maker = CHUNKERS.create(f"{chunker}(tokens=8, overlap={overlap})")
    again = joined(reversed(list(maker.chunk(Document("d", text)))))
    assert again.id == "d"
    assert not text[len(again.text) :].strip()
    for mine, theirs in zip(again.text, text, strict=False):
        assert mine == theirs or (mine.isspace() and theirs.isspace())


def indexed(document: Document, tmp_path: Path) -> Document:
    with Pipeline.create(tmp_path / "index", "bm25", "recursive(tokens=4, overlap=0)") as pipeline:
        pipeline.add([document])
    source = read_source(tmp_path / "index")
    assert (source.name, source.kind) == ("index", "index")
    (found,) = source.documents
    return found


def test_an_index_gives_its_documents(tmp_path: Path) -> None:
    text = "# One\n\nFirst words here.\n\n## Two\n\nSecond words, and more of them."
    metadata = {"headings": [[0, 1, "One"], [26, 2, "Two"]], "format": "markdown"}
    # an index keeps no headings; those of Markdown can be seen in the text
    assert indexed(Document("a.md", text, metadata), tmp_path) == Document(
        "a.md", text, {"format": "markdown"}
    )


def test_headings_that_only_the_reader_saw_are_found_by_those_of_the_chunks(tmp_path: Path) -> None:
    text = "\n\nOne\n\nFirst words here, and here.\n\nTwo\n\nSecond words, more of them."
    places = [text.index("One"), text.index("Two")]
    headings = [[places[0], 1, "One"], [places[1], 2, "Two"]]
    found = indexed(Document("a.html", text, {"headings": headings}), tmp_path)
    assert found.text == text.strip()
    assert found.metadata == {"headings": [[places[0] - 2, 1, "One"], [places[1] - 2, 2, "Two"]]}


def test_a_collection_and_files(tmp_path: Path) -> None:
    (tmp_path / "beir").mkdir()
    (tmp_path / "beir" / "corpus.jsonl").write_text('{"_id": "d1", "title": "Cats", "text": "They purr."}\n')
    source = read_source(tmp_path / "beir")
    assert source.kind == "collection"
    assert [document.text for document in source.documents] == ["Cats They purr."]
    (tmp_path / "beir" / "corpus.jsonl").write_text(
        '{"_id": "d1", "text": "a"}\n{"_id": "d1", "text": "b"}\n'
    )
    with pytest.raises(DatasetError, match="line 2: document id 'd1' again"):
        read_source(tmp_path / "beir")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("Cats purr.\n")
    source = read_source(tmp_path / "files")
    assert (source.kind, [document.text for document in source.documents]) == ("files", ["Cats purr."])


def test_documents_of_equal_id_and_broken_files_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"_id": "d1", "text": "one"}\n{"_id": "d2", "text": "two"}\n')
    (folder / "b.jsonl").write_text('{"_id": "d1", "text": "three"}\n')
    (folder / "c.pdf").write_bytes(b"%PDF-1.4 nothing more")
    source = read_source(folder)
    assert [(document.id, document.text) for document in source.documents] == [("d1", "one"), ("d2", "two")]
    assert [failure.where for failure in source.failed] == ["d1", "docs/c.pdf"]
    assert "another document has this id" in source.failed[0].reason


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="there is no file or folder"):
        read_source(tmp_path / "gone")
