"""Nothing in an export is trusted: each kind of damage is told with its file and line, and leaves no index."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.errors import (
    CorruptError,
    IdentityError,
    NotAnIndexError,
    RagembedError,
    ReadError,
    StoreError,
    VersionError,
)
from ragembed.exchange import export_index, import_index

Change = Callable[[Path], Any]


def resign(folder: Path) -> None:
    """Have the manifest vouch for the files as they are now: what a stranger would do."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for name in manifest["files"]:
        if (folder / name).is_file():
            data = (folder / name).read_bytes()
            manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    path.write_text(json.dumps(manifest))


def refused(folder: Path, tmp_path: Path) -> RagembedError:
    """The error of importing `folder`, which must be one line and leave nothing behind."""
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(RagembedError) as raised:
        import_index(folder, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert "\n" not in str(raised.value)
    assert raised.value.remedy
    return raised.value


def line(name: str, number: int, **values: Any) -> Change:
    """Other values in the object in line `number` (from 1); an ellipsis takes a key out."""

    def change(folder: Path) -> None:
        path = folder / name
        lines = path.read_text(encoding="utf-8").splitlines()
        item = {**json.loads(lines[number - 1]), **values}
        lines[number - 1] = json.dumps({key: value for key, value in item.items() if value is not ...})
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return change


def raw(name: str, number: int, text: bytes) -> Change:
    """Other bytes in line `number` (from 1)."""

    def change(folder: Path) -> None:
        lines = (folder / name).read_bytes().splitlines()
        lines[number - 1] = text
        (folder / name).write_bytes(b"\n".join(lines) + b"\n")

    return change


def order(*numbers: int) -> Change:
    """Lines of the chunks, repeated or left out."""

    def change(folder: Path) -> None:
        lines = (folder / "chunks.jsonl").read_bytes().splitlines(keepends=True)
        (folder / "chunks.jsonl").write_bytes(
            b"".join(lines[number] for number in numbers) + b"".join(lines[6:])
        )

    return change


CONTENT: dict[str, tuple[Change, str]] = {
    "no JSON": (raw("chunks.jsonl", 3, b'{"id": '), r"chunks\.jsonl line 3 is no JSON object"),
    "blank line": (raw("chunks.jsonl", 3, b""), r"chunks\.jsonl line 3 is no JSON object"),
    "no UTF-8": (raw("documents.jsonl", 2, b'{"id": "\xff"}'), r"documents\.jsonl line 2 is no JSON object"),
    "a list": (raw("chunks.jsonl", 3, b"[]"), r"chunks\.jsonl line 3 is \[\], not a JSON object"),
    "NaN": (raw("documents.jsonl", 1, b'{"id": NaN}'), r"line 1 is no JSON object \(NaN is no JSON"),
    "deep": (raw("documents.jsonl", 1, b"[" * 100_000), r"line 1 is no JSON object"),
    "long number": (raw("documents.jsonl", 1, b'{"id": ' + b"1" * 5000 + b"}"), r"line 1 is no JSON object"),
    "no text": (line("chunks.jsonl", 2, text=...), r"line 2: 'text' is missing"),
    "text is null": (line("chunks.jsonl", 2, text=None), r"line 2: text is None, not a string"),
    "empty text": (line("chunks.jsonl", 2, text="", end=0, start=0), r"line 2: it goes from 0 to 0"),
    "span": (line("chunks.jsonl", 4, end=1000), r"line 4: it goes from \d+ to 1000, but its text has \d+"),
    "negative start": (line("chunks.jsonl", 4, start=-1), r"line 4: start is -1, not an integer from 0"),
    "huge end": (line("chunks.jsonl", 4, end=1 << 63), r"line 4: end is 9223372036854775808, not an integer"),
    "start is true": (line("chunks.jsonl", 4, start=True), r"line 4: start is True, not an integer"),
    "start is 0.0": (line("chunks.jsonl", 4, start=0.0), r"line 4: start is 0\.0, not an integer"),
    "surrogate id": (line("chunks.jsonl", 1, id="\ud800"), r"line 1: id holds half a surrogate pair"),
    "surrogate inside": (line("documents.jsonl", 1, metadata={"a": ["\udfff"]}), r"line 1: .* cannot be stored"),
    "infinite metadata": (
        raw("documents.jsonl", 1, b'{"id": "d1", "metadata": {"a": 1e999}}'),
        r"line 1: the metadata of this line cannot be stored",
    ),
    "metadata is a list": (line("chunks.jsonl", 1, metadata=[]), r"line 1: metadata is \[\], not an object"),
    "hash": (line("documents.jsonl", 1, hash="zz"), r"line 1: hash is 'zz', not a sha256"),
    "file": (line("documents.jsonl", 1, file=3), r"line 1: file is 3, not a string"),
    "id twice": (line("documents.jsonl", 3, id="d1"), r"documents\.jsonl line 3: 'd1' came before, in line 1"),
    "chunk id twice": (line("chunks.jsonl", 2, id="d1::0"), r"chunks\.jsonl line 2: 'd1::0' came before, in line 1"),
    "unknown document": (line("chunks.jsonl", 51, document_id="x"), r"line 51: its document 'x' is not there"),
    "chunks out of order": (order(3, 4, 5, 0, 1, 2), r"line 4: its document 'd1' is not there, or its turn was"),
    "a chunk less": (order(0, 1, 2, 3, 4), r"has 50 chunks, the manifest says 51"),
    "a chunk more": (order(0, 1, 2, 3, 4, 5, 5), r"came before, in line 6"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTENT)
def test_wrong_lines(case: str, exported: Path, tmp_path: Path) -> None:
    change, message = CONTENT[case]
    change(exported)
    resign(exported)
    error = refused(exported, tmp_path)
    assert isinstance(error, ReadError)
    assert re.search(message, str(error)), str(error)


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


GOOD = np.zeros((51, 6), np.float32)


def spoilt(value: float) -> np.ndarray:
    array = GOOD.copy()
    array[20, 3] = value
    return array


VECTORS: dict[str, tuple[bytes, str]] = {
    "rows": (npy(GOOD[:50]), r"is <f4 \(50, 6\) in C order, not <f4 \(51, 6\) in C order"),
    "dimension": (npy(GOOD[:, :5].copy()), r"is <f4 \(51, 5\)"),
    "float64": (npy(GOOD.astype(float)), r"is <f8 \(51, 6\)"),
    "big endian": (npy(GOOD.astype(">f4")), r"is >f4 \(51, 6\)"),
    "fortran": (npy(np.asfortranarray(GOOD)), r"in Fortran order"),
    "one dimension": (npy(GOOD.ravel()), r"is <f4 \(306,\)"),
    "objects": (npy(np.array([[{}]], object), allow_pickle=True), r"is \|O \(1, 1\)"),
    "fields": (npy(np.zeros((51, 6), [("a", "<f4")])), r"is no plain \.npy file"),
    "NaN": (npy(spoilt(np.nan)), r"vectors-1\.npy row 20 \(line 21 of the chunks\) has NaN or infinity"),
    "infinity": (npy(spoilt(-np.inf)), r"row 20 "),
    "cut off": (npy(GOOD)[:-1], r"has 1351 bytes, 51 vectors of 6 dimensions take 1352"),
    "too long": (npy(GOOD) + b"x", r"has 1353 bytes"),
    "empty": (b"", r"is no plain \.npy file"),
    "code": (npy(GOOD).replace(b"False", b"__x__"), r"is no plain \.npy file"),
    "pickle": (b"\x80\x04N.", r"is no plain \.npy file"),
}


@pytest.mark.parametrize("case", VECTORS)
def test_wrong_vectors(case: str, exported: Path, tmp_path: Path) -> None:
    data, message = VECTORS[case]
    (exported / "vectors-1.npy").write_bytes(data)
    resign(exported)
    error = refused(exported, tmp_path)
    assert re.search(message, str(error)), str(error)


def test_what_numpy_writes_is_what_is_read(exported: Path, tmp_path: Path) -> None:
    vectors = np.load(exported / "vectors-1.npy", allow_pickle=False)
    (exported / "vectors-1.npy").write_bytes(npy(vectors))
    resign(exported)
    assert import_index(exported, tmp_path / "new").chunks == 51


def manifest(**values: Any) -> Change:
    """Other values in the manifest, by keys joined by two underscores; an ellipsis takes a key out."""

    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        loaded = json.loads(path.read_text())
        for keys, value in values.items():
            *outer, last = keys.split("__")
            inner = loaded
            for key in outer:
                inner = inner[int(key) if key.isdigit() else key]
            if value is ...:
                del inner[last]
            else:
                inner[last] = value
        path.write_text(json.dumps(loaded))

    return change


def note_of(name: str) -> Change:
    """A file more in the manifest."""

    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        loaded = json.loads(path.read_text())
        loaded["files"][name] = {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
        path.write_text(json.dumps(loaded))

    return change


def unnamed(name: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        loaded = json.loads(path.read_text())
        loaded["files"] = {key: value for key, value in loaded["files"].items() if not key.startswith(name)}
        path.write_text(json.dumps(loaded))

    return change


EMPTY_VECTORS = {"files__vectors-0.npy": {"bytes": 0, "sha256": "0" * 64}}
MANIFEST: dict[str, tuple[Change, type[RagembedError], str]] = {
    "format": (manifest(format="zip"), NotAnIndexError, "of format 'zip', not 'ragembed-export'"),
    "newer": (manifest(version=2), VersionError, "has export version 2, this ragembed reads version 1"),
    "version is true": (manifest(version=True), VersionError, "has export version True"),
    "parquet": (manifest(data="parquet"), ReadError, "is of an export as 'parquet', which is for other programs"),
    "counts": (manifest(counts=[]), ReadError, "counts is [], not numbers"),
    "a count": (manifest(counts__chunks="51"), ReadError, "not numbers of files, documents, chunks"),
    "negative count": (manifest(counts__files=-1), ReadError, "not numbers of"),
    "fewer counted": (manifest(counts__documents=17), ReadError, "has 18 documents, the manifest says 17"),
    "created": (manifest(created="now"), ReadError, "created is 'now', not seconds"),
    "config": (manifest(config=None), ReadError, "config is None, not an object"),
    "embedder": (manifest(config__embedder=5), ReadError, "embedder is 5, not a spec"),
    "chunker": (manifest(config__chunker=...), ReadError, "chunker is None, not a spec"),
    "settled": (manifest(config__settled_chunker=[]), ReadError, "settled_chunker is [], not a string"),
    "unknown setting": (manifest(config__more=1), VersionError, "configuration does not fit"),
    "index type": (manifest(config__index_type="warp"), RagembedError, "unknown index type 'warp'"),
    "no embedders": (manifest(config__embedders=[]), ReadError, "embedders is 'empty', not who embedded 51"),
    "one embedder": (manifest(config__embedder="bm25"), ReadError, "embedders is '2 records', not one for each"),
    "kind": (manifest(config__embedders__1__kind="sparse"), ReadError, "embedder 1 is"),
    "other kind": (
        manifest(config__embedders__0__kind="dense", config__embedders__0__dimension=3, **EMPTY_VECTORS),
        CorruptError, "vectors-0.npy is missing",
    ),
    "swapped kind": (
        manifest(config__embedders__1__spec="bm25"), ReadError, "embedder bm25 is dense, but makes sparse vectors",
    ),
    "dimension": (manifest(config__embedders__1__dimension=7), ReadError, "is <f4 (51, 6) in C order, not <f4 (51, 7)"),
    "dimension 0": (manifest(config__embedders__1__dimension=0), ReadError, "embedder 1 is"),
    "identity": (manifest(config__embedders__1__identity=None), ReadError, "embedder 1 is"),
    "folder": (manifest(config__embedders__1__folder="../../etc"), CorruptError, "is no folder of ours"),
    "spec": (manifest(config__embedders__0__spec="nonsense"), RagembedError, "unknown embedder 'nonsense'"),
    "unparseable": (manifest(config__embedders__0__spec="((("), RagembedError, "does not parse"),
    "out of the folder": (note_of("../../outside"), ReadError, "'../../outside', not only names of"),
    "out by embedders": (note_of("embedders/1-lsa/../../../x"), ReadError, "not only names of"),
    "absolute": (note_of("/etc/passwd"), ReadError, "'/etc/passwd', not only names of"),
    "a stranger": (note_of("embedders/2-lsa/x"), ReadError, "'embedders/2-lsa/x', not only names of"),
    "hidden": (note_of("embedders/1-lsa/.x"), ReadError, "not only names of"),
    "sparse vectors": (note_of("vectors-0.npy"), ReadError, "'vectors-0.npy', not only names of"),
    "no vectors": (unnamed("vectors"), ReadError, "files lacks vectors-1.npy"),
    "no chunks": (unnamed("chunks"), ReadError, "files lacks chunks.jsonl"),
    "no learnt state": (unnamed("embedders"), ReadError, "lacks what lsa(language=english, dimension=6) has learnt"),
    "files": (manifest(files=3), ReadError, "files is 3, not an object"),
    "a note": (manifest(**{"files__chunks.jsonl": {"bytes": "1"}}), ReadError, "not bytes and sha256"),
    "another analyzer": (
        manifest(config__embedders__0__identity__analyzer="0"), IdentityError, "was made with another bm25",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MANIFEST)
def test_wrong_manifests(case: str, exported: Path, tmp_path: Path) -> None:
    change, kind, message = MANIFEST[case]
    change(exported)
    error = refused(exported, tmp_path)
    assert isinstance(error, kind)
    assert message in str(error)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1e999}', "\ufeff{}", "null"])
def test_manifests_that_are_none(text: str, exported: Path, tmp_path: Path) -> None:
    (exported / "manifest.json").write_text(text)
    refused(exported, tmp_path)


def test_no_manifest(exported: Path, tmp_path: Path) -> None:
    (exported / "manifest.json").unlink()
    assert "is no export: it has no manifest.json" in str(refused(exported, tmp_path))
    assert "there is no" in str(refused(tmp_path / "nothing", tmp_path))


@pytest.mark.parametrize(
    "name", ["chunks.jsonl", "documents.jsonl", "vectors-1.npy", "embedders/1-lsa/lsa.json"]
)
def test_files_other_than_were_written(name: str, exported: Path, tmp_path: Path) -> None:
    data = (exported / name).read_bytes()
    (exported / name).write_bytes(data[:-1])
    assert f"{name} has {len(data) - 1} bytes, the manifest says {len(data)}" in str(
        refused(exported, tmp_path)
    )
    (exported / name).write_bytes(bytes([data[0] ^ 1]) + data[1:])
    error = refused(exported, tmp_path)
    assert isinstance(error, CorruptError)
    assert f"{name} is damaged: its sha256 is" in str(error)
    (exported / name).unlink()
    assert f"{name} is missing" in str(refused(exported, tmp_path))
    (tmp_path / "elsewhere").write_bytes(data)
    (exported / name).symlink_to(tmp_path / "elsewhere")
    assert "no plain file" in str(refused(exported, tmp_path))


def test_a_pipe_is_not_waited_for(exported: Path, tmp_path: Path) -> None:
    (exported / "chunks.jsonl").unlink()
    os.mkfifo(exported / "chunks.jsonl")
    assert "no plain file" in str(refused(exported, tmp_path))


def test_ids_of_batches_before_are_remembered(exported: Path, tmp_path: Path) -> None:
    for change, message in (
        (line("documents.jsonl", 18, id="d1"), "documents.jsonl line 18: 'd1' came before"),
        (line("chunks.jsonl", 51, id="d1::0"), "chunks.jsonl line 51: 'd1::0' came before"),
    ):
        folder = Path(shutil.copytree(exported, tmp_path / f"copy {message[:3]}"))
        change(folder)
        resign(folder)
        with pytest.raises(ReadError, match=message):
            import_index(folder, tmp_path / "new", memory=32)
        assert not (tmp_path / "new").exists()


def test_files_that_were_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("red apple")
    with Pipeline.create(tmp_path / "index") as pipeline:
        pipeline.index(tmp_path / "a.txt")
    export_index(tmp_path / "index", tmp_path / "export")
    for values, message in (
        ({"path": 3}, "files.jsonl line 1: path is 3, not a string"),
        ({"size": -2}, "size is -2, not an integer from -1"),
        ({"mtime_ns": 1.5}, "mtime_ns is 1.5, not an integer"),
        ({"hash": "abc"}, "hash is 'abc', not a sha256"),
        ({"options": None}, "options is None, not a string"),
    ):
        folder = Path(shutil.copytree(tmp_path / "export", tmp_path / f"export {next(iter(values))}"))
        line("files.jsonl", 1, **values)(folder)
        resign(folder)
        assert message in str(refused(folder, tmp_path))
    path = tmp_path / "export" / "files.jsonl"
    path.write_text(path.read_text() * 2)
    resign(tmp_path / "export")
    assert "files.jsonl line 2: " in str(error := refused(tmp_path / "export", tmp_path))
    assert "came before, in line 1" in str(error)


def test_learnt_state_of_another_is_found_at_the_first_search(exported: Path, tmp_path: Path) -> None:
    """What a stranger changes in the learnt state and vouches for is stopped as in any index."""
    lsa: Any = EMBEDDERS.create("lsa(dimension=6, language=english)")
    lsa.fit(["other words", "than those before"])
    lsa.save(exported / "embedders" / "1-lsa")
    resign(exported)
    import_index(exported, tmp_path / "new")
    with Pipeline.open(tmp_path / "new") as pipeline, pytest.raises(CorruptError, match="recorded was"):
        pipeline.search("apple")


def test_an_index_is_never_written_over(exported: Path, tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "there") as pipeline:
        pipeline.add([Document("a", "red apple")])
    before = {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir() if path.is_file()}
    with pytest.raises(StoreError, match="there exists and is not empty"):
        import_index(exported, tmp_path / "there")
    assert before == {
        path.name: path.read_bytes() for path in (tmp_path / "there").iterdir() if path.is_file()
    }
    with pytest.raises(StoreError, match="exists and is not empty"):
        import_index(exported, exported)


def test_ctrl_c_leaves_nothing(exported: Path, tmp_path: Path) -> None:
    def progress(done: int, total: int, what: str) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_index(exported, tmp_path / "a" / "new", progress, memory=3200)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_progress_and_report(exported: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    done = import_index(exported, tmp_path / "new", lambda *now: told.append(now), memory=32_000)
    assert told[0] == (0, 51, "")
    assert told[-1] == (51, 51, "")
    assert len(told) > 3
    assert (done.index, done.documents, done.chunks, done.files) == (str(tmp_path / "new"), 18, 51, 0)
    assert done.seconds > 0
