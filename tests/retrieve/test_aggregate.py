"""Scores of chunks become scores of documents, as a plain twin of each definition says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed import Document, Pipeline
from ragembed.errors import SpecError
from ragembed.retrieve.aggregate import AGGREGATES, DEFAULT

CHUNKS = {"a": 3, "b": 1, "c": 12, "d": 5}
"""How many chunks each document has."""
HITS = st.lists(st.tuples(st.sampled_from(sorted(CHUNKS)), st.integers(-40, 40)), max_size=20).map(
    lambda pairs: [
        (document, score / 8, row)
        for row, (document, score) in enumerate(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
    ]
)
SPECS = ["max", "first", "sum", "mean", "mean(top=1)", "mean(top=20)"]


def twin(spec: str, scores: Sequence[float], chunks: int) -> float:
    """The score of a document by the definition of its aggregate, in float64."""
    if spec in ("max", "first"):
        return max(scores)
    if spec == "sum":
        return fsum(scores)
    top = {"mean": 3, "mean(top=1)": 1, "mean(top=20)": 20}[spec]
    return fsum(sorted(scores, reverse=True)[:top]) / min(top, chunks)


@pytest.mark.parametrize("spec", SPECS)
@given(hits=HITS)
def test_as_the_twin(spec: str, hits: list[tuple[str, float, int]]) -> None:
    found = AGGREGATES.create(spec).documents(hits, CHUNKS)
    of = {document: [score for name, score, _ in hits if name == document] for document, _, _ in hits}
    expected = {document: twin(spec, scores, CHUNKS[document]) for document, scores in of.items()}
    assert {document: score for document, (score, _) in found.items()} == pytest.approx(expected)
    for document, (_, row) in found.items():  # that of the best chunk, whatever the others add
        assert row == next(row for name, _, row in hits if name == document)
    order = [(-score, document) for document, (score, _) in found.items()]
    assert order == sorted(order)


def test_by_hand() -> None:
    hits = [("a", 4.0, 1), ("b", 3.0, 2), ("a", 1.0, 3), ("a", 1.0, 4)]
    scores = {
        spec: {
            document: score
            for document, (score, _) in AGGREGATES.create(spec).documents(hits, CHUNKS).items()
        }
        for spec in ("max", "sum", "mean", "mean(top=2)")
    }
    assert scores["max"] == {"a": 4.0, "b": 3.0}
    assert scores["sum"] == {"a": 6.0, "b": 3.0}
    assert list(scores["mean"]) == ["b", "a"]
    assert scores["mean"] == {"b": 3.0, "a": 2.0}  # b has one chunk, a three: 6 / 3
    assert scores["mean(top=2)"] == {"b": 3.0, "a": 2.5}


@pytest.mark.parametrize("name", AGGREGATES.names())
def test_laws(name: str) -> None:
    aggregate = AGGREGATES.create(name)
    assert AGGREGATES.create(str(aggregate.spec)) == aggregate
    assert str(aggregate.spec) == name
    assert aggregate.documents([], {}) == {}
    assert aggregate.documents([("x", 0.5, 7)], {"x": 1}) == {"x": (0.5, 7)}  # one chunk is the document
    assert aggregate.depth == 1_000
    assert DEFAULT == "max"


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("mean(top=0)", r"mean\(top=0\) is below 1; give top of at least 1"),
        ("sum(depth=-1)", r"sum\(depth=-1\) is below 1"),
        ("maxp", "unknown aggregate 'maxp'; did you mean max"),
        ("max(top=2)", "aggregate max has no parameter 'top'"),
    ],
)
def test_wrong_specs(spec: str, fault: str) -> None:
    with pytest.raises(SpecError, match=fault):
        AGGREGATES.create(spec)


WORDS = ["pear", "plum", "fig", "oats", "rye", "corn"]
DOCUMENTS = [
    Document(
        f"d{number:02}", " ".join(WORDS[(number * step + step * step) % 6] for step in range(1, 4 + number))
    )
    for number in range(14)
]


@pytest.fixture(
    scope="module", params=["bm25(language=none)", "random-projection(dimension=8, language=none)"]
)
def pipeline(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Documents of 3 to 16 words in chunks of 3."""
    with Pipeline.create(
        tmp_path_factory.mktemp("aggregate") / "i",
        request.param,
        "fixed(tokens=3, overlap=1, tokenizer=words)",
    ) as made:
        made.add(DOCUMENTS)
        yield made


