"""Injected faults: each document would be found without the fault, and the stage that lost it is named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed import Document, Pipeline
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import QueryError
from ragembed.explain import Verdict
from ragembed.index.dense import DenseIndex
from ragembed.read import ReadOptions

Make = Callable[..., Pipeline]
QUERY = "who hunts mice at night"
FOX = "The red fox hunts mice at night."
ROWS = f'{{"id": "f1", "text": "{FOX}"}}\n{{"id": "b1", "text": "A bee."}}\n'
BEES = [f"Bees visit meadow {number} in summer and make honey at noon." for number in range(12)]


def verdict(pipeline: Pipeline, expected: str, query: str = QUERY, **options: Any) -> Verdict:
    found = pipeline.explain(query, expected, **options).expected
    assert found is not None
    assert found.message
    assert found.remedy or found.stage == "found"
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file about bees."""
    made = tmp_path / "docs"
    made.mkdir()
    (made / "bees.txt").write_text(BEES[0])
    return made


@contextmanager
def indexed(folder: Path, **options: Any) -> Iterator[Pipeline]:
    """An index of `folder`; the spec names the language, as two sentences do not tell it."""
    with Pipeline.create(folder.parent / "i", embedder="bm25(language=english)") as pipeline:
        pipeline.index(folder, options=ReadOptions(**options))
        yield pipeline


def test_found(make: Make) -> None:
    found = verdict(make([*BEES, FOX]), "d12")
    assert (found.stage, found.rank, found.message) == ("found", 1, "'d12' is hit 1")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".hidden/fox.txt", "hidden"),
        ("node_modules/fox.txt", "tool_folder"),
        ("fox.png", "binary"),
        ("fox.drawio", "unknown_format"),
        ("drafts/fox.txt", "excluded"),
        ("../elsewhere/fox.txt", "outside"),
        ("inner/catalog.db", "index_folder"),
    ],
)
def test_not_read(name: str, reason: str, folder: Path) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(FOX)
    if reason == "index_folder":
        for part in ("segments", "embedders"):
            (file.parent / part).mkdir()
        (file := file.with_name("fox.txt")).write_text(FOX)
    with indexed(folder, exclude=("drafts/",)) as pipeline:
        found = verdict(pipeline, str(file))
        assert (found.stage, found.reason) == ("not_read", reason)
        assert found.rank is None
        assert found.steps == ()
        if reason not in ("binary", "unknown_format"):
            assert found.evidence["would_be"]["rank"] == 1


def test_a_file_that_is_newer_than_the_index(folder: Path) -> None:
    with indexed(folder) as pipeline:
        (folder / "fox.txt").write_text(FOX)
        catalog = folder.parent / "i" / "catalog.db"
        written = catalog.stat().st_mtime_ns - 10**9
        os.utime(catalog, ns=(written, written))
        for asked in (str(folder / "fox.txt"), "docs/fox.txt"):  # also by the id that it would have
            found = verdict(pipeline, asked)
            assert (found.stage, found.reason) == ("not_read", "new")


def test_a_link_that_leads_out_of_the_folder(folder: Path) -> None:
    (folder.parent / "fox.txt").write_text(FOX)
    (folder / "fox.txt").symlink_to(folder.parent / "fox.txt")
    with indexed(folder) as pipeline:
        assert verdict(pipeline, "docs/fox.txt").reason == "link_outside"


@pytest.mark.parametrize(
    ("name", "content", "reason", "words"),
    [
        ("fox.json", b"{broken", "error", "no JSON"),
        ("fox.ipynb", b'{"cells": 3', "error", "cannot be read"),
        ("fox.txt", b"  \n ", "empty", "holds no text"),
        ("fox.docx", b"PK\x03\x04 cut off", "error", "cannot be read"),
        ("fox.jsonl", b"fox\n", "error", "no JSON"),
    ],
)
def test_failed_to_parse(name: str, content: bytes, reason: str, words: str, folder: Path) -> None:
    (folder / name).write_bytes(content)
    with indexed(folder) as pipeline:
        found = verdict(pipeline, f"docs/{name}")
        assert (found.stage, found.reason) == ("failed_to_parse", reason)
        assert words in found.message


def test_a_document_without_text(make: Make) -> None:
    found = verdict(make([*BEES, Document("blank", "  ")]), "blank")
    assert (found.stage, found.reason) == ("failed_to_parse", "empty")


