"""Texts to token ids, by a model's own ``tokenizer.json``, with its truncation and padding switched off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragembed.errors import EmbeddingError
from ragembed.extras import require


class TextTokenizer:
    """A tokenizer, and the special tokens that a model wants around a text."""

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        library = require("tokenizers", "tokenizers", "the tokens of a model")
        if not path.is_file():
            raise EmbeddingError(f"{folder} holds no tokenizer.json", "convert its tokenizer, or use st:")
        try:
            self._tokenizer: Any = library.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            first = str(error).strip().partition("\n")[0]
            raise EmbeddingError(f"{path} is damaged ({first})", "fetch the model again") from error
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
        return [encoding.ids for encoding in encode(list(texts), add_special_tokens=False)]

    def _around(self) -> tuple[list[int], list[int]]:
        """Special tokens before and behind a text, seen at an example."""
        plain = self._tokenizer.encode("a", add_special_tokens=False).ids
        whole = self._tokenizer.encode("a", add_special_tokens=True).ids
        for start in range(len(whole) - len(plain) + 1):
            if whole[start : start + len(plain)] == plain:
                return whole[:start], whole[start + len(plain) :]
        raise EmbeddingError("the tokenizer changes a text's tokens beside special ones", "use st:")
