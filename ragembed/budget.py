"""How much memory work on an index plans with, and how large its batches are by that."""

from __future__ import annotations

MEMORY = 1_000_000_000
"""Bytes that work plans with unless it is told otherwise."""
LEAST_MEMORY = 1_000_000
"""Bytes below which no batch holds a page of text."""
TEXT_SHARE = 1 / 32
"""Of the memory: text per commit. Text, tokens and sorting them take up to 24 bytes a character."""
BATCH_CHUNKS = {"sparse": 50_000, "dense": 1_000, "multi": 250}
"""Chunks per commit; vectors of a transformer cost so much more that less of them may be lost,
and one for each token takes two hundred times the memory."""
MANY_SEGMENTS = 8
"""Segments at the end of the list that are joined while a run still goes on."""
