"""Texts -> vectors."""

from __future__ import annotations

import json
from pathlib import Path

from ragembed.embed.base import Dense, Embedder, Truncation
from ragembed.errors import EmbeddingError
from ragembed.registry import Registry

EMBEDDERS: Registry[Embedder] = Registry(
    "embedder",
    "ragembed.embedders",
    {
        "onehot": "ragembed.embed.lexical:OneHot",
        "bow": "ragembed.embed.lexical:BagOfWords",
        "tfidf": "ragembed.embed.lexical:TfIdf",
        "bm25": "ragembed.embed.lexical:BM25",
        "lsa": "ragembed.embed.lsa:LSA",
        "random-projection": "ragembed.embed.random_projection:RandomProjection",
        "word2vec": "ragembed.embed.words.embedders:Word2Vec",
        "glove": "ragembed.embed.words.embedders:GloVe",
        "fasttext": "ragembed.embed.words.embedders:FastText",
        "elmo": "ragembed.embed.elmo.embedder:ElmoEmbedder",
        "colbert": "ragembed.embed.colbert:ColbertEmbedder",
        "hf": "ragembed.embed.hugging_face:HuggingFaceEmbedder",
        "st": "ragembed.embed.sentence_transformers:SentenceTransformersEmbedder",
        "minilm": "ragembed.embed.minilm:MiniLM",
    },
)


def load_embedder(folder: str | Path) -> Embedder:
    """The embedder that `Embedder.save` wrote to `folder`."""
    folder = Path(folder)
    try:
        spec = json.loads((folder / "embedder.json").read_text(encoding="utf-8"))["spec"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbeddingError(
            f"{folder} holds no saved embedder ({error})", "name a folder that save() wrote"
        ) from error
    embedder = EMBEDDERS.create(spec)
    embedder.load_state(folder)
    return embedder


__all__ = ["EMBEDDERS", "Dense", "Embedder", "Truncation", "load_embedder"]
