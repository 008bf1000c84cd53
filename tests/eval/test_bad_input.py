"""Malformed collections and runs, as a user meets them: one line on stderr and exit 1, or a counted warning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from ragembed.cli import main
from ragembed.errors import SpecError
from ragembed.eval.measures import evaluate
from ragembed.eval.run_file import evaluate_run
from ragembed.types import Qrels

HEADER = "query-id\tcorpus-id\tscore\n"


class Done(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


class RunEval(Protocol):
    """`ragembed eval` with more options, over other judgements."""

    def __call__(self, *options: str, qrels: str | bytes | None = None) -> Done: ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A BEIR folder: `purr` finds d1, `swim` finds d 3, whose id has a space, and `bark` finds d2."""
    (tmp_path / "c" / "qrels").mkdir(parents=True)
    (tmp_path / "c" / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "Cats", "text": "They purr."}\n'
        '{"_id": "d2", "title": "", "text": "Dogs bark."}\n'
        '{"_id": "d 3", "text": "Fish swim."}\n'
    )
    (tmp_path / "c" / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "purr"}\n{"_id": "q2", "text": "swim"}\n{"_id": "q3", "text": "the"}\n'
    )
    (tmp_path / "c" / "qrels" / "test.tsv").write_text(f"{HEADER}q1\td1\t1\nq2\td 3\t1\n")
    return tmp_path / "c"


@pytest.fixture
def run_eval(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunEval:
    """`ragembed eval` with BM25 over the folder, whose judgements are first replaced by `qrels`."""
    monkeypatch.delenv("RAGEMBED_DEBUG", raising=False)

    def call(*options: str, qrels: str | bytes | None = None) -> Done:
        if qrels is not None:
            (folder / "qrels" / "test.tsv").write_bytes(qrels.encode() if isinstance(qrels, str) else qrels)
        system = () if "--run-file" in options else ("--embedder", "bm25")
        monkeypatch.setattr("sys.argv", ["ragembed", "eval", "--dataset", str(folder), *system, *options])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ("q1\td9\t1\n", "name 1 unknown document ('d9'); add them to the documents, or allow unknown ids"),
        ("q9\td1\t1\n", "name 1 unknown query ('q9'); add them to the queries, or allow unknown ids"),
        ("q1\td1\t1\nq1\td1\t2\n", "judges document 'd1' of query 'q1' as 1 on line 2 and as 2 on line 3; keep one"),
        ("", "test.tsv holds no judgement; write 'query-id 0 document-id gain' (TREC), or three columns"),
        ("q1\td1\t0.5\n", "line 2: gain 0.5 is no whole number; correct the line, or take it out"),
        ("q1\td1\t1_0\n", "line 2: gain '1_0' is no number"),
        ("q1\td1\tnan\n", "line 2: gain 'nan' is no number"),
        ("q1\td1\t1000001\n", "line 2: gain 1000001 is beyond 1,000,000"),
        ("q1\td1\t\n", "line 2: gain '' is no number"),
        ("\td1\t1\n", "line 2: the query id is missing"),
        ("q1\t\t1\n", "line 2: the document id is missing"),
        ("q1\td1\t1\nq2 d2 1\n", "line 3: 1 columns where 3 columns between tabs are expected"),
        ("q1\td1 1\n", "line 2: 2 columns where 3 columns between tabs are expected"),
        ("q1\td1\t1\t\n", "line 2: 4 columns where 3 columns between tabs are expected"),
    ],
)  # fmt: skip
def test_judgements_that_are_refused(run_eval: RunEval, qrels: str, message: str) -> None:
    done = run_eval(qrels=HEADER + qrels)
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: ")
    assert message in done.err


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ("", "holds no judgement"),
        ("q1\td1\tyes\nq2\td2\t1\n", "line 1: gain 'yes' is no number"),  # no header, though no number
        ("q1 d1 1\n", "line 1: 3 columns where 4 columns are expected"),
        ("query-id,corpus-id,score\nq1,d1,1\n", "line 1: 1 columns where 4 columns are expected"),
        ("q1\t0\td1 1\n", "line 1: gain 'd1 1' is no number"),
        ("q1\t0\td1\t1\nq1 0 d2\n", "line 2: 3 columns where 4 columns are expected"),
        (HEADER.encode("utf-16"), "line 1: byte 0xff at position 1 is not UTF-8"),
    ],
)
def test_first_lines_that_are_refused(run_eval: RunEval, qrels: str | bytes, message: str) -> None:
    done = run_eval(qrels=qrels)
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert message in done.err


