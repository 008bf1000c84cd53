"""What became of the tokens of texts: embedded, cut off, or in no chunk. None is lost without being counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenLedger:
    """Tokens of one text or many, as the embedder counts them, without special tokens and prompts.

    Law: ``tokens == embedded + truncated + in_no_chunk``.
    """

    tokens: int = 0
    """All that there are."""
    embedded: int = 0
    """Those that had a part in a vector, each counted once."""
    truncated: int = 0
    """Those beyond what the embedder reads."""
    in_no_chunk: int = 0
    """Those between chunks, or in a part of the text that the chunker leaves out."""
    repeated: int = 0
    """How often one was embedded again, since windows or chunks overlap: work beside the sum."""

    def __post_init__(self) -> None:
        told = self.embedded, self.truncated, self.in_no_chunk
        if self.tokens != sum(told) or min(*told, self.repeated) < 0:
            raise ValueError(f"a ledger that does not add up: {self.counts}")

    def __add__(self, other: TokenLedger) -> TokenLedger:
        """Of both together."""
        return TokenLedger(
            self.tokens + other.tokens,
            self.embedded + other.embedded,
            self.truncated + other.truncated,
            self.in_no_chunk + other.in_no_chunk,
            self.repeated + other.repeated,
        )

    @property
    def counts(self) -> dict[str, int]:
        """All numbers by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def lost(self) -> int:
        """Tokens that are in no vector."""
        return self.truncated + self.in_no_chunk

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the share that is embedded (1 where there are no tokens)."""
        return {**self.counts, "share_embedded": self.embedded / self.tokens if self.tokens else 1.0}

    def __str__(self) -> str:
        def part(count: int) -> str:
            return f"{count:,} ({100 * count / max(1, self.tokens):.3g} %)"

        told = [f"{self.tokens:,} tokens: {part(self.embedded)} embedded"]
        if self.truncated:
            told.append(f"{part(self.truncated)} cut off")
        if self.in_no_chunk:
            told.append(f"{part(self.in_no_chunk)} in no chunk")
        if self.repeated:
            told.append(f"{self.repeated:,} times one embedded again in an overlap")
        return ", ".join(told)
