from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder.attention.distributed.rotation import Route
from ragembed.errors import SpecError

ROUTES = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda each: Route(each[0] * each[1], each[1]))


@given(route=ROUTES)
def test_every_process_sees_every_block_once(route: Route) -> None:
    for rank in range(route.size):
        assert route.owner(rank, 0) == rank
        assert sorted(route.owner(rank, step) for step in range(route.size)) == list(range(route.size))


@given(route=ROUTES)
def test_holder_is_the_inverse_of_owner(route: Route) -> None:
    for step in range(route.size):
        for rank in range(route.size):
            assert route.holder(route.owner(rank, step), step) == rank


@given(route=ROUTES)
def test_each_block_is_sent_once_for_each_later_step(route: Route) -> None:
    assert sorted(later for step in range(route.size) for later in route.ahead(step)) == list(
        range(1, route.size)
    )


@given(route=ROUTES)
def test_between_nodes_a_block_is_sent_once_a_round(route: Route) -> None:
    between = route.size // route.per_node - 1
    moves = [(step, later) for step in range(route.size) for later in route.ahead(step)]
    far = [(step, later) for step, later in moves if later != step + 1]
    assert len(moves) == route.size - 1
    if route.per_node > 1:
        assert len(far) == between
        assert all(later - step == route.per_node for step, later in far)
    for step, later in far:
        for rank in range(route.size):
            owner = route.owner(rank, step)
            assert route.holder(owner, later) // route.per_node != rank // route.per_node
            assert route.holder(owner, later) % route.per_node == rank % route.per_node


def test_nodes_have_to_divide_the_processes() -> None:
    with pytest.raises(SpecError, match="8 processes cannot be divided into nodes of 3; give a divisor"):
        Route.create(8, 3)
