"""Running a comparison: every system on every collection, one after the other, then the statistics and the report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

from ragembed.embed.cache import VectorCache
from ragembed.errors import DatasetError, QueryError, StoreError
from ragembed.eval.compare.assemble import assemble
from ragembed.eval.compare.config import configuration
from ragembed.eval.compare.folder import REPORT, RUNS, WORK, ReportFolder
from ragembed.eval.compare.job import Execute, Job, JobError, run_job
from ragembed.eval.compare.outcome import Outcome
from ragembed.eval.compare.settings import Entry, Settings, distinct_names
from ragembed.eval.names import needs_spans
from ragembed.eval.report import write_report
from ragembed.eval.runs import fits_run, write_run
from ragembed.eval.systems import AnySystem, RunFile
from ragembed.lines import write_lines
from ragembed.sync import Progress

Watch = Callable[[list[Job], int], Progress | None]
"""Told all jobs that are left, and the number of the one that begins; gives what it reports its progress to."""
_CACHE = "vectors.db"
_LEAST_SPACE = 1_000_000
"""Bytes of a disk below which a failure is that of the disk."""
_LONGEST_NAME = 100
"""Bytes of a file's name that are taken from a system's."""


def compare(
    entries: Sequence[Entry],
    systems: Sequence[AnySystem],
    folder: str | Path,
    settings: Settings,
    *,
    force: bool = False,
    cache: Path | None = None,
    execute: Execute = run_job,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Run every system on every collection and write the report to `folder`; returns what ``report.json`` holds.

    A comparison that was stopped goes on where it was, if the folder is given again with the same collections, systems
    and settings. A system that cannot be run (a model that fails on a text, say) is reported as failed, the others go
    on, and the same call tries it again. Vectors are shared between systems in `cache`, by default a file that is
    removed at the end.

    `execute` does a job; the default does it in this process, whose memory then says nothing of one system. Raises
    `StoreError` where `folder` holds anything else, and `DatasetError` where a collection cannot be scored.
    """
    _check(entries, systems, settings)
    config = configuration(entries, systems, settings)
    names = distinct_names(entries)
    _check_config(config)
    place = ReportFolder(Path(folder), config)
    with place.open(force=force):
        work = (place.path / WORK).absolute()
        vectors = (cache or work / _CACHE).absolute()
        _prepare(vectors, own=cache is None)
        jobs = [
            Job(d, s, entry, system, settings, vectors, names[d], work)
            for d, entry in enumerate(entries)
            for s, system in enumerate(systems)
        ]
        outcomes = _run(jobs, place, execute, watch)
        collections = {name: entry.collection for name, entry in zip(names, entries, strict=True)}
        report = assemble(collections, systems, settings.to_json(), outcomes, config)
        _write_runs(place.path, list(collections), jobs, outcomes)
        text = json.dumps(report, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        write_lines(place.path / REPORT, [text])
        write_report(place.path, report)
        if not any(isinstance(each, str) for each in outcomes.values()):
            place.finish()
    return report


def _check(entries: Sequence[Entry], systems: Sequence[AnySystem], settings: Settings) -> None:
    """Raise what would make the statistics fail after all the work."""
    if not entries or not systems:
        raise QueryError("there is nothing to compare", "give at least one collection and one system")
    called = [system.name for system in systems]
    twice = next((name for name in called if called.count(name) > 1), None)
    if twice is not None:
        raise QueryError(f"two systems are called {twice!r}", "give each its own name")
    over_spans = any(map(needs_spans, settings.measures))
    elsewhere = next((system.name for system in systems if isinstance(system, RunFile)), None)
    if over_spans and elsewhere is not None:
        raise QueryError(
            f"the run of {elsewhere} says nothing of chunks, which measures over spans look at",
            "give measures of documents, such as nDCG@10",
        )
    for system in systems:
        for called_so in distinct_names(entries):
            if isinstance(system, RunFile) and not system.file_for(called_so).is_file():
                raise QueryError(
                    f"there is no run {system.file_for(called_so)}", "check the path of --run-file"
                )
    for entry in entries:
        name, judged = entry.collection.name, len(entry.collection.qrels)
        if judged < 2:
            queries = "query" if judged == 1 else "queries"
            raise DatasetError(
                f"{name} has {judged} judged {queries}", "systems are compared on at least 2, better 50"
            )
        if not entry.collection.spans and over_spans:
            raise DatasetError(
                f"{name} has no reference spans for a measure over spans",
                "add spans.jsonl (docs/spans.md), or leave such measures out",
            )


def _run(
    jobs: list[Job], place: ReportFolder, execute: Execute, watch: Watch | None
) -> dict[tuple[int, int], Outcome | str]:
    """The outcome of every job, or why there is none; what a run before has done is taken from the folder."""
    outcomes: dict[tuple[int, int], Outcome | str] = {}
    todo = []
    for job in jobs:
        saved = place.outcome(job.dataset, job.number)
        if saved is None or not _is_whole(saved, job):
            todo.append(job)
        else:
            outcomes[job.dataset, job.number] = saved
    for number, job in enumerate(todo):
        progress = watch(todo, number) if watch else None
        try:
            done = execute(job, progress)
        except JobError as error:  # is tried again by a run that goes on from here
            if shutil.disk_usage(place.path).free < _LEAST_SPACE:
                raise StoreError(
                    f"the disk of {place.path} is full", "make room, and give the same command again"
                ) from error
            outcomes[job.dataset, job.number] = " ".join(str(error).split())
        else:
            place.save(job.dataset, job.number, done)
            outcomes[job.dataset, job.number] = done
    return outcomes


def _is_whole(saved: Outcome, job: Job) -> bool:
    """Whether what was saved has a value of every measure for every query."""
    wanted = [str(measure) for measure in job.settings.measures]
    return (
        list(saved.per_query) == wanted == list(saved.means)
        and all(len(values) == len(job.entry.collection.qrels) for values in saved.per_query.values())
        and all(map(isfinite, [saved.judged, *saved.means.values(), *chain(*saved.per_query.values())]))
    )


def _prepare(vectors: Path, *, own: bool) -> None:
    """Make sure that the cache can be used; one of our own that cannot is begun anew."""
    try:
        VectorCache(vectors).close()
    except StoreError:
        if not own:
            raise
        for path in vectors.parent.glob(f"{vectors.name}*"):
            path.unlink()
        VectorCache(vectors).close()


def _check_config(config: dict[str, Any]) -> None:
    """Raise `QueryError` for a collection that is there twice: it would count twice."""
    seen: dict[str, str] = {}
    for dataset in config["datasets"]:
        if dataset["sha256"] in seen:
            raise QueryError(
                f"{dataset['source']} and {seen[dataset['sha256']]} are the same collection", "name it once"
            )
        seen[dataset["sha256"]] = dataset["source"]


def _write_runs(
    folder: Path,
    names: Sequence[str],
    jobs: Sequence[Job],
    outcomes: Mapping[tuple[int, int], Outcome | str],
) -> None:
    """A TREC run of each system; where an id does not fit into one, the same as JSON."""
    for job in jobs:
        done = outcomes[job.dataset, job.number]
        if isinstance(done, str):
            continue
        number = f"{job.dataset + 1}-" if len(names) > 1 else ""
        path = folder / RUNS / f"{number}{_file_name(names[job.dataset])}"
        path.mkdir(parents=True, exist_ok=True)
        name = _file_name(job.system.name)
        if fits_run(done.run):
            write_run(path / f"{job.number + 1}-{name}.trec", done.run, name)
        else:
            text = json.dumps(done.run, ensure_ascii=False, allow_nan=False)
            write_lines(path / f"{job.number + 1}-{name}.json", [text])


def _file_name(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "+-=.," else "_" for letter in name).strip("._")
    return kept.encode()[:_LONGEST_NAME].decode("utf-8", "ignore") or "unnamed"
