"""An index that follows its files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragembed import Pipeline, SyncReport
from ragembed.errors import LockedError, ReadError
from ragembed.watch import watch

pytest.importorskip("watchfiles")


class Following:
    """A watch in a thread, and the reports that it gave."""

    def __init__(self, sync: Callable[[], SyncReport], paths: list[Path], index: Path) -> None:
        self.reports: list[SyncReport] = []
        self.complaints: list[str] = []
        self._come = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(sync, paths, index))

    def _run(self, sync: Callable[[], SyncReport], paths: list[Path], index: Path) -> None:
        for report in watch(
            sync, paths, index, complain=lambda error: self.complaints.append(str(error)), stop=self._stop
        ):
            with self._come:
                self.reports.append(report)
                self._come.notify_all()

    def wait(self, enough: Callable[[list[SyncReport]], bool]) -> None:
        with self._come:
            assert self._come.wait_for(lambda: enough(self.reports), timeout=30), self.reports

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("apples are red")
    return folder


@pytest.fixture
def pipeline(docs: Path) -> Iterator[Pipeline]:
    """The index lies among the documents, where its own changes must not start another sync."""
    with Pipeline.create(docs / "index", "bm25(language=english)", "whole") as made:
        yield made


def test_changes_are_found(pipeline: Pipeline, docs: Path) -> None:
    with Following(lambda: pipeline.index(docs, prune=True), [docs], docs / "index") as following:
        following.wait(lambda reports: len(reports) == 2)  # at once, and when the watch has begun
        (docs / "b.txt").write_text("bananas are yellow")
        following.wait(lambda reports: sum(report.added for report in reports) == 2)
        (docs / "a.txt").unlink()
        following.wait(lambda reports: sum(report.deleted for report in reports) == 1)
        assert [hit.chunk.document_id for hit in pipeline.search("apples bananas")] == ["docs/b.txt"]
        calls = len(following.reports)
        assert not threading.Event().wait(1.5)
        assert len(following.reports) == calls  # the index's own files are no change


def test_an_error_does_not_end_the_watch(docs: Path, tmp_path: Path) -> None:
    outcomes: list[Exception | SyncReport] = [
        SyncReport(), ReadError("nothing to read", "wait"), LockedError("is written", "wait"), SyncReport(added=7),
    ]  # fmt: skip

    def sync() -> SyncReport:
        outcome = outcomes.pop(0) if outcomes else SyncReport()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ragembed.watch._AGAIN_S", 0.01)
        with Following(sync, [docs], tmp_path / "index") as following:
            following.wait(lambda reports: len(reports) == 1)
            time.sleep(1.2)
            (docs / "b.txt").write_text("a change, after the error that came when the watch began")
            following.wait(lambda reports: any(report.added == 7 for report in reports))
        assert following.complaints == ["nothing to read; wait", "is written; wait"]


def test_an_error_of_the_first_sync_is_the_callers(docs: Path, tmp_path: Path) -> None:
    def sync() -> SyncReport:
        raise ReadError("nothing to read", "wait")

    with pytest.raises(ReadError):
        next(watch(sync, [docs], tmp_path / "index", complain=print))


def test_a_folder_that_is_made_anew_is_watched(pipeline: Pipeline, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "a.txt").write_text("apples are red")
    with Following(lambda: pipeline.index(site, prune=True), [site], tmp_path / "docs") as following:
        following.wait(lambda reports: len(reports) == 2)
        site.rename(tmp_path / "old")
        site.mkdir()
        (site / "b.txt").write_text("bananas are yellow")
        following.wait(lambda reports: sum(report.added for report in reports) == 2)
        following.wait(lambda reports: len(reports) >= 4)  # the new folder is watched by now
        (site / "c.txt").write_text("cherries are small")
        following.wait(lambda reports: sum(report.added for report in reports) == 3)
