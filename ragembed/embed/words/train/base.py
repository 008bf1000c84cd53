"""What a trainer of word vectors is. The loop that runs one, with checkpoints, is `ragembed.embed.words.train.run`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.train.reading import Reading
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import CorruptError, EmbeddingError

Arrays = Mapping[str, NDArray[Any]]

Tell = Callable[[str, float, float | None], None]
"""Called with what is being done, which share of it is done (0 to 1), and the loss so far where there is one."""

_AGAIN = "bring the model back from a copy, or train a new one"


@dataclass(frozen=True)
class Start:
    """An earlier model to go on from: what `Trainer.arrays` and `Trainer.meta` gave when it was finished."""

    vectors: WordVectors
    arrays: Arrays
    meta: Mapping[str, Any]

    def array(self, name: str, shape: Sequence[int | None]) -> NDArray[Any]:
        """The array `name`; `CorruptError` where there is none of `shape`, in which None is any length."""
        array = self.arrays.get(name)
        found = None if array is None else array.shape
        fits = found is not None and len(found) == len(shape)
        if (
            array is None
            or not fits
            or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True))
        ):
            wanted = tuple("any" if length is None else length for length in shape)
            raise CorruptError(
                f"the state of training of the model has {name} of shape {found}, {wanted} is expected",
                _AGAIN,
            )
        return array

    def number(self, name: str) -> float:
        """The number `name` of `meta`, above 0; `CorruptError` where it is none."""
        value = self.meta.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            raise CorruptError(f"the state of training of the model has no {name}", _AGAIN)
        return float(value)


@dataclass(kw_only=True)
class Trainer(ABC):
    """One training. Subclasses are dataclasses whose fields are its settings, checked in ``__post_init__``."""

    name: ClassVar[str]
    fixed: ClassVar[tuple[str, ...]] = ("dimension",)
    """Settings that an update of a model must have in common with it."""

    @property
    @abstractmethod
    def rounds(self) -> int:
        """How many rounds (epochs) there are."""

    def default_reading(self) -> Reading:
        """How texts are read where the user does not say."""
        return Reading()

    @abstractmethod
    def prepare(self, corpus: TokenCorpus, folder: Path, start: Start | None, tell: Tell) -> None:
        """All that comes before the first round. What takes long is kept in `folder`, and found there after a kill.

        With `start` the words of the earlier model are the first of ``corpus.words``, in their order.
        """

    @abstractmethod
    def round(self, number: int, tell: Tell) -> float:
        """Go once through the corpus; returns the mean loss per pair."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """The weights and what belongs to them: with `meta` all that is needed to go on from here."""

    def meta(self) -> dict[str, Any]:
        """What else is needed, as JSON values: the state of random generators."""
        return {}

    @abstractmethod
    def restore(self, arrays: Arrays, meta: Mapping[str, Any]) -> None:
        """Back to where `arrays` and `meta` were taken; called after `prepare`."""

    @abstractmethod
    def result(self) -> WordVectors:
        """The vectors as they are now, with counts."""

    def save(self, folder: Path, info: Mapping[str, Any]) -> None:
        """Write the model to the empty `folder`, with `info` on how it was made."""
        vectors = self.result()
        vectors.info.update(info)
        vectors.save(folder)

    def settings(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}


def check_finite(name: str, loss: float, arrays: Arrays) -> None:
    """Raise `EmbeddingError` where the loss or any weight is NaN or infinite."""
    wrong = next((key for key, a in arrays.items() if a.dtype.kind == "f" and not np.isfinite(a).all()), None)
    if not np.isfinite(loss) or wrong is not None:
        raise EmbeddingError(
            f"training {name} diverged: {'the loss' if wrong is None else wrong} is NaN or infinite",
            "lower the learning rate (learning_rate), or take out texts that repeat one word for ever",
        )
