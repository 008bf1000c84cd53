"""Longformer's attention: a sliding window, and some tokens that see all and are seen by all.

What a query finds in its window and what it finds among the global keys are made one by their sums of exponentials.
The global queries, of which there are few, attend to the whole row at once, where the model has them with projections
of their own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.band import Band
from ragembed.encoder.attention.blocks import as_many, conditions, everywhere
from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, Mask
from ragembed.encoder.attention.mechanism import Mechanism, check_tensors
from ragembed.encoder.attention.partial import attend, join
from ragembed.encoder.attention.sliding_window import SlidingWindow
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Longformer(Mechanism):
    """Exact attention within a band and to and from global tokens."""

    name: ClassVar[str] = "longformer"
    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = ALL
    paper: ClassVar[str] = "Beltagy, Peters & Cohan 2020, section 3.1"
    time: ClassVar[str] = "O(n (b + w + g) d), b the block, w the window and g the global tokens"
    memory: ClassVar[str] = "O(n (b + w + g) d / b) with gradients, O(n) without"
    advice: ClassVar[str] = (
        "long texts with few tokens that stand for all of it, as [CLS] or those of a question"
    )

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        global_projections: tuple[Tensor, Tensor, Tensor] | None = None,
        block: int | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """`global_projections`: query, key and value, of the same shapes, as global queries take them; None: the same.

        `block`: queries taken together; None: 32. `scale`: None: 1 / sqrt(d).
        """
        import torch

        if mask.window is None:
            raise SpecError("longformer got no window", "give Mask(window=(left, right)), or use dot_product")
        n = as_many(self.name, query, key)
        own = (query, key, value)
        theirs = own if global_projections is None else global_projections
        _check_projections(theirs, own)
        key, value = without_padding(mask, key, value)
        flags = mask.globals(len(query), n, query.device)
        rest = replace(mask, global_tokens=None)
        if flags is None:
            return SlidingWindow().attend(query, key, value, rest, block=block, scale=scale)
        local = replace(
            rest, keep=~flags if mask.keep is None else mask.keep & ~flags
        )  # the global keys come apart
        band = Band.of(local, mask.window, n, block, query.device)
        kernel = partial(attend, scale=scale)
        found, lse = band.attend(query, key, value, kernel)
        query_all, key_all, value_all = theirs[0], *without_padding(mask, *theirs[1:])
        allowed = conditions(rest, n, query.device)
        rows = []
        for row in range(len(query)):
            places = flags[row if len(flags) > 1 else 0].nonzero()[:, 0]
            part = slice(row, row + 1)
            near = found[part], lse[part]
            if len(places):
                seen = allowed(row)(torch.arange(n, device=query.device)[:, None], places[None, :])
                seen = seen.expand(n, len(places))[None, None]
                far = kernel(query[part], key[part][:, :, places], value[part][:, :, places], seen)
                near = (join(near, far), lse[part])
            rows.append(
                everywhere(
                    query_all[row],
                    key_all[row],
                    value_all[row],
                    places,
                    allowed(row),
                    near[0][0],
                    scale=scale,
                )
            )
        return torch.stack(rows) if len(rows) > 1 else rows[0][None]

    def pattern(self, n: int, mask: Mask | None = None) -> Tensor:
        """Which key each query sees ``(n, n)`` under a mask of one row; None: an eighth of n to each side, 0 global."""
        import torch

        mask = Mask(window=(n // 8, n // 8), global_tokens=[0] if n else None) if mask is None else mask
        seen = mask.allowed(1, n, n, torch.device("cpu"))
        return torch.ones(n, n, dtype=torch.bool) if seen is None else seen[0]


def _check_projections(given: tuple[Tensor, ...], shapes: tuple[Tensor, ...]) -> None:
    if len(given) != 3:
        raise SpecError(f"global_projections are {len(given)}", "give query, key and value")
    check_tensors(*given)
    for ours, theirs in zip(shapes, given, strict=True):
        if ours.shape != theirs.shape:
            raise SpecError(
                f"global projections of the shape {tuple(theirs.shape)} beside {tuple(ours.shape)}",
                "give the same shapes",
            )
