"""What the crash tests do to an index, and the oracle that says what it must hold and answer afterwards.

The oracle knows only which documents and files there should be. What an index of those must answer comes from one
that is built from scratch in an undisturbed process; which chunks it holds is read from the catalog by plain SQL.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import operator
import random
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ragembed.types import Document, Hit

if TYPE_CHECKING:
    from ragembed.pipeline import Pipeline

EMBEDDERS = {
    "sparse": "bm25(language=en)",
    "hybrid": "bm25(language=en)+random-projection(dimension=32, language=en)",
    "learnt": "bm25(language=en)+lsa(dimension=8, language=en)",
}
"""Settled specs, so that what an index answers depends on what it holds and not on what came first."""
_LEARNT = "lsa"
"""What it gives does depend on what came first, so its scores are not compared, nor what it alone finds."""
CHUNKER = "recursive(tokens=24, overlap=0)"
"""Each of the paragraphs that `text_of` writes is one chunk."""
PARAGRAPHS = 3
_WORDS = [
    f"{a}{b}"
    for a in ("bor", "cal", "dun", "fel", "gam", "hod", "kip")
    for b in ("ant", "ive", "ost", "urn", "yx")
]
_ALL = 100_000
"""More hits than there are chunks: ties do not matter when everything that matches is asked for."""
FLAT, LISTS = "flat", "ivf(lists=4, probes=4)"
"""Exact search, and an accelerator that looks into all its lists of vectors as they are, so that it misses nothing."""
_NEAR = 2
"""Hits that are asked for through an accelerator: of few rows it serves few, and leaves `_ALL` to exact search."""
ENOUGH_CHUNKS = 60
"""So many that an accelerator over them, without those that it is measured by, serves `_NEAR` hits."""


def sign_of(name: str, paragraph: int, version: int) -> str:
    """A word that stands in that paragraph of that version and nowhere else."""
    letters = "".join(character for character in name if character.isalnum())
    return f"zq{letters}p{paragraph}v{version}x"


def text_of(name: str, version: int) -> str:
    """Three paragraphs; each further version changes one of them."""
    paragraphs = []
    for number in range(PARAGRAPHS):
        own = max((v for v in range(version + 1) if v % PARAGRAPHS == number), default=0)
        words = random.Random(f"{name} {number} {own}")
        paragraphs.append(f"{' '.join(words.choices(_WORDS, k=18))} {sign_of(name, number, own)}.")
    return "\n\n".join(paragraphs)


@dataclass(frozen=True)
class State:
    """What an index should hold: the versions of its documents, by id, and of the files it was made from, by name."""

    documents: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    index_type: str = FLAT
    """What `optimize` was last told; it changes no answer."""

    @property
    def key(self) -> str:
        """The same for states of the same answers."""
        return json.dumps([self.documents, self.files], sort_keys=True)

    @property
    def chunks(self) -> int:
        """How many it has."""
        return PARAGRAPHS * (len(self.documents) + len(self.files))

    def put(self, *ids: str, version: int = 0) -> State:
        """With those documents."""
        return replace(self, documents={**self.documents, **dict.fromkeys(ids, version)})

    def without(self, *ids: str) -> State:
        """Without those documents."""
        return replace(self, documents={name: v for name, v in self.documents.items() if name not in ids})

    def written(self, **files: int | None) -> State:
        """With those files, by stem; without those that are None."""
        new = {**self.files, **{f"{stem}.md": version for stem, version in files.items()}}
        return replace(self, files={name: v for name, v in new.items() if v is not None})

    def document(self, identifier: str) -> Document:
        """One of its documents."""
        return document_of(identifier, self.documents[identifier])


def document_of(identifier: str, version: int) -> Document:
    """That version of a document."""
    language = ("en", "de", "fr")[len(identifier) % 3]
    return Document(identifier, text_of(identifier, version), {"lang": language, "version": version})


@dataclass(frozen=True)
class Place:
    """A working folder: the index, and the sources that it is made from."""

    root: Path

    @property
    def index(self) -> Path:
        """Where the index lies."""
        return self.root / "work.index"

    @property
    def sources(self) -> Path:
        """Where the files lie that it is made from."""
        return self.root / "sources"

    def show(self, files: Mapping[str, int]) -> None:
        """Make the sources hold just these files; those that are right already are left alone."""
        self.sources.mkdir(exist_ok=True)
        for path in self.sources.iterdir():
            if path.name not in files:
                path.unlink()
        for name, version in files.items():
            path, text = self.sources / name, text_of(name, version)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")


Found = Mapping[str, Mapping[str, float]]
"""Each chunk that a query finds, with its score by each embedder."""


@dataclass(frozen=True)
class Answers:
    """What an index holds and says."""

    documents: Mapping[str, object]
    """Each document's metadata and chunks: id, span, text."""
    hits: Mapping[str, Found]
    """By query."""
    near: Mapping[str, Near] = field(default_factory=dict)
    """The same, through the accelerator if there is one."""

    def difference(self, other: Answers) -> str:
        """What of `other` is not the same here; empty where all is."""
        if set(self.documents) != set(other.documents):
            lost, extra = (
                set(other.documents) - set(self.documents),
                set(self.documents) - set(other.documents),
            )
            return f"documents lost {sorted(lost)}, documents too many {sorted(extra)}"
        for name, value in other.documents.items():
            if self.documents[name] != value:
                return f"document {name} is {self.documents[name]}, should be {value}"
        differences = (hits_differ(self.hits[query], hits) for query, hits in other.hits.items())
        nearest = (near_differs(near, other.hits[query]) for query, near in self.near.items())
        return next(filter(None, (*differences, *nearest)), "")


