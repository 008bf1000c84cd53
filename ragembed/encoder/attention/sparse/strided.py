"""The strided and the fixed pattern of Sparse Transformers, over blocks: nearby blocks, and some of the distant ones.

With a stride near the square root of the number of blocks, each block sees O(sqrt(n / b)) others, and two layers
connect all of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.encoder.attention.sparse.blocks import attend_block_sparse, same_length, token_mask
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("strided", "fixed")


class Strided(Mechanism):
    """Each head sees both parts of its pattern (a merged head); blocks of 1 token give the patterns of the paper."""

    name: ClassVar[str] = "strided"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"causal", "keep", "lengths"})
    paper: ClassVar[str] = "Child et al. 2019, sections 4.3, 5.1 (merged heads) and 5.5 (blocks)"
    time: ClassVar[str] = "O(n b (s + n / (b s)) d), b the block and s the stride: O(n sqrt(n b) d) at best"
    memory: ClassVar[str] = "O(n (s + n / (b s)) d) with gradients, O((n / b)²) without"
    advice: ClassVar[str] = (
        "strided: data with a period, such as tables and lines of equal length; fixed: text"
    )

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
            kind: ``strided``: a block sees the `stride` blocks to each side, and all at a multiple of `stride` from it;
                ``fixed``: the text is cut into segments of `stride` blocks, and a block sees its own segment and the
                last blocks of every segment.
            block: Tokens of a block.
            stride: In blocks; None: the square root of their number.
            summary: With ``fixed``, how many of the last blocks of a segment all see (c in the paper).
            scale: Of the inner products; None: 1 / sqrt(d).
        """
        n = same_length(self.name, query, key)
        chosen = _blocks(n, kind, block, stride, summary).to(query.device)
        return attend_block_sparse(query, key, value, mask, chosen, block, scale=scale)

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
        return token_mask(_blocks(n, kind, block, stride, summary), n, block, mask)


def _blocks(n: int, kind: str, block: int, stride: int | None, summary: int) -> Tensor:
    """Which block each block sees ``(blocks, blocks)`` bool."""
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
