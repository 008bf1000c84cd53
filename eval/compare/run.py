"""Running a comparison: every system on every collection, one after the other, then the statistics and the report."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ragembed import __version__
from ragembed.embed.cache import VectorCache
from ragembed.errors import DatasetError, EmbeddingError, MissingExtraError, QueryError, RagembedError
from ragembed.eval.answers import Collection, answer
from ragembed.eval.compare.assemble import assemble
from ragembed.eval.compare.folder import REPORT, RUNS, WORK, ReportFolder
from ragembed.eval.compare.outcome import PASSAGE, SHOWN, Outcome, outcome
from ragembed.eval.cost import peak_memory
from ragembed.eval.evaluate import depth
from ragembed.eval.names import Measure, needs_spans, parse_measures
from ragembed.eval.report import write_report
from ragembed.eval.runs import write_run
from ragembed.eval.systems import System
from ragembed.lines import write_lines
from ragembed.sync import Progress

MEASURES = "nDCG@10,R@100,RR@10"
SPAN_MEASURES = "SpanNDCG@5,SpanR@4000c,SpanR@5,SpanIoU@5"
"""What is measured on collections with reference spans, unless it is said."""
_PACKAGES = (
    "numpy",
    "scipy",
    "faiss-cpu",
    "PyStemmer",
    "torch",
    "sentence-transformers",
    "transformers",
    "numba",
)
CACHE = "vectors.db"


@dataclass(frozen=True, slots=True)
class Entry:
    """A collection with what is needed to open it again."""

    collection: Collection
    source: str
    """Folder or name, as it was given."""
    allow_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How systems are measured and compared."""

    measures: tuple[Measure, ...]
    """The first is the one that decides."""
    k: int
    """Documents retrieved for each query."""
    confidence: float = 0.95
    rounds: int | None = None
    """Of the randomisation test; None: 10,000, or more where there are many pairs."""
    seed: int = 0

    @classmethod
    def make(
        cls,
        measures: str | Iterable[str | Measure],
        k: int | None = None,
        confidence: float = 0.95,
        rounds: int | None = None,
        seed: int = 0,
    ) -> Settings:
        """Check the settings, and take as many documents as the measures look at."""
        wanted = parse_measures(measures)
        if not 0.5 <= confidence < 1:
            raise QueryError(f"confidence is {confidence}", "give a number from 0.5 to below 1, such as 0.95")
        return cls(wanted, depth(wanted, k), confidence, rounds, seed)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "measures": [str(measure) for measure in self.measures],
            "k": self.k,
            "confidence": self.confidence,
            "rounds": self.rounds,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Job:
    """One system on one collection."""

    dataset: int
    system: int
    entry: Entry
    spec: System
    settings: Settings
    cache: Path
    """File of vectors that the jobs share."""

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.spec.name} on {self.entry.collection.name}"


Execute = Callable[[Job, Progress | None], Outcome]
"""What does a job, in this process or in another one."""

Watch = Callable[[list[Job], int], Progress | None]
"""Told all jobs and the number of the one that begins; gives what it reports its progress to."""


class JobError(RagembedError):
    """A job could not be done, for a reason that says nothing of the others."""


def run_job(job: Job, progress: Progress | None = None, *, alone: bool = False) -> Outcome:
    """Do a job in this process, which with `alone` does nothing else, so that its memory is that of the system."""
    measures, collection = job.settings.measures, job.entry.collection
    with VectorCache(job.cache) as cache:
        answers = answer(
            collection,
            job.spec,
            measures,
            job.settings.k,
            shown=SHOWN,
            shown_characters=PASSAGE,
            timed=True,
            cache=cache,
            progress=progress,
        )
        if alone and answers.cost:
            answers.cost = replace(answers.cost, peak_memory_bytes=cache.peak(peak_memory()))
    return outcome(collection, answers, measures)


