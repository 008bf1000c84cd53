"""Analogies: a is to b as c is to what?

Two ways to answer, over the cosines of unit vectors:

- 3CosAdd: the word d with the highest ``cos(d, b) - cos(d, a) + cos(d, c)``. Mikolov, Yih & Zweig 2013, "Linguistic
  regularities in continuous space word representations".
- 3CosMul: the highest ``cos(d, b) * cos(d, c) / (cos(d, a) + epsilon)``, the cosines shifted to 0..1 by (x + 1) / 2
  and epsilon 0.001. Levy & Goldberg 2014, "Linguistic regularities in sparse and explicit word representations",
  equation 4.

The three words of a question are no answers to it. It is answered right where the wanted word scores higher than every
other word of the vocabulary; a tie is no answer. So all that is asked is whether some word reaches the wanted one: the
vocabulary goes by in blocks, and a question that is lost is not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.explore.nearest import EPSILON
from ragembed.errors import DatasetError
from ragembed.eval.quality.vocabulary import Rows, Vocabulary
from ragembed.eval.quality.words import cosines

if TYPE_CHECKING:
    from ragembed.eval.quality.files import Section
    from ragembed.eval.quality.progress import Counted
    from ragembed.eval.quality.similarity import Unknown
    from ragembed.eval.quality.words import Matrix

Scores = NDArray[np.float32]
Objective = Callable[[Scores, Scores, Scores], Scores]
"""Cosines with a, b and c (arrays of one shape) -> scores."""

_BLOCK = 4_096
"""Words of the vocabulary in a block, at most."""
_CELLS = 1 << 23
"""Cosines between a block and the words of the questions, at most: 32 MB."""
_QUESTIONS = 64
"""Questions scored over a block at once: their scores take 1 MB, and stay near the processor."""


def cos_add(a: Scores, b: Scores, c: Scores) -> Scores:
    """3CosAdd."""
    scores = b - a
    scores += c
    return scores


def cos_mul(a: Scores, b: Scores, c: Scores, epsilon: float = EPSILON) -> Scores:
    """3CosMul."""
    scores = (b + 1) * (c + 1)
    scores /= 2 * (a + 1) + np.float32(4 * epsilon)  # both halves of each cosine taken together
    return scores


OBJECTIVES: Mapping[str, Objective] = {"3CosAdd": cos_add, "3CosMul": cos_mul}


@dataclass(frozen=True, slots=True)
class Answers:
    """How the questions of a section, or of several, were answered."""

    name: str
    questions: int
    covered: int
    """Questions of which all four words are in the vocabulary."""
    right: dict[str, int]
    """Questions answered right, by objective."""

    def accuracy(self, objective: str, unknown: Unknown) -> float | None:
        """The share of right answers among covered questions, or with ``zero`` among all; None where there are none."""
        total = self.covered if unknown == "skip" else self.questions
        return self.right[objective] / total if total else None

    @property
    def syntactic(self) -> bool:
        """Whether the questions are about forms of words: the sections called ``gram...`` in word2vec's file."""
        return self.name.startswith("gram")


def total(name: str, parts: Iterable[Answers]) -> Answers:
    """The sums over `parts`."""
    parts = list(parts)
    right = {key: sum(part.right[key] for part in parts) for key in (parts[0].right if parts else {})}
    return Answers(name, sum(part.questions for part in parts), sum(part.covered for part in parts), right)


def analogies(
    sections: Sequence[Section],
    words: Sequence[str],
    vectors: Matrix,
    *,
    ignore_case: bool = True,
    objectives: Mapping[str, Objective] = OBJECTIVES,
    progress: Counted | None = None,
) -> list[Answers]:
    """Answer all questions with the vocabulary `words`, whose rows are `vectors`; one result a section.

    A question is covered where all four words are in the vocabulary with a vector that is not zero. With `ignore_case`
    a word of a question stands for the first of `words` that is spelt like it up to case, and no other spelling of the
    three given words is an answer. Words of one and the same vector count as one word. Raises `DatasetError` where no
    question is covered, `EmbeddingError` for NaN.
    """
    vocabulary = Vocabulary(words, vectors, ignore_case=ignore_case)
    questions = [question for section in sections for question in section.questions]
    rows = {word: vocabulary.row(word) for word in {word for question in questions for word in question}}
    covered = np.array([all(rows[word] is not None for word in question) for question in questions], np.bool_)
    if not covered.any():
        raise DatasetError(
            f"none of {len(questions)} questions has all four words among the {len(vocabulary)} that have a vector",
            "use an embedder that knows more words, or a larger vocabulary",
        )
    asked = np.array(
        [
            [rows[word] for word in question]
            for question, there in zip(questions, covered, strict=True)
            if there
        ]
    )  # (n, 4)
    right = {name: np.zeros(len(questions), np.bool_) for name in objectives}
    for name, answered in _answer(asked, vocabulary, objectives, progress).items():
        right[name][covered] = answered
    results, start = [], 0
    for section in sections:
        part = slice(start, start := start + len(section.questions))
        found = {name: int(answered[part].sum()) for name, answered in right.items()}
        results.append(Answers(section.name, len(section.questions), int(covered[part].sum()), found))
    return results


