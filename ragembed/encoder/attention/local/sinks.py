"""Attention sinks: a sliding window, and the first keys of each document beside it.

A model trained on whole texts puts the attention weight that it has no use for on the first tokens. A window without
them spreads that weight over all other keys, and the model breaks. So each block of queries also gets the first few
keys of its documents, as more columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.encoder.attention.sparse.blocks import (
    Layout,
    attend_blocks,
    band_table,
    block_size,
    extend_table,
    mask_mods,
    same_length,
)
from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Sinks(Mechanism):
    """Attention over a window and the first `count` keys of the document."""

    name: ClassVar[str] = "sinks"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"window", "causal", "keep", "lengths"})
    paper: ClassVar[str] = "Xiao et al. 2023 (StreamingLLM), section 3"
    time: ClassVar[str] = "O(n (b + w + c) d), b the block, w the window and c the sinks"
    memory: ClassVar[str] = "O(n (b + w + c) d / b) with gradients, O(n) without"
    advice: ClassVar[str] = "to run a model with a window that was trained without one; under causal, streams"

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
        """Options.

        Args:
            query: ``(batch, heads, n, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, e)``.
            mask: Without global tokens, and with a window.
            count: Keys at the start of each document that are always seen. Padding there counts, but is not seen.
            block: Queries of a block; None: half of the window, from 32 to 256.
            scale: Of the inner products; None: 1 / sqrt(d).
        """
        import torch

        n = same_length(self.name, query, key)
        left, right = _window(mask, n)
        count = _checked(count, n)
        b = block_size(left + right, n, block)
        key, value = without_padding(mask, key, value)
        starts = _starts(mask, n, query.device)
        # A block gets the sinks of its first query. A document that starts within the block has its sinks in the
        # window's columns, which are made wide enough for them.
        table = band_table(n, b, left, 0 if mask.causal else max(right, count - 1), query.device)
        allowed = mask_mods(mask, n, query.device)
        rows = []
        for row in range(len(query)):
            start = starts[row if len(starts) > 1 else 0]
            sinks = start[::b, None] + torch.arange(count, device=query.device)
            sinks = sinks.masked_fill(sinks >= n, -1)

            def mask_mod(q_idx: Tensor, kv_idx: Tensor, start: Tensor = start) -> Tensor:
                near = (kv_idx >= q_idx - left) & (kv_idx <= q_idx + right)
                return near | (kv_idx - start[kv_idx] < count)

            layout = Layout(b, extend_table(table, sinks), mask_mod)
            rows.append(attend_blocks(query[row], key[row], value[row], layout, allowed(row), scale=scale))
        return torch.stack(rows)

    def pattern(self, n: int, mask: Mask | None = None, *, count: int = 4) -> Tensor:
        """Which keys each query sees ``(n, n)`` bool under a mask of one row; None: causal, with a window of n / 8."""
        import torch

        mask = Mask(window=(n // 8, 0), causal=True) if mask is None else mask
        device = torch.device("cpu")
        sink = torch.arange(n) - _starts(mask, n, device)[0] < count
        rest = Mask(causal=mask.causal, keep=mask.keep, lengths=mask.lengths).allowed(1, n, n, device)
        near = Mask(window=mask.window).allowed(1, n, n, device)
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


def _starts(mask: Mask, n: int, device: torch.device) -> Tensor:
    """Where the document of each token starts ``(1 or batch, n)``."""
    import torch

    documents = mask.documents(n, device)
    if documents is None:
        return torch.zeros(1, n, dtype=torch.int64, device=device)
    documents = documents.contiguous()
    return torch.searchsorted(documents, documents)
