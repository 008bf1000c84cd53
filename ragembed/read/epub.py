"""EPUB: chapters in reading order, each under its heading, without the navigation."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from ragembed.errors import ReadError
from ragembed.extras import require
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Composer, one_line
from ragembed.read.container import open_container, read_member
from ragembed.read.detect import looks_binary
from ragembed.read.encoding import decode
from ragembed.read.html_parse import parse_html
from ragembed.read.html_text import render
from ragembed.types import Document

_CONTAINER = "META-INF/container.xml"
_PAGES = ("application/xhtml+xml", "text/html")
_NO_TEXT = frozenset({"head", "script", "style", "nav", "svg", "template"})


def read_epub(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document."""
    etree = require("defusedxml.ElementTree", "files", "reading EPUB")
    with open_container(data, "epub", options) as archive:
        package_path = _package_path(etree.fromstring(read_member(archive, _CONTAINER, "epub")))
        package = etree.fromstring(read_member(archive, package_path, "epub"))
        composer = Composer()
        for name in _spine(package, posixpath.dirname(package_path)):
            composer.append(_chapter(archive, name))
    about = {
        key: [one_line("".join(item.itertext())) for item in package.iterfind(f".//{{*}}metadata/{{*}}{key}")]
        for key in ("title", "creator", "language", "date")
    }
    yield composer.document(
        source,
        "epub",
        title=next(iter(about["title"]), None),
        authors=about["creator"],
        lang=next(iter(about["language"]), None),
        created=next(iter(about["date"]), None),
    )


def _package_path(container: Any) -> str:
    rootfile = container.find(".//{*}rootfile")
    path = None if rootfile is None else rootfile.get("full-path")
    if not path:
        raise ReadError("EPUB does not say where its contents are", "export it again")
    return str(path)


def _spine(package: Any, folder: str) -> Iterator[str]:
    """Names of the chapters' files, in reading order."""
    manifest = {item.get("id"): item for item in package.iterfind(".//{*}manifest/{*}item")}
    for reference in package.iterfind(".//{*}spine/{*}itemref"):
        item = manifest.get(reference.get("idref"))
        if (
            item is None
            or item.get("media-type") not in _PAGES
            or "nav" in (item.get("properties") or "").split()
        ):
            continue
        yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))


def _chapter(archive: zipfile.ZipFile, name: str) -> Composer:
    """A chapter's text; one without any heading gets its title as one."""
    data = read_member(archive, name, "epub")
    if looks_binary(data):
        raise ReadError(f"EPUB's chapter {name} is encrypted", "read a copy without copy protection")
    tree = parse_html(decode(data).text, xml=True)
    body = tree.body
    chapter = Composer() if body is None else render(body, lambda node: node.tag in _NO_TEXT)
    element = tree.css_first("title")
    title = "" if element is None else one_line(element.text())
    if chapter.length and not chapter.headings and title:
        chapter.headings.append([0, 1, title])
    return chapter
