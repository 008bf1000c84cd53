"""An index searches by what it has learnt, unless it is told otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import CorruptError, SpecError
from ragembed.retrieve.learnt import Learnt, learnt_fusion
from ragembed.spec import Spec

LEARNT = Learnt(
    "convex(weights=0.2:0.8)", {"convex": "convex(weights=0.2:0.8)", "rrf": "rrf(weights=0.4:0.6)"}
)


def resolved(written: str, learnt: Learnt | None = LEARNT) -> str:
    return str(learnt_fusion(Spec.parse(written), learnt))


def test_auto_is_what_was_learnt() -> None:
    assert resolved("auto") == "convex(weights=0.2:0.8)"
    assert resolved("rrf(weights=auto)") == "rrf(weights=0.4:0.6)"
    assert resolved("rrf(k=20)", None) == "rrf(k=20)"


@pytest.mark.parametrize(
    ("written", "learnt", "said"),
    [
        ("auto", None, "has not learnt"),
        ("convex(weights=auto)", None, "has not learnt"),
        ("auto", Learnt(None), "no learnt fusion was better"),
        ("auto(k=3)", LEARNT, "takes no parameters"),
        ("rrf(k=20, weights=auto)", LEARNT, "only for convex, rrf"),
    ],
)
def test_what_was_not_learnt_is_told(written: str, learnt: Learnt | None, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        resolved(written, learnt)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    made = Pipeline.create(tmp_path / "i", "bm25+tfidf", "whole")
    made.add([Document(str(n), f"cats sleep {'all day ' * n}") for n in range(5)])
    return made


def test_searches_take_it(pipeline: Pipeline) -> None:
    convex = pipeline.search("cats all", fusion="convex(weights=0.2:0.8)")
    rrf = pipeline.search("cats all", fusion="rrf")
    plain = pipeline.search("cats all")
    pipeline.learnt = LEARNT
    assert pipeline.learnt == LEARNT
    assert pipeline.search("cats all") == convex
    assert pipeline.search("cats all", fusion="auto") == convex
    assert pipeline.search("cats all", fusion="rrf") == rrf
    assert pipeline.info()["learnt"]["fusion"] == LEARNT.fusion
    pipeline.learnt = None
    assert pipeline.search("cats all") == plain
    assert "learnt" not in pipeline.info()


def test_it_is_no_part_of_the_identity_and_outlives_changes(pipeline: Pipeline) -> None:
    before = pipeline.config
    pipeline.learnt = LEARNT
    assert pipeline.config == before
    pipeline.add([Document("new", "dogs bark")])
    pipeline.delete(["0"])
    pipeline.vacuum()
    with Pipeline.open(pipeline.store.folder) as again:
        assert again.learnt == LEARNT


@pytest.mark.parametrize(
    "damage", [[], 3, {"fusion": 3}, {"fusion": None, "families": {"rrf": 1}, "evidence": {}}]
)
def test_damage_is_told_and_can_be_dropped(pipeline: Pipeline, damage: object) -> None:
    with pipeline.store.writing() as writer:
        writer.put_settings({"learnt": damage})
    with pytest.raises(CorruptError, match="damaged"):
        pipeline.search("cats")
    pipeline.learnt = None
    assert pipeline.search("cats")
