"""Each weighting against the formula it stands for, written out in plain Python floats."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.weighting import (
    BM25Weighting,
    CountWeighting,
    OneHotWeighting,
    Statistics,
    TfIdfWeighting,
    Weighting,
)

Terms = Sequence[str]
Formula = Callable[[Terms, Terms, Sequence[Terms]], float]

DOCUMENT = st.lists(st.sampled_from("abcde"), max_size=9)
COLLECTION = st.lists(DOCUMENT, min_size=1, max_size=6)


def cosine(one: dict[str, float], other: dict[str, float]) -> float:
    lengths = math.sqrt(sum(w * w for w in one.values())) * math.sqrt(sum(w * w for w in other.values()))
    return sum(w * other.get(t, 0.0) for t, w in one.items()) / lengths if lengths else 0.0


def document_frequency(term: str, documents: Sequence[Terms]) -> int:
    return sum(term in document for document in documents)


def onehot(query: Terms, document: Terms, documents: Sequence[Terms]) -> float:
    known = {term for term in query if document_frequency(term, documents)}
    return cosine(dict.fromkeys(known, 1.0), dict.fromkeys(document, 1.0))


def bow(query: Terms, document: Terms, documents: Sequence[Terms]) -> float:
    known = [term for term in query if document_frequency(term, documents)]
    return cosine(dict(Counter(known)), dict(Counter(document)))


def tfidf(query: Terms, document: Terms, documents: Sequence[Terms]) -> float:
    """lnc.ltc: idf and logarithmic counts in the query, logarithmic counts in the document, both of length 1."""
    asked = {
        term: (1 + math.log(n)) * math.log(1 + len(documents) / document_frequency(term, documents))
        for term, n in Counter(query).items()
        if document_frequency(term, documents)
    }
    return cosine(asked, {term: 1 + math.log(n) for term, n in Counter(document).items()})


def bm25(k1: float, b: float) -> Formula:
    """As Lucene has it: no factor k1 + 1, and an idf that is never negative."""

    def score(query: Terms, document: Terms, documents: Sequence[Terms]) -> float:
        average = sum(map(len, documents)) / len(documents)
        total = 0.0
        for term in query:
            df, tf = document_frequency(term, documents), document.count(term)
            if tf:
                idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
                total += idf * tf / (tf + k1 * (1 - b + b * len(document) / average))
        return total

    return score


FORMULAS: list[tuple[Weighting, Formula]] = [
    (OneHotWeighting(), onehot),
    (CountWeighting(), bow),
    (TfIdfWeighting(), tfidf),
    (BM25Weighting(), bm25(1.5, 0.75)),
    (BM25Weighting(0.9, 0.4), bm25(0.9, 0.4)),
    (BM25Weighting(0.0, 1.0), bm25(0.0, 1.0)),
]
NAMES = [
    repr(weighting) if isinstance(weighting, BM25Weighting) else type(weighting).__name__
    for weighting, _ in FORMULAS
]


def weigh(weighting: Weighting, query: Terms, document: Terms, documents: Sequence[Terms]) -> float:
    """The score of one document as an index would have it: the sum over shared terms of both sides' weights."""
    own = Counter(document)
    counts = np.array([*own.values()], np.uint8)
    norm = np.sqrt((weighting.raw(counts) ** 2).sum(keepdims=True))
    statistics = Statistics(len(documents), sum(map(len, documents)))
    factor = weighting.document_factor(np.array([len(document)], np.int32), norm, statistics)
    weights = dict(zip(own, weighting.document(counts, np.repeat(factor, len(own))).tolist(), strict=True))
    asked = Counter(query)
    frequencies = [document_frequency(term, documents) for term in asked]
    idf = np.array([weighting.idf(df, len(documents)) if df else 0.0 for df in frequencies])
    values = weighting.query(np.array([*asked.values()], float), idf, np.array([0, len(asked)]))
    return math.fsum(w * weights.get(term, 0.0) for term, w in zip(asked, values.tolist(), strict=True))


@pytest.mark.parametrize(("weighting", "formula"), FORMULAS, ids=NAMES)
@given(query=st.lists(st.sampled_from("abcdex"), max_size=6), documents=COLLECTION)
def test_scores_are_those_of_the_formula(
    weighting: Weighting, formula: Formula, query: Terms, documents: Sequence[Terms]
) -> None:
    for document in documents:
        expected = formula(query, document, documents)
        assert weigh(weighting, query, document, documents) == pytest.approx(expected, rel=2e-6, abs=1e-7)


def test_bm25_by_hand() -> None:
    documents = [["a", "a", "b"], ["b", "c"], ["c"]]  # 6 terms in 3 documents: average length 2
    # a is in 1 of 3: idf = ln(1 + 2.5/1.5); in the first it stands twice: 2 / (2 + 1.5 (0.25 + 0.75 * 3/2))
    expected = math.log(1 + 2.5 / 1.5) * 2 / (2 + 1.5 * 1.375)
    assert weigh(BM25Weighting(), ["a"], documents[0], documents) == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx(0.48287, abs=1e-5)


def test_cosines_by_hand() -> None:
    documents = [["a", "a", "b"]]
    # (1, 1) by (1, 0); (2, 1) by (1, 0); (1 + ln 2, 1) by (1, 0)
    assert weigh(OneHotWeighting(), ["a"], documents[0], documents) == pytest.approx(1 / math.sqrt(2))
    assert weigh(CountWeighting(), ["a"], documents[0], documents) == pytest.approx(2 / math.sqrt(5))
    log = 1 + math.log(2)
    assert weigh(TfIdfWeighting(), ["a"], documents[0], documents) == pytest.approx(log / math.hypot(log, 1))


@given(st.integers(1, 1000), st.integers(0, 1000))
def test_idf_is_positive_and_falls_with_the_frequency(frequency: int, more: int) -> None:
    documents = frequency + more
    for weighting in (TfIdfWeighting(), BM25Weighting()):
        assert weighting.idf(frequency, documents) > 0
        if more:
            assert weighting.idf(frequency + 1, documents) < weighting.idf(frequency, documents)


def test_a_collection_without_terms() -> None:
    assert Statistics(0, 0).average_length == 0
    assert Statistics(3, 0).average_length == 0
    for weighting, _ in FORMULAS:
        factor = weighting.document_factor(np.zeros(2, np.int32), np.zeros(2, np.float32), Statistics(2, 0))
        assert np.isfinite(factor).all()


def test_many_queries_are_weighed_apart() -> None:
    weighting = TfIdfWeighting()
    counts, idf = np.array([1.0, 2, 1, 3]), np.array([0.5, 1, 2, 0])
    together = weighting.query(counts, idf, np.array([0, 2, 2, 4]))
    apart = [
        weighting.query(counts[:2], idf[:2], np.array([0, 2])),
        weighting.query(counts[2:], idf[2:], np.array([0, 2])),
    ]
    assert together.tolist() == np.concatenate(apart).tolist()
    assert np.linalg.norm(together[:2]) == pytest.approx(1)
    assert together[3] == 0  # a term that no document holds takes no part in the length
