"""MTEB: any embedder of ours as a model that it evaluates, and any collection of ours as a task that it runs.

    import mteb
    from ragembed.connect.mteb import mteb_model, mteb_task

    mteb.evaluate(mteb_model("bm25+minilm"), mteb.get_tasks(tasks=["SciFact"]))
    mteb.evaluate(mteb.get_model("..."), mteb_task(load("my/collection")))

Retrieval and reranking go through an index of ours (MTEB's ``SearchProtocol``), so that sparse, learning and hybrid
embedders take part, and the scores are those of ``ragembed eval``. A dense embedder that learns nothing can also
encode (``EncoderProtocol``), for tasks of every other type. Needs mteb 2 (extra ``mteb``).
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ragembed import __version__
from ragembed.embed import EMBEDDERS, Dense, Embedder
from ragembed.embed.base import checked_vectors, normalized
from ragembed.errors import DatasetError, QueryError
from ragembed.extras import require
from ragembed.pipeline import Pipeline
from ragembed.spec import parse_all
from ragembed.types import Document, Qrels

_FRAMEWORKS = {"st": "Sentence Transformers", "minilm": "PyTorch", "hf": "PyTorch"}
"""MTEB's names for what runs an embedder; for all others it is NumPy."""
_AT_ONCE = 64
"""Queries whose whole rankings are held in memory while the documents of a reranking task are picked out."""


