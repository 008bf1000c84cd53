from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder.attention.distributed import Cost, plan
from ragembed.errors import SpecError

BERT: dict[str, Any] = {"length": 8192, "heads": 12, "head_dimension": 64, "processes": 4, "number": 4}


def by_name(**sizes: Any) -> dict[str, Cost]:
    return {cost.name: cost for cost in plan(**sizes)}


def test_bytes_counted_by_hand() -> None:
    """2,048 tokens a process of 768 numbers of 4 bytes: 6,291,456 bytes for K, and as many for V, dK, Q..."""
    one = 2048 * 768 * 4
    found = by_name(**BERT)
    assert found["ring"].hop == (2 * one, 4 * one)
    assert found["burst"].hop == (2 * one, 3 * one + 2 * 12 * 2048 * 4)
    assert (found["ring"].forward, found["ring"].backward) == (3 * 2 * one, 3 * 2 * one + 4 * 2 * one)
    assert found["burst"].backward == 3 * (2 * one + 2 * 12 * 2048 * 4) + 4 * one
    assert found["ulysses"].forward == found["ulysses"].backward == 3 * 4 * one // 4


def test_burst_sends_less_than_ring_only_without_shared_key_heads() -> None:
    for number in (2, 4):
        equal, shared = (by_name(**BERT | {"kv_heads": heads, "number": number}) for heads in (12, 4))
        assert equal["burst"].sent < equal["ring"].sent
        assert shared["burst"].sent > shared["ring"].sent
        assert equal["burst"].forward == equal["ring"].forward


def test_without_training_ring_and_burst_cost_the_same() -> None:
    found = by_name(**BERT | {"training": False})
    assert found["ring"].sent == found["burst"].sent == found["ring"].forward
    assert found["ulysses"].sent < found["ring"].sent


def test_the_best_comes_first_and_what_cannot_be_last() -> None:
    assert [cost.name for cost in plan(**BERT)] == ["ulysses", "burst", "ring"]
    assert [cost.name for cost in plan(**BERT | {"processes": 8})] == ["burst", "ring", "ulysses"]
    refused = plan(**BERT | {"processes": 8})[-1].refused
    assert refused == "12 heads cannot be divided evenly among 8 processes"


def test_computing_hides_the_transfers_of_a_ring() -> None:
    """Exchanges wait for each other; so with little to send all that counts is who waits."""
    costs = by_name(**BERT | {"bandwidth": 1e9, "flops": 1e10})
    computing = 3.5 * 4 * 8192 * 8192 * 768 / 4 / 1e10
    assert costs["ring"].seconds == costs["burst"].seconds == pytest.approx(computing)
    assert costs["ulysses"].seconds == pytest.approx(computing + costs["ulysses"].sent / 1e9)
    slow = by_name(**BERT | {"bandwidth": 1e3})
    assert slow["ring"].seconds == pytest.approx(slow["ring"].sent / 1e3)


def test_one_process_sends_nothing() -> None:
    assert [cost.sent for cost in plan(**BERT | {"processes": 1})] == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kv_heads": 5}, "12 query heads cannot share 5 key heads evenly"),
        ({"length": 8193}, "8193 tokens cannot be divided evenly among 4 processes"),
        ({"batch": 0}, "batch is 0; give 1 or more"),
        ({"bandwidth": -1}, "bandwidth is -1, flops 0.0; give a bandwidth above 0"),
        ({"flops": -1}, "give a bandwidth above 0, and flops from 0"),
    ],
)
def test_invalid_sizes_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        plan(**BERT | change)
