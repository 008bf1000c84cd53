"""One system on one collection: the unit of work of a comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ragembed.embed.cache import VectorCache
from ragembed.errors import RagembedError
from ragembed.eval.answers import answer
from ragembed.eval.compare.outcome import PASSAGE, SHOWN, Outcome, outcome
from ragembed.eval.compare.settings import Entry, Settings
from ragembed.eval.cost import peak_memory
from ragembed.eval.run_file import answers_of
from ragembed.eval.systems import AnySystem, RunFile
from ragembed.sync import Progress


@dataclass(frozen=True, slots=True)
class Job:
    """One system on one collection."""

    dataset: int
    """The collection's number in the comparison."""
    number: int
    """The system's."""
    entry: Entry
    system: AnySystem
    settings: Settings
    cache: Path
    """File of vectors that the jobs share."""
    name: str
    """What the collection is called in the report."""
    scratch: Path | None = None
    """Folder for the index, which is removed when the job is done; None: the system's own."""

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.system.name} on {self.name}"


class JobError(RagembedError):
    """A job could not be done, for a reason that says nothing of the others."""


Execute = Callable[[Job, Progress | None], Outcome]
"""What does a job, in this process or in another one; raises `JobError` where it cannot."""


def run_job(job: Job, progress: Progress | None = None, *, alone: bool = False) -> Outcome:
    """Do a job in this process, which with `alone` does nothing else, so that its memory is that of the system."""
    measures, collection = job.settings.measures, job.entry.collection
    try:
        if isinstance(job.system, RunFile):
            answers = answers_of(
                collection, job.system.file_for(job.name), job.system.name, job.settings.k, SHOWN, PASSAGE
            )
        else:
            with VectorCache(job.cache) as cache:
                answers = answer(
                    collection,
                    job.system,
                    measures,
                    job.settings.k,
                    shown=SHOWN,
                    shown_characters=PASSAGE,
                    timed=True,
                    cache=cache,
                    scratch=job.scratch,
                    progress=progress,
                )
        if alone and answers.cost:
            answers.cost = replace(answers.cost, peak_memory_bytes=peak_memory())
        return outcome(collection, answers, measures, job.settings.k)
    except RagembedError as error:
        raise JobError(error.fault, error.remedy) from error
    except MemoryError as error:
        raise JobError("memory ran out", "take smaller batches or a smaller model") from error
