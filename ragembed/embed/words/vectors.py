"""Words with their vectors: what every trainer makes and every file format is read into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.explore.neighbors import Neighbors, Question, unknown_word
from ragembed.embed.words.formats.folder import Parts, arrays_digest, open_folder, write_folder
from ragembed.embed.words.index import WordIndex, Words
from ragembed.embed.words.resolve import UNKNOWN, keeps_case, resolve
from ragembed.embed.words.subwords import Subwords
from ragembed.errors import EmbeddingError


class WordVectors:
    """Words and their vectors ``(n, dimension)``, with what is known of how they were made."""

    def __init__(
        self,
        words: Sequence[str],
        vectors: Dense,
        *,
        counts: NDArray[np.int64] | None = None,
        subwords: Subwords | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        """`words` most frequent first, where that is known; of two equal ones the first is found.

        Raises `EmbeddingError` where the parts do not fit one another.
        """
        if vectors.ndim != 2 or len(words) != len(vectors):
            raise EmbeddingError(
                f"there are {len(words)} words and vectors of shape {vectors.shape}", "give one vector each"
            )
        if counts is not None and len(counts) != len(words):
            raise EmbeddingError(
                f"there are {len(words)} words and {len(counts)} counts", "give one count each"
            )
        if subwords is not None and subwords.vectors_of_ngrams.shape[1] != vectors.shape[1]:
            raise EmbeddingError(
                f"vectors of words have {vectors.shape[1]} dimensions, "
                f"those of n-grams {subwords.vectors_of_ngrams.shape[1]}",
                "take both from one model",
            )
        self.words = words
        self.vectors = vectors
        self.counts = counts
        """``(n,)``: how often each word stood in the training corpus."""
        self.subwords = subwords
        """fastText's n-grams, with which any word has a vector."""
        self.info: dict[str, Any] = dict(info or {})
        """How the vectors were made, as JSON values: method, settings, tokenizer, phrases, losses, warnings."""
        self._index: WordIndex | None = None
        self._arrays_digest: str | None = None
        self._cased: bool | None = None
        self._neighbors: Neighbors | None = None

    @classmethod
    def _of(cls, parts: Parts) -> WordVectors:
        made = cls(
            parts.index.words, parts.vectors, counts=parts.counts, subwords=parts.subwords, info=parts.info
        )
        made._index, made._arrays_digest = parts.index, parts.arrays_digest
        return made

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        made = self.info.get("method") or self.info.get("format")
        told = f", {made:.40}" if isinstance(made, str) else ""
        return f"<WordVectors: {len(self):,} words x {self.dimension}{told}>"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def rows(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The row of each of `words` as it is written ``(len(words),)``; -1 for one that has none."""
        return self._words_index().rows(words)

    def word_vectors(self, words: Sequence[str]) -> tuple[NDArray[np.bool_], Dense]:
        """Which of `words` have a vector, and the vectors ``(len(words), dimension)``, zeros for those without.

        What stands for a word is found as everywhere (`ragembed.embed.words.resolve`): as it is written, in other
        spellings, made of its n-grams, or the mean of its parts.
        """
        if self._cased is None:
            self._cased = keeps_case(self)
        found = resolve(self, words, cased=self._cased)
        vectors = np.zeros((len(words), self.dimension), np.float32)
        own = found.codes >= 0
        vectors[own] = self.vectors[found.codes[own]]
        if self.subwords is not None and found.made:
            vectors[list(found.made)] = self.subwords.vectors(list(found.made.values()))[1]
        for place, rows in found.several.items():
            vectors[place] = self.vectors[list(rows)].mean(axis=0)
        return found.codes != UNKNOWN, vectors

    def __contains__(self, word: str) -> bool:
        """Whether `word` has a vector."""
        return bool(self.word_vectors([word])[0][0])

    def __getitem__(self, word: str) -> Dense:
        """The vector of `word` ``(dimension,)``; `QueryError` with spellings like it where there is none."""
        known, found = self.word_vectors([word])
        if not known[0]:
            raise unknown_word(word, self.words)
        vector: Dense = found[0]
        return vector

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def similarity(self, one: str, other: str) -> float:
        """The cosine of two words; 0 where a vector is zeros."""
        a, b = self[one].astype(np.float64), self[other].astype(np.float64)
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        return float(a @ b / lengths) if lengths else 0.0

    def most_similar(
        self, words: str | Sequence[str], k: int = 10, *, negative: Sequence[str] = ()
    ) -> list[tuple[str, float]]:
        """The `k` words nearest to the sum of `words`, less those of `negative`, with their cosines; best first.

        `ragembed.embed.words.explore.neighbors` tells more of how they were found, and how analogies are asked.
        """
        near = [words] if isinstance(words, str) else words
        question = Question((*((1, word) for word in near), *((-1, word) for word in negative)))
        if self._neighbors is None:
            self._neighbors = Neighbors(self)
        return [(one.word, one.score) for one in self._neighbors.ask(question, k).neighbors]

    def vocabulary(self) -> tuple[Sequence[str], Dense]:
        """All words, most frequent first, and their vectors."""
        return self.words, self.vectors

    def first(self, count: int) -> WordVectors:
        """Only the first `count` words; n-grams stay."""
        return WordVectors(
            self.words[:count],
            self.vectors[:count],
            counts=None if self.counts is None else self.counts[:count],
            subwords=self.subwords,
            info=self.info,
        )

    @property
    def digest(self) -> str:
        """sha256 of all that decides vectors. What was opened from a folder reads it there."""
        made_of = [self.info.get("tokenizer"), self.info.get("phrases")]
        text = json.dumps([self._array_digest(), made_of], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def save(self, folder: str | Path) -> None:
        """Write everything to `folder`, so that `open` maps it into memory.

        The folder is made if absent; other files in it stay. Raises `StoreError` where the disk does not take it.
        """
        write_folder(
            Path(folder).expanduser(),
            self._words_index(),
            self.vectors,
            counts=self.counts,
            subwords=self.subwords,
            info=self.info,
        )

    @classmethod
    def open(cls, folder: str | Path) -> WordVectors:
        """What `save` wrote to `folder`, mapped into memory; anything else is an `EmbeddingError`."""
        return cls._of(open_folder(Path(folder).expanduser()))

    def _words_index(self) -> WordIndex:
        if self._index is None:
            self._index = WordIndex.of(Words.of(self.words))
        return self._index

    def _array_digest(self) -> str:
        if self._arrays_digest is not None:
            return self._arrays_digest
        words = self._words_index().words
        arrays: dict[str, NDArray[Any]] = {
            "vectors": self.vectors,
            "words": words.blob,
            "offsets": words.offsets,
        }
        if self.counts is not None:
            arrays["counts"] = self.counts
        grams = None
        if self.subwords is not None:
            arrays["ngrams"] = self.subwords.vectors_of_ngrams
            if self.subwords.used is not None:
                arrays["buckets"] = self.subwords.used
            grams = [self.subwords.minn, self.subwords.maxn, self.subwords.buckets]
        return arrays_digest(arrays, grams)
