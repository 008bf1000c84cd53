"""A sentence-transformers model, loaded quietly from a folder, that counts what it cuts off.

Nothing is fetched from the network, no code that comes with a model is run, and numbers are float32 whatever
the checkpoint holds, so that a text gets the same vector in any company.
"""

from __future__ import annotations

import importlib
import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ragembed.embed.base import Dense, Truncation, as_dense, encodable
from ragembed.embed.model_files import check_model
from ragembed.embed.model_settings import UNLIMITED, Role, role_prompts
from ragembed.errors import EmbeddingError
from ragembed.extras import require
from ragembed.threads import wait_calmly

PRECISION: Final = "float32"
"""What all weights are read into and all numbers computed in."""
PACKAGES: Final = ("sentence-transformers", "transformers", "torch")
"""The packages that decide what a model computes."""

_FAILURES = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, AssertionError)


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is run; None leaves it to the model."""

    normalize: bool = True
    batch: int = 32
    device: str | None = None
    max_length: int | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None


LOADING = threading.Lock()
"""Held while loggers and warnings are set aside, which are the whole process's."""


class StModel:
    """The model in `folder`, ready to encode. Raises `EmbeddingError` where it does not load.

    Threads may share it; their calls run one after the other, each on all of torch's threads.
    """

    precision = PRECISION

    def __init__(self, folder: Path, options: Options) -> None:
        wait_calmly()
        library = require("sentence_transformers", "st", "running a transformer model")
        check_model(folder)
        if options.batch < 1:
            raise EmbeddingError(f"batch is {options.batch}", "give a batch of at least 1 text")
        self.truncation = Truncation()
        self._options = options
        # tokenizers of transformers fail when two threads use them at once ("Already borrowed")
        self._turn = threading.Lock()
        fault, remedy = f"the model in {folder} does not load", "check its files and the device"
        with LOADING, quiet(), explained(fault, remedy):
            self._model = _counting_class(library.SentenceTransformer, self.truncation)(
                str(folder),
                device=options.device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "dtype": PRECISION},
            )
        if options.max_length is not None:
            self._limit(options.max_length)
        # the library itself would stop at a prompt that is empty
        self.prompts = role_prompts(self._model.prompts, options.query_prompt, options.document_prompt)
        known = self._model.get_embedding_dimension()
        self.dimension = int(known or self._encode(["?"], "document").shape[1])

    def encode(self, texts: Sequence[str], role: Role) -> Dense:
        """Vectors ``(len(texts), dimension)`` in the order of `texts`, each with the prompt of `role`."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        vectors = self._encode([encodable(text) for text in texts], role)
        return as_dense(vectors, len(texts), self.dimension, "of sentence-transformers")

    @property
    def max_sequence(self) -> int | None:
        """Longest input in tokens, special ones included; None: no limit."""
        limit = self._model.max_seq_length
        return None if limit is None or limit > UNLIMITED else int(limit)

    @property
    def max_tokens(self) -> int | None:
        """Most tokens of a document: `max_sequence` less the special tokens and the document prompt."""
        tokenizer, limit = self._model.tokenizer, self.max_sequence
        if limit is None:
            return None
        prompt = tokenizer(self.prompts["document"], add_special_tokens=False)["input_ids"]
        return max(0, limit - int(tokenizer.num_special_tokens_to_add()) - len(prompt))

    def _encode(self, texts: list[str], role: Role) -> Any:
        encode = self._model.encode_query if role == "query" else self._model.encode_document
        with self._turn, explained("the model fails on these texts", "try a smaller batch, or device=cpu"):
            return encode(
                texts,
                prompt=self.prompts[role],
                batch_size=self._options.batch,
                normalize_embeddings=self._options.normalize,
                show_progress_bar=False,
            )

    def _limit(self, max_length: int) -> None:
        special = int(self._model.tokenizer.num_special_tokens_to_add())
        positions = getattr(self._model.config, "max_position_embeddings", None) or UNLIMITED
        if not special < max_length <= positions:
            raise EmbeddingError(
                f"max_length is {max_length}, the model takes {special + 1} to {positions} tokens",
                "give a length in between",
            )
        self._model.max_seq_length = max_length


def _counting_class(base: Any, truncation: Truncation) -> Any:
    """`base` (SentenceTransformer), which adds to `truncation` what its tokenizer cuts off."""

    class Counting(base):  # type: ignore[misc]
        def preprocess(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            features = super().preprocess(inputs, *args, **kwargs)
            for lost in _lost_tokens(self, inputs, features, kwargs.get("prompt") or ""):
                truncation.texts += 1
                truncation.tokens += lost
            return features

    return Counting


def _lost_tokens(model: Any, texts: Sequence[str], features: Any, prompt: str) -> Iterator[int]:
    """For each text that was cut, how many tokens."""
    encodings = getattr(features, "encodings", None)
    if encodings is not None:  # the fast tokenizers keep what they cut, in pieces
        for encoding in encodings:
            if encoding.overflowing:
                yield sum(piece.special_tokens_mask.count(0) for piece in encoding.overflowing)
    elif "attention_mask" in features and model.max_seq_length is not None:
        lengths = features["attention_mask"].sum(dim=1).tolist()
        for text, length in zip(texts, lengths, strict=True):
            if length >= model.max_seq_length:  # full, so perhaps cut
                whole = len(model.tokenizer(prompt + text, truncation=False)["input_ids"])
                if whole > length:
                    yield whole - length


@contextmanager
def explained(fault: str, remedy: str) -> Iterator[None]:
    """What the libraries raise, as an `EmbeddingError` of one line."""
    from safetensors import SafetensorError

    try:
        yield
    except _FAILURES as error:
        raise EmbeddingError(f"{fault} ({_first_line(error)})", remedy) from error
    except SafetensorError as error:
        raise EmbeddingError(f"{fault} ({_first_line(error)})", "fetch its damaged weights again") from error
    except ImportError as error:
        raise EmbeddingError(f"{fault} ({_first_line(error)})", "install what it asks for") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Hold the libraries' progress bars, log lines and warnings back; afterwards all is as it was."""
    transformers = importlib.import_module("transformers.utils.logging")
    hub = importlib.import_module("huggingface_hub.utils")
    loggers = [
        logging.getLogger(name) for name in ("sentence_transformers", "transformers", "huggingface_hub")
    ]
    levels = [logger.level for logger in loggers]
    bars, hub_bars = transformers.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers.disable_progress_bar()
        try:
            yield
        finally:
            if bars:
                transformers.enable_progress_bar()
            (hub.enable_progress_bars if hub_bars else hub.disable_progress_bars)()
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
