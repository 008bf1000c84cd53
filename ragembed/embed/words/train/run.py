"""The loop that trains: texts -> corpus -> rounds with checkpoints -> a folder with the model.

A training to `OUTPUT` works in the folder ``OUTPUT.training`` beside it (`ragembed.embed.words.train.work_folder`),
which a kill leaves: the same call goes on from there. At the end the model takes the place of `OUTPUT` at once, with
what an update (`ragembed.embed.words.train.update`) needs to go on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.train.base import Start, Tell, Trainer, check_finite
from ragembed.embed.words.train.checkpoint import STATE, latest_checkpoint, write_checkpoint, write_state
from ragembed.embed.words.train.reading import Reading
from ragembed.embed.words.train.update import ROOM, recorded_reading, start_from
from ragembed.embed.words.train.work_folder import CHECKPOINT, claim, mark, put_in_place, work_folder
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, StoreError
from ragembed.index.files import replacing

if TYPE_CHECKING:
    from ragembed.embed.words.train.drift import Drift

Rounds = Callable[[int, int, float, float], None]
"""Called after each round: its number from 1, how many there are, its loss and its seconds."""


@dataclass
class Watch:
    """Who wants to know how far a training is."""

    tell: Tell = lambda stage, share, loss: None
    rounds: Rounds = lambda number, of, loss, seconds: None


@dataclass(frozen=True)
class Trained:
    """What came out."""

    folder: Path
    words: int
    tokens: int
    """Tokens of the corpus, without rare words."""
    read_tokens: int
    texts: int
    losses: list[float]
    """Mean loss of each round."""
    seconds: dict[str, float]
    """``read``, ``prepare`` and ``train`` of this call."""
    resumed_after: int
    """Rounds that an earlier, interrupted call had done."""
    drift: Drift | None = field(default=None)
    """How far the words of the earlier model moved; None where none was updated."""


def train_to_folder(
    trainer: Trainer,
    texts: Iterable[str],
    output: Path,
    *,
    reading: Reading | None = None,
    source: Any = None,
    update: Path | None = None,
    replace: bool = False,
    restart: bool = False,
    checkpoint_seconds: float = 60.0,
    watch: Watch | None = None,
) -> Trained:
    """Train on `texts` and write the model to `output`.

    - `reading`: how the texts are read; none: as the trainer likes it, or as those of the model to `update` were.
    - `source`: JSON values that tell where the texts are from and change when they do; where they are those of an
      interrupted call, the texts are not read again. Nothing that says nothing (none, an empty list) counts as such.
    - `update`: folder of a model to go on from: its words stay, new ones are added, and its phrases are joined.
    - `replace`: an `output` that is there may be replaced, if it is a model.
    - `restart`: what an interrupted call left is not gone on from.
    - `checkpoint_seconds`: training time between two checkpoints, which come after rounds.

    Raises `EmbeddingError` where there is nothing to learn, the training diverges or the model to update does not fit,
    `StoreError` and `LockedError` for what is wrong with the folders.
    """
    watch = watch or Watch()
    output = Path(os.path.realpath(output))
    if not output.name:
        raise StoreError(f"a model cannot be written to {output}", "name a folder")
    replace = replace or (update is not None and output == Path(os.path.realpath(update)))
    with work_folder(output, replace=replace) as work:
        if reading is None:
            reading = recorded_reading(WordVectors.open(update)) if update else trainer.default_reading()
        start = start_from(update, trainer, reading) if update else None
        plan = {
            "version": 2,
            "trainer": trainer.name,
            "settings": {key: v for key, v in trainer.settings().items() if key not in ROOM},
            "reading": vars(reading),
            "update": start.vectors.digest if start else None,
        }
        claim(work, plan, restart=restart)
        done = _Run(trainer, reading, watch, work, start, checkpoint_seconds).run(texts, source)
        drift = _finish(trainer, done, reading, work, output, start)
    corpus = done.corpus
    return Trained(
        output,
        len(corpus.words),
        len(corpus.tokens),
        corpus.read_tokens,
        corpus.texts,
        done.losses,
        done.seconds,
        done.resumed_after,
        drift,
    )


@contextlib.contextmanager
def trained(
    trainer: Trainer, texts: Iterable[str], *, reading: Reading | None = None, watch: Watch | None = None
) -> Iterator[tuple[WordVectors, TokenCorpus]]:
    """Train on `texts` in a temporary folder: the vectors, and the corpus as long as the context lasts."""
    reading = reading or trainer.default_reading()
    with tempfile.TemporaryDirectory(prefix="ragembed-") as folder:
        done = _Run(trainer, reading, watch or Watch(), Path(folder), None, float("inf")).run(texts, None)
        vectors = trainer.result()
        vectors.info.update(_info(trainer, done, reading))
        yield vectors, done.corpus


@dataclass
class _Done:
    corpus: TokenCorpus
    losses: list[float]
    seconds: dict[str, float]
    resumed_after: int


@dataclass
class _Run:
    trainer: Trainer
    reading: Reading
    watch: Watch
    work: Path
    start: Start | None
    checkpoint_seconds: float

    def run(self, texts: Iterable[str], source: Any) -> _Done:
        began = time.perf_counter()
        try:
            return self._trained(texts, source, began)
        except MemoryError as error:
            raise EmbeddingError(
                f"training {self.trainer.name} needs more memory than there is{f' ({error})' if str(error) else ''}",
                "lower the dimension, or take fewer words (max_words)",
            ) from error

    def _trained(self, texts: Iterable[str], source: Any, began: float) -> _Done:
        corpus, digest, fresh = self._corpus(texts, source)
        checkpoint = latest_checkpoint(self.work / CHECKPOINT)
        if checkpoint is not None and checkpoint.values.get("corpus") != digest:
            raise StoreError(
                f"{self.work} holds an interrupted training on other texts",
                "give the same texts to go on with it, or add --restart to drop it",
            )
        read = time.perf_counter()
        files = self.work / "files"
        if fresh:
            shutil.rmtree(files, ignore_errors=True)
        files.mkdir(exist_ok=True)
        told = {"source": json.dumps(source, sort_keys=True), "digest": digest}
        with replacing(self.work / "source.json") as file:
            file.write(json.dumps(told).encode())
        self.trainer.prepare(corpus, files, self.start, self.watch.tell)
        prepared = time.perf_counter()
        losses = self._rounds(digest)
        after = len(losses[0])
        return _Done(
            corpus,
            [*losses[0], *losses[1]],
            {"read": read - began, "prepare": prepared - read, "train": time.perf_counter() - prepared},
            after,
        )

    def _corpus(self, texts: Iterable[str], source: Any) -> tuple[TokenCorpus, str, bool]:
        """The corpus, its digest, and whether it is another than that of an interrupted call."""
        folder, record = self.work / "corpus", self.work / "source.json"
        told = json.dumps(source, sort_keys=True)
        before: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            before = dict(json.loads(record.read_text(encoding="utf-8")))
        if source and before.get("source") == told and "digest" in before:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return TokenCorpus.open(folder), before["digest"], False
        record.unlink(missing_ok=True)  # it tells of the corpus that goes now
        shutil.rmtree(folder, ignore_errors=True)
        corpus = self.reading.read(
            texts,
            folder,
            self.start.vectors if self.start else None,
            lambda number, tokens: self.watch.tell(f"reading: {tokens:,} tokens", 0.0, None),
        )
        digest = _digest(corpus)
        return corpus, digest, before.get("digest") != digest

    def _rounds(self, corpus: str) -> tuple[list[float], list[float]]:
        """The losses of the rounds that were done before on the corpus of that digest, and of those done now."""
        trainer, place = self.trainer, self.work / CHECKPOINT
        before: list[float] = []
        checkpoint = latest_checkpoint(place)
        if checkpoint is not None:
            trainer.restore(checkpoint.arrays, checkpoint.values["meta"])
            before = list(checkpoint.values["losses"])
        now: list[float] = []
        saved = time.perf_counter()
        for number in range(len(before), trainer.rounds):
            began = time.perf_counter()
            loss = trainer.round(number, self.watch.tell)
            check_finite(trainer.name, loss, trainer.arrays())
            now.append(loss)
            self.watch.rounds(number + 1, trainer.rounds, loss, time.perf_counter() - began)
            if time.perf_counter() - saved >= self.checkpoint_seconds:
                values = {"losses": [*before, *now], "corpus": corpus, "meta": trainer.meta()}
                write_checkpoint(place, trainer.arrays(), values)
                saved = time.perf_counter()
        return before, now


def _finish(
    trainer: Trainer, done: _Done, reading: Reading, work: Path, output: Path, start: Start | None
) -> Drift | None:
    """Put the model in the place of `output`, and tell how far it is from the one that it began with."""
    from ragembed.exchange.staging import staged

    result = work / "result"
    shutil.rmtree(result, ignore_errors=True)
    with staged(result) as folder:
        trainer.save(folder, _info(trainer, done, reading))
        (folder / STATE).mkdir()
        values = {"trainer": trainer.name, "settings": trainer.settings(), "meta": trainer.meta()}
        write_state(folder / STATE, trainer.arrays(), values)
        mark(work, folder)
    put_in_place(work, result, output)
    if start is None:
        return None
    from ragembed.embed.words.train.drift import drift

    return drift(start.vectors, WordVectors.open(output))


def _info(trainer: Trainer, done: _Done, reading: Reading) -> dict[str, Any]:
    from ragembed import __version__

    return {
        "method": trainer.name,
        "settings": trainer.settings(),
        "losses": done.losses,
        "texts": done.corpus.texts,
        "tokens": len(done.corpus.tokens),
        "made_by": f"ragembed {__version__}",
        **reading.info(done.corpus),
    }


def _digest(corpus: TokenCorpus) -> str:
    digest = hashlib.sha256(json.dumps(corpus.words).encode())
    numbers: Any
    for numbers in (corpus.offsets, corpus.tokens):
        digest.update(numbers.view("u1"))
    return digest.hexdigest()
