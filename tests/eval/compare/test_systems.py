"""The grid of systems, and their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragembed.errors import EmbeddingError, SpecError
from ragembed.eval.systems import System, grid


def test_every_combination_once() -> None:
    names = [
        system.name
        for system in grid(
            ["bm25", "bm25+tfidf", "bm25", "tfidf @ sentence"],
            ["whole", "fixed"],
            fusions=["evidence", "combsum"],
        )
    ]
    assert names == [
        "bm25",
        "bm25 @ fixed",
        "bm25+tfidf",
        "bm25+tfidf, combsum",
        "bm25+tfidf @ fixed",
        "bm25+tfidf @ fixed, combsum",
        "tfidf @ sentence",
    ]


def test_the_order_of_embedders_matters_to_weights_alone() -> None:
    both = ["bm25+tfidf", "tfidf+bm25"]
    assert [system.embedder for system in grid(both)] == both[:1]
    assert [system.embedder for system in grid(both, fusions=["rrf(weights=0.7:0.3)"])] == both


def test_index_types_are_for_vectors() -> None:
    systems = grid(["bm25", "lsa", "bm25+lsa"], index_types=["flat", "hnsw"])
    assert [system.name for system in systems] == [
        "bm25", "lsa", "lsa, hnsw", "bm25+lsa", "bm25+lsa, hnsw",
    ]  # fmt: skip


def test_specs_are_canonical() -> None:
    assert System.make("bm25( k1=1.5 )") == System.make("bm25")
    assert System.make("bm25+tfidf", fusion="rrf( k=60 )").fusion == "rrf"
    assert System.make("bm25", fusion="combsum").fusion is None  # there is nothing to join


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("bm52",), "unknown embedder 'bm52'"),
        (("bm25", "recusive"), "unknown chunker 'recusive'"),
        (("bm25", "whole", "hnws"), "unknown index type 'hnws'"),
        (("bm25+tfidf", "whole", "flat", "max"), "unknown fusion 'max'"),
        (("bm25+bm25",), "names the same part twice"),
    ],
)
def test_wrong_specs_are_refused_before_any_work(arguments: tuple[str, ...], fault: str) -> None:
    with pytest.raises(SpecError, match=fault):
        System.make(*arguments)


def test_a_model_that_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError):
        System.make(f'st:"{tmp_path / "none"}"')
