"""Builds a document's text from blocks while it notes where headings and pages begin."""

from __future__ import annotations

from typing import Any

from ragembed.read.base import Source
from ragembed.types import Document

Heading = list[Any]
"""``[start, level, title]``: the character where the heading begins, 1 for the outermost level, its words."""

OURS = frozenset({"path", "format", "first_line", "headings", "pages", "encoding", "decoding_errors"})
"""Metadata keys that readers set; a file's own field of such a name gets an underscore after it."""


GENERIC_TITLES = frozenset({"powerpoint presentation", "untitled", "presentation", "document", "slide 1"})
"""What programs write as a title where nobody gave one."""

_LIGATURES = str.maketrans(
    {
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
    }
)
"""Typesetting, not spelling: a search for "specification" must find "speci\ufb01cation"."""


class Composer:
    """Text in the making."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._waiting_pages = 0
        self.length = 0
        self.headings: list[Heading] = []
        self.pages: list[int] = []

    def add(self, text: str, newlines: int = 2) -> int:
        """Add `text` after `newlines` line ends (none at the very start); gives where it begins."""
        if not text.isascii():
            text = text.translate(_LIGATURES)
        if self.length:
            self._parts.append("\n" * newlines)
            self.length += newlines
        start = self.length
        self.pages.extend([start] * self._waiting_pages)
        self._waiting_pages = 0
        self._parts.append(text)
        self.length += len(text)
        return start

    def heading(self, level: int, title: str, newlines: int = 2) -> None:
        """Add a heading as a line of its own."""
        self.headings.append([self.add(title, newlines), level, title.translate(_LIGATURES)])

    def page(self) -> None:
        """What is added next begins a page."""
        self._waiting_pages += 1

    def append(self, other: Composer) -> None:
        """Add all of another composer's text and headings."""
        if other.length:
            start = self.add(other.text)
            self.headings.extend([at + start, level, title] for at, level, title in other.headings)

    @property
    def text(self) -> str:
        """All that was added."""
        return "".join(self._parts)

    def document(self, source: Source, format_name: str, **more: Any) -> Document:
        """The document; its metadata is what was noted and `more` (None and empty values left out)."""
        text = self.text
        pages = self.pages + [len(text)] * self._waiting_pages
        return make_document(source, text, format_name, headings=self.headings, pages=pages, **more)


def make_document(source: Source, text: str, format_name: str, **more: Any) -> Document:
    """A file as one document; `more` is its metadata, of which None and empty values are left out."""
    metadata = {"path": source.id, "format": format_name}
    metadata.update((key, value) for key, value in more.items() if value not in (None, "", [], {}))
    return Document(source.id, text, metadata)


def first_title(headings: list[Heading], text: str) -> str | None:
    """The first heading of level 1, else one of any level that `text` begins with."""
    for start, level, title in headings:
        if level == 1 or not text[:start].strip():
            return str(title)
    return None


def given_title(text: str | None) -> str | None:
    """A title from a file's properties, unless it is what a program puts there by itself."""
    title = one_line(text or "")
    return None if title.lower() in GENERIC_TITLES else title


def own_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """A file's own fields, renamed where a reader's key has their name."""
    return {f"{key}_" if key in OURS else key: value for key, value in fields.items()}


def scalar(text: str) -> str | int | float | bool:
    """A number or truth value where `text` is exactly how it would be printed, else `text`.

    ``"007"`` and ``"1.10"`` stay strings, so that nothing is lost.
    """
    if text in ("true", "false"):
        return text == "true"
    if len(text) < 20 and text[:1] in "-0123456789" and text:
        for kind in (int, float):
            try:
                number = kind(text)
            except ValueError:
                continue
            if str(number) == text:
                return number
    return text


def whole(text: str) -> str:
    """`text` with U+FFFD for every half of a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str) -> str:
    """`text` with every run of white space made one space."""
    return " ".join(text.split())
