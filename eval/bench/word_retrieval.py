"""Passages as pooled word vectors, searched: nDCG@10 of word2vec, GloVe and fastText by every pooling.

A model is trained for each collection on IMDB's reviews and the collection's own documents, these so many times over
that they have `OWN` tokens, as

    ragembed train "word2vec(...)" imdb/corpus.txt.gz COLLECTION COLLECTION ... -o FOLDER

would, and then the collection is indexed with it and searched. Everything in this file was chosen on CISI and MED
alone: the settings of the trainings, how often own documents are read, and what ``--tune`` prints for them. SciFact and
Cranfield are only reported. Models are kept in a folder, and trained again only where their settings differ.

    python -m ragembed.eval.bench.word_retrieval [--models build/word-models] [--tune] [--baselines tfidf,bm25,minilm]
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ragembed
from ragembed.datasets import load
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train import TRAINERS
from ragembed.embed.words.train.run import Watch, train_to_folder
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.eval.evaluate import evaluate_embedder

TUNING = ("cisi", "med")
COLLECTIONS = (*TUNING, "cranfield", "scifact")
METHODS = {
    "word2vec": "word2vec(dimension=100, window=15, sample=0.0001, epochs=2)",
    "glove": "glove(dimension=100, window=30, distance_weighting=false, x_max=2.0, epochs=30)",
    "fasttext": "fasttext(dimension=100, window=10, sample=0.0001, epochs=2)",
}
OWN = 5_000_000
"""Tokens of own documents in an epoch, IMDB having 11.5 million: CISI's are read 27 times, MED's 31, SciFact's 4."""
POOLINGS = ("mean", "tfidf", "sif", "usif", "max", '"mean+max"', "tfidf, directions=1")
BASELINES = ("tfidf", "bm25", "lsa", "minilm")
GRID = (
    *(f"mean, directions={k}" for k in (1, 2, 3)),
    *(f"tfidf, directions={k}" for k in (1, 2, 3)),
    *(f"sif, a={a:g}, directions={k}" for a in (1e-2, 1e-3, 1e-4) for k in (0, 1, 2, 3)),
    *(f"usif, directions={k}" for k in (0, 1, 5)),
)


class Bench:
    """Models, made once and kept in a folder, and what they score."""

    def __init__(self, folder: Path, own: int, min_count: int, *, imdb: bool) -> None:
        self.folder = folder
        self.own = own
        self.min_count = min_count
        self.imdb = imdb
        folder.mkdir(parents=True, exist_ok=True)

    def model(self, spec: str, collection: str) -> Path:
        """The folder of the model that `spec` describes for a collection, trained where it is not there."""
        trainer = TRAINERS.create(spec)
        settings = trainer.settings()
        told = json.dumps([ragembed.__version__, settings, collection, self.own, self.min_count, self.imdb])
        output = self.folder / f"{trainer.name}-{collection}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
        if not output.exists():
            print(f"training {spec} for {collection}", file=sys.stderr)
            reading = replace(trainer.default_reading(), min_count=self.min_count)
            texts = self.texts(collection)
            train_to_folder(trainer, texts, output, reading=reading, watch=Watch(rounds=_told))
        return output

    def texts(self, collection: str) -> Iterator[str]:
        """IMDB's reviews, then the documents of a collection, several times over."""
        if self.imdb:
            with gzip.open(SHARED / "imdb" / "corpus.txt.gz", "rt", encoding="utf-8") as file:
                yield from file
        own = [document.text for document in load(str(SHARED / collection)).documents]
        cut = tokenizer("words")
        for _ in range(max(1, round(self.own / sum(len(cut.tokens(text)) for text in own)))):
            yield from own

    def score(self, collection: str, embedder: str) -> float:
        """nDCG@10 of a collection, in percent."""
        found = evaluate_embedder(load(str(SHARED / collection)), embedder, measures="nDCG@10")
        return 100 * found.measures["nDCG@10"]

    def pooled(self, collection: str, spec: str, pooling: str) -> float:
        """nDCG@10 of a model of the collection's own with that pooling."""
        model = self.model(spec, collection)
        return self.score(
            collection, f"{spec.partition('(')[0]}(path={json.dumps(str(model))}, pooling={pooling})"
        )


def _told(number: int, of: int, loss: float, seconds: float) -> None:
    print(f"  epoch {number}/{of}  loss {loss:.4f}  {seconds:.0f} s", file=sys.stderr)


def show(rows: Sequence[tuple[str, str, list[float]]], collections: Sequence[str]) -> None:
    """The table: a row for each vectors and pooling."""
    cells: list[list[Any]] = [
        [name, pooling, *(f"{v:.1f}" for v in values)] for name, pooling, values in rows
    ]
    names = [f"{name} (tuned on)" if name in TUNING else name for name in collections]
    table(["vectors", "pooling", *names], cells)


def main() -> None:
    """Print the table, or with --tune what was tried on CISI and MED."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("build/word-models"), metavar="FOLDER")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--collections", default=",".join(COLLECTIONS))
    parser.add_argument("--spec", help="another spec of a training than this file has")
    parser.add_argument("--own", type=int, default=OWN, help="tokens of own documents in an epoch")
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--no-imdb", action="store_true", help="train on own documents alone")
    parser.add_argument("--baselines", default=",".join(BASELINES))
    parser.add_argument("--tune", action="store_true", help="other poolings, on CISI and MED")
    options = parser.parse_args()
    bench = Bench(options.models.absolute(), options.own, options.min_count, imdb=not options.no_imdb)
    collections = [c for c in options.collections.split(",") if not options.tune or c in TUNING]
    specs = [options.spec] if options.spec else [METHODS[name] for name in options.methods.split(",")]
    print(f"nDCG@10 in percent; {machine('gensim', 'numba')}\n")
    rows = [
        (spec, pooling.replace('"', ""), [bench.pooled(c, spec, pooling) for c in collections])
        for spec in specs
        for pooling in (GRID if options.tune else POOLINGS)
    ]
    rows += [
        (name, "", [bench.score(c, name) for c in collections])
        for name in options.baselines.split(",")
        if name and not options.tune
    ]
    show(rows, collections)


if __name__ == "__main__":
    main()
