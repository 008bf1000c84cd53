"""Which files there are: folders walked in sorted order, links followed inside them and never out of them."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ragembed.errors import LimitError, ReadError
from ragembed.read.base import Failure, ReadOptions, Report, Source
from ragembed.read.ignore import Matcher
from ragembed.read.names import BINARY, is_binary_name, printable

StrPath = str | os.PathLike[str]

_INDEX = {"catalog.db", "segments", "embedders"}
"""Names that tell an index of ours, which often lies among the documents that it was made of."""

TOOL_FOLDERS = frozenset({"node_modules", "__pycache__", "__pypackages__", "site-packages", "venv"})
"""Folders that tools fill, left out unless named or taken back by an exclude pattern with ``!``."""


@dataclass(slots=True)
class Found:
    """All that a walk found."""

    sources: list[Source]
    failures: list[Failure]
    report: Report

    @property
    def skipped(self) -> Counter[str]:
        """How many files and folders were left out, by reason."""
        return self.report.skipped


def walk(paths: StrPath | Iterable[StrPath], options: ReadOptions | None = None) -> Found:
    """As `scan`, with everything in lists."""
    report = Report()
    found = Found([], [], report)
    for item in scan(paths, options, report):
        if isinstance(item, Failure):
            found.failures.append(item)
        else:
            found.sources.append(item)
    return found


def scan(
    paths: StrPath | Iterable[StrPath], options: ReadOptions | None = None, report: Report | None = None
) -> Iterator[Source | Failure]:
    """The files at and below `paths`, each once, in the same order every time.

    A file or folder that is named is always taken. Below a folder, hidden names, `TOOL_FOLDERS`, what the
    patterns of `options` leave out and links out of the folder are passed over and counted in `report`;
    what is too large or cannot be listed is a `Failure`. Patterns are relative to the folder named, as in a
    ``.gitignore`` there. Raises `ReadError` at once where a path does not exist.
    """
    named = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not named:
        raise ReadError("no path to read was given", "name a file or a folder")
    roots = sorted({os.path.abspath(_existing(path)) for path in named})  # noqa: PTH100 - Path.absolute keeps ".."
    return _Walk(options or ReadOptions(), Report() if report is None else report).run(roots)


def too_large(size: int, limit: int) -> LimitError:
    """The error for a file of `size` bytes, or more."""
    fault = f"file of {size:,} bytes is larger than the limit of {limit:,}"
    return LimitError(fault, "raise the limit (max_bytes, --max-file-mb), split it, or exclude it")


def _existing(path: StrPath) -> str:
    text = os.fspath(path)
    if not text:
        raise ReadError("the path to read is empty", "name a file or a folder")
    shown = printable(text)
    if not os.path.lexists(text):
        raise ReadError(f"no such file or folder: {shown}", "check the spelling and the working folder")
    if not Path(text).exists():
        raise ReadError(f"{shown} is a link to nothing", "mend the link or name what it should point to")
    return text


@dataclass(slots=True)
class _Place:
    """A file or folder met on the way: its real name on disk, its id, and its path below the folder named."""

    path: str
    id: str
    below: str
    included: bool
    is_link: bool = False


_Item = Source | Failure | _Place
"""What a folder holds: a file, what is wrong with one, or a folder or link to go into."""


class _Walk:
    def __init__(self, options: ReadOptions, report: Report) -> None:
        self.options = options
        self.report = report
        self.ids: set[str] | None = None
        """Ids given so far; kept only where roots may overlap."""
        self.real_roots: list[str] = []
        self.links: list[_Place] = []
        """Links met, followed once all else is known."""
        self.seen: set[int] = set()
        """Every folder entered and every file given, as `_identity` names them."""
        self.patterns = bool(options.include or options.exclude)
        """Most walks have none, and need not say for each file where it lies."""
        self.include = Matcher(options.include)
        self.exclude = Matcher(options.exclude)

    def run(self, roots: list[str]) -> Iterator[Source | Failure]:
        base = os.path.commonpath([os.path.dirname(root) for root in roots])  # noqa: PTH120 - as str, for speed
        self.ids = set() if len(roots) > 1 else None
        self.real_roots = [os.path.realpath(root) for root in roots if Path(root).is_dir()]
        for root in roots:
            own = printable(os.path.relpath(root, base)).replace(os.sep, "/")
            place = _Place(root, own, "", not self.options.include)
            if Path(root).is_dir():
                yield from self._folder(place)
            else:
                yield from self._named(place)
        while self.links:
            links, self.links = self.links, []
            for link in links:
                yield from self._link(link)

    def _folder(self, top: _Place) -> Iterator[Source | Failure]:
        """Files below `top`, depth first by name; iterative, as folders nest deeper than Python's stack."""
        stack = [iter(self._entries(top))]
        while stack:
            for item in stack[-1]:
                if not isinstance(item, _Place):
                    yield item
                elif item.is_link:
                    self.links.append(item)
                else:
                    stack.append(iter(self._entries(item)))
                    break
            else:
                stack.pop()

    def _entries(self, folder: _Place) -> list[_Item]:
        """What lies in a folder and is not left out, by name."""
        try:
            with os.scandir(folder.path) as scan:
                entries = {entry.name: entry for entry in scan}
            self.seen.add(_identity(os.stat(folder.path)))  # noqa: PTH116 - as str, for speed
        except OSError as error:
            reason = f"folder cannot be listed ({error.strerror}); check its permissions"
            return [Failure(folder.id, reason, folder.path)]
        if entries.keys() >= _INDEX:
            self.report.skip("index of ragembed")
            return []
        items = [self._entry(folder, name, entries[name]) for name in sorted(entries)]
        return [item for item in items if item is not None]

    def _entry(self, folder: _Place, name: str, entry: os.DirEntry[str]) -> _Item | None:
        """One entry of a folder; None where it is left out."""
        shown = name if name.isascii() else printable(name)
        is_link = entry.is_symlink()
        is_folder = _leads_to_folder(entry) if is_link else entry.is_dir()
        below, included = "", True
        if self.patterns:
            below = f"{folder.below}/{shown}" if folder.below else shown
            chosen = self.include.decide(below, is_folder) if self.options.include else None
            included = folder.included if chosen is None else chosen
        reason = self._left_out(shown, below, is_folder)
        if reason or not (is_folder or included):
            self.report.skip(reason or "not included")
            return None
        identifier = f"{folder.id}/{shown}"
        if is_folder or is_link:
            return _Place(entry.path, identifier, below, included, is_link)
        try:
            info = entry.stat()
        except OSError as error:  # gone since the folder was listed, or not ours to see
            reason = f"file cannot be looked at ({error.strerror}); check its permissions"
            return Failure(identifier, reason, entry.path)
        return self._file(entry.path, identifier, info)

    def _left_out(self, name: str, below: str, is_folder: bool) -> str | None:
        chosen = self.exclude.decide(below, is_folder) if self.options.exclude else None
        if chosen is not None:
            return "excluded" if chosen else None
        if name.startswith("."):
            return "hidden"
        return "tool folder" if is_folder and name in TOOL_FOLDERS else None

    def _named(self, place: _Place) -> Iterator[Source | Failure]:
        """A file that is named: it is given, or is a failure."""
        item = self._file(place.path, place.id, os.stat(place.path), named=True)  # noqa: PTH116
        if item is not None:
            yield item

    def _file(
        self, path: str, identifier: str, info: os.stat_result, named: bool = False
    ) -> Source | Failure | None:
        """A file that is there; None where it is left out."""
        if self.ids is not None:
            if identifier in self.ids:
                return None
            self.ids.add(identifier)
        self.seen.add(_identity(info))
        if not stat.S_ISREG(info.st_mode):
            if named:
                return Failure(identifier, "is no regular file; name a file or a folder", path)
            self.report.skip("no regular file")
        elif not named and is_binary_name(identifier):
            self.report.skip(BINARY)
        elif info.st_size > self.options.max_bytes:
            return Failure(identifier, str(too_large(info.st_size, self.options.max_bytes)), path)
        else:
            return Source(path, identifier, info.st_size, info.st_mtime_ns, named)
        return None

    def _link(self, link: _Place) -> Iterator[Source | Failure]:
        """What a link adds: a file or folder inside the roots that was not met otherwise."""
        target = os.path.realpath(link.path)
        try:
            info = Path(target).stat()
        except OSError:
            self.report.skip("broken link")
            return
        if not any(os.path.commonpath([target, root]) == root for root in self.real_roots):
            self.report.skip("link out of the folder")
        elif _identity(info) in self.seen:
            self.report.skip("link to what is read anyway")
        elif stat.S_ISDIR(info.st_mode):
            yield from self._folder(link)
        elif item := self._file(link.path, link.id, info):
            yield item


def _identity(info: os.stat_result) -> int:
    """Device and inode in one number: a set of tuples would keep the garbage collector busy."""
    return info.st_dev << 64 | info.st_ino


def _leads_to_folder(link: os.DirEntry[str]) -> bool:
    try:
        return link.is_dir()
    except OSError:  # it leads to itself
        return False
