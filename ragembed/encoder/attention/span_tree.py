"""The binary tree over a document by which `bp` attends: which query sees which span, and what a span is as a key.

Level 0 are the tokens, a span of level j has 2ʲ of them, the last one of a level may have fewer. The `place` of a token
is its own from 0 to n - 1; the spans of level 1 come next, then those of level 2 and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ragembed.encoder.attention.blocks import Layout, blocked

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def gap(level: int, k: int) -> int:
    """Tokens between a query and a span of level j from which on it is seen as one: (2ʲ - 1) k - 2ʲ⁻¹ + 1.

    k tokens, k pairs, k fours... lie between, less what halves leave out that go first where spans would overlap.
    """
    return (2**level - 1) * k - 2 ** (level - 1) + 1 if level else -1  # a token is seen even by itself


@dataclass(frozen=True, eq=False)
class SpanTree:
    """Spans over n tokens for blocks of queries."""

    n: int
    k: int
    """Tokens, and spans of each level, that a query sees to either side."""
    block: int
    causal: bool
    where: torch.device

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, keep: Tensor, *, weigh: bool, scale: float | None
    ) -> Tensor:
        """One document ``(heads, n, d)``, of which `keep` ``(n,)`` is no padding."""
        import torch

        shares, mass = self._shares(keep)
        keys, values = (self._with_means(each, shares) for each in (key, value))
        bias = mass.log().to(torch.promote_types(query.dtype, torch.float32)) if weigh else None
        there = mass > 0
        return blocked(
            query, keys, values, self._layout, lambda _, place: there[place], bias=bias, scale=scale
        )

    def sees(self, at: Tensor, place: Tensor) -> Tensor:
        """Whether queries `at` see the tokens and spans at `place`: what is far, and lies in no span that is far."""
        before, after, parent_before, parent_after = self._far[:, place]
        seen = (at >= after) & (at < parent_after)
        return seen if self.causal else seen | ((at <= before) & (at > parent_before))

    def sizes(self) -> Tensor:
        """As one of how many each query sees each token ``(n, n)``; 0 where it does not."""
        import torch

        at = torch.arange(self.n, device=self.where)[:, None]
        found, first = torch.zeros(self.n, self.n, dtype=torch.int64, device=self.where), 0
        for level, spans in enumerate(self._counts):
            seen = self.sees(at, torch.arange(first, first + spans, device=self.where)[None])
            found += seen.repeat_interleave(2**level, dim=1)[:, : self.n] * 2**level
            first += spans
        return found

    @cached_property
    def _counts(self) -> list[int]:
        """Tokens, spans of two, of four... as far as any of them is seen as one."""
        found = [self.n]
        while gap(len(found), self.k) < self.n:
            found.append(-(-found[-1] // 2))
        return found

    @cached_property
    def _far(self) -> Tensor:
        """``(4, places)``: queries up to this one, before a span, and from that one on, after it, are far from it...

        ... and the same of its parent.
        """
        import torch

        levels = []
        for level, spans in enumerate(self._counts):
            own, bounds = torch.arange(spans, device=self.where), []
            for span, height in ((own, level), (own // 2, level + 1)):
                between = gap(height, self.k)
                bounds += [span * 2**height - 1 - between, (span + 1) * 2**height + between]
            levels.append(torch.stack(bounds))
        return torch.cat(levels, dim=1)

    @cached_property
    def _layout(self) -> Layout:
        """A table of what any query of a block sees: of each level what lies before them, and what lies after."""
        import torch

        first = torch.arange(0, self.n, self.block, device=self.where)[:, None]  # queries of the blocks
        last = (first + self.block).clamp(max=self.n) - 1
        columns, offset = [], 0
        for level, spans in enumerate(self._counts):
            size, between, wider = 2**level, gap(level, self.k), gap(level + 1, self.k)
            start, stop = 2 * ((first - wider) // (2 * size)), (last - between) // size
            runs = [(start, stop)]
            if not self.causal:
                start = torch.maximum(stop, -((-first - 1 - between) // size))  # -(-a // b): rounded up
                runs.append((start, -2 * ((-last - 1 - wider) // (2 * size))))
            for start, stop in runs:
                start, stop = start.clamp(min=0), stop.clamp(max=spans)
                wide = max(0, int((stop - start).max()))
                place = start + torch.arange(wide, device=self.where)
                columns.append((place + offset).masked_fill(place >= stop, -1))
            offset += spans
        return Layout(self.block, torch.cat(columns, dim=1), self.sees)

    def _shares(self, keep: Tensor) -> tuple[list[Tensor], Tensor]:
        """Of both halves of each level's spans their shares in its tokens, and the number of tokens at each place.

        Means are made by shares, for in half precision sums would overflow.
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
        """``(heads, n, d)`` -> ``(heads, places, d)``."""
        import torch
        import torch.nn.functional as functional

        levels = [each.to(torch.promote_types(each.dtype, torch.float32))]
        for share in shares:
            halves = functional.pad(levels[-1], (0, 0, 0, levels[-1].shape[1] % 2)).unflatten(1, (-1, 2))
            levels.append((halves * share[..., None].to(halves)).sum(dim=2))
        return torch.cat(levels, dim=1).to(each.dtype)
