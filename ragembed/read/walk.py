"""Which files there are: folders walked in sorted order, links followed inside them and never out of them."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ragembed.errors import LimitError, ReadError
from ragembed.read.base import Failure, ReadOptions, Report, Source
from ragembed.read.detect import BINARY, BINARY_SUFFIXES, suffix
from ragembed.read.ignore import Matcher

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


def printable(name: str) -> str:
    r"""`name` as valid Unicode: a byte of a file name that is no UTF-8 is shown as ``\xNN``."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(slots=True)
class _Place:
    """A file or folder met on the way: its real name on disk, its id, and its path below the folder named."""

    path: str
    id: str
    below: str
    included: bool


@dataclass(slots=True)
class _Walk:
    options: ReadOptions
    report: Report
    ids: set[str] | None = None
    """Ids given so far; kept only where roots may overlap."""
    real_roots: list[str] = field(default_factory=list)
    links: list[_Place] = field(default_factory=list)
    """Links met, followed once all else is known."""
    seen: set[tuple[int, int]] = field(default_factory=set)
    """Device and inode of every folder entered and every file given."""
    include: Matcher = field(init=False)
    exclude: Matcher = field(init=False)

    def __post_init__(self) -> None:
        self.include = Matcher(self.options.include)
        self.exclude = Matcher(self.options.exclude)

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
                yield from self._file(place, Path(root).stat(), named=True)
        while self.links:
            links, self.links = self.links, []
            for link in links:
                yield from self._link(link)

    def _folder(self, top: _Place) -> Iterator[Source | Failure]:
        """Files below `top`, depth first by name; iterative, as folders nest deeper than Python's stack."""
        stack: list[Iterator[tuple[_Place, os.DirEntry[str]] | Failure]] = [self._entries(top)]
        while stack:
            item = next(stack[-1], None)
            if item is None:
                stack.pop()
            elif isinstance(item, Failure):
                yield item
            elif item[1].is_symlink():
                self.links.append(item[0])
            elif item[1].is_dir():
                stack.append(self._entries(item[0]))
            else:
                yield from self._entry(*item)

    def _entries(self, folder: _Place) -> Iterator[tuple[_Place, os.DirEntry[str]] | Failure]:
        """What lies in a folder and is not left out, by name."""
        try:
            with os.scandir(folder.path) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
            self._first_visit(Path(folder.path).stat())
        except OSError as error:
            yield Failure(folder.id, f"folder cannot be listed ({error.strerror}); check its permissions")
            return
        if {entry.name for entry in entries} >= _INDEX:
            self.report.skip("index of ragembed")
            return
        for entry in entries:
            name = entry.name
            shown = name if name.isascii() else printable(name)
            below = f"{folder.below}/{shown}" if folder.below else shown
            is_folder = _leads_to_folder(entry)
            reason = self._left_out(shown, below, is_folder)
            if reason:
                self.report.skip(reason)
                continue
            chosen = self.include.decide(below, is_folder) if self.options.include else None
            place = _Place(
                entry.path, f"{folder.id}/{shown}", below, folder.included if chosen is None else chosen
            )
            if is_folder or place.included:
                yield place, entry
            else:
                self.report.skip("not included")

    def _left_out(self, name: str, below: str, is_folder: bool) -> str | None:
        chosen = self.exclude.decide(below, is_folder) if self.options.exclude else None
        if chosen is not None:
            return "excluded" if chosen else None
        if name.startswith("."):
            return "hidden"
        return "tool folder" if is_folder and name in TOOL_FOLDERS else None

    def _entry(self, place: _Place, entry: os.DirEntry[str]) -> Iterator[Source | Failure]:
        try:
            info = entry.stat()
        except OSError as error:  # gone since the folder was listed, or not ours to see
            yield Failure(place.id, f"file cannot be looked at ({error.strerror}); check its permissions")
            return
        yield from self._file(place, info)

    def _file(self, place: _Place, info: os.stat_result, named: bool = False) -> Iterator[Source | Failure]:
        if self.ids is not None:
            if place.id in self.ids:
                return
            self.ids.add(place.id)
        self._first_visit(info)
        if not stat.S_ISREG(info.st_mode):
            if named:
                yield Failure(place.id, "is no regular file; name a file or a folder")
            else:
                self.report.skip("no regular file")
        elif not named and suffix(place.id) in BINARY_SUFFIXES:
            self.report.skip(BINARY)
        elif info.st_size > self.options.max_bytes:
            yield Failure(place.id, str(too_large(info.st_size, self.options.max_bytes)))
        else:
            yield Source(Path(place.path), place.id, info.st_size, info.st_mtime_ns, named)

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
        elif (info.st_dev, info.st_ino) in self.seen:
            self.report.skip("link to what is read anyway")
        elif stat.S_ISDIR(info.st_mode):
            yield from self._folder(link)
        else:
            yield from self._file(link, info)

    def _first_visit(self, info: os.stat_result) -> None:
        self.seen.add((info.st_dev, info.st_ino))


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False
