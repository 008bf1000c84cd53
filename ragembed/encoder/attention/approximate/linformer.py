"""Linformer: keys and values projected along the length to a fixed number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.kernels import fused, without_padding
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Linformer(Mechanism):
    """softmax(Q (E K)ᵀ / sqrt(d)) F V with E and F of k rows."""

    name: ClassVar[str] = "linformer"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"keep"})
    paper: ClassVar[str] = "Wang et al. 2020, equation 7"
    time: ClassVar[str] = "O(n k d), k the projected keys"
    memory: ClassVar[str] = "O(n k) for the projection"
    advice: ClassVar[str] = (
        "for models trained with it, with their own E and F; the random default only serves to measure cost"
    )

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        e: Tensor | None = None,
        f: Tensor | None = None,
        k: int = 256,
        seed: int = 0,
        scale: float | None = None,
    ) -> Tensor:
        """Attend to projected keys and values.

        Padding adds nothing to a projected key; a projected key of nothing but padding is not seen.

        Args:
            query: ``(batch, heads, m, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, d)``.
            mask: With no other condition than keep.
            e: Projection of keys, ``(rows, n)``, or ``(rows, longest)`` of which the first n columns are used; None: a
                random one.
            f: Projection of values, of the same shape; None: `e`.
            k: Rows of the random projection. With n <= k nothing is projected, and the result is exact.
            seed: Of the random projection, whose entries are normal with variance 1 / k.
            scale: Of the inner products; None: 1 / sqrt(d).
        """
        n = key.shape[2]
        if k < 1:
            raise SpecError(f"k is {k}", "give 1 or more")
        if e is None and f is not None:
            raise SpecError("linformer got f without e", "give e too, or e alone for both")
        key, value = without_padding(mask, key, value)
        keep = None if mask.keep is None else mask.keep.to(query.device)
        if e is None and n > k:
            e = _random(k, n, seed, query.device)
        if e is None:
            return fused(query, key, value, _expanded(query, keep), scale=scale)
        for_keys, for_values = _first_columns("e", e, key), _first_columns("f", e if f is None else f, key)
        if len(for_keys) != len(for_values):
            raise SpecError(
                f"e has {len(for_keys)} rows, f has {len(for_values)}", "give both the same number"
            )
        if keep is not None:
            keep = keep.to(for_keys.dtype) @ (for_keys != 0).to(for_keys.dtype).transpose(0, 1) > 0
        return fused(query, for_keys @ key, for_values @ value, _expanded(query, keep), scale=scale)


def _expanded(query: Tensor, keep: Tensor | None) -> Tensor | None:
    """The padding mask ``(batch, n)``, expanded for all queries ``(batch, 1, m, n)``."""
    return None if keep is None else keep[:, None, None].expand(-1, -1, query.shape[2], -1)


def _random(k: int, n: int, seed: int, device: torch.device) -> Tensor:
    import torch

    random = torch.Generator().manual_seed(seed)
    return (torch.randn(k, n, generator=random, dtype=torch.float32) / math.sqrt(k)).to(device)


def _first_columns(name: str, projection: Tensor, key: Tensor) -> Tensor:
    n = key.shape[2]
    if projection.ndim != 2 or projection.shape[1] < n:
        raise SpecError(
            f"{name} has the shape {tuple(projection.shape)}", f"give (rows, {n}) or more columns"
        )
    return projection[:, :n].to(key)
