"""Limits of the system and of SQLite in place of a full disk; `kill --disk-full` fills a real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ragembed.errors import StoreError
from ragembed.eval.bench.scenario import (
    CHUNKER,
    EMBEDDERS,
    FLAT,
    LISTS,
    Oracle,
    Place,
    State,
    document_of,
    faults_of,
)
from ragembed.pipeline import Pipeline

_FIRST = [f"a{number}" for number in range(4)]
_MORE = [f"b{number}" for number in range(40)]

WRITE_UNDER_A_LIMIT = """
import resource, sys
from ragembed.errors import RagembedError
from ragembed.eval.bench.scenario import LISTS, document_of
from ragembed.pipeline import Pipeline
folder, limit, *ids = sys.argv[1:]
with Pipeline.open(folder) as pipeline:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    try:
        if ids:
            pipeline.add([document_of(name, 0) for name in ids])
        else:
            pipeline.optimize(index_type=LISTS)
    except (RagembedError, OSError) as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(len(pipeline.search("borant")))
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An index of the first documents."""
    place = Place(tmp_path)
    with Pipeline.create(place.index, EMBEDDERS["hybrid"], CHUNKER) as pipeline:
        pipeline.add([document_of(name, 0) for name in _FIRST])
    return place


@pytest.fixture
def oracle(tmp_path: Path) -> Oracle:
    return Oracle(Place(tmp_path), EMBEDDERS["hybrid"])


def grown(place: Place) -> None:
    """Add the rest, now that there is room."""
    with Pipeline.open(place.index) as pipeline:
        assert pipeline.add([document_of(name, 0) for name in _MORE]).added == len(_MORE)


@pytest.mark.parametrize("limit", [0, 5_000, 50_000])
def test_a_file_that_may_not_grow_leaves_the_last_commit(
    limit: int, place: Place, oracle: Oracle, script: Callable[..., str]
) -> None:
    error, hits = script(WRITE_UNDER_A_LIMIT, place.index, limit, *_MORE).splitlines()
    assert error
    assert int(hits)
    before = State().put(*_FIRST)
    assert faults_of(place.index, [before], oracle) == (0, [])
    grown(place)
    assert faults_of(place.index, [before.put(*_MORE)], oracle) == (0, [])


@pytest.mark.parametrize("limit", [5_000, 30_000])  # of the catalog's log, and of the accelerator alone
def test_an_accelerator_that_may_not_grow_is_none(
    limit: int, place: Place, oracle: Oracle, script: Callable[..., str]
) -> None:
    many = [f"c{number}" for number in range(136)]
    with Pipeline.open(place.index) as pipeline:
        pipeline.add([document_of(name, 0) for name in many])
    state = State().put(*_FIRST, *many)
    assert state.index_type == FLAT
    error, hits = script(WRITE_UNDER_A_LIMIT, place.index, limit).splitlines()
    assert ".faiss cannot be written" in error or "catalog.db cannot be used" in error
    assert int(hits)
    assert faults_of(place.index, [state], oracle) == (0, [])
    with Pipeline.open(place.index) as pipeline:
        pipeline.optimize(index_type=LISTS)
        (told,) = pipeline.info()["accelerators"]
        assert told["memory"] > limit
    assert faults_of(place.index, [replace(state, index_type=LISTS)], oracle) == (0, [])


def test_a_catalog_that_may_not_grow_leaves_the_last_commit(place: Place, oracle: Oracle) -> None:
    before = State().put(*_FIRST)
    with Pipeline.open(place.index) as pipeline:
        with pipeline.store.connection() as catalog:
            (pages,) = catalog.db.execute("PRAGMA page_count").fetchone()
            catalog.db.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(StoreError, match=r"disk is full.*; check the disk"):
            pipeline.add([document_of(name, 0) for name in _MORE])
        assert faults_of(place.index, [before], oracle) == (0, [])
        with pipeline.store.connection() as catalog:
            catalog.db.execute("PRAGMA max_page_count = 1000000")
        pipeline.add([document_of(name, 0) for name in _MORE])
    assert faults_of(place.index, [before.put(*_MORE)], oracle) == (0, [])
