"""After a repair nothing is wrong any more, and searches are those of an index made from scratch."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import CorruptError, IdentityError, LockedError
from ragembed.index.catalog import CATALOG_NAME
from ragembed.index.files import SEGMENTS
from ragembed.index.problems import READ_AGAIN, Problem
from ragembed.index.verify import verify

SPEC = "bm25(language=none)+random-projection(dimension=16,language=none)+lsa(dimension=3,language=none)"
CHUNKER = "fixed(tokens=2, overlap=0)"
QUERIES = ["cats purr", "dogs", "number 3", "lions roar loud", "whales"]
WORDS = ["cats", "dogs", "lions", "whales", "purr", "bark", "roar", "sing", "loud", "soft"]


def document(number: int, of: str = "") -> Document:
    words = [WORDS[(number * step + step) % len(WORDS)] for step in range(1, 6)]
    return Document(f"d{number}", f"{' '.join(words)} number {number}{of}", {"n": number, "odd": number % 2})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three commits, the segments of which are too different in size to be joined; some rows are dead."""
    folder = tmp_path_factory.mktemp("repair") / "i"
    with Pipeline.create(folder, chunker=CHUNKER, embedder=SPEC) as pipeline:
        pipeline.add(document(n) for n in range(20))
        pipeline.upsert([document(n, of=" of many") for n in range(5)])
        pipeline.add([document(20)])
        pipeline.delete(["d7"])
    return folder


@pytest.fixture
def index(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "i"))


def answers(index: Path) -> list[Any]:
    with Pipeline.open(index) as pipeline:
        everything = pipeline.search_many(QUERIES, k=100)
        some = [pipeline.search(query, k=5, where={"odd": 1}) for query in QUERIES]
        return [[(hit.chunk, hit.score, hit.parts) for hit in hits] for hits in (*everything, *some)]


def repaired(index: Path) -> list[Problem]:
    """What was wrong; nothing may be afterwards."""
    with Pipeline.open(index) as pipeline:
        found = pipeline.repair()
        assert verify(pipeline.store) == []
        assert pipeline.repair() == []
    return found


def change(index: Path, *statements: str) -> None:
    with closing(sqlite3.connect(index / CATALOG_NAME)) as db, db:
        for statement in statements:
            assert db.execute(statement).rowcount != 0  # it changes something


def segments(index: Path) -> list[Path]:
    with Pipeline.open(index) as pipeline, pipeline.store.snapshot() as catalog:
        return [index / SEGMENTS / record.name for record in catalog.segments()]


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def a_folder(path: Path) -> None:
    path.unlink()
    (path / "deep").mkdir(parents=True)


def test_nothing_wrong_nothing_done(index: Path) -> None:
    before = {path: path.read_bytes() for path in segments(index)}
    assert repaired(index) == []
    assert {path: path.read_bytes() for path in segments(index)} == before


@pytest.mark.parametrize("damage", [lose, cut, flip, a_folder])
@pytest.mark.parametrize("which", range(9))
def test_any_segment_is_made_again(index: Path, which: int, damage: Any) -> None:
    expected = answers(index)
    paths = segments(index)
    assert len(paths) == 9  # three of each embedder
    damage(paths[which])
    with pytest.raises(CorruptError, match="run: ragembed verify"):
        answers(index)
    (problem,) = repaired(index)
    assert paths[which].name in problem.what
    assert answers(index) == expected
    assert not paths[which].exists()
    assert len(segments(index)) == 9  # the others were left alone
    assert set(paths) - {paths[which]} < set(segments(index))


def test_all_segments_are_made_again(index: Path) -> None:
    expected = answers(index)
    for path in segments(index):
        path.unlink()
    assert len(repaired(index)) == 9
    assert answers(index) == expected


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM segments",
        "DELETE FROM segments WHERE embedder = 1",
        "UPDATE segments SET kind = 'other'",
        "UPDATE segments SET embedder = 9 WHERE embedder = 0",
        "UPDATE segments SET embedder = 1 - embedder WHERE embedder < 2",
        "UPDATE segments SET name = '../' || name",
        "UPDATE segments SET name = CAST(x'ff' AS TEXT) || name",
        "UPDATE segments SET runs = 'text'",
        "UPDATE segments SET runs = x''",
        "UPDATE segments SET rows = 0, runs = x''",
        "UPDATE segments SET rows = 'many'",
        "UPDATE segments SET bytes = bytes + 1, sha256 = ''",
        "DELETE FROM dead",
        "INSERT INTO dead SELECT row FROM chunks WHERE row < 5",
        "INSERT INTO dead VALUES (100000), (-5)",
        "UPDATE sqlite_sequence SET seq = 3 WHERE name = 'chunks'",
        "DELETE FROM sqlite_sequence",
        "DELETE FROM fields",
        "INSERT INTO fields SELECT 'more', 5, row FROM documents",
        "UPDATE fields SET document = document + 1 WHERE key = 'odd' AND document = 20",
        "INSERT OR REPLACE INTO settings VALUES ('scanned_keys', '{')",
        "DROP INDEX chunks_by_document",
    ],
)
def test_what_follows_from_the_texts_is_made_again(index: Path, damage: str) -> None:
    expected = answers(index)
    change(index, damage)
    assert all(problem.mendable for problem in repaired(index))
    assert answers(index) == expected
    with Pipeline.open(index) as pipeline:  # rows are not used twice
        pipeline.add([Document("new", "whales sing a new song")])
        assert pipeline.search("song", k=1)[0].chunk.document_id == "new"
        assert pipeline.delete(["new"]) == 1
        pipeline.vacuum()
        assert verify(pipeline.store) == []
    assert [[chunk for chunk, *_ in hits] for hits in answers(index)] == [
        [chunk for chunk, *_ in hits] for hits in expected
    ]


