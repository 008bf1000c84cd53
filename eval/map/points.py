"""What is put on a map: words of word vectors, or chunks of an index and the queries asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ragembed.embed.base import Dense
from ragembed.embed.words.explore.neighbors import Neighbors
from ragembed.errors import QueryError
from ragembed.eval.map.groups import ONE, Groups

if TYPE_CHECKING:
    from ragembed.embed.words import WordVectors

MOST = 20_000
"""Points of a map: beyond that it is slow to draw, and nobody can see them."""


@dataclass(frozen=True)
class Points:
    """Points in all their dimensions, and what is said of each."""

    kind: Literal["words", "chunks"]
    source: str
    """The file or folder that they are from."""
    names: Sequence[str]
    """Of every point: the word, or the id of the chunk."""
    vectors: Dense
    """``(n, dimension)``, none of them zeros."""
    groups: Groups
    total: int
    """How many there are, of which these are shown."""
    left_out: int = 0
    """How many more would be shown, had they a vector that is not zeros."""
    titles: Sequence[str] = ()
    """Of every chunk: its heading or the title of its document."""
    texts: Sequence[str] = ()
    """Of every chunk: its text, or the beginning of it."""
    asked: Sequence[int] = ()
    """Words that were named."""
    queries: Sequence[str] = ()
    query_vectors: Dense | None = None
    """``(queries, dimension)``"""
    embedder: str = ""
    """Spec of what made the vectors of chunks."""


def points_of_words(
    vectors: WordVectors, source: str, *, most: int = 500, named: Sequence[str] = (), near: int = 10
) -> Points:
    """The first `most` words, which are the most frequent; or those `named`, each with its `near` nearest.

    A word that is near to several of those named is in the group of the one that it is nearest to.
    """
    check_most(most)
    rows, groups, asked = (
        _around(vectors, named, near)
        if named
        else (list(range(min(most, len(vectors)))), Groups((ONE,), (0,) * min(most, len(vectors)), None), [])
    )
    check_most(len(rows))
    found = np.asarray(vectors.vectors[np.array(rows, np.int64)], np.float32)
    there = np.isfinite(found).all(axis=1) & found.any(axis=1)
    kept = np.flatnonzero(there).tolist()
    return Points(
        kind="words",
        source=source,
        names=[vectors.words[rows[place]] for place in kept],
        vectors=found[kept],
        groups=groups.take(kept),
        total=len(vectors),
        left_out=len(rows) - len(kept),
        asked=[new for new, old in enumerate(kept) if old in set(asked)],
    )


def check_most(most: int) -> None:
    """Raise `QueryError` for a number of points that no map holds."""
    if not 2 <= most <= MOST:
        raise QueryError(f"{most:,} points are no map", f"give a number from 2 to {MOST:,}")


def _around(vectors: WordVectors, named: Sequence[str], near: int) -> tuple[list[int], Groups, list[int]]:
    """Rows of the words `named` and of their neighbours, grouped by the former, and the places of the former."""
    search = Neighbors(vectors)
    answers = [search.ask(word, near) for word in dict.fromkeys(named)]
    own: dict[int, int] = {}
    for number, answer in enumerate(answers):
        for term in answer.terms:
            if term.row is not None:  # a word made of its n-grams has no row, only neighbours
                own.setdefault(term.row, number)
    best: dict[int, tuple[float, int]] = {}
    for number, answer in enumerate(answers):
        for one in answer.neighbors:
            if one.row not in own and one.score > best.get(one.row, (-2.0, 0))[0]:
                best[one.row] = one.score, number
    rows, of = list(own), list(own.values())
    asked = list(range(len(rows)))
    rows += best
    of += [number for _, number in best.values()]
    names = tuple(str(answer.question) for answer in answers)
    return rows, Groups(names, tuple(of), "near to"), asked
