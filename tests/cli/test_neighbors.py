"""ragembed neighbors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

LINES = "6 3\nman 0 -1 0\nwoman 0 1 0\nking 2 -1 0\nqueen 2 1 0\napple 0 0 1\nhalf-king 1 -1 0.1\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "royal.txt"
    path.write_text(LINES, encoding="utf-8")
    return path


def test_for_people(run: Any, model: Path) -> None:
    done = run("neighbors", "king - man + woman", "half-king", "--model", model, "-k", 2)
    assert done.out.splitlines() == [
        "king - man + woman",
        "     royal.txt",
        "     6 words x 3",
        "  1  queen  0.8340",  # (2, -1)/sqrt 5 + (0, 1) + (0, 1) = (0.894, 1.553), with (2, 1)/sqrt 5
        "  2  apple  0.0000",
        "half-king",
        "     royal.txt",
        "     6 words x 3",
        "  1  king  0.9463",
        "  2  man   0.7053",
    ]
    assert (done.code, done.err) == (0, "")


def test_json(run: Any, model: Path) -> None:
    done = run("neighbors", "KING - man + woman", "--model", model, "-k", 1, "--method", "3cosmul", "--json")
    (question,) = done.json()["questions"]
    assert (question["question"], question["method"]) == ("KING - man + woman", "3cosmul")
    (column,) = question["columns"]
    assert (column["source"], column["words"], column["dimension"]) == (str(model), 6, 3)
    assert [term["found"] for term in column["terms"]] == ["lower case", "word", "word"]
    assert [(one["rank"], one["word"]) for one in column["neighbors"]] == [(1, "queen")]


def test_signs_without_quotes(run: Any, model: Path) -> None:
    quoted = run("neighbors", "king - man + woman", "apple", "--model", model).out
    for minus in "-−":
        assert run("neighbors", "king", minus, "man", "+", "woman", "apple", "--model", model).out == quoted


def test_side_by_side_over_the_words_of_an_index(run: Any, index: Path, model: Path) -> None:
    done = run(
        "neighbors", "freezes", "-i", index, "--embedder", "onehot(language=none)", "--embedder", "lsa(dimension=4)",
        "--model", model, "-k", 3, "--json",
    )  # fmt: skip
    royal, bm25, onehot, lsa = done.json()["questions"][0]["columns"]
    assert "no vector of 'freezes'" in royal["error"]
    assert (bm25["source"], onehot["neighbors"]) == (
        "bm25(language=english)",
        [],
    )  # nothing is near to anything
    assert {one["word"] for one in lsa["neighbors"]} >= {"lake", "winter"}
    people = run("neighbors", "freezes", "-i", index, "--embedder", "onehot(language=none)", "--model", model)
    assert "(nothing is near)" in people.out
    assert "royal.txt: there is no vector of 'freezes'" in people.err
    assert people.code == 0


def test_words_of_a_file(run: Any, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat\ncats\n\ndog\ncat\n", encoding="utf-8")
    done = run("neighbors", "cat", "--embedder", "onehot(language=english)", "--vocabulary", words, "--json")
    (column,) = done.json()["questions"][0]["columns"]
    assert column["words"] == 3
    assert [(one["word"], one["score"]) for one in column["neighbors"]] == [
        ("cats", 1.0)
    ]  # one stem, one vector


def test_an_embedder_that_has_words(run: Any, model: Path) -> None:
    done = run("neighbors", "man", "--embedder", f"glove(path={model})", "-k", 1, "--json")
    (column,) = done.json()["questions"][0]["columns"]
    assert (column["words"], column["neighbors"][0]["word"]) == (6, "half-king")


def test_unknown_words(run: Any, model: Path) -> None:
    done = run("neighbors", "quen", "--model", model)
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: there is no vector of 'quen' among 6 words; there are: queen\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["king"], "give word vectors"),
        (["king", "--model", "{model}", "--method", "cos"], "valid are: 3cosadd, 3cosmul"),
        (["king", "--model", "{model}", "--vocabulary", "x"], "does nothing here"),
        (["king", "--embedder", "random-projection"], "--vocabulary FILE"),
    ],
)
def test_wrong_usage(run: Any, model: Path, arguments: list[str], told: str) -> None:
    done = run("neighbors", *(one.format(model=model) for one in arguments))
    assert done.code == 2
    assert told in " ".join(done.err.replace("│", " ").split())


def test_what_fails(run: Any, model: Path, tmp_path: Path) -> None:
    assert "write a word" in run("neighbors", "king -", "--model", model).err
    assert "cancel one another" in run("neighbors", "king - king", "--model", model).err
    assert "no index" in run("neighbors", "king", "-i", tmp_path).err
    done = run("neighbors", "king", "--model", tmp_path / "nothing.txt")
    assert done.code == 1
    assert "nothing.txt" in done.err
    empty = tmp_path / "empty.txt"
    empty.write_text("\n", encoding="utf-8")
    assert "holds no words" in run("neighbors", "x", "--embedder", "minilm", "--vocabulary", empty).err


def test_an_embedder_that_learns_wants_an_index(run: Any) -> None:
    done = run("neighbors", "king", "--embedder", "lsa")
    assert (done.code, done.out) == (1, "")
    assert (
        done.err
        == "error: lsa learns from texts, and was given none; name an index to learn from (-i INDEX)\n"
    )


def test_another_spelling(run: Any, tmp_path: Path) -> None:
    (tmp_path / "places.txt").write_text("Paris 1 0\nLondon 1 1\n", encoding="utf-8")
    done = run("neighbors", "paris", "--model", tmp_path / "places.txt", "--json")
    (column,) = done.json()["questions"][0]["columns"]
    assert [term["found"] for term in column["terms"]] == ["spelling"]
    assert [one["word"] for one in column["neighbors"]] == ["London"]
