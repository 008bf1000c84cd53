"""What labelled queries teach an index: weights learnt on one half and reported on the other, and probabilities of hits
on queries of which some have no answer.

    python -m ragembed.eval.bench.tune [--indexes FOLDER] [--only weights|probabilities]

Two halves of each collection's judged queries, by a hash of their ids: what the one teaches is reported on the other,
both ways, so that every query is reported once. Queries without an answer are real ones: those of the other
collections, and a collection's own after the documents that answer them were deleted from a copy of the index.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ragembed.datasets import load
from ragembed.eval.bench.harness import SHARED, table
from ragembed.eval.names import parse_measure
from ragembed.eval.tune.candidates import FAMILIES, Family, families
from ragembed.eval.tune.choose import cross_validated, folds, gain, learn
from ragembed.eval.tune.fit import (
    PENALTY,
    UNANSWERABLE,
    Model,
    Samples,
    auroc,
    calibrate,
    calibration_error,
    fit,
    samples,
)
from ragembed.eval.tune.gather import Doubles, Gathered, gather, search
from ragembed.pipeline import Pipeline
from ragembed.retrieve.calibration import BACKGROUND, Calibration, features
from ragembed.retrieve.fusion import FUSIONS, Fusion
from ragembed.retrieve.options import SearchOptions

COLLECTIONS = {"scifact": "SciFact", "cranfield": "Cranfield", "cisi": "CISI", "med": "MED", "cosqa": "CoSQA"}
MEASURE = parse_measure("nDCG@10")
FOREIGN = 50
"""Queries of each other collection that are asked."""
PRECISIONS = (0.5, 0.6, 0.7, 0.8, 0.9)
SENTENCES = 300
"""Sentences of an index's own documents that are asked in the place of labelled queries."""


@dataclass(frozen=True)
class Collected:
    """All that is asked of one collection's index."""

    judged: Gathered
    foreign: Gathered
    """Queries of other collections."""
    deleted: Gathered
    """The second half of the judged queries, of a copy of the index without their relevant documents."""
    sentences: Gathered
    """Sentences of the index's own documents, each answered by the document that it stands in."""
    halves: tuple[np.ndarray, np.ndarray]


def collect(name: str, indexes: Path) -> Collected:
    """Index a collection, unless it is there, and ask everything of it."""
    collection = load(SHARED / name, "test")
    folder = indexes / f"{name}.index"
    if not folder.exists():
        with Pipeline.create(folder, "bm25+minilm", "whole") as pipeline:
            pipeline.add(collection.documents)
    ids = sorted(collection.qrels)
    half = folds(ids, 0, 2)
    with Pipeline.open(folder) as pipeline:
        judged = gather(pipeline, collection.queries, {each: collection.qrels[each] for each in ids})
        foreign = search(pipeline, _foreign(name), {})
        sentences = _sentences(pipeline)
        own = search(pipeline, sentences, {document: {document: 1} for document in sentences})
    later = [ids[at] for at in np.flatnonzero(half == 1)]
    gone = {document for query in later for document, grade in collection.qrels[query].items() if grade > 0}
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work) / "copy.index"
        shutil.copytree(folder, copy)
        with Pipeline.open(copy) as pipeline:
            pipeline.delete(sorted(gone))
            deleted = search(pipeline, {query: collection.queries[query] for query in later}, {})
    return Collected(judged, foreign, deleted, own, (np.flatnonzero(half == 0), np.flatnonzero(half == 1)))


