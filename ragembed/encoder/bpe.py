"""Byte-pair encoding as one reads of it: merge the most frequent pair of neighbours, again and again.

Sennrich, Haddow & Birch 2016, section 3.2, with ties broken as in subword-nmt. Tokenizers for models are trained by the
`tokenizers` library; this is the plain version beside it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

Pair = tuple[str, str]
END = "</w>"
"""Ends the last symbol of a word, so that "ing" within a word and at its end differ."""


def count_words(lines: Iterable[str]) -> Counter[str]:
    """How often each word occurs; words stand between spaces."""
    return Counter(word for line in lines for word in line.strip("\r\n ").split(" ") if word)


def learn(counts: Mapping[str, int], merges: int, *, least: int = 2) -> list[Pair]:
    """Up to `merges` pairs, in the order in which they are to be merged.

    Each is the most frequent pair of neighbouring symbols at its time; of equally frequent ones the last in
    alphabetical order. Pairs that occur less than `least` times are not merged.
    """
    words = [symbols(word) for word in counts]
    times = list(counts.values())
    frequency: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)  # words that hold a pair
    for at, word in enumerate(words):
        for pair in pairwise(word):
            frequency[pair] += times[at]
            places[pair].add(at)
    found: list[Pair] = []
    while frequency and len(found) < merges:
        best = max(frequency, key=lambda pair: (frequency[pair], pair))
        if frequency[best] < least:
            break
        found.append(best)
        for at in places.pop(best):
            before, words[at] = words[at], merged(words[at], best)
            for pair in pairwise(before):
                frequency[pair] -= times[at]
            for pair in pairwise(words[at]):
                frequency[pair] += times[at]
                places[pair].add(at)
        frequency = +frequency  # without those that are gone
    return found


def segment(word: str, ranks: Mapping[Pair, int]) -> list[str]:
    """The pieces of a word: merges are done in the order learned; the last piece ends in `END`."""
    pieces = symbols(word)
    while len(pieces) > 1:
        best = min(pairwise(pieces), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        pieces = merged(pieces, best)
    return pieces


def segment_line(line: str, ranks: Mapping[Pair, int], *, mark: str = "@@") -> str:
    """A line with its words cut into pieces, all but the last of a word marked; white space stays."""
    found = []
    for word in line.split(" "):
        core = word.rstrip("\r\n")
        pieces = segment(core, ranks) if core else []
        cut = [*(piece + mark for piece in pieces[:-1]), *(piece.removesuffix(END) for piece in pieces[-1:])]
        found.append(" ".join(cut) + word[len(core) :])
    return " ".join(found)


def symbols(word: str) -> list[str]:
    """Its characters, the last one with `END`."""
    return [*word[:-1], word[-1] + END]


def merged(word: Sequence[str], pair: Pair) -> list[str]:
    """`word` with each occurrence of `pair` made one symbol, from the left."""
    found: list[str] = []
    at = 0
    while at < len(word):
        if tuple(word[at : at + 2]) == pair:
            found.append(word[at] + word[at + 1])
            at += 2
        else:
            found.append(word[at])
            at += 1
    return found
