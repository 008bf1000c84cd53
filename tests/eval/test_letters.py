"""The compact letter display says exactly which pairs are significant."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from ragembed.eval.letters import letters


def test_by_hand() -> None:
    # best to worst: 3, 0, 1, 2; only neighbours are alike
    means = [0.7, 0.6, 0.5, 0.8]
    significant = {(3, 1), (3, 2), (0, 2)}
    assert letters(means, significant) == ["ab", "bc", "c", "a"]


def test_simple_shapes() -> None:
    assert letters([], set()) == []
    assert letters([0.1], set()) == ["a"]
    assert letters([0.1, 0.9], set()) == ["a", "a"]
    assert letters([0.1, 0.9], {(0, 1)}) == letters([0.1, 0.9], {(1, 0)}) == ["b", "a"]
    assert letters([0.3, 0.2, 0.1], {(0, 1), (0, 2), (1, 2)}) == ["a", "b", "c"]
    # a noisy system in the middle differs from none
    assert letters([0.3, 0.2, 0.1], {(0, 2)}) == ["a", "ab", "b"]


def test_a_system_without_a_mean_has_no_letters() -> None:
    assert letters([0.3, None, 0.1], {(0, 2)}) == ["a", "", "b"]
    assert letters([None], set()) == [""]


def test_a_letter_that_says_nothing_new_is_left_out() -> None:
    # the groups are {0, 1, 2} and three that each share two systems with it, and so say all that it says
    groups = [{0, 1, 2}, {0, 1, 3}, {1, 2, 4}, {0, 2, 5}]
    alike = {pair for group in groups for pair in combinations(sorted(group), 2)}
    found = letters([6, 5, 4, 3, 2, 1], set(combinations(range(6), 2)) - alike)
    assert found == ["ab", "ac", "bc", "a", "c", "b"]


def test_more_letters_than_the_alphabet() -> None:
    everything = set(combinations(range(60), 2))
    found = letters([-place for place in range(60)], everything)
    assert found[:2] == ["a", "b"]
    assert found[51:54] == ["Z", "(53)", "(54)"]
    assert len(set(found)) == 60


@given(st.data())
def test_systems_share_a_letter_if_and_only_if_they_do_not_differ(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    pairs = list(combinations(range(count), 2))
    chosen = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    significant = {pair for pair, apart in zip(pairs, chosen, strict=True) if apart}
    means = data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count, unique=True))
    found = letters(means, significant)
    assert all(found)
    for i, j in pairs:
        assert bool(set(found[i]) & set(found[j])) == ((i, j) not in significant)
    assert "a" in found[means.index(max(means))]
    assert all(list(text) == sorted(text) for text in found)
    used = sorted(set("".join(found)))
    assert used == [chr(ord("a") + n) for n in range(len(used))]
    # the order in which systems are given does not matter
    back = letters(means[::-1], {(count - 1 - i, count - 1 - j) for i, j in significant})
    assert back[::-1] == found
