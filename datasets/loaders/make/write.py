"""A test set as a BEIR folder that says of itself how it was made.

corpus.jsonl  queries.jsonl  qrels/test.tsv  spans.jsonl      what `ragembed.datasets.load` reads
make.json                                                    how it was made, and what is in it, in numbers
README.md                                                    the same for people, with what it cannot measure
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed import __version__
from ragembed.datasets.make.build import MadeQuery, MadeSet, MakeOptions, Progress, make_test_set
from ragembed.datasets.make.readme import readme
from ragembed.datasets.make.source import Source, read_source
from ragembed.datasets.qrels import write_qrels
from ragembed.datasets.replace import replacing, require_apart, require_replaceable
from ragembed.datasets.spans import write_spans
from ragembed.errors import DatasetError, StoreError
from ragembed.exchange.staging import staged
from ragembed.lines import write_lines
from ragembed.read.base import Failure
from ragembed.types import Document

RECORD = "make.json"
FORMAT = 1
_PARTS = re.compile(
    r"corpus\.jsonl|queries\.jsonl|qrels(/test\.tsv)?|spans\.jsonl|README\.md|" + re.escape(RECORD)
)


@dataclass(frozen=True, slots=True)
class Made:
    """What `make_dataset` wrote."""

    folder: Path
    facts: dict[str, Any]
    """The content of make.json."""


def make_dataset(
    source: str | Path,
    folder: str | Path,
    options: MakeOptions | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
    failed: Callable[[Failure], None] | None = None,
) -> Made:
    """Make a test set of an index, a collection or documents, in a new or empty `folder`, whole or not at all.

    With `force` a folder that this function made, and to which nothing was added, is replaced (`replacing` says what
    a kill leaves), but never the source. `failed` is called for every document that could not be read, before the
    work begins. Raises `DatasetError` where the documents are too few or the folder is taken, and `StoreError` where
    the disk refuses.
    """
    options = options or MakeOptions()
    target = Path(os.path.realpath(folder))
    require_apart(Path(source), target)
    _require_place(target, force)
    read = read_source(source)
    if failed is not None:
        for failure in read.failed:
            failed(failure)
    made = make_test_set(read.documents, options, progress)
    facts = _facts(read, options, made)
    with replacing(target, _PARTS) if _is_ours(target) else staged(target) as new:
        write_lines(new / "corpus.jsonl", map(_document_row, made.documents))
        write_lines(new / "queries.jsonl", map(_query_row, made.queries))
        (new / "qrels").mkdir()
        write_qrels(new / "qrels" / "test.tsv", made.qrels, "beir")
        write_spans(new / "spans.jsonl", made.spans)
        write_lines(new / RECORD, [json.dumps(facts, ensure_ascii=False, indent=2)])
        write_lines(new / "README.md", readme(facts, made))
    return Made(Path(folder), facts)


def _facts(source: Source, options: MakeOptions, made: MadeSet) -> dict[str, Any]:
    """Nothing of the day, the machine or the path, so that the same documents give the same bytes."""
    return {
        "format": FORMAT,
        "ragembed": __version__,
        "source": source.name,
        "source_kind": source.kind,
        "asked": options.queries,
        "seed": options.seed,
        "kinds": list(options.kinds),
        "keep_text": options.keep_text,
        "language": made.language,
        "documents": len(made.documents),
        "failed": len(source.failed),
        "passages": made.passages,
        "queries": len(made.queries),
        "judgements": sum(map(len, made.qrels.values())),
        "spans": sum(map(len, made.spans.values())),
        "queries_by_kind": made.count("kind"),
        "queries_by_difficulty": made.count("difficulty"),
        "not_asked": dict(made.dropped),
    }


def _document_row(document: Document) -> str:
    row: dict[str, Any] = {"_id": document.id, "title": "", "text": document.text}
    if document.metadata:
        row["metadata"] = dict(document.metadata)
    return json.dumps(row, ensure_ascii=False)


def _query_row(query: MadeQuery) -> str:
    told = {"kind": query.kind, "difficulty": query.difficulty, "overlap": query.overlap,
            "drawn_from": query.drawn_from}  # fmt: skip
    return json.dumps({"_id": query.id, "text": query.text, "metadata": told}, ensure_ascii=False)


def _is_ours(folder: Path) -> bool:
    try:
        facts = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and {"format", "ragembed"} <= facts.keys()


def _require_place(target: Path, force: bool) -> None:
    """Refuse a folder that is taken before any work is done."""
    try:
        taken = any(target.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            f"{target} cannot be used ({error.strerror})", "name a new or empty folder"
        ) from error
    if taken and not _is_ours(target):
        raise DatasetError(
            f"{target} is not empty, and holds no test set that was made here", "name a new or empty folder"
        )
    if taken and not force:
        raise DatasetError(f"{target} holds a test set already", "replace it with --force, or name another")
    if taken:
        require_replaceable(target, _PARTS)
