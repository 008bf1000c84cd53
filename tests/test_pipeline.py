from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS, Dense, Embedder, Truncation
from ragembed.embed.base import Kind
from ragembed.errors import CorruptError, IdentityError, NotAnIndexError, QueryError, SpecError
from ragembed.index.catalog import CATALOG_NAME, Catalog

FRUIT = [
    Document("apples", "apples are red and round"),
    Document("bananas", "bananas are yellow and long"),
    Document("cherries", "cherries are red and small, red and sweet"),
]
GERMAN = [
    Document("haus", "Die Häuser in der Straße sind alt, und die Türen sind neu."),
    Document("baum", "Die Bäume stehen im Wald, und der Wald ist grün."),
]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with Pipeline.create(tmp_path / "index", "bm25(language=english)", "whole") as made:
        yield made


def ids(pipeline: Pipeline, query: str, k: int = 10) -> list[str]:
    return [hit.chunk.document_id for hit in pipeline.search(query, k)]


# making and opening


def test_specs_are_checked_before_anything_is_made(tmp_path: Path) -> None:
    for wrong in (
        {"embedder": "bm52"},
        {"embedder": "bm25(b=2)"},
        {"embedder": "bm25+"},
        {"chunker": "recursiv"},
        {"chunker": "whole+fixed"},
        {"index_type": "flut"},
    ):
        with pytest.raises(SpecError):
            Pipeline.create(tmp_path / "index", **wrong)
        assert not (tmp_path / "index").exists()


def test_an_index_is_opened_by_the_specs_it_was_made_with(tmp_path: Path) -> None:
    with Pipeline.create(
        tmp_path / "i", " bm25 + tfidf(language=de)", "fixed(tokens=50,overlap=0)"
    ) as pipeline:
        pipeline.add(GERMAN)
    Pipeline.open(tmp_path / "i").close()
    Pipeline.open(tmp_path / "i", "bm25+tfidf(language=de)", "fixed(tokens=50, overlap=0)", "flat").close()
    settled = "bm25(language=german)+tfidf(language=german)"
    Pipeline.open(tmp_path / "i", settled, "fixed(tokens=50, overlap=0, tokenizer=words)").close()
    Pipeline.open(str(tmp_path / "i")).close()


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"embedder": "tfidf"}, ("embedder bm25(language=english)", "not tfidf", "new folder with tfidf")),
        ({"embedder": "bm25(k1=0.9)"}, ("embedder bm25(language=english)", "not bm25(k1=0.9)")),
        ({"embedder": "bm25+tfidf"}, ("not bm25+tfidf",)),
        ({"chunker": "fixed"}, ("chunker whole", "not fixed", "leave the chunker out")),
        ({"index_type": "hnsw"}, ("index type flat", "not hnsw")),
    ],
)
def test_another_spec_is_refused_with_both_named(
    pipeline: Pipeline, asked: dict[str, str], what: tuple[str, ...]
) -> None:
    with pytest.raises(IdentityError) as raised:
        Pipeline.open(pipeline.store.folder, **asked)
    for part in what:
        assert part in str(raised.value)


def test_what_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(NotAnIndexError, match="there is no index"):
        Pipeline.open(tmp_path / "absent")
    Catalog.make(tmp_path, {})
    with pytest.raises(NotAnIndexError, match="says nothing of how it was made"):
        Pipeline.open(tmp_path)


def change_config(index: Path, **changes: object) -> None:
    """Alter what the index says of its first embedder."""
    catalog = Catalog(index)
    config = catalog.setting("config")
    config["embedders"][0] |= changes
    catalog.put_setting("config", config)
    catalog.close()


