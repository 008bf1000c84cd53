"""What `info` says of accelerators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ragembed.index.ann.accelerator import DEPTHS
from ragembed.index.ann.record import AnnRecord, records_from_json
from ragembed.index.schema import ACCELERATORS

if TYPE_CHECKING:
    from ragembed.index.catalog import Catalog

ROW_BYTES = 8
"""What the list of an accelerator's rows takes for each of them."""


def told(catalog: Catalog) -> list[dict[str, Any]]:
    """For each accelerator its type, what it covers, what was measured of it and what it takes."""
    known = records_from_json(catalog.setting(ACCELERATORS))
    return [_told(catalog, number, record) for number, record in sorted(known.items())]


def _told(catalog: Catalog, number: int, record: AnnRecord) -> dict[str, Any]:
    from ragembed.accelerate import warning_of

    segments = catalog.segments()
    rows = next((s.rows for s in segments if s.name == record.segment), 0)
    held = sum(s.rows for s in segments if s.embedder == number and not s.accelerates)
    measured = record.measured
    return {
        "embedder": number,
        "index_type": record.spec,
        "target_recall": record.target,
        "recall": {f"recall@{depth}": measured.recall[depth] for depth in DEPTHS if depth in measured.recall},
        "measured_by": f"{record.probes} queries of users"
        if record.probes
        else f"{len(record.probe_rows)} chunks that were left out",
        "rows": rows,
        "delta_rows": measured.delta + max(0, catalog.chunk_count() - measured.covered - measured.delta),
        "settings": {
            f"k={depth}": {"effort": setting.effort, "refine": setting.refine}
            for depth, setting in record.settings.items()
        },
        "memory": record.faiss_bytes + ROW_BYTES * rows,
        "flat_bytes": 4 * record.dimension * held,
        "seconds": measured.seconds,
        "exact_seconds": measured.exact_seconds,
        "warning": warning_of(record, max(measured.delta, catalog.chunk_count() - measured.covered)),
    }