@pytest.mark.parametrize(
    "qrels",
    [
        "q1\td1\t1\nq2\td 3\t1\n",
        "qid\tdid\trelevance\nq1\td1\t1\nq2\td 3\t1\n",
        "query_id\tdoc_id\tRelevance Score\nq1\td1\t+1\nq2\td 3\t1.0\n",
        (HEADER + "q1\td1\t1\nq2\td 3\t1\n").replace("\n", "\r\n"),
        "\ufeff" + HEADER + "q1\td1\t1\nq2\td 3\t1\n",
        "\ufeffq1\td1\t1\n\nq2\td 3\t1\nq2\td 3\t1\n",  # judged twice alike
        "q1\td1\t1\nq2\td 3\t1\nq2\td2\t-1\n",
    ],
)
def test_judgements_that_are_read_alike(run_eval: RunEval, qrels: str) -> None:
    done = run_eval("--measures", "nDCG@10,P@1,AP", qrels=qrels)
    assert (done.code, done.err) == (0, "")
    assert "nDCG@10 1.0000  P@1 1.0000  AP 1.0000  (2 queries" in done.out


@pytest.mark.parametrize(
    "qrels", ["# made by hand\nq1\t0\td1\t1\n# the end\n", "q1 Q0 d1 1\r\n", " q1  0  d1  1\n"]
)
def test_trec_judgements_in_a_beir_folder(run_eval: RunEval, qrels: str) -> None:
    done = run_eval(qrels=qrels)
    assert (done.code, done.err) == (0, "")
    assert "nDCG@10 1.0000  R@100 1.0000  (1 queries" in done.out


def test_a_split_that_is_missing(run_eval: RunEval) -> None:
    done = run_eval("--split", "dev")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("has no judgements for the split 'dev'; there are: test\n")


def test_unknown_ids_that_are_allowed_count_as_not_found(run_eval: RunEval) -> None:
    qrels = "q1\td1\t1\nq1\td9\t1\nq9\td1\t1\n"
    done = run_eval("--allow-unknown", "--measures", "R@10", qrels=qrels)
    assert done.code == 0
    assert "R@10 0.2500  (2 queries" in done.out  # half of q1's, and nothing of q9's


@pytest.mark.parametrize("gain", ["0", "-1"])
def test_queries_without_a_relevant_document_are_counted(run_eval: RunEval, gain: str) -> None:
    done = run_eval("--measures", "nDCG@10", qrels=f"q1\td1\t1\nq2\td2\t{gain}\n")
    assert done.code == 0
    assert "nDCG@10 0.5000  (2 queries" in done.out
    assert "relevant document" in done.err


def test_only_negative_gains_do_not_crash_what_ir_measures_asks(run_eval: RunEval) -> None:
    pytest.importorskip("ir_measures")
    measures = "Rprec,Bpref,ERR@10,Judged@10,infAP,SetF,IPrec@0.5,Compat"
    done = run_eval("--measures", measures, "--json", qrels="q1\td1\t-1\nq2\td2\t-2\n")
    assert done.code == 0
    assert '"Rprec": 0.0' in done.out


def test_ids_with_spaces_are_evaluated_and_do_not_fit_into_a_run(run_eval: RunEval, tmp_path: Path) -> None:
    out = tmp_path / "run.trec"
    done = run_eval("--run", str(out))
    assert done.code == 1
    assert "nDCG@10 1.0000" in done.out  # what was measured is not lost
    assert "the document id 'd 3' does not fit into a TREC run" in done.err
    assert not out.exists()


# runs of other systems


def scored(folder: Path, run: str | bytes) -> Path:
    path = folder.parent / "run.trec"
    path.write_bytes(run.encode() if isinstance(run, str) else run)
    return path


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("", "run.trec holds no answer; check what should have written it"),
        ("# nothing\n\n", "run.trec holds no answer"),
        ("q1 Q0 d1 1 nan x\n", "line 1: the score 'nan' is no number"),
        (
            "q1 Q0 d1 1 2 x\nq1 Q0 d1 2 1 x\n",
            "document 'd1' for query 'q1' on line 1 and on line 2; keep one",
        ),
        ("q2 Q0 d 3 1 2 x\n", "line 1: 7 columns where 6 are expected"),
        ("q7 Q0 d1 1 2 x\n", "answers none of the 2 judged queries: it has 'q7', the judgements have 'q1'"),
        ('{"q1": {"d1": 1.0}}\n', "line 1: 3 columns where 6 are expected"),
        (b"\xff\xfe", "line 1: byte 0xff at position 1 is not UTF-8"),
    ],
)
def test_runs_that_are_refused(run_eval: RunEval, folder: Path, run: str | bytes, message: str) -> None:
    done = run_eval("--run-file", str(scored(folder, run)))
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert message in done.err