def test_an_embedder_that_is_not_what_it_was_is_refused(pipeline: Pipeline) -> None:
    pipeline.add(FRUIT)
    identity = {**pipeline.info()["embedders"][0]["identity"], "analyzer": -1}
    change_config(pipeline.store.folder, identity=identity)
    with Pipeline.open(pipeline.store.folder) as again:
        for use in (lambda: again.search("red"), lambda: again.add([Document("new", "dates")])):
            with pytest.raises(IdentityError) as raised:
                use()
            assert "another bm25(language=english) than is here" in raised.value.fault
            assert raised.value.fault.endswith("version of the analyzer -1 | 1")


def test_learnt_state_that_was_changed_is_refused(tmp_path: Path) -> None:
    for name, words in (("one", "apples"), ("two", "pears")):
        with Pipeline.create(tmp_path / name, "lsa(dimension=2, language=none)", "whole") as made:
            made.add(
                [
                    Document("a", f"{words} and figs"),
                    Document("b", f"figs or {words}"),
                    Document("c", "dates"),
                ]
            )
            folder = tmp_path / name / made.info()["embedders"][0]["folder"]
            if name == "one":
                first = folder
    for path in folder.iterdir():
        (first / path.name).write_bytes(path.read_bytes())
    with Pipeline.open(tmp_path / "one") as again, pytest.raises(CorruptError, match="damaged or of another"):
        again.search("figs")


# what others do meanwhile


def test_a_reader_of_an_empty_index_sees_what_others_settle(tmp_path: Path) -> None:
    reader = Pipeline.create(tmp_path / "i", "bm25", "whole")
    late_writer = Pipeline.open(tmp_path / "i")
    assert reader.search("Haus") == []
    assert late_writer.search("Haus") == []
    with Pipeline.open(tmp_path / "i") as other:
        other.add(GERMAN)
    assert ids(reader, "Haus") == ["haus"]  # found by the German stem of Häuser
    late_writer.add([Document("nacht", "Nächte")])
    assert ids(reader, "Nacht") == ["nacht"]
    assert reader.analyzer.language == "german"
    reader.close()
    late_writer.close()


def test_a_reader_gets_what_others_learnt(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "lsa(dimension=2, language=english)", "whole") as reader:
        assert reader.search("red") == []
        with Pipeline.open(tmp_path / "i") as other:
            other.add(FRUIT)
        assert sorted(ids(reader, "yellow")) == ["apples", "bananas", "cherries"]
        assert ids(reader, "yellow")[0] == "bananas"


WRITE = """
import sys
from ragembed import Document, Pipeline
pipeline = Pipeline.open(sys.argv[1])
for number in range(40):
    pipeline.add([Document(f"d{number}", f"common word{number}")])
"""


def test_searching_while_another_process_writes(pipeline: Pipeline) -> None:
    pipeline.add([Document("first", "common")])
    found = [1]
    with subprocess.Popen([sys.executable, "-c", WRITE, str(pipeline.store.folder)]) as writer:
        while writer.poll() is None:
            with Pipeline.open(pipeline.store.folder) as fresh:
                found.append(len(fresh.search("common", 100)))
            found.append(len(pipeline.search("common", 100)))
            assert pipeline.info()["bytes"] > 0
    assert writer.returncode == 0
    assert found == sorted(found)
    assert len(pipeline.search("common", 100)) == 41


def test_threads_share_a_pipeline(pipeline: Pipeline) -> None:
    pipeline.add(FRUIT)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(10):
                assert ids(pipeline, "yellow") == ["bananas"]
                assert list(pipeline.search_documents(["yellow"])[0]) == ["bananas"]
                if number == 0:
                    pipeline.add([Document(f"x{step}", "nothing of that colour")])
        except BaseException as error:  # noqa: BLE001 - a thread's error is shown by the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert pipeline.info()["documents"] == 13


