"""Tokens joined to words, and numbers of tokens to numbers of words: a person reads words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.encoder.tokenizer import Subword

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Word:
    """Neighbouring tokens that a reader takes for one."""

    text: str
    """As it stands in the text; a special token's name."""
    start: int
    """Its first character in the text; that of a special token is where it is put, and it has no characters."""
    end: int
    first: int
    """Its first token."""
    last: int
    """One after its last."""
    special: bool = False


def joins(text: str, before: Subword, after: Subword) -> bool:
    """Whether two neighbouring pieces belong to one word: nothing between them, and both letters or digits, or neither.

    What a tokenizer itself takes apart before it looks for pieces (words of Chinese, say) stays apart.
    """
    if before.word != after.word or after.start > before.end:
        return False
    if text[before.start : before.end].isspace() or text[after.start : after.end].isspace():
        return False
    if after.start < before.end:  # several pieces of one character
        return True
    return _spells(text[before.end - 1]) == _spells(text[after.start])


def stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without the white space that many tokenizers count among a word's characters."""
    part = text[start:end]
    return (
        (start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip()))
        if part.strip()
        else (
            start,
            end,
        )
    )


def summed(values: Floats, words: Sequence[Word]) -> Floats:
    """The sum over each word's tokens, along the last axis ``(..., n)`` -> ``(..., words)``."""
    return np.add.reduceat(values, [word.first for word in words], axis=-1) if words else values[..., :0]


def greatest(values: Floats, words: Sequence[Word]) -> Floats:
    """The greatest of each word's tokens, along the last axis ``(..., n)`` -> ``(..., words)``."""
    return np.maximum.reduceat(values, [word.first for word in words], axis=-1) if words else values[..., :0]


def attended(weights: Floats, words: Sequence[Word]) -> Floats:
    """Attention between tokens ``(..., n, n)`` as between words ``(..., words, words)``.

    To a word goes the sum of what goes to its tokens, from it the mean of theirs, so that rows still sum up to 1 (Clark
    et al. 2019, What does BERT look at, section 4.1).
    """
    to = summed(weights, words)
    sizes = np.array([[word.last - word.first] for word in words], weights.dtype)
    found: Floats = np.swapaxes(summed(np.swapaxes(to, -1, -2), words), -1, -2) / sizes
    return found


def _spells(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
