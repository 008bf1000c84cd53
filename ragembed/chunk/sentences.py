"""Where sentences end.

A sentence ends after ``.`` ``!`` ``?`` ``…`` (and closing quotes or brackets) before white space, unless what
stands before the full stop is an abbreviation, an initial or the number of a list item, or the next word
begins in lower case. Full stops of scripts that put no space after them (``。`` ``！`` and others) always end
one. Decimals, versions and file names hold no white space after the stop and so are never cut.
"""

from __future__ import annotations

import re

_STOPS = ".!?…"
_FULL_STOPS = "。！？｡؟۔।॥።။៕"
_CLOSERS = "\"'”’»)\\]」』）】》"
# The first item is one set of characters on purpose: the engine skips to a candidate without trying a match.
_CANDIDATE = re.compile(
    rf"[{_STOPS}{_FULL_STOPS}]"
    rf"(?:(?<=[{_STOPS}])(?<![{_STOPS}]{{2}})[{_STOPS}]*+[{_CLOSERS}]*+(?=\s)"
    rf"|(?<=[{_FULL_STOPS}])[{_FULL_STOPS}]*+[{_CLOSERS}]*+)"
)
_NEXT = re.compile(r"\S")
_OPENERS = "([{\"'“‘«"
_INITIALS = re.compile(r"(?:\w\.)+\w")

_ABBREVIATIONS = frozenset(
    """
    dr mr mrs ms mx prof rev hon gen col capt lt sgt gov sen rep st mt ft messrs mme mlle
    e.g i.e eg ie cf vs viz approx ca resp incl esp
    fig figs eq eqs ref refs tab vol vols pp nos para
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri
    """.split()  # noqa: SIM905
)
_BEFORE_NUMBERS = frozenset(("no", "p", "art", "sec", "sect", "ch", "app", "ex", "l", "ll", "n", "v"))
_LONGEST_ABBREVIATION = 12
_LONGEST_TITLE = max(map(len, _ABBREVIATIONS))
_CLOSING = 16  # characters that may close a sentence, after a stop at a window's end
_LONGEST_GAP = 80  # white space between two sentences; after more, what follows is new in any case
_STEP = 256  # characters searched at once, from the end of a window

_STRONG, _WEAK, _NONE = 2, 1, 0


def last_sentence(text: str, low: int, high: int) -> int:
    """End of the last sentence that ends in ``(low, high]``; 0 where none does.

    Ends before a word in lower case count only if the window holds no better one (text may have no capitals).
    """
    weak = 0
    ceiling = high
    floor = max(text.rfind(". ", low, high), low)  # most often the answer, or a little before it
    while ceiling > low:
        for match in reversed(list(_CANDIDATE.finditer(text, floor, ceiling + _CLOSING))):
            end = match.end()
            if low < end <= high and match.start() < ceiling:
                strength = _strength(text, match.start(), end)
                if strength == _STRONG:
                    return end
                weak = weak or (end if strength == _WEAK else 0)
        ceiling = floor
        floor = max(low, floor - _STEP)
    return weak


def first_sentence(text: str, low: int, high: int) -> int:
    """Where in ``[low, high)`` the first sentence begins that follows another; `high` where none does."""
    match = _CANDIDATE.search(text, max(0, low - 8), high)  # 8: room for quotes and spaces between two
    while match is not None:
        end = match.end()
        if _strength(text, match.start(), end) == _STRONG:
            begin = _next(text, end, high)
            if low <= begin < high:
                return begin
        match = _CANDIDATE.search(text, end, high)
    return high


def _next(text: str, start: int, limit: int) -> int:
    """The first visible character in ``[start, limit)``, or `limit` or the text's end."""
    limit = min(limit, len(text))
    if start < limit and not text[start].isspace():
        return start
    if start + 1 < limit and not text[start + 1].isspace():
        return start + 1
    match = _NEXT.search(text, start, limit)
    return match.start() if match else limit


def _strength(text: str, stop: int, end: int) -> int:
    """How surely a candidate from `stop` to `end` ends a sentence."""
    character = text[stop]
    if character in _FULL_STOPS:
        return _STRONG
    after = text[end + 1 : end + 2]  # at `end` is white space
    if after.isspace():
        begin = _next(text, end, end + _LONGEST_GAP)
        after = text[begin : begin + 1]
    single = end == stop + 1 or text[stop + 1] not in _STOPS
    if character == "." and single and _abbreviated(text, stop, after):
        return _NONE
    return _WEAK if after.islower() else _STRONG


def _abbreviated(text: str, stop: int, after: str) -> bool:
    """Whether the full stop at `stop` belongs to the word before it; `after` begins what follows."""
    word = text[max(0, stop - _LONGEST_ABBREVIATION) : stop].rpartition(" ")[2]
    if word.isalpha():
        if len(word) > _LONGEST_TITLE:
            return False
    else:
        word = word.rpartition("\n")[2].lstrip(_OPENERS)
    if len(word) == 1 and not word.isdigit():
        return word.isupper() and word != "I"
    if word.isdigit():  # "1. First item"
        begin = stop - len(word)
        return len(word) <= 3 and (begin == 0 or text[begin - 1] == "\n")
    lower = word.lower()
    if lower in _BEFORE_NUMBERS:
        return after.isdigit()
    return lower in _ABBREVIATIONS or ("." in word and _INITIALS.fullmatch(word) is not None)
