"""Scaled dot-product attention (single-head, multi-head, multi-query or grouped-query) by PyTorch's fused kernels."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.kernels import fused, without_padding
from ragembed.encoder.attention.mask import ALL, Mask
from ragembed.encoder.attention.mechanism import Mechanism

if TYPE_CHECKING:
    from torch import Tensor


class DotProduct(Mechanism):
    """softmax(Q Kᵀ / sqrt(d)) V, in memory linear in n."""

    name: ClassVar[str] = "dot_product"
    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = ALL
    paper: ClassVar[str] = "Vaswani et al. 2017, equation 1; MQA: Shazeer 2019; GQA: Ainslie et al. 2023"
    time: ClassVar[str] = "O(n² d); of packed documents the sum over their lengths"
    memory: ClassVar[str] = "O(n); O(n²) booleans for a mask with more than causal and lengths"
    advice: ClassVar[str] = "up to some 1,000 tokens, and wherever every token has to see every other"

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Mask, *, scale: float | None = None
    ) -> Tensor:
        """`scale` of the inner products; None: 1 / sqrt(d)."""
        batch, _, m, _ = query.shape
        n = key.shape[2]
        if mask.lengths is not None and mask.global_tokens is None and batch and n:
            return self._each_document(query, key, value, mask, scale)
        if mask.asks == ["causal"] and m == n:
            return fused(query, key, value, causal=True, scale=scale)
        allowed = mask.allowed(batch, m, n, query.device)
        key, value = without_padding(mask, key, value)
        return fused(query, key, value, None if allowed is None else allowed[:, None], scale=scale)

    def _each_document(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Mask, scale: float | None
    ) -> Tensor:
        """One document after the other, so that nothing is computed between two documents."""
        import torch

        rows = mask.document_lengths
        texts = [slice(0, len(query))] if len(rows) == 1 else [slice(at, at + 1) for at in range(len(rows))]
        found = []
        for text, lengths in zip(texts, rows, strict=True):
            q, k, v = (each[text] for each in (query, key, value))
            ends = list(accumulate(lengths))
            results = []
            for start, end in zip([0, *ends], ends, strict=False):
                if start < end:
                    keep = None if mask.keep is None else mask.keep[text, start:end]
                    own = q[:, :, start:end], k[:, :, start:end], v[:, :, start:end]
                    results.append(self.attend(*own, replace(mask, lengths=None, keep=keep), scale=scale))
            found.append(torch.cat(results, dim=2))
        return torch.cat(found) if len(found) > 1 else found[0]
