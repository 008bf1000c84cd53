# ruff: noqa: N803 (compile-time constants are upper case, as is usual in Triton)
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
# pyright: reportGeneralTypeIssues=false
"""The kernels of `triton_flash`: FlashAttention-2, forward and backward (Dao 2023, Algorithms 1 and 2), in Triton.

Logits are in base 2: the scale is multiplied by log2(e), and exponentials are `exp2`. Kernels are not specialised for
lengths, so that a new length compiles nothing. No two programs write to the same element, so there are no atomics, and
results are deterministic.

Shapes: query ``(batch, heads, m, D)``, key ``(batch, heads / groups, n, D)``, value with E for D, each with a tuple of
strides of which the last is 1; `lse`, `norm` and `delta` ``(batch, heads, m)`` float32, contiguous. `keep`
``(batch, n)`` uint8 is the padding mask, and `kept` ``(batch, 2)`` int32 the range of keys outside of which all is
padding; `first` and `last` ``(1 or batch, n)`` int32 say where the document of each token starts and ends. Each of the
two pairs may be None.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ragembed.encoder.attention.gpu.triton_parts import edge_tile, head_of, load, masked, store, tile_range

_LOG2_E = tl.constexpr(1.4426950408889634)
_LN_2 = tl.constexpr(0.6931471805599453)
_LENGTHS = ["heads", "groups", "m", "n", "left", "right", "documents_stride"]


@triton.jit
def _online_softmax_step(
    out, row_max, row_sum, q, low, high, key, value, k_stride, v_stride, keep, n, tile, scale,
    D: tl.constexpr, E: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, COLUMNS: tl.constexpr,
    EDGE: tl.constexpr,
):  # fmt: skip
    """One tile of keys in the online softmax: updates `out`, not yet divided by `row_sum`, and its two statistics."""
    start = tile * COLUMNS
    k = load(key, start, k_stride, n, keep, D, COLUMNS, BLOCK_D, EDGE)
    s = tl.dot(q, tl.trans(k), input_precision="ieee")
    s = masked(s, start, low, high, keep, n, float("-inf"), COLUMNS, EDGE)
    new_max = tl.maximum(row_max, tl.max(s, 1) * scale)
    base = new_max
    if EDGE or keep is not None:  # a row may not have seen a key yet, and inf - inf is NaN
        base = tl.where(new_max == float("-inf"), 0.0, new_max)
    weights = tl.exp2(s * scale - base[:, None])
    correction = tl.exp2(row_max - base)
    v = load(value, start, v_stride, n, keep, E, COLUMNS, BLOCK_E, EDGE)
    out = tl.dot(weights.to(v.dtype), v, out * correction[:, None], input_precision="ieee")
    return out, new_max, row_sum * correction + tl.sum(weights, 1)


@triton.jit(do_not_specialize=_LENGTHS)
def forward(
    query, key, value, out, lse, q_strides, k_strides, v_strides, o_strides,
    keep, kept, first, last, documents_stride,
    heads, groups, m, n, left, right, scale,
    D: tl.constexpr, E: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Each program has a tile of queries of one head, and loops over the tiles of keys that they see (Algorithm 1)."""
    tiles = tl.cdiv(m, ROWS)
    program = tl.program_id(0)
    tile = tiles - 1 - program % tiles  # longest work first: under causal the last queries see most
    head = program // tiles % heads
    row = program // tiles // heads
    low, high = 0, n
    if keep is not None:
        keep += tl.cast(row, tl.int64) * n
        low, high = tl.load(kept + 2 * row), tl.load(kept + 2 * row + 1)
    start = tile * ROWS
    low, high, begin, inner, outer, stop = tile_range(
        start + n - m, tl.minimum(start + ROWS, m) - 1 + n - m, left, right, low, high, 0,
        first, last, tl.cast(row, tl.int64) * documents_stride, ROWS, COLUMNS,
    )  # fmt: skip

    q = load(head_of(query, q_strides, row, head), start, q_strides[2], m, None, D, ROWS, BLOCK_D, True)
    key = head_of(key, k_strides, row, head // groups)
    value = head_of(value, v_strides, row, head // groups)
    scale *= _LOG2_E
    acc = tl.zeros((ROWS, BLOCK_E), tl.float32)
    row_max = tl.full((ROWS,), float("-inf"), tl.float32)
    row_sum = tl.zeros((ROWS,), tl.float32)
    for i in range(inner, outer):
        acc, row_max, row_sum = _online_softmax_step(
            acc, row_max, row_sum, q, low, high, key, value, k_strides[2], v_strides[2], keep, n, i, scale,
            D, E, BLOCK_D, BLOCK_E, COLUMNS, False,
        )  # fmt: skip
    for i in range(inner - begin + stop - outer):
        acc, row_max, row_sum = _online_softmax_step(
            acc, row_max, row_sum, q, low, high, key, value, k_strides[2], v_strides[2], keep, n,
            edge_tile(i, begin, inner, outer), scale, D, E, BLOCK_D, BLOCK_E, COLUMNS, True,
        )  # fmt: skip
    dead = row_sum == 0
    row_sum = tl.where(dead, 1.0, row_sum)
    store(
        head_of(out, o_strides, row, head), start, o_strides[2], m, acc / row_sum[:, None], E, ROWS, BLOCK_E
    )
    at = start + tl.arange(0, ROWS)
    found = tl.where(dead, float("-inf"), (row_max + tl.log2(row_sum)) * _LN_2)
    tl.store(lse + tl.cast(row * heads + head, tl.int64) * m + at, found, mask=at < m)


@triton.jit(do_not_specialize=_LENGTHS)
def prepare(
    out, grad, lse, d_lse, norm, delta, o_strides, g_strides, heads, m,
    E: tl.constexpr, BLOCK_E: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """For each query `norm`, its lse in base 2 or inf if it sees nothing, and `delta` = out · grad - d_lse."""
    tiles = tl.cdiv(m, ROWS)
    program = tl.program_id(0)
    tile, matrix = program % tiles, program // tiles
    row, head = matrix // heads, matrix % heads
    o = load(head_of(out, o_strides, row, head), tile * ROWS, o_strides[2], m, None, E, ROWS, BLOCK_E, True)
    g = load(head_of(grad, g_strides, row, head), tile * ROWS, g_strides[2], m, None, E, ROWS, BLOCK_E, True)
    found = tl.sum(o.to(tl.float32) * g.to(tl.float32), 1)
    at = tile * ROWS + tl.arange(0, ROWS)
    offset = tl.cast(matrix, tl.int64) * m + at
    whole = tl.load(lse + offset, mask=at < m, other=0.0)
    dead = whole == float("-inf")
    if d_lse is not None:
        found -= tl.load(d_lse + offset, mask=at < m, other=0.0)
    tl.store(norm + offset, tl.where(dead, float("inf"), whole * _LOG2_E), mask=at < m)
    tl.store(delta + offset, tl.where(dead, 0.0, found), mask=at < m)


@triton.jit
def _accumulate_key_value(
    d_k, d_v, k, v, low, high, query, grad, norm, delta, q_stride, g_stride, m, tile, scale,
    D: tl.constexpr, E: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, ROWS: tl.constexpr,
    EDGE: tl.constexpr,
):  # fmt: skip
    """Add a tile of queries to the gradients of a tile of keys; weights are transposed, (keys, ROWS)."""
    start = tile * ROWS
    at = start + tl.arange(0, ROWS)
    q = load(query, start, q_stride, m, None, D, ROWS, BLOCK_D, EDGE)
    g = load(grad, start, g_stride, m, None, E, ROWS, BLOCK_E, EDGE)
    if EDGE:
        above = tl.load(norm + at, mask=at < m, other=float("inf"))
        mean = tl.load(delta + at, mask=at < m, other=0.0)
    else:
        above = tl.load(norm + at)
        mean = tl.load(delta + at)
    s = tl.dot(k, tl.trans(q), input_precision="ieee")
    weights = masked(tl.exp2(s * scale - above[None, :]), start, low, high, None, m, 0.0, ROWS, EDGE)
    d_v = tl.dot(weights.to(g.dtype), g, d_v, input_precision="ieee")
    d_weights = tl.dot(v, tl.trans(g), input_precision="ieee")
    d_s = weights * (d_weights - mean[None, :])
    d_k = tl.dot(d_s.to(q.dtype), q, d_k, input_precision="ieee")
    return d_k, d_v


@triton.jit(do_not_specialize=_LENGTHS)
def backward_key_value(
    query, key, value, grad, d_key, d_value, norm, delta,
    q_strides, k_strides, v_strides, g_strides, dk_strides, dv_strides,
    keep, kept, first, last, documents_stride,
    heads, groups, m, n, left, right, scale,
    D: tl.constexpr, E: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Each program has a tile of keys of one head, and loops over the queries of all query heads (Algorithm 2)."""
    tiles = tl.cdiv(n, COLUMNS)
    program = tl.program_id(0)
    tile = program % tiles  # longest work first: under causal the first keys are seen most
    kv_head = program // tiles % (heads // groups)
    row = program // tiles // (heads // groups)
    start = tile * COLUMNS
    final = tl.minimum(start + COLUMNS, n) - 1
    high = n
    if keep is not None:
        keep += tl.cast(row, tl.int64) * n
        padding = (final < tl.load(kept + 2 * row)) | (start >= tl.load(kept + 2 * row + 1))
        high = tl.where(padding, n - m, n)
    low, high, begin, inner, outer, stop = tile_range(
        start, final, right, left, n - m, high, n - m,
        first, last, tl.cast(row, tl.int64) * documents_stride, COLUMNS, ROWS,
    )  # fmt: skip

    k = load(head_of(key, k_strides, row, kv_head), start, k_strides[2], n, keep, D, COLUMNS, BLOCK_D, True)
    v = load(head_of(value, v_strides, row, kv_head), start, v_strides[2], n, keep, E, COLUMNS, BLOCK_E, True)
    d_k = tl.zeros((COLUMNS, BLOCK_D), tl.float32)
    d_v = tl.zeros((COLUMNS, BLOCK_E), tl.float32)
    for head in range(kv_head * groups, kv_head * groups + groups):
        q = head_of(query, q_strides, row, head)
        g = head_of(grad, g_strides, row, head)
        here = tl.cast(row * heads + head, tl.int64) * m
        for i in range(inner, outer):
            d_k, d_v = _accumulate_key_value(
                d_k, d_v, k, v, low, high, q, g, norm + here, delta + here, q_strides[2], g_strides[2], m,
                i, scale * _LOG2_E, D, E, BLOCK_D, BLOCK_E, ROWS, False,
            )  # fmt: skip
        for i in range(inner - begin + stop - outer):
            d_k, d_v = _accumulate_key_value(
                d_k, d_v, k, v, low, high, q, g, norm + here, delta + here, q_strides[2], g_strides[2], m,
                edge_tile(i, begin, inner, outer), scale * _LOG2_E, D, E, BLOCK_D, BLOCK_E, ROWS, True,
            )  # fmt: skip
    if keep is not None:  # padding was loaded as zeros, which have weights too
        at = start + tl.arange(0, COLUMNS)
        there = (tl.load(keep + at, mask=at < n, other=0) != 0)[:, None]
        d_k, d_v = tl.where(there, d_k, 0.0), tl.where(there, d_v, 0.0)
    store(head_of(d_key, dk_strides, row, kv_head), start, dk_strides[2], n, d_k * scale, D, COLUMNS, BLOCK_D)
    store(head_of(d_value, dv_strides, row, kv_head), start, dv_strides[2], n, d_v, E, COLUMNS, BLOCK_E)


@triton.jit
def _accumulate_query(
    d_q, q, g, above, mean, low, high, key, value, k_stride, v_stride, keep, n, tile, scale,
    D: tl.constexpr, E: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, COLUMNS: tl.constexpr,
    EDGE: tl.constexpr,
):  # fmt: skip
    """Add a tile of keys to the gradient of a tile of queries."""
    start = tile * COLUMNS
    k = load(key, start, k_stride, n, keep, D, COLUMNS, BLOCK_D, EDGE)
    v = load(value, start, v_stride, n, keep, E, COLUMNS, BLOCK_E, EDGE)
    s = tl.dot(q, tl.trans(k), input_precision="ieee")
    weights = masked(tl.exp2(s * scale - above[:, None]), start, low, high, keep, n, 0.0, COLUMNS, EDGE)
    d_weights = tl.dot(g, tl.trans(v), input_precision="ieee")
    d_s = weights * (d_weights - mean[:, None])
    return tl.dot(d_s.to(k.dtype), k, d_q, input_precision="ieee")


@triton.jit(do_not_specialize=_LENGTHS)
def backward_query(
    query, key, value, grad, d_query, norm, delta,
    q_strides, k_strides, v_strides, g_strides, dq_strides,
    keep, kept, first, last, documents_stride,
    heads, groups, m, n, left, right, scale,
    D: tl.constexpr, E: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Each program has a tile of queries of one head, as in `forward`."""
    tiles = tl.cdiv(m, ROWS)
    program = tl.program_id(0)
    tile = tiles - 1 - program % tiles
    head = program // tiles % heads
    row = program // tiles // heads
    low, high = 0, n
    if keep is not None:
        keep += tl.cast(row, tl.int64) * n
        low, high = tl.load(kept + 2 * row), tl.load(kept + 2 * row + 1)
    start = tile * ROWS
    low, high, begin, inner, outer, stop = tile_range(
        start + n - m, tl.minimum(start + ROWS, m) - 1 + n - m, left, right, low, high, 0,
        first, last, tl.cast(row, tl.int64) * documents_stride, ROWS, COLUMNS,
    )  # fmt: skip

    q = load(head_of(query, q_strides, row, head), start, q_strides[2], m, None, D, ROWS, BLOCK_D, True)
    g = load(head_of(grad, g_strides, row, head), start, g_strides[2], m, None, E, ROWS, BLOCK_E, True)
    at = start + tl.arange(0, ROWS)
    here = tl.cast(row * heads + head, tl.int64) * m
    above = tl.load(norm + here + at, mask=at < m, other=float("inf"))
    mean = tl.load(delta + here + at, mask=at < m, other=0.0)
    key = head_of(key, k_strides, row, head // groups)
    value = head_of(value, v_strides, row, head // groups)
    d_q = tl.zeros((ROWS, BLOCK_D), tl.float32)
    for i in range(inner, outer):
        d_q = _accumulate_query(
            d_q, q, g, above, mean, low, high, key, value, k_strides[2], v_strides[2], keep, n,
            i, scale * _LOG2_E, D, E, BLOCK_D, BLOCK_E, COLUMNS, False,
        )  # fmt: skip
    for i in range(inner - begin + stop - outer):
        d_q = _accumulate_query(
            d_q, q, g, above, mean, low, high, key, value, k_strides[2], v_strides[2], keep, n,
            edge_tile(i, begin, inner, outer), scale * _LOG2_E, D, E, BLOCK_D, BLOCK_E, COLUMNS, True,
        )  # fmt: skip
    store(head_of(d_query, dq_strides, row, head), start, dq_strides[2], m, d_q * scale, D, ROWS, BLOCK_D)
