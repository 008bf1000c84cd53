"""GloVe: our trainer against Stanford's C program, on the same tokens, in turns within one run.

Run: ``python -m ragembed.eval.bench.glove --theirs CHECKOUT [--texts N] [--rounds 3] [--epochs 25] [--seeds 3]``,
where CHECKOUT is a build of the public repository stanfordnlp/GloVe. Both read one file of the IMDB reviews, cut into
our words, a text a line; min count 5, window 10, 100 dimensions. Prints medians and ratios for counting and for an
epoch of training, how near the latter is to what the machine allows, and the loss and the quality of both models.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train.glove.tiles import Tiles
from ragembed.embed.words.train.glove.trainer import GloVeTrainer
from ragembed.embed.words.train.glove.weights import Weights
from ragembed.eval.bench.glove_limits import Limits
from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.eval.quality.analogies import analogies, total
from ragembed.eval.quality.files import Section, read_quality_file
from ragembed.eval.quality.pair_files import Pairs
from ragembed.eval.quality.similarity import similarity
from ragembed.eval.quality.words import WordTable
from ragembed.threads import set_threads

MIN_COUNT, WINDOW, DIMENSION = 5, 10, 100
WORDS = SHARED / "word_similarity"
PAIRS = ("EN-WS-353-ALL.txt", "EN-SIMLEX-999.txt", "EN-MEN-TR-3k.txt")


def write_tokens(path: Path, texts: int | None) -> int:
    """Write the reviews as tokens between spaces, a text a line; returns how many tokens there are."""
    cut, tokens = tokenizer("words"), 0
    with (
        gzip.open(SHARED / "imdb" / "corpus.txt.gz", "rt", encoding="utf-8") as reviews,
        path.open("w", encoding="utf-8") as out,
    ):
        for text in islice(reviews, texts):
            words = cut.tokens(text)
            tokens += len(words)
            out.write(" ".join(words) + "\n")
    return tokens


class Theirs:
    """The four programs."""

    def __init__(self, checkout: Path, tokens: Path, folder: Path, threads: int) -> None:
        self.programs, self.tokens, self.folder, self.threads = checkout / "build", tokens, folder, threads
        folder.mkdir()

    def _run(self, program: str, options: Sequence[object], source: Path, target: Path) -> None:
        command = [str(self.programs / program), "-verbose", "0", *map(str, options)]
        with source.open("rb") as stdin, target.open("wb") as stdout:
            subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, check=True)

    def count(self) -> None:
        """Vocabulary, counting and shuffling, with 4 GB of memory as in their demonstration."""
        at = self.folder
        self._run("vocab_count", ("-min-count", MIN_COUNT), self.tokens, at / "vocab")
        counting = ("-memory", 4, "-vocab-file", at / "vocab", "-window-size", WINDOW)
        self._run("cooccur", (*counting, "-overflow-file", at / "overflow"), self.tokens, at / "pairs")
        shuffling = ("-memory", 4, "-seed", 1, "-temp-file", at / "temporary")
        self._run("shuffle", shuffling, at / "pairs", at / "shuffled")

    def train(self, epochs: int, seed: int = 1) -> tuple[list[float], list[float]]:
        """Losses and seconds of the epochs; the first second holds the start of the program."""
        paths = ("-input-file", self.folder / "shuffled", "-vocab-file", self.folder / "vocab")
        settings = (
            "-threads",
            self.threads,
            "-vector-size",
            DIMENSION,
            "-iter",
            epochs,
            "-seed",
            seed,
            "-model",
            0,
        )
        command = [self.programs / "glove", *paths, "-save-file", self.folder / "model", *settings]
        losses, ends = [], [time.perf_counter()]
        with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if "cost:" in line:
                    losses.append(float(line.rpartition("cost:")[2]))
                    ends.append(time.perf_counter())
        assert process.returncode == 0
        return losses, np.diff(ends).tolist()

    def model(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Their vectors and biases of `words`, ``(words, dimension + 1)``, of words and of context words."""
        rows = {word: row for row, word in enumerate(words)}
        values = np.full((len(words), 2 * (DIMENSION + 1)), np.nan, np.float32)
        with (self.folder / "model.txt").open(encoding="utf-8") as file:
            for line in file:
                word, *numbers = line.split(" ")
                if word in rows:
                    values[rows[word]] = np.array(numbers, np.float32)
        assert np.isfinite(values).all()
        return values[:, : DIMENSION + 1], values[:, DIMENSION + 1 :]