def _answer(
    asked: Rows, vocabulary: Vocabulary, objectives: Mapping[str, Objective], progress: Counted | None
) -> dict[str, NDArray[np.bool_]]:
    """Which of the questions `asked` ``(n, 4)``, as rows of the vocabulary, each objective answers right ``(n,)``."""
    distinct, places = np.unique(asked, return_inverse=True)
    places = places.reshape(asked.shape)  # (n, 4), numbers of the u distinct words
    units: Any = vocabulary.units(distinct)  # (u, d)
    a, b, c, d = places.T
    to_wanted = [cosines(units[d], units[given]).astype(np.float32) for given in (a, b, c)]
    wanted = {name: objective(*to_wanted) for name, objective in objectives.items()}  # (n,) each
    barred = _Barred(places, [vocabulary.same(int(row)) for row in distinct])
    possible = ~barred.hold(distinct[d])
    alive = {name: possible.copy() for name in objectives}
    size = min(_BLOCK, max(1, _CELLS // len(distinct)))
    for start, block in vocabulary.blocks(size):
        near = units @ block.T  # (u, size)
        near = near if isinstance(near, np.ndarray) else near.toarray()
        for name, objective in objectives.items():
            for batch, question, column in barred.batches(np.flatnonzero(alive[name]), start, near.shape[1]):
                scores = objective(near[a[batch]], near[b[batch]], near[c[batch]])  # (batch, size)
                scores[question, column] = -np.inf
                alive[name][batch[scores.max(axis=1) >= wanted[name][batch]]] = False
        if progress is not None:
            progress(min(start + size, len(vocabulary)), len(vocabulary), "words")
    return alive


class _Barred:
    """Which rows cannot take a question from its wanted word: that word itself, and the three given ones."""

    def __init__(self, places: Rows, same: Sequence[Rows]) -> None:
        """`places` ``(n, 4)`` of the words of each question in `same`, the rows of each word."""
        self._places = places
        self._same = [frozenset(rows.tolist()) for rows in same]
        sizes = np.array([len(rows) for rows in same])[places.ravel()]  # (4n,)
        rows = np.concatenate([same[place] for place in places.ravel().tolist()])
        order = np.argsort(rows, kind="stable")
        self._rows = rows[order]
        self._questions = np.repeat(np.repeat(np.arange(len(places)), places.shape[1]), sizes)[order]

    def hold(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether the row wanted by each question is one of its given words, so that it cannot be answered ``(n,)``."""
        given = self._places[:, :3].tolist()
        return np.array(
            [
                any(row in self._same[one] for one in three)
                for row, three in zip(rows.tolist(), given, strict=True)
            ]
        )

    def batches(self, active: Rows, start: int, width: int) -> Iterator[tuple[Rows, Rows, Rows]]:
        """The questions `active` in batches, and what is barred to them from row `start` on over `width` rows.

        Gives numbers of questions ``(batch,)``, and places in the batch with the columns that are barred there.
        """
        low, high = np.searchsorted(self._rows, (start, start + width))
        place = np.full(len(self._places), -1)
        place[active] = np.arange(len(active))
        places = place[self._questions[low:high]]
        order = np.argsort(places, kind="stable")
        places, columns = places[order], (self._rows[low:high] - start)[order]
        for first in range(0, len(active), _QUESTIONS):
            begin, end = np.searchsorted(places, (first, first + _QUESTIONS))
            yield active[first : first + _QUESTIONS], places[begin:end] - first, columns[begin:end]
