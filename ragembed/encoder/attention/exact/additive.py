"""Additive attention: a small network scores each pair of query and key, in place of an inner product.

The definition takes a tanh for every query, key and dimension. Queries are processed in chunks, so that only one chunk
of these is in memory; if gradients are needed, each chunk is recomputed in the backward pass (checkpointing).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, Mask, TiledMask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

_SCORES_PER_CHUNK = 2**22
"""Values of tanh in memory at a time (16 MiB in float32), unless a single query has more."""


class Additive(Mechanism):
    """softmax(vᵀ tanh(W q + U k)) V, exact by its own definition, in memory linear in n."""

    name: ClassVar[str] = "additive"
    exact: ClassVar[bool] = False
    definition: ClassVar[str] = "softmax over keys of vᵀ tanh(W q + U k), times V"
    honours: ClassVar[frozenset[str]] = ALL
    paper: ClassVar[str] = "Bahdanau, Cho & Bengio 2015, section A.1.2"
    time: ClassVar[str] = "O(n² a) tanh, a the dimension of v"
    memory: ClassVar[str] = "O(n a) for a chunk of queries"
    advice: ClassVar[str] = "for models trained with it; otherwise dot_product, which is many times faster"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        w: Tensor | None = None,
        u: Tensor | None = None,
        v: Tensor | None = None,
        chunk: int | None = None,
    ) -> Tensor:
        """Attend with the parameters of the network; without them the score is the sum over dimensions of tanh(q + k).

        Args:
            query: ``(batch, heads, m, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, e)``.
            mask: Any.
            w: Projection of queries, ``(d, a)`` or ``(heads, d, a)``; None: the identity.
            u: Projection of keys, ``(d, a)`` or ``(kv_heads, d, a)``; None: the identity.
            v: Weights of the score, ``(a,)`` or ``(heads, a)``; None: ones.
            chunk: Queries of a chunk; None: as many as fit into 16 MiB, at least one.
        """
        import torch
        from torch.utils.checkpoint import checkpoint

        batch, heads, m, _ = query.shape
        groups, n = heads // key.shape[1], key.shape[2]
        key, value = without_padding(mask, key, value)
        precise = torch.promote_types(query.dtype, torch.float32)
        q = _projected("w", query.to(precise), w)
        k = _projected("u", key.to(precise), u).repeat_interleave(groups, dim=1)
        values = value.to(precise).repeat_interleave(groups, dim=1)
        a = q.shape[-1]
        if k.shape[-1] != a:
            raise SpecError(f"w gives {a} dimensions, u gives {k.shape[-1]}", "give both the same")
        weight = q.new_ones(a) if v is None else v.to(q)
        if weight.shape not in ((a,), (heads, a)):
            raise SpecError(f"v has the shape {tuple(weight.shape)}", f"give {(a,)} or {(heads, a)}")
        step = max(1, _SCORES_PER_CHUNK // max(1, batch * heads * n * a)) if chunk is None else chunk
        if step < 1:
            raise SpecError(f"chunk is {step}", "give 1 or more")
        attend_chunk = partial(_chunk, mask.tiles(batch, m, n, query.device))
        if torch.is_grad_enabled():
            attend_chunk = partial(checkpoint, attend_chunk, use_reentrant=False, preserve_rng_state=False)
        parts = [
            attend_chunk(slice(first, min(m, first + step)), q, k, values, weight)
            for first in range(0, m, step)
        ]
        return torch.cat(parts, dim=2).to(query.dtype)


def _projected(name: str, each: Tensor, by: Tensor | None) -> Tensor:
    if by is None:
        return each
    heads, d = each.shape[1], each.shape[-1]
    if by.ndim not in (2, 3) or by.shape[-2] != d or (by.ndim == 3 and len(by) != heads):
        raise SpecError(f"{name} has the shape {tuple(by.shape)}", f"give ({d}, a) or ({heads}, {d}, a)")
    return each @ by.to(each)


def _chunk(tiles: TiledMask, rows: slice, q: Tensor, k: Tensor, values: Tensor, weight: Tensor) -> Tensor:
    """The result of the queries in `rows` ``(batch, heads, rows, e)``."""
    import torch

    columns = tiles.key_range(rows)
    hidden = torch.tanh(q[:, :, rows, None] + k[:, :, None, columns])  # (batch, heads, rows, columns, a)
    logits = (hidden @ weight.reshape(-1, 1, weight.shape[-1], 1)).squeeze(-1)
    allowed = tiles(rows, columns)
    if allowed is not None:
        masked = ~allowed[:, None]
        dead = masked.all(dim=-1, keepdim=True)  # the softmax of a row of minus infinities is undefined
        logits = logits.masked_fill(masked & ~dead, -torch.inf)
        return torch.softmax(logits, dim=-1).masked_fill(dead, 0) @ values[:, :, columns]
    return torch.softmax(logits, dim=-1) @ values[:, :, columns]
