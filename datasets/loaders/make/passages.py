"""Documents -> passages: the pieces that answer one question each.

A passage is a section under its heading, a function of a source file, or a whole document that has neither. A long one
is parted between paragraphs, as near to `LONGEST` characters as they allow, so that the answer to a query is a
matter of a paragraph or two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragembed.chunk.outline import outline
from ragembed.datasets.make.sentences import Range, paragraphs, plain, sentences
from ragembed.types import Document

LONGEST = 1_600
"""Characters, about 250 words: what the usual chunk of 256 tokens holds."""

SHORTEST = 120
"""Characters; less says too little to be an answer."""

_BREAK = re.compile(r"\n[^\S\n]*\n\s*")
_RULE = re.compile(r"[ \t]*([^\w\s])\1{2,}[ \t]*")
_DEFINITION = re.compile(
    r"^[ \t]*(?:export[ \t]+|public[ \t]+|private[ \t]+|static[ \t]+|async[ \t]+)*"
    r"(?:def|class|function|func|fn)[ \t]+\w+[^\n]*",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document, in characters of its text."""

    document: int
    """The document's place in the list."""
    start: int
    end: int
    heading: Range | None
    """The lines of the heading with which the passage begins; None where it has none."""
    titles: tuple[str, ...]
    """Titles of the sections that it is in, the outermost first, its own last."""
    sentences: tuple[Range, ...]
    """The sentences of its prose, without the heading."""
    code: bool = False

    @property
    def begins(self) -> bool:
        """Whether a section or the document begins with it."""
        return self.heading is not None or self.start == 0

    @property
    def body(self) -> Range:
        """The passage without its heading."""
        return (self.heading[1] if self.heading else self.start), self.end


def passages(number: int, document: Document) -> Iterator[Passage]:
    """The passages of `document`, which stands at `number` in its list, in order. Linear in its text."""
    text = document.text
    if _is_code(document):
        starts = [match.start() for match in _DEFINITION.finditer(text)]
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            yield Passage(number, start, start + len(text[start:end].rstrip()), None, (), (), code=True)
        return
    blocks = outline(text).blocks
    passed = 0
    for start, end, heading, titles in _sections(document):
        begin = heading[1] if heading else start
        for part, (low, high) in enumerate(_parts(text, begin, end)):
            if high - low < SHORTEST:
                continue
            while passed < len(blocks) and blocks[passed][1] <= low:
                passed += 1
            prose = paragraphs(text, low, high, _within(blocks, passed, high))
            own = heading if part == 0 else None
            yield Passage(number, own[0] if own else low, high, own, titles, tuple(sentences(text, prose)))


def _is_code(document: Document) -> bool:
    """Whether the reader says so, or the text begins with a definition."""
    if document.metadata.get("format") == "code":
        return True
    first = _DEFINITION.match(document.text)
    return first is not None and re.search(r"[({:]", first.group()) is not None


def _sections(document: Document) -> Iterator[tuple[int, int, Range | None, tuple[str, ...]]]:
    """Start, end, lines of the heading and titles of each section, what stands before the first heading too."""
    text = document.text
    headings = _headings(document)
    first = headings[0][0] if headings else len(text)
    if text[:first].strip():
        title = document.metadata.get("title")
        yield 0, first, None, (title,) if isinstance(title, str) and title else ()
    above: list[tuple[int, str]] = []
    for number, (start, level, title) in enumerate(headings):
        end = headings[number + 1][0] if number + 1 < len(headings) else len(text)
        while above and above[-1][0] >= level:
            above.pop()
        above.append((level, plain(title)))
        yield start, end, (start, _after_heading(text, start, end, title)), tuple(name for _, name in above)


def _headings(document: Document) -> Sequence[tuple[int, int, str]]:
    """The headings that the reader found; else a title with which the text begins; else those of Markdown."""
    found = document.metadata.get("headings")
    text, title = document.text, document.metadata.get("title")
    if isinstance(found, list):
        rows = [row for row in found if isinstance(row, list | tuple) and len(row) == 3]
        return [(start, level, str(name)) for start, level, name in rows if isinstance(start, int)]
    if isinstance(title, str) and title.strip() and text.startswith(title):
        return [(0, 1, title)]
    return outline(text).headings


def _after_heading(text: str, start: int, end: int, title: str) -> int:
    """Where the lines of a heading end: its words, and the rules that some formats draw above and below them."""
    if text.startswith(title, start):
        after = start + len(title)
        if text[after : after + 1] != "\n":
            return after  # a title and the text on one line, as collections have it
    place = start
    line = _line_end(text, place, end)
    if _RULE.fullmatch(text, place, line):
        place = min(line + 1, end)
        line = _line_end(text, place, end)
    below = _line_end(text, min(line + 1, end), end)
    return below if _RULE.fullmatch(text, min(line + 1, end), below) else line


def _line_end(text: str, start: int, end: int) -> int:
    found = text.find("\n", start, end)
    return found if found >= 0 else end


def _parts(text: str, start: int, end: int) -> Iterator[Range]:
    """``text[start:end]`` in parts of about `LONGEST` characters, between paragraphs, else between lines or words."""
    start += len(text[start:end]) - len(text[start:end].lstrip())
    end = start + len(text[start:end].rstrip())
    while end - start > LONGEST * 5 // 4:  # a part and a bit are one
        limit = start + LONGEST
        at = max((match.start() for match in _BREAK.finditer(text, start + SHORTEST, limit)), default=-1)
        for sign in ("\n", " "):
            at = at if at > start else text.rfind(sign, start + LONGEST // 2, limit)
        at = at if at > start else limit
        yield start, start + len(text[start:at].rstrip())
        start = at + len(text[at:limit]) - len(text[at:limit].lstrip())
    if start < end:
        yield start, end


def _within(blocks: Sequence[Range], first: int, end: int) -> Iterator[Range]:
    while first < len(blocks) and blocks[first][0] < end:
        yield blocks[first]
        first += 1
