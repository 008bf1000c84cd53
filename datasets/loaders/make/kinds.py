"""The kinds of queries: what of a passage a person might have asked to find the rest of it.

Each kind takes a part of the passage as the query. All but ``definition`` say what must be cut from the documents for
that, or the query would stand word for word in its own answer, which no person's query does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ragembed.analysis import Analyzer
from ragembed.analysis.scripts import UNSPACED
from ragembed.datasets.make.definitions import defined, how_to
from ragembed.datasets.make.passages import Passage
from ragembed.datasets.make.phrases import salient_phrases
from ragembed.datasets.make.sentences import Range, plain, reads_as_prose
from ragembed.datasets.make.similar import Space

_LENGTHS = (5, 30)
"""Words of a sentence that may be a query."""
_LENGTHS_UNSPACED = (8, 80)
"""The same in characters, where there are no spaces."""
_MOST_WORDS = 20
"""Words of a heading that may be a query; more is a paragraph."""
_NUMBERED = re.compile(r"^(?:\d+(?:\.\d+)*[.):]?|[ivxIVX]+[.)])\s+")
_FIELDS = re.compile(
    r"\n[ \t]*(?:\n|[:@>.]|(?:Args|Arguments|Parameters|Returns?|Raises|Yields|Examples?|Notes?)\b)"
)
_DOCSTRING = re.compile(r"(\"\"\"|''')\s*(?P<said>.*?)\s*\1", re.DOTALL)
_SPEAKS_OF_WHAT_WAS_SAID = frozenset({"this", "these", "those", "such", "above", "following", "below"})
_OPENS_ON_WHAT_WAS_SAID = frozenset(
    """it its that they them their he him his she her hers however thus therefore hence moreover furthermore
    additionally also lastly finally first firstly second secondly third next now besides instead otherwise then so
    but and or yet both neither similarly consequently likewise nevertheless nonetheless meanwhile here there we our
    i my you your let see note""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A query that might be asked of a passage."""

    kind: str
    text: str
    cuts: tuple[Range, ...] = ()
    """What of the document must go for it."""
    answer: Range | None = None
    """Where its answer stands; None: the passage without its heading and the cuts."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A passage, and what it takes to draw queries from it."""

    text: str
    """The document's."""
    passage: Passage
    analyzer: Analyzer
    space: Space

    def tells(self, query: str) -> bool:
        """Whether the words of `query` tell the passage from others, were they independent.

        They do if fewer than one passage in all is expected to hold every one of them: the sum of their idf is at
        least the logarithm of the number of passages.
        """
        return self.space.information(self.analyzer.terms(query)) >= self.space.needed


Kind = Callable[[Reading], Iterator[Candidate]]


def heading(reading: Reading) -> Iterator[Candidate]:
    """The title of a section or document; where it tells too little, one of a section above goes before it."""
    passage = reading.passage
    if passage.heading is None or not passage.titles:
        return
    *above, own = (_NUMBERED.sub("", title) for title in passage.titles)
    for title in ("", *above):
        query = f"{title} {own}".strip()
        if reading.tells(query) and len(query.split()) <= _MOST_WORDS:
            asked = query if title else how_to(query, reading.analyzer.language)
            yield Candidate("heading", asked, (passage.heading,))
            return


def opening(reading: Reading) -> Iterator[Candidate]:
    """The first sentence of a section or document; the second, where the first is a number or word, or runs on."""
    passage = reading.passage
    for start, end in passage.sentences[:2] if passage.begins else ():
        query = plain(reading.text[start:end])
        if _stands_alone(query, reading.analyzer.language):
            yield Candidate("opening", query, ((start, end),))
        if _is_of_fair_length(query):
            return


def sentence(reading: Reading) -> Iterator[Candidate]:
    """A sentence from within, one of the passage's subject: the inverse cloze task (Lee, Chang & Toutanova 2019)."""
    for start, end in _central(reading, reading.passage.sentences[1:]):
        query = plain(reading.text[start:end])
        if _stands_alone(query, reading.analyzer.language):
            yield Candidate("sentence", query, ((start, end),))


