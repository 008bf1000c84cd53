"""The quick answer agrees with `Pipeline.index`: it says "unchanged" exactly where that would do nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed import Pipeline, SyncReport
from ragembed.index.catalog import Catalog
from ragembed.read.base import ReadOptions
from ragembed.unchanged import unchanged

FILES = {
    "a/x.md": "# Keys\n\nRotate them.\n",
    "a/y.md": "Rivers flood in spring.\n",
    "a/in/deep.txt": "Cats hunt at dusk.\n",
    "b.txt": "Lakes freeze.\n",
    "rows.jsonl": '{"_id": "1", "text": "one"}\n{"_id": "2", "text": "two"}\n',
    ".hidden/z.md": "Seen through a link only.\n",
    "film.mp4": "no text",
    "empty.txt": "",
}


def make(root: Path) -> Path:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "link.md").symlink_to(".hidden/z.md")
    return root


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return make(tmp_path / "docs")


@pytest.fixture
def index(docs: Path, tmp_path: Path) -> Path:
    """An index of `docs`: 7 documents, two of them rows, from 7 files, of which one is empty and one a link."""
    with Pipeline.create(tmp_path / "my.index") as pipeline:
        assert pipeline.index(docs).added == 7
    return tmp_path / "my.index"


def generation(index: Path) -> int:
    catalog = Catalog(index)
    try:
        return catalog.generation()
    finally:
        catalog.close()


def compare(
    index: Path, paths: list[Path], options: ReadOptions | None = None, prune: bool = False
) -> SyncReport | None:
    """Both ways one after the other, held against each other; what the quick one said."""
    quick = unchanged(index, paths, options)
    before = generation(index)
    with Pipeline.open(index) as pipeline:
        full = pipeline.index(*paths, options=options, prune=prune)
    only_unchanged = SyncReport(
        unchanged=full.unchanged, files=full.files, skipped=full.skipped, seconds=full.seconds
    )
    nothing_done = full == only_unchanged and generation(index) == before
    assert (quick is not None) == nothing_done, full
    if quick is not None:
        assert replace(quick, seconds=0.0) == replace(full, seconds=0.0)
    return quick


def test_an_unchanged_tree(index: Path, docs: Path) -> None:
    report = compare(index, [docs])
    assert report is not None
    assert (report.unchanged, report.files) == (7, 7)
    assert report.skipped == {"hidden": 1, "binary": 1}
    assert report.seconds > 0


# what may happen to a tree between two runs; each takes its root and one of its files


def touch(root: Path, file: Path) -> None:
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))


def edit(root: Path, file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8") + "More.\n", encoding="utf-8")


def edit_same_size(root: Path, file: Path) -> None:
    was = file.stat().st_mtime_ns
    file.write_text(file.read_text(encoding="utf-8").swapcase(), encoding="utf-8")
    os.utime(file, ns=(1, was + 10**9))


def edit_unseen(root: Path, file: Path) -> None:
    was = file.stat().st_mtime_ns
    file.write_text(file.read_text(encoding="utf-8").swapcase(), encoding="utf-8")
    os.utime(file, ns=(1, was))  # nothing that looks at size and time can tell


def set_time_back(root: Path, file: Path) -> None:
    os.utime(file, ns=(1, 10**18))


def delete(root: Path, file: Path) -> None:
    file.unlink()


def move(root: Path, file: Path) -> None:
    file.rename(file.with_name(f"moved-{file.name}"))


def move_and_back(root: Path, file: Path) -> None:
    file.rename(root / "elsewhere.md")
    (root / "elsewhere.md").rename(file)


def swap(root: Path, file: Path) -> None:
    other = root / "b.txt"
    if other.exists() and other != file:
        file.rename(root / "third")
        other.rename(file)
        (root / "third").rename(other)


def replace_by_link(root: Path, file: Path) -> None:
    target = root / ".hidden" / f"real-{file.name}"
    file.rename(target)
    file.symlink_to(target)


def add_file(root: Path, file: Path) -> None:
    file.with_name("new.md").write_text("New.\n", encoding="utf-8")


def add_hidden(root: Path, file: Path) -> None:
    file.with_name(".new.md").write_text("New.\n", encoding="utf-8")


def add_binary(root: Path, file: Path) -> None:
    file.with_name("new.png").write_text("New.\n", encoding="utf-8")


def add_folder(root: Path, file: Path) -> None:
    (file.parent / "folder").mkdir(exist_ok=True)


def add_link(root: Path, file: Path) -> None:
    with contextlib.suppress(FileExistsError):
        (root / "again.md").symlink_to(file)


def add_broken_link(root: Path, file: Path) -> None:
    with contextlib.suppress(FileExistsError):
        (root / "broken.md").symlink_to("nowhere")


def remove_link(root: Path, file: Path) -> None:
    (root / "link.md").unlink(missing_ok=True)


def break_encoding(root: Path, file: Path) -> None:
    (root / "rows.jsonl").write_text('{"_id": "1", "text": "one"}\n{"broken\n', encoding="utf-8")


def nothing(root: Path, file: Path) -> None:
    pass


CHANGES: list[Callable[[Path, Path], None]] = [
    nothing, touch, edit, edit_same_size, edit_unseen, set_time_back, delete, move, move_and_back, swap,
    replace_by_link, add_file, add_hidden, add_binary, add_folder, add_link, add_broken_link, remove_link,
    break_encoding,
]  # fmt: skip
OPTIONS = [
    None,
    None,
    None,
    ReadOptions(include=("*.md",)),
    ReadOptions(exclude=("a/in",)),
    ReadOptions(exclude=("!.hidden",)),
    ReadOptions(max_bytes=20),
    ReadOptions(max_expanded=99),
    ReadOptions(title_field="_id"),
    ReadOptions(encoding="utf-8"),
]
PATHS = [
    ["."],
    ["."],
    ["."],
    ["a"],
    ["a", "."],
    ["a/in", "rows.jsonl"],
    ["a/x.md", "film.mp4"],
    ["nowhere"],
    ["a", "nowhere"],
]


@settings(max_examples=60)
@given(
    runs=st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 99)), max_size=2),
            st.sampled_from(OPTIONS),
            st.sampled_from(PATHS),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_it_agrees_with_the_ordinary_way_whatever_happens(
    runs: list[tuple[list[tuple[Callable[[Path, Path], None], int]], ReadOptions | None, list[str], bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder, "docs"))
        index = Path(folder, "my.index")
        with Pipeline.create(index) as pipeline:
            pipeline.index(root)
        for changes, options, names, prune in runs:
            for change, number in changes:
                files = sorted(p for p in root.rglob("*.*") if p.is_file() and not p.is_symlink())
                if files:
                    change(root, files[number % len(files)])
            paths = [root / name for name in names]
            if all(path.exists() for path in paths):
                compare(index, paths, options, prune)
            else:
                assert unchanged(index, paths, options) is None


def test_specs_in_other_words_are_left_to_the_ordinary_way(docs: Path, tmp_path: Path) -> None:
    index = tmp_path / "my.index"
    with Pipeline.create(index, "bm25(k1=1.7)", "recursive(tokens=64)") as pipeline:
        pipeline.index(docs)
        settled = pipeline.config.embedders[0].spec
        chunker = pipeline.config.settled_chunker
    assert unchanged(index, [docs]) is not None
    assert unchanged(index, [docs], embedder="bm25(k1=1.7)", index_type="flat") is not None
    assert unchanged(index, [docs], embedder=settled, chunker=chunker) is not None
    for other in ("bm25", "bm25( k1=1.7)", "bm25(k1=1.6)", "nonsense("):
        assert unchanged(index, [docs], embedder=other) is None
    assert unchanged(index, [docs], chunker="whole") is None
    assert unchanged(index, [docs], index_type="hnsw") is None


def test_other_files_of_the_index_do_not_matter(index: Path, docs: Path, tmp_path: Path) -> None:
    (tmp_path / "docs2").mkdir()  # a name that only begins as that of the other folder
    (tmp_path / "docs2" / "other.md").write_text("Other.", encoding="utf-8")
    with Pipeline.open(index) as pipeline:
        assert pipeline.index(tmp_path / "docs2").added == 1
    report = compare(index, [docs])
    assert report is not None
    assert report.unchanged == 7
    (tmp_path / "docs2" / "other.md").unlink()
    assert compare(index, [docs]) is not None
    assert unchanged(index, [docs, tmp_path / "docs2"]) is None


def test_a_deleted_document_is_not_counted(index: Path, docs: Path) -> None:
    with Pipeline.open(index) as pipeline:
        assert pipeline.delete(["docs/b.txt"]) == 1
    report = compare(index, [docs])
    assert report is not None
    assert report.unchanged == 6


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder(index: Path, docs: Path) -> None:
    (docs / "a" / "in").chmod(0)
    try:
        assert compare(index, [docs]) is None
    finally:
        (docs / "a" / "in").chmod(0o700)


def test_what_a_crash_left_is_left_to_a_writer(index: Path, docs: Path) -> None:
    orphan = index / "segments" / "000000000001-0-00000000.safetensors"
    orphan.write_bytes(b"x")
    assert unchanged(index, [docs]) is None
    orphan.unlink()
    assert unchanged(index, [docs]) is not None
    for segment in (index / "segments").iterdir():
        segment.unlink()
    assert unchanged(index, [docs]) is None


def test_no_index_or_a_broken_one(index: Path, docs: Path, tmp_path: Path) -> None:
    assert unchanged(tmp_path / "none", [docs]) is None
    assert unchanged(docs, [docs]) is None
    assert unchanged(index, []) is None
    assert unchanged(index, [""]) is None
    for config in ("3", "{}", '{"embedders": 3}', '{"embedders": [{}]}', "[" * 100_000, "not JSON"):
        broken = tmp_path / "broken"
        shutil.copytree(index, broken)
        with contextlib.closing(sqlite3.connect(broken / "catalog.db")) as db, db:
            db.execute("UPDATE settings SET value = ? WHERE key = 'config'", (config,))
        assert unchanged(broken, [docs]) is None
        shutil.rmtree(broken)
    (index / "catalog.db").write_bytes((index / "catalog.db").read_bytes()[:5000])
    assert unchanged(index, [docs]) is None


def test_an_index_without_a_document(docs: Path, tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "my.index") as pipeline:
        pipeline.index(docs / "empty.txt", docs / "b.txt", options=ReadOptions(max_bytes=1))
    assert unchanged(tmp_path / "my.index", [docs]) is None


def test_names_that_are_no_text(index: Path, docs: Path) -> None:
    try:
        (docs / os.fsdecode(b"caf\xe9.md")).write_text("One.", encoding="utf-8")
        (docs / "caf\\xe9.md").write_text("Two.", encoding="utf-8")  # looks the same once it is shown
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    with Pipeline.open(index) as pipeline:
        pipeline.index(docs)
    assert unchanged(index, [docs]) is None
    (docs / "caf\\xe9.md").unlink()
    with Pipeline.open(index) as pipeline:
        pipeline.index(docs)
    assert compare(index, [docs]) is not None


def test_while_another_process_writes(index: Path, docs: Path) -> None:
    with Pipeline.open(index) as pipeline, pipeline.store.writing():
        assert unchanged(index, [docs]) is not None  # what is committed is what counts


def test_it_loads_nothing_that_takes_long(index: Path, docs: Path) -> None:
    program = (
        "import sys; from ragembed.unchanged import unchanged; assert unchanged(sys.argv[1], sys.argv[2:]);"
        " print([name for name in ('numpy', 'rich', 'zipfile', 'asyncio', 'faiss') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, index, docs], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
