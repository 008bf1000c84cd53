"""What is compared: an embedder over chunks of a chunker, in an index of some type, its lists joined in some way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from ragembed.chunk import CHUNKERS
from ragembed.config import INDEX_TYPES
from ragembed.embed import EMBEDDERS
from ragembed.errors import SpecError
from ragembed.retrieve.fusion import DEFAULT, FUSIONS
from ragembed.spec import parse_all

_WHOLE, _FLAT = "whole", "flat"


@dataclass(frozen=True, slots=True)
class System:
    """One way to answer queries, by its specs in canonical form."""

    embedder: str
    chunker: str = _WHOLE
    index_type: str = _FLAT
    fusion: str | None = None
    """How a hybrid's lists are joined; None where there is one list."""

    @property
    def name(self) -> str:
        """``bm25+minilm @ recursive(tokens=128), rrf(k=20)``: what is not the default, after the embedder."""
        rest = [
            spec
            for spec, default in ((self.index_type, _FLAT), (self.fusion or DEFAULT, DEFAULT))
            if spec != default
        ]
        chunked = f" @ {self.chunker}" if self.chunker != _WHOLE else ""
        return ", ".join([self.embedder + chunked, *rest])

    def to_json(self) -> dict[str, str | None]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def make(
        cls, embedder: str, chunker: str = _WHOLE, index_type: str = _FLAT, fusion: str | None = None
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
        if index_type not in INDEX_TYPES:
            raise SpecError(f"unknown index type {index_type!r}", f"valid are: {', '.join(INDEX_TYPES)}")
        joined = str(FUSIONS.create(fusion or DEFAULT).spec)
        return cls(
            "+".join(names),
            str(CHUNKERS.create(chunker).spec),
            index_type,
            joined if len(names) > 1 else None,
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
    return System.make(*(values[key] for key in ("embedder", "chunker", "index_type", "fusion")))


def grid(
    embedders: Sequence[str],
    chunkers: Sequence[str] = (),
    index_types: Sequence[str] = (),
    fusions: Sequence[str] = (),
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
        for chunker, index_type, fusion in product(cut, index_types or [_FLAT], fusions or [DEFAULT]):
            system = System.make(embedder, chunker, index_type, fusion)
            parts = frozenset(
                map(str, parse_all(system.embedder))
            )  # whatever their order, they answer the same
            systems.setdefault((parts, system.chunker, system.index_type, system.fusion), system)
    return list(systems.values())