def phrases(reading: Reading) -> Iterator[Candidate]:
    """The most telling phrases of a sentence of the passage's subject, as one types keywords into a box."""
    for start, end in _central(reading, reading.passage.sentences):
        said = plain(reading.text[start:end])
        if reads_as_prose(said):
            found = salient_phrases(said, reading.analyzer, reading.space.worth)
            query = " ".join(found)
            if len(query.split()) > 1 or _is_unspaced(query):
                yield Candidate("phrases", query, ((start, end),))


def definition(reading: Reading) -> Iterator[Candidate]:
    """``what is X`` of a sentence that begins with ``X is a``; the sentence is the answer, and stays."""
    for start, end in reading.passage.sentences:
        asked = defined(plain(reading.text[start:end]), reading.analyzer)
        if asked:
            yield Candidate("definition", asked, (), (start, end))


def docstring(reading: Reading) -> Iterator[Candidate]:
    """The first sentence of a Python function's docstring."""
    passage = reading.passage
    found = _DOCSTRING.search(reading.text, passage.start, passage.end) if passage.code else None
    if found is None or not reading.text[passage.start : found.start()].rstrip().endswith(":"):
        return
    said = found["said"]
    fields = _FIELDS.search(f"{said}\n\n")
    said = said[: fields.start()] if fields else said
    stop = re.search(r"[.!?](?=\s)", said)
    said = said[: stop.end()] if stop else said
    query = plain(said).rstrip(".!")
    if 2 <= len(query.split()) <= _LENGTHS[1] and query[0].isalnum():
        start = found.start("said")
        yield Candidate("docstring", query, ((start, start + len(said)),))


KINDS: dict[str, Kind] = {
    "heading": heading,
    "opening": opening,
    "docstring": docstring,
    "definition": definition,
    "phrases": phrases,
    "sentence": sentence,
}
"""All kinds by name."""

SHARES = {"heading": 3, "opening": 3, "docstring": 3, "definition": 1}
"""How many queries of each kind are wanted for one another. The others are drawn only where these do not suffice.

What authors wrote to sum up comes first: queries that use the structure of documents rank systems more as people's do
(Huurnink, Hofmann, de Rijke & Bron 2010, and our own measurements in docs/testsets.md)."""


def _central(reading: Reading, spans: Sequence[Range]) -> list[Range]:
    """Sentences of the passage, those first that share most with the rest of it, by idf."""
    passage, terms = reading.passage, reading.analyzer.terms
    whole = Counter(terms(reading.text[passage.start : passage.end]))
    found: list[tuple[float, Range]] = []
    for start, end in spans:
        own = Counter(terms(reading.text[start:end]))
        shared = reading.space.information(term for term in own if whole[term] > own[term])
        found.append((-shared, (start, end)))
    return [span for _, span in sorted(found)]


def _is_unspaced(text: str) -> bool:
    """Whether much of `text` is in a script that puts no spaces between words."""
    return len(re.findall(f"[{UNSPACED}]", text)) > len(text) / 3


def _is_of_fair_length(query: str) -> bool:
    unspaced = _is_unspaced(query)
    low, high = _LENGTHS_UNSPACED if unspaced else _LENGTHS
    return low <= (len(query) if unspaced else len(query.split())) <= high


def _stands_alone(query: str, language: str) -> bool:
    """Whether a sentence is of fair length, and understood without those before it."""
    if not _is_of_fair_length(query) or query.endswith((":", "：")) or not reads_as_prose(query):
        return False
    if language != "english":
        return True
    folded = [word.strip(",.'’").lower() for word in query.split()]
    anaphoric = folded[0] in _OPENS_ON_WHAT_WAS_SAID or not _SPEAKS_OF_WHAT_WAS_SAID.isdisjoint(folded)
    return not anaphoric and folded[:2] != ["for", "example"]
