"""Texts -> bags: which rows of the word vectors a passage adds up, and how often each.

Tokens are cut as the training texts were, except that case is kept until the vocabulary is asked
(`ragembed.embed.words.resolve`). What stands for a token is looked up once and remembered.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.coverage import Coverage
from ragembed.embed.words.corpus import pieces
from ragembed.embed.words.pooling.cutting import cutter
from ragembed.embed.words.resolve import MADE, SEVERAL, UNKNOWN, keeps_case, resolve
from ragembed.embed.words.vectors import WordVectors

Rows = NDArray[np.int64]

_REMEMBERED = 1_000_000
"""Distinct tokens that are remembered."""


@dataclass(frozen=True)
class Bags:
    """Passages as rows with counts, in the order in which the rows' tokens first come in each passage.

    That order depends on the passage alone, so that a sum in this order has the same bits in any company.
    """

    ids: Rows
    """``(m,)``: row of the vocabulary, or from its size on the place of a word in `made`."""
    counts: NDArray[np.float32]
    """``(m,)``"""
    offsets: Rows
    """``(n + 1,)``: passage i is ``offsets[i]`` to ``offsets[i + 1]``."""
    made: list[str]
    """Words that are made of n-grams."""

    def __len__(self) -> int:
        return len(self.offsets) - 1


class Lookup:
    """Makes bags of texts. Threads may share it."""

    def __init__(self, vectors: WordVectors) -> None:
        self.vectors = vectors
        self.coverage = Coverage()
        """Tokens of all texts of which `bags` was asked for."""
        self.tokenizer = cutter(vectors)
        self.cased = keeps_case(vectors)
        """Whether the vocabulary tells capitals from small letters."""
        self._lock = threading.Lock()
        self._clear()

    def count(self, text: str) -> Counter[str]:
        """The tokens of `text` in order of appearance, with their counts."""
        counts: Counter[str] = Counter()
        for piece in pieces(text):
            counts.update(self.tokenizer.tokens(piece))
        return counts

    def bags(self, texts: Iterable[str]) -> Bags:
        """The bags of some texts; their tokens are added to `coverage`."""
        counts = [self.count(text) for text in texts]
        with self._lock:
            bags, unknown, total = self._bags(counts)
            self.coverage.add(total, unknown)
        return bags

    def bags_of(self, counts: Iterable[Mapping[str, int]]) -> Bags:
        """The bags of passages whose tokens are counted already; `coverage` stays as it is."""
        with self._lock:
            return self._bags(counts)[0]

    def alive(self, texts: Iterable[str]) -> tuple[set[str], set[str]]:
        """The words that stand for something in `texts`, as the vocabulary or the texts have them, and all tokens."""
        tokens: set[str] = set()
        for text in texts:
            for piece in pieces(text):
                tokens.update(self.tokenizer.tokens(piece))
        ids, _, made = self.resolve(sorted(tokens))
        rows: list[int] = np.unique(ids[ids < len(self.vectors)]).tolist()
        return {self.vectors.words[row] for row in rows} | set(made), tokens

    def resolve(self, tokens: Sequence[str | None]) -> tuple[Rows, Rows, list[str]]:
        """The ids of all `tokens`, one after the other, where those of each begin ``(tokens + 1,)``, and words made.

        Nothing is remembered. None stands for a token that is not known any more, and has no ids.
        """
        there = [at for at, token in enumerate(tokens) if token is not None]
        found = resolve(self.vectors, [token for token in tokens if token is not None], cased=self.cased)
        made = {
            word: number for number, word in enumerate(dict.fromkeys(found.made.values()), len(self.vectors))
        }
        lengths = np.zeros(len(tokens), np.int64)
        ids: list[int] = []
        for place, (at, code) in enumerate(zip(there, found.codes.tolist(), strict=True)):
            mine: Sequence[int] = (code,)
            if code == UNKNOWN:
                mine = ()
            elif code == SEVERAL:
                mine = found.several[place]
            elif code == MADE:
                mine = (made[found.made[place]],)
            ids.extend(mine)
            lengths[at] = len(mine)
        return np.array(ids, np.int64), np.concatenate(([0], np.cumsum(lengths))), list(made)

    def _clear(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._learnt = 0
        self._codes = np.zeros(1024, np.int64)
        """By the number of a token: what stands for it, up to the first `_learnt`."""
        self._several: dict[int, tuple[int, ...]] = {}
        self._made: dict[int, str] = {}
        self._strange: dict[int, str] = {}
        """The unknown tokens by their numbers."""

    def _bags(self, passages: Iterable[Mapping[str, int]]) -> tuple[Bags, Counter[str], int]:
        """The bags, how often each unknown token stands in them, and how many tokens there are."""
        if len(self._numbers) > _REMEMBERED:
            self._clear()
        numbers: list[int] = []
        counts: list[int] = []
        ends = [0]
        look_up = self._numbers.__getitem__
        for passage in passages:
            numbers += map(look_up, passage)
            counts += passage.values()
            ends.append(len(numbers))
        self._learn()
        which, often, offsets = (np.array(each, np.int64) for each in (numbers, counts, ends))
        codes = self._codes[which]
        unknown = self._unknown(which[codes == UNKNOWN], often[codes == UNKNOWN])
        bags = self._expanded(which, codes, often.astype(np.float32), offsets)
        return bags, unknown, int(often.sum())

    def _learn(self) -> None:
        """Look up the tokens that are new."""
        known, total = self._learnt, len(self._numbers)
        if known == total:
            return
        new = list(islice(reversed(self._numbers), total - known))[::-1]
        found = resolve(self.vectors, new, cased=self.cased)
        if total > len(self._codes):
            self._codes = np.concatenate((self._codes, np.zeros(total, np.int64)))
        self._codes[known:total] = found.codes
        self._several.update((known + at, rows) for at, rows in found.several.items())
        self._made.update((known + at, word) for at, word in found.made.items())
        unknown = np.flatnonzero(found.codes == UNKNOWN).tolist()
        self._strange.update((known + at, new[at] if self.cased else new[at].casefold()) for at in unknown)
        self._learnt = total

    def _unknown(self, numbers: Rows, often: Rows) -> Counter[str]:
        """How often each unknown token stands there."""
        found: Counter[str] = Counter()
        for number, times in zip(numbers.tolist(), often.tolist(), strict=True):
            found[self._strange[number]] += times
        return found

    def _expanded(self, which: Rows, codes: Rows, counts: NDArray[np.float32], offsets: Rows) -> Bags:
        """Without unknown tokens, and with the rows of those that are several or made."""
        special = np.flatnonzero(codes < 0)
        if not len(special):
            return Bags(codes, counts, offsets, [])
        lengths = np.ones(len(codes), np.int64)
        made: dict[str, int] = {}
        filled: list[int] = []
        for at, number, code in zip(
            special.tolist(), which[special].tolist(), codes[special].tolist(), strict=True
        ):
            if code == UNKNOWN:
                lengths[at] = 0
            elif code == SEVERAL:
                rows = self._several[number]
                lengths[at] = len(rows)
                filled.extend(rows)
            else:
                filled.append(made.setdefault(self._made[number], len(self.vectors) + len(made)))
        ids = np.repeat(codes, lengths)
        ids[ids < 0] = filled
        ends = np.concatenate(([0], np.cumsum(lengths)))
        return Bags(ids, np.repeat(counts, lengths), ends[offsets], list(made))
