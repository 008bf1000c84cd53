"""The calls of an index that come from a program: documents in and out, without files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import LockedError, QueryError, StoreError
from ragembed.index import writer as index_writer

DOCUMENTS = [
    Document("apples", "apples are red", {"colour": "red", "year": 2019}),
    Document("bananas", "bananas are yellow", {"colour": "yellow", "year": 2020}),
    Document("cherries", "cherries are red", {"colour": "red", "year": 2021}),
]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with Pipeline.create(tmp_path / "index", "bm25(language=english)", "fixed(tokens=3, overlap=0)") as made:
        made.add(DOCUMENTS)
        yield made


def found(pipeline: Pipeline, query: str) -> list[str]:
    return [hit.chunk.document_id for hit in pipeline.search(query)]


def test_delete_by_id(pipeline: Pipeline) -> None:
    assert pipeline.delete(["apples", "unknown", "apples"]) == 1
    assert (found(pipeline, "apples"), found(pipeline, "red")) == ([], ["cherries"])
    assert pipeline.delete("cherries") == 1  # one id, not its letters
    assert pipeline.delete([]) == 0
    assert pipeline.counts() == {"files": 0, "documents": 1, "chunks": 1}
    assert pipeline.add(DOCUMENTS[:1]).added == 1


def test_delete_where(pipeline: Pipeline) -> None:
    assert pipeline.delete(where="colour = 'red' and year > 2019") == 1
    assert pipeline.delete(where={"colour": "blue"}) == 0
    assert list(pipeline.document_ids()) == ["apples", "bananas"]


@pytest.mark.parametrize("arguments", [{}, {"ids": ["apples"], "where": "year > 1"}])
def test_delete_needs_one_of_both(pipeline: Pipeline, arguments: dict[str, object]) -> None:
    with pytest.raises(QueryError, match="delete takes ids or where; give exactly one"):
        pipeline.delete(**arguments)  # type: ignore[arg-type]
    assert pipeline.counts()["documents"] == 3


def test_an_empty_filter_deletes_nothing(pipeline: Pipeline) -> None:
    assert pipeline.delete(where="") == pipeline.delete(where={}) == 0


def test_get_by_document_and_by_chunk(pipeline: Pipeline) -> None:
    pipeline.upsert([Document("long", "one two three four five six seven", {"n": 1})])
    got = pipeline.get(["long", "long::1", "nothing"])
    assert {name: [chunk.text for chunk in chunks] for name, chunks in got.items()} == {
        "long": ["one two three", "four five six", "seven"],
        "long::1": ["four five six"],
    }
    assert pipeline.get("apples")["apples"][0].metadata == {"colour": "red", "year": 2019}


def test_iterating_over_all_or_some(pipeline: Pipeline) -> None:
    assert [chunk.id for chunk in pipeline.chunks()] == ["apples::0", "bananas::0", "cherries::0"]
    assert [chunk.id for chunk in pipeline.chunks(where={"colour": "red"})] == ["apples::0", "cherries::0"]
    assert list(pipeline.document_ids("year >= 2020")) == ["bananas", "cherries"]


def test_an_iteration_sees_the_state_that_it_began_with(pipeline: Pipeline) -> None:
    chunks = pipeline.chunks()
    assert next(chunks).id == "apples::0"
    pipeline.delete(["bananas", "cherries"])
    assert [chunk.id for chunk in chunks] == ["bananas::0", "cherries::0"]
    assert [chunk.id for chunk in pipeline.chunks()] == ["apples::0"]


def test_a_search_with_a_filter_gives_k_where_there_are_k(pipeline: Pipeline) -> None:
    pipeline.add(Document(f"red {n}", "apples apples are red", {"colour": "red"}) for n in range(50))
    (hit,) = pipeline.search("red apples, not yellow", k=1, where="colour = 'yellow'")
    assert hit.chunk.document_id == "bananas"
    hits = pipeline.search("red apples, not yellow", k=3, where={"colour": {"$ne": "red"}})
    assert [hit.chunk.document_id for hit in hits] == ["bananas"]
    assert len(pipeline.search("apples", k=51, where={"colour": "red"})) == 51
    assert pipeline.search_documents(["apples"], 2, {"year": {"$lt": 2020}})[0].keys() == {"apples"}


def test_a_closed_index_says_so(pipeline: Pipeline) -> None:
    pipeline.close()
    with pytest.raises(StoreError, match="was closed; open it again"):
        pipeline.counts()


def test_searches_go_on_while_a_thread_writes(pipeline: Pipeline) -> None:
    """A search that had to wait for the writer would never come to its answer here."""
    inside, searched = threading.Event(), threading.Event()

    def slowly() -> Iterator[Document]:
        yield Document("dates", "dates are brown")
        inside.set()
        assert searched.wait(20)
        yield Document("elderberries", "elderberries are black")

    writer = threading.Thread(target=lambda: pipeline.add(slowly()))
    writer.start()
    assert inside.wait(20)
    assert found(pipeline, "apples") == ["apples"]
    assert found(pipeline, "dates") == []  # not committed yet
    searched.set()
    writer.join()
    assert found(pipeline, "dates") == ["dates"]


def test_threads_search_and_write_at_once(pipeline: Pipeline) -> None:
    faults: list[BaseException] = []
    stop = threading.Event()

    def reader() -> None:
        try:
            while not stop.is_set():
                hits = pipeline.search("numbers", k=100)
                # each commit adds two documents, so that every committed state has an even number of them
                assert len(hits) % 2 == 0
                assert len({hit.chunk.id for hit in hits}) == len(hits)
        except BaseException as fault:  # noqa: BLE001 - told by the test
            faults.append(fault)

    threads = [threading.Thread(target=reader) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(20):
        pipeline.add([Document(f"{n} a", "numbers"), Document(f"{n} b", "numbers")])
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(pipeline.search("numbers", k=100)) == 40


def test_two_writers(pipeline: Pipeline, tmp_path: Path) -> None:
    with Pipeline.open(tmp_path / "index") as other, pipeline.store.writing():
        with pytest.raises(LockedError, match="is being written by this process already; wait"):
            other.add([Document("x", "y")])
        with pytest.raises(LockedError):
            other.delete(["apples"])
        with pytest.raises(LockedError):
            other.vacuum()
        assert found(other, "apples") == ["apples"]


# vacuum


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize(
    "embedder", ["bm25(language=none)", "bm25(language=none)+lsa(dimension=2, language=none)"]
)
def test_vacuum_leaves_nothing_of_what_was_deleted(tmp_path: Path, embedder: str) -> None:
    secrets = [b"xyzzysecret", b"plughword", b"privatemeta", b"hiddenid", b"secretpath"]
    folder = tmp_path / "index"
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "secretpath.txt").write_text("text of xyzzysecret in a file")
    (docs / "other.txt").write_text("text of a file")
    with Pipeline.create(folder, embedder, "whole") as pipeline:
        pipeline.add([Document(f"{n}", f"plain text number {n}") for n in range(20)])
        pipeline.add(
            [Document("hiddenid", "xyzzysecret text plughword", {"key": "privatemeta", "privatemeta": 1})]
        )
        pipeline.index(docs)
        (docs / "secretpath.txt").unlink()
        pipeline.index(docs, prune=True)
        pipeline.delete(["hiddenid", "3", "4"])
        before = pipeline.search("plain text number", 50)
        assert all(secret in contents(folder) for secret in secrets)
        done = pipeline.vacuum()
        left = contents(folder)
        assert [secret for secret in secrets if secret in left] == []
        assert done.after < done.before
        assert pipeline.search("plain text number", 50) == before
        assert pipeline.info()["dead_rows"] == 0
        assert pipeline.vacuum().rows == 0
    with Pipeline.open(folder) as again:
        assert again.search("plain text number", 50) == before
        assert again.upsert([Document("5", "new text")]).updated == 1


def test_searches_go_on_after_a_vacuum_that_made_an_embedder_forget(tmp_path: Path) -> None:
    with (
        Pipeline.create(tmp_path / "i", "lsa(dimension=2, language=none)", "whole") as pipeline,
        Pipeline.open(tmp_path / "i") as other,
    ):
        pipeline.add([Document("a", "apples figs"), Document("b", "figs dates"), Document("c", "rare word")])
        before = [pipeline.search("figs", 2), other.search("figs", 2)]
        pipeline.delete(["c"])
        assert pipeline.vacuum().notes == ["lsa forgot the words that only deleted documents had"]
        assert [pipeline.search("figs", 2), other.search("figs", 2)] == before
        assert pipeline.search("rare") == other.search("rare") == []


def test_a_vacuum_that_fails_changes_no_embedder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pipeline.create(tmp_path / "i", "lsa(dimension=2, language=none)", "whole") as pipeline:
        pipeline.add([Document("a", "apples figs"), Document("b", "figs dates"), Document("c", "rare word")])
        pipeline.delete(["c"])
        with monkeypatch.context() as patch:
            patch.setattr("ragembed.makers.save_learnt", failing)
            with pytest.raises(StoreError, match="disk full"):
                pipeline.vacuum()
        pipeline.add([Document("d", "rare figs")])
        with Pipeline.open(tmp_path / "i") as again:
            assert again.search("rare figs") == pipeline.search("rare figs")


def failing(*_: object, **options: bool) -> str:
    raise StoreError("disk full")


def test_documents_without_a_chunk_settle_nothing(tmp_path: Path) -> None:
    """An iterator that begins with a thousand empty documents, and goes on in German."""
    german = "Der Hund schläft im Haus, und die Katze jagt die Mäuse unter dem Dach."
    documents = [*(Document(str(n), "") for n in range(1_000)), Document("de", german)]
    with Pipeline.create(tmp_path / "i", "bm25", "whole") as pipeline:
        pipeline.add(iter(documents))
        assert pipeline.info()["embedders"][0]["spec"] == "bm25(language=german)"
        pipeline.add([Document("more", german)])
        assert {hit.chunk.document_id for hit in pipeline.search("Häuser")} == {"de", "more"}


def test_large_documents_are_committed_as_they_come(tmp_path: Path) -> None:
    seen: list[int] = []

    with Pipeline.create(tmp_path / "i", "bm25(language=none)", "whole") as pipeline:

        def documents() -> Iterator[Document]:
            for n in range(50):
                seen.append(pipeline.counts()["documents"])
                yield Document(str(n), "word " * 20_000)

        pipeline.add([Document("first", "word")])
        pipeline.add(documents(), memory=32 * 200_000)  # commits every second document
        assert max(n - there for n, there in enumerate(seen)) <= 3


@pytest.mark.parametrize("memory", [0, -5, 999_999])
def test_a_budget_that_is_none(pipeline: Pipeline, memory: int) -> None:
    with pytest.raises(QueryError, match="give at least 1,000,000"):
        pipeline.add([], memory=memory)


def test_vacuum_of_an_empty_index(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i") as pipeline:
        assert pipeline.vacuum().rows == 0
        pipeline.add(DOCUMENTS)
        pipeline.delete([document.id for document in DOCUMENTS])
        assert pipeline.vacuum().rows == 3
        assert pipeline.search("apples") == []
        assert list((tmp_path / "i" / "segments").iterdir()) == []
        assert pipeline.add(DOCUMENTS).added == 3


def test_vacuum_while_another_reads(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another reads cannot be wiped; that is said, and the index is whole."""
    pipeline.delete(["apples"])
    with Pipeline.open(tmp_path / "index") as other:
        reading = other.chunks()
        next(reading)
        monkeypatch.setattr(index_writer, "_PATIENCE_MS", 200)
        with pytest.raises(StoreError, match="is being read, by another process or by an iteration"):
            pipeline.vacuum()
        assert [chunk.id for chunk in reading] == ["cherries::0"]
    assert pipeline.vacuum().rows == 0
    assert b"apples" not in contents(tmp_path / "index")
