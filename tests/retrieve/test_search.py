from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.embed.lexical import BM25
from ragembed.errors import CorruptError, QueryError
from ragembed.index.store import SEGMENTS, Store
from ragembed.retrieve.search import LONGEST_QUERY, Searcher, check


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Two documents in an index."""
    with Pipeline.create(tmp_path / "i", chunker="whole", embedder="bm25(language=none)") as pipeline:
        pipeline.add([Document("cats", "cats purr"), Document("dogs", "dogs bark")])
    return tmp_path / "i"


@pytest.fixture
def searcher(index: Path) -> Iterator[Searcher]:
    store = Store(index)
    with Pipeline.open(index) as made:
        records = made.config.embedders
    yield Searcher(store, [BM25(language="none")], records)
    store.close()


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (["a"], 0, "k is 0; ask for at least 1 hit"),
        (["a"], -3, "k is -3"),
        ([""], 1, "the query is empty; write at least one word"),
        ([" \n\u3000"], 1, "the query is empty"),
        (["a", "b", " "], 1, "query 3 is empty"),
        (
            ["a" * LONGEST_QUERY],
            1,
            r"the query has 1,048,576 characters, the limit is 1,048,576; ask in fewer words",
        ),
    ],
)
def test_queries_that_make_no_sense(queries: list[str], k: int, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        check(queries, k)


def test_queries_that_do() -> None:
    check(["a" * (LONGEST_QUERY - 1), "\ud800", "?"], 1)
    check([], 1)


def test_an_open_searcher_sees_what_others_commit(index: Path, searcher: Searcher) -> None:
    def ids(query: str) -> list[str]:
        return [hit.chunk.document_id for hit in searcher.search([query], 5)[0]]

    assert ids("purr") == ["cats"]
    with Pipeline.open(index) as other:
        other.add([Document("lions", "lions purr")])
        assert ids("purr") == ["cats", "lions"]
        other.upsert([Document("cats", "cats sleep")])
    assert ids("purr") == ["lions"]


def test_segments_that_are_loaded_are_kept(index: Path, searcher: Searcher) -> None:
    searcher.search(["purr"], 5)
    for path in (index / SEGMENTS).iterdir():
        path.unlink()  # what a merge in another process does
    assert searcher.search(["purr"], 5)[0][0].chunk.document_id == "cats"


def test_a_segment_merged_away_before_it_was_loaded(
    index: Path, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = searcher.store.load_postings

    def late(record: object) -> object:
        monkeypatch.undo()  # this once, a writer merges while the reader is on its way to the file
        with Pipeline.open(index) as other:
            other.add([Document("lions", "lions purr")])
        return load(record)  # type: ignore[arg-type]

    monkeypatch.setattr(searcher.store, "load_postings", late)
    assert [hit.chunk.document_id for hit in searcher.search(["purr"], 5)[0]] == ["cats", "lions"]


def test_a_segment_that_is_truly_missing(index: Path, searcher: Searcher) -> None:
    for path in (index / SEGMENTS).iterdir():
        path.unlink()
    for _ in range(2):
        with pytest.raises(CorruptError, match="is missing from the index"):
            searcher.search(["purr"], 5)
        with pytest.raises(CorruptError, match="is missing from the index"):
            searcher.best_chunks(["purr"], 5)