def test_segments_that_reach_into_one_another(index: Path) -> None:
    """Two copies of one segment, and a third one whose rows lie between those of another."""
    expected = answers(index)
    first, *_ = segments(index)
    shutil.copy(first, first.with_name(f"a{first.name}"))
    columns = "embedder, kind, rows, runs, bytes, sha256 FROM segments WHERE name ="
    change(index, f"INSERT INTO segments SELECT 'a{first.name}', {columns} '{first.name}'")
    (problem,) = repaired(index)
    assert "hold rows of one another" in problem.what
    assert answers(index) == expected


def test_a_chunk_that_lies_between_the_rows_of_a_whole_segment(tmp_path: Path) -> None:
    """What is embedded again keeps the order of the rows, for which the segment around it is made anew too."""
    with Pipeline.create(tmp_path / "i", chunker=CHUNKER, embedder="bm25(language=none)") as pipeline:
        pipeline.add([document(n) for n in range(9)])
        pipeline.delete(["d4"])
        pipeline.vacuum()  # the rows of d4 are a gap now
    expected = answers(tmp_path / "i")
    (whole,) = segments(tmp_path / "i")
    change(tmp_path / "i", "UPDATE chunks SET row = 18 WHERE row = (SELECT max(row) FROM chunks)")
    repaired(tmp_path / "i")
    assert not whole.exists()
    assert answers(tmp_path / "i") == expected


