"""TREC run files."""

from __future__ import annotations

from array import array
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.errors import DatasetError
from ragembed.eval.ranking import ranked
from ragembed.eval.runs import read_run, write_run
from ragembed.types import Run


def test_lines_are_ranked_from_1_in_the_order_that_is_scored(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    write_run(path, {"q1": {"a": 0.5, "b": 2, "c": 0.5, "d": -1.0}, "q2": {}}, tag="bm25", k=3)
    assert path.read_text() == "q1 Q0 b 1 2.0 bm25\nq1 Q0 c 2 0.5 bm25\nq1 Q0 a 3 0.5 bm25\n"


def test_float32_scores_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    third = np.float32(1 / 3)
    write_run(path, {"q": {"a": third}})  # type: ignore[dict-item]
    assert np.float32(read_run(path)["q"]["a"]) == third


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.text("q1é\u00a0", min_size=1, max_size=3),
        st.dictionaries(st.text("d2\u2028", min_size=1, max_size=3), st.floats(allow_nan=False), min_size=1),
    )
)
def test_what_is_written_is_read_back_in_float32_and_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, run: Run
) -> None:
    path = tmp_path_factory.mktemp("runs") / "run.trec"
    write_run(path, run)
    back = read_run(path)
    assert {query: array("f", [found[d] for d in back[query]]) for query, found in run.items()} == {
        query: array("f", found.values()) for query, found in back.items()
    }
    for query, found in back.items():
        assert list(found) == ranked(run[query])
        # trec_eval 10 compares what is written in float64
        assert list(found) == sorted(found, key=lambda document: (found[document], document), reverse=True)


def test_scores_that_float32_cannot_tell_apart_are_written_alike(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    write_run(path, {"q": {"a": 1 + 1e-12, "b": 1.0, "c": 0.1}})
    assert path.read_text() == "q Q0 b 1 1.0 ragembed\nq Q0 a 2 1.0 ragembed\nq Q0 c 3 0.1 ragembed\n"


def test_comments_are_skipped_and_nothing_is_written_that_would_be_one(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("# made by hand\n#1 Q0 x 1 9.0 me\n1 Q0 #a 1 2.0 me\n")
    assert read_run(path) == {"1": {"#a": 2.0}}
    with pytest.raises(DatasetError, match=r"query id '#1' does not fit .* # begins a comment"):
        write_run(path, {"#1": {"a": 1.0}})


def test_others_runs_are_read_whatever_their_ranks_and_white_space(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_bytes(b"\xef\xbb\xbf1\tQ0\ta\t0\t1e-3\tx\r\n\r\n 1 0 b 0 -inf my-tag\r\n")
    assert read_run(path) == {"1": {"a": 0.001, "b": -inf}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 Q0 b 2 0.5", r"line 2: 5 columns where 6 are expected; write 'query-id Q0"),
        ("1 Q0 my file 2 0.5 x", r"line 2: 7 columns"),
        ("1 Q0 b 2 nan x", r"line 2: the score 'nan' is no number"),
        ("1 Q0 b 2 high x", r"line 2: the score 'high' is no number"),
        ("1 Q0 b 2 1_0 x", r"line 2: the score '1_0' is no number"),
        ("1 Q0 a 2 0.5 x", r"document 'a' for query '1' on line 1 and on line 2; keep one"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "run.trec"
    path.write_text(f"1 Q0 a 1 1.0 x\n{line}\n")
    with pytest.raises(DatasetError, match=message):
        read_run(path)


@pytest.mark.parametrize(
    ("run", "tag", "message"),
    [
        ({"q": {"my file.txt": 1.0}}, "x", r"document id 'my file.txt' does not fit .*; rename it"),
        ({"q 1": {"d": 1.0}}, "x", r"query id 'q 1' does not fit"),
        ({"q": {"": 1.0}}, "x", r"document id '' does not fit"),
        ({"q": {"a\0b": 1.0}}, "x", r"document id 'a\\x00b' does not fit"),
        ({"q": {"d": 1.0}}, "my tag", r"tag 'my tag' does not fit"),
        ({"q": {"d": nan}}, "x", r"document 'd' of query 'q' has the score NaN"),
    ],
)
def test_what_a_run_cannot_hold_is_refused_and_the_old_file_stays(
    tmp_path: Path, run: Run, tag: str, message: str
) -> None:
    path = tmp_path / "run.trec"
    path.write_text("old\n")
    with pytest.raises(DatasetError, match=message):
        write_run(path, {"first": {"d": 1.0}, **run}, tag)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]
