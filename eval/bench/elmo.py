"""ELMo: how near to what others published, how fast, and what a small model of one's own is good for.

1. Largest differences from the activations that AllenNLP and bilm-tf published with their own weights.
2. Tokens per second (of wall time, in turns) through the recurrent layers: ours, with bounds and skip connections,
   against torch's plain nn.LSTM(proj_size=), which has neither, of the same sizes over the same packed sentences.
3. Training on a slice of the reviews: tokens per second of processor time, and perplexity of held-out text beside that
   of a model that knows only how frequent words are.
4. nDCG@10 and Spearman's correlation on STS-B of that model, layer by layer, beside word2vec trained on the same texts.

    python -m ragembed.eval.bench.elmo [--model FOLDER] [--corpus reviews] [--megabytes 1.0] [--epochs 2] [--threads 2]

``--corpus collections`` trains on the documents that are searched instead of reviews of films.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.datasets import load
from ragembed.embed.base import Dense, normalized
from ragembed.embed.elmo.bilstm import Memory, Packing, layer_of, run_layer
from ragembed.embed.elmo.embedder import ElmoEmbedder
from ragembed.embed.elmo.files import open_elmo
from ragembed.embed.elmo.mixing import Layers, Mixing, fit_mixing
from ragembed.embed.elmo.model import Elmo
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.train import ElmoTrainer
from ragembed.embed.elmo.weights import shapes
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train.base import Trainer
from ragembed.embed.words.train.run import train_to_folder
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import MissingExtraError
from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.eval.measures import evaluate
from ragembed.eval.quality.correlation import spearman
from ragembed.threads import available_threads, set_threads, wait_calmly

FIXTURES = (
    ("elmo_allennlp", "", "sentences.json"),
    ("elmo_bilm_tf", "model_", "model_lm_embeddings_sentences.json"),
)
SIZES = {"128, 512 cells": (128, 512, 64), "512, 4096 cells, as published": (512, 4096, 32)}
"""Projection, cells, and sentences at once."""
COLLECTIONS = ("cranfield", "med")
DEPTH = 100
Embed = Callable[[Sequence[str]], Layers]


def differences() -> Iterator[tuple[str, float]]:
    """The largest difference of each fixture."""
    import h5py

    for name, prefix, sentences in FIXTURES:
        folder = SHARED.parent / "fixtures" / name
        files = open_elmo(folder / f"{prefix}lm_weights.hdf5")
        elmo, memory = Elmo(files.options, files.weights), Memory.empty(files.options, 3)
        lanes = [[text.split() for text in lane] for lane in json.loads((folder / sentences).read_text())]
        stored = [h5py.File(folder / f"{prefix}lm_embeddings_{lane}.hdf5") for lane in range(3)]
        worst = 0.0
        for k in range(10):
            for lane, found in enumerate(elmo.continued([lane[k] for lane in lanes], memory)):
                expected = np.concatenate(np.asarray(stored[lane][str(k)]), axis=1)
                worst = max(worst, float(np.abs(found[-1] - expected).max()))
        yield f"{name}, top layer of 30 sentences", worst
        if (words := folder / "vocab_test.txt").is_file():
            with h5py.File(folder / "elmo_token_embeddings.hdf5") as file:
                expected = np.asarray(file["embedding"])
            found = elmo.token_vectors(words.read_text(encoding="utf-8").split("\n"))
            yield f"{name}, {len(expected)} tokens", float(np.abs(found - expected).max())


def recurrence(repeat: int) -> Iterator[tuple[str, float, float]]:
    """Tokens per second of one layer in both directions, ours and torch's, for each of `SIZES`."""
    import torch

    random = np.random.default_rng(0)
    for name, (projection, cells, rows) in SIZES.items():
        options = Options(
            char_dimension=4, filters=((1, 4),), highways=0, cells=cells, projection=projection,
            cell_clip=3.0, proj_clip=3.0,
        )  # fmt: skip
        tensors = {
            each: torch.from_numpy((random.standard_normal(shape) * 0.05).astype(np.float32))
            for each, shape in shapes(options).items()
        }
        layer = layer_of(tensors, options, 0)
        lengths = np.sort(random.integers(5, 45, rows))[::-1]
        sizes, tokens = Packing.of(lengths.tolist()).sizes, int(lengths.sum())
        x = torch.randn(2, tokens, projection)
        h, c = torch.zeros(2, rows, projection), torch.zeros(2, rows, cells)
        theirs = torch.nn.LSTM(projection, cells, proj_size=projection, bidirectional=True)
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            torch.randn(int(lengths[0]), rows, projection), torch.from_numpy(lengths.copy())
        )
        with torch.inference_mode():
            seconds = alternate(
                {
                    "ours": lambda: run_layer(layer, options, x, sizes, h, c),
                    "theirs": lambda: theirs(packed),
                },
                repeat,
            )
        yield name, tokens / seconds["ours"], tokens / seconds["theirs"]


