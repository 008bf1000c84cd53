"""Where the sentences end in a row of tokens that `CasedTokenizer` cut."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STOP, _CLOSER, _GOES_ON = 1, 2, 4
_STOPS = frozenset(".!?…。！？") | {"...", "!!", "??", "?!"}
_CLOSERS = frozenset("”’»)]}」』")  # a straight quote may open as well


def mark(token: str) -> int:
    """What `token` tells of where sentences end: bits for `sentence_ends`."""
    closes = token in _CLOSERS
    stops = token in _STOPS
    return _STOP * stops + _CLOSER * closes + _GOES_ON * (closes or stops or token[:1].islower())


def sentence_ends(marks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Places after which a sentence ends ``(sentences,)``, by the `mark` of each token ``(n,)``; the last is n.

    That is after a stop, and a quote or bracket that closes behind it, unless what follows is one too or goes on in
    lower case.
    """
    stop = (marks & _STOP) > 0
    ended = stop.copy()
    ended[1:] |= stop[:-1] & ((marks[1:] & _CLOSER) > 0)
    ended[:-1] &= (marks[1:] & _GOES_ON) == 0
    ended[-1:] = True
    return np.flatnonzero(ended) + 1


def sentences(tokens: Sequence[str], longest: int) -> list[Sequence[str]]:
    """`tokens` cut where sentences end, and where one is longer than `longest`. All tokens are kept."""
    ends = sentence_ends(np.fromiter(map(_mark, tokens), np.uint8, len(tokens))).tolist()
    found: list[Sequence[str]] = []
    for start, end in zip([0, *ends], ends, strict=False):
        found.extend(tokens[at : min(at + longest, end)] for at in range(start, end, longest))
    return found


_mark = functools.lru_cache(maxsize=100_000)(mark)
