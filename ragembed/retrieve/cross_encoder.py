"""A sentence-transformers cross-encoder, loaded quietly from a folder, that tells what it cuts off.

Nothing is fetched from the network, no code that comes with a model is run, weights are safetensors, numbers float32.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Truncation, encodable
from ragembed.embed.model_files import check_model
from ragembed.embed.st_model import LOADING, PRECISION, explained, quiet
from ragembed.errors import EmbeddingError
from ragembed.extras import require
from ragembed.threads import wait_calmly


class CrossScorer:
    """The model in `folder`, ready to score. Threads may share it; their calls run one after the other."""

    def __init__(
        self, folder: Path, *, batch: int = 32, max_length: int | None = None, device: str | None = None
    ) -> None:
        """Raises `EmbeddingError` where it does not load, or gives more than one score."""
        wait_calmly()
        library = require("sentence_transformers", "st", "a cross-encoder")
        check_model(folder)
        self.truncation = Truncation()
        self._batch = batch
        self._turn = threading.Lock()
        fault, remedy = f"the cross-encoder in {folder} does not load", "check its files and the device"
        with LOADING, quiet(), explained(fault, remedy):
            self._model = library.CrossEncoder(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "dtype": PRECISION},
            )
        if self._model.num_labels != 1:
            raise EmbeddingError(
                f"the model in {folder} gives {self._model.num_labels} scores for a text",
                "use a cross-encoder that gives one",
            )
        if max_length is not None:
            self._limit(max_length)

    @property
    def max_length(self) -> int | None:
        """Longest input in tokens, query and special ones included."""
        found = self._model.max_seq_length
        return None if found is None else int(found)

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """How well each text answers the query ``(texts,)``; warns where texts are cut."""
        if not texts:
            return np.zeros(0)
        pairs = [(encodable(query), encodable(text)) for text in texts]
        with (
            self._turn,
            explained("the cross-encoder fails on these texts", "try a smaller batch, or device=cpu"),
        ):
            self._count(pairs)
            found: Any = self._model.predict(pairs, batch_size=self._batch, show_progress_bar=False)
        scores: NDArray[np.float64] = np.asarray(found, np.float64).reshape(-1)
        if not np.isfinite(scores).all():
            raise EmbeddingError(
                "the cross-encoder gave NaN or infinity for a text", "check its files, or use another"
            )
        return scores

    def _count(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Count what the model's limit cuts off."""
        limit = self.max_length
        if limit is None:
            return
        tokenized = self._model.tokenizer(
            [query for query, _ in pairs], [text for _, text in pairs], truncation=False, verbose=False
        )
        lost = [len(ids) - limit for ids in tokenized["input_ids"] if len(ids) > limit]
        self.truncation.texts += len(lost)
        self.truncation.tokens += sum(lost)
        if lost:
            warnings.warn(
                f"the cross-encoder reads {limit} tokens: texts of hits are longer and were cut; use smaller chunks",
                stacklevel=2,
            )

    def _limit(self, max_length: int) -> None:
        special = int(self._model.tokenizer.num_special_tokens_to_add(pair=True))
        most = getattr(self._model.config, "max_position_embeddings", None)
        if max_length <= special or (most is not None and max_length > most):
            raise EmbeddingError(
                f"max_length is {max_length}, the model takes {special + 1} to {most} tokens",
                "give a length in between",
            )
        self._model.max_seq_length = max_length