def reviews(megabytes: float) -> list[str]:
    """The first reviews."""
    found, size = [], 0
    with gzip.open(SHARED / "imdb" / "corpus.txt.gz", "rt", encoding="utf-8") as file:
        for line in file:
            found.append(line.strip())
            size += len(line)
            if size > megabytes * 1e6:
                break
    return found


def collections() -> list[str]:
    """The documents of the collections that are searched afterwards."""
    return [document.text for name in COLLECTIONS for document in load(SHARED / name).documents]


def trained(trainer: Trainer, texts: Sequence[str], folder: Path) -> float:
    """Train to `folder`; returns the seconds of processor time that it took."""
    started = time.process_time()
    train_to_folder(trainer, texts, folder, reading=trainer.default_reading())
    return time.process_time() - started


def word2vec(texts: Sequence[str], folder: Path) -> dict[str, Embed]:
    """Means of word2vec's vectors, as layers of which there is one; nothing where gensim is not installed.

    Trained as the embedder `word2vec` is on corpora of this size, and weighed as ELMo's words are.
    """
    from ragembed.embed.words.train.on_gensim.word2vec import Word2VecTrainer

    try:
        trainer = Word2VecTrainer(dimension=256, window=15, sample=1e-4, epochs=30)
        reading = replace(trainer.default_reading(), min_count=2)
        train_to_folder(trainer, texts, folder, reading=reading)
    except MissingExtraError:
        return {}
    vectors, cut = WordVectors.open(folder), tokenizer("words")
    assert vectors.counts is not None  # as after each training
    shares = vectors.counts / vectors.counts.sum()

    def embed(passages: Sequence[str], a: float | None) -> Layers:
        found = np.zeros((1, len(passages), vectors.dimension), np.float32)
        for number, text in enumerate(passages):
            rows = vectors.rows(cut.tokens(text))
            rows = rows[rows >= 0]
            if len(rows):
                weights = np.ones(len(rows)) if a is None else a / (a + shares[rows])
                found[0, number] = weights @ vectors.vectors[rows] / len(rows)
        return found

    return {
        "word2vec mean": lambda texts: embed(texts, None),
        "word2vec weighted": lambda texts: embed(texts, 1e-3),
    }


def mixings(layers: int) -> dict[str, Mixing]:
    """What is compared."""
    names = ["mean", *map(str, range(layers))] if layers > 1 else ["mean"]
    return {f"layers={name}" if layers > 1 else "": Mixing.parse(name, layers) for name in names}


def retrieval(embed: Embed, name: str) -> dict[str, float]:
    """nDCG@10 of each mixing on one collection, by cosine."""
    dataset = load(SHARED / name)
    documents = list(dataset.documents)
    queries = {number: text for number, text in dataset.queries.items() if number in dataset.qrels}
    left, right = embed(list(queries.values())), embed([document.text for document in documents])
    found = {}
    for label, mixing in mixings(len(left)).items():
        scores = normalized(mixing.mix(left)) @ normalized(mixing.mix(right)).T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
        run = {
            query: {documents[at].id: float(scores[row, at]) for at in best[row].tolist()}
            for row, query in enumerate(queries)
        }
        found[label] = evaluate(dataset.qrels, run, "nDCG@10").means["nDCG@10"]
    return found


