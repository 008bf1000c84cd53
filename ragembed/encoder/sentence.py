"""A model that embeds texts: tokenizer, encoder, pooling and what sentence-transformers lists behind them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ragembed.embed.base import Dense, Truncation, as_dense
from ragembed.embed.model_settings import (
    UNLIMITED,
    Role,
    max_sequence,
    model_prompts,
    read_settings,
    role_prompts,
)
from ragembed.encoder.checkpoints import load
from ragembed.encoder.dense import Projection, load_dense
from ragembed.encoder.device import find_device
from ragembed.encoder.long.late import Late, Span
from ragembed.encoder.long.pieces import Cutter, Piece
from ragembed.encoder.long.sliding import Sliding
from ragembed.encoder.long.stream import Stream
from ragembed.encoder.modules import read_modules
from ragembed.encoder.options import EncoderOptions
from ragembed.encoder.packed_linear import prepare
from ragembed.encoder.packing import Packing, batches
from ragembed.encoder.pooling import Pooling, behind, pooling
from ragembed.encoder.precision import precision
from ragembed.encoder.strict import one_by_one
from ragembed.encoder.tokenizer import TextTokenizer
from ragembed.errors import EmbeddingError

TEXTS_AT_ONCE = 4096
"""Texts that are tokenized and sorted by length together."""


class SentenceEncoder:
    """Texts to vectors. Threads may share it."""

    def __init__(self, folder: Path, options: EncoderOptions) -> None:
        parts = read_modules(folder)
        if options.batch is not None and options.batch < 1:
            raise EmbeddingError(f"batch is {options.batch}", "give a batch of at least 1 text")
        self.options = options
        self.device = find_device(options.device)
        self.prompts = role_prompts(model_prompts(folder), options.query_prompt, options.document_prompt)
        self.tokenizer = TextTokenizer(parts.transformer)
        dtype = precision(options.precision, self.device)
        self.precision = str(dtype).removeprefix("torch.")
        self.encoder = load(parts.transformer).to(self.device, dtype)
        prepare(self.encoder)
        config = self.encoder.config
        self.tokenizer.check(config.vocab_size)
        self.pool = pooling(parts.pooling)
        self.after: list[Projection | nn.Linear] = []
        whole = config.hidden_size
        for part in parts.dense:
            self.after.append(load_dense(part, whole).to(self.device))
            whole = self.after[-1].out_features
        self.normalize = options.normalize or parts.normalize
        limit = options.max_length
        if limit is not None and not self.tokenizer.special < limit <= config.max_positions:
            raise EmbeddingError(
                f"max_length is {limit}, the model takes {self.tokenizer.special + 1} to {config.max_positions} tokens",
                "give a length in between",
            )
        self.max_sequence = limit or min(_longest(folder, parts.transformer), config.max_positions)
        self.cutter = Cutter(self.tokenizer, self.max_sequence, options.long, options.overlap)
        self.long = self._reader()
        self.pools: dict[Role, Pooling] = {
            role: behind(self.pool, self.cutter.lead(prompt) if prompt and parts.skips_prompt else 0)
            for role, prompt in self.prompts.items()
        }
        if options.truncate_dim is not None and not 0 < options.truncate_dim <= whole:
            raise EmbeddingError(
                f"truncate_dim is {options.truncate_dim}, vectors have {whole} numbers", f"give 1 to {whole}"
            )
        self.dimension = options.truncate_dim or whole

    @property
    def _at_once(self) -> int | None:
        """Pieces that go through the model together; in strict mode not even windows of one text."""
        return 1 if self.options.strict else self.options.batch

    def _reader(self) -> Late | Stream | Sliding | None:
        """What reads texts, or documents of chunks, that are longer than the model takes; None: they are cut."""
        if self.options.long == "late":
            return Late(self.encoder, self.cutter, self.pool, self.device, self._at_once)
        if self.options.long == "stream":
            return Stream(self.encoder, self.max_sequence)
        return Sliding(self.encoder, self.max_sequence) if self.options.long == "sliding" else None

    @property
    def fitting_tokens(self) -> int:
        """Tokens of a document that the model reads in one piece: `max_sequence` less special tokens and prompt."""
        return max(0, self.cutter.room - len(self.cutter.prompt_ids(self.prompts["document"])))

    @property
    def max_tokens(self) -> int | None:
        """Most tokens of a document before it is cut; None where no document is."""
        return self.fitting_tokens if self.options.long == "truncate" else None

    @property
    def truncation(self) -> Truncation:
        """What was cut off so far."""
        return self.cutter.truncation

    def encode(self, texts: Sequence[str], role: Role) -> Dense:
        """Vectors ``(len(texts), dimension)``, each with the prompt of `role`."""
        make = self._strict if self.options.strict else self._vectors
        found = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = texts[start : start + TEXTS_AT_ONCE]
            pieces = self.cutter.pieces(part, self.prompts[role])
            found.append(make(pieces, len(part), self.pools[role]))
        if len(found) != 1:
            found = [np.concatenate([np.zeros((0, self.dimension), np.float32), *found])]
        return as_dense(found[0], len(texts), self.dimension, *self._blamed)

    def encode_chunks(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> Dense:
        """Vectors of chunks, ``(chunks of all texts, dimension)``, pooled from those of their texts' tokens."""
        if not isinstance(self.long, Late):
            raise EmbeddingError("chunks are embedded in their document by long=late alone", "set it")
        if len(texts) != len(spans):
            raise EmbeddingError(
                f"{len(texts)} documents come with chunks of {len(spans)}",
                "give each document a list of spans",
            )
        late, prompt = self.long, self.prompts["document"]
        if self.options.strict and texts:
            alone = [([text], [of_text]) for text, of_text in zip(texts, spans, strict=True)]
            each = one_by_one(alone, lambda one: self._finished(*late.chunks(*one, prompt)), self.device)
            vectors = np.concatenate(each)
        else:
            vectors = self._finished(*late.chunks(texts, spans, prompt))
        return as_dense(vectors, sum(map(len, spans)), self.dimension, *self._blamed)

    @property
    def _blamed(self) -> tuple[str, str]:
        """Who gave numbers that are not finite, and what to do."""
        if self.precision == "float16":
            return "of the encoder", "float16 ends at 65,504, which some models pass: use precision=float32"
        return "of the encoder", "check that text"

    def _strict(self, pieces: Sequence[Piece], texts: int, pool: Pooling) -> Dense:
        """As `_vectors`, each text apart from the others."""
        of_text: list[list[Piece]] = [[] for _ in range(texts)]
        for piece in pieces:
            of_text[piece.text].append(replace(piece, text=0))
        return np.concatenate(one_by_one(of_text, lambda found: self._vectors(found, 1, pool), self.device))

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _vectors(self, pieces: Sequence[Piece], texts: int, pool: Pooling) -> Dense:
        """Of `texts` texts, each the mean of its pieces by their weights."""
        if len(pieces) == texts == 1:  # as queries come: no sums
            ids = torch.tensor(pieces[0].ids, device=self.device)
            return self._finished(self._pooled(ids, Packing.of([len(pieces[0].ids)], self.device), pool))
        pooled = torch.zeros(texts, self.encoder.config.hidden_size, device=self.device)
        weights = torch.zeros(texts, 1, device=self.device)
        for batch in batches(sorted(pieces, key=lambda piece: len(piece.ids)), self._at_once):
            flat = torch.tensor([each for piece in batch for each in piece.ids], device=self.device)
            packing = Packing.of([len(piece.ids) for piece in batch], flat.device)
            found = self._pooled(flat, packing, pool)
            rows = torch.tensor([piece.text for piece in batch], device=self.device)
            weight = torch.tensor([[float(piece.weight)] for piece in batch], device=self.device)
            pooled.index_add_(0, rows, found * weight)
            weights.index_add_(0, rows, weight)
        return self._finished(pooled, weights)

    def _pooled(self, ids: Tensor, packing: Packing, pool: Pooling) -> Tensor:
        """Vectors ``(pieces, D)`` of pieces sorted by length; what is too long comes in one piece if it is read so."""
        fitting = bisect_right(packing.lengths, self.max_sequence)
        if fitting == len(packing.lengths) or not isinstance(self.long, (Stream, Sliding)):
            pooled: Tensor = pool(self.encoder(ids, packing).float(), packing)
            return pooled
        parts = ids.split(packing.lengths)
        found = [self.long.pooled(part, pool)[None] for part in parts[fitting:]]
        if fitting:
            short = Packing.of(packing.lengths[:fitting], ids.device)
            found.insert(0, pool(self.encoder(torch.cat(parts[:fitting]), short).float(), short))
        return torch.cat(found)

    def _finished(self, pooled: Tensor, weights: Tensor | None = None) -> Dense:
        """Sums of vectors ``(n, D)`` by their weights ``(n, 1)`` -> what the model's last modules make of the means.

        Without weights `pooled` are the means.
        """
        x = pooled if weights is None else pooled / weights.clamp(min=1)
        for dense in self.after:
            x = dense(x)
        x = x[:, : self.dimension]
        if self.normalize:
            x = functional.normalize(x, dim=-1)
        if weights is not None:
            x[weights[:, 0] == 0] = 0  # a text without any token
        vectors: Dense = x.cpu().numpy()
        return vectors


def _longest(folder: Path, transformer: Path) -> int:
    """As the model's settings say, or else its tokenizer's."""
    given = read_settings(transformer / "tokenizer_config.json").get("model_max_length", UNLIMITED)
    limit = int(min(given, UNLIMITED)) if type(given) in (int, float) and given > 0 else UNLIMITED
    return max_sequence(folder) or limit
