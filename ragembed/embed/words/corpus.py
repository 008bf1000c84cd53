"""A corpus read once: its words with their counts, and its tokens as numbers in a file that is mapped into memory.

Trainers go over the tokens many times, and the texts may come from anywhere, only once: so they are cut, counted and
numbered in one pass, and rare words are taken out of the numbers afterwards. Memory is bounded by the different words,
not by the tokens: at most ten million words are held, and eight bytes for each that was forgotten to keep to that.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.tokens import Tokenizer
from ragembed.errors import EmbeddingError
from ragembed.index.files import replacing

Ids = NDArray[np.int32]
Number = TypeVar("Number", bound=np.generic)

_FLUSH = 1 << 20
"""Tokens held before they are written."""
_PIECE = 1 << 20
"""Characters that are cut into tokens at once, so that one text of a gigabyte is held only as text."""
_MOST_WORDS = 10_000_000
"""Different words held while reading; when there are more, the rarest of those so far are forgotten."""
_STATE = "corpus.json"

ReadTell = Callable[[int, int], None]
"""Called with how many texts and tokens were read."""


@dataclass(frozen=True)
class RawTokens:
    """All tokens of a corpus by provisional numbers."""

    words: list[str | None]
    """By number; None for one that was forgotten for want of room."""
    counts: NDArray[np.int64]
    """``(len(words),)``"""
    ids: Ids
    """``(tokens,)``, mapped"""
    offsets: NDArray[np.int64]
    """``(texts + 1,)``: text i is ``ids[offsets[i]:offsets[i + 1]]``."""
    phrases: tuple[tuple[str, str], ...] = ()
    """Pairs of words that were joined to one, in the order in which they are to be joined."""


Merge = Callable[[RawTokens, Path], RawTokens]
"""Joins raw tokens to phrases, with room for files in a folder."""


@dataclass(frozen=True)
class TokenCorpus:
    """The tokens of a corpus as rows of a vocabulary without rare words."""

    words: list[str]
    """By falling count, ties by the alphabet; those of an earlier model come first."""
    counts: NDArray[np.int64]
    """``(words,)``: how often each stands in this corpus."""
    tokens: Ids
    """``(T,)``, mapped: rare words are taken out, so that a window closes over them."""
    offsets: NDArray[np.int64]
    """``(texts + 1,)``: text i is ``tokens[offsets[i]:offsets[i + 1]]``."""
    read_tokens: int
    """Tokens read, rare words too."""
    phrases: tuple[tuple[str, str], ...] = ()
    """Pairs of words that were joined to one."""

    @classmethod
    def read(
        cls,
        texts: Iterable[str],
        folder: Path,
        tokenizer: Tokenizer,
        *,
        min_count: int = 5,
        max_words: int | None = None,
        known: Sequence[str] = (),
        merge: Merge | None = None,
        tell: ReadTell | None = None,
    ) -> TokenCorpus:
        """Read `texts` once, keeping files in `folder`.

        Words that stand fewer than `min_count` times are left out, and all but the `max_words` most frequent;
        `known` words stay whatever their count and come first. `merge` may join raw tokens (into phrases) before
        rare ones are left out. Raises `EmbeddingError` where nothing is left to learn from.
        """
        folder.mkdir(parents=True, exist_ok=True)
        raw = read_raw(texts, folder, tokenizer, tell)
        if merge is not None:
            raw = merge(raw, folder)
        kept = _choose(raw, min_count, max_words, known)
        _check(raw, kept, min_count)
        numbers = np.full(len(raw.words), -1, np.int32)
        counts = np.zeros(len(kept), np.int64)
        row_of = {word: row for row, word in enumerate(kept)}
        for number, word in enumerate(raw.words):
            row = -1 if word is None else row_of.get(word, -1)
            if row >= 0:
                numbers[number], counts[row] = row, raw.counts[number]
        _renumber(raw, numbers, folder)
        state = {
            "words": kept,
            "counts": counts.tolist(),
            "read_tokens": len(raw.ids),
            "phrases": raw.phrases,
        }
        for name in ("raw.i32", "raw_offsets.i64"):
            (folder / name).unlink(missing_ok=True)
        with replacing(folder / _STATE) as file:
            file.write(json.dumps(state).encode())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> TokenCorpus:
        """What `read` left in `folder`; raises `FileNotFoundError` where it did not come to its end."""
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        return cls(
            state["words"],
            np.array(state["counts"], np.int64),
            mapped(folder / "tokens.i32", np.int32),
            mapped(folder / "offsets.i64", np.int64),
            state["read_tokens"],
            tuple((first, second) for first, second in state["phrases"]),
        )

    @property
    def texts(self) -> int:
        """How many texts there are."""
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[list[str]]:
        """The words of each text."""
        words = self.words
        for start in range(0, self.texts, 10_000):
            bounds = self.offsets[start : start + 10_001]
            rows = self.tokens[bounds[0] : bounds[-1]].tolist()
            ends = (bounds - bounds[0]).tolist()
            for begin, end in pairwise(ends):
                yield [words[row] for row in rows[begin:end]]


def mapped(path: Path, dtype: type[Number]) -> NDArray[Number]:
    """The numbers in the file `path`, mapped into memory for reading; an empty file gives none."""
    if path.stat().st_size == 0:
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, mode="r")


def read_raw(
    texts: Iterable[str], folder: Path, tokenizer: Tokenizer, tell: ReadTell | None = None
) -> RawTokens:
    """Cut `texts` into tokens, number them by first appearance, and write the numbers to `folder`."""
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    waiting, offsets = array("i"), array("q", [0])
    counts = np.zeros(0, np.int64)
    done = 0
    look_up = numbers.__getitem__
    with (folder / "raw.i32").open("wb") as file:

        def flush() -> None:
            nonlocal counts, done
            ids = np.array(waiting, np.int32)
            if len(ids):
                found = np.bincount(ids)
                grown = np.zeros(max(len(counts), len(found)), np.int64)
                grown[: len(counts)] += counts
                grown[: len(found)] += found
                counts = grown
            done += len(ids)
            file.write(ids.tobytes())
            del waiting[:]
            if len(numbers) > _MOST_WORDS:
                _forget(numbers, counts)

        for number, text in enumerate(texts, 1):
            for piece in pieces(text):
                waiting.extend(map(look_up, tokenizer.tokens(piece)))
                if len(waiting) >= _FLUSH:
                    flush()
            offsets.append(done + len(waiting))
            if tell is not None and number % 1000 == 0:
                tell(number, done + len(waiting))
        flush()
    (folder / "raw_offsets.i64").write_bytes(offsets.tobytes())
    words: list[str | None] = [None] * len(counts)
    for word, number in numbers.items():
        words[number] = word
    return RawTokens(
        words,
        counts,
        mapped(folder / "raw.i32", np.int32),
        mapped(folder / "raw_offsets.i64", np.int64),
    )


def pieces(text: str) -> Iterator[str]:
    """`text` cut at white space into pieces of about `_PIECE` characters; one word longer than that is cut."""
    if len(text) <= _PIECE:
        yield text
        return
    start = 0
    while start < len(text):
        end = start + _PIECE
        if end < len(text):
            space = text.rfind(" ", start + _PIECE // 2, end)
            end = space if space > 0 else end
        yield text[start:end]
        start = end


def _forget(numbers: defaultdict[str, int], counts: NDArray[np.int64]) -> None:
    """Drop the rarest words from `numbers`, half of them at least; one that comes again starts from 0."""
    floor = int(np.median(counts[np.fromiter(numbers.values(), np.int64, len(numbers))]))
    for word in [word for word, number in numbers.items() if counts[number] <= floor]:
        del numbers[word]


def _choose(raw: RawTokens, min_count: int, max_words: int | None, known: Sequence[str]) -> list[str]:
    often = np.flatnonzero(raw.counts >= min_count).tolist()
    old = set(known)
    fresh = [
        (-int(raw.counts[n]), word) for n in often if (word := raw.words[n]) is not None and word not in old
    ]
    fresh.sort()
    room = None if max_words is None else max(0, max_words - len(old))
    return [*known, *(word for _, word in fresh[:room])]


def _check(raw: RawTokens, kept: Sequence[str], min_count: int) -> None:
    if not len(raw.ids):
        raise EmbeddingError("the corpus holds no words", "give files with text")
    different = sum(word is not None for word in raw.words)
    if len(kept) < 2:
        raise EmbeddingError(
            f"{len(kept)} of the corpus's {different} words stand in it {min_count} times or more; two are needed",
            "give more text, or lower the least count (min_count, --min-count of ragembed train)",
        )


def _renumber(raw: RawTokens, numbers: Ids, folder: Path) -> None:
    """Write the tokens of `raw` by their final numbers, without those whose number is -1."""
    offsets = np.zeros(len(raw.offsets), np.int64)
    with (folder / "tokens.i32").open("wb") as file:
        kept = 0
        for start in range(0, len(raw.ids), _FLUSH):
            ids = numbers[raw.ids[start : start + _FLUSH]]
            stays = ids >= 0
            first, last = np.searchsorted(raw.offsets, (start, start + len(ids)), side="left")
            before = np.concatenate(([0], np.cumsum(stays)))
            offsets[first:last] = kept + before[raw.offsets[first:last] - start]
            file.write(ids[stays].tobytes())
            kept += int(before[-1])
        offsets[np.asarray(raw.offsets) == len(raw.ids)] = kept
    (folder / "offsets.i64").write_bytes(offsets.tobytes())
