from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ragembed.errors import ReadError
from ragembed.read import Failure, ReadOptions, Report, Source, scan, walk


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def ids(paths: list[Path] | Path, report: Report | None = None, **options: object) -> list[str]:
    found = scan(paths, ReadOptions(**options), report)  # type: ignore[arg-type]
    return [item.id if isinstance(item, Source) else f"failed {item.where}" for item in found]


def test_ids_of_a_folder_begin_with_its_name(tmp_path: Path) -> None:
    make(tmp_path, "docs/guide/a.md", "docs/b.md")
    assert ids([tmp_path / "docs"]) == ["docs/b.md", "docs/guide/a.md"]


def test_id_of_a_file_is_its_name(tmp_path: Path) -> None:
    make(tmp_path, "docs/a.md")
    assert ids(tmp_path / "docs" / "a.md") == ["a.md"]


def test_ids_of_several_paths_begin_below_their_common_parent(tmp_path: Path) -> None:
    make(tmp_path, "x/docs/a.md", "x/notes/b.md", "x/y/z/c.md")
    assert ids([tmp_path / "x/notes", tmp_path / "x/docs", tmp_path / "x/y/z/c.md"]) == [
        "docs/a.md",
        "notes/b.md",
        "y/z/c.md",
    ]


def test_ids_do_not_depend_on_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "docs/a.md")
    monkeypatch.chdir(tmp_path / "docs")
    assert ids([Path()]) == ids([Path("../docs")]) == ["docs/a.md"]


def test_overlapping_paths_give_each_file_once(tmp_path: Path) -> None:
    make(tmp_path, "docs/a.md", "docs/in/b.md")
    assert ids([tmp_path / "docs", tmp_path / "docs/in", tmp_path / "docs/a.md"]) == [
        "docs/a.md",
        "docs/in/b.md",
    ]


def test_hidden_and_tool_folders_are_left_out_unless_named_or_taken_back(tmp_path: Path) -> None:
    make(
        tmp_path,
        "d/a.md",
        "d/.git/config",
        "d/.env",
        "d/node_modules/x.js",
        "d/__pycache__/y.py",
        "d/.wiki/b.md",
    )
    report = Report()
    assert ids(tmp_path / "d", report) == ["d/a.md"]
    assert report.skipped == {"hidden": 3, "tool folder": 2}
    assert ids(tmp_path / "d/.wiki") == [".wiki/b.md"]
    assert ids(tmp_path / "d/.env") == [".env"]
    assert ids(tmp_path / "d", exclude=("!.wiki",)) == ["d/.wiki/b.md", "d/a.md"]


def test_patterns_are_relative_to_the_folder(tmp_path: Path) -> None:
    make(tmp_path, "d/a.md", "d/b.txt", "d/build/c.md", "d/in/build/d.md", "d/in/e.md")
    assert ids(tmp_path / "d", include=("*.md",), exclude=("/build",)) == [
        "d/a.md",
        "d/in/build/d.md",
        "d/in/e.md",
    ]
    assert ids(tmp_path / "d", include=("in/", "!build/")) == ["d/in/e.md"]
    report = Report()
    assert ids(tmp_path / "d", report, exclude=("*.md", "!e.md")) == ["d/b.txt", "d/in/e.md"]
    assert report.skipped == {"excluded": 3}


def test_a_named_file_is_read_whatever_the_patterns(tmp_path: Path) -> None:
    make(tmp_path, "d/a.log")
    assert ids(tmp_path / "d/a.log", exclude=("*.log",)) == ["a.log"]


def test_links_are_followed_inside_and_not_out_of_the_folder(tmp_path: Path) -> None:
    make(tmp_path, "outside/secret.md", "d/a.md", "d/.data/b.md", "d/in/c.md")
    (tmp_path / "d/out").symlink_to(tmp_path / "outside")
    (tmp_path / "d/out.md").symlink_to(tmp_path / "outside/secret.md")
    (tmp_path / "d/b.md").symlink_to(".data/b.md")
    (tmp_path / "d/again.md").symlink_to("a.md")
    (tmp_path / "d/in/loop").symlink_to("..")
    (tmp_path / "d/self").symlink_to("self")
    (tmp_path / "d/gone").symlink_to("nowhere")
    report = Report()
    assert ids(tmp_path / "d", report) == ["d/a.md", "d/in/c.md", "d/b.md"]
    assert report.skipped == {
        "hidden": 1,
        "link out of the folder": 2,
        "link to what is read anyway": 2,
        "broken link": 2,
    }


