"""How an index is made: the saved form of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ragembed.errors import CorruptError, SpecError, VersionError
from ragembed.spec import Spec, parse_all

INDEX_TYPES = ("flat",)


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
    embedders: tuple[EmbedderRecord, ...] = ()

    def __post_init__(self) -> None:
        if self.index_type not in INDEX_TYPES:
            raise SpecError(f"unknown index type {self.index_type!r}", f"valid are: {', '.join(INDEX_TYPES)}")

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
        try:
            records = tuple(EmbedderRecord(**record) for record in values["embedders"])
            return cls(**{**values, "embedders": records})
        except (KeyError, TypeError) as error:
            raise VersionError(
                f"the index's configuration does not fit ({error})", "upgrade ragembed"
            ) from error
