"""Words that often stand together joined to one token: ``new york`` -> ``new_york``.

Mikolov et al. 2013 ("Distributed Representations of Words and Phrases and their Compositionality", section 4) score a
pair by ``(c(ab) - delta) N / (c(a) c(b))``, with the N tokens of the corpus as their program word2phrase does; delta is
the least count. Bouma 2009 scores it by normalised pointwise mutual information, from -1 to 1. Pairs above a threshold
are joined from left to right; a second pass joins pairs to threes and fours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.corpus import RawTokens
from ragembed.embed.words.phrases.counts import Keys, count_pairs
from ragembed.embed.words.phrases.join import JOINT, join_pairs
from ragembed.errors import SpecError

Pair = tuple[str, str]


class PhraseJoiner:
    """Joins tokens as they were joined while training."""

    def __init__(self, phrases: Iterable[Sequence[str]]) -> None:
        """`phrases`: pairs in the order in which they are to be joined, as a model's ``info["phrases"]`` has them."""
        self._stages = [{pair: JOINT.join(pair) for pair in stage} for stage in stages(phrases)]

    def join(self, tokens: Sequence[str]) -> list[str]:
        """`tokens` of one text, phrases joined."""
        joined = list(tokens)
        for pairs in self._stages:
            joined = _joined(joined, pairs)
        return joined

    def __call__(self, raw: RawTokens, folder: Path) -> RawTokens:
        """The tokens of a corpus joined alike: what an update of a model does, which learns no phrases of its own."""
        for pairs in self._stages:
            wanted = {word for pair in pairs for word in pair}
            numbers = {word: number for number, word in enumerate(raw.words) if word in wanted}
            known = [pair for pair in pairs if pair[0] in numbers and pair[1] in numbers]
            raw = join_pairs(raw, [(numbers[first], numbers[second]) for first, second in known], folder)
        return replace(raw, phrases=tuple(pair for pairs in self._stages for pair in pairs))


def stages(phrases: Iterable[Sequence[str]]) -> list[list[Pair]]:
    """`phrases` by passes: one begins with a pair of which the pass before made a part."""
    found: list[list[Pair]] = []
    made: set[str] = set()
    for first, second in phrases:
        if not found or first in made or second in made:
            found.append([])
            made = set()
        found[-1].append((first, second))
        made.add(JOINT.join((first, second)))
    return found


@dataclass(frozen=True, kw_only=True)
class PhraseLearner:
    """Finds phrases in the tokens of a corpus, and joins them."""

    passes: int = 1
    """1 makes pairs, 2 also threes and fours."""
    threshold: float = 100.0
    """Score that a pair must exceed: word2phrase's own. At 10, IMDB's ``this_movie`` and ``to_be`` are phrases."""
    min_count: int = 5
    """Times that two words must stand together; delta of the score."""
    scoring: str = "mikolov"
    """``mikolov`` or ``npmi`` (then with a threshold below 1)."""

    def __post_init__(self) -> None:
        if self.scoring not in ("mikolov", "npmi"):
            raise SpecError(f"there is no score {self.scoring!r} of phrases", "valid are: mikolov, npmi")
        if self.scoring == "npmi" and not -1 <= self.threshold < 1:
            raise SpecError(
                f"no pair has an npmi above {self.threshold:g}", "give a threshold from -1, below 1"
            )
        if self.passes < 1 or self.min_count < 1 or not np.isfinite(self.threshold):
            raise SpecError(
                f"passes={self.passes}, min_count={self.min_count}, threshold={self.threshold:g} make no sense",
                "give 1 or more passes, a min_count of 1 or more, and a number as threshold",
            )

    def __call__(self, raw: RawTokens, folder: Path) -> RawTokens:
        """`raw` with its phrases joined, in files in `folder`, and the pairs that were joined."""
        phrases: list[Pair] = []
        made: set[str] = set()
        for number in range(self.passes):
            found = self.learn(raw, made if number else None)
            if not found:
                break
            spelt = [(str(raw.words[first]), str(raw.words[second])) for first, second in found]
            raw = join_pairs(raw, found, folder)
            phrases += spelt
            made = {JOINT.join(pair) for pair in spelt}
        return replace(raw, phrases=tuple(phrases))

    def learn(self, raw: RawTokens, made: Collection[str] | None = None) -> list[tuple[int, int]]:
        """The pairs of tokens that are phrases, those with a word that the pass before `made` first.

        Where there is none of these, later passes would find nothing new, and this finds nothing.
        """
        known = np.array([word is not None for word in raw.words], np.bool_)
        keys, counts = count_pairs(raw, known & (raw.counts >= self.min_count))
        keys, counts = keys[counts >= self.min_count], counts[counts >= self.min_count]
        good = self._scores(keys, counts, raw) > self.threshold
        keys = keys[good][np.argsort(-counts[good], kind="stable")]
        pairs = list(zip((keys >> 32).tolist(), (keys & 0xFFFFFFFF).tolist(), strict=True))
        words = raw.words
        ours = {f"{words[first]}{JOINT}{words[second]}" for first, second in pairs}
        # a word of this pass that is spelt as one it makes would be read as a later pass by `stages`
        pairs = [pair for pair in pairs if words[pair[0]] not in ours and words[pair[1]] not in ours]
        if made is None:
            return pairs
        later = [pair for pair in pairs if words[pair[0]] in made or words[pair[1]] in made]
        others = set(pairs).difference(later)
        return [*later, *(pair for pair in pairs if pair in others)] if later else []

    def _scores(self, keys: Keys, counts: Keys, raw: RawTokens) -> NDArray[np.float64]:
        total = float(len(raw.ids))
        first, second = (raw.counts[part].astype(np.float64) for part in (keys >> 32, keys & 0xFFFFFFFF))
        apart = first * second / total  # how often they would meet by chance
        if self.scoring == "mikolov":
            return np.asarray((counts - self.min_count) / apart)
        with np.errstate(divide="ignore", invalid="ignore"):  # a corpus of one pair
            npmi = np.log(counts / apart) / -np.log(counts / total)
        return np.where(np.isnan(npmi), 1.0, npmi)


def _joined(tokens: list[str], pairs: Mapping[Pair, str]) -> list[str]:
    found: list[str] = []
    at, last = 0, len(tokens) - 1
    while at < last:
        phrase = pairs.get((tokens[at], tokens[at + 1]))
        found.append(tokens[at] if phrase is None else phrase)
        at += 1 if phrase is None else 2
    found += tokens[at:]
    return found
