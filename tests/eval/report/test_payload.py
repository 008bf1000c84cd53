"""The data of the page, as blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import DatasetError
from ragembed.eval.page import script_json
from ragembed.eval.report.payload import BLOCK, blocks

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON | st.sampled_from(["</script><script>alert(1)</script>", "<!--<script>", "]]>", "\u2028\u2029"]))
def test_nothing_can_end_a_script(value: Any) -> None:
    text = script_json(value)
    assert not set("<\u2028\u2029") & set(text)
    assert json.loads(text) == value


def test_nan_is_refused() -> None:
    with pytest.raises(DatasetError, match="NaN"):
        script_json({"value": float("nan")})


def test_blocks_hold_the_report(make_report: Any) -> None:
    report = make_report(documents=BLOCK + 44, queries=5)
    parts = {name: json.loads(text) for name, text in blocks(report)}
    summary = parts["summary"]
    first = report["datasets"][0]
    assert not {"hits", "per_query"} & set(summary["views"][1]["rows"][0])
    assert summary["views"][1]["queries"] == 5
    assert parts["queries-0"]["text"] == [query["text"] for query in first["queries"]]
    assert parts["values-0"]["nDCG@10"][2] == first["results"][2]["per_query"]["nDCG@10"]
    texts = parts["texts-0-0"] + parts["texts-0-1"]
    assert len(parts["texts-0-0"]) == BLOCK
    assert texts == [[text["id"], text["text"]] for text in first["texts"]]


def test_equal_passages_are_stored_once(make_report: Any) -> None:
    report = make_report(datasets=("primer",), queries=30)
    parts = {name: json.loads(text) for name, text in blocks(report)}
    passages = parts["passages-0-0"]
    stored = report["datasets"][0]["results"][1]["hits"]  # the one system of which passages are shown
    assert len(passages) == len(set(passages)) == len({hit[4] for found in stored for hit in found})
    for found, kept in zip(stored, parts["hits-0-1"], strict=True):
        assert [hit[:4] for hit in found] == [hit[:4] for hit in kept]
        assert [hit[4] for hit in found] == [passages[hit[4]] for hit in kept]
    assert {hit[4] for found in parts["hits-0-0"] for hit in found} == {-1}


def test_datasets_of_one_name_are_told_apart(make_report: Any) -> None:
    report = make_report(datasets=("primer", "primer"))
    report["datasets"][1]["split"] = "dev"
    summary = json.loads(next(iter(blocks(report)))[1])
    assert [view["label"] for view in summary["views"]] == ["Overall", "primer (test)", "primer (dev)"]
