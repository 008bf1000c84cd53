"""Judging an embedder by a file: the task that the file sets, and the result as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ragembed.embed.base import Embedder
from ragembed.embed.coverage import Coverage, added, coverages
from ragembed.errors import SpecError
from ragembed.eval.quality.analogies import OBJECTIVES, Answers, analogies, total
from ragembed.eval.quality.bias import bias
from ragembed.eval.quality.bias_files import BiasTest
from ragembed.eval.quality.files import Section, Task, read_quality_file
from ragembed.eval.quality.pair_files import Pairs
from ragembed.eval.quality.prepare import ready
from ragembed.eval.quality.progress import Counted, part_of
from ragembed.eval.quality.similarity import Unknown, similarity
from ragembed.eval.quality.words import EmbeddedTexts, WordLookup, embedded, word_vectors_of

if TYPE_CHECKING:
    from ragembed.eval.quality.words import Matrix

Measures = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a task gives."""

    measures: Measures
    """Values by name; None where one could not be computed (a bias test of whose words too few are known)."""
    unit: Literal["pairs", "questions", "words"]
    """What `total` and `covered` count."""
    total: int
    covered: int
    """Of which every word or text has a vector that is not zeros."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """95 % confidence intervals of measures."""
    details: dict[str, Any] = field(default_factory=dict)
    """What only this task has, as JSON values: ``sections``, ``vocabulary``, ``tests``."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What an embedder reached on a file."""

    dataset: str
    """The file's name."""
    task: Task
    embedder: str
    """Its spec, in canonical form and with what it settled."""
    found: Found
    unknown: Unknown
    """What was done with pairs and questions that are not covered."""
    fitted_on: str | None
    """What the embedder learnt from; None where it learnt nothing here."""
    truncated: int
    """Texts of which it cut off the end."""
    coverage: Coverage | None
    """How many tokens of texts had a vector; None where single words were judged, or it goes by no words of its own."""
    seconds: dict[str, float]
    """``fit``: reading the corpus and learning from it; ``score``: embedding and measuring."""

    @property
    def measures(self) -> Measures:
        """Values by name."""
        return self.found.measures

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        found = self.found
        return {
            "dataset": self.dataset,
            "task": self.task,
            "embedder": self.embedder,
            "measures": found.measures,
            "intervals": {name: list(ends) for name, ends in found.intervals.items()},
            found.unit: found.total,
            "covered": found.covered,
            "unknown": self.unknown,
            "fitted_on": self.fitted_on,
            "truncated": self.truncated,
            **({} if self.coverage is None else {"coverage": self.coverage.to_json()}),
            "seconds": self.seconds,
            **found.details,
        }


@dataclass(frozen=True, slots=True)
class _Options:
    unknown: Unknown
    vocabulary: Sequence[str] | int | None
    ignore_case: bool
    rounds: int
    seed: int
    progress: Counted | None


def evaluate_quality(
    path: str | Path,
    embedder: str | Embedder,
    *,
    corpus: Iterable[str] | None = None,
    unknown: Unknown | None = None,
    vocabulary: Sequence[str] | int | None = None,
    ignore_case: bool = True,
    rounds: int = 100_000,
    seed: int = 0,
    progress: Counted | None = None,
) -> Quality:
    """Judge `embedder`, a spec or one that is ready, by the file at `path` (see `ragembed.eval.quality.files.FORMS`).

    - `corpus`: texts that the embedder learns from first, see `ragembed.eval.quality.prepare.ready`.
    - `unknown`: what is done with pairs and questions of which something has no vector: ``skip``, the default for
      words, or ``zero``, the default for sentences, where a system must not gain by what it cannot embed.
    - `vocabulary`: words that may answer an analogy; a number takes the first so many of the embedder's own. By default
      all its own, or those of the questions where it has none.
    - `ignore_case`: of analogies, see `ragembed.eval.quality.analogies.analogies`.
    - `rounds`: partitions that p of a bias test is counted over, at most.

    The same arguments give the same numbers.
    """
    file = read_quality_file(path)
    task = _TASKS[file.task]
    if unknown is None:
        unknown = "zero" if file.task == "sentence-similarity" else "skip"
    if unknown not in get_args(Unknown):
        raise SpecError(f"unknown is {unknown!r}", f"valid are: {', '.join(get_args(Unknown))}")
    if unknown == "zero" and file.task == "bias":
        raise SpecError(
            f"{file.name} sets bias tests, which unknown words are always left out of", "leave it out"
        )
    if vocabulary is not None and file.task != "analogies":
        raise SpecError(
            f"{file.name} sets {file.task}, which has no vocabulary to answer from", "leave it out"
        )
    options = _Options(unknown, vocabulary, ignore_case, rounds, seed, progress)
    started = time.perf_counter()
    texts = list(dict.fromkeys(task.texts(file.content)))
    maker, fitted_on = ready(embedder, corpus, texts, words=file.task != "sentence-similarity")
    fitted = time.perf_counter()
    cut, known = maker.truncation.texts, coverages([maker])
    found = task.run(file.content, maker, options)
    scored = time.perf_counter()
    return Quality(
        dataset=file.name,
        task=file.task,
        embedder=str(maker.spec),
        found=found,
        unknown=unknown,
        fitted_on=fitted_on,
        truncated=maker.truncation.texts - cut,
        coverage=next(iter(added([maker], known).values()), None),
        seconds={"fit": round(fitted - started, 3), "score": round(scored - fitted, 3)},
    )


