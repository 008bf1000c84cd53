"""TREC folders: documents, topics and judgements as the conference's tracks hand them out.

- documents: files or folders whose names begin with ``docs``, ``documents``, ``corpus`` or ``collection``;
  ``.jsonl`` is JSON Lines, ``.tsv`` is ``id<TAB>text``, everything else SGML (``<DOC> <DOCNO>id</DOCNO> ...
  </DOC>``). Text is the title (``TITLE``, ``HEADLINE``, ``HEAD`` or ``TTL``) and all the rest with its tags
  taken off. TREC-web pages (those with a ``<DOCHDR>``) are HTML after that header; scripts and styles are
  dropped.
- topics: ``topics*`` or ``queries*``; ``.jsonl``, else ``<top> <num> Number: 301 <title> ...`` of which the
  title is the query, else ``id<TAB>text``. With a split in the name (``topics.test.txt``) it is that split's.
- judgements: ``qrels*``, ``query 0 document gain``. ``qrels.txt`` is the split ``test``, ``qrels.NAME.txt``
  is ``NAME``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from ragembed.datasets.base import Format, Place
from ragembed.datasets.qrels import read_qrels
from ragembed.datasets.rows import json_documents, json_queries, tsv_rows
from ragembed.errors import DatasetError
from ragembed.lines import read_lines
from ragembed.types import Document, Qrels

_DOCUMENTS = ("docs", "documents", "corpus", "collection")
_TOPICS = ("topics", "queries")
_SUFFIXES = (".gz", ".txt", ".tsv", ".jsonl", ".qrels", ".qrel")

_DOC = re.compile(r"\s*<doc>", re.IGNORECASE)
_END = re.compile(r"</doc>\s*", re.IGNORECASE)
_DOCNO = re.compile(r"<docno>(.*?)</docno>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<(title|headline|head|ttl)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_WEB_HEADER = re.compile(r"<dochdr>.*?</dochdr>", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_TOP = re.compile(r"\s*<top>", re.IGNORECASE)
_TOP_END = re.compile(r"</top>", re.IGNORECASE)
_TOP_FIELD = re.compile(r"<(num|title)>\s*(?:Number:|Topic:)?(.*?)(?=<[a-z]+>|</)", re.IGNORECASE | re.DOTALL)


class Trec(Format):
    """Reads a folder of TREC files."""

    name = "TREC"
    layout = "documents (docs*, corpus*), topics* and qrels*"

    def recognises(self, folder: Path) -> bool:
        """True where there are topics and judgements side by side."""
        return bool(_files(folder, _TOPICS)) and bool(_files(folder, ("qrels",)))

    def splits(self, folder: Path) -> list[str]:
        """What the qrels files' names say between ``qrels`` and the suffix, else ``test``."""
        return sorted(_by_split(folder))

    def documents(self, folder: Path) -> Iterator[tuple[Place, Document]]:
        """The documents of all files, folders walked in the order of the names."""
        for path in _files(folder, _DOCUMENTS, folders=True):
            yield from _documents_in(path)

    def queries(self, folder: Path, split: str) -> Iterator[tuple[Place, str, str]]:
        """The split's own topics, else those of the only file."""
        files = _files(folder, _TOPICS)
        own = [path for path in files if split_of(path, _TOPICS) == split]
        if len(own or files) != 1:
            names = ", ".join(path.name for path in own or files)
            raise DatasetError(
                f"{folder}: {names} could all be the topics of {split}", f"name one topics.{split}.txt"
            )
        return _topics_in((own or files)[0])

    def qrels(self, folder: Path, split: str) -> Qrels:
        """The judgements of that split."""
        return read_qrels(_by_split(folder)[split])


def _documents_in(path: Path) -> Iterator[tuple[Place, Document]]:
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    if kind == ".jsonl":
        yield from json_documents(path)
    elif kind == ".tsv":
        yield from ((place, Document(name, text)) for place, name, text in tsv_rows(path))
    else:
        for place, source in _blocks(path, _DOC, _END, "</DOC>"):
            yield place, _sgml_document(place, source)


