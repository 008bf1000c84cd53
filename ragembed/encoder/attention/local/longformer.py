"""Longformer's attention: a sliding window, and a few global tokens that see all tokens and are seen by all.

A query's result over its window and its result over the global keys are merged by their log-sum-exps. The few global
queries attend to the whole row in one dense call, with projections of their own if the model has them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.local.band import Band
from ragembed.encoder.attention.local.sliding_window import SlidingWindow
from ragembed.encoder.attention.mask import ALL, Mask
from ragembed.encoder.attention.mechanism import Mechanism, check_tensors
from ragembed.encoder.attention.partial import attend, merge
from ragembed.encoder.attention.sparse.blocks import attend_globally, mask_mods, same_length
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Longformer(Mechanism):
    """Exact attention within a band, and to and from global tokens."""

    name: ClassVar[str] = "longformer"
    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = ALL
    paper: ClassVar[str] = "Beltagy, Peters & Cohan 2020, section 3.1"
    time: ClassVar[str] = "O(n (b + w + g) d), b the block, w the window and g the global tokens"
    memory: ClassVar[str] = "O(n (b + w + g) d / b) with gradients, O(n) without"
    advice: ClassVar[str] = (
        "long texts with a few tokens that have to see all of them, such as [CLS] or those of a question"
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
        """Options.

        Args:
            query: ``(batch, heads, n, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, d)``.
            mask: Any with a window.
            global_projections: Query, key and value for the rows of global queries, of the shapes of the other three;
                None: the same three.
            block: Queries of a block; None: 32.
            scale: Of the inner products; None: 1 / sqrt(d).
        """
        import torch

        if mask.window is None:
            raise SpecError("longformer got no window", "give Mask(window=(left, right)), or use dot_product")
        n = same_length(self.name, query, key)
        own = (query, key, value)
        theirs = own if global_projections is None else global_projections
        _check_projections(theirs, own)
        key, value = without_padding(mask, key, value)
        flags = mask.globals(len(query), n, query.device)
        rest = replace(mask, global_tokens=None)
        if flags is None:
            return SlidingWindow().attend(query, key, value, rest, block=block, scale=scale)
        local_keys = ~flags if mask.keep is None else ~flags & mask.keep.to(flags.device)
        local = replace(rest, keep=local_keys)  # the global keys are merged in below
        band = Band.from_mask(local, mask.window, n, block, query.device)
        kernel = partial(attend, scale=scale)
        found, lse = band.attend(query, key, value, kernel)
        query_all, key_all, value_all = theirs[0], *without_padding(mask, *theirs[1:])
        allowed = mask_mods(rest, n, query.device)
        rows = []
        for row in range(len(query)):
            global_idx = flags[row if len(flags) > 1 else 0].nonzero()[:, 0]
            part = slice(row, row + 1)
            result = found[part]
            if len(global_idx):
                seen = allowed(row)(torch.arange(n, device=query.device)[:, None], global_idx[None, :])
                seen = seen.expand(n, len(global_idx))[None, None]
                far = kernel(query[part], key[part][:, :, global_idx], value[part][:, :, global_idx], seen)
                result = merge((result, lse[part]), far)[0].to(result.dtype)
            rows.append(
                attend_globally(
                    query_all[row],
                    key_all[row],
                    value_all[row],
                    global_idx,
                    allowed(row),
                    result[0],
                    scale=scale,
                )
            )
        return torch.stack(rows) if len(rows) > 1 else rows[0][None]

    def pattern(self, n: int, mask: Mask | None = None) -> Tensor:
        """Which keys each query sees ``(n, n)`` under a mask of one row; None: n / 8 to each side, token 0 global."""
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
