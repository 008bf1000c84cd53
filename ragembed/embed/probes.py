"""Probes: a few fixed texts, and what an embedder makes of them, in the form that an index keeps.

Vectors are kept as base64 of little-endian float32, terms and numbers as JSON. The comparison allows for what
other hardware, numbers of threads and batches do to float32 sums, and for nothing else; docs/identity.md has the
measurements behind the tolerances.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = 1
"""Raised whenever a text below changes; probes of different versions say nothing about each other."""

DOCUMENTS: Final = (
    "The running cats slept near the old café.",
    "setTimeout(30) isn't retried: TimeoutError in RFC 9110",
    "Straße nach München gesperrt; лиса прыгает",
)
QUERIES: Final = ("How do I rotate keys?", "cities NOT flooded")

UNSPACED: Final = ("東京は日本の首都です。ข้อมูลภาษาไทย", "ﬁne nai\u0308ve cafe\u0301, 데이터 검색 ｱﾊﾟｰﾄ")
"""Scripts without spaces and marks to be composed, which only analyzers see: the patterns that take them apart are
compiled at the first such text, in more time than a small search takes."""

TOLERANCE: Final = 1e-4
"""Largest ``|a - b| / |a|`` of two vectors of a text that come from one model: 130 times what batches, threads
and kernels do (7.5e-7), a tenth of what weights rounded to float16 do (1.0e-3)."""

ROUNDED: Final = 0.04
"""The same where one of the two was computed in bfloat16 or float16: four times what bfloat16 does throughout (1.1e-2),
a tenth of what int8 does (0.45). Processors sum bfloat16 in other orders, so two of them need it as well."""

_NUMBERS: Final = 1e-5
"""Largest relative difference of two numbers of a weighting, which float32 keeps to 1e-7."""


def packed(vectors: NDArray[np.float32]) -> str:
    """`vectors` ``(n, dimension)`` as base64."""
    return binascii.b2a_base64(vectors.astype("<f4").tobytes(), newline=False).decode("ascii")


def unpacked(text: str, rows: int) -> NDArray[np.float32]:
    """Back from `packed`, ``(rows, dimension)``. Raises `ValueError` where `text` is no such thing."""
    vectors = np.frombuffer(binascii.a2b_base64(text.encode("ascii"), strict_mode=True), "<f4")
    return vectors.reshape(rows, -1).astype(np.float32)


def differences(
    recorded: Mapping[str, Any], now: Mapping[str, Any], tolerance: float = TOLERANCE
) -> list[str]:
    """What two probes do not agree on, a phrase for each; only what both hold is compared.

    Vectors may be `tolerance` of their length apart.

    Raises `ValueError`, `TypeError`, `LookupError` or `AttributeError` where `recorded` was not made here.
    """
    if recorded.get("version") != now.get("version"):
        return []
    found: list[str] = []
    for key, texts in (("documents", DOCUMENTS), ("queries", QUERIES)):
        if key in recorded and key in now:
            before, after = unpacked(recorded[key], len(texts)), unpacked(now[key], len(texts))
            found += _vectors(key, before, after, tolerance)
    analyzed: dict[str, tuple[str, ...]] = {"terms": (*DOCUMENTS, *QUERIES), "unspaced": UNSPACED}
    for key, these in analyzed.items():
        if key in recorded and key in now:
            found += _terms(these, recorded[key], now[key])
    if "weights" in recorded and "weights" in now:
        found += _weights(recorded["weights"], now["weights"])
    return found


def _vectors(
    key: str, recorded: NDArray[np.float32], now: NDArray[np.float32], tolerance: float
) -> Iterable[str]:
    if recorded.shape != now.shape:
        yield f"{key} of {recorded.shape[1]} dimensions | {now.shape[1]}"
        return
    with np.errstate(over="ignore", invalid="ignore"):  # what was recorded may have been tampered with
        apart = np.linalg.norm(recorded - now, axis=1)
        lengths = np.linalg.norm(recorded, axis=1)
        worst = float(np.max(np.divide(apart, lengths, out=apart.copy(), where=lengths > 0)))
    if not worst <= tolerance:  # also where it is NaN
        yield f"probe vectors of {key} {worst:.2g} apart, where {tolerance:g} is allowed"


def _terms(
    texts: Sequence[str], recorded: Sequence[Sequence[str]], now: Sequence[Sequence[str]]
) -> Iterable[str]:
    for text, before, after in zip(texts, recorded, now, strict=True):
        if list(before) != list(after):
            sides = (_only(before, after), _only(after, before))
            yield f"terms of {text[:24]!r}... {' | '.join(sides)}"
            return  # one shows what the others would


def _only(these: Sequence[str], others: Sequence[str]) -> str:
    missing = [term for term in these if term not in others]
    return " ".join(missing[:3] if missing else these[:3]) or "none"


def _weights(recorded: Sequence[float], now: Sequence[float]) -> Iterable[str]:
    if len(recorded) != len(now):
        yield f"{len(recorded)} weights | {len(now)}"
        return
    for before, after in zip(recorded, now, strict=True):
        if not math.isclose(before, after, rel_tol=_NUMBERS, abs_tol=_NUMBERS):
            yield f"weights of terms {before:.6g} | {after:.6g}"
            return
