"""Attention between the queries and keys that a process has at one step, in tiles as in FlashAttention 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragembed.encoder.attention.distributed.shards import ShardedMask
from ragembed.encoder.attention.exact.flash import Problem, backward, finite_max
from ragembed.encoder.attention.exact.flash2 import Flash2

if TYPE_CHECKING:
    from torch import Tensor


def attend(
    mask: ShardedMask,
    ranks: tuple[int, int],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    running: tuple[Tensor, Tensor],
) -> None:
    """Merge attention over the keys of process ``ranks[1]`` into the running result of the queries of ``ranks[0]``.

    Args:
        mask: Of the whole text.
        ranks: The processes whose queries and whose keys these are.
        query: ``(batch, kv_heads, groups, m, d)``.
        key: ``(batch, kv_heads, m, d)``.
        value: ``(batch, kv_heads, m, e)``.
        scale: Of the inner products.
        running: The result so far ``(batch, kv_heads, groups, m, e)`` and its lse ``(batch, kv_heads, groups, m)``, at
            least in float32; updated in place.
    """
    import torch

    out, lse = running
    for pair in mask.pairs(*ranks):
        rows, columns = pair.rows, pair.columns
        problem = Problem(query[:, :, :, rows], key[:, :, columns], value[:, :, columns], pair.mask, scale)
        new_out, new_lse = Flash2.forward(problem)
        old_lse = lse[:, :, :, rows]
        total = torch.logaddexp(old_lse, new_lse)
        old_weight, new_weight = (
            torch.exp(each - finite_max(total))[..., None] for each in (old_lse, new_lse)
        )
        # in place: these are the largest tensors
        out[:, :, :, rows].mul_(old_weight).add_(new_out.mul_(new_weight))
        lse[:, :, :, rows] = total


def gradients(
    mask: ShardedMask,
    ranks: tuple[int, int],
    of_queries: tuple[Tensor, Tensor, Tensor, Tensor],
    of_keys: tuple[Tensor, Tensor],
    scale: float,
    into: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Add to `into` the gradients of query, key and value that come from these queries and these keys.

    Args:
        mask: Of the whole text.
        ranks: The processes whose queries and whose keys these are.
        of_queries: Query ``(batch, kv_heads, groups, m, d)``, gradient of the result ``(..., m, e)``, `row_delta`
            ``(..., m, 1)``, and the lse over all keys ``(..., m)``.
        of_keys: Key and value ``(batch, kv_heads, m, d or e)``.
        scale: Of the inner products.
        into: Tensors of the shapes of query, key and value, at least in float32.
    """
    query, grad, delta, lse = of_queries
    key, value = of_keys
    d_query, d_key, d_value = into
    for pair in mask.pairs(*ranks):
        rows, columns = pair.rows, pair.columns
        problem = Problem(query[:, :, :, rows], key[:, :, columns], value[:, :, columns], pair.mask, scale)
        there = d_query[:, :, :, rows], d_key[:, :, columns], d_value[:, :, columns]
        backward(problem, delta[:, :, :, rows], lse[:, :, :, rows], grad[:, :, :, rows], there)
