"""Sliding-window attention: each query sees the keys near it, and nothing else is computed. See `band`."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention import triton_flash
from ragembed.encoder.attention.band import Band
from ragembed.encoder.attention.blocks import as_many
from ragembed.encoder.attention.kernels import fused, without_padding
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


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
        dilation: int = 1,
        scale: float | None = None,
    ) -> Tensor:
        """Options.

        Args:
            block: Queries taken together; None: 32, or what Triton's kernels take.
            dilation: The window counts only every so-manieth key from a query's place, and so reaches that much
                farther (Beltagy, Peters & Cohan 2020, figure 2c).
            scale: None: 1 / sqrt(d).
        """
        if mask.window is None:
            raise SpecError("sliding_window got no window", "give Mask(window=(left, right))")
        n = as_many(self.name, query, key)
        if dilation != 1:
            return self._dilated(query, key, value, mask, dilation, block=block, scale=scale)
        if block is None and query.is_cuda and triton_flash.available(query, value):
            return triton_flash.attention(query, key, value, mask, scale=scale)[0]

        def kernel(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> tuple[Tensor]:
            return (fused(q, k, v, allowed, scale=scale),)

        band = Band.of(mask, mask.window, n, block, query.device)
        return band.attend(query, *without_padding(mask, key, value), kernel)[0]

    def _dilated(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        dilation: int,
        *,
        block: int | None,
        scale: float | None,
    ) -> Tensor:
        """Tokens whose places leave the same rest see one another alone: each rest is a text of its own."""
        import torch

        if dilation < 1:
            raise SpecError(f"dilation is {dilation}", "give 1 or more")
        n = key.shape[2]
        result = torch.zeros_like(query)
        for rest in range(min(dilation, n)):
            own = slice(rest, n, dilation)
            lengths = None
            if mask.lengths is not None:
                counts = [[0, *accumulate(row)] for row in mask.document_lengths]
                places = [[-(-max(0, end - rest) // dilation) for end in ends] for ends in counts]
                lengths = [[b - a for a, b in pairwise(ends)] for ends in places]
            keep = None if mask.keep is None else mask.keep[:, own]
            part = replace(mask, keep=keep, lengths=lengths)
            q, k, v = (each[:, :, own] for each in (query, key, value))
            result[:, :, own] = self.attend(q, k, v, part, block=block, scale=scale)
        return result
