"""A model ready to run: words of sentences -> activations of all layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.elmo import characters
from ragembed.embed.elmo.bilstm import Layer, Memory, Packing, layer_of, run_layer
from ragembed.embed.elmo.characters import BEGIN, END
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.token_encoder import needed_characters, token_vectors
from ragembed.errors import EmbeddingError
from ragembed.extras import require
from ragembed.threads import wait_calmly

if TYPE_CHECKING:
    from torch import Tensor

Layers = NDArray[np.float32]
"""``(1 + layers, tokens, dimension)``: the token layer, then the LSTM's."""
Sentence = Sequence[str]

_MEMORY = 200_000_000
"""Bytes that the gates of one batch, or the CNN's windows of one slice of words, may take."""


@dataclass(frozen=True)
class Batch:
    """Sentences that go through the model at once."""

    numbers: list[int]
    """Which sentences of those asked for."""
    layers: Layers
    """Their tokens one after the other, without begin and end."""
    starts: list[int]
    """Where in `layers` each sentence begins, and the end of the last."""


class Elmo:
    """The two-directional language model of Peters et al. 2018, without its softmax."""

    def __init__(self, options: Options, weights: Mapping[str, NDArray[np.float32]]) -> None:
        wait_calmly()
        torch = require("torch", "elmo", "running ELMo")
        self.options = options
        self._tensors: dict[str, Tensor] = {name: torch.from_numpy(each) for name, each in weights.items()}

    def token_vectors(self, words: Sequence[str]) -> Dense:
        """Vectors ``(len(words), dimension / 2)`` of words without context, which both directions start from."""
        return np.asarray(self._words(words).numpy(), np.float32)

    def activations(self, sentences: Sequence[Sentence], depth: int | None = None) -> list[Layers]:
        """The layers of each sentence, from an empty memory: in any company the same. For `depth` see `batches`."""
        found: list[Layers | None] = [None] * len(sentences)
        for batch in self.batches(sentences, depth):
            for number, start, end in zip(batch.numbers, batch.starts, batch.starts[1:], strict=False):
                found[number] = batch.layers[:, start:end]
        return [each for each in found if each is not None]

    def batches(self, sentences: Sequence[Sentence], depth: int | None = None) -> Iterator[Batch]:
        """The layers, in batches of sentences of similar length that take bounded memory.

        Only the token layer and the first `depth` above it, and no other is run; None: all.
        """
        depth = self.options.layers if depth is None else depth
        for numbers in self._grouped([len(sentence) for sentence in sentences]):
            yield self._batch(numbers, [sentences[number] for number in numbers], None, depth)

    def continued(self, sentences: Sequence[Sentence], memory: Memory) -> list[Layers]:
        """All layers of sentences that go on from `memory`, row by row, as the published programs compute them.

        `memory` (`Memory.empty`) holds what was read before and is moved on. Sentence i is the next of lane i, so that
        the result depends on all that went before: for comparing with published activations, not for an index.
        """
        if len(sentences) > memory.outputs.shape[2]:
            raise EmbeddingError(
                f"the memory is of {memory.outputs.shape[2]} sentences, {len(sentences)} are given",
                "make one of as many rows as the largest batch has",
            )
        batch = self._batch(list(range(len(sentences))), sentences, memory, self.options.layers)
        return [
            batch.layers[:, start:end] for start, end in zip(batch.starts, batch.starts[1:], strict=False)
        ]

    @cached_property
    def _layers(self) -> list[Layer]:
        return [layer_of(self._tensors, self.options, number) for number in range(self.options.layers)]

    def _grouped(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Numbers of sentences, longest first, so many at once as memory allows."""
        room = max(1, _MEMORY // (4 * 2 * 4 * self.options.cells))  # tokens: float32, directions, gates
        group: list[int] = []
        tokens = 0
        for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
            size = lengths[number] + 2
            if group and tokens + size > room:
                yield group
                group, tokens = [], 0
            group.append(number)
            tokens += size
        if group:
            yield group

    def _batch(
        self, numbers: list[int], sentences: Sequence[Sentence], memory: Memory | None, depth: int
    ) -> Batch:
        import torch

        if not sentences:
            return Batch([], np.zeros((1 + depth, 0, self.options.dimension), np.float32), [0])
        lengths = [len(sentence) + 2 for sentence in sentences]
        row_of: dict[str, int] = {}
        rows = np.array([row_of.setdefault(w, len(row_of)) for w in _with_ends(sentences)], np.int64)
        packing = Packing.of(lengths)
        order = torch.from_numpy(packing.order)
        places = np.stack([packing.forwards, packing.backwards])  # (D, N)
        with torch.no_grad():
            x = self._words(list(row_of))[torch.from_numpy(rows[places])]  # (D, N, P)
            state = Memory.empty(self.options, len(sentences)) if memory is None else memory
            packed = [x]
            for number, layer in enumerate(self._layers[:depth]):
                h, c = state.outputs[number][:, order], state.cells[number][:, order]
                y, h, c = run_layer(layer, self.options, packed[-1], packing.sizes, h, c)
                state.outputs[number][:, order], state.cells[number][:, order] = h, c
                packed.append(y.add_(packed[-1]) if self.options.skip and number else y)
        kept = np.ones(len(rows), bool)  # begin and end of sentences go
        ends = np.cumsum(lengths)
        kept[ends - 1] = kept[np.concatenate(([0], ends[:-1]))] = False
        layers = _unpacked(packed, packing, kept)
        return Batch(numbers, layers, [0, *np.cumsum(np.array(lengths) - 2).tolist()])

    def _words(self, words: Sequence[str]) -> Tensor:
        """Vectors ``(len(words), P)``, in slices of words of similar length."""
        import torch

        options = self.options
        found = torch.empty(len(words), options.projection)
        ids = characters.character_ids(words, options.longest_word)
        lengths = characters.lengths(ids)
        order = np.argsort(lengths, kind="stable")
        # of each place in a word: what the widest filters look at, and what they give
        numbers = max(max(width * options.char_dimension, count) for width, count in options.filters)
        at_once = max(1, _MEMORY // (4 * 2 * numbers * options.longest_word))
        with torch.no_grad():
            for at in range(0, len(order), at_once):
                rows = order[at : at + at_once]
                needed = needed_characters(options, int(lengths[rows[-1]]))
                part = torch.from_numpy(ids[rows, :needed].astype(np.int64))
                found[torch.from_numpy(rows)] = token_vectors(self._tensors, options, part)
        return found


def _with_ends(sentences: Sequence[Sentence]) -> Iterator[str]:
    return chain.from_iterable(chain((BEGIN,), sentence, (END,)) for sentence in sentences)


def _unpacked(packed: Sequence[Any], packing: Packing, kept: NDArray[np.bool_]) -> Layers:
    """Both directions beside each other, in the order of the tokens, and only those that are `kept`."""
    size = packed[0].shape[2]
    every = np.empty((len(packed), len(kept), 2 * size), np.float32)
    for number, both in enumerate(packed):
        every[number, packing.forwards, :size] = both[0].numpy()
        every[number, packing.backwards, size:] = both[1].numpy()
    return every[:, kept]
