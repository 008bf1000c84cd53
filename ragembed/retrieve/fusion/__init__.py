"""Joining the lists of several embedders into one, by ranks or by scores."""

from ragembed.registry import Registry
from ragembed.retrieve.fusion.base import DEPTH, UNKNOWN, Fused, Fusion, Ranked, Scores

__all__ = ["DEFAULT", "DEPTH", "FUSIONS", "UNKNOWN", "Fused", "Fusion", "Ranked", "Scores"]

FUSIONS: Registry[Fusion] = Registry(
    "fusion",
    "ragembed.fusions",
    {
        "evidence": "ragembed.retrieve.fusion.evidence:Evidence",
        "rrf": "ragembed.retrieve.fusion.ranks:ReciprocalRank",
        "combsum": "ragembed.retrieve.fusion.sums:CombSum",
        "combmnz": "ragembed.retrieve.fusion.sums:CombMNZ",
        "convex": "ragembed.retrieve.fusion.sums:Convex",
    },
)

DEFAULT = "evidence"
"""What a search does unless it is told otherwise."""
