"""Bringing an index in step with files: what is embedded, what is kept, what goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ragembed import Document, Pipeline, SyncReport, sync
from ragembed.errors import ReadError, StoreError
from ragembed.index.verify import verify
from ragembed.read.base import ReadOptions

SPECS = {"embedder": "bm25(language=english)", "chunker": "recursive(tokens=20, overlap=0)"}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Three files."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in [
        ("a.txt", "apples are red"),
        ("b.txt", "bananas are yellow"),
        ("c.txt", "cherries are small"),
    ]:
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with Pipeline.create(tmp_path / "index", **SPECS) as made:
        yield made


def counts(report: SyncReport) -> dict[str, int]:
    """The numbers of a report that are not 0, without files."""
    names = [
        field.name for field in fields(report) if field.name not in ("files", "seconds", "skipped", "failed")
    ]
    found = {name: getattr(report, name) for name in names if getattr(report, name)}
    return found | ({"failed": len(report.failed)} if report.failed else {})


def ids(pipeline: Pipeline, query: str) -> list[str]:
    return [hit.chunk.document_id for hit in pipeline.search(query)]


def touch(path: Path, seconds: int = 10) -> None:
    info = path.stat()
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns + seconds * 1_000_000_000))


def rows(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    touch(path, len(path.read_bytes()))
    return path


# files


def test_only_what_changed_is_embedded(docs: Path, pipeline: Pipeline) -> None:
    assert counts(pipeline.index(docs)) == {"added": 3, "chunks": 3}
    assert counts(pipeline.index(docs)) == {"unchanged": 3}
    (docs / "a.txt").write_text("apples are green now")
    (docs / "d.txt").write_text("dates are sweet")
    assert counts(pipeline.index(docs)) == {"added": 1, "updated": 1, "unchanged": 2, "chunks": 2}
    assert (ids(pipeline, "red"), ids(pipeline, "green")) == ([], ["docs/a.txt"])


def test_a_change_that_keeps_size_and_time_is_not_seen_but_a_touch_alone_changes_nothing(
    docs: Path, pipeline: Pipeline
) -> None:
    pipeline.index(docs)
    touch(docs / "a.txt")
    assert counts(pipeline.index(docs)) == {"unchanged": 3}
    info = (docs / "a.txt").stat()
    (docs / "a.txt").write_text("apples are RED")
    os.utime(docs / "a.txt", ns=(info.st_atime_ns, info.st_mtime_ns))
    assert counts(pipeline.index(docs)) == {"unchanged": 3}
    touch(docs / "a.txt")
    assert counts(pipeline.index(docs)) == {"updated": 1, "unchanged": 2, "chunks": 1}


def test_files_that_are_gone_are_missing_until_pruned(docs: Path, pipeline: Pipeline) -> None:
    pipeline.index(docs)
    (docs / "a.txt").unlink()
    assert counts(pipeline.index(docs)) == {"unchanged": 2, "missing": 1}
    assert ids(pipeline, "apples") == ["docs/a.txt"]
    assert counts(pipeline.index(docs, prune=True)) == {"unchanged": 2, "deleted": 1}
    assert ids(pipeline, "apples") == []
    assert counts(pipeline.index(docs, prune=True)) == {"unchanged": 2}
    (docs / "a.txt").write_text("apples again")
    assert counts(pipeline.index(docs)) == {"added": 1, "unchanged": 2, "chunks": 1}


def test_pruning_one_folder_leaves_the_others(docs: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.txt").write_text("figs")
    pipeline.index(docs, tmp_path / "more")
    (tmp_path / "more" / "x.txt").unlink()
    (docs / "a.txt").unlink()
    assert counts(pipeline.index(docs, prune=True)) == {"unchanged": 2, "deleted": 1}
    assert ids(pipeline, "figs") == ["more/x.txt"]


def test_pruning_when_all_is_gone(docs: Path, pipeline: Pipeline) -> None:
    pipeline.index(docs)
    for path in docs.iterdir():
        path.unlink()
    assert counts(pipeline.index(docs)) == {"missing": 3}
    assert counts(pipeline.index(docs, prune=True)) == {"deleted": 3}
    with pytest.raises(ReadError, match="nothing to read in"):
        pipeline.index(docs)


def test_a_folder_reached_through_a_link_is_pruned_too(
    docs: Path, pipeline: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(docs)
    pipeline.index(tmp_path / "link")
    (docs / "a.txt").unlink()
    assert counts(pipeline.index(tmp_path / "link", prune=True)) == {"unchanged": 2, "deleted": 1}


def test_pruning_spares_what_could_not_be_looked_at(docs: Path, pipeline: Pipeline) -> None:
    pipeline.index(docs)
    (docs / "a.txt").write_text("apples " * 100)
    report = pipeline.index(docs, options=ReadOptions(max_bytes=100), prune=True)
    assert counts(report) == {"unchanged": 2, "failed": 1}
    assert "larger than the limit" in report.failed[0].reason
    assert ids(pipeline, "red") == ["docs/a.txt"]


def test_a_file_that_got_empty_loses_its_document(docs: Path, pipeline: Pipeline) -> None:
    pipeline.index(docs)
    (docs / "a.txt").write_text("")
    report = pipeline.index(docs)
    assert counts(report) == {"unchanged": 2, "deleted": 1}
    assert report.skipped["empty"] == 1


def test_a_broken_file_keeps_what_was_read_of_it_before(docs: Path, pipeline: Pipeline) -> None:
    notebook = docs / "n.ipynb"
    notebook.write_text(
        json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": ["grapes"]}]})
    )
    pipeline.index(docs)
    assert ids(pipeline, "grapes") == ["docs/n.ipynb"]
    notebook.write_text('{"nbformat": 4, "cells": [')
    for _ in range(2):  # told every time, until it is mended
        report = pipeline.index(docs, prune=True)
        assert counts(report) == {"unchanged": 3, "failed": 1}
        assert report.failed[0].where == "docs/n.ipynb"
        assert ids(pipeline, "grapes") == ["docs/n.ipynb"]
    notebook.unlink()
    assert counts(pipeline.index(docs, prune=True)) == {"unchanged": 3, "deleted": 1}


def test_ids_stay_whatever_folder_a_file_is_reached_from(
    docs: Path, pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.index(docs)
    (docs / "a.txt").write_text("apples are green")
    assert counts(pipeline.index(docs / "a.txt")) == {"updated": 1, "chunks": 1}
    assert ids(pipeline, "green") == ["docs/a.txt"]
    (docs / "a.txt").write_text("apples are brown again")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").write_text("figs")
    assert counts(pipeline.index(docs, tmp_path / "other")) == {
        "added": 1,
        "updated": 1,
        "unchanged": 2,
        "chunks": 2,
    }
    assert ids(pipeline, "brown") == ["docs/a.txt"]


def test_a_path_given_twice_counts_once(docs: Path, pipeline: Pipeline) -> None:
    report = pipeline.index(docs, docs, docs / "a.txt", str(docs / ".." / "docs"))
    assert counts(report) == {"added": 3, "chunks": 3}
    assert report.files == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_file_name_that_is_no_unicode(docs: Path, pipeline: Pipeline) -> None:
    path = os.fsencode(docs) + b"/caf\xe9.txt"
    with open(path, "w") as file:  # noqa: PTH123 - a name in bytes
        file.write("coffee")
    assert counts(pipeline.index(docs)) == {"added": 4, "chunks": 4}
    assert counts(pipeline.index(docs)) == {"unchanged": 4}
    assert ids(pipeline, "coffee") == ["docs/caf\\xe9.txt"]
    os.unlink(path)  # noqa: PTH108
    assert counts(pipeline.index(docs, prune=True)) == {"unchanged": 3, "deleted": 1}


def test_the_index_does_not_index_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("apples")
    for name in ("my.index", "other.index"):
        with Pipeline.create(tmp_path / name, embedder="bm25+lsa(dimension=2, language=none)") as pipeline:
            first = pipeline.index(tmp_path)
            assert [counts(first)["added"], first.skipped["index of ragembed"]] == [
                1,
                1 if name == "my.index" else 2,
            ]
            assert counts(pipeline.index(tmp_path)) == {"unchanged": 1}


# rows


def test_rows_come_change_and_go(pipeline: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    one, two, three = (
        {"_id": str(n), "text": text} for n, text in enumerate(["apples", "bananas", "cherries"], 1)
    )
    rows(path, one, two, three)
    assert counts(pipeline.index(path)) == {"added": 3, "chunks": 3}
    rows(path, one, {**two, "text": "blueberries"}, {"_id": "4", "text": "dates"})
    assert counts(pipeline.index(path)) == {
        "added": 1,
        "updated": 1,
        "unchanged": 1,
        "deleted": 1,
        "chunks": 2,
    }
    assert [ids(pipeline, word) for word in ("apples", "bananas", "blueberries", "cherries", "dates")] == [
        ["1"], [], ["2"], [], ["4"],
    ]  # fmt: skip


def test_a_change_of_metadata_is_a_change(pipeline: Pipeline, tmp_path: Path) -> None:
    path = rows(tmp_path / "r.jsonl", {"_id": "1", "text": "apples", "colour": "red"})
    pipeline.index(path)
    rows(path, {"_id": "1", "text": "apples", "colour": "green"})
    assert counts(pipeline.index(path)) == {"updated": 1}  # and nothing is embedded
    assert pipeline.search("apples")[0].chunk.metadata["colour"] == "green"


def test_a_broken_row_does_not_stop_the_others(pipeline: Pipeline, tmp_path: Path) -> None:
    path = rows(
        tmp_path / "r.jsonl", {"_id": "1", "text": "apples"}, "{broken", {"_id": "3", "text": "cherries"}
    )
    report = pipeline.index(path)
    assert counts(report) == {"added": 2, "chunks": 2, "failed": 1}
    assert report.failed[0].where == "r.jsonl:2"


def test_ids_taken_by_another_file(pipeline: Pipeline, tmp_path: Path) -> None:
    a = rows(tmp_path / "a.jsonl", {"_id": "1", "text": "apples"})
    b = rows(tmp_path / "b.jsonl", {"_id": "1", "text": "bananas"}, {"_id": "2", "text": "blueberries"})
    for expected in (
        {"added": 2, "chunks": 2, "failed": 1},
        {"unchanged": 2, "failed": 1},
    ):  # told every time
        report = pipeline.index(a, b)
        assert counts(report) == expected
        assert report.failed[0].where == "b.jsonl"
        assert report.failed[0].reason.startswith(f"the id '1' is taken by {a};")
    assert (ids(pipeline, "apples"), ids(pipeline, "bananas")) == (["1"], [])
    report = pipeline.index(b)  # also where the other file is not looked at
    assert counts(report) == {"unchanged": 1, "failed": 1}
    rows(a, {"_id": "9", "text": "apples"})
    # the text of document 9 was that of 1, and keeps its vector
    assert counts(pipeline.index(a, b)) == {"added": 2, "unchanged": 1, "deleted": 1, "chunks": 1}
    assert (ids(pipeline, "apples"), ids(pipeline, "bananas")) == (["9"], ["1"])


@pytest.mark.parametrize(("giver", "taker"), [("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")])
def test_a_row_that_moves_to_another_file(pipeline: Pipeline, tmp_path: Path, giver: str, taker: str) -> None:
    one, two, three = (
        {"_id": str(n), "text": text} for n, text in enumerate(["apples", "bananas", "cherries"], 1)
    )
    rows(tmp_path / giver, one, two)
    rows(tmp_path / taker, three)
    pipeline.index(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    rows(tmp_path / giver, one)
    rows(tmp_path / taker, three, two)
    report = pipeline.index(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert report.failed == []
    assert ids(pipeline, "bananas") == ["2"]
    assert counts(pipeline.index(tmp_path / "a.jsonl", tmp_path / "b.jsonl")) == {"unchanged": 3}


def test_a_renamed_file_keeps_its_rows(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    path = rows(tmp_path / "d" / "old.jsonl", {"_id": "1", "text": "apples"})
    pipeline.index(tmp_path / "d")
    path.rename(tmp_path / "d" / "new.jsonl")
    assert pipeline.index(tmp_path / "d", prune=True).failed == []
    assert ids(pipeline, "apples") == ["1"]
    assert counts(pipeline.index(tmp_path / "d", prune=True)) == {"unchanged": 1}


def test_other_options_read_again_only_what_they_change(
    pipeline: Pipeline, tmp_path: Path, docs: Path
) -> None:
    path = rows(tmp_path / "r.jsonl", {"_id": "1", "text": "apples", "body": "bananas"})
    pipeline.index(path)
    pipeline.index(docs)
    assert counts(pipeline.index(path, options=ReadOptions(text_fields=("body",)))) == {
        "updated": 1,
        "chunks": 1,
    }
    assert (ids(pipeline, "apples")[0], ids(pipeline, "bananas")[0]) == ("docs/a.txt", "1")
    assert counts(pipeline.index(path, options=ReadOptions(text_fields=("body",)))) == {"unchanged": 1}
    assert counts(pipeline.index(docs)) == {"unchanged": 3}
    only = ReadOptions(include=("a*",))
    report = pipeline.index(docs, options=only)
    assert counts(report) == {"unchanged": 1, "missing": 2}


@pytest.mark.usefixtures("small_batches")
def test_options_of_an_interrupted_run_are_not_mixed_up(docs: Path, pipeline: Pipeline) -> None:
    path = rows(docs / "0.jsonl", {"_id": "1", "text": "apples", "body": "grapes"})

    def stop(done: int, total: int, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.index(docs, options=ReadOptions(text_fields=("body",)), progress=stop)
    assert ids(pipeline, "grapes") == ["1"]
    pipeline.index(path)
    assert (ids(pipeline, "grapes"), ids(pipeline, "apples")) == ([], ["1", "docs/a.txt"])


# documents without files


def test_documents_are_added_replaced_and_left(pipeline: Pipeline) -> None:
    one, two = Document("1", "apples", {"a": 1, "b": 2}), Document("2", "bananas")
    assert counts(pipeline.add([one, two])) == {"added": 2, "chunks": 2}
    assert counts(pipeline.add([Document("1", "apples", {"b": 2, "a": 1}), two])) == {"unchanged": 2}
    assert counts(pipeline.upsert([Document("1", "cherries"), two])) == {
        "updated": 1,
        "unchanged": 1,
        "chunks": 1,
    }
    assert (ids(pipeline, "apples"), ids(pipeline, "cherries")) == ([], ["1"])
    assert counts(pipeline.add([])) == {}


def test_add_overwrites_nothing(pipeline: Pipeline) -> None:
    pipeline.add([Document("1", "apples")])
    with pytest.raises(StoreError, match="has a document '1' already, with other content; use upsert"):
        pipeline.add([Document("0", "bananas"), Document("1", "cherries")])
    assert [hit.chunk.text for hit in pipeline.search("apples")] == ["apples"]


def test_documents_twice_in_one_call(pipeline: Pipeline) -> None:
    with pytest.raises(ReadError, match="two documents have the id '1'; give each its own id"):
        pipeline.add([Document("1", "apples"), Document("1", "bananas")])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (Document("bad", "half \ud83e"), "half a surrogate pair"),
        (Document("bad\ud83e", "text"), "half a surrogate pair"),
        (Document("bad", "text", {"a": float("nan")}), "cannot be stored"),
        (Document("bad", "text", {"a": {1}}), "cannot be stored"),
        (Document("bad", "text", {1: "a", "b": {2}}), "cannot be stored"),  # type: ignore[dict-item]
        (Document("bad", "text", {"a": "\ud83e"}), "cannot be stored"),
    ],
)
def test_a_document_that_cannot_be_stored_is_reported(
    pipeline: Pipeline, document: Document, reason: str
) -> None:
    report = pipeline.add([Document("good", "apples"), document])
    assert counts(report) == {"added": 1, "chunks": 1, "failed": 1}
    assert report.failed[0].where.startswith("bad")
    report.failed[0].where.encode()
    assert reason in report.failed[0].reason
    assert ids(pipeline, "apples") == ["good"]


def test_keys_of_metadata_that_are_no_text(pipeline: Pipeline) -> None:
    mixed = Document("1", "apples", {1: "a", "b": 2})  # type: ignore[dict-item]
    assert counts(pipeline.add([mixed])) == {"added": 1, "chunks": 1}
    assert counts(pipeline.add([mixed])) == {"unchanged": 1}


@pytest.mark.parametrize("identifier", ["a\0b", "x" * 1000, "../../a", "", "a b\tc", "'; --", "a::0"])
def test_ids_of_all_kinds(pipeline: Pipeline, identifier: str) -> None:
    assert counts(pipeline.add([Document(identifier, "apples"), Document("a", "pears")])) == {
        "added": 2,
        "chunks": 2,
    }
    assert counts(pipeline.add([Document(identifier, "apples")])) == {"unchanged": 1}
    assert ids(pipeline, "apples") == [identifier]


def test_a_document_without_text(pipeline: Pipeline) -> None:
    assert counts(pipeline.add([Document("empty", ""), Document("blank", " \n")])) == {"added": 2}
    assert counts(pipeline.add([Document("empty", ""), Document("1", "apples")])) == {
        "unchanged": 1, "added": 1, "chunks": 1,
    }  # fmt: skip
    assert ids(pipeline, "apples") == ["1"]


# interruption

KILLED = """
import os, sys
from ragembed import Pipeline, sync
from ragembed.index.store import Writer
sync.BATCH_CHUNKS = {"sparse": 2, "dense": 2}
commits, commit = [], Writer.commit
def counted(self, *arguments, **keywords):
    commit(self, *arguments, **keywords)
    commits.append(1)
    if len(commits) == int(sys.argv[3]):
        os._exit(9)
