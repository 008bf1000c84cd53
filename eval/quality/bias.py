"""Bias tests run over an embedder's words: what is unknown is dropped, what remains is tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ragembed.errors import DatasetError
from ragembed.eval.quality.bias_files import BiasTest, WordList
from ragembed.eval.quality.progress import Counted, part_of
from ragembed.eval.quality.weat import weat, wefat
from ragembed.eval.quality.words import WordLookup, embedded

LEAST = 2
"""Words that each list of a test must have left."""


@dataclass(frozen=True, slots=True)
class Bias:
    """What one test found."""

    name: str
    method: str
    d: float | None
    """Effect size; of a WEFAT the mean over its words. None where too few words are known."""
    p: float | None
    """One-sided p of a WEAT."""
    partitions: int
    """How many partitions p was counted over."""
    exact: bool
    """Whether those were all."""
    used: dict[str, tuple[int, int]]
    """By label: how many words of the list are known, of how many."""
    words: dict[str, float]
    """The effect size of each word of a WEFAT."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        found: dict[str, Any] = {
            "name": self.name,
            "method": self.method,
            "d": self.d,
            "p": self.p,
            "partitions": self.partitions,
            "exact": self.exact,
            "used": {label: list(counts) for label, counts in self.used.items()},
        }
        return {**found, "words": self.words} if self.method == "wefat" else found


@dataclass(frozen=True, slots=True)
class Biases:
    """All tests of a file."""

    tests: list[Bias]
    words: int
    """Different words in all lists."""
    covered: int
    """Those of them that have a vector which is not zeros."""


def bias(
    tests: Sequence[BiasTest],
    vectors: WordLookup,
    *,
    rounds: int = 100_000,
    seed: int = 0,
    progress: Counted | None = None,
) -> Biases:
    """Run `tests`. Unknown words are dropped from their lists, and the other lists stay as they are.

    Raises `DatasetError` where no test has `LEAST` words left in every list.
    """
    words = list(dict.fromkeys(word for test in tests for word in test.words()))
    known, rows = embedded(words, vectors, part_of(progress, len(words), "words"))
    places = {word: place for place, word in enumerate(words) if known[place]}
    found = [_run(test, rows, places, rounds, seed) for test in tests]
    if all(one.d is None for one in found):
        raise DatasetError(
            f"{len(places)} of {len(words)} words have vectors, and no test has {LEAST} of each of its lists",
            "use an embedder that knows more words, or fit it on more text",
        )
    return Biases(found, len(words), len(places))


def _run(test: BiasTest, rows: Any, places: dict[str, int], rounds: int, seed: int) -> Bias:
    lists = (*test.targets, *test.attributes)
    left = [[word for word in one.words if word in places] for one in lists]
    used = _used(lists, left)
    if min(map(len, left)) < LEAST:
        return Bias(test.name, test.method, None, None, 0, False, used, {})
    *targets, a, b = (rows[[places[word] for word in one]] for one in left)
    if test.method == "weat":
        x, y = targets
        found = weat(x, y, a, b, rounds=rounds, seed=seed)
        return Bias(test.name, "weat", found.d, found.p, found.partitions, found.exact, used, {})
    sizes = wefat(targets[0], a, b)
    words = dict(zip(left[0], sizes.tolist(), strict=True))
    return Bias(test.name, "wefat", float(sizes.mean()), None, 0, False, used, words)


def _used(lists: Sequence[WordList], left: Sequence[Sequence[str]]) -> dict[str, tuple[int, int]]:
    return {one.label: (len(words), len(one.words)) for one, words in zip(lists, left, strict=True)}
