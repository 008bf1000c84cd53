# ruff: noqa: N803 (compile-time constants are upper case, as is usual in Triton)
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
# pyright: reportGeneralTypeIssues=false
"""What the kernels of `triton_kernels` share: the tiles that have to be visited, and loading and storing tiles.

Padding aside, a query sees one range of keys [start, end): windows, causality and documents only move its two ends, and
from one query to the next neither end ever moves back. So the ranges of the first and the last query of a tile say
which tiles of keys all of its queries see (computed without a mask), which some of them see (computed with a mask), and
which none of them sees (skipped). Likewise, the queries that see a key are one range.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def range_of(at, before, after, low, high, first, last, documents):
    """The ranges [at - before, at + after], cut to [low, high) and to the document at each index `at`."""
    start = tl.maximum(at - before, low)
    end = tl.minimum(at + after + 1, high)
    if first is not None:
        start = tl.maximum(start, tl.load(first + documents + at))
        end = tl.minimum(end, tl.load(last + documents + at))
    return start, end


@triton.jit
def tiles_of(first_start, first_end, last_start, last_end, SIZE: tl.constexpr):
    """The tiles of SIZE in the ranges from a first to a last: [begin, stop) in some, [inner, outer) wholly in all."""
    begin = first_start // SIZE
    stop = tl.maximum(begin, (last_end + SIZE - 1) // SIZE)
    inner = tl.minimum(tl.maximum((last_start + SIZE - 1) // SIZE, begin), stop)
    outer = tl.minimum(tl.maximum(first_end // SIZE, inner), stop)
    return begin, inner, outer, stop


@triton.jit
def tile_range(
    first_index, last_index, before, after, low, high, origin, first, last, documents,
    OURS: tl.constexpr, THEIRS: tl.constexpr,
):  # fmt: skip
    """The ranges of a tile of OURS indices, and the tiles of THEIRS that they touch; both counted from `origin`."""
    at = tl.minimum(first_index + tl.arange(0, OURS), last_index)
    start, end = range_of(at, before, after, low, high, first, last, documents)
    start_1, end_1 = range_of(first_index, before, after, low, high, first, last, documents)
    start_2, end_2 = range_of(last_index, before, after, low, high, first, last, documents)
    begin, inner, outer, stop = tiles_of(
        start_1 - origin, end_1 - origin, start_2 - origin, end_2 - origin, THEIRS
    )
    return start - origin, end - origin, begin, inner, outer, stop


@triton.jit
def edge_tile(i, begin, inner, outer):
    """The i-th tile that needs a mask: first those in [begin, inner), then those from `outer` on."""
    return tl.where(i < inner - begin, begin + i, outer + i - (inner - begin))


@triton.jit
def head_of(base, strides, row, head):
    """The address of one head's matrix, in 64 bits: offsets may exceed 2^31."""
    return base + tl.cast(row, tl.int64) * strides[0] + tl.cast(head, tl.int64) * strides[1]


@triton.jit
def load(
    base, start, stride, length, keep,
    D: tl.constexpr, SIZE: tl.constexpr, WIDTH: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Rows ``[start, start + SIZE)`` of a matrix ``(length, D)`` as a tile ``(SIZE, WIDTH)``, padded with zeros.

    Without EDGE all rows exist. Rows that are padding by `keep` are zeros too, since they may hold NaN.
    """
    row, column = tl.arange(0, SIZE), tl.arange(0, WIDTH)
    at = base + tl.cast(start, tl.int64) * stride + row[:, None] * stride + column[None, :]
    there = (column < D)[None, :]
    if keep is not None:
        there = there & (tl.load(keep + start + row, mask=start + row < length, other=0) != 0)[:, None]
        found = tl.load(at, mask=there, other=0.0)
    elif EDGE:
        found = tl.load(at, mask=there & (start + row < length)[:, None], other=0.0)
    elif D < WIDTH:
        found = tl.load(at, mask=there, other=0.0)
    else:
        found = tl.load(at)
    return found


@triton.jit
def store(base, start, stride, length, tile, D: tl.constexpr, SIZE: tl.constexpr, WIDTH: tl.constexpr):
    """Write a tile to rows ``[start, start + SIZE)`` of a matrix ``(length, D)``."""
    row, column = tl.arange(0, SIZE), tl.arange(0, WIDTH)
    at = base + tl.cast(start, tl.int64) * stride + row[:, None] * stride + column[None, :]
    there = (start + row < length)[:, None] & (column < D)[None, :]
    tl.store(at, tile.to(base.dtype.element_ty), mask=there)


@triton.jit
def masked(s, start, low, high, keep, length, other: tl.constexpr, SIZE: tl.constexpr, EDGE: tl.constexpr):
    """`s` ``(rows, SIZE)`` with `other` in columns outside of a row's [low, high), and in those of padding."""
    at = start + tl.arange(0, SIZE)[None, :]
    if EDGE:
        s = tl.where((at >= low[:, None]) & (at < high[:, None]), s, other)
    if keep is not None:
        s = tl.where(tl.load(keep + at, mask=at < length, other=0) != 0, s, other)
    return s