def test_deleted(folder: Path) -> None:
    (folder / "fox.txt").write_text(FOX)
    with indexed(folder) as pipeline:
        pipeline.delete(["docs/fox.txt"])
        for asked in ("docs/fox.txt", str(folder / "fox.txt"), "docs/fox.txt::0"):
            found = verdict(pipeline, asked)
            assert (found.stage, found.reason) == ("deleted", "deleted")
            assert found.evidence["would_be"]["rank"] == 1


def test_a_deleted_row(folder: Path) -> None:
    (folder / "rows.jsonl").write_text(ROWS)
    with indexed(folder) as pipeline:
        pipeline.delete(["f1"])
        found = verdict(pipeline, "f1")
        assert (found.stage, found.kind) == ("deleted", "document")


def test_stale(folder: Path) -> None:
    (folder / "fox.txt").write_text("Nothing yet.")
    with indexed(folder) as pipeline:
        (folder / "fox.txt").write_text(FOX)
        found = verdict(pipeline, "docs/fox.txt")
        assert (found.stage, found.evidence["would_be"]["rank"]) == ("stale", 1)
        (folder / "fox.txt").write_text("Still nothing.")
        found = verdict(pipeline, "docs/fox.txt")
        assert found.stage == "out_of_vocabulary"
        assert "has changed since it was read, and as it is now" in found.notes[0]


def test_filtered(make: Make) -> None:
    pipeline = make([*BEES, Document("fox", FOX, {"lang": "de", "year": 2020})])
    assert verdict(pipeline, "fox").stage == "found"
    found = verdict(pipeline, "fox", where="lang = 'en' and year > 2000")
    assert found.stage == "filtered"
    assert found.evidence["failing"] == [{"condition": "lang = 'en'", "values": {"lang": ["de"]}}]
    assert "lang = 'en' fails, as lang is 'de'" in found.message
    assert [step.rank for step in found.steps if step.step == "list"] == [1]
    assert verdict(pipeline, "fox", where="exists author").message.endswith("author is missing")
    assert verdict(pipeline, "fox", where="lang = 'fr' or year < 9").evidence["failing"] == [
        {"condition": "lang = 'fr'", "values": {"lang": ["de"]}},
        {"condition": "year < 9", "values": {"year": [2020]}},
    ]


def test_a_filter_that_stops_the_chunk_that_matters(folder: Path) -> None:
    (folder / "fox.md").write_text(f"# Mice\n\n{FOX}\n\n# Other\n\n{BEES[1]}\n")
    with Pipeline.create(
        folder.parent / "i", "bm25(language=english)", "markdown(tokens=16, overlap=0)"
    ) as pipeline:
        pipeline.index(folder)
        found = verdict(pipeline, "docs/fox.md", where="heading = 'Other'", k=1)
        assert (found.stage, found.reason) == ("filtered", "some")
        assert (found.evidence["passing"], found.evidence["chunks"]) == (1, 2)


LONG = "Bees visit the meadow all summer and make honey there every single day. "


def test_truncated(make: Make, short: str) -> None:
    pipeline = make([*BEES, LONG + FOX], short)
    found = verdict(pipeline, "d12", k=3)
    assert found.stage == "truncated"
    assert (found.evidence["read"], found.evidence["tokens"]) == (8, 22)
    assert found.evidence["beyond"] == ["hunt", "mice", "night"]
    assert found.evidence["passage"] == FOX
    assert verdict(make([*BEES, FOX], short), "d12", k=3).stage == "found"


def test_split(make: Make) -> None:
    """Two sentences have all four words between them; each of twelve others has two."""
    halves = "A red fox hunts in the hills and meadows here. Mice come out of their holes at night there."
    rivals = [f"{pair} {n}." for n in range(6) for pair in ("Red hunts", "Night mice")]
    query = "red hunts mice night"
    assert verdict(make([*rivals, halves]), "d12", query, k=2).stage == "found"
    pipeline = make([*rivals, halves], chunker="sentence(tokens=12, overlap=0)")
    found = verdict(pipeline, "d12", query, k=2)
    assert (found.stage, found.reason, found.chunks) == ("split", "neighbours", 2)
    assert found.evidence["terms"] == ["hunt", "mice", "night", "red"]
    assert len(found.evidence["most_in_one_chunk"]) == 2
    assert found.evidence["joined"] == ["d12::0", "d12::1"]
    assert found.evidence["would_be"]["rank"] <= 2
    assert verdict(pipeline, "d12::0", query, k=2).stage == "outranked"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("vulpine predators", "not_in_index"),
        ("bees and honey", "not_in_document"),
        ("who is at the", "no_terms"),
    ],
)
def test_out_of_vocabulary(query: str, reason: str, make: Make) -> None:
    found = verdict(make([*BEES, FOX]), "d12", query)
    assert (found.stage, found.reason, found.rank) == ("out_of_vocabulary", reason, None)


