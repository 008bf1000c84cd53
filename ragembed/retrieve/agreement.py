"""What an index's own chunks tell of a dense embedder, without labels: how far they lie apart, and whether it
understands them at all.

How much a difference of two scores says depends on the model and on the texts: in meetings, where all sounds alike, the
best passages for a query lie closer together than in abstracts. The scores that chunks have with each other are the
measure.

An English model gives vectors for Russian text, too, and a search cannot see that they say nothing. But chunks that
share their rarest words are about the same things: an embedder that understands them puts them nearer to each other
than to others. How much nearer, in standard deviations, is its agreement with BM25. Both use vectors and postings that
the index has anyway, so they cost no embedding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ragembed.index.content import embedding_text
from ragembed.retrieve.fusion import Fusion, Scores
from ragembed.retrieve.sides import DenseSide, Side, SparseSide

if TYPE_CHECKING:
    from ragembed.index.catalog import Catalog
    from ragembed.index.runs import Rows

_PROBES = 32
"""Chunks that are asked for their neighbours: a standard error of about 0.15."""
_SAMPLE = 2048
"""Chunks that stand for all of them, evenly spaced; an index of no more is measured whole."""
_LEAST = 50
"""Chunks below which nothing can be told."""
_TERMS = 12
"""Of each probe, those of the largest tf * idf."""
_NEIGHBOURS = 10
_FEWEST = 3
"""Neighbours below which a probe tells nothing."""
_NONE, _FULL = 0.75, 1.5
"""Standard deviations up to which an embedder counts nothing, and from which on it counts fully. Measured (docs/
hybrid.md): 0.3 to 0.5 where a model does not know the script, 1.7 and more where it knows the language."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What an index's own chunks tell of a dense embedder."""

    spread: float
    """Mean standard deviation of the scores that a chunk has with others."""
    agreement: float | None
    """How many of these deviations nearer a chunk's neighbours by BM25 are to it than others are, in the mean over
    chunks; 0 by chance. None: there is no BM25 over the text, or too little to tell."""


def about_all(catalog: Catalog, sides: Sequence[Side], fusion: Fusion | None = None) -> list[Scores]:
    """What is known of the scores of each side, as far as `fusion` needs it (None: all); an embedder's nats count by
    its agreement.
    """
    about = [side.about() for side in sides]
    for number, side in enumerate(sides):
        if isinstance(side, DenseSide) and (fusion is None or fusion.bounded):
            about[number] = replace(about[number], least=side.least())
        found = measured(catalog, sides, side) if fusion is None or fusion.measures else None
        if found is not None:
            nats = (about[number].nats or 0.0) * (1.0 if found.agreement is None else trust(found.agreement))
            about[number] = replace(about[number], nats=nats, spread=found.spread)
    return about


def measured(catalog: Catalog, sides: Sequence[Side], side: Side) -> Measured | None:
    """What the index's chunks tell of one of the sides, found once for each state of the index; None where it is not
    dense, looks at a field, or has too few chunks.
    """
    if not isinstance(side, DenseSide) or side.index is None or side.embedder.field is not None:
        return None
    if not side.judged:
        lexical = (
            each
            for each in sides
            if isinstance(each, SparseSide) and each.about().evidence and each.embedder.field is None
        )
        side.measured, side.judged = measure(catalog, next(lexical, None), side), True
    return side.measured


def trust(found: float) -> float:
    """How much an embedder of that agreement counts, from 0 to 1."""
    return min(1.0, max(0.0, (found - _NONE) / (_FULL - _NONE)))


def doubt(side: Side) -> str | None:
    """A line for people where a side has been measured and does not count fully."""
    found = side.measured if isinstance(side, DenseSide) else None
    if found is None or found.agreement is None or trust(found.agreement) == 1:
        return None
    how = "only partly" if trust(found.agreement) else "hardly"
    return (
        f"{side.embedder.spec} {how} agrees with bm25 on these texts ({found.agreement:.2f}"
        f" standard deviations, {_FULL} is enough): it counts {trust(found.agreement):.0%} in this hybrid; does it"
        " know their language?"
    )


def measure(catalog: Catalog, judge: SparseSide | None, side: DenseSide) -> Measured | None:
    """`Measured` of a side, by `judge` where there is one; None where there are too few chunks."""
    assert side.index is not None
    rows = side.index.live
    if len(rows) < _LEAST:
        return None
    rows = _in_order(catalog, rows)
    probes = _spaced(rows, _PROBES)
    sample = _spaced(rows, _SAMPLE)
    vectors = side.index.vectors(probes).astype(np.float64)
    among = side.index.vectors(sample).astype(np.float64) @ vectors.T  # (sample, probes)
    others = [among[sample != row, number] for number, row in enumerate(probes)]
    spread = float(np.mean([scores.std() for scores in others]))
    if not spread > 0:
        return None
    if judge is None:
        return Measured(spread, None)
    nearness = [
        (float((side.index.vectors(near).astype(np.float64) @ vector).mean()), scores)
        for vector, near, scores in zip(
            vectors, _neighbours(catalog, judge, probes, rows), others, strict=True
        )
        if len(near) >= _FEWEST
    ]
    nearer = [(mean - scores.mean()) / scores.std() for mean, scores in nearness if scores.std() > 0]
    return Measured(spread, float(np.mean(nearer)) if len(nearer) >= _PROBES // 4 else None)


def _neighbours(catalog: Catalog, judge: SparseSide, probes: Rows, rows: Rows) -> list[Rows]:
    """For each of the probes those of `rows` that BM25 puts nearest to it, equal ones all, without itself."""
    chunks = catalog.chunks(probes.tolist())
    texts = [embedding_text(chunks[row].text, chunks[row].metadata) for row in probes.tolist()]
    width = len(rows) if len(rows) <= _SAMPLE else 4 * _NEIGHBOURS
    near = []
    for row, (found, scores) in zip(
        probes, judge.index.search_many([_terms(judge, text) for text in texts], width), strict=True
    ):
        found, scores = found[found != row], scores[found != row]
        best = found[scores >= scores[_NEIGHBOURS - 1]] if len(found) >= _NEIGHBOURS else found
        near.append(rows[np.isin(rows, best)])  # in the order of `rows`, on which sums depend
    return near


def _in_order(catalog: Catalog, rows: Rows) -> Rows:
    """Rows of a small index by document and place, so that it does not matter in which order they came; of a large one
    as they came, for that is dear to find out.
    """
    if len(rows) > _SAMPLE:
        return np.sort(rows)
    places = catalog.places(rows.tolist())
    nowhere = ("", 0)
    return np.array(sorted(rows.tolist(), key=lambda row: (places.get(row, nowhere), row)), np.int64)


def _spaced(rows: Rows, most: int) -> Rows:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _terms(judge: SparseSide, text: str) -> list[str]:
    """The terms of a text that say most of it."""
    counts = Counter(judge.embedder.analyzer.terms(text))
    idf = judge.index.query_weights(list(counts))
    return sorted(counts, key=lambda term: (-counts[term] * idf[term], term))[:_TERMS]
