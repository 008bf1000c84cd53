from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import RagembedError
from ragembed.index.catalog import CATALOG_NAME
from ragembed.index.files import SEGMENTS
from ragembed.index.store import Store
from ragembed.index.verify import Problem, orphans, verify


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four documents in postings and in vectors, one of them written twice."""
    folder = tmp_path_factory.mktemp("verify") / "i"
    spec = "bm25(language=none)+random-projection(dimension=16)"
    with Pipeline.create(folder, chunker="fixed(tokens=2, overlap=0)", embedder=spec) as pipeline:
        pipeline.add([Document(f"d{n}", f"cats number {n}\x00 purr", {"n": n}) for n in range(4)])
        pipeline.upsert([Document("d1", "dogs bark")])
    return folder


@pytest.fixture
def index(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "i"))


def found(index: Path) -> list[str]:
    with closing(Store(index)) as store:
        return [str(problem) for problem in verify(store)]


def segment(index: Path, kind: str) -> Path:
    with closing(Store(index)) as store, store.snapshot() as catalog:
        return index / SEGMENTS / next(r.name for r in catalog.segments() if r.kind == kind)


def test_a_whole_index(index: Path) -> None:
    assert found(index) == []


def test_an_empty_index(tmp_path: Path) -> None:
    Pipeline.create(tmp_path / "i").close()
    assert found(tmp_path / "i") == []


def test_what_no_one_names_is_no_damage(index: Path) -> None:
    (index / SEGMENTS / "half.faiss.tmp").write_bytes(b"x")
    assert found(index) == []
    with closing(Store(index)) as store:
        assert orphans(store) == ["segments/half.faiss.tmp"]
        with store.writing():
            pass
        assert orphans(store) == []


@pytest.mark.parametrize("kind", ["postings", "flat"])
def test_a_damaged_segment(index: Path, kind: str) -> None:
    path = segment(index, kind)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    (told,) = found(index)
    assert told == (
        f"{path.name} has {len(content) - 1} bytes, {len(content)} were written; run: ragembed verify INDEX --repair"
    )
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert "its checksum differs" in found(index)[0]
    path.unlink()
    assert "is missing from the index" in found(index)[0]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE chunks SET start = -1 WHERE row = 1", "1 chunks have a span that does not fit their text"),
        ('UPDATE chunks SET "end" = start', "chunks have a span that does not fit"),
        ("UPDATE chunks SET text = text || 'x' WHERE row = 1", "1 chunks have a span that does not fit"),
        ("UPDATE chunks SET metadata = '{' WHERE row = 1", "1 chunks have text or metadata that is not readable"),
        ("DELETE FROM dead", "rows that are neither chunks nor deleted ones"),
        ("DELETE FROM documents WHERE id = 'd2'", "chunks belong to documents that are not there"),
        ("DELETE FROM segments WHERE embedder = 1", "chunks are in no segment of random-projection"),
        ("UPDATE segments SET rows = rows + 1", "the catalog says"),
        ("UPDATE segments SET rows = 'many'", "4 segments have a record that is not one of ours, the first '0000"),
        ("UPDATE segments SET runs = 'text'", "4 segments have a record that is not one of ours, the first '0000"),
        ("UPDATE segments SET runs = CAST(x'0000000000000040' || substr(runs, 9) AS BLOB)", "list of the rows of 000"),
        ("UPDATE segments SET runs = CAST(x'ffffffffffffffff' || substr(runs, 9) AS BLOB)", "list of the rows of 000"),
        ("UPDATE segments SET runs = substr(runs, 2)", "list of the rows of 000"),
        ("UPDATE segments SET embedder = 7 WHERE embedder = 1", "segments are of no embedder of this index"),
        ("UPDATE segments SET kind = 'flat'", "makes postings"),
        ("UPDATE segments SET name = '../' || name", "that is not one of ours, the first '../0000"),
        ("UPDATE segments SET name = '..' || name", "that is not one of ours, the first '..0000"),
        ("UPDATE settings SET value = '{' WHERE key = 'config'", "setting config is damaged"),
        ("UPDATE settings SET value = '[]' WHERE key = 'config'", "configuration is damaged"),
        ("DELETE FROM settings", "cannot be read"),
        ("DROP TABLE dead", "no such table: dead"),
    ],
)  # fmt: skip
def test_a_catalog_that_is_not_true(index: Path, change: str, fault: str) -> None:
    with closing(sqlite3.connect(index / CATALOG_NAME)) as db, db:
        db.execute(change)
    assert fault in "\n".join(found(index))


def test_segments_with_rows_of_one_another(index: Path) -> None:
    path = segment(index, "postings")
    shutil.copy(path, path.with_name(f"a{path.name}"))
    with closing(sqlite3.connect(index / CATALOG_NAME)) as db, db:
        db.execute(
            "INSERT INTO segments SELECT 'a' || name, embedder, kind, rows, runs, bytes, sha256 FROM segments"
            " WHERE name = ?",
            (path.name,),
        )
    (told,) = found(index)
    assert told.startswith(
        '2 segments of bm25(language="none") hold rows of one another; run: ragembed verify'
    )


def test_an_embedder_whose_learnt_state_is_gone(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", embedder="lsa(dimension=2)") as pipeline:
        pipeline.add([Document(f"d{n}", f"cats purr {n} dogs bark") for n in range(5)])
    assert found(tmp_path / "i") == []
    shutil.rmtree(tmp_path / "i" / "embedders")
    (told,) = found(tmp_path / "i")
    assert told.startswith("what lsa(language=english, dimension=2) learnt is lost")
    assert told.endswith("; run: ragembed verify INDEX --repair")


def test_a_writer_that_merges_meanwhile_is_no_damage(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store(index)) as store:
        load = store.load_postings

        def late(record: object) -> object:
            monkeypatch.undo()
            with Pipeline.open(index) as other:
                other.add([Document("new", "lions roar")])
            return load(record)  # type: ignore[arg-type]

        monkeypatch.setattr(store, "load_postings", late)
        assert verify(store) == []


def flip(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 8, 200))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def cut(data: bytearray, chance: random.Random) -> bytes:
    return bytes(data[: chance.randrange(len(data))])


@pytest.mark.parametrize("damage", [flip, cut])
@pytest.mark.parametrize("seed", range(60))
def test_no_damage_crashes_it(
    index: Path, seed: int, damage: Callable[[bytearray, random.Random], bytes]
) -> None:
    chance = random.Random(seed)
    paths = [index / CATALOG_NAME, *sorted((index / SEGMENTS).iterdir())]
    path = paths[0] if seed % 2 else chance.choice(paths[1:])
    path.write_bytes(damage(bytearray(path.read_bytes()), chance))
    try:
        problems = found(index)
    except RagembedError as error:  # so damaged that the catalog does not open
        problems = [" ".join(str(error).split())]
    assert problems or path.name == CATALOG_NAME  # a flipped bit in free space of the catalog harms nothing
    assert all("\n" not in problem for problem in problems)


def test_a_problem_is_one_line() -> None:
    assert str(Problem("a\nb", "do c")) == "a b; do c"
