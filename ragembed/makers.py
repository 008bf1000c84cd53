"""What makes an index: its chunker and its embedders, loaded, settled once, and checked to be what they were."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ragembed.config import EmbedderRecord, PipelineConfig
from ragembed.embed import EMBEDDERS
from ragembed.embed.identity import check_behaviour, embedder_of, reopen
from ragembed.embed.identity import record as record_identity
from ragembed.errors import CorruptError, NotAnIndexError
from ragembed.index.store import Store
from ragembed.index.writer import Writer
from ragembed.settle import SAMPLE, fitting_chunker, save_learnt, settle_embedder
from ragembed.spec import Spec, parse_all

if TYPE_CHECKING:
    from ragembed.chunk.base import Chunker
    from ragembed.embed.base import Embedder
    from ragembed.index.content import Passage


class Makers:
    """The chunker and the embedders of one index. Threads may share it."""

    def __init__(self, store: Store, config: PipelineConfig) -> None:
        self.store = store
        self.config = config
        self.asked: tuple[str, ...] = ()
        """Specs of the embedders as this run wants them, which give the same vectors; none: those of the index."""
        self.notes: list[str] = []
        """What a user should know of them; whoever tells it empties the list."""
        self._lock = threading.RLock()
        self._embedders: list[Embedder] | None = None
        self._loaded_by: tuple[EmbedderRecord, ...] | None = None
        self._checked = False
        self._thorough = False

    def refresh(self) -> PipelineConfig:
        """The configuration as the catalog has it now."""
        with self._lock:
            self.config = stored_config(self.store)
            return self.config

    def load(self) -> list[Embedder]:
        """The embedders; raises `IdentityError` where what is recorded of them differs, before a model is loaded."""
        return self.loaded()[1]

    def loaded(self) -> tuple[tuple[EmbedderRecord, ...], list[Embedder]]:
        """What the index records of its embedders, and the embedders that fit it."""
        with self._lock:
            records = self.config.embedders
            if self._embedders is None or self._loaded_by != records:
                specs = self._specs(records)
                embedders = [EMBEDDERS.create(spec) for spec in specs]
                try:
                    for record, embedder in zip(records, embedders, strict=False):
                        reopen(record, embedder, self.store.folder)
                except CorruptError:
                    if self.refresh().embedders == records:
                        raise
                    return self.loaded()  # a vacuum in another process has put it elsewhere meanwhile
                self._embedders, self._loaded_by, self._checked = embedders, records, False
            return records, self._embedders

    def _specs(self, records: Sequence[EmbedderRecord]) -> list[str]:
        """Of the embedders: the index's, in the `ways` that this run wants."""
        specs = [record.spec for record in records] or [str(part) for part in self.config.parts]
        if len(self.asked) != len(specs):
            return specs
        return [in_the_ways_of(asked, spec) for asked, spec in zip(self.asked, specs, strict=True)]

    def check(self, *, thorough: bool = True) -> None:
        """Raise `IdentityError` where an embedder does not behave as it did when it made the index."""
        with self._lock:
            records, embedders = self.loaded()
            if (self._checked and self._thorough >= thorough) or not records:
                return
            for record, embedder in zip(records, embedders, strict=True):
                check_behaviour(record, embedder, self.store.folder, thorough=thorough)
            self._checked, self._thorough = True, thorough

    def check_chunker(self, chunker: Chunker) -> None:
        """Note where the settled chunker cuts otherwise than it did: that harms no search, but mixes two ways."""
        from ragembed.chunk.probe import chunker_probe

        if self.config.chunker_probe not in (None, chunker_probe(chunker)):
            self.notes.append(
                f"{chunker.spec} cuts otherwise than when this index was made: documents that do not change keep"
                " their chunks; index again into a new folder to have all of them cut alike"
            )

    def settle(
        self, writer: Writer, texts: Callable[[Chunker], Iterable[Passage]]
    ) -> tuple[Chunker, list[Embedder]]:
        """Chunker and embedders ready for use; before the first document, settle what their specs leave open."""
        from ragembed.chunk import CHUNKERS

        self.refresh()
        embedders = self.load()
        if self.config.embedders:
            chunker = CHUNKERS.create(self.config.settled_chunker or self.config.chunker)
            return chunker, embedders
        chunker = fitting_chunker(self.config.chunker, embedders)
        if writer.rehearsal:
            return chunker, embedders
        self.settle_by(writer, chunker, lambda: texts(chunker))
        return chunker, embedders

    def settle_by(self, writer: Writer, chunker: Chunker, texts: Callable[[], Iterable[Passage]]) -> None:
        """Settle the embedders of an index that has none yet by `texts`, chunks of `chunker`; by none, nothing."""
        from ragembed.chunk.probe import chunker_probe

        sample = list(itertools.islice(texts(), SAMPLE))
        if not sample:
            return  # the next call may bring something
        folder = self.store.folder
        try:
            records = [
                settle_embedder(number, embedder, sample, texts, folder, self.notes)
                for number, embedder in enumerate(self.load())
            ]
        except BaseException:
            self._embedders = None  # half of them may have adapted to what will not be in the index
            raise
        settled = replace(
            self.config,
            settled_chunker=str(chunker.spec),
            chunker_probe=chunker_probe(chunker),
            embedders=tuple(records),
        )
        self._save(writer, settled)
        with self._lock:  # those that were settled are those that are loaded
            self._loaded_by = self.config.embedders
            self._checked = self._thorough = True

    def _save(self, writer: Writer, config: PipelineConfig) -> None:
        """Make `config` that of the index, and remember it as it is read back."""
        writer.put_settings({"config": config.to_json()})
        self.refresh()

    def forget_words(self, writer: Writer, notes: list[str]) -> None:
        """Have embedders forget words that they learnt from what was deleted, and record what they are then."""
        records = list(self.config.embedders)
        for number, record in enumerate(records):
            if record.folder is None:
                continue
            embedder = embedder_of(record, self.store.folder)  # not the one that others search with meanwhile
            if embedder.forget(writer.catalog.all_embedded_texts(embedder.field)):
                folder = save_learnt(embedder, self.store.folder, number, again=True)
                records[number] = replace(record, folder=folder, identity=record_identity(embedder))
                notes.append(f"{embedder.name} forgot the words that only deleted documents had")
        if tuple(records) != self.config.embedders:
            self._save(writer, replace(self.config, embedders=tuple(records)))


def vectors_of(embedder: str) -> str:
    """A spec without the parameters that leave its vectors as they are."""
    parts = []
    for part in parse_all(embedder):
        ways = EMBEDDERS.create(str(part)).ways
        parts.append(str(replace(part, params=tuple(each for each in part.params if each[0] not in ways))))
    return "+".join(parts)


def in_the_ways_of(asked: str, spec: str) -> str:
    """`spec` with those parameters of `asked` that say how its vectors are computed."""
    ways = EMBEDDERS.create(spec).ways
    if not ways:
        return spec
    wanted, made = Spec.parse(asked), Spec.parse(spec)
    params = [(key, value) for key, value in made.params if key not in ways]
    params += [(key, value) for key, value in wanted.params if key in ways]
    return str(EMBEDDERS.create(str(replace(made, params=tuple(params)))).spec)


def stored_config(store: Store) -> PipelineConfig:
    """How the index says that it was made."""
    with store.snapshot() as catalog:
        config = catalog.setting("config")
    if config is None:
        raise NotAnIndexError(
            f"{store.folder} says nothing of how it was made", "index again into a new folder"
        )
    return PipelineConfig.from_json(config)
