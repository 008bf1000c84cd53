"""Linear attention: the exponential of the inner product replaced by a product of simple features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention import kernelised
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Linear(Mechanism):
    """Weights φ(q)·φ(k) with φ(x) = elu(x) + 1, in time that grows with n."""

    name: ClassVar[str] = "linear"
    exact: ClassVar[bool] = False
    definition: ClassVar[str] = "(elu(q) + 1)·(elu(k) + 1) over its sum over keys, times V"
    honours: ClassVar[frozenset[str]] = kernelised.HONOURS
    paper: ClassVar[str] = "Katharopoulos et al. 2020, equations 5 to 7 and 9 to 12"
    time: ClassVar[str] = "O(n d²); causal O(n (d + c) d), c the chunk"
    memory: ClassVar[str] = "O(n d)"
    advice: ClassVar[str] = "for models trained with it, at any length; it does not stand in for a softmax"

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Mask, *, chunk: int = kernelised.CHUNK
    ) -> Tensor:
        """`chunk`: keys taken together where the mask is causal. Inputs are not scaled, as in the paper."""
        if chunk < 1:
            raise SpecError(f"chunk is {chunk}", "give 1 or more")
        return kernelised.attend(query, key, value, mask, log_features, chunk)


def log_features(x: Tensor) -> Tensor:
    """log(elu(x) + 1): x below 0, and log(1 + x) from there on."""
    import torch

    return torch.log1p(torch.relu(x)).add_(x.clamp_max(0))