def test_words_that_were_not_learnt(make: Make) -> None:
    pipeline = make([*BEES, FOX], "lsa(dimension=5, language=english)")
    pipeline.add([Document("q", "The quokka smiles at noon."), Document("r", "Wombats burrow.")])
    assert verdict(pipeline, "q", "smiling quokka").reason == "not_learnt"
    assert verdict(pipeline, "r", "who burrows at noon", k=2).stage == "out_of_vocabulary"
    assert verdict(pipeline, "q", "noon", k=100).stage == "found"


def test_words_without_a_vector(make: Make, tmp_path: Path) -> None:
    words = ["the", "fox", "ran", "at", "noon"]
    vectors = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    WordVectors(words, vectors).save(tmp_path / "model")
    pipeline = make([FOX], f"word2vec(path={tmp_path / 'model'}, pooling=mean)")
    pipeline.add([Document("q", "The quokka ran at noon.")])
    found = verdict(pipeline, "q", "Quokka")
    assert (found.stage, found.reason) == ("out_of_vocabulary", "not_learnt")
    (seen,) = pipeline.explain("the Quokka quokka").lists
    assert seen.terms is not None
    assert [(term.term, term.count, term.known) for term in seen.terms] == [
        ("the", 1, True),
        ("quokka", 2, False),
    ]


def test_outranked(make: Make) -> None:
    pipeline = make(
        [*(f"Mice at night {number}" for number in range(8)), *BEES, FOX + " Far away from here."]
    )
    found = verdict(pipeline, "d20", "mice at night", k=5)
    assert (found.stage, found.rank) == ("outranked", 9)
    assert found.remedy == "raise k to 9"
    assert verdict(pipeline, "d20", "mice at night", k=9).stage == "found"
    (one,) = found.evidence["lists"]
    hits = pipeline.search("mice at night", 9)
    assert one["gap"] == pytest.approx(hits[4].score - hits[8].score)
    assert [better["term"] for better in found.evidence["better"]] == ["night", "mice"]


HYBRID = "bm25(b=0, language=none)+onehot(language=none)"


def test_diluted(make: Make) -> None:
    """The document has the query's words most often, among many others: BM25 has it first, one-hot last."""
    long = " ".join(["mice"] * 6 + ["night"] * 6 + [f"w{n}" for n in range(30)])
    texts = [*(f"mice night x{n}" for n in range(10)), *(f"mice y{n}" for n in range(20)), long]
    assert verdict(make(texts, "bm25(b=0, language=none)"), "d30", "mice night", k=3).stage == "found"
    found = verdict(make(texts, HYBRID), "d30", "mice night", k=3)
    assert (found.stage, found.reason) == ("diluted", "one_list")
    assert list(found.evidence["lists"].values()) == [1, 31]
    assert found.remedy.startswith(f"raise k to {found.rank}, or search an index of bm25")


def test_diluted_by_the_depth(make: Make) -> None:
    """BM25 has document n at rank n, one-hot has it at 251 - n; but document 3 at 201, where a fusion looks no more."""
    others = {n: 250 - n for n in range(1, 251)} | {3: 200}
    texts = [" ".join(["mice"] * (300 - n) + [f"w{n}x{m}" for m in range(others[n])]) for n in range(1, 251)]
    pipeline = make([Document(f"{n:03}", text) for n, text in enumerate(texts, 1)], HYBRID)
    found = verdict(pipeline, "003", "mice", k=2, fusion="rrf")
    assert (found.stage, found.reason) == ("diluted", "depth")
    assert list(found.evidence["lists"].values()) == [3, 201]
    assert found.evidence["full_rank"] == 1
    assert verdict(pipeline, "003", "mice", k=300, fusion="rrf").rank == 1


