"""Passages to vectors, tokens a second on one core: every pooling, and gensim's ``get_mean_vector`` beside.

The same reviews of IMDB, the same random vectors for all words that stand five times or more, one thread. Ours cuts the
text itself; gensim has no tokenizer for it, so it is measured twice: over tokens that are cut already, and with
``simple_preprocess``, its own way to cut. In turns, each over texts that nobody has seen before, after one turn that is
not counted, in processor time.

    python -m ragembed.eval.bench.pooling [--texts 2000] [--dimension 100] [--repeat 3]
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from ragembed.embed.base import Dense
from ragembed.embed.words.pooling.common import Common
from ragembed.embed.words.pooling.fitted import FittedPooling
from ragembed.embed.words.pooling.passages import PassageVectors
from ragembed.embed.words.pooling.poolings import POOLINGS
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.vectors import WordVectors
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.threads import set_threads

_MIN_COUNT = 5


def ours(vectors: WordVectors, pooling: str) -> PassageVectors:
    """The pooling with what it would have learnt: some weights, and some directions to take out."""
    kind, words = POOLINGS[pooling](), list(vectors.words)
    if not kind.weighs:
        return PassageVectors(vectors, kind)
    random = np.random.default_rng(1)
    directions = np.linalg.qr(random.normal(size=(vectors.dimension, kind.directions)))[0].T.astype(
        np.float32
    )
    common = Common(directions, np.full(kind.directions, 0.5, np.float32))
    weights = random.random(len(words), np.float32)
    return PassageVectors(vectors, kind, FittedPooling(words, weights, 1.0, common, 0, 0))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=2000, help="in a turn")
    parser.add_argument("--dimension", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    set_threads(1)
    turns = list(read(options.texts, options.repeat + 1))
    counts = Counter(token for turn in turns for each in turn.tokens for token in each)
    words = [word for word, count in counts.most_common() if count >= _MIN_COUNT]
    rows = np.random.default_rng(0).normal(size=(len(words), options.dimension)).astype(np.float32)
    runs: dict[str, Callable[[Turn], object]] = {
        f"ours, {name}": partial(_embedded, ours(WordVectors(words, rows), name)) for name in POOLINGS
    }
    rates = tokens_per_second(runs | gensim_runs(words, rows), turns)
    whole = rates["gensim, cut by simple_preprocess"]
    cells = [[name, f"{rate / 1e6:.2f}", f"{rate / whole:.1f}"] for name, rate in rates.items()]
    print(machine("gensim"))
    total = sum(turn.size for turn in turns)
    print(f"{len(turns)} x {options.texts:,} texts, {total:,} tokens, {len(words):,} words\n")
    table(["", "million tokens/s", "times gensim with cutting"], cells)


@dataclass(frozen=True)
class Turn:
    """Texts, and the same cut into tokens."""

    texts: list[str]
    tokens: list[list[str]]
    size: int


def read(texts: int, turns: int) -> Iterator[Turn]:
    """The next `texts` reviews, `turns` times."""
    cut = tokenizer("words")
    with gzip.open(SHARED / "imdb" / "corpus.txt.gz", "rt", encoding="utf-8") as file:
        for _ in range(turns):
            lines = [line.rstrip("\n") for line in islice(file, texts)]
            tokens = [cut.tokens(line) for line in lines]
            yield Turn(lines, tokens, sum(map(len, tokens)))


def tokens_per_second(
    runs: Mapping[str, Callable[[Turn], object]], turns: Sequence[Turn]
) -> dict[str, float]:
    """The median over all turns but the first, in processor time, which others on the machine take no part of."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for turn in turns:
        for name, run in runs.items():
            started = time.process_time()
            run(turn)
            rates[name].append(turn.size / (time.process_time() - started))
    return {name: statistics.median(values[1:]) for name, values in rates.items()}


def _embedded(passages: PassageVectors, turn: Turn) -> Dense:
    return passages.embed(turn.texts)


def gensim_runs(words: list[str], rows: Dense) -> dict[str, Callable[[Turn], object]]:
    """The mean of each text by gensim, scaled to length 1; a text without known words is left out."""
    from gensim.models import KeyedVectors
    from gensim.utils import simple_preprocess

    keyed = KeyedVectors(rows.shape[1])
    keyed.add_vectors(words, rows)
    known = keyed.key_to_index

    def mean(each: list[str]) -> object:
        if known.keys().isdisjoint(each):
            return None
        return keyed.get_mean_vector(each, pre_normalize=False, post_normalize=True)

    return {
        "gensim, tokens given": lambda turn: [mean(each) for each in turn.tokens],
        "gensim, cut by simple_preprocess": lambda turn: [
            mean(simple_preprocess(text, min_len=1, max_len=100)) for text in turn.texts
        ],
    }


if __name__ == "__main__":
    main()