def no_folder(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(b"no folder")


@pytest.mark.parametrize(
    "damage", [shutil.rmtree, lambda folder: flip(folder / "lsa.safetensors"), no_folder]
)
def test_what_an_embedder_has_learnt_is_learnt_again(index: Path, damage: Any) -> None:
    (folder,) = (index / "embedders").iterdir()
    damage(folder)
    with pytest.raises(CorruptError, match=r"run: ragembed|bring the index back"):
        answers(index)
    (problem,) = repaired(index)
    assert "lsa" in problem.what
    assert [path.is_dir() for path in (index / "embedders").iterdir()] == [True]
    with Pipeline.open(index) as pipeline:
        texts = [Document(chunk.id, chunk.text) for chunk in pipeline.chunks()]
        found = [hits_of(pipeline, query) for query in QUERIES]
    with Pipeline.create(index.parent / "fresh", chunker="whole", embedder=SPEC) as fresh:
        fresh.add(texts)  # in the order of the rows, as they were learnt from
        assert [hits_of(fresh, query) for query in QUERIES] == found


def hits_of(pipeline: Pipeline, query: str) -> dict[str, float]:
    """The score that lsa gives each text that it finds."""
    hits = pipeline.search(query, k=100)
    scores = {hit.chunk.text: part for hit in hits for name, part in hit.parts.items() if "lsa" in name}
    return {text: score for text, (_, score) in scores.items()}


def test_an_embedder_that_has_nothing_left_to_learn_from(index: Path) -> None:
    with Pipeline.open(index) as pipeline:
        pipeline.delete(list(pipeline.document_ids()))
    shutil.rmtree(index / "embedders")
    repaired(index)
    with Pipeline.open(index) as pipeline:
        pipeline.add([document(n) for n in range(5)])
        assert {hit.chunk.document_id for hit in pipeline.search("number", k=99)} == {
            f"d{n}" for n in range(5)
        }
        assert verify(pipeline.store) == []


def test_another_embedder_than_it_was_mends_nothing_of_its_own(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors of another model must not stand beside the old ones; what does not depend on it is mended."""
    from ragembed.embed.random_projection import RandomProjection

    paths = segments(index)
    paths[0].unlink()
    paths[3].unlink()
    embed = RandomProjection.embed
    with monkeypatch.context() as patch:
        patch.setattr(RandomProjection, "embed", lambda self, texts: -embed(self, texts))
        with Pipeline.open(index) as pipeline:
            with pytest.raises(IdentityError, match="was made with another random-projection"):
                pipeline.repair()
            (left,) = verify(pipeline.store)
    assert paths[3].name in left.what
    assert len(repaired(index)) == 1


# what is lost is read again


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files and their index."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("cats purr all day and dream\n")
    (tmp_path / "docs" / "b.md").write_text("---\nlang: en\n---\n# Dogs\n\ndogs bark at night\n")
    (tmp_path / "docs" / "c.jsonl").write_text(
        '{"_id": "x", "text": "lions roar"}\n{"_id": "y", "text": "owls hoot"}\n'
    )
    with Pipeline.create(tmp_path / "i", chunker=CHUNKER, embedder=SPEC.replace("3", "2")) as pipeline:
        pipeline.index(tmp_path / "docs")
    return tmp_path


def corpus(index: Path) -> Iterator[Any]:
    with Pipeline.open(index) as pipeline:
        yield from sorted(
            (chunk.id, chunk.start, chunk.end, chunk.text, str(chunk.metadata)) for chunk in pipeline.chunks()
        )
        yield from sorted(pipeline.document_ids({"lang": "en"}))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE chunks SET text = replace(text, 'bark', 'burk')",
        "UPDATE chunks SET text = CAST(x'ff' || substr(text, 2) AS TEXT)",
        "UPDATE chunks SET text = x'00ff' WHERE row = 2",
        "UPDATE chunks SET text = '' WHERE row = 2",
        "UPDATE chunks SET id = x'ff' WHERE row = 2",
        "UPDATE chunks SET metadata = '[]'",
        "UPDATE chunks SET metadata = '{' WHERE row = 1",
        "UPDATE chunks SET start = -3",
        'UPDATE chunks SET "end" = start',
        "UPDATE chunks SET start = 'one' WHERE row = 3",
        "UPDATE chunks SET hash = x'00'",
        "DELETE FROM documents WHERE id LIKE '%a.txt'",
        "DELETE FROM documents",
        "UPDATE documents SET row = row + 100",
        "UPDATE documents SET metadata = 'null' WHERE id LIKE '%b.md'",
        "UPDATE documents SET metadata = CAST(x'7bff7d' AS TEXT)",
        "UPDATE documents SET id = x'ff' WHERE id LIKE '%b.md'",
        "UPDATE documents SET hash = x'ff'",
        "UPDATE documents SET file = x'ff' WHERE id = 'x'",
        "UPDATE files SET size = 'large', hash = x'00'",
        "UPDATE files SET path = x'ff' WHERE path LIKE '%a.txt'",
        "UPDATE files SET path = CAST(x'ff' AS TEXT) WHERE path LIKE '%a.txt'",
        "DELETE FROM files",
    ],
)
def test_the_next_sync_brings_back_what_was_lost(folder: Path, damage: str) -> None:
    index = folder / "i"
    expected = list(corpus(index))
    change(index, "PRAGMA foreign_keys = OFF", damage)
    repaired(index)
    with Pipeline.open(index) as pipeline:
        assert pipeline.index(folder / "docs").failed == []
        assert verify(pipeline.store) == []
        report = pipeline.index(folder / "docs")
        assert (report.unchanged, report.chunks) == (4, 0)
    assert list(corpus(index)) == expected


def test_a_document_of_no_file_can_be_put_again(index: Path) -> None:
    expected = [[chunk for chunk, *_ in hits] for hits in answers(index)]
    change(
        index,
        "UPDATE chunks SET text = replace(text, 'number', 'NUMBER')"
        " WHERE document = (SELECT row FROM documents WHERE id = 'd10')",
    )
    repaired(index)
    with Pipeline.open(index) as pipeline:
        report = pipeline.upsert([document(10), document(11)])
        assert (report.updated, report.unchanged) == (1, 1)
    assert [[chunk for chunk, *_ in hits] for hits in answers(index)] == expected


# what cannot be mended


def test_tables_of_a_stranger_are_not_written_to(index: Path) -> None:
    change(index, "DELETE FROM dead", "CREATE TABLE more (a)")
    before = (index / CATALOG_NAME).read_bytes()
    with Pipeline.open(index) as pipeline:
        (told,) = verify(pipeline.store)
        assert told.what == "the catalog has a table 'more', which is none of ours"
        assert pipeline.repair() == [told]
    assert (index / CATALOG_NAME).read_bytes() == before


def test_a_damaged_index_of_sqlite_is_made_anew(index: Path) -> None:
    expected = answers(index)
    with closing(sqlite3.connect(index / CATALOG_NAME)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        size = db.execute("PRAGMA page_size").fetchone()[0]
        (page,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'chunks_by_document'"
        ).fetchone()
    with (index / CATALOG_NAME).open("r+b") as file:
        file.seek(size * (page - 1))
        content = bytearray(file.read(size))
        cells = int.from_bytes(content[3:5], "big")
        content[3:5] = (cells - 3).to_bytes(2, "big")  # an index that lacks three of its entries
        file.seek(size * (page - 1))
        file.write(content)
    assert any("missing from index" in problem.what for problem in repaired(index))
    assert answers(index) == expected


# while and after


def test_one_repair_at_a_time(index: Path) -> None:
    segments(index)[0].unlink()
    with Pipeline.open(index) as one, Pipeline.open(index) as other:
        with one.store.writing(), pytest.raises(LockedError):
            other.repair()
        assert len(other.repair()) == 1


def test_an_open_pipeline_searches_on(index: Path) -> None:
    expected = answers(index)
    with Pipeline.open(index) as pipeline:
        pipeline.search("cats")
        for path in segments(index):
            path.unlink()
        pipeline.repair()
        hits = pipeline.search_many(QUERIES, k=100)
        assert [[(h.chunk, h.score, h.parts) for h in found] for found in hits] == expected[: len(QUERIES)]


CRASH = """
import os, sys
from ragembed import Pipeline
from ragembed.index.catalog import Catalog
put, left = Catalog.put_segment, [int(sys.argv[2])]
def crash(self, record):
    put(self, record)
    left[0] -= 1
    if not left[0]:
        os._exit(9)
Catalog.put_segment = crash
Pipeline.open(sys.argv[1]).repair()
"""


@pytest.mark.parametrize("after", [1, 3])
def test_a_crash_leaves_it_as_damaged_as_it_was(index: Path, after: int) -> None:
    expected = answers(index)
    for path in segments(index):
        path.unlink()
    command = [sys.executable, "-c", CRASH, os.fspath(index), str(after)]
    assert subprocess.run(command, check=False).returncode == 9
    with Pipeline.open(index) as pipeline:
        assert len(verify(pipeline.store)) == 9
        assert len(list((index / SEGMENTS).iterdir())) == 3  # files that nothing names
    assert len(repaired(index)) == 9
    assert len(list((index / SEGMENTS).iterdir())) == 3  # one for each embedder
    assert answers(index) == expected


def test_batches_are_bounded(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ragembed import repair as module

    expected = answers(index)
    for name, value in (("_PAGE", 2), ("_CHARACTERS", 50), ("_BYTES", 500)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "BATCH_CHUNKS", {"sparse": 10, "dense": 4})
    for path in segments(index):
        path.unlink()
    repaired(index)
    assert len(segments(index)) > 20
    assert answers(index) == expected


def test_a_chunk_that_was_lost_is_read_again(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, text in [("a.txt", "apples are red"), ("b.txt", "bananas are yellow")]:
        (docs / name).write_text(text)
    with Pipeline.create(tmp_path / "i", "bm25(language=none)", "whole") as pipeline:
        pipeline.index(docs)
        pipeline.add([Document("own", "cherries are small")])
        with pipeline.store.connection() as catalog:
            catalog.db.execute("DELETE FROM chunks WHERE text LIKE 'apples%'")
        assert [problem.remedy for problem in pipeline.repair()] == [READ_AGAIN]
        assert pipeline.search("apples") == []
        assert pipeline.index(docs).chunks == 1  # what was not lost keeps its vector
        assert pipeline.search("apples")[0].chunk.document_id == "docs/a.txt"
        assert pipeline.add([Document("own", "cherries are small")]).chunks == 0
        assert verify(pipeline.store) == []


@pytest.mark.parametrize("value", ["many", '"7"', "{", "1.5"])
def test_a_damaged_generation(tmp_path: Path, value: str) -> None:
    with Pipeline.create(tmp_path / "i", "bm25(language=none)", "whole") as pipeline:
        pipeline.add([Document("a", "apples are red")])
        with pipeline.store.connection() as catalog:
            catalog.db.execute("UPDATE settings SET value = ? WHERE key = 'generation'", (value,))
        with pytest.raises(CorruptError, match="generation"):
            pipeline.search("apples")
        assert len(pipeline.repair()) == 1
        assert pipeline.search("apples")[0].chunk.document_id == "a"
        assert verify(pipeline.store) == []


def test_lost_folders_are_made_again(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "index", "bm25+lsa(dimension=2)") as pipeline:
        pipeline.add(
            [Document(f"d{i}", f"pear {word} number {i}") for i, word in enumerate(["apple", "plum", "fig"])]
        )
        before = pipeline.search("plum", 3)
    shutil.rmtree(tmp_path / "index" / "segments")
    with Pipeline.open(tmp_path / "index") as pipeline:
        assert pipeline.repair()
        assert pipeline.search("plum", 3) == before
    with Pipeline.open(tmp_path / "index") as pipeline:
        assert not verify(pipeline.store)
