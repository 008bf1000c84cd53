"""How a transformer knows where tokens stand: sinusoids, rotations (RoPE), T5's buckets and ALiBi, as pure functions.

Angles are computed in float64 and rounded once: a float32 product of a position of 100,000 is off by 0.004 already.
Positions are tensors of integers, so that packed documents, caches and chunks each count as they need to. A learned
table needs nothing from here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor, device


def sinusoidal(
    positions: Tensor,
    dimension: int,
    *,
    layout: Literal["interleaved", "concatenated"] = "interleaved",
    theta: float = 10_000.0,
) -> Tensor:
    """Fixed vectors of positions ``(...)`` -> ``(..., dimension)`` float32.

    interleaved (Vaswani et al. 2017, section 3.5): sin(p / theta^(2i/d)) at 2i and its cosine at 2i + 1.
    concatenated (their own code, tensor2tensor): all sines, then all cosines, of p / theta^(i / (d/2 - 1)): the last
    wavelength is theta itself; with an odd d the last column is 0.
    """
    import torch
    import torch.nn.functional as functional

    _among(layout, "interleaved", "concatenated")
    if dimension < 1:
        raise SpecError(f"dimension is {dimension}", "give 1 or more")
    half, odd = divmod(dimension, 2)
    if layout == "interleaved":
        angles = _angles(positions, rope_frequencies(dimension + odd, theta=theta))
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[..., :dimension].float()
    steps = torch.arange(half, dtype=torch.float64, device=positions.device) / max(1, half - 1)
    angles = _angles(positions, theta**-steps)
    return functional.pad(torch.cat([angles.sin(), angles.cos()], dim=-1), (0, odd)).float()


def rope_frequencies(dimension: int, *, theta: float = 10_000.0, fraction: float = 1.0) -> Tensor:
    """Angles per position, theta^(-2i/r): ``(r / 2,)`` float64 (Su et al. 2021, RoFormer, section 3.2.2).

    r is ``int(dimension * fraction)``: the rotated part of a head, the first r of its numbers. It has to be even.
    """
    import torch

    rotated = int(dimension * fraction)
    if rotated < 0 or rotated % 2 or rotated > dimension:
        raise SpecError(
            f"{fraction} of {dimension} numbers is {rotated}, which are to be rotated in pairs",
            "give a fraction from 0 to 1 that makes an even number",
        )
    if theta <= 0:
        raise SpecError(f"theta is {theta}", "give more than 0")
    return theta ** -(torch.arange(0, rotated, 2, dtype=torch.float64) / max(1, rotated))


def linear_frequencies(frequencies: Tensor, factor: float) -> Tensor:
    """Position interpolation: every angle divided by `factor` (Chen et al. 2023, section 3.2)."""
    return frequencies / _factor(factor)


def ntk_theta(rotated: int, theta: float, factor: float) -> float:
    """The theta of NTK-aware scaling: theta factor^(r / (r - 2)) (Peng et al. 2023, YaRN, section 3.1).

    The fastest angle stays, the slowest is divided by `factor`.
    """
    if rotated <= 2:
        raise SpecError(f"{rotated} numbers are rotated", "NTK scaling needs more than 2")
    return float(theta * _factor(factor) ** (rotated / (rotated - 2)))


def dynamic_factor(factor: float, length: int, trained: int) -> float:
    """The factor of dynamic NTK for a text of that length: 1 up to the length trained on, then growing with the text.

    factor n / trained - (factor - 1), for n over `trained` (Peng et al. 2023, section 3.3).
    """
    return _factor(factor) * max(length, trained) / trained - (factor - 1)


def yarn_frequencies(
    rotated: int,
    *,
    factor: float,
    trained: int,
    theta: float = 10_000.0,
    fast: float = 32.0,
    slow: float = 1.0,
    whole: bool = True,
) -> Tensor:
    """NTK by parts: fast angles stay, slow ones are divided by `factor`, with a ramp between ``(rotated / 2,)``.

    Peng et al. 2023 (YaRN), section 3.2; the ramp is linear in the index, as in the authors' code, by which models were
    trained, where the paper's is linear in the number of turns.

    Args:
        rotated: Numbers of a head that are rotated.
        factor: By how much texts are longer than those trained on.
        trained: Their length.
        theta: As in `rope_frequencies`.
        fast: Angles that turn this often or more in a text of `trained` tokens stay.
        slow: Those that turn this often or less are divided.
        whole: Whether the ends of the ramp are rounded outwards, to whole indices.
    """
    import torch

    plain = rope_frequencies(rotated, theta=theta)
    if trained < 1 or not 0 < slow <= fast:
        raise SpecError(
            f"trained is {trained}, fast {fast}, slow {slow}", "give a length from 1, and 0 < slow <= fast"
        )
    # the index at which a text of that length turns so often
    first, last = (
        rotated * math.log(trained / (2 * math.pi * turns)) / (2 * math.log(theta)) for turns in (fast, slow)
    )
    if whole:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, rotated - 1)
    if first == last:
        last += 0.001  # a step, not a division by 0
    ramp = ((torch.arange(rotated // 2, dtype=torch.float64) - first) / (last - first)).clamp(0, 1)
    return plain * (1 - ramp) + plain / _factor(factor) * ramp


def yarn_scale(factor: float) -> float:
    """What YaRN multiplies queries and keys by: 0.1 ln(factor) + 1 (Peng et al. 2023, section 3.4)."""
    return 0.1 * math.log(max(1.0, _factor(factor))) + 1


def rope(
    x: Tensor,
    positions: Tensor,
    frequencies: Tensor,
    *,
    layout: Literal["half", "interleaved"] = "half",
    scale: float = 1.0,
) -> Tensor:
    """Rotate pairs of numbers by position times frequency: x ``(..., n, d)`` -> the same (Su et al. 2021, equation 34).

    The product of a rotated query and key depends on the distance of their positions alone.

    Args:
        x: Queries or keys; what lies behind the rotated part stays as it is.
        positions: ``(n,)``, or anything that broadcasts to the dimensions of x but the last: ``(batch, 1, n)``.
        frequencies: ``(r / 2,)`` with r <= d, such as `rope_frequencies`.
        layout: Which numbers make pair i: half: i and r/2 + i (GPT-NeoX, Llama in Hugging Face, ModernBERT, Qwen);
            interleaved: 2i and 2i + 1 (RoFormer, GPT-J, Llama as published).
        scale: Multiplies the rotated part, see `yarn_scale`.
    """
    import torch

    _among(layout, "half", "interleaved")
    rotated = 2 * frequencies.shape[-1]
    if rotated > x.shape[-1]:
        raise SpecError(f"{rotated} of {x.shape[-1]} numbers are to be rotated", "give fewer frequencies")
    angles = _angles(positions.to(x.device), frequencies)
    wide = torch.promote_types(x.dtype, torch.float32)  # half precision is rounded once, at the end
    cos, sin = ((part * scale).to(wide) for part in (angles.cos(), angles.sin()))
    turned, rest = x[..., :rotated].to(wide), x[..., rotated:]
    if layout == "half":
        a, b = turned.chunk(2, dim=-1)
        turned = torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
    else:
        a, b = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack([a * cos - b * sin, b * cos + a * sin], dim=-1).flatten(-2)
    return torch.cat([turned.to(x.dtype), rest], dim=-1)


def relative(queries: int, keys: int, where: device | None = None) -> Tensor:
    """Key's place minus query's ``(queries, keys)``; query i stands at i + keys - queries: both end together."""
    import torch

    at = torch.arange(keys - queries, keys, device=where)
    return torch.arange(keys, device=where) - at[:, None]


def t5_buckets(
    distances: Tensor, *, buckets: int = 32, longest: int = 128, bidirectional: bool = True
) -> Tensor:
    """Rows of the table of biases, from 0 below `buckets`, for key's place minus query's (Raffel et al. 2020, 2.1).

    Bidirectional: one half for keys to the left, the other for those to the right; otherwise keys to the right are
    taken for the query's own place. Half of the rows of a side are for one distance each, the others for ranges that
    grow geometrically up to `longest`; all beyond share the last. A bias ``(queries, keys, heads)`` is table[buckets].
    """
    sides = 2 if bidirectional else 1
    exact = buckets // sides // 2
    if buckets % sides or exact < 1 or longest <= exact:
        raise SpecError(
            f"{buckets} buckets up to a distance of {longest}",
            f"give {2 * sides} buckets or more, an even number, and a distance over {exact}",
        )
    side = buckets // sides
    far = distances.abs() if bidirectional else (-distances).clamp(min=0)
    grown = (far.clamp(min=1).double() / exact).log() / math.log(longest / exact) * (side - exact)
    found = far.where(far < exact, (exact + grown.long()).clamp(max=side - 1))
    return found + side * (distances > 0).long() if bidirectional else found


def alibi_slopes(heads: int) -> Tensor:
    """What each head subtracts for each token of distance ``(heads,)`` float32 (Press et al. 2022, section 3).

    2^(-8i/H) for i from 1, where H is a power of two. Otherwise those of the next lower power, and then every second of
    the next higher: as the authors' code does.
    """
    import torch

    if heads < 1:
        raise SpecError(f"there are {heads} heads", "give 1 or more")
    lower = 1 << (heads.bit_length() - 1)
    exponents = [8 * i / lower for i in range(1, lower + 1)]
    exponents += [8 * i / (2 * lower) for i in range(1, 2 * (heads - lower), 2)]
    return (2.0 ** -torch.tensor(exponents, dtype=torch.float64)).float()


def alibi(distances: Tensor, heads: int) -> Tensor:
    """Biases of the products before the softmax: -slope |distance|, ``(..., m, n)`` -> ``(..., heads, m, n)`` float32.

    The bidirectional form (Jina embeddings v2). Under a causal mask it is that of Press et al. 2022, section 3.
    """
    slopes = alibi_slopes(heads).to(distances.device)
    return -slopes[:, None, None] * distances.abs()[..., None, :, :]


def _angles(positions: Tensor, frequencies: Tensor) -> Tensor:
    return positions.double()[..., None] * frequencies.to(positions.device, positions.double().dtype)


def _factor(factor: float) -> float:
    if factor <= 0:
        raise SpecError(f"factor is {factor}", "give more than 0")
    return factor


def _among(layout: str, *known: str) -> None:
    if layout not in known:
        raise SpecError(f"unknown layout {layout!r}", f"give {' or '.join(known)}")