def _sentences(pipeline: Pipeline) -> dict[str, str]:
    """A sentence of each of some documents, by the document's id: what a label-free calibration could learn from."""
    texts = {chunk.document_id: chunk.text for chunk in pipeline.chunks()}
    names = sorted(texts)
    asked = {}
    for at in np.argsort(folds(names, 2, len(names)))[:SENTENCES].tolist():
        parts = [
            part for part in re.split(r"(?<=[.!?])\s+|\n", texts[names[at]]) if 5 <= len(part.split()) <= 40
        ]
        if parts:
            asked[names[at]] = parts[len(parts) // 2]
    return asked


def _foreign(name: str) -> dict[str, str]:
    """Queries of the other collections, the same ones each time."""
    asked = {}
    for other in COLLECTIONS:
        if other != name:
            queries = load(SHARED / other, "test").queries
            order = np.argsort(folds(sorted(queries), 1, len(queries)))
            names = sorted(queries)
            asked.update({f"{other} {names[at]}": queries[names[at]] for at in order[:FOREIGN]})
    return asked


def weights(collected: dict[str, Collected]) -> None:
    """Learnt on one half, reported on the other, beside the default and each part alone."""
    print("Learnt weights: nDCG@10 of all queries, each under what the other half has taught\n")
    rows: list[list[object]] = []
    default = SearchOptions().make_fusion()
    for name, found in collected.items():
        judged = found.judged
        tried = list(families(judged, FAMILIES, MEASURE))
        learnt = np.zeros(len(judged.queries))
        base = judged.values(default, MEASURE)
        taken = base.copy()
        chosen: list[str] = []
        kept: list[str] = []
        for train, test in (found.halves, found.halves[::-1]):
            number, point = learn(tried, train)
            learnt[test] = tried[number].values[point, test]
            half = [Family(each.plain, each.grid, each.values[:, train]) for each in tried]
            ids = [judged.queries[at].id for at in train]
            real = gain(cross_validated(half, ids), base[train]).real
            if real:
                taken[test] = learnt[test]
            kept.append("taken" if real else "kept the default")
            chosen.append(tried[number].spec(tried[number].grid[point].tolist()))
        first, second = _alone(judged)
        rrf = judged.values(FUSIONS.create("rrf"), MEASURE)
        over, over_rrf = gain(learnt, base), gain(learnt, rrf)
        best = max(float(each.values.mean(axis=1).max()) for each in tried)
        rows.append(
            [
                COLLECTIONS[name],
                len(learnt),
                f"{first:.3f}",
                f"{second:.3f}",
                f"{rrf.mean():.3f}",
                f"{over.default:.3f}",
                f"**{over.learnt:.3f}**",
                f"{over_rrf.difference:+.3f} [{over_rrf.low:+.3f}, {over_rrf.high:+.3f}], p {over_rrf.p:.4f}",
                f"{over.difference:+.3f} [{over.low:+.3f}, {over.high:+.3f}], p {over.p:.4f}",
                f"{best:.3f}",
                f"{taken.mean():.3f}",
                "; ".join(f"{spec}: {did}" for spec, did in zip(chosen, kept, strict=True)),
            ]
        )
    header = [
        "collection",
        "queries",
        "bm25",
        "minilm",
        "rrf",
        f"default ({default.spec})",
        "learnt",
    ]
    told = ["over rrf", "over the default", "best in hindsight", "as tune decides", "what each half taught"]
    table([*header, *told], rows)


def _alone(judged: Gathered) -> tuple[float, float]:
    """What each of two lists reaches alone."""
    means = []
    for number in range(2):
        alone = Gathered(
            judged.embedders[number : number + 1],
            (),
            judged.documents,
            tuple(
                type(query)(
                    query.id,
                    query.lists[number : number + 1],
                    query.highest[number : number + 1],
                    query.gains,
                )
                for query in judged.queries
            ),
            judged.documents_of_index,
        )
        means.append(float(alone.values(FUSIONS.create("rrf"), MEASURE).mean()))
    return means[0], means[1]


def probabilities(collected: dict[str, Collected]) -> None:
    """Calibrated on one half; asked the other half, and queries that the index cannot answer."""
    fusion = SearchOptions().make_fusion()
    everything = {name: samples(found.judged, fusion) for name, found in collected.items()}
    own: list[list[object]] = []
    asked_for: list[list[object]] = []
    answers: list[list[object]] = []
    for name, found in collected.items():
        train, test = found.halves
        learnt = calibrate(found.judged.only(train), fusion)
        if learnt is None:
            continue
        held = samples(found.judged.only(test), fusion)
        own.append(
            [COLLECTIONS[name], "its own half", len(train), *_hits(held, learnt.probabilities(held.table))]
        )
        asked_for.append([COLLECTIONS[name], *(_measured(held, learnt, least) for least in PRECISIONS)])
        others = _joined([each for other, each in everything.items() if other != name])
        model = fit(others[0], others[1], others[2], PENALTY)
        own.append([COLLECTIONS[name], "the other collections", 0, *_hits(held, model.predict(held.table))])
        asked = samples(found.sentences, fusion)
        label_free = fit(asked.table, asked.relevant, asked.weights(UNANSWERABLE))
        own.append([COLLECTIONS[name], "own sentences", 0, *_hits(held, label_free.predict(held.table))])
        for what, unanswerable in (
            ("other collections'", found.foreign),
            ("documents deleted", found.deleted),
        ):
            for by, told in (
                ("its own half", learnt),
                ("the other collections", model),
                ("own sentences", label_free),
            ):
                answers.append(
                    [
                        COLLECTIONS[name],
                        what,
                        by,
                        *_answerable(found.judged.only(test), unanswerable, fusion, told),
                    ]
                )
    print("Is a hit relevant? The first 10 hits of held-out queries, 25% of them without their documents\n")
    table(
        [
            "collection",
            "learnt from",
            "queries",
            "AUROC",
            "calibration error",
            "precision at 0.5",
            "recall at 0.5",
        ],
        own,
    )
    print("threshold(precision=...): what was asked for on one half, and what it gave on the other\n")
    table(["collection", *map(str, PRECISIONS)], asked_for)
    print("Has a query an answer? Its best hit's probability, held-out queries against unanswerable ones\n")
    table(
        [
            "collection",
            "unanswerable",
            "learnt from",
            "queries",
            "AUROC",
            "precision at 0.5",
            "recall at 0.5",
            "precision at 0.3",
            "recall at 0.3",
            "calibration error of the best hit",
        ],
        answers,
    )


def _joined(parts: list[Samples]) -> tuple[Doubles, np.ndarray, Doubles]:
    """Hits of several collections, each collection counting the same."""
    shares = [part.weights(UNANSWERABLE) for part in parts]
    return (
        np.concatenate([part.table for part in parts]),
        np.concatenate([part.relevant for part in parts]),
        np.concatenate([1000 * each / each.sum() for each in shares]),
    )


def _hits(held: Samples, predicted: Doubles) -> list[object]:
    mixed = held.weights(UNANSWERABLE)
    kept = predicted >= 0.5
    total = float(mixed[kept].sum())
    return [
        f"{auroc(held.relevant, predicted) or 0:.3f}",
        f"{calibration_error(held.relevant, predicted, mixed):.3f}",
        f"{mixed[kept & held.relevant].sum() / total:.2f} of {kept.sum()}" if total else "none kept",
        f"{(kept & held.relevant).sum() / max(1, held.relevant.sum()):.2f}",
    ]


def _measured(held: Samples, learnt: Calibration, precision: float) -> str:
    """The precision of held-out hits above the threshold that was learnt for a precision."""
    least = learnt.least_for(precision)
    if least is None:
        return "refused"
    mixed = held.weights(UNANSWERABLE)
    kept = learnt.probabilities(held.table) >= least
    total = float(mixed[kept].sum())
    return f"{mixed[kept & held.relevant].sum() / total:.2f} of {kept.sum()}" if total else "none kept"


def _answerable(
    judged: Gathered, unanswerable: Gathered, fusion: Fusion, told: Calibration | Model
) -> list[object]:
    first = [_best(judged, fusion, told), _best(unanswerable, fusion, told)]
    best = np.concatenate([each[0] for each in first])
    relevant = np.concatenate([each[1] for each in first])
    labels = np.repeat((True, False), [len(each[0]) for each in first])
    weight = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())  # as if there were as many of each
    figures: list[object] = []
    for least in (0.5, 0.3):
        kept = best >= least
        share = float(weight[kept].sum())
        figures.append(f"{weight[kept & labels].sum() / share:.2f}" if share else "none kept")
        figures.append(f"{(kept & labels).sum() / labels.sum():.2f}")
    return [
        f"{len(first[0][0])} + {len(first[1][0])}",
        f"{auroc(labels, best) or 0:.3f}",
        *figures,
        f"{calibration_error(relevant, best, weight):.3f}",
    ]


def _best(gathered: Gathered, fusion: Fusion, told: Calibration | Model) -> tuple[Doubles, np.ndarray]:
    """Of each query the highest probability among its first hits, and whether that hit is relevant."""
    highest, relevant = [], []
    for query in gathered.queries:
        hits = gathered.fused(query, fusion)[:BACKGROUND]
        given = features(hits, query.highest)
        marks = told.probabilities(given) if isinstance(told, Calibration) else told.predict(given)
        at = int(marks[:10].argmax()) if len(marks) else 0
        highest.append(float(marks[at]) if len(marks) else 0.0)
        relevant.append(bool(hits) and query.gains.get(gathered.documents[hits[at].row], 0) > 0)
    return np.array(highest), np.array(relevant)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--indexes", type=Path, help="keep the indexes here, for the next time")
    parser.add_argument("--only", choices=("weights", "probabilities"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        collected = {name: collect(name, arguments.indexes or Path(work)) for name in COLLECTIONS}
    if arguments.only != "probabilities":
        weights(collected)
    if arguments.only != "weights":
        probabilities(collected)


if __name__ == "__main__":
    main()
