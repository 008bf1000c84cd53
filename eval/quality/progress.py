"""Telling how far something is."""

from __future__ import annotations

from collections.abc import Callable

Counted = Callable[[int, int, str], None]
"""Told how many of how many are done, and of what."""
Share = Callable[[float], None]
"""Told which share of a part is done, from 0 to 1."""


def part_of(
    progress: Counted | None, total: int, what: str, start: int = 0, size: int | None = None
) -> Share | None:
    """Tells `progress` about `total` from the share done of a part: the `size` (by default all) from `start` on."""
    if progress is None:
        return None
    length = total - start if size is None else size
    return lambda share: progress(start + int(length * share), total, what)
