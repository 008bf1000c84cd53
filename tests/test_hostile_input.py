"""Documents as strange as they come: stored, found again, filtered and deleted like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import RagembedError

IDS = [
    "a/b/../c",
    "nul\0id",
    "x" * 1000,
    "🦊 字 é",
    "'; DROP TABLE chunks; --",
    "::0",
    "d::0",
    " ",
    "a\nb",
    "%_*?[",
    "",
]


@pytest.mark.parametrize("identifier", IDS, ids=range(len(IDS)))
def test_ids_of_all_kinds(tmp_path: Path, identifier: str) -> None:
    with Pipeline.create(tmp_path / "i", chunker="fixed(tokens=2, overlap=0)") as pipeline:
        pipeline.add(
            [Document("other", "whales sing"), Document(identifier, "cats purr all day", {"kind": "cat"})]
        )
        hits = pipeline.search("purr", where={"kind": "cat"})
        assert [hit.chunk.document_id for hit in hits] == [identifier]
        assert "".join(chunk.text for chunk in pipeline.get([identifier])[identifier]) == "cats purrall day"
        assert pipeline.search_documents(["cats"], k=1) == [{identifier: hits[0].score}]
        assert list(pipeline.document_ids({"kind": "cat"})) == [identifier]
        assert pipeline.upsert([Document(identifier, "cats bark")]).updated == 1
        assert pipeline.search("purr") == []
        assert pipeline.delete([identifier]) == 1
        assert pipeline.search("cats bark") == []
        assert pipeline.counts()["documents"] == 1
        assert pipeline.repair() == []


NESTED: dict[str, Any] = {
    "author": {"name": "Ada", "born": {"year": 1815, "month": 12}},
    "tags": ["a", ["b", {"deep": True}], None],
    "empty": {},
    "字": {"🦊": "é\0"},
    "float": 1e300,
    "large": 1 << 80,
}


def test_nested_metadata(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i") as pipeline:
        pipeline.add(
            [Document("d", "cats purr", NESTED), Document("e", "cats bark", {"author": {"name": "Eve"}})]
        )
        (hit,) = pipeline.search("cats", where={"author.name": "Ada"})
        assert {key: value for key, value in hit.chunk.metadata.items() if key in NESTED} == NESTED
        for where in (
            {"author.born.year": 1815},
            {"tags": "b"},
            {"tags.deep": True},
            {"字.🦊": "é\0"},
            {"large": 1 << 80},
        ):
            assert [hit.chunk.document_id for hit in pipeline.search("cats", where=where)] == ["d"], where
        assert pipeline.repair() == []
        assert pipeline.delete(where={"author.born.month": 12}) == 1
        assert pipeline.counts()["documents"] == 1


def test_ten_megabytes_of_metadata(tmp_path: Path) -> None:
    large = {"text": "x" * 5_000_000, "list": list(range(500_000)), "lang": "en"}
    with Pipeline.create(tmp_path / "i") as pipeline:
        pipeline.add([Document("d", "cats purr", large), Document("e", "cats bark", {"lang": "de"})])
        (hit,) = pipeline.search("cats", where={"lang": "en"})
        assert (hit.chunk.metadata["text"], hit.chunk.metadata["list"]) == (large["text"], large["list"])
        assert [hit.chunk.document_id for hit in pipeline.search("cats", where={"list": 499_999})] == ["d"]
        assert pipeline.repair() == []
        assert pipeline.delete(["d"]) == 1
        assert pipeline.search("cats", where={"lang": "en"}) == []


@pytest.mark.parametrize("metadata", [{"a": float("nan")}, {"a": b""}, {"a": "\ud800"}, {"a": {1}}], ids=repr)
def test_metadata_that_cannot_be_stored_harm_no_other_document(
    tmp_path: Path, metadata: dict[str, Any]
) -> None:
    with Pipeline.create(tmp_path / "i") as pipeline:
        try:
            failed = pipeline.add([Document("bad", "cats", metadata), Document("good", "dogs")]).failed
        except RagembedError as error:
            pytest.fail(f"the whole run ended: {error}")
        assert [failure.where for failure in failed] == ["bad"]
        assert list(pipeline.document_ids()) == ["good"]
        assert pipeline.repair() == []