def test_the_progress_of_indexing_may_search(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.add(FRUIT)
    (tmp_path / "a.txt").write_text("dates")
    found: list[list[str]] = []
    pipeline.index(tmp_path / "a.txt", progress=lambda *_: found.append(ids(pipeline, "dates yellow")))
    assert found == [["bananas"], ["a.txt", "bananas"]]


# searching


def test_hits_say_what_was_found_and_where(pipeline: Pipeline) -> None:
    pipeline.add(FRUIT)
    first, second = pipeline.search("red")
    assert (first.chunk.document_id, first.rank, second.chunk.document_id, second.rank) == (
        "cherries",
        1,
        "apples",
        2,
    )
    assert first.score > second.score > 0
    assert first.chunk.text == FRUIT[2].text
    assert first.parts == {"bm25(language=english)": (1, first.score)}
    assert pipeline.search_documents(["red", "long"]) == [
        {"cherries": first.score, "apples": second.score},
        {"bananas": pipeline.search("long")[0].score},
    ]
    assert ids(pipeline, "red", 1) == ["cherries"]
    assert ids(pipeline, "red", 10**9) == ["cherries", "apples"]


def test_no_hits(pipeline: Pipeline) -> None:
    assert pipeline.search("red") == []
    assert pipeline.search_documents(["red"]) == [{}]
    assert pipeline.search_many([], 5) == []
    pipeline.add(FRUIT)
    for query in ("durian", "the", "?!", "\ud800", "a\0b"):
        assert pipeline.search(query) == []


@pytest.mark.parametrize(("query", "k"), [("", 5), (" \n", 5), ("red", 0), ("red", -1), ("x" * 2**20, 5)])
def test_queries_that_make_no_sense(pipeline: Pipeline, query: str, k: int) -> None:
    for search in (lambda: pipeline.search(query, k), lambda: pipeline.search_documents([query], k)):
        with pytest.raises(QueryError):
            search()


@pytest.mark.parametrize(
    "other", ["tfidf(language=english)", "random-projection(dimension=64, language=english)"]
)
def test_a_hybrid_fuses_the_ranks_of_its_parts(tmp_path: Path, other: str) -> None:
    specs = ["bm25(language=english)", other]
    lists = []
    for number, spec in enumerate(specs):
        with Pipeline.create(tmp_path / str(number), spec, "whole") as single:
            single.add(FRUIT)
            lists.append([(hit.chunk.document_id, hit.rank, hit.score) for hit in single.search("red small")])
    assert len(lists[0]) >= 2
    expected: dict[str, float] = {}
    for hits in lists:
        for document, rank, _ in hits:
            expected[document] = expected.get(document, 0.0) + 1 / (60 + rank)
    with Pipeline.create(tmp_path / "both", "+".join(specs), "whole") as both:
        both.add(FRUIT)
        found = both.search("red small", fusion="rrf")
        assert {hit.chunk.document_id: hit.score for hit in found} == pytest.approx(expected)
        assert [hit.score for hit in found] == sorted(expected.values(), reverse=True)
        assert found[0].score == pytest.approx(2 / 61)  # first in both
        names = [record["spec"] for record in both.info()["embedders"]]
        for hit in found:
            own = [{d: (rank, score) for d, rank, score in part}.get(hit.chunk.document_id) for part in lists]
            assert {name: hit.parts.get(name) for name in names} == {
                name: part and pytest.approx(part) for name, part in zip(names, own, strict=True)
            }


def test_documents_count_by_their_best_chunk_and_are_k_where_there_are_k(tmp_path: Path) -> None:
    # 30 chunks of one document are better than any of the others: 4 k chunks are not enough to find k documents
    long = Document("long", " ".join(["red red red"] * 30))
    others = [Document(f"d{number}", "red " + "pad " * (number + 3)) for number in range(5)]
    with Pipeline.create(tmp_path / "i", "bm25(language=none)", "fixed(tokens=3, overlap=0)") as pipeline:
        pipeline.add([long, *others])
        found = pipeline.search_documents(["red"], 3)[0]
        assert len(pipeline.search("red", 12)) == 12
        assert {hit.chunk.document_id for hit in pipeline.search("red", 12)} == {"long"}
        assert list(found) == ["long", "d0", "d1"]
        assert found["long"] == pipeline.search("red", 1)[0].score
        everything = pipeline.search_documents(["red", "pad"], 100)
        assert [len(documents) for documents in everything] == [6, 5]


def test_info(pipeline: Pipeline) -> None:
    pipeline.add(FRUIT)
    pipeline.upsert([Document("apples", "changed")])
    info = pipeline.info()
    assert (info["documents"], info["chunks"], info["files"], info["dead_rows"]) == (3, 3, 0, 1)
    assert (info["embedder"], info["chunker"]) == ("bm25(language=english)", "whole")
    assert info["bytes"] > 0
    assert json.loads(json.dumps(info)) == info


def test_a_damaged_segment_is_an_error_of_ours(pipeline: Pipeline) -> None:
    pipeline.add(FRUIT)
    for path in (pipeline.store.folder / "segments").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    more = [Document("d", "dates"), Document("e", "elderberries")]  # so many that segments are merged
    for use in (lambda: pipeline.search("red"), lambda: pipeline.add(more)):
        with pytest.raises(CorruptError, match=r"bytes, .* were written; run: ragembed verify INDEX"):
            use()


def test_a_learner_that_cannot_learn_leaves_nothing_behind(tmp_path: Path) -> None:
    from ragembed.errors import EmbeddingError

    with Pipeline.create(tmp_path / "i", "bm25+lsa(min_df=2)", "whole") as pipeline:
        with pytest.raises(EmbeddingError):
            pipeline.add([GERMAN[0]])
        assert pipeline.info()["embedders"] == []
        pipeline.add(
            [Document("1", "the running cat and the dog"), Document("2", "the cat and the running dogs")]
        )
        assert pipeline.analyzer.language == "english"
        assert sorted(ids(pipeline, "run")) == ["1", "2"]


def test_the_catalog_is_closed_with_the_pipeline(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i") as pipeline:
        pipeline.add(FRUIT)
    assert sorted(path.name for path in (tmp_path / "i").iterdir() if path.name.startswith(CATALOG_NAME)) == [
        CATALOG_NAME
    ]


@dataclass
class Short(Embedder):
    """Sees the first five characters of a text, and counts what it cuts off."""

    name: ClassVar[str] = "short"
    kind: ClassVar[Kind] = "dense"

    cut: Truncation = field(default_factory=Truncation, init=False)

    @property
    def dimension(self) -> int:
        return 5

    @property
    def truncation(self) -> Truncation:
        return self.cut

    def embed(self, texts: Sequence[str]) -> Dense:
        for text in texts:
            self.cut.texts += len(text) > 5
            self.cut.tokens += max(len(text) - 5, 0)
        return np.array([[ord(c) for c in text[:5].ljust(5)] for text in texts], np.float32).reshape(-1, 5)


def test_each_run_tells_only_what_it_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EMBEDDERS.entries, "short", f"{__name__}:Short")
    with Pipeline.create(tmp_path / "i", "short", "whole") as pipeline:
        assert pipeline.add([Document("a", "too long"), Document("b", "short")]).truncated == 1
        pipeline.search("a query that is cut as well")
        assert pipeline.add([Document("c", "brief")]).truncated == 0
        assert pipeline.add([Document("d", "again too long"), Document("e", "and this")]).truncated == 2


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "catalog.db")) as db, db:
        db.execute(statement)


def test_a_text_that_was_changed_is_not_shown(pipeline: Pipeline) -> None:
    pipeline.add(FRUIT)
    change(pipeline.store.folder, "UPDATE chunks SET text = replace(text, 'red', 'bad')")
    with pytest.raises(CorruptError, match="is not the one that was embedded; run: ragembed verify"):
        pipeline.search("red")


def test_a_segment_that_the_catalog_has_lost_is_missed(pipeline: Pipeline) -> None:
    pipeline.add(FRUIT)
    change(pipeline.store.folder, "DELETE FROM segments")
    with pytest.raises(CorruptError, match="hold 0 rows, for 3 chunks"):
        pipeline.search("red")
