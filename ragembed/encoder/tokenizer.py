"""Texts to token ids, by a model's own ``tokenizer.json``, with its truncation and padding switched off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.errors import EmbeddingError
from ragembed.extras import require


@dataclass(frozen=True, slots=True)
class Subword:
    """A token and where it comes from."""

    id: int
    text: str
    """As the vocabulary writes it: ``##ing``, ``Ġthe``."""
    start: int
    """Its first character in the text."""
    end: int
    word: int | None
    """Which of the words that the tokenizer first takes the text apart into."""


class TextTokenizer:
    """A tokenizer, and the special tokens that a model wants around a text."""

    def __init__(self, folder: Path) -> None:
        self._path = path = folder / "tokenizer.json"
        library = require("tokenizers", "tokenizers", "the tokens of a model")
        if not path.is_file():
            raise EmbeddingError(f"{folder} holds no tokenizer.json", "convert its tokenizer, or use st:")
        try:
            self._tokenizer: Any = library.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise self._failed(error) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.before, self.after = self._around()

    @property
    def special(self) -> int:
        """How many special tokens a text gets."""
        return len(self.before) + len(self.after)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Of each text all its tokens, without special ones."""
        encode = getattr(self._tokenizer, "encode_batch_fast", self._tokenizer.encode_batch)
        try:
            return [encoding.ids for encoding in encode(list(texts), add_special_tokens=False)]
        except Exception as error:  # the library raises nothing narrower
            raise self._failed(error) from error

    def check(self, rows: int) -> None:
        """Raise `EmbeddingError` where there are tokens that a table of `rows` vectors has none for."""
        size = self._tokenizer.get_vocab_size(with_added_tokens=True)
        highest = max(size - 1, *self.before, *self.after, -1)
        if highest >= rows or self._tokenizer.id_to_token(rows) is not None:
            raise EmbeddingError(
                f"{self._path} has tokens numbered to {max(highest, rows)}, the model knows {rows}",
                "fetch the model again: its files do not fit one another",
            )

    def subwords(self, text: str) -> list[Subword]:
        """As `ids`, with their places in `text`."""
        found = self._tokenizer.encode(text, add_special_tokens=False)
        rows = zip(found.ids, found.tokens, found.offsets, found.word_ids, strict=True)
        return [Subword(number, name, start, end, word) for number, name, (start, end), word in rows]

    def offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """As `ids` of one text, and of each token the characters ``(start, end)`` that it is made of."""
        found = self._tokenizer.encode(text, add_special_tokens=False)
        return found.ids, found.offsets

    def name(self, token: int) -> str:
        """A token as the vocabulary writes it."""
        return str(self._tokenizer.id_to_token(token))

    def number(self, name: str) -> int | None:
        """Of a token as the vocabulary writes it; None where it has none of that name."""
        found: int | None = self._tokenizer.token_to_id(name)
        return found

    def _around(self) -> tuple[list[int], list[int]]:
        """Special tokens before and behind a text, seen at an example."""
        [plain] = self.ids(["a"])
        whole = self._tokenizer.encode("a", add_special_tokens=True).ids
        for start in range(len(whole) - len(plain) + 1):
            if whole[start : start + len(plain)] == plain:
                return whole[:start], whole[start + len(plain) :]
        raise EmbeddingError("the tokenizer changes a text's tokens beside special ones", "use st:")

    def _failed(self, error: Exception) -> EmbeddingError:
        first = str(error).strip().partition("\n")[0]
        return EmbeddingError(f"{self._path} is damaged ({first})", "fetch the model again")
