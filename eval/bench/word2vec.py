"""Word2Vec and FastText against plain gensim on IMDB: words a second, and agreement with people about similar words.

Both sides get the same file of lower-case words, a text a line, and the same settings: gensim reads it itself
(``corpus_file``), ours is the trainer as the command line runs it. Timed is one epoch after everything is read and
built, without what both do once at the end of a training; then, with ``--quality``, whole trainings judged on WS-353,
SimLex-999 and MEN over the same vocabulary.

    python -m ragembed.eval.bench.word2vec [--texts 5000] [--repeat 3] [--methods "cbow;skip-gram"] [--quality 5]
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train import TRAINERS
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.eval.quality.files import read_quality_file
from ragembed.eval.quality.pair_files import Pairs
from ragembed.eval.quality.similarity import similarity
from ragembed.eval.quality.words import WordTable

METHODS: Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "cbow": ("word2vec", {"skipgram": False}, {"sg": 0}),
    "skip-gram": ("word2vec", {"skipgram": True}, {"sg": 1}),
    "skip-gram, hierarchical softmax": (
        "word2vec",
        {"skipgram": True, "hierarchical_softmax": True},
        {"sg": 1, "hs": 1, "negative": 0},
    ),
    "fasttext cbow": ("fasttext", {"skipgram": False}, {"sg": 0}),
    "fasttext skip-gram": ("fasttext", {"skipgram": True}, {"sg": 1}),
}
PAIRS = {"WS-353": "EN-WS-353-ALL.txt", "SimLex": "EN-SIMLEX-999.txt", "MEN": "EN-MEN-TR-3k.txt"}

Epoch = Callable[[int], object]


def texts(most: int | None) -> Iterator[str]:
    """The first `most` reviews, cut into words."""
    cut = tokenizer("words")
    with gzip.open(SHARED / "imdb" / "corpus.txt.gz", "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            if most is not None and number >= most:
                return
            yield " ".join(cut.tokens(line))


class Ours:
    """Our trainer over a corpus."""

    def __init__(self, corpus: TokenCorpus, folder: Path, method: str, epochs: int, workers: int) -> None:
        name, settings, _ = METHODS[method]
        kind: Any = TRAINERS.load(name)
        self.trainer = kind(epochs=epochs, workers=workers, learning_rate=0.025, **settings)
        self.trainer.prepare(corpus, folder, None, _silent)

    def epoch(self, number: int) -> None:
        """One epoch, with its loss."""
        self.trainer.round(number, _silent)

    def words(self) -> WordTable:
        """The vectors."""
        result = self.trainer.result()
        return WordTable(result.words, result.vectors)


class Plain:
    """gensim by itself."""

    def __init__(self, file: Path, method: str, workers: int) -> None:
        from gensim.models import FastText, Word2Vec

        name, _, settings = METHODS[method]
        kind = FastText if name == "fasttext" else Word2Vec
        self.file = str(file)
        self.model = kind(vector_size=100, window=5, min_count=5, workers=workers, seed=1, **settings)
        self.model.build_vocab(corpus_file=self.file)
        self._finish = self.model._clear_post_train
        self.model._clear_post_train = (
            _nothing  # of fastText: vectors of all words made of n-grams, once a training
        )

    def epoch(self, number: int) -> None:
        """One epoch, in a call of gensim's ``train``."""
        self.train(1)

    def train(self, epochs: int, *, stream: bool = False) -> None:
        """As many epochs in one call: from the file, or from a stream of lines, which is slower.

        With several workers gensim lowers the learning rate as it should only where it reads a stream: of a file each
        worker counts its own words alone, so that the rate of each epoch ends too high.
        """
        words, count = self.model.corpus_total_words, self.model.corpus_count
        total = {"total_words": words, "total_examples": count, "epochs": epochs}
        if stream:
            from gensim.models.word2vec import LineSentence

            self.model.train(corpus_iterable=LineSentence(self.file), **total)
        else:
            self.model.train(corpus_file=self.file, **total)

    def words(self) -> WordTable:
        """The vectors."""
        self._finish()
        words: Any = self.model.wv
        return WordTable(words.index_to_key, words.vectors)


def speed(ours: Epoch, theirs: Epoch, repeat: int) -> dict[str, tuple[float, float]]:
    """Median wall and processor seconds of an epoch of each side, in turn, after one that is not counted."""
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for turn in range(repeat + 1):
        for side, epoch in (("ours", ours), ("theirs", theirs)):
            wall, processor = time.perf_counter(), time.process_time()
            epoch(turn)
            if turn:
                found[side].append((time.perf_counter() - wall, time.process_time() - processor))
    return {
        side: (statistics.median(wall for wall, _ in runs), statistics.median(cpu for _, cpu in runs))
        for side, runs in found.items()
    }


def quality(words: WordTable) -> list[str]:
    """Spearman's rho on each set of pairs."""
    found = []
    for file in PAIRS.values():
        pairs = read_quality_file(SHARED / "word_similarity" / file).content
        assert isinstance(pairs, Pairs)
        found.append(f"{similarity(pairs, words).spearman:.3f}")
    return found


def main() -> None:
    """Run all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, help="of 49,578; all by default")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--methods", default=";".join(METHODS), help="separated by semicolons")
    parser.add_argument("--quality", type=int, metavar="EPOCHS", help="whole trainings too")
    options = parser.parse_args()
    methods = options.methods.split(";")
    print(machine("gensim", "numpy"), "\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "texts.txt"
        with file.open("w", encoding="utf-8") as out:
            out.writelines(f"{text}\n" for text in texts(options.texts))
        with file.open(encoding="utf-8") as lines:
            corpus = TokenCorpus.read(lines, folder, tokenizer("whitespace"))
        print(f"{corpus.texts:,} texts, {corpus.read_tokens:,} tokens, {len(corpus.words):,} words\n")
        if options.repeat:
            _speed(corpus, folder, file, methods, options)
        if options.quality:
            _quality(corpus, folder, file, methods, options)


def _speed(corpus: TokenCorpus, folder: Path, file: Path, methods: list[str], options: Any) -> None:
    rows: list[tuple[object, ...]] = []
    for method in methods:
        ours = Ours(corpus, folder, method, options.repeat + 1, options.workers)
        theirs = Plain(file, method, options.workers)
        seconds = speed(ours.epoch, theirs.epoch, options.repeat)
        rates = {side: corpus.read_tokens / wall for side, (wall, _) in seconds.items()}
        processor = seconds["theirs"][1] / seconds["ours"][1]
        rows.append((method, rates["ours"], rates["theirs"], rates["ours"] / rates["theirs"], processor))
    table(("method", "ours, words/s", "gensim, words/s", "ratio", "ratio of processor time"), rows)


def _quality(corpus: TokenCorpus, folder: Path, file: Path, methods: list[str], options: Any) -> None:
    rows: list[tuple[object, ...]] = []
    for method in methods:
        ours = Ours(corpus, folder, method, options.quality, options.workers)
        for number in range(options.quality):
            ours.epoch(number)
        rows.append((method, "ours", *quality(ours.words())))
        for stream, name in ((True, "gensim, stream"), (False, "gensim, file")):
            theirs = Plain(file, method, options.workers)
            theirs.train(options.quality, stream=stream)
            rows.append((method, name, *quality(theirs.words())))
    table(("method", "by", *PAIRS), rows)


def _nothing() -> None:
    """Does nothing."""


def _silent(stage: str, share: float, loss: float | None) -> None:
    """Tells nobody."""


if __name__ == "__main__":
    main()
