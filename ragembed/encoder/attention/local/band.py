"""Banded attention: blocks of queries over the keys near them, as dense matrices for a fused kernel.

A block of b queries sees b + left + right consecutive keys. Those of many blocks are one overlapping strided view of
the keys, which copies nothing, and go through the kernel in one call. Of the b + left + right inner products of a query
left + right + 1 count; the rest is computed and masked, which is the price of dense matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ragembed.encoder.attention.mask import Mask

_QUERIES_PER_CALL = 4096
"""Queries in one call of the kernel. With all of them in one call, masks take memory and time grows faster than n."""
_BLOCK = 32
"""Queries of a block: the CPU kernel's tile for so few queries. Of 16 to 128 the fastest by 10 % and more, for windows
of 16 to 256 to each side."""

Kernel = Callable[["Tensor", "Tensor", "Tensor", "Tensor"], tuple["Tensor", ...]]
"""Query, key, value and mask, each with a leading dimension of blocks -> results ``(blocks, heads, block, ...)``."""


@dataclass(frozen=True, eq=False)
class Band:
    """A band mask over a batch, cut into blocks of queries."""

    n: int
    left: int
    right: int
    block: int
    """Queries of a block; together they see ``left + block + right`` keys."""
    keep: Tensor | None
    """``(1 or batch, n)`` bool: False for keys that no query sees in this band, such as padding."""
    documents: Tensor | None
    """``(1 or batch, n)``: the index of each token's document."""

    @classmethod
    def from_mask(
        cls, mask: Mask, window: tuple[int, int], n: int, block: int | None, device: torch.device
    ) -> Band:
        """The band of a mask over n >= 1 tokens; `block`: queries of a block, None: 32."""
        if block is not None and block < 1:
            raise SpecError(f"block is {block}", "give 1 or more")
        left, right = min(window[0], n), 0 if mask.causal else min(window[1], n)
        keep = None if mask.keep is None else mask.keep.to(device)
        return cls(n, left, right, min(n, block or _BLOCK), keep, mask.documents(n, device))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, kernel: Kernel) -> tuple[Tensor, ...]:
        """``(batch, heads, n, d)`` -> the kernel's results ``(batch, heads, n, ...)``; padding must be finite."""
        step = max(1, _QUERIES_PER_CALL // self.block) * self.block
        chunks = [slice(start, min(self.n, start + step)) for start in range(0, self.n, step)]
        rows = []
        for row in range(len(query)):
            tensors = query[row], key[row], value[row]
            of_chunks = (self._chunk(*tensors, row, queries, kernel) for queries in chunks)
            rows.append([each[None] for each in self._joined(of_chunks)])
        return tuple(_cat(found).transpose(1, 2) for found in zip(*rows, strict=True))

    def _joined(self, chunks: Iterator[list[Tensor]]) -> list[Tensor]:
        """Results of all chunks ``(n, ...)``; without gradients each chunk's memory is used again for the next."""
        first = next(chunks)
        if len(first[0]) == self.n:
            return first
        if any(each.requires_grad for each in first):
            return [_cat(parts) for parts in zip(first, *chunks, strict=True)]
        whole = [each.new_empty(self.n, *each.shape[1:]) for each in first]
        start = 0
        for parts in chain([first], chunks):
            stop = start + len(parts[0])
            for each, part in zip(whole, parts, strict=True):
                each[start:stop] = part
            start = stop
        return whole

    def _chunk(
        self, query: Tensor, key: Tensor, value: Tensor, row: int, queries: slice, kernel: Kernel
    ) -> list[Tensor]:
        """Whole blocks of queries of one row ``(heads, n, d)`` -> results ``(queries, heads, ...)``."""
        import torch.nn.functional as functional

        m = queries.stop - queries.start
        blocks = -(-m // self.block)
        query = query[:, queries]
        if blocks * self.block > m:
            query = functional.pad(query, (0, 0, 0, blocks * self.block - m))
        query = query.unflatten(1, (blocks, self.block)).transpose(0, 1)  # (blocks, heads, block, d)
        span = slice(queries.start - self.left, queries.start + blocks * self.block + self.right)
        key, value = (self._key_windows(each, span) for each in (key, value))
        found = kernel(query, key, value, self._allowed(row, queries.start, blocks, span, query.device))
        # in the memory layout of the kernel's result, so that nothing is copied
        return [each.transpose(1, 2).flatten(0, 1)[:m] for each in found]

    def _key_windows(self, each: Tensor, span: slice) -> Tensor:
        """``(heads, n, d)`` -> a view ``(blocks, heads, left + block + right, d)``: the keys that each block may see.

        `span`: those of all these blocks, which may reach beyond the text.
        """
        import torch.nn.functional as functional

        inside = slice(max(0, span.start), min(self.n, span.stop))
        part = each[:, inside]
        if inside != span:
            part = functional.pad(part, (0, 0, inside.start - span.start, span.stop - inside.stop))
        return part.unfold(1, self.left + self.block + self.right, self.block).permute(1, 0, 3, 2)

    def _allowed(self, row: int, first: int, blocks: int, span: slice, device: torch.device) -> Tensor:
        """Which of its keys each query of a block sees ``(1 or blocks, 1, block, left + block + right)`` bool."""
        import torch

        width = self.left + self.block + self.right
        q_idx = torch.arange(self.block, device=device)[:, None]  # within a block, as kv_idx
        kv_idx = torch.arange(width, device=device)[None, :]
        allowed = ((kv_idx >= q_idx) & (kv_idx <= q_idx + self.left + self.right))[None]
        if self.keep is None and self.documents is None and span.start >= 0 and span.stop <= self.n:
            return allowed[None]
        position = torch.arange(span.start, span.stop, device=device)
        kept = (position >= 0) & (position < self.n)
        position = position.clamp(0, self.n - 1)
        if self.keep is not None:
            kept = kept & self.keep[row if len(self.keep) > 1 else 0][position]
        allowed = allowed & kept.unfold(0, width, self.block)[:, None, :]
        if self.documents is not None:
            documents = self.documents[row if len(self.documents) > 1 else 0]
            queries = (first + torch.arange(blocks * self.block, device=device)).clamp(max=self.n - 1)
            of_queries = documents[queries].unflatten(0, (blocks, -1))
            of_keys = documents[position].unfold(0, width, self.block)
            allowed = allowed & (of_queries[..., None] == of_keys[:, None, :])
        return allowed[:, None]


def _cat(parts: Sequence[Tensor]) -> Tensor:
    """Concatenated along the first dimension; a single part is not copied."""
    import torch

    return torch.cat(list(parts)) if len(parts) > 1 else parts[0]


def pays(window: tuple[int, int], n: int) -> bool:
    """Whether a band is faster than full attention at `n` tokens: from about twice the keys of a block on."""
    return n > 2 * (_BLOCK + sum(window))
