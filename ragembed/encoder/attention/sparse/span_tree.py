"""The binary tree over a document that `bp` uses: which query sees which span, and the key and value of a span.

Level 0 holds the tokens. A span of level j has 2ʲ tokens; the last one of a level may have fewer. Tokens and spans are
keys in one array, the nodes: the n tokens first, then the spans of level 1, then those of level 2, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ragembed.encoder.attention.sparse.blocks import Layout, attend_blocks

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def gap(level: int, k: int) -> int:
    """How many tokens have to lie between a query and a span of level j for it to be seen whole: (2ʲ - 1) k - 2ʲ⁻¹ + 1.

    That is k tokens, k spans of two, k of four... up to level j - 1, less what is saved by the half spans that are seen
    first to avoid an overlap.
    """
    return (2**level - 1) * k - 2 ** (level - 1) + 1 if level else -1  # -1: a token sees itself


@dataclass(frozen=True, eq=False)
class SpanTree:
    """The tree over n tokens, and the layout of its nodes for blocks of queries."""

    n: int
    k: int
    """Tokens, and spans of each level, that a query sees to each side."""
    block: int
    causal: bool
    device: torch.device

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, keep: Tensor, *, weigh: bool, scale: float | None
    ) -> Tensor:
        """Attention over one document ``(heads, n, d)``; `keep` ``(n,)`` is False for padding. As in `BP.attend`."""
        import torch

        shares, counts = self._shares(keep)
        keys, values = (self._with_means(each, shares) for each in (key, value))
        bias = counts.log().to(torch.promote_types(query.dtype, torch.float32)) if weigh else None
        visible = counts > 0
        return attend_blocks(
            query, keys, values, self._layout, lambda _, node: visible[node], bias=bias, scale=scale
        )

    def sees(self, q_idx: Tensor, node: Tensor) -> Tensor:
        """Whether queries see nodes: those that are far enough to be seen whole, unless their parent is, too."""
        before, after, parent_before, parent_after = self._seen_whole[:, node]
        seen = (q_idx >= after) & (q_idx < parent_after)
        return seen if self.causal else seen | ((q_idx <= before) & (q_idx > parent_before))

    def sizes(self) -> Tensor:
        """The size of the span in which each query sees each token ``(n, n)`` int64; 0 if it does not."""
        import torch

        q_idx = torch.arange(self.n, device=self.device)[:, None]
        found, first = torch.zeros(self.n, self.n, dtype=torch.int64, device=self.device), 0
        for level, spans in enumerate(self._counts):
            seen = self.sees(q_idx, torch.arange(first, first + spans, device=self.device)[None])
            found += seen.repeat_interleave(2**level, dim=1)[:, : self.n] * 2**level
            first += spans
        return found

    @cached_property
    def _counts(self) -> list[int]:
        """The number of nodes at each level, up to the highest of which a span is seen whole."""
        found = [self.n]
        while gap(len(found), self.k) < self.n:
            found.append(-(-found[-1] // 2))
        return found

    @cached_property
    def _seen_whole(self) -> Tensor:
        """From where each node is seen whole ``(4, nodes)``.

        By queries up to the first index, which lies before the node, and from the second on, which lies after it; the
        other two are those of its parent.
        """
        import torch

        levels = []
        for level, spans in enumerate(self._counts):
            own, bounds = torch.arange(spans, device=self.device), []
            for span, height in ((own, level), (own // 2, level + 1)):
                own_gap = gap(height, self.k)
                bounds += [span * 2**height - 1 - own_gap, (span + 1) * 2**height + own_gap]
            levels.append(torch.stack(bounds))
        return torch.cat(levels, dim=1)

    @cached_property
    def _layout(self) -> Layout:
        """The table of nodes that any query of a block sees: at each level those before the block and those after."""
        import torch

        first = torch.arange(0, self.n, self.block, device=self.device)[:, None]  # each block's first query
        last = (first + self.block).clamp(max=self.n) - 1
        columns, offset = [], 0
        for level, spans in enumerate(self._counts):
            size, own_gap, parent_gap = 2**level, gap(level, self.k), gap(level + 1, self.k)
            start, stop = 2 * ((first - parent_gap) // (2 * size)), (last - own_gap) // size
            ranges = [(start, stop)]
            if not self.causal:
                start = torch.maximum(stop, -((-first - 1 - own_gap) // size))  # -(-a // b): rounded up
                ranges.append((start, -2 * ((-last - 1 - parent_gap) // (2 * size))))
            for start, stop in ranges:
                start, stop = start.clamp(min=0), stop.clamp(max=spans)
                width = max(0, int((stop - start).max()))
                span = start + torch.arange(width, device=self.device)
                columns.append((span + offset).masked_fill(span >= stop, -1))
            offset += spans
        return Layout(self.block, torch.cat(columns, dim=1), self.sees)

    def _shares(self, keep: Tensor) -> tuple[list[Tensor], Tensor]:
        """For each level from 1 the share of each half in its span's tokens, and the number of tokens of each node.

        Means are computed from shares, because sums would overflow in half precision.
        """
        import torch
        import torch.nn.functional as functional

        counts, shares = [keep.double()], []
        for _ in self._counts[1:]:
            halves = functional.pad(counts[-1], (0, len(counts[-1]) % 2)).unflatten(0, (-1, 2))
            counts.append(halves.sum(dim=1))
            shares.append(halves / counts[-1].clamp(min=1)[:, None])
        return shares, torch.cat(counts)

    def _with_means(self, each: Tensor, shares: list[Tensor]) -> Tensor:
        """Tokens ``(heads, n, d)`` -> nodes ``(heads, nodes, d)``."""
        import torch
        import torch.nn.functional as functional

        levels = [each.to(torch.promote_types(each.dtype, torch.float32))]
        for share in shares:
            halves = functional.pad(levels[-1], (0, 0, 0, levels[-1].shape[1] % 2)).unflatten(1, (-1, 2))
            levels.append((halves * share[..., None].to(halves)).sum(dim=2))
        return torch.cat(levels, dim=1).to(each.dtype)
