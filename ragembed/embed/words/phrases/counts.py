"""How often two tokens stand side by side: counted in blocks, by sorted 64-bit keys, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.corpus import Ids, RawTokens

Keys = NDArray[np.int64]
"""Pairs as one number each: the first token's in the upper 32 bits, the second's in the lower."""

BLOCK = 1 << 22
"""Tokens looked at at once: 100 MB while they are sorted."""
_MOST_PAIRS = 50_000_000
"""Different pairs held, 16 bytes each; when there are more, the rarest of those so far are forgotten."""


def pair_keys(ids: Ids) -> Keys:
    """The key of each token with its successor ``(len(ids) - 1,)``."""
    return (ids[:-1].astype(np.int64) << 32) | ids[1:]


def inner(offsets: NDArray[np.int64], start: int, stop: int) -> NDArray[np.bool_]:
    """Which of the tokens from `start` to `stop` have a successor in their own text."""
    first, last = np.searchsorted(offsets, (start, stop), side="right")
    within = np.ones(stop - start, np.bool_)
    within[np.asarray(offsets[first:last]) - 1 - start] = False
    return within


def count_pairs(raw: RawTokens, usable: NDArray[np.bool_], most: int = _MOST_PAIRS) -> tuple[Keys, Keys]:
    """The keys, rising, and counts of pairs within a text of which both tokens are `usable` ``(len(raw.words),)``."""
    runs: list[tuple[Keys, Keys]] = []
    for start in range(0, len(raw.ids), BLOCK):
        stop = min(start + BLOCK, len(raw.ids))
        ids = np.asarray(raw.ids[start : stop + 1])
        good = usable[ids]
        wanted = inner(raw.offsets, start, stop)[: len(ids) - 1] & good[:-1] & good[1:]
        keys, counts = np.unique(pair_keys(ids)[wanted], return_counts=True)
        runs.append((keys, counts.astype(np.int64)))
        while len(runs) > 1 and 2 * len(runs[-1][0]) > len(
            runs[-2][0]
        ):  # so that each pair is merged few times
            runs.append(_without_rare(_merged(runs.pop(), runs.pop()), most))
    while len(runs) > 1:
        runs.append(_merged(runs.pop(), runs.pop()))
    return _without_rare(runs[0], most) if runs else (np.zeros(0, np.int64), np.zeros(0, np.int64))


def _merged(one: tuple[Keys, Keys], other: tuple[Keys, Keys]) -> tuple[Keys, Keys]:
    keys, counts = (np.concatenate(parts) for parts in zip(one, other, strict=True))
    order = np.argsort(keys, kind="stable")  # two rising runs, which a merge sort finds
    keys, counts = keys[order], counts[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    return (keys[firsts], np.add.reduceat(counts, firsts)) if len(keys) else (keys, counts)


def _without_rare(run: tuple[Keys, Keys], most: int) -> tuple[Keys, Keys]:
    """The `most` pairs that are most frequent."""
    keys, counts = run
    if len(keys) <= most:
        return run
    stays = np.sort(np.argpartition(counts, len(counts) - most)[len(counts) - most :])
    return keys[stays], counts[stays]
