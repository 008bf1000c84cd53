"""Scoring answers by reference spans; equality with Chroma's published code on its own data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ragembed import Chunk, Document, Hit, Pipeline
from ragembed.datasets import load
from ragembed.errors import DatasetError, SpecError
from ragembed.eval.measures import evaluate
from ragembed.eval.spans import evaluate_spans, needs_chunks, parse_measures, retrieve_spans, spans_of
from ragembed.types import Span, SpanTruth

# 20 characters answer q1, the first half of them and the second in two spans that overlap
TRUTH: SpanTruth = {"q1": [Span("d", 10, 22), Span("d", 20, 30)], "q2": [Span("e", 0, 5)]}


def test_recall_precision_and_iou_of_one_answer() -> None:
    # 10 of 20 found after one chunk of 20; all 20 after 20 + 25 characters, 5 of which were read twice
    answers = {"q1": [Span("d", 0, 20), Span("d", 15, 40)], "q2": [Span("d", 0, 5), Span("e", 0, 5)]}
    scores = evaluate_spans(TRUTH, answers, "SpanR@1,SpanP@1,SpanIoU@1,SpanR@2,SpanP@2,SpanIoU@2")
    assert {name: values["q1"] for name, values in scores.per_query.items()} == {
        "SpanR@1": 10 / 20, "SpanP@1": 10 / 20, "SpanIoU@1": 10 / (20 + 10),
        "SpanR@2": 20 / 20, "SpanP@2": 20 / 45, "SpanIoU@2": 20 / 45,
    }  # fmt: skip
    # what q2 asks for stands in another document, at characters that the first chunk has too
    assert scores.per_query["SpanR@1"]["q2"] == 0.0
    assert scores.per_query["SpanR@2"]["q2"] == 1.0
    assert scores.means["SpanR@1"] == 0.25


def test_a_cutoff_in_characters_cuts_the_last_chunk() -> None:
    answers = {"q1": [Span("d", 0, 20), Span("d", 20, 40)]}
    scores = evaluate_spans({"q1": TRUTH["q1"]}, answers, "SpanR@25c,SpanP@25c,SpanR@5c,SpanR@99c,SpanP@99c")
    assert scores.means == {
        "SpanR@25c": 15 / 20, "SpanP@25c": 15 / 25, "SpanR@5c": 0.0, "SpanR@99c": 1.0, "SpanP@99c": 0.5,
    }  # fmt: skip


def test_what_repeats_gains_nothing() -> None:
    once = {"q1": [Span("d", 0, 20), Span("d", 20, 40)]}
    twice = {"q1": [Span("d", 0, 20), Span("d", 0, 20), Span("d", 20, 40)]}
    truth = {"q1": TRUTH["q1"]}
    names = ["SpanR@9", "SpanP@9", "SpanIoU@9", "SpanNDCG@9"]
    first, second = evaluate_spans(truth, once, names).means, evaluate_spans(truth, twice, names).means
    assert first["SpanR@9"] == second["SpanR@9"] == 1.0
    assert all(second[name] < first[name] for name in names[1:])


def test_a_chunk_is_a_unit_wherever_in_it_the_answer_stands() -> None:
    truth = {"early": [Span("d", 0, 100)], "late": [Span("d", 900, 1000)]}
    answers = {query: [Span("d", 0, 1000)] for query in truth}
    values = evaluate_spans(truth, answers, "SpanNDCG@1").per_query["SpanNDCG@1"]
    assert values["early"] == values["late"]


def test_a_whole_document_is_complete_and_still_no_good_answer() -> None:
    truth = {"q": [Span("d", 5000, 5200)]}
    close, whole = {"q": [Span("d", 4900, 5400)]}, {"q": [Span("d", 0, 100_000)]}
    measures = "SpanR@1, SpanNDCG@1, SpanR@2000c"
    assert evaluate_spans(truth, whole, measures).means["SpanR@1"] == 1.0
    assert evaluate_spans(truth, whole, measures).means["SpanNDCG@1"] < 0.25
    assert evaluate_spans(truth, whole, measures).means["SpanR@2000c"] == 0.0
    assert evaluate_spans(truth, close, measures).means["SpanNDCG@1"] > 0.85


def test_precision_omega_asks_how_closely_chunks_can_cut_the_answer_out() -> None:
    truth = {"q1": TRUTH["q1"], "q2": [Span("nowhere", 0, 9)]}
    tens = [Span("d", start, start + 10) for start in range(0, 50, 10)]
    scores = evaluate_spans(truth, {}, "SpanPOmega, SpanPOmega(touching=false)", chunks=tens)
    # the chunks 10-20 and 20-30 are the answer; 0-10 and 30-40 only touch it
    assert scores.per_query["SpanPOmega"] == {"q1": 20 / 40, "q2": 0.0}
    assert scores.per_query["SpanPOmega(touching=false)"] == {"q1": 1.0, "q2": 0.0}
    # half of the answer lies in no chunk: it counts among all characters
    half = evaluate_spans(truth, {}, "SpanPOmega", chunks=[Span("d", 0, 20)])
    assert half.per_query["SpanPOmega"]["q1"] == 10 / 30


def test_what_a_mean_is_a_mean_of() -> None:
    truth: SpanTruth = {
        "hit": [Span("d", 0, 5)],
        "none": [Span("d", 0, 5)],
        "empty": [],
        "nil": [Span("d", 3, 3)],
    }
    answers = {"hit": [Span("d", 0, 5)], "empty": [Span("d", 0, 5)], "more": [Span("d", 0, 5)]}
    scores = evaluate_spans(truth, answers, "SpanR@1")
    assert scores.per_query == {"SpanR@1": {"hit": 1.0, "none": 0.0, "empty": 0.0, "nil": 0.0}}
    assert scores.means == {"SpanR@1": 0.25}
    assert scores.unanswered == ("none", "nil")
    assert scores.without_relevant == ("empty", "nil")
    assert scores.unjudged == ("more",)
    assert evaluate_spans(truth, {}, "SpanR@1").means == {"SpanR@1": 0.0}


def test_what_cannot_be_scored() -> None:
    answers = {"q1": [Span("d", 0, 5)]}
    with pytest.raises(SpecError, match=r"nDCG@10 is not over spans; .*SpanR, SpanP"):
        evaluate_spans(TRUTH, answers, "nDCG@10")
    with pytest.raises(SpecError, match=r"SpanPOmega looks at all chunks .*; pass chunks="):
        evaluate_spans(TRUTH, answers, "SpanPOmega")
    with pytest.raises(DatasetError, match=r"no reference spans to score by"):
        evaluate_spans({}, answers, "SpanR@1")
    with pytest.raises(
        DatasetError, match=r"to none of the 2 queries .*: they have 'x', the spans have 'q1'"
    ):
        evaluate_spans(TRUTH, {"x": []}, "SpanR@1")
    with pytest.raises(DatasetError, match=r"answer to query 'q1' name characters 9 to 5 of document 'd'"):
        evaluate_spans(TRUTH, {"q1": [Span("d", 9, 5)]}, "SpanR@1")
    with pytest.raises(DatasetError, match=r"reference spans of query 'q' name characters -1 to 5"):
        evaluate_spans({"q": [Span("d", -1, 5)]}, {}, "SpanR@1")
    with pytest.raises(DatasetError, match=r"the chunks name characters 9 to 5"):
        evaluate_spans(TRUTH, answers, "SpanPOmega", chunks=[Span("d", 9, 5)])
    with pytest.raises(SpecError, match=r"SpanR@5 looks at reference spans"):
        evaluate({"q1": {"d": 1}}, {"q1": {"d": 1.0}}, "nDCG@10,SpanR@5")
    assert [needs_chunks(each) for each in parse_measures("SpanR@5,SpanPOmega,R@5")] == [False, True, False]


def test_hits_become_spans() -> None:
    hits = [Hit(Chunk("c1", "d", "abc", 4, 7), 2.0, 1), Hit(Chunk("c2", "e", "x", 0, 1), 1.0, 2)]
    assert spans_of(hits) == [Span("d", 4, 7), Span("e", 0, 1)]


def test_retrieval_goes_as_deep_as_the_measures_look(tmp_path: Path) -> None:
    text = " ".join(f"cat{number:02d} purr." for number in range(40))
    with Pipeline.create(
        tmp_path / "index", "bm25", "sentence(tokens=3, overlap=0, tokenizer=words)"
    ) as pipeline:
        pipeline.add([Document("cats", text), Document("dogs", "dogs bark")])
        depths: list[int] = []

        class Noting:
            def search_many(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
                depths.append(k)
                return pipeline.search_many(queries, k)

        queries = {"q1": "purr", "q2": "bark"}
        answers = retrieve_spans(Noting(), queries, "SpanR@3")
        assert (len(answers["q1"]), len(answers["q2"]), depths) == (3, 1, [3])
        depths.clear()
        answers = retrieve_spans(Noting(), queries, "SpanR@3,SpanR@100c")
        assert list(answers) == ["q1", "q2"]
        assert sum(end - start for _, start, end in answers["q1"]) >= 100
        assert all(text[start:end].endswith("purr.") for _, start, end in answers["q1"])
        assert depths[:2] == [3, 6]
        assert len(retrieve_spans(pipeline, queries, "SpanR@999999c")["q1"]) == 40
        assert len(retrieve_spans(pipeline, queries, "SpanR@3,SpanPOmega", k=7)["q1"]) == 7


# Means over all questions and the first three values that are not 0, as computed by Chroma's own code
# (brandonstarxel/chunking_evaluation, commit d451fc4) on its own five texts, for windows of characters and a plain
# retrieval that no code of ours decides. To get them again:
#     python -m ragembed.eval.bench.spans --theirs CHECKOUT
CHROMA = {
    (800, 400): {
        "SpanR@5": (0.641896014743, {"q0": 0.902542372881, "q2": 1.0, "q3": 1.0}),
        "SpanP@5": (0.042055555556, {"q0": 0.053250000000, "q2": 0.025000000000, "q3": 0.026500000000}),
        "SpanIoU@5": (0.041604891457, {"q0": 0.052945563013, "q2": 0.025000000000, "q3": 0.026500000000}),
        "SpanPOmega": (0.163297112125, {"q0": 0.118000000000, "q1": 0.165625000000, "q2": 0.083333333333}),
    },
    (300, 300): {
        "SpanR@5": (0.401402732969, {"q0": 0.334745762712, "q2": 1.0, "q3": 1.0}),
        "SpanP@5": (0.066973163842, {"q0": 0.052666666667, "q2": 0.066666666667, "q3": 0.070666666667}),
        "SpanIoU@5": (0.062841080800, {"q0": 0.047676523838, "q2": 0.066666666667, "q3": 0.070666666667}),
        "SpanPOmega": (0.422344338512, {"q0": 0.262222222222, "q1": 0.441666666667, "q2": 0.333333333333}),
    },
}


@pytest.mark.parametrize(("size", "step"), CHROMA)
def test_equal_to_the_published_code_on_its_own_data(shared_data: Path, size: int, step: int) -> None:
    from ragembed.eval.bench.spans import by_shared_words, windows

    dataset = load(shared_data / "chunking_eval")
    chunks = windows(dataset, size, step)
    answers = by_shared_words(dataset, chunks, 5)
    expected = CHROMA[size, step]
    scores = evaluate_spans(dataset.spans, answers, list(expected), chunks=chunks)
    for name, (mean, first) in expected.items():
        assert scores.means[name] == pytest.approx(mean, abs=1e-9)
        for query, value in first.items():
            assert scores.per_query[name][query] == pytest.approx(value, abs=1e-9)
