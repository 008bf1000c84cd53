"""Search through an accelerator: scores are those of exact search, nothing deleted or filtered out comes back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragembed.errors import CorruptError, SpecError
from ragembed.index.ann import ANN_TYPES, Setting
from ragembed.index.ann import accelerator as module
from ragembed.index.ann.base import faiss_errors
from ragembed.index.ann.build import build
from ragembed.index.ann.measure import probes_of, tune
from ragembed.index.ann.search import AcceleratedIndex
from ragembed.index.ann.space import Space, space_of
from ragembed.index.dense import DenseIndex, DenseSegment
from ragembed.index.flat import flat_index
from ragembed.index.selection import Selection

SPECS = [
    "sqfp16", "sq8", "hnsw(m=8, ef_construction=40)", "hnsw_sq8(m=8, ef_construction=40)", "ivf(lists=8)",
    "ivf_sq8(lists=8)", "ivfpq(lists=8)", "rabitq(lists=8)", "binary", 'faiss:"IVF8,SQ8"', 'faiss:"PCA8,SQ8"',
    'faiss:"HNSW8,Flat"',
]  # fmt: skip
DIMENSION = 16
NONE = np.zeros(0, np.int64)


def vectors(count: int, seed: int = 0, *, unit: bool = True) -> NDArray[np.float32]:
    """Vectors around a few centres, as texts lie; or of very different lengths."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(12, DIMENSION))
    found = centres[rng.integers(0, 12, count)] + 0.5 * rng.normal(size=(count, DIMENSION))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return (found if unit else found * rng.lognormal(0, 0.7, (count, 1))).astype(np.float32)


def segments_of(
    found: NDArray[np.float32], bounds: Sequence[int], dead: Sequence[int] = ()
) -> list[DenseSegment]:
    """Segments with every second number as rows."""
    rows = 2 * np.arange(len(found), dtype=np.int64) + 1
    edges = [0, *bounds, len(found)]
    return [
        DenseSegment(flat_index(found[a:b]), rows[a:b], np.flatnonzero(np.isin(rows[a:b], dead)))
        for a, b in itertools.pairwise(edges)
    ]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FEW_SELECTED", 20)


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("spec", SPECS)
def test_every_type_obeys_deletions_and_filters_and_scores_exactly(spec: str, unit: bool) -> None:
    found = vectors(600, unit=unit)
    kind = ANN_TYPES.create(spec)
    made = build(kind, segments_of(found, [250, 400])[:2], DIMENSION, NONE)  # the last segment lies beside it
    assert np.array_equal(made.rows, 2 * np.arange(400) + 1)
    dead = [int(row) for row in (2 * np.arange(0, 600, 5) + 1)]
    segments = segments_of(found, [250, 400], dead)
    made.dead = np.flatnonzero(np.isin(made.rows, dead))
    exact = DenseIndex(segments, DIMENSION)
    efforts = kind.efforts(400)
    made.settings = {10: Setting(efforts[-1], 16), 200: Setting(efforts[-1], 16)}
    index = AcceleratedIndex(segments, DIMENSION, made)
    assert index.delta == 160
    queries = np.concatenate([vectors(7, 5), np.zeros((1, DIMENSION), np.float32)])
    allowed = Selection(np.setdiff1d(2 * np.arange(0, 600, 2) + 1, dead))
    hit = wanted = 0
    for selection in (None, allowed):
        truth = exact.search_many(queries, 10, selection)
        got = index.search_many(queries, 10, selection)
        assert len(got[-1][0]) == 0  # a query of zeros finds nothing
        for (rows, scores), (best, exactly) in zip(got[:-1], truth[:-1], strict=True):
            assert len(rows) == len(set(rows.tolist())) == 10
            assert not np.isin(rows, dead).any()
            assert selection is None or np.isin(rows, selection.rows).all()
            assert scores.tolist() == sorted(scores.tolist(), reverse=True)
            score_of = dict(zip(best.tolist(), exactly.tolist(), strict=True))
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
                assert score_of.get(row, score) == score  # to the last bit
            hit += len(set(rows.tolist()) & set(best.tolist()))
            wanted += 10
    assert hit / wanted > 0.9


@settings(max_examples=40, deadline=None)
@given(
    dead=st.sets(st.integers(0, 299), max_size=300),
    chosen=st.none() | st.sets(st.integers(0, 299), max_size=300),
    k=st.integers(1, 40),
    covered=st.integers(1, 300),
)
def test_with_all_vectors_as_candidates_it_is_exact_search(
    dead: set[int], chosen: set[int] | None, k: int, covered: int
) -> None:
    found = vectors(300)
    gone = [2 * at + 1 for at in dead]
    segments = segments_of(found, [100], gone)
    kind = ANN_TYPES.create("sq8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW_SELECTED", 0)
        patch.setattr(module, "_DEEPEST", 1)
        rows = 2 * np.arange(300, dtype=np.int64) + 1
        made = build(kind, segments_of(found, [100]), DIMENSION, rows[covered:])
        made.dead = np.flatnonzero(np.isin(made.rows, gone))
        made.settings = {10: Setting(0, 300), 200: Setting(0, 300)}
        selection = (
            None
            if chosen is None
            else Selection(np.array(sorted({2 * c + 1 for c in chosen - dead}), np.int64))
        )
        index = AcceleratedIndex(segments, DIMENSION, made)
        queries = vectors(3, 4)
        got = index.search_many(queries, k, selection)
    truth = DenseIndex(segments, DIMENSION).search_many(queries, k, selection)
    for (rows, scores), (best, exactly) in zip(got, truth, strict=True):
        assert rows.tolist() == best.tolist()
        assert scores.tolist() == exactly.tolist()


