"""One-hot, bag of words, TF-IDF and BM25: sparse vectors over terms, one dimension per term.

An index keeps the counts of terms (`ragembed.index.postings`) and weighs them when it is searched; it needs only
`analyzer` and `weighting` of these classes. `fit`, `embed_documents` and `embed_queries` give the same scores as
matrices, for whoever wants vectors: ``embed_queries(q) @ embed_documents(d).T``.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ragembed.embed.base import Kind
from ragembed.embed.terms import TermEmbedder
from ragembed.embed.weighting import (
    BM25Weighting,
    CountWeighting,
    OneHotWeighting,
    Statistics,
    TfIdfWeighting,
    Weighting,
)
from ragembed.errors import EmbeddingError, SpecError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(slots=True)
class _Learnt:
    """What `fit` saw: the terms with their numbers, how many documents hold each, and the collection's size."""

    vocabulary: dict[str, int]
    frequencies: list[int]
    statistics: Statistics


@dataclass(kw_only=True, eq=False)
class Lexical(TermEmbedder):
    """Sparse vectors over the terms of an `Analyzer`, weighted by a `Weighting`."""

    kind: ClassVar[Kind] = "sparse"
    nats: ClassVar[float] = 3.0

    _learnt: _Learnt | None = field(default=None, init=False, repr=False)

    @property
    @abstractmethod
    def weighting(self) -> Weighting:
        """How counts become weights."""

    @property
    def dimension(self) -> int:
        return len(self._fitted.vocabulary)

    @property
    def _fitted(self) -> _Learnt:
        if self._learnt is None:
            raise EmbeddingError(
                f"embedder {self.name} has no vocabulary yet",
                "call fit(texts) first, or search through an index",
            )
        return self._learnt

    def fit(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary, how many documents hold each term, and the average length."""
        vocabulary: dict[str, int] = {}
        frequencies: list[int] = []
        documents = total = 0
        for text in texts:
            terms = self.analyzer.terms(text)
            documents += 1
            total += len(terms)
            for term in set(terms):
                number = vocabulary.setdefault(term, len(vocabulary))
                if number == len(frequencies):
                    frequencies.append(0)
                frequencies[number] += 1
        order = sorted(vocabulary)
        self._learnt = _Learnt(
            {term: number for number, term in enumerate(order)},
            [frequencies[vocabulary[term]] for term in order],
            Statistics(documents, total),
        )

    def embed(self, texts: Sequence[str]) -> csr_array:
        """Document weights ``(len(texts), dimension)``; terms that `fit` did not see are left out."""
        return self._rows([self._document(Counter(self.analyzer.terms(text))) for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> csr_array:
        """Query weights ``(len(texts), dimension)``."""
        learnt = self._fitted
        rows: list[Mapping[str, float]] = []
        for text in texts:
            counts = {t: n for t, n in Counter(self.analyzer.terms(text)).items() if t in learnt.vocabulary}
            frequencies = (learnt.frequencies[learnt.vocabulary[term]] for term in counts)
            idf = np.array([self.weighting.idf(df, learnt.statistics.documents) for df in frequencies])
            values = self.weighting.query(
                np.array([*counts.values()], float), idf, np.array([0, len(counts)])
            )
            rows.append(dict(zip(counts, values.tolist(), strict=True)))
        return self._rows(rows)

    def _document(self, counts: Mapping[str, int]) -> dict[str, float]:
        values = np.fromiter(counts.values(), np.uint32, len(counts))
        norms = np.sqrt((self.weighting.raw(values) ** 2).sum(keepdims=True), dtype=np.float32)
        lengths = values.sum(keepdims=True).astype(np.int32)
        factor = self.weighting.document_factor(lengths, norms, self._fitted.statistics)
        weights = self.weighting.document(values, np.repeat(factor, len(values)))
        return dict(zip(counts, weights.tolist(), strict=True))

    def _rows(self, rows: Sequence[Mapping[str, float]]) -> csr_array:
        from scipy.sparse import csr_array

        vocabulary = self._fitted.vocabulary
        known = [sorted((vocabulary[t], w) for t, w in row.items() if t in vocabulary) for row in rows]
        starts = np.cumsum([0, *map(len, known)])
        columns = np.array([column for row in known for column, _ in row], np.int64)
        values = np.array([value for row in known for _, value in row], np.float32)
        return csr_array((values, columns, starts), shape=(len(rows), len(vocabulary)))

    def probe(self, *, thorough: bool = True) -> dict[str, Any]:
        """The terms of the probes, and what the weighting makes of a few numbers."""
        return {**super().probe(thorough=thorough), "weights": _probe(self.weighting)}

    def state_hash(self) -> str | None:
        if self._learnt is None:
            return None
        return hashlib.sha256(json.dumps(self._state()).encode()).hexdigest()

    def _state(self) -> dict[str, Any]:
        learnt = self._fitted
        return {
            "terms": list(learnt.vocabulary),
            "frequencies": learnt.frequencies,
            "documents": learnt.statistics.documents,
            "total_terms": learnt.statistics.terms,
        }

    def save_state(self, folder: Path) -> None:
        if self._learnt is not None:
            text = json.dumps(self._state(), ensure_ascii=False)
            (folder / "vocabulary.json").write_text(text, encoding="utf-8")

    def load_state(self, folder: Path) -> None:
        path = folder / "vocabulary.json"
        if not path.is_file():
            return
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            self._learnt = _Learnt(
                {term: number for number, term in enumerate(state["terms"])},
                list(state["frequencies"]),
                Statistics(state["documents"], state["total_terms"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EmbeddingError(
                f"{path} does not hold a vocabulary ({error!r})", "fit and save it again"
            ) from error


def _probe(weighting: Weighting) -> list[float]:
    """Two documents in which terms stand 1, 2 and 5 times and 3 times, and a query of two terms."""
    counts = np.array([1, 2, 5, 3], np.uint32)
    squares = np.add.reduceat(weighting.raw(counts) ** 2, [0, 3])
    statistics = Statistics(documents=10, terms=60)
    factor = weighting.document_factor(np.array([8, 3], np.int32), np.sqrt(squares), statistics)
    idf = np.array([weighting.idf(df, statistics.documents) for df in (1, 7)])
    query = weighting.query(np.array([1.0, 2.0]), idf, np.array([0, 2]))
    return [*weighting.document(counts, np.repeat(factor, [3, 1])).tolist(), *idf.tolist(), *query.tolist()]


@dataclass(kw_only=True, eq=False)
class OneHot(Lexical):
    """Which terms a text has: cosine of sets."""

    name: ClassVar[str] = "onehot"

    @property
    def weighting(self) -> Weighting:
        return OneHotWeighting()


@dataclass(kw_only=True, eq=False)
class BagOfWords(Lexical):
    """How often a text has each term: cosine of counts."""

    name: ClassVar[str] = "bow"

    @property
    def weighting(self) -> Weighting:
        return CountWeighting()


@dataclass(kw_only=True, eq=False)
class TfIdf(Lexical):
    """Cosine of 1 + ln tf, with idf on the query's side (SMART ``lnc.ltc``)."""

    name: ClassVar[str] = "tfidf"

    @property
    def weighting(self) -> Weighting:
        return TfIdfWeighting()


@dataclass(kw_only=True, eq=False)
class BM25(Lexical):
    """Okapi BM25 as Lucene computes it."""

    name: ClassVar[str] = "bm25"

    k1: float = 1.5
    """How slowly repetition saturates, >= 0."""
    b: float = 0.75
    """How much long documents are held back, from 0 (not at all) to 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.k1 >= 0 or not 0 <= self.b <= 1:
            raise SpecError(f"bm25 got k1={self.k1}, b={self.b}", "k1 must be 0 or more, b from 0 to 1")

    @property
    def weighting(self) -> Weighting:
        return BM25Weighting(self.k1, self.b)
