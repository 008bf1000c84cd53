"""ragembed train: texts -> a model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli.corpus import corpus_source, corpus_texts
from ragembed.cli.options import Json, note, print_json, progress_bar, refuse
from ragembed.cli.train_tokenizer import train_tokenizer_command

if TYPE_CHECKING:
    from ragembed.embed.words.train.base import Trainer
    from ragembed.embed.words.train.reading import Reading
    from ragembed.embed.words.train.run import Trained, Watch
    from ragembed.registry import Registry

_Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Texts to learn from: a .txt or .gz with one text per line, '-' or a pipe alike, other files and"
        " folders (each file is one text there), test collections, indexes.",
    ),
]


_OF_WORDS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "dimension", "epochs", "window", "seed", "workers", "max_words", "tokens", "phrases", "phrase_threshold",
        "update", "restart", "checkpoint",
    )
}  # fmt: skip
"""Options that mean nothing to a tokenizer."""


def _list(wanted: bool) -> None:
    """Print the settings of every trainer, and how it reads texts, and stop."""
    if not wanted:
        return
    from ragembed.embed.words.train import Trainer
    from ragembed.spec import Spec

    trainers = _trainers()
    for name in trainers.names():
        trainer = trainers.create(name)
        print(Spec(name, None, tuple(trainer.settings().items())))
        if isinstance(trainer, Trainer):
            reading = trainer.default_reading()
            print(f"    --tokens {reading.tokens} --min-count {reading.min_count}")
    raise typer.Exit


def _trainers() -> "Registry[Any]":
    """Those of words, and that of tokenizers, by their names."""
    from ragembed.embed.words.train import TRAINERS
    from ragembed.registry import Registry

    tokenizer = "ragembed.encoder.train_tokenizer:TokenizerTrainer"
    return Registry(TRAINERS.kind, TRAINERS.group, {**TRAINERS.entries, "tokenizer": tokenizer})


def train(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="word2vec, glove, fasttext, elmo or tokenizer, settings in brackets (--list shows them):"
            " glove(window=5).",
        ),
    ],
    files: _Files,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the model goes.")],
    dimension: Annotated[
        int | None, typer.Option(metavar="N", help="Length of a vector. (default: 100; elmo 256)")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Times through the corpus. (default: 5; glove 25)")
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(metavar="N", help="Words on each side that count; not of elmo. (default: 5; glove 10)"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Start of the random numbers. (default: 1; elmo 0)")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Threads; not of elmo: see --threads. (default: all)")
    ] = None,
    min_count: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Times that a word (of a tokenizer: a pair of pieces) must stand in the corpus to be learnt."
            " (default: 5; elmo 1; tokenizer 2)",
        ),
    ] = None,
    max_words: Annotated[
        int | None, typer.Option(metavar="N", help="Most words that are kept. (default: all)")
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="How text is cut: words, whitespace or cased. (default: words; elmo cased)",
        ),
    ] = None,
    phrases: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Passes that join words to phrases such as new_york; not of elmo. (default: 0)"
        ),
    ] = None,
    phrase_threshold: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE", help="What two words must score to be joined; less joins more. (default: 100)"
        ),
    ] = None,
    update: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Model to go on from, with these texts; what is not given here is as it was in its training.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the model that is there.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Drop what an interrupted training left, and begin anew.")
    ] = False,
    checkpoint: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Least time between two checkpoints.")
    ] = 60,
    json: Json = False,
    list_settings: Annotated[
        bool,
        typer.Option(
            "--list",
            callback=_list,
            is_eager=True,
            help="Show the settings of each NAME with their defaults.",
        ),
    ] = False,
) -> None:
    """Train a model of words, or a tokenizer, on your own texts.

    Interrupted, the same command goes on where it was (a tokenizer, which takes a minute, is trained anew).
    """
    from ragembed.embed.words.train import Trainer
    from ragembed.embed.words.train.run import train_to_folder

    asked = _trainers().create(name)
    if not isinstance(asked, Trainer):
        refuse(context, _OF_WORDS, "it is for models of words")
        asked = replace(asked, **_given(min_count=min_count))
        train_tokenizer_command(asked, files, output, force=force, json=json)
        return
    trainer, reading = (asked, asked.default_reading()) if update is None else _inherited(update, name)
    given = {"dimension": dimension, "epochs": epochs, "window": window, "seed": seed, "workers": workers}
    trainer = _with(trainer, given)
    reading = replace(
        reading,
        **_given(
            tokens=tokens,
            min_count=min_count,
            max_words=max_words,
            phrases=phrases,
            phrase_threshold=phrase_threshold,
        ),
    )
    with _resumable(output), _watching() as watch:
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


def _inherited(update: Path, name: str) -> "tuple[Trainer, Reading]":
    """What the spec `name` says, and where it says nothing the model to `update`."""
    from ragembed.embed.words.train.update import inherited

    return inherited(update, name)


def _given(**options: Any) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _with(trainer: "Trainer", options: dict[str, int | None]) -> "Trainer":
    given = _given(**options)
    known = {each.name for each in fields(trainer) if each.init}
    for key in given:
        if key not in known:
            raise typer.BadParameter(f"--{key.replace('_', '-')} means nothing to {trainer.name}")
    return replace(trainer, **given) if given else trainer


@contextmanager
def _resumable(output: Path) -> Iterator[None]:
    """Tells on Ctrl-C what is left, and how to go on."""
    from ragembed.embed.words.train.work_folder import CHECKPOINT, work_folder_of

    try:
        yield
    except KeyboardInterrupt:
        work = work_folder_of(output)
        if (work / CHECKPOINT).is_dir():
            note(f"{work} keeps the last checkpoint: the same command goes on from there, --restart drops it")
        elif work.is_dir():
            note("there is no checkpoint yet (--checkpoint SECONDS): the same command trains from the start")
        raise


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
