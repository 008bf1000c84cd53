"""Performer: softmax attention estimated with positive orthogonal random features (FAVOR+)."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.approximate import kernelised
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Performer(Mechanism):
    """Weights φ(q)·φ(k) whose expectation is exp(q·k / sqrt(d)), in time linear in n."""

    name: ClassVar[str] = "performer"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = kernelised.HONOURS
    paper: ClassVar[str] = "Choromanski et al. 2021, Lemma 1 and section 2.4"
    time: ClassVar[str] = "O(n r d), r the number of features; causal O(n r (d + c)), c the chunk"
    memory: ClassVar[str] = "O(n r)"
    advice: ClassVar[str] = (
        "long texts with models trained with it; its error grows with the norms of queries and keys"
    )

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        features: int | None = None,
        seed: int = 0,
        scale: float | None = None,
        chunk: int = kernelised.CHUNK,
    ) -> Tensor:
        """Attend with random features that all heads share.

        Args:
            query: ``(batch, heads, m, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, e)``.
            mask: With no other conditions than causal, keep and lengths.
            features: Number of features; None: d ln d. The error falls with its square root.
            seed: Of the random directions. (Training redraws them from time to time.)
            scale: Of the inner products, above 0; None: 1 / sqrt(d).
            chunk: Keys of a chunk under causal.
        """
        d = query.shape[-1]
        count = max(1, round(d * math.log(d))) if features is None else features
        scale = 1 / math.sqrt(d) if scale is None else scale
        for name, number in (("features", count), ("chunk", chunk)):
            if number < 1:
                raise SpecError(f"{name} is {number}", "give 1 or more")
        if not scale > 0:
            raise SpecError(f"scale is {scale}", "give a number above 0")
        features_of = partial(
            log_features, directions=directions(count, d, seed) * math.sqrt(scale), scale=scale
        )
        return kernelised.attend(query, key, value, mask, features_of, chunk)


def directions(count: int, d: int, seed: int) -> Tensor:
    """Normal random vectors ``(count, d)`` float64, orthogonal within each block of d (section 2.4).

    Each block is the Q of a normal matrix, with the signs that make it uniform (Haar) distributed, times the norms of
    independent normal vectors.
    """
    import torch

    random = torch.Generator().manual_seed(seed)
    blocks = torch.randn(-(-count // d), d, d, generator=random, dtype=torch.float64)
    q, r = torch.linalg.qr(blocks)
    q = q * r.diagonal(dim1=1, dim2=2).sign()[:, None, :]
    norms = torch.randn(count, d, generator=random, dtype=torch.float64).norm(dim=1, keepdim=True)
    return q.transpose(1, 2).flatten(0, 1)[:count] * norms


def log_features(x: Tensor, directions: Tensor, scale: float = 1.0) -> Tensor:
    """log φ(x) ``(..., r)`` with E φ(x)·φ(y) = exp(scale x·y) (Lemma 1); `directions` come times sqrt(scale)."""
    half_square = x.square().sum(dim=-1, keepdim=True) * (scale / 2)
    return (x @ directions.to(x).transpose(0, 1)).sub_(half_square + math.log(len(directions)) / 2)
