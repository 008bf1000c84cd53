from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder.attention import Mask  # noqa: E402
from ragembed.encoder.attention.distributed import shard, unshard  # noqa: E402
from ragembed.encoder.attention.distributed.shards import ShardedMask  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402


@given(size=st.integers(1, 6), step=st.integers(0, 4), layout=st.sampled_from(["contiguous", "zigzag"]))
def test_unshard_is_the_inverse_of_shard(size: int, step: int, layout: str) -> None:
    whole = torch.arange(2 * size * step * 3).reshape(1, 2 * size * step, 3)
    parts = [shard(whole, rank, size, layout=layout, dim=1) for rank in range(size)]
    assert {len(part[0]) for part in parts} == {2 * step}
    assert torch.equal(unshard(parts, layout=layout, dim=1), whole)


def test_zigzag_holds_both_ends() -> None:
    assert shard(torch.arange(12)[None], 1, 3, layout="zigzag", dim=1).tolist() == [[2, 3, 8, 9]]


@given(size=st.integers(2, 5))
def test_zigzag_balances_a_causal_mask(size: int) -> None:
    """Each process has equally many visible pairs of query and key, in total and in each step of a ring."""
    n = 2 * size * 3
    tiles = Mask(causal=True).tiles(1, n, n, torch.device("cpu"))
    text = ShardedMask(tiles, size, "zigzag")

    def seen(asks: int, holds: int) -> int:
        count = 0
        for pair in text.pairs(asks, holds):
            rows, columns = (slice(0, part.stop - part.start) for part in (pair.rows, pair.columns))
            found = pair.mask(rows, columns)
            assert found is not None
            count += int(found.sum())
        return count

    total = {sum(seen(asks, holds) for holds in range(size)) for asks in range(size)}
    assert len(total) == 1
    assert len({seen(asks, holds) for asks in range(size) for holds in range(size) if asks != holds}) == 1


def test_fully_masked_chunks_are_skipped() -> None:
    tiles = Mask(window=(3, 0)).tiles(1, 32, 32, torch.device("cpu"))
    text = ShardedMask(tiles, 4, "contiguous")
    assert [(a, b) for a in range(4) for b in range(4) if list(text.pairs(a, b))] == [
        (0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3),
    ]  # fmt: skip


def test_uneven_texts_and_unknown_layouts_are_refused() -> None:
    with pytest.raises(
        SpecError, match="10 tokens cannot be divided evenly among 3 processes in layout contiguous; pad"
    ):
        shard(torch.zeros(1, 10), 0, 3, dim=1)
    with pytest.raises(SpecError, match="pad them to a multiple of 6"):
        shard(torch.zeros(1, 9), 0, 3, layout="zigzag", dim=1)
    with pytest.raises(SpecError, match="unknown layout 'stripe'; valid are: contiguous, zigzag"):
        shard(torch.zeros(1, 10), 0, 2, layout="stripe", dim=1)
    for rank in (-1, 2):
        with pytest.raises(SpecError, match=f"rank {rank} of 2 processes; give one from 0"):
            shard(torch.zeros(1, 10), rank, 2, dim=1)
