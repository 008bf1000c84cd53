"""Packing, and the layer that learns beside the layer that only runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.elmo.backprop import train_layer
from ragembed.embed.elmo.bilstm import Layer, Packing, run_layer
from ragembed.embed.elmo.files import ElmoFiles

torch = pytest.importorskip("torch", reason="needs the extra elmo")

STEPS, LANES = 4, 3


def test_packing_by_hand() -> None:
    """Sentences ab, c, def: first all first tokens, longest sentence first."""
    packing = Packing.of([2, 1, 3])
    letters = np.array(list("abcdef"))
    assert packing.order.tolist() == [2, 0, 1]
    assert packing.sizes == [3, 2, 1]
    assert "".join(letters[packing.forwards]) == "dac" + "eb" + "f"
    assert "".join(letters[packing.backwards]) == "fbc" + "ea" + "d"


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_packing_holds_every_token_once(lengths: list[int]) -> None:
    packing = Packing.of(lengths)
    for places in (packing.forwards, packing.backwards):
        assert sorted(places.tolist()) == list(range(sum(lengths)))
    assert sum(packing.sizes) == sum(lengths)
    assert packing.sizes == sorted(packing.sizes, reverse=True)


def inputs(projection: int, cells: int) -> tuple[Any, ...]:
    """x, the four weights of a layer, and what is remembered; float64."""
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weights = (drawn(2, projection, 4 * cells), drawn(2, projection, 4 * cells), drawn(2, 1, 4 * cells))
    memory = (drawn(2, LANES, projection) / 4, drawn(2, LANES, cells) / 4)
    return drawn(2, STEPS, LANES, projection), *weights, drawn(2, cells, projection), *memory


def plain_layer(x: Any, layer: Layer, h: Any, c: Any, bound: float | None) -> Any:
    """Step by step, with gradients by autograd."""
    outputs = []
    for t in range(x.shape[1]):
        i, j, f, o = (x[:, t] @ layer.inputs + h @ layer.recurrent + layer.bias).chunk(4, dim=2)
        c = f.sigmoid() * c + i.sigmoid() * j.tanh()
        c = c if bound is None else c.clamp(-bound, bound)
        h = (o.sigmoid() * c.tanh()) @ layer.project
        h = h if bound is None else h.clamp(-bound, bound)
        outputs.append(h)
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("bound", [None, 0.4])
def test_gradients_are_those_of_autograd(tiny: ElmoFiles, bound: float | None) -> None:
    options = replace(tiny.options, cell_clip=bound, proj_clip=bound)
    x, *weights, h, c = inputs(options.projection, options.cells)
    found = []
    for ours in (True, False):
        leaves = [each.clone().requires_grad_() for each in (x, *weights)]
        layer = Layer(*leaves[1:])
        y = (
            train_layer(layer, options, leaves[0], h, c)[0]
            if ours
            else plain_layer(leaves[0], layer, h, c, bound)
        )
        (y * torch.arange(y.numel()).reshape(y.shape)).sum().backward()
        found.append((y.detach(), *(leaf.grad for leaf in leaves)))
    if bound is not None:
        assert (found[0][0].abs() == bound).any()
        assert (found[0][0].abs() < bound).any()
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_both_layers_are_one(tiny: ElmoFiles) -> None:
    """Training and running give the same numbers for the same weights, and hand on the same memory."""
    options = tiny.options
    x, *weights, h, c = (each.float() for each in inputs(options.projection, options.cells))
    layer = Layer(*weights)
    trained = train_layer(layer, options, x, h, c)
    run = run_layer(layer, options, x.flatten(1, 2), [LANES] * STEPS, h, c)
    torch.testing.assert_close(trained[0].flatten(1, 2), run[0])
    torch.testing.assert_close(trained[1:], run[1:])
