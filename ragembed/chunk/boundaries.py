"""Where a text may be cut: the last paragraph, line, sentence, clause or word that ends in a window.

Each ``last_*`` function takes a window ``(low, high]`` and says where the content before such a boundary
ends, or 0 where the window holds none. Only the window is looked at, so that a chunker's work is linear in
its text, and a page costs microseconds. Lines end with LF or CRLF; a CR alone is white space as others. The
patterns begin with one character on purpose: the engine then skips to a candidate many times faster than it
tries a match.
"""

from __future__ import annotations

import re

from ragembed.chunk.sentences import first_sentence, last_sentence

_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n")
_CLAUSE = re.compile(r"[,;:،、，；：–—](?:(?<=[、，；：])|(?=\s))")
_SPACE = re.compile(r"\s")
_WORD_START = re.compile(r"\s(?=\S)")
_PART = re.compile(r"[^\w\s]")
_NOT_SPACE = re.compile(r"\S")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")

_DEEPEST_HEADING = 6
_SHORT_LINE = 40  # characters; wrapped text has longer lines, items of lists and verses often shorter ones


def next_visible(text: str, start: int) -> int:
    """The first character from `start` on that is no white space; the text's length where there is none."""
    for place in (start, start + 1):  # which is nearly always enough
        if place < len(text) and not text[place].isspace():
            return place
    match = _NOT_SPACE.search(text, start)
    return match.start() if match else len(text)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """``[start, end)`` without white space at both ends; empty where it holds nothing else."""
    begin = min(next_visible(text, start), end)
    return begin, begin + len(text[begin:end].rstrip())


def last_paragraph(text: str, low: int, high: int) -> int:
    """Before the last blank line or page break."""
    found = text.rfind("\n\n", low + 1, high + 2)
    page = text.rfind("\f", low + 1, high + 1)
    if page > found:
        found = page
    # Blank lines that hold white space are rare, and matter only after the last one that is empty.
    odd = _BLANK_LINE.search(text, found + 1 if found > low else low + 1, high + 2)
    while odd is not None:
        found = odd.start()
        odd = _BLANK_LINE.search(text, found + 1, high + 2)
    return found if low < found <= high else 0


def last_line(text: str, low: int, high: int) -> int:
    """Before the last line break, those left out that only wrap a sentence."""
    found = text.rfind("\n", low + 1, high + 1)
    while found > low and _wraps(text, found):
        found = text.rfind("\n", low + 1, found)
    return max(found, 0)


def last_clause(text: str, low: int, high: int) -> int:
    """After the last comma, semicolon, colon or dash that ends a clause."""
    return _last_after(_CLAUSE, text, low, high)


def last_word(text: str, low: int, high: int) -> int:
    """Before the last white space."""
    found = text.rfind(" ", low + 1, high + 1)
    return found if found > 0 else _last(_SPACE, text, low, high)


def last_part(text: str, low: int, high: int) -> int:
    """After the last character that is neither letter, digit nor white space, as within a URL."""
    return _last_after(_PART, text, low, high)


_LEVELS = (last_paragraph, last_line, last_sentence, last_clause, last_word, last_part)
_WITHIN_LINE = _LEVELS[2:]


def best_break(text: str, low: int, high: int) -> int:
    """Where to cut in ``(low, high]``: at the last boundary of the highest level there is, else at `high`."""
    for last in _WITHIN_LINE if text.rfind("\n", low + 1, high + 2) < 0 else _LEVELS:
        found = last(text, low, high)
        if found > low:
            return found
    return high


def before_headings(text: str, start: int, end: int) -> int:
    """`end` moved before the Markdown headings that ``[start, end)`` would end with.

    Unmoved where nothing would be left, or where there are too many for a title and what is below it.
    """
    place = end
    for _ in range(_DEEPEST_HEADING + 1):
        content = start + len(text[start:place].rstrip()) if text[place - 1].isspace() else place
        line = text.rfind("\n", start, content) + 1
        if line <= start:
            return end if _HEADING.match(text, start) else place
        if _HEADING.match(text, line) is None:
            return place
        place = line
    return end


def first_opening(text: str, low: int, high: int) -> int:
    """Where the first sentence or paragraph that begins in ``[low, high)`` does; `high` where none does."""
    found = first_sentence(text, low, high)
    newline = text.find("\n", max(0, low - 2), found)
    if newline >= 0:
        for match in _BLANK_LINE.finditer(text, newline, found):
            begin = next_visible(text, match.end())
            if low <= begin < found:
                return begin
    return found


def first_word(text: str, low: int, high: int) -> int:
    """Where the first word that follows white space in ``[low, high)`` begins; `high` where none does."""
    match = _WORD_START.search(text, max(0, low - 1), high)
    return match.end() if match else high


def natural_end(text: str, start: int, low: int, high: int) -> int:
    """Where in ``(low, high]`` a chunk from `start` on ends best; before that only if it spares headings."""
    end = best_break(text, low, high)
    return end if text.rfind("#", start, end) < 0 else before_headings(text, start, end)


def natural_start(text: str, low: int, end: int) -> int:
    """Where in ``[low, end)`` an overlap begins best: with a sentence, else with a word, else at `low`."""
    opening = first_opening(text, low, end)
    if opening < end:
        return opening
    word = first_word(text, low, end)
    return word if word < end else low


def _wraps(text: str, newline: int) -> bool:
    """Whether the line break falls within a sentence: after a long line without a stop, before a word."""
    before, after = text[newline - 1], text[newline + 1 : newline + 2]
    return (
        after.isalnum()
        and (before.isalnum() or before in ",;-")
        and newline > _SHORT_LINE
        and text.find("\n", newline - _SHORT_LINE, newline) < 0
    )


def _last_after(pattern: re.Pattern[str], text: str, low: int, high: int) -> int:
    """Where the last match of one character that ends in ``(low, high]`` does; 0 where there is none."""
    found = 0
    for match in pattern.finditer(text, low, high + 1):
        if match.start() < high:
            found = match.start() + 1
    return found


def _last(pattern: re.Pattern[str], text: str, low: int, high: int) -> int:
    """Where the last match that begins in ``(low, high]`` does; 0 where there is none."""
    found = 0
    for match in pattern.finditer(text, low + 1, high + 2):
        if match.start() <= high:
            found = match.start()
    return found
