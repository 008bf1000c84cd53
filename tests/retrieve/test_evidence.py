"""Fusion by evidence: what each list gives, and what an embedder that understands nothing does not give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed import Document, Pipeline
from ragembed.retrieve.agreement import Measured, measured, trust
from ragembed.retrieve.fusion import DEPTH, FUSIONS, Scores
from ragembed.retrieve.fusion.evidence import Evidence

BM25 = Scores(0.0, evidence=True)
WORDS = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nrst"]


def test_by_hand() -> None:
    lexical = [(1, 8.0), (2, 3.0)]
    dense = [(2, 0.9), (3, 0.5), (4, 0.1)]
    hits = Evidence().fuse([lexical, dense], [BM25, Scores(-1.0, nats=2.0, spread=0.1)])
    assert {hit.row: hit.score for hit in hits} == pytest.approx(
        {1: 8.0, 2: 3.0 + 2 * 0.8 / 0.1, 3: 2 * 0.4 / 0.1, 4: 0.0}
    )


def test_without_a_spread_that_of_the_list_stands_for_it() -> None:
    scores = np.array([0.9, 0.5, 0.1])
    deviation = 0.4 * np.sqrt(2 / 3)
    assert Evidence().shares(scores, Scores(nats=2.0)) == pytest.approx([0.8 / deviation, 0.4 / deviation, 0])
    assert Evidence().shares(np.array([0.5, 0.5]), Scores(nats=2.0)).tolist() == [0, 0]


@pytest.mark.parametrize("of", [BM25, Scores(nats=2.0, spread=0.5)])
def test_a_list_that_is_cut_off_gives_what_is_above_its_end(of: Scores) -> None:
    unit = 1 if of.evidence else 4
    scores = np.linspace(9, 2, DEPTH)
    assert Evidence().shares(scores, of) == pytest.approx(unit * (scores - 2))
    short = scores[:-1]  # all that there is
    assert Evidence().shares(short, of) == pytest.approx(short if of.evidence else unit * (short - short[-1]))


@pytest.mark.parametrize("of", [BM25, Scores(nats=2.0, spread=0.5)])
def test_deeper_lists_keep_their_order_and_change_little(of: Scores) -> None:
    scores = np.linspace(9, 2, DEPTH + 300)
    deep, first = Evidence().shares(scores, of), Evidence().shares(scores[:DEPTH], of)
    assert (np.diff(deep) < 0).all()
    assert deep[-1] == 0
    assert np.abs(np.diff(deep[:DEPTH]) - np.diff(first)).max() < 1e-9


def test_scores_that_are_all_alike_up_to_the_end_say_nothing() -> None:
    scores = np.append(
        np.full(DEPTH, 0.1), 0.0
    )  # the deviation of the first 200 is 0, whatever their mean rounds to
    assert Evidence().shares(scores, Scores()).tolist() == [0.0] * len(scores)


def test_weights_multiply() -> None:
    lists = [[(1, 8.0)], [(2, 0.9), (1, 0.1)]]
    of = [BM25, Scores(nats=2.25, spread=0.2)]
    plain = FUSIONS.create("evidence").contributions([[8.0], [0.9, 0.1]], of)
    halved = FUSIONS.create("evidence(weights=1:0.5)").contributions([[8.0], [0.9, 0.1]], of)
    assert halved[0] == pytest.approx(plain[0])
    assert halved[1] == pytest.approx(plain[1] / 2)
    assert FUSIONS.create("evidence(weights=1:0)").fuse(lists, of)[0].row == 1


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(1, 9))
def test_units_of_other_embedders_do_not_matter(values: list[int], factor: int) -> None:
    scores = np.array(sorted(values, reverse=True)) / 10
    for spread in (None, 0.3):
        given = Evidence().shares(scores, Scores(nats=1.5, spread=spread))
        assert np.isfinite(given).all()
        assert (np.diff(given) <= 1e-12).all()
        scaled = Scores(nats=1.5, spread=spread and spread * factor)
        assert Evidence().shares(scores * factor - 2, scaled) == pytest.approx(given, abs=1e-9)


def test_trust() -> None:
    assert [trust(each) for each in (-1.0, 0.3, 0.75, 1.125, 1.5, 3.0)] == [0, 0, 0, 0.5, 1, 1]


def texts(count: int) -> list[Document]:
    """Documents of five topics, each of words of its own."""
    generator = np.random.default_rng(0)
    found = []
    for number in range(count):
        topic = WORDS[28 * (number % 5) : 28 * (number % 5 + 1)]
        found.append(Document(f"d{number:03}", " ".join(generator.choice(topic, 12))))
    return found


def found_of(pipeline: Pipeline) -> Measured | None:
    with pipeline._search().ranking("anything") as ranking:
        return measured(ranking.catalog, ranking.sides, ranking.sides[1])


def test_an_embedder_that_understands_agrees(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25+lsa(dimension=5)", "whole") as pipeline:
        pipeline.add(texts(120))
        found = found_of(pipeline)
        assert found is not None
        assert found.agreement is not None
        assert found.agreement > 1.25
        pipeline.search("banana")
        assert pipeline.doubts() == []


def test_one_that_understands_nothing_does_not_count(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25+lsa(dimension=5)", "whole") as pipeline:
        documents = texts(120)
        pipeline.add(documents)
        with pipeline._search().ranking(documents[0].text) as ranking:
            for segment in ranking.sides[1].index.segments:  # type: ignore[attr-defined]
                noise = np.random.default_rng(1).standard_normal((len(segment.flat), 5)).astype(np.float32)
                noise /= np.linalg.norm(noise, axis=1, keepdims=True)
                object.__setattr__(segment.flat, "codes", noise.view(np.uint8))
            ranking.sides[1].judged = False  # type: ignore[attr-defined]
            found = measured(ranking.catalog, ranking.sides, ranking.sides[1])
        assert found is not None
        assert found.agreement is not None
        assert abs(found.agreement) < 0.5
        assert found.spread == pytest.approx(1 / np.sqrt(5), abs=0.05)  # of unit vectors in five dimensions
        hybrid = pipeline.search(documents[0].text, 5)
        lexical = pipeline.search(documents[0].text, 5, fusion="evidence(weights=1:0)")
        assert [hit.chunk.id for hit in hybrid] == [hit.chunk.id for hit in lexical]
        assert "it counts 0% in this hybrid" in pipeline.doubts()[0]


def test_too_little_to_tell(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25+lsa(dimension=5)", "whole") as pipeline:
        pipeline.add(texts(49))
        assert found_of(pipeline) is None
    with Pipeline.create(tmp_path / "j", "tfidf+lsa(dimension=5)", "whole") as pipeline:
        pipeline.add(texts(120))
        found = found_of(pipeline)
        assert found is not None
        assert found.agreement is None  # nothing to hold it against


def test_it_is_measured_once_for_each_state(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25+lsa(dimension=5)", "whole") as pipeline:
        pipeline.add(texts(120))
        pipeline.search("banana")
        side = pipeline._search()._view.sides[1]
        assert side.judged  # type: ignore[attr-defined]
        pipeline.delete(["d000", "d001", "d002"])
        pipeline.search("banana")
        assert pipeline._search()._view.sides[1] is not side