def hits_differ(found: Found, expected: Found) -> str:
    """What is found other than expected; empty where nothing is."""
    if set(found) != set(expected):
        return (
            f"finds {sorted(set(found) - set(expected))} too many, lacks {sorted(set(expected) - set(found))}"
        )
    for chunk, scores in expected.items():
        if set(found[chunk]) != set(scores) or not all(
            _close(found[chunk][name], scores[name]) for name in scores
        ):
            return f"scores {chunk} {found[chunk]}, should be {scores}"
    return ""


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6)


def ask(pipeline: Pipeline, queries: Sequence[str]) -> dict[str, Found]:
    """Everything that is found for each query."""
    found: dict[str, Found] = {}
    for query, hits in zip(queries, pipeline.search_many(queries, _ALL), strict=True):
        scores = {hit.chunk.id: _comparable(hit) for hit in hits}
        found[query] = {chunk: parts for chunk, parts in scores.items() if parts}
    return found


Near = Mapping[str, Mapping[str, float]]
"""For each dense embedder the chunks nearest to a query, with their scores."""


def ask_near(pipeline: Pipeline, query: str) -> tuple[Near, bool]:
    """The nearest chunks, and whether an accelerator named them."""
    from ragembed.index.ann.search import AcceleratedIndex
    from ragembed.retrieve.sides import DenseSide

    near: dict[str, Mapping[str, float]] = {}
    served = False
    for ranking in pipeline.rankings([query], _NEAR):
        near, served = {}, False
        for number, side in enumerate(ranking.sides):
            if not isinstance(side, DenseSide) or side.embedder.name == _LEARNT:
                continue
            (hits,) = ranking.lists(number, [0], _NEAR)
            chunks = ranking.chunks([row for row, _ in hits])
            near[side.embedder.name] = {chunks[row].id: score for row, score in hits}
            index = side.index
            served |= isinstance(index, AcceleratedIndex) and index.accelerator.serves(_NEAR + 1, None)
    return near, served


def near_differs(near: Near, found: Found) -> str:
    """What is nearest other than the best of everything that is found; empty where nothing is."""
    for name, scores in near.items():
        known = {
            chunk: score
            for chunk, parts in found.items()
            for embedder, score in parts.items()
            if embedder.startswith(name)
        }
        best = sorted(known.values(), reverse=True)[:_NEAR]  # by scores, as equal ones may change places
        if not set(scores) <= set(known):
            return f"{sorted(set(scores) - set(known))} are near by {name} and are not found"
        if (
            len(scores) != len(best)
            or not all(_close(score, known[chunk]) for chunk, score in scores.items())
            or not all(map(_close, sorted(scores.values(), reverse=True), best))
        ):
            return f"the nearest by {name} are {dict(scores)}, the best scores {best}"
    return ""


