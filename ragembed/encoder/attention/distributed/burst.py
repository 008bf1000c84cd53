"""BurstAttention: as Ring Attention, but in the backward pass the queries go around, and keys stay.

A softmax's gradient needs of a result only its sum with its own gradient, one number for a query and head. So what
travels is (Q, dO, dQ), that sum and the lse, instead of (K, V, dK, dV): three quarters, as long as keys have as many
heads as queries. With shared key heads it is the ring that moves less: see `plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.distributed import local
from ragembed.encoder.attention.distributed.rotating import Rotating, Saved, Tour
from ragembed.encoder.attention.distributed.rotation import rotate
from ragembed.encoder.attention.flash import zeros

if TYPE_CHECKING:
    from torch import Tensor


class Burst(Rotating):
    """Exact attention over several processes, for training with as many key heads as query heads."""

    name: ClassVar[str] = "burst"
    paper: ClassVar[str] = "Sun et al. 2024 (BurstAttention), Algorithms 1 and 2; two rings: section 3.3"
    advice: ClassVar[str] = "as ring, to train where each query head has its own key head; plan() says which"

    @staticmethod
    def backward(tour: Tour, saved: Saved) -> tuple[Tensor, Tensor, Tensor]:
        """Of each token (Q, dO, dQ) travels, and two numbers more: 3 d + 2 numbers for each query head."""
        d_key, d_value = zeros(saved.key), zeros(saved.value)

        def visit(owner: int, block: list[Tensor]) -> tuple[Tensor]:
            between = owner, tour.group.rank
            asked = block[0], block[1], block[2], block[3]
            into = zeros(saved.query), d_key, d_value
            local.gradients(tour.text, between, asked, (saved.key, saved.value), tour.scale, into)
            return into[:1]

        around = [saved.query, saved.grad, saved.delta, saved.lse]
        (d_query,) = rotate(tour.group, tour.route, around, visit)
        return d_query, d_key, d_value
