"""Ids that look like one that is not there."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable

_CLOSE = 200
"""Ids that are compared letter by letter: those that share most groups of three letters."""


def near(asked: str, ids: Iterable[str], most: int = 3) -> list[str]:
    """Those of `ids` that are most like `asked`, best first; linear in their number."""
    wanted = _groups(asked)
    short = asked.casefold().rpartition("/")[2]

    def shared(identifier: str) -> float:
        groups = _groups(identifier)
        return len(wanted & groups) / (len(wanted | groups) or 1)

    likely = heapq.nlargest(_CLOSE, ids, key=shared)
    folded = {identifier: identifier.casefold() for identifier in likely}
    same_name = [identifier for identifier in likely if folded[identifier].rpartition("/")[2] == short]
    close = difflib.get_close_matches(asked.casefold(), folded.values(), most, cutoff=0.6)
    alike = [identifier for one in close for identifier in likely if folded[identifier] == one]
    return list(dict.fromkeys([*same_name, *alike]))[:most]


def _groups(text: str) -> set[str]:
    folded = text.casefold()
    return {folded[i : i + 3] for i in range(max(1, len(folded) - 2))}
