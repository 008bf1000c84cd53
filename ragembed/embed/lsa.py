"""``lsa``: latent semantic analysis, TF-IDF vectors reduced by a truncated SVD.

A text's vector is its TF-IDF row times the right singular vectors of the corpus's matrix, scaled to length 1,
so that the inner product is the cosine in the space of the corpus's strongest directions. The documents that
`fit` saw, new documents and queries all go the same way ("folding in").

Source: Deerwester, Dumais, Furnas, Landauer & Harshman 1990, "Indexing by latent semantic analysis", JASIS
41(6); weights (1 + ln tf) ln(1 + N/df) on both sides (Salton & Buckley 1988), the corpus's rows of length 1.
Dividing by the singular values as well makes retrieval worse on CISI and MED, so it is not done.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, Kind, normalized
from ragembed.embed.svd import truncated_svd
from ragembed.embed.terms import TermEmbedder, check_at_least_one
from ragembed.errors import EmbeddingError

_TENSORS = "lsa.safetensors"
_TERMS = "lsa.json"
_ITERATIONS = 4
"""98 % of the energy that more iterations keep on CISI, and no worse a ranking: the rest is near noise."""


@dataclass(frozen=True)
class _Space:
    """What `fit` learnt, over m terms."""

    terms: dict[str, int]
    """Number of each term, in alphabetical order."""
    idf: NDArray[np.float32]
    """``(m,)``"""
    directions: NDArray[np.float32]
    """``(m, dimension)``: right singular vectors as columns, strongest first; zeros beyond the rank."""

    @cached_property
    def digest(self) -> str:
        """sha256 of all three."""
        digest = hashlib.sha256(json.dumps(list(self.terms)).encode())
        digest.update(self.idf.tobytes())
        digest.update(self.directions.tobytes())
        return digest.hexdigest()


@dataclass(eq=False)
class LSA(TermEmbedder):
    """Truncated SVD of the corpus's TF-IDF matrix.

    The dimension is what the spec says, always: a corpus of lower rank (fewer documents than dimensions)
    fills the vectors up with zeros, which change no inner product. Texts of unknown words only get a vector
    of zeros.
    """

    name: ClassVar[str] = "lsa"
    kind: ClassVar[Kind] = "dense"
    learns: ClassVar[bool] = True

    dimension: int = 256  # pyright: ignore[reportIncompatibleMethodOverride]  # a field in a property's place
    """Length of a vector."""
    max_features: int = 200_000
    """Most terms that are kept: those of the highest document frequency."""
    min_df: int = 1
    """Documents that a term must stand in."""
    _space: _Space | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least_one(dimension=self.dimension, max_features=self.max_features, min_df=self.min_df)

    def fit(self, texts: Iterable[str]) -> None:
        """Learn terms, idf and directions in one pass over `texts`; only their sparse weights are held."""
        weights, seen = self._matrix(texts)  # (n, all terms)
        frequencies = np.bincount(weights.indices, minlength=len(seen))
        kept = self._choose(seen, frequencies)
        if not kept:
            raise EmbeddingError(
                f"lsa finds nothing to learn: no term stands in {self.min_df} of {weights.shape[0]} texts",
                "fit it on more text, or lower min_df",
            )
        columns = np.array([seen[term] for term in kept])
        idf = np.log1p(weights.shape[0] / frequencies[columns]).astype(np.float32)
        rows = weights[:, columns]  # (n, m)
        rows.data *= idf[rows.indices]
        lengths = np.sqrt(rows.power(2).sum(axis=1))
        rows.data /= np.repeat(lengths, np.diff(rows.indptr))
        _, found = truncated_svd(rows, self.dimension, iterations=_ITERATIONS)  # (k, m)
        directions = np.zeros((len(kept), self.dimension), np.float32)
        directions[:, : len(found)] = found.T
        self._space = _Space(_numbered(kept), idf, directions)

    def embed(self, texts: Sequence[str]) -> Dense:
        """Vectors ``(len(texts), dimension)`` of length 1; zeros for a text that has no known term."""
        space = self._fitted
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            terms, weights = self.term_weights(text)
            known = [(space.terms[term], place) for place, term in enumerate(terms) if term in space.terms]
            if known:
                numbers, places = map(list, zip(*known, strict=True))
                vectors[row] = (weights[places] * space.idf[numbers]) @ space.directions[numbers]
        return normalized(vectors)

    def summands(self, text: str) -> tuple[list[str], Dense]:
        """The known terms of `text`, and what each adds ``(terms, dimension)`` to its vector before that is scaled."""
        space = self._fitted
        terms, weights = self.term_weights(text)
        places = [place for place, term in enumerate(terms) if term in space.terms]
        known = [terms[place] for place in places]
        numbers = [space.terms[term] for term in known]
        return known, (weights[places] * space.idf[numbers])[:, np.newaxis] * space.directions[numbers]

    def state_hash(self) -> str | None:
        """sha256 of terms, idf and directions; None before `fit`."""
        return None if self._space is None else self._space.digest

    def forget(self, kept: Iterable[str]) -> bool:
        """Drop the terms that stand in none of `kept`; a new text that has one of them no longer gets its share.

        idf and directions of the terms that stay are as they were: they still reflect what was forgotten, as sums
        over the whole corpus from which no word can be read.
        """
        space = self._fitted
        alive: set[str] = set()
        for text in kept:
            alive.update(self.analyzer.terms(text))
        terms = [term for term in space.terms if term in alive]
        if len(terms) == len(space.terms):
            return False
        numbers = [space.terms[term] for term in terms]
        self._space = _Space(_numbered(terms), space.idf[numbers], space.directions[numbers])
        return True

    def save_state(self, folder: Path) -> None:
        """Write the tensors as safetensors and the terms as JSON."""
        from safetensors.numpy import save

        space = self._fitted  # the library's own writing of files has errors of its own for a full disk
        (folder / _TENSORS).write_bytes(save({"idf": space.idf, "directions": space.directions}))
        (folder / _TERMS).write_text(json.dumps({"terms": list(space.terms)}) + "\n", encoding="utf-8")

    def load_state(self, folder: Path) -> None:
        """Read back what `save_state` wrote; files that do not fit together raise `EmbeddingError`."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            terms = json.loads((folder / _TERMS).read_text(encoding="utf-8"))["terms"]
            tensors = load_file(folder / _TENSORS)
            idf, directions = tensors["idf"], tensors["directions"]
            numbered = _numbered(terms)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise EmbeddingError(f"{folder} holds no saved lsa ({error})", "fit and save it again") from error
        shape = (len(numbered), self.dimension)
        if directions.shape != shape or idf.shape != shape[:1]:
            raise EmbeddingError(
                f"{folder} holds directions of shape {directions.shape}, not {shape}",
                "its files belong to different embedders: fit and save it again",
            )
        self._space = _Space(numbered, idf, directions)

    @property
    def _fitted(self) -> _Space:
        if self._space is None:
            raise EmbeddingError("embedder lsa is not fitted", "call fit(texts) first")
        return self._space

    def _matrix(self, texts: Iterable[str]) -> tuple[Any, dict[str, int]]:
        """Weights 1 + ln tf, a csr_array ``(n, all terms)``, and the column of each term."""
        from scipy.sparse import csr_array

        seen: dict[str, int] = {}
        data, columns, ends = array("f"), array("i"), array("q", [0])
        for text in texts:
            terms, weights = self.term_weights(text)
            columns.extend(seen.setdefault(term, len(seen)) for term in terms)
            data.frombytes(weights.tobytes())
            ends.append(len(columns))
        parts: Any = (np.asarray(data), np.asarray(columns), np.asarray(ends))
        return csr_array(parts, shape=(len(ends) - 1, len(seen))), seen

    def _choose(self, seen: dict[str, int], frequencies: NDArray[np.int64]) -> list[str]:
        """The terms that are kept, alphabetically, so that the order of documents decides nothing."""
        often = [term for term, column in seen.items() if frequencies[column] >= self.min_df]
        if len(often) > self.max_features:
            often.sort(key=lambda term: (-frequencies[seen[term]], term))
            del often[self.max_features :]
        return sorted(often)


def _numbered(terms: Iterable[str]) -> dict[str, int]:
    return {term: number for number, term in enumerate(terms)}
