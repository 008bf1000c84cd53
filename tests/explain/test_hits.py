from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Dense, Embedder
from ragembed.errors import EmbeddingError, QueryError
from ragembed.explain.vectors import PIECES

Make = Callable[..., Pipeline]
QUERY = "which foxes hunt the mice, foxes?"


def sums(pipeline: Pipeline, query: str = QUERY, k: int = 10) -> None:
    """Every part is the sum of its contributions, every hit of its shares, and all is what a search gives."""
    found = pipeline.explain(query, k=k)
    hits = pipeline.search(query, k)
    assert [(hit.chunk, hit.score, hit.rank) for hit in found.hits] == [
        (hit.chunk, hit.score, hit.rank) for hit in hits
    ]
    for explained, hit in zip(found.hits, hits, strict=True):
        assert {part.embedder: (part.rank, part.score) for part in explained.parts} == hit.parts
        assert sum(part.share for part in explained.parts) == pytest.approx(hit.score, abs=1e-9)
        for part in explained.parts:
            total = sum(one.score for one in part.contributions)
            assert total + part.rest == pytest.approx(part.score, abs=1e-9)
            if part.method == "terms":
                assert total == pytest.approx(part.score, abs=1e-5)


@pytest.mark.parametrize(
    "name", sorted({*EMBEDDERS.entries} - {"colbert", "elmo", "hf", "st"})
)  # which lack a model
def test_contributions_sum_up_to_the_score(name: str, make: Make, animals: list[str]) -> None:
    try:
        pipeline = make(animals, {"lsa": "lsa(dimension=5)"}.get(name, name))
    except (EmbeddingError, ImportError) as error:  # a model that is not on this machine
        pytest.skip(str(error))
    sums(pipeline)
    methods = {part.method for hit in pipeline.explain(QUERY).hits for part in hit.parts}
    assert methods == ({"leave_one_out", "none"} if name == "minilm" else {"terms"})


def test_a_hybrid_adds_up(make: Make, animals: list[str]) -> None:
    sums(make(animals, "bm25+lsa(dimension=5)+random-projection"))


def test_bm25_by_hand(make: Make) -> None:
    pipeline = make(["fox fox den", "bee"], "bm25(language=none)")
    part = pipeline.explain("fox").hits[0].parts[0]
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    factor = 1.5 * (1 - 0.75 + 0.75 * 3 / 2)  # 3 terms, 2 on average
    (one,) = part.contributions
    assert (one.what, one.count, part.length, part.average_length) == ("fox", 2, 3, 2.0)
    assert one.query_weight == pytest.approx(idf, abs=1e-6)
    assert part.length_factor == pytest.approx(factor, abs=1e-6)
    assert one.document_weight == pytest.approx(2 / (2 + factor), abs=1e-6)
    assert part.score == pytest.approx(idf * 2 / (2 + factor), abs=1e-6)


def test_a_term_asked_twice_counts_twice(make: Make) -> None:
    pipeline = make(["fox den", "bee"], "bm25(language=none)")
    once, twice = (pipeline.explain(query).hits[0].parts[0].contributions[0] for query in ("fox", "fox fox"))
    assert twice.score == pytest.approx(2 * once.score, abs=1e-6)


def test_words_stems_and_stop_words(make: Make, animals: list[str]) -> None:
    (seen,) = make(animals).explain("The foxes, foxes and unicorns").lists
    assert [(word.word, word.terms, word.stop_word) for word in seen.words] == [
        ("The", (), True), ("foxes", ("fox",), False), ("foxes", ("fox",), False), ("and", (), True),
        ("unicorns", ("unicorn",), False),
    ]  # fmt: skip
    fox, unicorn = seen.terms
    assert (fox.term, fox.words, fox.count, fox.frequency, fox.known) == ("fox", ("foxes",), 2, 3, True)
    assert (unicorn.frequency, unicorn.idf, unicorn.known) == (0, None, False)


def test_lsa_does_not_know_what_it_has_not_learnt(make: Make, animals: list[str]) -> None:
    pipeline = make(animals, "lsa(dimension=5)")
    pipeline.add([Document("late", "The quokka smiles at the fox.")])
    (seen,) = pipeline.explain("quokka fox").lists
    assert [(term.term, term.known, term.frequency) for term in seen.terms] == [
        ("quokka", False, None),
        ("fox", True, None),
    ]


def test_pieces_of_a_passage_are_left_out(make: Make, animals: list[str], short: str) -> None:
    text = "Foxes hunt mice. Bees visit meadows."  # six words and two stops: all that is read
    pipeline = make([text, *animals[3:]], short)
    hit = pipeline.explain("fox").hits[0]
    (part,) = hit.parts
    assert hit.chunk.text == text
    first, second = part.contributions
    assert part.method == "leave_one_out"
    assert (first.what, second.what) == ("Foxes hunt mice.", "Bees visit meadows.")
    assert text[first.start : first.end].strip() == first.what
    embedder = pipeline.embedders[0]
    query = embedder.embed_queries(["fox"])[0]
    without = float(embedder.embed(["Bees visit meadows."])[0] @ query)
    assert first.score == pytest.approx(part.score - without, abs=1e-6)
    assert first.score > 0 > second.score  # the other words only turn the vector away from the query


def test_no_more_texts_are_embedded_than_allowed(
    make: Make, short: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ragembed.explain import explain

    pipeline = make([" ".join(f"Fox number {a} of {b}." for a in range(40)) for b in range(5)], short)
    pipeline.search("fox")
    counted = 0
    embed = type(pipeline.embedders[0]).embed

    def counting(self: Embedder, texts: Sequence[str]) -> Dense:
        nonlocal counted
        counted += len(texts)
        return embed(self, texts)

    monkeypatch.setattr(type(pipeline.embedders[0]), "embed", counting)
    found = explain(pipeline._search(), "fox", variants=2 * PIECES)
    assert counted == 1 + 2 * PIECES  # the query's own vector
    assert [part.method for hit in found.hits for part in hit.parts] == ["leave_one_out"] * 2 + ["none"] * 3
    assert "at most 24 texts" in found.hits[-1].parts[0].note


def test_an_empty_index_has_no_hits(make: Make) -> None:
    for spec in ("bm25", "lsa", "random-projection"):
        assert make([], spec).explain("fox").hits == ()


@pytest.mark.parametrize(("query", "k"), [("", 10), (" \n", 10), ("fox", 0)])
def test_queries_that_make_no_sense(query: str, k: int, make: Make, animals: list[str]) -> None:
    with pytest.raises(QueryError):
        make(animals).explain(query, k=k)
