"""Conversion to fewer key and value heads, and attention with the result."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention.exact.grouped import grouped, pool_heads, repeat_heads  # noqa: E402
from ragembed.errors import EmbeddingError, SpecError  # noqa: E402

HEADS, D, HIDDEN = 6, 4, 10


def layer() -> dict[str, Any]:
    """Projections of queries, keys and values, named as in a checkpoint."""
    random = torch.Generator().manual_seed(0)
    shapes = {"weight": (HEADS * D, HIDDEN), "bias": (HEADS * D,)}
    return {
        f"layer.0.self.{name}.{part}": torch.randn(shape, generator=random)
        for name in ("query", "key", "value")
        for part, shape in shapes.items()
    }


def attended(state: dict[str, Any], hidden: Any) -> Any:
    """Attention ``(1, heads, n, d)`` with as many key and value heads as their projections have."""
    projected = (
        torch.nn.functional.linear(
            hidden, state[f"layer.0.self.{name}.weight"], state[f"layer.0.self.{name}.bias"]
        )
        for name in ("query", "key", "value")
    )
    q, k, v = (each.unflatten(-1, (-1, D)).transpose(0, 1)[None] for each in projected)
    return attention.get("dot_product")(q, k, v)


def test_groups_are_neighbours_and_become_their_mean() -> None:
    """Four heads of one row each, 0 to 3, in groups of two have the means 0.5 and 2.5."""
    rows = torch.arange(4.0)
    assert pool_heads(rows, 4, 2).tolist() == [0.5, 2.5]
    assert pool_heads(rows[:, None].expand(4, 3), 4, 1).tolist() == [[1.5] * 3]
    assert pool_heads(torch.arange(8.0), 4, 2).tolist() == [1, 2, 5, 6]  # two rows for each head
    assert repeat_heads(torch.tensor([1.0, 2, 5, 6]), 2, 4).tolist() == [1, 2, 1, 2, 5, 6, 5, 6]


@pytest.mark.parametrize("kv_heads", [1, 2, 3, 6])
def test_pooling_equal_heads_loses_nothing(kv_heads: int) -> None:
    state, hidden = layer(), torch.randn(7, HIDDEN, generator=torch.Generator().manual_seed(1))
    alike = {
        name: each if "query" in name else repeat_heads(pool_heads(each, HEADS, kv_heads), kv_heads, HEADS)
        for name, each in state.items()
    }
    fewer = grouped(alike, HEADS, kv_heads)
    assert fewer["layer.0.self.key.weight"].shape == (kv_heads * D, HIDDEN)
    assert fewer["layer.0.self.value.bias"].shape == (kv_heads * D,)
    torch.testing.assert_close(attended(fewer, hidden), attended(alike, hidden), atol=1e-5, rtol=0)


def test_as_many_heads_change_nothing() -> None:
    state = layer()
    assert all(torch.equal(each, state[name]) for name, each in grouped(state, HEADS, HEADS).items())


@pytest.mark.parametrize("kv_heads", [1, 2, 3])
def test_it_equals_attention_with_averaged_keys_and_values(kv_heads: int) -> None:
    """A projection is linear: the mean of projections projects to the mean of the keys."""
    state, hidden = layer(), torch.randn(7, HIDDEN, generator=torch.Generator().manual_seed(1))
    q, k, v = (
        torch.nn.functional.linear(
            hidden, state[f"layer.0.self.{name}.weight"], state[f"layer.0.self.{name}.bias"]
        )
        .unflatten(-1, (HEADS, D))
        .transpose(0, 1)[None]
        for name in ("query", "key", "value")
    )
    keys, values = (each.unflatten(1, (kv_heads, -1)).mean(dim=2) for each in (k, v))
    expected = attention.get("dot_product")(q, keys, values)
    torch.testing.assert_close(attended(grouped(state, HEADS, kv_heads), hidden), expected, atol=1e-5, rtol=0)


def test_other_parameters_stay_as_they_are() -> None:
    state = {**layer(), "pooler.key": torch.ones(3), "layer.0.output.dense.weight": torch.ones(2, 2)}
    found = grouped(state, HEADS, 2)
    same = [name for name in state if found[name] is state[name]]
    assert same == [name for name in state if ".key." not in name and ".value." not in name]


def test_names_of_llama_and_custom_names() -> None:
    weight = torch.randn(HEADS * D, HIDDEN)
    found = grouped({"layers.1.self_attn.k_proj.weight": weight, "a.to_k.weight": weight}, HEADS, 2)
    assert [len(each) for each in found.values()] == [2 * D, HEADS * D]
    assert len(grouped({"a.to_k.weight": weight}, HEADS, 1, projections=["to_k"])["a.to_k.weight"]) == D


def test_minilm() -> None:
    """12 heads of 32: its first layer with 4 key heads equals the layer with each of these repeated three times."""
    transformers = pytest.importorskip("transformers")
    from ragembed.embed.minilm import find_minilm

    try:
        folder = str(find_minilm())
    except EmbeddingError:
        pytest.skip("the model is not here")
    model = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    state = model.state_dict()
    fewer = grouped(state, heads=12, kv_heads=4)
    changed = [name for name in state if fewer[name].shape != state[name].shape]
    assert len(changed) == 6 * 2 * 2  # layers, keys and values, weight and bias
    ids = torch.tensor([[101, 7592, 2088, 102]])
    with torch.no_grad():
        hidden = model.embeddings(ids)
        layer = "encoder.layer.0.attention.self"
        q, k, v = (
            torch.nn.functional.linear(hidden, fewer[f"{layer}.{name}.weight"], fewer[f"{layer}.{name}.bias"])
            .unflatten(-1, (-1, 32))
            .transpose(1, 2)
            for name in ("query", "key", "value")
        )
        assert (q.shape[1], k.shape[1], v.shape[1]) == (12, 4, 4)
        found = attention.get("dot_product")(q, k, v)
        model.load_state_dict(
            {name: repeat_heads(each, 4, 12) if name in changed else each for name, each in fewer.items()}
        )
        theirs = model.encoder.layer[0].attention.self(hidden)[0]
    torch.testing.assert_close(found.transpose(1, 2).flatten(2), theirs, atol=1e-5, rtol=0)


def test_invalid_input_is_refused() -> None:
    weight = torch.zeros(HEADS * D, HIDDEN)
    for arguments, message in (
        ((weight, 6, 4), "6 heads cannot share 4 evenly; give a divisor"),
        ((weight, 6, 0), "6 heads cannot share 0 evenly"),
        ((weight, 5, 1), r"a projection of shape \(24, 10\) is not of 5 heads; give a weight"),
        ((weight[None], 6, 2), r"of shape \(1, 24, 10\) is not of 6 heads"),
    ):
        with pytest.raises(SpecError, match=message):
            pool_heads(*arguments)
    with pytest.raises(SpecError, match="24 heads cannot share 5 evenly"):
        repeat_heads(weight, 5, 24)
    with pytest.raises(SpecError, match=r"of shape \(24, 10\) is not of 5 heads"):
        repeat_heads(weight, 5, 20)
    with pytest.raises(
        SpecError, match="none of 1 parameters is of a module called k_proj or key or v_proj or value"
    ):
        grouped({"a.to_k.weight": weight}, HEADS, 2)
