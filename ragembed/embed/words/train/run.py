"""The loop that trains: texts -> corpus -> rounds with checkpoints -> a folder with the model.

A training to `OUTPUT` works in the folder ``OUTPUT.training`` beside it, which a kill leaves: the same call goes on
from there. At the end the model takes the place of `OUTPUT` at once, with what `update` needs to go on.
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
from ragembed.embed.words.train.checkpoint import latest_checkpoint, read_state, write_checkpoint, write_state
from ragembed.embed.words.train.reading import Reading
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, RagembedError, StoreError
from ragembed.index.files import durable_file, unwritable
from ragembed.index.lock import write_lock

if TYPE_CHECKING:
    from ragembed.embed.words.train.drift import Drift

STATE = "training"
"""Folder of a model: what a later training needs to go on from it."""

_REPLACED = "replaced"
_CHECKPOINT = "checkpoint"
_ROOM = frozenset({"workers", "memory"})
"""Settings with which a training may be gone on from though they differ: what they take, not what they make."""

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

    - `source`: JSON values that tell where the texts are from and change when they do; where they are those of an
      interrupted call, the texts are not read again.
    - `update`: folder of a model to go on from: its words stay, new ones are added.
    - `replace`: an `output` that is there may be replaced, if it is a model.
    - `restart`: what an interrupted call left is not gone on from.
    - `checkpoint_seconds`: training time between two checkpoints, which come after rounds.

    Raises `EmbeddingError` where there is nothing to learn or the training diverges, `StoreError` and `LockedError`
    for what is wrong with the folders.
    """
    reading, watch = reading or Reading(), watch or Watch()
    output = Path(os.path.realpath(output))
    if not output.name:
        raise StoreError(f"a model cannot be written to {output}", "name a folder")
    work = output.with_name(output.name + ".training")
    replace = replace or (update is not None and output == Path(os.path.realpath(update)))
    if not (work / _REPLACED).is_dir():
        _check_output(output, replace=replace)  # before a folder is made
    with unwritable(work):
        work.mkdir(parents=True, exist_ok=True)
        with write_lock(work), _nothing_left(work):
            if not output.exists() and (work / _REPLACED).is_dir():
                (work / _REPLACED).rename(output)  # a kill came between two renames
            _check_output(output, replace=replace)
            start = _start(update, trainer) if update else None
            plan = {
                "version": 1,
                "trainer": trainer.name,
                "settings": {key: v for key, v in trainer.settings().items() if key not in _ROOM},
                "reading": vars(reading),
                "update": start.vectors.digest if start else None,
            }
            if restart:
                _clear(work)
            _claim(work, plan)
            done = _Run(trainer, reading, watch, work, start, checkpoint_seconds).run(texts, source)
            drift = _finish(trainer, done, reading, work, output, start)
            shutil.rmtree(work, ignore_errors=True)
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
def _nothing_left(work: Path) -> Iterator[None]:
    """Remove `work` where an error, which is no interruption, comes before the first checkpoint."""
    try:
        yield
    except RagembedError:
        if not (work / _REPLACED).exists() and latest_checkpoint(work / _CHECKPOINT) is None:
            shutil.rmtree(work, ignore_errors=True)
        raise


@contextlib.contextmanager
def trained(
    trainer: Trainer, texts: Iterable[str], *, reading: Reading | None = None, watch: Watch | None = None
) -> Iterator[tuple[WordVectors, TokenCorpus]]:
    """Train on `texts` in a temporary folder: the vectors, and the corpus as long as the context lasts."""
    reading = reading or Reading()
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
        corpus, digest, fresh = self._corpus(texts, source)
        read = time.perf_counter()
        files = self.work / "files"
        if fresh:
            shutil.rmtree(files, ignore_errors=True)
        files.mkdir(exist_ok=True)
        with durable_file(self.work / "source.json") as file:
            told = {"source": json.dumps(source, sort_keys=True), "digest": digest}
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
        if source is not None and before.get("source") == told and "digest" in before:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return TokenCorpus.open(folder), before["digest"], False
        shutil.rmtree(folder, ignore_errors=True)
        known = self.start.vectors.words if self.start else ()
        corpus = self.reading.read(
            texts,
            folder,
            known,
            lambda number, tokens: self.watch.tell(f"reading: {tokens:,} tokens", 0.0, None),
        )
        digest = _digest(corpus)
        return corpus, digest, before.get("digest") != digest

    def _rounds(self, corpus: str) -> tuple[list[float], list[float]]:
        """The losses of the rounds that were done before on the corpus of that digest, and of those done now."""
        trainer, place = self.trainer, self.work / _CHECKPOINT
        before: list[float] = []
        checkpoint = latest_checkpoint(place)
        if checkpoint is not None and checkpoint.values.get("corpus") == corpus:
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
            if time.perf_counter() - saved >= self.checkpoint_seconds and number + 1 < trainer.rounds:
                values = {"losses": [*before, *now], "corpus": corpus, "meta": trainer.meta()}
                write_checkpoint(place, trainer.arrays(), values)
                saved = time.perf_counter()
        return before, now