def test_a_chunk_may_be_asked_for(make: Make) -> None:
    pipeline = make([f"{FOX} {BEES[0]}"], chunker="sentence(tokens=12, overlap=0)")
    assert verdict(pipeline, "d0::0", k=1).stage == "found"
    found = verdict(pipeline, "d0::1", k=1)
    assert (found.kind, found.documents) == ("chunk", ("d0",))
    assert found.stage != "found"


def test_lost_by_the_index(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = make([*BEES, FOX], "random-projection(language=english)")
    assert verdict(pipeline, "d12").stage == "found"
    lose(monkeypatch, {13})
    found = verdict(pipeline, "d12")
    assert (found.stage, found.evidence["exact_rank"]) == ("lost_by_index", 1)
    assert verdict(pipeline, "d0", k=30).stage == "found"


def test_a_loss_that_changes_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = make(
        [*(f"Mice at night {n}" for n in range(8)), FOX], "random-projection(language=english)+bm25"
    )
    lose(monkeypatch, {9})
    found = verdict(pipeline, "d8", "mice at night", k=2)
    assert found.stage == "outranked"
    assert "without that loss" in found.notes[0]


def lose(monkeypatch: pytest.MonkeyPatch, rows: set[int]) -> None:
    """Make every search by vectors miss some rows, as an approximate index may."""
    search = DenseIndex.search_many

    def lossy(self: DenseIndex, queries: Any, k: int, selection: Any = None) -> Any:
        found = search(self, queries, k + len(rows), selection)
        return [
            (kept[keep][:k], scores[keep][:k])
            for kept, scores in found
            for keep in [[row not in rows for row in kept.tolist()]]
        ]

    monkeypatch.setattr(DenseIndex, "search_many", lossy)


def test_all_of_a_file_is_expected(folder: Path) -> None:
    (folder / "rows.jsonl").write_text(ROWS)
    with indexed(folder) as pipeline:
        found = verdict(pipeline, str(folder / "rows.jsonl"))
        assert (found.kind, found.documents, found.stage) == ("file", ("f1", "b1"), "found")


@pytest.mark.parametrize("asked", ["docs/bee.txt", "bees.txt", "docs/bees.tx"])
def test_an_unknown_document(asked: str, folder: Path) -> None:
    with indexed(folder) as pipeline, pytest.raises(QueryError, match=r"did you mean 'docs/bees\.txt'\?"):
        verdict(pipeline, asked)


@pytest.mark.parametrize("asked", ["", " ", "\x1b[2J", "a\0b", "x" * 5000, "\udcff", "::3", "\N{SNOWMAN}::0"])
def test_hostile_ids(asked: str, folder: Path) -> None:
    with indexed(folder) as pipeline, pytest.raises(QueryError) as caught:
        verdict(pipeline, asked)
    assert "\x1b" not in str(caught.value)


def test_a_folder_is_no_document(folder: Path) -> None:
    with indexed(folder) as pipeline, pytest.raises(QueryError, match="is a folder"):
        verdict(pipeline, str(folder))


def test_a_file_whose_name_is_no_utf_8(folder: Path) -> None:
    name = os.fsdecode(os.fsencode(folder) + b"/f\xffx.txt")
    Path(name).write_text(FOX)
    with indexed(folder) as pipeline:
        assert verdict(pipeline, name).stage == "found"
        pipeline.delete([document for document in pipeline.document_ids() if "xff" in document])
        assert verdict(pipeline, name).stage == "deleted"


def test_every_file_that_was_left_out_is_explained(shared_data: Path, tmp_path: Path) -> None:
    """Without patterns no file of a real tree is 'excluded' or 'new': there is a reason that can be told."""
    root = shared_data / "docs_tree" / "haystack" / "test" / "test_files"
    with Pipeline.create(tmp_path / "i") as pipeline:
        report = pipeline.index(root)
        held = {chunk.metadata["path"] for chunk in pipeline.chunks()}
        left = [path for path in sorted(root.rglob("*")) if path.is_file()]
        left = [path for path in left if path.relative_to(root.parent).as_posix() not in held]
        assert left
        reasons = [verdict(pipeline, str(path)) for path in left]
    assert {one.stage for one in reasons} <= {"not_read", "failed_to_parse"}
    assert not {one.reason for one in reasons} & {"new", "excluded", "outside", "unfinished"}
    assert sum(one.reason == "error" for one in reasons) == len(report.failed)
