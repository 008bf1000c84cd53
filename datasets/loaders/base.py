"""What a test collection is, what a loader does, and the checks that every collection passes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from ragembed.datasets.references import Locator, Reference
from ragembed.errors import DatasetError
from ragembed.types import Document, Qrels, SpanTruth


class Place(NamedTuple):
    """Where something is written; the line counts from 1."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path} line {self.line}"


class Documents(Protocol):
    """The documents of a collection: counted, and iterable as often as wanted. A list of documents is one."""

    def __iter__(self) -> Iterator[Document]: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Dataset:
    """A test collection, one split of it."""

    name: str
    documents: Documents
    """Read from disk again at each pass, so that a collection larger than memory can be indexed."""
    queries: dict[str, str]
    """Texts of the queries that this split judges, in the order of their file."""
    qrels: Qrels
    split: str = "test"
    unknown: tuple[str, ...] = ()
    """Judged documents that the collection lacks; empty unless `load` was told to allow them."""
    spans: SpanTruth = field(default_factory=dict)
    """Where in the documents the answers stand; empty where the collection does not say."""


class Format(ABC):
    """Reads one kind of folder. Every method may raise `DatasetError` with file and line."""

    name: ClassVar[str]
    layout: ClassVar[str]
    """The files of such a folder in a few words, for errors."""

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """Whether `folder` looks like this format, even if something is missing in it."""

    @abstractmethod
    def splits(self, folder: Path) -> list[str]:
        """Names of the sets of judgements in `folder`, sorted."""

    @abstractmethod
    def documents(self, folder: Path) -> Iterator[tuple[Place, Document]]:
        """The documents one by one."""

    @abstractmethod
    def queries(self, folder: Path, split: str) -> Iterator[tuple[Place, str, str]]:
        """Place, id and text of the queries; it may give more than `split` judges."""

    @abstractmethod
    def qrels(self, folder: Path, split: str) -> Qrels:
        """The judgements of `split`, which is one of `splits`."""

    def references(self, folder: Path, split: str) -> Iterator[Reference]:
        """Where in the documents the answers stand, of all queries or of those of `split`; by default nowhere."""
        return iter(())


@dataclass(frozen=True, slots=True)
class StoredDocuments:
    """The documents of a folder, read anew at each iteration."""

    form: Format
    folder: Path
    count: int

    def __iter__(self) -> Iterator[Document]:
        for _, document in self.form.documents(self.folder):
            yield document

    def __len__(self) -> int:
        return self.count


def read_dataset(form: Format, folder: Path, name: str, split: str, allow_unknown: bool) -> Dataset:
    """Read `folder` and check it: ids are unique, queries have a text, and judgements and spans speak of both.

    This reads every document once and keeps only the ids.
    """
    splits = form.splits(folder)
    if split not in splits:
        there = f"there are: {', '.join(splits)}" if splits else f"{form.name} wants {form.layout}"
        raise DatasetError(f"{folder} has no judgements for the split {split!r}", there)
    qrels = form.qrels(folder, split)
    queries = _queries(form, folder, split)
    locator = Locator(form.references(folder, split))
    ids = _document_ids(form, folder, locator)
    spans = locator.truth(queries, qrels, allow_unknown)
    unasked = [query for query in qrels if query not in queries]
    unknown = _unknown(qrels, ids)
    if unasked and not allow_unknown:
        raise DatasetError(
            f"the judgements of {folder} name {_some(unasked, 'unknown query', 'unknown queries')}",
            "add them to the queries, or allow unknown ids (--allow-unknown): they then score 0",
        )
    if unknown and not allow_unknown:
        raise DatasetError(
            f"the judgements of {folder} name {_some(unknown, 'unknown document', 'unknown documents')}",
            "add them to the documents, or allow unknown ids (--allow-unknown): they then count as not found",
        )
    judged = {query: text for query, text in queries.items() if query in qrels}
    documents = StoredDocuments(form, folder, len(ids))
    return Dataset(name, documents, judged, qrels, split, tuple(unknown), spans)


def _queries(form: Format, folder: Path, split: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    places: dict[str, Place] = {}
    for place, query, text in form.queries(folder, split):
        if query in places:
            raise _twice("query", query, places[query], place)
        if not text.strip():
            raise DatasetError(f"{place}: query {query!r} has no text", "give it one, or take the query out")
        texts[query] = text
        places[query] = place
    if not texts:
        raise DatasetError(f"{folder} holds no query", f"{form.name} wants {form.layout}")
    return texts


def _document_ids(form: Format, folder: Path, locator: Locator) -> set[str]:
    ids: set[str] = set()
    for place, document in form.documents(folder):
        if document.id in ids:
            first = next(its for its, other in form.documents(folder) if other.id == document.id)
            raise _twice("document", document.id, first, place)
        ids.add(document.id)
        locator.see(document)
    if not ids:
        raise DatasetError(f"{folder} holds no document", f"{form.name} wants {form.layout}")
    return ids


def _twice(kind: str, name: str, first: Place, second: Place) -> DatasetError:
    again = f"line {second.line}" if first.path == second.path else str(second)
    return DatasetError(f"{kind} id {name!r} stands in {first} and again in {again}", "give each its own id")


def _unknown(qrels: Qrels, ids: set[str]) -> list[str]:
    return list(dict.fromkeys(d for judged in qrels.values() for d in judged if d not in ids))


def _some(names: Iterable[str], one: str, many: str) -> str:
    every = list(names)
    shown = ", ".join(map(repr, every[:3])) + (", ..." if len(every) > 3 else "")
    return f"{len(every)} {one if len(every) == 1 else many} ({shown})"
