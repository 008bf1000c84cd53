"""`Pipeline.optimize` and what keeps an accelerator in step with an index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragembed import accelerate, optimize
from ragembed.embed.base import normalized
from ragembed.errors import CorruptError, IdentityError, QueryError, SpecError
from ragembed.eval.bench.stored import DIMENSION, register
from ragembed.index.ann import accelerator
from ragembed.index.files import SEGMENTS
from ragembed.index.verify import orphans, verify
from ragembed.pipeline import Pipeline
from ragembed.types import Document

COUNT = 800
ASKED = 60


def documents(first: int, last: int) -> list[Document]:
    return [Document(f"d{i}", f"{i} text", {"even": i % 2 == 0}) for i in range(first, last)]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The spec of an embedder with clustered vectors for texts and queries."""
    register()
    monkeypatch.setattr(accelerator, "_FEW_SELECTED", 50)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, DIMENSION))
    for name, count in {"documents": COUNT, "queries": ASKED}.items():
        drawn = centres[rng.integers(0, 20, count)] + 0.7 * rng.normal(size=(count, DIMENSION))
        np.save(tmp_path / f"{name}.npy", normalized(drawn.astype(np.float32)))
    return f"stored:{tmp_path}"


@pytest.fixture
def pipeline(tmp_path: Path, stored: str) -> Pipeline:
    made = Pipeline.create(tmp_path / "index", stored, "whole")
    made.add(documents(0, 600))
    return made


def queries(first: int = 0, last: int = ASKED) -> list[str]:
    return [f"?{i}" for i in range(first, last)]


def recall(pipeline: Pipeline, alive: set[int], folder: Path) -> float:
    """Of the ten best by all products, how many a search finds; its scores must be theirs."""
    vectors, asked = np.load(folder / "documents.npy"), np.load(folder / "queries.npy")
    there = np.array(sorted(alive))
    best = there[np.argsort(-(asked @ vectors[there].T), axis=1)[:, :10]]
    hits = pipeline.search_many(queries(), 10)
    for number, one in enumerate(hits):
        for hit in one:
            which = int(hit.chunk.document_id[1:])
            assert which in alive
            assert hit.score == pytest.approx(float(vectors[which] @ asked[number]), abs=1e-6)
    return float(
        np.mean(
            [
                len({int(hit.chunk.document_id[1:]) for hit in one} & set(row)) / 10
                for one, row in zip(hits, best.tolist(), strict=True)
            ]
        )
    )


def test_exact_search_stays_where_it_is_fast(pipeline: Pipeline) -> None:
    done = pipeline.optimize()
    assert [choice.index_type for choice in done.choices] == ["flat"]
    assert "fast enough" in done.choices[0].reason
    assert pipeline.info()["accelerators"] == []
    assert pipeline.config.index_type == "flat"


def test_a_type_is_chosen_within_the_memory_and_told(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimize, "CANDIDATES", ("sq8", "binary", "ivf_sq8"))
    memory = 4 * DIMENSION * 600 // 2
    done = pipeline.optimize(0.9, memory=memory, queries=queries())
    (choice,) = done.choices
    assert choice.index_type in ("sq8", "binary", "ivf_sq8")
    assert choice.memory <= memory
    assert choice.recall["recall@10"] >= 0.9
    assert choice.probes == f"{ASKED} queries that were given"
    (told,) = pipeline.info()["accelerators"]
    assert (told["index_type"], told["rows"], told["delta_rows"]) == (choice.index_type, 600, 0)
    assert told["recall"]["recall@10"] == choice.recall["recall@10"]
    assert told["memory"] == choice.memory
    assert pipeline.info()["index_type"] == choice.index_type
    assert verify(pipeline.store) == []
    assert recall(pipeline, set(range(600)), tmp_path) >= 0.89
    with Pipeline.open(tmp_path / "index", index_type=choice.index_type) as again:
        assert recall(again, set(range(600)), tmp_path) >= 0.89


