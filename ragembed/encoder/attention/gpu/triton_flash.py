"""FlashAttention-2 on a GPU, by Triton: exact, forward and backward, for any mask without global tokens.

The kernels, in `triton_kernels`, compute what `flash2` explains. Tiles that are fully masked by a window, causality or
documents are skipped, so that a window of w costs O(n w). The forward pass keeps the result and its lse. The backward
pass recomputes the weights in two kernels, one over tiles of keys and one over tiles of queries: no two programs add to
the same element, so results are deterministic. float32 is multiplied as float32, not as TF32.

So far the kernels ran in Triton's interpreter and were compiled for sm_80 and sm_90; they have not been timed on a GPU.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ragembed.encoder.attention.gpu.triton_tiles import Tile, Tiles, tiles
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import check_tensors
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

MAX_HEAD_DIMENSION = 256
"""The largest head dimension that the kernels support."""
_MAX_ROW_STRIDE = 1 << 22
"""The largest stride between rows for which offsets within a tile fit 32 bits; other tensors are copied."""


def available(*tensors: Tensor) -> bool:
    """Whether the kernels can run on these tensors.

    They need Triton, a GPU from Ampere on, 16 or 32 bits, and a head dimension of at most 256. For tests they also run
    on a CPU, in Triton's interpreter (``TRITON_INTERPRET=1``).
    """
    import torch

    types = (torch.float16, torch.bfloat16, torch.float32)
    return _installed() and all(
        each.dtype in types and each.shape[-1] <= MAX_HEAD_DIMENSION and _runs_on(each) for each in tensors
    )


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Mask | None = None,
    *,
    scale: float | None = None,
    sizes: Tiles | None = None,
) -> tuple[Tensor, Tensor]:
    """softmax(Q Kᵀ scale) V over the keys that `mask` allows, with a gradient through both results.

    Args:
        query: ``(batch, heads, m, d)``.
        key: ``(batch, kv_heads, n, d)``; query head h attends with key head h // (heads / kv_heads).
        value: ``(batch, kv_heads, n, e)``.
        mask: Without global tokens; None: every query sees every key.
        scale: Of the inner products; None: 1 / sqrt(d).
        sizes: Tile sizes, powers of two from 16; None: those of `triton_tiles.tiles`.

    Returns:
        The result ``(batch, heads, m, e)`` and its lse, the log-sum-exp of the logits, ``(batch, heads, m)`` float32. A
        query that sees no key has the result 0 and the lse minus infinity.

    Raises:
        SpecError: Tensors that do not fit or for which the kernels are not `available`, or global tokens.
    """
    mask = Mask() if mask is None else mask
    check_tensors(query, key, value)
    mask.check(query.shape[0], query.shape[2], key.shape[2])
    if mask.global_tokens is not None:
        raise SpecError("Triton's kernels know no global tokens", "use flash2 or longformer")
    if not available(query, value):
        raise SpecError(
            f"Triton's kernels cannot take {query.dtype} with heads of {max(query.shape[3], value.shape[3])} "
            f"on {query.device}",
            f"give 16 or 32 bits and at most {MAX_HEAD_DIMENSION} numbers on a GPU from Ampere on, and install triton",
        )
    scale = 1 / math.sqrt(query.shape[3]) if scale is None else scale
    if scale <= 0:  # the kernels scale the row maximum, which assumes a positive scale
        query, scale = query * scale, 1.0
    if sizes is None:
        sizes = tiles(max(query.shape[3], value.shape[3]), query.element_size(), _capability(query))
    mask_tensors = MaskTensors.from_mask(mask, query, key)
    out, lse = _function().apply(
        _loadable(query), _loadable(key), _loadable(value), mask_tensors, scale, sizes
    )
    return out, lse


@dataclass(frozen=True, eq=False)
class MaskTensors:
    """A mask in the form that the kernels read."""

    left: int
    right: int
    """The window; as long as the text if there is none."""
    keep: Tensor | None
    """``(batch, n)`` uint8"""
    kept: Tensor | None
    """``(batch, 2)`` int32: the index of the first key that is no padding, and that after the last."""
    first: Tensor | None
    """``(1 or batch, n)`` int32: where each token's document starts."""
    last: Tensor | None
    """``(1 or batch, n)`` int32: where it ends, exclusive."""

    @classmethod
    def from_mask(cls, mask: Mask, query: Tensor, key: Tensor) -> MaskTensors:
        """The tensors of a mask of `query` over `key`."""
        import torch

        n, device = key.shape[2], key.device
        far = query.shape[2] + n
        left, right = (min(side, far) for side in mask.window or (far, far))
        keep = kept = first = last = None
        if mask.keep is not None and n:
            keep = mask.keep.to(device).contiguous().view(torch.uint8)
            index = torch.arange(n, device=device, dtype=torch.int32)
            kept = torch.stack([n - (keep * (n - index)).amax(1), (keep * (index + 1)).amax(1)], dim=1)
        documents = mask.documents(n, device)
        if documents is not None and n:
            first = torch.searchsorted(documents, documents, out_int32=True)
            last = torch.searchsorted(documents, documents, out_int32=True, right=True)
        return cls(left, 0 if mask.causal else right, keep, kept, first, last)


