"""ragembed words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.cli._warnings import _WARNINGS, NOT_KEPT
from ragembed.cli.words import FORMATS
from ragembed.embed.words import WordVectors, open_word_vectors
from ragembed.embed.words.formats.target import WRITERS
from ragembed.embed.words.subwords import Subwords


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGEMBED_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    vectors = WordVectors(
        ["the", "new york"],
        table[:2],
        counts=np.array([3, 1]),
        subwords=Subwords(3, 4, 4, table[2:]),
        info={"method": "fasttext", "losses": [2.0, 1.5], "tokenizer": {"kind": "words"}},
    )
    vectors.save(tmp_path / "folder")
    return tmp_path / "folder"


def test_what_is_in_it(run: Any, folder: Path) -> None:
    found = run("words", folder, "--json").json()
    assert found["path"] == str(folder)
    assert (found["format"], found["words"], found["dimension"], found["counts"]) == ("folder", 2, 2, True)
    assert found["subwords"] == {"minn": 3, "maxn": 4, "buckets": 4, "kept": 4}
    assert (found["method"], found["loss"], found["tokenizer"]) == ("fasttext", 1.5, {"kind": "words"})
    assert found["first"] == ["the", "new york"]
    assert found["bytes"] > 100
    assert found["digest"] == WordVectors.open(folder).digest
    shown = run("words", folder)
    assert "words       2\n" in shown.out
    assert "subwords    minn 3, maxn 4, buckets 4, kept 4\n" in shown.out
    assert shown.err == ""


def test_warnings_are_told_once_on_stderr(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"w{row} 1 2\n" for row in range(300)) + "w1 3 4\nbad 1\n\n")
    done = run("words", tmp_path / "a.txt", "--json")
    assert done.json()["warnings"] == {"wrong_columns": 1, "blank_lines": 1, "duplicates": 1}
    assert done.err.count("\n") == 3
    assert "1 lines with another number of columns, passed over" in done.err


@pytest.mark.parametrize(
    "format", ["folder", "word2vec", "word2vec-bin", "glove", "fasttext-vec", "fasttext-bin"]
)
def test_every_format_is_written(run: Any, folder: Path, tmp_path: Path, format: str) -> None:
    done = run("words", folder, "-o", tmp_path / "out", "--format", format, "--json")
    left_out = format == "word2vec-bin"
    assert done.json() == {
        "output": str(tmp_path / "out"),
        "format": format,
        "words": 2 - left_out,
        "dimension": 2,
        "left_out": int(left_out),
        "with_spaces": int(format in ("word2vec", "glove", "fasttext-vec")),
        "warnings": {},
    }
    found = open_word_vectors(tmp_path / "out")
    assert found.word_vectors(["the"])[1].tolist() == [[0, 1]]
    assert (found.subwords is not None) == (format in ("folder", "fasttext-bin"))
    assert ("left out" in done.err) == left_out


def test_limit(run: Any, folder: Path, tmp_path: Path) -> None:
    assert run("words", folder, "--limit", 1, "--json").json()["words"] == 1
    done = run("words", folder, "-o", tmp_path / "a.txt.gz", "--format", "glove", "--limit", 1)
    assert done.out == f"1 words x 2 (glove): {tmp_path / 'a.txt.gz'}\n"
    assert (tmp_path / "a.txt.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert list(open_word_vectors(tmp_path / "a.txt.gz").words) == ["the"]


def test_what_goes_wrong_is_one_line(run: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    for arguments, code, said in (
        ((tmp_path / "none",), 1, "cannot be read"),
        ((tmp_path / "a.pdf",), 1, "is a PDF"),
        ((tmp_path,), 1, "without word vectors"),
        ((folder, "-o", tmp_path / "x", "--format", "tsv"), 2, "valid are: folder, word2vec"),
        ((folder, "-o", tmp_path / "no" / "x", "--format", "glove"), 1, "cannot be written"),
        ((folder, "--limit", 0), 2, "0"),
    ):
        done = run("words", *arguments)
        assert done.code == code, done.err
        assert said in done.err
        assert code == 2 or done.err.count("\n") == 1
        assert done.out == ""


def test_a_word_cannot_take_over_the_terminal(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\x1b[2Jx 1 2\n")
    assert "\x1b" not in run("words", tmp_path / "a.txt").out


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Two words without n-grams, as a file."""
    (tmp_path / "plain.txt").write_text("the 1 2\nof 3 4\n")
    return tmp_path / "plain.txt"


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.txt", "word2vec"),
        ("a.VEC", "fasttext-vec"),
        ("a.bin", "word2vec-bin"),
        ("a.bin.gz", "word2vec-bin"),
        ("a.txt.gz", "word2vec"),
        ("a.gz", "word2vec"),
        ("a.model", "folder"),
    ],
)
def test_the_ending_tells_the_format(run: Any, plain: Path, tmp_path: Path, name: str, format: str) -> None:
    done = run("words", plain, "-o", tmp_path / name, "--json").json()
    assert done["format"] == format
    assert (tmp_path / name).is_dir() == (format == "folder")
    assert list(open_word_vectors(tmp_path / name).words) == ["the", "of"]


def test_a_bin_keeps_ngrams_and_a_format_given_counts(run: Any, folder: Path, tmp_path: Path) -> None:
    assert run("words", folder, "-o", tmp_path / "a.bin", "--json").json()["format"] == "fasttext-bin"
    assert open_word_vectors(tmp_path / "a.bin").subwords is not None
    done = run("words", folder, "-o", tmp_path / "b.bin", "--format", "glove", "--json")
    assert done.json()["format"] == "glove"


