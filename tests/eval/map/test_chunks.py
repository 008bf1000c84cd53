"""Chunks of an index with the vectors that it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragembed import Pipeline
from ragembed.errors import QueryError
from ragembed.eval.map.chunks import points_of_index
from ragembed.eval.map.drawing import draw
from ragembed.types import Document

TEXTS = {
    "docs/cats/a.md": "cats sleep all day",
    "docs/cats/b.md": "cats hunt at dusk",
    "docs/rivers/c.md": "the river floods in spring",
    "docs/rivers/d.md": "a river freezes in winter",
    "docs/rivers/e.md": "",
}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    made = Pipeline.create(tmp_path / "my.index", "random-projection(dimension=64)", "whole")
    made.add(
        Document(name, text, {"title": text.title(), "page": number, "lang": "en"})
        for number, (name, text) in enumerate(TEXTS.items())
    )
    return made


def test_all_chunks(pipeline: Pipeline) -> None:
    points = points_of_index(pipeline)
    assert [name.partition("::")[0] for name in points.names] == list(TEXTS)[:4]
    assert list(points.texts) == list(TEXTS.values())[:4]
    assert points.titles[1] == "Cats Hunt At Dusk (page 1)"
    assert points.groups.names == ("docs/cats", "docs/rivers")
    assert points.embedder == "random-projection(language=english, dimension=64)"
    embedder = pipeline.embedders[0]
    assert points.vectors == pytest.approx(np.asarray(embedder.embed_documents(list(points.texts))))


def test_some_chunks_drawn_at_random(pipeline: Pipeline) -> None:
    drawn = {tuple(points_of_index(pipeline, most=2, seed=seed).names) for seed in range(8)}
    assert all(len(names) == 2 for names in drawn)
    assert len(drawn) > 1
    assert points_of_index(pipeline, most=2).names == points_of_index(pipeline, most=2).names
    assert points_of_index(pipeline, most=2).total == points_of_index(pipeline).total


def test_where_and_color(pipeline: Pipeline) -> None:
    points = points_of_index(pipeline, where="page < 2", color="lang")
    assert points.total == 2
    assert points.groups.names == ("en",)


def test_queries_come_with_their_hits(pipeline: Pipeline) -> None:
    points = points_of_index(pipeline, most=2, queries=["river in winter"], near=1)
    assert "docs/rivers/d.md" in {name.partition("::")[0] for name in points.names}
    drawing = draw(points_of_index(pipeline, queries=["river in winter"]))
    first = drawing.points.names[drawing.query_near[0, 0]]
    hit = pipeline.search("river in winter", k=1)[0]
    assert first == hit.chunk.id
    assert drawing.query_cosines[0, 0] == pytest.approx(hit.score, abs=1e-6)
    with pytest.raises(QueryError, match="knows no word of the query"):
        points_of_index(pipeline, queries=["the"])


def test_what_has_no_map(pipeline: Pipeline, tmp_path: Path) -> None:
    lexical = Pipeline.create(tmp_path / "lexical.index", "bm25")
    lexical.add([Document("a", "cats sleep")])
    with pytest.raises(QueryError, match="holds no dense vectors, its embedder is bm25; index into a new"):
        points_of_index(lexical)
    with pytest.raises(
        QueryError, match=r"no chunk of .*my\.index meets \{'page': 77\}; give another --where"
    ):
        points_of_index(pipeline, where={"page": 77})
    empty = Pipeline.create(tmp_path / "empty.index", "random-projection")
    with pytest.raises(QueryError, match="holds no chunks; index documents first"):
        points_of_index(empty)
