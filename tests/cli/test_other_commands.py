"""ragembed eval, chunk, embed, datasets and doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.eval.runs import read_run


def collection(folder: Path) -> Path:
    """Three documents and two queries, whose ideal answers are plain to see."""
    (folder / "qrels").mkdir(parents=True)
    fruit = [("d1", "Apples", "red"), ("d2", "Pears", "green"), ("d3", "Plums", "blue")]
    rows = [(identifier, title, f"{title.lower()} are {colour}") for identifier, title, colour in fruit]
    (folder / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": i, "title": title, "text": text}) + "\n" for i, title, text in rows),
        encoding="utf-8",
    )
    (folder / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "green pear"}\n{"_id": "q2", "text": "blue cars"}\n', encoding="utf-8"
    )
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td2\t1\nq2\td1\t1\n", encoding="utf-8"
    )
    return folder


@pytest.mark.parametrize("embedder", ["onehot", "bow", "tfidf", "bm25", "bm25+tfidf"])
def test_eval(run: Any, tmp_path: Path, embedder: str) -> None:
    out = tmp_path / "run.trec"
    folder = collection(tmp_path / "fruit")
    done = run(
        "eval",
        "--dataset",
        folder,
        "--embedder",
        embedder,
        "--measures",
        "RR@10,R@100",
        "--run",
        out,
        "--json",
    )
    found = done.json()
    # q1 finds its document first; q2 finds only d3, which is not the judged one, and scores 0
    assert found["measures"] == {"RR@10": 0.5, "R@100": 0.5}
    assert (found["dataset"], found["embedder"], found["queries"]) == ("fruit", embedder, 2)
    assert set(found["seconds"]) == {"index", "query"}
    run_file = read_run(out)
    assert list(run_file["q1"]) == ["d2"]
    assert list(run_file["q2"]) == ["d3"]


def test_eval_with_chunks_scores_the_best_chunk(run: Any, tmp_path: Path) -> None:
    folder = collection(tmp_path / "fruit")
    found = run(
        "eval", "--dataset", folder, "--embedder", "bm25", "--chunker", "fixed(tokens=2, overlap=0)",
        "--measures", "RR@10", "--json",
    ).json()  # fmt: skip
    assert found["measures"] == {"RR@10": 0.5}
    assert found["chunks"] == 6


def test_eval_for_people(run: Any, tmp_path: Path) -> None:
    out = run("eval", "--dataset", collection(tmp_path / "fruit"), "--embedder", "bm25").out
    assert out.startswith("fruit  bm25  nDCG@10 0.5000  R@100 0.5000  (2 queries")


def test_built_in_collection_is_better_served_by_bm25_than_by_onehot(run: Any) -> None:
    scores = {
        name: run("eval", "--dataset", "primer", "--embedder", name, "--json").json()["measures"]["nDCG@10"]
        for name in ("onehot", "bm25")
    }
    assert 0.5 < scores["onehot"] < scores["bm25"] < 0.95


def test_chunk(run: Any, docs: Path) -> None:
    done = run("chunk", docs / "guide", "--chunker", "markdown", "--json")
    chunks = [json.loads(line) for line in done.out.splitlines()]
    text = (docs / "guide" / "keys.md").read_text(encoding="utf-8")
    assert chunks
    assert all(text[chunk["start"] : chunk["end"]] == chunk["text"] for chunk in chunks)
    assert "--- guide/keys.md::0" in run("chunk", docs / "guide").out


def test_embed_dense_and_sparse(run: Any, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("cats sleep\ndogs bark\ncats purr\n", encoding="utf-8")
    assert (
        run("embed", lines, "-o", tmp_path / "v.npy", "--embedder", "random-projection(dimension=64)").code
        == 0
    )
    vectors = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert (vectors.shape, vectors.dtype) == ((3, 64), np.float32)
    report = run("embed", lines, "-o", tmp_path / "v.npz", "--embedder", "bm25", "--json").json()
    from scipy.sparse import load_npz

    sparse = load_npz(tmp_path / "v.npz")
    assert sparse.shape == (report["texts"], report["dimension"]) == (3, 5)
    assert (sparse @ sparse.T).toarray()[0, 2] > 0 == (sparse @ sparse.T).toarray()[0, 1]


def test_embed_refuses_the_wrong_kind_of_file(run: Any, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("a\n", encoding="utf-8")
    done = run("embed", lines, "-o", tmp_path / "v.npy", "--embedder", "bm25")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "name a .npz file" in done.err


def test_datasets(run: Any, tmp_path: Path) -> None:
    (listed,) = run("datasets", "--json").json()["datasets"]
    assert listed["dataset"] == "primer"
    assert listed["documents"] >= 60
    assert listed["queries"] >= 40
    assert "documents 3" in run("datasets", collection(tmp_path / "fruit")).out


def test_doctor(run: Any) -> None:
    found = run("doctor", "--json").json()
    assert found["core"]["numpy"] == np.__version__
    assert set(found["extras"]) == {
        "fast", "tokenizers", "st", "offline", "files", "watch", "parquet", "eval", "words", "elmo",
        "encoder", "umap", "mteb",
    }  # fmt: skip
    assert "numpy" in run("doctor").out


def test_embed_gives_one_vector_a_line(run: Any, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_bytes("a\x0cb\r\nc\u2028d\n\nlast".encode())
    report = run("embed", lines, "-o", tmp_path / "v.npy", "--embedder", "random-projection", "--json").json()
    assert report["texts"] == 4


def test_measures_without_a_cutoff_look_deeper(run: Any, tmp_path: Path) -> None:
    folder = collection(tmp_path / "fruit")
    depth = {
        measure: run(
            "eval", "--dataset", folder, "--embedder", "bm25", "--measures", measure, "--json"
        ).json()["depth"]
        for measure in ("AP", "nDCG@10", "R@200")
    }
    assert depth == {"AP": 1000, "nDCG@10": 100, "R@200": 200}


def _collection(folder: Path, query: str, document: str) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        f'{{"_id": "{document}", "text": "Cats purr."}}\n{{"_id": "d2", "text": "Dogs bark."}}\n'
    )
    (folder / "queries.jsonl").write_text(f'{{"_id": "{query}", "text": "who purrs"}}\n')
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{query}\t{document}\t1\n")
    return folder


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_document_that_fits_into_no_run_does_not_lose_the_measures(
    run: Any, tmp_path: Path, more: tuple[str, ...]
) -> None:
    folder, out = _collection(tmp_path / "set", "q1", "my d1"), tmp_path / "out.trec"
    done = run("eval", "--dataset", folder, "--embedder", "bm25", "--measures", "P@1", "--run", out, *more)
    assert done.code == 1
    assert done.err.startswith("error: the document id 'my d1' does not fit into a TREC run")
    assert done.err.count("\n") == 1
    assert done.json()["measures"] == {"P@1": 1.0} if more else "P@1 1.0000" in done.out
    assert not out.exists()


def test_a_query_that_fits_into_no_run_is_refused_before_the_work(run: Any, tmp_path: Path) -> None:
    folder, out = _collection(tmp_path / "set", "my q1", "d1"), tmp_path / "out.trec"
    # that there is no such embedder would be told first if the work had begun
    done = run("eval", "--dataset", folder, "--embedder", "no-such-embedder", "--run", out)
    assert done.code == 1
    assert "the query id 'my q1' does not fit into a TREC run" in done.err
    assert (done.out, out.exists()) == ("", False)


def test_info_tells_what_became_of_the_tokens(run: Any, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("one two three four five six seven")
    index = tmp_path / "index"
    run("index", docs, "-o", index, "--embedder", "bm25", "--chunker", "recursive(tokens=4, overlap=0)")
    assert "tokens" not in run("info", index, "--json").json()
    told = run("info", index, "--tokens", "--json").json()["tokens"]
    assert (told["tokens"], told["embedded"], told["documents"], told["share_embedded"]) == (7, 7, 1, 1.0)
    shown = run("info", index, "--tokens")
    assert "7 tokens: 7 (100 %) embedded (1 documents, counted by words)" in shown.out
    (docs / "a.txt").unlink()
    assert "1 documents are not counted" in run("info", index, "--tokens").err
