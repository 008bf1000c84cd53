"""What stands for a cell of keys: its mean key and value, and the logarithm of its expected sum of weights for a logit.

If the logits q·k of its keys are about normal, the mean of exp(q·k) is exp(q·k̄ + qᵀΣq / 2), of which the diagonal of
the covariance Σ is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Means:
    """What stands for each cell of a head."""

    key: Tensor
    """``(cells, d)``, times the scale of the inner products."""
    variance: Tensor
    """Of the keys in each dimension ``(cells, d)``, times the scale's square."""
    value: Tensor
    """``(cells, e)``"""
    log_size: Tensor
    """``(cells,)``"""

    @classmethod
    def of(cls, key: Tensor, value: Tensor, sizes: Tensor, scale: float) -> Means:
        """Of keys ``(n, d)`` and values ``(n, e)`` that lie cell by cell."""
        import torch

        cell = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)

        def mean(each: Tensor) -> Tensor:
            return each.new_zeros(len(sizes), each.shape[1]).index_add(0, cell, each) / sizes[:, None]

        key = scale * key
        centre = mean(key)
        variance = mean((key - centre.index_select(0, cell)).square())
        return cls(centre, variance, mean(value), sizes.to(key.dtype).log())

    def logits(self, query: Tensor) -> Tensor:
        """``(m, d)`` -> ``(m, cells)``: the logarithm of the weights' sum that each query expects of each cell."""
        import torch

        query = query.to(self.key.dtype)
        extra = log_mean_exp(query.square() @ self.variance.T, self.log_size)
        return torch.addmm(self.log_size, query, self.key.T) + extra


def log_mean_exp(variance: Tensor, log_count: Tensor) -> Tensor:
    """log of the mean of exp over so many normal numbers around 0, about.

    Half the variance, as long as the sample reaches the numbers that make up that mean; from 2 log(count) on the
    largest of the sample is most of the sum, and grows with the deviation only (Derrida 1981, the random energy model).
    """
    import torch

    deviation = (variance + 1e-20).sqrt()  # the root has no gradient at 0
    reached = torch.minimum(deviation, (2 * log_count).sqrt())
    return reached * (deviation - reached / 2)
