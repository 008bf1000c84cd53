"""Pieces of a long text that a model takes whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ragembed.errors import EmbeddingError

OVERLAP = 32
"""Tokens that neighbours share where nothing is asked for, or a quarter of a window where that is less."""


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens ``start`` to ``stop`` of a text, of which the last `fresh` stand in no window before."""

    start: int
    stop: int
    fresh: int


def windows(length: int, room: int, overlap: int | None = None) -> list[Window]:
    """Windows of `room` tokens that cover a text of `length` tokens, in order; the last one is what is left.

    Neighbours share `overlap` tokens. A text just too long for the model costs little more than one that fits, and its
    vector is near to that of the first window, since windows weigh by their fresh tokens.
    """
    if length <= room:
        return [Window(0, length, length)]
    if room < 1:
        raise EmbeddingError(
            "special tokens and the prompt leave no room for the text",
            "give a greater max_length or a shorter prompt",
        )
    overlap = min(OVERLAP, room // 4) if overlap is None else overlap
    if not 0 <= overlap < room:
        raise EmbeddingError(
            f"windows of {room} tokens are to share {overlap} of them",
            f"give an overlap from 0 to {room - 1}, or a greater max_length",
        )
    found = [Window(0, room, room)]
    while found[-1].stop < length:
        covered = found[-1].stop
        stop = min(length, covered - overlap + room)
        found.append(Window(covered - overlap, stop, stop - covered))
    return found


def truncated(length: int, room: int) -> list[Window]:
    """The first `room` tokens."""
    kept = min(length, max(0, room))
    return [Window(0, kept, kept)]


def owned(found: Sequence[Window]) -> list[tuple[int, int]]:
    """The tokens that each window is nearest to by its middle, ``(start, stop)``: every token belongs to one window.

    There a token has the most context on its poorer side. Neighbours share what both have halfway.
    """
    halfway = [(later.start + earlier.stop) // 2 for earlier, later in pairwise(found)]
    return list(zip([found[0].start, *halfway], [*halfway, found[-1].stop], strict=True))
