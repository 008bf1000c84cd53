"""ragembed train, as a user types it."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words.train import TRAINERS
from ragembed.embed.words.vectors import WordVectors

RAGEMBED = [sys.executable, "-c", "from ragembed.cli import main; main()"]
NAMES = ["word2vec", "glove", "fasttext(buckets=1000)"]


def texts(count: int = 300) -> list[str]:
    """Two kinds of sentence, so that there is something to learn."""
    rng = np.random.default_rng(0)
    fruit, tools = ["apple", "pear", "plum", "fig"], ["saw", "drill", "hammer", "plane"]
    return [" ".join(rng.choice(fruit if n % 2 else tools, 8)) for n in range(count)]


def corpus(folder: Path, count: int = 300) -> Path:
    path = folder / "corpus.txt"
    path.write_text("\n".join(texts(count)) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_trains(name: str, run: Any, tmp_path: Path) -> None:
    done = run(
        "train", name, corpus(tmp_path), "-o", tmp_path / "model", "--dimension", 8, "--epochs", 3, "--json"
    )
    told = done.json()
    assert (told["words"], told["texts"], told["tokens"]) == (8, 300, 2400)
    assert told["settings"]["dimension"] == 8
    assert len(told["losses"]) == 3
    assert told["losses"][-1] < told["losses"][0]
    assert "epoch 3/3" in done.err
    model = WordVectors.open(tmp_path / "model")
    assert model.vectors.shape == (8, 8)
    assert model.info["settings"]["epochs"] == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_training_goes_on_with_the_same_bits(name: str, run: Any, tmp_path: Path) -> None:
    arguments = [
        "train",
        name,
        corpus(tmp_path, 20_000),
        "--workers",
        "1",
        "--checkpoint",
        "0",
        "--epochs",
        "6",
    ]
    assert run(*arguments, "-o", tmp_path / "whole").code == 0
    killed = subprocess.Popen(
        [*RAGEMBED, *map(str, arguments), "-o", tmp_path / "killed"], stderr=subprocess.PIPE, text=True
    )
    assert killed.stderr is not None
    for line in killed.stderr:
        if line.startswith("epoch 3/"):
            break
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "killed").exists()
    told = run(*arguments, "-o", tmp_path / "killed", "--json").json()
    assert told["resumed_after"] >= 2
    assert len(told["losses"]) == 6
    one, other = (WordVectors.open(tmp_path / name) for name in ("whole", "killed"))
    assert np.array_equal(one.vectors, other.vectors)


def test_reads_what_index_reads(run: Any, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for number, text in enumerate(texts(40)):
        (tmp_path / "notes" / f"{number}.md").write_text(f"# Note\n\n{text}\n", encoding="utf-8")
    with gzip.open(tmp_path / "more.txt.gz", "wt", encoding="utf-8") as file:
        file.write("apple saw\n" * 10)
    assert run("index", tmp_path / "notes", "-o", tmp_path / "notes.index").code == 0
    told = run(
        "train", "word2vec", tmp_path / "notes", tmp_path / "more.txt.gz", tmp_path / "notes.index",
        "-o", tmp_path / "model", "--json",
    ).json()  # fmt: skip
    assert told["texts"] == 40 + 10 + 40
    assert told["read_tokens"] == 40 * 9 + 10 * 2 + 40 * 9


def test_update_tells_what_moved(run: Any, tmp_path: Path) -> None:
    model = tmp_path / "model"
    assert run("train", "word2vec", corpus(tmp_path), "-o", model).code == 0
    (tmp_path / "new.txt").write_text("apple phone screen\n" * 200, encoding="utf-8")
    done = run("train", "word2vec", tmp_path / "new.txt", "-o", model, "--update", model, "--json").json()
    assert done["drift"]["old_words"] == 8
    assert done["drift"]["new_words"] == 2
    assert list(WordVectors.open(model).words)[8:] == ["phone", "screen"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["glve"], "did you mean glove?"),
        (["word2vec(size=5)"], "has no parameter 'size'"),
        (["word2vec(dimension=0)"], "dimension"),
        (["word2vec", "--min-count", "1000"], "stand in it 1000 times"),
        (["word2vec", "--tokens", "bytes"], "valid are: words, whitespace"),
    ],
)
def test_wrong_use(arguments: list[str], message: str, run: Any, tmp_path: Path) -> None:
    name, *options = arguments
    done = run("train", name, corpus(tmp_path), "-o", tmp_path / "model", *options)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert message in done.err
    assert not (tmp_path / "model").exists()


def test_an_empty_corpus(run: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    done = run("train", "glove", tmp_path / "empty.txt", "-o", tmp_path / "model")
    assert (done.code, done.err) == (1, "error: the corpus holds no words; give files with text\n")


def test_a_model_is_replaced_only_by_force(run: Any, tmp_path: Path) -> None:
    arguments = ["train", "word2vec(dimension=4)", corpus(tmp_path), "-o", tmp_path / "model"]
    assert run(*arguments).code == 0
    again = run(*arguments)
    assert again.code == 1
    assert "add --force" in again.err
    assert run(*arguments, "--force").code == 0


def test_settings_that_mean_nothing(run: Any, tmp_path: Path) -> None:
    done = run("train", "elmo", corpus(tmp_path), "-o", tmp_path / "model", "--window", 3)
    assert done.code == 2
    assert "--window means nothing to elmo" in done.err


def test_the_record_is_json(tmp_path: Path, run: Any) -> None:
    run("train", "word2vec(dimension=4)", corpus(tmp_path), "-o", tmp_path / "model")
    state = json.loads((tmp_path / "model" / "training" / "values.json").read_text())
    assert state["values"]["trainer"] == "word2vec"


def test_an_update_is_as_the_model_was_where_nothing_else_is_asked_for(run: Any, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    given = ["--dimension", 8, "--window", 2, "--tokens", "whitespace", "--min-count", 3]
    assert run("train", "word2vec(skipgram=false)", corpus(tmp_path), "-o", old, *given).code == 0
    update = ["train", "word2vec", corpus(tmp_path), "-o", new, "--update", old]
    told = run(*update, "--epochs", 2, "--json").json()
    assert told["settings"] | {"workers": None} == {
        **WordVectors.open(old).info["settings"],
        "epochs": 2,
        "workers": None,
    }
    reading = WordVectors.open(new).info["reading"]
    assert (reading["tokens"], reading["min_count"]) == ("whitespace", 3)
    for option, value in (("--dimension", 9), ("--tokens", "words"), ("--phrases", 1)):
        done = run(*update, "--force", option, value)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "is asked for; " in done.err


@pytest.mark.parametrize("name", ["word2vec(learning_rate=1e39)", "glove(learning_rate=1e300)"])
def test_a_rate_beyond_all_numbers(name: str, run: Any, tmp_path: Path) -> None:
    done = run("train", name, corpus(tmp_path), "-o", tmp_path / "model")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "makes no sense; give" in done.err


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    output = tmp_path / "model"
    arguments = [
        "train",
        "word2vec",
        corpus(tmp_path, 3000),
        "-o",
        output,
        "--epochs",
        5000,
        "--checkpoint",
        0,
    ]
    program = ["import signal; signal.signal(signal.SIGINT, signal.default_int_handler)", RAGEMBED[2]]
    stopped = subprocess.Popen(
        [sys.executable, "-c", "; ".join(program), *map(str, arguments)], stderr=subprocess.PIPE, text=True
    )
    assert stopped.stderr is not None
    for line in stopped.stderr:
        if line.startswith("epoch 2/"):
            break
    stopped.send_signal(signal.SIGINT)
    told = stopped.communicate()[1].splitlines()
    assert stopped.returncode == 130
    assert told[-2].startswith(f"{output}.training keeps the last checkpoint: the same command goes on")
    assert (tmp_path / "model.training" / "checkpoint" / "values.json").is_file()


def test_settings_and_their_defaults_are_listed(run: Any) -> None:
    told = run("train", "--list").out
    for name in TRAINERS.names():
        assert re.search(rf"^{name}\(.*\)$", told, re.MULTILINE)
        spec = next(line for line in told.splitlines() if line.startswith(f"{name}("))
        assert TRAINERS.create(spec) == TRAINERS.create(name)
    assert "--tokens cased --min-count 1" in told


def test_the_help_tells_the_defaults_that_there_are(run: Any) -> None:
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", run("train", "--help").out).split())
    for option in ("dimension", "epochs", "window", "seed", "min_count", "tokens"):
        found = re.search(rf"--{option.replace('_', '-')} .*?\(default: (\w+)((?:; \w+ \w+)*)\)", told)
        assert found is not None
        others = dict(each.split() for each in found[2].split("; ")[1:])
        for name in ("word2vec", "glove", "fasttext", "elmo"):
            trainer = TRAINERS.create(name)
            values = {**vars(trainer.default_reading()), **trainer.settings()}
            if option in values:
                assert str(values[option]) == others.get(name, found[1]), (option, name)


def test_ids_are_texts_too(run: Any, tmp_path: Path) -> None:
    """Sessions of numbers, a line each, are no file of vectors."""
    rng = np.random.default_rng(0)
    path = tmp_path / "sessions.txt"
    path.write_text(
        "\n".join(" ".join(map(str, rng.integers(1, 20, 12))) for _ in range(50)), encoding="utf-8"
    )
    done = run(
        "train", "word2vec(dimension=4)", path, "-o", tmp_path / "m", "--tokens", "whitespace", "--json"
    )
    assert done.json()["texts"] == 50
