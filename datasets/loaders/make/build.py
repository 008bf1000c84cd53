"""Documents -> a test set: passages, queries drawn from them, the cuts that those need, and the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ragembed.analysis import Analyzer
from ragembed.analysis.detect import detect_language
from ragembed.datasets.make.choose import Choice, Chooser, difficulty
from ragembed.datasets.make.cuts import Moved, cuts_of, find_in, moved
from ragembed.datasets.make.kinds import KINDS
from ragembed.datasets.make.passages import Passage, passages
from ragembed.datasets.make.sentences import Range, without
from ragembed.datasets.make.similar import Space
from ragembed.errors import DatasetError
from ragembed.types import Document, Qrels, Span, SpanTruth

LEAST_PASSAGES = 20
"""With fewer passages to choose among, a system that guesses is often right."""

FULL_GAIN, PART_GAIN = 3, 1
"""Gains of the document that a query was drawn from and its near-duplicates, and of those that are most like it."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class MakeOptions:
    """How a test set is made. The same options and documents make the same test set, to the byte."""

    queries: int = 1000
    """How many are wanted; there may be fewer."""
    seed: int = 0
    kinds: tuple[str, ...] = tuple(KINDS)
    language: str = "auto"
    """Of the documents: a name or ISO code, ``auto`` to detect it, ``none`` for no stop words and stems."""
    keep_text: bool = False
    """Leave what queries were drawn from in the documents. Word matching is then at a large advantage."""

    def __post_init__(self) -> None:
        if self.queries < 1:
            raise DatasetError(f"{self.queries} queries are asked for", "ask for at least 1")
        if self.seed < 0:
            raise DatasetError(f"the seed is {self.seed}", "give a whole number from 0")
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            what = f"unknown kind of query {unknown[0]!r}" if unknown else "no kind of query is named"
            raise DatasetError(what, f"valid are: {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class MadeQuery:
    """A query, and how it came about."""

    id: str
    text: str
    kind: str
    difficulty: str
    """``easy``, ``medium`` or ``hard``, by `overlap`."""
    overlap: float
    """Share of the query's words, by idf, that stand in the passage that answers it."""
    drawn_from: str
    """Id of the document."""


@dataclass(frozen=True, slots=True)
class MadeSet:
    """A test collection made of documents."""

    documents: list[Document]
    """Without what queries were drawn from."""
    queries: list[MadeQuery]
    qrels: Qrels
    spans: SpanTruth
    language: str
    passages: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Why candidates were not taken, and how often."""

    def count(self, what: str) -> dict[str, int]:
        """How many queries there are of each ``kind`` or ``difficulty``, most first."""
        found = Counter(getattr(query, what) for query in self.queries)
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def make_test_set(
    documents: Sequence[Document], options: MakeOptions | None = None, progress: Progress | None = None
) -> MadeSet:
    """Make a test set of `documents`, whose texts must have no white space at their ends; empty ones are left out.

    Raises `DatasetError` where there are too few passages, or none of which a query could be drawn.
    """
    options = options or MakeOptions()
    given = len(documents)
    documents = [document for document in documents if document.text]
    found = [part for number, document in enumerate(documents) for part in passages(number, document)]
    if len(found) < LEAST_PASSAGES:
        raise DatasetError(
            f"{_counted(given, 'document')} {'holds' if given == 1 else 'hold'} {_counted(len(found), 'passage')}",
            f"a test set needs at least {LEAST_PASSAGES}: sections or paragraphs with some sentences",
        )
    texts = [documents[part.document].text[part.start : part.end] for part in found]
    language = detect_language(texts) if options.language == "auto" else options.language
    analyzer = Analyzer(language)
    chooser = Chooser(documents, found, Space(texts, analyzer), analyzer, options.seed, options.kinds)
    wanted = options.queries
    chosen = chooser.choose(wanted, progress and (lambda done: progress(done, wanted, "choosing queries")))
    cuts = {} if options.keep_text else cuts_of(documents, found, chosen)
    truth = _Truth(documents, found, cuts)
    queries: list[MadeQuery] = []
    qrels: Qrels = {}
    spans: SpanTruth = {}
    for choice in chosen:
        answers = list(truth.spans(choice))
        if not answers:  # another query, of a near-duplicate, took its sentence
            chooser.dropped["its answer was cut"] += 1
            continue
        name = f"q{len(queries) + 1}"
        candidate = choice.candidate
        own = documents[found[choice.row].document].id
        queries.append(
            MadeQuery(
                name,
                candidate.text,
                candidate.kind,
                difficulty(choice.overlap),
                round(choice.overlap, 3),
                own,
            )
        )
        qrels[name] = truth.gains(choice)
        spans[name] = answers
    if not queries:
        raise DatasetError(
            f"no query could be drawn from {len(found)} passages",
            "name other kinds, or documents with headings or with sentences",
        )
    return MadeSet(
        list(truth.documents()),
        queries,
        qrels,
        spans,
        analyzer.language,
        len(found),
        dict(sorted(chooser.dropped.items())),
    )


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'s' * (number != 1)}"


_UNMOVED = Moved(())


class _Truth:
    """Where answers stand when the cuts are made."""

    def __init__(
        self, documents: Sequence[Document], found: Sequence[Passage], cuts: Mapping[int, list[Range]]
    ) -> None:
        self._documents = documents
        self._passages = found
        self._cuts = cuts
        self._moved = {number: Moved(spans) for number, spans in cuts.items()}
        self._texts = {
            number: without(documents[number].text, spans).rstrip() for number, spans in cuts.items()
        }

    def documents(self) -> Iterator[Document]:
        """The documents as the test set has them."""
        for number, document in enumerate(self._documents):
            cuts = self._cuts.get(number)
            if cuts:
                document = Document(document.id, self._texts[number], moved(document.metadata, cuts))
            yield document

    def spans(self, choice: Choice) -> Iterator[Span]:
        """The answer in the passage of a query and in its near-duplicates."""
        candidate = choice.candidate
        for row in (choice.row, *choice.same):
            passage = self._passages[row]
            span = passage.body
            if candidate.answer is not None:
                text = self._documents[self._passages[choice.row].document].text
                span = candidate.answer
                if row != choice.row:
                    found = find_in(text[slice(*span)], self._documents[passage.document].text, passage)
                    if found is None:
                        continue
                    span = found
            placed = self._placed(passage.document, span)
            if placed is not None:
                yield placed

    def gains(self, choice: Choice) -> dict[str, int]:
        """The judgements that follow from a choice."""
        ids = [self._documents[passage.document].id for passage in self._passages_of(choice.related)]
        gains = dict.fromkeys(ids, PART_GAIN)
        for passage in self._passages_of((choice.row, *choice.same)):
            gains[self._documents[passage.document].id] = FULL_GAIN
        return dict(sorted(gains.items(), key=lambda pair: -pair[1]))

    def _passages_of(self, rows: Sequence[int]) -> list[Passage]:
        return [self._passages[row] for row in rows]

    def _placed(self, number: int, span: Range) -> Span | None:
        """`span` of the document at `number` after the cuts, without white space at its ends; None if it is gone."""
        document = self._documents[number]
        place = self._moved.get(number, _UNMOVED)
        start, end = place(span[0]), place(span[1])
        text = self._texts.get(number, document.text)[start:end]
        bare = text.strip()
        if not bare:
            return None
        start += len(text) - len(text.lstrip())
        return Span(document.id, start, start + len(bare))
