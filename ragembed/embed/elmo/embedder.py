"""``elmo(path=...)``: passages as pooled vectors of their words in context.

The published programs carry the LSTM's state from one batch to the next, so that a sentence's vectors depend on what
was embedded before it. Here each sentence begins from zeros: a text has one vector, in any company and order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, Embedder, as_dense, normalized
from ragembed.embed.elmo.files import ElmoFiles, open_elmo
from ragembed.embed.elmo.mixing import Layers, Mixing
from ragembed.embed.elmo.tokens import CasedTokenizer, sentences
from ragembed.embed.words.tokens import Tokenizer, tokenizer, tokenizer_from_json
from ragembed.errors import EmbeddingError, SpecError
from ragembed.spec import Spec

if TYPE_CHECKING:
    from ragembed.embed.elmo.model import Elmo

POOLINGS = ("mean", "max", "mean+max")


@dataclass(eq=False, kw_only=True)
class ElmoEmbedder(Embedder):
    """The biLM of Peters et al. 2018, trained here (``ragembed train elmo``) or as it was published."""

    name: ClassVar[str] = "elmo"
    kind: ClassVar[Literal["dense", "sparse"]] = "dense"
    costly: ClassVar[bool] = True

    path: str = ""
    """A model's folder, ours or with the published ``options.json`` and HDF5; or the HDF5 file."""
    layers: str = "mean"
    """``mean``, ``top``, the number of one (0: without context), or a share for each: ``"1 2 1"``."""
    pooling: str = "mean"
    """``mean``, ``max`` or ``mean+max`` over the tokens of a text."""
    tokens: str | None = None
    """How texts are cut: ``cased``, ``words``, ``whitespace``; none: as the model's training texts were."""
    window: int = 200
    """Tokens of the longest sentence that is read in one piece; what is longer is cut into several."""

    def __post_init__(self) -> None:
        if not self.path:
            raise SpecError(f"{self.name} lacks a model", f"write {self.name}(path=FOLDER)")
        if self.pooling not in POOLINGS:
            raise SpecError(f"there is no pooling {self.pooling!r}", f"valid are: {', '.join(POOLINGS)}")
        if self.window < 1:
            raise SpecError(f"window is {self.window} tokens", "give 1 or more")
        if self.tokens is not None:
            tokenizer(self.tokens)  # an unknown one is told at once

    @property
    def dimension(self) -> int:
        """Length of a text's vector."""
        return self._files.options.dimension * len(self.pooling.split("+"))

    def embed(self, texts: Sequence[str]) -> Dense:
        """Vectors ``(len(texts), dimension)`` of length 1; zeros for a text without tokens."""
        cut = [self._tokenizer.tokens(text) for text in texts]
        return self._pooled(cut)

    def tokens_and_vectors(self, text: str) -> tuple[list[str], Dense]:
        """The tokens of `text`, and the vector of each where it stands ``(tokens, dimension of a token)``."""
        tokens = self._tokenizer.tokens(text)
        parts = self._model.activations(sentences(tokens, self.window))
        size = self._files.options.dimension
        vectors = [self._mixing.mix(each) for each in parts]
        return tokens, np.concatenate([np.zeros((0, size), np.float32), *vectors])

    def pooled_layers(self, texts: Sequence[str]) -> Layers:
        """The mean over the tokens of each text, layer by layer ``(layers, len(texts), dimension of a token)``.

        What `ragembed.embed.elmo.mixing.fit_mixing` learns from.
        """
        cut = [self._tokenizer.tokens(text) for text in texts]
        size = self._files.options.dimension
        sums = np.zeros((1 + self._files.options.layers, len(texts), size))
        for owners, layers, starts in self._read(cut):
            for number, layer in enumerate(layers):
                np.add.at(sums[number], owners, np.add.reduceat(layer, starts, axis=0, dtype=np.float64))
        counts = np.array([max(1, len(tokens)) for tokens in cut])
        means: Layers = (sums / counts[:, np.newaxis]).astype(np.float32)
        return means

    def word_vectors(self, words: Sequence[str]) -> tuple[NDArray[np.bool_], Dense]:
        """Each word as a text of this one token; all are known but the empty one."""
        known = np.array([bool(word) for word in words], bool)
        return known, self._pooled([[word] if word else [] for word in words])

    def vocabulary(self) -> tuple[Sequence[str], Dense] | None:
        """The words that the model predicts, most frequent first, with their vectors; None for a published model."""
        from ragembed.embed.words.formats.folder import STATE
        from ragembed.embed.words.vectors import WordVectors

        folder = Path(self.path).expanduser()
        if not (folder / STATE).is_file():
            return None
        words = list(WordVectors.open(folder).words)
        return words, self.word_vectors(words)[1]

    def state_hash(self) -> str:
        """sha256 of options and weights, the same from whichever form of file."""
        return self._files.digest

    def recorded_identity(self) -> dict[str, Any]:
        """All but where the model lies; torch is not needed for it."""
        params = tuple((key, value) for key, value in self.spec.params if key != "path")
        return {
            **super().recorded_identity(),
            "spec": str(Spec(self.name, None, params)),
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
        means = np.zeros((len(cut), size))
        highest = np.full((len(cut), size), -np.inf)
        for owners, layers, starts in self._read(cut):
            mixed = self._mixing.mix(layers)  # (tokens, size)
            if "mean" in self.pooling:
                np.add.at(means, owners, np.add.reduceat(mixed, starts, axis=0, dtype=np.float64))
            if "max" in self.pooling:
                np.maximum.at(highest, owners, np.maximum.reduceat(mixed, starts, axis=0))
        counts = np.array([len(tokens) for tokens in cut]).reshape(-1, 1)
        means /= np.maximum(counts, 1)
        highest[counts[:, 0] == 0] = 0
        parts = {"mean": means, "max": highest}
        joined = np.concatenate([parts[name] for name in self.pooling.split("+")], axis=1)
        return normalized(as_dense(joined, len(cut), self.dimension, str(self.spec)))

    def _read(self, cut: Sequence[Sequence[str]]) -> Iterator[tuple[NDArray[np.int64], Layers, list[int]]]:
        """For batches of sentences: the text that each is of, all layers of their tokens, and where each begins."""
        owners: list[int] = []
        parts: list[Sequence[str]] = []
        for number, tokens in enumerate(cut):
            found = sentences(tokens, self.window)
            parts += found
            owners += [number] * len(found)
        owner = np.array(owners, np.int64)
        for batch in self._model.batches(parts):
            yield owner[batch.numbers], batch.layers, batch.starts[:-1]
