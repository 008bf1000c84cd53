"""BM25 on SciFact, one choice changed at a time: what lies between our number and those that others publish.

    python -m ragembed.eval.bench.published [--collection scifact]

Published nDCG@10 for SciFact: 0.679 (Pyserini, Lucene's analyzer with Porter's stemmer, k1 0.9, b 0.4), 0.687 (bm25s,
two letters or more, Snowball's stemmer, k1 1.5, b 0.75), both with title and text in one field.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import Stemmer

from ragembed.analysis import Analyzer
from ragembed.datasets import Dataset, load
from ragembed.embed.weighting import BM25Weighting
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.eval.measures import evaluate
from ragembed.index.postings import postings_of_terms
from ragembed.index.sparse import SparseIndex, SparseSegment
from ragembed.types import Document, Run

DEPTH = 100
Tokenizer = Callable[[str], list[str]]


def words(pattern: str, stop: frozenset[str], stemmer: str | None) -> Tokenizer:
    """Lower-case matches of `pattern` without stop words, stemmed by one of Snowball's stemmers."""
    find = re.compile(pattern)
    stem = Stemmer.Stemmer(stemmer).stemWords if stemmer else list

    def tokens(text: str) -> list[str]:
        return list(stem([word for word in find.findall(text.lower()) if word not in stop]))

    return tokens


def lucene_stop_words() -> frozenset[str]:
    """The 33 words that Lucene drops, which bm25s has taken over."""
    from bm25s.tokenization import STOPWORDS_EN

    return frozenset(STOPWORDS_EN)


def ours_with(stop: frozenset[str] | None = None, stemmer: str = "english") -> Tokenizer:
    """Our words, with other stop words or another stemmer."""
    analyzer = Analyzer("english")
    drop = analyzer._stop if stop is None else stop
    stem = Stemmer.Stemmer(stemmer).stemWord

    def tokens(text: str) -> list[str]:
        folded = (part.casefold() for word in analyzer.words(text) for part in re.split("['’]", word))
        return [stem(word) for word in folded if word not in drop]

    return tokens


def text_of(document: Document, field: str) -> str:
    """`field` of a document: ``title``, ``text`` or ``both``."""
    title = str(document.metadata.get("title", ""))
    return {"both": document.text, "title": title, "text": document.text.removeprefix(title).strip()}[field]


def answers(dataset: Dataset, tokens: Tokenizer, k1: float, b: float, field: str = "both") -> Run:
    """The run of BM25 over the terms that `tokens` makes of one field."""
    documents = list(dataset.documents)
    postings = postings_of_terms([tokens(text_of(document, field)) for document in documents])
    index = SparseIndex([SparseSegment(postings, np.arange(len(documents)))], BM25Weighting(k1, b))
    found = index.search_many([tokens(query) for query in dataset.queries.values()], DEPTH)
    return {
        query: {documents[row].id: float(score) for row, score in zip(rows, scores, strict=True)}
        for query, (rows, scores) in zip(dataset.queries, found, strict=True)
    }


def two_fields(dataset: Dataset, tokens: Tokenizer, k1: float, b: float) -> Run:
    """BM25 over titles plus BM25 over texts, each an index of its own, as in Pyserini's multi-field runs."""
    title, text = (answers(dataset, tokens, k1, b, field) for field in ("title", "text"))
    return {q: {d: title[q].get(d, 0.0) + text[q].get(d, 0.0) for d in {*title[q], *text[q]}} for q in text}


def runs(dataset: Dataset) -> Mapping[str, Callable[[], Run]]:
    """The variants, by what is said of them."""
    stop = lucene_stop_words()
    analyzer = Analyzer("english")
    bm25s = words(r"\b\w\w+\b", stop, "english")
    lucene = words(r"\w+", stop, "porter")
    return {
        "**ragembed** (`bm25`): k1 1.5, b 0.75": lambda: answers(dataset, analyzer.terms, 1.5, 0.75),
        "k1 1.2, b 0.75 (Lucene's defaults)": lambda: answers(dataset, analyzer.terms, 1.2, 0.75),
        "k1 0.9, b 0.4 (Pyserini's defaults)": lambda: answers(dataset, analyzer.terms, 0.9, 0.4),
        "k1 2, b 1": lambda: answers(dataset, analyzer.terms, 2.0, 1.0),
        "camelCase not taken apart": lambda: answers(dataset, ours_with(), 1.5, 0.75),
        "the same, Porter's stemmer of 1980": lambda: answers(dataset, ours_with(stemmer="porter"), 1.5, 0.75),
        "the same, Lucene's 33 stop words": lambda: answers(dataset, ours_with(stop), 1.5, 0.75),
        "the same, no stop words": lambda: answers(dataset, ours_with(frozenset()), 1.5, 0.75),
        "no stop words, no stemming": lambda: answers(dataset, Analyzer("none").terms, 1.5, 0.75),
        "without titles": lambda: answers(dataset, analyzer.terms, 1.5, 0.75, "text"),
        "title and text as two fields, scores added": lambda: two_fields(dataset, analyzer.terms, 1.5, 0.75),
        "as bm25s: words of two letters, 33 stop words, Snowball": lambda: answers(dataset, bm25s, 1.5, 0.75),
        "as bm25s, Porter": lambda: answers(dataset, words(r"\b\w\w+\b", stop, "porter"), 1.5, 0.75),
        "as Lucene: 33 stop words, Porter, k1 0.9, b 0.4": lambda: answers(dataset, lucene, 0.9, 0.4),
        "as Lucene, k1 1.5, b 0.75": lambda: answers(dataset, lucene, 1.5, 0.75),
        "as Lucene, k1 0.9, b 0.4, two fields": lambda: two_fields(dataset, lucene, 0.9, 0.4),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", default="scifact")
    options = parser.parse_args(arguments)
    dataset = load(SHARED / options.collection)
    print(machine("PyStemmer", "bm25s"))
    rows = []
    for label, run in runs(dataset).items():
        means = evaluate(dataset.qrels, run(), "nDCG@10, R@100").means
        rows.append((label, *(f"{value:.4f}" for value in means.values())))
    table([options.collection, "nDCG@10", "R@100"], rows)


if __name__ == "__main__":
    main()
