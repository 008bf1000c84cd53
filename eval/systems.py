"""What is compared: an embedder over chunks of a chunker, in an index of some type, its lists joined in some way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from ragembed.chunk import CHUNKERS
from ragembed.config import check_index_type
from ragembed.embed import EMBEDDERS
from ragembed.errors import SpecError
from ragembed.retrieve.aggregate import AGGREGATES
from ragembed.retrieve.aggregate import DEFAULT as MAX
from ragembed.retrieve.fusion import DEFAULT, FUSIONS
from ragembed.retrieve.options import SearchOptions
from ragembed.spec import parse_all

_WHOLE, _FLAT, _NONE = "whole", "flat", "none"


@dataclass(frozen=True, slots=True)
class System:
    """One way to answer queries, by its specs in canonical form."""

    embedder: str
    chunker: str = _WHOLE
    index_type: str = _FLAT
    """Of its vectors; postings and token vectors are as they are."""
    fusion: str | None = None
    """How a hybrid's lists are joined; None where there is one list."""
    steps: str | None = None
    """What is done with the list then."""
    aggregate: str | None = None
    """How the scores of its chunks become a document's; None where documents are whole."""

    @property
    def name(self) -> str:
        """``bm25+minilm @ recursive(tokens=128), rrf(k=20)``: what is not the default, after the embedder."""
        rest = [
            spec
            for spec, default in (
                (self.index_type, _FLAT),
                (self.fusion or DEFAULT, DEFAULT),
                (self.aggregate or MAX, MAX),
            )
            if spec != default
        ]
        chunked = f" @ {self.chunker}" if self.chunker != _WHOLE else ""
        return ", ".join([self.embedder + chunked, *rest, *([self.steps] if self.steps else [])])

    def to_json(self) -> dict[str, str | None]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def make(
        cls,
        embedder: str,
        chunker: str = _WHOLE,
        index_type: str = _FLAT,
        fusion: str | None = None,
        steps: str | None = None,
        aggregate: str | None = None,
    ) -> System:
        """Check the specs and put them in canonical form; raises `SpecError` for one that is wrong.

        Where a model is not on this machine, `EmbeddingError` says so now, and not after hours of work.
        """
        parts = [EMBEDDERS.create(part) for part in parse_all(embedder)]
        for part in parts:
            if part.costly:
                part.recorded_identity()
        names = [str(part.spec) for part in parts]
        if len(set(names)) < len(names):
            raise SpecError(f"embedder {embedder!r} names the same part twice", "name each part once")
        index_type = check_index_type(index_type)
        joined = str(FUSIONS.create(fusion or DEFAULT).spec)
        aggregated = str(AGGREGATES.create(aggregate or MAX).spec)
        cut = str(CHUNKERS.create(chunker).spec)
        taken = "+".join(str(step.spec) for step in SearchOptions(steps=steps).make_steps())
        return cls(
            "+".join(names),
            cut,
            index_type if any(part.kind == "dense" for part in parts) else _FLAT,
            joined if len(names) > 1 else None,
            taken or None,
            aggregated if cut != _WHOLE else None,
        )


@dataclass(frozen=True, slots=True)
class RunFile:
    """A system that has answered elsewhere, by the TREC run that it wrote."""

    name: str
    run: str
    """The file; ``{dataset}`` in it stands for the collection's name."""

    @classmethod
    def parse(cls, written: str) -> RunFile:
        """Read ``NAME=FILE``, cut at the last ``=``; raises `SpecError` where it is not of that form."""
        name, equals, file = written.rpartition("=")
        if not (equals and name.strip() and file.strip()):
            raise SpecError(
                f"run {written!r} has no name", "write NAME=FILE.trec, or NAME=runs/{dataset}.trec"
            )
        return cls(name.strip(), file.strip())

    def file_for(self, dataset: str) -> Path:
        """The file for a collection."""
        return Path(self.run.replace("{dataset}", dataset))

    def to_json(self) -> dict[str, str | None]:
        """Plain JSON values."""
        return asdict(self)


AnySystem = System | RunFile


def system_from_json(values: dict[str, Any]) -> AnySystem:
    """Back from `to_json`, the specs checked anew."""
    if "run" in values:
        return RunFile(str(values["name"]), str(values["run"]))
    required = {key: values[key] for key in ("embedder", "chunker", "index_type", "fusion")}
    return System.make(**required, steps=values.get("steps"), aggregate=values.get("aggregate"))


def grid(
    embedders: Sequence[str],
    chunkers: Sequence[str] = (),
    index_types: Sequence[str] = (),
    fusions: Sequence[str] = (),
    steps: Sequence[str] = (),
    aggregates: Sequence[str] = (),
) -> list[System]:
    """Every combination, each once; documents stay whole where no chunker is named.

    An embedder written as ``EMBEDDER @ CHUNKER`` is combined with that chunker alone.
    """
    systems: dict[tuple[object, ...], System] = {}
    for written in embedders:
        embedder, at, own = (part.strip() for part in written.rpartition(" @ "))
        if not at:
            embedder, cut = written.strip(), list(chunkers) or [_WHOLE]
        else:
            cut = [own]
        for chunker, index_type, fusion, taken, aggregate in product(
            cut, index_types or [_FLAT], fusions or [DEFAULT], steps or [_NONE], aggregates or [MAX]
        ):
            system = System.make(embedder, chunker, index_type, fusion, taken, aggregate)
            names = [str(part) for part in parse_all(system.embedder)]
            weighted = "weights=" in (system.fusion or "")
            parts = tuple(names if weighted else sorted(names))  # else they answer the same in any order
            key = (
                parts,
                system.chunker,
                system.index_type,
                system.fusion,
                system.steps,
                system.aggregate,
            )
            systems.setdefault(key, system)
    return list(systems.values())