def test_a_run_that_is_not_there(run_eval: RunEval, folder: Path) -> None:
    done = run_eval("--run-file", str(folder / "no.trec"))
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(
        "no.trec cannot be read (No such file or directory); check the path and its permissions\n"
    )


def test_what_is_odd_about_a_run_is_counted(run_eval: RunEval, folder: Path) -> None:
    run = scored(folder, "\ufeffq1 Q0 d9 1 2 mine\r\nq1 Q0 d1 2 1 mine\r\nq7 Q0 d1 1 1 mine\r\n")
    done = run_eval("--run-file", str(run), "--measures", "RR,R@5")
    assert (done.code, done.out) == (0, "c  mine  RR 0.2500  R@5 0.5000  (2 queries)\n")
    assert done.err.splitlines() == [
        "1 judged query without an answer ('q2'): each scores 0",
        "1 answered query without judgements ('q7'): each is left out",
        "1 document is not in the collection, and not relevant",
        "the run has at most 2 documents for a query, a measure looks 5 deep: what is missing counts as not found",
    ]
    told = json.loads(run_eval("--run-file", str(run), "--measures", "RR", "--json").out)
    assert (told["tag"], told["measures"], told["unanswered"]) == ("mine", {"RR": 0.25}, ["q2"])
    assert (told["depth"], told["unknown"], told["unjudged"]) == (2, 1, 1)


def test_ties_of_a_run_are_broken_as_trec_eval_breaks_them(folder: Path) -> None:
    from ragembed.datasets import load

    run = scored(folder, "q1 Q0 d1 1 0.5 x\nq1 Q0 d2 2 0.5 x\n")  # the rank in the file says otherwise
    assert evaluate_run(load(folder), run, "RR").scores.per_query["RR"]["q1"] == 0.5


# what the programs behind ir_measures would not bear


def test_queries_and_documents_may_have_any_names() -> None:
    pytest.importorskip("ir_measures")
    qrels: Qrels = {"set-1": {"my file": 1, "b": 0}, "other-1": {"x\0y": 2}, "q": {"c": 1}}
    run = {"set-1": {"my file": 2.0, "b": 1.0}, "other-1": {"a": 2.0, "x\0y": 1.0}}
    # ERR: the first document's chance to satisfy is (2**gain - 1) / 2**4, at rank r it is divided by r
    assert evaluate(qrels, run, "ERR@10").per_query["ERR@10"] == pytest.approx(
        {"set-1": 1 / 16, "other-1": 3 / 16 / 2, "q": 0.0}, abs=1e-5
    )
    assert evaluate(qrels, run, "Rprec,Judged@2").means == pytest.approx({"Rprec": 1 / 3, "Judged@2": 0.5})


def test_a_gain_that_gdeval_does_not_take() -> None:
    pytest.importorskip("ir_measures")
    with pytest.raises(SpecError, match=r"ERR@5 is defined for gains up to 4, and the judgements go up to 5"):
        evaluate({"q": {"a": 5}}, {"q": {"a": 1.0}}, "AP,ERR@5")


def test_a_measure_that_fails_is_the_one_that_is_named() -> None:
    pytest.importorskip("ir_measures")
    with pytest.raises(SpecError, match=r"cannot compute Accuracy@1 .*division by zero.*; leave it out"):
        evaluate({"q": {"a": 1}}, {"q": {"a": 1.0}}, "Rprec,Accuracy@1")


def test_from_the_shell(folder: Path) -> None:
    command = [sys.executable, "-c", "from ragembed.cli import main; main()", "eval", "--embedder", "bm25"]
    (folder / "qrels" / "test.tsv").write_text(f"{HEADER}q1\td1\tinf\n")
    done = subprocess.run([*command, "--dataset", str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("line 2: gain 'inf' is no number; correct the line, or take it out\n")
