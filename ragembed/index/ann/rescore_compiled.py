"""The best of some candidates, compiled by numba when this module is used first, or read from numba's cache."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def prefetch(typing, array, row, column):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        held = context.make_array(signature.args[0])(context, builder, given[0])
        at = cgutils.get_item_pointer(
            context, builder, signature.args[0], held, list(given[1:]), wraparound=False
        )
        number, address = ir.IntType(32), ir.IntType(8).as_pointer()
        takes = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, takes, "llvm.prefetch.p0i8")
        reading, nearly_kept, data = number(0), number(2), number(1)
        builder.call(function, [builder.bitcast(at, address), reading, nearly_kept, data])
        return context.get_dummy_value()

    return types.void(array, row, column), generate


@njit(nogil=True, cache=True)
def place(held, row):  # type: ignore[no-untyped-def]
    """Where `row` stands among those that are `held`, ascending; -1: nowhere."""
    guess = row - held[0]
    if 0 <= guess < len(held) and held[guess] == row:  # mostly there is no gap
        return guess
    at = np.searchsorted(held, row)
    return at if at < len(held) and held[at] == row else -1


@njit(nogil=True, cache=True)
def fetch(vectors, at, size):  # type: ignore[no-untyped-def]
    for x in range(0, size, 16):
        prefetch(vectors, at, x)  # pyright: ignore[reportCallIssue]


@njit(nogil=True, cache=True, fastmath=True)
def product(vector, query):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for x in range(len(query)):
        total += vector[x] * query[x]
    return total


@njit(nogil=True, cache=True)
def rough(vectors, at, query, scores):  # type: ignore[no-untyped-def]
    """Products in float32, of which the vectors are asked for early: most of the time is the memory's."""
    for i in range(min(4, len(at))):
        fetch(vectors, at[i], len(query))
    for i in range(len(at)):
        if i + 4 < len(at):
            fetch(vectors, at[i + 4], len(query))
        scores[i] = product(vectors[at[i]], query)


@njit(nogil=True, cache=True)
def eight(vector, query, start, count):  # type: ignore[no-untyped-def]
    """The product of `count` numbers from `start` on, up to 128."""
    total = 0.0
    whole = start + count - count % 8
    if whole > start:
        a = b = c = d = e = f = g = h = 0.0
        for i in range(start, whole, 8):
            a += np.float64(vector[i]) * query[i]
            b += np.float64(vector[i + 1]) * query[i + 1]
            c += np.float64(vector[i + 2]) * query[i + 2]
            d += np.float64(vector[i + 3]) * query[i + 3]
            e += np.float64(vector[i + 4]) * query[i + 4]
            f += np.float64(vector[i + 5]) * query[i + 5]
            g += np.float64(vector[i + 6]) * query[i + 6]
            h += np.float64(vector[i + 7]) * query[i + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, start + count):
        total += np.float64(vector[i]) * query[i]
    return total


@njit(nogil=True, cache=True)
def exact(vector, query, order, sums):  # type: ignore[no-untyped-def]
    """The product in float64, its blocks added in that order; see `rescore.order_of_sums`."""
    held = 0
    for block in range(len(order)):
        start, count, joins = order[block]
        sums[held] = eight(vector, query, start, count)
        for _ in range(joins):
            held -= 1
            sums[held] += sums[held + 1]
        held += 1
    return sums[0]


@njit(nogil=True, cache=True)
def first(numbers, scores, k, best_numbers, best_scores):  # type: ignore[no-untyped-def]
    """Fill in the k first of `numbers` by `scores`, equal ones by number; how many there are."""
    count = 0
    for i in range(len(numbers)):
        number, score = numbers[i], scores[i]
        at = count
        while at and (
            score > best_scores[at - 1] or (score == best_scores[at - 1] and number < best_numbers[at - 1])
        ):
            at -= 1
        if at == k:
            continue
        count = min(count + 1, k)
        for later in range(count - 1, at, -1):
            best_scores[later] = best_scores[later - 1]
            best_numbers[later] = best_numbers[later - 1]
        best_scores[at] = score
        best_numbers[at] = number
    return count


@njit(nogil=True, cache=True)
def best(vectors, held, queries, rows, k, margin, order):  # type: ignore[no-untyped-def]
    best_rows = np.full((len(rows), k), -1, np.int64)
    best_scores = np.full((len(rows), k), -np.inf, np.float32)
    width = rows.shape[1]
    at = np.empty(width, np.int64)
    scores = np.empty(width, np.float32)
    few_at = np.empty(k + margin, np.int64)
    few_scores = np.empty(k + margin, np.float32)
    wide = np.empty(queries.shape[1], np.float64)
    sums = np.empty(len(order), np.float64)
    found = 0
    for query in range(len(rows)):
        count = 0
        for i in range(width):
            at[count] = place(held, rows[query, i])
            count += at[count] >= 0
        found += count
        some = at[:count]
        if count > k + 2 * margin:
            rough(vectors, some, queries[query], scores)
            few = first(some, scores, k + margin, few_at, few_scores)
            some = few_at[:few]
        wide[:] = queries[query]
        for i in range(len(some)):
            scores[i] = exact(vectors[some[i]], wide, order, sums)
        count = first(some, scores, k, best_rows[query], best_scores[query])
        for i in range(count):
            best_rows[query, i] = held[best_rows[query, i]]
    return best_rows, best_scores, found
