"""How a training reads its texts: cutting into tokens, phrases, and which words are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ragembed.embed.words.corpus import ReadTell, TokenCorpus
from ragembed.embed.words.tokens import TOKENIZERS, tokenizer
from ragembed.errors import SpecError


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is read of the texts."""

    tokens: str = "words"
    """``words``: lower case, without punctuation; ``whitespace``: what stands between white space, as it is."""
    min_count: int = 5
    """Times that a word must stand in the corpus."""
    max_words: int | None = None
    """Most words that are kept: the most frequent."""
    phrases: int = 0
    """Passes that join words that often stand together: 1 makes pairs, 2 also threes and fours."""
    phrase_threshold: float = 10.0
    """Score of Mikolov et al. 2013 that two words must reach to be joined."""

    def __post_init__(self) -> None:
        if self.tokens not in TOKENIZERS:
            raise SpecError(f"there is no tokenizer {self.tokens!r}", f"valid are: {', '.join(TOKENIZERS)}")
        if self.min_count < 1 or (self.max_words is not None and self.max_words < 2) or self.phrases < 0:
            raise SpecError(
                f"min_count={self.min_count}, max_words={self.max_words}, phrases={self.phrases} make no sense",
                "give a min_count of 1 or more, max_words of 2 or more, phrases of 0 or more",
            )

    def read(
        self, texts: Iterable[str], folder: Path, known: Sequence[str] = (), tell: ReadTell | None = None
    ) -> TokenCorpus:
        """`texts` read once into `folder`; `known` words come first and stay."""
        merge = None
        if self.phrases:
            from ragembed.embed.words.phrases.learner import PhraseLearner

            merge = PhraseLearner(
                passes=self.phrases, threshold=self.phrase_threshold, min_count=self.min_count
            )
        return TokenCorpus.read(
            texts,
            folder,
            tokenizer(self.tokens),
            min_count=self.min_count,
            max_words=self.max_words,
            known=known,
            merge=merge,
            tell=tell,
        )

    def info(self, corpus: TokenCorpus) -> dict[str, Any]:
        """What a model must remember, to cut passages as its training texts were cut."""
        return {
            "tokenizer": tokenizer(self.tokens).to_json(),
            "phrases": corpus.phrases,
            "reading": asdict(self),
        }
