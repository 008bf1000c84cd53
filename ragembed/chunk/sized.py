"""What chunkers with a size share: their parameters, and how they measure a text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragembed.chunk.base import Chunker, Span
from ragembed.chunk.boundaries import trimmed
from ragembed.chunk.packing import CharacterRuler, Ruler, pack
from ragembed.errors import SpecError
from ragembed.tokens import tokenizer
from ragembed.types import Document

_PREFIXES = ("none", "title", "headings", "both")
_AT_MOST_ONE_PER_CHARACTER = ("words", "characters")


@dataclass
class Sized(Chunker):
    """A chunker whose chunks have a largest size. Subclasses say where to cut."""

    tokens: int = 256
    """Most tokens in a chunk."""
    overlap: int = 32
    """Most tokens at a chunk's end that the next chunk repeats; at most half of `tokens`."""
    tokenizer: str = "auto"
    """What counts tokens (see `ragembed.tokens`); ``auto``: the embedder's own in a pipeline, else words."""
    prefix: str = "none"
    """What is put above a chunk when it is embedded: the document's ``title``, the ``headings`` that the chunk stands
    under, ``both``, or ``none``."""

    def __post_init__(self) -> None:
        if self.prefix not in _PREFIXES:
            raise SpecError(
                f"chunker {self.name} has prefix={self.prefix}", f"valid are: {', '.join(_PREFIXES)}"
            )
        if self.tokens < 1:
            raise SpecError(f"chunker {self.name} has tokens={self.tokens}", "give at least 1")
        if self.overlap < 0:
            raise SpecError(f"chunker {self.name} has overlap={self.overlap}", "give 0 or more")
        if self.overlap > self.tokens // 2:
            raise SpecError(
                f"chunker {self.name} has overlap={self.overlap}, more than half of tokens={self.tokens}",
                f"give an overlap of at most {self.tokens // 2}: "
                f"{self.name}(tokens={self.tokens}, overlap={self.tokens // 8})",
            )

    def spans(self, document: Document) -> Iterable[Span]:
        if self.fits(document.text):
            start, end = trimmed(document.text, 0, len(document.text))
            return [(start, end)] if start < end else []
        return pack(document.text, self.ruler(document.text), self.cut, self.resume)

    def above(self, document: Document, path: Sequence[str], start: int) -> str:
        """As `prefix` says; a title is not repeated where the text begins with it, or the headings do."""
        headings = list(path) if self.prefix in ("headings", "both") else []
        title = document.metadata.get("title")
        if (
            self.prefix in ("title", "both")
            and isinstance(title, str)
            and title not in headings[:1]
            and not (start >= 0 and document.text.startswith(title, start))
        ):
            headings.insert(0, title)
        return " > ".join(headings)

    @property
    def unit(self) -> str:
        """The name of the tokenizer that counts."""
        return "words" if self.tokenizer == "auto" else self.tokenizer

    def fits(self, text: str) -> bool:
        """Whether `text` is so short that it makes one chunk, without counting its tokens."""
        return len(text) <= self.tokens and self.unit in _AT_MOST_ONE_PER_CHARACTER

    def ruler(self, text: str) -> Ruler:
        """The tokens of `text`, with the sizes of chunk and overlap."""
        if self.unit == "characters":
            return CharacterRuler(len(text), self.tokens, self.overlap)
        starts = tokenizer(self.unit).starts(text)
        return Ruler(starts.data, self.tokens, self.overlap)  # read one by one faster than the array itself

    @abstractmethod
    def cut(self, text: str, start: int, low: int, high: int) -> int:
        """Where the chunk that begins at `start` ends: at most at `high`; at `low` it is half full."""

    @abstractmethod
    def resume(self, text: str, low: int, end: int) -> int:
        """Where in ``[low, end)`` the overlap of a chunk that ends at `end` begins; `end` for none."""
