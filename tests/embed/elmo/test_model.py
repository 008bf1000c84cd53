"""The fast code against numpy's float64 twin, and against what others published."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

from ragembed.embed.elmo import model as model_module
from ragembed.embed.elmo import reference
from ragembed.embed.elmo.bilstm import Memory
from ragembed.embed.elmo.files import ElmoFiles, open_elmo
from ragembed.embed.elmo.model import Elmo
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import Weights, shapes
from ragembed.errors import EmbeddingError

pytest.importorskip("torch", reason="needs the extra elmo")

Draw = Callable[[Options], Weights]

SENTENCES = [
    text.split()
    for text in (
        "The bank of the river",
        "I went to the bank",
        "",
        "a",
        "Donaudampfschifffahrtsgesellschaft 東京 \ud800 \x00",
        "x " * 40,
    )
]


def largest(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> float:
    assert [each.shape for each in left] == [each.shape for each in right]
    return max(float(np.abs(a - b).max(initial=0)) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"skip": False},
        {"activation": "tanh"},
        {"highways": 0},
        {"layers": 1},
        {"layers": 3},
        {"cell_clip": None, "proj_clip": None},
    ],
    ids=str,
)
def test_it_is_what_the_plain_twin_says(tiny: ElmoFiles, draw: Draw, change: dict[str, object]) -> None:
    options = replace(tiny.options, **change)  # type: ignore[arg-type]
    weights = draw(options)
    found = Elmo(options, weights).activations(SENTENCES)
    expected = [reference.activations(sentence, options, weights) for sentence in SENTENCES]
    assert largest(found, expected) < 4e-6


def test_the_bounds_of_the_tiny_model_act(tiny: ElmoFiles) -> None:
    """Or the test above would hold without them."""
    free = replace(tiny.options, cell_clip=None, proj_clip=None)
    bound = Elmo(tiny.options, tiny.weights).activations(SENTENCES)
    assert largest(bound, Elmo(free, tiny.weights).activations(SENTENCES)) > 0.1
    one_layer = np.concatenate([each[1] for each in bound], axis=0)
    assert np.abs(one_layer).max() == np.float32(0.25)


def test_words_of_all_lengths_at_once(tiny: ElmoFiles) -> None:
    """Words are cut to the longest of their slice, with as much padding as the widest filter sees."""
    words = ["", "a", "ab", "abcdefghi", "abcdefghij", "abcdefghijklmnop"]
    found = Elmo(tiny.options, tiny.weights)
    expected = [reference.token_vector(word, tiny.options, tiny.weights) for word in words]
    np.testing.assert_allclose(found.token_vectors(words), expected, atol=2e-6)
    for word, vector in zip(words, expected, strict=True):
        np.testing.assert_allclose(found.token_vectors([word])[0], vector, atol=2e-6)


def test_batches_change_nothing(tiny: ElmoFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    elmo = Elmo(tiny.options, tiny.weights)
    together = elmo.activations(SENTENCES)
    assert largest(together, [elmo.activations([sentence])[0] for sentence in SENTENCES]) < 2e-6
    monkeypatch.setattr(model_module, "_MEMORY", 1)
    assert largest(together, elmo.activations(SENTENCES)) < 2e-6
    assert elmo.activations([]) == []


def test_layers_that_nobody_wants_are_not_run(tiny: ElmoFiles) -> None:
    elmo = Elmo(tiny.options, tiny.weights)
    whole = elmo.activations(SENTENCES)
    for depth in range(3):
        assert largest(elmo.activations(SENTENCES, depth), [each[: depth + 1] for each in whole]) < 2e-6


def test_continued_sentences_go_on_from_the_memory(tiny: ElmoFiles) -> None:
    elmo = Elmo(tiny.options, tiny.weights)
    memory = Memory.empty(tiny.options, 3)
    states: list[reference.State] = [{}, {}, {}]
    for batch in (SENTENCES[:3], SENTENCES[3:6], SENTENCES[:2], SENTENCES[2:5]):
        found = elmo.continued(batch, memory)
        expected = [
            reference.activations(sentence, tiny.options, tiny.weights, state)
            for sentence, state in zip(batch, states, strict=False)
        ]
        assert largest(found, expected) < 5e-6
    with pytest.raises(EmbeddingError, match="of 3 sentences, 4 are given"):
        elmo.continued(SENTENCES[:4], memory)


PUBLISHED = [
    ("elmo_allennlp", "", "sentences.json"),
    ("elmo_bilm_tf", "model_", "model_lm_embeddings_sentences.json"),
]


@pytest.mark.parametrize(("name", "prefix", "file"), PUBLISHED, ids=[each[0] for each in PUBLISHED])
def test_published_activations(shared_fixtures: Path, name: str, prefix: str, file: str) -> None:
    """30 sentences; the k-th of three files go through together, and the memory is carried to the next three."""
    h5py = pytest.importorskip("h5py", reason="needs the extra elmo")
    folder = shared_fixtures / name
    files = open_elmo(folder / f"{prefix}lm_weights.hdf5", folder / f"{prefix}options.json")
    sentences = [[text.split() for text in part] for part in json.loads((folder / file).read_text())]
    expected = []
    for lane in range(3):
        with h5py.File(folder / f"{prefix}lm_embeddings_{lane}.hdf5") as stored:
            expected.append([np.concatenate(stored[str(k)][()], axis=1) for k in range(10)])
    elmo, memory = Elmo(files.options, files.weights), Memory.empty(files.options, 3)
    states: list[reference.State] = [{}, {}, {}]
    for k in range(10):
        found = elmo.continued([lane[k] for lane in sentences], memory)
        for lane in range(3):
            twin = reference.activations(sentences[lane][k], files.options, files.weights, states[lane])
            np.testing.assert_allclose(found[lane][-1], expected[lane][k], atol=2e-6, rtol=0)
            np.testing.assert_allclose(twin[-1], expected[lane][k], atol=2e-6, rtol=0)
            np.testing.assert_allclose(found[lane], twin, atol=2e-6, rtol=0)
    alone = elmo.activations([lane[1] for lane in sentences])
    assert largest([each[-1] for each in alone], [lane[1] for lane in expected]) > 0.1  # the memory matters


def test_published_token_vectors(shared_fixtures: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra elmo")
    folder = shared_fixtures / "elmo_allennlp"
    words = (folder / "vocab_test.txt").read_text(encoding="utf-8").split("\n")
    with h5py.File(folder / "elmo_token_embeddings.hdf5") as stored:
        expected = stored["embedding"][()]
    files = open_elmo(folder / "lm_weights.hdf5")
    assert expected.shape == (458, 16)
    twin = [reference.token_vector(word, files.options, files.weights) for word in words]
    np.testing.assert_allclose(
        Elmo(files.options, files.weights).token_vectors(words), expected, atol=2e-6, rtol=0
    )
    np.testing.assert_allclose(twin, expected, atol=2e-6, rtol=0)


def test_sizes_of_the_published_model() -> None:
    """93.6 million weights, as the paper's program counts them."""
    options = Options(
        char_dimension=16,
        filters=((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024)),
        highways=2,
        cells=4096,
        projection=512,
        cell_clip=3.0,
        proj_clip=3.0,
    )
    assert round(sum(map(prod, shapes(options).values())) / 1e6, 1) == 93.6