@dataclass(frozen=True, eq=False)
class Problem:
    """Tensors whose last dimension is contiguous, with their mask and scale."""

    query: Tensor
    key: Tensor
    value: Tensor
    mask: MaskTensors
    scale: float

    def forward(self, tile: Tile) -> tuple[Tensor, Tensor]:
        """The result and its `lse`."""
        import torch

        q, k, v = self.query, self.key, self.value
        out, lse = _like(q, v.shape[3]), q.new_empty(q.shape[:3], dtype=torch.float32)
        self._launch(_kernels().forward, _programs(q, tile.rows), tile, (q, k, v, out), (lse,))
        return out, lse

    def backward(
        self,
        d_out: Tensor,
        d_lse: Tensor | None,
        out: Tensor,
        lse: Tensor,
        sizes: Tiles,
        wanted: tuple[bool, ...],
    ) -> tuple[Tensor | None, ...]:
        """The gradients of query, key and value; None for those that are not wanted."""
        q, k, v = self.query, self.key, self.value
        d_q = d_k = d_v = None
        dense = self._prepare(out, d_out, lse, d_lse, sizes.query.rows)
        if any(wanted[1:]):
            d_k, d_v = (_like(each, each.shape[3]) for each in (k, v))
            kernel, tile = _kernels().backward_key_value, sizes.key_value
            self._launch(kernel, _programs(k, tile.columns), tile, (q, k, v, d_out, d_k, d_v), dense)
        if wanted[0]:
            d_q = _like(q, q.shape[3])
            kernel, tile = _kernels().backward_query, sizes.query
            self._launch(kernel, _programs(q, tile.rows), tile, (q, k, v, d_out, d_q), dense)
        return d_q, d_k, d_v

    def _launch(
        self, kernel: Any, programs: int, tile: Tile, strided: tuple[Tensor, ...], dense: tuple[Tensor, ...]
    ) -> None:
        (_, heads, m, d), (_, kv_heads, n, e) = self.query.shape, self.value.shape
        mask = self.mask
        if programs:
            with _device_of(self.query):
                kernel[(programs,)](
                    *strided, *dense, *map(_strides, strided),
                    mask.keep, mask.kept, mask.first, mask.last, 0 if mask.first is None or len(mask.first) == 1 else n,
                    heads, heads // kv_heads, m, n, mask.left, mask.right, self.scale,
                    d, e, _padded(d), _padded(e), tile.rows, tile.columns,
                    num_warps=tile.warps, num_stages=tile.stages, enable_fp_fusion=True,
                )  # fmt: skip

    def _prepare(
        self, out: Tensor, d_out: Tensor, lse: Tensor, d_lse: Tensor | None, rows: int
    ) -> tuple[Tensor, Tensor]:
        """`norm` and `delta`, which the backward kernels read for each query."""
        import torch

        _, heads, m, e = out.shape
        norm, delta = torch.empty_like(lse), torch.empty_like(lse)
        if programs := _programs(out, rows):
            with _device_of(out):
                _kernels().prepare[(programs,)](
                    out, d_out, lse, d_lse, norm, delta, *map(_strides, (out, d_out)),
                    heads, m, e, _padded(e), rows, enable_fp_fusion=True,
                )  # fmt: skip
        return norm, delta


