"""Writing a collection as a folder in BEIR or TREC form, so that `load` gives it back.

BEIR holds everything: metadata, spans, and ids with spaces. TREC (``documents.txt`` as SGML, ``topics.txt``,
``qrels.txt``) is for the programs that read nothing else; it keeps ids, judgements, titles and words, and loses what
`Written.lost` says.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.datasets.base import Dataset, StoredDocuments
from ragembed.datasets.qrels import write_qrels
from ragembed.datasets.replace import replacing, require_apart
from ragembed.datasets.spans import write_spans
from ragembed.datasets.trec import split_of
from ragembed.errors import DatasetError, StoreError
from ragembed.exchange.staging import staged
from ragembed.lines import write_lines
from ragembed.types import Document

_PARTS = re.compile(
    r"(corpus|queries|qrels|spans|documents|docs|topics)[^/]*\.(jsonl|tsv|txt|qrels?)(\.gz)?"
    r"|qrels(/[^/]+\.tsv(\.gz)?)?|readme(\.\w+)?",
    re.IGNORECASE,
)
"""What may lie in a folder that is replaced."""


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_dataset` wrote."""

    folder: Path
    form: str
    documents: int
    queries: int
    judgements: int
    spans: int
    lost: tuple[str, ...]
    """What the form does not hold, a line each; empty: all is there."""


def write_dataset(
    dataset: Dataset, folder: str | Path, form: str = "beir", *, force: bool = False
) -> Written:
    """Write one split of a collection to the new or empty `folder`, whole or not at all.

    With `force` a folder that holds a collection and nothing else is replaced (`replacing` says what a kill leaves),
    but never the one that `dataset` is read from. Raises `DatasetError` for that, and for an id or text that the form
    cannot hold, naming it, and `StoreError` where the folder is taken or the disk refuses.
    """
    if form not in FORMS:
        raise DatasetError(f"collections are not written as {form!r}", f"valid are: {', '.join(FORMS)}")
    target = Path(os.path.realpath(folder))
    if isinstance(dataset.documents, StoredDocuments):
        require_apart(dataset.documents.folder, target)
    taken = target.is_dir() and any(target.iterdir())
    if taken and not force:
        raise StoreError(
            f"{target} exists and is not empty",
            "name a new or empty folder, or replace the collection in it (--force)",
        )
    with replacing(target, _PARTS) if taken else staged(target) as new:
        documents, lost = FORMS[form](dataset, new)
    return Written(
        Path(folder),
        form,
        documents,
        len(dataset.queries),
        sum(map(len, dataset.qrels.values())),
        0 if form == "trec" else sum(map(len, dataset.spans.values())),
        tuple(lost),
    )


def _beir(dataset: Dataset, folder: Path) -> tuple[int, list[str]]:
    documents = _Documents(dataset)
    write_lines(folder / "corpus.jsonl", (_json(row["_id"], row) for row in map(_beir_row, documents)))
    rows = ({"_id": _named("query", query), "text": text} for query, text in _asked(dataset))
    write_lines(folder / "queries.jsonl", (_json(row["_id"], row) for row in rows))
    (folder / "qrels").mkdir()
    write_qrels(folder / "qrels" / f"{_split(dataset.split)}.tsv", dataset.qrels, "beir")
    if any(dataset.spans.values()):
        write_spans(folder / "spans.jsonl", dataset.spans)
    return documents.seen, []


def _beir_row(document: Document) -> dict[str, Any]:
    """The row that is read back as `document`: its text is title, space and text, stripped."""
    metadata = dict(document.metadata)
    title, text = metadata.get("title"), document.text
    if text != text.strip():
        raise DatasetError(
            f"the text of document {document.id!r} begins or ends with white space, which is not kept",
            "strip it, and shift the spans in it",
        )
    if isinstance(title, str) and title:
        rest = text.removeprefix(title).removeprefix(" ")
        if f"{title} {rest}".strip() == text:
            del metadata["title"]
        else:  # a title that is not part of the text
            title, rest = "", text
    else:
        title, rest = "", text
    row = {"_id": document.id, "title": title, "text": rest}
    return {**row, "metadata": metadata} if metadata else row


