"""Names of measures."""

from __future__ import annotations

import sys

import pytest

from ragembed.errors import MissingExtraError, SpecError
from ragembed.eval.names import Measure, parse_measure, parse_measures


@pytest.mark.parametrize(
    ("canonical", "spellings"),
    [
        ("nDCG@10", ["ndcg@10", "NDCG@10", "ndcg_cut_10", "ndcg_cut.10", " nDCG @10"]),
        ("nDCG", ["ndcg"]),
        ("R@100", ["recall@100", "Recall@100", "recall_100", "r@100"]),
        ("P@5", ["precision@5", "P_5", "p@5"]),
        ("RR@10", ["mrr@10", "MRR@10", "rr@10"]),
        ("RR", ["recip_rank", "mrr", "RR(rel=1)"]),
        ("AP", ["map", "MAP", "ap", "AP(judged_only=false)"]),
        ("AP@20", ["map_cut_20", "map@20"]),
        ("AP(rel=2)@100", ["map(rel=2)@100", "AP( rel = 2 )@100"]),
        ("Success@5", ["hit@5", "hits@5", "hit_rate@5", "success_5"]),
    ],
)
def test_all_spellings_are_one_measure(canonical: str, spellings: list[str]) -> None:
    assert [str(parse_measure(name)) for name in [canonical, *spellings]] == [canonical] * (
        len(spellings) + 1
    )


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("err@20", "ERR@20"),
        ("BPref", "Bpref"),
        ("IPrec@0.1", "IPrec@0.1"),
        ("IPrec@1", "IPrec@1.0"),
        ("SetF(beta=2.0)", "SetF(beta=2.0)"),
        ("NumRelRet", "NumRet(rel=1)"),
        ("Compat(p=0.95)", "Compat"),
        ("nDCG(dcg='exp-log2')@5", "nDCG(dcg=exp-log2)@5"),
        ("AP(rel=2,judged_only=true)", "AP(judged_only=true,rel=2)"),
    ],
)
def test_other_measures_are_those_of_ir_measures(written: str, canonical: str) -> None:
    pytest.importorskip("ir_measures")
    assert str(parse_measure(written)) == canonical
    assert parse_measure(canonical) == parse_measure(written)


def test_a_list_is_cut_at_commas_outside_parentheses_and_keeps_each_measure_once() -> None:
    names = [str(measure) for measure in parse_measures("nDCG@10, AP(rel=2),ndcg@10 ,R@5,")]
    assert names == ["nDCG@10", "AP(rel=2)", "R@5"]
    assert parse_measures([Measure("P", 5), "P@5"]) == parse_measures(Measure("P", 5)) == (Measure("P", 5),)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "ndgc@10",
            r"unknown measure 'ndgc@10'; did you mean nDCG\? valid are: nDCG, R, P, AP, RR, Success, .*ERR",
        ),
        ("R", r"'R' lacks a cutoff; write for example R@10"),
        ("P@0", r"the cutoff 0 is no whole number from 1"),
        ("P@2.5", r"the cutoff 2.5 is no whole number from 1"),
        ("nDCG@ten", r"'ten' is no cutoff"),
        ("nDCG@", r"'' is no cutoff"),
        ("AP(rel=0)", r"rel=0 is no gain from 1"),
        ("AP(level=2)", r"parameters of AP are: cutoff, judged_only, rel"),
        ("nDCG(rel=2)", r"parameters of nDCG are: cutoff, dcg, gains, judged_only"),
        ("INST", r"INST lacks max_rel \(maximum relevance score\); write for example INST\(max_rel=3\)$"),
        ("NERR8@10", r"lacks max_rel .*; write for example NERR8\(max_rel=3\)@10$"),
        ("SDCG@10", r"lacks max_rel .*; write for example SDCG\(max_rel=3\)@10$"),
        ("BPM", r"BPM lacks a cutoff and max_rel .*; write for example BPM\(max_rel=3\)@10$"),
        ("INST@10", r"INST@10 takes no cutoff; write for example INST\(max_rel=3\)$"),
        ("IPrec", r"IPrec lacks a recall level; write for example IPrec@0.1$"),
        ("IPrec@nan", r"the recall level nan is no number from 0 to 1; write for example IPrec@0.1$"),
        ("IPrec@inf", r"the recall level inf is no number from 0 to 1"),
        ("IPrec@1.5", r"the recall level 1.5 is no number from 0 to 1"),
        ("IPrec@-0.1", r"the recall level -0.1 is no number from 0 to 1"),
        ("ERR@0", r"the cutoff 0 is no whole number from 1; write for example ERR@10$"),
        ("ERR@nan", r"the cutoff nan is no whole number from 1"),
        ("AP(rel=2", r"does not parse; write it like one of nDCG@10"),
        ("AP:x", r"takes nothing after a colon"),
        ("", r"does not parse"),
    ],
)
def test_what_is_no_measure(name: str, message: str) -> None:
    pytest.importorskip("ir_measures")
    with pytest.raises(SpecError, match=message) as caught:
        parse_measure(name)
    assert "\n" not in str(caught.value)
    assert "<object" not in str(caught.value)


@pytest.mark.parametrize("name", ["α_nDCG(alpha=0.3)@10", "alpha_nDCG(α=0.3)@10", "ALPHA_NDCG(alpha=0.3)@10"])
def test_the_greek_letter_is_written_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ir_measures = pytest.importorskip("ir_measures")
    # what computes it may not be installed; then the error names the measure, which was understood
    monkeypatch.setattr(type(ir_measures.DefaultPipeline), "supports", lambda *_: False)
    with pytest.raises(SpecError, match=r"no package .* computes alpha_nDCG\(alpha=0.3\)@10"):
        parse_measure(name)
    monkeypatch.setattr(type(ir_measures.DefaultPipeline), "supports", lambda *_: True)
    assert str(parse_measure(name)) == "alpha_nDCG(alpha=0.3)@10"


def test_no_measure_at_all() -> None:
    with pytest.raises(SpecError, match="no measure is named"):
        parse_measures(" , ")


def test_without_ir_measures_our_own_remain_and_the_others_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)  # what Python does for a package that is not there
    assert len(parse_measures("nDCG@10,R@100,P@5,AP(rel=2),RR@10,Success@5")) == 6
    with pytest.raises(
        MissingExtraError, match=r"did you mean nDCG\? without it there are nDCG, R, P, AP, RR, Succ.*pip"
    ):
        parse_measure("ndgc@10")
    with pytest.raises(MissingExtraError, match=r"ragembed\[eval\]"):
        parse_measure("ERR@10")
