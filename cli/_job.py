"""One job of a comparison in a process of its own, so that its memory and its crashes are its own.

`in_process` is the side of the comparison; ``python -m ragembed.cli._job`` is the other: it reads a job as one line of
JSON from stdin and writes lines of JSON to stdout, progress first, then the outcome or an error. It ends when its
stdin does, so that none is left when the comparison is killed.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragembed.eval.compare.job import Job
    from ragembed.eval.compare.outcome import Outcome


def in_process(job: "Job", progress: Callable[[int, int, str], None] | None) -> "Outcome":
    """Do a job in a new process; raises `JobError` where it fails or dies."""
    from ragembed.eval.compare.job import JobError
    from ragembed.eval.compare.outcome import Outcome

    task = {
        "source": job.entry.source,
        "split": job.entry.collection.split,
        "allow_unknown": job.entry.allow_unknown,
        "system": job.system.to_json(),
        "settings": job.settings.to_json(),
        "cache": str(job.cache),
        "number": [job.dataset, job.number],
        "scratch": str(job.scratch),
        "name": job.name,
    }
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],  # no module of the current folder is imported
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        try:
            answer = _converse(child, task, progress)
        finally:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]
        if "outcome" in answer:
            return Outcome.from_json(answer["outcome"])
        if "error" in answer:
            raise JobError(answer["error"])
        complaints.seek(0)
        last = complaints.read()[-2000:].decode("utf-8", "replace").strip().splitlines()[-1:]
    raise JobError(_died(answer["died"], last))


def _converse(
    child: "subprocess.Popen[bytes]", task: dict[str, Any], progress: Callable[[int, int, str], None] | None
) -> dict[str, Any]:
    """What the process answers in the end, or how it died."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(json.dumps(task).encode() + b"\n")
        child.stdin.flush()
    for line in child.stdout:
        if not line.endswith(b"\n"):  # it died while it spoke
            break
        told = json.loads(line)
        if "progress" not in told:
            return dict(told)
        if progress:
            progress(*told["progress"])
    return {"died": child.wait()}


def _died(code: int, last: list[str]) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed, perhaps for want of memory"
    how = (
        f"its process died of {signal.Signals(-code).name}" if code < 0 else f"its process ended with {code}"
    )
    return f"{how} ({last[0]})" if last else how


def _main() -> None:
    from ragembed.datasets import load
    from ragembed.errors import RagembedError
    from ragembed.eval.compare.job import Job, run_job
    from ragembed.eval.compare.settings import Entry, Settings
    from ragembed.eval.systems import system_from_json

    task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not be taken for an answer

    def say(**told: Any) -> None:
        out.write(json.dumps(told) + "\n")
        out.flush()

    try:
        entry = Entry(
            load(task["source"], task["split"], allow_unknown=task["allow_unknown"]),
            task["source"],
            task["allow_unknown"],
        )
        dataset, system = task["number"]
        settings = Settings.make(**task["settings"])
        made = system_from_json(task["system"])
        job = Job(
            dataset, system, entry, made, settings, Path(task["cache"]), task["name"], Path(task["scratch"])
        )
        done = run_job(job, lambda *where: say(progress=where), alone=True)
    except RagembedError as error:
        say(error=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the comparison tells it and goes on
        say(error=f"{type(error).__name__}: {' '.join(str(error).split())}")
    else:
        say(outcome=done.to_json())


def _end_with_stdin() -> None:
    while os.read(0, 1):  # not through sys.stdin, whose lock Python wants when it ends
        pass
    os._exit(1)


if __name__ == "__main__":
    _main()