@cache
def _function() -> Any:
    import torch

    class TritonFlash(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(
            ctx: Any,
            query: Tensor,
            key: Tensor,
            value: Tensor,
            mask_tensors: MaskTensors,
            scale: float,
            sizes: Tiles,
        ) -> tuple[Tensor, Tensor]:
            out, lse = Problem(query, key, value, mask_tensors, scale).forward(sizes.forward)
            ctx.save_for_backward(query, key, value, out, lse)
            ctx.rest = mask_tensors, scale, sizes
            ctx.set_materialize_grads(False)
            return out, lse

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, d_out: Tensor | None, d_lse: Tensor | None
        ) -> tuple[Tensor | None, ...]:
            query, key, value, out, lse = ctx.saved_tensors
            mask_tensors, scale, sizes = ctx.rest
            d_out = torch.zeros_like(out) if d_out is None else _loadable(d_out)
            d_lse = None if d_lse is None else d_lse.contiguous()
            found = Problem(query, key, value, mask_tensors, scale).backward(
                d_out, d_lse, out, lse, sizes, ctx.needs_input_grad
            )
            return (*found, None, None, None)

    return TritonFlash


def _kernels() -> Any:
    """The module that imports Triton."""
    from ragembed.encoder.attention.gpu import triton_kernels

    return triton_kernels


def _loadable(each: Tensor) -> Tensor:
    fits = (each.stride(3) == 1 or each.shape[3] == 1) and each.stride(2) <= _MAX_ROW_STRIDE
    return each if fits else each.contiguous()


def _like(each: Tensor, width: int) -> Tensor:
    """An empty ``(batch, heads, length, width)`` in the memory layout of `each`: heads before length, or after it."""
    batch, heads, length, _ = each.shape
    if each.stride(1) < each.stride(2):
        return each.new_empty(batch, length, heads, width).transpose(1, 2)
    return each.new_empty(batch, heads, length, width)


def _strides(each: Tensor) -> tuple[int, ...]:
    return tuple(each.stride()[:3])


def _programs(each: Tensor, rows: int) -> int:
    """The number of programs: one for each tile of `rows` rows of each head."""
    batch, heads, length, _ = each.shape
    return int(batch * heads * -(-length // rows))


def _padded(width: int) -> int:
    """The next power of two, at least 16, as `tl.dot` needs."""
    return max(16, 1 << (width - 1).bit_length())


def _device_of(each: Tensor) -> AbstractContextManager[object]:
    """Makes the tensor's device current, since Triton launches there whatever the device of the tensors."""
    import torch

    return torch.cuda.device(each.device) if each.is_cuda else nullcontext()


@cache
def _installed() -> bool:
    return find_spec("triton") is not None


def _runs_on(each: Tensor) -> bool:
    import torch
    from triton import knobs

    if knobs.runtime.interpret:
        return bool(each.dtype != torch.bfloat16)  # the interpreter multiplies bfloat16's bits as integers
    return bool(each.is_cuda and torch.version.hip is None and _capability(each) >= (8, 0))


def _capability(each: Tensor) -> tuple[int, int]:
    import torch

    return torch.cuda.get_device_capability(each.device) if each.is_cuda else (8, 0)
