"""Texts that an embedder learns from, as the command line names them."""

import contextlib
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ragembed.cli.options import note
from ragembed.errors import DatasetError
from ragembed.index.catalog import CATALOG_NAME

LINES = (".txt", ".gz")
"""Ends of the names of files that hold one text on each line."""


def corpus_texts(paths: Sequence[str]) -> Iterator[str]:
    """Texts of all `paths`: the documents of a test collection, the chunks of an index, the lines of a text file, else
    what `index` would read.

    A file that cannot be read is an error where it was named; in a folder it is left out, with a note.
    """
    for path in paths:
        if (documents := _collection(path)) is not None:
            yield from documents
        elif not Path(path).exists():
            raise DatasetError(f"there is no corpus {path!r}", "give a file, a folder or a test collection")
        elif (Path(path) / CATALOG_NAME).is_file():
            yield from _chunks(Path(path))
        elif Path(path).is_file() and path.endswith(LINES):
            yield from _lines(Path(path))
        else:
            yield from _documents(Path(path))


def corpus_source(paths: Sequence[str]) -> list[list[object]]:
    """JSON values that change when the files at `paths` do: path, size and time of change of each."""
    found: list[list[object]] = []
    for path in paths:
        top = Path(path)
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for file in files:
            with contextlib.suppress(OSError):
                info = file.stat()
                if stat.S_ISREG(info.st_mode):
                    found.append([str(file.absolute()), info.st_size, info.st_mtime_ns])
    return found


def _chunks(folder: Path) -> Iterator[str]:
    from ragembed.pipeline import Pipeline

    with Pipeline.open(folder) as pipeline:
        for chunk in pipeline.chunks():
            yield chunk.text


def _collection(path: str) -> Iterator[str] | None:
    from ragembed.datasets.catalog import BUILT_IN, FORMATS

    folder = BUILT_IN.get(path, Path(path))
    form = next((form for form in FORMATS.values() if folder.is_dir() and form.recognises(folder)), None)
    return None if form is None else (document.text for _, document in form.documents(folder))


def _lines(path: Path) -> Iterator[str]:
    from ragembed.lines import read_lines

    return (line for _, line in read_lines(path) if line.strip())


def _documents(path: Path) -> Iterator[str]:
    from ragembed.read import Failure, read_files

    failed: list[Failure] = []
    for item in read_files([path]):
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
