"""ragembed index: files and folders -> an index in step with them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli.options import Chunker, Embedder, Exclude, Include, Json, note, print_json, progress_bar
from ragembed.errors import RagembedError, ReadError

if TYPE_CHECKING:
    from ragembed.pipeline import Pipeline
    from ragembed.sync_report import SyncReport


def index(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders to index.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="INDEX", help="Folder of the index.")],
    embedder: Embedder = None,
    chunker: Chunker = None,
    index_type: Annotated[
        str | None, typer.Option(metavar="SPEC", help="How dense vectors are indexed. [default: flat]")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what was read from files that are gone.")
    ] = False,
    include: Include = None,
    exclude: Exclude = None,
    text_field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Field of a row (CSV, JSON Lines) to index; repeatable."),
    ] = None,
    title_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="Field of a row that is its title.")
    ] = None,
    id_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="Field of a row that is its id.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding of text files. [default: detected]")
    ] = None,
    max_file_mb: Annotated[float, typer.Option(metavar="MB", help="Largest file that is read.")] = 100,
    max_expanded_mb: Annotated[
        float, typer.Option(metavar="MB", help="Most that a compressed file (DOCX, EPUB ...) may unpack to.")
    ] = 1000,
    json: Json = False,
) -> None:
    """Index files and folders; run again, only what changed is embedded.

    A file that cannot be read is reported and passed over. Exit 1 only if nothing could be read.
    """
    from ragembed.read.base import ReadOptions

    options = ReadOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        max_bytes=_bytes(max_file_mb, "--max-file-mb"),
        max_expanded=_bytes(max_expanded_mb, "--max-expanded-mb"),
        encoding=encoding,
        text_fields=tuple(text_field or ()),
        title_field=title_field,
        id_field=id_field,
    )
    if not output or "" in paths:
        raise typer.BadParameter("a path is empty; is a variable unset?")
    folder = Path(output)
    pipeline, created = _open_or_create(folder, paths, embedder, chunker, index_type)
    with pipeline:
        try:
            with progress_bar("indexing") as progress:
                report = pipeline.index(*paths, options=options, prune=prune, progress=progress)
            if report.failed and not report.added + report.updated + report.unchanged:
                _complain(report)
                raise ReadError(
                    f"nothing could be read: {len(report.failed)} failed, the first was {report.failed[0].where}",
                    "the reasons stand above",
                )
        except RagembedError:
            if created:
                pipeline.discard_if_empty()  # made a moment ago, and of no use
            raise
    if json:
        print_json(report.to_json())
    else:
        _complain(report)
        _print(report, folder)


def _open_or_create(
    output: Path, paths: list[str], embedder: str | None, chunker: str | None, index_type: str | None
) -> "tuple[Pipeline, bool]":
    """The pipeline, and whether it is a new one."""
    from ragembed.index.catalog import CATALOG_NAME
    from ragembed.pipeline import Pipeline

    if (output / CATALOG_NAME).exists():
        return Pipeline.open(output, embedder, chunker, index_type), False
    for path in paths:
        if not Path(path).exists():
            raise ReadError(f"there is no file or folder {path}", "check the path")
    made = Pipeline.create(output, embedder or "bm25", chunker or "recursive", index_type or "flat")
    return made, True


def _bytes(megabytes: float, option: str) -> int:
    if not 0 < megabytes < 1e9:
        raise typer.BadParameter(f"{option} is {megabytes:g}; give a number of megabytes above 0")
    return int(megabytes * 1_000_000)


def _complain(report: "SyncReport") -> None:
    for failure in report.failed:
        note(f"failed: {failure.where}: {failure.reason}")
    if report.skipped:
        note("skipped: " + ", ".join(f"{count} {reason}" for reason, count in sorted(report.skipped.items())))
    if report.missing:
        note(f"{report.missing} indexed files are gone from the sources; --prune deletes their documents")
    for text in report.notes:
        note(text)
    if report.truncated:
        note(f"{report.truncated} chunks were longer than the embedder takes, and were cut")


def _print(report: "SyncReport", output: Path) -> None:
    rate = report.files / report.seconds if report.seconds else 0.0
    print(
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.deleted} deleted,"
        f" {len(report.failed)} failed"
    )
    print(
        f"{report.chunks} chunks embedded from {report.files} files in {report.seconds:.1f} s ({rate:.3g} files/s)"
    )
    print(f"index: {output}")
