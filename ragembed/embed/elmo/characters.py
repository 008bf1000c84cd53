"""Words -> numbers of their characters, as the published models want them.

A word is its UTF-8 bytes between a begin and an end of word, filled up with padding. All numbers are one higher than
the row of ``char_embed`` that they stand for, so that 0 is left for places where there is no word at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BEGIN, END = "<S>", "</S>"
"""The words that stand before and after each sentence."""

_SENTENCE_BEGIN, _SENTENCE_END, _WORD_BEGIN, _WORD_END, _PADDING = 256, 257, 258, 259, 260

CharacterIds = NDArray[np.int16]


def character_ids(words: Sequence[str], longest: int) -> CharacterIds:
    """Numbers 1 to 261 ``(len(words), longest)``; bytes of a word beyond ``longest - 2`` are left out.

    `BEGIN` and `END` become the begin and the end of a sentence; half characters (lone surrogates) are passed over.
    """
    ids = np.full((len(words), longest), _PADDING, np.int16)
    ids[:, 0] = _WORD_BEGIN
    for row, word in enumerate(words):
        if word in (BEGIN, END):
            content: Sequence[int] | NDArray[np.uint8] = [_SENTENCE_BEGIN if word == BEGIN else _SENTENCE_END]
        else:
            # a character has a byte or more, and one may have a great many of them
            content = np.frombuffer(word[:longest].encode("utf-8", "ignore")[: longest - 2], np.uint8)
        ids[row, 1 : 1 + len(content)] = content
        ids[row, 1 + len(content)] = _WORD_END
    return ids + np.int16(1)


def lengths(ids: CharacterIds) -> NDArray[np.int64]:
    """Characters of each word, its begin and end too, padding not ``(n,)``."""
    return np.asarray((ids != _PADDING + 1).sum(axis=1), np.int64)
