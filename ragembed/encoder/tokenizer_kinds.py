"""The kinds of tokenizer that can be trained, each put together from parts of the `tokenizers` library.

wordpiece: as BERT's; the pieces of a word but the first begin with ##, and a word with an unknown character is unknown.
bpe: pairs of neighbours merged (Sennrich et al. 2016), and the beginning of a word marked by ▁, as SentencePiece does.
byte-bpe: the same on bytes, as GPT-2's: no character is unknown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

Texts = Callable[[], Iterable[str]]
"""Gives all texts, from the first one, each time that it is called."""


@dataclass(frozen=True, kw_only=True)
class Kind(ABC):
    """One of them."""

    size: int
    lowercase: bool
    min_count: int

    specials: ClassVar[tuple[str, ...]] = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    """With their numbers from 0, as in RoBERTa."""
    roles: ClassVar[dict[str, str]] = {
        "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>",
        "unk_token": "<unk>", "mask_token": "<mask>",
    }  # fmt: skip
    least: ClassVar[int] = 6
    """Smallest vocabulary: the special tokens, and one."""

    passes: ClassVar[int] = 1
    """Times that the texts are read."""

    @abstractmethod
    def learned(self, texts: Texts) -> Any:
        """A `tokenizers.Tokenizer`, without what is put around a text."""

    def made(self, texts: Texts, *, around: bool) -> Any:
        """A `tokenizers.Tokenizer`; `around`: it puts a special token before and behind a text."""
        from tokenizers import processors

        tokenizer = self.learned(texts)
        if around:
            first, last = self.roles["cls_token"], self.roles["sep_token"]
            numbers = [(each, tokenizer.token_to_id(each)) for each in (first, last)]
            tokenizer.post_processor = processors.TemplateProcessing(
                single=f"{first} $A {last}", pair=f"{first} $A {last} $B:1 {last}:1", special_tokens=numbers
            )
        return tokenizer


@dataclass(frozen=True, kw_only=True)
class WordPiece(Kind):
    """BERT's, but accents stay."""

    specials = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    passes = 2
    roles: ClassVar[dict[str, str]] = {
        "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
    }  # fmt: skip

    def learned(self, texts: Texts) -> Any:
        """Read twice: pairs of equal frequency are merged by the numbers of their pieces, and the library numbers the
        ##pieces of one character as it comes across them, in another order each time, unless they are known before.
        """
        from tokenizers import Tokenizer, decoders, models

        alphabet = sorted(self._trained(texts, 0, list(self.specials)))
        inner = [each for each in alphabet if each.startswith("##") and len(each) == 3]
        vocabulary = self._trained(texts, self.size, [*self.specials, *inner])
        tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
        self._prepare(tokenizer)
        tokenizer.decoder = decoders.WordPiece()
        tokenizer.add_special_tokens(list(self.specials))
        return tokenizer

    def _trained(self, texts: Texts, size: int, known: list[str]) -> dict[str, int]:
        from tokenizers import Tokenizer, models, trainers

        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        self._prepare(tokenizer)
        trainer = trainers.WordPieceTrainer(
            vocab_size=size, min_frequency=self.min_count, special_tokens=known, show_progress=False
        )
        tokenizer.train_from_iterator(texts(), trainer)
        vocabulary: dict[str, int] = tokenizer.get_vocab()
        return vocabulary

    def _prepare(self, tokenizer: Any) -> None:
        from tokenizers import normalizers, pre_tokenizers

        bert = normalizers.BertNormalizer(lowercase=self.lowercase, strip_accents=False)
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), bert])
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()


@dataclass(frozen=True, kw_only=True)
class Bpe(Kind):
    """Words, and punctuation apart from them."""

    def learned(self, texts: Texts) -> Any:
        """As `Kind`."""
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
        steps = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
        tokenizer.normalizer = normalizers.Sequence(
            [*steps, normalizers.Lowercase()] if self.lowercase else steps
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
        )
        tokenizer.decoder = decoders.Metaspace()
        return _merged(tokenizer, texts, self, [])


@dataclass(frozen=True, kw_only=True)
class ByteBpe(Kind):
    """Any text comes back as it was, but for its case."""

    least = 5 + 256

    def learned(self, texts: Texts) -> Any:
        """As `Kind`."""
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

        tokenizer = Tokenizer(models.BPE())
        if self.lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        return _merged(tokenizer, texts, self, sorted(pre_tokenizers.ByteLevel.alphabet()))


def _merged(tokenizer: Any, texts: Texts, kind: Kind, alphabet: list[str]) -> Any:
    from tokenizers import trainers

    trainer = trainers.BpeTrainer(
        vocab_size=kind.size,
        min_frequency=kind.min_count,
        special_tokens=list(kind.specials),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


KINDS: dict[str, type[Kind]] = {"wordpiece": WordPiece, "bpe": Bpe, "byte-bpe": ByteBpe}
"""By their names."""
