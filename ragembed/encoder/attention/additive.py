"""Additive attention: a query and a key are scored by a small network instead of an inner product.

The definition needs a tanh for each query, key and dimension. Queries go in chunks, so that only those of one chunk are
held at once; where gradients are asked for, each chunk is computed again on the way back.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, Mask, Tiles
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

_HELD = 2**22
"""Numbers held at once, as far as one query at a time allows: 16 MiB."""


class Additive(Mechanism):
    """softmax(vᵀ tanh(W q + U k)) V, exact by its own definition, in memory that grows with n."""

    name: ClassVar[str] = "additive"
    exact: ClassVar[bool] = False
    definition: ClassVar[str] = "softmax over keys of vᵀ tanh(W q + U k), times V"
    honours: ClassVar[frozenset[str]] = ALL
    paper: ClassVar[str] = "Bahdanau, Cho & Bengio 2015, section A.1.2"
    time: ClassVar[str] = "O(n² a) tanh, a the width of v"
    memory: ClassVar[str] = "O(n a) for a chunk of queries"
    advice: ClassVar[str] = "for models trained with it; dot_product is as good and many times faster"

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
        """Attend with the parameters of the network; without them the score is the sum of tanh(q + k).

        Args:
            query: ``(batch, heads, m, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, e)``.
            mask: any.
            w: of queries, ``(d, a)`` or ``(heads, d, a)``; None: the identity.
            u: of keys, ``(d, a)`` or ``(kv_heads, d, a)``; None: the identity.
            v: ``(a,)`` or ``(heads, a)``; None: ones.
            chunk: queries taken together; None: as many as fit into 16 MiB, at least one.
        """
        import torch
        from torch.utils.checkpoint import checkpoint

        batch, heads, m, _ = query.shape
        groups, n = heads // key.shape[1], key.shape[2]
        key, value = without_padding(mask, key, value)
        precise = torch.promote_types(query.dtype, torch.float32)
        asks = _projected("w", query.to(precise), w)
        seen = _projected("u", key.to(precise), u).repeat_interleave(groups, dim=1)
        given = value.to(precise).repeat_interleave(groups, dim=1)
        a = asks.shape[-1]
        if seen.shape[-1] != a:
            raise SpecError(f"w gives {a} dimensions, u gives {seen.shape[-1]}", "give both the same")
        weight = asks.new_ones(a) if v is None else v.to(asks)
        if weight.shape not in ((a,), (heads, a)):
            raise SpecError(f"v has the shape {tuple(weight.shape)}", f"give {(a,)} or {(heads, a)}")
        step = max(1, _HELD // max(1, batch * heads * n * a)) if chunk is None else chunk
        if step < 1:
            raise SpecError(f"chunk is {step}", "give 1 or more")
        one = partial(_chunk, mask.tiles(batch, m, n, query.device))
        if torch.is_grad_enabled():
            one = partial(checkpoint, one, use_reentrant=False, preserve_rng_state=False)
        parts = [
            one(slice(first, min(m, first + step)), asks, seen, given, weight)
            for first in range(0, max(1, m), step)
        ]
        return torch.cat(parts, dim=2).to(query.dtype)


def _projected(name: str, each: Tensor, by: Tensor | None) -> Tensor:
    if by is None:
        return each
    heads, d = each.shape[1], each.shape[-1]
    if by.ndim not in (2, 3) or by.shape[-2] != d or (by.ndim == 3 and len(by) != heads):
        raise SpecError(f"{name} has the shape {tuple(by.shape)}", f"give ({d}, a) or ({heads}, {d}, a)")
    return each @ by.to(each)


def _chunk(tiles: Tiles, rows: slice, asks: Tensor, seen: Tensor, given: Tensor, weight: Tensor) -> Tensor:
    """The result of queries `rows` ``(batch, heads, rows, e)``."""
    import torch

    columns = tiles.reach(rows)
    scores = torch.tanh(
        asks[:, :, rows, None] + seen[:, :, None, columns]
    )  # (batch, heads, rows, columns, a)
    logits = (scores @ weight.reshape(-1, 1, weight.shape[-1], 1)).squeeze(-1)
    allowed = tiles(rows, columns)
    if allowed is not None:
        hidden = ~allowed[:, None]
        dead = hidden.all(dim=-1, keepdim=True)  # a row of nothing but minus infinity has no softmax
        logits = logits.masked_fill(hidden & ~dead, -torch.inf)
        return torch.softmax(logits, dim=-1).masked_fill(dead, 0) @ given[:, :, columns]
    return torch.softmax(logits, dim=-1) @ given[:, :, columns]