def test_what_no_type_can_do_is_said_with_the_least_possible(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimize, "CANDIDATES", ("sq8", "binary"))
    with pytest.raises(QueryError, match=r"in 1\.0 KB: the least possible is .* \(binary\)"):
        pipeline.optimize(0.5, memory=1000)
    with pytest.raises(QueryError, match=r"in 1e-06 ms: the fastest takes"):
        pipeline.optimize(0.5, latency=1e-9)
    assert pipeline.info()["accelerators"] == []


@pytest.mark.parametrize(
    ("wishes", "fault"),
    [
        ({"target_recall": 1.5}, "target recall is 1.5"),
        ({"target_recall": 0.0}, "target recall is 0"),
        ({"memory": -1}, "target memory is -1"),
        ({"latency": float("nan")}, "target latency is nan"),
        ({"queries": ["", " "]}, "no queries"),
        ({"index_type": "hnzw"}, "did you mean hnsw"),
    ],
)
def test_wishes_that_make_no_sense(pipeline: Pipeline, wishes: dict[str, object], fault: str) -> None:
    with pytest.raises((QueryError, SpecError), match=fault):
        pipeline.optimize(**wishes)  # type: ignore[arg-type]


def test_an_index_without_vectors(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "words", "bm25") as words:
        with pytest.raises(QueryError, match="is empty"):
            words.optimize()
        words.add([Document("a", "some words")])
        with pytest.raises(
            QueryError,
            match="no embedder of one vector a chunk: it has bm25",
        ):
            words.optimize()