def _word_similarity(pairs: Pairs, embedder: Embedder, options: _Options) -> Found:
    return _similarity(pairs, word_vectors_of(embedder), options)


def _sentence_similarity(pairs: Pairs, embedder: Embedder, options: _Options) -> Found:
    return _similarity(pairs, EmbeddedTexts(embedder), options)


def _similarity(pairs: Pairs, vectors: WordLookup, options: _Options) -> Found:
    found = similarity(pairs, vectors, unknown=options.unknown, seed=options.seed, progress=options.progress)
    measures: Measures = {"Spearman": found.spearman, "Pearson": found.pearson}
    return Found(measures, "pairs", found.pairs, found.covered, {"Spearman": found.interval})


def _analogies(sections: list[Section], embedder: Embedder, options: _Options) -> Found:
    words, vectors, whose = _vocabulary(sections, word_vectors_of(embedder), options, embedder.name)
    answers = analogies(sections, words, vectors, ignore_case=options.ignore_case, progress=options.progress)
    overall = total("all", answers)
    parts = {"": overall}
    syntactic = [part for part in answers if part.syntactic]
    if syntactic and len(syntactic) < len(answers):
        parts[" semantic"] = total("semantic", [part for part in answers if not part.syntactic])
        parts[" syntactic"] = total("syntactic", syntactic)
    measures = {
        name + kind: part.accuracy(name, options.unknown)
        for name in OBJECTIVES
        for kind, part in parts.items()
    }
    details = {
        "vocabulary": {"words": len(words), "of": whose},
        "sections": [_section(part, options.unknown) for part in answers],
    }
    return Found(measures, "questions", overall.questions, overall.covered, details=details)


def _section(part: Answers, unknown: Unknown) -> dict[str, Any]:
    counts = {"name": part.name, "questions": part.questions, "covered": part.covered}
    return {**counts, **{name: part.accuracy(name, unknown) for name in OBJECTIVES}}


def _vocabulary(
    sections: list[Section], vectors: WordLookup, options: _Options, name: str
) -> tuple[Sequence[str], Matrix, str]:
    """The words that may answer, their vectors, and whose words they are."""
    own, asked = vectors.vocabulary(), options.vocabulary
    if isinstance(asked, int):
        if own is None:
            raise SpecError(
                f"{name} has no vocabulary of its own to take the first {asked} words of",
                "give the words that may answer, or leave it out for those of the questions",
            )
        if asked < 1:
            raise SpecError(f"a vocabulary of {asked} words answers nothing", "give a number from 1")
        return own[0][:asked], own[1][:asked], "the embedder"
    if asked is None and own is not None:
        return *own, "the embedder"
    words = list(dict.fromkeys(_question_words(sections) if asked is None else asked))
    known, rows = embedded(words, vectors, part_of(options.progress, len(words), "words"))
    kept = known.nonzero()[0]
    return [words[row] for row in kept], rows[kept], "the questions" if asked is None else "the list given"


def _bias(tests: list[BiasTest], embedder: Embedder, options: _Options) -> Found:
    found = bias(
        tests, word_vectors_of(embedder), rounds=options.rounds, seed=options.seed, progress=options.progress
    )
    measures = {test.name: test.d for test in found.tests}
    details = {"tests": [test.to_json() for test in found.tests]}
    return Found(measures, "words", found.words, found.covered, details=details)


def _question_words(sections: list[Section]) -> Iterable[str]:
    return (word for section in sections for question in section.questions for word in question)


@dataclass(frozen=True, slots=True)
class _Task:
    run: Callable[[Any, Embedder, _Options], Found]
    texts: Callable[[Any], Iterable[str]]
    """All texts that are embedded for it."""


_TASKS: Mapping[Task, _Task] = {
    "word-similarity": _Task(_word_similarity, lambda pairs: (*pairs.left, *pairs.right)),
    "sentence-similarity": _Task(_sentence_similarity, lambda pairs: (*pairs.left, *pairs.right)),
    "analogies": _Task(_analogies, _question_words),
    "bias": _Task(_bias, lambda tests: (word for test in tests for word in test.words())),
}
