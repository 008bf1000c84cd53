"""Steps of a search after its lists are joined: feedback, reranking, diversity, context; one a file."""

from ragembed.registry import Registry
from ragembed.retrieve.steps.base import Candidates, Step

__all__ = ["STEPS", "Candidates", "Step"]

STEPS: Registry[Step] = Registry(
    "step",
    "ragembed.steps",
    {
        "boost": "ragembed.retrieve.steps.boost:Boost",
        "collapse": "ragembed.retrieve.steps.collapse:Collapse",
        "expand": "ragembed.retrieve.steps.expand:Expand",
        "maxsim": "ragembed.retrieve.steps.maxsim:MaxSim",
        "mmr": "ragembed.retrieve.steps.mmr:MaximalMarginalRelevance",
        "neighbours": "ragembed.retrieve.steps.neighbours:Neighbours",
        "parent": "ragembed.retrieve.steps.parent:Parent",
        "recency": "ragembed.retrieve.steps.recency:Recency",
        "rerank": "ragembed.retrieve.steps.rerank:Rerank",
        "rm3": "ragembed.retrieve.steps.rm3:RelevanceModel",
        "rocchio": "ragembed.retrieve.steps.rocchio:Rocchio",
        "threshold": "ragembed.retrieve.steps.threshold:Threshold",
    },
)
