"""Caches over a long stream: whether memory stays flat, what a token costs, and whether each step is right.

Costs: 4 query heads on 1 key head of 64, rotary positions, float32, one thread, processor time. Tokens come one by one,
but in tens into the full cache, which costs n a token. "at the start" is the mean over the first 1,000 tokens after the
cache is full (the first 1,000 of the full one), "at the end" over the last 1,000. Recomputing is what one does without
a cache: attention of the whole window, rotation and all, for each new token; of the attention alone, so a model's other
layers would widen the gap. Resident memory is the process's, at each tenth of the stream.

Exactness: 4 query heads on 2 key heads of 8. Steps are held against attention in float64 over the tokens that the
cache's definition shows, gathered from the whole stream and rotated by the definition: every step of the caches that do
not grow, each hundredth of the full one.

    python -m ragembed.eval.bench.streaming [--tokens 100000] [--only costs,exactness]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ragembed.encoder.attention.reference import attention as reference
from ragembed.encoder.attention.stream.cache import Cache, FullCache, RollingCache, SinkCache
from ragembed.encoder.attention.stream.streaming import Rotate, attend
from ragembed.encoder.positions import rope, rope_frequencies
from ragembed.eval.bench.harness import alternate, machine, resident, table
from ragembed.threads import set_threads

if TYPE_CHECKING:
    from torch import Tensor

HEADS, D = (4, 1, 1), 64
SMALL_HEADS, SMALL_D = (4, 2, 2), 8
TIMED = 1000
FULL_AT_ONCE, FULL_EVERY = 10, 100
CACHES: dict[str, tuple[Callable[[], Cache], int]] = {
    "full": (FullCache, 0),
    "rolling 256": (partial(RollingCache, 256), 256),
    "rolling 1,024": (partial(RollingCache, 1024), 1024),
    "rolling 4,096": (partial(RollingCache, 4096), 4096),
    "sinks 4 + 252": (partial(SinkCache, 4, 252), 256),
    "sinks 4 + 1,020": (partial(SinkCache, 4, 1020), 1024),
    "sinks 4 + 4,092": (partial(SinkCache, 4, 4092), 4096),
}
"""With their windows."""
SMALL: dict[str, Callable[[], Cache]] = {
    "full": FullCache,
    "rolling 64": partial(RollingCache, 64),
    "sinks 4 + 60": partial(SinkCache, 4, 60),
}


def stream(n: int, heads: tuple[int, int, int], d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of random numbers."""
    import torch

    random = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, each, n, d, generator=random) for each in heads)
    return query, key, value


def costs(tokens: int) -> None:
    """Time and memory of whole streams."""
    rotate = partial(rope, frequencies=rope_frequencies(D))  # angles are computed at each step
    given = stream(TIMED, HEADS, D)  # again and again: costs do not depend on what comes
    rows, held = [], []
    for name, (make, window) in CACHES.items():
        cache, marks, seconds = make(), [], []
        size = 1 if window else FULL_AT_ONCE
        pieces = list(zip(*(each.split(size, dim=2) for each in given), strict=True))
        while cache.length < tokens:
            started = time.process_time()
            for piece in pieces:
                attend(cache, *piece, rotate=rotate)
            seconds.append(time.process_time() - started)
            if cache.length % (tokens // 10) == 0:
                marks.append(resident())
        first, last = (1e6 * seconds[at] / TIMED for at in (-(-window // TIMED), -1))
        again = recomputing(window, rotate) if window else None
        rows.append(
            (
                name,
                *(f"{each:,.0f}" for each in (first, last)),
                f"{again:,.0f}" if again else "",
                f"{again / last:.0f}" if again else "",
                f"{cache.nbytes / 2**20:.2f}",
            )
        )
        held.append((name, *(f"{mark:.0f}" for mark in marks)))
    table(
        (
            f"{tokens:,} tokens",
            "µs a token at the start",
            "at the end",
            "recomputing",
            "times as fast",
            "cache, MB",
        ),
        rows,
    )
    table(("resident MB", *(f"{tenth}0 %" for tenth in range(1, 11))), held)


def recomputing(window: int, rotate: Rotate) -> float:
    """Microseconds of attention over a whole window."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as dense

    query, key, value = stream(window, HEADS, D)
    at = torch.arange(window)

    def run() -> Tensor:
        return dense(rotate(query, at), rotate(key, at), value, is_causal=True, enable_gqa=True)

    return 1e6 * alternate({"": run}, 5, time.process_time)[""]


def exactness(tokens: int) -> None:
    """The largest difference of any step to a recompute."""
    rotate = partial(rope, frequencies=rope_frequencies(SMALL_D))
    given = stream(tokens, SMALL_HEADS, SMALL_D)
    rows = []
    for name, make in SMALL.items():
        cache, largest, checked = make(), 0.0, 0
        for at in range(tokens):
            query, key, value = (each[:, :, at : at + 1] for each in given)
            found = attend(cache, query, key, value, rotate=rotate)
            if at % FULL_EVERY and isinstance(cache, FullCache):
                continue
            expected = by_definition(cache, given, at, rotate)
            largest, checked = max(largest, float((found - expected).abs().max())), checked + 1
        rows.append((name, f"{tokens:,}", f"{checked:,}", f"{largest:.1e}"))
    table(("", "tokens", "steps compared", "largest difference"), rows)


def by_definition(cache: Cache, given: tuple[Tensor, Tensor, Tensor], at: int, rotate: Rotate) -> Tensor:
    """What token `at` attends to in float64: all, the newest, or the first and the newest, counted by rank."""
    import torch

    query, key, value = given
    seen = torch.arange(at + 1)
    if isinstance(cache, RollingCache):
        seen = seen[-cache.recent :]
    elif isinstance(cache, SinkCache) and at >= cache.sinks + cache.recent:
        seen = torch.cat([seen[: cache.sinks], seen[-cache.recent :]])
    places = torch.arange(len(seen)) if isinstance(cache, SinkCache) else seen
    asks = rotate(query[:, :, at : at + 1].double(), places[-1:])
    keys = rotate(key.index_select(2, seen).double(), places)
    return reference(asks, keys, value.index_select(2, seen))[0]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--only", default="costs,exactness")
    options = parser.parse_args()
    if options.tokens % (10 * TIMED):
        parser.error(f"--tokens {options.tokens} is no multiple of {10 * TIMED}")
    set_threads(1)
    print(machine("torch"), end="\n\n")
    parts = {"costs": costs, "exactness": exactness}
    for name in options.only.split(","):
        parts[name](options.tokens)


if __name__ == "__main__":
    main()
