"""Training in one call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError

if TYPE_CHECKING:
    from ragembed.embed.words.train.reading import Reading


def train_word_vectors(
    spec: str,
    texts: Iterable[str],
    output: str | Path | None = None,
    *,
    reading: Reading | None = None,
    update: str | Path | None = None,
    replace: bool = False,
) -> WordVectors:
    """Word vectors learnt from `texts` by the trainer that `spec` names, such as ``glove(dimension=50)``.

    With `output` they are written to that folder, with all that is needed to go on from them, and an interrupted call
    is gone on with by the same call; without it they are held in memory. `reading`: how texts are cut, and which words
    are kept. `update`: the folder of a model to go on from, whose settings hold where `spec` says nothing. `replace`:
    `output` may hold a model. Raises what `ragembed.embed.words.train.run.train_to_folder` raises.
    """
    from ragembed.embed.words.train import TRAINERS
    from ragembed.embed.words.train.run import train_to_folder, trained
    from ragembed.embed.words.train.update import inherited

    if output is None:
        if update is not None:
            raise EmbeddingError(
                "an update was given no output", "name the folder for the new model: output=..."
            )
        with trained(TRAINERS.create(spec), texts, reading=reading) as (vectors, _):
            return vectors
    earlier = None if update is None else Path(update)
    trainer = TRAINERS.create(spec) if earlier is None else inherited(earlier, spec)[0]
    folder = Path(output)
    train_to_folder(trainer, texts, folder, reading=reading, update=earlier, replace=replace)
    return WordVectors.open(folder)
