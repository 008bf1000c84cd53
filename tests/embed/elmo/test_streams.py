from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.elmo.sentences import mark
from ragembed.embed.elmo.streams import SPECIAL, Streams, sentence_starts

BEGIN, END = "<", ">"


def shown(streams: Streams, lanes: int, steps: int, letters: str) -> list[list[str]]:
    """For each direction: inputs and targets of all lanes, letter by letter."""
    names = np.array([BEGIN, END, *letters])
    pieces = list(streams.pieces(lanes, steps))
    found = []
    for direction in (0, 1):
        for kind in ("inputs", "targets"):
            read = np.concatenate([getattr(piece, kind)[direction] for piece in pieces])  # (T, B)
            found.append(["".join(names[lane]) for lane in read.T])
    return found


def test_two_sentences_in_one_lane() -> None:
    streams = Streams(np.array([0, 1, 2, 3], np.int32), np.array([0, 1, 4]))  # a, bcd
    assert len(streams) == 6
    assert shown(streams, 1, 4, "abcd") == [["<a<bcd"], ["a>bcd>"], [">a>dcb"], ["a<dcb<"]]


def test_lanes_are_pieces_side_by_side() -> None:
    streams = Streams(np.array([0, 1, 2, 3], np.int32), np.array([0, 1, 4]))
    assert shown(streams, 2, 2, "abcd")[0] == ["<a<", "bcd"]
    assert [piece.inputs.shape for piece in streams.pieces(2, 2)] == [(2, 2, 2), (2, 1, 2)]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=10), st.integers(1, 4), st.integers(1, 7))
def test_whatever_the_lanes_all_is_read_once(lengths: list[int], lanes: int, steps: int) -> None:
    starts = np.concatenate(([0], np.cumsum(lengths)))
    streams = Streams(np.arange(starts[-1], dtype=np.int32), starts)
    whole = next(streams.pieces(1, len(streams)))
    cut = list(streams.pieces(lanes, steps))
    each = len(streams) // lanes
    for kind in ("inputs", "targets"):
        expected = getattr(whole, kind)[:, :, 0]  # (D, all)
        read = (
            np.concatenate([getattr(piece, kind) for piece in cut], axis=1)
            if cut
            else np.zeros((2, 0, lanes))
        )
        np.testing.assert_array_equal(read.transpose(0, 2, 1).reshape(2, -1), expected[:, : each * lanes])
        words = expected[0][expected[0] >= SPECIAL] - SPECIAL
        assert words.tolist() == list(range(starts[-1]))  # forwards in order, each once
    assert whole.targets[0][whole.inputs[0] == 0].min() >= SPECIAL


def test_later_sentences_are_a_stream_of_their_own() -> None:
    streams = Streams(np.array([0, 1, 2, 3], np.int32), np.array([1, 4]))  # bcd
    assert shown(streams, 1, 9, "abcd")[0] == ["<bcd"]


def test_sentences_begin_with_texts_and_after_stops() -> None:
    words = ["a", "B", ".", "?", ")"]
    marks = np.array([mark(word) for word in words], np.uint8)
    rows = {word: row for row, word in enumerate(words)}
    texts = ["a B . B ? ) a . a", "", "B a", "a ."]
    tokens = np.array([rows[word] for text in texts for word in text.split()], np.int32)
    offsets = np.cumsum([0, *(len(text.split()) for text in texts)])
    # a B . | B ? ) a . a | B a | a .: after ")" and "." it goes on in lower case
    assert sentence_starts(tokens, offsets, marks).tolist() == [0, 3, 9, 11, 13]