def _comparable(hit: Hit) -> dict[str, float]:
    return {name: score for name, (_, score) in hit.parts.items() if not name.startswith(_LEARNT)}


def held(folder: Path) -> dict[str, object]:
    """Each document's metadata and chunks, read by SQL."""
    with contextlib.closing(sqlite3.connect(folder / "catalog.db")) as database:
        documents: dict[int, tuple[str, object, list[object]]] = {
            row: (identifier, json.loads(metadata), [])
            for row, identifier, metadata in database.execute("SELECT row, id, metadata FROM documents")
        }
        for row, *chunk in database.execute(
            'SELECT document, id, start, "end", text FROM chunks ORDER BY document, start'
        ):
            documents[row][2].append(chunk)
    return {identifier: [metadata, chunks] for identifier, metadata, chunks in documents.values()}


def queries_for(states: Sequence[State]) -> list[str]:
    """Common words, and a word of each document that is in only some of `states`: what is deleted must not be found."""
    names = [{*state.documents.items(), *state.files.items()} for state in states]
    common = functools.reduce(operator.and_, names)
    differing = sorted(functools.reduce(operator.or_, names) - common)
    signs = [sign_of(name, number, version) for name, version in differing for number in range(PARAGRAPHS)]
    return ["borant calive hodyx", "kipurn felost", *signs[:24]]


class Oracle:
    """Says what an index of a state answers, from one built from scratch."""

    def __init__(self, place: Place, embedder: str) -> None:
        self.place = place
        self.embedder = embedder
        self._made: dict[str, Path] = {}
        self._answers: dict[tuple[str, ...], Answers] = {}

    def answers(self, state: State, queries: Sequence[str]) -> Answers:
        """What an index of `state` that nothing ever happened to holds and answers."""
        from ragembed.pipeline import Pipeline

        key = (state.key, *queries)
        if key not in self._answers:
            folder = self._made.get(state.key) or self._build(state)
            with Pipeline.open(folder) as pipeline:
                self._answers[key] = Answers(held(folder), ask(pipeline, queries))
        return self._answers[key]

    def prepare(self, states: Sequence[State]) -> None:
        """Have the answers at hand that `faults_of` needs when these states are allowed, also in forked processes."""
        for state in states:
            self.answers(state, queries_for(states))

    def _build(self, state: State) -> Path:
        from ragembed.pipeline import Pipeline

        folder = self.place.root / "scratch" / f"{len(self._made)}.index"
        with Pipeline.create(folder, self.embedder, CHUNKER) as pipeline:
            if state.files:
                self.place.show(state.files)
                pipeline.index(self.place.sources)
            if state.documents:
                pipeline.add([state.document(identifier) for identifier in state.documents])
        documents = held(folder)
        if not set(state.documents) <= set(documents) or len(documents) != len(state.documents) + len(
            state.files
        ):
            raise AssertionError(f"an index built from scratch holds {sorted(documents)}, not {state}")
        self._made[state.key] = folder
        return folder

    def forget(self) -> None:
        """Remove the indexes built so far."""
        shutil.rmtree(self.place.root / "scratch", ignore_errors=True)
        self._made.clear()
        self._answers.clear()


def faults_of(
    folder: Path, allowed: Sequence[State], oracle: Oracle, queries: Sequence[str] | None = None
) -> tuple[int, list[str]]:
    """Which of the states `allowed` the index in `folder` holds, and what is wrong with it.

    The index is opened anew. The number is -1 where it holds none of them. `queries` are those that tell `allowed`
    apart, unless given.
    """
    from ragembed.index.verify import verify
    from ragembed.pipeline import Pipeline

    queries = queries or queries_for(allowed)
    with Pipeline.open(folder) as pipeline:
        wrong = [f"verify: {problem}" for problem in verify(pipeline.store)]
        if wrong:
            return -1, wrong
        near = {query: ask_near(pipeline, query)[0] for query in queries}
        found = Answers(held(folder), ask(pipeline, queries), near)
        info = pipeline.info()
    index_type = info["index_type"]
    if index_type == FLAT and info["accelerators"]:
        return -1, ["there is an accelerator, and the index type is flat"]
    differences = []
    for number, state in enumerate(allowed):
        difference = found.difference(oracle.answers(state, queries))
        if not difference and index_type != state.index_type:
            difference = f"the index type is {index_type}, should be {state.index_type}"
        if not difference:
            return number, []
        differences.append(f"not state {number} of {len(allowed)}: {difference}")
    return -1, differences


