"""Nearest words and analogies, by exact search over all words.

A question is a word, or words with signs between them: ``king - man + woman``. With unit vectors, a candidate x scores

- ``3cosadd``: the cosine of x with the sum of the vectors asked for, those with a minus taken off. Candidates come in
  the order of ``cos(x, king) - cos(x, man) + cos(x, woman)``: Mikolov, Yih & Zweig 2013, "Linguistic regularities in
  continuous space word representations". Of a single word this is the plain cosine.
- ``3cosmul``: the product of the cosines with the words of a plus, over that of the words of a minus + epsilon, all
  cosines shifted to 0..1 by (x + 1) / 2: Levy & Goldberg 2014, "Linguistic regularities in sparse and explicit word
  representations", equation 4.

The words of a question are no answers to it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.explore.nearest import METHODS, Floats, Nearest, Rows
from ragembed.embed.words.resolve import spelt
from ragembed.errors import QueryError

if TYPE_CHECKING:
    from ragembed.embed.words.explore.nearest import Matrix

_SPELLINGS = 50_000
"""Words, the most frequent, that an unknown one is compared with letter by letter: half a second."""
SIGNS = {"+": 1, "-": -1, "−": -1}
"""What stands between the words of a question."""


class KnownWords(Protocol):
    """Words with their vectors: `ragembed.embed.words.WordVectors`, or the words that an embedder was given."""

    @property
    def words(self) -> Sequence[str]:
        """All words."""
        ...

    @property
    def vectors(self) -> Matrix:
        """Their vectors ``(n, dimension)``."""
        ...

    def rows(self, words: Sequence[str]) -> Rows:
        """The row of each of `words` as it is written ``(len(words),)``; -1 for one that has none."""
        ...

    def word_vectors(self, words: Sequence[str]) -> tuple[NDArray[np.bool_], Matrix]:
        """Which of `words`, of whatever spelling, have a vector, and the vectors ``(len(words), dimension)``."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: words to be near to, sign 1, and words to be far from, sign -1."""

    terms: tuple[tuple[int, str], ...]

    def __str__(self) -> str:
        text = " ".join(f"{'+' if sign > 0 else '-'} {word}" for sign, word in self.terms)
        return text.removeprefix("+ ")


@dataclass(frozen=True, slots=True)
class Term:
    """How a word of a question was found."""

    word: str
    sign: int
    found: Literal["word", "lower case", "spelling", "unseen"]
    """As it is written, in lower case, in another spelling, or not at all: then its vector was made of its parts."""
    row: int | None


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A word near to what was asked."""

    word: str
    score: float
    row: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The nearest words, best first."""

    question: Question
    terms: tuple[Term, ...]
    neighbors: tuple[Neighbor, ...]
    """Fewer than asked for where there are no more. With sparse vectors a word that shares no dimension with what is
    asked for is not near at all, and is left out.
    """


def parse_question(text: str) -> Question:
    """Read ``king - man + woman``: signs stand between white space, so that a hyphen belongs to its word."""
    pieces = text.split()
    if len(pieces) == 1:
        return Question(((1, pieces[0]),))
    signed = pieces if pieces and pieces[0] in SIGNS else ["+", *pieces]
    terms: list[tuple[int, list[str]]] = []
    for piece in signed:
        if piece in SIGNS:
            terms.append((SIGNS[piece], []))
        else:
            terms[-1][1].append(piece)
    if not pieces or not all(words for _, words in terms):
        raise QueryError(
            f"{text!r} lacks a word" if pieces else "the question is empty",
            "write a word, or words with signs between them: king - man + woman",
        )
    return Question(tuple((sign, " ".join(words)) for sign, words in terms))


class Neighbors:
    """Answers questions from all words of `table`, by exact search."""

    def __init__(self, table: KnownWords) -> None:
        self.table = table
        self._nearest = Nearest(table.vectors)

    def ask(self, question: str | Question, k: int = 10, method: str = "3cosadd") -> Answer:
        """The `k` best words for `question`. `QueryError` for a word that has no vector, with spellings like it."""
        if k < 1:
            raise QueryError(f"k is {k}", "ask for at least 1 word")
        if method not in METHODS:
            raise QueryError(f"there is no method {method!r}", f"valid are: {', '.join(METHODS)}")
        asked = parse_question(question) if isinstance(question, str) else question
        terms, units = self._terms(asked)
        signs = np.array([term.sign for term in terms], np.float64)
        barred = [term.row for term in terms if term.row is not None]
        if method == "3cosadd":
            units, signs = _sum(asked, units, signs)
        rows, scores = self._nearest.best(units, signs, METHODS[method], barred, k)
        found = zip(rows.tolist(), scores.tolist(), strict=True)
        return Answer(
            asked, terms, tuple(Neighbor(self.table.words[int(row)], score, row) for row, score in found)
        )

    def _terms(self, question: Question) -> tuple[tuple[Term, ...], Floats]:
        """How each word was found, and its unit vector ``(t, dimension)``."""
        words = [word for _, word in question.terms]
        written, near = self.table.rows(words), spelt(self.table, words)
        terms, vectors = [], []
        for place, (sign, word) in enumerate(question.terms):
            row = int(near[place])
            vector = None
            if written[place] < 0:  # the table says what stands for it, as everywhere
                known, made = self.table.word_vectors([word])
                vector = made if known[0] else None
            if row < 0 and (vector is None or _looks_signed(word)):
                raise unknown_word(word, self.table.words)
            if vector is None:
                vector = self.table.vectors[[row]]
            terms.append(Term(word, sign, self._how(word, row), None if row < 0 else row))
            vectors.append(_dense(vector))
        units = _unit_rows(np.concatenate(vectors))
        for word, unit in zip(words, units, strict=True):
            if not np.isfinite(unit).all() or not unit.any():
                what = "zeros, as of a stop word" if not unit.any() else "NaN or infinity"
                raise QueryError(f"the vector of {word!r} is {what}", "ask for another word")
        return tuple(terms), units

    def _how(self, word: str, row: int) -> Literal["word", "lower case", "spelling", "unseen"]:
        if row < 0:
            return "unseen"
        found = self.table.words[row]
        return "word" if found == word else "lower case" if found == word.lower() else "spelling"


def _sum(question: Question, units: Floats, signs: Floats) -> tuple[Floats, Floats]:
    """The unit vector of the signed sum of `units` ``(1, dimension)``, and its sign."""
    total = (units * signs[:, np.newaxis]).sum(axis=0, keepdims=True)
    if np.linalg.norm(total) < 1e-6 * len(units):
        raise QueryError(f"the vectors of {str(question)!r} cancel one another", "ask for other words")
    return _unit_rows(total), np.ones(1)


def unknown_word(word: str, words: Sequence[str]) -> QueryError:
    """The error for a word without a vector, with those of `words` that are spelt like it."""
    like = difflib.get_close_matches(word.lower(), islice(words, _SPELLINGS), 3, cutoff=0.7)
    hint = f"there are: {', '.join(like)}" if like else "use vectors that know more words"
    if _looks_signed(word):
        hint += "; signs stand between spaces: king - man + woman"
    return QueryError(f"there is no vector of {word!r} among {len(words):,} words", hint)


def _looks_signed(word: str) -> bool:
    """Whether a sign was meant that does not stand alone: ``king -man``."""
    return any(f" {sign}" in word for sign in SIGNS)


def _dense(vectors: Any) -> Floats:
    return np.asarray(vectors if isinstance(vectors, np.ndarray) else vectors.toarray(), np.float64)


def _unit_rows(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths != 0)
    return scaled
