"""Word similarity and analogies: ours against gensim's, over one table of word vectors, in turns within one process.

Run: ``python -m ragembed.eval.bench.quality [--vectors FILE | --tokens 2000000] [--every 10] [--rounds 3]``, with
``gensim`` installed. Without a file in word2vec's text form, skip-gram vectors are trained on the IMDB reviews first.
Prints medians and ratios after checking that both give the same: Spearman to the last digits, every section's counts of
3CosAdd, and the answers of 3CosMul one by one (gensim's ``evaluate_word_analogies`` answers by 3CosAdd whatever
``similarity_function`` it is given, so its ``most_similar_cosmul`` is asked).
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.eval.quality.analogies import OBJECTIVES, Answers, analogies, cos_mul, total
from ragembed.eval.quality.files import Section, read_quality_file
from ragembed.eval.quality.pair_files import Pairs
from ragembed.eval.quality.similarity import Similarity, similarity
from ragembed.eval.quality.words import WordTable

gensim: Any = importlib.import_module("gensim.models")

WORDS = SHARED / "word_similarity"
PAIRS = ("EN-WS-353-ALL.txt", "EN-SIMLEX-999.txt", "EN-MEN-TR-3k.txt")
THEIR_EPSILON = 1e-6
"""What gensim adds to 3CosMul's divisor; Levy & Goldberg add 0.001."""


def reviews(tokens: int) -> Iterator[list[str]]:
    """Lower-cased words of the IMDB reviews, a review at a time, until there are `tokens`."""
    with gzip.open(SHARED / "imdb" / "corpus.txt.gz", "rt", encoding="utf-8") as file:
        for line in file:
            words = re.findall("[a-z']+", line.lower())
            yield words
            tokens -= len(words)
            if tokens < 0:
                return


def trained(tokens: int) -> Any:
    """gensim's table of skip-gram vectors."""
    sentences = list(reviews(tokens))
    return gensim.Word2Vec(sentences, vector_size=100, min_count=5, sg=1, workers=2, epochs=3, seed=1).wv


def similar(path: Path, words: WordTable) -> Similarity:
    """Our word similarity over the file at `path`, which is read for it."""
    return similarity(cast(Pairs, read_quality_file(path).content), words)


def compare_pairs(theirs: Any, ours: WordTable, rounds: int) -> None:
    """Word similarity over three files."""
    rows = []
    for name in PAIRS:
        expected, found = theirs.evaluate_word_pairs(str(WORDS / name)), similar(WORDS / name, ours)
        assert abs(found.spearman - expected[1].statistic) < 1e-12, (name, found, expected)
        assert abs(found.pearson - expected[0].statistic) < 1e-6, (name, found, expected)
        assert abs(100 * (1 - found.covered / found.pairs) - expected[2]) < 1e-9, (name, found, expected)
        runs: dict[str, Callable[[], object]] = {
            "theirs": partial(theirs.evaluate_word_pairs, str(WORDS / name)),
            "ours": partial(similar, WORDS / name, ours),
        }
        seconds = alternate(runs, rounds)
        rows.append(
            (name, f"{found.covered} of {found.pairs}", found.spearman, seconds["theirs"], seconds["ours"])
        )
    table(("pairs", "covered", "Spearman, both", "gensim s", "ours s, with its interval"), rows)


def compare_analogies(theirs: Any, ours: WordTable, every: int, rounds: int) -> None:
    """Analogies: one question in `every` of each section."""
    content = cast("list[Section]", read_quality_file(WORDS / "questions-words.txt").content)
    sections = [Section(section.name, section.questions[::every]) for section in content]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "questions.txt"
        lines = [
            f": {s.name}\n" + "".join(" ".join(question) + "\n" for question in s.questions) for s in sections
        ]
        path.write_text("".join(lines), encoding="utf-8")
        answered = analogies(sections, *ours.vocabulary())
        expected = [len(part["correct"]) for part in theirs.evaluate_word_analogies(str(path))[1][:-1]]
        assert [part.right["3CosAdd"] for part in answered] == expected, (answered, expected)
        add = {"3CosAdd": OBJECTIVES["3CosAdd"]}
        runs = {
            "theirs": lambda: theirs.evaluate_word_analogies(str(path)),
            "3CosAdd": lambda: analogies(sections, *ours.vocabulary(), objectives=add),
            "both": lambda: analogies(sections, *ours.vocabulary()),
        }
        seconds = alternate(runs, rounds)
    check_cosmul(theirs, ours, sections)
    overall: Answers = total("all", answered)
    header = (
        "questions",
        "3CosAdd",
        "3CosMul",
        "gensim 3CosAdd s",
        "ours 3CosAdd s",
        "ours both s",
        "ratio 3CosAdd",
    )
    shares = [cast(float, overall.accuracy(name, "skip")) for name in OBJECTIVES]
    ratio = seconds["theirs"] / seconds["3CosAdd"]
    row = (f"{overall.covered} of {overall.questions}", *shares, *seconds.values(), ratio)
    table(header, [row])


def check_cosmul(theirs: Any, ours: WordTable, sections: list[Section]) -> None:
    """gensim's 3CosMul answers the same questions right."""
    lowered = [tuple(word.lower() for word in question) for s in sections for question in s.questions]
    known = [question for question in lowered if all(word in theirs for word in question)]
    objective = {"3CosMul": partial(cos_mul, epsilon=THEIR_EPSILON)}
    single = [Section("", [cast("tuple[str, str, str, str]", question)]) for question in known]
    found = [part.right["3CosMul"] for part in analogies(single, *ours.vocabulary(), objectives=objective)]
    expected = [
        int(theirs.most_similar_cosmul(positive=[b, c], negative=[a], topn=1)[0][0] == d)
        for a, b, c, d in known
    ]
    assert found == expected, np.flatnonzero(np.array(found) != np.array(expected))
    print(f"3CosMul: {sum(found)} of {len(known)} questions right, the same ones in both\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", help="a file in word2vec's text form")
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine("gensim", "numpy"), end="\n\n")
    load = gensim.KeyedVectors.load_word2vec_format
    theirs = load(options.vectors) if options.vectors else trained(options.tokens)
    ours = WordTable(theirs.index_to_key, theirs.vectors)
    print(f"{len(theirs)} words of {theirs.vector_size} dimensions\n")
    compare_pairs(theirs, ours, options.rounds)
    compare_analogies(theirs, ours, options.every, options.rounds)


if __name__ == "__main__":
    main()
