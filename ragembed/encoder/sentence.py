"""A model that embeds texts: tokenizer, encoder, pooling and what sentence-transformers lists behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ragembed.embed.base import Dense, Truncation, as_dense, encodable
from ragembed.embed.model_files import modules
from ragembed.embed.model_settings import (
    UNLIMITED,
    Role,
    max_sequence,
    model_prompts,
    module_names,
    read_settings,
    role_prompts,
)
from ragembed.embed.st_model import Options
from ragembed.encoder.checkpoints import load
from ragembed.encoder.packed_linear import prepare
from ragembed.encoder.packing import Packing
from ragembed.encoder.pooling import pooling
from ragembed.encoder.tokenizer import TextTokenizer
from ragembed.errors import EmbeddingError

TOKENS_AT_ONCE = 4096
"""Tokens of a batch."""
TEXTS_AT_ONCE = 4096
"""Texts that are tokenized and sorted by length together."""


PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class SentenceEncoder:
    """Texts to vectors. Threads may share it."""

    def __init__(self, folder: Path, options: Options, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise EmbeddingError(f"unknown precision {precision!r}", f"valid are: {', '.join(PRECISIONS)}")
        listed, names = modules(folder), module_names(folder)
        transformer = next((part for kind, part in listed if kind.endswith(".Transformer")), folder)
        self._device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.truncation = Truncation()
        self.prompts = role_prompts(model_prompts(folder), options.query_prompt, options.document_prompt)
        self.tokenizer = TextTokenizer(transformer)
        self.encoder = load(transformer).to(self._device, PRECISIONS[precision])
        if precision == "bfloat16" and self._device.type == "cpu":
            prepare(self.encoder)
        self.after: list[nn.Linear] = []
        self.normalize = options.normalize
        for name, (_, part) in zip(names[1:], listed[1:], strict=False):
            if name.startswith("Dense"):
                self.after.append(_dense(part).to(self._device))
            elif name == "Normalize":
                self.normalize = True
            elif (
                not name.startswith("Pooling(")
                or read_settings(part / "config.json").get("include_prompt") is False
            ):
                raise EmbeddingError(f"{folder} has a module {name}", "use it through st:")
        named = next((name for name in names if name.startswith("Pooling(")), "Pooling(mean)")
        self.pool = pooling(named.removeprefix("Pooling(").removesuffix(")"))
        config = self.encoder.config
        limit = options.max_length
        if limit is not None and not self.tokenizer.special < limit <= config.max_positions:
            raise EmbeddingError(
                f"max_length is {limit}, the model takes {self.tokenizer.special + 1} to {config.max_positions} tokens",
                "give a length in between",
            )
        self.max_sequence = limit or min(_longest(folder, transformer), config.max_positions)
        self.dimension = self.after[-1].out_features if self.after else config.hidden_size

    @property
    def max_tokens(self) -> int:
        """Most tokens of a document: `max_sequence` less the special tokens and the document prompt."""
        prompt = self.tokenizer.ids([self.prompts["document"]])[0]
        return max(0, self.max_sequence - self.tokenizer.special - len(prompt))

    def encode(self, texts: Sequence[str], role: Role) -> Dense:
        """Vectors ``(len(texts), dimension)``, each with the prompt of `role`."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        prompt = self.prompts[role]
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            ids = self._ids([encodable(prompt + text) for text in texts[start : start + TEXTS_AT_ONCE]])
            order = sorted((at for at, one in enumerate(ids) if one), key=lambda at: len(ids[at]))
            for batch in _batches(order, ids):
                vectors[[start + at for at in batch]] = self._vectors([ids[at] for at in batch])
        return as_dense(vectors, len(texts), self.dimension, "of the encoder")

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        room = self.max_sequence - self.tokenizer.special
        found = []
        for ids in self.tokenizer.ids(texts):
            if len(ids) > room:
                self.truncation.texts += 1
                self.truncation.tokens += len(ids) - room
            found.append([*self.tokenizer.before, *ids[:room], *self.tokenizer.after])
        return found

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _vectors(self, ids: list[list[int]]) -> Dense:
        device = self._device
        flat = torch.tensor([each for one in ids for each in one], device=device)
        packing = Packing.of([len(one) for one in ids], flat.device)
        x: Tensor = self.pool(self.encoder(flat, packing).float(), packing)
        for dense in self.after:
            x = dense(x)
        if self.normalize:
            x = functional.normalize(x, dim=-1)
        found: Dense = x.cpu().numpy()
        return found


def _longest(folder: Path, transformer: Path) -> int:
    """As the model's settings say, or else its tokenizer's."""
    given = read_settings(transformer / "tokenizer_config.json").get("model_max_length", UNLIMITED)
    return max_sequence(folder) or int(min(given, UNLIMITED))


def _batches(order: Sequence[int], ids: Sequence[Sequence[int]]) -> list[list[int]]:
    found: list[list[int]] = []
    room = 0
    for at in order:
        if not found or len(ids[at]) > room:
            found.append([])
            room = TOKENS_AT_ONCE
        found[-1].append(at)
        room -= len(ids[at])
    return found


def _dense(part: Path) -> nn.Linear:
    settings = read_settings(part / "config.json")
    if not settings.get("activation_function", "").endswith("Identity"):
        raise EmbeddingError(
            f"{part} has the activation {settings.get('activation_function')}", "use it through st:"
        )
    try:
        linear = nn.Linear(settings["in_features"], settings["out_features"], bias=settings.get("bias", True))
        state = load_file(part / "model.safetensors")
        linear.load_state_dict({name.removeprefix("linear."): each.float() for name, each in state.items()})
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise EmbeddingError(
            f"{part} is damaged ({str(error).splitlines()[0]})", "fetch the model again"
        ) from error
    return linear.requires_grad_(False)
