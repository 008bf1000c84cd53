"""From the vectors of tokens to one for each text. Tokens are packed: there is no padding, on neither side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.errors import EmbeddingError

if TYPE_CHECKING:
    from torch import Tensor

    from ragembed.encoder.packing import Packing

Pooling = Callable[["Tensor", "Packing"], "Tensor"]
"""Vectors of tokens ``(T, D)`` -> of texts ``(texts, D)``."""


def cls(x: Tensor, packing: Packing) -> Tensor:
    """The first token's."""
    return x[packing.starts]


def last_token(x: Tensor, packing: Packing) -> Tensor:
    """The last token's: of a causal model the only one that has seen the whole text."""
    return x[packing.ends - 1]


def mean(x: Tensor, packing: Packing) -> Tensor:
    """The mean of all tokens."""
    return _sum(x, packing) / packing.sizes[:, None]


def mean_sqrt_len(x: Tensor, packing: Packing) -> Tensor:
    """The sum, divided by the root of their number."""
    return _sum(x, packing) / packing.sizes[:, None].to(x.dtype).sqrt()


def weighted_mean(x: Tensor, packing: Packing) -> Tensor:
    """Later tokens count more: token i from 1 weighs i (Muennighoff 2022, SGPT, section 4.2)."""
    n = packing.sizes[:, None].to(x.dtype)
    return _sum(x * (packing.positions[:, None] + 1), packing) / (n * (n + 1) / 2)


def maximum(x: Tensor, packing: Packing) -> Tensor:
    """The greatest of each number."""
    import torch

    return torch.segment_reduce(x, "max", lengths=packing.sizes, axis=0)


POOLINGS: dict[str, Pooling] = {
    "cls": cls, "lasttoken": last_token, "max": maximum, "mean": mean, "mean_sqrt_len_tokens": mean_sqrt_len,
    "weightedmean": weighted_mean,
}  # fmt: skip
"""By the names that files of sentence-transformers give them."""


def pooling(name: str) -> Pooling:
    """The pooling of that name."""
    if name not in POOLINGS:
        raise EmbeddingError(f"the model pools by {name}", f"known are: {', '.join(POOLINGS)}; or use st:")
    return POOLINGS[name]


@dataclass(frozen=True)
class Behind:
    """`pool` of what follows the first `skip` tokens of each text, or of its last token where there is no more."""

    pool: Pooling
    skip: int

    def __call__(self, x: Tensor, packing: Packing) -> Tensor:
        from ragembed.encoder.packing import Packing

        kept = packing.positions >= (packing.sizes - 1).clamp(max=self.skip).repeat_interleave(packing.sizes)
        rest = [max(1, length - self.skip) for length in packing.lengths]
        return self.pool(x[kept], Packing.of(rest, x.device))


def behind(pool: Pooling, skip: int) -> Pooling:
    """`pool`, but for the first `skip` tokens of each text."""
    if pool is last_token or not skip:
        return pool
    if pool is weighted_mean:
        raise EmbeddingError(
            "the model weighs tokens, and leaves out those of the prompt", "use it through st:"
        )

    return Behind(pool, skip)


def _sum(x: Tensor, packing: Packing) -> Tensor:
    import torch

    if len(packing.lengths) == 1:
        return x.sum(dim=0, keepdim=True)
    return torch.segment_reduce(x, "sum", lengths=packing.sizes, axis=0)
