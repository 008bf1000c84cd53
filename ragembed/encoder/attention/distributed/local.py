"""What a process computes of queries and keys that it holds at the moment, in tiles as FlashAttention 2 does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragembed.encoder.attention.distributed.shards import Text
from ragembed.encoder.attention.flash import Problem, backward, finite
from ragembed.encoder.attention.flash2 import Flash2

if TYPE_CHECKING:
    from torch import Tensor


def attend(
    text: Text,
    between: tuple[int, int],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    before: tuple[Tensor, Tensor],
) -> None:
    """Bring the keys of process ``between[1]`` into what the queries of ``between[0]`` found so far.

    Args:
        text: Who sees whom.
        between: Ranks.
        query: ``(batch, kv_heads, groups, m, d)``.
        key: ``(batch, kv_heads, m, d)``.
        value: ``(batch, kv_heads, m, e)``.
        scale: Of the inner products.
        before: The result ``(batch, kv_heads, groups, m, e)`` and its lse ``(batch, kv_heads, groups, m)``, in float32
            at least; written over.
    """
    import torch

    out, lse = before
    for pair in text.pairs(*between):
        rows, columns = pair.rows, pair.columns
        problem = Problem(query[:, :, :, rows], key[:, :, columns], value[:, :, columns], pair.mask, scale)
        found, its = Flash2.forward(problem)
        own = lse[:, :, :, rows]
        both = torch.logaddexp(own, its)
        kept, new = (torch.exp(each - finite(both))[..., None] for each in (own, its))
        out[:, :, :, rows].mul_(kept).add_(found.mul_(new))  # in place: this is as large as the text allows
        lse[:, :, :, rows] = both


def gradients(
    text: Text,
    between: tuple[int, int],
    asked: tuple[Tensor, Tensor, Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    scale: float,
    into: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Add to `into` what these queries and these keys give to one another's gradients: of query, key and value.

    Args:
        text: Who sees whom.
        between: Ranks of those who hold the queries and the keys.
        asked: Query and gradient of its result ``(batch, kv_heads, groups, m, d or e)``, the sum of gradient times
            result ``(batch, kv_heads, groups, m, 1)``, and the lse over all keys ``(batch, kv_heads, groups, m)``.
        held: Key and value ``(batch, kv_heads, m, d or e)``.
        scale: Of the inner products.
        into: Of the shapes of query, key and value, float32 at least.
    """
    query, grad, delta, lse = asked
    key, value = held
    d_query, d_key, d_value = into
    for pair in text.pairs(*between):
        rows, columns = pair.rows, pair.columns
        problem = Problem(query[:, :, :, rows], key[:, :, columns], value[:, :, columns], pair.mask, scale)
        there = d_query[:, :, :, rows], d_key[:, :, columns], d_value[:, :, columns]
        backward(problem, delta[:, :, :, rows], lse[:, :, :, rows], grad[:, :, :, rows], there)
