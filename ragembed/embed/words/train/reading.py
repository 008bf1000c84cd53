"""How a training reads its texts: cutting into tokens, phrases, and which words are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ragembed.embed.words.corpus import Merge, ReadTell, TokenCorpus
from ragembed.embed.words.tokens import TOKENIZERS, tokenizer
from ragembed.embed.words.train.checks import expect
from ragembed.embed.words.vectors import WordVectors
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
    phrase_threshold: float = 100.0
    """Score of Mikolov et al. 2013 that two words must exceed to be joined."""

    def __post_init__(self) -> None:
        if self.tokens not in TOKENIZERS:
            raise SpecError(f"there is no tokenizer {self.tokens!r}", f"valid are: {', '.join(TOKENIZERS)}")
        expect(self.min_count >= 1, f"min_count={self.min_count}", "a number from 1")
        expect(
            self.max_words is None or self.max_words >= 2, f"max_words={self.max_words}", "a number from 2"
        )
        expect(self.phrases >= 0, f"phrases={self.phrases}", "a number from 0")
        threshold = self.phrase_threshold
        expect(math.isfinite(threshold), f"phrase_threshold={threshold:g}", "a finite number")

    def read(
        self,
        texts: Iterable[str],
        folder: Path,
        earlier: WordVectors | None = None,
        tell: ReadTell | None = None,
    ) -> TokenCorpus:
        """`texts` read once into `folder`; words of an `earlier` model come first and stay, its phrases are joined."""
        return TokenCorpus.read(
            texts,
            folder,
            tokenizer(self.tokens),
            min_count=self.min_count,
            max_words=self.max_words,
            known=() if earlier is None else earlier.words,
            merge=self._merge(earlier),
            tell=tell,
        )

    def _merge(self, earlier: WordVectors | None) -> Merge | None:
        """What joins tokens to phrases."""
        from ragembed.embed.words.phrases.learner import PhraseJoiner, PhraseLearner

        if earlier is not None:
            return PhraseJoiner(earlier.info.get("phrases") or ())
        if not self.phrases:
            return None
        return PhraseLearner(passes=self.phrases, threshold=self.phrase_threshold, min_count=self.min_count)

    def info(self, corpus: TokenCorpus) -> dict[str, Any]:
        """What a model must remember, to cut passages as its training texts were cut."""
        return {
            "tokenizer": tokenizer(self.tokens).to_json(),
            "phrases": corpus.phrases,
            "reading": asdict(self),
        }