@pytest.mark.parametrize("spec", ["max", "first", "sum", "mean(top=2)", "sum(depth=4)", "mean(depth=7)"])
@pytest.mark.parametrize("query", ["pear", "fig rye pear", "corn corn plum"])
def test_a_search_as_the_twin(pipeline: Pipeline, spec: str, query: str) -> None:
    hits = pipeline.search(query, 10_000)
    chunks: dict[str, list[int]] = {}
    for chunk in pipeline.chunks():
        chunks.setdefault(chunk.document_id, []).append(chunk.start)
    depth = {"sum(depth=4)": 4, "mean(depth=7)": 7}.get(spec, 1_000)
    name = spec.partition("(")[0]
    top = {"mean(top=2)": 2, "mean(depth=7)": 3}.get(spec, 1)

    def scored(some: Sequence[object]) -> dict[str, float]:
        of: dict[str, list[float]] = {}
        for hit in hits[: len(some)]:
            if name != "first" or hit.chunk.start == min(chunks[hit.chunk.document_id]):
                of.setdefault(hit.chunk.document_id, []).append(hit.score)
        plain = {
            document: fsum(scores[:top]) / min(top, len(chunks[document])) if name == "mean"
            else fsum(scores) if name == "sum" else scores[0]
            for document, scores in of.items()
        }  # fmt: skip
        return dict(sorted(plain.items(), key=lambda item: (-item[1], item[0])))

    expected = scored(hits[:depth])
    found = pipeline.search_documents([query], 100, aggregate=spec)[0]
    assert dict(list(found.items())[: len(expected)]) == pytest.approx(expected)
    assert set(found) == set(scored(hits))  # those that have nothing up to that depth follow
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for k in (1, 2, 5):
        first = pipeline.search_documents([query], k, aggregate=spec)[0]
        assert list(first.items()) == list(found.items())[:k]
    best = pipeline.best_chunks([query], 100, aggregate=spec)[0]
    assert {document: score for document, (score, _) in best.items()} == found
    assert all(chunk.startswith(f"{document}::") for document, (_, chunk) in best.items())


def test_first_looks_at_first_chunks_only(pipeline: Pipeline) -> None:
    for document, (_, chunk) in pipeline.best_chunks(["pear rye"], 100, aggregate="first")[0].items():
        assert chunk == f"{document}::0"


def test_whole_documents_have_one_score(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25(language=none)", "whole") as made:
        made.add(DOCUMENTS)
        expected = made.search_documents(["pear fig"], 9)
        for spec in SPECS:
            assert made.search_documents(["pear fig"], 9, aggregate=spec) == expected


@pytest.mark.parametrize("spec", ["max", "first", "sum", "mean"])
def test_a_filter_leaves_chunks_out(tmp_path: Path, spec: str) -> None:
    with Pipeline.create(tmp_path / "i", "bm25(language=none)", "fixed(tokens=3, overlap=0)") as made:
        made.add(
            Document(each.id, each.text, {"even": number % 2 == 0}) for number, each in enumerate(DOCUMENTS)
        )
        found = made.search_documents(["pear fig"], 100, {"even": True}, aggregate=spec)[0]
        every = made.search_documents(["pear fig"], 100, aggregate=spec)[0]
        assert found == {name: score for name, score in every.items() if int(name[1:]) % 2 == 0}
        assert made.search_documents(["pear"], 5, {"even": "never"}, aggregate=spec) == [{}]
