"""The language of a collection, told by its function words.

Every word of a language's list that is seen counts for that language, and the less the more languages share
it. That decides among the languages of a script; the script is the one of most letters. Where little speaks
for any language (tables, code, languages unknown to Snowball), the script's default is the answer.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from ragembed.analysis.languages import LANGUAGES
from ragembed.analysis.scripts import DEFAULT_LANGUAGES, MARKS, languages_by_script, script_of
from ragembed.analysis.stopwords import telling_words

MAX_CHARACTERS = 200_000
"""So much of the sample is read; more changes the answer no more."""

_MAX_TEXTS = 1_000
# Pieces are short because Unicode normalisation takes quadratic time on a long run of combining marks.
_PIECE = 1_000
# A script's default language needs no evidence, the others this much: code hits some words by chance.
_LEAST_WORDS = 3
_LEAST_SHARE = 0.04
# No function word makes up more of a text; what does (``ai`` or ``size`` in code or a table) counts as if it
# made up just this share.
_COMMONEST_WORD = 0.07
_WORD = re.compile(rf"[^\W\d_][\w{MARKS}]*")


def detect_language(sample: Sequence[str]) -> str:
    """The Snowball name of the language that most of `sample` is written in, ``english`` where nothing tells.

    Reads at most `MAX_CHARACTERS`, taken evenly from the texts. The order of the texts does not matter.
    """
    words = Counter[str]()
    for piece in _pieces(sample):
        words.update(_WORD.findall(unicodedata.normalize("NFC", piece).lower()))
    letters = Counter[str]()
    by_script: dict[str, Counter[str]] = {"latin": Counter()}
    for word, count in words.items():
        script = script_of(word[0]) or "other"
        letters[script] += count * len(word)
        by_script.setdefault(script, Counter())[word] = count
    script = max(sorted(letters), key=letters.__getitem__, default="latin")
    if script not in DEFAULT_LANGUAGES:  # Chinese, Hebrew ...: only the Latin words beside it can be stemmed
        script = "latin"
    return _best(by_script[script], script)


def _best(words: Counter[str], script: str) -> str:
    """The language of `script` that its words speak for most, or the script's default."""
    default = DEFAULT_LANGUAGES[script]
    evidence = dict.fromkeys(_languages(script), 0.0)
    hits = dict.fromkeys(evidence, 0.0)
    distinct = Counter[str]()
    index = _index(script)
    most = 1 + words.total() * _COMMONEST_WORD
    for word in sorted(words.keys() & index.keys()):  # sums of fractions depend on their order
        count = min(words[word], most)
        for language in index[word]:
            evidence[language] += count / len(index[word])
            hits[language] += count
            distinct[language] += 1
    best = max(evidence, key=lambda language: (evidence[language], language == default))
    if distinct[best] < _LEAST_WORDS or hits[best] < _LEAST_SHARE * words.total():
        return default
    return best


def _languages(script: str) -> list[str]:
    return [language for language in LANGUAGES if languages_by_script(language).get(script) == language]


@cache
def _index(script: str) -> dict[str, tuple[str, ...]]:
    """Word -> the languages of `script` that it hints at; no single letters, code is full of them."""
    index: dict[str, tuple[str, ...]] = {}
    for language in _languages(script):
        for word in telling_words(language):
            if len(word) > 1 and script_of(word[0]) == script:
                index[word] = (*index.get(word, ()), language)
    return index


def _pieces(sample: Sequence[str]) -> Iterable[str]:
    """Short pieces from all over the sample, `MAX_CHARACTERS` at most, whatever order it comes in."""
    texts = [sample] if isinstance(sample, str) else [text for text in sample if text]
    if len(texts) > _MAX_TEXTS:
        texts = heapq.nsmallest(_MAX_TEXTS, texts, key=_draw)
    share = _fair_share([len(text) for text in texts])
    for text in texts:
        length = len(text)
        wanted = min(length, share)
        count = -(-wanted // _PIECE)
        size = -(-wanted // max(1, count))
        slack = max(0, length // max(1, count) - size) // 2
        for number in range(count):
            start = number * length // count + slack
            yield text[start : start + size]


def _draw(text: str) -> tuple[int, str]:
    """A sort key as good as a random draw, but of the text alone."""
    return zlib.crc32(text[:_PIECE].encode("utf-8", "surrogatepass")), text


def _fair_share(lengths: list[int]) -> int:
    """The most characters that each text may give, so that all give `MAX_CHARACTERS` together."""
    left = MAX_CHARACTERS
    for taken, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - taken)
        if length > share:
            return share
        left -= length
    return MAX_CHARACTERS
