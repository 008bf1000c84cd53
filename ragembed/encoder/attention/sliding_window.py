"""Sliding-window attention: each query sees the keys near it, and nothing else is computed.

Queries go in blocks of b. The keys that a block sees are b + left + right in a row; those of all blocks are one
overlapping view of the keys, which copies nothing, and all blocks go through the fused kernel at once. Of the inner
products of a query, b + left + right, left + right + 1 count: the price of a kernel over whole matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.blocks import as_many, block_of
from ragembed.encoder.attention.kernels import fused, without_padding
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_AT_ONCE = 4096
"""Queries that go through the kernel together: with all at once memory for masks grows, and time faster than n."""
_MOST_BLOCK = 64
"""On a CPU 64 is the fastest for windows of 64 on either side and more, from 4,096 tokens on; 256 takes 1.6 times as
long."""


class SlidingWindow(Mechanism):
    """Exact attention within a band, in time and memory that grow with n."""

    name: ClassVar[str] = "sliding_window"
    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = frozenset({"window", "causal", "keep", "lengths"})
    paper: ClassVar[str] = (
        "Child et al. 2019; Beltagy, Peters & Cohan 2020, section 3.1; Jiang et al. 2023 (Mistral)"
    )
    time: ClassVar[str] = "O(n (b + w) d), b the block and w the window"
    memory: ClassVar[str] = "O(n (b + w) / b) bits of masks"
    advice: ClassVar[str] = (
        "long texts of which every token needs its neighbourhood: from about 2 (b + w) tokens on"
    )

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        block: int | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """`block`: queries taken together; None: half of the window, from 32 to 64."""
        import torch
        import torch.nn.functional as functional

        if mask.window is None:
            raise SpecError("sliding_window got no window", "give Mask(window=(left, right))")
        batch, n = len(query), as_many(self.name, query, key)
        left, right = min(mask.window[0], n), 0 if mask.causal else min(mask.window[1], n)
        b = block_of(left + right, n, block, _MOST_BLOCK)
        if n == 0:
            return fused(query, key, value, scale=scale)
        key, value = without_padding(mask, key, value)
        blocks = -(-n // b)
        tail = blocks * b - n
        wide = left + b + right
        q = functional.pad(query, (0, 0, 0, tail))
        k, v = (functional.pad(each, (0, 0, left, right + tail)) for each in (key, value))
        allowed = _allowed(mask, batch, n, (left, right), b, query.device)
        some = max(1, _AT_ONCE // b)
        rows = []
        for row in range(batch):
            asks = q[row].unflatten(1, (blocks, b)).transpose(0, 1)
            keys, values = (_overlapping(each[row], blocks, b, wide) for each in (k, v))
            seen = allowed[row if len(allowed) > 1 else 0][:, None]
            found = [
                fused(asks[part], keys[part], values[part], seen[part], scale=scale)  # (some, heads, b, e)
                for part in (slice(at, at + some) for at in range(0, blocks, some))
            ]
            rows.append(torch.cat(found).transpose(0, 1).flatten(1, 2)[:, :n])
        return torch.stack(rows)


def pays(window: tuple[int, int], n: int) -> bool:
    """Whether a band is faster than the whole matrix at `n` tokens: from about twice a block with its window on."""
    return n > 2 * (block_of(sum(window), n, None, _MOST_BLOCK) + sum(window))


def _overlapping(padded: Tensor, blocks: int, b: int, wide: int) -> Tensor:
    """``(heads, left + n + right, d)`` -> a view ``(blocks, heads, wide, d)`` of what each block may see."""
    return padded.unfold(1, wide, b).permute(1, 0, 3, 2)[:blocks]


def _allowed(mask: Mask, batch: int, n: int, window: tuple[int, int], b: int, where: torch.device) -> Tensor:
    """Which of its keys each query of a block sees ``(1 or batch, blocks, b, wide)`` bool."""
    import torch
    import torch.nn.functional as functional

    left, right = window
    blocks, wide = -(-n // b), left + b + right
    ends = (left, right + blocks * b - n)
    query = torch.arange(b, device=where)[:, None] + left
    key = torch.arange(wide, device=where)[None, :]
    band = (key >= query - left) & (key <= query + right)
    there = functional.pad(torch.ones(1, n, dtype=torch.bool, device=where), ends)
    if mask.keep is not None:
        there = functional.pad(mask.keep.to(where), ends)
    allowed = band & there.unfold(1, wide, b)[:, :blocks, None, :]
    document = mask.documents(n, where)
    if document is not None:
        seen = functional.pad(document, ends, value=-1).unfold(1, wide, b)[:, :blocks, None, :]
        asks = functional.pad(document, (0, blocks * b - n), value=-2).unflatten(1, (blocks, b))[..., None]
        allowed = allowed & (seen == asks)
    return allowed
