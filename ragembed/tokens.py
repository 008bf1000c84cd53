"""Where the tokens of a text begin: the unit in which chunks are measured.

Chunk sizes are numbers of tokens of a *stated* tokenizer. Two are built in and need no file:

``words`` (the default)
    Runs of letters and digits are tokens, and so is each other character that is not white space. Each
    ideograph, kana, Thai, Lao, Khmer, Burmese, Tibetan or Yi letter is a token of its own, for those scripts
    put no spaces between words. Combining marks and invisible format characters (joiners, soft hyphens)
    belong to the token before them. A token is cut every 16 characters, so that none is unbounded.
``characters``
    Each character (code point) is a token, white space too.

The others are ``tokenizer.json`` files of the Hugging Face format, read through the ``tokenizers`` library
without truncation, padding and special tokens: ``minilm``, a file, a folder that holds one, or the name of
a model in the local cache. Nothing is ever downloaded. A run of more than 1,000 characters without white
space is cut into pieces of at most that length first, so that such tokens are bounded as well.
"""

from __future__ import annotations

from typing import Protocol

from ragembed.tokens_words import Characters, Starts, Words


class Tokenizer(Protocol):
    """Says where tokens begin; how many lie in ``[a, b)`` is a difference of two `numpy.searchsorted`."""

    @property
    def name(self) -> str:
        """What `tokenizer` takes to make it again."""
        ...

    def starts(self, text: str) -> Starts:
        """Character offsets, ascending, at which the tokens of `text` begin."""
        ...

    def count(self, text: str) -> int:
        """How many tokens `text` has."""
        ...


def tokenizer(name: str) -> Tokenizer:
    """The tokenizer called `name` (see the module's description); the same object each time.

    Raises `SpecError` where there is none, or where its file is damaged.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    from ragembed.tokens_pretrained import load

    return load(name)


_BUILT_IN: dict[str, Tokenizer] = {"words": Words(), "characters": Characters()}
