"""A text as the built-in encoder sees it: its tokens, their vectors after every layer, who attends to whom."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ragembed.embed.base import Embedder, encodable
from ragembed.embed.built_in import BuiltInEmbedder
from ragembed.embed.model_settings import Role
from ragembed.encoder.tokenizer import Subword
from ragembed.errors import EmbeddingError, QueryError
from ragembed.explain.tokens.words import Word, joins, stripped

if TYPE_CHECKING:
    from torch import Tensor

Vectors = NDArray[np.float32]

TOKENS = 512
"""Most tokens of a text that are looked at, special ones included."""
MAPS = 1_500_000
"""Most attention weights that are kept: all of a text's, or those among its first tokens."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a model reads at once."""

    id: int
    piece: str
    """As the vocabulary writes it."""
    start: int
    """Its first character in the text, white space left out."""
    end: int
    special: bool = False


@dataclass(frozen=True, eq=False)
class Reading:
    """One text read: n tokens, L layers, H heads, D numbers a vector."""

    text: str
    """What was read: the prompt of its role, then the text itself."""
    prompt: int
    """Characters of the prompt."""
    tokens: tuple[Token, ...]
    words: tuple[Word, ...]
    left_out: int
    """Tokens behind those that are looked at."""
    states: Vectors
    """``(L + 1, n, D)``: each token's row of the table, which is the same in every text, then its vector after each
    layer."""
    vectors: Vectors
    """``(n, D)``: those that are pooled."""
    attention: Vectors
    """``(L, H, m, m)``: what each of the first m tokens (row) takes from each of them."""
    rollout: Vectors
    """``(n, n)``: how much of each token of the text (column) has reached each token's vector (row), over all layers
    (Abnar & Zuidema 2020, section 3): of every layer the mean of its heads, and as much again of the token itself."""

    def word(self, text: str, nth: int = 0) -> Word:
        """The nth word that is written `text`, in whatever case."""
        found = [word for word in self.words if word.text.casefold() == text.casefold()]
        if nth >= len(found):
            raise QueryError(
                f"{text!r} stands {len(found)} times in the text", "ask for a word that is there"
            )
        return found[nth]

    def vector(self, word: Word, layer: int = -1) -> Vectors:
        """Of a word after a layer, the mean over its tokens ``(D,)``; layer 0 is before the first."""
        found: Vectors = self.states[layer, word.first : word.last].mean(axis=0)
        return found


class Reader:
    """Reads texts with an embedder's model, loaded a second time in float32.

    Not for several threads at once.
    """

    def __init__(self, embedder: Embedder) -> None:
        """Raises `EmbeddingError` for an embedder that does not run in the built-in encoder."""
        if not isinstance(embedder, BuiltInEmbedder):
            raise EmbeddingError(
                f"the embedder is {embedder.name}, whose tokens cannot be looked at",
                "that works with the built-in encoder: minilm, hf:NAME-OR-FOLDER",
            )
        from ragembed.encoder.sentence import SentenceEncoder

        self.embedder = embedder
        options = replace(
            embedder.options, precision="float32", long="truncate", strict=False, device="cpu", batch=None
        )
        self.model = SentenceEncoder(embedder.folder, options)
        config = self.model.encoder.config
        for each in self.model.after:
            each.double()  # what stands behind the pooling is taken apart in float64
        self.heads = config.num_layers, config.num_heads

    def read(self, text: str, role: Role = "document", maps: int = MAPS) -> Reading:
        """A text as the embedder reads it in that role, at most its first `TOKENS` tokens; `maps` is as `MAPS`."""
        import torch

        from ragembed.encoder.observe import observe

        prompt = self.model.prompts[role]
        text = encodable(prompt + text)
        tokenizer = self.model.tokenizer
        room = min(self.model.max_sequence, TOKENS) - tokenizer.special
        pieces = tokenizer.subwords(text)
        kept = pieces[:room]
        tokens, words = self._named(text, kept)
        if not kept:
            raise QueryError("the model finds no token in the text", f"give a {role} that is not empty")
        n = len(tokens)
        layers, heads = self.heads
        shown = min(n, math.isqrt(maps // (layers * heads)))
        attention = np.zeros((layers, heads, shown, shown), np.float32)
        flow = torch.eye(n)

        def look(layer: int, weights: Tensor) -> None:
            nonlocal flow
            attention[layer] = weights[:, :shown, :shown].numpy()
            flow = (weights.mean(dim=0) @ flow + flow) / 2

        seen = observe(self.model.encoder, torch.tensor([token.id for token in tokens]), look)
        return Reading(
            text,
            len(encodable(prompt)),
            tokens,
            words,
            len(pieces) - len(kept),
            seen.states.numpy(),
            seen.vectors.numpy(),
            attention,
            flow.numpy(),
        )

    def _named(self, text: str, pieces: list[Subword]) -> tuple[tuple[Token, ...], tuple[Word, ...]]:
        """The tokens with special ones around them, and their words."""
        tokenizer = self.model.tokenizer
        tokens: list[Token] = []
        words: list[Word] = []

        def special(ids: list[int], at: int) -> None:
            for each in ids:
                words.append(Word(tokenizer.name(each), at, at, len(tokens), len(tokens) + 1, special=True))
                tokens.append(Token(each, tokenizer.name(each), at, at, special=True))

        special(tokenizer.before, 0)
        before: Subword | None = None
        for piece in pieces:
            start, end = stripped(text, piece.start, piece.end)
            here = replace(piece, start=start, end=end)
            begins = before is None or not joins(text, before, here)
            first = len(tokens) if begins else words[-1].first
            if not begins:
                start = words.pop().start
            words.append(Word(text[start:end], start, end, first, len(tokens) + 1))
            tokens.append(Token(piece.id, piece.text, here.start, end))
            before = here
        special(tokenizer.after, words[-1].end if words else 0)
        return tuple(tokens), tuple(words)


def cosines(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Of every row of a ``(m, D)`` with every row of b ``(n, D)``; 0 for a row of zeros."""
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    lengths = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1)
    products: NDArray[np.float64] = one @ other.T
    found: NDArray[np.float64] = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return found