def _finish(
    trainer: Trainer, done: _Done, reading: Reading, work: Path, output: Path, start: Start | None
) -> Drift | None:
    """Put the model in the place of `output`."""
    from ragembed.exchange.staging import staged

    result, old = work / "result", work / _REPLACED
    for left in (result, old):
        shutil.rmtree(left, ignore_errors=True)
    with staged(result) as folder:
        trainer.save(folder, _info(trainer, done, reading))
        (folder / STATE).mkdir()
        values = {"trainer": trainer.name, "settings": trainer.settings(), "meta": trainer.meta()}
        write_state(folder / STATE, trainer.arrays(), values)
    drift = None
    if start is not None:
        from ragembed.embed.words.train.drift import drift as measured

        drift = measured(start.vectors, WordVectors.open(result))
    if output.exists():
        output.rename(old)
    result.rename(output)
    return drift


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


def _start(update: Path, trainer: Trainer) -> Start:
    """The model at `update`, to go on from."""
    vectors = WordVectors.open(update)
    if not (update / STATE).is_dir():
        raise EmbeddingError(
            f"{update} holds word vectors, but not the state of their training",
            "update a model that ragembed train made",
        )
    state = read_state(update / STATE)
    if state.values.get("trainer") != trainer.name:
        raise EmbeddingError(
            f"{update} was trained by {state.values.get('trainer')}, not {trainer.name}",
            f"train {state.values.get('trainer')}",
        )
    return Start(vectors, state.arrays, state.values["meta"])


def _check_output(output: Path, *, replace: bool) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not output.is_dir() or not any((output / STATE).glob("*.json")):
        raise StoreError(f"{output} exists and is no model that ragembed train made", "name another folder")
    if not replace:
        raise StoreError(
            f"{output} holds a trained model already", "name another folder, or add --force to replace it"
        )


def _claim(work: Path, plan: dict[str, Any]) -> None:
    """Write what is being done to `work`, or raise `StoreError` where something else was begun and comes to something.

    What was begun by nobody knows whom, or has no checkpoint yet, is dropped.
    """
    path = work / "plan.json"
    told = json.loads(json.dumps(plan))
    before: Any = None
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(path.read_text(encoding="utf-8"))
    if before == told:
        return
    if before is not None and latest_checkpoint(work / _CHECKPOINT) is not None:
        raise StoreError(
            f"{work} holds an interrupted training with {_difference(before, told)}",
            "repeat that command to go on with it, or add --restart to drop it",
        )
    _clear(work)
    with durable_file(path) as file:
        file.write(json.dumps(plan).encode() + b"\n")


def _difference(before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for part in ("trainer", "settings", "reading"):
            one, other = before.get(part), now.get(part)
            if isinstance(one, dict) and isinstance(other, dict):
                for key in one:
                    if one[key] != other.get(key):
                        return f"{key}={one[key]} where {other.get(key)} is asked for now"
            elif one != other:
                return f"{one} where {other} is asked for now"
    return "other settings"


def _clear(work: Path) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix == ".json":
            path.unlink()


def _digest(corpus: TokenCorpus) -> str:
    digest = hashlib.sha256(json.dumps(corpus.words).encode())
    numbers: Any
    for numbers in (corpus.offsets, corpus.tokens):
        digest.update(numbers.view("u1"))
    return digest.hexdigest()
