"""Attention mechanisms, each registered under a name, all with one signature.

from ragembed.encoder import attention

attention.names()
attend = attention.get("sliding_window")
result = attend(query, key, value, attention.Mask(window=(64, 64)))  # (batch, heads, length, head dimension)
"""

from __future__ import annotations

from ragembed.encoder.attention.mask import ALL, Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.extras import require
from ragembed.registry import Registry

MECHANISMS: Registry[Mechanism] = Registry(
    "attention",
    "ragembed.attention",
    {
        "additive": "ragembed.encoder.attention.exact.additive:Additive",
        "bigbird": "ragembed.encoder.attention.sparse.bigbird:BigBird",
        "bp": "ragembed.encoder.attention.sparse.bp:BP",
        "burst": "ragembed.encoder.attention.distributed.burst:Burst",
        "dot_product": "ragembed.encoder.attention.exact.dot_product:DotProduct",
        "flash1": "ragembed.encoder.attention.exact.flash1:Flash1",
        "flash2": "ragembed.encoder.attention.exact.flash2:Flash2",
        "hyper": "ragembed.encoder.attention.hyper.hyper:Hyper",
        "linear": "ragembed.encoder.attention.approximate.linear:Linear",
        "linformer": "ragembed.encoder.attention.approximate.linformer:Linformer",
        "longformer": "ragembed.encoder.attention.local.longformer:Longformer",
        "performer": "ragembed.encoder.attention.approximate.performer:Performer",
        "ring": "ragembed.encoder.attention.distributed.ring:Ring",
        "sinks": "ragembed.encoder.attention.local.sinks:Sinks",
        "sliding_window": "ragembed.encoder.attention.local.sliding_window:SlidingWindow",
        "strided": "ragembed.encoder.attention.sparse.strided:Strided",
        "ulysses": "ragembed.encoder.attention.distributed.ulysses:Ulysses",
    },
)


def names() -> list[str]:
    """The names of all mechanisms, sorted."""
    return MECHANISMS.names()


def get(name: str) -> Mechanism:
    """The mechanism of that name; an unknown one raises `SpecError` with the valid names."""
    kind = MECHANISMS.load(name)
    require("torch", "encoder", "attention")
    return kind()


__all__ = ["ALL", "MECHANISMS", "Mask", "Mechanism", "get", "names"]