def test_a_linked_folder_is_walked_once(tmp_path: Path) -> None:
    make(tmp_path, "d/.real/a.md")
    (tmp_path / "d/one").symlink_to(".real")
    (tmp_path / "d/two").symlink_to(".real")
    (tmp_path / "d/.real/up").symlink_to("..")
    assert ids(tmp_path / "d") == ["d/one/a.md"]


def test_of_two_links_to_one_file_the_first_by_path_counts(tmp_path: Path) -> None:
    make(tmp_path, "d/.real/a.md", "d/b/c.md")
    (tmp_path / "d/b/one.md").symlink_to("../.real/a.md")
    (tmp_path / "d/two.md").symlink_to(".real/a.md")
    assert ids(tmp_path / "d") == ["d/b/c.md", "d/b/one.md"]


def test_a_source_knows_its_file_as_text_and_as_path(tmp_path: Path) -> None:
    make(tmp_path, "d/a.md")
    [source] = walk(tmp_path / "d").sources
    assert (source.file, source.path) == (str(tmp_path / "d/a.md"), tmp_path / "d/a.md")


def test_a_named_link_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "real/a.md")
    (tmp_path / "link").symlink_to("real")
    assert ids(tmp_path / "link") == ["link/a.md"]


def test_missing_paths_are_named_at_once(tmp_path: Path) -> None:
    make(tmp_path, "a.md")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(ReadError, match=r"no such file or folder: .*/nope; check the spelling"):
        scan([tmp_path / "a.md", tmp_path / "nope"])
    with pytest.raises(ReadError, match="link to nothing"):
        scan(tmp_path / "dangling")
    with pytest.raises(ReadError, match="name a file or a folder"):
        scan([])
    with pytest.raises(ReadError, match="name a file or a folder"):
        scan("")


def test_too_large_files_are_failures_with_both_sizes(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("x" * 1234)
    found = walk(tmp_path, ReadOptions(max_bytes=1000))
    assert found.sources == []
    assert found.failures == [
        Failure(
            f"{tmp_path.name}/big.txt",
            "file of 1,234 bytes is larger than the limit of 1,000; "
            "raise the limit (max_bytes, --max-file-mb), split it, or exclude it",
        )
    ]


def test_binary_names_are_counted_without_a_look(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"x" * 2000)
    found = walk(tmp_path, ReadOptions(max_bytes=1000))
    assert (found.failures, found.skipped) == ([], {"binary": 1})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_a_failure(tmp_path: Path) -> None:
    make(tmp_path, "d/closed/a.md", "d/b.md")
    (tmp_path / "d/closed").chmod(0)
    try:
        assert ids(tmp_path / "d") == ["d/b.md", "failed d/closed"]
    finally:
        (tmp_path / "d/closed").chmod(0o700)


def test_pipes_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert walk(tmp_path).skipped == {"no regular file": 1}
    assert "no regular file" in walk(tmp_path / "pipe").failures[0].reason


def test_names_that_are_no_utf8_get_valid_ids(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.md"
    try:
        Path(os.fsdecode(raw)).write_text("x")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    [source] = walk(tmp_path).sources
    assert source.id == f"{tmp_path.name}/caf\\xe9.md"
    assert source.path.read_text() == "x"


def test_very_deep_folders(tmp_path: Path) -> None:
    depth = 1100  # beyond Python's stack
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert len(walk(tmp_path).sources) == 0
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)  # pytest's own removal recurses


def test_many_files_take_little_time_and_come_sorted(tmp_path: Path) -> None:
    for folder in range(10):
        (tmp_path / str(folder)).mkdir()
        for file in range(500):
            os.close(os.open(tmp_path / str(folder) / f"{file}.md", os.O_CREAT))
    started = time.perf_counter()
    found = walk(tmp_path, ReadOptions(exclude=("*.log", "/build", "**/tmp/**")))
    assert time.perf_counter() - started < 2  # measured 0.1 s
    assert len(found.sources) == 5000
    ids = [source.id for source in found.sources]
    assert ids == sorted(ids, key=lambda name: name.split("/"))
