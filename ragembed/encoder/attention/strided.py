"""The two patterns of Sparse Transformers, over blocks: what is near, and one block in every few.

With a stride near the root of the number of blocks, each sees O(sqrt(n / b)) blocks, and two layers reach all of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.blocks import as_many, by_token, over_blocks
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("strided", "fixed")


class Strided(Mechanism):
    """Both parts of a pattern merged in every head; with blocks of 1 token it is that of the paper."""

    name: ClassVar[str] = "strided"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"causal", "keep", "lengths"})
    paper: ClassVar[str] = "Child et al. 2019, sections 4.3 and 5.2"
    time: ClassVar[str] = "O(n b (s + n / (b s)) d), b the block and s the stride: O(n sqrt(n b) d) at best"
    memory: ClassVar[str] = "O(n (s + n / (b s)) d) with gradients, O((n / b)²) without"
    advice: ClassVar[str] = "what has a period, as tables and lines of equal length; fixed: text"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        kind: str = "strided",
        block: int = 64,
        stride: int | None = None,
        summary: int = 1,
        scale: float | None = None,
    ) -> Tensor:
        """Options.

        Args:
            kind: ``strided``: the `stride` blocks next to a block, and every `stride`-th from it; ``fixed``: those of
                its own stretch of `stride` blocks, and the last of every stretch.
            block: Tokens of a block.
            stride: In blocks; None: the root of their number.
            summary: Last blocks of a stretch that all see, where the kind is ``fixed``.
            scale: None: 1 / sqrt(d).
        """
        n = as_many(self.name, query, key)
        chosen = _blocks(n, kind, block, stride, summary).to(query.device)
        return over_blocks(query, key, value, mask, chosen, block, scale=scale)

    def pattern(
        self,
        n: int,
        mask: Mask | None = None,
        *,
        kind: str = "strided",
        block: int = 64,
        stride: int | None = None,
        summary: int = 1,
    ) -> Tensor:
        """Which key each query sees ``(n, n)`` under a mask of one row."""
        return by_token(_blocks(n, kind, block, stride, summary), n, block, mask)


def _blocks(n: int, kind: str, block: int, stride: int | None, summary: int) -> Tensor:
    """Which block each block sees ``(blocks, blocks)``."""
    import torch

    if kind not in KINDS:
        raise SpecError(f"unknown kind {kind!r}", f"valid are: {', '.join(KINDS)}")
    count = -(-n // max(1, block))
    step = max(1, round(math.sqrt(count))) if stride is None else stride
    if min(block, step, summary) < 1:
        raise SpecError(f"block, stride and summary are {block}, {step} and {summary}", "give 1 or more")
    own, other = torch.arange(count)[:, None], torch.arange(count)[None, :]
    if kind == "strided":
        apart = (own - other).abs()
        return (apart <= step) | (apart % step == 0)
    return (own // step == other // step) | (other % step >= step - summary)
