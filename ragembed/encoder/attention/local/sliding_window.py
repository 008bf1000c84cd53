"""Sliding-window attention: each query sees only the keys near it. The blocked computation is in `band`."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.exact.dot_product import DotProduct
from ragembed.encoder.attention.gpu import triton_flash
from ragembed.encoder.attention.kernels import fused, without_padding
from ragembed.encoder.attention.local.band import Band, pays
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.encoder.attention.sparse.blocks import same_length
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class SlidingWindow(Mechanism):
    """Exact attention within a band, in time and memory linear in n."""

    name: ClassVar[str] = "sliding_window"
    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = frozenset({"window", "causal", "keep", "lengths"})
    paper: ClassVar[str] = (
        "Child et al. 2019; Beltagy, Peters & Cohan 2020, section 3.1; Jiang et al. 2023 (Mistral)"
    )
    time: ClassVar[str] = "O(n (b + w) d), b the block and w the window"
    memory: ClassVar[str] = "O(n (b + w) / b) bits of masks"
    advice: ClassVar[str] = (
        "long texts whose tokens need only their neighbourhood: from about 2 (b + w) tokens on"
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
            block: Queries of a block; None: 32 on a CPU, Triton's kernels on a GPU that can run them.
            dilation: The window counts only the keys whose distance is a multiple of this, and so reaches that many
                times as far (Beltagy, Peters & Cohan 2020, figure 2c).
            scale: Of the inner products; None: 1 / sqrt(d).
        """
        if mask.window is None:
            raise SpecError("sliding_window got no window", "give Mask(window=(left, right))")
        n = same_length(self.name, query, key)
        if dilation != 1:
            return self._dilated(query, key, value, mask, dilation, block=block, scale=scale)
        if block is None and query.is_cuda and triton_flash.available(query, value):
            return triton_flash.attention(query, key, value, mask, scale=scale)[0]

        def kernel(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> tuple[Tensor]:
            return (fused(q, k, v, allowed, scale=scale),)

        band = Band.from_mask(mask, mask.window, n, block, query.device)
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
        """Tokens see only tokens whose position has the same remainder: each remainder is a text of its own."""
        if dilation < 1:
            raise SpecError(f"dilation is {dilation}", "give 1 or more")
        n = key.shape[2]
        dilation = min(dilation, n)
        result = value.new_zeros(*query.shape[:3], value.shape[3])
        for remainder in range(dilation):
            own = slice(remainder, n, dilation)
            lengths = None
            if mask.lengths is not None:
                ends_of_rows = [[0, *accumulate(row)] for row in mask.document_lengths]
                counts = [[-(-max(0, end - remainder) // dilation) for end in ends] for ends in ends_of_rows]
                lengths = [[b - a for a, b in pairwise(count)] for count in counts]
            keep = None if mask.keep is None else mask.keep[:, own]
            part = replace(mask, keep=keep, lengths=lengths)
            q, k, v = (each[:, :, own] for each in (query, key, value))
            result[:, :, own] = self.attend(q, k, v, part, block=block, scale=scale)
        return result


_DENSE, _BANDED = DotProduct(), SlidingWindow()


def faster(mask: Mask, m: int, n: int) -> DotProduct | SlidingWindow:
    """Which of the two to take for m queries over n keys: they give the same, but a band pays only in long texts."""
    return _BANDED if mask.window is not None and m == n and pays(mask.window, n) else _DENSE
