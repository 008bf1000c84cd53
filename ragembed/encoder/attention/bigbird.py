"""BigBird's attention: each block of tokens sees its neighbours, some blocks at the ends, and some drawn at random.

The random ones make the way from any token to any other short; the ends, which see all and are seen by all, keep what
is common to the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.blocks import as_many, by_token, over_blocks
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class BigBird(Mechanism):
    """Window, global and random blocks; the same ones for all heads and rows."""

    name: ClassVar[str] = "bigbird"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"causal", "keep", "lengths"})
    paper: ClassVar[str] = "Zaheer et al. 2020, section 2 and appendix D"
    time: ClassVar[str] = "O(n b k d), b the block and k the blocks that each sees"
    memory: ClassVar[str] = "O(n k d) with gradients, O(n) without; O((n / b)²) for the draw"
    advice: ClassVar[str] = "models that were trained with it; long texts without tokens to make global"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        block: int = 64,
        near: int = 1,
        ends: tuple[int, int] = (1, 1),
        random: int = 3,
        seed: int = 0,
        scale: float | None = None,
    ) -> Tensor:
        """Options.

        Args:
            block: Tokens of a block.
            near: Blocks seen to either side.
            ends: Global blocks at the start and the end of a row: ``(1, 1)``.
            random: Blocks drawn for each block among those that it does not see anyway; with `causal` among earlier.
            seed: Of the draw, which depends on the length, too.
            scale: None: 1 / sqrt(d).
        """
        n = as_many(self.name, query, key)
        chosen = _blocks(n, mask.causal, block, near, ends, random, seed).to(query.device)
        return over_blocks(query, key, value, mask, chosen, block, scale=scale)

    def pattern(
        self,
        n: int,
        mask: Mask | None = None,
        *,
        block: int = 64,
        near: int = 1,
        ends: tuple[int, int] = (1, 1),
        random: int = 3,
        seed: int = 0,
    ) -> Tensor:
        """Which key each query sees ``(n, n)`` under a mask of one row."""
        chosen = _blocks(n, mask is not None and mask.causal, block, near, ends, random, seed)
        return by_token(chosen, n, block, mask)


def _blocks(
    n: int, causal: bool, block: int, near: int, ends: tuple[int, int], random: int, seed: int
) -> Tensor:
    """Which block each block sees ``(blocks, blocks)``."""
    import torch

    if block < 1:
        raise SpecError(f"block is {block}", "give 1 or more")
    if min(near, random, *ends) < 0:
        raise SpecError(f"near, ends and random are {near}, {ends} and {random}", "give numbers from 0")
    count = -(-n // block)
    own, other = torch.arange(count)[:, None], torch.arange(count)[None, :]
    seen = (own - other).abs() <= near
    for end in (own, other):
        seen = seen | (end < ends[0]) | (end >= count - ends[1])
    free = ~seen & (other <= own) if causal else ~seen
    draw = torch.rand(count, count, generator=torch.Generator().manual_seed(seed)).masked_fill(~free, -1)
    picked = draw.topk(min(random, count), dim=1).indices
    return seen | (torch.zeros_like(seen).scatter(1, picked, True) & free)
