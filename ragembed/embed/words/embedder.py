"""What the embedders ``word2vec``, ``glove`` and ``fasttext`` share: passages as pooled vectors of their words.

With `path` the vectors of words are those of a model, trained by ``ragembed train`` or read from a file in any usual
format; an index records which they are and does not copy them. Without it they are trained on the corpus that is being
indexed, and saved with the index. What the pooling itself has to know of the corpus
(`ragembed.embed.words.pooling.poolings`) is learnt when it is indexed first, and saved with the index in either case.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ragembed.analysis import ANALYZER_VERSION
from ragembed.embed.base import Dense, Embedder, Kind
from ragembed.embed.coverage import Coverage
from ragembed.embed.words.pooling.fitted import FittedPooling
from ragembed.embed.words.pooling.forgetting import only_words
from ragembed.embed.words.pooling.passages import PassageVectors
from ragembed.embed.words.pooling.poolings import POOLINGS, Pooling
from ragembed.embed.words.pooling.statistics import CorpusBags
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, SpecError
from ragembed.spec import Spec, Value

if TYPE_CHECKING:
    from ragembed.embed.words.train import Trainer

T = TypeVar("T")

_NO_SETTINGS = ("path", "pooling", "a", "directions")
"""Parameters that are no settings of a training."""
_INDIFFERENT = ("path", "workers")
"""Parameters that say nothing of what the vectors are."""


class _Length:
    """`dimension`, the parameter, and the property of the same name that every embedder has.

    The parameter is the length of a word's vector, and not given for a model that is read; the property that of a
    passage's.
    """

    def __get__(self, owner: Any, kind: Any = None) -> int | None:
        return None if owner is None else owner.length()

    def __set__(self, owner: Any, value: int | None) -> None:
        vars(owner)["word_dimension"] = value


@dataclass(eq=False, kw_only=True)
class WordEmbedder(Embedder):
    """Subclasses have the name of a trainer, and fields for more of its settings."""

    kind: ClassVar[Kind] = "dense"
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Settings of a training on the indexed corpus, where they are not the trainer's own."""

    path: str | None = None
    """A model: a folder that was trained or converted, or a file; none: train on what is indexed."""
    pooling: str = "sif"
    """``mean``, ``tfidf``, ``sif``, ``usif``, ``max`` or ``mean+max``."""
    a: float | None = None
    """Of ``sif`` and ``usif``: how fast frequent words lose weight; none: as published."""
    directions: int | None = None
    """How many common directions are taken out of all vectors; none: 1 for ``sif``, 5 for ``usif``, else 0."""
    dimension: int = _Length()  # type: ignore[assignment]  # pyright: ignore
    """Length of a word's vector that is trained."""
    window: int | None = None
    """Words on each side that count in training."""
    epochs: int | None = None
    """Times through the corpus."""
    min_count: int | None = None
    """Times that a word must stand in the corpus."""
    phrases: int | None = None
    """Passes that join words to phrases."""
    seed: int | None = None
    """Start of the random numbers."""
    workers: int | None = None
    """Threads of the training; none: as many as give the same vectors each time."""
    _model: WordVectors | None = field(default=None, init=False, repr=False)
    _learnt: FittedPooling | None = field(default=None, init=False, repr=False)
    _made: PassageVectors | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise SpecError(f"there is no pooling {self.pooling!r}", f"valid are: {', '.join(POOLINGS)}")
        if self.a is not None and (self.pooling not in ("sif", "usif") or not self.a > 0):
            raise SpecError(f"pooling {self.pooling} with a={self.a:g}", "give an a above 0 to sif or usif")
        if self.directions is not None and (
            self.directions < 0 or (self.directions and "max" in self.pooling)
        ):
            raise SpecError(
                f"pooling {self.pooling} with directions={self.directions}",
                "give a number from 0; only 0 with max, which is no sum",
            )
        given = self._given()
        if self.path is not None and given:
            raise SpecError(
                f"{self.name} got a path and {next(iter(given))}, which is for training",
                "give the path of a trained model, or settings to train with",
            )
        if self.path is None:
            self._trainer()  # whose settings are checked when it is made

    # what it is

    @property
    def learns(self) -> bool:  # type: ignore[override]  # pyright: ignore
        """Whether it must see the corpus: to train, or for what the pooling has to know of it."""
        return self.path is None or self._weighs

    @property
    def has_words(self) -> bool:
        """Whether words have vectors, be it before it has seen a corpus."""
        return self.path is not None or self._model is not None

    def length(self) -> int:
        """Length of a passage's vector."""
        asked: int | None = vars(self)["word_dimension"]
        if asked is not None:
            return asked * self._pool.parts
        one: int = self._vectors.dimension if self.has_words else cast("Any", self._trainer()).dimension
        return one * self._pool.parts

    @property
    def spec(self) -> Spec:
        """As of every embedder; `dimension` as it was asked for."""
        given = {**vars(self), "dimension": vars(self)["word_dimension"]}
        params: list[tuple[str, Value]] = [
            (each.name, given[each.name])
            for each in fields(self)
            if each.init and given[each.name] != each.default
        ]
        return Spec(self.name, None, tuple(params))

    @property
    def coverage(self) -> Coverage:
        """How many tokens had a vector so far."""
        return Coverage() if self._made is None else self._made.lookup.coverage

    def recorded_identity(self) -> dict[str, Any]:
        """The base's, but not where a model lies; of a model that the index does not keep, which it is."""
        kept = tuple((key, value) for key, value in self.spec.params if key not in _INDIFFERENT)
        told = {
            **super().recorded_identity(),
            "spec": str(Spec(self.name, None, kept)),
            "analyzer": ANALYZER_VERSION,
        }
        return {**told, "vectors": self._vectors.digest} if self.path is not None and self.learns else told

    def state_hash(self) -> str | None:
        """sha256 of the vectors of words and of what pooling learnt; None before `fit`."""
        if not self._ready:
            return None
        if self._learnt is None:
            return self._vectors.digest
        return hashlib.sha256(f"{self._vectors.digest} {self._learnt.digest}".encode()).hexdigest()

    def probe(self, *, thorough: bool = True) -> dict[str, Any]:
        """As of every dense embedder; its words are not counted."""
        lookup = self._passages.lookup
        counted, lookup.coverage = lookup.coverage, Coverage()
        try:
            return super().probe(thorough=thorough)
        finally:
            lookup.coverage = counted

    # learning

    def adapt(self, sample: Sequence[str]) -> None:
        """Make a path absolute, so that an index finds its model from wherever it is opened."""
        if self.path is not None:
            self.path = str(Path(self.path).expanduser().absolute())

    def fit(self, texts: Iterable[str]) -> None:
        """Train on `texts`, or learn from them what the pooling has to know. They are read once, and spooled."""
        if not self.learns:
            super().fit(texts)
        if self.path is None:
            from ragembed.embed.words.train.run import trained

            trainer = self._trainer()
            reading = _with(trainer.default_reading(), {**self.defaults, **self._given()})
            with trained(trainer, texts, reading=reading) as (vectors, corpus):
                self._take(vectors, None)
                if self._weighs:
                    self._learn(corpus.words, corpus.tokens, corpus.offsets, corpus.read_tokens)
            return
        from ragembed.embed.words.corpus import read_raw

        self._take(self._vectors, None)
        with tempfile.TemporaryDirectory(prefix="ragembed-") as folder:
            raw = read_raw(texts, Path(folder), PassageVectors(self._vectors, self._pool).lookup.tokenizer)
            self._learn(raw.words, raw.ids, raw.offsets, len(raw.ids))

    def learnt_from(self) -> dict[str, Any]:
        """How many tokens the corpus had, and how many of them without a vector."""
        return (
            {} if self._learnt is None else {"tokens": self._learnt.tokens, "unknown": self._learnt.unknown}
        )

    def forget(self, kept: Iterable[str]) -> bool:
        """Drop the words that stand in none of `kept`: of what pooling learnt, and of vectors trained here.

        Common directions and the vectors of other words still reflect them, and no word can be read from those.
        """
        words, tokens = self._passages.lookup.alive(kept)
        fewer = only_words(self._vectors, words, tokens) if self.path is None else None
        learnt = self._learnt
        if learnt is not None and not words.issuperset(learnt.words):
            learnt = learnt.only(words)
        if fewer is None and learnt is self._learnt:
            return False
        self._take(fewer or self._vectors, learnt)
        return True

    def save_state(self, folder: Path) -> None:
        """Write vectors that were trained here, and what pooling learnt."""
        learnt = self._passages.learnt
        if self.path is None:
            self._vectors.save(folder)
        if learnt is not None:
            learnt.save(folder)

    def load_state(self, folder: Path) -> None:
        """Read back what `save_state` wrote; files that do not fit together raise `EmbeddingError`."""
        vectors = _read_whole(folder) if self.path is None else self._vectors
        length = vectors.dimension * self._pool.parts
        self._take(vectors, FittedPooling.load(folder, length) if self._weighs else None)

    # embedding

    def embed(self, texts: Sequence[str]) -> Dense:
        """Vectors ``(len(texts), dimension)`` of length 1; zeros for a text that has no known word."""
        return self._passages.embed(texts)

    def summands(self, text: str) -> tuple[list[str], Dense]:
        """The known tokens of `text`, and what each adds ``(tokens, dimension)`` to its vector before that is scaled.

        Of ``max`` each dimension is added by the token that has its largest value.
        """
        return self._passages.summands(text)

    def known(self, text: str) -> dict[str, tuple[int, bool]]:
        """The tokens of `text` in order of appearance: how often each stands there, and whether it has a vector."""
        return self._passages.known(text)

    def word_vectors(self, words: Sequence[str]) -> tuple[NDArray[np.bool_], Dense]:
        """Which words are known, and their own vectors, not pooled; see `WordVectors.word_vectors`."""
        return self._vectors.word_vectors(words)

    def vocabulary(self) -> tuple[Sequence[str], Dense]:
        """All words, most frequent first, and their vectors."""
        return self._vectors.vocabulary()

    # parts

    @property
    def _pool(self) -> Pooling:
        return POOLINGS[self.pooling](self.a)

    @property
    def _directions(self) -> int:
        return self._pool.directions if self.directions is None else self.directions

    @property
    def _weighs(self) -> bool:
        return self._pool.weighs or self._directions > 0

    @property
    def _ready(self) -> bool:
        return self.has_words and (self._learnt is not None or not self._weighs)

    @property
    def model(self) -> WordVectors:
        """The words that it goes by and their vectors; `EmbeddingError` where it is not fitted."""
        return self._vectors

    @property
    def _vectors(self) -> WordVectors:
        if self._model is None:
            if self.path is None:
                raise self._unfitted()
            from ragembed.embed.words.open import open_word_vectors

            self._model = open_word_vectors(self.path)
        return self._model

    @property
    def _passages(self) -> PassageVectors:
        made = self._made
        if made is None:
            if not self._ready:
                raise self._unfitted()
            made = self._made = PassageVectors(self._vectors, self._pool, self._learnt)
        return made

    def _unfitted(self) -> EmbeddingError:
        return EmbeddingError(f"embedder {self.name} is not fitted", "call fit(texts) first")

    def _take(self, vectors: WordVectors, learnt: FittedPooling | None) -> None:
        self._model, self._learnt, self._made = vectors, learnt, None

    def _learn(
        self, words: Sequence[str | None], tokens: NDArray[np.int32], offsets: NDArray[np.int64], read: int
    ) -> None:
        passages = CorpusBags(PassageVectors(self._vectors, self._pool).lookup, words, tokens, offsets)
        learnt = FittedPooling.of(self._vectors, self._pool, passages, self._directions, read)
        self._take(self._vectors, learnt)

    def _given(self) -> dict[str, Any]:
        """The settings of a training that were given."""
        return {key: value for key, value in self.spec.params if key not in _NO_SETTINGS}

    def _trainer(self) -> Trainer:
        from ragembed.embed.words.train import TRAINERS

        return _with(_with(TRAINERS.load(self.name)(), self.defaults), self._given())


def _read_whole(folder: Path) -> WordVectors:
    """The vectors in `folder`, whose digest is that of the files as they are, not the one that is written there."""
    found = WordVectors.open(folder)
    return WordVectors(
        found.words, found.vectors, counts=found.counts, subwords=found.subwords, info=found.info
    )


def _with(settings: T, values: Mapping[str, Any]) -> T:
    """The dataclass `settings` with those of `values` that are fields of it."""
    known = {each.name for each in fields(cast("Any", settings)) if each.init}
    found: T = replace(
        cast("Any", settings), **{name: value for name, value in values.items() if name in known}
    )
    return found
