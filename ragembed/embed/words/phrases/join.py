"""Joining pairs of tokens in the file of a corpus, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.corpus import Ids, RawTokens, mapped
from ragembed.embed.words.phrases.counts import BLOCK, Keys, inner, pair_keys

JOINT = "_"
"""Stands between the words of a phrase."""


def join_pairs(raw: RawTokens, pairs: Sequence[tuple[int, int]], folder: Path) -> RawTokens:
    """Join `pairs` of token numbers from left to right; the new tokens take the place of ``raw.i32`` in `folder`."""
    if not pairs:
        return raw
    words = list(raw.words)
    spelt = [f"{words[first]}{JOINT}{words[second]}" for first, second in pairs]
    wanted = set(spelt)
    numbers = {word: number for number, word in enumerate(words) if word in wanted}
    for word in spelt:
        if word not in numbers:
            numbers[word] = len(words)
            words.append(word)
    keys = np.array([first << 32 | second for first, second in pairs], np.int64)
    order = np.argsort(keys)
    new = np.array([numbers[word] for word in spelt], np.int32)[order]
    counts, offsets = _write(raw, keys[order], new, len(words), folder)
    for name in ("raw.i32", "raw_offsets.i64"):
        (folder / f"{name}.new").replace(folder / name)  # what is mapped stays until it is let go
    return RawTokens(words, counts, mapped(folder / "raw.i32", np.int32), offsets)


def _write(
    raw: RawTokens, keys: Keys, new: Ids, words: int, folder: Path
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write the joined tokens and offsets; how often each word is among them, and the offsets."""
    counts = np.zeros(words, np.int64)
    offsets = np.zeros(len(raw.offsets), np.int64)
    last_apart, consumed, written = -1, False, 0
    with (folder / "raw.i32.new").open("wb") as file:
        for start in range(0, len(raw.ids), BLOCK):
            stop = min(start + BLOCK, len(raw.ids))
            ids = np.asarray(raw.ids[start : stop + 1])
            if stop == len(raw.ids):
                ids = np.append(ids, ids[-1:])  # the last token has no successor, which `inner` knows
            found = pair_keys(ids)
            at = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
            pairs = (keys[at] == found) & inner(raw.offsets, start, stop)
            place = np.arange(start, stop)
            apart = np.maximum(np.maximum.accumulate(np.where(pairs, -1, place)), last_apart)
            joined = pairs & ((place - apart) % 2 == 1)  # of pairs in a row every second one
            stays = ~np.concatenate(([consumed], joined[:-1]))
            out = np.where(joined, new[at], ids[:-1])[stays].astype(np.int32)
            file.write(out.tobytes())
            counts += np.bincount(out, minlength=words)
            first, last = np.searchsorted(raw.offsets, (start, stop), side="left")
            before = np.concatenate(([0], np.cumsum(stays)))
            offsets[first:last] = written + before[raw.offsets[first:last] - start]
            last_apart, consumed, written = int(apart[-1]), bool(joined[-1]), written + len(out)
    offsets[np.asarray(raw.offsets) == len(raw.ids)] = written
    (folder / "raw_offsets.i64.new").write_bytes(offsets.tobytes())
    return counts, offsets
