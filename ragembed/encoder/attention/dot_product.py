"""Scaled dot-product attention, with one head, many, or many that share keys: PyTorch's fused kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.kernels import fused, without_padding
from ragembed.encoder.attention.mask import ALL, Mask
from ragembed.encoder.attention.mechanism import Mechanism

if TYPE_CHECKING:
    from torch import Tensor


class DotProduct(Mechanism):
    """softmax(Q Kᵀ / sqrt(d)) V, in memory that grows with n, not its square."""

    name: ClassVar[str] = "dot_product"
    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = ALL
    paper: ClassVar[str] = "Vaswani et al. 2017, equation 1; shared keys: Shazeer 2019, Ainslie et al. 2023"
    time: ClassVar[str] = "O(n² d)"
    memory: ClassVar[str] = "O(n); a mask other than causal O(n²) bits"
    advice: ClassVar[str] = "up to some 1,000 tokens, and wherever every token has to see every other"

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Mask, *, scale: float | None = None
    ) -> Tensor:
        """`scale` of the inner products; None: 1 / sqrt(d)."""
        batch, _, m, _ = query.shape
        allowed = mask.allowed(batch, m, key.shape[2], query.device)
        key, value = without_padding(mask, key, value)
        return fused(query, key, value, None if allowed is None else allowed[:, None], scale=scale)
