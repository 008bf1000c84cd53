"""Many queries at once: in their order, on all cores, in one state of the index, with little in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import QueryError
from ragembed.retrieve import search as module
from ragembed.threads import spread

WORDS = ["pears", "plums", "figs", "oats", "rye", "corn", "barn", "mill"]
QUERIES = [" ".join(pair) for pair in itertools.permutations(WORDS, 2)]


def documents(start: int, count: int) -> list[Document]:
    return [
        Document(f"d{n}", " ".join(WORDS[(n * step) % 8] for step in (1, 3, 5, 6)))
        for n in range(start, start + count)
    ]


@pytest.fixture(params=["bm25", "bm25+lsa(dimension=4)", "lsa(dimension=4)"])
def pipeline(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pipeline]:
    """Groups of three queries and three threads, whatever the machine has."""
    monkeypatch.setattr(module, "_FEWEST", 3)
    monkeypatch.setattr(module, "_MOST", 3)
    monkeypatch.setattr(module, "threads", lambda: 3)
    with Pipeline.create(tmp_path / "i", request.param, "fixed(tokens=2, overlap=0)") as made:
        made.add(documents(0, 60))
        yield made


def test_a_batch_is_its_queries_one_by_one(pipeline: Pipeline) -> None:
    assert list(pipeline.search_many(QUERIES, 7)) == [pipeline.search(query, 7) for query in QUERIES]
    alone = [pipeline.search_documents([query], 7)[0] for query in QUERIES]
    assert pipeline.search_documents(QUERIES, 7) == alone
    assert list(pipeline.documents_each(iter(QUERIES), 7)) == alone


def test_a_writer_in_between_changes_nothing_of_a_batch(pipeline: Pipeline) -> None:
    """Threads that come after it share the catalog of the state that the batch began with."""
    before = pipeline.search_documents(QUERIES, 7)
    found = pipeline.documents_each(QUERIES, 7)
    begun = [next(found)]
    pipeline.delete([f"d{n}" for n in range(0, 60, 2)])
    pipeline.add(documents(100, 30))
    assert begun + list(found) == before
    assert pipeline.search_documents(QUERIES, 7) != before


def test_a_wrong_query_among_many_is_named(pipeline: Pipeline) -> None:
    with pytest.raises(QueryError, match="is empty"):
        list(pipeline.documents_each([*QUERIES, " "], 7))
    assert pipeline.search_documents(QUERIES[:2], 1) is not None


def test_few_queries_are_read_ahead(pipeline: Pipeline) -> None:
    read = []

    def asked() -> Iterator[str]:
        for query in QUERIES:
            read.append(query)
            yield query

    found = pipeline.documents_each(asked(), 7)
    next(found)
    assert len(read) <= 3 * 5
    assert len(list(found)) == len(QUERIES) - 1


@pytest.mark.parametrize(("count", "parts"), [(0, 1), (1, 1), (7, 1), (8, 2), (11, 2), (100, 3)])
def test_work_is_spread(count: int, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = spread(lambda first, last: list(range(first, last)), count, least=4)
    assert list(itertools.chain.from_iterable(found)) == list(range(count))
    assert len(found) == parts
