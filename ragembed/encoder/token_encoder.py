"""Texts to the vectors of their tokens: a ColBERT checkpoint as it was trained, or any encoder's last layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ragembed.embed.base import Dense, Truncation
from ragembed.embed.model_settings import (
    UNLIMITED,
    Role,
    max_sequence,
    model_prompts,
    read_settings,
    role_prompts,
)
from ragembed.embed.token_vectors import TokenVectors
from ragembed.encoder.checkpoints import load
from ragembed.encoder.colbert import Colbert, read_colbert
from ragembed.encoder.dense import Projection, load_dense
from ragembed.encoder.device import find_device
from ragembed.encoder.expansion import expanded
from ragembed.encoder.long.pieces import Cutter
from ragembed.encoder.model import Encoder
from ragembed.encoder.packed_linear import prepare
from ragembed.encoder.packing import Packing, batches
from ragembed.encoder.precision import precision
from ragembed.encoder.tokenizer import TextTokenizer
from ragembed.errors import EmbeddingError

TEXTS_AT_ONCE = 1024
"""Texts that are tokenized and sorted by length together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOptions:
    """How a model is run; None leaves it to the model, or to this machine."""

    normalize: bool = True
    precision: str = "auto"
    max_length: int | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    batch: int | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """What goes through the model at once: a text, or a window of a long one."""

    text: int
    ids: list[int]
    """Special tokens and marker included."""
    kept: list[int]
    """Places of the tokens whose vectors are the text's."""
    real: int
    """Tokens before those that expand a query."""


