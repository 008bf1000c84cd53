"""Linformer: all keys made a fixed number by a projection along the length."""

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
    """softmax(Q (E K)ᵀ / sqrt(d)) F V with E and F of k rows; with as many keys or fewer, none is projected."""

    name: ClassVar[str] = "linformer"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"keep"})
    paper: ClassVar[str] = "Wang et al. 2020, equation 7"
    time: ClassVar[str] = "O(n k d), k the keys that are left"
    memory: ClassVar[str] = "O(n k) for the projection"
    advice: ClassVar[str] = (
        "for models trained with it and their own E and F; a random projection only measures the cost"
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
        """Attend to projected keys.

        Padding adds nothing to a projected key; one that is made of nothing but padding is not seen.

        Args:
            query: ``(batch, heads, m, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, d)``.
            mask: keep.
            e: of keys, ``(rows, n)``, or ``(rows, longest)`` of which the first n columns count; None: random.
            f: of values, the same shape; None: as `e`.
            k: rows of the random projection; n of up to k are left as they are.
            seed: of the random projection, normal with a variance of 1 / k.
            scale: of the inner products; None: 1 / sqrt(d).
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
            return fused(query, key, value, _for_all(query, keep), scale=scale)
        for_keys, for_values = _fitting("e", e, key), _fitting("f", e if f is None else f, key)
        if len(for_keys) != len(for_values):
            raise SpecError(
                f"e has {len(for_keys)} rows, f has {len(for_values)}", "give both the same number"
            )
        if keep is not None:
            keep = keep.to(for_keys.dtype) @ (for_keys != 0).to(for_keys.dtype).transpose(0, 1) > 0
        return fused(query, for_keys @ key, for_values @ value, _for_all(query, keep), scale=scale)


def _for_all(query: Tensor, keep: Tensor | None) -> Tensor | None:
    """Keys kept ``(batch, n)`` as all queries see them ``(batch, 1, m, n)``."""
    return None if keep is None else keep[:, None, None].expand(-1, -1, query.shape[2], -1)


def _random(k: int, n: int, seed: int, where: torch.device) -> Tensor:
    import torch

    random = torch.Generator().manual_seed(seed)
    return (torch.randn(k, n, generator=random) / math.sqrt(k)).to(where)


def _fitting(name: str, projection: Tensor, key: Tensor) -> Tensor:
    n = key.shape[2]
    if projection.ndim != 2 or projection.shape[1] < n:
        raise SpecError(
            f"{name} has the shape {tuple(projection.shape)}", f"give (rows, {n}) or more columns"
        )
    return projection[:, :n].to(key)
