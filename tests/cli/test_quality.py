"""ragembed eval on files of words and sentences."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    rows = (
        "score\tsentence1\tsentence2",
        "5\ta cat sleeps\ta cat sleeps",
        "2\ta cat\tred dogs",
        "3\tone cat\tcat food",
    )
    return write(tmp_path / "sts.tsv", "\n".join(rows) + "\n")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write(
        tmp_path / "questions.txt", ": family\nboy girl king queen\n: gram1\nbig bigger red redder\n"
    )


def test_json(run: Any, sentences: Path) -> None:
    done = run("eval", "--dataset", sentences, "--embedder", "onehot(language=none)", "--json")
    found = done.json()
    # cosines 1, 0 and 1/2, in the order of the scores
    assert found["measures"]["Spearman"] == pytest.approx(1)
    assert (found["dataset"], found["task"], found["pairs"], found["covered"]) == (
        "sts.tsv", "sentence-similarity", 3, 3,
    )  # fmt: skip
    assert found["embedder"] == 'onehot(language="none")'
    assert set(found["seconds"]) == {"fit", "score"}
    assert (done.code, done.err) == (0, "")


def test_for_people(run: Any, sentences: Path, questions: Path, tmp_path: Path) -> None:
    out = run("eval", "--dataset", sentences, "--embedder", "onehot(language=none)").out
    assert out.startswith('sts.tsv  onehot(language="none")  Spearman 1.0000 [')
    assert "(3 of 3 pairs; fit " in out
    first, *sections = run("eval", "--dataset", questions, "--embedder", "random-projection").out.splitlines()
    assert "3CosAdd syntactic " in first
    assert "2 of 2 questions, answered from 8 words of the questions" in first
    assert [line.split()[0] for line in sections] == ["family", "gram1"]
    lists = {"X": ["rose", "lily"], "Y": ["ant", "bug"], "A": ["joy", "love"], "B": ["war", "the"]}
    keys = {f"{name}_key": name for name in lists}
    weat = write(tmp_path / "weat.json", json.dumps({"flowers": {**keys, **lists}}))
    done = run("eval", "--dataset", weat, "--embedder", "random-projection(language=none)")
    first, test = done.out.splitlines()
    assert "(8 of 8 words" in first
    assert test.startswith("  flowers  weat  d ")
    assert "  p 0." in test or "  p 1" in test
    assert "X 2 of 2" in test


def test_what_is_unknown_is_told(run: Any, tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.txt", "cat dog 3\ncat the 2\nbird bird 9\n")
    done = run("eval", "--dataset", pairs, "--embedder", "random-projection(language=english)", "--json")
    assert (done.json()["pairs"], done.json()["covered"]) == (3, 2)
    assert done.err == "1 of 3 pairs have something unknown to it; left out\n"
    done = run(
        "eval", "--dataset", pairs, "--embedder", "random-projection(language=english)", "--unknown", "zero"
    )
    assert done.err == "1 of 3 pairs have something unknown to it; scored 0\n"


def test_corpus(run: Any, tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.txt", "keys security 3\nriver flood 9\nriver keys 1\n")
    texts = "keys are security\nthe river has a flood\nsecurity of keys\nflood in the river\n"
    plain, packed = write(tmp_path / "corpus.txt", texts), tmp_path / "corpus.gz"
    packed.write_bytes(gzip.compress(texts.encode()))
    done = run("eval", "--dataset", pairs, "--embedder", "lsa(dimension=2)")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "lsa learns from texts, and was given none; give a corpus" in done.err
    for corpus in (["--corpus", plain], ["--corpus", packed]):
        found = run("eval", "--dataset", pairs, "--embedder", "lsa(dimension=2)", *corpus, "--json").json()
        assert found["fitted_on"] == "4 texts of the corpus"
        assert found["covered"] == 3
        assert found["measures"]["Spearman"] > 0
    both = ("--corpus", plain, "--corpus", packed)
    found = run("eval", "--dataset", pairs, "--embedder", "lsa(dimension=2)", *both, "--json").json()
    assert found["fitted_on"] == "8 texts of the corpus"
    done = run("eval", "--dataset", pairs, "--embedder", "random-projection", "--corpus", plain)
    assert "learns nothing from texts: the corpus was not used" in done.err


def test_vocabulary(run: Any, questions: Path, tmp_path: Path) -> None:
    def answered(vocabulary: object) -> Any:
        return run(
            "eval",
            "--dataset",
            questions,
            "--embedder",
            "random-projection",
            "--vocabulary",
            vocabulary,
            "--json",
        )

    listed = write(tmp_path / "words.txt", "boy\ngirl\nking\nqueen\nprince\n")
    found = answered(listed).json()
    assert found["vocabulary"] == {"words": 5, "of": "the list given"}
    assert (found["questions"], found["covered"]) == (2, 1)
    assert answered("no-file").code == 2
    assert answered(write(tmp_path / "empty.txt", "\n")).code == 1
    done = answered(100)
    assert done.code == 1
    assert "has no vocabulary of its own" in done.err


@pytest.mark.parametrize(
    "option",
    [
        ("--split", "dev"),
        ("--chunker", "fixed"),
        ("--measures", "AP"),
        ("-k", "5"),
        ("--run", "out"),
        ("--allow-unknown",),
    ],
)
def test_options_of_collections_are_refused_for_files(
    run: Any, sentences: Path, option: tuple[str, ...]
) -> None:
    done = run("eval", "--dataset", sentences, "--embedder", "onehot", *option)
    assert done.code == 2
    assert "does nothing here" in done.err


@pytest.mark.parametrize("option", [("--corpus", "x"), ("--unknown", "zero"), ("--vocabulary", "9")])
def test_options_of_files_are_refused_for_collections(run: Any, option: tuple[str, ...]) -> None:
    done = run("eval", "--dataset", "primer", "--embedder", "bm25", *option)
    assert done.code == 2
    assert "does nothing here" in done.err


def test_a_built_in_name_goes_before_a_file(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "primer", "a b 1\nc d 2\n")
    assert (
        run("eval", "--dataset", "primer", "--embedder", "bm25", "--json").json()["measures"]["nDCG@10"] > 0
    )
    assert run("eval", "--dataset", "./primer", "--embedder", "onehot").code == 1  # all pairs equal


@pytest.mark.parametrize(
    "text", ["", "once upon a time there was\n", "a\tb\t1\nc\td\n", '{"_id": "d1", "text": "x"}\n{}\n']
)
def test_bad_files_are_one_line(run: Any, tmp_path: Path, text: str) -> None:
    done = run("eval", "--dataset", write(tmp_path / "file.txt", text), "--embedder", "onehot")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("error: ")
    assert str(tmp_path / "file.txt") in done.err
