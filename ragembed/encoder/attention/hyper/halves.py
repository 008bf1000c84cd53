"""HyperAttention under a causal mask, by halves: Algorithm 4 of its paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.partial import merge, partial

if TYPE_CHECKING:
    from torch import Tensor

Part = tuple["Tensor", "Tensor"]
"""A result ``(batch, heads, m, e)`` and its lse ``(batch, heads, m)``."""
See = Callable[["Tensor", "Tensor", "Tensor", "Tensor | None", "Tensor | None"], Part]
"""Every query over every key, about: query, key, value, and which queries ``(batch, m)`` and keys ``(batch, n)`` are no
padding. What a query finds depends on no other query."""


@dataclass(frozen=True)
class Halves:
    """`see` for all queries over keys that lie before them, exact attention below `least` and on the diagonal."""

    see: See
    least: int
    scale: float

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None) -> Part:
        """The last query at the last key, and no more queries than keys: all of them see the keys before the first."""
        m, n = query.shape[2], key.shape[2]
        early, late = slice(0, n - m), slice(n - m, n)
        own = _of(keep, late)
        found = self.square(query, key[:, :, late], value[:, :, late], own)
        if m == n:
            return found
        before = self.before(query, key[:, :, early], value[:, :, early], own, _of(keep, early))
        return merge(before, found)

    def square(self, query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None) -> Part:
        """Algorithm 4: both halves causal, and the later queries over the earlier keys."""
        import torch

        n = key.shape[2]
        if n < max(2, self.least):
            return self.exactly(query, key, value, keep, causal=True)
        one, two = slice(0, n // 2), slice(n // 2, n)
        first, last = (
            self.square(query[:, :, half], key[:, :, half], value[:, :, half], _of(keep, half))
            for half in (one, two)
        )
        before = self.before(
            query[:, :, two], key[:, :, one], value[:, :, one], _of(keep, two), _of(keep, one)
        )
        last = merge(before, last)
        return torch.cat([first[0].to(last[0].dtype), last[0]], dim=2), torch.cat([first[1], last[1]], dim=2)

    def before(
        self, query: Tensor, key: Tensor, value: Tensor, asks: Tensor | None, keep: Tensor | None
    ) -> Part:
        """Every query over every key: about, or exact below `least`."""
        if min(query.shape[2], key.shape[2]) < self.least:
            return self.exactly(query, key, value, keep, causal=False)
        return self.see(query, key, value, asks, keep)

    def exactly(
        self, query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None, *, causal: bool
    ) -> Part:
        """Keys may have fewer heads."""
        groups = query.shape[1] // key.shape[1]
        key, value = (each.repeat_interleave(groups, dim=1) for each in (key, value))
        bias = None if keep is None else keep[:, None, None, :].float().log()
        return partial(query, key, value, bias, causal=causal, scale=self.scale)


def _of(keep: Tensor | None, part: slice) -> Tensor | None:
    return None if keep is None else keep[:, part]
