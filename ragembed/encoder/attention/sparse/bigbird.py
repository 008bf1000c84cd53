"""BigBird's attention: each block of tokens sees its neighbours, global blocks at the ends, and random blocks.

The global blocks see all others and are seen by all. The random blocks connect any two tokens within a few layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.encoder.attention.sparse.blocks import attend_block_sparse, same_length, token_mask
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class BigBird(Mechanism):
    """Window, global and random blocks; unless a `table` says otherwise, all heads and rows share the random ones."""

    name: ClassVar[str] = "bigbird"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"causal", "keep", "lengths"})
    paper: ClassVar[str] = "Zaheer et al. 2020, section 2 and appendix D"
    time: ClassVar[str] = "O(n b k d), b the block and k the blocks that each sees"
    memory: ClassVar[str] = "O(n k d) with gradients, O(n) without; O((n / b)²) for the draw"
    advice: ClassVar[str] = "models that were trained with it; long texts that have no natural global tokens"

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
        table: Tensor | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """Options.

        Args:
            query: ``(batch, heads, n, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, e)``.
            mask: With no other conditions than causal, keep and lengths.
            block: Tokens of a block.
            near: Neighbouring blocks that are seen to each side.
            ends: How many blocks are global at the start and at the end of a row.
            random: Blocks drawn for each block from those that it does not see otherwise; under `causal` from earlier
                ones only.
            seed: Of the random draw. The draw also depends on the length.
            table: Random blocks drawn elsewhere, in place of `random` and `seed`: for each block the indices of some
                ``(blocks, some)``, or by head ``(heads, blocks, some)``; -1 fills up. A block that is seen anyway
                counts once. (The block-sparse layer of transformers differs in evaluation mode: it takes block 0 for
                every random block, and counts it 1 + `random` times.)
            scale: Of the inner products; None: 1 / sqrt(d).
        """
        import torch

        n, heads = same_length(self.name, query, key), query.shape[1]
        near_and_ends = _fixed(n, block, near, ends)
        if table is None:
            chosen = near_and_ends | _drawn(near_and_ends, mask.causal, random, seed)
        else:
            chosen = near_and_ends | _given(table, len(near_and_ends), heads)
        chosen = chosen.to(query.device)
        if chosen.ndim == 2:
            return attend_block_sparse(query, key, value, mask, chosen, block, scale=scale)
        found = []
        for head, own in enumerate(chosen):
            shared = head * key.shape[1] // heads
            q, k, v = query[:, [head]], key[:, [shared]], value[:, [shared]]
            found.append(attend_block_sparse(q, k, v, mask, own, block, scale=scale))
        return torch.cat(found, dim=1)

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
        chosen = _fixed(n, block, near, ends)
        chosen = chosen | _drawn(chosen, mask is not None and mask.causal, random, seed)
        return token_mask(chosen, n, block, mask)


def _fixed(n: int, block: int, near: int, ends: tuple[int, int]) -> Tensor:
    """Which block each block sees ``(blocks, blocks)`` bool, without random ones."""
    import torch

    if block < 1:
        raise SpecError(f"block is {block}", "give 1 or more")
    if min(near, *ends) < 0:
        raise SpecError(f"near and ends are {near} and {ends}", "give numbers from 0")
    count = -(-n // block)
    own, other = torch.arange(count)[:, None], torch.arange(count)[None, :]
    seen = (own - other).abs() <= near
    for end in (own, other):
        seen = seen | (end < ends[0]) | (end >= count - ends[1])
    return seen


def _drawn(seen: Tensor, causal: bool, random: int, seed: int) -> Tensor:
    """`random` more blocks for each block, drawn from those that it does not see."""
    import torch

    if random < 0:
        raise SpecError(f"random is {random}", "give 0 or more")
    free = (~seen).tril() if causal else ~seen
    draw = torch.rand(
        seen.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32
    ).masked_fill(~free, -1)
    picked = draw.topk(min(random, len(seen)), dim=1).indices
    return torch.zeros_like(seen).scatter(1, picked, True) & free


def _given(table: Tensor, blocks: int, heads: int) -> Tensor:
    """Indices ``([heads,] blocks, some)`` -> which block each block sees ``([heads,] blocks, blocks)`` bool."""
    import torch

    if table.shape[:-1] not in ((blocks,), (heads, blocks)):
        raise SpecError(
            f"a table of shape {tuple(table.shape)} for {blocks} blocks of {heads} heads",
            "give (blocks, some) or (heads, blocks, some)",
        )
    if table.numel() and not (int(table.min()) >= -1 and int(table.max()) < blocks):
        raise SpecError(
            f"a table names blocks from {int(table.min())} to {int(table.max())}",
            f"give numbers below {blocks}, or -1 for none",
        )
    found = torch.zeros(*table.shape[:-1], blocks + 1, dtype=torch.bool)
    return found.scatter(-1, table.cpu().long() % (blocks + 1), True)[..., :blocks]
