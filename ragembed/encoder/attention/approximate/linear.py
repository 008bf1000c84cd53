"""Linear attention: the exponential of the inner product is replaced by an inner product of simple features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.approximate import kernelised
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Linear(Mechanism):
    """Weights φ(q)·φ(k) with φ(x) = elu(x) + 1, in time linear in n."""

    name: ClassVar[str] = "linear"
    exact: ClassVar[bool] = False
    definition: ClassVar[str] = "φ(Q) (φ(K)ᵀ V) / φ(Q) (φ(K)ᵀ 1), φ(x) = elu(x) + 1"
    honours: ClassVar[frozenset[str]] = kernelised.HONOURS
    paper: ClassVar[str] = "Katharopoulos et al. 2020, equations 5 to 7 and 9 to 12"
    time: ClassVar[str] = "O(n d²); causal O(n (d + c) d), c the chunk"
    memory: ClassVar[str] = "O(n d)"
    advice: ClassVar[str] = "for models trained with it, at any length; it is no stand-in for a softmax"

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Mask, *, chunk: int = kernelised.CHUNK
    ) -> Tensor:
        """`chunk`: keys of a chunk under causal. As in the paper, inner products are not scaled."""
        if chunk < 1:
            raise SpecError(f"chunk is {chunk}", "give 1 or more")
        return kernelised.attend(query, key, value, mask, log_features, chunk)


def log_features(x: Tensor) -> Tensor:
    """log(elu(x) + 1), which is x below 0 and log(1 + x) above."""
    import torch

    return torch.log1p(torch.relu(x)).add_(x.clamp_max(0))
