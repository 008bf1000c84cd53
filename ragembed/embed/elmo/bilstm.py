"""The recurrent layers: LSTM cells with a projection, and bounds on cells and outputs, in both directions at once.

Source: Sak, Senior & Beaufays 2014, "Long short-term memory recurrent neural network architectures for large scale
acoustic modeling", with the gates in the order i, j, f, o and a forget bias of 1 that the published weights lack.

torch's own LSTM has no bounds, and a bound on what one step hands to the next cannot be added from outside. So the
steps are a loop here; what does not depend on the step before is one matrix product for all of them.

Notation: D = 2 directions, N tokens of all sentences, B sentences, P projection, C cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import DIRECTIONS, cell

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Layer:
    """One layer's weights, both directions stacked."""

    inputs: Tensor
    """``(D, P, 4 C)``"""
    recurrent: Tensor
    """``(D, P, 4 C)``"""
    bias: Tensor
    """``(D, 1, 4 C)``, with the forget bias"""
    project: Tensor
    """``(D, C, P)``"""


def layer_of(tensors: Mapping[str, Tensor], options: Options, number: int) -> Layer:
    """Layer `number` from tensors under their published names; differentiable."""
    import torch

    names = [cell(direction, number) for direction in range(DIRECTIONS)]
    both = torch.stack([tensors[f"{name}/W_0"] for name in names])
    bias = torch.stack([tensors[f"{name}/B"] for name in names]).unsqueeze(1)
    forget = torch.zeros_like(bias)
    forget[..., 2 * options.cells : 3 * options.cells] = 1
    return Layer(
        both[:, : options.projection].contiguous(),
        both[:, options.projection :].contiguous(),
        bias + forget,
        torch.stack([tensors[f"{name}/W_P_0"] for name in names]),
    )


@dataclass
class Memory:
    """What each layer remembers of the sentences before: the state that is carried from batch to batch."""

    outputs: Tensor
    """``(layers, D, B, P)``"""
    cells: Tensor
    """``(layers, D, B, C)``"""

    @classmethod
    def empty(cls, options: Options, rows: int) -> Memory:
        """Zeros for `rows` sentences at once, as it stands before the first batch."""
        import torch

        shape = (options.layers, DIRECTIONS, rows)
        return cls(torch.zeros(*shape, options.projection), torch.zeros(*shape, options.cells))


@dataclass(frozen=True)
class Packing:
    """The tokens of sentences in the order of the steps: all first ones, all second ones ... longest sentence first.

    Backwards the first token of a sentence is its last one. No step is spent on padding: there is none.
    """

    order: NDArray[np.int64]
    """``(B,)``: numbers of the sentences, longest first."""
    sizes: list[int]
    """For each step, how many sentences have such a token."""
    forwards: NDArray[np.int64]
    """``(N,)``: place, among the tokens of all sentences one after the other, of each packed one."""
    backwards: NDArray[np.int64]
    """``(N,)``: the same backwards."""

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Packing:
        """For sentences of these lengths, each 1 or more."""
        size = np.asarray(lengths, np.int64)
        order = np.argsort(-size, kind="stable")
        begins = np.concatenate(([0], np.cumsum(size)))[:-1][order]  # (B,)
        longest = size[order]
        steps = np.arange(int(longest[0]) if len(size) else 0)
        there = steps[:, np.newaxis] < longest  # (steps, B)
        forwards = (begins + steps[:, np.newaxis])[there]
        backwards = (begins + longest - 1 - steps[:, np.newaxis])[there]
        return cls(order, there.sum(axis=1).tolist(), forwards, backwards)


def run_layer(
    layer: Layer, options: Options, x: Tensor, sizes: Sequence[int], h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs ``(D, N, P)`` for packed `x` ``(D, N, P)``, and the last output and cells of each sentence.

    `h` ``(D, B, P)`` and `c` ``(D, B, C)`` are what is remembered at the start. For inference: not differentiable.
    """
    import torch

    cells, width = options.cells, sizes[0]
    gates = torch.baddbmm(layer.bias, x, layer.inputs)  # (D, N, 4 C)
    outputs = torch.empty_like(x)  # (D, N, P)
    h_end, c = h.clone(), c.clone()
    held = torch.empty(DIRECTIONS, width, cells)
    at = 0
    for n, following in zip(sizes, [*sizes[1:], 0], strict=True):
        g = gates[:, at : at + n].baddbmm_(h[:, :n], layer.recurrent)  # (D, n, 4 C)
        g[..., :cells].sigmoid_()
        g[..., cells : 2 * cells].tanh_()
        g[..., 2 * cells :].sigmoid_()
        i, j, f, o = g.split(cells, dim=2)
        now = c[:, :n]
        now.mul_(f).addcmul_(i, j)
        if options.cell_clip is not None:
            now.clamp_(-options.cell_clip, options.cell_clip)
        m = torch.tanh(now, out=held[:, :n]).mul_(o)  # (D, n, C)
        h = outputs[:, at : at + n]
        torch.bmm(m, layer.project, out=h)
        if options.proj_clip is not None:
            h.clamp_(-options.proj_clip, options.proj_clip)
        h_end[:, following:n] = h[:, following:]
        at += n
    return outputs, h_end, c
