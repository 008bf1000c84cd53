"""How lists are best joined where nobody labels anything: every fusion on every collection, the default's one number
chosen without the collection that it is reported on, and what becomes of it where a model does not know the script.

    python -m ragembed.eval.bench.fusion [--indexes FOLDER] [--dense minilm|lsa|...] [--without-script]

The script that no model knows is made from the collections themselves: each Latin letter becomes a Cyrillic one, in
documents and queries alike, which changes nothing for BM25 but for its stemmer, and leaves MiniLM only letters.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ragembed.datasets import load
from ragembed.eval.bench.harness import SHARED, table
from ragembed.eval.names import parse_measure
from ragembed.eval.tune.gather import Doubles, Gathered, gather
from ragembed.pipeline import Pipeline
from ragembed.retrieve.agreement import Measured, measured
from ragembed.retrieve.fusion import FUSIONS
from ragembed.types import Document, Qrels

COLLECTIONS = {
    "cranfield": "Cranfield",
    "cisi": "CISI",
    "med": "MED",
    "scifact": "SciFact",
    "cosqa": "CoSQA",
    "qmsum": "QMSum, chunks",
}
CHUNKERS = {"qmsum": "recursive(tokens=254, overlap=32, tokenizer=minilm)"}
"""Of collections whose documents are too long to stay whole; a document then scores its best chunk."""
UNREAD = ("med", "cranfield")
"""Collections of which a version in another script is made."""
TRIED = ("rrf", "combsum", "combmnz", "combsum(scale=zscore)", "convex", "combsum(scale=distribution)")
MEASURE = parse_measure("nDCG@10")
NATS = (0.5, 0.75, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0, 4.25, 4.5, 5.0, 6.0, 8.0)
"""What a standard deviation of the chunks' scores is tried as."""
_CYRILLIC = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопярстувщхыз")


def asked(name: str, dense: str, indexes: Path, *, unread: bool = False) -> tuple[Gathered, Measured | None]:
    """What BM25 and `dense` find in a collection, and how far they agree; the index is kept."""
    collection = load(SHARED / name, "test")
    documents: Iterable[Document] = collection.documents
    queries: Mapping[str, str] = collection.queries
    if unread:
        documents = (Document(each.id, _unread(each.text)) for each in documents)
        queries = {query: _unread(text) for query, text in queries.items()}
    folder = indexes / f"{name}{'-unread' if unread else ''}-{dense}.index"
    if not folder.exists():
        with Pipeline.create(folder, f"bm25+{dense}", CHUNKERS.get(name, "whole")) as pipeline:
            pipeline.add(documents)
    qrels: Qrels = {query: gains for query, gains in collection.qrels.items() if query in queries}
    with Pipeline.open(folder) as pipeline:
        found = gather(pipeline, queries, qrels)
        for ranking in pipeline.rankings(["any"], 1):
            return found, measured(ranking.catalog, ranking.sides, ranking.sides[1])
    raise AssertionError(name)


def _unread(text: str) -> str:
    return text.lower().translate(_CYRILLIC)


def values(found: Gathered, fusion: str) -> Doubles:
    """nDCG@10 of each query."""
    return found.values(FUSIONS.create(fusion), MEASURE)


def alone(found: Gathered, number: int) -> Doubles:
    """nDCG@10 of each query by one of the lists."""
    weights = ["0", "0"]
    weights[number] = "1"
    lists = replace(
        found,
        queries=tuple(
            replace(query, lists=tuple(hits if n == number else [] for n, hits in enumerate(query.lists)))
            for query in found.queries
        ),
    )
    return values(lists, f"rrf(weights={':'.join(weights)})")


def worth(found: Gathered, nats: float) -> Doubles:
    """nDCG@10 of each query by evidence, a standard deviation of the second list worth so many nats."""
    about = (found.about[0], replace(found.about[1], nats=nats))
    return values(replace(found, about=about), "evidence")


def all_fusions(collected: Mapping[str, Gathered], agreements: Mapping[str, Measured | None]) -> None:
    """Every fusion with its defaults, beside each part."""
    rows: list[list[object]] = []
    for name, found in collected.items():
        parts = [alone(found, 0).mean(), alone(found, 1).mean()]
        joined = values(found, "evidence")
        better = max(parts)
        measured_of = agreements[name]
        agreement = None if measured_of is None else measured_of.agreement
        rows.append(
            [
                name,
                "-" if agreement is None else f"{agreement:.2f}",
                *(f"{part:.3f}" for part in parts),
                *(f"{values(found, fusion).mean():.3f}" for fusion in TRIED),
                f"**{joined.mean():.3f}**",
                f"{joined.mean() - better:+.3f}",
            ]
        )
    table(["collection", "agreement", "bm25", "dense", *TRIED, "evidence", "over the better part"], rows)


def left_out(collected: Mapping[str, Gathered]) -> None:
    """What each number of nats gains over the better part; and, one collection left out at a time, what the middle of
    those that lose on none of the others gains on it.
    """
    names = list(collected)
    better = {name: max(alone(found, 0).mean(), alone(found, 1).mean()) for name, found in collected.items()}
    gains = np.array(
        [[worth(found, nats).mean() - better[name] for nats in NATS] for name, found in collected.items()]
    )  # (collections, nats)
    rows: list[list[object]] = []
    for at in [*range(len(names)), len(names)]:  # the last leaves none out
        others = np.delete(gains, at, axis=0) if at < len(names) else gains
        losing_none = np.flatnonzero((others > 0).all(axis=0))
        if not len(losing_none):
            rows.append([[*names, "none"][at], "-", "-", "-"])
            continue
        first, last = NATS[losing_none[0]], NATS[losing_none[-1]]
        middle = int(np.argmin(np.abs(np.array(NATS) - (first * last) ** 0.5)))
        rows.append(
            [
                [*names, "none"][at],
                f"{first} to {last}",
                NATS[middle],
                f"{gains[at, middle]:+.4f}" if at < len(names) else "-",
            ]
        )
    table(
        ["left out", "nats that lose on no other", "their middle", "what it gains on the one left out"], rows
    )
    print()
    table(
        ["nats", *names, "smallest", "mean"],
        [
            [
                nats,
                *(f"{gain:+.4f}" for gain in gains[:, at]),
                f"{gains[:, at].min():+.4f}",
                f"{gains[:, at].mean():+.4f}",
            ]
            for at, nats in enumerate(NATS)
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--indexes", type=Path, help="keep the indexes there")
    parser.add_argument("--dense", default="minilm")
    parser.add_argument("--without-script", action="store_true", help="leave out what no model can read")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        indexes = arguments.indexes or Path(scratch)
        collected, agreements = {}, {}
        for name, shown in COLLECTIONS.items():
            collected[shown], agreements[shown] = asked(name, arguments.dense, indexes)
        read = dict(collected)
        for name in () if arguments.without_script else UNREAD:
            shown = f"{COLLECTIONS[name]}, other script"
            collected[shown], agreements[shown] = asked(name, arguments.dense, indexes, unread=True)
        all_fusions(collected, agreements)
        print()
        left_out(read)


if __name__ == "__main__":
    main()
