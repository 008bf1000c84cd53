"""Telling how far something is."""

from __future__ import annotations

from ragembed.eval.quality.progress import part_of


def test_shares_of_a_part_become_counts_of_the_whole() -> None:
    told: list[tuple[int, int, str]] = []
    tell = part_of(lambda *what: told.append(what), 100, "pairs", start=20, size=40)
    assert tell is not None
    tell(0.5)
    tell(1.0)
    assert told == [(40, 100, "pairs"), (60, 100, "pairs")]
    assert part_of(None, 100, "pairs") is None