def _trec(dataset: Dataset, folder: Path) -> tuple[int, list[str]]:
    documents = _Documents(dataset)
    suffix = "" if dataset.split == "test" else f".{dataset.split}"
    names = {part: f"{part}{suffix}.txt" for part in ("topics", "qrels")}
    if (split_of(Path(names["qrels"]), ("qrels",)) or "test") != _split(dataset.split):
        raise DatasetError(
            f"the split {dataset.split!r} does not fit into the name of a TREC file",
            "name it in small letters, or write BEIR",
        )
    write_lines(folder / "documents.txt", (line for document in documents for line in _sgml(document)))
    write_lines(
        folder / names["topics"], (line for query, text in _asked(dataset) for line in _topic(query, text))
    )
    write_qrels(folder / names["qrels"], dataset.qrels, "trec")
    told = (
        (documents.more, "document", "metadata beside the title"),
        (documents.untitled, "document", "a title with which the text does not begin"),
        (documents.laid_out, "document", "white space that is more than a blank or a line's end"),
        (sum(map(len, dataset.spans.values())), "span", "reference spans"),
    )
    return documents.seen, [f"{what} ({n:,} {unit}{'s' * (n != 1)})" for n, unit, what in told if n]


def _sgml(document: Document) -> Iterator[str]:
    title, text = document.metadata.get("title"), document.text
    yield f"<DOC>\n<DOCNO>{_tagged('document', document.id)}</DOCNO>"
    if title and _begins(text, title):
        yield f"<TITLE>{html.escape(title, quote=False)}</TITLE>"
        text = text.removeprefix(title)
    yield f"<TEXT>\n{html.escape(text, quote=False)}\n</TEXT>\n</DOC>"


def _begins(text: str, title: Any) -> bool:
    """Whether a text is its title, a space and more, or the title alone."""
    return isinstance(title, str) and bool(title.strip()) and (text == title or text.startswith(f"{title} "))


def _topic(query: str, text: str) -> Iterator[str]:
    words = html.escape(" ".join(text.split()), quote=False)
    if words.lower().startswith(("number:", "topic:")):  # which a reader takes for a label of the field
        words = f"&#{ord(words[0])};{words[1:]}"
    yield f"<top>\n<num> Number: {_tagged('query', query)}\n<title> {words}\n</top>\n"


FORMS: dict[str, Callable[[Dataset, Path], tuple[int, list[str]]]] = {"beir": _beir, "trec": _trec}
"""Writers by the name of their form: each gives the number of documents, and what was lost."""


class _Documents:
    """The documents of a collection as they go by: counted, and held to have ids of their own."""

    def __init__(self, dataset: Dataset) -> None:
        self._documents = dataset.documents
        self.seen = self.more = self.untitled = self.laid_out = 0

    def __iter__(self) -> Iterator[Document]:
        known: set[str] = set()
        for document in self._documents:
            if _named("document", document.id) in known:
                raise DatasetError(f"two documents have the id {document.id!r}", "give each its own id")
            known.add(document.id)
            self.seen += 1
            self.more += not document.metadata.keys() <= {"title"}
            title = document.metadata.get("title")
            self.untitled += title is not None and not _begins(document.text, title)
            lines = (" ".join(line.split()) for line in document.text.splitlines())
            self.laid_out += document.text != "\n".join(filter(None, lines))
            yield document
        if not known:
            raise DatasetError(
                "the collection holds no document", "a collection without documents is not read"
            )


def _asked(dataset: Dataset) -> Iterator[tuple[str, str]]:
    if not dataset.queries:
        raise DatasetError("the collection holds no query", "a collection without queries is not read")
    for query, text in dataset.queries.items():
        if not text.strip():
            raise DatasetError(f"query {query!r} has no text", "give it one, or take the query out")
        yield query, text


def _named(what: str, name: str) -> str:
    if not name.strip():
        raise DatasetError(f"a {what} has the id {name!r}", "give it one that is not empty")
    return name


def _tagged(what: str, name: str) -> str:
    if _named(what, name).split() != [name] or any(character in name for character in "<>\0"):
        raise DatasetError(
            f"the {what} id {name!r} does not fit into TREC form, which takes no white space and no < >",
            "rename it, or write BEIR",
        )
    return name


def _split(name: str) -> str:
    if not name or name != Path(name).name or name.startswith("."):
        raise DatasetError(f"the split {name!r} cannot be part of a file's name", "rename it")
    return name


def _json(name: str, row: dict[str, Any]) -> str:
    try:
        return json.dumps(row, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"the metadata of {name!r} is no JSON ({error})", "keep plain values only"
        ) from error
