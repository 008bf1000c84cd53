"""What holds for every step, whichever it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ragembed import Document, Pipeline
from ragembed.embed.words import WordVectors
from ragembed.errors import SpecError
from ragembed.retrieve.steps import STEPS, Step

MINE = (
    "boost(field=lang, value=en)",
    "collapse(similarity=0.7)",
    "expand(embedder=WORDS, similarity=0.1)",
    "mmr(weight=0.4)",
    "neighbours",
    "parent(most=200)",
    "recency(today=2024-01-01)",
    "rm3(documents=3)",
    "rocchio(embedders=all)",
)
WORDS = [
    "fox",
    "hill",
    "river",
    "stone",
    "night",
    "honey",
    "bread",
    "wolf",
    "moon",
    "cloud",
    "winter",
    "door",
]
EMBEDDERS = ("bm25", "lsa(dimension=8)", "bm25+lsa(dimension=8)")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Word vectors by which all words are somewhat near."""
    vectors = np.random.default_rng(0).random((len(WORDS), 6)).astype(np.float32)
    folder = tmp_path_factory.mktemp("words") / "w"
    WordVectors(WORDS, vectors).save(folder)
    return folder


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pipeline]]:
    """Sixty documents of several chunks, some of them copies, dates missing and malformed."""
    chance = random.Random(7)
    texts = [
        ". ".join(" ".join(chance.choices(WORDS, k=9)).capitalize() for _ in range(6)) + "."
        for _ in range(50)
    ]
    dates = ["2023-05-01", "2020", 2019, "yesterday", None, ["2001-01-01", "2022-02-02T10:00:00Z"]]
    documents = [
        Document(f"d{i}", text, {"lang": "en" if i % 3 else "de", "date": dates[i % len(dates)]})
        for i, text in enumerate([*texts, *texts[:10]])
    ]
    made: dict[str, Pipeline] = {}
    for number, embedder in enumerate(EMBEDDERS):
        folder = tmp_path_factory.mktemp("indexes") / str(number)
        made[embedder] = Pipeline.create(folder, embedder, "recursive(tokens=16, overlap=4)")
        made[embedder].add(documents)
    yield made
    for pipeline in made.values():
        pipeline.close()


def written(spec: str, words: Path) -> str:
    return spec.replace("WORDS", f"'{words}'")


def fits(spec: str, embedder: str) -> bool:
    """rm3 and expand change terms, which an index by vectors alone has not."""
    return "bm25" in embedder or not spec.startswith(("rm3", "expand"))


PAIRS = [(spec, embedder) for spec in MINE for embedder in EMBEDDERS if fits(spec, embedder)]
every = pytest.mark.parametrize(("spec", "embedder"), PAIRS)


def test_all_of_these_are_registered() -> None:
    assert {spec.partition("(")[0] for spec in MINE} <= set(STEPS.names())


@pytest.mark.parametrize("name", STEPS.names())
def test_a_step_is_named_as_it_is_registered_and_has_a_loss(name: str) -> None:
    part = STEPS.load(name)
    assert issubclass(part, Step)
    assert part.name == name
    assert part.__doc__


@every
def test_the_spec_makes_the_step_again(spec: str, embedder: str, words: Path) -> None:
    step = STEPS.create(written(spec, words))
    assert STEPS.create(str(step.spec)) == step


@every
def test_the_first_hits_are_the_same_whatever_k_is(
    spec: str, embedder: str, words: Path, indexes: dict[str, Pipeline]
) -> None:
    pipeline = indexes[embedder]
    many = [hit.chunk.id for hit in pipeline.search("fox honey winter", 40, steps=written(spec, words))]
    for k in (1, 3, 10):
        few = [hit.chunk.id for hit in pipeline.search("fox honey winter", k, steps=written(spec, words))]
        assert few == many[:k]


@every
def test_scores_fall_ranks_count_and_no_chunk_comes_twice(
    spec: str, embedder: str, words: Path, indexes: dict[str, Pipeline]
) -> None:
    hits = indexes[embedder].search("river stone moon", 200, steps=written(spec, words))
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert len({hit.chunk.id for hit in hits}) == len(hits)
    name = str(STEPS.create(written(spec, words)).spec)
    assert [hit.steps[name] for hit in hits] == [(hit.rank, hit.score) for hit in hits]


