"""HyperAttention: of all keys, those that a query likely heeds, and a little that stands for the rest.

There are two ways to choose both. ``residual="sample"`` is the paper's (`lsh`): blocks of an order by hashes, and a
sample of all keys. ``residual="means"`` is ours (`cells`), after the clusters of Roy et al. 2021 and Vyas et al. 2020:
keys are in cells by their direction, a query sees the few that weigh most with it, and each other cell by its mean.
Nothing is left to chance but the first centres, and it is much closer in the same time. A causal mask goes by halves in
both (`halves`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from ragembed.encoder.attention.exact.dot_product import DotProduct
from ragembed.encoder.attention.hyper.cells import Cells
from ragembed.encoder.attention.hyper.halves import Halves, See
from ragembed.encoder.attention.hyper.lsh import Cut
from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Hyper(Mechanism):
    """An approximation in much less time than n². Measure its error: see `ragembed.eval.bench.hyper`."""

    name: ClassVar[str] = "hyper"
    exact: ClassVar[bool] = False
    honours: ClassVar[frozenset[str]] = frozenset({"causal", "keep"})
    paper: ClassVar[str] = (
        "Han et al. 2023 (HyperAttention), Algorithms 1 and 4; for 2 and 3 a uniform sample, by default means of cells"
    )
    time: ClassVar[str] = (
        "O(n (p b + n / b) d), p cells of b = sqrt(n) keys; residual='sample' O(n (b + s) d), s the samples;"
        " causal times log n, and O(n least d) more"
    )
    memory: ClassVar[str] = "O(n d), with gradients O(n (p d + n / b)); residual='sample' O(n (1 + s / b) d)"
    advice: ClassVar[str] = "from some 8,000 tokens on, on a CPU, where an error of some hundredths does"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        residual: Literal["means", "sample"] = "means",
        block: int | None = None,
        probes: int = 5,
        rounds: int = 2,
        samples: int = 256,
        projections: int = 7,
        control_variate: bool = False,
        least: int = 4096,
        seed: int = 0,
        scale: float | None = None,
    ) -> Tensor:
        """Fewer queries or keys than `least`: exact. The same `seed` draws the same.

        With ``residual="means"``: `block` is the keys of a cell, about, at most twice as many; None: a power of 2 near
        sqrt(n). `probes`: cells that each query sees. `rounds` of k-means.

        With ``residual="sample"``: `block` is the keys of a block, at most; None: 256. `samples`: keys drawn for each
        head. `projections`: hyperplanes. `control_variate`: one key from each of `samples` stretches of the order, and
        their values moved so that their mean is that of all values outside of the block.
        """
        import torch
        import torch.nn.functional as functional

        for what, given, lowest in (
            ("block", block, 1),
            ("probes", probes, 1),
            ("rounds", rounds, 0),
            ("samples", samples, 0),
            ("projections", projections, 1),
        ):
            if given is not None and given < lowest:
                raise SpecError(f"{what} is {given}", f"give {lowest} or more")
        if residual not in ("means", "sample"):
            raise SpecError(f"residual is {residual!r}", "give 'means' or 'sample'")
        (batch, _, m, d), n = query.shape, key.shape[2]
        if min(m, n) < max(1, least) or not batch:
            return DotProduct().attend(query, key, value, mask, scale=scale)
        key, value = without_padding(mask, key, value)
        keep = None if mask.keep is None else mask.keep.to(query.device)
        scale = 1 / math.sqrt(d) if scale is None else scale
        see: See
        if residual == "means":
            see = Cells(block, probes, rounds, seed, scale)
        else:
            random = torch.Generator().manual_seed(seed)
            wide = torch.float64 if query.dtype == torch.float64 else torch.float32
            planes = torch.randn(d, projections, generator=random).to(query.device, wide)
            see = Cut(block or 256, samples, control_variate, mask.causal, planes, random, scale)
        if not mask.causal:
            return see(query, key, value, keep if m == n else None, keep)[0].to(query.dtype)
        blind = max(0, m - n)  # both end together, so that the first of more queries than keys see none
        found = Halves(see, least, scale)(query[:, :, blind:], key, value, keep)[0]
        return functional.pad(found, (0, 0, blind, 0)).to(query.dtype)
