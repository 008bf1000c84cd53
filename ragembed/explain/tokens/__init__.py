"""Which words of a passage answered: its tokens and the query's, inside the built-in encoder; see docs/explain.md."""

from __future__ import annotations

from ragembed.explain.tokens.compare import TOKENS, Compared, compare
from ragembed.explain.tokens.hit import TokenExplanation, explain_tokens
from ragembed.explain.tokens.reader import Reader, Reading, Token, cosines
from ragembed.explain.tokens.words import Word

__all__ = [
    "TOKENS",
    "Compared",
    "Reader",
    "Reading",
    "Token",
    "TokenExplanation",
    "Word",
    "compare",
    "cosines",
    "explain_tokens",
]