@every
def test_a_query_by_itself_is_answered_as_among_others(
    spec: str, embedder: str, words: Path, indexes: dict[str, Pipeline]
) -> None:
    queries = ["fox honey", "moon", "winter door cloud"]
    together = indexes[embedder].search_many(queries, 5, steps=written(spec, words))
    for query, found in zip(queries, together, strict=True):
        assert indexes[embedder].search(query, 5, steps=written(spec, words)) == found


@every
def test_queries_that_find_little_or_nothing(
    spec: str, embedder: str, words: Path, indexes: dict[str, Pipeline]
) -> None:
    steps = written(spec, words)
    pipeline = indexes[embedder]
    for query in ("the of and", "zzzunknown", "?", "fox " * 50):
        assert len(pipeline.search(query, 5, steps=steps)) <= 5
    assert pipeline.search("fox", 5, where="lang = 'fr'", steps=steps) == []
    assert pipeline.search("zzzunknown", 5, steps=steps) == [] or "lsa" in embedder


@every
def test_only_what_the_filter_lets_through(
    spec: str, embedder: str, words: Path, indexes: dict[str, Pipeline]
) -> None:
    hits = indexes[embedder].search("fox honey", 20, where="lang = 'de'", steps=written(spec, words))
    assert hits
    assert {hit.chunk.metadata["lang"] for hit in hits} == {"de"}


@pytest.mark.parametrize("spec", MINE)
def test_an_empty_index(spec: str, words: Path, tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25") as pipeline:
        assert pipeline.search("fox", 5, steps=written(spec, words)) == []


@every
def test_documents_are_ranked_as_their_chunks(
    spec: str, embedder: str, words: Path, indexes: dict[str, Pipeline]
) -> None:
    (found,) = indexes[embedder].search_documents(["fox honey winter"], 5, steps=written(spec, words))
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert len(found) == 5


def test_all_of_them_together(words: Path, indexes: dict[str, Pipeline]) -> None:
    steps = written("+".join(MINE), words)
    hits = indexes["bm25+lsa(dimension=8)"].search("fox honey winter", 5, steps=steps)
    assert len(hits) == 5
    assert list(hits[0].steps)[-3:] == [str(STEPS.create(written(s, words)).spec) for s in MINE[-3:]]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("boost", "boost takes a field and its value, or where"),
        ("boost(field=lang)", "boost takes a field and its value, or where"),
        ("boost(field=lang, value=en, where=path:a/*)", "boost takes"),
        ("boost(field=lang, value=en, depth=0)", "depth=0"),
        ("boost(where=' ')", "is empty"),
        ("collapse(similarity=0.0)", "not above 0"),
        ("collapse(similarity=1.1)", "not above 0 and up to 1"),
        ("collapse(depth=0)", "below 1"),
        ("expand(terms=0)", "below 1"),
        ("expand(similarity=0.0)", "not above 0"),
        ("expand(weight=-0.1)", "not between 0 and 1"),
        ("mmr(weight=1.5)", "not between 0 and 1"),
        ("mmr(depth=0)", "below 1"),
        ("neighbours(before=-1)", "below 0"),
        ("parent(most=0)", "below 1"),
        ("recency(half_life=0.0)", "not above 0"),
        ("recency(today=soon)", "no date"),
        ("recency(depth=0)", "below 1"),
        ("rm3(documents=0)", "below 1"),
        ("rm3(terms=0)", "below 1"),
        ("rm3(weight=2.0)", "not between 0 and 1"),
        ("rocchio(embedders=none)", "valid are: all, dense, sparse"),
        ("rocchio(weight=-1.0)", "not between 0 and 1"),
        ("mmrr", "did you mean mmr"),
        ("mmr(lambda=0.5)", "has no parameter 'lambda'"),
    ],
)
def test_parameters_that_make_no_sense(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        STEPS.create(spec)
