"""Ring Attention: keys and values go around, and in the backward pass their gradients behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.distributed import local
from ragembed.encoder.attention.distributed.rotating import Rotating, Saved, Tour
from ragembed.encoder.attention.distributed.rotation import rotate
from ragembed.encoder.attention.flash import zeros

if TYPE_CHECKING:
    from torch import Tensor


class Ring(Rotating):
    """Exact attention over texts as long as all processes together can hold."""

    name: ClassVar[str] = "ring"
    paper: ClassVar[str] = "Liu, Zaharia & Abbeel 2023 (Ring Attention), Algorithm 1"
    advice: ClassVar[str] = (
        "texts too long for one device; with few key heads, which are all that goes around; zigzag with causal"
    )

    @staticmethod
    def backward(tour: Tour, saved: Saved) -> tuple[Tensor, Tensor, Tensor]:
        """Of each token (K, V, dK, dV) travels: 4 d numbers for each key head."""
        d_query = zeros(saved.query)
        asked = saved.query, saved.grad, saved.delta, saved.lse

        def visit(owner: int, block: list[Tensor]) -> tuple[Tensor, Tensor]:
            between = tour.group.rank, owner
            into = d_query, zeros(saved.key), zeros(saved.value)
            local.gradients(tour.text, between, asked, (block[0], block[1]), tour.scale, into)
            return into[1:]

        d_key, d_value = rotate(tour.group, tour.route, [saved.key, saved.value], visit)
        return d_query, d_key, d_value
