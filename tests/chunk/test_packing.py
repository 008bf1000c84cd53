from __future__ import annotations

from ragembed.chunk.packing import CharacterRuler, Ruler, pack


def everything(text: str, start: int, low: int, high: int) -> int:
    return high


def at_low(text: str, low: int, end: int) -> int:
    return low


def test_tokens_are_counted_between_positions() -> None:
    ruler = Ruler([0, 3, 3, 7], tokens=2, overlap=0)
    assert ruler.count(0, 3) == 1
    assert ruler.count(0, 4) == 3
    assert ruler.count(4, 7) == 0
    assert CharacterRuler(10, 2, 0).count(3, 7) == 4


def test_fill_cut_and_step_back() -> None:
    text = "a b c d e"  # a token at each even position
    ruler = Ruler([0, 2, 4, 6, 8], tokens=3, overlap=1)
    assert list(pack(text, ruler, everything, at_low)) == [(0, 5), (4, 9)]


def test_a_region_is_kept_to() -> None:
    text = "a b c d e"
    ruler = Ruler([0, 2, 4, 6, 8], tokens=1, overlap=0)
    assert list(pack(text, ruler, everything, at_low, (2, 7))) == [(2, 3), (4, 5), (6, 7)]


def test_an_overlap_that_leaves_no_room_is_dropped() -> None:
    text = "a bbbb"  # the long word counts as four tokens, the cut is always before it or at its end
    ruler = Ruler([0, 2, 3, 4, 5], tokens=4, overlap=2)

    def before_long_word(text: str, start: int, low: int, high: int) -> int:
        return 1 if start < 2 else high

    assert list(pack(text, ruler, before_long_word, at_low)) == [(0, 1), (2, 6)]


def test_a_cut_out_of_bounds_is_the_limit() -> None:
    ruler = CharacterRuler(6, tokens=2, overlap=0)
    assert list(pack("abcdef", ruler, lambda *_: 0, at_low)) == [(0, 2), (2, 4), (4, 6)]
    assert list(pack("abcdef", ruler, lambda *_: 99, at_low)) == [(0, 2), (2, 4), (4, 6)]


def test_a_character_of_many_tokens_is_a_chunk() -> None:
    ruler = Ruler([0, 0, 0, 1, 1, 1], tokens=2, overlap=0)
    assert list(pack("xy", ruler, everything, at_low)) == [(0, 1), (1, 2)]


def test_text_without_tokens_is_one_chunk() -> None:
    assert list(pack(" \x00\x00 ", Ruler([], tokens=2, overlap=0), everything, at_low)) == [(1, 3)]
