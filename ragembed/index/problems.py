"""What is wrong with an index, in words: what the checks of `ragembed.index.verify` find."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ragembed.errors import RagembedError

RESTORE = "restore the index from a copy, or index again into a new folder"
REPAIR = "run: ragembed verify INDEX --repair"
"""The remedy of what `ragembed.repair` mends; more may follow it."""
READ_AGAIN = f"{REPAIR}, then index the files again, and upsert what came from no file"
STRANGER = "do not use an index from somebody you do not trust"

DAMAGE = (
    RagembedError,
    sqlite3.Error,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    RecursionError,
    MemoryError,
)
"""What reading may raise where numbers and texts in a damaged catalog are anything at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an index, and what to do about it."""

    what: str
    remedy: str = RESTORE
    outside: bool = False
    """Whether it is about a model that the index needs and does not hold; then the index itself is whole."""

    @property
    def mendable(self) -> bool:
        """Whether repair mends it."""
        return self.remedy.startswith(REPAIR)

    def __str__(self) -> str:
        return " ".join(f"{self.what}; {self.remedy}".split())


def unreadable(what: str, error: BaseException, remedy: str = RESTORE) -> Problem:
    """The problem that reading `what` raised `error`."""
    if isinstance(error, RagembedError):
        return Problem(error.fault, remedy)
    return Problem(f"{what} cannot be read ({str(error) or type(error).__name__})", remedy)


def some(count: int, what: str, first: object) -> str:
    """How many of something, and the first of them, in few words."""
    shown = repr(first)
    return f"{count} {what}, the first {shown if len(shown) <= 80 else shown[:77] + '...'}"