class Collection(Protocol):
    """What becomes a task, such as a `ragembed.datasets.Dataset`."""

    @property
    def name(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def documents(self) -> Iterable[Document]: ...
    @property
    def queries(self) -> Mapping[str, str]: ...
    @property
    def qrels(self) -> Qrels: ...


class SearchModel:
    """Searches as MTEB's ``SearchProtocol`` asks: `index` the corpus, then `search` the queries."""

    def __init__(self, embedders: Sequence[Embedder], chunker: str) -> None:
        """Use `mteb_model`."""
        self.embedders = embedders
        self.chunker = chunker
        self._pipeline: Pipeline | None = None
        self._discard: Callable[[], object] | None = None

    @property
    def spec(self) -> str:
        """The spec of all embedders."""
        return "+".join(str(embedder.spec) for embedder in self.embedders)

    @cached_property
    def mteb_model_meta(self) -> Any:
        """MTEB's ``ModelMeta``: names the spec, and as revision our version and what was learnt or loaded."""
        require("mteb", "mteb", "giving an embedder to MTEB")
        from mteb.models import ModelMeta

        alone = self.embedders[0] if len(self.embedders) == 1 else None
        dense = alone is not None and alone.kind == "dense"
        learnt = [hashed for one in self.embedders if not one.learns and (hashed := one.state_hash())]
        fixed = alone is not None and dense and not alone.learns
        return ModelMeta(
            loader=None,
            name="ragembed/" + re.sub(r"[^\w.+-]+", "-", self.spec).strip("-"),
            revision="-".join([__version__, *(hashed[:12] for hashed in learnt)]),
            release_date=None,
            languages=None,
            n_parameters=None if learnt else 0,
            memory_usage_mb=None,
            max_tokens=alone.max_tokens if alone is not None and fixed else None,
            embed_dim=alone.dimension if alone is not None and fixed else None,
            license=None,
            open_weights=None if learnt else True,
            public_training_code=None,
            public_training_data=None,
            framework=sorted({_FRAMEWORKS.get(embedder.name, "NumPy") for embedder in self.embedders}),
            similarity_fn_name="cosine" if dense else None,
            use_instructions=False,
            training_datasets=None,
            model_type=["hybrid" if alone is None else alone.kind],
            experiment_kwargs={"embedder": self.spec, "chunker": self.chunker},
        )

    def index(self, corpus: Iterable[Mapping[str, Any]], **_: Any) -> None:
        """Index a corpus of rows ``id``, ``title`` (may be missing), ``text``; the last one is dropped."""
        self.close()
        folder = tempfile.mkdtemp(prefix="ragembed-mteb-")
        pipeline = Pipeline.create(Path(folder) / "index", self.spec, self.chunker)
        self._discard = weakref.finalize(self, _discard, pipeline, folder)  # at the latest when Python ends
        report = pipeline.add(map(_document, corpus))
        if report.failed:
            first = report.failed[0]
            raise DatasetError(
                f"{len(report.failed)} documents of the corpus cannot be indexed, the first is {first.where}:"
                f" {first.reason}",
                "mend the corpus",
            )
        self._pipeline = pipeline

    def search(
        self,
        queries: Iterable[Mapping[str, Any]],
        *,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:
        """``{query id: {document id: score}}``, the `top_k` best of the corpus, or of `top_ranked` where given."""
        if self._pipeline is None:
            raise QueryError("MTEB searches before it has indexed", "call index(corpus) first")
        texts = {str(row["id"]): _query_text(row) for row in queries}
        found: dict[str, dict[str, float]] = {query: {} for query in texts}
        asked = [query for query, text in texts.items() if text.strip()]
        depth = top_k if top_ranked is None else max(1, self._pipeline.counts()["documents"])
        step = max(1, len(asked)) if top_ranked is None else _AT_ONCE
        for start in range(0, len(asked), step):
            part = asked[start : start + step]
            answers = self._pipeline.search_documents([texts[query] for query in part], depth)
            for query, answer in zip(part, answers, strict=True):
                found[query] = (
                    answer if top_ranked is None else _among(answer, top_ranked.get(query, ()), top_k)
                )
        return found

    def close(self) -> None:
        """Drop the index."""
        self._pipeline = None
        if self._discard is not None:
            self._discard()


class EncodeModel(SearchModel):
    """Also encodes, as MTEB's ``EncoderProtocol`` asks; for one dense embedder that learns nothing."""

    def encode(self, inputs: Iterable[Mapping[str, Any]], *, prompt_type: Any = None, **_: Any) -> Dense:
        """Vectors ``(texts, dimension)`` of batches of ``text``; as queries if `prompt_type` is ``query``."""
        texts = [text for batch in inputs for text in batch["text"]]
        queries = getattr(prompt_type, "value", prompt_type) == "query"
        return checked_vectors(self.embedders[0], texts, queries=queries)

    def similarity(self, embeddings1: ArrayLike, embeddings2: ArrayLike) -> NDArray[np.float32]:
        """Cosines ``(n1, n2)`` of all pairs."""
        scores: NDArray[np.float32] = _unit(embeddings1) @ _unit(embeddings2).T
        return scores

    def similarity_pairwise(self, embeddings1: ArrayLike, embeddings2: ArrayLike) -> NDArray[np.float32]:
        """Cosines ``(n,)`` of each row with its counterpart."""
        scores: NDArray[np.float32] = (_unit(embeddings1) * _unit(embeddings2)).sum(axis=1)
        return scores


def mteb_model(embedder: str, chunker: str = "whole") -> SearchModel:
    """The embedder of a spec as a model for ``mteb.evaluate``.

    Documents are whole unless a `chunker` is named; then a document scores its best chunk (MaxP). Raises
    `SpecError` for a spec that names nothing.
    """
    embedders = [EMBEDDERS.create(spec) for spec in parse_all(embedder)]
    encodes = len(embedders) == 1 and embedders[0].kind == "dense" and not embedders[0].learns
    return (EncodeModel if encodes else SearchModel)(embedders, chunker)


def mteb_task(
    collection: Collection, *, name: str | None = None, languages: Sequence[str] = ("eng-Latn",)
) -> Any:
    """A test collection as an MTEB retrieval task, its data in memory: for ``mteb.evaluate(model, task)``.

    The main score is nDCG@10. `languages` are codes as MTEB writes them. MTEB leaves judged queries without any
    judgement out, and the others in.
    """
    require("mteb", "mteb", "making an MTEB task")
    datasets = require("datasets", "mteb", "making an MTEB task")
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    metadata = TaskMetadata(
        name=name or collection.name,
        description=f"The collection {collection.name}, given by its owner.",
        dataset={"path": f"local/{collection.name}", "revision": "local"},
        type="Retrieval",
        category="t2t",
        eval_splits=[collection.split],
        eval_langs=list(languages),
        main_score="ndcg_at_10",
    )
    task = type(f"{collection.name}Task", (AbsTaskRetrieval,), {"metadata": metadata})()
    documents = [{"id": document.id, "title": "", "text": document.text} for document in collection.documents]
    queries = [{"id": query, "text": text} for query, text in collection.queries.items()]
    task.dataset = {
        "default": {
            collection.split: {
                "corpus": datasets.Dataset.from_list(documents),
                "queries": datasets.Dataset.from_list(queries),
                "relevant_docs": {query: dict(judged) for query, judged in collection.qrels.items()},
                "top_ranked": None,
            }
        }
    }
    task.data_loaded = True
    return task


def _document(row: Mapping[str, Any]) -> Document:
    title = row.get("title") or ""
    return Document(str(row["id"]), f"{title} {row['text']}".strip(), {"title": title} if title else {})


def _query_text(row: Mapping[str, Any]) -> str:
    """A query as MTEB gives it to models: with its instruction behind it, and a conversation as one text."""
    text = row["text"]
    if not isinstance(text, str):
        turns = (turn if isinstance(turn, str) else f"{turn['role']}: {turn['content']}" for turn in text)
        return " ".join(filter(None, [row.get("instruction"), "; ".join(turns)]))
    return " ".join(filter(None, [text, row.get("instruction")]))


def _among(answer: Mapping[str, float], candidates: Sequence[str], top_k: int) -> dict[str, float]:
    """The `top_k` best of `candidates`; one that shares nothing with the query was not found, and scores 0."""
    scores = {document: answer.get(document, 0.0) for document in candidates}
    best = sorted(scores, key=lambda document: (scores[document], document), reverse=True)
    return {document: scores[document] for document in best[:top_k]}


def _unit(vectors: ArrayLike) -> Dense:
    return normalized(np.asarray(vectors, dtype=np.float32))


def _discard(pipeline: Pipeline, folder: str) -> None:
    pipeline.close()
    shutil.rmtree(folder, ignore_errors=True)
