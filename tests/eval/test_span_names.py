"""Names of the measures over spans."""

from __future__ import annotations

import pytest

from ragembed.errors import SpecError
from ragembed.eval.names import Measure, needs_spans, parse_measure, parse_measures


@pytest.mark.parametrize(
    ("canonical", "spellings"),
    [
        ("SpanR@5", ["spanr@5", "SPANR@5", "SpanRecall@5", "span_recall@5", " SpanR @ 5"]),
        ("SpanP@5", ["span_precision@5"]),
        ("SpanIoU@5", ["spaniou@5", "span_iou@5"]),
        ("SpanR@4000c", ["SpanR@4000C", "span_recall@4000 c"]),
        ("SpanNDCG@10", ["span_ndcg@10", "SpanNDCG(page=1000)@10"]),
        ("SpanNDCG(page=500)@2000c", ["spanndcg( page = 500 )@2000c"]),
        ("SpanPOmega", ["span_precision_omega", "SpanPOmega(touching=true)"]),
        ("SpanPOmega(touching=false)", []),
    ],
)
def test_all_spellings_are_one_measure(canonical: str, spellings: list[str]) -> None:
    assert {str(parse_measure(name)) for name in [canonical, *spellings]} == {canonical}
    assert needs_spans(parse_measure(canonical))


def test_a_cutoff_counts_chunks_or_characters() -> None:
    assert parse_measure("SpanR@5") == Measure("SpanR", 5)
    assert parse_measure("SpanR@5c") == Measure("SpanR", 5, unit="c")


def test_measures_of_documents_and_of_spans_stand_in_one_list() -> None:
    wanted = parse_measures("nDCG@10, SpanNDCG(page=500)@10,R@100,SpanR@4000c,spanr@4000c")
    assert [str(each) for each in wanted] == ["nDCG@10", "SpanNDCG(page=500)@10", "R@100", "SpanR@4000c"]
    assert [needs_spans(each) for each in wanted] == [False, True, False, True]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SpanR", r"'SpanR' lacks a cutoff; write SpanR@5 .*, SpanR@4000c for the first 4000 characters"),
        ("SpanR@0", r"'0' is no cutoff of chunks or characters from 1"),
        ("SpanR@0c", r"'0c' is no cutoff"),
        ("SpanR@2.5", r"'2.5' is no cutoff"),
        ("SpanR@c", r"'c' is no cutoff"),
        ("SpanR@4k", r"'4k' is no cutoff"),
        ("SpanR@", r"'' is no cutoff"),
        ("SpanPOmega@5", r"SpanPOmega looks at all chunks and takes no cutoff; write SpanPOmega"),
        ("SpanR(page=5)@5", r"has no parameter 'page'; parameters of SpanR are: none"),
        ("SpanNDCG(rel=2)@5", r"has no parameter 'rel'; parameters of SpanNDCG are: page"),
        ("SpanNDCG(page=0)@5", r"page is 0; give a whole number from 1; without it, it is 1000"),
        ("SpanNDCG(page=1.5)@5", r"page is 1.5; give a whole number"),
        ("SpanNDCG(page=true)@5", r"page is True; give a whole number"),
        ("SpanPOmega(touching=1)", r"touching is 1; give true or false; without it, it is true"),
    ],
)
def test_what_is_no_measure(name: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        parse_measure(name)
    assert "\n" not in str(caught.value)


def test_a_misspelt_one_is_recognised() -> None:
    pytest.importorskip("ir_measures")
    with pytest.raises(SpecError, match=r"did you mean SpanNDCG\? valid are: .*SpanR, SpanP, SpanIoU"):
        parse_measure("SpanNGDC@5")
