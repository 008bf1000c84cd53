"""``st:NAME-OR-FOLDER``: any dense model that sentence-transformers runs, from a folder or a cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ragembed.embed.model_files import find_model
from ragembed.embed.st_model import PACKAGES, PRECISION, Options, StModel
from ragembed.embed.transformer import TransformerEmbedder


@dataclass(eq=False)
class SentenceTransformersEmbedder(TransformerEmbedder):
    """A model by its folder, or by its name on the Hugging Face hub.

    Prompts are the model's own ("query"; the first of "document", "passage" and "corpus" that is not empty)
    unless they are given, which models such as E5 need that describe theirs only in words.
    """

    name: ClassVar[str] = "st"
    packages: ClassVar[tuple[str, ...]] = PACKAGES
    precision = PRECISION

    target: str
    """Folder, or name on the hub; a name without an organisation is one of ``sentence-transformers``."""
    normalize: bool = True
    """Scale vectors to length 1, so that the inner product is the cosine."""
    batch: int = 32
    """Texts that go through the model at once."""
    device: str | None = None
    """``cpu``, ``cuda``, ``mps`` ...; none: the best there is."""
    max_length: int | None = None
    """Longest input in tokens, special ones included; none: what the model was made with."""
    query_prompt: str | None = None
    """Text put before queries; none: the model's own."""
    document_prompt: str | None = None
    """Text put before documents; none: the model's own."""
    download: bool = False
    """Fetch the model from the hub where it is not in the cache; without it the network is never used."""

    def find(self) -> Path:
        """Where the model lies."""
        return find_model(self.target, download=self.download)

    @property
    def options(self) -> Options:
        """How it is run."""
        return Options(
            self.normalize, self.batch, self.device, self.max_length, self.query_prompt, self.document_prompt
        )

    def load(self) -> StModel:
        """The model, ready to encode."""
        return StModel(self.folder, self.options)
