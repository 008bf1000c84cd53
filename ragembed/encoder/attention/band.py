"""A band of the matrix of queries and keys: blocks of queries over the keys near them.

The keys that a block of b queries sees are b + left + right in a row. Those of many blocks are one overlapping view of
the keys, which copies nothing, and go through a kernel at once. Of the inner products of a query, b + left + right,
left + right + 1 count: the price of a kernel over whole matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ragembed.encoder.attention.mask import Mask

_AT_ONCE = 4096
"""Queries that go through the kernel together: with all at once memory for masks grows, and time faster than n."""
_BLOCK = 32
"""Queries of a block: what the CPU's kernel takes as a tile of so few. For windows of 16 to 256 to either side the
fastest of 16 to 128, by a tenth and more."""

Kernel = Callable[["Tensor", "Tensor", "Tensor", "Tensor"], tuple["Tensor", ...]]
"""Query, key, value and who sees whom, by block -> results ``(blocks, heads, block, ...)``."""


@dataclass(frozen=True, eq=False)
class Band:
    """Who sees whom in the rows of a batch."""

    n: int
    left: int
    right: int
    block: int
    """Queries of a block, which see ``left + block + right`` keys."""
    keep: Tensor | None
    """``(1 or batch, n)``: keys that any query sees."""
    documents: Tensor | None
    """``(1 or batch, n)``: the number of each token's document."""

    @classmethod
    def of(cls, mask: Mask, window: tuple[int, int], n: int, block: int | None, where: torch.device) -> Band:
        """The band of a mask over n tokens, n from 1; `block`: queries of a block, None: 32."""
        if block is not None and block < 1:
            raise SpecError(f"block is {block}", "give 1 or more")
        left, right = min(window[0], n), 0 if mask.causal else min(window[1], n)
        keep = None if mask.keep is None else mask.keep.to(where)
        return cls(
            n, left, right, min(n, block or _BLOCK), keep, mask.documents(n, where)
        )

    def attend(self, query: Tensor, key: Tensor, value: Tensor, kernel: Kernel) -> tuple[Tensor, ...]:
        """``(batch, heads, n, d)`` -> what the kernel gives ``(batch, heads, n, ...)``; padding must be finite."""
        import torch

        step = max(1, _AT_ONCE // self.block) * self.block
        stretches = [slice(start, min(self.n, start + step)) for start in range(0, self.n, step)]
        rows = []
        for row in range(len(query)):
            tensors = query[row], key[row], value[row]
            parts = zip(
                *(self._stretch(*tensors, row, queries, kernel) for queries in stretches), strict=True
            )
            rows.append([torch.cat(part) if len(part) > 1 else part[0] for part in parts])
        return tuple(
            (torch.stack(found) if len(found) > 1 else found[0][None]).transpose(1, 2)
            for found in zip(*rows, strict=True)
        )

    def _stretch(
        self, query: Tensor, key: Tensor, value: Tensor, row: int, queries: slice, kernel: Kernel
    ) -> list[Tensor]:
        """Some queries of a row ``(heads, n, d)``, the first at the start of a block -> ``(queries, heads, ...)``."""
        import torch.nn.functional as functional

        m = queries.stop - queries.start
        blocks = -(-m // self.block)
        asks = query[:, queries]
        if blocks * self.block > m:
            asks = functional.pad(asks, (0, 0, 0, blocks * self.block - m))
        asks = asks.unflatten(1, (blocks, self.block)).transpose(0, 1)
        seen = slice(queries.start - self.left, queries.start + blocks * self.block + self.right)
        keys, values = (self._overlapping(each, seen) for each in (key, value))
        found = kernel(asks, keys, values, self._allowed(row, queries.start, blocks, seen, query.device))
        return [
            each.transpose(1, 2).flatten(0, 1)[:m] for each in found
        ]  # as the kernel lays it out: no copy

    def _overlapping(self, each: Tensor, seen: slice) -> Tensor:
        """``(heads, n, d)`` -> a view ``(blocks, heads, left + block + right, d)`` of what each block may see."""
        import torch.nn.functional as functional

        there = slice(max(0, seen.start), min(self.n, seen.stop))
        part = each[:, there]
        if there != seen:
            part = functional.pad(part, (0, 0, there.start - seen.start, seen.stop - there.stop))
        return part.unfold(1, self.left + self.block + self.right, self.block).permute(1, 0, 3, 2)

    def _allowed(self, row: int, first: int, blocks: int, seen: slice, where: torch.device) -> Tensor:
        """Which of its keys each query of a block sees ``(1 or blocks, 1, block, left + block + right)`` bool."""
        import torch

        wide = self.left + self.block + self.right
        at, key = torch.arange(self.block, device=where)[:, None], torch.arange(wide, device=where)[None, :]
        allowed = ((key >= at) & (key <= at + self.left + self.right))[None]
        if self.keep is None and self.documents is None and seen.start >= 0 and seen.stop <= self.n:
            return allowed[None]
        place = torch.arange(seen.start, seen.stop, device=where)
        there = (place >= 0) & (place < self.n)
        place = place.clamp(0, self.n - 1)
        if self.keep is not None:
            there = there & self.keep[row if len(self.keep) > 1 else 0][place]
        allowed = allowed & there.unfold(0, wide, self.block)[:, None, :]
        if self.documents is not None:
            own = self.documents[row if len(self.documents) > 1 else 0]
            asks = own[(first + torch.arange(blocks * self.block, device=where)).clamp(max=self.n - 1)]
            theirs = own[place].unfold(0, wide, self.block)
            allowed = allowed & (asks.unflatten(0, (blocks, -1))[..., None] == theirs[:, None, :])
        return allowed[:, None]


def pays(window: tuple[int, int], n: int) -> bool:
    """Whether a band is faster than the whole matrix at `n` tokens: from about twice a block with its window on."""
    return n > 2 * (_BLOCK + sum(window))