def test_a_file_is_replaced_with_force_only(run: Any, plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("somebody's thesis")
    done = run("words", plain, "-o", out)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "--force" in done.err
    assert out.read_text() == "somebody's thesis"
    assert run("words", plain, "-o", out, "--force").code == 0
    assert list(open_word_vectors(out).words) == ["the", "of"]


def test_a_plain_folder_is_replaced_with_force_only(
    run: Any, folder: Path, plain: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    assert run("words", plain, "-o", tmp_path / "new").code == 0  # an empty folder is as good as none
    before = WordVectors.open(folder).digest
    done = run("words", plain, "-o", folder)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "--force" in done.err
    assert WordVectors.open(folder).digest == before
    assert run("words", plain, "-o", folder, "--force").code == 0
    assert list(WordVectors.open(folder).words) == ["the", "of"]
    assert not (folder / "ngrams.npy").exists()


def snapshot(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("what", ["index", "trained", "elmo", "anything", "file", "link"])
def test_nothing_else_is_replaced_even_with_force(
    run: Any, plain: Path, folder: Path, tmp_path: Path, what: str, request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "out"
    if what == "index":
        out = request.getfixturevalue("index")
    elif what == "trained":
        folder.rename(out)
        (out / "training").mkdir()
        (out / "training" / "state.json").write_text("{}")
    elif what == "elmo":
        out.mkdir()
        (out / "elmo.safetensors").write_bytes(b"weights")
    elif what == "anything":
        out.mkdir()
        (out / "holiday.jpg").write_bytes(b"picture")
    elif what == "file":
        out.write_text("no folder")
    else:
        out.symlink_to(tmp_path / "gone")
    before = snapshot(tmp_path)
    for arguments in ((), ("--force",)):
        done = run("words", plain, "-o", out, *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "gone").exists()


def test_a_file_never_takes_the_place_of_a_folder(run: Any, plain: Path, folder: Path) -> None:
    done = run("words", plain, "-o", folder, "--format", "glove", "--force")
    assert (done.code, "is a folder, where a file is to be written" in done.err) == (1, True)


def test_force_without_out_is_a_wrong_command(run: Any, plain: Path) -> None:
    assert run("words", plain, "--force").code == 2
    assert run("words", plain, "--format", "glove").code == 2


def test_what_is_odd_is_told_when_converting_and_when_refused(run: Any, tmp_path: Path) -> None:
    lines = "".join(f"w{row} 1 2\n" for row in range(300))
    (tmp_path / "a.txt").write_text(f"{lines}bad 1\nworse 1 nan\n")
    done = run("words", tmp_path / "a.txt", "-o", tmp_path / "b.txt", "--json")
    assert done.json()["warnings"] == {"wrong_columns": 1, "not_finite": 1}
    (tmp_path / "c.txt").write_text(lines + "bad 1\n" * 7 + "worse 1 nan\n" * 2)
    refused = run("words", tmp_path / "c.txt")
    assert refused.code == 1
    assert "9 of 309 lines are no word with 2 finite numbers (wrong_columns 7, not_finite 2)" in refused.err


def test_a_cache_that_cannot_be_written_is_told(
    run: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RAGEMBED_CACHE", str(tmp_path / "file"))
    done = run("words", plain, "--json")
    assert done.json()["warnings"] == {"not_kept": 1}
    for arguments in (("words", plain), ("neighbors", "the", "-m", plain), ("map", plain, "--json")):
        said = run(*arguments).err
        assert said.count("each opening converts again") == said.count("\n") == 1


def test_verify_reads_everything(run: Any, folder: Path) -> None:
    assert run("words", folder, "--verify").err == f"{folder}: all arrays are what was written\n"
    np.save(folder / "vectors.npy", np.ones((2, 2), np.float32))
    assert run("words", folder).code == 0
    done = run("words", folder, "--verify")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "vectors.npy was changed after it was written" in done.err


def test_a_file_has_nothing_to_verify(run: Any, plain: Path) -> None:
    assert run("words", plain, "--verify").code == 2


def test_every_format_that_can_be_written_is_named() -> None:
    assert tuple(WRITERS) == FORMATS


def test_every_warning_is_told_in_words(tmp_path: Path) -> None:
    """A file for each kind of oddity that readers count; what is counted is what is told, and nothing more."""
    rows = [f"w{row} 1 2".encode() for row in range(1000)]
    words = [b"", *(b"w%d" % row for row in range(199))]
    binary = b"200 1\n" + b"".join(word + b" " + bytes(4) for word in words) + b"more"
    files = [
        [*rows, b"w0 1 2", b"", b"x 1", b"x nan 2", b"\xff 1 2", b"x" * 20_000 + b" 1 2"],
        [b"1000 2", *rows, b"x 1 2"],
        [b"1001 2", *rows],
        [b"1000 2", *rows[1:], b" 1 2"],
    ]
    counted: set[str] = set()
    for number, data in enumerate([*(b"\n".join(lines) + b"\n" for lines in files), binary]):
        (tmp_path / f"{number}").write_bytes(data)
        counted |= set(open_word_vectors(tmp_path / f"{number}").info["warnings"])
    assert counted == set(_WARNINGS) - {NOT_KEPT}
