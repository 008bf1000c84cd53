"""Damaged and hostile indexes: every damage of a segment is found before anything trusts its bytes, and mended; a
hostile catalog leads to an error of ours, never to another one, a crash, a hang or gigabytes of memory.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import CorruptError, RagembedError
from ragembed.index.catalog import CATALOG_NAME
from ragembed.index.files import SEGMENTS
from ragembed.index.store import Store
from ragembed.index.verify import verify

SPEC = "bm25(language=none)+random-projection(dimension=16,language=none)"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two segments of postings and two of vectors, with a deleted row; no log of SQLite is left."""
    folder = tmp_path_factory.mktemp("damage") / "i"
    with Pipeline.create(folder, chunker="fixed(tokens=3, overlap=0)", embedder=SPEC) as pipeline:
        pipeline.add([Document(f"d{n}", f"cats purr {n} and dogs bark", {"n": n}) for n in range(12)])
        pipeline.add([Document("last", "lions roar", {"tags": ["a", "b"]})])
        pipeline.delete(["d3"])
    return folder


@pytest.fixture
def index(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "i"))


@pytest.fixture(scope="module")
def expected(whole: Path) -> list[tuple[str, float]]:
    return answers(whole)


def answers(index: Path) -> list[tuple[str, float]]:
    with Pipeline.open(index) as pipeline:
        return [(hit.chunk.id, hit.score) for hit in pipeline.search("cats and lions", k=50)]


# segments

Damage = Callable[[Path, random.Random, Path], None]


def truncate(path: Path, chance: random.Random, other: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def extend(path: Path, chance: random.Random, other: Path) -> None:
    path.write_bytes(path.read_bytes() + chance.randbytes(chance.choice((1, 8, 5000))))


def flip(path: Path, chance: random.Random, other: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 2, 100))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    if content == path.read_bytes():  # a bit that was flipped twice
        content[0] ^= 1
    path.write_bytes(content)


def flip_header(path: Path, chance: random.Random, other: Path) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(45)] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def swap(path: Path, chance: random.Random, other: Path) -> None:
    aside = path.with_name("aside")
    path.rename(aside)
    other.rename(path)
    aside.rename(other)


def zero(path: Path, chance: random.Random, other: Path) -> None:
    content = bytearray(path.read_bytes())
    start = chance.randrange(len(content) - 8)
    end = min(len(content), start + chance.choice((8, 512, 4096)))
    content[start:end] = bytes(end - start)
    content[start] ^= path.read_bytes()[start] == 0  # which was zero before
    path.write_bytes(content)


def noise(path: Path, chance: random.Random, other: Path) -> None:
    path.write_bytes(chance.randbytes(path.stat().st_size))


