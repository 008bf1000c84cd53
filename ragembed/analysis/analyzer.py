"""Text -> terms: the one tokenizer of all lexical embedders.

1. Words: runs of letters, digits and combining marks; an apostrophe inside a word belongs to it. A word of several
   parts (``don't``, ``maxLength``, ``l'homme``) becomes its parts; ``_`` and all other punctuation separate words.
2. Text that is not ASCII is brought to Unicode NFKC first; every word is case-folded.
3. Scripts written without spaces (Chinese, Japanese, Thai ...) become overlapping pairs of characters, and Han
   characters also single ones, so that one-character queries find something (Nie, Gao, Zhang & Zhou 2000).
4. Stop words of the language are dropped, the rest stemmed by Snowball; words of another script than the
   language's are stemmed by the language that this script suggests (Cyrillic: Russian, Greek: Greek ...).

Queries and documents take the same way.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import Stemmer

from ragembed.analysis.languages import canonical_language, stop_words
from ragembed.analysis.scripts import IDEOGRAPHS, MARKS, UNSPACED, script_language

ANALYZER_VERSION = 1
"""Raised whenever the same text gives other terms, so that an index made before is told apart."""

_TURKISH_CAPITALS = str.maketrans("Iİ", "ıi")

LONGEST_WORD = 64
"""Longer words (base64, hashes, minified code) are cut to this many characters."""

_ASCII_WORDS = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*", re.ASCII)
# a lower-case letter or digit before an upper-case one, or the last of several capitals before a lower-case letter
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# without these a text is Latin, Greek or Cyrillic with common punctuation: no marks, no unspaced scripts
_DEMANDING = re.compile("[\u0300-\u036f\u0483-\u0489\u052f-\u1fff\u20d0-\u20ff\u2c00-\U0010ffff]")
_SPACED_WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SPACED_PARTS = re.compile(r"[^\W_]+")
_MARK = r"[^\w\s\x00-\x7f]"  # every mark that is sorted, and punctuation, which is no matter here
_MOST_MARKS = 30
_JOINING = (
    "\u1160-\u11ff\uff9e\uff9f"  # Hangul letters within a syllable, voicing marks of half-width Katakana
)
_MEMORY = 400_000
"""Distinct words whose terms are remembered."""


@functools.cache
def _patterns() -> _Patterns:
    """Compiled at the first text that is not ASCII: their large classes take longer than a small search."""
    other = f"(?![{UNSPACED}])"
    return _Patterns(
        words=re.compile(rf"[{UNSPACED}]+|[^\W_][\w{MARKS}]*(?:['’](?:[^\W_]|[{MARKS}])+)*"),
        unspaced=re.compile(rf"[{UNSPACED}]+"),
        ideograph=re.compile(rf"[{IDEOGRAPHS}]"),
        parts=re.compile(rf"[{UNSPACED}]+|{other}[^\W_](?:{other}(?:[^\W_]|[{MARKS}]))*|[{MARKS}]"),
        clusters=re.compile(rf".[{MARKS}{_JOINING}]*", re.DOTALL),
        marks=re.compile(rf"({_MARK}{{{_MOST_MARKS}}}){_MARK}+"),
    )


class _Patterns(NamedTuple):
    words: re.Pattern[str]
    unspaced: re.Pattern[str]
    ideograph: re.Pattern[str]
    parts: re.Pattern[str]
    """Words without their apostrophes; a run of unspaced script is one."""
    clusters: re.Pattern[str]
    """A character with what NFKC may join to it."""
    marks: re.Pattern[str]


class Analyzer:
    """Turns text into index terms for one language (a Snowball name or ISO code, or ``none``)."""

    def __init__(self, language: str = "english") -> None:
        self.language = canonical_language(language)
        self._stop = stop_words(self.language)
        self._memory: dict[str, tuple[str, ...]] = {}
        self._stem: dict[str, Callable[[str], str]] = {}

    def words(self, text: str) -> list[str]:
        """The words of `text` as they are written (unspaced scripts: as pairs), before case, stop words and stems."""
        if text.isascii():
            return _ASCII_WORDS.findall(text)
        if _DEMANDING.search(text) is None:
            return _SPACED_WORDS.findall(unicodedata.normalize("NFKC", text))
        patterns = _patterns()
        # sorting the marks on one letter takes quadratic time, and no writing has more than a few
        text = unicodedata.normalize("NFKC", patterns.marks.sub(r"\1", text))
        text = patterns.unspaced.sub(_pairs, text)
        return patterns.words.findall(text.replace("_", " "))

    def terms(self, text: str) -> list[str]:
        """The index terms of `text`, in order and with repetition."""
        found: list[str] = []
        for word in self.words(text):
            found.extend(self.word_terms(word))
        return found

    def word_terms(self, word: str) -> tuple[str, ...]:
        """The terms of one word that `words` gave: none for a stop word, several for a word of several parts."""
        terms = self._memory.get(word)
        if terms is None:
            if len(self._memory) >= _MEMORY:
                self._memory.clear()
            terms = self._memory[word] = self._derive(word)
        return terms

    def _derive(self, word: str) -> tuple[str, ...]:
        word = word[:LONGEST_WORD]
        whole = self._term(word)
        if "'" in word or "’" in word:
            # elisions, possessives, contractions: the one-letter parts carry nothing (l'homme, dog's, don't)
            parts = re.split("['’]", word)
            return tuple(term for part in parts if len(part) > 1 for term in self._term(part))
        if not word.islower() and len(parts := _HUMP.split(word)) > 1:
            return whole + tuple(term for part in parts for term in self._term(part))
        return whole

    def _term(self, word: str) -> tuple[str, ...]:
        if self.language == "turkish":
            word = word.translate(_TURKISH_CAPITALS)
        folded = word.casefold()
        if self.language == "none":
            return (folded,)
        if folded in self._stop:
            return ()
        language = script_language(folded[0], self.language)
        if language is None:
            return (folded,)
        if language not in self._stem:
            self._stem[language] = Stemmer.Stemmer(language, 0).stemWord
        return (self._stem[language](folded) or folded,)


def _pairs(match: re.Match[str]) -> str:
    """Overlapping pairs of a run of unspaced script, and its ideographs, as words between spaces."""
    run = match.group()
    pairs = [run[i : i + 2] for i in range(len(run) - 1)] or [run]
    if len(run) > 1:
        pairs += _patterns().ideograph.findall(run)
    return f" {' '.join(pairs)} "


def highlight_spans(analyzer: Analyzer, text: str, terms: Sequence[str]) -> list[tuple[int, int]]:
    """Where words of `text` stand that share a term with `terms`: disjoint character spans in order."""
    wanted = set(terms)
    if text.isascii():
        words = re.finditer(r"[A-Za-z0-9]+", text)
        return [match.span() for match in words if not wanted.isdisjoint(analyzer.word_terms(match.group()))]
    if _DEMANDING.search(text) is None:
        return [
            match.span()
            for match in _SPACED_PARTS.finditer(text)
            if not wanted.isdisjoint(analyzer.terms(match.group()))
        ]
    plain, starts, ends = _normalized(text)
    spans: list[tuple[int, int]] = []
    for at, end in _found(analyzer, plain, wanted):
        start = starts[at]
        if spans and start < spans[-1][1]:  # pairs overlap, and one character may hold two words
            start = spans.pop()[0]
        spans.append((start, ends[end - 1]))
    return spans


def _found(analyzer: Analyzer, plain: str, wanted: set[str]) -> Iterator[tuple[int, int]]:
    """Spans of words, and of pairs and single characters of unspaced scripts, that have a term in `wanted`."""
    patterns = _patterns()
    for match in patterns.parts.finditer(plain):
        word, at = match.group(), match.start()
        if not patterns.unspaced.match(word):
            if not wanted.isdisjoint(analyzer.word_terms(word)):
                yield at, match.end()
            continue
        for i, character in enumerate(word):
            if word[i : i + 2] in wanted:
                yield at + i, at + min(i + 2, len(word))
            elif character in wanted:
                yield at + i, at + i + 1


def _normalized(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """`text` in NFKC, and where in `text` that begins and ends which each of its characters came from."""
    if unicodedata.is_normalized("NFKC", text):
        return text, range(len(text)), range(1, len(text) + 1)
    plain: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _patterns().clusters.finditer(text):
        piece = unicodedata.normalize("NFKC", match.group()[:_MOST_MARKS])
        plain.append(piece)
        starts.extend([match.start()] * len(piece))
        ends.extend([match.end()] * len(piece))
    return "".join(plain), starts, ends
