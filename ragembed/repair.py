"""Repair: what is damaged or lost and can be had from what the index stores is made anew.

The catalog stores the text of every chunk, so segments can be embedded again and embedders can learn again; only for
chunks that are embedded in their documents (`long=late`) these are read again from their files. New segments
come first, and one transaction names all of them: a crash leaves the index as damaged as it was, and files that the
next writer sweeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from ragembed.budget import BATCH_CHUNKS
from ragembed.config import EmbedderRecord, PipelineConfig
from ragembed.embed.base import Dense, checked_chunks
from ragembed.errors import EmbeddingError, RagembedError
from ragembed.index.check_catalog import tolerant
from ragembed.index.check_segments import Held, accelerators, held_by, records_of, rows_of
from ragembed.index.problems import Problem
from ragembed.index.records import SegmentRecord
from ragembed.index.repair_catalog import mend_contents, mend_generation, mend_indexes, mend_rows
from ragembed.index.runs import Rows, encode_runs
from ragembed.index.schema import ACCELERATORS
from ragembed.index.verify import learnt_fault, verify
from ragembed.index.writer import Vectors, Writer

if TYPE_CHECKING:
    from ragembed.embed.base import Embedder
    from ragembed.pipeline import Pipeline

_PAGE = 64
"""Chunks whose texts are read at once."""
_CHARACTERS = 1 << 24
"""Text that is embedded at once; tokens and sorting them take up to 24 bytes a character."""
_BYTES = 1 << 26
"""Size of a new segment of vectors."""


def repair(pipeline: Pipeline) -> list[Problem]:
    """Mend what `verify` finds in the index; returns all that was wrong.

    What cannot be mended stays as it is, and `verify` tells it again. Raises the error that keeps an embedder from
    being used, such as `IdentityError` where it is not what it was, after all else is mended.
    """
    store = pipeline.store
    with store.locked() as catalog:
        found = verify(store)
        if any(problem.mendable for problem in found):
            with tolerant(catalog.db):
                _Mender(store, catalog).mend()
            pipeline._makers.refresh()
    return found


@dataclass(slots=True)
class _Part:
    """The segments of one embedder: those that stay, and those that are made anew."""

    record: EmbedderRecord
    held: Held
    new: list[tuple[SegmentRecord, Rows]] = field(default_factory=list)
    error: RagembedError | None = None
    """Why none can be made; then its damaged segments stay, so that no search passes over what they held."""


class _Mender(Writer):
    """A writer that takes nothing for granted of what the catalog says about segments."""

    def mend(self) -> None:
        """Mend the catalog, then all embedders' segments in one transaction."""
        mend_indexes(self.catalog)
        mend_generation(self.catalog)
        with self.transaction():
            mend_contents(self.catalog)
        config = PipelineConfig.from_json(self.catalog.setting("config"))
        chunks = rows_of(self.catalog, "chunks")
        numbers = range(len(config.embedders))
        if not len(chunks) and any(learnt_fault(self.store, config, number) for number in numbers):
            # there is nothing to learn from: the next documents settle everything again
            config = replace(config, settled_chunker=None, chunker_probe=None, embedders=())
        records, bad = records_of(self.catalog)
        fast = accelerators(self.store, self.catalog, config.embedders)
        parts = [
            self._part(config, n, [r for r in records if r.embedder == n and not r.accelerates], chunks)
            for n in numbers[: len(config.embedders)]
        ]
        failed = [number for number, part in enumerate(parts) if part.error]
        if fast.problems or any(part.new or part.record not in config.embedders for part in parts):
            fast = Held()  # they can be had again: by ragembed optimize, or the next index
        named = {record.name for part in [*(part.held for part in parts), fast] for record, _ in part.kept}
        dropped = [] if failed else bad
        dropped += [
            r.name for r in records if r.name not in named and (r.accelerates or r.embedder not in failed)
        ]
        with self.transaction():
            for name in dropped:
                raw = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
                self.catalog.db.execute("DELETE FROM segments WHERE CAST(name AS BLOB) IS ?", (raw,))
            for part in parts:
                for record, _ in part.new:
                    self.catalog.put_segment(record)
            config = replace(config, embedders=tuple(part.record for part in parts))
            self.catalog.put_setting("config", config.to_json())
            if not fast.kept:
                self.catalog.put_setting(ACCELERATORS, {})
            held = [rows for part in parts for _, rows in (*part.held.kept, *part.new)]
            held += [rows for _, rows in fast.kept]
            if failed:  # whose segments stay, with the deleted rows in them
                held.append(rows_of(self.catalog, "dead"))
            mend_rows(self.catalog, np.concatenate([np.zeros(0, np.int64), *held]))
        for number in failed:
            raise cast("RagembedError", parts[number].error)
        self.sweep()

    def _part(self, config: PipelineConfig, number: int, records: list[SegmentRecord], chunks: Rows) -> _Part:
        """What one embedder's segments are to be; writes the files of those that are new."""
        record = config.embedders[number]
        lost = learnt_fault(self.store, config, number)
        if lost is None:
            part = _Part(record, held_by(self.store, records, record, chunks))
            if not len(part.held.missing):
                return part
        else:
            part = _Part(record, Held(missing=chunks))
        try:
            if lost is None:
                embedder = self._embedder(record)
            else:
                embedder, part.record = self._taught(record, number)
            for rows, vectors in self._vectors(embedder, part.held):
                part.new.append((self._write(number, vectors, len(rows), encode_runs(rows)), rows))
        except RagembedError as error:
            return _Part(record, held_by(self.store, records, record, chunks), error=error)
        return part

    def _embedder(self, record: EmbedderRecord) -> Embedder:
        """The embedder of that record; `IdentityError` where it is not what it was."""
        from ragembed.embed.identity import embedder_of

        return embedder_of(record, self.store.folder)

    def _taught(self, record: EmbedderRecord, number: int) -> tuple[Embedder, EmbedderRecord]:
        """The embedder of that record after it has learnt from all stored texts, and what it is then."""
        from ragembed.embed import EMBEDDERS
        from ragembed.embed.identity import check_recorded
        from ragembed.embed.identity import record as identity
        from ragembed.settle import save_learnt

        embedder = EMBEDDERS.create(record.spec)
        check_recorded(record, embedder, self.store.folder)
        texts = self.catalog.all_embedded_texts(embedder.field)
        embedder.fit(text for text in texts if embedder.field is None or text.strip())
        folder = save_learnt(embedder, self.store.folder, number, again=True)
        dimension = None if embedder.kind == "sparse" else embedder.dimension
        return embedder, replace(record, folder=folder, dimension=dimension, identity=identity(embedder))

    def _vectors(self, embedder: Embedder, held: Held) -> Iterator[tuple[Rows, Vectors]]:
        """New segments for all that is missing, with their rows; none reaches past one that is kept."""
        from ragembed.sync import embed

        first = np.array([rows[0] for _, rows in held.kept], np.int64)
        gaps = np.flatnonzero(np.diff(np.searchsorted(first, held.missing))) + 1
        for rows in np.split(held.missing, gaps):
            if embedder.in_context:
                for start in range(0, len(rows), BATCH_CHUNKS["dense"]):
                    part = rows[start : start + BATCH_CHUNKS["dense"]]
                    yield part, self._in_documents(embedder, part)
                continue
            if embedder.kind != "dense":
                for part, texts in self._texts(rows, BATCH_CHUNKS[embedder.kind], embedder.field):
                    yield part, embed(embedder, texts)
                continue
            done: list[Dense] = []
            start = end = 0
            for part, texts in self._texts(rows, BATCH_CHUNKS["dense"], embedder.field):
                done.append(cast("Dense", embed(embedder, texts)))
                end += len(part)
                if end == len(rows) or sum(vectors.nbytes for vectors in done) >= _BYTES:
                    yield rows[start:end], np.concatenate(done)
                    start, done = end, []

    def _in_documents(self, embedder: Embedder, rows: Rows) -> Dense:
        """Vectors of `rows` from their documents, which are read again from their files."""
        from ragembed.reread import documents_again

        chunks = self.catalog.chunks(rows.tolist())
        places = {chunks[row].id: place for place, row in enumerate(rows.tolist())}
        lost = {chunk.document_id for chunk in chunks.values()}
        known = self.catalog.document_hashes(sorted(lost))
        vectors = np.zeros((len(rows), embedder.dimension), np.float32)
        for document, own in documents_again(self.catalog, {file for _, file in known.values() if file}):
            if document.id not in lost:
                continue
            lost.remove(document.id)
            spans = [(chunk.start, chunk.end) for chunk in own]
            for chunk, vector in zip(own, checked_chunks(embedder, [document.text], [spans]), strict=True):
                if chunk.id in places:
                    vectors[places[chunk.id]] = vector
        if lost:
            raise EmbeddingError(
                f"{embedder.spec} embeds chunks in their documents, which an index does not keep, and {len(lost)} of"
                f" them cannot be read again as they were, such as {min(lost)}",
                "what is damaged stays, and the rest is mended: bring their files back, or make the index anew",
            )
        return vectors

    def _texts(self, rows: Rows, most: int, field: str | None) -> Iterator[tuple[Rows, list[str]]]:
        """Stored texts of `rows`, or what they have in a `field`, in batches of up to `most`, and of little over
        `_CHARACTERS`.
        """
        texts: list[str] = []
        characters = start = 0
        for page in range(0, len(rows), _PAGE):
            found = self.catalog.embedded_texts(rows[page : page + _PAGE].tolist(), field)
            texts += found
            characters += sum(map(len, found))
            end = page + len(found)
            if end == len(rows) or len(texts) + _PAGE > most or characters >= _CHARACTERS:
                yield rows[start:end], texts
                texts, characters, start = [], 0, end
