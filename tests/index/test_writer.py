"""Rows of chunks that stay are kept; what is deleted leaves the segments and the files."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ragembed.errors import StoreError
from ragembed.index import writer as writer_module
from ragembed.index.content import chunk_digest
from ragembed.index.files import SEGMENTS
from ragembed.index.postings import postings_of_terms
from ragembed.index.runs import decode_runs
from ragembed.index.store import Store
from ragembed.index.writer import Entry, Plan, Writer
from ragembed.types import Chunk, Document

MOST = 1 << 30


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.create(tmp_path / "index", {"config": {"embedders": []}})
    yield made
    made.close()


def entry(identifier: str, *texts: str) -> Entry:
    chunks = [Chunk(f"{identifier}::{n}", identifier, text, 0, len(text)) for n, text in enumerate(texts)]
    return Entry(
        Document(identifier, " ".join(texts)), chunks, [chunk_digest(chunk) for chunk in chunks], "digest"
    )


def put(writer: Writer, *entries: Entry, delete: Sequence[str] = ()) -> Plan:
    """Commit with postings of the words and vectors (number of letters, 1)."""
    plan = writer.plan(entries, delete)
    texts = [chunk.text for chunk in plan.fresh]
    vectors = np.array([[len(text), 1] for text in texts], np.float32).reshape(-1, 2)
    writer.commit(plan, [postings_of_terms([text.split() for text in texts]), vectors])
    return plan


def rows(store: Store) -> dict[int, str]:
    with store.snapshot() as catalog:
        return {row: chunk.text for row, chunk in catalog.chunk_page(0).items()}


def held(store: Store) -> list[list[list[int]]]:
    """For each embedder, the rows of each of its segments; their contents are those of the texts."""
    found: list[list[list[int]]] = [[], []]
    with store.snapshot() as catalog:
        texts = rows(store)
        for record in catalog.segments():
            numbers = decode_runs(record.runs, record.rows, record.name).tolist()
            found[record.embedder].append(numbers)
            if record.embedder:
                letters = store.load_flat(record, 2).take(slice(None))[:, 0].tolist()
                assert all(
                    n == len(texts[row]) for row, n in zip(numbers, letters, strict=True) if row in texts
                )
            else:
                lengths = store.load_postings(record).lengths.tolist()
                assert all(
                    n == len(texts[row].split())
                    for row, n in zip(numbers, lengths, strict=True)
                    if row in texts
                )
    return found


def dead(store: Store) -> list[int]:
    with store.snapshot() as catalog:
        return catalog.dead_rows()


def test_chunks_that_stay_keep_their_rows(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "one", "two words", "three"))
        plan = put(writer, entry("a", "three", "new", "one"))
    assert plan.rows == [[3, None, 1]]
    assert [chunk.text for chunk in plan.fresh] == ["new"]
    assert rows(store) == {1: "one", 3: "three", 4: "new"}
    assert dead(store) == [2]
    assert held(store) == [[[1, 2, 3], [4]]] * 2


def test_a_row_is_given_to_one_chunk_only(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "same", "same"))
        plan = put(writer, entry("a", "same", "same", "same"))
        assert plan.rows == [[1, 2, None]]
        assert put(writer, entry("b", "same")).rows == [[None]]  # the vectors of `a` stay with `a`


def test_a_document_that_moves_takes_its_rows_along(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("old", "one", "two"))
        assert put(writer, entry("new", "two", "three"), delete=["old"]).rows == [[2, None]]
    assert rows(store) == {2: "two", 3: "three"}
    assert dead(store) == [1]


def test_merging_drops_dead_rows_and_keeps_gaps(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "one", "two words"))
        put(writer, entry("b", "three", "four"))
        put(writer, entry("c", "five six"), delete=["b"])
        writer.merge([None, 2], MOST, fewest=4)
        assert held(store) == [[[1, 2], [3, 4], [5]]] * 2
        writer.merge([None, 2], MOST)
    assert held(store) == [[[1, 2, 5]]] * 2
    assert dead(store) == []
    assert len(list((store.folder / SEGMENTS).iterdir())) == 2


def test_merging_what_is_all_dead(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "one"))
        put(writer, entry("b", "two"))
        put(writer, delete=["a", "b"])
        writer.merge([None, 2], MOST)
        assert writer.catalog.next_row() == 3  # rows are never used again
    assert held(store) == [[], []]
    assert dead(store) == []


def test_compacting_rewrites_only_what_holds_dead_rows(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "one", "two"))
        put(writer, entry("b", "three"), entry("c", "four"))
        put(writer, delete=["b"])
        with store.snapshot() as catalog:
            before = {record.name for record in catalog.segments()}
        writer.compact([None, 2], most=1)  # so that no postings are joined
        with store.snapshot() as catalog:
            after = {record.name for record in catalog.segments()}
    assert held(store) == [[[1, 2], [4]], [[1, 2, 4]]]
    assert dead(store) == []
    assert len(before & after) == 1


def test_nothing_deleted_is_left_in_any_file(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "zanzibar"), entry("b", "one"))
        put(writer, delete=["a"])
        writer.compact([None, 2], MOST)
        writer.shrink()
    files = [path for path in store.folder.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert not [path for path in files if b"zanzibar" in path.read_bytes()]


def test_shrinking_beside_a_reader_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_PATIENCE_MS", 200)
    with store.writing() as writer:
        put(writer, entry("a", "one"))
        with Store(store.folder).snapshot() as other:
            other.counts()
            put(writer, entry("b", "two"))
            with pytest.raises(StoreError, match="is being read, by another process"):
                writer.shrink()


def test_shrinking_is_not_held_up_by_readers_that_follow_each_other(store: Store) -> None:
    """Older states fill SQLite's four places for readers; whoever reads next takes over the one that it waits for."""
    shrinking, over = threading.Event(), threading.Event()

    def read(older: list[contextlib.ExitStack]) -> None:
        shrinking.wait()
        time.sleep(0.3)  # until it waits for the log
        reading = older[0]
        while not over.is_set():  # one begins before another ends
            last = reading.pop_all()
            reading.enter_context(store.snapshot()).counts()
            last.close()
            while len(older) > 1:
                older.pop().close()
            time.sleep(0.02)
        reading.close()

    with store.writing() as writer:
        older = [contextlib.ExitStack() for _ in range(4)]
        for number, reading in enumerate(older):
            put(writer, entry(f"d{number}", "one"))
            reading.enter_context(store.snapshot()).counts()
        put(writer, entry("last", "two"))
        reader = threading.Thread(target=read, args=(older,))
        reader.start()
        shrinking.set()
        try:
            writer.shrink()
        finally:
            over.set()
            reader.join()
    assert len(rows(store)) == 5


def test_a_rehearsal_changes_nothing(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "one"))
    with store.rehearsing() as writer:
        put(writer, entry("b", "two"), delete=["a"])
        assert list(writer.catalog.document_hashes(["a", "b"])) == ["b"]
    assert rows(store) == {1: "one"}
    assert held(store) == [[[1]]] * 2
