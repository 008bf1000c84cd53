"""Salient phrases of a sentence: runs of content words, by how much they tell.

As in RAKE (Rose, Engel, Cramer & Cowley 2010) a phrase is what stands between stop words and punctuation, so that
nothing but a list of stop words is needed; its weight is the sum of its words' idf. In scripts without spaces
between words a run of ideographs between other signs stands for a phrase.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ragembed.analysis import Analyzer
from ragembed.analysis.scripts import MARKS, UNSPACED

_FILLERS = frozenset(
    """also can could create created do does following get given let let's make may might must need needs obtained
    one presented should shown several two use used uses using various want way will would""".split()  # noqa: SIM905
)
"""English words that carry little but are no stop words; they part phrases too."""

Worth = Callable[[str], float]
"""What a term tells, its idf."""

_LONGEST = 4
"""Words of a phrase; from longer runs the most telling are taken."""
_LONGEST_RUN = 8
"""Characters of a phrase without spaces."""
_PARTICLES = "\u3040-\u309f的了是在和与與及或也都就而之其不有为為对對被把这這那"
"""Signs that part phrases as stop words do: all Hiragana, and Chinese words of grammar."""


def salient_phrases(text: str, analyzer: Analyzer, worth: Worth, most: int = 3) -> list[str]:
    """The `most` phrases of `text` that tell most, in the order in which they stand there."""
    found = {phrase: (place, weight) for place, phrase, weight in _weighed(text, analyzer, worth)}
    best = sorted(found, key=lambda phrase: (-found[phrase][1], found[phrase][0]))[:most]
    return sorted(best, key=lambda phrase: found[phrase][0])


def _weighed(text: str, analyzer: Analyzer, worth: Worth) -> Iterator[tuple[int, str, float]]:
    seen: set[frozenset[str]] = set()
    for place, words in enumerate(_runs(text, analyzer)):
        terms = frozenset(term for word in words for term in analyzer.terms(word))
        if terms and terms not in seen:
            seen.add(terms)
            yield place, " ".join(words), sum(worth(term) for term in sorted(terms))


def _runs(text: str, analyzer: Analyzer) -> Iterator[list[str]]:
    run: list[str] = []
    for match in _token_pattern().finditer(text):
        word = match["word"]
        if match["unspaced"]:
            if run:
                yield run[:_LONGEST]
                run = []
            yield [match["unspaced"]]
        elif word and word.lower() not in _FILLERS and analyzer.word_terms(word) and not word.isdigit():
            run.append(word)
            if len(run) == _LONGEST:
                yield run
                run = []
        elif (word or match["stop"]) and run:
            yield run
            run = []
    if run:
        yield run


def _token_pattern() -> re.Pattern[str]:
    return re.compile(  # `re` caches it; its classes are too large to be compiled at import
        rf"(?P<unspaced>(?:(?![{_PARTICLES}])[{UNSPACED}]){{2,{_LONGEST_RUN}}})"
        rf"|(?P<word>(?![{UNSPACED}])[^\W_](?:(?![{UNSPACED}])[\w{MARKS}]|['’.-](?=[^\W_]))*)"
        r"|(?P<stop>[^\w\s]|\n)"
    )