def _topics_in(path: Path) -> Iterator[tuple[Place, str, str]]:
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        return json_queries(path)
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    return _classic_topics(path) if first.lstrip().startswith("<") else tsv_rows(path)


def _classic_topics(path: Path) -> Iterator[tuple[Place, str, str]]:
    for place, source in _blocks(path, _TOP, _TOP_END, "</top>"):
        found = {
            match.group(1).lower(): " ".join(match.group(2).split())
            for match in _TOP_FIELD.finditer(source + "</")
        }
        if not found.get("num"):
            raise DatasetError(f"{place}: the topic has no <num>", "write <num> Number: 301")
        yield place, found["num"], html.unescape(found.get("title", ""))


def _blocks(
    path: Path, start: re.Pattern[str], end: re.Pattern[str], closing: str
) -> Iterator[tuple[Place, str]]:
    """What lies between the lines of `start` and `end`, with the place of the start."""
    place: Place | None = None
    lines: list[str] = []
    for number, line in read_lines(path):
        if place is None:
            opened = start.match(line)
            if opened is None:
                continue
            place, lines = Place(path, number), []
            line = line[opened.end() :]
        elif start.match(line):
            raise DatasetError(f"{place}: no {closing} before line {number}", f"close it with {closing}")
        closed = end.search(line)
        lines.append(line[: closed.start()] if closed else line)
        if closed:
            yield place, "\n".join(lines)
            place = None
    if place is not None:
        raise DatasetError(
            f"{place}: no {closing} to the end of the file", "the file may be cut short; fetch it again"
        )


def _sgml_document(place: Place, source: str) -> Document:
    number = _DOCNO.search(source)
    if number is None or not number.group(1).strip():
        raise DatasetError(f"{place}: the document has no <DOCNO>", "write <DOCNO>id</DOCNO> after <DOC>")
    name = number.group(1).strip()
    body = source[: number.start()] + source[number.end() :]
    if _WEB_HEADER.search(body):
        return _web_document(name, _WEB_HEADER.sub("", body, count=1))
    found = _TITLE.search(body)
    title = ""
    if found:
        title = _text(found.group(2))
        body = body[: found.start()] + body[found.end() :]
    return Document(name, f"{title} {_text(body)}".strip(), {"title": title} if title else {})


def _web_document(name: str, page: str) -> Document:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(page)
    tree.strip_tags(["script", "style", "noscript"])
    head = tree.css_first("title")
    title = " ".join(head.text().split()) if head else ""
    text = " ".join(tree.body.text(separator=" ").split()) if tree.body else ""
    return Document(name, f"{title} {text}".strip(), {"title": title} if title else {})


def _text(source: str) -> str:
    """`source` without comments and tags, its entities resolved, lines kept."""
    bare = html.unescape(_TAG.sub(" ", _COMMENT.sub(" ", source)))
    return "\n".join(line for line in (" ".join(line.split()) for line in bare.splitlines()) if line)


def _files(folder: Path, prefixes: tuple[str, ...], folders: bool = False) -> list[Path]:
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if not path.name.lower().startswith(prefixes):
            continue
        if path.is_file():
            found.append(path)
        elif folders:
            found += sorted(inner for inner in path.rglob("*") if inner.is_file())
    return found


def split_of(path: Path, prefixes: tuple[str, ...]) -> str:
    """The split that a file's name tells after one of `prefixes`, in small letters; empty where it tells none."""
    name = path.name.lower()
    while name.endswith(_SUFFIXES):
        name = name[: name.rindex(".")]
    prefix = next(prefix for prefix in prefixes if name.startswith(prefix))
    return name.removeprefix(prefix).strip("._-")


def _by_split(folder: Path) -> dict[str, Path]:
    """The file of judgements of each split."""
    return {split_of(path, ("qrels",)) or "test": path for path in _files(folder, ("qrels",))}
