"""The language model of both directions while it is trained: weights that learn, and the loss of a piece of text.

Notation: D = 2 directions, T steps, B lanes, P projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.elmo import characters
from ragembed.embed.elmo.backprop import train_layer
from ragembed.embed.elmo.bilstm import Memory, layer_of
from ragembed.embed.elmo.characters import BEGIN, END
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.softmax import Sampler, full_loss, summed_loss
from ragembed.embed.elmo.streams import SPECIAL, Piece, Streams
from ragembed.embed.elmo.token_encoder import needed_characters, token_vectors

if TYPE_CHECKING:
    from torch import Generator, Tensor

SOFTMAX, SOFTMAX_BIAS = "softmax/W", "softmax/b"
UNKNOWN = 2
"""Row of the softmax for words that are read, but not predicted; 0 and 1 are `BEGIN` and `END`."""
ROWS_BEFORE = 3

_COUNTED = 1 << 16
"""Words looked at together where only their numbers matter."""


class LanguageModel:
    """Words of a corpus in, the loss of predicting the next one out."""

    def __init__(self, options: Options, tensors: dict[str, Tensor], words: Sequence[str]) -> None:
        """`tensors`: the published ones, and ``softmax/W`` ``(3 + predicted, P)`` and ``softmax/b``."""
        self.options = options
        self.tensors = tensors
        self.predicted = len(tensors[SOFTMAX]) - ROWS_BEFORE
        self._words = words
        for tensor in tensors.values():
            tensor.requires_grad_()

    def loss(
        self, piece: Piece, memory: Memory, dropout: float, generator: Generator, sampler: Sampler | None
    ) -> Tensor:
        """Mean loss of both directions over `piece`; `memory` is moved on. All words without a `sampler`."""
        x, targets = self._outputs(piece, memory, dropout, generator), self._targets(piece)
        weight, bias = self.tensors[SOFTMAX], self.tensors[SOFTMAX_BIAS]
        if sampler is None:
            return full_loss(x, weight, bias, targets)
        return sampler.loss(x, weight, bias, targets, sampler.sample(generator))

    def held_out_loss(self, streams: Streams, lanes: int, steps: int) -> float:
        """Mean loss over all words of `streams`, from an empty memory: the logarithm of the perplexity."""
        import torch

        memory, generator = Memory.empty(self.options, lanes), torch.Generator()
        total, count = 0.0, 0
        weight, bias = self.tensors[SOFTMAX], self.tensors[SOFTMAX_BIAS]
        with torch.no_grad():
            for piece in streams.pieces(lanes, steps):
                x, targets = self._outputs(piece, memory, 0.0, generator), self._targets(piece)
                total += summed_loss(x, weight, bias, targets)
                count += len(targets)
        return total / count

    def unigram_loss(self, read: Streams, judged: Streams) -> float:
        """The mean loss over `judged` of who knows only how often each word stands in `read` (and once more)."""
        counts = np.ones(ROWS_BEFORE + self.predicted)
        for piece in read.pieces(1, _COUNTED):
            counts += np.bincount(self._rows(piece), minlength=len(counts))
        surprise = np.log(counts.sum()) - np.log(counts)
        return float(np.concatenate([surprise[self._rows(p)] for p in judged.pieces(1, _COUNTED)]).mean())

    def _outputs(self, piece: Piece, memory: Memory, dropout: float, generator: Generator) -> Tensor:
        """What the top layer gives ``(D T B, P)``."""
        import torch

        def dropped(x: Tensor) -> Tensor:
            if not dropout:
                return x
            return x * torch.empty_like(x).bernoulli_(1 - dropout, generator=generator).div_(1 - dropout)

        numbers, places = np.unique(piece.inputs, return_inverse=True)
        x = self._vectors(numbers.tolist())[
            torch.from_numpy(places.reshape(piece.inputs.shape))
        ]  # (D, T, B, P)
        x = dropped(x)
        for number in range(self.options.layers):
            layer = layer_of(self.tensors, self.options, number)
            y, h, c = train_layer(layer, self.options, x, memory.outputs[number], memory.cells[number])
            memory.outputs[number], memory.cells[number] = h, c
            y = dropped(y)
            x = x + y if self.options.skip and number else y
        return x.flatten(0, 2)

    def _vectors(self, numbers: Sequence[int]) -> Tensor:
        """Vectors ``(len(numbers), P)`` of words by their numbers in a stream."""
        import torch

        ends = (BEGIN, END)
        words = [ends[n] if n < SPECIAL else self._words[n - SPECIAL] for n in numbers]
        ids = characters.character_ids(words, self.options.longest_word)
        needed = needed_characters(self.options, int(characters.lengths(ids).max()))
        part = torch.from_numpy(ids[:, :needed].astype(np.int64))
        return token_vectors(self.tensors, self.options, part)

    def _targets(self, piece: Piece) -> Tensor:
        """Rows of the softmax ``(D T B,)``."""
        import torch

        return torch.from_numpy(self._rows(piece))

    def _rows(self, piece: Piece) -> NDArray[np.int64]:
        known = np.where(piece.targets < SPECIAL + self.predicted, piece.targets + 1, UNKNOWN)
        return np.where(piece.targets < SPECIAL, piece.targets, known).ravel()
