"""The prose of a text, sentence by sentence, and what a reader sees of it.

Paragraphs end at blank lines; items of lists are paragraphs of their own. Code, tables, and lines that are mostly
signs are no prose.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

Range = tuple[int, int]
"""``[start, end)``, characters of a text."""

_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\(?\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_NO_PROSE = re.compile(
    r"[ \t]*(?:[|`~<{}@$]|#+[ \t]|:::|\.\. |>>> |#!|import |export |from \w+ import |https?://\S+\s*$)"
)
_STOP = re.compile(r"(?P<stop>[.!?…]+)[\"'”’»)\]]*(?P<gap>\s+)|[。！？｡؟۔।॥][」』）】》]*\s*")
_ABBREVIATED = re.compile(
    r"\b(?:[^\W\d_]|e\.g|i\.e|et al|etc|cf|vs|ca|approx"
    r"|[Ff]igs?|[Ee]qs?|[Rr]efs?|[Nn]os?|[Dd]rs?|[Mm]rs?|[Pp]p?|[Ss]t|[Vv]ol)$"
)
_SHORTEST_LAST_WORD = re.compile(r"[^\W\d_]{4}$")
_LINK = re.compile(
    r"!?\[([^\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)|\[([^\]\n]*)\]\[[^\]\n]*\]|:\w+:`([^`<]+?)\s*(?:<[^`]*>)?`"
)
_TAG = re.compile(r"</?[A-Za-z][^<>\n]*>|\{/?[\w%#][^{}\n]*\}")
_MARKUP = re.compile(
    r"`+|\*{1,3}(?=\S)|(?<=\S)\*{1,3}|(?<!\w)_{1,2}(?=\S)|(?<=\S)_{1,2}(?!\w)|\[\d+(?:[,–-]\s*\d+)*\]_?"
)
_ESCAPED = re.compile(r"\\([^a-zA-Z0-9\s])")
_LONGEST_MARK = 20
_LETTER = re.compile(r"[^\W\d_]")


def paragraphs(text: str, start: int, end: int, blocks: Iterable[Range] = ()) -> Iterator[Range]:
    """Spans of the paragraphs of prose in ``text[start:end]``, white space and marks of lists left out.

    `blocks` are spans, ascending, in which there is none, such as fenced code.
    """
    begin: int | None = None
    last = place = start
    closed = iter([*blocks, (end + 1, end + 1)])
    low, high = next(closed)
    for line in text[start:end].splitlines(keepends=True):
        at, place = place, place + len(line)
        while high <= at:
            low, high = next(closed)
        item = _ITEM.match(line)
        bare = line[item.end() if item else 0 :].strip()
        dead = not bare or low < place or _NO_PROSE.match(line) is not None or line.startswith(("    ", "\t"))
        if begin is not None and (dead or item):
            yield begin, last
            begin = None
        if not dead:
            if begin is None:
                begin = at + (item.end() if item else len(line) - len(line.lstrip()))
            last = at + len(line.rstrip())
    if begin is not None and last > begin:
        yield begin, last


def sentences(text: str, spans: Iterable[Range]) -> Iterator[Range]:
    """Spans of the sentences in those of paragraphs.

    A stop before a small letter ends a sentence only where white space stands before the stop too, as in tokenised
    text, or where the paragraph has no capital letter, and a word, not an abbreviation, before the stop.
    """
    for start, end in spans:
        at = start
        small = text[start:end].islower()
        for match in _STOP.finditer(text, start, end):
            if match.end() >= end:
                break
            if match["stop"] and not _ends(text, at, match, small):
                continue
            if text[at : match.start()].strip():
                yield at, at + len(text[at : match.end()].rstrip())
            at = match.end()
        if at < end:
            yield at, end


def _ends(text: str, start: int, match: re.Match[str], small: bool) -> bool:
    stop = match.start()
    if match["stop"] == "." and _ABBREVIATED.search(text, max(start, stop - 8), stop):
        return False
    if not text[match.end()].islower() or text[stop - 1].isspace():
        return True
    return small and _SHORTEST_LAST_WORD.search(text, max(start, stop - 4), stop) is not None


def plain(text: str) -> str:
    """`text` on one line, as it is read: links by their words, without tags and marks of emphasis."""
    seen = _LINK.sub(lambda match: match[1] or match[2] or match[3] or "", text)
    seen = _ESCAPED.sub(r"\1", html.unescape(_TAG.sub(" ", seen)))
    return " ".join(_MARKUP.sub("", seen).split())


def before_item(text: str, place: int) -> int:
    """Where the mark of a list begins that stands right before `place`; `place` where there is none."""
    line = text.rfind("\n", 0, place) + 1
    return line if place - line <= _LONGEST_MARK and _ITEM.fullmatch(text, line, place) else place


def reads_as_prose(text: str) -> bool:
    """Whether most of `text` is letters and spaces, as in a sentence, and not in a table or formula."""
    letters = len(_LETTER.findall(text))
    return letters > 0 and letters + text.count(" ") >= 0.8 * len(text)


def without(text: str, cuts: Sequence[Range]) -> str:
    """`text` without the spans `cuts`, which are disjoint and ascending."""
    parts: list[str] = []
    at = 0
    for start, end in cuts:
        parts.append(text[at:start])
        at = end
    parts.append(text[at:])
    return "".join(parts)
