"""What an index type is: how its FAISS structure is made, and what its search can be told."""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ragembed.errors import SpecError
from ragembed.registry import spec_of
from ragembed.spec import Spec


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """How hard a search tries."""

    effort: int = 0
    """What the type's `knob` is set to; 0 where it has none."""
    refine: int = 1
    """Candidates for each hit that is wanted, all of them scored by their flat vectors."""


class AnnType(ABC):
    """An index type. Subclasses are frozen dataclasses, their fields the spec's parameters."""

    name: ClassVar[str]
    knob: ClassVar[str | None] = None
    """What its search can be told: ``ef_search``, ``probes``; None: it looks at everything."""
    growth: ClassVar[float] = 1.0
    """A search over n vectors takes time of about n to this power; the optimizer reckons with it from a sample."""
    refines: ClassVar[Sequence[int]] = (1,)
    """Numbers of candidates for each hit that are worth trying."""
    selects: ClassVar[bool] = True
    """Whether FAISS passes over rows by itself; else more are asked for, and dropped."""

    @property
    def spec(self) -> Spec:
        """The spec that makes it again."""
        return spec_of(self, self.name)

    @property
    def exact(self) -> bool:
        """Whether it is no structure at all: every vector is looked at."""
        return False

    @abstractmethod
    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """An empty FAISS index for so many rows; `metric` is FAISS's number of it."""

    @abstractmethod
    def row_bytes(self, dimension: int) -> float:
        """Bytes that one row takes in memory, about."""

    def fewest(self, rows: int) -> int:
        """Rows below which there is nothing to train with."""
        return 1

    def refinements(self) -> list[int]:
        """Numbers of candidates for each hit to choose from, ascending: the one that the spec says, if it says one."""
        asked = int(getattr(self, "refine", 0))
        return [asked] if asked else list(self.refines)

    def efforts(self, rows: int) -> list[int]:
        """Values of the knob to choose from, ascending: each costs more than the one before and finds no less."""
        return [0]

    def parameters(self, effort: int, width: int, selector: Any) -> Any:
        """FAISS's parameters of one search for `width` candidates; None where there is nothing to say."""
        import faiss

        library: Any = faiss
        return None if selector is None else library.SearchParameters(sel=selector)


def made(description: str, dimension: int, metric: int) -> Any:
    """The index that a FAISS factory string describes; raises `SpecError` where FAISS makes none."""
    import faiss

    library: Any = faiss
    with faiss_errors(f"FAISS makes no index {description!r} for {dimension} dimensions"):
        return library.index_factory(dimension, description, metric)


@contextlib.contextmanager
def faiss_errors(fault: str) -> Iterator[None]:
    """Raise `SpecError`, saying `fault` and why, for what FAISS refuses and for what the memory does not hold."""
    try:
        yield
    except MemoryError as error:
        raise SpecError(f"{fault} (the memory does not hold it)", "give smaller parameters") from error
    except RuntimeError as error:
        lines = str(error).strip().splitlines() or ["no reason given"]
        reason = re.sub(r"^.* at \S+:\d+: ", "", lines[-1].rpartition("failed: ")[2] or lines[0])
        raise SpecError(
            f"{fault} ({reason.strip()})", "see FAISS's page on the index factory for what it takes"
        ) from error


def at_least(value: int, least: int, where: str) -> None:
    """Raise `SpecError` for a parameter below what makes sense."""
    if value < least:
        raise SpecError(f"{where} is {value}", f"give at least {least}")


def doubling(first: int, last: int) -> list[int]:
    """Integers from `first` to `last`, each about an eighth of an octave above the one before."""
    steps = []
    value = float(first)
    while value < last:
        steps.append(round(value))
        value *= 2**0.125
    return list(dict.fromkeys([*steps, last]))
