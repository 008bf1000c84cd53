"""Texts that an embedder learns from, as the command line names them."""

import contextlib
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ragembed.cli.options import note
from ragembed.errors import DatasetError, EmbeddingError
from ragembed.index.catalog import CATALOG_NAME

LINES = (".txt", ".gz")
"""Ends of the names of files that hold one text on each line, where they are named and not found in a folder."""
_STDIN = "-"
_FEWEST_NUMBERS = 10
"""That most lines of a file of word vectors end in, at least: a line of text may end in a number or two."""
_LOOKED_AT = 4096
"""Bytes at the beginning of a file of vectors, in which there is a number with a point."""
_MARK = 4
"""Bytes of the longest byte order mark."""


def corpus_texts(paths: Sequence[str]) -> Iterator[str]:
    """Texts of all `paths`: the documents of a test collection, the chunks of an index, the lines of a text file, of
    stdin (``-``) and of a pipe, else what `index` would read.

    A file that cannot be read is an error where it was named; in a folder it is left out, with a note.
    """
    for path in paths:
        if path == _STDIN:
            yield from _piped(sys.stdin.buffer, "stdin")
        elif (documents := _collection(path)) is not None:
            yield from documents
        elif not Path(path).exists():
            raise DatasetError(
                f"there is no corpus {path!r}", "give a file, a folder, a test collection or - for stdin"
            )
        elif _is_pipe(path):
            with Path(path).open("rb") as file:
                yield from _piped(file, path)
        elif (Path(path) / CATALOG_NAME).is_file():
            yield from _chunks(Path(path))
        else:
            _refuse_model(Path(path))
            lines = Path(path).is_file() and path.endswith(LINES)
            yield from _lines(Path(path)) if lines else _documents(Path(path))


def corpus_source(paths: Sequence[str]) -> list[list[object]] | None:
    """JSON values that change when the files at `paths` do: path, size and time of change of each.

    None where that cannot be told, as of a pipe.
    """
    found: list[list[object]] = []
    for path in paths:
        if path == _STDIN or _is_pipe(path):
            return None
        top = _built_in(path) or Path(path)
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for file in files:
            with contextlib.suppress(OSError):
                info = file.stat()
                if stat.S_ISREG(info.st_mode):
                    found.append([str(file.absolute()), info.st_size, info.st_mtime_ns])
    return found or None


def _is_pipe(path: str) -> bool:
    """Whether it gives its bytes only once: a named pipe, ``<(command)``, ``/dev/stdin``."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _refuse_model(path: Path) -> None:
    """Raise `DatasetError` where `path` is a model: its numbers are no text."""
    from ragembed.embed.elmo.files import TENSORS
    from ragembed.embed.words.formats.folder import is_folder_of_words

    is_model = (
        is_folder_of_words(path) or (path / TENSORS).is_file() if path.is_dir() else _holds_vectors(path)
    )
    if is_model:
        raise DatasetError(
            f"{path} holds vectors of words, no texts", "give texts; train --update goes on from a model"
        )


def _holds_vectors(path: Path) -> bool:
    """Whether the file is one of word vectors, in a format that `ragembed words` reads."""
    from ragembed.embed.words.formats.binary import looks_binary
    from ragembed.embed.words.formats.fasttext import MAGIC
    from ragembed.embed.words.formats.gensim import looks_pickled
    from ragembed.embed.words.formats.source import Source
    from ragembed.embed.words.formats.text import dimension_of

    with contextlib.suppress(EmbeddingError), Source(path) as source:
        if source.peek(len(MAGIC)) == MAGIC or looks_pickled(source) or looks_binary(source):
            return True
        # ids of things that were seen or bought one after the other are numbers, too, but whole ones
        return (dimension_of(source) or 0) >= _FEWEST_NUMBERS and b"." in source.peek(_LOOKED_AT)
    return False


def _chunks(folder: Path) -> Iterator[str]:
    from ragembed.pipeline import Pipeline

    with Pipeline.open(folder) as pipeline:
        for chunk in pipeline.chunks():
            yield chunk.text


def _built_in(path: str) -> Path | None:
    from ragembed.datasets.catalog import BUILT_IN

    return BUILT_IN.get(path)


def _collection(path: str) -> Iterator[str] | None:
    from ragembed.datasets.catalog import FORMATS

    folder = _built_in(path) or Path(path)
    form = next((form for form in FORMATS.values() if folder.is_dir() and form.recognises(folder)), None)
    return None if form is None else (document.text for _, document in form.documents(folder))


def _lines(path: Path) -> Iterator[str]:
    from ragembed.lines import read_lines

    with path.open("rb") as file:
        _check_mark(file.read(_MARK), str(path))
    for number, line in read_lines(path):
        yield from _text(line, number, str(path))


def _piped(file: BinaryIO, name: str) -> Iterator[str]:
    """The lines of `file`, which can be read only once."""
    for number, raw in enumerate(file, 1):
        if number == 1:
            _check_mark(raw[:_MARK], name)
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{name} line {number}: byte 0x{raw[error.start]:02x} is not UTF-8",
                "convert it to UTF-8, for example with: iconv -f LATIN1 -t UTF-8",
            ) from error
        yield from _text(line.rstrip("\r\n"), number, name)


def _text(line: str, number: int, name: str) -> Iterator[str]:
    """The line, if anything is in it; raises `DatasetError` where it is no text."""
    if "\0" in line:
        raise DatasetError(
            f"{name} line {number} holds NUL characters: it is no UTF-8 text, but binary or UTF-16",
            "if it is UTF-16, convert it with: iconv -f UTF-16LE -t UTF-8",
        )
    if line.strip():
        yield line


def _check_mark(start: bytes, name: str) -> None:
    """Raise `DatasetError` where a byte order mark tells of another encoding than UTF-8."""
    from ragembed.read.encoding import mark_of

    encoding = mark_of(start)
    if encoding not in (None, "utf-8"):
        told = str(encoding).upper()
        raise DatasetError(
            f"{name} is {told}, by its byte order mark", f"convert it with: iconv -f {told} -t UTF-8"
        )


def _documents(path: Path) -> Iterator[str]:
    from ragembed.read import Failure, Report, read_files

    failed: list[Failure] = []
    report = Report()
    for item in read_files([path], report=report):
        if not isinstance(item, Failure):
            yield item.text
        elif path.is_file():
            raise DatasetError(f"corpus {path} cannot be read ({item.reason})", "give another file")
        else:
            failed.append(item)
    if failed:
        note(
            f"{len(failed)} files of {path} are left out, the first is {failed[0].where}: {failed[0].reason}"
        )
    if report.skipped:
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(report.skipped.items()))
        note(f"left out in {path}: {told} (a .gz is read where it is named)")
