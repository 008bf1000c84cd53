"""Ring Attention: processes pass their keys and values around, and in the backward pass the gradients of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.distributed import local
from ragembed.encoder.attention.distributed.rotating import RingSetup, Rotating, SavedTensors
from ragembed.encoder.attention.distributed.rotation import rotate
from ragembed.encoder.attention.exact.flash import gradient_buffer

if TYPE_CHECKING:
    from torch import Tensor


class Ring(Rotating):
    """Exact attention over texts too long for a single process."""

    name: ClassVar[str] = "ring"
    paper: ClassVar[str] = "Liu, Zaharia & Abbeel 2023 (Ring Attention), Algorithm 1"
    advice: ClassVar[str] = (
        "texts too long for one device, above all with few key heads, since only they are sent; zigzag if causal"
    )

    @staticmethod
    def backward(setup: RingSetup, saved: SavedTensors) -> tuple[Tensor, Tensor, Tensor]:
        """For each token (K, V, dK, dV) is sent: 4 d numbers for each key head."""
        d_query = gradient_buffer(saved.query)
        of_queries = saved.query, saved.grad, saved.delta, saved.lse

        def visit(owner: int, block: list[Tensor]) -> tuple[Tensor, Tensor]:
            ranks = setup.group.rank, owner
            into = d_query, gradient_buffer(saved.key), gradient_buffer(saved.value)
            local.gradients(setup.mask, ranks, of_queries, (block[0], block[1]), setup.scale, into)
            return into[1:]

        d_key, d_value = rotate(setup.group, setup.route, [saved.key, saved.value], visit)
        return d_query, d_key, d_value
