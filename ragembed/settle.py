"""Settling what specs leave open, once, when the first documents come: language, tokenizer, what embedders learn."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.config import EmbedderRecord
from ragembed.embed.identity import record as record_identity
from ragembed.index.files import EMBEDDERS, sync_tree, unwritable

if TYPE_CHECKING:
    from ragembed.chunk.base import Chunker
    from ragembed.embed.base import Embedder
    from ragembed.index.content import Passage

SAMPLE = 1_000
"""Chunks that an embedder looks at to settle what its spec leaves open."""
_FEW = 256
"""Chunks below which what an embedder learns is worth a warning: the dimension of `lsa`."""


def settle_embedder(
    number: int,
    embedder: Embedder,
    sample: Sequence[Passage],
    texts: Callable[[], Iterable[Passage]],
    folder: Path,
    notes: list[str],
) -> EmbedderRecord:
    """Have an embedder adapt to the corpus, or to the field that it is for, and learn from it; tell what it is then.

    What it learns is saved below `folder`, that of the index; `notes` gets what the user should know.
    """
    seen = list(_embedded(embedder, sample))
    embedder.adapt(seen)
    if getattr(embedder, "download", False):
        vars(embedder)["download"] = False  # allowed now is not allowed to whoever opens the index
    learnt = None
    if embedder.learns:
        if len(seen) < _FEW:
            notes.append(
                f"{embedder.name} has learnt from {len(seen)} chunks only, and keeps what it learnt:"
                " index most of the documents in the first run"
            )
        embedder.fit(_embedded(embedder, texts()))
        learnt = save_learnt(embedder, folder, number)
    dimension = None if embedder.kind == "sparse" else embedder.dimension
    return EmbedderRecord(str(embedder.spec), embedder.kind, dimension, learnt, record_identity(embedder))


def _embedded(embedder: Embedder, passages: Iterable[Passage]) -> Iterator[str]:
    """What the embedder embeds of some chunks; those without its field say nothing."""
    for passage in passages:
        text = passage.embedded(embedder.field)
        if embedder.field is None or text.strip():
            yield text


def save_learnt(embedder: Embedder, folder: Path, number: int, *, again: bool = False) -> str:
    """Write what embedder `number` has learnt into the index at `folder`, durably; returns where, relative to it.

    What it learnt `again` goes to a new place, as the catalog still names the old one.
    """
    learnt = f"{EMBEDDERS}/{number}-{embedder.name}" + (f"-{secrets.token_hex(4)}" if again else "")
    with unwritable(folder / learnt):
        embedder.save(folder / learnt)
        sync_tree(folder / learnt)
    return learnt


def fitting_chunker(spec: str, embedders: Sequence[Embedder]) -> Chunker:
    """The chunker of `spec`, its open choices settled by what the embedders can take.

    ``tokenizer=auto`` becomes the tokenizer of the first embedder that has one, else ``words``; a size over what
    that embedder can take whole is lowered to it, so that nothing is cut off unseen.
    """
    from ragembed.chunk import CHUNKERS

    chunker = CHUNKERS.create(spec)
    changes: dict[str, Any] = {}
    names = {field.name for field in fields(chunker)}  # type: ignore[arg-type]
    of_text = [embedder for embedder in embedders if embedder.field is None]
    owner = next((embedder for embedder in of_text if embedder.tokenizer_name), None)
    if "tokenizer" in names and getattr(chunker, "tokenizer") == "auto":  # noqa: B009
        changes["tokenizer"] = owner.tokenizer_name if owner else "words"
        limit = owner.fitting_tokens if owner else None
        if limit is not None and "tokens" in names and getattr(chunker, "tokens") > limit:  # noqa: B009
            changes["tokens"] = limit
            changes["overlap"] = min(getattr(chunker, "overlap", 0), limit // 2)
    return replace(chunker, **changes) if changes else chunker  # type: ignore[type-var]
