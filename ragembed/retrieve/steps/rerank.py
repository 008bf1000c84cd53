"""A cross-encoder as a reranker."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragembed.retrieve.checks import at_least_1
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import Candidates, Loss
from ragembed.retrieve.steps.reordering import Reordering, by_score

if TYPE_CHECKING:
    from ragembed.retrieve.cross_encoder import CrossScorer


@dataclass(frozen=True)
class Rerank(Reordering):
    """The first hits in the order of a model that reads query and text together (Nogueira & Cho 2019).

    The model runs through sentence-transformers' CrossEncoder (extra ``st``), from safetensors and without code of its
    own. A hit's new score is what the model gives.
    """

    name: ClassVar[str] = "rerank"
    loss: ClassVar[Loss] = "reranked_away"

    target: str
    """Folder, or name on the hub as ORGANISATION/NAME, of a cross-encoder with one score."""
    depth: int = 50
    """Hits that are put in a new order."""
    batch: int = 32
    """Texts that go through the model at once."""
    max_length: int | None = None
    """Longest input in tokens, query and special ones included; none: what the model was made with."""
    device: str | None = None
    """``cpu``, ``cuda``...; none: the best there is."""
    download: bool = False
    """Fetch the model from the hub where it is not in the cache; without it the network is never used."""

    def __post_init__(self) -> None:
        at_least_1(self.name, batch=self.batch)
        super().__post_init__()

    def reordered(self, given: Candidates, top: list[Fused]) -> list[Fused]:
        """Of equal scores in the order that they had."""
        texts = given.ranking.catalog.embedded_texts([hit.row for hit in top])
        scorer = _scorer(self.target, self.batch, self.max_length, self.device, self.download)
        return by_score(top, scorer.scores(given.query, texts))


@functools.lru_cache(maxsize=2)
def _scorer(
    target: str, batch: int, max_length: int | None, device: str | None, download: bool
) -> CrossScorer:
    """Loaded once: a search makes its steps anew."""
    from ragembed.embed.model_files import find_model
    from ragembed.retrieve.cross_encoder import CrossScorer

    folder = find_model(target, download=download, embedder=Rerank.name)
    return CrossScorer(folder, batch=batch, max_length=max_length, device=device)