class Ours:
    """The same through the library."""

    def __init__(self, tokens: Path, folder: Path, threads: int) -> None:
        self.tokens, self.folder, self.threads = tokens, folder, threads
        self.trainer = self._trainer()

    def _trainer(self, seed: int = 1) -> GloVeTrainer:
        return GloVeTrainer(dimension=DIMENSION, window=WINDOW, workers=self.threads, seed=seed)

    def read(self) -> TokenCorpus:
        """Numbering: the part of `count` that all trainers share."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with self.tokens.open(encoding="utf-8") as texts:
            return TokenCorpus.read(
                texts, self.folder / "corpus", tokenizer("whitespace"), min_count=MIN_COUNT
            )

    def count(self) -> None:
        """Numbering, counting and sorting into tiles."""
        self.prepare(self.read())

    def corpus(self) -> TokenCorpus:
        """What was read last."""
        return TokenCorpus.open(self.folder / "corpus")

    def prepare(self, corpus: TokenCorpus, seed: int = 1) -> None:
        """Counting and tiling, and the first weights."""
        (self.folder / "files").mkdir(parents=True, exist_ok=True)
        self.trainer = self._trainer(seed)
        self.trainer.prepare(corpus, self.folder / "files", None, lambda stage, share, loss: None)

    @property
    def tiles(self) -> Tiles:
        """What was counted."""
        return self.trainer._prepared().tiles

    @property
    def weights(self) -> Weights:
        """What was learnt."""
        return self.trainer._prepared().weights

    def train(self, first: int, epochs: int) -> tuple[list[float], list[float]]:
        """Losses and seconds of the epochs from `first` on."""
        losses, seconds = [], []
        for number in range(first, first + epochs):
            started = time.perf_counter()
            losses.append(self.trainer.round(number, lambda stage, share, loss: None))
            seconds.append(time.perf_counter() - started)
        return losses, seconds

    def loss_of(self, words: NDArray[np.float32], contexts: NDArray[np.float32]) -> float:
        """The loss of any model over our pairs: an epoch with steps of 0."""
        made = self.weights
        before = {name: array.copy() for name, array in self.trainer.arrays().items()}
        for side, values in (("words", words), ("contexts", contexts)):
            rows = made.rows(side)  # type: ignore[arg-type]
            rows[:, 1] = 0
            rows[:, 0, :DIMENSION], rows[:, 0, made.bias(side)] = values[:, :-1], values[:, -1]  # type: ignore[arg-type]
            made.put(side, rows)  # type: ignore[arg-type]
        loss = self.train(0, 1)[0][0]
        self.trainer.restore(before, {})
        return loss

    def model(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `Theirs.model`."""
        made, sides = self.weights, []
        for side in ("words", "contexts"):
            rows = made.rows(side)[:, 0]
            sides.append(np.c_[rows[:, :DIMENSION], rows[:, made.bias(side)]])
        return sides[0], sides[1]


def quality(words: Sequence[str], model: tuple[NDArray[np.float32], NDArray[np.float32]]) -> list[float]:
    """Spearman on WS-353, SimLex and MEN, and the share of analogies answered right, by words plus contexts."""
    made = WordTable(words, model[0][:, :-1] + model[1][:, :-1])
    found = [
        similarity(cast(Pairs, read_quality_file(WORDS / name).content), made).spearman for name in PAIRS
    ]
    sections = cast("list[Section]", read_quality_file(WORDS / "questions-words.txt").content)
    answers = total("all", analogies(sections, *made.vocabulary()))
    return [*found, cast(float, answers.accuracy("3CosAdd", "skip"))]


