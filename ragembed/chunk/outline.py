"""What a Markdown text shows of its structure: headings, and blocks that are read as a whole.

This is a scan of lines, not a parser: chunking needs to know where sections begin and what not to cut, at
the speed of reading. It knows ATX and underlined headings, fenced code, tables and front matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ragembed.chunk.base import Heading, Span

_MARK = re.compile(
    r"\n(?P<indent>[ \t]*+)(?:"
    r"(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\n]*+)"
    r"|(?P<hashes>#{1,6}+)(?P<title>[ \t][^\n]*+|(?=\r?\n|\Z))"
    r"|(?P<underline>={2,}+|-{2,}+)[ \t]*+(?=\r?\n|\Z))"
)
_TABLE = re.compile(r"(?:\n[ \t]*+\|[^\n]*+){2,}+")
_FRONT_MATTER = re.compile(r"\n---[ \t]*\r?\n(?s:.*?)\n(?:---|\.\.\.)[ \t]*\r?(?=\n|\Z)")
_NO_TITLE = ("#", ">", "- ", "* ", "+ ", "|", "```", "~~~", "---", "===")


@dataclass(slots=True)
class Outline:
    """Headings, and the spans of fenced code and tables, each in order of their starts."""

    headings: list[Heading] = field(default_factory=list)
    blocks: list[Span] = field(default_factory=list)


def outline(text: str) -> Outline:
    """Read the structure of a Markdown `text`, in one pass over its lines."""
    found = Outline()
    padded = "\n" + text  # every line then begins after a line feed; offsets into it are one too many
    front = _FRONT_MATTER.match(padded)
    at = front.end() if front else 0
    fence, fence_start = "", 0
    while match := _MARK.search(padded, at):
        at = match.end()
        start = match.start()  # of the line, in `text`
        if match["fence"]:
            if not fence:
                if match["fence"][0] == "~" or "`" not in match["info"]:
                    fence, fence_start = match["fence"], start
            elif match["fence"].startswith(fence) and not match["info"].strip():
                found.blocks.append((fence_start, at - 1))
                fence = ""
        elif not fence and len(match["indent"].expandtabs(4)) < 4:
            heading = _heading(padded, match)
            if heading is not None:
                found.headings.append(heading)
    if fence:
        found.blocks.append((fence_start, len(text)))
    _add_tables(padded, found)
    return found


def _heading(padded: str, match: re.Match[str]) -> Heading | None:
    if match["hashes"]:
        title = match["title"].strip()
        bare = title.rstrip("#")
        if bare != title and (not bare or bare[-1] in " \t"):  # a closing sequence, not the end of "C#"
            title = bare.rstrip()
        return (match.start(), len(match["hashes"]), title)
    before = padded.rfind("\n", 0, match.start())
    line = padded[before + 1 : match.start()]
    title = line.strip()
    if before < 0 or not title or line.startswith(("    ", "\t")) or title.startswith(_NO_TITLE):
        return None
    return (before, 1 if match["underline"][0] == "=" else 2, title)


def _add_tables(padded: str, found: Outline) -> None:
    fences = iter([*found.blocks, (len(padded), len(padded))])
    begin, end = next(fences)
    for match in _TABLE.finditer(padded):
        start, stop = match.start(), match.end() - 1
        while end <= start:
            begin, end = next(fences)
        if stop <= begin:
            found.blocks.append((start, stop))
    found.blocks.sort()