def test_vectors_of_different_length_are_found_by_their_product() -> None:
    """The largest product is the nearest neighbour in the space that is searched, for any two lengths."""
    found = vectors(200, unit=False)
    norms = np.linalg.norm(found, axis=1)
    space = space_of(DIMENSION, float(norms.min()), float(norms.max()))
    stored, asked = space.documents(found), space.queries(vectors(20, 3))
    assert stored.shape == (200, space.inner)
    assert space.inner % 8 == 0
    assert np.allclose(np.linalg.norm(stored, axis=1), norms.max(), rtol=1e-5)
    distances = ((stored[np.newaxis] - asked[:, np.newaxis]) ** 2).sum(axis=2)
    assert np.array_equal(distances.argmin(axis=1), (vectors(20, 3) @ found.T).argmax(axis=1))
    assert space_of(DIMENSION, 0.9995, 1.0) == Space(DIMENSION)


@pytest.mark.parametrize("spec", ["hnsw_sq8(m=8)", "ivfpq(lists=8)", "binary", "sq8"])
def test_tuning_reaches_the_target_by_queries_that_are_not_in_it(spec: str) -> None:
    found = vectors(1500)
    segments = segments_of(found, [])
    own = segments[0].rows[::20]
    made = build(ANN_TYPES.create(spec), segments, DIMENSION, own)
    assert not np.isin(made.rows, own).any()
    exact = DenseIndex(segments, DIMENSION)
    probes = probes_of(exact, exact.vectors(own.tolist()), own)
    index, tuned = tune(segments, made, probes, 0.95)
    assert tuned.reached
    assert tuned.recall[10] >= 0.95
    assert 200 not in tuned.recall  # so deep a search of so few rows is exact
    fresh = vectors(50, 7)
    shares = probes_of(exact, fresh, np.full(50, -1)).recall(10, index.search_many(fresh, 11))
    assert shares.mean() >= 0.9


def test_a_probe_does_not_answer_itself_and_equal_scores_count_alike() -> None:
    found = np.repeat(vectors(30), 4, axis=0)  # each vector four times
    segments = segments_of(found, [])
    exact = DenseIndex(segments, DIMENSION)
    probes = probes_of(exact, found[:1], segments[0].rows[:1], [2])
    assert segments[0].rows[0] not in probes.truth[2][0][0]
    others = segments[0].rows[2:4], exact.search_many(found[:1], 4)[0][1][2:4]
    assert probes.recall(2, [others])[0] == 1  # another two of the four that are equally near


def test_specs_are_checked() -> None:
    for spec, part in {
        "hnsw(m=1)": "is 1",
        "ivf(lists=-1)": "is -1",
        "hnzw": "did you mean hnsw",
        'faiss:"IVF8,Flat,Refine(Flat)"': "refines",
        "ivf(list=3)": "did you mean lists",
    }.items():
        with pytest.raises(SpecError, match=part.replace("(", r"\(")):
            ANN_TYPES.create(spec)
    with pytest.raises(SpecError, match="FAISS makes no index"):
        ANN_TYPES.create('faiss:"IVF8,Nonsense"').make(16, 100, 0)
    with pytest.raises(SpecError, match="at least"):
        build(ANN_TYPES.create("ivf(lists=50)"), segments_of(vectors(30), []), DIMENSION, NONE)


@pytest.mark.parametrize("spec", [*SPECS, "flat", "ivfpq(width=8, refine=4)"])
def test_a_spec_prints_as_it_was_made(spec: str) -> None:
    again = ANN_TYPES.create(str(ANN_TYPES.create(spec).spec))
    assert again == ANN_TYPES.create(spec)


def test_rows_that_no_segment_holds_are_told() -> None:
    found = vectors(200)
    made = build(ANN_TYPES.create("sq8"), segments_of(found, []), DIMENSION, NONE)
    made.settings = {10: Setting(0, 1), 200: Setting(0, 1)}
    with pytest.raises(CorruptError, match="no segment holds"):
        AcceleratedIndex(segments_of(found[:50], []), DIMENSION, made).search_many(found[150:160], 5)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("faiss:XYZ", "makes no index 'XYZ' for 16 dimensions [(]could not parse index string XYZ"),
        ("faiss:PQ8", "cannot be built over 100 vectors [(]Number of training points"),
        ("faiss:HNSW0", "fewer than two neighbours"),
        ("faiss:IVF4_HNSW1,Flat", "fewer than two neighbours"),
        ('faiss:"' + "PCA8," * 3000 + 'Flat"', "15004 characters"),
    ],
)
def test_what_faiss_refuses_or_would_die_of_is_an_error(spec: str, fault: str) -> None:
    with pytest.raises(SpecError, match=fault) as caught:
        build(ANN_TYPES.create(spec), segments_of(vectors(100), []), DIMENSION, NONE)
    assert "\n" not in str(caught.value)
    assert "std::" not in str(caught.value)


def test_what_the_memory_does_not_hold_is_no_damage() -> None:
    with pytest.raises(SpecError, match="memory does not hold it"), faiss_errors("hnsw cannot be built"):
        raise MemoryError
