"""``elmo(path=...)``: passages as pooled vectors of their words in context.

The published programs carry the LSTM's state from one batch to the next, so that a sentence's vectors depend on what
was embedded before it. Here each sentence begins from zeros: a text has one vector, in any company and order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, Embedder, Kind, as_dense, normalized
from ragembed.embed.elmo.files import ElmoFiles, open_elmo
from ragembed.embed.elmo.mixing import Layers, Mixing
from ragembed.embed.elmo.sentences import sentences
from ragembed.embed.words.tokens import CasedTokenizer, Tokenizer, tokenizer, tokenizer_from_json
from ragembed.errors import EmbeddingError, SpecError
from ragembed.spec import Spec

if TYPE_CHECKING:
    from ragembed.embed.elmo.model import Elmo
    from ragembed.embed.words.vectors import WordVectors

POOLINGS = ("mean", "weighted", "max", "mean+max")


@dataclass(frozen=True)
class _Part:
    """Sentences that went through the model together."""

    owners: NDArray[np.int64]
    """The text that each is of ``(sentences,)``."""
    tokens: Sequence[str]
    """Those of all of them."""
    layers: Layers
    starts: list[int]
    """Where each begins in both."""


@dataclass(eq=False, kw_only=True)
class ElmoEmbedder(Embedder):
    """The biLM of Peters et al. 2018, trained here (``ragembed train elmo``) or as it was published."""

    name: ClassVar[str] = "elmo"
    kind: ClassVar[Kind] = "dense"
    costly: ClassVar[bool] = True

    path: str = ""
    """A model's folder, ours or with the published ``options.json`` and HDF5; or the HDF5 file."""
    layers: str = "mean"
    """``mean``, ``top``, the number of one (0: without context), or a share for each: ``"1 2 1"``."""
    pooling: str | None = None
    """``mean``, ``weighted`` (frequent words less), ``max``, ``mean+max``; none: ``weighted`` if counts are known."""
    a: float = 1e-3
    """Of ``weighted``: a word of share p of the training texts counts a / (a + p) (Arora, Liang & Ma 2017)."""
    tokens: str | None = None
    """How texts are cut: ``cased``, ``words``, ``whitespace``; none: as the model's training texts were."""
    max_sentence: int = 200
    """Tokens of the longest sentence that is read in one piece; what is longer is cut into several."""

    def __post_init__(self) -> None:
        if not self.path:
            raise SpecError(f"{self.name} lacks a model", f"write {self.name}(path=FOLDER)")
        if self.pooling is not None and self.pooling not in POOLINGS:
            raise SpecError(f"there is no pooling {self.pooling!r}", f"valid are: {', '.join(POOLINGS)}")
        if not self.a > 0:
            raise SpecError(f"a is {self.a:g}", "give a number above 0, such as 0.001")
        if self.max_sentence < 1:
            raise SpecError(f"max_sentence is {self.max_sentence} tokens", "give 1 or more")
        if self.tokens is not None:
            tokenizer(self.tokens)  # an unknown one is told at once

    def adapt(self, sample: Sequence[str]) -> None:
        """Make the path absolute, so that an index finds its model from wherever it is opened."""
        self.path = str(Path(self.path).expanduser().absolute())

    @property
    def dimension(self) -> int:
        """Length of a text's vector."""
        return self._files.options.dimension * len(self._pooling.split("+"))

    def embed(self, texts: Sequence[str]) -> Dense:
        """Vectors ``(len(texts), dimension)`` of length 1; zeros for a text without tokens."""
        cut = [self._tokenizer.tokens(text) for text in texts]
        return self._pooled(cut)

    def tokens_and_vectors(self, text: str) -> tuple[list[str], Dense]:
        """The tokens of `text`, and the vector of each where it stands ``(tokens, dimension of a token)``."""
        tokens = self._tokenizer.tokens(text)
        parts = self._model.activations(sentences(tokens, self.max_sentence), self._mixing.depth)
        size = self._files.options.dimension
        vectors = [self._mixing.mix(each) for each in parts]
        return tokens, np.concatenate([np.zeros((0, size), np.float32), *vectors])

    def pooled_layers(self, texts: Sequence[str]) -> Layers:
        """The vectors of texts, layer by layer ``(layers, len(texts), dimension of a token)``, not scaled.

        By the mean over tokens, or ``weighted`` where that is the pooling: what `ragembed.embed.elmo.mixing.fit_mixing`
        learns from.
        """
        cut = [self._tokenizer.tokens(text) for text in texts]
        size = self._files.options.dimension
        sums = np.zeros((1 + self._files.options.layers, len(texts), size))
        for part in self._read(cut):
            weights = self._weights(part.tokens) if self._pooling == "weighted" else np.ones(1, np.float32)
            for number, layer in enumerate(part.layers):
                weighed = layer * weights[:, np.newaxis]
                found = np.add.reduceat(weighed, part.starts, axis=0, dtype=np.float64)
                np.add.at(sums[number], part.owners, found)
        counts = np.array([max(1, len(tokens)) for tokens in cut])
        means: Layers = (sums / counts[:, np.newaxis]).astype(np.float32)
        return means

    def word_vectors(self, words: Sequence[str]) -> tuple[NDArray[np.bool_], Dense]:
        """Each word as a text of this one token; all are known but the empty one."""
        known = np.array([bool(word) for word in words], bool)
        return known, self._pooled([[word] if word else [] for word in words])

    def vocabulary(self) -> tuple[Sequence[str], Dense] | None:
        """The words that the model predicts, most frequent first, with their vectors; None for a published model."""
        if self._vocabulary is None:
            return None
        words = list(self._vocabulary.words)
        return words, self.word_vectors(words)[1]

    def state_hash(self) -> str:
        """sha256 of options and weights, the same from whichever form of file."""
        return self._files.digest

    def recorded_identity(self) -> dict[str, Any]:
        """All but where the model lies; torch is not needed for it."""
        params = tuple((key, value) for key, value in self.spec.params if key != "path")
        weighed = {"frequencies": self._frequencies().digest} if self._pooling == "weighted" else {}
        return {
            **super().recorded_identity(),
            **weighed,
            "spec": str(Spec(self.name, None, params)),
            "pooling": self._pooling,
            "tokenizer": self._tokenizer.to_json(),
            "dimension": self.dimension,
        }

    def made_with(self) -> dict[str, str]:
        """The version of what computes."""
        from importlib.metadata import version

        return {"torch": version("torch")}

    @cached_property
    def _files(self) -> ElmoFiles:
        return open_elmo(self.path)

    @cached_property
    def _model(self) -> Elmo:
        from ragembed.embed.elmo.model import Elmo

        return Elmo(self._files.options, self._files.weights)

    @cached_property
    def _mixing(self) -> Mixing:
        return Mixing.parse(self.layers, 1 + self._files.options.layers)

    @cached_property
    def _vocabulary(self) -> WordVectors | None:
        """The words that a model trained here predicts, with their counts."""
        from ragembed.embed.words.formats.folder import STATE
        from ragembed.embed.words.vectors import WordVectors

        folder = Path(self.path).expanduser()
        return WordVectors.open(folder) if (folder / STATE).is_file() else None

    def _frequencies(self) -> WordVectors:
        found = self._vocabulary
        if found is None or found.counts is None:
            raise EmbeddingError(
                f"the model in {self.path} does not know how frequent words are, which pooling=weighted needs",
                "use pooling=mean, or a model that was trained here",
            )
        return found

    @cached_property
    def _pooling(self) -> str:
        if self.pooling is not None:
            return self.pooling
        return "mean" if self._vocabulary is None or self._vocabulary.counts is None else "weighted"

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        if self.tokens is not None:
            return tokenizer(self.tokens)
        record = self._files.info.get("tokenizer", {"kind": CasedTokenizer.kind})
        if not isinstance(record, dict):
            raise EmbeddingError(f"{self.path} has a damaged elmo.json", "convert or train the model again")
        return tokenizer_from_json(record)

    def _pooled(self, cut: Sequence[Sequence[str]]) -> Dense:
        """The vectors ``(len(cut), dimension)`` of texts that are cut into tokens."""
        size = self._files.options.dimension
        sums = np.zeros(
            (len(cut), size)
        )  # what a text's tokens weigh together is no matter: its length will be 1
        highest = np.full((len(cut), size), -np.inf)
        for part in self._read(cut, self._mixing.depth):
            mixed = self._mixing.mix(part.layers)  # (tokens, size)
            if "max" in self._pooling:
                np.maximum.at(highest, part.owners, np.maximum.reduceat(mixed, part.starts, axis=0))
            if self._pooling == "weighted":
                mixed *= self._weights(part.tokens)[:, np.newaxis]
            if self._pooling != "max":
                np.add.at(sums, part.owners, np.add.reduceat(mixed, part.starts, axis=0, dtype=np.float64))
        counts = np.array([len(tokens) for tokens in cut]).reshape(-1, 1)
        highest[counts[:, 0] == 0] = 0
        parts = {"mean": sums / np.maximum(counts, 1), "weighted": sums, "max": highest}
        joined = np.concatenate([parts[name] for name in self._pooling.split("+")], axis=1)
        return normalized(as_dense(joined, len(cut), self.dimension, str(self.spec)))

    def _weights(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """a / (a + p) of each token ``(len(tokens),)``; p is its own share or that of its lower case, else 0."""
        known = self._frequencies()
        assert known.counts is not None  # as `_frequencies` has seen
        different = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
        rows = known.rows(list(different))
        rows = np.where(rows < 0, known.rows([token.lower() for token in different]), rows)
        shares = np.where(rows < 0, 0, known.counts[rows]) / known.counts.sum()
        weights: NDArray[np.float32] = (self.a / (self.a + shares)).astype(np.float32)
        return weights[[different[token] for token in tokens]]

    def _read(self, cut: Sequence[Sequence[str]], depth: int | None = None) -> Iterator[_Part]:
        """The sentences of all texts, run in batches through `depth` layers above the tokens'; None: all."""
        owners: list[int] = []
        parts: list[Sequence[str]] = []
        for number, tokens in enumerate(cut):
            found = sentences(tokens, self.max_sentence)
            parts += found
            owners += [number] * len(found)
        owner = np.array(owners, np.int64)
        for batch in self._model.batches(parts, depth):
            words = [token for number in batch.numbers for token in parts[number]]
            yield _Part(owner[batch.numbers], words, batch.layers, batch.starts[:-1])