def test_updates_deletions_filters_and_vacuum(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.optimize(0.95, index_type="hnsw_sq8(m=8)")
    (told,) = pipeline.info()["accelerators"]
    assert told["measured_by"] == "30 chunks that were left out"
    assert (told["rows"], told["delta_rows"]) == (570, 30)
    alive = set(range(600))
    for number in range(4):
        new = range(600 + 50 * number, 650 + 50 * number)
        pipeline.add(documents(new.start, new.stop))
        gone = [i for i in sorted(alive) if i % 11 == number]
        assert pipeline.delete([f"d{i}" for i in gone]) == len(gone)
        alive = (alive | set(new)) - set(gone)
        assert recall(pipeline, alive, tmp_path) >= 0.94
        assert verify(pipeline.store) == []
    hits = pipeline.search("?3", 10, where="even = true")
    assert len(hits) == 10
    assert all(hit.chunk.metadata["even"] for hit in hits)
    assert pipeline.info()["dead_rows"] > 0
    pipeline.vacuum()
    told = pipeline.info()
    assert told["dead_rows"] == 0
    assert told["accelerators"][0]["rows"] + told["accelerators"][0]["delta_rows"] == len(alive)
    assert verify(pipeline.store) == []
    assert orphans(pipeline.store) == []
    assert recall(pipeline, alive, tmp_path) >= 0.94
    pipeline.delete([f"d{i}" for i in alive])
    assert pipeline.search("?3") == []
    pipeline.vacuum()
    assert pipeline.info()["accelerators"] == []


def test_it_goes_back_to_flat(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.optimize(index_type="sq8")
    assert pipeline.optimize(index_type="flat").notes == ("every search is exact again",)
    assert pipeline.info()["accelerators"] == []
    assert pipeline.info()["index_type"] == "flat"
    assert [record["kind"] for record in pipeline.info()["segments"]] == ["flat"]
    assert recall(pipeline, set(range(600)), tmp_path) == 1


def test_a_damaged_accelerator_is_refused_told_and_dropped(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.optimize(index_type="ivf_sq8")
    (name,) = [record["name"] for record in pipeline.info()["segments"] if record["kind"] == "ann"]
    path = tmp_path / "index" / SEGMENTS / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with Pipeline.open(tmp_path / "index") as again, pytest.raises(CorruptError, match="checksum differs"):
        again.search("?1")
    assert [problem.what for problem in verify(pipeline.store)] == [
        f"{name} is damaged: its checksum differs"
    ]
    pipeline.repair()
    assert verify(pipeline.store) == []
    assert pipeline.info()["accelerators"] == []
    assert recall(pipeline, set(range(600)), tmp_path) == 1


def test_a_file_that_is_no_index_of_its_type_never_reaches_faiss(pipeline: Pipeline, tmp_path: Path) -> None:
    """Even where the catalog vouches for it."""
    pipeline.optimize(index_type="sq8")
    with pipeline.store.writing() as writer:
        known = accelerate.records(writer.catalog)[0].to_json()
        writer.put_settings({"accelerators": {"0": {**known, "spec": "hnsw"}}})
    with (
        Pipeline.open(tmp_path / "index") as again,
        pytest.raises(CorruptError, match="no FAISS index of type hnsw"),
    ):
        again.search("?1")
    with pipeline.store.writing() as writer:
        writer.put_settings({"accelerators": {"0": {**known, "settings": 7}}})
    with pytest.raises(CorruptError, match="setting accelerators is damaged"):
        pipeline.info()
    assert len(verify(pipeline.store)) == 1
    pipeline.repair()
    assert verify(pipeline.store) == []


def test_index_builds_what_its_index_type_says_once_there_is_enough(
    tmp_path: Path, stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerate, "LEAST_ROWS", 500)
    with Pipeline.create(tmp_path / "typed", stored, "whole", "hnsw_sq8(m=16)") as made:
        assert made.config.index_type == "hnsw_sq8"
        made.add(documents(0, 300))
        assert made.info()["accelerators"] == []
        made.add(documents(300, 600))
        assert made.info()["accelerators"][0]["rows"] == 570
        made.add(documents(600, 700))
        assert made.info()["accelerators"][0]["rows"] == 570
        monkeypatch.setattr(accelerate, "LEAST_ROWS", 200)
        made.add(documents(700, 800))  # more than a quarter lies beside it now
        assert made.info()["accelerators"][0]["rows"] == 760
        assert verify(made.store) == []
        made.vacuum()
        assert made.info()["accelerators"][0]["rows"] == 760
    with pytest.raises(IdentityError, match="index type hnsw_sq8, not flat"):
        Pipeline.open(tmp_path / "typed", index_type="flat")


def test_a_type_that_faiss_cannot_make_keeps_search_exact(
    tmp_path: Path, stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerate, "LEAST_ROWS", 100)
    with Pipeline.create(tmp_path / "odd", stored, "whole", 'faiss:"PQ7"') as made:  # 384 is no multiple of 7
        report = made.add(documents(0, 200))
        assert report.added == 200
        assert "is searched exactly: FAISS makes no index 'PQ7'" in report.notes[-1]
        assert recall(made, set(range(200)), tmp_path) == 1


def test_recall_that_cannot_be_reached_is_warned_of(pipeline: Pipeline) -> None:
    done = pipeline.optimize(0.99, index_type="binary(refine=1)")
    assert "below the target" in done.notes[0]
    assert "ragembed optimize" in pipeline.info()["accelerators"][0]["warning"]
    report = pipeline.add(documents(600, 700))
    assert any("below its target" in note for note in report.notes)


def test_an_error_while_building_leaves_the_index_as_it_was(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.optimize(index_type="sq8")
    before = pipeline.info()["accelerators"]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(Exception, match="No space left"):
            pipeline.optimize(index_type="hnsw_sq8")
    assert pipeline.info()["accelerators"] == before
    assert verify(pipeline.store) == []
    assert recall(pipeline, set(range(600)), tmp_path) >= 0.94


def test_vacuum_searches_exactly_where_too_few_vectors_are_left_to_train_by(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.optimize(index_type="faiss:PQ8")  # 256 centroids for each code
    pipeline.delete([f"d{i}" for i in range(500)])
    pipeline.vacuum()
    assert pipeline.info()["accelerators"] == []
    assert pipeline.info()["dead_rows"] == 0
    assert verify(pipeline.store) == []
    assert recall(pipeline, set(range(500, 600)), tmp_path) == 1
