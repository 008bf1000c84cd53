"""The built-in tokens: words and characters. What they are is said in `ragembed.tokens`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Starts = NDArray[np.int64]
"""``(tokens,)`` ascending character offsets; equal ones where several tokens share a character."""


def blocks(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Cut `text` into spans of at most `size` characters: after a line or a space where there is one."""
    start = 0
    while len(text) - start > size:
        limit = start + size
        end = text.rfind("\n", start + size // 2, limit) + 1 or text.rfind(" ", start, limit) + 1 or limit
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


class Characters:
    """Each character is a token."""

    name: str = "characters"

    def starts(self, text: str) -> Starts:
        return np.arange(len(text), dtype=np.int64)

    def count(self, text: str) -> int:
        return len(text)


_LONGEST_WORD = 16  # English words rarely exceed it; longer runs are compounds, identifiers, encoded data
_WORD_BLOCK = 1 << 17  # characters at once: the arrays of a block stay in the processor's cache

_UNKNOWN, _SPACE, _SINGLE, _LETTER, _EXTEND = range(5)
_UNSPACED: tuple[tuple[int, int], ...] = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3040, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31FF),  # Bopomofo and Katakana extensions
    (0x3400, 0x4DBF),  # ideographs, extension A
    (0x4E00, 0x9FFF),  # ideographs
    (0xA000, 0xA4CF),  # Yi
    (0xA9E0, 0xA9FF),  # Burmese extension
    (0xAA60, 0xAADF),  # Burmese extension, Tai Viet
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1AFF0, 0x1B16F),  # kana supplements
    (0x20000, 0x3FFFF),  # ideographs, further extensions
)


def _kind(character: str) -> int:
    if character.isspace():
        return _SPACE
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":
        return _EXTEND
    if category[0] in "LN":
        code = ord(character)
        return _SINGLE if any(first <= code <= last for first, last in _UNSPACED) else _LETTER
    return _SINGLE


class Words:
    """Runs of letters and digits, and each other visible character."""

    name: str = "words"

    def __init__(self) -> None:
        self._ascii = bytes(_kind(chr(code)) for code in range(128)) + bytes(128)
        self._kinds: NDArray[np.uint8] | None = None

    def count(self, text: str) -> int:
        return len(self.starts(text))

    def starts(self, text: str) -> Starts:
        if len(text) <= _WORD_BLOCK:
            return _word_starts(self._kinds_of(text))
        spans = blocks(text, _WORD_BLOCK)
        return np.concatenate([_word_starts(self._kinds_of(text[a:b])) + a for a, b in spans])

    def _kinds_of(self, text: str) -> NDArray[np.uint8]:
        """The kind of each character ``(len(text),)``."""
        if text.isascii():
            return np.frombuffer(text.encode("ascii").translate(self._ascii), dtype=np.uint8)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        if self._kinds is None:
            self._kinds = np.zeros(0x110000, dtype=np.uint8)
        kinds = self._kinds.take(codes)
        unknown = kinds == _UNKNOWN
        if unknown.any():  # all of Unicode would take 0.3 s, so pages of 256 are classified as they occur
            for page in np.unique(codes[unknown] >> 8):
                first = int(page) << 8
                self._kinds[first : first + 256] = [_kind(chr(code)) for code in range(first, first + 256)]
            kinds = self._kinds.take(codes)
        return kinds


def _word_starts(kinds: NDArray[np.uint8]) -> Starts:
    if not len(kinds):
        return np.empty(0, dtype=np.int64)
    begins = kinds == _SINGLE
    letter = kinds == _LETTER
    extend = kinds == _EXTEND
    if extend.any():
        bases = np.where(extend, 0, np.arange(len(kinds)))
        base = kinds[np.maximum.accumulate(bases)]  # kind of the last character that is no mark
        letter = (base == _LETTER) | (extend & (base != _SINGLE))  # a mark after nothing stands for a letter
    begins[0] |= letter[0]
    begins[1:] |= letter[1:] > letter[:-1]
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=len(kinds))
    return _cut_long(starts, lengths, kinds) if len(lengths) and lengths.max() > _LONGEST_WORD else starts


def _cut_long(starts: Starts, reach: Starts, kinds: NDArray[np.uint8]) -> Starts:
    """Add a start every 16 characters within longer tokens; `reach` is the distance to the next token."""
    suspects = np.flatnonzero(reach > _LONGEST_WORD)
    spaces = np.append(np.flatnonzero(kinds == _SPACE), len(kinds))
    first = starts[suspects]
    lengths = np.minimum(spaces[np.searchsorted(spaces, first)] - first, reach[suspects])
    extra = (lengths - 1) // _LONGEST_WORD
    total = int(extra.sum())
    if not total:
        return starts
    number = np.arange(total) - np.repeat(np.cumsum(extra) - extra, extra) + 1  # 1, 2, ... in each long token
    return np.sort(np.concatenate([starts, np.repeat(first, extra) + number * _LONGEST_WORD]), kind="stable")
