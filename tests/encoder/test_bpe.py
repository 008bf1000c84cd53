from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ragembed.encoder.bpe import END, count_words, learn, segment, segment_line


def test_merges_and_pieces_are_those_of_subword_nmt(shared_fixtures: Path) -> None:
    """1,000 merges learned, and 1,015 lines cut, as its authors published them."""
    folder = shared_fixtures / "subword_nmt"
    lines = (folder / "corpus.en").read_text(encoding="utf-8").splitlines(keepends=True)
    expected = (folder / "bpe.ref").read_text(encoding="utf-8").splitlines()[1:]
    merges = learn(count_words(lines), 1000)
    assert [" ".join(pair) for pair in merges] == expected
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    cut = (folder / "corpus.bpe.ref.en").read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(cut) == 1015
    assert [segment_line(line, ranks) for line in lines] == cut
    extra = json.loads((shared_fixtures / "inline_vectors.json").read_text())["subword_nmt_extra"]
    assert [segment_line(line, ranks) for line, _ in extra["cases"]] == [right for _, right in extra["cases"]]


WORDS = st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 5), min_size=1, max_size=12)


@given(counts=WORDS, merges=st.integers(0, 20))
def test_pieces_make_up_the_word(counts: dict[str, int], merges: int) -> None:
    ranks = {pair: rank for rank, pair in enumerate(learn(counts, merges, least=1))}
    for word in [*counts, "cab"]:
        assert "".join(segment(word, ranks)) == word + END


@given(counts=WORDS, merges=st.integers(1, 20))
def test_each_merge_is_the_most_frequent_pair(counts: dict[str, int], merges: int) -> None:
    """Counted anew each time, in words cut with the merges before."""
    found = learn(counts, merges, least=1)
    for step, pair in enumerate(found):
        ranks = {each: rank for rank, each in enumerate(found[:step])}
        frequency: Counter[tuple[str, str]] = Counter()
        for word, times in counts.items():
            pieces = segment(word, ranks)
            for neighbours in pairwise(pieces):
                frequency[neighbours] += times
        assert (frequency[pair], pair) == max((count, each) for each, count in frequency.items())