def compare(
    entries: Sequence[Entry],
    systems: Sequence[System],
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
    and settings. A system that cannot be run (a model that fails on a text, say) is reported as failed, and the others
    go on. Vectors are shared between systems in `cache`, by default a file that is removed at the end.

    `execute` does a job; the default does it in this process, whose memory then says nothing of one system. Raises
    `StoreError` where `folder` holds anything else, and `DatasetError` where a collection cannot be scored.
    """
    if not entries or not systems:
        raise QueryError("there is nothing to compare", "give at least one collection and one system")
    _check(entries, systems, settings)
    config = configuration(entries, systems, settings)
    place = ReportFolder(Path(folder), config)
    with place.open(force=force):
        jobs = [
            Job(d, s, entry, system, settings, (cache or place.path / WORK / CACHE).absolute())
            for d, entry in enumerate(entries)
            for s, system in enumerate(systems)
        ]
        outcomes = _run(jobs, place, execute, watch)
        report = assemble(entries_of(entries), systems, settings.to_json(), outcomes, config)
        _write_runs(place.path, jobs, outcomes)
        write_lines(place.path / REPORT, [json.dumps(report, ensure_ascii=False, separators=(",", ":"))])
        write_report(place.path, report)
        place.finish()
    return report


def configuration(entries: Sequence[Entry], systems: Sequence[System], settings: Settings) -> dict[str, Any]:
    """All that decides the numbers of a comparison, as plain JSON values."""
    return {
        "format": 1,
        "datasets": [
            {
                "name": name,
                "source": entry.source,
                "split": entry.collection.split,
                "allow_unknown": entry.allow_unknown,
                "sha256": fingerprint(entry.collection),
            }
            for name, entry in zip(names(entries), entries, strict=True)
        ],
        "systems": [system.to_json() for system in systems],
        "settings": settings.to_json(),
        "versions": versions(),
    }


def names(entries: Sequence[Entry]) -> list[str]:
    """Names of the collections, made different where two have the same."""
    found: list[str] = []
    for entry in entries:
        name = entry.collection.name
        if name in found and f"{name} ({entry.collection.split})" not in found:
            name = f"{name} ({entry.collection.split})"
        number = 2
        plain = name
        while name in found:
            name, number = f"{plain} {number}", number + 1
        found.append(name)
    return found


def entries_of(entries: Sequence[Entry]) -> dict[str, Collection]:
    """The collections by their different names."""
    return dict(zip(names(entries), (entry.collection for entry in entries), strict=True))


def fingerprint(collection: Collection) -> str:
    """sha256 of a collection's documents, queries, judgements and spans."""
    digest = hashlib.sha256()
    for document in collection.documents:
        digest.update(_line([document.id, document.text]))
    digest.update(_line([list(collection.queries.items()), collection.qrels, collection.spans]))
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    found = {"ragembed": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _check(entries: Sequence[Entry], systems: Sequence[System], settings: Settings) -> None:
    """Raise what would make the statistics fail after all the work."""
    called = [system.name for system in systems]
    twice = next((name for name in called if called.count(name) > 1), None)
    if twice is not None:
        raise QueryError(f"two systems are called {twice!r}", "give each its own name")
    over_spans = any(map(needs_spans, settings.measures))
    elsewhere = next((system.name for system in systems if system.run is not None), None)
    if over_spans and elsewhere is not None:
        raise QueryError(
            f"the run of {elsewhere} says nothing of chunks, which measures over spans look at",
            "give measures of documents, such as nDCG@10",
        )
    for entry in entries:
        name, judged = entry.collection.name, len(entry.collection.qrels)
        if judged < 2:
            raise DatasetError(
                f"{name} has {judged} judged queries", "systems are compared on at least 2, better 50"
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
        saved = place.outcome(job.dataset, job.system)
        if saved is None:
            todo.append(job)
        else:
            outcomes[job.dataset, job.system] = Outcome.from_json(saved)
    for number, job in enumerate(todo):
        progress = watch(todo, number) if watch else None
        try:
            done: Outcome | str = execute(job, progress)
        except (DatasetError, EmbeddingError, MissingExtraError, JobError, MemoryError) as error:
            done = " ".join(str(error).split()) or "out of memory"
        if isinstance(done, Outcome):  # a failure is tried again by a run that goes on from here
            place.save(job.dataset, job.system, done.to_json())
        outcomes[job.dataset, job.system] = done
    if watch:
        watch(todo, len(todo))
    return outcomes


def _write_runs(folder: Path, jobs: Sequence[Job], outcomes: Mapping[tuple[int, int], Outcome | str]) -> None:
    """A TREC run of each system; ids that do not fit into one are left to report.json."""
    named = names(list({job.dataset: job.entry for job in jobs}.values()))
    for job in jobs:
        done = outcomes[job.dataset, job.system]
        if isinstance(done, str):
            continue
        path = folder / RUNS / _file_name(named[job.dataset])
        path.mkdir(parents=True, exist_ok=True)
        try:
            write_run(
                path / f"{job.system + 1}-{_file_name(job.spec.name)}.trec",
                done.run,
                _file_name(job.spec.name),
            )
        except DatasetError:
            plain = {query: dict(found) for query, found in done.run.items()}
            text = json.dumps(plain, ensure_ascii=False)
            write_lines(path / f"{job.system + 1}-{_file_name(job.spec.name)}.json", [text])


def _file_name(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "+-=.," else "_" for letter in name)
    return kept.strip("._")[:100] or "unnamed"


def _line(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=True) + "\n").encode("ascii")