Writer.commit = counted
Pipeline.open(sys.argv[1]).index(sys.argv[2])
"""


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "BATCH_CHUNKS", {"sparse": 2, "dense": 2})


def kill_after(commits: int, pipeline: Pipeline, path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(pipeline.store.folder), str(path), str(commits)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (9, "")


def test_a_killed_run_goes_on_where_it_was(docs: Path, pipeline: Pipeline) -> None:
    for number in range(7):
        (docs / f"n{number}.txt").write_text(f"number{number} " * 3)
    kill_after(2, pipeline, docs)  # of 10 files, 4 were committed
    assert len(pipeline.search("are")) == 0
    assert pipeline.info()["documents"] == 4
    assert counts(pipeline.index(docs)) == {"added": 6, "unchanged": 4, "chunks": 6}
    assert ids(pipeline, "number6") == ["docs/n6.txt"]
    assert pipeline.info()["dead_rows"] == 0


def test_a_file_of_many_rows_is_committed_in_parts(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    path = rows(tmp_path / "d" / "r.jsonl", *({"_id": f"r{n}", "text": f"number{n}"} for n in range(9)))
    kill_after(2, pipeline, path)
    assert pipeline.info()["documents"] == 4
    assert counts(pipeline.index(path)) == {"added": 5, "unchanged": 4, "chunks": 5}
    assert counts(pipeline.index(path)) == {"unchanged": 9}


def test_rows_of_an_interrupted_file_are_pruned_with_it(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    path = rows(tmp_path / "d" / "r.jsonl", *({"_id": f"r{n}", "text": f"number{n}"} for n in range(9)))
    kill_after(1, pipeline, path)
    path.unlink()
    assert counts(pipeline.index(tmp_path / "d", prune=True)) == {"deleted": 2}


@pytest.mark.usefixtures("small_batches")
def test_an_exception_keeps_what_was_committed(docs: Path, pipeline: Pipeline) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.index(docs, progress=stop)
    assert counts(pipeline.index(docs)) == {"added": 1, "unchanged": 2, "chunks": 1}


def test_progress_names_the_files(docs: Path, pipeline: Pipeline) -> None:
    seen: list[tuple[int, int, str]] = []
    pipeline.index(docs, progress=lambda *what: seen.append(what))
    assert seen == [(0, 3, "docs/a.txt"), (1, 3, "docs/b.txt"), (2, 3, "docs/c.txt"), (3, 3, "")]


def test_the_report_as_json(docs: Path, pipeline: Pipeline) -> None:
    (docs / "x.bin").write_bytes(b"\0\1\2")
    report = pipeline.index(docs).to_json()
    assert json.loads(json.dumps(report)) == report
    assert (report["added"], report["files"], sum(report["skipped"].values())) == (3, 3, 1)


def test_equal_names_in_other_folders_get_longer_ids(pipeline: Pipeline, tmp_path: Path) -> None:
    for side in ("x", "y"):
        (tmp_path / side / "docs").mkdir(parents=True)
        (tmp_path / side / "docs" / "README.md").write_text(
            f"# {side}\n\nabout {side}{side}\n", encoding="utf-8"
        )
        assert counts(pipeline.index(tmp_path / side / "docs")) == {"added": 1, "chunks": 1}
    assert ids(pipeline, "xx") == ["docs/README.md"]
    assert ids(pipeline, "yy") == ["y/docs/README.md"]
    for side in ("y", "x"):  # and keep them
        assert counts(pipeline.index(tmp_path / side / "docs")) == {"unchanged": 1}


def test_files_and_added_documents_do_not_take_ids_from_each_other(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "f.txt").write_text("apples", encoding="utf-8")
    pipeline.index(tmp_path / "f.txt")
    with pytest.raises(ReadError, match="belongs to a document read from"):
        pipeline.add([Document("f.txt", "pears")])
    assert counts(pipeline.index(tmp_path / "f.txt")) == {"unchanged": 1}
    pipeline.add([Document("g.txt", "plums")])
    (tmp_path / "g.txt").write_text("grapes", encoding="utf-8")
    assert counts(pipeline.index(tmp_path / "g.txt")) == {"failed": 1}
    assert ids(pipeline, "plums") == ["g.txt"]


def test_learning_from_little_is_told(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "lsa(dimension=4)") as pipeline:
        assert "learnt from 1 chunks only" in pipeline.add([Document("a", "apples")]).notes[0]
        assert pipeline.add([Document("b", "pears")]).notes == []


def test_a_file_with_a_broken_row_is_told_of_every_time(pipeline: Pipeline, tmp_path: Path) -> None:
    path = rows(tmp_path / "r.jsonl", {"_id": "1", "text": "apples"}, "{broken")
    assert counts(pipeline.index(path)) == {"added": 1, "chunks": 1, "failed": 1}
    assert counts(pipeline.index(path)) == {"unchanged": 1, "failed": 1}
    rows(path, {"_id": "1", "text": "apples"}, {"_id": "2", "text": "pears"})
    assert counts(pipeline.index(path)) == {"added": 1, "unchanged": 1, "chunks": 1}
    assert counts(pipeline.index(path)) == {"unchanged": 2}


def test_a_file_of_which_no_row_can_be_read_keeps_what_it_had(pipeline: Pipeline, tmp_path: Path) -> None:
    path = rows(tmp_path / "r.jsonl", {"_id": "1", "text": "apples"})
    pipeline.index(path)
    rows(path, "{broken")
    assert counts(pipeline.index(path)) == {"failed": 1}
    assert counts(pipeline.index(path)) == {"failed": 1}
    assert ids(pipeline, "apples") == ["1"]


def test_a_folder_that_is_gone_can_be_pruned(pipeline: Pipeline, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "a.txt").write_text("apples", encoding="utf-8")
    pipeline.index(folder)
    folder.rename(tmp_path / "new")
    with pytest.raises(ReadError, match="old"):
        pipeline.index(folder)
    assert counts(pipeline.index(folder, prune=True)) == {"deleted": 1}
    assert ids(pipeline, "apples") == []
    with pytest.raises(ReadError):  # a name that was never indexed is a slip, not a folder that is gone
        pipeline.index(tmp_path / "never", prune=True)


def test_pruning_spares_what_could_not_be_looked_at_though_another_folder_is_gone(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    deep = tmp_path / "deep" / "er"
    deep.mkdir(parents=True)
    (deep / "a.txt").write_text("apples are red")
    (tmp_path / "b.txt").write_text("bananas are yellow")
    pipeline.index(deep, tmp_path / "b.txt")
    (tmp_path / "b.txt").unlink()
    (deep / "a.txt").write_text("apples are green " * 100)
    report = pipeline.index(deep, tmp_path / "b.txt", prune=True, options=ReadOptions(max_bytes=1000))
    assert (report.deleted, len(report.failed)) == (1, 1)
    assert ids(pipeline, "apples") == ["deep/er/a.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_names_that_are_no_text(pipeline: Pipeline, tmp_path: Path) -> None:
    docs = tmp_path / os.fsdecode(b"docs \xe9")
    docs.mkdir()
    path = docs / os.fsdecode(b"caf\xe9.txt")
    path.write_text("apples are red")
    pipeline.index(docs)
    (docs / "copy.txt").write_text("apples are red")
    assert counts(pipeline.index(docs)) == {"added": 1, "unchanged": 1, "chunks": 1}
    path.unlink()
    assert counts(pipeline.index(docs)) == {"unchanged": 1, "missing": 1}
    assert counts(pipeline.index(docs, prune=True)) == {"unchanged": 1, "deleted": 1}


def test_checksums_find_what_time_and_size_hide(pipeline: Pipeline, docs: Path) -> None:
    pipeline.index(docs)
    info = (docs / "a.txt").stat()
    (docs / "a.txt").write_text("lemons are red")
    os.utime(docs / "a.txt", ns=(info.st_atime_ns, info.st_mtime_ns))
    assert counts(pipeline.index(docs)) == {"unchanged": 3}
    assert counts(pipeline.index(docs, checksum=True)) == {"updated": 1, "unchanged": 2, "chunks": 1}


def test_a_file_that_is_replaced_and_goes_while_a_run_looks_leaves_no_ghost(
    pipeline: Pipeline, docs: Path
) -> None:
    """As when logs are rotated: b is what a was, and the new a goes before the run comes to b."""
    pipeline.index(docs, prune=True)
    (docs / "a.txt").rename(docs / "b.txt")
    (docs / "a.txt").write_text("avocados are green")

    def progress(done: int, total: int, what: str) -> None:
        if what == "docs/b.txt":
            (docs / "a.txt").unlink()

    pipeline.index(docs, prune=True, progress=progress)
    pipeline.index(docs, prune=True)
    assert ids(pipeline, "avocados") == []
    assert sorted(pipeline.document_ids()) == ["docs/b.txt", "docs/c.txt"]
    assert verify(pipeline.store) == []


def test_documents_of_a_file_without_a_record_are_pruned(pipeline: Pipeline, docs: Path) -> None:
    pipeline.index(docs)
    with pipeline.store.writing() as writer, writer.transaction():
        writer.catalog.delete_file(str(docs / "a.txt"))
    (docs / "a.txt").unlink()
    assert counts(pipeline.index(docs, prune=True)) == {"unchanged": 2, "deleted": 1}
    assert ids(pipeline, "apples") == []


def test_a_file_that_gave_nothing_is_read_under_a_name_that_says_what_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.drawio").write_text("pears and plums")
    (folder / "empty.txt").write_text("")
    (folder / "b.txt").write_text("figs")
    with Pipeline.create(tmp_path / "index") as pipeline:
        pipeline.index(folder)
        assert pipeline.index(folder).unchanged == 1
        (folder / "a.drawio").rename(folder / "a.txt")
        assert pipeline.index(folder).added == 1
        assert pipeline.search("pears")[0].chunk.document_id.endswith("a.txt")
        assert not verify(pipeline.store)
