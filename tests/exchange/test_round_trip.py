"""Exported and imported, an index answers as it did, whatever its past."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed import Chunk, Document, Pipeline
from ragembed.exchange import export_index, import_index
from ragembed.index.store import Store
from ragembed.index.verify import verify

Answers = Callable[[Path], Any]


def test_same_hits_scores_and_makers(index: Path, answers: Answers, tmp_path: Path) -> None:
    done = export_index(index, tmp_path / "export")
    made = import_index(tmp_path / "export", tmp_path / "again")
    assert (done.documents, done.chunks) == (made.documents, made.chunks) == (18, 51)
    assert answers(tmp_path / "again") == answers(index)
    with Pipeline.open(index) as old, Pipeline.open(tmp_path / "again") as new:
        assert new.config == old.config
        assert [record.identity["probes"] for record in new.config.embedders]
        assert list(new.document_ids()) == list(old.document_ids())
        assert {chunk.id: chunk for chunk in new.chunks()} == {chunk.id: chunk for chunk in old.chunks()}
        same = ("files", "documents", "chunks", "embedder", "embedders", "chunker", "index_type")
        assert {key: new.info()[key] for key in same} == {key: old.info()[key] for key in same}
        assert new.info()["dead_rows"] == 0
        with old.store.snapshot() as a, new.store.snapshot() as b:
            assert a.setting("created") == b.setting("created")
        assert verify(new.store) == []


def test_the_index_made_goes_on_as_any(hybrid: Path, tmp_path: Path) -> None:
    export_index(hybrid, tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "again")
    with Pipeline.open(tmp_path / "again") as pipeline:
        known = list(pipeline.chunks())
        report = pipeline.add([Document("empty", "", {"note": "no chunk"})])  # its digest came along
        assert (report.unchanged, report.added) == (1, 0)
        changed = next(chunk for chunk in known if chunk.document_id == "d5")
        assert pipeline.upsert([Document("d5", changed.text)]).chunks == 0  # a chunk that keeps its vectors
        pipeline.add([Document("new", "zebra")])
        assert [hit.chunk.id for hit in pipeline.search("zebra", 1)] == ["new::0"]
        pipeline.delete(["d1"])
        pipeline.vacuum()
        assert verify(pipeline.store) == []


def test_files_stay_in_step(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(5):
        (docs / f"{number}.md").write_text(f"# Title {number}\n\nText about apples {number}.\n")
    with Pipeline.create(tmp_path / "index") as pipeline:
        pipeline.index(docs)
        (docs / "0.md").unlink()
        (docs / "1.md").write_text("# Title\n\nNow about bananas.\n")
        pipeline.index(docs, prune=True)
    export_index(tmp_path / "index", tmp_path / "export")
    assert import_index(tmp_path / "export", tmp_path / "again").files == 4
    with Pipeline.open(tmp_path / "again") as pipeline:
        report = pipeline.index(docs)
        assert (report.unchanged, report.chunks, report.added, report.updated) == (4, 0, 0, 0)
        (docs / "2.md").unlink()
        assert pipeline.index(docs, prune=True).deleted == 1


def test_an_index_without_anything(tmp_path: Path) -> None:
    Pipeline.create(tmp_path / "index", "bm25+lsa", "sentence").close()
    export_index(tmp_path / "index", tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "again")
    with Pipeline.open(tmp_path / "again") as pipeline:
        assert pipeline.counts() == {"files": 0, "documents": 0, "chunks": 0}
        assert pipeline.config.embedder == "bm25+lsa"
        assert pipeline.add([Document("a", "red apple")]).added == 1


def test_an_index_that_was_emptied(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "index", "lsa(dimension=2)") as pipeline:
        pipeline.add([Document("a", "red apple"), Document("b", "blue plum")])
        pipeline.delete(["a", "b"])
    export_index(tmp_path / "index", tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "again")
    with Pipeline.open(tmp_path / "again") as pipeline:
        assert pipeline.search("apple") == []


@pytest.mark.parametrize(
    "identifier", ["a/../b", "x" * 1000, "nul\0inside", "\u2028 é 中 \U0001f600", " ", "';--"]
)
def test_odd_ids_and_metadata(identifier: str, tmp_path: Path) -> None:
    metadata = {"deep": {"a": [1, {"b": None}]}, "big": 10**30, "line": "a\nb\r\u2028c", "key\0": 0.1}
    with Pipeline.create(tmp_path / "index", "bm25") as pipeline:
        pipeline.add([Document(identifier, "text\u2028of apples\r\n\0", metadata)])
        before = pipeline.search("apples")
    export_index(tmp_path / "index", tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "again")
    with Pipeline.open(tmp_path / "again") as pipeline:
        assert pipeline.search("apples") == before
        assert pipeline.search("apples", where="deep.a = 1") == before


def test_batches_however_small_give_the_same(hybrid: Path, answers: Answers, tmp_path: Path) -> None:
    export_index(hybrid, tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "again", memory=32 * 100)  # 100 bytes a commit
    assert answers(tmp_path / "again") == answers(hybrid)
    with Pipeline.open(tmp_path / "again") as pipeline:
        assert len(pipeline.info()["segments"]) > 2


def test_an_export_is_of_one_state(hybrid: Path, tmp_path: Path) -> None:
    """A writer that commits, and removes files that the export still reads, changes nothing of it."""
    folder = Path(shutil.copytree(hybrid, tmp_path / "index"))
    before = {path.name for path in (folder / "segments").iterdir()}
    calls: list[int] = []

    def disturb(done: int, total: int, what: str) -> None:
        calls.append(done)
        with Pipeline.open(folder) as pipeline:
            pipeline.delete([f"d{number}" for number in range(1, 20, 2)])
            pipeline.add([Document(f"later {done}", "something else")])
            with pipeline.store.writing() as writer:
                writer.compact([None, 6], 1 << 30)

    export_index(hybrid, tmp_path / "quiet")
    export_index(folder, tmp_path / "disturbed", progress=disturb)
    assert calls == [0, 51]
    assert before.isdisjoint(path.name for path in (folder / "segments").iterdir())
    for name in ("chunks.jsonl", "documents.jsonl", "vectors-1.npy", "manifest.json"):
        assert (tmp_path / "quiet" / name).read_bytes() == (tmp_path / "disturbed" / name).read_bytes()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "delete"]),
        st.integers(0, 5),
        st.lists(st.sampled_from(["apple tree", "river bank", "fox", "ice age"]), max_size=3),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15)
@given(STEPS)
def test_whatever_its_past(steps: list[tuple[str, int, list[str]]]) -> None:
    def state(folder: Path) -> tuple[Any, dict[str, Chunk]]:
        with Pipeline.open(folder) as pipeline:
            hits = pipeline.search_many(["apple river", "fox age", "tree"], 4)
            return hits, {chunk.id: chunk for chunk in pipeline.chunks()}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chunker = "recursive(tokens=2, overlap=0)"
        with Pipeline.create(folder / "index", "bm25(language=none)", chunker) as pipeline:
            for step, number, words in steps:
                if step == "put":
                    pipeline.upsert([Document(str(number), "\n\n".join(words), {"n": number})])
                else:
                    pipeline.delete([str(number)])
        export_index(folder / "index", folder / "export")
        import_index(folder / "export", folder / "again")
        assert state(folder / "again") == state(folder / "index")
        store = Store(folder / "again")
        assert verify(store) == []
        store.close()
