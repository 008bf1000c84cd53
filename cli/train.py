"""ragembed train: texts -> a model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli.corpus import corpus_source, corpus_texts
from ragembed.cli.options import Json, note, print_json, progress_bar

if TYPE_CHECKING:
    from ragembed.embed.words.train.base import Trainer
    from ragembed.embed.words.train.run import Trained, Watch

_Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Texts to learn from: files and folders, text files with one text per line (.txt, .gz), test"
        " collections, indexes.",
    ),
]


def train(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="word2vec, glove, fasttext or elmo, settings in brackets: glove(window=5)."
        ),
    ],
    files: _Files,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the model goes.")],
    dimension: Annotated[
        int | None, typer.Option(metavar="N", help="Length of a vector. (default: 100)")
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Times through the corpus.")] = None,
    window: Annotated[int | None, typer.Option(metavar="N", help="Words on each side that count.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Start of the random numbers.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Threads. (default: all)")] = None,
    min_count: Annotated[
        int | None, typer.Option(metavar="N", help="Times that a word must stand in the corpus. (default: 5)")
    ] = None,
    max_words: Annotated[
        int | None, typer.Option(metavar="N", help="Most words that are kept. (default: all)")
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="How text is cut: words or whitespace. (default: words)"),
    ] = None,
    phrases: Annotated[
        int, typer.Option(metavar="N", help="Passes that join words to phrases such as new_york.")
    ] = 0,
    update: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Model to go on from, with these texts.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the model that is there.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Drop what an interrupted training left, and begin anew.")
    ] = False,
    checkpoint: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Least time between two checkpoints.")
    ] = 60,
    json: Json = False,
) -> None:
    """Train a model of words on your own texts. Interrupted, the same command goes on where it was."""
    from ragembed.embed.words.train import TRAINERS
    from ragembed.embed.words.train.run import train_to_folder

    given = {"dimension": dimension, "epochs": epochs, "window": window, "seed": seed, "workers": workers}
    trainer = _with(TRAINERS.create(name), {key: value for key, value in given.items() if value is not None})
    asked: dict[str, Any] = {
        "tokens": tokens,
        "min_count": min_count,
        "max_words": max_words,
        "phrases": phrases or None,
    }
    reading = replace(
        trainer.default_reading(), **{key: value for key, value in asked.items() if value is not None}
    )
    with _watching() as watch:
        done = train_to_folder(
            trainer,
            corpus_texts(files),
            output,
            reading=reading,
            source=corpus_source(files),
            update=update,
            replace=force,
            restart=restart,
            checkpoint_seconds=checkpoint,
            watch=watch,
        )
    if json:
        print_json(_record(trainer, done, output))
    else:
        for line in _lines(trainer, done, output):
            print(line)


def _with(trainer: "Trainer", given: dict[str, int]) -> "Trainer":
    known = {each.name for each in fields(trainer) if each.init}
    for key in given:
        if key not in known:
            raise typer.BadParameter(f"--{key.replace('_', '-')} means nothing to {trainer.name}")
    return replace(trainer, **given) if given else trainer


@contextmanager
def _watching() -> "Iterator[Watch]":
    """Tells each round on stderr, and what goes on within it as a bar where that is a terminal."""
    from ragembed.embed.words.train.run import Watch

    def rounds(number: int, of: int, loss: float, seconds: float) -> None:
        note(f"epoch {number}/{of}  loss {loss:.5f}  {seconds:.1f} s")

    with progress_bar("training") as progress:
        shown = 0.0

        def tell(stage: str, share: float, loss: float | None) -> None:
            nonlocal shown
            now = time.monotonic()
            if progress is None or now - shown < 0.1:
                return
            shown = now
            progress(round(share * 1000), 1000, stage if loss is None else f"{stage}, loss {loss:.4f}")

        yield Watch(tell, rounds)


def _record(trainer: "Trainer", done: "Trained", output: Path) -> dict[str, Any]:
    return {
        "trainer": trainer.name,
        "settings": trainer.settings(),
        "words": done.words,
        "texts": done.texts,
        "tokens": done.tokens,
        "read_tokens": done.read_tokens,
        "losses": done.losses,
        "resumed_after": done.resumed_after,
        "seconds": done.seconds,
        "drift": None if done.drift is None else done.drift.to_json(),
        "output": str(output),
    }


def _lines(trainer: "Trainer", done: "Trained", output: Path) -> Iterator[str]:
    rare = done.read_tokens - done.tokens
    yield (
        f"{trainer.name}: {done.words:,} words of {done.texts:,} texts, {done.read_tokens:,} tokens"
        f" ({rare / max(1, done.read_tokens):.1%} of them rare words, left out)"
    )
    loss = f", loss {done.losses[0]:.5f} -> {done.losses[-1]:.5f}" if done.losses else ""
    again = f" ({done.resumed_after} of them before an interruption)" if done.resumed_after else ""
    yield f"{len(done.losses)} epochs{again}{loss}, {sum(done.seconds.values()):.1f} s"
    if done.drift is not None:
        yield from done.drift.lines()
    yield f"{output}"
