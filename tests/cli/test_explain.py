from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ragembed import Document, Pipeline


def test_a_hit_and_an_expected_document(run: Any, index: Path) -> None:
    done = run("explain", "rotating the keys", "-i", index, "--expected", "docs/cats.txt")
    assert done.code == 0
    assert "stage     out of vocabulary (not in document)" in done.out
    assert "rotating → rotat in 1 of" in done.out
    assert "stop words: the" in done.out
    assert "rotat" in done.out.partition("docs/guide/keys.md::")[2]
    assert done.err == ""


def test_as_json(run: Any, index: Path) -> None:
    done = run(
        "explain", "rotating the keys", "-i", index, "-k", "1", "--expected", "docs/guide/keys.md", "--json"
    )
    found = done.json()
    assert list(found) == [
        "query", "k", "where", "fusion", "lists", "hits", "expected", "chunks", "steps", "notes",
    ]  # fmt: skip
    (hit,) = found["hits"]
    assert list(hit) == [
        "rank", "score", "first_rank", "stands_for", "id", "document_id", "start", "end", "text", "metadata", "steps",
        "parts",
    ]  # fmt: skip
    (part,) = hit["parts"]
    assert list(part) == [
        "embedder", "rank", "score", "share", "method", "contributions", "rest", "length", "average_length",
        "length_factor", "note",
    ]  # fmt: skip
    assert list(part["contributions"][0]) == [
        "what", "score", "start", "end", "count", "query_weight", "document_weight",
    ]  # fmt: skip
    assert list(found["expected"]) == [
        "asked", "kind", "documents", "chunks", "stage", "reason", "message", "remedy", "rank", "evidence", "steps",
        "notes",
    ]  # fmt: skip
    assert list(found["expected"]["steps"][0]) == [
        "step",
        "embedder",
        "rank",
        "of",
        "score",
        "chunk",
        "passed",
    ]
    assert sum(one["score"] for one in part["contributions"]) == pytest.approx(hit["score"], abs=1e-5)
    query = run("query", "rotating the keys", "-i", index, "-k", "1", "--json").json()
    assert {key: hit[key] for key in query["hits"][0]} == query["hits"][0]


def test_a_filter(run: Any, index: Path) -> None:
    done = run("explain", "cats", "-i", index, "--expected", "docs/cats.txt", "--where", "path:guide/*")
    assert "stage     filtered" in done.out
    assert "path is 'docs/cats.txt'" in done.out


def test_a_file_that_was_never_read(run: Any, index: Path, docs: Path) -> None:
    (docs / ".hidden.txt").write_text("cats", encoding="utf-8")
    done = run("explain", "cats", "-i", index, "--expected", docs / ".hidden.txt")
    assert "stage     not read (hidden)" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["cats", "--expected", "a", "--expected", "b"], 2, "--expected was given 2 times"),
        (["cats", "--expected", "docs/cat.txt"], 1, "did you mean 'docs/cats.txt'?"),
        (["cats", "--expected", ""], 1, "the expected document is empty"),
        ([" "], 1, "the query is empty"),
        (["cats", "-k", "0"], 2, "0 is not in the range"),
        (["cats", "--where", "lang ="], 1, ""),
        (["cats", "--fusion", "nothing"], 1, "unknown fusion 'nothing'"),
    ],
)
def test_what_makes_no_sense(
    arguments: list[str], code: int, message: str, run: Any, docs: Path, tmp_path: Path
) -> None:
    index = tmp_path / "h.index"
    assert run("index", docs, "-o", index, "--embedder", "bm25+random-projection").code == 0
    done = run("explain", *arguments, "-i", index)
    assert done.code == code
    assert message in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err


def test_no_index(run: Any, tmp_path: Path) -> None:
    done = run("explain", "cats", "-i", tmp_path / "none")
    assert (done.code, done.out) == (1, "")
    assert "there is no index" in done.err


def test_control_characters_of_a_stranger_do_not_reach_the_terminal(run: Any, tmp_path: Path) -> None:
    name = "evil\x1b[2Jname"
    with Pipeline.create(tmp_path / "i", "bm25(language=none)+random-projection(language=none)") as pipeline:
        pipeline.add([Document(name, "cats\x1b[31m purr", {"title": "t\x07"}), Document("dogs", "dogs bark")])
    for arguments in (
        [],
        ["--expected", name],
        ["--expected", "evilname"],
        ["--where", "title = 'x'", "--expected", name],
    ):
        done = run("explain", "cats\x1b[0m", "-i", tmp_path / "i", *arguments)
        assert not {"\x1b", "\x07"} & set(done.out + done.err)
        assert done.out or "did you mean" in done.err
