"""Keeping an index in step with files for as long as one likes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ragembed.errors import LockedError, RagembedError
from ragembed.extras import require

if TYPE_CHECKING:
    from threading import Event

    from ragembed.sync_report import SyncReport

_QUIET_MS = 500
"""Changes are collected until nothing has changed for so long."""
_AGAIN_S = 2.0
"""Pause before trying again to write where another process is writing."""


def watch(
    sync: Callable[[], SyncReport],
    paths: Sequence[str | Path],
    index: Path,
    *,
    complain: Callable[[RagembedError], None],
    stop: Event | None = None,
) -> Iterator[SyncReport]:
    """Call `sync` at once and after every change at or below `paths`; gives the reports of all calls.

    Changes inside of `index`, which may lie among the documents, count as none. An error is passed to `complain`, and
    the watch goes on. Ends at Ctrl-C between two calls, or when `stop` is set.
    """
    watchfiles = require("watchfiles", "watch", "watching files")
    own = str(index.resolve())

    def counts(_change: object, path: str) -> bool:
        return not Path(path).is_relative_to(own)

    yield sync()  # an error of the first one is the caller's
    changes = watchfiles.watch(
        *(Path(path).resolve() for path in paths),
        watch_filter=counts,
        step=_QUIET_MS,
        rust_timeout=_QUIET_MS,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=True,
    )
    first = True
    before = _roots(paths)
    with contextlib.suppress(KeyboardInterrupt):
        for found in changes:
            # the watch has only begun when the first answer comes: what changed before, while the first sync ran, is
            # found by one more sync
            now = _roots(paths)
            if found or first or now != before:
                yield from _synced(sync, complain, stop)
            first = False
            if (
                now != before
            ):  # the folder was made anew, or a link leads elsewhere: that one is to be watched
                yield from watch(sync, paths, index, complain=complain, stop=stop)
                return


def _roots(paths: Sequence[str | Path]) -> list[tuple[str, int]]:
    """Where the paths lead now, and to which file or folder; one that is gone for a moment keeps no place."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            found.append((str(Path(path).resolve()), Path(path).stat().st_ino))
    return found


def _synced(
    sync: Callable[[], SyncReport], complain: Callable[[RagembedError], None], stop: Event | None
) -> Iterator[SyncReport]:
    told = False
    while True:
        try:
            yield sync()
        except LockedError as error:
            if not told:
                complain(error)
                told = True
            if stop is None:
                time.sleep(_AGAIN_S)
            elif stop.wait(_AGAIN_S):
                return
            continue
        except RagembedError as error:
            complain(error)
        return
