from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragembed.analysis import ANALYZER_VERSION, Analyzer
from ragembed.embed import EMBEDDERS, load_embedder
from ragembed.embed.lexical import BM25, Lexical, OneHot, TfIdf
from ragembed.errors import EmbeddingError, SpecError
from ragembed.index.postings import postings_of_terms
from ragembed.index.sparse import SparseIndex, SparseSegment
from ragembed.lines import read_lines

SPECS = ["onehot", "bow", "tfidf", "bm25", "bm25(k1=0.9, b=0.4)"]
TEXTS = st.lists(
    st.lists(st.sampled_from(["cat", "dog", "fox", "owl", "the", "東京"]), max_size=6).map(" ".join),
    max_size=6,
)


def make(spec: str) -> Lexical:
    made = EMBEDDERS.create(spec)
    assert isinstance(made, Lexical)
    return made


def dense(vectors: Any) -> NDArray[np.float32]:
    return np.asarray(vectors.toarray())


def index_scores(embedder: Lexical, queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.float32]:
    """Scores (queries, documents) of an index of the same documents; those it does not find are 0."""
    terms = embedder.analyzer.terms
    segment = SparseSegment(postings_of_terms([terms(text) for text in documents]), np.arange(len(documents)))
    index = SparseIndex([segment], embedder.weighting, compiled=False)
    scores = np.zeros((len(queries), len(documents)), np.float32)
    found = index.search_many([terms(query) for query in queries], max(len(documents), 1))
    for number, (rows, values) in enumerate(found):
        scores[number, rows] = values
    return scores


@pytest.mark.parametrize("spec", SPECS)
@given(documents=TEXTS, queries=TEXTS)
def test_the_product_of_the_vectors_is_the_score_of_the_index(
    spec: str, documents: list[str], queries: list[str]
) -> None:
    embedder = make(spec)
    embedder.fit(documents)
    product = (embedder.embed_queries(queries) @ embedder.embed_documents(documents).T).toarray()
    np.testing.assert_allclose(product, index_scores(embedder, queries, documents), rtol=1e-5, atol=1e-6)


def test_vectors_by_hand() -> None:
    embedder = OneHot(language="none")
    embedder.fit(["b a", "c"])
    assert embedder.dimension == 3
    half = 1 / np.sqrt(2)
    assert dense(embedder.embed_documents(["a b", "c c", "x", ""])) == pytest.approx(
        np.array([[half, half, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    )
    # a term that fit did not see keeps its share of a document's length, and has none in a query's
    assert dense(embedder.embed_documents(["a x"]))[0, 0] == pytest.approx(half)
    assert dense(embedder.embed_queries(["a x"]))[0, 0] == pytest.approx(1)


def test_without_fit_there_is_no_vector() -> None:
    with pytest.raises(EmbeddingError, match="tfidf has no vocabulary yet; call fit"):
        TfIdf().embed_documents(["a"])


def test_auto_settles_on_the_language_of_the_sample() -> None:
    embedder = BM25()
    assert embedder.analyzer.terms("Häuser running") == ["häuser", "run"]
    embedder.adapt(["Die Häuser stehen in einer langen Straße, und die Kinder spielen vor der Tür."])
    assert str(embedder.spec) == "bm25(language=german)"
    assert embedder.analyzer.terms("Häuser") == ["haus"]
    embedder.adapt(["This is now plainly a text in the English language, and it changes nothing."])
    assert embedder.language == "german"


def test_a_language_given_is_kept_and_written_by_its_name() -> None:
    assert str(make("tfidf(language=de)").spec) == "tfidf(language=german)"
    with pytest.raises(SpecError, match="klingon"):
        make("tfidf(language=klingon)")


@pytest.mark.parametrize("spec", ["bm25(k1=-1)", "bm25(b=1.1)", "bm25(b=-0.1)"])
def test_parameters_out_of_range(spec: str) -> None:
    with pytest.raises(SpecError, match="k1 must be 0 or more, b from 0 to 1"):
        make(spec)


def test_identity_tells_the_analyzer_and_the_vocabulary() -> None:
    embedder = TfIdf()
    assert embedder.identity() == {
        "spec": "tfidf",
        "kind": "sparse",
        "state": None,
        "analyzer": ANALYZER_VERSION,
    }
    embedder.fit(["a cat"])
    one = embedder.identity()["state"]
    embedder.fit(["a dog"])
    assert embedder.identity()["state"] != one


def test_saved_and_loaded_it_gives_the_same_vectors(tmp_path: Path) -> None:
    embedder = TfIdf(language="german")
    embedder.fit(["Die Häuser", "東京 Häuser"])
    embedder.save(tmp_path / "saved")
    again = load_embedder(tmp_path / "saved")
    assert again.identity() == embedder.identity()
    assert (again.embed_queries(["Haus 東京"]) != embedder.embed_queries(["Haus 東京"])).nnz == 0


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"terms": ["a"]}', '{"terms": 5, "frequencies": [], "documents": 1, "total_terms": 1}'],
)
def test_a_damaged_vocabulary_is_an_error(tmp_path: Path, content: str) -> None:
    embedder = TfIdf()
    embedder.fit(["a cat"])
    embedder.save(tmp_path)
    (tmp_path / "vocabulary.json").write_text(content)
    with pytest.raises(EmbeddingError, match=r"vocabulary\.json"):
        load_embedder(tmp_path)


def bm25s_scores(
    documents: list[list[str]], queries: list[list[str]], k1: float, b: float
) -> NDArray[np.float32]:
    bm25s = pytest.importorskip("bm25s", reason="needs the extra bench")
    numbers: dict[str, int] = {}
    for term in itertools.chain(*documents):
        numbers.setdefault(term, len(numbers))
    tokenized = bm25s.tokenization.Tokenized([[numbers[t] for t in terms] for terms in documents], numbers)
    retriever = bm25s.BM25(method="lucene", k1=k1, b=b)
    retriever.index(tokenized, show_progress=False)
    return np.array([retriever.get_scores([t for t in query if t in numbers]) for query in queries])


@given(
    documents=st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=8), min_size=2, max_size=8),
    queries=st.lists(st.lists(st.sampled_from("abcdex"), min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_bm25_equals_bm25s(documents: list[list[str]], queries: list[list[str]]) -> None:
    queries = [query for query in queries if set(query) & set(itertools.chain(*documents))]
    theirs = bm25s_scores(documents, queries, 1.5, 0.75)
    embedder = BM25(language="none")
    ours = index_scores(embedder, [" ".join(q) for q in queries], [" ".join(d) for d in documents])
    np.testing.assert_allclose(ours, theirs.reshape(ours.shape), atol=1e-4)


def test_bm25_equals_bm25s_on_real_documents(shared_data: Path) -> None:
    lines = itertools.islice(read_lines(shared_data / "scifact" / "corpus.jsonl"), 500)
    rows = [json.loads(line) for _, line in lines]
    documents = [f"{row['title']} {row['text']}" for row in rows]
    queries = [
        json.loads(line)["text"]
        for _, line in itertools.islice(read_lines(shared_data / "scifact" / "queries.jsonl"), 40)
    ]
    terms = Analyzer("english").terms
    theirs = bm25s_scores([terms(d) for d in documents], [terms(q) for q in queries], 1.2, 0.6)
    ours = index_scores(BM25(language="english", k1=1.2, b=0.6), queries, documents)
    assert ours.max() > 5
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
