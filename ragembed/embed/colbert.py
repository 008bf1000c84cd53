"""``colbert:TARGET``: many vectors for a text, one a token, compared by MaxSim (Khattab & Zaharia 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from ragembed.embed import probes
from ragembed.embed.base import Dense, Kind
from ragembed.embed.minilm import find_minilm
from ragembed.embed.model_files import check_model, find_model
from ragembed.embed.token_vectors import Codec, Half, TokenVectors
from ragembed.embed.transformer import TransformerEmbedder
from ragembed.encoder.colbert import read_colbert
from ragembed.errors import EmbeddingError, SpecError
from ragembed.extras import require
from ragembed.threads import wait_calmly

if TYPE_CHECKING:
    from ragembed.embed.residual import Residual
    from ragembed.encoder.token_encoder import TokenEncoder, TokenOptions

MINILM = "minilm"
_BITS = (16, 4, 2, 1)


@dataclass(eq=False, kw_only=True)
class ColbertEmbedder(TransformerEmbedder):
    """Token vectors of a ColBERT or PyLate checkpoint, with its markers, lengths, expansion of queries and skip list;
    or those of any encoder that ``hf:`` takes, which were not trained for it.
    """

    name: ClassVar[str] = "colbert"
    kind: ClassVar[Kind] = "multi"
    packages: ClassVar[tuple[str, ...]] = ("torch", "tokenizers")
    indifferent: ClassVar[frozenset[str]] = frozenset({"batch", "device", "download", "precision"})

    target: str
    """Folder, or name on the hub; ``minilm`` is the installed all-MiniLM-L6-v2, which was not trained for it."""
    bits: int = 16
    """How numbers are stored: 16 as float16; 4, 2 or 1 as what is left of a vector when the nearest of the centroids
    that the first texts give is taken off (Santhanam et al. 2022, ColBERTv2, section 3.3)."""
    precision: str = "auto"
    """What numbers are computed in: ``float32``, ``bfloat16``, ``float16``; ``auto``: as ``hf:``."""
    max_length: int | None = None
    """Longest document in tokens; none: what the model was made with."""
    query_prompt: str | None = None
    """Text put before queries of a model that has no marker."""
    document_prompt: str | None = None
    """Text put before documents of a model that has no marker."""
    device: str | None = None
    """``cpu``, ``cuda``...; none: the graphics processor where there is one."""
    batch: int | None = None
    """Texts that go through the model at once; none: as many as fill it."""
    download: bool = False
    """Fetch the model from the hub where it is not in the cache; without it the network is never used."""

    def __post_init__(self) -> None:
        if self.bits not in _BITS:
            raise SpecError(f"colbert(bits={self.bits}) is not known", "give 16, 4, 2 or 1")
        self._residual: Residual | None = None

    def find(self) -> Path:
        """Where the model lies."""
        if self.target == MINILM:
            return find_minilm()
        return find_model(self.target, download=self.download, embedder=self.name)

    @property
    def options(self) -> TokenOptions:
        """How it is run."""
        from ragembed.encoder.token_encoder import TokenOptions

        return TokenOptions(
            precision=self.precision,
            max_length=self.max_length,
            query_prompt=self.query_prompt,
            document_prompt=self.document_prompt,
            batch=self.batch,
            device=self.device,
        )

    def load(self) -> Any:
        """The model, ready to encode."""
        wait_calmly()
        require("torch", "encoder", "the built-in encoder")
        check_model(self.folder)
        from ragembed.encoder.token_encoder import TokenEncoder

        return TokenEncoder(self.folder, self.options)

    @property
    def _encoder(self) -> TokenEncoder:
        return cast("TokenEncoder", self._model)

    @property
    def tokenizer_name(self) -> str | None:
        """``minilm`` on every machine, else as of every transformer."""
        return MINILM if self.target == MINILM else super().tokenizer_name

    @property
    def fitting_tokens(self) -> int | None:
        """Tokens of a document that the model reads in one piece."""
        return self._encoder.fitting_tokens

    @property
    def may_differ(self) -> frozenset[str]:
        """``auto`` takes what the machine does well; a precision by name has to be that of the whole index."""
        return frozenset({"precision"}) if self.precision == "auto" else frozenset()

    # many vectors a text

    def tokens(self, texts: Sequence[str], *, queries: bool = False) -> TokenVectors:
        """The vectors of each text's tokens, of length 1."""
        found = self._encoder.encode(texts, "query" if queries else "document")
        if not np.isfinite(found.vectors).all():
            raise EmbeddingError(
                f"embedder {self.spec} gave NaN or infinity for one of {len(texts)} texts",
                "check those texts, or the model",
            )
        return found

    def embed(self, texts: Sequence[str]) -> list[Dense]:  # type: ignore[override]  # pyright: ignore
        """For each text its ``(tokens, dimension)``."""
        return list(self.tokens(texts))

    def embed_queries(self, texts: Sequence[str]) -> list[Dense]:  # type: ignore[override]  # pyright: ignore
        """As `embed`, of queries."""
        return list(self.tokens(texts, queries=True))

    # how they are stored

    @property
    def codec(self) -> Codec:
        """How an index stores them."""
        if self.bits == 16:
            return Half(self.dimension)
        if self._residual is None:
            raise EmbeddingError(
                f"embedder {self.spec} has learnt no centroids yet",
                "index documents first, or load what it learnt",
            )
        return self._residual

    @property
    def learns(self) -> bool:  # type: ignore[override]  # pyright: ignore
        """Whether it needs texts for its centroids."""
        return self.bits != 16

    def fit(self, texts: Iterable[str]) -> None:
        """Learn the centroids from some of the texts."""
        if not self.learns:
            super().fit(texts)
        from ragembed.embed.residual import learn, sampled

        found = [self.tokens(part).vectors for part in sampled(texts)]
        vectors = np.concatenate([np.zeros((0, self.dimension), np.float32), *found])
        self._residual = learn(vectors, self.dimension, self.bits)

    def save_state(self, folder: Path) -> None:
        """Write the centroids."""
        if self._residual is not None:
            self._residual.save(folder)

    def load_state(self, folder: Path) -> None:
        """Read them back."""
        if self.learns:
            from ragembed.embed.residual import Residual

            self._residual = Residual.load(folder, self.bits)

    def state_hash(self) -> str:
        """sha256 over weights and centroids."""
        return self._weights if self._residual is None else f"{self._weights} {self._residual.digest}"

    def recorded_identity(self) -> dict[str, Any]:
        """As of every transformer, and how texts are put to the model."""
        return {
            **super().recorded_identity(),
            "normalized": True,
            "late": read_colbert(self.folder).to_json(),
        }

    def probe(self, *, thorough: bool = True) -> dict[str, Any]:
        """The sums of the token vectors of the probes: another number of tokens shows in them too."""
        del thorough
        counted = self._model.truncation
        texts, tokens = counted.texts, counted.tokens
        try:
            return {
                "documents": probes.packed(_sums(self.tokens(probes.DOCUMENTS), self.dimension)),
                "queries": probes.packed(_sums(self.tokens(probes.QUERIES, queries=True), self.dimension)),
            }
        finally:
            counted.texts, counted.tokens = texts, tokens


def _sums(found: TokenVectors, dimension: int) -> Dense:
    sums = np.zeros((len(found), dimension), np.float32)
    for row, vectors in zip(sums, found, strict=True):
        row[:] = vectors.sum(axis=0)
    return sums
