"""A folder takes the place of another, or that one is there as it was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ragembed.datasets.replace import replacing, require_apart, require_replaceable
from ragembed.errors import DatasetError, StoreError

PARTS = re.compile(r"a\.txt|sub(/b\.txt)?")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with one file, alone in its own."""
    folder = tmp_path / "home" / "set"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("old")
    return folder


def beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir())


def test_the_new_one_is_there_and_the_old_one_gone(old: Path) -> None:
    with replacing(old, PARTS) as new:
        (new / "sub").mkdir()
        (new / "sub" / "b.txt").write_text("new")
        assert (old / "a.txt").read_text() == "old"
    assert [path.name for path in old.iterdir()] == ["sub"]
    assert beside(old) == ["set"]


def test_what_is_raised_while_it_is_filled_leaves_the_old_one(old: Path) -> None:
    def fill() -> None:
        with replacing(old, PARTS) as new:
            (new / "a.txt").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert (old / "a.txt").read_text() == "old"
    assert beside(old) == ["set"]


@pytest.mark.parametrize("error", [OSError(13, "Permission denied"), KeyboardInterrupt()])
def test_the_old_one_is_put_back_where_the_new_one_cannot_be_put_there(
    old: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.suffix == ".new":
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    wanted = StoreError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(wanted) as caught, replacing(old, PARTS) as new:
        (new / "a.txt").write_text("new")
    assert (old / "a.txt").read_text() == "old"
    assert beside(old) == ["set"]
    if isinstance(error, OSError):
        assert "was not replaced (Permission denied)" in str(caught.value)
        assert "the old one is there as it was" in str(caught.value)


def test_where_it_cannot_be_put_back_its_place_is_told(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def taken(self: Path, target: Path) -> Path:
        if self.suffix == ".new":  # somebody else was quicker
            target.mkdir()
            (target / "theirs").touch()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", taken)
    with (
        pytest.raises(StoreError, match=r"was not replaced .*the old one is .*\.old") as caught,
        replacing(old, PARTS) as new,
    ):
        (new / "a.txt").write_text("new")
    kept = Path(caught.value.remedy.rsplit(" ", 1)[1])
    assert (kept / "a.txt").read_text() == "old"
    assert beside(old) == sorted([kept.name, "set"])


@pytest.mark.parametrize("stranger", ["notes.txt", "sub/notes.txt", "more/a.txt"])
def test_strangers_are_named_even_those_that_come_late(old: Path, stranger: str) -> None:
    def fill() -> None:
        with replacing(old, PARTS) as new:
            (new / "a.txt").write_text("new")
            (old / stranger).parent.mkdir(exist_ok=True)
            (old / stranger).write_text("years of work")

    with pytest.raises(DatasetError, match="which is no part of a collection, and is not replaced"):
        fill()
    assert (old / stranger).read_text() == "years of work"
    assert beside(old) == ["set"]
    with pytest.raises(DatasetError, match="name another folder"):
        require_replaceable(old, PARTS)


def test_what_is_read_is_not_what_is_written(old: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(old)
    for source in (old, old / "a.txt", tmp_path / "link" / "a.txt", old / ".." / "set"):
        with pytest.raises(DatasetError, match="is read, and is not replaced"):
            require_apart(source, old)
    require_apart(old, old.parent / "other")
    require_apart(old.parent, old)  # what is below the source may be replaced
    require_apart(tmp_path / "gone", tmp_path / "gone")
