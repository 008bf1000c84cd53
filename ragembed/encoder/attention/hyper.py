"""HyperAttention: of all keys, those that a query likely heeds, and a sample that stands for the rest.

Queries and keys are ordered by the sides of a few hyperplanes on which they lie (`lsh`), and both orders are cut into
equally many blocks. A query sees the keys of its block, and `samples` keys drawn from all; those of them that are not
in its block weigh (keys outside of the block) / (drawn ones outside of it), so that numerator and denominator are right
on average. Under a causal mask a query finds its block by itself, not by its rank, which later queries would change.
Both go through one softmax, with the weight's logarithm added to the logit: what two of them would give
when merged by their lse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.dot_product import DotProduct
from ragembed.encoder.attention.kernels import fused, merge, without_padding
from ragembed.encoder.attention.lsh import Cut
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.encoder.attention.partial import partial
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Hyper(Mechanism):
    """An approximation in time that grows with n. Measure its error: see `ragembed.eval.bench.hyper`."""

    name: ClassVar[str] = "hyper"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"causal", "keep"})
    paper: ClassVar[str] = (
        "Han et al. 2023 (HyperAttention), Algorithms 1 and 4; for 2 and 3 a uniform sample"
    )
    time: ClassVar[str] = (
        "O(n (b + s) d), b the block and s the samples; causal O(n ((b + s) log n + least) d)"
    )
    memory: ClassVar[str] = "O(n (1 + s / b) d)"
    advice: ClassVar[str] = (
        "from some 8,000 tokens on, where a coarse result does; control_variate costs nothing"
    )

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        block: int = 256,
        samples: int = 256,
        least: int = 4096,
        projections: int = 7,
        control_variate: bool = False,
        seed: int = 0,
        scale: float | None = None,
    ) -> Tensor:
        """`block`: keys of a block, at most. `samples`: keys drawn for each head. `projections`: hyperplanes.

        Fewer queries or keys than `least`: exact. `control_variate`: one key from each of `samples` stretches of the
        order, and their values moved so that their mean is that of all values outside of the block. The same `seed`
        draws the same.
        """
        import torch

        for what, given, lowest in (
            ("block", block, 1),
            ("samples", samples, 0),
            ("projections", projections, 1),
        ):
            if given < lowest:
                raise SpecError(f"{what} is {given}", f"give {lowest} or more")
        heads, m, d = query.shape[1:]
        n = key.shape[2]
        if min(m, n) < max(1, least):
            return DotProduct().attend(query, key, value, mask, scale=scale)
        key, value = without_padding(mask, key, value)
        key, value = (each.repeat_interleave(heads // each.shape[1], dim=1) for each in (key, value))
        keep = None if mask.keep is None else mask.keep.to(query.device)
        random = torch.Generator().manual_seed(seed)
        wide = torch.float64 if query.dtype == torch.float64 else torch.float32
        directions = torch.randn(d, projections, generator=random).to(query.device, wide)
        cut = Cut(block, samples, control_variate, mask.causal, directions, random)
        scale = 1 / math.sqrt(d) if scale is None else scale
        if mask.causal:
            return _Causal(cut, least, scale).ends_together(query, key, value, keep)[0].to(query.dtype)
        blocks = cut(query, key, value, keep if m == n else None, keep)
        bias = blocks.bias if query.device.type == "cpu" else blocks.bias.to(query.dtype)
        return blocks.back(fused(blocks.query, blocks.key, blocks.value, bias, scale=scale))


Part = tuple["Tensor", "Tensor"]
"""A result and its lse."""


@dataclass(frozen=True)
class _Causal:
    cut: Cut
    least: int
    scale: float

    def ends_together(self, query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None) -> Part:
        """The last query at the last key: of fewer queries, all see the keys before; of more, the first see none."""
        import torch.nn.functional as functional

        m, n = query.shape[2], key.shape[2]
        if m > n:
            out, lse = self.square(query[:, :, m - n :], key, value, keep)
            return functional.pad(out, (0, 0, m - n, 0)), lse
        early, late = slice(0, n - m), slice(n - m, n)
        own = _of(keep, late)
        found = self.square(query, key[:, :, late], value[:, :, late], own)
        if m == n:
            return found
        before = self.all_see(query, key[:, :, early], value[:, :, early], own, _of(keep, early))
        return merge([before, found])

    def square(self, query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None) -> Part:
        """Algorithm 4: both halves causal, and the later queries over the earlier keys."""
        import torch

        n = key.shape[2]
        if n < max(2, self.least):
            return partial(query, key, value, _bias(keep), causal=True, scale=self.scale)
        one, two = slice(0, n // 2), slice(n // 2, n)
        first, last = (
            self.square(query[:, :, half], key[:, :, half], value[:, :, half], _of(keep, half))
            for half in (one, two)
        )
        before = self.all_see(
            query[:, :, two], key[:, :, one], value[:, :, one], _of(keep, two), _of(keep, one)
        )
        last = merge([before, last])
        return torch.cat([first[0].to(last[0].dtype), last[0]], dim=2), torch.cat([first[1], last[1]], dim=2)

    def all_see(
        self, query: Tensor, key: Tensor, value: Tensor, asks: Tensor | None, keep: Tensor | None
    ) -> Part:
        """Every query over every key: by blocks, or exact below `least`."""
        if min(query.shape[2], key.shape[2]) < self.least:
            return partial(query, key, value, _bias(keep), causal=False, scale=self.scale)
        blocks = self.cut(query, key, value, asks, keep)
        out, lse = partial(
            blocks.query, blocks.key, blocks.value, blocks.bias, causal=False, scale=self.scale
        )
        return blocks.back(out), blocks.back(lse[..., None])[..., 0]


def _of(keep: Tensor | None, part: slice) -> Tensor | None:
    return None if keep is None else keep[:, part]


def _bias(keep: Tensor | None) -> Tensor | None:
    """0 for keys that are seen, minus infinity for padding."""
    return None if keep is None else keep[:, None, None, :].float().log()
