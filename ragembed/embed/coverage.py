"""How many tokens had a vector: told wherever passages are made of words, as nothing else shows what a model lacks."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST_WORDS = 20_000
"""Unknown words that are counted one by one; when there are twice as many, the rarest are forgotten."""
_SHOWN = 5
_LONGEST = 30
"""Characters of an unknown word that are shown."""


@dataclass(slots=True)
class Coverage:
    """Tokens that an embedder has met since it was made, and those without a vector."""

    tokens: int = 0
    unknown: int = 0
    words: Counter[str] = field(default_factory=Counter)
    """How often each unknown word came; where there are very many, without the rarest."""

    def add(self, tokens: int, unknown: Mapping[str, int]) -> None:
        """Count `tokens` more, `unknown` ones among them."""
        self.tokens += tokens
        self.unknown += sum(unknown.values())
        self.words.update(unknown)
        if len(self.words) > 2 * _MOST_WORDS:
            self.words = Counter(dict(self.frequent(_MOST_WORDS)))

    def frequent(self, most: int = _SHOWN) -> list[tuple[str, int]]:
        """The unknown words that came most often, with how often; ties by the alphabet."""
        return heapq.nsmallest(most, self.words.items(), key=lambda one: (-one[1], one[0]))

    def copy(self) -> Coverage:
        """As it is now."""
        return Coverage(self.tokens, self.unknown, Counter(self.words))

    def since(self, before: Coverage | None) -> Coverage:
        """What was added after `before` was copied."""
        if before is None:
            return self.copy()
        return Coverage(self.tokens - before.tokens, self.unknown - before.unknown, self.words - before.words)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"tokens": self.tokens, "unknown": self.unknown, "frequent": dict(self.frequent())}

    def __str__(self) -> str:
        words = ", ".join(f"{word[:_LONGEST]} {count:,}" for word, count in self.frequent())
        share = f"{100 * self.unknown / self.tokens:.3g} %" if self.tokens else "none"
        return f"{share} of {self.tokens:,} tokens have no vector" + (
            f" (most frequent: {words})" if words else ""
        )


def coverages(embedders: Iterable[Any]) -> list[Coverage | None]:
    """The coverage of each embedder as it is now; None for one that goes by no words of its own."""
    found = (embedder.coverage for embedder in embedders)
    return [None if one is None else one.copy() for one in found]


def added(embedders: Iterable[Any], before: Iterable[Coverage | None]) -> dict[str, Coverage]:
    """By the embedders' specs what came since `before`, which `coverages` gave; none for those that met no tokens."""
    found: dict[str, Coverage] = {}
    for embedder, earlier in zip(embedders, before, strict=True):
        if embedder.coverage is not None and earlier is not None:
            since = embedder.coverage.since(earlier)
            if since.tokens:
                found[str(embedder.spec)] = since
    return found
