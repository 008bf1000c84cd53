"""From a token to the rows of the vocabulary that stand for it, by steps from the safest to the boldest.

1. As it is written. 2. In lower case. 3. As a name or all in capitals, for a vocabulary that keeps case. 4. With ``#``
for its digits, as the vectors of Google News have them. 5. Made of its n-grams, where the model has some (fastText).
6. Its parts: ``don't`` is ``do`` and ``n't`` where the vocabulary has the second, else the parts between apostrophes of
more than a letter; ``maxLength`` is ``max`` and ``Length``, ``new_york`` is ``new`` and ``york``; each by the steps 1
to 4. What is left is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ragembed.analysis import Analyzer
from ragembed.embed.words.tokens import LONGEST_TOKEN, WordTokenizer

if TYPE_CHECKING:
    from ragembed.embed.words.vectors import WordVectors

UNKNOWN = -1
"""In place of a row: nothing stands for the token."""
SEVERAL = -2
"""In place of a row: several rows do."""
MADE = -3
"""In place of a row: its n-grams do."""

_DIGIT = re.compile(r"[0-9]")
_APOSTROPHE = re.compile("['’]")
# a lower-case letter or digit before a capital, the last of several capitals before a lower-case letter
_HUMP = re.compile(r"(?<=[^\W_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CLITIC = re.compile("(?<=.)(n['’]t|['’](?:s|m|d|re|ve|ll))$", re.IGNORECASE)
"""What treebanks, and vectors trained on them, cut off English words."""

_LOOKED_AT = 10_000
"""Words of a vocabulary that tell whether it keeps case; `<unk>` and the like are too few to count."""


def _folded(token: str) -> str:
    return token.casefold()[:LONGEST_TOKEN]


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda token: token,
    _folded,
    str.lower,  # where it is another: ß, the last s of a Greek word
    lambda token: token[:1].upper() + token[1:].lower(),
    str.upper,
    lambda token: _DIGIT.sub("#", token) if len(token) > 1 else token,
)


class HasRows(Protocol):
    """Words that have rows."""

    def rows(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The row of each of `words` as it is written ``(len(words),)``; -1 for one that has none."""
        ...


@dataclass(frozen=True)
class Resolved:
    """What stands for each of some tokens."""

    codes: NDArray[np.int64]
    """``(tokens,)``: a row of the vocabulary, or `UNKNOWN`, `SEVERAL` or `MADE`."""
    several: dict[int, tuple[int, ...]]
    """By the place of a token: its rows in order."""
    made: dict[int, str]
    """By the place of a token: the word whose n-grams it is made of."""


def keeps_case(vectors: WordVectors) -> bool:
    """Whether the vocabulary tells capitals from small letters: by what it records, or its most frequent words."""
    if (vectors.info.get("tokenizer") or {}).get("kind") == WordTokenizer.kind:
        return False
    first = list(islice(iter(vectors.words), _LOOKED_AT))
    return sum(word != word.lower() for word in first) > len(first) / 100


def resolve(vectors: WordVectors, tokens: Sequence[str], *, cased: bool) -> Resolved:
    """What stands for each of `tokens`, all taken together at each step; `cased` says what `keeps_case` found."""
    codes = spelt(vectors, tokens)
    several: dict[int, tuple[int, ...]] = {}
    made: dict[int, str] = {}
    left = np.flatnonzero(codes == UNKNOWN)
    if vectors.subwords is not None and len(left):
        words = [tokens[at] if cased else _folded(tokens[at]) for at in left.tolist()]
        there, _ = vectors.subwords.vectors(words)
        codes[left[there]] = MADE
        made = {
            at: word for at, word, found in zip(left.tolist(), words, there.tolist(), strict=True) if found
        }
        left = left[~there]
    if len(left):
        clitics = bool((vectors.rows(["n't", "'s"]) >= 0).any())
        parts = [_parts(tokens[at], clitics=clitics) for at in left.tolist()]
        rows = iter(spelt(vectors, [part for each in parts for part in each]).tolist())
        for at, each in zip(left.tolist(), parts, strict=True):
            known = tuple(row for row in (next(rows) for _ in each) if row >= 0)
            if known:
                codes[at], several[at] = SEVERAL, known
    return Resolved(codes, several, made)


def spelt(vectors: HasRows, tokens: Sequence[str]) -> NDArray[np.int64]:
    """The row of each token in the first spelling that has one ``(tokens,)``, else `UNKNOWN`."""
    rows = np.full(len(tokens), UNKNOWN, np.int64)
    left = list(range(len(tokens)))
    for spelling in _SPELLINGS:
        spelt = [spelling(tokens[at]) for at in left]
        rows[left] = vectors.rows(spelt)
        left = [at for at in left if rows[at] < 0]
        if not left:
            break
    return rows


@cache
def _analyzer() -> Analyzer:
    return Analyzer("none")


def _parts(token: str, *, clitics: bool) -> list[str]:
    """The parts of a token that has several; none for one that has not."""
    if clitics and (match := _CLITIC.search(token)):
        return [token[: match.start()], match.group().replace("’", "'").lower()]
    pieces = [
        piece
        for word in _analyzer().words(token.replace("_", " "))
        for part in _APOSTROPHE.split(word)
        if len(part) > 1 or part == word
        for piece in _HUMP.split(part)
    ]
    return [] if pieces == [token] else pieces