def sentence_pairs(name: str) -> tuple[list[str], list[str], Dense]:
    """Both sides of STS-B's pairs, and how alike people find them."""
    lines = (SHARED / "sts" / name).read_text(encoding="utf-8").splitlines()[1:]
    scores, left, right = zip(*(line.split("\t") for line in lines), strict=True)
    return list(left), list(right), np.array(scores, np.float32)


def similarity(embed: Embed) -> dict[str, float]:
    """Spearman's correlation with people on STS-B's test pairs; shares are also fitted, on its other close pairs."""
    left, right, score = sentence_pairs("stsb-dev.tsv")
    alike = np.flatnonzero(score >= 4)
    close = [embed([side[at] for at in alike]) for side in (left, right)]
    left, right, score = sentence_pairs("stsb-test.tsv")
    one, other = embed(left), embed(right)
    chosen = mixings(len(one))
    if len(one) > 1:
        chosen["layers fitted"] = fit_mixing(close[0], close[1])
    found = {}
    for label, mixing in chosen.items():
        cosines = (normalized(mixing.mix(one)) * normalized(mixing.mix(other))).sum(axis=1)
        found[label] = spearman(cosines, score)
    return found


def main() -> None:
    """Run it and print a line of JSON last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a trained model; without it one is trained")
    parser.add_argument("--megabytes", type=float, default=1.0, help="how much of the reviews is read")
    parser.add_argument("--corpus", choices=["reviews", "collections"], default="reviews")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_threads())
    options = parser.parse_args()
    wait_calmly()
    set_threads(options.threads)
    result: dict[str, Any] = {"differences": dict(differences())}
    print(machine("torch", "h5py"), f"{options.threads} threads", sep="; ")
    table(
        ["", "largest difference"], [[name, f"{worst:.2g}"] for name, worst in result["differences"].items()]
    )

    rows = [[name, ours, theirs, ours / theirs] for name, ours, theirs in recurrence(options.repeat)]
    table(["one layer, both directions", "tokens/s", "nn.LSTM without bounds", "ratio"], rows)
    result["recurrence"] = rows

    texts = reviews(options.megabytes) if options.corpus == "reviews" else collections()
    sizes = [len(tokenizer("cased").tokens(text)) for text in texts]
    tokens = sum(sizes)
    with tempfile.TemporaryDirectory() as work:
        folder = options.model or Path(work) / "elmo"
        if options.model is None:
            trainer = ElmoTrainer(epochs=options.epochs, filters=256, vocabulary=10_000)
            seconds = trained(trainer, texts, folder)
            result["training"] = {
                "tokens_per_second": tokens * trainer.epochs / seconds,
                "unigram_perplexity": trainer.meta()["unigram_perplexity"],
                "perplexities": trainer.meta()["perplexities"],
            }
            table(["training", ""], [[key, str(value)] for key, value in result["training"].items()])
        embedder = ElmoEmbedder(path=str(folder))
        started = time.process_time()
        embedder.embed(texts[:200])
        seconds = time.process_time() - started
        result["embedding_tokens_per_second"] = sum(sizes[:200]) / seconds
        print(
            f"embedding: {result['embedding_tokens_per_second']:,.0f} tokens per second of processor time\n"
        )
        poolings = {name: ElmoEmbedder(path=str(folder), pooling=name) for name in ("mean", "weighted")}
        sides: dict[str, Embed] = {f"elmo {name}": each.pooled_layers for name, each in poolings.items()}
        sides |= word2vec(texts, Path(work) / "word2vec")
        columns: dict[str, dict[str, float]] = {}
        for side, embed in sides.items():
            for name in COLLECTIONS:
                for label, value in retrieval(embed, name).items():
                    columns.setdefault(f"{side} {label}".strip(), {})[name] = value
            for label, value in similarity(embed).items():
                columns.setdefault(f"{side} {label}".strip(), {})["sts-b"] = value
    names = [*COLLECTIONS, "sts-b"]
    table(
        ["layers", *names],
        [[label, *(row.get(name, "") for name in names)] for label, row in columns.items()],
    )
    result["quality"] = columns
    print(json.dumps(result))


if __name__ == "__main__":
    main()