class TokenEncoder:
    """Texts to token vectors. Threads may share it."""

    def __init__(self, folder: Path, options: TokenOptions) -> None:
        """Raises `EmbeddingError` where there is no such model, or one that is not known here."""
        if options.batch is not None and options.batch < 1:
            raise EmbeddingError(f"batch is {options.batch}", "give a batch of at least 1 text")
        self.options = options
        self.colbert = read_colbert(folder)
        self.device = find_device(options.device)
        self.tokenizer = TextTokenizer(self.colbert.transformer)
        dtype = precision(options.precision, self.device)
        self.precision = str(dtype).removeprefix("torch.")
        self.encoder: Encoder = load(self.colbert.transformer, beside=self.colbert.beside).to(
            self.device, dtype
        )
        prepare(self.encoder)
        config = self.encoder.config
        self.tokenizer.check(config.vocab_size)
        self.after: list[Projection | nn.Linear] = []
        width = config.hidden_size
        for part in self.colbert.dense:
            self.after.append(load_dense(part, width, "token_embeddings").to(self.device))
            width = self.after[-1].out_features
        if self.colbert.beside:
            self.after.append(_beside(self.colbert, width).to(self.device))
            width = self.after[-1].out_features
        self.dimension = width
        own = min(_longest(folder, self.colbert.transformer), config.max_positions)
        self.markers = {role: self._marker(text) for role, text in self.colbert.markers.items()}
        told = {} if self.colbert.trained else model_prompts(folder)  # a marker is a prompt too
        self.prompts = role_prompts(told, options.query_prompt, options.document_prompt)
        self.expander = self._expander()
        self.skipped = self._ids(self.colbert.skipped)
        self.cutters: dict[Role, Cutter] = {}
        for role, length in self.colbert.lengths.items():
            most = options.max_length if role == "document" and options.max_length else length or own
            special = self.tokenizer.special + len(self.markers[role])
            if not special < most <= config.max_positions:
                raise EmbeddingError(
                    f"a {role} of {most} tokens is asked for, the model takes {special + 1} to {config.max_positions}",
                    "give a max_length in between",
                )
            way = "windows" if length is None else "truncate"
            self.cutters[role] = Cutter(self.tokenizer, most - len(self.markers[role]), way, None)

    @property
    def truncation(self) -> Truncation:
        """What of documents was cut off so far."""
        return self.cutters["document"].truncation

    @property
    def max_sequence(self) -> int | None:
        """Longest document in tokens, special ones and marker included, or longest window of one."""
        return self.cutters["document"].longest + len(self.markers["document"])

    @property
    def max_tokens(self) -> int | None:
        """Most tokens of a document before it is cut; None where no document is."""
        cutter = self.cutters["document"]
        return self.fitting_tokens if cutter.long == "truncate" else None

    @property
    def fitting_tokens(self) -> int:
        """Tokens of a document that the model reads in one piece."""
        cutter = self.cutters["document"]
        return max(0, cutter.room - len(cutter.prompt_ids(self.prompts["document"])))

    def encode(self, texts: Sequence[str], role: Role) -> TokenVectors:
        """The vectors of each text's tokens, of length 1 unless the options say otherwise."""
        found: list[Dense] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            found += self._encoded(texts[start : start + TEXTS_AT_ONCE], role)
        return TokenVectors.of(found, self.dimension)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _encoded(self, texts: Sequence[str], role: Role) -> list[Dense]:
        parts: list[list[Dense]] = [[] for _ in texts]
        pieces = self._pieces(texts, role)
        order = sorted(range(len(pieces)), key=lambda at: len(pieces[at].ids))
        vectors: list[Dense | None] = [None] * len(pieces)
        at = 0
        for batch in batches([pieces[i] for i in order], self.options.batch):
            ids = torch.tensor([each for piece in batch for each in piece.ids], device=self.device)
            packing = Packing.of([len(piece.ids) for piece in batch], self.device)
            encoder = self.encoder
            if any(piece.real < len(piece.ids) for piece in batch):
                encoder = expanded(encoder, [piece.real for piece in batch], self.device)
            x: Tensor = encoder(ids, packing).float()
            for dense in self.after:
                x = dense(x)
            if self.options.normalize:
                x = functional.normalize(x, dim=-1)
            each = x.cpu().numpy()
            starts = packing.starts.tolist()
            for start, piece in zip(starts, batch, strict=True):
                vectors[order[at]] = each[start + np.array(piece.kept, np.int64)]
                at += 1
        for piece, made in zip(pieces, vectors, strict=True):
            if made is not None and len(made):
                parts[piece.text].append(made)
        empty = np.zeros((0, self.dimension), np.float32)
        return [np.concatenate([empty, *each]) for each in parts]

    def _pieces(self, texts: Sequence[str], role: Role) -> list[_Piece]:
        """All that goes through the model, in order, with the marker behind the first special tokens."""
        cutter, marker, prompt = self.cutters[role], self.markers[role], self.prompts[role]
        before, after = len(self.tokenizer.before), len(self.tokenizer.after)
        lead = cutter.lead(prompt)
        found = []
        for piece in cutter.pieces(texts, prompt):
            inside = len(piece.ids) - lead - after
            own = range(len(piece.ids) - after - min(max(0, inside), piece.weight), len(piece.ids) - after)
            ids = [*piece.ids[:before], *marker, *piece.ids[before:]]
            if self.colbert.special:
                kept = [*range(before), *(before + i for i in range(len(marker)))]
                kept += [at + len(marker) for at in own]
                kept += range(len(ids) - after, len(ids))
            else:
                kept = [at + len(marker) for at in own]
            real = len(ids)
            if role == "query" and self.expander is not None:
                more = max(0, (self.colbert.lengths["query"] or 0) - real)
                ids += [self.expander] * more
                kept += range(real, len(ids))
            elif role == "document" and self.skipped:
                kept = [at for at in kept if ids[at] not in self.skipped]
            found.append(_Piece(piece.text, ids, kept, len(ids) if self.colbert.attend else real))
        return found

    def _marker(self, text: str) -> list[int]:
        if not text:
            return []
        found = self._ids((text,)) or self._ids((text.strip(),))  # as a prompt it has a space behind it
        if not found:
            raise EmbeddingError(
                f"the tokenizer of {self.colbert.transformer} lacks the marker {text!r}",
                "fetch the model again: its files do not fit one another",
            )
        return list(found)

    def _expander(self) -> int | None:
        """The token that queries are filled up with; None where they are not."""
        if not self.colbert.expand:
            return None
        for name in (self.colbert.mask, "[MASK]", "<mask>"):
            if found := self._ids((name,)):
                return next(iter(found))
        raise EmbeddingError(
            f"the tokenizer of {self.colbert.transformer} has no mask token to expand queries with",
            "fetch the model again: its files do not fit one another",
        )

    def _ids(self, names: Sequence[str]) -> frozenset[int]:
        """The numbers of tokens that the vocabulary has by these names."""
        return frozenset(
            number for name in names if name and (number := self.tokenizer.number(name)) is not None
        )


def _beside(colbert: Colbert, width: int) -> nn.Linear:
    """The projection that the authors' own format keeps in the transformer's file."""
    from safetensors import safe_open

    weight = None
    for path in sorted(colbert.transformer.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            if colbert.beside in file.keys():  # noqa: SIM118 - no dict
                weight = file.get_tensor(colbert.beside).float()
    if weight is None or weight.ndim != 2 or weight.shape[1] != width or not torch.isfinite(weight).all():
        raise EmbeddingError(
            f"the projection {colbert.beside} of {colbert.transformer} is missing or damaged",
            "fetch the model again",
        )
    layer = nn.Linear(width, len(weight), bias=False)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer


def _longest(folder: Path, transformer: Path) -> int:
    given = read_settings(transformer / "tokenizer_config.json").get("model_max_length", UNLIMITED)
    limit = int(min(given, UNLIMITED)) if type(given) in (int, float) and given > 0 else UNLIMITED
    return max_sequence(folder) or limit
