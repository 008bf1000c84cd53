# ruff: noqa: N803 (constants are written large, as Triton's own are)
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
# pyright: reportGeneralTypeIssues=false
"""What the kernels of `triton_kernels` share: who sees whom, by tiles, and tiles from memory and back.

What a query sees is one run of keys, from `start` to before `end`: windows, causality and documents only move its two
ends, and neither ever moves back from one query to the next. So the first and the last query of a tile say which tiles
of keys all of them see (computed without a mask), which only some see (with a mask), and which nobody sees (neither
loaded nor computed). The queries that see a key are such a run as well.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def run_of(at, before, after, low, high, first, last, documents):
    """What is near places `at`: from `before` in front of them to `after` behind, in [low, high) and the document."""
    start = tl.maximum(at - before, low)
    end = tl.minimum(at + after + 1, high)
    if first is not None:
        start = tl.maximum(start, tl.load(first + documents + at))
        end = tl.minimum(end, tl.load(last + documents + at))
    return start, end


@triton.jit
def tiles_of(first_start, first_end, last_start, last_end, SIZE: tl.constexpr):
    """Tiles of SIZE of the runs between two: seen by some in [begin, stop), by all and whole in [inner, outer)."""
    begin = first_start // SIZE
    stop = tl.maximum(begin, (last_end + SIZE - 1) // SIZE)
    inner = tl.minimum(tl.maximum((last_start + SIZE - 1) // SIZE, begin), stop)
    outer = tl.minimum(tl.maximum(first_end // SIZE, inner), stop)
    return begin, inner, outer, stop


@triton.jit
def reach(
    first_place, last_place, before, after, low, high, origin, first, last, documents,
    OURS: tl.constexpr, THEIRS: tl.constexpr,
):  # fmt: skip
    """The runs of a tile of OURS places, and tiles of THEIRS that they touch; both counted from `origin`."""
    at = tl.minimum(first_place + tl.arange(0, OURS), last_place)
    start, end = run_of(at, before, after, low, high, first, last, documents)
    start_1, end_1 = run_of(first_place, before, after, low, high, first, last, documents)
    start_2, end_2 = run_of(last_place, before, after, low, high, first, last, documents)
    begin, inner, outer, stop = tiles_of(
        start_1 - origin, end_1 - origin, start_2 - origin, end_2 - origin, THEIRS
    )
    return start - origin, end - origin, begin, inner, outer, stop


@triton.jit
def edge_tile(i, begin, inner, outer):
    """The i-th tile that needs a mask: those of [begin, inner), then those from `outer` on."""
    return tl.where(i < inner - begin, begin + i, outer + i - (inner - begin))


@triton.jit
def head_of(base, strides, row, head):
    """Where the matrix of one head begins; products of strides may exceed 2^31."""
    return base + tl.cast(row, tl.int64) * strides[0] + tl.cast(head, tl.int64) * strides[1]


@triton.jit
def load(
    base, start, stride, length, keep,
    D: tl.constexpr, SIZE: tl.constexpr, WIDE: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Rows ``[start, start + SIZE)`` of a matrix ``(length, D)``, zeros where there is nothing ``(SIZE, WIDE)``.

    Unless EDGE, all rows are there. Rows that `keep` leaves out are zeros too: they may hold NaN.
    """
    row, column = tl.arange(0, SIZE), tl.arange(0, WIDE)
    at = base + tl.cast(start, tl.int64) * stride + row[:, None] * stride + column[None, :]
    there = (column < D)[None, :]
    if keep is not None:
        there = there & (tl.load(keep + start + row, mask=start + row < length, other=0) != 0)[:, None]
        found = tl.load(at, mask=there, other=0.0)
    elif EDGE:
        found = tl.load(at, mask=there & (start + row < length)[:, None], other=0.0)
    elif D < WIDE:
        found = tl.load(at, mask=there, other=0.0)
    else:
        found = tl.load(at)
    return found


@triton.jit
def store(base, start, stride, length, tile, D: tl.constexpr, SIZE: tl.constexpr, WIDE: tl.constexpr):
    """The other way round."""
    row, column = tl.arange(0, SIZE), tl.arange(0, WIDE)
    at = base + tl.cast(start, tl.int64) * stride + row[:, None] * stride + column[None, :]
    there = (start + row < length)[:, None] & (column < D)[None, :]
    tl.store(at, tile.to(base.dtype.element_ty), mask=there)


@triton.jit
def masked(s, start, low, high, keep, length, other: tl.constexpr, SIZE: tl.constexpr, EDGE: tl.constexpr):
    """`s` ``(rows, SIZE)`` with `other` in columns out of [low, high) of a row, and in those that are not kept."""
    at = start + tl.arange(0, SIZE)[None, :]
    if EDGE:
        s = tl.where((at >= low[:, None]) & (at < high[:, None]), s, other)
    if keep is not None:
        s = tl.where(tl.load(keep + at, mask=at < length, other=0) != 0, s, other)
    return s
