"""What a run of indexing did."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ragembed.read.base import Failure

if TYPE_CHECKING:
    from ragembed.embed.coverage import Coverage


@dataclass(slots=True)
class SyncReport:
    """What a run did. Documents are counted, except where it says chunks or files."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    moved: int = 0
    """Documents whose file lies under another name now; nothing of them was embedded again."""
    deleted: int = 0
    missing: int = 0
    """Files that were indexed and are gone from the sources; `prune` deletes their documents."""
    failed: list[Failure] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Files passed over, by reason."""
    files: int = 0
    chunks: int = 0
    """Chunks embedded."""
    truncated: int = 0
    """Chunks of which an embedder cut off the end, added up over the embedders."""
    coverage: dict[str, Coverage] = field(default_factory=dict)
    """By the specs of embedders that go by words: how many tokens had a vector."""
    notes: list[str] = field(default_factory=list)
    """What else the user should know."""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            **asdict(replace(self, coverage={})),
            "coverage": {spec: found.to_json() for spec, found in self.coverage.items()},
            "failed": [{"where": failure.where, "reason": failure.reason} for failure in self.failed],
            "skipped": dict(self.skipped),
            "seconds": round(self.seconds, 3),
        }
