"""Positional encodings against Hugging Face's models, published values and their own laws."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import positions  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

BAD: Any = "both"
LAYOUTS: list[Any] = ["half", "interleaved"]


def close(found: Any, expected: Any, atol: float = 1e-5) -> None:
    torch.testing.assert_close(found.double(), expected.double(), atol=atol, rtol=0)


def theirs_in(module: str) -> Any:
    """The modelling module of a model of transformers, untyped."""
    pytest.importorskip("transformers", reason="for comparison")
    return importlib.import_module(f"transformers.models.{module}.modeling_{module}")


def heads(*shape: int, seed: int = 0, dtype: Any = None) -> Any:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=random, dtype=dtype or torch.float32)


# sinusoids


@pytest.mark.parametrize("dimension", [4, 7])
def test_concatenated_sinusoids_are_those_of_tensor2tensor(shared_fixtures: Path, dimension: int) -> None:
    published = json.loads((shared_fixtures / "inline_vectors.json").read_text())[
        "allennlp_sinusoidal_tensor2tensor"
    ]
    found = positions.sinusoidal(torch.arange(3), dimension, layout="concatenated")
    assert found.dtype == torch.float32
    close(found, torch.tensor(published[f"dim{dimension}"]), atol=1e-7)


@pytest.mark.parametrize("dimension", [1, 2, 7, 8])
def test_interleaved_sinusoids_by_the_formula(dimension: int) -> None:
    found = positions.sinusoidal(torch.tensor([[0, 1], [5, 4000]]), dimension)
    for row, p in (((0, 0), 0), ((0, 1), 1), ((1, 0), 5), ((1, 1), 4000)):
        even = dimension + dimension % 2
        for column in range(dimension):
            angle = p / 10_000 ** (column // 2 * 2 / even)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert found[row][column] == pytest.approx(expected, abs=1e-7)


def test_sinusoids_are_those_of_gpt_j_but_for_the_order() -> None:
    theirs = theirs_in("gptj").create_sinusoidal_positions(20, 12)
    ours = positions.sinusoidal(torch.arange(20), 12)
    close(torch.cat([ours[:, 0::2], ours[:, 1::2]], dim=1), theirs)


# rotations


@pytest.mark.parametrize("layout", LAYOUTS)
@given(
    pairs=st.integers(0, 8),
    rest=st.integers(0, 5),
    at=st.lists(st.integers(0, 100_000), max_size=5),
    shift=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None)
def test_rope_keeps_norms_and_depends_on_distance_only(
    layout: Any, pairs: int, rest: int, at: list[int], shift: int
) -> None:
    q, k = (heads(2, 3, len(at), 2 * pairs + rest, seed=seed, dtype=torch.float64) for seed in (1, 2))
    frequencies = positions.rope_frequencies(2 * pairs)

    def turned(x: Any, by: int) -> Any:
        return positions.rope(x, torch.tensor(at, dtype=torch.int64) + by, frequencies, layout=layout)

    close(turned(q, 0).norm(dim=-1), q.norm(dim=-1), atol=1e-10)
    assert torch.equal(turned(q, 0)[..., 2 * pairs :], q[..., 2 * pairs :])
    close(turned(q, shift) @ turned(k, shift).mT, turned(q, 0) @ turned(k, 0).mT, atol=1e-8)


def test_both_layouts_by_hand() -> None:
    """Two pairs at position 3, with angles 3 and 0.3."""
    frequencies = torch.tensor([1.0, 0.1])
    x = torch.tensor([[1.0, 2, 3, 4, 5]])
    at = torch.tensor([3])

    def turn(a: float, b: float, angle: float) -> tuple[float, float]:
        return a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)

    (a, b), (c, d) = turn(1, 3, 3.0), turn(2, 4, 0.3)
    close(positions.rope(x, at, frequencies), torch.tensor([[a, c, b, d, 5]]), atol=1e-6)
    (a, b), (c, d) = turn(1, 2, 3.0), turn(3, 4, 0.3)
    interleaved = positions.rope(x, at, frequencies, layout="interleaved", scale=2)
    close(interleaved, torch.tensor([[2 * a, 2 * b, 2 * c, 2 * d, 5]]), atol=1e-6)


def test_far_positions_are_as_precise_as_near_ones() -> None:
    """Products in float32 are the same for tokens a million positions further on."""
    frequencies = positions.rope_frequencies(64)
    q, k = heads(1, 64, seed=1), heads(1, 64, seed=2)
    near, far = (
        positions.rope(q, torch.tensor([p + 7]), frequencies)
        @ positions.rope(k, torch.tensor([p]), frequencies).T
        for p in (0, 1_000_000)
    )
    close(far, near)


def test_half_precision_is_rounded_once() -> None:
    x, frequencies, at = heads(2, 9, 16).bfloat16(), positions.rope_frequencies(16), torch.arange(9)
    found = positions.rope(x, at, frequencies)
    assert torch.equal(found, positions.rope(x.float(), at, frequencies).bfloat16())


def test_rows_may_have_their_own_positions() -> None:
    x, frequencies = heads(2, 3, 4, 8), positions.rope_frequencies(8)
    at = torch.tensor([[0, 1, 2, 3], [5, 6, 0, 1]])
    found = positions.rope(x, at[:, None], frequencies)
    for row in range(2):
        assert torch.equal(found[row], positions.rope(x[row], at[row], frequencies))


def _llama(theta: float = 10_000.0, **scaling: Any) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=64,
        num_attention_heads=4,
        max_position_embeddings=64,
        rope_parameters={"rope_theta": theta, "rope_type": "default", **scaling},
    )


@pytest.mark.parametrize("theta", [10_000.0, 160_000.0])
def test_llama_rotates_halves(theta: float) -> None:
    llama = theirs_in("llama")
    q, k, at = heads(2, 4, 30, 16, seed=1), heads(2, 2, 30, 16, seed=2), torch.arange(30)
    cos, sin = llama.LlamaRotaryEmbedding(_llama(theta))(q, at[None])
    frequencies = positions.rope_frequencies(16, theta=theta)
    for ours, theirs in zip((q, k), llama.apply_rotary_pos_emb(q, k, cos, sin), strict=True):
        close(positions.rope(ours, at, frequencies), theirs)


def test_gpt_neox_rotates_a_part() -> None:
    neox = theirs_in("gpt_neox")
    config = neox.GPTNeoXConfig(
        hidden_size=64,
        num_attention_heads=4,
        rope_parameters={"rope_theta": 10_000.0, "rope_type": "default", "partial_rotary_factor": 0.25},
    )
    q, at = heads(2, 4, 30, 16), torch.arange(30)
    cos, sin = neox.GPTNeoXRotaryEmbedding(config)(q, at[None])
    assert cos.shape[-1] == 4
    theirs, _ = neox.apply_rotary_pos_emb(q, q, cos, sin)
    close(positions.rope(q, at, positions.rope_frequencies(16, fraction=0.25)), theirs)


def test_gpt_j_rotates_neighbours() -> None:
    gptj = theirs_in("gptj")
    q, at = heads(2, 30, 4, 16), torch.arange(30)  # theirs: length before heads
    sin, cos = gptj.create_sinusoidal_positions(30, 16)[None].chunk(2, dim=-1)
    theirs = gptj.apply_rotary_pos_emb(q, sin, cos).transpose(1, 2)
    close(positions.rope(q.transpose(1, 2), at, positions.rope_frequencies(16), layout="interleaved"), theirs)


def test_linear_scaling_is_hugging_faces() -> None:
    pytest.importorskip("transformers", reason="for comparison")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    theirs, _ = ROPE_INIT_FUNCTIONS["linear"](_llama(rope_type="linear", factor=4.0), "cpu")
    close(positions.linear_frequencies(positions.rope_frequencies(16), 4.0), theirs, atol=1e-7)


@pytest.mark.parametrize("length", [10, 64, 65, 500])
def test_dynamic_ntk_scaling_is_hugging_faces(length: int) -> None:
    pytest.importorskip("transformers", reason="for comparison")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    theirs, _ = ROPE_INIT_FUNCTIONS["dynamic"](_llama(rope_type="dynamic", factor=2.0), "cpu", seq_len=length)
    theta = positions.ntk_theta(16, 10_000.0, positions.dynamic_factor(2.0, length, 64))
    close(positions.rope_frequencies(16, theta=theta), theirs, atol=1e-7)


@pytest.mark.parametrize("factor", [1.0, 4.0, 32.0])
@pytest.mark.parametrize("trained", [8, 64, 4096])
@pytest.mark.parametrize("whole", [True, False])
def test_yarn_is_hugging_faces(factor: float, trained: int, whole: bool) -> None:
    pytest.importorskip("transformers", reason="for comparison")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = _llama(rope_type="yarn", factor=factor, original_max_position_embeddings=trained, truncate=whole)
    theirs, scale = ROPE_INIT_FUNCTIONS["yarn"](config, "cpu")
    ours = positions.yarn_frequencies(16, factor=factor, trained=trained, whole=whole)
    close(ours, theirs, atol=1e-7)
    assert positions.yarn_scale(factor) == pytest.approx(scale)


def test_scaling_keeps_fast_angles_and_divides_slow_ones() -> None:
    plain = positions.rope_frequencies(64)
    ntk = positions.rope_frequencies(64, theta=positions.ntk_theta(64, 10_000.0, 8.0))
    yarn = positions.yarn_frequencies(64, factor=8.0, trained=2048)
    for scaled in (ntk, yarn):
        assert plain[0] == scaled[0]
        assert float(plain[-1] / scaled[-1]) == pytest.approx(8)
        assert (scaled <= plain).all()
    close(positions.yarn_frequencies(64, factor=1.0, trained=2048), plain, atol=1e-15)
    assert positions.yarn_scale(1.0) == positions.yarn_scale(0.5) == 1


# biases


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "longest"), [(32, 128), (32, 256), (16, 20), (64, 1000), (4, 7)])
def test_buckets_are_those_of_t5(buckets: int, longest: int, bidirectional: bool) -> None:
    distances = torch.arange(-3000, 3001)
    theirs = theirs_in("t5").T5Attention._relative_position_bucket(distances, bidirectional, buckets, longest)
    ours = positions.t5_buckets(distances, buckets=buckets, longest=longest, bidirectional=bidirectional)
    assert ours.dtype == torch.int64
    assert torch.equal(ours, theirs)


def test_the_bias_of_t5() -> None:
    t5 = theirs_in("t5")
    torch.manual_seed(0)
    config = t5.T5Config(d_model=16, num_heads=4, d_kv=4)
    layer = t5.T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    layer.relative_attention_bias.weight.data.normal_()
    theirs = layer.compute_bias(40, 40)[0]
    table = layer.relative_attention_bias.weight
    ours = table[positions.t5_buckets(positions.relative(40, 40), bidirectional=not layer.is_decoder)]
    assert torch.equal(ours.permute(2, 0, 1), theirs)


def test_the_bias_of_mpnet() -> None:
    """It is T5's with 32 buckets up to 128, shared by all layers."""
    mpnet = theirs_in("mpnet")
    torch.manual_seed(0)
    config = mpnet.MPNetConfig(
        hidden_size=16, num_attention_heads=4, num_hidden_layers=1, intermediate_size=8, vocab_size=9
    )
    encoder = mpnet.MPNetEncoder(config)
    encoder.relative_attention_bias.weight.data.normal_()
    theirs = encoder.compute_position_bias(torch.zeros(1, 300, 16))[0]
    ours = encoder.relative_attention_bias.weight[positions.t5_buckets(positions.relative(300, 300))]
    assert torch.equal(ours.permute(2, 0, 1), theirs)


