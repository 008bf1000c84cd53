"""Training a tokenizer on one's own texts, by the `tokenizers` library; `ragembed.encoder.bpe` shows how it is done.

The same texts in the same order give the same bytes.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ragembed.embed.base import encodable
from ragembed.encoder.tokenizer_kinds import KINDS, Kind
from ragembed.errors import EmbeddingError, SpecError, StoreError
from ragembed.extras import require
from ragembed.index.files import replacing, unwritable

FILES = ("tokenizer_config.json", "tokenizer.json")
"""What is written, in this order."""
LONGEST = 1000
"""Characters between two spaces that are read as one word: merging within one of a million would never end."""
_SAMPLE = 1_000_000
"""Characters of texts, the first ones, that the tokenizer is tried on."""
_LIMIT = 10**9
"""Most tokens of a vocabulary: their numbers are 32 bits wide."""

Tell = Callable[[str, int], None]
"""Called with what is being done, and how many texts are read."""


@dataclass(frozen=True, kw_only=True)
class TokenizerTrainer:
    """What tokenizer is trained."""

    name: ClassVar[str] = "tokenizer"

    kind: str = "wordpiece"
    """``wordpiece``, ``bpe`` or ``byte-bpe``."""
    size: int = 30_000
    """Most tokens of the vocabulary, special ones included; few texts hold fewer."""
    lowercase: bool = True
    """Whether capitals are made small."""
    min_count: int = 2
    """Times that two pieces must stand side by side to be merged."""
    special: bool = True
    """Whether a text gets a special token before and behind it, as encoders want it."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpecError(f"there is no tokenizer of kind {self.kind!r}", f"valid are: {', '.join(KINDS)}")
        least = KINDS[self.kind].least
        if not least <= self.size <= _LIMIT:
            raise SpecError(f"size={self.size} makes no sense", f"give {least} to {_LIMIT} for {self.kind}")
        if not 1 <= self.min_count <= _LIMIT:
            raise SpecError(f"min_count={self.min_count} makes no sense", f"give 1 to {_LIMIT}")

    def settings(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return asdict(self)

    def made(self) -> Kind:
        """What is asked of the library."""
        return KINDS[self.kind](size=self.size, lowercase=self.lowercase, min_count=self.min_count)


@dataclass(frozen=True, slots=True)
class TrainedTokenizer:
    """What came out."""

    size: int
    """Tokens of the vocabulary."""
    texts: int
    megabytes: float
    seconds: float
    tokens_per_word: float
    """Of the first texts, words being what stands between white space."""
    bytes_per_token: float
    unknown: float
    """Share of their tokens that stand for something unknown."""


def train_tokenizer(
    trainer: TokenizerTrainer,
    texts: Iterable[str],
    output: Path,
    *,
    replace: bool = False,
    tell: Tell = lambda stage, texts: None,
) -> TrainedTokenizer:
    """Train on `texts` and write ``tokenizer.json`` and ``tokenizer_config.json`` to the folder `output`.

    With `replace` a tokenizer that is there may be replaced. Raises `EmbeddingError` where the texts are empty or have
    more characters than the vocabulary has room for, `StoreError` for what is wrong with the folder.
    """
    require("tokenizers", "tokenizers", "training a tokenizer")
    _check_output(output, replace=replace)
    began, kind = time.perf_counter(), trainer.made()
    with _Corpus(texts, tell, keep=kind.passes > 1) as corpus:
        tokenizer = kind.made(corpus.read, around=trainer.special)
    size = tokenizer.get_vocab_size()
    if not corpus.texts:
        raise EmbeddingError("the corpus holds no text", "give files with text")
    if size > trainer.size:
        raise EmbeddingError(
            f"the texts have so many characters that {size} tokens are needed, size is {trainer.size}",
            f"give size={size} or more, or kind=byte-bpe",
        )
    _write(output, tokenizer.to_str(pretty=True), kind)
    seconds = time.perf_counter() - began
    return TrainedTokenizer(size, corpus.texts, corpus.bytes / 1e6, seconds, *_tried(tokenizer, kind, corpus))


@dataclass
class _Corpus:
    """Texts that can be read again, though whoever gives them gives them once: they are kept in a temporary file."""

    given: Iterable[str]
    tell: Tell
    keep: bool
    texts: int = 0
    bytes: int = 0
    sample: list[str] = field(default_factory=list)

    def __enter__(self) -> _Corpus:
        self._kept = tempfile.TemporaryFile("w+", encoding="ascii")
        return self

    def __exit__(self, *error: object) -> None:
        self._kept.close()

    def read(self) -> Iterator[str]:
        """All of them; the first time from whoever gives them."""
        yield from self._again() if self.texts else self._first()
        self.tell("merging", self.texts)

    def _first(self) -> Iterator[str]:
        room = _SAMPLE
        for given in self.given:
            text = _shortened(encodable(given))
            if not text.strip():
                continue
            self.texts += 1
            self.bytes += len(text.encode())
            if room > 0:
                self.sample.append(text[:room])
                room -= len(text)
            if self.keep:
                self._kept.write(json.dumps(text) + "\n")
            self.tell("reading", self.texts)
            yield text

    def _again(self) -> Iterator[str]:
        self._kept.seek(0)
        for number, line in enumerate(self._kept, 1):
            self.tell("reading again", number)
            yield json.loads(line)


def _shortened(text: str) -> str:
    """With a space after each `LONGEST` characters that have none."""
    if len(text) <= LONGEST or max(map(len, text.split()), default=0) <= LONGEST:
        return text
    return " ".join(
        word[start : start + LONGEST] for word in text.split() for start in range(0, len(word), LONGEST)
    )


def _check_output(output: Path, *, replace: bool) -> None:
    if output.exists() and not output.is_dir():
        raise StoreError(f"{output} is a file", "name a folder")
    names = {path.name for path in output.iterdir()} if output.is_dir() else set()
    if names - set(FILES):
        raise StoreError(
            f"{output} exists and holds {min(names - set(FILES))}, which is of no tokenizer that ragembed trained",
            "name another folder",
        )
    if names and not replace:
        raise StoreError(
            f"{output} holds a tokenizer already", "name another folder, or add --force to replace it"
        )


def _write(output: Path, tokenizer: str, kind: Kind) -> None:
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        **kind.roles,
    }
    with unwritable(output, "check its disk and permissions, and train again"):
        output.mkdir(parents=True, exist_ok=True)
        for name, text in zip(FILES, (json.dumps(config, indent=2), tokenizer), strict=True):
            with replacing(output / name) as file:
                file.write(text.encode() + b"\n")


def _tried(tokenizer: Any, kind: Kind, corpus: _Corpus) -> tuple[float, float, float]:
    """Of the first texts: tokens per word, bytes per token, share of unknown tokens."""
    unknown = tokenizer.token_to_id(kind.roles["unk_token"])
    found = tokenizer.encode_batch(corpus.sample, add_special_tokens=False)
    tokens = sum(len(each.ids) for each in found)
    words = sum(len(text.split()) for text in corpus.sample)
    size = sum(len(text.encode()) for text in corpus.sample)
    missed = sum(each.ids.count(unknown) for each in found)
    return tokens / max(1, words), size / max(1, tokens), missed / max(1, tokens)