def compare_counting(theirs: Theirs, ours: Ours, rounds: int) -> None:
    """All that comes before training; the compiled code is loaded in the round that is not counted."""
    seconds = alternate({"theirs": theirs.count, "ours": ours.count}, rounds)
    corpus = ours.read()
    started = time.perf_counter()
    ours.prepare(corpus)
    counting = time.perf_counter() - started
    pairs = len(ours.tiles.cells)
    assert (theirs.folder / "shuffled").stat().st_size == 16 * pairs
    print(f"{len(corpus.words)} words, {len(corpus.tokens)} tokens of them, {pairs} pairs in both\n")
    ratio = seconds["theirs"] / seconds["ours"]
    table(
        ("vocabulary, counting, shuffling", "theirs s", "ours s", "of it counting and tiling s", "ratio"),
        [("", seconds["theirs"], seconds["ours"], counting, ratio)],
    )


def compare_epochs(theirs: Theirs, ours: Ours, rounds: int) -> None:
    """Seconds of an epoch: of two at a time, the second of theirs, which holds no start of the program."""
    taken: dict[str, list[float]] = {"theirs": [], "ours": []}
    for turn in range(rounds):
        taken["theirs"].append(theirs.train(2)[1][1])
        taken["ours"] += ours.train(2 * turn, 2)[1]
    seconds = {name: statistics.median(values) for name, values in taken.items()}
    pairs, ratio = len(ours.tiles.cells), seconds["theirs"] / seconds["ours"]
    speeds = {name: pairs / value / 1e6 for name, value in seconds.items()}
    table(
        ("an epoch", "theirs s", "ours s", "theirs M pairs/s", "ours M pairs/s", "ratio"),
        [("", *seconds.values(), *speeds.values(), ratio)],
    )
    limits = Limits.measure(ours.tiles, ours.weights, ours.threads)
    table(
        ("what the machine allows", "M pairs/s", "ours of it"),
        [(name, value, f"{speeds['ours'] / value:.0%}") for name, value in limits.rows(DIMENSION)],
    )
    print(limits.describe(DIMENSION), end="\n\n")


def compare_models(theirs: Theirs, ours: Ours, epochs: int, seeds: int) -> None:
    """Loss and quality after as many epochs, for several seeds: scores of one method differ between them."""
    header = (
        f"{epochs} epochs, seed", "seconds an epoch", "loss in the last", "loss after it", "WS-353", "SimLex", "MEN",
        "analogies",
    )  # fmt: skip
    corpus = ours.corpus()
    found: dict[str, list[list[float]]] = {"theirs": [], "ours": []}
    for seed in range(1, seeds + 1):
        ours.prepare(corpus, seed)
        trained = {"theirs": theirs.train(epochs, seed), "ours": ours.train(0, epochs)}
        models = {"theirs": theirs.model(corpus.words), "ours": ours.model()}
        for name, (losses, seconds) in trained.items():
            after, scores = ours.loss_of(*models[name]), quality(corpus.words, models[name])
            found[name].append([statistics.median(seconds), losses[-1], after, *scores])
        by_epoch = zip(trained["theirs"][0], trained["ours"][0], strict=True)
        print(
            f"seed {seed}, losses by epoch, theirs/ours:",
            *(f"{a:.5f}/{b:.5f}" for a, b in by_epoch),
            flush=True,
        )
    rows = [(f"{name}, {seed}", *row) for name in found for seed, row in enumerate(found[name], 1)]
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    rows += [(f"{name}, mean", *values.tolist()) for name, values in means.items()]
    table(header, [*rows, ("ours / theirs", *(means["ours"] / means["theirs"]).tolist())])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--theirs", type=Path, required=True, help="a build of stanfordnlp/GloVe")
    parser.add_argument("--texts", type=int, help="only so many reviews")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    set_threads(options.threads)
    print(machine("numba", "numpy"), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens.txt"
        print(f"{write_tokens(tokens, options.texts)} tokens, {options.threads} threads", flush=True)
        theirs = Theirs(options.theirs, tokens, Path(folder) / "theirs", options.threads)
        ours = Ours(tokens, Path(folder) / "ours", options.threads)
        steps: list[Callable[[], None]] = [
            lambda: compare_counting(theirs, ours, options.rounds),
            lambda: compare_epochs(theirs, ours, options.rounds),
            lambda: compare_models(theirs, ours, options.epochs, options.seeds),
        ]
        for step in steps:
            step()


if __name__ == "__main__":
    main()
