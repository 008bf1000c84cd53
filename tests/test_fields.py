"""An embedder of one field: what it embeds, finds and forgets, and that nothing takes its vectors for others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.exchange.export import export_index
from ragembed.exchange.import_ import import_index
from ragembed.index.content import Passage, field_text
from ragembed.index.files import SEGMENTS
from ragembed.index.verify import verify
from ragembed.types import Chunk

TITLE = 'bm25(field=title, language="none")'
DENSE = 'random-projection(field=title, language="none", dimension=16)'
BOTH = f"bm25(language=none)+{TITLE}+{DENSE}"
DOCUMENTS = [
    Document("a", "red apples", {"title": "fruit of trees"}),
    Document("b", "trees bear fruit", {"title": "apples"}),
    Document("c", "apples and trees"),
    Document("d", "birds", {"title": ["trees", "birds"]}),
]


def found(pipeline: Pipeline, query: str, part: str) -> list[str]:
    """The documents that one embedder lists, in its order."""
    hits = [hit for hit in pipeline.search(query, 20) if part in hit.parts]
    return [hit.chunk.document_id for hit in sorted(hits, key=lambda hit: hit.parts[part][0])]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("cats", "cats"),
        (7, "7"),
        (True, "true"),
        (["a", 2, None, "b"], "a\n2\nb"),
        (None, ""),
        ({"a": 1}, ""),
        ([], ""),
    ],
)
def test_what_is_embedded_of_a_field(value: object, text: str) -> None:
    assert field_text({"title": value}, "title") == text
    assert field_text({"title": value}, "other") == ""


@given(
    st.dictionaries(st.sampled_from("abc"), st.text(max_size=4)),
    st.dictionaries(st.sampled_from("abc"), st.text()),
)
def test_a_chunk_s_own_field_lies_over_its_document_s(own: dict[str, str], outer: dict[str, str]) -> None:
    passage = Passage.of(Chunk("d::0", "d", "text", 0, 4, own), Document("d", "text", outer))
    for field in "abc":
        assert passage.embedded(field) == {**outer, **own}.get(field, "")
    assert passage.embedded(None) == "text"


def test_each_embedder_looks_at_its_own(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", BOTH) as pipeline:
        pipeline.add(DOCUMENTS)
        assert found(pipeline, "apples", 'bm25(language="none")') == ["a", "c"]
        assert found(pipeline, "apples", TITLE) == ["b"]
        assert found(pipeline, "apples", DENSE)[0] == "b"
        assert found(pipeline, "trees", TITLE) == ["d", "a"]  # the shorter title first
        assert verify(pipeline.store) == []


@pytest.mark.parametrize("spec", ["bm25(field=title)", "lsa(field=title, dimension=2)", "tfidf(field=title)"])
def test_what_has_no_such_field_is_not_found(tmp_path: Path, spec: str) -> None:
    with Pipeline.create(tmp_path / "i", spec) as pipeline:
        pipeline.add(DOCUMENTS)
        hits = pipeline.search("apples trees fruit", 10)
        assert "c" not in {hit.chunk.document_id for hit in hits}
        assert all(hit.score > 0 for hit in hits)


def test_nothing_has_it(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25+bm25(field=nothing)") as pipeline:
        pipeline.add(DOCUMENTS)
        assert [hit.chunk.document_id for hit in pipeline.search("birds")] == ["d"]


def test_a_changed_title_is_embedded_again(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", BOTH) as pipeline:
        pipeline.add(DOCUMENTS)
        report = pipeline.upsert([Document("c", "apples and trees", {"title": "birds"}), DOCUMENTS[0]])
        assert (report.updated, report.unchanged, report.chunks) == (1, 1, 1)
        assert found(pipeline, "birds", TITLE) == ["c", "d"]
        other = Document("c", "apples and trees", {"title": "birds", "year": 7})
        assert pipeline.upsert([other]).chunks == 0  # what is embedded of it is the same
        assert pipeline.upsert([Document("c", "apples and trees")]).chunks == 1
        assert found(pipeline, "birds", TITLE) == ["d"]
        assert "c" not in found(pipeline, "birds", DENSE)
        assert verify(pipeline.store) == []


def test_without_a_field_a_changed_title_costs_nothing(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25") as pipeline:
        pipeline.add(DOCUMENTS)
        assert pipeline.upsert([Document("c", "apples and trees", {"title": "birds"})]).chunks == 0


def test_chunks_trade_vectors_only_under_one_title(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", TITLE, "fixed(tokens=2, overlap=0, tokenizer=words)") as pipeline:
        pipeline.add([Document("a", "one two three four", {"title": "old"})])
        assert pipeline.upsert([Document("a", "three four one two", {"title": "old"})]).chunks == 0
        assert pipeline.upsert([Document("a", "three four one two", {"title": "new"})]).chunks == 2
        assert pipeline.search("old") == []
        assert len(pipeline.search("new")) == 2


def test_repair_embeds_the_field(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", BOTH) as pipeline:
        pipeline.add(DOCUMENTS)
        before = [pipeline.search(query) for query in ("apples", "trees", "birds")]
    for path in (tmp_path / "i" / SEGMENTS).iterdir():
        path.unlink()
    with Pipeline.open(tmp_path / "i") as pipeline:
        assert pipeline.repair()
        assert verify(pipeline.store) == []
        assert [pipeline.search(query) for query in ("apples", "trees", "birds")] == before


def test_what_was_learnt_of_a_field_is_learnt_again(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "lsa(field=title, dimension=2)") as pipeline:
        pipeline.add(DOCUMENTS)
        before = pipeline.search("trees")
    for path in (tmp_path / "i" / "embedders").rglob("*.*"):
        path.unlink()
    with Pipeline.open(tmp_path / "i") as pipeline:
        pipeline.repair()
        again = pipeline.search("trees")
    assert [hit.chunk for hit in again] == [hit.chunk for hit in before]
    assert [hit.score for hit in again] == pytest.approx([hit.score for hit in before], abs=1e-6)


def test_an_export_keeps_the_field(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", BOTH) as pipeline:
        pipeline.add(DOCUMENTS)
        before = pipeline.search("trees")
        export_index(tmp_path / "i", tmp_path / "out")
    import_index(tmp_path / "out", tmp_path / "new")
    with Pipeline.open(tmp_path / "new") as pipeline:
        assert pipeline.search("trees") == before
        assert pipeline.config.embedders[1].spec == TITLE


def test_explained(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", BOTH) as pipeline:
        pipeline.add(DOCUMENTS)
        explained = pipeline.explain("trees", expected="c")
        top = explained.hits[0]
        of_title = next(part for part in top.parts if part.embedder == TITLE)
        assert [one.what for one in of_title.contributions] == ["trees"]
        for hit in explained.hits:
            for part in hit.parts:
                assert part.rest == pytest.approx(0, abs=1e-5)


def test_the_identity_says_the_field(tmp_path: Path) -> None:
    embedder = EMBEDDERS.create("bm25(field=title)")
    assert embedder.field == "title"
    assert str(embedder.spec) == "bm25(field=title)"
    assert embedder.recorded_identity()["spec"] == "bm25(field=title)"
    assert np.array_equal(
        EMBEDDERS.create("random-projection").embed(["x"]),
        EMBEDDERS.create("random-projection(field=a)").embed(["x"]),
    )


def test_chunks_are_sized_by_embedders_of_text(tmp_path: Path) -> None:
    from ragembed.settle import fitting_chunker

    embedders = [EMBEDDERS.create("bm25"), EMBEDDERS.create("minilm(field=title)")]
    assert str(fitting_chunker("recursive", embedders).spec) == "recursive(tokenizer=words)"


def test_late_chunking_leaves_fields_alone() -> None:
    assert EMBEDDERS.create("minilm(long=late)").in_context
    assert not EMBEDDERS.create("minilm(field=title, long=late)").in_context
