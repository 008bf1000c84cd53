"""What of texts goes through a model: each whole, or in windows, or its beginning; and the count of its tokens."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ragembed.embed.base import Truncation, encodable
from ragembed.encoder.long.windows import Window, truncated, windows
from ragembed.encoder.tokenizer import TextTokenizer
from ragembed.errors import EmbeddingError
from ragembed.ledger import TokenLedger

LONG = ("windows", "late", "stream", "sliding", "truncate")
"""What can become of a text that is longer than the model takes."""
WHOLE = ("stream", "sliding")
"""Those that have the model read it in one piece all the same."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens that go through the model together: a text, or a window of it."""

    text: int
    """Which of the texts."""
    ids: list[int]
    """Special tokens and prompt included."""
    weight: int
    """Its part in the text's vector: the tokens that no piece before it has."""


class Cutter:
    """Cuts texts by one model's length, and keeps the ledger of their tokens. Threads may share it."""

    def __init__(self, tokenizer: TextTokenizer, longest: int, long: str, overlap: int | None) -> None:
        """`longest`: most tokens that the model takes, special ones included."""
        if long not in LONG:
            raise EmbeddingError(f"long is {long!r}", f"valid are: {', '.join(LONG)}")
        if overlap is not None and overlap < 0:
            raise EmbeddingError(f"overlap is {overlap}", "give 0 or more")
        self.tokenizer, self.longest, self.long, self.overlap = tokenizer, longest, long, overlap
        if overlap and long not in (*WHOLE, "truncate"):
            windows(longest + 1, self.room, overlap)  # which tells of an overlap as long as a window
        self.truncation = Truncation()
        self.ledger = TokenLedger()
        """Of all texts so far."""
        self._counting = threading.Lock()
        self.prompt_ids = cache(lambda prompt: tokenizer.ids([encodable(prompt)])[0])

    @property
    def room(self) -> int:
        """Tokens of a text, prompt included."""
        return self.longest - self.tokenizer.special

    def pieces(self, texts: Sequence[str], prompt: str) -> list[Piece]:
        """Of each text all that goes through the model, in order; none of a text without tokens."""
        found = []
        for text, ids in enumerate(self.tokenizer.ids([encodable(prompt + text) for text in texts])):
            again, cut = [], [Window(0, len(ids), len(ids))]
            if len(ids) > self.room and self.long == "truncate":
                cut = truncated(len(ids), self.room)
            elif len(ids) > self.room and self.long not in WHOLE:
                again = self.prompt_ids(prompt)
                ids = self.tokenizer.ids([encodable(texts[text])])[0]
                cut = self.windows(len(ids), prompt)
            self._count(len(ids), cut, 0 if again else len(self.prompt_ids(prompt)))
            for each in cut:
                inside = self.around([*again, *ids[each.start : each.stop]])
                if inside:
                    found.append(Piece(text, inside, max(1, each.fresh)))
        return found

    def lead(self, prompt: str) -> int:
        """Tokens of a piece before those of its text."""
        return len(self.tokenizer.before) + len(self.prompt_ids(prompt))

    def windows(self, length: int, prompt: str) -> list[Window]:
        """Of a text of `length` tokens, each to be read behind the prompt."""
        return windows(length, self.room - len(self.prompt_ids(prompt)), self.overlap)

    def around(self, ids: Sequence[int]) -> list[int]:
        """With the special tokens before and behind."""
        return [*self.tokenizer.before, *ids, *self.tokenizer.after]

    def count(self, text: TokenLedger, cut_off: int = 0) -> None:
        """Add a text to the ledger; `cut_off`: tokens that it lost, those of the prompt among them."""
        with self._counting:
            self.ledger += text
            self.truncation.texts += cut_off > 0
            self.truncation.tokens += cut_off

    def _count(self, length: int, cut: Sequence[Window], prompt: int) -> None:
        """Add a text to the ledger; its first `prompt` tokens are not its own."""
        lost = length - cut[-1].stop
        tokens = max(0, length - prompt)
        truncated = min(lost, tokens)
        repeated = sum(each.stop - each.start for each in cut) - cut[-1].stop
        self.count(TokenLedger(tokens, tokens - truncated, truncated, repeated=repeated), lost)
