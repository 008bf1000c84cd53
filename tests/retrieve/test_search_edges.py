"""Searches at their edges: too many hits asked for, nothing let through, nothing known, empty lists, equal scores."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.retrieve.aggregate import AGGREGATES
from ragembed.retrieve.fusion import FUSIONS

HYBRID = "bm25(language=english)+lsa(language=english, dimension=4)"
TWINS = ["delta", "alpha", "charlie", "bravo"]
"""Documents of one text, added in this order."""


@pytest.fixture(
    scope="module",
    params=[("bm25(language=english)", None), *((HYBRID, fusion) for fusion in FUSIONS.names())],
    ids=lambda param: f"{param[0].partition('(')[0]} {param[1]}",
)
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Pipeline, str]]:
    """Six documents of two chunks each, four of them of one text; and a fusion."""
    embedder, fusion = request.param
    with Pipeline.create(
        tmp_path_factory.mktemp("edges") / "i", embedder, "fixed(tokens=4, overlap=0, tokenizer=words)"
    ) as pipeline:
        pipeline.add(
            [Document(name, "ripe pears and plums ripe pears and figs", {"kind": "twin"}) for name in TWINS]
        )
        pipeline.add([Document("echo", "sour oats with rye corn beside the barn"), Document("empty", "")])
        yield pipeline, fusion


def test_more_than_there_is(asked: tuple[Pipeline, str]) -> None:
    pipeline, fusion = asked
    hits = pipeline.search("pears", 1_000, fusion=fusion)
    assert {hit.chunk.document_id for hit in hits} >= set(TWINS)
    assert len({hit.chunk.id for hit in hits}) == len(hits) <= 10
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    for aggregate in AGGREGATES.names():
        (found,) = pipeline.search_documents(["pears"], 1_000, fusion=fusion, aggregate=aggregate)
        assert set(TWINS) <= set(found) <= {*TWINS, "echo"}


def test_nothing_is_let_through(asked: tuple[Pipeline, str]) -> None:
    pipeline, fusion = asked
    nothing = {"kind": "none"}
    assert pipeline.search("pears", 5, nothing, fusion=fusion) == []
    assert pipeline.search_many(["pears", "oats"], 5, nothing, fusion=fusion) == [[], []]
    for aggregate in AGGREGATES.names():
        found = pipeline.search_documents(["pears", "oats"], 5, nothing, fusion=fusion, aggregate=aggregate)
        assert found == [{}, {}]


@pytest.mark.parametrize("query", ["the and of", "zyzzyva", "?!", "\ud800"])
def test_no_word_says_anything(asked: tuple[Pipeline, str], query: str) -> None:
    pipeline, fusion = asked
    assert pipeline.search(query, 5, fusion=fusion) == []
    assert pipeline.search_documents([query, "oats"], 5, fusion=fusion)[0] == {}


def test_an_empty_list_beside_one_that_is_not(asked: tuple[Pipeline, str]) -> None:
    pipeline, fusion = asked
    (found,) = pipeline.search_documents(["oats"], 5, fusion=fusion)
    assert next(iter(found)) == "echo"


def test_equal_scores_come_by_document_and_place(asked: tuple[Pipeline, str]) -> None:
    pipeline, fusion = asked
    hits = pipeline.search("ripe", 8, fusion=fusion)
    for one, other in itertools.pairwise(hits):
        if one.score == other.score:
            assert (one.chunk.document_id, one.chunk.start) < (other.chunk.document_id, other.chunk.start)
    for aggregate in AGGREGATES.names():
        (found,) = pipeline.search_documents(["ripe"], 4, fusion=fusion, aggregate=aggregate)
        if (
            len(set(found.values())) == 1
        ):  # a fusion of ranks may take twins apart, by their order in both lists
            assert list(found) == sorted(TWINS)


def test_many_as_one_by_one(asked: tuple[Pipeline, str]) -> None:
    pipeline, fusion = asked
    queries = [
        f"{one} {other}" for one in ("pears", "oats", "the", "zyzzyva") for other in ("figs", "rye", "corn")
    ]
    queries *= 12  # more than are searched for together
    alone = [pipeline.search(query, 3, fusion=fusion) for query in queries]
    assert pipeline.search_many(queries, 3, fusion=fusion) == alone
    assert list(pipeline.search_each(iter(queries), 3, fusion=fusion)) == alone
    for aggregate in AGGREGATES.names():
        single = [
            pipeline.search_documents([query], 3, fusion=fusion, aggregate=aggregate)[0] for query in queries
        ]
        assert pipeline.search_documents(queries, 3, fusion=fusion, aggregate=aggregate) == single
        each = pipeline.documents_each(iter(queries), 3, fusion=fusion, aggregate=aggregate)
        assert [list(one.items()) for one in each] == [list(one.items()) for one in single]


def test_an_empty_index(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25+tfidf") as pipeline:
        assert pipeline.search("pears") == []
        assert list(pipeline.search_each(["pears", "figs"])) == [[], []]
        assert list(pipeline.documents_each(["pears"], aggregate="sum")) == [{}]
        assert list(pipeline.documents_each([])) == []
