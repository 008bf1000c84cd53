"""Where vectors of words come from: any embedder, or a table of words such as word2vec and GloVe give.

`WordLookup` is the protocol. An embedder that has it is asked for words as words; any other embeds each word as a
text of one word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, Embedder, checked_vectors, normalized
from ragembed.errors import EmbeddingError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from ragembed.eval.quality.progress import Share

    Matrix: TypeAlias = Dense | csr_array

Known = NDArray[np.bool_]

_SLICE = 256
"""Texts embedded between two steps of a progress bar."""


@runtime_checkable
class WordLookup(Protocol):
    """Vectors of single words."""

    def word_vectors(self, words: Sequence[str]) -> tuple[Known, Matrix]:
        """Which of `words` are known ``(n,)``, and vectors ``(n, dimension)``; unknown words have any vector."""
        ...

    def vocabulary(self) -> tuple[Sequence[str], Matrix] | None:
        """All words, most frequent first, and their vectors; None where any text has a vector."""
        ...


@runtime_checkable
class HasWords(Protocol):
    """An embedder that has words, be it only after it has learnt them."""

    @property
    def has_words(self) -> bool:
        """Whether `WordLookup` answers already."""
        ...


class EmbeddedTexts:
    """An embedder as `WordLookup`: a word is embedded as a text of its own.

    Dense embedders embed it as a document, without a query's prompt; sparse ones as a query, as idf stands on that side
    (cosines of TF-IDF vectors with idf agree better with people: 0.72 instead of 0.70 on STS-B). What gets a vector of
    zeros (no known term, a stop word) is not known. Case is the embedder's affair.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def word_vectors(self, words: Sequence[str]) -> tuple[Known, Matrix]:
        """Vectors of any texts."""
        if self.embedder.kind == "dense":
            dense = checked_vectors(self.embedder, words)
            return np.any(dense != 0, axis=1), dense
        sparse = cast("csr_array", self.embedder.embed_queries(words))
        return np.asarray(abs(sparse).sum(axis=1)).ravel() > 0, sparse

    def vocabulary(self) -> None:
        """None: any text can be embedded."""


class WordTable:
    """Words with their vectors, in memory.

    With `ignore_case` a word stands for the first, most frequent, of those that differ from it in case only, as in
    gensim; without, for itself. A word whose vector is zeros is not known.
    """

    def __init__(self, words: Sequence[str], vectors: Dense, *, ignore_case: bool = True) -> None:
        if len(words) != len(vectors) or not len(words):
            raise EmbeddingError(
                f"there are {len(words)} words and {len(vectors)} vectors", "give one or more, a vector each"
            )
        self.words = words
        self.vectors = vectors
        self.ignore_case = ignore_case
        self._rows = first_rows([self._key(word) for word in words])

    def word_vectors(self, words: Sequence[str]) -> tuple[Known, Matrix]:
        """The rows of `words`, zeros for those that are not there."""
        rows = np.array([self._rows.get(self._key(word), -1) for word in words], np.int64)
        found = np.where(rows[:, np.newaxis] < 0, np.float32(0), self.vectors[rows])
        return np.any(found != 0, axis=1), found

    def vocabulary(self) -> tuple[Sequence[str], Matrix]:
        """Everything, in the order given."""
        return self.words, self.vectors

    def _key(self, word: str) -> str:
        return word.lower() if self.ignore_case else word


def word_vectors_of(embedder: Embedder | WordLookup) -> WordLookup:
    """`embedder` itself where it knows words, else each word embedded as a text."""
    return embedder if isinstance(embedder, WordLookup) else EmbeddedTexts(embedder)


def embedded(texts: Sequence[str], vectors: WordLookup, tell: Share | None = None) -> tuple[Known, Matrix]:
    """As ``vectors.word_vectors(texts)``, checked to be finite; `tell` hears which share of the texts is done."""
    known: list[Known] = []
    rows: list[Matrix] = []
    for start in range(0, len(texts), _SLICE):
        part = texts[start : start + _SLICE]
        there, found = vectors.word_vectors(part)
        check_finite(part, found)
        known.append(there)
        rows.append(found)
        if tell is not None:
            tell(min(1.0, (start + _SLICE) / len(texts)))
    return np.concatenate(known), stacked(rows)


def stacked(parts: Sequence[Matrix]) -> Matrix:
    """The rows of all `parts` (one at least) below one another."""
    dense = [part for part in parts if isinstance(part, np.ndarray)]
    if len(dense) == len(parts):
        return np.concatenate(dense)
    from scipy.sparse import vstack

    return cast("csr_array", vstack(parts, format="csr"))


def check_finite(words: Sequence[str], vectors: Matrix) -> None:
    """`EmbeddingError` with the word where a row of `vectors` holds NaN or infinity."""
    with np.errstate(invalid="ignore"):  # infinity less infinity
        wrong = ~np.isfinite(np.asarray(vectors.sum(axis=1, dtype=np.float64))).ravel()
    if wrong.any():
        word = words[int(np.flatnonzero(wrong)[0])]
        raise EmbeddingError(f"the vector of {word!r} holds NaN or infinity", "mend the vectors")


def first_rows(keys: Sequence[str]) -> dict[str, int]:
    """The first place of each of `keys`."""
    return {key: row for row, key in reversed(list(enumerate(keys)))}


def unit_rows(vectors: Matrix) -> Matrix:
    """Rows scaled to length 1, those of zeros left as they are."""
    if isinstance(vectors, np.ndarray):
        return normalized(vectors)
    sparse: Any = vectors.copy()
    lengths = np.sqrt(_row_products(sparse, sparse))
    sparse.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(sparse.indptr))
    return cast("csr_array", sparse)


def cosines(left: Matrix, right: Matrix) -> NDArray[np.float64]:
    """Cosine of each row of `left` with the row of `right` in its place, ``(n,)``; 0 for a vector of zeros.

    Those of sparse rows are rounded to 6 digits: counts of words give many equal cosines, which float32 weights keep
    apart in the eighth digit, and a ranking must see them as ties.
    """
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        one, other = left.astype(np.float64), right.astype(np.float64)
        products = np.einsum("nd,nd->n", one, other)
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    else:
        a, b = cast(Any, left).astype(np.float64), cast(Any, right).astype(np.float64)
        products, squares_a, squares_b = (_row_products(*pair) for pair in ((a, b), (a, a), (b, b)))
        lengths = np.sqrt(squares_a) * np.sqrt(squares_b)
    found = np.asarray(np.divide(products, lengths, out=np.zeros(len(products)), where=lengths > 0))
    return found if isinstance(left, np.ndarray) else found.round(6)


def _row_products(left: Any, right: Any) -> NDArray[Any]:
    """Inner products of the rows of two sparse matrices ``(n,)``."""
    return np.asarray(left.multiply(right).sum(axis=1)).ravel()