def another_of_its_length(path: Path, chance: random.Random, other: Path) -> None:
    content = other.read_bytes()
    size = path.stat().st_size
    path.write_bytes((content * (size // len(content) + 1))[:size])


def empty(path: Path, chance: random.Random, other: Path) -> None:
    path.write_bytes(b"")


def lose(path: Path, chance: random.Random, other: Path) -> None:
    path.unlink()


def a_folder(path: Path, chance: random.Random, other: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "deep").write_bytes(b"x")


def a_pipe(path: Path, chance: random.Random, other: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_link(path: Path, chance: random.Random, other: Path) -> None:
    path.unlink()
    path.symlink_to(chance.choice([other, path, path.with_name("nowhere"), path.parent, Path("/dev/zero")]))


MUTATIONS: list[Damage] = [
    truncate, extend, flip, flip_header, swap, zero, noise, another_of_its_length, empty, lose, a_folder, a_pipe,
    a_link,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(208))
def test_a_damaged_segment_is_found_and_mended(
    index: Path, expected: list[tuple[str, float]], seed: int
) -> None:
    chance = random.Random(seed)
    paths = sorted((index / SEGMENTS).iterdir())
    path, other = chance.sample(paths, 2)
    MUTATIONS[seed % len(MUTATIONS)](path, chance, other)
    with pytest.raises(CorruptError) as raised:
        answers(index)
    assert "\n" not in str(raised.value)
    assert "ragembed verify" in raised.value.remedy
    with Pipeline.open(index) as pipeline:
        problems = verify(pipeline.store)
        assert any(path.name in problem.what for problem in problems)
        assert all(problem.mendable and "\n" not in str(problem) for problem in problems)
        assert pipeline.repair() == problems
        assert verify(pipeline.store) == []
    assert answers(index) == expected


# catalogs

TRY = """
import resource, sys
from pathlib import Path
from ragembed import Document, Pipeline
from ragembed.errors import RagembedError
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))  # gigabytes would be told as an error of another kind
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))

def search(pipeline):
    pipeline.search("cats and lions", k=50)

def attempt(folder, name, step):
    try:
        return step()
    except RagembedError as error:
        if not str(error) or "\\n" in str(error):
            print(folder, name, "is not told in one line:", repr(str(error)))
    except Exception as error:
        print(folder, name, type(error).__name__, error)

READ = {
    "search": lambda p: p.search("cats and lions", k=50),
    "filter": lambda p: p.search("cats", k=3, where={"n": 5}),
    "documents": lambda p: p.search_documents(["cats"], k=3),
    "info": lambda p: p.info(),
    "get": lambda p: p.get(["d1", "last::0"]),
    "chunks": lambda p: list(p.chunks()) + list(p.document_ids()),
    "repair": lambda p: p.repair(),
}
WRITE = {
    "search again": lambda p: p.search("cats and lions", k=50),
    "upsert": lambda p: p.upsert([Document("d1", "new text"), Document("d2", "old")]),
    "delete": lambda p: p.delete(["d4", "d5"]),
    "vacuum": lambda p: p.vacuum(),
    "search at last": lambda p: p.search("cats and lions", k=50),
}
for folder in sys.argv[1:]:
    for steps in READ, WRITE:
        pipeline = attempt(folder, "open", lambda: Pipeline.open(folder))
        if pipeline is not None:
            for name, step in steps.items():
                attempt(folder, name, lambda: step(pipeline))
            pipeline.close()
"""


def tried(*folders: Path) -> str:
    """What went wrong with everything that can be done with those indexes, in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TRY, *map(str, folders)],
        capture_output=True, text=True, check=False, timeout=120, env=environment,
    )  # fmt: skip
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


def hostile(index: Path, *statements: str) -> None:
    with closing(sqlite3.connect(index / CATALOG_NAME)) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            db.execute(statement)


TABLES = {
    "settings": ("key", "value"),
    "files": ("path", "id", "size", "mtime_ns", "hash", "options"),
    "documents": ("row", "id", "file", "hash", "metadata"),
    "fields": ("key", "value", "document"),
    "chunks": ("row", "id", "document", "start", '"end"', "text", "metadata", "hash"),
    "segments": ("name", "embedder", "kind", "rows", "runs", "bytes", "sha256"),
    "dead": ("row",),
}
VALUES = {
    "blob": "x'00ff00'",
    "text": "'\n../x'",
    "number": "9223372036854775807",
    "negative": "-5",
    "invalid": "CAST(x'c328ff' AS TEXT)",
}


@pytest.mark.parametrize("table", TABLES)
def test_wrong_values_in_every_column(index: Path, tmp_path: Path, table: str) -> None:
    folders = []
    for column in TABLES[table]:
        for name, value in VALUES.items():
            folder = Path(shutil.copytree(index, tmp_path / f"{column.strip(chr(34))}-{name}"))
            one = "" if column not in ("row", "id", "name", "path", "key") else " LIMIT 1"
            key = "rowid" if table in ("documents", "chunks", "dead") else TABLES[table][0]
            try:
                hostile(
                    folder,
                    f"UPDATE {table} SET {column} = {value} WHERE {key} IN (SELECT {key} FROM {table}{one})",
                )
            except sqlite3.IntegrityError:  # SQLite itself keeps such a value out of that column
                continue
            folders.append(folder)
    assert tried(*folders) == ""


HOSTILE = [
    "UPDATE segments SET runs = zeroblob(50000000)",
    "UPDATE segments SET runs = randomblob(160), rows = 4611686018427387904",
    "UPDATE segments SET runs = x'01000000000000000000001000000000', rows = 68719476736",
    "UPDATE segments SET runs = x'01000000000000000000001000000000', rows = 68719476736, bytes = 1 << 60",
    "UPDATE segments SET runs = x''",
    "UPDATE segments SET name = '../catalog.db' WHERE name IN (SELECT min(name) FROM segments)",
    "UPDATE segments SET name = 'a' || char(0) || name",
    "UPDATE chunks SET metadata = '[' || replace(hex(zeroblob(50000)), '00', '[') || ']'",
    "UPDATE documents SET metadata = replace(hex(zeroblob(50000)), '00', '[')",
    "UPDATE documents SET metadata = '[1]'",
    "UPDATE chunks SET metadata = '7'",
    "UPDATE chunks SET metadata = '{\"context\": [1]}'",
    'UPDATE documents SET metadata = \'{"n": NaN, "m": Infinity}\'',
    "UPDATE documents SET metadata = '{\"a\": ' || hex(zeroblob(5000)) || '1}'",
    "UPDATE documents SET metadata = '{\"a\": 1' || hex(zeroblob(5000)) || '}'",
    "UPDATE documents SET metadata = '{\"a\": \"' || hex(zeroblob(20000000)) || '\"}' WHERE row = 1",
    "UPDATE settings SET value = '{}'",
    "UPDATE settings SET value = '[]'",
    "UPDATE settings SET value = 'null'",
    "UPDATE settings SET value = '-1e999' WHERE key = 'generation'",
    "UPDATE settings SET value = replace(hex(zeroblob(50000)), '00', '[')",
    "UPDATE settings SET value = replace(value, '\"dimension\": 16', '\"dimension\": 1000000000000')",
    "UPDATE settings SET value = replace(value, '\"dimension\": 16', '\"dimension\": -16')",
    'UPDATE settings SET value = replace(value, \'"dimension": 16\', \'"dimension": "x"\')',
    'UPDATE settings SET value = replace(value, \'"kind": "dense"\', \'"kind": 5\')',
    "UPDATE settings SET value = replace(value, 'random-projection', 'bm25')",
    "UPDATE settings SET value = replace(value, 'bm25', 'no-such-embedder')",
    "UPDATE settings SET value = replace(value, 'fixed', 'no-such-chunker')",
    'UPDATE settings SET value = replace(value, \'"folder": null\', \'"folder": "../../x"\')',
    'UPDATE settings SET value = replace(value, \'"folder": null\', \'"folder": "embedders/x"\')',
    'UPDATE settings SET value = replace(value, \'"identity": {\', \'"identity": {"probes": 5, \')',
    "DELETE FROM settings",
    "DELETE FROM sqlite_sequence",
    "UPDATE sqlite_sequence SET seq = 'many'",
    "UPDATE sqlite_sequence SET seq = 9223372036854775807",
    "DROP TABLE chunks",
    "DROP TABLE fields",
    "DROP TABLE dead",
    "DROP INDEX chunks_by_document",
    "ALTER TABLE chunks DROP COLUMN hash",
    "ALTER TABLE documents ADD COLUMN more GENERATED ALWAYS AS (zeroblob(1000000000))",
    "CREATE TRIGGER t AFTER INSERT ON dead BEGIN DELETE FROM chunks; END",
    "CREATE TABLE more (a)",
    "UPDATE sqlite_master SET sql = 'no sql' WHERE name = 'chunks'",
    "UPDATE sqlite_master SET rootpage = 1 WHERE name = 'chunks'",
    "UPDATE sqlite_master SET rootpage = 999999 WHERE name = 'segments'",
    "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'files')"
    " WHERE name = 'segments'",
]


@pytest.mark.parametrize("part", range(3))
def test_hostile_contents(index: Path, tmp_path: Path, part: int) -> None:
    folders = []
    for number, statement in enumerate(HOSTILE[part::3]):
        folders.append(Path(shutil.copytree(index, tmp_path / str(number))))
        hostile(folders[-1], statement)
    assert tried(*folders) == ""


BODIES = [
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT {columns} FROM r",
    "SELECT {columns} FROM old",
]


def test_views_in_the_place_of_tables(index: Path, tmp_path: Path) -> None:
    """Also views without end."""
    folders = []
    for table, columns in TABLES.items():
        for number, body in enumerate(BODIES):
            shown = ", ".join(columns if number else (f"n AS {column}" for column in columns))
            folders.append(Path(shutil.copytree(index, tmp_path / f"{table}-{number}")))
            view = f"CREATE VIEW {table} AS {body.format(columns=shown)}"
            hostile(folders[-1], f"ALTER TABLE {table} RENAME TO old", view)
    assert tried(*folders) == ""


def test_a_catalog_of_another_application(index: Path) -> None:
    hostile(index, "PRAGMA application_id = 7")
    assert tried(index) == ""
    with pytest.raises(RagembedError, match="belongs to another program"):
        Store(index)


@pytest.mark.parametrize("group", range(4))
def test_flipped_bits_in_the_catalog(whole: Path, tmp_path: Path, group: int) -> None:
    """25 catalogs; most of what is flipped is free space or text, some of it is the structure of the database."""
    folders = []
    for seed in range(25 * group, 25 * group + 25):
        chance = random.Random(seed)
        folder = Path(shutil.copytree(whole, tmp_path / str(seed)))
        content = bytearray((folder / CATALOG_NAME).read_bytes())
        for _ in range(chance.choice((1, 3, 30))):
            page = chance.randrange(len(content) // 4096)
            at = chance.choice(
                (chance.randrange(100), chance.randrange(4096))
            )  # a page begins with its structure
            content[4096 * page + at] ^= 1 << chance.randrange(8)
        (folder / CATALOG_NAME).write_bytes(content)
        folders.append(folder)
    assert tried(*folders) == ""


def test_a_whole_index_goes_through_all_of_it(index: Path) -> None:
    assert tried(index) == ""
    with Pipeline.open(index) as pipeline:
        assert {"d1", "d2"} <= set(pipeline.document_ids())
        assert pipeline.search("new text", k=1)[0].chunk.text == "new text"