def test_distances_of_fewer_queries() -> None:
    """Two queries have the positions 1 and 2 of three."""
    assert positions.relative(2, 3).tolist() == [[-1, 0, 1], [-2, -1, 0]]
    assert positions.relative(0, 0).shape == (0, 0)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 12, 16, 20, 71])
def test_slopes_are_those_of_bloom_and_mpt(count: int) -> None:
    n = 9
    ours = positions.alibi(positions.relative(n, n), count)
    assert ours.dtype == torch.float32
    assert (ours == ours.mT).all()
    mpt = theirs_in("mpt").build_mpt_alibi_tensor(count, n)  # the biases of the last query
    close(ours[:, -1:], mpt)
    # Bloom's differ from ours by a constant for each query, which a softmax does not see
    bloom = (
        theirs_in("bloom")
        .build_alibi_tensor(torch.ones(1, n, dtype=torch.int64), count, torch.float32)
        .expand(-1, n, -1)
    )
    future = torch.ones(n, n, dtype=torch.bool).triu(1)
    close(*(each.masked_fill(future, -math.inf).softmax(dim=-1) for each in (ours, bloom)))


def test_slopes_by_hand() -> None:
    assert positions.alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]
    close(positions.alibi_slopes(3), torch.tensor([2.0**-4, 2**-8, 2**-2]), atol=0)
    assert positions.alibi(positions.relative(2, 2), 1).tolist() == [[[0.0, -(2.0**-8)], [-(2.0**-8), 0.0]]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: positions.sinusoidal(torch.arange(2), 4, layout=BAD),
            "unknown layout 'both'; give inter",
        ),
        (lambda: positions.sinusoidal(torch.arange(2), 0), "dimension is 0"),
        (lambda: positions.rope_frequencies(6, fraction=0.5), r"0\.5 of 6 numbers is 3"),
        (lambda: positions.rope_frequencies(6, theta=0), "theta is 0"),
        (lambda: positions.rope(torch.zeros(1, 4), torch.arange(1), torch.ones(3)), "6 of 4 numbers"),
        (
            lambda: positions.rope(torch.zeros(1, 4), torch.arange(1), torch.ones(2), layout=BAD),
            "give half or",
        ),
        (lambda: positions.linear_frequencies(torch.ones(3), 0), "factor is 0; give more than 0"),
        (lambda: positions.ntk_theta(2, 1e4, 2), "needs more than 2"),
        (lambda: positions.yarn_frequencies(8, factor=2, trained=0), "trained is 0"),
        (lambda: positions.yarn_frequencies(8, factor=2, trained=9, slow=40), "0 < slow <= fast"),
        (
            lambda: positions.t5_buckets(torch.arange(3), buckets=3),
            "3 buckets up to a distance of 128; give 4",
        ),
        (lambda: positions.t5_buckets(torch.arange(3), longest=8), "a distance over 8"),
        (lambda: positions.alibi_slopes(0), "there are 0 heads"),
    ],
)
def test_invalid_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        call()


def test_importing_it_imports_no_torch() -> None:
    import subprocess
    import sys

    program = (
        "import sys; import ragembed.encoder.positions, ragembed.encoder.attention.stream.cache;"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: positions.sinusoidal(torch.arange(3), 8, layout="concatenated", theta=-1.0), "theta is -1"),
        (lambda: positions.linear_frequencies(positions.rope_frequencies(8), float("nan")), "factor is nan"),
        (lambda: positions.dynamic_factor(2.0, 100, 0), "trained is 0"),
        (lambda: positions.yarn_frequencies(8, factor=2.0, trained=100, theta=1.0), "theta is 1; give more"),
        (
            lambda: positions.rope(torch.zeros(3, 2, 5, 8), torch.arange(4), positions.rope_frequencies(8)),
            r"shape \(4,\) do not fit",
        ),
        (
            lambda: positions.rope(torch.zeros(3, 2, 5, 8), torch.zeros(3, 5), positions.rope_frequencies(8)),
            r"give \(n,\) or \(batch, 1",
        ),
    ],
)
def test_numbers_that_would_give_nan_and_positions_of_another_length(call: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        call()
