"""``hf:NAME-OR-FOLDER``: a checkpoint in the built-in encoder, from a folder or a cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ragembed.embed.model_files import check_model, find_model
from ragembed.embed.sentence_transformers import TransformerEmbedder
from ragembed.embed.st_model import Options
from ragembed.extras import require
from ragembed.threads import wait_calmly

if TYPE_CHECKING:
    from ragembed.encoder.sentence import SentenceEncoder


@dataclass(eq=False)
class HuggingFaceEmbedder(TransformerEmbedder):
    """A model of a kind that the built-in encoder knows: BERT, RoBERTa, MPNet, ModernBERT, GTE, Qwen3...

    The same vectors as those of ``st:``, sooner, and without sentence-transformers and transformers installed.
    """

    name: ClassVar[str] = "hf"
    packages: ClassVar[tuple[str, ...]] = ("torch", "tokenizers")

    target: str
    """Folder, or name on the hub; a name without an organisation is one of ``sentence-transformers``."""
    normalize: bool = True
    """Scale vectors to length 1, so that the inner product is the cosine."""
    device: str | None = None
    """``cpu``, ``cuda``...; none: the graphics processor where there is one."""
    precision: str = "float32"
    """What numbers are computed in: ``float32``, or ``bfloat16``, which is faster where the processor multiplies it."""
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
        return find_model(self.target, download=self.download, embedder=self.name)

    @property
    def options(self) -> Options:
        """How it is run."""
        return Options(
            normalize=self.normalize,
            device=self.device,
            max_length=self.max_length,
            query_prompt=self.query_prompt,
            document_prompt=self.document_prompt,
        )

    def load(self) -> SentenceEncoder:
        """The model, ready to encode."""
        wait_calmly()
        require("torch", "encoder", "the built-in encoder")
        check_model(self.folder)
        from ragembed.encoder.sentence import SentenceEncoder

        return SentenceEncoder(self.folder, self.options, self.precision)
