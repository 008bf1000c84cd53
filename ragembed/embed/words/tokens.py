"""Text -> the tokens that have word vectors. Passages are cut as the training texts were: a model records how.

Unlike index terms (`ragembed.analysis`) tokens are neither stemmed nor rid of stop words: `running` and `ran` have
vectors of their own, and what a frequent word is worth is decided when vectors are pooled.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ragembed.analysis import Analyzer
from ragembed.errors import EmbeddingError, SpecError

LONGEST_TOKEN = 100
"""Characters of a token that count; what is longer (base64, minified code) is cut."""

_ASCII = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*", re.ASCII)
_CASED = re.compile(
    r"(?:[^\W\d_]\.){2,}"  # U.S.
    r"|\d+(?:[.,:/]\d+)+"  # 1,200.5, 12:30
    r"|\w+(?:-\w+)*"  # well-known
    r"|['’]\w+"  # what follows in don't and dog's
    r"|([^\w\s])\1*"  # ... and --, and single marks
)


def _cut(tokens: list[str], text: str) -> list[str]:
    """`tokens` of `text`, each as long as may be."""
    return [token[:LONGEST_TOKEN] for token in tokens] if len(text) > LONGEST_TOKEN else tokens


class Tokenizer(ABC):
    """Cuts text into tokens."""

    kind: ClassVar[str]

    @abstractmethod
    def tokens(self, text: str) -> list[str]:
        """The tokens of `text` in order."""

    def to_json(self) -> dict[str, Any]:
        """What `tokenizer_from_json` makes it again from."""
        return {"kind": self.kind}


class WordTokenizer(Tokenizer):
    """Words in lower case, without punctuation; scripts written without spaces become pairs of characters."""

    kind = "words"

    def __init__(self) -> None:
        self._analyzer = Analyzer("none")

    def tokens(self, text: str) -> list[str]:
        """Runs of letters and digits, apostrophes inside them kept, as `ragembed.analysis` finds them."""
        if text.isascii():
            found = _ASCII.findall(text.lower())
        else:
            found = [word.casefold() for word in self._analyzer.words(text)]
        return _cut(found, text)


class WhitespaceTokenizer(Tokenizer):
    """What stands between white space: for text that is tokenised already."""

    kind = "whitespace"

    def tokens(self, text: str) -> list[str]:
        """``text.split()``: case and punctuation stay."""
        return _cut(text.split(), text)


class CasedTokenizer(Tokenizer):
    """Words as they are written, punctuation apart: abbreviations, numbers and hyphenated words in one piece.

    ELMo reads case and punctuation. The published models were trained on the One Billion Word Benchmark, where
    ``Don't go (yet)`` is ``Don 't go ( yet )``.
    """

    kind = "cased"

    def tokens(self, text: str) -> list[str]:
        """All that is visible in `text`, in order."""
        found = [match.group() for match in _CASED.finditer(text)]
        return _cut(found, text)


TOKENIZERS: dict[str, type[Tokenizer]] = {
    each.kind: each for each in (WordTokenizer, WhitespaceTokenizer, CasedTokenizer)
}


def tokenizer(kind: str) -> Tokenizer:
    """A new tokenizer of that kind."""
    if kind not in TOKENIZERS:
        raise SpecError(f"there is no tokenizer {kind!r} for words", f"valid are: {', '.join(TOKENIZERS)}")
    return TOKENIZERS[kind]()


def tokenizer_from_json(record: Mapping[str, Any] | None) -> Tokenizer:
    """The tokenizer that a model recorded; `WordTokenizer` where it recorded none."""
    try:
        return tokenizer(str((record or {}).get("kind", WordTokenizer.kind)))
    except SpecError as error:
        raise EmbeddingError(
            f"the word vectors were made with another version: {error.fault}", "train them again"
        ) from error
