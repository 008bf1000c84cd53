from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ragembed.errors import CorruptError, StoreError
from ragembed.index.files import HashedFile, check_file, durable_file


def write(path: Path) -> HashedFile:
    with durable_file(path) as file:
        file.write(b"con")
        file.write(b"tent")
    return file


def test_a_written_file_is_whole_and_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "a")
    assert (file.size, file.sha256) == (7, hashlib.sha256(b"content").hexdigest())
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    check_file(tmp_path / "a", 7, file.sha256)


def test_the_content_is_durable_before_its_name_and_that_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        status = os.fstat(handle)
        (path,) = (p for p in (tmp_path, *tmp_path.iterdir()) if os.path.samestat(p.stat(), status))
        calls.append((path.name, status.st_size if path.is_file() else "folder"))
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        calls.append(f"{path.name} -> {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write(tmp_path / "a")
    assert calls == [("a.tmp", 7), "a.tmp -> a", (tmp_path.name, "folder")]
    assert (tmp_path / "a").read_bytes() == b"content"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()  # a file cannot be renamed to a folder
    with pytest.raises(StoreError, match=r"a cannot be written \(Is a directory\); check its disk"):
        write(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"conten", "a has 6 bytes, 7 were written"),
        (b"contents", "a has 8 bytes, 7 were written"),
        (b"contemt", "a is damaged: its checksum differs"),
        (None, "a is missing from the index"),
    ],
)
def test_a_file_that_is_not_what_was_written(tmp_path: Path, content: bytes | None, fault: str) -> None:
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(CorruptError) as raised:
        check_file(tmp_path / "a", 7, hashlib.sha256(b"content").hexdigest())
    assert str(raised.value) == f"{fault}; run: ragembed verify INDEX"
