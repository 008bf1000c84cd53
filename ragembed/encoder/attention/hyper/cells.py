"""Keys in cells of one direction: a query sees the few that weigh most with it, and each other cell as one key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.hyper.clusters import cut, directions
from ragembed.encoder.attention.hyper.halves import Part
from ragembed.encoder.attention.hyper.means import Means
from ragembed.encoder.attention.kernels import fold, unfold
from ragembed.encoder.attention.partial import DEAD, partial

if TYPE_CHECKING:
    from torch import Tensor

SOME = 4096
"""Queries at once: what is in memory for each is p results and the logits of all cells."""


@dataclass(frozen=True)
class Cells:
    """How to cut and how much to see; see the options of `Hyper`."""

    block: int | None
    probes: int
    rounds: int
    seed: int
    scale: float

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, asks: Tensor | None, keep: Tensor | None
    ) -> Part:
        """See `halves.See`. Padding among the queries changes nothing, and `asks` is not needed."""
        return self.over(self.stores(key, value, keep), query)

    def stores(self, key: Tensor, value: Tensor, keep: Tensor | None) -> list[Store]:
        """Of each text, of each head of keys."""
        found = []
        for text in range(len(key)):
            there = slice(None) if keep is None else keep[text]
            for k, v in zip(key[text], value[text], strict=True):
                found.append(self.store(k[there], v[there]))
        return found

    def store(self, key: Tensor, value: Tensor) -> Store:
        """Of keys ``(n, d)`` and values ``(n, e)``."""
        import torch

        wide = torch.float64 if key.dtype == torch.float64 else torch.float32
        random = torch.Generator().manual_seed(self.seed)
        block = 1 << len(key).bit_length() // 2 if self.block is None else self.block
        found = directions(key.detach().to(wide), -(-len(key) // block), self.rounds, random)
        order, sizes = cut(found, 2 * block)
        key, value = key.index_select(0, order), value.index_select(0, order)
        means = Means.of(key.to(wide), value.to(wide), sizes, self.scale)
        return Store(key.split(sizes.tolist()), value.split(sizes.tolist()), means)

    def over(self, stores: Sequence[Store], query: Tensor) -> tuple[Tensor, Tensor]:
        """Queries ``(batch, heads, m, d)``, those that share keys at once; none depends on another."""
        import torch

        batch, heads = query.shape[:2]
        kv_heads = len(stores) // batch
        found = []
        for store, rows in zip(stores, fold(query, kv_heads).flatten(0, 1), strict=True):
            parts = [self.head(store, some) for some in rows.split(SOME)]
            found.append([torch.cat(each) for each in zip(*parts, strict=True)])
        out, lse = (torch.stack(each).unflatten(0, (batch, kv_heads)) for each in zip(*found, strict=True))
        return unfold(out, heads), unfold(lse[..., None], heads)[..., 0]

    def head(self, store: Store, query: Tensor) -> tuple[Tensor, Tensor]:
        """Queries ``(m, d)`` over the cells -> ``(m, e)`` and ``(m,)``."""
        import torch

        means, count = store.means, len(store.keys)
        if not count:  # 0, whatever is in the query, and with a gradient for all three
            nothing = query.to(means.key)[:, :0] @ means.key.T[:0] @ means.value
            return nothing, nothing.new_full((len(query),), DEAD)
        logits = means.logits(query)
        chosen = logits.detach().topk(min(self.probes, count), dim=1, sorted=False).indices
        # all of a row at minus infinity would have no gradient
        rest = logits.scatter(1, chosen, -math.inf if count > chosen.shape[1] else DEAD)
        pairs = chosen.flatten()
        by_cell = pairs.argsort(stable=True)
        counts = torch.bincount(pairs, minlength=count).tolist()
        queries = query.index_select(0, by_cell // chosen.shape[1]).split(counts)
        found = [
            partial(q[None, None], k[None, None], v[None, None], None, causal=False, scale=self.scale)
            for q, k, v in zip(queries, store.keys, store.values, strict=True)
            if len(q)
        ]
        near, near_lse = (torch.cat(each, dim=2)[0, 0] for each in zip(*found, strict=True))
        places = torch.empty_like(by_cell)
        places[by_cell] = torch.arange(len(pairs), device=pairs.device)
        places = places.view_as(chosen)
        lses = torch.cat([near_lse.take(places), rest.logsumexp(dim=1, keepdim=True)], dim=1)
        lse = lses.logsumexp(dim=1, keepdim=True)
        out = torch.exp(rest - lse) @ means.value
        return out + weighted_sums(torch.exp(lses - lse)[:, :-1], near.to(out), places), lse[:, 0]


@dataclass(frozen=True)
class Store:
    """The keys of a head, in cells."""

    keys: tuple[Tensor, ...]
    """Of each cell ``(size, d)``"""
    values: tuple[Tensor, ...]
    means: Means


def weighted_sums(weights: Tensor, vectors: Tensor, places: Tensor) -> Tensor:
    """Sums over p of `weights` ``(m, p)`` times the `vectors` ``(rows, e)`` at `places` ``(m, p)``, never gathered."""
    from torch.nn.functional import embedding_bag

    return embedding_bag(places, vectors, mode="sum", per_sample_weights=weights)
