"""PDF: text page by page, with the pages' starts and the outline's headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ragembed.errors import LimitError, ReadError
from ragembed.extras import require
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Composer, Heading, given_title, make_document, one_line
from ragembed.read.container import broken
from ragembed.types import Document

_BREAK = "\ufffe"
"""PDFium's sign for a hyphen and the line end after it."""
_HYPHENATED = re.compile(rf"\b([^\W\d_]{{2,}})(?:-\n|{_BREAK})([^\W\d_]{{2,}})\b")
_WORD = re.compile(r"[^\W\d_]+")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\uffff\xad]")
_TRAILING = re.compile(r"[ \t]+\n")
_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?")


def read_pdf(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document; pages are parted by a blank line. A PDF without any text is a `ReadError`."""
    pdfium = require("pypdfium2", "files", "reading PDF")
    try:
        pdf = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "assword" in str(error) or "ecurity" in str(error):
            raise ReadError("PDF is encrypted", "save it without a password") from error
        raise broken("pdf", error) from error
    try:
        pages, size = [], 0
        for number in range(len(pdf)):
            pages.append(_page_text(pdfium, pdf, number))
            size += len(pages[-1])
            if size > options.max_expanded:
                fault = f"PDF's text is longer than the limit of {options.max_expanded:,} characters"
                raise LimitError(fault, "raise max_expanded or split it")
        outline = _outline(pdf)
        about = {key: one_line(value) for key, value in pdf.get_metadata_dict(skip_empty=True).items()}
    finally:
        pdf.close()
    text, starts = _join(pages)
    if not text.strip():
        fault = f"PDF holds no text on its {len(pages)} pages (scanned images?)"
        raise ReadError(fault, "run OCR on it first, for example with ocrmypdf")
    yield make_document(
        source,
        text,
        "pdf",
        title=given_title(about.get("Title")),
        authors=[about["Author"]] if "Author" in about else None,
        created=_date(about.get("CreationDate", "")),
        headings=_placed(outline, text, starts),
        pages=starts,
    )


def _page_text(pdfium: Any, pdf: Any, number: int) -> str:
    try:
        page = pdf[number]
    except pdfium.PdfiumError:  # one page that does not load leaves the others readable
        return ""
    try:
        textpage = page.get_textpage()
        try:
            raw = str(textpage.get_text_range())
        finally:
            textpage.close()
    finally:
        page.close()
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    return _TRAILING.sub("\n", _CONTROLS.sub("", text)).strip()


def _join(pages: list[str]) -> tuple[str, list[int]]:
    """All pages as one text, words that a line end parts joined, and where each page begins.

    What looks like a compound, such as "well-known", keeps its hyphen: both parts are words of the document,
    and the whole is not.
    """
    words = {word.lower() for page in pages for word in _WORD.findall(_HYPHENATED.sub(" ", page))}

    def mend(match: re.Match[str]) -> str:
        left, right = match[1], match[2]
        compound = {left.lower(), right.lower()} <= words and (left + right).lower() not in words
        return f"{left}-{right}" if compound else left + right

    composer = Composer()
    for page in pages:
        composer.page()
        if page:
            composer.add(_HYPHENATED.sub(mend, page).replace(_BREAK, "-"))
    found = composer.text
    return found, [*composer.pages, *[len(found)] * (len(pages) - len(composer.pages))]


def _outline(pdf: Any) -> list[tuple[int, int, str]]:
    """Bookmarks as ``(page, level, title)``, pages from 0 and levels from 1."""
    found = []
    for mark in pdf.get_toc(max_depth=9):
        target = mark.get_dest()
        page = None if target is None else target.get_index()
        title = one_line(_CONTROLS.sub("", mark.get_title().replace(_BREAK, "")))
        if page is not None and title:
            found.append((page, mark.level + 1, title))
    return found


def _placed(outline: list[tuple[int, int, str]], text: str, starts: list[int]) -> list[Heading]:
    """The outline's headings where their words stand on their page, else at its beginning."""
    headings: list[Heading] = []
    for page, level, title in outline:
        if not 0 <= page < len(starts):
            continue
        end = starts[page + 1] if page + 1 < len(starts) else len(text)
        words = r"\s+".join(re.escape(word) for word in title.split())
        match = re.compile(words, re.IGNORECASE).search(text, starts[page], end)
        headings.append([match.start() if match else starts[page], level, title])
    return sorted(headings, key=lambda heading: heading[0])


def _date(text: str) -> str | None:
    match = _DATE.match(text)
    if match is None:
        return None
    numbers = [int(part) for part in match.groups() if part]
    numbers += [1] * (3 - len(numbers))
    try:
        return datetime(*numbers).isoformat()  # type: ignore[arg-type]
    except ValueError:
        return None
