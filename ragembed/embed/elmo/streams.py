"""A corpus as two endless lines of words, one for each direction, cut into lanes that are read side by side.

Forwards a sentence is ``<S> w1 ... wn``, and what is to be predicted ``w1 ... wn </S>``; backwards it is
``</S> wn ... w1`` and ``wn ... w1 <S>``. A lane goes on in the next batch where it stood, so that what the model
remembers of it is carried along.

Words are numbers here: 0 `BEGIN`, 1 `END`, then those of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.elmo.sentences import sentence_ends
from ragembed.embed.words.corpus import Ids

SPECIAL = 2
"""Numbers before the corpus's first word."""
_PIECE = 1 << 20


@dataclass(frozen=True)
class Piece:
    """What all lanes read in one batch; D = 2 directions, T steps, B lanes."""

    inputs: NDArray[np.int64]
    """``(D, T, B)``"""
    targets: NDArray[np.int64]
    """``(D, T, B)``: what comes next in each direction."""


class Streams:
    """The sentences of a corpus."""

    def __init__(self, tokens: Ids, starts: NDArray[np.int64]) -> None:
        """`tokens` ``(N,)``, and where each sentence begins, with the end of the last ``(sentences + 1,)``."""
        self.tokens = tokens
        self.starts = starts
        self._places = (
            starts - starts[0] + np.arange(len(starts))
        )  # each sentence is one longer than its words

    def __len__(self) -> int:
        """Predictions that a direction makes."""
        return int(self._places[-1])

    def pieces(self, lanes: int, steps: int) -> Iterator[Piece]:
        """All lanes side by side, `steps` at once; at the end fewer words than `lanes` are left out."""
        each = len(self) // lanes
        for start in range(0, each, steps):
            size = min(steps, each - start)
            yield self._piece(np.arange(lanes) * each + np.arange(start, start + size)[:, np.newaxis])

    def _piece(self, places: NDArray[np.int64]) -> Piece:
        sentence = np.searchsorted(self._places, places, side="right") - 1
        k = places - self._places[sentence]  # tokens of the sentence that were read before
        first, n = self.starts[sentence], self.starts[sentence + 1] - self.starts[sentence]
        fed = k > 0  # not the sentence's begin (or, backwards, its end)
        asked = k < n  # not its end (or begin)
        inputs, targets = np.zeros((2, 2, *places.shape), np.int64)
        inputs[1] = targets[0] = 1  # END, where no word is put in below
        inputs[0, fed] = self.tokens[(first + k - 1)[fed]] + SPECIAL
        inputs[1, fed] = self.tokens[(first + n - k)[fed]] + SPECIAL
        targets[0, asked] = self.tokens[(first + k)[asked]] + SPECIAL
        targets[1, asked] = self.tokens[(first + n - 1 - k)[asked]] + SPECIAL
        return Piece(inputs, targets)


def sentence_starts(tokens: Ids, texts: NDArray[np.int64], marks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where sentences begin, and the end of all: with each text, and where `marks` ``(words,)`` let one end."""
    begins = [np.asarray(texts, np.int64)]
    for start in range(0, len(tokens), _PIECE):
        low = max(0, start - 1)  # a token before and one after tell whether a sentence ends
        ends = low + sentence_ends(marks[tokens[low : start + _PIECE + 1]])
        begins.append(ends[(ends > start) & (ends <= start + _PIECE) & (ends < len(tokens))])
    return np.unique(np.concatenate(begins))
