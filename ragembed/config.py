"""How an index is made: the saved form of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ragembed.errors import CorruptError, VersionError
from ragembed.spec import Spec, parse_all

_MOST_DIMENSIONS = 1 << 24


@dataclass(frozen=True, slots=True)
class EmbedderRecord:
    """An embedder as it was when the first document came: its settled spec and what it identifies itself by."""

    spec: str
    kind: str
    dimension: int | None
    """Length of a vector; None for postings, whose vocabulary grows."""
    folder: str | None
    """Where its learnt state lies, relative to the index."""
    identity: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.folder is not None and not re.fullmatch(r"embedders/\w[\w.-]*", str(self.folder), re.ASCII):
            raise CorruptError(
                f"the index keeps an embedder's state in {self.folder!r}, which is no folder of ours",
                "do not use an index from somebody you do not trust",
            )


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """What was asked for, and what that was settled to when the first document came."""

    embedder: str = "bm25"
    chunker: str = "recursive"
    index_type: str = "flat"
    settled_chunker: str | None = None
    chunker_probe: str | None = None
    """How the settled chunker cuts a fixed text (`ragembed.chunk.probe`); None in indexes of format 1."""
    embedders: tuple[EmbedderRecord, ...] = ()

    def __post_init__(self) -> None:
        check_index_type(self.index_type)

    @property
    def parts(self) -> tuple[Spec, ...]:
        """The embedders that were asked for."""
        return parse_all(self.embedder)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PipelineConfig:
        """Back from `to_json`."""
        if not _fits(values):
            raise CorruptError(
                "the index's configuration is damaged",
                "restore it from a copy, or index again into a new folder",
            )
        try:
            records = tuple(EmbedderRecord(**record) for record in values["embedders"])
            return cls(**{**values, "embedders": records})
        except (KeyError, TypeError, AttributeError) as error:
            raise VersionError(
                f"the index's configuration does not fit ({error})", "upgrade ragembed"
            ) from error


def check_index_type(spec: str) -> str:
    """The spec of an index type in canonical form; raises `SpecError` for one that is wrong."""
    if spec == "flat":  # what most are, without a further import
        return spec
    from ragembed.index.ann import ANN_TYPES

    return str(ANN_TYPES.create(spec).spec)


def _fits(values: object) -> bool:
    """Whether every value that a configuration must have is there, and of its type."""
    return (
        isinstance(values, dict)
        and all(isinstance(values.get(name), str) for name in ("embedder", "chunker", "index_type"))
        and all(isinstance(values.get(name), str | None) for name in ("settled_chunker", "chunker_probe"))
        and isinstance(values.get("embedders"), list | tuple)
        and all(map(record_fits, values["embedders"]))
    )


def record_fits(record: object) -> bool:
    """Whether `record` has what an `EmbedderRecord` needs, each of its type."""
    if not isinstance(record, dict):
        return False
    dimension = record.get("dimension")
    return (
        isinstance(record.get("spec"), str)
        and isinstance(record.get("identity"), dict)
        and isinstance(record.get("folder"), str | None)
        and (
            (record.get("kind") == "sparse" and dimension is None)
            or (
                record.get("kind") in ("dense", "multi")
                and type(dimension) is int
                and 0 < dimension <= _MOST_DIMENSIONS
            )
        )
    )
