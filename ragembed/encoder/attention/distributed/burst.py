"""BurstAttention: as Ring Attention, but in the backward pass processes pass their queries around, and keys stay.

The gradient of a softmax needs of the result O only rowsum(dO ∘ O), one number for each query and head. So (Q, dO, dQ),
that sum and the lse are sent instead of (K, V, dK, dV): three quarters as much if there are as many key heads as query
heads. With shared key heads Ring Attention sends less: see `plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.distributed import local
from ragembed.encoder.attention.distributed.rotating import RingSetup, Rotating, SavedTensors
from ragembed.encoder.attention.distributed.rotation import rotate
from ragembed.encoder.attention.exact.flash import gradient_buffer

if TYPE_CHECKING:
    from torch import Tensor


class Burst(Rotating):
    """Exact attention over texts too long for a single process, for training without shared key heads."""

    name: ClassVar[str] = "burst"
    paper: ClassVar[str] = "Sun et al. 2024, Algorithms 1 and 2; double ring: Gu et al. 2024 (LoongTrain)"
    advice: ClassVar[str] = "as ring, for training with a key head for each query head; plan() compares them"

    @staticmethod
    def backward(setup: RingSetup, saved: SavedTensors) -> tuple[Tensor, Tensor, Tensor]:
        """For each token (Q, dO, dQ), delta and lse are sent: 3 d + 2 numbers for each query head."""
        d_key, d_value = gradient_buffer(saved.key), gradient_buffer(saved.value)

        def visit(owner: int, block: list[Tensor]) -> tuple[Tensor]:
            ranks = owner, setup.group.rank
            of_queries = block[0], block[1], block[2], block[3]
            into = gradient_buffer(saved.query), d_key, d_value
            local.gradients(setup.mask, ranks, of_queries, (saved.key, saved.value), setup.scale, into)
            return into[:1]

        block = [saved.query, saved.grad, saved.delta, saved.lse]
        (d_query,) = rotate(setup.group, setup.route, block, visit)
        return d_query, d_key, d_value
