"""Patterns are held against git itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragembed.read.ignore import Matcher

FOLDERS = ["a", "a/b", "a/b/a", "b", "b/a", "a.md"]
FILES = [
    "a/a.md",
    "a/b/x",
    "a/b/a/b.md",
    "a/b/a/x",
    "b/a.md",
    "b/a/x",
    "b/b.md",
    "a.md/x",
    "x",
    "b.md",
    "a b",
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for file in FILES:
        (root / file).write_text("x")
    return root


def ignored_by_git(root: Path, patterns: list[str]) -> set[str]:
    (root / ".git" / "info" / "exclude").write_text("\n".join(patterns) + "\n", encoding="utf-8")
    found = subprocess.run(
        ["git", "-C", str(root), "check-ignore", "--no-index", "--stdin", "-z"],
        input="\0".join(FILES).encode(),
        capture_output=True,
        check=False,
    )
    assert found.returncode in (0, 1), found.stderr
    return set(filter(None, found.stdout.decode().split("\0")))


def ignored_by_us(patterns: list[str]) -> set[str]:
    """As a walk does it: what lies in a folder that is left out is never asked about."""
    matcher = Matcher(patterns)

    def left_out(path: str, is_folder: bool) -> bool:
        parent = path.rpartition("/")[0]
        return bool(parent and left_out(parent, True)) or matcher.decide(path, is_folder) is True

    return {file for file in FILES if left_out(file, False)}


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.md", "deep/down/x.md", True),
        ("*.md", "x.mdx", False),
        ("/x", "a/x", False),
        ("a/x", "b/a/x", False),
        ("**/a/x", "b/a/x", True),
        ("a/**/x", "a/x", True),
        ("a/**/x", "a/b/c/x", True),
        ("a/**", "a", False),
        ("x/", "x", False),
        ("[!a-c]x", "dx", True),
        ("[!a-c]x", "bx", False),
        ("[[:digit:]]?", "7x", True),
        (r"\!x", "!x", True),
        (r"x\ ", "x ", True),
        ("x  ", "x", True),
        ("[ab", "a", False),
        ("# x", "# x", False),
        ("*", "a\nb", True),
    ],
)
def test_one_pattern(pattern: str, path: str, matches: bool) -> None:
    assert (Matcher([pattern]).decide(path, is_folder=False) is True) is matches


def test_the_last_match_decides() -> None:
    assert Matcher(["*.md", "!b.md"]).decide("b.md", False) is False
    assert Matcher(["!b.md", "*.md"]).decide("b.md", False) is True
    assert Matcher(["*.md"]).decide("b.txt", False) is None


def test_folders_only() -> None:
    assert Matcher(["x/"]).decide("a/x", is_folder=True) is True


PIECES = r"a|b|x|.md|*|**|?|/|/**/|**/|/**|[ab]|[!a]|[^b]|[a-b]|\a|\*|[|]|[]a]|[a|[[:alpha:]]|a.md|\| |\ "
# git's manual says that two asterisks which are not between slashes are as one; git 2.39 takes them for
# more at times, so that there is nothing to compare with
STRANGE = re.compile(r"[^/!]\*\*|\*\*[^/]")
PATTERN = st.builds(
    lambda negated, parts: negated + "".join(parts),
    st.sampled_from(["", "", "!"]),
    st.lists(st.sampled_from(PIECES.split("|")), max_size=6),
).filter(lambda pattern: not STRANGE.search(pattern))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patterns=st.lists(PATTERN, min_size=1, max_size=4))
def test_as_git_does(repository: Path, patterns: list[str]) -> None:
    assert ignored_by_us(patterns) == ignored_by_git(repository, patterns)
