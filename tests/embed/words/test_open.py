"""A file is converted once, kept in the cache, and mapped from then on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import WordVectors, open_word_vectors
from ragembed.embed.words.formats.cache import cache_root
from ragembed.embed.words.formats.source import Source
from ragembed.errors import EmbeddingError

TEXT = b"the 1 2\nof 3 4\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAGEMBED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "words"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(TEXT)
    return tmp_path / "a.txt"


def entries(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()}


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the file is read again")

    monkeypatch.setattr(Source, "__init__", refuse)


def test_the_second_time_it_is_mapped(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_word_vectors(file)
    assert isinstance(first.vectors.base, np.memmap)
    assert len(entries(cache)) == 1
    no_reading(monkeypatch)
    second = open_word_vectors(str(file))
    assert (second.digest, second.info) == (first.digest, first.info)
    assert second.info["source"] == {"name": "a.txt", "bytes": len(TEXT)}
    monkeypatch.chdir(file.parent)
    assert open_word_vectors("a.txt").digest == first.digest  # the same file by another name


def test_a_changed_file_is_read_again(file: Path, cache: Path) -> None:
    first = open_word_vectors(file)
    before = entries(cache)
    os.utime(file, ns=(1, 1))  # the same size
    file.write_bytes(TEXT.replace(b"1", b"7"))
    assert open_word_vectors(file).vectors.tolist() == [[7, 2], [3, 4]]
    assert first.vectors.tolist() == [[1, 2], [3, 4]]  # which somebody may hold still
    assert len(entries(cache)) == 1  # what was made of the old content is gone
    assert entries(cache) != before


def test_a_limit_is_an_entry_of_its_own(file: Path, cache: Path) -> None:
    assert len(open_word_vectors(file, limit=1)) == 1
    assert len(open_word_vectors(file)) == 2
    assert len(entries(cache)) == 2
    assert len(open_word_vectors(file, limit=1)) == 1


def test_a_damaged_entry_is_made_again(file: Path, cache: Path) -> None:
    open_word_vectors(file)
    (entry,) = cache.iterdir()
    for damage in ((entry / "words.json").unlink, lambda: (entry / "vectors.npy").write_bytes(b"x")):
        damage()
        assert open_word_vectors(file).vectors.tolist() == [[1, 2], [3, 4]]
        assert WordVectors.open(entry).vectors.tolist() == [[1, 2], [3, 4]]
        assert len(entries(cache)) == 1


def test_a_malformed_file_leaves_nothing(file: Path, cache: Path) -> None:
    file.write_bytes(b"the 1 2\nof 3\n")
    with pytest.raises(EmbeddingError):
        open_word_vectors(file)
    assert entries(cache) == set()


def test_without_a_cache_it_is_held_in_memory(
    file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.write_text("a file where the folder should be")
    found = open_word_vectors(file)
    assert found.vectors.tolist() == [[1, 2], [3, 4]]
    assert found.rows(["of"]).tolist() == [1]
    assert found.info["format"] == "GloVe text"


def test_a_full_cache(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = open_word_vectors(file).digest
    os.utime(file, ns=(1, 1))

    def full(_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ragembed.embed.words.formats.npy.sync", full)
    found = open_word_vectors(file)
    assert found.digest == expected
    assert len(entries(cache)) == 1  # the old one; nothing half is left


def test_many_at_once_do_no_harm(file: Path, cache: Path) -> None:
    found: list[WordVectors] = []
    threads = [threading.Thread(target=lambda: found.append(open_word_vectors(file))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.vectors.tolist() for each in found] == [[[1, 2], [3, 4]]] * 8
    assert len(entries(cache)) == 1


def test_killed_conversions_are_swept(file: Path, cache: Path) -> None:
    for name, age in (("old", 2 * 24 * 3600), ("running", 60)):
        (cache / f"{name}.tmp").mkdir(parents=True)
        stamp = (cache / f"{name}.tmp").stat().st_mtime - age
        os.utime(cache / f"{name}.tmp", (stamp, stamp))
    open_word_vectors(file)
    names = entries(cache)
    assert "old.tmp" not in names
    assert "running.tmp" in names


def test_a_folder_is_opened_as_it_is(file: Path, tmp_path: Path, cache: Path) -> None:
    open_word_vectors(file).save(tmp_path / "folder")
    for path in cache.iterdir():
        path.rename(tmp_path / "moved")
    found = open_word_vectors(tmp_path / "folder")
    assert list(found.words) == ["the", "of"]
    assert entries(cache) == set()
    cut = open_word_vectors(tmp_path / "folder", limit=1)
    assert (list(cut.words), cut.vectors.tolist(), len(cut)) == (["the"], [[1, 2]], 1)


@pytest.mark.parametrize("what", ["missing", "folder", "pipe"])
def test_what_is_no_file(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    with pytest.raises(EmbeddingError, match=what):
        open_word_vectors(path)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"RAGEMBED_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own/words"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/ragembed/words"),
        ({"HOME": "/home/me"}, "/home/me/.cache/ragembed/words"),
        ({"RAGEMBED_CACHE": "~/mine", "HOME": "/home/me"}, "/home/me/mine/words"),
    ],
)
def test_where_the_cache_lies(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("RAGEMBED_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_root() == Path(expected)


def test_progress_goes_to_the_end(file: Path) -> None:
    told: list[tuple[int, int, str]] = []
    open_word_vectors(file, progress=lambda *step: told.append(step))
    assert told[-1] == (len(TEXT), len(TEXT), "a.txt")


def test_nothing_heavy_is_imported(file: Path) -> None:
    """A small file, and one that is mapped, need neither numba nor gensim nor scipy."""
    program = (
        "import sys; from ragembed.embed.words import open_word_vectors\n"
        "open_word_vectors(sys.argv[1]).word_vectors(['of'])\n"
        "print([name for name in ('numba', 'gensim', 'scipy', 'torch', 'faiss') if name in sys.modules])"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program, file], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]"
