"""ragembed index: files and folders -> an index in step with them."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli.options import (
    Chunker,
    Embedder,
    Exclude,
    Include,
    Json,
    note,
    print_json,
    progress_bar,
    size_in_bytes,
    tell_coverage,
)
from ragembed.errors import RagembedError, ReadError
from ragembed.index.catalog import CATALOG_NAME

if TYPE_CHECKING:
    from ragembed.pipeline import Pipeline
    from ragembed.read.base import ReadOptions
    from ragembed.sync_report import SyncReport


def index(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders to index.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="INDEX", help="Folder of the index.")],
    embedder: Embedder = None,
    chunker: Chunker = None,
    index_type: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="How vectors are searched: flat, hnsw_sq8, ivfpq ... (default: flat)"
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Delete what was read from files that are gone, or that are left out now.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; write and embed nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and index again whenever a file changes, until Ctrl-C.")
    ] = False,
    checksum: Annotated[
        bool,
        typer.Option("--checksum", help="Compare contents also where size and time of change are equal."),
    ] = False,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Memory that batches, merges and single files may take. (default: 1GB)"
        ),
    ] = None,
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
        str | None, typer.Option(metavar="NAME", help="Encoding of text files. (default: detected)")
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
    if watch and dry_run:
        raise typer.BadParameter("give --watch or --dry-run, not both")
    job = _Job(
        Path(output),
        paths,
        (embedder, chunker, index_type),
        options,
        prune,
        dry_run,
        checksum,
        None if memory is None else size_in_bytes(memory, "--memory"),
        json,
    )
    if watch:
        _watch(job)
    else:
        job.show(job.run())


@dataclass(frozen=True)
class _Job:
    """One call of the command."""

    output: Path
    paths: list[str]
    specs: tuple[str | None, str | None, str | None]
    options: "ReadOptions"
    prune: bool
    dry_run: bool
    checksum: bool
    memory: int | None
    json: bool

    def run(self) -> "SyncReport":
        """Bring the index in step once."""
        from ragembed.unchanged import unchanged

        if self.memory is None and not self.checksum and (self.output / CATALOG_NAME).exists():
            embedder, chunker, index_type = self.specs
            report = unchanged(
                self.output,
                self.paths,
                self.options,
                embedder=embedder,
                chunker=chunker,
                index_type=index_type,
            )
            if report is not None:
                return report
        if self.dry_run and not (self.output / CATALOG_NAME).exists():
            import tempfile

            with tempfile.TemporaryDirectory() as folder:  # an index that is not there is not made for this
                return replace(self, output=Path(folder) / "index")._sync()
        return self._sync()

    def _sync(self) -> "SyncReport":
        pipeline, created = _open_or_create(self.output, self.paths, *self.specs)
        with pipeline:
            try:
                with progress_bar("indexing") as progress:
                    report = pipeline.index(
                        *self.paths,
                        options=self.options,
                        prune=self.prune,
                        dry_run=self.dry_run,
                        checksum=self.checksum,
                        memory=self.memory,
                        progress=progress,
                    )
                if report.failed and not report.added + report.updated + report.unchanged + report.moved:
                    _complain(report)
                    raise ReadError(
                        f"nothing could be read: {len(report.failed)} failed, the first was"
                        f" {report.failed[0].where}",
                        "the reasons stand above",
                    )
            except RagembedError:
                if created:
                    pipeline.discard_if_empty()  # made a moment ago, and of no use
                raise
        return report

    def show(self, report: "SyncReport") -> None:
        """Print what was done, or would be."""
        if self.json:
            print_json({**report.to_json(), **({"dry_run": True} if self.dry_run else {})})
        else:
            _complain(report)
            _print(report, self.output, dry_run=self.dry_run)


def _watch(job: _Job) -> None:
    from ragembed.watch import watch

    first = True
    for report in watch(job.run, job.paths, job.output, complain=lambda error: note(f"error: {error}")):
        if first or report.added + report.updated + report.moved + report.deleted + len(report.failed):
            job.show(report)
            sys.stdout.flush()
        if first:
            note("watching for changes; Ctrl-C ends")
        first = False


def _open_or_create(
    output: Path, paths: list[str], embedder: str | None, chunker: str | None, index_type: str | None
) -> "tuple[Pipeline, bool]":
    """The pipeline, and whether it is a new one."""
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
    tell_coverage(report.coverage.values())


def _print(report: "SyncReport", output: Path, *, dry_run: bool) -> None:
    rate = report.files / report.seconds if report.seconds else 0.0
    moved = f" {report.moved} moved," if report.moved else ""
    print(
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged,{moved}"
        f" {report.deleted} deleted, {len(report.failed)} failed"
    )
    if dry_run:
        print(f"{report.chunks} chunks of {report.files} files would be embedded; nothing was written")
        return
    print(
        f"{report.chunks} chunks embedded from {report.files} files in {report.seconds:.1f} s ({rate:.3g} files/s)"
    )
    print(f"index: {output}")
