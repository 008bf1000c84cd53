"""Why a hit ranks where it does, and at which stage a document was lost.

`Pipeline.explain` is the way in; what it returns is in `ragembed.explain.result`, for users in docs/explain.md.
"""

from __future__ import annotations

from ragembed.explain.query import explain
from ragembed.explain.result import (
    Contribution,
    ExplainedHit,
    Explanation,
    List,
    Part,
    Stage,
    Step,
    Term,
    Verdict,
    Word,
)

__all__ = [
    "Contribution",
    "ExplainedHit",
    "Explanation",
    "List",
    "Part",
    "Stage",
    "Step",
    "Term",
    "Verdict",
    "Word",
    "explain",
]
