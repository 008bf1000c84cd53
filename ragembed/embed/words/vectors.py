"""Words with their vectors: what every trainer makes and every file format is read into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.formats.folder import Parts, arrays_digest, open_folder, write_folder
from ragembed.embed.words.index import WordIndex, Words
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

    @classmethod
    def _of(cls, parts: Parts) -> WordVectors:
        made = cls(
            parts.index.words, parts.vectors, counts=parts.counts, subwords=parts.subwords, info=parts.info
        )
        made._index, made._arrays_digest = parts.index, parts.arrays_digest
        return made

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def rows(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The row of each of `words` as it is written ``(len(words),)``; -1 for one that has none."""
        return self._words_index().rows(words)

    def word_vectors(self, words: Sequence[str]) -> tuple[NDArray[np.bool_], Dense]:
        """Which of `words` have a vector, and the vectors ``(len(words), dimension)``, zeros for those without.

        A word is looked up as it is written, then in lower case, then made of its character n-grams.
        """
        rows = self.rows(words)
        unknown = np.flatnonzero(rows < 0)
        if len(unknown):
            rows[unknown] = self.rows([words[at].lower() for at in unknown.tolist()])
        known = rows >= 0
        found = np.zeros((len(words), self.dimension), np.float32)
        found[known] = self.vectors[rows[known]]
        if self.subwords is not None and not known.all():
            unknown = np.flatnonzero(~known)
            known[unknown], found[unknown] = self.subwords.vectors([words[at] for at in unknown.tolist()])
        return known, found

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

    def save(self, folder: Path) -> None:
        """Write everything to `folder`, so that `open` maps it into memory.

        The folder is made if absent; other files in it stay. Raises `StoreError` where the disk does not take it.
        """
        write_folder(
            Path(folder),
            self._words_index(),
            self.vectors,
            counts=self.counts,
            subwords=self.subwords,
            info=self.info,
        )

    @classmethod
    def open(cls, folder: Path) -> WordVectors:
        """What `save` wrote to `folder`, mapped into memory; anything else is an `EmbeddingError`."""
        return cls._of(open_folder(Path(folder)))

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
