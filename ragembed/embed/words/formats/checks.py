"""Whether the arrays of a folder of word vectors fit one another: what is cheap to ask whenever it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragembed.embed.words.formats.folder import Parts


def check(parts: Parts) -> None:
    """Raise `ValueError` unless the arrays fit one another, and hold what lookups rely on. Vectors are not read."""
    _check_info(parts.info)
    words, n = parts.index.words, len(parts.vectors)
    if parts.vectors.ndim != 2 or words.blob.ndim != 1 or words.offsets.shape != (n + 1,):
        raise ValueError(f"{n} vectors and {len(words)} words")
    if words.offsets[0] != 0 or words.offsets[-1] != len(words.blob):
        raise ValueError(f"the words take {len(words.blob)} bytes, {words.offsets[-1]} were written")
    if (words.offsets[1:] < words.offsets[:-1]).any():
        raise ValueError("a word ends before it begins")
    if parts.index.hashes.shape != (n,) or parts.index.order.shape != (n,):
        raise ValueError(f"{n} words and {len(parts.index.hashes)} hashes")
    if n and not (parts.index.order.min() >= 0 and parts.index.order.max() < n):
        raise ValueError(f"the order names a row that is none of {n}")
    if parts.counts is not None and parts.counts.shape != (n,):
        raise ValueError(f"{n} words and {len(parts.counts)} counts")
    grams = parts.subwords
    if grams is not None and grams.vectors_of_ngrams.shape[1] != parts.vectors.shape[1]:
        raise ValueError(
            f"words of {parts.vectors.shape[1]} numbers, n-grams of {grams.vectors_of_ngrams.shape[1]}"
        )
    if grams is not None and grams.used is not None and len(grams.used):
        used = grams.used
        if used[0] < 0 or used[-1] >= grams.buckets or (used[1:] <= used[:-1]).any():
            raise ValueError(f"the buckets of n-grams do not rise from 0 to {grams.buckets - 1}")


def _check_info(info: Mapping[str, Any]) -> None:
    """Raise `ValueError` unless what cuts texts is as it was recorded; what is only shown may be anything."""
    for name in ("tokenizer", "reading", "warnings"):
        if not isinstance(info.get(name) or {}, dict):
            raise ValueError(f"its {name} is no JSON object")  # noqa: TRY004 - of a file, not of a call
    phrases = info.get("phrases") or []
    if not isinstance(phrases, list) or not all(map(_is_pair, phrases)):
        raise ValueError("its phrases are no pairs of words")


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(word, str) for word in value)
