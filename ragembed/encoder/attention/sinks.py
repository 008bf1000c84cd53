"""Attention sinks: a sliding window, and the first keys of each document beside it.

What a model trained on whole texts has no use for, it puts on the first tokens: cut them off, and the weights of all
others swell. The first few keys go as more columns to each block of the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.blocks import Layout, as_many, band, beside, block_of, blocked, conditions
from ragembed.encoder.attention.kernels import fused, without_padding
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Sinks(Mechanism):
    """A window, and always the first `count` keys; what is seen beyond the mask's window are these alone."""

    name: ClassVar[str] = "sinks"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"window", "causal", "keep", "lengths"})
    paper: ClassVar[str] = "Xiao et al. 2023 (StreamingLLM), section 3"
    time: ClassVar[str] = "O(n (b + w + c) d), b the block, w the window and c the sinks"
    memory: ClassVar[str] = "O(n (b + w + c) d / b) with gradients, O(n) without"
    advice: ClassVar[str] = "to run a model with a window that was trained without one; with causal, streams"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        count: int = 4,
        block: int | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """`count`: keys at the start of each document that are always seen, padding among them counted.

        `block`: queries taken together; None: half of the window, from 32 to 256. `scale`: None: 1 / sqrt(d).
        """
        import torch

        n = as_many(self.name, query, key)
        left, right = _window(mask, n)
        count = _checked(count, n)
        b = block_of(left + right, n, block)
        if n == 0:
            return fused(query, key, value, scale=scale)
        key, value = without_padding(mask, key, value)
        starts = _starts(mask, n, query.device)
        # A document that starts within a block has its sinks in the band, if that is wide enough.
        table = band(n, b, left, 0 if mask.causal else max(right, count - 1), query.device)
        allowed = conditions(mask, n, query.device)
        rows = []
        for row in range(len(query)):
            start = starts[row if len(starts) > 1 else 0]
            firsts = start[::b, None] + torch.arange(count, device=query.device)
            firsts = firsts.masked_fill(firsts >= n, -1)

            def sees(at: Tensor, place: Tensor, start: Tensor = start) -> Tensor:
                near = (place >= at - left) & (place <= at + right)
                return near | (place - start[place] < count)

            layout = Layout(b, beside(table, firsts), sees)
            rows.append(blocked(query[row], key[row], value[row], layout, allowed(row), scale=scale))
        return torch.stack(rows)

    def pattern(self, n: int, mask: Mask | None = None, *, count: int = 4) -> Tensor:
        """Which key each query sees ``(n, n)`` under a mask of one row; None: causal, with an eighth of n as window."""
        import torch

        mask = Mask(window=(n // 8, 0), causal=True) if mask is None else mask
        where = torch.device("cpu")
        sink = torch.arange(n) - _starts(mask, n, where)[0] < count
        rest = Mask(causal=mask.causal, keep=mask.keep, lengths=mask.lengths).allowed(1, n, n, where)
        near = Mask(window=mask.window).allowed(1, n, n, where)
        seen = torch.ones(n, n, dtype=torch.bool) if near is None else near[0] | sink
        return seen if rest is None else seen & rest[0]


def _window(mask: Mask, n: int) -> tuple[int, int]:
    if mask.window is None:
        raise SpecError("sinks got no window", "give Mask(window=(left, right)), or use dot_product")
    return min(mask.window[0], n), 0 if mask.causal else min(mask.window[1], n)


def _checked(count: int, n: int) -> int:
    if count < 0:
        raise SpecError(f"count of sinks is {count}", "give 0 or more")
    return min(count, n)


def _starts(mask: Mask, n: int, where: torch.device) -> Tensor:
    """Where the document of each token starts ``(1 or batch, n)``."""
    import torch

    documents = mask.documents(n, where)
    if documents is None:
        return torch.zeros(1, n, dtype=torch.int64, device=where)
    documents = documents.contiguous()
    return torch.searchsorted(documents, documents)
