"""Checks of what lies on disk: a document that the index does not hold, or holds as it was before its file changed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from ragembed.chunk import CHUNKERS
from ragembed.config import PipelineConfig
from ragembed.explain.case import Case, Finding
from ragembed.explain.reread import changed, is_file, options_of, reread
from ragembed.explain.unread import cause_of_absence
from ragembed.explain.whatif import Outcome, best_outcome
from ragembed.filters.conditions import ID_KEY
from ragembed.index.content import Passage
from ragembed.types import Chunk, Document

_CHUNKS = 64
"""Most chunks of a file that are embedded to see where it would stand."""


def absent(case: Case) -> Finding | None:
    """The index has no chunk of the document: it was not read, gave nothing, or was deleted."""
    if case.target.rows:
        return None
    if case.target.path is None or case.target.documents:
        return Finding(
            "failed_to_parse",
            "empty",
            f"{case.name} is in the index, and holds no text",
            "put text into it, or leave it out",
            {"file": case.target.path},
        )
    cause = cause_of_absence(case.target, case.state.catalog, case.files)
    evidence = dict(cause.evidence)
    outcome = _would_be(case, cause.documents)
    if outcome is not None:
        evidence["would_be"] = outcome.as_json()
    return Finding(cause.stage, cause.reason, cause.message, cause.remedy, evidence)


def stale(case: Case) -> Finding | None:
    """Its file has changed since it was read, and as it is now it would be found."""
    record, path = case.target.record, case.target.path
    if path is None or record is None:
        return None
    if not is_file(path):
        case.notes.append(f"its file {path!r} is gone; `ragembed index --prune` would delete it")
        return None
    if record.size < 0:
        case.notes.append(f"the last run did not finish its file {path!r}")
        return None
    if not changed(record):
        return None
    note = f"its file {path!r} has changed since it was read"
    if case.way.answer is not None:
        case.notes.append(note)
        return None
    documents = reread(path, record.id, options_of(record)).documents
    if case.target.only is not None:
        documents = tuple(document for document in documents if document.id == case.target.only)
    outcome = _would_be(case, documents)
    if outcome is None or outcome.rank is None or outcome.rank > case.k:
        case.notes.append(f"{note}, and as it is now it would not be found either")
        return None
    return Finding(
        "stale",
        "changed",
        f"{path!r} has changed since it was read, and would be hit {outcome.rank} as it is now",
        f"index it again: ragembed index {path} -o {case.state.catalog.path.parent}",
        {"file": path, "would_be": outcome.as_json()},
    )


def _would_be(case: Case, documents: Iterable[Document]) -> Outcome | None:
    """Where the best chunk of these documents would stand in place of those that the index has."""
    config = PipelineConfig.from_json(case.state.catalog.setting("config"))
    if not config.embedders:
        return None
    chunker = CHUNKERS.create(config.settled_chunker or config.chunker)
    chunks = [
        (document, chunk)
        for document, chunk in islice(
            ((document, chunk) for document in documents for chunk in chunker.chunk(document)), _CHUNKS
        )
    ]
    if chunks and not any(_passes(case, *pair) for pair in chunks):
        case.notes.append("the filter would not let it through either")
    passages = [Passage.of(chunk, document) for document, chunk in chunks]
    texts = [passage.embedded(None) for passage in passages]
    return best_outcome(case.state, texts, case.target.rows, passages)


def _passes(case: Case, document: Document, chunk: Chunk) -> bool:
    metadata = {**document.metadata, **chunk.metadata, ID_KEY: document.id}
    return case.condition is None or case.condition.matches(metadata)
