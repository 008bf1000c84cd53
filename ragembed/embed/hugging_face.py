"""``hf:NAME-OR-FOLDER``: a checkpoint in the built-in encoder, from a folder or a cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ragembed.embed.built_in import BuiltInEmbedder
from ragembed.embed.model_files import find_model


@dataclass(eq=False, kw_only=True)
class HuggingFaceEmbedder(BuiltInEmbedder):
    """A model of a kind that the built-in encoder knows: BERT, RoBERTa, MPNet, ModernBERT, GTE, Qwen3...

    The vectors of ``st:``, sooner, and without sentence-transformers and transformers installed.
    """

    name: ClassVar[str] = "hf"

    target: str
    """Folder, or name on the hub; a name without an organisation is one of ``sentence-transformers``."""
    normalize: bool = True
    """Scale vectors to length 1, so that the inner product is the cosine."""
    query_prompt: str | None = None
    """Text put before queries; none: the model's own."""
    document_prompt: str | None = None
    """Text put before documents; none: the model's own."""
    download: bool = False
    """Fetch the model from the hub where it is not in the cache; without it the network is never used."""

    def find(self) -> Path:
        """Where the model lies."""
        return find_model(self.target, download=self.download, embedder=self.name)
