"""Positional encodings as pure functions: sinusoids, rotary embeddings (RoPE), T5's relative buckets and ALiBi.

Angles are computed in float64 and rounded once: in float32 the angle of position 100,000 is off by up to 0.004.
Positions are integer tensors, so that packed documents, caches and chunks can each count in their own way. A learned
table of positions needs nothing from here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def sinusoidal(
    positions: Tensor,
    dimension: int,
    *,
    layout: Literal["interleaved", "concatenated"] = "interleaved",
    theta: float = 10_000.0,
) -> Tensor:
    """Sinusoidal vectors of positions ``(...)`` -> ``(..., dimension)`` float32.

    interleaved (Vaswani et al. 2017, section 3.5): sin(p / theta^(2i/d)) in column 2i, its cosine in column 2i + 1.
    concatenated (the authors' code, tensor2tensor): all sines, then all cosines, of p / theta^(i / (d/2 - 1)), so that
    the slowest angle is exactly p / theta; with an odd d the last column is 0.
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
    angles = _angles(positions, _positive("theta", theta) ** -steps)
    return functional.pad(torch.cat([angles.sin(), angles.cos()], dim=-1), (0, odd)).float()


def rope_frequencies(dimension: int, *, theta: float = 10_000.0, fraction: float = 1.0) -> Tensor:
    """Angles per position, theta^(-2i/r): ``(r / 2,)`` float64 (Su et al. 2021, RoFormer, section 3.2.2).

    r is ``int(dimension * fraction)``: the first r dimensions of a head are rotated. It has to be even.
    """
    import torch

    rotated = int(dimension * fraction)
    if rotated < 0 or rotated % 2 or rotated > dimension:
        raise SpecError(
            f"{fraction} of {dimension} numbers is {rotated}, which are to be rotated in pairs",
            "give a fraction from 0 to 1 that makes an even number",
        )
    return _positive("theta", theta) ** -(torch.arange(0, rotated, 2, dtype=torch.float64) / max(1, rotated))


def linear_frequencies(frequencies: Tensor, factor: float) -> Tensor:
    """Position interpolation: every angle divided by `factor` (Chen et al. 2023, section 2.3)."""
    return frequencies / _factor(factor)


def ntk_theta(rotated: int, theta: float, factor: float) -> float:
    """The theta of NTK-aware scaling, theta factor^(r / (r - 2)) (Peng et al. 2023, YaRN, section 3.1).

    It leaves the fastest angle as it is, and divides the slowest by `factor`.
    """
    if rotated <= 2:
        raise SpecError(f"{rotated} numbers are rotated", "NTK scaling needs more than 2")
    return float(_positive("theta", theta) * _factor(factor) ** (rotated / (rotated - 2)))


def dynamic_factor(factor: float, length: int, trained: int) -> float:
    """The factor of dynamic NTK scaling for n = `length` tokens: 1 up to `trained` tokens, then growing with n.

    factor n / trained - (factor - 1), as in transformers; with a factor of 1 this is the paper's n / trained (Peng et
    al. 2023, section 3.3).
    """
    return _factor(factor) * max(length, trained) / _positive("trained", trained) - (factor - 1)


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
    """The angles of NTK-by-parts ``(rotated / 2,)``: fast ones stay, slow ones are divided, with a ramp between.

    Peng et al. 2023 (YaRN), section 3.2, but with a ramp that is linear in the index, as in the authors' code, with
    which models were trained; the paper's is linear in the number of turns.

    Args:
        rotated: Dimensions of a head that are rotated.
        factor: How many times as long texts are as in training.
        trained: Length of texts in training, in tokens.
        theta: As in `rope_frequencies`.
        fast: Angles that make this many full turns or more within `trained` tokens stay (beta in the paper).
        slow: Angles that make this many full turns or fewer are divided by `factor` (alpha in the paper).
        whole: Whether the ends of the ramp are rounded outwards, to whole indices.
    """
    import torch

    plain = rope_frequencies(rotated, theta=theta)
    if theta == 1:
        raise SpecError("theta is 1", "give more, so that some angles are slower than others")
    if trained < 1 or not 0 < slow <= fast:
        raise SpecError(
            f"trained is {trained}, fast {fast}, slow {slow}", "give a length from 1, and 0 < slow <= fast"
        )
    # the (fractional) index of the angle that makes this many turns within `trained` tokens
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


def mixed_ntk_frequencies(
    rotated: int, *, factor: float, theta: float = 10_000.0, power: float = 1.0
) -> Tensor:
    """The angles of NTK-RoPE-mixed ``(rotated / 2,)``: angle m of M, from 1, divided by factor^((m / M)^power).

    Su 2023 (kexue.fm/archives/9706, equations 10 to 13); a power of 1 is its fixed form (equation 6). GTE's models
    are made with it.
    """
    import torch

    plain = rope_frequencies(rotated, theta=theta)
    part = torch.arange(1, rotated // 2 + 1, dtype=torch.float64) / max(1, rotated // 2)
    return plain / _factor(factor) ** (part ** _positive("power", power))


def llama3_frequencies(
    rotated: int,
    *,
    factor: float,
    trained: int,
    theta: float = 10_000.0,
    fast: float = 4.0,
    slow: float = 1.0,
) -> Tensor:
    """The angles of Llama 3.1 ``(rotated / 2,)``: those that make `fast` turns or more within `trained` tokens stay.

    Those that make `slow` turns or fewer are divided by `factor`; between them the share is linear in the turns.
    """
    import torch

    if trained < 1 or not 0 < slow < fast:
        raise SpecError(
            f"trained is {trained}, fast {fast}, slow {slow}", "give a length from 1, and 0 < slow < fast"
        )
    plain = rope_frequencies(rotated, theta=theta)
    turns = trained * plain / (2 * torch.pi)
    kept = ((turns - slow) / (fast - slow)).clamp(0, 1)
    return plain * kept + plain / _factor(factor) * (1 - kept)


def yarn_scale(factor: float) -> float:
    """The factor by which YaRN scales queries and keys: 0.1 ln(factor) + 1 (Peng et al. 2023, section 3.4)."""
    return 0.1 * math.log(max(1.0, _factor(factor))) + 1


def rope(
    x: Tensor,
    positions: Tensor,
    frequencies: Tensor,
    *,
    layout: Literal["half", "interleaved"] = "half",
    scale: float = 1.0,
) -> Tensor:
    """Rotary embedding of x ``(..., n, d)``: pairs of dimensions are rotated by position times frequency.

    Su et al. 2021, equation 34. The inner product of a rotated query and a rotated key depends on their positions only
    through the distance.

    Args:
        x: Queries or keys; dimensions after the rotated ones stay as they are.
        positions: ``(n,)``, or any shape that broadcasts to that of x without the last dimension: ``(batch, 1, n)``.
        frequencies: ``(r / 2,)`` with r <= d, such as `rope_frequencies`.
        layout: Which dimensions form pair i: half: i and r/2 + i (GPT-NeoX, Llama in Hugging Face, ModernBERT, Qwen);
            interleaved: 2i and 2i + 1 (RoFormer, GPT-J, Llama as published).
        scale: Factor of the rotated part, see `yarn_scale`.
    """
    import torch

    _among(layout, "half", "interleaved")
    rotated = 2 * frequencies.shape[-1]
    if rotated > x.shape[-1]:
        raise SpecError(f"{rotated} of {x.shape[-1]} numbers are to be rotated", "give fewer frequencies")
    sizes = zip(reversed(positions.shape), reversed(x.shape[:-1]), strict=False)
    if positions.ndim >= x.ndim or any(size not in (1, there) for size, there in sizes):
        raise SpecError(
            f"positions of shape {tuple(positions.shape)} do not fit {tuple(x.shape)}",
            "give (n,) or (batch, 1, n)",
        )
    wide = torch.promote_types(x.dtype, torch.float32)  # half precision is rounded only once, at the end
    return rotate(x, rotation(positions.to(x.device), frequencies, wide, scale=scale), layout=layout)


def rotation(
    positions: Tensor, frequencies: Tensor, dtype: torch.dtype, *, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Cosines and sines of positions ``(...)`` times frequencies ``(r / 2,)``: ``(..., r / 2)`` each, times `scale`."""
    angles = _angles(positions, frequencies)
    return (angles.cos() * scale).to(dtype), (angles.sin() * scale).to(dtype)


def rotate(
    x: Tensor, rotation: tuple[Tensor, Tensor], *, layout: Literal["half", "interleaved"] = "half"
) -> Tensor:
    """`rope` of x ``(..., d)`` with what `rotation` gives, of a shape that broadcasts, and in its precision."""
    import torch

    cos, sin = rotation
    rotated = 2 * cos.shape[-1]
    turned, rest = x[..., :rotated].to(cos.dtype), x[..., rotated:]
    if layout == "half":
        a, b = turned.chunk(2, dim=-1)
        turned = torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
    else:
        a, b = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack([a * cos - b * sin, b * cos + a * sin], dim=-1).flatten(-2)
    return torch.cat([turned.to(x.dtype), rest], dim=-1)


def relative(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """Position of the key minus that of the query ``(queries, keys)``; query i has position i + keys - queries."""
    import torch

    of_queries = torch.arange(keys - queries, keys, device=device)
    return torch.arange(keys, device=device) - of_queries[:, None]


def t5_buckets(
    distances: Tensor, *, buckets: int = 32, longest: int = 128, bidirectional: bool = True
) -> Tensor:
    """The bucket of each distance (key minus query), from 0 to buckets - 1 (Raffel et al. 2020, section 2.1).

    Bidirectional: the first half of the buckets is for keys at or left of the query, the second for keys to the right.
    Otherwise keys to the right share the bucket of distance 0. On each side half of the buckets are for one distance
    each, the others for ranges that grow geometrically up to `longest`; all longer distances share the last bucket.
    With a learned table ``(buckets, heads)`` the bias ``(queries, keys, heads)`` is table[t5_buckets(...)].
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
    """The slope of each head ``(heads,)`` float32, which a logit loses per token of distance.

    Press et al. 2022, section 3: 2^(-8i/H) for i from 1 to H, if H is a power of two. Otherwise the slopes of the next
    lower power, then every second one of the next higher power, as in the authors' code.
    """
    import torch

    if heads < 1:
        raise SpecError(f"there are {heads} heads", "give 1 or more")
    lower = 1 << (heads.bit_length() - 1)
    exponents = [8 * i / lower for i in range(1, lower + 1)]
    exponents += [8 * i / (2 * lower) for i in range(1, 2 * (heads - lower), 2)]
    return (2.0 ** -torch.tensor(exponents, dtype=torch.float64)).float()


def alibi(distances: Tensor, heads: int) -> Tensor:
    """Biases -slope |distance| to add to the logits: distances ``(..., m, n)`` -> ``(..., heads, m, n)`` float32.

    This is the symmetric form of Jina embeddings v2; under a causal mask it is that of Press et al. 2022, section 3.
    """
    slopes = alibi_slopes(heads).to(distances.device)
    return -slopes[:, None, None] * distances.abs()[..., None, :, :]


def _angles(positions: Tensor, frequencies: Tensor) -> Tensor:
    return positions.double()[..., None] * frequencies.to(positions.device, positions.double().dtype)


def _factor(factor: float) -> float:
    return _positive("factor", factor)


def _positive(name: str, number: float) -> float:
    if not number > 0:  # also NaN
        raise SpecError(f"{name} is {number}", "give more than 0")
    return number


def _among(layout: str, *known: str) -> None:
    if layout not in known:
        raise SpecError(f"unknown layout {layout!r}", f"give {' or '.join(known)}")
