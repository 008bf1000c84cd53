"""What the scripts draw from: words instead of tokens, matrices as bytes in base64."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.eval.page import visible
from ragembed.explain.tokens import Compared, Reading, Word
from ragembed.explain.tokens.words import attended

Floats = NDArray[np.floating[Any]]
_LONGEST = 400
"""Characters of a word, and of what stands between two, that the page shows."""


def payload(compared: Compared) -> dict[str, Any]:
    """The data of the page."""
    shares = compared.word_shares
    return {
        "score": compared.score,
        "note": compared.note,
        "query": _side(compared.query),
        "passage": _side(compared.passage),
        "shares": None if shares is None else [float(f"{share:.4g}") for share in shares],
        "similarity": _packed(np.rint((compared.word_similarity + 1) * 127.5)),
    }


def segments(text: str, words: Sequence[Word]) -> list[list[Any]]:
    """A text up to its last word as ``[part, place]``: the place among `words`, or -1 for what stands between two."""
    found: list[list[Any]] = []
    at = 0
    for place, word in enumerate(words):
        if word.start > at:
            found.append([_shown(text[at : word.start]), -1])
        at = max(at, word.end)
        found.append([_shown(word.text), place])
    return found


def _side(reading: Reading) -> dict[str, Any]:
    """Of the query or the passage."""
    layers, heads, shown, _ = reading.attention.shape
    words = [word for word in reading.words if word.last <= shown]
    return {
        "words": [_shown(word.text) for word in reading.words],
        "special": [place for place, word in enumerate(reading.words) if word.special],
        "segments": segments(reading.text, reading.words),
        "tokens": len(reading.tokens),
        "leftOut": reading.left_out,
        "layers": layers,
        "heads": heads,
        "shown": len(words),
        "attention": _weights(reading.attention, words),
        "rollout": _weights(reading.rollout[:shown, :shown], words),
    }


def _shown(text: str) -> str:
    return visible(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _weights(weights: Floats, words: Sequence[Word]) -> str:
    """Attention between words, its roots as bytes, so that small weights keep their differences."""
    tokens = words[-1].last if words else 0
    return _packed(np.rint(255 * np.sqrt(attended(weights[..., :tokens, :tokens], words).clip(0, 1))))


def _packed(values: Floats) -> str:
    return base64.b64encode(values.clip(0, 255).astype(np.uint8).tobytes()).decode()
