"""What is written is read back, or refused with the name of what does not fit."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.datasets import Dataset, load
from ragembed.datasets.write import FORMS, write_dataset
from ragembed.errors import DatasetError, StoreError
from ragembed.types import Document, Span


def collection(**changes: Any) -> Dataset:
    """Two documents, two queries, three judgements and a span."""
    whole = Dataset(
        "tiny",
        [
            Document("d1", "Cats They purr.", {"title": "Cats", "url": "u"}),
            Document("d2", "Dogs <b>bark</b> &amp; bite."),
        ],
        {"q1": "who purrs", "q2": "who bites & barks"},
        {"q1": {"d1": 2, "d2": -1}, "q2": {"d2": 1}},
        "test",
        (),
        {"q1": [Span("d1", 10, 14)]},
    )
    return dataclasses.replace(whole, **changes)


def words(text: str) -> list[str]:
    return text.split()


def test_a_beir_folder_holds_everything(tmp_path: Path) -> None:
    written = write_dataset(collection(), tmp_path / "out", "beir")
    assert dataclasses.asdict(written) == {
        "folder": tmp_path / "out", "form": "beir", "documents": 2, "queries": 2, "judgements": 3,
        "spans": 1, "lost": (),
    }  # fmt: skip
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
        "out/corpus.jsonl", "out/qrels/test.tsv", "out/queries.jsonl", "out/spans.jsonl",
    ]  # fmt: skip
    assert (tmp_path / "out" / "corpus.jsonl").read_text().splitlines()[0] == (
        '{"_id": "d1", "title": "Cats", "text": "They purr.", "metadata": {"url": "u"}}'
    )
    back = load(tmp_path / "out")
    assert (list(back.documents), back.queries, back.qrels, back.spans) == (
        collection().documents, collection().queries, collection().qrels, collection().spans,
    )  # fmt: skip


def test_a_trec_folder_is_what_trec_programs_read(tmp_path: Path) -> None:
    written = write_dataset(collection(), tmp_path / "out", "trec")
    assert written.lost == ("metadata beside the title (1 document)", "reference spans (1 span)")
    read = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert read == {
        "documents.txt": (
            "<DOC>\n<DOCNO>d1</DOCNO>\n<TITLE>Cats</TITLE>\n<TEXT>\n They purr.\n</TEXT>\n</DOC>\n"
            "<DOC>\n<DOCNO>d2</DOCNO>\n<TEXT>\nDogs &lt;b&gt;bark&lt;/b&gt; &amp;amp; bite.\n</TEXT>\n</DOC>\n"
        ),
        "topics.txt": (
            "<top>\n<num> Number: q1\n<title> who purrs\n</top>\n\n"
            "<top>\n<num> Number: q2\n<title> who bites &amp; barks\n</top>\n\n"
        ),
        "qrels.txt": "q1 0 d1 2\nq1 0 d2 -1\nq2 0 d2 1\n",
    }
    back = load(tmp_path / "out")
    assert list(back.documents) == [
        Document("d1", "Cats They purr.", {"title": "Cats"}),
        Document("d2", "Dogs <b>bark</b> &amp; bite."),
    ]
    assert (back.queries, back.qrels, back.spans) == (collection().queries, collection().qrels, {})


@pytest.mark.parametrize("form", sorted(FORMS))
def test_another_split_keeps_its_name(tmp_path: Path, form: str) -> None:
    write_dataset(collection(split="dev"), tmp_path / "out", form)
    assert load(tmp_path / "out", "dev").qrels == collection().qrels
    with pytest.raises(DatasetError, match=r"no judgements for the split 'test'; there are: dev"):
        load(tmp_path / "out")


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4).filter(
    lambda name: name == name.strip() and not set(name) & set("\t\r\n")
)
plain_ids = st.text("aZ7é-_.#&;\U0001f600", min_size=1, max_size=4)
texts = st.text(
    st.one_of(st.sampled_from(" \n\t\r<>/&;:amp\u2028\u00a0"), st.characters(exclude_categories=["Cs"]))
)
values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts)
metadata = st.dictionaries(
    st.sampled_from(["title", "url", "n"]), st.one_of(values, st.lists(values, max_size=2)), max_size=3
)


@st.composite
def collections(draw: st.DrawFn, names: st.SearchStrategy[str]) -> Dataset:
    """Collections of one to four documents; some titles begin their text, as in a collection that was loaded."""
    documents = []
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        title, text, more = draw(texts), draw(texts), draw(metadata)
        if draw(st.booleans()):
            text, more = f"{title} {text}", {**more, "title": title}
        documents.append(Document(name, text.strip(), more))
    queries = draw(st.dictionaries(names, texts.filter(str.strip), min_size=1, max_size=3))
    known = st.sampled_from([document.id for document in documents])
    gains = st.dictionaries(known, st.integers(-3, 5), min_size=1)
    qrels = {query: draw(gains) for query in queries}
    long = [document for document in documents if document.text]
    spans: dict[str, list[Span]] = {}
    for query in queries if long else ():
        inside = draw(st.sampled_from(long))
        start = draw(st.integers(0, len(inside.text) - 1))
        spans[query] = [Span(inside.id, start, draw(st.integers(start + 1, len(inside.text))))]
    return Dataset("x", documents, queries, qrels, "test", (), spans)


@settings(max_examples=50)
@given(collections(ids))
def test_beir_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> None:
    folder = tmp_path_factory.mktemp("beir") / "out"
    write_dataset(dataset, folder)
    back = load(folder)
    assert list(back.documents) == list(dataset.documents)
    assert list(back.queries.items()) == list(dataset.queries.items())
    assert (back.qrels, back.spans) == (dataset.qrels, dataset.spans)


@settings(max_examples=50)
@given(collections(plain_ids.filter(lambda name: not name.startswith("#"))))
def test_trec_gives_back_ids_judgements_and_words(
    tmp_path_factory: pytest.TempPathFactory, dataset: Dataset
) -> None:
    folder = tmp_path_factory.mktemp("trec") / "out"
    written = write_dataset(dataset, folder, "trec")
    back = load(folder)
    assert [(d.id, words(d.text)) for d in back.documents] == [
        (d.id, words(d.text)) for d in dataset.documents
    ]
    assert {q: words(text) for q, text in back.queries.items()} == {
        q: words(text) for q, text in dataset.queries.items()
    }
    assert back.qrels == dataset.qrels
    if not written.lost:
        assert [d.text for d in back.documents] == [d.text for d in dataset.documents]
        assert [d.metadata.get("title") for d in back.documents] == [
            d.metadata.get("title") for d in dataset.documents
        ]


@pytest.mark.parametrize(
    ("form", "changes", "message"),
    [
        ("beir", {"documents": [Document("d1", "a"), Document("d1", "b")]}, "two documents have the id 'd1'"),
        ("beir", {"documents": [Document(" ", "a")]}, "a document has the id ' '"),
        ("beir", {"documents": []}, "holds no document"),
        ("beir", {"documents": [Document("d1", " a")]}, "the text of document 'd1' begins or ends with white"),
        ("beir", {"documents": [Document("d1", "a", {"when": {1}})]}, "the metadata of 'd1' is no JSON"),
        ("beir", {"documents": [Document("d1", "\ud800")]}, "holds half a character"),
        ("beir", {"queries": {}}, "holds no query"),
        ("beir", {"queries": {"q1": " "}}, "query 'q1' has no text"),
        ("beir", {"qrels": {"q\t1": {"d1": 1}}}, r"id 'q\\t1' does not fit into BEIR qrels"),
        ("beir", {"qrels": {"q1": {"d1 ": 1}}}, r"id 'd1 ' does not fit into BEIR qrels"),
        ("beir", {"split": "../test"}, r"the split '../test' cannot be part of a file's name"),
        ("trec", {"documents": [Document("my d1", "a")]}, "the document id 'my d1' does not fit into TREC form"),
        ("trec", {"documents": [Document("<d1>", "a")]}, "the document id '<d1>' does not fit"),
        ("trec", {"queries": {"q\u00a01": "a"}}, r"the query id 'q\\xa01' does not fit into TREC form"),
        ("trec", {"qrels": {"#1": {"d1": 1}}}, r"query id '#1' does not fit into TREC qrels"),
        ("trec", {"split": "Dev"}, "the split 'Dev' does not fit into the name of a TREC file"),
        ("csv", {}, "collections are not written as 'csv'; valid are: beir, trec"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_and_nothing_is_left(
    tmp_path: Path, form: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        write_dataset(collection(**changes), tmp_path / "out", form)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    write_dataset(collection(), tmp_path / "out")
    with pytest.raises(StoreError, match=r"out exists and is not empty; .*\(--force\)"):
        write_dataset(collection(), tmp_path / "out", "trec")
    assert load(tmp_path / "out").spans == collection().spans


def test_force_replaces_a_collection_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_dataset(collection(), out)
    write_dataset(collection(), out, "trec", force=True)
    assert sorted(path.name for path in out.iterdir()) == ["documents.txt", "qrels.txt", "topics.txt"]
    with pytest.raises(DatasetError, match="does not fit"):
        write_dataset(collection(queries={"q 1": "a"}), out, "trec", force=True)
    assert load(out).queries == collection().queries
    (out / "thesis.doc").write_text("years of work")
    with pytest.raises(DatasetError, match=r"holds 'thesis.doc', which is no part of a collection"):
        write_dataset(collection(), out, force=True)
    assert (out / "thesis.doc").read_text() == "years of work"
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208 - hidden files too


def test_a_folder_below_that_no_collection_has_is_kept(tmp_path: Path) -> None:
    for stranger in ("qrels/notes.txt", "docs/thesis.txt", "corpus.doc"):
        out = tmp_path / stranger.replace("/", "-")
        write_dataset(collection(), out)
        (out / stranger).parent.mkdir(exist_ok=True)
        (out / stranger).write_text("years of work")
        with pytest.raises(DatasetError, match="which is no part of a collection, and is not replaced"):
            write_dataset(collection(), out, force=True)
        assert (out / stranger).read_text() == "years of work"


@pytest.mark.parametrize("force", [True, False])
def test_a_collection_is_not_replaced_by_itself(tmp_path: Path, force: bool) -> None:
    out = tmp_path / "out"
    write_dataset(collection(), out)
    (tmp_path / "link").symlink_to(out)
    for source, target in ((out, out), (tmp_path / "link", out), (out, tmp_path / "out" / ".." / "link")):
        with pytest.raises(DatasetError, match="is read, and is not replaced by what is made of it"):
            write_dataset(load(source), target, "trec", force=force)
    assert load(out).spans == collection().spans


def test_unknown_ids_are_written_and_read_where_they_are_allowed(tmp_path: Path) -> None:
    qrels = {"q1": {"lost": 1}, "never asked": {"d1": 1}}
    write_dataset(collection(qrels=qrels, queries={"q1": "who"}, spans={}), tmp_path / "out")
    assert load(tmp_path / "out", allow_unknown=True).qrels == qrels


@pytest.mark.parametrize(
    ("name", "form"),
    [("primer", "trec"), ("cranfield", "beir"), ("cranfield", "trec"), ("med", "trec"), ("qmsum", "beir")],
)
def test_real_collections(shared_data: Path, tmp_path: Path, name: str, form: str) -> None:
    dataset = load(shared_data / name if (shared_data / name).is_dir() else name)
    write_dataset(dataset, tmp_path / "out", form)
    back = load(tmp_path / "out")
    assert back.qrels == dataset.qrels
    assert [(d.id, words(d.text)) for d in back.documents] == [
        (d.id, words(d.text)) for d in dataset.documents
    ]
    if form == "beir":
        assert list(back.documents) == list(dataset.documents)
        assert (back.queries, back.spans) == (dataset.queries, dataset.spans)
