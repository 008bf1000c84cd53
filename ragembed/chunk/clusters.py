"""What a reader sees as one character, though it is several: letters with marks, CR LF, joined emoji, flags.

Cuts move out of them. The rules are the part of Unicode's extended grapheme clusters (UAX 29) that text
meets, with one departure: a mark after white space may begin a chunk, for chunks have no such ends.
"""

from __future__ import annotations

import unicodedata

_FARTHEST = 64  # characters that a cut moves; a longer cluster is no writing, and is cut
_JOINER = "\u200d"


def whole_before(text: str, cut: int, floor: int) -> int:
    """`cut` moved back, but not to `floor`, to where it divides nothing; unmoved where that is too far."""
    for place in range(cut, max(floor, cut - _FARTHEST), -1):
        if not divides(text, place, floor):
            return place
    return cut


def whole_after(text: str, cut: int, ceiling: int) -> int:
    """`cut` moved forward to where it divides nothing; `ceiling` where that is too far."""
    floor = max(0, cut - _FARTHEST)
    for place in range(cut, min(ceiling, cut + _FARTHEST)):
        if not divides(text, place, floor):
            return place
    return ceiling


def divides(text: str, place: int, floor: int = 0) -> bool:
    """Whether a cut at `place` parts what belongs together; pairs of flags are counted from `floor` on."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if after < "\x80":
        return (before == "\r" and after == "\n") or (before == _JOINER and not after.isspace())
    if before.isspace() or after.isspace():
        return False
    category = unicodedata.category(after)
    if category[0] == "M" or category == "Cf" or before == _JOINER:
        return True
    if category == "Cs":
        return "\ud800" <= before < "\udc00" <= after
    if "\u1160" <= after <= "\u11ff":  # Hangul vowels and finals written as separate parts
        return "\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3"
    if "\U0001f3fb" <= after <= "\U0001f3ff":  # skin tones
        return True
    if _is_flag(before) and _is_flag(after):
        first = place - 1
        while first > floor and _is_flag(text[first - 1]):
            first -= 1
        return (place - first) % 2 == 1
    return False


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
