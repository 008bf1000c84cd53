"""ragembed train tokenizer: texts -> the tokenizer of a model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.cli.corpus import corpus_texts
from ragembed.cli.options import print_json, progress_bar

if TYPE_CHECKING:
    from ragembed.encoder.train_tokenizer import Tell, TokenizerTrainer, TrainedTokenizer


def train_tokenizer_command(
    trainer: "TokenizerTrainer", files: list[str], output: Path, *, force: bool, json: bool
) -> None:
    """Train it, and tell what came out."""
    from ragembed.encoder.train_tokenizer import train_tokenizer

    with _watching() as tell:
        done = train_tokenizer(trainer, corpus_texts(files), output, replace=force, tell=tell)
    if json:
        told = {
            "trainer": trainer.name,
            "settings": trainer.settings(),
            **asdict(done),
            "output": str(output),
        }
        print_json(told)
    else:
        for line in _lines(trainer, done, output):
            print(line)


@contextmanager
def _watching() -> "Iterator[Tell]":
    with progress_bar("texts") as progress:
        shown: dict[str, Any] = {"stage": "", "at": 0.0}

        def tell(stage: str, texts: int) -> None:
            now = time.monotonic()
            if progress is None or (stage == shown["stage"] and now - shown["at"] < 0.1):
                return
            shown.update(stage=stage, at=now)
            progress(texts, texts, stage)

        yield tell


def _lines(trainer: "TokenizerTrainer", done: "TrainedTokenizer", output: Path) -> Iterator[str]:
    fewer = f" of {trainer.size:,}: the texts hold no more" if done.size < trainer.size else ""
    yield (
        f"{trainer.name} ({trainer.kind}): {done.size:,} tokens{fewer}; learned from {done.texts:,} texts,"
        f" {done.megabytes:.1f} MB, in {done.seconds:.1f} s"
    )
    yield (
        f"{done.tokens_per_word:.2f} tokens a word, {done.bytes_per_token:.2f} bytes a token,"
        f" {done.unknown:.2%} of them unknown (of the first texts, 1 MB at most)"
    )
    yield f"{output}"