Act = Callable[["Pipeline", Place], object]


@dataclass(frozen=True)
class Step:
    """One operation on an index, and the states before and after it."""

    name: str
    act: Act
    before: State
    after: State
    between: tuple[State, ...] = ()
    """States that it may be interrupted in, for what commits more than once."""
    damage: Callable[[Place], None] | None = None
    """Done before it, undisturbed, to an index that it then mends."""
    leaves_no_trace: bool = False
    """Whether afterwards no file holds any text of what was deleted."""

    @property
    def allowed(self) -> tuple[State, ...]:
        """States that an interruption may leave."""
        return (self.before, *self.between, self.after)


def script() -> list[Step]:
    """Every kind of write, in an order in which each has something to do."""
    steps: list[Step] = []

    def then(name: str, act: Act, after: State, *between: State, **more: object) -> State:
        before = steps[-1].after if steps else State()
        steps.append(Step(name, act, before, after, between, **more))  # type: ignore[arg-type]
        return after

    def added(*ids: str) -> Act:
        return lambda pipeline, place: pipeline.add([document_of(name, 0) for name in ids])

    def optimized(index_type: str) -> Act:
        return lambda pipeline, place: pipeline.optimize(index_type=index_type)

    first, second = [f"a{n:x}" for n in range(16)], [f"bb{n}" for n in range(4)]
    state = then("add to nothing", added(*first), State().put(*first))
    state = then("add", added(*second), state.put(*second))
    state = then(
        "index a folder",
        lambda p, place: p.index(place.sources),
        state.written(one=0, two=0, three=0, four=0),
    )
    state = then("optimize", optimized(LISTS), replace(state, index_type=LISTS))
    changed = state.put("a1", "a2", version=1).put("new")
    state = then(
        "upsert",
        lambda p, place: p.upsert([document_of("a1", 1), document_of("a2", 1), document_of("new", 0)]),
        changed,
    )
    state = then("delete by id", lambda p, place: p.delete(["a3", "bb1"]), state.without("a3", "bb1"))
    synced = state.written(one=1, five=0)
    state = then(
        "index and prune",
        lambda p, place: p.index(place.sources, prune=True),
        synced.written(two=None),
        synced,
    )
    state = then(
        "delete by filter",
        lambda p, place: p.delete(where={"lang": document_of("bb0", 0).metadata["lang"]}),
        state.without(
            *(
                name
                for name, v in state.documents.items()
                if document_of(name, v).metadata["lang"] == document_of("bb0", 0).metadata["lang"]
            )
        ),
    )
    state = then("vacuum", lambda p, place: p.vacuum(), state, leaves_no_trace=True)
    state = then("repair", lambda p, place: p.repair(), state, damage=_lose_a_segment)
    state = then("optimize again", optimized(LISTS), state)
    state = then("search exactly again", optimized(FLAT), replace(state, index_type=FLAT))
    return steps


def traces(folder: Path, gone: Sequence[State], live: State) -> list[str]:
    """Files below `folder` that hold a word which stood in one of the states `gone` and stands in `live` no more."""

    def signs(state: State) -> set[str]:
        texts = [text_of(name, version) for name, version in [*state.documents.items(), *state.files.items()]]
        return {word.strip(".") for text in texts for word in text.split() if word.startswith("zq")}

    words = set().union(*map(signs, gone)) - signs(live)
    found: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        found.extend(f"{path.name} still holds {word}" for word in sorted(words) if word.encode() in content)
    return found


def _lose_a_segment(place: Place) -> None:
    max((place.index / "segments").iterdir(), key=lambda path: path.stat().st_size).unlink()
