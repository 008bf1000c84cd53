"""What format a file has: by its content where that is certain, else by its name."""

from __future__ import annotations

import io
import re
import zipfile

from ragembed.read.code import LANGUAGES, NAMES, language_of
from ragembed.read.container import MAX_MEMBERS
from ragembed.read.encoding import mark_of
from ragembed.read.names import BINARY, suffix

UNKNOWN = "unknown"

SUFFIXES = {
    **dict.fromkeys(("txt", "text", "log", "tex", "bib", "org", "adoc", "asciidoc", "srt", "vtt"), "text"),
    **dict.fromkeys(("md", "markdown", "mdx", "mdown", "mkd"), "markdown"),
    **dict.fromkeys(("rst", "rest"), "rst"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(("jsonl", "ndjson"), "jsonl"),
    **dict.fromkeys(("csv", "tsv", "tab"), "csv"),
    "json": "json",
    "ipynb": "notebook",
    "pdf": "pdf",
    "docx": "docx",
    "docm": "docx",
    "pptx": "pptx",
    "pptm": "pptx",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "epub": "epub",
    **dict.fromkeys(LANGUAGES, "code"),
}
"""Formats by the last part of a file's name."""

CONTAINERS = ("docx", "pptx", "xlsx", "epub")
_PARTS = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
_HEAD = 8192
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b\b"))
_HTML = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def detect(name: str, data: bytes, encoding: str | None = None) -> str:
    """The format of a file called `name` with the content `data`, or `BINARY` or `UNKNOWN`.

    The first kilobytes are enough but for zip containers, which only their end tells apart. An `encoding`
    that is given vouches for text.
    """
    base = name[name.rfind("/") + 1 :].lower()
    by_name = "code" if base in NAMES else SUFFIXES.get(suffix(base))
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return _container(data) or (by_name if by_name in CONTAINERS else UNKNOWN)
    if by_name in CONTAINERS or by_name == "pdf":
        return by_name  # its reader says what is wrong with it
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        return UNKNOWN  # an old Office file or a message
    if encoding is None and looks_binary(data):
        return BINARY
    if by_name in (None, "text") and _HTML.match(data.removeprefix(b"\xef\xbb\xbf")[:_HEAD]):
        return "html"
    if by_name is not None:
        return by_name
    if language_of(name, data[:128]):
        return "code"
    return UNKNOWN if suffix(name) else "text"


def looks_binary(data: bytes) -> bool:
    """Whether the beginning of `data` holds NUL bytes or many control characters."""
    head = data[:_HEAD]
    if mark_of(head) in ("utf-16", "utf-32"):
        return False
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return b"\0" in head or controls > 2 + len(head) // 50


def _container(data: bytes) -> str | None:
    if data.count(b"PK\x01\x02") > MAX_MEMBERS:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError):
        return None
    if "META-INF/container.xml" in names:
        return "epub"
    return next((format_name for part, format_name in _PARTS.items() if part in names), None)
